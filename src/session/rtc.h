/*
 * rtc: one worker's RTC end: its UDP sockets, the way from a datagram to a session, and the transmit queue.
 *
 * Lives on a worker and is touched by that thread only. session.h is what the engine above uses; this header is for
 * whoever sets a worker up.
 */
#pragma once
#include "base/addr.h"
#include "base/err.h"
#include "dtls/dtls.h"
#include "ice/ice.h"
#include "net/udp.h"
#include "thread/worker.h"

struct rtc_cfg {
	/* Sockets: `base` is bound, port included. Copied. */
	const struct ice_local *locals;
	size_t n_locals;
	bool is_ice_lite;
	unsigned sessions_max;     /* 0 = no limit */
	unsigned tx_queue_packets; /* RTP packets that may wait for one flush */
	size_t sctp_send_bytes;    /* per session: DataChannel bytes that may wait */
	const struct dtls_identity *identity; /* borrowed, as are the profiles */
	const enum dtls_profile *srtp_profiles; /* in order of preference; none = the default of dtls.h */
	size_t n_srtp_profiles;
};

struct rtc;

/*
 * Opens the sockets and starts to receive. On failure the sentence in eb names the address. Returns owned in *out.
 * 0, -ERR_SYSTEM or -ERR_CRYPTO.
 */
MUST_CHECK int rtc_new(
	struct rtc **out, struct worker *w, const struct rtc_cfg *cfg, struct errbuf *eb);

/* Closes all sessions without a word to their owners. Accepts NULL. */
void rtc_free(struct rtc *rtc);

/* Encrypts and sends all that is queued, and frees sessions closed in this turn. At the end of each turn. */
void rtc_end_turn(struct rtc *rtc);

/* Sends what is queued without ending the turn: payloads borrowed by the queue may change afterwards. */
void rtc_flush(struct rtc *rtc);

/* Packets go to the sink instead of the kernel: benchmarks. */
void rtc_set_sink(struct rtc *rtc, udp_tx_sink sink, void *arg);

/*
 * The hairpin: datagrams between the SFU and clients of this process's TURN server, which meet no
 * socket.
 *
 * rtc_locals: what the sockets are bound to and known by; the number of one is `local` below.
 * Borrowed. rtc_rx_hairpin: a datagram as if it had come to socket `local`. It may be changed in
 * place, and must stay until rtc_flush: what is forwarded borrows from it. Not from within the
 * divert. rtc_set_divert: asked for each message that is about to be sent from socket `local`; true
 * = taken. n bytes in datagrams of `seg`, the last may be shorter. It must not call back into rtc.
 */
size_t rtc_locals(const struct rtc *rtc, const struct ice_local **out);
void rtc_rx_hairpin(
	struct rtc *rtc, unsigned local, const struct addr *from, uint8_t *p, size_t n);
typedef bool (*rtc_divert)(void *arg, unsigned local, const struct addr *to, uint8_t *p, size_t n,
	size_t seg);
void rtc_set_divert(struct rtc *rtc, rtc_divert divert, void *arg);

size_t rtc_session_count(const struct rtc *rtc);
