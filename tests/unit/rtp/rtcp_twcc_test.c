#include "cm.h"

#include "rtp/rtcp.h"

/* All three kinds of chunk, small and large deltas. */
static const uint8_t feedback[] = {
	0x8f, 205, 0x00, 0x08,  /* RTPFB 15, 8 words */
	0x00, 0x00, 0x00, 0x01, /* sender */
	0x00, 0x00, 0x00, 0x02, /* media */
	0xff, 0xfe, 0x00, 0x17, /* base 65534, 23 statuses */
	0x00, 0x00, 0x02, 0x09, /* reference 2 · 64 ms; feedback number 9 */
	0x20, 0x02,             /* run of 2 small deltas */
	0xa0, 0x01,             /* one bit each: 1 at index 0 and at index 13 of 14 */
	0xd8, 0x00,             /* two bits each: small, large, then none of 7 */
	0x04, 0x08,             /* deltas of the run: 1 ms, 2 ms */
	0x00, 0xff,             /* of the first vector: 0, 63.75 ms */
	0x01,                   /* of the second: 0.25 ms */
	0xff, 0xfc,             /* and -1 ms */
	0x00, 0x00, 0x00,       /* unused */
};

static struct rtcp_packet packet(const uint8_t *p, size_t n)
{
	struct rtcp_iter it = rtcp_iter(slice_of(p, n));
	struct rtcp_packet pkt;
	assert_true(rtcp_next(&it, &pkt));
	return pkt;
}

static void chunks_and_deltas_are_decoded(void **st)
{
	(void)st;
	struct rtcp_packet p = packet(feedback, sizeof feedback);
	assert_int_equal(rtcp_kind(&p), RTCP_TWCC);
	struct rtcp_twcc fb;
	assert_int_equal(rtcp_twcc_parse(&fb, &p), 0);
	assert_int_equal(fb.sender_ssrc, 1);
	assert_int_equal(fb.media_ssrc, 2);
	assert_int_equal(fb.base_seq, 65534);
	assert_int_equal(fb.status_count, 23);
	assert_int_equal(fb.reference_time, 2);
	assert_int_equal(fb.feedback_count, 9);

	static const struct {
		unsigned index;
		int64_t at_us;
	} want[] = {
		{0, 129000}, {1, 131000}, {2, 131000}, {15, 194750}, {16, 195000}, {17, 194000}};
	struct rtcp_twcc_iter it = rtcp_twcc_iter(&fb);
	struct rtcp_twcc_status s;
	size_t hits = 0;
	for (unsigned i = 0; i < 23; i++) {
		assert_true(rtcp_twcc_next(&it, &s));
		assert_int_equal(s.seq, (uint16_t)(65534 + i));
		if (hits < ARRAY_LEN(want) && want[hits].index == i) {
			assert_true(s.is_received);
			assert_int_equal(s.at_us, want[hits++].at_us);
		} else {
			assert_false(s.is_received);
			assert_int_equal(s.at_us, 0);
		}
	}
	assert_int_equal(hits, ARRAY_LEN(want));
	assert_false(rtcp_twcc_next(&it, &s));
}

static void every_truncation_fails(void **st)
{
	(void)st;
	struct rtcp_packet p = packet(feedback, sizeof feedback);
	size_t needed = p.body.n - 3;
	for (size_t n = 0; n < p.body.n; n++) {
		struct rtcp_packet cut = p;
		cut.body.n = n;
		struct rtcp_twcc fb;
		assert_int_equal(rtcp_twcc_parse(&fb, &cut), n < needed ? -ERR_TRUNCATED : 0);
	}
}

static void hostile_chunks_are_refused_or_harmless(void **st)
{
	(void)st;
	uint8_t b[sizeof feedback];
	struct rtcp_twcc fb;
	struct rtcp_twcc_status s;
	memcpy(b, feedback, sizeof b);
	wr16(b + 20, 0x6002); /* run of the reserved symbol */
	struct rtcp_packet p = packet(b, sizeof b);
	assert_int_equal(rtcp_twcc_parse(&fb, &p), -ERR_MALFORMED);
	memcpy(b, feedback, sizeof b);
	wr16(b + 24, 0xf000); /* the reserved symbol in a vector */
	assert_int_equal(rtcp_twcc_parse(&fb, &p), -ERR_MALFORMED);

	/* 65535 lost packets in nine words, with empty runs between. */
	memset(b + 4, 0, sizeof b - 4);
	wr16(b + 14, 0xffff);
	for (size_t i = 0; i < 8; i++)
		wr16(b + 20 + 2 * i, i == 3 ? 0 : 0x1fff);
	assert_int_equal(rtcp_twcc_parse(&fb, &p), -ERR_TRUNCATED);
	wr16(b + 14, 7 * 0x1fff);
	assert_int_equal(rtcp_twcc_parse(&fb, &p), 0);
	struct rtcp_twcc_iter it = rtcp_twcc_iter(&fb);
	size_t n = 0;
	while (rtcp_twcc_next(&it, &s))
		n += !s.is_received;
	assert_int_equal(n, 7 * 0x1fff);

	/* A time before the epoch of the sender's clock. */
	memcpy(b, feedback, sizeof b);
	wr24(b + 16, 0xffffff);
	assert_int_equal(rtcp_twcc_parse(&fb, &p), 0);
	assert_int_equal(fb.reference_time, -1);
}

static void no_statuses_are_no_statuses(void **st)
{
	(void)st;
	uint8_t b[sizeof feedback];
	memcpy(b, feedback, sizeof b);
	wr16(b + 14, 0);
	struct rtcp_packet p = packet(b, sizeof b);
	struct rtcp_twcc fb;
	assert_int_equal(rtcp_twcc_parse(&fb, &p), 0);
	struct rtcp_twcc_iter it = rtcp_twcc_iter(&fb);
	struct rtcp_twcc_status s;
	assert_false(rtcp_twcc_next(&it, &s));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chunks_and_deltas_are_decoded),
		cmocka_unit_test(every_truncation_fails),
		cmocka_unit_test(hostile_chunks_are_refused_or_harmless),
		cmocka_unit_test(no_statuses_are_no_statuses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
