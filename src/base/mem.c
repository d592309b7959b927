#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hot.h"

static _Noreturn void out_of_memory(size_t n)
{
	fprintf(stderr, "sterna: out of memory (asked for %zu bytes)\n", n);
	abort();
}

void *xmalloc(size_t n)
{
	hot_forbid("malloc");
	void *p = malloc(n ? n : 1);
	if (!p)
		out_of_memory(n);
	return p;
}

void *xcalloc(size_t count, size_t n)
{
	hot_forbid("calloc");
	void *p = calloc(count ? count : 1, n ? n : 1);
	if (!p)
		out_of_memory(n);
	return p;
}

void *xrealloc(void *old, size_t n)
{
	hot_forbid("realloc");
	void *p = realloc(old, n ? n : 1);
	if (!p)
		out_of_memory(n);
	return p;
}

void *xaligned(size_t align, size_t n)
{
	hot_forbid("aligned_alloc");
	size_t whole = (n + align - 1) & ~(align - 1);
	void *p = aligned_alloc(align, whole);
	if (!p)
		out_of_memory(n);
	memset(p, 0, whole);
	return p;
}

void *xmemdup(const void *src, size_t n)
{
	void *p = xmalloc(n);
	if (n)
		memcpy(p, src, n);
	return p;
}

char *xstrndup(const char *s, size_t n)
{
	size_t len = strnlen(s, n);
	char *p = xmalloc(len + 1);
	memcpy(p, s, len);
	p[len] = 0;
	return p;
}

char *xstrdup(const char *s)
{
	return xstrndup(s, strlen(s));
}

char *xasprintf(const char *fmt, ...)
{
	va_list ap, again;
	va_start(ap, fmt);
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	size_t cap = n < 0 ? 1 : (size_t)n + 1;
	char *p = xmalloc(cap);
	p[0] = 0;
	(void)vsnprintf(p, cap, fmt, again);
	va_end(again);
	return p;
}

void xfree(void *p)
{
	if (!p)
		return;
	hot_forbid("free");
	free(p);
}

void mem_free_foreign(void *p)
{
	hot_forbid("free");
	free(p);
}

void secret_wipe(void *p, size_t n)
{
	explicit_bzero(p, n);
}

int secret_eq(const void *a, const void *b, size_t n)
{
	const volatile unsigned char *x = a, *y = b;
	unsigned char diff = 0;
	for (size_t i = 0; i < n; i++)
		diff = (unsigned char)(diff | (x[i] ^ y[i]));
	return diff == 0;
}
