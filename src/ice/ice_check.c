#include "ice/ice_internal.h"

#include "base/rng.h"

/* Header, USERNAME of 289, PRIORITY, role, USE-CANDIDATE, MESSAGE-INTEGRITY and FINGERPRINT come to 372. */
enum { CHECK_CAP = 400 };

/* (Re)sends the pair's present check. RFC 8445 §7.2.4, attributes of §7.1. */
static void transmit(struct ice *a, struct pair *p, uint64_t now_us)
{
	const struct gen *gen = &a->gens[p->gen];
	struct check *c = &p->now;
	uint8_t mem[CHECK_CAP];
	struct stun_writer w;
	struct slice datagram;
	stun_begin(&w, mem, sizeof mem, STUN_BINDING, STUN_REQUEST, c->tid);
	stun_put(&w, STUN_ATTR_USERNAME, gen->username, gen->username_len);
	stun_put_u32(&w, STUN_ATTR_PRIORITY, ice_priority(ICE_PRFLX, local_pref(p->local, 0)));
	stun_put_u64(&w, c->as_controlling ? STUN_ATTR_ICE_CONTROLLING : STUN_ATTR_ICE_CONTROLLED,
		a->cfg.tie_breaker);
	if (c->use_candidate)
		stun_put(&w, STUN_ATTR_USE_CANDIDATE, NULL, 0);
	if (stun_seal(&w, &gen->remote_key, &datagram))
		return;
	c->n_sent++;
	c->sent_us = now_us;
	p->n_missed = (uint8_t)MIN(p->n_missed + 1, MISSED_MAX);
	a->ops->send(a->arg, p->local, &a->remotes[p->remote].addr, datagram);
}

static void start_check(struct ice *a, struct pair *p, uint64_t now_us)
{
	bool is_selected = pair_index(a, p) == a->selected && p->gen == a->gen_now;
	if (p->now.is_open)
		p->before = p->now;
	p->now = (struct check){
		.is_open = true,
		.as_controlling = a->is_controlling,
		.use_candidate = a->is_controlling && a->is_nominating && is_selected,
	};
	rng_bytes(p->now.tid, sizeof p->now.tid);
	transmit(a, p, now_us);
}

/* The more checks are under way, the longer each may take (RFC 8445 §14.3). */
static uint32_t rto_now(struct ice *a)
{
	uint32_t busy = 0;
	for_each_pair(a, p)
		busy += p->state == PAIR_WAITING || p->state == PAIR_CHECKING;
	return MAX(a->cfg.rto_us, busy * a->cfg.pacing_us);
}

static void begin_pair(struct ice *a, struct pair *p, uint64_t now_us)
{
	p->trigger = 0;
	if (p->state != PAIR_SUCCEEDED)
		p->state = PAIR_CHECKING;
	p->rto_us = rto_now(a);
	start_check(a, p, now_us);
	p->next_us = now_us + p->rto_us;
}

static void retransmit(struct ice *a, struct pair *p, uint64_t now_us)
{
	if (p->now.n_sent >= CHECK_SENDS_MAX) {
		p->state = PAIR_IDLE;
		p->now.is_open = p->before.is_open = false;
		p->next_us = NEVER;
		return;
	}
	transmit(a, p, now_us);
	unsigned factor = p->now.n_sent < 3 ? 1u << (p->now.n_sent - 1) : CHECK_BACKOFF_MAX;
	p->next_us = now_us + (uint64_t)p->rto_us * factor;
}

/*
 * RFC 7675 §5.1 sends each consent check once. Here one that is not answered is repeated at the pace of a first
 * retransmission, so that some lost packets on a bad link are not taken for a lost peer.
 */
static void check_consent(struct ice *a, struct pair *p, uint64_t now_us)
{
	bool wants_nomination = a->is_nominating && a->nominated != a->selected;
	bool repeat = p->now.is_open && p->now.n_sent < CONSENT_SENDS_MAX &&
		p->now.as_controlling == a->is_controlling &&
		(!wants_nomination || p->now.use_candidate);
	if (repeat)
		transmit(a, p, now_us);
	else
		start_check(a, p, now_us);
	p->next_us = now_us + MAX(a->cfg.rto_us, 2 * p->rtt_us);
}

static struct pair *next_pair(struct ice *a)
{
	struct pair *queued = NULL, *waiting = NULL;
	for_each_pair(a, p) {
		if (p->gen != a->gen_now)
			continue;
		if (p->trigger && (!queued || p->trigger < queued->trigger))
			queued = p;
		if (p->state == PAIR_WAITING && (!waiting || p->priority > waiting->priority))
			waiting = p;
	}
	return queued ? queued : waiting;
}

void checks_run(struct ice *a, uint64_t now_us)
{
	if (a->cfg.is_lite || is_stopped(a))
		return;
	for_each_pair(a, p) {
		if (p->next_us > now_us)
			continue;
		if (pair_index(a, p) == a->selected)
			check_consent(a, p, now_us);
		else
			retransmit(a, p, now_us);
	}
	if (!a->gens[a->gen_now].has_remote || now_us < a->next_check_us)
		return;
	struct pair *p = next_pair(a);
	if (!p)
		return;
	begin_pair(a, p, now_us);
	a->next_check_us = now_us + a->cfg.pacing_us;
}

uint64_t checks_next_us(const struct ice *a)
{
	uint64_t at = NEVER;
	if (a->cfg.is_lite || is_stopped(a))
		return at;
	bool may_begin = a->gens[a->gen_now].has_remote;
	for (uint32_t i = 0; i < a->n_pairs; i++) {
		const struct pair *p = &a->pairs[i];
		if (p->state == PAIR_FREE)
			continue;
		at = MIN(at, p->next_us);
		if (may_begin && p->gen == a->gen_now && (p->trigger || p->state == PAIR_WAITING))
			at = MIN(at, a->next_check_us);
	}
	return at;
}
