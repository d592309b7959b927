#include "cm.h"

#include "rtp/seq.h"

static void differences_take_the_shorter_way(void **st)
{
	(void)st;
	assert_int_equal(seq_diff(1, 65535), 2);
	assert_int_equal(seq_diff(65535, 1), -2);
	assert_int_equal(seq_diff(0x8000, 0), -0x8000);
	assert_true(seq_newer(0, 65535));
	assert_false(seq_newer(7, 7));
	assert_false(seq_newer(65535, 0));
	assert_int_equal(ts_diff(5, 0xfffffffb), 10);
	assert_true(ts_newer(0, 0xffffffff));
	assert_false(ts_newer(0xffffffff, 0));
}

static void unwrapping_counts_turns_in_both_directions(void **st)
{
	(void)st;
	struct seq_unwrap u = {0};
	assert_int_equal(seq_unwrap_next(&u, 65534), 65534);
	assert_int_equal(seq_unwrap_next(&u, 1), 65537);
	assert_int_equal(seq_unwrap_next(&u, 65535), 65535); /* late, from before the wrap */
	assert_int_equal(u.high, 65537);
	assert_int_equal(seq_unwrap_peek(&u, 2), 65538);
	assert_int_equal(u.high, 65537);

	struct seq_unwrap v = {0};
	assert_int_equal(seq_unwrap_next(&v, 1), 1);
	assert_int_equal(seq_unwrap_next(&v, 65535), -1);
	for (int turn = 0; turn < 10; turn++)
		for (uint32_t seq = 0; seq < 65536; seq += 1000)
			(void)seq_unwrap_next(&v, (uint16_t)seq);
	assert_int_equal(v.high, 9 * 65536 + 65000);
}

static void window_tells_first_again_and_too_old(void **st)
{
	(void)st;
	struct seq_window w = {0};
	assert_int_equal(seq_window_look(&w, -5), SEQ_FIRST_TIME);
	assert_int_equal(seq_window_mark(&w, -5), SEQ_FIRST_TIME);
	assert_int_equal(seq_window_mark(&w, -5), SEQ_AGAIN);
	assert_int_equal(seq_window_mark(&w, 10), SEQ_FIRST_TIME);
	assert_int_equal(seq_window_mark(&w, 3), SEQ_FIRST_TIME);
	assert_int_equal(seq_window_look(&w, 3), SEQ_AGAIN);
	assert_int_equal(seq_window_look(&w, 4), SEQ_FIRST_TIME);
	assert_int_equal(seq_window_mark(&w, 4), SEQ_FIRST_TIME);

	/* The window moves on: 10 is at its far end, then outside. */
	assert_int_equal(seq_window_mark(&w, 10 + SEQ_WINDOW_LEN - 1), SEQ_FIRST_TIME);
	assert_int_equal(seq_window_mark(&w, 10), SEQ_AGAIN);
	assert_int_equal(seq_window_mark(&w, 9), SEQ_TOO_OLD);
	assert_int_equal(seq_window_mark(&w, 10 + SEQ_WINDOW_LEN), SEQ_FIRST_TIME);
	assert_int_equal(seq_window_mark(&w, 10), SEQ_TOO_OLD);

	/* A jump past the whole window leaves no old mark behind. */
	int64_t far = 100 * SEQ_WINDOW_LEN;
	assert_int_equal(seq_window_mark(&w, far), SEQ_FIRST_TIME);
	for (int64_t e = far - SEQ_WINDOW_LEN + 1; e < far; e++)
		assert_int_equal(seq_window_mark(&w, e), SEQ_FIRST_TIME);
	for (int64_t e = far - SEQ_WINDOW_LEN + 1; e <= far; e++)
		assert_int_equal(seq_window_mark(&w, e), SEQ_AGAIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(differences_take_the_shorter_way),
		cmocka_unit_test(unwrapping_counts_turns_in_both_directions),
		cmocka_unit_test(window_tells_first_again_and_too_old),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
