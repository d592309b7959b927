#include "turnd/outq.h"

#include "base/hot.h"
#include "base/mem.h"
#include "base/metric.h"
#include "turn/framing.h"

enum { KEEP_USUAL = 64, KEEP_LARGE = 2, START_USUAL = 8 };

static struct outq_chunk *chunk_new(size_t cap)
{
	/* The pool grows to what the busiest moment needs; not a thing of each packet. */
	bool was_hot = hot_pause();
	struct outq_chunk *c = xmalloc(sizeof *c + cap);
	hot_resume(was_hot);
	c->cap = (uint32_t)cap;
	return c;
}

static void chunk_free(struct outq_chunk *c)
{
	bool was_hot = hot_pause();
	xfree(c);
	hot_resume(was_hot);
}

void outq_pool_init(struct outq_pool *pool)
{
	*pool = (struct outq_pool){0};
	for (int i = 0; i < START_USUAL; i++) {
		struct outq_chunk *c = chunk_new(OUTQ_CHUNK);
		c->next = pool->usual;
		pool->usual = c;
		pool->n_usual++;
	}
}

void outq_pool_close(struct outq_pool *pool)
{
	struct outq_chunk *lists[] = {pool->usual, pool->large};
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		for (struct outq_chunk *c = lists[i], *next; c; c = next) {
			next = c->next;
			xfree(c);
		}
	*pool = (struct outq_pool){0};
}

struct outq_chunk *outq_chunk_take(struct outq_pool *pool, size_t n)
{
	bool is_large = n > OUTQ_CHUNK;
	struct outq_chunk **list = is_large ? &pool->large : &pool->usual, *c = *list;
	if (!c) {
		c = chunk_new(is_large ? OUTQ_LARGE : OUTQ_CHUNK);
	} else {
		*list = c->next;
		--*(is_large ? &pool->n_large : &pool->n_usual);
	}
	c->next = NULL;
	c->from = c->to = c->mark = 0;
	metric_add(M_TURN_QUEUE_BYTES, c->cap);
	return c;
}

void outq_chunk_free(struct outq_chunk *c)
{
	if (!c)
		return;
	metric_sub(M_TURN_QUEUE_BYTES, c->cap);
	chunk_free(c);
}

void outq_chunk_give(struct outq_pool *pool, struct outq_chunk *c)
{
	if (!c)
		return;
	bool is_large = c->cap > OUTQ_CHUNK;
	metric_sub(M_TURN_QUEUE_BYTES, c->cap);
	struct outq_chunk **list = is_large ? &pool->large : &pool->usual;
	uint32_t *n = is_large ? &pool->n_large : &pool->n_usual;
	if (*n >= (is_large ? KEEP_LARGE : KEEP_USUAL)) {
		chunk_free(c);
		return;
	}
	c->next = *list;
	*list = c;
	++*n;
}

static struct outq_chunk *append_chunk(
	struct outq *q, struct outq_pool *pool, size_t n, uint64_t now_us)
{
	struct outq_chunk *c = outq_chunk_take(pool, n);
	c->first_us = now_us;
	if (q->tail)
		q->tail->next = c;
	else
		q->head = c;
	q->tail = c;
	return c;
}

uint8_t *outq_place(
	struct outq *q, struct outq_pool *pool, size_t n, uint64_t now_us, uint64_t slack_us)
{
	struct outq_chunk *c = q->tail;
	if (!c || c->cap - c->to < n || now_us - c->first_us > slack_us)
		c = append_chunk(q, pool, n, now_us);
	uint8_t *p = c->p + c->to;
	c->to += (uint32_t)n;
	q->bytes += (uint32_t)n;
	return p;
}

void outq_add(struct outq *q, struct outq_pool *pool, struct slice bytes, uint64_t now_us)
{
	while (bytes.n) {
		struct outq_chunk *c = q->tail;
		if (!c || c->to == c->cap)
			c = append_chunk(q, pool, OUTQ_CHUNK, now_us);
		size_t n = MIN(bytes.n, (size_t)(c->cap - c->to));
		memcpy(c->p + c->to, bytes.p, n);
		c->to += (uint32_t)n;
		q->bytes += (uint32_t)n;
		bytes = slice_of(bytes.p + n, bytes.n - n);
	}
}

size_t outq_iov(const struct outq *q, struct iovec *iov, size_t cap)
{
	size_t n = 0;
	for (struct outq_chunk *c = q->head; c && n < cap; c = c->next)
		iov[n++] = (struct iovec){c->p + c->from, c->to - c->from};
	return n;
}

struct slice outq_front(const struct outq *q)
{
	return q->head ? slice_of(q->head->p + q->head->from, q->head->to - q->head->from)
		       : (struct slice){0};
}

static void drop_head(struct outq *q, struct outq_pool *pool)
{
	struct outq_chunk *c = q->head;
	q->head = c->next;
	if (!q->head)
		q->tail = NULL;
	outq_chunk_give(pool, c);
}

void outq_took(struct outq *q, struct outq_pool *pool, size_t n)
{
	q->bytes -= (uint32_t)n;
	while (n) {
		struct outq_chunk *c = q->head;
		size_t take = MIN(n, (size_t)(c->to - c->from));
		c->from += (uint32_t)take;
		n -= take;
		if (c->from == c->to)
			drop_head(q, pool);
	}
}

/* Where the first message begins of which nothing has gone out. */
static uint32_t first_whole(struct outq_chunk *c)
{
	while (c->mark < c->from) {
		struct framing f = framing_next(slice_of(c->p + c->mark, c->to - c->mark));
		c->mark = f.n ? c->mark + (uint32_t)f.size : c->to;
	}
	return c->mark;
}

/* Moves what stays over what goes. */
static size_t cut_data(struct outq_chunk *c, uint32_t at)
{
	uint32_t kept = at;
	size_t dropped = 0;
	while (at < c->to) {
		struct slice rest = slice_of(c->p + at, c->to - at);
		struct framing f = framing_next(rest);
		uint32_t n = f.n ? (uint32_t)f.size : (uint32_t)rest.n;
		if (f.n && framing_is_data(rest)) {
			dropped++;
		} else {
			memmove(c->p + kept, c->p + at, n);
			kept += n;
		}
		at += n;
	}
	c->to = kept;
	return dropped;
}

size_t outq_drop_stale(struct outq *q, struct outq_pool *pool, uint64_t before_us)
{
	size_t dropped = 0;
	struct outq_chunk *before = NULL;
	for (struct outq_chunk *c = q->head, *next; c && c->first_us < before_us; c = next) {
		next = c->next;
		uint32_t was = c->to;
		dropped += cut_data(c, first_whole(c));
		q->bytes -= was - c->to;
		if (c->from < c->to) {
			before = c;
			continue;
		}
		if (before)
			before->next = next;
		else
			q->head = next;
		if (!next)
			q->tail = before;
		outq_chunk_give(pool, c);
	}
	return dropped;
}

void outq_clear(struct outq *q, struct outq_pool *pool)
{
	while (q->head)
		drop_head(q, pool);
	*q = (struct outq){0};
}
