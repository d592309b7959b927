/*
 * pktring: packets from one worker to another, copied through a bounded ring of bytes with one
 * writer and one reader.
 *
 * The receiver owns a pktbox: a place for a ring per sender, each made by its sender at its first
 * packet. When a ring is full the sender drops. Senders publish what they placed and wake the
 * receiver once per turn (pktbox_post), not per packet. The receiver sleeps and is woken with its
 * mailbox; see worker.c.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/macros.h"

enum { PKTBOX_SENDERS = 256, PKTRING_BYTES = 1 << 20 };

struct pktring;
struct pktbox {
	struct pktring *from[PKTBOX_SENDERS];
	unsigned n; /* one more than the highest sender that has a ring */
};

/* Frees the rings. No thread may place any more. */
void pktbox_close(struct pktbox *b);

/*
 * Sender's thread: a place for a packet of n bytes, 8-byte aligned, not visible before pktbox_post. NULL: the ring is
 * full. `sender` is the worker's index. The first call of a sender allocates.
 */
uint8_t *pktbox_place(struct pktbox *b, unsigned sender, size_t n);

/* Sender's thread: makes what was placed visible. True if there was any: then wake the receiver if it sleeps. */
bool pktbox_post(struct pktbox *b, unsigned sender);

/*
 * Receiver's thread: at most `limit` packets, which may be changed and stay until `settle` returns; it is called after
 * the packets of each sender. Returns how many there were.
 */
struct pktbox_taker {
	void (*take)(void *arg, uint8_t *p, size_t n);
	void (*settle)(void *arg);
	void *arg;
};
unsigned pktbox_drain(struct pktbox *b, const struct pktbox_taker *taker, unsigned limit);

/* Receiver's thread: nothing waits. Orders like mbox_may_sleep, which is called first. */
bool pktbox_is_empty(const struct pktbox *b);
