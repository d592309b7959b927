/*
 * mem: the only place that calls malloc.
 *
 * Control path: the x-functions abort with the call's size when memory is gone, so callers never check.
 * Per-packet path: nothing here may be called at all (see hot.h); memory comes from pools sized at start.
 */
#pragma once
#include <stddef.h>
#include "base/macros.h"

/* Returns owned memory, uninitialised / zeroed. Never NULL. Free with xfree. */
MUST_CHECK void *xmalloc(size_t n);
MUST_CHECK void *xcalloc(size_t count, size_t n);
MUST_CHECK void *xrealloc(void *p, size_t n);
MUST_CHECK char *xstrdup(const char *s);
MUST_CHECK char *xstrndup(const char *s, size_t n);
MUST_CHECK void *xmemdup(const void *p, size_t n);

/* printf into owned memory. Never NULL. */
MUST_CHECK char *xasprintf(const char *fmt, ...) PRINTF(1, 2);

/* Accepts NULL. */
void xfree(void *p);

/* Frees what a library took from malloc and gave away. Accepts NULL. */
void mem_free_foreign(void *p);

#define XNEW(type) ((type *)xcalloc(1, sizeof(type)))

/* Overwrites a secret in a way the compiler keeps. */
void secret_wipe(void *p, size_t n);

/* Compares without an early exit: true if equal. Lengths are not secret. */
MUST_CHECK int secret_eq(const void *a, const void *b, size_t n);

/* Owned memory at a multiple of `align` (a power of two), zeroed. Free with xfree. */
MUST_CHECK void *xaligned(size_t align, size_t n);
