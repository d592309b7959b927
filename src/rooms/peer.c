#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"
#include "rooms/rooms_internal.h"

enum { MESSAGE_MAX = 65535 };

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
	participant_peer_changed(p, peer, state);
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

void peer_set_candidates(struct peer *peer)
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
	negotiate_init(peer);
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
	peer_set_candidates(peer);
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
