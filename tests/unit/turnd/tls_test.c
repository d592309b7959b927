#include "world.h"

#include <openssl/err.h>
#include "cert.h"

enum { SERIAL_1 = 1001, SERIAL_2 = 2002 };

static struct world world;
static char dir[] = "/tmp/sterna-tls-XXXXXX";
static char cert_path[64], key_path[64], cert2_path[64], key2_path[64], expired_path[64],
	locked_path[64], empty_path[64];

/* ---------------------------------------------------------------- files */

static void path_of(char out[64], const char *name)
{
	snprintf(out, 64, "%s/%s", dir, name);
}

static int make_files(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(dir));
	path_of(cert_path, "cert.pem");
	path_of(key_path, "key.pem");
	path_of(cert2_path, "cert2.pem");
	path_of(key2_path, "key2.pem");
	path_of(expired_path, "expired.pem");
	path_of(locked_path, "locked.pem");
	path_of(empty_path, "empty.pem");
	EVP_PKEY *key = cert_key_file(key_path, NULL), *key2 = cert_key_file(key2_path, NULL);
	cert_file(cert_path, key, SERIAL_1, CERT_FAR_S);
	cert_file(expired_path, key, SERIAL_1, -CERT_FAR_S);
	cert_file(cert2_path, key2, SERIAL_2, CERT_FAR_S);
	EVP_PKEY_free(cert_key_file(locked_path, "secret"));
	fclose(fopen(empty_path, "w"));
	EVP_PKEY_free(key);
	EVP_PKEY_free(key2);
	return 0;
}

static int remove_files(void **state)
{
	(void)state;
	const char *const all[] = {
		cert_path, key_path, cert2_path, key2_path, expired_path, locked_path, empty_path};
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		(void)unlink(all[i]);
	return rmdir(dir);
}

static int open_world(void **state)
{
	struct errbuf eb = {""};
	struct turnd_listen listen = {
		.at = loopback(0), .udp = true, .tcp = true, .tls = true, .dtls = true};
	struct turnd_cfg cfg = world_cfg(&listen);
	cfg.cert_file = cert_path;
	cfg.key_file = key_path;
	int err = world_open(&world, &cfg, &eb);
	if (err)
		fail_msg("%s", eb.text);
	*state = &world;
	return 0;
}

static int close_world(void **state)
{
	world_close(*state);
	return 0;
}

/* ---------------------------------------------------------------- clients */

struct client {
	int fd;
	SSL_CTX *ctx;
	SSL *ssl;
};

static void client_open(struct client *c, struct world *w, SSL_SESSION *resumed, const char *alpn)
{
	c->fd = client_connect(w, 0);
	c->ctx = SSL_CTX_new(TLS_client_method());
	c->ssl = SSL_new(c->ctx);
	SSL_set_fd(c->ssl, c->fd);
	SSL_set_connect_state(c->ssl);
	if (alpn)
		SSL_set_alpn_protos(c->ssl, (const unsigned char *)alpn, (unsigned)strlen(alpn));
	if (resumed)
		SSL_set_session(c->ssl, resumed);
}

static void client_close(struct client *c)
{
	SSL_free(c->ssl);
	SSL_CTX_free(c->ctx);
	if (c->fd >= 0)
		close(c->fd);
}

static bool handshake(struct client *c, struct world *w)
{
	for (int i = 0; i < TURNS; i++) {
		int ret = SSL_do_handshake(c->ssl);
		if (ret == 1)
			return true;
		int why = SSL_get_error(c->ssl, ret);
		if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE)
			return false;
		turn_once(w);
	}
	return false;
}

/* One record; 0 if the server says nothing or closes. */
static size_t read_record(struct client *c, struct world *w, uint8_t *p, size_t cap)
{
	for (int i = 0; i < TURNS; i++) {
		int n = SSL_read(c->ssl, p, (int)cap);
		if (n > 0)
			return (size_t)n;
		if (SSL_get_error(c->ssl, n) != SSL_ERROR_WANT_READ)
			return 0;
		turn_once(w);
	}
	return 0;
}

static bool is_answered(struct client *c, struct world *w)
{
	struct request r;
	struct stun_msg m;
	uint8_t p[2048];
	struct slice q = binding(&r, 1);
	if (SSL_write(c->ssl, q.p, (int)q.n) != (int)q.n)
		return false;
	size_t n = read_record(c, w, p, sizeof p);
	return n && stun_parse(&m, slice_of(p, n)) == 0 && m.class == STUN_SUCCESS;
}

static long serial(const struct client *c)
{
	X509 *x = SSL_get1_peer_certificate(c->ssl);
	long n = x ? ASN1_INTEGER_get(X509_get0_serialNumber(x)) : 0;
	X509_free(x);
	return n;
}

/* ---------------------------------------------------------------- TLS */

static void both_speak_on_one_port(void **state)
{
	struct world *w = *state;
	struct client c;
	struct request r;
	uint8_t p[2048];
	client_open(&c, w, NULL, NULL);
	assert_true(handshake(&c, w));
	assert_true(is_answered(&c, w));
	assert_true(SSL_version(c.ssl) >= TLS1_2_VERSION);
	int fd = client_connect(w, 0);
	struct slice q = binding(&r, 1);
	client_send(fd, q.p, q.n);
	assert_true(client_message(w, fd, p) > 0);
	close(fd);
	client_close(&c);
}

static void a_burst_in_one_record_and_in_pieces(void **state)
{
	struct world *w = *state;
	struct client c;
	struct request r;
	uint8_t all[500 * 20], p[2048];
	client_open(&c, w, NULL, NULL);
	assert_true(handshake(&c, w));
	for (size_t i = 0; i < 500; i++)
		memcpy(all + i * 20, binding(&r, (uint8_t)i).p, 20);
	assert_int_equal(SSL_write(c.ssl, all, sizeof all - 11), sizeof all - 11);
	for (size_t i = 0; i < 499; i++) {
		/* Each answer has a record of its own. */
		assert_int_equal(read_record(&c, w, p, sizeof p), 32);
		assert_int_equal(p[8], (uint8_t)i);
	}
	for (size_t i = 11; i > 0; i--)
		assert_int_equal(SSL_write(c.ssl, all + sizeof all - i, 1), 1);
	assert_int_equal(read_record(&c, w, p, sizeof p), 32);
	client_close(&c);
}

static void alpn_of_turn(void **state)
{
	struct world *w = *state;
	static const struct {
		const char *offer, *get;
	} rows[] = {{"\x09stun.turn", "stun.turn"}, {"\x12stun.nat-discovery", "stun.nat-discovery"},
		{"\x02h2\x09stun.turn", "stun.turn"}, {"\x02h2", ""}, {NULL, ""}};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct client c;
		const unsigned char *alpn;
		unsigned n;
		client_open(&c, w, NULL, rows[i].offer);
		assert_true(handshake(&c, w));
		SSL_get0_alpn_selected(c.ssl, &alpn, &n);
		assert_true(slice_eq_str(slice_of(alpn, n), rows[i].get));
		assert_true(is_answered(&c, w));
		client_close(&c);
	}
}

static void who_comes_again_resumes(void **state)
{
	struct world *w = *state;
	struct client c, again;
	client_open(&c, w, NULL, NULL);
	assert_true(handshake(&c, w));
	assert_true(is_answered(&c, w)); /* the ticket came before */
	SSL_SESSION *session = SSL_get1_session(c.ssl);
	client_open(&again, w, session, NULL);
	assert_true(handshake(&again, w));
	assert_true(is_answered(&again, w));
	assert_true(SSL_session_reused(again.ssl));
	SSL_SESSION_free(session);
	client_close(&again);
	client_close(&c);
}

static void old_versions_are_refused(void **state)
{
	struct world *w = *state;
	struct client c;
	client_open(&c, w, NULL, NULL);
	SSL_set_security_level(c.ssl, 0);
	SSL_set_min_proto_version(c.ssl, TLS1_1_VERSION);
	SSL_set_max_proto_version(c.ssl, TLS1_1_VERSION);
	assert_false(handshake(&c, w));
	client_close(&c);
	assert_int_equal(w->t->streams->n_streams, 0);
}

static void garbage_within_tls_closes(void **state)
{
	struct world *w = *state;
	struct client c;
	uint8_t p[100];
	client_open(&c, w, NULL, NULL);
	assert_true(handshake(&c, w));
	assert_int_equal(SSL_write(c.ssl, "GET / HTTP/1.1\r\n", 16), 16);
	assert_int_equal(read_record(&c, w, p, sizeof p), 0);
	client_close(&c);
	/* Records that do not authenticate, and a handshake that is none. */
	client_open(&c, w, NULL, NULL);
	assert_true(handshake(&c, w));
	client_send(c.fd, "\x17\x03\x03\x00\x20it is not encrypted with the key", 37);
	assert_true(client_is_closed(w, c.fd));
	client_close(&c);
	int fd = client_connect(w, 0);
	client_send(fd, "\x16\x03\x01\x00\x05\xff\xff\xff\xff\xff", 10);
	assert_true(client_is_closed(w, fd));
	close(fd);
	assert_int_equal(w->t->streams->n_streams, 0);
}

/* ---------------------------------------------------------------- HTTPS on the same port */

struct passed {
	int fd;
	struct addr client;
};

static void take_http(void *arg, int fd, const struct addr *client)
{
	struct passed *p = arg;
	*p = (struct passed){fd, *client};
}

static struct passed passed;

static int open_shared(void **state)
{
	struct errbuf eb = {""};
	struct turnd_listen listen = {.at = loopback(0), .tcp = true, .tls = true};
	struct turnd_cfg cfg = world_cfg(&listen);
	cfg.cert_file = cert_path;
	cfg.key_file = key_path;
	cfg.http_pass = take_http;
	cfg.http_arg = &passed;
	passed.fd = -1;
	assert_int_equal(world_open(&world, &cfg, &eb), 0);
	*state = &world;
	return 0;
}

static void https_is_passed_on(void **state)
{
	struct world *w = *state;
	struct client c, turn;
	const unsigned char *alpn;
	unsigned n;
	uint8_t p[64];
	client_open(&c, w, NULL, "\x02h2\x08http/1.1");
	assert_true(handshake(&c, w));
	SSL_get0_alpn_selected(c.ssl, &alpn, &n);
	assert_true(slice_eq_str(slice_of(alpn, n), "http/1.1"));
	assert_int_equal(SSL_write(c.ssl, "G", 1), 1);
	assert_int_equal(SSL_write(c.ssl, "ET / HTTP/1.1\r\n\r\n", 17), 17);
	for (int i = 0; i < 5; i++)
		turn_once(w);
	assert_true(passed.fd >= 0);
	struct addr mine;
	socklen_t len = sizeof mine;
	assert_int_equal(getsockname(c.fd, &mine.sa, &len), 0);
	assert_true(addr_eq(&passed.client, &mine));
	assert_int_equal(client_read(w, passed.fd, p, 18), 18);
	assert_memory_equal(p, "GET / HTTP/1.1\r\n\r\n", 18);
	client_send(passed.fd, "HTTP/1.1 200 OK\r\n", 17);
	assert_int_equal(read_record(&c, w, p, sizeof p), 17);
	/* TURN goes on beside it. */
	client_open(&turn, w, NULL, "\x09stun.turn");
	assert_true(handshake(&turn, w));
	assert_true(is_answered(&turn, w));
	/* The end at one side is the end at the other one. */
	close(passed.fd);
	assert_int_equal(read_record(&c, w, p, sizeof p), 0);
	assert_true(SSL_get_shutdown(c.ssl) & SSL_RECEIVED_SHUTDOWN);
	client_close(&c);
	client_close(&turn);
	for (int i = 0; i < 5; i++)
		turn_once(w);
	assert_int_equal(w->t->streams->n_streams, 0);
}

static void only_https_is_passed_on(void **state)
{
	struct world *w = *state;
	struct client c;
	uint8_t p[64];
	int fd = client_connect(w, 0);
	client_send(fd, "GET / HTTP/1.1\r\n", 16);
	assert_true(client_is_closed(w, fd));
	close(fd);
	client_open(&c, w, NULL, NULL);
	assert_true(handshake(&c, w));
	assert_int_equal(SSL_write(c.ssl, "\x05GET", 4), 4);
	assert_int_equal(read_record(&c, w, p, sizeof p), 0);
	client_close(&c);
	/* Who has spoken TURN does not turn into something else. */
	client_open(&c, w, NULL, NULL);
	assert_true(handshake(&c, w));
	assert_true(is_answered(&c, w));
	assert_int_equal(SSL_write(c.ssl, "\xff GET", 5), 5);
	assert_int_equal(read_record(&c, w, p, sizeof p), 0);
	client_close(&c);
	assert_int_equal(passed.fd, -1);
}

/* ---------------------------------------------------------------- time */

static void a_handshake_has_its_time(void **state)
{
	struct world *w = *state;
	int fd = client_connect(w, 0);
	client_send(fd, "\x16\x03\x01\x02", 4);
	advance(w, (IDLE_S - 1) * SECOND_US);
	assert_false(client_is_closed(w, fd));
	advance(w, 2 * SECOND_US);
	assert_true(client_is_closed(w, fd));
	close(fd);
}

static void goodbye_is_said(void **state)
{
	struct world *w = *state;
	struct client c;
	uint8_t p[100];
	client_open(&c, w, NULL, NULL);
	assert_true(handshake(&c, w));
	assert_true(is_answered(&c, w));
	SSL_shutdown(c.ssl);
	assert_int_equal(read_record(&c, w, p, sizeof p), 0);
	assert_true(SSL_get_shutdown(c.ssl) & SSL_RECEIVED_SHUTDOWN);
	assert_int_equal(w->t->streams->n_streams, 0);
	client_close(&c);
}

/* ---------------------------------------------------------------- certificates */

static void replace(const char *to, const char *from)
{
	char next[80];
	snprintf(next, sizeof next, "%s.next", to);
	FILE *in = fopen(from, "r"), *out = fopen(next, "w");
	assert_non_null(in);
	assert_non_null(out);
	for (int c; (c = fgetc(in)) != EOF;)
		fputc(c, out);
	fclose(in);
	fclose(out);
	assert_int_equal(rename(next, to), 0);
}

static void a_new_certificate_is_taken_and_old_connections_live(void **state)
{
	struct world *w = *state;
	struct client before, after;
	struct client bad;
	client_open(&before, w, NULL, NULL);
	assert_true(handshake(&before, w));
	assert_int_equal(serial(&before), SERIAL_1);

	/* Half of it is there, as while somebody copies: the old pair stays. */
	char kept[64];
	path_of(kept, "kept.pem");
	replace(kept, cert_path);
	replace(cert_path, cert2_path);
	advance(w, 11 * SECOND_US);
	client_open(&bad, w, NULL, NULL);
	assert_true(handshake(&bad, w));
	assert_int_equal(serial(&bad), SERIAL_1);

	char kept_key[64];
	path_of(kept_key, "kept_key.pem");
	replace(kept_key, key_path);
	replace(key_path, key2_path);
	advance(w, 11 * SECOND_US);
	client_open(&after, w, NULL, NULL);
	assert_true(handshake(&after, w));
	assert_int_equal(serial(&after), SERIAL_2);
	assert_true(is_answered(&after, w));
	assert_true(is_answered(&before, w));
	assert_true(is_answered(&bad, w));

	replace(cert_path, kept);
	replace(key_path, kept_key);
	(void)unlink(kept);
	(void)unlink(kept_key);
	client_close(&before);
	client_close(&after);
	client_close(&bad);
}

static void what_is_wrong_with_the_files_is_said(void **state)
{
	(void)state;
	const struct {
		const char *cert, *key, *password, *text;
	} rows[] = {
		{"/nonexistent.pem", key_path, "", "cannot read the certificate /nonexistent.pem: No such file"},
		{cert_path, "/nonexistent.pem", "", "cannot read the private key /nonexistent.pem: No such file"},
		{cert_path, key2_path, "", "does not belong to the certificate"},
		{empty_path, key_path, "", "holds no usable certificate"},
		{cert_path, empty_path, "", "holds no usable private key"},
		{cert_path, locked_path, "", "or it needs a password"},
		{cert_path, locked_path, "wrong", "or the password is wrong"},
		{cert_path, locked_path, "secret", "does not belong to the certificate"},
		{cert_path, "", "", "turn.key_file is missing"},
		{"", key_path, "", "turn.cert_file is missing"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct turnd_cfg cfg = {.cert_file = rows[i].cert,
			.key_file = rows[i].key,
			.key_password = rows[i].password,
			.tls_ciphers = ""};
		struct turnd_tls *tls;
		struct errbuf eb = {""};
		assert_int_equal(turnd_tls_new(&tls, &cfg, NULL, &eb), -ERR_CONFIG);
		assert_null(tls);
		if (!strstr(eb.text, rows[i].text))
			fail_msg("\"%s\" does not say \"%s\"", eb.text, rows[i].text);
	}
	struct turnd_cfg cfg = {.cert_file = expired_path, .key_file = key_path, .tls_ciphers = "NONSENSE"};
	struct turnd_tls *tls;
	struct errbuf eb = {""};
	assert_int_equal(turnd_tls_new(&tls, &cfg, NULL, &eb), -ERR_CONFIG);
	assert_non_null(strstr(eb.text, "NONSENSE"));
	cfg.tls_ciphers = "";
	assert_int_equal(turnd_tls_new(&tls, &cfg, NULL, &eb), 0); /* with a warning */
	turnd_tls_free(tls);
	cfg.cert_file = cfg.key_file = "";
	assert_int_equal(turnd_tls_new(&tls, &cfg, NULL, &eb), 0);
	assert_null(tls);
}

/* ---------------------------------------------------------------- DTLS */

static void dtls_open(struct client *c, struct world *w)
{
	struct addr to = w->t->listeners[0].sock.local;
	c->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(connect(c->fd, &to.sa, addr_len(&to)), 0);
	c->ctx = SSL_CTX_new(DTLS_client_method());
	c->ssl = SSL_new(c->ctx);
	BIO *bio = BIO_new_dgram(c->fd, BIO_NOCLOSE);
	BIO_ctrl(bio, BIO_CTRL_DGRAM_SET_CONNECTED, 0, &to);
	SSL_set_bio(c->ssl, bio, bio);
	SSL_set_connect_state(c->ssl);
}

static void a_client_over_dtls_is_answered(void **state)
{
	struct world *w = *state;
	struct client c;
	uint64_t cookies = metric_sum(M_TURN_DTLS_COOKIES);
	dtls_open(&c, w);
	assert_true(handshake(&c, w));
	assert_int_equal(metric_sum(M_TURN_DTLS_COOKIES), cookies + 1);
	assert_int_equal(serial(&c), SERIAL_1);
	for (int i = 0; i < 5; i++)
		assert_true(is_answered(&c, w));
	assert_int_equal(w->t->conns.n, 1);
	SSL_shutdown(c.ssl);
	for (int i = 0; i < 5; i++)
		turn_once(w);
	assert_int_equal(w->t->conns.n, 0);
	client_close(&c);
}

static void an_address_that_proved_nothing_costs_nothing(void **state)
{
	struct world *w = *state;
	struct client c;
	uint8_t hello[2048], answer[2048];
	struct addr to = w->t->listeners[0].sock.local;
	int tap = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct addr any = loopback(0);
	socklen_t len = sizeof any;
	assert_int_equal(bind(tap, &any.sa, addr_len(&any)), 0);
	assert_int_equal(getsockname(tap, &any.sa, &len), 0);
	/* The ClientHello of a client whose server is `tap`. */
	c.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(connect(c.fd, &any.sa, addr_len(&any)), 0);
	c.ctx = SSL_CTX_new(DTLS_client_method());
	c.ssl = SSL_new(c.ctx);
	BIO *bio = BIO_new_dgram(c.fd, BIO_NOCLOSE);
	BIO_ctrl(bio, BIO_CTRL_DGRAM_SET_CONNECTED, 0, &any);
	SSL_set_bio(c.ssl, bio, bio);
	SSL_set_connect_state(c.ssl);
	(void)SSL_do_handshake(c.ssl);
	ssize_t n = recv(tap, hello, sizeof hello, 0);
	assert_true(n > 0);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(sendto(tap, hello, (size_t)n, 0, &to.sa, addr_len(&to)), n);
		turn_once(w);
		ssize_t got = recv(tap, answer, sizeof answer, 0);
		assert_in_range(got, 1, n - 1);
		assert_int_equal(recv(tap, answer, sizeof answer, 0), -1);
	}
	assert_int_equal(w->t->conns.n, 0);
	close(tap);
	client_close(&c);
}

static void dtls_connections_are_bounded_and_end(void **state)
{
	struct world *w = *state;
	struct client c[11];
	for (int i = 0; i < 10; i++) {
		dtls_open(&c[i], w);
		assert_true(handshake(&c[i], w));
	}
	uint64_t full = metric_drop_sum(DROP_DTLS_FULL);
	dtls_open(&c[10], w);
	for (int i = 0; i < 10; i++) {
		(void)SSL_do_handshake(c[10].ssl);
		turn_once(w);
	}
	assert_true(metric_drop_sum(DROP_DTLS_FULL) > full);
	assert_int_equal(w->t->conns.n, 10);
	advance(w, (IDLE_S + 1) * SECOND_US);
	assert_int_equal(w->t->conns.n, 0);
	for (int i = 0; i < 11; i++)
		client_close(&c[i]);
}

static void a_client_comes_again_from_the_same_port(void **state)
{
	struct world *w = *state;
	struct client c;
	dtls_open(&c, w);
	assert_true(handshake(&c, w));
	assert_true(is_answered(&c, w));
	SSL *old = c.ssl;
	c.ssl = SSL_new(c.ctx);
	SSL_set_bio(c.ssl, SSL_get_rbio(old), SSL_get_wbio(old));
	BIO_up_ref(SSL_get_rbio(old));
	SSL_set_connect_state(c.ssl);
	assert_true(handshake(&c, w));
	assert_true(is_answered(&c, w));
	assert_int_equal(w->t->conns.n, 1);
	SSL_free(old);
	client_close(&c);
}

int main(void)
{
#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, open_world, close_world)
	const struct CMUnitTest tests[] = {
		IN_WORLD(both_speak_on_one_port),
		IN_WORLD(a_burst_in_one_record_and_in_pieces),
		IN_WORLD(alpn_of_turn),
		IN_WORLD(who_comes_again_resumes),
		IN_WORLD(old_versions_are_refused),
		IN_WORLD(garbage_within_tls_closes),
		cmocka_unit_test_setup_teardown(https_is_passed_on, open_shared, close_world),
		cmocka_unit_test_setup_teardown(only_https_is_passed_on, open_shared, close_world),
		IN_WORLD(a_handshake_has_its_time),
		IN_WORLD(goodbye_is_said),
		IN_WORLD(a_new_certificate_is_taken_and_old_connections_live),
		cmocka_unit_test(what_is_wrong_with_the_files_is_said),
		IN_WORLD(a_client_over_dtls_is_answered),
		IN_WORLD(an_address_that_proved_nothing_costs_nothing),
		IN_WORLD(dtls_connections_are_bounded_and_end),
		IN_WORLD(a_client_comes_again_from_the_same_port),
	};
	return cmocka_run_group_tests(tests, make_files, remove_files);
}
