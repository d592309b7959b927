/* RFC 6062: allocations for TCP. Connections to peers belong to the control connection's allocation. */
#include "base/mem.h"
#include "base/rng.h"
#include "turn/turn_internal.h"

enum { WAIT_US = 30000000 }; /* RFC 6062 §5.2: for the peer, and for ConnectionBind */

static struct slice key_of(const uint8_t id[4])
{
	return slice_of(id, 4);
}

static struct turn_conn *conn_by_id(struct turn_server *s, uint32_t id)
{
	uint8_t key[4];
	wr32(key, id);
	return map_get(&s->conns, key_of(key));
}

static struct turn_conn *conn_new(struct turn_alloc *a, const struct addr *peer)
{
	struct turn_server *s = a->server;
	struct turn_conn *c = XNEW(struct turn_conn);
	uint8_t key[4];
	do {
		c->id = (uint32_t)s->cfg.worker << 24 | rng_u32() >> 8;
		wr32(key, c->id);
	} while (!c->id || map_get(&s->conns, key_of(key)));
	c->alloc = a;
	c->at = *peer;
	c->until_us = s->now_us + WAIT_US;
	if (map_put(&s->conns, key_of(key), c))
		return NULL;
	list_push(&a->conns, &c->node);
	a->n_conns++;
	turn_alloc_wake(a, c->until_us);
	return c;
}

static void conn_free(struct turn_conn *c, bool is_open)
{
	struct turn_server *s = c->alloc->server;
	if (is_open && c->peer)
		s->ops->peer_close(s->arg, c->peer);
	uint8_t key[4];
	wr32(key, c->id);
	map_del(&s->conns, key_of(key));
	list_del(&c->node);
	c->alloc->n_conns--;
	xfree(c);
}

void turn_conn_free_all(struct turn_alloc *a)
{
	list_for_each_safe(node, &a->conns)
		conn_free(list_entry(node, struct turn_conn, node), true);
}

static struct turn_conn *conn_to(struct turn_alloc *a, const struct addr *peer)
{
	list_for_each(node, &a->conns) {
		struct turn_conn *c = list_entry(node, struct turn_conn, node);
		if (addr_eq(&c->at, peer))
			return c;
	}
	return NULL;
}

static unsigned check_connect(struct turn_req *rq, struct addr *peer)
{
	struct turn_alloc *a = rq->alloc;
	if (!a)
		return STUN_ERR_ALLOCATION_MISMATCH;
	if (!a->is_tcp || !stun_addr(rq->m, STUN_ATTR_XOR_PEER_ADDRESS, peer))
		return STUN_ERR_BAD_REQUEST;
	if (!turn_half_of(a, peer->sa.sa_family))
		return STUN_ERR_PEER_FAMILY_MISMATCH;
	if (!addr_port(peer) || !turn_policy_allows_tcp(rq->s->policy, peer)) {
		metric_inc(M_TURN_PEERS_DENIED);
		return STUN_ERR_FORBIDDEN;
	}
	if (conn_to(a, peer))
		return STUN_ERR_CONNECTION_EXISTS;
	uint32_t bound = rq->s->cfg.tcp_per_allocation;
	return bound && a->n_conns >= bound ? STUN_ERR_CAPACITY : 0;
}

void turn_handle_connect(struct turn_req *rq)
{
	struct turn_server *s = rq->s;
	struct addr peer;
	unsigned code = check_connect(rq, &peer);
	if (code) {
		turn_answer_fail(rq, code);
		return;
	}
	struct turn_conn *c = conn_new(rq->alloc, &peer);
	struct turn_half *h = turn_half_of(rq->alloc, peer.sa.sa_family);
	c->request = *rq->m;
	memcpy(c->tid, rq->m->tid, sizeof c->tid);
	c->request.tid = c->tid;
	c->request.raw = slice_of(NULL, 0);
	if (s->ops->peer_connect(s->arg, h->relay, &peer, c->id, &c->peer)) {
		conn_free(c, false);
		turn_answer_fail(rq, STUN_ERR_CONNECTION_FAILED);
	}
}

/* The request on which the answer to a Connect is made, long after the request itself. */
static void resume(struct turn_conn *c, struct turn_req *rq)
{
	*rq = (struct turn_req){
		.s = c->alloc->server,
		.flow = &c->alloc->flow,
		.m = &c->request,
		.alloc = c->alloc,
		.who = c->alloc->who.username ? &c->alloc->who : NULL,
		.is_trusted = true,
		.now_us = c->alloc->server->now_us,
	};
}

static void put_id(struct stun_writer *w, uint32_t id)
{
	stun_put_number(w, STUN_ATTR_CONNECTION_ID, id);
}

static struct turn_conn *connecting(struct turn_server *s, struct turn_alloc *a, uint32_t id)
{
	struct turn_conn *c = conn_by_id(s, id);
	return c && c->alloc == a && c->state == TURN_CONN_CONNECTING ? c : NULL;
}

void turn_peer_connected(struct turn_server *s, struct turn_alloc *a, uint32_t id)
{
	struct turn_conn *c = connecting(s, a, id);
	if (!c)
		return;
	c->state = TURN_CONN_WAITS_BIND;
	c->until_us = s->now_us + WAIT_US;
	turn_alloc_wake(a, c->until_us);
	struct turn_req rq;
	resume(c, &rq);
	metric_inc(M_TURN_TCP_CONNECTIONS);
	if (!a->is_attached)
		return;
	turn_answer_begin(&rq, STUN_SUCCESS);
	put_id(&rq.w, c->id);
	turn_answer_send(&rq);
}

static void fail(struct turn_conn *c, bool is_open)
{
	struct turn_req rq;
	resume(c, &rq);
	if (c->alloc->is_attached)
		turn_answer_fail(&rq, STUN_ERR_CONNECTION_FAILED);
	conn_free(c, is_open);
}

void turn_peer_failed(struct turn_server *s, struct turn_alloc *a, uint32_t id)
{
	struct turn_conn *c = connecting(s, a, id);
	if (c)
		fail(c, false);
}

uint64_t turn_conn_expire(struct turn_alloc *a, uint64_t now_us)
{
	uint64_t next = UINT64_MAX;
	list_for_each_safe(node, &a->conns) {
		struct turn_conn *c = list_entry(node, struct turn_conn, node);
		if (c->state == TURN_CONN_BOUND)
			continue;
		if (c->until_us > now_us)
			next = MIN(next, c->until_us);
		else if (c->state == TURN_CONN_CONNECTING)
			fail(c, true);
		else
			conn_free(c, true);
	}
	return next;
}

void turn_conn_recheck(struct turn_alloc *a)
{
	list_for_each_safe(node, &a->conns) {
		struct turn_conn *c = list_entry(node, struct turn_conn, node);
		if (turn_policy_allows_tcp(a->server->policy, &c->at) || turn_perm_find(a, &c->at))
			continue;
		if (c->state == TURN_CONN_CONNECTING)
			fail(c, true);
		else
			conn_free(c, true);
	}
}

bool turn_peer_incoming(struct turn_server *s, struct turn_alloc *a, struct turn_relay *relay,
	const struct addr *from, struct turn_peer *peer)
{
	(void)relay;
	const struct turn_perm *perm = turn_perm_find(a, from);
	if (!perm || perm->until_us <= s->now_us) {
		metric_drop(DROP_TURN_NO_PERMISSION);
		return false;
	}
	uint32_t bound = s->cfg.tcp_per_allocation;
	if (!a->is_attached || conn_to(a, from) || (bound && a->n_conns >= bound)) {
		metric_drop(DROP_TURN_TCP_REFUSED);
		return false;
	}
	struct turn_conn *c = conn_new(a, from);
	c->state = TURN_CONN_WAITS_BIND;
	c->peer = peer;
	uint8_t out[STUN_HDR_LEN + 64], tid[STUN_TID_LEN];
	struct stun_writer w;
	struct slice sealed;
	turn_indication_tid(s, tid);
	stun_begin(&w, out, sizeof out, STUN_CONNECTION_ATTEMPT, STUN_INDICATION, tid);
	put_id(&w, c->id);
	stun_put_xor_addr(&w, STUN_ATTR_XOR_PEER_ADDRESS, from);
	if (!stun_seal_with(&w, NULL, NULL, false, &sealed))
		s->ops->send(s->arg, &a->flow, sealed, false);
	metric_inc(M_TURN_TCP_CONNECTIONS);
	return true;
}

void turn_peer_closed(struct turn_server *s, struct turn_alloc *a, struct turn_peer *peer)
{
	(void)s;
	list_for_each(node, &a->conns) {
		struct turn_conn *c = list_entry(node, struct turn_conn, node);
		if (c->peer != peer)
			continue;
		conn_free(c, false);
		return;
	}
}

struct turn_alloc *turn_conn_alloc(struct turn_server *s, const struct stun_msg *m)
{
	struct turn_conn *c = conn_by_id(s, stun_number(m, STUN_ATTR_CONNECTION_ID));
	return c ? c->alloc : NULL;
}

/* RFC 6062 §5.4: a new connection of the client takes the data of one to a peer. */
void turn_handle_connection_bind(struct turn_req *rq)
{
	struct turn_server *s = rq->s;
	struct turn_conn *c = conn_by_id(s, stun_number(rq->m, STUN_ATTR_CONNECTION_ID));
	/* 32 bits can be guessed by somebody who has the same password and much time. */
	if (!c)
		turn_limits_failed(
			s->limits, &rq->flow->client, turn_name_of(rq->m), &s->cfg, rq->now_us);
	if (turn_is_datagram(rq->flow->transport) || !c || c->state != TURN_CONN_WAITS_BIND ||
		turn_table_find(&s->flows, rq->flow)) {
		turn_answer_fail(rq, STUN_ERR_BAD_REQUEST);
		return;
	}
	c->state = TURN_CONN_BOUND;
	turn_answer_begin(rq, STUN_SUCCESS);
	put_id(&rq->w, c->id);
	turn_answer_send(rq);
	s->ops->peer_splice(s->arg, c->peer, rq->flow);
}
