/*
 * Whatever the network or an authentic peer sends: no over-read, and what opens is what was sealed.
 *
 * Input: one byte chooses the profile, then operations of 5 bytes (kind, SSRC, number, length) with
 * that many bytes of packet. Kinds 0 and 1 give the bytes as they are, RTP and RTCP; 2 and 3 seal
 * them first, since random bytes hardly ever pass authentication.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "srtp/srtp.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

enum { N_SSRC = 4, PACKET_MAX = 600 };

struct fuzz {
	struct srtp *tx, *rx;
	struct srtp_stream *streams[N_SSRC];
};

static void need(int ok)
{
	if (!ok)
		abort();
}

/* A buffer of the exact size, so that the sanitizer sees one byte too much. */
static uint8_t *exact(struct slice s)
{
	uint8_t *p = malloc(s.n ? s.n : 1);
	need(p != NULL);
	if (s.n)
		memcpy(p, s.p, s.n);
	return p;
}

static void open_raw(struct fuzz *f, struct slice pkt, bool is_rtcp)
{
	uint8_t *p = exact(pkt);
	size_t n = pkt.n;
	int err = is_rtcp ? srtp_unprotect_rtcp(f->rx, p, &n) : srtp_unprotect_rtp(f->rx, p, &n);
	if (err)
		need(n == pkt.n && (n == 0 || !memcmp(p, pkt.p, n)));
	else
		need(n < pkt.n);
	free(p);
}

static size_t hdr_len_of(uint8_t *pkt, size_t n)
{
	size_t len = SRTP_RTP_HDR_LEN + 4u * (pkt[0] & 15);
	if (pkt[0] & 0x10 && len + 4 <= n)
		len += 4 + 4u * rd16(pkt + len + 2);
	else
		pkt[0] &= 0xef;
	if (len <= n)
		return len;
	pkt[0] = 0x80;
	return SRTP_RTP_HDR_LEN;
}

static void seal_and_open_rtp(struct fuzz *f, struct slice body, uint8_t which, uint16_t seq)
{
	uint8_t plain[SRTP_RTP_HDR_LEN + PACKET_MAX] = {0};
	size_t n = body.n > SRTP_RTP_HDR_LEN ? body.n : SRTP_RTP_HDR_LEN;
	if (body.n)
		memcpy(plain, body.p, body.n);
	plain[0] = (uint8_t)(0x80 | (plain[0] & 0x3f));
	wr16(plain + 2, seq);
	wr32(plain + 8, which);
	size_t hdr_len = hdr_len_of(plain, n);

	uint8_t *out = malloc(n + SRTP_MAX_OVERHEAD);
	need(out != NULL);
	struct srtp_job job = {
		.stream = f->streams[which],
		.hdr = plain,
		.hdr_len = (uint16_t)hdr_len,
		.payload = plain + hdr_len,
		.payload_len = (uint16_t)(n - hdr_len),
		.out = out,
	};
	srtp_protect_batch(f->tx, &job, 1);
	size_t got = job.out_len;
	if (got && srtp_unprotect_rtp(f->rx, out, &got) == 0) {
		need(got == n && !memcmp(out, plain, n));
		got = job.out_len;
		need(srtp_unprotect_rtp(f->rx, out, &got) != 0);
	}
	free(out);
}

static void seal_and_open_rtcp(struct fuzz *f, struct slice body)
{
	size_t n = body.n, cap = n + SRTCP_MAX_OVERHEAD;
	uint8_t *p = malloc(cap);
	need(p != NULL);
	if (n)
		memcpy(p, body.p, n);
	if (srtp_protect_rtcp(f->tx, p, n, cap, &n) == 0) {
		need(srtp_unprotect_rtcp(f->rx, p, &n) == 0);
		need(n == body.n && !memcmp(p, body.p, n));
	}
	free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct cursor c = cursor_of(slice_of(p, n));
	const struct srtp_profile_info *info = srtp_profile_at(cursor_u8(&c) % 3);
	uint8_t keying[SRTP_KEYING_MAX] = {1};
	struct slice k = {keying, info->keying_len};
	struct fuzz f = {srtp_new(info->id, k, true), srtp_new(info->id, k, false), {NULL}};

	need(f.tx && f.rx);
	for (uint32_t i = 0; i < N_SSRC; i++)
		f.streams[i] = srtp_tx_add(f.tx, i);
	while (c.ok && c.left > 5) {
		uint8_t kind = cursor_u8(&c), which = cursor_u8(&c) % N_SSRC;
		uint16_t seq = cursor_u16(&c);
		size_t len = 2u * cursor_u8(&c);
		struct slice body = cursor_take(&c, len < c.left ? len : c.left);
		if (kind % 4 < 2)
			open_raw(&f, body, kind % 4);
		else if (kind % 4 == 2)
			seal_and_open_rtp(&f, body, which, seq);
		else
			seal_and_open_rtcp(&f, body);
	}
	srtp_free(f.tx);
	srtp_free(f.rx);
	return 0;
}
