#include "../cm.h"

#include <string.h>

#include "base/siphash.h"

/* Words are little-endian there. */
static uint64_t le64(const uint8_t *p, size_t n)
{
	uint64_t v = 0;
	for (size_t i = 0; i < n; i++)
		v |= (uint64_t)p[i] << 8 * i;
	return v;
}

/* vectors_sip64 of the authors' reference code: key 00 01 … 0f, messages 00 01 … */
static void vectors_of_siphash_2_4(void **st)
{
	(void)st;
	static const struct {
		size_t n;
		uint64_t tag;
	} rows[] = {{0, UINT64_C(0x726fdb47dd0e0e31)}, {8, UINT64_C(0x93f5f5799a932462)},
		{15, UINT64_C(0xa129ca6149be45e5)}};
	uint8_t bytes[16];
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)i;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct siphash s = siphash_begin(le64(bytes, 8), le64(bytes + 8, 8));
		size_t n = rows[i].n, whole = n & ~(size_t)7;
		if (whole)
			siphash_word(&s, le64(bytes, 8), 2);
		siphash_word(&s, le64(bytes + whole, n - whole) | (uint64_t)n << 56, 2);
		assert_true(siphash_end(&s, 4) == rows[i].tag);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(vectors_of_siphash_2_4)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
