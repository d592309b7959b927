#include "../cm.h"

#include <pthread.h>

#include "base/err.h"
#include "turn/quota.h"

static uint64_t user(uint64_t i)
{
	return (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
}

static void users_and_total_are_bounded(void **st)
{
	(void)st;
	struct turn_quota_cfg cfg = {.allocations_per_user = 2,
		.allocations_per_participant = 1,
		.allocations_total = 5,
		.slots = 64};
	struct turn_quota *q = turn_quota_new(&cfg);
	uint32_t slot[8];
	assert_int_equal(turn_quota_acquire(q, user(1), false, &slot[0]), 0);
	assert_int_equal(turn_quota_acquire(q, user(1), false, &slot[1]), 0);
	assert_int_equal(turn_quota_acquire(q, user(1), false, &slot[2]), -ERR_NO_ROOM);
	assert_int_equal(turn_quota_acquire(q, user(2), true, &slot[2]), 0);
	assert_int_equal(turn_quota_acquire(q, user(2), true, &slot[3]), -ERR_NO_ROOM);
	assert_int_equal(turn_quota_acquire(q, 0, false, &slot[3]), 0);
	assert_int_equal(turn_quota_acquire(q, 0, false, &slot[4]), 0);
	assert_int_equal(turn_quota_acquire(q, 0, false, &slot[5]), -ERR_NO_ROOM);
	assert_int_equal(turn_quota_total(q), 5);
	turn_quota_release(q, slot[0]);
	assert_int_equal(turn_quota_acquire(q, user(1), false, &slot[0]), 0);
	cfg.allocations_total = cfg.allocations_per_user = 0;
	turn_quota_reload(q, &cfg);
	for (int i = 0; i < 100; i++)
		assert_int_equal(turn_quota_acquire(q, user(1), false, &slot[6]), 0);
	turn_quota_free(q);
}

static void slots_are_used_again(void **st)
{
	(void)st;
	struct turn_quota_cfg cfg = {.slots = 16};
	struct turn_quota *q = turn_quota_new(&cfg);
	uint32_t slot[17];
	for (uint64_t round = 0; round < 1000; round++) {
		for (uint64_t i = 0; i < 16; i++)
			assert_int_equal(
				turn_quota_acquire(q, user(round * 16 + i), false, &slot[i]), 0);
		assert_int_equal(turn_quota_acquire(q, user(~0U), false, &slot[16]), -ERR_NO_ROOM);
		for (uint64_t i = 0; i < 16; i++)
			turn_quota_release(q, slot[i]);
		assert_int_equal(turn_quota_total(q), 0);
	}
	turn_quota_free(q);
}

static void bytes_are_bounded(void **st)
{
	(void)st;
	struct turn_quota_cfg cfg = {
		.slots = 16, .user_bytes_per_s = 10000, .total_bytes_per_s = 15000};
	struct turn_quota *q = turn_quota_new(&cfg);
	uint32_t a, b;
	assert_int_equal(turn_quota_acquire(q, user(1), false, &a), 0);
	assert_int_equal(turn_quota_acquire(q, user(2), false, &b), 0);
	int n[2] = {0};
	for (uint64_t now = 10000000; now < 20000000; now += 10000) {
		n[0] += turn_quota_take(q, a, 1000, now);
		n[1] += turn_quota_take(q, b, 1000, now + 5000);
	}
	assert_in_range(n[0], 50, 112);
	assert_in_range(n[1], 50, 112);
	assert_in_range(n[0] + n[1], 150, 170);
	turn_quota_release(q, a);
	turn_quota_release(q, b);
	turn_quota_free(q);
}

/* More threads than one user may have allocations: never too many at a time, nothing left at the end. */
static struct turn_quota *shared;
static _Atomic int held, most;

static void *churn(void *arg)
{
	(void)arg;
	for (int i = 0; i < 20000; i++) {
		uint32_t slot;
		if (turn_quota_acquire(shared, user(7), false, &slot))
			continue;
		int n = ++held;
		if (n > most)
			most = n;
		held--;
		turn_quota_release(shared, slot);
	}
	return NULL;
}

static void threads_agree(void **st)
{
	(void)st;
	struct turn_quota_cfg cfg = {
		.slots = 16, .allocations_per_user = 3, .allocations_total = 5};
	shared = turn_quota_new(&cfg);
	pthread_t t[4];
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i], NULL, churn, NULL), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	assert_int_equal(turn_quota_total(shared), 0);
	assert_in_range(most, 1, 5);
	uint32_t slot;
	for (int i = 0; i < 3; i++)
		assert_int_equal(turn_quota_acquire(shared, user(7), false, &slot), 0);
	assert_int_equal(turn_quota_acquire(shared, user(7), false, &slot), -ERR_NO_ROOM);
	turn_quota_free(shared);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(users_and_total_are_bounded),
		cmocka_unit_test(slots_are_used_again),
		cmocka_unit_test(bytes_are_bounded),
		cmocka_unit_test(threads_agree),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
