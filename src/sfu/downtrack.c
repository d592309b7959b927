#include "sfu/downtrack.h"

#include <string.h>

#include "base/clock.h"
#include "base/hot.h"
#include "base/mem.h"
#include "base/metric.h"
#include "base/rng.h"
#include "sfu/downtrack_internal.h"
#include "sfu/receiver_internal.h"
#include "sfu/sender_internal.h"

enum {
	EXTS_MAX = 3,
	RTT_DEFAULT_US = 70 * 1000,
	KEY_FRAME_RETRY_MIN_US = 200 * 1000,
	KEY_FRAME_RETRY_MAX_US = 1000 * 1000,
	NO_TEMPORAL_LIMIT = 7,
	CATCH_UP_MAX = 128, /* packets: fewer than a pktbuf holds for certain */
};

/* ------------------------------------------------------------------ headers */

/* The whole of an empty packet's padding: one byte, telling its own length. */
static const uint8_t padding_byte = 1;
static const struct slice one_byte_of_padding = {&padding_byte, 1};

/* What the subscriber sees of the extensions. `mem` holds values that are made here. */
static size_t fill_exts(const struct downtrack *d, struct slice capture_time,
	struct slice orientation, uint64_t now_us, uint8_t mem[3], struct rtp_ext exts[EXTS_MAX])
{
	size_t n = 0;
	if (d->id_send_time) {
		rtp_ext_abs_send_time_write(mem, now_us);
		exts[n++] = (struct rtp_ext){d->id_send_time, slice_of(mem, 3)};
	}
	if (d->id_capture_time && capture_time.n)
		exts[n++] = (struct rtp_ext){d->id_capture_time, capture_time};
	if (d->id_orientation && orientation.n)
		exts[n++] = (struct rtp_ext){d->id_orientation, orientation};
	return n;
}

static bool write_out(struct downtrack *d, struct srtp_stream *stream, struct rtp_header *h,
	struct slice capture_time, struct slice orientation, struct slice prefix,
	struct slice payload, uint64_t now_us)
{
	uint8_t mem[3];
	struct rtp_ext exts[EXTS_MAX];
	h->exts = exts;
	h->ext_count = fill_exts(d, capture_time, orientation, now_us, mem, exts);
	struct rtp_out *out = session_tx_rtp(d->session);
	int n = rtp_header_write(out->hdr, sizeof out->hdr, h);
	out->stream = stream;
	out->hdr_len = n > 0 ? (uint8_t)n : 0;
	out->prefix_len = (uint8_t)prefix.n;
	if (prefix.n)
		memcpy(out->prefix, prefix.p, prefix.n);
	out->payload = payload.p;
	out->payload_len = (uint16_t)payload.n;
	return n > 0;
}

/* ------------------------------------------------------------------ forwarding */

/* The source's timestamp at this moment, by its last sender report. */
static uint64_t source_ntp(const struct uplayer *l, uint32_t ts, uint32_t clock_rate)
{
	int64_t ticks = ts_diff(ts, l->sr_rtp);
	return l->sr_ntp + (uint64_t)(ticks * ((int64_t)1 << 32) / (int64_t)clock_rate);
}

/*
 * The timestamp that a packet of another layer should leave with. Layers have clocks of their own;
 * sender reports relate them (RFC 3550 §6.4.1). Without reports, or when they are more than a second off, the time
 * since the last packet has to do.
 */
static uint32_t expected_ts(const struct downtrack *d, const struct fwd_packet *pkt)
{
	uint32_t rate = d->up->codec->clock_rate;
	uint64_t passed_us = pkt->now_us - d->last_sent_us;
	uint32_t by_time = d->rtp.ts_high - d->ts_late + (uint32_t)(passed_us * rate / US_PER_S);
	const struct uplayer *from = d->current >= 0 ? &d->up->layers[d->current] : NULL;
	if (!from || !from->has_sr || !pkt->layer->has_sr)
		return by_time;
	uint64_t apart = source_ntp(pkt->layer, pkt->rtp->timestamp, rate) - from->sr_ntp;
	int64_t ticks =
		((int64_t)apart >> 32) * rate + (int64_t)((apart & UINT32_MAX) * rate >> 32);
	uint32_t by_reports = from->sr_rtp + (uint32_t)ticks - d->rtp.ts_offset - d->ts_late;
	int32_t off = ts_diff(by_reports, by_time);
	return off > (int32_t)rate || off < -(int32_t)rate ? by_time : by_reports;
}

/* How many packets of this layer, newer than this one, have come already: reordered, or it was lost and repeated. */
static unsigned missed_behind(const struct fwd_packet *pkt)
{
	int behind = -seq_diff(pkt->rtp->seq, (uint16_t)pkt->layer->stats.unwrap.high);
	return behind > 0 ? (unsigned)behind : 0;
}

/* Layers change at key frames only; while nothing is sent yet, a lower layer than the target is better than waiting. */
static bool may_switch(const struct downtrack *d, const struct fwd_packet *pkt)
{
	int layer = pkt->layer->index;
	if (!pkt->frame.is_key_frame || pkt->is_padding)
		return false;
	if (layer != d->target && !(layer > d->current && layer < d->target))
		return false;
	return missed_behind(pkt) <= CATCH_UP_MAX;
}

static void switch_layer(struct downtrack *d, const struct fwd_packet *pkt)
{
	bool is_first = !d->rtp.has_sent;
	uint32_t expected = expected_ts(d, pkt);
	rtp_munger_switch(&d->rtp, pkt->rtp->seq, pkt->rtp->timestamp, expected);
	d->ts_late = is_first ? 0 : pkt->rtp->timestamp - d->rtp.ts_offset - expected;
	if (pkt->has_vp8)
		vp8_munger_switch(&d->vp8, &pkt->vp8);
	/* After a pause of unknown length the source's numbers may have come round. */
	if (d->current == LAYER_NONE)
		sent_log_clear(d->log);
	d->current = (int8_t)pkt->layer->index;
	d->is_waiting = d->current != d->target;
}

static void remember(struct downtrack *d, const struct fwd_packet *pkt, const struct rtp_munged *m,
	struct vp8_numbers numbers)
{
	struct rtp_sent sent = {
		.timestamp = m->timestamp,
		.seq = m->seq,
		.source_seq = pkt->rtp->seq,
		.vp8 = numbers,
		.source = pkt->layer->index,
	};
	sent_log_put(d->log, &sent);
	d->packets++;
	metric_inc(M_RTP_OUT);
}

/*
 * Left out on purpose: the numbers close over it. For a late one a number was kept free, and the subscriber asks for
 * it: an empty packet takes the place (RFC 3550 §5.1, padding).
 */
static void leave_out(struct downtrack *d, const struct fwd_packet *pkt)
{
	struct rtp_munged m;
	if (rtp_munger_skip(&d->rtp, pkt->rtp->seq) != -ERR_BAD_STATE ||
		rtp_munger_take(&d->rtp, pkt->rtp->seq, pkt->rtp->timestamp, &m) != 0)
		return;
	struct rtp_header h = {
		.timestamp = m.timestamp,
		.ssrc = d->ssrc,
		.seq = m.seq,
		.payload_type = d->payload_type,
		.has_padding = true,
	};
	struct slice none = {NULL, 0};
	if (write_out(d, d->stream, &h, none, none, none, one_byte_of_padding, pkt->now_us))
		remember(d, pkt, &m, (struct vp8_numbers){0});
}

/* The rewritten VP8 descriptor, or false if this picture is left out. */
static bool munge_vp8(struct downtrack *d, const struct fwd_packet *pkt, bool is_newest,
	struct vp8_numbers *numbers)
{
	if (pkt->frame.temporal_id > d->max_temporal && vp8_munger_skip(&d->vp8, &pkt->vp8) == 0)
		return false;
	return vp8_munger_take(&d->vp8, &pkt->vp8, is_newest, numbers) == 0;
}

static void send(struct downtrack *d, const struct fwd_packet *pkt)
{
	struct vp8_numbers numbers = {0};
	struct slice payload = pkt->rtp->payload;
	uint8_t prefix[VP8_DESC_MAX];
	size_t prefix_len = 0;
	if (pkt->has_vp8) {
		bool is_newest =
			seq_unwrap_peek(&d->rtp.unwrap, pkt->rtp->seq) >= d->rtp.unwrap.high;
		if (!munge_vp8(d, pkt, is_newest, &numbers)) {
			leave_out(d, pkt);
			metric_drop(DROP_DOWN_TEMPORAL);
			return;
		}
		prefix_len = vp8_desc_write(prefix, &pkt->vp8, numbers);
		payload = slice_of(payload.p + pkt->vp8.len, payload.n - pkt->vp8.len);
	}
	struct rtp_munged m;
	int err = rtp_munger_take(&d->rtp, pkt->rtp->seq, pkt->rtp->timestamp, &m);
	if (err) {
		metric_drop(err == -ERR_REPLAY ? DROP_DOWN_TOO_OLD : DROP_DOWN_LAYER);
		return;
	}
	struct rtp_header h = {
		.timestamp = m.timestamp,
		.ssrc = d->ssrc,
		.seq = m.seq,
		.payload_type = d->payload_type,
		.marker = pkt->rtp->marker,
	};
	if (!write_out(d, d->stream, &h, pkt->capture_time, pkt->orientation,
		    slice_of(prefix, prefix_len), payload, pkt->now_us))
		return;
	remember(d, pkt, &m, numbers);
	if (pkt->frame.is_key_frame)
		d->is_repair_held = false;
	d->last_sent_us = pkt->now_us;
	d->bytes += prefix_len + payload.n;
}

static void send_or_leave_out(struct downtrack *d, const struct fwd_packet *pkt)
{
	if (pkt->is_padding)
		leave_out(d, pkt);
	else
		send(d, pkt);
}

/* A layer was entered at a key frame whose first packet came late: what came before it follows it now. */
static void catch_up(struct downtrack *d, const struct fwd_packet *first)
{
	struct uplayer *l = first->layer;
	unsigned n = missed_behind(first);
	for (unsigned i = 1; i <= n; i++) {
		struct slice raw = pktbuf_get(l->buf, (uint16_t)(first->rtp->seq + i));
		struct rtp_packet rtp;
		struct fwd_packet pkt;
		if (!raw.n || rtp_parse(&rtp, raw) != 0)
			continue;
		receiver_describe(d->up->receiver, l, &rtp, first->now_us, &pkt);
		send_or_leave_out(d, &pkt);
	}
	if (n)
		session_flush_all(d->session); /* payloads point into the publisher's buffer */
}

void downtrack_push(struct downtrack *d, const struct fwd_packet *pkt)
{
	if (UNLIKELY(!d->stream)) {
		metric_drop(DROP_DOWN_NOT_CONNECTED);
		return;
	}
	if (d->target == LAYER_NONE) {
		metric_drop(DROP_DOWN_MUTED);
		return;
	}
	if (pkt->layer->index != d->current) {
		if (!may_switch(d, pkt)) {
			metric_drop(d->current == LAYER_NONE ? DROP_DOWN_WAIT_KEYFRAME
							     : DROP_DOWN_LAYER);
			return;
		}
		switch_layer(d, pkt);
		send(d, pkt);
		catch_up(d, pkt);
		return;
	}
	send_or_leave_out(d, pkt);
}

/* ------------------------------------------------------------------ repeating */

static void repeat_packet(struct downtrack *d, const struct rtp_sent *sent,
	const struct rtp_packet *rtp, uint64_t now_us)
{
	bool is_vp8 = d->up->codec->descriptor == RTP_DESCRIPTOR_VP8;
	uint8_t prefix[RTX_OSN_LEN + VP8_DESC_MAX];
	size_t prefix_len = 0;
	struct slice payload = rtp->payload;
	struct vp8_desc desc;
	if (d->rtx_stream) {
		wr16(prefix, sent->seq);
		prefix_len = RTX_OSN_LEN;
	}
	bool is_empty = rtp_is_padding_only(rtp);
	if (is_empty) {
		payload = one_byte_of_padding;
	} else if (is_vp8) {
		if (vp8_desc_parse(&desc, payload) != 0)
			return;
		prefix_len += vp8_desc_write(prefix + prefix_len, &desc, sent->vp8);
		payload = slice_of(payload.p + desc.len, payload.n - desc.len);
	}
	struct rtp_header h = {
		.timestamp = sent->timestamp,
		.ssrc = d->rtx_stream ? d->rtx_ssrc : d->ssrc,
		.seq = d->rtx_stream ? d->rtx_seq++ : sent->seq,
		.payload_type = d->rtx_stream ? d->rtx_payload_type : d->payload_type,
		.marker = rtp->marker && !is_empty,
		.has_padding = is_empty,
	};
	struct slice capture_time = {NULL, 0}, orientation = {NULL, 0};
	if (!is_empty)
		receiver_exts(d->up->receiver, rtp, &capture_time, &orientation);
	struct srtp_stream *stream = d->rtx_stream ? d->rtx_stream : d->stream;
	if (write_out(d, stream, &h, capture_time, orientation, slice_of(prefix, prefix_len),
		    payload, now_us))
		metric_inc(M_RTX_OUT);
}

void downtrack_repeat(struct downtrack *d, uint16_t seq, uint64_t now_us)
{
	/*
	 * Without an RTX stream a packet may be repeated only with the very same bytes (one IV, one packet); a send
	 * time in its header rules that out.
	 */
	if (!d->stream || d->is_repair_held || (!d->rtx_stream && d->id_send_time))
		return;
	uint32_t rtt = session_rtt_us(d->session);
	struct rtp_sent sent;
	if (sent_log_repeat(d->log, seq, now_us, rtt ? rtt : RTT_DEFAULT_US, &sent) != 0)
		return;
	struct slice raw = pktbuf_get(d->up->layers[sent.source].buf, sent.source_seq);
	struct rtp_packet rtp;
	if (raw.n && rtp_parse(&rtp, raw) == 0)
		repeat_packet(d, &sent, &rtp, now_us);
}

/* ------------------------------------------------------------------ layers */

static void ask_for_key_frame(struct downtrack *d, uint64_t now_us)
{
	d->key_frame_asked_us = now_us;
	uptrack_request_key_frame(d->up, d->target, now_us);
}

void downtrack_retarget(struct downtrack *d, uint64_t now_us)
{
	struct uptrack *u = d->up;
	int wanted = layer_wanted(&d->wish, u->info, u->n_layers);
	int target = layer_pick(u->info, u->n_layers, wanted, d->ceiling, d->current);
	bool moved = wanted != d->wanted;
	d->wanted = (int8_t)wanted;
	d->target = (int8_t)target;
	if (target == LAYER_NONE)
		d->current = LAYER_NONE;
	d->is_waiting = target != LAYER_NONE && target != d->current && u->codec->has_key_frames;
	if (moved)
		uptrack_update_wanted(u);
	if (d->is_waiting && d->stream) {
		ask_for_key_frame(d, now_us);
		sender_wake(d->sender, now_us);
	}
}

void downtrack_source_restarted(struct downtrack *d, int layer, uint64_t now_us)
{
	sent_log_clear(d->log);
	if (d->current != layer)
		return;
	d->current = LAYER_NONE;
	downtrack_retarget(d, now_us);
}

void downtrack_key_frame_wanted(struct downtrack *d, uint64_t now_us)
{
	d->is_repair_held = true;
	if (d->current != LAYER_NONE)
		uptrack_request_key_frame(d->up, d->current, now_us);
	else
		ask_for_key_frame(d, now_us);
}

uint64_t downtrack_tick(struct downtrack *d, uint64_t now_us)
{
	if (!d->is_waiting || !d->stream)
		return UINT64_MAX;
	uint64_t retry = CLAMP(2 * (uint64_t)session_rtt_us(d->session),
		(uint64_t)KEY_FRAME_RETRY_MIN_US, (uint64_t)KEY_FRAME_RETRY_MAX_US);
	if (now_us - d->key_frame_asked_us >= retry)
		ask_for_key_frame(d, now_us);
	return d->key_frame_asked_us + retry;
}

void downtrack_set_wish(struct downtrack *d, const struct layer_wish *wish, uint64_t now_us)
{
	d->wish = *wish;
	downtrack_retarget(d, now_us);
}

void downtrack_set_ceiling(struct downtrack *d, int layer, uint64_t now_us)
{
	d->ceiling = (int8_t)CLAMP(layer, 0, LAYERS_MAX - 1);
	downtrack_retarget(d, now_us);
}

/* ------------------------------------------------------------------ reports and life */

bool downtrack_report(const struct downtrack *d, uint64_t now_us, struct rtcp_sr *sr)
{
	if (d->current == LAYER_NONE || !d->packets)
		return false;
	const struct uplayer *l = &d->up->layers[d->current];
	if (!l->has_sr)
		return false;
	/* The publisher's own clock: audio and video of one publisher stay in step (RFC 3550 §6.4.1). */
	uint64_t passed_us = now_us - l->sr_at_us;
	uint32_t ticks = (uint32_t)(passed_us * d->up->codec->clock_rate / US_PER_S);
	uint64_t passed_ntp =
		(passed_us / US_PER_S << 32) + (passed_us % US_PER_S << 32) / US_PER_S;
	*sr = (struct rtcp_sr){
		.ssrc = d->ssrc,
		.ntp = l->sr_ntp + passed_ntp,
		.rtp_timestamp = l->sr_rtp + ticks - d->rtp.ts_offset,
		.packets = (uint32_t)d->packets,
		.bytes = (uint32_t)d->bytes,
	};
	return true;
}

void downtrack_connect(struct downtrack *d, uint64_t now_us)
{
	if (d->stream)
		return;
	d->stream = session_stream_add(d->session, d->ssrc);
	if (d->rtx_ssrc)
		d->rtx_stream = session_stream_add(d->session, d->rtx_ssrc);
	if (d->stream)
		downtrack_retarget(d, now_us);
}

struct downtrack *downtrack_new(
	struct uptrack *u, struct sender *s, const struct downtrack_cfg *cfg)
{
	struct downtrack *d = XNEW(struct downtrack);
	d->up = u;
	d->sender = s;
	d->session = sender_session(s);
	d->ssrc = cfg->ssrc;
	d->rtx_ssrc = cfg->rtx_payload_type ? cfg->rtx_ssrc : 0;
	d->payload_type = cfg->payload_type;
	d->rtx_payload_type = cfg->rtx_payload_type;
	d->id_send_time = cfg->ids.id[RTP_EXT_ABS_SEND_TIME];
	d->id_capture_time = cfg->ids.id[RTP_EXT_ABS_CAPTURE_TIME];
	d->id_orientation = cfg->ids.id[RTP_EXT_VIDEO_ORIENTATION];
	d->max_temporal = NO_TEMPORAL_LIMIT;
	d->is_video = u->codec->media == RTP_VIDEO;
	d->current = d->target = d->wanted = LAYER_NONE;
	d->ceiling = LAYERS_MAX - 1;
	d->wish = cfg->wish;
	/* Below 2^15, so that a lost first packet does not confuse the receiver's rollover counter
	 * (RFC 3711 §3.3.1). */
	d->rtx_seq = (uint16_t)(rng_u32() & 0x7fff);
	rtp_munger_init(&d->rtp, (uint16_t)(rng_u32() & 0x7fff), rng_u32());
	vp8_munger_init(&d->vp8,
		(struct vp8_numbers){(uint16_t)(rng_u32() & 0x7fff), (uint8_t)rng_u32(), 0});
	d->log = sent_log_new(d->is_video ? SENT_LOG_VIDEO : SENT_LOG_AUDIO);
	uptrack_attach(u, d);
	sender_attach(s, d);
	metric_inc(M_TRACKS_SUBSCRIBED);
	return d;
}

void downtrack_free(struct downtrack *d)
{
	if (!d)
		return;
	uptrack_detach(d->up, d);
	sender_detach(d->sender, d);
	session_stream_del(d->session, d->stream);
	session_stream_del(d->session, d->rtx_stream);
	sent_log_free(d->log);
	xfree(d);
	metric_sub(M_TRACKS_SUBSCRIBED, 1);
}

int downtrack_layer(const struct downtrack *d)
{
	return d->current;
}

uint64_t downtrack_packets(const struct downtrack *d)
{
	return d->packets;
}
