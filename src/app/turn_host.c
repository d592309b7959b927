#include "app/turn_host.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "app/turn_metrics.h"
#include "app/turn_rules.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"
#include "base/rng.h"
#include "front/front.h"
#include "store/turn_stats.h"
#include "store/turn_users.h"

enum { DATABASE_RETRY_S = 5 };

/* One worker's part. */
struct end {
	struct turn_host *host;
	struct worker *worker;
	struct turnd *turnd;
	struct turn_auth *auth;
	struct turn_settings *settings; /* referenced; those that turnd borrows from */
	struct turn_metrics *metrics;
	struct timer database_timer;
	char **secrets; /* from the database, beside those of the configuration */
	size_t n_secrets;
	struct turn_rules *rules;   /* from the database; NULL = none came yet */
	bool is_refusing; /* for want of them; it is in the log */
	bool has_rules; /* the database has answered since its peers are wanted */
	struct turn_policy *policy; /* made of settings and rules, which turnd borrows; NULL = that of the settings */
	bool is_stopped;
};

struct turn_host {
	struct turn_settings *settings; /* the newest */
	struct turn_quota *quota;
	struct turnd_shared *shared;
	void (*http_pass)(void *arg, int fd, const struct addr *client);
	void *http_arg;
	struct store_turn *store; /* NULL without a database */
	struct store_stats *stats;
	struct end *ends;
	unsigned n_ends;
	struct addr *sfu;
	size_t n_sfu;
	uint32_t metric_users; /* 0 = no names */
	char *realm;
	uint8_t nonce_key[TURN_NONCE_KEY_LEN];
};

/* Whom answers of the database are for: they come with the worker only. */
static _Thread_local struct end *end_here;

/* ------------------------------------------------------------------ the database */

static const char *scheme_of(enum turn_transport t)
{
	static const char *const names[TURN_TRANSPORT_N] = {"UDP", "TCP", "TLS", "DTLS"};
	return names[t];
}

static void looked_up(void *receiver, uint64_t id, const struct store_turn_answer *a)
{
	struct end *e = end_here;
	(void)receiver;
	if (!e || e->is_stopped)
		return;
	struct turn_lookup_result r = {
		.is_found = a->err == 0,
		.is_failed = a->err && a->err != -ERR_NOT_FOUND && a->err != -ERR_MALFORMED,
	};
	if (r.is_found && a->kind == STORE_TURN_OAUTH) {
		r.key = slice_of(a->oauth.ikm, a->oauth.ikm_n);
		r.algorithm = a->oauth.alg;
		r.from_s = a->oauth.timestamp_s;
		r.lifetime_s = a->oauth.lifetime_s;
	} else if (r.is_found) {
		r.key = slice_of(a->key.bytes, a->key.n);
		r.username = slice_str(a->username ? a->username : "");
	}
	turn_auth_done(e->auth, id, &r, e->worker->now_us);
	turn_auth_ready(turnd_server(e->turnd), id, e->worker->now_us);
}

static int look_up(
	void *arg, uint64_t id, enum turn_lookup_kind kind, struct slice realm, struct slice name)
{
	struct end *e = arg;
	static const enum store_turn_kind kinds[TURN_LOOKUP_KINDS] = {
		[TURN_LOOKUP_USER] = STORE_TURN_USER,
		[TURN_LOOKUP_USERHASH] = STORE_TURN_USERHASH,
		[TURN_LOOKUP_OAUTH] = STORE_TURN_OAUTH,
	};
	const struct store_turn_ask ask = {&e->worker->mbox, id, looked_up};
	return store_turn_lookup(e->host->store, &ask, kinds[kind], realm, name);
}

static const struct turn_auth_ops auth_ops = {look_up};

static void free_secrets(struct end *e)
{
	for (size_t i = 0; i < e->n_secrets; i++) {
		secret_wipe(e->secrets[i], strlen(e->secrets[i]));
		xfree(e->secrets[i]);
	}
	xfree(e->secrets);
	e->secrets = NULL;
	e->n_secrets = 0;
}

/* Users and secrets of the settings, and the database's secrets. */
static int reload_auth(struct end *e, struct errbuf *eb)
{
	struct turn_auth_cfg cfg = e->settings->auth;
	const char **all = xcalloc(cfg.n_secrets + e->n_secrets + 1, sizeof *all);
	for (size_t i = 0; i < cfg.n_secrets; i++)
		all[i] = cfg.secrets[i];
	for (size_t i = 0; i < e->n_secrets; i++)
		all[cfg.n_secrets + i] = e->secrets[i];
	cfg.secrets = all;
	cfg.n_secrets += e->n_secrets;
	int err = turn_auth_reload(e->auth, &cfg, eb);
	xfree(all);
	return err;
}

static void ask_again_soon(struct end *e)
{
	uint64_t wait_us = MIN(e->settings->userdb_cache_us, (uint64_t)DATABASE_RETRY_S * US_PER_S);
	wheel_set(&e->worker->wheel, &e->database_timer, e->worker->now_us + wait_us);
}

static bool same_secrets(const struct end *e, const struct store_turn_answer *a)
{
	if (a->rows_n != e->n_secrets)
		return false;
	for (size_t i = 0; i < a->rows_n; i++)
		if (strcmp(a->rows[i].value, e->secrets[i]) != 0)
			return false;
	return true;
}

static void secrets_came(void *receiver, uint64_t id, const struct store_turn_answer *a)
{
	struct end *e = end_here;
	struct errbuf eb;
	(void)receiver;
	(void)id;
	if (!e || e->is_stopped)
		return;
	if (a->err)
		ask_again_soon(e);
	if (a->err || same_secrets(e, a))
		return;
	free_secrets(e);
	e->secrets = xcalloc(a->rows_n + 1, sizeof *e->secrets);
	for (size_t i = 0; i < a->rows_n; i++)
		e->secrets[e->n_secrets++] = xstrdup(a->rows[i].value);
	if (reload_auth(e, &eb) != 0)
		LOG_ERROR("secrets of the database not taken", F_STR("why", eb.text));
}

/*
 * The database may deny what the configuration does not: until its first answer nobody gets an allocation. Who asks
 * meanwhile waits for it, or for its failure.
 */
static void hold(struct end *e, enum turn_hold how)
{
	e->is_refusing = how == TURN_HOLD_REFUSE;
	turn_hold(turnd_server(e->turnd), how, e->worker->now_us);
}

static bool needs_rules(const struct end *e)
{
	return e->host->store && e->settings->userdb_peers && !e->has_rules;
}

/* Peers and limits: the configuration's, and over them what the database says. */
static void take_rules(struct end *e, struct turn_rules *rules)
{
	struct turn_policy *policy = NULL;
	struct errbuf eb;
	if (turn_rules_policy(rules, e->settings, &policy, &eb) != 0) {
		LOG_ERROR("peers of the TURN database not taken", F_STR("why", eb.text));
		turn_rules_unref(rules);
		if (needs_rules(e))
			hold(e, TURN_HOLD_REFUSE);
		return;
	}
	turnd_set_rules(e->turnd, turn_rules_bytes_per_s(rules, e->settings), policy);
	turn_policy_free(e->policy);
	e->policy = policy;
	turn_rules_unref(e->rules);
	e->rules = rules;
	e->has_rules = true;
	hold(e, TURN_HOLD_NONE);
}

struct rules_msg {
	struct msg msg;
	struct end *end;
	struct turn_rules *rules; /* referenced; NULL = the database does not answer */
};

static void drop_rules(struct msg *m)
{
	struct rules_msg *r = CONTAINER_OF(m, struct rules_msg, msg);
	turn_rules_unref(r->rules);
	xfree(r);
}

static void handle_rules(void *receiver, struct msg *m)
{
	struct rules_msg *r = CONTAINER_OF(m, struct rules_msg, msg);
	(void)receiver;
	if (r->rules)
		take_rules(r->end, turn_rules_ref(r->rules));
	else if (needs_rules(r->end))
		hold(r->end, TURN_HOLD_REFUSE);
	drop_rules(m);
}

static const struct msg_kind rules_kind = {"turn.rules", handle_rules, drop_rules};

static void tell_others(struct end *e, struct turn_rules *rules)
{
	for (unsigned i = 0; i < e->host->n_ends; i++) {
		if (&e->host->ends[i] == e)
			continue;
		struct rules_msg *m = XNEW(struct rules_msg);
		*m = (struct rules_msg){{&rules_kind}, &e->host->ends[i], turn_rules_ref(rules)};
		mbox_post_or_drop(&m->end->worker->mbox, &m->msg);
	}
}

static void no_rules_came(struct end *e)
{
	ask_again_soon(e);
	if (!needs_rules(e) || e->is_refusing)
		return;
	LOG_ERROR("no TURN allocations before the database has been asked for the peers that it denies; "
		  "turn.userdb_peers=false does without");
	hold(e, TURN_HOLD_REFUSE);
	tell_others(e, NULL);
}

/* One worker asks for all: in Redis the answer is a walk over all keys. */
static void rules_came(void *receiver, uint64_t id, const struct store_turn_answer *a)
{
	struct end *e = end_here;
	(void)receiver;
	(void)id;
	if (!e || e->is_stopped)
		return;
	if (a->err) {
		no_rules_came(e);
		return;
	}
	struct turn_rules *rules = turn_rules_new(
		e->settings->auth.realm, e->settings->userdb_peers, a->rows, a->rows_n);
	bool is_same = turn_rules_same(rules, e->rules);
	if (is_same && e->has_rules) {
		turn_rules_unref(rules);
		return;
	}
	if (!is_same) {
		turn_rules_warn(rules);
		LOG_INFO("peers and limits of the TURN database", F_UINT("allowed_peers", rules->n_allow),
			F_UINT("denied_peers", rules->n_deny), F_BOOL("max_bps", rules->max_bps.is_set),
			F_BOOL("user_quota", rules->user_quota.is_set),
			F_BOOL("total_quota", rules->total_quota.is_set));
	}
	const struct turn_quota_cfg quota = turn_rules_quota(rules, e->settings);
	turn_quota_reload(e->host->quota, &quota);
	tell_others(e, rules);
	take_rules(e, rules);
}

static void ask_database(void *arg, uint64_t now_us)
{
	struct end *e = arg;
	struct store_turn *store = e->host->store;
	const struct slice realm = slice_str(e->settings->auth.realm), none = slice_str("");
	const struct store_turn_ask secrets = {&e->worker->mbox, 0, secrets_came};
	const struct store_turn_ask rules = {&e->worker->mbox, 0, rules_came};
	(void)!store_turn_lookup(store, &secrets, STORE_TURN_SECRETS, realm, none);
	bool is_asked = e != &e->host->ends[0] ||
		!store_turn_lookup(store, &rules, STORE_TURN_REALMS, realm, none);
	wheel_set(&e->worker->wheel, &e->database_timer,
		now_us + MAX(e->settings->userdb_cache_us, (uint64_t)US_PER_S));
	if (!is_asked)
		ask_again_soon(e);
}

/* ------------------------------------------------------------------ the end of a session */

static void log_session(const struct end *e, const struct turn_alloc_info *i, const char *reason)
{
	uint64_t duration_ms =
		(e->worker->now_us - MIN(i->started_us, e->worker->now_us)) / US_PER_MS;
	/* Both, if there are two. */
	char relayed[2 * ADDR_TEXT_CAP] = "";
	for (size_t j = 0; j < ARRAY_LEN(i->relayed); j++) {
		char *end = relayed + strlen(relayed);
		if (i->relayed[j].sa.sa_family == 0)
			continue;
		if (end > relayed)
			*end++ = ',';
		addr_format(&i->relayed[j], end);
	}
	LOG_INFO("turn session ended", F_UINT("id", i->id),
		F_STR("user", i->username ? i->username : ""),
		F_STR("realm", i->realm ? i->realm : ""),
		F_STR("transport", scheme_of(i->flow.transport)), F_ADDR("client", &i->flow.client),
		F_STR("relayed", relayed), F_STR("reason", reason), F_UINT("duration_ms", duration_ms),
		F_UINT("packets_in", i->packets_in), F_UINT("bytes_in", i->bytes_in),
		F_UINT("packets_out", i->packets_out), F_UINT("bytes_out", i->bytes_out),
		F_UINT("peer_packets_in", i->peer_packets_in),
		F_UINT("peer_bytes_in", i->peer_bytes_in),
		F_UINT("peer_packets_out", i->peer_packets_out),
		F_UINT("peer_bytes_out", i->peer_bytes_out), F_UINT("dropped", i->dropped));
}

static void publish(struct store_stats *stats, const struct turn_alloc_info *i)
{
	const struct store_stats_allocation a = {
		slice_str(i->realm ? i->realm : ""), slice_str(i->username ? i->username : ""), i->id};
	const struct store_stats_figures client = {
		i->packets_in, i->bytes_in, i->packets_out, i->bytes_out};
	const struct store_stats_figures peer = {
		i->peer_packets_in, i->peer_bytes_in, i->peer_packets_out, i->peer_bytes_out};
	/* Nothing was reported before: what came since the last report is all. */
	store_stats_traffic(stats, &a, STORE_STATS_TRAFFIC, &client);
	store_stats_traffic(stats, &a, STORE_STATS_TRAFFIC_PEER, &peer);
	store_stats_traffic(stats, &a, STORE_STATS_TOTAL, &client);
	store_stats_traffic(stats, &a, STORE_STATS_TOTAL_PEER, &peer);
	store_stats_status(stats, &a, STORE_STATS_DELETED, 0, slice_str(""));
}

/* Coturn's words for where a session is. */
static void on_kept(void *arg, const struct turn_alloc_info *i, bool is_new)
{
	const struct end *e = arg;
	uint64_t now_us = e->worker->now_us;
	const struct store_stats_allocation a = {
		slice_str(i->realm ? i->realm : ""), slice_str(i->username ? i->username : ""), i->id};
	char text[2 * ADDR_TEXT_CAP + 64], local[ADDR_TEXT_CAP], remote[ADDR_TEXT_CAP];
	if (!e->host->stats)
		return;
	(void)snprintf(text, sizeof text, "type=%s, local=%s, remote=%s", scheme_of(i->flow.transport),
		addr_format(&i->flow.server, local), addr_format(&i->flow.client, remote));
	store_stats_status(e->host->stats, &a, is_new ? STORE_STATS_NEW : STORE_STATS_REFRESHED,
		(uint32_t)((MAX(i->expires_us, now_us) - now_us + US_PER_S - 1) / US_PER_S),
		slice_str(is_new ? text : ""));
}

static void on_ended(void *arg, const struct turn_alloc_info *info, const char *reason)
{
	const struct end *e = arg;
	turn_metrics_add(e->metrics, info);
	if (e->settings->session_log)
		log_session(e, info, reason);
	if (e->host->stats)
		publish(e->host->stats, info);
}

/* ------------------------------------------------------------------ messages to workers */

struct settings_msg {
	struct msg msg;
	struct end *end;
	struct turn_settings *settings; /* referenced */
};

static void drop_settings(struct msg *m)
{
	struct settings_msg *s = CONTAINER_OF(m, struct settings_msg, msg);
	turn_settings_unref(s->settings);
	xfree(s);
}

/* On error the old settings stay whole: policy and limits are borrowed from them. */
static void handle_settings(void *receiver, struct msg *m)
{
	struct settings_msg *s = CONTAINER_OF(m, struct settings_msg, msg);
	struct end *e = s->end;
	struct errbuf eb;
	(void)receiver;
	struct turn_policy *policy = NULL;
	struct turnd_cfg turnd = s->settings->turnd;
	turnd.turn.allocation_bytes_per_s = turn_rules_bytes_per_s(e->rules, s->settings);
	int err = turn_rules_policy(e->rules, s->settings, &policy, &eb);
	if (!err)
		err = turnd_reload(e->turnd, &turnd, policy, &eb);
	if (err) {
		turn_policy_free(policy);
		LOG_ERROR("the TURN server keeps its old settings", F_UINT("worker", e->worker->index),
			F_STR("why", eb.text));
		drop_settings(m);
		return;
	}
	turn_policy_free(e->policy);
	e->policy = policy;
	struct turn_settings *old = e->settings;
	e->settings = s->settings;
	s->settings = old;
	e->has_rules &= old->userdb_peers || !e->settings->userdb_peers;
	if (!needs_rules(e))
		hold(e, TURN_HOLD_NONE);
	else if (!e->is_refusing)
		hold(e, TURN_HOLD_WAIT);
	if (reload_auth(e, &eb) != 0)
		LOG_ERROR("the TURN server keeps its old users", F_UINT("worker", e->worker->index),
			F_STR("why", eb.text));
	if (e == &e->host->ends[0]) {
		const struct turn_quota_cfg quota = turn_rules_quota(e->rules, e->settings);
		turn_quota_reload(e->host->quota, &quota);
	}
	if (e->host->store)
		ask_database(e, e->worker->now_us);
	drop_settings(m);
}

static const struct msg_kind settings_kind = {"turn.settings", handle_settings, drop_settings};

struct drain_msg {
	struct msg msg;
	struct end *end;
};

static void drop_drain(struct msg *m)
{
	xfree(CONTAINER_OF(m, struct drain_msg, msg));
}

static void handle_drain(void *receiver, struct msg *m)
{
	(void)receiver;
	turn_drain(turnd_server(CONTAINER_OF(m, struct drain_msg, msg)->end->turnd));
	drop_drain(m);
}

static const struct msg_kind drain_kind = {"turn.drain", handle_drain, drop_drain};

/* ------------------------------------------------------------------ lists */

static void set_addr(json_t *o, const char *key, const struct addr *a)
{
	char text[ADDR_TEXT_CAP];
	if (a->sa.sa_family)
		(void)json_object_set_new(o, key, json_string(addr_format(a, text)));
}

static json_t *to_json(const struct turn_alloc_info *i, const struct worker *w)
{
	json_t *o = json_object(), *user = json_string(i->username ? i->username : "");
	char id[24];
	(void)snprintf(id, sizeof id, "%llu", (unsigned long long)i->id);
	(void)json_object_set_new(o, "id", json_string(id)); /* more than a double holds */
	(void)json_object_set_new(o, "user", user ? user : json_string("(not UTF-8)"));
	(void)json_object_set_new(o, "realm", json_string(i->realm ? i->realm : ""));
	(void)json_object_set_new(o, "transport", json_string(scheme_of(i->flow.transport)));
	set_addr(o, "client", &i->flow.client);
	set_addr(o, "server", &i->flow.server);
	set_addr(o, i->relayed[0].sa.sa_family ? "relayed" : "unused", &i->relayed[0]);
	set_addr(o, i->relayed[0].sa.sa_family ? "relayed6" : "relayed", &i->relayed[1]);
	const struct {
		const char *key;
		uint64_t v;
	} numbers[] = {
		{"ageSeconds", (w->now_us - MIN(i->started_us, w->now_us)) / US_PER_S},
		{"expiresSeconds", (MAX(i->expires_us, w->now_us) - w->now_us) / US_PER_S},
		{"permissions", i->permissions}, {"channels", i->channels}, {"tcpConnections", i->tcp_connections},
		{"packetsIn", i->packets_in}, {"bytesIn", i->bytes_in}, {"packetsOut", i->packets_out},
		{"bytesOut", i->bytes_out}, {"peerPacketsIn", i->peer_packets_in}, {"peerBytesIn", i->peer_bytes_in},
		{"peerPacketsOut", i->peer_packets_out}, {"peerBytesOut", i->peer_bytes_out}, {"dropped", i->dropped},
	};
	for (size_t k = 0; k < ARRAY_LEN(numbers); k++)
		(void)json_object_set_new(
			o, numbers[k].key, json_integer((json_int_t)numbers[k].v));
	(void)json_object_set_new(o, "tcpRelay", json_boolean(i->is_tcp_relay));
	(void)json_object_set_new(o, "mobile", json_boolean(i->is_mobile));
	return o;
}

static unsigned list_sessions(struct end *e, const struct turn_host_ask *ask, struct buf *out)
{
	const struct turn_server *server = turnd_server(e->turnd);
	unsigned n = 0, limit = MIN(ask->limit, (uint32_t)TURN_SESSIONS_MAX);
	for (struct turn_alloc *a = NULL; n < limit && (a = turn_alloc_next(server, a));) {
		struct turn_alloc_info info;
		turn_alloc_info(a, &info);
		if (ask->user[0] && (!info.username || strcmp(info.username, ask->user) != 0))
			continue;
		json_t *o = to_json(&info, e->worker);
		char *text = json_dumps(o, JSON_COMPACT);
		if (text && strlen(text) < TURN_SESSION_JSON_MAX) {
			buf_printf(out, "%s%s", n ? "\n" : "", text);
			n++;
		}
		mem_free_foreign(text);
		json_decref(o);
	}
	return n;
}

struct ask_msg {
	struct msg msg;
	struct end *end;
	struct turn_host_ask ask;
};

static void drop_ask(struct msg *m)
{
	xfree(CONTAINER_OF(m, struct ask_msg, msg));
}

static void handle_ask(void *receiver, struct msg *m)
{
	struct ask_msg *a = CONTAINER_OF(m, struct ask_msg, msg);
	struct buf out;
	unsigned n = 0;
	(void)receiver;
	buf_init(&out, (size_t)TURN_SESSIONS_MAX * TURN_SESSION_JSON_MAX);
	if (a->ask.id)
		n = turn_alloc_end(turnd_server(a->end->turnd), a->ask.id, "closed by an administrator") == 0;
	else
		n = list_sessions(a->end, &a->ask, &out);
	a->ask.part(a->ask.arg, a->ask.token, buf_slice(&out), n);
	buf_free(&out);
	drop_ask(m);
}

static const struct msg_kind ask_kind = {"turn.ask", handle_ask, drop_ask};

unsigned turn_host_ask(struct turn_host *h, const struct turn_host_ask *ask)
{
	unsigned n = 0;
	for (unsigned i = 0; i < h->n_ends; i++) {
		struct ask_msg *m = XNEW(struct ask_msg);
		*m = (struct ask_msg){{&ask_kind}, &h->ends[i], *ask};
		if (mbox_post(&h->ends[i].worker->mbox, &m->msg) == 0)
			n++;
		else
			drop_ask(&m->msg);
	}
	return n;
}

static void to_front(void *arg, uint64_t token, struct slice json, unsigned n)
{
	front_turn_part(arg, token, json, n);
}

unsigned turn_host_front_ask(void *host, const struct front_turn_ask *ask)
{
	struct turn_host_ask a = {.id = ask->id,
		.limit = ask->limit,
		.part = to_front,
		.arg = ask->front,
		.token = ask->token};
	(void)snprintf(a.user, sizeof a.user, "%s", ask->user);
	return turn_host_ask(host, &a);
}

/* ------------------------------------------------------------------ life */

static int open_stores(struct turn_host *h, const struct config *cfg, struct errbuf *eb)
{
	const struct store_turn_cfg users = {.url = cfg->turn.userdb};
	const struct store_stats_cfg stats = {.url = cfg->turn.redis_stats};
	int err = *cfg->turn.userdb ? store_turn_open(&users, &h->store, eb) : 0;
	if (!err && *cfg->turn.redis_stats)
		err = store_stats_open(&stats, &h->stats, eb);
	return err;
}

static int make_settings(struct turn_host *h, const struct config *cfg, struct turn_settings **out,
	struct errbuf *eb)
{
	const struct turn_surroundings around = {h->n_ends, h->sfu, h->n_sfu, h->nonce_key};
	return turn_settings_new(out, cfg, &around, eb);
}

int turn_host_new(struct turn_host **out, const struct config *cfg, unsigned n_workers,
	const struct turn_host_sfu *sfu, struct errbuf *eb)
{
	struct turn_host *h = XNEW(struct turn_host);
	h->n_ends = n_workers;
	h->ends = xcalloc(n_workers, sizeof *h->ends);
	h->n_sfu = sfu->n;
	h->http_pass = cfg->turn.http_share ? sfu->http_pass : NULL;
	h->http_arg = sfu->http_arg;
	h->sfu = xmemdup(sfu->addrs, sfu->n * sizeof *sfu->addrs);
	h->metric_users = cfg->turn.metric_user_labels ? cfg->turn.metric_users : 0;
	rng_bytes(h->nonce_key, sizeof h->nonce_key);
	h->realm = xstrdup(cfg->turn.realm);
	for (unsigned i = 0; i < n_workers; i++)
		h->ends[i].metrics = turn_metrics_new(h->metric_users);
	int err = make_settings(h, cfg, &h->settings, eb);
	if (!err)
		err = open_stores(h, cfg, eb);
	if (!err) {
		h->quota = turn_quota_new(&h->settings->quota);
		h->shared = turnd_shared_new(n_workers);
		*out = h;
		return 0;
	}
	turn_host_free(h);
	return err;
}

int turn_host_add(
	struct turn_host *h, unsigned i, struct worker *w, struct rtc *rtc, struct errbuf *eb)
{
	struct end *e = &h->ends[i];
	e->host = h;
	e->worker = w;
	e->settings = turn_settings_ref(h->settings);
	timer_init(&e->database_timer, ask_database, e);
	int err = turn_auth_new(&e->auth, &e->settings->auth, &auth_ops, e, eb);
	struct turnd_cfg cfg = e->settings->turnd;
	cfg.http_pass = h->http_pass;
	cfg.http_arg = h->http_arg;
	if (!err)
		err = turnd_new(&e->turnd, w, rtc, h->shared, &cfg, e->auth, e->settings->policy,
			h->quota, eb);
	if (!err) {
		turnd_on_kept(e->turnd, on_kept, e);
		turnd_on_ended(e->turnd, on_ended, e);
		if (needs_rules(e))
			hold(e, TURN_HOLD_WAIT);
	}
	return err;
}

void turn_host_start(struct turn_host *h, unsigned i)
{
	end_here = &h->ends[i];
	if (h->store)
		ask_database(end_here,
			end_here->worker->now_us ? end_here->worker->now_us : clock_mono_us());
}

void turn_host_end_turn(struct turn_host *h, unsigned i)
{
	turnd_end_turn(h->ends[i].turnd);
}

void turn_host_stop(struct turn_host *h, unsigned i)
{
	struct end *e = &h->ends[i];
	struct turn_server *server = turnd_server(e->turnd);
	struct turn_alloc_info info;
	e->is_stopped = true;
	/* Their line in the log and their figures are due as well. */
	for (struct turn_alloc *a; (a = turn_alloc_next(server, NULL));) {
		turn_alloc_info(a, &info);
		(void)!turn_alloc_end(server, info.id, "the server stops");
	}
	wheel_del(&e->worker->wheel, &e->database_timer);
}

int turn_host_reload(struct turn_host *h, const struct config *cfg, struct errbuf *eb)
{
	struct turn_settings *fresh = NULL;
	int err = make_settings(h, cfg, &fresh, eb);
	if (err)
		return err;
	for (unsigned i = 0; i < h->n_ends; i++) {
		struct settings_msg *m = XNEW(struct settings_msg);
		*m = (struct settings_msg){{&settings_kind}, &h->ends[i], turn_settings_ref(fresh)};
		mbox_post_or_drop(&h->ends[i].worker->mbox, &m->msg);
	}
	turn_settings_unref(h->settings);
	h->settings = fresh;
	return 0;
}

void turn_host_drain(struct turn_host *h)
{
	for (unsigned i = 0; i < h->n_ends; i++) {
		struct drain_msg *m = XNEW(struct drain_msg);
		*m = (struct drain_msg){{&drain_kind}, &h->ends[i]};
		mbox_post_or_drop(&h->ends[i].worker->mbox, &m->msg);
	}
}

uint64_t turn_host_allocations(const struct turn_host *h)
{
	return turn_quota_total(h->quota);
}

void turn_host_print_metrics(void *host, struct buf *out)
{
	const struct turn_host *h = host;
	struct turn_metrics **tables = xcalloc(h->n_ends, sizeof(void *));
	for (unsigned i = 0; i < h->n_ends; i++)
		tables[i] = h->ends[i].metrics;
	turn_metrics_print(tables, h->n_ends, h->realm, h->metric_users, out);
	xfree(tables);
}

void turn_host_free(struct turn_host *h)
{
	if (!h)
		return;
	store_turn_free(h->store); /* its threads post to the workers' mailboxes */
	for (unsigned i = 0; i < h->n_ends; i++) {
		struct end *e = &h->ends[i];
		turnd_free(e->turnd);
		turn_auth_free(e->auth);
		free_secrets(e);
		turn_policy_free(e->policy);
		turn_rules_unref(e->rules);
		turn_settings_unref(e->settings);
		turn_metrics_free(e->metrics);
	}
	turnd_shared_free(h->shared);
	turn_quota_free(h->quota);
	store_stats_free(h->stats);
	turn_settings_unref(h->settings);
	secret_wipe(h->nonce_key, sizeof h->nonce_key);
	xfree(h->ends);
	xfree(h->realm);
	xfree(h->sfu);
	xfree(h);
}
