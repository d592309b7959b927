#include "cm.h"

#include <string.h>

#include "turnd/ports.h"

enum { FIRST = 30000, LAST = 30099 };

/* All workers together take every port of the range once, and each only its own. */
static void workers_share_the_range(void **st)
{
	(void)st;
	for (unsigned workers = 1; workers <= 7; workers++) {
		unsigned seen[65536] = {0}, total = 0;
		for (unsigned w = 0; w < workers; w++) {
			struct turnd_ports p;
			turnd_ports_init(&p, w, workers, FIRST + 1, LAST - 1);
			for (uint16_t port; (port = turnd_ports_take(&p)) != 0; total++) {
				assert_in_range(port, FIRST + 1, LAST - 1);
				assert_int_equal(turnd_ports_owner(port, workers), w);
				assert_int_equal(seen[port]++, 0);
			}
			turnd_ports_free(&p);
		}
		assert_int_equal(total, LAST - FIRST - 1);
	}
}

static void even_ports_and_pairs(void **st)
{
	(void)st;
	struct turnd_ports p;
	turnd_ports_init(&p, 1, 2, FIRST + 1, LAST);
	unsigned pairs = 0, evens = 0, odds = 0;
	uint16_t first = turnd_ports_take_even(&p), port;
	assert_int_equal(first % 2, 0);
	while ((port = turnd_ports_take_pair(&p)) != 0) {
		assert_int_equal(port % 2, 0);
		assert_int_not_equal(port, first);
		pairs++;
	}
	assert_int_equal(pairs, 24); /* of 25; the first one lost its even half */
	assert_int_equal(turnd_ports_take_even(&p), 0);
	assert_int_equal(turnd_ports_take(&p), first + 1);
	assert_int_equal(turnd_ports_take(&p), 0);
	turnd_ports_give(&p, first);
	assert_int_equal(turnd_ports_take_pair(&p), 0);
	assert_int_equal(turnd_ports_take_even(&p), first);
	turnd_ports_give(&p, (uint16_t)(first + 1));
	turnd_ports_give(&p, first);
	assert_int_equal(turnd_ports_take_pair(&p), first);
	turnd_ports_free(&p);

	turnd_ports_init(&p, 0, 1, FIRST + 1, FIRST + 8);
	while ((port = turnd_ports_take(&p)) != 0)
		*(port % 2 ? &odds : &evens) += 1;
	assert_int_equal(odds, 4);
	assert_int_equal(evens, 4);
	turnd_ports_free(&p);
}

/* A model of flags beside it, over random operations. */
static void agrees_with_a_model(void **st)
{
	(void)st;
	enum { N = 64, STEPS = 200000 };
	bool is_taken[N] = {false};
	struct turnd_ports p;
	turnd_ports_init(&p, 0, 1, FIRST, FIRST + N - 1);
	uint32_t random = 12345, n_taken = 0;
	for (int step = 0; step < STEPS; step++) {
		random = random * 1664525 + 1013904223;
		unsigned what = random >> 16 & 7, at = random >> 20 & (N - 1);
		unsigned free_pairs = 0, free_evens = 0;
		for (unsigned i = 0; i < N; i += 2) {
			free_pairs += !is_taken[i] && !is_taken[i + 1];
			free_evens += !is_taken[i];
		}
		if (what < 4) {
			if (is_taken[at]) {
				turnd_ports_give(&p, (uint16_t)(FIRST + at));
				is_taken[at] = false;
				n_taken--;
			}
			continue;
		}
		uint16_t port = what == 4   ? turnd_ports_take_pair(&p) :
				what == 5 ? turnd_ports_take_even(&p) :
						turnd_ports_take(&p);
		unsigned left = what == 4 ? free_pairs : what == 5 ? free_evens : N - n_taken;
		assert_int_equal(port != 0, left != 0);
		for (unsigned k = 0; port && k <= (what == 4); k++) {
			assert_false(is_taken[port + k - FIRST]);
			is_taken[port + k - FIRST] = true;
			n_taken++;
		}
		assert_int_equal(p.n_free, N - n_taken);
	}
	turnd_ports_free(&p);
}

/* Each free port comes up about as often as the others, whatever its neighbour does. */
static void choice_is_even(void **st)
{
	(void)st;
	enum { N = 32, ROUNDS = 32000 };
	unsigned count[N] = {0};
	struct turnd_ports p;
	turnd_ports_init(&p, 0, 1, FIRST, FIRST + N - 1);
	for (int i = 0; i < ROUNDS; i++) {
		uint16_t a = turnd_ports_take(&p), b = turnd_ports_take(&p);
		count[a - FIRST]++;
		count[b - FIRST]++;
		turnd_ports_give(&p, a);
		turnd_ports_give(&p, b);
	}
	for (int i = 0; i < N; i++)
		assert_in_range(count[i], 2 * ROUNDS / N * 8 / 10, 2 * ROUNDS / N * 12 / 10);
	turnd_ports_free(&p);
}

static void foreign_ports_have_no_index(void **st)
{
	(void)st;
	struct turnd_ports p;
	turnd_ports_init(&p, 1, 3, FIRST, LAST);
	uint32_t last = 0, n = 0;
	for (uint32_t port = 0; port <= UINT16_MAX; port++) {
		uint32_t i = turnd_ports_index(&p, (uint16_t)port);
		if (i == UINT32_MAX)
			continue;
		assert_true(i < turnd_ports_count(&p));
		assert_true(n == 0 || i > last);
		last = i;
		n++;
	}
	assert_int_equal(n, turnd_ports_count(&p));
	turnd_ports_free(&p);

	turnd_ports_init(&p, 5, 64, 1000, 1001); /* a share of nothing */
	assert_int_equal(turnd_ports_take(&p), 0);
	assert_int_equal(turnd_ports_take_pair(&p), 0);
	assert_int_equal(turnd_ports_index(&p, 1000), UINT32_MAX);
	turnd_ports_free(&p);

	turnd_ports_init(&p, 0, 1, 1, UINT16_MAX);
	assert_int_equal(p.n_free, UINT16_MAX);
	turnd_ports_free(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(workers_share_the_range),
		cmocka_unit_test(even_ports_and_pairs),
		cmocka_unit_test(agrees_with_a_model),
		cmocka_unit_test(choice_is_even),
		cmocka_unit_test(foreign_ports_have_no_index),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
