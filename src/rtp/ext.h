/*
 * ext: RTP header extensions (RFC 8285): their names in SDP, where in a packet, their values.
 *
 * one-byte form, profile 0xBEDE:  | ID:4 | L-1:4 | L bytes |
 * two-byte form, profile 0x100x:  |     ID:8     |   L:8   | L bytes |
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/slice.h"
#include "rtp/packet.h"

/*        name                   URI in a=extmap */
#define RTP_EXT_MAP(X)                                                                             \
	X(MID,                   "urn:ietf:params:rtp-hdrext:sdes:mid")                            \
	X(RID,                   "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id")                  \
	X(REPAIRED_RID,          "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id")         \
	X(AUDIO_LEVEL,           "urn:ietf:params:rtp-hdrext:ssrc-audio-level")                    \
	X(TOFFSET,               "urn:ietf:params:rtp-hdrext:toffset")                             \
	X(VIDEO_ORIENTATION,     "urn:3gpp:video-orientation")                                     \
	X(ABS_SEND_TIME,         "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time")     \
	X(TWCC,                  "http://www.ietf.org/id/"                                         \
				 "draft-holmer-rmcat-transport-wide-cc-extensions-01")             \
	X(ABS_CAPTURE_TIME,      "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time")  \
	X(PLAYOUT_DELAY,         "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay")     \
	X(DEPENDENCY_DESCRIPTOR, "https://aomediacodec.github.io/av1-rtp-spec/"                    \
				 "#dependency-descriptor-rtp-header-extension")                    \
	X(FRAME_MARKING,         "urn:ietf:params:rtp-hdrext:framemarking")                        \
	X(VIDEO_CONTENT_TYPE,    "http://www.webrtc.org/experiments/rtp-hdrext/"                   \
				 "video-content-type")                                             \
	X(VIDEO_TIMING,          "http://www.webrtc.org/experiments/rtp-hdrext/video-timing")      \
	X(COLOR_SPACE,           "http://www.webrtc.org/experiments/rtp-hdrext/color-space")

enum rtp_ext_kind {
	RTP_EXT_NONE,
#define X(name, uri) RTP_EXT_##name,
	RTP_EXT_MAP(X)
#undef X
	RTP_EXT_KINDS
};

/* NULL for RTP_EXT_NONE and foreign values. Static storage. */
const char *rtp_ext_uri(enum rtp_ext_kind kind);

/* RTP_EXT_NONE if we do not know it. Exact comparison, as URIs of extensions are (RFC 8285 §5). */
enum rtp_ext_kind rtp_ext_kind_of(struct slice uri);

/* The numbers negotiated for one m-section: id by kind, 0 = not negotiated. */
struct rtp_ext_ids {
	uint8_t id[RTP_EXT_KINDS];
};

/*
 * Walks the elements in order. A broken element ends the walk, those before it count (RFC 8285
 * §4.2). Zero elements for a packet without extensions or with a foreign profile.
 */
struct rtp_ext_iter {
	struct slice rest;
	bool is_two_byte;
};

struct rtp_ext_iter rtp_ext_iter(const struct rtp_packet *pkt);
bool rtp_ext_next(struct rtp_ext_iter *it, struct rtp_ext *out);

/* The first element with this id, {NULL, 0} if there is none. Id 0 is never found. */
struct slice rtp_ext_find(const struct rtp_packet *pkt, uint8_t id);

/*
 * Values. The read functions take an element's data as rtp_ext_find gives it, also the empty slice
 * of an absent one, and return false when it is not of the right size. Write functions return
 * the length written.
 */

/* MID, RID, REPAIRED_RID (RFC 9143, RFC 8852): 1 to 16 of the characters A-Za-z0-9 - _ */
enum { RTP_SDES_TEXT_MAX = 16 };
bool rtp_ext_text_read(struct slice data, struct slice *text);

/* RFC 6464: 0 is the loudest, 127 silence (-dBov). */
struct rtp_audio_level {
	uint8_t level;
	bool is_voice;
};
bool rtp_ext_audio_level_read(struct slice data, struct rtp_audio_level *out);
size_t rtp_ext_audio_level_write(uint8_t out[1], struct rtp_audio_level level);

/* Seconds as 6.18 fixed point, wraps every 64 s. */
bool rtp_ext_abs_send_time_read(struct slice data, uint32_t *out);
size_t rtp_ext_abs_send_time_write(uint8_t out[3], uint64_t now_us);

bool rtp_ext_twcc_read(struct slice data, uint16_t *seq);
size_t rtp_ext_twcc_write(uint8_t out[2], uint16_t seq);

struct rtp_capture_time {
	uint64_t ntp;         /* 32.32, on the capturer's clock */
	int64_t clock_offset; /* 32.32 seconds between that clock and the sender's */
	bool has_clock_offset;
};
bool rtp_ext_capture_time_read(struct slice data, struct rtp_capture_time *out);
size_t rtp_ext_capture_time_write(uint8_t out[16], const struct rtp_capture_time *t);

/* On the wire 12 bits each in steps of 10 ms: 0 to 40950 ms; larger values are cut. */
struct rtp_playout_delay {
	uint16_t min_ms, max_ms;
};
bool rtp_ext_playout_delay_read(struct slice data, struct rtp_playout_delay *out);
size_t rtp_ext_playout_delay_write(uint8_t out[3], struct rtp_playout_delay d);
