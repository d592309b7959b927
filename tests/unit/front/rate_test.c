/* How often an address may ask. */
#include "../cm.h"

#include <stdio.h>

#include "base/clock.h"
#include "front/rate.h"

static struct addr ip_of(const char *text)
{
	struct addr a;
	assert_int_equal(addr_parse_ip(&a, slice_str(text), 1), 0);
	return a;
}

static void a_minute_holds_so_many(void **st)
{
	struct rate r;
	const struct addr a = ip_of("192.0.2.1"), b = ip_of("192.0.2.2");
	uint64_t now = 5 * US_PER_S;
	rate_init(&r, 60, 64);
	for (int i = 0; i < 60; i++)
		assert_int_equal(rate_take(&r, &a, now), 0);
	assert_int_equal(rate_take(&r, &a, now), 1);
	assert_int_equal(rate_take(&r, &b, now), 0);
	/* What is refused costs nothing; one second brings one request. */
	assert_int_equal(rate_take(&r, &a, now + US_PER_S), 0);
	assert_int_equal(rate_take(&r, &a, now + US_PER_S), 1);
	now += 61 * US_PER_S;
	for (int i = 0; i < 60; i++)
		assert_int_equal(rate_take(&r, &a, now), 0);
	assert_int_not_equal(rate_take(&r, &a, now), 0);
	rate_free(&r);
}

static void slow_rates_say_how_long(void **st)
{
	struct rate r;
	const struct addr a = ip_of("192.0.2.1");
	rate_init(&r, 1, 64);
	assert_int_equal(rate_take(&r, &a, US_PER_S), 0);
	assert_int_equal(rate_take(&r, &a, US_PER_S), 60);
	assert_int_equal(rate_take(&r, &a, 31 * US_PER_S), 30);
	assert_int_equal(rate_take(&r, &a, 61 * US_PER_S), 0);
	rate_free(&r);
}

static void an_ipv6_network_is_one(void **st)
{
	struct rate r;
	const struct addr a = ip_of("2001:db8::1"), same = ip_of("2001:db8::ffff:1"), other = ip_of("2001:db8:0:1::1");
	const struct addr v4 = ip_of("192.0.2.1"), mapped = ip_of("::ffff:192.0.2.1");
	rate_init(&r, 1, 64);
	assert_int_equal(rate_take(&r, &a, 0), 0);
	assert_int_not_equal(rate_take(&r, &same, 0), 0);
	assert_int_equal(rate_take(&r, &other, 0), 0);
	assert_int_equal(rate_take(&r, &v4, 0), 0);
	assert_int_not_equal(rate_take(&r, &mapped, 0), 0);
	rate_free(&r);
}

static void many_addresses_take_turns_in_a_small_table(void **st)
{
	struct rate r;
	rate_init(&r, 2, 64);
	for (unsigned i = 0; i < 10000; i++) {
		char text[32];
		(void)snprintf(text, sizeof text, "10.%u.%u.1", i >> 8 & 255, i & 255);
		const struct addr a = ip_of(text);
		assert_int_equal(rate_take(&r, &a, US_PER_S + i), 0);
	}
	assert_int_equal(r.n, 64);
	rate_free(&r);
}

static void no_limit(void **st)
{
	struct rate r;
	const struct addr a = ip_of("192.0.2.1");
	rate_init(&r, 0, 64);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(rate_take(&r, &a, 0), 0);
	rate_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_minute_holds_so_many),
		cmocka_unit_test(slow_rates_say_how_long),
		cmocka_unit_test(an_ipv6_network_is_one),
		cmocka_unit_test(many_addresses_take_turns_in_a_small_table),
		cmocka_unit_test(no_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
