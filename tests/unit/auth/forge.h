/* forge: tokens with any header and claims, signed or not, for tests of auth_verify. */
#pragma once
#include "base/base64.h"
#include "base/mem.h"
#include "crypto/hmac.h"

/* header.claims.mac over the texts as they are. Returns owned: xfree. */
static inline char *forge(struct slice header, struct slice claims, const char *secret)
{
	struct buf token;
	buf_init(&token, 4 << 20);
	base64_encode(&token, header, BASE64_URL_NO_PAD);
	buf_add_byte(&token, '.');
	base64_encode(&token, claims, BASE64_URL_NO_PAD);
	struct hmac_sha256 state;
	struct slice text = buf_slice(&token);
	uint8_t mac[HMAC_SHA256_LEN];
	hmac_sha256_init(&state, secret, strlen(secret));
	hmac_sha256(&state, &text, 1, mac);
	buf_add_byte(&token, '.');
	base64_encode(&token, slice_of(mac, sizeof mac), BASE64_URL_NO_PAD);
	return buf_take(&token);
}
