/*
 * buf: a growing byte buffer with its own upper limit. Control path only.
 *
 * An append past the limit sets `full` and changes nothing; callers check once at the end.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/macros.h"
#include "base/slice.h"

struct buf {
	uint8_t *p;
	size_t n, cap, limit;
	bool full;
};

/* `limit` is the largest size in bytes that this buffer may ever reach. */
void buf_init(struct buf *b, size_t limit);
void buf_free(struct buf *b);
void buf_reset(struct buf *b);

void buf_add(struct buf *b, const void *p, size_t n);
void buf_add_str(struct buf *b, const char *s);
void buf_add_byte(struct buf *b, uint8_t byte);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF(2, 3);

/*
 * Grows the content by n > 0 bytes that the caller writes at once. Borrowed until the next change; NULL (and `full`)
 * past the limit.
 */
MUST_CHECK uint8_t *buf_extend(struct buf *b, size_t n);

/* Removes n bytes from the front (all of them if there are fewer). */
void buf_drop_front(struct buf *b, size_t n);

/* The content as a C string: a NUL is kept behind the end. Borrowed until the next change. */
const char *buf_cstr(struct buf *b);

/* The content as owned memory with a NUL behind it; the buffer is empty afterwards. */
MUST_CHECK char *buf_take(struct buf *b);

static inline struct slice buf_slice(const struct buf *b)
{
	return (struct slice){b->p, b->n};
}
