#include "cm.h"

#include <stdbool.h>

#include "rtp/offset_map.h"

static struct offset_map m;

static int64_t take(int64_t in)
{
	int64_t out;
	assert_int_equal(offset_map_take(&m, in, &out), 0);
	return out;
}

static int refused(int64_t in)
{
	int64_t out;
	return offset_map_take(&m, in, &out);
}

static void the_example_of_the_header(void **st)
{
	(void)st;
	offset_map_start(&m, 10, 10);
	assert_int_equal(take(10), 10);
	assert_int_equal(take(11), 11);
	assert_int_equal(offset_map_skip(&m, 12), 0);
	assert_int_equal(take(13), 12);
	assert_int_equal(take(15), 14); /* 14 is missing: 13 stays free for it */
	assert_int_equal(take(14), 13);
	assert_int_equal(refused(12), -ERR_NOT_FOUND);
	assert_int_equal(offset_map_skip(&m, 12), 0);
	assert_int_equal(offset_map_skip(&m, 13), -ERR_BAD_STATE);
	assert_int_equal(refused(9), -ERR_REPLAY);
	assert_int_equal(offset_map_skip(&m, 9), -ERR_REPLAY);
}

static void numbers_may_be_inserted(void **st)
{
	(void)st;
	offset_map_start(&m, 0, 100);
	assert_int_equal(offset_map_next(&m), 100);
	assert_int_equal(offset_map_insert(&m), 100); /* before the first of all */
	assert_int_equal(take(0), 101);
	assert_int_equal(offset_map_skip(&m, 1), 0);
	assert_int_equal(offset_map_insert(&m), 102);
	assert_int_equal(offset_map_insert(&m), 103);
	assert_int_equal(take(2), 104);
	assert_int_equal(take(4), 106);
	assert_int_equal(offset_map_insert(&m), 107);
	assert_int_equal(take(3), 105);
	assert_int_equal(take(5), 108);
}

/*
 * Random streams: what comes out is distinct, ordered as it went in, without a hole for a number
 * left out, with exactly one for each that never arrived.
 */
static void random_streams_close_only_intended_gaps(void **st)
{
	(void)st;
	enum { LEN = 600 };
	uint32_t random = 7;
	for (int round = 0; round < 300; round++) {
		bool is_skipped[LEN];
		int64_t out[LEN], next = 1000;
		offset_map_start(&m, 0, next);
		for (int64_t in = 0; in < LEN; in++) {
			random = random * 1664525 + 1013904223;
			unsigned dice = (random >> 16) % 10;
			is_skipped[in] = dice < (unsigned)round % 5;
			bool is_lost = dice == 9;
			out[in] = is_skipped[in] ? -1 : next++;
			if (is_lost && !is_skipped[in])
				continue;
			if (is_skipped[in])
				assert_int_equal(offset_map_skip(&m, in), 0);
			else
				assert_int_equal(take(in), out[in]);
		}
		/* Late ones, and those seen before: the same answer, or too old. */
		for (int64_t in = 0; in < LEN; in++) {
			int64_t got;
			int err = offset_map_take(&m, in, &got);
			if (in > LEN - 60) /* surely inside the history: 64 ranges */
				assert_int_not_equal(err, -ERR_REPLAY);
			if (in > m.high)
				break;
			if (err == 0)
				assert_int_equal(got, out[in]);
			else if (err == -ERR_NOT_FOUND)
				assert_true(is_skipped[in]);
			else
				assert_int_equal(err, -ERR_REPLAY);
		}
	}
}

static void history_is_bounded(void **st)
{
	(void)st;
	offset_map_start(&m, 0, 0);
	/* Every other number left out: one range each. */
	for (int64_t in = 0; in < 1000; in += 2) {
		assert_int_equal(take(in), in / 2);
		assert_int_equal(offset_map_skip(&m, in + 1), 0);
	}
	assert_int_equal(m.count, OFFSET_MAP_RANGES);
	assert_int_equal(take(998), 499);
	assert_int_equal(take(1000 - 2 * (OFFSET_MAP_RANGES - 1)), 500 - (OFFSET_MAP_RANGES - 1));
	assert_int_equal(refused(999), -ERR_NOT_FOUND);
	assert_int_equal(refused(500), -ERR_REPLAY);
	/* A long run left out is one range, not many. */
	offset_map_start(&m, 0, 0);
	assert_int_equal(take(0), 0);
	for (int64_t in = 1; in < 1000; in++)
		assert_int_equal(offset_map_skip(&m, in), 0);
	assert_int_equal(m.count, 2);
	assert_int_equal(take(1000), 1);
	assert_int_equal(take(0), 0);
	assert_int_equal(refused(1), -ERR_NOT_FOUND);
	assert_int_equal(refused(999), -ERR_NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_example_of_the_header),
		cmocka_unit_test(numbers_may_be_inserted),
		cmocka_unit_test(random_streams_close_only_intended_gaps),
		cmocka_unit_test(history_is_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
