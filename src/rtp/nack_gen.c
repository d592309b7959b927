#include "rtp/nack_gen.h"

#include <string.h>
#include "base/macros.h"

void nack_gen_init(struct nack_gen *g)
{
	*g = (struct nack_gen){.rtt_us = NACK_RTT_DEFAULT_US};
}

void nack_gen_set_rtt(struct nack_gen *g, uint64_t rtt_us)
{
	g->rtt_us = rtt_us ? rtt_us : NACK_RTT_DEFAULT_US;
}

void nack_gen_reset(struct nack_gen *g)
{
	g->count = 0;
	g->unwrap = (struct seq_unwrap){0};
}

static void drop_oldest(struct nack_gen *g, size_t n)
{
	g->count -= n;
	g->given_up += n;
	memmove(g->wanted, g->wanted + n, g->count * sizeof g->wanted[0]);
}

/* Wants the numbers from `from` to just before `to`; all are newer than those in the list. */
static void want(struct nack_gen *g, int64_t from, int64_t to, uint64_t now_us)
{
	if (to - from > NACK_GEN_MAX) {
		g->given_up += (uint64_t)(to - from - NACK_GEN_MAX);
		from = to - NACK_GEN_MAX;
	}
	size_t n = (size_t)(to - from);
	if (g->count + n > NACK_GEN_MAX)
		drop_oldest(g, g->count + n - NACK_GEN_MAX);
	for (; from < to; from++)
		g->wanted[g->count++] = (struct nack_wanted){
			.ext = from,
			.missed_us = now_us,
			.due_us = now_us + NACK_FIRST_US,
		};
}

static void found(struct nack_gen *g, int64_t ext)
{
	size_t lo = 0, hi = g->count;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		if (g->wanted[mid].ext < ext)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == g->count || g->wanted[lo].ext != ext)
		return;
	g->count--;
	memmove(g->wanted + lo, g->wanted + lo + 1, (g->count - lo) * sizeof g->wanted[0]);
}

void nack_gen_push(struct nack_gen *g, uint16_t seq, uint64_t now_us)
{
	bool was_started = g->unwrap.is_started;
	int64_t high = g->unwrap.high;
	int64_t ext = seq_unwrap_next(&g->unwrap, seq);
	if (!was_started)
		return;
	if (ext > high)
		want(g, high + 1, ext, now_us);
	else if (g->count)
		found(g, ext);
}

static uint64_t wait_us(const struct nack_gen *g, unsigned tries)
{
	uint64_t us = MIN(g->rtt_us, (uint64_t)NACK_MAX_US);
	for (unsigned i = 1; i < tries; i++)
		us += us / 4;
	return CLAMP(us, (uint64_t)NACK_MIN_US, (uint64_t)NACK_MAX_US);
}

static bool is_hopeless(const struct nack_wanted *w, uint64_t now_us)
{
	return now_us - w->missed_us >= NACK_EXPIRY_US ||
	       (w->tries == NACK_TRIES && now_us >= w->due_us);
}

size_t nack_gen_due(struct nack_gen *g, uint64_t now_us, uint16_t *out, size_t cap)
{
	size_t asked = 0, kept = 0;
	for (size_t i = 0; i < g->count; i++) {
		struct nack_wanted w = g->wanted[i];
		if (is_hopeless(&w, now_us)) {
			g->given_up++;
			continue;
		}
		if (now_us >= w.due_us && asked < cap) {
			out[asked++] = (uint16_t)w.ext;
			w.tries++;
			w.due_us = now_us + wait_us(g, w.tries);
		}
		g->wanted[kept++] = w;
	}
	g->count = kept;
	return asked;
}

uint64_t nack_gen_next_us(const struct nack_gen *g)
{
	uint64_t next = UINT64_MAX;
	for (size_t i = 0; i < g->count; i++)
		next = MIN(next, g->wanted[i].due_us);
	return next;
}
