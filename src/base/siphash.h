/*
 * siphash: the keyed hash of Aumasson and Bernstein (2012), a MAC for short messages. SipHash-1-3 is enough where only
 * the order of a table depends on it (map.c), SipHash-2-4 where somebody may see the tag (turn/nonce.c).
 *
 * What goes in are words: how bytes become words is the caller's matter, and the last word ends with the length.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct siphash {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t siphash_rotl(uint64_t v, unsigned by)
{
	return v << by | v >> (64 - by);
}

static inline void siphash_rounds(struct siphash *s, unsigned n)
{
	while (n-- > 0) {
		s->v0 += s->v1;
		s->v1 = siphash_rotl(s->v1, 13) ^ s->v0;
		s->v0 = siphash_rotl(s->v0, 32);
		s->v2 += s->v3;
		s->v3 = siphash_rotl(s->v3, 16) ^ s->v2;
		s->v0 += s->v3;
		s->v3 = siphash_rotl(s->v3, 21) ^ s->v0;
		s->v2 += s->v1;
		s->v1 = siphash_rotl(s->v1, 17) ^ s->v2;
		s->v2 = siphash_rotl(s->v2, 32);
	}
}

static inline struct siphash siphash_begin(uint64_t k0, uint64_t k1)
{
	return (struct siphash){k0 ^ UINT64_C(0x736f6d6570736575),
		k1 ^ UINT64_C(0x646f72616e646f6d), k0 ^ UINT64_C(0x6c7967656e657261),
		k1 ^ UINT64_C(0x7465646279746573)};
}

static inline void siphash_word(struct siphash *s, uint64_t word, unsigned rounds)
{
	s->v3 ^= word;
	siphash_rounds(s, rounds);
	s->v0 ^= word;
}

static inline uint64_t siphash_end(struct siphash *s, unsigned rounds)
{
	s->v2 ^= 0xff;
	siphash_rounds(s, rounds);
	return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}
