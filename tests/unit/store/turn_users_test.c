/* The store without a server: what is refused, what is made, what is dropped at the end. Backends: tests/store. */
#include "../../store/asker.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/turn_admin.h"

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

/* A server that hangs up on everybody, and counts. */
struct rude {
	int fd;
	unsigned visits; /* atomic */
};

static void *rude_main(void *arg)
{
	struct rude *r = arg;
	for (int fd; (fd = accept(r->fd, NULL, NULL)) != -1; close(fd))
		__atomic_fetch_add(&r->visits, 1, __ATOMIC_RELAXED);
	return NULL;
}

/* However many ask, a server in trouble is not stormed: 100 ms, 200 ms, 400 ms … */
static void attempts_are_rare(void **st)
{
	struct rude r = {.fd = socket(AF_INET, SOCK_STREAM, 0)};
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof at;
	pthread_t thread;
	char url[64];
	struct asker a;
	struct store_turn *s;
	(void)st;
	assert_int_equal(bind(r.fd, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(listen(r.fd, 64), 0);
	assert_int_equal(getsockname(r.fd, (struct sockaddr *)&at, &n), 0);
	assert_int_equal(pthread_create(&thread, NULL, rude_main, &r), 0);
	(void)snprintf(url, sizeof url, "redis://:p@127.0.0.1:%u", ntohs(at.sin_port));
	const struct store_turn_cfg cfg = {.url = url, .pool_threads = 1};
	asker_init(&a);
	assert_int_equal(store_turn_open(&cfg, &s, NULL), 0);
	uint64_t until = clock_mono_us() + 800 * US_PER_MS;
	while (clock_mono_us() < until)
		assert_int_equal(asker_user(&a, s, "r", "u"), -ERR_SYSTEM);
	assert_true(a.answers > 100);
	assert_in_range(__atomic_load_n(&r.visits, __ATOMIC_RELAXED), 2, 6);
	store_turn_free(s);
	asker_free(&a);
	shutdown(r.fd, SHUT_RDWR);
	pthread_join(thread, NULL);
	close(r.fd);
}

static void add_user(const char *url, const char *user)
{
	struct store_admin *admin;
	bool existed;
	const struct store_admin_user u = {"r", user, "p", STORE_KEY_MD5};
	assert_int_equal(store_admin_open(url, true, &admin, NULL), 0);
	assert_int_equal(store_admin_add(admin, &u, &existed, NULL), 0);
	assert_false(existed);
	store_admin_close(admin);
}

/* Another file in the place of the one that is open, and a user added beside the reader: both are seen. */
static void changes_of_the_file_are_seen(void **st)
{
	char dir[] = "/tmp/sterna-users.XXXXXX", path[64], away[160], url[80];
	struct asker a;
	struct store_turn *s;
	(void)st;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof path, "%s/a.db", dir);
	(void)snprintf(away, sizeof away, "%s/b.db", dir);
	(void)snprintf(url, sizeof url, "sqlite:%s", path);
	const struct store_turn_cfg cfg = {.url = url, .pool_threads = 1};
	asker_init(&a);
	add_user(url, "first");
	assert_int_equal(store_turn_open(&cfg, &s, NULL), 0);
	assert_int_equal(asker_user(&a, s, "r", "first"), 0);
	assert_int_equal(asker_user(&a, s, "r", "second"), -ERR_NOT_FOUND);
	add_user(url, "second");
	assert_int_equal(asker_user(&a, s, "r", "second"), 0);
	assert_int_equal(rename(path, away), 0);
	(void)snprintf(away, sizeof away, "rm -f %s-wal %s-shm", path, path);
	assert_int_equal(system(away), 0);
	add_user(url, "third");
	assert_int_equal(asker_user(&a, s, "r", "third"), 0);
	assert_int_equal(asker_user(&a, s, "r", "first"), -ERR_NOT_FOUND);
	store_turn_free(s);
	asker_free(&a);
	(void)snprintf(away, sizeof away, "rm -r %s", dir);
	assert_int_equal(system(away), 0);
}

int main(void)
{
	metric_thread_init();
	log_set_level(LOG_LEVEL_OFF);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(configuration_is_checked),
		cmocka_unit_test(nothing_there),
		cmocka_unit_test(attempts_are_rare),
		cmocka_unit_test(changes_of_the_file_are_seen),
		cmocka_unit_test(lookups_that_nobody_waits_for_are_freed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
