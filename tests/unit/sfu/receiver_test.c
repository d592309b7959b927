#include "world.h"

#include <stdio.h>

static struct world w;
static struct subscriber sub;

static void start(unsigned layers)
{
	world_init(&w, "video/VP8", layers);
	subscriber_init(
		&sub, &w, &(struct subscriber_cfg){.has_rtx = true, .quality = QUALITY_HIGH});
}

static void finish(void)
{
	subscriber_close(&sub);
	world_close(&w);
}

/* The layers' SSRCs are to be learned. */
static void start_unnamed(unsigned layers)
{
	world_init(&w, "video/VP8", layers);
	uptrack_free(w.up);
	static const char *const rids[] = {"q", "h", "f"};
	struct uptrack_cfg cfg = world_track(&w, "video/VP8", layers);
	for (unsigned i = 0; i < layers; i++) {
		cfg.layers[i].ssrc = cfg.layers[i].rtx_ssrc = 0;
		memcpy(cfg.layers[i].rid, rids[i], 2);
		w.src[i].mid = "0";
		w.src[i].rid = rids[i];
	}
	w.up = uptrack_new(w.receiver, &cfg);
	subscriber_init(
		&sub, &w, &(struct subscriber_cfg){.has_rtx = true, .quality = QUALITY_HIGH});
}

static void missing_packets_are_asked_for_until_they_come(void **st)
{
	(void)st;
	uint8_t p[SOURCE_PACKET_MAX], rtx[SOURCE_PACKET_MAX];
	start(1);
	world_frame(&w, &sub, 0, true, 1);
	uint16_t lost = w.src[0].seq;
	size_t n = source_video(&w.src[0], false, 0, 1, p);
	source_next(&w.src[0], false, 3000, 0);
	world_frame(&w, &sub, 0, false, 1);
	world_run(&w, 15 * 1000);
	assert_int_equal(w.n_nacks, 0); /* perhaps it is only late */
	world_run(&w, 10 * 1000);
	assert_int_equal(w.n_nacks, 1);
	assert_int_equal(w.nacks[0], lost);
	n = source_repeat(&w.src[0], slice_of(p, n), rtx);
	world_packet(&w, &sub, rtx, n);
	assert_int_equal(subscriber_last(&sub)->seq, (uint16_t)(sub.got[0].seq + 1));
	world_run(&w, 3000 * 1000);
	assert_int_equal(w.n_nacks, 1);
	finish();
}

/* As many numbers missing as are ever asked for, and so far apart that each needs an entry of its own. */
static void lose_many(void)
{
	for (unsigned l = 0; l < 3; l++) {
		world_frame(&w, &sub, l, true, 1);
		for (int i = 0; i < NACK_GEN_MAX; i++) {
			w.src[l].seq++;
			for (int k = 0; k < 17; k++)
				world_frame(&w, NULL, l, false, 1);
			double_flush(&sub.s);
			sub.n_got = 0;
		}
	}
}

static void many_missing_packets_fit_no_single_message(void **st)
{
	(void)st;
	start(3);
	struct layer_wish off = {.is_disabled = true};
	downtrack_set_wish(sub.down, &off, w.now_us);
	struct uptrack_cfg cfg = world_track(&w, "video/VP8", 3);
	for (unsigned l = 0; l < 3; l++)
		cfg.layers[l].ssrc = 100 + l;
	struct uptrack *other = uptrack_new(w.receiver, &cfg);
	lose_many();
	for (unsigned l = 0; l < 3; l++)
		w.src[l].ssrc = 100 + l;
	lose_many();
	world_run(&w, 25 * 1000);
	assert_int_equal(w.n_nacks, 2 * 3 * NACK_GEN_MAX);
	uptrack_free(other);
	finish();
}

static void reports_speak_of_every_stream(void **st)
{
	(void)st;
	enum { TRACKS = 14 };
	static struct uptrack *tracks[TRACKS];
	start(3);
	for (unsigned i = 0; i < TRACKS; i++) {
		struct uptrack_cfg cfg = world_track(&w, "video/VP8", 3);
		for (unsigned l = 0; l < 3; l++) {
			cfg.layers[l].ssrc += 100 * (i + 1);
			cfg.layers[l].rtx_ssrc += 100 * (i + 1);
		}
		snprintf(cfg.mid, sizeof cfg.mid, "%u", i + 1);
		tracks[i] = uptrack_new(w.receiver, &cfg);
	}
	for (unsigned i = 0; i < TRACKS; i++) {
		for (unsigned l = 0; l < 3; l++) {
			w.src[l].ssrc = WORLD_SSRC + 10 * l + 100 * (i + 1);
			world_frame(&w, &sub, l, true, 1);
		}
	}
	world_run(&w, 150 * 1000);
	assert_int_equal(w.n_blocks, 3 * TRACKS); /* 42: more than one report holds */
	for (unsigned i = 0; i < TRACKS; i++)
		assert_true(uptrack_is_live(tracks[i]));
	for (unsigned i = 0; i < TRACKS; i++)
		uptrack_free(tracks[i]);
	finish();
}

static void a_report_says_what_was_lost(void **st)
{
	(void)st;
	start(1);
	for (int i = 0; i < 10; i++)
		world_frame(&w, &sub, 0, i == 0, 1);
	w.src[0].seq = (uint16_t)(w.src[0].seq + 10);
	for (int i = 0; i < 10; i++)
		world_frame(&w, &sub, 0, false, 1);
	world_run(&w, 150 * 1000);
	assert_int_equal(w.n_blocks, 1);
	assert_int_equal(w.blocks[0].ssrc, w.src[0].ssrc);
	assert_int_equal(w.blocks[0].lost, 10);
	assert_int_equal(w.blocks[0].fraction_lost, 256 / 3);
	finish();
}

static void layers_introduce_themselves_by_mid_and_rid(void **st)
{
	(void)st;
	start_unnamed(3);
	for (unsigned i = 0; i < 3; i++)
		world_frame(&w, &sub, i, true, 1);
	assert_int_equal(sub.n_got, 3);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(sub.got[i].tag.layer, i);
		assert_true(uptrack_layers(w.up)[i].is_active);
		w.src[i].mid = w.src[i].rid = NULL; /* once is enough */
	}
	world_frame(&w, &sub, 2, false, 1);
	assert_int_equal(sub.n_got, 4);
	/* Who names another track or layer, or none, belongs to nobody. */
	struct source stranger = w.src[0];
	uint8_t p[SOURCE_PACKET_MAX];
	stranger.ssrc = 99;
	world_packet(&w, &sub, p, source_video(&stranger, true, 0, 1, p));
	stranger.mid = "1";
	stranger.rid = "q";
	world_packet(&w, &sub, p, source_video(&stranger, true, 0, 1, p));
	stranger.mid = "0";
	stranger.rid = "x";
	world_packet(&w, &sub, p, source_video(&stranger, true, 0, 1, p));
	assert_int_equal(sub.n_got, 4);
	finish();
}

static void an_rtx_stream_introduces_itself_by_repaired_rid(void **st)
{
	(void)st;
	uint8_t p[SOURCE_PACKET_MAX], rtx[SOURCE_PACKET_MAX];
	start_unnamed(2);
	world_frame(&w, &sub, 0, true, 1);
	size_t n = source_video(&w.src[0], false, 0, 1, p);
	source_next(&w.src[0], false, 3000, 0);
	world_frame(&w, &sub, 0, false, 1);
	struct rtp_packet pkt;
	assert_int_equal(rtp_parse(&pkt, slice_of(p, n)), 0);
	struct rtp_ext exts[] = {{SOURCE_MID_ID, slice_str("0")}, {SOURCE_REPAIRED_RID_ID, slice_str("q")}};
	struct rtp_header h = {.timestamp = pkt.timestamp,
		.ssrc = 5555,
		.seq = 1,
		.payload_type = SOURCE_RTX_PT,
		.exts = exts,
		.ext_count = 2};
	int head = rtp_rtx_header_write(rtx, sizeof rtx, &h, pkt.seq);
	assert_true(head > 0);
	memcpy(rtx + head, pkt.payload.p, pkt.payload.n);
	unsigned before = sub.n_got;
	world_packet(&w, &sub, rtx, (size_t)head + pkt.payload.n);
	assert_int_equal(sub.n_got, before + 1);
	assert_int_equal(subscriber_last(&sub)->seq, (uint16_t)(sub.got[0].seq + 1));
	finish();
}

static void a_layer_with_a_new_ssrc_starts_anew(void **st)
{
	(void)st;
	start_unnamed(1);
	w.src[0].rid = NULL;
	world_frame(&w, &sub, 0, true, 1);
	world_frame(&w, &sub, 0, false, 1);
	w.src[0].ssrc = 4242;
	w.src[0].seq = 100;
	w.src[0].ts = 5;
	w.src[0].picture_id = 9;
	world_frame(&w, &sub, 0, false, 1);
	assert_int_equal(sub.n_got, 2);
	world_frame(&w, &sub, 0, true, 1);
	world_frame(&w, &sub, 0, false, 1);
	assert_int_equal(sub.n_got, 4);
	for (unsigned i = 1; i < 4; i++) {
		assert_int_equal(sub.got[i].seq, (uint16_t)(sub.got[i - 1].seq + 1));
		assert_int_equal(sub.got[i].desc.picture_id,
			(sub.got[i - 1].desc.picture_id + 1) & 0x7fff);
	}
	world_run(&w, 1200 * 1000);
	assert_int_equal(w.n_nacks, 0);
	/* As often as it likes. */
	for (uint32_t i = 0; i < 300; i++) {
		w.src[0].ssrc = 10000 + i;
		world_frame(&w, &sub, 0, true, 1);
		w.n_nacks = 0;
	}
	assert_int_equal(sub.n_got, 304);
	finish();
}

static void a_track_made_again_takes_over_its_ssrc(void **st)
{
	(void)st;
	start(1);
	world_frame(&w, &sub, 0, true, 1);
	struct uptrack_cfg cfg = world_track(&w, "video/VP8", 1);
	struct uptrack *again = uptrack_new(w.receiver, &cfg); /* before the old one goes */
	unsigned plis = w.n_plis;
	uptrack_request_key_frame(w.up, 0, w.now_us + 10 * WORLD_PLI_US);
	assert_int_equal(w.n_plis, plis); /* it has no SSRC any more */
	world_frame(&w, &sub, 0, true, 1);
	assert_true(uptrack_is_live(again));
	assert_int_equal(sub.n_got, 1);
	downtrack_free(sub.down);
	sub.down = NULL;
	uptrack_free(w.up);
	w.up = again;
	world_frame(&w, &sub, 0, true, 1);
	world_run(&w, 600 * 1000);
	assert_int_equal(w.blocks[(w.n_blocks - 1) % WORLD_BLOCKS].ssrc, w.src[0].ssrc);
	finish();
}

static void what_does_not_fit_is_dropped(void **st)
{
	(void)st;
	static uint8_t big[3000];
	uint8_t p[SOURCE_PACKET_MAX];
	start(1);
	world_frame(&w, &sub, 0, true, 1);
	struct source *s = &w.src[0];
	size_t n = source_video(s, true, 0, 1, p);
	memcpy(big, p, n);
	world_packet(&w, &sub, big, sizeof big);
	assert_int_equal(sub.n_got, 1);
	world_packet(&w, &sub, big, 5);
	p[1] = 0x55; /* a payload type that was not negotiated */
	world_packet(&w, &sub, p, n);
	assert_int_equal(sub.n_got, 1);
	/* On the RTX stream, but with the payload type of media. */
	wr32(p + 8, s->rtx_ssrc);
	p[1] = SOURCE_PT;
	world_packet(&w, &sub, p, n);
	assert_int_equal(sub.n_got, 1);
	finish();
}

static void a_repeat_from_far_away_moves_nothing(void **st)
{
	(void)st;
	uint8_t p[SOURCE_PACKET_MAX], rtx[SOURCE_PACKET_MAX];
	start(1);
	world_frame(&w, &sub, 0, true, 1);
	struct source far = w.src[0];
	for (int i = 0; i < 2; i++) {
		far.seq = (uint16_t)(w.src[0].seq + (i ? 20000 : 45000));
		size_t n = source_video(&far, false, 0, 1, p);
		n = source_repeat(&w.src[0], slice_of(p, n), rtx);
		world_packet(&w, &sub, rtx, n);
	}
	assert_int_equal(sub.n_got, 1);
	world_frame(&w, &sub, 0, false, 1);
	assert_int_equal(sub.n_got, 2);
	assert_int_equal(sub.got[1].seq, (uint16_t)(sub.got[0].seq + 1));
	world_run(&w, 100 * 1000);
	assert_int_equal(w.n_nacks, 0);
	finish();
}

static void probes_on_the_rtx_stream_are_not_forwarded_twice(void **st)
{
	(void)st;
	uint8_t p[SOURCE_PACKET_MAX], rtx[SOURCE_PACKET_MAX];
	start(1);
	world_frame(&w, &sub, 0, true, 1);
	size_t n = source_video(&w.src[0], false, 0, 1, p);
	world_packet(&w, &sub, p, n);
	unsigned before = sub.n_got;
	size_t len = source_repeat(&w.src[0], slice_of(p, n), rtx);
	world_packet(&w, &sub, rtx, len);
	world_packet(&w, &sub, p, n);
	struct rtp_header h = {
		.ssrc = w.src[0].rtx_ssrc, .payload_type = SOURCE_RTX_PT, .has_padding = true};
	len = (size_t)rtp_header_write(rtx, sizeof rtx, &h);
	rtp_padding_write(rtx + len, 200);
	world_packet(&w, &sub, rtx, len + 200);
	assert_int_equal(sub.n_got, before);
	finish();
}

static void arrivals_are_reported_to_the_senders_estimator(void **st)
{
	(void)st;
	uint8_t p[SOURCE_PACKET_MAX];
	start(1);
	for (uint16_t i = 0; i < 300; i++) {
		uint8_t value[2];
		rtp_ext_twcc_write(value, i);
		struct rtp_ext ext = {SOURCE_TWCC_ID, slice_of(value, 2)};
		struct rtp_header h = {.ssrc = 12345, /* counts even on a stream that is not known */
			.seq = i,
			.payload_type = SOURCE_PT,
			.exts = &ext,
			.ext_count = 1};
		size_t n = (size_t)rtp_header_write(p, sizeof p, &h);
		p[n++] = 0;
		world_packet(&w, &sub, p, n);
		world_run(&w, 2000);
	}
	world_run(&w, 300 * 1000);
	assert_in_range(w.n_twcc, 3, 8);
	finish();
}

static void an_idle_receiver_keeps_no_timer(void **st)
{
	(void)st;
	world_init(&w, "video/VP8", 1);
	world_run(&w, 1000 * 1000);
	uptrack_free(w.up);
	world_run(&w, 1000 * 1000);
	assert_int_equal(w.wheel.armed, 0);
	struct uptrack_cfg cfg = world_track(&w, "video/VP8", 1);
	w.up = uptrack_new(w.receiver, &cfg);
	assert_int_equal(w.wheel.armed, 1);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(missing_packets_are_asked_for_until_they_come),
		cmocka_unit_test(many_missing_packets_fit_no_single_message),
		cmocka_unit_test(reports_speak_of_every_stream),
		cmocka_unit_test(a_report_says_what_was_lost),
		cmocka_unit_test(layers_introduce_themselves_by_mid_and_rid),
		cmocka_unit_test(an_rtx_stream_introduces_itself_by_repaired_rid),
		cmocka_unit_test(a_layer_with_a_new_ssrc_starts_anew),
		cmocka_unit_test(a_track_made_again_takes_over_its_ssrc),
		cmocka_unit_test(what_does_not_fit_is_dropped),
		cmocka_unit_test(a_repeat_from_far_away_moves_nothing),
		cmocka_unit_test(probes_on_the_rtx_stream_are_not_forwarded_twice),
		cmocka_unit_test(arrivals_are_reported_to_the_senders_estimator),
		cmocka_unit_test(an_idle_receiver_keeps_no_timer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
