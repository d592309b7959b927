#include "fixture.h"

#define LINE_A "candidate:1 1 udp 2122260223 192.0.2.10 4000 typ host"

static void requests_are_answered_before_anything_is_signalled(void **st)
{
	static const char *const ips[] = {"192.0.2.10", "2001:db8::99"};
	for (unsigned i = 0; i < ARRAY_LEN(ips); i++) {
		struct fixture f;
		struct stun_msg m;
		struct hmac_sha1 key;
		struct addr from = at(ips[i], 4000);
		fixture_begin(&f, false);
		assert_int_equal(
			fixture_ask(&f, i * 2, &from, (struct ask){.is_controlling = true}), 0);
		assert_int_equal(f.n_sent, 1);
		const struct sent *s = fixture_sent(&f, 1, &m);
		assert_int_equal(m.class, STUN_SUCCESS);
		assert_memory_equal(m.tid, "ask", 3);
		assert_int_equal(s->local, i * 2);
		assert_true(addr_eq(&s->to, &from));
		assert_true(addr_eq(&m.mapped, &from));
		hmac_sha1_init(&key, OUR_PWD, strlen(OUR_PWD));
		assert_int_equal(stun_verify_integrity(&m, &key), 0);
		assert_true(m.fingerprint_at > 0);
		assert_int_equal(f.n_states, 0);
		/* Remembered: the check back leaves as soon as there is a password for it. */
		fixture_set_remote(&f);
		s = fixture_sent(&f, 1, &m);
		assert_int_equal(m.class, STUN_REQUEST);
		assert_true(addr_eq(&s->to, &from));
		assert_int_equal(f.state, ICE_CHECKING);
		assert_int_equal(fixture_answer(&f, s, 0), 0);
		assert_int_equal(f.state, ICE_CONNECTED);
		assert_int_equal(f.selected_local, i * 2);
		assert_true(addr_eq(&f.selected, &from));
		fixture_end(&f);
	}
}

static void what_is_not_authentic_gets_no_answer(void **st)
{
	static const struct ask asks[] = {
		{.pwd = "not-their-password-not", .is_controlling = true},
		{.username = "others:" THEIR_UFRAG, .is_controlling = true},
		{.username = THEIR_UFRAG ":" OUR_UFRAG, .is_controlling = true},
		{.username = OUR_UFRAG, .is_controlling = true},
		{.username = "", .is_controlling = true},
		{.without_integrity = true, .is_controlling = true},
	};
	struct fixture f;
	struct addr from = at("192.0.2.10", 4000);
	fixture_begin(&f, false);
	fixture_set_remote(&f);
	for (size_t i = 0; i < ARRAY_LEN(asks); i++)
		assert_int_equal(fixture_ask(&f, 0, &from, asks[i]), -ERR_AUTH);
	fixture_wait(&f, 1 * S);
	assert_int_equal(f.n_sent, 0);
	fixture_end(&f);
}

static void broken_requests_of_the_peer_get_an_error(void **st)
{
	struct fixture f;
	struct stun_msg m;
	struct addr from = at("192.0.2.10", 4000);
	fixture_begin(&f, false);
	assert_int_equal(
		fixture_ask(&f, 0, &from, (struct ask){.without_priority = true}), -ERR_MALFORMED);
	fixture_sent(&f, 1, &m);
	assert_int_equal(m.error_code, 400);
	assert_int_equal(
		fixture_ask(&f, 0, &from, (struct ask){.priority = UINT32_MAX}), -ERR_MALFORMED);

	uint8_t mem[200];
	struct stun_writer w;
	struct slice d;
	struct hmac_sha1 key;
	hmac_sha1_init(&key, OUR_PWD, strlen(OUR_PWD));
	stun_begin(&w, mem, sizeof mem, STUN_BINDING, STUN_REQUEST, (const uint8_t *)"abcdefghijkl");
	stun_put(&w, STUN_ATTR_USERNAME, OUR_UFRAG ":x", sizeof OUR_UFRAG + 1);
	stun_put(&w, STUN_ATTR_USE_CANDIDATE, NULL, 0);
	wr16(mem + w.n - 4, 0x7abc);
	assert_int_equal(stun_seal(&w, &key, &d), 0);
	assert_int_equal(fixture_rx(&f, 0, &from, d), -ERR_UNSUPPORTED);
	fixture_sent(&f, 1, &m);
	assert_int_equal(m.error_code, 420);
	assert_true(slice_eq(m.refused, slice_of("\x7a\xbc", 2)));
	assert_int_equal(stun_verify_integrity(&m, &key), 0);

	/* The same with a fingerprint that is wrong: damaged on the way, so nothing in it counts. */
	mem[d.n - 1] ^= 1;
	unsigned n_sent = f.n_sent;
	assert_int_equal(fixture_rx(&f, 0, &from, d), -ERR_MALFORMED);
	assert_int_equal(f.n_sent, n_sent);
	assert_int_equal(fixture_ask(&f, 3, &from, (struct ask){0}), -ERR_BAD_STATE);
	fixture_end(&f);
}

static void other_methods_and_indications_do_nothing(void **st)
{
	struct fixture f;
	struct addr from = at("192.0.2.10", 4000);
	uint8_t mem[100];
	struct stun_writer w;
	struct slice d;
	fixture_begin(&f, false);
	stun_begin(&w, mem, sizeof mem, (enum stun_method)3, STUN_REQUEST, (const uint8_t *)"abcdefghijkl");
	assert_int_equal(stun_seal(&w, NULL, &d), 0);
	assert_int_equal(fixture_rx(&f, 0, &from, d), -ERR_UNSUPPORTED);
	stun_begin(&w, mem, sizeof mem, STUN_BINDING, STUN_INDICATION, (const uint8_t *)"abcdefghijkl");
	assert_int_equal(stun_seal(&w, NULL, &d), 0);
	assert_int_equal(fixture_rx(&f, 0, &from, d), 0);
	assert_int_equal(f.n_sent, 0);
	fixture_end(&f);
}

/* Our tie-breaker is 1000. RFC 8445 §7.3.1.1 */
static void role_conflicts_in_requests(void **st)
{
	static const struct {
		bool is_controlling; /* both */
		uint64_t tie_breaker;
		bool controls_then;
		unsigned error;
	} rows[] = {
		{true, 999, true, 487}, {true, 1000, true, 487}, {true, 1001, false, 0},
		{false, 999, true, 0}, {false, 1000, true, 0}, {false, 1001, false, 487},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fixture f;
		struct stun_msg m;
		struct addr from = at("192.0.2.10", 4000);
		fixture_begin(&f, rows[i].is_controlling);
		fixture_set_remote(&f);
		assert_int_equal(fixture_ask(&f, 0, &from,
					 (struct ask){.is_controlling = rows[i].is_controlling,
						 .tie_breaker = rows[i].tie_breaker}),
			0);
		fixture_sent(&f, rows[i].error ? 1 : 2, &m); /* without an error a triggered check follows */
		assert_int_equal(m.error_code, rows[i].error);
		assert_int_equal(ice_is_controlling(f.ice), rows[i].controls_then);
		fixture_end(&f);
	}
}

static void a_487_turns_the_role_once(void **st)
{
	struct fixture f;
	struct stun_msg m;
	struct addr a = at("192.0.2.10", 4000);
	fixture_begin(&f, true);
	fixture_set_remote(&f);
	assert_int_equal(fixture_add(&f, LINE_A), 0);
	fixture_wait(&f, 100 * MS);
	assert_int_equal(f.n_sent, 2);
	struct sent first = *fixture_sent(&f, 2, &m), second = *fixture_sent(&f, 1, &m);
	assert_int_equal(fixture_answer(&f, &first, STUN_ERR_ROLE_CONFLICT), 0);
	assert_false(ice_is_controlling(f.ice));
	/* The other check was sent in the old role as well: its 487 is no news. */
	assert_int_equal(fixture_answer(&f, &second, STUN_ERR_ROLE_CONFLICT), 0);
	assert_false(ice_is_controlling(f.ice));
	fixture_wait(&f, 100 * MS);
	fixture_request_to(&f, &a);
	fixture_sent(&f, 1, &m);
	assert_true(stun_has(&m, STUN_ATTR_ICE_CONTROLLED));
	fixture_end(&f);
}

static void answers_have_to_match(void **st)
{
	struct fixture f;
	struct stun_msg m;
	fixture_begin(&f, false);
	fixture_set_remote(&f);
	assert_int_equal(fixture_add(&f, LINE_A), 0);
	struct sent check = *fixture_sent(&f, 1, &m), wrong = check;
	wrong.to = at("192.0.2.10", 4001);
	assert_int_equal(fixture_answer(&f, &wrong, 0), -ERR_NOT_FOUND);
	wrong = check;
	wrong.local = 1;
	assert_int_equal(fixture_answer(&f, &wrong, 0), -ERR_NOT_FOUND);
	wrong = check;
	wrong.data[STUN_TID_AT] ^= 1;
	assert_int_equal(fixture_answer(&f, &wrong, 0), -ERR_NOT_FOUND);
	assert_int_equal(f.state, ICE_CHECKING);
	assert_int_equal(fixture_answer(&f, &check, 0), 0);
	assert_int_equal(f.state, ICE_CONNECTED);
	/* The same again is nothing: it cannot stand for a later consent. */
	assert_int_equal(fixture_answer(&f, &check, 0), -ERR_NOT_FOUND);
	fixture_end(&f);
}

static void answers_without_the_peers_password_do_not_count(void **st)
{
	struct fixture f;
	struct stun_msg m;
	uint8_t mem[200];
	struct stun_writer w;
	struct slice d;
	struct hmac_sha1 key;
	struct addr mapped = at("10.0.0.1", 7000);
	fixture_begin(&f, true);
	fixture_set_remote(&f);
	assert_int_equal(fixture_add(&f, LINE_A), 0);
	struct sent check = *fixture_sent(&f, 1, &m);
	/* Our own password must not do either: else a reflected answer would. */
	hmac_sha1_init(&key, OUR_PWD, strlen(OUR_PWD));
	for (unsigned i = 0; i < 4; i++) {
		stun_begin(&w, mem, sizeof mem, STUN_BINDING, i & 1 ? STUN_ERROR : STUN_SUCCESS,
			check.data + STUN_TID_AT);
		stun_put_xor_addr(&w, STUN_ATTR_XOR_MAPPED_ADDRESS, &mapped);
		if (i & 1)
			stun_put_error(&w, STUN_ERR_ROLE_CONFLICT, "");
		assert_int_equal(stun_seal(&w, i & 2 ? &key : NULL, &d), 0);
		assert_int_equal(fixture_rx(&f, check.local, &check.to, d), -ERR_AUTH);
	}
	assert_int_equal(f.state, ICE_CHECKING);
	assert_true(ice_is_controlling(f.ice));
	assert_int_equal(fixture_answer(&f, &check, 0), 0);
	assert_int_equal(f.state, ICE_CONNECTED);
	fixture_end(&f);
}

static void a_late_answer_to_the_check_before_counts(void **st)
{
	struct fixture f;
	struct stun_msg m;
	struct addr a = at("192.0.2.10", 4000);
	fixture_begin(&f, false);
	fixture_set_remote(&f);
	assert_int_equal(fixture_add(&f, LINE_A), 0);
	struct sent check = *fixture_sent(&f, 1, &m);
	fixture_wait(&f, 400 * MS);
	/* The peer's request starts a new check while the first is still open. */
	assert_int_equal(fixture_ask(&f, 0, &a, (struct ask){.is_controlling = true}), 0);
	fixture_wait(&f, 50 * MS);
	assert_true(memcmp(fixture_request_to(&f, &a)->data, check.data, STUN_HDR_LEN) != 0);
	assert_int_equal(fixture_answer(&f, &check, 0), 0);
	assert_int_equal(f.state, ICE_CONNECTED);
	fixture_end(&f);
}

static void an_error_ends_a_check_but_not_a_selected_pair(void **st)
{
	struct fixture f;
	struct addr a = at("192.0.2.10", 4000);
	struct ice_local locals[3];
	struct ice_cfg cfg;
	fixture_cfg(&cfg, locals);
	cfg.n_locals = 1;
	fixture_begin_with(&f, &cfg);
	fixture_set_remote(&f);
	assert_int_equal(fixture_add(&f, LINE_A), 0);
	assert_int_equal(fixture_answer(&f, fixture_request_to(&f, &a), STUN_ERR_BAD_REQUEST), 0);
	fixture_wait(&f, 5 * S);
	assert_int_equal(f.n_sent, 1);
	/* The peer comes after all. */
	assert_int_equal(fixture_ask(&f, 0, &a, (struct ask){.is_controlling = true}), 0);
	assert_int_equal(fixture_answer(&f, fixture_request_to(&f, &a), 0), 0);
	assert_int_equal(f.state, ICE_CONNECTED);
	unsigned n_sent = f.n_sent;
	for (unsigned i = 0; i < 4; i++) {
		fixture_wait(&f, 2500 * MS);
		assert_true(f.n_sent > n_sent);
		n_sent = f.n_sent;
		(void)fixture_answer(&f, fixture_request_to(&f, &a), STUN_ERR_SERVER);
	}
	/* Errors are no consent. */
	assert_int_equal(f.state, ICE_DISCONNECTED);
	fixture_end(&f);
}

static void answers_are_not_larger_than_requests(void **st)
{
	struct fixture f;
	struct addr from = at("2001:db8::99", 4000);
	fixture_begin(&f, false);
	assert_int_equal(fixture_ask(&f, 2, &from, (struct ask){.is_controlling = true}), 0);
	/* Header, USERNAME, PRIORITY, role, integrity, fingerprint. */
	assert_in_range(f.sent[0].n, 1, 20 + 16 + 8 + 12 + 24 + 8);
	fixture_end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_are_answered_before_anything_is_signalled),
		cmocka_unit_test(what_is_not_authentic_gets_no_answer),
		cmocka_unit_test(broken_requests_of_the_peer_get_an_error),
		cmocka_unit_test(other_methods_and_indications_do_nothing),
		cmocka_unit_test(role_conflicts_in_requests),
		cmocka_unit_test(a_487_turns_the_role_once),
		cmocka_unit_test(answers_have_to_match),
		cmocka_unit_test(answers_without_the_peers_password_do_not_count),
		cmocka_unit_test(a_late_answer_to_the_check_before_counts),
		cmocka_unit_test(an_error_ends_a_check_but_not_a_selected_pair),
		cmocka_unit_test(answers_are_not_larger_than_requests),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
