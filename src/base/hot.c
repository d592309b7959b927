#include "base/hot.h"

#ifdef HOT_CHECKS
#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Thread_local int depth;

void hot_enter(void)
{
	depth++;
}

void hot_leave(void)
{
	depth--;
}

bool hot_pause(void)
{
	bool was_hot = depth > 0;
	if (was_hot)
		depth--;
	return was_hot;
}

void hot_resume(bool was_hot)
{
	if (was_hot)
		depth++;
}

void hot_forbid(const char *what)
{
	if (depth <= 0)
		return;
	depth = 0;
	const char text[] = "sterna: forbidden on the per-packet path: ";
	if (write(2, text, sizeof text - 1) < 0 || write(2, what, strlen(what)) < 0 ||
		write(2, "\n", 1) < 0)
		_exit(134);
	abort();
}

/*
 * glibc allows a program to bring its own malloc family; these forward to glibc's entry points, so
 * that OpenSSL and libusrsctp are caught as well. Not built with sanitizers, which bring their own.
 */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t count, size_t n);
extern void *__libc_realloc(void *p, size_t n);
extern void __libc_free(void *p);
extern int __pthread_mutex_lock(pthread_mutex_t *m) __attribute__((weak));

#define EXPORT __attribute__((visibility("default")))

EXPORT void *malloc(size_t n)
{
	hot_forbid("malloc");
	return __libc_malloc(n);
}

EXPORT void *calloc(size_t count, size_t n)
{
	hot_forbid("calloc");
	return __libc_calloc(count, n);
}

EXPORT void *realloc(void *p, size_t n)
{
	hot_forbid("realloc");
	return __libc_realloc(p, n);
}

EXPORT void free(void *p)
{
	if (p)
		hot_forbid("free");
	__libc_free(p);
}

EXPORT int pthread_mutex_lock(pthread_mutex_t *m)
{
	static int (*real)(pthread_mutex_t *);
	hot_forbid("pthread_mutex_lock");
	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "pthread_mutex_lock");
	return real(m);
}
#endif
#else
typedef int hot_checks_are_off;
#endif
