#include "cm.h"

#include "rtp/sent_log.h"

enum { RTT_US = 50000 };

static void put(struct sent_log *log, uint16_t seq)
{
	struct rtp_sent s = {
		.seq = seq, .source_seq = (uint16_t)(seq + 7), .timestamp = seq * 10u, .source = 2};
	sent_log_put(log, &s);
}

static int ask(struct sent_log *log, uint16_t seq)
{
	struct rtp_sent s;
	int err = sent_log_repeat(log, seq, 1000000, RTT_US, &s);
	if (!err) {
		assert_int_equal(s.seq, seq);
		assert_int_equal(s.source_seq, (uint16_t)(seq + 7));
		assert_int_equal(s.timestamp, seq * 10u);
		assert_int_equal(s.source, 2);
	}
	return err;
}

static void sent_packets_are_found_until_the_ring_turns(void **st)
{
	(void)st;
	struct sent_log *log = sent_log_new(100); /* rounded up to 128 */
	assert_int_equal(ask(log, 0), -ERR_NOT_FOUND);
	for (unsigned i = 0; i < 200; i++)
		put(log, (uint16_t)(65500 + i));
	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(
			ask(log, (uint16_t)(65500 + i)), i < 200 - 128 ? -ERR_NOT_FOUND : 0);
	assert_int_equal(ask(log, (uint16_t)(65500 + 200)), -ERR_NOT_FOUND);
	sent_log_clear(log);
	assert_int_equal(ask(log, (uint16_t)(65500 + 199)), -ERR_NOT_FOUND);
	sent_log_free(log);
	sent_log_free(NULL);
}

static void gaps_and_late_packets(void **st)
{
	(void)st;
	struct sent_log *log = sent_log_new(16);
	for (uint16_t seq = 0; seq < 16; seq++)
		put(log, seq);
	put(log, 20); /* 16 to 19 were never sent, and 0 to 4 have left */
	for (uint16_t seq = 16; seq < 20; seq++)
		assert_int_equal(ask(log, seq), -ERR_NOT_FOUND);
	for (uint16_t seq = 0; seq < 5; seq++)
		assert_int_equal(ask(log, seq), -ERR_NOT_FOUND);
	put(log, 18);
	assert_int_equal(ask(log, 18), 0);
	assert_int_equal(ask(log, 5), 0);
	put(log, 4); /* too late: must not push out a newer one */
	assert_int_equal(ask(log, 20), 0);
	assert_int_equal(ask(log, 4), -ERR_NOT_FOUND);
	/* A whole turn of the numbers without a packet where 5 was. */
	for (unsigned at = 20; at < 65536; at += 9000)
		put(log, (uint16_t)at);
	put(log, 8);
	assert_int_equal(ask(log, 5), -ERR_NOT_FOUND);
	sent_log_free(log);
}

static void repeats_are_limited(void **st)
{
	(void)st;
	struct sent_log *log = sent_log_new(SENT_LOG_AUDIO);
	struct rtp_sent s;
	put(log, 1);
	/* Close to where the log's 32 bits of milliseconds wrap. */
	uint64_t now = (UINT64_C(1) << 32) * 1000 - 20000;
	assert_int_equal(sent_log_repeat(log, 1, now, RTT_US, &s), 0);
	assert_int_equal(sent_log_repeat(log, 1, now + RTT_US - 1000, RTT_US, &s), -ERR_AGAIN);
	assert_int_equal(sent_log_repeat(log, 1, now + RTT_US, RTT_US, &s), 0);
	assert_int_equal(sent_log_repeat(log, 1, now + 2 * RTT_US, RTT_US, &s), 0);
	assert_int_equal(sent_log_repeat(log, 1, now + 9 * RTT_US, RTT_US, &s), -ERR_NO_ROOM);
	sent_log_free(log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sent_packets_are_found_until_the_ring_turns),
		cmocka_unit_test(gaps_and_late_packets),
		cmocka_unit_test(repeats_are_limited),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
