/*
 * downtrack: one track to one subscriber: it selects a layer, rewrites the numbers so that the subscriber sees one
 * stream, and repeats what the subscriber lost.
 */
#pragma once
#include "rtp/rtp.h"
#include "sfu/layers.h"

struct downtrack;
struct sender;
struct uptrack;

struct downtrack_cfg {
	uint32_t ssrc, rtx_ssrc; /* drawn by the caller, who described them; rtx 0 = none */
	uint8_t payload_type, rtx_payload_type;
	struct rtp_ext_ids ids; /* of the section it is sent in */
	struct layer_wish wish;
};

/* Borrows uptrack and sender. Media flows once the sender's session is connected. Returns owned. */
MUST_CHECK struct downtrack *downtrack_new(
	struct uptrack *u, struct sender *s, const struct downtrack_cfg *cfg);

/* Stops at once. Accepts NULL. */
void downtrack_free(struct downtrack *d);

/* What the subscriber wants to see from now on. */
void downtrack_set_wish(struct downtrack *d, const struct layer_wish *wish, uint64_t now_us);

/* The highest layer the subscriber's path can take: set by whoever estimates bandwidth. LAYERS_MAX - 1 at first. */
void downtrack_set_ceiling(struct downtrack *d, int layer, uint64_t now_us);

/* The layer that is forwarded now; LAYER_NONE while nothing is. */
int downtrack_layer(const struct downtrack *d);

/* RTP packets forwarded so far. */
uint64_t downtrack_packets(const struct downtrack *d);
