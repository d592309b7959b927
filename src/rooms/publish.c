#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "rooms/rooms_internal.h"

/* ------------------------------------------------------------------ dynacast */

static void codec_name(const struct track *t, char *out, size_t cap)
{
	const char *slash = strchr(uptrack_codec(t->up)->mime, '/');
	snprintf(out, cap, "%s", slash ? slash + 1 : "");
	for (char *c = out; *c; c++)
		*c = (char)tolower((unsigned char)*c);
}

/* Tells the publisher which qualities anybody watches. */
static void send_qualities(struct track *t)
{
	enum { QUALITIES = 3 };
	struct participant *p = t->publisher;
	Livekit__SubscribedQuality q[QUALITIES], *ptrs[QUALITIES];
	unsigned n_layers = uptrack_layer_count(t->up);
	const struct layer_info *layers = uptrack_layers(t->up);
	int highest = t->wanted == LAYER_NONE
			      ? LAYER_NONE
			      : (int)layers[MIN((unsigned)t->wanted, n_layers - 1)].quality;
	if (n_layers == 1 && t->wanted != LAYER_NONE)
		highest = QUALITY_HIGH;
	for (int i = 0; i < QUALITIES; i++) {
		livekit__subscribed_quality__init(&q[i]);
		PB_SET(&q[i], quality, (Livekit__VideoQuality)i);
		PB_SET(&q[i], enabled, i <= highest);
		ptrs[i] = &q[i];
	}
	char name[16]; /* "vp8" of "video/VP8" */
	codec_name(t, name, sizeof name);
	Livekit__SubscribedCodec codec = LIVEKIT__SUBSCRIBED_CODEC__INIT, *codecs[] = {&codec};
	codec.codec = name;
	codec.n_qualities = QUALITIES;
	codec.qualities = ptrs;
	Livekit__SubscribedQualityUpdate update = LIVEKIT__SUBSCRIBED_QUALITY_UPDATE__INIT;
	update.track_sid = t->info->sid;
	update.n_subscribed_qualities = QUALITIES;
	update.subscribed_qualities = ptrs;
	update.n_subscribed_codecs = 1;
	update.subscribed_codecs = codecs;
	Livekit__SignalResponse res = LIVEKIT__SIGNAL_RESPONSE__INIT;
	res.message_case = LIVEKIT__SIGNAL_RESPONSE__MESSAGE_SUBSCRIBED_QUALITY_UPDATE;
	res.subscribed_quality_update = &update;
	participant_send(p, &res);
	t->told_quality = t->wanted;
}

static void on_downgrade(void *arg, uint64_t now_us)
{
	struct track *t = arg;
	(void)now_us;
	if (t->wanted != t->told_quality)
		send_qualities(t);
}

/* More is wanted: at once, somebody waits for it. Less: only when it stays so for a while. */
static void on_wanted_changed(void *arg, int layer)
{
	struct track *t = arg;
	struct rooms *r = t->publisher->room->rooms;
	t->wanted = layer;
	if (t->info->type != LIVEKIT__TRACK_TYPE__VIDEO || !t->up)
		return;
	if (layer > t->told_quality) {
		wheel_del(&r->worker->wheel, &t->downgrade);
		send_qualities(t);
	} else if (layer < t->told_quality) {
		wheel_set(
			&r->worker->wheel, &t->downgrade, rooms_now(r) + r->cfg.dynacast_pause_us);
	}
}

static void on_layers_changed(void *arg)
{
	(void)arg; /* the downtracks have followed already */
}

static const struct uptrack_ops uptrack_ops = {on_layers_changed, on_wanted_changed};

/* ------------------------------------------------------------------ requests */

void pending_free(struct pending_track *pending)
{
	list_del(&pending->node);
	pb_free(pending->req);
	pb_free(pending->info);
	xfree(pending);
}

static void refuse_track(struct participant *p, const Livekit__AddTrackRequest *req,
	Livekit__RequestResponse__Reason reason, const char *text)
{
	Livekit__RequestResponse answer = LIVEKIT__REQUEST_RESPONSE__INIT;
	PB_SET(&answer, reason, reason);
	answer.message = (char *)text;
	answer.request_case = LIVEKIT__REQUEST_RESPONSE__REQUEST_ADD_TRACK;
	answer.add_track = (Livekit__AddTrackRequest *)req;
	Livekit__SignalResponse res = LIVEKIT__SIGNAL_RESPONSE__INIT;
	res.message_case = LIVEKIT__SIGNAL_RESPONSE__MESSAGE_REQUEST_RESPONSE;
	res.request_response = &answer;
	participant_send(p, &res);
}

static void send_published(struct participant *p, const char *cid, Livekit__TrackInfo *info)
{
	Livekit__TrackPublishedResponse published = LIVEKIT__TRACK_PUBLISHED_RESPONSE__INIT;
	published.cid = (char *)cid;
	published.track = info;
	Livekit__SignalResponse res = LIVEKIT__SIGNAL_RESPONSE__INIT;
	res.message_case = LIVEKIT__SIGNAL_RESPONSE__MESSAGE_TRACK_PUBLISHED;
	res.track_published = &published;
	participant_send(p, &res);
}

static bool is_short(const char *text)
{
	return strlen(pb_str(text)) <= TRACK_TEXT_MAX;
}

/* What is repeated to everybody in the room must be of a sane size. */
static bool is_sane(const Livekit__AddTrackRequest *req)
{
	return is_short(req->cid) && is_short(req->name) && is_short(req->stream) &&
	       req->n_layers <= TRACK_FEATURES_MAX &&
	       req->n_simulcast_codecs <= TRACK_FEATURES_MAX &&
	       req->n_audio_features <= TRACK_FEATURES_MAX;
}

/* How a request is refused; OK if it is not. */
static Livekit__RequestResponse__Reason check_request(
	const struct participant *p, const Livekit__AddTrackRequest *req, const char **why)
{
	size_t n = 0, n_queued = 0;
	list_for_each(node, &p->pending) {
		const struct pending_track *pending = list_entry(node, struct pending_track, node);
		n++;
		n_queued += pending->is_queued &&
			    strcmp(pb_str(pending->req->cid), pb_str(req->cid)) == 0;
	}
	*why = "does not have permission to publish this source";
	if (!grants_can_publish_source(p->grants, req->source))
		return LIVEKIT__REQUEST_RESPONSE__REASON__NOT_ALLOWED;
	*why = "track type is neither audio nor video";
	if (req->type != LIVEKIT__TRACK_TYPE__AUDIO && req->type != LIVEKIT__TRACK_TYPE__VIDEO)
		return LIVEKIT__REQUEST_RESPONSE__REASON__UNSUPPORTED_TYPE;
	*why = publish_find(p, pb_str(req->sid)) ? "backup codecs are not supported"
						 : "no track with this sid";
	if (pb_str(req->sid)[0])
		return LIVEKIT__REQUEST_RESPONSE__REASON__NOT_FOUND;
	*why = "too many tracks wait to be published";
	if (n >= PENDING_TRACKS_MAX || n_queued >= QUEUED_PER_CID_MAX)
		return LIVEKIT__REQUEST_RESPONSE__REASON__LIMIT_EXCEEDED;
	*why = "a text or list of the request is too long";
	return is_sane(req) ? LIVEKIT__REQUEST_RESPONSE__REASON__OK
			    : LIVEKIT__REQUEST_RESPONSE__REASON__LIMIT_EXCEEDED;
}

static bool is_cid_taken(const struct participant *p, const char *cid)
{
	list_for_each(node, &p->tracks)
		if (strcmp(list_entry(node, struct track, node)->cid, cid) == 0)
			return true;
	list_for_each(node, &p->pending)
		if (strcmp(pb_str(list_entry(node, struct pending_track, node)->req->cid), cid) ==
			0)
			return true;
	return false;
}

/* The published track of this cid is gone: the next request with it gets its turn. */
static void take_from_queue(struct participant *p, const char *cid)
{
	list_for_each(node, &p->pending) {
		struct pending_track *pending = list_entry(node, struct pending_track, node);
		if (!pending->is_queued || strcmp(pb_str(pending->req->cid), cid) != 0)
			continue;
		pending->is_queued = false;
		send_published(p, cid, pending->info);
		return;
	}
}

void participant_add_track(struct participant *p, const Livekit__AddTrackRequest *req)
{
	const char *why;
	Livekit__RequestResponse__Reason reason = check_request(p, req, &why);
	if (reason != LIVEKIT__REQUEST_RESPONSE__REASON__OK) {
		refuse_track(p, req, reason, why);
		return;
	}
	struct pending_track *pending = XNEW(struct pending_track);
	pending->is_queued = is_cid_taken(p, pb_str(req->cid));
	pending->req = pb_copy(req);
	pending->info = info_track_new(req);
	list_push(&p->pending, &pending->node);
	if (pending->is_queued) {
		refuse_track(p, req, LIVEKIT__REQUEST_RESPONSE__REASON__QUEUED,
			"a track with this cid is published; this one follows it");
		return;
	}
	send_published(p, pb_str(req->cid), pending->info);
	if (p->publisher && jsep_remote(p->publisher->jsep))
		publish_sync(p, p->publisher); /* its section may be there already */
}

struct track *publish_find(const struct participant *p, const char *sid)
{
	list_for_each(node, &p->tracks) {
		struct track *t = list_entry(node, struct track, node);
		if (strcmp(t->info->sid, sid) == 0)
			return t;
	}
	return NULL;
}

void participant_mute(struct participant *p, const Livekit__MuteTrackRequest *req)
{
	struct track *t = publish_find(p, pb_str(req->sid));
	if (!t) {
		/* A track may be muted before its first packet, even before it is negotiated. */
		list_for_each(node, &p->pending) {
			struct pending_track *pending =
				list_entry(node, struct pending_track, node);
			if (strcmp(pending->info->sid, pb_str(req->sid)) == 0) {
				PB_SET(pending->info, muted, req->muted);
				return;
			}
		}
		Livekit__RequestResponse answer = LIVEKIT__REQUEST_RESPONSE__INIT;
		PB_SET(&answer, reason, LIVEKIT__REQUEST_RESPONSE__REASON__NOT_FOUND);
		answer.message = (char *)"no track with this sid";
		answer.request_case = LIVEKIT__REQUEST_RESPONSE__REQUEST_MUTE;
		answer.mute = (Livekit__MuteTrackRequest *)req;
		Livekit__SignalResponse res = LIVEKIT__SIGNAL_RESPONSE__INIT;
		res.message_case = LIVEKIT__SIGNAL_RESPONSE__MESSAGE_REQUEST_RESPONSE;
		res.request_response = &answer;
		participant_send(p, &res);
		return;
	}
	if (t->info->muted == req->muted)
		return;
	PB_SET(t->info, muted, req->muted);
	uptrack_set_muted(t->up, req->muted);
	room_broadcast(p, true);
}

void participant_update_audio_track(
	struct participant *p, const Livekit__UpdateLocalAudioTrack *req)
{
	struct track *t = publish_find(p, pb_str(req->track_sid));
	if (!t || req->n_features > TRACK_FEATURES_MAX)
		return;
	xfree(t->info->audio_features);
	t->info->n_audio_features = req->n_features;
	t->info->audio_features = xmemdup(req->features, req->n_features * sizeof *req->features);
	room_broadcast(p, true);
}

void participant_update_video_track(
	struct participant *p, const Livekit__UpdateLocalVideoTrack *req)
{
	struct track *t = publish_find(p, pb_str(req->track_sid));
	if (!t)
		return;
	PB_SET(t->info, width, req->width);
	PB_SET(t->info, height, req->height);
	room_broadcast(p, true);
}

/* ------------------------------------------------------------------ sections and tracks */

static bool is_sending(const struct jsep_section *s)
{
	bool sends = s->remote_direction == SDP_SENDONLY || s->remote_direction == SDP_SENDRECV;
	return sends && !s->is_rejected && s->n_codecs > 0 && s->kind != SDP_KIND_APPLICATION;
}

static struct track *by_section(const struct participant *p, uint16_t index)
{
	list_for_each(node, &p->tracks) {
		struct track *t = list_entry(node, struct track, node);
		if (t->section == index)
			return t;
	}
	return NULL;
}

static bool has_codec_cid(const Livekit__AddTrackRequest *req, const char *cid)
{
	for (size_t i = 0; i < req->n_simulcast_codecs; i++)
		if (strcmp(pb_str(req->simulcast_codecs[i]->cid), cid) == 0)
			return true;
	return false;
}

static bool names(const struct jsep_section *s, const Livekit__AddTrackRequest *req)
{
	return s->track_id && (strcmp(pb_str(req->cid), s->track_id) == 0 ||
				      has_codec_cid(req, s->track_id));
}

/* Some section of the description names the request: no other one may fulfil it. */
static bool is_named(const struct peer *peer, const Livekit__AddTrackRequest *req)
{
	for (size_t i = 0; i < jsep_section_count(peer->jsep); i++) {
		const struct jsep_section *s = jsep_section_at(peer->jsep, i);
		if (is_sending(s) && names(s, req))
			return true;
	}
	return false;
}

/* The request that a section fulfils: by track id, by a codec's id, else the oldest of its kind. */
static struct pending_track *match(
	const struct participant *p, const struct peer *peer, const struct jsep_section *s)
{
	Livekit__TrackType type =
		s->kind == SDP_KIND_AUDIO ? LIVEKIT__TRACK_TYPE__AUDIO : LIVEKIT__TRACK_TYPE__VIDEO;
	struct pending_track *oldest = NULL;
	list_for_each(node, &p->pending) {
		struct pending_track *pending = list_entry(node, struct pending_track, node);
		if (pending->req->type != type || pending->is_queued)
			continue;
		if (names(s, pending->req))
			return pending;
		if (!oldest && !is_named(peer, pending->req))
			oldest = pending;
	}
	return oldest;
}

static bool has_feature(const Livekit__AddTrackRequest *req, Livekit__AudioTrackFeature feature)
{
	for (size_t i = 0; i < req->n_audio_features; i++)
		if (req->audio_features[i] == feature)
			return true;
	return false;
}

void publish_prefer(struct participant *p, struct peer *peer)
{
	for (size_t i = 0; i < jsep_section_count(peer->jsep); i++) {
		const struct jsep_section *s = jsep_section_at(peer->jsep, i);
		if (!is_sending(s) || by_section(p, s->index))
			continue;
		const struct pending_track *pending = match(p, peer, s);
		if (!pending)
			continue;
		const Livekit__AddTrackRequest *req = pending->req;
		struct jsep_recv recv = {
			.no_dtx = req->disable_dtx ||
				  has_feature(req, LIVEKIT__AUDIO_TRACK_FEATURE__TF_NO_DTX),
			.is_stereo = req->stereo ||
				     has_feature(req, LIVEKIT__AUDIO_TRACK_FEATURE__TF_STEREO),
		};
		jsep_section_recv(peer->jsep, i, &recv);
	}
}

/* Simulcast streams from low to high: q, h, f as LiveKit's SDKs name them, or numbers, else in the order described. */
static int rid_rank(const char *rid)
{
	static const char *const names[][2] = {{"q", "0"}, {"h", "1"}, {"f", "2"}};
	for (int i = 0; i < (int)ARRAY_LEN(names); i++)
		if (strcmp(rid, names[i][0]) == 0 || strcmp(rid, names[i][1]) == 0)
			return i;
	return -1;
}

static void describe_layer(struct uptrack_layer_cfg *layer, const Livekit__AddTrackRequest *req,
	enum layer_quality quality)
{
	layer->quality = quality;
	for (size_t i = 0; i < req->n_layers; i++) {
		if ((int)req->layers[i]->quality == (int)quality) {
			layer->width = req->layers[i]->width;
			layer->height = req->layers[i]->height;
		}
	}
	if (!layer->width && quality == QUALITY_HIGH) {
		layer->width = req->width;
		layer->height = req->height;
	}
}

/* The quality of layer i of n: as the publisher declared them, else spread downwards from HIGH. */
static enum layer_quality quality_of(const struct pending_track *pending, unsigned i, unsigned n)
{
	const Livekit__TrackInfo *info = pending->info;
	if (info->n_layers == n && info->layers[i]->quality <= LIVEKIT__VIDEO_QUALITY__HIGH)
		return (enum layer_quality)info->layers[i]->quality;
	return (enum layer_quality)(QUALITY_HIGH + 1 - (int)n + (int)i);
}

static void describe_rids(struct uptrack_cfg *cfg, const struct jsep_section *s)
{
	cfg->n_layers = MIN((unsigned)s->n_rids, (unsigned)LAYERS_MAX);
	bool taken[LAYERS_MAX] = {false};
	for (unsigned i = 0; i < cfg->n_layers; i++) {
		/* Its place among the rids present: how many rank below it. */
		unsigned at = 0;
		for (unsigned k = 0; k < cfg->n_layers; k++)
			at += rid_rank(s->rids[k].id) < rid_rank(s->rids[i].id);
		while (taken[at % LAYERS_MAX])
			at++;
		at %= LAYERS_MAX;
		taken[at] = true;
		snprintf(cfg->layers[at].rid, sizeof cfg->layers[at].rid, "%s", s->rids[i].id);
	}
}

static void describe_ssrcs(struct uptrack_cfg *cfg, const struct jsep_section *s)
{
	cfg->n_layers = CLAMP((unsigned)s->n_ssrcs, 1U, (unsigned)LAYERS_MAX);
	for (unsigned i = 0; i < cfg->n_layers && i < s->n_ssrcs; i++) {
		cfg->layers[i].ssrc = s->ssrcs[i].ssrc;
		cfg->layers[i].rtx_ssrc = s->ssrcs[i].rtx_ssrc;
	}
}

static struct uptrack *start_uptrack(struct track *t, struct peer *peer,
	const struct jsep_section *s, const struct pending_track *pending)
{
	const struct rooms_cfg *rooms = &t->publisher->room->rooms->cfg;
	const struct jsep_negotiated *codec = &s->codecs[0];
	struct uptrack_cfg cfg = {
		.codec = rtp_codec_find(slice_str(jsep_codecs[codec->codec].mime)),
		.payload_type = codec->pt,
		.rtx_payload_type = codec->rtx_pt,
		.has_nack = codec->feedback & JSEP_FB_NACK,
		.active_level = (uint8_t)MIN(rooms->speaker_active_level, 127U),
		.is_screen = t->info->source == LIVEKIT__TRACK_SOURCE__SCREEN_SHARE,
		.buffer_packets = s->kind == SDP_KIND_VIDEO ? rooms->buffer_packets_video
							    : rooms->buffer_packets_audio,
		.ops = &uptrack_ops,
		.arg = t,
	};
	if (!cfg.codec)
		return NULL;
	memcpy(cfg.pli_throttle_us, rooms->pli_throttle_us, sizeof cfg.pli_throttle_us);
	snprintf(cfg.mid, sizeof cfg.mid, "%.16s", s->mid);
	if (s->n_rids)
		describe_rids(&cfg, s);
	else
		describe_ssrcs(&cfg, s);
	for (unsigned i = 0; i < cfg.n_layers; i++)
		describe_layer(&cfg.layers[i], pending->req, quality_of(pending, i, cfg.n_layers));
	return uptrack_new(peer->receiver, &cfg);
}

static void set_str(char **field, const char *value)
{
	xfree(*field);
	*field = xstrdup(value);
}

static void track_start(struct participant *p, struct peer *peer, const struct jsep_section *s,
	struct pending_track *pending)
{
	struct rooms *r = p->room->rooms;
	struct track *t = XNEW(struct track);
	t->publisher = p;
	t->section = s->index;
	t->wanted = LAYER_NONE;
	t->told_quality = LAYERS_MAX - 1; /* until told otherwise the publisher sends all it has */
	list_init(&t->subscriptions);
	timer_init(&t->downgrade, on_downgrade, t);
	t->info = pending->info;
	t->cid = xstrdup(pb_str(pending->req->cid));
	t->msid_track = s->track_id ? xstrdup(s->track_id) : NULL;
	t->up = start_uptrack(t, peer, s, pending);
	if (!t->up) {
		LOG_WARN("track without a codec we forward", F_STR("identity", p->grants->identity));
		xfree(t->msid_track);
		xfree(t->cid);
		xfree(t);
		return;
	}
	uptrack_set_muted(t->up, t->info->muted);
	set_str(&t->info->mid, s->mid);
	for (size_t i = 0; i < t->info->n_codecs; i++)
		set_str(&t->info->codecs[i]->mid, s->mid);
	pending->info = NULL;
	pending_free(pending);
	list_push(&p->tracks, &t->node);
	LOG_INFO("track published", F_STR("room", p->room->name),
		F_STR("identity", p->grants->identity), F_STR("track", t->info->sid),
		F_STR("mime", t->info->mime_type), F_UINT("layers", uptrack_layer_count(t->up)));
	/* A track that nobody takes is switched off after the pause, too. */
	if (t->info->type == LIVEKIT__TRACK_TYPE__VIDEO)
		wheel_set(
			&r->worker->wheel, &t->downgrade, rooms_now(r) + r->cfg.dynacast_pause_us);
	room_broadcast(p, true);
	subscribe_all_to(t);
}

void publish_remove(struct track *t)
{
	struct participant *p = t->publisher;
	while (!list_empty(&t->subscriptions))
		subscription_free(list_first(&t->subscriptions, struct subscription, by_track));
	wheel_del(&p->room->rooms->worker->wheel, &t->downgrade);
	list_del(&t->node);
	LOG_INFO("track unpublished", F_STR("room", p->room->name), F_STR("identity", p->grants->identity),
		F_STR("track", t->info->sid));
	uptrack_free(t->up);
	if (!p->is_leaving)
		take_from_queue(p, t->cid);
	pb_free(t->info);
	xfree(t->msid_track);
	xfree(t->cid);
	xfree(t);
}

void publish_remove_all(struct participant *p)
{
	while (!list_empty(&p->tracks))
		publish_remove(list_first(&p->tracks, struct track, node));
	while (!list_empty(&p->pending))
		pending_free(list_first(&p->pending, struct pending_track, node));
}

/* The section carries another track than before, one that was announced: the client put it in the old one's place. */
static bool is_replaced(const struct track *t, const struct jsep_section *s)
{
	if (!s->track_id || !t->msid_track || strcmp(s->track_id, t->msid_track) == 0)
		return false;
	list_for_each(node, &t->publisher->pending)
		if (names(s, list_entry(node, struct pending_track, node)->req))
			return true;
	return false;
}

/* Sections that stopped sending take their tracks with them, before new ones appear. */
static bool remove_stopped(struct participant *p, struct peer *peer)
{
	bool any = false;
	list_for_each_safe(node, &p->tracks) {
		struct track *t = list_entry(node, struct track, node);
		const struct jsep_section *s = jsep_section_at(peer->jsep, t->section);
		if (s && is_sending(s) && !is_replaced(t, s))
			continue;
		publish_remove(t);
		any = true;
	}
	return any;
}

void publish_sync(struct participant *p, struct peer *peer)
{
	if (remove_stopped(p, peer))
		room_broadcast(p, true);
	for (size_t i = 0; i < jsep_section_count(peer->jsep); i++) {
		const struct jsep_section *s = jsep_section_at(peer->jsep, i);
		struct pending_track *pending;
		if (is_sending(s) && !by_section(p, s->index) && (pending = match(p, peer, s)))
			track_start(p, peer, s, pending);
	}
}
