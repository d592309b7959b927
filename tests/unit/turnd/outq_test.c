#include "../cm.h"
#include <stdlib.h>
#include <string.h>
#include "turn/framing.h"
#include "turnd/outq.h"

enum { LIMIT_US = 1000000, SLACK_US = LIMIT_US / 8 };

struct world {
	struct outq_pool pool;
	struct outq q;
};

static int setup(void **state)
{
	static struct world w;
	w = (struct world){0};
	outq_pool_init(&w.pool);
	*state = &w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	outq_clear(&w->q, &w->pool);
	outq_pool_close(&w->pool);
	return 0;
}

/* ChannelData with n bytes that all are `mark`, or a success answer whose transaction is `mark`. */
static void put(struct world *w, bool is_data, size_t n, uint8_t mark, uint64_t now_us)
{
	size_t size = is_data ? 4 + ((n + 3) & ~(size_t)3) : 20;
	uint8_t *p = outq_place(&w->q, &w->pool, size, now_us, SLACK_US);
	memset(p, mark, size);
	if (is_data) {
		wr16(p, 0x4000);
		wr16(p + 2, (uint16_t)n);
	} else {
		wr16(p, 0x0101);
		wr16(p + 2, 0);
		wr32(p + 4, 0x2112a442);
	}
}

/* What waits, as one piece; freed by the caller. */
static uint8_t *content(const struct world *w, size_t *n)
{
	struct iovec iov[64];
	size_t parts = outq_iov(&w->q, iov, 64);
	uint8_t *all = malloc(w->q.bytes + 1);
	assert_non_null(all);
	*n = 0;
	for (size_t i = 0; i < parts; i++) {
		memcpy(all + *n, iov[i].iov_base, iov[i].iov_len);
		*n += iov[i].iov_len;
	}
	assert_int_equal(*n, w->q.bytes);
	return all;
}

static void messages_come_out_in_order(void **state)
{
	struct world *w = *state;
	for (unsigned i = 0; i < 100; i++)
		put(w, true, 1000, (uint8_t)i, 0);
	size_t n, at = 0;
	uint8_t *all = content(w, &n);
	for (unsigned i = 0; i < 100; i++, at += 1004) {
		assert_int_equal(framing_next(slice_of(all + at, n - at)).size, 1004);
		assert_int_equal(all[at + 4], i);
	}
	assert_int_equal(at, n);
	free(all);
	while (w->q.bytes)
		outq_took(&w->q, &w->pool, w->q.bytes < 777 ? w->q.bytes : 777);
	assert_null(w->q.head);
	assert_null(w->q.tail);
}

static void stale_data_goes_and_answers_stay(void **state)
{
	struct world *w = *state;
	put(w, true, 100, 1, 0);
	put(w, false, 0, 2, 0);
	put(w, true, 100, 3, 10);
	put(w, true, 100, 4, LIMIT_US);
	assert_int_equal(outq_drop_stale(&w->q, &w->pool, LIMIT_US), 2);
	size_t n;
	uint8_t *all = content(w, &n);
	assert_int_equal(n, 20 + 104);
	assert_int_equal(all[8], 2);
	assert_int_equal(all[20 + 4], 4);
	free(all);
}

static void a_message_that_has_begun_is_not_cut(void **state)
{
	struct world *w = *state;
	for (uint8_t i = 0; i < 4; i++)
		put(w, true, 100, i, 0);
	/* The first is gone, of the second a part. */
	outq_took(&w->q, &w->pool, 104 + 50);
	assert_int_equal(outq_drop_stale(&w->q, &w->pool, 1), 2);
	size_t n;
	uint8_t *all = content(w, &n);
	assert_int_equal(n, 54);
	assert_int_equal(all[0], 1);
	free(all);
	/* Again in the rest of it, with another one behind. */
	outq_took(&w->q, &w->pool, 10);
	put(w, true, 100, 9, 0);
	assert_int_equal(outq_drop_stale(&w->q, &w->pool, 1), 1);
	assert_int_equal(w->q.bytes, 44);
}

static void all_stale_leaves_nothing(void **state)
{
	struct world *w = *state;
	for (unsigned i = 0; i < 100; i++)
		put(w, true, 1000, 1, i * SLACK_US);
	assert_int_equal(outq_drop_stale(&w->q, &w->pool, UINT64_MAX), 100);
	assert_int_equal(w->q.bytes, 0);
	assert_null(w->q.head);
	put(w, true, 10, 1, 0);
	assert_int_equal(w->q.bytes, 16);
}

static void a_message_larger_than_a_chunk_is_one_piece(void **state)
{
	struct world *w = *state;
	put(w, true, 10, 1, 0);
	put(w, true, 65535, 2, 0);
	put(w, true, 10, 3, 0);
	assert_int_equal(w->q.bytes, 16 + 65540 + 16);
	outq_took(&w->q, &w->pool, 16);
	assert_int_equal(framing_next(outq_front(&w->q)).size, 65540);
}

static void bytes_without_boundaries(void **state)
{
	struct world *w = *state;
	uint8_t *in = malloc(100000);
	assert_non_null(in);
	for (size_t i = 0; i < 100000; i++)
		in[i] = (uint8_t)(i * 7);
	outq_add(&w->q, &w->pool, slice_of(in, 99999), 0);
	outq_add(&w->q, &w->pool, slice_of(in + 99999, 1), 0);
	size_t n;
	uint8_t *all = content(w, &n);
	assert_int_equal(n, 100000);
	assert_memory_equal(all, in, n);
	free(all);
	free(in);
}

static void the_pool_keeps_a_bounded_number(void **state)
{
	struct world *w = *state;
	for (unsigned i = 0; i < 500; i++)
		put(w, true, 16000, 1, 0);
	outq_clear(&w->q, &w->pool);
	assert_in_range(w->pool.n_usual, 1, 64);
	assert_null(w->q.head);
}

/* Random appends, writes and cuts: what comes out is whole messages in order, and answers are never lost. */
static void model(void **state)
{
	struct world *w = *state;
	uint32_t seed = 12345;
	unsigned next_answer = 0, seen_answer = 0;
	uint8_t *stream = malloc(1 << 22);
	assert_non_null(stream);
	size_t n = 0;
	for (uint64_t now = 0; now < 3000; now++) {
		seed = seed * 1664525 + 1013904223;
		unsigned what = seed >> 28;
		if (what < 8)
			put(w, true, seed >> 8 & 0x7ff, 0xdd, now * 1000);
		else if (what < 10)
			put(w, false, 0, (uint8_t)next_answer++, now * 1000);
		else if (what < 14) {
			struct slice front = outq_front(&w->q);
			size_t take = front.n ? (seed >> 4) % front.n + 1 : 0;
			memcpy(stream + n, front.p ? front.p : stream, take);
			n += take;
			outq_took(&w->q, &w->pool, take);
		} else {
			(void)outq_drop_stale(&w->q, &w->pool, now > 100 ? (now - 100) * 1000 : 0);
		}
	}
	while (w->q.bytes) {
		struct slice front = outq_front(&w->q);
		memcpy(stream + n, front.p, front.n);
		n += front.n;
		outq_took(&w->q, &w->pool, front.n);
	}
	for (size_t at = 0; at < n;) {
		struct framing f = framing_next(slice_of(stream + at, n - at));
		assert_true(f.kind == FRAMING_STUN || f.kind == FRAMING_CHANNEL);
		if (f.kind == FRAMING_STUN)
			assert_int_equal(stream[at + 8], (uint8_t)seen_answer++);
		at += f.size;
	}
	assert_int_equal(seen_answer, next_answer);
	free(stream);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(messages_come_out_in_order, setup, teardown),
		cmocka_unit_test_setup_teardown(stale_data_goes_and_answers_stay, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_message_that_has_begun_is_not_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(all_stale_leaves_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_message_larger_than_a_chunk_is_one_piece, setup, teardown),
		cmocka_unit_test_setup_teardown(bytes_without_boundaries, setup, teardown),
		cmocka_unit_test_setup_teardown(the_pool_keeps_a_bounded_number, setup, teardown),
		cmocka_unit_test_setup_teardown(model, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
