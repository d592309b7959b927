#include "cm.h"

#include "base/addr.h"

static struct addr parse(const char *text, uint16_t port)
{
	struct addr a;
	assert_int_equal(addr_parse_ip(&a, slice_str(text), port), 0);
	return a;
}

static void prints_what_it_parsed(void **st)
{
	(void)st;
	char text[ADDR_TEXT_CAP];
	struct addr v4 = parse("192.0.2.7", 5000), v6 = parse("[2001:db8::7]", 443);
	assert_string_equal(addr_format(&v4, text), "192.0.2.7:5000");
	assert_string_equal(addr_format(&v6, text), "[2001:db8::7]:443");
	assert_string_equal(addr_format_ip(&v6, text), "2001:db8::7");
}

static void refuses_what_is_no_address(void **st)
{
	(void)st;
	struct addr a;
	const char *const bad[] = {"", "1.2.3", "1.2.3.4.5", "256.1.1.1", "::g", "[::1", "localhost", "01.2.3.4",
		"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_not_equal(addr_parse_ip(&a, slice_str(bad[i]), 1), 0);
	assert_int_not_equal(addr_parse_ip(&a, slice_of("1.2.3.4\0", 8), 1), 0);
}

static void mapped_address_is_itself_once_unmapped(void **st)
{
	(void)st;
	struct addr plain = parse("127.0.0.1", 9), mapped = parse("::ffff:127.0.0.1", 9);
	assert_false(addr_eq(&plain, &mapped));
	addr_unmap(&mapped);
	assert_true(addr_eq(&plain, &mapped));
	assert_true(addr_is_loopback(&mapped));
}

static void keys_differ_where_addresses_differ(void **st)
{
	(void)st;
	const struct addr all[] = {parse("10.0.0.1", 1), parse("10.0.0.1", 2), parse("10.0.0.2", 1), parse("::1", 1)};
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		for (size_t k = 0; k < ARRAY_LEN(all); k++) {
			uint8_t a[ADDR_KEY_CAP], b[ADDR_KEY_CAP];
			size_t an = addr_key(&all[i], a), bn = addr_key(&all[k], b);
			assert_int_equal(slice_eq(slice_of(a, an), slice_of(b, bn)), i == k);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prints_what_it_parsed),
		cmocka_unit_test(refuses_what_is_no_address),
		cmocka_unit_test(mapped_address_is_itself_once_unmapped),
		cmocka_unit_test(keys_differ_where_addresses_differ),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
