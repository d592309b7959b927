#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"
#include "pb/pb_json.h"
#include "rooms/rooms_internal.h"

enum {
	NEGOTIATE_DELAY_US = 10 * 1000,
	ANSWER_LIMIT_US = 15 * 1000 * 1000,
	MESSAGE_MAX = 65535,
	SDP_MAX = 1 << 20,
};

struct rtp_ext_ids peer_ext_ids(const uint8_t by_jsep[JSEP_EXT_N])
{
	static const enum rtp_ext_kind kinds[JSEP_EXT_N] = {
		[JSEP_EXT_MID] = RTP_EXT_MID,
		[JSEP_EXT_RID] = RTP_EXT_RID,
		[JSEP_EXT_REPAIRED_RID] = RTP_EXT_REPAIRED_RID,
		[JSEP_EXT_AUDIO_LEVEL] = RTP_EXT_AUDIO_LEVEL,
		[JSEP_EXT_ABS_SEND_TIME] = RTP_EXT_ABS_SEND_TIME,
		[JSEP_EXT_TWCC] = RTP_EXT_TWCC,
		[JSEP_EXT_ABS_CAPTURE_TIME] = RTP_EXT_ABS_CAPTURE_TIME,
		[JSEP_EXT_PLAYOUT_DELAY] = RTP_EXT_PLAYOUT_DELAY,
		[JSEP_EXT_VIDEO_ORIENTATION] = RTP_EXT_VIDEO_ORIENTATION,
		[JSEP_EXT_DEPENDENCY_DESCRIPTOR] = RTP_EXT_DEPENDENCY_DESCRIPTOR,
		[JSEP_EXT_FRAME_MARKING] = RTP_EXT_FRAME_MARKING,
	};
	struct rtp_ext_ids ids = {0};
	for (size_t i = 0; i < JSEP_EXT_N; i++)
		ids.id[kinds[i]] = by_jsep[i];
	return ids;
}

/* ------------------------------------------------------------------ transport events */

static void on_state(void *arg, enum session_state state)
{
	struct peer *peer = arg;
	struct participant *p = peer->participant;
	if (state == SESSION_CONNECTED && peer->sender)
		sender_connected(peer->sender, rooms_now(p->room->rooms));
	(void)participant_peer_changed(p, peer, state);
}

static void on_rtp(void *arg, uint8_t *bytes, size_t n, uint64_t now_us)
{
	struct peer *peer = arg;
	if (peer->receiver)
		receiver_rtp(peer->receiver, bytes, n, now_us);
	else
		metric_drop(DROP_NO_PERMISSION);
}

static void on_rtcp(void *arg, struct slice compound, uint64_t now_us)
{
	struct peer *peer = arg;
	struct rtcp_iter it = rtcp_iter(compound);
	for (struct rtcp_packet pkt; rtcp_next(&it, &pkt);) {
		if (peer->receiver)
			receiver_rtcp(peer->receiver, &pkt, now_us);
		if (peer->sender)
			sender_rtcp(peer->sender, &pkt, now_us);
	}
	if (it.err)
		metric_drop(DROP_RTCP_MALFORMED);
}

static uint16_t open_channel(struct peer *peer, const char *label, bool is_reliable)
{
	struct sctp_channel_info info = {
		.is_ordered = is_reliable,
		.max_retransmits = is_reliable ? -1 : 0,
		.max_lifetime_ms = -1,
		.label = slice_str(label),
	};
	return session_open_channel(peer->session, &info) == 0 ? info.id : CHANNEL_NONE;
}

/* With two connections the server opens the channels towards the client; with one, the client's go both ways. */
static void on_data_ready(void *arg)
{
	struct peer *peer = arg;
	if (peer->role != JSEP_ROLE_SUBSCRIBER)
		return;
	peer->reliable = open_channel(peer, "_reliable", true);
	peer->lossy = open_channel(peer, "_lossy", false);
	peer->data_track = open_channel(peer, "_data_track", false);
	data_drain(peer->participant);
}

static void on_channel_open(void *arg, const struct sctp_channel_info *info)
{
	struct peer *peer = arg;
	if (slice_eq_str(info->label, "_reliable"))
		peer->reliable = info->id;
	else if (slice_eq_str(info->label, "_lossy"))
		peer->lossy = info->id;
	else if (slice_eq_str(info->label, "_data_track"))
		peer->data_track = info->id;
	data_drain(peer->participant);
}

static void on_channel_closed(void *arg, uint16_t channel)
{
	struct peer *peer = arg;
	uint16_t *known[] = {&peer->reliable, &peer->lossy, &peer->data_track};
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (*known[i] == channel)
			*known[i] = CHANNEL_NONE;
}

static void on_writable(void *arg)
{
	struct peer *peer = arg;
	data_drain(peer->participant);
}

static void on_message(void *arg, uint16_t channel, bool is_text, struct slice data)
{
	struct peer *peer = arg;
	(void)is_text;
	data_message(peer->participant, peer, channel, data);
}

static const struct session_ops session_ops = {
	.state = on_state,
	.rtp = on_rtp,
	.rtcp = on_rtcp,
	.data_ready = on_data_ready,
	.channel_open = on_channel_open,
	.channel_closed = on_channel_closed,
	.writable = on_writable,
	.message = on_message,
};

/* ------------------------------------------------------------------ life */

static void on_negotiate(void *arg, uint64_t now_us);
static void on_answer_limit(void *arg, uint64_t now_us);

static void set_candidates(struct peer *peer)
{
	size_t n;
	char **lines = session_candidates(peer->session, &n);
	if (jsep_set_candidates(peer->jsep, (const char *const *)lines, n, true) != 0)
		LOG_WARN("own candidates refused");
	for (size_t i = 0; i < n; i++)
		xfree(lines[i]);
	xfree(lines);
}

struct peer *peer_new(struct participant *p, enum jsep_role role)
{
	struct rooms *r = p->room->rooms;
	struct peer *peer = XNEW(struct peer);
	struct session_cfg cfg = {.is_ice_controlling = role == JSEP_ROLE_SUBSCRIBER,
		.ops = &session_ops,
		.arg = peer};
	peer->session = session_new(r->rtc, &cfg);
	if (!peer->session) {
		xfree(peer);
		return NULL;
	}
	peer->participant = p;
	peer->role = role;
	peer->reliable = peer->lossy = peer->data_track = CHANNEL_NONE;
	peer->offer_id = rng_u32() % 256;
	timer_init(&peer->negotiate, on_negotiate, peer);
	timer_init(&peer->answer_limit, on_answer_limit, peer);
	if (role != JSEP_ROLE_SUBSCRIBER)
		peer->receiver = receiver_new(peer->session, &r->worker->wheel);
	if (role != JSEP_ROLE_PUBLISHER)
		peer->sender = sender_new(peer->session, &r->worker->wheel);

	char fingerprint[256];
	snprintf(fingerprint, sizeof fingerprint, "sha-256 %s", session_fingerprint(peer->session));
	struct jsep_cfg jsep = {
		.role = role,
		.ufrag = session_ufrag(peer->session),
		.pwd = session_pwd(peer->session),
		.fingerprint = fingerprint,
		.max_message_size = MESSAGE_MAX,
		.enabled_codecs = r->cfg.enabled_codecs,
		.session_id = rng_u64() >> 2,
	};
	peer->jsep = jsep_new(&jsep);
	set_candidates(peer);
	return peer;
}

void peer_free(struct peer *peer)
{
	if (!peer)
		return;
	struct wheel *wheel = &peer->participant->room->rooms->worker->wheel;
	wheel_del(wheel, &peer->negotiate);
	wheel_del(wheel, &peer->answer_limit);
	receiver_free(peer->receiver);
	sender_free(peer->sender);
	session_close(peer->session);
	jsep_free(peer->jsep);
	xfree(peer);
}

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
		if (!s->has_send || s->is_rejected)
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

void peer_answer_offer(struct peer *peer, const Livekit__SessionDescription *offer)
{
	struct participant *p = peer->participant;
	struct errbuf eb = {""};
	if (jsep_set_remote_offer(peer->jsep, slice_str(pb_str(offer->sdp)), &eb) != 0) {
		give_up(peer, "offer refused", eb.text);
		return;
	}
	if (jsep_remote(peer->jsep)->ice_restarted) {
		session_restart_ice(peer->session);
		(void)!jsep_set_ice(
			peer->jsep, session_ufrag(peer->session), session_pwd(peer->session));
		set_candidates(peer);
	}
	publish_prefer(p, peer);
	if (peer->sender)
		subscribe_fill_slots(peer);
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
	LOG_DEBUG("offer answered", F_STR("identity", p->grants->identity), F_UINT("id", offer->id),
		F_UINT("sections", jsep_section_count(peer->jsep)));
	send_description(peer, "answer", &sdp, offer->id);
	buf_free(&sdp);
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
	}
	buf_free(&sdp);
}

void peer_take_answer(struct peer *peer, const Livekit__SessionDescription *answer)
{
	/* 0 comes from clients that know no ids; any other must be the offer's. */
	if ((answer->id && answer->id != peer->offer_id) || !jsep_is_pending(peer->jsep))
		return;
	struct errbuf eb = {""};
	if (jsep_set_remote_answer(peer->jsep, slice_str(pb_str(answer->sdp)), &eb) != 0) {
		give_up(peer, "answer refused", eb.text);
		return;
	}
	wheel_del(&peer->participant->room->rooms->worker->wheel, &peer->answer_limit);
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

/* Asks the client to offer again, with as many more receiving sections as waiting subscriptions need. */
static void require_sections(struct peer *peer)
{
	uint32_t waiting[2] = {0, 0};
	list_for_each(node, &peer->participant->subscriptions) {
		const struct subscription *sub =
			list_entry(node, struct subscription, by_participant);
		if (sub->state == SUB_WAIT_SECTION)
			waiting[sub->track->info->type == LIVEKIT__TRACK_TYPE__VIDEO]++;
	}
	Livekit__MediaSectionsRequirement need = LIVEKIT__MEDIA_SECTIONS_REQUIREMENT__INIT;
	PB_SET(&need, num_audios, waiting[0] > peer->asked[0] ? waiting[0] - peer->asked[0] : 0);
	PB_SET(&need, num_videos, waiting[1] > peer->asked[1] ? waiting[1] - peer->asked[1] : 0);
	LOG_DEBUG("sections required", F_STR("identity", peer->participant->grants->identity),
		F_UINT("audio", need.num_audios), F_UINT("video", need.num_videos));
	peer->asked[0] += need.num_audios;
	peer->asked[1] += need.num_videos;
	Livekit__SignalResponse res = LIVEKIT__SIGNAL_RESPONSE__INIT;
	res.message_case = LIVEKIT__SIGNAL_RESPONSE__MESSAGE_MEDIA_SECTIONS_REQUIREMENT;
	res.media_sections_requirement = &need;
	participant_send(peer->participant, &res);
}

static void on_negotiate(void *arg, uint64_t now_us)
{
	struct peer *peer = arg;
	(void)now_us;
	if (peer->role == JSEP_ROLE_SINGLE)
		require_sections(peer);
	else
		make_offer(peer);
}

void peer_negotiate(struct peer *peer)
{
	struct worker *w = peer->participant->room->rooms->worker;
	if (!peer->negotiate.is_armed)
		wheel_set(&w->wheel, &peer->negotiate, w->now_us + NEGOTIATE_DELAY_US);
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
	peer_answer_offer(peer, offer);
}

void participant_answer(struct participant *p, const Livekit__SessionDescription *answer)
{
	if (p->subscriber && p->subscriber->role == JSEP_ROLE_SUBSCRIBER)
		peer_take_answer(p->subscriber, answer);
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
