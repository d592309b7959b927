#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macros.h"
#include "turn/auth_internal.h"

#define SECOND UINT64_C(1000000)

static const uint8_t key[TURN_NONCE_KEY_LEN] = {1, 2, 3};

static struct addr address(const char *ip, uint16_t port)
{
	struct addr a;
	assert_int_equal(addr_parse_ip(&a, slice_str(ip), port), 0);
	return a;
}

static void a_nonce_is_good_for_its_time_and_address(void **st)
{
	char nonce[NONCE_MAX];
	struct addr a = address("192.0.2.1", 1000), b = address("192.0.2.1", 2000);
	struct addr c = address("192.0.2.2", 1000), d = address("::c000:201", 1000);
	size_t n = nonce_make(nonce, key, 0, &a, 1000 * SECOND);
	struct slice s = slice_of(nonce, n);
	assert_int_equal(n, NONCE_OWN_LEN);
	assert_true(nonce_is_good(s, key, 0, &a, 1000 * SECOND, 600 * SECOND));
	assert_true(nonce_is_good(s, key, 0, &a, 1600 * SECOND, 600 * SECOND));
	assert_false(nonce_is_good(s, key, 0, &a, 1601 * SECOND, 600 * SECOND));
	assert_true(nonce_is_good(s, key, 0, &a, 1000000 * SECOND, 0));
	/* From the future: another process's clock. */
	assert_false(nonce_is_good(s, key, 0, &a, 999 * SECOND, 600 * SECOND));
	assert_false(nonce_is_good(s, key, 0, &a, 999 * SECOND, 0));
	/* A NAT may give another port. */
	assert_true(nonce_is_good(s, key, 0, &b, 1000 * SECOND, 600 * SECOND));
	assert_false(nonce_is_good(s, key, 0, &c, 1000 * SECOND, 600 * SECOND));
	assert_false(nonce_is_good(s, key, 0, &d, 1000 * SECOND, 600 * SECOND));
	assert_false(nonce_is_good(s, key, FEATURE_PASSWORD_ALGORITHMS, &a, 1000 * SECOND, 0));
	for (size_t i = 0; i < TURN_NONCE_KEY_LEN; i++) {
		uint8_t other[TURN_NONCE_KEY_LEN];
		memcpy(other, key, sizeof other);
		other[i] ^= 1;
		assert_false(nonce_is_good(s, other, 0, &a, 1000 * SECOND, 0));
	}
}

static void the_cookie_says_what_is_offered(void **st)
{
	char nonce[NONCE_MAX];
	struct addr a = address("2001:db8::1", 1000);
	static const struct {
		uint32_t features;
		const char *front;
	} rows[] = {
		{FEATURE_PASSWORD_ALGORITHMS, "obMatJos2gAAA"},
		{FEATURE_USERNAME_ANONYMITY, "obMatJos2QAAA"},
		{FEATURE_PASSWORD_ALGORITHMS | FEATURE_USERNAME_ANONYMITY, "obMatJos2wAAA"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t n = nonce_make(nonce, key, rows[i].features, &a, 7 * SECOND);
		assert_int_equal(n, NONCE_MAX);
		assert_memory_equal(nonce, rows[i].front, 13);
		assert_true(nonce_is_good(
			slice_of(nonce, n), key, rows[i].features, &a, 8 * SECOND, 9 * SECOND));
	}
}

static void every_change_is_seen(void **st)
{
	char nonce[NONCE_MAX];
	struct addr a = address("192.0.2.1", 1000);
	size_t n = nonce_make(nonce, key, FEATURE_PASSWORD_ALGORITHMS, &a, 1000 * SECOND);
	for (size_t i = 0; i < n; i++) {
		for (unsigned v = 1; v < 256; v++) {
			nonce[i] = (char)(nonce[i] ^ (int)v);
			assert_false(nonce_is_good(slice_of(nonce, n), key,
				FEATURE_PASSWORD_ALGORITHMS, &a, 1000 * SECOND, 0));
			nonce[i] = (char)(nonce[i] ^ (int)v);
		}
		assert_false(nonce_is_good(slice_of(nonce, i), key, FEATURE_PASSWORD_ALGORITHMS, &a,
			1000 * SECOND, 0));
	}
	assert_true(nonce_is_good(
		slice_of(nonce, n), key, FEATURE_PASSWORD_ALGORITHMS, &a, 1000 * SECOND, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_nonce_is_good_for_its_time_and_address),
		cmocka_unit_test(the_cookie_says_what_is_offered),
		cmocka_unit_test(every_change_is_seen),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
