#include "cm.h"

#include "rtp/rtcp.h"

static uint8_t mem[4096];

/* The only packet written, parsed. */
static struct rtcp_packet only(const struct rtcp_writer *w, enum rtcp_kind kind)
{
	struct slice s = rtcp_written(w);
	assert_true(s.n > 0 && s.n % 4 == 0);
	struct rtcp_iter it = rtcp_iter(s);
	struct rtcp_packet p, none;
	assert_true(rtcp_next(&it, &p));
	assert_int_equal(rtcp_kind(&p), kind);
	assert_false(rtcp_next(&it, &none));
	assert_int_equal(it.err, 0);
	return p;
}

static void sender_report_comes_back(void **st)
{
	(void)st;
	struct rtcp_sr sr = {
		.ssrc = 1, .ntp = 0x123456789abcdef0, .rtp_timestamp = 3, .packets = 4, .bytes = 5};
	struct rtcp_report_block in = {.ssrc = 6,
		.fraction_lost = 7,
		.lost = -8,
		.high_seq = 9,
		.jitter = 10,
		.last_sr = 11,
		.delay_since_sr = 12};
	struct rtcp_writer w = rtcp_writer(mem, sizeof mem);
	rtcp_add_sr(&w, &sr, &in, 1);
	struct rtcp_packet p = only(&w, RTCP_SR);
	struct rtcp_sr got;
	assert_int_equal(rtcp_sr_parse(&got, &p), 0);
	assert_int_equal(got.ssrc, 1);
	assert_int_equal(got.ntp, 0x123456789abcdef0);
	assert_int_equal(got.rtp_timestamp, 3);
	assert_int_equal(got.packets, 4);
	assert_int_equal(got.bytes, 5);
	struct rtcp_report_block b = rtcp_block_at(got.blocks, 0);
	assert_int_equal(b.ssrc, 6);
	assert_int_equal(b.fraction_lost, 7);
	assert_int_equal(b.lost, -8);
	assert_int_equal(b.high_seq, 9);
	assert_int_equal(b.jitter, 10);
	assert_int_equal(b.last_sr, 11);
	assert_int_equal(b.delay_since_sr, 12);
}

static void more_than_31_blocks_spill_into_further_reports(void **st)
{
	(void)st;
	struct rtcp_report_block blocks[70] = {0};
	for (uint32_t i = 0; i < 70; i++)
		blocks[i].ssrc = i;
	for (size_t n = 0; n <= 70; n++) {
		struct rtcp_writer w = rtcp_writer(mem, sizeof mem);
		struct rtcp_sr sr = {.ssrc = 9};
		if (n % 2)
			rtcp_add_sr(&w, &sr, blocks, n);
		else
			rtcp_add_rr(&w, 9, blocks, n);
		struct rtcp_iter it = rtcp_iter(rtcp_written(&w));
		struct rtcp_packet p;
		size_t seen = 0, packets = 0;
		for (; rtcp_next(&it, &p); packets++) {
			struct slice got;
			if (rtcp_kind(&p) == RTCP_SR) {
				assert_int_equal(rtcp_sr_parse(&sr, &p), 0);
				got = sr.blocks;
			} else {
				struct rtcp_rr rr;
				assert_int_equal(rtcp_rr_parse(&rr, &p), 0);
				assert_int_equal(rr.ssrc, 9);
				got = rr.blocks;
			}
			for (size_t i = 0; i < rtcp_block_count(got); i++)
				assert_int_equal(rtcp_block_at(got, i).ssrc, seen++);
		}
		assert_int_equal(seen, n);
		assert_int_equal(packets, n == 0 ? 1 : (n + 30) / 31);
	}
}

static void sdes_of_every_length_comes_back(void **st)
{
	(void)st;
	char name[300];
	memset(name, 'x', sizeof name);
	for (size_t n = 0; n < sizeof name; n++) {
		for (size_t m = 0; m < 5; m++) {
			struct rtcp_writer w = rtcp_writer(mem, sizeof mem);
			rtcp_add_sdes(&w, 77, slice_of(name, n), slice_of(name, m));
			struct rtcp_packet p = only(&w, RTCP_SDES);
			struct rtcp_sdes_iter it = rtcp_sdes_iter(&p);
			struct rtcp_sdes_item item;
			assert_true(rtcp_sdes_next(&it, &item));
			assert_int_equal(item.ssrc, 77);
			assert_int_equal(item.type, RTCP_SDES_CNAME);
			assert_int_equal(item.value.n, n < 255 ? n : 255);
			if (m) {
				assert_true(rtcp_sdes_next(&it, &item));
				assert_int_equal(item.type, RTCP_SDES_MID);
				assert_int_equal(item.value.n, m);
			}
			assert_false(rtcp_sdes_next(&it, &item));
			/* At least one zero byte ends the items. */
			assert_int_equal(p.body.p[p.body.n - 1], 0);
		}
	}
}

static void nack_is_packed_into_masks(void **st)
{
	(void)st;
	static const uint16_t seqs[] = {65530, 65535, 10, 11, 27};
	static const uint8_t want[] = {
		0x81, 205, 0x00, 0x04,  /* two entries */
		0, 0, 0, 1, 0, 0, 0, 2, /* sender, media */
		0xff, 0xfa, 0x80, 0x10, /* 65530: +5, and +16 which is 10 */
		0x00, 0x0b, 0x80, 0x00, /* 11: +16 which is 27 */
	};
	struct rtcp_writer w = rtcp_writer(mem, sizeof mem);
	rtcp_add_nack(&w, 1, 2, seqs, ARRAY_LEN(seqs));
	struct slice s = rtcp_written(&w);
	assert_int_equal(s.n, sizeof want);
	assert_memory_equal(s.p, want, sizeof want);

	w = rtcp_writer(mem, sizeof mem);
	rtcp_add_nack(&w, 1, 2, seqs, 0);
	assert_int_equal(rtcp_written(&w).n, 0);
	assert_false(w.is_full);
}

static void any_ascending_list_of_numbers_comes_back(void **st)
{
	(void)st;
	uint32_t random = 1;
	for (int round = 0; round < 500; round++) {
		uint16_t seqs[100], seq = (uint16_t)(round * 131);
		size_t n = 1 + (size_t)round % ARRAY_LEN(seqs);
		for (size_t i = 0; i < n; i++) {
			random = random * 1664525 + 1013904223;
			seqs[i] = seq =
				(uint16_t)(seq + 1 + (random >> 24) % (1 + (unsigned)round % 40));
		}
		struct rtcp_writer w = rtcp_writer(mem, sizeof mem);
		rtcp_add_nack(&w, 1, 2, seqs, n);
		struct rtcp_packet p = only(&w, RTCP_NACK);
		struct rtcp_feedback fb;
		assert_int_equal(rtcp_feedback_parse(&fb, &p), 0);
		struct rtcp_nack_iter it = rtcp_nack_iter(&fb);
		for (size_t i = 0; i < n; i++) {
			uint16_t got;
			assert_true(rtcp_nack_next(&it, &got));
			assert_int_equal(got, seqs[i]);
		}
		assert_false(rtcp_nack_next(&it, &seq));
	}
}

static void requests_and_estimates_come_back(void **st)
{
	(void)st;
	struct rtcp_feedback fb;
	struct rtcp_writer w = rtcp_writer(mem, sizeof mem);
	rtcp_add_pli(&w, 1, 2);
	struct rtcp_packet p = only(&w, RTCP_PLI);
	assert_int_equal(rtcp_feedback_parse(&fb, &p), 0);
	assert_int_equal(fb.sender_ssrc, 1);
	assert_int_equal(fb.media_ssrc, 2);

	w = rtcp_writer(mem, sizeof mem);
	rtcp_add_fir(&w, 1, 2, 200);
	p = only(&w, RTCP_FIR);
	assert_int_equal(rtcp_feedback_parse(&fb, &p), 0);
	assert_int_equal(fb.media_ssrc, 0);
	assert_int_equal(rtcp_fir_at(&fb, 0).ssrc, 2);
	assert_int_equal(rtcp_fir_at(&fb, 0).command_seq, 200);

	static const uint32_t ssrcs[] = {3, 4};
	for (unsigned bits = 0; bits < 64; bits++) {
		uint64_t bps = UINT64_C(0xcccccccccccccccc) >> bits;
		w = rtcp_writer(mem, sizeof mem);
		rtcp_add_remb(&w, 1, bps, ssrcs, 2);
		p = only(&w, RTCP_REMB);
		struct rtcp_remb remb;
		assert_int_equal(rtcp_remb_parse(&remb, &p), 0);
		/* 18 bits of precision, rounded down. */
		assert_true(remb.bitrate_bps <= bps && bps - remb.bitrate_bps <= bps >> 17);
		assert_int_equal(rd32(remb.ssrcs.p + 4), 4);
	}

	w = rtcp_writer(mem, sizeof mem);
	rtcp_add_bye(&w, ssrcs, 2);
	p = only(&w, RTCP_BYE);
	struct rtcp_bye bye;
	assert_int_equal(rtcp_bye_parse(&bye, &p), 0);
	assert_int_equal(bye.ssrcs.n, 8);
	assert_int_equal(bye.reason.n, 0);
}

/* At every capacity: whole packets or none, never a byte outside, and full stays full. */
static void what_does_not_fit_is_not_begun(void **st)
{
	(void)st;
	for (size_t cap = 0; cap < 120; cap++) {
		uint8_t guarded[128];
		memset(guarded, 0xee, sizeof guarded);
		struct rtcp_writer w = rtcp_writer(guarded, cap);
		struct rtcp_sr sr = {0};
		rtcp_add_sr(&w, &sr, NULL, 0);                              /* 28 */
		rtcp_add_sdes(&w, 1, slice_str("cname"), slice_str("mid")); /* 24 */
		rtcp_add_remb(&w, 1, 1000, &(uint32_t){5}, 1);              /* 24 */
		rtcp_add_nack(&w, 1, 2, &(uint16_t){5}, 1);                 /* 16 */
		rtcp_add_pli(&w, 1, 2);                                     /* 12 */
		assert_int_equal(w.is_full, cap < 104);
		assert_int_equal(rtcp_written(&w).n, cap < 104 ? 0 : 104);
		for (size_t i = cap; i < sizeof guarded; i++)
			assert_int_equal(guarded[i], 0xee);
	}
	struct rtcp_writer w = rtcp_writer(mem, sizeof mem);
	rtcp_add_bye(&w, (uint32_t[32]){0}, 32);
	assert_true(w.is_full);
	rtcp_add_pli(&w, 1, 2);
	assert_null(rtcp_written(&w).p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sender_report_comes_back),
		cmocka_unit_test(more_than_31_blocks_spill_into_further_reports),
		cmocka_unit_test(sdes_of_every_length_comes_back),
		cmocka_unit_test(nack_is_packed_into_masks),
		cmocka_unit_test(any_ascending_list_of_numbers_comes_back),
		cmocka_unit_test(requests_and_estimates_come_back),
		cmocka_unit_test(what_does_not_fit_is_not_begun),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
