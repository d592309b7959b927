#include "turnd/ports.h"

#include "base/mem.h"
#include "base/rng.h"

enum { EVEN_BIT = TURND_PAIR_EVEN, ODD_BIT = TURND_PAIR_ODD };

static uint16_t pair_of(const struct turnd_ports *p, uint32_t i)
{
	return (uint16_t)(p->first_pair + i * p->n_workers);
}

uint32_t turnd_ports_index(const struct turnd_ports *p, uint16_t port)
{
	uint32_t pair = port / 2U;
	if (pair < p->first_pair || turnd_ports_owner(port, p->n_workers) != p->worker)
		return UINT32_MAX;
	uint32_t i = (pair - p->first_pair) / p->n_workers;
	return i < p->n_pairs ? i * 2 + port % 2 : UINT32_MAX;
}

uint32_t turnd_ports_count(const struct turnd_ports *p)
{
	return p->n_pairs * 2;
}

static enum turnd_pair_group group_of(const struct turnd_ports *p, uint32_t i)
{
	unsigned g = TURND_PAIR_NONE;
	while (p->place[i] >= p->end[g])
		g++;
	return (enum turnd_pair_group)g;
}

static void swap(struct turnd_ports *p, uint32_t a, uint32_t b)
{
	uint16_t x = p->order[a], y = p->order[b];
	p->order[a] = y;
	p->order[b] = x;
	p->place[y] = (uint16_t)a;
	p->place[x] = (uint16_t)b;
}

/* Moves a pair to another group, over the borders between: three at most. */
static void move(struct turnd_ports *p, uint32_t i, enum turnd_pair_group to)
{
	unsigned g = group_of(p, i);
	for (; g < to; g++)
		swap(p, p->place[i], --p->end[g]);
	for (; g > to; g--)
		swap(p, p->place[i], p->end[g - 1]++);
}

void turnd_ports_init(
	struct turnd_ports *p, unsigned worker, unsigned n_workers, uint16_t first, uint16_t last)
{
	*p = (struct turnd_ports){
		.worker = worker, .n_workers = n_workers, .random = rng_u64() | 1};
	uint32_t low = first / 2U;
	while (low % n_workers != worker)
		low++;
	p->first_pair = (uint16_t)low;
	if (first > last || low > last / 2U)
		return;
	p->n_pairs = (last / 2U - low) / n_workers + 1;
	p->order = xcalloc(p->n_pairs, sizeof *p->order);
	p->place = xcalloc(p->n_pairs, sizeof *p->place);
	for (uint32_t i = 0; i < p->n_pairs; i++)
		p->order[i] = p->place[i] = (uint16_t)i;
	for (unsigned g = 0; g < TURND_PAIR_GROUPS; g++)
		p->end[g] = p->n_pairs; /* all in group NONE */
	for (uint32_t i = 0; i < p->n_pairs; i++) {
		uint32_t even = pair_of(p, i) * 2U;
		if (even >= first)
			turnd_ports_give(p, (uint16_t)even);
		if (even + 1 <= last)
			turnd_ports_give(p, (uint16_t)(even + 1));
	}
}

void turnd_ports_free(struct turnd_ports *p)
{
	xfree(p->order);
	xfree(p->place);
	*p = (struct turnd_ports){0};
}

/* Which of n: the range is no power of two, and the bias of one in 2^32 does no harm. xorshift64*,
 * seeded by the kernel. */
static uint32_t pick(struct turnd_ports *p, uint32_t n)
{
	p->random ^= p->random >> 12;
	p->random ^= p->random << 25;
	p->random ^= p->random >> 27;
	uint32_t r = (uint32_t)(p->random * UINT64_C(0x2545F4914F6CDD1D) >> 32);
	return (uint32_t)((uint64_t)r * n >> 32);
}

/* Takes one half of a pair, or both. */
static uint16_t take(struct turnd_ports *p, uint32_t i, unsigned bits)
{
	move(p, i, (enum turnd_pair_group)(group_of(p, i) & ~bits));
	p->n_free -= bits == TURND_PAIR_BOTH ? 2 : 1;
	return (uint16_t)(pair_of(p, i) * 2U + (bits == ODD_BIT));
}

uint16_t turnd_ports_take(struct turnd_ports *p)
{
	if (p->n_free == 0)
		return 0;
	uint32_t none = p->end[TURND_PAIR_NONE], singles = p->end[TURND_PAIR_ODD] - none;
	uint32_t r = pick(p, p->n_free);
	if (r < singles) {
		uint32_t i = p->order[none + r];
		return take(p, i, group_of(p, i));
	}
	r -= singles;
	return take(p, p->order[p->end[TURND_PAIR_ODD] + r / 2], r % 2 ? ODD_BIT : EVEN_BIT);
}

uint16_t turnd_ports_take_even(struct turnd_ports *p)
{
	uint32_t evens = p->end[TURND_PAIR_EVEN] - p->end[TURND_PAIR_NONE];
	uint32_t both = p->n_pairs - p->end[TURND_PAIR_ODD];
	if (evens + both == 0)
		return 0;
	uint32_t r = pick(p, evens + both);
	uint32_t at = r < evens ? p->end[TURND_PAIR_NONE] + r : p->end[TURND_PAIR_ODD] + r - evens;
	return take(p, p->order[at], EVEN_BIT);
}

uint16_t turnd_ports_take_pair(struct turnd_ports *p)
{
	uint32_t both = p->n_pairs - p->end[TURND_PAIR_ODD];
	if (both == 0)
		return 0;
	return take(p, p->order[p->end[TURND_PAIR_ODD] + pick(p, both)], TURND_PAIR_BOTH);
}

void turnd_ports_give(struct turnd_ports *p, uint16_t port)
{
	uint32_t index = turnd_ports_index(p, port);
	if (index == UINT32_MAX)
		return;
	move(p, index / 2, (enum turnd_pair_group)(group_of(p, index / 2) |
						   (index % 2 ? ODD_BIT : EVEN_BIT)));
	p->n_free++;
}
