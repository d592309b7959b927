/* Requests that wait for a database: kept whole, and taken up again when the look-up is done. */
#include "base/mem.h"
#include "turn/turn_internal.h"

enum {
	PENDING_US = 40000000, /* longer than any client asks for */
	PENDING_SHARE = 8,     /* one address may have this part of the queue … */
	PENDING_FEW = 16,      /* … and so many at least */
};

static void forget(struct turn_server *s, struct turn_pending *p)
{
	list_del(&p->node);
	s->n_pending--;
	metric_sub(M_TURN_PENDING, 1);
	xfree(p);
}

bool turn_pending_has(
	const struct turn_server *s, const struct turn_flow *flow, const uint8_t *tid)
{
	list_for_each(node, &s->pending) {
		const struct turn_pending *p = list_entry(node, struct turn_pending, node);
		if (memcmp(p->bytes + STUN_TID_AT, tid, STUN_TID_LEN) == 0 &&
			turn_flow_eq(&p->flow, flow))
			return true;
	}
	return false;
}

/* Who knows no password can still ask for many names. */
static bool has_its_share(const struct turn_server *s, const struct addr *client)
{
	size_t n = 0;
	list_for_each(node, &s->pending)
		n += addr_ip_eq(&list_entry(node, struct turn_pending, node)->flow.client, client);
	return n >= MAX(s->cfg.pending_max / PENDING_SHARE, (uint32_t)PENDING_FEW);
}

bool turn_pending_has_flow(const struct turn_server *s, const struct turn_flow *flow)
{
	list_for_each(node, &s->pending)
		if (turn_flow_eq(&list_entry(node, struct turn_pending, node)->flow, flow))
			return true;
	return false;
}

bool turn_pending_add(struct turn_server *s, const struct turn_req *rq, uint64_t lookup)
{
	struct slice raw = rq->m->raw;
	if (s->n_pending >= s->cfg.pending_max || raw.n > TURN_OUT_MAX ||
		has_its_share(s, &rq->flow->client))
		return false;
	struct turn_pending *p = xmalloc(sizeof *p + raw.n);
	*p = (struct turn_pending){
		.lookup = lookup, .at_us = rq->now_us, .flow = *rq->flow, .n = raw.n};
	memcpy(p->bytes, raw.p, raw.n);
	list_push(&s->pending, &p->node);
	s->n_pending++;
	metric_inc(M_TURN_PENDING);
	turn_sweep_by(s, rq->now_us + PENDING_US);
	return true;
}

/* One by one from the front: what is taken up may wait again, for another look-up, and is then behind. */
void turn_auth_ready(struct turn_server *s, uint64_t lookup, uint64_t now_us)
{
	for (size_t left = s->n_pending; left && !list_empty(&s->pending); left--) {
		struct turn_pending *p = list_first(&s->pending, struct turn_pending, node);
		list_del(&p->node);
		if (p->lookup != lookup) {
			list_push(&s->pending, &p->node);
			continue;
		}
		s->n_pending--;
		metric_sub(M_TURN_PENDING, 1);
		turn_rx_stun(s, &p->flow, p->bytes, p->n, now_us);
		xfree(p);
	}
}

uint64_t turn_pending_expire(struct turn_server *s, uint64_t now_us)
{
	uint64_t next = UINT64_MAX;
	list_for_each_safe(node, &s->pending) {
		struct turn_pending *p = list_entry(node, struct turn_pending, node);
		if (p->at_us + PENDING_US <= now_us)
			forget(s, p);
		else
			next = MIN(next, p->at_us + PENDING_US);
	}
	return next;
}

void turn_pending_drop(struct turn_server *s, const struct turn_flow *flow)
{
	list_for_each_safe(node, &s->pending) {
		struct turn_pending *p = list_entry(node, struct turn_pending, node);
		if (turn_flow_eq(&p->flow, flow))
			forget(s, p);
	}
}

void turn_pending_free(struct turn_server *s)
{
	list_for_each_safe(node, &s->pending)
		forget(s, list_entry(node, struct turn_pending, node));
}
