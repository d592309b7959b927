#include "rtp/codec.h"

#include <strings.h>
#include "base/macros.h"
#include "rtp/vp8.h"

static bool inspect_vp8(struct rtp_frame_info *out, struct slice payload)
{
	struct vp8_desc d;
	if (vp8_desc_parse(&d, payload))
		return false;
	*out = (struct rtp_frame_info){
		.temporal_id = d.temporal_id,
		.is_frame_start = vp8_is_frame_start(&d),
		.is_key_frame = vp8_is_key_frame(&d, payload),
		.is_layer_sync = d.is_layer_sync,
	};
	/* A key frame without a readable size is a key frame all the same. */
	if (out->is_key_frame && vp8_frame_size(&d, payload, &out->width, &out->height))
		out->width = out->height = 0;
	return true;
}

static const struct rtp_codec codecs[] = {
	{"audio/opus", RTP_AUDIO, 48000, 2, RTP_DESCRIPTOR_NONE, false, NULL},
	{"audio/red", RTP_AUDIO, 48000, 2, RTP_DESCRIPTOR_NONE, false, NULL},
	{"audio/PCMU", RTP_AUDIO, 8000, 1, RTP_DESCRIPTOR_NONE, false, NULL},
	{"audio/PCMA", RTP_AUDIO, 8000, 1, RTP_DESCRIPTOR_NONE, false, NULL},
	{"video/VP8", RTP_VIDEO, 90000, 1, RTP_DESCRIPTOR_VP8, true, inspect_vp8},
};

const struct rtp_codec *rtp_codec_at(size_t i)
{
	return i < ARRAY_LEN(codecs) ? &codecs[i] : NULL;
}

const struct rtp_codec *rtp_codec_find(struct slice mime)
{
	for (size_t i = 0; i < ARRAY_LEN(codecs); i++) {
		size_t n = strlen(codecs[i].mime);
		if (mime.n == n && strncasecmp((const char *)mime.p, codecs[i].mime, n) == 0)
			return &codecs[i];
	}
	return NULL;
}

bool rtp_codec_inspect(const struct rtp_codec *c, struct rtp_frame_info *out, struct slice payload)
{
	if (c->inspect)
		return c->inspect(out, payload);
	*out = (struct rtp_frame_info){.is_frame_start = true, .is_key_frame = true};
	return true;
}
