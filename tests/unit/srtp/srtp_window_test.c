#include "srtp_help.h"

/* The window in the plainest words: all accepted indexes, by number. */
enum { MODEL_MAX = 4096 };

struct model {
	bool seen[MODEL_MAX];
	int top;
};

static bool model_may(const struct model *m, int index)
{
	return !m->seen[index] && (m->top < 0 || index > m->top - SRTP_WINDOW);
}

static void agrees_with_the_model(void **st)
{
	(void)st;
	uint32_t seed = 1;
	for (int round = 0; round < 200; round++) {
		struct model m = {.top = -1};
		struct srtp_window w = {0};
		int at = 0;
		for (int i = 0; i < 500; i++) {
			seed = seed * 1664525 + 1013904223;
			/*
			 * Mostly close to the newest; now and then a jump around the window's
			 * length.
			 */
			int by = (int)(seed >> 16) % (seed >> 28 ? 12 : 300) -
			         (seed >> 28 ? 6 : 150);
			at = CLAMP(at + by, 0, MODEL_MAX - 1);
			bool may = srtp_window_may(&w, (uint64_t)at);
			assert_int_equal(may, model_may(&m, at));
			if (may) {
				srtp_window_accept(&w, (uint64_t)at);
				m.seen[at] = true;
				m.top = MAX(m.top, at);
			}
		}
	}
}

static void every_shift_keeps_what_was_seen(void **st)
{
	(void)st;
	for (uint64_t by = 0; by <= SRTP_WINDOW + 2; by++) {
		struct srtp_window w = {0};
		srtp_window_accept(&w, 1000);
		if (by)
			srtp_window_accept(&w, 1000 + by);
		assert_false(srtp_window_may(&w, 1000));
		assert_false(srtp_window_may(&w, 1000 + by));
		assert_true(srtp_window_may(&w, 1001 + by));
		/* One below the first: inside the window until it moved on by 127. */
		assert_int_equal(srtp_window_may(&w, 999), by + 1 < SRTP_WINDOW);
	}
}

static void empty_takes_anything(void **st)
{
	(void)st;
	struct srtp_window w = {0};
	assert_true(srtp_window_may(&w, 0));
	assert_true(srtp_window_may(&w, 0xffffffffffff));
	srtp_window_accept(&w, 0);
	assert_false(srtp_window_may(&w, 0));
	assert_true(srtp_window_may(&w, 1));
}

/* RFC 3711 appendix A, for every distance from some positions around the interesting ones. */
static void guess_follows_appendix_a(void **st)
{
	(void)st;
	const uint64_t tops[] = {0, 1, 0x7fff, 0x8000, 0x8001, 0xffff, 0x10000, 0x17fff, 0x18000,
		0x1ffff, 0xfffffffe8000, 0xffffffff7fff};
	for (size_t i = 0; i < ARRAY_LEN(tops); i++) {
		for (uint32_t seq = 0; seq <= 0xffff; seq++) {
			int64_t roc = (int64_t)(tops[i] >> 16);
			int32_t newest = (int32_t)(tops[i] & 0xffff);
			if (newest < 32768)
				roc -= (int32_t)seq - newest > 32768;
			else
				roc += newest - 32768 > (int32_t)seq;
			assert_int_equal(
				srtp_index_guess(tops[i], (uint16_t)seq), roc * 65536 + seq);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_the_model),
		cmocka_unit_test(every_shift_keeps_what_was_seen),
		cmocka_unit_test(empty_takes_anything),
		cmocka_unit_test(guess_follows_appendix_a),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
