#include "cm.h"

#include "base/macros.h"
#include "rtp/codec.h"
#include "rtp/vp8.h"

/* First packet of a 640x360 key frame, all fields present. */
static const uint8_t key[] = {
	0x90,             /* X=1 S=1 PID=0 */
	0xf0,             /* I L T K */
	0x92, 0x34,       /* M=1, PictureID 0x1234 */
	0x55,             /* TL0PICIDX */
	0x27,             /* TID=0 Y=1 KEYIDX=7 */
	0x10, 0x02, 0x00, /* frame tag: P=0 is a key frame */
	0x9d, 0x01, 0x2a, /* start code */
	0x80, 0x42,       /* width 640, scale 1 */
	0x68, 0x01,       /* height 360 */
};

static void all_fields_are_read(void **st)
{
	(void)st;
	struct vp8_desc d;
	assert_int_equal(vp8_desc_parse(&d, slice_of(key, sizeof key)), 0);
	assert_int_equal(d.len, 6);
	assert_true(d.is_partition_start);
	assert_int_equal(d.partition, 0);
	assert_false(d.is_non_reference);
	assert_true(d.has_picture_id && d.has_tl0 && d.has_temporal && d.has_key_idx);
	assert_int_equal(d.picture_id, 0x1234);
	assert_true(d.is_picture_id_long);
	assert_int_equal(d.tl0_pic_idx, 0x55);
	assert_int_equal(d.temporal_id, 0);
	assert_true(d.is_layer_sync);
	assert_int_equal(d.key_idx, 7);
	assert_true(vp8_is_frame_start(&d));
	assert_true(vp8_is_key_frame(&d, slice_of(key, sizeof key)));
	uint16_t w, h;
	assert_int_equal(vp8_frame_size(&d, slice_of(key, sizeof key), &w, &h), 0);
	assert_int_equal(w, 640);
	assert_int_equal(h, 360);
}

static void truncations_fail(void **st)
{
	(void)st;
	struct vp8_desc d;
	for (size_t n = 0; n <= 6; n++)
		assert_int_equal(vp8_desc_parse(&d, slice_of(key, n)), -ERR_TRUNCATED);
	for (size_t n = 7; n < sizeof key; n++) {
		uint16_t w, h;
		assert_int_equal(vp8_desc_parse(&d, slice_of(key, n)), 0);
		assert_int_equal(vp8_frame_size(&d, slice_of(key, n), &w, &h), -ERR_TRUNCATED);
	}
}

static void shorter_forms_are_read(void **st)
{
	(void)st;
	const struct {
		uint8_t bytes[5];
		uint8_t len;
		struct vp8_desc want;
	} rows[] = {
		/* Just the required byte, non-reference, in the middle of partition 3. */
		{{0x23, 0x01}, 1, {.is_non_reference = true, .partition = 3}},
		/* Extension byte that announces nothing. */
		{{0x90, 0x00, 0x01}, 2, {.is_partition_start = true}},
		/* Seven-bit PictureID. */
		{{0x80, 0x80, 0x7f, 0x01}, 3, {.has_picture_id = true, .picture_id = 127}},
		/* TID without KEYIDX: the lower bits say nothing. */
		{{0x80, 0x20, 0xbf, 0x01}, 3,
			{.has_temporal = true, .temporal_id = 2, .is_layer_sync = true}},
		/* KEYIDX without TID: the upper bits say nothing. */
		{{0x80, 0x10, 0xff, 0x01}, 3, {.has_key_idx = true, .key_idx = 31}},
		/* Reserved bits are ignored. */
		{{0x48, 0x01}, 1, {0}},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct vp8_desc d, w = rows[i].want;
		assert_int_equal(vp8_desc_parse(&d, slice_of(rows[i].bytes, 5)), 0);
		assert_int_equal(d.len, rows[i].len);
		assert_int_equal(d.is_non_reference, w.is_non_reference);
		assert_int_equal(d.is_partition_start, w.is_partition_start);
		assert_int_equal(d.partition, w.partition);
		assert_int_equal(d.has_picture_id, w.has_picture_id);
		assert_int_equal(d.picture_id, w.picture_id);
		assert_false(d.is_picture_id_long);
		assert_int_equal(d.has_temporal, w.has_temporal);
		assert_int_equal(d.temporal_id, w.temporal_id);
		assert_int_equal(d.is_layer_sync, w.is_layer_sync);
		assert_int_equal(d.has_key_idx, w.has_key_idx);
		assert_int_equal(d.key_idx, w.key_idx);
		assert_false(d.has_tl0);
	}
}

static void key_frames_are_told_only_by_their_first_packet(void **st)
{
	(void)st;
	uint8_t b[sizeof key];
	struct vp8_desc d;
	uint16_t w, h;
	memcpy(b, key, sizeof b);
	b[6] |= 1; /* P=1: inter frame */
	assert_int_equal(vp8_desc_parse(&d, slice_of(b, sizeof b)), 0);
	assert_false(vp8_is_key_frame(&d, slice_of(b, sizeof b)));
	assert_int_equal(vp8_frame_size(&d, slice_of(b, sizeof b), &w, &h), -ERR_BAD_STATE);
	memcpy(b, key, sizeof b);
	b[0] = 0x80; /* S=0: the payload goes on with whatever */
	assert_int_equal(vp8_desc_parse(&d, slice_of(b, sizeof b)), 0);
	assert_false(vp8_is_key_frame(&d, slice_of(b, sizeof b)));
	b[0] = 0x91; /* start of partition 1 */
	assert_int_equal(vp8_desc_parse(&d, slice_of(b, sizeof b)), 0);
	assert_false(vp8_is_key_frame(&d, slice_of(b, sizeof b)));
	memcpy(b, key, sizeof b);
	b[10] = 0; /* start code */
	assert_int_equal(vp8_desc_parse(&d, slice_of(b, sizeof b)), 0);
	assert_int_equal(vp8_frame_size(&d, slice_of(b, sizeof b), &w, &h), -ERR_MALFORMED);
}

/* Every combination of fields: what is written is what is read, with the new numbers. */
static void descriptors_are_written_as_read(void **st)
{
	(void)st;
	for (unsigned ext = 0; ext < 16; ext++) {
		for (unsigned first = 0; first < 256; first++) {
			uint8_t b[] = {(uint8_t)first, (uint8_t)(ext << 4), 0x05, 0xa6, 0xa7, 1, 1};
			struct vp8_desc d, got;
			assert_int_equal(vp8_desc_parse(&d, slice_of(b, sizeof b)), 0);
			struct vp8_numbers n = {0xfffe, 0xaa, 0xff};
			uint8_t out[VP8_DESC_MAX + 1];
			size_t len = vp8_desc_write(out, &d, n);
			assert_in_range(len, 1, VP8_DESC_MAX);
			out[len] = 0;
			assert_int_equal(vp8_desc_parse(&got, slice_of(out, len + 1)), 0);
			assert_int_equal(got.len, len);
			assert_int_equal(got.is_partition_start, d.is_partition_start);
			assert_int_equal(got.is_non_reference, d.is_non_reference);
			assert_int_equal(got.partition, d.partition);
			assert_int_equal(got.has_picture_id, d.has_picture_id);
			assert_int_equal(got.picture_id, d.has_picture_id ? 0x7ffe : 0);
			assert_int_equal(got.is_picture_id_long, d.has_picture_id);
			assert_int_equal(got.tl0_pic_idx, d.has_tl0 ? 0xaa : 0);
			assert_int_equal(got.temporal_id, d.temporal_id);
			assert_int_equal(got.is_layer_sync, d.is_layer_sync);
			assert_int_equal(got.key_idx, d.has_key_idx ? 31 : 0);
		}
	}
}

static void codec_row_reads_the_frame(void **st)
{
	(void)st;
	const struct rtp_codec *c = rtp_codec_find(slice_str("VIDEO/vp8"));
	assert_non_null(c);
	struct rtp_frame_info info;
	assert_true(rtp_codec_inspect(c, &info, slice_of(key, sizeof key)));
	assert_true(info.is_frame_start && info.is_key_frame && info.is_layer_sync);
	assert_int_equal(info.width, 640);
	assert_int_equal(info.height, 360);
	assert_true(rtp_codec_inspect(c, &info, slice_of(key, 8)));
	assert_true(info.is_key_frame);
	assert_int_equal(info.width, 0);
	assert_false(rtp_codec_inspect(c, &info, slice_of(key, 3)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_fields_are_read),
		cmocka_unit_test(truncations_fail),
		cmocka_unit_test(shorter_forms_are_read),
		cmocka_unit_test(key_frames_are_told_only_by_their_first_packet),
		cmocka_unit_test(descriptors_are_written_as_read),
		cmocka_unit_test(codec_row_reads_the_frame),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
