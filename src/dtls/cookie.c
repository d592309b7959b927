#include "dtls/cookie.h"

#include "base/macros.h"
#include "base/mem.h"

enum {
	RECORD_HDR_LEN = 13,
	HANDSHAKE_HDR_LEN = 12,
	TYPE_HANDSHAKE = 22,
	CLIENT_HELLO = 1,
	HELLO_VERIFY_REQUEST = 3,
	VERSION_MAJOR = 0xfe,
	DTLS_1_0 = 0xfeff, /* of every HelloVerifyRequest (RFC 6347 §4.2.1) */
	SECRET_US = 60 * 1000 * 1000,
};

void dtls_cookies_init(struct dtls_cookies *c, const uint8_t *secret, uint64_t now_us)
{
	hmac_sha256_init(&c->now, secret, DTLS_COOKIE_SECRET_LEN);
	c->before = c->now;
	c->turned_us = now_us;
}

bool dtls_cookies_are_old(const struct dtls_cookies *c, uint64_t now_us)
{
	return now_us - c->turned_us > SECRET_US;
}

void dtls_cookies_turn(struct dtls_cookies *c, const uint8_t *secret, uint64_t now_us)
{
	c->before = c->now;
	hmac_sha256_init(&c->now, secret, DTLS_COOKIE_SECRET_LEN);
	c->turned_us = now_us;
}

static void cookie_of(const struct hmac_sha256 *secret, const struct addr *from,
	uint8_t out[HMAC_SHA256_LEN])
{
	uint8_t key[ADDR_KEY_CAP];
	struct slice part = slice_of(key, addr_key(from, key));
	hmac_sha256(secret, &part, 1, out);
}

static bool is_cookie_of(
	const struct hmac_sha256 *secret, const struct addr *from, struct slice cookie)
{
	uint8_t mac[HMAC_SHA256_LEN];
	cookie_of(secret, from, mac);
	return cookie.n == DTLS_COOKIE_LEN && secret_eq(mac, cookie.p, DTLS_COOKIE_LEN);
}

/*
 *  record     type 1, version 2, epoch 2, sequence 6, length 2
 *  handshake  type 1, length 3, message sequence 2, fragment offset 3, fragment length 3
 */
bool dtls_is_client_hello(struct slice d)
{
	return d.n > RECORD_HDR_LEN && d.p[0] == TYPE_HANDSHAKE && d.p[1] == VERSION_MAJOR &&
	       rd16(d.p + 3) == 0 && d.p[RECORD_HDR_LEN] == CLIENT_HELLO;
}

/* The two members that matter; false if the ClientHello is not whole. It may not come in fragments (§4.2.1). */
static bool read_hello(struct slice d, const uint8_t **random, struct slice *cookie)
{
	if (!dtls_is_client_hello(d))
		return false;
	struct cursor c = cursor_of(d);
	(void)cursor_take(&c, RECORD_HDR_LEN - 2);
	struct slice record = cursor_take(&c, cursor_u16(&c));
	if (!c.ok || record.n < HANDSHAKE_HDR_LEN)
		return false;
	size_t length = rd24(record.p + 1), offset = rd24(record.p + 6),
	       fragment = rd24(record.p + 9);
	if (offset != 0 || fragment != length || record.n != HANDSHAKE_HDR_LEN + length)
		return false;
	c = cursor_of(slice_of(record.p + HANDSHAKE_HDR_LEN, length));
	(void)cursor_u16(&c);
	*random = cursor_take(&c, DTLS_RANDOM_LEN).p;
	(void)cursor_take(&c, cursor_u8(&c)); /* session id */
	*cookie = cursor_take(&c, cursor_u8(&c));
	/* Suites and compression methods have to follow; what they are is for OpenSSL to judge. */
	(void)cursor_take(&c, cursor_u16(&c));
	(void)cursor_take(&c, cursor_u8(&c));
	return c.ok;
}

static void write_answer(const struct dtls_cookies *c, const struct addr *from, struct slice d,
	uint8_t answer[DTLS_COOKIE_ANSWER_LEN])
{
	enum { BODY_LEN = 3 + DTLS_COOKIE_LEN };
	uint8_t mac[HMAC_SHA256_LEN], *hs = answer + RECORD_HDR_LEN, *body = hs + HANDSHAKE_HDR_LEN;
	cookie_of(&c->now, from, mac);
	memset(answer, 0, DTLS_COOKIE_ANSWER_LEN);
	answer[0] = TYPE_HANDSHAKE;
	wr16(answer + 1, DTLS_1_0);
	memcpy(answer + 5, d.p + 5, 6); /* the record number of the question (§4.2.1) */
	wr16(answer + 11, HANDSHAKE_HDR_LEN + BODY_LEN);
	hs[0] = HELLO_VERIFY_REQUEST;
	wr24(hs + 1, BODY_LEN);
	wr24(hs + 9, BODY_LEN);
	wr16(body, DTLS_1_0);
	body[2] = DTLS_COOKIE_LEN;
	memcpy(body + 3, mac, DTLS_COOKIE_LEN);
}

enum dtls_hello dtls_cookie_check(const struct dtls_cookies *c, const struct addr *from,
	struct slice datagram, const uint8_t **random, uint8_t answer[DTLS_COOKIE_ANSWER_LEN])
{
	struct slice cookie;
	if (!read_hello(datagram, random, &cookie) || datagram.n < DTLS_COOKIE_ANSWER_LEN)
		return DTLS_HELLO_BAD;
	if (cookie.n &&
		(is_cookie_of(&c->now, from, cookie) || is_cookie_of(&c->before, from, cookie)))
		return DTLS_HELLO_PROVEN;
	/* A cookie that is too old is no reason to give up: the client gets a new one. */
	write_answer(c, from, datagram, answer);
	return DTLS_HELLO_ASKED;
}
