/* auth_internal: what the files of the TURN server's authentication share. */
#pragma once
#include <openssl/evp.h>
#include "base/list.h"
#include "base/map.h"
#include "turn/auth.h"

/* ---------------------------------------------------------------- nonce.c */

enum {
	NONCE_COOKIE_LEN = 9,
	NONCE_FEATURES_LEN = 4,
	NONCE_OWN_LEN = 16, /* time and tag, 12 bytes */
	NONCE_MAX = NONCE_COOKIE_LEN + NONCE_FEATURES_LEN + NONCE_OWN_LEN,
};
/* STUN Security Features, bit 0 is the first of 24 (RFC 8489 §18.1). */
#define FEATURE_PASSWORD_ALGORITHMS UINT32_C(0x800000)
#define FEATURE_USERNAME_ANONYMITY UINT32_C(0x400000)

/* Without features there is no cookie. Returns the length. */
size_t nonce_make(char out[NONCE_MAX], const uint8_t key[TURN_NONCE_KEY_LEN], uint32_t features,
	const struct addr *client, uint64_t now_us);

/* True if it was made for this address with these features no longer ago than `lifetime_us` (0 = ever). */
bool nonce_is_good(struct slice nonce, const uint8_t key[TURN_NONCE_KEY_LEN], uint32_t features,
	const struct addr *client, uint64_t now_us, uint64_t lifetime_us);

/* ---------------------------------------------------------------- oauth.c */

enum { OAUTH_KEY_MAX = 32, OAUTH_MAC_KEY_MIN = 16, OAUTH_MAC_KEY_MAX = 64 };

/* Key that authorization server and TURN server share (RFC 7635 §4.1). */
struct oauth_key {
	uint8_t key[OAUTH_KEY_MAX];
	bool is_256;
	uint64_t from_s, lifetime_s; /* lifetime 0 = for ever */
};

struct oauth_token {
	uint8_t mac_key[OAUTH_MAC_KEY_MAX];
	size_t mac_key_n;
	uint64_t issued_s, lifetime_s;
};

/* A longer key is cut, as coturn does. -ERR_CONFIG: algorithm or length. */
MUST_CHECK int oauth_key_set(struct oauth_key *k, struct slice key, const char *algorithm,
	uint64_t from_s, uint64_t lifetime_s);

/* Decrypts and takes apart; looks at no clock. -ERR_AUTH, -ERR_MALFORMED. The caller wipes *out. */
MUST_CHECK int oauth_token_open(const struct oauth_key *k, const char *server_name,
	struct slice token, struct oauth_token *out);

/* Is the time within the key's and the token's? */
bool oauth_is_current(const struct oauth_key *k, const struct oauth_token *t, uint64_t wall_s);

/* ---------------------------------------------------------------- auth_conf.c */

/* One long-term key as keyed states. */
struct user_key {
	struct hmac_sha1 mac1;
	struct hmac_sha256 mac256;
};

enum key_alg { KEY_MD5, KEY_SHA256, KEY_ALG_N };

struct static_user {
	char *name;
	bool has[KEY_ALG_N];
	struct user_key key[KEY_ALG_N];
};

/* What a configuration says, in the form in which requests ask for it. */
struct auth_conf {
	char *realm, *participant_realm, *server_name;
	uint64_t nonce_lifetime_us, cache_us;
	uint32_t cache_users, features;
	bool no_auth, has_lookup;
	uint8_t separator;
	struct static_user *users;
	size_t n_users;
	struct map users_by_name, users_by_hash;
	struct hmac_sha1 *secrets;
	size_t n_secrets;
	struct map api_secrets; /* by API key: char * */
	struct map oauth_keys;  /* by kid: struct oauth_key */
	EVP_MD *md5;
	uint8_t offered[8]; /* value of PASSWORD-ALGORITHMS */
};

MUST_CHECK int auth_conf_new(
	struct auth_conf **out, const struct turn_auth_cfg *cfg, struct errbuf *eb);
void auth_conf_free(struct auth_conf *c);

/* The key of a long-term credential: hash of "name:realm:password" (RFC 8489 §9.2.2, §18.5.1). */
void key_from_password(struct user_key *out, const struct auth_conf *c, enum key_alg alg,
	struct slice name, struct slice realm, struct slice password);
void key_from_bytes(struct user_key *out, const void *key, size_t n);

/* ---------------------------------------------------------------- auth_cache.c */

enum cache_kind { CACHE_USER, CACHE_USERHASH, CACHE_OAUTH, CACHE_REST, CACHE_PARTICIPANT };
enum cache_state { CACHE_PENDING, CACHE_FOUND, CACHE_ABSENT, CACHE_FAILED };

struct cache_entry {
	struct list lru;
	uint8_t *id; /* kind, algorithm, realm number, name */
	size_t id_n;
	enum cache_state state;
	uint64_t lookup;           /* CACHE_PENDING: what it is called */
	uint64_t until_us;         /* then it is forgotten; UINT64_MAX = never by age */
	uint64_t expires_s;        /* of the credential; 0 = none */
	uint64_t max_bytes_per_s;
	enum key_alg alg;          /* of `key` */
	struct user_key key;
	struct oauth_key oauth;
	char *username;            /* of a USERHASH */
};

struct auth_cache {
	struct map map;
	struct list lru; /* the oldest first */
	size_t n, max;
};

enum { CACHE_ID_MAX = 3 + STUN_USERNAME_MAX };
size_t cache_id(uint8_t out[CACHE_ID_MAX], enum cache_kind kind, enum key_alg alg, unsigned realm,
	struct slice name);

void cache_init(struct auth_cache *c, size_t max);
void cache_free(struct auth_cache *c);
/* Forgets all but what is being asked for. */
void cache_flush(struct auth_cache *c);
/* Finds and makes it the newest; NULL also for what is too old, which is then gone. */
struct cache_entry *cache_find(struct auth_cache *c, const uint8_t *id, size_t n, uint64_t now_us);
/* A new one in the place of the oldest if need be; NULL if all are pending. */
struct cache_entry *cache_add(struct auth_cache *c, const uint8_t *id, size_t n, uint64_t now_us);
struct cache_entry *cache_find_lookup(struct auth_cache *c, uint64_t lookup);

/* ---------------------------------------------------------------- auth_check.c, auth.c */

struct turn_auth {
	struct auth_conf *conf;
	uint8_t nonce_key[TURN_NONCE_KEY_LEN];
	const struct turn_auth_ops *ops;
	void *arg;
	struct auth_cache cache;
	uint64_t next_lookup;
	struct user_key dummy; /* of nobody: what unknown users are compared with, so that they take as long */
};
