#include "../cm.h"
#include "../../turn_kit.h"
#include "turn/turn_internal.h"

static int allocate_mobile(struct kit *k, struct kit_client *c)
{
	kit_begin(k, c, STUN_ALLOCATE);
	stun_put_number(&k->w, STUN_ATTR_REQUESTED_TRANSPORT, STUN_TRANSPORT_UDP);
	stun_put(&k->w, STUN_ATTR_MOBILITY_TICKET, NULL, 0);
	return kit_send(k, c);
}

static int refresh_with(struct kit *k, struct kit_client *c, const void *ticket, size_t n)
{
	kit_begin(k, c, STUN_REFRESH);
	stun_put(&k->w, STUN_ATTR_MOBILITY_TICKET, ticket, n);
	return kit_send(k, c);
}

static size_t ticket_of(struct kit *k, uint8_t out[64])
{
	struct slice t = stun_value(&k->m, STUN_ATTR_MOBILITY_TICKET);
	assert_in_range(t.n, 16, 64);
	memcpy(out, t.p, t.n);
	return t.n;
}

static void an_allocation_moves(void **st)
{
	(void)st;
	struct kit *k = kit_new();
	struct kit_client a = kit_client(TURN_UDP, 0, 4000, "alice"),
			  b = kit_client(TURN_UDP, 0, 4001, "alice"),
			  x = kit_client(TURN_UDP, 0, 4002, "bob"), d = kit_client(TURN_TCP, 7, 1, "alice");
	struct addr peer = kit_addr("10.0.0.5", 900), relayed;
	uint8_t first[64], second[64];
	assert_int_equal(allocate_mobile(k, &a), 0);
	assert_true(stun_addr(&k->m, STUN_ATTR_XOR_RELAYED_ADDRESS, &relayed));
	struct turn_relay *r = kit_relay(k, &relayed);
	size_t n = ticket_of(k, first);
	assert_int_equal(kit_bind(k, &a, 0x4000, &peer), 0);

	first[0] ^= 1;
	assert_int_equal(refresh_with(k, &b, first, n), STUN_ERR_BAD_REQUEST);
	first[0] ^= 1;
	assert_int_equal(refresh_with(k, &x, first, n), STUN_ERR_WRONG_CREDENTIALS);
	assert_int_equal(refresh_with(k, &b, first, n), 0);
	ticket_of(k, second);
	assert_memory_not_equal(first, second, n);
	/* The channel is there on the new flow; the old one has nothing. */
	assert_true(kit_channel_data(k, &b, 0x4000, "x", 1));
	assert_false(kit_channel_data(k, &a, 0x4000, "x", 1));
	assert_int_equal(kit_refresh(k, &a, 0), STUN_ERR_ALLOCATION_MISMATCH);
	assert_int_equal(kit_from_peer(k, r, &peer, "x", 1), 1);
	assert_true(addr_eq(&k->place_flow.client, &b.flow.client));
	assert_int_equal(k->n_bound, 1);
	/* The answer may have been lost: the ticket before is good once more, then no more. */
	assert_int_equal(refresh_with(k, &d, first, n), 0);
	assert_true(kit_channel_data(k, &d, 0x4000, "x", 1));
	assert_int_equal(refresh_with(k, &a, first, n), STUN_ERR_BAD_REQUEST);
	/* A mobile client's connection may break. */
	turn_flow_closed(k->server, &d.flow);
	assert_int_equal(turn_alloc_count(k->server), 1);
	assert_int_equal(kit_from_peer(k, r, &peer, "x", 1), 0);
	assert_int_equal(refresh_with(k, &a, second, n), 0);
	assert_int_equal(kit_from_peer(k, r, &peer, "x", 1), 1);
	kit_wait(k, 601000000);
	assert_int_equal(turn_alloc_count(k->server), 0);
	kit_free(k);
}

/* Clients exist that keep a ticket as a C string of at most 32 characters. */
static void a_ticket_is_text(void **st)
{
	(void)st;
	const uint8_t workers[] = {0, 1, 9, 10, 26, 255};
	for (size_t w = 0; w < sizeof workers; w++) {
		struct turn_cfg cfg = kit_cfg();
		cfg.worker = workers[w];
		struct kit *k = kit_new_with(&cfg, NULL, KIT_USERS);
		struct kit_client c = kit_client(TURN_UDP, 0, 4000, "alice");
		uint8_t ticket[64], before[64] = {0};
		unsigned worker = 1000;
		assert_int_equal(allocate_mobile(k, &c), 0);
		for (int i = 0; i < 50; i++) {
			size_t n = ticket_of(k, ticket);
			assert_in_range(n, 24, 32);
			for (size_t j = 0; j < n; j++)
				assert_true(ticket[j] > ' ' && ticket[j] < 127);
			assert_true(turn_ticket_worker(slice_of(ticket, n), &worker));
			assert_int_equal(worker, workers[w]);
			assert_memory_not_equal(ticket, before, n);
			memcpy(before, ticket, n);
			assert_int_equal(refresh_with(k, &c, ticket, n), 0);
		}
		kit_free(k);
	}
}

static void a_ticket_of_nobody(void **st)
{
	(void)st;
	static const char *const bad[] = {"", "0", "0123456789012345678901234567890",
		"012345678901234567890123456789012", "g0234567890123456789012345678901",
		"0A234567890123456789012345678901", "-0234567890123456789012345678901"};
	unsigned worker;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(turn_ticket_worker(slice_str(bad[i]), &worker));
	assert_true(turn_ticket_worker(slice_str("fe234567890123456789012345678901"), &worker));
	assert_int_equal(worker, 254);
}

static void mobility_is_switched_off(void **st)
{
	(void)st;
	struct turn_cfg cfg = kit_cfg();
	cfg.no_mobility = true;
	struct kit *k = kit_new_with(&cfg, NULL, KIT_USERS);
	struct kit_client c = kit_client(TURN_UDP, 0, 4000, "alice");
	assert_int_equal(allocate_mobile(k, &c), STUN_ERR_MOBILITY_FORBIDDEN);
	assert_int_equal(refresh_with(k, &c, "123456789012345678901234", 24),
		STUN_ERR_MOBILITY_FORBIDDEN);
	kit_free(k);
}

static void a_ticket_of_another_allocation(void **st)
{
	(void)st;
	struct kit *k = kit_new();
	struct kit_client a = kit_client(TURN_UDP, 0, 4000, "alice"),
			  b = kit_client(TURN_UDP, 0, 4001, "alice");
	uint8_t ticket[64];
	assert_int_equal(allocate_mobile(k, &a), 0);
	size_t n = ticket_of(k, ticket);
	assert_int_equal(kit_allocate(k, &b), 0);
	assert_int_equal(refresh_with(k, &b, ticket, n), STUN_ERR_ALLOCATION_MISMATCH);
	assert_int_equal(turn_alloc_count(k->server), 2);
	assert_int_equal(refresh_with(k, &a, ticket, n), 0);
	kit_free(k);
}

/* RFC 6062 §4.1: the control connection of TCP connections is a stream. */
static void a_tcp_allocation_stays_on_streams(void **st)
{
	(void)st;
	struct kit *k = kit_new();
	struct kit_client a = kit_client(TURN_TCP, 5, 4000, "alice"),
			  b = kit_client(TURN_UDP, 0, 4001, "alice"),
			  c = kit_client(TURN_TLS, 6, 4002, "alice");
	struct addr peer = kit_addr("10.0.0.5", 900), relayed;
	uint8_t ticket[64];
	kit_begin(k, &a, STUN_ALLOCATE);
	stun_put_number(&k->w, STUN_ATTR_REQUESTED_TRANSPORT, STUN_TRANSPORT_TCP);
	stun_put(&k->w, STUN_ATTR_MOBILITY_TICKET, NULL, 0);
	assert_int_equal(kit_send(k, &a), 0);
	assert_true(stun_addr(&k->m, STUN_ATTR_XOR_RELAYED_ADDRESS, &relayed));
	struct turn_relay *r = kit_relay(k, &relayed);
	size_t n = ticket_of(k, ticket);
	kit_begin(k, &a, STUN_CONNECT);
	stun_put_xor_addr(&k->w, STUN_ATTR_XOR_PEER_ADDRESS, &peer);
	assert_int_equal(kit_send(k, &a), -1);
	assert_int_equal(refresh_with(k, &b, ticket, n), STUN_ERR_BAD_REQUEST);
	assert_int_equal(refresh_with(k, &c, ticket, n), 0);
	unsigned before = k->n_answers;
	turn_peer_connected(k->server, r->alloc, k->peers[0].id);
	assert_int_equal(kit_result(k, before), 0);
	assert_int_equal(k->answer_flow.conn, 6);
	kit_free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_allocation_moves),
		cmocka_unit_test(a_ticket_is_text),
		cmocka_unit_test(a_ticket_of_nobody),
		cmocka_unit_test(mobility_is_switched_off),
		cmocka_unit_test(a_ticket_of_another_allocation),
		cmocka_unit_test(a_tcp_allocation_stays_on_streams),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
