#include "sfu/receiver.h"

#include <string.h>

#include "base/clock.h"
#include "base/hot.h"
#include "base/mem.h"
#include "base/metric.h"
#include "base/rng.h"
#include "sfu/receiver_internal.h"
#include "sfu/uptrack_internal.h"

enum {
	TICK_US = 100 * 1000,
	REPORT_US = 1000 * 1000,
	NACK_BATCH = NACK_GEN_MAX,
	NACK_BYTES_MAX = 12 + 4 * NACK_BATCH, /* no two of them in one entry */
	REPAIR_AHEAD_MAX = 100, /* an original may be lost at the very end of what was sent */
	CAPTURE_TIME_LEN = 8, CAPTURE_TIME_LONG_LEN = 16, ORIENTATION_LEN = 1,
};

/* An SSRC that is known: to which layer it belongs, and whether it repeats. */
struct in_stream {
	uint32_t ssrc;
	bool is_rtx;
	struct uplayer *layer;
};

struct receiver {
	struct session *session;
	struct wheel *wheel;
	struct timer timer;
	uint32_t own_ssrc; /* sender of our feedback */
	struct rtp_ext_ids ids;
	struct list tracks;
	struct in_stream *streams; /* at most two per layer of its tracks */
	unsigned n_streams, cap_streams;
	unsigned last; /* index of the stream of the last packet */
	bool has_twcc;
	uint32_t twcc_media_ssrc;
	uint64_t report_due_us, tick_due_us;
	struct twcc_recv twcc;
};

/* ------------------------------------------------------------------ which stream */

static struct in_stream *stream_find(struct receiver *r, uint32_t ssrc)
{
	if (LIKELY(r->last < r->n_streams && r->streams[r->last].ssrc == ssrc))
		return &r->streams[r->last];
	for (unsigned i = 0; i < r->n_streams; i++) {
		if (r->streams[i].ssrc == ssrc) {
			r->last = i;
			return &r->streams[i];
		}
	}
	return NULL;
}

static void stream_drop(struct receiver *r, struct in_stream *s)
{
	*s = r->streams[--r->n_streams];
}

/*
 * From now on this SSRC is the layer's, and no other: a layer has one for media and one for repeats. Whatever was known
 * under either of the two before is forgotten.
 */
static struct in_stream *stream_set(
	struct receiver *r, struct uplayer *l, bool is_rtx, uint32_t ssrc)
{
	if (!ssrc)
		return NULL;
	struct in_stream *known = stream_find(r, ssrc);
	if (known) {
		*(known->is_rtx ? &known->layer->rtx_ssrc : &known->layer->ssrc) = 0;
		stream_drop(r, known);
	}
	*(is_rtx ? &l->rtx_ssrc : &l->ssrc) = ssrc;
	struct in_stream *slot = r->streams, *end = r->streams + r->n_streams;
	while (slot < end && !(slot->layer == l && slot->is_rtx == is_rtx))
		slot++;
	if (slot == end)
		r->n_streams++;
	*slot = (struct in_stream){ssrc, is_rtx, l};
	return slot;
}

static bool text_ext(const struct rtp_packet *pkt, uint8_t id, struct slice *text)
{
	return id && rtp_ext_text_read(rtp_ext_find(pkt, id), text);
}

static struct uptrack *track_by_mid(struct receiver *r, struct slice mid)
{
	list_for_each(node, &r->tracks) {
		struct uptrack *u = list_entry(node, struct uptrack, node);
		if (slice_eq_str(mid, u->mid))
			return u;
	}
	return NULL;
}

static struct uplayer *layer_by_rid(struct uptrack *u, struct slice rid)
{
	for (uint8_t i = 0; i < u->n_layers; i++)
		if (slice_eq_str(rid, u->layers[i].rid))
			return &u->layers[i];
	return NULL;
}

/* An SSRC that no description named introduces itself by mid, and rid or repaired-rid (RFC 9143 §15, RFC 8852). */
static struct in_stream *stream_learn(
	struct receiver *r, const struct rtp_packet *pkt, uint64_t now_us)
{
	struct slice mid, rid;
	if (!text_ext(pkt, r->ids.id[RTP_EXT_MID], &mid))
		return NULL;
	struct uptrack *u = track_by_mid(r, mid);
	if (!u)
		return NULL;
	bool is_rtx = u->rtx_payload_type && pkt->payload_type == u->rtx_payload_type;
	uint8_t rid_id = r->ids.id[is_rtx ? RTP_EXT_REPAIRED_RID : RTP_EXT_RID];
	struct uplayer *l = text_ext(pkt, rid_id, &rid)	    ? layer_by_rid(u, rid) :
			    u->n_layers == 1		    ? &u->layers[0] :
							      NULL;
	if (!l)
		return NULL;
	if (!is_rtx && l->ssrc) {
		recv_stats_init(&l->stats, u->codec->clock_rate);
		uptrack_layer_restart(l, now_us);
	}
	return stream_set(r, l, is_rtx, pkt->ssrc);
}

/* ------------------------------------------------------------------ timer */

static void arm(struct receiver *r, uint64_t at_us)
{
	if (!r->timer.is_armed || at_us / 1000 + 1 < r->timer.at_ms)
		wheel_set(r->wheel, &r->timer, at_us);
}

static uint64_t next_due(const struct receiver *r)
{
	uint64_t due = MIN(r->report_due_us, r->tick_due_us);
	if (r->has_twcc)
		due = MIN(due, twcc_recv_next_us(&r->twcc));
	list_for_each(node, &r->tracks) {
		const struct uptrack *u = list_entry(node, struct uptrack, node);
		for (uint8_t i = 0; i < u->n_layers && u->has_nack; i++)
			due = MIN(due, nack_gen_next_us(&u->layers[i].nack));
	}
	return due;
}

static void send_written(struct receiver *r, struct rtcp_writer *w)
{
	struct slice compound = rtcp_written(w);
	if (compound.n)
		session_tx_rtcp(r->session, compound);
	w->n = 0;
}

static void send_nacks(struct receiver *r, uint64_t now_us)
{
	uint8_t mem[SESSION_RTCP_MAX];
	struct rtcp_writer w = rtcp_writer(mem, sizeof mem);
	uint16_t seqs[NACK_BATCH];
	list_for_each(node, &r->tracks) {
		struct uptrack *u = list_entry(node, struct uptrack, node);
		for (uint8_t i = 0; i < u->n_layers && u->has_nack; i++) {
			struct uplayer *l = &u->layers[i];
			if (!l->ssrc)
				continue;
			nack_gen_set_rtt(&l->nack, session_rtt_us(r->session));
			size_t n = nack_gen_due(&l->nack, now_us, seqs, NACK_BATCH);
			metric_add(M_NACK_OUT, n);
			rtcp_add_nack(&w, r->own_ssrc, l->ssrc, seqs, n);
			if (w.cap - w.n < NACK_BYTES_MAX)
				send_written(r, &w);
		}
	}
	send_written(r, &w);
}

static void send_reports(struct receiver *r, uint64_t now_us)
{
	uint8_t mem[SESSION_RTCP_MAX];
	struct rtcp_writer w = rtcp_writer(mem, sizeof mem);
	struct rtcp_report_block blocks[RTCP_BLOCKS_MAX];
	size_t n = 0;
	r->report_due_us = now_us + REPORT_US;
	list_for_each(node, &r->tracks) {
		struct uptrack *u = list_entry(node, struct uptrack, node);
		for (uint8_t i = 0; i < u->n_layers; i++) {
			struct uplayer *l = &u->layers[i];
			if (l->ssrc)
				n += recv_stats_report(&l->stats, l->ssrc, now_us, &blocks[n]);
			if (n < RTCP_BLOCKS_MAX)
				continue;
			rtcp_add_rr(&w, r->own_ssrc, blocks, n);
			send_written(r, &w);
			n = 0;
		}
	}
	if (n)
		rtcp_add_rr(&w, r->own_ssrc, blocks, n);
	send_written(r, &w);
}

static void send_twcc(struct receiver *r, uint64_t now_us)
{
	uint8_t mem[SESSION_RTCP_MAX];
	while (r->has_twcc && r->twcc.held > 0) {
		struct rtcp_writer w = rtcp_writer(mem, sizeof mem);
		if (twcc_feedback_build(&r->twcc, &w, r->own_ssrc, r->twcc_media_ssrc, now_us) != 0)
			return;
		session_tx_rtcp(r->session, rtcp_written(&w));
	}
}

static void on_timer(void *arg, uint64_t now_us)
{
	struct receiver *r = arg;
	send_nacks(r, now_us);
	if (now_us >= r->report_due_us)
		send_reports(r, now_us);
	if (r->has_twcc && twcc_recv_is_due(&r->twcc, now_us))
		send_twcc(r, now_us);
	if (now_us >= r->tick_due_us) {
		r->tick_due_us = now_us + TICK_US;
		list_for_each_safe(node, &r->tracks)
			uptrack_tick(list_entry(node, struct uptrack, node), now_us);
	}
	if (!list_empty(&r->tracks))
		wheel_set(r->wheel, &r->timer, MAX(next_due(r), now_us + 1));
}

/* ------------------------------------------------------------------ packets */

/* An extension of one of two lengths: others are not what its number stands for, and might not fit when sent on. */
static struct slice ext_of(const struct rtp_packet *rtp, uint8_t id, size_t len, size_t other_len)
{
	struct slice data = rtp_ext_find(rtp, id);
	return data.n == len || data.n == other_len ? data : slice_of(NULL, 0);
}

void receiver_exts(const struct receiver *r, const struct rtp_packet *rtp,
	struct slice *capture_time, struct slice *orientation)
{
	*capture_time = ext_of(rtp, r->ids.id[RTP_EXT_ABS_CAPTURE_TIME], CAPTURE_TIME_LEN,
		CAPTURE_TIME_LONG_LEN);
	*orientation = ext_of(
		rtp, r->ids.id[RTP_EXT_VIDEO_ORIENTATION], ORIENTATION_LEN, ORIENTATION_LEN);
}

void receiver_describe(const struct receiver *r, struct uplayer *l, const struct rtp_packet *rtp,
	uint64_t now_us, struct fwd_packet *out)
{
	const struct rtp_codec *codec = l->track->codec;
	*out = (struct fwd_packet){
		.rtp = rtp,
		.layer = l,
		.now_us = now_us,
		.is_padding = rtp_is_padding_only(rtp),
	};
	receiver_exts(r, rtp, &out->capture_time, &out->orientation);
	if (out->is_padding) {
		metric_drop(DROP_RTP_PADDING);
		return;
	}
	bool is_readable = rtp_codec_inspect(codec, &out->frame, rtp->payload);
	if (is_readable && codec->descriptor == RTP_DESCRIPTOR_VP8)
		is_readable = out->has_vp8 = vp8_desc_parse(&out->vp8, rtp->payload) == 0;
	if (!is_readable) {
		metric_drop(DROP_RTP_MALFORMED);
		out->is_padding = true; /* or subscribers would ask for its number */
	}
}

static void take_level(struct receiver *r, struct uptrack *u, const struct rtp_packet *rtp)
{
	struct rtp_audio_level level;
	uint8_t id = r->ids.id[RTP_EXT_AUDIO_LEVEL];
	if (id && rtp_ext_audio_level_read(rtp_ext_find(rtp, id), &level))
		loudness_push(&u->loudness, level.level, rtp->timestamp, u->codec->clock_rate);
}

static void forward(
	struct receiver *r, struct uplayer *l, const struct rtp_packet *rtp, uint64_t now_us)
{
	struct fwd_packet pkt;
	receiver_describe(r, l, rtp, now_us, &pkt);
	if (l->track->codec->media == RTP_AUDIO)
		take_level(r, l->track, rtp);
	if (pkt.frame.width)
		uptrack_layer_size(l, pkt.frame.width, pkt.frame.height, now_us);
	fwd_push(l->track, &pkt);
}

static void rx_media(
	struct receiver *r, struct uplayer *l, const struct rtp_packet *pkt, uint64_t now_us)
{
	switch (recv_stats_push(&l->stats, pkt, now_us)) {
	case RECV_NEWEST:
	case RECV_LATE: break;
	case RECV_DUPLICATE:
	case RECV_STALE: metric_drop(DROP_RTP_DUPLICATE); return;
	case RECV_RESTARTED: uptrack_layer_restart(l, now_us); break;
	}
	if (l->track->has_nack) {
		nack_gen_push(&l->nack, pkt->seq, now_us);
		uint64_t due = nack_gen_next_us(&l->nack);
		if (due != UINT64_MAX)
			arm(r, due);
	}
	if (pktbuf_put(l->buf, pkt->seq, pkt->raw) == -ERR_EXISTS) {
		metric_drop(DROP_RTP_DUPLICATE);
		return;
	}
	uptrack_layer_packet(l, pkt->raw.n, now_us);
	forward(r, l, pkt, now_us);
}

static void rx_repair(struct receiver *r, struct uplayer *l, uint8_t *p, size_t n, uint64_t now_us)
{
	struct rtp_packet pkt;
	if (!l->ssrc || rtp_rtx_unwrap(&pkt, p, n, l->ssrc, l->track->payload_type) != 0) {
		metric_drop(DROP_RTP_PADDING); /* bandwidth probes on the RTX stream carry nothing */
		return;
	}
	/* What the layer does not expect would carry its numbers away. */
	int ahead = seq_diff(pkt.seq, (uint16_t)l->stats.unwrap.high);
	if (!l->stats.unwrap.is_started || ahead > REPAIR_AHEAD_MAX || ahead <= -SEQ_WINDOW_LEN) {
		metric_drop(DROP_RTP_DUPLICATE);
		return;
	}
	nack_gen_push(&l->nack, pkt.seq, now_us);
	if (pktbuf_put(l->buf, pkt.seq, pkt.raw) != 0) {
		metric_drop(DROP_RTP_DUPLICATE);
		return;
	}
	forward(r, l, &pkt, now_us);
}

static void note_twcc(struct receiver *r, const struct rtp_packet *pkt, uint64_t now_us)
{
	uint16_t seq;
	if (!r->ids.id[RTP_EXT_TWCC] ||
		!rtp_ext_twcc_read(rtp_ext_find(pkt, r->ids.id[RTP_EXT_TWCC]), &seq))
		return;
	r->has_twcc = true;
	r->twcc_media_ssrc = pkt->ssrc;
	twcc_recv_push(&r->twcc, seq, pkt->marker, now_us);
	if (twcc_recv_is_due(&r->twcc, now_us))
		send_twcc(r, now_us);
	else
		arm(r, twcc_recv_next_us(&r->twcc));
}

void receiver_rtp(struct receiver *r, uint8_t *p, size_t n, uint64_t now_us)
{
	struct rtp_packet pkt;
	if (n > RTP_PACKET_MAX || rtp_parse(&pkt, slice_of(p, n)) != 0) {
		metric_drop(DROP_RTP_MALFORMED);
		return;
	}
	note_twcc(r, &pkt, now_us);
	struct in_stream *s = stream_find(r, pkt.ssrc);
	if (UNLIKELY(!s))
		s = stream_learn(r, &pkt, now_us);
	if (UNLIKELY(!s)) {
		metric_drop(DROP_RTP_UNKNOWN_SSRC);
		return;
	}
	struct uplayer *l = s->layer;
	if (pkt.payload_type != (s->is_rtx ? l->track->rtx_payload_type : l->track->payload_type))
		metric_drop(DROP_RTP_PAYLOAD_TYPE);
	else if (s->is_rtx)
		rx_repair(r, l, p, n, now_us);
	else
		rx_media(r, l, &pkt, now_us);
}

void receiver_rtcp(struct receiver *r, const struct rtcp_packet *pkt, uint64_t now_us)
{
	struct rtcp_sr sr;
	if (rtcp_kind(pkt) != RTCP_SR || rtcp_sr_parse(&sr, pkt) != 0)
		return;
	struct in_stream *s = stream_find(r, sr.ssrc);
	if (!s || s->is_rtx)
		return;
	struct uplayer *l = s->layer;
	recv_stats_sr(&l->stats, sr.ntp, now_us);
	l->has_sr = true;
	l->sr_ntp = sr.ntp;
	l->sr_rtp = sr.rtp_timestamp;
	l->sr_at_us = now_us;
}

void receiver_send_pli(struct receiver *r, uint32_t media_ssrc)
{
	uint8_t mem[16];
	struct rtcp_writer w = rtcp_writer(mem, sizeof mem);
	rtcp_add_pli(&w, r->own_ssrc, media_ssrc);
	send_written(r, &w);
}

/* ------------------------------------------------------------------ life */

struct receiver *receiver_new(struct session *s, struct wheel *wheel)
{
	struct receiver *r = XNEW(struct receiver);
	r->session = s;
	r->wheel = wheel;
	r->own_ssrc = rng_u32() | 1;
	list_init(&r->tracks);
	timer_init(&r->timer, on_timer, r);
	twcc_recv_init(&r->twcc);
	return r;
}

void receiver_free(struct receiver *r)
{
	if (!r)
		return;
	wheel_del(r->wheel, &r->timer);
	xfree(r->streams);
	xfree(r);
}

void receiver_set_ext_ids(struct receiver *r, const struct rtp_ext_ids *ids)
{
	if (memcmp(&r->ids, ids, sizeof r->ids) == 0)
		return;
	r->ids = *ids;
	/* Kept packets would be repeated with other extensions than they were sent with. */
	list_for_each(node, &r->tracks) {
		struct uptrack *u = list_entry(node, struct uptrack, node);
		for (uint8_t i = 0; i < u->n_layers; i++)
			pktbuf_clear(u->layers[i].buf);
	}
}

void receiver_attach(struct receiver *r, struct uptrack *u)
{
	unsigned layers = u->n_layers;
	list_for_each(node, &r->tracks)
		layers += list_entry(node, struct uptrack, node)->n_layers;
	if (r->cap_streams < 2 * layers) {
		r->cap_streams = 2 * layers;
		r->streams = xrealloc(r->streams, r->cap_streams * sizeof *r->streams);
	}
	list_push(&r->tracks, &u->node);
	for (uint8_t i = 0; i < u->n_layers; i++) {
		struct uplayer *l = &u->layers[i];
		(void)stream_set(r, l, false, l->ssrc);
		(void)stream_set(r, l, true, l->rtx_ssrc);
	}
	arm(r, r->wheel->now_ms * 1000 + TICK_US);
}

void receiver_detach(struct receiver *r, struct uptrack *u)
{
	list_del(&u->node);
	for (unsigned i = 0; i < r->n_streams;) {
		if (r->streams[i].layer->track == u)
			stream_drop(r, &r->streams[i]);
		else
			i++;
	}
}
