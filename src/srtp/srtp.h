/*
 * srtp: SRTP and SRTCP (RFC 3711) with AES-CM/HMAC-SHA1-80 and AES-GCM (RFC 7714), keyed from DTLS
 * (RFC 5764).
 *
 * One object is one peer connection: both directions, all SSRCs. Bytes only: no socket, no clock,
 * no RTP semantics. Not here: MKI, key derivation rates, re-keying of a live object (a new DTLS
 * handshake makes a new object), header extension encryption (RFC 6904, RFC 9335). Callers:
 * session/. An object belongs to one thread.
 *
 * Functions marked "per packet" do not allocate, lock or log.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/slice.h"

/* The numbers of the IANA registry "DTLS-SRTP Protection Profiles". */
enum srtp_profile {
	SRTP_PROFILE_AES128_CM_SHA1_80 = 0x0001,
	SRTP_PROFILE_AEAD_AES_128_GCM = 0x0007,
	SRTP_PROFILE_AEAD_AES_256_GCM = 0x0008,
};

enum {
	SRTP_RTP_HDR_LEN = 12,  /* fixed part of the RTP header */
	SRTP_RTCP_HDR_LEN = 8,  /* what SRTCP leaves in clear */
	SRTP_MAX_OVERHEAD = 16, /* bytes that protecting an RTP packet adds at most */
	SRTCP_MAX_OVERHEAD = 20,
	SRTP_KEY_MAX = 32,
	SRTP_SALT_MAX = 14,
	SRTP_KEYING_MAX = 2 * (SRTP_KEY_MAX + SRTP_SALT_MAX),
	SRTP_WINDOW = 128,  /* the newest packets of an SSRC, each accepted once; RTP and RTCP */
	SRTP_RX_MAX = 64, /* received SSRCs that are remembered */
	SRTP_TX_MAX = 4096, /* sent SSRCs of one object */
};

struct srtp_profile_info {
	enum srtp_profile id;
	const char *name; /* as SSL_CTX_set_tlsext_use_srtp spells it */
	uint8_t key_len, salt_len;
	uint8_t tag_len;    /* of SRTP and of SRTCP; SRTCP adds 4 more for E and index */
	uint8_t keying_len; /* exporter output, RFC 5764 §4.2 */
};

/* The row of a profile number from the wire; NULL if it is not one of ours. Static storage. */
const struct srtp_profile_info *srtp_profile_find(uint16_t id);

/* All profiles in the order of preference; NULL past the last. */
const struct srtp_profile_info *srtp_profile_at(unsigned i);

struct srtp;
struct srtp_stream;

/*
 * Returns owned. `keying` is the exporter output for "EXTRACTOR-dtls_srtp" (RFC 5764 §4.2): client
 * key, server key, client salt, server salt; it is not kept, the caller wipes it. NULL if its
 * length is not keying_len, or the profile is unknown, or OpenSSL lacks the cipher. Control path.
 */
struct srtp *srtp_new(enum srtp_profile profile, struct slice keying, bool is_dtls_server);

/* The same with master keys and salts given one by one, each of the profile's length. */
struct srtp_keys {
	struct slice tx_key, tx_salt, rx_key, rx_salt;
};
struct srtp *srtp_new_keys(enum srtp_profile profile, const struct srtp_keys *keys);

/* Wipes all keys; stream handles die with it. Accepts NULL. */
void srtp_free(struct srtp *s);

/* ---- receiving; per packet ---- */

/*
 * Checks and decrypts one SRTP packet in place; *n shrinks by the tag. On an error packet and *n
 * are unchanged:
 * -ERR_MALFORMED  too short, not version 2, CSRCs or extension past the end
 * -ERR_AUTH       forged or damaged
 * -ERR_REPLAY     seen before, or SRTP_WINDOW or more behind the newest (RFC 3711 §3.3.2)
 *
 * State for an SSRC begins with its first authentic packet; when SRTP_RX_MAX are known, the one
 * that was silent longest is forgotten, and with it its rollover counter. For a first packet of an
 * SSRC, a rollover counter of 0 is tried and, when its number is below 2^15, also 1: the packets
 * before the wrap may have been lost.
 */
MUST_CHECK int srtp_unprotect_rtp(struct srtp *s, uint8_t *pkt, size_t *n);

/*
 * The same for SRTCP: *n shrinks by tag, E and index. A packet with E = 0 (not encrypted) is
 * accepted if authentic.
 */
MUST_CHECK int srtp_unprotect_rtcp(struct srtp *s, uint8_t *pkt, size_t *n);

/* ---- sending ---- */

/*
 * A handle for sending `ssrc`, or NULL if it is in use already or SRTP_TX_MAX are known. Control
 * path. An SSRC that was deleted and is added again continues its rollover counter: beginning anew
 * would encrypt other packets under the same IVs. The first sequence number of a stream should be
 * below 2^15: a receiver that loses all packets before the first wrap never learns of the wrap.
 */
struct srtp_stream *srtp_tx_add(struct srtp *s, uint32_t ssrc);

/* The handle is dead afterwards. Accepts NULL. Control path. */
void srtp_tx_del(struct srtp *s, struct srtp_stream *stream);

/*
 * One packet to send: header (CSRCs and extension included) and payload come from anywhere, `out`
 * gets the packet. The pointers borrow until the call returns. `out` has room for hdr_len +
 * payload_len + SRTP_MAX_OVERHEAD and overlaps neither; or payload == out + hdr_len and hdr == out,
 * and the packet is encrypted where it is.
 */
struct srtp_job {
	struct srtp_stream *stream;
	const uint8_t *hdr;
	const uint8_t *payload;
	uint8_t *out;
	uint16_t hdr_len;
	uint16_t payload_len;
	uint16_t out_len; /* set: bytes in out; 0 = refused, do not send */
};

/*
 * Protects n packets, of any streams of `s`, in order. Per packet.
 *
 * The rollover counter follows from the sequence number: numbers may be sent out of order, across a
 * wrap too, up to 2^15 behind the newest of the stream. Refused: a header that is shorter than 12
 * bytes or names another SSRC, a number from before the first wrap that precedes the stream's
 * beginning, a packet above 65535 bytes.
 *
 * A number that is sent again must come with the same bytes, header included: two different packets
 * under one IV give away the authentication key of GCM and the plaintext of both profiles. A
 * retransmission with a changed header extension goes out on an RTX stream (RFC 4588).
 */
void srtp_protect_batch(struct srtp *s, struct srtp_job *jobs, unsigned n);

/*
 * Encrypts one compound RTCP packet of n bytes in place, appends tag, E and index; *out_n gets the
 * new length. Any sender SSRC: one index counts for all, since a receiver only wants it to grow.
 * Per packet. 0, or with *out_n unchanged:
 * -ERR_MALFORMED  below 8 bytes or not version 2
 * -ERR_NO_ROOM    cap is too small; n + SRTCP_MAX_OVERHEAD always is enough
 * -ERR_BAD_STATE      2^31 packets were sent, the session needs new keys
 * -ERR_CRYPTO     OpenSSL failed; the packet is spoilt
 */
MUST_CHECK int srtp_protect_rtcp(struct srtp *s, uint8_t *pkt, size_t n, size_t cap, size_t *out_n);
