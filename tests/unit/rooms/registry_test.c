#include "rooms/registry.h"

#include "../cm.h"

#include <pthread.h>
#include <stdio.h>

#include "base/macros.h"

static void rooms_go_to_the_least_busy_worker(void **st)
{
	(void)st;
	struct registry *r = registry_new(3);
	assert_int_equal(registry_announce(r, "a"), 0);
	assert_int_equal(registry_announce(r, "b"), 1);
	assert_int_equal(registry_announce(r, "c"), 2);
	assert_int_equal(registry_announce(r, "b"), 1);
	registry_arrived(r, "a");
	assert_true(registry_remove(r, "a"));
	assert_int_equal(registry_announce(r, "d"), 0);
	registry_free(r);
}

static void an_announced_join_keeps_the_room(void **st)
{
	(void)st;
	struct registry *r = registry_new(1);
	(void)registry_announce(r, "a");
	(void)registry_announce(r, "a");
	registry_arrived(r, "a");
	assert_false(registry_remove(r, "a"));
	registry_arrived(r, "a");
	assert_true(registry_remove(r, "a"));
	assert_false(registry_has(r, "a"));
	assert_true(registry_remove(r, "a")); /* gone already */
	registry_arrived(r, "a");
	registry_free(r);
}

static void a_withdrawn_join_leaves_nothing(void **st)
{
	(void)st;
	struct registry *r = registry_new(2);
	(void)registry_announce(r, "a");
	(void)registry_announce(r, "a");
	registry_withdraw(r, "a");
	assert_true(registry_has(r, "a"));
	registry_withdraw(r, "a");
	assert_false(registry_has(r, "a"));
	assert_int_equal(registry_announce(r, "b"), 0); /* nor does it count as a room of worker 0 */

	registry_arrived(r, "b");
	(void)registry_announce(r, "b");
	registry_withdraw(r, "b");
	assert_true(registry_has(r, "b")); /* it exists: only the room itself removes it */
	registry_withdraw(r, "b");
	assert_true(registry_has(r, "b"));
	registry_free(r);
}

/* ------------------------------------------------------------------ threads */

enum { WORKERS = 3, JOINERS = 3, ROOMS = 4, JOINS = 4000 };

/*
 * Joiners announce, workers take joins in and try to remove rooms. `waiting` counts joins per room and worker; a join
 * must find its room on the worker it was sent to, and in the end nothing is left.
 */
struct race {
	struct registry *r;
	int waiting[ROOMS][WORKERS];
	int joiners;
};

struct runner {
	struct race *race;
	unsigned index;
	pthread_t thread;
};

static const char *const names[ROOMS] = {"a", "b", "c", "d"};

static void *joiner_main(void *arg)
{
	struct runner *self = arg;
	for (unsigned i = 0; i < JOINS; i++) {
		unsigned room = (i * 7 + self->index) % ROOMS;
		unsigned worker = registry_announce(self->race->r, names[room]);
		if (i % 5 == 0)
			registry_withdraw(self->race->r, names[room]);
		else
			__atomic_add_fetch(&self->race->waiting[room][worker], 1, __ATOMIC_ACQ_REL);
	}
	__atomic_sub_fetch(&self->race->joiners, 1, __ATOMIC_ACQ_REL);
	return NULL;
}

static void *worker_main(void *arg)
{
	struct runner *self = arg;
	bool is_open[ROOMS] = {false};
	for (bool idle = false; !idle;) {
		bool was_last = __atomic_load_n(&self->race->joiners, __ATOMIC_ACQUIRE) == 0;
		idle = was_last;
		for (unsigned room = 0; room < ROOMS; room++) {
			int *waiting = &self->race->waiting[room][self->index];
			while (__atomic_load_n(waiting, __ATOMIC_ACQUIRE) > 0) {
				__atomic_sub_fetch(waiting, 1, __ATOMIC_ACQ_REL);
				is_open[room] = true;
				registry_arrived(self->race->r, names[room]);
				idle = false;
			}
			if (is_open[room] && registry_remove(self->race->r, names[room]))
				is_open[room] = false;
		}
	}
	/* Nothing is on its way any more: what is still open can go. */
	for (unsigned room = 0; room < ROOMS; room++)
		if (is_open[room] && !registry_remove(self->race->r, names[room]))
			return self;
	return NULL;
}

static void announcements_and_removals_race(void **st)
{
	(void)st;
	struct race race = {.r = registry_new(WORKERS), .joiners = JOINERS};
	struct runner all[WORKERS + JOINERS];
	for (unsigned i = 0; i < ARRAY_LEN(all); i++) {
		all[i] = (struct runner){.race = &race, .index = i % WORKERS};
		assert_int_equal(pthread_create(&all[i].thread, NULL,
					 i < WORKERS ? worker_main : joiner_main, &all[i]),
			0);
	}
	for (unsigned i = 0; i < ARRAY_LEN(all); i++) {
		void *failed;
		pthread_join(all[i].thread, &failed);
		assert_null(failed);
	}
	for (unsigned i = 0; i < ROOMS; i++)
		assert_false(registry_has(race.r, names[i]));
	registry_free(race.r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rooms_go_to_the_least_busy_worker),
		cmocka_unit_test(an_announced_join_keeps_the_room),
		cmocka_unit_test(a_withdrawn_join_leaves_nothing),
		cmocka_unit_test(announcements_and_removals_race),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
