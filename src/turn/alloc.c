#include "turn/turn_internal.h"

#include "base/mem.h"

static const enum metric_id gauges[TURN_TRANSPORT_N] = {
	[TURN_UDP] = M_TURN_ALLOCATIONS_UDP,
	[TURN_TCP] = M_TURN_ALLOCATIONS_TCP,
	[TURN_TLS] = M_TURN_ALLOCATIONS_TLS,
	[TURN_DTLS] = M_TURN_ALLOCATIONS_DTLS,
};

struct turn_half *turn_half_of(struct turn_alloc *a, int family)
{
	struct turn_half *h = &a->half[family == AF_INET6 ? TURN_HALF_V6 : TURN_HALF_V4];
	return h->relay ? h : NULL;
}

static uint64_t expires(const struct turn_alloc *a)
{
	uint64_t last = 0;
	for (size_t i = 0; i < TURN_HALVES; i++)
		if (a->half[i].relay)
			last = MAX(last, a->half[i].expires_us);
	return last;
}

void turn_alloc_wake(struct turn_alloc *a, uint64_t at_us)
{
	/* One that fires too early looks again: refreshes, which come all the time, need not move it. */
	if (!a->timer.is_armed || at_us / 1000 < a->timer.at_ms)
		wheel_set(a->server->wheel, &a->timer, at_us);
}

void turn_alloc_attach(struct turn_alloc *a, const struct turn_flow *flow)
{
	struct turn_server *s = a->server;
	a->flow = *flow;
	a->is_attached = true;
	turn_table_add(&s->flows, a);
	turn_chans_tell(a, true);
	metric_inc(gauges[flow->transport]);
}

void turn_alloc_detach(struct turn_alloc *a)
{
	struct turn_server *s = a->server;
	if (!a->is_attached)
		return;
	turn_chans_tell(a, false);
	a->is_attached = false;
	if (s->last == a)
		s->last = NULL;
	turn_table_del(&s->flows, a);
	metric_sub(gauges[a->flow.transport], 1);
}

static void close_half(struct turn_alloc *a, int family)
{
	struct turn_half *h = turn_half_of(a, family);
	if (!h)
		return;
	turn_perm_drop_family(a, family);
	a->server->ops->relay_close(a->server->arg, h->relay);
	h->relay = NULL;
}

static void count_finished(const struct turn_alloc *a)
{
	metric_add(M_TURN_ENDED_PACKETS_IN, a->client.packets_in);
	metric_add(M_TURN_ENDED_BYTES_IN, a->client.bytes_in);
	metric_add(M_TURN_ENDED_PACKETS_OUT, a->client.packets_out);
	metric_add(M_TURN_ENDED_BYTES_OUT, a->client.bytes_out);
	metric_add(M_TURN_ENDED_PEER_PACKETS_IN, a->peers.packets_in);
	metric_add(M_TURN_ENDED_PEER_BYTES_IN, a->peers.bytes_in);
	metric_add(M_TURN_ENDED_PEER_PACKETS_OUT, a->peers.packets_out);
	metric_add(M_TURN_ENDED_PEER_BYTES_OUT, a->peers.bytes_out);
}

void turn_alloc_free(struct turn_alloc *a, const char *reason)
{
	struct turn_server *s = a->server;
	if (s->ops->ended && reason)
		s->ops->ended(s->arg, a, reason);
	count_finished(a);
	turn_conn_free_all(a);
	close_half(a, AF_INET);
	close_half(a, AF_INET6);
	turn_perm_free(a);
	turn_ticket_free(a);
	turn_alloc_detach(a);
	wheel_del(s->wheel, &a->timer);
	turn_quota_release(s->quota, a->quota_slot);
	list_del(&a->node);
	s->n_allocs--;
	turn_identity_free(&a->who);
	secret_wipe(&a->who, sizeof a->who);
	xfree(a);
}

static void on_timer(void *arg, uint64_t now_us)
{
	struct turn_alloc *a = arg;
	struct turn_server *s = a->server;
	s->now_us = now_us;
	for (size_t i = 0; i < TURN_HALVES; i++)
		if (a->half[i].relay && a->half[i].expires_us <= now_us &&
			expires(a) > now_us)
			close_half(a, i == TURN_HALF_V6 ? AF_INET6 : AF_INET);
	if (expires(a) <= now_us) {
		struct turn_flow flow = a->flow;
		bool is_stream = a->is_attached && !turn_is_datagram(flow.transport);
		metric_inc(M_TURN_EXPIRED);
		turn_alloc_free(a, "expired");
		if (is_stream)
			s->ops->flow_close(s->arg, &flow);
		return;
	}
	uint64_t next = turn_perm_expire(a, now_us);
	next = MIN(next, turn_conn_expire(a, now_us));
	for (size_t i = 0; i < TURN_HALVES; i++)
		if (a->half[i].relay)
			next = MIN(next, a->half[i].expires_us);
	wheel_set(s->wheel, &a->timer, next);
}

/* RFC 8656 §7.2: what the client wishes, up to our longest; not less than our default. */
static uint64_t lifetime(const struct turn_req *rq)
{
	const struct turn_cfg *cfg = &rq->s->cfg;
	uint64_t wish = (uint64_t)stun_number(rq->m, STUN_ATTR_LIFETIME) * 1000000;
	return MIN(MAX(wish, cfg->lifetime_default_us), cfg->lifetime_max_us);
}

static void put_lifetime(struct turn_req *rq, uint64_t lifetime_us)
{
	stun_put_number(&rq->w, STUN_ATTR_LIFETIME, (uint32_t)(lifetime_us / 1000000));
}

/* What an Allocate asks for. */
struct wanted {
	bool is_tcp;
	bool family[TURN_HALVES];
	bool is_additional;
	enum turn_port_want port;
	uint64_t reservation; /* in: of a token; out: of EVEN-PORT */
};

static unsigned read_transport(const struct turn_req *rq, struct wanted *w)
{
	const struct stun_msg *m = rq->m;
	if (!stun_has(m, STUN_ATTR_REQUESTED_TRANSPORT))
		return STUN_ERR_BAD_REQUEST;
	uint32_t transport = stun_number(m, STUN_ATTR_REQUESTED_TRANSPORT);
	if (transport == STUN_TRANSPORT_UDP)
		return rq->s->cfg.no_udp_relay ? STUN_ERR_TRANSPORT_UNSUPPORTED : 0;
	if (transport != STUN_TRANSPORT_TCP || rq->s->cfg.no_tcp_relay)
		return STUN_ERR_TRANSPORT_UNSUPPORTED;
	w->is_tcp = true;
	/* RFC 6062 §5.1: over a stream only, and without what is about datagrams and port pairs. */
	if (turn_is_datagram(rq->flow->transport) || stun_has(m, STUN_ATTR_EVEN_PORT) ||
		stun_has(m, STUN_ATTR_DONT_FRAGMENT) || stun_has(m, STUN_ATTR_RESERVATION_TOKEN))
		return STUN_ERR_BAD_REQUEST;
	return 0;
}

static unsigned read_families(const struct turn_req *rq, struct wanted *w)
{
	const struct stun_msg *m = rq->m;
	bool has_requested = stun_has(m, STUN_ATTR_REQUESTED_ADDRESS_FAMILY);
	w->is_additional = stun_has(m, STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY);
	uint32_t requested = stun_number(m, STUN_ATTR_REQUESTED_ADDRESS_FAMILY);
	if (has_requested && w->is_additional)
		return STUN_ERR_BAD_REQUEST;
	/* RFC 8656 §7.2: IPv6 is the only family that may be additional. */
	if (w->is_additional &&
		stun_number(m, STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY) != STUN_FAMILY_V6)
		return STUN_ERR_BAD_REQUEST;
	if (has_requested && requested != STUN_FAMILY_V4 && requested != STUN_FAMILY_V6)
		return STUN_ERR_FAMILY_UNSUPPORTED;
	w->family[TURN_HALF_V6] = w->is_additional || requested == STUN_FAMILY_V6;
	w->family[TURN_HALF_V4] = requested != STUN_FAMILY_V6;
	return 0;
}

static unsigned read_port(const struct turn_req *rq, struct wanted *w)
{
	const struct stun_msg *m = rq->m;
	bool is_reserve = stun_has(m, STUN_ATTR_EVEN_PORT) &&
		stun_number(m, STUN_ATTR_EVEN_PORT) & STUN_EVEN_PORT_RESERVE;
	if (is_reserve && w->is_additional)
		return STUN_ERR_BAD_REQUEST;
	if (is_reserve && rq->s->n_reservations >= rq->s->cfg.reservations_max)
		return STUN_ERR_CAPACITY;
	if (stun_has(m, STUN_ATTR_EVEN_PORT))
		w->port = is_reserve ? TURN_PORT_EVEN_AND_NEXT : TURN_PORT_EVEN;
	if (!stun_has(m, STUN_ATTR_RESERVATION_TOKEN))
		return 0;
	if (stun_has(m, STUN_ATTR_EVEN_PORT) || stun_has(m, STUN_ATTR_REQUESTED_ADDRESS_FAMILY) ||
		w->is_additional)
		return STUN_ERR_BAD_REQUEST;
	w->port = TURN_PORT_RESERVED;
	return 0;
}

/* RFC 8656 §7.2, in its order; nothing is taken yet. */
static unsigned read_wanted(const struct turn_req *rq, struct wanted *w)
{
	unsigned code = read_transport(rq, w);
	if (!code)
		code = read_families(rq, w);
	if (!code)
		code = read_port(rq, w);
	if (code)
		return code;
	if (stun_has(rq->m, STUN_ATTR_MOBILITY_TICKET) && rq->s->cfg.no_mobility)
		return STUN_ERR_MOBILITY_FORBIDDEN;
	return 0;
}

static const char *realm_of(struct turn_server *s, struct slice realm)
{
	size_t i = 0;
	if (!realm.n)
		return ""; /* of who needs no credentials */
	for (; i < TURN_REALMS_MAX && s->realms[i]; i++)
		if (slice_eq_str(realm, s->realms[i]))
			return s->realms[i];
	if (i == TURN_REALMS_MAX)
		return "";
	s->realms[i] = xstrndup((const char *)realm.p, realm.n);
	return s->realms[i];
}

static struct turn_alloc *new_alloc(struct turn_req *rq, const struct wanted *w)
{
	struct turn_server *s = rq->s;
	struct turn_alloc *a = XNEW(struct turn_alloc);
	a->server = s;
	a->id = turn_random(s) >> 11; /* fits a number of JSON; 53 bits of chance keep workers apart */
	a->is_tcp = w->is_tcp;
	a->flow = *rq->flow; /* where relay_open sees how the client came */
	a->chans = a->chans_inline;
	a->cap_chans = TURN_CHANS_INLINE;
	a->perms = a->perms_inline;
	a->cap_perms = TURN_PERMS_INLINE;
	a->started_us = rq->now_us;
	list_init(&a->conns);
	list_init(&a->node);
	timer_init(&a->timer, on_timer, a);
	return a;
}

/* Opens the relayed addresses. *refused is the code for the family that could not be had. 0 or the code of all. */
static unsigned open_halves(
	struct turn_req *rq, struct turn_alloc *a, struct wanted *w, unsigned refused[TURN_HALVES])
{
	struct turn_server *s = rq->s;
	unsigned n = 0, first = 0;
	for (size_t i = 0; i < TURN_HALVES; i++) {
		if (!w->family[i])
			continue;
		struct turn_half *h = &a->half[i];
		int err = s->ops->relay_open(s->arg, a, i == TURN_HALF_V6 ? AF_INET6 : AF_INET,
			w->is_tcp, w->port, &w->reservation, &h->relayed, &h->relay);
		if (!err) {
			h->expires_us = rq->now_us + lifetime(rq);
			n++;
			continue;
		}
		h->relay = NULL;
		refused[i] = err == -ERR_UNSUPPORTED ? STUN_ERR_FAMILY_UNSUPPORTED
						      : STUN_ERR_CAPACITY;
		if (!first)
			first = refused[i];
	}
	return n ? 0 : first;
}

static void answer_allocate(struct turn_req *rq, struct turn_alloc *a, const uint8_t *token,
	const unsigned refused[TURN_HALVES])
{
	turn_answer_begin(rq, STUN_SUCCESS);
	for (size_t i = 0; i < TURN_HALVES; i++)
		if (a->half[i].relay)
			stun_put_xor_addr(
				&rq->w, STUN_ATTR_XOR_RELAYED_ADDRESS, &a->half[i].relayed);
	stun_put_xor_addr(&rq->w, STUN_ATTR_XOR_MAPPED_ADDRESS, &rq->flow->client);
	put_lifetime(rq, lifetime(rq));
	if (token)
		stun_put(&rq->w, STUN_ATTR_RESERVATION_TOKEN, token, TURN_TOKEN_LEN);
	if (stun_has(rq->m, STUN_ATTR_MOBILITY_TICKET))
		turn_ticket_put(rq, a);
	for (size_t i = 0; i < TURN_HALVES; i++)
		if (refused[i])
			stun_put_address_error(&rq->w, i == TURN_HALF_V6 ? AF_INET6 : AF_INET,
				refused[i], turn_reason(refused[i]));
	turn_answer_send(rq);
}

/* Two limits: the realm's or user's own, and everybody's. */
static uint64_t bandwidth_of(const struct turn_server *s, const struct turn_identity *id)
{
	uint64_t all = s->cfg.allocation_bytes_per_s, own = id->max_bytes_per_s;
	return all && own ? MIN(all, own) : MAX(all, own);
}

static unsigned may_allocate(struct turn_req *rq)
{
	struct turn_server *s = rq->s;
	if (s->is_draining)
		return s->alternate.sa.sa_family ? STUN_ERR_TRY_ALTERNATE : STUN_ERR_QUOTA;
	if (!turn_limits_allocate(s->limits, &rq->flow->client,
		    s->cfg.allocations_per_address_per_s, rq->now_us))
		return STUN_ERR_QUOTA;
	if (s->cfg.allocations_max && s->n_allocs >= s->cfg.allocations_max)
		return STUN_ERR_CAPACITY;
	return 0;
}

/* The token decides on the family: it comes without one (RFC 8656 §7.2). */
static int take_reserved(const struct turn_req *rq, struct wanted *w, uint64_t owner)
{
	struct slice token = stun_value(rq->m, STUN_ATTR_RESERVATION_TOKEN);
	int family;
	int err = turn_reserved_take(rq->s, token, owner, &w->reservation, &family);
	if (err)
		return err;
	w->family[TURN_HALF_V4] = family == AF_INET;
	w->family[TURN_HALF_V6] = family == AF_INET6;
	return 0;
}

/* The request is good: takes what it wants, or gives back what was taken so far. */
static unsigned allocate(struct turn_req *rq, struct wanted *w)
{
	struct turn_server *s = rq->s;
	uint64_t user_hash = rq->own.username ? rq->own.user_hash : 0;
	/* Which key a token is made with changes from request to request. */
	uint64_t owner = rq->own.is_token ? 0 : user_hash;
	uint32_t quota_slot;
	if (turn_quota_acquire(s->quota, user_hash, rq->own.is_participant, &quota_slot))
		return STUN_ERR_QUOTA;
	unsigned refused[TURN_HALVES] = {0};
	if (w->port == TURN_PORT_RESERVED && take_reserved(rq, w, owner)) {
		turn_quota_release(s->quota, quota_slot);
		return STUN_ERR_CAPACITY;
	}
	struct turn_alloc *a = new_alloc(rq, w);
	unsigned code = open_halves(rq, a, w, refused);
	if (code) {
		if (w->port == TURN_PORT_RESERVED)
			s->ops->relay_unreserve(s->arg, w->reservation);
		turn_quota_release(s->quota, quota_slot);
		xfree(a);
		return code;
	}
	a->quota_slot = quota_slot;
	a->bytes_per_s = bandwidth_of(s, &rq->own);
	a->realm = realm_of(s, rq->m->realm);
	a->who = rq->own;
	rq->own = (struct turn_identity){0};
	rq->who = a->who.username ? &a->who : NULL;
	list_push(&s->allocs, &a->node);
	s->n_allocs++;
	turn_alloc_attach(a, rq->flow);
	turn_alloc_wake(a, expires(a));
	metric_inc(M_TURN_ALLOCATED);

	uint8_t token[TURN_TOKEN_LEN];
	bool has_token = w->port == TURN_PORT_EVEN_AND_NEXT &&
		!turn_reserve(s, w->reservation, w->family[TURN_HALF_V6] ? AF_INET6 : AF_INET,
			owner, token);
	answer_allocate(rq, a, has_token ? token : NULL, refused);
	if (s->ops->kept)
		s->ops->kept(s->arg, a, true);
	return 0;
}

void turn_handle_allocate(struct turn_req *rq)
{
	struct wanted w = {0};
	unsigned code = rq->alloc ? STUN_ERR_ALLOCATION_MISMATCH : read_wanted(rq, &w);
	if (!code && rq->s->hold == TURN_HOLD_WAIT && turn_pending_add(rq->s, rq, TURN_LOOKUP_HOLD))
		return;
	if (!code && rq->s->hold != TURN_HOLD_NONE)
		code = STUN_ERR_SERVER;
	if (!code)
		code = may_allocate(rq);
	if (!code)
		code = allocate(rq, &w);
	if (code) {
		metric_inc(M_TURN_ALLOCATE_REFUSED);
		turn_answer_fail(rq, code);
	}
}

/* A lifetime of 0 ends the relayed address of that family, or all. */
static void refresh_delete(struct turn_req *rq, int family)
{
	struct turn_alloc *a = rq->alloc;
	turn_answer_begin(rq, STUN_SUCCESS);
	put_lifetime(rq, 0);
	turn_answer_send(rq);
	if (family && turn_half_of(a, family == AF_INET ? AF_INET6 : AF_INET)) {
		close_half(a, family);
		return;
	}
	rq->who = NULL;
	rq->alloc = NULL;
	turn_alloc_free(a, "deleted by the client");
}

void turn_handle_refresh(struct turn_req *rq)
{
	struct turn_alloc *a = rq->alloc;
	const struct stun_msg *m = rq->m;
	bool has_ticket = stun_has(m, STUN_ATTR_MOBILITY_TICKET);
	if (has_ticket && rq->s->cfg.no_mobility) {
		turn_answer_fail(rq, STUN_ERR_MOBILITY_FORBIDDEN);
		return;
	}
	/* RFC 8016 §3.2.2: a ticket that is none, or of another allocation. */
	if (has_ticket && (!a || turn_ticket_find(rq->s, m) != a)) {
		turn_answer_fail(rq, a ? STUN_ERR_ALLOCATION_MISMATCH : STUN_ERR_BAD_REQUEST);
		return;
	}
	if (!a) {
		turn_answer_fail(rq, STUN_ERR_ALLOCATION_MISMATCH);
		return;
	}
	int family = 0;
	if (stun_has(m, STUN_ATTR_REQUESTED_ADDRESS_FAMILY)) {
		uint32_t f = stun_number(m, STUN_ATTR_REQUESTED_ADDRESS_FAMILY);
		family = f == STUN_FAMILY_V4 ? AF_INET : f == STUN_FAMILY_V6 ? AF_INET6 : 0;
		if (!family || !turn_half_of(a, family)) {
			turn_answer_fail(rq, STUN_ERR_PEER_FAMILY_MISMATCH);
			return;
		}
	}
	if (rq->is_moving) {
		/* RFC 6062 §4.1: TCP connections have a stream to control them. */
		if (a->is_tcp && turn_is_datagram(rq->flow->transport)) {
			turn_answer_fail(rq, STUN_ERR_BAD_REQUEST);
			return;
		}
		turn_move(a, rq->flow);
	}
	if (stun_has(m, STUN_ATTR_LIFETIME) && !stun_number(m, STUN_ATTR_LIFETIME)) {
		refresh_delete(rq, family);
		return;
	}
	for (size_t i = 0; i < TURN_HALVES; i++)
		if (a->half[i].relay && (!family || &a->half[i] == turn_half_of(a, family)))
			a->half[i].expires_us = rq->now_us + lifetime(rq);
	turn_alloc_wake(a, expires(a));
	turn_answer_begin(rq, STUN_SUCCESS);
	put_lifetime(rq, lifetime(rq));
	if (has_ticket)
		turn_ticket_put(rq, a);
	turn_answer_send(rq);
	if (rq->s->ops->kept)
		rq->s->ops->kept(rq->s->arg, a, false);
}

void turn_alloc_info(const struct turn_alloc *a, struct turn_alloc_info *out)
{
	*out = (struct turn_alloc_info){
		.id = a->id,
		.username = a->who.username ? a->who.username : "",
		.realm = a->realm,
		.flow = a->flow,
		.started_us = a->started_us,
		.expires_us = expires(a),
		.permissions = a->n_perms,
		.channels = a->n_chans,
		.tcp_connections = a->n_conns,
		.packets_in = a->client.packets_in,
		.bytes_in = a->client.bytes_in,
		.packets_out = a->client.packets_out,
		.bytes_out = a->client.bytes_out,
		.peer_packets_in = a->peers.packets_in,
		.peer_bytes_in = a->peers.bytes_in,
		.peer_packets_out = a->peers.packets_out,
		.peer_bytes_out = a->peers.bytes_out,
		.dropped = a->dropped,
		.is_tcp_relay = a->is_tcp,
		.is_mobile = a->mobility,
	};
	for (size_t i = 0; i < TURN_HALVES; i++)
		if (a->half[i].relay)
			out->relayed[i] = a->half[i].relayed;
}

size_t turn_alloc_count(const struct turn_server *s)
{
	return s->n_allocs;
}

struct turn_alloc *turn_alloc_next(const struct turn_server *s, struct turn_alloc *after)
{
	struct list *next = after ? after->node.next : s->allocs.next;
	return next == &s->allocs ? NULL : list_entry(next, struct turn_alloc, node);
}

int turn_alloc_end(struct turn_server *s, uint64_t id, const char *reason)
{
	for (struct turn_alloc *a = NULL; (a = turn_alloc_next(s, a));) {
		if (a->id != id)
			continue;
		struct turn_flow flow = a->flow;
		bool is_stream = a->is_attached && !turn_is_datagram(flow.transport);
		turn_alloc_free(a, reason);
		if (is_stream)
			s->ops->flow_close(s->arg, &flow);
		return 0;
	}
	return -ERR_NOT_FOUND;
}
