#include "../cm.h"
#include "../../turn_kit.h"

static void begin_allocate(struct kit *k, struct kit_client *c, uint32_t transport)
{
	kit_begin(k, c, STUN_ALLOCATE);
	stun_put_number(&k->w, STUN_ATTR_REQUESTED_TRANSPORT, transport);
}

static void one_is_made_and_told_of(void **st)
{
	(void)st;
	struct kit *k = kit_new();
	struct kit_client c = kit_client(TURN_UDP, 0, 4000, "alice");
	assert_int_equal(kit_allocate(k, &c), 0);
	struct addr relayed;
	assert_true(stun_addr(&k->m, STUN_ATTR_XOR_RELAYED_ADDRESS, &relayed));
	assert_non_null(kit_relay(k, &relayed));
	assert_true(addr_eq(&k->m.mapped, &c.flow.client));
	assert_int_equal(stun_number(&k->m, STUN_ATTR_LIFETIME), 600);
	assert_int_equal(turn_alloc_count(k->server), 1);
	struct turn_alloc_info info;
	turn_alloc_info(turn_alloc_next(k->server, NULL), &info);
	assert_string_equal(info.username, "alice");
	assert_string_equal(info.realm, KIT_REALM);
	assert_true(addr_eq(&info.relayed[0], &relayed));
	assert_int_equal(info.expires_us - info.started_us, 600000000);
	assert_int_equal(kit_allocate(k, &c), STUN_ERR_ALLOCATION_MISMATCH);
	assert_int_equal(turn_alloc_end(k->server, info.id + 1, "x"), -ERR_NOT_FOUND);
	assert_int_equal(turn_alloc_end(k->server, info.id, "by the admin"), 0);
	assert_string_equal(k->reason, "by the admin");
	assert_int_equal(turn_alloc_count(k->server), 0);
	assert_int_equal(kit_refresh(k, &c, 600), STUN_ERR_ALLOCATION_MISMATCH);
	kit_free(k);
}

static void transports_are_checked(void **st)
{
	(void)st;
	struct turn_cfg cfg = kit_cfg();
	struct kit *k = kit_new();
	struct kit_client c = kit_client(TURN_UDP, 0, 4000, "alice");
	kit_begin(k, &c, STUN_ALLOCATE);
	assert_int_equal(kit_send(k, &c), STUN_ERR_BAD_REQUEST);
	begin_allocate(k, &c, 99);
	assert_int_equal(kit_send(k, &c), STUN_ERR_TRANSPORT_UNSUPPORTED);
	begin_allocate(k, &c, STUN_TRANSPORT_TCP);
	assert_int_equal(kit_send(k, &c), STUN_ERR_BAD_REQUEST);
	cfg.no_udp_relay = cfg.no_tcp_relay = true;
	turn_reload(k->server, &cfg, k->policy);
	begin_allocate(k, &c, STUN_TRANSPORT_TCP);
	assert_int_equal(kit_send(k, &c), STUN_ERR_TRANSPORT_UNSUPPORTED);
	assert_int_equal(kit_allocate(k, &c), STUN_ERR_TRANSPORT_UNSUPPORTED);
	kit_free(k);
}

static void tcp_excludes_what_is_about_datagrams(void **st)
{
	(void)st;
	struct kit *k = kit_new();
	struct kit_client c = kit_client(TURN_TCP, 9, 4000, "alice");
	uint8_t token[8] = {0};
	begin_allocate(k, &c, STUN_TRANSPORT_TCP);
	stun_put_number(&k->w, STUN_ATTR_EVEN_PORT, 0);
	assert_int_equal(kit_send(k, &c), STUN_ERR_BAD_REQUEST);
	begin_allocate(k, &c, STUN_TRANSPORT_TCP);
	stun_put(&k->w, STUN_ATTR_DONT_FRAGMENT, NULL, 0);
	assert_int_equal(kit_send(k, &c), STUN_ERR_BAD_REQUEST);
	begin_allocate(k, &c, STUN_TRANSPORT_TCP);
	stun_put(&k->w, STUN_ATTR_RESERVATION_TOKEN, token, 8);
	assert_int_equal(kit_send(k, &c), STUN_ERR_BAD_REQUEST);
	begin_allocate(k, &c, STUN_TRANSPORT_TCP);
	assert_int_equal(kit_send(k, &c), 0);
	kit_free(k);
}

static void families_and_their_combinations(void **st)
{
	(void)st;
	struct kit *k = kit_new();
	struct kit_client c = kit_client(TURN_UDP, 0, 4000, "alice");
	struct addr relayed;
	begin_allocate(k, &c, 17);
	stun_put_number(&k->w, STUN_ATTR_REQUESTED_ADDRESS_FAMILY, 3);
	assert_int_equal(kit_send(k, &c), STUN_ERR_FAMILY_UNSUPPORTED);
	begin_allocate(k, &c, 17);
	stun_put_number(&k->w, STUN_ATTR_REQUESTED_ADDRESS_FAMILY, 1);
	stun_put_number(&k->w, STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY, 2);
	assert_int_equal(kit_send(k, &c), STUN_ERR_BAD_REQUEST);
	begin_allocate(k, &c, 17);
	stun_put_number(&k->w, STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY, 1);
	assert_int_equal(kit_send(k, &c), STUN_ERR_BAD_REQUEST);
	begin_allocate(k, &c, 17);
	stun_put_number(&k->w, STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY, 2);
	stun_put_number(&k->w, STUN_ATTR_EVEN_PORT, 0x80);
	assert_int_equal(kit_send(k, &c), STUN_ERR_BAD_REQUEST);
	k->relay_open_fails[1] = -ERR_UNSUPPORTED;
	begin_allocate(k, &c, 17);
	stun_put_number(&k->w, STUN_ATTR_REQUESTED_ADDRESS_FAMILY, 2);
	assert_int_equal(kit_send(k, &c), STUN_ERR_FAMILY_UNSUPPORTED);
	k->relay_open_fails[1] = 0;
	begin_allocate(k, &c, 17);
	stun_put_number(&k->w, STUN_ATTR_REQUESTED_ADDRESS_FAMILY, 2);
	assert_int_equal(kit_send(k, &c), 0);
	assert_true(stun_addr(&k->m, STUN_ATTR_XOR_RELAYED_ADDRESS, &relayed));
	assert_true(addr_is_v6(&relayed));
	kit_free(k);
}

static void dual_allocations_live_and_die_by_halves(void **st)
{
	(void)st;
	struct kit *k = kit_new();
	struct kit_client c = kit_client(TURN_UDP, 0, 4000, "alice");
	struct addr relayed, v4 = kit_addr("10.0.0.1", 7), v6 = kit_addr("2001:db8:2::1", 7);
	begin_allocate(k, &c, 17);
	stun_put_number(&k->w, STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY, 2);
	assert_int_equal(kit_send(k, &c), 0);
	size_t at = 0;
	assert_true(stun_next_addr(&k->m, STUN_ATTR_XOR_RELAYED_ADDRESS, &at, &relayed));
	assert_true(addr_is_v4(&relayed));
	assert_true(stun_next_addr(&k->m, STUN_ATTR_XOR_RELAYED_ADDRESS, &at, &relayed));
	assert_true(addr_is_v6(&relayed));
	assert_int_equal(k->n_open, 2);
	assert_int_equal(kit_bind(k, &c, 0x4000, &v4), 0);
	assert_int_equal(kit_bind(k, &c, 0x4001, &v6), 0);
	assert_true(kit_channel_data(k, &c, 0x4001, "x", 1));
	assert_true(addr_is_v6(&k->out_relay->at));
	/* Refresh of one family, and its end. */
	kit_begin(k, &c, STUN_REFRESH);
	stun_put_number(&k->w, STUN_ATTR_REQUESTED_ADDRESS_FAMILY, 2);
	stun_put_number(&k->w, STUN_ATTR_LIFETIME, 1200);
	assert_int_equal(kit_send(k, &c), 0);
	kit_wait(k, 599000000);
	assert_int_equal(k->n_open, 2);
	kit_wait(k, 2000000);
	assert_int_equal(k->n_open, 1);
	assert_int_equal(kit_permit(k, &c, &v4), STUN_ERR_PEER_FAMILY_MISMATCH);
	assert_int_equal(kit_permit(k, &c, &v6), 0);
	kit_begin(k, &c, STUN_REFRESH);
	stun_put_number(&k->w, STUN_ATTR_REQUESTED_ADDRESS_FAMILY, 1);
	assert_int_equal(kit_send(k, &c), STUN_ERR_PEER_FAMILY_MISMATCH);
	kit_begin(k, &c, STUN_REFRESH);
	stun_put_number(&k->w, STUN_ATTR_REQUESTED_ADDRESS_FAMILY, 2);
	stun_put_number(&k->w, STUN_ATTR_LIFETIME, 0);
	assert_int_equal(kit_send(k, &c), 0);
	assert_int_equal(turn_alloc_count(k->server), 0);
	kit_free(k);
}

static void half_of_a_dual_allocation_may_be_missing(void **st)
{
	(void)st;
	struct kit *k = kit_new();
	struct kit_client c = kit_client(TURN_UDP, 0, 4000, "alice");
	k->relay_open_fails[1] = -ERR_UNSUPPORTED;
	begin_allocate(k, &c, 17);
	stun_put_number(&k->w, STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY, 2);
	assert_int_equal(kit_send(k, &c), 0);
	struct slice e = stun_value(&k->m, STUN_ATTR_ADDRESS_ERROR_CODE);
	assert_true(e.n >= 4);
	assert_int_equal(e.p[0], STUN_FAMILY_V6);
	assert_int_equal(e.p[2] * 100 + e.p[3], 440);
	struct kit_client d = kit_client(TURN_UDP, 0, 4001, "alice");
	k->relay_open_fails[0] = -ERR_NO_ROOM;
	begin_allocate(k, &d, 17);
	stun_put_number(&k->w, STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY, 2);
	assert_int_equal(kit_send(k, &d), STUN_ERR_CAPACITY);
	assert_int_equal(k->n_open, 1);
	kit_free(k);
}

static void ports_come_in_pairs_by_reservation(void **st)
{
	(void)st;
	struct kit *k = kit_new();
	struct kit_client a = kit_client(TURN_UDP, 0, 4000, "alice"),
			  b = kit_client(TURN_UDP, 0, 4001, "alice"),
			  x = kit_client(TURN_UDP, 0, 4002, "bob");
	struct addr even, odd;
	uint8_t token[8];
	begin_allocate(k, &a, 17);
	stun_put_number(&k->w, STUN_ATTR_EVEN_PORT, 0x80);
	assert_int_equal(kit_send(k, &a), 0);
	assert_int_equal(stun_value(&k->m, STUN_ATTR_RESERVATION_TOKEN).n, 8);
	memcpy(token, stun_value(&k->m, STUN_ATTR_RESERVATION_TOKEN).p, 8);
	assert_true(stun_addr(&k->m, STUN_ATTR_XOR_RELAYED_ADDRESS, &even));
	assert_int_equal(addr_port(&even) % 2, 0);
	/* Not with other wishes, not by another user, not by a guess. */
	begin_allocate(k, &b, 17);
	stun_put(&k->w, STUN_ATTR_RESERVATION_TOKEN, token, 8);
	stun_put_number(&k->w, STUN_ATTR_EVEN_PORT, 0);
	assert_int_equal(kit_send(k, &b), STUN_ERR_BAD_REQUEST);
	begin_allocate(k, &b, 17);
	stun_put(&k->w, STUN_ATTR_RESERVATION_TOKEN, token, 8);
	stun_put_number(&k->w, STUN_ATTR_REQUESTED_ADDRESS_FAMILY, 1);
	assert_int_equal(kit_send(k, &b), STUN_ERR_BAD_REQUEST);
	begin_allocate(k, &x, 17);
	stun_put(&k->w, STUN_ATTR_RESERVATION_TOKEN, token, 8);
	assert_int_equal(kit_send(k, &x), STUN_ERR_CAPACITY);
	token[0] ^= 1;
	begin_allocate(k, &b, 17);
	stun_put(&k->w, STUN_ATTR_RESERVATION_TOKEN, token, 8);
	assert_int_equal(kit_send(k, &b), STUN_ERR_CAPACITY);
	token[0] ^= 1;
	begin_allocate(k, &b, 17);
	stun_put(&k->w, STUN_ATTR_RESERVATION_TOKEN, token, 8);
	assert_int_equal(kit_send(k, &b), 0);
	assert_true(stun_addr(&k->m, STUN_ATTR_XOR_RELAYED_ADDRESS, &odd));
	assert_int_equal(addr_port(&odd), addr_port(&even) + 1);
	/* The token alone says that it is an IPv6 address. */
	struct kit_client c = kit_client(TURN_UDP, 0, 4003, "alice"),
			  d = kit_client(TURN_UDP, 0, 4004, "alice");
	begin_allocate(k, &c, 17);
	stun_put_number(&k->w, STUN_ATTR_EVEN_PORT, 0x80);
	stun_put_number(&k->w, STUN_ATTR_REQUESTED_ADDRESS_FAMILY, 2);
	assert_int_equal(kit_send(k, &c), 0);
	assert_true(stun_addr(&k->m, STUN_ATTR_XOR_RELAYED_ADDRESS, &even));
	memcpy(token, stun_value(&k->m, STUN_ATTR_RESERVATION_TOKEN).p, 8);
	begin_allocate(k, &d, 17);
	stun_put(&k->w, STUN_ATTR_RESERVATION_TOKEN, token, 8);
	assert_int_equal(kit_send(k, &d), 0);
	assert_true(stun_addr(&k->m, STUN_ATTR_XOR_RELAYED_ADDRESS, &odd));
	assert_true(addr_is_v6(&odd));
	assert_int_equal(addr_port(&odd), addr_port(&even) + 1);
	/* Nobody took this one up. */
	begin_allocate(k, &x, 17);
	stun_put_number(&k->w, STUN_ATTR_EVEN_PORT, 0x80);
	assert_int_equal(kit_send(k, &x), 0);
	kit_wait(k, 29000000);
	assert_int_equal(k->n_unreserved, 0);
	kit_wait(k, 3000000);
	assert_int_equal(k->n_unreserved, 1);
	kit_free(k);
}

/* RFC 8656 §7.2: a pair or nothing. */
static void a_pair_that_cannot_be_kept_is_refused(void **st)
{
	(void)st;
	struct turn_cfg cfg = kit_cfg();
	cfg.reservations_max = 1;
	struct kit *k = kit_new_with(&cfg, NULL, KIT_USERS);
	for (uint16_t i = 0; i < 2; i++) {
		struct kit_client c = kit_client(TURN_UDP, 0, (uint16_t)(4000 + i), "alice");
		begin_allocate(k, &c, 17);
		stun_put_number(&k->w, STUN_ATTR_EVEN_PORT, 0x80);
		assert_int_equal(kit_send(k, &c), i ? STUN_ERR_CAPACITY : 0);
	}
	assert_int_equal(turn_alloc_count(k->server), 1);
	kit_free(k);
}

static void lifetimes_are_clamped(void **st)
{
	(void)st;
	struct kit *k = kit_new();
	struct kit_client c = kit_client(TURN_UDP, 0, 4000, "alice");
	begin_allocate(k, &c, 17);
	stun_put_number(&k->w, STUN_ATTR_LIFETIME, 7);
	assert_int_equal(kit_send(k, &c), 0);
	assert_int_equal(stun_number(&k->m, STUN_ATTR_LIFETIME), 600);
	assert_int_equal(kit_refresh(k, &c, 700), 0);
	assert_int_equal(stun_number(&k->m, STUN_ATTR_LIFETIME), 700);
	assert_int_equal(kit_refresh(k, &c, UINT32_MAX), 0);
	assert_int_equal(stun_number(&k->m, STUN_ATTR_LIFETIME), 3600);
	kit_wait(k, 3599000000);
	assert_int_equal(turn_alloc_count(k->server), 1);
	kit_wait(k, 1002000);
	assert_int_equal(turn_alloc_count(k->server), 0);
	assert_string_equal(k->reason, "expired");
	assert_int_equal(k->n_open, 0);
	kit_free(k);
}

static void a_stream_ends_with_its_expired_allocation(void **st)
{
	(void)st;
	struct kit *k = kit_new();
	struct kit_client c = kit_client(TURN_TLS, 77, 4000, "alice"),
			  d = kit_client(TURN_TLS, 78, 4000, "alice");
	assert_int_equal(kit_allocate(k, &c), 0);
	assert_int_equal(kit_allocate(k, &d), 0);
	turn_flow_closed(k->server, &d.flow);
	assert_string_equal(k->reason, "connection closed");
	assert_int_equal(k->n_closed_flows, 0);
	kit_wait(k, 601000000);
	assert_int_equal(k->n_closed_flows, 1);
	assert_int_equal(k->closed_flow.conn, 77);
	kit_free(k);
}

static void another_user_is_refused(void **st)
{
	(void)st;
	struct kit *k = kit_new();
	struct kit_client c = kit_client(TURN_UDP, 0, 4000, "alice"),
			  d = kit_client(TURN_UDP, 0, 4000, "bob");
	assert_int_equal(kit_allocate(k, &c), 0);
	d.n_requests = 1000;
	kit_get_nonce(k, &d);
	assert_int_equal(kit_refresh(k, &d, 0), STUN_ERR_WRONG_CREDENTIALS);
	assert_int_equal(turn_alloc_count(k->server), 1);
	kit_free(k);
}

static void a_draining_server_sends_elsewhere(void **st)
{
	(void)st;
	struct turn_cfg cfg = kit_cfg();
	struct kit *k = kit_new();
	struct kit_client c = kit_client(TURN_UDP, 0, 4000, "alice"),
			  d = kit_client(TURN_UDP, 0, 4001, "alice");
	assert_int_equal(kit_allocate(k, &c), 0);
	turn_drain(k->server);
	assert_int_equal(kit_allocate(k, &d), STUN_ERR_QUOTA);
	cfg.alternate_server = "[2001:db8::9]:3479";
	turn_reload(k->server, &cfg, k->policy);
	assert_int_equal(kit_allocate(k, &d), STUN_ERR_TRY_ALTERNATE);
	struct addr a, want = kit_addr("2001:db8::9", 3479);
	assert_true(stun_addr(&k->m, STUN_ATTR_ALTERNATE_SERVER, &a));
	assert_true(addr_eq(&a, &want));
	assert_int_equal(kit_refresh(k, &c, 600), 0);
	kit_free(k);
}

static void allocations_are_held(void **st)
{
	(void)st;
	struct kit *k = kit_new();
	struct kit_client a = kit_client(TURN_UDP, 0, 4000, "alice"),
			  b = kit_client(TURN_UDP, 0, 4001, "bob"),
			  c = kit_client(TURN_UDP, 0, 4002, "alice"),
			  d = kit_client(TURN_UDP, 0, 4003, "alice");
	assert_int_equal(kit_allocate(k, &a), 0);
	turn_hold(k->server, TURN_HOLD_WAIT, k->now_us);
	for (unsigned i = 0; i < 2; i++) {
		struct kit_client *who = i ? &c : &b;
		kit_begin(k, who, STUN_ALLOCATE);
		stun_put_number(&k->w, STUN_ATTR_REQUESTED_TRANSPORT, STUN_TRANSPORT_UDP);
		assert_int_equal(kit_send(k, who), -1);
		unsigned before = k->n_answers;
		assert_int_equal(turn_alloc_count(k->server), 1 + i);
		turn_hold(k->server, i ? TURN_HOLD_REFUSE : TURN_HOLD_NONE, k->now_us);
		assert_int_equal(k->n_answers, before + 1);
		assert_int_equal(kit_result(k, before), i ? STUN_ERR_SERVER : 0);
		assert_int_equal(turn_alloc_count(k->server), 2);
		turn_hold(k->server, TURN_HOLD_WAIT, k->now_us);
		assert_int_equal(kit_refresh(k, &a, 600), 0);
	}
	turn_hold(k->server, TURN_HOLD_REFUSE, k->now_us);
	assert_int_equal(kit_allocate(k, &d), STUN_ERR_SERVER);
	turn_hold(k->server, TURN_HOLD_NONE, k->now_us);
	assert_int_equal(kit_allocate(k, &d), 0);
	kit_free(k);
}

static void quotas_and_capacity(void **st)
{
	(void)st;
	struct turn_cfg cfg = kit_cfg();
	cfg.allocations_max = 4;
	struct turn_quota_cfg quota = {
		.allocations_per_user = 2, .allocations_total = 4, .slots = 64};
	struct kit *k = kit_new_with(&cfg, &quota, KIT_USERS);
	struct kit_client c[6];
	for (uint16_t i = 0; i < 6; i++)
		c[i] = kit_client(TURN_UDP, 0, (uint16_t)(4000 + i), i < 3 ? "alice" : "bob");
	assert_int_equal(kit_allocate(k, &c[0]), 0);
	assert_int_equal(kit_allocate(k, &c[1]), 0);
	assert_int_equal(kit_allocate(k, &c[2]), STUN_ERR_QUOTA);
	assert_int_equal(kit_allocate(k, &c[3]), 0);
	k->relay_open_fails[0] = -ERR_NO_ROOM;
	assert_int_equal(kit_allocate(k, &c[4]), STUN_ERR_CAPACITY);
	assert_int_equal(turn_quota_total(k->quota), 3);
	k->relay_open_fails[0] = 0;
	kit_begin(k, &c[4], STUN_ALLOCATE);
	stun_put_number(&k->w, STUN_ATTR_REQUESTED_TRANSPORT, 17);
	assert_int_equal(kit_send(k, &c[4]), 0);
	assert_int_equal(kit_allocate(k, &c[5]), STUN_ERR_CAPACITY);
	assert_int_equal(kit_refresh(k, &c[0], 0), 0);
	assert_int_equal(kit_allocate(k, &c[2]), 0);
	kit_free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_is_made_and_told_of),
		cmocka_unit_test(transports_are_checked),
		cmocka_unit_test(tcp_excludes_what_is_about_datagrams),
		cmocka_unit_test(families_and_their_combinations),
		cmocka_unit_test(dual_allocations_live_and_die_by_halves),
		cmocka_unit_test(half_of_a_dual_allocation_may_be_missing),
		cmocka_unit_test(ports_come_in_pairs_by_reservation),
		cmocka_unit_test(a_pair_that_cannot_be_kept_is_refused),
		cmocka_unit_test(lifetimes_are_clamped),
		cmocka_unit_test(a_stream_ends_with_its_expired_allocation),
		cmocka_unit_test(another_user_is_refused),
		cmocka_unit_test(a_draining_server_sends_elsewhere),
		cmocka_unit_test(allocations_are_held),
		cmocka_unit_test(quotas_and_capacity),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
