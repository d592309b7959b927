/*
 * pktbuf: the latest packets of one incoming SSRC, decrypted, kept for retransmission. One copy
 * serves all subscribers.
 *
 * A ring of bytes with an index by sequence number: short packets take little room, and memory is
 * touched (and so resident) only as packets arrive, an idle track costs the index. Both parts
 * are allocated when it is made, nothing later.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/slice.h"
#include "rtp/packet.h"

enum {
	PKTBUF_VIDEO_PACKETS = 512,
	PKTBUF_VIDEO_BYTES = 256 * 1024, /* 0.8 s at 2.5 Mbit/s */
	PKTBUF_AUDIO_PACKETS = 256,
	PKTBUF_AUDIO_BYTES = 32 * 1024,
};

struct pktbuf;

/*
 * Holds up to `packets` packets (rounded up to a power of two, at most 32768) as long as they fit
 * `bytes` (at least RTP_PACKET_MAX). Returns owned; never NULL.
 */
MUST_CHECK struct pktbuf *pktbuf_new(size_t packets, size_t bytes);
void pktbuf_free(struct pktbuf *b);

/*
 * Copies a packet in; the oldest leave. 0; -ERR_TOO_LARGE above RTP_PACKET_MAX; -ERR_EXISTS for a
 * number that is there; -ERR_REPLAY for one older than the ring.
 */
MUST_CHECK int pktbuf_put(struct pktbuf *b, uint16_t seq, struct slice packet);

/* The packet, borrowed until the next put; {NULL, 0} if it is not there (any more). */
struct slice pktbuf_get(const struct pktbuf *b, uint16_t seq);

/* Forgets all packets: the source started again with other numbers. */
void pktbuf_clear(struct pktbuf *b);
