/*
 * auth: who may use the TURN server (RFC 8489 §9.2, RFC 7635): nonces, users, secrets,
 * participants, tokens.
 *
 * Sans-IO. One per worker; key material of a user is computed once and kept as keyed HMAC state in
 * a bounded cache.
 * Nonces are stateless: made and checked with a key that all workers share, bound to the client's
 * IP address and a time
 * bucket, with the RFC 8489 nonce cookie and its security feature bits. Compares are constant time.
 * Secrets are wiped. Names and passwords are taken as they are: ASCII, and other text in NFC (RFC 8265 §4.2,
 * which is what keyboards and editors make), so that a configuration has to hold them in that form.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/addr.h"
#include "base/err.h"
#include "base/slice.h"
#include "crypto/hmac.h"
#include "stun/stun.h"

enum {
	TURN_NONCE_KEY_LEN = 32,
	TURN_USER_MAX = 513,
	TURN_LOOKUP_KINDS = 3,
};

struct turn_static_user {
	const char *name;
	const char *password; /* or NULL with … */
	const uint8_t *key;   /* … the long-term key: 16 bytes MD5 or 32 bytes SHA-256 */
	size_t key_n;
};
struct turn_api_key {
	const char *key, *secret;
};
struct turn_oauth_key {
	const char *kid;
	const uint8_t *key;
	size_t key_n;
	const char *algorithm; /* "A256GCM" or "A128GCM" */
	uint64_t from_s, lifetime_s; /* wall clock; lifetime 0 = for ever */
};

/* Copied whole (strings too). */
struct turn_auth_cfg {
	uint8_t nonce_key[TURN_NONCE_KEY_LEN];
	const char *realm;
	const char *participant_realm; /* "livekit": same value as realm unless set otherwise */
	uint64_t nonce_lifetime_us;    /* 600 s; 0 = a nonce lives as long as the process */
	bool no_auth;
	const struct turn_static_user *users;
	size_t n_users;
	const char *const *secrets; /* REST: "expiry:name", any of them is good */
	size_t n_secrets;
	char rest_separator; /* ':'; also for "name:expiry" and "expiry" alone */
	const struct turn_api_key *api_keys; /* of per-participant credentials (see participant.h) */
	size_t n_api_keys;
	const struct turn_oauth_key *oauth_keys;
	size_t n_oauth_keys;
	const char *oauth_server_name; /* THIRD-PARTY-AUTHORIZATION and the key's name; "" = no RFC 7635 */
	/*
	 * Offer PASSWORD-ALGORITHMS, and USERHASH where all users are in `users`. Without effect if some
	 * user has an MD5 key only, and with has_lookup: who is offered SHA-256 takes it.
	 */
	bool with_sha256;
	bool has_lookup;               /* users unknown here are asked for with ops->lookup */
	uint32_t cache_users;          /* bound of the cache: keys of found, unknown and ephemeral users */
	uint64_t cache_us;             /* how long looked-up answers, good and bad, are believed */
};

enum turn_lookup_kind { TURN_LOOKUP_USER, TURN_LOOKUP_USERHASH, TURN_LOOKUP_OAUTH };

struct turn_auth_ops {
	/*
	 * Asks a database. The answer comes by turn_auth_done with the same id, later. -ERR_AGAIN:
	 * too busy.
	 */
	int (*lookup)(void *arg, uint64_t id, enum turn_lookup_kind kind, struct slice realm,
		struct slice name);
};

struct turn_auth;

MUST_CHECK int turn_auth_new(struct turn_auth **out, const struct turn_auth_cfg *cfg,
	const struct turn_auth_ops *ops, void *arg, struct errbuf *eb);
void turn_auth_free(struct turn_auth *a); /* accepts NULL */

/* Other users and secrets from now on; identities handed out stay good. The nonce key stays. */
MUST_CHECK int turn_auth_reload(
	struct turn_auth *a, const struct turn_auth_cfg *cfg, struct errbuf *eb);

/* Who sent an authenticated request. Lives in an allocation; plain data but for `name`. */
struct turn_identity {
	char *username; /* owned; what statistics and quotas go by. NULL = nobody (no_auth) */
	uint64_t user_hash; /* of realm and username, for quota.h */
	struct hmac_sha1 mac1;
	struct hmac_sha256 mac256;
	bool is_participant;
	bool is_token;        /* RFC 7635: username is the name of a key, which is another one with the next token */
	uint64_t expires_s;   /* wall clock of an ephemeral credential, token; 0 = none */
	uint64_t max_bytes_per_s; /* of the realm's or user's options; 0 = none */
};
void turn_identity_free(struct turn_identity *id);

enum turn_auth_verdict {
	TURN_AUTH_OK,
	TURN_AUTH_CHALLENGE, /* 401 with a challenge */
	TURN_AUTH_STALE,     /* 438 with a new nonce */
	TURN_AUTH_BAD,       /* 400 */
	TURN_AUTH_WRONG,     /* 401: user or password is wrong; counts as a failure of the address */
	TURN_AUTH_EXPIRED,   /* 401: an ephemeral credential is past its time (Allocate and Refresh only) */
	TURN_AUTH_WAIT,      /* *lookup names what is waited for; ask again after turn_auth_ready */
	TURN_AUTH_BUSY,      /* 500: the database cannot be asked */
	TURN_AUTH_BAD_SILENT /* 400 as per-participant credentials that are wrong get (specs: STUN 400 not 401) */
};

/*
 * Checks a request, in the order of RFC 8489 §9.2.4; FINGERPRINT and unknown attributes are the caller's.
 * known: identity of the allocation that the request is about, or NULL. If the same user asks and that key fits,
 * nothing is looked up or allocated, and *out stays empty (username NULL). In all other cases of OK *out is owned
 * by the caller (turn_identity_free), also beside `known`: then either *differs says that it is another user
 * (441, sealed with *out), or it is the same one with another key (new token, new password), and may replace it.
 * A token says nothing about whose it is: the next one on the same allocation is the same user's.
 * With no_auth everything is OK and *out empty.
 * check_expiry: for Allocate and Refresh. A Refresh that deletes is let through, and participants are refused
 * at Allocate only. *lookup is set on WAIT.
 */
enum turn_auth_verdict turn_auth_check(struct turn_auth *a, const struct stun_msg *m,
	const struct addr *client, const struct turn_identity *known, bool check_expiry,
	uint64_t now_us, uint64_t wall_s, struct turn_identity *out, bool *differs,
	uint64_t *lookup);

/* Does the request name the user that is known already? Its signature is not looked at. */
bool turn_auth_is_same(
	const struct turn_auth *a, const struct stun_msg *m, const struct turn_identity *known);

/* REALM, NONCE, PASSWORD-ALGORITHMS and THIRD-PARTY-AUTHORIZATION of a challenge, as configured. */
void turn_auth_put_challenge(
	struct turn_auth *a, struct stun_writer *w, const struct addr *client, uint64_t now_us);

/*
 * Seals an answer to a request that `id` made: with the MESSAGE-INTEGRITY kind that the request
 * had. id NULL: none.
 */
MUST_CHECK int turn_auth_seal(struct stun_writer *w, const struct turn_identity *id,
	const struct stun_msg *request, bool with_fingerprint, struct slice *out);

/*
 * The answer to a look-up: the key (16 or 32 bytes), or none for "no such user"; failed: the
 * database did not answer.
 */
struct turn_lookup_result {
	bool is_found, is_failed;
	struct slice username; /* of a USERHASH look-up */
	struct slice key;
	const char *algorithm; /* oauth */
	uint64_t from_s, lifetime_s;
	uint64_t max_bytes_per_s;
};
void turn_auth_done(
	struct turn_auth *a, uint64_t id, const struct turn_lookup_result *r, uint64_t now_us);
