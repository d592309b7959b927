/*
 * turn_stats: statistics of TURN allocations in Redis, under coturn's keys (schema.stats.redis of coturn 4.6):
 *
 *   turn/realm/<realm>/user/<user>/allocation/<id>/status                     set, published, deleted at the end
 *   turn/realm/<realm>/user/<user>/allocation/<id>/{traffic,total_traffic}[/peer]   published
 *
 * One pool thread, commands in pipelines. Bounded: what does not fit the queue, or comes while Redis is down, is
 * dropped and counted (sterna_store_stats_dropped_total). Nothing here waits. Not for the per-packet path.
 */
#pragma once
#include <stdint.h>
#include "base/err.h"
#include "base/slice.h"

struct store_stats;

/* Zero means the default in brackets. Strings are copied. */
struct store_stats_cfg {
	const char *url;             /* a Redis one of store/turn_users.h */
	uint32_t queue_max;          /* messages that wait [8192] */
	uint32_t connect_timeout_ms; /* [3000] */
	uint32_t query_timeout_ms;   /* [2000] */
};

/* Whose figures; borrowed. */
struct store_stats_allocation {
	struct slice realm, user;
	uint64_t id; /* unique in this process */
};

enum store_stats_event { STORE_STATS_NEW, STORE_STATS_REFRESHED, STORE_STATS_DELETED };

enum store_stats_traffic {
	STORE_STATS_TRAFFIC,       /* client side, since the last report */
	STORE_STATS_TRAFFIC_PEER,  /* peer side, since the last report */
	STORE_STATS_TOTAL,         /* client side, of the whole allocation */
	STORE_STATS_TOTAL_PEER,
};

/* Packets and bytes. */
struct store_stats_figures {
	uint64_t rcvp, rcvb, sentp, sentb;
};

/* 0 and *out owned, -ERR_CONFIG with a sentence that shows no password, or -ERR_SYSTEM. Connects to nothing yet. */
MUST_CHECK int store_stats_open(
	const struct store_stats_cfg *cfg, struct store_stats **out, struct errbuf *eb);

/*
 * Any thread. `lifetime_s` is the allocation's (0 for DELETED); the key expires soon after it, so that a server that
 * was killed leaves nothing behind. `more` (may be empty) is appended to the value: coturn writes
 * "type=UDP, local=…, remote=…" there.
 */
void store_stats_status(struct store_stats *s, const struct store_stats_allocation *a,
	enum store_stats_event event, uint32_t lifetime_s, struct slice more);
void store_stats_traffic(struct store_stats *s, const struct store_stats_allocation *a,
	enum store_stats_traffic kind, const struct store_stats_figures *f);

/* Publishes what waits if Redis is there (at most the two timeouts), then frees. Accepts NULL. */
void store_stats_free(struct store_stats *s);
