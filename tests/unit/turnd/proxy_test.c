#include "../cm.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "turnd/proxy.h"

static int parse(struct proxy_header *h, const void *p, size_t n)
{
	uint8_t *copy = malloc(n ? n : 1);
	assert_non_null(copy);
	memcpy(copy, p, n);
	int err = proxy_parse(h, slice_of(copy, n));
	free(copy);
	return err;
}

static int parse_text(struct proxy_header *h, const char *text)
{
	return parse(h, text, strlen(text));
}

static void has(const struct proxy_header *h, const char *client, const char *server)
{
	char text[ADDR_TEXT_CAP];
	assert_true(h->has_addrs);
	assert_string_equal(addr_format(&h->client, text), client);
	assert_string_equal(addr_format(&h->server, text), server);
}

static void version_1(void **state)
{
	(void)state;
	struct proxy_header h;
	static const char v4[] = "PROXY TCP4 192.0.2.1 198.51.100.2 5000 443\r\nrest";
	assert_int_equal(parse_text(&h, v4), 0);
	has(&h, "192.0.2.1:5000", "198.51.100.2:443");
	assert_int_equal(h.size, sizeof v4 - 1 - 4);
	assert_int_equal(parse_text(&h, "PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n"), 0);
	has(&h, "[2001:db8::1]:1", "[2001:db8::2]:65535");
	assert_int_equal(parse_text(&h, "PROXY UNKNOWN\r\n"), 0);
	assert_false(h.has_addrs);
	assert_int_equal(parse_text(&h, "PROXY UNKNOWN ffff::1 ffff::2 65535 65535 and more of it\r\nX"), 0);
	assert_false(h.has_addrs);
}

static void version_1_is_strict(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"PROXY TCP4 192.0.2.1 198.51.100.2 5000\r\n",
		"PROXY TCP4 192.0.2.1 198.51.100.2 5000 443 1\r\n",
		"PROXY TCP4 192.0.2.1 198.51.100.2 5000 65536\r\n",
		"PROXY TCP4 192.0.2.1 198.51.100.2 05000 443\r\n",
		"PROXY TCP4 192.0.2.1 198.51.100.2 -1 443\r\n",
		"PROXY TCP4 192.0.2.1  198.51.100.2 5000 443\r\n",
		"PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n",
		"PROXY TCP6 192.0.2.1 198.51.100.2 5000 443\r\n",
		"PROXY TCP6 [2001:db8::1] [2001:db8::2] 1 2\r\n",
		"PROXY TCP4 192.0.2.1 198.51.100.2 5000 443\n",
		"PROXY UDP4 192.0.2.1 198.51.100.2 5000 443\r\n",
		"PROXY UNKNOWNX\r\n",
		"PROXY \r\n",
		"proxy TCP4 192.0.2.1 198.51.100.2 5000 443\r\n",
		"GET / HTTP/1.1\r\n",
	};
	struct proxy_header h;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (parse_text(&h, bad[i]) != -ERR_MALFORMED)
			fail_msg("taken: %s", bad[i]);
	char longer[200];
	memset(longer, 'x', sizeof longer);
	memcpy(longer, "PROXY TCP4 ", 11);
	assert_int_equal(parse(&h, longer, PROXY_V1_MAX - 1), -ERR_AGAIN);
	assert_int_equal(parse(&h, longer, sizeof longer), -ERR_TOO_LARGE);
}

static const uint8_t v2[] = "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\2\1\xc6\x33\x64\2\x13\x88\1\xbb";
enum { V2_LEN = sizeof v2 - 1 };

static void version_2(void **state)
{
	(void)state;
	struct proxy_header h;
	uint8_t p[100];
	memcpy(p, v2, V2_LEN);
	assert_int_equal(parse(&h, p, V2_LEN), 0);
	has(&h, "192.0.2.1:5000", "198.51.100.2:443");
	assert_int_equal(h.size, V2_LEN);
	for (size_t n = 0; n < V2_LEN; n++)
		assert_int_equal(parse(&h, p, n), -ERR_AGAIN);
	p[12] = 0x20; /* LOCAL: its addresses say nothing */
	assert_int_equal(parse(&h, p, V2_LEN), 0);
	assert_false(h.has_addrs);
	assert_int_equal(h.size, V2_LEN);
	p[12] = 0x21;
	p[13] = 0x31; /* UNIX */
	assert_int_equal(parse(&h, p, V2_LEN), 0);
	assert_false(h.has_addrs);
	p[13] = 0x11;
	p[12] = 0x22;
	assert_int_equal(parse(&h, p, 13), -ERR_UNSUPPORTED);
	p[12] = 0x11;
	assert_int_equal(parse(&h, p, 13), -ERR_UNSUPPORTED);
	p[12] = 0x21;
	p[15] = 11;
	assert_int_equal(parse(&h, p, V2_LEN), -ERR_MALFORMED);
	p[14] = 0x20;
	assert_int_equal(parse(&h, p, V2_LEN), -ERR_TOO_LARGE);
}

static uint32_t crc32c(const uint8_t *p, size_t n)
{
	uint32_t crc = UINT32_MAX;
	for (size_t i = 0; i < n; i++)
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (((crc ^ p[i] >> bit) & 1) ? UINT32_C(0x82f63b78) : 0);
	return ~crc;
}

static void version_2_with_tlvs(void **state)
{
	(void)state;
	struct proxy_header h;
	uint8_t p[100];
	/* Authority "ab", then the checksum. */
	static const uint8_t tlvs[] = {2, 0, 2, 'a', 'b', 3, 0, 4, 0, 0, 0, 0};
	memcpy(p, v2, V2_LEN);
	memcpy(p + V2_LEN, tlvs, sizeof tlvs);
	p[15] = 12 + sizeof tlvs;
	size_t n = V2_LEN + sizeof tlvs;
	assert_int_equal(parse(&h, p, n), -ERR_MALFORMED);
	assert_int_equal(crc32c((const uint8_t *)"123456789", 9), 0xe3069283);
	wr32(p + n - 4, crc32c(p, n));
	assert_int_equal(parse(&h, p, n), 0);
	has(&h, "192.0.2.1:5000", "198.51.100.2:443");
	assert_int_equal(h.size, n);
	p[V2_LEN + 2] = 200; /* reaches past the end */
	assert_int_equal(parse(&h, p, n), -ERR_MALFORMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(version_1),
		cmocka_unit_test(version_1_is_strict),
		cmocka_unit_test(version_2),
		cmocka_unit_test(version_2_with_tlvs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
