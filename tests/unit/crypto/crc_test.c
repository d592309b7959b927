#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crypto/crc.h"

static void check_value(void **st)
{
	(void)st;
	/* The customary check string of every CRC catalogue. */
	assert_int_equal(crc32_ieee(0, "123456789", 9), 0xcbf43926);
	assert_int_equal(crc32_ieee(0, "", 0), 0);
}

static void parts_equal_whole(void **st)
{
	(void)st;
	uint8_t bytes[300];
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(i * 7);
	uint32_t whole = crc32_ieee(0, bytes, sizeof bytes);
	for (size_t at = 0; at <= sizeof bytes; at++)
		assert_int_equal(
			crc32_ieee(crc32_ieee(0, bytes, at), bytes + at, sizeof bytes - at), whole);
}

static void empty_part_keeps_the_value(void **st)
{
	(void)st;
	assert_int_equal(crc32_ieee(0x12345678, NULL, 0), 0x12345678);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(check_value),
		cmocka_unit_test(parts_equal_whole),
		cmocka_unit_test(empty_part_keeps_the_value),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
