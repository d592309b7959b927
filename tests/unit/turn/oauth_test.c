#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base64.h"
#include "base/macros.h"
#include "base/mem.h"
#include "crypto/aead.h"
#include "turn/auth_internal.h"

/* Made by turnutils_oauth 4.6.1: server turn.example.org, issued at 1400000000, lifetime 3600. */
static const char mac_key[] = "ZksjpweoixXmvn67534m";
static const char server[] = "turn.example.org";
static const struct {
	const char *algorithm, *key, *token;
} vectors[] = {
	{"A256GCM", "0123456789abcdef0123456789ABCDEF",
		"AAxoNGozazJsMm40YjWtf2oR36LiKy/CSbsPfsMMhZqP8+j+3fMs2GHGTB/LfPI5sZ0rYQD/WaczAes6Yl+gOw=="},
	{"A128GCM", "0123456789abcdef",
		"AAxoNGozazJsMm40YjUhis5iGsSpay94iXx7UlRg9M31m4pBudUqzE/TdW6JE58WNqco3bz5V0ldxpedjgqCEw=="},
};

static void set_key(struct oauth_key *k, size_t i)
{
	assert_int_equal(oauth_key_set(k, slice_str(vectors[i].key), vectors[i].algorithm,
				 1400000000, 1000000000),
		0);
}

static struct slice load(struct buf *b, size_t i)
{
	buf_init(b, 200);
	assert_int_equal(base64_decode(b, slice_str(vectors[i].token)), 0);
	return buf_slice(b);
}

static void tokens_of_coturn_are_read(void **st)
{
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		struct oauth_key k;
		struct oauth_token t;
		struct buf b;
		set_key(&k, i);
		assert_int_equal(oauth_token_open(&k, server, load(&b, i), &t), 0);
		assert_int_equal(t.mac_key_n, strlen(mac_key));
		assert_memory_equal(t.mac_key, mac_key, t.mac_key_n);
		assert_int_equal(t.issued_s, 1400000000);
		assert_int_equal(t.lifetime_s, 3600);
		assert_int_equal(oauth_token_open(&k, "turn.example.net", buf_slice(&b), &t), -ERR_AUTH);
		k.key[3] ^= 1;
		assert_int_equal(oauth_token_open(&k, server, buf_slice(&b), &t), -ERR_AUTH);
		buf_free(&b);
	}
}

static void every_changed_bit_and_cut_is_refused(void **st)
{
	struct oauth_key k;
	struct oauth_token t;
	struct buf b;
	set_key(&k, 0);
	struct slice token = load(&b, 0);
	for (size_t bit = 0; bit < token.n * 8; bit++) {
		b.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_not_equal(oauth_token_open(&k, server, token, &t), 0);
		b.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t n = 0; n < token.n; n++) {
		uint8_t *exact = xmemdup(token.p, n ? n : 1);
		assert_int_not_equal(oauth_token_open(&k, server, slice_of(exact, n), &t), 0);
		xfree(exact);
	}
	assert_int_equal(oauth_token_open(&k, server, token, &t), 0);
	buf_free(&b);
}

/* A token that the authorization server sealed, with something else inside. */
static int open_made(const uint8_t *inner, size_t n)
{
	uint8_t token[300] = {0, 12};
	struct oauth_key k;
	struct oauth_token t;
	set_key(&k, 0);
	struct aead *a = aead_new(NULL, AEAD_GCM256, k.key, NULL);
	struct aead_job job = {.aad = (const uint8_t *)server,
		.aad_len = strlen(server),
		.in = inner,
		.out = token + 14,
		.len = n,
		.tag = token + 14 + n};
	aead_seal(a, &job, 1);
	assert_true(job.ok);
	aead_free(a);
	return oauth_token_open(&k, server, slice_of(token, 14 + n + 16), &t);
}

static void what_is_inside_is_checked(void **st)
{
	uint8_t inner[200] = {0, 20};
	assert_int_equal(open_made(inner, 2 + 20 + 12), 0);
	assert_int_equal(open_made(inner, 2 + 20 + 11), -ERR_MALFORMED);
	assert_int_equal(open_made(inner, 2 + 20 + 13), -ERR_MALFORMED);
	assert_int_equal(open_made(inner, 0), -ERR_MALFORMED);
	inner[1] = 64;
	assert_int_equal(open_made(inner, 2 + 64 + 12), 0);
	inner[1] = 65;
	assert_int_equal(open_made(inner, 2 + 65 + 12), -ERR_MALFORMED);
	inner[1] = 15;
	assert_int_equal(open_made(inner, 2 + 15 + 12), -ERR_MALFORMED);
	inner[0] = 0xff;
	assert_int_equal(open_made(inner, 2 + 64 + 12), -ERR_MALFORMED);
}

static void times_are_checked(void **st)
{
	static const struct {
		uint64_t from, key_life, issued, life, now;
		bool want;
	} rows[] = {
		{100, 50, 110, 10, 115, true},
		{100, 50, 110, 10, 124, true},  /* within the delta */
		{100, 50, 110, 10, 125, false},
		{100, 50, 110, 10, 96, true},   /* issued in the future, and used early by as much */
		{100, 50, 110, 10, 94, false},
		{100, 50, 150, 30, 155, true},
		{100, 50, 150, 30, 156, false}, /* the key's time is over */
		{100, 0, 1500, 30, 1501, true}, /* a key for ever */
		{0, 0, 0, 0, 4, true},
		{0, 0, 0, 0, 5, false},
		{100, UINT64_MAX, UINT64_MAX, 10, 1000, false},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct oauth_key k = {.from_s = rows[i].from, .lifetime_s = rows[i].key_life};
		struct oauth_token t = {.issued_s = rows[i].issued, .lifetime_s = rows[i].life};
		assert_int_equal(oauth_is_current(&k, &t, rows[i].now), rows[i].want);
	}
}

static void wrong_keys_are_refused(void **st)
{
	struct oauth_key k;
	assert_int_equal(oauth_key_set(&k, slice_str("0123456789abcde"), "A128GCM", 0, 0), -ERR_CONFIG);
	assert_int_equal(oauth_key_set(&k, slice_str("0123456789abcdef"), "A256GCM", 0, 0), -ERR_CONFIG);
	assert_int_equal(oauth_key_set(&k, slice_str("0123456789abcdef"), "HS256", 0, 0), -ERR_CONFIG);
	assert_int_equal(oauth_key_set(&k, slice_str("0123456789abcdef"), NULL, 0, 0), -ERR_CONFIG);
	/* Longer than needed: the front is used. */
	assert_int_equal(oauth_key_set(&k, slice_str(vectors[0].key), "A128GCM", 0, 0), 0);
	assert_memory_equal(k.key, vectors[0].key, 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tokens_of_coturn_are_read),
		cmocka_unit_test(every_changed_bit_and_cut_is_refused),
		cmocka_unit_test(what_is_inside_is_checked),
		cmocka_unit_test(times_are_checked),
		cmocka_unit_test(wrong_keys_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
