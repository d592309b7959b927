/* rng: random bytes from the kernel, and the ids made of them. Any thread. */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* Cryptographically strong; aborts if the kernel cannot deliver. */
void rng_bytes(void *p, size_t n);
uint32_t rng_u32(void);
uint64_t rng_u64(void);

/* n characters of [A-Za-z0-9+/] for ICE ufrag and password (RFC 8839 §5.4) and a NUL: `out` holds n + 1. */
void rng_ice_chars(char *out, size_t n);

/*
 * LiveKit object ids: prefix ("PA_", "RM_", "TR_VC"…) + 12 characters of the base57 alphabet.
 * `out` holds ID_CAP bytes; prefixes are at most ID_PREFIX_MAX long.
 */
enum { ID_PREFIX_MAX = 8, ID_RANDOM_LEN = 12, ID_CAP = ID_PREFIX_MAX + ID_RANDOM_LEN + 1 };
void rng_id(char out[ID_CAP], const char *prefix);
