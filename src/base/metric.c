#include "base/metric.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"

_Thread_local struct metric_block *metric_here;

/* Only grows: blocks outlive their threads, so that counters never go back. */
static struct metric_block *blocks;

static struct {
	void (*fn)(void *arg, struct buf *out);
	void *arg;
} extra;

static const struct {
	const char *name, *type, *help;
} rows[METRIC_N] = {
#define X(id, name, type, help) {name, type, help},
	METRIC_MAP(X)
#undef X
};

static const char *const drop_labels[DROP_REASON_N] = {
#define X(name, label) label,
	DROP_REASON_MAP(X)
#undef X
};

void metric_thread_init(void)
{
	if (metric_here)
		return;
	struct metric_block *b = XNEW(struct metric_block);
	b->next = __atomic_load_n(&blocks, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(
		&blocks, &b->next, b, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		continue;
	metric_here = b;
}

uint64_t metric_sum(enum metric_id id)
{
	uint64_t sum = 0;
	for (struct metric_block *b = __atomic_load_n(&blocks, __ATOMIC_ACQUIRE); b; b = b->next)
		sum += __atomic_load_n(&b->value[id], __ATOMIC_RELAXED);
	return sum;
}

uint64_t metric_drop_sum(enum drop_reason why)
{
	uint64_t sum = 0;
	for (struct metric_block *b = __atomic_load_n(&blocks, __ATOMIC_ACQUIRE); b; b = b->next)
		sum += __atomic_load_n(&b->drop[why], __ATOMIC_RELAXED);
	return sum;
}

static uint64_t resident_bytes(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	if (!f)
		return 0;
	uint64_t size = 0, resident = 0;
	if (fscanf(f, "%" SCNu64 " %" SCNu64, &size, &resident) != 2)
		resident = 0;
	fclose(f);
	return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void print_head(struct buf *out, const char *name, const char *type, const char *help)
{
	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void metric_set_extra(void (*fn)(void *arg, struct buf *out), void *arg)
{
	extra.arg = arg;
	extra.fn = fn;
}

void metric_print(struct buf *out)
{
	for (size_t i = 0; i < METRIC_N; i++) {
		print_head(out, rows[i].name, rows[i].type, rows[i].help);
		buf_printf(out, "%s %" PRId64 "\n", rows[i].name, (int64_t)metric_sum((enum metric_id)i));
	}
	static const char dropped[] = "sterna_packets_dropped_total";
	print_head(out, dropped, "counter", "Packets thrown away, by reason.");
	for (size_t i = 0; i < DROP_REASON_N; i++)
		buf_printf(out, "%s{reason=\"%s\"} %" PRIu64 "\n", dropped, drop_labels[i],
			metric_drop_sum((enum drop_reason)i));
	print_head(out, "process_resident_memory_bytes", "gauge", "Resident memory of the process.");
	buf_printf(out, "process_resident_memory_bytes %" PRIu64 "\n", resident_bytes());
	if (extra.fn)
		extra.fn(extra.arg, out);
}
