#include "cm.h"

#include <string.h>

#include "store/store_internal.h"

static void redis_is(const char *url, const char *host, unsigned port, unsigned db,
	const char *user, const char *password)
{
	struct store_dsn d;
	struct errbuf eb = {""};
	if (store_dsn_parse(&d, url, STORE_REDIS, &eb) != 0)
		fail_msg("%s: %s", url, eb.text);
	assert_int_equal(d.dialect, STORE_REDIS);
	assert_string_equal(d.host, host);
	assert_int_equal(d.port, port);
	assert_int_equal(d.db, db);
	assert_string_equal(d.user ? d.user : "-", user);
	assert_string_equal(d.password ? d.password : "-", password);
	store_dsn_free(&d);
}

static void redis_urls_and_words(void **st)
{
	(void)st;
	redis_is("redis://localhost", "localhost", 6379, 0, "-", "-");
	redis_is("redis://localhost/", "localhost", 6379, 0, "-", "-");
	redis_is("redis://:p%40ss@h:7000/3", "h", 7000, 3, "-", "p@ss");
	redis_is("redis://u:p@@[2001:db8::1]:1/15", "2001:db8::1", 1, 15, "u", "p@");
	redis_is("redis://[::1]", "::1", 6379, 0, "-", "-");
	redis_is("redis://%2Frun%2Fredis.sock/2", "/run/redis.sock", 6379, 2, "-", "-");
	redis_is("ip=10.0.0.1 dbname=2 password=turn port=6380 connect_timeout=30", "10.0.0.1", 6380, 2, "-", "turn");
	redis_is("\"ip=10.0.0.1 dbname=2 password=a=b\"", "10.0.0.1", 6379, 2, "-", "a=b");
	redis_is("dbname=0", "127.0.0.1", 6379, 0, "-", "-");
	redis_is("host=h user=u password=p", "h", 6379, 0, "u", "p");
}

static void kinds_are_told_apart(void **st)
{
	static const struct {
		const char *url;
		enum store_dialect given, want;
	} rows[] = {
		{"sqlite:a.db", STORE_BY_URL, STORE_SQLITE},
		{"/var/lib/turn/turndb", STORE_BY_URL, STORE_SQLITE},
		{"a.db", STORE_SQLITE, STORE_SQLITE},
		{"postgresql://u:p@h/d", STORE_BY_URL, STORE_POSTGRESQL},
		{"postgres://h/d", STORE_BY_URL, STORE_POSTGRESQL},
		{"host=localhost dbname=coturn user=turn password=turn connect_timeout=30",
			STORE_BY_URL, STORE_POSTGRESQL},
		{"host=localhost dbname=2 password=turn", STORE_REDIS, STORE_REDIS},
		{"ip=127.0.0.1 dbname=2 password=turn port=6379", STORE_BY_URL, STORE_REDIS},
		{"redis://h", STORE_BY_URL, STORE_REDIS},
		{"redis:host=localhost dbname=2 password=turn", STORE_BY_URL, STORE_REDIS},
		{"redis:ip=10.0.0.1", STORE_REDIS, STORE_REDIS},
		{"postgresql:host=localhost dbname=coturn", STORE_BY_URL, STORE_POSTGRESQL},
		{"postgres:user=turn", STORE_BY_URL, STORE_POSTGRESQL},
		{"host=h password=a://b", STORE_REDIS, STORE_REDIS},
	};
	(void)st;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct store_dsn d;
		struct errbuf eb = {""};
		if (store_dsn_parse(&d, rows[i].url, rows[i].given, &eb) != 0)
			fail_msg("%s: %s", rows[i].url, eb.text);
		assert_int_equal(d.dialect, rows[i].want);
		store_dsn_free(&d);
	}
	struct store_dsn d;
	assert_int_equal(store_dsn_parse(&d, "sqlite:///var/x.db", STORE_BY_URL, NULL), 0);
	assert_string_equal(d.path, "/var/x.db");
	store_dsn_free(&d);
	assert_int_equal(store_dsn_parse(&d, "host=h connect_timeout=30", STORE_POSTGRESQL, NULL), 0);
	assert_int_equal(d.connect_timeout_ms, 30000);
	store_dsn_free(&d);
}

/* Each is refused with a sentence, and none of the sentences shows the password. */
static void mistakes_are_named_without_secrets(void **st)
{
	static const struct {
		const char *url;
		enum store_dialect dialect;
	} rows[] = {
		{"", STORE_BY_URL},
		{"hush-hush", STORE_BY_URL},
		{"mysql://u:hush-hush@h/d", STORE_BY_URL},
		{"mongodb://hush-hush", STORE_BY_URL},
		{"sqlite:", STORE_BY_URL},
		{"rediss://:hush-hush@h", STORE_BY_URL},
		{"redis://hush-hush@h", STORE_BY_URL},
		{"redis://:hush-hush%zz@h", STORE_BY_URL},
		{"redis://:hush-hush%4@h", STORE_BY_URL},
		{"redis://:hush-hush%@h", STORE_BY_URL},
		{"redis://:hush-hush@h:0", STORE_BY_URL},
		{"redis://:hush-hush@h:65536", STORE_BY_URL},
		{"redis://:hush-hush@h:", STORE_BY_URL},
		{"redis://:hush-hush@h/x", STORE_BY_URL},
		{"redis://:hush-hush@h/1?x=y", STORE_BY_URL},
		{"redis://:hush-hush@", STORE_BY_URL},
		{"redis://:hush-hush@[::1", STORE_BY_URL},
		{"redis://:hush-hush@[::1]x", STORE_BY_URL},
		{"redis://:hush%00@h", STORE_BY_URL},
		{"ip=h hush-hush", STORE_REDIS},
		{"ip=h port=hush-hush", STORE_REDIS},
		{"ip=h passwort=hush-hush", STORE_REDIS},
		{"ip= password=hush-hush", STORE_REDIS},
		{"ip=h user=u", STORE_REDIS},
		{"host=h pasword=hush-hush", STORE_POSTGRESQL},
		{"host=h password='hush-hush", STORE_POSTGRESQL},
		{"postgresql://u:hush-hush@h:x:y/d?nonsense=hush-hush", STORE_BY_URL},
		{"redis://:hush-hush@h", STORE_POSTGRESQL},
		{"postgresql://u:hush-hush@h/d", STORE_SQLITE},
	};
	(void)st;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct store_dsn d;
		struct errbuf eb = {""};
		if (store_dsn_parse(&d, rows[i].url, rows[i].dialect, &eb) != -ERR_CONFIG)
			fail_msg("taken: %s", rows[i].url);
		if (!eb.text[0] || strstr(eb.text, "hush"))
			fail_msg("%s: \"%s\"", rows[i].url, eb.text);
	}
	struct store_dsn d;
	assert_int_equal(store_dsn_parse(&d, NULL, STORE_BY_URL, NULL), -ERR_CONFIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(redis_urls_and_words),
		cmocka_unit_test(kinds_are_told_apart),
		cmocka_unit_test(mistakes_are_named_without_secrets),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
