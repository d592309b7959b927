/*
 * receiver: all RTP that comes in on one session: which packet belongs to which layer of which track, and the
 * feedback to the publisher (NACK, PLI, receiver reports, transport-wide congestion control).
 */
#pragma once
#include <stdint.h>
#include "base/slice.h"
#include "rtp/rtp.h"
#include "session/session.h"
#include "base/wheel.h"

struct receiver;

/* Borrows session and wheel. Returns owned. */
MUST_CHECK struct receiver *receiver_new(struct session *s, struct wheel *wheel);

/* All its uptracks must be gone. Accepts NULL. */
void receiver_free(struct receiver *r);

/* The header extension numbers of the connection, whenever they were negotiated anew. */
void receiver_set_ext_ids(struct receiver *r, const struct rtp_ext_ids *ids);

/* Per packet: decrypted RTP and RTCP of the session. p is changed in place. */
void receiver_rtp(struct receiver *r, uint8_t *p, size_t n, uint64_t now_us);
void receiver_rtcp(struct receiver *r, const struct rtcp_packet *pkt, uint64_t now_us);
