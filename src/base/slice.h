/*
 * slice: borrowed bytes, big-endian access, and a cursor that cannot run past the end.
 *
 * Every byte from the wire is read through here; packet memory is never cast to a struct.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct slice {
	const uint8_t *p;
	size_t n;
};

static inline struct slice slice_of(const void *p, size_t n)
{
	return (struct slice){(const uint8_t *)p, n};
}

/* Borrows a C string without its NUL; NULL gives an empty slice. */
static inline struct slice slice_str(const char *s)
{
	return (struct slice){(const uint8_t *)s, s ? strlen(s) : 0};
}

static inline bool slice_eq(struct slice a, struct slice b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool slice_eq_str(struct slice a, const char *s)
{
	return slice_eq(a, slice_str(s));
}

static inline uint16_t rd16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t rd24(const uint8_t *p)
{
	return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
}

static inline uint32_t rd32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline uint64_t rd64(const uint8_t *p)
{
	return (uint64_t)rd32(p) << 32 | rd32(p + 4);
}

static inline void wr16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void wr24(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 16);
	p[1] = (uint8_t)(v >> 8);
	p[2] = (uint8_t)v;
}

static inline void wr32(uint8_t *p, uint32_t v)
{
	wr16(p, (uint16_t)(v >> 16));
	wr16(p + 2, (uint16_t)v);
}

static inline void wr64(uint8_t *p, uint64_t v)
{
	wr32(p, (uint32_t)(v >> 32));
	wr32(p + 4, (uint32_t)v);
}

/*
 * Reads from the front of a slice. After the first short read `ok` is false, every
 * further read gives zeros, and the caller checks once at the end.
 */
struct cursor {
	const uint8_t *p;
	size_t left;
	bool ok;
};

static inline struct cursor cursor_of(struct slice s)
{
	return (struct cursor){s.p, s.n, true};
}

/* Takes the next n bytes; an empty slice and ok=false if there are fewer. */
static inline struct slice cursor_take(struct cursor *c, size_t n)
{
	if (!c->ok || c->left < n) {
		c->ok = false;
		return (struct slice){NULL, 0};
	}
	struct slice s = {c->p, n};
	c->p += n;
	c->left -= n;
	return s;
}

static inline uint8_t cursor_u8(struct cursor *c)
{
	struct slice s = cursor_take(c, 1);
	return s.p ? s.p[0] : 0;
}

static inline uint16_t cursor_u16(struct cursor *c)
{
	struct slice s = cursor_take(c, 2);
	return s.p ? rd16(s.p) : 0;
}

static inline uint32_t cursor_u32(struct cursor *c)
{
	struct slice s = cursor_take(c, 4);
	return s.p ? rd32(s.p) : 0;
}
