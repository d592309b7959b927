/*
 * The whole path over real sockets: a publisher's packets come out of the kernel, are decrypted, forwarded, encrypted
 * and sent to a subscriber, with loss, NACK, RTX, PLI and reports. In a build with -Dhot_checks=true an allocation, a
 * lock or a log call on the way aborts.
 */
#include "../session/pair.h"

#include "sfu/sfu.h"
#include "source.h"

enum {
	FRAME_US = 33000,
	FRAMES = 150,
	KEPT = 1024,
	HOT_LAYERS = 3,
	DOWN_SSRC = 500,
	DOWN_RTX_SSRC = 501
};

static struct dtls_identity *identity;
static struct side server, pub_side, sub_side;
static struct end pub, sub;       /* the clients */
static struct end to_pub, to_sub; /* the server's ends */
static struct receiver *receiver;
static struct uptrack *up;
static struct sender *sender;
static struct downtrack *down;
static struct source src[HOT_LAYERS];
static struct srtp_stream *streams[HOT_LAYERS], *rtx_streams[HOT_LAYERS];
static uint8_t kept[HOT_LAYERS][KEPT][SOURCE_PACKET_MAX];
static size_t kept_n[HOT_LAYERS][KEPT];
static bool wants_key[HOT_LAYERS];
static unsigned n_lost, n_repeated, n_asked, n_media, n_rtx, n_srs;
static uint16_t first_seq, high_seq;

/* ------------------------------------------------------------------ server */

static void no_state(void *arg, enum session_state state)
{
	(void)arg;
	if (state == SESSION_CONNECTED && arg == &to_sub)
		sender_connected(sender, server.w.now_us);
}

static void server_rtp(void *arg, uint8_t *p, size_t n, uint64_t now_us)
{
	(void)arg;
	receiver_rtp(receiver, p, n, now_us);
}

static void server_rtcp(void *arg, struct slice compound, uint64_t now_us)
{
	struct rtcp_iter it = rtcp_iter(compound);
	for (struct rtcp_packet pkt; rtcp_next(&it, &pkt);) {
		if (arg == &to_pub)
			receiver_rtcp(receiver, &pkt, now_us);
		else
			sender_rtcp(sender, &pkt, now_us);
	}
}

static const struct session_ops server_ops = {
	.state = no_state, .rtp = server_rtp, .rtcp = server_rtcp};

static void no_event(void *arg)
{
	(void)arg;
}

static void no_layer(void *arg, int layer)
{
	(void)arg;
	(void)layer;
}

static const struct uptrack_ops track_ops = {no_event, no_layer};

/* ------------------------------------------------------------------ publisher */

static void pub_send(struct srtp_stream *stream, const uint8_t *p, size_t n)
{
	struct rtp_packet pkt;
	assert_int_equal(rtp_parse(&pkt, slice_of(p, n)), 0);
	struct rtp_out *out = session_tx_rtp(pub.s);
	memcpy(out->hdr, p, pkt.header_len);
	out->stream = stream;
	out->hdr_len = (uint8_t)pkt.header_len;
	out->prefix_len = 0;
	out->payload = p + pkt.header_len;
	out->payload_len = (uint16_t)(n - pkt.header_len);
}

static void pub_repeat(unsigned layer, uint16_t seq)
{
	uint8_t rtx[SOURCE_PACKET_MAX];
	const uint8_t *p = kept[layer][seq % KEPT];
	n_repeated++;
	size_t n = source_repeat(&src[layer], slice_of(p, kept_n[layer][seq % KEPT]), rtx);
	pub_send(rtx_streams[layer], rtx, n);
	session_flush_all(pub.s);
}

static void pub_rtcp(void *arg, struct slice compound, uint64_t now_us)
{
	struct rtcp_iter it = rtcp_iter(compound);
	(void)arg;
	(void)now_us;
	for (struct rtcp_packet pkt; rtcp_next(&it, &pkt);) {
		struct rtcp_feedback fb;
		if (rtcp_feedback_parse(&fb, &pkt) != 0)
			continue;
		unsigned layer = 0;
		while (layer < HOT_LAYERS && src[layer].ssrc != fb.media_ssrc)
			layer++;
		assert_true(layer < HOT_LAYERS);
		if (rtcp_kind(&pkt) == RTCP_PLI)
			wants_key[layer] = true;
		if (rtcp_kind(&pkt) != RTCP_NACK)
			continue;
		struct rtcp_nack_iter it_nack = rtcp_nack_iter(&fb);
		for (uint16_t seq; rtcp_nack_next(&it_nack, &seq);)
			pub_repeat(layer, seq);
	}
}

static void pub_frame(unsigned layer, unsigned frame)
{
	struct source *s = &src[layer];
	bool is_key = wants_key[layer] || frame == 0;
	uint8_t count = (uint8_t)(1 + layer + (is_key ? 4 : 0));
	wants_key[layer] = false;
	if (is_key)
		s->key_idx++;
	for (uint8_t i = 0; i < count; i++) {
		uint16_t seq = s->seq;
		uint8_t *p = kept[layer][seq % KEPT];
		size_t n = source_video(s, is_key, i, count, p);
		kept_n[layer][seq % KEPT] = n;
		if (seq % 23 == 7 && frame > 2)
			n_lost++;
		else
			pub_send(streams[layer], p, n);
	}
	source_next(s, is_key, 3000, 0);
	if (frame % 30 != 10)
		return;
	uint8_t mem[64];
	struct rtcp_writer w = rtcp_writer(mem, sizeof mem);
	struct rtcp_sr sr = {
		.ssrc = s->ssrc, .ntp = ((uint64_t)frame << 32) / 30, .rtp_timestamp = s->ts};
	rtcp_add_sr(&w, &sr, NULL, 0);
	session_tx_rtcp(pub.s, rtcp_written(&w));
}

/* ------------------------------------------------------------------ subscriber */

static void sub_ask(uint16_t seq, bool for_key_frame)
{
	uint8_t mem[64];
	struct rtcp_writer w = rtcp_writer(mem, sizeof mem);
	if (for_key_frame)
		rtcp_add_pli(&w, 1, DOWN_SSRC);
	else
		rtcp_add_nack(&w, 1, DOWN_SSRC, &seq, 1);
	session_tx_rtcp(sub.s, rtcp_written(&w));
}

static void sub_rtp(void *arg, uint8_t *p, size_t n, uint64_t now_us)
{
	struct rtp_packet pkt;
	(void)arg;
	(void)now_us;
	assert_int_equal(rtp_parse(&pkt, slice_of(p, n)), 0);
	if (pkt.ssrc == DOWN_RTX_SSRC) {
		n_rtx++;
		return;
	}
	assert_int_equal(pkt.ssrc, DOWN_SSRC);
	if (!n_media++)
		first_seq = high_seq = pkt.seq;
	else if (seq_newer(pkt.seq, high_seq))
		high_seq = pkt.seq;
	if (n_media % 40 == 0) {
		n_asked++;
		sub_ask(pkt.seq, false);
	}
	if (n_media % 300 == 0)
		sub_ask(0, true);
}

static void sub_rtcp(void *arg, struct slice compound, uint64_t now_us)
{
	struct rtcp_iter it = rtcp_iter(compound);
	(void)arg;
	(void)now_us;
	for (struct rtcp_packet pkt; rtcp_next(&it, &pkt);)
		n_srs += rtcp_kind(&pkt) == RTCP_SR;
}

static const struct session_ops pub_ops = {.state = no_state, .rtcp = pub_rtcp},
				sub_ops = {.state = no_state, .rtp = sub_rtp, .rtcp = sub_rtcp};

/* ------------------------------------------------------------------ world */

static void run(uint64_t us)
{
	struct side *all[] = {&pub_side, &server, &sub_side};
	for (uint64_t passed = 0; passed < us; passed += PAIR_TURN_US) {
		for (size_t i = 0; i < ARRAY_LEN(all); i++) {
			all[i]->w.now_us += PAIR_TURN_US;
			side_turn(all[i]);
		}
		if (passed % 10000 == 0)
			virtual_tick(10);
	}
}

static void make(struct end *e, struct side *side, bool is_offerer, const struct session_ops *ops)
{
	*e = (struct end){.side = side, .is_offerer = is_offerer};
	struct session_cfg cfg = {.is_ice_controlling = is_offerer, .ops = ops, .arg = e};
	e->s = session_new(side->rtc, &cfg);
	assert_non_null(e->s);
}

/* Transports without data channels. */
static void join(struct end *e, const struct end *peer)
{
	uint8_t fp[64];
	struct session_remote remote = {
		.ufrag = slice_str(session_ufrag(peer->s)),
		.pwd = slice_str(session_pwd(peer->s)),
		.fingerprint_alg = slice_str("sha-256"),
		.fingerprint = slice_of(fp, fingerprint_bytes(session_fingerprint(peer->s), fp)),
		.is_dtls_server = e->is_offerer,
	};
	assert_int_equal(session_set_remote(e->s, &remote), 0);
	size_t n;
	char **lines = session_candidates(peer->s, &n);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(session_add_candidate(e->s, slice_str(lines[i])), 0);
		xfree(lines[i]);
	}
	xfree(lines);
}

static void make_tracks(void)
{
	struct uptrack_cfg cfg = {
		.codec = rtp_codec_find(slice_str("video/VP8")),
		.mid = "0",
		.payload_type = SOURCE_PT,
		.rtx_payload_type = SOURCE_RTX_PT,
		.has_nack = true,
		.n_layers = HOT_LAYERS,
		.buffer_packets = PKTBUF_VIDEO_PACKETS,
		.pli_throttle_us = {500000, 1000000, 1000000},
		.ops = &track_ops,
	};
	static const char *const rids[] = {"q", "h", "f"};
	for (unsigned i = 0; i < HOT_LAYERS; i++) {
		memcpy(cfg.layers[i].rid, rids[i], 2);
		cfg.layers[i].rtx_ssrc = 200 + i;
		cfg.layers[i].quality = (enum layer_quality)i;
		src[i] = (struct source){.ssrc = 100 + i, .rtx_ssrc = 200 + i, .layer = (uint8_t)i,
			.seq = (uint16_t)(100 * i), .width = 320, .height = 180, .filler = 900, .mid = "0",
			.rid = rids[i]};
	}
	receiver = receiver_new(to_pub.s, &server.w.wheel);
	struct rtp_ext_ids ids = {0};
	ids.id[RTP_EXT_MID] = SOURCE_MID_ID;
	ids.id[RTP_EXT_RID] = SOURCE_RID_ID;
	receiver_set_ext_ids(receiver, &ids);
	up = uptrack_new(receiver, &cfg);
	sender = sender_new(to_sub.s, &server.w.wheel);
	struct downtrack_cfg dcfg = {.ssrc = DOWN_SSRC,
		.rtx_ssrc = DOWN_RTX_SSRC,
		.payload_type = 120,
		.rtx_payload_type = 121,
		.wish.quality = QUALITY_HIGH};
	dcfg.ids.id[RTP_EXT_ABS_SEND_TIME] = 3;
	down = downtrack_new(up, sender, &dcfg);
}

static void forwards_from_socket_to_socket(void **st)
{
	(void)st;
	side_open(&server, identity);
	side_open(&pub_side, identity);
	side_open(&sub_side, identity);
	make(&pub, &pub_side, true, &pub_ops);
	make(&to_pub, &server, false, &server_ops);
	make(&to_sub, &server, true, &server_ops);
	make(&sub, &sub_side, false, &sub_ops);
	make_tracks();
	join(&pub, &to_pub);
	join(&to_pub, &pub);
	join(&to_sub, &sub);
	join(&sub, &to_sub);
	run(600 * 1000);
	assert_int_equal(session_state_now(sub.s), SESSION_CONNECTED);
	assert_int_equal(session_state_now(pub.s), SESSION_CONNECTED);
	for (unsigned i = 0; i < HOT_LAYERS; i++) {
		streams[i] = session_stream_add(pub.s, src[i].ssrc);
		rtx_streams[i] = session_stream_add(pub.s, src[i].rtx_ssrc);
	}
	for (unsigned frame = 0; frame < FRAMES; frame++) {
		for (unsigned i = 0; i < HOT_LAYERS; i++)
			pub_frame(i, frame);
		run(FRAME_US);
	}
	run(500 * 1000);

	assert_int_equal(downtrack_layer(down), 2);
	assert_true(n_lost > 10);
	assert_true(n_repeated >= n_lost && n_repeated <= n_lost + n_lost / 2);
	assert_true(n_media > 3 * FRAMES / 2);
	/* Whole: as many as the numbers span, those lost on the way in too. */
	assert_int_equal(n_media, (uint16_t)(high_seq - first_seq) + 1);
	assert_int_equal(n_media, downtrack_packets(down));
	assert_int_equal(n_rtx, n_asked);
	assert_true(n_srs >= 1);

	downtrack_free(down);
	sender_free(sender);
	uptrack_free(up);
	receiver_free(receiver);
	session_close(to_pub.s);
	session_close(to_sub.s);
	run(5000);
	session_close(pub.s);
	session_close(sub.s);
	side_close(&pub_side);
	side_close(&sub_side);
	side_close(&server);
}

int main(void)
{
	metric_thread_init();
	mbox_thread_init();
	sctp_stack_start();
	if (dtls_identity_new(&identity) != 0)
		return 1;
	const struct CMUnitTest tests[] = {cmocka_unit_test(forwards_from_socket_to_socket)};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	dtls_identity_free(identity);
	return failed || sctp_stack_stop() != 0;
}
