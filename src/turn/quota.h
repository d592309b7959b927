/*
 * quota: what all workers count together: allocations per user and in total, bytes per second per
 * user and in total.
 *
 * A fixed table of atomics: no lock. Slots are claimed by the keyed hash of realm and user; when
 * the table is full
 * (more users at a time than `slots`) new users are refused. Allocation and release are control
 * path; turn_quota_take
 * is on the data path and touches shared memory only when a bandwidth limit is set.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/macros.h"

struct turn_quota;
struct turn_quota_cfg { /* 0 = no limit */
	uint32_t allocations_per_user, allocations_total;
	uint32_t allocations_per_participant; /* 12: users of per-participant credentials */
	uint64_t user_bytes_per_s, total_bytes_per_s;
	uint32_t slots; /* users at a time; rounded up to a power of two */
};

MUST_CHECK struct turn_quota *turn_quota_new(const struct turn_quota_cfg *cfg);
void turn_quota_free(struct turn_quota *q);
/* New limits for what comes. `slots` stays. Any thread. */
void turn_quota_reload(struct turn_quota *q, const struct turn_quota_cfg *cfg);

/*
 * Takes one allocation for the user; *slot is for the other calls. 0 or -ERR_NO_ROOM (486). Any
 * thread.
 */
MUST_CHECK int turn_quota_acquire(
	struct turn_quota *q, uint64_t user_hash, bool is_participant, uint32_t *slot);
void turn_quota_release(struct turn_quota *q, uint32_t slot);

/* n bytes of a user are about to be relayed: false = over the limit, drop them. */
bool turn_quota_take(struct turn_quota *q, uint32_t slot, uint32_t n, uint64_t now_us);

uint64_t turn_quota_total(const struct turn_quota *q);
