#include "store/turn_users.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"
#include "base/utf8.h"
#include "store/store_internal.h"
#include "thread/pool.h"

enum {
	DEFAULT_THREADS = 2,
	DEFAULT_QUEUE = 1024,
	DEFAULT_CONNECT_MS = 3000,
	DEFAULT_QUERY_MS = 2000,
	DEFAULT_ROWS = 65536,
	DEFAULT_USERHASH_USERS = 262144,
};

struct store_turn {
	struct store_dsn dsn;
	const struct store_backend *backend;
	struct store_complaint complaint;
	struct pool *pool;
	uint64_t patience_us; /* how long a lookup may wait for a thread */
	uint32_t rows_max, userhash_users;
	struct store_link link[POOL_THREADS_MAX]; /* each of its thread */
	struct store_userhash userhash[POOL_THREADS_MAX];
};

struct lookup {
	struct job job;
	struct store_turn *store;
	struct store_turn_ask ask;
	uint64_t asked_us;
	struct store_result result;
	char *realm, *name;
	bool is_possible; /* both are names that a database may hold */
};

static void lookup_free(struct lookup *l)
{
	store_result_free(&l->result);
	xfree(l->realm);
	xfree(l->name);
	xfree(l);
}

/* ---- on a pool thread */

static int ask_once(struct store_link *k, const struct store_query *q, struct store_result *r,
	struct errbuf *eb)
{
	int err = store_link_ready(k, eb);
	if (!err)
		err = k->backend->query(k->conn, q, r, eb);
	if (err == -ERR_CLOSED || err == -ERR_TIMEOUT)
		store_link_close(k);
	return err;
}

/* A connection may have broken long before it is used: then a new one gets a second try. */
static int ask(struct store_link *k, const struct store_query *q, struct store_result *r,
	struct errbuf *eb)
{
	bool was_open = k->conn != NULL;
	int err = ask_once(k, q, r, eb);
	if (err == -ERR_CLOSED && was_open) {
		enum store_turn_kind kind = r->a.kind;
		store_result_free(r);
		store_result_init(r, kind, q->rows_max);
		err = ask_once(k, q, r, eb);
	}
	return err == -ERR_CLOSED ? -ERR_SYSTEM : err;
}

static int refresh_names(struct store_turn *s, unsigned thread, struct errbuf *eb)
{
	const struct store_query q = {STORE_TURN_NAMES, "", "", s->userhash_users};
	struct store_result r;
	store_result_init(&r, q.kind, q.rows_max);
	int err = ask(&s->link[thread], &q, &r, eb);
	if (!err && store_userhash_make(&s->userhash[thread], &r.a, clock_mono_us()) != 0)
		err = err_set(eb, ERR_SYSTEM, "OpenSSL refuses SHA-256: no user can be found by USERHASH");
	else if (err == -ERR_TOO_LARGE)
		err = err_set(eb, ERR_SYSTEM,
			"more than %u users: they cannot be found by USERHASH", s->userhash_users);
	store_result_free(&r);
	return err;
}

static int ask_by_hash(struct lookup *l, unsigned thread, struct errbuf *eb)
{
	struct store_turn *s = l->store;
	struct store_userhash *u = &s->userhash[thread];
	struct slice hash = slice_of(l->name, STORE_USERHASH_LEN);
	const char *name = store_userhash_find(u, hash);
	int err = 0;
	if (!name && store_userhash_is_old(u, clock_mono_us())) {
		err = refresh_names(s, thread, eb);
		name = err ? NULL : store_userhash_find(u, hash);
	}
	if (err || !name)
		return err ? err : -ERR_NOT_FOUND;
	const struct store_query q = {STORE_TURN_USER, l->realm, name, 1};
	err = ask(&s->link[thread], &q, &l->result, eb);
	l->result.username = xstrdup(name);
	l->result.a.username = l->result.username;
	return err;
}

static int ask_by_name(struct lookup *l, unsigned thread, struct errbuf *eb)
{
	const struct store_query q = {l->result.a.kind, l->realm, l->name, l->store->rows_max};
	return ask(&l->store->link[thread], &q, &l->result, eb);
}

static void forget(struct lookup *l, int err)
{
	enum store_turn_kind kind = l->result.a.kind;
	store_result_free(&l->result);
	store_result_init(&l->result, kind, l->store->rows_max);
	l->result.a.err = err;
}

static void run(struct job *j, unsigned thread)
{
	struct lookup *l = CONTAINER_OF(j, struct lookup, job);
	struct store_turn *s = l->store;
	struct errbuf eb = {""};
	int err;
	metric_inc(M_STORE_LOOKUPS);
	if (clock_mono_us() - l->asked_us > s->patience_us)
		err = err_set(&eb, ERR_TIMEOUT, "a lookup waited too long for its turn");
	else if (!l->is_possible)
		err = -ERR_NOT_FOUND;
	else
		err = l->result.a.kind == STORE_TURN_USERHASH ? ask_by_hash(l, thread, &eb)
							      : ask_by_name(l, thread, &eb);

	if (err == -ERR_SYSTEM || err == -ERR_TIMEOUT) {
		metric_inc(M_STORE_ERRORS);
		store_complain(&s->complaint, s->backend->name, eb.text);
	} else if (l->is_possible) {
		store_recovered(&s->complaint, s->backend->name);
		if (err == -ERR_MALFORMED)
			LOG_WARN("a key in the TURN database is malformed", F_STR("database", s->backend->name),
				F_STR("realm", l->realm),
				F_STR("name", l->result.username ? l->result.username : l->name));
		if (l->result.bad_rows)
			LOG_WARN("rows of the TURN database are left out: not UTF-8, or no number",
				F_STR("database", s->backend->name), F_UINT("rows", l->result.bad_rows));
	}
	if (err)
		forget(l, err);
}

static void close_link(void *arg, unsigned thread)
{
	struct store_turn *s = arg;
	store_link_close(&s->link[thread]);
	store_userhash_free(&s->userhash[thread]);
}

/* ---- on the asking thread */

static void handle(void *receiver, struct msg *m)
{
	struct lookup *l = CONTAINER_OF(m, struct lookup, job.msg);
	l->ask.done(receiver, l->ask.id, &l->result.a);
	lookup_free(l);
}

static void drop(struct msg *m)
{
	lookup_free(CONTAINER_OF(m, struct lookup, job.msg));
}

static const struct msg_kind kind_answer = {.name = "store_turn_answer", .handle = handle, .drop = drop};

static char *copy(struct slice s)
{
	char *p = xcalloc(1, MIN(s.n, STORE_NAME_MAX) + 1);
	if (s.n)
		memcpy(p, s.p, MIN(s.n, STORE_NAME_MAX));
	return p;
}

/* Longer names fit no column; and a NUL would cut the name and ask for another one. */
static bool is_name(struct slice s)
{
	return s.n <= STORE_NAME_MAX && (s.n == 0 || utf8_is_text(s));
}

int store_turn_lookup(struct store_turn *s, const struct store_turn_ask *ask,
	enum store_turn_kind kind, struct slice realm, struct slice name)
{
	struct lookup *l = XNEW(struct lookup);
	*l = (struct lookup){
		.job = {.msg = {&kind_answer}, .run = run, .reply_to = ask->reply_to},
		.store = s,
		.ask = *ask,
		.asked_us = clock_mono_us(),
		.is_possible = is_name(realm) &&
			       (kind == STORE_TURN_USERHASH ? name.n == STORE_USERHASH_LEN
							    : is_name(name)),
	};
	store_result_init(&l->result, kind, s->rows_max);
	l->realm = copy(realm);
	l->name = copy(name);
	int err = pool_post(s->pool, &l->job);
	if (err)
		lookup_free(l);
	return err;
}

const char *store_turn_backend(const struct store_turn *s)
{
	return s->backend->name;
}

static uint32_t or_default(uint32_t v, uint32_t otherwise)
{
	return v ? v : otherwise;
}

int store_turn_open(const struct store_turn_cfg *cfg, struct store_turn **out, struct errbuf *eb)
{
	*out = NULL;
	struct store_turn *s = XNEW(struct store_turn);
	const struct store_limits limits = {
		.connect_timeout_ms = or_default(cfg->connect_timeout_ms, DEFAULT_CONNECT_MS),
		.query_timeout_ms = or_default(cfg->query_timeout_ms, DEFAULT_QUERY_MS),
		.may_create = cfg->may_create,
	};
	const struct pool_cfg pool = {
		.name = "turn-store",
		.threads = or_default(cfg->pool_threads, DEFAULT_THREADS),
		.queue_max = or_default(cfg->queue_max, DEFAULT_QUEUE),
		.stop = close_link,
		.arg = s,
	};
	int err = store_dsn_parse(&s->dsn, cfg->url, cfg->dialect, eb);
	if (err)
		goto fail;
	s->backend = store_backend_of(&s->dsn);
	s->patience_us = (uint64_t)limits.query_timeout_ms * US_PER_MS;
	s->userhash_users = or_default(cfg->userhash_users, DEFAULT_USERHASH_USERS);
	s->rows_max = or_default(cfg->rows_max, DEFAULT_ROWS);
	for (size_t i = 0; i < POOL_THREADS_MAX; i++)
		s->link[i] = (struct store_link){
			.backend = s->backend, .dsn = &s->dsn, .limits = limits};
	err = pool_new(&pool, &s->pool);
	if (err == -ERR_RANGE)
		err = err_set(eb, ERR_CONFIG, "a database can have 1 to %d threads", POOL_THREADS_MAX);
	else if (err)
		err = err_set(eb, ERR_SYSTEM, "cannot start the threads of the TURN database: %m");
	if (err)
		goto fail;
	*out = s;
	return 0;
fail:
	store_turn_free(s);
	return err;
}

void store_turn_free(struct store_turn *s)
{
	if (!s)
		return;
	pool_free(s->pool);
	store_dsn_free(&s->dsn);
	xfree(s);
}
