/*
 * town: workers with a TURN server (and an SFU if wanted) that a test moves turn by turn in one thread, and clients
 * with sockets of their own. Everything is on 127.0.0.1; nobody needs credentials.
 */
#pragma once
#include "cm.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/metric.h"
#include "turnd/turnd_internal.h"

enum { TOWN_WORKERS = 4, TOWN_PATIENCE_MS = 2000, TOWN_CLIENTS = 64, TOWN_CHANNEL = 0x4001 };

struct house {
	struct worker w;
	struct rtc *rtc;
	struct turnd *t;
	struct turn_auth *auth;
};

struct town {
	unsigned n;
	struct house at[TOWN_WORKERS];
	struct turnd_shared *shared;
	struct turn_policy *policy;
	struct turn_quota *quota;
	struct addr server;
};

struct town_cfg {
	unsigned workers;
	uint16_t relay_first, relay_last;
	bool is_eager, is_multiplexed;
	const char *external;
	const char *relay; /* NULL = 127.0.0.1 */
	const char *more_relays[2];
	bool relay_as_asked;
	const struct dtls_identity *sfu; /* NULL = no SFU */
	const char *sfu_known_as;
};

static inline struct addr town_addr(const char *ip, uint16_t port)
{
	struct addr a;
	assert_int_equal(addr_parse_ip(&a, slice_str(ip), port), 0);
	return a;
}

static inline const struct worker_ops *town_ops(void)
{
	static const struct worker_ops ops;
	return &ops;
}

static inline void town_open_house(
	struct town *town, unsigned i, const struct town_cfg *tc, struct turnd_cfg *cfg)
{
	struct house *h = &town->at[i];
	struct errbuf eb = {""};
	static const struct turn_auth_ops no_lookup = {0};
	const struct turn_auth_cfg auth = {.realm = "town",
		.participant_realm = "town",
		.no_auth = true,
		.rest_separator = ':',
		.oauth_server_name = "",
		.cache_users = 16};
	assert_int_equal(worker_init(&h->w, i, town_ops(), NULL, 64), 0);
	assert_int_equal(turn_auth_new(&h->auth, &auth, &no_lookup, NULL, &eb), 0);
	if (tc->sfu) {
		struct ice_local local = {.base = town_addr("127.0.0.1", 0)};
		if (tc->sfu_known_as) {
			local.advertised[0] = town_addr(tc->sfu_known_as, 0);
			local.n_advertised = 1;
		}
		const struct rtc_cfg rtc = {.locals = &local,
			.n_locals = 1,
			.tx_queue_packets = 64,
			.sctp_send_bytes = 64 * 1024,
			.identity = tc->sfu};
		assert_int_equal(rtc_new(&h->rtc, &h->w, &rtc, &eb), 0);
	}
	if (turnd_new(&h->t, &h->w, h->rtc, town->shared, cfg, h->auth, town->policy, town->quota,
		    &eb) != 0)
		fail_msg("%s", eb.text);
	town->server = h->t->listeners[0].server;
}

static inline void town_open(struct town *town, const struct town_cfg *tc)
{
	*town = (struct town){.n = tc->workers};
	struct turnd_listen listen = {.at = town_addr("127.0.0.1", 0), .udp = true};
	struct turnd_relay_addr relay[3] = {{.at = town_addr(tc->relay ? tc->relay : "127.0.0.1", 0)}};
	size_t n_relay = 1;
	while (n_relay < ARRAY_LEN(relay) && tc->more_relays[n_relay - 1]) {
		relay[n_relay].at = town_addr(tc->more_relays[n_relay - 1], 0);
		n_relay++;
	}
	if (tc->external)
		relay[n_relay - 1].advertised = town_addr(tc->external, 0);
	struct turnd_cfg cfg = {.listen = &listen,
		.n_listen = 1,
		.relay = relay,
		.n_relay = n_relay,
		.relay_as_asked = tc->relay_as_asked,
		.relay_first = tc->relay_first,
		.relay_last = tc->relay_last,
		.cert_file = "",
		.key_file = "",
		.key_password = "",
		.tls_ciphers = "",
		.multiplex_peer = tc->is_multiplexed,
		.is_lazy = !tc->is_eager,
		.turn = {.software = "",
			.lifetime_default_us = 600ULL * US_PER_S,
			.lifetime_max_us = 3600ULL * US_PER_S,
			.permission_us = 300ULL * US_PER_S,
			.channel_us = 600ULL * US_PER_S,
			.alternate_server = ""}};
	const struct turn_policy_cfg policy = {.allow_loopback = !tc->relay_as_asked,
		.allow_private = true,
		.allow = &tc->sfu_known_as,
		.n_allow = tc->sfu_known_as != NULL,
		.own_relay = &relay[n_relay - 1].advertised,
		.n_own_relay = tc->external != NULL,
		.relay_first = tc->relay_first,
		.relay_last = tc->relay_last};
	const struct turn_quota_cfg quota = {.slots = 16};
	struct errbuf eb = {""};
	assert_int_equal(turn_policy_new(&town->policy, &policy, &eb), 0);
	town->quota = turn_quota_new(&quota);
	town->shared = turnd_shared_new(tc->workers);
	for (unsigned i = 0; i < tc->workers; i++) {
		town_open_house(town, i, tc, &cfg);
		listen.at = town->server; /* the port that the first one got */
	}
}

static inline void town_close(struct town *town)
{
	for (unsigned i = 0; i < town->n; i++) {
		struct house *h = &town->at[i];
		turnd_free(h->t);
		rtc_free(h->rtc);
		turn_auth_free(h->auth);
		assert_int_equal(h->w.wheel.armed, 0);
		worker_close(&h->w);
	}
	turnd_shared_free(town->shared);
	turn_quota_free(town->quota);
	turn_policy_free(town->policy);
}

/* A turn of each worker, as worker_run has it. */
static inline void town_turn(struct town *town)
{
	for (unsigned i = 0; i < town->n; i++) {
		struct house *h = &town->at[i];
		ev_wait(&h->w.ev, 0);
		h->w.now_us = clock_mono_us();
		pktbox_drain(&h->w.packets, &h->w.packet_taker, 1024);
		ev_dispatch(&h->w.ev);
		wheel_run(&h->w.wheel, h->w.now_us);
		turnd_end_turn(h->t);
		if (h->rtc)
			rtc_end_turn(h->rtc);
	}
}

/* Enough for everything in flight to arrive: a ring takes a turn more. */
static inline void town_settle(struct town *town)
{
	for (int i = 0; i < 6; i++)
		town_turn(town);
}

/* A socket on 127.0.0.1. */
static inline int town_socket(struct addr *at)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	socklen_t n = sizeof *at;
	*at = town_addr("127.0.0.1", 0);
	assert_int_equal(bind(fd, &at->sa, addr_len(at)), 0);
	assert_int_equal(getsockname(fd, &at->sa, &n), 0);
	return fd;
}

static inline void town_send(int fd, const struct addr *to, const void *p, size_t n)
{
	assert_int_equal(sendto(fd, p, n, 0, &to->sa, addr_len(to)), n);
}

/* Turns until something came to fd. Returns its length; 0: nothing came. */
static inline size_t town_receive(
	struct town *town, int fd, uint8_t *out, size_t cap, struct addr *from)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN};
	for (int ms = 0; ms < TOWN_PATIENCE_MS; ms++) {
		town_turn(town);
		if (poll(&pfd, 1, 1) != 1)
			continue;
		struct addr a;
		socklen_t len = sizeof a;
		ssize_t n = recvfrom(fd, out, cap, 0, &a.sa, &len);
		if (n < 0)
			continue;
		if (from)
			*from = a;
		return (size_t)n;
	}
	return 0;
}

static inline bool town_is_silent(struct town *town, int fd)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN};
	town_settle(town);
	return poll(&pfd, 1, 0) == 0;
}

/* ----------------------------------------------------------------- clients */

struct client {
	struct town *town;
	int fd;
	struct addr at, relayed;
	uint8_t in[2048];
	struct stun_msg m; /* the last answer */
	uint8_t tid;
	struct stun_writer w;
	uint8_t out[1024];
};

static inline void client_open(struct client *c, struct town *town)
{
	*c = (struct client){.town = town};
	c->fd = town_socket(&c->at);
}

static inline void client_close(struct client *c)
{
	close(c->fd);
}

static inline void client_begin(struct client *c, enum stun_method method)
{
	uint8_t tid[STUN_TID_LEN] = {++c->tid};
	stun_begin(&c->w, c->out, sizeof c->out, method,
		method == STUN_SEND ? STUN_INDICATION : STUN_REQUEST, tid);
}

static inline void client_send(struct client *c)
{
	struct slice out;
	assert_int_equal(stun_seal(&c->w, NULL, &out), 0);
	town_send(c->fd, &c->town->server, out.p, out.n);
}

/* Sends the request and waits; 0, or the error code of the answer. */
static inline unsigned client_ask(struct client *c)
{
	client_send(c);
	size_t n = town_receive(c->town, c->fd, c->in, sizeof c->in, NULL);
	assert_true(n > 0);
	assert_int_equal(stun_parse(&c->m, slice_of(c->in, n)), 0);
	assert_int_equal(c->m.tid[0], c->tid);
	return c->m.class == STUN_SUCCESS ? 0 : c->m.error_code;
}

enum { CLIENT_UDP = 17 << 24 };

static inline unsigned client_allocate(struct client *c)
{
	client_begin(c, STUN_ALLOCATE);
	stun_put_u32(&c->w, STUN_ATTR_REQUESTED_TRANSPORT, CLIENT_UDP);
	unsigned code = client_ask(c);
	if (!code)
		assert_true(stun_addr(&c->m, STUN_ATTR_XOR_RELAYED_ADDRESS, &c->relayed));
	return code;
}

static inline unsigned client_bind(struct client *c, uint16_t channel, const struct addr *peer)
{
	client_begin(c, STUN_CHANNEL_BIND);
	stun_put_number(&c->w, STUN_ATTR_CHANNEL_NUMBER, channel);
	stun_put_xor_addr(&c->w, STUN_ATTR_XOR_PEER_ADDRESS, peer);
	return client_ask(c);
}

static inline unsigned client_permit(struct client *c, const struct addr *peer)
{
	client_begin(c, STUN_CREATE_PERMISSION);
	stun_put_xor_addr(&c->w, STUN_ATTR_XOR_PEER_ADDRESS, peer);
	return client_ask(c);
}

static inline unsigned client_delete(struct client *c)
{
	client_begin(c, STUN_REFRESH);
	stun_put_u32(&c->w, STUN_ATTR_LIFETIME, 0);
	return client_ask(c);
}

static inline void client_say(struct client *c, uint16_t channel, const void *p, size_t n)
{
	uint8_t out[2048];
	wr16(out, channel);
	wr16(out + 2, (uint16_t)n);
	memcpy(out + 4, p, n);
	town_send(c->fd, &c->town->server, out, 4 + n);
}

/* The next that comes is this on this channel. */
static inline void client_hears(struct client *c, uint16_t channel, const void *p, size_t n)
{
	size_t got = town_receive(c->town, c->fd, c->in, sizeof c->in, NULL);
	assert_int_equal(got, n + 4);
	assert_int_equal(rd16(c->in), channel);
	assert_int_equal(rd16(c->in + 2), n);
	assert_memory_equal(c->in + 4, p, n);
}

/* A client whose allocation is on this worker: the kernel decides, so as many sockets as it takes. */
static inline void client_settle(struct client *c, struct town *town, unsigned worker)
{
	for (int i = 0; i < TOWN_CLIENTS; i++) {
		client_open(c, town);
		assert_int_equal(client_allocate(c), 0);
		if (turnd_ports_owner(addr_port(&c->relayed), town->n) == worker)
			return;
		assert_int_equal(client_delete(c), 0);
		client_close(c);
	}
	fail_msg("no client came to worker %u", worker);
}
