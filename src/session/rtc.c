#include "session/rtc.h"

#include <string.h>
#include <sys/epoll.h>

#include "base/hot.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"
#include "session/session_internal.h"

enum {
	SOCKET_BUFFER = 4 << 20,
	TX_ARENA = 512 * 1024,   /* stays in the second-level cache */
	RX_BATCHES_PER_TURN = 16, /* then timers and messages get their turn */
	TX_QUEUE_MIN = 64,
};

size_t session_tuple_key(unsigned local, const struct addr *from, uint8_t out[TUPLE_KEY_CAP])
{
	out[0] = (uint8_t)local;
	return 1 + addr_key(from, out + 1);
}

static struct session *find_by_tuple(struct rtc_local *l, const struct addr *from)
{
	if (l->last_session && addr_eq(&l->last_from, from))
		return l->last_session;
	uint8_t key[TUPLE_KEY_CAP];
	size_t n = session_tuple_key(l->index, from, key);
	struct session *s = map_get(&l->rtc->by_tuple, slice_of(key, n));
	if (s) {
		l->last_session = s;
		l->last_from = *from;
	}
	return s;
}

/* A check names the agent it is for; anything else is from where we sent a check to. */
static struct session *find_for_stun(
	struct rtc_local *l, const struct addr *from, const struct stun_msg *m)
{
	struct slice local, remote;
	if (m->class == STUN_REQUEST)
		return stun_username_split(m->username, &local, &remote) == 0 ?
			       map_get(&l->rtc->by_ufrag, local) :
			       NULL;
	struct session *s = find_by_tuple(l, from);
	if (s)
		return s;
	uint8_t key[TUPLE_KEY_CAP];
	return map_get(&l->rtc->by_probe, slice_of(key, session_tuple_key(l->index, from, key)));
}

static void rx_stun(struct rtc_local *l, const struct udp_dgram *d)
{
	struct stun_msg m;
	if (stun_parse(&m, slice_of(d->p, d->n)) != 0) {
		metric_drop(DROP_STUN_MALFORMED);
		return;
	}
	struct session *s = find_for_stun(l, d->from, &m);
	if (s)
		session_rx_stun(s, l->index, d->from, &m);
	else
		metric_drop(DROP_UNKNOWN_TUPLE);
}

/* One datagram, told apart by its first byte (RFC 7983 §7). */
static void demux_rx(void *arg, struct udp_dgram *d)
{
	struct rtc_local *l = arg;
	uint8_t first = d->n ? d->p[0] : 255;
	if (LIKELY(first >= 128 && first <= 191)) {
		struct session *s = find_by_tuple(l, d->from);
		if (s)
			session_rx_srtp(s, d->p, d->n);
		else
			metric_drop(DROP_UNKNOWN_TUPLE);
		return;
	}
	bool was_hot = hot_pause();
	if (first <= 3) {
		rx_stun(l, d);
	} else if (first >= 20 && first <= 63) {
		struct session *s = find_by_tuple(l, d->from);
		if (s)
			session_rx_dtls(s, slice_of(d->p, d->n));
		else
			metric_drop(DROP_UNKNOWN_TUPLE);
	} else {
		metric_drop(DROP_NOT_RTC);
	}
	hot_resume(was_hot);
}

static void on_readable(void *arg, uint32_t events)
{
	struct rtc_local *l = arg;
	(void)events;
	bool more = true;
	for (int i = 0; i < RX_BATCHES_PER_TURN && more; i++) {
		hot_enter();
		more = udp_rx_batch(l->rtc->rx, &l->sock, demux_rx, l);
		rtc_flush(l->rtc); /* queued payloads point into the receive buffers */
		hot_leave();
	}
}

static int open_local(struct rtc *rtc, unsigned i, struct errbuf *eb)
{
	static const struct udp_opts opts = {
		.rcvbuf_bytes = SOCKET_BUFFER, .sndbuf_bytes = SOCKET_BUFFER};
	struct rtc_local *l = &rtc->locals[i];
	*l = (struct rtc_local){.rtc = rtc, .index = i, .sock.fd = -1};
	int err = udp_open(&l->sock, &rtc->cfg.locals[i].base, &opts, eb);
	if (err)
		return err;
	rtc->n_locals = i + 1;
	rtc->ice_locals[i] = rtc->cfg.locals[i];
	rtc->ice_locals[i].base = l->sock.local;
	l->io = (struct ev_io){.fd = l->sock.fd, .ready = on_readable, .arg = l};
	return ev_add(&rtc->worker->ev, &l->io, EPOLLIN);
}

int rtc_new(struct rtc **out, struct worker *w, const struct rtc_cfg *cfg, struct errbuf *eb)
{
	struct rtc *rtc = XNEW(struct rtc);
	rtc->worker = w;
	rtc->cfg = *cfg;
	list_init(&rtc->sessions);
	list_init(&rtc->dead);
	list_init(&rtc->dirty);
	map_init(&rtc->by_tuple);
	map_init(&rtc->by_probe);
	map_init(&rtc->by_ufrag);
	map_init(&rtc->by_id);
	rtc->rx = udp_rx_new(UDP_RX_BATCH, &udp_rtc_in);
	rtc->tx = udp_tx_new(TX_ARENA, &udp_rtc_out);
	rtc->queue_cap = MAX(cfg->tx_queue_packets, (unsigned)TX_QUEUE_MIN);
	rtc->queue = xcalloc(rtc->queue_cap, sizeof *rtc->queue);

	int err = dtls_ctx_new(&rtc->dtls, cfg->identity, cfg->srtp_profiles, cfg->n_srtp_profiles);
	if (err)
		err = err_set(eb, ERR_CRYPTO, "cannot set up DTLS: OpenSSL refused the certificate or the profiles");
	for (unsigned i = 0; !err && i < MIN(cfg->n_locals, (size_t)ICE_LOCALS_MAX); i++)
		err = open_local(rtc, i, eb);
	rtc->cfg.locals = rtc->ice_locals;
	if (err) {
		rtc_free(rtc);
		return err;
	}
	*out = rtc;
	return 0;
}

static void bury(struct rtc *rtc)
{
	while (!list_empty(&rtc->dead))
		session_destroy(list_first(&rtc->dead, struct session, node));
}

void rtc_free(struct rtc *rtc)
{
	if (!rtc)
		return;
	while (!list_empty(&rtc->sessions))
		session_close(list_first(&rtc->sessions, struct session, node));
	rtc_flush(rtc);
	bury(rtc);
	for (size_t i = 0; i < rtc->n_locals; i++) {
		ev_del(&rtc->worker->ev, &rtc->locals[i].io);
		udp_close(&rtc->locals[i].sock);
	}
	dtls_ctx_free(rtc->dtls);
	map_free(&rtc->by_tuple);
	map_free(&rtc->by_probe);
	map_free(&rtc->by_ufrag);
	map_free(&rtc->by_id);
	udp_rx_free(rtc->rx);
	udp_tx_free(rtc->tx);
	xfree(rtc->queue);
	xfree(rtc);
}

void rtc_flush(struct rtc *rtc)
{
	while (!list_empty(&rtc->dirty)) {
		struct session *s = list_first(&rtc->dirty, struct session, dirty);
		list_del(&s->dirty);
		session_flush(s);
	}
	rtc->queue_n = 0;
	udp_tx_flush(rtc->tx);
}

void rtc_end_turn(struct rtc *rtc)
{
	rtc_flush(rtc);
	bury(rtc);
}

void rtc_set_sink(struct rtc *rtc, udp_tx_sink sink, void *arg)
{
	udp_tx_set_sink(rtc->tx, sink, arg);
}

size_t rtc_locals(const struct rtc *rtc, const struct ice_local **out)
{
	*out = rtc->ice_locals;
	return rtc->n_locals;
}

void rtc_rx_hairpin(
	struct rtc *rtc, unsigned local, const struct addr *from, uint8_t *p, size_t n)
{
	struct udp_dgram d = {p, n, from};
	if (local < rtc->n_locals)
		demux_rx(&rtc->locals[local], &d);
}

static bool divert(void *arg, struct udp_sock *s, const struct addr *to, uint8_t *p, size_t n,
	size_t seg)
{
	struct rtc *rtc = arg;
	unsigned local = CONTAINER_OF(s, struct rtc_local, sock)->index;
	return rtc->divert(rtc->divert_arg, local, to, p, n, seg);
}

void rtc_set_divert(struct rtc *rtc, rtc_divert fn, void *arg)
{
	rtc->divert = fn;
	rtc->divert_arg = arg;
	udp_tx_set_divert(rtc->tx, fn ? divert : NULL, rtc);
}

size_t rtc_session_count(const struct rtc *rtc)
{
	return rtc->n_sessions;
}
