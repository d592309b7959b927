/* Statistics in a real Redis: what a subscriber hears, what is left behind, and what happens while Redis is down. */
#include "cm.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metric.h"
#include "store/turn_stats.h"

#define KEY "turn/realm/north.gov/user/o'neill */allocation/000000000000000042/"

static const char *dir;
static char url[256];

static const struct store_stats_figures figures = {1, 200, 3, UINT64_C(5000000000)};

static struct store_stats_allocation allocation(void)
{
	return (struct store_stats_allocation){slice_str("north.gov"), slice_str("o'neill *"), 42};
}

static int servers(const char *what)
{
	char cmd[512];
	(void)snprintf(cmd, sizeof cmd, "%s %s %s redis", getenv("SERVERS"), dir, what);
	return system(cmd);
}

static redisContext *client(void)
{
	char path[256];
	(void)snprintf(path, sizeof path, "%s/redis.sock", dir);
	redisContext *c = redisConnectUnixWithTimeout(path, (struct timeval){.tv_sec = 10});
	assert_int_equal(c->err, 0);
	redisSetTimeout(c, (struct timeval){.tv_sec = 30});
	freeReplyObject(redisCommand(c, "AUTH hush-hush"));
	return c;
}

static struct store_stats *open_stats(uint32_t queue_max)
{
	const struct store_stats_cfg cfg = {.url = url,
		.queue_max = queue_max,
		.connect_timeout_ms = 500,
		.query_timeout_ms = 500};
	struct store_stats *s;
	struct errbuf eb = {""};
	if (store_stats_open(&cfg, &s, &eb) != 0)
		fail_msg("%s", eb.text);
	return s;
}

/* The next message that the subscriber gets. */
static void hears(redisContext *sub, const char *what, const char *value)
{
	char key[200];
	redisReply *r = NULL;
	(void)snprintf(key, sizeof key, KEY "%s", what);
	assert_int_equal(redisGetReply(sub, (void **)&r), REDIS_OK);
	assert_int_equal(r->elements, 4);
	assert_string_equal(r->element[2]->str, key);
	assert_string_equal(r->element[3]->str, value);
	freeReplyObject(r);
}

static void subscribers_hear_an_allocation(void **st)
{
	(void)st;
	const struct store_stats_allocation a = allocation();
	redisContext *sub = client(), *c = client();
	freeReplyObject(redisCommand(sub, "PSUBSCRIBE turn/realm/*"));
	struct store_stats *s = open_stats(0);

	store_stats_status(s, &a, STORE_STATS_NEW, 600, slice_str("type=UDP"));
	hears(sub, "status", "new lifetime=600, type=UDP");
	redisReply *r = redisCommand(c, "GET %s", KEY "status");
	assert_string_equal(r->str, "new lifetime=600, type=UDP");
	freeReplyObject(r);
	r = redisCommand(c, "TTL %s", KEY "status"); /* a server that is killed leaves it for no longer */
	assert_in_range(r->integer, 600, 660);
	freeReplyObject(r);

	store_stats_status(s, &a, STORE_STATS_REFRESHED, 700, slice_str(""));
	hears(sub, "status", "refreshed lifetime=700");
	store_stats_traffic(s, &a, STORE_STATS_TRAFFIC, &figures);
	hears(sub, "traffic", "rcvp=1, rcvb=200, sentp=3, sentb=5000000000");
	store_stats_traffic(s, &a, STORE_STATS_TRAFFIC_PEER, &figures);
	hears(sub, "traffic/peer", "rcvp=1, rcvb=200, sentp=3, sentb=5000000000");
	/* The last ones go out even though the sink is closed at once. */
	store_stats_traffic(s, &a, STORE_STATS_TOTAL, &figures);
	store_stats_traffic(s, &a, STORE_STATS_TOTAL_PEER, &figures);
	store_stats_status(s, &a, STORE_STATS_DELETED, 0, slice_str(""));
	store_stats_free(s);
	hears(sub, "total_traffic", "rcvp=1, rcvb=200, sentp=3, sentb=5000000000");
	hears(sub, "total_traffic/peer", "rcvp=1, rcvb=200, sentp=3, sentb=5000000000");
	hears(sub, "status", "deleted");
	r = redisCommand(c, "EXISTS %s", KEY "status");
	assert_int_equal(r->integer, 0);
	freeReplyObject(r);
	assert_int_equal(metric_sum(M_STORE_STATS_DROPPED), 0);
	assert_int_equal(metric_sum(M_STORE_STATS_SENT), 10);
	redisFree(sub);
	redisFree(c);
}

enum { MANY = 20000 };

static void many_go_out_in_pipelines(void **st)
{
	(void)st;
	const struct store_stats_allocation a = allocation();
	uint64_t sent = metric_sum(M_STORE_STATS_SENT), dropped = metric_sum(M_STORE_STATS_DROPPED);
	struct store_stats *s = open_stats(MANY);
	for (int i = 0; i < MANY; i++)
		store_stats_traffic(s, &a, STORE_STATS_TRAFFIC, &figures);
	store_stats_free(s);
	assert_int_equal(
		metric_sum(M_STORE_STATS_SENT) + metric_sum(M_STORE_STATS_DROPPED) - sent - dropped,
		MANY);
	assert_int_equal(metric_sum(M_STORE_STATS_DROPPED), dropped);
}

/* Nothing waits for Redis: posting takes no time, and all is counted. */
static void redis_that_is_away_costs_nothing(void **st)
{
	(void)st;
	const struct store_stats_allocation a = allocation();
	struct store_stats *s = open_stats(100);
	store_stats_traffic(s, &a, STORE_STATS_TRAFFIC, &figures);
	assert_int_equal(servers("stop"), 0);
	uint64_t sent = metric_sum(M_STORE_STATS_SENT), dropped = metric_sum(M_STORE_STATS_DROPPED);
	uint64_t began = clock_mono_us();
	for (int i = 0; i < MANY; i++)
		store_stats_traffic(s, &a, STORE_STATS_TRAFFIC, &figures);
	assert_in_range(clock_mono_us() - began, 0, US_PER_S);
	assert_true(metric_sum(M_STORE_STATS_DROPPED) - dropped > MANY / 2);
	assert_int_equal(servers("cont"), 0);
	assert_int_equal(servers("down"), 0);
	assert_int_equal(servers("up"), 0);
	uint64_t until = clock_mono_us() + (uint64_t)60 * US_PER_S;
	for (sent = metric_sum(M_STORE_STATS_SENT); metric_sum(M_STORE_STATS_SENT) == sent;) {
		store_stats_traffic(s, &a, STORE_STATS_TRAFFIC, &figures);
		assert_true(clock_mono_us() < until);
	}
	store_stats_free(s);
}

int main(void)
{
	dir = getenv("STORE_DIR");
	if (!dir || !getenv("SERVERS"))
		return 1;
	metric_thread_init();
	log_set_level(LOG_LEVEL_OFF);
	(void)snprintf(url, sizeof url, "host=%s/redis.sock password=hush-hush", dir);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(subscribers_hear_an_allocation),
		cmocka_unit_test(many_go_out_in_pipelines),
		cmocka_unit_test(redis_that_is_away_costs_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
