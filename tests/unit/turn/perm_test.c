#include "../cm.h"
#include "../../turn_kit.h"

enum { MINUTE_US = 60000000 };

static struct turn_relay *allocate(struct kit *k, struct kit_client *c)
{
	struct addr relayed;
	assert_int_equal(kit_allocate(k, c), 0);
	assert_true(stun_addr(&k->m, STUN_ATTR_XOR_RELAYED_ADDRESS, &relayed));
	return kit_relay(k, &relayed);
}

static void permissions_let_in_and_run_out(void **st)
{
	(void)st;
	struct kit *k = kit_new();
	struct kit_client c = kit_client(TURN_UDP, 0, 4000, "alice");
	struct addr peer = kit_addr("10.0.0.5", 900), port = kit_addr("10.0.0.5", 901),
		    other = kit_addr("10.0.0.6", 900);
	assert_int_equal(kit_permit(k, &c, &peer), STUN_ERR_ALLOCATION_MISMATCH);
	struct turn_relay *r = allocate(k, &c);
	assert_false(r->is_started);
	assert_int_equal(kit_from_peer(k, r, &peer, "x", 1), 0);
	assert_false(kit_indicate(k, &c, &peer, "x", 1));
	assert_int_equal(kit_permit(k, &c, &peer), 0);
	assert_true(r->is_started);
	assert_int_equal(kit_from_peer(k, r, &peer, "abc", 3), 2);
	struct stun_msg m;
	struct addr from;
	assert_int_equal(stun_parse(&m, slice_of(k->place, k->place_n)), 0);
	assert_int_equal(m.class, STUN_INDICATION);
	assert_int_equal(m.method, STUN_DATA);
	assert_true(stun_addr(&m, STUN_ATTR_XOR_PEER_ADDRESS, &from));
	assert_true(addr_eq(&from, &peer));
	assert_true(slice_eq_str(stun_value(&m, STUN_ATTR_DATA), "abc"));
	assert_int_equal(k->place[k->place_n - 1], 0);
	/* For the address, whatever the port. */
	assert_int_equal(kit_from_peer(k, r, &port, "x", 1), 2);
	assert_true(kit_indicate(k, &c, &port, "hello", 5));
	assert_true(addr_eq(&k->out_peer, &port));
	assert_memory_equal(k->out, "hello", 5);
	assert_false(k->out_df);
	assert_int_equal(kit_from_peer(k, r, &other, "x", 1), 0);
	kit_wait(k, 5 * MINUTE_US - 1);
	assert_true(kit_indicate(k, &c, &peer, "x", 1));
	kit_wait(k, 1);
	assert_false(kit_indicate(k, &c, &peer, "x", 1));
	assert_int_equal(kit_from_peer(k, r, &peer, "x", 1), 0);
	kit_free(k);
}

static void many_peers_are_all_or_nothing(void **st)
{
	(void)st;
	struct kit *k = kit_new();
	struct kit_client c = kit_client(TURN_UDP, 0, 4000, "alice");
	allocate(k, &c);
	struct addr a = kit_addr("10.0.0.5", 0), b = kit_addr("10.0.0.6", 0),
		    denied = kit_addr("127.0.0.1", 0), v6 = kit_addr("2001:db8:2::1", 0);
	struct turn_alloc_info info;
	const struct addr *bad[] = {&denied, &v6};
	const int codes[] = {STUN_ERR_FORBIDDEN, STUN_ERR_PEER_FAMILY_MISMATCH};
	for (size_t i = 0; i < 2; i++) {
		kit_begin(k, &c, STUN_CREATE_PERMISSION);
		stun_put_xor_addr(&k->w, STUN_ATTR_XOR_PEER_ADDRESS, &a);
		stun_put_xor_addr(&k->w, STUN_ATTR_XOR_PEER_ADDRESS, bad[i]);
		stun_put_xor_addr(&k->w, STUN_ATTR_XOR_PEER_ADDRESS, &b);
		assert_int_equal(kit_send(k, &c), codes[i]);
	}
	/* One that is no address. */
	static const uint8_t stub[8] = {0, 9};
	for (size_t n = 0; n <= 8; n += 8) {
		kit_begin(k, &c, STUN_CREATE_PERMISSION);
		stun_put_xor_addr(&k->w, STUN_ATTR_XOR_PEER_ADDRESS, &a);
		stun_put(&k->w, STUN_ATTR_XOR_PEER_ADDRESS, stub, n);
		assert_int_equal(kit_send(k, &c), STUN_ERR_BAD_REQUEST);
	}
	turn_alloc_info(turn_alloc_next(k->server, NULL), &info);
	assert_int_equal(info.permissions, 0);
	kit_begin(k, &c, STUN_CREATE_PERMISSION);
	stun_put_xor_addr(&k->w, STUN_ATTR_XOR_PEER_ADDRESS, &a);
	stun_put_xor_addr(&k->w, STUN_ATTR_XOR_PEER_ADDRESS, &b);
	assert_int_equal(kit_send(k, &c), 0);
	turn_alloc_info(turn_alloc_next(k->server, NULL), &info);
	assert_int_equal(info.permissions, 2);
	kit_begin(k, &c, STUN_CREATE_PERMISSION);
	assert_int_equal(kit_send(k, &c), STUN_ERR_BAD_REQUEST);
	kit_free(k);
}

static void channels_carry_both_ways(void **st)
{
	(void)st;
	struct kit *k = kit_new();
	struct kit_client c = kit_client(TURN_UDP, 0, 4000, "alice");
	struct turn_relay *r = allocate(k, &c);
	struct addr peer = kit_addr("10.0.0.5", 900);
	assert_int_equal(kit_bind(k, &c, 0x4001, &peer), 0);
	assert_int_equal(k->n_bound, 1);
	assert_true(kit_channel_data(k, &c, 0x4001, "hello", 5));
	assert_true(addr_eq(&k->out_peer, &peer));
	assert_int_equal(k->out_n, 5);
	assert_memory_equal(k->out, "hello", 5);
	assert_false(kit_channel_data(k, &c, 0x4002, "hello", 5));
	/* Padding at the end is not data; more than came is not there. */
	uint8_t padded[] = {0x40, 1, 0, 2, 'a', 'b', 0, 0}, cut[] = {0x40, 1, 0, 9, 'a', 'b', 0, 0};
	turn_rx_channel(k->server, &c.flow, padded, sizeof padded, k->now_us);
	assert_int_equal(k->out_n, 2);
	unsigned n = k->n_out;
	turn_rx_channel(k->server, &c.flow, cut, sizeof cut, k->now_us);
	turn_rx_channel(k->server, &c.flow, cut, 3, k->now_us);
	turn_rx_channel(k->server, &c.flow, cut, 0, k->now_us);
	assert_int_equal(k->n_out, n);
	assert_int_equal(kit_from_peer(k, r, &peer, "abc", 3), 1);
	assert_int_equal(k->place_n, 7);
	assert_memory_equal(k->place, "\x40\x01\0\x03"
				      "abc", 7);
	struct turn_alloc_info info;
	turn_alloc_info(r->alloc, &info);
	assert_int_equal(info.packets_out, 1);
	assert_int_equal(info.bytes_out, 7);
	assert_int_equal(info.peer_bytes_in, 3);
	assert_int_equal(info.peer_packets_out, 2);
	assert_int_equal(info.peer_bytes_out, 7);
	assert_int_equal(info.packets_in, 6);
	assert_int_equal(info.dropped, 4);
	kit_free(k);
}

static void streams_get_padded_channel_data(void **st)
{
	(void)st;
	struct kit *k = kit_new();
	struct kit_client c = kit_client(TURN_TCP, 5, 4000, "alice");
	struct turn_relay *r = allocate(k, &c);
	struct addr peer = kit_addr("10.0.0.5", 900);
	assert_int_equal(kit_bind(k, &c, 0x4001, &peer), 0);
	for (size_t n = 0; n < 9; n++) {
		assert_int_equal(kit_from_peer(k, r, &peer, "12345678", n), 1);
		assert_int_equal(k->place_n, 4 + (n + 3) / 4 * 4);
		assert_int_equal(rd16(k->place + 2), n);
		for (size_t i = 4 + n; i < k->place_n; i++)
			assert_int_equal(k->place[i], 0);
	}
	kit_free(k);
}

static void bindings_that_are_refused(void **st)
{
	(void)st;
	struct kit *k = kit_new();
	struct kit_client c = kit_client(TURN_UDP, 0, 4000, "alice");
	struct addr a = kit_addr("10.0.0.5", 900), b = kit_addr("10.0.0.5", 901),
		    v6 = kit_addr("2001:db8:2::1", 9), denied = kit_addr("169.254.169.254", 80);
	assert_int_equal(kit_bind(k, &c, 0x4000, &a), STUN_ERR_ALLOCATION_MISMATCH);
	allocate(k, &c);
	assert_int_equal(kit_bind(k, &c, 0x3fff, &a), STUN_ERR_BAD_REQUEST);
	assert_int_equal(kit_bind(k, &c, 0x8000, &a), STUN_ERR_BAD_REQUEST);
	assert_int_equal(kit_bind(k, &c, 0x4000, &v6), STUN_ERR_PEER_FAMILY_MISMATCH);
	assert_int_equal(kit_bind(k, &c, 0x4000, &denied), STUN_ERR_FORBIDDEN);
	assert_int_equal(kit_bind(k, &c, 0x4fff, &a), 0);
	assert_int_equal(kit_bind(k, &c, 0x4fff, &a), 0);
	assert_int_equal(kit_bind(k, &c, 0x4fff, &b), STUN_ERR_BAD_REQUEST);
	assert_int_equal(kit_bind(k, &c, 0x4000, &a), STUN_ERR_BAD_REQUEST);
	assert_int_equal(kit_bind(k, &c, 0x4000, &b), 0);
	assert_int_equal(k->n_bound, 2);
	kit_begin(k, &c, STUN_CHANNEL_BIND);
	stun_put_number(&k->w, STUN_ATTR_CHANNEL_NUMBER, 0x4003);
	assert_int_equal(kit_send(k, &c), STUN_ERR_BAD_REQUEST);
	kit_begin(k, &c, STUN_CHANNEL_BIND);
	stun_put_xor_addr(&k->w, STUN_ATTR_XOR_PEER_ADDRESS, &a);
	assert_int_equal(kit_send(k, &c), STUN_ERR_BAD_REQUEST);
	kit_free(k);
}

static void a_channel_outlives_its_permission(void **st)
{
	(void)st;
	struct kit *k = kit_new();
	struct kit_client c = kit_client(TURN_UDP, 0, 4000, "alice");
	struct turn_relay *r = allocate(k, &c);
	struct addr peer = kit_addr("10.0.0.5", 900);
	assert_int_equal(kit_bind(k, &c, 0x4001, &peer), 0);
	assert_int_equal(kit_refresh(k, &c, 3600), 0);
	kit_wait(k, 5 * MINUTE_US);
	assert_int_equal(kit_from_peer(k, r, &peer, "x", 1), 0);
	assert_int_equal(kit_permit(k, &c, &peer), 0);
	assert_int_equal(kit_from_peer(k, r, &peer, "x", 1), 1);
	kit_wait(k, 5 * MINUTE_US - 1000);
	assert_true(kit_channel_data(k, &c, 0x4001, "x", 1));
	kit_wait(k, 2000);
	assert_false(kit_channel_data(k, &c, 0x4001, "x", 1));
	assert_int_equal(k->n_bound, 0);
	assert_int_equal(kit_permit(k, &c, &peer), 0);
	assert_int_equal(kit_from_peer(k, r, &peer, "x", 1), 2);
	/* The number is free again. */
	peer = kit_addr("10.0.0.7", 900);
	assert_int_equal(kit_bind(k, &c, 0x4001, &peer), 0);
	kit_free(k);
}

/* A loop that is busy runs its timers late; what has run out has, all the same. */
static void late_timers_give_nothing_away(void **st)
{
	(void)st;
	struct kit *k = kit_new();
	struct kit_client c = kit_client(TURN_UDP, 0, 4000, "alice");
	struct turn_relay *r = allocate(k, &c);
	struct addr peer = kit_addr("10.0.0.5", 900);
	assert_int_equal(kit_bind(k, &c, 0x4001, &peer), 0);
	k->now_us += 5 * MINUTE_US;
	assert_int_equal(kit_from_peer(k, r, &peer, "x", 1), 0);
	assert_false(kit_indicate(k, &c, &peer, "x", 1));
	k->now_us += 5 * MINUTE_US;
	assert_false(kit_channel_data(k, &c, 0x4001, "x", 1));
	kit_free(k);
}

static void many_are_found_and_bounded(void **st)
{
	(void)st;
	struct kit *k = kit_new();
	struct kit_client c = kit_client(TURN_UDP, 0, 4000, "alice");
	struct turn_relay *r = allocate(k, &c);
	for (unsigned i = 0; i < 64; i++) {
		char ip[32];
		snprintf(ip, sizeof ip, "10.0.0.%u", i + 1);
		struct addr peer = kit_addr(ip, (uint16_t)(1000 + i));
		assert_int_equal(kit_bind(k, &c, (uint16_t)(0x4000 + 7 * i), &peer), 0);
		for (unsigned j = 0; j <= i; j++) {
			snprintf(ip, sizeof ip, "10.0.0.%u", j + 1);
			peer = kit_addr(ip, (uint16_t)(1000 + j));
			assert_true(kit_channel_data(k, &c, (uint16_t)(0x4000 + 7 * j), "x", 1));
			assert_true(addr_eq(&k->out_peer, &peer));
			assert_int_equal(kit_from_peer(k, r, &peer, "x", 1), 1);
			assert_int_equal(rd16(k->place), 0x4000 + 7 * j);
			addr_set_port(&peer, 1);
			assert_int_equal(kit_from_peer(k, r, &peer, "x", 1), 2);
		}
	}
	struct addr more = kit_addr("10.0.0.200", 1), same = kit_addr("10.0.0.9", 1);
	assert_int_equal(kit_permit(k, &c, &more), STUN_ERR_CAPACITY);
	assert_int_equal(kit_permit(k, &c, &same), 0);
	assert_int_equal(kit_bind(k, &c, 0x4fff, &same), STUN_ERR_CAPACITY);
	kit_free(k);
}

static void a_socket_that_cannot_be_had(void **st)
{
	(void)st;
	struct kit *k = kit_new();
	struct kit_client c = kit_client(TURN_UDP, 0, 4000, "alice");
	allocate(k, &c);
	struct addr peer = kit_addr("10.0.0.5", 900);
	k->relay_start_fails = -ERR_NO_ROOM;
	assert_int_equal(kit_permit(k, &c, &peer), STUN_ERR_CAPACITY);
	assert_int_equal(kit_bind(k, &c, 0x4000, &peer), STUN_ERR_CAPACITY);
	assert_false(kit_indicate(k, &c, &peer, "x", 1));
	kit_free(k);
}

static void icmp_is_told(void **st)
{
	(void)st;
	struct kit *k = kit_new();
	struct kit_client c = kit_client(TURN_UDP, 0, 4000, "alice");
	struct turn_relay *r = allocate(k, &c);
	struct addr peer = kit_addr("10.0.0.5", 900), from;
	unsigned n = k->n_answers;
	turn_rx_icmp(k->server, r->alloc, &peer, 3, 4, 1400);
	assert_int_equal(k->n_answers, n);
	assert_int_equal(kit_permit(k, &c, &peer), 0);
	turn_rx_icmp(k->server, r->alloc, &peer, 3, 4, 1400);
	struct stun_msg m;
	assert_int_equal(stun_parse(&m, slice_of(k->answer, k->answer_n)), 0);
	assert_int_equal(m.method, STUN_DATA);
	assert_false(stun_has(&m, STUN_ATTR_DATA));
	assert_true(stun_addr(&m, STUN_ATTR_XOR_PEER_ADDRESS, &from));
	assert_true(addr_eq(&from, &peer));
	assert_memory_equal(stun_value(&m, STUN_ATTR_ICMP).p, "\0\0\x06\x04\0\0\x05\x78", 8);
	kit_free(k);
}

static void bandwidth_is_bounded_each_way(void **st)
{
	(void)st;
	struct turn_cfg cfg = kit_cfg();
	cfg.allocation_bytes_per_s = 10000;
	struct kit *k = kit_new_with(&cfg, NULL, KIT_USERS);
	struct kit_client c = kit_client(TURN_UDP, 0, 4000, "alice");
	struct turn_relay *r = allocate(k, &c);
	struct addr peer = kit_addr("10.0.0.5", 900);
	static const uint8_t data[1000];
	assert_int_equal(kit_bind(k, &c, 0x4001, &peer), 0);
	unsigned up = 0, down = 0;
	for (unsigned ms = 0; ms < 10000; ms += 10) {
		up += kit_channel_data(k, &c, 0x4001, data, sizeof data);
		down += kit_from_peer(k, r, &peer, data, sizeof data) == 1;
		kit_wait(k, 10000);
	}
	assert_in_range(up, 100, 112);
	assert_in_range(down, 100, 112);
	kit_free(k);
}

static void nothing_has_port_0(void **st)
{
	(void)st;
	struct kit *k = kit_new();
	struct kit_client c = kit_client(TURN_UDP, 0, 4000, "alice");
	struct addr peer = kit_addr("10.0.0.5", 0);
	assert_int_equal(kit_allocate(k, &c), 0);
	assert_int_equal(kit_bind(k, &c, 0x4000, &peer), STUN_ERR_FORBIDDEN);
	assert_int_equal(kit_permit(k, &c, &peer), 0);
	assert_false(kit_indicate(k, &c, &peer, "x", 1));
	kit_free(k);
}

/* An operator who denies a range wants it to be left alone now. */
static void a_new_policy_counts_at_once(void **st)
{
	(void)st;
	struct kit *k = kit_new();
	struct turn_cfg cfg = kit_cfg();
	struct kit_client c = kit_client(TURN_UDP, 0, 4000, "alice"),
			  t = kit_client(TURN_TCP, 5, 4001, "alice");
	struct addr bad = kit_addr("10.0.0.5", 900), good = kit_addr("10.0.0.6", 900), relayed;
	assert_int_equal(kit_allocate(k, &c), 0);
	assert_true(stun_addr(&k->m, STUN_ATTR_XOR_RELAYED_ADDRESS, &relayed));
	struct turn_relay *r = kit_relay(k, &relayed);
	assert_int_equal(kit_bind(k, &c, 0x4000, &bad), 0);
	assert_int_equal(kit_bind(k, &c, 0x4001, &good), 0);
	kit_begin(k, &t, STUN_ALLOCATE);
	stun_put_number(&k->w, STUN_ATTR_REQUESTED_TRANSPORT, STUN_TRANSPORT_TCP);
	assert_int_equal(kit_send(k, &t), 0);
	for (unsigned i = 0; i < 2; i++) {
		kit_begin(k, &t, STUN_CONNECT);
		stun_put_xor_addr(&k->w, STUN_ATTR_XOR_PEER_ADDRESS, i ? &good : &bad);
		assert_int_equal(kit_send(k, &t), -1);
	}

	const char *allow[] = {"10.0.0.0/24"}, *deny[] = {"10.0.0.5"};
	struct turn_policy_cfg policy = {
		.allow = allow, .n_allow = 1, .deny_always = deny, .n_deny_always = 1};
	struct turn_policy *old = k->policy;
	struct errbuf eb = {0};
	assert_int_equal(turn_policy_new(&k->policy, &policy, &eb), 0);
	unsigned n = k->n_answers;
	turn_reload(k->server, &cfg, k->policy);
	turn_policy_free(old);
	assert_false(kit_channel_data(k, &c, 0x4000, "x", 1));
	assert_false(kit_indicate(k, &c, &bad, "x", 1));
	assert_int_equal(kit_from_peer(k, r, &bad, "x", 1), 0);
	assert_true(kit_channel_data(k, &c, 0x4001, "x", 1));
	assert_true(kit_indicate(k, &c, &good, "x", 1));
	assert_int_equal(kit_from_peer(k, r, &good, "x", 1), 1);
	assert_int_equal(kit_result(k, n), STUN_ERR_CONNECTION_FAILED);
	assert_false(k->peers[0].is_open);
	assert_true(k->peers[1].is_open);
	kit_free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(permissions_let_in_and_run_out),
		cmocka_unit_test(many_peers_are_all_or_nothing),
		cmocka_unit_test(channels_carry_both_ways),
		cmocka_unit_test(streams_get_padded_channel_data),
		cmocka_unit_test(bindings_that_are_refused),
		cmocka_unit_test(a_channel_outlives_its_permission),
		cmocka_unit_test(late_timers_give_nothing_away),
		cmocka_unit_test(many_are_found_and_bounded),
		cmocka_unit_test(a_socket_that_cannot_be_had),
		cmocka_unit_test(icmp_is_told),
		cmocka_unit_test(bandwidth_is_bounded_each_way),
		cmocka_unit_test(nothing_has_port_0),
		cmocka_unit_test(a_new_policy_counts_at_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
