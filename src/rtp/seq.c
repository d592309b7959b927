#include "rtp/seq.h"

#include <string.h>

static uint64_t *word_of(struct seq_window *w, int64_t ext)
{
	return &w->bits[(uint64_t)ext % SEQ_WINDOW_LEN / 64];
}

static uint64_t bit_of(int64_t ext)
{
	return UINT64_C(1) << ((uint64_t)ext % 64);
}

enum seq_seen seq_window_look(const struct seq_window *w, int64_t ext)
{
	if (!w->is_started || ext > w->high)
		return SEQ_FIRST_TIME;
	if (w->high - ext >= SEQ_WINDOW_LEN)
		return SEQ_TOO_OLD;
	bool is_set = w->bits[(uint64_t)ext % SEQ_WINDOW_LEN / 64] & bit_of(ext);
	return is_set ? SEQ_AGAIN : SEQ_FIRST_TIME;
}

enum seq_seen seq_window_mark(struct seq_window *w, int64_t ext)
{
	enum seq_seen seen = seq_window_look(w, ext);
	if (seen != SEQ_FIRST_TIME)
		return seen;
	if (!w->is_started || ext - w->high >= SEQ_WINDOW_LEN) {
		memset(w->bits, 0, sizeof w->bits);
		w->high = ext;
		w->is_started = true;
	}
	while (w->high < ext) {
		w->high++;
		*word_of(w, w->high) &= ~bit_of(w->high);
	}
	*word_of(w, ext) |= bit_of(ext);
	return SEQ_FIRST_TIME;
}
