#include "cm.h"

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

static void stops_at_its_limit_and_says_so(void **st)
{
	(void)st;
	struct buf b;
	buf_init(&b, 10);
	buf_add_str(&b, "12345678");
	assert_false(b.full);
	buf_add_str(&b, "9ab");
	assert_true(b.full);
	assert_string_equal(buf_cstr(&b), "12345678");
	buf_add_byte(&b, 'x'); /* nothing is added once full, not even what would fit: no holes in the content */
	assert_int_equal(b.n, 8);
	buf_free(&b);
}

static void drops_from_the_front_and_gives_its_content_away(void **st)
{
	(void)st;
	struct buf b;
	buf_init(&b, 1000);
	assert_string_equal(buf_cstr(&b), "");
	buf_printf(&b, "%s-%d", "abc", 42);
	buf_drop_front(&b, 2);
	char *owned = buf_take(&b);
	assert_string_equal(owned, "c-42");
	assert_int_equal(b.n, 0);
	xfree(owned);
	buf_drop_front(&b, 5);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stops_at_its_limit_and_says_so),
		cmocka_unit_test(drops_from_the_front_and_gives_its_content_away),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
