#include "cm.h"

#include "base/macros.h"
#include "rtp/nack_gen.h"

enum { MS = 1000 };

static struct nack_gen g;
static uint16_t due[NACK_GEN_MAX];

static size_t ask(uint64_t now_us)
{
	return nack_gen_due(&g, now_us, due, ARRAY_LEN(due));
}

static void reordering_of_20_ms_is_not_asked_for(void **st)
{
	(void)st;
	nack_gen_init(&g);
	assert_int_equal(nack_gen_next_us(&g), UINT64_MAX);
	nack_gen_push(&g, 65534, 0);
	assert_int_equal(nack_gen_next_us(&g), UINT64_MAX);
	nack_gen_push(&g, 1, 5 * MS); /* 65535 and 0 are missing */
	assert_int_equal(nack_gen_next_us(&g), 25 * MS);
	assert_int_equal(ask(25 * MS - 1), 0);
	nack_gen_push(&g, 0, 24 * MS);
	assert_int_equal(ask(25 * MS), 1);
	assert_int_equal(due[0], 65535);
	nack_gen_push(&g, 65535, 26 * MS);
	assert_int_equal(nack_gen_next_us(&g), UINT64_MAX);
	nack_gen_push(&g, 65535, 27 * MS); /* once more: nothing to take back */
	assert_int_equal(g.given_up, 0);
}

/* Asks at exactly the times the generator names; returns how often, with the waits in between. */
static size_t waits(uint64_t rtt_us, uint64_t *wait_us)
{
	nack_gen_init(&g);
	nack_gen_set_rtt(&g, rtt_us);
	nack_gen_push(&g, 0, 0);
	nack_gen_push(&g, 2, 0);
	size_t n = 0;
	uint64_t last = 0;
	while (g.count) {
		uint64_t next = nack_gen_next_us(&g);
		assert_true(next >= last);
		wait_us[n] = next - last;
		last = next;
		if (ask(next))
			n++;
	}
	return n;
}

static void waits_grow_from_the_round_trip_to_400_ms(void **st)
{
	(void)st;
	uint64_t w[NACK_TRIES + 1];
	assert_int_equal(waits(100 * MS, w), NACK_TRIES);
	assert_int_equal(w[0], 20 * MS);
	assert_int_equal(w[1], 100 * MS);
	assert_int_equal(w[2], 125 * MS);
	assert_int_equal(w[3], 156250);
	assert_int_equal(w[4], 195312);
	assert_int_equal(g.given_up, 1);
	assert_int_equal(waits(300 * MS, w), NACK_TRIES);
	assert_int_equal(w[2], 375 * MS);
	assert_int_equal(w[3], 400 * MS);
	assert_int_equal(w[4], 400 * MS);
	assert_int_equal(waits(1, w), NACK_TRIES);
	assert_int_equal(w[1], 20 * MS);
	assert_int_equal(waits(UINT64_MAX, w), NACK_TRIES);
	assert_int_equal(w[1], 400 * MS);
	assert_int_equal(waits(0, w), NACK_TRIES); /* unknown: the default */
	assert_int_equal(w[1], 70 * MS);
}

static void the_list_is_bounded_and_keeps_the_newest(void **st)
{
	(void)st;
	nack_gen_init(&g);
	nack_gen_push(&g, 0, 0);
	nack_gen_push(&g, 31, 0);  /* 1 to 30 */
	nack_gen_push(&g, 112, 0); /* 32 to 111: ten too many */
	assert_int_equal(g.count, NACK_GEN_MAX);
	assert_int_equal(g.given_up, 10);
	assert_int_equal(ask(20 * MS), NACK_GEN_MAX);
	assert_int_equal(due[0], 11);
	assert_int_equal(due[19], 30);
	assert_int_equal(due[20], 32);
	assert_int_equal(due[99], 111);
	nack_gen_push(&g, 30000, 0); /* a jump: only its last hundred */
	assert_int_equal(g.count, NACK_GEN_MAX);
	assert_int_equal(ask(20 * MS), NACK_GEN_MAX);
	assert_int_equal(due[0], 29900);
	assert_int_equal(due[99], 29999);
	assert_int_equal(g.given_up, 10 + NACK_GEN_MAX + (29999 - 112 - NACK_GEN_MAX));
}

static void what_does_not_fit_stays_due(void **st)
{
	(void)st;
	nack_gen_init(&g);
	nack_gen_push(&g, 0, 0);
	nack_gen_push(&g, 6, 0);
	assert_int_equal(nack_gen_due(&g, 20 * MS, due, 2), 2);
	assert_int_equal(due[1], 2);
	assert_int_equal(nack_gen_due(&g, 20 * MS, due, 2), 2);
	assert_int_equal(due[1], 4);
	assert_int_equal(nack_gen_due(&g, 20 * MS, due, 2), 1);
	assert_int_equal(due[0], 5);
	assert_int_equal(nack_gen_due(&g, 20 * MS, due, 2), 0);
}

static void old_ones_expire_and_reset_forgets(void **st)
{
	(void)st;
	nack_gen_init(&g);
	nack_gen_push(&g, 0, 0);
	nack_gen_push(&g, 2, 0);
	assert_int_equal(ask(NACK_EXPIRY_US), 0);
	assert_int_equal(g.count, 0);
	assert_int_equal(g.given_up, 1);
	nack_gen_push(&g, 5, 0);
	assert_int_equal(g.count, 2);
	nack_gen_reset(&g);
	assert_int_equal(ask(30 * MS), 0);
	nack_gen_push(&g, 9, 0);
	assert_int_equal(g.count, 0);
	nack_gen_push(&g, 11, 0);
	assert_int_equal(g.count, 1);
}

/* Whatever order packets come in, wanted is exactly what is missing below the newest. */
static void random_arrivals_leave_the_missing(void **st)
{
	(void)st;
	uint32_t random = 5;
	for (int round = 0; round < 200; round++) {
		bool is_here[90] = {0};
		unsigned high = 0;
		nack_gen_init(&g);
		nack_gen_push(&g, 65500, 0);
		is_here[0] = true;
		for (int i = 0; i < 150; i++) {
			random = random * 1664525 + 1013904223;
			unsigned at = (random >> 16) % 90;
			is_here[at] = true;
			high = MAX(high, at);
			nack_gen_push(&g, (uint16_t)(65500 + at), 0);
			size_t missing = 0;
			for (unsigned k = 0; k < high; k++)
				if (!is_here[k])
					assert_int_equal((uint16_t)g.wanted[missing++].ext,
						(uint16_t)(65500 + k));
			assert_int_equal(g.count, missing);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reordering_of_20_ms_is_not_asked_for),
		cmocka_unit_test(waits_grow_from_the_round_trip_to_400_ms),
		cmocka_unit_test(the_list_is_bounded_and_keeps_the_newest),
		cmocka_unit_test(what_does_not_fit_stays_due),
		cmocka_unit_test(old_ones_expire_and_reset_forgets),
		cmocka_unit_test(random_arrivals_leave_the_missing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
