#include "cm.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

static char captured[8192];

/* Runs fn with stderr going into `captured`. */
static void capture(void (*fn)(void))
{
	int fds[2], saved = dup(STDERR_FILENO);
	assert_int_equal(pipe(fds), 0);
	dup2(fds[1], STDERR_FILENO);
	fn();
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(fds[1]);
	ssize_t n = read(fds[0], captured, sizeof captured - 1);
	captured[n > 0 ? n : 0] = 0;
	close(fds[0]);
}

static void write_hostile(void)
{
	LOG_INFO("joined", F_STR("room", "a\nlevel=error msg=\"forged\""), F_INT("n", -3), F_STR("e", ""));
	LOG_DEBUG("not shown");
}

static void foreign_text_cannot_forge_a_line(void **st)
{
	(void)st;
	log_set_format(LOG_FORMAT_LOGFMT);
	capture(write_hostile);
	assert_non_null(strstr(captured, " level=info msg=\"joined\" "
					 "room=\"a\\u000alevel=error msg=\\\"forged\\\"\" n=-3 e=\"\"\n"));
	assert_ptr_equal(strchr(captured, '\n'), captured + strlen(captured) - 1);
	log_set_format(LOG_FORMAT_JSON);
	capture(write_hostile);
	assert_non_null(strstr(captured, "\"msg\":\"joined\",\"room\":\"a\\u000alevel=error msg=\\\"forged\\\"\","
					 "\"n\":-3,\"e\":\"\"}\n"));
	log_set_format(LOG_FORMAT_LOGFMT);
}

static void tokens_never_show(void **st)
{
	(void)st;
	char out[256];
	log_redact_url(slice_str("/rtc?room=a&access_token=eyJh.b.c&sdk=js&JOIN_REQUEST=xyz"), out, sizeof out);
	assert_string_equal(out, "/rtc?room=a&access_token=[redacted]&sdk=js&JOIN_REQUEST=[redacted]");
	char tiny[12];
	log_redact_url(slice_str("/rtc?access_token=secret"), tiny, sizeof tiny);
	assert_null(strstr(tiny, "secret"));
	assert_true(strlen(tiny) < sizeof tiny);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(foreign_text_cannot_forge_a_line),
		cmocka_unit_test(tokens_never_show),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
