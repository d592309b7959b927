/* The store without a server: what is refused, what is made, what is dropped at the end. Backends: tests/store. */
#include "../../store/asker.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

static void configuration_is_checked(void **st)
{
	struct store_turn *s;
	struct errbuf eb = {""};
	(void)st;
	const struct store_turn_cfg bad = {.url = "redis://:hush@h:x"}, many = {.url = "redis://h", .pool_threads = 99};
	assert_int_equal(store_turn_open(&bad, &s, &eb), -ERR_CONFIG);
	assert_null(s);
	assert_null(strstr(eb.text, "hush"));
	assert_int_equal(store_turn_open(&many, &s, &eb), -ERR_CONFIG);
	assert_non_null(strstr(eb.text, "1 to 16 threads"));
	store_turn_free(NULL);
}

/* Nobody listens there: at first a refused connection, then at once, and the pauses grow. */
static void nothing_there(void **st)
{
	static const char *const urls[] = {
		"redis://127.0.0.1:1", "postgresql://u:hush@127.0.0.1:1/d", "sqlite:/nowhere/a.db"};
	(void)st;
	for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
		struct asker a;
		struct store_turn *s;
		const struct store_turn_cfg cfg = {
			.url = urls[i], .may_create = true, .pool_threads = 1};
		asker_init(&a);
		uint64_t errors = metric_sum(M_STORE_ERRORS),
			 connects = metric_sum(M_STORE_CONNECTS);
		assert_int_equal(store_turn_open(&cfg, &s, NULL), 0);
		uint64_t until = clock_mono_us() + 700 * US_PER_MS;
		unsigned asked = 0;
		for (; asked < 100 || clock_mono_us() < until; asked++)
			assert_int_equal(asker_user(&a, s, "r", "u"), -ERR_SYSTEM);
		assert_int_equal(metric_sum(M_STORE_ERRORS) - errors, asked);
		assert_int_equal(metric_sum(M_STORE_CONNECTS), connects);
		/* A name that no database holds is nobody's whatever state it is in. */
		assert_int_equal(asker_user(&a, s, "r", "\xff"), -ERR_NOT_FOUND);
		store_turn_free(s);
		asker_free(&a);
	}
}

static void lookups_that_nobody_waits_for_are_freed(void **st)
{
	char path[] = "/tmp/sterna-users.XXXXXX", url[64];
	struct asker a;
	struct store_turn *s;
	(void)st;
	assert_non_null(mkdtemp(path));
	(void)snprintf(url, sizeof url, "sqlite:%s/a.db", path);
	const struct store_turn_cfg cfg = {.url = url, .may_create = true};
	asker_init(&a);
	assert_int_equal(store_turn_open(&cfg, &s, NULL), 0);
	assert_string_equal(store_turn_backend(s), "SQLite");
	for (int i = 0; i < 500; i++)
		assert_int_equal(asker_post(&a, s, STORE_TURN_USER, slice_str("r"), slice_str("u")), 0);
	store_turn_free(s);
	asker_free(&a); /* the answers that lie in the mailbox too */
	(void)snprintf(url, sizeof url, "rm -r %s", path);
	assert_int_equal(system(url), 0);
}

int main(void)
{
	metric_thread_init();
	log_set_level(LOG_LEVEL_OFF);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(configuration_is_checked),
		cmocka_unit_test(nothing_there),
		cmocka_unit_test(lookups_that_nobody_waits_for_are_freed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
