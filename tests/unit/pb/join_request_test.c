#include "vectors.h"

#include <zlib.h>

#include "base/base64.h"
#include "pb/join_request.h"
#include "pb/pb.h"

enum { NAME, PARAM, HEX };

/* The parameter around these inner bytes; buf_free it. */
static struct buf wrap(int32_t compression, struct slice inner)
{
	Livekit__WrappedJoinRequest wrapped = LIVEKIT__WRAPPED_JOIN_REQUEST__INIT;
	wrapped.has_compression = true;
	wrapped.compression = (Livekit__WrappedJoinRequest__Compression)compression;
	wrapped.has_join_request = true;
	wrapped.join_request = (ProtobufCBinaryData){inner.n, (uint8_t *)(uintptr_t)inner.p};
	struct buf bytes, param;
	buf_init(&bytes, 8 << 20);
	buf_init(&param, 16 << 20);
	assert_int_equal(pb_encode(&wrapped, &bytes), 0);
	base64_encode(&param, buf_slice(&bytes), BASE64_URL);
	buf_free(&bytes);
	return param;
}

/* gzip of n zero bytes; xfree its memory. */
static struct slice gzip_of_zeros(size_t n)
{
	z_stream z = {.next_in = NULL};
	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	size_t cap = deflateBound(&z, n);
	uint8_t *zeros = xcalloc(1, n);
	uint8_t *out = xmalloc(cap);
	z.next_in = zeros;
	z.avail_in = (uInt)n;
	z.next_out = out;
	z.avail_out = (uInt)cap;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	size_t len = cap - z.avail_out;
	deflateEnd(&z);
	xfree(zeros);
	return (struct slice){out, len};
}

static int decode_wrapped(int32_t compression, struct slice inner)
{
	struct buf param = wrap(compression, inner);
	Livekit__JoinRequest *req;
	struct errbuf eb = {""};
	int err = pb_join_request_decode(buf_slice(&param), &req, &eb);
	assert_int_equal(req == NULL, err != 0);
	assert_int_equal(eb.text[0] == 0, err == 0);
	pb_free(req);
	buf_free(&param);
	return err;
}

static void requests_of_another_encoder_are_read(void **st)
{
	(void)st;
	struct vectors v;
	char *row[VECTORS_COLUMNS];
	vectors_open(&v, "pb/join_request.tsv");
	while (vectors_next(&v, row)) {
		Livekit__JoinRequest *req;
		assert_int_equal(pb_join_request_decode(slice_str(row[PARAM]), &req, NULL), 0);
		assert_int_equal(req->client_info->protocol, 17);
		assert_int_equal(req->publisher_offer->id, 1);
		struct slice inner = vectors_unhex(row[HEX]);
		struct buf bytes;
		buf_init(&bytes, 1 << 20);
		assert_int_equal(pb_encode(req, &bytes), 0);
		assert_true(slice_eq(buf_slice(&bytes), inner));
		buf_free(&bytes);
		xfree((void *)(uintptr_t)inner.p);
		pb_free(req);
	}
	assert_int_equal(v.line, 3);
	vectors_close(&v);
}

static void every_prefix_fails(void **st)
{
	(void)st;
	struct vectors v;
	char *row[VECTORS_COLUMNS];
	vectors_open(&v, "pb/join_request.tsv");
	assert_true(vectors_next(&v, row));
	size_t n = strlen(row[PARAM]);
	while (row[PARAM][n - 1] == '=')
		n--;
	for (size_t i = 1; i < n; i++) {
		Livekit__JoinRequest *req;
		assert_int_not_equal(
			pb_join_request_decode(slice_of(row[PARAM], i), &req, NULL), 0);
		assert_null(req);
	}
	vectors_close(&v);
}

static void a_request_of_ours_comes_back(void **st)
{
	(void)st;
	Livekit__JoinRequest req = LIVEKIT__JOIN_REQUEST__INIT;
	req.metadata = (char *)(uintptr_t) "meta";
	struct buf param;
	buf_init(&param, 1 << 16);
	assert_int_equal(pb_join_request_encode(&req, &param), 0);
	Livekit__JoinRequest *back;
	assert_int_equal(pb_join_request_decode(buf_slice(&param), &back, NULL), 0);
	assert_string_equal(back->metadata, "meta");
	pb_free(back);
	buf_free(&param);
}

static void a_bomb_stops_at_the_limit(void **st)
{
	(void)st;
	struct slice bomb = gzip_of_zeros(64 << 20);
	assert_true(bomb.n < 128 << 10);
	assert_int_equal(decode_wrapped(1, bomb), -ERR_TOO_LARGE);
	xfree((void *)(uintptr_t)bomb.p);
	/* The limit itself is let through to the next layer, which does not like zeros. */
	struct slice most = gzip_of_zeros(PB_JOIN_REQUEST_MAX);
	assert_int_equal(decode_wrapped(1, most), -ERR_MALFORMED);
	xfree((void *)(uintptr_t)most.p);
	struct slice more = gzip_of_zeros(PB_JOIN_REQUEST_MAX + 1);
	assert_int_equal(decode_wrapped(1, more), -ERR_TOO_LARGE);
	xfree((void *)(uintptr_t)more.p);
}

static void an_uncompressed_request_has_the_same_limit(void **st)
{
	(void)st;
	uint8_t *zeros = xcalloc(1, PB_JOIN_REQUEST_MAX + 1);
	assert_int_equal(
		decode_wrapped(0, slice_of(zeros, PB_JOIN_REQUEST_MAX + 1)), -ERR_TOO_LARGE);
	assert_int_equal(decode_wrapped(0, slice_of(zeros, PB_JOIN_REQUEST_MAX)), -ERR_MALFORMED);
	xfree(zeros);
}

static void broken_layers_are_named(void **st)
{
	(void)st;
	struct slice good = gzip_of_zeros(0);
	assert_int_equal(decode_wrapped(1, good), 0);
	assert_int_equal(decode_wrapped(2, good), -ERR_UNSUPPORTED);
	assert_int_equal(decode_wrapped(1, slice_of(good.p, good.n - 1)), -ERR_TRUNCATED);
	assert_int_equal(decode_wrapped(1, slice_str("not gzip")), -ERR_MALFORMED);
	uint8_t *twice = xcalloc(1, good.n + 1);
	memcpy(twice, good.p, good.n);
	assert_int_equal(decode_wrapped(1, slice_of(twice, good.n + 1)), -ERR_MALFORMED);
	xfree(twice);
	xfree((void *)(uintptr_t)good.p);

	Livekit__JoinRequest *req;
	struct errbuf eb;
	assert_int_equal(pb_join_request_decode(slice_str("%%%%"), &req, &eb), -ERR_MALFORMED);
	assert_non_null(strstr(eb.text, "base64"));
	assert_int_equal(pb_join_request_decode(slice_str("EgX_"), &req, &eb), -ERR_TRUNCATED);
	assert_non_null(strstr(eb.text, "WrappedJoinRequest"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_of_another_encoder_are_read),
		cmocka_unit_test(every_prefix_fails),
		cmocka_unit_test(a_request_of_ours_comes_back),
		cmocka_unit_test(a_bomb_stops_at_the_limit),
		cmocka_unit_test(an_uncompressed_request_has_the_same_limit),
		cmocka_unit_test(broken_layers_are_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
