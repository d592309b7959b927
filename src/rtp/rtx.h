/*
 * rtx: the retransmission payload format (RFC 4588 §4): two bytes of original sequence number
 * (OSN) before the original payload, on an SSRC and payload type of its own.
 */
#pragma once
#include <stdint.h>
#include "base/err.h"
#include "base/slice.h"
#include "rtp/packet.h"

enum { RTX_OSN_LEN = 2 };

/*
 * Turns a received RTX packet back into the original one, in place: the header moves two bytes to
 * the right over the OSN, payload bytes stay where they are. *pkt is then the parsed original,
 * its raw.p is bytes + 2. Header extensions stay as sent.
 * 0; -ERR_TRUNCATED without an OSN (padding sent on the RTX stream carries none), or as rtp_parse;
 * the bytes are unchanged then.
 */
MUST_CHECK int rtp_rtx_unwrap(
	struct rtp_packet *pkt, uint8_t *bytes, size_t n, uint32_t media_ssrc, uint8_t media_pt);

/*
 * Writes the header of an RTX packet (h: ssrc, payload type and seq of the RTX stream, timestamp
 * and marker of the original) and the OSN behind it. Returns as rtp_header_write.
 */
MUST_CHECK int rtp_rtx_header_write(
	uint8_t *out, size_t cap, const struct rtp_header *h, uint16_t original_seq);
