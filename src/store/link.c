#include "base/clock.h"
#include "base/log.h"
#include "base/metric.h"
#include "base/rng.h"
#include "store/store_internal.h"

enum { PAUSE_FIRST_MS = 100, PAUSE_MAX_MS = 10000, COMPLAIN_EVERY_S = 10 };

int store_link_ready(struct store_link *l, struct errbuf *eb)
{
	if (l->conn)
		return 0;
	if (clock_mono_us() < l->retry_us)
		return err_set(eb, ERR_SYSTEM, "%s", l->why.text);
	struct store_limits limits = l->limits;
	if (l->dsn->connect_timeout_ms)
		limits.connect_timeout_ms = l->dsn->connect_timeout_ms;
	int err = l->backend->connect(l->dsn, &limits, &l->conn, &l->why);
	if (!err) {
		l->pause_ms = 0;
		metric_inc(M_STORE_CONNECTS);
		return 0;
	}
	l->conn = NULL;
	l->pause_ms = l->pause_ms ? MIN(l->pause_ms * 2, PAUSE_MAX_MS) : PAUSE_FIRST_MS;
	/* Not all servers of a database that comes back at the same moment. */
	uint64_t pause_us = (uint64_t)l->pause_ms * US_PER_MS;
	l->retry_us = clock_mono_us() + pause_us / 2 + rng_u64() % (pause_us / 2 + 1);
	return err_set(eb, ERR_SYSTEM, "%s", l->why.text);
}

void store_link_close(struct store_link *l)
{
	if (l->conn)
		l->backend->close(l->conn);
	l->conn = NULL;
}

void store_complain(struct store_complaint *c, const char *database, const char *why)
{
	uint64_t now = clock_mono_us(), due = __atomic_load_n(&c->next_us, __ATOMIC_RELAXED);
	__atomic_store_n(&c->is_down, true, __ATOMIC_RELAXED);
	if (now < due || !__atomic_compare_exchange_n(&c->next_us, &due,
				 now + (uint64_t)COMPLAIN_EVERY_S * US_PER_S, false,
				 __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
		__atomic_fetch_add(&c->suppressed, 1, __ATOMIC_RELAXED);
		return;
	}
	LOG_ERROR("the TURN database fails", F_STR("database", database), F_STR("reason", why),
		F_UINT("not_told", __atomic_exchange_n(&c->suppressed, 0, __ATOMIC_RELAXED)));
}

void store_recovered(struct store_complaint *c, const char *database)
{
	if (!__atomic_load_n(&c->is_down, __ATOMIC_RELAXED) ||
		!__atomic_exchange_n(&c->is_down, false, __ATOMIC_RELAXED))
		return;
	__atomic_store_n(&c->next_us, 0, __ATOMIC_RELAXED);
	LOG_INFO("the TURN database answers again", F_STR("database", database),
		F_UINT("not_told", __atomic_exchange_n(&c->suppressed, 0, __ATOMIC_RELAXED)));
}
