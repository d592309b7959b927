#include "peer.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/rng.h"
#include "ice/ice.h"
#include "sctp/sctp.h"

enum { UFRAG_LEN = 8, PWD_LEN = 24 };

struct peer {
	struct udp_sock sock;
	struct udp_rx *rx;
	struct ice *ice;
	struct dtls *dtls;
	struct srtp *srtp;
	struct sctp *sctp;
	bool is_dtls_server, with_sctp, dtls_started, sctp_is_up;
	char ufrag[UFRAG_LEN + 1], pwd[PWD_LEN + 1];
	uint64_t now_us;
};

static void on_ice_send(void *arg, unsigned local, const struct addr *to, struct slice datagram)
{
	struct peer *p = arg;
	(void)local;
	(void)!sendto(p->sock.fd, datagram.p, datagram.n, 0, &to->sa, addr_len(to));
}

static void on_ice_state(void *arg, enum ice_state state)
{
	(void)arg;
	(void)state;
}

static void on_ice_selected(void *arg, unsigned local, const struct addr *remote)
{
	(void)arg;
	(void)local;
	(void)remote;
}

static const struct ice_ops ice_ops = {on_ice_send, on_ice_state, on_ice_selected};

const struct addr *peer_remote(const struct peer *p)
{
	unsigned local;
	const struct addr *remote;
	return ice_selected(p->ice, &local, &remote) ? remote : NULL;
}

static void on_dtls_send(void *arg, struct slice datagram)
{
	struct peer *p = arg;
	const struct addr *to = peer_remote(p);
	if (to)
		(void)!sendto(p->sock.fd, datagram.p, datagram.n, 0, &to->sa, addr_len(to));
}

static void on_sctp_send(void *arg, struct slice packet)
{
	struct peer *p = arg;
	(void)!dtls_send(p->dtls, packet);
}

/* The queue is looked at with each poll anyway. */
static void on_sctp_wake(void *arg)
{
	(void)arg;
}

static void on_sctp_connected(void *arg)
{
	static const char *const labels[] = {"_reliable", "_lossy", "_data_track"};
	struct peer *p = arg;
	p->sctp_is_up = true;
	for (size_t i = 0; i < ARRAY_LEN(labels); i++) {
		struct sctp_channel_info info = {
			.is_ordered = i == 0,
			.max_retransmits = i == 0 ? -1 : 0,
			.max_lifetime_ms = -1,
			.label = slice_str(labels[i]),
		};
		(void)!sctp_open_channel(p->sctp, &info);
	}
}

static void on_channel_open(void *arg, const struct sctp_channel_info *info)
{
	(void)arg;
	(void)info;
}

static void on_message(void *arg, uint16_t id, bool is_text, struct slice data)
{
	(void)arg;
	(void)id;
	(void)is_text;
	(void)data;
}

static void on_channel_closed(void *arg, uint16_t id)
{
	(void)arg;
	(void)id;
}

static void on_sctp_closed(void *arg, int err)
{
	(void)arg;
	fprintf(stderr, "peer: SCTP ended: %s\n", err_text(err));
}

static const struct sctp_ops sctp_ops = {
	.send = on_sctp_send,
	.wake = on_sctp_wake,
	.connected = on_sctp_connected,
	.channel_open = on_channel_open,
	.message = on_message,
	.channel_closed = on_channel_closed,
	.closed = on_sctp_closed,
};

static void on_dtls_connected(void *arg, enum dtls_profile profile, struct slice keys)
{
	struct peer *p = arg;
	p->srtp = srtp_new((enum srtp_profile)profile, keys, p->is_dtls_server);
	if (!p->with_sctp)
		return;
	struct sctp_cfg cfg = {.is_dtls_server = p->is_dtls_server};
	p->sctp = sctp_new(&cfg, &sctp_ops, p);
	if (!p->sctp || sctp_start(p->sctp) != 0)
		abort();
}

static void on_dtls_data(void *arg, struct slice data)
{
	struct peer *p = arg;
	if (p->sctp)
		(void)!sctp_rx(p->sctp, data);
}

static void on_dtls_failed(void *arg, int err)
{
	(void)arg;
	fprintf(stderr, "peer: DTLS failed: %s\n", err_text(err));
}

static void on_dtls_closed(void *arg)
{
	(void)arg;
}

static const struct dtls_ops dtls_ops = {
	on_dtls_send, on_dtls_connected, on_dtls_data, on_dtls_failed, on_dtls_closed};

struct peer *peer_new(const struct peer_cfg *cfg)
{
	static const struct udp_opts opts = {.rcvbuf_bytes = 64 * 1024};
	struct peer *p = XNEW(struct peer);
	struct ice_local local = {0};
	struct errbuf eb;
	if (addr_parse_ip(&local.base, slice_str("127.0.0.1"), 0) != 0 ||
		udp_open(&p->sock, &local.base, &opts, &eb) != 0) {
		fprintf(stderr, "peer: no socket\n");
		abort();
	}
	p->rx = cfg->rx;
	p->is_dtls_server = cfg->is_dtls_server;
	p->with_sctp = cfg->with_sctp;
	rng_ice_chars(p->ufrag, UFRAG_LEN);
	rng_ice_chars(p->pwd, PWD_LEN);

	local.base = p->sock.local;
	struct ice_cfg ice;
	ice_cfg_default(&ice);
	ice.ufrag = p->ufrag;
	ice.pwd = p->pwd;
	ice.is_controlling = true;
	ice.tie_breaker = rng_u64();
	ice.locals = &local;
	ice.n_locals = 1;
	struct dtls_cfg dtls = {.is_server = cfg->is_dtls_server, .require_srtp = true};
	p->dtls = dtls_new(cfg->dtls, &dtls, &dtls_ops, p);
	if (ice_new(&p->ice, &ice, &ice_ops, p) != 0 || !p->dtls)
		abort();
	return p;
}

void peer_free(struct peer *p)
{
	if (!p)
		return;
	sctp_free(p->sctp);
	dtls_free(p->dtls);
	srtp_free(p->srtp);
	ice_free(p->ice);
	udp_close(&p->sock);
	xfree(p);
}

const char *peer_ufrag(const struct peer *p)
{
	return p->ufrag;
}

const char *peer_pwd(const struct peer *p)
{
	return p->pwd;
}

void peer_set_remote(struct peer *p, struct slice ufrag, struct slice pwd, struct slice fingerprint,
	uint64_t now_us)
{
	if (ice_set_remote(p->ice, ufrag, pwd, now_us) != 0 ||
		dtls_set_remote_fingerprint(p->dtls, slice_str("sha-256"), fingerprint) != 0)
		abort();
}

void peer_add_candidate(struct peer *p, struct slice line, uint64_t now_us)
{
	(void)!ice_add_remote_candidate(p->ice, line, now_us);
}

static void take(void *arg, struct udp_dgram *d)
{
	struct peer *p = arg;
	struct slice datagram = slice_of(d->p, d->n);
	struct stun_msg m;
	uint8_t first = d->n ? d->p[0] : 255;
	if (first <= 3 && stun_parse(&m, datagram) == 0)
		(void)!ice_rx(p->ice, 0, d->from, &m, p->now_us);
	else if (first >= 20 && first <= 63)
		(void)!dtls_rx(p->dtls, datagram, p->now_us);
}

void peer_poll(struct peer *p, uint64_t now_us)
{
	p->now_us = now_us;
	while (udp_rx_batch(p->rx, &p->sock, take, p))
		continue;
	if (ice_next_us(p->ice) <= now_us)
		ice_timeout(p->ice, now_us);
	if (!p->dtls_started && ice_state(p->ice) == ICE_CONNECTED) {
		p->dtls_started = true;
		dtls_start(p->dtls, now_us);
	}
	if (p->dtls_started && dtls_next_us(p->dtls) <= now_us)
		dtls_timeout(p->dtls, now_us);
	if (p->sctp)
		sctp_deliver(p->sctp);
}

bool peer_is_ready(const struct peer *p)
{
	return p->srtp && ice_state(p->ice) == ICE_CONNECTED && (p->sctp_is_up || !p->with_sctp);
}

struct srtp *peer_srtp(struct peer *p)
{
	return p->srtp;
}

struct udp_sock *peer_sock(struct peer *p)
{
	return &p->sock;
}
