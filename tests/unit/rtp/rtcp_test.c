#include "cm.h"

#include "rtp/rtcp.h"

/* A compound as a browser sends it: SR with one block, SDES, NACK. */
static const uint8_t compound[] = {
	0x81, 200, 0x00, 0x0c,  /* SR, one block, 12 words */
	0x11, 0x11, 0x11, 0x11, /* SSRC */
	0xe0, 0x00, 0x00, 0x01, /* NTP seconds */
	0x80, 0x00, 0x00, 0x00, /* NTP fraction */
	0x00, 0x01, 0x00, 0x00, /* RTP timestamp */
	0x00, 0x00, 0x00, 0x64, /* packets */
	0x00, 0x00, 0x27, 0x10, /* bytes */
	0x22, 0x22, 0x22, 0x22, /* block: SSRC */
	0x40, 0xff, 0xff, 0xfe, /* a quarter lost; cumulative -2 */
	0x00, 0x01, 0x00, 0x05, /* extended highest number */
	0x00, 0x00, 0x00, 0x09, /* jitter */
	0x00, 0x01, 0x80, 0x00, /* LSR */
	0x00, 0x00, 0x80, 0x00, /* DLSR: 0.5 s */
	0x81, 202, 0x00, 0x04,  /* SDES, one chunk, 4 words */
	0x11, 0x11, 0x11, 0x11, /* SSRC */
	0x01, 0x03, 'a', 'b',   /* CNAME "abc" */
	'c', 0x0f, 0x01, '0',   /* MID "0" */
	0x00, 0x00, 0x00, 0x00, /* end, padding to a word */
	0x81, 205, 0x00, 0x03,  /* generic NACK */
	0x11, 0x11, 0x11, 0x11, /* sender */
	0x22, 0x22, 0x22, 0x22, /* media */
	0xff, 0xff, 0x80, 0x05, /* 65535, then +1, +3, +16 */
};

static void compound_is_walked_and_parsed(void **st)
{
	(void)st;
	struct rtcp_iter it = rtcp_iter(slice_of(compound, sizeof compound));
	struct rtcp_packet p;

	assert_true(rtcp_next(&it, &p));
	assert_int_equal(rtcp_kind(&p), RTCP_SR);
	struct rtcp_sr sr;
	assert_int_equal(rtcp_sr_parse(&sr, &p), 0);
	assert_int_equal(sr.ssrc, 0x11111111);
	assert_int_equal(sr.ntp, 0xe000000180000000);
	assert_int_equal(sr.rtp_timestamp, 0x10000);
	assert_int_equal(sr.packets, 100);
	assert_int_equal(sr.bytes, 10000);
	assert_int_equal(rtcp_block_count(sr.blocks), 1);
	struct rtcp_report_block b = rtcp_block_at(sr.blocks, 0);
	assert_int_equal(b.ssrc, 0x22222222);
	assert_int_equal(b.fraction_lost, 64);
	assert_int_equal(b.lost, -2);
	assert_int_equal(b.high_seq, 0x10005);
	assert_int_equal(b.jitter, 9);
	assert_int_equal(b.last_sr, 0x18000);
	assert_int_equal(b.delay_since_sr, 0x8000);

	assert_true(rtcp_next(&it, &p));
	assert_int_equal(rtcp_kind(&p), RTCP_SDES);
	struct rtcp_sdes_iter items = rtcp_sdes_iter(&p);
	struct rtcp_sdes_item item;
	assert_true(rtcp_sdes_next(&items, &item));
	assert_int_equal(item.type, RTCP_SDES_CNAME);
	assert_int_equal(item.ssrc, 0x11111111);
	assert_true(slice_eq_str(item.value, "abc"));
	assert_true(rtcp_sdes_next(&items, &item));
	assert_int_equal(item.type, RTCP_SDES_MID);
	assert_true(slice_eq_str(item.value, "0"));
	assert_false(rtcp_sdes_next(&items, &item));

	assert_true(rtcp_next(&it, &p));
	assert_int_equal(rtcp_kind(&p), RTCP_NACK);
	struct rtcp_feedback fb;
	assert_int_equal(rtcp_feedback_parse(&fb, &p), 0);
	assert_int_equal(fb.media_ssrc, 0x22222222);
	struct rtcp_nack_iter nack = rtcp_nack_iter(&fb);
	static const uint16_t want[] = {65535, 0, 2, 15};
	uint16_t seq;
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		assert_true(rtcp_nack_next(&nack, &seq));
		assert_int_equal(seq, want[i]);
	}
	assert_false(rtcp_nack_next(&nack, &seq));
	assert_false(rtcp_next(&it, &p));
	assert_int_equal(it.err, 0);
}

static void every_truncation_is_noticed(void **st)
{
	(void)st;
	for (size_t n = 1; n < sizeof compound; n++) {
		struct rtcp_iter it = rtcp_iter(slice_of(compound, n));
		struct rtcp_packet p;
		size_t whole = 0;
		while (rtcp_next(&it, &p))
			whole++;
		bool is_boundary = n == 52 || n == 72;
		assert_int_equal(it.err, is_boundary ? 0 : -ERR_TRUNCATED);
		assert_int_equal(whole, (n >= 52) + (n >= 72));
	}
}

static void headers_with_wrong_version_or_padding_end_the_walk(void **st)
{
	(void)st;
	struct rtcp_packet p;
	static const uint8_t version[] = {0x41, 201, 0, 1, 0, 0, 0, 1};
	static const uint8_t none[] = {0xa0, 201, 0, 1, 0, 0, 0, 0}; /* padding of 0 */
	static const uint8_t more[] = {0xa0, 201, 0, 1, 0, 0, 0, 5}; /* 5 of 4 bytes */
	static const uint8_t empty[] = {0xa0, 201, 0, 0};            /* no place for it */
	static const uint8_t fine[] = {0xa0, 203, 0, 1, 0, 0, 0, 4}; /* all of it */
	const struct slice bad[] = {
		slice_of(version, 8), slice_of(none, 8), slice_of(more, 8), slice_of(empty, 4)};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct rtcp_iter it = rtcp_iter(bad[i]);
		assert_false(rtcp_next(&it, &p));
		assert_int_equal(it.err, -ERR_MALFORMED);
	}
	struct rtcp_iter it = rtcp_iter(slice_of(fine, sizeof fine));
	assert_true(rtcp_next(&it, &p));
	assert_int_equal(p.body.n, 0);
	assert_false(rtcp_next(&it, &p));
	assert_int_equal(it.err, 0);
}

static struct rtcp_packet packet(uint8_t type, uint8_t count, const uint8_t *p, size_t n)
{
	return (struct rtcp_packet){type, count, slice_of(p, n)};
}

static void counts_beyond_the_body_are_refused(void **st)
{
	(void)st;
	static const uint8_t zeros[64];
	struct rtcp_sr sr;
	struct rtcp_rr rr;
	struct rtcp_bye bye;
	struct rtcp_packet p = packet(RTCP_TYPE_SR, 1, zeros, 47);
	assert_int_equal(rtcp_sr_parse(&sr, &p), -ERR_TRUNCATED);
	p = packet(RTCP_TYPE_SR, 1, zeros, 48);
	assert_int_equal(rtcp_sr_parse(&sr, &p), 0);
	p = packet(RTCP_TYPE_RR, 1, zeros, 27);
	assert_int_equal(rtcp_rr_parse(&rr, &p), -ERR_TRUNCATED);
	p = packet(RTCP_TYPE_RR, 0, zeros, 3);
	assert_int_equal(rtcp_rr_parse(&rr, &p), -ERR_TRUNCATED);
	p = packet(RTCP_TYPE_RR, 31, zeros, 64);
	assert_int_equal(rtcp_rr_parse(&rr, &p), -ERR_TRUNCATED);
	p = packet(RTCP_TYPE_SR, 0, zeros, 64);
	assert_int_equal(rtcp_rr_parse(&rr, &p), -ERR_MALFORMED);
	assert_int_equal(rtcp_bye_parse(&bye, &p), -ERR_MALFORMED);
	p = packet(RTCP_TYPE_BYE, 31, zeros, 64);
	assert_int_equal(rtcp_bye_parse(&bye, &p), -ERR_TRUNCATED);
}

static void bye_gives_its_sources_and_reason(void **st)
{
	(void)st;
	static const uint8_t b[] = {0, 0, 0, 1, 0, 0, 0, 2, 3, 'b', 'y', 'e'};
	struct rtcp_packet p = packet(RTCP_TYPE_BYE, 2, b, sizeof b);
	struct rtcp_bye bye;
	assert_int_equal(rtcp_bye_parse(&bye, &p), 0);
	assert_int_equal(bye.ssrcs.n, 8);
	assert_int_equal(rd32(bye.ssrcs.p + 4), 2);
	assert_true(slice_eq_str(bye.reason, "bye"));
	p = packet(RTCP_TYPE_BYE, 2, b, 8);
	assert_int_equal(rtcp_bye_parse(&bye, &p), 0);
	assert_int_equal(bye.reason.n, 0);
	p = packet(RTCP_TYPE_BYE, 2, b, sizeof b - 1);
	assert_int_equal(rtcp_bye_parse(&bye, &p), -ERR_TRUNCATED);
}

static size_t count_items(uint8_t chunks, const uint8_t *p, size_t n)
{
	struct rtcp_packet pkt = packet(RTCP_TYPE_SDES, chunks, p, n);
	struct rtcp_sdes_iter it = rtcp_sdes_iter(&pkt);
	struct rtcp_sdes_item item;
	size_t items = 0;
	while (rtcp_sdes_next(&it, &item))
		items++;
	return items;
}

static void sdes_chunks_are_word_aligned_and_bounded(void **st)
{
	(void)st;
	static const uint8_t two[] = {
		0, 0, 0, 1, 1, 2, 'a', 'b', 0, 0, 0, 0, /* items end on a word: four zeros */
		0, 0, 0, 2, 1, 1, 'c', 0,               /* one zero */
	};
	assert_int_equal(count_items(2, two, sizeof two), 2);
	assert_int_equal(count_items(1, two, sizeof two), 1);
	assert_int_equal(count_items(31, two, sizeof two), 2);
	for (size_t n = 0; n < sizeof two; n++)
		assert_true(count_items(2, two, n) <= 2);
	static const uint8_t beyond[] = {0, 0, 0, 1, 1, 200, 'a', 'b'};
	assert_int_equal(count_items(1, beyond, sizeof beyond), 0);
	static const uint8_t no_end[] = {0, 0, 0, 1, 1, 2, 'a', 'b'};
	assert_int_equal(count_items(1, no_end, sizeof no_end), 1);
}

static void feedback_entries_must_be_whole(void **st)
{
	(void)st;
	static const uint8_t b[32] = {[8] = 0};
	struct rtcp_feedback fb;
	for (size_t n = 0; n <= sizeof b; n += 4) {
		struct rtcp_packet nack = packet(RTCP_TYPE_RTPFB, 1, b, n);
		struct rtcp_packet pli = packet(RTCP_TYPE_PSFB, 1, b, n);
		struct rtcp_packet fir = packet(RTCP_TYPE_PSFB, 4, b, n);
		assert_int_equal(rtcp_feedback_parse(&fb, &nack) == 0, n >= 12);
		assert_int_equal(rtcp_feedback_parse(&fb, &pli) == 0, n == 8);
		assert_int_equal(rtcp_feedback_parse(&fb, &fir) == 0, n >= 16 && n % 8 == 0);
	}
	struct rtcp_packet odd = packet(RTCP_TYPE_RTPFB, 1, b, 13);
	assert_int_equal(rtcp_feedback_parse(&fb, &odd), -ERR_MALFORMED);
	struct rtcp_packet other = packet(RTCP_TYPE_XR, 0, b, 32);
	assert_int_equal(rtcp_kind(&other), RTCP_OTHER);
	assert_int_equal(rtcp_feedback_parse(&fb, &other), -ERR_MALFORMED);
}

static void remb_is_mantissa_and_exponent(void **st)
{
	(void)st;
	static const uint8_t b[] = {
		0x11, 0x11, 0x11, 0x11, /* sender */
		0x00, 0x00, 0x00, 0x00, /* media: always 0 */
		'R', 'E', 'M', 'B', 0x01, 0x0b, 0xd0,
		0x90,                   /* exponent 2, mantissa 0x3d090 = 250000: 1 Mbit/s */
		0x22, 0x22, 0x22, 0x22, /* SSRC */
	};
	struct rtcp_packet p = packet(RTCP_TYPE_PSFB, 15, b, sizeof b);
	struct rtcp_remb remb;
	assert_int_equal(rtcp_kind(&p), RTCP_REMB);
	assert_int_equal(rtcp_remb_parse(&remb, &p), 0);
	assert_int_equal(remb.bitrate_bps, 1000000);
	assert_int_equal(remb.ssrcs.n, 4);
	assert_int_equal(rd32(remb.ssrcs.p), 0x22222222);

	p.body.n = 19; /* the SSRC is cut */
	assert_int_equal(rtcp_remb_parse(&remb, &p), -ERR_TRUNCATED);
	p.body.n = 15;
	assert_int_equal(rtcp_kind(&p), RTCP_OTHER);

	uint8_t huge[sizeof b];
	memcpy(huge, b, sizeof b);
	huge[13] = 0xff; /* exponent 63 */
	p = packet(RTCP_TYPE_PSFB, 15, huge, sizeof huge);
	assert_int_equal(rtcp_remb_parse(&remb, &p), 0);
	assert_true(remb.bitrate_bps == UINT64_MAX);
	huge[8] = 'r';
	assert_int_equal(rtcp_kind(&p), RTCP_OTHER);
}

static void round_trip_time_as_in_rfc_3550_figure_2(void **st)
{
	(void)st;
	/* The RFC's numbers: A = 0xb710:8000, DLSR = 0x0005:4000, LSR = 0xb705:2000 → 6.125 s. */
	struct rtcp_report_block b = {.last_sr = 0xb7052000, .delay_since_sr = 0x00054000};
	uint64_t rtt;
	assert_true(rtcp_rtt_us(&b, UINT64_C(0xb44db71080000000), &rtt));
	assert_int_equal(rtt, 6125000);
	assert_false(rtcp_rtt_us(&b, UINT64_C(0xb44db70500000000), &rtt));
	b.last_sr = 0;
	assert_false(rtcp_rtt_us(&b, UINT64_C(0xb44db71080000000), &rtt));
}

static void ntp_counts_from_1900(void **st)
{
	(void)st;
	assert_int_equal(rtcp_ntp_of_unix_us(0), UINT64_C(2208988800) << 32);
	assert_int_equal(
		rtcp_ntp_of_unix_us(1500000), (UINT64_C(2208988801) << 32) + (UINT64_C(1) << 31));
	assert_int_equal(rtcp_ntp_mid(0x1111222233334444), 0x22223333);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(compound_is_walked_and_parsed),
		cmocka_unit_test(every_truncation_is_noticed),
		cmocka_unit_test(headers_with_wrong_version_or_padding_end_the_walk),
		cmocka_unit_test(counts_beyond_the_body_are_refused),
		cmocka_unit_test(bye_gives_its_sources_and_reason),
		cmocka_unit_test(sdes_chunks_are_word_aligned_and_bounded),
		cmocka_unit_test(feedback_entries_must_be_whole),
		cmocka_unit_test(remb_is_mantissa_and_exponent),
		cmocka_unit_test(round_trip_time_as_in_rfc_3550_figure_2),
		cmocka_unit_test(ntp_counts_from_1900),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
