/*
 * sender: all RTP that goes out on one session: it hands the subscriber's feedback to the right downtrack and sends the
 * reports.
 */
#pragma once
#include <stdint.h>
#include "base/wheel.h"
#include "rtp/rtp.h"
#include "session/session.h"

struct sender;

/* Borrows session and wheel. Returns owned. */
MUST_CHECK struct sender *sender_new(struct session *s, struct wheel *wheel);

/* All its downtracks must be gone. Accepts NULL. */
void sender_free(struct sender *s);

/* The session is connected, or connected again: media may flow. */
void sender_connected(struct sender *s, uint64_t now_us);

/* Feedback of the subscriber. Per packet. */
void sender_rtcp(struct sender *s, const struct rtcp_packet *pkt, uint64_t now_us);

/* The subscriber's latest bandwidth estimate (REMB), bits per second; UINT64_MAX before the first. */
uint64_t sender_estimate_bps(const struct sender *s);
