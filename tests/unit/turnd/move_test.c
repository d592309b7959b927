#include "world.h"

#include <openssl/ssl.h>
#include "cert.h"

enum { TCP_RELAY = 6, TRIES = 200 };

static struct world world, second;
static struct cert cert;

static int open_two(void **state)
{
	struct errbuf eb = {""};
	struct turnd_listen listen = {.at = loopback(0), .tcp = true, .tls = true};
	struct turnd_cfg cfg = world_cfg(&listen);
	cfg.cert_file = cert.cert_path;
	cfg.key_file = cert.key_path;
	assert_int_equal(world_open_one(&world, NULL, 2, &cfg, &eb), 0);
	listen.at = world.at; /* the port that the first one got */
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
		WITH_TWO(one_over_tls_too),
		WITH_TWO(and_the_other_way),
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
