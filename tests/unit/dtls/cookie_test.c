#include "../cm.h"
#include <stdlib.h>
#include <string.h>
#include "dtls/cookie.h"

enum { COOKIE_AT = 13 + 12 + 2 + 32 + 1, HELLO_CAP = 200 };

static const uint8_t secret[3][DTLS_COOKIE_SECRET_LEN] = {{1}, {2}, {3}};

static struct addr from(const char *ip, uint16_t port)
{
	struct addr a;
	assert_int_equal(addr_parse_ip(&a, slice_str(ip), port), 0);
	return a;
}

/* A ClientHello with one suite and this cookie. */
static size_t hello(uint8_t out[HELLO_CAP], const uint8_t *cookie, size_t n)
{
	static const uint8_t tail[] = {0, 2, 0xc0, 0x2b, 1, 0};
	uint8_t *body = out + 25;
	size_t len = 2 + 32 + 1 + 1 + n + sizeof tail;
	memset(out, 0, HELLO_CAP);
	out[0] = 22;
	wr16(out + 1, 0xfeff);
	out[10] = 7; /* record number */
	wr16(out + 11, (uint16_t)(12 + len));
	out[13] = 1;
	wr24(out + 14, (uint32_t)len);
	wr24(out + 22, (uint32_t)len);
	wr16(body, 0xfefd);
	memset(body + 2, 0x55, 32);
	body[35] = (uint8_t)n;
	if (n)
		memcpy(body + 36, cookie, n);
	memcpy(body + 36 + n, tail, sizeof tail);
	return 25 + len;
}

static enum dtls_hello check(const struct dtls_cookies *c, const struct addr *a, const uint8_t *p,
	size_t n, uint8_t answer[DTLS_COOKIE_ANSWER_LEN])
{
	const uint8_t *random;
	uint8_t *copy = malloc(n ? n : 1);
	assert_non_null(copy);
	memcpy(copy, p, n);
	enum dtls_hello h = dtls_cookie_check(c, a, slice_of(copy, n), &random, answer);
	if (h != DTLS_HELLO_BAD)
		assert_int_equal(random[0], 0x55);
	free(copy);
	return h;
}

static void the_cookie_comes_back(void **state)
{
	(void)state;
	struct dtls_cookies c;
	uint8_t p[HELLO_CAP], answer[DTLS_COOKIE_ANSWER_LEN];
	struct addr a = from("192.0.2.1", 5000), other_port = from("192.0.2.1", 5001),
		    other = from("192.0.2.2", 5000);
	dtls_cookies_init(&c, secret[0], 0);
	size_t n = hello(p, NULL, 0);
	assert_int_equal(check(&c, &a, p, n, answer), DTLS_HELLO_ASKED);
	assert_true(sizeof answer < n);
	/* HelloVerifyRequest, DTLS 1.0, the record number of the question, its length twice. */
	assert_int_equal(answer[0], 22);
	assert_int_equal(rd16(answer + 1), 0xfeff);
	assert_int_equal(answer[10], 7);
	assert_int_equal(rd16(answer + 11), sizeof answer - 13);
	assert_int_equal(answer[13], 3);
	assert_int_equal(rd24(answer + 14), sizeof answer - 25);
	assert_int_equal(answer[27], DTLS_COOKIE_LEN);

	n = hello(p, answer + 28, DTLS_COOKIE_LEN);
	assert_int_equal(check(&c, &a, p, n, answer), DTLS_HELLO_PROVEN);
	assert_int_equal(check(&c, &other_port, p, n, answer), DTLS_HELLO_ASKED);
	assert_int_equal(check(&c, &other, p, n, answer), DTLS_HELLO_ASKED);
	p[COOKIE_AT + 3] ^= 1;
	assert_int_equal(check(&c, &a, p, n, answer), DTLS_HELLO_ASKED);
}

static void a_cookie_lives_for_one_turn_of_the_secret(void **state)
{
	(void)state;
	struct dtls_cookies c;
	uint8_t p[HELLO_CAP], answer[DTLS_COOKIE_ANSWER_LEN];
	struct addr a = from("2001:db8::1", 5000);
	dtls_cookies_init(&c, secret[0], 1000);
	assert_false(dtls_cookies_are_old(&c, 60 * 1000 * 1000));
	assert_true(dtls_cookies_are_old(&c, 61 * 1000 * 1000));
	(void)check(&c, &a, p, hello(p, NULL, 0), answer);
	size_t n = hello(p, answer + 28, DTLS_COOKIE_LEN);
	dtls_cookies_turn(&c, secret[1], 61 * 1000 * 1000);
	assert_int_equal(check(&c, &a, p, n, answer), DTLS_HELLO_PROVEN);
	dtls_cookies_turn(&c, secret[2], 122 * 1000 * 1000);
	assert_int_equal(check(&c, &a, p, n, answer), DTLS_HELLO_ASKED);
}

static void what_is_not_whole_is_dropped(void **state)
{
	(void)state;
	struct dtls_cookies c;
	uint8_t p[HELLO_CAP], answer[DTLS_COOKIE_ANSWER_LEN];
	struct addr a = from("192.0.2.1", 5000);
	dtls_cookies_init(&c, secret[0], 0);
	size_t n = hello(p, NULL, 0);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(check(&c, &a, p, i, answer), DTLS_HELLO_BAD);
	static const struct {
		size_t at;
		uint8_t value;
	} wrong[] = {
		{0, 23}, {1, 3}, {4, 1}, {13, 2}, {21, 1}, {24, 1}, {59, 33}, {60, 200}, {62, 250}};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		n = hello(p, NULL, 0);
		p[wrong[i].at] = wrong[i].value;
		assert_int_equal(check(&c, &a, p, n, answer), DTLS_HELLO_BAD);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_cookie_comes_back),
		cmocka_unit_test(a_cookie_lives_for_one_turn_of_the_secret),
		cmocka_unit_test(what_is_not_whole_is_dropped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
