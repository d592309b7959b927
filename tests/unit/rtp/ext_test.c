#include "cm.h"

#include "rtp/ext.h"

/* A packet view with just these extension bytes. */
static struct rtp_packet with(uint16_t profile, const uint8_t *p, size_t n)
{
	return (struct rtp_packet){.ext_profile = profile, .ext = slice_of(p, n)};
}

static size_t count(const struct rtp_packet *pkt)
{
	struct rtp_ext_iter it = rtp_ext_iter(pkt);
	struct rtp_ext e;
	size_t n = 0;
	while (rtp_ext_next(&it, &e))
		n++;
	assert_false(rtp_ext_next(&it, &e));
	return n;
}

static void each_kind_has_a_uri_and_is_found_by_it(void **st)
{
	(void)st;
	for (unsigned k = RTP_EXT_NONE + 1; k < RTP_EXT_KINDS; k++) {
		const char *uri = rtp_ext_uri((enum rtp_ext_kind)k);
		assert_non_null(uri);
		assert_int_equal(rtp_ext_kind_of(slice_str(uri)), k);
	}
	assert_null(rtp_ext_uri(RTP_EXT_NONE));
	assert_null(rtp_ext_uri(RTP_EXT_KINDS));
	assert_int_equal(rtp_ext_kind_of(slice_str("urn:x")), RTP_EXT_NONE);
	assert_int_equal(rtp_ext_kind_of(slice_str("")), RTP_EXT_NONE);
	assert_int_equal(
		rtp_ext_kind_of(slice_str("urn:ietf:params:rtp-hdrext:sdes:mid")), RTP_EXT_MID);
}

static void one_byte_form_like_rfc_8285_4_2(void **st)
{
	(void)st;
	/* clang-format off */
	/* The shape of the RFC's example: one byte, two bytes, padding, four bytes. */
	static const uint8_t b[] = {
		0x10, 0xa1,             /* id 1, L=1 */
		0x21, 0xb1, 0xb2,       /* id 2, L=2 */
		0x00, 0x00,             /* padding */
		0x33, 0xc1, 0xc2, 0xc3, /* id 3, L=4 */
		0xc4,
	};
	/* clang-format on */
	struct rtp_packet p = with(0xbede, b, sizeof b);
	assert_int_equal(count(&p), 3);
	assert_memory_equal(rtp_ext_find(&p, 1).p, b + 1, 1);
	struct slice two = rtp_ext_find(&p, 2), three = rtp_ext_find(&p, 3);
	assert_int_equal(two.n, 2);
	assert_int_equal(two.p[1], 0xb2);
	assert_int_equal(three.n, 4);
	assert_int_equal(three.p[3], 0xc4);
	assert_null(rtp_ext_find(&p, 4).p);
	assert_null(rtp_ext_find(&p, 0).p);
}

static void two_byte_form_like_rfc_8285_4_3(void **st)
{
	(void)st;
	/* clang-format off */
	static const uint8_t b[] = {
		0x01, 0x00,                   /* id 1 without data */
		0x02, 0x01, 0xb1,             /* id 2, one byte */
		0x00,                         /* padding */
		0x8c, 0x04, 0xc1, 0xc2, 0xc3, /* id 140, four bytes */
		0xc4,
	};
	/* clang-format on */
	for (uint16_t app = 0; app < 16; app++) {
		struct rtp_packet p = with((uint16_t)(0x1000 | app), b, sizeof b);
		assert_int_equal(count(&p), 3);
		struct slice empty = rtp_ext_find(&p, 1);
		assert_non_null(empty.p);
		assert_int_equal(empty.n, 0);
		assert_int_equal(rtp_ext_find(&p, 2).p[0], 0xb1);
		assert_int_equal(rtp_ext_find(&p, 140).n, 4);
	}
	struct rtp_packet foreign = with(0x2000, b, sizeof b);
	assert_int_equal(count(&foreign), 0);
}

static void broken_elements_end_the_walk(void **st)
{
	(void)st;
	static const uint8_t cut[] = {0x10, 0xa1, 0x23, 0xb1}; /* L=4, one byte there */
	static const uint8_t stop[] = {0x10, 0xa1, 0xf0, 0x01, 0x20, 0x02}; /* id 15 */
	static const uint8_t odd[] = {0x10, 0xa1, 0x01, 0x01, 0x20, 0x02};  /* id 0 with a length */
	static const uint8_t cut2[] = {0x01, 0x01, 0xa1, 0x02};             /* length missing */
	static const uint8_t long2[] = {0x01, 0x01, 0xa1, 0x02, 0xff};
	static const uint8_t by_one[] = {0x23, 0xb1, 0xb2, 0xb3};  /* L=4, three there */
	static const uint8_t by_one2[] = {0x01, 0x03, 0xb1, 0xb2}; /* L=3, two there */
	struct rtp_packet p = with(0xbede, cut, sizeof cut);
	assert_int_equal(count(&p), 1);
	p = with(0xbede, by_one, sizeof by_one);
	assert_int_equal(count(&p), 0);
	p = with(0x1000, by_one2, sizeof by_one2);
	assert_int_equal(count(&p), 0);
	p = with(0xbede, stop, sizeof stop);
	assert_int_equal(count(&p), 1);
	p = with(0xbede, odd, sizeof odd);
	assert_int_equal(count(&p), 1);
	p = with(0x1000, cut2, sizeof cut2);
	assert_int_equal(count(&p), 1);
	p = with(0x1000, long2, sizeof long2);
	assert_int_equal(count(&p), 1);
	p = with(0xbede, NULL, 0);
	assert_int_equal(count(&p), 0);
}

static void written_extensions_are_found_again(void **st)
{
	(void)st;
	static const uint8_t bytes[40] = {1, 2, 3};
	for (size_t longest = 1; longest < sizeof bytes; longest++) {
		const struct rtp_ext exts[] = {
			{3, slice_of(bytes, 2)},
			{14, slice_of(bytes, longest)},
			{1, slice_of(bytes, 1)},
		};
		struct rtp_header h = {.exts = exts, .ext_count = 3};
		uint8_t out[RTP_HDR_MAX];
		int len = rtp_header_write(out, sizeof out, &h);
		assert_true(len > 0);
		struct rtp_packet p;
		assert_int_equal(rtp_parse(&p, slice_of(out, (size_t)len)), 0);
		assert_int_equal(count(&p), 3);
		for (size_t i = 0; i < 3; i++)
			assert_true(slice_eq(rtp_ext_find(&p, exts[i].id), exts[i].data));
	}
}

static void texts_are_short_tokens(void **st)
{
	(void)st;
	struct slice t;
	assert_true(rtp_ext_text_read(slice_str("f"), &t));
	assert_true(slice_eq_str(t, "f"));
	assert_true(rtp_ext_text_read(slice_str("A-Za-z0_9"), &t));
	assert_true(rtp_ext_text_read(slice_str("0123456789abcdef"), &t));
	assert_false(rtp_ext_text_read(slice_str("0123456789abcdef0"), &t));
	assert_false(rtp_ext_text_read(slice_str(""), &t));
	assert_false(rtp_ext_text_read(slice_of("a\0b", 3), &t));
	assert_false(rtp_ext_text_read(slice_str("a b"), &t));
}

static void values_are_read_as_written(void **st)
{
	(void)st;
	uint8_t b[16];
	for (unsigned v = 0; v < 256; v++) {
		struct rtp_audio_level l = {.level = v & 0x7f, .is_voice = v >> 7}, got;
		assert_int_equal(rtp_ext_audio_level_write(b, l), 1);
		assert_int_equal(b[0], v);
		assert_true(rtp_ext_audio_level_read(slice_of(b, 1), &got));
		assert_int_equal(got.level, l.level);
		assert_int_equal(got.is_voice, l.is_voice);
	}
	uint16_t seq;
	assert_int_equal(rtp_ext_twcc_write(b, 0xabcd), 2);
	assert_true(rtp_ext_twcc_read(slice_of(b, 2), &seq));
	assert_int_equal(seq, 0xabcd);

	struct rtp_capture_time t = {.ntp = 0x1122334455667788, .clock_offset = -1}, got;
	assert_int_equal(rtp_ext_capture_time_write(b, &t), 8);
	assert_true(rtp_ext_capture_time_read(slice_of(b, 8), &got));
	assert_int_equal(got.ntp, t.ntp);
	assert_false(got.has_clock_offset);
	t.has_clock_offset = true;
	assert_int_equal(rtp_ext_capture_time_write(b, &t), 16);
	assert_true(rtp_ext_capture_time_read(slice_of(b, 16), &got));
	assert_true(got.has_clock_offset);
	assert_int_equal(got.clock_offset, -1);

	struct rtp_playout_delay d = {.min_ms = 100, .max_ms = 65535}, back;
	assert_int_equal(rtp_ext_playout_delay_write(b, d), 3);
	assert_int_equal(rd24(b), 10 << 12 | 0xfff);
	assert_true(rtp_ext_playout_delay_read(slice_of(b, 3), &back));
	assert_int_equal(back.min_ms, 100);
	assert_int_equal(back.max_ms, 40950);
}

static void send_time_is_6_18_seconds(void **st)
{
	(void)st;
	uint8_t b[3];
	uint32_t v;
	assert_int_equal(rtp_ext_abs_send_time_write(b, 1500000), 3);
	assert_true(rtp_ext_abs_send_time_read(slice_of(b, 3), &v));
	assert_int_equal(v, 3 << 17); /* 1.5 s */
	rtp_ext_abs_send_time_write(b, UINT64_C(64000000) * 1000 + 1500000);
	assert_int_equal(rd24(b), 3 << 17);
	rtp_ext_abs_send_time_write(b, 63999999);
	assert_int_equal(rd24(b), 0xffffff);
	rtp_ext_abs_send_time_write(b, UINT64_MAX); /* does not overflow on the way */
}

static void values_of_a_wrong_size_are_refused(void **st)
{
	(void)st;
	static const uint8_t b[20];
	for (size_t n = 0; n <= sizeof b; n++) {
		struct slice s = slice_of(n ? b : NULL, n);
		struct rtp_audio_level level;
		struct rtp_capture_time time;
		struct rtp_playout_delay delay;
		uint32_t send_time;
		uint16_t seq;
		assert_int_equal(rtp_ext_audio_level_read(s, &level), n == 1);
		assert_int_equal(rtp_ext_abs_send_time_read(s, &send_time), n == 3);
		assert_int_equal(rtp_ext_twcc_read(s, &seq), n == 2);
		assert_int_equal(rtp_ext_capture_time_read(s, &time), n == 8 || n == 16);
		assert_int_equal(rtp_ext_playout_delay_read(s, &delay), n == 3);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_has_a_uri_and_is_found_by_it),
		cmocka_unit_test(one_byte_form_like_rfc_8285_4_2),
		cmocka_unit_test(two_byte_form_like_rfc_8285_4_3),
		cmocka_unit_test(broken_elements_end_the_walk),
		cmocka_unit_test(written_extensions_are_found_again),
		cmocka_unit_test(texts_are_short_tokens),
		cmocka_unit_test(values_are_read_as_written),
		cmocka_unit_test(send_time_is_6_18_seconds),
		cmocka_unit_test(values_of_a_wrong_size_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
