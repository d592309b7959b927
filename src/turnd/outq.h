/*
 * outq: what waits to be written to a stream, in chunks that a worker's connections share.
 *
 * A chunk holds whole messages one behind the other and is as large as a TLS record may be, so that
 * a burst leaves with one writev. A message of which the socket has taken a part is never cut;
 * whole messages of data that have waited too long are. Who puts in bytes without message
 * boundaries does not call outq_drop_stale.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>
#include "base/macros.h"
#include "base/slice.h"

enum {
	OUTQ_CHUNK = 16384, /* bytes of a usual chunk: the largest TLS record (RFC 8446 §5.1) */
	OUTQ_LARGE = 65600, /* … and of one for a message that does not fit in it */
};

struct outq_chunk {
	struct outq_chunk *next;
	uint64_t first_us; /* when its first message came */
	uint32_t cap, from, to; /* bytes [from, to) wait */
	uint32_t mark;          /* a message begins here; `from` may be within it, or before it */
	uint8_t p[];
};

/* Chunks that are not in use. It keeps a few, so that steady traffic allocates nothing. */
struct outq_pool {
	struct outq_chunk *usual, *large;
	uint32_t n_usual, n_large;
};

struct outq {
	struct outq_chunk *head, *tail;
	uint32_t bytes;
};

void outq_pool_init(struct outq_pool *pool);
void outq_pool_close(struct outq_pool *pool);

/* A chunk with room for n bytes, n at most OUTQ_LARGE. */
MUST_CHECK struct outq_chunk *outq_chunk_take(struct outq_pool *pool, size_t n);
void outq_chunk_give(struct outq_pool *pool, struct outq_chunk *c); /* accepts NULL */
/* Without a pool. Accepts NULL. */
void outq_chunk_free(struct outq_chunk *c);

/*
 * Appends a place of n bytes, to be filled by the caller before anything else is done with q. A chunk takes no more
 * messages once it is older than slack_us.
 */
uint8_t *outq_place(
	struct outq *q, struct outq_pool *pool, size_t n, uint64_t now_us, uint64_t slack_us);

/* Appends bytes that have no boundaries; any length. */
void outq_add(struct outq *q, struct outq_pool *pool, struct slice bytes, uint64_t now_us);

/* The front as iovecs; returns how many. */
size_t outq_iov(const struct outq *q, struct iovec *iov, size_t cap);

/* The front's contiguous bytes; empty when nothing waits. */
struct slice outq_front(const struct outq *q);

/* n bytes of the front are gone. */
void outq_took(struct outq *q, struct outq_pool *pool, size_t n);

/* Cuts out data messages in chunks that began before `before_us`; returns how many messages. */
size_t outq_drop_stale(struct outq *q, struct outq_pool *pool, uint64_t before_us);

void outq_clear(struct outq *q, struct outq_pool *pool);

static inline bool outq_is_empty(const struct outq *q)
{
	return q->bytes == 0;
}
