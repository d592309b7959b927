#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "rooms/rooms_internal.h"

enum { TRACK_NOTFOUND_US = 60 * 1000 * 1000 };

struct track *subscribe_find_track(struct room *room, const char *sid)
{
	list_for_each(node, &room->participants) {
		struct track *t = publish_find(list_entry(node, struct participant, node), sid);
		if (t)
			return t;
	}
	return NULL;
}

static struct subscription *find(const struct participant *p, const struct track *t)
{
	list_for_each(node, &p->subscriptions) {
		struct subscription *sub = list_entry(node, struct subscription, by_participant);
		if (sub->track == t)
			return sub;
	}
	return NULL;
}

static void refuse(struct participant *p, const char *sid, Livekit__SubscriptionError reason)
{
	Livekit__SubscriptionResponse err = LIVEKIT__SUBSCRIPTION_RESPONSE__INIT;
	err.track_sid = (char *)sid;
	PB_SET(&err, err, reason);
	Livekit__SignalResponse res = LIVEKIT__SIGNAL_RESPONSE__INIT;
	res.message_case = LIVEKIT__SIGNAL_RESPONSE__MESSAGE_SUBSCRIPTION_RESPONSE;
	res.subscription_response = &err;
	participant_send(p, &res);
}

bool subscribe_has_any(const struct participant *p, const struct participant *publisher)
{
	list_for_each(node, &p->subscriptions)
		if (list_entry(node, struct subscription, by_participant)->track->publisher ==
			publisher)
			return true;
	return false;
}

/* ------------------------------------------------------------------ sections */

static enum sdp_kind kind_of(const struct track *t)
{
	return t->info->type == LIVEKIT__TRACK_TYPE__AUDIO ? SDP_KIND_AUDIO : SDP_KIND_VIDEO;
}

static enum jsep_codec codec_of(const struct track *t)
{
	for (int i = 0; i < JSEP_CODEC_N; i++)
		if (strcmp(jsep_codecs[i].mime, uptrack_codec(t->up)->mime) == 0)
			return (enum jsep_codec)i;
	return JSEP_CODEC_N;
}

static const struct jsep_section *section_of(const struct subscription *sub)
{
	return jsep_section_at(sub->subscriber->subscriber->jsep, sub->section);
}

/* What was described for this subscription stands in its section still. */
static bool owns_section(const struct subscription *sub)
{
	const struct jsep_section *s = section_of(sub);
	bool was_placed = sub->state != SUB_WAIT_SECTION && sub->state != SUB_OVER_LIMIT;
	return was_placed && s && s->has_send && s->send.ssrc == sub->ssrc;
}

static void stop_forwarding(struct subscription *sub)
{
	downtrack_free(sub->down);
	sub->down = NULL;
}

static bool is_ssrc_used(const struct participant *p, uint32_t ssrc)
{
	list_for_each(node, &p->subscriptions) {
		const struct subscription *sub =
			list_entry(node, struct subscription, by_participant);
		if (sub->ssrc == ssrc || sub->rtx_ssrc == ssrc)
			return true;
	}
	return false;
}

static uint32_t draw_ssrc(const struct participant *p)
{
	uint32_t ssrc;
	do {
		ssrc = rng_u32();
	} while (!ssrc || is_ssrc_used(p, ssrc));
	return ssrc;
}

static void refuse_codec(struct subscription *sub)
{
	struct peer *peer = sub->subscriber->subscriber;
	stop_forwarding(sub);
	if (owns_section(sub)) {
		jsep_section_clear(peer->jsep, sub->section);
		peer_negotiate(peer);
	}
	sub->state = SUB_UNSUPPORTED;
	refuse(sub->subscriber, sub->track->info->sid,
		LIVEKIT__SUBSCRIPTION_ERROR__SE_CODEC_UNSUPPORTED);
}

/* Describes the track in a section: the next description tells the client. */
static void describe(struct subscription *sub, struct peer *peer, uint16_t section)
{
	struct track *t = sub->track;
	char stream[2 * ID_CAP];
	snprintf(stream, sizeof stream, "%s|%s", t->publisher->sid, t->info->sid);
	/* A receiver takes one ssrc for one stream: a section that is described anew gets new ones. */
	sub->ssrc = draw_ssrc(sub->subscriber);
	sub->rtx_ssrc = kind_of(t) == SDP_KIND_VIDEO ? draw_ssrc(sub->subscriber) : 0;
	struct jsep_send send = {
		.stream_id = stream,
		.track_id = t->info->sid,
		.cname = stream,
		.ssrc = sub->ssrc,
		.rtx_ssrc = sub->rtx_ssrc,
		.codecs = JSEP_CODEC_BIT(codec_of(t)),
		.is_stereo = t->info->stereo,
	};
	int err = jsep_section_send(peer->jsep, section, &send);
	if (!err) {
		sub->section = section;
		sub->state = SUB_NEGOTIATING;
		return;
	}
	jsep_section_clear(peer->jsep, section);
	if (err == -ERR_UNSUPPORTED)
		refuse_codec(sub);
}

static void place(struct subscription *sub)
{
	struct peer *peer = sub->subscriber->subscriber;
	enum sdp_kind kind = kind_of(sub->track);
	uint16_t section;
	if (peer->role == JSEP_ROLE_SINGLE) {
		const struct jsep_section *slot = jsep_free_slot(peer->jsep, kind);
		if (slot)
			describe(sub, peer, slot->index);
	} else if (jsep_add_section(peer->jsep, kind, &section) == 0) {
		describe(sub, peer, section);
	}
}

void subscribe_fill_slots(struct peer *peer)
{
	list_for_each(node, &peer->participant->subscriptions) {
		struct subscription *sub = list_entry(node, struct subscription, by_participant);
		if (sub->state == SUB_WAIT_SECTION)
			place(sub);
	}
}

void subscribe_count_waiting(const struct participant *p, uint32_t n[2])
{
	n[0] = n[1] = 0;
	list_for_each(node, &p->subscriptions) {
		const struct subscription *sub =
			list_entry(node, struct subscription, by_participant);
		n[kind_of(sub->track) == SDP_KIND_VIDEO] += sub->state == SUB_WAIT_SECTION;
	}
}

bool subscribe_is_unsettled(const struct participant *p)
{
	list_for_each(node, &p->subscriptions) {
		const struct subscription *sub =
			list_entry(node, struct subscription, by_participant);
		if (sub->state == SUB_WAIT_SECTION || sub->state == SUB_NEGOTIATING)
			return true;
	}
	return false;
}

/* ------------------------------------------------------------------ becoming live */

static void tell_publisher(struct track *t, const struct participant *subscriber)
{
	if (t->subscriber_told || participant_is_hidden(subscriber))
		return;
	t->subscriber_told = true;
	Livekit__TrackSubscribed told = LIVEKIT__TRACK_SUBSCRIBED__INIT;
	told.track_sid = t->info->sid;
	Livekit__SignalResponse res = LIVEKIT__SIGNAL_RESPONSE__INIT;
	res.message_case = LIVEKIT__SIGNAL_RESPONSE__MESSAGE_TRACK_SUBSCRIBED;
	res.track_subscribed = &told;
	participant_send(t->publisher, &res);
}

static const struct jsep_negotiated *common_codec(
	const struct jsep_section *s, enum jsep_codec codec)
{
	for (uint8_t i = 0; i < s->n_codecs; i++)
		if (s->codecs[i].codec == codec)
			return &s->codecs[i];
	return NULL;
}

static void go_live(struct subscription *sub, struct peer *peer)
{
	const struct jsep_section *s = section_of(sub);
	const struct jsep_negotiated *codec = common_codec(s, codec_of(sub->track));
	if (!codec) {
		refuse_codec(sub);
		return;
	}
	struct downtrack_cfg cfg = {
		.ssrc = sub->ssrc,
		.rtx_ssrc = sub->rtx_ssrc,
		.payload_type = codec->pt,
		.rtx_payload_type = codec->rtx_pt,
		.ids = peer_ext_ids(s->ext_id),
		.wish = sub->wish,
	};
	sub->state = SUB_ACTIVE;
	sub->down = downtrack_new(sub->track->up, peer->sender, &cfg);
	peer->repeats = 0;
	if (session_state_now(peer->session) == SESSION_CONNECTED)
		sender_connected(peer->sender, rooms_now(peer->participant->room->rooms));
	tell_publisher(sub->track, sub->subscriber);
}

/*
 * A section as of this round. The client may have agreed to what we describe there; it may also have stopped it, or
 * taken it for a track of its own: then the subscription needs another section.
 */
static void settle(struct subscription *sub, struct peer *peer)
{
	if (sub->state != SUB_NEGOTIATING && sub->state != SUB_ACTIVE)
		return;
	const struct jsep_section *s = section_of(sub);
	bool is_mine = owns_section(sub), is_single = peer->role == JSEP_ROLE_SINGLE;
	if (is_mine && (s->direction & SDP_SENDONLY)) {
		if (sub->state == SUB_NEGOTIATING)
			go_live(sub, peer);
		return;
	}
	stop_forwarding(sub);
	if (!is_single && !is_mine) {
		refuse_codec(sub); /* the client rejected it, or has no codec for it */
	} else if (!is_mine || (is_single && s->remote_direction != SDP_RECVONLY)) {
		if (is_mine)
			jsep_section_clear(peer->jsep, sub->section);
		sub->state = SUB_WAIT_SECTION;
	} else {
		sub->state = SUB_NEGOTIATING;
	}
}

void subscribe_round_done(struct peer *peer)
{
	list_for_each(node, &peer->participant->subscriptions)
		settle(list_entry(node, struct subscription, by_participant), peer);
	uint32_t waiting[2];
	subscribe_count_waiting(peer->participant, waiting);
	/* What was asked for already is on its way. */
	if (waiting[0] > peer->asked[0] || waiting[1] > peer->asked[1])
		peer_negotiate(peer);
}

/* ------------------------------------------------------------------ who gets what */

static uint32_t limit_of(const struct participant *p, enum sdp_kind kind)
{
	const struct rooms_cfg *cfg = &p->room->rooms->cfg;
	return kind == SDP_KIND_AUDIO ? cfg->max_subscriptions_audio : cfg->max_subscriptions_video;
}

static bool is_over_limit(const struct participant *p, enum sdp_kind kind)
{
	uint32_t limit = limit_of(p, kind), n = 0;
	list_for_each(node, &p->subscriptions) {
		const struct subscription *sub =
			list_entry(node, struct subscription, by_participant);
		n += kind_of(sub->track) == kind && sub->state != SUB_OVER_LIMIT &&
			sub->state != SUB_UNSUPPORTED;
	}
	return limit && n >= limit;
}

/* Out of SUB_OVER_LIMIT, or new: it wants a section. */
static void begin(struct subscription *sub)
{
	struct peer *peer = sub->subscriber->subscriber;
	sub->state = SUB_WAIT_SECTION;
	peer->repeats = 0;
	if (peer->role == JSEP_ROLE_SUBSCRIBER || jsep_remote(peer->jsep))
		place(sub);
	peer_negotiate(peer);
}

static void subscribe(struct participant *p, struct track *t)
{
	if (!p->subscriber || p == t->publisher || find(p, t) || !grants_can_subscribe(p->grants))
		return;
	struct subscription *sub = XNEW(struct subscription);
	sub->subscriber = p;
	sub->track = t;
	/* A client with adaptive stream says at once what it shows; until then the smallest will do. */
	sub->wish.quality = p->adaptive_stream ? QUALITY_LOW : QUALITY_HIGH;
	bool is_allowed = !is_over_limit(p, kind_of(t));
	list_push(&p->subscriptions, &sub->by_participant);
	list_push(&t->subscriptions, &sub->by_track);
	if (is_allowed)
		begin(sub);
	else
		LOG_INFO("subscription waits: limit reached", F_STR("room", p->room->name),
			F_STR("identity", p->grants->identity), F_STR("track", t->info->sid));
}

/* One subscription less: the first one that the limit held back takes its place. */
static void begin_held_back(struct participant *p, enum sdp_kind kind)
{
	list_for_each(node, &p->subscriptions) {
		struct subscription *sub = list_entry(node, struct subscription, by_participant);
		if (sub->state != SUB_OVER_LIMIT || kind_of(sub->track) != kind)
			continue;
		if (!is_over_limit(p, kind))
			begin(sub);
		return;
	}
}

void subscription_free(struct subscription *sub)
{
	struct participant *p = sub->subscriber;
	enum sdp_kind kind = kind_of(sub->track);
	stop_forwarding(sub);
	if (!p->is_leaving && owns_section(sub)) {
		jsep_section_clear(p->subscriber->jsep, sub->section);
		peer_negotiate(p->subscriber);
	}
	list_del(&sub->by_participant);
	list_del(&sub->by_track);
	xfree(sub);
	if (!p->is_leaving)
		begin_held_back(p, kind);
}

static struct awaited_track *find_awaited(const struct participant *p, const char *sid)
{
	list_for_each(node, &p->awaited) {
		struct awaited_track *a = list_entry(node, struct awaited_track, node);
		if (strcmp(a->sid, sid) == 0)
			return a;
	}
	return NULL;
}

static void awaited_free(struct awaited_track *a)
{
	list_del(&a->node);
	xfree(a);
}

void subscribe_remove_all(struct participant *p)
{
	while (!list_empty(&p->subscriptions))
		subscription_free(
			list_first(&p->subscriptions, struct subscription, by_participant));
	while (!list_empty(&p->awaited))
		awaited_free(list_first(&p->awaited, struct awaited_track, node));
}

void subscribe_to_all(struct participant *p)
{
	list_for_each(node, &p->room->participants) {
		struct participant *other = list_entry(node, struct participant, node);
		if (other == p || !participant_sees(p, other))
			continue;
		list_for_each(track, &other->tracks)
			subscribe(p, list_entry(track, struct track, node));
	}
}

void subscribe_all_to(struct track *t)
{
	list_for_each(node, &t->publisher->room->participants) {
		struct participant *p = list_entry(node, struct participant, node);
		if (!participant_sees(p, t->publisher))
			continue;
		struct awaited_track *awaited = find_awaited(p, t->info->sid);
		if (p->auto_subscribe || awaited)
			subscribe(p, t);
		if (awaited)
			awaited_free(awaited);
	}
}

/* ------------------------------------------------------------------ requests */

/* Who asks for a track may be quicker than its publisher. */
static void await_track(struct participant *p, const char *sid)
{
	size_t n = 0;
	list_for_each(node, &p->awaited)
		n++;
	if (find_awaited(p, sid))
		return;
	if (n >= AWAITED_TRACKS_MAX || strlen(sid) >= ID_CAP || !grants_can_subscribe(p->grants)) {
		refuse(p, sid, LIVEKIT__SUBSCRIPTION_ERROR__SE_TRACK_NOTFOUND);
		return;
	}
	struct awaited_track *a = XNEW(struct awaited_track);
	a->until_us = rooms_now(p->room->rooms) + TRACK_NOTFOUND_US;
	snprintf(a->sid, sizeof a->sid, "%s", sid);
	list_push(&p->awaited, &a->node);
}

void subscribe_tick(struct participant *p, uint64_t now_us)
{
	list_for_each_safe(node, &p->awaited) {
		struct awaited_track *a = list_entry(node, struct awaited_track, node);
		if (now_us < a->until_us)
			continue;
		refuse(p, a->sid, LIVEKIT__SUBSCRIPTION_ERROR__SE_TRACK_NOTFOUND);
		awaited_free(a);
	}
}

static void change(struct participant *p, const char *sid, bool is_wanted)
{
	struct track *t = subscribe_find_track(p->room, sid);
	struct subscription *sub = t ? find(p, t) : NULL;
	struct awaited_track *awaited = find_awaited(p, sid);
	if (is_wanted && t && participant_sees(p, t->publisher))
		subscribe(p, t);
	else if (is_wanted)
		await_track(p, sid);
	else if (sub)
		subscription_free(sub);
	else if (awaited)
		awaited_free(awaited);
}

void participant_subscription(struct participant *p, const Livekit__UpdateSubscription *req)
{
	for (size_t i = 0; i < req->n_track_sids; i++)
		change(p, req->track_sids[i], req->subscribe);
	for (size_t i = 0; i < req->n_participant_tracks; i++) {
		const Livekit__ParticipantTracks *of = req->participant_tracks[i];
		for (size_t k = 0; k < of->n_track_sids; k++)
			change(p, of->track_sids[k], req->subscribe);
	}
}

void participant_track_setting(struct participant *p, const Livekit__UpdateTrackSettings *req)
{
	for (size_t i = 0; i < req->n_track_sids; i++) {
		struct track *t = subscribe_find_track(p->room, req->track_sids[i]);
		struct subscription *sub = t ? find(p, t) : NULL;
		if (!sub)
			continue;
		sub->wish = (struct layer_wish){
			.is_disabled = req->disabled,
			.quality = (enum layer_quality)CLAMP(
				(int)req->quality, QUALITY_LOW, QUALITY_OFF),
			.width = req->width,
			.height = req->height,
		};
		if (sub->down)
			downtrack_set_wish(sub->down, &sub->wish, rooms_now(p->room->rooms));
	}
}

void participant_subscription_permission(
	struct participant *p, const Livekit__SubscriptionPermission *req)
{
	if (!req->all_participants)
		LOG_WARN("subscription permissions are not kept: everybody may subscribe",
			F_STR("room", p->room->name), F_STR("identity", p->grants->identity));
}
