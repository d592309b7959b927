/*
 * VP8 descriptors from the input, each forwarded, left out or taken as a switch: the munger must
 * take any order of them, and what is written must be readable with the numbers it gave.
 */
#include <stdint.h>
#include <stdlib.h>
#include "rtp/vp8.h"
#include "rtp/vp8_munger.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

#define CHECK(x)                                                                                   \
	do {                                                                                       \
		if (!(x))                                                                          \
			abort();                                                                   \
	} while (0)

static void rewrite(const struct vp8_desc *d, struct vp8_numbers n)
{
	uint8_t out[VP8_DESC_MAX + 1] = {0};
	size_t len = vp8_desc_write(out, d, n);
	CHECK(len >= 1 && len <= VP8_DESC_MAX);
	struct vp8_desc got;
	out[len] = 0;
	CHECK(vp8_desc_parse(&got, slice_of(out, len + 1)) == 0);
	CHECK(got.len == len && got.temporal_id == d->temporal_id);
	CHECK(got.partition == d->partition && got.is_partition_start == d->is_partition_start);
	CHECK(!d->has_picture_id || got.picture_id == n.picture_id);
	CHECK(!d->has_tl0 || got.tl0_pic_idx == n.tl0_pic_idx);
	CHECK(!d->has_key_idx || got.key_idx == n.key_idx);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct vp8_munger m;
	vp8_munger_init(&m, (struct vp8_numbers){0x7ffe, 254, 30});
	while (n > 1) {
		uint8_t action = *p++;
		n--;
		struct slice payload = slice_of(p, n);
		struct vp8_desc d;
		if (vp8_desc_parse(&d, payload))
			return 0;
		uint16_t width, height;
		if (vp8_frame_size(&d, payload, &width, &height) == 0)
			CHECK(vp8_is_key_frame(&d, payload) && width <= 0x3fff && height <= 0x3fff);
		if (action & 1)
			vp8_munger_switch(&m, &d);
		struct vp8_numbers out;
		if (action & 2) {
			int err = vp8_munger_skip(&m, &d);
			/* One fate: what was left out cannot be taken. */
			if (!err && d.has_picture_id && m.has_map)
				CHECK(vp8_munger_take(&m, &d, false, &out));
		} else if (vp8_munger_take(&m, &d, action & 4, &out) == 0) {
			CHECK(out.picture_id <= 0x7fff && out.key_idx <= 31);
			rewrite(&d, out);
			CHECK(!d.has_picture_id || vp8_munger_skip(&m, &d) == -ERR_BAD_STATE);
		}
		p += d.len;
		n -= d.len;
	}
	return 0;
}
