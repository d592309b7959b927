/*
 * loudness: how loud an audio track is, from the levels that its packets announce (RFC 6464): nothing is decoded.
 *
 * Plain data, one per track. loudness_push is per packet; whoever decides who speaks takes a reading now and then.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct loudness {
	uint8_t active_level; /* -dBov: quieter than this is silence */
	bool has_timestamp;
	uint32_t timestamp; /* of the packet before */
	uint32_t heard_ms, active_ms;
	uint8_t loudest;
};

/* What was heard between two readings. */
struct loudness_reading {
	uint32_t heard_ms;  /* of audio that arrived */
	uint32_t active_ms; /* of it louder than silence */
	uint8_t loudest;    /* -dBov, 127 = nothing */
};

void loudness_init(struct loudness *l, uint8_t active_level);

/* Per packet: its level and its RTP timestamp. */
void loudness_push(struct loudness *l, uint8_t level, uint32_t timestamp, uint32_t clock_rate);

/* Begins the next reading. */
struct loudness_reading loudness_take(struct loudness *l);
