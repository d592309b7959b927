#include "thread/pktring.h"

#include <string.h>

#include "base/hot.h"
#include "base/mem.h"

enum { RECORD_HDR = 8, RECORD_ALIGN = 8, WRAP = UINT32_MAX };

/*
 * Positions count bytes and never wrap in practice: 64 bits. A record is its length, 32 bits of nothing, and its bytes,
 * rounded up to 8; one that does not fit before the end of the ring is preceded by a WRAP mark there.
 */
struct pktring {
	_Alignas(CACHE_LINE) uint64_t placed; /* sender's own */
	uint64_t head_seen;                   /* sender's: the head when it last looked */
	_Alignas(CACHE_LINE) uint64_t tail;   /* published by the sender */
	_Alignas(CACHE_LINE) uint64_t head;   /* published by the receiver */
	_Alignas(CACHE_LINE) uint8_t bytes[PKTRING_BYTES];
};

static uint32_t record_len(const struct pktring *r, uint64_t at)
{
	uint32_t n;
	memcpy(&n, r->bytes + at % PKTRING_BYTES, sizeof n);
	return n;
}

static void set_record_len(struct pktring *r, uint64_t at, uint32_t n)
{
	memcpy(r->bytes + at % PKTRING_BYTES, &n, sizeof n);
}

static uint64_t record_size(size_t n)
{
	return RECORD_HDR + (n + RECORD_ALIGN - 1) / RECORD_ALIGN * RECORD_ALIGN;
}

void pktbox_close(struct pktbox *b)
{
	for (size_t i = 0; i < PKTBOX_SENDERS; i++) {
		xfree(b->from[i]);
		b->from[i] = NULL;
	}
}

static struct pktring *ring_of(struct pktbox *b, unsigned sender)
{
	struct pktring *r = b->from[sender];
	if (UNLIKELY(!r)) {
		bool was_hot = hot_pause(); /* once per pair of workers */
		r = xaligned(CACHE_LINE, sizeof *r);
		hot_resume(was_hot);
		__atomic_store_n(&b->from[sender], r, __ATOMIC_RELEASE);
		unsigned n = __atomic_load_n(&b->n, __ATOMIC_RELAXED);
		while (n <= sender && !__atomic_compare_exchange_n(&b->n, &n, sender + 1, true,
					      __ATOMIC_RELEASE, __ATOMIC_RELAXED))
			continue;
	}
	return r;
}

static bool has_room(struct pktring *r, uint64_t n)
{
	if (r->placed + n - r->head_seen <= PKTRING_BYTES)
		return true;
	r->head_seen = __atomic_load_n(&r->head, __ATOMIC_ACQUIRE);
	return r->placed + n - r->head_seen <= PKTRING_BYTES;
}

uint8_t *pktbox_place(struct pktbox *b, unsigned sender, size_t n)
{
	struct pktring *r = ring_of(b, sender);
	uint64_t size = record_size(n), to_end = PKTRING_BYTES - r->placed % PKTRING_BYTES;
	uint64_t skip = size > to_end ? to_end : 0;
	if (n > PKTRING_BYTES / 2 || !has_room(r, skip + size))
		return NULL;
	if (skip)
		set_record_len(r, r->placed, WRAP);
	uint64_t at = r->placed + skip;
	set_record_len(r, at, (uint32_t)n);
	r->placed = at + size;
	return r->bytes + at % PKTRING_BYTES + RECORD_HDR;
}

bool pktbox_post(struct pktbox *b, unsigned sender)
{
	struct pktring *r = b->from[sender];
	if (!r || r->tail == r->placed)
		return false;
	__atomic_store_n(&r->tail, r->placed, __ATOMIC_RELEASE);
	return true;
}

static unsigned drain_ring(
	struct pktring *r, const struct pktbox_taker *taker, unsigned limit)
{
	unsigned done = 0;
	uint64_t head = r->head, tail = __atomic_load_n(&r->tail, __ATOMIC_ACQUIRE);
	if (head == tail)
		return 0;
	while (head != tail && done < limit) {
		uint32_t n = record_len(r, head);
		if (n == WRAP) {
			head += PKTRING_BYTES - head % PKTRING_BYTES;
			continue;
		}
		taker->take(taker->arg, r->bytes + head % PKTRING_BYTES + RECORD_HDR, n);
		head += record_size(n);
		done++;
	}
	taker->settle(taker->arg);
	__atomic_store_n(&r->head, head, __ATOMIC_RELEASE);
	return done;
}

unsigned pktbox_drain(struct pktbox *b, const struct pktbox_taker *taker, unsigned limit)
{
	unsigned done = 0, n = __atomic_load_n(&b->n, __ATOMIC_ACQUIRE);
	for (size_t i = 0; i < n && done < limit; i++) {
		struct pktring *r = __atomic_load_n(&b->from[i], __ATOMIC_ACQUIRE);
		if (r)
			done += drain_ring(r, taker, limit - done);
	}
	return done;
}

bool pktbox_is_empty(const struct pktbox *b)
{
	unsigned n = __atomic_load_n(&b->n, __ATOMIC_ACQUIRE);
	for (size_t i = 0; i < n; i++) {
		const struct pktring *r = __atomic_load_n(&b->from[i], __ATOMIC_ACQUIRE);
		if (r && r->head != __atomic_load_n(&r->tail, __ATOMIC_ACQUIRE))
			return false;
	}
	return true;
}
