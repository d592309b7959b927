/*
 * source: packets of a publisher's layer, made by hand: VP8 with all numbers, or Opus. The frame's data says what it
 * is, so that whoever receives it can tell what should have arrived.
 */
#pragma once
#include <string.h>
#include "rtp/rtp.h"

enum {
	SOURCE_PT = 96,
	SOURCE_RTX_PT = 97,
	SOURCE_OPUS_PT = 111,
	SOURCE_MID_ID = 4,
	SOURCE_RID_ID = 10,
	SOURCE_REPAIRED_RID_ID = 11,
	SOURCE_CAPTURE_ID = 6,
	SOURCE_TWCC_ID = 5,
	SOURCE_PACKET_MAX = 1500,
	SOURCE_TAG_LEN = 8,
};

/* What a packet of video says about itself. */
struct source_tag {
	uint8_t layer, index, count, tid;
	uint16_t frame, ref; /* ref == frame: none, a key frame */
};

struct source {
	uint32_t ssrc, rtx_ssrc;
	uint8_t layer, tid;
	uint16_t seq, rtx_seq;
	uint32_t ts;
	uint16_t picture_id, frame, base;
	uint8_t tl0, key_idx;
	uint16_t width, height;
	size_t filler; /* bytes behind the tag */
	const char *mid, *rid; /* sent as extensions unless NULL */
};

static inline size_t source_header(const struct source *s, uint8_t pt, bool marker, uint8_t *out)
{
	struct rtp_ext exts[2];
	size_t n = 0;
	if (s->mid)
		exts[n++] = (struct rtp_ext){SOURCE_MID_ID, slice_str(s->mid)};
	if (s->rid)
		exts[n++] = (struct rtp_ext){SOURCE_RID_ID, slice_str(s->rid)};
	struct rtp_header h = {
		.timestamp = s->ts,
		.ssrc = s->ssrc,
		.seq = s->seq,
		.payload_type = pt,
		.marker = marker,
		.exts = exts,
		.ext_count = n,
	};
	return (size_t)rtp_header_write(out, SOURCE_PACKET_MAX, &h);
}

/* Packet `index` of `count` of the current frame; takes the next number. Returns its length. */
static inline size_t source_video(
	struct source *s, bool is_key, uint8_t index, uint8_t count, uint8_t out[SOURCE_PACKET_MAX])
{
	size_t n = source_header(s, SOURCE_PT, index + 1 == count, out);
	out[n++] = (uint8_t)(0x80 | (index == 0 ? 0x10 : 0)); /* X, S, partition 0 */
	out[n++] = 0xf0;				      /* I, L, T, K */
	wr16(out + n, (uint16_t)(0x8000 | (s->picture_id & 0x7fff)));
	n += 2;
	out[n++] = s->tl0;
	out[n++] = (uint8_t)(s->tid << 6 | (s->key_idx & 31));
	if (index == 0) {
		out[n++] = is_key ? 0 : 1;
		out[n++] = 0;
		out[n++] = 0;
	}
	if (index == 0 && is_key) {
		const uint8_t start[] = {0x9d, 0x01, 0x2a, (uint8_t)s->width,
			(uint8_t)(s->width >> 8), (uint8_t)s->height, (uint8_t)(s->height >> 8)};
		memcpy(out + n, start, sizeof start);
		n += sizeof start;
	}
	out[n] = s->layer;
	out[n + 1] = index;
	out[n + 2] = count;
	out[n + 3] = s->tid;
	wr16(out + n + 4, s->frame);
	wr16(out + n + 6, is_key ? s->frame : s->base);
	n += SOURCE_TAG_LEN;
	memset(out + n, s->layer, s->filler);
	s->seq++;
	return n + s->filler;
}

/* The frame's packets are all made: on to the next, `ticks` later. */
static inline void source_next(struct source *s, bool was_key, uint32_t ticks, uint8_t next_tid)
{
	if (s->tid == 0 || was_key)
		s->base = s->frame;
	s->frame++;
	s->picture_id++;
	s->ts += ticks;
	s->tid = next_tid;
	if (next_tid == 0)
		s->tl0++;
}

/* The tag of a received payload; false for one without (padding). */
static inline bool source_read_tag(struct slice payload, struct source_tag *tag)
{
	struct vp8_desc d;
	if (vp8_desc_parse(&d, payload) != 0)
		return false;
	size_t at = d.len;
	if (vp8_is_frame_start(&d))
		at += vp8_is_key_frame(&d, payload) ? 10 : 3;
	if (payload.n < at + SOURCE_TAG_LEN)
		return false;
	const uint8_t *p = payload.p + at;
	*tag = (struct source_tag){p[0], p[1], p[2], p[3], rd16(p + 4), rd16(p + 6)};
	return true;
}

/* One frame of 20 ms. */
static inline size_t source_audio(struct source *s, uint8_t out[SOURCE_PACKET_MAX])
{
	size_t n = source_header(s, SOURCE_OPUS_PT, false, out);
	wr16(out + n, s->frame++);
	s->seq++;
	s->ts += 960;
	return n + 2;
}

/* A packet with nothing but padding; takes the next number. */
static inline size_t source_padding(struct source *s, uint8_t out[SOURCE_PACKET_MAX])
{
	size_t n = source_header(s, SOURCE_PT, false, out);
	out[0] |= 0x20;
	rtp_padding_write(out + n, 20);
	s->seq++;
	return n + 20;
}

/* The packet again, on the RTX stream. */
static inline size_t source_repeat(
	struct source *s, struct slice original, uint8_t out[SOURCE_PACKET_MAX])
{
	struct rtp_packet pkt;
	if (rtp_parse(&pkt, original) != 0)
		return 0;
	struct rtp_header h = {
		.timestamp = pkt.timestamp,
		.ssrc = s->rtx_ssrc,
		.seq = s->rtx_seq++,
		.payload_type = SOURCE_RTX_PT,
		.marker = pkt.marker,
	};
	int n = rtp_rtx_header_write(out, SOURCE_PACKET_MAX, &h, pkt.seq);
	memcpy(out + n, pkt.payload.p, pkt.payload.n);
	return (size_t)n + pkt.payload.n;
}
