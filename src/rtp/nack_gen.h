/*
 * nack_gen: which packets of one incoming SSRC to ask for again, and when.
 *
 * A missing packet is asked for after 20 ms (it may only be out of order), then again after
 * rtt · 1.25^n each, between 20 and 400 ms, five times in all. At most NACK_GEN_MAX are wanted at
 * once, the oldest are given up.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "rtp/seq.h"

enum {
	NACK_GEN_MAX = 100,
	NACK_FIRST_US = 20 * 1000,
	NACK_MIN_US = 20 * 1000,
	NACK_MAX_US = 400 * 1000,
	NACK_TRIES = 5,
	NACK_RTT_DEFAULT_US = 70 * 1000,
	NACK_EXPIRY_US = 120 * 1000 * 1000,
};

struct nack_wanted {
	uint64_t due_us, missed_us;
	int64_t ext;
	uint8_t tries;
};

struct nack_gen {
	struct seq_unwrap unwrap;
	uint64_t rtt_us;
	uint64_t given_up; /* left the list unanswered */
	size_t count;
	struct nack_wanted wanted[NACK_GEN_MAX]; /* oldest number first */
};

void nack_gen_init(struct nack_gen *g);

/* Round trip to the publisher, from its receiver reports or ICE checks. 0 restores the default. */
void nack_gen_set_rtt(struct nack_gen *g, uint64_t rtt_us);

/* A packet arrived, also one recovered through RTX (with its original number). */
void nack_gen_push(struct nack_gen *g, uint16_t seq, uint64_t now_us);

/*
 * The numbers to ask for now, oldest first, as rtcp_add_nack wants them; counts as asked.
 * Returns how many (up to cap; those that do not fit stay due).
 */
size_t nack_gen_due(struct nack_gen *g, uint64_t now_us, uint16_t *out, size_t cap);

/* When nack_gen_due has something to say; UINT64_MAX if nothing is wanted. */
uint64_t nack_gen_next_us(const struct nack_gen *g);

/* Wants nothing before the next packet: the sender restarted, or a key frame replaces it all. */
void nack_gen_reset(struct nack_gen *g);
