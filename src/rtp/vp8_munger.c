#include "rtp/vp8_munger.h"

enum { PICTURE_MASK = 0x7fff, KEY_MASK = 0x1f };

/* The extended PictureID nearest to the newest one, from 15 or 7 bits. */
static int64_t extend(const struct vp8_munger *m, const struct vp8_desc *d)
{
	uint64_t ahead = d->picture_id - (uint64_t)m->map.high;
	/* Twice the distance has its sign in the top bit of 16 or 8. */
	int distance = d->is_picture_id_long ? (int16_t)(uint16_t)(ahead << 1) / 2
					     : (int8_t)(uint8_t)(ahead << 1) / 2;
	return m->map.high + distance;
}

void vp8_munger_init(struct vp8_munger *m, struct vp8_numbers first)
{
	*m = (struct vp8_munger){
		.last.picture_id = (first.picture_id - 1) & PICTURE_MASK,
		.last.tl0_pic_idx = (uint8_t)(first.tl0_pic_idx - 1),
		.last.key_idx = (first.key_idx - 1) & KEY_MASK,
	};
}

static void start_map(struct vp8_munger *m, const struct vp8_desc *d)
{
	m->has_map = d->has_picture_id;
	if (m->has_map)
		offset_map_start(&m->map, d->picture_id, m->last.picture_id + 1);
}

void vp8_munger_switch(struct vp8_munger *m, const struct vp8_desc *d)
{
	m->tl0_offset = (uint8_t)(d->tl0_pic_idx - (m->last.tl0_pic_idx + 1));
	m->key_offset = (uint8_t)(d->key_idx - (m->last.key_idx + 1));
	start_map(m, d);
	m->has_source = true;
}

static int take_picture(struct vp8_munger *m, const struct vp8_desc *d, bool is_newest,
	uint16_t *picture_id, bool *is_latest)
{
	if (!m->has_map)
		start_map(m, d);
	int64_t in = extend(m, d);
	if (is_newest && in < m->map.high && vp8_is_frame_start(d)) {
		/* Pictures are sent in order, so this one can only belong to a restarted encoder.
		 */
		vp8_munger_switch(m, d);
		in = d->picture_id;
	}
	*is_latest = in >= m->map.high;
	int64_t out;
	int err = offset_map_take(&m->map, in, &out);
	if (!err)
		*picture_id = (uint16_t)((uint64_t)out & PICTURE_MASK);
	return err;
}

int vp8_munger_take(
	struct vp8_munger *m, const struct vp8_desc *d, bool is_newest, struct vp8_numbers *out)
{
	if (!m->has_source)
		return -ERR_BAD_STATE;
	bool is_latest = is_newest;
	*out = m->last;
	if (d->has_picture_id) {
		int err = take_picture(m, d, is_newest, &out->picture_id, &is_latest);
		if (err)
			return err;
	}
	if (d->has_tl0)
		out->tl0_pic_idx = (uint8_t)(d->tl0_pic_idx - m->tl0_offset);
	if (d->has_key_idx)
		out->key_idx = (uint8_t)(d->key_idx - m->key_offset) & KEY_MASK;
	if (is_latest)
		m->last = *out;
	return 0;
}

int vp8_munger_skip(struct vp8_munger *m, const struct vp8_desc *d)
{
	if (!m->has_source)
		return -ERR_BAD_STATE;
	if (!d->has_picture_id || !m->has_map)
		return 0;
	int err = offset_map_skip(&m->map, extend(m, d));
	/* Older than the history: nobody waits for it any more. */
	return err == -ERR_REPLAY ? 0 : err;
}
