#include "base/hot.h"
#include "base/mem.h"
#include "base/rng.h"
#include "turn/turn_internal.h"

enum {
	ADDRESSES_MAX = 8192,
	ANSWERS_MAX = 8192,
	PENDING_MAX = 1024,
	RESERVATIONS_MAX = 256,
};

static void on_sweep(void *arg, uint64_t now_us)
{
	struct turn_server *s = arg;
	s->now_us = now_us;
	uint64_t next = turn_replay_expire(s->replay, now_us);
	next = MIN(next, turn_reserved_expire(s, now_us));
	next = MIN(next, turn_pending_expire(s, now_us));
	if (next != UINT64_MAX)
		turn_sweep_by(s, next);
}

void turn_sweep_by(struct turn_server *s, uint64_t at_us)
{
	/* Once a second is often enough for what lives 30 s and longer. */
	if (!s->sweep.is_armed)
		wheel_set(s->wheel, &s->sweep, MAX(at_us, s->now_us + 1000000));
}

/* "192.0.2.1:3478" or "[2001:db8::1]:3478"; sa_family 0 for anything else. */
static struct addr read_transport_addr(const char *text)
{
	struct addr a = {0};
	const char *colon = strrchr(text, ':');
	if (!colon)
		return a;
	unsigned port = 0;
	for (const char *c = colon + 1; *c >= '0' && *c <= '9' && port <= UINT16_MAX; c++)
		port = port * 10 + (unsigned)(*c - '0');
	if (!port || port > UINT16_MAX ||
		addr_parse_ip(&a, slice_of(text, (size_t)(colon - text)), (uint16_t)port))
		a = (struct addr){0};
	return a;
}

static void free_cfg(struct turn_server *s)
{
	xfree((char *)(uintptr_t)s->cfg.software);
	xfree((char *)(uintptr_t)s->cfg.alternate_server);
}

static void take_cfg(struct turn_server *s, const struct turn_cfg *cfg)
{
	s->cfg = *cfg;
	s->cfg.software = xstrdup(cfg->software ? cfg->software : "");
	s->cfg.alternate_server = xstrdup(cfg->alternate_server ? cfg->alternate_server : "");
	s->cfg.other_address = NULL;
	s->alternate = read_transport_addr(s->cfg.alternate_server);
	s->has_other = cfg->other_address != NULL;
	if (cfg->other_address)
		memcpy(s->other, cfg->other_address, sizeof s->other);
}

struct turn_server *turn_server_new(const struct turn_cfg *cfg, struct turn_auth *auth,
	const struct turn_policy *policy, struct turn_quota *quota, struct wheel *wheel,
	const struct turn_ops *ops, void *arg)
{
	struct turn_server *s = XNEW(struct turn_server);
	take_cfg(s, cfg);
	s->cfg.addresses_max = cfg->addresses_max ? cfg->addresses_max : ADDRESSES_MAX;
	s->cfg.answers_max = cfg->answers_max ? cfg->answers_max : ANSWERS_MAX;
	s->cfg.pending_max = cfg->pending_max ? cfg->pending_max : PENDING_MAX;
	s->cfg.reservations_max = cfg->reservations_max ? cfg->reservations_max : RESERVATIONS_MAX;
	s->auth = auth;
	s->policy = policy;
	s->quota = quota;
	s->wheel = wheel;
	s->ops = ops;
	s->arg = arg;
	s->random_state = rng_u64();
	list_init(&s->allocs);
	list_init(&s->pending);
	map_init(&s->conns);
	map_init(&s->tickets);
	timer_init(&s->sweep, on_sweep, s);
	s->reservations = xcalloc(s->cfg.reservations_max, sizeof *s->reservations);
	s->replay = turn_replay_new(s->cfg.answers_max);
	s->limits = turn_limits_new(s->cfg.addresses_max);
	return s;
}

void turn_server_free(struct turn_server *s)
{
	if (!s)
		return;
	list_for_each_safe(node, &s->allocs)
		turn_alloc_free(list_entry(node, struct turn_alloc, node), "server stopped");
	for (size_t i = 0; i < s->n_reservations; i++)
		s->ops->relay_unreserve(s->arg, s->reservations[i].relay_token);
	turn_pending_free(s);
	turn_replay_free(s->replay);
	turn_limits_free(s->limits);
	turn_table_free(&s->flows);
	map_free(&s->conns);
	map_free(&s->tickets);
	wheel_del(s->wheel, &s->sweep);
	for (size_t i = 0; i < TURN_REALMS_MAX; i++)
		xfree(s->realms[i]);
	xfree(s->reservations);
	free_cfg(s);
	xfree(s);
}

void turn_reload(
	struct turn_server *s, const struct turn_cfg *cfg, const struct turn_policy *policy)
{
	struct turn_cfg old = s->cfg;
	free_cfg(s);
	take_cfg(s, cfg);
	s->cfg.addresses_max = old.addresses_max;
	s->cfg.answers_max = old.answers_max;
	s->cfg.pending_max = old.pending_max;
	s->cfg.reservations_max = old.reservations_max;
	s->policy = policy;
	list_for_each(node, &s->allocs) {
		struct turn_alloc *a = list_entry(node, struct turn_alloc, node);
		turn_perm_recheck(a);
		turn_conn_recheck(a);
	}
}

void turn_drain(struct turn_server *s)
{
	s->is_draining = true;
}

void turn_hold(struct turn_server *s, enum turn_hold hold, uint64_t now_us)
{
	bool was_waiting = s->hold == TURN_HOLD_WAIT;
	s->hold = hold;
	if (was_waiting && hold != TURN_HOLD_WAIT)
		turn_auth_ready(s, TURN_LOOKUP_HOLD, now_us);
}

void turn_flow_closed(struct turn_server *s, const struct turn_flow *flow)
{
	turn_pending_drop(s, flow);
	struct turn_alloc *a = turn_table_find(&s->flows, flow);
	if (!a)
		return;
	if (a->mobility)
		turn_alloc_detach(a);
	else
		turn_alloc_free(a, "connection closed");
}

bool turn_flow_has_alloc(const struct turn_server *s, const struct turn_flow *flow)
{
	return turn_table_find(&s->flows, flow) != NULL;
}

bool turn_flow_is_here(const struct turn_server *s, const struct turn_flow *flow)
{
	return turn_flow_has_alloc(s, flow) || turn_pending_has_flow(s, flow);
}

struct method {
	uint16_t method;
	void (*handle)(struct turn_req *rq);
	bool checks_expiry; /* of ephemeral credentials: a running allocation is not cut */
};

static const struct method methods[] = {
	{STUN_BINDING, turn_handle_binding, true},
	{STUN_ALLOCATE, turn_handle_allocate, true},
	{STUN_REFRESH, turn_handle_refresh, true},
	{STUN_CREATE_PERMISSION, turn_handle_create_permission, false},
	{STUN_CHANNEL_BIND, turn_handle_channel_bind, false},
	{STUN_CONNECT, turn_handle_connect, false},
	{STUN_CONNECTION_BIND, turn_handle_connection_bind, false},
};

static const struct method *method_of(uint16_t method)
{
	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		if (methods[i].method == method)
			return &methods[i];
	return NULL;
}

/* The allocation that a request is about: by flow, by ticket, by connection. */
static void find_alloc(struct turn_req *rq)
{
	struct turn_server *s = rq->s;
	rq->alloc = turn_table_find(&s->flows, rq->flow);
	if (rq->alloc)
		return;
	if (rq->m->method == STUN_REFRESH) {
		rq->alloc = turn_ticket_find(s, rq->m);
		rq->is_moving = rq->alloc;
	} else if (rq->m->method == STUN_CONNECTION_BIND) {
		rq->alloc = turn_conn_alloc(s, rq->m);
	}
}

/* Credentials were looked at: the code of the answer, 0 = go on, UINT_MAX = no answer now. */
static unsigned verdict_code(struct turn_req *rq, enum turn_auth_verdict verdict, uint64_t lookup)
{
	struct turn_server *s = rq->s;
	switch (verdict) {
	case TURN_AUTH_OK: return 0;
	case TURN_AUTH_CHALLENGE:
		metric_inc(M_TURN_401_REQUESTS);
		return STUN_ERR_UNAUTHENTICATED;
	case TURN_AUTH_STALE: return STUN_ERR_STALE_NONCE;
	case TURN_AUTH_BAD: return STUN_ERR_BAD_REQUEST;
	case TURN_AUTH_BUSY: return STUN_ERR_SERVER;
	case TURN_AUTH_WAIT:
		if (turn_pending_add(s, rq, lookup))
			return UINT32_MAX;
		/* Nobody will hear how the look-up ended: it must not cost nothing. */
		turn_limits_failed(
			s->limits, &rq->flow->client, turn_name_of(rq->m), &s->cfg, rq->now_us);
		return STUN_ERR_SERVER;
	case TURN_AUTH_EXPIRED:
		metric_inc(M_TURN_401_REQUESTS);
		return STUN_ERR_UNAUTHENTICATED;
	case TURN_AUTH_WRONG:
	case TURN_AUTH_BAD_SILENT: break;
	}
	metric_inc(M_TURN_401_REQUESTS);
	metric_inc(M_TURN_AUTH_FAILURES);
	turn_limits_failed(s->limits, &rq->flow->client, turn_name_of(rq->m), &s->cfg, rq->now_us);
	return verdict == TURN_AUTH_WRONG ? STUN_ERR_UNAUTHENTICATED : STUN_ERR_BAD_REQUEST;
}

/* 0: the request may be handled. */
static unsigned authenticate(struct turn_req *rq, const struct method *method)
{
	struct turn_server *s = rq->s;
	const struct stun_msg *m = rq->m;
	const struct turn_identity *known = rq->alloc ? &rq->alloc->who : NULL;
	/*
	 * Many may be behind one address. Who has an allocation is known, which must not be of use for guessing
	 * other users' passwords. The others are held back for what was tried with their name, unless it is so
	 * much that somebody tries names as well.
	 */
	if (turn_is_signed(m) && !(known && turn_auth_is_same(s->auth, m, known)) &&
		turn_limits_is_blocked(
			s->limits, &rq->flow->client, turn_name_of(m), &s->cfg, rq->now_us)) {
		metric_drop(DROP_TURN_AUTH_RATE);
		return UINT32_MAX;
	}
	bool differs = false;
	uint64_t lookup = 0;
	enum turn_auth_verdict verdict = turn_auth_check(s->auth, m, &rq->flow->client, known,
		method->checks_expiry, rq->now_us, s->ops->wall_s(s->arg), &rq->own, &differs,
		&lookup);
	unsigned code = verdict_code(rq, verdict, lookup);
	if (code)
		return code;
	rq->is_trusted = true;
	if (differs) {
		rq->who = &rq->own;
		return STUN_ERR_WRONG_CREDENTIALS;
	}
	/* The same user with another key: a new password or token takes the old one's place. */
	if (known && rq->own.username) {
		turn_identity_free(&rq->alloc->who);
		rq->alloc->who = rq->own;
		rq->own = (struct turn_identity){0};
	}
	const struct turn_identity *who = known ? known : &rq->own;
	rq->who = who->username ? who : NULL;
	return 0;
}

static void serve(struct turn_req *rq)
{
	struct turn_server *s = rq->s;
	const struct stun_msg *m = rq->m;
	const struct method *method = method_of(m->method);
	bool is_binding = m->method == STUN_BINDING;
	metric_inc(is_binding ? M_TURN_BINDING_REQUESTS : M_TURN_REQUESTS);
	if (is_binding ? s->cfg.no_stun : s->cfg.stun_only) {
		metric_drop(DROP_TURN_SWITCHED_OFF);
		return;
	}
	unsigned code = 0;
	if (m->n_unknown)
		code = STUN_ERR_UNKNOWN_ATTRIBUTE;
	else if (!method || (rq->is_bad && !turn_is_signed(m)))
		code = STUN_ERR_BAD_REQUEST;
	else if (!is_binding || s->cfg.secure_stun) {
		find_alloc(rq);
		code = authenticate(rq, method);
	}
	if (!code && rq->is_bad)
		code = STUN_ERR_BAD_REQUEST;
	if (!code)
		method->handle(rq);
	else if (code != UINT32_MAX)
		turn_answer_fail(rq, code);
	turn_identity_free(&rq->own);
}

/* A request that came before: its answer again, or patience while it waits. */
static bool is_repeated(struct turn_server *s, const struct turn_flow *flow,
	const struct stun_msg *m, uint64_t now_us)
{
	if (s->n_pending && turn_pending_has(s, flow, m->tid)) {
		metric_inc(M_TURN_REPEATED);
		return true;
	}
	if (m->method == STUN_BINDING || !turn_is_datagram(flow->transport))
		return false;
	struct slice answer = turn_replay_find(s->replay, flow, m->raw);
	if (!answer.n)
		return false;
	metric_inc(M_TURN_REPEATED);
	if (flow->transport == TURN_UDP && !turn_is_signed(m) &&
		!turn_limits_answer(s->limits, &flow->client, answer.n,
			s->cfg.unauthenticated_bytes_per_s, now_us))
		metric_drop(DROP_TURN_ANSWER_RATE);
	else
		s->ops->send(s->arg, flow, answer, false);
	return true;
}

static void rx_request(struct turn_server *s, const struct turn_flow *flow,
	const struct stun_msg *m, bool is_bad, uint64_t now_us)
{
	if (s->cfg.unauthenticated_bytes_per_s && flow->transport == TURN_UDP)
		turn_limits_received(s->limits, &flow->client, m->raw.n, now_us);
	if (is_repeated(s, flow, m, now_us))
		return;
	struct turn_req rq;
	rq.s = s;
	rq.flow = flow;
	rq.m = m;
	rq.alloc = NULL;
	rq.own = (struct turn_identity){0};
	rq.is_moving = rq.is_trusted = false;
	rq.is_bad = is_bad;
	rq.who = NULL;
	rq.now_us = now_us;
	serve(&rq);
}

/* Tokens, tickets and connection ids begin with the number of the worker that gave them out. */
static bool names_worker(const struct stun_msg *m, unsigned *worker)
{
	struct slice value = {0};
	if (m->method == STUN_REFRESH)
		return turn_ticket_worker(stun_value(m, STUN_ATTR_MOBILITY_TICKET), worker);
	if (m->method == STUN_ALLOCATE)
		value = stun_value(m, STUN_ATTR_RESERVATION_TOKEN);
	else if (m->method == STUN_CONNECTION_BIND)
		value = stun_value(m, STUN_ATTR_CONNECTION_ID);
	if (!value.n)
		return false;
	*worker = value.p[0];
	return true;
}

static bool is_handed_over(
	struct turn_server *s, const struct turn_flow *flow, const struct stun_msg *m)
{
	unsigned worker;
	return names_worker(m, &worker) && worker != s->cfg.worker &&
	       s->ops->hand_over(s->arg, flow, worker, m->raw);
}

void turn_rx_stun(struct turn_server *s, const struct turn_flow *flow, uint8_t *p, size_t n,
	uint64_t now_us)
{
	struct stun_msg m;
	s->now_us = now_us;
	int err = stun_parse(&m, slice_of(p, n));
	/* Only a request can be told that one of its attributes is bad. */
	bool is_bad = err == -ERR_RANGE && m.class == STUN_REQUEST;
	if ((err && !is_bad) || stun_verify_fingerprint(&m)) {
		metric_drop(DROP_TURN_MALFORMED);
		return;
	}
	if (m.class == STUN_INDICATION && m.method == STUN_SEND && !s->cfg.stun_only) {
		turn_rx_send(s, flow, &m);
		return;
	}
	/* A Binding indication keeps a NAT open and asks for nothing (RFC 8489 §6.3.2). */
	if (m.class == STUN_INDICATION && m.method == STUN_BINDING)
		return;
	if (m.class != STUN_REQUEST) {
		metric_drop(DROP_TURN_MALFORMED);
		return;
	}
	bool was_hot = hot_pause();
	if (!s->ops->hand_over || !is_handed_over(s, flow, &m))
		rx_request(s, flow, &m, is_bad, now_us);
	hot_resume(was_hot);
}
