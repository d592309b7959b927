#include "rtp/ext.h"

enum {
	PROFILE_ONE_BYTE = 0xbede,
	PROFILE_TWO_BYTE = 0x1000, /* the lowest four bits are free (RFC 8285 §4.3) */
	PROFILE_TWO_BYTE_MASK = 0xfff0,
	ONE_BYTE_STOP_ID = 15,
	PLAYOUT_STEP_MS = 10,
	PLAYOUT_MAX = 0xfff,
};

static const char *const uris[RTP_EXT_KINDS] = {
#define X(name, uri) [RTP_EXT_##name] = uri,
	RTP_EXT_MAP(X)
#undef X
};

const char *rtp_ext_uri(enum rtp_ext_kind kind)
{
	return (unsigned)kind < RTP_EXT_KINDS ? uris[kind] : NULL;
}

enum rtp_ext_kind rtp_ext_kind_of(struct slice uri)
{
	for (unsigned kind = RTP_EXT_NONE + 1; kind < RTP_EXT_KINDS; kind++)
		if (slice_eq_str(uri, uris[kind]))
			return (enum rtp_ext_kind)kind;
	return RTP_EXT_NONE;
}

struct rtp_ext_iter rtp_ext_iter(const struct rtp_packet *pkt)
{
	if (pkt->ext_profile == PROFILE_ONE_BYTE)
		return (struct rtp_ext_iter){pkt->ext, false};
	if ((pkt->ext_profile & PROFILE_TWO_BYTE_MASK) == PROFILE_TWO_BYTE)
		return (struct rtp_ext_iter){pkt->ext, true};
	return (struct rtp_ext_iter){0};
}

bool rtp_ext_next(struct rtp_ext_iter *it, struct rtp_ext *out)
{
	struct slice r = it->rest;
	it->rest = (struct slice){NULL, 0};
	/* A zero byte is padding in both forms. */
	while (r.n && r.p[0] == 0)
		r = slice_of(r.p + 1, r.n - 1);
	if (r.n == 0)
		return false;

	uint8_t id;
	size_t n, head;
	if (it->is_two_byte) {
		if (r.n < 2)
			return false;
		id = r.p[0];
		n = r.p[1];
		head = 2;
	} else {
		id = r.p[0] >> 4;
		n = (r.p[0] & 0x0fu) + 1;
		head = 1;
		/* Id 15, and id 0 with a length, end the whole block (RFC 8285 §4.2). */
		if (id == 0 || id == ONE_BYTE_STOP_ID)
			return false;
	}
	if (r.n - head < n)
		return false;
	*out = (struct rtp_ext){id, slice_of(r.p + head, n)};
	it->rest = slice_of(r.p + head + n, r.n - head - n);
	return true;
}

struct slice rtp_ext_find(const struct rtp_packet *pkt, uint8_t id)
{
	struct rtp_ext_iter it = rtp_ext_iter(pkt);
	struct rtp_ext e;
	if (id == 0)
		return (struct slice){NULL, 0};
	while (rtp_ext_next(&it, &e))
		if (e.id == id)
			return e.data;
	return (struct slice){NULL, 0};
}

static bool is_text_char(uint8_t c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_';
}

bool rtp_ext_text_read(struct slice data, struct slice *text)
{
	if (data.n == 0 || data.n > RTP_SDES_TEXT_MAX)
		return false;
	for (size_t i = 0; i < data.n; i++)
		if (!is_text_char(data.p[i]))
			return false;
	*text = data;
	return true;
}

bool rtp_ext_audio_level_read(struct slice data, struct rtp_audio_level *out)
{
	if (data.n != 1)
		return false;
	*out = (struct rtp_audio_level){.level = data.p[0] & 0x7f, .is_voice = data.p[0] & 0x80};
	return true;
}

size_t rtp_ext_audio_level_write(uint8_t out[1], struct rtp_audio_level level)
{
	out[0] = (uint8_t)((level.is_voice ? 0x80 : 0) | (level.level & 0x7f));
	return 1;
}

bool rtp_ext_abs_send_time_read(struct slice data, uint32_t *out)
{
	if (data.n != 3)
		return false;
	*out = rd24(data.p);
	return true;
}

size_t rtp_ext_abs_send_time_write(uint8_t out[3], uint64_t now_us)
{
	/* The time wraps every 64 s; cut first, so that the shift cannot overflow. */
	uint64_t us = now_us % (64 * UINT64_C(1000000));
	wr24(out, (uint32_t)((us << 18) / 1000000) & 0xffffff);
	return 3;
}

bool rtp_ext_twcc_read(struct slice data, uint16_t *seq)
{
	if (data.n != 2)
		return false;
	*seq = rd16(data.p);
	return true;
}

size_t rtp_ext_twcc_write(uint8_t out[2], uint16_t seq)
{
	wr16(out, seq);
	return 2;
}

bool rtp_ext_capture_time_read(struct slice data, struct rtp_capture_time *out)
{
	if (data.n != 8 && data.n != 16)
		return false;
	*out = (struct rtp_capture_time){.ntp = rd64(data.p), .has_clock_offset = data.n == 16};
	if (out->has_clock_offset)
		out->clock_offset = (int64_t)rd64(data.p + 8);
	return true;
}

size_t rtp_ext_capture_time_write(uint8_t out[16], const struct rtp_capture_time *t)
{
	wr64(out, t->ntp);
	if (!t->has_clock_offset)
		return 8;
	wr64(out + 8, (uint64_t)t->clock_offset);
	return 16;
}

bool rtp_ext_playout_delay_read(struct slice data, struct rtp_playout_delay *out)
{
	if (data.n != 3)
		return false;
	uint32_t v = rd24(data.p);
	*out = (struct rtp_playout_delay){
		.min_ms = (uint16_t)((v >> 12) * PLAYOUT_STEP_MS),
		.max_ms = (uint16_t)((v & PLAYOUT_MAX) * PLAYOUT_STEP_MS),
	};
	return true;
}

size_t rtp_ext_playout_delay_write(uint8_t out[3], struct rtp_playout_delay d)
{
	uint32_t min = MIN(d.min_ms / PLAYOUT_STEP_MS, PLAYOUT_MAX);
	uint32_t max = MIN(d.max_ms / PLAYOUT_STEP_MS, PLAYOUT_MAX);
	wr24(out, min << 12 | max);
	return 3;
}
