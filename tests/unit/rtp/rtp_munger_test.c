#include "cm.h"

#include <stdlib.h>

#include "base/macros.h"
#include "rtp/rtp_munger.h"

static uint32_t random_state;

static unsigned dice(unsigned sides)
{
	random_state = random_state * 1664525 + 1013904223;
	return (random_state >> 16) % sides;
}

static struct rtp_munger m;

static struct rtp_munged take(uint16_t seq, uint32_t ts)
{
	struct rtp_munged out;
	assert_int_equal(rtp_munger_take(&m, seq, ts, &out), 0);
	return out;
}

static void first_packet_gets_the_first_numbers(void **st)
{
	(void)st;
	struct rtp_munged out;
	rtp_munger_init(&m, 65535, 0xfffffff0);
	assert_int_equal(rtp_munger_take(&m, 1, 1, &out), -ERR_BAD_STATE);
	assert_int_equal(rtp_munger_skip(&m, 1), -ERR_BAD_STATE);
	rtp_munger_switch(&m, 500, 1000, 77);
	out = take(500, 1000);
	assert_int_equal(out.seq, 65535);
	assert_int_equal(out.timestamp, 0xfffffff0);
	assert_true(out.is_newest);
	out = take(501, 1020);
	assert_int_equal(out.seq, 0);
	assert_int_equal(out.timestamp, 4);
}

static void loss_stays_and_intended_gaps_close(void **st)
{
	(void)st;
	rtp_munger_init(&m, 100, 0);
	rtp_munger_switch(&m, 65533, 0, 0);
	assert_int_equal(take(65533, 0).seq, 100);
	assert_int_equal(rtp_munger_skip(&m, 65534), 0);
	assert_int_equal(take(65535, 0).seq, 101);
	assert_int_equal(take(1, 0).seq, 103); /* 0 is late or lost */
	struct rtp_munged late = take(0, 0);
	assert_int_equal(late.seq, 102);
	assert_false(late.is_newest);

	struct rtp_munged out;
	assert_int_equal(rtp_munger_take(&m, 0, 0, &out), -ERR_REPLAY);
	assert_int_equal(rtp_munger_take(&m, 1, 0, &out), -ERR_REPLAY);
	assert_int_equal(rtp_munger_take(&m, 65534, 0, &out), -ERR_REPLAY);
	assert_int_equal(rtp_munger_skip(&m, 65534), -ERR_REPLAY);
	assert_int_equal(rtp_munger_take(&m, 65532, 0, &out), -ERR_REPLAY); /* before the switch */
}

static void late_padding_cannot_be_closed_over(void **st)
{
	(void)st;
	rtp_munger_init(&m, 0, 0);
	rtp_munger_switch(&m, 10, 0, 0);
	assert_int_equal(take(10, 0).seq, 0);
	assert_int_equal(take(12, 0).seq, 2);
	assert_int_equal(rtp_munger_skip(&m, 11), -ERR_BAD_STATE);
	/* The caller may still send something with its number. */
	assert_int_equal(take(11, 0).seq, 1);
	assert_int_equal(rtp_munger_skip(&m, 11), -ERR_REPLAY);
}

static void a_switch_continues_numbers_and_time(void **st)
{
	(void)st;
	rtp_munger_init(&m, 0, 9000);
	rtp_munger_switch(&m, 10, 500, 0);
	assert_int_equal(take(10, 500).timestamp, 9000);
	assert_int_equal(take(11, 3500).timestamp, 12000);

	rtp_munger_switch(&m, 40000, 77, 15000);
	struct rtp_munged out = take(40000, 77);
	assert_int_equal(out.seq, 2);
	assert_int_equal(out.timestamp, 15000);
	/* Before the first packet of this source: not for this stream. */
	assert_int_equal(rtp_munger_take(&m, 39999, 70, &out), -ERR_REPLAY);

	/* An estimate that would make time stand still or run back. */
	rtp_munger_switch(&m, 5, 0, 15000);
	assert_int_equal(take(5, 0).timestamp, 15001);
	rtp_munger_switch(&m, 5, 0, 3);
	out = take(5, 0);
	assert_int_equal(out.timestamp, 15002);
	assert_int_equal(out.seq, 4);
}

static void inserted_packets_have_numbers_of_their_own(void **st)
{
	(void)st;
	struct rtp_munged out;
	rtp_munger_init(&m, 1000, 5000);
	rtp_munger_insert(&m, &out);
	assert_int_equal(out.seq, 1000);
	assert_int_equal(out.timestamp, 5000);
	rtp_munger_switch(&m, 1, 0, 6000);
	out = take(1, 0);
	assert_int_equal(out.seq, 1001);
	assert_int_equal(out.timestamp, 6000);
	rtp_munger_insert(&m, &out);
	assert_int_equal(out.seq, 1002);
	assert_int_equal(out.timestamp, 6000);
	assert_int_equal(take(3, 90).seq, 1004);
	assert_int_equal(take(2, 90).seq, 1003);
}

static void a_long_forward_jump_is_a_gap(void **st)
{
	(void)st;
	rtp_munger_init(&m, 0, 0);
	rtp_munger_switch(&m, 0, 0, 0);
	assert_int_equal(take(0, 0).seq, 0);
	assert_int_equal(take(2000, 0).seq, 2000);
	struct rtp_munged out;
	/* Further behind than the window: cannot be told from a duplicate. */
	assert_int_equal(rtp_munger_take(&m, 1000, 0, &out), -ERR_REPLAY);
	assert_int_equal(take(2000 - SEQ_WINDOW_LEN + 1, 0).seq, 2000 - SEQ_WINDOW_LEN + 1);
}

struct packet {
	uint16_t seq;
	uint32_t ts;
	bool is_dropped, is_lost;
	uint32_t arrival; /* sort key */
};

static int by_arrival(const void *a, const void *b)
{
	const struct packet *x = a, *y = b;
	return x->arrival < y->arrival ? -1 : x->arrival > y->arrival;
}

/* One source: numbers from a random start, with loss, short reordering and packets to be left out.
 */
static size_t make_source(struct packet *p, size_t n)
{
	uint16_t seq = (uint16_t)dice(65536);
	uint32_t ts = random_state;
	for (size_t i = 0; i < n; i++) {
		p[i] = (struct packet){
			.seq = seq++,
			.ts = ts,
			.is_dropped = i > 0 && dice(6) == 0,
			.is_lost = i > 0 && dice(20) == 0,
			.arrival = (uint32_t)i * 4 + (i > 0 && dice(10) == 0 ? dice(60) : 0),
		};
		ts += dice(3) ? 0 : 3000;
	}
	qsort(p, n, sizeof p[0], by_arrival);
	return n;
}

/*
 * Over many source switches no number goes out twice, new numbers only grow, and a number is
 * missing only for a packet that was lost, or that should have been left out but came late.
 */
static void random_sources_come_out_as_one_stream(void **st)
{
	(void)st;
	enum { PER_SOURCE = 400, SOURCES = 200 };
	static bool is_used[(PER_SOURCE + 1) * SOURCES + 65536];
	static struct packet p[PER_SOURCE];
	random_state = 42;
	rtp_munger_init(&m, 65000, 7);
	struct seq_unwrap unwrap = {0};
	int64_t high = 64999, sent = 0, refused_late = 0, lost = 0;
	uint32_t ts_high = 6;
	for (size_t source = 0; source < SOURCES; source++) {
		size_t n = make_source(p, PER_SOURCE);
		/* The first packet to arrive may not be the first sent. */
		rtp_munger_switch(&m, p[0].seq, p[0].ts, ts_high + dice(9000));
		for (size_t i = 0; i < n; i++) {
			if (i && p[i].is_lost) {
				lost++;
				continue;
			}
			struct rtp_munged out;
			if (i && p[i].is_dropped) {
				int err = rtp_munger_skip(&m, p[i].seq);
				assert_true(
					err == 0 || err == -ERR_BAD_STATE || err == -ERR_REPLAY);
				refused_late += err == -ERR_BAD_STATE;
				continue;
			}
			int err = rtp_munger_take(&m, p[i].seq, p[i].ts, &out);
			if (err) {
				/* Only what was sent before the packet of the switch. */
				assert_int_equal(err, -ERR_REPLAY);
				assert_true(seq_newer(p[0].seq, p[i].seq));
				continue;
			}
			int64_t ext = seq_unwrap_next(&unwrap, out.seq);
			assert_in_range(ext, 65000, (int64_t)ARRAY_LEN(is_used) - 1);
			assert_false(is_used[ext]);
			is_used[ext] = true;
			sent++;
			/* A late one is the newest sent if all after it were left out. */
			if (out.is_newest)
				assert_true(ext > high);
			if (ext > high) {
				high = ext;
				assert_false(ts_newer(ts_high, out.timestamp));
				ts_high = out.timestamp;
			}
			if (dice(5) == 0)
				assert_int_equal(
					rtp_munger_take(&m, p[i].seq, p[i].ts, &out), -ERR_REPLAY);
		}
	}
	int64_t holes = high - 65000 + 1 - sent;
	assert_true(sent > PER_SOURCE * SOURCES / 2);
	assert_true(holes > 0 && holes <= lost + refused_late);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_packet_gets_the_first_numbers),
		cmocka_unit_test(loss_stays_and_intended_gaps_close),
		cmocka_unit_test(late_padding_cannot_be_closed_over),
		cmocka_unit_test(a_switch_continues_numbers_and_time),
		cmocka_unit_test(inserted_packets_have_numbers_of_their_own),
		cmocka_unit_test(a_long_forward_jump_is_a_gap),
		cmocka_unit_test(random_sources_come_out_as_one_stream),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
