/*
 * twcc_recv: records when packets with a transport-wide sequence number arrived, and reports it to
 * the sender, whose bandwidth estimate runs on it
 * (draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1).
 *
 * One per transport (peer connection): the numbers count over all its SSRCs.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "rtp/rtcp.h"
#include "rtp/seq.h"

enum {
	TWCC_RECV_LEN = 1024, /* numbers remembered; a power of two */
	TWCC_HELD_MIN = 20,   /* more than this many, and one of the intervals passed */
	TWCC_HELD_MAX = 100,  /* more than this many: at once */
	TWCC_INTERVAL_US = 100 * 1000,
	TWCC_MARKER_INTERVAL_US = 50 * 1000, /* when a frame just ended */
};

struct twcc_recv {
	struct seq_unwrap unwrap;
	int64_t base;         /* next number to report */
	uint64_t reported_us; /* last feedback, or the first packet */
	uint32_t held;        /* arrived and not reported */
	uint32_t stale_run;   /* packets in a row far behind the window */
	uint8_t feedback_count;
	bool is_at_marker;                  /* the latest packet ended a frame */
	uint64_t arrived_us[TWCC_RECV_LEN]; /* by number; 0 = not arrived */
};

void twcc_recv_init(struct twcc_recv *t);

/* A packet with transport-wide number `seq` arrived; `marker` is its RTP marker bit. */
void twcc_recv_push(struct twcc_recv *t, uint16_t seq, bool marker, uint64_t now_us);

/* True if feedback should be sent now. */
bool twcc_recv_is_due(const struct twcc_recv *t, uint64_t now_us);

/* When it becomes due if no more packets arrive; UINT64_MAX if it does not. */
uint64_t twcc_recv_next_us(const struct twcc_recv *t);

/*
 * Appends one feedback packet about what is not reported yet, as much as fits the writer and the
 * format; call again while `held` is not 0. A late packet is reported with those after it again.
 * 0; -ERR_NOT_FOUND if nothing is held; -ERR_NO_ROOM if not one arrival fits, which 512 free bytes
 * exclude.
 */
MUST_CHECK int twcc_feedback_build(struct twcc_recv *t, struct rtcp_writer *w, uint32_t sender_ssrc,
	uint32_t media_ssrc, uint64_t now_us);
