/* Nobody is proven without our cookie, and no answer is longer than what it answers. */
#include <stdlib.h>

#include "dtls/cookie.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const uint8_t secret[DTLS_COOKIE_SECRET_LEN] = {1};
	static const uint8_t from_ip[4] = {192, 0, 2, 1};
	struct dtls_cookies c;
	struct addr from;
	uint8_t answer[DTLS_COOKIE_ANSWER_LEN];
	const uint8_t *random;
	dtls_cookies_init(&c, secret, 0);
	if (addr_from_bytes(&from, from_ip, sizeof from_ip, 5000))
		abort();
	enum dtls_hello hello = dtls_cookie_check(&c, &from, slice_of(p, n), &random, answer);
	if (hello == DTLS_HELLO_PROVEN || (hello == DTLS_HELLO_ASKED && n < DTLS_COOKIE_ANSWER_LEN))
		abort();
	if (hello != DTLS_HELLO_BAD && (random < p || random + DTLS_RANDOM_LEN > p + n))
		abort();
	return 0;
}
