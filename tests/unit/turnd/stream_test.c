#include "world.h"

#include <sys/resource.h>
#include "turn/framing.h"

enum { TCP_RELAY = 6, UDP_RELAY = 17, CHANNEL = 0x4001 };

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

static int open_proxied(void **state)
{
	struct errbuf eb = {""};
	static struct cidr proxy;
	struct turnd_listen listen = {.at = loopback(0), .tcp = true, .proxy_protocol = true};
	struct turnd_cfg cfg = world_cfg(&listen);
	assert_int_equal(cidr_parse(&proxy, slice_str("127.0.0.0/8")), 0);
	cfg.proxies = &proxy;
	cfg.n_proxies = 1;
	assert_int_equal(world_open(&world, &cfg, &eb), 0);
	*state = &world;
	return 0;
}

static int close_world(void **state)
{
	world_close(*state);
	return 0;
}

/* ---------------------------------------------------------------- bytes to messages */

static void a_request_in_pieces_is_answered(void **state)
{
	struct world *w = *state;
	struct request r;
	struct stun_msg m;
	uint8_t p[2048];
	int fd = client_connect(w, 0);
	struct slice q = binding(&r, 1);
	for (size_t i = 0; i < q.n; i++) {
		client_send(fd, q.p + i, 1);
		turn_once(w);
	}
	client_answer(w, fd, &m, p);
	assert_int_equal(m.class, STUN_SUCCESS);
	struct addr mine;
	socklen_t len = sizeof mine;
	assert_int_equal(getsockname(fd, &mine.sa, &len), 0);
	assert_true(addr_eq(&m.mapped, &mine));
	close(fd);
}

static void many_requests_in_one_piece_are_answered(void **state)
{
	struct world *w = *state;
	struct request r;
	uint8_t all[100 * 20], p[2048];
	int fd = client_connect(w, 0);
	for (uint8_t i = 0; i < 100; i++)
		memcpy(all + i * 20, binding(&r, i).p, 20);
	client_send(fd, all, sizeof all - 7);
	for (uint8_t i = 0; i < 99; i++) {
		struct stun_msg m;
		client_answer(w, fd, &m, p);
		assert_int_equal(m.tid[0], i);
	}
	client_send(fd, all + sizeof all - 7, 7);
	assert_true(client_message(w, fd, p) > 0);
	close(fd);
}

static void garbage_closes(void **state)
{
	struct world *w = *state;
	static const char *const inputs[] = {"\xff", "GET / HTTP/1.1\r\n", "\x40\x01\x00\x00", "\x16\x03\x01\x02",
		"\x01\x02\x03\x04\x05\x06\x07\x08"};
	static const size_t sizes[] = {1, 16, 4, 4, 8};
	for (size_t i = 0; i < ARRAY_LEN(inputs); i++) {
		uint64_t before = metric_drop_sum(DROP_STREAM_GARBAGE);
		int fd = client_connect(w, 0);
		client_send(fd, inputs[i], sizes[i]);
		assert_true(client_is_closed(w, fd));
		assert_int_equal(metric_drop_sum(DROP_STREAM_GARBAGE), before + 1);
		close(fd);
	}
	assert_int_equal(w->t->streams->n_streams, 0);
}

/* ---------------------------------------------------------------- time and limits */

static void a_silent_connection_ends(void **state)
{
	struct world *w = *state;
	int fd = client_connect(w, 0);
	advance(w, (IDLE_S - 1) * SECOND_US);
	assert_int_equal(w->t->streams->n_streams, 1);
	advance(w, 2 * SECOND_US);
	assert_true(client_is_closed(w, fd));
	close(fd);
}

static void drops_of_a_message_are_no_sign_of_life(void **state)
{
	struct world *w = *state;
	struct request r;
	int fd = client_connect(w, 0);
	struct slice q = binding(&r, 1);
	size_t i = 0;
	while (!client_is_closed(w, fd) && i < q.n - 1) {
		client_send(fd, q.p + i++, 1);
		advance(w, 2 * SECOND_US);
	}
	assert_in_range(i, 10, IDLE_S / 2 + 1);
	close(fd);
}

static void messages_are_a_sign_of_life_and_an_allocation_even_more(void **state)
{
	struct world *w = *state;
	struct request r;
	uint8_t p[2048];
	int fd = client_connect(w, 0);
	for (int i = 0; i < 4; i++) {
		struct slice q = binding(&r, 1);
		client_send(fd, q.p, q.n);
		assert_true(client_message(w, fd, p) > 0);
		advance(w, (IDLE_S - 5) * SECOND_US);
	}
	(void)client_allocate(w, fd, UDP_RELAY);
	for (int i = 0; i < 10; i++)
		advance(w, IDLE_S * SECOND_US);
	assert_int_equal(w->t->streams->n_streams, 1);
	/* The allocation lives for 600 s; the connection not for long without it. */
	for (int i = 0; i < 20; i++)
		advance(w, IDLE_S * SECOND_US);
	assert_true(client_is_closed(w, fd));
	close(fd);
}

static void no_more_connections_than_allowed(void **state)
{
	struct world *w = *state;
	w->t->cfg.stream_connections = 3;
	int fds[4];
	for (int i = 0; i < 4; i++)
		fds[i] = client_connect(w, 0);
	assert_true(client_is_closed(w, fds[3]));
	assert_false(client_is_closed(w, fds[2]));
	close(fds[0]);
	turn_once(w);
	close(fds[3]);
	fds[3] = client_connect(w, 0);
	assert_false(client_is_closed(w, fds[3]));
	for (int i = 1; i < 4; i++)
		close(fds[i]);
}

static void no_descriptor_left_is_no_endless_loop(void **state)
{
	struct world *w = *state;
	struct rlimit was, now;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	now = was;
	now.rlim_cur = (rlim_t)fd + 1;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
	/* Numbers below the limit may be free: filled up. */
	int filled[64], n = 0;
	while (n < 64 && (filled[n] = dup(fd)) >= 0)
		n++;
	(void)connect(fd, &w->at.sa, addr_len(&w->at));
	for (int i = 0; i < 5; i++)
		turn_once(w);
	assert_int_equal(w->t->streams->n_streams, 0);
	assert_true(client_is_closed(w, fd));
	ev_wait(&w->worker.ev, 0);
	assert_int_equal(w->worker.ev.n, 0);
	while (n > 0)
		close(filled[--n]);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	close(fd);
}

static void a_thousand_connections_leave_nothing(void **state)
{
	struct world *w = *state;
	uint64_t gauge = metric_sum(M_TURN_STREAMS);
	for (int round = 0; round < 10; round++) {
		int fds[100];
		for (int i = 0; i < 100; i++) {
			struct request r;
			struct slice q = binding(&r, 1);
			fds[i] = client_connect(w, 0);
			client_send(fds[i], q.p, (size_t)(i % 21));
		}
		turn_once(w);
		for (int i = 0; i < 100; i++)
			close(fds[i]);
		for (int i = 0; i < 10; i++)
			turn_once(w);
		assert_int_equal(w->t->streams->n_streams, 0);
		assert_int_equal(w->t->conns.n, 0);
	}
	assert_int_equal(metric_sum(M_TURN_STREAMS), gauge);
	assert_int_equal(w->t->conns.cap, 128);
	assert_int_equal(w->worker.wheel.armed, 0);
}

/* ---------------------------------------------------------------- a slow reader */

struct slow {
	int fd, peer;
	struct addr relayed;
};

static struct slow slow_open(struct world *w)
{
	struct slow s = {.fd = client_connect(w, 4096),
		.peer = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
	struct addr any = loopback(0);
	socklen_t len = sizeof any;
	assert_int_equal(bind(s.peer, &any.sa, addr_len(&any)), 0);
	assert_int_equal(getsockname(s.peer, &any.sa, &len), 0);
	s.relayed = client_allocate(w, s.fd, UDP_RELAY);
	client_peer_request(w, s.fd, STUN_CHANNEL_BIND, &any, CHANNEL);
	/* Little room in the kernel, so that the queue is what fills. */
	int small = 4096;
	struct stream *st = list_first(&w->t->streams->all, struct stream, node);
	assert_int_equal(
		setsockopt(st->wire.io.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
	return s;
}

static void slow_close(struct slow *s)
{
	close(s->fd);
	close(s->peer);
}

static void peer_sends(struct world *w, const struct slow *s, unsigned n)
{
	uint8_t p[1000];
	for (unsigned i = 0; i < n; i++) {
		memset(p, (int)i, sizeof p);
		assert_int_equal(
			sendto(s->peer, p, sizeof p, 0, &s->relayed.sa, addr_len(&s->relayed)),
			sizeof p);
		turn_once(w);
	}
}

static void a_full_queue_drops_data_and_counts_it(void **state)
{
	struct world *w = *state;
	struct slow s = slow_open(w);
	struct request r;
	static uint8_t p[CLIENT_CAP];
	uint64_t before = metric_drop_sum(DROP_STREAM_QUEUE);
	peer_sends(w, &s, 600);
	uint64_t dropped = metric_drop_sum(DROP_STREAM_QUEUE) - before;
	assert_in_range(dropped, 1, 599);
	struct stream *st = list_first(&w->t->streams->all, struct stream, node);
	assert_in_range(st->wire.out.bytes, 200 * 1024, 256 * 1024);
	/* A question is answered behind all that, and every message is whole. */
	struct slice q = binding(&r, 77);
	client_send(s.fd, q.p, q.n);
	unsigned got = 0;
	size_t n;
	while ((n = client_message(w, s.fd, p)) > 0 && p[0] >= 0x40) {
		assert_int_equal(n, 1004);
		assert_int_equal(p[4], p[1003]);
		got++;
	}
	assert_int_equal(n > 20 ? p[8] : 0, 77);
	assert_int_equal(got + dropped, 600);
	slow_close(&s);
}

static void what_waited_too_long_is_not_sent_any_more(void **state)
{
	struct world *w = *state;
	struct slow s = slow_open(w);
	static uint8_t p[CLIENT_CAP];
	uint64_t before = metric_drop_sum(DROP_STREAM_STALE);
	peer_sends(w, &s, 100);
	advance(w, 2 * SECOND_US);
	peer_sends(w, &s, 1);
	unsigned got = 0;
	while (client_message(w, s.fd, p) == 1004) {
		assert_int_equal(p[4], p[1003]);
		got++;
	}
	uint64_t stale = metric_drop_sum(DROP_STREAM_STALE) - before;
	assert_in_range(stale, 1, 99);
	assert_int_equal(got + stale, 101);
	slow_close(&s);
}

static void who_reads_no_answers_is_closed(void **state)
{
	struct world *w = *state;
	struct slow s = slow_open(w);
	struct request r;
	uint64_t before = metric_sum(M_TURN_STREAMS_SLOW);
	uint8_t all[50 * 20];
	for (size_t i = 0; i < 50; i++)
		memcpy(all + i * 20, binding(&r, 1).p, 20);
	for (int i = 0; i < 1000 && metric_sum(M_TURN_STREAMS_SLOW) == before; i++) {
		(void)send(s.fd, all, sizeof all, MSG_NOSIGNAL);
		turn_once(w);
	}
	assert_int_equal(metric_sum(M_TURN_STREAMS_SLOW), before + 1);
	assert_int_equal(w->t->streams->n_streams, 0);
	assert_int_equal(turn_alloc_count(turnd_server(w->t)), 0);
	slow_close(&s);
}

static void a_burst_is_no_slow_reader(void **state)
{
	struct world *w = *state;
	struct slow s = slow_open(w);
	static uint8_t p[CLIENT_CAP];
	int large = 1 << 20;
	struct stream *st = list_first(&w->t->streams->all, struct stream, node);
	(void)setsockopt(st->wire.io.fd, SOL_SOCKET, SO_SNDBUF, &large, sizeof large);
	(void)setsockopt(s.fd, SOL_SOCKET, SO_RCVBUF, &large, sizeof large);
	w->t->cfg.stream_queue_bytes = 20 * 1024;
	for (unsigned i = 0; i < 64; i++) {
		uint8_t q[1200];
		memset(q, (int)i, sizeof q);
		(void)sendto(s.peer, q, sizeof q, 0, &s.relayed.sa, addr_len(&s.relayed));
	}
	unsigned got = 0;
	while (got < 64 && client_message(w, s.fd, p) == 1204)
		got++;
	assert_int_equal(got, 64);
	slow_close(&s);
}

/* ---------------------------------------------------------------- who has proved nothing */

static void strangers_hold_little_memory(void **state)
{
	struct world *w = *state;
	static const uint8_t long_one[] = {0, 1, 0xf0, 0, 0x21, 0x12, 0xa4, 0x42};
	int known = client_connect(w, 0), stranger = client_connect(w, 0);
	(void)client_allocate(w, known, UDP_RELAY);
	client_send(known, long_one, sizeof long_one);
	assert_false(client_is_closed(w, known));
	client_send(stranger, long_one, sizeof long_one);
	assert_true(client_is_closed(w, stranger));
	close(known);
	close(stranger);
}

static void strangers_have_to_read(void **state)
{
	struct world *w = *state;
	struct request r;
	uint64_t before = metric_sum(M_TURN_STREAMS_SLOW);
	int fd = client_connect(w, 4096), small = 4096;
	struct stream *st = list_first(&w->t->streams->all, struct stream, node);
	assert_int_equal(
		setsockopt(st->wire.io.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
	uint8_t all[50 * 20];
	for (size_t i = 0; i < 50; i++)
		memcpy(all + i * 20, binding(&r, 1).p, 20);
	for (int i = 0; i < 1000 && metric_sum(M_TURN_STREAMS_SLOW) == before; i++) {
		assert_in_range(st->wire.out.bytes, 0, 32 * 1024);
		(void)send(fd, all, sizeof all, MSG_NOSIGNAL);
		turn_once(w);
	}
	assert_int_equal(metric_sum(M_TURN_STREAMS_SLOW), before + 1);
	close(fd);
}

/* ---------------------------------------------------------------- PROXY protocol */

static void the_proxy_says_who_the_client_is(void **state)
{
	struct world *w = *state;
	struct request r;
	struct stun_msg m;
	uint8_t p[2048];
	/* One address has one form: limits and nonces go by it. */
	static const char *const headers[] = {"PROXY TCP4 192.0.2.7 198.51.100.2 5000 443\r\n",
		"PROXY TCP6 ::ffff:192.0.2.7 ::ffff:198.51.100.2 5000 443\r\n"};
	for (size_t k = 0; k < ARRAY_LEN(headers); k++) {
		int fd = client_connect(w, 0);
		for (const char *c = headers[k]; *c; c++) {
			client_send(fd, c, 1);
			turn_once(w);
		}
		struct slice q = binding(&r, 1);
		client_send(fd, q.p, q.n);
		client_answer(w, fd, &m, p);
		char text[ADDR_TEXT_CAP];
		assert_string_equal(addr_format(&m.mapped, text), "192.0.2.7:5000");
		close(fd);
	}
}

static void a_proxy_has_to_say_it(void **state)
{
	struct world *w = *state;
	struct request r;
	int fd = client_connect(w, 0);
	struct slice q = binding(&r, 1);
	client_send(fd, q.p, q.n);
	assert_true(client_is_closed(w, fd));
	close(fd);
	fd = client_connect(w, 0);
	client_send(fd, "PROXY TCP4 ", 11);
	assert_false(client_is_closed(w, fd));
	advance(w, (IDLE_S + 1) * SECOND_US);
	assert_true(client_is_closed(w, fd));
	close(fd);
}

static void others_may_not_speak_it(void **state)
{
	struct world *w = *state;
	static struct cidr nobody;
	assert_int_equal(cidr_parse(&nobody, slice_str("192.0.2.0/24")), 0);
	const struct cidr *was = w->t->cfg.proxies;
	w->t->cfg.proxies = &nobody;
	int fd = client_connect(w, 0);
	client_send(fd, "PROXY TCP4 192.0.2.7 198.51.100.2 5000 443\r\n", 44);
	assert_true(client_is_closed(w, fd));
	w->t->cfg.proxies = was;
	close(fd);
}

int main(void)
{
#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, open_world, close_world)
#define BEHIND_PROXY(test) cmocka_unit_test_setup_teardown(test, open_proxied, close_world)
	const struct CMUnitTest tests[] = {
		IN_WORLD(a_request_in_pieces_is_answered),
		IN_WORLD(many_requests_in_one_piece_are_answered),
		IN_WORLD(garbage_closes),
		IN_WORLD(a_silent_connection_ends),
		IN_WORLD(drops_of_a_message_are_no_sign_of_life),
		IN_WORLD(messages_are_a_sign_of_life_and_an_allocation_even_more),
		IN_WORLD(no_more_connections_than_allowed),
		IN_WORLD(no_descriptor_left_is_no_endless_loop),
		IN_WORLD(a_thousand_connections_leave_nothing),
		IN_WORLD(a_full_queue_drops_data_and_counts_it),
		IN_WORLD(what_waited_too_long_is_not_sent_any_more),
		IN_WORLD(who_reads_no_answers_is_closed),
		IN_WORLD(a_burst_is_no_slow_reader),
		IN_WORLD(strangers_hold_little_memory),
		IN_WORLD(strangers_have_to_read),
		BEHIND_PROXY(the_proxy_says_who_the_client_is),
		BEHIND_PROXY(a_proxy_has_to_say_it),
		BEHIND_PROXY(others_may_not_speak_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
