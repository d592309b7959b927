#include "base/mem.h"
#include "turn/turn_internal.h"

enum { MIN_CAP = 64 };

bool turn_flow_eq(const struct turn_flow *a, const struct turn_flow *b)
{
	if (a->conn || b->conn)
		return a->conn == b->conn;
	return a->listener == b->listener && addr_eq(&a->client, &b->client);
}

/* A connection's number is 8 bytes, a datagram's source 9 or more: the two never meet. */
size_t turn_flow_key(const struct turn_flow *f, uint8_t out[2 + ADDR_KEY_CAP])
{
	if (f->conn) {
		wr64(out, f->conn);
		return 8;
	}
	wr16(out, f->listener);
	return 2 + addr_key(&f->client, out + 2);
}

static uint64_t hash_of(const struct turn_flow *f)
{
	uint8_t key[2 + ADDR_KEY_CAP];
	size_t n = turn_flow_key(f, key);
	return map_hash(slice_of(key, n));
}

struct turn_alloc *turn_table_find(const struct turn_table *t, const struct turn_flow *f)
{
	if (!t->n)
		return NULL;
	uint64_t hash = hash_of(f);
	size_t mask = t->cap - 1;
	for (size_t i = hash & mask; t->slots[i].alloc; i = (i + 1) & mask) {
		const struct turn_slot *s = &t->slots[i];
		if (s->hash == hash && turn_flow_eq(&s->alloc->flow, f))
			return s->alloc;
	}
	return NULL;
}

static void place(struct turn_table *t, struct turn_slot slot)
{
	size_t mask = t->cap - 1, i = slot.hash & mask;
	while (t->slots[i].alloc)
		i = (i + 1) & mask;
	t->slots[i] = slot;
}

void turn_table_add(struct turn_table *t, struct turn_alloc *a)
{
	if ((t->n + 1) * 4 > t->cap * 3) {
		struct turn_table bigger = {.n = t->n, .cap = t->cap ? t->cap * 2 : MIN_CAP};
		bigger.slots = xcalloc(bigger.cap, sizeof *bigger.slots);
		for (size_t i = 0; i < t->cap; i++)
			if (t->slots[i].alloc)
				place(&bigger, t->slots[i]);
		xfree(t->slots);
		*t = bigger;
	}
	place(t, (struct turn_slot){hash_of(&a->flow), a});
	t->n++;
}

void turn_table_del(struct turn_table *t, struct turn_alloc *a)
{
	if (!t->n)
		return;
	size_t mask = t->cap - 1, hole = hash_of(&a->flow) & mask;
	while (t->slots[hole].alloc != a) {
		if (!t->slots[hole].alloc)
			return;
		hole = (hole + 1) & mask;
	}
	t->slots[hole].alloc = NULL;
	t->n--;
	/* Followers move up into the hole where they may live there: linear probing needs no tombstones. */
	for (size_t i = (hole + 1) & mask; t->slots[i].alloc; i = (i + 1) & mask) {
		size_t home = t->slots[i].hash & mask;
		if (((i - home) & mask) < ((i - hole) & mask))
			continue;
		t->slots[hole] = t->slots[i];
		t->slots[i].alloc = NULL;
		hole = i;
	}
}

void turn_table_free(struct turn_table *t)
{
	xfree(t->slots);
	*t = (struct turn_table){0};
}
