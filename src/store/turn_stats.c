#include "store/turn_stats.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/metric.h"
#include "store/redis_link.h"
#include "thread/pool.h"

enum {
	DEFAULT_QUEUE = 8192,
	DEFAULT_CONNECT_MS = 3000,
	DEFAULT_QUERY_MS = 2000,
	PIPELINE_MAX = 128, /* commands sent before their answers are read */
	KEEP_S = 60,        /* a status outlives the allocation by this, for readers that are late */
	NAME_MAX_BYTES = 2 * STORE_NAME_MAX,
	TEXT_MAX = 512,
};

struct store_stats {
	struct store_dsn dsn;
	struct store_link link; /* of the pool's one thread */
	struct store_complaint complaint;
	struct pool *pool;
	unsigned unread; /* answers outstanding; pool thread */
	uint32_t flush_ms;
};

/* One event: PUBLISH, before it SET or DEL for a status. */
struct event {
	struct job job;
	struct store_stats *stats;
	struct buf key, value;
	uint32_t keep_s; /* SET with this expiry; 0 = no SET */
	bool deletes;
};

static void event_free(struct msg *m)
{
	struct event *e = CONTAINER_OF(m, struct event, job.msg);
	buf_free(&e->key);
	buf_free(&e->value);
	xfree(e);
}

/* Posted nowhere (reply_to is NULL): only dropped, after the run or at the end. */
static const struct msg_kind kind_event = {.name = "store_stats_event", .drop = event_free};

/* ---- on the pool thread */

static void lose(struct store_stats *s, uint64_t commands, const char *why)
{
	metric_add(M_STORE_STATS_DROPPED, commands);
	s->unread = 0;
	store_link_close(&s->link);
	store_complain(&s->complaint, "Redis statistics", why);
}

static void read_answers(struct store_stats *s)
{
	for (; s->unread; s->unread--) {
		redisReply *reply = NULL;
		struct errbuf eb;
		if (redisGetReply(s->link.conn, (void **)&reply) != REDIS_OK) {
			(void)redis_link_error(s->link.conn, &eb);
			lose(s, s->unread, eb.text);
			return;
		}
		bool is_error = reply->type == REDIS_REPLY_ERROR;
		metric_inc(is_error ? M_STORE_STATS_DROPPED : M_STORE_STATS_SENT);
		if (is_error)
			store_complain(&s->complaint, "Redis statistics", reply->str);
		else
			store_recovered(&s->complaint, "Redis statistics");
		freeReplyObject(reply);
	}
}

static void append(struct store_stats *s, const struct slice *args, int n)
{
	const char *arg[5];
	size_t len[5];
	for (int i = 0; i < n; i++) {
		arg[i] = (const char *)args[i].p;
		len[i] = args[i].n;
	}
	if (redisAppendCommandArgv(s->link.conn, n, arg, len) == REDIS_OK)
		s->unread++;
	else
		metric_inc(M_STORE_STATS_DROPPED);
}

static void send_event(struct store_stats *s, const struct event *e)
{
	struct slice key = buf_slice(&e->key), value = buf_slice(&e->value);
	char keep[16];
	(void)snprintf(keep, sizeof keep, "%u", e->keep_s);
	if (e->deletes)
		append(s, (const struct slice[]){slice_str("DEL"), key}, 2);
	else if (e->keep_s)
		append(s, (const struct slice[]){slice_str("SET"), key, value, slice_str("EX"), slice_str(keep)}, 5);
	append(s, (const struct slice[]){slice_str("PUBLISH"), key, value}, 3);
}

/* Answers are read when nothing else waits to be sent: one round trip for all that came meanwhile. */
static void run(struct job *j, unsigned thread)
{
	struct event *e = CONTAINER_OF(j, struct event, job);
	struct store_stats *s = e->stats;
	struct errbuf eb;
	(void)thread;
	if (store_link_ready(&s->link, &eb) != 0) {
		lose(s, 1 + (e->deletes || e->keep_s), eb.text);
	} else {
		send_event(s, e);
		if (s->unread >= PIPELINE_MAX || pool_waiting(s->pool) == 0)
			read_answers(s);
	}
}

static void close_link(void *arg, unsigned thread)
{
	struct store_stats *s = arg;
	(void)thread;
	if (s->link.conn)
		read_answers(s);
	store_link_close(&s->link);
}

/* ---- on the posting thread */

static struct event *event_new(
	struct store_stats *s, const struct store_stats_allocation *a, const char *what)
{
	struct event *e = XNEW(struct event);
	e->job = (struct job){.msg = {&kind_event}, .run = run};
	e->stats = s;
	buf_init(&e->key, NAME_MAX_BYTES + 128);
	buf_init(&e->value, TEXT_MAX);
	buf_add_str(&e->key, "turn/realm/");
	buf_add(&e->key, a->realm.p, a->realm.n);
	buf_add_str(&e->key, "/user/");
	buf_add(&e->key, a->user.p, a->user.n);
	buf_printf(&e->key, "/allocation/%018" PRIu64 "/%s", a->id, what);
	return e;
}

static void post(struct store_stats *s, struct event *e)
{
	if (!e->key.full && !e->value.full && pool_post(s->pool, &e->job) == 0)
		return;
	metric_add(M_STORE_STATS_DROPPED, 1 + (e->deletes || e->keep_s));
	event_free(&e->job.msg);
}

void store_stats_status(struct store_stats *s, const struct store_stats_allocation *a,
	enum store_stats_event event, uint32_t lifetime_s, struct slice more)
{
	static const char *const names[] = {"new", "refreshed", "deleted"};
	struct event *e = event_new(s, a, "status");
	e->deletes = event == STORE_STATS_DELETED;
	e->keep_s = e->deletes ? 0 : lifetime_s + KEEP_S;
	buf_add_str(&e->value, names[event]);
	if (!e->deletes)
		buf_printf(&e->value, " lifetime=%u", lifetime_s);
	if (!e->deletes && more.n) {
		buf_add_str(&e->value, ", ");
		buf_add(&e->value, more.p, more.n);
	}
	post(s, e);
}

void store_stats_traffic(struct store_stats *s, const struct store_stats_allocation *a,
	enum store_stats_traffic kind, const struct store_stats_figures *f)
{
	static const char *const names[] = {"traffic", "traffic/peer", "total_traffic", "total_traffic/peer"};
	struct event *e = event_new(s, a, names[kind]);
	buf_printf(&e->value, "rcvp=%" PRIu64 ", rcvb=%" PRIu64 ", sentp=%" PRIu64 ", sentb=%" PRIu64, f->rcvp, f->rcvb,
		f->sentp, f->sentb);
	post(s, e);
}

int store_stats_open(const struct store_stats_cfg *cfg, struct store_stats **out, struct errbuf *eb)
{
	*out = NULL;
	struct store_stats *s = XNEW(struct store_stats);
	const struct pool_cfg pool = {
		.name = "turn-stats",
		.threads = 1,
		.queue_max = cfg->queue_max ? cfg->queue_max : DEFAULT_QUEUE,
		.stop = close_link,
		.arg = s,
	};
	int err = store_dsn_parse(&s->dsn, cfg->url, STORE_REDIS, eb);
	if (!err) {
		s->link = (struct store_link){.backend = &store_redis, .dsn = &s->dsn};
		s->link.limits.connect_timeout_ms =
			cfg->connect_timeout_ms ? cfg->connect_timeout_ms : DEFAULT_CONNECT_MS;
		s->link.limits.query_timeout_ms =
			cfg->query_timeout_ms ? cfg->query_timeout_ms : DEFAULT_QUERY_MS;
		s->flush_ms = s->link.limits.connect_timeout_ms + s->link.limits.query_timeout_ms;
		if (pool_new(&pool, &s->pool) != 0)
			err = err_set(eb, ERR_SYSTEM, "cannot start the thread of the Redis statistics: %m");
	}
	if (err)
		store_stats_free(s);
	else
		*out = s;
	return err;
}

void store_stats_free(struct store_stats *s)
{
	if (!s)
		return;
	uint64_t until = clock_mono_us() + (uint64_t)s->flush_ms * US_PER_MS;
	const struct timespec moment = {.tv_nsec = 1000000L};
	while (s->pool && pool_waiting(s->pool) > 0 && clock_mono_us() < until)
		(void)nanosleep(&moment, NULL);
	pool_free(s->pool);
	store_dsn_free(&s->dsn);
	xfree(s);
}
