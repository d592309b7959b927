#include "ice/ice_internal.h"

uint16_t local_pref(unsigned local, unsigned k)
{
	return (uint16_t)(65535 - (local * (ICE_ADVERTISED_MAX + 1) + k));
}

uint64_t consent_interval_us(struct ice *a)
{
	/* xorshift64: this only has to keep peers from beating in step, it guards nothing. */
	a->jitter ^= a->jitter << 13;
	a->jitter ^= a->jitter >> 7;
	a->jitter ^= a->jitter << 17;
	uint64_t base = a->cfg.consent_us;
	return base * 4 / 5 + (a->jitter >> 32) % (base * 2 / 5 + 1);
}

static uint64_t pair_priority(const struct ice *a, const struct pair *p)
{
	uint64_t ours = ice_priority(ICE_HOST, local_pref(p->local, 0));
	uint64_t theirs = a->remotes[p->remote].priority;
	uint64_t g = a->is_controlling ? ours : theirs, d = a->is_controlling ? theirs : ours;
	return (MIN(g, d) << 32) + 2 * MAX(g, d) + (g > d); /* RFC 8445 §6.1.2.3 */
}

/* Media or a nomination depends on it. */
static bool is_held(const struct ice *a, const struct pair *p)
{
	return pair_index(a, p) == a->selected || pair_index(a, p) == a->nominated;
}

static void remote_drop(struct ice *a, struct remote *r)
{
	uint8_t index = (uint8_t)(r - a->remotes);
	for_each_pair(a, p)
		if (p->remote == index)
			*p = (struct pair){0};
	*r = (struct remote){0};
}

struct remote *remote_find(struct ice *a, const struct addr *addr)
{
	for (size_t i = 0; i < ICE_REMOTES_MAX; i++)
		if (a->remotes[i].is_used && addr_eq(&a->remotes[i].addr, addr))
			return &a->remotes[i];
	return NULL;
}

/* A peer-reflexive remote that no longer works: a NAT that rebinds for hours leaves one each time. */
static struct remote *remote_find_stale(struct ice *a, uint64_t now_us)
{
	bool is_needed[ICE_REMOTES_MAX] = {false};
	for_each_pair(a, p)
		if (is_held(a, p) || pair_is_fresh(a, p, now_us) || p->trigger)
			is_needed[p->remote] = true;
	for (size_t i = 0; i < ICE_REMOTES_MAX; i++)
		if (a->remotes[i].type == ICE_PRFLX && !is_needed[i])
			return &a->remotes[i];
	for (size_t i = 0; i < ICE_REMOTES_MAX; i++)
		if (!is_needed[i])
			return &a->remotes[i];
	return NULL;
}

struct remote *remote_add(struct ice *a, const struct addr *addr, enum ice_candidate_type type,
	uint32_t priority, uint64_t now_us)
{
	struct remote *r = a->remotes;
	while (r < a->remotes + ICE_REMOTES_MAX && r->is_used)
		r++;
	if (r == a->remotes + ICE_REMOTES_MAX) {
		r = type == ICE_PRFLX ? remote_find_stale(a, now_us) : NULL;
		if (!r)
			return NULL;
		remote_drop(a, r);
	}
	*r = (struct remote){
		.addr = *addr, .priority = priority, .type = (uint8_t)type, .is_used = true};
	return r;
}

struct pair *pair_find(struct ice *a, unsigned local, const struct remote *r, uint8_t gen)
{
	uint8_t remote = (uint8_t)(r - a->remotes);
	for_each_pair(a, p)
		if (p->local == local && p->remote == remote && p->gen == gen)
			return p;
	return NULL;
}

/* The slot that is missed least: idle before others, then the lowest priority. NULL if none may go. */
static struct pair *find_victim(struct ice *a, uint64_t now_us)
{
	struct pair *victim = NULL;
	for_each_pair(a, p) {
		if (is_held(a, p) || pair_is_fresh(a, p, now_us))
			continue;
		bool is_idle = p->state == PAIR_IDLE;
		bool victim_is_idle = victim && victim->state == PAIR_IDLE;
		if (!victim || is_idle > victim_is_idle ||
			(is_idle == victim_is_idle && p->priority < victim->priority))
			victim = p;
	}
	return victim;
}

static struct pair *free_slot(struct ice *a)
{
	for (uint32_t i = 0; i < a->n_pairs; i++)
		if (a->pairs[i].state == PAIR_FREE)
			return &a->pairs[i];
	return a->n_pairs < ICE_PAIRS_MAX ? &a->pairs[a->n_pairs++] : NULL;
}

struct pair *pair_add(struct ice *a, unsigned local, const struct remote *r, bool is_certain,
	uint64_t now_us)
{
	struct pair fresh = {
		.state = PAIR_WAITING,
		.local = (uint8_t)local,
		.remote = (uint8_t)(r - a->remotes),
		.gen = a->gen_now,
		.next_us = NEVER,
	};
	fresh.priority = pair_priority(a, &fresh);
	struct pair *p = free_slot(a);
	if (!p) {
		p = find_victim(a, now_us);
		if (!p || (!is_certain && p->state != PAIR_IDLE && p->priority >= fresh.priority))
			return NULL;
	}
	*p = fresh;
	return p;
}

void pair_with_locals(struct ice *a, const struct remote *r, uint64_t now_us)
{
	for (unsigned i = 0; i < a->n_locals; i++) {
		if (a->locals[i].base.sa.sa_family != r->addr.sa.sa_family)
			continue;
		/* No room is no failure here: the better pairs have it. */
		if (!pair_find(a, i, r, a->gen_now))
			(void)pair_add(a, i, r, false, now_us);
	}
}

void pair_drop_others(struct ice *a)
{
	struct pair *keep = selected_pair(a);
	for_each_pair(a, p)
		if (p != keep)
			*p = (struct pair){0};
	for (size_t i = 0; i < ICE_REMOTES_MAX; i++)
		if (!keep || keep->remote != i)
			a->remotes[i] = (struct remote){0};
}

bool pair_is_fresh(const struct ice *a, const struct pair *p, uint64_t now_us)
{
	return p->state == PAIR_SUCCEEDED && p->n_missed < MISSED_MAX &&
	       now_us - p->heard_us < a->cfg.disconnected_us / 2;
}

void pair_trigger(struct ice *a, struct pair *p)
{
	if (!p->trigger)
		p->trigger = ++a->trigger_seq;
}

void pair_recheck_all(struct ice *a)
{
	for_each_pair(a, p)
		if (pair_index(a, p) != a->selected && p->state == PAIR_SUCCEEDED)
			pair_trigger(a, p);
		else if (p->state == PAIR_IDLE)
			p->state = PAIR_WAITING;
}

/* The choice is made: worse pairs need no more checks until they are asked for (RFC 8445 §8.1.1). */
static void rest_others(struct ice *a)
{
	const struct pair *best = &a->pairs[a->nominated];
	for_each_pair(a, p) {
		if (is_held(a, p) || p->gen != best->gen || p->priority > best->priority)
			continue;
		if (p->state == PAIR_WAITING || p->state == PAIR_CHECKING) {
			p->state = PAIR_IDLE;
			p->next_us = NEVER;
			p->trigger = 0;
		}
	}
}

/*
 * A peer with aggressive nomination names several pairs within milliseconds: the highest priority wins. A
 * peer that moves to another path names only the new one, again and again, and the old one no more.
 */
static bool may_take_over(const struct ice *a, const struct pair *p, uint64_t now_us)
{
	if (a->nominated == NONE)
		return true;
	const struct pair *held = &a->pairs[a->nominated];
	return held->gen != p->gen || p->priority > held->priority ||
	       !pair_is_fresh(a, held, now_us) || now_us - held->nominated_us >= TAKEOVER_US;
}

void pair_nominate(struct ice *a, struct pair *p, uint64_t now_us)
{
	p->is_wanted = false;
	if (pair_index(a, p) == a->nominated || !may_take_over(a, p, now_us))
		return;
	a->nominated = pair_index(a, p);
	rest_others(a);
}

static int best_fresh(struct ice *a, uint64_t now_us)
{
	struct pair *best = NULL;
	for_each_pair(a, p)
		if (p->gen == a->gen_now && pair_is_fresh(a, p, now_us) &&
			(!best || p->priority > best->priority))
			best = p;
	return best ? pair_index(a, best) : NONE;
}

static void select_pair(struct ice *a, int index, uint64_t now_us)
{
	struct pair *old = selected_pair(a), *p = &a->pairs[index];
	a->selected = index;
	a->is_rechecking = false;
	p->trigger = 0;
	if (old && old->gen != a->gen_now)
		*old = (struct pair){0};
	else if (old)
		old->next_us = NEVER;
	if (!a->cfg.is_lite)
		p->next_us = a->is_nominating ? now_us : now_us + consent_interval_us(a);
	a->ops->selected(a->arg, p->local, &a->remotes[p->remote].addr);
}

/*
 * The controlled side also holds on while the peer goes on naming the pair: it would name another one if it
 * had no answers from us, so what we miss are lost packets, and two agents must not dodge each other.
 */
static bool is_nomination_alive(const struct ice *a, uint64_t now_us)
{
	if (a->nominated == NONE)
		return false;
	const struct pair *p = &a->pairs[a->nominated];
	bool is_named = !a->is_controlling && a->nominated == a->selected && p->nominated_us &&
		now_us - p->nominated_us < a->cfg.disconnected_us / 2;
	return is_named || pair_is_fresh(a, p, now_us);
}

void pair_choose(struct ice *a, uint64_t now_us)
{
	if (is_nomination_alive(a, now_us)) {
		if (a->nominated != a->selected)
			select_pair(a, a->nominated, now_us);
		return;
	}
	struct pair *held = selected_pair(a);
	bool is_settled = a->is_nominating && held && held->gen == a->gen_now;
	/* A lite agent proves no path by itself, so it moves on the peer's word only. */
	if (a->cfg.is_lite || (is_settled && pair_is_fresh(a, held, now_us)))
		return;
	int best = best_fresh(a, now_us);
	if (best == NONE)
		return;
	a->nominated = NONE;
	if (best != a->selected)
		select_pair(a, best, now_us);
}

void role_set(struct ice *a, bool is_controlling, uint64_t now_us)
{
	if (a->is_controlling == is_controlling)
		return;
	a->is_controlling = is_controlling;
	a->is_nominating = false;
	a->nominated = NONE;
	bool is_up = a->selected != NONE && a->pairs[a->selected].gen == a->gen_now;
	a->nominate_at_us = is_controlling && is_up ? now_us + a->cfg.nominate_us : NEVER;
	for_each_pair(a, p) {
		p->priority = pair_priority(a, p);
		p->is_wanted = false;
	}
}
