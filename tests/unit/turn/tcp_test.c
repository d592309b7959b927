#include "../cm.h"
#include "../../turn_kit.h"

enum { SECOND_US = 1000000 };

static struct turn_relay *allocate_tcp(struct kit *k, struct kit_client *c)
{
	struct addr relayed;
	kit_begin(k, c, STUN_ALLOCATE);
	stun_put_number(&k->w, STUN_ATTR_REQUESTED_TRANSPORT, STUN_TRANSPORT_TCP);
	assert_int_equal(kit_send(k, c), 0);
	assert_true(stun_addr(&k->m, STUN_ATTR_XOR_RELAYED_ADDRESS, &relayed));
	return kit_relay(k, &relayed);
}

static int connect_to(struct kit *k, struct kit_client *c, const struct addr *peer)
{
	kit_begin(k, c, STUN_CONNECT);
	stun_put_xor_addr(&k->w, STUN_ATTR_XOR_PEER_ADDRESS, peer);
	return kit_send(k, c);
}

static int bind_data(struct kit *k, struct kit_client *c, uint32_t id)
{
	kit_begin(k, c, STUN_CONNECTION_BIND);
	stun_put_number(&k->w, STUN_ATTR_CONNECTION_ID, id);
	return kit_send(k, c);
}

static void connections_are_made_and_spliced(void **st)
{
	(void)st;
	struct kit *k = kit_new();
	struct kit_client c = kit_client(TURN_TCP, 5, 4000, "alice"),
			  data = kit_client(TURN_TCP, 6, 4001, "alice"),
			  thief = kit_client(TURN_TCP, 7, 4002, "bob"),
			  udp = kit_client(TURN_UDP, 0, 4003, "alice");
	struct addr peer = kit_addr("10.0.0.5", 80), denied = kit_addr("127.0.0.1", 80),
		    v6 = kit_addr("2001:db8:2::1", 80);
	assert_int_equal(connect_to(k, &c, &peer), STUN_ERR_ALLOCATION_MISMATCH);
	struct turn_relay *r = allocate_tcp(k, &c);
	assert_int_equal(connect_to(k, &c, &denied), STUN_ERR_FORBIDDEN);
	assert_int_equal(connect_to(k, &c, &v6), STUN_ERR_PEER_FAMILY_MISMATCH);
	assert_int_equal(kit_bind(k, &c, 0x4000, &peer), STUN_ERR_BAD_REQUEST);
	assert_int_equal(connect_to(k, &c, &peer), -1);
	assert_int_equal(connect_to(k, &c, &peer), STUN_ERR_CONNECTION_EXISTS);
	unsigned n = k->n_answers;
	turn_peer_connected(k->server, r->alloc, k->peers[0].id);
	assert_int_equal(kit_result(k, n), 0);
	assert_int_equal(stun_verify_integrity(&k->m, &c.mac), 0);
	assert_int_equal(k->m.method, STUN_CONNECT);
	uint32_t id = stun_number(&k->m, STUN_ATTR_CONNECTION_ID);
	assert_int_not_equal(id, 0);

	assert_int_equal(bind_data(k, &data, id + 1), STUN_ERR_BAD_REQUEST);
	assert_int_equal(bind_data(k, &thief, id), STUN_ERR_WRONG_CREDENTIALS);
	assert_int_equal(bind_data(k, &udp, id), STUN_ERR_BAD_REQUEST);
	assert_int_equal(bind_data(k, &c, id), STUN_ERR_BAD_REQUEST);
	assert_int_equal(bind_data(k, &data, id), 0);
	assert_int_equal(k->peers[0].spliced_to, 6);
	assert_int_equal(bind_data(k, &data, id), STUN_ERR_BAD_REQUEST);
	turn_peer_closed(k->server, r->alloc, &k->peers[0]);
	k->peers[0].is_open = false;
	assert_int_equal(connect_to(k, &c, &peer), -1);
	turn_flow_closed(k->server, &c.flow);
	assert_false(k->peers[0].is_open);
	kit_free(k);
}

static void failures_and_patience(void **st)
{
	(void)st;
	struct kit *k = kit_new();
	struct kit_client c = kit_client(TURN_TCP, 5, 4000, "alice");
	struct turn_relay *r = allocate_tcp(k, &c);
	struct addr peer = kit_addr("10.0.0.5", 80);
	k->peer_connect_fails = -ERR_SYSTEM;
	assert_int_equal(connect_to(k, &c, &peer), STUN_ERR_CONNECTION_FAILED);
	k->peer_connect_fails = 0;
	assert_int_equal(connect_to(k, &c, &peer), -1);
	unsigned n = k->n_answers;
	k->peers[0].is_open = false;
	turn_peer_failed(k->server, r->alloc, k->peers[0].id);
	assert_int_equal(kit_result(k, n), STUN_ERR_CONNECTION_FAILED);
	/* Nobody answers: 30 s. */
	assert_int_equal(connect_to(k, &c, &peer), -1);
	n = k->n_answers;
	kit_wait(k, 29 * SECOND_US);
	assert_int_equal(kit_result(k, n), -1);
	kit_wait(k, 2 * SECOND_US);
	assert_int_equal(kit_result(k, n), STUN_ERR_CONNECTION_FAILED);
	assert_false(k->peers[0].is_open);
	/* Nobody binds: 30 s. */
	assert_int_equal(connect_to(k, &c, &peer), -1);
	turn_peer_connected(k->server, r->alloc, k->peers[0].id);
	kit_wait(k, 31 * SECOND_US);
	assert_false(k->peers[0].is_open);
	/* Only so many at a time. */
	for (uint16_t i = 0; i < 4; i++) {
		addr_set_port(&peer, (uint16_t)(81 + i));
		assert_int_equal(connect_to(k, &c, &peer), -1);
	}
	addr_set_port(&peer, 99);
	assert_int_equal(connect_to(k, &c, &peer), STUN_ERR_CAPACITY);
	kit_free(k);
}

static void peers_connect_by_permission(void **st)
{
	(void)st;
	struct kit *k = kit_new();
	struct kit_client c = kit_client(TURN_TLS, 5, 4000, "alice"),
			  data = kit_client(TURN_TLS, 6, 4001, "alice");
	struct turn_relay *r = allocate_tcp(k, &c);
	struct addr peer = kit_addr("10.0.0.5", 80), from;
	struct turn_peer *p = &k->peers[0];
	*p = (struct turn_peer){.is_open = true, .at = peer};
	assert_false(turn_peer_incoming(k->server, r->alloc, r, &peer, p));
	assert_int_equal(kit_permit(k, &c, &peer), 0);
	assert_true(turn_peer_incoming(k->server, r->alloc, r, &peer, p));
	struct stun_msg m;
	assert_int_equal(stun_parse(&m, slice_of(k->answer, k->answer_n)), 0);
	assert_int_equal(m.class, STUN_INDICATION);
	assert_int_equal(m.method, STUN_CONNECTION_ATTEMPT);
	assert_true(stun_addr(&m, STUN_ATTR_XOR_PEER_ADDRESS, &from));
	assert_true(addr_eq(&from, &peer));
	assert_int_equal(bind_data(k, &data, stun_number(&m, STUN_ATTR_CONNECTION_ID)), 0);
	assert_int_equal(p->spliced_to, 6);
	kit_free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(connections_are_made_and_spliced),
		cmocka_unit_test(failures_and_patience),
		cmocka_unit_test(peers_connect_by_permission),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
