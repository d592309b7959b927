/*
 * One incoming stream with hostile numbers through everything that keeps state per stream: receive
 * statistics, NACK generator, packet buffer, munger and log of sent packets, as the SFU chains
 * them.
 */
#include <stdint.h>
#include <stdlib.h>
#include "rtp/rtp.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

#define CHECK(x)                                                                                   \
	do {                                                                                       \
		if (!(x))                                                                          \
			abort();                                                                   \
	} while (0)

struct stream {
	struct recv_stats stats;
	struct nack_gen nack;
	struct rtp_munger munger;
	struct pktbuf *buf;
	struct sent_log *log;
	uint64_t now_us;
};

static void forward(struct stream *s, const struct rtp_packet *pkt, uint8_t action)
{
	struct rtp_munged out;
	if (!s->munger.has_source || (action & 0xf0) == 0xf0)
		rtp_munger_switch(&s->munger, pkt->seq, pkt->timestamp, (uint32_t)s->now_us);
	if ((action & 3) == 3 && rtp_munger_skip(&s->munger, pkt->seq) != -ERR_BAD_STATE)
		return;
	if (action & 8)
		rtp_munger_insert(&s->munger, &out);
	if (rtp_munger_take(&s->munger, pkt->seq, pkt->timestamp, &out))
		return;
	struct rtp_munged again;
	CHECK(rtp_munger_take(&s->munger, pkt->seq, pkt->timestamp, &again) == -ERR_REPLAY);
	struct rtp_sent sent = {.seq = out.seq, .source_seq = pkt->seq};
	sent_log_put(s->log, &sent);
	struct rtp_sent found;
	if (out.is_newest) {
		CHECK(sent_log_repeat(s->log, out.seq, s->now_us, 1000, &found) == 0);
		CHECK(found.source_seq == pkt->seq);
	}
}

static void receive(struct stream *s, uint16_t seq, uint8_t action)
{
	uint8_t bytes[RTP_PACKET_MAX];
	struct rtp_header h = {.seq = seq, .timestamp = (uint32_t)(s->now_us / 11)};
	int len = rtp_header_write(bytes, sizeof bytes, &h);
	CHECK(len == RTP_HDR_LEN);
	size_t n = (size_t)len + action * 5u;
	memset(bytes + len, action, n - (size_t)len);
	struct rtp_packet pkt;
	CHECK(rtp_parse(&pkt, slice_of(bytes, n)) == 0);

	enum recv_verdict verdict = recv_stats_push(&s->stats, &pkt, s->now_us);
	if (verdict == RECV_STALE || verdict == RECV_DUPLICATE)
		return;
	if (verdict == RECV_RESTARTED) {
		nack_gen_reset(&s->nack);
		pktbuf_clear(s->buf);
		s->munger.has_source = false;
	}
	nack_gen_push(&s->nack, seq, s->now_us);
	CHECK(s->nack.count <= NACK_GEN_MAX);
	if (pktbuf_put(s->buf, seq, pkt.raw) == 0)
		CHECK(slice_eq(pktbuf_get(s->buf, seq), pkt.raw));
	forward(s, &pkt, action);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct stream s = {.buf = pktbuf_new(64, 8000), .log = sent_log_new(64), .now_us = 1000};
	recv_stats_init(&s.stats, 90000);
	nack_gen_init(&s.nack);
	rtp_munger_init(&s.munger, 65530, 1);
	for (; n >= 4; p += 4, n -= 4) {
		s.now_us += (uint64_t)(p[2] & 0x1f) << (p[2] >> 5) * 3;
		receive(&s, rd16(p), p[3]);
		uint16_t due[NACK_GEN_MAX];
		size_t asked = nack_gen_due(&s.nack, s.now_us, due, ARRAY_LEN(due));
		for (size_t i = 1; i < asked; i++)
			CHECK(seq_newer(due[i], due[i - 1]));
		struct rtcp_report_block b;
		if ((p[3] & 4) && recv_stats_report(&s.stats, 1, s.now_us, &b))
			CHECK(b.lost >= 0 &&
				recv_stats_lost(&s.stats) <= recv_stats_expected(&s.stats));
	}
	pktbuf_free(s.buf);
	sent_log_free(s.log);
	return 0;
}
