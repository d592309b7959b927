/*
 * metric: every figure that GET /metrics shows, one row each.
 *
 * Each thread has a block of its own and adds to it without a lock; a scrape sums the blocks.
 * Gauges are summed as well: a thread adds and takes away what it holds.
 */
#pragma once
#include <stdint.h>
#include "base/buf.h"

/* Reasons for which a packet is thrown away: name (label value). Counted in sterna_packets_dropped_total. */
#define DROP_REASON_MAP(X)                                                                         \
	X(UNKNOWN_TUPLE, "unknown_tuple")         /* no session for this source address */         \
	X(NOT_RTC, "not_rtc")                     /* first byte is none of RFC 7983's */           \
	X(STUN_MALFORMED, "stun_malformed")                                                        \
	X(STUN_AUTH, "stun_auth")                 /* MESSAGE-INTEGRITY does not match */           \
	X(DTLS_REJECTED, "dtls_rejected")                                                          \
	X(SRTP_NO_KEY, "srtp_no_key")             /* before the DTLS handshake ended */            \
	X(SRTP_AUTH, "srtp_auth")                                                                  \
	X(SRTP_REPLAY, "srtp_replay")                                                              \
	X(SRTP_REFUSED, "srtp_refused")           /* could not be encrypted: not sent */           \
	X(RTP_MALFORMED, "rtp_malformed")                                                          \
	X(RTCP_MALFORMED, "rtcp_malformed")                                                        \
	X(RTP_UNKNOWN_SSRC, "rtp_unknown_ssrc")   /* neither signalled nor found by mid/rid */     \
	X(RTP_PAYLOAD_TYPE, "rtp_payload_type")                                                    \
	X(RTP_DUPLICATE, "rtp_duplicate")                                                          \
	X(RTP_PADDING, "rtp_padding")             /* padding only: answered, not forwarded */      \
	X(NO_PERMISSION, "no_permission")         /* publishing was revoked */                     \
	X(DOWN_MUTED, "down_muted")               /* subscriber switched the track off */          \
	X(DOWN_LAYER, "down_layer")               /* not the layer this subscriber gets */         \
	X(DOWN_WAIT_KEYFRAME, "down_wait_keyframe")                                                \
	X(DOWN_TEMPORAL, "down_temporal")                                                          \
	X(DOWN_NOT_CONNECTED, "down_not_connected")                                                \
	X(DOWN_TOO_OLD, "down_too_old")           /* late packet, its place is gone */             \
	X(TX_QUEUE_FULL, "tx_queue_full")                                                          \
	X(TX_SOCKET, "tx_socket")                 /* the kernel refused the packet */              \
	X(RX_TRUNCATED, "rx_truncated")           /* datagram larger than our buffer */            \
	X(SCTP_REJECTED, "sctp_rejected")                                                          \
	X(DATA_SLOW_READER, "data_slow_reader")   /* a receiver's DataChannel is full */           \
	X(DATA_DENIED, "data_denied")             /* no canPublishData */                          \
	X(DATA_MALFORMED, "data_malformed")

enum drop_reason {
#define X(name, label) DROP_##name,
	DROP_REASON_MAP(X)
#undef X
	DROP_REASON_N
};

/*        id                name                                  type       help */
#define METRIC_MAP(X)                                                                              \
	X(ROOMS, "sterna_rooms", "gauge", "Rooms that exist now.")                                 \
	X(PARTICIPANTS, "sterna_participants", "gauge", "Participants connected now.")             \
	X(TRACKS_PUBLISHED, "sterna_tracks_published", "gauge", "Tracks published now.")           \
	X(TRACKS_SUBSCRIBED, "sterna_tracks_subscribed", "gauge",                                  \
		"Subscriptions that forward media now.")                                           \
	X(SESSIONS, "sterna_sessions", "gauge", "Peer connections that exist now.")                \
	X(SIGNAL_CONNECTIONS, "sterna_signal_connections", "gauge", "Signal WebSockets open now.") \
	X(JOINS, "sterna_joins_total", "counter", "Participants that joined a room.")              \
	X(JOIN_ERRORS, "sterna_join_errors_total", "counter",                                      \
		"Joins refused before the WebSocket upgrade.")                                     \
	X(HTTP_REQUESTS, "sterna_http_requests_total", "counter", "HTTP requests answered.")       \
	X(ICE_LIST_REFUSED, "sterna_ice_list_refused_total", "counter",                            \
		"Requests for the ICE servers answered with 429.")                                 \
	X(SIGNAL_IN, "sterna_signal_messages_in_total", "counter",                                 \
		"Signal messages received from clients.")                                          \
	X(SIGNAL_OUT, "sterna_signal_messages_out_total", "counter",                               \
		"Signal messages sent to clients.")                                                \
	X(SIGNAL_BAD, "sterna_signal_messages_bad_total", "counter",                               \
		"Signal frames that could not be decoded.")                                        \
	X(PACKETS_IN, "sterna_packets_in_total", "counter",                                        \
		"UDP datagrams received on RTC ports.")                                            \
	X(BYTES_IN, "sterna_bytes_in_total", "counter",                                            \
		"Bytes received on RTC ports (UDP payload).")                                      \
	X(PACKETS_OUT, "sterna_packets_out_total", "counter",                                      \
		"UDP datagrams sent from RTC ports.")                                              \
	X(BYTES_OUT, "sterna_bytes_out_total", "counter",                                          \
		"Bytes sent from RTC ports (UDP payload).")                                        \
	X(RTP_IN, "sterna_rtp_packets_in_total", "counter", "RTP packets received and decrypted.") \
	X(RTP_OUT, "sterna_rtp_packets_out_total", "counter",                                      \
		"RTP packets forwarded to subscribers.")                                           \
	X(RTX_OUT, "sterna_rtx_packets_out_total", "counter",                                      \
		"RTP packets retransmitted to subscribers.")                                       \
	X(NACK_IN, "sterna_nack_in_total", "counter",                                              \
		"Packets that subscribers asked again for (NACK).")                                \
	X(NACK_OUT, "sterna_nack_out_total", "counter",                                            \
		"Packets asked again for from publishers (NACK).")                                 \
	X(PLI_IN, "sterna_pli_in_total", "counter",                                                \
		"Key frame requests received from subscribers.")                                   \
	X(PLI_OUT, "sterna_pli_out_total", "counter", "Key frame requests sent to publishers.")    \
	X(PLI_THROTTLED, "sterna_pli_throttled_total", "counter",                                  \
		"Key frame requests held back by the throttle.")                                   \
	X(DATA_IN, "sterna_data_packets_in_total", "counter",                                      \
		"Data packets received over DataChannels.")                                        \
	X(DATA_OUT, "sterna_data_packets_out_total", "counter",                                    \
		"Data packets sent over DataChannels.")                                            \
	X(ICE_CONNECTED, "sterna_ice_connected_total", "counter",                                  \
		"ICE agents that found a working pair.")                                           \
	X(ICE_FAILED, "sterna_ice_failed_total", "counter",                                        \
		"ICE agents that gave up or lost consent.")                                        \
	X(DTLS_HANDSHAKES, "sterna_dtls_handshakes_total", "counter",                              \
		"DTLS handshakes completed.")                                                      \
	X(DTLS_FAILED, "sterna_dtls_failed_total", "counter", "DTLS handshakes that failed.")      \
	X(LOOP_TURNS, "sterna_loop_turns_total", "counter", "Turns of the worker loops.")          \
	X(LOOP_BUSY_US, "sterna_loop_busy_microseconds_total", "counter",                          \
		"Time that worker loops spent working.")                                           \
	X(LOOP_LATE_US, "sterna_loop_timer_late_microseconds_total", "counter",                    \
		"Sum of the delays of worker timers: the loop's lag.")                             \
	X(MAILBOX_DEPTH, "sterna_mailbox_messages", "gauge", "Messages waiting in mailboxes.")     \
	X(MAILBOX_FULL, "sterna_mailbox_full_total", "counter",                                    \
		"Messages refused because a mailbox was full.")                                    \
	X(POOL_JOBS, "sterna_pool_jobs", "gauge", "Jobs that wait for a pool thread.")             \
	X(POOL_RUN, "sterna_pool_jobs_run_total", "counter", "Jobs done by pool threads.")         \
	X(POOL_FULL, "sterna_pool_full_total", "counter",                                          \
		"Jobs refused because the queue of a pool was full.")                              \
	X(STORE_LOOKUPS, "sterna_store_lookups_total", "counter",                                  \
		"Lookups in the TURN users' database that were answered, failed ones too.")        \
	X(STORE_ERRORS, "sterna_store_errors_total", "counter",                                    \
		"Lookups that failed because the database did.")                                   \
	X(STORE_CONNECTS, "sterna_store_connects_total", "counter",                                \
		"Connections opened to databases.")                                                \
	X(STORE_STATS_SENT, "sterna_store_stats_sent_total", "counter",                            \
		"TURN statistics published in Redis.")                                             \
	X(STORE_STATS_DROPPED, "sterna_store_stats_dropped_total", "counter",                      \
		"TURN statistics dropped: queue full or Redis down.")

enum metric_id {
#define X(id, name, type, help) M_##id,
	METRIC_MAP(X)
#undef X
	METRIC_N
};

struct metric_block {
	uint64_t value[METRIC_N];
	uint64_t drop[DROP_REASON_N];
	struct metric_block *next;
};

extern _Thread_local struct metric_block *metric_here;

/* Gives this thread its block; call once at thread start, before anything is counted. */
void metric_thread_init(void);

static inline void metric_add_u64(uint64_t *v, uint64_t by)
{
	/* One writer per block: a plain load and an atomic store are enough, and cost no bus lock. */
	__atomic_store_n(v, *v + by, __ATOMIC_RELAXED);
}

static inline void metric_add(enum metric_id id, uint64_t by)
{
	if (metric_here)
		metric_add_u64(&metric_here->value[id], by);
}

static inline void metric_inc(enum metric_id id)
{
	metric_add(id, 1);
}

/* Takes away from a gauge. */
static inline void metric_sub(enum metric_id id, uint64_t by)
{
	metric_add(id, (uint64_t)0 - by);
}

static inline void metric_drop(enum drop_reason why)
{
	if (metric_here)
		metric_add_u64(&metric_here->drop[why], 1);
}

/* Sums over all threads. */
uint64_t metric_sum(enum metric_id id);
uint64_t metric_drop_sum(enum drop_reason why);

/* Appends all metrics in the Prometheus text format 0.0.4. */
void metric_print(struct buf *out);
