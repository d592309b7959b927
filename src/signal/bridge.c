#include "signal/bridge.h"

#include <sched.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/metric.h"
#include "pb/pb.h"
#include "signal/conn.h"
#include "signal/dispatch.h"

struct bridge {
	struct registry *registry;
	struct bridge_target *targets;
	unsigned n_targets;
	struct map conns; /* conn → struct bridge_conn; front thread only */
	struct front *const *front;
	struct bridge_limits limits; /* atomic */
	uint64_t rate, rate_bytes, rate_at_us; /* front thread only */
};

struct bridge_conn {
	struct bridge_target *target;
	bool is_broken; /* a message did not get through: none may follow */
};

/* ------------------------------------------------------------------ messages to a worker */

struct open_msg {
	struct msg msg;
	struct rooms *rooms;
	uint64_t conn;
	struct signal_join_params *params; /* owned */
};

static void open_drop(struct msg *m)
{
	struct open_msg *open = CONTAINER_OF(m, struct open_msg, msg);
	signal_join_params_free(open->params);
	xfree(open);
}

static void open_handle(void *receiver, struct msg *m)
{
	struct open_msg *open = CONTAINER_OF(m, struct open_msg, msg);
	struct signal_join_params *params = open->params;
	(void)receiver;
	struct room_join join = {
		.conn = open->conn,
		.grants = params->grants,
		.request = params->request,
		.is_single_pc = params->is_single_pc,
		.auto_subscribe = params->auto_subscribe,
		.adaptive_stream = params->adaptive_stream,
		.is_reconnect = params->reconnect,
	};
	params->grants = NULL; /* the room's now */
	rooms_join(open->rooms, &join);
	open_drop(m);
}

static const struct msg_kind open_kind = {"signal.open", open_handle, open_drop};

struct request_msg {
	struct msg msg;
	struct rooms *rooms;
	uint64_t conn;
	Livekit__SignalRequest *req; /* owned */
};

static void request_drop(struct msg *m)
{
	struct request_msg *request = CONTAINER_OF(m, struct request_msg, msg);
	pb_free(request->req);
	xfree(request);
}

static void request_handle(void *receiver, struct msg *m)
{
	struct request_msg *request = CONTAINER_OF(m, struct request_msg, msg);
	(void)receiver;
	signal_dispatch(request->rooms, request->conn, request->req);
	request_drop(m);
}

static const struct msg_kind request_kind = {"signal.request", request_handle, request_drop};

struct closed_msg {
	struct msg msg;
	struct rooms *rooms;
	uint64_t conn;
};

static void closed_drop(struct msg *m)
{
	xfree(CONTAINER_OF(m, struct closed_msg, msg));
}

static void closed_handle(void *receiver, struct msg *m)
{
	struct closed_msg *closed = CONTAINER_OF(m, struct closed_msg, msg);
	(void)receiver;
	rooms_conn_closed(closed->rooms, closed->conn);
	closed_drop(m);
}

static const struct msg_kind closed_kind = {"signal.closed", closed_handle, closed_drop};

/* ------------------------------------------------------------------ front thread */

static struct slice key(const uint64_t *conn)
{
	return slice_of(conn, sizeof *conn);
}

static bool on_room_exists(void *arg, const char *room)
{
	const struct bridge *b = arg;
	return registry_has(b->registry, room);
}

static void on_open(void *arg, uint64_t conn, struct signal_join_params *params)
{
	struct bridge *b = arg;
	struct bridge_target *target = &b->targets[registry_announce(b->registry, params->room)];
	struct open_msg *m = XNEW(struct open_msg);
	*m = (struct open_msg){{&open_kind}, target->rooms, conn, params};
	struct bridge_conn *c = XNEW(struct bridge_conn);
	c->target = target;
	map_put(&b->conns, key(&conn), c);
	if (mbox_post(&target->worker->mbox, &m->msg) == 0)
		return;
	LOG_WARN("worker is overloaded, join refused", F_UINT("worker", target->worker->index));
	registry_withdraw(b->registry, params->room);
	open_drop(&m->msg);
	c->is_broken = true;
	front_close(*b->front, conn, SIGNAL_CLOSE_TRY_LATER);
}

static void on_request(void *arg, uint64_t conn, Livekit__SignalRequest *req)
{
	struct bridge *b = arg;
	struct bridge_conn *c = map_get(&b->conns, key(&conn));
	if (!c || c->is_broken) {
		pb_free(req);
		return;
	}
	struct request_msg *m = XNEW(struct request_msg);
	*m = (struct request_msg){{&request_kind}, c->target->rooms, conn, req};
	if (mbox_post(&c->target->worker->mbox, &m->msg) == 0)
		return;
	/* No request may be lost in the middle of a conversation: the client starts anew. */
	request_drop(&m->msg);
	c->is_broken = true;
	front_close(*b->front, conn, SIGNAL_CLOSE_TRY_LATER);
}

/*
 * The one message that must arrive, or the participant would stay for ever; a full lane empties as soon as the worker
 * comes round, so the front may wait for it.
 */
static void on_closed(void *arg, uint64_t conn)
{
	struct bridge *b = arg;
	struct bridge_conn *c = map_del(&b->conns, key(&conn));
	if (!c)
		return;
	struct bridge_target *target = c->target;
	xfree(c);
	struct closed_msg *m = XNEW(struct closed_msg);
	*m = (struct closed_msg){{&closed_kind}, target->rooms, conn};
	while (mbox_post(&target->worker->mbox, &m->msg) != 0) {
		if (__atomic_load_n(&target->worker->stop_asked, __ATOMIC_ACQUIRE)) {
			closed_drop(&m->msg);
			return;
		}
		sched_yield();
	}
}

/* Media bytes per second, since the last time this was asked more than a second ago. */
static uint64_t media_rate(struct bridge *b)
{
	uint64_t now_us = clock_mono_us(), bytes = metric_sum(M_BYTES_IN) + metric_sum(M_BYTES_OUT);
	uint64_t passed_us = now_us - b->rate_at_us;
	if (passed_us >= US_PER_S) {
		b->rate =
			(uint64_t)((double)(bytes - b->rate_bytes) * US_PER_S / (double)passed_us);
		b->rate_bytes = bytes;
		b->rate_at_us = now_us;
	}
	return b->rate;
}

static int on_ready(void *arg, struct buf *why_not)
{
	struct bridge *b = arg;
	uint32_t tracks = __atomic_load_n(&b->limits.tracks, __ATOMIC_RELAXED);
	uint64_t rate = __atomic_load_n(&b->limits.bytes_per_sec, __ATOMIC_RELAXED);
	if (tracks && metric_sum(M_TRACKS_PUBLISHED) + metric_sum(M_TRACKS_SUBSCRIBED) >= tracks)
		buf_add_str(why_not, "limit.num_tracks is reached");
	else if (rate && media_rate(b) >= rate)
		buf_add_str(why_not, "limit.bytes_per_sec is reached");
	else
		return 0;
	return -ERR_BAD_STATE;
}

const struct front_ops bridge_front_ops = {
	.room_exists = on_room_exists,
	.signal_open = on_open,
	.signal_request = on_request,
	.signal_closed = on_closed,
	.ready = on_ready,
};

struct bridge *bridge_new(struct registry *registry, const struct bridge_target *targets,
	unsigned n, struct front *const *front)
{
	struct bridge *b = XNEW(struct bridge);
	b->registry = registry;
	b->targets = xmemdup(targets, n * sizeof *targets);
	b->n_targets = n;
	b->front = front;
	b->rate_at_us = clock_mono_us();
	map_init(&b->conns);
	return b;
}

void bridge_set_limits(struct bridge *b, const struct bridge_limits *limits)
{
	__atomic_store_n(&b->limits.tracks, limits->tracks, __ATOMIC_RELAXED);
	__atomic_store_n(&b->limits.bytes_per_sec, limits->bytes_per_sec, __ATOMIC_RELAXED);
}

void bridge_free(struct bridge *b)
{
	if (!b)
		return;
	size_t at = 0;
	for (void *c; (c = map_next(&b->conns, &at, NULL));)
		xfree(c);
	map_free(&b->conns);
	xfree(b->targets);
	xfree(b);
}
