#include "pair.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static struct dtls_identity *identity;
static struct side side;

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

static void send_raw(const void *bytes, size_t n)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	const struct addr *to = &side.rtc->locals[0].sock.local;
	assert_int_equal(sendto(fd, bytes, n, 0, &to->sa, addr_len(to)), n);
	close(fd);
	side.w.now_us += 1000;
	side_turn(&side);
}

static void strangers_are_counted_and_dropped(void **st)
{
	(void)st;
	side_open(&side, identity);
	static const struct {
		const char *bytes;
		size_t n;
		enum drop_reason why;
	} cases[] = {
		{"\x80\x60\0\1\0\0\0\1\0\0\0\1payload", 19, DROP_UNKNOWN_TUPLE},
		{"\x80\xc9\0\1\0\0\0\1", 8, DROP_UNKNOWN_TUPLE},
		{"\x16\xfe\xfd\0\0", 5, DROP_UNKNOWN_TUPLE},
		{"\0\1\0\0", 4, DROP_STUN_MALFORMED},
		{"\0\1\0\0\x21\x12\xa4\x42" "0123456789ab", 20, DROP_UNKNOWN_TUPLE},
		{"\x40\0\0\0", 4, DROP_NOT_RTC},
		{"\xff", 1, DROP_NOT_RTC},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint64_t before = metric_drop_sum(cases[i].why);
		send_raw(cases[i].bytes, cases[i].n);
		assert_int_equal(metric_drop_sum(cases[i].why), before + 1);
	}
	side_close(&side);
}

static void a_check_for_somebody_else_is_dropped(void **st)
{
	(void)st;
	struct end e;
	side_open(&side, identity);
	end_make(&e, &side, false);
	uint8_t mem[256], tid[STUN_TID_LEN] = {1};
	char username[64];
	struct hmac_sha1 key;
	struct stun_writer w;
	struct slice out;
	snprintf(username, sizeof username, "%s:x", session_ufrag(e.s));
	hmac_sha1_init(&key, "wrong password wrong pwd", 24);
	stun_begin(&w, mem, sizeof mem, STUN_BINDING, STUN_REQUEST, tid);
	stun_put(&w, STUN_ATTR_USERNAME, username, strlen(username));
	stun_put_u32(&w, STUN_ATTR_PRIORITY, 1);
	assert_int_equal(stun_seal(&w, &key, &out), 0);
	uint64_t before = metric_drop_sum(DROP_STUN_AUTH);
	send_raw(out.p, out.n);
	assert_int_equal(metric_drop_sum(DROP_STUN_AUTH), before + 1);
	session_close(e.s);
	side_close(&side);
}

static void sessions_are_limited_and_counted(void **st)
{
	(void)st;
	struct end e[3];
	side_open(&side, identity);
	side.rtc->cfg.sessions_max = 2;
	end_make(&e[0], &side, false);
	end_make(&e[1], &side, true);
	struct session_cfg cfg = {.ops = end_ops(), .arg = &e[2]};
	assert_null(session_new(side.rtc, &cfg));
	assert_int_equal(rtc_session_count(side.rtc), 2);
	session_close(e[0].s);
	assert_int_equal(rtc_session_count(side.rtc), 1);
	end_make(&e[2], &side, false);
	rtc_end_turn(side.rtc);
	assert_int_equal(rtc_session_count(side.rtc), 2);
	side_close(&side); /* takes the others with it */
}

static void an_address_in_use_is_named(void **st)
{
	(void)st;
	static struct side other;
	side_open(&side, identity);
	assert_int_equal(worker_init(&other.w, 1, side_ops(), NULL, 16), 0);
	struct ice_local locals[2] = {0};
	assert_int_equal(addr_parse_ip(&locals[0].base, slice_str("127.0.0.1"), 0), 0);
	locals[1].base = side.rtc->locals[0].sock.local;
	struct rtc_cfg cfg = {.locals = locals, .n_locals = 2, .identity = identity};
	struct errbuf eb = {""};
	struct rtc *rtc = NULL;
	assert_int_equal(rtc_new(&rtc, &other.w, &cfg, &eb), -ERR_SYSTEM);
	assert_null(rtc);
	assert_non_null(strstr(eb.text, "127.0.0.1"));
	worker_close(&other.w);
	side_close(&side);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strangers_are_counted_and_dropped),
		cmocka_unit_test(a_check_for_somebody_else_is_dropped),
		cmocka_unit_test(sessions_are_limited_and_counted),
		cmocka_unit_test(an_address_in_use_is_named),
	};
	return cmocka_run_group_tests(tests, once, at_last);
}
