#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "crypto/aead.h"

static uint8_t nibble(char c)
{
	return (uint8_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

static void unhex(uint8_t *out, const char *hex)
{
	for (; *hex; hex += 2)
		*out++ = (uint8_t)(nibble(hex[0]) << 4 | nibble(hex[1]));
}

/* RFC 3711 appendix B.2. */
static void keystream_of_rfc3711(void **st)
{
	(void)st;
	uint8_t key[16], iv[16], want[48], out[48];
	unhex(key, "2B7E151628AED2A6ABF7158809CF4F3C");
	unhex(iv, "F0F1F2F3F4F5F6F7F8F9FAFBFCFD0000");
	unhex(want, "E03EAD0935C95E80E166B16DD92B4EB4D23513162B02D0F72A43A2FE4A5F97AB"
		    "41E95B3BB0A2E8DD477901E4FCA894C0");
	assert_int_equal(aes_cm_keystream(slice_of(key, 16), iv, out, sizeof out), 0);
	assert_memory_equal(out, want, sizeof out);
	/* The counter carries from its low byte into the next. */
	unhex(iv + 14, "FEFF");
	unhex(want, "EC8CDF7398607CB0F2D21675EA9EA1E4362B7C3C6773516318A077D7FC5073AE"
		    "6A2CC3787889374FBEB4C81B17BA6C44");
	assert_int_equal(aes_cm_keystream(slice_of(key, 16), iv, out, sizeof out), 0);
	assert_memory_equal(out, want, sizeof out);
}

/* RFC 6188 §7.1: the same with a key of 256 bits. */
static void keystream_of_rfc6188(void **st)
{
	(void)st;
	uint8_t key[32], iv[16], want[32], out[32];
	unhex(key, "57f82fe3613fd170a85ec93c40b1f0922ec4cb0dc025b58272147cc438944a98");
	unhex(iv, "f0f1f2f3f4f5f6f7f8f9fafbfcfd0000");
	unhex(want, "92bdd28a93c3f52511c677d08b5515a49da71b2378a854f67050756ded165bac");
	assert_int_equal(aes_cm_keystream(slice_of(key, 32), iv, out, sizeof out), 0);
	assert_memory_equal(out, want, sizeof out);
	assert_int_equal(aes_cm_keystream(slice_of(key, 24), iv, out, sizeof out), -ERR_RANGE);
}

struct packet {
	uint8_t aad[20], plain[80], cipher[80], tag[AEAD_TAG_MAX];
};

static struct aead_job job_of(struct packet *p, size_t aad_len, size_t len, uint8_t trailer_len)
{
	return (struct aead_job){
		.iv = {1, 2, 3},
		.trailer = {9, 8, 7, 6},
		.trailer_len = trailer_len,
		.aad = p->aad,
		.aad_len = aad_len,
		.in = p->plain,
		.out = p->cipher,
		.len = len,
		.tag = p->tag,
	};
}

/* Each algorithm of each backend: seal, open, and every part of the job is authenticated. */
static void seal_then_open(void **st)
{
	(void)st;
	uint8_t key[32], auth[20];
	rng_bytes(key, sizeof key);
	rng_bytes(auth, sizeof auth);
	for (unsigned b = 0; aead_backend_at(b); b++) {
		for (enum aead_alg alg = 0; alg < AEAD_ALG_COUNT; alg++) {
			struct aead *a = aead_new(aead_backend_at(b), alg, key, auth);
			assert_non_null(a);
			for (size_t len = 0; len <= 80; len++) {
				struct packet p;
				rng_bytes(&p, sizeof p);
				struct packet was = p;
				struct aead_job seal = job_of(&p, 8 + len % 13, len, len % 2 * 4);
				aead_seal(a, &seal, 1);
				assert_true(seal.ok);
				assert_memory_equal(p.cipher + len, was.cipher + len, 80 - len);
				if (len >= 16)
					assert_memory_not_equal(p.cipher, p.plain, len);

				struct aead_job open = seal;
				open.in = open.out = p.cipher;
				struct packet sealed = p;
				for (size_t i = 0; i < seal.aad_len; i++) {
					p.aad[i] ^= 1;
					assert_int_equal(aead_open(a, &open), -ERR_AUTH);
					p.aad[i] ^= 1;
				}
				for (size_t i = 0; i < aead_info(alg)->tag_len; i++) {
					p.tag[i] ^= 0x80;
					assert_int_equal(aead_open(a, &open), -ERR_AUTH);
					p.tag[i] ^= 0x80;
				}
				for (size_t i = 0; i < len; i++) {
					p.cipher[i] ^= 4;
					assert_int_equal(aead_open(a, &open), -ERR_AUTH);
					p.cipher[i] ^= 4;
				}
				open.trailer[0] ^= open.trailer_len ? 1 : 0;
				if (open.trailer_len)
					assert_int_equal(aead_open(a, &open), -ERR_AUTH);
				open.trailer[0] = seal.trailer[0];
				/* Failures left the packet as it was, or this would not open. */
				assert_memory_equal(&p, &sealed, sizeof p);
				assert_int_equal(aead_open(a, &open), 0);
				assert_memory_equal(p.cipher, p.plain, len);
			}
			aead_free(a);
		}
	}
}

/* A batch is the same as its jobs one by one. */
static void batch_equals_singles(void **st)
{
	(void)st;
	uint8_t key[32] = {1}, auth[20] = {2};
	for (enum aead_alg alg = 0; alg < AEAD_ALG_COUNT; alg++) {
		struct aead *a = aead_new(NULL, alg, key, auth);
		struct packet one[7], all[7];
		struct aead_job jobs[7];
		assert_non_null(a);
		for (unsigned i = 0; i < 7; i++) {
			rng_bytes(&one[i], sizeof one[i]);
			all[i] = one[i];
			struct aead_job single = job_of(&one[i], 12, 11 * i, 4);
			jobs[i] = job_of(&all[i], 12, 11 * i, 4);
			single.iv[0] = jobs[i].iv[0] = (uint8_t)i;
			aead_seal(a, &single, 1);
			assert_true(single.ok);
		}
		aead_seal(a, jobs, 7);
		for (unsigned i = 0; i < 7; i++)
			assert_true(jobs[i].ok);
		assert_memory_equal(one, all, sizeof one);
		aead_free(a);
	}
}

/* Header and payload in one piece take another way through the CM tag than two pieces. */
static void contiguous_aad_gives_the_same_tag(void **st)
{
	(void)st;
	uint8_t key[32] = {3}, auth[20] = {4}, apart[64], joined[12 + 64], tag[2][AEAD_TAG_MAX];
	struct aead *a = aead_new(NULL, AEAD_CM128_SHA1_80, key, auth);
	uint8_t header[12] = {0x80, 1, 2, 3}, plain[64] = {5};
	assert_non_null(a);
	memcpy(joined, header, sizeof header);
	struct aead_job jobs[] = {
		{.aad = header,
			.aad_len = 12,
			.in = plain,
			.out = apart,
			.len = 64,
			.tag = tag[0],
			.trailer_len = 4},
		{.aad = joined,
			.aad_len = 12,
			.in = plain,
			.out = joined + 12,
			.len = 64,
			.tag = tag[1],
			.trailer_len = 4},
	};
	aead_seal(a, jobs, 2);
	assert_memory_equal(tag[0], tag[1], 10);
	assert_memory_equal(apart, joined + 12, 64);
	aead_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keystream_of_rfc3711),
		cmocka_unit_test(keystream_of_rfc6188),
		cmocka_unit_test(seal_then_open),
		cmocka_unit_test(batch_equals_singles),
		cmocka_unit_test(contiguous_aad_gives_the_same_tag),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
