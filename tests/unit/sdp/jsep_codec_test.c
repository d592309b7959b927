/* The tables of jsep, and how codecs of a description find their row. */
#include "sdp/jsep_internal.h"

#include "vectors.h"

static int row_of(const char *name, const char *fmtp)
{
	struct sdp_codec c = {.name = name, .fmtp = fmtp, .clock_hz = 90000, .channels = 1};
	enum jsep_codec codec;
	return jsep_codec_match(&c, SDP_KIND_VIDEO, UINT32_MAX, &codec) ? (int)codec : -1;
}

static void every_row_is_complete(void **st)
{
	(void)st;
	int used[128] = {0};
	for (int i = 0; i < JSEP_CODEC_N; i++) {
		const struct jsep_codec_row *row = &jsep_codecs[i];
		assert_non_null(row->name);
		assert_non_null(strstr(row->mime, row->name));
		assert_memory_equal(
			row->mime, row->kind == SDP_KIND_AUDIO ? "audio/" : "video/", 6);
		assert_int_not_equal(row->clock_hz, 0);
		assert_int_not_equal(row->channels, 0);
		assert_int_equal(row->rtx_pt != 0, row->kind == SDP_KIND_VIDEO);
		/* RTP and RTCP share the port: 64..95 would look like RTCP (RFC 5761 §4). */
		assert_true(row->pt < 64 || (row->pt >= 96 && row->pt < 128));
		assert_int_equal(used[row->pt]++, 0);
		if (row->rtx_pt) {
			assert_true(row->rtx_pt < 64 || (row->rtx_pt >= 96 && row->rtx_pt < 128));
			assert_int_equal(used[row->rtx_pt]++, 0);
		}
		/* Each row finds itself. */
		struct sdp_codec c = {
			.name = row->name,
			.fmtp = row->fmtp,
			.clock_hz = row->clock_hz,
			.channels = row->channels,
		};
		enum jsep_codec codec;
		assert_true(jsep_codec_match(&c, row->kind, UINT32_MAX, &codec));
		assert_int_equal(codec, i);
		assert_false(jsep_codec_match(&c, row->kind, ~JSEP_CODEC_BIT(i), &codec));
		c.clock_hz++;
		assert_false(jsep_codec_match(&c, row->kind, UINT32_MAX, &codec));
	}
}

static void every_extension_is_complete(void **st)
{
	(void)st;
	int used[16] = {0};
	for (int i = 0; i < JSEP_EXT_N; i++) {
		enum jsep_ext ext;
		assert_true(jsep_ext_find(jsep_ext_uri((enum jsep_ext)i), &ext));
		assert_int_equal(ext, i);
		uint8_t id = jsep_ext_offer_id((enum jsep_ext)i);
		assert_in_range(id, 1, 14);
		assert_int_equal(used[id]++, 0);
	}
	enum jsep_ext ext;
	assert_false(jsep_ext_find("urn:ietf:params:rtp-hdrext:toffset", &ext));
}

static void playout_delay_is_asked_for(void **st)
{
	(void)st;
	struct jsep_ext_use use = {.role = JSEP_ROLE_SUBSCRIBER, .kind = SDP_KIND_VIDEO};
	assert_false(jsep_ext_wanted(JSEP_EXT_PLAYOUT_DELAY, &use));
	use.playout_delay = true;
	assert_true(jsep_ext_wanted(JSEP_EXT_PLAYOUT_DELAY, &use));
	use.role = JSEP_ROLE_PUBLISHER;
	assert_false(jsep_ext_wanted(JSEP_EXT_PLAYOUT_DELAY, &use));
}

static void parameters_decide(void **st)
{
	(void)st;
	assert_int_equal(row_of("vp8", NULL), JSEP_VP8);
	assert_int_equal(row_of("VP9", NULL), JSEP_VP9_P0);
	assert_int_equal(row_of("VP9", "profile-id=1"), JSEP_VP9_P1);
	assert_int_equal(row_of("VP9", "profile-id=2"), -1);
	assert_int_equal(row_of("AV1", "level-idx=5;profile=0;tier=0"), JSEP_AV1);
	assert_int_equal(row_of("AV1", "profile=1"), -1);
	assert_int_equal(row_of("H265", "level-id=93"), JSEP_H265);
	assert_int_equal(
		row_of("H264", "packetization-mode=1;profile-level-id=42e034"), JSEP_H264_CB_PM1);
	assert_int_equal(row_of("H264", "profile-level-id=42E01F"), JSEP_H264_CB_PM0);
	assert_int_equal(
		row_of("H264", "packetization-mode=1;profile-level-id=4d801f"), JSEP_H264_CB_PM1);
	assert_int_equal(
		row_of("H264", "packetization-mode=1;profile-level-id=42001f"), JSEP_H264_BASE_PM1);
	assert_int_equal(row_of("H264", NULL), JSEP_H264_BASE_PM0);
	assert_int_equal(
		row_of("H264", "packetization-mode=1;profile-level-id=4d001f"), JSEP_H264_MAIN_PM1);
	assert_int_equal(
		row_of("H264", "packetization-mode=1;profile-level-id=64001f"), JSEP_H264_HIGH_PM1);
	assert_int_equal(row_of("H264", "packetization-mode=0;profile-level-id=64001f"), -1);
	assert_int_equal(row_of("H264", "packetization-mode=1;profile-level-id=640c1f"), -1);
	assert_int_equal(row_of("H264", "packetization-mode=1;profile-level-id=f4001f"), -1);
	assert_int_equal(row_of("H264", "packetization-mode=1;profile-level-id=42e01"), -1);
	assert_int_equal(row_of("H264", "packetization-mode=1;profile-level-id=42e0zz"), -1);
	assert_int_equal(row_of("H264", "packetization-mode=2;profile-level-id=42e01f"), -1);
	assert_int_equal(row_of("opus", NULL), -1);
	assert_int_equal(row_of("rtx", "apt=96"), -1);
	assert_int_equal(row_of("", NULL), -1);
}

static void feedback_depends_on_the_side(void **st)
{
	(void)st;
	uint8_t video = JSEP_FB_NACK | JSEP_FB_PLI | JSEP_FB_FIR;
	assert_int_equal(
		jsep_feedback_for(JSEP_ROLE_PUBLISHER, SDP_KIND_VIDEO, true), video | JSEP_FB_TWCC);
	assert_int_equal(jsep_feedback_for(JSEP_ROLE_SUBSCRIBER, SDP_KIND_VIDEO, false),
		video | JSEP_FB_REMB);
	assert_int_equal(jsep_feedback_for(JSEP_ROLE_SINGLE, SDP_KIND_VIDEO, true),
		video | JSEP_FB_TWCC | JSEP_FB_REMB);
	assert_int_equal(jsep_feedback_for(JSEP_ROLE_SINGLE, SDP_KIND_AUDIO, false), JSEP_FB_NACK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_is_complete),
		cmocka_unit_test(every_extension_is_complete),
		cmocka_unit_test(playout_delay_is_asked_for),
		cmocka_unit_test(parameters_decide),
		cmocka_unit_test(feedback_depends_on_the_side),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
