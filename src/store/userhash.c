#include <openssl/evp.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/store_internal.h"

enum { OLD_AFTER_S = 5 };

void store_userhash_free(struct store_userhash *u)
{
	size_t at = 0;
	struct slice key;
	for (void *name; (name = map_next(&u->names, &at, &key));)
		xfree(name);
	map_free(&u->names);
	*u = (struct store_userhash){0};
}

const char *store_userhash_find(const struct store_userhash *u, struct slice hash)
{
	return map_get(&u->names, hash);
}

bool store_userhash_is_old(const struct store_userhash *u, uint64_t now_us)
{
	return !u->made_us || now_us - u->made_us >= (uint64_t)OLD_AFTER_S * US_PER_S;
}

/* SHA-256(username ":" realm), RFC 8489 §14.4. */
static bool hash_of(EVP_MD_CTX *ctx, const struct store_row *row, uint8_t hash[STORE_USERHASH_LEN])
{
	unsigned n = 0;
	return EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) &&
	       EVP_DigestUpdate(ctx, row->name, strlen(row->name)) &&
	       EVP_DigestUpdate(ctx, ":", 1) &&
	       EVP_DigestUpdate(ctx, row->realm, strlen(row->realm)) &&
	       EVP_DigestFinal_ex(ctx, hash, &n) && n == STORE_USERHASH_LEN;
}

int store_userhash_make(
	struct store_userhash *u, const struct store_turn_answer *names, uint64_t now_us)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t hash[STORE_USERHASH_LEN];
	int err = ctx ? 0 : -ERR_CRYPTO;
	store_userhash_free(u);
	map_init(&u->names);
	for (size_t i = 0; i < names->rows_n && !err; i++) {
		if (!hash_of(ctx, &names->rows[i], hash))
			err = -ERR_CRYPTO;
		else
			xfree(map_put(&u->names, slice_of(hash, sizeof hash),
				xstrdup(names->rows[i].name)));
	}
	EVP_MD_CTX_free(ctx);
	u->made_us = err ? 0 : now_us;
	return err;
}
