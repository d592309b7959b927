#include "cm.h"

#include <string.h>

#include "config/scalar.h"

static void durations(void **st)
{
	(void)st;
	static const struct {
		const char *text;
		uint64_t bare_us, us;
	} good[] = {
		{"0", 0, 0}, {"500ms", 0, 500000}, {"1.5s", 0, 1500000}, {"1h30m", 0, 5400000000},
		{"300", 1000000, 300000000}, {"400", 1000, 400000}, {"20s", 1000000, 20000000}, {"7d", 0, 604800000000},
		{"250us", 0, 250}, {"0.000001s", 0, 1},
	};
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		uint64_t us = 1;
		assert_true(config_parse_duration(good[i].text, good[i].bare_us, &us));
		assert_int_equal(us, good[i].us);
	}
	static const char *const bad[] = {"", "5", "-5s", "5 s", "s", ".5s", "1.s", "1.0000001s", "5parsecs", "1s2",
		"99999999999999999999s", "18446744073709551615d", "5ms5"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		uint64_t us;
		assert_false(config_parse_duration(bad[i], 0, &us));
	}
	uint64_t us;
	assert_false(config_parse_duration("18446744073709551615", 1000000, &us));
}

static void durations_survive_printing(void **st)
{
	(void)st;
	static const uint64_t values[] = {
		0, 1, 999, 1000, 1001, 500000, 5000000, 90000000, 3600000000, 86400000001};
	static const uint64_t bare[] = {0, 1000, 1000000};
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		for (size_t j = 0; j < ARRAY_LEN(bare); j++) {
			struct buf b;
			buf_init(&b, 64);
			config_print_duration(&b, values[i], bare[j]);
			uint64_t us = 1;
			assert_true(config_parse_duration(buf_cstr(&b), bare[j], &us));
			assert_int_equal(us, values[i]);
			buf_free(&b);
		}
	}
}

static void sizes(void **st)
{
	(void)st;
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {{"0", 0}, {"65536", 65536}, {"64KiB", 65536}, {"2MiB", 2 << 20}, {"1GiB", 1 << 30}, {"1kB", 1000},
		{"3mb", 3000000}};
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		uint64_t bytes = 1;
		assert_true(config_parse_size(good[i].text, &bytes));
		assert_int_equal(bytes, good[i].bytes);
		struct buf b;
		buf_init(&b, 64);
		config_print_size(&b, bytes);
		assert_true(config_parse_size(buf_cstr(&b), &bytes));
		assert_int_equal(bytes, good[i].bytes);
		buf_free(&b);
	}
	static const char *const bad[] = {"", "KiB", "-1", "1.5MiB", "1 KiB", "1K", "18446744073709551615KiB"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		uint64_t bytes;
		assert_false(config_parse_size(bad[i], &bytes));
	}
}

static void ports(void **st)
{
	(void)st;
	struct config_ports p;
	assert_true(config_parse_ports("7882", &p));
	assert_true(p.first == 7882 && p.last == 7882);
	assert_true(config_parse_ports("1-65535", &p));
	assert_true(p.first == 1 && p.last == 65535);
	static const char *const bad[] = {"", "0", "65536", "abc", "5-4", "1-", "-1", "1-65536", "1-2-3", " 1", "1 "};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(config_parse_ports(bad[i], &p));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations),
		cmocka_unit_test(durations_survive_printing),
		cmocka_unit_test(sizes),
		cmocka_unit_test(ports),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
