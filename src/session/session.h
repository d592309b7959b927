/*
 * session: the transport of one peer connection: ICE, DTLS, SRTP and SCTP over the worker's
 * sockets.
 *
 * It moves decrypted RTP and RTCP packets, and DataChannel messages. It knows no SDP (sdp/jsep), no
 * tracks and no rooms. Everything runs on the worker that owns it. Ops are called from within rtc's
 * turn; an op may call any session function, session_close included.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"
#include "sctp/sctp.h"

struct rtc;
struct session;
struct srtp_stream;

enum session_state {
	SESSION_NEW,
	SESSION_CONNECTED,    /* ICE has a path and DTLS has made keys */
	SESSION_DISCONNECTED, /* the path is silent; it may come back */
	SESSION_FAILED,       /* it will not; only session_restart_ice leads on, unless DTLS failed */
	SESSION_CLOSED,       /* the other side said goodbye (DTLS close_notify): it is over */
};

struct session_ops {
	void (*state)(void *arg, enum session_state state);
	/* Decrypted, to be changed in place if needed; the bytes are valid until the end of the turn's flush. */
	void (*rtp)(void *arg, uint8_t *p, size_t n, uint64_t now_us);
	void (*rtcp)(void *arg, struct slice compound, uint64_t now_us);
	/* SCTP is up: channels may be opened. */
	void (*data_ready)(void *arg);
	void (*channel_open)(void *arg, const struct sctp_channel_info *channel);
	void (*channel_closed)(void *arg, uint16_t channel);
	/* After session_send gave -ERR_AGAIN: there is room again. */
	void (*writable)(void *arg);
	void (*message)(void *arg, uint16_t channel, bool is_text, struct slice data);
};

struct session_cfg {
	bool is_ice_controlling; /* true where we made the offer (RFC 8445 §6.1.1) */
	const struct session_ops *ops;
	void *arg;
};

/* The other side's transport parameters, from its description. */
struct session_remote {
	struct slice ufrag, pwd;
	struct slice fingerprint_alg, fingerprint; /* "sha-256" and the digest's bytes */
	bool is_dtls_server;                       /* our role */
	uint32_t max_message_size;                 /* of its DataChannels; 0 = it has none */
};

enum { SESSION_UFRAG_LEN = 8, SESSION_PWD_LEN = 24 };

/* Returns owned (session_close), or NULL when sessions_max is reached. */
MUST_CHECK struct session *session_new(struct rtc *rtc, const struct session_cfg *cfg);

/* Ends it now: nothing is received or sent any more and no op is called. The memory goes at the end of the turn. */
void session_close(struct session *s);

/* Our ICE credentials and DTLS fingerprint ("sha-256 AB:CD…"), as the description wants them. Borrowed. */
const char *session_ufrag(const struct session *s);
const char *session_pwd(const struct session *s);
const char *session_fingerprint(const struct session *s);

/* Our "candidate:…" lines: an owned array of owned strings, n of them. */
char **session_candidates(const struct session *s, size_t *n);

/*
 * The other side's parameters; again after an ICE restart on its side (new ufrag), which restarts ours as well when
 * session_restart_ice was called before. 0, or the error of ice or dtls.
 */
MUST_CHECK int session_set_remote(struct session *s, const struct session_remote *remote);

/* One "candidate:…" line. Errors of ice_add_remote_candidate. */
MUST_CHECK int session_add_candidate(struct session *s, struct slice line);

/* New local credentials; media keeps flowing on the old path meanwhile. */
void session_restart_ice(struct session *s);

enum session_state session_state_now(const struct session *s);
const char *session_state_name(enum session_state state);

/* Round-trip time of the path in microseconds; 0 = not known yet. */
uint32_t session_rtt_us(const struct session *s);

/* The remote address in use; NULL while there is none. */
const struct addr *session_remote_addr(const struct session *s);

/*
 * A transmit stream, needed for each SSRC that is sent. Off the per-packet path. NULL before the session is
 * connected. Stays valid until removed or the session is closed.
 */
struct srtp_stream *session_stream_add(struct session *s, uint32_t ssrc);
void session_stream_del(struct session *s, struct srtp_stream *stream);

/*
 * One RTP packet on its way: header, a rewritten beginning of the payload, and the rest of the payload, which is
 * borrowed until the next flush. Filled by the caller right after session_tx_rtp.
 */
enum { RTP_OUT_HDR_CAP = 72, RTP_OUT_PREFIX_CAP = 20 };
struct rtp_out {
	struct srtp_stream *stream;
	const uint8_t *payload;
	uint32_t next; /* of the same session's queue; rtc's */
	uint16_t payload_len;
	uint8_t hdr_len, prefix_len;
	uint8_t prefix[RTP_OUT_PREFIX_CAP];
	uint8_t hdr[RTP_OUT_HDR_CAP]; /* last: a header of the usual 20 bytes ends with the first cache line */
};

/* A place at the end of the session's queue; never NULL on a connected session (a full queue is flushed first). */
struct rtp_out *session_tx_rtp(struct session *s);

/* Encrypts and queues one RTCP compound of at most SESSION_RTCP_MAX bytes. Does nothing unless connected. */
enum { SESSION_RTCP_MAX = 1300 };
void session_tx_rtcp(struct session *s, struct slice compound);

/* Sends what all sessions of this worker have queued: see rtc_flush. */
void session_flush_all(struct session *s);

/* A new outgoing DataChannel; its id in channel->id. Errors of sctp_open_channel; -ERR_BAD_STATE before data_ready. */
MUST_CHECK int session_open_channel(struct session *s, struct sctp_channel_info *channel);

/* One message. Errors of sctp_send: -ERR_AGAIN when the buffer is full (nothing was queued);
 * -ERR_BAD_STATE before data_ready. */
MUST_CHECK int session_send(struct session *s, uint16_t channel, bool is_text, struct slice data);
