/*
 * conn: the client's half of a signal connection, without its socket: messages in, requests and
 * answers out.
 *
 * Runs on the front thread. Assembles nothing: it is given whole messages, as the WebSocket layer
 * has put them together. Pings are answered here, so that a busy room cannot make clients believe
 * the server is gone.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"
#include "proto/signal.pb-c.h"

enum {
	SIGNAL_RATE_PER_S = 500, /* messages of one client, on average */
	SIGNAL_RATE_BURST = 1000,
	SIGNAL_BAD_MAX = 10, /* undecodable messages in a row */
};

/* RFC 6455 §7.4.1. */
enum {
	SIGNAL_CLOSE_NORMAL = 1000,
	SIGNAL_CLOSE_GOING_AWAY = 1001,
	SIGNAL_CLOSE_UNSUPPORTED = 1003,
	SIGNAL_CLOSE_POLICY = 1008,
	SIGNAL_CLOSE_TOO_LARGE = 1009,
	SIGNAL_CLOSE_INTERNAL = 1011,
	SIGNAL_CLOSE_TRY_LATER = 1013,
};

/* Plain data; zeroed by signal_conn_init. */
struct signal_conn {
	bool is_json; /* what the client spoke last, and so what it is answered in */
	uint32_t bad_in_row;
	uint64_t tokens_us; /* rate limit: time credit, 1 s worth SIGNAL_RATE_PER_S messages */
	uint64_t refilled_us;
};

struct signal_conn_ops {
	/* A binary SignalResponse for this client (a pong). Borrowed for the call. */
	void (*send)(void *arg, struct slice signal_response);
	/* Takes req. */
	void (*request)(void *arg, Livekit__SignalRequest *req);
};

void signal_conn_init(struct signal_conn *c, uint64_t now_us);

/*
 * One message: protobuf, or JSON if is_text. Returns 0, also for a message that was thrown away, or
 * -ERR_X with the close code in *ws_code when the connection must end: -ERR_MALFORMED after
 * SIGNAL_BAD_MAX undecodable messages in a row, -ERR_NO_ROOM when the client sends faster than
 * SIGNAL_RATE_PER_S for longer than the burst lasts.
 */
MUST_CHECK int signal_conn_rx(struct signal_conn *c, struct slice msg, bool is_text,
	uint64_t now_us, uint64_t wall_us, const struct signal_conn_ops *ops, void *arg,
	uint16_t *ws_code);

/* The JSON text of a binary SignalResponse, for a client with is_json. 0, or -ERR_MALFORMED. */
MUST_CHECK int signal_conn_json(struct slice signal_response, struct buf *json);
