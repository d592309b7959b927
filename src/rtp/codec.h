/*
 * codec: the codecs that are forwarded, one row each. A further codec is a further row here and
 * a parser file beside vp8.c.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/slice.h"

enum rtp_media { RTP_AUDIO, RTP_VIDEO };

/* Which numbers inside the payload must be rewritten when a stream is forwarded in parts. */
enum rtp_descriptor { RTP_DESCRIPTOR_NONE, RTP_DESCRIPTOR_VP8 };

/* What one packet's payload says about the frame it belongs to. */
struct rtp_frame_info {
	uint16_t width, height; /* 0 = not in this packet */
	uint8_t temporal_id;    /* 0 = base layer or unknown */
	bool is_frame_start, is_key_frame;
	bool is_layer_sync; /* a receiver may step up to temporal_id here */
};

struct rtp_codec {
	const char *mime; /* as in LiveKit's CodecParameters: "video/VP8" */
	enum rtp_media media;
	uint32_t clock_rate;
	uint8_t channels;
	enum rtp_descriptor descriptor;
	bool has_key_frames;
	/* False if the payload cannot be read; NULL when every packet stands alone (audio). */
	bool (*inspect)(struct rtp_frame_info *out, struct slice payload);
};

/* By MIME type, letter case ignored; NULL if we do not forward it. Static storage. */
const struct rtp_codec *rtp_codec_find(struct slice mime);

/* The i-th row, NULL past the end. */
const struct rtp_codec *rtp_codec_at(size_t i);

/* Calls inspect; without one every packet is a frame and a key frame. */
bool rtp_codec_inspect(const struct rtp_codec *c, struct rtp_frame_info *out, struct slice payload);
