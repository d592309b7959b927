/* auth_conf: a configuration, with all keys computed and everything findable by its name. */
#include <openssl/sha.h>
#include "base/mem.h"
#include "turn/auth_internal.h"

enum { MD5_LEN = 16 };

void key_from_bytes(struct user_key *out, const void *key, size_t n)
{
	hmac_sha1_init(&out->mac1, key, n);
	hmac_sha256_init(&out->mac256, key, n);
}

/* Names and passwords are used as they are: ASCII and text in NFC are their own OpaqueString (RFC 8265 §4.2). */
void key_from_password(struct user_key *out, const struct auth_conf *c, enum key_alg alg,
	struct slice name, struct slice realm, struct slice password)
{
	size_t n = name.n + realm.n + password.n + 2, at = 0;
	uint8_t small[256], *text = n <= sizeof small ? small : xmalloc(n),
			    digest[SHA256_DIGEST_LENGTH];
	struct slice parts[] = {name, slice_str(":"), realm, slice_str(":"), password};
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		if (parts[i].n)
			memcpy(text + at, parts[i].p, parts[i].n);
		at += parts[i].n;
	}
	if (alg == KEY_SHA256)
		SHA256(text, n, digest);
	else if (EVP_Digest(text, n, digest, NULL, c->md5, NULL) != 1)
		/* No key fits then; random bytes would do as well. */
		SHA256(text, n, digest);
	key_from_bytes(out, digest, alg == KEY_SHA256 ? SHA256_DIGEST_LENGTH : MD5_LEN);
	secret_wipe(text, n);
	secret_wipe(digest, sizeof digest);
	if (text != small)
		xfree(text);
}

static int add_user(struct auth_conf *c, const struct turn_static_user *in, bool with_sha256,
	struct errbuf *eb)
{
	struct static_user *u = &c->users[c->n_users];
	struct slice name = slice_str(in->name), realm = slice_str(c->realm);
	if (!name.n || name.n > STUN_USERNAME_MAX)
		return err_set(eb, ERR_CONFIG, "a TURN user has no name, or one of more than %d bytes",
			STUN_USERNAME_MAX);
	if (map_get(&c->users_by_name, name))
		return err_set(eb, ERR_CONFIG, "TURN user %s is there twice", in->name);
	u->name = xstrdup(in->name);
	c->n_users++;
	map_put(&c->users_by_name, name, u);
	if (in->password && *in->password) {
		struct slice password = slice_str(in->password);
		for (unsigned alg = 0; alg < KEY_ALG_N; alg++) {
			u->has[alg] = alg == KEY_MD5 || with_sha256;
			if (u->has[alg])
				key_from_password(&u->key[alg], c, alg, name, realm, password);
		}
	} else if (!in->password && in->key && in->key_n == MD5_LEN) {
		u->has[KEY_MD5] = true;
		key_from_bytes(&u->key[KEY_MD5], in->key, in->key_n);
	} else if (!in->password && in->key && in->key_n == SHA256_DIGEST_LENGTH) {
		if (!with_sha256)
			return err_set(eb, ERR_CONFIG,
				"TURN user %s has a SHA-256 key, and SHA-256 is not offered", in->name);
		u->has[KEY_SHA256] = true;
		key_from_bytes(&u->key[KEY_SHA256], in->key, in->key_n);
	} else {
		return err_set(eb, ERR_CONFIG,
			"TURN user %s needs a password, or a key of 16 (MD5) or 32 bytes (SHA-256)",
			in->name);
	}
	return 0;
}

/* USERHASH (RFC 8489 §14.4). */
static void index_by_hash(struct auth_conf *c)
{
	for (size_t i = 0; i < c->n_users; i++) {
		uint8_t hash[SHA256_DIGEST_LENGTH];
		char *text = xasprintf("%s:%s", c->users[i].name, c->realm);
		SHA256((const uint8_t *)text, strlen(text), hash);
		map_put(&c->users_by_hash, slice_of(hash, sizeof hash), &c->users[i]);
		xfree(text);
	}
}

static int add_api_key(struct auth_conf *c, const struct turn_api_key *in, struct errbuf *eb)
{
	if (!in->key || !*in->key || !in->secret || !*in->secret)
		return err_set(eb, ERR_CONFIG, "an API key for TURN is empty or has no secret");
	/* A key that is there twice: the last secret counts. */
	xfree(map_put(&c->api_secrets, slice_str(in->key), xstrdup(in->secret)));
	return 0;
}

static int add_oauth_key(struct auth_conf *c, const struct turn_oauth_key *in, struct errbuf *eb)
{
	struct oauth_key *k = XNEW(struct oauth_key);
	int err = oauth_key_set(
		k, slice_of(in->key, in->key_n), in->algorithm, in->from_s, in->lifetime_s);
	if (err || !in->kid || !*in->kid) {
		xfree(k);
		return err_set(eb, ERR_CONFIG,
			"OAuth key %s needs a kid, an algorithm of A256GCM or A128GCM, and 32 or 16 bytes",
			in->kid ? in->kid : "");
	}
	k = map_put(&c->oauth_keys, slice_str(in->kid), k);
	if (k)
		secret_wipe(k, sizeof *k);
	xfree(k);
	return 0;
}

/*
 * SHA-256 is offered only if each user can use it, and anonymous names only if each can be found by the hash: a
 * client that may choose takes the stronger one, and has to get in with it.
 */
static bool can_sha256(const struct turn_auth_cfg *cfg)
{
	if (!cfg->with_sha256 || cfg->has_lookup)
		return false;
	for (size_t i = 0; i < cfg->n_users; i++)
		if (!cfg->users[i].password && cfg->users[i].key_n == MD5_LEN)
			return false;
	return true;
}

static int fill(struct auth_conf *c, const struct turn_auth_cfg *cfg, struct errbuf *eb)
{
	bool with_sha256 = can_sha256(cfg);
	int err = 0;
	for (size_t i = 0; i < cfg->n_users && !err; i++)
		err = add_user(c, &cfg->users[i], with_sha256, eb);
	index_by_hash(c);
	for (size_t i = 0; i < cfg->n_secrets && !err; i++) {
		const char *secret = cfg->secrets[i];
		if (!*secret)
			err = err_set(eb, ERR_CONFIG, "a TURN REST secret is empty");
		else
			hmac_sha1_init(&c->secrets[c->n_secrets++], secret, strlen(secret));
	}
	for (size_t i = 0; i < cfg->n_api_keys && !err; i++)
		err = add_api_key(c, &cfg->api_keys[i], eb);
	for (size_t i = 0; i < cfg->n_oauth_keys && !err; i++)
		err = add_oauth_key(c, &cfg->oauth_keys[i], eb);
	if (with_sha256) {
		c->features = FEATURE_PASSWORD_ALGORITHMS;
		if (!cfg->n_secrets && !cfg->n_api_keys && !*c->server_name)
			c->features |= FEATURE_USERNAME_ANONYMITY;
		wr16(c->offered, STUN_PASSWORD_SHA256);
		wr16(c->offered + 4, STUN_PASSWORD_MD5);
	}
	return err;
}

int auth_conf_new(struct auth_conf **out, const struct turn_auth_cfg *cfg, struct errbuf *eb)
{
	size_t realm_n = cfg->realm ? strlen(cfg->realm) : 0;
	if (!realm_n || realm_n > 127)
		return err_set(eb, ERR_CONFIG, "the TURN realm has to have 1 to 127 bytes");
	if (cfg->has_lookup && !cfg->cache_users)
		return err_set(eb, ERR_CONFIG, "a TURN user database needs a cache of users");
	struct auth_conf *c = XNEW(struct auth_conf);
	const char *own = cfg->participant_realm;
	c->realm = xstrdup(cfg->realm);
	c->participant_realm = xstrdup(own && *own ? own : cfg->realm);
	c->server_name = xstrdup(cfg->oauth_server_name ? cfg->oauth_server_name : "");
	c->nonce_lifetime_us = cfg->nonce_lifetime_us;
	c->cache_us = cfg->cache_us;
	c->cache_users = cfg->cache_users;
	c->no_auth = cfg->no_auth;
	c->has_lookup = cfg->has_lookup;
	c->separator = cfg->rest_separator ? (uint8_t)cfg->rest_separator : ':';
	c->users = xcalloc(cfg->n_users + 1, sizeof *c->users);
	c->secrets = xcalloc(cfg->n_secrets + 1, sizeof *c->secrets);
	map_init(&c->users_by_name);
	map_init(&c->users_by_hash);
	map_init(&c->api_secrets);
	map_init(&c->oauth_keys);
	c->md5 = EVP_MD_fetch(NULL, "MD5", NULL);
	int err = c->md5 ? fill(c, cfg, eb) : err_set(eb, ERR_CRYPTO, "OpenSSL has no MD5");
	if (err) {
		auth_conf_free(c);
		return err;
	}
	*out = c;
	return 0;
}

void auth_conf_free(struct auth_conf *c)
{
	size_t at = 0;
	struct slice key;
	if (!c)
		return;
	for (size_t i = 0; i < c->n_users; i++)
		xfree(c->users[i].name);
	secret_wipe(c->users, c->n_users * sizeof *c->users);
	secret_wipe(c->secrets, c->n_secrets * sizeof *c->secrets);
	for (char *s; (s = map_next(&c->api_secrets, &at, &key)) != NULL;) {
		secret_wipe(s, strlen(s));
		xfree(s);
	}
	at = 0;
	for (struct oauth_key *k; (k = map_next(&c->oauth_keys, &at, &key)) != NULL;) {
		secret_wipe(k, sizeof *k);
		xfree(k);
	}
	map_free(&c->users_by_name);
	map_free(&c->users_by_hash);
	map_free(&c->api_secrets);
	map_free(&c->oauth_keys);
	EVP_MD_free(c->md5);
	xfree(c->users);
	xfree(c->secrets);
	xfree(c->realm);
	xfree(c->participant_realm);
	xfree(c->server_name);
	xfree(c);
}
