#include "rtp/rtcp.h"

enum {
	FMT_NACK = 1,
	FMT_TWCC = 15,
	FMT_PLI = 1,
	FMT_FIR = 4,
	FMT_APPLICATION = 15, /* "application layer feedback": REMB is one (RFC 4585 §6.4) */
	FEEDBACK_LEN = 8,     /* the two SSRCs */
	NACK_ENTRY_LEN = 4,
	SR_LEN = 24, /* SSRC and sender info */
	REMB_LEN = 16,
	REMB_NAME = 0x52454d42, /* "REMB" */
};

struct rtcp_iter rtcp_iter(struct slice dgram)
{
	return (struct rtcp_iter){.rest = dgram};
}

static bool broken(struct rtcp_iter *it, int err)
{
	it->err = err;
	it->rest = (struct slice){NULL, 0};
	return false;
}

bool rtcp_next(struct rtcp_iter *it, struct rtcp_packet *out)
{
	struct slice r = it->rest;
	if (r.n == 0)
		return false;
	if (r.n < RTCP_HDR_LEN)
		return broken(it, -ERR_TRUNCATED);
	if (r.p[0] >> 6 != 2)
		return broken(it, -ERR_MALFORMED);
	size_t body = (size_t)rd16(r.p + 2) * 4;
	if (r.n - RTCP_HDR_LEN < body)
		return broken(it, -ERR_TRUNCATED);

	size_t padding = 0;
	if (r.p[0] & 0x20) {
		padding = body ? r.p[RTCP_HDR_LEN + body - 1] : 0;
		if (padding == 0 || body < padding)
			return broken(it, -ERR_MALFORMED);
	}
	*out = (struct rtcp_packet){
		.type = r.p[1],
		.count = r.p[0] & 0x1f,
		.body = slice_of(r.p + RTCP_HDR_LEN, body - padding),
	};
	it->rest = slice_of(r.p + RTCP_HDR_LEN + body, r.n - RTCP_HDR_LEN - body);
	return true;
}

enum rtcp_kind rtcp_kind(const struct rtcp_packet *pkt)
{
	switch (pkt->type) {
	case RTCP_TYPE_SR: return RTCP_SR;
	case RTCP_TYPE_RR: return RTCP_RR;
	case RTCP_TYPE_SDES: return RTCP_SDES;
	case RTCP_TYPE_BYE: return RTCP_BYE;
	case RTCP_TYPE_RTPFB:
		return pkt->count == FMT_NACK   ? RTCP_NACK
		       : pkt->count == FMT_TWCC ? RTCP_TWCC
						: RTCP_OTHER;
	case RTCP_TYPE_PSFB:
		if (pkt->count == FMT_PLI)
			return RTCP_PLI;
		if (pkt->count == FMT_FIR)
			return RTCP_FIR;
		if (pkt->count == FMT_APPLICATION && pkt->body.n >= REMB_LEN &&
			rd32(pkt->body.p + FEEDBACK_LEN) == REMB_NAME)
			return RTCP_REMB;
		return RTCP_OTHER;
	default: return RTCP_OTHER;
	}
}

/* The blocks behind the first `fixed` bytes; what follows them is a profile's and ignored. */
static int take_blocks(struct slice *blocks, const struct rtcp_packet *pkt, size_t fixed)
{
	size_t n = (size_t)pkt->count * RTCP_BLOCK_LEN;
	if (pkt->body.n < fixed + n)
		return -ERR_TRUNCATED;
	*blocks = slice_of(pkt->body.p + fixed, n);
	return 0;
}

int rtcp_sr_parse(struct rtcp_sr *sr, const struct rtcp_packet *pkt)
{
	if (pkt->type != RTCP_TYPE_SR)
		return -ERR_MALFORMED;
	struct slice blocks;
	int err = take_blocks(&blocks, pkt, SR_LEN);
	if (err)
		return err;
	const uint8_t *p = pkt->body.p;
	*sr = (struct rtcp_sr){
		.ssrc = rd32(p),
		.ntp = rd64(p + 4),
		.rtp_timestamp = rd32(p + 12),
		.packets = rd32(p + 16),
		.bytes = rd32(p + 20),
		.blocks = blocks,
	};
	return 0;
}

int rtcp_rr_parse(struct rtcp_rr *rr, const struct rtcp_packet *pkt)
{
	if (pkt->type != RTCP_TYPE_RR)
		return -ERR_MALFORMED;
	struct slice blocks;
	int err = take_blocks(&blocks, pkt, 4);
	if (err)
		return err;
	*rr = (struct rtcp_rr){.ssrc = rd32(pkt->body.p), .blocks = blocks};
	return 0;
}

struct rtcp_report_block rtcp_block_at(struct slice blocks, size_t i)
{
	const uint8_t *p = blocks.p + i * RTCP_BLOCK_LEN;
	return (struct rtcp_report_block){
		.ssrc = rd32(p),
		.fraction_lost = p[4],
		.lost = (int32_t)(rd24(p + 5) ^ 0x800000) - 0x800000,
		.high_seq = rd32(p + 8),
		.jitter = rd32(p + 12),
		.last_sr = rd32(p + 16),
		.delay_since_sr = rd32(p + 20),
	};
}

struct rtcp_sdes_iter rtcp_sdes_iter(const struct rtcp_packet *pkt)
{
	if (pkt->type != RTCP_TYPE_SDES)
		return (struct rtcp_sdes_iter){0};
	return (struct rtcp_sdes_iter){.body = pkt->body, .chunks_left = pkt->count};
}

bool rtcp_sdes_next(struct rtcp_sdes_iter *it, struct rtcp_sdes_item *out)
{
	while (it->at < it->body.n) {
		const uint8_t *p = it->body.p + it->at;
		size_t left = it->body.n - it->at;
		if (!it->in_chunk) {
			if (it->chunks_left == 0 || left < 4)
				break;
			it->ssrc = rd32(p);
			it->at += 4;
			it->chunks_left--;
			it->in_chunk = true;
		} else if (p[0] == 0) {
			/* The list ends with one to four zeros, up to a whole word (RFC 3550 §6.5).
			 */
			it->at = (it->at / 4 + 1) * 4;
			it->in_chunk = false;
		} else {
			if (left < 2 || left - 2 < p[1])
				break;
			*out = (struct rtcp_sdes_item){it->ssrc, p[0], slice_of(p + 2, p[1])};
			it->at += 2 + (size_t)p[1];
			return true;
		}
	}
	it->at = it->body.n;
	return false;
}

int rtcp_bye_parse(struct rtcp_bye *bye, const struct rtcp_packet *pkt)
{
	if (pkt->type != RTCP_TYPE_BYE)
		return -ERR_MALFORMED;
	struct cursor c = cursor_of(pkt->body);
	*bye = (struct rtcp_bye){.ssrcs = cursor_take(&c, (size_t)pkt->count * 4)};
	if (c.ok && c.left)
		bye->reason = cursor_take(&c, cursor_u8(&c));
	return c.ok ? 0 : -ERR_TRUNCATED;
}

int rtcp_feedback_parse(struct rtcp_feedback *fb, const struct rtcp_packet *pkt)
{
	size_t entry;
	switch (rtcp_kind(pkt)) {
	case RTCP_NACK: entry = NACK_ENTRY_LEN; break;
	case RTCP_FIR: entry = RTCP_FIR_ENTRY_LEN; break;
	case RTCP_PLI: entry = 0; break;
	default: return -ERR_MALFORMED;
	}
	if (pkt->body.n < FEEDBACK_LEN + entry)
		return -ERR_TRUNCATED;
	size_t n = pkt->body.n - FEEDBACK_LEN;
	if (entry ? n % entry != 0 : n != 0)
		return -ERR_MALFORMED;
	*fb = (struct rtcp_feedback){
		.sender_ssrc = rd32(pkt->body.p),
		.media_ssrc = rd32(pkt->body.p + 4),
		.fci = slice_of(pkt->body.p + FEEDBACK_LEN, n),
	};
	return 0;
}

struct rtcp_nack_iter rtcp_nack_iter(const struct rtcp_feedback *fb)
{
	return (struct rtcp_nack_iter){.rest = fb->fci};
}

bool rtcp_nack_next(struct rtcp_nack_iter *it, uint16_t *seq)
{
	if (it->mask) {
		unsigned bit = (unsigned)__builtin_ctz(it->mask);
		it->mask &= (uint16_t)(it->mask - 1);
		*seq = (uint16_t)(it->pid + 1 + bit);
		return true;
	}
	if (it->rest.n < NACK_ENTRY_LEN)
		return false;
	*seq = it->pid = rd16(it->rest.p);
	it->mask = rd16(it->rest.p + 2);
	it->rest = slice_of(it->rest.p + NACK_ENTRY_LEN, it->rest.n - NACK_ENTRY_LEN);
	return true;
}

struct rtcp_fir_entry rtcp_fir_at(const struct rtcp_feedback *fb, size_t i)
{
	const uint8_t *p = fb->fci.p + i * RTCP_FIR_ENTRY_LEN;
	return (struct rtcp_fir_entry){.ssrc = rd32(p), .command_seq = p[4]};
}

/*
 * |  SSRC of sender  |  0  |  "REMB"  | num:8 | exponent:6 | mantissa:18 |  SSRC … |
 */
int rtcp_remb_parse(struct rtcp_remb *remb, const struct rtcp_packet *pkt)
{
	if (rtcp_kind(pkt) != RTCP_REMB)
		return -ERR_MALFORMED;
	const uint8_t *p = pkt->body.p;
	size_t n = (size_t)p[12] * 4;
	if (pkt->body.n - REMB_LEN < n)
		return -ERR_TRUNCATED;
	unsigned exponent = p[13] >> 2;
	uint64_t mantissa = rd24(p + 13) & 0x3ffff;
	bool fits = mantissa << exponent >> exponent == mantissa;
	*remb = (struct rtcp_remb){
		.sender_ssrc = rd32(p),
		.bitrate_bps = fits ? mantissa << exponent : UINT64_MAX,
		.ssrcs = slice_of(p + REMB_LEN, n),
	};
	return 0;
}

bool rtcp_rtt_us(const struct rtcp_report_block *block, uint64_t now_ntp, uint64_t *rtt_us)
{
	if (block->last_sr == 0)
		return false;
	uint32_t rtt = rtcp_ntp_mid(now_ntp) - block->last_sr - block->delay_since_sr;
	/* Negative when clocks or the peer's arithmetic are off. */
	if (rtt & 0x80000000)
		return false;
	*rtt_us = (uint64_t)rtt * 1000000 >> 16;
	return true;
}

uint64_t rtcp_ntp_of_unix_us(uint64_t unix_us)
{
	/* 70 years with 17 leap days between 1900 and 1970. */
	const uint64_t epoch = UINT64_C(2208988800);
	uint64_t fraction = ((unix_us % 1000000) << 32) / 1000000;
	return (unix_us / 1000000 + epoch) << 32 | fraction;
}
