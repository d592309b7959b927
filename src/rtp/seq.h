/* seq: arithmetic on sequence numbers and timestamps that wrap. Pure functions and plain data. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* a - b on the shorter way round: 1 - 65535 is 2. Half a turn is negative. */
static inline int16_t seq_diff(uint16_t a, uint16_t b)
{
	return (int16_t)(uint16_t)(a - b);
}

static inline bool seq_newer(uint16_t a, uint16_t b)
{
	return seq_diff(a, b) > 0;
}

static inline int32_t ts_diff(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b);
}

static inline bool ts_newer(uint32_t a, uint32_t b)
{
	return ts_diff(a, b) > 0;
}

/* Extends 16-bit numbers to 64 bits. Zero-initialise; the first number stands for itself. */
struct seq_unwrap {
	int64_t high; /* newest extended number so far */
	bool is_started;
};

/* The extended number nearest to the newest one; changes nothing. Negative before number 0. */
static inline int64_t seq_unwrap_peek(const struct seq_unwrap *u, uint16_t seq)
{
	return u->is_started ? u->high + seq_diff(seq, (uint16_t)u->high) : seq;
}

/* The same, and remembers it if it is the newest. */
static inline int64_t seq_unwrap_next(struct seq_unwrap *u, uint16_t seq)
{
	int64_t ext = seq_unwrap_peek(u, seq);
	if (!u->is_started || ext > u->high) {
		u->high = ext;
		u->is_started = true;
	}
	return ext;
}

/* Which of the last SEQ_WINDOW_LEN extended numbers were seen. Zero-initialise. */
enum { SEQ_WINDOW_LEN = 512 };

struct seq_window {
	uint64_t bits[SEQ_WINDOW_LEN / 64];
	int64_t high;
	bool is_started;
};

enum seq_seen { SEQ_FIRST_TIME, SEQ_AGAIN, SEQ_TOO_OLD };

/* Marks a number as seen and says whether it was before; too old ones are not marked. */
enum seq_seen seq_window_mark(struct seq_window *w, int64_t ext);

/* The same without marking. */
enum seq_seen seq_window_look(const struct seq_window *w, int64_t ext);
