#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

#include "base/base64.h"
#include "base/hot.h"
#include "base/macros.h"
#include "base/mem.h"
#include "crypto/aead.h"
#include "turn/auth.h"
#include "turn/participant.h"

#define SECOND UINT64_C(1000000)
enum { ASKED_MAX = 16, WALL = 1700000000 };

struct world {
	struct turn_auth *a;
	struct addr client;
	uint64_t now_us, wall_s;
	/* Look-ups that were asked for. */
	struct {
		uint64_t id;
		enum turn_lookup_kind kind;
		char name[100];
	} asked[ASKED_MAX];
	unsigned n_asked;
	int lookup_err;
	/* Of the last check. */
	struct turn_identity id;
	bool differs;
	uint64_t lookup;
};

static int on_lookup(void *arg, uint64_t id, enum turn_lookup_kind kind, struct slice realm,
	struct slice name)
{
	struct world *w = arg;
	if (w->lookup_err)
		return w->lookup_err;
	assert_true(slice_eq_str(realm, "example.org"));
	assert_true(w->n_asked < ASKED_MAX && name.n < 100);
	w->asked[w->n_asked].id = id;
	w->asked[w->n_asked].kind = kind;
	memcpy(w->asked[w->n_asked].name, name.p, name.n);
	w->asked[w->n_asked++].name[name.n] = 0;
	return 0;
}

static const struct turn_auth_ops ops = {on_lookup};

static const struct turn_static_user users[] = {
	{"alice", "wonderland", NULL, 0},
	{"bob", "builder", NULL, 0},
	{"\xe3\x83\x9e\xe3\x83\x88", "\xc3\xa9", NULL, 0},
};
static const char *const secrets[] = {"first secret", "second secret"};
static const struct turn_api_key api_keys[] = {{"devkey", "api secret"}};
static const char oauth_key[] = "0123456789abcdef0123456789ABCDEF";
static const struct turn_oauth_key oauth_keys[] = {
	{"kid1", (const uint8_t *)oauth_key, 32, "A256GCM", 0, 0},
	/* The key is cut to what the algorithm takes: coturn's own examples end with a newline. */
	{"kid3", (const uint8_t *)oauth_key, sizeof oauth_key, "A256GCM", 0, 0}};

static struct turn_auth_cfg base_cfg(void)
{
	return (struct turn_auth_cfg){.nonce_key = {1, 2, 3},
		.realm = "example.org",
		.nonce_lifetime_us = 600 * SECOND,
		.users = users,
		.n_users = ARRAY_LEN(users),
		.rest_separator = ':',
		.oauth_server_name = "",
		.cache_users = 4,
		.cache_us = 60 * SECOND};
}

static void start(struct world *w, const struct turn_auth_cfg *cfg)
{
	struct errbuf eb = {""};
	*w = (struct world){.now_us = 1000 * SECOND, .wall_s = WALL};
	assert_int_equal(addr_parse_ip(&w->client, slice_str("192.0.2.7"), 5000), 0);
	if (turn_auth_new(&w->a, cfg, &ops, w, &eb))
		fail_msg("%s", eb.text);
}

static void stop(struct world *w)
{
	turn_identity_free(&w->id);
	turn_auth_free(w->a);
}

/* What a client sends. */
struct ask {
	const char *user, *password, *realm; /* realm NULL: as challenged */
	const char *nonce;                   /* NULL: as challenged */
	unsigned method;                     /* 0: Allocate */
	bool sha256_mac, both_macs, no_mac, no_user, no_realm, no_nonce, userhash, deletes;
	unsigned algorithm;                  /* PASSWORD-ALGORITHM; 0: neither attribute */
	bool without_list, changed_list;
	const uint8_t *mac_key; /* 20 bytes, with token */
	size_t mac_key_n;       /* fewer of them */
	struct slice token;
	const struct turn_identity *known;
	bool check_expiry, is_other_key; /* is_other_key: not the one of `known` */
};

struct challenge {
	uint8_t mem[300];
	struct stun_msg m;
};

static void challenge(struct world *w, struct challenge *c)
{
	struct stun_writer out;
	struct slice d;
	stun_begin(&out, c->mem, sizeof c->mem, STUN_ALLOCATE, STUN_ERROR, (const uint8_t *)"abcdefghijkl");
	stun_put_error(&out, 401, "Unauthorized");
	turn_auth_put_challenge(w->a, &out, &w->client, w->now_us);
	assert_int_equal(turn_auth_seal(&out, NULL, NULL, true, &d), 0);
	assert_int_equal(stun_parse(&c->m, d), 0);
	assert_int_equal(stun_verify_fingerprint(&c->m), 0);
}

static size_t long_term_key(const struct ask *q, const char *realm, uint8_t out[32])
{
	char text[600];
	int n = snprintf(text, sizeof text, "%s:%s:%s", q->user, realm, q->password ? q->password : "");
	if (q->algorithm == STUN_PASSWORD_SHA256) {
		SHA256((const uint8_t *)text, (size_t)n, out);
		return 32;
	}
	assert_int_equal(EVP_Q_digest(NULL, "MD5", NULL, text, (size_t)n, out, NULL), 1);
	return 16;
}

static void put_name(struct stun_writer *out, const struct ask *q, const char *realm)
{
	uint8_t hash[32];
	char text[600];
	if (!q->userhash) {
		stun_put(out, STUN_ATTR_USERNAME, q->user, strlen(q->user));
		return;
	}
	int n = snprintf(text, sizeof text, "%s:%s", q->user, realm);
	SHA256((const uint8_t *)text, (size_t)n, hash);
	stun_put(out, STUN_ATTR_USERHASH, hash, sizeof hash);
}

static struct slice build(uint8_t *mem, size_t cap, struct world *w, const struct ask *q)
{
	struct challenge c;
	struct stun_writer out;
	struct slice d;
	char realm[200] = "";
	uint8_t key[32], algorithm[4] = {0, (uint8_t)q->algorithm};
	struct hmac_sha1 mac1;
	struct hmac_sha256 mac256;
	challenge(w, &c);
	snprintf(realm, sizeof realm, "%.*s", (int)c.m.realm.n, (const char *)c.m.realm.p);
	if (q->realm)
		snprintf(realm, sizeof realm, "%s", q->realm);
	stun_begin(&out, mem, cap, q->method ? (enum stun_method)q->method : STUN_ALLOCATE,
		STUN_REQUEST, (const uint8_t *)"abcdefghijkl");
	if (q->deletes)
		stun_put_number(&out, STUN_ATTR_LIFETIME, 0);
	if (!q->no_user)
		put_name(&out, q, realm);
	if (!q->no_realm)
		stun_put(&out, STUN_ATTR_REALM, realm, strlen(realm));
	if (!q->no_nonce && q->nonce)
		stun_put(&out, STUN_ATTR_NONCE, q->nonce, strlen(q->nonce));
	else if (!q->no_nonce)
		stun_put(&out, STUN_ATTR_NONCE, c.m.nonce.p, c.m.nonce.n);
	struct slice list = stun_value(&c.m, STUN_ATTR_PASSWORD_ALGORITHMS);
	if (q->algorithm && !q->without_list)
		stun_put(&out, STUN_ATTR_PASSWORD_ALGORITHMS, list.p, q->changed_list ? 4 : list.n);
	if (q->algorithm)
		stun_put(&out, STUN_ATTR_PASSWORD_ALGORITHM, algorithm, sizeof algorithm);
	if (q->token.n)
		stun_put(&out, STUN_ATTR_ACCESS_TOKEN, q->token.p, q->token.n);
	size_t n = q->mac_key_n ? q->mac_key_n : q->mac_key ? 20 : long_term_key(q, realm, key);
	hmac_sha1_init(&mac1, q->mac_key ? q->mac_key : key, n);
	hmac_sha256_init(&mac256, q->mac_key ? q->mac_key : key, n);
	bool has_sha1 = !q->no_mac && (!q->sha256_mac || q->both_macs);
	bool has_sha256 = !q->no_mac && (q->sha256_mac || q->both_macs);
	assert_int_equal(stun_seal_with(&out, has_sha1 ? &mac1 : NULL, has_sha256 ? &mac256 : NULL,
				 true, &d),
		0);
	return d;
}

static enum turn_auth_verdict check(struct world *w, struct slice d, const struct ask *q)
{
	struct stun_msg m;
	assert_int_equal(stun_parse(&m, d), 0);
	turn_identity_free(&w->id);
	w->lookup = 0;
	return turn_auth_check(w->a, &m, &w->client, q->known, q->check_expiry, w->now_us,
		w->wall_s, &w->id, &w->differs, &w->lookup);
}

static enum turn_auth_verdict ask(struct world *w, struct ask q)
{
	uint8_t mem[2000];
	return check(w, build(mem, sizeof mem, w, &q), &q);
}

#define ASK(w, ...) ask(w, (struct ask){__VA_ARGS__})

static void the_order_of_refusals(void **st)
{
	struct world w;
	struct turn_auth_cfg cfg = base_cfg();
	start(&w, &cfg);
	assert_int_equal(ASK(&w, "alice", "wonderland", .no_mac = true), TURN_AUTH_CHALLENGE);
	assert_int_equal(ASK(&w, "alice", "wonderland", .no_user = true), TURN_AUTH_BAD);
	assert_int_equal(ASK(&w, "alice", "wonderland", .no_realm = true), TURN_AUTH_BAD);
	assert_int_equal(ASK(&w, "alice", "wonderland", .no_nonce = true), TURN_AUTH_BAD);
	assert_int_equal(ASK(&w, "al\nice", "wonderland"), TURN_AUTH_BAD);
	assert_int_equal(ASK(&w, "", "wonderland"), TURN_AUTH_BAD);
	/* The nonce before user, password and realm. */
	assert_int_equal(ASK(&w, "nobody", "wonderland", .nonce = "foreign", .realm = "x"), TURN_AUTH_STALE);
	assert_int_equal(ASK(&w, "alice", "wonderland", .realm = "other"), TURN_AUTH_CHALLENGE);
	assert_int_equal(ASK(&w, "nobody", "wonderland"), TURN_AUTH_WRONG);
	assert_int_equal(ASK(&w, "alice", "builder"), TURN_AUTH_WRONG);
	assert_int_equal(ASK(&w, "alice", ""), TURN_AUTH_WRONG);
	assert_null(w.id.username);
	assert_int_equal(ASK(&w, "alice", "wonderland"), TURN_AUTH_OK);
	assert_string_equal(w.id.username, "alice");
	assert_false(w.differs || w.id.is_participant || w.id.expires_s);
	uint64_t alice = w.id.user_hash;
	assert_int_equal(ASK(&w, "bob", "builder", .sha256_mac = true), TURN_AUTH_OK);
	assert_true(w.id.user_hash != alice);
	assert_int_equal(ASK(&w, "\xe3\x83\x9e\xe3\x83\x88", "\xc3\xa9"), TURN_AUTH_OK);
	stop(&w);
}

/* The long-term key of RFC 5769 §2.4, with the password as SASLprep leaves it, and that of RFC 8489 B.1. */
static void the_rfcs_long_term_keys(void **st)
{
	static const char name[] = "\xe3\x83\x9e\xe3\x83\x88\xe3\x83\xaa\xe3\x83\x83\xe3\x82\xaf\xe3\x82\xb9";
	struct turn_static_user user = {name, "TheMatrIX", NULL, 0};
	struct turn_auth_cfg cfg = base_cfg();
	struct world w;
	struct hmac_sha1 want;
	struct hmac_sha256 want256;
	cfg.users = &user;
	cfg.n_users = 1;
	cfg.with_sha256 = true;
	start(&w, &cfg);
	assert_int_equal(ASK(&w, name, "TheMatrIX"), TURN_AUTH_OK);
	hmac_sha1_init(&want,
		"\xe8\xca\x7a\xd5\x9d\x5e\xb0\x51\x8e\x31\x29\x11\xd2\xda\xb2\xa9", 16);
	assert_memory_equal(&w.id.mac1, &want, sizeof want);
	assert_int_equal(
		ASK(&w, name, "TheMatrIX", .algorithm = STUN_PASSWORD_SHA256), TURN_AUTH_OK);
	hmac_sha256_init(&want256,
		"\xdd\x29\x5a\x61\x3b\x90\x58\xc3\xc2\x3d\x6d\xc7\x16\x5b\xda\x07"
		"\x23\x04\xd9\x89\xc9\xd0\xaf\x3a\x8c\x7e\x18\x4b\x4f\x9b\xb4\xa1",
		32);
	assert_memory_equal(&w.id.mac256, &want256, sizeof want256);
	stop(&w);
}

static void a_nonce_gets_old(void **st)
{
	struct world w;
	struct turn_auth_cfg cfg = base_cfg();
	uint8_t mem[2000];
	struct ask q = {"alice", "wonderland"};
	start(&w, &cfg);
	struct slice d = build(mem, sizeof mem, &w, &q);
	w.now_us += 600 * SECOND;
	assert_int_equal(check(&w, d, &q), TURN_AUTH_OK);
	w.now_us += SECOND;
	assert_int_equal(check(&w, d, &q), TURN_AUTH_STALE);
	w.now_us -= 10 * SECOND;
	assert_int_equal(addr_parse_ip(&w.client, slice_str("192.0.2.8"), 5000), 0);
	assert_int_equal(check(&w, d, &q), TURN_AUTH_STALE);
	stop(&w);
}

static void the_challenge_is_small(void **st)
{
	struct world w;
	struct challenge c;
	struct turn_auth_cfg cfg = base_cfg();
	start(&w, &cfg);
	challenge(&w, &c);
	assert_true(slice_eq_str(c.m.realm, "example.org"));
	assert_int_equal(c.m.nonce.n, 16);
	assert_false(stun_has(&c.m, STUN_ATTR_PASSWORD_ALGORITHMS));
	assert_false(stun_has(&c.m, STUN_ATTR_THIRD_PARTY_AUTHORIZATION));
	assert_int_equal(c.m.raw.n, 20 + 20 + 16 + 20 + 8);
	stop(&w);
	cfg.with_sha256 = true;
	cfg.oauth_server_name = "turn.example.org";
	start(&w, &cfg);
	challenge(&w, &c);
	assert_memory_equal(c.m.nonce.p, "obMatJos2gAAA", 13);
	assert_true(slice_eq(stun_value(&c.m, STUN_ATTR_PASSWORD_ALGORITHMS),
		slice_of("\0\2\0\0\0\1\0\0", 8)));
	assert_true(slice_eq_str(
		stun_value(&c.m, STUN_ATTR_THIRD_PARTY_AUTHORIZATION), "turn.example.org"));
	stop(&w);
	cfg.oauth_server_name = NULL;
	start(&w, &cfg);
	challenge(&w, &c);
	assert_memory_equal(c.m.nonce.p, "obMatJos2wAAA", 13);
	stop(&w);
}

static void password_algorithms(void **st)
{
	struct world w;
	struct turn_auth_cfg cfg = base_cfg();
	enum { MD5 = STUN_PASSWORD_MD5, SHA = STUN_PASSWORD_SHA256 };
	cfg.with_sha256 = true;
	start(&w, &cfg);
	assert_int_equal(ASK(&w, "alice", "wonderland", .algorithm = SHA), TURN_AUTH_OK);
	assert_int_equal(ASK(&w, "alice", "wonderland", .algorithm = SHA, .sha256_mac = true), TURN_AUTH_OK);
	assert_int_equal(ASK(&w, "alice", "wonderland", .algorithm = SHA, .both_macs = true), TURN_AUTH_OK);
	assert_int_equal(ASK(&w, "alice", "wonderland", .algorithm = MD5, .sha256_mac = true), TURN_AUTH_OK);
	assert_int_equal(ASK(&w, "alice", "wonderland"), TURN_AUTH_OK);
	assert_int_equal(ASK(&w, "alice", "Wonderland", .algorithm = SHA), TURN_AUTH_WRONG);
	/* Bidding down: the list is missing or another one. */
	assert_int_equal(
		ASK(&w, "alice", "wonderland", .algorithm = MD5, .without_list = true), TURN_AUTH_BAD);
	assert_int_equal(
		ASK(&w, "alice", "wonderland", .algorithm = SHA, .changed_list = true), TURN_AUTH_BAD);
	assert_int_equal(ASK(&w, "alice", "wonderland", .algorithm = 3), TURN_AUTH_BAD);
	/* Anonymous. */
	assert_int_equal(ASK(&w, "alice", "wonderland", .userhash = true, .algorithm = SHA), TURN_AUTH_OK);
	assert_string_equal(w.id.username, "alice");
	assert_int_equal(ASK(&w, "alice", "builder", .userhash = true, .algorithm = SHA), TURN_AUTH_WRONG);
	assert_int_equal(ASK(&w, "nobody", "x", .userhash = true), TURN_AUTH_WRONG);
	stop(&w);
}

static void ready_made_keys(void **st)
{
	struct world w;
	uint8_t md5[32], sha[32];
	long_term_key(&(struct ask){"carol", "singing"}, "example.org", md5);
	long_term_key(&(struct ask){"dave", "dancing", .algorithm = STUN_PASSWORD_SHA256},
		"example.org", sha);
	struct turn_static_user keyed[] = {{"dave", NULL, sha, 32}, {"carol", NULL, md5, 16}};
	struct turn_auth_cfg cfg = base_cfg();
	struct errbuf eb;
	cfg.users = keyed;
	cfg.n_users = 2;
	cfg.with_sha256 = true;
	/* Carol cannot do SHA-256, so it is not offered, and dave cannot do without. */
	assert_int_equal(turn_auth_new(&w.a, &cfg, NULL, NULL, &eb), -ERR_CONFIG);
	assert_non_null(strstr(eb.text, "dave"));
	cfg.n_users = 1;
	start(&w, &cfg);
	assert_int_equal(
		ASK(&w, "dave", "dancing", .algorithm = STUN_PASSWORD_SHA256), TURN_AUTH_OK);
	assert_int_equal(ASK(&w, "dave", "dancing"), TURN_AUTH_WRONG);
	stop(&w);
	cfg.users = keyed + 1;
	start(&w, &cfg);
	assert_int_equal(ASK(&w, "carol", "singing"), TURN_AUTH_OK);
	stop(&w);
}

/* The password that belongs to a REST name. */
/* RFC 8489 §14.6: whole, because TURN says nothing else. */
static void sha256_macs_are_whole(void **st)
{
	(void)st;
	struct world w;
	struct turn_auth_cfg cfg = base_cfg();
	uint8_t mem[1000], key[32], digest[HMAC_SHA256_LEN];
	const struct ask q = {"alice", "wonderland", .sha256_mac = true};
	struct stun_msg m;
	struct hmac_sha256 mac;
	start(&w, &cfg);
	assert_int_equal(check(&w, build(mem, sizeof mem, &w, &q), &q), TURN_AUTH_OK);
	struct slice d = build(mem, sizeof mem, &w, &q);
	assert_int_equal(stun_parse(&m, d), 0);
	size_t at = m.integrity256_at, n = at + STUN_ATTR_HDR_LEN + 16;
	wr16(mem + 2, (uint16_t)(n - STUN_HDR_LEN));
	wr16(mem + at + 2, 16);
	hmac_sha256_init(&mac, key, long_term_key(&q, "example.org", key));
	struct slice covered = slice_of(mem, at);
	hmac_sha256(&mac, &covered, 1, digest);
	memcpy(mem + at + STUN_ATTR_HDR_LEN, digest, 16);
	assert_int_equal(check(&w, slice_of(mem, n), &q), TURN_AUTH_BAD);
	stop(&w);
}

static void rest_password(const char *user, const char *secret, char out[40])
{
	struct hmac_sha1 h;
	uint8_t digest[20];
	struct slice s = slice_str(user);
	struct buf b;
	hmac_sha1_init(&h, secret, strlen(secret));
	hmac_sha1(&h, &s, 1, digest);
	buf_init(&b, 40);
	base64_encode(&b, slice_of(digest, 20), BASE64_STD);
	snprintf(out, 40, "%s", buf_cstr(&b));
	buf_free(&b);
}

static enum turn_auth_verdict ask_rest(
	struct world *w, const char *user, const char *secret, bool expiry)
{
	char password[40];
	rest_password(user, secret, password);
	return ASK(w, user, password, .check_expiry = expiry);
}

static void rest_credentials(void **st)
{
	struct world w;
	struct turn_auth_cfg cfg = base_cfg();
	static const char *const good[] = {"1700000060", "1700000060:", "1700000060:carol",
		"carol:1700000060", "1700000060:a:b", "a:b:1700000060"};
	static const char *const bad[] = {"carol", ":1700000060", "carol:", "17x:carol", "carol:17x", "-1:carol",
		"99999999999999999999:carol"};
	cfg.secrets = secrets;
	cfg.n_secrets = 2;
	start(&w, &cfg);
	for (unsigned round = 0; round < 2; round++) { /* the second time from the cache */
		for (size_t i = 0; i < ARRAY_LEN(good); i++) {
			assert_int_equal(ask_rest(&w, good[i], secrets[i % 2], true), TURN_AUTH_OK);
			assert_int_equal(
				ask_rest(&w, good[i], secrets[(i + 1) % 2], true), TURN_AUTH_OK);
			assert_string_equal(w.id.username, good[i]);
			assert_true(w.id.expires_s == 1700000060);
			assert_int_equal(ask_rest(&w, good[i], "third secret", true), TURN_AUTH_WRONG);
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(ask_rest(&w, bad[i], secrets[0], false), TURN_AUTH_WRONG);
	assert_int_equal(ASK(&w, "alice", "wonderland"), TURN_AUTH_OK);
	/* Quotas go by the name without its time. */
	assert_int_equal(ask_rest(&w, "1700000060:carol", secrets[0], true), TURN_AUTH_OK);
	uint64_t carol = w.id.user_hash;
	assert_int_equal(ask_rest(&w, "carol:1700000099", secrets[1], true), TURN_AUTH_OK);
	assert_true(w.id.user_hash == carol);
	w.wall_s = 1700000059;
	assert_int_equal(ask_rest(&w, "1700000060:carol", secrets[0], true), TURN_AUTH_OK);
	w.wall_s = 1700000060;
	assert_int_equal(ask_rest(&w, "1700000060:carol", secrets[0], true), TURN_AUTH_EXPIRED);
	assert_int_equal(ask_rest(&w, "0:carol", secrets[0], true), TURN_AUTH_EXPIRED);
	assert_int_equal(ask_rest(&w, "1700000060:carol", secrets[0], false), TURN_AUTH_OK);
	assert_int_equal(ask_rest(&w, "1700000060:carol", "third", true), TURN_AUTH_WRONG);
	stop(&w);
	cfg.rest_separator = '-';
	start(&w, &cfg);
	assert_int_equal(ask_rest(&w, "1700000060-carol", secrets[0], true), TURN_AUTH_OK);
	assert_int_equal(ask_rest(&w, "1700000060:carol", secrets[0], true), TURN_AUTH_WRONG);
	stop(&w);
}

static void participants(void **st)
{
	struct world w;
	struct turn_auth_cfg cfg = base_cfg();
	char user[TURN_PARTICIPANT_USER_CAP], password[TURN_PARTICIPANT_PASSWORD_CAP];
	char later[TURN_PARTICIPANT_USER_CAP], foreign[TURN_PARTICIPANT_USER_CAP], unused[64];
	cfg.api_keys = api_keys;
	cfg.n_api_keys = 1;
	cfg.participant_realm = "livekit";
	start(&w, &cfg);
	assert_int_equal(
		turn_participant_mint("devkey", "api secret", "PA_1", WALL + 60, user, password), 0);
	for (unsigned round = 0; round < 2; round++) {
		assert_int_equal(ASK(&w, user, password, .check_expiry = true), TURN_AUTH_OK);
		assert_true(w.id.is_participant && w.id.expires_s == WALL + 60);
		assert_int_equal(ASK(&w, user, password, .realm = "livekit"), TURN_AUTH_OK);
		/* 400 instead of 401. */
		assert_int_equal(ASK(&w, user, "wrong"), TURN_AUTH_BAD_SILENT);
	}
	uint64_t hash = w.id.user_hash;
	assert_int_equal(ASK(&w, user, password), TURN_AUTH_OK);
	hash = w.id.user_hash;
	struct turn_identity known = w.id;
	w.id = (struct turn_identity){0};
	assert_int_equal(turn_participant_mint("devkey", "wrong", "PA_1", WALL + 60, foreign, unused), 0);
	assert_int_equal(ASK(&w, foreign, unused), TURN_AUTH_BAD_SILENT);
	assert_int_equal(turn_participant_mint("other", "", "PA_1", WALL + 60, foreign, unused), 0);
	assert_int_equal(ASK(&w, foreign, unused), TURN_AUTH_BAD_SILENT);
	assert_int_equal(ASK(&w, "alice", "wonderland", .realm = "livekit"), TURN_AUTH_WRONG);
	/* Expiry at Allocate alone. */
	w.wall_s = WALL + 60;
	assert_int_equal(ASK(&w, user, password, .check_expiry = true), TURN_AUTH_BAD_SILENT);
	assert_int_equal(ASK(&w, user, password, .check_expiry = true, .method = STUN_REFRESH),
		TURN_AUTH_OK);
	assert_int_equal(ASK(&w, user, password, .check_expiry = true, .method = STUN_REFRESH,
				 .known = &known),
		TURN_AUTH_OK);
	/* The next credential of the same participant counts towards the same quota. */
	assert_int_equal(
		turn_participant_mint("devkey", "api secret", "PA_1", WALL + 99, later, password), 0);
	assert_int_equal(ASK(&w, later, password, .check_expiry = true), TURN_AUTH_OK);
	assert_true(w.id.user_hash == hash);
	turn_identity_free(&known);
	stop(&w);
}

static struct turn_identity take_identity(struct world *w)
{
	struct turn_identity id = w->id;
	w->id = (struct turn_identity){0};
	return id;
}

static void known_users(void **st)
{
	struct world w;
	struct turn_auth_cfg cfg = base_cfg();
	struct errbuf eb;
	cfg.with_sha256 = true;
	start(&w, &cfg);
	assert_int_equal(ASK(&w, "alice", "wonderland"), TURN_AUTH_OK);
	struct turn_identity alice = take_identity(&w);
	assert_int_equal(ASK(&w, "alice", "wonderland", .known = &alice), TURN_AUTH_OK);
	assert_null(w.id.username);
	assert_int_equal(ASK(&w, "alice", "wonderland", .known = &alice, .userhash = true), TURN_AUTH_OK);
	assert_null(w.id.username);
	assert_false(w.differs);
	assert_int_equal(ASK(&w, "alice", "builder", .known = &alice), TURN_AUTH_WRONG);
	assert_int_equal(ASK(&w, "alice", "wonderland", .known = &alice, .nonce = "x"), TURN_AUTH_STALE);
	/* Another user is told 441, if it is one; the answer is sealed with that one's key. */
	assert_int_equal(ASK(&w, "bob", "builder", .known = &alice), TURN_AUTH_OK);
	assert_true(w.differs);
	assert_string_equal(w.id.username, "bob");
	assert_int_equal(ASK(&w, "bob", "wrong", .known = &alice), TURN_AUTH_WRONG);
	assert_false(w.differs);
	/* With the other algorithm it is the same user with another key. */
	assert_int_equal(ASK(&w, "alice", "wonderland", .known = &alice, .is_other_key = true,
				 .algorithm = STUN_PASSWORD_SHA256),
		TURN_AUTH_OK);
	assert_false(w.differs);
	assert_string_equal(w.id.username, "alice");
	/* A new password: the allocation goes on with the old one and with the new one. */
	struct turn_static_user changed[] = {{"alice", "looking-glass", NULL, 0}};
	cfg.users = changed;
	cfg.n_users = 1;
	assert_int_equal(turn_auth_reload(w.a, &cfg, &eb), 0);
	assert_int_equal(ASK(&w, "alice", "wonderland", .known = &alice), TURN_AUTH_OK);
	assert_int_equal(ASK(&w, "alice", "wonderland"), TURN_AUTH_WRONG);
	assert_int_equal(ASK(&w, "alice", "looking-glass", .known = &alice, .is_other_key = true), TURN_AUTH_OK);
	assert_string_equal(w.id.username, "alice");
	assert_int_equal(ASK(&w, "bob", "builder"), TURN_AUTH_WRONG);
	turn_identity_free(&alice);
	stop(&w);
}

static void known_ephemeral_users_expire_at_refresh(void **st)
{
	struct world w;
	struct turn_auth_cfg cfg = base_cfg();
	char password[40];
	cfg.secrets = secrets;
	cfg.n_secrets = 1;
	start(&w, &cfg);
	assert_int_equal(ask_rest(&w, "1700000060:carol", secrets[0], true), TURN_AUTH_OK);
	struct turn_identity carol = take_identity(&w);
	rest_password("1700000060:carol", secrets[0], password);
	struct ask q = {"1700000060:carol", password, .known = &carol, .method = STUN_REFRESH};
	q.check_expiry = true;
	assert_int_equal(ask(&w, q), TURN_AUTH_OK);
	w.wall_s = WALL + 60;
	assert_int_equal(ask(&w, q), TURN_AUTH_EXPIRED);
	q.deletes = true;
	assert_int_equal(ask(&w, q), TURN_AUTH_OK);
	q.deletes = q.check_expiry = false;
	assert_int_equal(ask(&w, q), TURN_AUTH_OK);
	turn_identity_free(&carol);
	stop(&w);
}

/* ---------------------------------------------------------------- look-ups */

static void answer(struct world *w, unsigned i, const char *user, const char *password)
{
	uint8_t key[32];
	struct turn_lookup_result r = {.is_found = password != NULL, .max_bytes_per_s = 1234};
	if (password) {
		long_term_key(&(struct ask){user, password}, "example.org", key);
		r.key = slice_of(key, 16);
		r.username = slice_str(user);
	}
	turn_auth_done(w->a, w->asked[i].id, &r, w->now_us);
}

static void start_lookups(struct world *w)
{
	struct turn_auth_cfg cfg = base_cfg();
	cfg.has_lookup = true;
	cfg.with_sha256 = true; /* without effect */
	start(w, &cfg);
}

static void users_are_looked_up_once(void **st)
{
	struct world w;
	start_lookups(&w);
	assert_int_equal(ASK(&w, "alice", "wonderland"), TURN_AUTH_OK);
	assert_int_equal(w.n_asked, 0);
	assert_int_equal(ASK(&w, "erin", "pw"), TURN_AUTH_WAIT);
	assert_int_equal(w.n_asked, 1);
	assert_string_equal(w.asked[0].name, "erin");
	assert_int_equal(w.asked[0].kind, TURN_LOOKUP_USER);
	assert_int_equal(w.lookup, w.asked[0].id);
	assert_int_equal(ASK(&w, "erin", "pw"), TURN_AUTH_WAIT);
	assert_int_equal(w.lookup, w.asked[0].id);
	assert_int_equal(w.n_asked, 1);
	assert_int_equal(ASK(&w, "frank", "pw"), TURN_AUTH_WAIT);
	assert_true(w.lookup == w.asked[1].id && w.asked[1].id != w.asked[0].id);
	answer(&w, 0, "erin", "pw");
	assert_int_equal(ASK(&w, "erin", "pw"), TURN_AUTH_OK);
	assert_int_equal(w.id.max_bytes_per_s, 1234);
	assert_int_equal(ASK(&w, "erin", "px"), TURN_AUTH_WRONG);
	/* "No such user" is believed for a while as well. */
	answer(&w, 1, "frank", NULL);
	assert_int_equal(ASK(&w, "frank", "pw"), TURN_AUTH_WRONG);
	assert_int_equal(w.n_asked, 2);
	w.now_us += 61 * SECOND;
	assert_int_equal(ASK(&w, "frank", "pw"), TURN_AUTH_WAIT);
	assert_int_equal(ASK(&w, "erin", "pw"), TURN_AUTH_WAIT);
	assert_int_equal(w.n_asked, 4);
	/* An answer to nobody's question. */
	turn_auth_done(w.a, 999, &(struct turn_lookup_result){.is_found = true}, w.now_us);
	stop(&w);
}

static void a_busy_database_is_said_to_be(void **st)
{
	struct world w;
	start_lookups(&w);
	w.lookup_err = -ERR_AGAIN;
	assert_int_equal(ASK(&w, "erin", "pw"), TURN_AUTH_BUSY);
	w.lookup_err = 0;
	assert_int_equal(ASK(&w, "erin", "pw"), TURN_AUTH_WAIT);
	turn_auth_done(
		w.a, w.asked[0].id, &(struct turn_lookup_result){.is_failed = true}, w.now_us);
	assert_int_equal(ASK(&w, "erin", "pw"), TURN_AUTH_BUSY);
	assert_int_equal(w.n_asked, 1);
	w.now_us += SECOND;
	assert_int_equal(ASK(&w, "erin", "pw"), TURN_AUTH_WAIT);
	assert_int_equal(w.n_asked, 2);
	/* One that never answers is asked again. */
	w.now_us += 11 * SECOND;
	assert_int_equal(ASK(&w, "erin", "pw"), TURN_AUTH_WAIT);
	assert_int_equal(w.n_asked, 3);
	answer(&w, 1, "erin", "pw");
	assert_int_equal(ASK(&w, "erin", "pw"), TURN_AUTH_WAIT);
	answer(&w, 2, "erin", "pw");
	assert_int_equal(ASK(&w, "erin", "pw"), TURN_AUTH_OK);
	stop(&w);
}

static void the_cache_is_bounded(void **st)
{
	struct world w;
	char name[20];
	start_lookups(&w);
	for (unsigned i = 0; i < 4; i++) {
		snprintf(name, sizeof name, "user%u", i);
		assert_int_equal(ASK(&w, name, "pw"), TURN_AUTH_WAIT);
	}
	/* All four places wait. */
	assert_int_equal(ASK(&w, "one more", "pw"), TURN_AUTH_BUSY);
	assert_int_equal(w.n_asked, 4);
	for (unsigned i = 0; i < 4; i++) {
		snprintf(name, sizeof name, "user%u", i);
		answer(&w, i, name, "pw");
	}
	assert_int_equal(ASK(&w, "user0", "pw"), TURN_AUTH_OK);
	assert_int_equal(ASK(&w, "one more", "pw"), TURN_AUTH_WAIT);
	assert_int_equal(ASK(&w, "user0", "pw"), TURN_AUTH_OK);
	assert_int_equal(ASK(&w, "user3", "pw"), TURN_AUTH_OK);
	/* user1 was the oldest, and goes. */
	assert_int_equal(ASK(&w, "user1", "pw"), TURN_AUTH_WAIT);
	stop(&w);
}

static void hashes_are_looked_up(void **st)
{
	struct world w;
	start_lookups(&w);
	assert_int_equal(ASK(&w, "alice", "wonderland", .userhash = true), TURN_AUTH_OK);
	assert_int_equal(ASK(&w, "erin", "pw", .userhash = true), TURN_AUTH_WAIT);
	assert_int_equal(w.asked[0].kind, TURN_LOOKUP_USERHASH);
	answer(&w, 0, "erin", "pw");
	assert_int_equal(ASK(&w, "erin", "pw", .userhash = true), TURN_AUTH_OK);
	assert_string_equal(w.id.username, "erin");
	struct turn_identity erin = take_identity(&w);
	assert_int_equal(ASK(&w, "erin", "pw", .userhash = true, .known = &erin), TURN_AUTH_OK);
	assert_false(w.differs);
	turn_identity_free(&erin);
	stop(&w);
}

static void a_reload_forgets_what_was_cached(void **st)
{
	struct world w;
	struct turn_auth_cfg cfg = base_cfg();
	struct errbuf eb;
	cfg.has_lookup = true;
	cfg.secrets = secrets;
	cfg.n_secrets = 2;
	start(&w, &cfg);
	assert_int_equal(ASK(&w, "erin", "pw"), TURN_AUTH_WAIT);
	answer(&w, 0, "erin", "pw");
	assert_int_equal(ASK(&w, "frank", "pw"), TURN_AUTH_WAIT);
	assert_int_equal(ask_rest(&w, "1700000060:carol", secrets[1], true), TURN_AUTH_OK);
	cfg.n_secrets = 1;
	assert_int_equal(turn_auth_reload(w.a, &cfg, &eb), 0);
	/* No secret's any more, it may be somebody of the database. */
	assert_int_equal(ask_rest(&w, "1700000060:carol", secrets[1], true), TURN_AUTH_WAIT);
	assert_int_equal(ask_rest(&w, "1700000060:carol", secrets[0], true), TURN_AUTH_OK);
	assert_int_equal(ASK(&w, "erin", "pw"), TURN_AUTH_WAIT);
	/* What was asked for stays asked for. */
	unsigned before = w.n_asked;
	assert_int_equal(ASK(&w, "frank", "pw"), TURN_AUTH_WAIT);
	assert_int_equal(w.n_asked, before);
	cfg.realm = "";
	assert_int_equal(turn_auth_reload(w.a, &cfg, &eb), -ERR_CONFIG);
	assert_int_equal(ASK(&w, "alice", "wonderland"), TURN_AUTH_OK);
	stop(&w);
}

/* ---------------------------------------------------------------- tokens */

static const uint8_t mac_key[20] = "ZksjpweoixXmvn67534";

static struct slice make_token(
	uint8_t *out, uint64_t issued_s, uint32_t lifetime_s, const uint8_t *key)
{
	uint8_t inner[34] = {0, 20};
	static const char server[] = "turn.example.org";
	memcpy(inner + 2, key, 20);
	wr64(inner + 22, issued_s << 16);
	wr32(inner + 30, lifetime_s);
	struct aead *a = aead_new(NULL, AEAD_GCM256, (const uint8_t *)oauth_key, NULL);
	memset(out, 0, 14);
	out[1] = 12;
	struct aead_job job = {.aad = (const uint8_t *)server,
		.aad_len = strlen(server),
		.in = inner,
		.out = out + 14,
		.len = sizeof inner,
		.tag = out + 14 + sizeof inner};
	aead_seal(a, &job, 1);
	assert_true(job.ok);
	aead_free(a);
	return slice_of(out, 14 + sizeof inner + 16);
}

static void tokens_open_the_door(void **st)
{
	struct world w;
	struct turn_auth_cfg cfg = base_cfg();
	uint8_t mem[200], mem2[200], other_key[20] = {7};
	cfg.oauth_keys = oauth_keys;
	cfg.n_oauth_keys = ARRAY_LEN(oauth_keys);
	cfg.oauth_server_name = "turn.example.org";
	start(&w, &cfg);
	struct slice token = make_token(mem, WALL - 10, 60, mac_key);
	struct ask q = {"kid1", .token = token, .mac_key = mac_key, .check_expiry = true};
	assert_int_equal(ask(&w, q), TURN_AUTH_OK);
	assert_string_equal(w.id.username, "kid1");
	assert_true(w.id.expires_s == WALL + 50);
	struct turn_identity kid = take_identity(&w);
	/* As coturn does it, but not with less. */
	q.mac_key_n = 16;
	assert_int_equal(ask(&w, q), TURN_AUTH_OK);
	q.mac_key_n = 15;
	assert_int_equal(ask(&w, q), TURN_AUTH_WRONG);
	q.mac_key_n = 0;
	q.mac_key = other_key;
	assert_int_equal(ask(&w, q), TURN_AUTH_WRONG);
	q.mac_key = mac_key;
	q.user = "kid2";
	assert_int_equal(ask(&w, q), TURN_AUTH_WRONG);
	q.user = "kid1";
	q.token = slice_of(mem, token.n - 1);
	assert_int_equal(ask(&w, q), TURN_AUTH_WRONG);
	q.token = token;
	w.wall_s = WALL + 60;
	assert_int_equal(ask(&w, q), TURN_AUTH_EXPIRED);
	/* On a running allocation: without a token the old key, over at the next Refresh; a new token goes on. */
	q.known = &kid;
	q.method = STUN_REFRESH;
	q.token = (struct slice){NULL, 0};
	assert_int_equal(ask(&w, q), TURN_AUTH_EXPIRED);
	q.check_expiry = false;
	assert_int_equal(ask(&w, q), TURN_AUTH_OK);
	q.check_expiry = true;
	q.token = make_token(mem2, WALL + 60, 60, other_key);
	q.mac_key = other_key;
	assert_int_equal(ask(&w, q), TURN_AUTH_OK);
	assert_false(w.differs);
	assert_true(w.id.username && w.id.expires_s == WALL + 120);
	/* The keys are changed now and then: the same client's next token is made with another one. */
	q.user = "kid3";
	assert_int_equal(ask(&w, q), TURN_AUTH_OK);
	assert_false(w.differs);
	assert_string_equal(w.id.username, "kid3");
	assert_int_equal(ASK(&w, "alice", "wonderland", .known = &kid, .method = STUN_REFRESH),
		TURN_AUTH_OK);
	assert_true(w.differs);
	turn_identity_free(&kid);
	stop(&w);
	/* Without a server name there are no tokens. */
	cfg.oauth_server_name = "";
	start(&w, &cfg);
	q.known = NULL;
	assert_int_equal(ask(&w, q), TURN_AUTH_WRONG);
	stop(&w);
}

static void token_keys_are_looked_up(void **st)
{
	struct world w;
	struct turn_auth_cfg cfg = base_cfg();
	uint8_t mem[200];
	cfg.has_lookup = true;
	cfg.oauth_server_name = "turn.example.org";
	start(&w, &cfg);
	struct ask q = {"kid7", .token = make_token(mem, WALL, 60, mac_key), .mac_key = mac_key};
	assert_int_equal(ask(&w, q), TURN_AUTH_WAIT);
	assert_int_equal(w.asked[0].kind, TURN_LOOKUP_OAUTH);
	turn_auth_done(w.a, w.asked[0].id,
		&(struct turn_lookup_result){.is_found = true,
			.key = slice_of(oauth_key, 32),
			.algorithm = "A256GCM"},
		w.now_us);
	assert_int_equal(ask(&w, q), TURN_AUTH_OK);
	stop(&w);
}

/* ---------------------------------------------------------------- answers and settings */

static void answers_carry_the_request_s_kind_of_integrity(void **st)
{
	struct world w;
	struct turn_auth_cfg cfg = base_cfg();
	start(&w, &cfg);
	for (unsigned i = 0; i < 3; i++) {
		uint8_t mem[2000], reply[200];
		struct ask q = {"alice", "wonderland", .sha256_mac = i == 1, .both_macs = i == 2};
		struct stun_msg request, m;
		struct stun_writer out;
		struct slice d = build(mem, sizeof mem, &w, &q);
		assert_int_equal(check(&w, d, &q), TURN_AUTH_OK);
		assert_int_equal(stun_parse(&request, d), 0);
		stun_begin(&out, reply, sizeof reply, STUN_ALLOCATE, STUN_SUCCESS, request.tid);
		assert_int_equal(turn_auth_seal(&out, &w.id, &request, i == 0, &d), 0);
		assert_int_equal(stun_parse(&m, d), 0);
		assert_int_equal(stun_verify_integrity(&m, &w.id.mac1), i ? -ERR_AUTH : 0);
		assert_int_equal(stun_verify_integrity256(&m, &w.id.mac256), i ? 0 : -ERR_AUTH);
		assert_int_equal(m.fingerprint_at != 0, i == 0);
	}
	stop(&w);
}

static void without_auth_all_are_nobody(void **st)
{
	struct world w;
	struct turn_auth_cfg cfg = base_cfg();
	cfg.no_auth = true;
	start(&w, &cfg);
	assert_int_equal(ASK(&w, "x", "y", .no_mac = true), TURN_AUTH_OK);
	assert_null(w.id.username);
	assert_int_equal(ASK(&w, "x", "y"), TURN_AUTH_OK);
	stop(&w);
}

static void wrong_settings_are_named(void **st)
{
	struct turn_auth_cfg good = base_cfg(), cfg;
	struct turn_auth *a;
	struct errbuf eb;
	struct turn_static_user twice[] = {{"eve", "a", NULL, 0}, {"eve", "b", NULL, 0}};
	struct turn_static_user bare[] = {{"eve", NULL, NULL, 0}}, empty[] = {{"eve", "", NULL, 0}};
	struct turn_static_user nameless[] = {{"", "x", NULL, 0}};
	struct turn_oauth_key bad_key[] = {{"kid9", (const uint8_t *)oauth_key, 32, "HS256", 0, 0}};
	const char *const no_secret[] = {""};
	struct turn_api_key no_api_secret[] = {{"k", ""}};
	for (unsigned i = 0; i < 9; i++) {
		cfg = good;
		switch (i) {
		case 0: cfg.realm = NULL; break;
		case 1: cfg.users = twice; cfg.n_users = 2; break;
		case 2: cfg.users = bare; cfg.n_users = 1; break;
		case 3: cfg.users = empty; cfg.n_users = 1; break;
		case 4: cfg.users = nameless; cfg.n_users = 1; break;
		case 5: cfg.oauth_keys = bad_key; cfg.n_oauth_keys = 1; break;
		case 6: cfg.secrets = no_secret; cfg.n_secrets = 1; break;
		case 7: cfg.api_keys = no_api_secret; cfg.n_api_keys = 1; break;
		default: cfg.has_lookup = true; cfg.cache_users = 0; break;
		}
		assert_int_equal(turn_auth_new(&a, &cfg, &ops, NULL, &eb), -ERR_CONFIG);
		assert_true(strlen(eb.text) > 10);
	}
	cfg = good;
	cfg.has_lookup = true;
	assert_int_equal(turn_auth_new(&a, &cfg, NULL, NULL, &eb), -ERR_CONFIG);
	turn_auth_free(NULL);
	turn_identity_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_order_of_refusals),
		cmocka_unit_test(the_rfcs_long_term_keys),
		cmocka_unit_test(a_nonce_gets_old),
		cmocka_unit_test(the_challenge_is_small),
		cmocka_unit_test(password_algorithms),
		cmocka_unit_test(ready_made_keys),
		cmocka_unit_test(sha256_macs_are_whole),
		cmocka_unit_test(rest_credentials),
		cmocka_unit_test(participants),
		cmocka_unit_test(known_users),
		cmocka_unit_test(known_ephemeral_users_expire_at_refresh),
		cmocka_unit_test(users_are_looked_up_once),
		cmocka_unit_test(a_busy_database_is_said_to_be),
		cmocka_unit_test(the_cache_is_bounded),
		cmocka_unit_test(hashes_are_looked_up),
		cmocka_unit_test(a_reload_forgets_what_was_cached),
		cmocka_unit_test(tokens_open_the_door),
		cmocka_unit_test(token_keys_are_looked_up),
		cmocka_unit_test(answers_carry_the_request_s_kind_of_integrity),
		cmocka_unit_test(without_auth_all_are_nobody),
		cmocka_unit_test(wrong_settings_are_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
