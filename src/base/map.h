/*
 * map: a hash table from bytes to a pointer, keyed SipHash so that foreign keys cannot be made to collide.
 *
 * Look-ups allocate nothing and may run on the per-packet path; map_put and map_del may allocate or free.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/macros.h"
#include "base/slice.h"

struct map_slot;

struct map {
	struct map_slot *slots;
	size_t n, cap;
};

void map_init(struct map *m);

/* Frees the table and its keys, not the values. */
void map_free(struct map *m);

/* The value, or NULL. */
void *map_get(const struct map *m, struct slice key);

/* Sets key to a non-NULL value; copies the key. Returns the value that was there before, or NULL. */
void *map_put(struct map *m, struct slice key, void *value);

/* Removes the key; returns its value, or NULL if it was not there. */
void *map_del(struct map *m, struct slice key);

/*
 * Walks all entries: start with *at = 0; each call returns the next value and its key (borrowed), NULL at the end.
 * The map must not change during the walk.
 */
void *map_next(const struct map *m, size_t *at, struct slice *key);

/* The 64-bit keyed hash used by the table; the key is drawn at random once per process. */
uint64_t map_hash(struct slice key);
