#include "cm.h"

#include <string.h>

#include "base/err.h"

static void every_code_has_a_text_and_statuses(void **st)
{
	(void)st;
#define X(name, code, text, http, twirp)                                                           \
	assert_string_equal(err_text(-ERR_##name), text);                                          \
	assert_int_equal(err_http(ERR_##name), http);                                              \
	assert_string_equal(err_twirp(ERR_##name), twirp);
	ERR_MAP(X)
#undef X
	assert_string_equal(err_text(0), "success");
	assert_string_equal(err_text(-4711), "unknown error");
	assert_int_equal(err_http(-4711), 500);
}

static void sentence_is_cut_not_overrun(void **st)
{
	(void)st;
	struct errbuf eb;
	char huge[2000];
	memset(huge, 'x', sizeof huge - 1);
	huge[sizeof huge - 1] = 0;
	assert_int_equal(err_set(&eb, ERR_RANGE, "%s", huge), -ERR_RANGE);
	assert_int_equal(strlen(eb.text), sizeof eb.text - 1);
	assert_int_equal(err_set(NULL, ERR_RANGE, "ignored"), -ERR_RANGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_code_has_a_text_and_statuses),
		cmocka_unit_test(sentence_is_cut_not_overrun),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
