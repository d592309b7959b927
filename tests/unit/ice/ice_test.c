#include "fixture.h"

#define LINE_A "candidate:1 1 udp 2122260223 192.0.2.10 4000 typ host"

static void configurations_are_checked(void **st)
{
	static const struct {
		const char *ufrag, *pwd;
		size_t n_locals, n_advertised;
		int err;
	} rows[] = {
		{"abcd", "0123456789012345678901", 1, 0, 0},
		{"abc", "0123456789012345678901", 1, 0, -ERR_RANGE},
		{"abcd", "012345678901234567890", 1, 0, -ERR_RANGE},
		{"ab:cd", "0123456789012345678901", 1, 0, -ERR_RANGE},
		{"ab cd", "0123456789012345678901", 1, 0, -ERR_RANGE},
		{"abcdefghijklmnopqrstuvwxyz0123456", "0123456789012345678901", 1, 0, -ERR_RANGE},
		{"abcd", "0123456789012345678901", 0, 0, -ERR_RANGE},
		{"abcd", "0123456789012345678901", ICE_LOCALS_MAX + 1, 0, -ERR_RANGE},
		{"abcd", "0123456789012345678901", 1, ICE_ADVERTISED_MAX + 1, -ERR_RANGE},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct ice_local locals[ICE_LOCALS_MAX + 1] = {{.base = at("10.0.0.1", 1)}};
		struct ice_cfg cfg;
		struct ice *ice = NULL;
		ice_cfg_default(&cfg);
		locals[0].n_advertised = rows[i].n_advertised;
		cfg.ufrag = rows[i].ufrag;
		cfg.pwd = rows[i].pwd;
		cfg.locals = locals;
		cfg.n_locals = rows[i].n_locals;
		assert_int_equal(ice_new(&ice, &cfg, &fixture_ops, NULL), rows[i].err);
		ice_free(ice);
	}
	ice_free(NULL);
}

static void remote_credentials_are_set_once(void **st)
{
	struct fixture f;
	fixture_begin(&f, true);
	assert_int_equal(ice_set_remote(f.ice, slice_str("abc"), slice_str(THEIR_PWD), f.now_us), -ERR_RANGE);
	assert_int_equal(ice_set_remote(f.ice, slice_str("abcd"), slice_str("short"), f.now_us), -ERR_RANGE);
	assert_int_equal(ice_state(f.ice), ICE_NEW);
	fixture_set_remote(&f);
	assert_int_equal(ice_state(f.ice), ICE_CHECKING);
	fixture_set_remote(&f);
	assert_int_equal(
		ice_set_remote(f.ice, slice_str(THEIR_UFRAG), slice_str(OUR_PWD), f.now_us),
		-ERR_BAD_STATE);
	assert_int_equal(ice_set_remote(f.ice, slice_str("other"), slice_str(THEIR_PWD), f.now_us), -ERR_BAD_STATE);
	assert_int_equal(f.n_states, 1);
	fixture_end(&f);
}

static void the_longest_credentials_work(void **st)
{
	struct fixture f;
	struct stun_msg m;
	char ufrag[ICE_CRED_MAX + 2], pwd[ICE_CRED_MAX + 2], want[ICE_CRED_MAX + 40];
	struct hmac_sha1 key;
	memset(ufrag, 'u', sizeof ufrag);
	memset(pwd, 'p', sizeof pwd);
	fixture_begin(&f, true);
	assert_int_equal(ice_set_remote(f.ice, slice_of(ufrag, ICE_CRED_MAX + 1), slice_of(pwd, 30),
				 f.now_us),
		-ERR_RANGE);
	assert_int_equal(ice_set_remote(f.ice, slice_of(ufrag, 30), slice_of(pwd, ICE_CRED_MAX + 1),
				 f.now_us),
		-ERR_RANGE);
	assert_int_equal(ice_set_remote(f.ice, slice_of(ufrag, ICE_CRED_MAX),
				 slice_of(pwd, ICE_CRED_MAX), f.now_us),
		0);
	assert_int_equal(ice_restart(f.ice, "abcdefghijklmnopqrstuvwxyz012345", OUR_PWD, f.now_us), 0);
	assert_int_equal(ice_set_remote(f.ice, slice_of(ufrag, ICE_CRED_MAX),
				 slice_of(pwd, ICE_CRED_MAX), f.now_us),
		0);
	assert_int_equal(fixture_add(&f, LINE_A), 0);
	fixture_sent(&f, 1, &m);
	snprintf(want, sizeof want, "%.256s:abcdefghijklmnopqrstuvwxyz012345", ufrag);
	assert_true(slice_eq_str(m.username, want));
	hmac_sha1_init(&key, pwd, ICE_CRED_MAX);
	assert_int_equal(stun_verify_integrity(&m, &key), 0);
	fixture_end(&f);
}

static void host_candidates_are_listed(void **st)
{
	struct ice_local locals[3];
	struct ice_cfg cfg;
	struct fixture f;
	struct ice_candidate c[8];
	fixture_cfg(&cfg, locals);
	locals[0].base = at("0.0.0.0", 7000);
	locals[0].advertised[0] = at("203.0.113.1", 7000);
	locals[0].advertised[1] = at("10.0.0.1", 7000);
	locals[0].n_advertised = 2;
	locals[1].base = at("0.0.0.0", 7001);
	fixture_begin_with(&f, &cfg);
	/* The second has nothing to tell; the third tells its base. */
	assert_int_equal(ice_local_candidates(f.ice, c, ARRAY_LEN(c)), 3);
	assert_true(addr_eq(&c[0].addr, &locals[0].advertised[0]));
	assert_true(addr_eq(&c[1].addr, &locals[0].advertised[1]));
	assert_true(addr_eq(&c[2].addr, &locals[2].base));
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(c[i].type, ICE_HOST);
		assert_true(slice_eq_str(c[i].ufrag, OUR_UFRAG));
		assert_int_equal(strlen(c[i].foundation), 8);
		assert_int_equal(c[i].related.sa.sa_family, 0);
	}
	assert_true(c[0].priority > c[1].priority && c[1].priority > c[2].priority);
	assert_string_not_equal(c[0].foundation, c[1].foundation);
	assert_int_equal(ice_local_candidates(f.ice, c, 2), 2);
	assert_int_equal(ice_local_candidates(f.ice, c, 0), 0);
	fixture_end(&f);
}

static void candidates_of_another_generation_are_refused(void **st)
{
	struct fixture f;
	fixture_begin(&f, true);
	assert_int_equal(fixture_add(&f, LINE_A " ufrag " THEIR_UFRAG), 0);
	fixture_set_remote(&f);
	assert_int_equal(fixture_add(&f, LINE_A " ufrag " THEIR_UFRAG), 0);
	assert_int_equal(fixture_add(&f, LINE_A " ufrag other"), -ERR_BAD_STATE);
	assert_int_equal(ice_restart(f.ice, "ours2", OUR_PWD, f.now_us), 0);
	assert_int_equal(fixture_add(&f, LINE_A " ufrag " THEIR_UFRAG), -ERR_BAD_STATE);
	assert_int_equal(fixture_add(&f, LINE_A " ufrag other"), 0);
	assert_int_equal(fixture_add(&f, "candidate:1 1 tcp 1 10.0.0.1 9 typ host"), -ERR_UNSUPPORTED);
	assert_int_equal(fixture_add(&f, "garbage"), -ERR_MALFORMED);
	fixture_end(&f);
}

static void make_connected(struct fixture *f)
{
	struct addr a = at("192.0.2.10", 4000);
	fixture_set_remote(f);
	assert_int_equal(fixture_add(f, LINE_A), 0);
	assert_int_equal(fixture_answer(f, fixture_request_to(f, &a), 0), 0);
	assert_int_equal(f->state, ICE_CONNECTED);
}

static void restart_keeps_the_old_credentials_alive(void **st)
{
	struct fixture f;
	struct stun_msg m;
	struct addr a = at("192.0.2.10", 4000);
	struct ice_candidate c[8];
	fixture_begin(&f, false);
	make_connected(&f);
	assert_int_equal(ice_restart(f.ice, OUR_UFRAG, OUR_PWD, f.now_us), -ERR_EXISTS);
	assert_int_equal(ice_restart(f.ice, "abc", OUR_PWD, f.now_us), -ERR_RANGE);
	assert_int_equal(ice_restart(f.ice, "ours2", "another-password-of-us", f.now_us), 0);
	assert_true(ice_is_local_ufrag(f.ice, slice_str(OUR_UFRAG)));
	assert_true(ice_is_local_ufrag(f.ice, slice_str("ours2")));
	assert_false(ice_is_local_ufrag(f.ice, slice_str("our")));
	assert_true(ice_local_candidates(f.ice, c, ARRAY_LEN(c)) > 0);
	assert_true(slice_eq_str(c[0].ufrag, "ours2"));
	/* Old and new are answered, each with its own password. */
	const char *const pwds[] = {OUR_PWD, "another-password-of-us"};
	const char *const usernames[] = {OUR_UFRAG ":x", "ours2:y"};
	for (unsigned i = 0; i < 4; i++) {
		unsigned n_sent = f.n_sent;
		struct ask ask = {
			.username = usernames[i / 2], .pwd = pwds[i % 2], .is_controlling = true};
		assert_int_equal(fixture_ask(&f, 0, &a, ask), i / 2 == i % 2 ? 0 : -ERR_AUTH);
		assert_int_equal(f.n_sent > n_sent, i / 2 == i % 2);
	}
	/* A second restart before the first came to anything: the pair that carries media stays. */
	assert_int_equal(ice_restart(f.ice, "ours3", "third-password-of-ours", f.now_us), 0);
	assert_true(ice_is_local_ufrag(f.ice, slice_str(OUR_UFRAG)));
	assert_false(ice_is_local_ufrag(f.ice, slice_str("ours2")));
	fixture_wait(&f, 3 * S);
	struct sent *s = fixture_request_to(&f, &a);
	assert_int_equal(stun_parse(&m, slice_of(s->data, s->n)), 0);
	assert_true(slice_eq_str(m.username, THEIR_UFRAG ":" OUR_UFRAG));
	assert_int_equal(fixture_answer(&f, s, 0), 0);
	assert_int_equal(f.state, ICE_CONNECTED);
	assert_int_equal(f.n_selected, 1);
	fixture_end(&f);
}

static void deadlines_are_those_of_the_configuration(void **st)
{
	struct fixture f;
	fixture_begin(&f, false);
	assert_true(ice_next_us(f.ice) == UINT64_MAX);
	make_connected(&f);
	uint64_t heard = f.now_us;
	fixture_wait(&f, 10 * S - 1);
	assert_int_equal(f.state, ICE_CONNECTED);
	fixture_wait(&f, 1);
	assert_int_equal(f.state, ICE_DISCONNECTED);
	fixture_wait(&f, 5 * S - 1);
	assert_int_equal(f.state, ICE_DISCONNECTED);
	fixture_wait(&f, 1);
	assert_int_equal(f.state, ICE_FAILED);
	assert_int_equal(f.now_us - heard, 15 * S);
	unsigned local;
	const struct addr *remote;
	assert_false(ice_selected(f.ice, &local, &remote));
	assert_int_equal(fixture_add(&f, LINE_A), -ERR_BAD_STATE);
	fixture_end(&f);
}

static void consent_expires_whatever_else_is_configured(void **st)
{
	struct ice_local locals[3];
	struct ice_cfg cfg;
	struct fixture f;
	fixture_cfg(&cfg, locals);
	cfg.failed_us = 100 * S;
	fixture_begin_with(&f, &cfg);
	make_connected(&f);
	fixture_wait(&f, 30 * S - 1);
	assert_int_equal(f.state, ICE_DISCONNECTED);
	fixture_wait(&f, 1);
	assert_int_equal(f.state, ICE_FAILED);
	fixture_end(&f);
}

static void a_late_timeout_is_harmless(void **st)
{
	struct fixture f;
	struct addr a = at("192.0.2.10", 4000);
	fixture_begin(&f, true);
	fixture_set_remote(&f);
	assert_int_equal(fixture_add(&f, LINE_A), 0);
	unsigned n_sent = f.n_sent;
	f.now_us += 9 * S;
	ice_timeout(f.ice, f.now_us);
	assert_in_range(f.n_sent - n_sent, 1, 2); /* no burst of what was missed */
	assert_int_equal(fixture_answer(&f, fixture_request_to(&f, &a), 0), 0);
	assert_int_equal(f.state, ICE_CONNECTED);
	f.now_us += 1000 * S;
	ice_timeout(f.ice, f.now_us);
	assert_int_equal(f.state, ICE_FAILED);
	fixture_end(&f);
}

static void states_have_names(void **st)
{
	for (int s = ICE_NEW; s <= ICE_CLOSED; s++)
		assert_string_not_equal(ice_state_name((enum ice_state)s), "?");
	assert_string_equal(ice_state_name((enum ice_state)99), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(configurations_are_checked),
		cmocka_unit_test(remote_credentials_are_set_once),
		cmocka_unit_test(the_longest_credentials_work),
		cmocka_unit_test(host_candidates_are_listed),
		cmocka_unit_test(candidates_of_another_generation_are_refused),
		cmocka_unit_test(restart_keeps_the_old_credentials_alive),
		cmocka_unit_test(deadlines_are_those_of_the_configuration),
		cmocka_unit_test(consent_expires_whatever_else_is_configured),
		cmocka_unit_test(a_late_timeout_is_harmless),
		cmocka_unit_test(states_have_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
