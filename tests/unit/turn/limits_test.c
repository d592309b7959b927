#include "../cm.h"
#include "../../turn_kit.h"
#include "turn/turn_internal.h"

static void answers_are_not_longer_than_questions(void **st)
{
	(void)st;
	struct turn_cfg cfg = kit_cfg();
	cfg.unauthenticated_bytes_per_s = 1000;
	struct kit *k = kit_new_with(&cfg, NULL, KIT_USERS);
	struct kit_client c = kit_client(TURN_UDP, 0, 4000, "alice"),
			  d = kit_client(TURN_TCP, 4, 4000, "alice");
	size_t asked = 0, answered = 0;
	unsigned answers = 0;
	for (unsigned i = 0; i < 1000; i++) {
		kit_begin(k, &c, STUN_ALLOCATE);
		if (kit_send_plain(k, &c) >= 0) {
			answered += k->answer_n;
			answers++;
		}
		asked += k->sealed.n;
		kit_wait(k, 10000);
	}
	assert_true(answered <= asked + 11 * 1000);
	assert_true(answers > 100 && answers < 1000);
	/* A TCP client is where it says it is; a user who proved himself too. */
	for (unsigned i = 0; i < 100; i++) {
		kit_begin(k, &d, STUN_ALLOCATE);
		assert_int_equal(kit_send_plain(k, &d), STUN_ERR_UNAUTHENTICATED);
	}
	kit_wait(k, 1000000);
	assert_int_equal(kit_allocate(k, &c), 0);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(kit_refresh(k, &c, 600), 0);
	kit_free(k);
}

/* Where nobody needs a password nobody has proved his address either. */
static void nor_are_they_without_passwords(void **st)
{
	(void)st;
	struct turn_cfg cfg = kit_cfg();
	cfg.unauthenticated_bytes_per_s = 1000;
	struct kit *k = kit_new_with(&cfg, NULL, KIT_NO_AUTH);
	size_t asked = 0, answered = 0;
	for (uint16_t i = 0; i < 200; i++) {
		struct kit_client c = kit_client(TURN_UDP, 0, (uint16_t)(4000 + i), "");
		kit_begin(k, &c, STUN_ALLOCATE);
		stun_put_number(&k->w, STUN_ATTR_REQUESTED_TRANSPORT, STUN_TRANSPORT_UDP);
		int code = kit_send_plain(k, &c);
		for (unsigned again = 0; again < 5; again++) {
			answered += code >= 0 ? k->answer_n : 0;
			asked += k->sealed.n;
			unsigned n = k->n_answers;
			kit_rx(k, &c.flow, k->sealed);
			code = kit_result(k, n);
		}
		answered += code >= 0 ? k->answer_n : 0;
		asked += k->sealed.n;
		kit_wait(k, 10000);
	}
	assert_true(answered <= asked + 3 * 1000);
	/* Whose answer was held back gets it when he asks again. */
	struct kit_client c = kit_client(TURN_UDP, 0, (uint16_t)(4000 + 199), "");
	kit_wait(k, 1000000);
	unsigned n = k->n_answers;
	kit_rx(k, &c.flow, k->sealed);
	assert_int_equal(kit_result(k, n), 0);
	kit_free(k);
}

static void guessing_passwords_is_slow(void **st)
{
	(void)st;
	struct turn_cfg cfg = kit_cfg();
	cfg.auth_failures_per_user = 5;
	struct kit *k = kit_new_with(&cfg, NULL, KIT_USERS);
	struct kit_client good = kit_client(TURN_UDP, 0, 3999, "alice"),
			  c = kit_client(TURN_UDP, 0, 4000, "alice"),
			  bob = kit_client(TURN_UDP, 0, 4001, "bob");
	assert_int_equal(kit_allocate(k, &good), 0);
	struct hmac_sha1 right = c.mac;
	hmac_sha1_init(&c.mac, "guess", 5);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(kit_allocate(k, &c), STUN_ERR_UNAUTHENTICATED);
	c.mac = right;
	assert_int_equal(kit_allocate(k, &c), -1);
	/* Neighbours: one who has an allocation goes on, one with another name gets his. */
	assert_int_equal(kit_refresh(k, &good, 600), 0);
	assert_int_equal(kit_allocate(k, &bob), 0);
	/* The same user somewhere else does not notice. */
	struct kit_client far = kit_client(TURN_UDP, 0, 4000, "alice");
	far.flow.client = kit_addr("198.51.100.8", 4000);
	assert_int_equal(kit_allocate(k, &far), 0);
	/* An allocation is of no use for guessing another user's password. */
	struct kit_client other = kit_client(TURN_UDP, 0, 3999, "bob");
	hmac_sha1_init(&other.mac, "guess", 5);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(kit_refresh(k, &other, 600),
			i < 5 ? STUN_ERR_UNAUTHENTICATED : -1);
	kit_wait(k, 61000000);
	assert_int_equal(kit_allocate(k, &c), 0);
	kit_free(k);
}

/* Names that are tried one after the other. */
static void guessing_names_is_slow(void **st)
{
	(void)st;
	struct turn_cfg cfg = kit_cfg();
	cfg.auth_failures_per_user = 5;
	cfg.auth_failures_per_address = 50;
	struct kit *k = kit_new_with(&cfg, NULL, KIT_USERS);
	struct kit_client good = kit_client(TURN_UDP, 0, 3999, "alice"),
			  bob = kit_client(TURN_UDP, 0, 3998, "bob");
	assert_int_equal(kit_allocate(k, &good), 0);
	for (uint16_t i = 0; i < 60; i++) {
		char name[16];
		(void)snprintf(name, sizeof name, "guess%u", i);
		struct kit_client c = kit_client(TURN_UDP, 0, (uint16_t)(4000 + i), name);
		assert_int_equal(kit_allocate(k, &c), i < 50 ? STUN_ERR_UNAUTHENTICATED : -1);
	}
	assert_int_equal(kit_allocate(k, &bob), -1);
	assert_int_equal(kit_refresh(k, &good, 600), 0);
	bob = kit_client(TURN_UDP, 0, 3998, "bob");
	bob.flow.client = kit_addr("198.51.100.8", 3998);
	assert_int_equal(kit_allocate(k, &bob), 0);
	kit_free(k);
}

/* CONNECTION-ID has 32 bits, and who shares a password may try them all. */
static void guessing_connections_is_slow(void **st)
{
	(void)st;
	struct turn_cfg cfg = kit_cfg();
	cfg.auth_failures_per_user = 5;
	struct kit *k = kit_new_with(&cfg, NULL, KIT_USERS);
	struct kit_client c = kit_client(TURN_TCP, 9, 4000, "alice");
	for (uint32_t i = 0; i < 6; i++) {
		kit_begin(k, &c, STUN_CONNECTION_BIND);
		stun_put_number(&k->w, STUN_ATTR_CONNECTION_ID, 77 + i);
		assert_int_equal(kit_send(k, &c), i < 5 ? STUN_ERR_BAD_REQUEST : -1);
	}
	kit_free(k);
}

static void allocations_have_a_rate(void **st)
{
	(void)st;
	struct turn_cfg cfg = kit_cfg();
	cfg.allocations_per_address_per_s = 3;
	struct kit *k = kit_new_with(&cfg, NULL, KIT_USERS);
	int n[2] = {0};
	for (uint16_t i = 0; i < 20; i++) {
		struct kit_client c = kit_client(TURN_UDP, 0, (uint16_t)(4000 + i), "alice");
		int code = kit_allocate(k, &c);
		assert_true(code == 0 || code == STUN_ERR_QUOTA);
		n[code == 0]++;
	}
	assert_int_equal(n[1], 3);
	kit_wait(k, 1000000);
	struct kit_client c = kit_client(TURN_UDP, 0, 5000, "alice");
	assert_int_equal(kit_allocate(k, &c), 0);
	kit_free(k);
}

static void a_64_is_one_address(void **st)
{
	(void)st;
	struct turn_limits *l = turn_limits_new(64);
	struct addr a = kit_addr("2001:db8::1", 1), b = kit_addr("2001:db8::2:1", 2),
		    other = kit_addr("2001:db8:0:1::1", 1);
	const struct turn_cfg by_user = {.auth_failures_per_user = 1},
			      by_address = {.auth_failures_per_address = 1};
	const struct slice ann = slice_str("ann"), bob = slice_str("bob");
	assert_false(turn_limits_is_blocked(l, &a, ann, &by_user, 1000));
	turn_limits_failed(l, &a, ann, &by_user, 1000);
	assert_true(turn_limits_is_blocked(l, &b, ann, &by_user, 1000));
	assert_false(turn_limits_is_blocked(l, &b, bob, &by_user, 1000));
	assert_false(turn_limits_is_blocked(l, &other, ann, &by_user, 1000));
	turn_limits_failed(l, &a, ann, &by_address, 1000);
	assert_true(turn_limits_is_blocked(l, &b, bob, &by_address, 1000));
	assert_false(turn_limits_is_blocked(l, &other, ann, &by_address, 1000));
	turn_limits_free(l);
}

static void the_table_is_bounded(void **st)
{
	(void)st;
	metric_thread_init();
	struct turn_limits *l = turn_limits_new(64);
	const struct turn_cfg cfg = {.auth_failures_per_address = 1};
	uint64_t before = metric_sum(M_TURN_ADDRESSES_FORGOTTEN);
	for (unsigned i = 0; i < 10000; i++) {
		char ip[32];
		snprintf(ip, sizeof ip, "10.0.%u.%u", i / 256, i % 256);
		struct addr a = kit_addr(ip, 1);
		turn_limits_failed(l, &a, slice_str("ann"), &cfg, 1000 + i);
		assert_true(turn_limits_is_blocked(l, &a, slice_str("ann"), &cfg, 1000 + i));
	}
	assert_true(metric_sum(M_TURN_ADDRESSES_FORGOTTEN) >= before + 10000 - 64);
	turn_limits_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_are_not_longer_than_questions),
		cmocka_unit_test(nor_are_they_without_passwords),
		cmocka_unit_test(guessing_passwords_is_slow),
		cmocka_unit_test(guessing_names_is_slow),
		cmocka_unit_test(guessing_connections_is_slow),
		cmocka_unit_test(allocations_have_a_rate),
		cmocka_unit_test(a_64_is_one_address),
		cmocka_unit_test(the_table_is_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
