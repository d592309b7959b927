#include "front/rate.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"

enum { NEIGHBOURS = 8, MINUTE_US = 60 * 1000 * 1000, V6_PREFIX_BYTES = 8 };

void rate_init(struct rate *r, uint32_t per_minute, uint32_t addresses)
{
	*r = (struct rate){.per_minute = per_minute};
	if (!per_minute)
		return;
	uint8_t key[HMAC_SHA1_LEN];
	rng_bytes(key, sizeof key);
	hmac_sha1_init(&r->hash, key, sizeof key);
	for (r->n = NEIGHBOURS; r->n < addresses;)
		r->n *= 2;
	r->buckets = xcalloc(r->n, sizeof *r->buckets);
}

void rate_free(struct rate *r)
{
	xfree(r->buckets);
	*r = (struct rate){0};
}

/* A host has a whole /64 to choose addresses from (RFC 4291 §2.5.1). */
static uint64_t key_of(const struct rate *r, const struct addr *from)
{
	struct addr a = *from;
	uint8_t tag[HMAC_SHA1_LEN];
	addr_unmap(&a);
	struct slice ip = addr_ip(&a);
	if (addr_is_v6(&a))
		ip.n = V6_PREFIX_BYTES;
	hmac_sha1(&r->hash, &ip, 1, tag);
	uint64_t key = rd64(tag);
	return key ? key : 1;
}

/* The address's bucket, or the one among its neighbours that has been quiet for longest, emptied of its past. */
static struct rate_bucket *bucket_of(struct rate *r, uint64_t key)
{
	struct rate_bucket *oldest = NULL;
	for (uint32_t i = 0; i < NEIGHBOURS; i++) {
		struct rate_bucket *b = &r->buckets[((uint32_t)key + i) & (r->n - 1)];
		if (b->key == key)
			return b;
		if (!oldest || b->full_us < oldest->full_us)
			oldest = b;
	}
	*oldest = (struct rate_bucket){.key = key};
	return oldest;
}

uint32_t rate_take(struct rate *r, const struct addr *from, uint64_t now_us)
{
	if (!r->buckets)
		return 0;
	uint64_t each_us = MAX(MINUTE_US / r->per_minute, 1u);
	struct rate_bucket *b = bucket_of(r, key_of(r, from));
	uint64_t full_us = MAX(b->full_us, now_us) + each_us;
	if (full_us > now_us + each_us * r->per_minute) {
		uint64_t wait_us = full_us - (now_us + each_us * r->per_minute);
		return (uint32_t)((wait_us + US_PER_S - 1) / US_PER_S);
	}
	b->full_us = full_us;
	return 0;
}
