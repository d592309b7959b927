#include <string.h>
#include <sys/epoll.h>

#include "base/hot.h"
#include "base/metric.h"
#include "turnd/turnd_internal.h"

enum { RX_BATCHES_PER_TURN = 8 }; /* then relay sockets, timers and messages get their turn */

/* Told apart by its first byte (RFC 7983 §7, RFC 8656 §12). */
void turnd_udp_rx(struct turnd_listener *l, struct udp_dgram *d)
{
	struct turnd *t = l->t;
	uint8_t first = d->n ? d->p[0] : 255;
	if (LIKELY(first >= TURN_CHANNEL_FIRST >> 8 && first <= TURN_CHANNEL_LAST >> 8)) {
		l->flow.client = *d->from;
		turn_rx_channel(t->server, &l->flow, d->p, d->n, t->worker->now_us);
	} else if (first <= 3 && l->cfg.udp) {
		l->flow.client = *d->from;
		turn_rx_stun(t->server, &l->flow, d->p, d->n, t->worker->now_us);
	} else if (first >= 20 && first <= 63 && l->cfg.dtls) {
		bool was_hot = hot_pause();
		turnd_dtls_rx(t, l, d);
		hot_resume(was_hot);
	} else {
		metric_drop(DROP_TURN_NOT_TURN);
	}
}

static void rx_client(void *arg, struct udp_dgram *d)
{
	struct turnd_listener *l = arg;
	if (LIKELY(l->t->steered.n == 0) || !turnd_steer_rx(l, d))
		turnd_udp_rx(l, d);
}

static void on_readable(void *arg, uint32_t events)
{
	struct turnd_listener *l = arg;
	(void)events;
	hot_enter();
	for (int i = 0; i < RX_BATCHES_PER_TURN; i++)
		if (!udp_rx_batch(l->t->rx, &l->sock, rx_client, l))
			break;
	hot_leave();
}

/* With SO_REUSEPORT another server's socket on the same port would go unnoticed, and take a share of the packets. */
static int check_unused(const struct turnd_listener *l, struct errbuf *eb)
{
	struct udp_sock probe;
	static const struct udp_opts opts = {0};
	int err = udp_open(&probe, &l->cfg.at, &opts, eb);
	if (!err)
		udp_close(&probe);
	return err;
}

int turnd_udp_open(struct turnd *t, struct turnd_listener *l, struct errbuf *eb)
{
	if (t->worker->index == 0) {
		int err = check_unused(l, eb);
		if (err)
			return err;
	}
	struct udp_opts opts = {
		.rcvbuf_bytes = (int)MIN(t->cfg.socket_buffer_bytes, (uint32_t)INT32_MAX),
		.reuse_port = true};
	opts.sndbuf_bytes = opts.rcvbuf_bytes;
	int err = udp_open(&l->sock, &l->cfg.at, &opts, eb);
	if (err)
		return err;
	if (addr_port(&l->server) == 0)
		addr_set_port(&l->server, addr_port(&l->sock.local));
	l->flow.server = l->server;
	l->io = (struct ev_io){.fd = l->sock.fd, .ready = on_readable, .arg = l};
	return ev_add(&t->worker->ev, &l->io, EPOLLIN);
}

void turnd_udp_close(struct turnd *t, struct turnd_listener *l)
{
	if (l->sock.fd == -1)
		return;
	ev_del(&t->worker->ev, &l->io);
	udp_close(&l->sock);
}

uint8_t *turnd_udp_place(
	struct turnd *t, struct turnd_listener *l, const struct addr *client, size_t n)
{
	uint8_t *p = udp_tx_add(t->client_tx, &l->sock, client, n);
	if (LIKELY(p != NULL))
		return p;
	udp_tx_flush(t->client_tx);
	p = udp_tx_add(t->client_tx, &l->sock, client, n);
	if (!p)
		metric_drop(DROP_TURN_TOO_LARGE);
	return p;
}

struct turnd_listener *turnd_listener_at(struct turnd *t, const struct addr *server)
{
	for (size_t i = 0; i < t->n_listeners; i++) {
		struct turnd_listener *l = &t->listeners[i];
		if (l->sock.fd != -1 && addr_eq(&l->server, server))
			return l;
	}
	return NULL;
}

void turnd_flush_relays(struct turnd *t)
{
	udp_tx_flush(t->relay_tx);
	if (!t->rtc_is_fed)
		return;
	t->rtc_is_fed = false;
	rtc_flush(t->rtc); /* its payloads point into the arena of relay_tx */
}
