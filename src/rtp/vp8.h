/*
 * vp8: the VP8 payload descriptor and the few frame header bits an SFU needs (RFC 7741 §4).
 *
 *   |X|R|N|S|R| PID |            required
 *   |I|L|T|K| RSV   |            X=1
 *   |M| PictureID   |            I=1; M=1: 15 bits in two bytes
 *   |   TL0PICIDX   |            L=1
 *   |TID|Y| KEYIDX  |            T=1 or K=1
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/slice.h"

enum { VP8_DESC_MAX = 6 };

struct vp8_desc {
	uint16_t picture_id;
	uint8_t tl0_pic_idx;
	uint8_t temporal_id; /* 0 without has_temporal */
	uint8_t key_idx;     /* 5 bits */
	uint8_t partition;
	uint8_t len; /* bytes of payload the descriptor takes */
	bool is_partition_start, is_non_reference, is_layer_sync;
	bool has_picture_id, has_tl0, has_temporal, has_key_idx;
	bool is_picture_id_long; /* 15 bits, not 7 */
};

/* The numbers that are rewritten; small enough to be kept per sent packet. */
struct vp8_numbers {
	uint16_t picture_id;
	uint8_t tl0_pic_idx, key_idx;
};

/* 0, or -ERR_TRUNCATED: fewer bytes than the descriptor says, or none left for the frame. */
MUST_CHECK int vp8_desc_parse(struct vp8_desc *d, struct slice payload);

/* First packet of a picture: the start of partition 0. */
static inline bool vp8_is_frame_start(const struct vp8_desc *d)
{
	return d->is_partition_start && d->partition == 0;
}

/* True only on the first packet of a key frame. `payload` is the one that was parsed. */
bool vp8_is_key_frame(const struct vp8_desc *d, struct slice payload);

/*
 * Width and height from the first packet of a key frame (RFC 6386 §9.1).
 * 0, -ERR_BAD_STATE if it is not one, -ERR_TRUNCATED, -ERR_MALFORMED (start code).
 */
MUST_CHECK int vp8_frame_size(
	const struct vp8_desc *d, struct slice payload, uint16_t *width, uint16_t *height);

/*
 * Writes the descriptor d with other numbers, the picture id always in 15 bits; fields that d does
 * not have stay absent. Returns the new length; it replaces the first d->len bytes of the payload.
 */
size_t vp8_desc_write(uint8_t out[VP8_DESC_MAX], const struct vp8_desc *d, struct vp8_numbers n);
