/*
 * cookie: a DTLS server proves that a client's address is real before it keeps anything for it (RFC 6347 §4.2.1).
 *
 * Stateless: the cookie is a MAC over the address. What is answered is shorter than what was asked. Bytes in, bytes
 * out; callers: turnd/. An association over ICE needs none of this.
 */
#pragma once
#include <stdint.h>
#include "base/addr.h"
#include "crypto/hmac.h"

enum {
	DTLS_COOKIE_LEN = 16,
	DTLS_COOKIE_ANSWER_LEN = 13 + 12 + 3 + DTLS_COOKIE_LEN, /* a HelloVerifyRequest */
	DTLS_COOKIE_SECRET_LEN = 32,
	DTLS_RANDOM_LEN = 32,
};

struct dtls_cookies {
	struct hmac_sha256 now, before;
	uint64_t turned_us;
};

/* secret: DTLS_COOKIE_SECRET_LEN random bytes. */
void dtls_cookies_init(struct dtls_cookies *c, const uint8_t *secret, uint64_t now_us);

/* True when the secret is a minute old: call dtls_cookies_turn. Cookies of the one before still count. */
bool dtls_cookies_are_old(const struct dtls_cookies *c, uint64_t now_us);
void dtls_cookies_turn(struct dtls_cookies *c, const uint8_t *secret, uint64_t now_us);

enum dtls_hello {
	DTLS_HELLO_BAD,    /* no whole ClientHello at the front: drop */
	DTLS_HELLO_ASKED,  /* `answer` holds a HelloVerifyRequest for `from` */
	DTLS_HELLO_PROVEN, /* the cookie is ours: a state may be made */
};

/* Judges a datagram. *random points at DTLS_RANDOM_LEN bytes in it, but for DTLS_HELLO_BAD. */
enum dtls_hello dtls_cookie_check(const struct dtls_cookies *c, const struct addr *from,
	struct slice datagram, const uint8_t **random, uint8_t answer[DTLS_COOKIE_ANSWER_LEN]);

/* True if the datagram begins with a ClientHello of a new association. */
bool dtls_is_client_hello(struct slice datagram);
