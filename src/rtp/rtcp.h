/*
 * rtcp: RTCP packets, read and built (RFC 3550 §6, RFC 4585, RFC 5104, REMB and transport-wide
 * feedback drafts). Compound and reduced-size (RFC 5506) alike.
 *
 *  |V=2|P|  count  |      type     |     length in words - 1       |
 *  |  body …
 *
 * Reading: walk a datagram with rtcp_next, switch over rtcp_kind, parse with the function of that
 * kind. Parsed structs borrow the datagram. XR, APP and unknown ones are RTCP_OTHER.
 * Building: add packets to a struct rtcp_writer over the caller's memory; check once at the end.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/slice.h"

enum { RTCP_HDR_LEN = 4, RTCP_BLOCK_LEN = 24, RTCP_BLOCKS_MAX = 31 };

enum rtcp_type {
	RTCP_TYPE_SR = 200,
	RTCP_TYPE_RR = 201,
	RTCP_TYPE_SDES = 202,
	RTCP_TYPE_BYE = 203,
	RTCP_TYPE_APP = 204,
	RTCP_TYPE_RTPFB = 205,
	RTCP_TYPE_PSFB = 206,
	RTCP_TYPE_XR = 207,
};

enum rtcp_kind {
	RTCP_SR,
	RTCP_RR,
	RTCP_SDES,
	RTCP_BYE,
	RTCP_NACK, /* RTPFB 1 */
	RTCP_TWCC, /* RTPFB 15 */
	RTCP_PLI,  /* PSFB 1 */
	RTCP_FIR,  /* PSFB 4 */
	RTCP_REMB, /* PSFB 15 with "REMB" */
	RTCP_OTHER,
};

/* ---- reading */

struct rtcp_packet {
	uint8_t type;
	uint8_t count;     /* report count, source count or feedback message type */
	struct slice body; /* after the header, without padding */
};

struct rtcp_iter {
	struct slice rest;
	int err; /* why the walk ended early: 0, -ERR_TRUNCATED, -ERR_MALFORMED */
};

struct rtcp_iter rtcp_iter(struct slice dgram);

/* The next packet; false at the end or at the first broken one (see err). */
bool rtcp_next(struct rtcp_iter *it, struct rtcp_packet *out);

enum rtcp_kind rtcp_kind(const struct rtcp_packet *pkt);

struct rtcp_report_block {
	uint32_t ssrc;
	uint8_t fraction_lost;   /* of 256, since the last report */
	int32_t lost;            /* 24 bits, signed */
	uint32_t high_seq;       /* extended: cycles in the upper half */
	uint32_t jitter;         /* timestamp units */
	uint32_t last_sr;        /* middle 32 bits of the NTP time of the last SR; 0 = none */
	uint32_t delay_since_sr; /* 1/65536 s */
};

struct rtcp_sr {
	uint32_t ssrc;
	uint64_t ntp; /* 32.32 s since 1900 */
	uint32_t rtp_timestamp, packets, bytes;
	struct slice blocks; /* for rtcp_block_at; a whole number of them */
};

struct rtcp_rr {
	uint32_t ssrc;
	struct slice blocks;
};

/* Each: 0, -ERR_TRUNCATED, or -ERR_MALFORMED if the packet is not of this kind. */
MUST_CHECK int rtcp_sr_parse(struct rtcp_sr *sr, const struct rtcp_packet *pkt);
MUST_CHECK int rtcp_rr_parse(struct rtcp_rr *rr, const struct rtcp_packet *pkt);

static inline size_t rtcp_block_count(struct slice blocks)
{
	return blocks.n / RTCP_BLOCK_LEN;
}

/* i < rtcp_block_count(blocks). */
struct rtcp_report_block rtcp_block_at(struct slice blocks, size_t i);

/* Items of an SDES packet; a broken chunk ends the walk. */
enum { RTCP_SDES_CNAME = 1, RTCP_SDES_MID = 15 };

struct rtcp_sdes_item {
	uint32_t ssrc;
	uint8_t type;
	struct slice value;
};

struct rtcp_sdes_iter {
	struct slice body;
	size_t at;
	uint32_t ssrc;
	uint8_t chunks_left;
	bool in_chunk;
};

struct rtcp_sdes_iter rtcp_sdes_iter(const struct rtcp_packet *pkt);
bool rtcp_sdes_next(struct rtcp_sdes_iter *it, struct rtcp_sdes_item *out);

struct rtcp_bye {
	struct slice ssrcs; /* four bytes each: rd32 */
	struct slice reason;
};
MUST_CHECK int rtcp_bye_parse(struct rtcp_bye *bye, const struct rtcp_packet *pkt);

/* The two SSRCs at the start of every RTPFB and PSFB, and what follows (RFC 4585 §6.1). */
struct rtcp_feedback {
	uint32_t sender_ssrc, media_ssrc;
	struct slice fci;
};

/* NACK, PLI, FIR. Checks that fci is whole entries (of 4, 0, 8 bytes), at least one but for PLI. */
MUST_CHECK int rtcp_feedback_parse(struct rtcp_feedback *fb, const struct rtcp_packet *pkt);

/* Generic NACK: walks the numbers of PID + bitmask entries in order (RFC 4585 §6.2.1). */
struct rtcp_nack_iter {
	struct slice rest;
	uint16_t pid, mask;
};
struct rtcp_nack_iter rtcp_nack_iter(const struct rtcp_feedback *fb);
bool rtcp_nack_next(struct rtcp_nack_iter *it, uint16_t *seq);

/* FIR: entry i of fci.n / RTCP_FIR_ENTRY_LEN (RFC 5104 §4.3.1). */
enum { RTCP_FIR_ENTRY_LEN = 8 };
struct rtcp_fir_entry {
	uint32_t ssrc;
	uint8_t command_seq;
};
struct rtcp_fir_entry rtcp_fir_at(const struct rtcp_feedback *fb, size_t i);

/* Receiver estimated maximum bitrate (draft-alvestrand-rmcat-remb-03 §2.2). */
struct rtcp_remb {
	uint32_t sender_ssrc;
	uint64_t bitrate_bps; /* UINT64_MAX if it does not fit */
	struct slice ssrcs;   /* four bytes each: rd32 */
};
MUST_CHECK int rtcp_remb_parse(struct rtcp_remb *remb, const struct rtcp_packet *pkt);

/* Transport-wide feedback. The parser checks all lengths, so that the walk cannot fail. */
struct rtcp_twcc {
	uint32_t sender_ssrc, media_ssrc;
	uint16_t base_seq, status_count;
	int32_t reference_time; /* steps of 64 ms, 24 bits, signed */
	uint8_t feedback_count;
	struct slice chunks, deltas;
};

struct rtcp_twcc_status {
	uint16_t seq;
	bool is_received;
	int64_t at_us; /* arrival on the receiver's clock, the reference time added; 0 if lost */
};

struct rtcp_twcc_iter {
	struct slice chunks, deltas;
	int64_t at_us;
	uint16_t seq, left;
	uint16_t chunk, chunk_at, chunk_len;
};

MUST_CHECK int rtcp_twcc_parse(struct rtcp_twcc *fb, const struct rtcp_packet *pkt);
struct rtcp_twcc_iter rtcp_twcc_iter(const struct rtcp_twcc *fb);
bool rtcp_twcc_next(struct rtcp_twcc_iter *it, struct rtcp_twcc_status *out);

/* ---- building */

/* Packets are appended whole or not at all; one that does not fit sets `is_full` for good. */
struct rtcp_writer {
	uint8_t *p;
	size_t n, cap;
	bool is_full;
};

/* `mem` is borrowed until the result is used up. */
struct rtcp_writer rtcp_writer(uint8_t *mem, size_t cap);

/* What was written, {NULL, 0} if something did not fit or nothing was added. */
struct slice rtcp_written(const struct rtcp_writer *w);

/*
 * A packet of any type: writes the header and returns its body for the caller to fill, zeroed,
 * body_len bytes (a multiple of four). NULL if it does not fit. The others below are made of this.
 */
uint8_t *rtcp_add(struct rtcp_writer *w, uint8_t type, uint8_t count, size_t body_len);

/* Blocks past the 31st go into further RRs (RFC 3550 §6.1). sr->blocks is not used. */
void rtcp_add_sr(struct rtcp_writer *w, const struct rtcp_sr *sr,
	const struct rtcp_report_block *blocks, size_t n);
void rtcp_add_rr(
	struct rtcp_writer *w, uint32_t ssrc, const struct rtcp_report_block *blocks, size_t n);

/* One chunk: CNAME and, unless empty, MID (RFC 9143 §15.1). Values up to 255 bytes. */
void rtcp_add_sdes(struct rtcp_writer *w, uint32_t ssrc, struct slice cname, struct slice mid);

/* seqs in ascending order (wrapping allowed); nothing is added for n = 0. */
void rtcp_add_nack(struct rtcp_writer *w, uint32_t sender_ssrc, uint32_t media_ssrc,
	const uint16_t *seqs, size_t n);
void rtcp_add_pli(struct rtcp_writer *w, uint32_t sender_ssrc, uint32_t media_ssrc);

/* command_seq grows by one for each new request (RFC 5104 §4.3.1.1). */
void rtcp_add_fir(
	struct rtcp_writer *w, uint32_t sender_ssrc, uint32_t media_ssrc, uint8_t command_seq);
void rtcp_add_remb(struct rtcp_writer *w, uint32_t sender_ssrc, uint64_t bitrate_bps,
	const uint32_t *ssrcs, size_t n);

/* 1 to 31 SSRCs, no reason. */
void rtcp_add_bye(struct rtcp_writer *w, const uint32_t *ssrcs, size_t n);

/* ---- time */

/* Unix time in microseconds as NTP 32.32. */
uint64_t rtcp_ntp_of_unix_us(uint64_t unix_us);

/* The middle 32 bits: what LSR holds, 16.16 s. */
static inline uint32_t rtcp_ntp_mid(uint64_t ntp)
{
	return (uint32_t)(ntp >> 16);
}

/*
 * Round trip from a report block about a stream of ours (RFC 3550 §6.4.1): now - LSR - DLSR, where
 * now_ntp is the NTP time its SRs are made from. False without an LSR or if it comes out negative.
 */
bool rtcp_rtt_us(const struct rtcp_report_block *block, uint64_t now_ntp, uint64_t *rtt_us);
