#include "cm.h"

#include "rtp/codec.h"

static void every_row_is_complete_and_found_by_its_name(void **st)
{
	(void)st;
	const struct rtp_codec *c;
	for (size_t i = 0; (c = rtp_codec_at(i)); i++) {
		assert_non_null(c->mime);
		assert_ptr_equal(rtp_codec_find(slice_str(c->mime)), c);
		assert_true(c->clock_rate >= 8000);
		assert_true(c->channels >= 1);
		assert_int_equal(
			c->media, memcmp(c->mime, "video/", 6) == 0 ? RTP_VIDEO : RTP_AUDIO);
		assert_int_equal(c->has_key_frames, c->inspect != NULL);
	}
}

static void names_are_compared_whole_and_without_case(void **st)
{
	(void)st;
	assert_non_null(rtp_codec_find(slice_str("AUDIO/OPUS")));
	assert_null(rtp_codec_find(slice_str("audio/opu")));
	assert_null(rtp_codec_find(slice_str("audio/opus2")));
	assert_null(rtp_codec_find((struct slice){NULL, 0}));
}

static void audio_packets_stand_alone(void **st)
{
	(void)st;
	struct rtp_frame_info info;
	assert_true(rtp_codec_inspect(
		rtp_codec_find(slice_str("audio/opus")), &info, (struct slice){NULL, 0}));
	assert_true(info.is_frame_start && info.is_key_frame);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_is_complete_and_found_by_its_name),
		cmocka_unit_test(names_are_compared_whole_and_without_case),
		cmocka_unit_test(audio_packets_stand_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
