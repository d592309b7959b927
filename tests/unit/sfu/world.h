/*
 * world: one published track and its subscribers over session doubles, on a clock of the test's own.
 *
 * Packets go in through receiver_rtp in a buffer of exactly their size that is overwritten after the flush, as
 * the receive buffers are.
 */
#pragma once
#include "cm.h"

#include "sfu/downtrack.h"
#include "sfu/receiver.h"
#include "sfu/sender.h"
#include "sfu/uptrack.h"
#include "session_double.h"
#include "source.h"

enum {
	WORLD_GOT = 4096,
	WORLD_NACKS = 1024,
	WORLD_SRS = 64,
	WORLD_BLOCKS = 64,
	WORLD_PLI_LOW_US = 500 * 1000,
	WORLD_PLI_US = 1000 * 1000,
	WORLD_SSRC = 1000,     /* of layer 0, then + 10 per layer */
	WORLD_RTX_SSRC = 1001,
	WORLD_SUB_SSRC = 50000,
	WORLD_SUB_RTX_SSRC = 50001,
	WORLD_SUB_PT = 120,
	WORLD_SUB_RTX_PT = 121,
	WORLD_SEND_TIME_ID = 2,
	WORLD_SUB_CAPTURE_ID = 3,
};

#define WORLD_START_US UINT64_C(1000000000)

struct world {
	struct wheel wheel;
	uint64_t now_us;
	struct session pub;
	struct receiver *receiver;
	struct uptrack *up;
	struct source src[LAYERS_MAX];
	unsigned n_plis, n_plis_of[LAYERS_MAX], n_twcc, n_layer_events, n_wanted_events;
	uint32_t last_pli_ssrc;
	int wanted;
	uint16_t nacks[WORLD_NACKS];
	unsigned n_nacks;
	struct rtcp_report_block blocks[WORLD_BLOCKS];
	unsigned n_blocks;
};

struct got {
	uint16_t seq;
	uint32_t ts, ssrc;
	uint8_t pt;
	bool marker, has_desc, has_tag, is_padding, has_send_time;
	uint16_t osn; /* of a repeat */
	size_t capture_len;
	struct vp8_desc desc;
	struct source_tag tag;
};

struct subscriber {
	struct world *world;
	struct session s;
	struct sender *sender;
	struct downtrack *down;
	struct got got[WORLD_GOT];
	unsigned n_got;
	struct rtcp_sr srs[WORLD_SRS];
	unsigned n_srs;
};

static inline void world_feedback(void *arg, struct slice compound)
{
	struct world *w = arg;
	struct rtcp_iter it = rtcp_iter(compound);
	for (struct rtcp_packet pkt; rtcp_next(&it, &pkt);) {
		struct rtcp_feedback fb;
		struct rtcp_rr rr;
		uint16_t seq;
		switch (rtcp_kind(&pkt)) {
		case RTCP_PLI:
			assert_int_equal(rtcp_feedback_parse(&fb, &pkt), 0);
			w->n_plis++;
			w->last_pli_ssrc = fb.media_ssrc;
			for (unsigned i = 0; i < LAYERS_MAX; i++)
				w->n_plis_of[i] += fb.media_ssrc == w->src[i].ssrc;
			break;
		case RTCP_NACK:
			assert_int_equal(rtcp_feedback_parse(&fb, &pkt), 0);
			for (struct rtcp_nack_iter n = rtcp_nack_iter(&fb);
				rtcp_nack_next(&n, &seq);)
				w->nacks[w->n_nacks++ % WORLD_NACKS] = seq;
			break;
		case RTCP_RR:
			assert_int_equal(rtcp_rr_parse(&rr, &pkt), 0);
			for (size_t i = 0; i < rtcp_block_count(rr.blocks); i++)
				w->blocks[w->n_blocks++ % WORLD_BLOCKS] =
					rtcp_block_at(rr.blocks, i);
			break;
		case RTCP_TWCC: w->n_twcc++; break;
		default: fail_msg("unexpected feedback %d", (int)rtcp_kind(&pkt));
		}
	}
	assert_int_equal(it.err, 0);
}

static inline void world_on_layers(void *arg)
{
	((struct world *)arg)->n_layer_events++;
}

static inline void world_on_wanted(void *arg, int layer)
{
	struct world *w = arg;
	w->wanted = layer;
	w->n_wanted_events++;
}

static inline const struct uptrack_ops *world_ops(void)
{
	static const struct uptrack_ops ops = {world_on_layers, world_on_wanted};
	return &ops;
}

/* What a track of `n_layers` layers of this codec is made with. */
static inline struct uptrack_cfg world_track(struct world *w, const char *mime, unsigned n_layers)
{
	bool is_video = mime[0] == 'v';
	struct uptrack_cfg cfg = {
		.codec = rtp_codec_find(slice_str(mime)),
		.mid = "0",
		.payload_type = is_video ? SOURCE_PT : SOURCE_OPUS_PT,
		.rtx_payload_type = is_video ? SOURCE_RTX_PT : 0,
		.has_nack = true,
		.n_layers = n_layers,
		.buffer_packets = is_video ? PKTBUF_VIDEO_PACKETS : PKTBUF_AUDIO_PACKETS,
		.pli_throttle_us = {WORLD_PLI_LOW_US, WORLD_PLI_US, WORLD_PLI_US},
		.ops = world_ops(),
		.arg = w,
	};
	for (unsigned i = 0; i < n_layers; i++) {
		cfg.layers[i].ssrc = WORLD_SSRC + 10 * i;
		cfg.layers[i].rtx_ssrc = is_video ? WORLD_RTX_SSRC + 10 * i : 0;
		cfg.layers[i].width = 320U << i;
		cfg.layers[i].height = 180U << i;
		cfg.layers[i].quality = (enum layer_quality)(QUALITY_HIGH + 1 - n_layers + i);
	}
	return cfg;
}

static inline void world_init(struct world *w, const char *mime, unsigned n_layers)
{
	*w = (struct world){.now_us = WORLD_START_US, .wanted = LAYER_NONE};
	wheel_init(&w->wheel, w->now_us);
	w->pub = (struct session){.is_connected = true, .rtcp = world_feedback, .arg = w};
	w->receiver = receiver_new(&w->pub, &w->wheel);
	struct rtp_ext_ids ids = {0};
	ids.id[RTP_EXT_MID] = SOURCE_MID_ID;
	ids.id[RTP_EXT_RID] = SOURCE_RID_ID;
	ids.id[RTP_EXT_REPAIRED_RID] = SOURCE_REPAIRED_RID_ID;
	ids.id[RTP_EXT_ABS_CAPTURE_TIME] = SOURCE_CAPTURE_ID;
	ids.id[RTP_EXT_TWCC] = SOURCE_TWCC_ID;
	receiver_set_ext_ids(w->receiver, &ids);
	struct uptrack_cfg cfg = world_track(w, mime, n_layers);
	w->up = uptrack_new(w->receiver, &cfg);
	for (unsigned i = 0; i < LAYERS_MAX; i++)
		w->src[i] = (struct source){
			.ssrc = WORLD_SSRC + 10 * i,
			.rtx_ssrc = WORLD_RTX_SSRC + 10 * i,
			.layer = (uint8_t)i,
			.seq = (uint16_t)(65500 - 7000 * i), /* wraps early */
			.rtx_seq = 10,
			.ts = 0xfffff000 + 111111 * i,
			.picture_id = (uint16_t)(0x7ff0 - 500 * i),
			.tl0 = (uint8_t)(250 - 30 * i),
			.key_idx = (uint8_t)(30 - i),
			.width = (uint16_t)(320U << i),
			.height = (uint16_t)(180U << i),
			.filler = 20,
		};
}

static inline void world_close(struct world *w)
{
	uptrack_free(w->up);
	receiver_free(w->receiver);
	assert_int_equal(w->wheel.armed, 0);
	double_close(&w->pub);
}

static inline void world_run(struct world *w, uint64_t us)
{
	for (uint64_t end = w->now_us + us; w->now_us < end;) {
		w->now_us = MIN(end, w->now_us + 1000);
		wheel_run(&w->wheel, w->now_us);
	}
}

static inline void world_sr(struct world *w, unsigned layer, uint64_t ntp, uint32_t ts)
{
	uint8_t mem[64];
	struct rtcp_writer wr = rtcp_writer(mem, sizeof mem);
	struct rtcp_sr sr = {.ssrc = w->src[layer].ssrc, .ntp = ntp, .rtp_timestamp = ts};
	rtcp_add_sr(&wr, &sr, NULL, 0);
	struct rtcp_iter it = rtcp_iter(rtcp_written(&wr));
	struct rtcp_packet pkt;
	assert_true(rtcp_next(&it, &pkt));
	receiver_rtcp(w->receiver, &pkt, w->now_us);
}

static inline void subscriber_rtp(void *arg, struct slice packet)
{
	struct subscriber *s = arg;
	struct rtp_packet pkt;
	assert_int_equal(rtp_parse(&pkt, packet), 0);
	assert_true(s->n_got < WORLD_GOT);
	struct got *g = &s->got[s->n_got++];
	*g = (struct got){
		.seq = pkt.seq,
		.ts = pkt.timestamp,
		.ssrc = pkt.ssrc,
		.pt = pkt.payload_type,
		.marker = pkt.marker,
		.is_padding = pkt.padding_len > 0,
		.has_send_time = rtp_ext_find(&pkt, WORLD_SEND_TIME_ID).n == 3,
		.capture_len = rtp_ext_find(&pkt, WORLD_SUB_CAPTURE_ID).n,
	};
	struct slice payload = pkt.payload;
	if (pkt.ssrc == WORLD_SUB_RTX_SSRC) {
		assert_true(payload.n >= RTX_OSN_LEN);
		g->osn = rd16(payload.p);
		payload = slice_of(payload.p + RTX_OSN_LEN, payload.n - RTX_OSN_LEN);
	}
	g->has_desc = payload.n && vp8_desc_parse(&g->desc, payload) == 0;
	g->has_tag = payload.n && source_read_tag(payload, &g->tag);
}

static inline void subscriber_rtcp(void *arg, struct slice compound)
{
	struct subscriber *s = arg;
	struct rtcp_iter it = rtcp_iter(compound);
	for (struct rtcp_packet pkt; rtcp_next(&it, &pkt);)
		if (rtcp_kind(&pkt) == RTCP_SR)
			assert_int_equal(rtcp_sr_parse(&s->srs[s->n_srs++ % WORLD_SRS], &pkt), 0);
	assert_int_equal(it.err, 0);
}

struct subscriber_cfg {
	bool has_rtx, has_send_time, is_late; /* late: subscriber_connect comes afterwards */
	enum layer_quality quality;
};

static inline void subscriber_init(
	struct subscriber *s, struct world *w, const struct subscriber_cfg *cfg)
{
	*s = (struct subscriber){.world = w};
	s->s = (struct session){.is_connected = !cfg->is_late,
		.rtp = subscriber_rtp,
		.rtcp = subscriber_rtcp,
		.arg = s};
	s->sender = sender_new(&s->s, &w->wheel);
	struct downtrack_cfg down = {
		.ssrc = WORLD_SUB_SSRC,
		.rtx_ssrc = cfg->has_rtx ? WORLD_SUB_RTX_SSRC : 0,
		.payload_type = WORLD_SUB_PT,
		.rtx_payload_type = cfg->has_rtx ? WORLD_SUB_RTX_PT : 0,
		.wish.quality = cfg->quality,
	};
	down.ids.id[RTP_EXT_ABS_SEND_TIME] = cfg->has_send_time ? WORLD_SEND_TIME_ID : 0;
	down.ids.id[RTP_EXT_ABS_CAPTURE_TIME] = WORLD_SUB_CAPTURE_ID;
	s->down = downtrack_new(w->up, s->sender, &down);
	if (!cfg->is_late)
		sender_connected(s->sender, w->now_us);
}

static inline void subscriber_connect(struct subscriber *s)
{
	s->s.is_connected = true;
	sender_connected(s->sender, s->world->now_us);
}

static inline void subscriber_close(struct subscriber *s)
{
	downtrack_free(s->down);
	sender_free(s->sender);
	double_close(&s->s);
}

static inline void subscriber_flush(struct subscriber *s)
{
	double_flush(&s->s);
}

static inline void subscriber_feedback(struct subscriber *s, struct slice compound)
{
	struct rtcp_iter it = rtcp_iter(compound);
	for (struct rtcp_packet pkt; rtcp_next(&it, &pkt);)
		sender_rtcp(s->sender, &pkt, s->world->now_us);
}

static inline void subscriber_nack(struct subscriber *s, uint16_t seq)
{
	uint8_t mem[64];
	struct rtcp_writer w = rtcp_writer(mem, sizeof mem);
	rtcp_add_nack(&w, 1, WORLD_SUB_SSRC, &seq, 1);
	subscriber_feedback(s, rtcp_written(&w));
}

static inline void subscriber_pli(struct subscriber *s)
{
	uint8_t mem[64];
	struct rtcp_writer w = rtcp_writer(mem, sizeof mem);
	rtcp_add_pli(&w, 1, WORLD_SUB_SSRC);
	subscriber_feedback(s, rtcp_written(&w));
}

static inline const struct got *subscriber_last(const struct subscriber *s)
{
	assert_true(s->n_got > 0);
	return &s->got[s->n_got - 1];
}

/* The publisher's packet arrives; what it causes is sent to the subscriber (NULL: none). */
static inline void world_packet(
	struct world *w, struct subscriber *s, const uint8_t *p, size_t n)
{
	uint8_t *copy = xmemdup(p, n);
	receiver_rtp(w->receiver, copy, n, w->now_us);
	if (s)
		subscriber_flush(s);
	xfree(copy);
}

/* One frame of `count` packets on a layer. */
static inline void world_frame(
	struct world *w, struct subscriber *s, unsigned layer, bool is_key, uint8_t count)
{
	uint8_t p[SOURCE_PACKET_MAX];
	for (uint8_t i = 0; i < count; i++)
		world_packet(w, s, p, source_video(&w->src[layer], is_key, i, count, p));
	source_next(&w->src[layer], is_key, 3000, 0);
}
