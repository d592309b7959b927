/*
 * sent_log: under which number which source packet was sent, to answer a subscriber's NACK from the
 * publisher's pktbuf with the same bytes as the first time.
 *
 * A ring by outgoing sequence number; 20 bytes per packet. Also keeps the limits on repeating:
 * SENT_LOG_REPEATS times per packet and not more than once per round trip.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "rtp/vp8.h"

enum {
	SENT_LOG_VIDEO = 512, /* packets; as many as pktbuf holds for a publisher */
	SENT_LOG_AUDIO = 256,
	SENT_LOG_REPEATS = 3,
};

struct rtp_sent {
	uint32_t timestamp;     /* as sent */
	uint32_t repeated_ms;   /* when last, low 32 bits; kept by the log */
	uint16_t seq;           /* as sent */
	uint16_t source_seq;    /* as received: the key for pktbuf_get */
	struct vp8_numbers vp8; /* as sent, for vp8_desc_write */
	uint8_t source;         /* the caller's number for which pktbuf: a layer */
	uint8_t repeats;        /* kept by the log */
};

struct sent_log;

/* `packets` is rounded up to a power of two, at most 32768. Returns owned; never NULL. */
MUST_CHECK struct sent_log *sent_log_new(size_t packets);
void sent_log_free(struct sent_log *log);

/* Remembers one sent packet; `seq` may be late. A number older than the ring is ignored. */
void sent_log_put(struct sent_log *log, const struct rtp_sent *sent);

/*
 * Looks up a packet asked for by NACK and counts the repeat. 0 and *out;
 * -ERR_NOT_FOUND if it was not sent or too long ago; -ERR_AGAIN if the last repeat is less
 * than rtt_us ago; -ERR_NO_ROOM if it was repeated often enough.
 */
MUST_CHECK int sent_log_repeat(
	struct sent_log *log, uint16_t seq, uint64_t now_us, uint64_t rtt_us, struct rtp_sent *out);

/* Forgets all packets (nothing sent before may be repeated: the stream starts anew). */
void sent_log_clear(struct sent_log *log);
