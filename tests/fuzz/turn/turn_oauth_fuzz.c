/*
 * A token as it comes, and one that the authorization server would have sealed over the same bytes: what is
 * behind the seal is foreign too.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "crypto/aead.h"
#include "turn/auth_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static const char server[] = "turn.example.org";

static void check(const struct oauth_key *k, struct slice token, size_t inner_n)
{
	struct oauth_token t;
	if (oauth_token_open(k, server, token, &t))
		return;
	if (t.mac_key_n < OAUTH_MAC_KEY_MIN || t.mac_key_n > OAUTH_MAC_KEY_MAX ||
		t.issued_s >> 48 || t.lifetime_s >> 32 || t.mac_key_n + 14 != inner_n)
		abort();
	(void)oauth_is_current(k, &t, 1700000000);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct oauth_key k;
	if (n > 500 ||
		oauth_key_set(&k, slice_str("0123456789abcdef0123456789ABCDEF"), "A256GCM", 0, 0))
		return 0;
	/* The nonce's length, the nonce and the tag are 30 bytes. */
	check(&k, slice_of(p, n), n < 30 ? 0 : n - 30);
	uint8_t *token = xcalloc(1, n + 30);
	token[1] = 12;
	struct aead *a = aead_new(NULL, AEAD_GCM256, k.key, NULL);
	struct aead_job job = {.aad = (const uint8_t *)server,
		.aad_len = strlen(server),
		.in = p,
		.out = token + 14,
		.len = n,
		.tag = token + 14 + n};
	aead_seal(a, &job, 1);
	aead_free(a);
	if (!job.ok)
		abort();
	check(&k, slice_of(token, n + 30), n);
	xfree(token);
	return 0;
}
