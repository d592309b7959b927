#include "srtp_help.h"

#include "base/rng.h"

static void replay_is_refused(void **st)
{
	(void)st;
	FOR_ALL_PROFILES(e)
	{
		struct srtp_stream *tx = srtp_tx_add(e.client, 7);
		struct bytes pkts[300];
		for (uint16_t i = 0; i < 300; i++)
			pkts[i] = sent(e.client, tx, (uint16_t)(1000 + i));
		assert_int_equal(receive(e.server, pkts[0]), 0);
		assert_int_equal(receive(e.server, pkts[0]), -ERR_REPLAY);
		assert_int_equal(receive(e.server, pkts[200]), 0);
		assert_int_equal(receive(e.server, pkts[200 - SRTP_WINDOW]), -ERR_REPLAY);
		assert_int_equal(receive(e.server, pkts[201 - SRTP_WINDOW]), 0);
		assert_int_equal(receive(e.server, pkts[201 - SRTP_WINDOW]), -ERR_REPLAY);
		for (unsigned i = 299; i > 201; i--)
			assert_int_equal(receive(e.server, pkts[i]), 0);
		for (unsigned i = 0; i < 300; i++)
			assert_true(receive(e.server, pkts[i]) == 0 ? i > 299 - SRTP_WINDOW : 1);
	}
}

/* A forged packet must not move the window: the true one with that number still comes through. */
static void forgery_leaves_no_trace(void **st)
{
	(void)st;
	FOR_ALL_PROFILES(e)
	{
		struct srtp_stream *tx = srtp_tx_add(e.client, 7);
		assert_int_equal(receive(e.server, sent(e.client, tx, 10)), 0);
		struct bytes far = sent(e.client, tx, 9000), forged = far;
		forged.p[forged.n - 1] ^= 1;
		assert_int_equal(receive(e.server, forged), -ERR_AUTH);
		assert_int_equal(receive(e.server, sent(e.client, tx, 11)), 0);
		assert_int_equal(receive(e.server, far), 0);
		/* Nor may it take a place in the table. */
		forged = sent(e.client, srtp_tx_add(e.client, 8), 1);
		wr32(forged.p + 8, 99);
		assert_int_equal(receive(e.server, forged), -ERR_AUTH);
		assert_int_equal(e.server->n_rx, 1);
	}
}

static void every_changed_bit_fails(void **st)
{
	(void)st;
	FOR_ALL_PROFILES(e)
	{
		struct srtp_stream *tx = srtp_tx_add(e.client, 7);
		struct bytes good = sent(e.client, tx, 5);
		for (size_t i = 0; i < good.n * 8; i++) {
			struct bytes bad = good;
			bad.p[i / 8] ^= (uint8_t)(1 << i % 8);
			struct bytes was = bad;
			int err = srtp_unprotect_rtp(e.server, bad.p, &bad.n);
			/*
			 * The first byte's version, CSRC count and extension may make it malformed.
			 */
			assert_true(err == -ERR_AUTH || (i < 8 && err == -ERR_MALFORMED));
			assert_bytes(bad.p, bad.n, was);
		}
		assert_int_equal(receive(e.server, good), 0);

		struct bytes report = rtcp(7, 32);
		assert_int_equal(
			srtp_protect_rtcp(e.client, report.p, report.n, sizeof report.p, &report.n),
			0);
		for (size_t i = 0; i < report.n * 8; i++) {
			struct bytes bad = report;
			bad.p[i / 8] ^= (uint8_t)(1 << i % 8);
			struct bytes was = bad;
			int err = srtp_unprotect_rtcp(e.server, bad.p, &bad.n);
			assert_true(err == -ERR_AUTH || (i < 8 && err == -ERR_MALFORMED));
			assert_bytes(bad.p, bad.n, was);
		}
		assert_int_equal(srtp_unprotect_rtcp(e.server, report.p, &report.n), 0);
		assert_bytes(report.p, report.n, rtcp(7, 32));
	}
}

static void every_truncation_fails(void **st)
{
	(void)st;
	FOR_ALL_PROFILES(e)
	{
		struct bytes good = sent(e.client, srtp_tx_add(e.client, 7), 5);
		struct bytes report = rtcp(7, 20);
		assert_int_equal(
			srtp_protect_rtcp(e.client, report.p, report.n, sizeof report.p, &report.n),
			0);
		for (size_t n = 0; n < good.n; n++) {
			struct bytes cut = good;
			cut.n = n;
			assert_int_not_equal(receive(e.server, cut), 0);
			if (n < report.n) {
				cut = report;
				cut.n = n;
				assert_int_not_equal(
					srtp_unprotect_rtcp(e.server, cut.p, &cut.n), 0);
			}
		}
	}
}

/*
 * CSRCs and extension stay in clear and are authenticated; what points past the end is malformed.
 */
static void header_length_is_respected(void **st)
{
	(void)st;
	FOR_ALL_PROFILES(e)
	{
		struct srtp_stream *tx = srtp_tx_add(e.client, 7);
		for (uint16_t i = 0; i < 64; i++) {
			size_t csrcs = i % 16, words = i / 16;
			size_t hdr_len = 12 + 4 * csrcs + (words ? 4 + 4 * words : 0);
			struct bytes plain = rtp(7, i, hdr_len - 12 + i);
			plain.p[0] = (uint8_t)(0x80 | (words ? 0x10 : 0) | csrcs);
			if (words)
				wr16(plain.p + 12 + 4 * csrcs + 2, (uint16_t)words);
			struct bytes wire = protect(e.client, tx, &plain, hdr_len);
			assert_memory_equal(wire.p, plain.p, hdr_len);
			if (i >= 16)
				assert_memory_not_equal(wire.p + hdr_len, plain.p + hdr_len, i);
			assert_int_equal(srtp_unprotect_rtp(e.server, wire.p, &wire.n), 0);
			assert_bytes(wire.p, wire.n, plain);
		}
		struct bytes bad = rtp(7, 100, 40);
		bad.p[0] = 0x8f;
		assert_int_equal(receive(e.server, bad), -ERR_MALFORMED);
		bad.p[0] = 0x90;
		wr16(bad.p + 14, 0xffff);
		assert_int_equal(receive(e.server, bad), -ERR_MALFORMED);
		bad.p[0] = 0x40;
		assert_int_equal(receive(e.server, bad), -ERR_MALFORMED);
	}
}

enum { BLOCK = 100 };

/*
 * Sends BLOCK numbers from index `at` on, loses 30 % of them and delivers the others in any order.
 */
static void deliver_shuffled(struct ends *e, struct srtp_stream *tx, uint32_t at, uint32_t *seed)
{
	static struct bytes kept[BLOCK];
	unsigned n = 0;

	for (uint32_t i = at; i < at + BLOCK; i++) {
		kept[n] = sent(e->client, tx, (uint16_t)i);
		assert_int_not_equal(kept[n].n, 0);
		*seed = *seed * 1664525 + 1013904223;
		n += (*seed >> 16) % 10 >= 3;
	}
	while (n > 0) {
		*seed = *seed * 1664525 + 1013904223;
		struct bytes *pick = &kept[(*seed >> 16) % n];
		struct bytes plain = rtp(7, rd16(pick->p + 2), 20);
		assert_int_equal(srtp_unprotect_rtp(e->server, pick->p, &pick->n), 0);
		assert_bytes(pick->p, pick->n, plain);
		*pick = kept[--n];
	}
}

/* Three wraps, each with 30 % loss and reordering all over the window around it. */
static void wraps_with_loss_and_reordering(void **st)
{
	(void)st;
	FOR_ALL_PROFILES(e)
	{
		struct srtp_stream *tx = srtp_tx_add(e.client, 7);
		uint32_t seed = 5;
		for (uint32_t roc = 0; roc < 3; roc++) {
			uint32_t wrap = 65536 * (roc + 1);
			for (uint32_t at = wrap - 350; at < wrap + 350; at += BLOCK)
				deliver_shuffled(&e, tx, at, &seed);
			/* On to the next wrap, in steps below 2^15. */
			deliver_shuffled(&e, tx, wrap + 21000, &seed);
			deliver_shuffled(&e, tx, wrap + 42000, &seed);
		}
		assert_int_equal(e.server->rx[0].rtp.top >> 16, 3);
	}
}

/* The first packets of a stream that begins right before a wrap are lost: the rest must not be. */
static void rollover_counter_is_recovered(void **st)
{
	(void)st;
	FOR_ALL_PROFILES(e)
	{
		struct srtp_stream *tx = srtp_tx_add(e.client, 7);
		struct bytes last = sent(e.client, tx, 65534);
		(void)sent(e.client, tx, 65535);
		struct bytes zero = sent(e.client, tx, 0), one = sent(e.client, tx, 1);
		assert_int_equal(receive(e.server, one), 0);
		assert_int_equal(receive(e.server, zero), 0);
		assert_int_equal(receive(e.server, last), 0);
		assert_int_equal(e.server->rx[0].rtp.top, 0x10001);
		assert_int_equal(receive(e.server, one), -ERR_REPLAY);
	}
}

/* At rollover counter 0 a jump of more than 2^15 can only be ahead. */
static void early_jump_ahead(void **st)
{
	(void)st;
	FOR_ALL_PROFILES(e)
	{
		struct srtp_stream *first = srtp_tx_add(e.client, 7);
		struct bytes low = sent(e.client, first, 2), high;
		(void)sent(e.client, first, 30000);
		high = sent(e.client, first, 60000);
		assert_int_equal(receive(e.server, low), 0);
		assert_int_equal(receive(e.server, high), 0);
		assert_int_equal(e.server->rx[0].rtp.top, 60000);
	}
}

static void least_recently_used_ssrc_is_forgotten(void **st)
{
	(void)st;
	FOR_ALL_PROFILES(e)
	{
		struct bytes second[SRTP_RX_MAX + 1];
		for (uint32_t i = 0; i <= SRTP_RX_MAX; i++) {
			struct srtp_stream *tx = srtp_tx_add(e.client, 1000 + i);
			struct bytes first = sent(e.client, tx, 1);
			second[i] = sent(e.client, tx, 2);
			if (i == SRTP_RX_MAX) {
				/* Everyone but 1005 speaks once more, then a new one comes. */
				for (uint32_t k = 0; k < SRTP_RX_MAX; k++)
					if (k != 5)
						assert_int_equal(receive(e.server, second[k]), 0);
			}
			assert_int_equal(receive(e.server, first), 0);
		}
		assert_int_equal(e.server->n_rx, SRTP_RX_MAX);
		for (uint32_t k = 0; k < SRTP_RX_MAX; k++) {
			bool is_known = false;
			for (unsigned i = 0; i < e.server->n_rx; i++)
				is_known |= e.server->rx_ssrc[i] == 1000 + k;
			assert_int_equal(is_known, k != 5);
		}
		assert_int_equal(receive(e.server, second[0]), -ERR_REPLAY);
		assert_int_equal(receive(e.server, second[5]), 0);
	}
}

static void rtcp_replay_is_per_ssrc(void **st)
{
	(void)st;
	FOR_ALL_PROFILES(e)
	{
		struct bytes first = {.n = 0};
		for (uint32_t i = 0; i < 300; i++) {
			struct bytes r = rtcp(i % 3, 8 + i);
			assert_int_equal(
				srtp_protect_rtcp(e.server, r.p, r.n, sizeof r.p, &r.n), 0);
			struct bytes copy = r;
			assert_int_equal(srtp_unprotect_rtcp(e.client, r.p, &r.n), 0);
			assert_bytes(r.p, r.n, rtcp(i % 3, 8 + i));
			r = copy;
			assert_int_equal(srtp_unprotect_rtcp(e.client, r.p, &r.n), -ERR_REPLAY);
			if (i == 0)
				first = copy;
		}
		assert_int_equal(srtp_unprotect_rtcp(e.client, first.p, &first.n), -ERR_REPLAY);
		assert_int_equal(e.client->n_rx, 3);
	}
}

static void other_keys_do_not_open(void **st)
{
	(void)st;
	FOR_ALL_PROFILES(e)
	{
		struct bytes wire = sent(e.client, srtp_tx_add(e.client, 7), 5);
		/* The direction counts: one's own packet reflected is not the peer's. */
		assert_int_equal(receive(e.client, wire), -ERR_AUTH);
		struct bytes report = rtcp(7, 40);
		assert_int_equal(
			srtp_protect_rtcp(e.client, report.p, report.n, sizeof report.p, &report.n),
			0);
		assert_int_equal(srtp_unprotect_rtcp(e.client, report.p, &report.n), -ERR_AUTH);
		/* RTCP keys are not RTP keys. */
		assert_int_equal(receive(e.server, report), -ERR_AUTH);
	}
}

static void noise_is_refused(void **st)
{
	(void)st;
	FOR_ALL_PROFILES(e)
	{
		for (size_t n = 0; n < 400; n++) {
			struct bytes b = {.n = n};
			rng_bytes(b.p, n);
			b.p[0] = (uint8_t)(0x80 | (b.p[0] & 0x3f));
			assert_int_not_equal(srtp_unprotect_rtp(e.server, b.p, &b.n), 0);
			assert_int_not_equal(srtp_unprotect_rtcp(e.server, b.p, &b.n), 0);
		}
		assert_int_equal(e.server->n_rx, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replay_is_refused),
		cmocka_unit_test(forgery_leaves_no_trace),
		cmocka_unit_test(every_changed_bit_fails),
		cmocka_unit_test(every_truncation_fails),
		cmocka_unit_test(header_length_is_respected),
		cmocka_unit_test(wraps_with_loss_and_reordering),
		cmocka_unit_test(rollover_counter_is_recovered),
		cmocka_unit_test(early_jump_ahead),
		cmocka_unit_test(least_recently_used_ssrc_is_forgotten),
		cmocka_unit_test(rtcp_replay_is_per_ssrc),
		cmocka_unit_test(other_keys_do_not_open),
		cmocka_unit_test(noise_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
