#include "rtp/rtx.h"

int rtp_rtx_unwrap(
	struct rtp_packet *pkt, uint8_t *bytes, size_t n, uint32_t media_ssrc, uint8_t media_pt)
{
	int err = rtp_parse(pkt, slice_of(bytes, n));
	if (err)
		return err;
	if (pkt->payload.n < RTX_OSN_LEN)
		return -ERR_TRUNCATED;

	uint16_t osn = rd16(pkt->payload.p);
	uint8_t *media = bytes + RTX_OSN_LEN;
	memmove(media, bytes, pkt->header_len);
	media[1] = (uint8_t)((media[1] & 0x80) | (media_pt & 0x7f));
	wr16(media + 2, osn);
	wr32(media + 8, media_ssrc);
	return rtp_parse(pkt, slice_of(media, n - RTX_OSN_LEN));
}

int rtp_rtx_header_write(
	uint8_t *out, size_t cap, const struct rtp_header *h, uint16_t original_seq)
{
	if (cap < RTX_OSN_LEN)
		return -ERR_NO_ROOM;
	int len = rtp_header_write(out, cap - RTX_OSN_LEN, h);
	if (len < 0)
		return len;
	wr16(out + len, original_seq);
	return len + RTX_OSN_LEN;
}
