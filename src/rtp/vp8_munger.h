/*
 * vp8_munger: PictureID, TL0PICIDX and KEYIDX of one forwarded VP8 stream (RFC 7741 §4.2).
 *
 * Decoders read gaps in these numbers as loss. So they continue over source switches, pictures left
 * out on purpose leave no gap, and lost ones do. Works per picture: all packets of a picture share
 * one fate, and the munger knows it; when it contradicts the caller's wish, follow the munger:
 *
 *   vp8_munger_take says -ERR_NOT_FOUND: the picture was left out so far, leave this out too
 *   vp8_munger_skip says -ERR_BAD_STATE: the picture was sent so far, send this too
 *
 * Sources without a PictureID pass unchanged in that respect.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "rtp/offset_map.h"
#include "rtp/vp8.h"

struct vp8_munger {
	struct vp8_numbers last;        /* newest numbers given out */
	uint8_t tl0_offset, key_offset; /* out = in - offset */
	bool has_source;
	bool has_map; /* the source has PictureIDs */
	struct offset_map map;
};

/* `first` is what the first picture will carry. */
void vp8_munger_init(struct vp8_munger *m, struct vp8_numbers first);

/* The picture of d, a key frame, is the first of a new source: all three numbers go on by one. */
void vp8_munger_switch(struct vp8_munger *m, const struct vp8_desc *d);

/*
 * Numbers for a packet to be forwarded, to be written with vp8_desc_write. `is_newest`: the packet
 * is the newest of its source by sequence number (RECV_NEWEST); a PictureID that goes back nevertheless means
 * that the encoder started again, and the numbering continues over that.
 * 0, -ERR_NOT_FOUND if the picture was left out, -ERR_REPLAY if it is older than the history,
 * -ERR_BAD_STATE before the first switch.
 */
MUST_CHECK int vp8_munger_take(
	struct vp8_munger *m, const struct vp8_desc *d, bool is_newest, struct vp8_numbers *out);

/*
 * The picture of d is left out on purpose: 0. -ERR_BAD_STATE if part of it was sent, or if it is late and a
 * number was kept free for it: sending it does less harm than the gap. -ERR_BAD_STATE before the first switch.
 */
MUST_CHECK int vp8_munger_skip(struct vp8_munger *m, const struct vp8_desc *d);
