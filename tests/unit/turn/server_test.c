#include "../cm.h"
#include "../../turn_kit.h"

static void checks_come_in_their_order(void **st)
{
	(void)st;
	struct kit *k = kit_new();
	struct kit_client c = kit_client(TURN_UDP, 0, 4000, "alice"),
			  wrong = kit_client(TURN_UDP, 0, 4001, "alice");
	/* 401 with a challenge. */
	kit_begin(k, &c, STUN_ALLOCATE);
	assert_int_equal(kit_send_plain(k, &c), STUN_ERR_UNAUTHENTICATED);
	assert_true(slice_eq_str(k->m.realm, KIT_REALM));
	assert_true(k->m.nonce.n > 0);
	assert_int_equal(k->m.integrity_at, 0);
	/* A wrong password. */
	hmac_sha1_init(&wrong.mac, "nonsense", 8);
	assert_int_equal(kit_allocate(k, &wrong), STUN_ERR_UNAUTHENTICATED);
	/* A foreign nonce, and a new one with the answer. */
	kit_get_nonce(k, &c);
	c.nonce[c.nonce_n - 1] ^= 1;
	assert_int_equal(kit_allocate(k, &c), STUN_ERR_STALE_NONCE);
	assert_true(k->m.nonce.n > 0);
	memcpy(c.nonce, k->m.nonce.p, k->m.nonce.n);
	/* What must be understood and is not, before everything else. */
	kit_begin(k, &c, STUN_ALLOCATE);
	static const uint8_t strange[] = {0x7f, 0xee, 0, 0};
	memcpy(k->w.p + k->w.n, strange, sizeof strange);
	k->w.n += sizeof strange;
	assert_int_equal(kit_send_plain(k, &c), STUN_ERR_UNKNOWN_ATTRIBUTE);
	assert_int_equal(k->m.refused.n, 2);
	assert_int_equal(rd16(k->m.refused.p), 0x7fee);
	/* Signed, but without a nonce. */
	kit_begin(k, &c, STUN_ALLOCATE);
	stun_put(&k->w, STUN_ATTR_USERNAME, "alice", 5);
	assert_int_equal(stun_seal(&k->w, &c.mac, &k->sealed), 0);
	unsigned n = k->n_answers;
	kit_rx(k, &c.flow, k->sealed);
	assert_int_equal(kit_result(k, n), STUN_ERR_BAD_REQUEST);
	/* A method that does not exist. */
	kit_begin(k, &c, (enum stun_method)0x0ff);
	assert_int_equal(kit_send_plain(k, &c), STUN_ERR_BAD_REQUEST);
	kit_free(k);
}

static int say_bad(struct kit *k, struct kit_client *c, enum stun_method method,
	enum stun_attr attr, const char *value, size_t n)
{
	kit_begin(k, c, method);
	stun_put(&k->w, attr, value, n);
	return kit_send(k, c);
}

/* A message that is whole, with an attribute that is not: who asks is told so, signed if he proved himself. */
static void bad_values_are_answered(void **st)
{
	(void)st;
	struct turn_cfg cfg = kit_cfg();
	cfg.software = "a name that is longer than the request was";
	cfg.auth_failures_per_user = 1;
	struct kit *k = kit_new_with(&cfg, NULL, KIT_USERS);
	struct kit_client c = kit_client(TURN_UDP, 0, 4000, "alice");
	assert_int_equal(kit_allocate(k, &c), 0);
	static const struct {
		enum stun_method method;
		enum stun_attr attr;
		size_t n;
		const char *value;
	} rows[] = {
		{STUN_CREATE_PERMISSION, STUN_ATTR_XOR_PEER_ADDRESS, 5, "\0\1\0\0\1"},
		{STUN_CREATE_PERMISSION, STUN_ATTR_XOR_PEER_ADDRESS, 8, "\0\11\0\0\1\2\3\4"},
		{STUN_CREATE_PERMISSION, STUN_ATTR_XOR_PEER_ADDRESS, 0, ""},
		{STUN_REFRESH, STUN_ATTR_LIFETIME, 2, "\1\0"},
		{STUN_CHANNEL_BIND, STUN_ATTR_CHANNEL_NUMBER, 2, "\100\0"},
		{STUN_ALLOCATE, STUN_ATTR_REQUESTED_TRANSPORT, 1, "\21"},
		{STUN_ALLOCATE, STUN_ATTR_RESERVATION_TOKEN, 3, "abc"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(say_bad(k, &c, rows[i].method, rows[i].attr, rows[i].value,
					 rows[i].n),
			STUN_ERR_BAD_REQUEST);
		assert_int_not_equal(k->m.integrity_at, 0);
	}
	/* Who proves nothing gets no more than he sent. */
	uint8_t zeros[64] = {0};
	for (size_t n = 0; n < sizeof zeros; n += 4) {
		kit_begin(k, &c, STUN_ALLOCATE);
		stun_put(&k->w, STUN_ATTR_LIFETIME, zeros, 2);
		stun_put(&k->w, STUN_ATTR_DATA, zeros, n);
		size_t length = k->w.n;
		bool is_answered = length >= 40;
		assert_int_equal(
			kit_send_plain(k, &c), is_answered ? STUN_ERR_BAD_REQUEST : -1);
		if (is_answered)
			assert_true(k->answer_n <= length);
	}
	/* Only requests are answered. */
	unsigned n = k->n_answers;
	kit_begin(k, &c, STUN_SEND);
	stun_put(&k->w, STUN_ATTR_XOR_PEER_ADDRESS, zeros, 5);
	k->w.p[1] |= STUN_INDICATION;
	assert_int_equal(stun_seal(&k->w, NULL, &k->sealed), 0);
	kit_rx(k, &c.flow, k->sealed);
	assert_int_equal(k->n_answers, n);
	/* Bad and signed with a wrong key: as any wrong password. */
	struct kit_client wrong = kit_client(TURN_UDP, 0, 4001, "alice");
	hmac_sha1_init(&wrong.mac, "nonsense", 8);
	assert_int_equal(say_bad(k, &wrong, STUN_ALLOCATE, STUN_ATTR_LIFETIME, "", 0),
		STUN_ERR_UNAUTHENTICATED);
	assert_int_equal(say_bad(k, &wrong, STUN_ALLOCATE, STUN_ATTR_LIFETIME, "", 0), -1);
	kit_free(k);
}

static void what_is_no_request_is_dropped(void **st)
{
	(void)st;
	struct kit *k = kit_new();
	struct kit_client c = kit_client(TURN_UDP, 0, 4000, "alice");
	kit_begin(k, &c, STUN_BINDING);
	struct slice m;
	assert_int_equal(stun_seal(&k->w, NULL, &m), 0);
	k->request[m.n - 1] ^= 1; /* FINGERPRINT */
	kit_rx(k, &c.flow, m);
	k->request[m.n - 1] ^= 1;
	for (size_t n = 0; n < m.n; n++)
		kit_rx(k, &c.flow, slice_of(m.p, n));
	k->request[0] |= 1; /* a success */
	kit_rx(k, &c.flow, m);
	assert_int_equal(k->n_answers, 0);
	assert_true(metric_drop_sum(DROP_TURN_MALFORMED) >= m.n);
	kit_free(k);
}

static void fingerprint_answers_fingerprint(void **st)
{
	(void)st;
	struct turn_cfg cfg = kit_cfg();
	cfg.software = "sterna";
	struct kit *k = kit_new_with(&cfg, NULL, KIT_USERS);
	struct kit_client c = kit_client(TURN_UDP, 0, 4000, "alice");
	kit_begin(k, &c, STUN_BINDING);
	assert_int_equal(kit_send_plain(k, &c), 0);
	assert_int_equal(k->m.fingerprint_at, 0);
	assert_true(slice_eq_str(k->m.software, "sterna"));
	kit_begin(k, &c, STUN_BINDING);
	struct slice m;
	assert_int_equal(stun_seal(&k->w, NULL, &m), 0);
	unsigned n = k->n_answers;
	kit_rx(k, &c.flow, m);
	assert_int_equal(kit_result(k, n), 0);
	assert_int_not_equal(k->m.fingerprint_at, 0);
	assert_int_equal(stun_verify_fingerprint(&k->m), 0);
	kit_free(k);
}

static void parts_are_switched_off(void **st)
{
	(void)st;
	struct turn_cfg cfg = kit_cfg();
	struct kit *k = kit_new();
	struct kit_client c = kit_client(TURN_UDP, 0, 4000, "alice");
	cfg.no_stun = true;
	turn_reload(k->server, &cfg, k->policy);
	kit_begin(k, &c, STUN_BINDING);
	assert_int_equal(kit_send_plain(k, &c), -1);
	cfg.no_stun = false;
	cfg.stun_only = true;
	turn_reload(k->server, &cfg, k->policy);
	kit_begin(k, &c, STUN_BINDING);
	assert_int_equal(kit_send_plain(k, &c), 0);
	kit_begin(k, &c, STUN_ALLOCATE);
	assert_int_equal(kit_send_plain(k, &c), -1);
	cfg.stun_only = false;
	cfg.secure_stun = true;
	turn_reload(k->server, &cfg, k->policy);
	kit_begin(k, &c, STUN_BINDING);
	assert_int_equal(kit_send_plain(k, &c), STUN_ERR_UNAUTHENTICATED);
	kit_begin(k, &c, STUN_BINDING);
	assert_int_equal(kit_send(k, &c), 0);
	kit_free(k);
}

static void nobody_is_asked_for_a_name(void **st)
{
	(void)st;
	struct turn_cfg cfg = kit_cfg();
	struct turn_quota_cfg quota = {.allocations_per_user = 1, .slots = 16};
	struct kit *k = kit_new_with(&cfg, &quota, KIT_NO_AUTH);
	struct addr peer = kit_addr("10.0.0.5", 900), denied = kit_addr("127.0.0.1", 900);
	for (uint16_t i = 0; i < 3; i++) {
		struct kit_client c = kit_client(TURN_UDP, 0, (uint16_t)(4000 + i), "");
		kit_begin(k, &c, STUN_ALLOCATE);
		stun_put_number(&k->w, STUN_ATTR_REQUESTED_TRANSPORT, STUN_TRANSPORT_UDP);
		assert_int_equal(kit_send_plain(k, &c), 0);
		assert_int_equal(k->m.integrity_at, 0);
		unsigned n = k->n_answers;
		kit_rx(k, &c.flow, k->sealed);
		assert_int_equal(kit_result(k, n), 0);
		kit_begin(k, &c, STUN_CHANNEL_BIND);
		stun_put_number(&k->w, STUN_ATTR_CHANNEL_NUMBER, 0x4000);
		stun_put_xor_addr(&k->w, STUN_ATTR_XOR_PEER_ADDRESS, &peer);
		assert_int_equal(kit_send_plain(k, &c), 0);
		assert_true(kit_channel_data(k, &c, 0x4000, "x", 1));
		kit_begin(k, &c, STUN_CREATE_PERMISSION);
		stun_put_xor_addr(&k->w, STUN_ATTR_XOR_PEER_ADDRESS, &denied);
		assert_int_equal(kit_send_plain(k, &c), STUN_ERR_FORBIDDEN);
	}
	struct turn_alloc_info info;
	turn_alloc_info(turn_alloc_next(k->server, NULL), &info);
	assert_string_equal(info.username, "");
	assert_string_equal(info.realm, "");
	kit_free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(checks_come_in_their_order),
		cmocka_unit_test(bad_values_are_answered),
		cmocka_unit_test(what_is_no_request_is_dropped),
		cmocka_unit_test(fingerprint_answers_fingerprint),
		cmocka_unit_test(parts_are_switched_off),
		cmocka_unit_test(nobody_is_asked_for_a_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
