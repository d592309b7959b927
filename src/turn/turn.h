/*
 * turn: the STUN and TURN server's protocol (RFC 8489, RFC 8656, RFC 6062, RFC 8016, RFC 5780).
 *
 * Sans-IO: bytes and the time come in, bytes and calls of turn_ops go out. It owns allocations,
 * permissions, channels,
 * reservations and the answers that retransmissions get; turnd/ owns sockets and connections. One
 * server per worker,
 * touched by that thread only; what workers share (quotas) is in quota.h. The data path
 * (turn_rx_channel, turn_rx_peer)
 * allocates nothing and logs nothing.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/addr.h"
#include "base/err.h"
#include "base/slice.h"
#include "base/wheel.h"
#include "turn/auth.h"
#include "turn/policy.h"
#include "turn/quota.h"

enum turn_transport { TURN_UDP, TURN_TCP, TURN_TLS, TURN_DTLS, TURN_TRANSPORT_N };

enum {
	/* RFC 8656 §12 has clients stay below 0x5000; those of RFC 5766 (coturn's, Debian 12) take all of these. */
	TURN_CHANNEL_FIRST = 0x4000,
	TURN_CHANNEL_LAST = 0x7FFF,
	TURN_CHANNEL_HDR_LEN = 4,
	TURN_OUT_MAX = 2048, /* longest control message that is ever sent */
};

/*
 * Where a client's bytes come from and where answers go: its 5-tuple. `conn` names a stream or DTLS
 * connection of
 * turnd and is never used twice; it is 0 for plain UDP, whose flow is (listener, client).
 */
struct turn_flow {
	enum turn_transport transport;
	uint16_t listener; /* turnd's number of the listening socket */
	uint64_t conn;
	struct addr client;
	struct addr server; /* as the client knows it: turnd_listen.known_as if that is set */
};

struct turn_server;
struct turn_alloc;
struct turn_relay; /* turnd's: one relayed transport address */
struct turn_peer;  /* turnd's: one TCP connection to a peer (RFC 6062) */

/* What port a relayed address is wanted on (RFC 8656 §7.2). */
enum turn_port_want { TURN_PORT_ANY, TURN_PORT_EVEN, TURN_PORT_EVEN_AND_NEXT, TURN_PORT_RESERVED };

/*
 * All calls come from within a call of this module; none may call back into it but where it says
 * so.
 */
struct turn_ops {
	/*
	 * A whole STUN message or ChannelData to the client; borrowed. `is_data`: may be dropped
	 * under back-pressure.
	 */
	void (*send)(void *arg, const struct turn_flow *flow, struct slice bytes, bool is_data);
	/*
	 * RFC 5780: an answer over UDP that leaves from another of the four sockets, the one that clients know as
	 * `from`. May be NULL without cfg.other_address.
	 */
	void (*send_from)(void *arg, const struct addr *from, const struct addr *to,
		struct slice bytes);
	/*
	 * A request about what another worker's server holds: a reservation, a mobile allocation, a peer's connection.
	 * True: it goes there as it came, and so does all that follows on this flow. NULL: there is one worker.
	 */
	bool (*hand_over)(void *arg, const struct turn_flow *flow, unsigned worker,
		struct slice request);
	/* Unix time in seconds: what ephemeral credentials are judged by. Control path; never NULL. */
	uint64_t (*wall_s)(void *arg);

	/*
	 * Takes a relayed address for `alloc`. family is AF_INET or AF_INET6, is_tcp for RFC 6062.
	 * With EVEN_AND_NEXT the
	 * next port is put aside under *reservation, which RESERVED takes up and relay_unreserve
	 * gives up.
	 * *relayed is what clients are told (external-ip applied), *relay what relay_… take.
	 * -ERR_NO_ROOM: no port is left (508); -ERR_UNSUPPORTED: no relay address of this family
	 * (440).
	 */
	int (*relay_open)(void *arg, struct turn_alloc *alloc, int family, bool is_tcp,
		enum turn_port_want want, uint64_t *reservation, struct addr *relayed,
		struct turn_relay **relay);
	void (*relay_unreserve)(void *arg, uint64_t reservation);
	/*
	 * The first permission is about to be given: from now on datagrams may flow. 0 or
	 * -ERR_NO_ROOM (508).
	 */
	int (*relay_start)(void *arg, struct turn_relay *relay);
	void (*relay_close)(void *arg, struct turn_relay *relay);

	/*
	 * One datagram to a peer; borrowed during the call. Data path. df: DONT-FRAGMENT was asked
	 * for.
	 */
	void (*relay_send)(void *arg, struct turn_relay *relay, const struct addr *peer,
		struct slice payload, bool df);
	/*
	 * A place for n bytes that go to the client as they are, valid until the next call; NULL:
	 * dropped and counted.
	 * Data path of peer → client, instead of `send`.
	 */
	uint8_t *(*client_place)(void *arg, const struct turn_flow *flow, size_t n);

	/* A channel was bound or let go: where an in-kernel path would learn of it. May be NULL. */
	void (*channel_changed)(void *arg, const struct turn_flow *flow, struct turn_relay *relay,
		uint16_t number, const struct addr *peer, bool is_bound);

	/*
	 * RFC 6062: opens a connection from the relayed address; turn_peer_connected or
	 * turn_peer_failed follows, later.
	 */
	int (*peer_connect)(void *arg, struct turn_relay *relay, const struct addr *peer,
		uint32_t id, struct turn_peer **out);
	/* Also ends the client's data connection if there is one. The handle is dead afterwards. */
	void (*peer_close)(void *arg, struct turn_peer *peer);
	/*
	 * After ConnectionBind's answer was sent on `data`: from now on bytes go between the two,
	 * until turn_peer_closed (either end went away) or peer_close.
	 */
	void (*peer_splice)(void *arg, struct turn_peer *peer, const struct turn_flow *data);

	/*
	 * The allocation on this connection is gone, or the client misbehaves: closes a stream
	 * (never called for UDP).
	 */
	void (*flow_close)(void *arg, const struct turn_flow *flow);

	/* An allocation began, or was refreshed: for statistics. May be NULL. */
	void (*kept)(void *arg, const struct turn_alloc *alloc, bool is_new);
	/* An allocation ended: for the log line and for statistics. */
	void (*ended)(void *arg, const struct turn_alloc *alloc, const char *reason);
};

/*
 * Copied; what it points to is borrowed for the server's life or until turn_reload. Everywhere 0 =
 * no limit unless said.
 */
struct turn_cfg {
	const char *software; /* SOFTWARE attribute; "" = none is sent */
	bool with_fingerprint;
	bool no_udp_relay, no_tcp_relay, no_mobility, stun_only, no_stun, secure_stun;
	uint64_t lifetime_default_us, lifetime_max_us; /* 600 s, 3600 s */
	uint64_t permission_us, channel_us;            /* 300 s, 600 s */
	uint32_t allocations_max;                      /* of this worker */
	uint32_t permissions_per_allocation, channels_per_allocation, tcp_per_allocation;
	uint64_t allocation_bytes_per_s; /* each allocation, each direction ("max-bps") */
	/*
	 * Answers to addresses that have proved nothing: bytes beyond what they sent, per second
	 * and address.
	 */
	uint32_t unauthenticated_bytes_per_s;
	uint32_t allocations_per_address_per_s;
	/* Wrong passwords a minute: with one user name from one address, and with all of them from one address. */
	uint32_t auth_failures_per_user, auth_failures_per_address;
	/*
	 * RFC 5780: all set or none. The addresses the four sockets are known by; [0] primary, [1]
	 * other.
	 */
	const struct addr *other_address; /* NULL = no NAT discovery */
	const char *alternate_server; /* "192.0.2.1:3478" or "[2001:db8::1]:3478", "" = none; 300 while draining */
	uint8_t worker; /* which server of the process this is: tokens, tickets and connection ids name it */
	/* Bounds of tables; taken when the server is made. Here 0 = the value in brackets. */
	uint32_t addresses_max;    /* addresses, and users who failed there, that limits are kept for (8192) */
	uint32_t answers_max;      /* answers kept for retransmissions (8192) */
	uint32_t pending_max;      /* requests that wait for a database (1024) */
	uint32_t reservations_max; /* ports put aside by EVEN-PORT (256) */
};

/* Returns owned. `auth`, `policy` and `quota` are borrowed. */
MUST_CHECK struct turn_server *turn_server_new(const struct turn_cfg *cfg, struct turn_auth *auth,
	const struct turn_policy *policy, struct turn_quota *quota, struct wheel *wheel,
	const struct turn_ops *ops, void *arg);

/* Ends all allocations without a word to their clients. Accepts NULL. */
void turn_server_free(struct turn_server *s);

/*
 * New settings for what comes; what runs stays, but for peers that the new policy denies. auth keeps its place and
 * was reloaded by itself.
 */
void turn_reload(
	struct turn_server *s, const struct turn_cfg *cfg, const struct turn_policy *policy);

/* No new allocations from now on (300 with alternate_server, else 486); running ones go on. */
void turn_drain(struct turn_server *s);

/*
 * What becomes of Allocate requests that are good: with TURN_HOLD_WAIT they are kept until it is something else (as
 * those that wait for a look-up are), with TURN_HOLD_REFUSE they get 500. TURN_HOLD_NONE at first.
 */
enum turn_hold { TURN_HOLD_NONE, TURN_HOLD_WAIT, TURN_HOLD_REFUSE };
void turn_hold(struct turn_server *s, enum turn_hold hold, uint64_t now_us);

/*
 * One STUN message from a client. Anything else is counted as a drop. Control path (Send
 * indications: data path).
 */
void turn_rx_stun(struct turn_server *s, const struct turn_flow *flow, uint8_t *p, size_t n,
	uint64_t now_us);

/* One ChannelData message, header first, padding at the end allowed (RFC 8656 §12.4). Data path. */
void turn_rx_channel(struct turn_server *s, const struct turn_flow *flow, uint8_t *p, size_t n,
	uint64_t now_us);

/* One datagram from a peer on a relayed address of `alloc`. Data path. */
void turn_rx_peer(struct turn_server *s, struct turn_alloc *alloc, struct turn_relay *relay,
	const struct addr *from, const uint8_t *p, size_t n, uint64_t now_us);

/* An ICMP error came back for a datagram to `peer` (RFC 8656 §11.6): Data indication with ICMP. */
void turn_rx_icmp(struct turn_server *s, struct turn_alloc *alloc, const struct addr *peer,
	uint8_t icmp_type, uint8_t icmp_code, uint32_t error_data);

/* The client's connection is gone: its allocation ends (kept for a while if it is mobile). */
void turn_flow_closed(struct turn_server *s, const struct turn_flow *flow);

/* True while an allocation belongs to this flow: its connection may be silent for long. */
bool turn_flow_has_alloc(const struct turn_server *s, const struct turn_flow *flow);

/* The same, or a request on this flow waits for a look-up and may make one. */
bool turn_flow_is_here(const struct turn_server *s, const struct turn_flow *flow);

/*
 * RFC 6062, answers to peer_connect, and a peer that connected by itself: turn_peer_incoming
 * returns false to refuse it. After turn_peer_failed, turn_peer_closed and a refusal the handle is
 * turnd's alone.
 */
void turn_peer_connected(struct turn_server *s, struct turn_alloc *alloc, uint32_t id);
void turn_peer_failed(struct turn_server *s, struct turn_alloc *alloc, uint32_t id);
bool turn_peer_incoming(struct turn_server *s, struct turn_alloc *alloc, struct turn_relay *relay,
	const struct addr *from, struct turn_peer *peer);
void turn_peer_closed(struct turn_server *s, struct turn_alloc *alloc, struct turn_peer *peer);

/*
 * Bytes between a TCP connection's ends: to the peer, or to the client. They are taken from the limits of the
 * allocation, its user and the server as datagrams are, but cannot be dropped: while may_pass is false nothing more is
 * to be read from where they come. passed counts what was read.
 */
bool turn_tcp_may_pass(struct turn_alloc *alloc, bool is_to_peer, uint64_t now_us);
void turn_tcp_passed(struct turn_alloc *alloc, bool is_to_peer, size_t n, uint64_t now_us);

/*
 * A look-up that auth had asked for is done (turn_auth_done was called): requests that wait for it
 * are taken up.
 */
void turn_auth_ready(struct turn_server *s, uint64_t lookup, uint64_t now_us);

/* Figures of one allocation, for lists, logs and statistics. Strings are borrowed. */
struct turn_alloc_info {
	uint64_t id; /* unique in the process */
	const char *username, *realm;
	struct turn_flow flow;
	struct addr relayed[2]; /* sa_family 0 = none: IPv4, IPv6 */
	uint64_t started_us, expires_us;
	unsigned permissions, channels, tcp_connections;
	/* From the client's side: received from it, sent to it; then from the peers' side. */
	uint64_t packets_in, bytes_in, packets_out, bytes_out;
	uint64_t peer_packets_in, peer_bytes_in, peer_packets_out, peer_bytes_out, dropped;
	bool is_tcp_relay, is_mobile;
};
void turn_alloc_info(const struct turn_alloc *alloc, struct turn_alloc_info *out);
size_t turn_alloc_count(const struct turn_server *s);
/* Walks all: start with NULL, NULL at the end. Nothing may be freed meanwhile. */
struct turn_alloc *turn_alloc_next(const struct turn_server *s, struct turn_alloc *after);
/* By id; ends it with `reason`. -ERR_NOT_FOUND. */
MUST_CHECK int turn_alloc_end(struct turn_server *s, uint64_t id, const char *reason);
