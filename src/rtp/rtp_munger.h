/*
 * rtp_munger: sequence numbers and timestamps of one forwarded stream.
 *
 * A subscriber sees one stream with one SSRC although its packets come from changing sources
 * (simulcast layers) and some are left out (temporal layers, padding). For each packet of the
 * current source the caller decides and calls exactly one of rtp_munger_take and rtp_munger_skip;
 * packets of other sources are not shown to the munger at all.
 *
 *   first packet of all, of another source, or after a pause → rtp_munger_switch, then take
 *
 * Plain data, to be embedded in the forwarding state; the often used fields come first.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "rtp/offset_map.h"
#include "rtp/seq.h"

struct rtp_munger {
	uint32_t ts_offset; /* out = in - ts_offset */
	uint32_t ts_high;   /* newest timestamp given out; before the first, the one to begin with */
	bool has_source;    /* a switch has happened */
	bool has_sent;      /* something was given out */
	struct seq_unwrap unwrap;
	struct seq_window seen; /* numbers of the current source */
	struct offset_map map;
};

struct rtp_munged {
	uint32_t timestamp;
	uint16_t seq;
	bool is_newest; /* of its source: not a late packet */
};

/* first_seq and first_ts are what the first packet will carry: random (RFC 3550 §5.1). */
void rtp_munger_init(struct rtp_munger *m, uint16_t first_seq, uint32_t first_ts);

/*
 * The packet with (seq, ts) is the first of a new source: it continues the numbering, and older
 * packets of that source will be refused. `expected_ts` is the outgoing timestamp this packet
 * should have, from the sources' sender reports or the time passed; it is raised to one more than
 * the newest sent so that time never stands still or runs back. Ignored for the very first packet.
 */
void rtp_munger_switch(struct rtp_munger *m, uint16_t seq, uint32_t ts, uint32_t expected_ts);

/*
 * Numbers for a packet to be forwarded. 0; -ERR_REPLAY for a duplicate or one older than the
 * history; -ERR_NOT_FOUND if it was skipped; -ERR_BAD_STATE before the first switch.
 */
MUST_CHECK int rtp_munger_take(
	struct rtp_munger *m, uint16_t seq, uint32_t ts, struct rtp_munged *out);

/*
 * A packet is left out on purpose. 0 if the numbering closes over it; -ERR_BAD_STATE if it came late,
 * so that its number is missing at the receiver, who will ask for it: the caller may send an empty
 * padding packet with the numbers of rtp_munger_take instead. -ERR_REPLAY as above.
 */
MUST_CHECK int rtp_munger_skip(struct rtp_munger *m, uint16_t seq);

/*
 * The next number for a packet that has no source (padding as a bandwidth probe, a silent frame on
 * mute). Consumes it. The timestamp is the newest one given out.
 */
void rtp_munger_insert(struct rtp_munger *m, struct rtp_munged *out);
