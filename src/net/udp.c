#include "net/udp.h"

#include <errno.h>
#include <netinet/udp.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/metric.h"

/* Absent from older libc headers. */
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

enum {
	RX_BUF = 65536,                             /* one GRO message carries up to 64 KiB */
	RX_STRIDE = RX_BUF + 4096 + 4 * CACHE_LINE, /* not a power of two: they would share the same
						       sets of the cache */
	RX_CONTROL = CMSG_SPACE(sizeof(int)),
	TX_BATCH = 64,         /* messages per sendmmsg */
	GSO_MAX_SEGMENTS = 64, /* UDP_MAX_SEGMENTS of the kernel */
	GSO_MAX_BYTES = 65000,
	GSO_ALWAYS_FITS = 1200, /* segments that fit every path: a refusal has other reasons */
};

const struct udp_counters udp_rtc_in = {
	M_PACKETS_IN, M_BYTES_IN, M_UDP_RX_CALLS, M_UDP_RX_GRO};
const struct udp_counters udp_rtc_out = {
	M_PACKETS_OUT, M_BYTES_OUT, M_UDP_TX_CALLS, M_UDP_TX_GSO};

static int open_error(struct errbuf *eb, const struct addr *local, const char *what)
{
	char text[ADDR_TEXT_CAP];
	int e = errno;
	if (e == EADDRINUSE)
		return err_set(eb, ERR_SYSTEM,
			"UDP %s is in use by another program; stop it or choose another port",
			addr_format(local, text));
	const char *why = e == EADDRNOTAVAIL ? "this machine does not have that address"
			  : e == EACCES
				  ? "ports below 1024 need a privilege (CAP_NET_BIND_SERVICE)"
				  : strerror(e);
	return err_set(eb, ERR_SYSTEM, "UDP %s: %s: %s", addr_format(local, text), what, why);
}

int udp_open(
	struct udp_sock *s, const struct addr *local, const struct udp_opts *o, struct errbuf *eb)
{
	static const int on = 1;
	*s = (struct udp_sock){.fd = -1, .local = *local};
	s->fd = socket(local->sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->fd == -1)
		return open_error(eb, local, "socket");
	if (addr_is_v6(local))
		(void)setsockopt(s->fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
	if (o->reuse_port)
		(void)setsockopt(s->fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
	if (o->rcvbuf_bytes)
		(void)setsockopt(
			s->fd, SOL_SOCKET, SO_RCVBUF, &o->rcvbuf_bytes, sizeof o->rcvbuf_bytes);
	if (o->sndbuf_bytes)
		(void)setsockopt(
			s->fd, SOL_SOCKET, SO_SNDBUF, &o->sndbuf_bytes, sizeof o->sndbuf_bytes);
	/* Without GRO (old kernel) each datagram comes alone: slower, not wrong. */
	(void)setsockopt(s->fd, IPPROTO_UDP, UDP_GRO, &on, sizeof on);
	socklen_t len = sizeof s->local;
	if (bind(s->fd, &local->sa, addr_len(local)) == -1 ||
		getsockname(s->fd, &s->local.sa, &len) == -1) {
		int err = open_error(eb, local, "bind");
		udp_close(s);
		return err;
	}
	return 0;
}

void udp_close(struct udp_sock *s)
{
	if (s->fd != -1)
		close(s->fd);
	s->fd = -1;
}

struct udp_rx {
	const struct udp_counters *counters;
	unsigned batch;
	uint8_t *bufs;
	struct mmsghdr msgs[UDP_RX_BATCH_MAX];
	struct iovec iov[UDP_RX_BATCH_MAX];
	struct addr from[UDP_RX_BATCH_MAX];
	_Alignas(struct cmsghdr) uint8_t control[UDP_RX_BATCH_MAX][RX_CONTROL];
};

struct udp_rx *udp_rx_new(unsigned batch, const struct udp_counters *counters)
{
	struct udp_rx *rx = XNEW(struct udp_rx);
	rx->counters = counters;
	rx->batch = CLAMP(batch, 1U, (unsigned)UDP_RX_BATCH_MAX);
	rx->bufs = xmalloc((size_t)rx->batch * RX_STRIDE);
	for (size_t i = 0; i < rx->batch; i++) {
		rx->iov[i] = (struct iovec){rx->bufs + i * RX_STRIDE, RX_BUF};
		rx->msgs[i].msg_hdr = (struct msghdr){.msg_name = &rx->from[i],
			.msg_namelen = sizeof rx->from[i],
			.msg_iov = &rx->iov[i],
			.msg_iovlen = 1,
			.msg_control = rx->control[i],
			.msg_controllen = RX_CONTROL};
	}
	return rx;
}

void udp_rx_free(struct udp_rx *rx)
{
	if (!rx)
		return;
	xfree(rx->bufs);
	xfree(rx);
}

/* Segment size of a GRO message; the whole length for a plain datagram. */
static size_t segment_size(struct msghdr *h, size_t n)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		if (c->cmsg_level != IPPROTO_UDP || c->cmsg_type != UDP_GRO)
			continue;
		int size;
		memcpy(&size, CMSG_DATA(c), sizeof size);
		if (size > 0)
			return (size_t)size;
	}
	return n ? n : 1;
}

/* The datagrams of one message; then its header is made ready for the next call. */
static size_t take_message(struct udp_rx *rx, unsigned i,
	void (*take)(void *arg, struct udp_dgram *d), void *arg)
{
	struct msghdr *h = &rx->msgs[i].msg_hdr;
	struct udp_dgram d = {.p = rx->iov[i].iov_base, .from = &rx->from[i]};
	size_t left = rx->msgs[i].msg_len, count = 0;
	if (UNLIKELY(h->msg_flags & MSG_TRUNC)) {
		metric_drop(DROP_RX_TRUNCATED);
	} else {
		size_t seg = segment_size(h, left);
		do {
			d.n = MIN(seg, left);
			count++;
			take(arg, &d);
			d.p += seg;
			left -= MIN(seg, left);
		} while (left > 0);
	}
	h->msg_namelen = sizeof rx->from[i];
	h->msg_controllen = RX_CONTROL;
	return count;
}

bool udp_rx_batch(struct udp_rx *rx, struct udp_sock *s,
	void (*take)(void *arg, struct udp_dgram *d), void *arg)
{
	size_t packets = 0, bytes = 0, gro = 0;
	int n = recvmmsg(s->fd, rx->msgs, rx->batch, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++) {
		bytes += rx->msgs[i].msg_len;
		size_t count = take_message(rx, (unsigned)i, take, arg);
		packets += count;
		if (count > 1)
			gro += count;
	}
	metric_inc(rx->counters->calls);
	if (n > 0) {
		metric_add(rx->counters->packets, packets);
		metric_add(rx->counters->bytes, bytes);
		metric_add(rx->counters->gso_packets, gro);
	}
	return n == (int)rx->batch;
}

struct tx_msg {
	struct udp_sock *sock; /* NULL: taken by the divert or the sink */
	struct addr to;
	uint8_t *p;
	size_t n, seg;
	unsigned segments;
	bool is_closed; /* its last segment is shorter: nothing may follow */
};

struct udp_tx {
	const struct udp_counters *counters;
	uint8_t *arena;
	size_t used, cap;
	unsigned n_msgs;
	bool no_gso;
	size_t gso_seg_max; /* learned: longer segments than a path takes are refused */
	udp_tx_sink sink;
	void *sink_arg;
	udp_tx_divert divert;
	void *divert_arg;
	struct tx_msg msgs[TX_BATCH * 8];
	struct mmsghdr hdrs[TX_BATCH];
	struct iovec iov[TX_BATCH];
	_Alignas(struct cmsghdr) uint8_t control[TX_BATCH][CMSG_SPACE(sizeof(uint16_t))];
};

struct udp_tx *udp_tx_new(size_t arena_bytes, const struct udp_counters *counters)
{
	struct udp_tx *tx = XNEW(struct udp_tx);
	tx->counters = counters;
	tx->arena = xmalloc(arena_bytes);
	tx->cap = arena_bytes;
	tx->gso_seg_max = GSO_MAX_BYTES;
	return tx;
}

void udp_tx_free(struct udp_tx *tx)
{
	if (!tx)
		return;
	xfree(tx->arena);
	xfree(tx);
}

void udp_tx_set_sink(struct udp_tx *tx, udp_tx_sink sink, void *arg)
{
	tx->sink = sink;
	tx->sink_arg = arg;
}

void udp_tx_set_divert(struct udp_tx *tx, udp_tx_divert divert, void *arg)
{
	tx->divert = divert;
	tx->divert_arg = arg;
}

bool udp_tx_fits(const struct udp_tx *tx, size_t n)
{
	return n <= tx->cap - tx->used && tx->n_msgs < ARRAY_LEN(tx->msgs);
}

bool udp_tx_has(const struct udp_tx *tx, const struct udp_sock *s)
{
	for (unsigned i = 0; i < tx->n_msgs; i++)
		if (tx->msgs[i].sock == s)
			return true;
	return false;
}

static bool joins(const struct udp_tx *tx, const struct tx_msg *m, const struct udp_sock *s,
	const struct addr *to, size_t n)
{
	return !m->is_closed && m->sock == s && n > 0 && n <= m->seg &&
	       m->seg <= tx->gso_seg_max && m->segments < GSO_MAX_SEGMENTS &&
	       m->n + n <= GSO_MAX_BYTES && addr_eq(&m->to, to);
}

uint8_t *udp_tx_add(struct udp_tx *tx, struct udp_sock *s, const struct addr *to, size_t n)
{
	if (!udp_tx_fits(tx, n))
		return NULL;
	uint8_t *p = tx->arena + tx->used;
	tx->used += n;
	struct tx_msg *last = tx->n_msgs ? &tx->msgs[tx->n_msgs - 1] : NULL;
	if (last && !tx->no_gso && joins(tx, last, s, to, n)) {
		last->n += n;
		last->segments++;
		last->is_closed = n < last->seg;
		return p;
	}
	tx->msgs[tx->n_msgs++] =
		(struct tx_msg){.sock = s, .to = *to, .p = p, .n = n, .seg = n, .segments = 1};
	return p;
}

static void fill_hdr(struct udp_tx *tx, unsigned i, struct tx_msg *m)
{
	tx->iov[i] = (struct iovec){m->p, m->n};
	struct msghdr *h = &tx->hdrs[i].msg_hdr;
	*h = (struct msghdr){.msg_name = &m->to.sa,
		.msg_namelen = addr_len(&m->to),
		.msg_iov = &tx->iov[i],
		.msg_iovlen = 1};
	if (m->segments < 2)
		return;
	h->msg_control = tx->control[i];
	h->msg_controllen = sizeof tx->control[i];
	struct cmsghdr *c = CMSG_FIRSTHDR(h);
	c->cmsg_level = IPPROTO_UDP;
	c->cmsg_type = UDP_SEGMENT;
	c->cmsg_len = CMSG_LEN(sizeof(uint16_t));
	uint16_t seg = (uint16_t)m->seg;
	memcpy(CMSG_DATA(c), &seg, sizeof seg);
}

static void count_sent(const struct udp_tx *tx, const struct tx_msg *m)
{
	metric_add(tx->counters->packets, m->segments);
	metric_add(tx->counters->bytes, m->n);
	if (m->segments > 1)
		metric_add(tx->counters->gso_packets, m->segments);
}

static void count_refused(const struct tx_msg *m)
{
	for (unsigned i = 0; i < m->segments; i++)
		metric_drop(DROP_TX_SOCKET);
}

static void send_singly(struct udp_tx *tx, const struct tx_msg *m)
{
	size_t at = 0;
	do {
		size_t n = MIN(m->seg, m->n - at);
		metric_inc(tx->counters->calls);
		if (sendto(m->sock->fd, m->p + at, n, MSG_DONTWAIT, &m->to.sa, addr_len(&m->to)) ==
			-1) {
			metric_drop(DROP_TX_SOCKET);
		} else {
			metric_inc(tx->counters->packets);
			metric_add(tx->counters->bytes, n);
		}
		at += m->seg;
	} while (at < m->n);
}

/* The first message was refused; the others may still go. */
static void send_refused(struct udp_tx *tx, const struct tx_msg *m)
{
	int why = errno;
	if (why == EAGAIN || why == ENOBUFS || why == ENOMEM ||
		(m->segments == 1 && why == EINVAL)) {
		count_refused(m);
		return;
	}
	/* A device without GSO answers EIO: from then on datagrams go one by one. A path refuses
	 * long segments with EINVAL. */
	if (m->segments > 1 && why == EIO)
		tx->no_gso = true;
	if (m->segments > 1 && why == EINVAL && m->seg > GSO_ALWAYS_FITS)
		tx->gso_seg_max = m->seg - 1;
	send_singly(tx, m);
}

/* A message that is alone on its socket: sendto copies less than sendmmsg. */
static void send_lone(struct udp_tx *tx, struct tx_msg *m)
{
	ssize_t sent;
	metric_inc(tx->counters->calls);
	if (m->segments == 1) {
		sent = sendto(m->sock->fd, m->p, m->n, MSG_DONTWAIT, &m->to.sa, addr_len(&m->to));
	} else {
		fill_hdr(tx, 0, m);
		sent = sendmsg(m->sock->fd, &tx->hdrs[0].msg_hdr, MSG_DONTWAIT);
	}
	if (sent < 0)
		send_refused(tx, m);
	else
		count_sent(tx, m);
}

/* Sends messages [from, to) that share a socket. */
static void send_run(struct udp_tx *tx, unsigned from, unsigned to)
{
	if (to - from == 1) {
		send_lone(tx, &tx->msgs[from]);
		return;
	}
	while (from < to) {
		unsigned n = MIN(to - from, (unsigned)TX_BATCH);
		for (unsigned i = 0; i < n; i++)
			fill_hdr(tx, i, &tx->msgs[from + i]);
		metric_inc(tx->counters->calls);
		int sent = sendmmsg(tx->msgs[from].sock->fd, tx->hdrs, n, MSG_DONTWAIT);
		if (sent <= 0) {
			send_refused(tx, &tx->msgs[from++]);
			continue;
		}
		for (int i = 0; i < sent; i++)
			count_sent(tx, &tx->msgs[from + (unsigned)i]);
		from += (unsigned)sent;
	}
}

/* Offers each message to the divert, or to the sink. */
static void give_away(struct udp_tx *tx)
{
	for (unsigned i = 0; i < tx->n_msgs; i++) {
		struct tx_msg *m = &tx->msgs[i];
		if (!m->sock)
			continue;
		bool is_taken = tx->divert &&
				tx->divert(tx->divert_arg, m->sock, &m->to, m->p, m->n, m->seg);
		if (!is_taken && tx->sink) {
			count_sent(tx, m);
			tx->sink(tx->sink_arg, m->sock, &m->to, m->p, m->n, m->seg);
			is_taken = true;
		}
		if (is_taken)
			m->sock = NULL;
	}
}

void udp_tx_flush(struct udp_tx *tx)
{
	if (tx->divert || tx->sink)
		give_away(tx);
	for (unsigned i = 0, end; i < tx->n_msgs; i = end) {
		for (end = i + 1; end < tx->n_msgs && tx->msgs[end].sock == tx->msgs[i].sock; end++)
			continue;
		if (tx->msgs[i].sock)
			send_run(tx, i, end);
	}
	tx->n_msgs = 0;
	tx->used = 0;
}
