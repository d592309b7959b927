/*
 * front: HTTP and WebSocket on a thread of its own, with libwebsockets.
 *
 * It owns all sockets of the HTTP port: the web app, health and metrics, the checks before a join,
 * and the signal WebSockets. It knows no room: what a client says is decoded here and handed over
 * through front_ops; what a room answers comes back through front_send and front_close.
 *
 * Each signal WebSocket is a `conn`: a handle that is never used twice, so a late front_send to a
 * connection that is gone does nothing.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/addr.h"
#include "base/buf.h"
#include "base/err.h"
#include "icelist/icelist.h"
#include "signal/join.h"

struct front;

/* Which routes there are. */
enum front_scope {
	FRONT_SCOPE_ALL,
	FRONT_SCOPE_TURN,    /* of a TURN server alone: health, metrics, ICE servers, sessions */
	FRONT_SCOPE_METRICS, /* /metrics and health */
};

/* What an administrator asks the TURN server: see front_cfg.turn_ask. */
struct front_turn_ask {
	struct front *front;
	uint64_t token; /* for front_turn_part */
	uint64_t id;    /* 0: a list; else the session to end */
	const char *user; /* list: of this user; "" = all */
	uint32_t limit;   /* list: most sessions */
};

/* A file of the web app, compiled into the binary. All of it is static and borrowed. */
struct front_asset {
	const char *path; /* "/index.html", "/assets/index-3f2a.js" */
	const char *content_type;
	const char *etag; /* with its quotes: "\"3f2a…\"" */
	const uint8_t *gzip;
	size_t gzip_n;
	bool immutable; /* the name carries a hash of the content: cache for a year */
};

/*
 * Copied; what it points to is borrowed until front_stop has returned, but `bind` and
 * `join_limits`, which are copied, and `keys` and `ice`, which are referenced. A limit of 0 means none where
 * it is allowed.
 */
struct front_cfg {
	const struct addr *bind; /* ports are ignored; n_bind == 0: all addresses, IPv6 and IPv4 */
	size_t n_bind;
	uint16_t port; /* 0: the kernel picks one, see front_port */

	uint32_t max_connections;  /* HTTP and WebSocket together; 0: FRONT_CONNECTIONS_DEFAULT */
	uint32_t header_timeout_s; /* a whole request head must arrive in this time; 0: 10 */
	uint32_t keepalive_timeout_s;  /* idle HTTP connection; 0: 60 */
	uint32_t ping_interval_s;      /* WebSocket ping control frames; 0: 10 */
	size_t signal_message_bytes;   /* from a client, after inflation; 0: no limit */
	size_t signal_out_queue_bytes; /* waiting for one client; 0: FRONT_OUT_QUEUE_DEFAULT */
	uint32_t mailbox_messages;     /* per sending thread; 0: 16384 */

	bool dev;                                        /* GET /dev/token exists */
	const char *metrics_username, *metrics_password; /* "" or NULL: /metrics is open */
	const struct front_asset *assets; /* the web app; none: "/" answers OK to everybody */
	size_t n_assets;
	const struct signal_join_limits *join_limits; /* NULL: SIGNAL_JOIN_LIMITS_DEFAULT */
	struct auth_keys *keys;
	struct icelist *ice;              /* NULL: no ICE servers */
	uint32_t ice_requests_per_minute; /* of an address; 0: no limit */
	uint32_t ice_request_addresses;   /* counted at one time; 0: 4096 */
	enum front_scope scope;
	bool no_metrics; /* /metrics is on a port of its own */
	/*
	 * Asks all workers; returns how many will answer with front_turn_part, each once. On the front thread; NULL: no
	 * TURN server, 404. After two seconds the answer is made of what has come.
	 */
	unsigned (*turn_ask)(void *arg, const struct front_turn_ask *ask);
	void *turn_arg;
	bool auto_create; /* a join makes a room that does not exist */
};

enum {
	FRONT_CONNECTIONS_DEFAULT = 10000,
	FRONT_OUT_QUEUE_DEFAULT = 8 << 20,
	FRONT_REQUEST_LINE_MAX = 65535, /* bytes of path and query; a longer one gets 414 */
	FRONT_BODY_MAX = 10 << 20,      /* Content-Length; a larger one gets 413 */
};

/* Called on the front thread. None may block. */
struct front_ops {
	/* Is there such a room now? Asked only if rooms are not made by joining. */
	bool (*room_exists)(void *arg, const char *room);

	/*
	 * A client passed all checks and its WebSocket is open. Takes params
	 * (signal_join_params_free).
	 */
	void (*signal_open)(void *arg, uint64_t conn, struct signal_join_params *params);

	/* One decoded message; pings never come here. Takes req (pb_free). */
	void (*signal_request)(void *arg, uint64_t conn, Livekit__SignalRequest *req);

	/*
	 * The WebSocket is gone, for whatever reason, front_close included. Exactly once after
	 * signal_open.
	 */
	void (*signal_closed)(void *arg, uint64_t conn);

	/*
	 * 0 if the server may take joins; else appends a few words on what is missing and returns
	 * -ERR_BAD_STATE.
	 */
	int (*ready)(void *arg, struct buf *why_not);
};

/*
 * Binds the port, then starts the thread. -ERR_SYSTEM with one line in eb if an address cannot be
 * bound (in use, not ours, not allowed) or the thread cannot start. ops and arg are borrowed until
 * front_stop; they may be called before this returns, *out is set by then.
 */
MUST_CHECK int front_start(struct front **out, const struct front_cfg *cfg,
	const struct front_ops *ops, void *arg, struct errbuf *eb);

/* The port in use: the one asked for, or the one the kernel picked. */
uint16_t front_port(const struct front *f);

/*
 * Any thread that may post (thread/mbox.h). Queues one binary SignalResponse for the client; it is
 * copied, and turned into JSON if that is what the client speaks. Messages of one thread to one
 * conn keep their order. If the queue of the connection or of the thread is full the connection is
 * closed, because no message may be skipped.
 */
void front_send(struct front *f, uint64_t conn, struct slice signal_response);

/* The same to n clients, with one message between the threads however many they are. */
void front_send_many(
	struct front *f, const uint64_t *conns, size_t n, struct slice signal_response);

/*
 * Any thread that may post. Closes with `ws_code` (RFC 6455 §7.4) once all that was sent before is
 * written.
 */
void front_close(struct front *f, uint64_t conn, uint16_t ws_code);

/*
 * Any thread that may post: an HTTP connection that somebody else accepted, TLS already taken off. Takes fd, a stream
 * socket of any family; `client` is who is at its other end.
 */
void front_adopt(struct front *f, int fd, const struct addr *client);

/* Any thread that may post: tokens are checked with these keys from now on. References them. */
void front_set_keys(struct front *f, struct auth_keys *keys);

/* Any thread that may post: GET /api/v1/config/webrtc answers with this list from now on. References it. */
void front_set_ice(struct front *f, struct icelist *ice);

/*
 * Any thread that may post: one worker's answer to turn_ask. `json`: n objects, one a line; copied.
 * For an end: n is 1 if it had the session.
 */
void front_turn_part(struct front *f, uint64_t token, struct slice json, unsigned n);

/* Any thread: from now on /readyz says no and joins get 503; open connections stay. */
void front_drain(struct front *f);

/*
 * Closes all connections with 1001 (signal_closed is called for each; for those that do not close in time by the
 * calling thread, after the front's has ended), joins the thread, frees f.
 * No other thread may use f any more when this is called. Accepts NULL.
 */
void front_stop(struct front *f);
