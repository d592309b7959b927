#include "fixture.h"

#define LINE_A "candidate:1 1 udp 2122260223 192.0.2.10 4000 typ host"
#define LINE_B "candidate:2 1 udp 1686052607 192.0.2.20 4001 typ srflx raddr 0.0.0.0 rport 0"

static void a_check_carries_what_rfc8445_wants(void **st)
{
	for (int is_controlling = 0; is_controlling < 2; is_controlling++) {
		struct fixture f;
		struct stun_msg m;
		struct hmac_sha1 key;
		fixture_begin(&f, is_controlling);
		fixture_set_remote(&f);
		assert_int_equal(f.n_sent, 0);
		assert_int_equal(fixture_add(&f, LINE_A), 0);
		assert_int_equal(f.n_sent, 1);
		const struct sent *s = fixture_sent(&f, 1, &m);
		struct addr a = at("192.0.2.10", 4000);
		assert_true(addr_eq(&s->to, &a));
		assert_int_equal(s->local, 0);
		assert_int_equal(m.class, STUN_REQUEST);
		assert_true(slice_eq_str(m.username, THEIR_UFRAG ":" OUR_UFRAG));
		assert_int_equal(m.priority, ice_priority(ICE_PRFLX, 65535));
		assert_int_equal(stun_has(&m, STUN_ATTR_ICE_CONTROLLING), is_controlling);
		assert_int_equal(stun_has(&m, STUN_ATTR_ICE_CONTROLLED), !is_controlling);
		assert_true(m.tie_breaker == 1000);
		assert_false(stun_has(&m, STUN_ATTR_USE_CANDIDATE));
		hmac_sha1_init(&key, THEIR_PWD, strlen(THEIR_PWD));
		assert_int_equal(stun_verify_integrity(&m, &key), 0);
		assert_true(m.fingerprint_at > 0);
		fixture_end(&f);
	}
}

static void checks_are_paced_and_the_best_goes_first(void **st)
{
	struct fixture f;
	struct stun_msg m;
	fixture_begin(&f, true);
	assert_int_equal(fixture_add(&f, LINE_B), 0);
	assert_int_equal(fixture_add(&f, LINE_A), 0);
	assert_int_equal(f.n_sent, 0);
	fixture_set_remote(&f);
	fixture_wait(&f, 400 * MS);
	/* Two candidates and two sockets of their family. */
	assert_int_equal(f.n_sent, 4);
	struct addr a = at("192.0.2.10", 4000), b = at("192.0.2.20", 4001);
	const struct addr *want[] = {&a, &a, &b, &b};
	for (unsigned i = 0; i < 4; i++) {
		const struct sent *s = fixture_sent(&f, 4 - i, &m);
		assert_true(addr_eq(&s->to, want[i]));
		assert_int_equal(s->local, i % 2);
		assert_int_equal(s->at_us, START + i * 20 * MS);
	}
	fixture_end(&f);
}

static void retransmissions_slow_down_and_end(void **st)
{
	static const unsigned at_ms[] = {0, 500, 1500, 3500, 5500, 7500, 9500};
	struct ice_local locals[3];
	struct ice_cfg cfg;
	struct fixture f;
	struct stun_msg m, first;
	fixture_cfg(&cfg, locals);
	cfg.n_locals = 1;
	cfg.initial_timeout_us = 60 * S;
	fixture_begin_with(&f, &cfg);
	fixture_set_remote(&f);
	assert_int_equal(fixture_add(&f, LINE_A), 0);
	fixture_wait(&f, 59 * S);
	assert_int_equal(f.n_sent, ARRAY_LEN(at_ms));
	fixture_sent(&f, f.n_sent, &first);
	for (unsigned i = 0; i < f.n_sent; i++) {
		const struct sent *s = fixture_sent(&f, f.n_sent - i, &m);
		assert_int_equal(s->at_us, START + (uint64_t)at_ms[i] * MS);
		assert_true(slice_eq(m.raw, first.raw));
	}
	assert_int_equal(f.state, ICE_CHECKING);
	fixture_wait(&f, 2 * S);
	assert_int_equal(f.state, ICE_FAILED);
	fixture_end(&f);
}

static void many_checks_are_repeated_less_often(void **st)
{
	struct fixture f;
	fixture_begin(&f, true);
	for (unsigned i = 0; i < ICE_REMOTES_MAX; i++) {
		char line[100];
		snprintf(line, sizeof line, "candidate:1 1 udp %u 192.0.2.%u 4000 typ host", 1000 + i, 1 + i);
		assert_int_equal(fixture_add(&f, line), 0);
	}
	fixture_set_remote(&f);
	fixture_wait(&f, 1250 * MS);
	/* 64 pairs at 20 ms: the first retransmission is due after 64 * 20 ms. */
	assert_in_range(f.n_sent, 60, 64);
	fixture_end(&f);
}

static void controlling_agent_nominates_after_a_moment(void **st)
{
	struct fixture f;
	struct stun_msg m;
	struct addr a = at("192.0.2.10", 4000), b = at("192.0.2.20", 4001);
	fixture_begin(&f, true);
	fixture_set_remote(&f);
	assert_int_equal(fixture_add(&f, LINE_A), 0);
	assert_int_equal(fixture_add(&f, LINE_B), 0);
	fixture_wait(&f, 70 * MS);
	/* The worse one answers first: it carries media at once, but is not the choice yet. */
	assert_int_equal(fixture_answer(&f, fixture_request_to(&f, &b), 0), 0);
	assert_int_equal(f.state, ICE_CONNECTED);
	assert_true(addr_eq(&f.selected, &b));
	fixture_wait(&f, 50 * MS);
	assert_int_equal(fixture_answer(&f, fixture_request_to(&f, &a), 0), 0);
	assert_true(addr_eq(&f.selected, &a));
	fixture_wait(&f, 49 * MS);
	fixture_sent(&f, 1, &m);
	assert_false(stun_has(&m, STUN_ATTR_USE_CANDIDATE));
	fixture_wait(&f, 1 * MS);
	const struct sent *s = fixture_sent(&f, 1, &m);
	assert_true(stun_has(&m, STUN_ATTR_USE_CANDIDATE));
	assert_true(addr_eq(&s->to, &a));
	/* Repeated until it is answered. */
	unsigned n_sent = f.n_sent;
	fixture_wait(&f, 600 * MS);
	assert_true(f.n_sent > n_sent);
	s = fixture_request_to(&f, &a);
	assert_int_equal(fixture_answer(&f, s, 0), 0);
	assert_int_equal(f.n_selected, 2);
	fixture_end(&f);
}

static void nomination_is_at_once_when_nothing_better_can_come(void **st)
{
	struct fixture f;
	struct stun_msg m;
	struct addr a = at("192.0.2.10", 4000);
	fixture_begin(&f, true);
	fixture_set_remote(&f);
	assert_int_equal(fixture_add(&f, LINE_A), 0);
	ice_end_of_remote_candidates(f.ice, f.now_us);
	assert_int_equal(fixture_answer(&f, fixture_request_to(&f, &a), 0), 0);
	fixture_sent(&f, 1, &m);
	assert_true(stun_has(&m, STUN_ATTR_USE_CANDIDATE));
	fixture_end(&f);
}

static void consent_is_asked_at_random_intervals(void **st)
{
	struct ice_local locals[3];
	struct ice_cfg cfg;
	struct fixture f;
	struct addr a = at("192.0.2.10", 4000);
	fixture_cfg(&cfg, locals);
	cfg.n_locals = 1;
	fixture_begin_with(&f, &cfg);
	fixture_set_remote(&f);
	assert_int_equal(fixture_add(&f, LINE_A), 0);
	uint64_t shortest = UINT64_MAX, longest = 0;
	assert_int_equal(fixture_answer(&f, fixture_request_to(&f, &a), 0), 0);
	for (unsigned i = 0; i < 300; i++) {
		uint64_t heard = f.now_us;
		unsigned n_sent = f.n_sent;
		while (f.n_sent == n_sent)
			fixture_wait(&f, ice_next_us(f.ice) - f.now_us);
		assert_int_equal(f.n_sent, n_sent + 1);
		shortest = MIN(shortest, f.now_us - heard);
		longest = MAX(longest, f.now_us - heard);
		fixture_wait(&f, 30 * MS);
		assert_int_equal(fixture_answer(&f, fixture_request_to(&f, &a), 0), 0);
	}
	assert_in_range(shortest, 1600 * MS, 1650 * MS);
	assert_in_range(longest, 2350 * MS, 2400 * MS);
	assert_int_equal(f.state, ICE_CONNECTED);
	assert_int_equal(f.n_states, 2);
	assert_in_range(ice_rtt_us(f.ice), 29 * MS, 30 * MS);
	fixture_end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_check_carries_what_rfc8445_wants),
		cmocka_unit_test(checks_are_paced_and_the_best_goes_first),
		cmocka_unit_test(retransmissions_slow_down_and_end),
		cmocka_unit_test(many_checks_are_repeated_less_often),
		cmocka_unit_test(controlling_agent_nominates_after_a_moment),
		cmocka_unit_test(nomination_is_at_once_when_nothing_better_can_come),
		cmocka_unit_test(consent_is_asked_at_random_intervals),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
