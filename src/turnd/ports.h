/*
 * ports: the free relay ports of one address that belong to one worker.
 *
 * A worker owns the pairs (even port, the odd one above it) whose number, port / 2, is its index modulo the number of
 * workers: the owner follows from the port alone, and EVEN-PORT with its neighbour stays on one worker. Which free port
 * is taken is random (RFC 6056); every operation takes constant time.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/macros.h"

/* Pairs are in the group of what is free in them. */
enum turnd_pair_group {
	TURND_PAIR_NONE,
	TURND_PAIR_EVEN,
	TURND_PAIR_ODD,
	TURND_PAIR_BOTH,
	TURND_PAIR_GROUPS
};

struct turnd_ports {
	unsigned worker, n_workers;
	uint16_t first_pair; /* the lowest pair of this worker */
	uint32_t n_pairs;
	uint16_t *order;     /* pairs, sorted by group */
	uint16_t *place;     /* where in `order` a pair is */
	uint32_t end[TURND_PAIR_GROUPS]; /* of each group in `order`; the last one is n_pairs */
	uint32_t n_free;     /* ports */
	uint64_t random;
};

/* Range inclusive. No port at all for this worker is fine: nothing is free then. */
void turnd_ports_init(
	struct turnd_ports *p, unsigned worker, unsigned n_workers, uint16_t first, uint16_t last);
void turnd_ports_free(struct turnd_ports *p);

/* Who owns a port. */
static inline unsigned turnd_ports_owner(uint16_t port, unsigned n_workers)
{
	return (unsigned)(port / 2) % n_workers;
}

/* A number below turnd_ports_count for each port of this worker; UINT32_MAX for any other. */
uint32_t turnd_ports_index(const struct turnd_ports *p, uint16_t port);
uint32_t turnd_ports_count(const struct turnd_ports *p);

/*
 * Takes a free port: any, an even one, or an even one whose neighbour is taken with it. 0 if there is none.
 */
MUST_CHECK uint16_t turnd_ports_take(struct turnd_ports *p);
MUST_CHECK uint16_t turnd_ports_take_even(struct turnd_ports *p);
MUST_CHECK uint16_t turnd_ports_take_pair(struct turnd_ports *p);

/* Gives one port back. */
void turnd_ports_give(struct turnd_ports *p, uint16_t port);
