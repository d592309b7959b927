/*
 * virtual_clock: the one clock of a test with libusrsctp. Its timers run on sctp_stack_tick, but whether a chunk is old
 * enough to be repeated and what a round trip took it reads from gettimeofday. This definition in the executable takes
 * the place of the C library's for the shared object too, so that both clocks are one.
 */
#pragma once
#include <stdatomic.h>
#include <stdint.h>
#include <sys/time.h>
#include "sctp/sctp.h"

static _Atomic uint64_t virtual_us = 1000000000;

__attribute__((visibility("default"))) int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
	(void)zone;
	uint64_t now = atomic_load(&virtual_us);
	tv->tv_sec = (time_t)(now / 1000000);
	tv->tv_usec = (suseconds_t)(now % 1000000);
	return 0;
}

static inline void virtual_tick(uint32_t ms)
{
	atomic_fetch_add(&virtual_us, (uint64_t)ms * 1000);
	sctp_stack_tick(ms);
}
