/*
 * worker: a thread that shares nothing. It owns an epoll loop, a timer wheel and a mailbox; what runs on it (rooms,
 * sessions, sockets) hangs on `engine` and is touched by no other thread.
 */
#pragma once
#include <pthread.h>
#include <stdint.h>
#include "base/wheel.h"
#include "net/ev.h"
#include "thread/mbox.h"
#include "thread/pktring.h"

struct worker;

struct worker_ops {
	void (*start)(struct worker *w);     /* on the worker's thread, before the first turn */
	void (*end_turn)(struct worker *w);  /* after each turn: flush what the turn produced */
	void (*stop)(struct worker *w);      /* on the worker's thread, after the last turn */
};

struct worker {
	unsigned index;
	uint64_t now_us; /* taken once per turn */
	struct ev ev;
	struct wheel wheel;
	struct mbox mbox;
	struct pktbox packets;             /* from other workers; taken before the sockets are read */
	struct pktbox_taker packet_taker;  /* set before the worker starts; no taker = no packets come */
	void *engine; /* owned by whoever set it in ops->start */

	const struct worker_ops *ops;
	void *arg;
	pthread_t thread;
	struct ev_io wake_io;
	int stop_asked;
};

/* Prepares the worker; `arg` is for the ops. 0 or -ERR_SYSTEM. */
MUST_CHECK int worker_init(struct worker *w, unsigned index, const struct worker_ops *ops,
	void *arg, uint32_t mbox_capacity);
MUST_CHECK int worker_start(struct worker *w);

/* Any thread: the worker leaves its loop at the end of the turn. */
void worker_stop(struct worker *w);

/* Of the worker `sender`'s thread: what it placed in w->packets is visible from now on, and w wakes if it sleeps. */
void worker_post_packets(struct worker *w, unsigned sender);

/* Waits for the thread's end. */
void worker_join(struct worker *w);

/* Frees what worker_init made, undelivered messages too. No thread may post any more. */
void worker_close(struct worker *w);
