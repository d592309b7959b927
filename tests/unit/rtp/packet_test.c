#include "cm.h"

#include "rtp/packet.h"

static const uint8_t full[] = {
	0xb2, 0xe0,             /* V=2 P=1 X=1 CC=2; M=1 PT=96 */
	0x12, 0x34,             /* sequence number */
	0x01, 0x02, 0x03, 0x04, /* timestamp */
	0xde, 0xad, 0xbe, 0xef, /* SSRC */
	0x00, 0x00, 0x00, 0x01, /* CSRC */
	0x00, 0x00, 0x00, 0x02, /* CSRC */
	0xbe, 0xde, 0x00, 0x01, /* one-byte extensions, one word */
	0x10, 0xaa, 0x00, 0x00, /* id 1, one byte; padding */
	0x68, 0x69,             /* payload */
	0x00, 0x00, 0x03,       /* three bytes of padding */
};

static void every_field_is_read(void **st)
{
	(void)st;
	struct rtp_packet p;
	assert_int_equal(rtp_parse(&p, slice_of(full, sizeof full)), 0);
	assert_true(p.marker);
	assert_int_equal(p.payload_type, 96);
	assert_int_equal(p.seq, 0x1234);
	assert_int_equal(p.timestamp, 0x01020304);
	assert_int_equal(p.ssrc, 0xdeadbeef);
	assert_int_equal(p.csrc_count, 2);
	assert_int_equal(p.ext_profile, 0xbede);
	assert_ptr_equal(p.ext.p, full + 24);
	assert_int_equal(p.ext.n, 4);
	assert_int_equal(p.header_len, 28);
	assert_true(slice_eq_str(p.payload, "hi"));
	assert_int_equal(p.padding_len, 3);
	assert_false(rtp_is_padding_only(&p));
}

static void every_truncation_of_the_header_fails(void **st)
{
	(void)st;
	for (size_t n = 0; n < 28; n++) {
		struct rtp_packet p;
		assert_int_equal(rtp_parse(&p, slice_of(full, n)), -ERR_TRUNCATED);
	}
}

static void hostile_headers_are_refused(void **st)
{
	(void)st;
	struct rtp_packet p;
	uint8_t b[sizeof full];
	for (unsigned version = 0; version < 4; version++) {
		memcpy(b, full, sizeof b);
		b[0] = (uint8_t)((b[0] & 0x3f) | version << 6);
		assert_int_equal(
			rtp_parse(&p, slice_of(b, sizeof b)), version == 2 ? 0 : -ERR_MALFORMED);
	}
	memcpy(b, full, sizeof b);
	b[sizeof b - 1] = 0; /* padding of nothing */
	assert_int_equal(rtp_parse(&p, slice_of(b, sizeof b)), -ERR_MALFORMED);
	b[sizeof b - 1] = 6; /* one more than header and padding leave */
	assert_int_equal(rtp_parse(&p, slice_of(b, sizeof b)), -ERR_MALFORMED);
	b[sizeof b - 1] = 5;
	assert_int_equal(rtp_parse(&p, slice_of(b, sizeof b)), 0);
	assert_true(rtp_is_padding_only(&p));
	b[22] = 0xff; /* extension of 65281 words */
	assert_int_equal(rtp_parse(&p, slice_of(b, sizeof b)), -ERR_TRUNCATED);
	/* P set and nothing behind the header. */
	assert_int_equal(rtp_parse(&p, slice_of(full, 28)), -ERR_TRUNCATED);
}

static void rtcp_is_told_by_its_second_byte(void **st)
{
	(void)st;
	for (unsigned type = 0; type < 256; type++) {
		uint8_t b[] = {0x80, (uint8_t)type};
		assert_int_equal(rtp_is_rtcp(slice_of(b, sizeof b)), type >= 192 && type <= 223);
	}
	assert_false(rtp_is_rtcp(slice_of(full, 1)));
}

static void header_is_written_byte_for_byte(void **st)
{
	(void)st;
	static const uint8_t level[] = {0x8a}, name[] = {'q'};
	static const uint8_t want[] = {
		0x90, 0xef,             /* V=2 X=1; M=1 PT=111 */
		0x00, 0x07,             /* sequence number */
		0x00, 0x00, 0x03, 0xc0, /* timestamp */
		0x11, 0x22, 0x33, 0x44, /* SSRC */
		0xbe, 0xde, 0x00, 0x01, /* one word of one-byte extensions */
		0x10, 0x8a, 0xa0, 'q',  /* id 1, id 10, no padding needed */
	};
	const struct rtp_ext exts[] = {
		{1, slice_of(level, 1)},
		{10, slice_of(name, 1)},
	};
	struct rtp_header h = {
		.timestamp = 960,
		.ssrc = 0x11223344,
		.seq = 7,
		.payload_type = 111,
		.marker = true,
		.exts = exts,
		.ext_count = 2,
	};
	uint8_t out[64];
	assert_int_equal(rtp_header_write(out, sizeof out, &h), sizeof want);
	assert_memory_equal(out, want, sizeof want);
	assert_int_equal(rtp_header_write(out, sizeof want - 1, &h), -ERR_NO_ROOM);

	h.ext_count = 0;
	assert_int_equal(rtp_header_write(out, sizeof out, &h), RTP_HDR_LEN);
	assert_int_equal(out[0], 0x80);
}

static void two_byte_form_is_used_only_when_needed(void **st)
{
	(void)st;
	static const uint8_t bytes[300];
	const struct {
		uint8_t id;
		size_t n;
		int err;
		uint16_t profile;
	} rows[] = {
		{1, 1, 0, 0xbede},
		{14, 16, 0, 0xbede},
		{15, 1, 0, 0x1000},
		{1, 17, 0, 0x1000},
		{1, 0, 0, 0x1000},
		{255, 255, 0, 0x1000},
		{0, 1, -ERR_RANGE, 0},
		{1, 256, -ERR_RANGE, 0},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct rtp_ext e = {rows[i].id, slice_of(bytes, rows[i].n)};
		struct rtp_header h = {.exts = &e, .ext_count = 1};
		uint8_t out[512];
		int len = rtp_header_write(out, sizeof out, &h);
		if (rows[i].err) {
			assert_int_equal(len, rows[i].err);
			continue;
		}
		assert_true(len > 0 && len % 4 == 0);
		struct rtp_packet p;
		assert_int_equal(rtp_parse(&p, slice_of(out, (size_t)len)), 0);
		assert_int_equal(p.ext_profile, rows[i].profile);
		assert_int_equal(p.header_len, len);
	}
	struct rtp_ext many[RTP_EXTS_MAX + 1] = {0};
	struct rtp_header h = {.exts = many, .ext_count = ARRAY_LEN(many)};
	uint8_t out[512];
	assert_int_equal(rtp_header_write(out, sizeof out, &h), -ERR_RANGE);
}

static void padding_is_read_back(void **st)
{
	(void)st;
	for (unsigned n = 1; n < 256; n++) {
		uint8_t b[RTP_HDR_LEN + 255];
		struct rtp_header h = {.has_padding = true};
		assert_int_equal(rtp_header_write(b, sizeof b, &h), RTP_HDR_LEN);
		rtp_padding_write(b + RTP_HDR_LEN, (uint8_t)n);
		struct rtp_packet p;
		assert_int_equal(rtp_parse(&p, slice_of(b, RTP_HDR_LEN + n)), 0);
		assert_int_equal(p.padding_len, n);
		assert_true(rtp_is_padding_only(&p));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field_is_read),
		cmocka_unit_test(every_truncation_of_the_header_fails),
		cmocka_unit_test(hostile_headers_are_refused),
		cmocka_unit_test(rtcp_is_told_by_its_second_byte),
		cmocka_unit_test(header_is_written_byte_for_byte),
		cmocka_unit_test(two_byte_form_is_used_only_when_needed),
		cmocka_unit_test(padding_is_read_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
