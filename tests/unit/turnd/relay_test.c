#include "town.h"

#include <netinet/in.h>

/* Below what the kernel gives to sockets without a port of their own, which other tests have at the same time. */
static const struct town_cfg usual = {.workers = 1, .relay_first = 22000, .relay_last = 22999};

static int once(void **st)
{
	(void)st;
	metric_thread_init();
	mbox_thread_init();
	return 0;
}

static void data_goes_both_ways(void **st)
{
	(void)st;
	struct town town;
	struct client c;
	struct addr peer, from;
	uint8_t in[64];
	town_open(&town, &usual);
	client_open(&c, &town);
	int fd = town_socket(&peer);
	assert_int_equal(client_allocate(&c), 0);
	assert_int_equal(client_bind(&c, TOWN_CHANNEL, &peer), 0);
	client_say(&c, TOWN_CHANNEL, "hello", 5);
	assert_int_equal(town_receive(&town, fd, in, sizeof in, &from), 5);
	assert_memory_equal(in, "hello", 5);
	assert_true(addr_eq(&from, &c.relayed));
	town_send(fd, &c.relayed, "and back", 8);
	client_hears(&c, TOWN_CHANNEL, "and back", 8);
	client_say(&c, TOWN_CHANNEL, "", 0); /* an empty datagram is one */
	assert_true(poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 0) == 0);
	town_settle(&town);
	assert_int_equal(recv(fd, in, sizeof in, 0), 0);
	town_send(fd, &c.relayed, "", 0);
	client_hears(&c, TOWN_CHANNEL, "", 0);
	close(fd);
	client_close(&c);
	town_close(&town);
}

/* No socket before the first permission, none after the end; strangers are not heard. */
static void sockets_come_late_and_go(void **st)
{
	(void)st;
	struct town town;
	struct client c;
	struct addr peer;
	uint64_t before = metric_sum(M_TURN_RELAY_SOCKETS);
	town_open(&town, &usual);
	client_open(&c, &town);
	int fd = town_socket(&peer);
	assert_int_equal(client_allocate(&c), 0);
	assert_int_equal(metric_sum(M_TURN_RELAY_SOCKETS), before);
	assert_int_equal(client_permit(&c, &peer), 0);
	assert_int_equal(metric_sum(M_TURN_RELAY_SOCKETS), before + 1);
	assert_int_equal(client_permit(&c, &peer), 0);
	assert_int_equal(metric_sum(M_TURN_RELAY_SOCKETS), before + 1);
	assert_int_equal(client_delete(&c), 0);
	assert_int_equal(metric_sum(M_TURN_RELAY_SOCKETS), before);
	uint64_t drops = metric_drop_sum(DROP_TURN_NO_PERMISSION);
	assert_int_equal(client_allocate(&c), 0);
	assert_int_equal(client_permit(&c, &(struct addr){.v4 = {.sin_family = AF_INET,
						     .sin_port = htons(9),
						     .sin_addr = {htonl(0x7f000002)}}}),
		0);
	town_send(fd, &c.relayed, "x", 1);
	assert_true(town_is_silent(&town, c.fd));
	assert_int_equal(metric_drop_sum(DROP_TURN_NO_PERMISSION), drops + 1);
	close(fd);
	client_close(&c);
	town_close(&town);
}

/* Ports that another program has are passed over; when none is left the answer is 508. */
static void ports_in_use_are_passed_over(void **st)
{
	(void)st;
	enum { FIRST = 22100, N = 8 };
	struct town_cfg cfg = usual;
	cfg.is_eager = true;
	cfg.relay_first = FIRST;
	cfg.relay_last = FIRST + N - 1;
	int taken[N / 2];
	for (unsigned i = 0; i < ARRAY_LEN(taken); i++) {
		struct addr at = town_addr("127.0.0.1", (uint16_t)(FIRST + 2 * i));
		taken[i] = socket(AF_INET, SOCK_DGRAM, 0);
		assert_int_equal(bind(taken[i], &at.sa, addr_len(&at)), 0);
	}
	struct town town;
	struct client c[N / 2 + 1];
	town_open(&town, &cfg);
	for (unsigned i = 0; i < ARRAY_LEN(c); i++) {
		client_open(&c[i], &town);
		assert_int_equal(client_allocate(&c[i]), i < N / 2 ? 0 : 508);
	}
	for (unsigned i = 0; i < N / 2; i++)
		assert_int_equal(addr_port(&c[i].relayed) % 2, 1);
	close(taken[0]);
	assert_int_equal(client_allocate(&c[N / 2]), 0);
	assert_int_equal(addr_port(&c[N / 2].relayed), FIRST);
	assert_int_equal(client_delete(&c[0]), 0);
	for (unsigned i = 0; i < ARRAY_LEN(c); i++)
		client_close(&c[i]);
	for (unsigned i = 1; i < ARRAY_LEN(taken); i++)
		close(taken[i]);
	town_close(&town);
}

static int take_port(uint16_t port)
{
	struct addr at = town_addr("127.0.0.1", port);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (bind(fd, &at.sa, addr_len(&at)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* Told at the first permission only; the next ones who ask for an address are spared. */
static void a_port_found_in_use_is_left_alone(void **st)
{
	(void)st;
	enum { FIRST = 22200 };
	struct town_cfg cfg = usual;
	cfg.relay_first = FIRST;
	cfg.relay_last = FIRST + 3;
	struct town town;
	struct client c, d;
	struct addr peer;
	town_open(&town, &cfg);
	int fd = town_socket(&peer);
	client_open(&c, &town);
	client_open(&d, &town);
	assert_int_equal(client_allocate(&c), 0);
	uint16_t port = addr_port(&c.relayed);
	int other = take_port(port);
	assert_true(other >= 0);
	assert_int_equal(client_permit(&c, &peer), 508);
	assert_int_equal(client_delete(&c), 0);
	for (int i = 0; i < 30; i++) {
		assert_int_equal(client_allocate(&c), 0);
		assert_int_not_equal(addr_port(&c.relayed), port);
		assert_int_equal(client_permit(&c, &peer), 0);
		assert_int_equal(client_delete(&c), 0);
	}
	/* Tried again after a while. */
	close(other);
	struct turnd_home *h = &town.at[0].t->homes[0];
	assert_int_equal(h->n_shunned, 1);
	h->shunned[h->first_shunned].until_us = 0;
	assert_int_equal(client_allocate(&d), 0);
	assert_int_equal(h->n_shunned, 0);
	assert_int_equal(client_delete(&d), 0);
	client_close(&c);
	client_close(&d);
	close(fd);
	town_close(&town);
}

/* Two promises are made with EVEN-PORT: neither port is another program's. */
static void a_reserved_port_is_held(void **st)
{
	(void)st;
	enum { FIRST = 22300 };
	struct town_cfg cfg = usual;
	cfg.relay_first = FIRST;
	cfg.relay_last = FIRST + 3;
	struct town town;
	struct client c;
	town_open(&town, &cfg);
	int odd = take_port(FIRST + 1);
	assert_true(odd >= 0);
	for (int i = 0; i < 10; i++) {
		client_open(&c, &town);
		client_begin(&c, STUN_ALLOCATE);
		stun_put_u32(&c.w, STUN_ATTR_REQUESTED_TRANSPORT, CLIENT_UDP);
		stun_put_number(&c.w, STUN_ATTR_EVEN_PORT, 0x80);
		assert_int_equal(client_ask(&c), 0);
		assert_true(stun_addr(&c.m, STUN_ATTR_XOR_RELAYED_ADDRESS, &c.relayed));
		assert_int_equal(addr_port(&c.relayed), FIRST + 2);
		assert_int_equal(take_port(FIRST + 3), -1);
		struct turnd *t = town.at[0].t;
		turnd_relay_unreserve(t, UINT64_C(1) << 32 | (FIRST + 3));
		int free_again = take_port(FIRST + 3);
		assert_true(free_again >= 0);
		close(free_again);
		assert_int_equal(client_delete(&c), 0);
		client_close(&c);
	}
	close(odd);
	town_close(&town);
}

static void expect_relay_ip(const struct town_cfg *cfg, const char *ip)
{
	struct town town;
	const struct addr want = town_addr(ip, 0);
	town_open(&town, cfg);
	for (int i = 0; i < 6; i++) {
		struct client c;
		client_open(&c, &town);
		assert_int_equal(client_allocate(&c), 0);
		assert_true(addr_ip_eq(&c.relayed, &want));
		client_close(&c);
	}
	town_close(&town);
}

/* A host has private addresses besides its public one, but who came to the public one is not relayed from those. */
static void clients_are_relayed_from_where_they_came(void **st)
{
	(void)st;
	struct town_cfg cfg = usual;
	cfg.relay_as_asked = true;
	cfg.relay = "127.0.0.2";
	cfg.more_relays[0] = "127.0.0.1"; /* town's listener */
	cfg.more_relays[1] = "127.0.0.3";
	expect_relay_ip(&cfg, "127.0.0.1");
	cfg.more_relays[0] = "127.0.0.4";
	cfg.external = "198.41.0.4"; /* of 127.0.0.3 */
	expect_relay_ip(&cfg, "198.41.0.4");
}

/* EVEN-PORT with the next one put aside, and taken up by another client, whichever worker that one came to. */
static void reservations_are_kept(void **st)
{
	(void)st;
	struct town_cfg cfg = usual;
	cfg.workers = 3;
	struct town town;
	town_open(&town, &cfg);
	uint64_t before = metric_sum(M_TURN_HANDOVER);
	for (int i = 0; i < 12; i++) {
		struct client a, b;
		uint8_t token[8], in[64];
		struct addr peer;
		int fd = town_socket(&peer);
		client_open(&a, &town);
		client_open(&b, &town);
		client_begin(&a, STUN_ALLOCATE);
		stun_put_u32(&a.w, STUN_ATTR_REQUESTED_TRANSPORT, CLIENT_UDP);
		stun_put_number(&a.w, STUN_ATTR_EVEN_PORT, 0x80);
		assert_int_equal(client_ask(&a), 0);
		assert_true(stun_addr(&a.m, STUN_ATTR_XOR_RELAYED_ADDRESS, &a.relayed));
		struct slice t = stun_value(&a.m, STUN_ATTR_RESERVATION_TOKEN);
		assert_int_equal(t.n, sizeof token);
		memcpy(token, t.p, t.n);
		client_begin(&b, STUN_ALLOCATE);
		stun_put_u32(&b.w, STUN_ATTR_REQUESTED_TRANSPORT, CLIENT_UDP);
		stun_put(&b.w, STUN_ATTR_RESERVATION_TOKEN, token, sizeof token);
		assert_int_equal(client_ask(&b), 0);
		assert_true(stun_addr(&b.m, STUN_ATTR_XOR_RELAYED_ADDRESS, &b.relayed));
		assert_int_equal(addr_port(&a.relayed) % 2, 0);
		assert_int_equal(addr_port(&b.relayed), addr_port(&a.relayed) + 1);
		/* Everything else of this client finds its way too. */
		assert_int_equal(client_bind(&b, TOWN_CHANNEL, &peer), 0);
		client_say(&b, TOWN_CHANNEL, "hello", 5);
		assert_int_equal(town_receive(&town, fd, in, sizeof in, NULL), 5);
		town_send(fd, &b.relayed, "back", 4);
		client_hears(&b, TOWN_CHANNEL, "back", 4);
		assert_int_equal(client_delete(&b), 0);
		assert_int_equal(client_delete(&a), 0);
		town_settle(&town);
		close(fd);
		client_close(&a);
		client_close(&b);
	}
	assert_true(metric_sum(M_TURN_HANDOVER) > before);
	assert_int_equal(metric_sum(M_TURN_STEERED), 0);
	town_close(&town);
}

/* A client at `at` with a reserved port of `home`, not yet taken up; a has the even one. */
static void reserve(struct town *town, struct client *a, unsigned home, uint8_t token[8])
{
	for (int i = 0; i < TOWN_CLIENTS; i++) {
		client_open(a, town);
		client_begin(a, STUN_ALLOCATE);
		stun_put_u32(&a->w, STUN_ATTR_REQUESTED_TRANSPORT, CLIENT_UDP);
		stun_put_number(&a->w, STUN_ATTR_EVEN_PORT, 0x80);
		assert_int_equal(client_ask(a), 0);
		assert_true(stun_addr(&a->m, STUN_ATTR_XOR_RELAYED_ADDRESS, &a->relayed));
		struct slice t = stun_value(&a->m, STUN_ATTR_RESERVATION_TOKEN);
		assert_int_equal(t.n, 8);
		memcpy(token, t.p, 8);
		if (turnd_ports_owner(addr_port(&a->relayed), town->n) == home)
			return;
		assert_int_equal(client_delete(a), 0);
		client_close(a);
	}
	fail_msg("no client came to worker %u", home);
}

/* A client that comes to `worker`. */
static void client_at(struct client *c, struct town *town, unsigned worker)
{
	client_settle(c, town, worker);
	assert_int_equal(client_delete(c), 0);
}

static void ask_with_token(struct client *c, const uint8_t token[8])
{
	client_begin(c, STUN_ALLOCATE);
	stun_put_u32(&c->w, STUN_ATTR_REQUESTED_TRANSPORT, CLIENT_UDP);
	stun_put(&c->w, STUN_ATTR_RESERVATION_TOKEN, token, 8);
	client_send(c);
}

/* The answer is there: no worker's turn is needed. 0 or the error. */
static unsigned answer_now(struct client *c)
{
	struct pollfd pfd = {.fd = c->fd, .events = POLLIN};
	assert_int_equal(poll(&pfd, 1, TOWN_PATIENCE_MS), 1);
	ssize_t n = recv(c->fd, c->in, sizeof c->in, 0);
	assert_true(n > 0);
	assert_int_equal(stun_parse(&c->m, slice_of(c->in, (size_t)n)), 0);
	assert_int_equal(c->m.tid[0], c->tid);
	return c->m.class == STUN_SUCCESS ? 0 : c->m.error_code;
}

/* A turn of one worker. Without its rings: it had looked at them just before something came. */
static void turn_of(struct house *h, bool with_rings)
{
	ev_wait(&h->w.ev, 0);
	h->w.now_us = clock_mono_us();
	if (with_rings)
		pktbox_drain(&h->w.packets, &h->w.packet_taker, 1024);
	ev_dispatch(&h->w.ev);
	turnd_end_turn(h->t);
}

/* The next request is there before this worker has read what the other one says of the client. */
static void the_next_request_may_be_early(void **st)
{
	(void)st;
	struct town_cfg cfg = usual;
	cfg.workers = 2;
	struct town town;
	town_open(&town, &cfg);
	for (unsigned home = 0; home < 2; home++) {
		struct house *here = &town.at[!home], *there = &town.at[home];
		struct client a, b;
		uint8_t token[8];
		struct addr peer;
		int fd = town_socket(&peer);
		reserve(&town, &a, home, token);
		client_at(&b, &town, !home);
		ask_with_token(&b, token);
		turn_of(here, true);
		turn_of(there, true);
		assert_int_equal(answer_now(&b), 0);
		assert_int_equal(here->t->n_asked, 1);
		for (int i = 0; i < 3; i++) {
			client_begin(&b, STUN_CHANNEL_BIND);
			stun_put_number(&b.w, STUN_ATTR_CHANNEL_NUMBER, TOWN_CHANNEL);
			stun_put_xor_addr(&b.w, STUN_ATTR_XOR_PEER_ADDRESS, &peer);
			client_send(&b);
			turn_of(here, false);
			turn_of(there, true);
			assert_int_equal(answer_now(&b), 0);
		}
		turn_of(here, true);
		assert_int_equal(here->t->n_asked, 0);
		assert_int_equal(here->t->steered.n, 1);
		/* Ended, and begun again before its end is known here. */
		client_begin(&b, STUN_REFRESH);
		stun_put_u32(&b.w, STUN_ATTR_LIFETIME, 0);
		client_send(&b);
		turn_of(here, false);
		turn_of(there, true);
		assert_int_equal(answer_now(&b), 0);
		client_begin(&b, STUN_ALLOCATE);
		stun_put_u32(&b.w, STUN_ATTR_REQUESTED_TRANSPORT, CLIENT_UDP);
		client_send(&b);
		turn_of(here, false);
		turn_of(here, true);
		turn_of(there, true);
		assert_int_equal(answer_now(&b), 0);
		assert_int_equal(client_permit(&b, &peer), 0);
		assert_int_equal(client_delete(&b), 0);
		town_settle(&town);
		assert_int_equal(here->t->steered.n, 0);
		assert_int_equal(client_delete(&a), 0);
		client_close(&a);
		client_close(&b);
		close(fd);
	}
	town_close(&town);
}

/* Passed on to one worker, whose allocation ends; then a token of a third one. */
static void from_one_to_the_next(void **st)
{
	(void)st;
	struct town_cfg cfg = usual;
	cfg.workers = 3;
	struct town town;
	struct client a, c, b;
	uint8_t token[2][8];
	struct addr peer;
	town_open(&town, &cfg);
	int fd = town_socket(&peer);
	reserve(&town, &a, 1, token[0]);
	reserve(&town, &c, 2, token[1]);
	client_at(&b, &town, 0);
	for (int i = 0; i < 2; i++) {
		ask_with_token(&b, token[i]);
		for (unsigned j = 0; j < 3; j++)
			turn_of(&town.at[j], true);
		assert_int_equal(answer_now(&b), 0);
		assert_int_equal(client_bind(&b, TOWN_CHANNEL, &peer), 0);
		if (i == 0) {
			/* The allocation ends by itself: nobody says so. */
			struct turn_server *s = turnd_server(town.at[1].t);
			for (struct turn_alloc *x = NULL; (x = turn_alloc_next(s, x));) {
				struct turn_alloc_info info;
				turn_alloc_info(x, &info);
				if (!addr_eq(&info.flow.client, &b.at))
					continue;
				assert_int_equal(turn_alloc_end(s, info.id, "test"), 0);
				break;
			}
		}
	}
	for (int i = 0; i < 3; i++)
		assert_int_equal(client_permit(&b, &peer), 0);
	assert_int_equal(client_delete(&b), 0);
	town_settle(&town);
	assert_int_equal(town.at[0].t->steered.n, 0);
	client_close(&a);
	client_close(&b);
	client_close(&c);
	close(fd);
	town_close(&town);
}

/* Tokens of another worker that are none: nobody is kept for long, and no more than a few at a time. */
static void forged_tokens_fill_nothing(void **st)
{
	(void)st;
	struct town_cfg cfg = usual;
	cfg.workers = 2;
	struct town town;
	struct client c;
	town_open(&town, &cfg);
	struct turnd *t = town.at[0].t;
	const uint8_t token[8] = {1, 2, 3};
	client_at(&c, &town, 0);
	ask_with_token(&c, token);
	turn_of(&town.at[0], true);
	assert_int_equal(t->n_asked, 1);
	town_settle(&town);
	assert_int_equal(answer_now(&c), 508);
	assert_int_equal(t->n_asked, 0);
	assert_int_equal(t->steered.n, 0);
	for (uint32_t i = 0; i < 3000; i++) {
		struct turn_flow flow = t->listeners[0].flow;
		flow.client = town_addr("127.0.0.9", (uint16_t)(1024 + i));
		assert_true(turnd_hand_over(t, &flow, 1, slice_of("\0\3", 2)));
	}
	assert_in_range(t->n_asked, 1, 1024);
	assert_int_equal(t->steered.n, t->n_asked);
	/* In the name of a client that has an allocation here. */
	assert_int_equal(client_allocate(&c), 0);
	ask_with_token(&c, token);
	for (unsigned j = 0; j < 2; j++)
		turn_of(&town.at[j], true);
	assert_int_equal(answer_now(&c), 437);
	assert_int_equal(client_delete(&c), 0);
	town_settle(&town);
	client_close(&c);
	town_close(&town);
}

/* Nobody listens at the peer's port: the client is told by a Data indication (RFC 8656 §11.6). */
static void icmp_comes_back(void **st)
{
	(void)st;
	struct town town;
	struct client c;
	struct addr peer;
	town_open(&town, &usual);
	client_open(&c, &town);
	int fd = town_socket(&peer);
	close(fd);
	assert_int_equal(client_allocate(&c), 0);
	assert_int_equal(client_permit(&c, &peer), 0);
	for (int i = 0; i < 2; i++) {
		client_begin(&c, STUN_SEND);
		stun_put_xor_addr(&c.w, STUN_ATTR_XOR_PEER_ADDRESS, &peer);
		stun_put(&c.w, STUN_ATTR_DATA, "knock", 5);
		client_send(&c);
		size_t n = town_receive(&town, c.fd, c.in, sizeof c.in, NULL);
		assert_int_equal(stun_parse(&c.m, slice_of(c.in, n)), 0);
		assert_int_equal(c.m.method, STUN_DATA);
		struct slice icmp = stun_value(&c.m, STUN_ATTR_ICMP);
		assert_int_equal(icmp.n, 8);
		assert_int_equal(rd16(icmp.p + 2) >> 9, 3);    /* destination unreachable */
		assert_int_equal(rd16(icmp.p + 2) & 0x1ff, 3); /* port */
		struct addr about;
		assert_true(stun_addr(&c.m, STUN_ATTR_XOR_PEER_ADDRESS, &about));
		assert_true(addr_eq(&about, &peer));
	}
	client_close(&c);
	town_close(&town);
}

static int mtu_discover(struct client *c)
{
	struct turnd *t = c->town->at[0].t;
	struct turnd_relay_sock *rs = turnd_relay_sock_at(t, 0, addr_port(&c->relayed));
	int value = -1;
	socklen_t n = sizeof value;
	assert_non_null(rs);
	assert_int_equal(getsockopt(rs->sock.fd, IPPROTO_IP, IP_MTU_DISCOVER, &value, &n), 0);
	return value;
}

static void dont_fragment_is_a_state_of_the_socket(void **st)
{
	(void)st;
	struct town town;
	struct client c;
	struct addr peer;
	uint8_t in[64];
	town_open(&town, &usual);
	client_open(&c, &town);
	int fd = town_socket(&peer);
	assert_int_equal(client_allocate(&c), 0);
	assert_int_equal(client_permit(&c, &peer), 0);
	for (int i = 0; i < 4; i++) {
		client_begin(&c, STUN_SEND);
		stun_put_xor_addr(&c.w, STUN_ATTR_XOR_PEER_ADDRESS, &peer);
		stun_put(&c.w, STUN_ATTR_DATA, "hello", 5);
		if (i % 2)
			stun_put(&c.w, STUN_ATTR_DONT_FRAGMENT, NULL, 0);
		client_send(&c);
		assert_int_equal(town_receive(&town, fd, in, sizeof in, NULL), 5);
		assert_int_equal(mtu_discover(&c), i % 2 ? IP_PMTUDISC_DO : IP_PMTUDISC_DONT);
	}
	close(fd);
	client_close(&c);
	town_close(&town);
}

/* What is sent just before the end still leaves. */
static void last_words_are_sent(void **st)
{
	(void)st;
	struct town town;
	struct client c;
	struct addr peer;
	uint8_t in[64];
	town_open(&town, &usual);
	client_open(&c, &town);
	int fd = town_socket(&peer);
	assert_int_equal(client_allocate(&c), 0);
	assert_int_equal(client_bind(&c, TOWN_CHANNEL, &peer), 0);
	client_say(&c, TOWN_CHANNEL, "bye", 3);
	assert_int_equal(client_delete(&c), 0); /* both are read in the same turn */
	assert_int_equal(town_receive(&town, fd, in, sizeof in, NULL), 3);
	close(fd);
	client_close(&c);
	town_close(&town);
}

/* One socket for all: told apart by the peer, which belongs to who spoke to it first. */
static void multiplexed_clients_share_a_port(void **st)
{
	(void)st;
	struct town_cfg cfg = usual;
	cfg.is_multiplexed = true;
	struct town town;
	struct client a, b;
	struct addr peer_a, peer_b;
	uint8_t in[64];
	uint64_t before = metric_sum(M_TURN_RELAY_SOCKETS);
	town_open(&town, &cfg);
	client_open(&a, &town);
	client_open(&b, &town);
	int fd_a = town_socket(&peer_a), fd_b = town_socket(&peer_b);
	assert_int_equal(client_allocate(&a), 0);
	assert_int_equal(client_allocate(&b), 0);
	assert_true(addr_eq(&a.relayed, &b.relayed));
	assert_int_equal(metric_sum(M_TURN_RELAY_SOCKETS), before + 1);
	assert_int_equal(client_bind(&a, TOWN_CHANNEL, &peer_a), 0);
	assert_int_equal(client_bind(&b, TOWN_CHANNEL, &peer_b), 0);
	assert_int_equal(client_bind(&b, TOWN_CHANNEL + 1, &peer_a), 0);
	for (int i = 0; i < 3; i++) {
		client_say(&a, TOWN_CHANNEL, "a", 1);
		client_say(&b, TOWN_CHANNEL, "b", 1);
		assert_int_equal(town_receive(&town, fd_a, in, sizeof in, NULL), 1);
		assert_int_equal(in[0], 'a');
		assert_int_equal(town_receive(&town, fd_b, in, sizeof in, NULL), 1);
		assert_int_equal(in[0], 'b');
		town_send(fd_a, &a.relayed, "to a", 4);
		town_send(fd_b, &b.relayed, "to b", 4);
		client_hears(&a, TOWN_CHANNEL, "to a", 4);
		client_hears(&b, TOWN_CHANNEL, "to b", 4);
	}
	uint64_t taken = metric_drop_sum(DROP_TURN_PEER_TAKEN);
	client_say(&b, TOWN_CHANNEL + 1, "x", 1);
	assert_true(town_is_silent(&town, fd_a));
	assert_int_equal(metric_drop_sum(DROP_TURN_PEER_TAKEN), taken + 1);
	assert_int_equal(client_delete(&a), 0); /* now the peer is free */
	client_say(&b, TOWN_CHANNEL + 1, "x", 1);
	assert_int_equal(town_receive(&town, fd_a, in, sizeof in, NULL), 1);
	/* EVEN-PORT cannot be had. */
	client_begin(&a, STUN_ALLOCATE);
	stun_put_u32(&a.w, STUN_ATTR_REQUESTED_TRANSPORT, CLIENT_UDP);
	stun_put_number(&a.w, STUN_ATTR_EVEN_PORT, 0);
	assert_int_equal(client_ask(&a), 508);
	close(fd_a);
	close(fd_b);
	client_close(&a);
	client_close(&b);
	town_close(&town);
	assert_int_equal(metric_sum(M_TURN_RELAY_SOCKETS), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(data_goes_both_ways),
		cmocka_unit_test(sockets_come_late_and_go),
		cmocka_unit_test(ports_in_use_are_passed_over),
		cmocka_unit_test(a_port_found_in_use_is_left_alone),
		cmocka_unit_test(a_reserved_port_is_held),
		cmocka_unit_test(clients_are_relayed_from_where_they_came),
		cmocka_unit_test(reservations_are_kept),
		cmocka_unit_test(the_next_request_may_be_early),
		cmocka_unit_test(from_one_to_the_next),
		cmocka_unit_test(forged_tokens_fill_nothing),
		cmocka_unit_test(icmp_comes_back),
		cmocka_unit_test(dont_fragment_is_a_state_of_the_socket),
		cmocka_unit_test(last_words_are_sent),
		cmocka_unit_test(multiplexed_clients_share_a_port),
	};
	return cmocka_run_group_tests(tests, once, NULL);
}
