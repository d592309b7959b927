#include "rtp/rtcp.h"

#include "base/macros.h"

enum { FMT_NACK = 1, FMT_PLI = 1, FMT_FIR = 4, FMT_APPLICATION = 15, SDES_VALUE_MAX = 255 };

struct rtcp_writer rtcp_writer(uint8_t *mem, size_t cap)
{
	return (struct rtcp_writer){.p = mem, .cap = cap};
}

struct slice rtcp_written(const struct rtcp_writer *w)
{
	return w->is_full || w->n == 0 ? (struct slice){NULL, 0} : slice_of(w->p, w->n);
}

uint8_t *rtcp_add(struct rtcp_writer *w, uint8_t type, uint8_t count, size_t body_len)
{
	size_t len = RTCP_HDR_LEN + body_len;
	if (w->is_full || body_len % 4 != 0 || body_len / 4 > UINT16_MAX || w->cap - w->n < len) {
		w->is_full = true;
		return NULL;
	}
	uint8_t *p = w->p + w->n;
	memset(p, 0, len);
	p[0] = (uint8_t)(0x80 | (count & 0x1f));
	p[1] = type;
	wr16(p + 2, (uint16_t)(body_len / 4));
	w->n += len;
	return p + RTCP_HDR_LEN;
}

static void write_blocks(uint8_t *p, const struct rtcp_report_block *blocks, size_t n)
{
	for (size_t i = 0; i < n; i++, p += RTCP_BLOCK_LEN) {
		const struct rtcp_report_block *b = &blocks[i];
		wr32(p, b->ssrc);
		p[4] = b->fraction_lost;
		wr24(p + 5, (uint32_t)b->lost & 0xffffff);
		wr32(p + 8, b->high_seq);
		wr32(p + 12, b->jitter);
		wr32(p + 16, b->last_sr);
		wr32(p + 20, b->delay_since_sr);
	}
}

void rtcp_add_rr(
	struct rtcp_writer *w, uint32_t ssrc, const struct rtcp_report_block *blocks, size_t n)
{
	/* At least one packet: an empty RR is how a compound of a non-sender begins. */
	do {
		size_t some = MIN(n, (size_t)RTCP_BLOCKS_MAX);
		uint8_t *p = rtcp_add(w, RTCP_TYPE_RR, (uint8_t)some, 4 + some * RTCP_BLOCK_LEN);
		if (!p)
			return;
		wr32(p, ssrc);
		write_blocks(p + 4, blocks, some);
		blocks += some;
		n -= some;
	} while (n);
}

void rtcp_add_sr(struct rtcp_writer *w, const struct rtcp_sr *sr,
	const struct rtcp_report_block *blocks, size_t n)
{
	size_t some = MIN(n, (size_t)RTCP_BLOCKS_MAX);
	uint8_t *p = rtcp_add(w, RTCP_TYPE_SR, (uint8_t)some, 24 + some * RTCP_BLOCK_LEN);
	if (!p)
		return;
	wr32(p, sr->ssrc);
	wr64(p + 4, sr->ntp);
	wr32(p + 12, sr->rtp_timestamp);
	wr32(p + 16, sr->packets);
	wr32(p + 20, sr->bytes);
	write_blocks(p + 24, blocks, some);
	if (n > some)
		rtcp_add_rr(w, sr->ssrc, blocks + some, n - some);
}

static uint8_t *write_item(uint8_t *p, uint8_t type, struct slice value)
{
	p[0] = type;
	p[1] = (uint8_t)value.n;
	if (value.n)
		memcpy(p + 2, value.p, value.n);
	return p + 2 + value.n;
}

void rtcp_add_sdes(struct rtcp_writer *w, uint32_t ssrc, struct slice cname, struct slice mid)
{
	cname.n = MIN(cname.n, (size_t)SDES_VALUE_MAX);
	mid.n = MIN(mid.n, (size_t)SDES_VALUE_MAX);
	size_t items = 2 + cname.n + (mid.n ? 2 + mid.n : 0);
	/* At least one zero byte ends the items. */
	size_t len = 4 + (items / 4 + 1) * 4;
	uint8_t *p = rtcp_add(w, RTCP_TYPE_SDES, 1, len);
	if (!p)
		return;
	wr32(p, ssrc);
	p = write_item(p + 4, RTCP_SDES_CNAME, cname);
	if (mid.n)
		write_item(p, RTCP_SDES_MID, mid);
}

static uint8_t *add_feedback(struct rtcp_writer *w, uint8_t type, uint8_t format,
	uint32_t sender_ssrc, uint32_t media_ssrc, size_t fci_len)
{
	uint8_t *p = rtcp_add(w, type, format, 8 + fci_len);
	if (!p)
		return NULL;
	wr32(p, sender_ssrc);
	wr32(p + 4, media_ssrc);
	return p + 8;
}

/* Entries that the numbers need; with p, writes them. */
static size_t nack_entries(const uint16_t *seqs, size_t n, uint8_t *p)
{
	size_t entries = 0;
	for (size_t i = 0; i < n; entries++) {
		uint16_t pid = seqs[i++], mask = 0;
		for (; i < n && (uint16_t)(seqs[i] - pid) <= 16; i++)
			if (seqs[i] != pid)
				mask |= (uint16_t)(1u << (uint16_t)(seqs[i] - pid - 1));
		if (p) {
			wr16(p + entries * 4, pid);
			wr16(p + entries * 4 + 2, mask);
		}
	}
	return entries;
}

void rtcp_add_nack(struct rtcp_writer *w, uint32_t sender_ssrc, uint32_t media_ssrc,
	const uint16_t *seqs, size_t n)
{
	if (n == 0)
		return;
	uint8_t *p = add_feedback(w, RTCP_TYPE_RTPFB, FMT_NACK, sender_ssrc, media_ssrc,
		nack_entries(seqs, n, NULL) * 4);
	if (p)
		(void)nack_entries(seqs, n, p);
}

void rtcp_add_pli(struct rtcp_writer *w, uint32_t sender_ssrc, uint32_t media_ssrc)
{
	(void)add_feedback(w, RTCP_TYPE_PSFB, FMT_PLI, sender_ssrc, media_ssrc, 0);
}

void rtcp_add_fir(
	struct rtcp_writer *w, uint32_t sender_ssrc, uint32_t media_ssrc, uint8_t command_seq)
{
	/* The SSRC of the media source is in the entry; the field before it is zero (RFC 5104). */
	uint8_t *p = add_feedback(w, RTCP_TYPE_PSFB, FMT_FIR, sender_ssrc, 0, RTCP_FIR_ENTRY_LEN);
	if (!p)
		return;
	wr32(p, media_ssrc);
	p[4] = command_seq;
}

void rtcp_add_remb(struct rtcp_writer *w, uint32_t sender_ssrc, uint64_t bitrate_bps,
	const uint32_t *ssrcs, size_t n)
{
	if (n > UINT8_MAX) {
		w->is_full = true;
		return;
	}
	uint8_t *p = add_feedback(w, RTCP_TYPE_PSFB, FMT_APPLICATION, sender_ssrc, 0, 8 + n * 4);
	if (!p)
		return;
	unsigned exponent = 0;
	while (bitrate_bps >> exponent > 0x3ffff)
		exponent++;
	memcpy(p, "REMB", 4);
	p[4] = (uint8_t)n;
	wr24(p + 5, (uint32_t)exponent << 18 | (uint32_t)(bitrate_bps >> exponent));
	for (size_t i = 0; i < n; i++)
		wr32(p + 8 + i * 4, ssrcs[i]);
}

void rtcp_add_bye(struct rtcp_writer *w, const uint32_t *ssrcs, size_t n)
{
	if (n > RTCP_BLOCKS_MAX) {
		w->is_full = true;
		return;
	}
	uint8_t *p = rtcp_add(w, RTCP_TYPE_BYE, (uint8_t)n, n * 4);
	for (size_t i = 0; p && i < n; i++)
		wr32(p + i * 4, ssrcs[i]);
}
