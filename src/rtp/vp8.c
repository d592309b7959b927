#include "rtp/vp8.h"

enum {
	X_BIT = 0x80, /* first byte */
	N_BIT = 0x20,
	S_BIT = 0x10,
	PARTITION_MASK = 0x07,
	I_BIT = 0x80, /* extension byte */
	L_BIT = 0x40,
	T_BIT = 0x20,
	K_BIT = 0x10,
	M_BIT = 0x80, /* PictureID */
	Y_BIT = 0x20, /* TID byte */
	KEYIDX_MASK = 0x1f,
	INTER_FRAME_BIT = 0x01, /* frame tag (RFC 6386 §9.1) */
	FRAME_HEADER_LEN = 10,
	FRAME_START_CODE = 0x9d012a,
	DIMENSION_MASK = 0x3fff, /* the upper two bits are the scale */
};

static void take_picture_id(struct vp8_desc *d, struct cursor *c)
{
	uint8_t first = cursor_u8(c);
	d->picture_id = first & 0x7f;
	d->is_picture_id_long = first & M_BIT;
	if (d->is_picture_id_long)
		d->picture_id = (uint16_t)(d->picture_id << 8 | cursor_u8(c));
}

int vp8_desc_parse(struct vp8_desc *d, struct slice payload)
{
	struct cursor c = cursor_of(payload);
	uint8_t first = cursor_u8(&c);
	uint8_t ext = first & X_BIT ? cursor_u8(&c) : 0;
	*d = (struct vp8_desc){
		.is_non_reference = first & N_BIT,
		.is_partition_start = first & S_BIT,
		.partition = first & PARTITION_MASK,
		.has_picture_id = ext & I_BIT,
		.has_tl0 = ext & L_BIT,
		.has_temporal = ext & T_BIT,
		.has_key_idx = ext & K_BIT,
	};
	if (d->has_picture_id)
		take_picture_id(d, &c);
	if (d->has_tl0)
		d->tl0_pic_idx = cursor_u8(&c);
	if (d->has_temporal || d->has_key_idx) {
		/* The byte is there for either; the half that is not announced says nothing. */
		uint8_t byte = cursor_u8(&c);
		d->temporal_id = d->has_temporal ? byte >> 6 : 0;
		d->is_layer_sync = d->has_temporal && (byte & Y_BIT);
		d->key_idx = d->has_key_idx ? byte & KEYIDX_MASK : 0;
	}
	if (!c.ok || c.left == 0)
		return -ERR_TRUNCATED;
	d->len = (uint8_t)(payload.n - c.left);
	return 0;
}

bool vp8_is_key_frame(const struct vp8_desc *d, struct slice payload)
{
	return vp8_is_frame_start(d) && d->len < payload.n &&
	       !(payload.p[d->len] & INTER_FRAME_BIT);
}

int vp8_frame_size(
	const struct vp8_desc *d, struct slice payload, uint16_t *width, uint16_t *height)
{
	if (!vp8_is_key_frame(d, payload))
		return -ERR_BAD_STATE;
	if (payload.n - d->len < FRAME_HEADER_LEN)
		return -ERR_TRUNCATED;
	const uint8_t *p = payload.p + d->len;
	if (rd24(p + 3) != FRAME_START_CODE)
		return -ERR_MALFORMED;
	/* The only little-endian numbers in this module. */
	*width = (uint16_t)((p[6] | p[7] << 8) & DIMENSION_MASK);
	*height = (uint16_t)((p[8] | p[9] << 8) & DIMENSION_MASK);
	return 0;
}

size_t vp8_desc_write(uint8_t out[VP8_DESC_MAX], const struct vp8_desc *d, struct vp8_numbers n)
{
	uint8_t ext = (uint8_t)((d->has_picture_id ? I_BIT : 0) | (d->has_tl0 ? L_BIT : 0) |
				(d->has_temporal ? T_BIT : 0) | (d->has_key_idx ? K_BIT : 0));
	size_t len = 0;
	out[len++] =
		(uint8_t)((ext ? X_BIT : 0) | (d->is_non_reference ? N_BIT : 0) |
			  (d->is_partition_start ? S_BIT : 0) | (d->partition & PARTITION_MASK));
	if (ext)
		out[len++] = ext;
	if (d->has_picture_id) {
		wr16(out + len, (uint16_t)(M_BIT << 8 | (n.picture_id & 0x7fff)));
		len += 2;
	}
	if (d->has_tl0)
		out[len++] = n.tl0_pic_idx;
	if (d->has_temporal || d->has_key_idx)
		out[len++] = (uint8_t)((d->has_temporal ? d->temporal_id << 6 : 0) |
				       (d->is_layer_sync ? Y_BIT : 0) |
				       (d->has_key_idx ? n.key_idx & KEYIDX_MASK : 0));
	return len;
}
