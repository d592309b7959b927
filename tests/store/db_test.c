/* The same questions to a real SQLite file, PostgreSQL and Redis; and what happens when those are killed. */
#include "asker.h"

#include <hiredis/hiredis.h>
#include <libpq-fe.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define MD5_KEY "7da2270ccfa49786e0115366d3a3d14d" /* gorst, north.gov, hero: coturn's example */
#define SHA_KEY "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define IKM     "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI="
#define ODD_NAME "o'neill \"%s\" $1 * \\ ;--"

/* SHA-256("gorst:north.gov") */
static const char gorst_hash[] = "\x17\x12\x05\xb6\x39\x25\xb3\x40\x17\x2c\xf5\xf6\xb5\x26\xe0\x73"
				 "\xb4\x35\x69\x5b\x20\x5c\x2e\xff\x14\x60\xd5\x3f\x34\x10\x83\xe0";

static const char tool_key[] = "\x57\x69\x24\xb2\x7b\x85\x7a\x91\xa3\xb4\xfd\xaa\xd7\x02\x21\x0b";

struct db {
	const char *name;
	char url[256];
	void (*seed)(const struct db *db);
};

static const char *dir;

static int servers(const char *what, const char *which)
{
	char cmd[512];
	(void)snprintf(cmd, sizeof cmd, "%s %s %s %s", getenv("SERVERS"), dir, what, which);
	return system(cmd);
}

static struct store_turn *open_store(const struct store_turn_cfg *cfg)
{
	struct store_turn *s;
	struct errbuf eb = {""};
	if (store_turn_open(cfg, &s, &eb) != 0)
		fail_msg("%s", eb.text);
	return s;
}

/* ---- seeds */

static const char *const sql_seed[] = {
	"DELETE FROM turnusers_lt",
	"INSERT INTO turnusers_lt VALUES ('north.gov', 'gorst', '" MD5_KEY "')",
	"INSERT INTO turnusers_lt VALUES ('north.gov', 'sha', '" SHA_KEY "')",
	"INSERT INTO turnusers_lt VALUES ('north.gov', 'broken', 'not hex')",
	"INSERT INTO turnusers_lt VALUES ('north.gov', 'o''neill \"%s\" $1 * \\ ;--', '" SHA_KEY
	"')",
	"INSERT INTO turnusers_lt VALUES ('crinna.org', 'whirrun', '" MD5_KEY "')",
	"INSERT INTO turn_secret VALUES ('north.gov', 'logen')",
	"INSERT INTO turn_secret VALUES ('north.gov', 'bloody9')",
	"INSERT INTO turn_secret VALUES ('crinna.org', 'library')",
	"INSERT INTO allowed_peer_ip VALUES ('north.gov', '172.17.13.200')",
	"INSERT INTO denied_peer_ip VALUES ('crinna.org', '172.17.13.133-172.17.14.56')",
	"INSERT INTO turn_realm_option VALUES ('north.gov', 'max-bps', '500000')",
	"INSERT INTO turn_realm_option VALUES ('north.gov', 'user-quota', 'many')",
	"INSERT INTO turn_origin_to_realm VALUES ('http://crinna.org:80', 'crinna.org')",
	"INSERT INTO oauth_key VALUES ('oldempire', '" IKM "', 7, 60, 'A128GCM', 'r')",
	"INSERT INTO oauth_key (kid, ikm_key) VALUES ('bare', 'MTIzNA==')",
};

/* Lets the store make its tables, as `sterna serve` would. */
static void create_tables(const struct db *db)
{
	struct asker a;
	const struct store_turn_cfg cfg = {.url = db->url, .may_create = true};
	struct store_turn *s = open_store(&cfg);
	asker_init(&a);
	assert_int_equal(asker_user(&a, s, "nowhere", "nobody"), -ERR_NOT_FOUND);
	store_turn_free(s);
	asker_free(&a);
}

static void seed_sqlite(const struct db *db)
{
	sqlite3 *h;
	create_tables(db);
	assert_int_equal(sqlite3_open(db->url + strlen("sqlite:"), &h), SQLITE_OK);
	for (size_t i = 0; i < ARRAY_LEN(sql_seed); i++)
		assert_int_equal(sqlite3_exec(h, sql_seed[i], NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(h);
}

static void seed_postgres(const struct db *db)
{
	create_tables(db);
	PGconn *c = PQconnectdb(db->url);
	for (size_t i = 0; i < ARRAY_LEN(sql_seed); i++) {
		PGresult *r = PQexec(c, sql_seed[i]);
		assert_int_equal(PQresultStatus(r), PGRES_COMMAND_OK);
		PQclear(r);
	}
	PQfinish(c);
}

static redisContext *redis_client(void)
{
	char path[256];
	(void)snprintf(path, sizeof path, "%s/redis.sock", dir);
	redisContext *c = redisConnectUnix(path);
	assert_int_equal(c->err, 0);
	freeReplyObject(redisCommand(c, "AUTH hush-hush"));
	freeReplyObject(redisCommand(c, "SELECT 2"));
	return c;
}

static void seed_redis(const struct db *db)
{
	(void)db;
	redisContext *c = redis_client();
	const char *const plain[] = {
		"SET turn/realm/north.gov/user/gorst/key " MD5_KEY,
		"SET turn/realm/north.gov/user/sha/key " SHA_KEY,
		"SET turn/realm/north.gov/user/broken/key not-hex",
		"SET turn/realm/crinna.org/user/whirrun/key " MD5_KEY,
		"SADD turn/realm/north.gov/secret logen bloody9",
		"SADD turn/realm/crinna.org/secret library",
		"SADD turn/realm/north.gov/allowed-peer-ip 172.17.13.200",
		"SADD turn/realm/crinna.org/denied-peer-ip 172.17.13.133-172.17.14.56",
		"SET turn/realm/north.gov/max-bps 500000",
		"SET turn/realm/north.gov/user-quota many",
		"SET turn/origin/http://crinna.org:80 crinna.org",
		"HMSET turn/oauth/kid/oldempire ikm_key MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI= timestamp 7 "
		"lifetime 60 as_rs_alg A128GCM realm r",
		"HMSET turn/oauth/kid/bare ikm_key MTIzNA==",
	};
	for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
		redisReply *r = redisCommand(c, plain[i]);
		assert_int_not_equal(r->type, REDIS_REPLY_ERROR);
		freeReplyObject(r);
	}
	freeReplyObject(redisCommand(c, "SET %s %s", "turn/realm/north.gov/user/" ODD_NAME "/key", SHA_KEY));
	redisFree(c);
}

static struct db dbs[] = {
	{.name = "sqlite", .seed = seed_sqlite},
	{.name = "postgres", .seed = seed_postgres},
	{.name = "redis", .seed = seed_redis},
};

/* ---- what is asked of each */

static void check_users(struct asker *a, struct store_turn *s)
{
	assert_int_equal(asker_user(a, s, "north.gov", "gorst"), 0);
	assert_int_equal(a->key.n, 16);
	assert_memory_equal(a->key.bytes, "\x7d\xa2\x27\x0c\xcf\xa4\x97\x86\xe0\x11\x53\x66\xd3\xa3\xd1\x4d", 16);
	assert_int_equal(asker_user(a, s, "north.gov", "sha"), 0);
	assert_int_equal(a->key.n, 32);
	for (unsigned i = 0; i < 32; i++)
		assert_int_equal(a->key.bytes[i], i);
	assert_int_equal(asker_user(a, s, "north.gov", "broken"), -ERR_MALFORMED);
	assert_int_equal(a->key.n, 0);
	assert_int_equal(asker_user(a, s, "north.gov", "nobody"), -ERR_NOT_FOUND);
	assert_int_equal(asker_user(a, s, "crinna.org", "gorst"), -ERR_NOT_FOUND);
	assert_int_equal(asker_user(a, s, "", "gorst"), -ERR_NOT_FOUND);
	assert_int_equal(asker_user(a, s, "north.gov", ""), -ERR_NOT_FOUND);
}

static void check_odd_names(struct asker *a, struct store_turn *s)
{
	static const char *const odd[] = {"' OR '1'='1", "gorst' --",
		"x'; DROP TABLE turnusers_lt; --", "$1", "%s%n", "*", "gor?t", "gorst/key",
		"../gorst", "gorst\r\nDEL turn/realm/north.gov/user/gorst/key\r\n", "\xff\xfe",
		"\\'; DELETE FROM turnusers_lt; --", "g\xc3\xb6rst"};
	assert_int_equal(asker_user(a, s, "north.gov", ODD_NAME), 0);
	assert_int_equal(a->key.n, 32);
	for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
		assert_int_equal(asker_user(a, s, "north.gov", odd[i]), -ERR_NOT_FOUND);
		assert_int_equal(asker_user(a, s, odd[i], "gorst"), -ERR_NOT_FOUND);
		assert_int_equal(asker_ask(a, s, STORE_TURN_OAUTH, "", slice_str(odd[i])), -ERR_NOT_FOUND);
		assert_int_equal(asker_ask(a, s, STORE_TURN_SECRETS, odd[i], slice_str("")),
			(unsigned char)odd[i][0] == 0xff ? -ERR_NOT_FOUND : 0);
		assert_int_equal(a->rows_n, 0);
	}
	char longest[700];
	memset(longest, 'x', sizeof longest);
	assert_int_equal(
		asker_ask(a, s, STORE_TURN_USER, "north.gov", slice_of(longest, sizeof longest)),
		-ERR_NOT_FOUND);
	assert_int_equal(asker_ask(a, s, STORE_TURN_USER, "north.gov", slice_of(longest, 512)), -ERR_NOT_FOUND);
	/* A NUL must not cut the name down to one that exists. */
	assert_int_equal(asker_ask(a, s, STORE_TURN_USER, "north.gov", slice_of("gorst\0x", 7)), -ERR_NOT_FOUND);
	assert_int_equal(asker_user(a, s, "north.gov", "gorst"), 0);
}

static void check_lists(struct asker *a, struct store_turn *s)
{
	assert_int_equal(asker_ask(a, s, STORE_TURN_SECRETS, "north.gov", slice_str("")), 0);
	assert_int_equal(a->rows_n, 2);
	assert_true(asker_has_row(a, "0 north.gov||logen|0\n"));
	assert_true(asker_has_row(a, "0 north.gov||bloody9|0\n"));
	assert_int_equal(asker_ask(a, s, STORE_TURN_SECRETS, "other", slice_str("")), 0);
	assert_int_equal(a->rows_n, 0);

	assert_int_equal(asker_ask(a, s, STORE_TURN_REALMS, "", slice_str("")), 0);
	assert_int_equal(a->rows_n, 4);
	assert_true(asker_has_row(a, "1 north.gov||172.17.13.200|0\n"));
	assert_true(asker_has_row(a, "2 crinna.org||172.17.13.133-172.17.14.56|0\n"));
	assert_true(asker_has_row(a, "3 north.gov|max-bps|500000|500000\n"));
	assert_true(asker_has_row(a, "4 crinna.org|http://crinna.org:80||0\n"));

	assert_int_equal(asker_ask(a, s, STORE_TURN_NAMES, "", slice_str("")), 0);
	assert_int_equal(a->rows_n, 5);
	assert_true(asker_has_row(a, "5 north.gov|" ODD_NAME "||0\n"));
}

static void check_oauth(struct asker *a, struct store_turn *s)
{
	assert_int_equal(asker_ask(a, s, STORE_TURN_OAUTH, "", slice_str("oldempire")), 0);
	assert_int_equal(a->oauth.ikm_n, 32);
	assert_memory_equal(a->oauth.ikm, "12345678901234567890123456789012", 32);
	assert_int_equal(a->oauth.timestamp_s, 7);
	assert_int_equal(a->oauth.lifetime_s, 60);
	assert_string_equal(a->oauth.alg, "A128GCM");
	assert_string_equal(a->oauth.realm, "r");
	assert_int_equal(asker_ask(a, s, STORE_TURN_OAUTH, "", slice_str("bare")), 0);
	assert_int_equal(a->oauth.ikm_n, 4);
	assert_string_equal(a->oauth.alg, "A256GCM");
	assert_int_equal(a->oauth.lifetime_s, 0);
	assert_int_equal(asker_ask(a, s, STORE_TURN_OAUTH, "", slice_str("newempire")), -ERR_NOT_FOUND);
}

static void check_userhash(struct asker *a, struct store_turn *s)
{
	static const uint8_t nobody[32] = {0x6c};
	struct slice known = slice_of(gorst_hash, 32);
	assert_int_equal(asker_ask(a, s, STORE_TURN_USERHASH, "north.gov", known), 0);
	assert_string_equal(a->username, "gorst");
	assert_int_equal(a->key.n, 16);
	assert_int_equal(asker_ask(a, s, STORE_TURN_USERHASH, "crinna.org", known), -ERR_NOT_FOUND);
	assert_int_equal(asker_ask(a, s, STORE_TURN_USERHASH, "north.gov", slice_of(nobody, 32)), -ERR_NOT_FOUND);
	assert_int_equal(asker_ask(a, s, STORE_TURN_USERHASH, "north.gov", slice_of(nobody, 31)), -ERR_NOT_FOUND);
}

static void ask_everything(void **st)
{
	const struct db *db = *st;
	struct asker a;
	const struct store_turn_cfg cfg = {.url = db->url, .pool_threads = 1};
	struct store_turn *s = open_store(&cfg);
	asker_init(&a);
	check_users(&a, s);
	check_odd_names(&a, s);
	check_lists(&a, s);
	check_oauth(&a, s);
	check_userhash(&a, s);
	store_turn_free(s);
	asker_free(&a);
}

static void too_many_rows_are_refused(void **st)
{
	const struct db *db = *st;
	struct asker a;
	const struct store_turn_cfg cfg = {.url = db->url, .rows_max = 1, .userhash_users = 1};
	struct store_turn *s = open_store(&cfg);
	asker_init(&a);
	assert_int_equal(asker_ask(&a, s, STORE_TURN_SECRETS, "crinna.org", slice_str("")), 0);
	assert_int_equal(asker_ask(&a, s, STORE_TURN_SECRETS, "north.gov", slice_str("")), -ERR_TOO_LARGE);
	assert_int_equal(a.rows_n, 0);
	assert_int_equal(asker_ask(&a, s, STORE_TURN_REALMS, "", slice_str("")), -ERR_TOO_LARGE);
	assert_int_equal(asker_ask(&a, s, STORE_TURN_USERHASH, "north.gov", slice_of(gorst_hash, 32)), -ERR_SYSTEM);
	store_turn_free(s);
	asker_free(&a);
}

enum { MANY = 10000 };

/* As fast as they are taken, with both answers: each one is answered, none fails. */
static void ten_thousand(void **st)
{
	const struct db *db = *st;
	struct asker a;
	const struct store_turn_cfg cfg = {
		.url = db->url, .pool_threads = 3, .queue_max = 64, .query_timeout_ms = 30000};
	struct store_turn *s = open_store(&cfg);
	asker_init(&a);
	unsigned refused = 0;
	uint64_t began = clock_mono_us();
	for (unsigned posted = 0; posted < MANY;) {
		struct slice name = slice_str(posted % 2 ? "gorst" : "nobody");
		if (asker_post(&a, s, STORE_TURN_USER, slice_str("north.gov"), name) == 0) {
			posted++;
		} else {
			refused++;
			asker_wait(&a);
		}
	}
	while (a.answers < MANY)
		asker_wait(&a);
	print_message("%s: %d lookups in %lu ms, queue full %u times\n", db->name, MANY,
		(unsigned long)((clock_mono_us() - began) / 1000), refused);
	assert_int_equal(a.answers, MANY);
	assert_int_equal(a.found, MANY / 2);
	assert_int_equal(a.failed, 0);
	assert_true(refused > 0);
	store_turn_free(s);
	asker_free(&a);
}

static void expect_failure(struct asker *a, struct store_turn *s)
{
	uint64_t began = clock_mono_us();
	assert_int_equal(asker_user(a, s, "north.gov", "gorst"), -ERR_SYSTEM);
	assert_in_range(clock_mono_us() - began, 0, 5 * US_PER_S);
	for (int i = 0; i < 1000; i++) /* in the pause they fail at once */
		assert_int_equal(asker_user(a, s, "north.gov", "gorst"), -ERR_SYSTEM);
	assert_in_range(clock_mono_us() - began, 0, 10 * US_PER_S);
}

static void expect_recovery(struct asker *a, struct store_turn *s)
{
	uint64_t until = clock_mono_us() + (uint64_t)60 * US_PER_S;
	while (asker_user(a, s, "north.gov", "gorst") == -ERR_SYSTEM)
		assert_true(clock_mono_us() < until);
	assert_int_equal(a->err, 0);
	assert_int_equal(a->key.n, 16);
}

static void away_and_back(struct db *db, bool goes)
{
	char from[300], to[300];
	const char *path = db->url + strlen("sqlite:");
	if (strcmp(db->name, "sqlite") != 0) {
		assert_int_equal(servers(goes ? "down" : "up", db->name), 0);
		return;
	}
	(void)snprintf(from, sizeof from, "%s%s", path, goes ? "" : ".away");
	(void)snprintf(to, sizeof to, "%s%s", path, goes ? ".away" : "");
	assert_int_equal(rename(from, to), 0);
}

static void killed_and_restarted(void **st)
{
	struct db *db = *st;
	struct asker a;
	const struct store_turn_cfg cfg = {.url = db->url};
	struct store_turn *s = open_store(&cfg);
	asker_init(&a);
	assert_int_equal(asker_user(&a, s, "north.gov", "gorst"), 0);
	away_and_back(db, true);
	expect_failure(&a, s);
	struct store_turn *late = open_store(&cfg); /* opened while it is down */
	expect_failure(&a, late);
	away_and_back(db, false);
	expect_recovery(&a, s);
	expect_recovery(&a, late);

	/* Gone and back between two lookups: nobody notices. */
	struct store_turn_cfg one = cfg;
	one.pool_threads = 1;
	struct store_turn *single = open_store(&one);
	assert_int_equal(asker_user(&a, single, "north.gov", "gorst"), 0);
	away_and_back(db, true);
	away_and_back(db, false);
	assert_int_equal(asker_user(&a, single, "north.gov", "gorst"), 0);
	store_turn_free(single);
	store_turn_free(late);
	store_turn_free(s);
	asker_free(&a);
}

/* ---- a server that hangs */

static void hanging(const struct db *db, void (*hang)(bool yes))
{
	struct asker a;
	const struct store_turn_cfg cfg = {.url = db->url,
		.pool_threads = 1,
		.queue_max = 4,
		.query_timeout_ms = 300,
		.connect_timeout_ms = 300};
	struct store_turn *s = open_store(&cfg);
	asker_init(&a);
	assert_int_equal(asker_user(&a, s, "north.gov", "gorst"), 0);
	hang(true);
	unsigned taken = 0, before = a.answers;
	while (taken < 100 && asker_post(&a, s, STORE_TURN_USER, slice_str("north.gov"), slice_str("gorst")) == 0)
		taken++;
	assert_in_range(taken, 4, 6); /* the queue, and what a thread has taken */
	uint64_t began = clock_mono_us();
	while (a.answers < before + taken)
		asker_wait(&a);
	assert_int_equal(a.failed, taken);
	assert_in_range(clock_mono_us() - began, 0, 5 * US_PER_S);
	hang(false);
	uint64_t until = clock_mono_us() + (uint64_t)60 * US_PER_S;
	while (asker_user(&a, s, "north.gov", "gorst") != 0)
		assert_true(clock_mono_us() < until);
	store_turn_free(s);
	asker_free(&a);
}

static void hang_redis(bool yes)
{
	assert_int_equal(servers(yes ? "stop" : "cont", "redis"), 0);
}

static PGconn *locker;

static void hang_postgres(bool yes)
{
	if (yes) {
		locker = PQconnectdb(dbs[1].url);
		PQclear(PQexec(locker, "BEGIN; LOCK TABLE turnusers_lt IN ACCESS EXCLUSIVE MODE"));
	} else {
		PQfinish(locker);
	}
}

static void redis_hangs(void **st)
{
	(void)st;
	hanging(&dbs[2], hang_redis);
}

static void postgres_hangs(void **st)
{
	(void)st;
	hanging(&dbs[1], hang_postgres);
}

/* ---- other ways to be wrong */

static unsigned redis_port(void)
{
	char path[256];
	unsigned port = 0;
	(void)snprintf(path, sizeof path, "%s/redis.port", dir);
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%u", &port), 1);
	fclose(f);
	return port;
}

static int first_answer(const char *url, bool may_create)
{
	struct asker a;
	const struct store_turn_cfg cfg = {
		.url = url, .may_create = may_create, .connect_timeout_ms = 500};
	struct store_turn *s = open_store(&cfg);
	asker_init(&a);
	int err = asker_user(&a, s, "north.gov", "gorst");
	store_turn_free(s);
	asker_free(&a);
	return err;
}

static void redis_forms(void **st)
{
	(void)st;
	char url[512];
	unsigned port = redis_port();
	(void)snprintf(url, sizeof url, "ip=127.0.0.1 dbname=2 password=hush-hush port=%u connect_timeout=5", port);
	assert_int_equal(first_answer(url, false), 0);
	(void)snprintf(url, sizeof url, "redis://default:hush%%2dhush@127.0.0.1:%u/2", port);
	assert_int_equal(first_answer(url, false), 0);
	(void)snprintf(url, sizeof url, "redis://:hush-hush@127.0.0.1:%u/1", port); /* another database */
	assert_int_equal(first_answer(url, false), -ERR_NOT_FOUND);
	(void)snprintf(url, sizeof url, "redis://:wrong@127.0.0.1:%u/2", port);
	assert_int_equal(first_answer(url, false), -ERR_SYSTEM);
	(void)snprintf(url, sizeof url, "redis://127.0.0.1:%u/2", port);
	assert_int_equal(first_answer(url, false), -ERR_SYSTEM);
}

/* Users and secrets that coturn's own tool has written. */
static void turnadmin_wrote(const char *option, const char *database, enum store_dialect dialect)
{
	char cmd[900];
	struct asker a;
	static const char *const what[] = {"-a -u tool -r north.gov -p hero", "-s logen9 -r north.gov",
		"-g --max-bps=777 -r tool.org", "-O -o http://tool.org -r tool.org"};
	for (size_t i = 0; i < ARRAY_LEN(what); i++) {
		/* It opens a log file somewhere, whatever it is told, and says where. */
		(void)snprintf(cmd, sizeof cmd, "turnadmin %s %s '%s' >%s/turnadmin.out 2>&1; code=$?; "
			"rm -f $(sed -n 's/.*log file opened: //p' %s/turnadmin.out); exit $code",
			what[i], option, database, dir, dir);
		assert_int_equal(system(cmd), 0);
	}
	const struct store_turn_cfg cfg = {.url = database, .dialect = dialect};
	struct store_turn *s = open_store(&cfg);
	asker_init(&a);
	assert_int_equal(asker_user(&a, s, "north.gov", "tool"), 0);
	assert_int_equal(a.key.n, 16); /* MD5("tool:north.gov:hero") */
	assert_memory_equal(a.key.bytes, tool_key, 16);
	assert_int_equal(asker_ask(&a, s, STORE_TURN_SECRETS, "north.gov", slice_str("")), 0);
	assert_true(asker_has_row(&a, "0 north.gov||logen9|0\n"));
	assert_int_equal(asker_ask(&a, s, STORE_TURN_REALMS, "", slice_str("")), 0);
	assert_true(asker_has_row(&a, "3 tool.org|max-bps|777|777\n"));
	assert_true(asker_has_row(&a, "4 tool.org|http://tool.org:80||0\n"));
	store_turn_free(s);
	asker_free(&a);
}

static void coturns_tool_writes_what_we_read(void **st)
{
	char database[400];
	(void)st;
	if (system("command -v turnadmin >/dev/null") != 0)
		skip();
	(void)snprintf(database, sizeof database, "%s/users.db", dir);
	turnadmin_wrote("-b", database, STORE_SQLITE);
	(void)snprintf(database, sizeof database, "host=%s/pg user=sterna dbname=postgres", dir);
	turnadmin_wrote("-e", database, STORE_POSTGRESQL);
	(void)snprintf(database, sizeof database, "ip=127.0.0.1 dbname=2 password=hush-hush port=%u", redis_port());
	turnadmin_wrote("-N", database, STORE_REDIS);
}

static void foreign_postgres_is_not_altered(void **st)
{
	(void)st;
	char url[300];
	PGconn *c = PQconnectdb(dbs[1].url);
	PQclear(PQexec(c, "CREATE DATABASE bare"));
	PQclear(PQexec(c, "CREATE DATABASE coturn"));
	PQfinish(c);
	(void)snprintf(url, sizeof url, "host=%s/pg user=sterna dbname=bare", dir);
	assert_int_equal(first_answer(url, false), -ERR_SYSTEM); /* no tables, and none made unasked */
	assert_int_equal(first_answer(url, false), -ERR_SYSTEM);
	assert_int_equal(first_answer(url, true), -ERR_NOT_FOUND);
	assert_int_equal(first_answer(url, true), -ERR_NOT_FOUND);

	(void)snprintf(url, sizeof url, "host=%s/pg user=sterna dbname=coturn", dir);
	c = PQconnectdb(url);
	PQclear(PQexec(c, "CREATE TABLE turnusers_lt (realm varchar(127) default '', name "
			  "varchar(512), hmackey char(128), "
			  "PRIMARY KEY (realm,name)); INSERT INTO turnusers_lt VALUES "
			  "('north.gov','gorst','" MD5_KEY "')"));
	assert_int_equal(first_answer(url, true), 0);
	PGresult *r = PQexec(c, "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'");
	assert_string_equal(PQgetvalue(r, 0, 0), "1");
	PQclear(r);
	PQfinish(c);
}

static void name_databases(void)
{
	/* Colons and slashes of the host are escaped, as in libpq's URLs. */
	char escaped[200] = "";
	for (const char *c = dir; *c; c++)
		(void)snprintf(escaped + strlen(escaped), sizeof escaped - strlen(escaped),
			*c == '/' ? "%%2F" : "%c", *c);
	(void)snprintf(dbs[0].url, sizeof dbs[0].url, "sqlite:%s/users.db", dir);
	(void)snprintf(dbs[1].url, sizeof dbs[1].url, "postgresql://sterna@/postgres?host=%s/pg", dir);
	(void)snprintf(dbs[2].url, sizeof dbs[2].url, "redis://:hush-hush@%s%%2Fredis.sock/2", escaped);
}

#define ON(test, db) {#test " (" #db ")", test, NULL, NULL, &dbs[db]}
#define ON_ALL(test) ON(test, 0), ON(test, 1), ON(test, 2)

int main(void)
{
	dir = getenv("STORE_DIR");
	if (!dir || !getenv("SERVERS"))
		return 1;
	metric_thread_init();
	log_set_level(LOG_LEVEL_OFF);
	name_databases();
	for (size_t i = 0; i < ARRAY_LEN(dbs); i++)
		dbs[i].seed(&dbs[i]);
	const struct CMUnitTest tests[] = {
		ON_ALL(ask_everything),
		ON_ALL(too_many_rows_are_refused),
		ON_ALL(ten_thousand),
		ON_ALL(killed_and_restarted),
		cmocka_unit_test(redis_hangs),
		cmocka_unit_test(postgres_hangs),
		cmocka_unit_test(redis_forms),
		cmocka_unit_test(coturns_tool_writes_what_we_read),
		cmocka_unit_test(foreign_postgres_is_not_altered),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
