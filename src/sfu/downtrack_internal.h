/* downtrack_internal: what downtrack.c, sender.c and uptrack.c share. */
#pragma once
#include "session/session.h"
#include "sfu/downtrack.h"
#include "sfu/uptrack_internal.h"

/* The fields that every packet touches come first. */
struct downtrack {
	struct session *session;
	struct srtp_stream *stream, *rtx_stream; /* NULL until the session is connected */
	struct sent_log *log;
	int8_t current, target, wanted, ceiling;
	uint8_t payload_type, rtx_payload_type;
	uint8_t id_send_time, id_capture_time, id_orientation;
	uint8_t max_temporal;
	bool is_video, is_waiting; /* for a key frame of `target` */
	bool is_repair_held;       /* the subscriber asked for a key frame: repeating old packets is of no use */
	uint32_t ssrc, rtx_ssrc;
	uint16_t rtx_seq;
	uint64_t last_sent_us;
	uint64_t packets, bytes;
	struct rtp_munger rtp;
	struct vp8_munger vp8;

	struct uptrack *up;
	struct sender *sender;
	struct layer_wish wish;
	uint32_t ts_late; /* by how much the timestamps run ahead: the latest switch came too late to fit */
	uint64_t key_frame_asked_us;
};

/* Its turn comes soon: with hundreds of subscribers it has left the cache since the last packet. */
static inline void downtrack_prefetch(const struct downtrack *d)
{
	__builtin_prefetch(d, 1);
	__builtin_prefetch(&d->rtp, 1);
	__builtin_prefetch(&d->rtp.map, 1);
	__builtin_prefetch(&d->vp8, 1);
}

/* Per packet. */
void downtrack_push(struct downtrack *d, const struct fwd_packet *pkt);

/* Layers came or went, or the wish changed: picks the target anew and asks for a key frame if it needs one. */
void downtrack_retarget(struct downtrack *d, uint64_t now_us);

/* The source of this layer began anew: what was sent of it cannot be repeated, and it goes on at a key frame. */
void downtrack_source_restarted(struct downtrack *d, int layer, uint64_t now_us);

/* The sender's session is connected: streams can be made. */
void downtrack_connect(struct downtrack *d, uint64_t now_us);

/* The subscriber lost this packet. */
void downtrack_repeat(struct downtrack *d, uint16_t seq, uint64_t now_us);

/* The subscriber cannot decode and wants a key frame. */
void downtrack_key_frame_wanted(struct downtrack *d, uint64_t now_us);

/* Asks again while it waits. Returns when it wants to be called next; UINT64_MAX = not. */
uint64_t downtrack_tick(struct downtrack *d, uint64_t now_us);

/* Fills in a sender report; false while the publisher's clock is not known or nothing was sent. */
bool downtrack_report(const struct downtrack *d, uint64_t now_us, struct rtcp_sr *sr);
