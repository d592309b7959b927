#include "turn/participant.h"

#include <inttypes.h>
#include <openssl/sha.h>
#include <stdio.h>

#include "base/mem.h"

/*
 * Base62 by bits: six of them are one digit, but the four values that have no digit of their own (60 to 63)
 * are two, told by their first five bits, and the sixth is left for the next digit. Zeros fill the last one.
 */
static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

enum { TEXT_CAP = sizeof((struct turn_participant){0}.api_key) + 64 + 24 };

/* The text with a NUL; -ERR_NO_ROOM. */
static int encode62(struct slice in, char *out, size_t cap)
{
	size_t n = 0, bits = in.n * 8;
	for (size_t at = 0; at < bits;) {
		unsigned v = 0;
		for (size_t i = at; i < at + 6; i++)
			v = v << 1 | (i < bits ? (unsigned)in.p[i / 8] >> (7 - i % 8) & 1 : 0);
		bool is_short = v >= 60;
		if (n + 1 >= cap)
			return -ERR_NO_ROOM;
		out[n++] = digits[is_short ? 60 + (v >> 1 & 1) : v];
		at += is_short ? 5 : 6;
	}
	out[n] = 0;
	return 0;
}

/* -ERR_MALFORMED also for what encode62 would have written otherwise. */
static int decode62(struct slice text, uint8_t *out, size_t cap, size_t *n)
{
	char again[TURN_PARTICIPANT_USER_CAP];
	size_t bits = 0;
	if (text.n >= sizeof again)
		return -ERR_MALFORMED;
	memset(out, 0, cap);
	for (size_t i = 0; i < text.n; i++) {
		const char *digit = text.p[i] ? strchr(digits, text.p[i]) : NULL;
		if (!digit)
			return -ERR_MALFORMED;
		unsigned v = (unsigned)(digit - digits), width = v < 60 ? 6 : 5;
		if (v >= 60)
			v = 30 + (v - 60);
		for (unsigned bit = width; bit-- > 0; bits++) {
			if (!(v >> bit & 1))
				continue;
			if (bits / 8 >= cap)
				return -ERR_MALFORMED;
			out[bits / 8] |= (uint8_t)(0x80 >> bits % 8);
		}
	}
	*n = bits / 8;
	if (*n > cap || encode62(slice_of(out, *n), again, sizeof again) ||
		!slice_eq_str(text, again))
		return -ERR_MALFORMED;
	return 0;
}

/* "first|sid|expiry"; -ERR_NO_ROOM. */
static int join(char *out, size_t cap, const char *first, const char *sid, uint64_t expires_s)
{
	int n = snprintf(out, cap, "%s|%s|%" PRIu64, first, sid, expires_s);
	return n < 0 || (size_t)n >= cap ? -ERR_NO_ROOM : 0;
}

static void hash_password(const char *secret, const char *sid, uint64_t expires_s,
	char out[TURN_PARTICIPANT_PASSWORD_CAP])
{
	char tail[96];
	uint8_t digest[SHA256_DIGEST_LENGTH];
	size_t n = strlen(secret);
	int tail_n = snprintf(tail, sizeof tail, "|%.63s|%" PRIu64, sid, expires_s);
	uint8_t *all = xmalloc(n + sizeof tail);
	memcpy(all, secret, n);
	memcpy(all + n, tail, (size_t)tail_n);
	SHA256(all, n + (size_t)tail_n, digest);
	secret_wipe(all, n);
	xfree(all);
	/* 32 bytes are at most 52 digits. */
	if (encode62(slice_of(digest, sizeof digest), out, TURN_PARTICIPANT_PASSWORD_CAP))
		out[0] = 0;
}

int turn_participant_mint(const char *api_key, const char *secret, const char *sid,
	uint64_t expires_s, char user[TURN_PARTICIPANT_USER_CAP],
	char password[TURN_PARTICIPANT_PASSWORD_CAP])
{
	struct turn_participant check;
	char text[TEXT_CAP];
	if (!*api_key || !*sid || !expires_s || strchr(api_key, '|') || strchr(sid, '|'))
		return -ERR_MALFORMED;
	if (strlen(api_key) >= sizeof check.api_key || strlen(sid) >= sizeof check.sid)
		return -ERR_NO_ROOM;
	int err = join(text, sizeof text, api_key, sid, expires_s);
	if (!err)
		err = encode62(slice_str(text), user, TURN_PARTICIPANT_USER_CAP);
	if (err)
		return err;
	hash_password(secret, sid, expires_s, password);
	return 0;
}

static int take_part(struct slice s, char *out, size_t cap)
{
	if (!s.n || s.n >= cap)
		return -ERR_MALFORMED;
	memcpy(out, s.p, s.n);
	out[s.n] = 0;
	return 0;
}

/* Decimal, above zero, written in the one way. */
static int take_expiry(struct slice s, uint64_t *out)
{
	uint64_t v = 0;
	if (!s.n || s.n > 19 || s.p[0] == '0')
		return -ERR_MALFORMED;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return -ERR_MALFORMED;
		v = v * 10 + (s.p[i] - '0');
	}
	*out = v;
	return 0;
}

int turn_participant_parse(struct slice username, struct turn_participant *out)
{
	uint8_t text[TEXT_CAP];
	size_t n;
	if (decode62(username, text, sizeof text, &n) || memchr(text, 0, n))
		return -ERR_MALFORMED;
	const uint8_t *first = memchr(text, '|', n);
	if (!first)
		return -ERR_MALFORMED;
	size_t key_n = (size_t)(first - text);
	const uint8_t *second = memchr(first + 1, '|', n - key_n - 1);
	if (!second)
		return -ERR_MALFORMED;
	size_t sid_n = (size_t)(second - first) - 1;
	if (take_part(slice_of(text, key_n), out->api_key, sizeof out->api_key) ||
		take_part(slice_of(first + 1, sid_n), out->sid, sizeof out->sid))
		return -ERR_MALFORMED;
	return take_expiry(slice_of(second + 1, n - key_n - sid_n - 2), &out->expires_s);
}

void turn_participant_password(const struct turn_participant *p, const char *secret,
	char out[TURN_PARTICIPANT_PASSWORD_CAP])
{
	hash_password(secret, p->sid, p->expires_s, out);
}
