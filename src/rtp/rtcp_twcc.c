#include "rtp/rtcp.h"

#include "base/macros.h"

/*
 * A chunk (draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1.2 to §3.1.4), 16 bits:
 *
 *  |0| S |     run length:13     |   that many times the two-bit symbol S
 *  |1|0|  14 symbols of one bit  |
 *  |1|1|  7 symbols of two bits  |
 */
enum { FIXED_LEN = 16, TICK_US = 250, REFERENCE_US = 64000 };

enum symbol { NOT_RECEIVED, SMALL_DELTA, LARGE_DELTA, RESERVED };

static uint16_t chunk_len(uint16_t chunk)
{
	if (!(chunk & 0x8000))
		return chunk & 0x1fff;
	return chunk & 0x4000 ? 7 : 14;
}

static enum symbol chunk_symbol(uint16_t chunk, unsigned i)
{
	if (!(chunk & 0x8000))
		return (enum symbol)(chunk >> 13 & 3);
	if (chunk & 0x4000)
		return (enum symbol)(chunk >> (12 - 2 * i) & 3);
	return (enum symbol)(chunk >> (13 - i) & 1);
}

/* Adds up the deltas of n symbols of a chunk; the value of a symbol is the size of its delta. */
static int count_deltas(uint16_t chunk, unsigned n, size_t *bytes)
{
	bool is_run = !(chunk & 0x8000);
	for (unsigned i = 0; i < n; i++) {
		enum symbol symbol = chunk_symbol(chunk, i);
		if (symbol == RESERVED)
			return -ERR_MALFORMED;
		if (is_run) {
			*bytes += (size_t)symbol * n;
			return 0;
		}
		*bytes += symbol;
	}
	return 0;
}

int rtcp_twcc_parse(struct rtcp_twcc *fb, const struct rtcp_packet *pkt)
{
	if (rtcp_kind(pkt) != RTCP_TWCC)
		return -ERR_MALFORMED;
	struct slice b = pkt->body;
	if (b.n < FIXED_LEN)
		return -ERR_TRUNCATED;
	uint32_t reference = rd24(b.p + 12);
	*fb = (struct rtcp_twcc){
		.sender_ssrc = rd32(b.p),
		.media_ssrc = rd32(b.p + 4),
		.base_seq = rd16(b.p + 8),
		.status_count = rd16(b.p + 10),
		.reference_time = (int32_t)(reference ^ 0x800000) - 0x800000,
		.feedback_count = b.p[15],
	};
	struct cursor c = cursor_of(slice_of(b.p + FIXED_LEN, b.n - FIXED_LEN));
	size_t delta_bytes = 0;
	for (unsigned left = fb->status_count; left;) {
		uint16_t chunk = cursor_u16(&c);
		if (!c.ok)
			return -ERR_TRUNCATED;
		/* The last chunk may have symbols to spare; they have no delta. */
		unsigned n = MIN(left, (unsigned)chunk_len(chunk));
		int err = count_deltas(chunk, n, &delta_bytes);
		if (err)
			return err;
		left -= n;
	}
	fb->chunks = slice_of(b.p + FIXED_LEN, b.n - FIXED_LEN - c.left);
	fb->deltas = cursor_take(&c, delta_bytes);
	return c.ok ? 0 : -ERR_TRUNCATED;
}

struct rtcp_twcc_iter rtcp_twcc_iter(const struct rtcp_twcc *fb)
{
	return (struct rtcp_twcc_iter){
		.chunks = fb->chunks,
		.deltas = fb->deltas,
		.at_us = (int64_t)fb->reference_time * REFERENCE_US,
		.seq = fb->base_seq,
		.left = fb->status_count,
	};
}

static struct slice after(struct slice s, size_t n)
{
	return slice_of(s.p + n, s.n - n);
}

bool rtcp_twcc_next(struct rtcp_twcc_iter *it, struct rtcp_twcc_status *out)
{
	if (it->left == 0)
		return false;
	/* A run of no symbols is legal and says nothing. */
	while (it->chunk_at == it->chunk_len) {
		if (it->chunks.n < 2)
			return false;
		it->chunk = rd16(it->chunks.p);
		it->chunk_len = chunk_len(it->chunk);
		it->chunk_at = 0;
		it->chunks = after(it->chunks, 2);
	}
	enum symbol symbol = chunk_symbol(it->chunk, it->chunk_at++);
	if (it->deltas.n < (size_t)symbol)
		return false;
	if (symbol == SMALL_DELTA)
		it->at_us += it->deltas.p[0] * TICK_US;
	else if (symbol == LARGE_DELTA)
		it->at_us += (int16_t)rd16(it->deltas.p) * TICK_US;
	if (symbol != NOT_RECEIVED)
		it->deltas = after(it->deltas, symbol);
	*out = (struct rtcp_twcc_status){
		.seq = it->seq++,
		.is_received = symbol != NOT_RECEIVED,
		.at_us = symbol != NOT_RECEIVED ? it->at_us : 0,
	};
	it->left--;
	return true;
}
