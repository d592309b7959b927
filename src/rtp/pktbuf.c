#include "rtp/pktbuf.h"

#include <stdbool.h>
#include "base/mem.h"
#include "rtp/seq.h"

enum { PACKETS_MAX = 32768 };

struct slot {
	int64_t ext;  /* extended number, so that no other turn of 65536 is mistaken for it */
	uint64_t at;  /* where it begins, counted over all bytes ever written */
	uint16_t len; /* 0 = empty */
};

struct pktbuf {
	uint8_t *bytes;
	size_t size;
	uint64_t head; /* bytes ever written, those skipped at the end of the ring included */
	uint64_t mask;
	struct seq_unwrap unwrap;
	struct slot slots[];
};

struct pktbuf *pktbuf_new(size_t packets, size_t bytes)
{
	size_t cap = 1;
	while (cap < packets && cap < PACKETS_MAX)
		cap *= 2;
	struct pktbuf *b = xcalloc(1, sizeof *b + cap * sizeof b->slots[0]);
	b->mask = cap - 1;
	b->size = MAX(bytes, (size_t)RTP_PACKET_MAX);
	/* Not zeroed: pages that no packet reached stay unbacked. */
	b->bytes = xmalloc(b->size);
	return b;
}

void pktbuf_free(struct pktbuf *b)
{
	if (!b)
		return;
	xfree(b->bytes);
	xfree(b);
}

void pktbuf_clear(struct pktbuf *b)
{
	memset(b->slots, 0, (b->mask + 1) * sizeof b->slots[0]);
	b->unwrap = (struct seq_unwrap){0};
	b->head = 0;
}

static bool holds(const struct pktbuf *b, const struct slot *s, int64_t ext)
{
	return s->len && s->ext == ext && b->head - s->at <= b->size;
}

int pktbuf_put(struct pktbuf *b, uint16_t seq, struct slice packet)
{
	if (packet.n == 0)
		return -ERR_TRUNCATED;
	if (packet.n > RTP_PACKET_MAX)
		return -ERR_TOO_LARGE;
	int64_t ext = seq_unwrap_next(&b->unwrap, seq);
	if (b->unwrap.high - ext > (int64_t)b->mask)
		return -ERR_REPLAY;
	struct slot *s = &b->slots[(uint64_t)ext & b->mask];
	if (holds(b, s, ext))
		return -ERR_EXISTS;

	size_t at = (size_t)(b->head % b->size);
	if (b->size - at < packet.n) {
		b->head += b->size - at;
		at = 0;
	}
	memcpy(b->bytes + at, packet.p, packet.n);
	*s = (struct slot){.ext = ext, .at = b->head, .len = (uint16_t)packet.n};
	b->head += packet.n;
	return 0;
}

struct slice pktbuf_get(const struct pktbuf *b, uint16_t seq)
{
	int64_t ext = seq_unwrap_peek(&b->unwrap, seq);
	const struct slot *s = &b->slots[(uint64_t)ext & b->mask];
	if (!holds(b, s, ext))
		return (struct slice){NULL, 0};
	return slice_of(b->bytes + s->at % b->size, s->len);
}
