/*
 * What one address may do. A table of fixed size, four places for each hash: an address that is not there takes
 * the place that was quiet longest. The hash is keyed, so nobody can choose whose.
 */
#include "base/mem.h"
#include "turn/turn_internal.h"

enum { WAYS = 4, MINUTE_US = 60000000, SECOND_US = 1000000, CREDIT_MAX = 65536 };

struct entry {
	uint64_t who;      /* keyed hash of the address; 0 = free */
	uint64_t seen_us;
	uint64_t refill_us;
	uint64_t budget;   /* bytes that may be answered */
	uint64_t rate_us;  /* allocations: the time up to which they have used the rate up */
	uint64_t minute_us;
	uint32_t failures; /* within the minute that began at minute_us */
};

struct turn_limits {
	uint64_t mask;
	struct entry *entries; /* made when first needed */
};

struct turn_limits *turn_limits_new(uint32_t addresses_max)
{
	struct turn_limits *l = XNEW(struct turn_limits);
	uint64_t sets = 1;
	while (sets * WAYS < addresses_max)
		sets *= 2;
	l->mask = sets - 1;
	return l;
}

void turn_limits_free(struct turn_limits *l)
{
	if (!l)
		return;
	xfree(l->entries);
	xfree(l);
}

/* Who holds an IPv6 address holds the /64 around it. */
static uint64_t hash_of(const struct addr *a)
{
	struct slice ip = addr_ip(a);
	uint64_t hash = map_hash(slice_of(ip.p, MIN(ip.n, (size_t)8)));
	return hash ? hash : 1;
}

static struct entry *entry_of(struct turn_limits *l, const struct addr *a, uint64_t now_us)
{
	if (!l->entries)
		l->entries = xcalloc((l->mask + 1) * WAYS, sizeof *l->entries);
	uint64_t who = hash_of(a);
	struct entry *set = &l->entries[(who & l->mask) * WAYS], *oldest = set;
	for (size_t i = 0; i < WAYS; i++) {
		if (set[i].who == who) {
			set[i].seen_us = now_us;
			return &set[i];
		}
		if (set[i].seen_us < oldest->seen_us)
			oldest = &set[i];
	}
	if (oldest->who)
		metric_inc(M_TURN_ADDRESSES_FORGOTTEN);
	*oldest = (struct entry){.who = who, .seen_us = now_us};
	return oldest;
}

void turn_limits_received(struct turn_limits *l, const struct addr *from, size_t n, uint64_t now_us)
{
	struct entry *e = entry_of(l, from, now_us);
	if (e->budget < CREDIT_MAX)
		e->budget += n;
}

bool turn_limits_answer(struct turn_limits *l, const struct addr *to, size_t n,
	uint32_t allowance, uint64_t now_us)
{
	if (!allowance)
		return true;
	struct entry *e = entry_of(l, to, now_us);
	/* A second's allowance is there at the start and comes back within a second; no more is saved up. */
	uint64_t passed = MIN(now_us - e->refill_us, (uint64_t)SECOND_US);
	uint64_t more = e->refill_us ? passed * allowance / SECOND_US : allowance;
	if (more) {
		if (e->budget < allowance)
			e->budget = MIN(e->budget + more, (uint64_t)allowance);
		e->refill_us = MAX(now_us, UINT64_C(1));
	}
	if (e->budget < n)
		return false;
	e->budget -= n;
	return true;
}

bool turn_limits_allocate(
	struct turn_limits *l, const struct addr *from, uint32_t per_s, uint64_t now_us)
{
	if (!per_s)
		return true;
	struct entry *e = entry_of(l, from, now_us);
	uint64_t floor = now_us > SECOND_US ? now_us - SECOND_US : 0;
	uint64_t used = MAX(e->rate_us, floor) + SECOND_US / per_s;
	if (used > now_us)
		return false;
	e->rate_us = used;
	return true;
}

bool turn_limits_is_blocked(
	struct turn_limits *l, const struct addr *from, uint32_t per_minute, uint64_t now_us)
{
	if (!per_minute || !l->entries)
		return false;
	const struct entry *e = entry_of(l, from, now_us);
	return e->failures >= per_minute && now_us - e->minute_us < MINUTE_US;
}

void turn_limits_failed(
	struct turn_limits *l, const struct addr *from, uint32_t per_minute, uint64_t now_us)
{
	if (!per_minute)
		return;
	struct entry *e = entry_of(l, from, now_us);
	if (!e->failures || now_us - e->minute_us >= MINUTE_US) {
		e->minute_us = now_us;
		e->failures = 0;
	}
	e->failures++;
}
