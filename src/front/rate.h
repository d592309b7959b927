/*
 * rate: how often each address may ask for something that costs nothing but is worth something.
 *
 * A bucket per IPv4 address or IPv6 /64 that holds a minute's worth of requests and refills evenly. The table has a
 * fixed size: where a place is needed, the bucket quiet for longest in a small neighbourhood is forgotten. Not safe
 * on several threads.
 */
#pragma once
#include <stdint.h>
#include "base/addr.h"
#include "crypto/hmac.h"

struct rate_bucket {
	uint64_t key;     /* 0 = free */
	uint64_t full_us; /* when the bucket will be full again */
};

struct rate {
	struct rate_bucket *buckets; /* NULL = no limit */
	uint32_t n;                  /* a power of two */
	uint32_t per_minute;
	struct hmac_sha1 hash; /* keyed, so that nobody can choose his neighbours */
};

/* per_minute 0 = no limit. `addresses` is rounded up to a power of two. */
void rate_init(struct rate *r, uint32_t per_minute, uint32_t addresses);
void rate_free(struct rate *r);

/* Takes one request: 0, or the seconds (at least 1) after which the next one will be let through. */
uint32_t rate_take(struct rate *r, const struct addr *from, uint64_t now_us);
