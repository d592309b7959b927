/* receiver_internal: what receiver.c offers to uptrack.c and downtrack.c. */
#pragma once
#include "sfu/receiver.h"
#include "sfu/uptrack_internal.h"

void receiver_attach(struct receiver *r, struct uptrack *u);
void receiver_detach(struct receiver *r, struct uptrack *u);
void receiver_send_pli(struct receiver *r, uint32_t media_ssrc);

/* What downtracks need to know of a packet of this layer. */
void receiver_describe(const struct receiver *r, struct uplayer *l, const struct rtp_packet *rtp,
	uint64_t now_us, struct fwd_packet *out);

/* The extensions that are sent on; empty if absent or not of the right length. */
void receiver_exts(const struct receiver *r, const struct rtp_packet *rtp,
	struct slice *capture_time, struct slice *orientation);
