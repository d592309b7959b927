#include "rtp/sent_log.h"

#include <stdbool.h>
#include "base/mem.h"
#include "rtp/seq.h"

enum { EMPTY = UINT8_MAX, PACKETS_MAX = 32768 };

struct sent_log {
	size_t mask;
	uint16_t newest;
	bool is_started;
	struct rtp_sent entries[]; /* by seq; repeats == EMPTY: nothing there */
};

struct sent_log *sent_log_new(size_t packets)
{
	size_t cap = 1;
	while (cap < packets && cap < PACKETS_MAX)
		cap *= 2;
	struct sent_log *log = xmalloc(sizeof *log + cap * sizeof log->entries[0]);
	log->mask = cap - 1;
	sent_log_clear(log);
	return log;
}

void sent_log_free(struct sent_log *log)
{
	xfree(log);
}

void sent_log_clear(struct sent_log *log)
{
	for (size_t i = 0; i <= log->mask; i++)
		log->entries[i].repeats = EMPTY;
	log->is_started = false;
	log->newest = 0;
}

/* Numbers that were never sent must not be answered with packets from a turn of 65536 before. */
static void advance(struct sent_log *log, uint16_t seq)
{
	size_t steps = log->is_started ? (uint16_t)(seq - log->newest) : 1;
	for (size_t i = 0; i < MIN(steps, log->mask + 1); i++)
		log->entries[(uint16_t)(seq - i) & log->mask].repeats = EMPTY;
	log->newest = seq;
	log->is_started = true;
}

void sent_log_put(struct sent_log *log, const struct rtp_sent *sent)
{
	if (!log->is_started || seq_newer(sent->seq, log->newest))
		advance(log, sent->seq);
	else if ((uint16_t)(log->newest - sent->seq) > log->mask)
		return;
	struct rtp_sent *e = &log->entries[sent->seq & log->mask];
	*e = *sent;
	e->repeats = 0;
	e->repeated_ms = 0;
}

int sent_log_repeat(
	struct sent_log *log, uint16_t seq, uint64_t now_us, uint64_t rtt_us, struct rtp_sent *out)
{
	struct rtp_sent *e = &log->entries[seq & log->mask];
	if (e->repeats == EMPTY || e->seq != seq)
		return -ERR_NOT_FOUND;
	if (e->repeats >= SENT_LOG_REPEATS)
		return -ERR_NO_ROOM;
	uint32_t now_ms = (uint32_t)(now_us / 1000);
	uint64_t since_us = (uint64_t)(uint32_t)(now_ms - e->repeated_ms) * 1000;
	if (e->repeats > 0 && since_us < rtt_us)
		return -ERR_AGAIN;
	e->repeats++;
	e->repeated_ms = now_ms;
	*out = *e;
	return 0;
}
