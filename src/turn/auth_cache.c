/* auth_cache: keys that were looked up or derived, answers of "no such user", and what is being asked for. */
#include "base/mem.h"
#include "turn/auth_internal.h"

size_t cache_id(uint8_t out[CACHE_ID_MAX], enum cache_kind kind, enum key_alg alg, unsigned realm,
	struct slice name)
{
	size_t n = MIN(name.n, (size_t)STUN_USERNAME_MAX);
	out[0] = (uint8_t)kind;
	out[1] = (uint8_t)alg;
	out[2] = (uint8_t)realm;
	if (n)
		memcpy(out + 3, name.p, n);
	return 3 + n;
}

void cache_init(struct auth_cache *c, size_t max)
{
	map_init(&c->map);
	list_init(&c->lru);
	c->n = 0;
	c->max = max;
}

static void drop(struct auth_cache *c, struct cache_entry *e)
{
	map_del(&c->map, slice_of(e->id, e->id_n));
	list_del(&e->lru);
	c->n--;
	xfree(e->id);
	xfree(e->username);
	secret_wipe(e, sizeof *e);
	xfree(e);
}

void cache_flush(struct auth_cache *c)
{
	list_for_each_safe(pos, &c->lru)
	{
		struct cache_entry *e = list_entry(pos, struct cache_entry, lru);
		if (e->state != CACHE_PENDING)
			drop(c, e);
	}
}

void cache_free(struct auth_cache *c)
{
	list_for_each_safe(pos, &c->lru)
		drop(c, list_entry(pos, struct cache_entry, lru));
	map_free(&c->map);
}

struct cache_entry *cache_find(struct auth_cache *c, const uint8_t *id, size_t n, uint64_t now_us)
{
	struct cache_entry *e = map_get(&c->map, slice_of(id, n));
	if (!e)
		return NULL;
	if (e->until_us <= now_us) {
		drop(c, e);
		return NULL;
	}
	list_del(&e->lru);
	list_push(&c->lru, &e->lru);
	return e;
}

/* The oldest that nobody waits for, or waits for in vain. */
static struct cache_entry *oldest(struct auth_cache *c, uint64_t now_us)
{
	list_for_each(pos, &c->lru)
	{
		struct cache_entry *e = list_entry(pos, struct cache_entry, lru);
		if (e->state != CACHE_PENDING || e->until_us <= now_us)
			return e;
	}
	return NULL;
}

struct cache_entry *cache_add(struct auth_cache *c, const uint8_t *id, size_t n, uint64_t now_us)
{
	struct cache_entry *e = map_get(&c->map, slice_of(id, n));
	if (e)
		drop(c, e);
	if (c->n >= c->max) {
		e = oldest(c, now_us);
		if (!e)
			return NULL;
		drop(c, e);
	}
	e = XNEW(struct cache_entry);
	e->id = xmemdup(id, n);
	e->id_n = n;
	list_push(&c->lru, &e->lru);
	map_put(&c->map, slice_of(id, n), e);
	c->n++;
	return e;
}

struct cache_entry *cache_find_lookup(struct auth_cache *c, uint64_t lookup)
{
	list_for_each(pos, &c->lru)
	{
		struct cache_entry *e = list_entry(pos, struct cache_entry, lru);
		if (e->state == CACHE_PENDING && e->lookup == lookup)
			return e;
	}
	return NULL;
}
