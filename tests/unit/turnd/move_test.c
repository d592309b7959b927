#include "world.h"

#include <openssl/ssl.h>
#include "cert.h"
#include "turn/turn_internal.h"

enum { TCP_RELAY = 6, TRIES = 200 };

static struct world world, second;
static struct cert cert;

/* One that is free for UDP and TCP. */
static uint16_t free_port(void)
{
	for (int i = 0; i < TRIES; i++) {
		int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		int udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		struct addr at = loopback(0);
		socklen_t len = sizeof at;
		assert_int_equal(bind(tcp, &at.sa, addr_len(&at)), 0);
		assert_int_equal(getsockname(tcp, &at.sa, &len), 0);
		bool is_free = bind(udp, &at.sa, addr_len(&at)) == 0;
		close(tcp);
		close(udp);
		if (is_free)
			return addr_port(&at);
	}
	fail_msg("no port is free");
	return 0;
}

static int open_two(void **state)
{
	struct errbuf eb = {""};
	struct turnd_listen listen = {
		.at = loopback(free_port()), .udp = true, .tcp = true, .tls = true, .dtls = true};
	struct turnd_cfg cfg = world_cfg(&listen);
	cfg.cert_file = cert.cert_path;
	cfg.key_file = cert.key_path;
	assert_int_equal(world_open_one(&world, NULL, 2, &cfg, &eb), 0);
	cfg.turn.worker = 1;
	assert_int_equal(world_open_one(&second, &world, 2, &cfg, &eb), 0);
	world.other = &second;
	*state = &world;
	return 0;
}

static int close_two(void **state)
{
	world_close(*state);
	return 0;
}

/* A connection that the kernel gives to this worker. */
static int connect_to(struct world *w, const struct world *to)
{
	for (int i = 0; i < TRIES; i++) {
		uint32_t before = to->t->streams->n_streams;
		int fd = client_connect(w, 0);
		if (to->t->streams->n_streams > before)
			return fd;
		close(fd);
		turn_once(w);
	}
	fail_msg("the kernel never chose this worker");
	return -1;
}

struct scene {
	int control, listener, peer;
	uint32_t id;
};

/* An allocation on `home` with a connected peer. */
static struct scene scene_open(struct world *w, const struct world *home)
{
	struct scene s = {.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .peer = -1};
	struct addr at = loopback(0);
	socklen_t len = sizeof at;
	struct request r;
	struct stun_msg m;
	uint8_t p[2048];
	assert_int_equal(bind(s.listener, &at.sa, addr_len(&at)), 0);
	assert_int_equal(getsockname(s.listener, &at.sa, &len), 0);
	assert_int_equal(listen(s.listener, 4), 0);
	s.control = connect_to(w, home);
	(void)client_allocate(w, s.control, TCP_RELAY);
	client_peer_request(w, s.control, STUN_CREATE_PERMISSION, &at, 0);
	request_begin(&r, STUN_CONNECT, 5);
	stun_put_xor_addr(&r.w, STUN_ATTR_XOR_PEER_ADDRESS, &at);
	struct slice q = request_end(&r);
	client_send(s.control, q.p, q.n);
	client_answer(w, s.control, &m, p);
	assert_int_equal(m.class, STUN_SUCCESS);
	s.id = stun_number(&m, STUN_ATTR_CONNECTION_ID);
	s.peer = accept4(s.listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	assert_true(s.peer >= 0);
	return s;
}

static void scene_close(struct scene *s)
{
	close(s->control);
	close(s->listener);
	close(s->peer);
}

static struct slice bind_request(struct request *r, uint32_t id)
{
	request_begin(r, STUN_CONNECTION_BIND, 6);
	stun_put_number(&r->w, STUN_ATTR_CONNECTION_ID, id);
	return request_end(r);
}

static void expect(struct world *w, int fd, const char *text)
{
	uint8_t p[256];
	assert_int_equal(client_read(w, fd, p, strlen(text)), strlen(text));
	assert_memory_equal(p, text, strlen(text));
}

static void a_data_connection_finds_its_peer(void **state)
{
	struct world *w = *state;
	const struct world *const homes[] = {&world, &second};
	for (int i = 0; i < 2; i++) {
		struct request r, before;
		struct stun_msg m;
		uint8_t p[2048];
		struct scene s = scene_open(w, homes[i]);
		uint64_t moved = metric_sum(M_TURN_STREAMS_MOVED);
		int data = connect_to(w, homes[!i]);
		/* Something that is answered before, and bytes behind the request. */
		struct slice b = binding(&before, 1), q = bind_request(&r, s.id);
		memcpy(p, b.p, b.n);
		memcpy(p + b.n, q.p, q.n);
		memcpy(p + b.n + q.n, "hello", 5);
		client_send(data, p, b.n + q.n + 5);
		client_answer(w, data, &m, p);
		assert_int_equal(m.method, STUN_BINDING);
		client_answer(w, data, &m, p);
		assert_int_equal(m.method, STUN_CONNECTION_BIND);
		assert_int_equal(m.class, STUN_SUCCESS);
		expect(w, s.peer, "hello");
		client_send(s.peer, "world", 5);
		expect(w, data, "world");
		assert_int_equal(metric_sum(M_TURN_STREAMS_MOVED), moved + 1);
		close(data);
		for (int n = 0; n < 5; n++)
			turn_once(w);
		scene_close(&s);
	}
}

/* What waits for a database when its connection leaves is of nobody: no allocation comes of it. */
static void nothing_is_left_behind(void **state)
{
	struct world *w = *state;
	struct scene s = scene_open(w, &second);
	struct turn_server *server = turnd_server(world.t);
	struct request r;
	struct stun_msg m;
	uint8_t p[2048];
	int data = connect_to(w, &world);
	struct stream *st = list_first(&world.t->streams->all, struct stream, node);
	request_begin(&r, STUN_ALLOCATE, 9);
	stun_put_number(&r.w, STUN_ATTR_REQUESTED_TRANSPORT, STUN_TRANSPORT_UDP);
	assert_int_equal(stun_parse(&m, request_end(&r)), 0);
	const struct turn_req waits = {
		.s = server, .flow = &st->flow, .m = &m, .now_us = server->now_us};
	assert_true(turn_pending_add(server, &waits, 77));
	struct slice q = bind_request(&r, s.id);
	client_send(data, q.p, q.n);
	client_answer(w, data, &m, p);
	assert_int_equal(m.class, STUN_SUCCESS);
	turn_auth_ready(server, 77, server->now_us);
	assert_int_equal(turn_alloc_count(server), 0);
	close(data);
	for (int n = 0; n < 5; n++)
		turn_once(w);
	scene_close(&s);
}

/* It is open still when the workers are freed, of which one has its keys and the other one has it. */
static void over_tls(struct world *w, const struct world *from, const struct world *home)
{
	struct request r;
	struct stun_msg m;
	uint8_t p[2048];
	struct scene s = scene_open(w, home);
	int fd = connect_to(w, from);
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl = SSL_new(ctx);
	SSL_set_fd(ssl, fd);
	SSL_set_connect_state(ssl);
	for (int i = 0; i < TURNS && SSL_do_handshake(ssl) != 1; i++)
		turn_once(w);
	struct slice q = bind_request(&r, s.id);
	memcpy(p, q.p, q.n);
	memcpy(p + q.n, "one ", 4);
	assert_int_equal(SSL_write(ssl, p, (int)q.n + 4), q.n + 4);
	assert_int_equal(SSL_write(ssl, "two", 3), 3);
	int n = -1;
	for (int i = 0; i < TURNS && n <= 0; i++) {
		turn_once(w);
		n = SSL_read(ssl, p, sizeof p);
	}
	assert_true(n > 0);
	assert_int_equal(stun_parse(&m, slice_of(p, (size_t)n)), 0);
	assert_int_equal(m.class, STUN_SUCCESS);
	expect(w, s.peer, "one two");
	client_send(s.peer, "three", 5);
	n = -1;
	for (int i = 0; i < TURNS && n <= 0; i++) {
		turn_once(w);
		n = SSL_read(ssl, p, sizeof p);
	}
	assert_int_equal(n, 5);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	close(fd);
	scene_close(&s);
}

static void one_over_tls_too(void **state)
{
	over_tls(*state, &world, &second);
}

static void and_the_other_way(void **state)
{
	over_tls(*state, &second, &world);
}

/* ---------------------------------------------------------------- mobility */

enum { TICKET_CAP = 64 };

static size_t ticket_of(const struct stun_msg *m, uint8_t ticket[TICKET_CAP])
{
	struct slice t = stun_value(m, STUN_ATTR_MOBILITY_TICKET);
	assert_in_range(t.n, 1, TICKET_CAP);
	memcpy(ticket, t.p, t.n);
	return t.n;
}

/*
 * As turnutils_uclient does it: the ticket is kept as a C string, the old connection is closed before or after, and the
 * Refresh is sent twice.
 */
static void move_once(
	struct world *w, const struct world *from, const struct world *home, bool before)
{
	struct request r;
	struct stun_msg m;
	uint8_t p[2048], ticket[TICKET_CAP + 1] = {0};
	int old = connect_to(w, home), new = connect_to(w, from);
	request_begin(&r, STUN_ALLOCATE, 1);
	stun_put_number(&r.w, STUN_ATTR_REQUESTED_TRANSPORT, STUN_TRANSPORT_UDP);
	stun_put(&r.w, STUN_ATTR_MOBILITY_TICKET, NULL, 0);
	struct slice q = request_end(&r);
	client_send(old, q.p, q.n);
	client_answer(w, old, &m, p);
	assert_int_equal(m.class, STUN_SUCCESS);
	ticket_of(&m, ticket);

	if (before)
		close(old);
	for (uint8_t round = 0; round < 3; round++) {
		request_begin(&r, STUN_REFRESH, (uint8_t)(2 + round));
		stun_put(&r.w, STUN_ATTR_MOBILITY_TICKET, ticket, strlen((char *)ticket));
		q = request_end(&r);
		client_send(new, q.p, q.n);
		if (round == 1)
			turn_once(w);
		client_send(new, q.p, q.n);
		if (round == 0 && !before)
			close(old);
		for (int i = 0; i < 2; i++) {
			client_answer(w, new, &m, p);
			assert_int_equal(m.class, STUN_SUCCESS);
			memset(ticket, 0, sizeof ticket);
			ticket_of(&m, ticket);
		}
	}
	assert_int_equal(turn_alloc_count(turnd_server(home->t)), 1);
	request_begin(&r, STUN_REFRESH, 9);
	stun_put_number(&r.w, STUN_ATTR_LIFETIME, 0);
	q = request_end(&r);
	client_send(new, q.p, q.n);
	client_answer(w, new, &m, p);
	assert_int_equal(m.class, STUN_SUCCESS);
	assert_int_equal(turn_alloc_count(turnd_server(home->t)), 0);
	close(new);
	for (int i = 0; i < 5; i++)
		turn_once(w);
}

static void an_allocation_follows_its_ticket(void **state)
{
	struct world *w = *state;
	for (int i = 0; i < 32; i++)
		move_once(w, i & 1 ? &world : &second, i & 2 ? &world : &second, i & 4);
}

/* ---------------------------------------------------------------- DTLS */

struct dtls {
	int fd;
	SSL_CTX *ctx;
	SSL *ssl;
};

static bool dtls_handshake(struct dtls *d, struct world *w)
{
	for (int i = 0; i < TURNS; i++) {
		if (SSL_do_handshake(d->ssl) == 1)
			return true;
		turn_once(w);
	}
	return false;
}

static void dtls_close_client(struct dtls *d)
{
	SSL_free(d->ssl);
	SSL_CTX_free(d->ctx);
	close(d->fd);
}

/* A connection that the kernel gives to this worker. */
static struct dtls dtls_to(struct world *w, const struct world *to)
{
	for (int i = 0; i < TRIES; i++) {
		uint32_t before = to->t->conns.n;
		struct addr at = to->t->listeners[0].sock.local;
		struct dtls d = {
			.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
		assert_int_equal(connect(d.fd, &at.sa, addr_len(&at)), 0);
		d.ctx = SSL_CTX_new(DTLS_client_method());
		d.ssl = SSL_new(d.ctx);
		BIO *bio = BIO_new_dgram(d.fd, BIO_NOCLOSE);
		BIO_ctrl(bio, BIO_CTRL_DGRAM_SET_CONNECTED, 0, &at);
		SSL_set_bio(d.ssl, bio, bio);
		SSL_set_connect_state(d.ssl);
		assert_true(dtls_handshake(&d, w));
		if (to->t->conns.n > before)
			return d;
		SSL_shutdown(d.ssl);
		turn_once(w);
		dtls_close_client(&d);
	}
	fail_msg("the kernel never chose this worker");
	return (struct dtls){.fd = -1};
}

static void dtls_ask(
	struct dtls *d, struct world *w, struct request *r, struct stun_msg *m, uint8_t *p)
{
	struct slice q = request_end(r);
	int n = -1;
	assert_int_equal(SSL_write(d->ssl, q.p, (int)q.n), q.n);
	for (int i = 0; i < TURNS && n <= 0; i++) {
		turn_once(w);
		n = SSL_read(d->ssl, p, 2048);
	}
	assert_true(n > 0);
	assert_int_equal(stun_parse(m, slice_of(p, (size_t)n)), 0);
	assert_int_equal(m->class, STUN_SUCCESS);
}

static void a_reservation_is_found_over_dtls(void **state)
{
	struct world *w = *state;
	struct request r;
	struct stun_msg m;
	uint8_t p[2048], token[8];
	struct dtls first = dtls_to(w, &second), other = dtls_to(w, &world);
	request_begin(&r, STUN_ALLOCATE, 1);
	stun_put_number(&r.w, STUN_ATTR_REQUESTED_TRANSPORT, 17);
	stun_put_number(&r.w, STUN_ATTR_EVEN_PORT, 0x80);
	dtls_ask(&first, w, &r, &m, p);
	struct slice t = stun_value(&m, STUN_ATTR_RESERVATION_TOKEN);
	assert_int_equal(t.n, sizeof token);
	memcpy(token, t.p, t.n);

	uint32_t at_first = world.t->conns.n, at_second = second.t->conns.n;
	request_begin(&r, STUN_ALLOCATE, 2);
	stun_put_number(&r.w, STUN_ATTR_REQUESTED_TRANSPORT, 17);
	stun_put(&r.w, STUN_ATTR_RESERVATION_TOKEN, token, sizeof token);
	dtls_ask(&other, w, &r, &m, p);
	assert_int_equal(world.t->conns.n, at_first - 1);
	assert_int_equal(second.t->conns.n, at_second + 1);
	/* All that follows comes to the first worker still, and is passed on. */
	for (uint8_t i = 0; i < 5; i++) {
		request_begin(&r, STUN_REFRESH, (uint8_t)(3 + i));
		dtls_ask(&other, w, &r, &m, p);
	}
	assert_int_equal(world.t->steered.n, 1);
	SSL_shutdown(other.ssl);
	for (int i = 0; i < 5; i++)
		turn_once(w);
	assert_int_equal(second.t->conns.n, at_second);
	assert_int_equal(world.t->steered.n, 0);
	dtls_close_client(&first);
	dtls_close_client(&other);
}

/* ---------------------------------------------------------------- limits */

static void who_has_an_allocation_stays(void **state)
{
	struct world *w = *state;
	struct request r;
	struct stun_msg m;
	uint8_t p[2048];
	struct scene s = scene_open(w, &second);
	int fd = connect_to(w, &world);
	(void)client_allocate(w, fd, TCP_RELAY);
	struct slice q = bind_request(&r, s.id);
	client_send(fd, q.p, q.n);
	client_answer(w, fd, &m, p);
	assert_int_equal(m.class, STUN_ERROR);
	assert_int_equal(world.t->streams->n_streams, 1);
	close(fd);
	scene_close(&s);
}

static void a_full_worker_takes_nobody(void **state)
{
	struct world *w = *state;
	struct request r;
	struct scene s = scene_open(w, &second);
	int fd = connect_to(w, &world);
	second.t->cfg.stream_connections = 1;
	struct slice q = bind_request(&r, s.id);
	client_send(fd, q.p, q.n);
	assert_true(client_is_closed(w, fd));
	assert_int_equal(world.t->streams->n_streams, 0);
	close(fd);
	scene_close(&s);
}

static void one_on_its_way_at_the_end(void **state)
{
	struct world *w = *state;
	struct request r;
	struct scene s = scene_open(w, &second);
	int fd = connect_to(w, &world);
	struct slice q = bind_request(&r, s.id);
	client_send(fd, q.p, q.n);
	world.other = NULL;
	turn_once(w);
	turn_once(w);
	world.other = &second;
	assert_int_equal(world.t->streams->n_streams, 0);
	close(fd);
	scene_close(&s);
}

int main(void)
{
#define WITH_TWO(test) cmocka_unit_test_setup_teardown(test, open_two, close_two)
	const struct CMUnitTest tests[] = {
		WITH_TWO(a_data_connection_finds_its_peer),
		WITH_TWO(nothing_is_left_behind),
		WITH_TWO(one_over_tls_too),
		WITH_TWO(and_the_other_way),
		WITH_TWO(an_allocation_follows_its_ticket),
		WITH_TWO(a_reservation_is_found_over_dtls),
		WITH_TWO(who_has_an_allocation_stays),
		WITH_TWO(a_full_worker_takes_nobody),
		WITH_TWO(one_on_its_way_at_the_end),
	};
	mbox_thread_init();
	cert_make(&cert, 1);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	cert_remove(&cert);
	return failed;
}
