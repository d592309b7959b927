/*
 * aead: packet encryption with authentication, as SRTP needs it, over exchangeable backends.
 *
 * One shape for AES-GCM (RFC 5116) and for AES-CM with HMAC-SHA1 (RFC 3711 §4), so that the caller
 * is the same for both and a backend may chain cipher and hash, or take many packets at once. The
 * caller makes the IV. A `struct aead` belongs to one thread. Keying allocates; seal and open do
 * not allocate, lock or log. Callers: srtp/.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/slice.h"

enum aead_alg {
	AEAD_CM128_SHA1_80, /* AES-128 counter mode, then HMAC-SHA1 cut to 80 bits */
	AEAD_GCM128,
	AEAD_GCM256,
	AEAD_ALG_COUNT
};

enum { AEAD_IV_MAX = 16, AEAD_TAG_MAX = 16, AEAD_TRAILER_MAX = 4 };

struct aead_info {
	uint8_t key_len;      /* cipher key, bytes */
	uint8_t auth_key_len; /* 0: the cipher key authenticates as well */
	uint8_t iv_len;
	uint8_t tag_len;
};

/* Static storage. */
const struct aead_info *aead_info(enum aead_alg alg);

/*
 * One packet. Authenticated are aad, then the ciphertext, then the trailer for CM; aad and trailer
 * for GCM, which takes care of the ciphertext itself. The trailer is never written: it is the ROC
 * or the SRTCP index.
 */
struct aead_job {
	uint8_t iv[AEAD_IV_MAX]; /* iv_len bytes count; CM's last two are its block counter, 0 */
	uint8_t trailer[AEAD_TRAILER_MAX];
	uint8_t trailer_len;
	bool ok; /* set by seal; false: out and tag hold nothing that may be sent */
	const uint8_t *aad;
	size_t aad_len;
	const uint8_t *in;
	uint8_t *out; /* == in, or no overlap with in and aad */
	size_t len;   /* of in and out; 0 authenticates only */
	uint8_t *tag; /* tag_len bytes, written by seal, read by open */
};

struct aead;

/* One row per backend. All state behind `struct aead`, whose first member is the row. */
struct aead_backend {
	const char *name;
	struct aead *(*open_key)(enum aead_alg alg, const uint8_t *key, const uint8_t *auth_key);
	void (*close_key)(struct aead *a);
	void (*seal)(struct aead *a, struct aead_job *jobs, unsigned n);
	int (*open)(struct aead *a, const struct aead_job *job);
};

/* The backends this machine can run, best first, OpenSSL always among them; NULL past the last. */
const struct aead_backend *aead_backend_at(unsigned i);

/*
 * Returns owned. `key` and `auth_key` have the lengths of aead_info and are not kept by reference;
 * auth_key may be NULL where its length is 0. NULL backend: the best. NULL only if the cipher
 * cannot be had (a FIPS-only OpenSSL).
 */
struct aead *aead_new(const struct aead_backend *backend, enum aead_alg alg, const uint8_t *key,
	const uint8_t *auth_key);

/* Wipes the keys. Accepts NULL. */
void aead_free(struct aead *a);

/* Encrypts and authenticates n packets in order; see `ok` of each. */
void aead_seal(struct aead *a, struct aead_job *jobs, unsigned n);

/* 0, or -ERR_AUTH: an in-place packet is then as it was, an `out` elsewhere is of no use. */
MUST_CHECK int aead_open(struct aead *a, const struct aead_job *job);

/*
 * n bytes of AES counter mode keystream from the counter block `iv` on (RFC 3711 §4.1.1). The key
 * has 16 or 32 bytes. For key derivation: sets up a key each time and allocates. 0, -ERR_RANGE (key
 * size), -ERR_CRYPTO.
 */
MUST_CHECK int aes_cm_keystream(struct slice key, const uint8_t iv[16], uint8_t *out, size_t n);
