/*
 * offset_map: renumbers a stream so that numbers left out on purpose leave no gap, while numbers
 * that never arrived keep theirs, and late ones still find the number that was reserved for them.
 *
 * in:   10 11 12 13 -- 15        12 is left out on purpose, 14 is lost
 * out:  10 11    12 -- 14
 *
 * The history is a ring of ranges, each {first number in, offset}. How many numbers were left out
 * between two ranges is the difference of their offsets, so that needs no memory of its own.
 * Numbers are extended ones (64 bit, never wrapping); the users cut them to 16 or 15 bits.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"

enum { OFFSET_MAP_RANGES = 64 };

struct offset_range {
	int64_t first;  /* numbers from here on */
	int64_t offset; /* out = in - offset */
};

struct offset_map {
	int64_t high; /* newest number in, mapped or left out */
	uint8_t newest, count;
	struct offset_range ranges[OFFSET_MAP_RANGES];
};

/* Forgets everything; `in` is the first number and comes out as `out`. */
void offset_map_start(struct offset_map *m, int64_t in, int64_t out);

/*
 * 0 and *out; -ERR_NOT_FOUND if the number was left out; -ERR_REPLAY if it is older than the
 * history. A number above `high` becomes the newest.
 */
MUST_CHECK int offset_map_take(struct offset_map *m, int64_t in, int64_t *out);

/*
 * Leaves a number out. 0, also if it was left out before; -ERR_BAD_STATE if it is not newer than `high`:
 * a number was given out for it, and would be missing; -ERR_REPLAY if it is older than the history.
 */
MUST_CHECK int offset_map_skip(struct offset_map *m, int64_t in);

/* The number that would come out for high + 1. */
int64_t offset_map_next(const struct offset_map *m);

/* Uses up that number for something that is not in the stream; returns it. */
int64_t offset_map_insert(struct offset_map *m);
