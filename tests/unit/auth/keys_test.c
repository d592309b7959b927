#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "auth/keys.h"
#include "base/mem.h"

static void assert_secret(const struct auth_keys *k, const char *key, const char *secret)
{
	struct slice found;
	assert_true(auth_keys_secret(k, slice_str(key), &found));
	assert_true(slice_eq_str(found, secret));
}

static void pairs_are_found_by_key(void **st)
{
	(void)st;
	struct auth_keys *k = auth_keys_new();
	assert_int_equal(auth_keys_add(k, slice_str("a"), slice_str("one"), NULL), 0);
	assert_int_equal(auth_keys_add(k, slice_str("ab"), slice_str("two"), NULL), 0);
	assert_secret(k, "a", "one");
	assert_secret(k, "ab", "two");
	struct slice secret;
	assert_false(auth_keys_secret(k, slice_str("abc"), &secret));
	assert_false(auth_keys_secret(k, slice_str(""), &secret));
	assert_int_equal(auth_keys_count(k), 2);
	assert_string_equal(auth_keys_at(k, 1), "ab");
	auth_keys_unref(k);
	auth_keys_unref(NULL);
}

static void a_set_lives_as_long_as_its_last_holder(void **st)
{
	(void)st;
	struct auth_keys *k = auth_keys_new();
	assert_int_equal(auth_keys_add(k, slice_str("a"), slice_str("one"), NULL), 0);
	struct auth_keys *other = auth_keys_ref(k);
	auth_keys_unref(k);
	assert_secret(other, "a", "one");
	auth_keys_unref(other);
}

static void wrong_pairs_are_refused(void **st)
{
	(void)st;
	struct auth_keys *k = auth_keys_new();
	char *longer = xcalloc(1, AUTH_SECRET_MAX + 2);
	memset(longer, 'x', AUTH_SECRET_MAX + 1);
	struct errbuf eb;
	assert_int_equal(auth_keys_add(k, slice_str(""), slice_str("s"), &eb), -ERR_RANGE);
	assert_int_equal(auth_keys_add(k, slice_str("k"), slice_str(""), &eb), -ERR_RANGE);
	assert_int_equal(auth_keys_add(k, slice_str(longer), slice_str("s"), &eb), -ERR_RANGE);
	assert_int_equal(auth_keys_add(k, slice_str("k"), slice_str(longer), &eb), -ERR_RANGE);
	assert_int_equal(auth_keys_add(k, slice_str("k"), slice_str("s"), &eb), 0);
	assert_int_equal(auth_keys_add(k, slice_str("k"), slice_str("t"), &eb), -ERR_EXISTS);
	assert_secret(k, "k", "s");
	assert_int_equal(auth_keys_count(k), 1);
	xfree(longer);
	auth_keys_unref(k);
}

static void a_key_file_is_read(void **st)
{
	(void)st;
	static const char text[] = "# keys of today\r\n"
				   "\n"
				   "devkey: secret\r\n"
				   "  two:with:colons\n"
				   "\t\"quoted\" : 'sec ret' \n"
				   "last: one";
	struct auth_keys *k = auth_keys_new();
	char *exact = xmemdup(text, sizeof text - 1);
	assert_int_equal(auth_keys_parse(k, slice_of(exact, sizeof text - 1), NULL), 0);
	xfree(exact);
	assert_int_equal(auth_keys_count(k), 4);
	assert_secret(k, "devkey", "secret");
	assert_secret(k, "two", "with:colons");
	assert_secret(k, "quoted", "sec ret");
	assert_secret(k, "last", "one");
	auth_keys_unref(k);
}

static void errors_name_the_line_and_no_secret(void **st)
{
	(void)st;
	static const struct {
		const char *text;
		int err;
	} files[] = {
		{"a: b\nhunter2\n", -ERR_MALFORMED},
		{"a: b\na: hunter2\n", -ERR_EXISTS},
		{"a: b\n: hunter2\n", -ERR_RANGE},
		{"a: b\nhunter2:\n", -ERR_RANGE},
	};
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		struct auth_keys *k = auth_keys_new();
		struct errbuf eb;
		assert_int_equal(auth_keys_parse(k, slice_str(files[i].text), &eb), files[i].err);
		assert_non_null(strstr(eb.text, "line 2"));
		assert_null(strstr(eb.text, "hunter2"));
		auth_keys_unref(k);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pairs_are_found_by_key),
		cmocka_unit_test(a_set_lives_as_long_as_its_last_holder),
		cmocka_unit_test(wrong_pairs_are_refused),
		cmocka_unit_test(a_key_file_is_read),
		cmocka_unit_test(errors_name_the_line_and_no_secret),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
