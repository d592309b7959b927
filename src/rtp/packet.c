#include "rtp/packet.h"

enum {
	VERSION_MASK = 0xc0,
	VERSION_2 = 0x80,
	PADDING_BIT = 0x20,
	EXT_BIT = 0x10,
	CSRC_MASK = 0x0f,
	MARKER_BIT = 0x80,
	PROFILE_ONE_BYTE = 0xbede,
	PROFILE_TWO_BYTE = 0x1000,
	ONE_BYTE_ID_MAX = 14, /* 15 is reserved (RFC 8285 §4.2) */
	ONE_BYTE_LEN_MAX = 16,
	TWO_BYTE_LEN_MAX = 255,
};

bool rtp_is_rtcp(struct slice dgram)
{
	return dgram.n >= 2 && dgram.p[1] >= 192 && dgram.p[1] <= 223;
}

/* Takes the extension block off the front of the rest; the rest begins behind the CSRCs. */
static int take_ext(struct rtp_packet *pkt, struct cursor *c)
{
	pkt->ext_profile = cursor_u16(c);
	size_t n = (size_t)cursor_u16(c) * 4;
	pkt->ext = cursor_take(c, n);
	return c->ok ? 0 : -ERR_TRUNCATED;
}

int rtp_parse(struct rtp_packet *pkt, struct slice raw)
{
	if (raw.n < RTP_HDR_LEN)
		return -ERR_TRUNCATED;
	uint8_t first = raw.p[0], second = raw.p[1];
	if ((first & VERSION_MASK) != VERSION_2)
		return -ERR_MALFORMED;

	*pkt = (struct rtp_packet){
		.raw = raw,
		.csrc_count = first & CSRC_MASK,
		.marker = second & MARKER_BIT,
		.payload_type = second & 0x7f,
		.seq = rd16(raw.p + 2),
		.timestamp = rd32(raw.p + 4),
		.ssrc = rd32(raw.p + 8),
	};
	struct cursor c = cursor_of(slice_of(raw.p + RTP_HDR_LEN, raw.n - RTP_HDR_LEN));
	(void)cursor_take(&c, (size_t)pkt->csrc_count * 4);
	if (!c.ok)
		return -ERR_TRUNCATED;
	if (first & EXT_BIT) {
		int err = take_ext(pkt, &c);
		if (err)
			return err;
	}
	/* A datagram is far below 64 KiB, but this function does not know where its bytes are from.
	 */
	if (raw.n - c.left > UINT16_MAX)
		return -ERR_MALFORMED;
	pkt->header_len = (uint16_t)(raw.n - c.left);

	if (first & PADDING_BIT) {
		/* The count includes itself, so zero is no count. */
		if (c.left == 0)
			return -ERR_TRUNCATED;
		pkt->padding_len = raw.p[raw.n - 1];
		if (pkt->padding_len == 0 || c.left < pkt->padding_len)
			return -ERR_MALFORMED;
	}
	pkt->payload = slice_of(raw.p + pkt->header_len, c.left - pkt->padding_len);
	return 0;
}

/* Bytes of the elements without the final padding; sets whether the one-byte form will do. */
static int measure(const struct rtp_header *h, size_t *len, bool *is_two_byte)
{
	if (h->ext_count > RTP_EXTS_MAX)
		return -ERR_RANGE;
	size_t data = 0;
	*is_two_byte = false;
	for (size_t i = 0; i < h->ext_count; i++) {
		const struct rtp_ext *e = &h->exts[i];
		if (e->id == 0 || e->data.n > TWO_BYTE_LEN_MAX)
			return -ERR_RANGE;
		if (e->id > ONE_BYTE_ID_MAX || e->data.n == 0 || e->data.n > ONE_BYTE_LEN_MAX)
			*is_two_byte = true;
		data += e->data.n;
	}
	*len = data + h->ext_count * (*is_two_byte ? 2 : 1);
	return 0;
}

static void write_exts(uint8_t *p, const struct rtp_header *h, size_t words, bool is_two_byte)
{
	uint8_t *end = p + 4 + words * 4;
	wr16(p, is_two_byte ? PROFILE_TWO_BYTE : PROFILE_ONE_BYTE);
	wr16(p + 2, (uint16_t)words);
	p += 4;
	for (size_t i = 0; i < h->ext_count; i++) {
		const struct rtp_ext *e = &h->exts[i];
		if (is_two_byte) {
			*p++ = e->id;
			*p++ = (uint8_t)e->data.n;
		} else {
			*p++ = (uint8_t)((unsigned)e->id << 4 | (unsigned)(e->data.n - 1));
		}
		if (e->data.n)
			memcpy(p, e->data.p, e->data.n);
		p += e->data.n;
	}
	while (p < end)
		*p++ = 0;
}

int rtp_header_write(uint8_t *out, size_t cap, const struct rtp_header *h)
{
	size_t ext_len = 0;
	bool is_two_byte = false;
	int err = measure(h, &ext_len, &is_two_byte);
	if (err)
		return err;
	size_t words = (ext_len + 3) / 4;
	size_t len = RTP_HDR_LEN + (h->ext_count ? 4 + words * 4 : 0);
	if (cap < len)
		return -ERR_NO_ROOM;

	out[0] = (uint8_t)(VERSION_2 | (h->has_padding ? PADDING_BIT : 0) |
			   (h->ext_count ? EXT_BIT : 0));
	out[1] = (uint8_t)((h->marker ? MARKER_BIT : 0) | (h->payload_type & 0x7f));
	wr16(out + 2, h->seq);
	wr32(out + 4, h->timestamp);
	wr32(out + 8, h->ssrc);
	if (h->ext_count)
		write_exts(out + RTP_HDR_LEN, h, words, is_two_byte);
	return (int)len;
}

void rtp_padding_write(uint8_t *out, uint8_t n)
{
	if (n == 0)
		return;
	memset(out, 0, (size_t)n - 1);
	out[n - 1] = n;
}
