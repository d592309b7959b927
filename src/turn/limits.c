/*
 * What one address may do, and one user at it. A table of fixed size, four places for each hash: who is not there
 * takes the place that was quiet longest. The hash is keyed, so nobody can choose whose.
 */
#include "base/mem.h"
#include "turn/turn_internal.h"

enum { WAYS = 4, MINUTE_US = 60000000, SECOND_US = 1000000, CREDIT_MAX = 65536, NETWORK_LEN = 8 };

struct entry {
	uint64_t who;      /* keyed hash of the address, or of address and user; 0 = free */
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
static struct slice network_of(const struct addr *a)
{
	struct slice ip = addr_ip(a);
	return slice_of(ip.p, MIN(ip.n, (size_t)NETWORK_LEN));
}

static uint64_t hash_of(const struct addr *a)
{
	uint64_t hash = map_hash(network_of(a));
	return hash ? hash : 1;
}

static uint64_t hash_of_user(const struct addr *a, struct slice user)
{
	uint8_t key[1 + NETWORK_LEN + STUN_USERNAME_MAX];
	struct slice ip = network_of(a);
	size_t user_n = MIN(user.n, (size_t)STUN_USERNAME_MAX);
	key[0] = (uint8_t)ip.n;
	memcpy(key + 1, ip.p, ip.n);
	if (user_n)
		memcpy(key + 1 + ip.n, user.p, user_n);
	uint64_t hash = map_hash(slice_of(key, 1 + ip.n + user_n));
	return hash ? hash : 1;
}

/* NULL if it is not there. */
static struct entry *find(struct turn_limits *l, uint64_t who, uint64_t now_us)
{
	struct entry *set = l->entries ? &l->entries[(who & l->mask) * WAYS] : NULL;
	for (size_t i = 0; set && i < WAYS; i++) {
		if (set[i].who != who)
			continue;
		set[i].seen_us = now_us;
		return &set[i];
	}
	return NULL;
}

static struct entry *entry_at(struct turn_limits *l, uint64_t who, uint64_t now_us)
{
	struct entry *e = find(l, who, now_us);
	if (e)
		return e;
	if (!l->entries)
		l->entries = xcalloc((l->mask + 1) * WAYS, sizeof *l->entries);
	struct entry *set = &l->entries[(who & l->mask) * WAYS], *oldest = set;
	for (size_t i = 1; i < WAYS; i++)
		if (set[i].seen_us < oldest->seen_us)
			oldest = &set[i];
	if (oldest->who)
		metric_inc(M_TURN_ADDRESSES_FORGOTTEN);
	*oldest = (struct entry){.who = who, .seen_us = now_us};
	return oldest;
}

static struct entry *entry_of(struct turn_limits *l, const struct addr *a, uint64_t now_us)
{
	return entry_at(l, hash_of(a), now_us);
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

static bool has_failed(struct turn_limits *l, uint64_t who, uint32_t per_minute, uint64_t now_us)
{
	const struct entry *e = per_minute ? find(l, who, now_us) : NULL;
	return e && e->failures >= per_minute && now_us - e->minute_us < MINUTE_US;
}

bool turn_limits_is_blocked(struct turn_limits *l, const struct addr *from, struct slice user,
	const struct turn_cfg *cfg, uint64_t now_us)
{
	return has_failed(l, hash_of(from), cfg->auth_failures_per_address, now_us) ||
		has_failed(l, hash_of_user(from, user), cfg->auth_failures_per_user, now_us);
}

static void count_failure(struct entry *e, uint64_t now_us)
{
	if (!e->failures || now_us - e->minute_us >= MINUTE_US) {
		e->minute_us = now_us;
		e->failures = 0;
	}
	e->failures++;
}

void turn_limits_failed(struct turn_limits *l, const struct addr *from, struct slice user,
	const struct turn_cfg *cfg, uint64_t now_us)
{
	if (cfg->auth_failures_per_address)
		count_failure(entry_of(l, from, now_us), now_us);
	if (cfg->auth_failures_per_user)
		count_failure(entry_at(l, hash_of_user(from, user), now_us), now_us);
}
