/*
 * rooms: the rooms of one worker: who is in them, what they publish, who gets what.
 *
 * A room is an actor on its worker: everything here runs on that thread, as plain synchronous code. Messages to clients
 * leave as encoded SignalResponses through struct rooms_ops. It speaks LiveKit's messages (proto/) but knows no
 * WebSocket and no HTTP: signal/ stands in between.
 */
#pragma once
#include "auth/grants.h"
#include "auth/keys.h"
#include "base/err.h"
#include "base/slice.h"
#include "icelist/icelist.h"
#include "proto/signal.pb-c.h"
#include "rooms/registry.h"
#include "session/rtc.h"
#include "thread/worker.h"

struct rooms;
struct participant;

/* What rooms need of the configuration. Times in microseconds; a limit of 0 means none. */
struct rooms_cfg {
	uint32_t max_participants;
	uint32_t max_rooms; /* on this worker */
	uint64_t empty_timeout_us, departure_timeout_us;
	uint32_t enabled_codecs; /* JSEP_CODEC_BITs */
	size_t max_metadata_bytes, max_attributes_bytes, max_name_length;
	unsigned buffer_packets_video, buffer_packets_audio;
	uint32_t pli_throttle_us[3]; /* low, mid, high */
	uint64_t dynacast_pause_us;
	size_t data_buffer_bytes; /* per receiver: reliable packets that wait for a slow or new one */
	uint64_t speaker_interval_us; /* between two messages on who speaks */
	uint32_t speaker_active_level;     /* -dBov: quieter than this is silence */
	uint32_t speaker_min_percent;      /* of an interval, for somebody to be a speaker */
	uint32_t speaker_smooth_intervals; /* over which levels are smoothed */
	uint32_t max_subscriptions_audio, max_subscriptions_video; /* per participant */
	char node_id[24];
	char region[64];
	struct icelist *ice; /* the rooms reference it; NULL = no ICE servers */
};

struct rooms_ops {
	/* Sends one binary SignalResponse to n clients; copied. */
	void (*send)(void *arg, const uint64_t *conns, size_t n, struct slice response);
	/* Closes its connection once all that was sent is written. */
	void (*close)(void *arg, uint64_t conn, uint16_t ws_code);
};

/* Borrows all its arguments for its life; `keys` and cfg->ice are referenced. Returns owned. */
MUST_CHECK struct rooms *rooms_new(struct worker *w, struct rtc *rtc, struct registry *registry,
	const struct rooms_cfg *cfg, struct auth_keys *keys, const struct rooms_ops *ops,
	void *arg);

/* Everybody is told that the server shuts down. Accepts NULL. */
void rooms_free(struct rooms *r);

/* After a reload: cfg is copied, cfg->ice and keys referenced. */
void rooms_reload(struct rooms *r, const struct rooms_cfg *cfg, struct auth_keys *keys);

size_t rooms_participant_count(const struct rooms *r);

/* A client that may join, and how it wants to. */
struct room_join {
	uint64_t conn;
	struct grants *grants;                /* takes */
	const Livekit__JoinRequest *request;  /* borrowed for the call */
	bool is_single_pc, auto_subscribe, adaptive_stream, is_reconnect;
};

/* The answer, join or leave, goes through ops->send. */
void rooms_join(struct rooms *r, struct room_join *join);

/* The signal connection of a client is gone. */
void rooms_conn_closed(struct rooms *r, uint64_t conn);

/* NULL if the connection has no participant (any more). Borrowed until the next call into rooms. */
struct participant *rooms_participant(struct rooms *r, uint64_t conn);

/*
 * What a client asks for, one function per SignalRequest. Messages are borrowed; errors are answered to the client
 * (RequestResponse) or end its session, as specified for each.
 */
void participant_offer(struct participant *p, const Livekit__SessionDescription *offer);
void participant_answer(struct participant *p, const Livekit__SessionDescription *answer);
void participant_trickle(struct participant *p, const Livekit__TrickleRequest *t);
void participant_add_track(struct participant *p, const Livekit__AddTrackRequest *req);
void participant_mute(struct participant *p, const Livekit__MuteTrackRequest *req);
void participant_subscription(struct participant *p, const Livekit__UpdateSubscription *req);
void participant_track_setting(struct participant *p, const Livekit__UpdateTrackSettings *req);
void participant_update_metadata(
	struct participant *p, const Livekit__UpdateParticipantMetadata *req);
void participant_update_audio_track(
	struct participant *p, const Livekit__UpdateLocalAudioTrack *req);
void participant_update_video_track(
	struct participant *p, const Livekit__UpdateLocalVideoTrack *req);
/* Everybody may subscribe to everything: SDKs state just that when they join. Narrower wishes are not kept yet. */
void participant_subscription_permission(
	struct participant *p, const Livekit__SubscriptionPermission *req);
void participant_leave(struct participant *p, const Livekit__LeaveRequest *req);
