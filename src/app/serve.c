#include "app/serve.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "app/process.h"
#include "app/serve_parts.h"
#include "app/turn_host.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"
#include "base/rng.h"
#include "dtls/dtls.h"
#include "front/front.h"
#include "rooms/rooms.h"
#include "sctp/sctp.h"
#include "session/rtc.h"
#include "signal/bridge.h"

enum { DRAIN_POLL_MS = 100 };

/* One worker and what lives on it. */
struct serve_worker {
	struct worker worker;
	struct server *server;
	struct rtc *rtc;
	struct rooms *rooms;
	bool is_started;
};

struct server {
	const struct config *cfg;
	const struct config_source *src;
	struct config *reloaded; /* the configuration since the last reload; NULL = cfg */
	struct auth_keys *keys;
	struct dtls_identity *identity;
	struct registry *registry;
	struct serve_worker *workers;
	unsigned n_workers;
	struct bridge *bridge;
	struct front *front, *metrics; /* metrics: NULL without a port of its own */
	struct rooms_cfg rooms_cfg;
	struct icelist *ice;
	struct turn_host *turn; /* NULL: no TURN server */
	pthread_t sctp_thread;
	bool has_sctp_thread;
	int sctp_stop;
};

/* ------------------------------------------------------------------ workers */

static void on_worker_start(struct worker *w)
{
	const struct serve_worker *sw = w->arg;
	LOG_DEBUG("worker started", F_UINT("worker", w->index));
	if (sw->server->turn)
		turn_host_start(sw->server->turn, w->index);
}

static void on_worker_end_turn(struct worker *w)
{
	const struct serve_worker *sw = w->arg;
	if (sw->server->turn)
		turn_host_end_turn(sw->server->turn, w->index);
	rtc_end_turn(sw->rtc);
}

static void on_worker_stop(struct worker *w)
{
	struct serve_worker *sw = w->arg;
	rooms_free(sw->rooms);
	sw->rooms = NULL;
	if (sw->server->turn)
		turn_host_stop(sw->server->turn, w->index);
	rtc_end_turn(sw->rtc);
}

static const struct worker_ops worker_ops = {on_worker_start, on_worker_end_turn, on_worker_stop};

static void send_to_clients(void *arg, const uint64_t *conns, size_t n, struct slice response)
{
	const struct server *s = arg;
	front_send_many(s->front, conns, n, response);
}

static void close_client(void *arg, uint64_t conn, uint16_t ws_code)
{
	const struct server *s = arg;
	front_close(s->front, conn, ws_code);
}

static const struct rooms_ops rooms_ops = {send_to_clients, close_client};

static int make_worker(struct server *s, unsigned i, struct errbuf *eb)
{
	struct serve_worker *sw = &s->workers[i];
	sw->server = s;
	if (worker_init(&sw->worker, i, &worker_ops, sw, s->cfg->limit.mailbox_messages) != 0)
		return err_set(eb, ERR_SYSTEM, "cannot make an event loop: %s", strerror(errno));
	struct ice_local locals[ICE_LOCALS_MAX];
	struct rtc_cfg rtc = {
		.locals = locals,
		.is_ice_lite = s->cfg->rtc.use_ice_lite,
		.sessions_max = s->cfg->limit.sessions_per_worker,
		.tx_queue_packets = s->cfg->limit.tx_queue_packets,
		.sctp_send_bytes = s->cfg->limit.data_buffer_bytes,
		.identity = s->identity,
	};
	int err = serve_locals(s->cfg, config_worker_port(s->cfg, i), locals, &rtc.n_locals, eb);
	if (!err)
		err = rtc_new(&sw->rtc, &sw->worker, &rtc, eb);
	if (!err)
		sw->rooms = rooms_new(
			&sw->worker, sw->rtc, s->registry, &s->rooms_cfg, s->keys, &rooms_ops, s);
	if (!err && s->turn)
		err = turn_host_add(s->turn, i, &sw->worker, sw->rtc, eb);
	return err;
}

static int start_workers(struct server *s, struct errbuf *eb)
{
	for (unsigned i = 0; i < s->n_workers; i++) {
		if (worker_start(&s->workers[i].worker) != 0)
			return err_set(eb, ERR_SYSTEM, "cannot start a worker thread: %s", strerror(errno));
		s->workers[i].is_started = true;
	}
	return 0;
}

/* ------------------------------------------------------------------ SCTP's clock */

static void *sctp_main(void *arg)
{
	struct server *s = arg;
	uint64_t last = clock_mono_us();
	pthread_setname_np(pthread_self(), "sctp-timer");
	metric_thread_init();
	mbox_thread_init();
	while (!__atomic_load_n(&s->sctp_stop, __ATOMIC_ACQUIRE)) {
		nanosleep(&(struct timespec){.tv_nsec = SCTP_TICK_MS * 1000000L}, NULL);
		uint64_t elapsed_ms = (clock_mono_us() - last) / US_PER_MS;
		last += elapsed_ms * US_PER_MS;
		sctp_stack_tick((uint32_t)elapsed_ms);
	}
	return NULL;
}

/* ------------------------------------------------------------------ reload */

struct reload_msg {
	struct msg msg;
	struct serve_worker *worker;
	struct rooms_cfg cfg;   /* its ice: referenced */
	struct auth_keys *keys; /* referenced */
};

static void reload_drop(struct msg *m)
{
	struct reload_msg *r = CONTAINER_OF(m, struct reload_msg, msg);
	auth_keys_unref(r->keys);
	icelist_unref(r->cfg.ice);
	xfree(r);
}

static void reload_handle(void *receiver, struct msg *m)
{
	struct reload_msg *r = CONTAINER_OF(m, struct reload_msg, msg);
	(void)receiver;
	rooms_reload(r->worker->rooms, &r->cfg, r->keys);
	reload_drop(m);
}

static const struct msg_kind reload_kind = {"serve.reload", reload_handle, reload_drop};

static void limit_joins(struct server *s, const struct config *cfg)
{
	struct bridge_limits limits = {cfg->limit.num_tracks, cfg->limit.bytes_per_sec};
	bridge_set_limits(s->bridge, &limits);
}

static void apply_reload(struct server *s, struct config *fresh)
{
	struct auth_keys *keys = serve_keys(fresh);
	struct icelist *ice = serve_icelist(fresh);
	log_set_level(fresh->logging.level);
	log_set_format(fresh->logging.format);
	serve_rooms_cfg(fresh, ice, &s->rooms_cfg);
	for (unsigned i = 0; i < s->n_workers; i++) {
		struct reload_msg *m = XNEW(struct reload_msg);
		*m = (struct reload_msg){
			{&reload_kind}, &s->workers[i], s->rooms_cfg, auth_keys_ref(keys)};
		icelist_ref(ice);
		mbox_post_or_drop(&s->workers[i].worker.mbox, &m->msg);
	}
	front_set_keys(s->front, keys);
	front_set_ice(s->front, ice);
	limit_joins(s, fresh);
	struct errbuf eb;
	if (s->turn && turn_host_reload(s->turn, fresh, &eb) != 0)
		LOG_ERROR("the TURN server keeps its old configuration", F_STR("why", eb.text));
	auth_keys_unref(s->keys);
	s->keys = keys;
	icelist_unref(s->ice);
	s->ice = ice;
	config_free(s->reloaded);
	s->reloaded = fresh;
}

static void reload(struct server *s)
{
	const struct config *old = s->reloaded ? s->reloaded : s->cfg;
	struct config *fresh = NULL;
	struct errbuf eb;
	if (config_load(s->src, &fresh, &eb) != 0 || config_require_keys(fresh, &eb) != 0) {
		LOG_ERROR("reload failed, the old configuration stays", F_STR("why", eb.text));
		config_free(fresh);
		return;
	}
	size_t n = serve_take_changes(old, fresh);
	apply_reload(s, fresh);
	LOG_INFO("reload done", F_UINT("changes", n));
}

/* ------------------------------------------------------------------ signals and the end */

static void block_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGHUP);
	pthread_sigmask(SIG_BLOCK, set, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
}

/* Until nobody is left, or a second signal says that it cannot wait. */
static void drain(struct server *s, const sigset_t *set)
{
	LOG_INFO("draining: no new joins; a second signal stops at once",
		F_UINT("participants", metric_sum(M_PARTICIPANTS)),
		F_UINT("turn_allocations", s->turn ? turn_host_allocations(s->turn) : 0));
	front_drain(s->front);
	if (s->turn)
		turn_host_drain(s->turn);
	while (metric_sum(M_PARTICIPANTS) > 0 || (s->turn && turn_host_allocations(s->turn) > 0)) {
		struct timespec wait = {.tv_nsec = DRAIN_POLL_MS * 1000000L};
		int got = sigtimedwait(set, NULL, &wait);
		if (got == SIGTERM || got == SIGINT)
			return;
	}
}

static void wait_for_the_end(struct server *s, const sigset_t *set)
{
	for (int got; sigwait(set, &got) == 0;) {
		if (got == SIGHUP) {
			reload(s);
			continue;
		}
		/* Ctrl-C means now; a service is stopped with SIGTERM and may take its time. */
		if (got == SIGTERM)
			drain(s, set);
		return;
	}
}

static void stop(struct server *s)
{
	for (unsigned i = 0; i < s->n_workers; i++)
		if (s->workers[i].is_started)
			worker_stop(&s->workers[i].worker);
	for (unsigned i = 0; i < s->n_workers; i++)
		if (s->workers[i].is_started)
			worker_join(&s->workers[i].worker);
	if (s->has_sctp_thread) {
		__atomic_store_n(&s->sctp_stop, 1, __ATOMIC_RELEASE);
		pthread_join(s->sctp_thread, NULL);
	}
	front_stop(s->metrics);
	front_stop(s->front);
	metric_set_extra(NULL, NULL);
	turn_host_free(s->turn);
	for (unsigned i = 0; i < s->n_workers; i++) {
		struct serve_worker *sw = &s->workers[i];
		rooms_free(sw->rooms); /* of a worker that never ran */
		rtc_free(sw->rtc); /* here, where it was made: OpenSSL keeps state per thread */
		if (sw->worker.ops)
			worker_close(&sw->worker);
	}
	bridge_free(s->bridge);
	registry_free(s->registry);
	xfree(s->workers);
	dtls_identity_free(s->identity);
	auth_keys_unref(s->keys);
	icelist_unref(s->ice);
	config_free(s->reloaded);
	(void)!sctp_stack_stop();
}

/* ------------------------------------------------------------------ start */

static int start_front(struct server *s, struct errbuf *eb)
{
	struct bridge_target *targets = xcalloc(s->n_workers, sizeof *targets);
	for (unsigned i = 0; i < s->n_workers; i++)
		targets[i] = (struct bridge_target){&s->workers[i].worker, s->workers[i].rooms};
	s->bridge = bridge_new(s->registry, targets, s->n_workers, &s->front);
	limit_joins(s, s->cfg);
	xfree(targets);
	const struct serve_shared shared = {s->keys, s->ice, s->turn};
	int err = serve_front(s->cfg, &shared, s->bridge, &s->front, eb);
	return err ? err : serve_metrics_front(s->cfg, &shared, &s->metrics, eb);
}

/* On a worker's thread. */
static void pass_http(void *arg, int fd, const struct addr *client)
{
	const struct server *s = arg;
	front_adopt(s->front, fd, client);
}

static int start_turn(struct server *s, struct errbuf *eb)
{
	if (!s->cfg->turn.enabled)
		return 0;
	size_t cap = (size_t)s->n_workers * ICE_LOCALS_MAX * 4;
	struct addr *addrs = xcalloc(cap, sizeof *addrs);
	const struct turn_host_sfu sfu = {
		addrs, serve_sfu_addrs(s->cfg, s->n_workers, addrs, cap), pass_http, s};
	int err = turn_host_new(&s->turn, s->cfg, s->n_workers, &sfu, eb);
	if (!err)
		metric_set_extra(turn_host_print_metrics, s->turn);
	xfree(addrs);
	return err;
}

static int start(struct server *s, struct errbuf *eb)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	s->n_workers = config_worker_count(s->cfg, cores > 0 ? (unsigned)cores : 1);
	s->workers = xcalloc(s->n_workers, sizeof *s->workers);
	s->registry = registry_new(s->n_workers);
	s->keys = serve_keys(s->cfg);
	s->ice = serve_icelist(s->cfg);
	serve_rooms_cfg(s->cfg, s->ice, &s->rooms_cfg);
	if (dtls_identity_new(&s->identity) != 0)
		return err_set(eb, ERR_CRYPTO, "OpenSSL cannot make a DTLS certificate");
	sctp_stack_start();
	int err = start_turn(s, eb);
	for (unsigned i = 0; i < s->n_workers && !err; i++)
		err = make_worker(s, i, eb);
	if (!err)
		err = start_front(s, eb);
	if (!err)
		err = start_workers(s, eb);
	if (!err && pthread_create(&s->sctp_thread, NULL, sctp_main, s) != 0)
		err = err_set(eb, ERR_SYSTEM, "cannot start the SCTP timer thread: %s", strerror(errno));
	s->has_sctp_thread = !err;
	return err;
}

int serve_run(const struct config *cfg, const struct config_source *src, struct errbuf *eb)
{
	struct server s = {.cfg = cfg, .src = src};
	sigset_t set;
	block_signals(&set);
	process_raise_descriptor_limit();
	metric_thread_init();
	mbox_thread_init();
	int err = start(&s, eb);
	if (!err) {
		LOG_INFO("ready", F_UINT("http_port", front_port(s.front)), F_UINT("workers", s.n_workers),
			F_UINT("udp_first", config_worker_port(cfg, 0)),
			F_UINT("udp_last", config_worker_port(cfg, s.n_workers - 1)));
		if (cfg->development)
			printf("Sterna is ready: http://localhost:%u\n", front_port(s.front));
		(void)fflush(stdout);
		wait_for_the_end(&s, &set);
		LOG_INFO("stopping");
	}
	stop(&s);
	return err;
}
