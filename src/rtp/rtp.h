/*
 * rtp: RTP and RTCP as bytes: parse, rewrite, count, report, keep for retransmission.
 *
 * Knows no socket, no clock, no thread and no encryption: packets arrive decrypted, time is handed
 * in as `now_us` (monotonic). Nothing called once per packet allocates, locks or logs; the few
 * objects with memory of their own (pktbuf, sent_log) take it when they are made.
 * Callers: session/ (feedback), sfu/ (receiving tracks and forwarding them), tools.
 *
 * This is the only header to include from outside. Its parts, in reading order:
 */
#pragma once
#include "rtp/seq.h"        /* arithmetic on wrapping numbers */
#include "rtp/packet.h"     /* RTP header: parse and write (RFC 3550 §5) */
#include "rtp/ext.h"        /* header extensions (RFC 8285) */
#include "rtp/rtx.h"        /* retransmission payload (RFC 4588) */
#include "rtp/rtcp.h"       /* RTCP: parse and build */
#include "rtp/vp8.h"        /* VP8 descriptor: parse and rewrite (RFC 7741) */
#include "rtp/codec.h"      /* the codecs we forward, one row each */
#include "rtp/offset_map.h" /* numbers in, numbers out, with numbers left out on purpose */
#include "rtp/rtp_munger.h" /* SN and TS of a forwarded stream */
#include "rtp/vp8_munger.h" /* picture numbers of a forwarded VP8 stream */
#include "rtp/sent_log.h"   /* what was sent under which number, to answer NACK */
#include "rtp/pktbuf.h"     /* packets of a publisher kept for retransmission */
#include "rtp/recv_stats.h" /* loss and jitter of an incoming stream (RFC 3550 A.3, A.8) */
#include "rtp/nack_gen.h"   /* which packets to ask for again, and when */
#include "rtp/twcc_recv.h"  /* arrival times for the sender's bandwidth estimate */
