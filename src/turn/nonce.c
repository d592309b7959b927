/*
 * nonce: nonces that need no memory (RFC 8489 §9.2, §18.1).
 *
 *   "obMatJos2" features, 24 bits | time of making, 32 bits in seconds, tag, 64 bits     all in base64
 *
 * The tag is SipHash-2-4, a MAC for short messages, over the time, the features and the client's IP address. A
 * forged one would win nothing but the age of a nonce, so 64 bits are plenty, and the 401 stays short.
 */
#include "base/macros.h"
#include "base/mem.h"
#include "base/siphash.h"
#include "turn/auth_internal.h"

static const char cookie[NONCE_COOKIE_LEN + 1] = "obMatJos2";
static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

enum { TIME_LEN = 4, TAG_LEN = 8 };

/* SipHash-2-4 over whole words. */
static uint64_t sip_words(const uint8_t key[16], const uint64_t *words, size_t n)
{
	struct siphash s = siphash_begin(rd64(key), rd64(key + 8));
	for (size_t i = 0; i < n; i++)
		siphash_word(&s, words[i], 2);
	siphash_word(&s, (uint64_t)(n * 8) << 56, 2);
	return siphash_end(&s, 4);
}

static uint64_t tag_of(const uint8_t key[TURN_NONCE_KEY_LEN], uint32_t features,
	const struct addr *client, uint32_t made_s)
{
	struct slice ip = addr_ip(client);
	uint8_t wide[16] = {0};
	memcpy(wide, ip.p, ip.n);
	uint64_t words[] = {(uint64_t)features << 32 | made_s, ip.n, rd64(wide), rd64(wide + 8)};
	/* All of the key goes in: half of it is the MAC's, half of it the first words. */
	uint64_t all[2 + ARRAY_LEN(words)] = {rd64(key + 16), rd64(key + 24)};
	memcpy(all + 2, words, sizeof words);
	return sip_words(key, all, ARRAY_LEN(all));
}

static void put24(char *out, uint32_t v)
{
	for (unsigned i = 0; i < 4; i++)
		out[i] = alphabet[v >> (18 - 6 * i) & 63];
}

static size_t write_nonce(char out[NONCE_MAX], const uint8_t key[TURN_NONCE_KEY_LEN],
	uint32_t features, const struct addr *client, uint32_t made_s)
{
	uint8_t own[TIME_LEN + TAG_LEN];
	size_t n = 0;
	if (features) {
		memcpy(out, cookie, NONCE_COOKIE_LEN);
		put24(out + NONCE_COOKIE_LEN, features);
		n = NONCE_COOKIE_LEN + NONCE_FEATURES_LEN;
	}
	wr32(own, made_s);
	wr64(own + TIME_LEN, tag_of(key, features, client, made_s));
	for (size_t i = 0; i < sizeof own; i += 3, n += 4)
		put24(out + n, rd24(own + i));
	return n;
}

size_t nonce_make(char out[NONCE_MAX], const uint8_t key[TURN_NONCE_KEY_LEN], uint32_t features,
	const struct addr *client, uint64_t now_us)
{
	return write_nonce(out, key, features, client, (uint32_t)(now_us / 1000000));
}

/* False for a character that is not of the alphabet. */
static bool take24(const uint8_t *text, uint32_t *v)
{
	*v = 0;
	for (unsigned i = 0; i < 4; i++) {
		const char *c = text[i] ? strchr(alphabet, text[i]) : NULL;
		if (!c)
			return false;
		*v = *v << 6 | (uint32_t)(c - alphabet);
	}
	return true;
}

bool nonce_is_good(struct slice nonce, const uint8_t key[TURN_NONCE_KEY_LEN], uint32_t features,
	const struct addr *client, uint64_t now_us, uint64_t lifetime_us)
{
	char want[NONCE_MAX];
	uint32_t high, low, now_s = (uint32_t)(now_us / 1000000);
	size_t front = features ? NONCE_COOKIE_LEN + NONCE_FEATURES_LEN : 0;
	if (nonce.n != front + NONCE_OWN_LEN || !take24(nonce.p + front, &high) ||
		!take24(nonce.p + front + 4, &low))
		return false;
	uint32_t made_s = high << 8 | low >> 16;
	if (made_s > now_s || (lifetime_us && now_s - made_s > lifetime_us / 1000000))
		return false;
	write_nonce(want, key, features, client, made_s);
	return secret_eq(want, nonce.p, nonce.n);
}
