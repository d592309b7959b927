/* What rows of a database become: ranges, limits, and what is named as being without effect. */
#include "cm.h"

#include "app/turn_rules.h"
#include "base/macros.h"

static const struct store_row rows[] = {
	{STORE_ROW_DENIED_PEER, "r", "", "203.0.114.0/24", 0},
	{STORE_ROW_DENIED_PEER, "", "", "8.8.8.0-8.8.8.9", 0},
	{STORE_ROW_DENIED_PEER, "other", "", "9.9.9.9", 0},
	{STORE_ROW_DENIED_PEER, "r", "", "nonsense", 0},
	{STORE_ROW_ALLOWED_PEER, "r", "", "10.1.2.3", 0},
	{STORE_ROW_ALLOWED_PEER, "r", "", "8.8.8.8", 0},
	{STORE_ROW_OPTION, "r", "max-bps", "", 1000},
	{STORE_ROW_OPTION, "", "max-bps", "", 2000},
	{STORE_ROW_OPTION, "", "user-quota", "", 3},
	{STORE_ROW_OPTION, "other", "total-quota", "", 4},
	{STORE_ROW_OPTION, "r", "colour", "", 5},
	{STORE_ROW_ORIGIN, "r", "http://a:80", "", 0},
};

static bool allows(const struct turn_policy *p, const char *ip)
{
	struct addr a;
	assert_int_equal(addr_parse_ip(&a, slice_str(ip), 1), 0);
	return turn_policy_allows(p, &a);
}

static void rows_are_taken(void **st)
{
	(void)st;
	const char *const always[] = {"8.8.8.8"};
	struct turn_settings s = {.quota = {.allocations_per_user = 7, .allocations_total = 8}};
	struct turn_policy *p;
	struct errbuf eb;
	s.turnd.turn.allocation_bytes_per_s = 9;
	struct turn_rules *r = turn_rules_new("r", true, rows, ARRAY_LEN(rows));
	assert_int_equal(r->bad_ranges, 1);
	assert_int_equal(r->other_realms, 2);
	assert_int_equal(r->unknown_options, 1);
	assert_int_equal(r->origins, 1);
	assert_int_equal(turn_rules_bytes_per_s(r, &s), 1000); /* the realm's own wins, whatever the order */
	struct turn_quota_cfg q = turn_rules_quota(r, &s);
	assert_int_equal(q.allocations_per_user, 3);
	assert_int_equal(q.allocations_total, 8);
	assert_int_equal(turn_rules_policy(r, &s, &p, &eb), 0);
	assert_true(allows(p, "10.1.2.3") && allows(p, "8.8.8.8") && allows(p, "9.9.9.9"));
	assert_false(allows(p, "8.8.8.7") || allows(p, "203.0.114.1") || allows(p, "10.1.2.4"));
	turn_policy_free(p);
	s.peers.deny_always = always;
	s.peers.n_deny_always = 1;
	assert_int_equal(turn_rules_policy(r, &s, &p, &eb), 0);
	assert_false(allows(p, "8.8.8.8"));
	turn_policy_free(p);
	assert_int_equal(turn_rules_bytes_per_s(NULL, &s), 9);
	assert_int_equal(turn_rules_quota(NULL, &s).allocations_per_user, 7);
	turn_rules_unref(r);
}

static void without_peers(void **st)
{
	(void)st;
	struct turn_rules *r = turn_rules_new("r", false, rows, ARRAY_LEN(rows));
	assert_int_equal(r->n_allow + r->n_deny + r->bad_ranges, 0);
	assert_true(r->max_bps.is_set);
	turn_rules_unref(r);
}

static void sameness(void **st)
{
	(void)st;
	struct turn_rules *a = turn_rules_new("r", true, rows, ARRAY_LEN(rows)),
			  *none = turn_rules_new("r", true, rows, 0);
	assert_true(turn_rules_same(a, a) && turn_rules_same(none, NULL));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct store_row changed[ARRAY_LEN(rows)];
		size_t n = 0;
		for (size_t k = 0; k < ARRAY_LEN(rows); k++)
			if (k != i)
				changed[n++] = rows[k];
		struct turn_rules *b = turn_rules_new("r", true, changed, n);
		/* The realm's max-bps hides that of "". */
		assert_int_equal(turn_rules_same(a, b), i == 7);
		turn_rules_unref(b);
	}
	turn_rules_unref(a);
	turn_rules_unref(none);
	turn_rules_unref(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_taken),
		cmocka_unit_test(without_peers),
		cmocka_unit_test(sameness),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
