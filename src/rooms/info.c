#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/metric.h"
#include "rooms/rooms_internal.h"

size_t info_codecs(uint32_t enabled, Livekit__Codec *codecs, Livekit__Codec **ptrs)
{
	/* Browsers take the first video codec as the preferred one: video first, VP8 before the others. */
	static const enum jsep_codec order[] = {JSEP_VP8, JSEP_H264_CB_PM1, JSEP_VP9_P0, JSEP_AV1,
		JSEP_H265, JSEP_OPUS, JSEP_RED, JSEP_PCMU, JSEP_PCMA};
	size_t n = 0;
	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		if (!(enabled & JSEP_CODEC_BIT(order[i])))
			continue;
		livekit__codec__init(&codecs[n]);
		codecs[n].mime = (char *)jsep_codecs[order[i]].mime;
		codecs[n].fmtp_line = (char *)"";
		ptrs[n] = &codecs[n];
		n++;
	}
	return n;
}

void info_room(const struct room *room, struct info_room *out)
{
	const struct rooms_cfg *cfg = &room->rooms->cfg;
	Livekit__Room *m = &out->msg;
	livekit__room__init(m);
	m->sid = (char *)room->sid;
	m->name = room->name;
	m->metadata = (char *)"";
	PB_SET(m, empty_timeout, (uint32_t)(cfg->empty_timeout_us / US_PER_S));
	PB_SET(m, departure_timeout, (uint32_t)(cfg->departure_timeout_us / US_PER_S));
	PB_SET(m, max_participants, cfg->max_participants);
	PB_SET(m, creation_time, (int64_t)(room->created_wall_us / US_PER_S));
	PB_SET(m, creation_time_ms, (int64_t)(room->created_wall_us / US_PER_MS));
	uint32_t participants = 0, publishers = 0;
	list_for_each(node, &room->participants) {
		const struct participant *p = list_entry(node, struct participant, node);
		participants += !p->is_dependent;
		publishers += !list_empty(&p->tracks);
	}
	PB_SET(m, num_participants, participants);
	PB_SET(m, num_publishers, publishers);
	m->n_enabled_codecs = info_codecs(cfg->enabled_codecs, out->codecs, out->codec_ptrs);
	m->enabled_codecs = out->codec_ptrs;
}

static void set_str(char **field, const char *value)
{
	xfree(*field);
	*field = xstrdup(value ? value : "");
}

static void set_attributes(Livekit__ParticipantInfo *info, const struct grants *g)
{
	for (size_t i = 0; i < info->n_attributes; i++)
		pb_free(info->attributes[i]);
	xfree(info->attributes);
	info->n_attributes = g->n_attributes;
	info->attributes = xcalloc(g->n_attributes, sizeof(void *));
	for (size_t i = 0; i < g->n_attributes; i++) {
		Livekit__ParticipantInfo__AttributesEntry *e =
			XNEW(Livekit__ParticipantInfo__AttributesEntry);
		livekit__participant_info__attributes_entry__init(e);
		e->key = xstrdup(g->attributes[i].key);
		e->value = xstrdup(g->attributes[i].value);
		info->attributes[i] = e;
	}
}

void info_set_grants(struct participant *p)
{
	Livekit__ParticipantInfo *info = p->info;
	set_str(&info->name, p->grants->name);
	set_str(&info->metadata, p->grants->metadata);
	set_attributes(info, p->grants);
	pb_free(info->permission);
	info->permission = grants_to_permission(p->grants);
}

Livekit__ParticipantInfo *info_participant_new(
	const struct participant *p, const Livekit__ClientInfo *client)
{
	Livekit__ParticipantInfo *info = XNEW(Livekit__ParticipantInfo);
	livekit__participant_info__init(info);
	uint64_t wall_us = clock_wall_us();
	info->sid = xstrdup(p->sid);
	info->identity = xstrdup(p->grants->identity);
	info->region = xstrdup(p->room->rooms->cfg.region);
	PB_SET(info, state, LIVEKIT__PARTICIPANT_INFO__STATE__JOINING);
	PB_SET(info, joined_at, (int64_t)(wall_us / US_PER_S));
	PB_SET(info, joined_at_ms, (int64_t)(wall_us / US_PER_MS));
	PB_SET(info, kind, p->grants->kind);
	PB_SET(info, is_publisher, 0);
	PB_SET(info, version, 0);
	for (unsigned i = 0; i < 32; i++)
		info->n_kind_details += p->grants->kind_details >> i & 1;
	info->kind_details = xcalloc(info->n_kind_details, sizeof *info->kind_details);
	for (unsigned i = 0, n = 0; i < 32; i++)
		if (p->grants->kind_details >> i & 1)
			info->kind_details[n++] = (Livekit__ParticipantInfo__KindDetail)i;
	if (client) {
		PB_SET(info, client_protocol, client->client_protocol);
		info->n_capabilities = client->n_capabilities;
		info->capabilities = xmemdup(client->capabilities,
			client->n_capabilities * sizeof *client->capabilities);
	}
	return info;
}

Livekit__ParticipantInfo *info_participant(struct participant *p)
{
	Livekit__ParticipantInfo *info = p->info;
	size_t n = 0;
	list_for_each(node, &p->tracks)
		n++;
	xfree(info->tracks);
	info->tracks = xcalloc(n, sizeof(void *));
	info->n_tracks = 0;
	list_for_each(node, &p->tracks)
		info->tracks[info->n_tracks++] = list_entry(node, struct track, node)->info;
	PB_SET(info, is_publisher, n > 0);
	return info;
}

void info_participant_free(struct participant *p)
{
	xfree(p->info->tracks); /* the tracks own their infos */
	p->info->tracks = NULL;
	p->info->n_tracks = 0;
	pb_free(p->info);
}

/* ------------------------------------------------------------------ tracks */

static int by_quality(const void *a, const void *b)
{
	const Livekit__VideoLayer *x = *(Livekit__VideoLayer *const *)a,
				  *y = *(Livekit__VideoLayer *const *)b;
	return (int)x->quality - (int)y->quality;
}

static Livekit__VideoLayer **copy_layers(Livekit__VideoLayer *const *layers, size_t n)
{
	Livekit__VideoLayer **copy = xcalloc(n, sizeof(void *));
	for (size_t i = 0; i < n; i++)
		copy[i] = pb_copy(layers[i]);
	qsort(copy, n, sizeof(void *), by_quality);
	return copy;
}

/* Track sids tell their kind: TR_V or TR_A, and the source's letter. */
static void draw_track_sid(char sid[ID_CAP], const Livekit__AddTrackRequest *req)
{
	static const char sources[] = {
		[LIVEKIT__TRACK_SOURCE__CAMERA] = 'C',
		[LIVEKIT__TRACK_SOURCE__MICROPHONE] = 'M',
		[LIVEKIT__TRACK_SOURCE__SCREEN_SHARE] = 'S',
		[LIVEKIT__TRACK_SOURCE__SCREEN_SHARE_AUDIO] = 's',
	};
	char prefix[] = "TR_Vx";
	prefix[3] = req->type == LIVEKIT__TRACK_TYPE__AUDIO ? 'A' : 'V';
	bool known = (size_t)req->source < ARRAY_LEN(sources) && sources[req->source];
	prefix[4] = known ? sources[req->source] : 0;
	rng_id(sid, prefix);
}

/* The stream a track belongs to for playback in step: camera with microphone, screen with its sound. */
static const char *default_stream(Livekit__TrackSource source)
{
	switch (source) {
	case LIVEKIT__TRACK_SOURCE__CAMERA:
	case LIVEKIT__TRACK_SOURCE__MICROPHONE: return "camera";
	case LIVEKIT__TRACK_SOURCE__SCREEN_SHARE:
	case LIVEKIT__TRACK_SOURCE__SCREEN_SHARE_AUDIO: return "screen";
	default: return "unknown";
	}
}

static Livekit__SimulcastCodecInfo *codec_info(
	const Livekit__AddTrackRequest *req, const char *mime)
{
	Livekit__SimulcastCodecInfo *c = XNEW(Livekit__SimulcastCodecInfo);
	livekit__simulcast_codec_info__init(c);
	c->mime_type = xstrdup(mime);
	c->mid = xstrdup("");
	c->cid = xstrdup(pb_str(req->cid));
	c->n_layers = req->n_layers;
	c->layers = copy_layers(req->layers, req->n_layers);
	PB_SET(c, video_layer_mode, LIVEKIT__VIDEO_LAYER__MODE__ONE_SPATIAL_LAYER_PER_STREAM);
	return c;
}

Livekit__TrackInfo *info_track_new(const Livekit__AddTrackRequest *req)
{
	bool is_audio = req->type == LIVEKIT__TRACK_TYPE__AUDIO;
	const char *mime = is_audio ? "audio/opus" : "video/VP8";
	Livekit__TrackInfo *t = XNEW(Livekit__TrackInfo);
	livekit__track_info__init(t);
	char sid[ID_CAP];
	draw_track_sid(sid, req);
	t->sid = xstrdup(sid);
	t->name = xstrdup(pb_str(req->name));
	t->mime_type = xstrdup(mime);
	t->mid = xstrdup("");
	t->stream =
		xstrdup(req->stream && req->stream[0] ? req->stream : default_stream(req->source));
	PB_SET(t, type, req->type);
	PB_SET(t, source, req->source);
	PB_SET(t, muted, req->muted);
	PB_SET(t, width, req->width);
	PB_SET(t, height, req->height);
	PB_SET(t, disable_dtx, req->disable_dtx);
	PB_SET(t, stereo, req->stereo);
	PB_SET(t, disable_red, req->disable_red);
	PB_SET(t, encryption, req->encryption);
	PB_SET(t, backup_codec_policy, req->backup_codec_policy);
	PB_SET(t, simulcast, !is_audio && req->n_layers > 1);
	t->n_layers = req->n_layers;
	t->layers = copy_layers(req->layers, req->n_layers);
	t->n_audio_features = req->n_audio_features;
	t->audio_features =
		xmemdup(req->audio_features, req->n_audio_features * sizeof *req->audio_features);
	if (!is_audio) {
		t->n_codecs = 1;
		t->codecs = xcalloc(1, sizeof(void *));
		t->codecs[0] = codec_info(req, mime);
	}
	return t;
}

/* ------------------------------------------------------------------ sending */

void participant_send(struct participant *p, const Livekit__SignalResponse *response)
{
	enum { RESPONSE_MAX = 16 << 20 };
	if (!p->conn)
		return;
	struct buf b;
	buf_init(&b, RESPONSE_MAX);
	if (pb_encode(response, &b) == 0) {
		p->room->rooms->ops->send(p->room->rooms->arg, &p->conn, 1, buf_slice(&b));
	}
	buf_free(&b);
}
