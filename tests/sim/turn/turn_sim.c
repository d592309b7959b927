/*
 * Clients and a server with a link between them that loses, doubles and reorders: every request is answered in the end,
 * every answer to one request is the same, and both ends agree on what there is.
 */
#include "../../unit/cm.h"
#include "../../turn_kit.h"
#include "../link.h"

enum { CLIENTS = 8, RTO_US = 500000, TRIES = 12, MS = 1000, SECOND = 1000000 };

struct world {
	struct kit *k;
	struct link link;
	struct kit_client client[CLIENTS];
	/* Of the transaction that runs. */
	uint8_t tid[STUN_TID_LEN];
	uint8_t answer[TURN_OUT_MAX];
	size_t answer_n;
	unsigned n_different;
	uint64_t n_repeated;
};

static struct addr server_addr(void)
{
	return kit_addr("192.0.2.1", 3478);
}

static void on_send(void *arg, const struct turn_flow *flow, struct slice bytes)
{
	struct world *w = arg;
	struct addr server = server_addr();
	link_send(&w->link, 1, &server, &flow->client, bytes);
}

static void on_deliver(
	void *arg, int end, const struct addr *from, const struct addr *to, struct slice data)
{
	struct world *w = arg;
	if (end == 1) {
		struct turn_flow flow = {
			.transport = TURN_UDP, .listener = 1, .client = *from, .server = *to};
		w->k->now_us = w->link.now_us;
		kit_rx(w->k, &flow, data);
		return;
	}
	/* Answers to what was asked before are of no interest any more. */
	if (memcmp(data.p + STUN_TID_AT, w->tid, STUN_TID_LEN) != 0)
		return;
	struct stun_msg m;
	assert_int_equal(stun_parse(&m, data), 0);
	if (!w->answer_n) {
		memcpy(w->answer, data.p, data.n);
		w->answer_n = data.n;
	} else if (w->answer_n != data.n || memcmp(w->answer, data.p, data.n) != 0) {
		/* A challenge is made anew each time: the server keeps nothing for who is nobody yet. */
		w->n_different += m.error_code != STUN_ERR_UNAUTHENTICATED &&
			m.error_code != STUN_ERR_STALE_NONCE;
	}
}

static void run_to(struct world *w, uint64_t at_us)
{
	while (w->link.now_us < at_us) {
		uint64_t next = MIN(link_next_us(&w->link), wheel_next_us(&w->k->wheel));
		next = MIN(MAX(next, w->link.now_us + MS), at_us);
		link_run(&w->link, next);
		kit_wait(w->k, next > w->k->now_us ? next - w->k->now_us : 0);
	}
}

/* Sends what was begun until it is answered; a stale nonce is replaced. Returns the code. */
static int ask(
	struct world *w, struct kit_client *c, void (*make)(struct kit *k, struct kit_client *c))
{
	for (int nonces = 0; nonces < 4; nonces++) {
		make(w->k, c);
		struct addr server = server_addr();
		memcpy(w->tid, w->k->sealed.p + STUN_TID_AT, STUN_TID_LEN);
		uint8_t request[2048];
		struct slice m = slice_of(request, w->k->sealed.n);
		memcpy(request, w->k->sealed.p, m.n);
		w->answer_n = 0;
		for (int i = 0; i < TRIES && !w->answer_n; i++) {
			link_send(&w->link, 0, &c->flow.client, &server, m);
			run_to(w, w->link.now_us + RTO_US);
		}
		assert_int_not_equal(w->answer_n, 0);
		/* Once more after the answer, as duplicates do. */
		link_send(&w->link, 0, &c->flow.client, &server, m);
		run_to(w, w->link.now_us + RTO_US);
		struct stun_msg a;
		assert_int_equal(stun_parse(&a, slice_of(w->answer, w->answer_n)), 0);
		if (a.class == STUN_SUCCESS)
			return 0;
		if (a.error_code != STUN_ERR_UNAUTHENTICATED &&
			a.error_code != STUN_ERR_STALE_NONCE)
			return a.error_code;
		memcpy(c->nonce, a.nonce.p, a.nonce.n);
		c->nonce_n = a.nonce.n;
	}
	return STUN_ERR_STALE_NONCE;
}

/* The first request has no nonce to sign with. */
static void seal(struct kit *k, struct kit_client *c)
{
	if (c->nonce_n)
		kit_seal(k, c);
	else
		assert_int_equal(stun_seal_with(&k->w, NULL, NULL, false, &k->sealed), 0);
}

static void make_allocate(struct kit *k, struct kit_client *c)
{
	kit_begin(k, c, STUN_ALLOCATE);
	stun_put_number(&k->w, STUN_ATTR_REQUESTED_TRANSPORT, STUN_TRANSPORT_UDP);
	stun_put_number(&k->w, STUN_ATTR_EVEN_PORT, STUN_EVEN_PORT_RESERVE);
	seal(k, c);
}

static void make_refresh(struct kit *k, struct kit_client *c)
{
	kit_begin(k, c, STUN_REFRESH);
	seal(k, c);
}

static void make_delete(struct kit *k, struct kit_client *c)
{
	kit_begin(k, c, STUN_REFRESH);
	stun_put_number(&k->w, STUN_ATTR_LIFETIME, 0);
	seal(k, c);
}

static void make_permission(struct kit *k, struct kit_client *c)
{
	struct addr peer = kit_addr("10.0.0.1", 0), other = kit_addr("10.0.0.2", 0);
	kit_begin(k, c, STUN_CREATE_PERMISSION);
	stun_put_xor_addr(&k->w, STUN_ATTR_XOR_PEER_ADDRESS, &peer);
	stun_put_xor_addr(&k->w, STUN_ATTR_XOR_PEER_ADDRESS, &other);
	seal(k, c);
}

static void make_bind(struct kit *k, struct kit_client *c)
{
	struct addr peer = kit_addr("10.0.0.3", 99);
	kit_begin(k, c, STUN_CHANNEL_BIND);
	stun_put_number(&k->w, STUN_ATTR_CHANNEL_NUMBER, 0x4abc);
	stun_put_xor_addr(&k->w, STUN_ATTR_XOR_PEER_ADDRESS, &peer);
	seal(k, c);
}

static struct world *world_new(uint64_t seed)
{
	struct world *w = calloc(1, sizeof *w);
	w->k = kit_new();
	w->k->on_send = on_send;
	w->k->on_arg = w;
	link_init(&w->link, seed, on_deliver, w);
	for (int e = 0; e < 2; e++)
		w->link.dir[e] = (struct link_dir){
			.loss_pm = 300, .dup_pm = 300, .delay_us = 40 * MS, .jitter_us = 200 * MS};
	w->link.now_us = w->k->now_us;
	for (uint16_t i = 0; i < CLIENTS; i++)
		w->client[i] = kit_client(TURN_UDP, 0, (uint16_t)(4000 + i), i % 2 ? "alice" : "bob");
	w->n_repeated = metric_sum(M_TURN_REPEATED);
	return w;
}

static void world_free(struct world *w)
{
	link_free(&w->link);
	kit_free(w->k);
	free(w);
}

static void every_request_is_answered_once(void **st)
{
	(void)st;
	for (uint64_t seed = 1; seed <= 10; seed++) {
		struct world *w = world_new(seed);
		for (size_t i = 0; i < CLIENTS; i++) {
			struct kit_client *c = &w->client[i];
			assert_int_equal(ask(w, c, make_allocate), 0);
			assert_int_equal(ask(w, c, make_permission), 0);
			assert_int_equal(ask(w, c, make_bind), 0);
			assert_int_equal(ask(w, c, make_refresh), 0);
		}
		assert_int_equal(turn_alloc_count(w->k->server), CLIENTS);
		assert_int_equal(w->k->n_open, CLIENTS);
		assert_int_equal(w->k->n_bound, CLIENTS);
		for (size_t i = 0; i < CLIENTS; i += 2)
			assert_int_equal(ask(w, &w->client[i], make_delete), 0);
		assert_int_equal(turn_alloc_count(w->k->server), CLIENTS / 2);
		assert_int_equal(ask(w, &w->client[0], make_refresh), STUN_ERR_ALLOCATION_MISMATCH);
		assert_int_equal(w->n_different, 0);
		assert_true(metric_sum(M_TURN_REPEATED) > w->n_repeated);
		/* Nobody refreshes any more. */
		run_to(w, w->link.now_us + 700 * (uint64_t)SECOND);
		assert_int_equal(turn_alloc_count(w->k->server), 0);
		assert_int_equal(w->k->n_unreserved, CLIENTS);
		assert_int_equal(w->k->n_bound, 0);
		world_free(w);
	}
}

static void refreshed_allocations_live_for_hours(void **st)
{
	(void)st;
	struct world *w = world_new(99);
	struct kit_client *c = &w->client[0];
	assert_int_equal(ask(w, c, make_allocate), 0);
	for (int i = 0; i < 60; i++) {
		assert_int_equal(ask(w, c, make_refresh), 0);
		assert_int_equal(ask(w, c, make_bind), 0);
		run_to(w, w->link.now_us + 240 * (uint64_t)SECOND);
		assert_true(kit_channel_data(w->k, c, 0x4abc, "x", 1));
	}
	assert_int_equal(turn_alloc_count(w->k->server), 1);
	assert_int_equal(w->n_different, 0);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_request_is_answered_once),
		cmocka_unit_test(refreshed_allocations_live_for_hours),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
