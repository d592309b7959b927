/*
 * session_double: stands in for session/ in tests of sfu/: the part of session.h that sfu/ calls, without transport.
 *
 * The linker takes these definitions instead of session.c, so include it once per test program. It holds the SFU to
 * what SRTP needs: every header whole and of its stream, no number twice with other bytes, none far from its
 * neighbours.
 */
#pragma once
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "rtp/rtp.h"
#include "session/session.h"

enum { DOUBLE_STREAMS = 16, DOUBLE_QUEUE = 64, DOUBLE_SEQS = 65536, DOUBLE_FAR = 1 << 15 };

struct srtp_stream {
	uint32_t ssrc;
	bool is_started;
	uint16_t first, high;
	uint64_t *sums; /* by number: what was sent under it; 0 = nothing */
};

struct session {
	uint32_t rtt_us;
	bool is_connected;
	struct srtp_stream streams[DOUBLE_STREAMS];
	struct rtp_out queue[DOUBLE_QUEUE];
	unsigned n_queue;
	void (*rtp)(void *arg, struct slice packet);
	void (*rtcp)(void *arg, struct slice compound);
	void *arg;
	uint64_t n_rtp, n_rtcp;
};

static inline uint64_t double_sum(struct slice s)
{
	uint64_t h = 1469598103934665603ULL;
	for (size_t i = 0; i < s.n; i++)
		h = (h ^ s.p[i]) * 1099511628211ULL;
	return h | 1;
}

static inline void double_check(struct srtp_stream *st, struct slice packet)
{
	assert_true(packet.n >= RTP_HDR_LEN);
	assert_true(packet.n <= RTP_PACKET_MAX + VP8_DESC_MAX);
	assert_int_equal(rd32(packet.p + 8), st->ssrc);
	uint16_t seq = rd16(packet.p + 2);
	if (!st->is_started) {
		st->is_started = true;
		st->high = st->first = seq;
		assert_true(seq < DOUBLE_FAR);
	}
	/* Numbers go on from where they were; those of the turn before are used up. */
	int ahead = seq_diff(seq, st->high);
	assert_true(ahead < 4096 && ahead > -4096);
	for (; ahead > 0; ahead--)
		st->sums[++st->high] = 0;
	uint64_t sum = double_sum(packet);
	if (st->sums[seq])
		assert_true(st->sums[seq] == sum);
	st->sums[seq] = sum;
}

static inline void double_flush(struct session *s)
{
	for (unsigned i = 0; i < s->n_queue; i++) {
		struct rtp_out *o = &s->queue[i];
		assert_true(o->hdr_len >= RTP_HDR_LEN && o->hdr_len <= RTP_OUT_HDR_CAP);
		assert_true(o->prefix_len <= RTP_OUT_PREFIX_CAP);
		size_t n = (size_t)o->hdr_len + o->prefix_len + o->payload_len;
		uint8_t *p = xmalloc(n);
		memcpy(p, o->hdr, o->hdr_len);
		memcpy(p + o->hdr_len, o->prefix, o->prefix_len);
		memcpy(p + o->hdr_len + o->prefix_len, o->payload, o->payload_len);
		double_check(o->stream, slice_of(p, n));
		s->n_rtp++;
		if (s->rtp)
			s->rtp(s->arg, slice_of(p, n));
		xfree(p);
	}
	s->n_queue = 0;
}

static inline void double_close(struct session *s)
{
	for (unsigned i = 0; i < DOUBLE_STREAMS; i++)
		xfree(s->streams[i].sums);
}

uint32_t session_rtt_us(const struct session *s)
{
	return s->rtt_us;
}

struct srtp_stream *session_stream_add(struct session *s, uint32_t ssrc)
{
	if (!s->is_connected)
		return NULL;
	for (unsigned i = 0; i < DOUBLE_STREAMS; i++) {
		struct srtp_stream *st = &s->streams[i];
		if (st->ssrc)
			continue;
		st->ssrc = ssrc;
		st->is_started = false;
		st->sums = xcalloc(DOUBLE_SEQS, sizeof *st->sums);
		return st;
	}
	fail_msg("too many streams");
	return NULL;
}

void session_stream_del(struct session *s, struct srtp_stream *stream)
{
	if (!stream)
		return;
	double_flush(s);
	xfree(stream->sums);
	*stream = (struct srtp_stream){0};
}

struct rtp_out *session_tx_rtp(struct session *s)
{
	if (s->n_queue == DOUBLE_QUEUE)
		double_flush(s);
	return &s->queue[s->n_queue++];
}

void session_flush_all(struct session *s)
{
	double_flush(s);
}

void session_tx_rtcp(struct session *s, struct slice compound)
{
	assert_true(compound.n && compound.n <= SESSION_RTCP_MAX);
	s->n_rtcp++;
	if (s->rtcp)
		s->rtcp(s->arg, compound);
}
