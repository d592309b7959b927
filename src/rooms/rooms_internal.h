/* rooms_internal: the structures that the files of rooms/ share. */
#pragma once
#include "base/list.h"
#include "base/map.h"
#include "base/rng.h"
#include "pb/pb.h"
#include "rooms/rooms.h"
#include "sdp/jsep.h"
#include "sfu/sfu.h"

enum {
	PENDING_TRACKS_MAX = 20,
	QUEUED_PER_CID_MAX = 3,
	TRACK_TEXT_MAX = 1024,     /* bytes of each text of a track: cid, name, stream */
	TRACK_FEATURES_MAX = 64,   /* elements of each list of a track */
	AWAITED_TRACKS_MAX = 1000, /* of one participant: sids that no track has yet */
	PROTOCOL_ASYNC_SID = 11, /* above: a replaced duplicate causes no disconnect update */
	PROTOCOL_OK_RESPONSES = 14,
	PROTOCOL_CURRENT = 17,
	CHANNEL_NONE = UINT16_MAX,
};

/* Sets an optional scalar of a message. */
#define PB_SET(msg, field, value) ((msg)->has_##field = 1, (msg)->field = (value))

struct room;
struct track;

struct rooms {
	struct worker *worker;
	struct rtc *rtc;
	struct registry *registry;
	struct rooms_cfg cfg;
	struct auth_keys *keys;
	const struct rooms_ops *ops;
	void *arg;
	struct map by_name; /* room name → struct room */
	struct map by_conn; /* conn → struct participant */
	struct list all;    /* struct room */
	struct timer tick;  /* once per second: timeouts */
};

struct room {
	struct list node;
	struct rooms *rooms;
	char *name;
	char sid[ID_CAP];
	uint8_t sif_trailer[8];
	uint64_t created_wall_us;
	uint64_t empty_since_us; /* 0 = somebody is in it */
	bool had_participants;
	uint64_t update_due_us; /* RoomUpdate with the new count; 0 = none */
	struct list participants;
	size_t n_participants;
	struct map by_identity;
	struct timer speakers;
};

/* An AddTrackRequest that no section of a description has fulfilled yet. */
struct pending_track {
	struct list node;
	bool is_queued; /* a track with its cid is there still: its turn comes when that one is gone */
	Livekit__AddTrackRequest *req; /* owned */
	Livekit__TrackInfo *info;      /* owned */
};

/* A published track. */
struct track {
	struct list node; /* in participant->tracks */
	struct participant *publisher;
	Livekit__TrackInfo *info; /* owned */
	char *cid;
	char *msid_track; /* the track id that its section named when it began; NULL = none */
	uint16_t section;
	struct uptrack *up;
	struct list subscriptions; /* struct subscription, by_track */
	struct timer downgrade;    /* dynacast: until nobody-wants-it is told */
	int told_quality;          /* highest layer the publisher was told to send */
	int wanted;
	bool subscriber_told; /* track_subscribed was sent */
};

enum subscription_state {
	SUB_OVER_LIMIT,   /* the subscriber has as many tracks of the kind as are allowed */
	SUB_WAIT_SECTION, /* single connection: the client has no free section */
	SUB_NEGOTIATING,  /* described, not yet confirmed by a round */
	SUB_ACTIVE,
	SUB_UNSUPPORTED,  /* the subscriber has not the codec */
};

/* A track that a participant asked for before there was one with this sid. */
struct awaited_track {
	struct list node;
	uint64_t until_us;
	char sid[ID_CAP];
};

struct subscription {
	struct list by_participant, by_track;
	struct participant *subscriber;
	struct track *track;
	enum subscription_state state;
	uint16_t section;
	uint32_t ssrc, rtx_ssrc;
	struct layer_wish wish;
	struct downtrack *down;
};

/* One peer connection of a participant. */
struct peer {
	struct participant *participant;
	enum jsep_role role;
	struct session *session;
	struct jsep *jsep;
	struct receiver *receiver; /* NULL on a connection that only sends */
	struct sender *sender;     /* NULL on one that only receives */
	uint16_t reliable, lossy, data_track; /* channels; CHANNEL_NONE until open */
	bool is_connected;

	struct timer negotiate;    /* a little later, so that changes of one moment share a round */
	uint32_t offer_id;         /* offerer: of the offer under way */
	bool is_stale;             /* offerer: something changed since then */
	struct timer answer_limit; /* offerer */
	uint32_t asked[2];         /* single: sections asked for and not yet offered: audio, video */
	uint32_t slots[2];         /* single: sections for receiving in the client's last offer */
	uint64_t round_us;         /* when something was last asked for, offered or answered */
	unsigned repeats;          /* rounds asked for again since there was progress */
	bool awaits_offer;         /* single: none came since the last requirement */
};

/* A reliable data packet that waits for its receiver. */
struct queued_data {
	struct list node;
	size_t n;
	uint8_t bytes[];
};

/* How loud a participant is. */
struct speech {
	double level; /* smoothed, 0…1 */
	unsigned silent_intervals;
	uint8_t step; /* as told to clients, in eighths */
	bool has_changed;
};

struct participant {
	struct list node; /* in room->participants */
	struct room *room;
	uint64_t conn; /* 0 = the signal connection is gone */
	char sid[ID_CAP];
	struct grants *grants;
	uint32_t granted_ttl_s;
	Livekit__ParticipantInfo *info; /* owned, but for its array of tracks */
	int32_t protocol;               /* of the client */
	Livekit__ClientInfo__SDK sdk;
	bool is_single_pc, auto_subscribe, adaptive_stream;
	bool is_dependent; /* agents and recorders do not keep a room alive */
	bool is_leaving;
	uint64_t joined_us, token_due_us;
	struct timer failed; /* a connection ended: so does the participant, but not amid the session's own call */
	bool said_goodbye;   /* it ended because the client closed it */

	struct peer *publisher, *subscriber; /* the same one with a single connection */
	struct list pending;                 /* struct pending_track */
	struct list tracks;                  /* struct track */
	struct list subscriptions;           /* struct subscription */
	struct list awaited;                 /* struct awaited_track */

	struct speech speech;
	uint32_t last_data_seq;
	struct list data_queue;
	size_t data_queue_bytes;
};

/* ---- rooms.c */
uint64_t rooms_now(const struct rooms *r);

/* ---- room.c */
struct room *room_find_or_new(struct rooms *r, const char *name);
void room_free(struct room *room);
struct participant *room_by_identity(const struct room *room, const char *identity);
struct participant *room_by_sid(const struct room *room, const char *sid);
/* Once per second; may free the room. */
void room_tick(struct room *room, uint64_t now_us);
void room_changed(struct room *room);

/* Sends p's info to everybody who may see it, itself included if `to_self`. Raises its version. */
void room_broadcast(struct participant *p, bool to_self);
/* Tells the others that p has left. */
void room_announce_leave(struct participant *p, Livekit__DisconnectReason reason);

/* ---- info.c: messages made from the structures; the results borrow from them */
struct info_room {
	Livekit__Room msg;
	Livekit__Codec codecs[JSEP_CODEC_N];
	Livekit__Codec *codec_ptrs[JSEP_CODEC_N];
};
void info_room(const struct room *room, struct info_room *out);
size_t info_codecs(uint32_t enabled, Livekit__Codec *codecs, Livekit__Codec **ptrs);
/* The info of a participant with its array of tracks brought up to date. */
Livekit__ParticipantInfo *info_participant(struct participant *p);
void info_participant_free(struct participant *p);
/* A new info made from the grants and the client's own words. */
Livekit__ParticipantInfo *info_participant_new(
	const struct participant *p, const Livekit__ClientInfo *client);
void info_set_grants(struct participant *p);
Livekit__TrackInfo *info_track_new(const Livekit__AddTrackRequest *req);
/* Sends one message. */
void participant_send(struct participant *p, const Livekit__SignalResponse *response);

/* ---- participant.c */
/* May end the participant again at once. */
void participant_enter(struct room *room, struct room_join *join);
/* Tells everybody, frees it. `leave` NULL: the client is not told. */
void participant_remove(struct participant *p, Livekit__DisconnectReason reason,
	const Livekit__LeaveRequest *leave);
void participant_kick(struct participant *p, Livekit__DisconnectReason reason,
	Livekit__LeaveRequest__Action action);
bool participant_sees(const struct participant *viewer, const struct participant *other);
void participant_tick(struct participant *p, uint64_t now_us);
void participant_send_token(struct participant *p);
/* The state of a peer changed. Never frees p. */
void participant_peer_changed(struct participant *p, struct peer *peer, enum session_state state);
bool participant_is_hidden(const struct participant *p);
struct peer *participant_primary(const struct participant *p);

/* ---- peer.c */
/* NULL when the worker takes no more sessions. */
struct peer *peer_new(struct participant *p, enum jsep_role role);
void peer_free(struct peer *peer);
/* Tells the description our candidates, after an ICE restart too. */
void peer_set_candidates(struct peer *peer);
/* The section's extension numbers in the form that packets are read and written with. */
struct rtp_ext_ids peer_ext_ids(const uint8_t by_jsep[JSEP_EXT_N]);

/* ---- negotiate.c */
void negotiate_init(struct peer *peer);
/* Something to negotiate came up: an offer of ours, or with a single connection a request for one, follows soon. */
void peer_negotiate(struct peer *peer);
/* Once per second: a request for a round that led to nothing is made again, some times. */
void peer_repeat(struct peer *peer, uint64_t now_us);

/* ---- publish.c */
/* Between offer and answer: how the sections of awaited tracks are to be answered. */
void publish_prefer(struct participant *p, struct peer *peer);
/* After the answer: tracks that were negotiated appear, those that are gone go. */
void publish_sync(struct participant *p, struct peer *peer);
void publish_remove(struct track *t);
void publish_remove_all(struct participant *p);
struct track *publish_find(const struct participant *p, const char *sid);
void pending_free(struct pending_track *pending);

/* ---- subscribe.c */
struct track *subscribe_find_track(struct room *room, const char *sid);
/* Everything p should have by itself: at join, and when a permission comes. */
void subscribe_to_all(struct participant *p);
/* Everybody who wants it gets this new track. */
void subscribe_all_to(struct track *t);
void subscription_free(struct subscription *sub);
/* Describes waiting subscriptions: with a single connection in the sections that are free. */
void subscribe_fill_slots(struct peer *peer);
/* A round of negotiation is complete: described subscriptions become live, and those that lost their section wait. */
void subscribe_round_done(struct peer *peer);
/* How many subscriptions wait for a section: audio, video. */
void subscribe_count_waiting(const struct participant *p, uint32_t n[2]);
/* Some subscription needs another round. */
bool subscribe_is_unsettled(const struct participant *p);
/* Gives up on tracks that did not appear in time. */
void subscribe_tick(struct participant *p, uint64_t now_us);
void subscribe_remove_all(struct participant *p);

/* True if p has a track of that publisher. */
bool subscribe_has_any(const struct participant *p, const struct participant *publisher);

/* ---- speakers.c */
void speakers_start(struct room *room);
void speakers_stop(struct room *room);

/* ---- data.c */
void data_message(struct participant *p, struct peer *peer, uint16_t channel, struct slice bytes);
/* The participant's reliable channel is open, or writable again. */
void data_drain(struct participant *p);
void data_free(struct participant *p);
