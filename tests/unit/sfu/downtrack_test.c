#include "world.h"

static struct world w;
static struct subscriber sub;

static void start(const char *mime, unsigned layers, struct subscriber_cfg cfg)
{
	world_init(&w, mime, layers);
	subscriber_init(&sub, &w, &cfg);
}

static void start_video(unsigned layers)
{
	start("video/VP8", layers,
		(struct subscriber_cfg){
			.has_rtx = true, .has_send_time = true, .quality = QUALITY_HIGH});
}

static void finish(void)
{
	subscriber_close(&sub);
	world_close(&w);
}

/* Every number once and in order, timestamps never back, pictures one by one. */
static void assert_continuous(unsigned from)
{
	for (unsigned i = from + 1; i < sub.n_got; i++) {
		const struct got *a = &sub.got[i - 1], *b = &sub.got[i];
		assert_int_equal(b->seq, (uint16_t)(a->seq + 1));
		assert_true(b->ts == a->ts || ts_newer(b->ts, a->ts));
		if (!a->has_desc || !b->has_desc)
			continue;
		unsigned pictures = (b->desc.picture_id - a->desc.picture_id) & 0x7fff;
		assert_true(pictures <= 1);
		assert_int_equal(b->ts == a->ts, pictures == 0);
		assert_int_equal((uint8_t)(b->desc.tl0_pic_idx - a->desc.tl0_pic_idx), pictures);
	}
}

static void begins_at_a_key_frame(void **st)
{
	(void)st;
	start_video(1);
	world_frame(&w, &sub, 0, false, 2);
	assert_int_equal(sub.n_got, 0);
	assert_int_equal(downtrack_layer(sub.down), LAYER_NONE);
	assert_true(w.n_plis >= 1); /* it was asked for */
	world_frame(&w, &sub, 0, true, 3);
	world_frame(&w, &sub, 0, false, 1);
	assert_int_equal(sub.n_got, 4);
	assert_int_equal(downtrack_layer(sub.down), 0);
	assert_int_equal(downtrack_packets(sub.down), 4);
	assert_continuous(0);
	assert_true(sub.got[0].seq < 0x8000);
	assert_int_equal(sub.got[0].pt, WORLD_SUB_PT);
	assert_int_equal(sub.got[0].ssrc, WORLD_SUB_SSRC);
	assert_false(sub.got[1].marker);
	assert_true(sub.got[2].marker);
	assert_true(sub.got[0].has_send_time);
	finish();
}

static void audio_needs_no_key_frame(void **st)
{
	(void)st;
	uint8_t p[SOURCE_PACKET_MAX];
	start("audio/opus", 1, (struct subscriber_cfg){.quality = QUALITY_HIGH});
	for (int i = 0; i < 100; i++)
		world_packet(&w, &sub, p, source_audio(&w.src[0], p));
	assert_int_equal(sub.n_got, 100);
	for (int i = 1; i < 100; i++) {
		assert_int_equal(sub.got[i].seq, (uint16_t)(sub.got[i - 1].seq + 1));
		assert_int_equal(sub.got[i].ts - sub.got[i - 1].ts, 960);
	}
	assert_int_equal(w.n_plis, 0);
	finish();
}

static void nothing_goes_out_before_the_session_is_connected(void **st)
{
	(void)st;
	start("video/VP8", 1, (struct subscriber_cfg){.is_late = true, .quality = QUALITY_HIGH});
	world_frame(&w, &sub, 0, true, 1);
	assert_int_equal(sub.n_got, 0);
	subscriber_connect(&sub);
	world_frame(&w, &sub, 0, false, 1);
	assert_int_equal(sub.n_got, 0);
	assert_int_equal(w.n_plis, 1);
	world_frame(&w, &sub, 0, true, 1);
	assert_int_equal(sub.n_got, 1);
	finish();
}

static void steps_up_through_lower_layers_at_key_frames_only(void **st)
{
	(void)st;
	start_video(3);
	world_frame(&w, &sub, 0, true, 1);
	assert_int_equal(downtrack_layer(sub.down), 0);
	world_frame(&w, &sub, 1, false, 1);
	world_frame(&w, &sub, 2, false, 1);
	world_frame(&w, &sub, 0, false, 1);
	assert_int_equal(downtrack_layer(sub.down), 0);
	assert_int_equal(sub.n_got, 2);
	w.now_us += 33000;
	world_frame(&w, &sub, 1, true, 2);
	assert_int_equal(downtrack_layer(sub.down), 1);
	world_frame(&w, &sub, 0, true, 2); /* not back down */
	assert_int_equal(downtrack_layer(sub.down), 1);
	w.now_us += 33000;
	world_frame(&w, &sub, 2, true, 4);
	world_frame(&w, &sub, 1, false, 4);
	world_frame(&w, &sub, 2, false, 4);
	assert_int_equal(downtrack_layer(sub.down), 2);
	assert_int_equal(sub.n_got, 2 + 2 + 8);
	assert_continuous(0);
	finish();
}

/* All layers send, without key frames. */
static void live(unsigned layers, uint64_t us)
{
	for (uint64_t end = w.now_us + us; w.now_us < end;) {
		world_run(&w, 50 * 1000);
		for (unsigned l = 0; l < layers; l++)
			world_frame(&w, &sub, l, false, 1);
	}
}

static void steps_down_when_asked_and_asks_again_until_it_can(void **st)
{
	(void)st;
	start_video(3);
	for (unsigned i = 0; i < 3; i++)
		world_frame(&w, &sub, i, true, 1);
	assert_int_equal(downtrack_layer(sub.down), 2);
	assert_int_equal(w.wanted, 2);
	unsigned plis;
	struct layer_wish low = {.quality = QUALITY_LOW};
	live(3, 1100 * 1000);
	plis = w.n_plis_of[0];
	downtrack_set_wish(sub.down, &low, w.now_us);
	assert_int_equal(w.wanted, 0);
	assert_int_equal(w.n_plis_of[0], plis + 1);
	world_frame(&w, &sub, 2, false, 1); /* meanwhile the old one goes on */
	assert_int_equal(subscriber_last(&sub)->tag.layer, 2);
	live(3, 3000 * 1000);
	/* 3 s with a throttle of 500 ms. */
	assert_true(w.n_plis_of[0] >= plis + 5 && w.n_plis_of[0] <= plis + 7);
	world_frame(&w, &sub, 1, true, 1); /* between the two: not wanted */
	assert_int_equal(downtrack_layer(sub.down), 2);
	world_frame(&w, &sub, 0, true, 1);
	assert_int_equal(downtrack_layer(sub.down), 0);
	assert_continuous(0);
	finish();
}

static void the_ceiling_limits_and_is_lifted(void **st)
{
	(void)st;
	start_video(3);
	downtrack_set_ceiling(sub.down, 1, w.now_us);
	for (unsigned i = 0; i < 3; i++)
		world_frame(&w, &sub, i, true, 1);
	assert_int_equal(downtrack_layer(sub.down), 1);
	assert_int_equal(w.wanted, 2); /* what is wanted stays told: the ceiling is this subscriber's affair */
	downtrack_set_ceiling(sub.down, 2, w.now_us);
	world_frame(&w, &sub, 2, true, 1);
	assert_int_equal(downtrack_layer(sub.down), 2);
	downtrack_set_ceiling(sub.down, -5, w.now_us);
	world_frame(&w, &sub, 0, true, 1);
	assert_int_equal(downtrack_layer(sub.down), 0);
	finish();
}

static void a_pause_leaves_no_gap_in_numbers(void **st)
{
	(void)st;
	start_video(1);
	world_frame(&w, &sub, 0, true, 1);
	struct layer_wish off = {.is_disabled = true, .quality = QUALITY_HIGH},
			  on = {.quality = QUALITY_HIGH};
	downtrack_set_wish(sub.down, &off, w.now_us);
	assert_int_equal(w.wanted, LAYER_NONE);
	for (int i = 0; i < 50; i++) {
		world_run(&w, 33333);
		world_frame(&w, &sub, 0, i == 20, 2);
	}
	assert_int_equal(sub.n_got, 1);
	unsigned plis = w.n_plis;
	downtrack_set_wish(sub.down, &on, w.now_us);
	assert_int_equal(w.n_plis, plis + 1);
	world_frame(&w, &sub, 0, false, 1);
	assert_int_equal(sub.n_got, 1);
	world_frame(&w, &sub, 0, true, 1);
	world_frame(&w, &sub, 0, false, 1);
	assert_int_equal(sub.n_got, 3);
	assert_continuous(0);
	/* The time of the pause is in the timestamp. */
	uint32_t passed = sub.got[1].ts - sub.got[0].ts;
	assert_in_range(passed, 50 * 3000 - 100, 50 * 3000 + 3000);
	finish();
}

static void reports_align_the_clocks_of_two_layers(void **st)
{
	(void)st;
	start_video(2);
	const uint64_t ntp = UINT64_C(0xe0000000) << 32;
	uint32_t ts0 = w.src[0].ts, ts1 = w.src[1].ts;
	world_sr(&w, 0, ntp, ts0);
	/* Layer 1's report speaks of half a second later. */
	world_sr(&w, 1, ntp + (UINT64_C(1) << 31), ts1 + 45000);
	world_frame(&w, &sub, 0, true, 1);
	world_frame(&w, &sub, 0, false, 1);
	w.src[1].ts = ts1 + 6300; /* 70 ms after the first frame of layer 0 */
	world_run(&w, 123000);	  /* but it arrives late */
	world_frame(&w, &sub, 1, true, 1);
	assert_int_equal(subscriber_last(&sub)->ts - sub.got[0].ts, 6300);
	finish();
}

static void a_switch_that_came_too_late_does_not_shift_the_clock_for_good(void **st)
{
	(void)st;
	start_video(2);
	const uint64_t ntp = UINT64_C(0xe0000000) << 32;
	uint32_t ts0 = w.src[0].ts, ts1 = w.src[1].ts;
	struct layer_wish low = {.quality = QUALITY_MEDIUM}, high = {.quality = QUALITY_HIGH};
	world_sr(&w, 0, ntp, ts0);
	world_sr(&w, 1, ntp, ts1);
	world_frame(&w, &sub, 1, true, 1);
	for (int i = 1; i < 10; i++) {
		world_run(&w, 33333);
		world_frame(&w, &sub, 1, false, 1);
	}
	assert_int_equal(subscriber_last(&sub)->ts - sub.got[0].ts, 27000);
	for (int k = 0; k < 3; k++) {
		/* Down at a picture that is older than what was shown last… */
		uint32_t shown = subscriber_last(&sub)->ts;
		downtrack_set_wish(sub.down, &low, w.now_us);
		w.src[0].ts = ts0 + (shown - sub.got[0].ts) - 15000;
		world_frame(&w, &sub, 0, true, 1);
		assert_int_equal(downtrack_layer(sub.down), 0);
		assert_int_equal(subscriber_last(&sub)->ts - shown, 1);
		/* …and up again half a second later. */
		world_run(&w, 500000);
		downtrack_set_wish(sub.down, &high, w.now_us);
		w.src[1].ts = ts1 + (shown - sub.got[0].ts) + 45000;
		world_frame(&w, &sub, 1, true, 1);
		assert_int_equal(downtrack_layer(sub.down), 1);
		assert_in_range(subscriber_last(&sub)->ts - shown, 45000 - 9, 45000 + 9);
	}
	finish();
}

static void reports_that_cannot_be_true_are_not_believed(void **st)
{
	(void)st;
	static const uint64_t lies[] = {0, 1, UINT64_C(0x7fffffff) << 32,
		UINT64_C(0x8000000000000000), UINT64_MAX, UINT64_C(5) << 32};
	for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
		start_video(2);
		const uint64_t ntp = UINT64_C(0x40000000) << 32;
		world_sr(&w, 0, ntp, w.src[0].ts);
		world_sr(&w, 1, ntp + lies[i] + (lies[i] < 2 ? UINT64_C(9) << 32 : 0), w.src[1].ts);
		world_frame(&w, &sub, 0, true, 1);
		world_run(&w, 100000);
		world_frame(&w, &sub, 1, true, 1);
		assert_in_range(subscriber_last(&sub)->ts - sub.got[0].ts, 1, 9000 + 90000);
		finish();
	}
}

static void lost_packets_keep_their_numbers_and_late_ones_find_them(void **st)
{
	(void)st;
	uint8_t late[SOURCE_PACKET_MAX];
	start_video(1);
	world_frame(&w, &sub, 0, true, 1);
	size_t n = source_video(&w.src[0], false, 0, 1, late);
	source_next(&w.src[0], false, 3000, 0);
	world_frame(&w, &sub, 0, false, 1);
	assert_int_equal(subscriber_last(&sub)->seq, (uint16_t)(sub.got[0].seq + 2));
	world_packet(&w, &sub, late, n);
	assert_int_equal(subscriber_last(&sub)->seq, (uint16_t)(sub.got[0].seq + 1));
	assert_int_equal(subscriber_last(&sub)->desc.picture_id,
		(sub.got[0].desc.picture_id + 1) & 0x7fff);
	unsigned before = sub.n_got;
	world_packet(&w, &sub, late, n);
	assert_int_equal(sub.n_got, before); /* a duplicate */
	finish();
}

static void padding_leaves_no_gap_early_or_late(void **st)
{
	(void)st;
	uint8_t early[SOURCE_PACKET_MAX], late[SOURCE_PACKET_MAX];
	start_video(1);
	world_frame(&w, &sub, 0, true, 1);
	size_t n_early = source_padding(&w.src[0], early);
	world_packet(&w, &sub, early, n_early);
	assert_int_equal(sub.n_got, 1);
	world_frame(&w, &sub, 0, false, 1);
	assert_continuous(0);

	/* Overtaken: its number is missing at the subscriber, an empty packet brings it. */
	size_t n_late = source_padding(&w.src[0], late);
	world_frame(&w, &sub, 0, false, 1);
	assert_int_equal(subscriber_last(&sub)->seq, (uint16_t)(sub.got[0].seq + 3));
	world_packet(&w, &sub, late, n_late);
	uint16_t missing = (uint16_t)(sub.got[0].seq + 2);
	assert_int_equal(subscriber_last(&sub)->seq, missing);
	assert_true(subscriber_last(&sub)->is_padding);
	assert_false(subscriber_last(&sub)->has_desc);
	/* And can be repeated like any other. */
	subscriber_nack(&sub, missing);
	assert_int_equal(subscriber_last(&sub)->osn, missing);
	assert_int_equal(subscriber_last(&sub)->pt, WORLD_SUB_RTX_PT);
	assert_true(subscriber_last(&sub)->is_padding);
	finish();
}

static void a_payload_that_cannot_be_read_leaves_no_gap(void **st)
{
	(void)st;
	uint8_t p[SOURCE_PACKET_MAX];
	start_video(1);
	world_frame(&w, &sub, 0, true, 1);
	size_t n = source_header(&w.src[0], SOURCE_PT, true, p);
	p[n++] = 0x90; /* a descriptor that promises more */
	w.src[0].seq++;
	world_packet(&w, &sub, p, n);
	assert_int_equal(sub.n_got, 1);
	world_frame(&w, &sub, 0, false, 1);
	assert_continuous(0);
	finish();
}

static void a_late_key_frame_brings_what_came_before_it(void **st)
{
	(void)st;
	uint8_t p[5][SOURCE_PACKET_MAX];
	size_t n[5];
	start_video(1);
	world_frame(&w, &sub, 0, false, 1);
	for (uint8_t i = 0; i < 4; i++)
		n[i] = source_video(&w.src[0], true, i, 4, p[i]);
	for (int i = 1; i < 4; i++)
		world_packet(&w, &sub, p[i], n[i]);
	source_next(&w.src[0], true, 3000, 0);
	world_frame(&w, &sub, 0, false, 2);
	assert_int_equal(sub.n_got, 0);
	n[4] = source_repeat(&w.src[0], slice_of(p[0], n[0]), p[4]);
	world_packet(&w, &sub, p[4], n[4]);
	assert_int_equal(sub.n_got, 6);
	assert_continuous(0);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(sub.got[i].tag.index, i);
	world_frame(&w, &sub, 0, false, 2);
	assert_continuous(0);
	finish();
}

static void a_key_frame_too_far_back_is_no_place_to_begin(void **st)
{
	(void)st;
	uint8_t key[SOURCE_PACKET_MAX];
	start_video(1);
	size_t n = source_video(&w.src[0], true, 0, 1, key);
	source_next(&w.src[0], true, 3000, 0);
	for (int i = 0; i < 200; i++)
		world_frame(&w, &sub, 0, false, 1);
	world_packet(&w, &sub, key, n);
	assert_int_equal(sub.n_got, 0);
	finish();
}

static void a_source_that_starts_again_goes_on_at_its_next_key_frame(void **st)
{
	(void)st;
	start_video(1);
	world_frame(&w, &sub, 0, true, 2);
	world_frame(&w, &sub, 0, false, 2);
	world_run(&w, 1100 * 1000);
	unsigned plis = w.n_plis;
	w.src[0].seq = (uint16_t)(w.src[0].seq - 20000);
	w.src[0].ts += 123456789;
	w.src[0].picture_id = 77;
	world_frame(&w, &sub, 0, false, 3); /* the first is not believed, the second is */
	assert_int_equal(w.n_plis, plis + 1);
	assert_int_equal(sub.n_got, 4);
	world_frame(&w, &sub, 0, true, 2);
	world_frame(&w, &sub, 0, false, 1);
	assert_int_equal(sub.n_got, 7);
	assert_continuous(0);
	/* What was sent under the old numbers is not repeated with what has them now. */
	subscriber_nack(&sub, sub.got[1].seq);
	assert_int_equal(sub.n_got, 7);
	finish();
}

static void audio_that_starts_again_goes_on_at_once(void **st)
{
	(void)st;
	uint8_t p[SOURCE_PACKET_MAX];
	start("audio/opus", 1, (struct subscriber_cfg){.quality = QUALITY_HIGH});
	for (int i = 0; i < 5; i++)
		world_packet(&w, &sub, p, source_audio(&w.src[0], p));
	w.src[0].seq = (uint16_t)(w.src[0].seq + 30000);
	w.src[0].ts -= 1000000;
	for (int i = 0; i < 5; i++)
		world_packet(&w, &sub, p, source_audio(&w.src[0], p));
	assert_int_equal(sub.n_got, 9); /* one is lost in doubt */
	for (int i = 1; i < 9; i++) {
		assert_int_equal(sub.got[i].seq, (uint16_t)(sub.got[i - 1].seq + 1));
		assert_true(ts_newer(sub.got[i].ts, sub.got[i - 1].ts));
	}
	finish();
}

static void repeats_on_the_rtx_stream(void **st)
{
	(void)st;
	start_video(1);
	world_frame(&w, &sub, 0, true, 3);
	uint16_t seq = sub.got[1].seq;
	subscriber_nack(&sub, seq);
	assert_int_equal(sub.n_got, 4);
	const struct got *g = subscriber_last(&sub), *first = &sub.got[1];
	assert_int_equal(g->ssrc, WORLD_SUB_RTX_SSRC);
	assert_int_equal(g->pt, WORLD_SUB_RTX_PT);
	assert_int_equal(g->osn, seq);
	assert_int_equal(g->ts, first->ts);
	assert_int_equal(g->desc.picture_id, first->desc.picture_id);
	assert_int_equal(g->desc.tl0_pic_idx, first->desc.tl0_pic_idx);
	assert_memory_equal(&g->tag, &first->tag, sizeof g->tag);
	/* Not twice within a round trip, three times in all. */
	subscriber_nack(&sub, seq);
	assert_int_equal(sub.n_got, 4);
	for (int i = 0; i < 5; i++) {
		world_run(&w, 80000);
		subscriber_nack(&sub, seq);
	}
	assert_int_equal(sub.n_got, 6);
	assert_int_equal(sub.got[5].seq, (uint16_t)(sub.got[3].seq + 2));
	subscriber_nack(&sub, (uint16_t)(seq - 100)); /* never sent */
	assert_int_equal(sub.n_got, 6);
	finish();
}

static void repeats_across_a_switch_come_from_the_old_layer(void **st)
{
	(void)st;
	start_video(2);
	world_frame(&w, &sub, 0, true, 2);
	world_frame(&w, &sub, 1, true, 2);
	world_frame(&w, &sub, 1, false, 2);
	assert_int_equal(sub.n_got, 6);
	subscriber_nack(&sub, sub.got[1].seq);
	assert_int_equal(subscriber_last(&sub)->tag.layer, 0);
	assert_int_equal(subscriber_last(&sub)->desc.picture_id, sub.got[1].desc.picture_id);
	subscriber_nack(&sub, sub.got[3].seq);
	assert_int_equal(subscriber_last(&sub)->tag.layer, 1);
	finish();
}

static void without_rtx_repeats_are_the_same_bytes_or_none(void **st)
{
	(void)st;
	start("video/VP8", 1, (struct subscriber_cfg){.quality = QUALITY_HIGH});
	world_frame(&w, &sub, 0, true, 2);
	world_run(&w, 50000);
	subscriber_nack(&sub, sub.got[1].seq); /* the double compares */
	assert_int_equal(sub.n_got, 3);
	assert_int_equal(subscriber_last(&sub)->seq, sub.got[1].seq);
	/* Other extension numbers would make other bytes of what is kept. */
	struct rtp_ext_ids ids = {0};
	receiver_set_ext_ids(w.receiver, &ids);
	world_run(&w, 500000);
	subscriber_nack(&sub, sub.got[1].seq);
	assert_int_equal(sub.n_got, 3);
	finish();

	start("video/VP8", 1, (struct subscriber_cfg){.has_send_time = true, .quality = QUALITY_HIGH});
	world_frame(&w, &sub, 0, true, 2);
	world_run(&w, 50000);
	subscriber_nack(&sub, sub.got[1].seq);
	assert_int_equal(sub.n_got, 2);
	finish();
}

static void after_a_pli_nothing_old_is_repeated(void **st)
{
	(void)st;
	start_video(1);
	world_frame(&w, &sub, 0, true, 2);
	world_run(&w, 600000);
	unsigned plis = w.n_plis;
	subscriber_pli(&sub);
	assert_int_equal(w.n_plis, plis + 1);
	subscriber_nack(&sub, sub.got[1].seq);
	assert_int_equal(sub.n_got, 2);
	world_frame(&w, &sub, 0, true, 1);
	subscriber_nack(&sub, sub.got[2].seq);
	assert_int_equal(sub.n_got, 4);
	finish();
}

static size_t with_capture_time(struct source *s, size_t len, uint8_t *p)
{
	static const uint8_t value[200];
	struct rtp_ext ext = {SOURCE_CAPTURE_ID, slice_of(value, len)};
	struct rtp_header h = {.timestamp = s->ts,
		.ssrc = s->ssrc,
		.seq = s->seq++,
		.payload_type = SOURCE_OPUS_PT,
		.exts = &ext,
		.ext_count = 1};
	size_t n = (size_t)rtp_header_write(p, SOURCE_PACKET_MAX, &h);
	p[n] = 1;
	return n + 1;
}

static void only_extensions_of_the_right_length_are_sent_on(void **st)
{
	(void)st;
	static const size_t lengths[] = {8, 16, 1, 9, 100, 200};
	uint8_t p[SOURCE_PACKET_MAX];
	start("audio/opus", 1, (struct subscriber_cfg){.quality = QUALITY_HIGH});
	for (unsigned i = 0; i < ARRAY_LEN(lengths); i++) {
		world_packet(&w, &sub, p, with_capture_time(&w.src[0], lengths[i], p));
		assert_int_equal(sub.n_got, i + 1); /* whole, as the double checks */
		assert_int_equal(subscriber_last(&sub)->capture_len, i < 2 ? lengths[i] : 0);
	}
	finish();
}

static void the_report_is_on_the_publishers_clock(void **st)
{
	(void)st;
	start_video(1);
	const uint64_t ntp = UINT64_C(0xe0000000) << 32;
	world_frame(&w, &sub, 0, true, 1);
	world_run(&w, 7000 * 1000);
	assert_int_equal(sub.n_srs, 0); /* the publisher has not said what time it is */
	uint32_t first_in = w.src[0].ts - 3000;
	world_sr(&w, 0, ntp, first_in);
	uint64_t said_us = w.now_us;
	world_run(&w, 3000 * 1000);
	assert_int_equal(sub.n_srs, 1);
	const struct rtcp_sr *sr = &sub.srs[0];
	assert_int_equal(sr->ssrc, WORLD_SUB_SSRC);
	assert_int_equal(sr->packets, 1);
	assert_true(sr->bytes > 20);
	/* Its two clocks agree with each other and with the packet's timestamp. */
	uint64_t passed_ntp = sr->ntp - ntp;
	uint32_t passed_ts = sr->rtp_timestamp - sub.got[0].ts;
	assert_true(passed_ntp < (w.now_us - said_us + 1000) * 4295);
	assert_in_range(passed_ts, (passed_ntp * 90000 >> 32) - 2, (passed_ntp * 90000 >> 32) + 2);
	/* Two hours of silence later still. */
	world_run(&w, UINT64_C(7200) * 1000 * 1000);
	sr = &sub.srs[(sub.n_srs - 1) % WORLD_SRS];
	passed_ntp = sr->ntp - ntp;
	assert_in_range(passed_ntp >> 32, 7190, 7210);
	passed_ts = sr->rtp_timestamp - sub.got[0].ts;
	uint32_t expected = (uint32_t)((passed_ntp >> 16) * 90000 >> 16);
	assert_true(ts_diff(passed_ts, expected) < 3 && ts_diff(passed_ts, expected) > -3);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(begins_at_a_key_frame),
		cmocka_unit_test(audio_needs_no_key_frame),
		cmocka_unit_test(nothing_goes_out_before_the_session_is_connected),
		cmocka_unit_test(steps_up_through_lower_layers_at_key_frames_only),
		cmocka_unit_test(steps_down_when_asked_and_asks_again_until_it_can),
		cmocka_unit_test(the_ceiling_limits_and_is_lifted),
		cmocka_unit_test(a_pause_leaves_no_gap_in_numbers),
		cmocka_unit_test(reports_align_the_clocks_of_two_layers),
		cmocka_unit_test(a_switch_that_came_too_late_does_not_shift_the_clock_for_good),
		cmocka_unit_test(reports_that_cannot_be_true_are_not_believed),
		cmocka_unit_test(lost_packets_keep_their_numbers_and_late_ones_find_them),
		cmocka_unit_test(padding_leaves_no_gap_early_or_late),
		cmocka_unit_test(a_payload_that_cannot_be_read_leaves_no_gap),
		cmocka_unit_test(a_late_key_frame_brings_what_came_before_it),
		cmocka_unit_test(a_key_frame_too_far_back_is_no_place_to_begin),
		cmocka_unit_test(a_source_that_starts_again_goes_on_at_its_next_key_frame),
		cmocka_unit_test(audio_that_starts_again_goes_on_at_once),
		cmocka_unit_test(repeats_on_the_rtx_stream),
		cmocka_unit_test(repeats_across_a_switch_come_from_the_old_layer),
		cmocka_unit_test(without_rtx_repeats_are_the_same_bytes_or_none),
		cmocka_unit_test(after_a_pli_nothing_old_is_repeated),
		cmocka_unit_test(only_extensions_of_the_right_length_are_sent_on),
		cmocka_unit_test(the_report_is_on_the_publishers_clock),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
