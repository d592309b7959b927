#include "cm.h"

#include "rtp/ext.h"
#include "rtp/rtx.h"

/* clang-format off */
static const uint8_t media[] = {
	0x90, 0xe0, 0x12, 0x34, 0x01, 0x02, 0x03, 0x04, /* M=1 PT=96 seq 0x1234 */
	0xde, 0xad, 0xbe, 0xef,                         /* SSRC */
	0xbe, 0xde, 0x00, 0x01, 0x10, 0xaa, 0x00, 0x00, /* extension 1 */
	'f',  'r',  'a',  'm',  'e',                    /* payload */
};
/* clang-format on */

static void unwrapped_packet_equals_the_original(void **st)
{
	(void)st;
	/* clang-format off */
	static const uint8_t rtx[] = {
		0x90, 0xe1, 0x00, 0x09, 0x01, 0x02, 0x03, 0x04, /* M=1 PT=97 seq 9 */
		0x77, 0x77, 0x77, 0x77,                         /* SSRC of the RTX stream */
		0xbe, 0xde, 0x00, 0x01, 0x10, 0xaa, 0x00, 0x00, /* extension 1 */
		0x12, 0x34,                                     /* OSN */
		'f',  'r',  'a',  'm',  'e',
	};
	/* clang-format on */
	uint8_t b[sizeof rtx];
	memcpy(b, rtx, sizeof b);
	struct rtp_packet p;
	assert_int_equal(rtp_rtx_unwrap(&p, b, sizeof b, 0xdeadbeef, 96), 0);
	assert_ptr_equal(p.raw.p, b + 2);
	assert_int_equal(p.raw.n, sizeof media);
	assert_memory_equal(p.raw.p, media, sizeof media);
	assert_int_equal(p.seq, 0x1234);
	assert_ptr_equal(p.payload.p, b + 22); /* the payload was not moved */
	assert_int_equal(rtp_ext_find(&p, 1).p[0], 0xaa);
}

static void wrapping_and_unwrapping_are_inverse(void **st)
{
	(void)st;
	struct rtp_header h = {
		.timestamp = 0x01020304,
		.ssrc = 0x77777777,
		.seq = 9,
		.payload_type = 97,
		.marker = true,
		.exts = (struct rtp_ext[]){{1, slice_of("\xaa", 1)}},
		.ext_count = 1,
	};
	uint8_t b[64];
	int len = rtp_rtx_header_write(b, sizeof b, &h, 0x1234);
	assert_int_equal(len, 22);
	memcpy(b + len, "frame", 5);
	struct rtp_packet p;
	assert_int_equal(rtp_rtx_unwrap(&p, b, (size_t)len + 5, 0xdeadbeef, 96), 0);
	assert_memory_equal(p.raw.p, media, sizeof media);
	assert_int_equal(rtp_rtx_header_write(b, 21, &h, 0x1234), -ERR_NO_ROOM);
	assert_int_equal(rtp_rtx_header_write(b, 1, &h, 0x1234), -ERR_NO_ROOM);
}

static void padding_of_the_rtx_stream_is_no_packet(void **st)
{
	(void)st;
	uint8_t b[RTP_HDR_LEN + 20] = {0};
	struct rtp_header h = {.has_padding = true};
	assert_int_equal(rtp_header_write(b, sizeof b, &h), RTP_HDR_LEN);
	rtp_padding_write(b + RTP_HDR_LEN, 20);
	struct rtp_packet p;
	assert_int_equal(rtp_rtx_unwrap(&p, b, sizeof b, 1, 96), -ERR_TRUNCATED);
	b[sizeof b - 1] = 19; /* one byte of payload: half an OSN */
	assert_int_equal(rtp_rtx_unwrap(&p, b, sizeof b, 1, 96), -ERR_TRUNCATED);
	b[sizeof b - 1] = 18; /* an OSN and nothing behind it */
	assert_int_equal(rtp_rtx_unwrap(&p, b, sizeof b, 1, 96), 0);
	assert_true(rtp_is_padding_only(&p));
	assert_int_equal(rtp_rtx_unwrap(&p, b, 5, 1, 96), -ERR_TRUNCATED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unwrapped_packet_equals_the_original),
		cmocka_unit_test(wrapping_and_unwrapping_are_inverse),
		cmocka_unit_test(padding_of_the_rtx_stream_is_no_packet),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
