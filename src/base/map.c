#include "base/map.h"

#include <pthread.h>

#include "base/mem.h"
#include "base/rng.h"
#include "base/siphash.h"

enum { MIN_CAP = 16 };

/* An empty slot has value NULL. Keys of up to 32 bytes are stored inline: ids and addresses fit. */
struct map_slot {
	uint64_t hash;
	void *value;
	size_t key_len;
	union {
		uint8_t inl[32];
		uint8_t *heap;
	} key;
};

static uint64_t hash_key[2];
static pthread_once_t hash_key_once = PTHREAD_ONCE_INIT;

static void draw_hash_key(void)
{
	rng_bytes(hash_key, sizeof hash_key);
}

/* SipHash-1-3. */
uint64_t map_hash(struct slice key)
{
	pthread_once(&hash_key_once, draw_hash_key);
	struct siphash s = siphash_begin(hash_key[0], hash_key[1]);
	size_t whole = key.n & ~(size_t)7;
	for (size_t i = 0; i < whole; i += 8) {
		uint64_t m;
		memcpy(&m, key.p + i, 8);
		siphash_word(&s, m, 1);
	}
	uint64_t last = (uint64_t)key.n << 56;
	for (size_t i = whole; i < key.n; i++)
		last |= (uint64_t)key.p[i] << 8 * (i - whole);
	siphash_word(&s, last, 1);
	return siphash_end(&s, 3);
}

static const uint8_t *slot_key(const struct map_slot *s)
{
	return s->key_len <= sizeof s->key.inl ? s->key.inl : s->key.heap;
}

static void slot_free(struct map_slot *s)
{
	if (s->value && s->key_len > sizeof s->key.inl)
		xfree(s->key.heap);
	s->value = NULL;
}

void map_init(struct map *m)
{
	*m = (struct map){0};
}

void map_free(struct map *m)
{
	for (size_t i = 0; i < m->cap; i++)
		slot_free(&m->slots[i]);
	xfree(m->slots);
	map_init(m);
}

/* The slot that holds the key, or the empty one where it would go. */
static struct map_slot *probe(const struct map *m, struct slice key, uint64_t hash)
{
	size_t mask = m->cap - 1;
	for (size_t i = hash & mask;; i = (i + 1) & mask) {
		struct map_slot *s = &m->slots[i];
		if (!s->value)
			return s;
		if (s->hash == hash && s->key_len == key.n &&
			(key.n == 0 || memcmp(slot_key(s), key.p, key.n) == 0))
			return s;
	}
}

static void grow(struct map *m)
{
	struct map bigger = {.n = m->n, .cap = m->cap ? m->cap * 2 : MIN_CAP};
	bigger.slots = xcalloc(bigger.cap, sizeof *bigger.slots);
	for (size_t i = 0; i < m->cap; i++) {
		struct map_slot *s = &m->slots[i];
		if (s->value)
			*probe(&bigger, slice_of(slot_key(s), s->key_len), s->hash) = *s;
	}
	xfree(m->slots);
	*m = bigger;
}

void *map_get(const struct map *m, struct slice key)
{
	return m->n ? probe(m, key, map_hash(key))->value : NULL;
}

void *map_put(struct map *m, struct slice key, void *value)
{
	if ((m->n + 1) * 4 > m->cap * 3)
		grow(m);
	uint64_t hash = map_hash(key);
	struct map_slot *s = probe(m, key, hash);
	void *old = s->value;
	if (!old) {
		s->hash = hash;
		s->key_len = key.n;
		if (key.n > sizeof s->key.inl)
			s->key.heap = xmemdup(key.p, key.n);
		else if (key.n)
			memcpy(s->key.inl, key.p, key.n);
		m->n++;
	}
	s->value = value;
	return old;
}

void *map_del(struct map *m, struct slice key)
{
	if (!m->n)
		return NULL;
	struct map_slot *s = probe(m, key, map_hash(key));
	void *old = s->value;
	if (!old)
		return NULL;
	slot_free(s);
	m->n--;

	/* Close the hole: move back every follower that may live there (linear probing needs no tombstones). */
	size_t mask = m->cap - 1, hole = (size_t)(s - m->slots);
	for (size_t i = (hole + 1) & mask; m->slots[i].value; i = (i + 1) & mask) {
		size_t home = m->slots[i].hash & mask;
		if (((i - home) & mask) < ((i - hole) & mask))
			continue;
		m->slots[hole] = m->slots[i];
		m->slots[i].value = NULL;
		hole = i;
	}
	return old;
}

void *map_next(const struct map *m, size_t *at, struct slice *key)
{
	while (*at < m->cap) {
		const struct map_slot *s = &m->slots[(*at)++];
		if (!s->value)
			continue;
		if (key)
			*key = slice_of(slot_key(s), s->key_len);
		return s->value;
	}
	return NULL;
}
