/*
 * turnd_internal: what the files of turnd share. Worker's thread only, but for what turnd_shared holds.
 *
 *   turnd.c   puts it together, turn_ops, names of connections      ports.c   free ports of a relay address
 *   udp.c     UDP listeners, both transmit queues                   relay.c   relayed addresses
 *   hairpin.c turnd_shared, what never touches a socket             stream.c, dtls.c, tls.c, tcp_relay.c, proxy.c
 *
 * Order at the end of a turn (turnd_end_turn): relay_tx → rtc_flush → streams → client_tx. Flushing relay_tx may hand
 * packets to the SFU, whose flush may hand packets back, for clients; nothing that goes to a client makes new packets.
 */
#pragma once
#include "base/list.h"
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

/* A place in the transmit arena of client_tx, and the relay sockets; see relay.c. */
struct turn_relay {
	struct turnd *t;
	struct turn_alloc *alloc;
	uint16_t port;
	uint8_t addr_index;  /* in t->relay_addrs */
	bool is_tcp;
	bool is_open;        /* its own socket exists */
	uint8_t sfu_form;    /* by which of its addresses the SFU was last spoken to; see hairpin.c */
	struct udp_sock sock; /* its own; fd -1 until it is started. local = bound address */
	struct ev_io io;
	struct addr advertised; /* what the client was told, port included */
	void *tcp;           /* tcp_relay.c's, NULL for UDP */
	struct list peers;   /* multiplexed: its entries in the socket's table */
	uint32_t n_peers;
};

/* One relay address on this worker. */
struct turnd_relay_home {
	struct turnd *t;
	struct turnd_relay_addr cfg; /* advertised always set */
	uint8_t index;
	struct turnd_ports udp_ports, tcp_ports;
	struct turn_relay **by_port; /* UDP; index is turnd_ports_index(port) */
	struct turnd_mux *mux;       /* multiplex_peer: the one socket; else NULL */
};

struct turnd {
	struct worker *worker;
	struct rtc *rtc; /* NULL without an SFU */
	struct turnd_shared *shared;
	struct turnd_cfg cfg; /* owned copies of all it points to */
	struct turn_server *server;

	struct turnd_listener *listeners;
	size_t n_listeners;
	struct udp_rx *rx, *relay_rx;
	struct udp_tx *client_tx, *relay_tx;

	struct turnd_relay_home homes[TURND_RELAY_ADDRS_MAX];
	size_t n_homes;
	size_t n_relay_sockets;
	bool rtc_is_fed; /* the hairpin gave the SFU packets that it borrows until rtc_flush */

	struct turnd_conns conns;
	struct turnd_streams *streams; /* stream.c's, NULL until turnd_streams_open */

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
 * NULL: longer than UDP_TX_MAX, counted. Data path. DTLS records leave this way as well.
 */
uint8_t *turnd_udp_place(
	struct turnd *t, struct turnd_listener *l, const struct addr *client, size_t n);

/* The listener whose `server` is this address; NULL if none is (RFC 5780: answers from the other sockets). */
struct turnd_listener *turnd_listener_at(struct turnd *t, const struct addr *server);

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

/* The relay on this worker that has this port and accepts datagrams of this peer; NULL if none. */
struct turn_relay *turnd_relay_find(
	struct turnd *t, unsigned addr_index, uint16_t port, const struct addr *from);

/* ---------------------------------------------------------------------------------------- hairpin.c */

MUST_CHECK int turnd_hairpin_open(struct turnd *t);
void turnd_hairpin_close(struct turnd *t);

/* The divert of relay_tx, and of the SFU's transmit queue (net/udp.h). */
bool turnd_hairpin_from_relay(void *arg, struct udp_sock *s, const struct addr *to, uint8_t *p,
	size_t n, size_t seg);
bool turnd_hairpin_from_rtc(void *arg, struct udp_sock *s, const struct addr *to, uint8_t *p,
	size_t n, size_t seg);

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
void turnd_stream_send(struct turnd *t, const struct turn_flow *flow, struct slice bytes, bool is_data);
uint8_t *turnd_stream_place(struct turnd *t, const struct turn_flow *flow, size_t n);
void turnd_stream_close(struct turnd *t, const struct turn_flow *flow);

/* A datagram whose first byte is 20-63 (RFC 7983), on a listener with `dtls`. May be changed in place. */
void turnd_dtls_rx(struct turnd *t, struct turnd_listener *l, struct udp_dgram *d);

/*
 * RFC 6062. relay->sock.local is the address to listen on and to connect from. 0; -ERR_EXISTS: the port is in use by
 * another program, and another one is tried; -ERR_NO_ROOM.
 */
MUST_CHECK int turnd_tcp_relay_open(struct turnd *t, struct turn_relay *relay);
void turnd_tcp_relay_close(struct turnd *t, struct turn_relay *relay);
int turnd_peer_connect(struct turnd *t, struct turn_relay *relay, const struct addr *peer,
	uint32_t id, struct turn_peer **out);
void turnd_peer_close(struct turnd *t, struct turn_peer *peer);
void turnd_peer_splice(struct turnd *t, struct turn_peer *peer, const struct turn_flow *data);
