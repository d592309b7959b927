/*
 * srtp_window: extended packet indexes and the replay window (RFC 3711 §3.3.1, §3.3.2, appendix A).
 * Plain data.
 *
 * The index of an RTP packet has 48 bits: rollover counter, then sequence number. That of SRTCP has
 * 31.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "srtp/srtp.h"

/* Bit i of `seen` stands for index top - i; bit 0 is set as soon as anything was accepted. */
struct srtp_window {
	uint64_t top;
	uint64_t seen[SRTP_WINDOW / 64];
};

static inline bool srtp_window_is_empty(const struct srtp_window *w)
{
	return w->seen[0] == 0;
}

/* False: seen before, or older than the window. */
static inline bool srtp_window_may(const struct srtp_window *w, uint64_t index)
{
	if (srtp_window_is_empty(w) || index > w->top)
		return true;
	uint64_t back = w->top - index;
	return back < SRTP_WINDOW && !(w->seen[back / 64] >> back % 64 & 1);
}

/* Only for an index that srtp_window_may allowed, and only after the packet proved authentic. */
static inline void srtp_window_accept(struct srtp_window *w, uint64_t index)
{
	if (!srtp_window_is_empty(w) && index <= w->top) {
		uint64_t back = w->top - index;
		w->seen[back / 64] |= (uint64_t)1 << back % 64;
		return;
	}
	uint64_t by = index - w->top;
	if (srtp_window_is_empty(w) || by >= SRTP_WINDOW) {
		w->seen[1] = 0;
		w->seen[0] = 1;
	} else if (by >= 64) {
		w->seen[1] = w->seen[0] << (by - 64);
		w->seen[0] = 1;
	} else {
		w->seen[1] = w->seen[1] << by | w->seen[0] >> (64 - by);
		w->seen[0] = w->seen[0] << by | 1;
	}
	w->top = index;
}

/*
 * The index that `seq` most likely means when `top` is the newest one so far. Negative: it would
 * lie before the very first rollover.
 */
static inline int64_t srtp_index_guess(uint64_t top, uint16_t seq)
{
	int32_t newest = (int32_t)(top & 0xffff);
	int64_t roc_part = (int64_t)(top - (uint64_t)newest);

	if (newest < 0x8000 && seq - newest > 0x8000)
		roc_part -= 0x10000;
	else if (newest >= 0x8000 && newest - 0x8000 > seq)
		roc_part += 0x10000;
	return roc_part + seq;
}
