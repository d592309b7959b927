#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"
#include "turn/policy.h"

static struct addr address(const char *ip, uint16_t port)
{
	struct addr a;
	assert_int_equal(addr_parse_ip(&a, slice_str(ip), port), 0);
	return a;
}

static struct turn_policy *make(const struct turn_policy_cfg *cfg)
{
	struct turn_policy *p;
	struct errbuf eb = {""};
	if (turn_policy_new(&p, cfg, &eb))
		fail_msg("%s", eb.text);
	return p;
}

static bool allows(const struct turn_policy *p, const char *ip)
{
	struct addr a = address(ip, 1000);
	return turn_policy_allows(p, &a);
}

static struct addr v4_addr(uint32_t v)
{
	uint8_t ip[4];
	struct addr a;
	wr32(ip, v);
	assert_int_equal(addr_from_bytes(&a, ip, 4, 1000), 0);
	return a;
}

enum { DRESSES = 12 };

/* The address in IPv6 dress number i. The routers' prefixes are of the kind that no list denies. */
static struct addr dressed(unsigned i, uint32_t v)
{
	uint8_t ip[16] = {0};
	struct addr a;
	size_t at = 12;
	static const uint8_t nat64[] = {0, 0x64, 0xff, 0x9b}, isatap[] = {0, 0, 0x5e, 0xfe};
	switch (i) {
	case 0: ip[10] = ip[11] = 0xff; break;
	case 1: break;
	case 2: ip[8] = ip[9] = 0xff; break;
	case 3: memcpy(ip, nat64, 4); break;
	case 4: /* a local NAT64 of /96 */
	case 5: /* and of /48 */
		memcpy(ip, nat64, 4);
		ip[5] = 1;
		break;
	case 6: ip[0] = 0x20; ip[1] = 0x02; at = 2; break;
	case 7: /* Teredo's server, with a harmless client */
		ip[0] = 0x20;
		ip[1] = 0x01;
		wr32(ip + 12, ~UINT32_C(0x08080808));
		at = 4;
		break;
	case 8: /* Teredo's client, with a harmless server */
		ip[0] = 0x20;
		ip[1] = 0x01;
		wr32(ip + 4, UINT32_C(0x08080808));
		v = ~v;
		break;
	case 9:
	case 10:
		wr32(ip, UINT32_C(0x2a001450));
		memcpy(ip + 8, isatap, 4);
		ip[8] = i == 9 ? 0 : 2;
		break;
	default: /* both at once: 6to4 of a harmless router, ISATAP within */
		wr32(ip, UINT32_C(0x20020808));
		wr16(ip + 4, 0x0808);
		memcpy(ip + 8, isatap, 4);
		break;
	}
	if (i == 5) {
		ip[6] = (uint8_t)(v >> 24);
		ip[7] = (uint8_t)(v >> 16);
		ip[9] = (uint8_t)(v >> 8);
		ip[10] = (uint8_t)v;
	} else {
		wr32(ip + at, v);
	}
	assert_int_equal(addr_from_bytes(&a, ip, 16, 1000), 0);
	return a;
}

/* All that is denied; what is one before and one behind is not. */
static const struct {
	uint32_t first, last;
} v4_denied[] = {
	{0x00000000, 0x00ffffff}, {0x0a000000, 0x0affffff}, {0x64400000, 0x647fffff},
	{0x7f000000, 0x7fffffff}, {0xa9fe0000, 0xa9feffff}, {0xac100000, 0xac1fffff},
	{0xc0000000, 0xc00000ff}, {0xc0000200, 0xc00002ff}, {0xc0586300, 0xc05863ff},
	{0xc0a80000, 0xc0a8ffff}, {0xc6120000, 0xc613ffff}, {0xc6336400, 0xc63364ff},
	{0xcb007100, 0xcb0071ff}, {0xe0000000, 0xffffffff},
};

/* Denied by the v6 address itself, whatever is in it: a dress is only tried where something lets it pass. */
static const char *const dresses_allowed[] = {
	"::ffff:0:0/96", "::/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32"};

static void check_v4(const struct turn_policy *p, uint32_t v, bool want)
{
	struct addr a = v4_addr(v);
	char text[ADDR_TEXT_CAP];
	if (turn_policy_allows(p, &a) != want)
		fail_msg("%s: %d", addr_format(&a, text), !want);
	/* "::" and "::1" are IPv6's own. */
	for (unsigned i = 0; i < DRESSES; i++) {
		a = dressed(i, v);
		if (i == 1 && v <= 1)
			continue;
		if (turn_policy_allows(p, &a) != want)
			fail_msg("dress %u of %08x: %s: %d", i, v, addr_format(&a, text), !want);
	}
}

static void every_v4_boundary_in_every_dress(void **st)
{
	/* With the dresses' own ranges allowed what is in them decides. */
	struct turn_policy *p = make(&(struct turn_policy_cfg){
		.allow = dresses_allowed, .n_allow = ARRAY_LEN(dresses_allowed)});
	for (size_t i = 0; i < ARRAY_LEN(v4_denied); i++) {
		check_v4(p, v4_denied[i].first, false);
		check_v4(p, v4_denied[i].last, false);
		check_v4(p, v4_denied[i].first + (v4_denied[i].last - v4_denied[i].first) / 2,
			false);
		if (v4_denied[i].first)
			check_v4(p, v4_denied[i].first - 1, true);
		if (v4_denied[i].last != UINT32_MAX)
			check_v4(p, v4_denied[i].last + 1, true);
	}
	check_v4(p, 0x08080808, true);
	turn_policy_free(p);
}

static void dresses_are_denied_by_default(void **st)
{
	struct turn_policy *p = make(&(struct turn_policy_cfg){0});
	/* v4-compatible and ISATAP are no ranges of their own: only what is in them counts. */
	static const bool want[DRESSES] = {[1] = true, [2] = true, [9] = true, [10] = true};
	for (unsigned i = 0; i < DRESSES; i++) {
		struct addr a = dressed(i, 0x08080808);
		assert_int_equal(turn_policy_allows(p, &a), want[i]);
		a = dressed(i, 0x7f000001);
		assert_false(turn_policy_allows(p, &a));
	}
	turn_policy_free(p);
}

/* Without built-in ranges the operator's list still reaches through the dress. */
static void dresses_are_seen_through_without_the_builtin_list(void **st)
{
	static const char *const deny[] = {"10.0.0.0/8"};
	struct turn_policy *p = make(&(struct turn_policy_cfg){
		.no_builtin = true, .deny = deny, .n_deny = ARRAY_LEN(deny)});
	check_v4(p, 0x0a000001, false);
	check_v4(p, 0x7f000001, true);
	check_v4(p, 0x0b000000, true);
	turn_policy_free(p);
}

static const struct {
	const char *before, *first, *last, *after; /* "" = none, or in another range */
} v6_denied[] = {
	{"", "::", "::1", ""}, /* "::2" is 0.0.0.2 */
	{"::fffe:ffff:ffff", "::ffff:0:0", "::ffff:ffff:ffff", "::1:0:0:0"},
	{"64:ff9a:ffff:ffff:ffff:ffff:ffff:ffff", "64:ff9b::", "64:ff9b::ffff:ffff", "64:ff9b::1:0:0"},
	{"64:ff9b:0:ffff:ffff:ffff:ffff:ffff", "64:ff9b:1::",
		"64:ff9b:1:ffff:ffff:ffff:ffff:ffff", "64:ff9b:2::"},
	{"ff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "100::", "100::ffff:ffff:ffff:ffff", "100:0:0:1::"},
	{"2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff",
		"2001:1::"},
	{"2001:1:ffff:ffff:ffff:ffff:ffff:ffff", "2001:2::", "2001:2:0:ffff:ffff:ffff:ffff:ffff", "2001:2:1::"},
	{"2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db8::",
		"2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db9::"},
	{"2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2002::",
		"2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2003::"},
	{"3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
		"3fff:1000::"},
	{"5eff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		"5f01::"},
	{"fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fc00::",
		"fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fe00::"},
	{"fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fe80::",
		"febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ""},
	{"", "fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ""},
	{"", "ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ""},
};

static void every_v6_boundary(void **st)
{
	struct turn_policy *p = make(&(struct turn_policy_cfg){0});
	for (size_t i = 0; i < ARRAY_LEN(v6_denied); i++) {
		assert_false(allows(p, v6_denied[i].first));
		assert_false(allows(p, v6_denied[i].last));
		if (*v6_denied[i].before && !allows(p, v6_denied[i].before))
			fail_msg("%s", v6_denied[i].before);
		if (*v6_denied[i].after && !allows(p, v6_denied[i].after))
			fail_msg("%s", v6_denied[i].after);
	}
	turn_policy_free(p);
}

static void switches_spare_what_they_name(void **st)
{
	struct turn_policy *p = make(&(struct turn_policy_cfg){.allow_loopback = true});
	assert_true(allows(p, "127.0.0.1") && allows(p, "::1"));
	assert_false(allows(p, "0.0.0.0") || allows(p, "::") || allows(p, "10.0.0.1"));
	turn_policy_free(p);
	p = make(&(struct turn_policy_cfg){.allow_private = true});
	assert_true(allows(p, "10.0.0.1") && allows(p, "192.168.1.1") && allows(p, "172.16.0.1") &&
		    allows(p, "100.64.0.1") && allows(p, "fd00::1"));
	/* Cloud machines have their secrets there. */
	assert_false(allows(p, "169.254.169.254") || allows(p, "fe80::1") || allows(p, "127.0.0.1"));
	turn_policy_free(p);
}

/* Beside the list that loses to `allow` there may be one that wins: each keeps its rank. */
static void allow_wins_over_one_deny_list(void **st)
{
	static const char *const allow[] = {"10.1.0.0/16", "8.8.8.8", "fd00:1::-fd00:1::ffff"};
	static const char *const deny[] = {"10.1.2.0-10.1.2.9", "8.8.0.0/16", "2a00::/16"};
	struct turn_policy_cfg cfg = {.allow = allow, .n_allow = 3, .deny = deny, .n_deny = 3};
	struct turn_policy *p = make(&cfg);
	assert_true(allows(p, "10.1.2.3") && allows(p, "8.8.8.8") && allows(p, "fd00:1::ff"));
	assert_false(allows(p, "10.2.0.0") || allows(p, "8.8.8.9") || allows(p, "2a00::1") ||
		     allows(p, "fd00:1::1:0"));
	turn_policy_free(p);
	static const char *const always[] = {"10.1.2.5-10.1.2.9", "fd00:1::/120"};
	cfg.deny_always = always;
	cfg.n_deny_always = 2;
	p = make(&cfg);
	assert_true(allows(p, "10.1.2.3") && allows(p, "10.1.1.255") && allows(p, "8.8.8.8"));
	assert_false(allows(p, "10.1.2.5") || allows(p, "10.1.2.9") || allows(p, "fd00:1::ff") ||
		     allows(p, "8.8.8.9"));
	turn_policy_free(p);
}

static void own_addresses_are_reachable(void **st)
{
	static const char *const deny[] = {"0.0.0.0/0", "::/0"};
	struct addr own = address("127.0.0.1", 7882);
	struct addr relay[] = {address("10.0.0.5", 0), address("fd00::5", 0)};
	struct turn_policy *p = make(&(struct turn_policy_cfg){.deny_always = deny,
		.n_deny_always = 2,
		.own = &own,
		.n_own = 1,
		.own_relay = relay,
		.n_own_relay = 2,
		.relay_first = 30000,
		.relay_last = 40000});
	static const struct {
		const char *ip;
		uint16_t port;
		bool want;
	} rows[] = {
		{"127.0.0.1", 7882, true}, {"127.0.0.1", 7881, false}, {"127.0.0.1", 0, true},
		{"127.0.0.2", 7882, false}, {"::ffff:127.0.0.1", 7882, false},
		{"10.0.0.5", 29999, false}, {"10.0.0.5", 30000, true}, {"10.0.0.5", 40000, true},
		{"10.0.0.5", 40001, false}, {"10.0.0.5", 0, true}, {"10.0.0.6", 0, false},
		{"fd00::5", 35000, true}, {"fd00::5", 22, false},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct addr a = address(rows[i].ip, rows[i].port);
		assert_int_equal(turn_policy_allows(p, &a), rows[i].want);
	}
	struct addr none = {0};
	assert_false(turn_policy_allows(p, &none));
	turn_policy_free(p);
}

/* Past the firewall there are databases and the process's own HTTP. */
static void tcp_reaches_no_service_of_this_machine(void **st)
{
	static const char *const allow[] = {"198.18.0.0/15", "9.9.9.9"};
	const struct addr sfu = address("8.8.4.4", 7882), local[] = {address("9.9.9.9", 0),
		address("2a00::1", 0), address("127.0.0.1", 0), address("10.0.0.1", 0)},
		relay = address("8.8.8.8", 0);
	struct turn_policy_cfg cfg = {.own = &sfu,
		.n_own = 1,
		.own_relay = &relay,
		.n_own_relay = 1,
		.relay_first = 30000,
		.relay_last = 40000,
		.local = local,
		.n_local = 4};
	static const struct {
		const char *ip;
		uint16_t port;
		bool plain, listed, spared;
	} rows[] = {
		{"8.8.8.8", 30000, true, true, true}, {"8.8.8.8", 6379, false, false, false},
		{"8.8.4.4", 7882, false, false, false}, {"9.9.9.9", 22, false, true, false},
		{"2a00::1", 80, false, false, false}, {"2a00::2", 80, true, true, true},
		{"127.0.0.1", 80, false, false, true}, {"10.0.0.1", 80, false, false, true},
		{"1.1.1.1", 80, true, true, true},
	};
	for (unsigned round = 0; round < 3; round++) {
		cfg.allow = allow;
		cfg.n_allow = round == 1 ? ARRAY_LEN(allow) : 0;
		cfg.allow_loopback = cfg.allow_private = round == 2;
		struct turn_policy *p = make(&cfg);
		for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
			struct addr a = address(rows[i].ip, rows[i].port);
			bool want[] = {rows[i].plain, rows[i].listed, rows[i].spared};
			if (turn_policy_allows_tcp(p, &a) != want[round])
				fail_msg("round %u: %s", round, rows[i].ip);
		}
		struct addr free_port = address("8.8.8.8", 30000), udp = address("8.8.4.4", 7882);
		assert_false(turn_policy_allows_tcp_stranger(p, &free_port));
		assert_true(turn_policy_allows(p, &udp));
		turn_policy_free(p);
	}
	cfg.no_builtin = true;
	struct turn_policy *p = make(&cfg);
	struct addr a = address("8.8.8.8", 6379);
	assert_true(turn_policy_allows_tcp(p, &a));
	turn_policy_free(p);
}

static void wrong_entries_are_named(void **st)
{
	static const char *const rows[] = {"", "x", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0/8",
		"10.0.0.9-10.0.0.1", "10.0.0.1-", "-10.0.0.1", "10.0.0.1-::1", "::/129", "::1/0128", "fe80::1%eth0",
		"10.0.0.1/8/8", "10.0.0.1-10.0.0.2-10.0.0.3", "10.0.0.1/8-10.0.0.2"};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct turn_policy *p;
		struct errbuf eb = {""};
		assert_int_equal(
			turn_policy_new(
				&p, &(struct turn_policy_cfg){.deny = &rows[i], .n_deny = 1}, &eb),
			-ERR_CONFIG);
		assert_non_null(strstr(eb.text, rows[i]));
		assert_non_null(strstr(eb.text, "denied peers"));
	}
	static const char *const good[] = {" 10.0.0.0/8 ", "10.9.9.9/8", "10.0.0.1 - 10.0.0.2", "[::1]", "::/0",
		"0.0.0.0/0", "10.0.0.1-10.0.0.1", "255.255.255.255", "ffff::/1"};
	turn_policy_free(
		make(&(struct turn_policy_cfg){.allow = good, .n_allow = ARRAY_LEN(good)}));
}

/* Overlapping and touching ranges against a plain walk over the list. */
static void sorted_ranges_agree_with_a_walk(void **st)
{
	uint32_t seed = 1;
	for (unsigned round = 0; round < 200; round++) {
		char text[20][64];
		const char *list[20];
		uint32_t first[20], last[20];
		for (size_t i = 0; i < 20; i++) {
			seed = seed * 1664525 + 1013904223;
			first[i] = 0x08000000 + (seed >> 16 & 0xff);
			last[i] = first[i] + (seed >> 24 & 31);
			struct addr a = v4_addr(first[i]), b = v4_addr(last[i]);
			char t1[ADDR_TEXT_CAP], t2[ADDR_TEXT_CAP];
			snprintf(text[i], sizeof text[i], "%.20s-%.20s", addr_format_ip(&a, t1),
				addr_format_ip(&b, t2));
			list[i] = text[i];
		}
		struct turn_policy *p =
			make(&(struct turn_policy_cfg){.deny = list, .n_deny = round % 21});
		for (uint32_t v = 0x07fffff0; v < 0x08000200; v++) {
			bool want = true;
			for (size_t i = 0; i < round % 21; i++)
				want &= v < first[i] || v > last[i];
			struct addr a = v4_addr(v);
			assert_int_equal(turn_policy_allows(p, &a), want);
		}
		turn_policy_free(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_v4_boundary_in_every_dress),
		cmocka_unit_test(dresses_are_denied_by_default),
		cmocka_unit_test(dresses_are_seen_through_without_the_builtin_list),
		cmocka_unit_test(every_v6_boundary),
		cmocka_unit_test(switches_spare_what_they_name),
		cmocka_unit_test(allow_wins_over_one_deny_list),
		cmocka_unit_test(own_addresses_are_reachable),
		cmocka_unit_test(tcp_reaches_no_service_of_this_machine),
		cmocka_unit_test(wrong_entries_are_named),
		cmocka_unit_test(sorted_ranges_agree_with_a_walk),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
