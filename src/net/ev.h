/*
 * ev: one epoll loop of one thread. Level-triggered; a handler reads what it wants and returns.
 *
 * Used by thread/worker; protocols never see it.
 */
#pragma once
#include <stdint.h>
#include "base/macros.h"

/* Embedded by whoever owns the descriptor. */
struct ev_io {
	int fd;
	void (*ready)(void *arg, uint32_t epoll_events);
	void *arg;
};

enum { EV_BATCH = 64 };

struct ev {
	int epoll_fd;
	int n; /* ready ones that ev_wait found */
	struct {
		struct ev_io *io; /* NULL: removed meanwhile */
		uint32_t events;
	} ready[EV_BATCH];
};

MUST_CHECK int ev_init(struct ev *ev);
void ev_close(struct ev *ev);

/* Watches io->fd for `epoll_events` (EPOLLIN…). `io` must stay until ev_del. 0 or -ERR_SYSTEM. */
MUST_CHECK int ev_add(struct ev *ev, struct ev_io *io, uint32_t epoll_events);

/* Other events from now on. */
void ev_set(struct ev *ev, struct ev_io *io, uint32_t epoll_events);

/* `io` is not called any more, even if it was found ready already: it may be freed, also by another's handler. */
void ev_del(struct ev *ev, struct ev_io *io);

/* Waits until something is ready or timeout_us has passed (rounded up to 1 ms; UINT64_MAX = for ever). */
void ev_wait(struct ev *ev, uint64_t timeout_us);

/* Calls the handlers of what ev_wait found. */
void ev_dispatch(struct ev *ev);
