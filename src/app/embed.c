/*
 * embed DIST OUT.c: turns the built web app into C, at build time. A program of its own, no part of the server.
 *
 * Each file becomes one struct front_asset: its content compressed, and the hash of it as its ETag. The same files
 * give the same bytes on every machine.
 */
#include <dirent.h>
#include <errno.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#include "base/buf.h"
#include "base/macros.h"
#include "base/mem.h"

enum {
	FILE_BYTES_MAX = 16 << 20, /* what front inflates at most for a client without gzip */
	ETAG_BYTES = 16,
	BYTES_PER_LINE = 32,
	GZIP_WINDOW_BITS = 15 + 16, /* deflateInit2: + 16 asks for a gzip header, with a time of 0 */
};

static const struct {
	const char *suffix, *content_type;
} types[] = {
	{".html",  "text/html; charset=utf-8"},
	{".js",    "text/javascript; charset=utf-8"},
	{".css",   "text/css; charset=utf-8"},
	{".json",  "application/json"},
	{".svg",   "image/svg+xml"},
	{".png",   "image/png"},
	{".ico",   "image/x-icon"},
	{".woff2", "font/woff2"},
	{".wasm",  "application/wasm"},
	{".txt",   "text/plain; charset=utf-8"},
};

/* Vite puts what carries a hash in its name here, and only that. */
static const char hashed_dir[] = "/assets/";

static const char *type_of(const char *path)
{
	const char *dot = strrchr(path, '.');
	for (size_t i = 0; dot && i < ARRAY_LEN(types); i++)
		if (strcmp(dot, types[i].suffix) == 0)
			return types[i].content_type;
	return NULL;
}

/* 0, or prints why not and returns 1, as all below. */
static int fail(const char *file, const char *why)
{
	fprintf(stderr, "embed: %s: %s\n", file, why);
	return 1;
}

static int read_all(const char *file, struct buf *content)
{
	FILE *in = fopen(file, "rb");
	uint8_t chunk[65536];
	size_t n;
	if (!in)
		return fail(file, strerror(errno));
	while ((n = fread(chunk, 1, sizeof chunk, in)) > 0)
		buf_add(content, chunk, n);
	int bad = ferror(in);
	fclose(in);
	if (bad)
		return fail(file, "cannot be read");
	return content->full ? fail(file, "is too large") : 0;
}

static int compress_all(const char *file, const struct buf *content, struct buf *gzip)
{
	z_stream z = {.next_in = content->p, .avail_in = (uInt)content->n};
	if (deflateInit2(&z, Z_BEST_COMPRESSION, Z_DEFLATED, GZIP_WINDOW_BITS, MAX_MEM_LEVEL,
		    Z_DEFAULT_STRATEGY) != Z_OK)
		return fail(file, "zlib does not start");
	uLong bound = deflateBound(&z, (uLong)content->n);
	uint8_t *room = buf_extend(gzip, bound);
	z.next_out = room;
	z.avail_out = (uInt)bound;
	int rc = room ? deflate(&z, Z_FINISH) : Z_MEM_ERROR;
	gzip->n = z.total_out;
	deflateEnd(&z);
	return rc == Z_STREAM_END ? 0 : fail(file, "cannot be compressed");
}

/* As a string literal: compilers read it many times faster than a list of numbers. */
static void print_bytes(FILE *out, size_t index, const struct buf *b)
{
	fprintf(out, "static const uint8_t file_%zu[] =", index);
	for (size_t i = 0; i < b->n; i++)
		fprintf(out, "%s\\%03o", i % BYTES_PER_LINE ? "" : i ? "\"\n\t\"" : "\n\t\"", b->p[i]);
	fprintf(out, "\";\n");
}

static void print_row(
	struct buf *rows, const char *path, size_t index, const struct buf *content, size_t gzip_n)
{
	uint8_t hash[SHA256_DIGEST_LENGTH];
	SHA256(content->p, content->n, hash);
	buf_printf(rows, "\t{.path = \"%s\", .content_type = \"%s\",\n\t\t.etag = \"\\\"", path, type_of(path));
	for (size_t i = 0; i < ETAG_BYTES; i++)
		buf_printf(rows, "%02x", hash[i]);
	buf_printf(rows, "\\\"\", .gzip = file_%zu, .gzip_n = %zu, .immutable = %s},\n", index, gzip_n,
		strncmp(path, hashed_dir, sizeof hashed_dir - 1) == 0 ? "true" : "false");
}

struct embed {
	const char *root;
	FILE *out;
	struct buf rows; /* of the table, printed last */
	size_t n;
};

static int embed_file(struct embed *e, const char *file)
{
	const char *path = file + strlen(e->root);
	struct buf content, gzip;
	if (!type_of(path))
		return fail(file, "has no known type; add it to src/app/embed.c");
	if (strpbrk(path, "\"\\\n"))
		return fail(file, "has a name that is no path of a page");
	buf_init(&content, FILE_BYTES_MAX);
	buf_init(&gzip, FILE_BYTES_MAX + FILE_BYTES_MAX / 8);
	int failed = read_all(file, &content) || compress_all(file, &content, &gzip);
	if (!failed) {
		print_bytes(e->out, e->n, &gzip);
		print_row(&e->rows, path, e->n++, &content, gzip.n);
	}
	buf_free(&content);
	buf_free(&gzip);
	return failed;
}

static int is_visible(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

static int embed_dir(struct embed *e, const char *dir)
{
	struct dirent **entry;
	int n = scandir(dir, &entry, is_visible, alphasort);
	int failed = 0;
	if (n == -1)
		return fail(dir, strerror(errno));
	for (int i = 0; i < n; i++) {
		char *file = xasprintf("%s/%s", dir, entry[i]->d_name);
		struct stat st;
		if (!failed && stat(file, &st) == -1)
			failed = fail(file, strerror(errno));
		if (!failed)
			failed = S_ISDIR(st.st_mode) ? embed_dir(e, file) : embed_file(e, file);
		xfree(file);
		xfree(entry[i]);
	}
	xfree(entry);
	return failed;
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return fail("usage", "embed DIST OUT.c");
	struct embed e = {.root = argv[1], .out = fopen(argv[2], "w")};
	if (!e.out)
		return fail(argv[2], strerror(errno));
	buf_init(&e.rows, FILE_BYTES_MAX);
	fprintf(e.out, "/* Made by src/app/embed.c from the built web app. */\n#include \"app/web_assets.h\"\n\n");
	int failed = embed_dir(&e, e.root);
	if (!failed && !e.n)
		failed = fail(e.root, "is empty");
	fprintf(e.out, "\nconst struct front_asset web_assets[] = {\n%s};\nconst size_t web_assets_n = %zu;\n",
		buf_cstr(&e.rows), e.n);
	buf_free(&e.rows);
	if (fclose(e.out) != 0 && !failed)
		failed = fail(argv[2], strerror(errno));
	return failed;
}
