/* RTP header, extensions, their values, RTX: bytes as they come out of SRTP from a hostile
 * publisher. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/macros.h"
#include "rtp/rtp.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

#define CHECK(x)                                                                                   \
	do {                                                                                       \
		if (!(x))                                                                          \
			abort();                                                                   \
	} while (0)

/* Reads every byte, for the address sanitizer to see. */
static volatile unsigned sink;

static void touch(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		sink += s.p[i];
}

static void read_values(struct slice data)
{
	struct slice text;
	struct rtp_audio_level level;
	struct rtp_capture_time capture;
	struct rtp_playout_delay delay;
	uint32_t send_time;
	uint16_t seq;
	(void)rtp_ext_text_read(data, &text);
	(void)rtp_ext_audio_level_read(data, &level);
	(void)rtp_ext_capture_time_read(data, &capture);
	(void)rtp_ext_playout_delay_read(data, &delay);
	(void)rtp_ext_abs_send_time_read(data, &send_time);
	(void)rtp_ext_twcc_read(data, &seq);
}

/* What was read is written, and read again. */
static void rewrite(const struct rtp_packet *pkt, const struct rtp_ext *exts, size_t n)
{
	struct rtp_header h = {
		.timestamp = pkt->timestamp,
		.ssrc = pkt->ssrc,
		.seq = pkt->seq,
		.payload_type = pkt->payload_type,
		.marker = pkt->marker,
		.exts = exts,
		.ext_count = n,
	};
	uint8_t out[RTP_HDR_LEN + 4 + RTP_EXTS_MAX * 257 + 4];
	int len = rtp_header_write(out, sizeof out, &h);
	CHECK(len > 0);
	struct rtp_packet got;
	CHECK(rtp_parse(&got, slice_of(out, (size_t)len)) == 0);
	CHECK(got.seq == pkt->seq && got.ssrc == pkt->ssrc && got.timestamp == pkt->timestamp);
	CHECK(got.marker == pkt->marker && got.payload_type == pkt->payload_type);
	struct rtp_ext_iter it = rtp_ext_iter(&got);
	struct rtp_ext e;
	for (size_t i = 0; i < n; i++) {
		CHECK(rtp_ext_next(&it, &e));
		CHECK(e.id == exts[i].id && slice_eq(e.data, exts[i].data));
	}
	CHECK(!rtp_ext_next(&it, &e));
}

static void unwrap(const uint8_t *p, size_t n)
{
	uint8_t copy[2048];
	if (n > sizeof copy)
		return;
	memcpy(copy, p, n);
	struct rtp_packet rtx, media;
	if (rtp_rtx_unwrap(&media, copy, n, 0x12345678, 96)) {
		CHECK(memcmp(copy, p, n) == 0);
		return;
	}
	CHECK(rtp_parse(&rtx, slice_of(p, n)) == 0);
	CHECK(media.payload.n == rtx.payload.n - RTX_OSN_LEN);
	CHECK(media.seq == rd16(rtx.payload.p) && media.timestamp == rtx.timestamp);
	CHECK(slice_eq(media.ext, rtx.ext) && media.ssrc == 0x12345678);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct rtp_packet pkt;
	(void)rtp_is_rtcp(slice_of(p, n));
	unwrap(p, n);
	if (rtp_parse(&pkt, slice_of(p, n)))
		return 0;
	CHECK(pkt.header_len + pkt.payload.n + pkt.padding_len == n);
	touch(pkt.payload);
	touch(pkt.ext);
	struct rtp_ext exts[RTP_EXTS_MAX], e;
	size_t count = 0;
	struct rtp_ext_iter it = rtp_ext_iter(&pkt);
	while (rtp_ext_next(&it, &e)) {
		touch(e.data);
		read_values(e.data);
		CHECK(rtp_ext_find(&pkt, e.id).p);
		if (count < ARRAY_LEN(exts))
			exts[count++] = e;
	}
	rewrite(&pkt, exts, count);
	struct rtp_frame_info info;
	for (size_t i = 0; rtp_codec_at(i); i++)
		(void)rtp_codec_inspect(rtp_codec_at(i), &info, pkt.payload);
	return 0;
}
