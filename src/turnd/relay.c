#include <errno.h>
#include <time.h>
#include <linux/errqueue.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/hot.h"
#include "base/mem.h"
#include "base/metric.h"
#include "turnd/turnd_internal.h"

/* Absent from older libc headers. */
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

enum {
	BIND_TRIES = 16,        /* ports that other programs have */
	SHUN_US = 60 * 1000 * 1000, /* so long a port that another program has is left alone */
	ICMP_PER_TURN = 16,     /* errors read from one socket at a time */
	ICMP_DEST_UNREACH = 3,
	ICMP_FRAG_NEEDED = 4,
	ICMP6_PACKET_TOO_BIG = 2,
};

/* A reservation names its port; that nobody guesses it is up to the token that turn/ makes of it. */
enum { RESERVATION_MARK = 1 };

static uint64_t reservation_of(const struct turnd_home *h, uint16_t port)
{
	return (uint64_t)RESERVATION_MARK << 32 | (uint64_t)h->index << 16 | port;
}

/*
 * A port put aside by EVEN-PORT. Its socket keeps other programs away: the client was told of the
 * port, and nothing else can be had for it. turn/ bounds how many there are.
 */
struct reserved {
	struct list node;
	uint16_t port;
	int fd;
};

static void unreserve(struct reserved *v)
{
	close(v->fd);
	list_del(&v->node);
	xfree(v);
}

static struct reserved *reserved_at(struct turnd_home *h, uint16_t port)
{
	list_for_each(node, &h->reserved) {
		struct reserved *v = list_entry(node, struct reserved, node);
		if (v->port == port)
			return v;
	}
	return NULL;
}

static int reserve(struct turnd_home *h, uint16_t port)
{
	struct addr at = h->cfg.at;
	int fd = socket(at.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return -ERR_NO_ROOM;
	addr_set_port(&at, port);
	if (addr_is_v6(&at))
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){1}, sizeof(int));
	if (bind(fd, &at.sa, addr_len(&at)) == -1) {
		int err = errno == EADDRINUSE || errno == EACCES ? -ERR_EXISTS : -ERR_NO_ROOM;
		close(fd);
		return err;
	}
	struct reserved *v = XNEW(struct reserved);
	v->port = port;
	v->fd = fd;
	list_push(&h->reserved, &v->node);
	return 0;
}

/* ------------------------------------------------------------- ports of other programs */

static void give_oldest(struct turnd_home *h)
{
	turnd_ports_give(&h->udp_ports, h->shunned[h->first_shunned].port);
	h->first_shunned = (h->first_shunned + 1) % TURND_SHUNNED_MAX;
	h->n_shunned--;
}

/* Instead of giving it back. With more of them than fit, the oldest may be tried again. */
static void shun(struct turnd_home *h, uint16_t port)
{
	if (h->n_shunned == TURND_SHUNNED_MAX)
		give_oldest(h);
	unsigned at = (h->first_shunned + h->n_shunned++) % TURND_SHUNNED_MAX;
	h->shunned[at].port = port;
	h->shunned[at].until_us = h->t->worker->now_us + SHUN_US;
}

static void shun_no_longer(struct turnd_home *h)
{
	while (h->n_shunned && h->shunned[h->first_shunned].until_us <= h->t->worker->now_us)
		give_oldest(h);
}

/* ------------------------------------------------------------------------- sockets */

static bool set_int(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

/*
 * DF is off unless the client asks for DONT-FRAGMENT (RFC 8656 §12): Linux would set it by itself. Errors come by the
 * error queue, so that they can be passed on (§11.6).
 */
static void set_options(const struct turnd *t, int fd, bool is_v6)
{
	if (is_v6) {
		set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
		set_int(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT);
		set_int(fd, IPPROTO_IPV6, IPV6_RECVERR, 1);
	} else {
		set_int(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
		set_int(fd, IPPROTO_IP, IP_RECVERR, 1);
	}
	set_int(fd, IPPROTO_UDP, UDP_GRO, 1);
	if (t->cfg.socket_buffer_bytes) {
		int bytes = (int)MIN(t->cfg.socket_buffer_bytes, (uint32_t)INT32_MAX);
		set_int(fd, SOL_SOCKET, SO_RCVBUF, bytes);
		set_int(fd, SOL_SOCKET, SO_SNDBUF, bytes);
	}
}

int turnd_relay_sock_open(struct turnd *t, struct turnd_relay_sock *rs, struct ev_io io)
{
	const struct addr *local = &rs->sock.local;
	int fd = socket(local->sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return -ERR_NO_ROOM;
	set_options(t, fd, addr_is_v6(local));
	if (bind(fd, &local->sa, addr_len(local)) == -1) {
		int err = errno == EADDRINUSE || errno == EACCES ? -ERR_EXISTS : -ERR_NO_ROOM;
		close(fd);
		return err;
	}
	rs->sock.fd = fd;
	rs->is_df = false;
	rs->io = io;
	rs->io.fd = fd;
	if (ev_add(&t->worker->ev, &rs->io, EPOLLIN) != 0) {
		udp_close(&rs->sock);
		return -ERR_NO_ROOM;
	}
	metric_inc(M_TURN_RELAY_SOCKETS);
	return 0;
}

void turnd_relay_sock_close(struct turnd *t, struct turnd_relay_sock *rs)
{
	if (rs->sock.fd == -1)
		return;
	if (udp_tx_has(t->relay_tx, &rs->sock))
		turnd_flush_relays(t);
	ev_del(&t->worker->ev, &rs->io);
	udp_close(&rs->sock);
	metric_sub(M_TURN_RELAY_SOCKETS, 1);
}

/* What waits goes out as it was asked for; then the socket changes. */
static bool set_df(struct turnd *t, struct turnd_relay_sock *rs, bool df)
{
	turnd_flush_relays(t);
	bool is_v6 = addr_is_v6(&rs->sock.local);
	bool ok = is_v6 ? set_int(rs->sock.fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER,
				  df ? IPV6_PMTUDISC_DO : IPV6_PMTUDISC_DONT) :
			  set_int(rs->sock.fd, IPPROTO_IP, IP_MTU_DISCOVER,
				  df ? IP_PMTUDISC_DO : IP_PMTUDISC_DONT);
	if (ok)
		rs->is_df = df;
	return ok;
}

/* ------------------------------------------------------------------- from peers */

static void rx_own(void *arg, struct udp_dgram *d)
{
	struct turn_relay *r = arg;
	struct turnd *t = r->t;
	turn_rx_peer(t->server, r->alloc, r, d->from, d->p, d->n, t->worker->now_us);
}

static void rx_mux(void *arg, struct udp_dgram *d)
{
	struct turnd_home *h = arg;
	struct turn_relay *r = turnd_mux_find(h->mux, d->from);
	if (r)
		rx_own(r, d);
	else
		metric_drop(DROP_TURN_NO_RELAY);
}

/*
 * One entry of the error queue. What the kernel itself refuses for its size (DONT-FRAGMENT) is told as the ICMP
 * message that a router would send. False: the queue is empty.
 */
static bool take_error(struct turnd *t, struct turnd_relay_sock *rs, struct turn_relay *r)
{
	_Alignas(struct cmsghdr) uint8_t control[256];
	struct addr peer = {0};
	struct msghdr h = {.msg_name = &peer.sa,
		.msg_namelen = sizeof peer,
		.msg_control = control,
		.msg_controllen = sizeof control};
	if (recvmsg(rs->sock.fd, &h, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
		return false;
	if (addr_port(&peer) == 0 && addr_ip_eq(&peer, &rs->df_to))
		peer = rs->df_to;
	if (rs->is_mux && h.msg_namelen > 0)
		r = turnd_mux_find(t->homes[rs->home].mux, &peer);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&h); r && h.msg_namelen > 0 && c;
		c = CMSG_NXTHDR(&h, c)) {
		bool is_v4 = c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR;
		bool is_v6 = c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR;
		struct sock_extended_err e;
		if (!is_v4 && !is_v6)
			continue;
		memcpy(&e, CMSG_DATA(c), sizeof e);
		bool is_size = e.ee_errno == EMSGSIZE;
		uint32_t mtu = is_size ? e.ee_info : 0;
		if (e.ee_origin == SO_EE_ORIGIN_ICMP || e.ee_origin == SO_EE_ORIGIN_ICMP6)
			turn_rx_icmp(t->server, r->alloc, &peer, e.ee_type, e.ee_code, mtu);
		else if (e.ee_origin == SO_EE_ORIGIN_LOCAL && is_size && is_v4)
			turn_rx_icmp(t->server, r->alloc, &peer, ICMP_DEST_UNREACH,
				ICMP_FRAG_NEEDED, mtu);
		else if (e.ee_origin == SO_EE_ORIGIN_LOCAL && is_size)
			turn_rx_icmp(t->server, r->alloc, &peer, ICMP6_PACKET_TOO_BIG, 0, mtu);
	}
	return true;
}

static void take_errors(struct turnd *t, struct turnd_relay_sock *rs, struct turn_relay *r)
{
	for (int i = 0; i < ICMP_PER_TURN && take_error(t, rs, r); i++)
		continue;
}

static void on_own_readable(void *arg, uint32_t events)
{
	struct turn_relay *r = arg;
	if (UNLIKELY(events & EPOLLERR))
		take_errors(r->t, &r->own, r);
	hot_enter();
	(void)udp_rx_batch(r->t->relay_rx, &r->own.sock, rx_own, r);
	hot_leave();
}

/* ------------------------------------------------------------------- addresses */

static void on_mux_readable(void *arg, uint32_t events)
{
	enum { BATCHES_PER_TURN = 8 };
	struct turnd_home *h = arg;
	struct turnd_relay_sock *rs = turnd_mux_sock(h->mux);
	if (UNLIKELY(events & EPOLLERR))
		take_errors(h->t, rs, NULL);
	hot_enter();
	for (int i = 0; i < BATCHES_PER_TURN; i++)
		if (!udp_rx_batch(h->t->rx, &rs->sock, rx_mux, h))
			break;
	hot_leave();
}

/* Relay sockets come later, with the clients; that there will never be any is found out now. */
static int check_address(const struct turnd_home *h, struct errbuf *eb)
{
	struct udp_sock probe;
	struct addr at = h->cfg.at;
	struct errbuf why;
	char text[ADDR_TEXT_CAP];
	static const struct udp_opts opts = {0};
	addr_set_port(&at, 0);
	int err = udp_open(&probe, &at, &opts, &why);
	if (err)
		return err_set(eb, ERR_SYSTEM, "cannot relay from %s: %s", addr_format_ip(&at, text), why.text);
	udp_close(&probe);
	return 0;
}

int turnd_relays_open(struct turnd *t, struct errbuf *eb)
{
	unsigned index = t->worker->index, n = turnd_shared_workers(t->shared);
	for (size_t i = 0; i < t->cfg.n_relay; i++) {
		struct turnd_home *h = &t->homes[i];
		*h = (struct turnd_home){.t = t, .cfg = t->cfg.relay[i], .index = (uint8_t)i};
		if (h->cfg.advertised.sa.sa_family == 0)
			h->cfg.advertised = h->cfg.at;
		h->is_public = turn_policy_allows_stranger(t->policy, &h->cfg.advertised);
		t->n_homes = i + 1;
		turnd_ports_init(&h->udp_ports, index, n, t->cfg.relay_first, t->cfg.relay_last);
		turnd_ports_init(&h->tcp_ports, index, n, t->cfg.relay_first, t->cfg.relay_last);
		size_t count = MAX(turnd_ports_count(&h->udp_ports), 1U);
		h->by_port = xcalloc(count, sizeof(struct turn_relay *));
		list_init(&h->reserved);
		struct ev_io io = {.ready = on_mux_readable, .arg = h};
		int err = index == 0 ? check_address(h, eb) : 0;
		if (!err && t->cfg.multiplex_peer)
			err = turnd_mux_open(h, io, eb);
		if (err)
			return err;
	}
	return 0;
}

void turnd_relays_close(struct turnd *t)
{
	for (size_t i = 0; i < t->n_homes; i++) {
		struct turnd_home *h = &t->homes[i];
		turnd_mux_close(h);
		turnd_ports_free(&h->udp_ports);
		turnd_ports_free(&h->tcp_ports);
		xfree(h->by_port);
		while (!list_empty(&h->reserved))
			unreserve(list_first(&h->reserved, struct reserved, node));
	}
	t->n_homes = 0;
}

static struct turn_relay *relay_new(struct turnd_home *h, struct turn_alloc *alloc, bool is_tcp)
{
	struct turn_relay *r = XNEW(struct turn_relay);
	r->t = h->t;
	r->alloc = alloc;
	r->is_tcp = is_tcp;
	r->own =
		(struct turnd_relay_sock){.sock = {.fd = -1, .local = h->cfg.at}, .home = h->index};
	r->out = &r->own;
	r->mux_first = UINT32_MAX;
	return r;
}

static int start_own(struct turn_relay *r)
{
	struct ev_io io = {.ready = on_own_readable, .arg = r};
	return turnd_relay_sock_open(r->t, &r->own, io);
}

/* Takes the port, or finds that another program has it: -ERR_EXISTS. */
static int try_port(struct turnd_home *h, struct turn_relay *r, uint16_t port, bool is_lazy)
{
	struct turnd *t = h->t;
	addr_set_port(&r->own.sock.local, port);
	int err = r->is_tcp ? turnd_tcp_relay_open(t, r) : is_lazy ? 0 : start_own(r);
	if (err)
		return err;
	turnd_shared_mark(t->shared, r->is_tcp, h->index, port, true);
	if (!r->is_tcp)
		h->by_port[turnd_ports_index(&h->udp_ports, port)] = r;
	return 0;
}

static uint16_t take_port(struct turnd_ports *p, enum turn_port_want want)
{
	switch (want) {
	case TURN_PORT_EVEN:
		return turnd_ports_take_even(p);
	case TURN_PORT_EVEN_AND_NEXT:
		return turnd_ports_take_pair(p);
	default:
		return turnd_ports_take(p);
	}
}

static void untake(struct turnd_home *h, struct turn_relay *r)
{
	uint16_t port = addr_port(&r->own.sock.local);
	turnd_relay_sock_close(h->t, &r->own);
	turnd_shared_mark(h->t->shared, false, h->index, port, false);
	h->by_port[turnd_ports_index(&h->udp_ports, port)] = NULL;
}

/* Takes the port, which is not free any more, and its neighbour if that is wanted too; or gives them back. */
static int try_ports(struct turnd_home *h, struct turn_relay *r, enum turn_port_want want,
	uint16_t port, uint64_t *reservation)
{
	bool is_pair = want == TURN_PORT_EVEN_AND_NEXT;
	uint16_t next = (uint16_t)(port + 1), bad = port;
	int err = try_port(h, r, port, h->t->cfg.is_lazy);
	if (!err && is_pair) {
		bad = next;
		err = reserve(h, next);
		if (!err)
			*reservation = reservation_of(h, next);
		else
			untake(h, r);
	}
	if (!err)
		return 0;
	struct turnd_ports *p = r->is_tcp ? &h->tcp_ports : &h->udp_ports;
	if (is_pair)
		turnd_ports_give(p, bad == port ? next : port);
	if (err == -ERR_EXISTS && !r->is_tcp)
		shun(h, bad);
	else
		turnd_ports_give(p, bad);
	return err;
}

/* A port of this home, with a socket unless that comes later. */
static int take_any(struct turnd_home *h, struct turn_relay *r, enum turn_port_want want,
	uint64_t *reservation)
{
	struct turnd_ports *p = r->is_tcp ? &h->tcp_ports : &h->udp_ports;
	bool is_last_try = r->is_tcp;
	int err = -ERR_EXISTS;
	shun_no_longer(h);
	for (unsigned n = 0; err == -ERR_EXISTS && n < BIND_TRIES;) {
		uint16_t port = take_port(p, want);
		if (port != 0) {
			err = try_ports(h, r, want, port, reservation);
			n++;
			continue;
		}
		if (is_last_try)
			break;
		/* Better one that may be free again than none. */
		is_last_try = true;
		while (h->n_shunned)
			give_oldest(h);
	}
	return err == -ERR_EXISTS ? -ERR_NO_ROOM : err;
}

/* A reserved port of its home; NULL if it is none. */
static struct reserved *find_reserved(
	struct turnd *t, uint64_t reservation, struct turnd_home **home)
{
	uint64_t index = reservation >> 16 & 0xffff;
	if (reservation >> 32 != RESERVATION_MARK || index >= t->n_homes)
		return NULL;
	*home = &t->homes[index];
	return reserved_at(*home, (uint16_t)reservation);
}

void turnd_relay_unreserve(void *arg, uint64_t reservation)
{
	struct turnd_home *h;
	struct reserved *v = find_reserved(arg, reservation, &h);
	if (!v)
		return;
	unreserve(v);
	turnd_ports_give(&h->udp_ports, (uint16_t)reservation);
}

/* Whatever comes of it, the reservation is used up. The port had a socket, and has one from now on. */
static int open_reserved(struct turnd *t, struct turn_alloc *alloc, int family,
	uint64_t reservation, struct turn_relay **out)
{
	struct turnd_home *h;
	struct reserved *v = find_reserved(t, reservation, &h);
	if (!v || h->cfg.at.sa.sa_family != family) {
		turnd_relay_unreserve(t, reservation);
		return -ERR_NO_ROOM;
	}
	uint16_t port = v->port;
	struct turn_relay *r = relay_new(h, alloc, false);
	unreserve(v);
	if (try_port(h, r, port, false) != 0) {
		turnd_ports_give(&h->udp_ports, port);
		xfree(r);
		return -ERR_NO_ROOM;
	}
	*out = r;
	return 0;
}

static int open_at(struct turnd_home *h, struct turn_alloc *alloc, bool is_tcp,
	enum turn_port_want want, uint64_t *reservation, struct turn_relay **out)
{
	struct turn_relay *r = relay_new(h, alloc, is_tcp);
	int err;
	if (h->mux && !is_tcp) {
		/* All have the one port: no pair can be promised. */
		err = want == TURN_PORT_ANY ? 0 : -ERR_NO_ROOM;
		r->out = turnd_mux_sock(h->mux);
		r->own.sock.local = r->out->sock.local;
	} else {
		err = take_any(h, r, want, reservation);
	}
	if (err) {
		xfree(r);
		return err;
	}
	*out = r;
	return 0;
}

/* Which homes are tried first; see turnd_cfg.relay_as_asked. */
enum suits { SUITS_ASKED, SUITS_PUBLIC, SUITS_ANY };

static enum suits suits(const struct turnd_home *h, const struct addr *asked)
{
	if (!h->t->cfg.relay_as_asked || addr_ip_eq(&h->cfg.at, asked))
		return SUITS_ASKED;
	return h->is_public ? SUITS_PUBLIC : SUITS_ANY;
}

static int open_anywhere(struct turnd *t, struct turn_alloc *alloc, int family, bool is_tcp,
	enum turn_port_want want, uint64_t *reservation, struct turn_relay **out)
{
	struct turn_alloc_info info;
	turn_alloc_info(alloc, &info);
	const struct addr *asked = &t->listeners[info.flow.listener].cfg.at;
	int err = -ERR_UNSUPPORTED;
	for (int rank = SUITS_ASKED; rank <= SUITS_ANY && err; rank++) {
		for (size_t i = 0; i < t->n_homes && err; i++) {
			struct turnd_home *h = &t->homes[(t->next_home + i) % t->n_homes];
			if (h->cfg.at.sa.sa_family == family && suits(h, asked) == (enum suits)rank)
				err = open_at(h, alloc, is_tcp, want, reservation, out);
		}
	}
	t->next_home++;
	return err;
}

int turnd_relay_open(void *arg, struct turn_alloc *alloc, int family, bool is_tcp,
	enum turn_port_want want, uint64_t *reservation, struct addr *relayed,
	struct turn_relay **relay)
{
	struct turnd *t = arg;
	int err = want == TURN_PORT_RESERVED
			  ? open_reserved(t, alloc, family, *reservation, relay)
			  : open_anywhere(t, alloc, family, is_tcp, want, reservation, relay);
	if (err)
		return err;
	*relayed = t->homes[(*relay)->own.home].cfg.advertised;
	addr_set_port(relayed, addr_port(&(*relay)->own.sock.local));
	return 0;
}

int turnd_relay_start(void *arg, struct turn_relay *r)
{
	(void)arg;
	if (r->is_tcp || r->out->sock.fd != -1)
		return 0;
	int err = start_own(r);
	r->is_foreign |= err == -ERR_EXISTS;
	return err ? -ERR_NO_ROOM : 0;
}

void turnd_relay_close(void *arg, struct turn_relay *r)
{
	struct turnd *t = arg;
	struct turnd_home *h = &t->homes[r->own.home];
	uint16_t port = addr_port(&r->own.sock.local);
	if (r->is_tcp) {
		turnd_tcp_relay_close(t, r);
		turnd_shared_mark(t->shared, true, h->index, port, false);
		turnd_ports_give(&h->tcp_ports, port);
	} else if (r->out->is_mux) {
		turnd_mux_release(h->mux, r);
	} else {
		bool is_foreign = r->is_foreign && r->own.sock.fd == -1;
		untake(h, r);
		if (is_foreign)
			shun(h, port);
		else
			turnd_ports_give(&h->udp_ports, port);
	}
	xfree(r);
}

/* --------------------------------------------------------------------- data path */

void turnd_relay_send(void *arg, struct turn_relay *r, const struct addr *peer,
	struct slice payload, bool df)
{
	struct turnd *t = arg;
	struct turnd_relay_sock *rs = r->out;
	if (UNLIKELY(rs->sock.fd == -1)) {
		metric_drop(DROP_TURN_NO_RELAY);
		return;
	}
	if (UNLIKELY(df != rs->is_df) && !set_df(t, rs, df)) {
		metric_drop(DROP_TURN_DF);
		return;
	}
	if (rs->is_mux && !turnd_mux_claim(t->homes[rs->home].mux, r, peer)) {
		metric_drop(DROP_TURN_PEER_TAKEN);
		return;
	}
	if (UNLIKELY(df))
		rs->df_to = *peer;
	uint8_t *p = udp_tx_add(t->relay_tx, &rs->sock, peer, payload.n);
	if (UNLIKELY(!p)) {
		turnd_flush_relays(t);
		p = udp_tx_add(t->relay_tx, &rs->sock, peer, payload.n);
	}
	if (p)
		memcpy(p, payload.p, payload.n);
	else
		metric_drop(DROP_TURN_TOO_LARGE);
}

static struct turn_relay *relay_at(struct turnd_home *h, uint16_t port)
{
	uint32_t index = turnd_ports_index(&h->udp_ports, port);
	return index == UINT32_MAX ? NULL : h->by_port[index];
}

struct turnd_relay_sock *turnd_relay_sock_at(struct turnd *t, unsigned home, uint16_t port)
{
	struct turnd_home *h = &t->homes[home];
	if (h->mux && addr_port(&turnd_mux_sock(h->mux)->sock.local) == port)
		return turnd_mux_sock(h->mux);
	struct turn_relay *r = relay_at(h, port);
	return r ? &r->own : NULL;
}

void turnd_relay_rx(struct turnd *t, unsigned home, uint16_t port, const struct addr *from,
	const uint8_t *p, size_t n)
{
	struct turnd_home *h = &t->homes[home];
	struct turn_relay *r = h->mux ? turnd_mux_find(h->mux, from) : relay_at(h, port);
	/* Before its first permission a relayed address takes nothing. */
	if (r && r->out->sock.fd != -1)
		turn_rx_peer(t->server, r->alloc, r, from, p, n, t->worker->now_us);
	else
		metric_drop(DROP_TURN_NO_RELAY);
}
