/*
 * turn_rules: what a TURN database says beside users and secrets: ranges of peers, and the options of its realms. There
 * is one realm here: rows of others, and origins that choose a realm, are counted so that the log can name them.
 */
#pragma once
#include "app/turn_parts.h"
#include "store/turn_users.h"

struct turn_rule { /* of turn_realm_option */
	bool is_set;
	uint64_t value; /* 0 = no limit, as in the configuration */
};

/* Counted references; read by all workers. */
struct turn_rules {
	char **allow, **deny; /* ranges that a policy takes */
	size_t n_allow, n_deny;
	struct turn_rule max_bps, user_quota, total_quota;
	/* Rows without effect. */
	size_t origins, other_realms, bad_ranges, unknown_options;
	int refs;
};

/* The rows of `realm`, and of the realm "", which the more exact ones win over. One reference. */
struct turn_rules *turn_rules_new(
	const char *realm, bool with_peers, const struct store_row *rows, size_t n);
struct turn_rules *turn_rules_ref(struct turn_rules *r);
void turn_rules_unref(struct turn_rules *r); /* accepts NULL; any thread */
bool turn_rules_same(const struct turn_rules *a, const struct turn_rules *b); /* NULL = no rows */

/* Names the rows without effect. */
void turn_rules_warn(const struct turn_rules *r);

/* The configuration's settings with the database's over them; rules may be NULL. *out is owned. -ERR_CONFIG. */
MUST_CHECK int turn_rules_policy(const struct turn_rules *r, const struct turn_settings *s,
	struct turn_policy **out, struct errbuf *eb);
struct turn_quota_cfg turn_rules_quota(const struct turn_rules *r, const struct turn_settings *s);
uint64_t turn_rules_bytes_per_s(const struct turn_rules *r, const struct turn_settings *s);
