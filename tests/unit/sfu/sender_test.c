#include "world.h"

static struct world w;
static struct subscriber sub;

static void start(void)
{
	world_init(&w, "video/VP8", 1);
	subscriber_init(
		&sub, &w, &(struct subscriber_cfg){.has_rtx = true, .quality = QUALITY_HIGH});
}

static void finish(void)
{
	subscriber_close(&sub);
	world_close(&w);
}

static void feedback_reaches_the_stream_it_names(void **st)
{
	(void)st;
	uint8_t mem[256];
	start();
	world_frame(&w, &sub, 0, true, 3);
	world_run(&w, 600 * 1000);
	unsigned plis = w.n_plis;
	struct rtcp_writer wr = rtcp_writer(mem, sizeof mem);
	uint16_t seqs[] = {sub.got[0].seq, sub.got[2].seq};
	rtcp_add_nack(&wr, 1, 4711, seqs, 2);
	rtcp_add_pli(&wr, 1, 4711);
	rtcp_add_fir(&wr, 1, 4711, 0);
	subscriber_feedback(&sub, rtcp_written(&wr));
	assert_int_equal(sub.n_got, 3);
	assert_int_equal(w.n_plis, plis);

	wr = rtcp_writer(mem, sizeof mem);
	rtcp_add_nack(&wr, 1, WORLD_SUB_SSRC, seqs, 2);
	subscriber_feedback(&sub, rtcp_written(&wr));
	assert_int_equal(sub.n_got, 5);
	assert_int_equal(sub.got[3].osn, seqs[0]);
	assert_int_equal(sub.got[4].osn, seqs[1]);

	wr = rtcp_writer(mem, sizeof mem);
	rtcp_add_fir(&wr, 1, WORLD_SUB_SSRC, 0);
	subscriber_feedback(&sub, rtcp_written(&wr));
	assert_int_equal(w.n_plis, plis + 1);
	finish();
}

static void a_storm_of_requests_stays_within_the_throttle(void **st)
{
	(void)st;
	start();
	world_frame(&w, &sub, 0, true, 1);
	world_run(&w, 600 * 1000);
	unsigned plis = w.n_plis;
	for (int i = 0; i < 1000; i++) {
		world_run(&w, 10 * 1000);
		subscriber_pli(&sub);
	}
	assert_in_range(w.n_plis - plis, 16, 21); /* 10 s at 500 ms */
	finish();
}

static void the_estimate_is_kept(void **st)
{
	(void)st;
	uint8_t mem[64];
	uint32_t ssrc = WORLD_SUB_SSRC;
	start();
	assert_true(sender_estimate_bps(sub.sender) == UINT64_MAX);
	struct rtcp_writer wr = rtcp_writer(mem, sizeof mem);
	rtcp_add_remb(&wr, 1, 2000000, &ssrc, 1);
	subscriber_feedback(&sub, rtcp_written(&wr));
	assert_in_range(sender_estimate_bps(sub.sender), 1990000, 2000000);
	finish();
}

static void reports_come_every_three_seconds_for_each_stream(void **st)
{
	(void)st;
	enum { MORE = 6 };
	struct downtrack *more[MORE];
	start();
	for (uint32_t i = 0; i < MORE; i++) {
		struct downtrack_cfg cfg = {
			.ssrc = 70000 + i, .payload_type = 100, .wish.quality = QUALITY_HIGH};
		more[i] = downtrack_new(w.up, sub.sender, &cfg);
	}
	sender_connected(sub.sender, w.now_us);
	world_sr(&w, 0, UINT64_C(1) << 40, w.src[0].ts);
	world_frame(&w, &sub, 0, true, 1);
	world_run(&w, 12500 * 1000);
	assert_int_equal(sub.n_srs, 5 * (MORE + 1));
	for (uint32_t i = 0; i < MORE; i++)
		downtrack_free(more[i]);
	finish();
}

static void an_idle_sender_keeps_no_timer(void **st)
{
	(void)st;
	world_init(&w, "video/VP8", 1);
	subscriber_init(&sub, &w, &(struct subscriber_cfg){.quality = QUALITY_HIGH});
	downtrack_free(sub.down);
	sub.down = NULL;
	world_run(&w, 4000 * 1000);
	assert_false(w.wheel.armed > 1); /* the receiver's */
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(feedback_reaches_the_stream_it_names),
		cmocka_unit_test(a_storm_of_requests_stays_within_the_throttle),
		cmocka_unit_test(the_estimate_is_kept),
		cmocka_unit_test(reports_come_every_three_seconds_for_each_stream),
		cmocka_unit_test(an_idle_sender_keeps_no_timer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
