/* stream: TCP listeners, and connections from the first byte on. */
#include "turnd/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/hot.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"
#include "net/bind_error.h"
#include "turn/framing.h"
#include "turnd/proxy.h"

enum {
	BACKLOG = 1024,
	ACCEPTS_PER_TURN = 64,
	FLUSH_AT = 64 * 1024,         /* written within the turn, so that a burst is not taken for a slow reader */
	CONTROL_EXTRA = 64 * 1024,    /* answers may go this far beyond the limit; then it is closed */
	NOT_SENT_MAX = 128 * 1024,    /* the kernel holds no more unsent bytes: what it has cannot be dropped */
	LINGER_US = 2 * 1000 * 1000,
	STRANGER_MESSAGE = 4096,      /* who has no allocation has nothing longer to say */
	STRANGER_QUEUE = 16 * 1024,   /* … and reads its answers, or is closed */
	STALE_PARTS = 8,              /* a chunk spans this part of the time that data may wait */
};

static void set_option(int fd, int level, int name, int value)
{
	(void)setsockopt(fd, level, name, &value, sizeof value);
}

void stream_socket_options(int fd)
{
	set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set_option(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, NOT_SENT_MAX);
}

/* ---------------------------------------------------------------- a connection's end */

static bool is_established(const struct stream *st)
{
	return st->state == STREAM_OPEN || st->state == STREAM_SPLICED ||
	       st->state == STREAM_ENDING;
}

void stream_unsettle(struct stream *st)
{
	struct turnd *t = st->t;
	wire_watch(t, &st->wire, 0);
	wheel_del(&t->worker->wheel, &st->timer);
	turnd_conn_del(t, &st->conn);
	list_del(&st->node);
	list_del(&st->dirty);
	t->streams->n_streams--;
	metric_sub(M_TURN_STREAMS, 1);
}

void stream_close(struct stream *st, bool tell)
{
	struct turnd *t = st->t;
	struct turnd_streams *s = t->streams;
	struct turn_peer *peer = st->peer;
	if (st->state == STREAM_DEAD)
		return;
	st->state = STREAM_DEAD;
	st->peer = NULL;
	if (outq_is_empty(&st->wire.out))
		stream_tls_bye(st);
	stream_unsettle(st);
	wire_close(t, &st->wire);
	outq_chunk_give(&s->pool, st->part);
	outq_chunk_give(&s->pool, st->unsent);
	st->part = st->unsent = NULL;
	/* turn/ may be what called: it learns of it at the end of the turn. */
	st->is_to_tell = tell;
	list_push(&s->dead, &st->node);
	if (peer)
		peer_orphaned(peer);
}

void stream_end(struct stream *st)
{
	if (st->state == STREAM_DEAD || st->state == STREAM_ENDING)
		return;
	if (!is_established(st)) {
		stream_close(st, false);
		return;
	}
	struct turn_peer *peer = st->peer;
	st->state = STREAM_ENDING;
	st->peer = NULL;
	if (peer)
		peer_orphaned(peer);
	stream_pause(st, true);
	wheel_set(&st->t->worker->wheel, &st->timer, st->t->worker->now_us + LINGER_US);
	stream_mark_dirty(st);
}

void stream_mark_dirty(struct stream *st)
{
	if (list_empty(&st->dirty))
		list_push(&st->t->streams->dirty, &st->dirty);
}

static void watch(struct stream *st)
{
	bool wants_write = st->tls_wants_write || st->unsent || !outq_is_empty(&st->wire.out);
	bool wants_read = !st->is_read_paused && !st->is_read_done;
	wire_watch(st->t, &st->wire, (wants_read ? EPOLLIN : 0) | (wants_write ? EPOLLOUT : 0));
}

void stream_pause(struct stream *st, bool is_paused)
{
	st->is_read_paused = is_paused;
	if (st->state != STREAM_DEAD)
		watch(st);
}

/* ---------------------------------------------------------------- out */

static void drop_stale(struct stream *st)
{
	const struct turnd_cfg *cfg = &st->t->cfg;
	uint64_t now_us = st->t->worker->now_us;
	struct outq *q = &st->wire.out;
	if (!cfg->stream_queue_us || !q->head || st->state == STREAM_SPLICED ||
		now_us - q->head->first_us <= cfg->stream_queue_us)
		return;
	size_t n = outq_drop_stale(q, &st->t->streams->pool, now_us - cfg->stream_queue_us);
	for (size_t i = 0; i < n; i++)
		metric_drop(DROP_STREAM_STALE);
}

/* Both directions of a spliced connection are over, or the last words of an ending one are written. */
static bool is_over(const struct stream *st)
{
	return st->state == STREAM_ENDING || (st->is_read_done && st->is_write_done);
}

static void flushed(struct stream *st)
{
	if (st->is_write_done || st->state == STREAM_ENDING) {
		stream_tls_bye(st);
		(void)shutdown(st->wire.io.fd, SHUT_WR);
	}
	if (is_over(st))
		stream_close(st, st->state != STREAM_ENDING);
	else if (st->state == STREAM_SPLICED && st->peer)
		peer_resume(st->peer);
}

static void flush(struct stream *st)
{
	bool was_hot = hot_pause();
	drop_stale(st);
	int err = st->ssl ? stream_tls_flush(st) : wire_flush(st->t, &st->wire);
	bool leaves = !err && st->state == STREAM_MOVING;
	if (leaves)
		stream_move(st); /* not ours any more */
	else if (!err)
		flushed(st);
	else if (err != -ERR_AGAIN)
		stream_close(st, true);
	if (!leaves && st->state != STREAM_DEAD)
		watch(st);
	hot_resume(was_hot);
}

void stream_finish_write(struct stream *st)
{
	st->is_write_done = true;
	stream_mark_dirty(st);
}

/* Memory for who has proved nothing is what somebody with many connections would use up. */
static bool is_stranger(const struct stream *st)
{
	return st->state == STREAM_OPEN && !turn_flow_has_alloc(st->t->server, &st->flow);
}

/* A place behind what waits, or NULL: dropped and counted. Answers are not dropped; the connection
 * is closed instead. */
static uint8_t *place(struct stream *st, size_t n, bool is_data)
{
	const struct turnd *t = st->t;
	struct outq *q = &st->wire.out;
	uint64_t limit = t->cfg.stream_queue_bytes;
	if (!is_established(st) || st->state == STREAM_ENDING || n > OUTQ_LARGE) {
		metric_drop(DROP_STREAM_CLOSED);
		return NULL;
	}
	bool is_long = q->bytes >= FLUSH_AT || (limit && q->bytes + n > limit);
	if (is_long && (st->wire.events & EPOLLOUT))
		drop_stale(st);
	else if (is_long)
		flush(st);
	if (st->state == STREAM_DEAD)
		return NULL;
	if (limit && q->bytes + n > limit && is_data) {
		metric_drop(DROP_STREAM_QUEUE);
		return NULL;
	}
	bool is_unread =
		st->wire.events & EPOLLOUT && q->bytes + n > STRANGER_QUEUE && is_stranger(st);
	if (is_unread || (limit && q->bytes + n > limit + CONTROL_EXTRA)) {
		metric_inc(M_TURN_STREAMS_SLOW);
		stream_close(st, true);
		return NULL;
	}
	stream_mark_dirty(st);
	uint64_t slack = t->cfg.stream_queue_us ? t->cfg.stream_queue_us / STALE_PARTS : UINT64_MAX;
	return outq_place(q, &t->streams->pool, n, t->worker->now_us, slack);
}

void stream_push(struct stream *st, struct slice bytes)
{
	outq_add(&st->wire.out, &st->t->streams->pool, bytes, st->t->worker->now_us);
	stream_mark_dirty(st);
}

/* ---------------------------------------------------------------- in */

size_t stream_part_take(struct stream *st, uint8_t *to)
{
	struct outq_chunk *c = st->part;
	size_t n = c ? c->to : 0;
	if (n)
		memcpy(to, c->p, n);
	outq_chunk_give(&st->t->streams->pool, c);
	st->part = NULL;
	return n;
}

void stream_part_keep(struct stream *st, const uint8_t *p, size_t n)
{
	if (n == 0 || st->state == STREAM_DEAD || st->state == STREAM_ENDING)
		return;
	if (n > OUTQ_LARGE) {
		/* Only what moves may keep more than one message. */
		stream_close(st, true);
		return;
	}
	st->part = outq_chunk_take(&st->t->streams->pool, n);
	memcpy(st->part->p, p, n);
	st->part->to = (uint32_t)n;
}

static void garbage(struct stream *st)
{
	metric_drop(DROP_STREAM_GARBAGE);
	stream_close(st, is_established(st));
}

/* One message; returns its bytes, 0 if it is not whole. */
static size_t message(struct stream *st, uint8_t *p, size_t n)
{
	struct turnd *t = st->t;
	/* Who has not asked for a channel has none: what begins like ChannelData is HTTP or worse. */
	bool is_foreign = !st->has_spoken && p[0] >= TURN_CHANNEL_FIRST >> 8;
	if (is_foreign && st->ssl && http_pass(st))
		return 0;
	struct framing f = is_foreign ? (struct framing){.kind = FRAMING_BAD}
				      : framing_next(slice_of(p, n));
	switch (f.kind) {
	case FRAMING_MORE:
		if (f.size > STRANGER_MESSAGE && is_stranger(st))
			garbage(st);
		return 0;
	case FRAMING_STUN:
		turn_rx_stun(t->server, &st->flow, p, f.n, t->worker->now_us);
		break;
	case FRAMING_CHANNEL:
		hot_enter();
		turn_rx_channel(t->server, &st->flow, p, f.n, t->worker->now_us);
		hot_leave();
		break;
	case FRAMING_BAD:
		garbage(st);
		return 0;
	}
	st->has_spoken = true;
	st->heard_us = t->worker->now_us;
	/* It was not answered, and goes along. */
	return st->state == STREAM_MOVING ? 0 : f.size;
}

size_t stream_plain_input(struct stream *st, uint8_t *p, size_t n)
{
	size_t used = 0, size;
	while (st->state == STREAM_OPEN && used < n && (size = message(st, p + used, n - used)) > 0)
		used += size;
	if (st->state == STREAM_SPLICED) {
		peer_push(st->peer, slice_of(p + used, n - used));
		return n;
	}
	return st->state == STREAM_OPEN || st->state == STREAM_MOVING ? used : n;
}

static size_t proxy_header(struct stream *st, struct slice in)
{
	struct proxy_header h;
	int err = proxy_parse(&h, in);
	if (err == -ERR_AGAIN && in.n < PROXY_SIZE_MAX)
		return 0;
	if (err) {
		garbage(st);
		return 0;
	}
	if (h.has_addrs) {
		st->flow.client = h.client;
		st->flow.server = h.server;
		addr_unmap(&st->flow.client);
		addr_unmap(&st->flow.server);
	}
	st->state = STREAM_DETECT;
	return h.size;
}

/* RFC 7983 §7 in short: a TLS record begins with 22 (handshake) and version 3.x, STUN with two zero bits. */
static void detect(struct stream *st, struct slice in)
{
	enum { HANDSHAKE = 0x16, VERSION_MAJOR = 0x03 };
	bool is_tls = in.p[0] == HANDSHAKE && (in.n < 2 || in.p[1] == VERSION_MAJOR);
	if (st->is_plain_only || (!is_tls && !st->is_tls_only))
		st->state = STREAM_OPEN;
	else if (!is_tls)
		garbage(st);
	else if (in.n >= 2 && !stream_tls_start(st))
		stream_close(st, false);
}

static void raw_input(struct stream *st, uint8_t *p, size_t n)
{
	size_t used = 0;
	if (st->state == STREAM_PROXY)
		used = proxy_header(st, slice_of(p, n));
	if (st->state == STREAM_DETECT && used < n)
		detect(st, slice_of(p + used, n - used));
	if (st->ssl && st->state != STREAM_DEAD) {
		stream_tls_input(st, slice_of(p + used, n - used));
		return;
	}
	if (st->state == STREAM_OPEN || st->state == STREAM_SPLICED)
		used += stream_plain_input(st, p + used, n - used);
	stream_part_keep(st, p + used, n - used);
}

void stream_read_done(struct stream *st)
{
	if (st->state != STREAM_SPLICED) {
		stream_close(st, is_established(st));
		return;
	}
	st->is_read_done = true;
	peer_finish_write(st->peer);
	stream_mark_dirty(st);
}

static void readable(struct stream *st)
{
	uint8_t *rx = st->t->streams->rx;
	if (st->state == STREAM_SPLICED && !peer_may_take(st->peer))
		return;
	/* With TLS the unfinished message is plaintext and has its place in the other buffer. */
	size_t have = st->ssl ? 0 : stream_part_take(st, rx);
	ssize_t n = recv(st->wire.io.fd, rx + have, STREAM_RX, MSG_DONTWAIT);
	if (n > 0)
		raw_input(st, rx, have + (size_t)n);
	else if (n == 0)
		stream_read_done(st);
	else if (errno == EAGAIN || errno == EINTR)
		stream_part_keep(st, rx, have);
	else
		stream_close(st, is_established(st));
}

static void on_ready(void *arg, uint32_t events)
{
	struct stream *st = arg;
	if (st->state == STREAM_DEAD)
		return;
	bool reads = !st->is_read_paused && !st->is_read_done;
	if (!reads && (events & EPOLLERR || (events & EPOLLHUP && st->is_read_done))) {
		stream_close(st, st->state != STREAM_ENDING);
		return;
	}
	if (!reads && (events & EPOLLHUP)) {
		/* Closed at both ends, with bytes still to be read: looked at again when it is read on. */
		wire_watch(st->t, &st->wire, 0);
		return;
	}
	if (events & EPOLLOUT) {
		if (st->tls_wants_write) {
			st->tls_wants_write = false;
			stream_tls_input(st, (struct slice){0});
		}
		stream_mark_dirty(st);
	}
	if (reads && st->state != STREAM_DEAD && (events & (EPOLLIN | EPOLLERR | EPOLLHUP)))
		readable(st);
}

/* ---------------------------------------------------------------- time */

/* When a connection has to be looked at again; 0 = it has had its time. */
static uint64_t idle_until(const struct stream *st, uint64_t now_us)
{
	uint64_t idle_us = st->t->cfg.stream_idle_us;
	if (st->state == STREAM_SPLICED || !idle_us)
		return UINT64_MAX;
	if (st->state != STREAM_OPEN)
		return 0;
	if (turn_flow_has_alloc(st->t->server, &st->flow))
		return now_us + idle_us;
	return st->heard_us + idle_us > now_us ? st->heard_us + idle_us : 0;
}

static void on_timer(void *arg, uint64_t now_us)
{
	struct stream *st = arg;
	if (st->state == STREAM_ENDING) {
		stream_close(st, false);
		return;
	}
	uint64_t until = idle_until(st, now_us);
	if (until) {
		wheel_set(&st->t->worker->wheel, &st->timer, until);
		return;
	}
	metric_inc(M_TURN_STREAMS_IDLE);
	stream_close(st, is_established(st));
}

/* ---------------------------------------------------------------- a connection's begin */

static bool is_proxy(const struct turnd *t, const struct addr *from)
{
	for (size_t i = 0; i < t->cfg.n_proxies; i++)
		if (cidr_has(&t->cfg.proxies[i], from))
			return true;
	return false;
}

/* It came with a request that is to be answered here. */
static void take_up(struct stream *st)
{
	uint8_t *p = st->ssl ? st->t->streams->plain : st->t->streams->rx;
	size_t n = stream_part_take(st, p);
	st->state = STREAM_OPEN;
	st->is_read_paused = false;
	watch(st);
	size_t used = stream_plain_input(st, p, n);
	stream_part_keep(st, p + used, n - used);
}

void stream_settle(struct turnd *t, struct stream *st)
{
	st->t = t;
	st->heard_us = t->worker->now_us;
	turnd_conn_add(t, &st->conn);
	st->flow.conn = st->conn.handle;
	list_push(&t->streams->all, &st->node);
	t->streams->n_streams++;
	metric_inc(M_TURN_STREAMS);
	if (t->cfg.stream_idle_us)
		wheel_set(&t->worker->wheel, &st->timer, st->heard_us + t->cfg.stream_idle_us);
	if (st->state == STREAM_MOVING)
		take_up(st);
	else
		watch(st);
}

static struct stream *stream_new(
	struct turnd *t, int fd, const struct addr *client, const struct addr *server)
{
	struct stream *st = XNEW(struct stream);
	st->conn.transport = TURN_TCP;
	st->flow = (struct turn_flow){.transport = TURN_TCP, .client = *client, .server = *server};
	addr_unmap(&st->flow.client);
	addr_unmap(&st->flow.server);
	st->wire.io = (struct ev_io){.fd = fd, .ready = on_ready, .arg = st};
	list_init(&st->dirty);
	timer_init(&st->timer, on_timer, st);
	stream_socket_options(fd);
	metric_inc(M_TURN_STREAMS_ACCEPTED);
	stream_settle(t, st);
	return st;
}

bool stream_is_full(const struct turnd *t)
{
	return t->cfg.stream_connections && t->streams->n_streams >= t->cfg.stream_connections;
}

static void adopt(struct turnd_listener *l, int fd, const struct addr *client)
{
	struct turnd *t = l->t;
	struct addr server;
	socklen_t len = sizeof server;
	if (stream_is_full(t) || getsockname(fd, &server.sa, &len) == -1) {
		metric_inc(M_TURN_STREAMS_REFUSED);
		close(fd);
		return;
	}
	if (l->cfg.known_as.sa.sa_family != AF_UNSPEC)
		server = l->server;
	struct stream *st = stream_new(t, fd, client, &server);
	st->flow.listener = l->index;
	st->is_plain_only = !l->cfg.tls || !t->streams->tls;
	st->is_tls_only = !l->cfg.tcp;
	st->state = l->cfg.proxy_protocol && is_proxy(t, &st->flow.client) ? STREAM_PROXY
									   : STREAM_DETECT;
}

/* No descriptor is left: without this the waiting connection would wake us again and again. */
static void refuse_without_fd(struct turnd_streams *s, int listen_fd)
{
	if (s->spare_fd >= 0)
		close(s->spare_fd);
	int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0)
		close(fd);
	s->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	metric_inc(M_TURN_STREAMS_REFUSED);
	LOG_WARN("no file descriptor left for a TURN connection: raise LimitNOFILE");
}

static void on_listener_ready(void *arg, uint32_t events)
{
	struct turnd_listener *l = arg;
	(void)events;
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		struct addr client;
		socklen_t len = sizeof client;
		int fd = accept4(l->stream_fd, &client.sa, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd >= 0) {
			adopt(l, fd, &client);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE)
			refuse_without_fd(l->t->streams, l->stream_fd);
		return;
	}
}

/* ---------------------------------------------------------------- listeners */

static int refuse_listen(const struct turnd_listener *l, int why, struct errbuf *eb)
{
	char text[ADDR_TEXT_CAP];
	return err_set(eb, ERR_SYSTEM, "cannot listen for TURN on TCP %s: %s",
		addr_format(&l->cfg.at, text), bind_error(why));
}

/* Returns the socket, or -errno. */
static int bound_socket(const struct addr *at, bool shares_port)
{
	int fd = socket(at->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	set_option(fd, SOL_SOCKET, SO_REUSEPORT, shares_port);
	if (addr_is_v6(at))
		set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	if (bind(fd, &at->sa, addr_len(at)) == 0)
		return fd;
	int why = errno;
	close(fd);
	return -why;
}

static int listener_open(struct turnd_listener *l, struct errbuf *eb)
{
	/* With SO_REUSEPORT another server on the same port would go unnoticed, and take a share of the clients. */
	int probe = l->t->worker->index == 0 ? bound_socket(&l->cfg.at, false) : -1;
	if (probe < 0 && l->t->worker->index == 0)
		return refuse_listen(l, -probe, eb);
	if (probe >= 0)
		close(probe);
	int fd = bound_socket(&l->cfg.at, true);
	if (fd < 0)
		return refuse_listen(l, -fd, eb);
	if (listen(fd, BACKLOG) == -1) {
		int why = errno;
		close(fd);
		return refuse_listen(l, why, eb);
	}
	l->stream_fd = fd;
	l->stream_io = (struct ev_io){.fd = fd, .ready = on_listener_ready, .arg = l};
	return ev_add(&l->t->worker->ev, &l->stream_io, EPOLLIN) == 0
		       ? 0
		       : err_set(eb, ERR_SYSTEM, "cannot watch a listening socket");
}

static void listener_close(struct turnd_listener *l)
{
	if (l->stream_fd < 0)
		return;
	ev_del(&l->t->worker->ev, &l->stream_io);
	close(l->stream_fd);
	l->stream_fd = -1;
}

static int open_all(struct turnd *t, struct errbuf *eb)
{
	int err = turnd_tls_new(&t->streams->tls, &t->cfg, turnd_shared_ticket_key(t->shared), eb);
	for (size_t i = 0; i < t->n_listeners && !err; i++) {
		struct turnd_listener *l = &t->listeners[i];
		if ((l->cfg.tls || l->cfg.dtls) && !l->cfg.tcp && !t->streams->tls) {
			char text[ADDR_TEXT_CAP];
			return err_set(eb, ERR_CONFIG,
				"TURN over TLS on %s needs a certificate: set turn.cert_file and turn.key_file",
				addr_format(&l->cfg.at, text));
		}
		if (l->cfg.tcp || l->cfg.tls)
			err = listener_open(l, eb);
	}
	return err ? err : turnd_dtls_open(t, eb);
}

int turnd_streams_open(struct turnd *t, struct errbuf *eb)
{
	struct turnd_streams *s = XNEW(struct turnd_streams);
	struct list *lists[] = {&s->all, &s->dirty, &s->dead, &s->peers_dirty, &s->peers_dead,
		&s->pipes};
	t->streams = s;
	s->t = t;
	s->rx = xmalloc(STREAM_RX_CAP);
	s->plain = xmalloc(STREAM_PLAIN_CAP);
	s->sealed = xmalloc(STREAM_SEALED_CAP);
	s->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		list_init(lists[i]);
	outq_pool_init(&s->pool);
	int err = open_all(t, eb);
	stream_tls_watch_files(s);
	if (err)
		turnd_streams_close(t);
	return err;
}

static void bury(struct turnd_streams *s, bool tell)
{
	while (!list_empty(&s->dead)) {
		struct stream *st = list_first(&s->dead, struct stream, node);
		list_del(&st->node);
		if (tell && st->is_to_tell && s->t->server)
			turn_flow_closed(s->t->server, &st->flow);
		stream_tls_free(st);
		xfree(st);
	}
}

void turnd_streams_close(struct turnd *t)
{
	struct turnd_streams *s = t->streams;
	if (!s)
		return;
	wheel_del(&t->worker->wheel, &s->certificate_timer);
	for (size_t i = 0; i < t->n_listeners; i++)
		listener_close(&t->listeners[i]);
	while (!list_empty(&s->all))
		stream_close(list_first(&s->all, struct stream, node), false);
	tcp_relays_close(t);
	turnd_dtls_close(t);
	bury(s, false);
	outq_pool_close(&s->pool);
	turnd_tls_free(s->tls);
	if (s->spare_fd >= 0)
		close(s->spare_fd);
	xfree(s->rx);
	xfree(s->plain);
	xfree(s->sealed);
	xfree(s);
	t->streams = NULL;
}

void turnd_streams_flush(struct turnd *t)
{
	struct turnd_streams *s = t->streams;
	if (!s)
		return;
	/* What is closed may close other things, which have last words of their own. */
	do {
		while (!list_empty(&s->dirty)) {
			struct stream *st = list_first(&s->dirty, struct stream, dirty);
			list_del(&st->dirty);
			flush(st);
		}
		tcp_relays_flush(t);
		turnd_dtls_flush(t);
		bury(s, true);
	} while (!list_empty(&s->dirty) || !list_empty(&s->peers_dirty));
}

/* ---------------------------------------------------------------- turn_ops */

struct stream *stream_of_flow(struct turnd *t, const struct turn_flow *flow)
{
	struct turnd_conn *c = turnd_conn_find(t, flow->conn);
	return c && c->transport != TURN_DTLS ? (struct stream *)c : NULL;
}

uint8_t *turnd_stream_place(struct turnd *t, const struct turn_flow *flow, size_t n)
{
	struct turnd_conn *c = turnd_conn_find(t, flow->conn);
	if (!c) {
		metric_drop(DROP_STREAM_CLOSED);
		return NULL;
	}
	if (c->transport == TURN_DTLS)
		return dtls_client_place(t, (struct dtls_client *)c, n);
	return place((struct stream *)c, n, true);
}

void turnd_stream_send(
	struct turnd *t, const struct turn_flow *flow, struct slice bytes, bool is_data)
{
	struct turnd_conn *c = turnd_conn_find(t, flow->conn);
	if (!c) {
		metric_drop(DROP_STREAM_CLOSED);
		return;
	}
	if (c->transport == TURN_DTLS) {
		dtls_client_send(t, (struct dtls_client *)c, bytes);
		return;
	}
	uint8_t *p = place((struct stream *)c, bytes.n, is_data);
	if (p)
		memcpy(p, bytes.p, bytes.n);
}

void turnd_stream_close(struct turnd *t, const struct turn_flow *flow)
{
	struct turnd_conn *c = turnd_conn_find(t, flow->conn);
	if (!c)
		return;
	if (c->transport == TURN_DTLS)
		dtls_client_end(t, (struct dtls_client *)c);
	else
		stream_end((struct stream *)c);
}
