/*
 * The low-level SHA functions are deprecated in OpenSSL 3 in favour of EVP. They are used here, and
 * only here, because EVP has no way to restart from a saved chaining value without an allocation:
 * EVP_MAC_CTX_dup allocates, EVP_MAC_init hashes the key pads again. The compression underneath is
 * the same assembler.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "crypto/hmac.h"

#include <openssl/sha.h>

#include "base/mem.h"

enum { BLOCK = 64, LENGTH_AT = 56 };

/* The two pads of RFC 2104 §2: key XOR 0x36…, key XOR 0x5c…. `key` is at most a block long. */
static void make_pads(uint8_t ipad[BLOCK], uint8_t opad[BLOCK], const uint8_t *key, size_t n)
{
	memset(ipad, 0x36, BLOCK);
	memset(opad, 0x5c, BLOCK);
	for (size_t i = 0; i < n; i++) {
		ipad[i] ^= key[i];
		opad[i] ^= key[i];
	}
}

/* The state after one block: the buffer is empty, only chaining value and length are to be set. */
static void sha1_resume(SHA_CTX *c, const uint32_t chain[5])
{
	c->h0 = chain[0];
	c->h1 = chain[1];
	c->h2 = chain[2];
	c->h3 = chain[3];
	c->h4 = chain[4];
	c->Nl = BLOCK * 8;
	c->Nh = 0;
	c->num = 0;
}

static void sha1_save(uint32_t chain[5], const SHA_CTX *c)
{
	chain[0] = c->h0;
	chain[1] = c->h1;
	chain[2] = c->h2;
	chain[3] = c->h3;
	chain[4] = c->h4;
}

void hmac_sha1_init(struct hmac_sha1 *h, const void *key, size_t n)
{
	uint8_t ipad[BLOCK], opad[BLOCK], hashed[HMAC_SHA1_LEN];
	SHA_CTX c;

	if (n > BLOCK) {
		SHA1(key, n, hashed);
		key = hashed;
		n = sizeof hashed;
	}
	make_pads(ipad, opad, key, n);

	SHA1_Init(&c);
	SHA1_Transform(&c, ipad);
	sha1_save(h->inner, &c);
	SHA1_Init(&c);
	SHA1_Transform(&c, opad);
	sha1_save(h->outer, &c);

	secret_wipe(ipad, sizeof ipad);
	secret_wipe(opad, sizeof opad);
	secret_wipe(hashed, sizeof hashed);
	secret_wipe(&c, sizeof c);
}

void hmac_sha1(const struct hmac_sha1 *h, const struct slice *parts, size_t n_parts,
	uint8_t out[HMAC_SHA1_LEN])
{
	/* The outer message is the pad and one digest: its second block is built by hand. */
	uint8_t last[BLOCK] = {[HMAC_SHA1_LEN] = 0x80};
	uint32_t chain[5];
	SHA_CTX c;

	sha1_resume(&c, h->inner);
	for (size_t i = 0; i < n_parts; i++)
		SHA1_Update(&c, parts[i].p, parts[i].n);
	SHA1_Final(last, &c);

	wr64(last + LENGTH_AT, (BLOCK + HMAC_SHA1_LEN) * 8);
	sha1_resume(&c, h->outer);
	SHA1_Transform(&c, last);
	sha1_save(chain, &c);
	for (size_t i = 0; i < ARRAY_LEN(chain); i++)
		wr32(out + 4 * i, chain[i]);
}

static void sha256_resume(SHA256_CTX *c, const uint32_t chain[8])
{
	memcpy(c->h, chain, sizeof c->h);
	c->Nl = BLOCK * 8;
	c->Nh = 0;
	c->num = 0;
	c->md_len = HMAC_SHA256_LEN;
}

void hmac_sha256_init(struct hmac_sha256 *h, const void *key, size_t n)
{
	uint8_t ipad[BLOCK], opad[BLOCK], hashed[HMAC_SHA256_LEN];
	SHA256_CTX c;

	if (n > BLOCK) {
		SHA256(key, n, hashed);
		key = hashed;
		n = sizeof hashed;
	}
	make_pads(ipad, opad, key, n);

	SHA256_Init(&c);
	SHA256_Transform(&c, ipad);
	memcpy(h->inner, c.h, sizeof h->inner);
	SHA256_Init(&c);
	SHA256_Transform(&c, opad);
	memcpy(h->outer, c.h, sizeof h->outer);

	secret_wipe(ipad, sizeof ipad);
	secret_wipe(opad, sizeof opad);
	secret_wipe(hashed, sizeof hashed);
	secret_wipe(&c, sizeof c);
}

void hmac_sha256(const struct hmac_sha256 *h, const struct slice *parts, size_t n_parts,
	uint8_t out[HMAC_SHA256_LEN])
{
	uint8_t last[BLOCK] = {[HMAC_SHA256_LEN] = 0x80};
	SHA256_CTX c;

	sha256_resume(&c, h->inner);
	for (size_t i = 0; i < n_parts; i++)
		SHA256_Update(&c, parts[i].p, parts[i].n);
	SHA256_Final(last, &c);

	wr64(last + LENGTH_AT, (BLOCK + HMAC_SHA256_LEN) * 8);
	sha256_resume(&c, h->outer);
	SHA256_Transform(&c, last);
	for (size_t i = 0; i < ARRAY_LEN(c.h); i++)
		wr32(out + 4 * i, c.h[i]);
}
