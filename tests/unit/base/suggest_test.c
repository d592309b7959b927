#include "cm.h"

#include <string.h>

#include "base/suggest.h"

static const char *best(const char *word, const char *a, const char *b)
{
	struct suggest s;
	suggest_init(&s, word);
	suggest_add(&s, a);
	suggest_add(&s, b);
	return s.best;
}

static void finds_the_nearest(void **st)
{
	(void)st;
	assert_string_equal(best("serv", "serve", "version"), "serve");
	assert_string_equal(best("prot", "port", "part"), "port"); /* letters swapped count once */
	assert_string_equal(best("serve", "serves", "serve"), "serve");
	assert_string_equal(best("verson", "version", "serve"), "version");
}

static void keeps_quiet_when_nothing_is_near(void **st)
{
	(void)st;
	assert_null(best("qqqq", "port", "region"));
	assert_null(best("", "port", "region"));
	char long_word[SUGGEST_WORD_MAX + 2];
	memset(long_word, 'a', sizeof long_word - 1);
	long_word[sizeof long_word - 1] = 0;
	assert_null(best(long_word, long_word, "port"));
	assert_null(best("port", long_word, "region"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_the_nearest),
		cmocka_unit_test(keeps_quiet_when_nothing_is_near),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
