#include "turn/quota.h"

#include <stdatomic.h>

#include "base/err.h"
#include "base/mem.h"

enum {
	WINDOW = 16, /* slots a user may live in, from the one its hash names */
	COUNT_BITS = 24,
	SECOND_NS = 1000000000,
};
#define COUNT_MASK ((UINT64_C(1) << COUNT_BITS) - 1)
#define NO_SLOT UINT32_MAX

/* `owner`: the upper 40 bits of the user's hash and the number of allocations; free while that is 0. */
struct slot {
	_Atomic uint64_t owner;
	_Atomic uint64_t used_ns; /* the time up to which its bytes have used its bandwidth up */
};

struct turn_quota {
	_Atomic uint32_t per_user, per_participant, total_max;
	_Atomic uint64_t user_bytes_per_s, total_bytes_per_s;
	_Atomic uint32_t total;
	_Atomic uint64_t total_used_ns;
	uint32_t mask;
	struct slot *slots;
};

void turn_quota_reload(struct turn_quota *q, const struct turn_quota_cfg *cfg)
{
	atomic_store(&q->per_user, cfg->allocations_per_user);
	atomic_store(&q->per_participant, cfg->allocations_per_participant);
	atomic_store(&q->total_max, cfg->allocations_total);
	atomic_store(&q->user_bytes_per_s, cfg->user_bytes_per_s);
	atomic_store(&q->total_bytes_per_s, cfg->total_bytes_per_s);
}

struct turn_quota *turn_quota_new(const struct turn_quota_cfg *cfg)
{
	struct turn_quota *q = XNEW(struct turn_quota);
	uint32_t n = WINDOW;
	while (n < cfg->slots && n < UINT32_C(1) << 24)
		n *= 2;
	q->mask = n - 1;
	q->slots = xcalloc(n, sizeof *q->slots);
	turn_quota_reload(q, cfg);
	return q;
}

void turn_quota_free(struct turn_quota *q)
{
	if (!q)
		return;
	xfree(q->slots);
	xfree(q);
}

/* Adds one unless that passes the bound (0 = none). */
static bool take_total(struct turn_quota *q)
{
	uint32_t max = atomic_load(&q->total_max), n = atomic_load(&q->total);
	do {
		if (max && n >= max)
			return false;
	} while (!atomic_compare_exchange_weak(&q->total, &n, n + 1));
	return true;
}

/* One more for a user who has the slot already. 0; -ERR_NO_ROOM; -ERR_NOT_FOUND: it is another's. */
static int take_in(struct slot *s, uint64_t tag, uint32_t max)
{
	uint64_t owner = atomic_load(&s->owner);
	do {
		uint64_t n = owner & COUNT_MASK;
		if (!n || (owner & ~COUNT_MASK) != tag)
			return -ERR_NOT_FOUND;
		if ((max && n >= max) || n == COUNT_MASK)
			return -ERR_NO_ROOM;
	} while (!atomic_compare_exchange_weak(&s->owner, &owner, owner + 1));
	return 0;
}

static struct slot *slot_at(struct turn_quota *q, uint64_t hash, uint32_t i)
{
	return &q->slots[((uint32_t)hash + i) & q->mask];
}

static struct slot *claim(struct turn_quota *q, uint64_t hash, uint64_t tag)
{
	for (uint32_t i = 0; i < WINDOW; i++) {
		struct slot *s = slot_at(q, hash, i);
		uint64_t owner = atomic_load(&s->owner);
		if (!(owner & COUNT_MASK) &&
			atomic_compare_exchange_strong(&s->owner, &owner, tag | 1))
			return s;
	}
	return NULL;
}

/*
 * Two threads may claim a slot each for one user at the same moment. Both look once more, and who finds one in
 * front of its own moves there.
 */
static int take_user(struct turn_quota *q, uint64_t hash, uint32_t max, uint32_t *slot)
{
	uint64_t tag = hash & ~COUNT_MASK;
	struct slot *mine = NULL;
	for (int round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < WINDOW; i++) {
			struct slot *s = slot_at(q, hash, i);
			if (s == mine)
				break;
			int err = take_in(s, tag, max);
			if (err == -ERR_NOT_FOUND)
				continue;
			if (mine)
				atomic_fetch_sub(&mine->owner, 1);
			*slot = (uint32_t)(s - q->slots);
			return err;
		}
		if (!mine)
			mine = claim(q, hash, tag);
		if (!mine)
			return -ERR_NO_ROOM;
	}
	*slot = (uint32_t)(mine - q->slots);
	return 0;
}

int turn_quota_acquire(
	struct turn_quota *q, uint64_t user_hash, bool is_participant, uint32_t *slot)
{
	*slot = NO_SLOT;
	if (!take_total(q))
		return -ERR_NO_ROOM;
	uint32_t max = atomic_load(is_participant ? &q->per_participant : &q->per_user);
	if (!user_hash)
		return 0;
	int err = take_user(q, user_hash, max, slot);
	if (err) {
		*slot = NO_SLOT;
		atomic_fetch_sub(&q->total, 1);
	}
	return err;
}

void turn_quota_release(struct turn_quota *q, uint32_t slot)
{
	if (slot != NO_SLOT)
		atomic_fetch_sub(&q->slots[slot].owner, 1);
	atomic_fetch_sub(&q->total, 1);
}

/* One second's worth may be saved up; the last packet may go into debt. */
static bool take_bytes(_Atomic uint64_t *used_ns, uint64_t bytes_per_s, uint32_t n, uint64_t now_ns)
{
	uint64_t floor = now_ns > SECOND_NS ? now_ns - SECOND_NS : 0;
	uint64_t cost = (uint64_t)n * SECOND_NS / bytes_per_s;
	uint64_t used = atomic_load_explicit(used_ns, memory_order_relaxed), from;
	do {
		from = used > floor ? used : floor;
		if (from > now_ns)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(
		used_ns, &used, from + cost, memory_order_relaxed, memory_order_relaxed));
	return true;
}

bool turn_quota_take(struct turn_quota *q, uint32_t slot, uint32_t n, uint64_t now_us)
{
	uint64_t user = atomic_load_explicit(&q->user_bytes_per_s, memory_order_relaxed);
	uint64_t total = atomic_load_explicit(&q->total_bytes_per_s, memory_order_relaxed);
	if (user && slot != NO_SLOT &&
		!take_bytes(&q->slots[slot].used_ns, user, n, now_us * 1000))
		return false;
	return !total || take_bytes(&q->total_used_ns, total, n, now_us * 1000);
}

uint64_t turn_quota_total(const struct turn_quota *q)
{
	return atomic_load(&q->total);
}
