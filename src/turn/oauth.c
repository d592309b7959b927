/*
 * oauth: self-contained tokens of third-party authorization (RFC 7635 §6.2), AES-GCM.
 *
 *   | nonce length 16 | nonce | encrypted: key length 16, MAC key, timestamp 64, lifetime 32 | tag 16 bytes |
 *
 * The associated data are the name of the TURN server.
 */
#include <string.h>

#include "base/mem.h"
#include "crypto/aead.h"
#include "turn/auth_internal.h"

enum {
	GCM_NONCE_LEN = 12,
	GCM_TAG_LEN = 16,
	KEY_128 = 16,
	KEY_256 = 32,
	INNER_MAX = 2 + OAUTH_MAC_KEY_MAX + 8 + 4,
	CLOCK_DELTA_S = 5, /* RFC 7635 §4.1.1 */
};

int oauth_key_set(struct oauth_key *k, struct slice key, const char *algorithm, uint64_t from_s,
	uint64_t lifetime_s)
{
	bool is_256 = algorithm && strcmp(algorithm, "A256GCM") == 0;
	size_t want = is_256 ? KEY_256 : KEY_128;
	if (!is_256 && (!algorithm || strcmp(algorithm, "A128GCM") != 0))
		return -ERR_CONFIG;
	if (key.n < want)
		return -ERR_CONFIG;
	*k = (struct oauth_key){.is_256 = is_256, .from_s = from_s, .lifetime_s = lifetime_s};
	memcpy(k->key, key.p, want);
	return 0;
}

static int decrypt(const struct oauth_key *k, const char *server_name, struct slice nonce,
	struct slice inner, const uint8_t *tag, uint8_t *out)
{
	struct aead *a = aead_new(NULL, k->is_256 ? AEAD_GCM256 : AEAD_GCM128, k->key, NULL);
	uint8_t tag_copy[GCM_TAG_LEN];
	if (!a)
		return -ERR_AUTH;
	memcpy(tag_copy, tag, sizeof tag_copy);
	struct aead_job job = {
		.aad = (const uint8_t *)server_name,
		.aad_len = strlen(server_name),
		.in = inner.p,
		.out = out,
		.len = inner.n,
		.tag = tag_copy,
	};
	memcpy(job.iv, nonce.p, nonce.n);
	int err = aead_open(a, &job);
	aead_free(a);
	return err;
}

int oauth_token_open(const struct oauth_key *k, const char *server_name, struct slice token,
	struct oauth_token *out)
{
	uint8_t plain[INNER_MAX];
	struct cursor c = cursor_of(token);
	if (cursor_u16(&c) != GCM_NONCE_LEN)
		return -ERR_MALFORMED;
	struct slice nonce = cursor_take(&c, GCM_NONCE_LEN);
	if (!c.ok || c.left < GCM_TAG_LEN || c.left - GCM_TAG_LEN > sizeof plain)
		return -ERR_MALFORMED;
	struct slice inner = cursor_take(&c, c.left - GCM_TAG_LEN);
	int err = decrypt(k, server_name, nonce, inner, c.p, plain);
	if (err)
		goto out;
	c = cursor_of(slice_of(plain, inner.n));
	size_t n = cursor_u16(&c);
	struct slice mac_key = cursor_take(&c, n);
	/* 48 bits of seconds, 16 of fractions. */
	uint64_t high = cursor_u32(&c), low = cursor_u32(&c);
	uint32_t lifetime_s = cursor_u32(&c);
	if (!c.ok || c.left || n < OAUTH_MAC_KEY_MIN || n > OAUTH_MAC_KEY_MAX) {
		err = -ERR_MALFORMED;
		goto out;
	}
	*out = (struct oauth_token){.mac_key_n = n, .issued_s = high << 16 | low >> 16};
	out->lifetime_s = lifetime_s;
	memcpy(out->mac_key, mac_key.p, n);
out:
	secret_wipe(plain, sizeof plain);
	return err;
}

bool oauth_is_current(const struct oauth_key *k, const struct oauth_token *t, uint64_t wall_s)
{
	uint64_t away = wall_s > t->issued_s ? wall_s - t->issued_s : t->issued_s - wall_s;
	uint64_t age = wall_s > k->from_s ? wall_s - k->from_s : 0;
	if (k->from_s > wall_s && k->from_s - wall_s > CLOCK_DELTA_S)
		return false;
	if (k->lifetime_s && age > k->lifetime_s && age - k->lifetime_s > CLOCK_DELTA_S)
		return false;
	return away < t->lifetime_s + CLOCK_DELTA_S;
}
