#include "world.h"

enum { TCP_RELAY = 6, BIG = 16 << 20 };

static struct world world;

static int open_world(void **state)
{
	struct errbuf eb = {""};
	struct turnd_listen listen = {.at = loopback(0), .tcp = true};
	struct turnd_cfg cfg = world_cfg(&listen);
	assert_int_equal(world_open(&world, &cfg, &eb), 0);
	*state = &world;
	return 0;
}

static int close_world(void **state)
{
	world_close(*state);
	return 0;
}

/* A peer that listens, and the control connection of an allocation that may reach it. */
struct scene {
	int control, listener;
	struct addr peer, relayed;
};

static struct scene scene_open(struct world *w)
{
	struct scene s = {
		.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0),
		.peer = loopback(0)};
	socklen_t len = sizeof s.peer;
	assert_int_equal(bind(s.listener, &s.peer.sa, addr_len(&s.peer)), 0);
	assert_int_equal(getsockname(s.listener, &s.peer.sa, &len), 0);
	/* Inherited by what is accepted: the kernel is not to take all that a test sends. */
	int small = 65536;
	(void)setsockopt(s.listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
	assert_int_equal(listen(s.listener, 4), 0);
	s.control = client_connect(w, 0);
	s.relayed = client_allocate(w, s.control, TCP_RELAY);
	client_peer_request(w, s.control, STUN_CREATE_PERMISSION, &s.peer, 0);
	return s;
}

static void scene_close(struct scene *s)
{
	close(s->control);
	close(s->listener);
}

static void ask_connect(struct scene *s)
{
	struct request r;
	request_begin(&r, STUN_CONNECT, 5);
	stun_put_xor_addr(&r.w, STUN_ATTR_XOR_PEER_ADDRESS, &s->peer);
	struct slice q = request_end(&r);
	client_send(s->control, q.p, q.n);
}

/* The id that Connect's answer names. */
static uint32_t connect_peer(struct world *w, struct scene *s)
{
	struct stun_msg m;
	uint8_t p[2048];
	ask_connect(s);
	client_answer(w, s->control, &m, p);
	assert_int_equal(m.class, STUN_SUCCESS);
	assert_true(stun_has(&m, STUN_ATTR_CONNECTION_ID));
	return stun_number(&m, STUN_ATTR_CONNECTION_ID);
}

static int accept_peer(struct world *w, const struct scene *s, struct addr *from)
{
	socklen_t len = sizeof *from;
	for (int i = 0; i < TURNS; i++) {
		int fd = accept4(s->listener, &from->sa, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd >= 0)
			return fd;
		turn_once(w);
	}
	return -1;
}

/* ConnectionBind, with bytes behind it in the same segment. */
static int bind_data(struct world *w, uint32_t id, const char *more)
{
	struct request r;
	struct stun_msg m;
	uint8_t p[2048];
	int fd = client_connect(w, 0);
	request_begin(&r, STUN_CONNECTION_BIND, 6);
	stun_put_number(&r.w, STUN_ATTR_CONNECTION_ID, id);
	struct slice q = request_end(&r);
	memcpy(p, q.p, q.n);
	memcpy(p + q.n, more, strlen(more));
	client_send(fd, p, q.n + strlen(more));
	client_answer(w, fd, &m, p);
	assert_int_equal(m.class, STUN_SUCCESS);
	return fd;
}

static void expect(struct world *w, int fd, const char *text)
{
	uint8_t p[256];
	assert_int_equal(client_read(w, fd, p, strlen(text)), strlen(text));
	assert_memory_equal(p, text, strlen(text));
}

static void bytes_go_both_ways(void **state)
{
	struct world *w = *state;
	struct scene s = scene_open(w);
	struct addr from;
	uint32_t id = connect_peer(w, &s);
	int peer = accept_peer(w, &s, &from);
	assert_true(peer >= 0);
	assert_true(addr_eq(&from, &s.relayed));
	/* What comes before ConnectionBind is kept, on both sides. */
	client_send(peer, "early peer ", 11);
	turn_once(w);
	int data = bind_data(w, id, "early client ");
	expect(w, peer, "early client ");
	expect(w, data, "early peer ");
	client_send(data, "ping", 4);
	expect(w, peer, "ping");
	client_send(peer, "pong", 4);
	expect(w, data, "pong");
	close(peer);
	assert_true(client_is_closed(w, data));
	close(data);
	scene_close(&s);
}

static void each_half_closes_by_itself(void **state)
{
	struct world *w = *state;
	struct scene s = scene_open(w);
	struct addr from;
	uint8_t p[16];
	uint32_t id = connect_peer(w, &s);
	int peer = accept_peer(w, &s, &from), data = bind_data(w, id, "");
	client_send(data, "last words", 10);
	shutdown(data, SHUT_WR);
	expect(w, peer, "last words");
	assert_int_equal(client_read(w, peer, p, 1), 0);
	assert_int_equal(recv(peer, p, 1, 0), 0);
	client_send(peer, "still here", 10);
	expect(w, data, "still here");
	close(peer);
	assert_int_equal(client_read(w, data, p, 1), 0);
	for (int i = 0; i < 5; i++)
		turn_once(w);
	assert_int_equal(w->t->streams->n_streams, 1);
	close(data);
	scene_close(&s);
}

static void a_slow_side_holds_the_other_one_back(void **state)
{
	struct world *w = *state;
	struct scene s = scene_open(w);
	struct addr from;
	uint32_t id = connect_peer(w, &s);
	int peer = accept_peer(w, &s, &from), data = bind_data(w, id, "");
	static uint8_t out[BIG], in[BIG];
	for (size_t i = 0; i < BIG; i++)
		out[i] = (uint8_t)(i * 31 + i / 251);
	for (int direction = 0; direction < 2; direction++) {
		int from_fd = direction ? data : peer, to_fd = direction ? peer : data;
		size_t sent = 0;
		/* Nobody reads: what is sent stops at some point, and is not in our memory. */
		for (int idle = 0; idle < 50;) {
			ssize_t n = send(
				from_fd, out + sent, MIN(BIG - sent, (size_t)100000), MSG_NOSIGNAL);
			sent += n > 0 ? (size_t)n : 0;
			idle = n > 0 && sent < BIG ? 0 : idle + 1;
			turn_once(w);
			assert_true(metric_sum(M_TURN_QUEUE_BYTES) <=
				    STREAM_SPLICE_MAX + 2 * STREAM_RX);
		}
		size_t got = 0;
		while (got < BIG) {
			if (sent < BIG) {
				ssize_t n = send(from_fd, out + sent, BIG - sent, MSG_NOSIGNAL);
				sent += n > 0 ? (size_t)n : 0;
			}
			size_t n = client_read(w, to_fd, in + got, MIN(BIG - got, (size_t)65536));
			assert_true(n > 0);
			got += n;
		}
		assert_memory_equal(in, out, BIG);
	}
	close(peer);
	close(data);
	scene_close(&s);
}

static void a_peer_may_come_by_itself(void **state)
{
	struct world *w = *state;
	struct scene s = scene_open(w);
	struct stun_msg m;
	uint8_t p[2048];
	int peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(peer, &s.relayed.sa, addr_len(&s.relayed)), 0);
	assert_int_equal(fcntl(peer, F_SETFL, O_NONBLOCK), 0);
	client_send(peer, "hello", 5);
	client_answer(w, s.control, &m, p);
	assert_int_equal(m.class, STUN_INDICATION);
	assert_int_equal(m.method, STUN_CONNECTION_ATTEMPT);
	int data = bind_data(w, stun_number(&m, STUN_ATTR_CONNECTION_ID), "");
	expect(w, data, "hello");
	/* A reset at one end is an end at the other. */
	struct linger now = {.l_onoff = 1};
	(void)setsockopt(peer, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	close(peer);
	assert_true(client_is_closed(w, data));
	close(data);
	scene_close(&s);
}

static void nobody_listens(void **state)
{
	struct world *w = *state;
	struct scene s = scene_open(w);
	struct stun_msg m;
	uint8_t p[2048];
	close(s.listener);
	ask_connect(&s);
	client_answer(w, s.control, &m, p);
	assert_int_equal(m.class, STUN_ERROR);
	assert_int_equal(m.error_code, 447);
	close(s.control);
}

static void the_end_of_the_allocation_ends_its_connections(void **state)
{
	struct world *w = *state;
	struct scene s = scene_open(w);
	struct addr from;
	uint32_t id = connect_peer(w, &s);
	int peer = accept_peer(w, &s, &from), data = bind_data(w, id, "");
	/* One that waits for its data connection. */
	int other = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(other, &s.relayed.sa, addr_len(&s.relayed)), 0);
	assert_int_equal(fcntl(other, F_SETFL, O_NONBLOCK), 0);
	turn_once(w);
	close(s.control);
	assert_true(client_is_closed(w, peer));
	assert_true(client_is_closed(w, data));
	assert_true(client_is_closed(w, other));
	assert_int_equal(turn_alloc_count(turnd_server(w->t)), 0);
	assert_int_equal(w->t->streams->n_streams, 0);
	assert_int_equal((int64_t)metric_sum(M_TURN_TCP_PEERS), 0);
	/* Nobody listens on the relayed address any more. */
	int late = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(late, &s.relayed.sa, addr_len(&s.relayed)), -1);
	close(late);
	close(other);
	close(data);
	close(peer);
	close(s.listener);
}

static void a_data_connection_that_nobody_waits_for(void **state)
{
	struct world *w = *state;
	struct request r;
	struct stun_msg m;
	uint8_t p[2048];
	int fd = client_connect(w, 0);
	request_begin(&r, STUN_CONNECTION_BIND, 6);
	stun_put_number(&r.w, STUN_ATTR_CONNECTION_ID, 12345);
	struct slice q = request_end(&r);
	client_send(fd, q.p, q.n);
	client_answer(w, fd, &m, p);
	assert_int_equal(m.class, STUN_ERROR);
	close(fd);
}

/* What listens on a port of the relay range and is no relayed address is another program. */
static void other_programs_of_this_machine_are_not_reached(void **state)
{
	struct world *w = *state;
	struct scene s = scene_open(w), other = scene_open(w);
	struct stun_msg m;
	uint8_t p[2048];
	struct errbuf eb = {""};
	struct addr own = loopback(0);
	const struct turn_policy_cfg cfg = {
		.own_relay = &own, .n_own_relay = 1, .relay_first = 1, .relay_last = 65535};
	struct turn_policy *old = w->policy;
	const struct turnd_cfg same = w->t->cfg;
	assert_int_equal(turn_policy_new(&w->policy, &cfg, &eb), 0);
	assert_int_equal(turnd_reload(w->t, &same, w->policy, &eb), 0);
	turn_policy_free(old);
	ask_connect(&s);
	client_answer(w, s.control, &m, p);
	assert_int_equal(m.error_code, 447);
	s.peer = other.relayed;
	(void)connect_peer(w, &s);
	scene_close(&s);
	scene_close(&other);
}

static size_t drain(int fd, uint8_t *p, size_t cap)
{
	size_t all = 0;
	for (ssize_t n; (n = recv(fd, p, cap, 0)) > 0;)
		all += (size_t)n;
	return all;
}

static void bandwidth_is_limited_and_counted(void **state)
{
	enum { RATE = 100000, SECONDS = 5 };
	struct world *w = *state;
	struct errbuf eb = {""};
	struct turnd_cfg cfg = w->t->cfg;
	cfg.turn.allocation_bytes_per_s = RATE;
	assert_int_equal(turnd_reload(w->t, &cfg, w->policy, &eb), 0);
	struct scene s = scene_open(w);
	struct addr from;
	uint32_t id = connect_peer(w, &s);
	int peer = accept_peer(w, &s, &from), data = bind_data(w, id, "");
	static uint8_t p[65536];
	for (int direction = 0; direction < 2; direction++) {
		int from_fd = direction ? data : peer, to_fd = direction ? peer : data;
		size_t got = 0;
		for (int ms = 0; ms < SECONDS * 1000; ms += 10) {
			(void)send(from_fd, p, sizeof p, MSG_NOSIGNAL | MSG_DONTWAIT);
			advance(w, 10 * 1000);
			got += drain(to_fd, p, sizeof p);
		}
		assert_in_range(got, (SECONDS - 1) * RATE, (SECONDS + 1) * RATE + STREAM_RX);
		struct turn_alloc_info info;
		turn_alloc_info(turn_alloc_next(turnd_server(w->t), NULL), &info);
		assert_true((direction ? info.peer_bytes_out : info.peer_bytes_in) >= got);
		assert_true((direction ? info.bytes_in : info.bytes_out) >= got);
	}
	/* Without more to come the last of it arrives. */
	client_send(peer, "end", 3);
	uint8_t last = 0;
	for (int i = 0; i < 20000 && last != 'd'; i++) {
		advance(w, 10 * 1000);
		for (ssize_t n; (n = recv(data, p, sizeof p, 0)) > 0;)
			last = p[n - 1];
	}
	assert_int_equal(last, 'd');
	close(peer);
	close(data);
	scene_close(&s);
}

int main(void)
{
#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, open_world, close_world)
	const struct CMUnitTest tests[] = {
		IN_WORLD(bytes_go_both_ways),
		IN_WORLD(each_half_closes_by_itself),
		IN_WORLD(a_slow_side_holds_the_other_one_back),
		IN_WORLD(a_peer_may_come_by_itself),
		IN_WORLD(nobody_listens),
		IN_WORLD(the_end_of_the_allocation_ends_its_connections),
		IN_WORLD(a_data_connection_that_nobody_waits_for),
		IN_WORLD(other_programs_of_this_machine_are_not_reached),
		IN_WORLD(bandwidth_is_limited_and_counted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
