/*
 * grants: what an access token says about its holder. Plain data, owned strings.
 *
 * Made by auth_verify (token.h) or by hand; read by signal/, api/, rooms/. Names are those of the
 * token's claims.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/macros.h"
#include "proto/models.pb-c.h"
#include "proto/room.pb-c.h"

/* A permission that has a default of its own when the token does not mention it. */
enum grant_tri { GRANT_UNSET, GRANT_NO, GRANT_YES };

/*
 * Set of track sources: bit n is the source with number n. Empty means all of them, so a list that
 * names no source we know keeps GRANT_SOURCES_LIMITED and allows none.
 */
#define GRANT_SOURCES_LIMITED (UINT32_C(1) << 31)

struct video_grant {
	bool room_create, room_list, room_record, room_admin, room_join;
	bool ingress_admin, hidden, recorder, agent;
	char *room, *destination_room; /* NULL = not named */
	enum grant_tri can_publish, can_subscribe, can_publish_data;
	enum grant_tri can_update_own_metadata, can_subscribe_metrics, can_manage_agent_session;
	uint32_t can_publish_sources;
};

struct grant_attribute {
	char *key, *value;
};

struct grants {
	char *api_key;      /* issuer; set by auth_verify, not looked at by auth_mint */
	uint64_t expires_s; /* Unix seconds; set by auth_verify, not looked at by auth_mint */
	char *identity;     /* never NULL after auth_verify, perhaps "" */
	char *name, *metadata, *sha256, *room_preset; /* NULL = absent */
	struct grant_attribute *attributes;
	size_t n_attributes;
	Livekit__ParticipantInfo__Kind kind;
	uint32_t kind_details; /* bit n is ParticipantInfo.KindDetail n */
	bool has_video;        /* false: no video claim, `video` is all zero */
	struct video_grant video;
	bool sip_admin, sip_call;
	bool agent_admin, agent_simulation_admin, agent_database_admin;
	bool inference_perform, observability_write;
	bool turn_admin; /* ours: "sterna": {"turnAdmin": true}, sessions of the TURN server */
	Livekit__RoomConfiguration *room_config; /* owned (pb_free), NULL = absent */
};

/* Accepts NULL. */
void grants_free(struct grants *g);

/* Deep copy. Never NULL. Returns owned. */
MUST_CHECK struct grants *grants_copy(const struct grants *g);

/* Replaces an owned string; NULL makes it absent. */
void grants_set(char **field, const char *value);

/* Sets an attribute; an empty value removes it. */
void grants_set_attribute(struct grants *g, const char *key, const char *value);

/* The tri-state permissions with their defaults: publish and subscribe yes, data as publish, the
 * others no. */
bool grants_can_publish(const struct grants *g);
bool grants_can_subscribe(const struct grants *g);
bool grants_can_publish_data(const struct grants *g);
bool grants_can_update_own_metadata(const struct grants *g);
bool grants_can_subscribe_metrics(const struct grants *g);
bool grants_can_manage_agent_session(const struct grants *g);

/* True if the holder may publish, and from this source. */
bool grants_can_publish_source(const struct grants *g, Livekit__TrackSource source);

/* The grants as the message that clients see. Every boolean is set. Returns owned: pb_free. */
MUST_CHECK Livekit__ParticipantPermission *grants_to_permission(const struct grants *g);

/*
 * Takes over a permission as a whole: what it leaves out becomes false, no sources means all. What
 * the holder is (recorder, agent: deprecated in the message) stays as the token said.
 */
void grants_from_permission(struct grants *g, const Livekit__ParticipantPermission *p);

/* The word that tokens use ("screen_share"); NULL for a source without one. Static storage. */
const char *grants_source_name(Livekit__TrackSource source);

/* The set that has just the source of this word; GRANT_SOURCES_LIMITED for an unknown one. */
uint32_t grants_source_bit(const char *name);
