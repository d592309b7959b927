#include "fixture.h"

static void browsers_lines_are_read(void **st)
{
	static const struct {
		const char *line, *addr, *foundation, *related, *ufrag;
		enum ice_candidate_type type;
		uint32_t priority;
	} rows[] = {
		{"candidate:3885250869 1 udp 2122260223 192.168.1.5 51342 typ host generation 0 "
		 "ufrag EsAw network-id 1",
			"192.168.1.5:51342", "3885250869", NULL, "EsAw", ICE_HOST, 2122260223},
		{"a=candidate:1853887674 1 UDP 1686052607 203.0.113.5 40678 typ srflx raddr "
		 "0.0.0.0 rport 0 generation 0\r\n",
			"203.0.113.5:40678", "1853887674", "0.0.0.0:0", NULL, ICE_SRFLX,
			1686052607},
		{"candidate:842163049 1 udp 41885439 198.51.100.9 3478 typ relay raddr 203.0.113.5 "
		 "rport 40678",
			"198.51.100.9:3478", "842163049", "203.0.113.5:40678", NULL, ICE_RELAY,
			41885439},
		{"candidate:0 1 UDP 2122187007 2001:db8:0:1::77 9999 typ host",
			"[2001:db8:0:1::77]:9999", "0", NULL, NULL, ICE_HOST, 2122187007},
		{"candidate:a/+b 1 udp 1 10.0.0.9 1 typ prflx raddr x.local rport 9 x y ufrag",
			"10.0.0.9:1", "a/+b", NULL, NULL, ICE_PRFLX, 1},
		{"candidate:1 1 udp 7 ::ffff:10.0.0.9 5 typ host", "10.0.0.9:5", "1", NULL, NULL,
			ICE_HOST, 7},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct ice_candidate c;
		char text[ADDR_TEXT_CAP];
		assert_int_equal(ice_candidate_parse(&c, slice_str(rows[i].line)), 0);
		assert_string_equal(addr_format(&c.addr, text), rows[i].addr);
		assert_string_equal(c.foundation, rows[i].foundation);
		assert_int_equal(c.type, rows[i].type);
		assert_int_equal(c.priority, rows[i].priority);
		assert_int_equal(c.related.sa.sa_family != 0, rows[i].related != NULL);
		if (rows[i].related)
			assert_string_equal(addr_format(&c.related, text), rows[i].related);
		assert_true(slice_eq_str(c.ufrag, rows[i].ufrag));
	}
}

static void lines_of_no_use_are_told_from_broken_ones(void **st)
{
	static const struct {
		const char *line;
		int err;
	} rows[] = {
		{"candidate:1 1 udp 1 4d1f6f8e-1a2b.local 5 typ host", -ERR_UNSUPPORTED},
		{"candidate:1 1 udp 1 example.org 5 typ host", -ERR_UNSUPPORTED},
		{"candidate:1 1 tcp 1 10.0.0.1 9 typ host tcptype active", -ERR_UNSUPPORTED},
		{"candidate:1 1 ssltcp 1 10.0.0.1 443 typ host", -ERR_UNSUPPORTED},
		{"candidate:1 2 udp 1 10.0.0.1 5 typ host", -ERR_UNSUPPORTED},
		{"candidate:1 1 udp 1 fe80::1 5 typ host", -ERR_UNSUPPORTED},
		{"", -ERR_MALFORMED},
		{"candidate:", -ERR_MALFORMED},
		{"a=candidate", -ERR_MALFORMED},
		{"candidat:1 1 udp 1 10.0.0.1 5 typ host", -ERR_MALFORMED},
		{"candidate:1 1 udp 1 10.0.0.1 5 typ", -ERR_MALFORMED},
		{"candidate:1 1 udp 1 10.0.0.1 5 typ guest", -ERR_MALFORMED},
		{"candidate:1 1 udp 1 10.0.0.1 5 type host", -ERR_MALFORMED},
		{"candidate:1 1 udp 1 10.0.0.1 0 typ host", -ERR_MALFORMED},
		{"candidate:1 1 udp 1 10.0.0.1 65536 typ host", -ERR_MALFORMED},
		{"candidate:1 1 udp 1 10.0.0.1 5x typ host", -ERR_MALFORMED},
		{"candidate:1 1 udp 1 10.0.0.1 -5 typ host", -ERR_MALFORMED},
		{"candidate:1 1 udp 1 10.0.0.1.1 5 typ host", -ERR_MALFORMED},
		{"candidate:1 1 udp 1 10.0.0 5 typ host", -ERR_MALFORMED},
		{"candidate:1 1 udp 1 fe80::1%eth0 5 typ host", -ERR_MALFORMED},
		{"candidate:1 1 udp 1 0.0.0.0 5 typ host", -ERR_MALFORMED},
		{"candidate:1 1 udp 1 :: 5 typ host", -ERR_MALFORMED},
		{"candidate:1 1 udp 1 224.0.0.1 5 typ host", -ERR_MALFORMED},
		{"candidate:1 1 udp 1 255.255.255.255 5 typ host", -ERR_MALFORMED},
		{"candidate:1 1 udp 1 ::ffff:224.0.0.1 5 typ host", -ERR_MALFORMED},
		{"candidate:1 1 udp 1 ff02::1 5 typ host", -ERR_MALFORMED},
		{"candidate:1 1 udp 0 10.0.0.1 5 typ host", -ERR_MALFORMED},
		{"candidate:1 1 udp 2147483648 10.0.0.1 5 typ host", -ERR_MALFORMED},
		{"candidate:1 1 udp 99999999999 10.0.0.1 5 typ host", -ERR_MALFORMED},
		{"candidate:1 0 udp 1 10.0.0.1 5 typ host", -ERR_MALFORMED},
		{"candidate:1 257 udp 1 10.0.0.1 5 typ host", -ERR_MALFORMED},
		{"candidate:123456789012345678901234567890123 1 udp 1 10.0.0.1 5 typ host", -ERR_MALFORMED},
		{"candidate:1\x01 1 udp 1 10.0.0.1 5 typ host", -ERR_MALFORMED},
		{"candidate:1 1 udp 1 10.0.0.1 5 typ host ufrag \xc3\xa4", -ERR_MALFORMED},
		{"candidate:1 1 udp 1 10.0.0.1 5 typ srflx raddr 10.0.0.1 rport 99999", -ERR_MALFORMED},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct ice_candidate c;
		char *exact = xstrdup(rows[i].line);
		int err = ice_candidate_parse(&c, slice_of(exact, strlen(exact)));
		if (err != rows[i].err)
			fail_msg("%s: %d", rows[i].line, err);
		xfree(exact);
	}
}

static void what_is_formatted_is_read(void **st)
{
	static const char *const ips[] = {"192.0.2.1", "2001:db8::77"};
	for (size_t i = 0; i < 8; i++) {
		struct ice_candidate c = {
			.addr = at(ips[i & 1], 65535),
			.type = (enum ice_candidate_type)(i >> 1),
			.priority = ice_priority((enum ice_candidate_type)(i >> 1), 65535),
			.foundation = "f0und",
			.ufrag = slice_str(i & 2 ? "ufra" : ""),
		}, back;
		if (c.type != ICE_HOST)
			c.related = at(ips[i & 1], 12);
		struct buf line;
		buf_init(&line, 512);
		ice_candidate_format(&c, &line);
		assert_int_equal(ice_candidate_parse(&back, buf_slice(&line)), 0);
		assert_true(addr_eq(&back.addr, &c.addr));
		assert_int_equal(back.related.sa.sa_family, c.related.sa.sa_family);
		assert_int_equal(back.type, c.type);
		assert_int_equal(back.priority, c.priority);
		assert_string_equal(back.foundation, c.foundation);
		assert_true(slice_eq(back.ufrag, c.ufrag));
		buf_free(&line);
	}
}

static void the_line_is_as_browsers_write_it(void **st)
{
	struct ice_candidate c = {.addr = at("203.0.113.5", 7882), .type = ICE_SRFLX, .priority = 99,
		.foundation = "abc", .related = at("10.0.0.1", 9), .ufrag = slice_str("w0ab")};
	struct buf line;
	buf_init(&line, 512);
	ice_candidate_format(&c, &line);
	assert_string_equal(buf_cstr(&line), "candidate:abc 1 udp 99 203.0.113.5 7882 typ srflx "
		"raddr 10.0.0.1 rport 9 generation 0 ufrag w0ab");
	buf_free(&line);
}

static void priorities_follow_the_formula(void **st)
{
	assert_int_equal(ice_priority(ICE_HOST, 65535), 2130706431);
	assert_int_equal(ice_priority(ICE_SRFLX, 65535), 1694498815);
	assert_int_equal(ice_priority(ICE_PRFLX, 0), 110 << 24 | 255);
	assert_int_equal(ice_priority(ICE_RELAY, 1), 511);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(browsers_lines_are_read),
		cmocka_unit_test(lines_of_no_use_are_told_from_broken_ones),
		cmocka_unit_test(what_is_formatted_is_read),
		cmocka_unit_test(the_line_is_as_browsers_write_it),
		cmocka_unit_test(priorities_follow_the_formula),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
