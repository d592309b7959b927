/*
 * turnd_internal: what the files of turnd share. Worker's thread only, but for what turnd_shared holds.
 *
 *   turnd.c   puts it together, turn_ops, names of connections      ports.c   free ports of a relay address
 *   udp.c     UDP listeners, both transmit queues                   relay.c   relayed addresses
 *   hairpin.c turnd_shared, what never touches a socket             mux.c     multiplex_peer
 *   steer.c   clients that the kernel gave to the wrong worker
 *   stream.c, dtls.c, tls.c, tcp_relay.c, proxy.c
 *
 * Order at the end of a turn (turnd_end_turn): relay_tx → rtc_flush → streams → client_tx. Flushing relay_tx may hand
 * packets to the SFU, whose flush may hand packets back, for clients; nothing that goes to a client makes new packets.
 */
#pragma once
#include "base/list.h"
#include "base/map.h"
#include "net/udp.h"
#include "turnd/ports.h"
#include "turnd/turnd.h"

struct turnd_streams; /* stream.c: TCP and TLS listeners and connections, DTLS connections, certificates */

/* One address that is listened on. The index is turn_flow.listener, the same on every worker. */
struct turnd_listener {
	struct turnd *t;
	uint16_t index;
	struct turnd_listen cfg;
	struct addr server;    /* what clients know it by: cfg.known_as or cfg.at, port included */
	struct udp_sock sock;  /* fd -1 without UDP and DTLS */
	struct ev_io io;
	struct turn_flow flow; /* of plain UDP; the client's address changes with each datagram */
	int stream_fd;         /* stream.c's: listening socket, -1 without TCP and TLS */
	struct ev_io stream_io;
};

/*
 * A stream or DTLS connection: the first member of its owner's structure. `handle` is turn_flow.conn: slot and
 * generation, never used twice, never 0.
 */
struct turnd_conn {
	uint64_t handle;
	enum turn_transport transport; /* TURN_TCP, TURN_TLS or TURN_DTLS */
};

struct turnd_conn_slot {
	struct turnd_conn *conn;
	uint32_t gen, next_free;
};

struct turnd_conns {
	struct turnd_conn_slot *slots;
	uint32_t n, cap, first_free; /* first_free UINT32_MAX = none */
};

/* A socket that relays: of one allocation, or shared by all of a worker and address (multiplex_peer). */
struct turnd_relay_sock {
	struct udp_sock sock; /* fd -1: not open. local = the bound address, known before */
	struct ev_io io;
	uint8_t home;         /* in t->homes */
	bool is_df;           /* DONT-FRAGMENT is on */
	struct addr df_to;    /* where the last such datagram went: IPv4's own refusals name no port */
	bool is_mux;
	uint16_t sfu_form;    /* in turnd_shared: as what the SFU was last spoken to from here; see hairpin.c */
};

/* One relayed transport address, UDP or TCP. */
struct turn_relay {
	struct turnd *t;
	struct turn_alloc *alloc;
	struct turnd_relay_sock *out; /* where datagrams leave: &own, or the shared one */
	struct turnd_relay_sock own;
	bool is_tcp;
	bool is_foreign;   /* another program had the port when the socket was to be opened */
	void *tcp;         /* tcp_relay.c's; NULL for UDP */
	uint32_t mux_first; /* multiplexed: the first of its entries in the table of peers */
	uint32_t mux_n;
};

enum { TURND_SHUNNED_MAX = 256 };

/* One relay address on this worker. */
struct turnd_home {
	struct turnd *t;
	struct turnd_relay_addr cfg; /* advertised always set */
	uint8_t index;
	bool is_public; /* as far as the policy knows */
	struct turnd_ports udp_ports, tcp_ports;
	struct turn_relay **by_port; /* UDP, by turnd_ports_index */
	struct list reserved;        /* put aside by EVEN-PORT, nobody's yet */
	struct {
		uint16_t port;
		uint64_t until_us;
	} shunned[TURND_SHUNNED_MAX]; /* a ring: ports not given back, as another program has them */
	unsigned first_shunned, n_shunned;
	struct turnd_mux *mux;       /* multiplex_peer: the one socket; else NULL */
};

struct turnd {
	struct worker *worker;
	struct rtc *rtc; /* NULL without an SFU */
	struct turnd_shared *shared;
	const struct turn_policy *policy;
	struct turnd_cfg cfg; /* owned copies of all it points to */
	struct turn_server *server;

	struct turnd_listener *listeners;
	size_t n_listeners;
	struct udp_rx *rx, *relay_rx;
	struct udp_tx *client_tx, *relay_tx;

	struct turnd_home homes[TURND_RELAY_ADDRS_MAX];
	size_t n_homes;
	unsigned next_home; /* where the next relayed address is looked for first */
	uint64_t posts[PKTBOX_SENDERS / 64]; /* workers whose rings hold packets of this turn: a bit each */
	bool rtc_is_fed; /* the hairpin gave the SFU packets that it borrows until rtc_flush */

	struct turnd_conns conns;
	struct turnd_streams *streams; /* stream.c's, NULL until turnd_streams_open */

	struct map steered; /* clients whose allocation is on another worker; see steer.c */
	struct list steered_lru, asked_lru;
	uint32_t n_asked;
	const struct turnd_ring_hdr *passed; /* the request that is served came from another worker; else NULL */

	void (*on_kept)(void *arg, const struct turn_alloc_info *info, bool is_new);
	void *on_kept_arg;
	void (*on_ended)(void *arg, const struct turn_alloc_info *info, const char *reason);
	void *on_ended_arg;
};

/* ------------------------------------------------------------------------------------------ turnd.c */

/* Names a connection: sets c->handle. The caller bounds how many there are. */
void turnd_conn_add(struct turnd *t, struct turnd_conn *c);
void turnd_conn_del(struct turnd *t, struct turnd_conn *c);
/* NULL if it is gone. */
struct turnd_conn *turnd_conn_find(const struct turnd *t, uint64_t handle);

/* -------------------------------------------------------------------------------------------- udp.c */

MUST_CHECK int turnd_udp_open(struct turnd *t, struct turnd_listener *l, struct errbuf *eb);
void turnd_udp_close(struct turnd *t, struct turnd_listener *l);

/*
 * A place for a datagram of n bytes to a client, in client_tx: sent with the other ones at the end of the turn.
 * NULL: too long for the arena, counted. Data path. DTLS records leave this way as well.
 */
uint8_t *turnd_udp_place(
	struct turnd *t, struct turnd_listener *l, const struct addr *client, size_t n);

/* The listener whose `server` is this address; NULL if none is (RFC 5780: answers from the other sockets). */
struct turnd_listener *turnd_listener_at(struct turnd *t, const struct addr *server);

/* One datagram of a client, from the listener's socket or from another worker. Data path. */
void turnd_udp_rx(struct turnd_listener *l, struct udp_dgram *d);

/* Sends relay_tx; what went to the SFU is taken up by it before this returns. */
void turnd_flush_relays(struct turnd *t);

/* ------------------------------------------------------------------------------------------ relay.c */

MUST_CHECK int turnd_relays_open(struct turnd *t, struct errbuf *eb);
void turnd_relays_close(struct turnd *t);

/* The turn_ops of relays. */
int turnd_relay_open(void *arg, struct turn_alloc *alloc, int family, bool is_tcp,
	enum turn_port_want want, uint64_t *reservation, struct addr *relayed,
	struct turn_relay **relay);
void turnd_relay_unreserve(void *arg, uint64_t reservation);
int turnd_relay_start(void *arg, struct turn_relay *relay);
void turnd_relay_close(void *arg, struct turn_relay *relay);
void turnd_relay_send(void *arg, struct turn_relay *relay, const struct addr *peer,
	struct slice payload, bool df);

/* Closes nothing of what it is given but the socket and its place in epoll. */
MUST_CHECK int turnd_relay_sock_open(struct turnd *t, struct turnd_relay_sock *rs, struct ev_io io);
void turnd_relay_sock_close(struct turnd *t, struct turnd_relay_sock *rs);

/*
 * A datagram for a relay port of this worker that met no socket: to the allocation that owns the port (and, with
 * multiplex_peer, talks to `from`). Counts what nobody expects. Data path.
 */
void turnd_relay_rx(struct turnd *t, unsigned home, uint16_t port, const struct addr *from,
	const uint8_t *p, size_t n);

/* The socket that has this port on this worker, for hairpin.c; NULL if no allocation has it. */
struct turnd_relay_sock *turnd_relay_sock_at(struct turnd *t, unsigned home, uint16_t port);

/* -------------------------------------------------------------------------------------------- mux.c */

/* multiplex_peer: opens the home's one socket. */
MUST_CHECK int turnd_mux_open(struct turnd_home *h, struct ev_io io, struct errbuf *eb);
void turnd_mux_close(struct turnd_home *h);
struct turnd_relay_sock *turnd_mux_sock(struct turnd_mux *m);
/* The relay that talks to this peer; NULL. Data path. */
struct turn_relay *turnd_mux_find(struct turnd_mux *m, const struct addr *peer);
/*
 * Datagrams from `peer` are this relay's from now on. False: another one has it already, or there are too many. Data
 * path.
 */
bool turnd_mux_claim(struct turnd_mux *m, struct turn_relay *relay, const struct addr *peer);
void turnd_mux_release(struct turnd_mux *m, struct turn_relay *relay);

/* ---------------------------------------------------------------------------------------- hairpin.c */

/*
 * turnd_shared: which addresses are this process's own and which worker has them. Filled by turnd_hairpin_open of each
 * worker before any of them runs, read-only afterwards.
 */
MUST_CHECK int turnd_hairpin_open(struct turnd *t, struct errbuf *eb);
void turnd_hairpin_close(struct turnd *t);

/* What goes from one worker to another: in front of each datagram in a ring. Both ends are this program. */
enum turnd_ring_kind {
	TURND_RING_TO_RELAY,     /* from a relayed address to `home`, `port` */
	TURND_RING_SFU_TO_RELAY, /* from the SFU's `worker`, `local` to `home`, `port` */
	TURND_RING_TO_SFU,       /* from a relayed address to `local` */
	TURND_RING_CLIENT,       /* from a client of `worker`'s `listener` whose allocation is here; see steer.c */
	TURND_RING_STEER,        /* no bytes: all of the client `from` at `listener` is for `worker` … */
	TURND_RING_UNSTEER,      /* … or no longer */
};
struct turnd_ring_hdr {
	struct addr from;
	uint8_t kind, home;
	uint16_t port; /* CLIENT, STEER, UNSTEER: the request's number; UNSTEER 0 = whatever came since */
	uint16_t worker, local, listener;
};

/* Data path. It is sent at the end of the turn; a full ring drops it, counted. */
void turnd_ring_place(struct turnd *t, unsigned worker, const struct turnd_ring_hdr *hdr,
	const uint8_t *p, size_t n);

unsigned turnd_shared_workers(const struct turnd_shared *s);
struct turnd *turnd_shared_turnd(const struct turnd_shared *s, unsigned worker);
/* TURND_TICKET_KEY_LEN bytes: a client that resumes a TLS session may meet another worker. */
const uint8_t *turnd_shared_ticket_key(const struct turnd_shared *s);

/* A relay port of this worker was taken or given back: the one thing in turnd_shared that changes while workers run. */
void turnd_shared_mark(
	struct turnd_shared *s, bool is_tcp, unsigned home, uint16_t port, bool is_taken);

/* False for a TCP port of the relay range that no allocation has, and that may be another program's. */
bool turnd_may_connect(const struct turnd *t, const struct addr *peer);

/* Hands to other workers what the turn placed in their rings. */
void turnd_hairpin_post(struct turnd *t);

/* ------------------------------------------------------------------------------------------ steer.c */

void turnd_steer_init(struct turnd *t);
void turnd_steer_free(struct turnd *t);
/* What comes from this client is for that worker from now on. */
void turnd_steer_to(
	struct turnd *t, unsigned worker, uint16_t listener, const struct addr *client);
/* Tells that worker that this one does not want the client any more. */
void turnd_steer_end(
	struct turnd *t, unsigned worker, uint16_t listener, const struct addr *client);
/* turn_ops.hand_over. */
bool turnd_hand_over(
	void *arg, const struct turn_flow *flow, unsigned worker, struct slice request);
/* True: the client's allocation is on another worker, and the datagram went there. Data path. */
bool turnd_steer_rx(struct turnd_listener *l, struct udp_dgram *d);
/* What the others sent: TURND_RING_CLIENT, _STEER, _UNSTEER. */
void turnd_steer_take(struct turnd *t, const struct turnd_ring_hdr *hdr, uint8_t *p, size_t n);

/*
 * ---------------------------------------------- stream.c, dtls.c, tls.c, tcp_relay.c, proxy.c
 *
 * Opens the TCP and TLS listeners of t->listeners and loads certificates. On failure eb names address, file or key, and
 * turnd_streams_close is called.
 */
MUST_CHECK int turnd_streams_open(struct turnd *t, struct errbuf *eb);
/* Closes all connections without a word to turn/, which is gone by then. Accepts a turnd without streams. */
void turnd_streams_close(struct turnd *t);
/* t->cfg is the new one already. */
MUST_CHECK int turnd_streams_reload(struct turnd *t, struct errbuf *eb);
/* End of the turn, and before the arena of client_tx is sent: writes what the turn queued. */
void turnd_streams_flush(struct turnd *t);

/* turn_ops for flows whose conn is not 0: TCP, TLS and DTLS. */
void turnd_stream_send(
	struct turnd *t, const struct turn_flow *flow, struct slice bytes, bool is_data);
uint8_t *turnd_stream_place(struct turnd *t, const struct turn_flow *flow, size_t n);
void turnd_stream_close(struct turnd *t, const struct turn_flow *flow);

/* turn_ops.hand_over for flows whose conn is not 0. */
bool turnd_stream_hand_over(
	struct turnd *t, const struct turn_flow *flow, unsigned worker, struct slice request);

/* A datagram whose first byte is 20-63 (RFC 7983), on a listener with `dtls`. May be changed in place. */
void turnd_dtls_rx(struct turnd *t, struct turnd_listener *l, struct udp_dgram *d);

/*
 * RFC 6062. relay->own.sock.local is the address to listen on and to connect from. 0; -ERR_EXISTS:
 * the port is in use by another program, and another one is tried; -ERR_NO_ROOM.
 */
MUST_CHECK int turnd_tcp_relay_open(struct turnd *t, struct turn_relay *relay);
void turnd_tcp_relay_close(struct turnd *t, struct turn_relay *relay);
int turnd_peer_connect(struct turnd *t, struct turn_relay *relay, const struct addr *peer,
	uint32_t id, struct turn_peer **out);
void turnd_peer_close(struct turnd *t, struct turn_peer *peer);
void turnd_peer_splice(struct turnd *t, struct turn_peer *peer, const struct turn_flow *data);
