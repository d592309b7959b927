#include "ice/ice_internal.h"

/* Header, XOR-MAPPED-ADDRESS or ERROR-CODE, UNKNOWN-ATTRIBUTES, MESSAGE-INTEGRITY, FINGERPRINT. */
enum { ANSWER_CAP = 160 };

struct request {
	const struct stun_msg *m;
	const struct addr *from;
	const struct gen *gen;
	unsigned local;
	uint64_t now_us;
};

static void answer(struct ice *a, const struct request *rq, unsigned error, const char *reason)
{
	uint8_t mem[ANSWER_CAP];
	struct stun_writer w;
	struct slice datagram;
	stun_begin(
		&w, mem, sizeof mem, STUN_BINDING, error ? STUN_ERROR : STUN_SUCCESS, rq->m->tid);
	if (error)
		stun_put_error(&w, error, reason);
	else
		stun_put_xor_addr(&w, STUN_ATTR_XOR_MAPPED_ADDRESS, rq->from);
	if (error == STUN_ERR_UNKNOWN_ATTRIBUTE)
		stun_put_unknown(&w, rq->m->unknown, rq->m->n_unknown);
	if (!stun_seal(&w, &rq->gen->local_key, &datagram))
		a->ops->send(a->arg, rq->local, rq->from, datagram);
}

/* RFC 8445 §7.3.1.1: the larger tie-breaker controls. True if the request is answered with a 487 and done. */
static bool repair_roles(struct ice *a, const struct request *rq)
{
	const struct stun_msg *m = rq->m;
	bool we_win = a->cfg.tie_breaker >= m->tie_breaker;
	if (a->is_controlling && stun_has(m, STUN_ATTR_ICE_CONTROLLING)) {
		if (we_win) {
			answer(a, rq, STUN_ERR_ROLE_CONFLICT, "Role Conflict");
			return true;
		}
		role_set(a, false, rq->now_us);
	} else if (!a->is_controlling && stun_has(m, STUN_ATTR_ICE_CONTROLLED)) {
		/* A lite agent cannot control: the peer has to, whoever wins. */
		if (a->cfg.is_lite || !we_win) {
			answer(a, rq, STUN_ERR_ROLE_CONFLICT, "Role Conflict");
			return true;
		}
		role_set(a, true, rq->now_us);
	}
	return false;
}

/* Who asks, in which generation, and whether it knows our password. Nothing is answered before this is sure. */
static int authenticate(struct ice *a, struct request *rq)
{
	struct slice ours, theirs;
	if (stun_verify_fingerprint(rq->m))
		return -ERR_MALFORMED;
	if (!stun_has(rq->m, STUN_ATTR_USERNAME) ||
		stun_username_split(rq->m->username, &ours, &theirs))
		return -ERR_AUTH;
	if (slice_eq_str(ours, a->gens[a->gen_now].ufrag))
		rq->gen = &a->gens[a->gen_now];
	else if (a->has_gen_before && slice_eq_str(ours, a->gens[!a->gen_now].ufrag))
		rq->gen = &a->gens[!a->gen_now];
	else
		return -ERR_AUTH;
	return stun_verify_integrity(rq->m, &rq->gen->local_key);
}

/* The pair on which the request came; made if need be, for a peer-reflexive remote too (RFC 8445 §7.3.1.3). */
static struct pair *pair_of(struct ice *a, const struct request *rq)
{
	struct remote *r = remote_find(a, rq->from);
	struct pair *p = r ? pair_find(a, rq->local, r, a->gen_now) : NULL;
	if (p)
		return p;
	if (!r)
		r = remote_add(a, rq->from, ICE_PRFLX, rq->m->priority, rq->now_us);
	p = r ? pair_add(a, rq->local, r, true, rq->now_us) : NULL;
	/* A new path on a connection that works: perhaps the old one has just ended. Ask it now. */
	struct pair *selected = selected_pair(a);
	if (p && selected && !a->cfg.is_lite)
		selected->next_us = MIN(selected->next_us, rq->now_us);
	return p;
}

/* RFC 8445 §7.3.1.4; a check of ours that is hardly on its way is not repeated. */
static void trigger_if_needed(struct ice *a, struct pair *p, uint64_t now_us)
{
	if (pair_index(a, p) == a->selected)
		return;
	bool is_on_its_way = p->now.is_open && p->next_us != NEVER &&
		now_us - p->now.sent_us < a->cfg.rto_us / 2;
	if (!is_on_its_way && !pair_is_fresh(a, p, now_us))
		pair_trigger(a, p);
}

static void take_request_lite(struct ice *a, struct pair *p, const struct request *rq)
{
	p->state = PAIR_SUCCEEDED;
	p->heard_us = rq->now_us;
	if (stun_has(rq->m, STUN_ATTR_USE_CANDIDATE)) {
		p->nominated_us = rq->now_us;
		pair_nominate(a, p, rq->now_us);
	}
}

static void take_request(struct ice *a, struct pair *p, const struct request *rq)
{
	trigger_if_needed(a, p, rq->now_us);
	if (a->is_controlling || !stun_has(rq->m, STUN_ATTR_USE_CANDIDATE))
		return;
	p->nominated_us = rq->now_us;
	if (pair_is_fresh(a, p, rq->now_us))
		pair_nominate(a, p, rq->now_us);
	else
		p->is_wanted = true;
}

static int rx_request(struct ice *a, struct request *rq)
{
	const struct stun_msg *m = rq->m;
	int err = authenticate(a, rq);
	if (err)
		return err;
	if (m->n_unknown) {
		answer(a, rq, STUN_ERR_UNKNOWN_ATTRIBUTE, "Unknown Attribute");
		return -ERR_UNSUPPORTED;
	}
	if (m->priority < 1 || m->priority > PRIORITY_MAX) {
		answer(a, rq, STUN_ERR_BAD_REQUEST, "Bad Request");
		return -ERR_MALFORMED;
	}
	if (repair_roles(a, rq))
		return 0;
	answer(a, rq, 0, NULL);

	if (rq->gen != &a->gens[a->gen_now]) {
		/* The old path is kept, not explored. It is all the liveness a lite agent has. */
		struct pair *p = selected_pair(a);
		if (a->cfg.is_lite && p && p->gen != a->gen_now && p->local == rq->local &&
			addr_eq(&a->remotes[p->remote].addr, rq->from))
			p->heard_us = rq->now_us;
	} else {
		struct pair *p = pair_of(a, rq);
		if (!p)
			return -ERR_NO_ROOM;
		if (a->cfg.is_lite)
			take_request_lite(a, p, rq);
		else
			take_request(a, p, rq);
	}
	agent_settle(a, rq->now_us);
	return 0;
}

/* The open check that the message answers: the transaction, and the address it went to (RFC 8445 §7.2.5.2.1). */
static struct check *check_find(struct ice *a, unsigned local, const struct addr *from,
	const struct stun_msg *m, struct pair **pair)
{
	for_each_pair(a, p) {
		struct check *c = &p->now;
		if (!c->is_open || memcmp(c->tid, m->tid, STUN_TID_LEN) != 0)
			c = &p->before;
		if (!c->is_open || memcmp(c->tid, m->tid, STUN_TID_LEN) != 0)
			continue;
		*pair = p;
		return p->local == local && addr_eq(&a->remotes[p->remote].addr, from) ? c : NULL;
	}
	return NULL;
}

static void take_rtt(struct pair *p, const struct check *c, uint64_t now_us)
{
	if (c->n_sent != 1)
		return; /* which transmission was answered is not known */
	uint64_t rtt = CLAMP(now_us - c->sent_us, UINT64_C(1), UINT64_C(60000000));
	p->rtt_us = (uint32_t)(p->rtt_us ? (7 * (uint64_t)p->rtt_us + rtt) / 8 : rtt);
}

static void take_success(struct ice *a, struct pair *p, const struct check *c, uint64_t now_us)
{
	take_rtt(p, c, now_us);
	p->state = PAIR_SUCCEEDED;
	p->heard_us = now_us;
	p->n_missed = 0;
	p->trigger = 0;
	bool is_selected = pair_index(a, p) == a->selected;
	if (p->gen == a->gen_now && a->is_controlling) {
		if (a->nominate_at_us == NEVER && !a->is_nominating)
			a->nominate_at_us = now_us + a->cfg.nominate_us;
		if (c->use_candidate && a->is_nominating && is_selected)
			pair_nominate(a, p, now_us);
	} else if (p->gen == a->gen_now && p->is_wanted) {
		pair_nominate(a, p, now_us);
	}
	if (!is_selected)
		p->next_us = NEVER;
	else if (!a->is_nominating || a->nominated == a->selected)
		p->next_us = now_us + consent_interval_us(a);
	/* Else an older check was answered, and the nomination goes on by its own timer. */
}

static void take_error(
	struct ice *a, struct pair *p, const struct check *c, const struct request *rq)
{
	if (rq->m->error_code == STUN_ERR_ROLE_CONFLICT) {
		/* RFC 8445 §7.2.5.1. If the role has changed since, that was the repair. */
		if (c->as_controlling == a->is_controlling && !a->cfg.is_lite)
			role_set(a, !a->is_controlling, rq->now_us);
		if (pair_index(a, p) == a->selected)
			p->next_us = rq->now_us;
		else if (p->gen == a->gen_now)
			pair_trigger(a, p);
		return;
	}
	/* On the selected pair an error is just no consent: it is asked again when its time comes. */
	if (pair_index(a, p) == a->selected)
		return;
	p->state = PAIR_IDLE;
	p->next_us = NEVER;
}

static int rx_response(struct ice *a, const struct request *rq)
{
	struct pair *p = NULL;
	struct check *c = check_find(a, rq->local, rq->from, rq->m, &p);
	if (!c)
		return -ERR_NOT_FOUND;
	if (stun_verify_fingerprint(rq->m))
		return -ERR_MALFORMED;
	if (stun_verify_integrity(rq->m, &a->gens[p->gen].remote_key))
		return -ERR_AUTH;
	if (rq->m->n_unknown)
		return -ERR_UNSUPPORTED;
	bool is_present = c == &p->now;
	struct check answered = *c;
	c->is_open = false;
	if (is_present)
		p->before.is_open = false;
	if (rq->m->class == STUN_SUCCESS)
		take_success(a, p, &answered, rq->now_us);
	else if (is_present)
		take_error(a, p, &answered, rq);
	agent_settle(a, rq->now_us);
	return 0;
}

int ice_rx(struct ice *a, unsigned local, const struct addr *from, const struct stun_msg *m,
	uint64_t now_us)
{
	if (is_stopped(a) || local >= a->n_locals)
		return -ERR_BAD_STATE;
	if (m->method != STUN_BINDING)
		return -ERR_UNSUPPORTED;
	struct request rq = {.m = m, .from = from, .local = local, .now_us = now_us};
	switch (m->class) {
	case STUN_REQUEST: return rx_request(a, &rq);
	case STUN_SUCCESS:
	case STUN_ERROR: return rx_response(a, &rq);
	case STUN_INDICATION: return 0; /* a keep-alive of older agents (RFC 8445 §11) */
	}
	return -ERR_MALFORMED;
}
