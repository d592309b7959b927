/* wire: a stream socket and what waits to be written to it. */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "turnd/stream.h"

enum { IOV_PER_WRITE = 16 };

void wire_watch(struct turnd *t, struct wire *w, uint32_t events)
{
	if (events == w->events || w->io.fd < 0)
		return;
	if (events == 0)
		ev_del(&t->worker->ev, &w->io);
	else if (w->events == 0)
		events = ev_add(&t->worker->ev, &w->io, events) == 0 ? events : 0;
	else
		ev_set(&t->worker->ev, &w->io, events);
	w->events = events;
}

void wire_close(struct turnd *t, struct wire *w)
{
	if (w->io.fd < 0)
		return;
	wire_watch(t, w, 0);
	close(w->io.fd);
	w->io.fd = -1;
	outq_clear(&w->out, &t->streams->pool);
}

int wire_flush(struct turnd *t, struct wire *w)
{
	while (!outq_is_empty(&w->out)) {
		struct iovec iov[IOV_PER_WRITE];
		struct msghdr h = {
			.msg_iov = iov, .msg_iovlen = outq_iov(&w->out, iov, ARRAY_LEN(iov))};
		ssize_t n = sendmsg(w->io.fd, &h, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN || errno == ENOBUFS ? -ERR_AGAIN : -ERR_CLOSED;
		outq_took(&w->out, &t->streams->pool, (size_t)n);
	}
	return 0;
}
