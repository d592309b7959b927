/*
 * jsep_codec: the tables of codecs, feedback and header extensions, and how a description is
 * matched to them.
 */
#include "sdp/jsep_internal.h"

#include <strings.h>

/* ---- codecs ---- */

#define H264(mode, profile)                                                                        \
	"level-asymmetry-allowed=1;packetization-mode=" #mode ";profile-level-id=" #profile

const struct jsep_codec_row jsep_codecs[JSEP_CODEC_N] = {
#define AUDIO(name_) .name = name_, .mime = "audio/" name_, .kind = SDP_KIND_AUDIO
#define VIDEO(name_)                                                                               \
	.name = name_, .mime = "video/" name_, .kind = SDP_KIND_VIDEO, .clock_hz = 90000,          \
	.channels = 1
	[JSEP_OPUS] = {AUDIO("opus"), .clock_hz = 48000, .channels = 2, .pt = 111,
		.fmtp = "minptime=10;useinbandfec=1"},
	[JSEP_RED] = {AUDIO("red"), .clock_hz = 48000, .channels = 2, .pt = 63, .fmtp = "111/111"},
	[JSEP_PCMU] = {AUDIO("PCMU"), .clock_hz = 8000, .channels = 1, .pt = 0},
	[JSEP_PCMA] = {AUDIO("PCMA"), .clock_hz = 8000, .channels = 1, .pt = 8},
	[JSEP_VP8] = {VIDEO("VP8"), .pt = 96, .rtx_pt = 97},
	[JSEP_VP9_P0] = {VIDEO("VP9"), .pt = 98, .rtx_pt = 99, .is_scalable = true,
		.fmtp = "profile-id=0"},
	[JSEP_VP9_P1] = {VIDEO("VP9"), .pt = 100, .rtx_pt = 101, .is_scalable = true,
		.fmtp = "profile-id=1"},
	[JSEP_AV1] = {VIDEO("AV1"), .pt = 35, .rtx_pt = 36, .is_scalable = true},
	[JSEP_H264_CB_PM0] = {VIDEO("H264"), .pt = 125, .rtx_pt = 107, .fmtp = H264(0, 42e01f)},
	[JSEP_H264_CB_PM1] = {VIDEO("H264"), .pt = 108, .rtx_pt = 109, .fmtp = H264(1, 42e01f)},
	[JSEP_H264_BASE_PM0] = {VIDEO("H264"), .pt = 104, .rtx_pt = 105, .is_publish_only = true,
		.fmtp = H264(0, 42001f)},
	[JSEP_H264_BASE_PM1] = {VIDEO("H264"), .pt = 102, .rtx_pt = 103, .is_publish_only = true,
		.fmtp = H264(1, 42001f)},
	[JSEP_H264_MAIN_PM0] = {VIDEO("H264"), .pt = 106, .rtx_pt = 110, .is_publish_only = true,
		.fmtp = H264(0, 4d001f)},
	[JSEP_H264_MAIN_PM1] = {VIDEO("H264"), .pt = 39, .rtx_pt = 40, .is_publish_only = true,
		.fmtp = H264(1, 4d001f)},
	[JSEP_H264_HIGH_PM1] = {VIDEO("H264"), .pt = 123, .rtx_pt = 118, .is_publish_only = true,
		.fmtp = H264(1, 640032)},
	[JSEP_H265] = {VIDEO("H265"), .pt = 116, .rtx_pt = 117},
#undef AUDIO
#undef VIDEO
};

/* A parameter that is a small number, or its default where it is missing; -1 for anything else. */
static int param_number(const char *fmtp, const char *name, int missing)
{
	struct slice v = sdp_fmtp_param(fmtp, name);
	if (!v.p)
		return missing;
	return v.n == 1 && v.p[0] >= '0' && v.p[0] <= '9' ? v.p[0] - '0' : -1;
}

int jsep_hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/*
 * profile-level-id is profile_idc, constraint flags and level, a byte each (RFC 6184 §8.1). The
 * level is left out of the comparison: level-asymmetry-allowed makes it a matter of each receiver.
 * Constrained baseline has the three spellings of table 5.
 */
static bool h264_profile_is(const char *fmtp, enum jsep_codec codec)
{
	struct slice v = sdp_fmtp_param(fmtp, "profile-level-id");
	if (!v.p)
		v = slice_str("420010");
	if (v.n != 6)
		return false;
	unsigned bytes[2] = {0};
	for (size_t i = 0; i < 6; i++) {
		int digit = jsep_hex_digit(v.p[i]);
		if (digit < 0)
			return false;
		if (i < 4)
			bytes[i / 2] = bytes[i / 2] << 4 | (unsigned)digit;
	}
	unsigned idc = bytes[0], flags = bytes[1];
	bool is_constrained = (idc == 0x42 && (flags & 0x4f) == 0x40) ||
		(idc == 0x4d && (flags & 0x8f) == 0x80) || (idc == 0x58 && (flags & 0xcf) == 0xc0);
	switch (codec) {
	case JSEP_H264_CB_PM0:
	case JSEP_H264_CB_PM1: return is_constrained;
	case JSEP_H264_BASE_PM0:
	case JSEP_H264_BASE_PM1: return !is_constrained && idc == 0x42 && (flags & 0x4f) == 0;
	case JSEP_H264_MAIN_PM0:
	case JSEP_H264_MAIN_PM1: return !is_constrained && idc == 0x4d && (flags & 0xaf) == 0;
	case JSEP_H264_HIGH_PM1: return idc == 0x64 && flags == 0;
	default: return false;
	}
}

static bool parameters_match(const char *fmtp, enum jsep_codec codec)
{
	switch (codec) {
	case JSEP_VP9_P0: return param_number(fmtp, "profile-id", 0) == 0;
	case JSEP_VP9_P1: return param_number(fmtp, "profile-id", 0) == 1;
	case JSEP_AV1: return param_number(fmtp, "profile", 0) == 0;
	case JSEP_H264_CB_PM0:
	case JSEP_H264_BASE_PM0:
	case JSEP_H264_MAIN_PM0:
		return param_number(fmtp, "packetization-mode", 0) == 0 &&
			h264_profile_is(fmtp, codec);
	case JSEP_H264_CB_PM1:
	case JSEP_H264_BASE_PM1:
	case JSEP_H264_MAIN_PM1:
	case JSEP_H264_HIGH_PM1:
		return param_number(fmtp, "packetization-mode", 0) == 1 &&
			h264_profile_is(fmtp, codec);
	default: return true;
	}
}

bool jsep_codec_match(
	const struct sdp_codec *c, enum sdp_kind kind, uint32_t mask, enum jsep_codec *codec)
{
	for (int i = 0; i < JSEP_CODEC_N; i++) {
		const struct jsep_codec_row *row = &jsep_codecs[i];
		if ((mask & JSEP_CODEC_BIT(i)) && row->kind == kind &&
			row->clock_hz == c->clock_hz && row->channels == c->channels &&
			strcasecmp(row->name, c->name) == 0 &&
			parameters_match(c->fmtp, (enum jsep_codec)i)) {
			*codec = (enum jsep_codec)i;
			return true;
		}
	}
	return false;
}

/* ---- feedback ---- */

static const struct {
	const char *text;
	uint8_t bit;
} feedback_lines[] = {
	{"goog-remb", JSEP_FB_REMB}, {"transport-cc", JSEP_FB_TWCC}, {"ccm fir", JSEP_FB_FIR},
	{"nack", JSEP_FB_NACK}, {"nack pli", JSEP_FB_PLI},
};

/*
 * Publishers are paced by their own estimator, which our transport-cc reports feed; subscribers
 * estimate for us and report REMB. A connection that does both announces both.
 */
uint8_t jsep_feedback_for(enum jsep_role role, enum sdp_kind kind, bool is_receiving)
{
	if (kind == SDP_KIND_AUDIO)
		return JSEP_FB_NACK;
	uint8_t video = JSEP_FB_FIR | JSEP_FB_NACK | JSEP_FB_PLI;
	if (role == JSEP_ROLE_SINGLE)
		return video | JSEP_FB_TWCC | JSEP_FB_REMB;
	return video | (is_receiving ? JSEP_FB_TWCC : JSEP_FB_REMB);
}

uint8_t jsep_feedback_of(const struct sdp_codec *c)
{
	uint8_t bits = 0;
	for (uint16_t i = 0; i < c->n_feedback; i++)
		for (size_t k = 0; k < ARRAY_LEN(feedback_lines); k++)
			if (strcmp(c->feedback[i], feedback_lines[k].text) == 0)
				bits |= feedback_lines[k].bit;
	return bits;
}

void jsep_feedback_add(struct sdp *s, struct sdp_codec *c, uint8_t feedback)
{
	for (size_t k = 0; k < ARRAY_LEN(feedback_lines); k++)
		if (feedback & feedback_lines[k].bit)
			*SDP_PUSH(s, c->feedback, c->n_feedback) = feedback_lines[k].text;
}

/* ---- header extensions ---- */

enum { FROM_AUDIO = 1, FROM_VIDEO = 2, TO_AUDIO = 4, TO_VIDEO = 8 };

static const struct {
	const char *uri;
	uint8_t used; /* from publishers, to subscribers */
	uint8_t offer_id;
} exts[JSEP_EXT_N] = {
	[JSEP_EXT_MID] = {"urn:ietf:params:rtp-hdrext:sdes:mid", FROM_AUDIO | FROM_VIDEO, 1},
	[JSEP_EXT_RID] = {"urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
		FROM_AUDIO | FROM_VIDEO, 2},
	[JSEP_EXT_REPAIRED_RID] = {"urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
		FROM_VIDEO, 3},
	[JSEP_EXT_AUDIO_LEVEL] = {"urn:ietf:params:rtp-hdrext:ssrc-audio-level", FROM_AUDIO, 4},
	[JSEP_EXT_ABS_SEND_TIME] = {"http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
		TO_VIDEO, 5},
	[JSEP_EXT_TWCC] = {
		"http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
		FROM_VIDEO, 6},
	[JSEP_EXT_ABS_CAPTURE_TIME] = {
		"http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time",
		FROM_AUDIO | FROM_VIDEO | TO_AUDIO | TO_VIDEO, 7},
	[JSEP_EXT_PLAYOUT_DELAY] = {"http://www.webrtc.org/experiments/rtp-hdrext/playout-delay",
		TO_VIDEO, 8},
	[JSEP_EXT_VIDEO_ORIENTATION] = {"urn:3gpp:video-orientation", 0, 9},
	[JSEP_EXT_DEPENDENCY_DESCRIPTOR] = {
		"https://aomediacodec.github.io/av1-rtp-spec/"
		"#dependency-descriptor-rtp-header-extension",
		FROM_VIDEO | TO_VIDEO, 10},
	[JSEP_EXT_FRAME_MARKING] = {"http://tools.ietf.org/html/draft-ietf-avtext-framemarking-07",
		FROM_VIDEO, 11},
};

const char *jsep_ext_uri(enum jsep_ext ext)
{
	return exts[ext].uri;
}

uint8_t jsep_ext_offer_id(enum jsep_ext ext)
{
	return exts[ext].offer_id;
}

bool jsep_ext_find(const char *uri, enum jsep_ext *ext)
{
	for (int i = 0; i < JSEP_EXT_N; i++)
		if (strcmp(exts[i].uri, uri) == 0) {
			*ext = (enum jsep_ext)i;
			return true;
		}
	return false;
}

/*
 * A connection that goes both ways accepts both sets in each section, whichever way that one
 * goes: Chromium offers an extension in later sections of a kind only if the first answer took it,
 * and the first sections are those it made for receiving.
 */
bool jsep_ext_wanted(enum jsep_ext ext, const struct jsep_ext_use *use)
{
	/* Without a scalable codec it is dead weight: VP8 has its layers in the payload. */
	if (ext == JSEP_EXT_DEPENDENCY_DESCRIPTOR && !use->is_scalable)
		return false;
	if (ext == JSEP_EXT_PLAYOUT_DELAY && !use->playout_delay)
		return false;
	bool is_audio = use->kind == SDP_KIND_AUDIO;
	uint8_t from = is_audio ? FROM_AUDIO : FROM_VIDEO, to = is_audio ? TO_AUDIO : TO_VIDEO;
	return ((use->role != JSEP_ROLE_SUBSCRIBER && (exts[ext].used & from)) ||
		(use->role != JSEP_ROLE_PUBLISHER && (exts[ext].used & to)));
}
