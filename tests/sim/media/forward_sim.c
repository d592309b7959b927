/*
 * A publisher of three VP8 layers, the forwarding of sfu/, and a subscriber, on a virtual clock with bad links between
 * them. The publisher answers NACK with RTX and PLI with a key frame, as browsers do; the subscriber asks for what it
 * misses and tries to decode: a frame counts only when it is whole and everything it refers to was decoded.
 */
#include "../../unit/cm.h"

#include <stdio.h>

#include "../../unit/sfu/session_double.h"
#include "../../unit/sfu/source.h"
#include "link.h"
#include "sfu/sfu.h"

enum {
	LAYERS = 3,
	KEPT = 2048,
	FRAME_US = 33333,
	FRAME_TICKS = 3000,
	FRAMES_MAX = 1 << 15, /* PictureIDs */
	SUB_SSRC = 50000,
	SUB_RTX_SSRC = 50001,
	SUB_PT = 120,
	SUB_RTX_PT = 121,
	PLI_LOW_US = 500 * 1000,
	PLI_US = 1000 * 1000,
	STUCK_US = 500 * 1000, /* then the subscriber asks for a key frame */
	MS = 1000,
	S = 1000 * 1000,
};

#define START_US (UINT64_C(500) * S)

/* ------------------------------------------------------------------ publisher */

struct publisher {
	struct source src[LAYERS];
	uint8_t kept[LAYERS][KEPT][SOURCE_PACKET_MAX];
	size_t kept_n[LAYERS][KEPT];
	bool wants_key[LAYERS];
	bool is_off[LAYERS]; /* the encoder sends no such layer now */
	unsigned n_frames, n_plis[LAYERS], n_repeats;
	uint64_t frame_due_us, sr_due_us;
};

/* ------------------------------------------------------------------ subscriber */

struct picture {
	uint64_t since_us; /* its first packet came; 0 = none */
	uint32_t ts;
	uint16_t have; /* packets */
	uint8_t tl0;
	struct source_tag tag;
};

struct decoder {
	struct seq_unwrap numbers;
	struct nack_gen nack;
	struct seq_window seen;
	uint64_t seen_sums[65536];
	struct picture pictures[FRAMES_MAX];
	bool is_started;
	uint16_t next, newest; /* PictureIDs */
	struct picture last;   /* decoded */
	uint32_t first_ts;
	uint16_t first_frame;
	bool decoded[LAYERS][65536];
	uint64_t stuck_since_us, pli_at_us, longest_us;
	unsigned n_decoded, n_skipped, n_broken, n_plis, n_nacks, n_of[LAYERS];
	int worst_ts;
};

struct sim {
	uint64_t now_us;
	struct link up, down; /* end 0 sends media, end 1 feedback */
	struct wheel wheel;
	struct session to_pub, to_sub;
	struct receiver *receiver;
	struct uptrack *track;
	struct sender *sender;
	struct downtrack *downtrack;
	struct publisher pub;
	struct decoder dec;
};

static struct sim sim;

/* ------------------------------------------------------------------ publisher's side */

static void pub_frame(unsigned layer)
{
	struct publisher *p = &sim.pub;
	struct source *s = &p->src[layer];
	bool is_key = p->wants_key[layer] || p->n_frames == 0;
	if (is_key) {
		s->tl0 = (uint8_t)(s->tl0 + (s->tid != 0));
		s->tid = 0;
		s->key_idx++;
		p->wants_key[layer] = false;
	}
	s->frame = (uint16_t)p->n_frames; /* the same instant on all layers */
	uint8_t count = (uint8_t)(1 + 2 * layer + (is_key ? 4 : 0));
	for (uint8_t i = 0; i < count && !p->is_off[layer]; i++) {
		uint16_t seq = s->seq;
		uint8_t *bytes = p->kept[layer][seq % KEPT];
		size_t n = source_video(s, is_key, i, count, bytes);
		p->kept_n[layer][seq % KEPT] = n;
		link_send(&sim.up, 0, NULL, NULL, slice_of(bytes, n));
	}
	if (p->is_off[layer]) {
		s->ts += FRAME_TICKS;
		p->wants_key[layer] = true;
	} else {
		source_next(s, is_key, FRAME_TICKS, s->tid ? 0 : 1);
	}
}

static void pub_reports(void)
{
	for (unsigned i = 0; i < LAYERS; i++) {
		uint8_t mem[64];
		struct rtcp_writer w = rtcp_writer(mem, sizeof mem);
		struct rtcp_sr sr = {
			.ssrc = sim.pub.src[i].ssrc,
			.ntp = rtcp_ntp_of_unix_us(sim.now_us),
			.rtp_timestamp = sim.pub.src[i].ts,
		};
		rtcp_add_sr(&w, &sr, NULL, 0);
		if (!sim.pub.is_off[i])
			link_send(&sim.up, 0, NULL, NULL, rtcp_written(&w));
	}
}

static void pub_run(void)
{
	struct publisher *p = &sim.pub;
	if (sim.now_us < p->frame_due_us)
		return;
	p->frame_due_us += FRAME_US;
	if (sim.now_us >= p->sr_due_us) {
		p->sr_due_us = sim.now_us + S;
		pub_reports();
	}
	for (unsigned i = 0; i < LAYERS; i++)
		pub_frame(i);
	p->n_frames++;
}

static void pub_feedback(struct slice compound)
{
	struct rtcp_iter it = rtcp_iter(compound);
	for (struct rtcp_packet pkt; rtcp_next(&it, &pkt);) {
		struct rtcp_feedback fb;
		if (rtcp_feedback_parse(&fb, &pkt) != 0)
			continue;
		unsigned layer = 0;
		while (layer < LAYERS && sim.pub.src[layer].ssrc != fb.media_ssrc)
			layer++;
		assert_true(layer < LAYERS);
		if (rtcp_kind(&pkt) == RTCP_PLI) {
			sim.pub.n_plis[layer]++;
			sim.pub.wants_key[layer] = true;
		} else if (rtcp_kind(&pkt) == RTCP_NACK) {
			struct rtcp_nack_iter nack = rtcp_nack_iter(&fb);
			for (uint16_t seq; rtcp_nack_next(&nack, &seq);) {
				uint8_t rtx[SOURCE_PACKET_MAX];
				size_t n = source_repeat(&sim.pub.src[layer],
					slice_of(sim.pub.kept[layer][seq % KEPT],
						sim.pub.kept_n[layer][seq % KEPT]),
					rtx);
				sim.pub.n_repeats++;
				link_send(&sim.up, 0, NULL, NULL, slice_of(rtx, n));
			}
		}
	}
}

/* ------------------------------------------------------------------ subscriber's side */

/* Of two PictureIDs. */
static bool is_newer(uint16_t a, uint16_t b)
{
	return (int16_t)(uint16_t)((uint16_t)(a - b) << 1) > 0;
}

static void sub_store(const struct rtp_packet *pkt)
{
	struct decoder *d = &sim.dec;
	uint16_t ext = pkt->seq;
	/* The same number always brings the same thing. */
	uint64_t sum = double_sum(pkt->payload) ^ pkt->timestamp;
	if (seq_window_mark(&d->seen, seq_unwrap_next(&d->numbers, pkt->seq)) != SEQ_FIRST_TIME) {
		assert_true(d->seen_sums[ext] == sum);
		return;
	}
	d->seen_sums[ext] = sum;
	struct vp8_desc desc;
	struct source_tag tag;
	if (!pkt->payload.n)
		return;
	assert_int_equal(vp8_desc_parse(&desc, pkt->payload), 0);
	assert_true(source_read_tag(pkt->payload, &tag));
	assert_true(desc.is_picture_id_long);
	assert_int_equal(pkt->marker, tag.index + 1 == tag.count);
	struct picture *p = &d->pictures[desc.picture_id];
	if (p->since_us && sim.now_us - p->since_us > 20 * (uint64_t)S)
		*p = (struct picture){0}; /* of a turn before */
	if (!p->since_us)
		*p = (struct picture){.since_us = sim.now_us, .ts = pkt->timestamp,
			.tl0 = desc.tl0_pic_idx, .tag = tag};
	/* All packets of a picture agree. */
	assert_int_equal(p->ts, pkt->timestamp);
	assert_int_equal(p->tl0, desc.tl0_pic_idx);
	assert_int_equal(p->tag.frame, tag.frame);
	assert_int_equal(p->tag.layer, tag.layer);
	p->have = (uint16_t)(p->have | 1U << tag.index);
	if (!d->is_started) {
		d->is_started = true;
		d->next = d->newest = desc.picture_id;
		d->stuck_since_us = sim.now_us;
	}
	if (is_newer(desc.picture_id, d->newest))
		d->newest = desc.picture_id;
	if (!d->n_decoded && is_newer(d->next, desc.picture_id))
		d->next = desc.picture_id; /* the beginning came out of order */
}

static void sub_media(struct slice packet)
{
	uint8_t copy[SOURCE_PACKET_MAX + 16];
	struct rtp_packet pkt;
	memcpy(copy, packet.p, packet.n);
	assert_int_equal(rtp_parse(&pkt, slice_of(copy, packet.n)), 0);
	if (pkt.ssrc == SUB_RTX_SSRC) {
		assert_int_equal(pkt.payload_type, SUB_RTX_PT);
		assert_int_equal(rtp_rtx_unwrap(&pkt, copy, packet.n, SUB_SSRC, SUB_PT), 0);
	}
	assert_int_equal(pkt.ssrc, SUB_SSRC);
	nack_gen_push(&sim.dec.nack, pkt.seq, sim.now_us);
	sub_store(&pkt);
}

static bool is_whole(const struct picture *p)
{
	return p->since_us && p->have == (1U << p->tag.count) - 1;
}

static bool is_key(const struct picture *p)
{
	return p->tag.ref == p->tag.frame;
}

static void decode(struct picture *p, bool follows)
{
	struct decoder *d = &sim.dec;
	const struct source_tag *t = &p->tag;
	if (is_key(p))
		memset(d->decoded[t->layer], 0, sizeof d->decoded[t->layer]);
	else if (!d->decoded[t->layer][t->ref] || t->layer != d->last.tag.layer)
		d->n_broken++;
	if (!d->n_decoded) {
		d->first_ts = p->ts;
		d->first_frame = t->frame;
	} else {
		assert_true(ts_newer(p->ts, d->last.ts));
	}
	if (follows)
		assert_int_equal(p->tl0, (uint8_t)(d->last.tl0 + (t->tid == 0)));
	if (follows && t->layer == d->last.tag.layer)
		assert_int_equal(p->ts - d->last.ts,
			(uint16_t)(t->frame - d->last.tag.frame) * FRAME_TICKS);
	uint32_t expected =
		d->first_ts + (uint32_t)(uint16_t)(t->frame - d->first_frame) * FRAME_TICKS;
	d->worst_ts = MAX(d->worst_ts, abs(ts_diff(p->ts, expected)));
	d->decoded[t->layer][t->frame] = true;
	d->longest_us = MAX(d->longest_us, sim.now_us - p->since_us);
	d->n_of[t->layer]++;
	d->n_decoded++;
	d->last = *p;
}

/* The next key frame that is whole, if the one in turn keeps us waiting. */
static bool skip_to_key_frame(void)
{
	struct decoder *d = &sim.dec;
	for (uint16_t id = d->next; id != ((d->newest + 1) & 0x7fff); id = (id + 1) & 0x7fff) {
		struct picture *p = &d->pictures[id];
		if (!is_whole(p) || !is_key(p))
			continue;
		d->n_skipped += (uint16_t)(id - d->next) & 0x7fff;
		d->next = id;
		return true;
	}
	return false;
}

static void sub_run(void)
{
	struct decoder *d = &sim.dec;
	uint8_t mem[1000];
	struct rtcp_writer w = rtcp_writer(mem, sizeof mem);
	uint16_t seqs[NACK_GEN_MAX];
	size_t n = nack_gen_due(&d->nack, sim.now_us, seqs, ARRAY_LEN(seqs));
	d->n_nacks += (unsigned)n;
	rtcp_add_nack(&w, 1, SUB_SSRC, seqs, n);
	bool follows = d->n_decoded > 0;
	for (;;) {
		struct picture *p = &d->pictures[d->next];
		bool is_ready = is_whole(p) && (d->n_decoded || is_key(p));
		if (!d->is_started || !is_ready) {
			if (!d->is_started || !skip_to_key_frame())
				break;
			follows = false;
			continue;
		}
		decode(p, follows);
		follows = true;
		p->have = 0; /* its place is free for the next turn */
		p->since_us = 0;
		d->next = (d->next + 1) & 0x7fff;
		d->stuck_since_us = sim.now_us;
	}
	bool is_stuck = d->is_started && d->newest != ((d->next - 1) & 0x7fff) &&
			sim.now_us - d->stuck_since_us > STUCK_US;
	if (is_stuck && sim.now_us - d->pli_at_us > STUCK_US) {
		d->pli_at_us = sim.now_us;
		d->n_plis++;
		rtcp_add_pli(&w, 1, SUB_SSRC);
	}
	struct slice out = rtcp_written(&w);
	if (out.n)
		link_send(&sim.down, 1, NULL, NULL, out);
}

/* ------------------------------------------------------------------ in the middle */

static void on_up(
	void *arg, int end, const struct addr *from, const struct addr *to, struct slice data)
{
	(void)arg, (void)from, (void)to;
	if (end == 0) {
		pub_feedback(data);
		return;
	}
	if (!rtp_is_rtcp(data)) {
		uint8_t *copy = xmemdup(data.p, data.n);
		receiver_rtp(sim.receiver, copy, data.n, sim.now_us);
		double_flush(&sim.to_sub);
		xfree(copy);
		return;
	}
	struct rtcp_iter it = rtcp_iter(data);
	for (struct rtcp_packet pkt; rtcp_next(&it, &pkt);)
		receiver_rtcp(sim.receiver, &pkt, sim.now_us);
}

static void on_down(
	void *arg, int end, const struct addr *from, const struct addr *to, struct slice data)
{
	(void)arg, (void)from, (void)to;
	if (end == 1) {
		if (!rtp_is_rtcp(data))
			sub_media(data);
		return;
	}
	struct rtcp_iter it = rtcp_iter(data);
	for (struct rtcp_packet pkt; rtcp_next(&it, &pkt);)
		sender_rtcp(sim.sender, &pkt, sim.now_us);
	double_flush(&sim.to_sub);
}

static void to_publisher(void *arg, struct slice compound)
{
	(void)arg;
	link_send(&sim.up, 1, NULL, NULL, compound);
}

static void to_subscriber(void *arg, struct slice packet)
{
	(void)arg;
	link_send(&sim.down, 0, NULL, NULL, packet);
}

static void no_event(void *arg)
{
	(void)arg;
}

static void no_layer(void *arg, int layer)
{
	(void)arg, (void)layer;
}

static const struct uptrack_ops track_ops = {no_event, no_layer};

struct weather {
	uint64_t seed;
	uint32_t loss_pm, dup_pm, jitter_us;
};

static void weather(const struct weather *w)
{
	struct link_dir dir = {.loss_pm = w->loss_pm,
		.dup_pm = w->dup_pm,
		.delay_us = 20 * MS,
		.jitter_us = w->jitter_us};
	for (int e = 0; e < 2; e++) {
		sim.up.dir[e] = dir;
		sim.down.dir[e] = dir;
	}
}

static void sim_open(const struct weather *w)
{
	memset(&sim, 0, sizeof sim);
	sim.now_us = START_US;
	wheel_init(&sim.wheel, sim.now_us);
	link_init(&sim.up, w->seed, on_up, NULL);
	link_init(&sim.down, w->seed + 1, on_down, NULL);
	sim.up.now_us = sim.down.now_us = sim.now_us;
	weather(w);
	sim.to_pub =
		(struct session){.is_connected = true, .rtcp = to_publisher, .rtt_us = 50 * MS};
	sim.to_sub = (struct session){.is_connected = true,
		.rtp = to_subscriber,
		.rtcp = to_subscriber,
		.rtt_us = 50 * MS};
	sim.receiver = receiver_new(&sim.to_pub, &sim.wheel);
	struct uptrack_cfg cfg = {
		.codec = rtp_codec_find(slice_str("video/VP8")),
		.mid = "0",
		.payload_type = SOURCE_PT,
		.rtx_payload_type = SOURCE_RTX_PT,
		.has_nack = true,
		.n_layers = LAYERS,
		.buffer_packets = 500,
		.pli_throttle_us = {PLI_LOW_US, PLI_US, PLI_US},
		.ops = &track_ops,
	};
	for (unsigned i = 0; i < LAYERS; i++) {
		struct source *src = &sim.pub.src[i];
		*src = (struct source){
			.ssrc = 1000 + 10 * i,
			.rtx_ssrc = 1001 + 10 * i,
			.layer = (uint8_t)i,
			.seq = (uint16_t)(65000 + 300 * i),
			.rtx_seq = 100,
			.ts = 0xfffc0000 + 7777777 * i,
			.picture_id = (uint16_t)(0x7f80 - 50 * i),
			.width = (uint16_t)(320U << i),
			.height = (uint16_t)(180U << i),
			.filler = 200,
		};
		cfg.layers[i].ssrc = src->ssrc;
		cfg.layers[i].rtx_ssrc = src->rtx_ssrc;
		cfg.layers[i].quality = (enum layer_quality)i;
	}
	sim.pub.frame_due_us = sim.pub.sr_due_us = sim.now_us;
	sim.track = uptrack_new(sim.receiver, &cfg);
}

static void sim_join(enum layer_quality quality)
{
	sim.sender = sender_new(&sim.to_sub, &sim.wheel);
	struct downtrack_cfg cfg = {
		.ssrc = SUB_SSRC,
		.rtx_ssrc = SUB_RTX_SSRC,
		.payload_type = SUB_PT,
		.rtx_payload_type = SUB_RTX_PT,
		.wish.quality = quality,
	};
	cfg.ids.id[RTP_EXT_ABS_SEND_TIME] = 2;
	sim.downtrack = downtrack_new(sim.track, sim.sender, &cfg);
	nack_gen_init(&sim.dec.nack);
	sender_connected(sim.sender, sim.now_us);
}

static void sim_run(uint64_t us)
{
	for (uint64_t end = sim.now_us + us; sim.now_us < end;) {
		sim.now_us += MS;
		pub_run();
		link_run(&sim.up, sim.now_us);
		link_run(&sim.down, sim.now_us);
		wheel_run(&sim.wheel, sim.now_us);
		if (sim.downtrack && sim.now_us % (5 * MS) == 0)
			sub_run();
	}
}

static void sim_wish(enum layer_quality quality)
{
	struct layer_wish wish = {.quality = quality};
	downtrack_set_wish(sim.downtrack, &wish, sim.now_us);
}

static void sim_close(void)
{
	downtrack_free(sim.downtrack);
	sender_free(sim.sender);
	uptrack_free(sim.track);
	receiver_free(sim.receiver);
	assert_int_equal(sim.wheel.armed, 0);
	double_close(&sim.to_sub);
	double_close(&sim.to_pub);
	link_free(&sim.up);
	link_free(&sim.down);
}

/* What must hold in any weather. */
static void assert_sound(uint64_t us)
{
	assert_int_equal(sim.dec.n_broken, 0);
	assert_true(sim.dec.n_decoded > 0);
	assert_true(sim.pub.n_plis[0] <= us / PLI_LOW_US + 2);
	assert_true(sim.pub.n_plis[1] <= us / PLI_US + 2);
	assert_true(sim.pub.n_plis[2] <= us / PLI_US + 2);
}

/* ------------------------------------------------------------------ runs */

static void a_clear_day_is_perfect(void **st)
{
	(void)st;
	sim_open(&(struct weather){.seed = 1});
	sim_join(QUALITY_HIGH);
	sim_run(20 * S);
	assert_sound(20 * S);
	assert_int_equal(sim.dec.n_skipped, 0);
	assert_true(sim.dec.n_decoded >= 595);
	assert_true(sim.dec.n_of[2] > 590);
	assert_true(sim.dec.worst_ts <= 90); /* 1 ms */
	assert_int_equal(sim.dec.n_nacks, 0);
	assert_int_equal(sim.dec.n_plis, 0);
	assert_int_equal(sim.pub.n_repeats, 0);
	sim_close();
}

static void all_that_is_lost_is_recovered(void **st)
{
	(void)st;
	static const uint32_t losses[] = {10, 20, 50};
	for (unsigned i = 0; i < 9; i++) {
		sim_open(&(struct weather){.seed = 100 + i});
		sim_join(QUALITY_HIGH);
		sim_run(300 * MS); /* nobody can know of what is lost before the first packet */
		weather(&(struct weather){
			.loss_pm = losses[i / 3], .dup_pm = 10, .jitter_us = 10 * MS});
		sim_run(20 * S);
		weather(&(struct weather){0});
		sim_run(S);
		assert_sound(21 * S);
		assert_int_equal(sim.dec.n_skipped, 0);
		assert_int_equal(sim.dec.n_plis, 0);
		assert_true(sim.dec.n_decoded >= 615);
		assert_true(sim.dec.n_nacks > 0 && sim.pub.n_repeats > 0);
		assert_true(sim.dec.longest_us < 700 * MS);
		assert_true(sim.dec.worst_ts <= 9000);
		sim_close();
	}
}

static void a_storm_is_survived(void **st)
{
	(void)st;
	for (unsigned i = 0; i < 6; i++) {
		sim_open(&(struct weather){.seed = 200 + i,
			.loss_pm = i < 3 ? 100 : 200,
			.dup_pm = 20,
			.jitter_us = 40 * MS});
		sim_join(QUALITY_HIGH);
		sim_run(30 * S);
		assert_sound(30 * S);
		weather(&(struct weather){0});
		sim_run(3 * S);
		assert_sound(33 * S);
		/* It is over: picture after picture again. */
		unsigned before = sim.dec.n_decoded;
		sim_run(5 * S);
		assert_true(sim.dec.n_decoded - before >= 149);
		assert_true(sim.dec.n_decoded > (i < 3 ? 900U : 500U));
		sim_close();
	}
}

static void layers_switch_under_loss(void **st)
{
	(void)st;
	static const enum layer_quality wishes[] = {QUALITY_LOW, QUALITY_HIGH, QUALITY_MEDIUM,
		QUALITY_LOW, QUALITY_MEDIUM, QUALITY_HIGH};
	for (unsigned i = 0; i < 6; i++) {
		sim_open(&(struct weather){
			.seed = 300 + i, .loss_pm = 20 * i, .dup_pm = 10, .jitter_us = 15 * MS});
		sim_join(QUALITY_HIGH);
		for (unsigned k = 0; k < 18; k++) {
			sim_run(3 * S);
			sim_wish(wishes[k % ARRAY_LEN(wishes)]);
		}
		weather(&(struct weather){0});
		sim_run(5 * S);
		assert_sound(59 * S);
		assert_int_equal(downtrack_layer(sim.downtrack), 2);
		for (unsigned l = 0; l < LAYERS; l++)
			assert_true(sim.dec.n_of[l] > 100);
		if (i == 0) {
			/* At most the picture that was on its way when the layer changed. */
			assert_true(sim.dec.n_skipped <= 18);
			assert_int_equal(sim.dec.n_plis, 0);
			assert_true(sim.dec.n_decoded >= 59 * 30 - 18);
		}
		assert_true(sim.dec.worst_ts <= (i ? 45000 : 3200)); /* half a second, one picture */
		sim_close();
	}
}

static void a_late_joiner_begins_soon(void **st)
{
	(void)st;
	for (unsigned i = 0; i < 8; i++) {
		sim_open(&(struct weather){
			.seed = 400 + i, .loss_pm = 10 * i, .jitter_us = 10 * MS});
		sim_run(5 * S + i * 37 * MS);
		sim_join(QUALITY_HIGH);
		uint64_t joined_us = sim.now_us;
		while (!sim.dec.n_decoded && sim.now_us < joined_us + 5 * (uint64_t)S)
			sim_run(10 * MS);
		/* The request may be lost once or twice, and the throttle lets one through per second. */
		assert_true(sim.now_us - joined_us < (i < 2 ? 300 * MS : 2500 * MS));
		sim_run(5 * S);
		assert_sound(12 * S);
		sim_close();
	}
}

static void a_layer_that_dies_is_left_for_a_lower_one(void **st)
{
	(void)st;
	sim_open(&(struct weather){.seed = 500, .loss_pm = 10, .jitter_us = 5 * MS});
	sim_join(QUALITY_HIGH);
	sim_run(5 * S);
	assert_int_equal(downtrack_layer(sim.downtrack), 2);
	sim.pub.is_off[2] = true;
	sim_run(3 * S);
	assert_int_equal(downtrack_layer(sim.downtrack), 1);
	unsigned before = sim.dec.n_decoded;
	sim_run(2 * S);
	assert_true(sim.dec.n_decoded - before >= 55);
	sim.pub.is_off[2] = false;
	sim_run(13 * S); /* twenty good cycles */
	assert_int_equal(downtrack_layer(sim.downtrack), 2);
	assert_sound(23 * S);
	sim_close();
}

static void a_blackout_ends_in_one_key_frame(void **st)
{
	(void)st;
	sim_open(&(struct weather){.seed = 600, .jitter_us = 5 * MS});
	sim_join(QUALITY_HIGH);
	sim_run(5 * S);
	sim.down.dir[0].is_down = true;
	sim_run(8 * S);
	sim.down.dir[0].is_down = false;
	unsigned before = sim.dec.n_decoded;
	sim_run(5 * S);
	assert_sound(18 * S);
	assert_true(sim.dec.n_decoded - before > 100);
	assert_true(sim.dec.n_plis <= 4);
	sim_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_clear_day_is_perfect),
		cmocka_unit_test(all_that_is_lost_is_recovered),
		cmocka_unit_test(a_storm_is_survived),
		cmocka_unit_test(layers_switch_under_loss),
		cmocka_unit_test(a_late_joiner_begins_soon),
		cmocka_unit_test(a_layer_that_dies_is_left_for_a_lower_one),
		cmocka_unit_test(a_blackout_ends_in_one_key_frame),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
