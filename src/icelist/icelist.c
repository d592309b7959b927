#include "icelist/icelist.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/base64.h"
#include "base/mem.h"
#include "crypto/hmac.h"
#include "turn/participant.h"

/* Where nothing at all is configured, a participant behind NAT still learns its public address. */
static const char *const default_stun[] = {"stun:stun.l.google.com:19302", "stun:stun1.l.google.com:19302"};

/* URLs that are told together. */
struct urls {
	char **v;
	size_t n;
};

struct turn {
	struct urls urls;
	char *username, *credential, *secret; /* either the first two, or the last */
	uint64_t ttl_s;
	char separator;
};

struct icelist {
	atomic_uint refs;
	struct urls stun;
	struct turn *turn;
	size_t n_turn;
	struct turn embedded; /* no URLs: there is none */
	bool has_default_stun;
};

static bool is_set(const char *s)
{
	return s && *s;
}

/* ------------------------------------------------------------------ the list */

/* Takes the URL. One that is there already is not told twice. */
static void add_url(struct urls *u, char *url)
{
	for (size_t i = 0; i < u->n; i++) {
		if (strcmp(u->v[i], url) == 0) {
			xfree(url);
			return;
		}
	}
	u->v = xrealloc(u->v, (u->n + 1) * sizeof *u->v);
	u->v[u->n++] = url;
}

static void copy_urls(struct urls *to, const char *const *from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (is_set(from[i]))
			add_url(to, xstrdup(from[i]));
}

static void free_urls(struct urls *u)
{
	for (size_t i = 0; i < u->n; i++)
		xfree(u->v[i]);
	xfree(u->v);
}

static void free_secret(char *s)
{
	if (s)
		secret_wipe(s, strlen(s));
	xfree(s);
}

static void free_turn(struct turn *t)
{
	free_urls(&t->urls);
	xfree(t->username);
	free_secret(t->credential);
	free_secret(t->secret);
}

static void add_turn(struct icelist *l, const struct icelist_turn *from)
{
	struct turn t = {.ttl_s = from->ttl_s, .separator = ':'};
	bool has_user = is_set(from->username) && is_set(from->credential);
	copy_urls(&t.urls, from->urls, from->n_urls);
	if (!t.urls.n || (!has_user && !is_set(from->secret))) {
		free_turn(&t);
		return;
	}
	if (is_set(from->secret)) {
		t.secret = xstrdup(from->secret);
	} else {
		t.username = xstrdup(from->username);
		t.credential = xstrdup(from->credential);
	}
	l->turn = xrealloc(l->turn, (l->n_turn + 1) * sizeof *l->turn);
	l->turn[l->n_turn++] = t;
}

/* "192.0.2.1" or "[2001:db8::1]": IPv6 stands in brackets in a URL (RFC 7064 §3.1). */
static char *host_of(const struct addr *ip)
{
	char text[ADDR_TEXT_CAP];
	bool is_v6 = addr_is_v6(ip);
	return xasprintf("%s%s%s", is_v6 ? "[" : "", addr_format_ip(ip, text), is_v6 ? "]" : "");
}

static void add_embedded(struct icelist *l, const struct icelist_embedded *e)
{
	struct turn *t = &l->embedded;
	for (size_t i = 0; i < e->n_ips; i++) {
		char *host = host_of(&e->ips[i]);
		if (e->udp_port && e->has_stun)
			add_url(&l->stun, xasprintf("stun:%s:%u", host, e->udp_port));
		if (e->udp_port && e->has_relay)
			add_url(&t->urls, xasprintf("turn:%s:%u?transport=udp", host, e->udp_port));
		if (e->tcp_port && e->has_relay)
			add_url(&t->urls, xasprintf("turn:%s:%u?transport=tcp", host, e->tcp_port));
		xfree(host);
	}
	if (e->tls_port && is_set(e->domain) && e->has_relay)
		add_url(&t->urls, xasprintf("turns:%s:%u?transport=tcp", e->domain, e->tls_port));
	t->secret = is_set(e->secret) ? xstrdup(e->secret) : NULL;
	t->ttl_s = e->ttl_s;
	t->separator = e->rest_separator ? e->rest_separator : ':';
}

struct icelist *icelist_new(const struct icelist_cfg *cfg)
{
	struct icelist *l = XNEW(struct icelist);
	atomic_init(&l->refs, 1);
	l->has_default_stun = cfg->has_default_stun;
	copy_urls(&l->stun, cfg->stun_urls, cfg->n_stun_urls);
	for (size_t i = 0; i < cfg->n_turn; i++)
		add_turn(l, &cfg->turn[i]);
	add_embedded(l, &cfg->embedded);
	return l;
}

bool icelist_relays_participants(const struct icelist *l)
{
	return l && (l->n_turn || l->embedded.urls.n);
}

struct icelist *icelist_ref(struct icelist *l)
{
	if (l)
		atomic_fetch_add_explicit(&l->refs, 1, memory_order_relaxed);
	return l;
}

void icelist_unref(struct icelist *l)
{
	/* Acquire and release: whoever frees must see all that the others did with the list before. */
	if (!l || atomic_fetch_sub_explicit(&l->refs, 1, memory_order_acq_rel) != 1)
		return;
	free_urls(&l->stun);
	for (size_t i = 0; i < l->n_turn; i++)
		free_turn(&l->turn[i]);
	free_turn(&l->embedded);
	xfree(l->turn);
	xfree(l);
}

/* ------------------------------------------------------------------ answers */

void icelist_rest_password(
	struct slice secret, struct slice username, char out[ICELIST_PASSWORD_CAP])
{
	struct hmac_sha1 key;
	uint8_t tag[HMAC_SHA1_LEN];
	struct buf text;
	hmac_sha1_init(&key, secret.p, secret.n);
	hmac_sha1(&key, &username, 1, tag);
	buf_init(&text, ICELIST_PASSWORD_CAP);
	base64_encode(&text, slice_of(tag, sizeof tag), BASE64_STD);
	memcpy(out, buf_cstr(&text), ICELIST_PASSWORD_CAP);
	secret_wipe(text.p, text.n);
	buf_free(&text);
	secret_wipe(&key, sizeof key);
	secret_wipe(tag, sizeof tag);
}

static struct icelist_entry *add_entry(struct icelist_answer *a, const struct urls *urls)
{
	struct icelist_entry *e = &a->entries[a->n++];
	*e = (struct icelist_entry){.urls = (const char *const *)urls->v, .n_urls = urls->n};
	return e;
}

static void add_rest(
	struct icelist_answer *a, const struct turn *t, const char *name, uint64_t now_s)
{
	struct icelist_entry *e = add_entry(a, &t->urls);
	e->username = xasprintf("%" PRIu64 "%c%.*s", now_s + t->ttl_s, t->separator, ICELIST_NAME_MAX, name);
	e->credential = xmalloc(ICELIST_PASSWORD_CAP);
	icelist_rest_password(slice_str(t->secret), slice_str(e->username), e->credential);
}

static void add_participant(struct icelist_answer *a, const struct turn *t,
	const struct icelist_participant *p, uint64_t now_s)
{
	char user[TURN_PARTICIPANT_USER_CAP], password[TURN_PARTICIPANT_PASSWORD_CAP];
	if (!is_set(p->secret) || turn_participant_mint(p->api_key, p->secret, p->sid,
					  now_s + t->ttl_s, user, password) != 0)
		return;
	struct icelist_entry *e = add_entry(a, &t->urls);
	e->username = xstrdup(user);
	e->credential = xstrdup(password);
	secret_wipe(password, sizeof password);
}

/* STUN, and the servers of others. Room is left for the embedded one. */
static void begin(
	const struct icelist *l, const char *name, uint64_t now_s, struct icelist_answer *a)
{
	*a = (struct icelist_answer){.entries = xcalloc(l->n_turn + 2, sizeof *a->entries)};
	if (l->stun.n)
		add_entry(a, &l->stun);
	for (size_t i = 0; i < l->n_turn; i++) {
		const struct turn *t = &l->turn[i];
		if (t->secret) {
			add_rest(a, t, name, now_s);
			continue;
		}
		struct icelist_entry *e = add_entry(a, &t->urls);
		e->username = xstrdup(t->username);
		e->credential = xstrdup(t->credential);
	}
}

void icelist_for_participant(const struct icelist *l, const struct icelist_participant *p,
	uint64_t now_s, struct icelist_answer *a)
{
	*a = (struct icelist_answer){0};
	if (!l)
		return;
	begin(l, p->sid, now_s, a);
	if (l->embedded.urls.n)
		add_participant(a, &l->embedded, p, now_s);
	if (!a->n && l->has_default_stun)
		a->entries[a->n++] = (struct icelist_entry){
			.urls = default_stun, .n_urls = ARRAY_LEN(default_stun)};
}

void icelist_for_anybody(
	const struct icelist *l, const char *name, uint64_t now_s, struct icelist_answer *a)
{
	*a = (struct icelist_answer){0};
	if (!l)
		return;
	begin(l, name, now_s, a);
	if (l->embedded.urls.n && l->embedded.secret)
		add_rest(a, &l->embedded, name, now_s);
}

void icelist_answer_free(struct icelist_answer *a)
{
	for (size_t i = 0; i < a->n; i++) {
		xfree(a->entries[i].username);
		free_secret(a->entries[i].credential);
	}
	xfree(a->entries);
	*a = (struct icelist_answer){0};
}

bool icelist_entry_is_turn(const struct icelist_entry *e)
{
	for (size_t i = 0; i < e->n_urls; i++)
		if (strncasecmp(e->urls[i], "turn:", 5) == 0 || strncasecmp(e->urls[i], "turns:", 6) == 0)
			return true;
	return false;
}

/* ------------------------------------------------------------------ JSON */

/* NULL if a text is not UTF-8. */
static json_t *entry_json(const struct icelist_entry *e)
{
	int err = 0;
	json_t *o = json_object(), *urls = json_array();
	for (size_t i = 0; i < e->n_urls; i++)
		err |= json_array_append_new(urls, json_string(e->urls[i]));
	err |= json_object_set_new(o, "urls", urls);
	if (e->username) {
		err |= json_object_set_new(o, "username", json_string(e->username));
		err |= json_object_set_new(o, "credential", json_string(e->credential));
	}
	if (!err)
		return o;
	json_decref(o);
	return NULL;
}

int icelist_json(const struct icelist_answer *a, struct buf *out)
{
	int err = 0;
	json_t *o = json_object(), *servers = json_array();
	for (size_t i = 0; i < a->n; i++)
		err |= json_array_append_new(servers, entry_json(&a->entries[i]));
	err |= json_object_set_new(o, "iceServers", servers);
	char *text = err ? NULL : json_dumps(o, JSON_COMPACT);
	if (text) {
		buf_add_str(out, text);
		secret_wipe(text, strlen(text));
	}
	mem_free_foreign(text);
	json_decref(o);
	return text && !out->full ? 0 : -ERR_MALFORMED;
}
