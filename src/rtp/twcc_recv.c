#include "rtp/twcc_recv.h"

#include <string.h>
#include "base/macros.h"

/*
 * The packet (draft §3.1), RTPFB with FMT 15:
 *
 *  |     SSRC of packet sender     |     SSRC of media source      |
 *  | base sequence number | packet status count | reference time:24 | fb packet count:8 |
 *  | packet chunks, 16 bits each … | receive deltas, 8 or 16 bits each … | zeros to a whole word |
 */
enum {
	FMT_TWCC = 15,
	FIXED_LEN = 16,
	TICK_US = 250,
	TICKS_PER_REFERENCE = 256, /* the reference time counts in 64 ms */
	LATE_MAX = 512,            /* numbers further back are not reported again */
	STALE_RUN_MAX = 16,        /* so many in a row mean that the sender restarted */
	RUN_MAX = 0x1fff,
	PER_VECTOR_1 = 14, /* symbols in a status vector chunk, of one and of two bits */
	PER_VECTOR_2 = 7,
};

enum symbol { NOT_RECEIVED, SMALL_DELTA, LARGE_DELTA };

/* What one feedback packet will say. */
struct plan {
	int64_t reference; /* in 64 ms */
	size_t count;      /* statuses */
	size_t delta_len;  /* bytes of all deltas */
	size_t received;
	uint8_t symbols[TWCC_RECV_LEN];
	int16_t ticks[TWCC_RECV_LEN]; /* delta to the one before, by status */
};

static uint64_t *slot(struct twcc_recv *t, int64_t ext)
{
	return &t->arrived_us[(uint64_t)ext % TWCC_RECV_LEN];
}

void twcc_recv_init(struct twcc_recv *t)
{
	memset(t, 0, sizeof *t);
}

static void restart(struct twcc_recv *t, int64_t ext)
{
	memset(t->arrived_us, 0, sizeof t->arrived_us);
	t->unwrap = (struct seq_unwrap){.high = ext, .is_started = true};
	t->base = ext;
	t->held = 0;
}

/* Moves the window so that it ends with ext; what leaves it unreported is never reported. */
static void advance(struct twcc_recv *t, int64_t ext)
{
	if (ext - t->unwrap.high >= TWCC_RECV_LEN) {
		restart(t, ext);
		return;
	}
	for (int64_t e = t->unwrap.high + 1; e <= ext; e++) {
		/* A late packet puts base back over reported ones, which are not in `held`. */
		if (*slot(t, e) && e - TWCC_RECV_LEN >= t->base && t->held)
			t->held--;
		*slot(t, e) = 0;
	}
	t->unwrap.high = ext;
	t->base = MAX(t->base, ext - TWCC_RECV_LEN + 1);
}

void twcc_recv_push(struct twcc_recv *t, uint16_t seq, bool marker, uint64_t now_us)
{
	if (!t->unwrap.is_started) {
		restart(t, seq);
		t->reported_us = now_us;
	}
	int64_t ext = seq_unwrap_peek(&t->unwrap, seq);
	if (t->unwrap.high - ext >= LATE_MAX) {
		if (++t->stale_run < STALE_RUN_MAX)
			return;
		ext = seq;
		restart(t, ext);
	}
	t->stale_run = 0;
	if (ext > t->unwrap.high)
		advance(t, ext);
	if (*slot(t, ext))
		return;
	*slot(t, ext) = MAX(now_us, UINT64_C(1));
	t->base = MIN(t->base, ext);
	t->held++;
	t->is_at_marker = marker;
}

uint64_t twcc_recv_next_us(const struct twcc_recv *t)
{
	if (t->held > TWCC_HELD_MAX)
		return 0;
	if (t->held <= TWCC_HELD_MIN)
		return UINT64_MAX;
	return t->reported_us + (t->is_at_marker ? TWCC_MARKER_INTERVAL_US : TWCC_INTERVAL_US);
}

bool twcc_recv_is_due(const struct twcc_recv *t, uint64_t now_us)
{
	return now_us >= twcc_recv_next_us(t);
}

/* Upper limit of a packet's length, header included: no chunk covers less than seven but the last.
 */
static size_t length_limit(size_t count, size_t delta_len)
{
	size_t chunks = (count + PER_VECTOR_2 - 1) / PER_VECTOR_2;
	return RTCP_HDR_LEN + FIXED_LEN + ((chunks * 2 + delta_len + 3) & ~(size_t)3);
}

/* Takes statuses from `base` on as long as they fit `room` bytes and deltas fit 16 bits. */
static void make_plan(struct twcc_recv *t, size_t room, struct plan *plan)
{
	int64_t last_tick = 0;
	plan->count = plan->delta_len = plan->received = 0;
	plan->reference = 0;
	for (int64_t e = t->base; e <= t->unwrap.high; e++) {
		enum symbol symbol = NOT_RECEIVED;
		int64_t tick = (int64_t)(*slot(t, e) / TICK_US), delta = 0;
		if (*slot(t, e)) {
			if (!plan->received) {
				plan->reference = tick / TICKS_PER_REFERENCE;
				last_tick = plan->reference * TICKS_PER_REFERENCE;
			}
			delta = tick - last_tick;
			if (delta < INT16_MIN || delta > INT16_MAX)
				return;
			symbol = delta >= 0 && delta <= UINT8_MAX ? SMALL_DELTA : LARGE_DELTA;
		}
		/* The symbol's value is the size of its delta. */
		if (length_limit(plan->count + 1, plan->delta_len + symbol) > room)
			return;
		if (symbol != NOT_RECEIVED) {
			last_tick = tick;
			plan->received++;
		}
		plan->symbols[plan->count] = (uint8_t)symbol;
		plan->ticks[plan->count++] = (int16_t)delta;
		plan->delta_len += symbol;
	}
}

/* How many equal symbols are at the front. */
static size_t run_length(const uint8_t *symbols, size_t n)
{
	size_t run = 1;
	while (run < n && run < RUN_MAX && symbols[run] == symbols[0])
		run++;
	return run;
}

static bool fits_one_bit(const uint8_t *symbols, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (symbols[i] == LARGE_DELTA)
			return false;
	return true;
}

/* Writes the chunk that covers most of what follows; returns how many symbols it covers. */
static size_t write_chunk(uint8_t *p, const uint8_t *symbols, size_t n)
{
	size_t run = run_length(symbols, n);
	size_t wide = MIN(n, (size_t)PER_VECTOR_1), narrow = MIN(n, (size_t)PER_VECTOR_2);
	bool is_one_bit = fits_one_bit(symbols, wide);
	if (run >= (is_one_bit ? wide : narrow)) {
		wr16(p, (uint16_t)((size_t)symbols[0] << 13 | run));
		return run;
	}
	unsigned chunk = is_one_bit ? 0x8000 : 0xc000;
	size_t covered = is_one_bit ? wide : narrow;
	for (size_t i = 0; i < covered; i++)
		chunk |= is_one_bit ? (unsigned)symbols[i] << (13 - i)
				    : (unsigned)symbols[i] << (12 - 2 * i);
	wr16(p, (uint16_t)chunk);
	return covered;
}

/* Chunks into memory of their own first, as only then their number is known. */
static size_t write_chunks(uint8_t *p, const struct plan *plan)
{
	size_t len = 0;
	for (size_t at = 0; at < plan->count; len += 2)
		at += write_chunk(p + len, plan->symbols + at, plan->count - at);
	return len;
}

static void write_deltas(uint8_t *p, const struct plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		if (plan->symbols[i] == SMALL_DELTA)
			*p = (uint8_t)plan->ticks[i];
		else if (plan->symbols[i] == LARGE_DELTA)
			wr16(p, (uint16_t)plan->ticks[i]);
		p += plan->symbols[i];
	}
}

/* After a report up to `end`. Packets reported a second time may count again: harmless. */
static void note_reported(struct twcc_recv *t, int64_t end, uint64_t now_us)
{
	t->base = end;
	t->held = 0;
	for (int64_t e = end; e <= t->unwrap.high; e++)
		t->held += *slot(t, e) != 0;
	t->reported_us = now_us;
	t->feedback_count++;
}

int twcc_feedback_build(struct twcc_recv *t, struct rtcp_writer *w, uint32_t sender_ssrc,
	uint32_t media_ssrc, uint64_t now_us)
{
	if (t->held == 0)
		return -ERR_NOT_FOUND;
	struct plan plan;
	make_plan(t, w->is_full ? 0 : w->cap - w->n, &plan);
	if (!plan.received)
		return -ERR_NO_ROOM;

	uint8_t chunks[(TWCC_RECV_LEN / PER_VECTOR_2 + 1) * 2];
	size_t chunks_len = write_chunks(chunks, &plan);
	size_t len = FIXED_LEN + ((chunks_len + plan.delta_len + 3) & ~(size_t)3);
	uint8_t *p = rtcp_add(w, RTCP_TYPE_RTPFB, FMT_TWCC, len);
	if (!p)
		return -ERR_NO_ROOM;
	wr32(p, sender_ssrc);
	wr32(p + 4, media_ssrc);
	wr16(p + 8, (uint16_t)t->base);
	wr16(p + 10, (uint16_t)plan.count);
	wr24(p + 12, (uint32_t)plan.reference & 0xffffff);
	p[15] = t->feedback_count;
	memcpy(p + FIXED_LEN, chunks, chunks_len);
	write_deltas(p + FIXED_LEN + chunks_len, &plan);
	note_reported(t, t->base + (int64_t)plan.count, now_us);
	return 0;
}
