/*
 * pool: threads for what blocks (databases, password hashing, files). A bounded queue of jobs; each result comes back
 * to the asking thread as a message.
 *
 * A pool belongs to whoever made it: one per purpose, so that a database that hangs delays nothing else. Not for the
 * per-packet path: posting takes the pool's lock.
 */
#pragma once
#include <stdint.h>
#include "base/err.h"
#include "thread/mbox.h"

struct pool;

/*
 * First member of the caller's job; allocated by the poster. `msg.kind->handle` gets it back on the asking thread;
 * `msg.kind->drop` frees it when nobody is to get it: no `reply_to`, the pool or the mailbox closed first.
 */
struct job {
	struct msg msg;
	void (*run)(struct job *j, unsigned thread); /* on pool thread 0 … threads - 1; may block, must end */
	struct mbox *reply_to;                       /* borrowed, outlives the pool; NULL: drop after run */
	struct job *next;                            /* the pool's */
};

enum { POOL_THREADS_MAX = 16 };

struct pool_cfg {
	const char *name;   /* of the threads, at most 10 characters */
	unsigned threads;   /* 1 … POOL_THREADS_MAX */
	uint32_t queue_max; /* jobs that wait, those that run not counted */
	void (*start)(void *arg, unsigned thread); /* on each thread before its first job; may be NULL */
	void (*stop)(void *arg, unsigned thread);  /* after its last; may be NULL */
	void *arg;
};

/* Starts the threads. 0 and *out owned, or -ERR_RANGE, -ERR_SYSTEM. Their signals are blocked. */
MUST_CHECK int pool_new(const struct pool_cfg *cfg, struct pool **out);

/*
 * Any thread. Takes j. 0, or -ERR_AGAIN when the queue is full or the pool closes: then j is still the caller's.
 * A result is never lost to a full mailbox: the pool thread waits, which in turn fills the queue.
 */
MUST_CHECK int pool_post(struct pool *p, struct job *j);

/* Jobs that wait now. Any thread. */
uint32_t pool_waiting(const struct pool *p);

/*
 * Refuses new jobs, drops those that wait and waits for those that run. Call it while the mailboxes still exist; no
 * thread may post any more. Accepts NULL.
 */
void pool_free(struct pool *p);
