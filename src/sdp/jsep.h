/*
 * jsep: offers and answers of one peer connection (a subset of RFC 9429) as LiveKit clients use
 * them.
 *
 * One side of a connection offers for its whole life, so there is no glare and no rollback:
 *   JSEP_ROLE_PUBLISHER   the client offers, media comes to us (of a client with two connections)
 *   JSEP_ROLE_SINGLE      the client offers, media goes both ways, each section one way
 *   JSEP_ROLE_SUBSCRIBER  we offer, media goes to the client
 *
 * All sections share one transport (BUNDLE, rtcp-mux). The caller reads struct jsep_section and
 * tells what it sends with jsep_section_send; which packets flow is its business. Text and state
 * only: no socket, no clock. Callers: session/ and rooms/, on the worker that owns the connection.
 * Control path: it allocates.
 *
 * A round as answerer:  jsep_set_remote_offer, look at the sections, jsep_section_recv,
 *                       jsep_section_send and jsep_set_ice where wanted, jsep_create_answer.
 * A round as offerer:   jsep_add_section, jsep_section_send or _clear, jsep_create_offer,
 *                       jsep_set_remote_answer.
 */
#pragma once
#include "sdp/sdp.h"

enum jsep_role { JSEP_ROLE_PUBLISHER, JSEP_ROLE_SINGLE, JSEP_ROLE_SUBSCRIBER };

/* ---- the codec table ---- */

/*
 * Rows that differ only in parameters are codecs of their own, as they get payload types of their
 * own.
 */
enum jsep_codec {
	JSEP_OPUS,
	JSEP_RED,
	JSEP_PCMU,
	JSEP_PCMA,
	JSEP_VP8,
	JSEP_VP9_P0,
	JSEP_VP9_P1,
	JSEP_AV1,
	JSEP_H264_CB_PM0, /* constrained baseline, packetization mode 0 and 1 */
	JSEP_H264_CB_PM1,
	JSEP_H264_BASE_PM0,
	JSEP_H264_BASE_PM1,
	JSEP_H264_MAIN_PM0,
	JSEP_H264_MAIN_PM1,
	JSEP_H264_HIGH_PM1,
	JSEP_H265,
	JSEP_CODEC_N
};

#define JSEP_CODEC_BIT(codec) (UINT32_C(1) << (codec))

/* What the media engine handles today. */
#define JSEP_CODECS_DEFAULT (JSEP_CODEC_BIT(JSEP_OPUS) | JSEP_CODEC_BIT(JSEP_VP8))

struct jsep_codec_row {
	const char *name, *mime; /* "VP8", "video/VP8" */
	enum sdp_kind kind;
	uint32_t clock_hz;
	uint8_t channels;
	uint8_t pt, rtx_pt; /* in our offers; rtx_pt 0 = no retransmission stream */
	bool is_publish_only; /* accepted from publishers, not offered to subscribers */
	bool is_scalable; /* may carry layers that need the dependency descriptor */
	const char *fmtp; /* in our offers; NULL = none */
};

extern const struct jsep_codec_row jsep_codecs[JSEP_CODEC_N];

enum jsep_feedback {
	JSEP_FB_NACK = 1,
	JSEP_FB_PLI = 2,
	JSEP_FB_FIR = 4,
	JSEP_FB_TWCC = 8,
	JSEP_FB_REMB = 16,
};

/* ---- header extensions ---- */

enum jsep_ext {
	JSEP_EXT_MID,
	JSEP_EXT_RID,
	JSEP_EXT_REPAIRED_RID,
	JSEP_EXT_AUDIO_LEVEL,
	JSEP_EXT_ABS_SEND_TIME,
	JSEP_EXT_TWCC,
	JSEP_EXT_ABS_CAPTURE_TIME,
	JSEP_EXT_PLAYOUT_DELAY,
	JSEP_EXT_VIDEO_ORIENTATION,
	JSEP_EXT_DEPENDENCY_DESCRIPTOR,
	JSEP_EXT_FRAME_MARKING,
	JSEP_EXT_N
};

/* The URI of the extension; static storage. */
const char *jsep_ext_uri(enum jsep_ext ext);

/* ---- sections ---- */

enum {
	JSEP_MID_CAP = 65,
	JSEP_ID_CAP = 129, /* stream id, track id, cname */
	JSEP_CODECS_MAX = 16, /* negotiated ones of one section */
	JSEP_SSRCS_MAX = 8,
	JSEP_RIDS_MAX = 4,
	JSEP_RID_CAP = 17, /* the rid extension carries at most 16 bytes in a one-byte header */
};

/* A codec both sides have, with the payload types of this connection. */
struct jsep_negotiated {
	enum jsep_codec codec;
	uint8_t pt, rtx_pt; /* rtx_pt 0 = no retransmission stream */
	uint8_t feedback; /* enum jsep_feedback bits, what we put into our description */
	const char *fmtp; /* the other side's, NULL = none; borrowed as track_id below */
};

struct jsep_ssrc {
	uint32_t ssrc, rtx_ssrc; /* rtx_ssrc 0 = none */
};

struct jsep_rid {
	char id[JSEP_RID_CAP];
	bool is_paused;
};

/* What we send in a section. The strings are copied. */
struct jsep_send {
	const char *stream_id, *track_id; /* a=msid, for LiveKit "PA_x|TR_y" and "TR_y" */
	const char *cname;
	uint32_t ssrc, rtx_ssrc; /* rtx_ssrc 0 = none */
	uint32_t codecs; /* JSEP_CODEC_BITs to describe; 0 = every enabled one of the kind */
	bool is_stereo; /* opus: the stream has two channels (sprop-stereo=1) */
};

/* How we want to receive a section of the client; zero is a sensible default. */
struct jsep_recv {
	uint32_t preferred; /* JSEP_CODEC_BITs named first in the answer; 0 = as offered */
	bool only_preferred; /* drop the others, unless nothing would be left */
	bool no_dtx; /* opus: no usedtx=1 */
	bool is_stereo; /* opus: stereo=1;maxaveragebitrate=510000 */
};

/*
 * One m-section, in m-line order. Plain data to read; changed by the jsep_ functions only. The
 * address is stable until jsep_free. Everything under "remote" describes the latest description of
 * the other side.
 */
struct jsep_section {
	uint16_t index;
	char mid[JSEP_MID_CAP];
	enum sdp_kind kind;

	/*
	 * Port 0 on either side: no transport, no packets. The other side may later use the index
	 * for something else, with a new mid (RFC 9429 §5.2.2).
	 */
	bool is_rejected;

	/* remote */
	enum sdp_dir remote_direction; /* as it wrote it: SDP_SENDONLY = it sends to us */
	/* its msid, NULL = none; borrowed until the next jsep_set_remote_* that succeeds */
	const char *stream_id, *track_id;
	struct jsep_ssrc ssrcs[JSEP_SSRCS_MAX]; /* primary streams, a=ssrc-group:SIM in order */
	struct jsep_rid rids[JSEP_RIDS_MAX]; /* simulcast streams, in its order */
	uint8_t n_ssrcs, n_rids;

	/* negotiated; the codecs in order of preference */
	struct jsep_negotiated codecs[JSEP_CODECS_MAX];
	uint8_t n_codecs;
	/*
	 * 0 = not negotiated in this section. A negotiated extension may be left out of packets: a
	 * section of a single connection lists those of both directions.
	 */
	uint8_t ext_id[JSEP_EXT_N];

	/*
	 * Ours as of our latest description: SDP_RECVONLY = we accept the client's packets,
	 * SDP_SENDONLY with has_send = the client expects our stream.
	 */
	enum sdp_dir direction;

	/*
	 * What jsep_section_send told; strings owned by the section. It flows while `direction` has
	 * SDP_SENDONLY.
	 */
	bool has_send;
	struct jsep_send send;

	/* SDP_KIND_APPLICATION */
	uint16_t remote_sctp_port;
	uint32_t remote_max_message_size; /* RFC 8841 §6.1: 65536 if not told; UINT32_MAX = any */
};

/* ---- the other side's transport ---- */

struct jsep_remote {
	const char *ufrag, *pwd;
	bool has_trickle; /* it announced ice-options:trickle */
	char fingerprint_alg[16]; /* "sha-256", lower case */
	uint8_t fingerprint[64]; /* the hash in binary */
	uint8_t fingerprint_len;
	bool is_dtls_server; /* our DTLS role */
	const char *const *candidates; /* "candidate:…" lines of the description */
	size_t n_candidates;
	bool end_of_candidates;
	bool ice_restarted; /* its ufrag or pwd differ from the round before */
	bool fingerprint_changed; /* since the round before: it wants a new DTLS association */
};

/* ---- the object ---- */

struct jsep;

struct jsep_cfg {
	enum jsep_role role;
	const char *ufrag, *pwd; /* ours, as jsep_set_ice */
	const char *fingerprint; /* ours: "sha-256 AB:CD:…" */
	uint32_t max_message_size; /* announced for SCTP, in bytes; 0 = 65535 */
	uint32_t enabled_codecs; /* JSEP_CODEC_BITs; 0 = JSEP_CODECS_DEFAULT */
	uint64_t session_id; /* o= line, random below 2^63 */
	bool playout_delay; /* offer the playout-delay extension to subscribers */
};

/*
 * Returns an owned object (jsep_free); copies the configuration. The offerer starts with one
 * section, the data channels' (mid "0"). NULL if the configuration breaks a rule below: a
 * programming error.
 */
MUST_CHECK struct jsep *jsep_new(const struct jsep_cfg *cfg);

/* Accepts NULL. */
void jsep_free(struct jsep *j);

/*
 * Our ICE credentials from the next description on: a restart (RFC 8839 §4.4.1.1).
 * -ERR_MALFORMED unless ufrag has 4..256 and pwd 22..256 characters of [A-Za-z0-9+/].
 */
MUST_CHECK int jsep_set_ice(struct jsep *j, const char *ufrag, const char *pwd);

/*
 * Our candidates, to be written into each following description: n lines "candidate:…", copied;
 * replaces the earlier ones. `is_complete` adds end-of-candidates. -ERR_MALFORMED for a line with
 * control characters.
 */
MUST_CHECK int jsep_set_candidates(
	struct jsep *j, const char *const *lines, size_t n, bool is_complete);

/*
 * Takes the client's offer. It may replace an offer that was not answered yet. On an error nothing
 * changes, and `eb` (NULL is fine) says what is wrong:
 *   -ERR_MALFORMED   no description, or one that breaks a rule: a section without mid or with
 *                    the mid of another, outside BUNDLE, without rtcp-mux; no ICE credentials, no
 *                    usable fingerprint; sections that vanished or changed mid or kind
 *   -ERR_TOO_LARGE   a limit of sdp.h or JSEP_MID_CAP
 *   -ERR_BAD_STATE       we are the offerer
 */
MUST_CHECK int jsep_set_remote_offer(struct jsep *j, struct slice text, struct errbuf *eb);

/*
 * Appends the answer to the offer. Payload types, extension ids and mids are those of the offer.
 *   sendonly, sendrecv   -> recvonly
 *   recvonly             -> JSEP_ROLE_SINGLE: sendonly, with msid and ssrc once jsep_section_send
 *                           was called; inactive after jsep_section_clear.
 *                           JSEP_ROLE_PUBLISHER: inactive
 *   no common codec      -> rejected (port 0)
 * -ERR_BAD_STATE without an offer, or if the client restarted ICE and jsep_set_ice was not called since
 * (RFC 8839 §4.4.1.1.1); -ERR_TOO_LARGE if `out` has no room, the round is still open then.
 */
MUST_CHECK int jsep_create_answer(struct jsep *j, struct buf *out);

/*
 * Offerer: a section of this kind to send in, one that both sides have seen inactive or a new one
 * at the end. *index receives its m-line index. The caller goes on with jsep_section_send.
 * -ERR_TOO_LARGE beyond SDP_MEDIA_MAX sections; -ERR_BAD_STATE if we are the answerer; -ERR_UNSUPPORTED
 * for a kind other than audio and video.
 */
MUST_CHECK int jsep_add_section(struct jsep *j, enum sdp_kind kind, uint16_t *index);

/*
 * Appends our offer. It may replace one that was not answered yet. -ERR_BAD_STATE if we are the
 * answerer, -ERR_TOO_LARGE.
 */
MUST_CHECK int jsep_create_offer(struct jsep *j, struct buf *out);

/*
 * Takes the client's answer to our latest offer; errors as jsep_set_remote_offer, -ERR_BAD_STATE
 * without an offer.
 */
MUST_CHECK int jsep_set_remote_answer(struct jsep *j, struct slice text, struct errbuf *eb);

/* True between jsep_create_offer or jsep_set_remote_offer and the other half of the round. */
bool jsep_is_pending(const struct jsep *j);

/*
 * The latest remote transport; NULL before the first remote description. Borrowed until the next
 * one.
 */
const struct jsep_remote *jsep_remote(const struct jsep *j);

size_t jsep_section_count(const struct jsep *j);

/* NULL beyond the end. */
const struct jsep_section *jsep_section_at(const struct jsep *j, size_t index);

/* NULL if there is none. */
const struct jsep_section *jsep_section_by_mid(const struct jsep *j, struct slice mid);

/*
 * JSEP_ROLE_SINGLE: a section of this kind that the client made for receiving, that has no stream
 * of ours and whose earlier stream, if any, was taken back in an answer. NULL if there is none: ask
 * for more with media_sections_requirement.
 */
const struct jsep_section *jsep_free_slot(const struct jsep *j, enum sdp_kind kind);

/*
 * The ids of header extensions for the whole connection, for packets not yet assigned to a section;
 * BUNDLE makes an id mean one thing everywhere (RFC 8843 §7.1.3, §9.2). JSEP_EXT_N bytes; 0 = in no
 * section.
 */
const uint8_t *jsep_ext_ids(const struct jsep *j);

/*
 * Says what we send in a section, from the next description on; replaces what was there.
 *   -ERR_NOT_FOUND     no such section
 *   -ERR_BAD_STATE         the client does not receive in it, or it is rejected
 *   -ERR_MALFORMED     a string that is empty, too long or not visible ASCII, or an ssrc of 0
 *   -ERR_UNSUPPORTED   none of send->codecs can be described here
 */
MUST_CHECK int jsep_section_send(struct jsep *j, size_t index, const struct jsep_send *send);

/*
 * Takes back what we send: the section becomes inactive in the next description. Unknown or empty
 * sections are fine.
 */
void jsep_section_clear(struct jsep *j, size_t index);

/* How we want to receive a section, from the next answer on. Unknown sections are ignored. */
void jsep_section_recv(struct jsep *j, size_t index, const struct jsep_recv *recv);
