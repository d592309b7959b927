/*
 * turn_kit: a turn_server in memory for tests: a clock to turn, relayed addresses that are entries of an array, clients
 * that sign what they ask, and the last of everything that came out.
 */
#pragma once
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/metric.h"
#include "stun/stun.h"
#include "turn/turn.h"

enum {
	KIT_RELAYS = 256,
	KIT_PEERS = 64,
	KIT_FIRST_PORT = 50000,
	KIT_PLACE = 66000,
	KIT_NONCE_CAP = 128,
};

#define KIT_REALM "example.org"

struct turn_relay {
	bool is_open, is_started, is_reserved;
	int family;
	struct turn_alloc *alloc;
	struct addr at;
};

struct turn_peer {
	bool is_open;
	uint32_t id;
	struct addr at;
	uint64_t spliced_to; /* conn; 0 = none */
};

struct kit {
	uint64_t now_us, wall_s;
	struct wheel wheel;
	struct turn_auth *auth;
	struct turn_policy *policy;
	struct turn_quota *quota;
	struct turn_server *server;
	struct turn_relay relays[KIT_RELAYS];
	unsigned n_open, n_unreserved;
	int relay_open_fails[2]; /* by family: IPv4, IPv6: error for the next calls */
	int relay_start_fails;
	struct turn_peer peers[KIT_PEERS];
	int peer_connect_fails;

	/* What came out last, and how much of it. */
	uint8_t answer[TURN_OUT_MAX];
	size_t answer_n;
	struct turn_flow answer_flow;
	unsigned n_answers;
	struct addr from, to; /* of send_from */
	unsigned n_from;
	uint8_t *place;
	size_t place_n;
	struct turn_flow place_flow;
	unsigned n_placed;
	uint8_t out[KIT_PLACE];
	size_t out_n;
	struct addr out_peer;
	struct turn_relay *out_relay;
	bool out_df;
	unsigned n_out;
	unsigned n_bound, n_closed_flows, n_ended;
	struct turn_flow closed_flow;
	char reason[64];
	uint64_t lookup; /* asked for last; 0 = none */
	unsigned n_lookups;
	/* Where else answers and datagrams go. */
	void (*on_send)(void *arg, const struct turn_flow *flow, struct slice bytes);
	void *on_arg;

	struct stun_writer w; /* the request that is being made */
	uint8_t request[2048];
	struct slice sealed;
	struct stun_msg m; /* the last answer, parsed */
};

struct kit_client {
	struct turn_flow flow;
	const char *user;
	struct hmac_sha1 mac;
	uint8_t nonce[KIT_NONCE_CAP];
	size_t nonce_n;
	uint32_t n_requests;
};

static inline struct addr kit_addr(const char *ip, uint16_t port)
{
	struct addr a;
	if (addr_parse_ip(&a, slice_str(ip), port))
		abort();
	return a;
}

/* A block of the exact size, so that the address sanitizer sees a read past the end. */
static inline uint8_t *kit_exact(const void *p, size_t n)
{
	uint8_t *copy = malloc(n ? n : 1);
	if (n)
		memcpy(copy, p, n);
	return copy;
}

static inline void kit_on_send(
	void *arg, const struct turn_flow *flow, struct slice bytes, bool is_data)
{
	struct kit *k = arg;
	(void)is_data;
	if (bytes.n > sizeof k->answer)
		abort();
	memcpy(k->answer, bytes.p, bytes.n);
	k->answer_n = bytes.n;
	k->answer_flow = *flow;
	k->n_answers++;
	if (k->on_send)
		k->on_send(k->on_arg, flow, bytes);
}

static inline void kit_on_send_from(
	void *arg, const struct addr *from, const struct addr *to, struct slice bytes)
{
	struct kit *k = arg;
	struct turn_flow flow = {.client = *to, .server = *from};
	k->from = *from;
	k->to = *to;
	k->n_from++;
	kit_on_send(k, &flow, bytes, false);
}

static inline uint64_t kit_wall(void *arg)
{
	return ((struct kit *)arg)->wall_s;
}

static inline int kit_relay_open(void *arg, struct turn_alloc *alloc, int family, bool is_tcp,
	enum turn_port_want want, uint64_t *reservation, struct addr *relayed,
	struct turn_relay **relay)
{
	struct kit *k = arg;
	(void)is_tcp;
	int fails = k->relay_open_fails[family == AF_INET6];
	if (fails)
		return fails;
	size_t i = 0;
	if (want == TURN_PORT_RESERVED) {
		i = *reservation;
		if (i >= KIT_RELAYS || !k->relays[i].is_reserved ||
			k->relays[i].family != family)
			return -ERR_NO_ROOM;
		k->relays[i].is_reserved = false;
	} else {
		size_t step = want == TURN_PORT_ANY ? 1 : 2;
		while (i + 1 < KIT_RELAYS &&
			(k->relays[i].is_open || k->relays[i].is_reserved ||
				(want == TURN_PORT_EVEN_AND_NEXT &&
					(k->relays[i + 1].is_open ||
						k->relays[i + 1].is_reserved))))
			i += step;
		if (i + 1 >= KIT_RELAYS)
			return -ERR_NO_ROOM;
		if (want == TURN_PORT_EVEN_AND_NEXT) {
			k->relays[i + 1] = (struct turn_relay){
				.is_reserved = true, .family = family};
			*reservation = i + 1;
		}
	}
	struct turn_relay *r = &k->relays[i];
	*r = (struct turn_relay){.is_open = true, .alloc = alloc};
	r->at = kit_addr(family == AF_INET6 ? "2001:db8:1::1" : "192.0.2.1",
		(uint16_t)(KIT_FIRST_PORT + i));
	*relayed = r->at;
	*relay = r;
	k->n_open++;
	return 0;
}

static inline void kit_relay_unreserve(void *arg, uint64_t reservation)
{
	struct kit *k = arg;
	if (!k->relays[reservation].is_reserved)
		abort();
	k->relays[reservation].is_reserved = false;
	k->n_unreserved++;
}

static inline int kit_relay_start(void *arg, struct turn_relay *relay)
{
	struct kit *k = arg;
	if (!relay->is_open || relay->is_started)
		abort();
	if (k->relay_start_fails)
		return k->relay_start_fails;
	relay->is_started = true;
	return 0;
}

static inline void kit_relay_close(void *arg, struct turn_relay *relay)
{
	struct kit *k = arg;
	if (!relay->is_open)
		abort();
	*relay = (struct turn_relay){0};
	k->n_open--;
}

static inline void kit_relay_send(void *arg, struct turn_relay *relay, const struct addr *peer,
	struct slice payload, bool df)
{
	struct kit *k = arg;
	if (!relay->is_started || payload.n > sizeof k->out)
		abort();
	if (payload.n)
		memcpy(k->out, payload.p, payload.n);
	k->out_n = payload.n;
	k->out_peer = *peer;
	k->out_relay = relay;
	k->out_df = df;
	k->n_out++;
}

static inline uint8_t *kit_client_place(void *arg, const struct turn_flow *flow, size_t n)
{
	struct kit *k = arg;
	free(k->place);
	k->place = malloc(n);
	k->place_n = n;
	k->place_flow = *flow;
	k->n_placed++;
	return k->place;
}

static inline void kit_channel_changed(void *arg, const struct turn_flow *flow,
	struct turn_relay *relay, uint16_t number, const struct addr *peer, bool is_bound)
{
	struct kit *k = arg;
	(void)flow, (void)number, (void)peer;
	if (!relay->is_open || (!is_bound && !k->n_bound))
		abort();
	if (is_bound)
		k->n_bound++;
	else
		k->n_bound--;
}

static inline int kit_peer_connect(void *arg, struct turn_relay *relay, const struct addr *peer,
	uint32_t id, struct turn_peer **out)
{
	struct kit *k = arg;
	if (!relay->is_open)
		abort();
	if (k->peer_connect_fails)
		return k->peer_connect_fails;
	for (size_t i = 0; i < KIT_PEERS; i++) {
		if (k->peers[i].is_open)
			continue;
		k->peers[i] = (struct turn_peer){.is_open = true, .id = id, .at = *peer};
		*out = &k->peers[i];
		return 0;
	}
	return -ERR_NO_ROOM;
}

static inline void kit_peer_close(void *arg, struct turn_peer *peer)
{
	(void)arg;
	if (!peer->is_open)
		abort();
	peer->is_open = false;
}

static inline void kit_peer_splice(
	void *arg, struct turn_peer *peer, const struct turn_flow *data)
{
	(void)arg;
	if (!peer->is_open || peer->spliced_to)
		abort();
	peer->spliced_to = data->conn;
}

static inline void kit_flow_close(void *arg, const struct turn_flow *flow)
{
	struct kit *k = arg;
	if (flow->transport == TURN_UDP)
		abort();
	k->closed_flow = *flow;
	k->n_closed_flows++;
}

static inline void kit_ended(void *arg, const struct turn_alloc *alloc, const char *reason)
{
	struct kit *k = arg;
	struct turn_alloc_info info;
	turn_alloc_info(alloc, &info);
	k->n_ended++;
	snprintf(k->reason, sizeof k->reason, "%s", reason);
}

static inline int kit_lookup(void *arg, uint64_t id, enum turn_lookup_kind kind, struct slice realm,
	struct slice name)
{
	struct kit *k = arg;
	(void)kind, (void)realm, (void)name;
	k->lookup = id;
	k->n_lookups++;
	return 0;
}

static inline void kit_key(const char *user, uint8_t key[16])
{
	memset(key, 0x5a, 16);
	memcpy(key, user, MIN(strlen(user), (size_t)16));
}

static inline struct turn_cfg kit_cfg(void)
{
	return (struct turn_cfg){
		.software = "",
		.lifetime_default_us = 600000000,
		.lifetime_max_us = 3600000000,
		.permission_us = 300000000,
		.channel_us = 600000000,
		.permissions_per_allocation = 64,
		.channels_per_allocation = 64,
		.tcp_per_allocation = 4,
		.alternate_server = "",
	};
}

static inline struct turn_ops *kit_ops(void)
{
	static struct turn_ops ops = {
		.send = kit_on_send,
		.send_from = kit_on_send_from,
		.wall_s = kit_wall,
		.relay_open = kit_relay_open,
		.relay_unreserve = kit_relay_unreserve,
		.relay_start = kit_relay_start,
		.relay_close = kit_relay_close,
		.relay_send = kit_relay_send,
		.client_place = kit_client_place,
		.channel_changed = kit_channel_changed,
		.peer_connect = kit_peer_connect,
		.peer_close = kit_peer_close,
		.peer_splice = kit_peer_splice,
		.flow_close = kit_flow_close,
		.ended = kit_ended,
	};
	return &ops;
}

/* Users "alice" and "bob" are known here; others are looked up, or nobody is asked for a name. */
enum kit_auth { KIT_USERS, KIT_LOOKUP, KIT_NO_AUTH };
static inline struct kit *kit_new_with(
	const struct turn_cfg *cfg, const struct turn_quota_cfg *quota, enum kit_auth kind)
{
	static const struct turn_auth_ops auth_ops = {kit_lookup};
	struct kit *k = calloc(1, sizeof *k);
	metric_thread_init();
	k->now_us = 1000000;
	k->wall_s = 1700000000;
	wheel_init(&k->wheel, k->now_us);
	uint8_t alice[16], bob[16];
	kit_key("alice", alice);
	kit_key("bob", bob);
	struct turn_static_user users[] = {
		{.name = "alice", .key = alice, .key_n = 16},
		{.name = "bob", .key = bob, .key_n = 16},
	};
	struct turn_auth_cfg auth = {
		.realm = KIT_REALM,
		.participant_realm = "",
		.oauth_server_name = "",
		.rest_separator = ':',
		.users = users,
		.n_users = 2,
		.cache_users = 64,
		.cache_us = 60000000,
		.has_lookup = kind == KIT_LOOKUP,
		.no_auth = kind == KIT_NO_AUTH,
	};
	memset(auth.nonce_key, 7, sizeof auth.nonce_key);
	struct errbuf eb = {0};
	if (turn_auth_new(&k->auth, &auth, &auth_ops, k, &eb)) {
		fprintf(stderr, "auth: %s\n", eb.text);
		abort();
	}
	const char *allow[] = {"10.0.0.0/24", "2001:db8:2::/48"};
	struct turn_policy_cfg policy = {.allow = allow, .n_allow = 2};
	if (turn_policy_new(&k->policy, &policy, &eb)) {
		fprintf(stderr, "policy: %s\n", eb.text);
		abort();
	}
	struct turn_quota_cfg none = {.slots = 1024};
	k->quota = turn_quota_new(quota ? quota : &none);
	k->server = turn_server_new(
		cfg, k->auth, k->policy, k->quota, &k->wheel, kit_ops(), k);
	return k;
}

static inline struct kit *kit_new(void)
{
	struct turn_cfg cfg = kit_cfg();
	return kit_new_with(&cfg, NULL, KIT_USERS);
}

static inline void kit_free(struct kit *k)
{
	turn_server_free(k->server);
	if (k->n_open || k->n_bound || turn_quota_total(k->quota) || k->wheel.armed) {
		fprintf(stderr, "left behind: %u relays, %u channels, %llu allocations, %zu timers\n",
			k->n_open, k->n_bound, (unsigned long long)turn_quota_total(k->quota),
			k->wheel.armed);
		abort();
	}
	turn_auth_free(k->auth);
	turn_policy_free(k->policy);
	turn_quota_free(k->quota);
	free(k->place);
	free(k);
}

static inline void kit_wait(struct kit *k, uint64_t us)
{
	k->now_us += us;
	k->wall_s = 1700000000 + k->now_us / 1000000;
	wheel_run(&k->wheel, k->now_us);
}

static inline struct kit_client kit_client(
	enum turn_transport transport, uint64_t conn, uint16_t port, const char *user)
{
	struct kit_client c = {
		.flow = {.transport = transport, .listener = 1, .conn = conn},
		.user = user,
	};
	c.flow.client = kit_addr("198.51.100.7", port);
	c.flow.server = kit_addr("192.0.2.1", 3478);
	uint8_t key[16];
	kit_key(user, key);
	hmac_sha1_init(&c.mac, key, sizeof key);
	return c;
}

static inline void kit_rx(struct kit *k, const struct turn_flow *flow, struct slice bytes)
{
	uint8_t *copy = kit_exact(bytes.p, bytes.n);
	turn_rx_stun(k->server, flow, copy, bytes.n, k->now_us);
	free(copy);
}

static inline void kit_begin(struct kit *k, struct kit_client *c, enum stun_method method)
{
	uint8_t tid[STUN_TID_LEN] = {0};
	wr64(tid, c->flow.conn << 16 | addr_port(&c->flow.client));
	wr32(tid + 8, ++c->n_requests);
	stun_begin(&k->w, k->request, sizeof k->request, method, STUN_REQUEST, tid);
}

/* Error code of the last answer; 0 = success, -1 = there was none since `before`. */
static inline int kit_result(struct kit *k, unsigned before)
{
	if (k->n_answers == before)
		return -1;
	if (stun_parse(&k->m, slice_of(k->answer, k->answer_n)))
		abort();
	return k->m.class == STUN_SUCCESS ? 0 : k->m.error_code;
}

static inline int kit_send_plain(struct kit *k, struct kit_client *c)
{
	unsigned before = k->n_answers;
	if (stun_seal_with(&k->w, NULL, NULL, false, &k->sealed))
		abort();
	kit_rx(k, &c->flow, k->sealed);
	return kit_result(k, before);
}

static inline void kit_get_nonce(struct kit *k, struct kit_client *c)
{
	uint8_t was[sizeof k->request];
	struct stun_writer w = k->w;
	memcpy(was, k->request, sizeof was);
	kit_begin(k, c, STUN_ALLOCATE);
	if (kit_send_plain(k, c) != STUN_ERR_UNAUTHENTICATED || k->m.nonce.n > sizeof c->nonce)
		abort();
	memcpy(c->nonce, k->m.nonce.p, k->m.nonce.n);
	c->nonce_n = k->m.nonce.n;
	memcpy(k->request, was, sizeof was);
	k->w = w;
}

/* Signs what was begun. */
static inline void kit_seal(struct kit *k, struct kit_client *c)
{
	if (!c->nonce_n)
		kit_get_nonce(k, c);
	stun_put(&k->w, STUN_ATTR_USERNAME, c->user, strlen(c->user));
	stun_put(&k->w, STUN_ATTR_REALM, KIT_REALM, strlen(KIT_REALM));
	stun_put(&k->w, STUN_ATTR_NONCE, c->nonce, c->nonce_n);
	if (stun_seal(&k->w, &c->mac, &k->sealed))
		abort();
}

/* Signs and sends. An answer must be signed too, unless it says that the signature is no good. */
static inline int kit_send(struct kit *k, struct kit_client *c)
{
	kit_seal(k, c);
	unsigned before = k->n_answers;
	kit_rx(k, &c->flow, k->sealed);
	int code = kit_result(k, before);
	if (code >= 0 && code != STUN_ERR_UNAUTHENTICATED && code != STUN_ERR_STALE_NONCE &&
		code != STUN_ERR_UNKNOWN_ATTRIBUTE && code != STUN_ERR_SERVER &&
		stun_verify_integrity(&k->m, &c->mac)) {
		fprintf(stderr, "answer %d is not signed\n", code);
		abort();
	}
	return code;
}

static inline int kit_allocate(struct kit *k, struct kit_client *c)
{
	kit_begin(k, c, STUN_ALLOCATE);
	stun_put_number(&k->w, STUN_ATTR_REQUESTED_TRANSPORT, STUN_TRANSPORT_UDP);
	return kit_send(k, c);
}

static inline int kit_refresh(struct kit *k, struct kit_client *c, uint32_t lifetime_s)
{
	kit_begin(k, c, STUN_REFRESH);
	stun_put_number(&k->w, STUN_ATTR_LIFETIME, lifetime_s);
	return kit_send(k, c);
}

static inline int kit_permit(struct kit *k, struct kit_client *c, const struct addr *peer)
{
	kit_begin(k, c, STUN_CREATE_PERMISSION);
	stun_put_xor_addr(&k->w, STUN_ATTR_XOR_PEER_ADDRESS, peer);
	return kit_send(k, c);
}

static inline int kit_bind(
	struct kit *k, struct kit_client *c, uint16_t number, const struct addr *peer)
{
	kit_begin(k, c, STUN_CHANNEL_BIND);
	stun_put_number(&k->w, STUN_ATTR_CHANNEL_NUMBER, number);
	stun_put_xor_addr(&k->w, STUN_ATTR_XOR_PEER_ADDRESS, peer);
	return kit_send(k, c);
}

/* True if the server handed a datagram on. */
static inline bool kit_channel_data(
	struct kit *k, struct kit_client *c, uint16_t number, const void *p, size_t n)
{
	unsigned before = k->n_out;
	uint8_t *m = malloc(4 + n);
	wr16(m, number);
	wr16(m + 2, (uint16_t)n);
	memcpy(m + 4, p, n);
	turn_rx_channel(k->server, &c->flow, m, 4 + n, k->now_us);
	free(m);
	return k->n_out != before;
}

static inline bool kit_indicate(
	struct kit *k, struct kit_client *c, const struct addr *peer, const void *p, size_t n)
{
	unsigned before = k->n_out;
	uint8_t buf[2048], tid[STUN_TID_LEN] = {1};
	struct stun_writer w;
	struct slice out;
	stun_begin(&w, buf, sizeof buf, STUN_SEND, STUN_INDICATION, tid);
	stun_put_xor_addr(&w, STUN_ATTR_XOR_PEER_ADDRESS, peer);
	stun_put(&w, STUN_ATTR_DATA, p, n);
	if (stun_seal_with(&w, NULL, NULL, false, &out))
		abort();
	kit_rx(k, &c->flow, out);
	return k->n_out != before;
}

/* The relayed address that an answer told of. */
static inline struct turn_relay *kit_relay(struct kit *k, const struct addr *at)
{
	for (size_t i = 0; i < KIT_RELAYS; i++)
		if (k->relays[i].is_open && addr_eq(&k->relays[i].at, at))
			return &k->relays[i];
	return NULL;
}

/* A datagram from a peer: 0 = it went nowhere, 1 = as ChannelData, 2 = as a Data indication. */
static inline int kit_from_peer(struct kit *k, struct turn_relay *relay, const struct addr *from,
	const void *p, size_t n)
{
	unsigned before = k->n_placed;
	uint8_t *copy = kit_exact(p, n);
	turn_rx_peer(k->server, relay->alloc, relay, from, copy, n, k->now_us);
	free(copy);
	if (k->n_placed == before)
		return 0;
	return k->place[0] >= 0x40 ? 1 : 2;
}
