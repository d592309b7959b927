#include "cm.h"

#include <stdio.h>
#include <string.h>

#include "base/map.h"
#include "base/rng.h"

enum { KEYS = 2000 };

static struct slice key_of(char *text, size_t cap, unsigned i)
{
	/* Every third key is longer than what a slot stores inline. */
	snprintf(text, cap, i % 3 ? "k%u" : "a-key-that-does-not-fit-into-the-slot-itself-%u", i);
	return slice_str(text);
}

/* Random puts and deletes against an array that knows the truth. */
static void behaves_like_an_array(void **st)
{
	(void)st;
	static int values[KEYS];
	bool present[KEYS] = {false};
	size_t count = 0;
	struct map m;
	map_init(&m);
	for (int round = 0; round < 50000; round++) {
		unsigned i = rng_u32() % KEYS;
		char text[64];
		struct slice key = key_of(text, sizeof text, i);
		assert_ptr_equal(map_get(&m, key), present[i] ? &values[i] : NULL);
		if (rng_u32() & 1) {
			assert_ptr_equal(
				map_put(&m, key, &values[i]), present[i] ? &values[i] : NULL);
			count += !present[i];
			present[i] = true;
		} else {
			assert_ptr_equal(map_del(&m, key), present[i] ? &values[i] : NULL);
			count -= present[i];
			present[i] = false;
		}
		assert_int_equal(m.n, count);
	}
	size_t at = 0, seen = 0;
	struct slice key;
	for (void *v; (v = map_next(&m, &at, &key)); seen++) {
		char text[64];
		unsigned i = (unsigned)((int *)v - values);
		assert_true(present[i]);
		assert_true(slice_eq(key, key_of(text, sizeof text, i)));
	}
	assert_int_equal(seen, count);
	map_free(&m);
}

static void empty_key_is_a_key(void **st)
{
	(void)st;
	int v;
	struct map m;
	map_init(&m);
	assert_null(map_get(&m, slice_str("")));
	assert_null(map_put(&m, slice_str(""), &v));
	assert_ptr_equal(map_get(&m, slice_str("")), &v);
	assert_ptr_equal(map_del(&m, slice_str("")), &v);
	map_free(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(behaves_like_an_array),
		cmocka_unit_test(empty_key_is_a_key),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
