#include "town.h"

#include <stdio.h>

#include "session/session.h"

static struct dtls_identity *identity;

static int once(void **st)
{
	(void)st;
	metric_thread_init();
	mbox_thread_init();
	return dtls_identity_new(&identity);
}

static int at_last(void **st)
{
	(void)st;
	dtls_identity_free(identity);
	return 0;
}

/* A port range of its own for each test: what the kernel has still in flight meets nobody. */
static struct town_cfg with_workers(unsigned n)
{
	static uint16_t next = 43000;
	next += 400;
	return (struct town_cfg){
		.workers = n, .relay_first = next, .relay_last = next + 399, .is_eager = true};
}

/* A datagram that passed between two relayed addresses, and what the sockets saw of it: in from
 * one, out to the other. */
static void says_to(struct client *from, struct client *to, const char *text)
{
	size_t n = strlen(text);
	uint64_t in = metric_sum(M_TURN_UDP_PACKETS_IN), out = metric_sum(M_TURN_UDP_PACKETS_OUT);
	uint64_t hairpin = metric_sum(M_TURN_HAIRPIN);
	client_say(from, TOWN_CHANNEL, text, n);
	client_hears(to, TOWN_CHANNEL, text, n);
	assert_int_equal(metric_sum(M_TURN_UDP_PACKETS_IN), in + 1);
	assert_int_equal(metric_sum(M_TURN_UDP_PACKETS_OUT), out + 1);
	assert_int_equal(metric_sum(M_TURN_HAIRPIN), hairpin + 1);
}

static void two_clients(unsigned workers, unsigned a_at, unsigned b_at, const char *external)
{
	struct town_cfg cfg = with_workers(workers);
	struct town town;
	struct client a, b;
	cfg.external = external;
	town_open(&town, &cfg);
	client_settle(&a, &town, a_at);
	client_settle(&b, &town, b_at);
	uint64_t handed = metric_sum(M_TURN_HANDOVER);
	assert_int_equal(client_bind(&a, TOWN_CHANNEL, &b.relayed), 0);

	/* Not before the other side allows it. */
	client_say(&a, TOWN_CHANNEL, "?", 1);
	assert_true(town_is_silent(&town, b.fd));
	assert_int_equal(client_bind(&b, TOWN_CHANNEL, &a.relayed), 0);
	for (int i = 0; i < 3; i++) {
		says_to(&a, &b, "from a");
		says_to(&b, &a, "from b, longer");
	}
	assert_int_equal(metric_sum(M_TURN_HANDOVER) - handed, a_at == b_at ? 0 : 7);
	/* The allocation goes; its port is nobody's. */
	assert_int_equal(client_delete(&b), 0);
	client_say(&a, TOWN_CHANNEL, "?", 1);
	assert_true(town_is_silent(&town, b.fd));
	client_close(&a);
	client_close(&b);
	town_close(&town);
}

static void clients_of_one_worker(void **st)
{
	(void)st;
	two_clients(1, 0, 0, NULL);
	two_clients(1, 0, 0, "192.0.2.7"); /* advertised, and nowhere on this machine */
}

static void clients_of_two_workers(void **st)
{
	(void)st;
	two_clients(2, 0, 1, NULL);
	two_clients(3, 2, 0, "192.0.2.7");
}

/* Bursts of one size arrive as such, in order. */
static void bursts_keep_their_order(void **st)
{
	(void)st;
	enum { N = 40, LEN = 1000 };
	for (unsigned other = 0; other < 2; other++) {
		struct town_cfg cfg = with_workers(2);
		struct town town;
		struct client a, b;
		town_open(&town, &cfg);
		client_settle(&a, &town, 0);
		client_settle(&b, &town, other);
		assert_int_equal(client_bind(&a, TOWN_CHANNEL, &b.relayed), 0);
		assert_int_equal(client_bind(&b, TOWN_CHANNEL, &a.relayed), 0);
		uint8_t text[LEN];
		for (unsigned i = 0; i < N; i++) {
			memset(text, (int)i, sizeof text);
			client_say(&a, TOWN_CHANNEL, text, i % 10 == 9 ? 300 : LEN);
		}
		for (unsigned i = 0; i < N; i++) {
			memset(text, (int)i, sizeof text);
			client_hears(&b, TOWN_CHANNEL, text, i % 10 == 9 ? 300 : LEN);
		}
		client_close(&a);
		client_close(&b);
		town_close(&town);
	}
}

/* --------------------------------------------------------------- the SFU */

static void on_state(void *arg, enum session_state state)
{
	(void)arg;
	(void)state;
}

/* A connectivity check through the relay to the SFU and its answer: both ways without a socket. */
static void check_the_sfu(
	struct town *town, struct client *c, struct session *s, const struct addr *sfu)
{
	uint8_t mem[256], tid[STUN_TID_LEN] = {0x5f};
	char username[64];
	struct hmac_sha1 key;
	struct stun_writer w;
	struct slice out;
	struct stun_msg m;
	snprintf(username, sizeof username, "%s:they", session_ufrag(s));
	hmac_sha1_init(&key, session_pwd(s), strlen(session_pwd(s)));
	stun_begin(&w, mem, sizeof mem, STUN_BINDING, STUN_REQUEST, tid);
	stun_put(&w, STUN_ATTR_USERNAME, username, strlen(username));
	stun_put_u32(&w, STUN_ATTR_PRIORITY, 1);
	stun_put_u64(&w, STUN_ATTR_ICE_CONTROLLING, 7);
	assert_int_equal(stun_seal(&w, &key, &out), 0);
	uint64_t rtc_out = metric_sum(M_PACKETS_OUT), rtc_in = metric_sum(M_PACKETS_IN);
	uint64_t hairpin = metric_sum(M_TURN_HAIRPIN);
	assert_int_equal(client_bind(c, TOWN_CHANNEL, sfu), 0);
	client_say(c, TOWN_CHANNEL, out.p, out.n);
	/* Its own check may come before the answer. */
	do {
		size_t n = town_receive(town, c->fd, c->in, sizeof c->in, NULL);
		assert_true(n > 4);
		assert_int_equal(rd16(c->in), TOWN_CHANNEL); /* from the address that the client knows */
		assert_int_equal(stun_parse(&m, slice_of(c->in + 4, n - 4)), 0);
	} while (m.class == STUN_REQUEST);
	assert_int_equal(m.class, STUN_SUCCESS);
	assert_memory_equal(m.tid, tid, sizeof tid);
	assert_true(addr_eq(&m.mapped, &c->relayed));
	assert_int_equal(metric_sum(M_PACKETS_OUT), rtc_out);
	assert_int_equal(metric_sum(M_PACKETS_IN), rtc_in);
	assert_true(metric_sum(M_TURN_HAIRPIN) >= hairpin + 2);
}

static void client_and_sfu(unsigned client_at, unsigned sfu_at, const char *external,
	const char *sfu_known_as, bool by_base)
{
	static const struct session_ops ops = {.state = on_state};
	struct town_cfg cfg = with_workers(2);
	struct town town;
	struct client c;
	cfg.sfu = identity;
	cfg.external = external;
	cfg.sfu_known_as = sfu_known_as;
	town_open(&town, &cfg);
	client_settle(&c, &town, client_at);
	const struct session_cfg session = {.ops = &ops};
	struct session *s = session_new(town.at[sfu_at].rtc, &session);
	assert_non_null(s);
	const struct session_remote remote = {.ufrag = slice_str("they"),
		.pwd = slice_str("passwordOf24characters00"),
		.fingerprint_alg = slice_str("sha-256"),
		.fingerprint = slice_of("0123456789abcdef0123456789abcdef", 32)};
	assert_int_equal(session_set_remote(s, &remote), 0);
	const struct ice_local *locals;
	assert_int_equal(rtc_locals(town.at[sfu_at].rtc, &locals), 1);
	struct addr sfu = locals[0].base;
	if (sfu_known_as && !by_base) {
		sfu = locals[0].advertised[0];
		addr_set_port(&sfu, addr_port(&locals[0].base));
	}
	check_the_sfu(&town, &c, s, &sfu);
	session_close(s);
	client_close(&c);
	town_close(&town);
}

static void the_sfu_of_the_same_worker(void **st)
{
	(void)st;
	client_and_sfu(0, 0, NULL, NULL, true);
	client_and_sfu(0, 0, "192.0.2.7", "192.0.2.8", false);
	client_and_sfu(1, 1, NULL, "192.0.2.8", true);
}

static void the_sfu_of_another_worker(void **st)
{
	(void)st;
	client_and_sfu(0, 1, NULL, NULL, true);
	client_and_sfu(1, 0, "192.0.2.7", "192.0.2.8", false);
	client_and_sfu(1, 0, NULL, "192.0.2.8", true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clients_of_one_worker),
		cmocka_unit_test(clients_of_two_workers),
		cmocka_unit_test(bursts_keep_their_order),
		cmocka_unit_test(the_sfu_of_the_same_worker),
		cmocka_unit_test(the_sfu_of_another_worker),
	};
	return cmocka_run_group_tests(tests, once, at_last);
}
