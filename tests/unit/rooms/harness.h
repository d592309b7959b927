/*
 * harness: the rooms of one worker without its thread, on a virtual clock, and clients that talk to them.
 *
 * Messages wait in two queues per client until a test lets them through, so every interleaving can be played. A client
 * behaves as LiveKit's browser SDK does: it offers from a list of sections, one offer at a time, and offers again after
 * the answer if it was asked to meanwhile. No packet ever flows: what is tested is who agrees with whom on what.
 */
#pragma once
#include "../cm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/keys.h"
#include "auth/token.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/metric.h"
#include "pb/pb.h"
#include "rooms/rooms_internal.h"
#include "session/session_internal.h"
#include "signal/dispatch.h"

enum { CLIENTS_MAX = 16, SECTIONS_MAX = 64, INBOX_MAX = 512, HELD_MAX = 64 };

#define PRINT(...) ((void)snprintf(__VA_ARGS__))

struct client;

struct harness {
	struct worker w;
	struct rtc *rtc;
	struct dtls_identity *identity;
	struct registry *registry;
	struct auth_keys *keys;
	struct rooms *rooms;
	struct rooms_cfg cfg;
	struct client *clients[CLIENTS_MAX];
	unsigned n_clients;
	uint64_t next_conn;
	char join_room[32];
};

/* A section of the client's offers. */
struct client_section {
	bool is_video;
	enum sdp_dir direction;
	char track[32]; /* its own track in it, "" = none */
	char carries[ID_CAP]; /* what the server sends in it, as of the last applied description */
};

struct client {
	struct harness *h;
	uint64_t conn;
	char identity[32];
	bool is_single, is_closed, ignores_requirements;
	uint16_t closed_with;
	int32_t protocol;

	Livekit__SignalResponse *inbox[INBOX_MAX]; /* from the server, not yet seen */
	unsigned n_inbox;
	Livekit__SignalRequest *outbox[HELD_MAX]; /* to the server, on their way */
	unsigned n_outbox;
	Livekit__SignalResponse *seen[INBOX_MAX]; /* what the client has read, in order */
	unsigned n_seen;

	struct client_section section[SECTIONS_MAX];
	unsigned n_sections;
	uint32_t offer_id;
	bool offer_pending, renegotiate;
	unsigned offers, next_track;

	struct jsep *down; /* two connections: the one that receives */
	char down_carries[SECTIONS_MAX][ID_CAP];
};

#define FAKE_FINGERPRINT                                                                           \
	"3D:A2:11:00:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:"  \
	"BB:CC:DD"

/* ------------------------------------------------------------------ server side */

static inline struct client *client_by_conn(struct harness *h, uint64_t conn)
{
	for (unsigned i = 0; i < h->n_clients; i++)
		if (h->clients[i]->conn == conn)
			return h->clients[i];
	fail_msg("a message to a connection that never was");
	abort();
}

static inline void client_receive(struct client *c, struct slice response)
{
	ProtobufCMessage *m;
	assert_false(c->is_closed);
	assert_int_equal(
		pb_decode(&livekit__signal_response__descriptor, response, &pb_signal_limits, &m),
		0);
	assert_true(c->n_inbox < INBOX_MAX);
	c->inbox[c->n_inbox++] = (Livekit__SignalResponse *)m;
}

static inline void harness_on_send(
	void *arg, const uint64_t *conns, size_t n, struct slice response)
{
	for (size_t i = 0; i < n; i++)
		client_receive(client_by_conn(arg, conns[i]), response);
}

static inline void harness_on_close(void *arg, uint64_t conn, uint16_t code)
{
	struct client *c = client_by_conn(arg, conn);
	c->is_closed = true;
	c->closed_with = code;
}

static inline void harness_no_op(struct worker *w)
{
	(void)w;
}

static inline void harness_drop_packet(void *arg, struct udp_sock *s, const struct addr *to,
	const uint8_t *p, size_t n, size_t seg)
{
	(void)arg, (void)s, (void)to, (void)p, (void)n, (void)seg;
}

static const struct rooms_ops harness_ops = {harness_on_send, harness_on_close};
static const struct worker_ops harness_worker_ops = {harness_no_op, harness_no_op, harness_no_op};

static inline struct rooms_cfg harness_cfg(void)
{
	return (struct rooms_cfg){
		.empty_timeout_us = 300 * US_PER_S,
		.departure_timeout_us = 20 * US_PER_S,
		.enabled_codecs = JSEP_CODECS_DEFAULT,
		.max_metadata_bytes = 1000,
		.max_attributes_bytes = 1000,
		.max_name_length = 20,
		.buffer_packets_video = 64,
		.buffer_packets_audio = 64,
		.pli_throttle_us = {500000, 1000000, 1000000},
		.dynacast_pause_us = 5 * US_PER_S,
		.data_buffer_bytes = 4096,
		.speaker_interval_us = 400 * US_PER_MS,
		.speaker_active_level = 35,
		.speaker_min_percent = 40,
		.speaker_smooth_intervals = 2,
		.node_id = "ND_test",
		.region = "here",
	};
}

static inline struct harness *harness_new(const struct rooms_cfg *cfg)
{
	struct harness *h = XNEW(struct harness);
	struct errbuf eb = {""};
	metric_thread_init();
	PRINT(h->join_room, sizeof h->join_room, "room");
	h->cfg = *cfg;
	assert_int_equal(worker_init(&h->w, 0, &harness_worker_ops, h, 64), 0);
	h->w.now_us = 1000 * US_PER_S;
	wheel_init(&h->w.wheel, h->w.now_us);
	assert_int_equal(dtls_identity_new(&h->identity), 0);
	struct ice_local local = {0};
	assert_int_equal(addr_parse_ip(&local.base, slice_str("127.0.0.1"), 0), 0);
	struct rtc_cfg rtc = {.locals = &local,
		.n_locals = 1,
		.tx_queue_packets = 64,
		.sctp_send_bytes = 1 << 16,
		.identity = h->identity};
	assert_int_equal(rtc_new(&h->rtc, &h->w, &rtc, &eb), 0);
	rtc_set_sink(h->rtc, harness_drop_packet, NULL);
	h->registry = registry_new(1);
	h->keys = auth_keys_new();
	assert_int_equal(auth_keys_add(h->keys, slice_str("key"),
				 slice_str("a-secret-of-more-than-32-characters"), &eb),
		0);
	h->rooms = rooms_new(&h->w, h->rtc, h->registry, &h->cfg, h->keys, &harness_ops, h);
	return h;
}

static inline void client_free(struct client *c)
{
	for (unsigned i = 0; i < c->n_inbox; i++)
		pb_free(c->inbox[i]);
	for (unsigned i = 0; i < c->n_seen; i++)
		pb_free(c->seen[i]);
	for (unsigned i = 0; i < c->n_outbox; i++)
		pb_free(c->outbox[i]);
	jsep_free(c->down);
	xfree(c);
}

static inline void harness_free(struct harness *h)
{
	rooms_free(h->rooms);
	for (unsigned i = 0; i < h->n_clients; i++)
		client_free(h->clients[i]);
	rtc_free(h->rtc);
	worker_close(&h->w);
	registry_free(h->registry);
	auth_keys_unref(h->keys);
	dtls_identity_free(h->identity);
	xfree(h);
}

/* ICE has no one to talk to here: it must not run into its time limits. */
static inline void harness_hush_ice(struct harness *h)
{
	list_for_each(node, &h->rtc->sessions)
		wheel_del(&h->w.wheel, &list_entry(node, struct session, node)->timer);
}

static inline void harness_advance(struct harness *h, uint64_t us)
{
	enum { STEP_US = 5000 };
	for (uint64_t end = h->w.now_us + us; h->w.now_us < end;) {
		h->w.now_us += MIN(end - h->w.now_us, (uint64_t)STEP_US);
		harness_hush_ice(h);
		wheel_run(&h->w.wheel, h->w.now_us);
		rtc_end_turn(h->rtc);
	}
}

/* The server's half of a client; NULL when it is gone. */
static inline struct participant *server_side(struct client *c)
{
	return rooms_participant(c->h->rooms, c->conn);
}

/* As if ICE and DTLS had done their work. */
static inline void harness_enter(struct peer *peer, enum session_state state)
{
	peer->session->state = state;
	peer->session->ops->state(peer->session->arg, state);
}

/* ------------------------------------------------------------------ client: descriptions */

static inline void client_print_section(const struct client *c, unsigned i, struct buf *b)
{
	const struct client_section *s = &c->section[i];
	const char *kind = s->is_video ? "video" : "audio";
	buf_printf(b, "m=%s 9 UDP/TLS/RTP/SAVPF %s\r\nc=IN IP4 0.0.0.0\r\n", kind, s->is_video ? "96 97" : "111");
	buf_printf(b, "a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\n"
		      "a=fingerprint:sha-256 " FAKE_FINGERPRINT "\r\na=setup:actpass\r\n"
		      "a=mid:%u\r\na=%s\r\na=rtcp-mux\r\n",
		i + 1, sdp_dir_text(s->direction));
	if (s->is_video)
		buf_add_str(b, "a=rtpmap:96 VP8/90000\r\na=rtcp-fb:96 nack\r\na=rtcp-fb:96 nack pli\r\n"
			       "a=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n");
	else
		buf_add_str(b, "a=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10\r\n");
	if (s->track[0])
		buf_printf(b, "a=msid:- %s\r\na=ssrc:%u cname:x\r\n", s->track, 1000 + i);
}

static inline char *client_print_offer(const struct client *c)
{
	struct buf b;
	buf_init(&b, 1 << 20);
	buf_add_str(&b, "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0");
	for (unsigned i = 0; i < c->n_sections; i++)
		buf_printf(&b, " %u", i + 1);
	buf_add_str(&b, "\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\n"
			"a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\n"
			"a=fingerprint:sha-256 " FAKE_FINGERPRINT "\r\na=setup:actpass\r\na=mid:0\r\n"
			"a=sctp-port:5000\r\na=max-message-size:262144\r\n");
	for (unsigned i = 0; i < c->n_sections; i++)
		client_print_section(c, i, &b);
	return buf_take(&b);
}

static inline Livekit__SignalRequest *request_new(Livekit__SignalRequest__MessageCase kind)
{
	Livekit__SignalRequest *req = XNEW(Livekit__SignalRequest);
	livekit__signal_request__init(req);
	req->message_case = kind;
	return req;
}

/* Takes req. */
static inline void client_send(struct client *c, Livekit__SignalRequest *req)
{
	assert_true(c->n_outbox < HELD_MAX);
	c->outbox[c->n_outbox++] = req;
}

static inline Livekit__SessionDescription *description_new(const char *type, char *sdp, uint32_t id)
{
	Livekit__SessionDescription *d = XNEW(Livekit__SessionDescription);
	livekit__session_description__init(d);
	d->type = xstrdup(type);
	d->sdp = sdp;
	PB_SET(d, id, id);
	return d;
}

static inline unsigned client_add_section(struct client *c, bool is_video, enum sdp_dir direction)
{
	assert_true(c->n_sections < SECTIONS_MAX);
	c->section[c->n_sections] =
		(struct client_section){.is_video = is_video, .direction = direction};
	return c->n_sections++;
}

/* Offers now, or after the answer to the offer under way. */
static inline void client_negotiate(struct client *c)
{
	if (c->offer_pending) {
		c->renegotiate = true;
		return;
	}
	c->offer_pending = true;
	c->offers++;
	Livekit__SignalRequest *req = request_new(LIVEKIT__SIGNAL_REQUEST__MESSAGE_OFFER);
	req->offer = description_new("offer", client_print_offer(c), ++c->offer_id);
	client_send(c, req);
}

static inline struct sdp *sdp_of(const Livekit__SessionDescription *d)
{
	struct sdp *s;
	struct errbuf eb = {""};
	if (sdp_parse(&s, slice_str(d->sdp), &eb) != 0)
		fail_msg("%s\n%s", eb.text, d->sdp);
	return s;
}

static inline const char *mapped(const Livekit__SessionDescription *d, const char *mid)
{
	for (size_t i = 0; i < d->n_mid_to_track_id; i++)
		if (strcmp(pb_str(d->mid_to_track_id[i]->key), mid) == 0)
			return pb_str(d->mid_to_track_id[i]->value);
	return "";
}

static inline void client_take_answer(struct client *c, const Livekit__SessionDescription *d)
{
	if (d->id != c->offer_id)
		return;
	assert_true(c->offer_pending);
	struct sdp *s = sdp_of(d);
	assert_true(s->n_media <= c->n_sections + 1);
	for (unsigned i = 1; i < s->n_media; i++) {
		const struct sdp_media *m = &s->media[i];
		bool sends = m->direction == SDP_SENDONLY && m->track;
		PRINT(c->section[i - 1].carries, ID_CAP, "%s", sends ? m->track : "");
		if (c->is_single) /* the map says the same as the section */
			assert_string_equal(mapped(d, m->mid), sends ? m->track : "");
	}
	sdp_free(s);
	c->offer_pending = false;
	if (c->renegotiate) {
		c->renegotiate = false;
		client_negotiate(c);
	}
}

static inline void client_answer(struct client *c, const Livekit__SessionDescription *d)
{
	struct errbuf eb = {""};
	if (jsep_set_remote_offer(c->down, slice_str(d->sdp), &eb) != 0)
		fail_msg("%s", eb.text);
	struct buf out;
	buf_init(&out, 1 << 20);
	assert_int_equal(jsep_create_answer(c->down, &out), 0);
	struct sdp *s = sdp_of(d);
	memset(c->down_carries, 0, sizeof c->down_carries);
	for (unsigned i = 0; i < s->n_media; i++)
		if (s->media[i].direction == SDP_SENDONLY && s->media[i].track) {
			PRINT(c->down_carries[i], ID_CAP, "%s", s->media[i].track);
			assert_string_equal(mapped(d, s->media[i].mid), s->media[i].track);
		}
	sdp_free(s);
	Livekit__SignalRequest *req = request_new(LIVEKIT__SIGNAL_REQUEST__MESSAGE_ANSWER);
	req->answer = description_new("answer", buf_take(&out), d->id);
	client_send(c, req);
}

/* ------------------------------------------------------------------ client: one message at a time */

static inline void client_react(struct client *c, const Livekit__SignalResponse *m)
{
	switch (m->message_case) {
	case LIVEKIT__SIGNAL_RESPONSE__MESSAGE_ANSWER: client_take_answer(c, m->answer); return;
	case LIVEKIT__SIGNAL_RESPONSE__MESSAGE_OFFER: client_answer(c, m->offer); return;
	case LIVEKIT__SIGNAL_RESPONSE__MESSAGE_MEDIA_SECTIONS_REQUIREMENT:
		if (c->ignores_requirements)
			return;
		for (uint32_t i = 0; i < m->media_sections_requirement->num_audios; i++)
			(void)client_add_section(c, false, SDP_RECVONLY);
		for (uint32_t i = 0; i < m->media_sections_requirement->num_videos; i++)
			(void)client_add_section(c, true, SDP_RECVONLY);
		client_negotiate(c);
		return;
	default: return;
	}
}

/* The client reads its next message. False if there is none. */
static inline bool client_read(struct client *c)
{
	if (!c->n_inbox)
		return false;
	Livekit__SignalResponse *m = c->inbox[0];
	memmove(c->inbox, c->inbox + 1, --c->n_inbox * sizeof *c->inbox);
	assert_true(c->n_seen < INBOX_MAX);
	c->seen[c->n_seen++] = m;
	if (!c->is_closed)
		client_react(c, m);
	return true;
}

/* The client's next message reaches the server. False if there is none. */
static inline bool client_deliver(struct client *c)
{
	if (!c->n_outbox)
		return false;
	Livekit__SignalRequest *req = c->outbox[0];
	memmove(c->outbox, c->outbox + 1, --c->n_outbox * sizeof *c->outbox);
	if (!c->is_closed)
		signal_dispatch(c->h->rooms, c->conn, req);
	pb_free(req);
	rtc_end_turn(c->h->rtc);
	return true;
}

/* Everything arrives, and short delays pass, until nobody has anything to say. */
static inline void harness_settle(struct harness *h)
{
	for (unsigned idle = 0; idle < 4; idle++) {
		for (unsigned i = 0; i < h->n_clients; i++)
			while (client_read(h->clients[i]) || client_deliver(h->clients[i]))
				idle = 0;
		harness_advance(h, 10 * US_PER_MS);
	}
}

/* ------------------------------------------------------------------ client: what it does */

struct joining {
	const char *identity;
	bool is_dual, no_auto_subscribe, adaptive_stream, is_reconnect, no_offer;
	int32_t protocol; /* 0 = today's */
	struct video_grant grant;
	Livekit__ParticipantInfo__Kind kind;
};

static inline struct grants *grants_for(const struct harness *h, const struct joining *how)
{
	struct grants *g = XNEW(struct grants);
	g->api_key = xstrdup("key");
	g->identity = xstrdup(how->identity);
	g->expires_s = clock_wall_us() / US_PER_S + 3600;
	g->kind = how->kind;
	g->has_video = true;
	g->video = how->grant;
	g->video.room_join = true;
	g->video.room = xstrdup(h->join_room);
	return g;
}

static inline struct client *client_new(struct harness *h, const struct joining *how)
{
	assert_true(h->n_clients < CLIENTS_MAX);
	struct client *c = XNEW(struct client);
	h->clients[h->n_clients++] = c;
	c->h = h;
	c->conn = ++h->next_conn;
	c->is_single = !how->is_dual;
	c->protocol = how->protocol ? how->protocol : 17;
	PRINT(c->identity, sizeof c->identity, "%s", how->identity);
	if (how->is_dual) {
		struct jsep_cfg cfg = {.role = JSEP_ROLE_PUBLISHER,
			.ufrag = "efgh",
			.pwd = "abcdefghijklmnopqrstuvwx",
			.fingerprint = "sha-256 " FAKE_FINGERPRINT,
			.session_id = 1};
		c->down = jsep_new(&cfg);
		assert_non_null(c->down);
	}
	return c;
}

static inline struct client *client_join(struct harness *h, const struct joining *how)
{
	struct client *c = client_new(h, how);
	Livekit__ClientInfo info = LIVEKIT__CLIENT_INFO__INIT;
	PB_SET(&info, protocol, c->protocol);
	Livekit__JoinRequest request = LIVEKIT__JOIN_REQUEST__INIT;
	request.client_info = &info;
	Livekit__SessionDescription *offer = NULL;
	if (c->is_single && !how->no_offer) {
		for (unsigned i = 0; i < 6; i++)
			(void)client_add_section(c, i >= 3, SDP_RECVONLY);
		c->offer_pending = true;
		c->offers++;
		offer = description_new("offer", client_print_offer(c), ++c->offer_id);
		request.publisher_offer = offer;
	}
	struct room_join join = {
		.conn = c->conn,
		.grants = grants_for(h, how),
		.request = &request,
		.is_single_pc = c->is_single,
		.auto_subscribe = !how->no_auto_subscribe,
		.adaptive_stream = how->adaptive_stream,
		.is_reconnect = how->is_reconnect,
	};
	assert_int_equal(registry_announce(h->registry, h->join_room), 0);
	rooms_join(h->rooms, &join);
	rtc_end_turn(h->rtc);
	pb_free(offer);
	return c;
}

#define JOIN(h, ...) client_join(h, &(struct joining){__VA_ARGS__})

static inline void client_add_track(struct client *c, bool is_video, const char *cid)
{
	Livekit__SignalRequest *req = request_new(LIVEKIT__SIGNAL_REQUEST__MESSAGE_ADD_TRACK);
	Livekit__AddTrackRequest *add = XNEW(Livekit__AddTrackRequest);
	livekit__add_track_request__init(add);
	add->cid = xstrdup(cid);
	add->name = xstrdup("track");
	PB_SET(add, type, is_video ? LIVEKIT__TRACK_TYPE__VIDEO : LIVEKIT__TRACK_TYPE__AUDIO);
	PB_SET(add, source,
		is_video ? LIVEKIT__TRACK_SOURCE__CAMERA : LIVEKIT__TRACK_SOURCE__MICROPHONE);
	req->add_track = add;
	client_send(c, req);
}

/* The section is ready to be offered with the track. Returns its number. */
static inline unsigned client_add_sending(struct client *c, bool is_video, const char *cid)
{
	unsigned i = client_add_section(c, is_video, SDP_SENDONLY);
	PRINT(c->section[i].track, sizeof c->section[i].track, "%s", cid);
	return i;
}

/* Announces a track and offers it, as an SDK does. Returns its section. */
static inline unsigned client_publish(struct client *c, bool is_video)
{
	char cid[32];
	PRINT(cid, sizeof cid, "%.8s-%u", c->identity, c->next_track++);
	client_add_track(c, is_video, cid);
	unsigned i = client_add_sending(c, is_video, cid);
	client_negotiate(c);
	return i;
}

static inline void client_unpublish(struct client *c, unsigned section)
{
	c->section[section].track[0] = '\0';
	c->section[section].direction = SDP_INACTIVE;
	client_negotiate(c);
}

/* It no longer holds its connection. */
static inline void client_vanish(struct client *c)
{
	c->is_closed = true;
	rooms_conn_closed(c->h->rooms, c->conn);
	rtc_end_turn(c->h->rtc);
}

static inline void client_subscribe(struct client *c, const char *sid, bool is_wanted)
{
	Livekit__SignalRequest *req = request_new(LIVEKIT__SIGNAL_REQUEST__MESSAGE_SUBSCRIPTION);
	Livekit__UpdateSubscription *sub = XNEW(Livekit__UpdateSubscription);
	livekit__update_subscription__init(sub);
	sub->n_track_sids = 1;
	sub->track_sids = xcalloc(1, sizeof(char *));
	sub->track_sids[0] = xstrdup(sid);
	PB_SET(sub, subscribe, is_wanted);
	req->subscription = sub;
	client_send(c, req);
}

static inline void client_track_setting(
	struct client *c, const char *sid, uint32_t width, bool is_disabled)
{
	Livekit__SignalRequest *req = request_new(LIVEKIT__SIGNAL_REQUEST__MESSAGE_TRACK_SETTING);
	Livekit__UpdateTrackSettings *set = XNEW(Livekit__UpdateTrackSettings);
	livekit__update_track_settings__init(set);
	set->n_track_sids = 1;
	set->track_sids = xcalloc(1, sizeof(char *));
	set->track_sids[0] = xstrdup(sid);
	PB_SET(set, width, width);
	PB_SET(set, height, width * 9 / 16);
	PB_SET(set, disabled, is_disabled);
	req->track_setting = set;
	client_send(c, req);
}

/* ------------------------------------------------------------------ looking at the result */

static inline unsigned client_times_carried(const struct client *c, const char *sid)
{
	unsigned n = 0;
	for (unsigned i = 0; i < SECTIONS_MAX; i++) {
		const char *carried = c->is_single ? c->section[i].carries : c->down_carries[i];
		n += strcmp(carried, sid) == 0;
	}
	return n;
}

static inline unsigned client_n_carried(const struct client *c)
{
	unsigned n = 0;
	for (unsigned i = 0; i < SECTIONS_MAX; i++)
		n += (c->is_single ? c->section[i].carries : c->down_carries[i])[0] != '\0';
	return n;
}

/* Everybody receives each track of each other exactly once, the server believes so too, and nothing else is sent. */
static inline void harness_check_all_see_all(struct harness *h)
{
	for (unsigned i = 0; i < h->n_clients; i++) {
		struct client *c = h->clients[i];
		struct participant *p = server_side(c);
		if (!p)
			continue;
		unsigned n = 0;
		list_for_each(node, &p->room->participants) {
			struct participant *other = list_entry(node, struct participant, node);
			if (other == p)
				continue;
			list_for_each(track, &other->tracks) {
				const char *sid = list_entry(track, struct track, node)->info->sid;
				if (client_times_carried(c, sid) != 1)
					fail_msg("%s has %s of %s %u times", c->identity, sid,
						other->grants->identity,
						client_times_carried(c, sid));
				n++;
			}
		}
		assert_int_equal(client_n_carried(c), n);
		list_for_each(node, &p->subscriptions) {
			struct subscription *sub =
				list_entry(node, struct subscription, by_participant);
			assert_int_equal(sub->state, SUB_ACTIVE);
			assert_non_null(sub->down);
		}
	}
}

/* The last message of this kind that the client has read; there must be one. */
static inline const Livekit__SignalResponse *last_of(
	const struct client *c, Livekit__SignalResponse__MessageCase kind)
{
	for (unsigned i = c->n_seen; i-- > 0;)
		if (c->seen[i]->message_case == kind)
			return c->seen[i];
	fail_msg("%s got no message of kind %d", c->identity, (int)kind);
	abort();
}

#define LAST(c, KIND) last_of(c, LIVEKIT__SIGNAL_RESPONSE__MESSAGE_##KIND)

static inline unsigned count_of(
	const struct client *c, Livekit__SignalResponse__MessageCase kind)
{
	unsigned n = 0;
	for (unsigned i = 0; i < c->n_seen; i++)
		n += c->seen[i]->message_case == kind;
	return n;
}

#define COUNT(c, KIND) count_of(c, LIVEKIT__SIGNAL_RESPONSE__MESSAGE_##KIND)
#define HAS(c, KIND) (COUNT(c, KIND) > 0)

static inline void client_forget(struct client *c)
{
	for (unsigned i = 0; i < c->n_seen; i++)
		pb_free(c->seen[i]);
	c->n_seen = 0;
}

static inline const Livekit__ParticipantInfo *find_told_about(
	const struct client *c, const char *identity)
{
	for (unsigned i = c->n_seen; i-- > 0;) {
		const Livekit__SignalResponse *m = c->seen[i];
		if (m->message_case != LIVEKIT__SIGNAL_RESPONSE__MESSAGE_UPDATE)
			continue;
		for (size_t k = 0; k < m->update->n_participants; k++)
			if (strcmp(m->update->participants[k]->identity, identity) == 0)
				return m->update->participants[k];
	}
	return NULL;
}

static inline bool is_told_about(const struct client *c, const char *identity)
{
	return find_told_about(c, identity) != NULL;
}

/* What the client was last told about somebody since client_forget; there must be something. */
static inline const Livekit__ParticipantInfo *told_about(
	const struct client *c, const char *identity)
{
	const Livekit__ParticipantInfo *info = find_told_about(c, identity);
	if (info)
		return info;
	fail_msg("%s was told nothing about %s", c->identity, identity);
	abort();
}

static inline void assert_left(const struct client *c, Livekit__DisconnectReason reason,
	Livekit__LeaveRequest__Action action)
{
	const Livekit__SignalResponse *m = LAST(c, LEAVE);
	assert_true(c->is_closed);
	assert_int_equal(m->leave->reason, reason);
	assert_int_equal(m->leave->action, action);
}

static inline int with_harness(void **st)
{
	struct rooms_cfg cfg = harness_cfg();
	*st = harness_new(&cfg);
	return 0;
}

static inline int without_harness(void **st)
{
	harness_free(*st);
	return 0;
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, with_harness, without_harness)
