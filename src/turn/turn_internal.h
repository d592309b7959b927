/* turn_internal: what the files of turn/ share. */
#pragma once
#include "base/list.h"
#include "base/map.h"
#include "base/metric.h"
#include "stun/stun.h"
#include "turn/turn.h"

enum {
	TURN_PERMS_INLINE = 2,
	TURN_CHANS_INLINE = 1,
	TURN_LINEAR_MAX = 8, /* up to so many are searched one by one; more get an index */
	TURN_TICKET_LEN = 32, /* turnutils_uclient takes no more */
	TURN_REALMS_MAX = 8,
	TURN_TOKEN_LEN = STUN_RESERVATION_TOKEN_LEN,
};

/* A permission is for an IP address, whatever the port (RFC 8656 §9). */
struct turn_perm {
	uint8_t ip[16];
	uint8_t ip_len;
	uint16_t good_port; /* the last port that the policy let through; 0 = none yet */
	uint64_t until_us;
};

struct turn_chan {
	struct addr peer;
	uint16_t number;
	uint64_t until_us;
	uint64_t perm_until_us; /* copy of the permission's, so that a peer's datagram needs one look-up */
};

/* Positions + 1 in an array, by open addressing; 0 = empty. */
struct turn_index {
	uint32_t mask;
	uint16_t at[];
};

/* A bandwidth limit: the time up to which the bytes that passed have used it up. */
struct turn_bucket {
	uint64_t used_ns;
};

struct turn_half {
	struct turn_relay *relay; /* NULL = none of this family */
	struct addr relayed;
	bool is_started;
	uint64_t expires_us;
};
enum { TURN_HALF_V4, TURN_HALF_V6, TURN_HALVES };

struct turn_traffic {
	uint64_t packets_in, bytes_in, packets_out, bytes_out;
};

struct turn_mobility {
	/* The one given last, and the one before: its holder may not have got our answer. */
	uint8_t ticket[TURN_TICKET_LEN], before[TURN_TICKET_LEN];
	bool has_before;
};

struct turn_alloc {
	struct turn_server *server;
	struct turn_flow flow;
	struct turn_half half[TURN_HALVES];
	struct turn_chan *chans;
	struct turn_perm *perms;
	uint16_t n_chans, cap_chans, n_perms, cap_perms;
	uint16_t last_chan; /* position of the channel that a peer's datagram went to last */
	bool is_attached;   /* false: a mobile client's old connection is gone */
	bool is_tcp;
	struct turn_index *by_number, *by_peer, *by_ip; /* NULL while a plain search will do */
	uint64_t bytes_per_s; /* 0 = no limit */
	struct turn_bucket up, down;
	struct turn_traffic client, peers;
	uint64_t dropped;
	uint32_t quota_slot;
	struct turn_chan chans_inline[TURN_CHANS_INLINE];
	struct turn_perm perms_inline[TURN_PERMS_INLINE];

	uint64_t id, started_us;
	struct turn_identity who;
	const char *realm; /* the server's */
	struct turn_mobility *mobility;
	struct list conns; /* struct turn_conn */
	uint32_t n_conns;
	struct timer timer;
	struct list node;
};

/* Allocations by flow: open addressing, the hash is keyed. */
struct turn_table {
	struct turn_slot {
		uint64_t hash;
		struct turn_alloc *alloc;
	} *slots;
	size_t n, cap;
};

struct turn_replay;
struct turn_limits;

struct turn_reservation {
	uint8_t token[TURN_TOKEN_LEN];
	uint64_t relay_token; /* the relay's name for it */
	int family;           /* AF_INET or AF_INET6 */
	uint64_t owner; /* user_hash of who reserved it */
	uint64_t until_us;
};

/* A request that waits for a database. */
struct turn_pending {
	struct list node;
	uint64_t lookup, at_us;
	struct turn_flow flow;
	size_t n;
	uint8_t bytes[];
};

struct turn_server {
	struct turn_cfg cfg; /* strings owned */
	struct addr other[2];
	struct addr alternate; /* sa_family 0 = none */
	bool has_other;
	bool is_draining;
	enum turn_hold hold;
	struct turn_auth *auth;
	const struct turn_policy *policy;
	struct turn_quota *quota;
	struct wheel *wheel;
	const struct turn_ops *ops;
	void *arg;
	uint64_t now_us; /* of the call or timer that runs */

	struct turn_table flows;
	struct turn_alloc *last; /* that a ChannelData or Send was for */
	struct list allocs;
	size_t n_allocs;
	struct map conns;   /* CONNECTION-ID → struct turn_conn */
	struct map tickets; /* MOBILITY-TICKET → struct turn_alloc */
	char *realms[TURN_REALMS_MAX];
	struct turn_reservation *reservations;
	size_t n_reservations;
	struct turn_replay *replay;
	struct turn_limits *limits;
	struct list pending;
	size_t n_pending;
	struct timer sweep; /* answers, reservations and waiting requests that are past their time */
	uint64_t random_state; /* of ids that need not be secret */
};

/* A request on its way through the server. */
struct turn_req {
	struct turn_server *s;
	const struct turn_flow *flow;
	const struct stun_msg *m;
	struct turn_alloc *alloc; /* of its flow; NULL = none */
	struct turn_identity own; /* who asked, if that is not the allocation's; freed by the dispatcher */
	bool is_moving;           /* `alloc` was found by its ticket and lives on another flow */
	const struct turn_identity *who; /* signs the answer; NULL = nobody does */
	bool is_trusted; /* credentials were right, or none are needed */
	bool is_bad;     /* an attribute has a wrong length or value: 400 */
	uint64_t now_us;
	struct stun_writer w;
	uint8_t out[TURN_OUT_MAX];
};

static inline bool turn_is_signed(const struct stun_msg *m)
{
	return m->integrity_at || m->integrity256_at;
}

/* As a request has it: a name or its hash. */
static inline struct slice turn_name_of(const struct stun_msg *m)
{
	return stun_has(m, STUN_ATTR_USERNAME) ? m->username : stun_value(m, STUN_ATTR_USERHASH);
}

/* answer.c */
void turn_answer_begin(struct turn_req *rq, enum stun_class class);
/* False: it was dropped, and counted. */
bool turn_answer_send(struct turn_req *rq);
/* An error answer, with what its code asks for: challenge, UNKNOWN-ATTRIBUTES, ALTERNATE-SERVER. */
void turn_answer_fail(struct turn_req *rq, unsigned code);
/* Seals an answer and lets it go, from another socket if `from` is not NULL, to `to` then. */
bool turn_answer_send_from(struct turn_req *rq, const struct addr *from, const struct addr *to);
const char *turn_reason(unsigned code);
uint64_t turn_random(struct turn_server *s);
/* Unique is enough: nothing answers an indication. */
void turn_indication_tid(struct turn_server *s, uint8_t tid[STUN_TID_LEN]);

/* table.c */
size_t turn_flow_key(const struct turn_flow *f, uint8_t out[2 + ADDR_KEY_CAP]);
bool turn_flow_eq(const struct turn_flow *a, const struct turn_flow *b);
struct turn_alloc *turn_table_find(const struct turn_table *t, const struct turn_flow *f);
void turn_table_add(struct turn_table *t, struct turn_alloc *a);
void turn_table_del(struct turn_table *t, struct turn_alloc *a);
void turn_table_free(struct turn_table *t);
static inline bool turn_is_datagram(enum turn_transport t)
{
	return t == TURN_UDP || t == TURN_DTLS;
}

/* alloc.c */
void turn_handle_allocate(struct turn_req *rq);
void turn_alloc_free(struct turn_alloc *a, const char *reason);
/* The allocation's timer looks again not later than at_us. */
void turn_alloc_wake(struct turn_alloc *a, uint64_t at_us);
struct turn_half *turn_half_of(struct turn_alloc *a, int family);
void turn_alloc_attach(struct turn_alloc *a, const struct turn_flow *flow);
void turn_alloc_detach(struct turn_alloc *a);
void turn_handle_refresh(struct turn_req *rq);

/* perm.c */
void turn_handle_create_permission(struct turn_req *rq);
void turn_handle_channel_bind(struct turn_req *rq);
struct turn_perm *turn_perm_find(struct turn_alloc *a, const struct addr *peer);
struct turn_chan *turn_chan_by_number(struct turn_alloc *a, uint16_t number);
struct turn_chan *turn_chan_by_peer(struct turn_alloc *a, const struct addr *peer);
/* Drops what has expired; returns the next time to look, UINT64_MAX = never. */
uint64_t turn_perm_expire(struct turn_alloc *a, uint64_t now_us);
/* An in-kernel path knows channels by flow: they go with an old one and come with a new. */
void turn_chans_tell(struct turn_alloc *a, bool is_bound);
void turn_perm_free(struct turn_alloc *a);
/* There is a new policy: what it denies goes, and what the old one let through by port is asked again. */
void turn_perm_recheck(struct turn_alloc *a);
/* Drops the channels of one family: their relayed address goes. */
void turn_perm_drop_family(struct turn_alloc *a, int family);

/* data.c */
void turn_rx_send(struct turn_server *s, const struct turn_flow *flow, const struct stun_msg *m);

/* tcp.c */
struct turn_conn {
	struct list node; /* in turn_alloc.conns */
	struct turn_alloc *alloc;
	struct turn_peer *peer;
	struct addr at;
	uint32_t id;
	enum { TURN_CONN_CONNECTING, TURN_CONN_WAITS_BIND, TURN_CONN_BOUND } state;
	uint64_t until_us; /* of the first two states */
	struct stun_msg request; /* the Connect to be answered: its header and what it was signed with */
	uint8_t tid[STUN_TID_LEN];
};
void turn_handle_connect(struct turn_req *rq);
void turn_handle_connection_bind(struct turn_req *rq);
/* The allocation that a ConnectionBind is about, for its key; NULL = none. */
struct turn_alloc *turn_conn_alloc(struct turn_server *s, const struct stun_msg *m);
uint64_t turn_conn_expire(struct turn_alloc *a, uint64_t now_us);
void turn_conn_free_all(struct turn_alloc *a);
/* The same as turn_perm_recheck, behind which it comes. */
void turn_conn_recheck(struct turn_alloc *a);

/* mobility.c */
/* The worker that gave a ticket out; false: it is none of ours. */
bool turn_ticket_worker(struct slice ticket, unsigned *worker);
struct turn_alloc *turn_ticket_find(struct turn_server *s, const struct stun_msg *m);
/* A new ticket for the answer; the one before stays good until the next. */
void turn_ticket_put(struct turn_req *rq, struct turn_alloc *a);
void turn_ticket_free(struct turn_alloc *a);
/* The request comes from another 5-tuple and holds the ticket: the allocation is there from now on. */
void turn_move(struct turn_alloc *a, const struct turn_flow *to);

/* reserve.c */
/* Puts a reserved port under a token that is not to be guessed. -ERR_NO_ROOM. */
MUST_CHECK int turn_reserve(struct turn_server *s, uint64_t relay_token, int family,
	uint64_t owner, uint8_t token[TURN_TOKEN_LEN]);
/* Takes a reservation up: the relay's name for it and its family. -ERR_NOT_FOUND: no such token of this user. */
MUST_CHECK int turn_reserved_take(struct turn_server *s, struct slice token, uint64_t owner,
	uint64_t *relay_token, int *family);
uint64_t turn_reserved_expire(struct turn_server *s, uint64_t now_us);

/* discovery.c */
void turn_handle_binding(struct turn_req *rq);

/* replay.c: the answers of the last 40 s, for requests that come again. */
struct turn_replay *turn_replay_new(uint32_t max);
void turn_replay_free(struct turn_replay *r);
/* The answer that this very request got; n = 0: none. */
struct slice turn_replay_find(
	const struct turn_replay *r, const struct turn_flow *flow, struct slice request);
void turn_replay_add(struct turn_replay *r, const struct turn_flow *flow, struct slice request,
	struct slice answer, uint64_t now_us);
uint64_t turn_replay_expire(struct turn_replay *r, uint64_t now_us);

/* limits.c: what one address may do, and one user at it. All are counted drops; 0 in the limit = none. */
struct turn_limits *turn_limits_new(uint32_t addresses_max);
void turn_limits_free(struct turn_limits *l);
void turn_limits_received(
	struct turn_limits *l, const struct addr *from, size_t n, uint64_t now_us);
/* May an answer of n bytes go to an address that has proved nothing? */
bool turn_limits_answer(struct turn_limits *l, const struct addr *to, size_t n,
	uint32_t allowance, uint64_t now_us);
bool turn_limits_allocate(
	struct turn_limits *l, const struct addr *from, uint32_t per_s, uint64_t now_us);
/* Has this user at this address, or all of them there, failed too often within a minute? */
bool turn_limits_is_blocked(struct turn_limits *l, const struct addr *from, struct slice user,
	const struct turn_cfg *cfg, uint64_t now_us);
void turn_limits_failed(struct turn_limits *l, const struct addr *from, struct slice user,
	const struct turn_cfg *cfg, uint64_t now_us);

/* pending.c */
#define TURN_LOOKUP_HOLD UINT64_MAX /* of Allocate requests under TURN_HOLD_WAIT; auth's begin with 1 */
/* Keeps a request until its look-up is done; false: too many wait (500). The same one again is kept once. */
bool turn_pending_add(struct turn_server *s, const struct turn_req *rq, uint64_t lookup);
bool turn_pending_has(
	const struct turn_server *s, const struct turn_flow *flow, const uint8_t *tid);
bool turn_pending_has_flow(const struct turn_server *s, const struct turn_flow *flow);
uint64_t turn_pending_expire(struct turn_server *s, uint64_t now_us);
/* The connection is gone: nobody waits any more. */
void turn_pending_drop(struct turn_server *s, const struct turn_flow *flow);
void turn_pending_free(struct turn_server *s);

/* server.c */
void turn_sweep_by(struct turn_server *s, uint64_t at_us);
