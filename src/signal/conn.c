#include "signal/conn.h"

#include "base/clock.h"
#include "base/metric.h"
#include "pb/pb_json.h"

enum { PONG_BYTES_MAX = 64, COST_US = US_PER_S / SIGNAL_RATE_PER_S };

void signal_conn_init(struct signal_conn *c, uint64_t now_us)
{
	*c = (struct signal_conn){
		.tokens_us = (uint64_t)SIGNAL_RATE_BURST * COST_US, .refilled_us = now_us};
}

/* Token bucket, with microseconds as the currency: a message costs COST_US of them. */
static bool take_token(struct signal_conn *c, uint64_t now_us)
{
	if (now_us > c->refilled_us) {
		uint64_t full = (uint64_t)SIGNAL_RATE_BURST * COST_US;
		c->tokens_us = MIN(c->tokens_us + (now_us - c->refilled_us), full);
		c->refilled_us = now_us;
	}
	if (c->tokens_us < COST_US)
		return false;
	c->tokens_us -= COST_US;
	return true;
}

static int decode(struct slice msg, bool is_text, Livekit__SignalRequest **req)
{
	const ProtobufCMessageDescriptor *desc = &livekit__signal_request__descriptor;
	ProtobufCMessage *m = NULL;
	int err = is_text ? pb_json_decode(desc, msg, &pb_signal_limits, &m, NULL)
			  : pb_decode(desc, msg, &pb_signal_limits, &m);
	*req = (Livekit__SignalRequest *)m;
	return err;
}

static void send(const Livekit__SignalResponse *r, const struct signal_conn_ops *ops, void *arg)
{
	struct buf b;
	buf_init(&b, PONG_BYTES_MAX);
	if (pb_encode(r, &b) == 0)
		ops->send(arg, buf_slice(&b));
	buf_free(&b);
}

/* Clients that know both kinds send both, and take either answer as a sign of life. */
static void answer_ping(uint64_t wall_us, const struct signal_conn_ops *ops, void *arg)
{
	Livekit__SignalResponse r = LIVEKIT__SIGNAL_RESPONSE__INIT;
	r.message_case = LIVEKIT__SIGNAL_RESPONSE__MESSAGE_PONG;
	r.pong = (int64_t)(wall_us / US_PER_MS);
	send(&r, ops, arg);
}

static void answer_ping_req(
	const Livekit__Ping *ping, uint64_t wall_us, const struct signal_conn_ops *ops, void *arg)
{
	Livekit__Pong pong = LIVEKIT__PONG__INIT;
	pong.has_last_ping_timestamp = pong.has_timestamp = true;
	pong.last_ping_timestamp = ping->timestamp;
	pong.timestamp = (int64_t)(wall_us / US_PER_MS);
	Livekit__SignalResponse r = LIVEKIT__SIGNAL_RESPONSE__INIT;
	r.message_case = LIVEKIT__SIGNAL_RESPONSE__MESSAGE_PONG_RESP;
	r.pong_resp = &pong;
	send(&r, ops, arg);
}

static void dispatch(
	Livekit__SignalRequest *req, uint64_t wall_us, const struct signal_conn_ops *ops, void *arg)
{
	switch (req->message_case) {
	case LIVEKIT__SIGNAL_REQUEST__MESSAGE_PING: answer_ping(wall_us, ops, arg); break;
	case LIVEKIT__SIGNAL_REQUEST__MESSAGE_PING_REQ:
		answer_ping_req(req->ping_req, wall_us, ops, arg);
		break;
	case LIVEKIT__SIGNAL_REQUEST__MESSAGE__NOT_SET:
		break; /* a newer client's message: nothing we could do with it */
	default: ops->request(arg, req); return;
	}
	pb_free(req);
}

int signal_conn_rx(struct signal_conn *c, struct slice msg, bool is_text, uint64_t now_us,
	uint64_t wall_us, const struct signal_conn_ops *ops, void *arg, uint16_t *ws_code)
{
	Livekit__SignalRequest *req;
	metric_inc(M_SIGNAL_IN);
	if (!take_token(c, now_us)) {
		*ws_code = SIGNAL_CLOSE_POLICY;
		return -ERR_NO_ROOM;
	}
	c->is_json = is_text;
	if (decode(msg, is_text, &req) != 0) {
		metric_inc(M_SIGNAL_BAD);
		if (++c->bad_in_row < SIGNAL_BAD_MAX)
			return 0;
		*ws_code = SIGNAL_CLOSE_UNSUPPORTED;
		return -ERR_MALFORMED;
	}
	c->bad_in_row = 0;
	dispatch(req, wall_us, ops, arg);
	return 0;
}

int signal_conn_json(struct slice signal_response, struct buf *json)
{
	/* Our own bytes: no limit but memory applies. */
	static const struct pb_limits own = {
		.size = SIZE_MAX, .memory = SIZE_MAX, .elements = UINT32_MAX, .depth = 64};
	ProtobufCMessage *m;
	int err = pb_decode(&livekit__signal_response__descriptor, signal_response, &own, &m);
	if (err)
		return err;
	err = pb_json_encode(m, json);
	pb_free(m);
	return err;
}
