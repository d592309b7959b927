/*
 * stream_move: a connection goes to the worker that its client's request is about: the one that holds a TCP peer
 * (RFC 6062 ConnectionBind), a reservation or a mobile allocation. The kernel chose the worker before anything was
 * said. The request goes along unanswered, with all that came behind it.
 */
#include <unistd.h>

#include "base/mem.h"
#include "base/metric.h"
#include "turnd/stream.h"

struct move_msg {
	struct msg msg; /* first */
	struct turnd *to;
	struct stream *st; /* owned; belongs to no worker on the way */
};

static void dispose(struct stream *st)
{
	close(st->wire.io.fd);
	outq_chunk_free(st->part);
	stream_tls_free(st);
	xfree(st);
}

static void take_in(void *receiver, struct msg *msg)
{
	struct move_msg *m = (struct move_msg *)msg;
	struct stream *st = m->st;
	(void)receiver;
	if (stream_is_full(m->to)) {
		metric_inc(M_TURN_STREAMS_REFUSED);
		dispose(st);
	} else {
		stream_settle(m->to, st);
	}
	xfree(m);
}

static void drop(struct msg *msg)
{
	struct move_msg *m = (struct move_msg *)msg;
	dispose(m->st);
	xfree(m);
}

static const struct msg_kind kind = {"turn stream", take_in, drop};

bool turnd_stream_hand_over(
	struct turnd *t, const struct turn_flow *flow, unsigned worker, struct slice request)
{
	struct turnd_conn *conn = turnd_conn_find(t, flow->conn);
	if (conn && conn->transport == TURN_DTLS)
		return dtls_client_hand_over(t, (struct dtls_client *)conn, worker, request);
	struct stream *st = (struct stream *)conn;
	/* An allocation stays where it is: what its own connection asks for here is answered here. */
	if (!st || st->state != STREAM_OPEN || turn_flow_has_alloc(t->server, flow))
		return false;
	st->state = STREAM_MOVING;
	st->move_to = (uint16_t)worker;
	stream_pause(st, true);
	stream_mark_dirty(st);
	return true;
}

void stream_move(struct stream *st)
{
	if (!st->t->server) { /* the end of the process: the others may be gone */
		stream_close(st, false);
		return;
	}
	struct turnd *to = turnd_shared_turnd(st->t->shared, st->move_to);
	struct move_msg *m = XNEW(struct move_msg);
	*m = (struct move_msg){.msg.kind = &kind, .to = to, .st = st};
	/* What waits for a database here must not come to life for a connection that is elsewhere. */
	turn_flow_closed(st->t->server, &st->flow);
	stream_unsettle(st);
	metric_inc(M_TURN_STREAMS_MOVED);
	mbox_post_or_drop(&to->worker->mbox, &m->msg);
}
