#include "srtp/srtp_internal.h"

/* Jobs handed to the cipher at once: enough to fill the lanes of a multi-buffer backend. */
enum { CHUNK = 16 };

static const uint32_t E_BIT = 0x80000000;

/* Puts the header in its place and describes the rest to the cipher; false if refused. */
static bool prepare(const struct srtp *s, const struct srtp_job *job, struct aead_job *a)
{
	struct srtp_stream *st = job->stream;

	if (job->hdr_len < SRTP_RTP_HDR_LEN || rd32(job->hdr + 8) != st->ssrc ||
		job->hdr_len + job->payload_len + s->tag_len > UINT16_MAX)
		return false;

	uint16_t seq = rd16(job->hdr + 2);
	int64_t guess = st->has_sent ? srtp_index_guess(st->top, seq) : seq;
	if (guess < 0 || guess >> 48)
		return false;
	uint64_t index = (uint64_t)guess;
	if (!st->has_sent || index > st->top) {
		st->top = index;
		st->has_sent = true;
	}

	if (job->out != job->hdr)
		memcpy(job->out, job->hdr, job->hdr_len);
	a->aad = job->out;
	a->aad_len = job->hdr_len;
	a->in = job->payload;
	a->out = job->out + job->hdr_len;
	a->len = job->payload_len;
	a->tag = a->out + a->len;
	a->trailer_len = 0;
	srtp_make_iv(a->iv, &s->tx_rtp, s->iv_at, st->ssrc, index);
	if (!s->is_gcm) {
		wr32(a->trailer, (uint32_t)(index >> 16));
		a->trailer_len = 4;
	}
	return true;
}

static void protect_chunk(struct srtp *s, struct srtp_job *jobs, unsigned n)
{
	struct aead_job sealed[CHUNK];
	struct srtp_job *source[CHUNK];
	unsigned n_sealed = 0;

	for (unsigned i = 0; i < n; i++) {
		jobs[i].out_len = 0;
		if (prepare(s, &jobs[i], &sealed[n_sealed]))
			source[n_sealed++] = &jobs[i];
	}
	aead_seal(s->tx_rtp.aead, sealed, n_sealed);
	for (unsigned i = 0; i < n_sealed; i++)
		if (sealed[i].ok)
			source[i]->out_len = (uint16_t)(source[i]->hdr_len +
							source[i]->payload_len + s->tag_len);
}

void srtp_protect_batch(struct srtp *s, struct srtp_job *jobs, unsigned n)
{
	for (unsigned at = 0; at < n; at += CHUNK)
		protect_chunk(s, jobs + at, MIN(n - at, CHUNK));
}

int srtp_protect_rtcp(struct srtp *s, uint8_t *pkt, size_t n, size_t cap, size_t *out_n)
{
	size_t overhead = s->tag_len + 4u;

	if (n < SRTP_RTCP_HDR_LEN || pkt[0] >> 6 != 2)
		return -ERR_MALFORMED;
	if (cap < n || cap - n < overhead)
		return -ERR_NO_ROOM;
	if (s->tx_rtcp_index & E_BIT)
		return -ERR_BAD_STATE;

	/* The layouts differ, see srtp_unprotect_rtcp. */
	uint8_t *word = pkt + n + (s->is_gcm ? s->tag_len : 0);
	struct aead_job job = {
		.trailer_len = 4,
		.aad = pkt,
		.aad_len = SRTP_RTCP_HDR_LEN,
		.in = pkt + SRTP_RTCP_HDR_LEN,
		.out = pkt + SRTP_RTCP_HDR_LEN,
		.len = n - SRTP_RTCP_HDR_LEN,
		.tag = pkt + n + (s->is_gcm ? 0 : 4),
	};
	srtp_make_iv(job.iv, &s->tx_rtcp, s->iv_at, rd32(pkt + 4), s->tx_rtcp_index);
	wr32(job.trailer, E_BIT | s->tx_rtcp_index++);
	aead_seal(s->tx_rtcp.aead, &job, 1);
	if (!job.ok)
		return -ERR_CRYPTO;
	memcpy(word, job.trailer, 4);
	*out_n = n + overhead;
	return 0;
}
