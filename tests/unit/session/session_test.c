#include "pair.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#include "stun/stun.h"

static struct dtls_identity *identity;
static struct side left, right;
static struct end a, b;

static int once(void **st)
{
	(void)st;
	metric_thread_init();
	mbox_thread_init();
	sctp_stack_start();
	return dtls_identity_new(&identity);
}

static int at_last(void **st)
{
	(void)st;
	dtls_identity_free(identity);
	return sctp_stack_stop();
}

static void open_pair(void)
{
	side_open(&left, identity);
	side_open(&right, identity);
	end_make(&a, &left, true);
	end_make(&b, &right, false);
}

static void connect_pair(void)
{
	open_pair();
	ends_connect(&a, &b);
	assert_int_equal(session_state_now(a.s), SESSION_CONNECTED);
	assert_int_equal(session_state_now(b.s), SESSION_CONNECTED);
}

static void close_end(struct end *e)
{
	struct session *s = e->s;
	e->s = NULL;
	if (s)
		session_close(s);
}

static void close_pair(void)
{
	close_end(&a);
	close_end(&b);
	sides_run(&left, &right, 5000);
	assert_int_equal(rtc_session_count(left.rtc), 0);
	assert_int_equal(rtc_session_count(right.rtc), 0);
	assert_int_equal(a.n_after_close + b.n_after_close, 0);
	side_close(&left);
	side_close(&right);
}

static void run(uint64_t us)
{
	sides_run(&left, &right, us);
}

/* ------------------------------------------------------------------ what it is for */

static void connects_and_moves_media_both_ways(void **st)
{
	(void)st;
	connect_pair();
	assert_int_equal(a.n_states, 1);
	assert_int_equal(b.n_states, 1);
	assert_non_null(session_remote_addr(a.s));
	struct srtp_stream *up = session_stream_add(a.s, 7), *down = session_stream_add(b.s, 8);
	assert_non_null(up);
	end_send_rtp(&a, up, 7, 1, slice_str("hello"));
	end_send_rtp(&b, down, 8, 1, slice_str("good day"));
	run(2000);
	assert_int_equal(b.n_rtp, 1);
	assert_int_equal(a.n_rtp, 1);
	assert_int_equal(b.last_n, 12 + 5);
	assert_memory_equal(b.last + 12, "hello", 5);

	uint8_t mem[64];
	struct rtcp_writer w = rtcp_writer(mem, sizeof mem);
	rtcp_add_pli(&w, 1, 2);
	session_tx_rtcp(a.s, rtcp_written(&w));
	run(2000);
	assert_int_equal(b.n_rtcp, 1);
	assert_memory_equal(b.last, mem, w.n);
	close_pair();
}

static void opens_channels_and_moves_messages(void **st)
{
	(void)st;
	open_pair();
	struct sctp_channel_info info = {
		.is_ordered = true, .max_retransmits = -1, .max_lifetime_ms = -1, .label = slice_str("x")};
	assert_int_equal(session_open_channel(a.s, &info), -ERR_BAD_STATE);
	assert_int_equal(session_send(a.s, 0, true, slice_str("early")), -ERR_BAD_STATE);
	ends_connect(&a, &b);
	assert_int_equal(a.n_ready, 1);
	assert_int_equal(b.n_ready, 1);
	assert_int_equal(session_open_channel(a.s, &info), 0);
	assert_int_equal(session_send(a.s, info.id, true, slice_str("ping")), 0);
	run(20000);
	assert_int_equal(b.n_open, 1);
	assert_int_equal(b.n_messages, 1);
	assert_memory_equal(b.last, "ping", 4);
	assert_int_equal(session_send(b.s, b.channel, false, slice_str("pong")), 0);
	run(20000);
	assert_int_equal(a.n_messages, 1);
	close_pair();
}

static void a_full_buffer_is_told_and_drains(void **st)
{
	(void)st;
	static uint8_t block[16000];
	connect_pair();
	struct sctp_channel_info info = {
		.is_ordered = true, .max_retransmits = -1, .max_lifetime_ms = -1, .label = slice_str("x")};
	assert_int_equal(session_open_channel(a.s, &info), 0);
	unsigned n = 0;
	while (n < 100 && session_send(a.s, info.id, false, slice_of(block, sizeof block)) == 0)
		n++;
	assert_in_range(n, 1, 99);
	run(3000 * 1000);
	assert_true(a.n_writable >= 1);
	assert_int_equal(b.n_messages, n);
	close_pair();
}

static void more_than_the_queue_holds_is_sent_all_the_same(void **st)
{
	(void)st;
	connect_pair();
	struct srtp_stream *stream = session_stream_add(a.s, 7);
	for (uint16_t i = 0; i < 150; i++)
		end_send_rtp(&a, stream, 7, i, slice_str("x"));
	run(2000);
	assert_int_equal(b.n_rtp, 150);
	/* What waits on a stream that goes is sent before. */
	end_send_rtp(&a, stream, 7, 150, slice_str("x"));
	session_stream_del(a.s, stream);
	run(2000);
	assert_int_equal(b.n_rtp, 151);
	close_pair();
}

/* ------------------------------------------------------------------ state */

static void a_silent_peer_is_noticed_by_time_alone(void **st)
{
	(void)st;
	connect_pair();
	right.is_deaf = true;
	run(11 * 1000 * 1000);
	assert_int_equal(end_last_state(&a), SESSION_DISCONNECTED);
	run(10 * 1000 * 1000);
	assert_int_equal(end_last_state(&a), SESSION_FAILED);
	assert_int_equal(session_state_now(a.s), SESSION_FAILED);
	close_pair();
}

static void a_peer_that_comes_back_is_connected_again(void **st)
{
	(void)st;
	connect_pair();
	right.is_deaf = true;
	run(11 * 1000 * 1000);
	assert_int_equal(end_last_state(&a), SESSION_DISCONNECTED);
	right.is_deaf = false;
	run(4 * 1000 * 1000);
	assert_int_equal(end_last_state(&a), SESSION_CONNECTED);
	close_pair();
}

static void nobody_there_fails_by_time_alone(void **st)
{
	(void)st;
	open_pair();
	right.is_deaf = true;
	assert_int_equal(end_learn(&a, &b), 0);
	run(20 * 1000 * 1000);
	assert_int_equal(end_last_state(&a), SESSION_FAILED);
	close_pair();
}

static void restart(void)
{
	session_restart_ice(a.s);
	session_restart_ice(b.s);
	assert_int_equal(end_learn(&a, &b), 0);
	assert_int_equal(end_learn(&b, &a), 0);
}

static void an_ice_restart_leads_out_of_failure(void **st)
{
	(void)st;
	connect_pair();
	struct srtp_stream *stream = session_stream_add(a.s, 7);
	side_cut(&left, true);
	side_cut(&right, true);
	run(40 * 1000 * 1000);
	assert_int_equal(end_last_state(&a), SESSION_FAILED);
	assert_int_equal(end_last_state(&b), SESSION_FAILED);
	side_cut(&left, false);
	side_cut(&right, false);
	restart();
	run(1000 * 1000);
	assert_int_equal(end_last_state(&a), SESSION_CONNECTED);
	assert_int_equal(session_state_now(b.s), SESSION_CONNECTED);
	end_send_rtp(&a, stream, 7, 1, slice_str("again"));
	run(2000);
	assert_int_equal(b.n_rtp, 1);
	close_pair();
}

static void an_ice_restart_does_not_stop_media(void **st)
{
	(void)st;
	connect_pair();
	struct srtp_stream *stream = session_stream_add(a.s, 7);
	char before[SESSION_UFRAG_LEN + 1];
	memcpy(before, session_ufrag(a.s), sizeof before);
	for (int k = 0; k < 4; k++) {
		restart();
		assert_string_not_equal(session_ufrag(a.s), before);
		for (uint16_t i = 0; i < 50; i++) {
			end_send_rtp(&a, stream, 7, (uint16_t)(50 * k + i), slice_str("x"));
			run(10000);
		}
	}
	assert_int_equal(b.n_rtp, 200);
	assert_int_equal(a.n_states, 1); /* connected all the time */
	close_pair();
}

static void a_wrong_fingerprint_fails(void **st)
{
	(void)st;
	open_pair();
	assert_int_equal(end_learn(&a, &b), 0);
	uint8_t fp[32] = {1, 2, 3};
	struct session_remote remote = {.ufrag = slice_str(session_ufrag(a.s)),
		.pwd = slice_str(session_pwd(a.s)),
		.fingerprint_alg = slice_str("sha-256"),
		.fingerprint = slice_of(fp, sizeof fp)};
	assert_int_equal(session_set_remote(b.s, &remote), 0);
	run(1000 * 1000);
	assert_int_equal(end_last_state(&b), SESSION_FAILED);
	assert_int_equal(end_last_state(&a), SESSION_FAILED); /* by the alert */
	assert_null(session_stream_add(b.s, 7));
	close_pair();
}

static void a_fingerprint_that_was_refused_can_be_set_right(void **st)
{
	(void)st;
	open_pair();
	uint8_t fp[20] = {0};
	struct session_remote remote = {.ufrag = slice_str(session_ufrag(b.s)),
		.pwd = slice_str(session_pwd(b.s)),
		.fingerprint_alg = slice_str("sha-1"),
		.fingerprint = slice_of(fp, sizeof fp)};
	assert_int_equal(session_set_remote(a.s, &remote), -ERR_UNSUPPORTED);
	ends_connect(&a, &b);
	assert_int_equal(end_last_state(&a), SESSION_CONNECTED);
	close_pair();
}

static void the_peers_farewell_is_the_end(void **st)
{
	(void)st;
	connect_pair();
	close_end(&b);
	run(5000);
	assert_int_equal(end_last_state(&a), SESSION_CLOSED);
	close_pair();
}

/* ------------------------------------------------------------------ closing */

/* Makes each op happen at `a`; whichever closes it, nothing more may be called. */
static void live_through(void)
{
	uint8_t mem[64];
	ends_connect(&a, &b);
	struct srtp_stream *stream = session_stream_add(b.s, 7);
	struct rtcp_writer w = rtcp_writer(mem, sizeof mem);
	rtcp_add_pli(&w, 1, 2);
	struct sctp_channel_info info = {
		.is_ordered = true, .max_retransmits = -1, .max_lifetime_ms = -1, .label = slice_str("x")};
	if (stream)
		for (uint16_t i = 0; i < 20; i++)
			end_send_rtp(&b, stream, 7, i, slice_str("x"));
	session_tx_rtcp(b.s, rtcp_written(&w));
	if (session_open_channel(b.s, &info) == 0)
		for (int i = 0; i < 5; i++)
			(void)!session_send(b.s, info.id, true, slice_str("ping"));
	run(50000);
	static uint8_t block[16000];
	for (int i = 0; a.s && i < 100; i++)
		if (session_send(a.s, a.channel, false, slice_of(block, sizeof block)) != 0)
			break;
	run(3000 * 1000);
	right.is_deaf = true;
	run(11 * 1000 * 1000);
}

static void may_be_closed_in_any_op(void **st)
{
	(void)st;
	static const struct {
		enum pair_op op;
		enum session_state state;
	} cases[] = {{OP_STATE, SESSION_CONNECTED}, {OP_STATE, SESSION_DISCONNECTED}, {OP_RTP, 0},
		{OP_RTCP, 0}, {OP_READY, 0}, {OP_OPEN, 0}, {OP_WRITABLE, 0}, {OP_MESSAGE, 0}};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		open_pair();
		a.close_in = cases[i].op;
		a.close_at = cases[i].state;
		live_through();
		assert_null(a.s); /* the op did happen */
		close_pair();
	}
}

static void closing_while_a_wake_up_is_on_its_way(void **st)
{
	(void)st;
	connect_pair();
	struct sctp_channel_info info = {
		.is_ordered = true, .max_retransmits = -1, .max_lifetime_ms = -1, .label = slice_str("x")};
	assert_int_equal(session_open_channel(a.s, &info), 0);
	assert_int_equal(session_send(a.s, info.id, true, slice_str("never acknowledged")), 0);
	/* Nobody answers, so that SCTP's timers have something to send again. */
	for (int i = 0; i < 500; i++)
		virtual_tick(SCTP_TICK_MS);
	close_end(&a);
	rtc_end_turn(left.rtc);
	assert_true(mbox_drain(&left.w.mbox, &left.w, 256) > 0);
	close_pair();
}

static void xfree_msg(struct msg *m)
{
	xfree(m);
}

static void ignore(void *receiver, struct msg *m)
{
	(void)receiver;
	xfree(m);
}

static void a_full_mailbox_only_delays_what_sctp_repeats(void **st)
{
	(void)st;
	static const struct msg_kind filler = {"test.filler", ignore, xfree_msg};
	connect_pair();
	struct sctp_channel_info info = {
		.is_ordered = true, .max_retransmits = -1, .max_lifetime_ms = -1, .label = slice_str("x")};
	assert_int_equal(session_open_channel(a.s, &info), 0);
	run(20000);
	side_cut(&left, true);
	assert_int_equal(session_send(a.s, info.id, true, slice_str("late")), 0);
	rtc_end_turn(left.rtc);
	side_cut(&left, false);
	/* SCTP wants to send it again, but cannot say so. */
	for (;;) {
		struct msg *m = XNEW(struct msg);
		m->kind = &filler;
		if (mbox_post(&left.w.mbox, m) == 0)
			continue;
		xfree(m);
		break;
	}
	for (int i = 0; i < 200; i++)
		virtual_tick(SCTP_TICK_MS);
	run(4000 * 1000);
	assert_int_equal(b.n_messages, 1);
	close_pair();
}

static void *tick(void *arg)
{
	int *stop = arg;
	mbox_thread_init();
	while (!__atomic_load_n(stop, __ATOMIC_ACQUIRE)) {
		virtual_tick(SCTP_TICK_MS);
		sched_yield();
	}
	return NULL;
}

static void the_clock_may_tick_on_another_thread(void **st)
{
	(void)st;
	pthread_t ticker;
	int stop = 0;
	connect_pair();
	struct sctp_channel_info info = {
		.is_ordered = true, .max_retransmits = -1, .max_lifetime_ms = -1, .label = slice_str("x")};
	assert_int_equal(session_open_channel(a.s, &info), 0);
	assert_int_equal(pthread_create(&ticker, NULL, tick, &stop), 0);
	for (int i = 0; i < 200; i++) {
		side_cut(&left, i % 3 == 0); /* so that there is something to repeat */
		(void)!session_send(a.s, info.id, true, slice_str("tick"));
		run(2000);
	}
	side_cut(&left, false);
	close_end(&a); /* in the midst of it */
	run(20000);
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	pthread_join(ticker, NULL);
	close_pair();
}

static void an_rtc_may_go_with_sessions_in_it(void **st)
{
	(void)st;
	connect_pair();
	struct srtp_stream *stream = session_stream_add(a.s, 7);
	end_send_rtp(&a, stream, 7, 1, slice_str("x"));
	a.s = b.s = NULL;
	side_close(&left);
	side_close(&right);
	assert_int_equal(a.n_after_close + b.n_after_close, 0);
}

static void what_is_sent_before_connecting_goes_nowhere(void **st)
{
	(void)st;
	open_pair();
	assert_null(session_stream_add(a.s, 7));
	assert_null(session_remote_addr(a.s));
	session_stream_del(a.s, NULL);
	session_tx_rtcp(a.s, slice_str("\200\311\0\1\0\0\0\1"));
	run(5000);
	assert_int_equal(b.n_rtcp, 0);
	close_pair();
}

/* ------------------------------------------------------------------ addresses */

/* A check for `e` with the right password, from wherever it pretends to come. */
static void check_from(struct end *e, const struct addr *from)
{
	uint8_t mem[256], tid[STUN_TID_LEN] = {1};
	char username[64];
	struct hmac_sha1 key;
	struct stun_writer w;
	struct slice out;
	struct stun_msg m;
	int n = snprintf(username, sizeof username, "%s:anyone", session_ufrag(e->s));
	hmac_sha1_init(&key, session_pwd(e->s), SESSION_PWD_LEN);
	stun_begin(&w, mem, sizeof mem, STUN_BINDING, STUN_REQUEST, tid);
	stun_put(&w, STUN_ATTR_USERNAME, username, (size_t)n);
	stun_put_u32(&w, STUN_ATTR_PRIORITY, 12345);
	stun_put_u64(&w, STUN_ATTR_ICE_CONTROLLING, 1);
	assert_int_equal(stun_seal(&w, &key, &out), 0);
	assert_int_equal(stun_parse(&m, out), 0);
	session_rx_stun(e->s, 0, from, &m);
}

static void a_forged_source_does_not_take_a_call_over(void **st)
{
	(void)st;
	static struct end thief;
	connect_pair();
	struct srtp_stream *stream = session_stream_add(a.s, 7);
	end_make(&thief, &right, false);
	assert_int_equal(end_learn(&thief, &a), 0);
	struct addr victim = left.rtc->locals[0].sock.local;
	check_from(&thief, &victim);
	end_send_rtp(&a, stream, 7, 1, slice_str("secret"));
	run(2000);
	assert_int_equal(thief.n_rtp, 0);
	assert_int_equal(b.n_rtp, 1);
	session_close(thief.s);
	close_pair();
}

static void many_addresses_do_not_drive_out_the_one_in_use(void **st)
{
	(void)st;
	connect_pair();
	struct srtp_stream *stream = session_stream_add(a.s, 7);
	struct addr other;
	assert_int_equal(addr_parse_ip(&other, slice_str("127.0.0.9"), 1000), 0);
	for (uint16_t i = 0; i < 3 * SESSION_TUPLES_MAX; i++) {
		addr_set_port(&other, (uint16_t)(1000 + i));
		check_from(&b, &other);
	}
	end_send_rtp(&a, stream, 7, 1, slice_str("still here"));
	right.w.now_us += 1000;
	side_turn(&left);
	side_turn(&right);
	assert_int_equal(b.n_rtp, 1);
	close_pair();
}

static void describes_itself(void **st)
{
	(void)st;
	open_pair();
	assert_int_equal(strlen(session_ufrag(a.s)), SESSION_UFRAG_LEN);
	assert_int_equal(strlen(session_pwd(a.s)), SESSION_PWD_LEN);
	size_t n;
	char **lines = session_candidates(a.s, &n);
	assert_int_equal(n, 1);
	assert_memory_equal(lines[0], "candidate:", 10);
	assert_non_null(strstr(lines[0], " 127.0.0.1 "));
	xfree(lines[0]);
	xfree(lines);
	assert_string_equal(session_state_name(SESSION_FAILED), "failed");
	assert_int_equal(session_rtt_us(a.s), 0);
	assert_int_equal(session_add_candidate(a.s, slice_str("nonsense")), -ERR_MALFORMED);
	close_pair();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(connects_and_moves_media_both_ways),
		cmocka_unit_test(opens_channels_and_moves_messages),
		cmocka_unit_test(a_full_buffer_is_told_and_drains),
		cmocka_unit_test(more_than_the_queue_holds_is_sent_all_the_same),
		cmocka_unit_test(a_silent_peer_is_noticed_by_time_alone),
		cmocka_unit_test(a_peer_that_comes_back_is_connected_again),
		cmocka_unit_test(nobody_there_fails_by_time_alone),
		cmocka_unit_test(an_ice_restart_leads_out_of_failure),
		cmocka_unit_test(an_ice_restart_does_not_stop_media),
		cmocka_unit_test(a_wrong_fingerprint_fails),
		cmocka_unit_test(a_fingerprint_that_was_refused_can_be_set_right),
		cmocka_unit_test(the_peers_farewell_is_the_end),
		cmocka_unit_test(may_be_closed_in_any_op),
		cmocka_unit_test(closing_while_a_wake_up_is_on_its_way),
		cmocka_unit_test(a_full_mailbox_only_delays_what_sctp_repeats),
		cmocka_unit_test(the_clock_may_tick_on_another_thread),
		cmocka_unit_test(an_rtc_may_go_with_sessions_in_it),
		cmocka_unit_test(what_is_sent_before_connecting_goes_nowhere),
		cmocka_unit_test(a_forged_source_does_not_take_a_call_over),
		cmocka_unit_test(many_addresses_do_not_drive_out_the_one_in_use),
		cmocka_unit_test(describes_itself),
	};
	return cmocka_run_group_tests(tests, once, at_last);
}
