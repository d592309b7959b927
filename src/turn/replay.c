#include "base/mem.h"
#include "turn/turn_internal.h"

enum { KEEP_US = 40000000 }; /* RFC 8489 §6.3.1 */

/* One answer: a ring in order of time, and positions + 1 by hash for the look-up. */
struct kept {
	uint64_t flow_tid;    /* hash of flow and transaction id */
	uint64_t request;     /* hash of all of the request: another one under the same id is a new one */
	uint64_t at_us;
	uint8_t *bytes;       /* owned; NULL = free */
	uint16_t n;
};

struct turn_replay {
	uint32_t cap, first, n;
	uint32_t mask;
	struct kept *ring; /* made with the first answer */
	uint32_t *by_hash;
};

struct turn_replay *turn_replay_new(uint32_t max)
{
	struct turn_replay *r = XNEW(struct turn_replay);
	r->cap = max;
	r->mask = 1;
	while (r->mask < max * 2)
		r->mask *= 2;
	r->mask--;
	return r;
}

static uint64_t hash_of(const struct turn_flow *flow, struct slice request)
{
	uint8_t key[2 + ADDR_KEY_CAP + STUN_TID_LEN];
	size_t n = turn_flow_key(flow, key);
	memcpy(key + n, request.p + STUN_TID_AT, STUN_TID_LEN);
	return map_hash(slice_of(key, n + STUN_TID_LEN));
}

/* The place in by_hash that names this answer, or the empty one where it would. */
static uint32_t place(const struct turn_replay *r, uint64_t flow_tid)
{
	uint32_t i = (uint32_t)flow_tid & r->mask;
	while (r->by_hash[i] && r->ring[r->by_hash[i] - 1].flow_tid != flow_tid)
		i = (i + 1) & r->mask;
	return i;
}

static void forget_first(struct turn_replay *r)
{
	struct kept *k = &r->ring[r->first];
	uint32_t hole = place(r, k->flow_tid);
	/* A newer answer under the same id has taken the name over. */
	if (r->by_hash[hole] == r->first + 1) {
		r->by_hash[hole] = 0;
		for (uint32_t i = (hole + 1) & r->mask; r->by_hash[i]; i = (i + 1) & r->mask) {
			uint32_t home = (uint32_t)r->ring[r->by_hash[i] - 1].flow_tid & r->mask;
			if (((i - home) & r->mask) < ((i - hole) & r->mask))
				continue;
			r->by_hash[hole] = r->by_hash[i];
			r->by_hash[i] = 0;
			hole = i;
		}
	}
	xfree(k->bytes);
	*k = (struct kept){0};
	r->first = (r->first + 1) % r->cap;
	r->n--;
}

void turn_replay_free(struct turn_replay *r)
{
	if (!r)
		return;
	while (r->n)
		forget_first(r);
	xfree(r->ring);
	xfree(r->by_hash);
	xfree(r);
}

struct slice turn_replay_find(
	const struct turn_replay *r, const struct turn_flow *flow, struct slice request)
{
	if (!r->n)
		return slice_of(NULL, 0);
	uint32_t at = r->by_hash[place(r, hash_of(flow, request))];
	const struct kept *k = at ? &r->ring[at - 1] : NULL;
	if (!k || k->request != map_hash(request))
		return slice_of(NULL, 0);
	return slice_of(k->bytes, k->n);
}

void turn_replay_add(struct turn_replay *r, const struct turn_flow *flow, struct slice request,
	struct slice answer, uint64_t now_us)
{
	if (!r->ring) {
		r->ring = xcalloc(r->cap, sizeof *r->ring);
		r->by_hash = xcalloc(r->mask + 1, sizeof *r->by_hash);
	}
	if (r->n == r->cap)
		forget_first(r);
	uint32_t i = (r->first + r->n) % r->cap;
	r->ring[i] = (struct kept){
		.flow_tid = hash_of(flow, request),
		.request = map_hash(request),
		.at_us = now_us,
		.bytes = xmemdup(answer.p, answer.n),
		.n = (uint16_t)answer.n,
	};
	r->by_hash[place(r, r->ring[i].flow_tid)] = i + 1;
	r->n++;
}

uint64_t turn_replay_expire(struct turn_replay *r, uint64_t now_us)
{
	while (r->n && r->ring[r->first].at_us + KEEP_US <= now_us)
		forget_first(r);
	return r->n ? r->ring[r->first].at_us + KEEP_US : UINT64_MAX;
}
