#include "auth/grants.h"

#include <string.h>

#include "base/mem.h"
#include "pb/pb.h"

static const struct {
	Livekit__TrackSource source;
	const char *name;
} sources[] = {
	{LIVEKIT__TRACK_SOURCE__CAMERA, "camera"},
	{LIVEKIT__TRACK_SOURCE__MICROPHONE, "microphone"},
	{LIVEKIT__TRACK_SOURCE__SCREEN_SHARE, "screen_share"},
	{LIVEKIT__TRACK_SOURCE__SCREEN_SHARE_AUDIO, "screen_share_audio"},
};

static void free_attribute(struct grant_attribute *a)
{
	xfree(a->key);
	xfree(a->value);
}

void grants_free(struct grants *g)
{
	if (!g)
		return;
	for (size_t i = 0; i < g->n_attributes; i++)
		free_attribute(&g->attributes[i]);
	xfree(g->attributes);
	xfree(g->api_key);
	xfree(g->identity);
	xfree(g->name);
	xfree(g->metadata);
	xfree(g->sha256);
	xfree(g->room_preset);
	xfree(g->video.room);
	xfree(g->video.destination_room);
	pb_free(g->room_config);
	xfree(g);
}

static char *dup_or_null(const char *s)
{
	return s ? xstrdup(s) : NULL;
}

struct grants *grants_copy(const struct grants *g)
{
	struct grants *copy = xmemdup(g, sizeof *g);
	copy->api_key = dup_or_null(g->api_key);
	copy->identity = dup_or_null(g->identity);
	copy->name = dup_or_null(g->name);
	copy->metadata = dup_or_null(g->metadata);
	copy->sha256 = dup_or_null(g->sha256);
	copy->room_preset = dup_or_null(g->room_preset);
	copy->video.room = dup_or_null(g->video.room);
	copy->video.destination_room = dup_or_null(g->video.destination_room);
	copy->room_config = g->room_config ? pb_copy(g->room_config) : NULL;
	copy->attributes = xcalloc(g->n_attributes, sizeof *g->attributes);
	for (size_t i = 0; i < g->n_attributes; i++) {
		copy->attributes[i].key = xstrdup(g->attributes[i].key);
		copy->attributes[i].value = xstrdup(g->attributes[i].value);
	}
	return copy;
}

void grants_set(char **field, const char *value)
{
	char *copy = dup_or_null(value); /* first: the value may be the field itself */
	xfree(*field);
	*field = copy;
}

void grants_set_attribute(struct grants *g, const char *key, const char *value)
{
	size_t at = 0;
	while (at < g->n_attributes && strcmp(g->attributes[at].key, key) != 0)
		at++;
	if (at < g->n_attributes && *value) {
		grants_set(&g->attributes[at].value, value);
	} else if (at < g->n_attributes) {
		free_attribute(&g->attributes[at]);
		g->n_attributes--;
		memmove(&g->attributes[at], &g->attributes[at + 1],
			(g->n_attributes - at) * sizeof *g->attributes);
	} else if (*value) {
		g->attributes = xrealloc(g->attributes, (at + 1) * sizeof *g->attributes);
		g->attributes[at] = (struct grant_attribute){xstrdup(key), xstrdup(value)};
		g->n_attributes++;
	}
}

static bool or_default(enum grant_tri v, bool by_default)
{
	return v == GRANT_UNSET ? by_default : v == GRANT_YES;
}

bool grants_can_publish(const struct grants *g)
{
	return or_default(g->video.can_publish, true);
}

bool grants_can_subscribe(const struct grants *g)
{
	return or_default(g->video.can_subscribe, true);
}

bool grants_can_publish_data(const struct grants *g)
{
	return or_default(g->video.can_publish_data, grants_can_publish(g));
}

bool grants_can_update_own_metadata(const struct grants *g)
{
	return or_default(g->video.can_update_own_metadata, false);
}

bool grants_can_subscribe_metrics(const struct grants *g)
{
	return or_default(g->video.can_subscribe_metrics, false);
}

bool grants_can_manage_agent_session(const struct grants *g)
{
	return or_default(g->video.can_manage_agent_session, false);
}

bool grants_can_publish_source(const struct grants *g, Livekit__TrackSource source)
{
	if (!grants_can_publish(g))
		return false;
	if (g->video.can_publish_sources == 0)
		return true;
	unsigned bit = (unsigned)source;
	return bit < 31 && (g->video.can_publish_sources >> bit & 1);
}

const char *grants_source_name(Livekit__TrackSource source)
{
	for (size_t i = 0; i < ARRAY_LEN(sources); i++)
		if (sources[i].source == source)
			return sources[i].name;
	return NULL;
}

uint32_t grants_source_bit(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(sources); i++)
		if (!strcmp(sources[i].name, name))
			return UINT32_C(1) << sources[i].source;
	return GRANT_SOURCES_LIMITED;
}

/* A list that allows no source we know is not an empty list: that would allow all. */
static void sources_to_permission(uint32_t set, Livekit__ParticipantPermission *p)
{
	if (set == 0)
		return;
	p->can_publish_sources = xcalloc(ARRAY_LEN(sources), sizeof *p->can_publish_sources);
	for (size_t i = 0; i < ARRAY_LEN(sources); i++)
		if (set >> sources[i].source & 1)
			p->can_publish_sources[p->n_can_publish_sources++] = sources[i].source;
	if (p->n_can_publish_sources == 0)
		p->can_publish_sources[p->n_can_publish_sources++] = LIVEKIT__TRACK_SOURCE__UNKNOWN;
}

Livekit__ParticipantPermission *grants_to_permission(const struct grants *g)
{
	Livekit__ParticipantPermission *p = XNEW(Livekit__ParticipantPermission);
	livekit__participant_permission__init(p);
	p->has_can_subscribe = p->has_can_publish = p->has_can_publish_data = true;
	p->can_subscribe = grants_can_subscribe(g);
	p->can_publish = grants_can_publish(g);
	p->can_publish_data = grants_can_publish_data(g);
	sources_to_permission(g->video.can_publish_sources, p);
	p->has_hidden = p->has_recorder = p->has_agent = true;
	p->hidden = g->video.hidden;
	p->recorder = g->video.recorder;
	p->agent = g->video.agent;
	p->has_can_update_metadata = p->has_can_subscribe_metrics =
		p->has_can_manage_agent_session = true;
	p->can_update_metadata = grants_can_update_own_metadata(g);
	p->can_subscribe_metrics = grants_can_subscribe_metrics(g);
	p->can_manage_agent_session = grants_can_manage_agent_session(g);
	return p;
}

static enum grant_tri tri(bool v)
{
	return v ? GRANT_YES : GRANT_NO;
}

void grants_from_permission(struct grants *g, const Livekit__ParticipantPermission *p)
{
	struct video_grant *v = &g->video;
	g->has_video = true;
	v->can_publish = tri(p->can_publish);
	v->can_subscribe = tri(p->can_subscribe);
	v->can_publish_data = tri(p->can_publish_data);
	v->can_update_own_metadata = tri(p->can_update_metadata);
	v->can_subscribe_metrics = tri(p->can_subscribe_metrics);
	v->can_manage_agent_session = tri(p->can_manage_agent_session);
	v->hidden = p->hidden;
	v->can_publish_sources = 0;
	for (size_t i = 0; i < p->n_can_publish_sources; i++) {
		const char *name = grants_source_name(p->can_publish_sources[i]);
		v->can_publish_sources |= name ? grants_source_bit(name) : GRANT_SOURCES_LIMITED;
	}
}
