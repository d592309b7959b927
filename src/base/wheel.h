/*
 * wheel: timers of one thread, added and removed in constant time.
 *
 * Resolution is 1 ms: a timer fires at or after its time, never before. Time is handed in, so tests
 * use a virtual clock.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/list.h"

enum { WHEEL_LEVELS = 5, WHEEL_SLOTS = 64 };

struct timer {
	struct list node;
	uint64_t at_ms;
	uint8_t level, slot;
	bool is_armed;
	void (*fn)(void *arg, uint64_t now_us);
	void *arg;
};

struct wheel {
	uint64_t now_ms;
	size_t armed;
	uint64_t busy[WHEEL_LEVELS]; /* bit s = slot s holds a timer */
	struct list slots[WHEEL_LEVELS][WHEEL_SLOTS];
};

void wheel_init(struct wheel *w, uint64_t now_us);

/* `t` is owned by the caller and must be removed before it is freed. */
void timer_init(struct timer *t, void (*fn)(void *arg, uint64_t now_us), void *arg);

/* Arms or re-arms; a time in the past fires at the next run. UINT64_MAX removes. */
void wheel_set(struct wheel *w, struct timer *t, uint64_t at_us);
void wheel_del(struct wheel *w, struct timer *t);

/* Fires all that is due. Callbacks may arm and remove any timer. */
void wheel_run(struct wheel *w, uint64_t now_us);

/* A time not later than the next expiry, for the poll timeout; UINT64_MAX if none is armed. */
uint64_t wheel_next_us(const struct wheel *w);
