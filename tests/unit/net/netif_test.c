#include "cm.h"

#include "base/err.h"
#include "net/netif.h"

static bool has(const char *block, const char *ip)
{
	struct cidr c;
	struct addr a;
	assert_int_equal(cidr_parse(&c, slice_str(block)), 0);
	assert_int_equal(addr_parse_ip(&a, slice_str(ip), 0), 0);
	return cidr_has(&c, &a);
}

static void blocks_contain_their_addresses(void **st)
{
	(void)st;
	assert_true(has("10.0.0.0/8", "10.255.1.2"));
	assert_false(has("10.0.0.0/8", "11.0.0.1"));
	assert_true(has("192.168.4.0/22", "192.168.7.255"));
	assert_false(has("192.168.4.0/22", "192.168.8.0"));
	assert_true(has("0.0.0.0/0", "1.2.3.4"));
	assert_false(has("0.0.0.0/0", "::1"));
	assert_true(has("192.0.2.1", "192.0.2.1"));
	assert_false(has("192.0.2.1", "192.0.2.2"));
	assert_true(has("2001:db8::/33", "2001:db8:7fff::1"));
	assert_false(has("2001:db8::/33", "2001:db8:8000::1"));
}

static void refuses_bad_blocks(void **st)
{
	(void)st;
	struct cidr c;
	const char *const bad[] = {"", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8x", "::/129", "x/8"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(cidr_parse(&c, slice_str(bad[i])), -ERR_MALFORMED);
}

static void loopback_only_when_asked(void **st)
{
	(void)st;
	struct addr all[64];
	struct netif_filter f = {.with_loopback = true};
	size_t with = netif_list(&f, all, ARRAY_LEN(all)), loopbacks = 0;
	for (size_t i = 0; i < with; i++)
		loopbacks += addr_is_loopback(&all[i]);
	assert_true(loopbacks > 0);
	f.with_loopback = false;
	assert_int_equal(netif_list(&f, all, ARRAY_LEN(all)), with - loopbacks);
}

static void excluded_interface_gives_nothing(void **st)
{
	(void)st;
	struct addr all[64];
	char *names[] = {(char *)"lo", NULL};
	struct netif_filter f = {.with_loopback = true, .if_includes = names, .if_excludes = names};
	assert_int_equal(netif_list(&f, all, ARRAY_LEN(all)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_contain_their_addresses),
		cmocka_unit_test(refuses_bad_blocks),
		cmocka_unit_test(loopback_only_when_asked),
		cmocka_unit_test(excluded_interface_gives_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
