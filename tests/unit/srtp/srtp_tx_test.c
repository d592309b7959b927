#include "srtp_help.h"

/* Out of order over a wrap, both ways: the counter follows the number, not the order of sending. */
static void late_packet_before_a_wrap(void **st)
{
	(void)st;
	FOR_ALL_PROFILES(e)
	{
		struct srtp_stream *tx = srtp_tx_add(e.server, 7);
		const uint16_t order[] = {65530, 65533, 1, 65532, 2, 65531, 65535, 0};
		for (size_t i = 0; i < ARRAY_LEN(order); i++) {
			struct bytes wire = sent(e.server, tx, order[i]);
			assert_int_equal(srtp_unprotect_rtp(e.client, wire.p, &wire.n), 0);
			assert_bytes(wire.p, wire.n, rtp(7, order[i], 20));
		}
		assert_int_equal(tx->top, 0x10002);
	}
}

/* The same packet again gives the same bytes, so a retransmission leaks nothing. */
static void retransmission_is_identical(void **st)
{
	(void)st;
	FOR_ALL_PROFILES(e)
	{
		struct srtp_stream *tx = srtp_tx_add(e.server, 7);
		struct bytes before = sent(e.server, tx, 65535);
		for (uint16_t seq = 0; seq < 100; seq++)
			(void)sent(e.server, tx, seq);
		struct bytes again = sent(e.server, tx, 65535);
		assert_bytes(again.p, again.n, before);
	}
}

/* Sent at first with number 2, a stream has no 65530 behind it. */
static void nothing_precedes_the_beginning(void **st)
{
	(void)st;
	FOR_ALL_PROFILES(e)
	{
		struct srtp_stream *tx = srtp_tx_add(e.server, 7);
		assert_int_not_equal(sent(e.server, tx, 2).n, 0);
		assert_int_equal(sent(e.server, tx, 65530).n, 0);
		assert_int_equal(tx->top, 2);
		assert_int_not_equal(sent(e.server, tx, 3).n, 0);
	}
}

static void counter_survives_delete_and_add(void **st)
{
	(void)st;
	FOR_ALL_PROFILES(e)
	{
		struct srtp_stream *tx = srtp_tx_add(e.server, 7);
		assert_null(srtp_tx_add(e.server, 7));
		assert_int_equal(receive(e.client, sent(e.server, tx, 65535)), 0);
		assert_int_equal(receive(e.client, sent(e.server, tx, 0)), 0);
		srtp_tx_del(e.server, tx);
		tx = srtp_tx_add(e.server, 7);
		assert_non_null(tx);
		assert_int_equal(receive(e.client, sent(e.server, tx, 1)), 0);
		assert_int_equal(tx->top, 0x10001);
		/* One that never sent leaves nothing behind. */
		unsigned n = e.server->n_tx;
		srtp_tx_del(e.server, srtp_tx_add(e.server, 8));
		assert_int_equal(e.server->n_tx, n);
		srtp_tx_del(e.server, NULL);
	}
}

static void number_of_streams_is_bounded(void **st)
{
	(void)st;
	struct ends e = ends_new(SRTP_PROFILE_AEAD_AES_128_GCM);
	for (uint32_t i = 0; i < SRTP_TX_MAX; i++)
		assert_non_null(srtp_tx_add(e.server, i));
	assert_null(srtp_tx_add(e.server, SRTP_TX_MAX));
	ends_free(&e);
}

/*
 * More jobs than one chunk, several streams, refused ones in between: neighbours are not disturbed.
 */
static void batch_is_the_same_as_singles(void **st)
{
	(void)st;
	enum { N = 53 };
	FOR_ALL_PROFILES(e)
	{
		struct ends other = ends_new(all_profiles[pi_]);
		struct srtp_stream *a[3], *b[3];
		static struct bytes plain[N], out[N];
		struct srtp_job jobs[N];
		for (uint32_t i = 0; i < 3; i++) {
			a[i] = srtp_tx_add(e.server, i);
			b[i] = srtp_tx_add(other.server, i);
		}
		for (uint16_t i = 0; i < N; i++) {
			plain[i] = rtp(i % 3u, (uint16_t)(65500 + i), i * 25u);
			jobs[i] = (struct srtp_job){
				.stream = a[i % 3],
				.hdr = plain[i].p,
				.hdr_len = 12,
				.payload = plain[i].p + 12,
				.payload_len = (uint16_t)(plain[i].n - 12),
				.out = out[i].p,
			};
			if (i % 10 == 4)
				jobs[i].hdr_len = 11;
			if (i % 10 == 7)
				jobs[i].stream = a[(i + 1) % 3];
		}
		srtp_protect_batch(e.server, jobs, N);
		for (unsigned i = 0; i < N; i++) {
			if (i % 10 == 4 || i % 10 == 7) {
				assert_int_equal(jobs[i].out_len, 0);
				continue;
			}
			struct bytes one = protect(other.server, b[i % 3], &plain[i], 12);
			assert_bytes(out[i].p, jobs[i].out_len, one);
			assert_int_equal(receive(e.client, one), 0);
		}
		srtp_protect_batch(e.server, jobs, 0);
		ends_free(&other);
	}
}

static void in_place_is_the_same_as_apart(void **st)
{
	(void)st;
	FOR_ALL_PROFILES(e)
	{
		struct srtp_stream *tx = srtp_tx_add(e.server, 7);
		struct bytes plain = rtp(7, 1, 100), here = plain;
		struct bytes apart = protect(e.server, tx, &plain, 12);
		struct srtp_job job = {
			.stream = tx,
			.hdr = here.p,
			.hdr_len = 12,
			.payload = here.p + 12,
			.payload_len = 100,
			.out = here.p,
		};
		srtp_protect_batch(e.server, &job, 1);
		assert_bytes(here.p, job.out_len, apart);
	}
}

/* Exactly the promised room is written. */
static void overhead_is_bounded(void **st)
{
	(void)st;
	FOR_ALL_PROFILES(e)
	{
		struct srtp_stream *tx = srtp_tx_add(e.server, 7);
		uint8_t out[12 + 50 + SRTP_MAX_OVERHEAD + 8];
		memset(out, 0xa5, sizeof out);
		struct bytes plain = rtp(7, 1, 50);
		struct srtp_job job = {
			.stream = tx,
			.hdr = plain.p,
			.hdr_len = 12,
			.payload = plain.p + 12,
			.payload_len = 50,
			.out = out,
		};
		srtp_protect_batch(e.server, &job, 1);
		assert_int_equal(job.out_len, 62 + e.server->profile->tag_len);
		for (size_t i = job.out_len; i < sizeof out; i++)
			assert_int_equal(out[i], 0xa5);
	}
}

static void oversized_is_refused(void **st)
{
	(void)st;
	FOR_ALL_PROFILES(e)
	{
		struct srtp_stream *tx = srtp_tx_add(e.server, 7);
		uint8_t *big = calloc(1, 70000), *out = calloc(1, 70000);
		assert_non_null(big);
		assert_non_null(out);
		big[0] = 0x80;
		wr32(big + 8, 7);
		uint16_t most = (uint16_t)(65535 - 12 - e.server->profile->tag_len);
		struct srtp_job jobs[] = {
			{.stream = tx,
				.hdr = big,
				.hdr_len = 12,
				.payload = big + 12,
				.out = out,
				.payload_len = (uint16_t)(most + 2)},
			{.stream = tx,
				.hdr = big,
				.hdr_len = 12,
				.payload = big + 12,
				.out = out,
				.payload_len = most},
		};
		srtp_protect_batch(e.server, jobs, 2);
		assert_int_equal(jobs[0].out_len, 0);
		assert_int_equal(jobs[1].out_len, 65535);
		free(big);
		free(out);
	}
}

static void rtcp_limits(void **st)
{
	(void)st;
	FOR_ALL_PROFILES(e)
	{
		struct bytes r = rtcp(7, 28);
		size_t n = 0, add = e.server->profile->tag_len + 4u;
		assert_int_equal(
			srtp_protect_rtcp(e.server, r.p, 28, 28 + add - 1, &n), -ERR_NO_ROOM);
		assert_int_equal(srtp_protect_rtcp(e.server, r.p, 28, 27, &n), -ERR_NO_ROOM);
		assert_int_equal(srtp_protect_rtcp(e.server, r.p, 7, 100, &n), -ERR_MALFORMED);
		assert_bytes(r.p, r.n, rtcp(7, 28));
		assert_int_equal(srtp_protect_rtcp(e.server, r.p, 28, 28 + add, &n), 0);
		assert_int_equal(n, 28 + add);
		/* RFC 3711 §3.4: the first index is 0, the last 2^31 - 1. */
		struct bytes last = rtcp(7, 28);
		e.server->tx_rtcp_index = 0x7fffffff;
		assert_int_equal(
			srtp_protect_rtcp(e.server, last.p, 28, sizeof last.p, &last.n), 0);
		assert_int_equal(srtp_unprotect_rtcp(e.client, r.p, &n), 0);
		assert_int_equal(srtp_unprotect_rtcp(e.client, last.p, &last.n), 0);
		last = rtcp(7, 28);
		assert_int_equal(srtp_protect_rtcp(e.server, last.p, 28, sizeof last.p, &last.n),
			-ERR_BAD_STATE);
		last.p[0] = 0x40;
		assert_int_equal(srtp_protect_rtcp(e.server, last.p, 28, sizeof last.p, &last.n),
			-ERR_MALFORMED);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(late_packet_before_a_wrap),
		cmocka_unit_test(retransmission_is_identical),
		cmocka_unit_test(nothing_precedes_the_beginning),
		cmocka_unit_test(counter_survives_delete_and_add),
		cmocka_unit_test(number_of_streams_is_bounded),
		cmocka_unit_test(batch_is_the_same_as_singles),
		cmocka_unit_test(in_place_is_the_same_as_apart),
		cmocka_unit_test(overhead_is_bounded),
		cmocka_unit_test(oversized_is_refused),
		cmocka_unit_test(rtcp_limits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
