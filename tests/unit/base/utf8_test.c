#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macros.h"
#include "base/utf8.h"

/* Writes a code point in n bytes, however wrong that is. */
static void put(uint8_t *p, uint32_t c, size_t n)
{
	static const uint8_t lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
	for (size_t i = n; i-- > 1; c >>= 6)
		p[i] = (uint8_t)(0x80 | (c & 0x3f));
	p[0] = (uint8_t)(lead[n] | c);
}

static size_t shortest(uint32_t c)
{
	return c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
}

static void every_code_point_has_one_form(void **st)
{
	(void)st;
	for (uint32_t c = 0; c < 0x1fffff; c++) {
		bool is_character = c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);
		for (size_t n = shortest(c); n <= 4; n++) {
			uint8_t p[4];
			put(p, c, n);
			bool ok = is_character && n == shortest(c);
			if (utf8_char_len(p, 4) != (ok ? n : 0))
				fail_msg("U+%04x in %zu bytes", c, n);
		}
	}
}

static void no_prefix_of_a_character_is_one(void **st)
{
	(void)st;
	static const char *const texts[] = {"\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct slice s = slice_str(texts[i]);
		for (size_t n = 0; n < s.n; n++)
			assert_int_equal(utf8_char_len(s.p, n), 0);
		assert_int_equal(utf8_char_len(s.p, s.n), s.n);
	}
}

static void text_has_no_nul(void **st)
{
	(void)st;
	assert_true(utf8_is_text(slice_str("")));
	assert_true(utf8_is_text(slice_str("a\xc3\xa4\xf0\x9f\x98\x80\n")));
	assert_false(utf8_is_text(slice_of("a\0b", 3)));
	assert_false(utf8_is_text(slice_str("a\xc3")));
	assert_false(utf8_is_text(slice_str("\x80")));
	assert_false(utf8_is_text(slice_str("\xc0\x80")));
	assert_false(utf8_is_text(slice_str("\xff")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_code_point_has_one_form),
		cmocka_unit_test(no_prefix_of_a_character_is_one),
		cmocka_unit_test(text_has_no_nul),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
