/*
 * sdp: session descriptions as plain data: text in, struct out, and back (RFC 8866).
 *
 * Knows the grammar and the attributes WebRTC uses; knows nothing of offers, answers or policy,
 * which is jsep.h. Unknown lines and attributes are skipped. A known attribute with a wrong value
 * is an error that names its line. Callers: jsep.c; tools that want to look into a description.
 * Control path: it allocates.
 *
 * Attributes: mid, group (RFC 8843, 5888), msid (8830), ssrc, ssrc-group (5576), rid (8851),
 * simulcast (8853), extmap (8285), rtcp-fb (4585), rtcp-mux (5761), rtcp-rsize (5506), ice-* and
 * candidate (8839, 8840), fingerprint (8122), setup (4145, 8842), sctp-port, max-message-size
 * (8841), bundle-only (8843).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/err.h"
#include "base/macros.h"
#include "base/slice.h"

/*
 * The text limit leaves room for one connection that receives a few hundred tracks: a browser
 * spends 1.3 kB on an audio section and up to 6 kB on a video section.
 */
enum {
	SDP_TEXT_MAX = 1024 * 1024,
	SDP_LINE_MAX = 8 * 1024,
	SDP_MEDIA_MAX = 512,
	SDP_GROUPS_MAX = 16,
	SDP_CODECS_MAX = 128, /* every payload type once */
	SDP_FEEDBACK_MAX = 16, /* per codec */
	SDP_EXTMAPS_MAX = 64,
	SDP_SSRCS_MAX = 64,
	SDP_SSRC_GROUPS_MAX = 32,
	SDP_SSRC_GROUP_LEN = 8,
	SDP_RIDS_MAX = 16,
	SDP_STREAMS_MAX = 16, /* in one list of a=simulcast, alternatives included */
	SDP_CANDIDATES_MAX = 64,
	SDP_FINGERPRINTS_MAX = 8,
};

enum sdp_kind { SDP_KIND_OTHER, SDP_KIND_AUDIO, SDP_KIND_VIDEO, SDP_KIND_APPLICATION };

/* Bit 0: the describing side sends; bit 1: it receives. */
enum sdp_dir { SDP_INACTIVE, SDP_SENDONLY, SDP_RECVONLY, SDP_SENDRECV };

enum sdp_setup {
	SDP_SETUP_NONE,
	SDP_SETUP_ACTPASS,
	SDP_SETUP_ACTIVE,
	SDP_SETUP_PASSIVE,
	SDP_SETUP_HOLDCONN,
};

/* One rtpmap with its fmtp and rtcp-fb. Static payload types (0, 8, 9) need no rtpmap. */
struct sdp_codec {
	const char *name; /* "opus"; "" if the payload type was never described */
	const char *fmtp; /* parameters without the payload type; NULL = none */
	const char **feedback; /* "nack pli"; lines for "*" are copied to each codec */
	uint32_t clock_hz;
	uint16_t n_feedback;
	uint8_t pt, channels; /* channels: 1 unless the rtpmap says more */
};

struct sdp_extmap {
	const char *uri;
	const char *params; /* NULL = none */
	uint16_t id; /* 1..14 in one-byte headers, up to 255 in two-byte headers */
	enum sdp_dir direction; /* SDP_SENDRECV if none is written */
};

struct sdp_ssrc {
	uint32_t ssrc;
	const char *cname, *stream, *track; /* NULL = not told */
};

struct sdp_ssrc_group {
	const char *semantics; /* "FID", "SIM" */
	uint32_t ssrcs[SDP_SSRC_GROUP_LEN];
	uint8_t n;
};

struct sdp_rid {
	const char *id, *params; /* params: "pt=96;max-width=640", NULL = none */
	bool is_send;
};

/*
 * One name in a list of a=simulcast. Consecutive entries with the same stream number are
 * alternatives.
 */
struct sdp_stream {
	const char *rid;
	uint8_t stream;
	bool is_paused;
};

struct sdp_fingerprint {
	const char *alg, *value; /* "sha-256", "AB:CD:…" as written */
};

/* What RFC 8839, 8842 and 8122 allow on either level. */
struct sdp_transport {
	const char *ufrag, *pwd, *options; /* NULL = absent; options: "trickle renomination" */
	struct sdp_fingerprint *fingerprints;
	const char **candidates; /* "candidate:1 1 udp …", without "a=" */
	uint16_t n_fingerprints, n_candidates;
	enum sdp_setup setup;
	bool end_of_candidates;
};

struct sdp_media {
	enum sdp_kind kind;
	const char *type, *proto; /* as written: "video", "UDP/TLS/RTP/SAVPF" */
	const char *format; /* the rest of the m-line, for sections of no use to us */
	uint16_t port;
	const char *mid; /* NULL = absent */
	enum sdp_dir direction; /* SDP_SENDRECV, or the session's, if none is written */
	bool rtcp_mux, rtcp_rsize, bundle_only, extmap_allow_mixed;
	const char *stream, *track; /* first a=msid; "-" and missing parts are NULL */
	uint16_t sctp_port; /* 0 = absent */
	uint32_t max_message_size; /* with has_max_message_size; 0 = no limit (RFC 8841 §6.1) */
	bool has_max_message_size;

	struct sdp_codec *codecs; /* in the order of preference of the m-line */
	struct sdp_extmap *extmaps;
	struct sdp_ssrc *ssrcs;
	struct sdp_ssrc_group *ssrc_groups;
	struct sdp_rid *rids;
	struct sdp_stream *simulcast_send, *simulcast_recv;
	uint16_t n_codecs, n_extmaps, n_ssrcs, n_ssrc_groups, n_rids;
	uint16_t n_simulcast_send, n_simulcast_recv;
	struct sdp_transport transport;
};

struct sdp_group {
	const char *semantics; /* "BUNDLE" */
	const char **mids;
	uint16_t n_mids;
};

struct sdp_block;

/* All pointers lead into memory of the struct and live until sdp_free. */
struct sdp {
	uint64_t session_id, session_version; /* o= line */
	bool extmap_allow_mixed;
	const char *msid_semantic; /* "WMS *"; NULL = absent */
	struct sdp_group *groups;
	struct sdp_media *media;
	uint16_t n_groups, n_media;
	struct sdp_transport transport; /* session level; sections do not inherit it here */
	struct sdp_block *blocks;
};

/*
 * Parses a description with \r\n or \n line ends. 0 and an owned *out (sdp_free), or
 *   -ERR_TOO_LARGE  a limit above is passed
 *   -ERR_MALFORMED  anything else that is wrong
 * and a sentence with the line number in `eb` (NULL is fine); *out is NULL then. Borrows nothing of
 * `text`.
 */
MUST_CHECK int sdp_parse(struct sdp **out, struct slice text, struct errbuf *eb);

/* Appends the description with \r\n line ends. Look at out->full afterwards. */
void sdp_print(const struct sdp *s, struct buf *out);

/* Accepts NULL. */
void sdp_free(struct sdp *s);

/* The codec with this payload type, or NULL. */
const struct sdp_codec *sdp_codec_of(const struct sdp_media *m, uint8_t pt);

/*
 * The value of one parameter of an fmtp line ("a=1;b=2"), names in any case, or an empty slice with
 * NULL. Borrows fmtp; NULL fmtp is fine.
 */
struct slice sdp_fmtp_param(const char *fmtp, const char *name);

/* The direction as the other side would write it. */
enum sdp_dir sdp_dir_reverse(enum sdp_dir dir);

/* "sendrecv", … ; static storage. */
const char *sdp_dir_text(enum sdp_dir dir);
