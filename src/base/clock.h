/* clock: the two clocks of the program. Protocols (floor 2) never call these; their time is handed in. */
#pragma once
#include <stdint.h>
#include <time.h>

enum { US_PER_MS = 1000, US_PER_S = 1000000 };

/* Monotonic, microseconds. The `now_us` of all protocols. */
static inline uint64_t clock_mono_us(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * US_PER_S + (uint64_t)ts.tv_nsec / 1000;
}

/* Unix time, microseconds: only for what people or other machines read. */
static inline uint64_t clock_wall_us(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * US_PER_S + (uint64_t)ts.tv_nsec / 1000;
}
