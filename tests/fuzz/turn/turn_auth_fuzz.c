/*
 * An authenticator with every source of users, and a message as it comes; then its attributes once more with a good
 * nonce in front, and sealed with alice's key, so that what lies behind is reached. Nothing but her name may pass.
 * Look-ups are answered from the input's first byte.
 */
#include <openssl/evp.h>
#include <stdlib.h>

#include "base/macros.h"
#include "base/mem.h"
#include "turn/auth.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

#define CHECK(x)                                                                                   \
	do {                                                                                       \
		if (!(x))                                                                          \
			abort();                                                                   \
	} while (0)

enum { NOW_US = 1000000000, WALL_S = 1700000000 };

static int on_lookup(void *arg, uint64_t id, enum turn_lookup_kind kind, struct slice realm,
	struct slice name)
{
	uint64_t *last = arg;
	CHECK(id > *last && kind <= TURN_LOOKUP_OAUTH && slice_eq_str(realm, "example.org") && name.n);
	*last = id;
	return 0;
}

static struct turn_auth *make(uint64_t *last)
{
	static const struct turn_auth_ops ops = {on_lookup};
	static const struct turn_static_user users[] = {{"alice", "wonderland", NULL, 0}};
	static const char *const secrets[] = {"secret"};
	static const struct turn_api_key api_keys[] = {{"devkey", "secret"}};
	static const struct turn_oauth_key oauth_keys[] = {
		{"kid1", (const uint8_t *)"0123456789abcdef", 16, "A128GCM", 0, 0}};
	struct turn_auth *a;
	struct turn_auth_cfg cfg = {.realm = "example.org",
		.users = users,
		.n_users = 1,
		.secrets = secrets,
		.n_secrets = 1,
		.api_keys = api_keys,
		.n_api_keys = 1,
		.oauth_keys = oauth_keys,
		.n_oauth_keys = 1,
		.oauth_server_name = "turn.example.org",
		.has_lookup = true,
		.cache_users = 2,
		.cache_us = 1000000};
	CHECK(turn_auth_new(&a, &cfg, &ops, last, NULL) == 0);
	return a;
}

static enum turn_auth_verdict check(
	struct turn_auth *a, const struct addr *client, struct slice d, uint8_t dice)
{
	struct stun_msg m;
	struct turn_identity id, again;
	bool differs;
	uint64_t lookup = 0;
	if (stun_parse(&m, d))
		return TURN_AUTH_BAD;
	enum turn_auth_verdict v =
		turn_auth_check(a, &m, client, NULL, true, NOW_US, WALL_S, &id, &differs, &lookup);
	CHECK((v == TURN_AUTH_OK) == (id.username != NULL));
	CHECK((v == TURN_AUTH_WAIT) == (lookup != 0));
	if (v == TURN_AUTH_WAIT) {
		uint8_t key[32] = {dice};
		struct turn_lookup_result r = {.is_found = dice & 1,
			.is_failed = dice & 2,
			.key = slice_of(key, dice >> 2 & 63 ? 16 : 32),
			.username = slice_str("dora"),
			.algorithm = dice & 4 ? "A128GCM" : "x"};
		turn_auth_done(a, lookup, &r, NOW_US);
		v = turn_auth_check(
			a, &m, client, NULL, true, NOW_US, WALL_S, &id, &differs, &lookup);
		CHECK(v != TURN_AUTH_WAIT);
	}
	if (v == TURN_AUTH_OK) {
		CHECK(turn_auth_check(a, &m, client, &id, false, NOW_US, WALL_S, &again, &differs,
			      &lookup) == TURN_AUTH_OK);
		CHECK(!differs && !again.username);
		CHECK(strcmp(id.username, "alice") == 0);
	}
	turn_identity_free(&id);
	return v;
}

/* The input's attributes behind a good realm and nonce; alice's own name as well if the dice say so. */
static void check_sealed(struct turn_auth *a, const struct addr *client, const uint8_t *p, size_t n,
	uint8_t dice)
{
	uint8_t mem[4000], challenge[300], key[16];
	struct stun_writer w;
	struct stun_msg m;
	struct slice d;
	struct hmac_sha1 mac1;
	struct hmac_sha256 mac256;
	const uint8_t tid[STUN_TID_LEN] = {0};
	stun_begin(&w, challenge, sizeof challenge, STUN_ALLOCATE, STUN_ERROR, tid);
	turn_auth_put_challenge(a, &w, client, NOW_US);
	CHECK(turn_auth_seal(&w, NULL, NULL, false, &d) == 0 && stun_parse(&m, d) == 0);
	stun_begin(&w, mem, sizeof mem, STUN_ALLOCATE, STUN_REQUEST, tid);
	stun_put(&w, STUN_ATTR_REALM, m.realm.p, m.realm.n);
	stun_put(&w, STUN_ATTR_NONCE, m.nonce.p, m.nonce.n);
	if (dice & 8)
		stun_put(&w, STUN_ATTR_USERNAME, "alice", 5);
	if (n % 4 || n > sizeof mem - w.n - 100)
		return;
	memcpy(mem + w.n, p, n);
	w.n += n;
	static const char text[] = "alice:example.org:wonderland";
	CHECK(EVP_Q_digest(NULL, "MD5", NULL, text, strlen(text), key, NULL) == 1);
	hmac_sha1_init(&mac1, key, sizeof key);
	hmac_sha256_init(&mac256, key, sizeof key);
	if (stun_seal_with(&w, dice & 16 ? NULL : &mac1, dice & 32 ? &mac256 : NULL, true, &d) == 0)
		check(a, client, d, dice);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	uint64_t last = 0;
	struct addr client;
	const uint8_t ip[4] = {192, 0, 2, 1};
	if (n < 1 || addr_from_bytes(&client, ip, 4, 1))
		return 0;
	struct turn_auth *a = make(&last);
	check(a, &client, slice_of(p + 1, n - 1), p[0]);
	check_sealed(a, &client, p + 1, n - 1, p[0]);
	turn_auth_free(a);
	return 0;
}
