/*
 * turn_metrics: figures of finished TURN sessions by user, for coturn's metric names. One table per worker, written by
 * it alone and read by whoever scrapes; a table never shrinks, and takes users up to its cap: the rest is "other".
 */
#pragma once
#include "base/buf.h"
#include "turn/turn.h"

struct turn_metrics;

/* users: names that get a label of their own; 0 = none, everything has the realm's label only. */
MUST_CHECK struct turn_metrics *turn_metrics_new(uint32_t users);
void turn_metrics_free(struct turn_metrics *m); /* accepts NULL */

/* The worker's thread. */
void turn_metrics_add(struct turn_metrics *m, const struct turn_alloc_info *info);

/* Any thread: the sums of n tables under coturn's names, and the counters of base/metric.h that have such names. */
void turn_metrics_print(struct turn_metrics *const *tables, size_t n, const char *realm,
	uint32_t users, struct buf *out);
