#include "net/ev.h"

#include <sys/epoll.h>
#include <unistd.h>

#include "base/err.h"

int ev_init(struct ev *ev)
{
	ev->n = 0;
	ev->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	return ev->epoll_fd == -1 ? -ERR_SYSTEM : 0;
}

void ev_close(struct ev *ev)
{
	if (ev->epoll_fd != -1)
		close(ev->epoll_fd);
	ev->epoll_fd = -1;
}

int ev_add(struct ev *ev, struct ev_io *io, uint32_t epoll_events)
{
	struct epoll_event e = {.events = epoll_events, .data.ptr = io};
	return epoll_ctl(ev->epoll_fd, EPOLL_CTL_ADD, io->fd, &e) == -1 ? -ERR_SYSTEM : 0;
}

void ev_set(struct ev *ev, struct ev_io *io, uint32_t epoll_events)
{
	struct epoll_event e = {.events = epoll_events, .data.ptr = io};
	(void)epoll_ctl(ev->epoll_fd, EPOLL_CTL_MOD, io->fd, &e);
}

void ev_del(struct ev *ev, struct ev_io *io)
{
	(void)epoll_ctl(ev->epoll_fd, EPOLL_CTL_DEL, io->fd, NULL);
	for (int i = 0; i < ev->n; i++)
		if (ev->ready[i].io == io)
			ev->ready[i].io = NULL;
}

void ev_wait(struct ev *ev, uint64_t timeout_us)
{
	enum { LONGEST_MS = 60000 };
	struct epoll_event events[EV_BATCH];
	uint64_t ms = timeout_us / 1000 + (timeout_us % 1000 != 0);
	int timeout = timeout_us == UINT64_MAX || ms > LONGEST_MS ? LONGEST_MS : (int)ms;
	int n = epoll_wait(ev->epoll_fd, events, EV_BATCH, timeout);
	ev->n = n < 0 ? 0 : n;
	for (int i = 0; i < ev->n; i++) {
		ev->ready[i].io = events[i].data.ptr;
		ev->ready[i].events = events[i].events;
	}
}

void ev_dispatch(struct ev *ev)
{
	for (int i = 0; i < ev->n; i++) {
		struct ev_io *io = ev->ready[i].io;
		if (!io)
			continue;
		ev->ready[i].io = NULL;
		io->ready(io->arg, ev->ready[i].events);
	}
	ev->n = 0;
}
