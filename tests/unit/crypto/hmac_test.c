#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/macros.h"
#include "base/rng.h"
#include "crypto/hmac.h"

struct vector {
	const char *key, *data;
	uint8_t key_fill, data_fill; /* when the text is NULL: this byte, repeated */
	size_t key_len, data_len;
	uint8_t sha1[HMAC_SHA1_LEN];
};

#define COUNT_25                                                                                   \
	"\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14\x15\x16" \
	"\x17\x18\x19"
#define LONG_1 "Test Using Larger Than Block-Size Key - Hash Key First"
#define LONG_2 "Test Using Larger Than Block-Size Key and Larger Than One Block-Size Data"

/* RFC 2202 §3, test cases 1 to 7. */
static const struct vector vectors[] = {
	{NULL, "Hi There", 0x0b, 0, 20, 8,
		{0xb6, 0x17, 0x31, 0x86, 0x55, 0x05, 0x72, 0x64, 0xe2, 0x8b, 0xc0, 0xb6, 0xfb, 0x37,
			0x8c, 0x8e, 0xf1, 0x46, 0xbe, 0x00}},
	{"Jefe", "what do ya want for nothing?", 0, 0, 4, 28,
		{0xef, 0xfc, 0xdf, 0x6a, 0xe5, 0xeb, 0x2f, 0xa2, 0xd2, 0x74, 0x16, 0xd5, 0xf1, 0x84,
			0xdf, 0x9c, 0x25, 0x9a, 0x7c, 0x79}},
	{NULL, NULL, 0xaa, 0xdd, 20, 50,
		{0x12, 0x5d, 0x73, 0x42, 0xb9, 0xac, 0x11, 0xcd, 0x91, 0xa3, 0x9a, 0xf4, 0x8a, 0xa1,
			0x7b, 0x4f, 0x63, 0xf1, 0x75, 0xd3}},
	{COUNT_25, NULL, 0, 0xcd, 25, 50,
		{0x4c, 0x90, 0x07, 0xf4, 0x02, 0x62, 0x50, 0xc6, 0xbc, 0x84, 0x14, 0xf9, 0xbf, 0x50,
			0xc8, 0x6c, 0x2d, 0x72, 0x35, 0xda}},
	{NULL, "Test With Truncation", 0x0c, 0, 20, 20,
		{0x4c, 0x1a, 0x03, 0x42, 0x4b, 0x55, 0xe0, 0x7f, 0xe7, 0xf2, 0x7b, 0xe1, 0xd5, 0x8b,
			0xb9, 0x32, 0x4a, 0x9a, 0x5a, 0x04}},
	{NULL, LONG_1, 0xaa, 0, 80, sizeof LONG_1 - 1,
		{0xaa, 0x4a, 0xe5, 0xe1, 0x52, 0x72, 0xd0, 0x0e, 0x95, 0x70, 0x56, 0x37, 0xce, 0x8a,
			0x3b, 0x55, 0xed, 0x40, 0x21, 0x12}},
	{NULL, LONG_2, 0xaa, 0, 80, sizeof LONG_2 - 1,
		{0xe8, 0xe9, 0x9d, 0x0f, 0x45, 0x23, 0x7d, 0x78, 0x6d, 0x6b, 0xba, 0xa7, 0x96, 0x5c,
			0x78, 0x08, 0xbb, 0xff, 0x1a, 0x91}},
};

static struct slice fill(uint8_t *room, const char *text, uint8_t byte, size_t n)
{
	memset(room, byte, n);
	return text ? slice_of(text, n) : slice_of(room, n);
}

static void rfc2202_sha1(void **st)
{
	(void)st;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		const struct vector *v = &vectors[i];
		uint8_t key_room[80], data_room[80], out[HMAC_SHA1_LEN];
		struct slice key = fill(key_room, v->key, v->key_fill, v->key_len);
		struct slice data = fill(data_room, v->data, v->data_fill, v->data_len);
		struct hmac_sha1 h;
		hmac_sha1_init(&h, key.p, key.n);
		hmac_sha1(&h, &data, 1, out);
		assert_memory_equal(out, v->sha1, sizeof out);
		/* The state is not consumed. */
		hmac_sha1(&h, &data, 1, out);
		assert_memory_equal(out, v->sha1, sizeof out);
	}
}

/* RFC 4231 §4.2 and §4.3. */
static void rfc4231_sha256(void **st)
{
	(void)st;
	static const uint8_t want1[] = {0xb0, 0x34, 0x4c, 0x61, 0xd8, 0xdb, 0x38, 0x53, 0x5c, 0xa8,
		0xaf, 0xce, 0xaf, 0x0b, 0xf1, 0x2b, 0x88, 0x1d, 0xc2, 0x00, 0xc9, 0x83, 0x3d, 0xa7,
		0x26, 0xe9, 0x37, 0x6c, 0x2e, 0x32, 0xcf, 0xf7};
	static const uint8_t want2[] = {0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e, 0x6a, 0x04,
		0x24, 0x26, 0x08, 0x95, 0x75, 0xc7, 0x5a, 0x00, 0x3f, 0x08, 0x9d, 0x27, 0x39, 0x83,
		0x9d, 0xec, 0x58, 0xb9, 0x64, 0xec, 0x38, 0x43};
	uint8_t key[20], out[HMAC_SHA256_LEN];
	struct hmac_sha256 h;
	memset(key, 0x0b, sizeof key);
	struct slice part = slice_str("Hi There");
	hmac_sha256_init(&h, key, sizeof key);
	hmac_sha256(&h, &part, 1, out);
	assert_memory_equal(out, want1, sizeof out);
	part = slice_str("what do ya want for nothing?");
	hmac_sha256_init(&h, "Jefe", 4);
	hmac_sha256(&h, &part, 1, out);
	assert_memory_equal(out, want2, sizeof out);
}

/*
 * Every key and message length around the block borders, in up to three parts, against one-shot
 * HMAC().
 */
static void agrees_with_openssl(void **st)
{
	(void)st;
	uint8_t key[150], data[300], want[EVP_MAX_MD_SIZE], out[HMAC_SHA256_LEN];
	rng_bytes(key, sizeof key);
	rng_bytes(data, sizeof data);
	for (size_t n = 0; n <= sizeof data; n++) {
		size_t key_len = n % (sizeof key + 1), a = n / 3, b = n / 2;
		struct slice parts[] = {{data, a}, {data + a, b - a}, {NULL, 0}, {data + b, n - b}};
		struct hmac_sha1 h1;
		struct hmac_sha256 h256;

		HMAC(EVP_sha1(), key, (int)key_len, data, n, want, NULL);
		hmac_sha1_init(&h1, key, key_len);
		hmac_sha1(&h1, parts, ARRAY_LEN(parts), out);
		assert_memory_equal(out, want, HMAC_SHA1_LEN);

		HMAC(EVP_sha256(), key, (int)key_len, data, n, want, NULL);
		hmac_sha256_init(&h256, key, key_len);
		hmac_sha256(&h256, parts, ARRAY_LEN(parts), out);
		assert_memory_equal(out, want, HMAC_SHA256_LEN);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc2202_sha1),
		cmocka_unit_test(rfc4231_sha256),
		cmocka_unit_test(agrees_with_openssl),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
