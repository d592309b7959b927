#include "base/mem.h"
#include "turn/turn_internal.h"

static uint32_t hash_number(uint16_t number)
{
	return number * UINT32_C(2654435761) >> 16;
}

static uint32_t hash_peer(const struct addr *peer)
{
	uint8_t key[ADDR_KEY_CAP];
	return (uint32_t)map_hash(slice_of(key, addr_key(peer, key)));
}

static uint32_t hash_ip(const uint8_t *ip, size_t n)
{
	return (uint32_t)map_hash(slice_of(ip, n));
}

/* Room for n entries, at most half full. */
static struct turn_index *index_new(size_t n)
{
	uint32_t cap = 32;
	while (cap < 2 * n)
		cap *= 2;
	struct turn_index *x = xcalloc(1, sizeof *x + cap * sizeof x->at[0]);
	x->mask = cap - 1;
	return x;
}

static void index_put(struct turn_index *x, uint32_t hash, size_t position)
{
	uint32_t i = hash & x->mask;
	while (x->at[i])
		i = (i + 1) & x->mask;
	x->at[i] = (uint16_t)(position + 1);
}

/* The arrays changed. Short ones need no index. */
static void reindex(struct turn_alloc *a)
{
	xfree(a->by_number);
	xfree(a->by_peer);
	xfree(a->by_ip);
	a->by_number = a->by_peer = a->by_ip = NULL;
	a->last_chan = 0;
	if (a->n_chans > TURN_LINEAR_MAX) {
		a->by_number = index_new(a->n_chans);
		a->by_peer = index_new(a->n_chans);
		for (size_t i = 0; i < a->n_chans; i++) {
			index_put(a->by_number, hash_number(a->chans[i].number), i);
			index_put(a->by_peer, hash_peer(&a->chans[i].peer), i);
		}
	}
	if (a->n_perms > TURN_LINEAR_MAX) {
		a->by_ip = index_new(a->n_perms);
		for (size_t i = 0; i < a->n_perms; i++)
			index_put(a->by_ip, hash_ip(a->perms[i].ip, a->perms[i].ip_len), i);
	}
}

static bool perm_is(const struct turn_perm *p, struct slice ip)
{
	return p->ip_len == ip.n && memcmp(p->ip, ip.p, ip.n) == 0;
}

struct turn_perm *turn_perm_find(struct turn_alloc *a, const struct addr *peer)
{
	struct slice ip = addr_ip(peer);
	if (!a->by_ip) {
		for (size_t i = 0; i < a->n_perms; i++)
			if (perm_is(&a->perms[i], ip))
				return &a->perms[i];
		return NULL;
	}
	const struct turn_index *x = a->by_ip;
	for (uint32_t i = hash_ip(ip.p, ip.n) & x->mask; x->at[i]; i = (i + 1) & x->mask)
		if (perm_is(&a->perms[x->at[i] - 1], ip))
			return &a->perms[x->at[i] - 1];
	return NULL;
}

struct turn_chan *turn_chan_by_number(struct turn_alloc *a, uint16_t number)
{
	if (!a->by_number) {
		for (size_t i = 0; i < a->n_chans; i++)
			if (a->chans[i].number == number)
				return &a->chans[i];
		return NULL;
	}
	const struct turn_index *x = a->by_number;
	for (uint32_t i = hash_number(number) & x->mask; x->at[i]; i = (i + 1) & x->mask)
		if (a->chans[x->at[i] - 1].number == number)
			return &a->chans[x->at[i] - 1];
	return NULL;
}

static struct turn_chan *hit(struct turn_alloc *a, size_t position)
{
	a->last_chan = (uint16_t)position;
	return &a->chans[position];
}

struct turn_chan *turn_chan_by_peer(struct turn_alloc *a, const struct addr *peer)
{
	if (!a->n_chans)
		return NULL;
	if (addr_eq(&a->chans[a->last_chan].peer, peer))
		return &a->chans[a->last_chan];
	if (!a->by_peer) {
		for (size_t i = 0; i < a->n_chans; i++)
			if (addr_eq(&a->chans[i].peer, peer))
				return hit(a, i);
		return NULL;
	}
	const struct turn_index *x = a->by_peer;
	for (uint32_t i = hash_peer(peer) & x->mask; x->at[i]; i = (i + 1) & x->mask)
		if (addr_eq(&a->chans[x->at[i] - 1].peer, peer))
			return hit(a, x->at[i] - 1U);
	return NULL;
}

/* The allocation's relayed address of a family. */
static struct turn_relay *relay_of(struct turn_alloc *a, const struct addr *peer)
{
	struct turn_half *h = turn_half_of(a, peer->sa.sa_family);
	return h ? h->relay : NULL;
}

static void chan_tell(struct turn_alloc *a, const struct turn_chan *c, bool is_bound)
{
	const struct turn_ops *ops = a->server->ops;
	if (ops->channel_changed && a->is_attached)
		ops->channel_changed(a->server->arg, &a->flow, relay_of(a, &c->peer), c->number,
			&c->peer, is_bound);
}

void turn_chans_tell(struct turn_alloc *a, bool is_bound)
{
	for (size_t i = 0; i < a->n_chans; i++)
		chan_tell(a, &a->chans[i], is_bound);
}

static void chan_remove(struct turn_alloc *a, size_t i)
{
	chan_tell(a, &a->chans[i], false);
	a->chans[i] = a->chans[--a->n_chans];
}

uint64_t turn_perm_expire(struct turn_alloc *a, uint64_t now_us)
{
	uint64_t next = UINT64_MAX;
	bool is_changed = false;
	for (size_t i = a->n_chans; i-- > 0;) {
		if (a->chans[i].until_us > now_us) {
			next = MIN(next, a->chans[i].until_us);
			continue;
		}
		chan_remove(a, i);
		is_changed = true;
	}
	for (size_t i = a->n_perms; i-- > 0;) {
		if (a->perms[i].until_us > now_us) {
			next = MIN(next, a->perms[i].until_us);
			continue;
		}
		a->perms[i] = a->perms[--a->n_perms];
		is_changed = true;
	}
	if (is_changed)
		reindex(a);
	return next;
}

void turn_perm_recheck(struct turn_alloc *a)
{
	const struct turn_policy *policy = a->server->policy;
	for (size_t i = a->n_chans; i-- > 0;)
		if (!turn_policy_allows(policy, &a->chans[i].peer))
			chan_remove(a, i);
	for (size_t i = a->n_perms; i-- > 0;) {
		struct turn_perm *p = &a->perms[i];
		struct addr peer;
		p->good_port = 0;
		if (addr_from_bytes(&peer, p->ip, p->ip_len, 0) ||
			!turn_policy_allows(policy, &peer))
			*p = a->perms[--a->n_perms];
	}
	reindex(a);
}

void turn_perm_drop_family(struct turn_alloc *a, int family)
{
	for (size_t i = a->n_chans; i-- > 0;)
		if (a->chans[i].peer.sa.sa_family == family)
			chan_remove(a, i);
	size_t ip_len = family == AF_INET6 ? 16 : 4;
	for (size_t i = a->n_perms; i-- > 0;)
		if (a->perms[i].ip_len == ip_len)
			a->perms[i] = a->perms[--a->n_perms];
	reindex(a);
}

void turn_perm_free(struct turn_alloc *a)
{
	a->n_chans = a->n_perms = 0;
	reindex(a);
	if (a->chans != a->chans_inline)
		xfree(a->chans);
	if (a->perms != a->perms_inline)
		xfree(a->perms);
}

/* The array with room for one more: first the one inside the allocation, then twice as much each time. */
static void *grow(void *array, const void *inl, size_t n, uint16_t *cap, size_t size)
{
	if (n < *cap)
		return array;
	*cap = (uint16_t)MIN((size_t)*cap * 2, (size_t)UINT16_MAX - 1);
	if (array != inl)
		return xrealloc(array, *cap * size);
	void *p = xmalloc(*cap * size);
	memcpy(p, inl, n * size);
	return p;
}

static void perm_give(struct turn_alloc *a, const struct addr *peer, uint64_t until_us)
{
	struct turn_perm *p = turn_perm_find(a, peer);
	if (!p) {
		a->perms = grow(a->perms, a->perms_inline, a->n_perms, &a->cap_perms, sizeof *p);
		p = &a->perms[a->n_perms++];
		struct slice ip = addr_ip(peer);
		*p = (struct turn_perm){.ip_len = (uint8_t)ip.n};
		memcpy(p->ip, ip.p, ip.n);
		reindex(a);
	}
	p->until_us = until_us;
	for (size_t i = 0; i < a->n_chans; i++)
		if (addr_ip_eq(&a->chans[i].peer, peer))
			a->chans[i].perm_until_us = until_us;
	turn_alloc_wake(a, until_us);
}

/* The bound of a table whose entries' numbers have 16 bits. */
static bool is_full(size_t n, uint32_t bound)
{
	return n > (bound ? MIN(bound, UINT32_C(0x7fff)) : UINT32_C(0x7fff));
}

static unsigned check_peer(struct turn_req *rq, const struct addr *peer, bool with_port)
{
	if (!turn_half_of(rq->alloc, peer->sa.sa_family))
		return STUN_ERR_PEER_FAMILY_MISMATCH;
	struct addr at = *peer;
	if (!with_port)
		addr_set_port(&at, 0);
	if ((!with_port || addr_port(peer)) && turn_policy_allows(rq->s->policy, &at))
		return 0;
	metric_inc(M_TURN_PEERS_DENIED);
	return STUN_ERR_FORBIDDEN;
}

/* Datagrams may flow from the first permission on: the relayed address may have no socket yet. */
static unsigned start_half(struct turn_req *rq, const struct addr *peer)
{
	struct turn_half *h = turn_half_of(rq->alloc, peer->sa.sa_family);
	if (h->is_started)
		return 0;
	if (rq->s->ops->relay_start(rq->s->arg, h->relay))
		return STUN_ERR_CAPACITY;
	h->is_started = true;
	return 0;
}

/* RFC 8656 §10.2: all of the peers or none. */
static unsigned check_peers(struct turn_req *rq)
{
	struct turn_alloc *a = rq->alloc;
	struct addr peer;
	size_t at = 0, n = a->n_perms, n_peers = 0;
	while (stun_next_addr(rq->m, STUN_ATTR_XOR_PEER_ADDRESS, &at, &peer)) {
		unsigned code = check_peer(rq, &peer, false);
		if (code)
			return code;
		n += !turn_perm_find(a, &peer);
		n_peers++;
	}
	if (!n_peers)
		return STUN_ERR_BAD_REQUEST;
	if (n > a->n_perms && is_full(n, rq->s->cfg.permissions_per_allocation))
		return STUN_ERR_CAPACITY;
	for (at = 0; stun_next_addr(rq->m, STUN_ATTR_XOR_PEER_ADDRESS, &at, &peer);) {
		unsigned code = start_half(rq, &peer);
		if (code)
			return code;
	}
	return 0;
}

void turn_handle_create_permission(struct turn_req *rq)
{
	struct turn_alloc *a = rq->alloc;
	unsigned code = a ? check_peers(rq) : STUN_ERR_ALLOCATION_MISMATCH;
	if (code) {
		turn_answer_fail(rq, code);
		return;
	}
	struct addr peer;
	for (size_t at = 0; stun_next_addr(rq->m, STUN_ATTR_XOR_PEER_ADDRESS, &at, &peer);)
		perm_give(a, &peer, rq->now_us + rq->s->cfg.permission_us);
	turn_answer_begin(rq, STUN_SUCCESS);
	turn_answer_send(rq);
}

/* RFC 8656 §12.2. *chan is the binding that is refreshed; NULL = a new one. */
static unsigned check_bind(
	struct turn_req *rq, struct addr *peer, uint16_t *number, struct turn_chan **chan)
{
	struct turn_alloc *a = rq->alloc;
	const struct stun_msg *m = rq->m;
	if (!a)
		return STUN_ERR_ALLOCATION_MISMATCH;
	*number = (uint16_t)stun_number(m, STUN_ATTR_CHANNEL_NUMBER);
	/* RFC 6062 §4.1: no channels on an allocation for TCP. */
	if (a->is_tcp || !stun_addr(m, STUN_ATTR_XOR_PEER_ADDRESS, peer) ||
		*number < TURN_CHANNEL_FIRST || *number > TURN_CHANNEL_LAST)
		return STUN_ERR_BAD_REQUEST;
	/* A timer is up to a millisecond late; a binding past its time is none. */
	turn_perm_expire(a, rq->now_us);
	struct turn_chan *by_number = turn_chan_by_number(a, *number);
	*chan = turn_chan_by_peer(a, peer);
	if (by_number != *chan)
		return STUN_ERR_BAD_REQUEST;
	unsigned code = check_peer(rq, peer, true);
	if (code)
		return code;
	if (!*chan && is_full(a->n_chans + 1U, rq->s->cfg.channels_per_allocation))
		return STUN_ERR_CAPACITY;
	if (!turn_perm_find(a, peer) &&
		is_full(a->n_perms + 1U, rq->s->cfg.permissions_per_allocation))
		return STUN_ERR_CAPACITY;
	return start_half(rq, peer);
}

void turn_handle_channel_bind(struct turn_req *rq)
{
	struct turn_alloc *a = rq->alloc;
	struct addr peer;
	uint16_t number;
	struct turn_chan *chan = NULL;
	unsigned code = check_bind(rq, &peer, &number, &chan);
	if (code) {
		turn_answer_fail(rq, code);
		return;
	}
	const struct turn_cfg *cfg = &rq->s->cfg;
	bool is_new = !chan;
	if (is_new) {
		a->chans =
			grow(a->chans, a->chans_inline, a->n_chans, &a->cap_chans, sizeof *chan);
		chan = &a->chans[a->n_chans++];
		*chan = (struct turn_chan){.peer = peer, .number = number};
		reindex(a);
	}
	chan->until_us = rq->now_us + cfg->channel_us;
	turn_alloc_wake(a, chan->until_us);
	perm_give(a, &peer, rq->now_us + cfg->permission_us);
	if (is_new)
		chan_tell(a, chan, true);
	turn_answer_begin(rq, STUN_SUCCESS);
	turn_answer_send(rq);
}
