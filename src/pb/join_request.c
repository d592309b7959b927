#include "pb/join_request.h"

#include <zlib.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/mem.h"
#include "pb/pb.h"

enum {
	PARAM_MAX = 2 * PB_JOIN_REQUEST_MAX,
	GZIP_WINDOW = 15 + 16, /* zlib: the largest window, and a gzip header instead of its own */
	CHUNK = 16 * 1024,
};

/* The wrapped bytes may be as large as the request itself when they are not compressed. */
static const struct pb_limits limits = {
	.size = PARAM_MAX,
	.memory = 16 << 20,
	.elements = 64 << 10,
	.depth = 16,
};

/* Inflates one gzip member that ends with the input. `out` has the limit that a bomb runs into. */
static int gunzip(struct slice in, struct buf *out)
{
	z_stream z = {.next_in = (Bytef *)(uintptr_t)in.p, .avail_in = (uInt)in.n};
	if (inflateInit2(&z, GZIP_WINDOW) != Z_OK)
		return -ERR_SYSTEM;
	uint8_t *chunk = xmalloc(CHUNK);
	int zerr = Z_OK;
	while (zerr == Z_OK && !out->full) {
		z.next_out = chunk;
		z.avail_out = CHUNK;
		zerr = inflate(&z, Z_NO_FLUSH);
		buf_add(out, chunk, CHUNK - z.avail_out);
	}
	bool has_rest = z.avail_in > 0;
	inflateEnd(&z);
	xfree(chunk);
	if (out->full)
		return -ERR_TOO_LARGE;
	if (zerr == Z_BUF_ERROR)
		return -ERR_TRUNCATED;
	return zerr == Z_STREAM_END && !has_rest ? 0 : -ERR_MALFORMED;
}

static int gzip(struct slice in, struct buf *out)
{
	z_stream z = {.next_in = (Bytef *)(uintptr_t)in.p, .avail_in = (uInt)in.n};
	if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW, 8,
		    Z_DEFAULT_STRATEGY) != Z_OK)
		return -ERR_SYSTEM;
	size_t cap = deflateBound(&z, (uLong)in.n);
	uint8_t *to = xmalloc(cap);
	z.next_out = to;
	z.avail_out = (uInt)cap;
	int zerr = deflate(&z, Z_FINISH);
	deflateEnd(&z);
	buf_add(out, to, cap - z.avail_out);
	xfree(to);
	return zerr == Z_STREAM_END && !out->full ? 0 : -ERR_TOO_LARGE;
}

static int fail(struct errbuf *eb, int err, const char *layer)
{
	return err_set(eb, (enum err) - err, "join_request: %s: %s", layer, err_text(err));
}

static int unwrap(const Livekit__WrappedJoinRequest *wrapped, struct buf *plain, struct errbuf *eb)
{
	struct slice inner = {wrapped->join_request.data, wrapped->join_request.len};
	int err = 0;
	switch (wrapped->compression) {
	case LIVEKIT__WRAPPED_JOIN_REQUEST__COMPRESSION__NONE:
		buf_add(plain, inner.p, inner.n);
		err = plain->full ? -ERR_TOO_LARGE : 0;
		break;
	case LIVEKIT__WRAPPED_JOIN_REQUEST__COMPRESSION__GZIP: err = gunzip(inner, plain); break;
	default: err = -ERR_UNSUPPORTED;
	}
	return err ? fail(eb, err, "compression") : 0;
}

int pb_join_request_decode(struct slice param, Livekit__JoinRequest **out, struct errbuf *eb)
{
	*out = NULL;
	ProtobufCMessage *wrapped = NULL, *request = NULL;
	struct buf bytes, plain;
	buf_init(&bytes, PARAM_MAX);
	buf_init(&plain, PB_JOIN_REQUEST_MAX);
	int err = base64_decode(&bytes, param);
	if (err) {
		err = fail(eb, err, "base64");
		goto out;
	}
	err = pb_decode(
		&livekit__wrapped_join_request__descriptor, buf_slice(&bytes), &limits, &wrapped);
	if (err) {
		err = fail(eb, err, "WrappedJoinRequest");
		goto out;
	}
	err = unwrap((Livekit__WrappedJoinRequest *)wrapped, &plain, eb);
	if (err)
		goto out;
	err = pb_decode(&livekit__join_request__descriptor, buf_slice(&plain), &limits, &request);
	if (err)
		err = fail(eb, err, "JoinRequest");
	else
		*out = (Livekit__JoinRequest *)request;
out:
	pb_free(wrapped);
	buf_free(&plain);
	buf_free(&bytes);
	return err;
}

int pb_join_request_encode(const Livekit__JoinRequest *req, struct buf *out)
{
	struct buf plain, packed, bytes;
	buf_init(&plain, PB_JOIN_REQUEST_MAX);
	buf_init(&packed, PARAM_MAX);
	buf_init(&bytes, PARAM_MAX);
	int err = pb_encode(req, &plain);
	if (!err)
		err = gzip(buf_slice(&plain), &packed);
	if (!err) {
		Livekit__WrappedJoinRequest wrapped = LIVEKIT__WRAPPED_JOIN_REQUEST__INIT;
		wrapped.has_compression = true;
		wrapped.compression = LIVEKIT__WRAPPED_JOIN_REQUEST__COMPRESSION__GZIP;
		wrapped.has_join_request = true;
		wrapped.join_request = (ProtobufCBinaryData){packed.n, packed.p};
		err = pb_encode(&wrapped, &bytes);
	}
	if (!err) {
		base64_encode(out, buf_slice(&bytes), BASE64_URL);
		err = out->full ? -ERR_TOO_LARGE : 0;
	}
	buf_free(&bytes);
	buf_free(&packed);
	buf_free(&plain);
	return err;
}
