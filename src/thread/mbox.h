/*
 * mbox: typed messages between threads. One bounded single-producer ring (lane) per sender, so there is no lock;
 * the receiver is woken only when it sleeps.
 *
 * A thread that posts anywhere must have taken a lane number with mbox_thread_init.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/macros.h"

struct msg;

/* What a message is: one const row per kind, in the module that owns it. */
struct msg_kind {
	const char *name;
	void (*handle)(void *receiver, struct msg *m); /* on the receiving thread; owns m */
	void (*drop)(struct msg *m);                   /* when it is never delivered: frees m */
};

/* First member of every message; allocated by the sender, freed by the receiver. */
struct msg {
	const struct msg_kind *kind;
};

enum { MBOX_LANES = 80 };

struct mbox_lane;
struct mbox {
	struct mbox_lane *lanes[MBOX_LANES];
	uint32_t capacity; /* per lane, a power of two */
	int is_asleep;
	void (*wake)(void *arg);
	void *wake_arg;
};

/* Gives the calling thread its lane number; once per thread, before its first post. Aborts past MBOX_LANES threads. */
void mbox_thread_init(void);

/* `wake` runs on the posting thread. Capacity is rounded up to a power of two. */
void mbox_init(struct mbox *b, uint32_t capacity, void (*wake)(void *arg), void *arg);

/* Drops what was not delivered. No thread may post any more. */
void mbox_close(struct mbox *b);

/* Takes m. 0, or -ERR_AGAIN when the lane is full: then m is still the caller's. */
MUST_CHECK int mbox_post(struct mbox *b, struct msg *m);

/* Posts, or drops m and counts it when the lane is full. */
void mbox_post_or_drop(struct mbox *b, struct msg *m);

/* Handles at most `limit` messages; returns how many were handled. Receiver's thread only. */
unsigned mbox_drain(struct mbox *b, void *receiver, unsigned limit);

/*
 * Call before going to sleep: true if the mailbox is empty and from now on a post will wake the receiver.
 * Call mbox_awake after the sleep.
 */
bool mbox_may_sleep(struct mbox *b);
void mbox_awake(struct mbox *b);
