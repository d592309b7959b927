#include "turn/auth.h"

#include "base/base64.h"
#include "base/mem.h"
#include "turn/auth_internal.h"
#include "turn/participant.h"

enum {
	LOOKUP_PATIENCE_US = 10000000, /* a question that was not answered by then may be asked again */
	FAILURE_US = 1000000,          /* how long a failed database is left alone for this user */
	REST_PASSWORD_CAP = 32,
};

/* One request on its way through the checks. */
struct asked {
	struct turn_auth *a;
	const struct stun_msg *m;
	struct slice name, realm; /* name: USERNAME, or USERHASH if is_hash */
	bool is_hash, check_expiry;
	unsigned realm_number;    /* 0: realm, 1: participant_realm */
	enum key_alg alg;
	uint64_t now_us, wall_s;
	struct turn_identity *out;
	uint64_t *lookup;
};

/* What is known of a user whose key fits. */
struct found {
	const struct user_key *key;
	struct slice name, quota_name;
	bool is_participant, is_token;
	uint64_t expires_s, max_bytes_per_s;
};

static bool key_fits(const struct stun_msg *m, const struct user_key *k)
{
	if (m->integrity256_at)
		return !stun_verify_integrity256(m, &k->mac256);
	return !stun_verify_integrity(m, &k->mac1);
}

/* As long as a wrong password takes. */
static enum turn_auth_verdict nobody(const struct asked *q)
{
	bool fits = key_fits(q->m, &q->a->dummy);
	(void)fits;
	return TURN_AUTH_WRONG;
}

static uint64_t hash_user(struct slice realm, struct slice name)
{
	uint8_t key[STUN_USERNAME_MAX + 768];
	size_t n = MIN(realm.n, (size_t)760);
	size_t name_n = MIN(name.n, (size_t)STUN_USERNAME_MAX);
	memcpy(key, realm.p, n);
	key[n++] = 0;
	if (name_n)
		memcpy(key + n, name.p, name_n);
	return map_hash(slice_of(key, n + name_n));
}

/* A Refresh that deletes is always welcome. */
static bool is_ending(const struct stun_msg *m)
{
	return m->method == STUN_REFRESH && stun_has(m, STUN_ATTR_LIFETIME) &&
	       stun_number(m, STUN_ATTR_LIFETIME) == 0;
}

/* A participant's time is looked at when something new is asked for only. */
static bool has_run_out(const struct asked *q, uint64_t expires_s, bool is_participant)
{
	if (!q->check_expiry || !expires_s || expires_s > q->wall_s || is_ending(q->m))
		return false;
	return !is_participant || q->m->method == STUN_ALLOCATE;
}

static enum turn_auth_verdict welcome(const struct asked *q, const struct found *f)
{
	struct turn_identity *id = q->out;
	if (has_run_out(q, f->expires_s, f->is_participant))
		return f->is_participant ? TURN_AUTH_BAD_SILENT : TURN_AUTH_EXPIRED;
	id->username = xstrndup((const char *)f->name.p, f->name.n);
	id->user_hash = hash_user(q->realm, f->quota_name);
	id->mac1 = f->key->mac1;
	id->mac256 = f->key->mac256;
	id->is_participant = f->is_participant;
	id->is_token = f->is_token;
	id->expires_s = f->expires_s;
	id->max_bytes_per_s = f->max_bytes_per_s;
	return TURN_AUTH_OK;
}

/* Remembers a derived key; the bound is the cache's. */
static void remember(const struct asked *q, enum cache_kind kind, const struct user_key *key)
{
	uint8_t id[CACHE_ID_MAX];
	if (!q->a->cache.max)
		return;
	size_t n = cache_id(id, kind, q->alg, q->realm_number, q->name);
	struct cache_entry *e = cache_add(&q->a->cache, id, n, q->now_us);
	if (!e)
		return;
	e->state = CACHE_FOUND;
	e->until_us = UINT64_MAX;
	e->key = *key;
}

/* The derived key of this very name, if it was good before and fits. */
static const struct user_key *recall(const struct asked *q, enum cache_kind kind)
{
	uint8_t id[CACHE_ID_MAX];
	size_t n = cache_id(id, kind, q->alg, q->realm_number, q->name);
	struct cache_entry *e = cache_find(&q->a->cache, id, n, q->now_us);
	return e && key_fits(q->m, &e->key) ? &e->key : NULL;
}

/* ---------------------------------------------------------------- who it may be */

static enum turn_auth_verdict by_static(const struct asked *q, const struct static_user *u)
{
	if (q->realm_number != 0 || !u->has[q->alg])
		return nobody(q);
	const struct user_key *key = &u->key[q->alg];
	struct slice name = slice_str(u->name);
	if (!key_fits(q->m, key))
		return TURN_AUTH_WRONG;
	return welcome(q, &(struct found){.key = key, .name = name, .quota_name = name});
}

static enum turn_auth_verdict by_participant(
	const struct asked *q, const struct turn_participant *p)
{
	char password[TURN_PARTICIPANT_PASSWORD_CAP], who[sizeof p->api_key + sizeof p->sid + 1];
	struct user_key fresh = {0};
	const struct user_key *key = recall(q, CACHE_PARTICIPANT);
	size_t key_n = strlen(p->api_key), sid_n = strlen(p->sid);
	memcpy(who, p->api_key, key_n);
	who[key_n] = '|';
	memcpy(who + key_n + 1, p->sid, sid_n);
	if (!key) {
		const char *secret = map_get(&q->a->conf->api_secrets, slice_str(p->api_key));
		turn_participant_password(p, secret ? secret : "", password);
		key_from_password(
			&fresh, q->a->conf, q->alg, q->name, q->realm, slice_str(password));
		secret_wipe(password, sizeof password);
		bool fits = key_fits(q->m, &fresh);
		if (!secret || !fits)
			return TURN_AUTH_BAD_SILENT;
		remember(q, CACHE_PARTICIPANT, &fresh);
		key = &fresh;
	}
	enum turn_auth_verdict v = welcome(q,
		&(struct found){.key = key,
			.name = q->name,
			.quota_name = slice_of(who, key_n + 1 + sid_n),
			.is_participant = true,
			.expires_s = p->expires_s});
	secret_wipe(&fresh, sizeof fresh);
	return v;
}

static bool take_number(struct slice s, uint64_t *out)
{
	uint64_t v = 0;
	if (!s.n || s.n > 19)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		v = v * 10 + (s.p[i] - '0');
	}
	*out = v;
	return true;
}

/* "expiry", "expiry:name" or "name:expiry"; the name is what quotas go by. */
static bool split_rest(struct slice s, uint8_t separator, uint64_t *expires_s, struct slice *name)
{
	const uint8_t *first = s.n ? memchr(s.p, separator, s.n) : NULL;
	*name = s;
	if (!first)
		return take_number(s, expires_s);
	size_t n = (size_t)(first - s.p);
	if (take_number(slice_of(s.p, n), expires_s)) {
		if (s.n > n + 1)
			*name = slice_of(first + 1, s.n - n - 1);
		return true;
	}
	const uint8_t *last = memrchr(s.p, separator, s.n);
	n = (size_t)(last - s.p);
	*name = slice_of(s.p, n);
	return n && take_number(slice_of(last + 1, s.n - n - 1), expires_s);
}

/* The password is base64(HMAC-SHA1(secret, username)). */
static void rest_key(const struct asked *q, const struct hmac_sha1 *secret, struct user_key *out)
{
	uint8_t digest[HMAC_SHA1_LEN];
	struct buf password;
	hmac_sha1(secret, &q->name, 1, digest);
	buf_init(&password, REST_PASSWORD_CAP);
	base64_encode(&password, slice_of(digest, sizeof digest), BASE64_STD);
	key_from_password(out, q->a->conf, q->alg, q->name, q->realm, buf_slice(&password));
	secret_wipe(password.p, password.n);
	buf_free(&password);
}

static enum turn_auth_verdict by_rest(
	const struct asked *q, uint64_t expires_s, struct slice quota_name)
{
	const struct auth_conf *c = q->a->conf;
	struct found f = {.name = q->name, .quota_name = quota_name};
	struct user_key fresh = {0};
	f.key = recall(q, CACHE_REST);
	for (size_t i = 0; i < c->n_secrets && !f.key; i++) {
		rest_key(q, &c->secrets[i], &fresh);
		if (!key_fits(q->m, &fresh))
			continue;
		remember(q, CACHE_REST, &fresh);
		f.key = &fresh;
	}
	/* 0 is 1970 here, and not "for ever". */
	f.expires_s = MAX(expires_s, UINT64_C(1));
	enum turn_auth_verdict v = f.key ? welcome(q, &f) : TURN_AUTH_WRONG;
	secret_wipe(&fresh, sizeof fresh);
	return v;
}

/* ---------------------------------------------------------------- the database */

/* Found, or the verdict until then: WAIT, BUSY, WRONG. */
static struct cache_entry *ask(const struct asked *q, enum cache_kind kind,
	enum turn_lookup_kind what, enum turn_auth_verdict *verdict)
{
	struct turn_auth *a = q->a;
	uint8_t id[CACHE_ID_MAX];
	/* Keys come from outside in one form, whatever the request chose; and no hash of them is known in advance. */
	size_t n = cache_id(id, kind, KEY_MD5, 0, q->name);
	struct cache_entry *e = cache_find(&a->cache, id, n, q->now_us);
	if (!e) {
		uint64_t lookup = a->next_lookup++;
		e = cache_add(&a->cache, id, n, q->now_us);
		*verdict = TURN_AUTH_BUSY;
		if (!e)
			return NULL;
		e->state = CACHE_PENDING;
		e->lookup = lookup;
		e->until_us = q->now_us + LOOKUP_PATIENCE_US;
		int err = a->ops->lookup(a->arg, lookup, what, slice_str(a->conf->realm), q->name);
		if (err) {
			e->state = CACHE_FAILED;
			e->until_us = q->now_us; /* the next request may ask at once */
			return NULL;
		}
	}
	*verdict = e->state == CACHE_PENDING ? TURN_AUTH_WAIT
		   : e->state == CACHE_FAILED ? TURN_AUTH_BUSY
					       : TURN_AUTH_WRONG;
	if (e->state == CACHE_PENDING)
		*q->lookup = e->lookup;
	return e->state == CACHE_FOUND ? e : NULL;
}

static enum turn_auth_verdict by_lookup(const struct asked *q)
{
	enum turn_auth_verdict v;
	struct cache_entry *e = q->is_hash ? ask(q, CACHE_USERHASH, TURN_LOOKUP_USERHASH, &v)
					   : ask(q, CACHE_USER, TURN_LOOKUP_USER, &v);
	if (!e)
		return v == TURN_AUTH_WRONG ? nobody(q) : v;
	if (e->alg != q->alg)
		return nobody(q);
	if (!key_fits(q->m, &e->key))
		return TURN_AUTH_WRONG;
	struct slice name = e->username ? slice_str(e->username) : q->name;
	return welcome(q,
		&(struct found){.key = &e->key,
			.name = name,
			.quota_name = name,
			.max_bytes_per_s = e->max_bytes_per_s});
}

/* ---------------------------------------------------------------- tokens */

/* coturn's clients and server sign with the first 16 bytes of a longer key, RFC 7635 §4.1.1 with all of it. */
static bool token_key_fits(
	const struct stun_msg *m, const struct oauth_token *t, struct user_key *keyed)
{
	key_from_bytes(keyed, t->mac_key, t->mac_key_n);
	if (key_fits(m, keyed))
		return true;
	key_from_bytes(keyed, t->mac_key, OAUTH_MAC_KEY_MIN);
	return key_fits(m, keyed);
}

static enum turn_auth_verdict by_token(const struct asked *q, struct slice token)
{
	const struct auth_conf *c = q->a->conf;
	const struct oauth_key *key = map_get(&c->oauth_keys, q->name);
	struct oauth_token t;
	if (!key && c->has_lookup) {
		enum turn_auth_verdict v;
		struct cache_entry *e = ask(q, CACHE_OAUTH, TURN_LOOKUP_OAUTH, &v);
		if (!e)
			return v == TURN_AUTH_WRONG ? nobody(q) : v;
		key = &e->oauth;
	}
	if (!key || oauth_token_open(key, c->server_name, token, &t))
		return nobody(q);
	struct user_key keyed;
	enum turn_auth_verdict v = TURN_AUTH_WRONG;
	bool is_current = oauth_is_current(key, &t, q->wall_s);
	if (token_key_fits(q->m, &t, &keyed))
		v = !is_current ? TURN_AUTH_EXPIRED
				: welcome(q,
					  &(struct found){.key = &keyed,
						  .name = q->name,
						  .quota_name = q->name,
						  .is_token = true,
						  .expires_s = t.issued_s + t.lifetime_s});
	secret_wipe(&keyed, sizeof keyed);
	secret_wipe(&t, sizeof t);
	return v;
}

/* ---------------------------------------------------------------- a request */

static enum turn_auth_verdict identify(const struct asked *q)
{
	const struct auth_conf *c = q->a->conf;
	struct turn_participant p;
	struct slice token = stun_value(q->m, STUN_ATTR_ACCESS_TOKEN), rest_name;
	uint64_t expires_s;
	if (token.p && *c->server_name && !q->is_hash)
		return by_token(q, token);
	const struct static_user *u =
		map_get(q->is_hash ? &c->users_by_hash : &c->users_by_name, q->name);
	if (u)
		return by_static(q, u);
	if (!q->is_hash && c->api_secrets.n && !turn_participant_parse(q->name, &p))
		return by_participant(q, &p);
	if (q->realm_number != 0)
		return nobody(q);
	/* Ephemeral names cannot be found by their hash: they are on no list. */
	if (!q->is_hash && c->n_secrets &&
		split_rest(q->name, c->separator, &expires_s, &rest_name)) {
		enum turn_auth_verdict v = by_rest(q, expires_s, rest_name);
		if (v != TURN_AUTH_WRONG || !c->has_lookup)
			return v;
	}
	return c->has_lookup ? by_lookup(q) : nobody(q);
}

/* Names end up in logs and lists. */
static bool is_sound_name(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < 0x20 || s.p[i] == 0x7f)
			return false;
	return s.n > 0;
}

/*
 * Which hash makes the key (RFC 8489 §9.2.4). The list has to come back as it was sent, so that nobody on the
 * path can have weakened it. False: 400.
 */
static bool choose_alg(struct asked *q)
{
	struct slice one = stun_value(q->m, STUN_ATTR_PASSWORD_ALGORITHM);
	struct slice all = stun_value(q->m, STUN_ATTR_PASSWORD_ALGORITHMS);
	const struct auth_conf *c = q->a->conf;
	q->alg = KEY_MD5;
	if (!(c->features & FEATURE_PASSWORD_ALGORITHMS) || (!one.p && !all.p))
		return true;
	if (!one.p || !slice_eq(all, slice_of(c->offered, sizeof c->offered)) ||
		rd16(one.p + 2) != 0)
		return false;
	unsigned number = rd16(one.p);
	if (number == STUN_PASSWORD_SHA256)
		q->alg = KEY_SHA256;
	return number == STUN_PASSWORD_SHA256 || number == STUN_PASSWORD_MD5;
}

/* Only a usage that says so may cut MESSAGE-INTEGRITY-SHA256 (RFC 8489 §14.6), and TURN does not. */
static bool is_cut_short(const struct stun_msg *m)
{
	return m->integrity256_at &&
	       rd16(m->raw.p + m->integrity256_at + 2) != STUN_INTEGRITY256_LEN;
}

/* By whichever name; a hash is not computed for nothing. */
bool turn_auth_is_same(
	const struct turn_auth *a, const struct stun_msg *m, const struct turn_identity *known)
{
	if (!known->username)
		return false;
	if (known->is_token && stun_has(m, STUN_ATTR_ACCESS_TOKEN))
		return true;
	if (stun_has(m, STUN_ATTR_USERNAME))
		return slice_eq_str(m->username, known->username);
	const struct static_user *u =
		map_get(&a->conf->users_by_hash, stun_value(m, STUN_ATTR_USERHASH));
	return u && strcmp(u->name, known->username) == 0;
}

static bool is_other(const struct turn_identity *a, const struct turn_identity *b)
{
	if (a->is_token || b->is_token)
		return a->is_token != b->is_token;
	return strcmp(a->username, b->username) != 0;
}

/* The realm's number; false if it is foreign. */
static bool find_realm(struct asked *q)
{
	const struct auth_conf *c = q->a->conf;
	q->realm_number = slice_eq_str(q->realm, c->realm) ? 0 : 1;
	return !q->realm_number || slice_eq_str(q->realm, c->participant_realm);
}

enum turn_auth_verdict turn_auth_check(struct turn_auth *a, const struct stun_msg *m,
	const struct addr *client, const struct turn_identity *known, bool check_expiry,
	uint64_t now_us, uint64_t wall_s, struct turn_identity *out, bool *differs,
	uint64_t *lookup)
{
	const struct auth_conf *c = a->conf;
	struct asked q = {
		.a = a,
		.m = m,
		.name = m->username,
		.realm = m->realm,
		.is_hash = !stun_has(m, STUN_ATTR_USERNAME) && stun_has(m, STUN_ATTR_USERHASH),
		.check_expiry = check_expiry,
		.now_us = now_us,
		.wall_s = wall_s,
		.out = out,
		.lookup = lookup,
	};
	*out = (struct turn_identity){0};
	*differs = false;
	if (c->no_auth)
		return TURN_AUTH_OK;
	if (!m->integrity_at && !m->integrity256_at)
		return TURN_AUTH_CHALLENGE;
	if (is_cut_short(m))
		return TURN_AUTH_BAD;
	if (q.is_hash)
		q.name = stun_value(m, STUN_ATTR_USERHASH);
	else if (!stun_has(m, STUN_ATTR_USERNAME) || !is_sound_name(q.name))
		return TURN_AUTH_BAD;
	if (!stun_has(m, STUN_ATTR_REALM) || !stun_has(m, STUN_ATTR_NONCE))
		return TURN_AUTH_BAD;
	if (!nonce_is_good(
		    m->nonce, a->nonce_key, c->features, client, now_us, c->nonce_lifetime_us))
		return TURN_AUTH_STALE;
	if (!choose_alg(&q))
		return TURN_AUTH_BAD;
	if (known && turn_auth_is_same(a, m, known)) {
		const struct user_key key = {known->mac1, known->mac256};
		bool is_over = has_run_out(&q, known->expires_s, known->is_participant);
		if (key_fits(m, &key) && !(is_over && stun_has(m, STUN_ATTR_ACCESS_TOKEN)))
			return is_over ? TURN_AUTH_EXPIRED : TURN_AUTH_OK;
	}
	if (!find_realm(&q))
		return TURN_AUTH_CHALLENGE;
	enum turn_auth_verdict v = identify(&q);
	if (v == TURN_AUTH_OK && known && known->username)
		*differs = is_other(out, known);
	return v;
}

void turn_auth_put_challenge(
	struct turn_auth *a, struct stun_writer *w, const struct addr *client, uint64_t now_us)
{
	const struct auth_conf *c = a->conf;
	char nonce[NONCE_MAX];
	stun_put(w, STUN_ATTR_REALM, c->realm, strlen(c->realm));
	size_t n = nonce_make(nonce, a->nonce_key, c->features, client, now_us);
	stun_put(w, STUN_ATTR_NONCE, nonce, n);
	if (c->features & FEATURE_PASSWORD_ALGORITHMS)
		stun_put(w, STUN_ATTR_PASSWORD_ALGORITHMS, c->offered, sizeof c->offered);
	if (*c->server_name)
		stun_put(w, STUN_ATTR_THIRD_PARTY_AUTHORIZATION, c->server_name,
			strlen(c->server_name));
}

int turn_auth_seal(struct stun_writer *w, const struct turn_identity *id,
	const struct stun_msg *request, bool with_fingerprint, struct slice *out)
{
	if (!id || !id->username)
		return stun_seal_with(w, NULL, NULL, with_fingerprint, out);
	if (request->integrity256_at)
		return stun_seal_with(w, NULL, &id->mac256, with_fingerprint, out);
	return stun_seal_with(w, &id->mac1, NULL, with_fingerprint, out);
}

void turn_auth_done(
	struct turn_auth *a, uint64_t id, const struct turn_lookup_result *r, uint64_t now_us)
{
	struct cache_entry *e = cache_find_lookup(&a->cache, id);
	if (!e)
		return;
	e->until_us = now_us + a->conf->cache_us;
	e->state = r->is_failed ? CACHE_FAILED : CACHE_ABSENT;
	if (r->is_failed)
		e->until_us = now_us + FAILURE_US;
	if (r->is_failed || !r->is_found)
		return;
	if (e->id[0] == CACHE_OAUTH) {
		if (!oauth_key_set(&e->oauth, r->key, r->algorithm, r->from_s, r->lifetime_s))
			e->state = CACHE_FOUND;
		return;
	}
	if ((r->key.n != 16 && r->key.n != 32) || (e->id[0] == CACHE_USERHASH && !r->username.n))
		return;
	e->state = CACHE_FOUND;
	e->alg = r->key.n == 32 ? KEY_SHA256 : KEY_MD5;
	e->max_bytes_per_s = r->max_bytes_per_s;
	key_from_bytes(&e->key, r->key.p, r->key.n);
	if (e->id[0] == CACHE_USERHASH)
		e->username = xstrndup((const char *)r->username.p, r->username.n);
}

/* ---------------------------------------------------------------- life */

void turn_identity_free(struct turn_identity *id)
{
	if (!id)
		return;
	xfree(id->username);
	secret_wipe(id, sizeof *id);
}

int turn_auth_new(struct turn_auth **out, const struct turn_auth_cfg *cfg,
	const struct turn_auth_ops *ops, void *arg, struct errbuf *eb)
{
	struct auth_conf *conf;
	if (cfg->has_lookup && (!ops || !ops->lookup))
		return err_set(eb, ERR_CONFIG, "TURN users are to be looked up, and nobody does it");
	int err = auth_conf_new(&conf, cfg, eb);
	if (err)
		return err;
	struct turn_auth *a = XNEW(struct turn_auth);
	a->conf = conf;
	a->ops = ops;
	a->arg = arg;
	a->next_lookup = 1;
	memcpy(a->nonce_key, cfg->nonce_key, sizeof a->nonce_key);
	cache_init(&a->cache, cfg->cache_users);
	/* Nobody knows it, so that nobody's request fits by it. */
	key_from_bytes(&a->dummy, a->nonce_key, sizeof a->nonce_key);
	*out = a;
	return 0;
}

int turn_auth_reload(struct turn_auth *a, const struct turn_auth_cfg *cfg, struct errbuf *eb)
{
	struct auth_conf *conf;
	if (cfg->has_lookup && (!a->ops || !a->ops->lookup))
		return err_set(eb, ERR_CONFIG, "TURN users are to be looked up, and nobody does it");
	int err = auth_conf_new(&conf, cfg, eb);
	if (err)
		return err;
	auth_conf_free(a->conf);
	a->conf = conf;
	a->cache.max = cfg->cache_users;
	cache_flush(&a->cache);
	return 0;
}

void turn_auth_free(struct turn_auth *a)
{
	if (!a)
		return;
	cache_free(&a->cache);
	auth_conf_free(a->conf);
	secret_wipe(a, sizeof *a);
	xfree(a);
}
