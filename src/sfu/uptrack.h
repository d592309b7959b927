/*
 * uptrack: one published track: its layers as they arrive, and the subscribers they go to.
 *
 * Made by rooms/ when a publisher's description names a track; fed by the receiver of its session.
 */
#pragma once
#include "base/list.h"
#include "rtp/rtp.h"
#include "sfu/layers.h"
#include "sfu/loudness.h"

struct downtrack;
struct receiver;
struct uptrack;

struct uptrack_ops {
	/* A layer began or ceased to arrive, or its size changed; also at the first packet. */
	void (*layers_changed)(void *arg);
	/*
	 * The highest layer that any subscriber wants has changed (LAYER_NONE: nobody wants the track). Told at
	 * once; it is the caller who delays downgrades.
	 */
	void (*wanted_changed)(void *arg, int layer);
};

struct uptrack_layer_cfg {
	char rid[RTP_SDES_TEXT_MAX + 1]; /* "" = no rid, one layer */
	uint32_t ssrc, rtx_ssrc;         /* 0 = to be learned from mid and rid */
	uint32_t width, height;
	enum layer_quality quality;
};

struct uptrack_cfg {
	const struct rtp_codec *codec;
	char mid[RTP_SDES_TEXT_MAX + 1];
	uint8_t payload_type, rtx_payload_type; /* rtx 0 = none */
	bool has_nack;
	bool is_screen;
	uint8_t active_level; /* audio: quieter than this is silence (-dBov) */
	unsigned n_layers;
	struct uptrack_layer_cfg layers[LAYERS_MAX]; /* low to high */
	unsigned buffer_packets;                     /* kept for retransmission, per layer */
	uint32_t pli_throttle_us[LAYERS_MAX];
	const struct uptrack_ops *ops;
	void *arg;
};

/* Returns owned; the receiver borrows it until uptrack_free. */
MUST_CHECK struct uptrack *uptrack_new(struct receiver *r, const struct uptrack_cfg *cfg);

/* All its downtracks must be gone. Accepts NULL. */
void uptrack_free(struct uptrack *u);

/* The publisher muted or unmuted it: silence is then no sign of a layer that went. */
void uptrack_set_muted(struct uptrack *u, bool is_muted);

const struct rtp_codec *uptrack_codec(const struct uptrack *u);
unsigned uptrack_layer_count(const struct uptrack *u);
const struct layer_info *uptrack_layers(const struct uptrack *u);

/* Asks the publisher for a key frame of this layer, as often as the throttle lets through. */
void uptrack_request_key_frame(struct uptrack *u, int layer, uint64_t now_us);

/* Audio: how loud it was since the last call, if its packets tell. */
struct loudness_reading uptrack_take_loudness(struct uptrack *u);

/* True once a packet has arrived. */
bool uptrack_is_live(const struct uptrack *u);

/* Bits per second over the last second, all layers. */
uint64_t uptrack_bitrate(const struct uptrack *u);
