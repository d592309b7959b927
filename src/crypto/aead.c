#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include "crypto/aead_backend.h"

#include <string.h>


static const struct aead_info infos[AEAD_ALG_COUNT] = {
	[AEAD_CM128_SHA1_80] = {.key_len = 16, .auth_key_len = 20, .iv_len = 16, .tag_len = 10},
	[AEAD_GCM128] = {.key_len = 16, .auth_key_len = 0, .iv_len = 12, .tag_len = 16},
	[AEAD_GCM256] = {.key_len = 32, .auth_key_len = 0, .iv_len = 12, .tag_len = 16},
};

static const struct aead_backend *const backends[] = {&aead_backend_evp};

const struct aead_info *aead_info(enum aead_alg alg)
{
	return &infos[alg];
}

const struct aead_backend *aead_backend_at(unsigned i)
{
	return i < ARRAY_LEN(backends) ? backends[i] : NULL;
}

struct aead *aead_new(const struct aead_backend *backend, enum aead_alg alg, const uint8_t *key,
	const uint8_t *auth_key)
{
	return (backend ? backend : backends[0])->open_key(alg, key, auth_key);
}

void aead_free(struct aead *a)
{
	if (a)
		a->backend->close_key(a);
}

void aead_seal(struct aead *a, struct aead_job *jobs, unsigned n)
{
	a->backend->seal(a, jobs, n);
}

int aead_open(struct aead *a, const struct aead_job *job)
{
	return a->backend->open(a, job);
}

int aes_cm_keystream(struct slice key, const uint8_t iv[16], uint8_t *out, size_t n)
{
	if ((key.n != 16 && key.n != 32) || n > INT16_MAX)
		return -ERR_RANGE;

	int err = -ERR_CRYPTO, len;
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	EVP_CIPHER *cipher =
		EVP_CIPHER_fetch(NULL, key.n == 16 ? "AES-128-CTR" : "AES-256-CTR", NULL);
	if (!ctx || !cipher || EVP_EncryptInit_ex2(ctx, cipher, key.p, iv, NULL) != 1)
		goto out;
	memset(out, 0, n);
	if (EVP_EncryptUpdate(ctx, out, &len, out, (int)n) == 1)
		err = 0;
out:
	EVP_CIPHER_free(cipher);
	EVP_CIPHER_CTX_free(ctx);
	return err;
}
