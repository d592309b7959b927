#include "base/wheel.h"

enum { SLOT_BITS = 6, SLOT_MASK = WHEEL_SLOTS - 1 };

void wheel_init(struct wheel *w, uint64_t now_us)
{
	*w = (struct wheel){.now_ms = now_us / 1000};
	for (int l = 0; l < WHEEL_LEVELS; l++)
		for (int s = 0; s < WHEEL_SLOTS; s++)
			list_init(&w->slots[l][s]);
}

void timer_init(struct timer *t, void (*fn)(void *arg, uint64_t now_us), void *arg)
{
	*t = (struct timer){.fn = fn, .arg = arg};
	list_init(&t->node);
}

/* Level l holds what is due within 64^(l+1) ms; a slot of level l is emptied into lower ones when its turn comes. */
static void place(struct wheel *w, struct timer *t)
{
	uint64_t at = t->at_ms;
	uint64_t ahead = at - w->now_ms;
	unsigned level = 0;
	while (level + 1 < WHEEL_LEVELS && ahead >> SLOT_BITS * (level + 1))
		level++;
	uint64_t horizon = (uint64_t)SLOT_MASK << SLOT_BITS * (WHEEL_LEVELS - 1);
	if (ahead > horizon)
		at = w->now_ms + horizon;
	t->level = (uint8_t)level;
	t->slot = (uint8_t)(at >> SLOT_BITS * level & SLOT_MASK);
	list_push(&w->slots[t->level][t->slot], &t->node);
	w->busy[t->level] |= 1ULL << t->slot;
}

void wheel_del(struct wheel *w, struct timer *t)
{
	if (!t->is_armed)
		return;
	t->is_armed = false;
	w->armed--;
	list_del(&t->node);
	if (list_empty(&w->slots[t->level][t->slot]))
		w->busy[t->level] &= ~(1ULL << t->slot);
}

void wheel_set(struct wheel *w, struct timer *t, uint64_t at_us)
{
	wheel_del(w, t);
	if (at_us == UINT64_MAX)
		return;
	uint64_t at_ms = at_us / 1000 + (at_us % 1000 != 0);
	t->at_ms = at_ms > w->now_ms ? at_ms : w->now_ms + 1;
	t->is_armed = true;
	w->armed++;
	place(w, t);
}

/* Empties a slot into `out`. */
static void take_slot(struct wheel *w, unsigned level, unsigned slot, struct list *out)
{
	struct list *head = &w->slots[level][slot];
	while (!list_empty(head)) {
		struct list *node = head->next;
		list_del(node);
		list_push(out, node);
	}
	w->busy[level] &= ~(1ULL << slot);
}

static void cascade(struct wheel *w)
{
	for (unsigned level = 1; level < WHEEL_LEVELS; level++) {
		if (w->now_ms & ((1ULL << SLOT_BITS * level) - 1))
			return;
		struct list moved;
		list_init(&moved);
		take_slot(w, level, (unsigned)(w->now_ms >> SLOT_BITS * level & SLOT_MASK), &moved);
		list_for_each_safe(node, &moved) {
			list_del(node);
			place(w, list_entry(node, struct timer, node));
		}
	}
}

void wheel_run(struct wheel *w, uint64_t now_us)
{
	uint64_t target = now_us / 1000;
	while (w->now_ms < target) {
		if (!w->armed) {
			w->now_ms = target;
			return;
		}
		/* Nothing on level 0: jump to just before the next cascade. */
		if (!w->busy[0]) {
			uint64_t edge = w->now_ms | SLOT_MASK;
			if (edge > w->now_ms) {
				w->now_ms = edge < target ? edge : target;
				continue;
			}
		}
		w->now_ms++;
		cascade(w);
		struct list *head = &w->slots[0][w->now_ms & SLOT_MASK];
		while (!list_empty(head)) {
			struct timer *t = list_first(head, struct timer, node);
			wheel_del(w, t);
			t->fn(t->arg, now_us);
		}
	}
}

uint64_t wheel_next_us(const struct wheel *w)
{
	if (!w->armed)
		return UINT64_MAX;
	uint64_t best = UINT64_MAX;
	for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
		if (!w->busy[level])
			continue;
		unsigned shift = SLOT_BITS * level;
		uint64_t turn = w->now_ms >> shift;
		unsigned here = (unsigned)(turn & SLOT_MASK);
		/* Rotate so that bit 0 is the next slot to come up; the current one is a whole turn away. */
		unsigned first = (here + 1) & SLOT_MASK;
		uint64_t busy = w->busy[level];
		uint64_t rotated = first ? busy >> first | busy << (WHEEL_SLOTS - first) : busy;
		uint64_t at = (turn + 1 + (uint64_t)__builtin_ctzll(rotated)) << shift;
		if (at < best)
			best = at;
	}
	return best * 1000;
}
