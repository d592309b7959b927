#include "front/front_internal.h"

#include <zlib.h>

#include "base/mem.h"

enum { PLAIN_BYTES_MAX = 16 << 20 };

/*
 * The page may load its own files, talk to any LiveKit server that its user names, and show the
 * media it receives. Nothing may frame it, and no other script runs in it.
 */
static const char page_headers[] =
	"Content-Security-Policy: default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; "
	"style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' blob: "
	"mediastream:; "
	"font-src 'self' data:; connect-src 'self' ws: wss:; worker-src 'self' blob:; object-src "
	"'none'; "
	"base-uri 'none'; form-action 'self'; frame-ancestors 'none'\r\n"
	"Referrer-Policy: no-referrer\r\n"
	"Permissions-Policy: camera=(self), microphone=(self), display-capture=(self), "
	"geolocation=(), payment=()\r\n"
	"X-Frame-Options: DENY\r\n";

static const struct front_asset *find(const struct front *f, const char *path)
{
	for (size_t i = 0; i < f->cfg.n_assets; i++)
		if (strcmp(f->cfg.assets[i].path, path) == 0)
			return &f->cfg.assets[i];
	return NULL;
}

/* For the rare client that does not take gzip. Returns owned; NULL if the asset is broken. */
static uint8_t *inflated(const struct front_asset *a, size_t *n)
{
	z_stream z = {.next_in = (Bytef *)(uintptr_t)a->gzip, .avail_in = (uInt)a->gzip_n};
	struct buf out;
	uint8_t chunk[4096];
	int rc = inflateInit2(&z, 15 + 16);
	if (rc != Z_OK)
		return NULL;
	buf_init(&out, PLAIN_BYTES_MAX);
	while (rc == Z_OK) {
		z.next_out = chunk;
		z.avail_out = sizeof chunk;
		rc = inflate(&z, Z_NO_FLUSH);
		buf_add(&out, chunk, sizeof chunk - z.avail_out);
	}
	inflateEnd(&z);
	if (rc != Z_STREAM_END || out.full) {
		buf_free(&out);
		return NULL;
	}
	*n = out.n;
	return (uint8_t *)buf_take(&out);
}

static bool takes_gzip(struct http *h)
{
	struct slice e = http_header(h, WSI_TOKEN_HTTP_ACCEPT_ENCODING);
	const char *at = e.n ? strstr((const char *)e.p, "gzip") : NULL;
	return at && strncmp(at + 4, ";q=0", 4) != 0;
}

static bool is_cached(struct http *h, const char *etag)
{
	struct slice have = http_header(h, WSI_TOKEN_HTTP_IF_NONE_MATCH);
	return have.n && memmem(have.p, have.n, etag, strlen(etag));
}

static void reply_asset(struct http *h, const struct front_asset *a, bool is_page)
{
	bool gzip = takes_gzip(h);
	size_t plain_n = 0;
	uint8_t *plain = gzip ? NULL : inflated(a, &plain_n);
	char *lines = xasprintf("ETag: %s\r\nCache-Control: %s\r\nVary: Accept-Encoding\r\n%s%s",
		a->etag, a->immutable ? "public, max-age=31536000, immutable" : "no-cache",
		gzip ? "Content-Encoding: gzip\r\n" : "", is_page ? page_headers : "");
	if (is_cached(h, a->etag))
		http_reply(h, &(struct http_reply){.status = 304, .headers = lines});
	else if (!gzip && !plain)
		http_reply_text(h, 500, "file is damaged");
	else
		http_reply(h, &(struct http_reply){.status = 200,
				      .content_type = a->content_type,
				      .headers = lines,
				      .body = gzip ? slice_of(a->gzip, a->gzip_n)
						   : slice_of(plain, plain_n)});
	xfree(plain);
	xfree(lines);
}

bool assets_page(struct http *h)
{
	const struct front_asset *a = find(h->f, "/index.html");
	if (a)
		reply_asset(h, a, true);
	return a != NULL;
}

bool assets_handle(struct http *h)
{
	const struct front_asset *a = find(h->f, (const char *)h->path.p);
	if (!a || !(h->method & (HTTP_GET | HTTP_HEAD)))
		return false;
	reply_asset(h, a, strcmp(a->path, "/index.html") == 0);
	return true;
}
