#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "rooms/rooms_internal.h"

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

/* Describes the track in a section: the next description tells the client. */
static bool describe(struct subscription *sub, struct peer *peer, uint16_t section)
{
	struct track *t = sub->track;
	char stream[2 * ID_CAP];
	snprintf(stream, sizeof stream, "%s|%s", t->publisher->sid, t->info->sid);
	struct jsep_send send = {
		.stream_id = stream,
		.track_id = t->info->sid,
		.cname = stream,
		.ssrc = sub->ssrc,
		.rtx_ssrc = sub->rtx_ssrc,
		.codecs = JSEP_CODEC_BIT(codec_of(t)),
		.is_stereo = t->info->stereo,
	};
	if (jsep_section_send(peer->jsep, section, &send) != 0)
		return false;
	sub->section = section;
	sub->state = SUB_NEGOTIATING;
	return true;
}

static void place(struct subscription *sub)
{
	struct peer *peer = sub->subscriber->subscriber;
	enum sdp_kind kind = kind_of(sub->track);
	uint16_t section;
	if (peer->role == JSEP_ROLE_SINGLE) {
		const struct jsep_section *slot = jsep_free_slot(peer->jsep, kind);
		if (slot)
			(void)describe(sub, peer, slot->index);
	} else if (jsep_add_section(peer->jsep, kind, &section) == 0) {
		(void)describe(sub, peer, section);
	}
}

void subscribe_fill_slots(struct peer *peer)
{
	peer->asked[0] = peer->asked[1] = 0;
	list_for_each(node, &peer->participant->subscriptions) {
		struct subscription *sub = list_entry(node, struct subscription, by_participant);
		if (sub->state == SUB_WAIT_SECTION)
			place(sub);
	}
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

static void refuse_codec(struct subscription *sub)
{
	sub->state = SUB_UNSUPPORTED;
	Livekit__SubscriptionResponse err = LIVEKIT__SUBSCRIPTION_RESPONSE__INIT;
	err.track_sid = sub->track->info->sid;
	PB_SET(&err, err, LIVEKIT__SUBSCRIPTION_ERROR__SE_CODEC_UNSUPPORTED);
	Livekit__SignalResponse res = LIVEKIT__SIGNAL_RESPONSE__INIT;
	res.message_case = LIVEKIT__SIGNAL_RESPONSE__MESSAGE_SUBSCRIPTION_RESPONSE;
	res.subscription_response = &err;
	participant_send(sub->subscriber, &res);
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
	const struct jsep_section *s = jsep_section_at(peer->jsep, sub->section);
	const struct jsep_negotiated *codec = s ? common_codec(s, codec_of(sub->track)) : NULL;
	if (!codec || s->is_rejected) {
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
	if (session_state_now(peer->session) == SESSION_CONNECTED)
		sender_connected(peer->sender, rooms_now(peer->participant->room->rooms));
	tell_publisher(sub->track, sub->subscriber);
}

/* The client's section as of the round: it takes what we describe there. */
static bool is_agreed(const struct subscription *sub, struct peer *peer)
{
	const struct jsep_section *s = jsep_section_at(peer->jsep, sub->section);
	return s && s->has_send &&
	       (s->is_rejected || s->direction == SDP_SENDONLY || s->direction == SDP_SENDRECV);
}

void subscribe_round_done(struct peer *peer)
{
	bool some_wait = false;
	list_for_each(node, &peer->participant->subscriptions) {
		struct subscription *sub = list_entry(node, struct subscription, by_participant);
		if (sub->state == SUB_NEGOTIATING && is_agreed(sub, peer))
			go_live(sub, peer);
		some_wait |= sub->state == SUB_WAIT_SECTION;
	}
	if (some_wait && peer->role == JSEP_ROLE_SINGLE)
		peer_negotiate(peer);
}

/* ------------------------------------------------------------------ who gets what */

static void subscribe(struct participant *p, struct track *t)
{
	struct peer *peer = p->subscriber;
	if (!peer || p == t->publisher || find(p, t) || !grants_can_subscribe(p->grants))
		return;
	struct subscription *sub = XNEW(struct subscription);
	sub->subscriber = p;
	sub->track = t;
	sub->ssrc = rng_u32() | 1;
	sub->rtx_ssrc = t->info->type == LIVEKIT__TRACK_TYPE__VIDEO ? rng_u32() | 1 : 0;
	/* A client with adaptive stream says at once what it shows; until then the smallest will do. */
	sub->wish.quality = p->adaptive_stream ? QUALITY_LOW : QUALITY_HIGH;
	list_push(&p->subscriptions, &sub->by_participant);
	list_push(&t->subscriptions, &sub->by_track);
	if (peer->role == JSEP_ROLE_SUBSCRIBER || jsep_remote(peer->jsep))
		place(sub);
	peer_negotiate(peer);
}

void subscription_free(struct subscription *sub)
{
	struct peer *peer = sub->subscriber->subscriber;
	downtrack_free(sub->down);
	if (sub->state != SUB_WAIT_SECTION && !sub->subscriber->is_leaving) {
		jsep_section_clear(peer->jsep, sub->section);
		peer_negotiate(peer);
	}
	list_del(&sub->by_participant);
	list_del(&sub->by_track);
	xfree(sub);
}

void subscribe_remove_all(struct participant *p)
{
	while (!list_empty(&p->subscriptions))
		subscription_free(
			list_first(&p->subscriptions, struct subscription, by_participant));
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
		if (p->auto_subscribe && participant_sees(p, t->publisher))
			subscribe(p, t);
	}
}

/* ------------------------------------------------------------------ requests */

static void change(struct participant *p, const char *sid, bool is_wanted)
{
	struct track *t = subscribe_find_track(p->room, sid);
	if (!t)
		return;
	struct subscription *sub = find(p, t);
	if (is_wanted && participant_sees(p, t->publisher))
		subscribe(p, t);
	else if (!is_wanted && sub)
		subscription_free(sub);
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
