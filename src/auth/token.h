/*
 * token: access tokens, which are JWTs signed with HS256 (RFC 7515, RFC 7519).
 *
 * Pure computation on the caller's thread: no clock, no I/O, no state. Callers: front/ and signal/
 * (every request), api/, webhook/, the token subcommand. The same functions sign webhooks (claim
 * sha256) and refresh tokens.
 */
#pragma once
#include <stdint.h>
#include "auth/grants.h"
#include "auth/keys.h"
#include "base/err.h"
#include "base/slice.h"

enum {
	AUTH_TOKEN_MAX = 64 * 1024, /* bytes */
	AUTH_LEEWAY_S = 60,         /* a clock may be off by this, for exp and nbf */
};

/*
 * Verifies a token at the Unix time now_s and reads its claims. Unknown claims are ignored; exp is
 * mandatory; the identity is sub, or jti without one. 0 and *out owned by the caller (grants_free),
 * or -ERR_AUTH (HTTP 401) with the text of the answer in `eb`: "invalid authorization token"  not a
 * JWT, or not one we read "invalid API key"              the issuer is not one of our keys "invalid
 * token: …"             signature, algorithm, time, or a claim of the wrong type *out is NULL then.
 */
MUST_CHECK int auth_verify(const struct auth_keys *keys, struct slice token, uint64_t now_s,
	struct grants **out, struct errbuf *eb);

/*
 * Signs a token with the secret of `api_key`, valid from now_s for ttl_s seconds. With a video
 * grant, every permission that has a default is written explicitly. 0 and *out owned by the caller
 * (xfree), -ERR_NOT_FOUND for an unknown key, -ERR_TOO_LARGE past AUTH_TOKEN_MAX, -ERR_MALFORMED
 * for a string that is not UTF-8.
 */
MUST_CHECK int auth_mint(const struct auth_keys *keys, const char *api_key, const struct grants *g,
	uint64_t ttl_s, uint64_t now_s, char **out);
