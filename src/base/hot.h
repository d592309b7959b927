/*
 * hot: marks the per-packet path and, in builds with -Dhot_checks=true, aborts when an
 * allocation, a lock or a log call happens on it.
 *
 * Such builds route malloc and friends and pthread_mutex_lock of the whole process through
 * checking wrappers (hot.c), so that libraries are held to the rule too.
 * A nested pause is for the rare exits from the path (a DTLS record, a state change).
 */
#pragma once
#include <stdbool.h>

#ifdef HOT_CHECKS
/* Between enter and leave this thread is on the per-packet path. */
void hot_enter(void);
void hot_leave(void);

/* Leaves the path for a while; returns whether it was on it, for hot_resume. */
bool hot_pause(void);
void hot_resume(bool was_hot);

/* Aborts, naming `what`, when called on the path. */
void hot_forbid(const char *what);
#else
static inline void hot_enter(void)
{
}
static inline void hot_leave(void)
{
}
static inline bool hot_pause(void)
{
	return false;
}
static inline void hot_resume(bool was_hot)
{
	(void)was_hot;
}
static inline void hot_forbid(const char *what)
{
	(void)what;
}
#endif
