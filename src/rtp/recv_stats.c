#include "rtp/recv_stats.h"

#include "base/macros.h"

enum {
	DROPOUT_MAX = 3000, /* a longer gap looks like a restart (RFC 3550 A.1) */
	LOST_MAX = 0x7fffff,
	US_PER_SECOND = 1000000,
};

void recv_stats_init(struct recv_stats *s, uint32_t clock_rate)
{
	*s = (struct recv_stats){.clock_rate = clock_rate ? clock_rate : 1, .bad_next = -1};
}

static void start_row(struct recv_stats *s, uint16_t seq)
{
	s->unwrap = (struct seq_unwrap){.high = seq, .is_started = true};
	s->seen = (struct seq_window){0};
	s->base_ext = seq;
	s->bad_next = -1;
	s->received = s->expected_prior = s->received_prior = 0;
	s->has_transit = false;
}

/*
 * RFC 3550 A.8, but only for the first packet of each timestamp and in order: the packets of one
 * video frame share a timestamp and are paced, which is no jitter of the network.
 */
static void note_jitter(struct recv_stats *s, uint32_t timestamp, uint64_t now_us)
{
	if (s->has_transit && timestamp == s->last_ts)
		return;
	uint64_t seconds = now_us / US_PER_SECOND, rest = now_us % US_PER_SECOND;
	uint32_t arrival =
		(uint32_t)(seconds * s->clock_rate + rest * s->clock_rate / US_PER_SECOND);
	uint32_t transit = arrival - timestamp;
	if (s->has_transit) {
		int32_t d = ts_diff(transit, s->last_transit);
		uint32_t distance = d < 0 ? 0 - (uint32_t)d : (uint32_t)d;
		s->jitter_q4 += distance - ((s->jitter_q4 + 8) >> 4);
	}
	s->last_transit = transit;
	s->last_ts = timestamp;
	s->has_transit = true;
}

/* A number far off is believed only when the next one follows it (RFC 3550 A.1). */
static bool is_restart(struct recv_stats *s, uint16_t seq)
{
	if (s->bad_next == seq)
		return true;
	s->bad_next = (uint16_t)(seq + 1);
	return false;
}

enum recv_verdict recv_stats_push(
	struct recv_stats *s, const struct rtp_packet *pkt, uint64_t now_us)
{
	if (!s->unwrap.is_started)
		start_row(s, pkt->seq);
	enum recv_verdict verdict = RECV_NEWEST;
	int64_t ext = seq_unwrap_peek(&s->unwrap, pkt->seq);
	int64_t ahead = ext - s->unwrap.high;
	if (ahead >= DROPOUT_MAX || ahead <= -SEQ_WINDOW_LEN) {
		if (!is_restart(s, pkt->seq))
			return RECV_STALE;
		start_row(s, pkt->seq);
		ext = pkt->seq;
		verdict = RECV_RESTARTED;
	} else if (ahead < 0) {
		verdict = RECV_LATE;
	}
	s->bad_next = -1;
	if (seq_window_mark(&s->seen, ext) != SEQ_FIRST_TIME) {
		s->duplicates++;
		return RECV_DUPLICATE;
	}
	(void)seq_unwrap_next(&s->unwrap, pkt->seq);
	/* The stream's first packets may themselves come out of order. */
	s->base_ext = MIN(s->base_ext, ext);
	s->received++;
	s->packets++;
	s->bytes += pkt->payload.n;
	if (verdict != RECV_LATE)
		note_jitter(s, pkt->timestamp, now_us);
	return verdict;
}

void recv_stats_sr(struct recv_stats *s, uint64_t ntp, uint64_t now_us)
{
	s->sr_ntp_mid = rtcp_ntp_mid(ntp);
	s->sr_at_us = now_us;
	s->has_sr = true;
}

uint64_t recv_stats_expected(const struct recv_stats *s)
{
	return s->unwrap.is_started ? (uint64_t)(s->unwrap.high - s->base_ext + 1) : 0;
}

uint64_t recv_stats_lost(const struct recv_stats *s)
{
	return recv_stats_expected(s) - s->received;
}

uint64_t recv_stats_jitter_us(const struct recv_stats *s)
{
	return (uint64_t)(s->jitter_q4 >> 4) * US_PER_SECOND / s->clock_rate;
}

/* Loss since the last report in 1/256; late packets of the interval before may make it negative: 0.
 */
static uint8_t take_fraction(struct recv_stats *s)
{
	uint64_t expected = recv_stats_expected(s) - s->expected_prior;
	uint64_t received = s->received - s->received_prior;
	s->expected_prior += expected;
	s->received_prior += received;
	if (received >= expected)
		return 0;
	return (uint8_t)MIN(((expected - received) << 8) / expected, UINT8_MAX);
}

bool recv_stats_report(
	struct recv_stats *s, uint32_t ssrc, uint64_t now_us, struct rtcp_report_block *out)
{
	if (!s->unwrap.is_started)
		return false;
	*out = (struct rtcp_report_block){
		.ssrc = ssrc,
		.fraction_lost = take_fraction(s),
		.lost = (int32_t)MIN(recv_stats_lost(s), LOST_MAX),
		.high_seq = (uint32_t)s->unwrap.high,
		.jitter = s->jitter_q4 >> 4,
	};
	if (s->has_sr) {
		uint64_t since_us = MIN(now_us - s->sr_at_us, UINT64_C(65535) * US_PER_SECOND);
		out->last_sr = s->sr_ntp_mid;
		out->delay_since_sr = (uint32_t)((since_us << 16) / US_PER_SECOND);
	}
	return true;
}
