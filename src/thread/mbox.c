#include "thread/mbox.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/metric.h"

/* Head and tail on cache lines of their own: sender and receiver do not disturb each other. */
struct mbox_lane {
	_Alignas(CACHE_LINE) uint32_t tail; /* next to write: sender */
	_Alignas(CACHE_LINE) uint32_t head; /* next to read: receiver */
	_Alignas(CACHE_LINE) uint32_t mask;
	struct msg *ring[];
};

static uint32_t lanes_taken;
static _Thread_local uint32_t my_lane = UINT32_MAX;

void mbox_thread_init(void)
{
	if (my_lane != UINT32_MAX)
		return;
	my_lane = __atomic_fetch_add(&lanes_taken, 1, __ATOMIC_RELAXED);
	if (my_lane >= MBOX_LANES) {
		fprintf(stderr, "sterna: more than %d threads post messages\n", MBOX_LANES);
		abort();
	}
}

void mbox_init(struct mbox *b, uint32_t capacity, void (*wake)(void *arg), void *arg)
{
	*b = (struct mbox){.capacity = 2, .wake = wake, .wake_arg = arg};
	while (b->capacity < capacity)
		b->capacity *= 2;
}

void mbox_close(struct mbox *b)
{
	for (size_t i = 0; i < MBOX_LANES; i++) {
		struct mbox_lane *l = b->lanes[i];
		for (; l && l->head != l->tail; l->head++) {
			struct msg *m = l->ring[l->head & l->mask];
			metric_sub(M_MAILBOX_DEPTH, 1);
			m->kind->drop(m);
		}
		xfree(l);
		b->lanes[i] = NULL;
	}
}

/* Lanes are made by their only writer at its first post; the receiver sees the pointer with an acquire load. */
static struct mbox_lane *lane_of_this_thread(struct mbox *b)
{
	if (UNLIKELY(my_lane == UINT32_MAX))
		mbox_thread_init();
	struct mbox_lane *l = b->lanes[my_lane];
	if (UNLIKELY(!l)) {
		l = xaligned(CACHE_LINE, sizeof *l + b->capacity * sizeof l->ring[0]);
		l->mask = b->capacity - 1;
		__atomic_store_n(&b->lanes[my_lane], l, __ATOMIC_RELEASE);
	}
	return l;
}

int mbox_post(struct mbox *b, struct msg *m)
{
	struct mbox_lane *l = lane_of_this_thread(b);
	uint32_t tail = l->tail;
	if (tail - __atomic_load_n(&l->head, __ATOMIC_ACQUIRE) > l->mask) {
		metric_inc(M_MAILBOX_FULL);
		return -ERR_AGAIN;
	}
	l->ring[tail & l->mask] = m;
	__atomic_store_n(&l->tail, tail + 1, __ATOMIC_RELEASE);
	metric_add(M_MAILBOX_DEPTH, 1);

	/* Pairs with mbox_may_sleep: either it sees our message or we see its flag. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (__atomic_load_n(&b->is_asleep, __ATOMIC_RELAXED))
		b->wake(b->wake_arg);
	return 0;
}

void mbox_post_or_drop(struct mbox *b, struct msg *m)
{
	if (mbox_post(b, m) != 0)
		m->kind->drop(m);
}

unsigned mbox_drain(struct mbox *b, void *receiver, unsigned limit)
{
	unsigned done = 0;
	for (size_t i = 0; i < MBOX_LANES && done < limit; i++) {
		struct mbox_lane *l = __atomic_load_n(&b->lanes[i], __ATOMIC_ACQUIRE);
		while (l && done < limit &&
			l->head != __atomic_load_n(&l->tail, __ATOMIC_ACQUIRE)) {
			struct msg *m = l->ring[l->head & l->mask];
			__atomic_store_n(&l->head, l->head + 1, __ATOMIC_RELEASE);
			metric_sub(M_MAILBOX_DEPTH, 1);
			m->kind->handle(receiver, m);
			done++;
		}
	}
	return done;
}

bool mbox_may_sleep(struct mbox *b)
{
	__atomic_store_n(&b->is_asleep, 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	for (size_t i = 0; i < MBOX_LANES; i++) {
		struct mbox_lane *l = __atomic_load_n(&b->lanes[i], __ATOMIC_ACQUIRE);
		if (l && l->head != __atomic_load_n(&l->tail, __ATOMIC_ACQUIRE)) {
			mbox_awake(b);
			return false;
		}
	}
	return true;
}

void mbox_awake(struct mbox *b)
{
	__atomic_store_n(&b->is_asleep, 0, __ATOMIC_RELAXED);
}
