#include "app/turn_rules.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"

static void add_range(struct turn_rules *r, char ***list, size_t *n, const char *text)
{
	if (!turn_policy_is_range(text)) {
		r->bad_ranges++;
		return;
	}
	*list = xrealloc(*list, (*n + 1) * sizeof **list);
	(*list)[(*n)++] = xstrdup(text);
}

static struct turn_rule *rule_of(struct turn_rules *r, const char *option)
{
	const struct {
		const char *name;
		struct turn_rule *rule;
	} rows[] = {{"max-bps", &r->max_bps}, {"user-quota", &r->user_quota}, {"total-quota", &r->total_quota}};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (strcmp(rows[i].name, option) == 0)
			return rows[i].rule;
	return NULL;
}

static void take_option(struct turn_rules *r, const struct store_row *row)
{
	struct turn_rule *rule = rule_of(r, row->name);
	if (!rule)
		r->unknown_options++;
	else if (*row->realm || !rule->is_set)
		*rule = (struct turn_rule){true, row->number};
}

static void take(
	struct turn_rules *r, const char *realm, bool with_peers, const struct store_row *row)
{
	bool is_peer = row->kind == STORE_ROW_ALLOWED_PEER || row->kind == STORE_ROW_DENIED_PEER;
	if (is_peer && !with_peers)
		return;
	if (row->kind == STORE_ROW_ORIGIN)
		r->origins++;
	else if (*row->realm && strcmp(row->realm, realm) != 0)
		r->other_realms++;
	else if (row->kind == STORE_ROW_ALLOWED_PEER)
		add_range(r, &r->allow, &r->n_allow, row->value);
	else if (row->kind == STORE_ROW_DENIED_PEER)
		add_range(r, &r->deny, &r->n_deny, row->value);
	else if (row->kind == STORE_ROW_OPTION)
		take_option(r, row);
}

struct turn_rules *turn_rules_new(
	const char *realm, bool with_peers, const struct store_row *rows, size_t n)
{
	struct turn_rules *r = XNEW(struct turn_rules);
	r->refs = 1;
	for (size_t i = 0; i < n; i++)
		take(r, realm, with_peers, &rows[i]);
	return r;
}

struct turn_rules *turn_rules_ref(struct turn_rules *r)
{
	if (r)
		__atomic_add_fetch(&r->refs, 1, __ATOMIC_RELAXED);
	return r;
}

static void free_list(char **list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		xfree(list[i]);
	xfree(list);
}

void turn_rules_unref(struct turn_rules *r)
{
	if (!r || __atomic_sub_fetch(&r->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	free_list(r->allow, r->n_allow);
	free_list(r->deny, r->n_deny);
	xfree(r);
}

static bool same_list(char *const *a, size_t n_a, char *const *b, size_t n_b)
{
	for (size_t i = 0; n_a == n_b && i < n_a; i++)
		if (strcmp(a[i], b[i]) != 0)
			return false;
	return n_a == n_b;
}

static bool same_rule(const struct turn_rule *a, const struct turn_rule *b)
{
	return a->is_set == b->is_set && a->value == b->value;
}

bool turn_rules_same(const struct turn_rules *a, const struct turn_rules *b)
{
	static const struct turn_rules none;
	a = a ? a : &none;
	b = b ? b : &none;
	return same_list(a->allow, a->n_allow, b->allow, b->n_allow) &&
	       same_list(a->deny, a->n_deny, b->deny, b->n_deny) &&
	       same_rule(&a->max_bps, &b->max_bps) && same_rule(&a->user_quota, &b->user_quota) &&
	       same_rule(&a->total_quota, &b->total_quota) && a->origins == b->origins &&
	       a->other_realms == b->other_realms && a->bad_ranges == b->bad_ranges &&
	       a->unknown_options == b->unknown_options;
}

void turn_rules_warn(const struct turn_rules *r)
{
	const struct {
		size_t n;
		const char *text;
	} rows[] = {
		{r->origins, "turn_origin_to_realm of the TURN database has no effect: there is "
			     "one realm, turn.realm"},
		{r->other_realms,
			"peers and options of other realms in the TURN database have no effect"},
		{r->bad_ranges, "rows of allowed_peer_ip or denied_peer_ip in the TURN database "
				"are left out: no address, "
				"no ADDRESS/BITS, no FIRST-LAST"},
		{r->unknown_options, "rows of turn_realm_option in the TURN database have no "
				     "effect: not max-bps, user-quota "
				     "or total-quota"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].n)
			LOG_WARN(rows[i].text, F_UINT("rows", rows[i].n));
}

static const char **joined(const char *const *a, size_t n_a, char *const *b, size_t n_b)
{
	const char **all = xcalloc(n_a + n_b + 1, sizeof *all);
	for (size_t i = 0; i < n_a + n_b; i++)
		all[i] = i < n_a ? a[i] : b[i - n_a];
	return all;
}

int turn_rules_policy(const struct turn_rules *r, const struct turn_settings *s,
	struct turn_policy **out, struct errbuf *eb)
{
	struct turn_policy_cfg cfg = s->peers;
	if (!r)
		return turn_policy_new(out, &cfg, eb);
	const char **allow = joined(cfg.allow, cfg.n_allow, r->allow, r->n_allow);
	const char **deny = joined(cfg.deny, cfg.n_deny, r->deny, r->n_deny);
	cfg.allow = allow;
	cfg.n_allow += r->n_allow;
	cfg.deny = deny;
	cfg.n_deny += r->n_deny;
	int err = turn_policy_new(out, &cfg, eb);
	xfree(allow);
	xfree(deny);
	return err;
}

struct turn_quota_cfg turn_rules_quota(const struct turn_rules *r, const struct turn_settings *s)
{
	struct turn_quota_cfg q = s->quota;
	if (r && r->user_quota.is_set)
		q.allocations_per_user = (uint32_t)MIN(r->user_quota.value, (uint64_t)UINT32_MAX);
	if (r && r->total_quota.is_set)
		q.allocations_total = (uint32_t)MIN(r->total_quota.value, (uint64_t)UINT32_MAX);
	return q;
}

uint64_t turn_rules_bytes_per_s(const struct turn_rules *r, const struct turn_settings *s)
{
	return r && r->max_bps.is_set ? r->max_bps.value : s->turnd.turn.allocation_bytes_per_s;
}
