#include "sfu/loudness.h"

#include "base/macros.h"

enum { PACKET_MS = 20, PACKET_MS_MAX = 120, SILENCE = 127 };

void loudness_init(struct loudness *l, uint8_t active_level)
{
	*l = (struct loudness){.active_level = active_level, .loudest = SILENCE};
}

void loudness_push(struct loudness *l, uint8_t level, uint32_t timestamp, uint32_t clock_rate)
{
	/* The pause before a packet is no part of it: with DTX, silence is not sent. */
	uint32_t ms = l->has_timestamp && clock_rate >= 1000 ?
			      (timestamp - l->timestamp) / (clock_rate / 1000) :
			      PACKET_MS;
	if (ms == 0 || ms > PACKET_MS_MAX)
		ms = PACKET_MS;
	l->has_timestamp = true;
	l->timestamp = timestamp;
	l->heard_ms += ms;
	if (level > l->active_level)
		return;
	l->active_ms += ms;
	l->loudest = MIN(l->loudest, level);
}

struct loudness_reading loudness_take(struct loudness *l)
{
	struct loudness_reading r = {l->heard_ms, l->active_ms, l->loudest};
	l->heard_ms = l->active_ms = 0;
	l->loudest = SILENCE;
	return r;
}
