/*
 * world: a TURN server on loopback whose worker is turned by hand, with a clock of the test's choice. Its clients are
 * sockets of the same thread. Nobody needs a password.
 */
#pragma once
#include "../cm.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"
#include "stun/stun.h"
#include "turnd/stream.h"

enum { SECOND_US = 1000 * 1000, IDLE_S = 30, TURNS = 400, CLIENT_CAP = 1 << 20 };

struct world {
	struct worker worker;
	struct turn_auth *auth;
	struct turn_policy *policy;
	struct turn_quota *quota;
	struct turnd_shared *shared;
	struct turnd *t;
	struct addr at; /* of the TCP listener */
	struct world *other; /* a second worker of the same process, turned with this one */
};

static inline struct addr loopback(uint16_t port)
{
	struct addr a;
	assert_int_equal(addr_parse_ip(&a, slice_str("127.0.0.1"), port), 0);
	return a;
}

static inline void turn_once(struct world *w)
{
	ev_wait(&w->worker.ev, 0);
	pktbox_drain(&w->worker.packets, &w->worker.packet_taker, 1024);
	ev_dispatch(&w->worker.ev);
	wheel_run(&w->worker.wheel, w->worker.now_us);
	mbox_drain(&w->worker.mbox, &w->worker, 256);
	turnd_end_turn(w->t);
	if (w->other)
		turn_once(w->other);
}

static inline void advance(struct world *w, uint64_t us)
{
	w->worker.now_us += us;
	turn_once(w);
	turn_once(w);
}

static inline struct turnd_cfg world_cfg(const struct turnd_listen *listen)
{
	static const struct turnd_relay_addr relay = {
		.at.v4 = {.sin_family = AF_INET, .sin_addr.s_addr = 0x0100007f}};
	return (struct turnd_cfg){
		.listen = listen,
		.n_listen = 1,
		.relay = &relay,
		.n_relay = 1,
		.relay_first = 20000,
		.relay_last = 59999,
		.stream_connections = 2000,
		.stream_queue_bytes = 256 * 1024,
		.stream_queue_us = SECOND_US,
		.stream_idle_us = IDLE_S * SECOND_US,
		.dtls_connections = 10,
		.turn = {.software = "",
			.lifetime_default_us = 600ULL * SECOND_US,
			.lifetime_max_us = 3600ULL * SECOND_US,
			.permission_us = 300ULL * SECOND_US,
			.channel_us = 600ULL * SECOND_US,
			.allocations_max = 100,
			.permissions_per_allocation = 16,
			.channels_per_allocation = 16,
			.tcp_per_allocation = 8,
			.alternate_server = ""},
	};
}

/* `first`: the worker with which this one is in a process; NULL = alone, or the first one of n. */
static inline int world_open_one(struct world *w, struct world *first, unsigned n,
	const struct turnd_cfg *cfg, struct errbuf *eb)
{
	static const struct turn_auth_ops no_lookup = {0};
	const struct turn_auth_cfg auth = {.realm = "test",
		.participant_realm = "test",
		.no_auth = true,
		.oauth_server_name = "",
		.rest_separator = ':',
		.cache_users = 16};
	const struct turn_policy_cfg policy = {.allow_loopback = true};
	const struct turn_quota_cfg quota = {.slots = 16};
	static const struct worker_ops ops = {0};
	*w = (struct world){0};
	metric_thread_init();
	log_set_level(LOG_LEVEL_OFF);
	assert_int_equal(worker_init(&w->worker, first != NULL, &ops, NULL, 16), 0);
	assert_int_equal(turn_auth_new(&w->auth, &auth, &no_lookup, NULL, eb), 0);
	assert_int_equal(turn_policy_new(&w->policy, &policy, eb), 0);
	w->quota = turn_quota_new(&quota);
	w->shared = first ? first->shared : turnd_shared_new(n);
	int err = turnd_new(
		&w->t, &w->worker, NULL, w->shared, cfg, w->auth, w->policy, w->quota, eb);
	socklen_t len = sizeof w->at;
	if (!err && w->t->listeners[0].stream_fd >= 0)
		assert_int_equal(getsockname(w->t->listeners[0].stream_fd, &w->at.sa, &len), 0);
	return err;
}

static inline int world_open(struct world *w, const struct turnd_cfg *cfg, struct errbuf *eb)
{
	return world_open_one(w, NULL, 1, cfg, eb);
}

static inline void world_close(struct world *w)
{
	if (w->other) {
		w->other->shared = NULL;
		world_close(w->other);
	}
	turnd_free(w->t);
	turn_auth_free(w->auth);
	turn_policy_free(w->policy);
	turn_quota_free(w->quota);
	turnd_shared_free(w->shared);
	worker_close(&w->worker);
}

/* ---------------------------------------------------------------- TCP clients */

/* rcvbuf 0 = the usual size. */
static inline int client_connect(struct world *w, int rcvbuf)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	assert_true(fd >= 0);
	if (rcvbuf)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf, sizeof rcvbuf);
	assert_int_equal(connect(fd, &w->at.sa, addr_len(&w->at)), 0);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	turn_once(w);
	return fd;
}

static inline void client_send(int fd, const void *p, size_t n)
{
	assert_int_equal(send(fd, p, n, MSG_NOSIGNAL), n);
}

/* Reads until n bytes are there, turning the server; fewer if it closes. */
static inline size_t client_read(struct world *w, int fd, uint8_t *p, size_t n)
{
	size_t have = 0;
	for (int idle = 0; have < n && idle < TURNS;) {
		ssize_t got = recv(fd, p + have, n - have, 0);
		if (got == 0 || (got < 0 && errno != EAGAIN))
			return have;
		if (got > 0) {
			have += (size_t)got;
			idle = 0;
		} else {
			turn_once(w);
			idle++;
		}
	}
	return have;
}

/* True if the server closes, or has closed, the connection; what it says before is skipped. */
static inline bool client_is_closed(struct world *w, int fd)
{
	uint8_t p[4096];
	for (int i = 0; i < 20; i++) {
		ssize_t got = recv(fd, p, sizeof p, 0);
		if (got == 0 || (got < 0 && errno != EAGAIN))
			return true;
		turn_once(w);
	}
	return false;
}

/* ---------------------------------------------------------------- messages */

struct request {
	struct stun_writer w;
	uint8_t p[512];
};

static inline void request_begin(struct request *r, unsigned method, uint8_t tid)
{
	const uint8_t id[STUN_TID_LEN] = {tid, 1, 2, 3};
	stun_begin(&r->w, r->p, sizeof r->p, (enum stun_method)method, STUN_REQUEST, id);
}

static inline struct slice request_end(struct request *r)
{
	struct slice out;
	assert_int_equal(stun_seal_with(&r->w, NULL, NULL, false, &out), 0);
	return out;
}

static inline struct slice binding(struct request *r, uint8_t tid)
{
	request_begin(r, STUN_BINDING, tid);
	return request_end(r);
}

/* The next STUN message or ChannelData of a stream; returns its bytes, padding included. */
static inline size_t client_message(struct world *w, int fd, uint8_t *p)
{
	if (client_read(w, fd, p, 4) != 4)
		return 0;
	bool is_channel = p[0] >= 0x40;
	size_t n = is_channel ? 4 + ((rd16(p + 2) + 3U) & ~3U) : 20 + (size_t)rd16(p + 2);
	return client_read(w, fd, p + 4, n - 4) == n - 4 ? n : 0;
}

static inline void client_answer(struct world *w, int fd, struct stun_msg *m, uint8_t *p)
{
	size_t n = client_message(w, fd, p);
	assert_true(n >= 20);
	assert_int_equal(stun_parse(m, slice_of(p, n)), 0);
}

/* Allocate for transport 17 (UDP) or 6 (TCP); the relayed address. */
static inline struct addr client_allocate(struct world *w, int fd, unsigned transport)
{
	struct request r;
	struct stun_msg m;
	uint8_t p[2048];
	struct addr relayed;
	request_begin(&r, STUN_ALLOCATE, 9);
	stun_put_number(&r.w, STUN_ATTR_REQUESTED_TRANSPORT, transport);
	struct slice q = request_end(&r);
	client_send(fd, q.p, q.n);
	client_answer(w, fd, &m, p);
	assert_int_equal(m.class, STUN_SUCCESS);
	assert_true(stun_addr(&m, STUN_ATTR_XOR_RELAYED_ADDRESS, &relayed));
	return relayed;
}

/* A request about a peer that has to succeed. */
static inline void client_peer_request(
	struct world *w, int fd, unsigned method, const struct addr *peer, unsigned channel)
{
	struct request r;
	struct stun_msg m;
	uint8_t p[2048];
	request_begin(&r, method, (uint8_t)channel);
	stun_put_xor_addr(&r.w, STUN_ATTR_XOR_PEER_ADDRESS, peer);
	if (channel)
		stun_put_number(&r.w, STUN_ATTR_CHANNEL_NUMBER, channel);
	struct slice q = request_end(&r);
	client_send(fd, q.p, q.n);
	client_answer(w, fd, &m, p);
	assert_int_equal(m.class, STUN_SUCCESS);
}
