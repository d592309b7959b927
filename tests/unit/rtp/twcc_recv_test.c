#include "cm.h"

#include "base/macros.h"
#include "rtp/twcc_recv.h"

enum { MS = 1000, TICK_US = 250 };

static struct twcc_recv t;
static uint8_t mem[1200];

static void push(uint16_t seq, uint64_t now_us)
{
	twcc_recv_push(&t, seq, false, now_us);
}

/* Builds one feedback packet and parses it with our own parser. */
static int build(struct rtcp_twcc *fb, size_t cap)
{
	struct rtcp_writer w = rtcp_writer(mem, cap);
	int err = twcc_feedback_build(&t, &w, 0x11111111, 0x22222222, 5000 * MS);
	if (err) {
		assert_int_equal(w.n, 0);
		return err;
	}
	struct rtcp_iter it = rtcp_iter(rtcp_written(&w));
	struct rtcp_packet p;
	assert_true(rtcp_next(&it, &p));
	assert_int_equal(it.rest.n, 0);
	assert_int_equal(rtcp_kind(&p), RTCP_TWCC);
	assert_int_equal(rtcp_twcc_parse(fb, &p), 0);
	/* Nothing but up to three zero bytes behind the last delta. */
	const uint8_t *end = p.body.p + p.body.n;
	const uint8_t *used = fb->deltas.p + fb->deltas.n;
	assert_true(end - used >= 0 && end - used < 4);
	return 0;
}

static void feedback_is_written_byte_for_byte(void **st)
{
	(void)st;
	twcc_recv_init(&t);
	push(1000, 128 * MS + 0 * TICK_US);
	push(1001, 128 * MS + 4 * TICK_US);
	push(1004, 128 * MS + 300 * TICK_US); /* 1002 and 1003 are lost */
	push(1003, 128 * MS + 310 * TICK_US); /* late, not lost */
	push(1005, 128 * MS + 310 * TICK_US);
	static const uint8_t want[] = {
		0x8f, 205, 0x00, 0x07,  /* RTPFB 15, 7 words */
		0x11, 0x11, 0x11, 0x11, /* sender */
		0x22, 0x22, 0x22, 0x22, /* media */
		0x03, 0xe8, 0x00, 0x06, /* base 1000, six statuses */
		0x00, 0x00, 0x02, 0x00, /* reference 2 · 64 ms; feedback number 0 */
		0xd4, 0xa4,             /* two bits each: small small none large large small */
		0x00, 0x04,             /* 1000: 0; 1001: 4 ticks */
		0x01, 0x32,             /* 1003: 306 */
		0xff, 0xf6,             /* 1004: -10 */
		0x0a,                   /* 1005: 10 */
		0x00, 0x00, 0x00,       /* to a whole word */
	};
	struct rtcp_writer w = rtcp_writer(mem, sizeof mem);
	assert_int_equal(twcc_feedback_build(&t, &w, 0x11111111, 0x22222222, 0), 0);
	struct slice got = rtcp_written(&w);
	assert_int_equal(got.n, sizeof want);
	assert_memory_equal(got.p, want, sizeof want);
	assert_int_equal(twcc_feedback_build(&t, &w, 1, 2, 0), -ERR_NOT_FOUND);
}

static void due_by_count_and_time(void **st)
{
	(void)st;
	twcc_recv_init(&t);
	assert_false(twcc_recv_is_due(&t, 1000 * MS));
	uint16_t seq = 0;
	for (; seq < TWCC_HELD_MIN; seq++)
		push(seq, 10 * MS);
	assert_int_equal(twcc_recv_next_us(&t), UINT64_MAX);
	push(seq++, 10 * MS); /* the 21st */
	assert_int_equal(twcc_recv_next_us(&t), 110 * MS);
	assert_false(twcc_recv_is_due(&t, 110 * MS - 1));
	assert_true(twcc_recv_is_due(&t, 110 * MS));
	twcc_recv_push(&t, seq++, true, 20 * MS); /* end of a frame */
	assert_int_equal(twcc_recv_next_us(&t), 60 * MS);
	while (seq < TWCC_HELD_MAX)
		push(seq++, 30 * MS);
	assert_false(twcc_recv_is_due(&t, 30 * MS));
	push(seq++, 30 * MS); /* the 101st */
	assert_true(twcc_recv_is_due(&t, 30 * MS));
	struct rtcp_twcc fb;
	assert_int_equal(build(&fb, sizeof mem), 0);
	assert_int_equal(fb.status_count, 101);
	assert_int_equal(t.held, 0);
	assert_int_equal(t.reported_us, 5000 * MS);
	assert_int_equal(build(&fb, sizeof mem), -ERR_NOT_FOUND);
}

static void duplicates_and_the_past_are_ignored(void **st)
{
	(void)st;
	struct rtcp_twcc fb;
	twcc_recv_init(&t);
	push(2000, 1 * MS);
	push(2000, 9 * MS);
	assert_int_equal(t.held, 1);
	push(1000, 9 * MS); /* a thousand behind: ancient */
	assert_int_equal(t.held, 1);
	assert_int_equal(build(&fb, sizeof mem), 0);
	assert_int_equal(fb.base_seq, 2000);
	assert_int_equal(fb.status_count, 1);
	assert_int_equal(fb.feedback_count, 0);

	/* Late after it was reported lost: told again, with those behind it. */
	push(2003, 11 * MS);
	assert_int_equal(build(&fb, sizeof mem), 0);
	assert_int_equal(fb.base_seq, 2001);
	assert_int_equal(fb.status_count, 3);
	push(2002, 12 * MS);
	assert_int_equal(build(&fb, sizeof mem), 0);
	assert_int_equal(fb.base_seq, 2002);
	assert_int_equal(fb.status_count, 2);
	assert_int_equal(fb.feedback_count, 2);
	struct rtcp_twcc_iter it = rtcp_twcc_iter(&fb);
	struct rtcp_twcc_status s;
	assert_true(rtcp_twcc_next(&it, &s) && s.is_received);
	assert_int_equal(s.at_us, 12 * MS);
	assert_true(rtcp_twcc_next(&it, &s) && s.is_received);
	assert_int_equal(s.at_us, 11 * MS);
}

static void jumps_do_not_produce_endless_loss(void **st)
{
	(void)st;
	struct rtcp_twcc fb;
	twcc_recv_init(&t);
	push(0, 1 * MS);
	push(20000, 2 * MS);
	assert_int_equal(t.held, 1);
	assert_int_equal(build(&fb, sizeof mem), 0);
	assert_int_equal(fb.base_seq, 20000);
	assert_int_equal(fb.status_count, 1);
	/* The sender starts again behind the window: believed after some packets. */
	for (uint16_t seq = 10; seq < 10 + 20; seq++)
		push(seq, 3 * MS);
	assert_true(t.held > 0);
	assert_int_equal(build(&fb, sizeof mem), 0);
	assert_true(fb.base_seq < 30);
	/* A time further than a delta can say begins a feedback packet of its own. */
	push(100, 10 * MS);
	push(101, 10 * MS + 9000 * MS);
	push(102, 10 * MS + 9000 * MS);
	assert_int_equal(build(&fb, sizeof mem), 0);
	assert_int_equal((uint16_t)(fb.base_seq + fb.status_count), 101);
	assert_int_equal(t.held, 2);
	assert_int_equal(build(&fb, sizeof mem), 0);
	assert_int_equal(fb.base_seq, 101);
	assert_int_equal(fb.status_count, 2);
	assert_int_equal(t.held, 0);
}

static void a_small_buffer_gets_several_packets(void **st)
{
	(void)st;
	struct rtcp_twcc fb;
	twcc_recv_init(&t);
	for (uint16_t seq = 0; seq < 1000; seq++)
		push((uint16_t)(65000 + seq), seq * 100 * MS); /* large deltas */
	uint16_t next = 65000;
	for (int n = 0; t.held; n++) {
		assert_true(n < 20);
		assert_int_equal(build(&fb, 200), 0);
		assert_int_equal(fb.base_seq, next);
		assert_true(fb.status_count > 50);
		next = (uint16_t)(next + fb.status_count);
	}
	assert_int_equal(next, (uint16_t)(65000 + 1000));
	push(next, 100000 * MS);
	assert_int_equal(build(&fb, 20), -ERR_NO_ROOM);
	assert_int_equal(t.held, 1);
	assert_int_equal(build(&fb, 28), 0);

	/* The worst case that the header promises 512 bytes for. */
	push((uint16_t)(next + TWCC_RECV_LEN - 1), 100001 * MS);
	assert_int_equal(build(&fb, 512), 0);
	assert_int_equal(t.held, 0);
}

static void unreported_packets_may_leave_the_window(void **st)
{
	(void)st;
	struct rtcp_twcc fb;
	twcc_recv_init(&t);
	for (unsigned i = 0; i < 3 * TWCC_RECV_LEN; i++)
		push((uint16_t)i, MS + i);
	assert_int_equal(t.held, TWCC_RECV_LEN);
	assert_int_equal(build(&fb, 1200), 0);
	assert_int_equal(fb.base_seq, 2 * TWCC_RECV_LEN);
	while (t.held)
		assert_int_equal(build(&fb, 1200), 0);
}

static void reported_ones_leave_the_window_uncounted(void **st)
{
	(void)st;
	struct rtcp_twcc fb;
	twcc_recv_init(&t);
	for (uint16_t seq = 0; seq < 1000; seq++)
		if (seq != 700)
			push(seq, MS + seq);
	while (t.held)
		assert_int_equal(build(&fb, 1200), 0);
	push(700, 5 * MS); /* the next report begins here again */
	assert_int_equal(t.held, 1);
	push(800 + TWCC_RECV_LEN, 6 * MS); /* and 700 to 800 are out */
	assert_int_equal(t.held, 1);
	assert_int_equal(build(&fb, 1200), 0);
	assert_int_equal(fb.base_seq, 801);
}

static void chunks_are_chosen_to_cover_most(void **st)
{
	(void)st;
	struct rtcp_twcc fb;
	/* 14 numbers, one of them lost: one vector, though it begins with a run of eight. */
	twcc_recv_init(&t);
	for (uint16_t seq = 0; seq < 14; seq++)
		if (seq != 8)
			push(seq, MS);
	assert_int_equal(build(&fb, 1200), 0);
	assert_int_equal(fb.chunks.n, 2);
	assert_int_equal(rd16(fb.chunks.p), 0x8000 | (0x3fff & ~(1 << 5)));
	/* A hundred in order: one run. */
	for (uint16_t seq = 14; seq < 114; seq++)
		push(seq, MS);
	assert_int_equal(build(&fb, 1200), 0);
	assert_int_equal(fb.chunks.n, 2);
	assert_int_equal(rd16(fb.chunks.p), 0x2000 | 100);
}

/*
 * Random loss, reordering and pauses, feedback whenever it is due: what the sender reads is what
 * arrived, to the tick.
 */
static void a_sender_reads_what_arrived(void **st)
{
	(void)st;
	enum { LEN = 40000 };
	static uint64_t sent_at[LEN], read_at[LEN];
	uint32_t random = 11;
	twcc_recv_init(&t);
	memset(sent_at, 0, sizeof sent_at);
	memset(read_at, 0, sizeof read_at);
	uint64_t now = 777777777;
	const uint16_t first = 64000;
	for (unsigned i = 0; i < LEN; i++) {
		random = random * 1664525 + 1013904223;
		unsigned dice = (random >> 16) % 1000;
		now += dice < 2 ? 300000 : dice % 7 * 400;
		unsigned at = i;
		if (dice % 11 == 0 && i > 5)
			at = i - dice % 5; /* perhaps late, perhaps a duplicate */
		else if (dice % 13 == 0)
			continue;
		if (!sent_at[at])
			sent_at[at] = now;
		twcc_recv_push(&t, (uint16_t)(first + at), dice % 10 == 0, now);
		if (!twcc_recv_is_due(&t, now) && i != LEN - 1)
			continue;
		struct rtcp_writer w = rtcp_writer(mem, sizeof mem);
		assert_int_equal(twcc_feedback_build(&t, &w, 1, 2, now), 0);
		struct rtcp_iter it = rtcp_iter(rtcp_written(&w));
		struct rtcp_packet p;
		struct rtcp_twcc fb;
		assert_true(rtcp_next(&it, &p));
		assert_int_equal(rtcp_twcc_parse(&fb, &p), 0);
		struct rtcp_twcc_iter statuses = rtcp_twcc_iter(&fb);
		struct rtcp_twcc_status s;
		while (rtcp_twcc_next(&statuses, &s)) {
			unsigned index = i - (uint16_t)((uint16_t)(first + i) - s.seq);
			assert_true(index < LEN);
			if (s.is_received)
				read_at[index] = (uint64_t)s.at_us;
		}
	}
	unsigned received = 0;
	for (unsigned i = 0; i < LEN; i++) {
		assert_int_equal(read_at[i], sent_at[i] / TICK_US * TICK_US);
		received += sent_at[i] != 0;
	}
	assert_in_range(received, LEN / 2, LEN - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(feedback_is_written_byte_for_byte),
		cmocka_unit_test(due_by_count_and_time),
		cmocka_unit_test(duplicates_and_the_past_are_ignored),
		cmocka_unit_test(jumps_do_not_produce_endless_loss),
		cmocka_unit_test(a_small_buffer_gets_several_packets),
		cmocka_unit_test(unreported_packets_may_leave_the_window),
		cmocka_unit_test(reported_ones_leave_the_window_uncounted),
		cmocka_unit_test(chunks_are_chosen_to_cover_most),
		cmocka_unit_test(a_sender_reads_what_arrived),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
