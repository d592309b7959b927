#include "fixture.h"

#define LINE_A "candidate:1 1 udp 2122260223 192.0.2.10 4000 typ host"
#define LINE_B "candidate:2 1 udp 1686052607 192.0.2.20 4001 typ srflx"
#define LINE_6 "candidate:3 1 udp 2122260223 2001:db8::99 4002 typ host"

static const struct ask ask_plain = {.is_controlling = true};
static const struct ask ask_nominating = {.is_controlling = true, .use_candidate = true};

static void only_sockets_of_the_family_are_paired(void **st)
{
	struct fixture f;
	struct stun_msg m;
	fixture_begin(&f, true);
	fixture_set_remote(&f);
	assert_int_equal(fixture_add(&f, LINE_6), 0);
	assert_int_equal(fixture_add(&f, LINE_6), 0);
	fixture_wait(&f, 300 * MS);
	assert_int_equal(f.n_sent, 1);
	assert_int_equal(fixture_sent(&f, 1, &m)->local, 2);
	fixture_end(&f);
}

static void remote_candidates_are_limited(void **st)
{
	struct fixture f;
	char line[100];
	fixture_begin(&f, true);
	for (unsigned i = 0; i < ICE_REMOTES_MAX + 5; i++) {
		snprintf(line, sizeof line, "candidate:1 1 udp 1000 192.0.2.%u 4000 typ host", 1 + i);
		assert_int_equal(fixture_add(&f, line), i < ICE_REMOTES_MAX ? 0 : -ERR_NO_ROOM);
	}
	/* One that the peer proves to be real finds a place. */
	struct addr from = at("198.51.100.1", 5);
	assert_int_equal(fixture_ask(&f, 0, &from, (struct ask){0}), 0);
	fixture_set_remote(&f);
	struct stun_msg m;
	assert_true(addr_eq(&fixture_sent(&f, 1, &m)->to, &from));
	fixture_end(&f);
}

static void many_peer_reflexive_addresses_do_not_displace_what_works(void **st)
{
	struct fixture f;
	struct addr a = at("192.0.2.10", 4000);
	fixture_begin(&f, false);
	fixture_set_remote(&f);
	assert_int_equal(fixture_add(&f, LINE_A), 0);
	assert_int_equal(fixture_ask(&f, 0, &a, ask_nominating), 0);
	assert_int_equal(fixture_answer(&f, fixture_request_to(&f, &a), 0), 0);
	assert_true(addr_eq(&f.selected, &a));
	unsigned n_ok = 0;
	for (unsigned i = 0; i < 500; i++) {
		struct addr from = at("198.51.100.1", (uint16_t)(1000 + i));
		int err = fixture_ask(&f, i % 2, &from, ask_plain);
		assert_true(err == 0 || err == -ERR_NO_ROOM);
		n_ok += err == 0;
		fixture_wait(&f, 10 * MS);
	}
	assert_true(n_ok >= ICE_REMOTES_MAX - 1);
	assert_int_equal(f.n_selected, 1);
	/* Its consent goes on. */
	assert_int_equal(fixture_answer(&f, fixture_request_to(&f, &a), 0), 0);
	assert_int_equal(f.state, ICE_CONNECTED);
	fixture_end(&f);
}

static void nomination_before_our_check_is_remembered(void **st)
{
	struct fixture f;
	struct addr a = at("192.0.2.10", 4000), b = at("192.0.2.20", 4001);
	fixture_begin(&f, false);
	fixture_set_remote(&f);
	assert_int_equal(fixture_add(&f, LINE_A), 0);
	assert_int_equal(fixture_add(&f, LINE_B), 0);
	fixture_wait(&f, 100 * MS);
	assert_int_equal(fixture_ask(&f, 0, &b, ask_nominating), 0);
	fixture_wait(&f, 300 * MS);
	assert_int_equal(f.n_selected, 0);
	assert_int_equal(fixture_answer(&f, fixture_request_to(&f, &a), 0), 0);
	assert_true(addr_eq(&f.selected, &a)); /* good enough until the peer has chosen */
	assert_int_equal(fixture_ask(&f, 0, &b, ask_nominating), 0);
	fixture_wait(&f, 30 * MS);
	struct sent *s = fixture_request_to(&f, &b);
	assert_int_equal(s->local, 0);
	assert_int_equal(fixture_answer(&f, s, 0), 0);
	assert_true(addr_eq(&f.selected, &b));
	fixture_end(&f);
}

/* The pair 0-`remote` works and the peer says so. */
static void make_work(struct fixture *f, const struct addr *remote, struct ask ask)
{
	assert_int_equal(fixture_ask(f, 0, remote, ask), 0);
	fixture_wait(f, 40 * MS);
	for (unsigned n = 1; n <= f->n_sent; n++) {
		struct stun_msg m;
		struct sent *s = fixture_sent(f, n, &m);
		if (m.class != STUN_REQUEST || s->local != 0 || !addr_eq(&s->to, remote))
			continue;
		assert_int_equal(fixture_answer(f, s, 0), 0);
		return;
	}
	fail();
}

static void aggressive_nomination_ends_on_the_best_pair(void **st)
{
	for (unsigned order = 0; order < 2; order++) {
		struct fixture f;
		struct addr a = at("192.0.2.10", 4000), b = at("192.0.2.20", 4001);
		fixture_begin(&f, false);
		fixture_set_remote(&f);
		assert_int_equal(fixture_add(&f, LINE_A), 0);
		assert_int_equal(fixture_add(&f, LINE_B), 0);
		fixture_wait(&f, 300 * MS);
		make_work(&f, order ? &a : &b, ask_nominating);
		make_work(&f, order ? &b : &a, ask_nominating);
		assert_true(addr_eq(&f.selected, &a));
		assert_int_equal(f.n_selected, order ? 1 : 2);
		fixture_end(&f);
	}
}

/* A peer that changes networks nominates again without a restart, a worse pair too. */
static void a_later_nomination_moves_media(void **st)
{
	struct fixture f;
	struct addr a = at("192.0.2.10", 4000), b = at("192.0.2.20", 4001);
	fixture_begin(&f, false);
	fixture_set_remote(&f);
	assert_int_equal(fixture_add(&f, LINE_A), 0);
	assert_int_equal(fixture_add(&f, LINE_B), 0);
	fixture_wait(&f, 300 * MS);
	make_work(&f, &a, ask_nominating);
	assert_true(addr_eq(&f.selected, &a));
	fixture_wait(&f, 1500 * MS);
	make_work(&f, &b, ask_nominating);
	assert_true(addr_eq(&f.selected, &b));
	/* An ordinary check on the old one does not move it back. */
	assert_int_equal(fixture_ask(&f, 0, &a, ask_plain), 0);
	fixture_wait(&f, 100 * MS);
	assert_true(addr_eq(&f.selected, &b));
	fixture_end(&f);
}

static void a_new_path_puts_the_old_one_to_the_question(void **st)
{
	struct fixture f;
	struct stun_msg m;
	struct addr a = at("192.0.2.10", 4000), moved = at("192.0.2.10", 9999);
	fixture_begin(&f, false);
	fixture_set_remote(&f);
	assert_int_equal(fixture_add(&f, LINE_A), 0);
	make_work(&f, &a, ask_nominating);
	unsigned n_sent = f.n_sent;
	assert_int_equal(fixture_ask(&f, 0, &moved, ask_plain), 0);
	/* The answer, consent of the old path, and the triggered check; once only. */
	assert_int_equal(f.n_sent, n_sent + 3);
	assert_true(addr_eq(&fixture_sent(&f, 2, &m)->to, &a));
	assert_true(addr_eq(&fixture_sent(&f, 1, &m)->to, &moved));
	assert_int_equal(fixture_ask(&f, 0, &moved, ask_plain), 0);
	assert_int_equal(f.n_sent, n_sent + 4);
	fixture_end(&f);
}

static void nomination_rests_worse_pairs(void **st)
{
	struct fixture f;
	struct addr a = at("192.0.2.10", 4000);
	fixture_begin(&f, false);
	fixture_set_remote(&f);
	assert_int_equal(fixture_add(&f, LINE_A), 0);
	assert_int_equal(fixture_add(&f, LINE_B), 0);
	fixture_wait(&f, 100 * MS);
	make_work(&f, &a, ask_nominating);
	unsigned n_sent = f.n_sent;
	fixture_wait(&f, 1500 * MS);
	assert_int_equal(f.n_sent, n_sent);
	fixture_end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_sockets_of_the_family_are_paired),
		cmocka_unit_test(remote_candidates_are_limited),
		cmocka_unit_test(many_peer_reflexive_addresses_do_not_displace_what_works),
		cmocka_unit_test(nomination_before_our_check_is_remembered),
		cmocka_unit_test(aggressive_nomination_ends_on_the_best_pair),
		cmocka_unit_test(a_later_nomination_moves_media),
		cmocka_unit_test(nomination_rests_worse_pairs),
		cmocka_unit_test(a_new_path_puts_the_old_one_to_the_question),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
