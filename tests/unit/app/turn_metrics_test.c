/* Coturn's names and labels, all of them and no others; the number of users is bounded. */
#include "cm.h"

#include <stdio.h>
#include <string.h>

#include "app/turn_metrics.h"
#include "base/mem.h"
#include "base/metric.h"

static char *print(struct turn_metrics *const *tables, size_t n, const char *realm, uint32_t users)
{
	struct buf out;
	buf_init(&out, 1 << 20);
	turn_metrics_print(tables, n, realm, users, &out);
	char *text = xstrdup(buf_cstr(&out));
	buf_free(&out);
	return text;
}

static void has_line(const char *text, const char *line)
{
	char whole[512];
	(void)snprintf(whole, sizeof whole, "\n%s\n", line);
	if (!strstr(text, whole))
		fail_msg("no line \"%s\" in:\n%s", line, text);
}

static size_t count(const char *text, const char *what)
{
	size_t n = 0;
	for (; (text = strstr(text, what)); text += strlen(what))
		n++;
	return n;
}

static void names_are_coturns(void **st)
{
	(void)st;
	static const char *const names[] = {"stun_binding_request", "stun_binding_response", "stun_binding_error",
		"turn_unauthenticated_401_requests", "turn_unauthenticated_401_responses",
		"turn_unauthenticated_401_dropped_responses", "turn_traffic_rcvp", "turn_traffic_rcvb",
		"turn_traffic_sentp", "turn_traffic_sentb", "turn_traffic_peer_rcvp", "turn_traffic_peer_rcvb",
		"turn_traffic_peer_sentp", "turn_traffic_peer_sentb", "turn_total_traffic_rcvp",
		"turn_total_traffic_rcvb", "turn_total_traffic_sentp", "turn_total_traffic_sentb",
		"turn_total_traffic_peer_rcvp", "turn_total_traffic_peer_rcvb", "turn_total_traffic_peer_sentp",
		"turn_total_traffic_peer_sentb", "turn_packet_processed", "turn_packet_dropped",
		"turn_udp_recvmmsg_calls", "turn_udp_recvmmsg_packets", "turn_udp_sendmmsg_flushes",
		"turn_udp_sendmmsg_datagrams", "turn_udp_sendmmsg_gso_datagrams"};
	struct turn_metrics *m = turn_metrics_new(0);
	char *text = print(&m, 1, "r", 0), line[128];
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		(void)snprintf(line, sizeof line, "# TYPE %s counter", names[i]);
		has_line(text, line);
	}
	has_line(text, "# TYPE turn_total_allocations gauge");
	assert_int_equal(count(text, "# TYPE "), ARRAY_LEN(names) + 1);
	static const char *const types[] = {"UDP", "TCP", "TLS", "DTLS"};
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		(void)snprintf(line, sizeof line, "turn_total_allocations{type=\"%s\"} 0", types[i]);
		has_line(text, line);
	}
	assert_null(strstr(text, "user="));
	xfree(text);
	turn_metrics_free(m);
}

static void add(struct turn_metrics *m, const char *user, uint64_t packets)
{
	const struct turn_alloc_info info = {.username = user,
		.realm = "r",
		.packets_in = packets,
		.bytes_in = 10 * packets,
		.packets_out = 2 * packets,
		.bytes_out = 20 * packets,
		.peer_packets_in = 3 * packets,
		.peer_bytes_in = 30 * packets,
		.peer_packets_out = 4 * packets,
		.peer_bytes_out = 40 * packets};
	turn_metrics_add(m, &info);
}

static void without_users(void **st)
{
	(void)st;
	struct turn_metrics *tables[] = {turn_metrics_new(0), turn_metrics_new(0)};
	add(tables[0], "ann", 1);
	add(tables[1], "bob", 100);
	add(tables[1], NULL, 10000);
	char *text = print(tables, 2, "a \"realm\"\n", 0);
	has_line(text, "turn_traffic_rcvp{realm=\"a _realm__\"} 10101");
	has_line(text, "turn_traffic_sentb{realm=\"a _realm__\"} 202020");
	has_line(text, "turn_traffic_peer_rcvb{realm=\"a _realm__\"} 303030");
	has_line(text, "turn_traffic_peer_sentp{realm=\"a _realm__\"} 40404");
	has_line(text, "turn_total_traffic_rcvb 101010");
	has_line(text, "turn_total_traffic_peer_sentb 404040");
	assert_int_equal(count(text, "\nturn_traffic_rcvp{"), 1);
	xfree(text);
	turn_metrics_free(tables[0]);
	turn_metrics_free(tables[1]);
}

/* Each worker knows others: all together are no more than asked for, and nothing is lost of the sums. */
static void users_are_bounded(void **st)
{
	(void)st;
	struct turn_metrics *tables[] = {turn_metrics_new(3), turn_metrics_new(3)};
	char name[16];
	for (unsigned i = 0; i < 1000; i++) {
		(void)snprintf(name, sizeof name, "u%u", i);
		add(tables[i % 2], name, 1);
	}
	add(tables[0], "u1", 5); /* there it is one of many */
	add(tables[1], "u1", 7);
	char *text = print(tables, 2, "r", 3);
	assert_int_equal(count(text, "\nturn_traffic_rcvp{"), 4);
	has_line(text, "turn_traffic_rcvp{realm=\"r\",user=\"other\"} 1009");
	has_line(text, "turn_traffic_rcvp{realm=\"r\",user=\"u0\"} 1");
	has_line(text, "turn_total_traffic_rcvp 1012");
	xfree(text);
	turn_metrics_free(tables[0]);
	turn_metrics_free(tables[1]);
	turn_metrics_free(NULL);
}

static void labels_stay_labels(void **st)
{
	(void)st;
	struct turn_metrics *m = turn_metrics_new(10);
	add(m, "a\"} 1\nfake{x=\"\\", 1);
	add(m, "other", 2); /* a user of that name is no other than the rest */
	char *text = print(&m, 1, "r", 10);
	has_line(text, "turn_traffic_rcvp{realm=\"r\",user=\"a_} 1_fake{x=__\"} 1");
	has_line(text, "turn_traffic_rcvp{realm=\"r\",user=\"other\"} 2");
	assert_null(strstr(text, "\nfake"));
	xfree(text);
	turn_metrics_free(m);
}

int main(void)
{
	metric_thread_init();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_coturns),
		cmocka_unit_test(without_users),
		cmocka_unit_test(users_are_bounded),
		cmocka_unit_test(labels_stay_labels),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
