#include "app/turn_run.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "app/process.h"
#include "app/serve_parts.h"
#include "app/turn_host.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"

enum { DRAIN_POLL_MS = 100 };

struct turn_worker {
	struct worker worker;
	struct turn_alone *server;
	bool is_started;
};

struct turn_alone {
	const struct config *cfg;
	const struct turn_run_source *source;
	const struct coturn_process *process;
	struct config *reloaded; /* NULL = cfg */
	struct auth_keys *keys;
	struct icelist *ice;
	struct turn_host *turn;
	struct turn_worker *workers;
	unsigned n_workers;
	struct front *front, *metrics;
};

static void on_start(struct worker *w)
{
	const struct turn_worker *tw = w->arg;
	turn_host_start(tw->server->turn, w->index);
}

static void on_end_turn(struct worker *w)
{
	const struct turn_worker *tw = w->arg;
	turn_host_end_turn(tw->server->turn, w->index);
}

static void on_stop(struct worker *w)
{
	const struct turn_worker *tw = w->arg;
	turn_host_stop(tw->server->turn, w->index);
}

static const struct worker_ops worker_ops = {on_start, on_end_turn, on_stop};

/* ------------------------------------------------------------------ start and stop */

static int make_workers(struct turn_alone *s, struct errbuf *eb)
{
	for (unsigned i = 0; i < s->n_workers; i++) {
		struct turn_worker *tw = &s->workers[i];
		tw->server = s;
		if (worker_init(&tw->worker, i, &worker_ops, tw, s->cfg->limit.mailbox_messages) !=
			0)
			return err_set(eb, ERR_SYSTEM, "cannot make an event loop: %s", strerror(errno));
		int err = turn_host_add(s->turn, i, &tw->worker, NULL, eb);
		if (err)
			return err;
	}
	return 0;
}

/* All ports are open when this is called, and no thread runs yet. */
static int run_workers(struct turn_alone *s, struct errbuf *eb)
{
	for (unsigned i = 0; i < s->n_workers; i++) {
		if (worker_start(&s->workers[i].worker) != 0)
			return err_set(eb, ERR_SYSTEM, "cannot start a worker thread: %s", strerror(errno));
		s->workers[i].is_started = true;
	}
	return 0;
}

/* HTTP only where something needs it: metrics on their own port, or API keys for lists and administration. */
static int start_fronts(struct turn_alone *s, struct errbuf *eb)
{
	const struct serve_shared shared = {s->keys, s->ice, s->turn};
	int err = s->cfg->keys.n ? serve_turn_front(s->cfg, &shared, &s->front, eb) : 0;
	return err ? err : serve_metrics_front(s->cfg, &shared, &s->metrics, eb);
}

static int start(struct turn_alone *s, struct errbuf *eb)
{
	const struct turn_host_sfu no_sfu = {NULL, 0};
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	s->n_workers = s->cfg->rtc.workers ? s->cfg->rtc.workers : (unsigned)MAX(cores, 1L);
	s->workers = xcalloc(s->n_workers, sizeof *s->workers);
	s->keys = serve_keys(s->cfg);
	s->ice = serve_icelist(s->cfg);
	int err = turn_host_new(&s->turn, s->cfg, s->n_workers, &no_sfu, eb);
	if (err)
		return err;
	metric_set_extra(turn_host_print_metrics, s->turn);
	err = make_workers(s, eb);
	if (!err)
		err = start_fronts(s, eb);
	if (!err)
		err = process_write_pid(s->process, eb);
	if (!err)
		err = process_drop_privileges(s->process, eb);
	return err ? err : run_workers(s, eb);
}

static void stop(struct turn_alone *s)
{
	for (unsigned i = 0; i < s->n_workers; i++)
		if (s->workers[i].is_started)
			worker_stop(&s->workers[i].worker);
	for (unsigned i = 0; i < s->n_workers; i++)
		if (s->workers[i].is_started)
			worker_join(&s->workers[i].worker);
	front_stop(s->metrics);
	front_stop(s->front);
	metric_set_extra(NULL, NULL);
	turn_host_free(s->turn);
	for (unsigned i = 0; i < s->n_workers; i++)
		if (s->workers[i].worker.ops)
			worker_close(&s->workers[i].worker);
	xfree(s->workers);
	auth_keys_unref(s->keys);
	icelist_unref(s->ice);
	config_free(s->reloaded);
}

/* ------------------------------------------------------------------ signals */

static void reload(struct turn_alone *s)
{
	const struct config *old = s->reloaded ? s->reloaded : s->cfg;
	struct config *fresh = NULL;
	struct errbuf eb;
	if (process_open_log(s->process, &eb) != 0)
		LOG_ERROR("log file not opened again", F_STR("why", eb.text));
	if (s->source->load(s->source->arg, &fresh, &eb) != 0) {
		LOG_ERROR("reload failed, the old configuration stays", F_STR("why", eb.text));
		return;
	}
	size_t n = serve_take_changes(old, fresh);
	if (turn_host_reload(s->turn, fresh, &eb) != 0)
		LOG_ERROR("the TURN server keeps its old configuration", F_STR("why", eb.text));
	log_set_level(fresh->logging.level);
	log_set_format(fresh->logging.format);
	struct auth_keys *keys = serve_keys(fresh);
	struct icelist *ice = serve_icelist(fresh);
	if (s->front) {
		front_set_keys(s->front, keys);
		front_set_ice(s->front, ice);
	}
	auth_keys_unref(s->keys);
	icelist_unref(s->ice);
	s->keys = keys;
	s->ice = ice;
	config_free(s->reloaded);
	s->reloaded = fresh;
	LOG_INFO("reload done", F_UINT("changes", n));
}

/* Until few enough are left, or a second signal says that it cannot wait. */
static void drain(struct turn_alone *s, const sigset_t *set)
{
	uint64_t few = s->process->drain_min_allocations;
	LOG_INFO("draining: no new allocations; a second signal stops at once",
		F_UINT("turn_allocations", turn_host_allocations(s->turn)));
	if (s->front)
		front_drain(s->front);
	turn_host_drain(s->turn);
	while (turn_host_allocations(s->turn) > few) {
		struct timespec wait = {.tv_nsec = DRAIN_POLL_MS * 1000000L};
		int got = sigtimedwait(set, NULL, &wait);
		if (got == SIGTERM || got == SIGINT)
			return;
	}
}

static void wait_for_the_end(struct turn_alone *s, const sigset_t *set)
{
	for (int got; sigwait(set, &got) == 0;) {
		if (got == SIGHUP || got == SIGUSR2) { /* coturn: SIGUSR2 reads the certificates again */
			reload(s);
			continue;
		}
		if (got == SIGTERM || got == SIGUSR1)
			drain(s, set);
		return;
	}
}

int turn_run(const struct config *cfg, const struct turn_run_source *source,
	const struct coturn_process *process, struct errbuf *eb)
{
	struct turn_alone s = {.cfg = cfg, .source = source, .process = process};
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2};
	sigset_t set;
	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		sigaddset(&set, signals[i]);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	process_raise_descriptor_limit();
	metric_thread_init();
	mbox_thread_init();
	int err = start(&s, eb);
	if (!err) {
		LOG_INFO("ready", F_UINT("udp_port", cfg->turn.udp_port), F_UINT("tls_port", cfg->turn.tls_port),
			F_UINT("workers", s.n_workers), F_UINT("relay_first", cfg->turn.relay_range_start),
			F_UINT("relay_last", cfg->turn.relay_range_end));
		wait_for_the_end(&s, &set);
		LOG_INFO("stopping");
	}
	stop(&s);
	process_end(process);
	return err;
}
