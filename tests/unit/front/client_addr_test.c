#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/log.h"
#include "front/front_internal.h"

static const struct {
	const char *peer, *cf, *forwarded, *real, *want;
} rows[] = {
	/* Strangers are not believed. */
	{"198.51.100.1", "1.1.1.1", "2.2.2.2", "3.3.3.3", "198.51.100.1"},
	{"2001:db8::1", "1.1.1.1", NULL, NULL, "2001:db8::1"},
	{"172.32.0.1", NULL, "2.2.2.2", NULL, "172.32.0.1"},
	/* Proxies of ours are. */
	{"127.0.0.1", NULL, NULL, NULL, "127.0.0.1"},
	{"10.1.2.3", "1.1.1.1", "2.2.2.2", "3.3.3.3", "1.1.1.1"},
	{"192.168.0.1", NULL, "2.2.2.2", "3.3.3.3", "2.2.2.2"},
	{"172.31.255.255", NULL, NULL, "3.3.3.3", "3.3.3.3"},
	{"fd00::1", NULL, "2001:db8::7", NULL, "2001:db8::7"},
	{"::1", NULL, "2.2.2.2", NULL, "2.2.2.2"},
	/* What the client put in front does not count, nor do our own proxies behind. */
	{"10.0.0.1", NULL, "9.9.9.9, 2.2.2.2", NULL, "2.2.2.2"},
	{"10.0.0.1", NULL, "9.9.9.9,2.2.2.2 ,\t10.0.0.2", NULL, "2.2.2.2"},
	{"10.0.0.1", NULL, "192.168.7.7, 10.0.0.2", NULL, "192.168.7.7"},
	{"10.0.0.1", NULL, "::ffff:2.2.2.2", NULL, "2.2.2.2"},
	/* Nonsense. */
	{"10.0.0.1", "x", "unknown", "", "10.0.0.1"},
	{"10.0.0.1", NULL, ",,,", "3.3.3.3", "3.3.3.3"},
	{"10.0.0.1", NULL, "2.2.2.2, unknown", NULL, "2.2.2.2"},
};

static void only_near_proxies_are_believed(void **st)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct addr peer;
		char text[ADDR_TEXT_CAP];
		assert_int_equal(addr_parse_ip(&peer, slice_str(rows[i].peer), 1), 0);
		const struct client_addr_headers h = {slice_str(rows[i].cf),
			slice_str(rows[i].forwarded), slice_str(rows[i].real)};
		struct addr a = client_addr(&peer, &h);
		assert_string_equal(addr_format_ip(&a, text), rows[i].want);
	}
}

static void routes_are_found(void **st)
{
	static const struct {
		const char *path;
		bool dev, found, ws;
	} paths[] = {
		{"/", false, true, false},
		{"/rtc", false, true, true},
		{"/rtc/", false, false, false},
		{"/rtc/v1", false, true, true},
		{"/rtc/v2", false, false, false},
		{"/rtc/validate", false, true, false},
		{"/assets/x.js", false, true, false},
		{"/assets", false, false, false},
		{"/room/a", false, true, false},
		{"/dev/token", true, true, false},
		{"/dev/token", false, false, false},
		{"", false, false, false},
	};
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		const struct route *r =
			route_find(slice_str(paths[i].path), FRONT_SCOPE_ALL, paths[i].dev);
		assert_int_equal(r != NULL, paths[i].found);
		assert_int_equal(r && r->upgrade, paths[i].ws);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_near_proxies_are_believed),
		cmocka_unit_test(routes_are_found),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
