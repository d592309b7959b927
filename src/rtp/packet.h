/*
 * packet: the RTP header (RFC 3550 §5.1), read and written.
 *
 *  0                   1                   2                   3
 *  |V=2|P|X|  CC   |M|     PT      |       sequence number         |
 *  |                           timestamp                           |
 *  |                             SSRC                              |
 *  |                     CSRC list, 0 to 15 words                  |
 *  |   extension profile (X=1)     |    length in words            |
 *  |   extension elements, payload, padding (P=1, last byte = how many)
 *
 * A parsed packet borrows the caller's bytes and lives as long as they do.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/slice.h"

enum {
	RTP_HDR_LEN = 12,      /* without CSRCs and extensions */
	RTP_PACKET_MAX = 1500, /* longest packet that is kept or forwarded, bytes */
	RTP_HDR_MAX = 256,     /* a buffer that every header written by us fits in, OSN included */
	RTP_EXTS_MAX = 16,     /* extensions in one written header */
};

struct rtp_packet {
	struct slice raw;     /* all of it */
	struct slice ext;     /* extension elements without the four bytes before them */
	struct slice payload; /* without padding */
	uint32_t timestamp, ssrc;
	uint16_t seq;
	uint16_t ext_profile; /* 0xBEDE, 0x100x or foreign; 0 with X=0 */
	uint16_t header_len;  /* payload starts here in raw */
	uint8_t payload_type, csrc_count;
	uint8_t padding_len; /* bytes after the payload, the count byte included */
	bool marker;
};

/* True if a datagram of the RTP range is RTCP: second byte 192..223 (RFC 5761 §4). */
bool rtp_is_rtcp(struct slice dgram);

/*
 * 0, -ERR_TRUNCATED (a length inside says more than there is), or -ERR_MALFORMED (version,
 * padding). *pkt is meaningful only after 0. Extension elements are not looked at here.
 */
MUST_CHECK int rtp_parse(struct rtp_packet *pkt, struct slice raw);

/* True if there is nothing to play in it: such packets fill the line and are not forwarded. */
static inline bool rtp_is_padding_only(const struct rtp_packet *pkt)
{
	return pkt->payload.n == 0;
}

/* One extension element; `id` is 1..14 in the one-byte form, 1..255 in the two-byte form. */
struct rtp_ext {
	uint8_t id;
	struct slice data;
};

/* What rtp_header_write needs; exts are borrowed for the call. */
struct rtp_header {
	uint32_t timestamp, ssrc;
	uint16_t seq;
	uint8_t payload_type;
	bool marker;
	bool has_padding; /* the caller appends rtp_padding_write after the payload */
	const struct rtp_ext *exts;
	size_t ext_count; /* up to RTP_EXTS_MAX; 0 writes no extension block */
};

/*
 * Writes a header without CSRCs, extensions in the given order: the one-byte form if all fit it
 * (ids to 14, 1 to 16 bytes each), else the two-byte form.
 * Returns the length, or -ERR_NO_ROOM (cap), -ERR_RANGE (id 0 or 255 bytes exceeded, too many).
 */
MUST_CHECK int rtp_header_write(uint8_t *out, size_t cap, const struct rtp_header *h);

/* Fills n bytes of padding, 1 to 255, the last one telling n (RFC 3550 §5.1). */
void rtp_padding_write(uint8_t *out, uint8_t n);
