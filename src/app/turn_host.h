/*
 * turn_host: the TURN server of a process, for `sterna serve` beside the SFU and for `sterna turn` alone: one end per
 * worker, what they share, look-ups in a database, reload, drain, lists of sessions, and what is said of a session at
 * its end.
 *
 * The thread that sets workers up calls all of it, but for what says "worker" or "any thread".
 */
#pragma once
#include "app/turn_parts.h"
#include "base/buf.h"
#include "thread/worker.h"

enum {
	TURN_SESSIONS_MAX = 1000,      /* in one list */
	TURN_SESSION_JSON_MAX = 4096,  /* of one session, at most */
};

struct turn_host;

/* What a worker needs of its surroundings. */
struct turn_host_sfu {
	const struct addr *addrs; /* see turn_surroundings */
	size_t n;
	void (*http_pass)(void *arg, int fd, const struct addr *client); /* turn.http_share; see turnd_cfg */
	void *http_arg;
};

/* Returns owned in *out. -ERR_CONFIG, -ERR_SYSTEM with the fix in eb. */
MUST_CHECK int turn_host_new(struct turn_host **out, const struct config *cfg, unsigned n_workers,
	const struct turn_host_sfu *sfu, struct errbuf *eb);

/* Opens the listeners of worker i; before it runs. rtc NULL: no SFU. */
MUST_CHECK int turn_host_add(
	struct turn_host *h, unsigned i, struct worker *w, struct rtc *rtc, struct errbuf *eb);

/* Worker: at the end of each turn, before rtc_end_turn. */
void turn_host_end_turn(struct turn_host *h, unsigned i);

/* Worker: before its first turn, and after its last. */
void turn_host_start(struct turn_host *h, unsigned i);
void turn_host_stop(struct turn_host *h, unsigned i);

/* Takes up limits, users, secrets, policy and certificates. On error all stays as it was. */
MUST_CHECK int turn_host_reload(struct turn_host *h, const struct config *cfg, struct errbuf *eb);

/* No new allocations from now on. */
void turn_host_drain(struct turn_host *h);

/* Any thread. */
uint64_t turn_host_allocations(const struct turn_host *h);

/* Any thread that may post: what an administrator asks for. */
struct turn_host_ask {
	uint64_t id;       /* 0 = list; else the session to end */
	char user[TURN_USER_MAX + 1]; /* list: of this user only; "" = all */
	uint32_t limit;    /* list: most sessions of one worker */
	/*
	 * Called once per worker, on its thread. n JSON objects, one a line, "" if there are none;
	 * for an end: n is 1 on the worker that had it.
	 */
	void (*part)(void *arg, uint64_t token, struct slice json, unsigned n);
	void *arg;
	uint64_t token;
};
/* How many workers were asked: as often `part` will be called (never for a worker that stops first). */
unsigned turn_host_ask(struct turn_host *h, const struct turn_host_ask *ask);

/* front_cfg.turn_ask, with the host as its argument. */
struct front_turn_ask;
unsigned turn_host_front_ask(void *host, const struct front_turn_ask *ask);

/* Appends coturn's metrics. Any thread. */
void turn_host_print_metrics(void *host, struct buf *out);

/* Frees all; workers have ended. Accepts NULL. */
void turn_host_free(struct turn_host *h);
