/*
 * hmac: HMAC-SHA1 and HMAC-SHA256 (RFC 2104) with the keyed state saved once.
 *
 * Keying costs two compressions of the hash; they are done in _init and only their result, the two
 * chaining values, is kept. A message then costs its own blocks and one more. The states are plain
 * data: copy them, put them in any struct, no free; secret_wipe them when the key is to be
 * forgotten. Callers: stun/ (MESSAGE-INTEGRITY), srtp/ (authentication tag, RFC 3711 §4.2). No
 * allocation, any thread.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "base/slice.h"

enum { HMAC_SHA1_LEN = 20, HMAC_SHA256_LEN = 32 };

struct hmac_sha1 {
	uint32_t inner[5], outer[5];
};

struct hmac_sha256 {
	uint32_t inner[8], outer[8];
};

/* Keys the state. n may be 0; a key longer than a block of 64 is hashed first (RFC 2104 §3). */
void hmac_sha1_init(struct hmac_sha1 *h, const void *key, size_t n);
void hmac_sha256_init(struct hmac_sha256 *h, const void *key, size_t n);

/*
 * The tag over the parts in order, as if they were one message. Empty parts and no parts are fine.
 * `h` stays as it is and serves any number of messages. `out` may not overlap a part.
 */
void hmac_sha1(const struct hmac_sha1 *h, const struct slice *parts, size_t n_parts,
	uint8_t out[HMAC_SHA1_LEN]);
void hmac_sha256(const struct hmac_sha256 *h, const struct slice *parts, size_t n_parts,
	uint8_t out[HMAC_SHA256_LEN]);
