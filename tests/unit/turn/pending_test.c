#include "../cm.h"
#include "../../turn_kit.h"

static void answer_lookup(struct kit *k, bool is_found)
{
	uint8_t key[16];
	kit_key("carol", key);
	struct turn_lookup_result r = {.is_found = is_found, .key = slice_of(key, sizeof key)};
	uint64_t lookup = k->lookup;
	turn_auth_done(k->auth, lookup, &r, k->now_us);
	turn_auth_ready(k->server, lookup, k->now_us);
}

static void requests_wait_for_the_database(void **st)
{
	(void)st;
	struct turn_cfg cfg = kit_cfg();
	cfg.pending_max = 2;
	struct kit *k = kit_new_with(&cfg, NULL, KIT_LOOKUP);
	struct kit_client c = kit_client(TURN_UDP, 0, 4000, "carol"),
			  d = kit_client(TURN_TCP, 5, 4001, "carol"),
			  e = kit_client(TURN_UDP, 0, 4002, "carol");
	assert_int_equal(kit_allocate(k, &c), -1);
	assert_int_equal(k->n_lookups, 1);
	/* Another worker that passed it on here goes on doing so. */
	assert_true(turn_flow_is_here(k->server, &c.flow));
	assert_false(turn_flow_has_alloc(k->server, &c.flow));
	assert_false(turn_flow_is_here(k->server, &e.flow));
	/* Again, and another that waits for the same. */
	kit_rx(k, &c.flow, k->sealed);
	assert_int_equal(kit_allocate(k, &d), -1);
	assert_int_equal(kit_allocate(k, &e), STUN_ERR_SERVER);
	unsigned n = k->n_answers;
	answer_lookup(k, true);
	assert_int_equal(k->n_answers, n + 2);
	assert_int_equal(turn_alloc_count(k->server), 2);
	assert_int_equal(kit_result(k, n), 0);
	assert_int_equal(kit_allocate(k, &e), 0);
	kit_free(k);
}

static void one_address_does_not_fill_the_queue(void **st)
{
	(void)st;
	struct turn_cfg cfg = kit_cfg();
	cfg.pending_max = 64;
	struct kit *k = kit_new_with(&cfg, NULL, KIT_LOOKUP);
	for (uint16_t i = 0; i < 17; i++) {
		struct kit_client c = kit_client(TURN_UDP, 0, (uint16_t)(4000 + i), "carol");
		assert_int_equal(kit_allocate(k, &c), i < 16 ? -1 : STUN_ERR_SERVER);
	}
	struct kit_client other = kit_client(TURN_UDP, 0, 4000, "carol");
	other.flow.client = kit_addr("198.51.100.8", 4000);
	assert_int_equal(kit_allocate(k, &other), -1);
	/* Nor does it ask the database for names without end. */
	cfg.auth_failures_per_address = 5;
	turn_reload(k->server, &cfg, k->policy);
	unsigned asked = k->n_lookups;
	for (unsigned i = 0; i < 50; i++) {
		char name[16];
		snprintf(name, sizeof name, "guess%u", i);
		struct kit_client c = kit_client(TURN_UDP, 0, (uint16_t)(5000 + i), name);
		(void)kit_allocate(k, &c);
	}
	assert_in_range(k->n_lookups - asked, 1, 5);
	kit_free(k);
}

static void long_requests_do_not_wait(void **st)
{
	(void)st;
	struct turn_cfg cfg = kit_cfg();
	struct kit *k = kit_new_with(&cfg, NULL, KIT_LOOKUP);
	struct kit_client c = kit_client(TURN_UDP, 0, 4000, "carol");
	struct stun_writer w;
	struct slice m;
	static uint8_t big[8192], zeros[4096];
	kit_get_nonce(k, &c);
	stun_begin(&w, big, sizeof big, STUN_ALLOCATE, STUN_REQUEST, (const uint8_t *)"abcdefghijkl");
	stun_put(&w, STUN_ATTR_PADDING, zeros, sizeof zeros);
	stun_put(&w, STUN_ATTR_USERNAME, "carol", 5);
	stun_put(&w, STUN_ATTR_REALM, KIT_REALM, strlen(KIT_REALM));
	stun_put(&w, STUN_ATTR_NONCE, c.nonce, c.nonce_n);
	assert_int_equal(stun_seal(&w, &c.mac, &m), 0);
	unsigned n = k->n_answers;
	kit_rx(k, &c.flow, m);
	assert_int_equal(kit_result(k, n), STUN_ERR_SERVER);
	kit_free(k);
}

static void nobody_waits_on_a_closed_connection(void **st)
{
	(void)st;
	struct turn_cfg cfg = kit_cfg();
	struct kit *k = kit_new_with(&cfg, NULL, KIT_LOOKUP);
	struct kit_client c = kit_client(TURN_TCP, 5, 4000, "carol");
	assert_int_equal(kit_allocate(k, &c), -1);
	turn_flow_closed(k->server, &c.flow);
	unsigned n = k->n_answers;
	answer_lookup(k, true);
	assert_int_equal(k->n_answers, n);
	assert_int_equal(turn_alloc_count(k->server), 0);
	kit_free(k);
}

static void an_unknown_user_is_told(void **st)
{
	(void)st;
	struct turn_cfg cfg = kit_cfg();
	struct kit *k = kit_new_with(&cfg, NULL, KIT_LOOKUP);
	struct kit_client c = kit_client(TURN_UDP, 0, 4000, "carol");
	assert_int_equal(kit_allocate(k, &c), -1);
	unsigned n = k->n_answers;
	answer_lookup(k, false);
	assert_int_equal(kit_result(k, n), STUN_ERR_UNAUTHENTICATED);
	kit_free(k);
}

static void a_silent_database_is_given_up(void **st)
{
	(void)st;
	struct turn_cfg cfg = kit_cfg();
	struct kit *k = kit_new_with(&cfg, NULL, KIT_LOOKUP);
	struct kit_client c = kit_client(TURN_UDP, 0, 4000, "carol");
	uint64_t before = metric_sum(M_TURN_PENDING);
	assert_int_equal(kit_allocate(k, &c), -1);
	assert_int_equal(metric_sum(M_TURN_PENDING), before + 1);
	kit_wait(k, 42000000);
	assert_int_equal(metric_sum(M_TURN_PENDING), before);
	kit_free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_wait_for_the_database),
		cmocka_unit_test(one_address_does_not_fill_the_queue),
		cmocka_unit_test(long_requests_do_not_wait),
		cmocka_unit_test(nobody_waits_on_a_closed_connection),
		cmocka_unit_test(an_unknown_user_is_told),
		cmocka_unit_test(a_silent_database_is_given_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
