/* negotiate: rounds of offer and answer of one peer connection, and when to have another one. */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "pb/pb_json.h"
#include "rooms/rooms_internal.h"

enum {
	NEGOTIATE_DELAY_US = 10 * 1000,
	ANSWER_LIMIT_US = 15 * 1000 * 1000,
	REPEAT_US = 3 * 1000 * 1000,
	REPEATS_MAX = 10,
	SDP_MAX = 1 << 20,
};

/* ------------------------------------------------------------------ descriptions */

/* The client and we do not agree on the state: it starts a new session. */
static void give_up(struct peer *peer, const char *what, const char *why)
{
	struct participant *p = peer->participant;
	LOG_WARN(what, F_STR("room", p->room->name), F_STR("identity", p->grants->identity), F_STR("why", why));
	participant_kick(p, LIVEKIT__DISCONNECT_REASON__STATE_MISMATCH,
		LIVEKIT__LEAVE_REQUEST__ACTION__RECONNECT);
}

/* Hands the other side's transport parameters to the session. */
static int apply_remote(struct peer *peer)
{
	const struct jsep_remote *remote = jsep_remote(peer->jsep);
	uint32_t max_message = 0;
	for (size_t i = 0; i < jsep_section_count(peer->jsep); i++) {
		const struct jsep_section *s = jsep_section_at(peer->jsep, i);
		if (s->kind == SDP_KIND_APPLICATION && !s->is_rejected)
			max_message = s->remote_max_message_size;
	}
	struct session_remote to = {
		.ufrag = slice_str(remote->ufrag),
		.pwd = slice_str(remote->pwd),
		.fingerprint_alg = slice_str(remote->fingerprint_alg),
		.fingerprint = slice_of(remote->fingerprint, remote->fingerprint_len),
		.is_dtls_server = remote->is_dtls_server,
		.max_message_size = max_message,
	};
	int err = session_set_remote(peer->session, &to);
	for (size_t i = 0; !err && i < remote->n_candidates; i++)
		(void)!session_add_candidate(peer->session, slice_str(remote->candidates[i]));
	if (peer->receiver) {
		struct rtp_ext_ids ids = peer_ext_ids(jsep_ext_ids(peer->jsep));
		receiver_set_ext_ids(peer->receiver, &ids);
	}
	return err;
}

/* Which section carries which track to this client: mid → sid, for all that we send. */
static size_t map_mids(struct peer *peer, Livekit__SessionDescription__MidToTrackIdEntry *entries,
	Livekit__SessionDescription__MidToTrackIdEntry **ptrs, size_t cap)
{
	size_t n = 0;
	for (size_t i = 0; i < jsep_section_count(peer->jsep) && n < cap; i++) {
		const struct jsep_section *s = jsep_section_at(peer->jsep, i);
		if (!s->has_send || s->is_rejected || !(s->direction & SDP_SENDONLY))
			continue;
		livekit__session_description__mid_to_track_id_entry__init(&entries[n]);
		entries[n].key = (char *)s->mid;
		entries[n].value = (char *)s->send.track_id;
		ptrs[n] = &entries[n];
		n++;
	}
	return n;
}

static void send_description(struct peer *peer, const char *type, struct buf *sdp, uint32_t id)
{
	size_t cap = jsep_section_count(peer->jsep);
	Livekit__SessionDescription__MidToTrackIdEntry *entries = xcalloc(cap, sizeof *entries),
						       **ptrs = xcalloc(cap, sizeof *ptrs);
	Livekit__SessionDescription d = LIVEKIT__SESSION_DESCRIPTION__INIT;
	d.type = (char *)type;
	d.sdp = (char *)buf_cstr(sdp);
	PB_SET(&d, id, id);
	d.n_mid_to_track_id = peer->sender ? map_mids(peer, entries, ptrs, cap) : 0;
	d.mid_to_track_id = ptrs;
	Livekit__SignalResponse res = LIVEKIT__SIGNAL_RESPONSE__INIT;
	if (type[0] == 'o') {
		res.message_case = LIVEKIT__SIGNAL_RESPONSE__MESSAGE_OFFER;
		res.offer = &d;
	} else {
		res.message_case = LIVEKIT__SIGNAL_RESPONSE__MESSAGE_ANSWER;
		res.answer = &d;
	}
	participant_send(peer->participant, &res);
	xfree(ptrs);
	xfree(entries);
}

/* Sections asked for with a requirement are no longer due once they stand in an offer. */
static void count_slots(struct peer *peer)
{
	uint32_t now[2] = {0, 0};
	for (size_t i = 0; i < jsep_section_count(peer->jsep); i++) {
		const struct jsep_section *s = jsep_section_at(peer->jsep, i);
		bool is_media = s->kind == SDP_KIND_AUDIO || s->kind == SDP_KIND_VIDEO;
		now[s->kind == SDP_KIND_VIDEO] +=
			is_media && !s->is_rejected && s->remote_direction == SDP_RECVONLY;
	}
	for (int k = 0; k < 2; k++) {
		uint32_t grown = now[k] > peer->slots[k] ? now[k] - peer->slots[k] : 0;
		peer->asked[k] -= MIN(peer->asked[k], grown);
		peer->slots[k] = now[k];
	}
}

static void answer_offer(struct peer *peer, const Livekit__SessionDescription *offer)
{
	struct participant *p = peer->participant;
	struct errbuf eb = {""};
	if (jsep_set_remote_offer(peer->jsep, slice_str(pb_str(offer->sdp)), &eb) != 0) {
		give_up(peer, "offer refused", eb.text);
		return;
	}
	if (jsep_remote(peer->jsep)->fingerprint_changed) {
		give_up(peer, "offer refused", "another DTLS association");
		return;
	}
	if (jsep_remote(peer->jsep)->ice_restarted) {
		session_restart_ice(peer->session);
		(void)!jsep_set_ice(
			peer->jsep, session_ufrag(peer->session), session_pwd(peer->session));
		peer_set_candidates(peer);
	}
	publish_prefer(p, peer);
	if (peer->sender) {
		count_slots(peer);
		subscribe_fill_slots(peer);
	}
	int err = apply_remote(peer);
	if (err) {
		give_up(peer, "transport parameters refused", err_text(err));
		return;
	}
	struct buf sdp;
	buf_init(&sdp, SDP_MAX);
	if (jsep_create_answer(peer->jsep, &sdp) != 0) {
		buf_free(&sdp);
		give_up(peer, "answer failed", "too large");
		return;
	}
	send_description(peer, "answer", &sdp, offer->id);
	buf_free(&sdp);
	/* All that was to be told so far stands in this answer. */
	peer->round_us = rooms_now(p->room->rooms);
	peer->awaits_offer = false;
	wheel_del(&p->room->rooms->worker->wheel, &peer->negotiate);
	publish_sync(p, peer);
	if (peer->sender)
		subscribe_round_done(peer);
}

static void make_offer(struct peer *peer)
{
	if (jsep_is_pending(peer->jsep)) {
		peer->is_stale = true;
		return;
	}
	struct buf sdp;
	buf_init(&sdp, SDP_MAX);
	peer->is_stale = false;
	if (jsep_create_offer(peer->jsep, &sdp) == 0) {
		struct worker *w = peer->participant->room->rooms->worker;
		send_description(peer, "offer", &sdp, ++peer->offer_id);
		wheel_set(&w->wheel, &peer->answer_limit, w->now_us + ANSWER_LIMIT_US);
		peer->round_us = w->now_us;
	}
	buf_free(&sdp);
}

static void take_answer(struct peer *peer, const Livekit__SessionDescription *answer)
{
	/* 0 comes from clients that know no ids; any other must be the offer's. */
	if ((answer->id && answer->id != peer->offer_id) || !jsep_is_pending(peer->jsep))
		return;
	struct errbuf eb = {""};
	if (jsep_set_remote_answer(peer->jsep, slice_str(pb_str(answer->sdp)), &eb) != 0) {
		give_up(peer, "answer refused", eb.text);
		return;
	}
	struct worker *w = peer->participant->room->rooms->worker;
	wheel_del(&w->wheel, &peer->answer_limit);
	peer->round_us = w->now_us;
	int err = apply_remote(peer);
	if (err) {
		give_up(peer, "transport parameters refused", err_text(err));
		return;
	}
	subscribe_round_done(peer);
	if (peer->is_stale)
		make_offer(peer);
}

static void on_answer_limit(void *arg, uint64_t now_us)
{
	(void)now_us;
	give_up(arg, "no answer to an offer", "15 s passed");
}

/* ------------------------------------------------------------------ when to negotiate */

/*
 * Asks the client to offer again, with as many more receiving sections as waiting subscriptions need beyond those it
 * was asked for already. With nothing to add it is asked all the same: only an answer can tell what a section carries.
 */
static void require_sections(struct peer *peer)
{
	uint32_t waiting[2] = {0, 0},
		 room = SDP_MEDIA_MAX - (uint32_t)jsep_section_count(peer->jsep);
	subscribe_count_waiting(peer->participant, waiting);
	Livekit__MediaSectionsRequirement need = LIVEKIT__MEDIA_SECTIONS_REQUIREMENT__INIT;
	PB_SET(&need, num_audios, waiting[0] > peer->asked[0] ? waiting[0] - peer->asked[0] : 0);
	PB_SET(&need, num_videos, waiting[1] > peer->asked[1] ? waiting[1] - peer->asked[1] : 0);
	need.num_audios = MIN(need.num_audios, room);
	need.num_videos = MIN(need.num_videos, room - need.num_audios);
	peer->asked[0] += need.num_audios;
	peer->asked[1] += need.num_videos;
	peer->round_us = rooms_now(peer->participant->room->rooms);
	peer->awaits_offer = true;
	Livekit__SignalResponse res = LIVEKIT__SIGNAL_RESPONSE__INIT;
	res.message_case = LIVEKIT__SIGNAL_RESPONSE__MESSAGE_MEDIA_SECTIONS_REQUIREMENT;
	res.media_sections_requirement = &need;
	participant_send(peer->participant, &res);
}

static void negotiate_now(struct peer *peer)
{
	if (peer->role == JSEP_ROLE_SUBSCRIBER) {
		make_offer(peer);
	} else if (jsep_remote(peer->jsep)) {
		subscribe_fill_slots(peer); /* a section may have become free */
		require_sections(peer);
	}
	/* Before a client's first offer there is nothing to ask for: that offer brings its first sections. */
}

static void on_negotiate(void *arg, uint64_t now_us)
{
	(void)now_us;
	negotiate_now(arg);
}

void negotiate_init(struct peer *peer)
{
	peer->offer_id = rng_u32() % 256;
	timer_init(&peer->negotiate, on_negotiate, peer);
	timer_init(&peer->answer_limit, on_answer_limit, peer);
}

void peer_negotiate(struct peer *peer)
{
	struct worker *w = peer->participant->room->rooms->worker;
	if (!peer->negotiate.is_armed)
		wheel_set(&w->wheel, &peer->negotiate, w->now_us + NEGOTIATE_DELAY_US);
}

void peer_repeat(struct peer *peer, uint64_t now_us)
{
	bool is_busy = peer->negotiate.is_armed ||
		(peer->role == JSEP_ROLE_SUBSCRIBER && jsep_is_pending(peer->jsep));
	if (is_busy || !subscribe_is_unsettled(peer->participant) ||
		now_us - peer->round_us < REPEAT_US || peer->repeats >= REPEATS_MAX)
		return;
	/* A client that has not offered since may just be slow: it is not asked for the same sections twice at once. */
	if (peer->repeats++ || !peer->awaits_offer)
		peer->asked[0] = peer->asked[1] = 0;
	subscribe_fill_slots(peer);
	negotiate_now(peer);
}

/* ------------------------------------------------------------------ requests */

static struct peer *publisher_of(struct participant *p)
{
	if (!p->publisher)
		p->publisher = peer_new(p, JSEP_ROLE_PUBLISHER);
	return p->publisher;
}

void participant_offer(struct participant *p, const Livekit__SessionDescription *offer)
{
	struct peer *peer = publisher_of(p);
	if (!peer) {
		LOG_WARN("no more sessions on this worker", F_STR("identity", p->grants->identity));
		participant_kick(p, LIVEKIT__DISCONNECT_REASON__JOIN_FAILURE,
			LIVEKIT__LEAVE_REQUEST__ACTION__DISCONNECT);
		return;
	}
	answer_offer(peer, offer);
}

void participant_answer(struct participant *p, const Livekit__SessionDescription *answer)
{
	if (p->subscriber && p->subscriber->role == JSEP_ROLE_SUBSCRIBER)
		take_answer(p->subscriber, answer);
}

static void refuse_trickle(struct participant *p, const Livekit__TrickleRequest *t)
{
	Livekit__RequestResponse answer = LIVEKIT__REQUEST_RESPONSE__INIT;
	PB_SET(&answer, reason, LIVEKIT__REQUEST_RESPONSE__REASON__UNCLASSIFIED_ERROR);
	answer.message = (char *)"candidateInit cannot be parsed";
	answer.request_case = LIVEKIT__REQUEST_RESPONSE__REQUEST_TRICKLE;
	answer.trickle = (Livekit__TrickleRequest *)t;
	Livekit__SignalResponse res = LIVEKIT__SIGNAL_RESPONSE__INIT;
	res.message_case = LIVEKIT__SIGNAL_RESPONSE__MESSAGE_REQUEST_RESPONSE;
	res.request_response = &answer;
	participant_send(p, &res);
}

void participant_trickle(struct participant *p, const Livekit__TrickleRequest *t)
{
	bool to_subscriber = t->target == LIVEKIT__SIGNAL_TARGET__SUBSCRIBER && !p->is_single_pc;
	struct peer *peer = to_subscriber ? p->subscriber : publisher_of(p);
	json_t *init = NULL;
	if (!peer)
		return;
	if (pb_json_parse(slice_str(pb_str(t->candidateinit)), &pb_data_limits, &init, NULL) != 0) {
		refuse_trickle(p, t);
		return;
	}
	const char *line = json_string_value(json_object_get(init, "candidate"));
	/* An empty candidate ends the list (RFC 8838 §14); mDNS names and TCP are of no use here. */
	if (line && line[0]) {
		int err = session_add_candidate(peer->session, slice_str(line));
		if (err == -ERR_MALFORMED)
			refuse_trickle(p, t);
	} else if (!line) {
		refuse_trickle(p, t);
	}
	json_decref(init);
}
