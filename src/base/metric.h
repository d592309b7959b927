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
	X(DATA_MALFORMED, "data_malformed")                                                        \
	X(STREAM_QUEUE, "stream_queue")           /* a TURN client reads too slowly: queue full */ \
	X(STREAM_STALE, "stream_stale")           /* … waited too long for it */                   \
	X(STREAM_CLOSED, "stream_closed")         /* its connection went away meanwhile */         \
	X(STREAM_GARBAGE, "stream_garbage")       /* no STUN, ChannelData, TLS or PROXY header */  \
	X(DTLS_COOKIE, "dtls_cookie")             /* TURN: no ClientHello, or a wrong cookie */    \
	X(DTLS_FULL, "dtls_full")                 /* TURN: too many DTLS connections */ \
	X(TURN_NOT_TURN, "turn_not_turn")         /* first byte is none of STUN's, DTLS's, channels' */ \
	X(TURN_NO_RELAY, "turn_no_relay")         /* from a peer: no allocation expects it */      \
	X(TURN_TOO_LARGE, "turn_too_large")       /* does not fit the transmit queue */            \
	X(TURN_DF, "turn_df")                     /* DONT-FRAGMENT cannot be had on this socket */ \
	X(TURN_PEER_TAKEN, "turn_peer_taken")     /* multiplex_peer: another client talks to this peer */ \
	X(TURN_RING_FULL, "turn_ring_full")       /* hand-over to another worker: it is behind */ \
	X(TURN_MALFORMED, "turn_malformed")                                                        \
	X(TURN_SWITCHED_OFF, "turn_switched_off") /* no_stun, stun_only */                         \
	X(TURN_NO_ALLOCATION, "turn_no_allocation")                                                \
	X(TURN_NO_CHANNEL, "turn_no_channel")                                                      \
	X(TURN_NO_PERMISSION, "turn_no_permission")                                                \
	X(TURN_POLICY, "turn_policy")             /* a peer that may not be reached */             \
	X(TURN_BANDWIDTH, "turn_bandwidth")       /* the allocation's own limit */                 \
	X(TURN_QUOTA, "turn_quota")               /* the user's or the server's bandwidth */       \
	X(TURN_DETACHED, "turn_detached")         /* a mobile client is on its way */              \
	X(TURN_AUTH_RATE, "turn_auth_rate")       /* too many wrong passwords from there */        \
	X(TURN_ANSWER_RATE, "turn_answer_rate")   /* would have answered more than was asked */    \
	X(TURN_ANSWER_TOO_LONG, "turn_answer_too_long")                                            \
	X(TURN_TCP_REFUSED, "turn_tcp_refused")   /* a peer's TCP connection: one too many */

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
	X(UDP_RX_CALLS, "sterna_udp_receive_calls_total", "counter",                               \
		"System calls that read RTC ports.")                                               \
	X(UDP_RX_GRO, "sterna_udp_receive_merged_total", "counter",                                \
		"UDP datagrams on RTC ports that the kernel merged (GRO).")                        \
	X(UDP_TX_CALLS, "sterna_udp_send_calls_total", "counter",                                  \
		"System calls that sent from RTC ports.")                                          \
	X(UDP_TX_GSO, "sterna_udp_send_merged_total", "counter",                                   \
		"UDP datagrams sent from RTC ports with others in one message (GSO).")             \
	X(TURN_UDP_PACKETS_IN, "sterna_turn_udp_packets_in_total", "counter",                      \
		"Datagrams received on TURN's UDP sockets, from clients and peers.")               \
	X(TURN_UDP_BYTES_IN, "sterna_turn_udp_bytes_in_total", "counter",                          \
		"Bytes received on TURN's UDP sockets.")                                           \
	X(TURN_UDP_PACKETS_OUT, "sterna_turn_udp_packets_out_total", "counter",                    \
		"Datagrams sent from TURN's UDP sockets, to clients and peers.")                   \
	X(TURN_UDP_BYTES_OUT, "sterna_turn_udp_bytes_out_total", "counter",                        \
		"Bytes sent from TURN's UDP sockets.")                                             \
	X(TURN_RX_CALLS, "sterna_turn_udp_receive_calls_total", "counter",                         \
		"System calls that read TURN's UDP sockets.")                                      \
	X(TURN_RX_GRO, "sterna_turn_udp_receive_merged_total", "counter",                          \
		"UDP datagrams on TURN's sockets that the kernel merged (GRO).")                   \
	X(TURN_TX_CALLS, "sterna_turn_udp_send_calls_total", "counter",                            \
		"System calls that sent from TURN's UDP sockets.")                                 \
	X(TURN_TX_GSO, "sterna_turn_udp_send_merged_total", "counter",                             \
		"UDP datagrams sent from TURN's sockets with others in one message (GSO).")        \
	X(TURN_HAIRPIN, "sterna_turn_hairpin_packets_total", "counter",                            \
		"Packets between TURN clients and the SFU, or each other, that met no socket.")    \
	X(TURN_HANDOVER, "sterna_turn_handover_packets_total", "counter",                          \
		"Of these, packets handed to another worker.")                                     \
	X(TURN_STEERED, "sterna_turn_steered_clients", "gauge",                                    \
		"UDP clients whose packets come to one worker and belong to another.")             \
	X(TURN_RELAY_SOCKETS, "sterna_turn_relay_sockets", "gauge", "Relay sockets open now.")     \
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
		"TURN statistics dropped: queue full or Redis down.") \
	X(TURN_STREAMS, "sterna_turn_streams", "gauge",                                            \
		"TCP and TLS connections of TURN clients open now.")                               \
	X(TURN_STREAMS_ACCEPTED, "sterna_turn_streams_accepted_total", "counter",                  \
		"TCP and TLS connections of TURN clients accepted.")                               \
	X(TURN_STREAMS_REFUSED, "sterna_turn_streams_refused_total", "counter",                    \
		"Connections of TURN clients refused: too many, or no descriptor left.")           \
	X(TURN_STREAMS_MOVED, "sterna_turn_streams_moved_total", "counter",                        \
		"Connections (TCP, TLS, DTLS) of TURN clients that went to the worker they asked about.")           \
	X(TURN_HTTP, "sterna_turn_http_connections_total", "counter",                              \
		"HTTPS connections that came on TURN's TLS ports.")                                \
	X(TURN_STREAMS_IDLE, "sterna_turn_streams_idle_total", "counter",                          \
		"Connections of TURN clients closed because nothing came.")                        \
	X(TURN_STREAMS_SLOW, "sterna_turn_streams_slow_total", "counter",                          \
		"Connections of TURN clients closed because answers were not read.")               \
	X(TURN_TLS_HANDSHAKES, "sterna_turn_tls_handshakes_total", "counter",                      \
		"TLS handshakes of TURN clients completed.")                                       \
	X(TURN_TLS_FAILED, "sterna_turn_tls_failed_total", "counter",                              \
		"TLS handshakes of TURN clients that failed.")                                     \
	X(TURN_DTLS, "sterna_turn_dtls_connections", "gauge",                                      \
		"DTLS connections of TURN clients open now.")                                      \
	X(TURN_DTLS_HANDSHAKES, "sterna_turn_dtls_handshakes_total", "counter",                    \
		"DTLS handshakes of TURN clients completed.")                                      \
	X(TURN_DTLS_COOKIES, "sterna_turn_dtls_cookies_total", "counter",                          \
		"Cookies sent to addresses that asked for DTLS.")                                  \
	X(TURN_QUEUE_BYTES, "sterna_turn_queue_bytes", "gauge",                                    \
		"Memory of what waits for TCP and TLS clients and TCP peers.")                     \
	X(TURN_TCP_PEERS, "sterna_turn_tcp_peers", "gauge",                                        \
		"TCP connections to peers of TURN clients, and HTTPS ones, open now.") \
	X(TURN_ALLOCATIONS_UDP, "sterna_turn_allocations_udp", "gauge",                            \
		"Allocations of clients over UDP now.")                                            \
	X(TURN_ALLOCATIONS_TCP, "sterna_turn_allocations_tcp", "gauge",                            \
		"Allocations of clients over TCP now.")                                            \
	X(TURN_ALLOCATIONS_TLS, "sterna_turn_allocations_tls", "gauge",                            \
		"Allocations of clients over TLS now.")                                            \
	X(TURN_ALLOCATIONS_DTLS, "sterna_turn_allocations_dtls", "gauge",                          \
		"Allocations of clients over DTLS now.")                                           \
	X(TURN_ALLOCATED, "sterna_turn_allocated_total", "counter",                                \
		"Allocations made.")                                                               \
	X(TURN_ALLOCATE_REFUSED, "sterna_turn_allocate_refused_total", "counter",                  \
		"Authenticated Allocate requests that were refused.")                              \
	X(TURN_EXPIRED, "sterna_turn_expired_total", "counter",                                    \
		"Allocations that ended because nobody refreshed them.")                           \
	X(TURN_MOVED, "sterna_turn_moved_total", "counter",                                        \
		"Allocations that followed their client to another address.")                      \
	X(TURN_BINDING_REQUESTS, "sterna_turn_binding_requests_total", "counter",                  \
		"STUN Binding requests received.")                                                 \
	X(TURN_BINDING_RESPONSES, "sterna_turn_binding_responses_total", "counter",                \
		"STUN Binding requests answered with success.")                                    \
	X(TURN_BINDING_ERRORS, "sterna_turn_binding_errors_total", "counter",                      \
		"STUN Binding requests answered with an error.")                                   \
	X(TURN_REQUESTS, "sterna_turn_requests_total", "counter",                                  \
		"TURN requests received, Binding excluded.")                                       \
	X(TURN_REPEATED, "sterna_turn_requests_repeated_total", "counter",                         \
		"Retransmitted requests that got their old answer.")                               \
	X(TURN_SUCCESSES, "sterna_turn_successes_total", "counter",                                \
		"TURN requests answered with success.")                                            \
	X(TURN_ERRORS, "sterna_turn_errors_total", "counter",                                      \
		"TURN requests answered with an error.")                                           \
	X(TURN_401_REQUESTS, "sterna_turn_unauthenticated_requests_total", "counter",              \
		"Requests without or with wrong credentials.")                                     \
	X(TURN_401_RESPONSES, "sterna_turn_unauthenticated_responses_total", "counter",            \
		"Answers 401 that were sent.")                                                     \
	X(TURN_401_DROPPED, "sterna_turn_unauthenticated_dropped_total", "counter",                \
		"Answers 401 held back by the limit on answers.")                                  \
	X(TURN_AUTH_FAILURES, "sterna_turn_auth_failures_total", "counter",                        \
		"Requests with a wrong user or password.")                                         \
	X(TURN_PEERS_DENIED, "sterna_turn_peers_denied_total", "counter",                          \
		"Peers refused by the peer policy (403).")                                         \
	X(TURN_PENDING, "sterna_turn_pending_requests", "gauge",                                   \
		"Requests that wait for a user database.")                                         \
	X(TURN_ADDRESSES_FORGOTTEN, "sterna_turn_addresses_forgotten_total", "counter",            \
		"Addresses whose limits were forgotten for others.")                               \
	X(TURN_TCP_CONNECTIONS, "sterna_turn_tcp_connections_total", "counter",                    \
		"TCP connections to and from peers.")                                              \
	X(TURN_PACKETS_IN, "sterna_turn_packets_in_total", "counter",                              \
		"Packets to be relayed from TURN clients.")                                        \
	X(TURN_BYTES_IN, "sterna_turn_bytes_in_total", "counter",                                  \
		"Bytes of them, TURN's headers included.")                                         \
	X(TURN_PACKETS_OUT, "sterna_turn_packets_out_total", "counter",                            \
		"Relayed packets to TURN clients.")                                                \
	X(TURN_BYTES_OUT, "sterna_turn_bytes_out_total", "counter",                                \
		"Bytes of them, TURN's headers included.")                                         \
	X(TURN_PEER_PACKETS_IN, "sterna_turn_peer_packets_in_total", "counter",                    \
		"Packets received from peers.")                                                    \
	X(TURN_PEER_BYTES_IN, "sterna_turn_peer_bytes_in_total", "counter",                        \
		"Bytes received from peers.")                                                      \
	X(TURN_PEER_PACKETS_OUT, "sterna_turn_peer_packets_out_total", "counter",                  \
		"Packets sent to peers.")                                                          \
	X(TURN_PEER_BYTES_OUT, "sterna_turn_peer_bytes_out_total", "counter",                      \
		"Bytes sent to peers.")                                                            \
	X(TURN_ENDED_PACKETS_IN, "sterna_turn_ended_packets_in_total", "counter",                  \
		"Packets from clients, of allocations that have ended.")                           \
	X(TURN_ENDED_BYTES_IN, "sterna_turn_ended_bytes_in_total", "counter",                      \
		"Bytes from clients, of allocations that have ended.")                             \
	X(TURN_ENDED_PACKETS_OUT, "sterna_turn_ended_packets_out_total", "counter",                \
		"Packets to clients, of allocations that have ended.")                             \
	X(TURN_ENDED_BYTES_OUT, "sterna_turn_ended_bytes_out_total", "counter",                    \
		"Bytes to clients, of allocations that have ended.")                               \
	X(TURN_ENDED_PEER_PACKETS_IN, "sterna_turn_ended_peer_packets_in_total", "counter",        \
		"Packets from peers, of allocations that have ended.")                             \
	X(TURN_ENDED_PEER_BYTES_IN, "sterna_turn_ended_peer_bytes_in_total", "counter",            \
		"Bytes from peers, of allocations that have ended.")                               \
	X(TURN_ENDED_PEER_PACKETS_OUT, "sterna_turn_ended_peer_packets_out_total", "counter",      \
		"Packets to peers, of allocations that have ended.")                               \
	X(TURN_ENDED_PEER_BYTES_OUT, "sterna_turn_ended_peer_bytes_out_total", "counter",          \
		"Bytes to peers, of allocations that have ended.")

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

/*
 * What else is to be shown, at the end: `fn` is called by metric_print on the thread of the scrape. One for the whole
 * process; NULL takes it back. Set while no scrape runs.
 */
void metric_set_extra(void (*fn)(void *arg, struct buf *out), void *arg);
