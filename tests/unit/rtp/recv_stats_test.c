#include "cm.h"

#include "rtp/recv_stats.h"

static struct recv_stats s;

static enum recv_verdict push(uint16_t seq, uint32_t ts, uint64_t now_us)
{
	struct rtp_packet p = {.seq = seq, .timestamp = ts, .payload = {NULL, 100}};
	return recv_stats_push(&s, &p, now_us);
}

static struct rtcp_report_block report(uint64_t now_us)
{
	struct rtcp_report_block b;
	assert_true(recv_stats_report(&s, 9, now_us, &b));
	assert_int_equal(b.ssrc, 9);
	return b;
}

static void nothing_received_nothing_reported(void **st)
{
	(void)st;
	struct rtcp_report_block b;
	recv_stats_init(&s, 90000);
	assert_false(recv_stats_report(&s, 9, 0, &b));
	assert_int_equal(recv_stats_expected(&s), 0);
	assert_int_equal(recv_stats_lost(&s), 0);
}

static void loss_is_counted_per_interval_and_in_all(void **st)
{
	(void)st;
	recv_stats_init(&s, 90000);
	for (unsigned i = 0; i < 100; i++)
		if (i % 4 != 3)
			push((uint16_t)(65500 + i), 0, 0);
	struct rtcp_report_block b = report(0);
	assert_int_equal(b.high_seq, 65500 + 98);
	assert_int_equal(b.lost, 24);
	assert_int_equal(b.fraction_lost, (24 << 8) / 99);
	assert_int_equal(s.bytes, 75 * 100);

	/* Nothing in this interval. */
	assert_int_equal(report(0).fraction_lost, 0);
	/* All but the last of 200: 255, not a wrapped 256. */
	push((uint16_t)(65598 + 2900), 0, 0);
	assert_int_equal(report(0).fraction_lost, 255);
	/* Late ones come in: the fraction is not negative, the sum falls. */
	uint64_t lost = recv_stats_lost(&s);
	assert_int_equal(push((uint16_t)(65598 + 2899), 0, 0), RECV_LATE);
	assert_int_equal(report(0).fraction_lost, 0);
	assert_int_equal(recv_stats_lost(&s), lost - 1);
}

static void duplicates_do_not_hide_loss(void **st)
{
	(void)st;
	recv_stats_init(&s, 90000);
	assert_int_equal(push(10, 0, 0), RECV_NEWEST);
	assert_int_equal(push(12, 0, 0), RECV_NEWEST);
	assert_int_equal(push(12, 0, 0), RECV_DUPLICATE);
	assert_int_equal(push(10, 0, 0), RECV_DUPLICATE);
	assert_int_equal(recv_stats_lost(&s), 1);
	assert_int_equal(s.duplicates, 2);
	/* Before the first: it was a reordered start, not an extra packet. */
	assert_int_equal(push(9, 0, 0), RECV_LATE);
	assert_int_equal(recv_stats_expected(&s), 4);
	assert_int_equal(recv_stats_lost(&s), 1);
}

static void a_jump_is_believed_the_second_time(void **st)
{
	(void)st;
	recv_stats_init(&s, 90000);
	push(100, 0, 0);
	assert_int_equal(push(30000, 0, 0), RECV_STALE);
	assert_int_equal(push(101, 0, 0), RECV_NEWEST); /* a stray: forgotten */
	assert_int_equal(push(30001, 0, 0), RECV_STALE);
	assert_int_equal(push(30002, 0, 0), RECV_RESTARTED);
	assert_int_equal(push(30003, 0, 0), RECV_NEWEST);
	assert_int_equal(recv_stats_expected(&s), 2);
	assert_int_equal(recv_stats_lost(&s), 0);
	struct rtcp_report_block b = report(0);
	assert_int_equal(b.high_seq, 30003);
	assert_int_equal(b.fraction_lost, 0);
	/* Backwards across the wrap too. */
	assert_int_equal(push(65535, 0, 0), RECV_STALE);
	assert_int_equal(push(0, 0, 0), RECV_RESTARTED);
	/* A long outage is no restart. */
	assert_int_equal(push(2999, 0, 0), RECV_NEWEST);
	assert_int_equal(recv_stats_lost(&s), 2998);
}

static void jitter_follows_rfc_3550_a8(void **st)
{
	(void)st;
	recv_stats_init(&s, 8000);
	/* 20 ms packets, each second one 5 ms late: |D| is 40 units of 1/8000 s every time. */
	double want = 0;
	for (unsigned i = 0; i < 500; i++) {
		push((uint16_t)i, i * 160, i * 20000 + (i % 2) * 5000);
		if (i)
			want += (40 - want) / 16;
		assert_in_range(report(0).jitter + 1, (unsigned)want, (unsigned)want + 2);
	}
	assert_in_range(recv_stats_jitter_us(&s), 4700, 5000);

	/* Packets of one frame, paced over 10 ms, are no jitter. */
	recv_stats_init(&s, 90000);
	for (unsigned i = 0; i < 1000; i++)
		push((uint16_t)i, i / 10 * 3000, i / 10 * 33333 + i % 10 * 1000 + 7);
	assert_true(recv_stats_jitter_us(&s) < 100);
	/* Nor is a late packet. */
	push(1001, 300000, 3333333);
	uint64_t before = recv_stats_jitter_us(&s);
	assert_int_equal(push(1000, 297000, 9999999), RECV_LATE);
	assert_int_equal(recv_stats_jitter_us(&s), before);
}

static void sender_report_times_are_echoed(void **st)
{
	(void)st;
	recv_stats_init(&s, 48000);
	push(1, 0, 0);
	struct rtcp_report_block b = report(5);
	assert_int_equal(b.last_sr, 0);
	assert_int_equal(b.delay_since_sr, 0);
	recv_stats_sr(&s, 0x1111222233334444, 1000000);
	b = report(1500000);
	assert_int_equal(b.last_sr, 0x22223333);
	assert_int_equal(b.delay_since_sr, 0x8000);
	/* Too long for the field: at its end, not wrapped. */
	b = report(UINT64_C(1000000) * 1000000);
	assert_int_equal(b.delay_since_sr, 65535u << 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_received_nothing_reported),
		cmocka_unit_test(loss_is_counted_per_interval_and_in_all),
		cmocka_unit_test(duplicates_do_not_hide_loss),
		cmocka_unit_test(a_jump_is_believed_the_second_time),
		cmocka_unit_test(jitter_follows_rfc_3550_a8),
		cmocka_unit_test(sender_report_times_are_echoed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
