/*
 * tcp_relay: TCP peers of allocations (RFC 6062): connections from and to the relayed address, and the bytes between
 * them and the client's data connections.
 *
 * Until its data connection is there a peer is not read from: what it sends stays in the kernel, which bounds it.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/metric.h"
#include "turnd/stream.h"

enum {
	BACKLOG = 64,
	ACCEPTS_PER_TURN = 16,
	CONNECT_US = 30 * 1000 * 1000, /* RFC 6062 §5.2 */
	LINGER_US = 10 * 1000 * 1000,
	OVER_LIMIT_US = 5 * 1000, /* then who has used up his bandwidth is looked at again */
};

/* The listening side of a relayed address: turn_relay.tcp. */
struct tcp_relay {
	struct turn_relay *relay;
	struct ev_io io;
	struct list peers;
};

enum peer_state { PEER_CONNECTING, PEER_WAITING, PEER_SPLICED, PEER_ENDING, PEER_DEAD };

struct turn_peer {
	struct turnd *t;
	struct turn_alloc *alloc; /* NULL: joined to something else than a peer */
	struct wire wire;
	struct list node, dirty; /* in its relay's peers or in peers_dead; in peers_dirty */
	struct timer timer;
	struct stream *stream; /* SPLICED */
	uint32_t id;
	enum peer_state state;
	bool is_read_paused, is_read_done, is_write_done;
	bool is_over_limit[2]; /* to the client, to the peer: nothing more is read for now */
	bool is_to_tell; /* DEAD: turn/ does not know yet */
};

/* ---------------------------------------------------------------- the end of a peer */

static void mark_dirty(struct turn_peer *p)
{
	if (list_empty(&p->dirty))
		list_push(&p->t->streams->peers_dirty, &p->dirty);
}

static void peer_die(struct turn_peer *p, bool tell)
{
	struct turnd_streams *s = p->t->streams;
	struct stream *st = p->stream;
	if (p->state == PEER_DEAD)
		return;
	p->state = PEER_DEAD;
	p->stream = NULL;
	p->is_to_tell = tell && p->alloc;
	wire_close(p->t, &p->wire);
	wheel_del(&p->t->worker->wheel, &p->timer);
	list_del(&p->node);
	list_push(&s->peers_dead, &p->node);
	/* So that the flush comes by. */
	mark_dirty(p);
	metric_sub(M_TURN_TCP_PEERS, 1);
	if (st)
		stream_end(st);
}

void peer_orphaned(struct turn_peer *p)
{
	p->stream = NULL;
	if (p->state != PEER_SPLICED)
		return;
	/* What the client sent still goes to the peer. */
	p->state = PEER_ENDING;
	p->is_read_done = p->is_write_done = true;
	wheel_set(&p->t->worker->wheel, &p->timer, p->t->worker->now_us + LINGER_US);
	mark_dirty(p);
}

/* ---------------------------------------------------------------- bytes */

static bool reads(const struct turn_peer *p)
{
	return !p->is_read_paused && !p->is_read_done && !p->is_over_limit[false];
}

static void watch(struct turn_peer *p)
{
	wire_watch(p->t, &p->wire,
		(reads(p) ? EPOLLIN : 0) | (outq_is_empty(&p->wire.out) ? 0 : EPOLLOUT));
}

/* Bandwidth for more, or a pause. */
static bool may_read(struct turn_peer *p, bool is_to_peer)
{
	uint64_t now_us = p->t->worker->now_us;
	if (!p->alloc || turn_tcp_may_pass(p->alloc, is_to_peer, now_us))
		return true;
	p->is_over_limit[is_to_peer] = true;
	wheel_set(&p->t->worker->wheel, &p->timer, now_us + OVER_LIMIT_US);
	return false;
}

bool peer_may_take(struct turn_peer *p)
{
	if (may_read(p, true))
		return true;
	stream_pause(p->stream, true);
	return false;
}

/* Reads on where nothing else forbids it. */
static void within_limit(struct turn_peer *p)
{
	p->is_over_limit[false] = p->is_over_limit[true] = false;
	watch(p);
	if (p->stream->is_read_paused && p->wire.out.bytes <= STREAM_SPLICE_MAX)
		stream_pause(p->stream, false);
}

void peer_push(struct turn_peer *p, struct slice bytes)
{
	if (p->state != PEER_SPLICED || bytes.n == 0)
		return;
	if (p->alloc)
		turn_tcp_passed(p->alloc, true, bytes.n, p->t->worker->now_us);
	outq_add(&p->wire.out, &p->t->streams->pool, bytes, p->t->worker->now_us);
	mark_dirty(p);
	if (p->wire.out.bytes > STREAM_SPLICE_MAX)
		stream_pause(p->stream, true);
}

void peer_finish_write(struct turn_peer *p)
{
	p->is_write_done = true;
	mark_dirty(p);
}

void peer_resume(struct turn_peer *p)
{
	if (p->state == PEER_SPLICED && p->is_read_paused) {
		p->is_read_paused = false;
		watch(p);
	}
}

static void readable(struct turn_peer *p)
{
	struct turnd *t = p->t;
	if (!may_read(p, false)) {
		watch(p);
		return;
	}
	ssize_t n = recv(p->wire.io.fd, t->streams->rx, STREAM_RX, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		peer_die(p, true);
		return;
	}
	if (n == 0) {
		p->is_read_done = true;
		stream_finish_write(p->stream);
	} else {
		if (p->alloc)
			turn_tcp_passed(p->alloc, false, (size_t)n, t->worker->now_us);
		stream_push(p->stream, slice_of(t->streams->rx, (size_t)n));
		p->is_read_paused = p->stream->wire.out.bytes > STREAM_SPLICE_MAX;
	}
	watch(p);
}

static void flush(struct turn_peer *p)
{
	if (p->state != PEER_SPLICED && p->state != PEER_ENDING)
		return;
	int err = wire_flush(p->t, &p->wire);
	if (err && err != -ERR_AGAIN) {
		peer_die(p, true);
		return;
	}
	if (!err && p->is_write_done)
		(void)shutdown(p->wire.io.fd, SHUT_WR);
	if (!err && p->state == PEER_ENDING) {
		peer_die(p, true);
		return;
	}
	watch(p);
	if (!err && p->stream && p->stream->is_read_paused && !p->is_over_limit[true])
		stream_pause(p->stream, false);
}

void tcp_relays_flush(struct turnd *t)
{
	struct turnd_streams *s = t->streams;
	while (!list_empty(&s->peers_dirty)) {
		struct turn_peer *p = list_first(&s->peers_dirty, struct turn_peer, dirty);
		list_del(&p->dirty);
		flush(p);
	}
	while (!list_empty(&s->peers_dead)) {
		struct turn_peer *p = list_first(&s->peers_dead, struct turn_peer, node);
		list_del(&p->node);
		list_del(&p->dirty);
		if (p->is_to_tell && t->server)
			turn_peer_closed(t->server, p->alloc, p);
		xfree(p);
	}
}

/* ---------------------------------------------------------------- connecting */

static void connected(struct turn_peer *p)
{
	int why = 0;
	socklen_t len = sizeof why;
	uint32_t id = p->id;
	wheel_del(&p->t->worker->wheel, &p->timer);
	if (getsockopt(p->wire.io.fd, SOL_SOCKET, SO_ERROR, &why, &len) == -1 || why != 0) {
		turn_peer_failed(p->t->server, p->alloc, id);
		peer_die(p, false);
		return;
	}
	p->state = PEER_WAITING;
	/* Told once if the peer goes away; its bytes, and a FIN behind them, can wait. */
	wire_watch(p->t, &p->wire, EPOLLRDHUP | EPOLLET);
	turn_peer_connected(p->t->server, p->alloc, id);
}

static void on_ready(void *arg, uint32_t events)
{
	struct turn_peer *p = arg;
	switch (p->state) {
	case PEER_CONNECTING:
		connected(p);
		return;
	case PEER_WAITING:
		if (events & EPOLLERR)
			peer_die(p, true);
		return;
	case PEER_DEAD:
		return;
	case PEER_SPLICED:
	case PEER_ENDING:
		break;
	}
	if (!reads(p) && (events & EPOLLERR || (events & EPOLLHUP && p->is_read_done))) {
		peer_die(p, true);
		return;
	}
	if (!reads(p) && (events & EPOLLHUP)) {
		wire_watch(p->t, &p->wire, 0);
		return;
	}
	if (events & EPOLLOUT)
		mark_dirty(p);
	if (reads(p) && (events & (EPOLLIN | EPOLLERR | EPOLLHUP)))
		readable(p);
}

static void on_timer(void *arg, uint64_t now_us)
{
	struct turn_peer *p = arg;
	(void)now_us;
	if (p->state == PEER_CONNECTING) {
		turn_peer_failed(p->t->server, p->alloc, p->id);
		peer_die(p, false);
	} else if (p->state == PEER_ENDING) {
		peer_die(p, true);
	} else if (p->state == PEER_SPLICED) {
		within_limit(p);
	}
}

static struct turn_peer *peer_new(
	struct turnd *t, struct list *siblings, struct turn_alloc *alloc, int fd)
{
	struct turn_peer *p = XNEW(struct turn_peer);
	p->t = t;
	p->alloc = alloc;
	p->wire.io = (struct ev_io){.fd = fd, .ready = on_ready, .arg = p};
	list_init(&p->dirty);
	list_push(siblings, &p->node);
	timer_init(&p->timer, on_timer, p);
	stream_socket_options(fd);
	metric_inc(M_TURN_TCP_PEERS);
	return p;
}

static void splice(struct turn_peer *p, struct stream *st)
{
	p->state = PEER_SPLICED;
	p->stream = st;
	st->state = STREAM_SPLICED;
	st->peer = p;
	watch(p);
}

void peer_join(struct stream *st, int fd)
{
	splice(peer_new(st->t, &st->t->streams->pipes, NULL, fd), st);
}

/* A socket bound to the relayed address, which others of this allocation are bound to as well. */
static int bound_socket(const struct addr *at)
{
	static const int on = 1;
	int fd = socket(at->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
	if (addr_is_v6(at))
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
	if (bind(fd, &at->sa, addr_len(at)) == 0)
		return fd;
	int why = errno;
	close(fd);
	errno = why;
	return -1;
}

int turnd_peer_connect(struct turnd *t, struct turn_relay *relay, const struct addr *peer,
	uint32_t id, struct turn_peer **out)
{
	*out = NULL;
	if (!turnd_may_connect(t, peer))
		return -ERR_NOT_FOUND;
	int fd = bound_socket(&relay->own.sock.local);
	if (fd < 0)
		return -ERR_NO_ROOM;
	if (connect(fd, &peer->sa, addr_len(peer)) == -1 && errno != EINPROGRESS) {
		close(fd);
		return -ERR_SYSTEM;
	}
	struct tcp_relay *r = relay->tcp;
	struct turn_peer *p = peer_new(t, &r->peers, relay->alloc, fd);
	p->id = id;
	wheel_set(&t->worker->wheel, &p->timer, t->worker->now_us + CONNECT_US);
	wire_watch(t, &p->wire, EPOLLOUT);
	*out = p;
	return 0;
}

static void on_relay_ready(void *arg, uint32_t events)
{
	struct tcp_relay *r = arg;
	struct turn_relay *relay = r->relay;
	struct turnd *t = relay->t;
	(void)events;
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		struct addr from;
		socklen_t len = sizeof from;
		int fd = accept4(r->io.fd, &from.sa, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0)
			return;
		struct turn_peer *p = peer_new(t, &r->peers, relay->alloc, fd);
		p->state = PEER_WAITING;
		wire_watch(t, &p->wire, EPOLLRDHUP | EPOLLET);
		if (!turn_peer_incoming(t->server, relay->alloc, relay, &from, p))
			peer_die(p, false);
	}
}

/* ---------------------------------------------------------------- turn_ops */

int turnd_tcp_relay_open(struct turnd *t, struct turn_relay *relay)
{
	int fd = bound_socket(&relay->own.sock.local);
	if (fd < 0)
		return errno == EADDRINUSE ? -ERR_EXISTS : -ERR_NO_ROOM;
	struct tcp_relay *r = XNEW(struct tcp_relay);
	r->relay = relay;
	r->io = (struct ev_io){.fd = fd, .ready = on_relay_ready, .arg = r};
	list_init(&r->peers);
	if (listen(fd, BACKLOG) == -1 || ev_add(&t->worker->ev, &r->io, EPOLLIN) != 0) {
		int why = errno;
		close(fd);
		xfree(r);
		return why == EADDRINUSE ? -ERR_EXISTS : -ERR_NO_ROOM;
	}
	relay->tcp = r;
	return 0;
}

void turnd_tcp_relay_close(struct turnd *t, struct turn_relay *relay)
{
	struct tcp_relay *r = relay->tcp;
	if (!r)
		return;
	relay->tcp = NULL;
	ev_del(&t->worker->ev, &r->io);
	close(r->io.fd);
	while (!list_empty(&r->peers))
		peer_die(list_first(&r->peers, struct turn_peer, node), false);
	xfree(r);
}

void turnd_peer_close(struct turnd *t, struct turn_peer *p)
{
	(void)t;
	p->is_to_tell = false;
	peer_die(p, false);
}

void turnd_peer_splice(struct turnd *t, struct turn_peer *p, const struct turn_flow *data)
{
	struct stream *st = stream_of_flow(t, data);
	if (!st || p->state != PEER_WAITING || st->state != STREAM_OPEN) {
		if (st)
			stream_end(st);
		peer_die(p, true);
		return;
	}
	splice(p, st);
}

void tcp_relays_close(struct turnd *t)
{
	struct turnd_streams *s = t->streams;
	while (!list_empty(&s->pipes))
		peer_die(list_first(&s->pipes, struct turn_peer, node), false);
	while (!list_empty(&s->peers_dead)) {
		struct turn_peer *p = list_first(&s->peers_dead, struct turn_peer, node);
		list_del(&p->node);
		list_del(&p->dirty);
		xfree(p);
	}
}
