/*
 * link: datagrams between two endpoints on a virtual clock, with loss, duplication, delay, reordering and a NAT.
 *
 * Everything random comes from the seed: a run repeats exactly. Any sans-IO protocol can use it; those without
 * addresses pass NULL for them.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/addr.h"
#include "base/slice.h"

enum { LINK_BLOCKED_MAX = 4, LINK_NAT_PEERS_MAX = 16 };

/* What happens to the packets that one end sends. */
struct link_dir {
	uint32_t loss_pm, dup_pm;      /* per mille */
	uint32_t delay_us, jitter_us;  /* each packet takes delay + 0…jitter: jitter reorders */
	bool is_down;
	uint64_t n_sent, n_lost;
};

/*
 * A NAT in front of one end: one inside IP, one outside IP, ports moved by a constant. It lets in only what comes
 * from an address and port that the inside has sent to (RFC 4787 §5, address and port-dependent filtering).
 */
struct link_nat {
	bool is_on;
	struct addr inside, outside;   /* ports are ignored */
	uint16_t port_shift;
	struct addr peers[LINK_NAT_PEERS_MAX];
	size_t n_peers;
};

struct link_packet;

struct link {
	uint64_t now_us, rng;
	struct link_dir dir[2];        /* [e]: from end e to the other */
	struct link_nat nat[2];        /* [e]: in front of end e */
	struct addr blocked[LINK_BLOCKED_MAX];
	size_t n_blocked;
	struct link_packet *queue;     /* by time of arrival */
	void (*deliver)(void *arg, int end, const struct addr *from, const struct addr *to,
		struct slice data);
	void *arg;
};

/* `deliver` gets a copy of exactly the packet's size, so that the address sanitizer sees a read past its end. */
void link_init(struct link *l, uint64_t seed,
	void (*deliver)(void *arg, int end, const struct addr *from, const struct addr *to,
		struct slice data),
	void *arg);
void link_free(struct link *l);

/* End `end` sends now. */
void link_send(
	struct link *l, int end, const struct addr *from, const struct addr *to, struct slice data);

/* All packets from or to this IP are lost from now on. */
void link_block(struct link *l, const struct addr *ip);

void link_nat_on(struct link *l, int end, const struct addr *inside, const struct addr *outside);

/* The NAT forgets its mappings: the same inside ports appear as other outside ports. */
void link_nat_rebind(struct link *l, int end);

uint64_t link_next_us(const struct link *l);

/* Moves the clock and delivers what has arrived by then. */
void link_run(struct link *l, uint64_t now_us);

/* 0 … n-1, from the seed; for the tests' own dice. */
uint32_t link_dice(struct link *l, uint32_t n);
