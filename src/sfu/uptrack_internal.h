/* uptrack_internal: what uptrack.c, receiver.c and downtrack.c share. */
#pragma once
#include "sfu/uptrack.h"

struct uplayer {
	struct uptrack *track;
	uint8_t index;
	char rid[RTP_SDES_TEXT_MAX + 1];
	uint32_t ssrc, rtx_ssrc;
	struct recv_stats stats;
	struct nack_gen nack;
	struct pktbuf *buf;

	/* The publisher's clock: its last sender report, and when it came. */
	bool has_sr;
	uint64_t sr_ntp, sr_at_us;
	uint32_t sr_rtp;

	uint64_t pli_sent_us;  /* 0 = never */
	bool pli_pending;      /* held back by the throttle, to be sent when it opens */
	bool key_frame_seen;
	uint64_t first_packet_us;

	uint32_t cycle_packets; /* in this liveness cycle */
	unsigned good_cycles;   /* in a row, while inactive */
	bool was_active;        /* the first activation is immediate, later ones take good cycles */
	bool is_fresh;          /* activated in this cycle: too late to judge it by its packets */
	uint64_t second_bytes, bitrate_bps;
};

struct uptrack {
	struct list node; /* in receiver->tracks */
	struct receiver *receiver;
	const struct rtp_codec *codec;
	const struct uptrack_ops *ops;
	void *arg;
	char mid[RTP_SDES_TEXT_MAX + 1];
	uint8_t payload_type, rtx_payload_type;
	bool has_nack, is_screen, is_muted, is_live;
	uint8_t n_layers;
	struct uplayer layers[LAYERS_MAX];
	struct layer_info info[LAYERS_MAX];
	uint32_t pli_throttle_us[LAYERS_MAX];
	int wanted; /* highest layer that any downtrack wants */
	uint64_t cycle_end_us;
	struct loudness loudness; /* audio */

	/* Dense: the forwarding loop walks it. */
	struct downtrack **down;
	uint32_t n_down, cap_down;
};

/* One packet of a layer, in a form that all its downtracks share. */
struct fwd_packet {
	const struct rtp_packet *rtp;
	struct uplayer *layer;
	struct rtp_frame_info frame;
	struct vp8_desc vp8;
	bool has_vp8;
	bool is_padding; /* nothing to play in it: only its number counts */
	struct slice capture_time; /* abs-capture-time as the publisher sent it; empty = absent */
	struct slice orientation;  /* video-orientation */
	uint64_t now_us;
};

/* Forwards to every downtrack. Per packet. */
void fwd_push(struct uptrack *u, const struct fwd_packet *pkt);

/* Liveness, bitrate and held-back PLIs; called by the receiver's timer. */
void uptrack_tick(struct uptrack *u, uint64_t now_us);

/* First packet, or first after a silence: subscribers may step to this layer. */
void uptrack_layer_packet(struct uplayer *l, size_t bytes, uint64_t now_us);

/* The source began anew with other numbers: nothing that was kept under the old ones may be used. */
void uptrack_layer_restart(struct uplayer *l, uint64_t now_us);

/* The size of its latest key frame. */
void uptrack_layer_size(struct uplayer *l, uint32_t width, uint32_t height, uint64_t now_us);

void uptrack_attach(struct uptrack *u, struct downtrack *d);
void uptrack_detach(struct uptrack *u, struct downtrack *d);

/* A downtrack's wish changed: finds the highest of all and tells rooms/ if it moved. */
void uptrack_update_wanted(struct uptrack *u);
