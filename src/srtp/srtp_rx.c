#include "srtp/srtp_internal.h"

enum {
	VERSION_MASK = 0xc0,
	VERSION_2 = 0x80,
	EXTENSION_BIT = 0x10,
	CSRC_MASK = 0x0f,
	ROC_1 = 0x10000,        /* the index of sequence number 0 after the first wrap */
	FIRST_SEQ_MAX = 0x7fff, /* above it a first packet can hardly follow a wrap */
};

static const uint32_t E_BIT = 0x80000000;

/* Length of the RTP header with CSRCs and extension (RFC 3550 §5.1, §5.3.1); 0 if malformed. */
static size_t rtp_hdr_len(const uint8_t *pkt, size_t n)
{
	if (n < SRTP_RTP_HDR_LEN || (pkt[0] & VERSION_MASK) != VERSION_2)
		return 0;
	size_t len = SRTP_RTP_HDR_LEN + 4 * (size_t)(pkt[0] & CSRC_MASK);
	if (pkt[0] & EXTENSION_BIT) {
		if (n < len + 4)
			return 0;
		len += 4 + 4 * (size_t)rd16(pkt + len + 2);
	}
	return len <= n ? len : 0;
}

/* A peer sends some ten SSRCs and they sit in front: a plain search is as fast as hashing. */
static struct srtp_rx_stream *rx_find(struct srtp *s, uint32_t ssrc)
{
	for (unsigned i = 0; i < s->n_rx; i++)
		if (s->rx_ssrc[i] == ssrc)
			return &s->rx[i];
	return NULL;
}

static struct srtp_rx_stream *rx_add(struct srtp *s, uint32_t ssrc)
{
	unsigned at = s->n_rx;

	if (at == SRTP_RX_MAX) {
		at = 0;
		/* Ages, not values, are compared: the count may wrap. */
		for (unsigned i = 1; i < SRTP_RX_MAX; i++)
			if (s->rx_count - s->rx[i].used > s->rx_count - s->rx[at].used)
				at = i;
	} else {
		s->n_rx++;
	}
	s->rx_ssrc[at] = ssrc;
	s->rx[at] = (struct srtp_rx_stream){0};
	return &s->rx[at];
}

static int open_rtp(struct srtp *s, uint8_t *pkt, size_t n, size_t hdr_len, uint64_t index)
{
	struct aead_job job = {
		.aad = pkt,
		.aad_len = hdr_len,
		.in = pkt + hdr_len,
		.out = pkt + hdr_len,
		.len = n - hdr_len,
		.tag = pkt + n,
	};

	srtp_make_iv(job.iv, &s->rx_rtp, s->iv_at, rd32(pkt + 8), index);
	if (!s->is_gcm) {
		wr32(job.trailer, (uint32_t)(index >> 16));
		job.trailer_len = 4;
	}
	return aead_open(s->rx_rtp.aead, &job);
}

int srtp_unprotect_rtp(struct srtp *s, uint8_t *pkt, size_t *n)
{
	size_t clear_len = *n < s->tag_len ? 0 : *n - s->tag_len;
	size_t hdr_len = rtp_hdr_len(pkt, clear_len);
	if (!hdr_len)
		return -ERR_MALFORMED;

	uint16_t seq = rd16(pkt + 2);
	uint32_t ssrc = rd32(pkt + 8);
	struct srtp_rx_stream *st = rx_find(s, ssrc);
	uint64_t index = seq;
	int err;

	if (st && !srtp_window_is_empty(&st->rtp)) {
		int64_t guess = srtp_index_guess(st->rtp.top, seq);
		/* Nothing lies before index 0, so it can only be a jump ahead of more than 2^15. */
		index = (uint64_t)(guess < 0 ? guess + ROC_1 : guess);
		if (index >> 48 || !srtp_window_may(&st->rtp, index))
			return -ERR_REPLAY;
		err = open_rtp(s, pkt, clear_len, hdr_len, index);
	} else {
		err = open_rtp(s, pkt, clear_len, hdr_len, index);
		if (err && seq <= FIRST_SEQ_MAX) {
			index += ROC_1;
			err = open_rtp(s, pkt, clear_len, hdr_len, index);
		}
	}
	if (err)
		return err;

	if (!st)
		st = rx_add(s, ssrc);
	srtp_window_accept(&st->rtp, index);
	st->used = ++s->rx_count;
	*n = clear_len;
	return 0;
}

int srtp_unprotect_rtcp(struct srtp *s, uint8_t *pkt, size_t *n)
{
	size_t overhead = s->tag_len + 4u;
	if (*n < SRTP_RTCP_HDR_LEN + overhead || (pkt[0] & VERSION_MASK) != VERSION_2)
		return -ERR_MALFORMED;

	/*
	 * CM: packet, E and index, tag (RFC 3711 §3.4). GCM: packet, tag, E and index (RFC 7714
	 * §9.2). The word with E and index is authenticated behind the packet in both.
	 */
	size_t clear_len = *n - overhead;
	uint8_t *word = pkt + clear_len + (s->is_gcm ? s->tag_len : 0);
	bool is_encrypted = rd32(word) & E_BIT;
	uint32_t index = rd32(word) & ~E_BIT;
	uint32_t ssrc = rd32(pkt + 4);
	struct srtp_rx_stream *st = rx_find(s, ssrc);
	if (st && !srtp_window_may(&st->rtcp, index))
		return -ERR_REPLAY;

	size_t aad_len = is_encrypted ? SRTP_RTCP_HDR_LEN : clear_len;
	struct aead_job job = {
		.trailer_len = 4,
		.aad = pkt,
		.aad_len = aad_len,
		.in = pkt + aad_len,
		.out = pkt + aad_len,
		.len = clear_len - aad_len,
		.tag = pkt + clear_len + (s->is_gcm ? 0 : 4),
	};
	memcpy(job.trailer, word, 4);
	srtp_make_iv(job.iv, &s->rx_rtcp, s->iv_at, ssrc, index);
	int err = aead_open(s->rx_rtcp.aead, &job);
	if (err)
		return err;

	if (!st)
		st = rx_add(s, ssrc);
	srtp_window_accept(&st->rtcp, index);
	st->used = ++s->rx_count;
	*n = clear_len;
	return 0;
}
