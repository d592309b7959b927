#include "app/turn_metrics.h"

#include <inttypes.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/metric.h"

enum { FIGURES = 8, LABEL_CAP = 128 };

/* coturn's words: rcv is what came from that side, sent what went there. */
static const char *const figure_names[FIGURES] = {
	"turn_traffic_rcvp", "turn_traffic_rcvb", "turn_traffic_sentp", "turn_traffic_sentb",
	"turn_traffic_peer_rcvp", "turn_traffic_peer_rcvb", "turn_traffic_peer_sentp", "turn_traffic_peer_sentb",
};

struct row {
	char user[LABEL_CAP];
	uint64_t value[FIGURES];
};

struct turn_metrics {
	struct row *rows; /* [0] is "other", or all without names */
	uint32_t n, cap;  /* n: written with release by the worker */
	struct map by_name;
};

struct turn_metrics *turn_metrics_new(uint32_t users)
{
	struct turn_metrics *m = XNEW(struct turn_metrics);
	m->cap = users + 1;
	m->n = 1;
	m->rows = xcalloc(m->cap, sizeof *m->rows);
	memcpy(m->rows[0].user, "other", sizeof "other");
	map_init(&m->by_name);
	return m;
}

void turn_metrics_free(struct turn_metrics *m)
{
	if (!m)
		return;
	map_free(&m->by_name);
	xfree(m->rows);
	xfree(m);
}

/* What ends up between the quotes of a label: no quotes, no controls, UTF-8 or not is the reader's affair. */
static void label_of(const char *name, char out[LABEL_CAP])
{
	size_t n = 0;
	for (; *name && n + 1 < LABEL_CAP; name++)
		out[n++] = (unsigned char)*name < ' ' || *name == '"' || *name == '\\' || *name == 0x7f ? '_' : *name;
	out[n] = 0;
}

static struct row *row_of(struct turn_metrics *m, const char *username)
{
	char label[LABEL_CAP];
	if (m->cap == 1 || !username)
		return &m->rows[0];
	label_of(username, label);
	struct row *row = map_get(&m->by_name, slice_str(label));
	if (row)
		return row;
	if (m->n == m->cap)
		return &m->rows[0];
	row = &m->rows[m->n];
	memcpy(row->user, label, sizeof label);
	(void)map_put(&m->by_name, slice_str(label), row);
	__atomic_store_n(&m->n, m->n + 1, __ATOMIC_RELEASE);
	return row;
}

void turn_metrics_add(struct turn_metrics *m, const struct turn_alloc_info *info)
{
	const uint64_t by[FIGURES] = {info->packets_in, info->bytes_in, info->packets_out,
		info->bytes_out, info->peer_packets_in, info->peer_bytes_in, info->peer_packets_out,
		info->peer_bytes_out};
	struct row *row = row_of(m, info->username);
	for (size_t i = 0; i < FIGURES; i++)
		metric_add_u64(&row->value[i], by[i]);
}

/* ------------------------------------------------------------------ text */

static void head(struct buf *out, const char *name, const char *type, const char *help)
{
	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void print_counter(struct buf *out, const char *name, uint64_t value, const char *help)
{
	head(out, name, "counter", help);
	buf_printf(out, "%s %" PRIu64 "\n", name, value);
}

/* Adds a row to the sums: to that of its name, or to `other` beyond the cap. */
static void sum_row(
	struct map *sums, struct row *list, uint32_t *n, uint32_t cap, const struct row *row)
{
	struct row *sum = map_get(sums, slice_str(row->user));
	if (!sum && *n < cap) {
		sum = &list[(*n)++];
		memcpy(sum->user, row->user, sizeof sum->user);
		(void)map_put(sums, slice_str(sum->user), sum);
	}
	if (!sum)
		sum = &list[0];
	for (size_t i = 0; i < FIGURES; i++)
		sum->value[i] += __atomic_load_n(&row->value[i], __ATOMIC_RELAXED);
}

static void print_users(struct turn_metrics *const *tables, size_t n_tables, const char *realm,
	uint32_t users, struct buf *out)
{
	struct row *list = xcalloc(users + 1u, sizeof *list);
	struct map sums;
	uint32_t n = 1;
	map_init(&sums);
	memcpy(list[0].user, "other", sizeof "other");
	(void)map_put(&sums, slice_str("other"), &list[0]);
	for (size_t i = 0; i < n_tables; i++) {
		uint32_t rows = __atomic_load_n(&tables[i]->n, __ATOMIC_ACQUIRE);
		for (uint32_t k = 0; k < rows; k++)
			sum_row(&sums, list, &n, users + 1, &tables[i]->rows[k]);
	}
	char label[LABEL_CAP];
	label_of(realm, label);
	for (size_t f = 0; f < FIGURES; f++) {
		head(out, figure_names[f], "counter", "Of finished sessions.");
		for (uint32_t i = 0; i < n; i++) {
			buf_printf(out, "%s{realm=\"%s\"", figure_names[f], label);
			if (users)
				buf_printf(out, ",user=\"%s\"", list[i].user);
			buf_printf(out, "} %" PRIu64 "\n", list[i].value[f]);
		}
	}
	map_free(&sums);
	xfree(list);
}

static void print_totals(struct turn_metrics *const *tables, size_t n_tables, struct buf *out)
{
	for (size_t f = 0; f < FIGURES; f++) {
		char name[64] = "turn_total_";
		uint64_t sum = 0;
		memcpy(name + strlen(name), figure_names[f] + 5, strlen(figure_names[f] + 5) + 1);
		for (size_t i = 0; i < n_tables; i++) {
			uint32_t rows = __atomic_load_n(&tables[i]->n, __ATOMIC_ACQUIRE);
			for (uint32_t k = 0; k < rows; k++)
				sum += __atomic_load_n(
					&tables[i]->rows[k].value[f], __ATOMIC_RELAXED);
		}
		print_counter(out, name, sum, "Of all finished sessions.");
	}
}

static uint64_t sum_drops(void)
{
	static const enum drop_reason reasons[] = {DROP_TURN_NO_ALLOCATION, DROP_TURN_NO_CHANNEL,
		DROP_TURN_NO_PERMISSION, DROP_TURN_POLICY, DROP_TURN_BANDWIDTH, DROP_TURN_QUOTA,
		DROP_TURN_DETACHED, DROP_TURN_NO_RELAY, DROP_TURN_TOO_LARGE, DROP_TURN_DF,
		DROP_TURN_PEER_TAKEN, DROP_TURN_RING_FULL, DROP_TURN_MALFORMED};
	uint64_t sum = 0;
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		sum += metric_drop_sum(reasons[i]);
	return sum;
}

static void print_allocations(struct buf *out)
{
	static const struct {
		const char *type;
		enum metric_id id;
	} rows[] = {{"UDP", M_TURN_ALLOCATIONS_UDP}, {"TCP", M_TURN_ALLOCATIONS_TCP}, {"TLS", M_TURN_ALLOCATIONS_TLS},
		{"DTLS", M_TURN_ALLOCATIONS_DTLS}};
	head(out, "turn_total_allocations", "gauge", "Allocations now, by the client's transport.");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		buf_printf(out, "turn_total_allocations{type=\"%s\"} %" PRIu64 "\n", rows[i].type,
			metric_sum(rows[i].id));
}

void turn_metrics_print(struct turn_metrics *const *tables, size_t n, const char *realm,
	uint32_t users, struct buf *out)
{
	print_counter(out, "stun_binding_request", metric_sum(M_TURN_BINDING_REQUESTS), "Binding requests.");
	print_counter(out, "stun_binding_response", metric_sum(M_TURN_BINDING_RESPONSES), "Binding requests answered.");
	print_counter(out, "stun_binding_error", metric_sum(M_TURN_BINDING_ERRORS), "Binding requests refused.");
	print_counter(out, "turn_unauthenticated_401_requests", metric_sum(M_TURN_401_REQUESTS),
		"Requests without or with wrong credentials.");
	print_counter(out, "turn_unauthenticated_401_responses", metric_sum(M_TURN_401_RESPONSES), "Answers 401.");
	print_counter(out, "turn_unauthenticated_401_dropped_responses", metric_sum(M_TURN_401_DROPPED),
		"Answers 401 held back by the limit on answers.");
	print_allocations(out);
	print_counter(out, "turn_packet_processed",
		metric_sum(M_TURN_PACKETS_IN) + metric_sum(M_TURN_PEER_PACKETS_IN), "Packets from clients and peers.");
	print_counter(out, "turn_packet_dropped", sum_drops(), "Packets that were not relayed.");
	print_counter(out, "turn_udp_recvmmsg_calls", metric_sum(M_TURN_RX_CALLS), "System calls that received.");
	print_counter(out, "turn_udp_recvmmsg_packets", metric_sum(M_TURN_UDP_PACKETS_IN),
		"Datagrams received by them.");
	print_counter(out, "turn_udp_sendmmsg_flushes", metric_sum(M_TURN_TX_CALLS), "System calls that sent.");
	print_counter(out, "turn_udp_sendmmsg_datagrams", metric_sum(M_TURN_UDP_PACKETS_OUT),
		"Datagrams sent by them.");
	print_counter(out, "turn_udp_sendmmsg_gso_datagrams", metric_sum(M_TURN_TX_GSO),
		"Of those, sent in runs (GSO).");
	print_totals(tables, n, out);
	print_users(tables, n, realm, users, out);
}
