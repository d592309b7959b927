/*
 * recv_stats: what arrived of one incoming SSRC, for report blocks (RFC 3550 §6.4.1, A.1, A.3, A.8).
 *
 * Feed it the packets of the SSRC itself. Packets recovered through RTX belong to another SSRC and
 * must not be counted here, or the sender would not see its loss. Duplicates are not counted
 * either.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "rtp/packet.h"
#include "rtp/rtcp.h"
#include "rtp/seq.h"

struct recv_stats {
	uint32_t clock_rate;
	struct seq_unwrap unwrap;
	struct seq_window seen;
	int64_t base_ext; /* first number since the start or restart */
	int32_t bad_next; /* number after one that was too far off; -1 = none */
	uint64_t packets, bytes, duplicates;
	uint64_t expected_prior, received_prior, received;
	uint32_t jitter_q4; /* 1/16 of a timestamp unit, as in A.8 */
	uint32_t last_transit, last_ts;
	bool has_transit;
	bool has_sr;
	uint32_t sr_ntp_mid; /* LSR */
	uint64_t sr_at_us;
};

enum recv_verdict {
	RECV_NEWEST,    /* in order, or after a gap */
	RECV_LATE,      /* older than the newest, seen for the first time */
	RECV_DUPLICATE, /* seen before */
	RECV_STALE,     /* too far off to tell: not counted, drop it */
	RECV_RESTARTED, /* the sender jumped to other numbers: all that is keyed by seq starts anew */
};

/* clock_rate in Hz, from the codec. */
void recv_stats_init(struct recv_stats *s, uint32_t clock_rate);

/* Counts one packet; with RECV_RESTARTED it is the first of the new numbers. */
enum recv_verdict recv_stats_push(
	struct recv_stats *s, const struct rtp_packet *pkt, uint64_t now_us);

/* A sender report for this SSRC has come. */
void recv_stats_sr(struct recv_stats *s, uint64_t ntp, uint64_t now_us);

/*
 * Fills a report block for `ssrc` and begins the next interval. False, and nothing is filled,
 * if nothing ever arrived.
 */
bool recv_stats_report(
	struct recv_stats *s, uint32_t ssrc, uint64_t now_us, struct rtcp_report_block *out);

/* Cumulative, for quality scores. */
uint64_t recv_stats_expected(const struct recv_stats *s);
uint64_t recv_stats_lost(const struct recv_stats *s);
uint64_t recv_stats_jitter_us(const struct recv_stats *s);
