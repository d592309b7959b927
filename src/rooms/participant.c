#include <string.h>

#include "auth/token.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"
#include "rooms/rooms_internal.h"

enum {
	GOODBYE_US = 500 * 1000, /* between the end of the media and that of the signal connection */
	JOIN_TIMEOUT_US = 60 * 1000 * 1000,
	TOKEN_EVERY_US = 300 * 1000 * 1000,
	TOKEN_TTL_MIN_S = 600,
	PING_INTERVAL_S = 5,
	PING_TIMEOUT_S = 15,
	WS_NORMAL = 1000,
	ATTRIBUTES_MAX = 1000, /* in one update: each is looked for among those there are */
};

/* What SDKs decide by: features of LiveKit up to this release. Above 1.13.6 they would send layers
 * in a way not done here. */
static const char livekit_version[] = "1.13.5";

bool participant_is_hidden(const struct participant *p)
{
	return p->grants->video.hidden;
}

bool participant_sees(const struct participant *viewer, const struct participant *other)
{
	return viewer == other || !participant_is_hidden(other);
}

struct peer *participant_primary(const struct participant *p)
{
	if (p->is_single_pc || p->protocol <= 2 || !grants_can_subscribe(p->grants))
		return p->publisher;
	return p->subscriber;
}

/* ------------------------------------------------------------------ join */

struct join_parts {
	struct info_room room;
	Livekit__ServerInfo server;
	Livekit__ClientConfiguration client;
	Livekit__Codec codecs[JSEP_CODEC_N];
	Livekit__Codec *codec_ptrs[JSEP_CODEC_N];
};

static void fill_server(Livekit__ServerInfo *m, const struct rooms_cfg *cfg)
{
	livekit__server_info__init(m);
	PB_SET(m, edition, LIVEKIT__SERVER_INFO__EDITION__Standard);
	PB_SET(m, protocol, PROTOCOL_CURRENT);
	PB_SET(m, agent_protocol, 1);
	m->version = (char *)livekit_version;
	m->node_id = (char *)cfg->node_id;
	m->region = (char *)cfg->region;
}

static Livekit__ParticipantInfo **others_of(struct participant *p, size_t *n)
{
	Livekit__ParticipantInfo **all = xcalloc(p->room->n_participants, sizeof(void *));
	*n = 0;
	list_for_each(node, &p->room->participants) {
		struct participant *other = list_entry(node, struct participant, node);
		if (other != p && participant_sees(p, other))
			all[(*n)++] = info_participant(other);
	}
	return all;
}

/* The ICE servers for this participant, with credentials of its own. `ice` is what they point into. */
static void fill_ice_servers(
	struct participant *p, Livekit__JoinResponse *join, struct icelist_answer *ice)
{
	const struct rooms *r = p->room->rooms;
	struct slice secret = {0};
	const char *api_key = p->grants->api_key ? p->grants->api_key : "";
	/* A key that was taken out of the configuration makes no credentials any more. */
	bool is_known = auth_keys_secret(r->keys, slice_str(api_key), &secret);
	char *text = xstrndup(is_known ? (const char *)secret.p : "", secret.n);
	icelist_for_participant(r->cfg.ice, &(struct icelist_participant){api_key, text, p->sid},
		clock_wall_us() / US_PER_S, ice);
	secret_wipe(text, secret.n);
	xfree(text);
	join->ice_servers = xcalloc(ice->n, sizeof(void *));
	for (size_t i = 0; i < ice->n; i++) {
		const struct icelist_entry *e = &ice->entries[i];
		Livekit__ICEServer *m = XNEW(Livekit__ICEServer);
		livekit__iceserver__init(m);
		m->n_urls = e->n_urls;
		m->urls = (char **)(uintptr_t)e->urls;
		m->username = e->username ? e->username : (char *)"";
		m->credential = e->credential ? e->credential : (char *)"";
		join->ice_servers[join->n_ice_servers++] = m;
	}
}

static void free_ice_servers(Livekit__JoinResponse *join, struct icelist_answer *ice)
{
	for (size_t i = 0; i < join->n_ice_servers; i++)
		xfree(join->ice_servers[i]);
	xfree(join->ice_servers);
	icelist_answer_free(ice);
}

static void send_join(struct participant *p)
{
	const struct rooms_cfg *cfg = &p->room->rooms->cfg;
	struct join_parts parts;
	struct icelist_answer ice;
	info_room(p->room, &parts.room);
	fill_server(&parts.server, cfg);
	livekit__client_configuration__init(&parts.client);
	PB_SET(&parts.client, resume_connection, LIVEKIT__CLIENT_CONFIG_SETTING__UNSET);

	Livekit__JoinResponse join = LIVEKIT__JOIN_RESPONSE__INIT;
	join.room = &parts.room.msg;
	join.participant = info_participant(p);
	join.other_participants = others_of(p, &join.n_other_participants);
	join.server_info = &parts.server;
	join.server_version = parts.server.version;
	join.server_region = (char *)cfg->region;
	join.client_configuration = &parts.client;
	fill_ice_servers(p, &join, &ice);
	PB_SET(&join, subscriber_primary,
		p->protocol > 2 && grants_can_subscribe(p->grants) && !p->is_single_pc);
	PB_SET(&join, ping_interval, PING_INTERVAL_S);
	PB_SET(&join, ping_timeout, PING_TIMEOUT_S);
	PB_SET(&join, fast_publish, grants_can_publish(p->grants));
	PB_SET(&join, sif_trailer,
		((ProtobufCBinaryData){sizeof p->room->sif_trailer, p->room->sif_trailer}));
	join.n_enabled_publish_codecs =
		info_codecs(cfg->enabled_codecs, parts.codecs, parts.codec_ptrs);
	join.enabled_publish_codecs = parts.codec_ptrs;

	Livekit__SignalResponse res = LIVEKIT__SIGNAL_RESPONSE__INIT;
	res.message_case = LIVEKIT__SIGNAL_RESPONSE__MESSAGE_JOIN;
	res.join = &join;
	participant_send(p, &res);
	free_ice_servers(&join, &ice);
	xfree(join.other_participants);
}

void participant_send_token(struct participant *p)
{
	struct rooms *r = p->room->rooms;
	uint64_t now_s = clock_wall_us() / US_PER_S;
	uint64_t left_s = p->grants->expires_s > now_s ? p->grants->expires_s - now_s : 0;
	char *token = NULL;
	p->token_due_us = rooms_now(r) + TOKEN_EVERY_US;
	if (auth_mint(r->keys, p->grants->api_key, p->grants,
		    MAX(left_s, (uint64_t)TOKEN_TTL_MIN_S), now_s, &token) != 0)
		return; /* the key was taken out of the configuration: no new tokens by it */
	Livekit__SignalResponse res = LIVEKIT__SIGNAL_RESPONSE__INIT;
	res.message_case = LIVEKIT__SIGNAL_RESPONSE__MESSAGE_REFRESH_TOKEN;
	res.refresh_token = token;
	participant_send(p, &res);
	secret_wipe(token, strlen(token));
	xfree(token);
}

static void start_media(struct participant *p, const Livekit__JoinRequest *request)
{
	bool wants_subscriber = !p->is_single_pc && grants_can_subscribe(p->grants);
	if (p->is_single_pc)
		p->publisher = p->subscriber = peer_new(p, JSEP_ROLE_SINGLE);
	else if (wants_subscriber)
		p->subscriber = peer_new(p, JSEP_ROLE_SUBSCRIBER);
	if (!p->subscriber && (p->is_single_pc || wants_subscriber)) {
		LOG_WARN("no more sessions on this worker", F_STR("identity", p->grants->identity));
		participant_kick(p, LIVEKIT__DISCONNECT_REASON__JOIN_FAILURE,
			LIVEKIT__LEAVE_REQUEST__ACTION__DISCONNECT);
		return;
	}
	if (p->auto_subscribe)
		subscribe_to_all(p);
	for (size_t i = 0; i < request->n_add_track_requests; i++)
		participant_add_track(p, request->add_track_requests[i]);
	if (request->publisher_offer && request->publisher_offer->sdp &&
		request->publisher_offer->sdp[0])
		participant_offer(p, request->publisher_offer);
	else if (p->subscriber && !p->is_single_pc)
		peer_negotiate(p->subscriber);
}

static void on_failed(void *arg, uint64_t now_us)
{
	struct participant *p = arg;
	(void)now_us;
	if (p->said_goodbye) {
		participant_remove(p, LIVEKIT__DISCONNECT_REASON__CLIENT_INITIATED, NULL);
		return;
	}
	LOG_INFO("peer connection failed", F_STR("room", p->room->name),
		F_STR("identity", p->grants->identity));
	participant_kick(p, LIVEKIT__DISCONNECT_REASON__CONNECTION_TIMEOUT,
		LIVEKIT__LEAVE_REQUEST__ACTION__RECONNECT);
}

void participant_enter(struct room *room, struct room_join *join)
{
	const Livekit__JoinRequest *request = join->request;
	struct participant *p = XNEW(struct participant);
	p->room = room;
	p->conn = join->conn;
	p->grants = join->grants;
	p->is_single_pc = join->is_single_pc;
	p->auto_subscribe = join->auto_subscribe && grants_can_subscribe(p->grants);
	p->adaptive_stream = join->adaptive_stream;
	p->is_dependent = p->grants->video.agent || p->grants->video.recorder ||
			  p->grants->kind == LIVEKIT__PARTICIPANT_INFO__KIND__AGENT ||
			  p->grants->kind == LIVEKIT__PARTICIPANT_INFO__KIND__EGRESS;
	p->joined_us = rooms_now(room->rooms);
	if (request->client_info) {
		p->protocol = request->client_info->protocol;
		p->sdk = request->client_info->sdk;
	}
	rng_id(p->sid, "PA_");
	list_init(&p->pending);
	list_init(&p->tracks);
	list_init(&p->subscriptions);
	list_init(&p->awaited);
	list_init(&p->data_queue);
	timer_init(&p->failed, on_failed, p);
	p->info = info_participant_new(p, request->client_info);
	info_set_grants(p);

	list_push(&room->participants, &p->node);
	room->n_participants++;
	map_put(&room->by_identity, slice_str(p->grants->identity), p);
	map_put(&room->rooms->by_conn, slice_of(&p->conn, sizeof p->conn), p);
	room_changed(room);
	metric_inc(M_PARTICIPANTS);
	metric_inc(M_JOINS);
	LOG_INFO("participant joined", F_STR("room", room->name), F_STR("identity", p->grants->identity),
		F_STR("sid", p->sid), F_INT("protocol", p->protocol), F_BOOL("single_pc", p->is_single_pc),
		F_STR("sdk", request->client_info ? pb_str(request->client_info->version) : ""));

	PB_SET(p->info, state, LIVEKIT__PARTICIPANT_INFO__STATE__JOINED);
	send_join(p);
	participant_send_token(p);
	room_broadcast(p, false);
	start_media(p, request);
}

/* ------------------------------------------------------------------ leaving */

static void send_leave(struct participant *p, const Livekit__LeaveRequest *leave)
{
	Livekit__SignalResponse res = LIVEKIT__SIGNAL_RESPONSE__INIT;
	res.message_case = LIVEKIT__SIGNAL_RESPONSE__MESSAGE_LEAVE;
	res.leave = (Livekit__LeaveRequest *)leave;
	participant_send(p, &res);
}

void participant_remove(
	struct participant *p, Livekit__DisconnectReason reason, const Livekit__LeaveRequest *leave)
{
	if (p->is_leaving)
		return;
	p->is_leaving = true;
	struct room *room = p->room;
	struct rooms *r = room->rooms;
	if (leave)
		send_leave(p, leave);
	if (p->conn) {
		r->ops->close(r->arg, p->conn, WS_NORMAL);
		map_del(&r->by_conn, slice_of(&p->conn, sizeof p->conn));
		p->conn = 0;
	}
	wheel_del(&r->worker->wheel, &p->failed);
	subscribe_remove_all(p);
	publish_remove_all(p);
	PB_SET(p->info, state, LIVEKIT__PARTICIPANT_INFO__STATE__DISCONNECTED);
	PB_SET(p->info, disconnect_reason, reason);
	room_announce_leave(p, reason);

	if (p->publisher && p->publisher != p->subscriber)
		peer_free(p->publisher);
	peer_free(p->subscriber);
	if (map_get(&room->by_identity, slice_str(p->grants->identity)) == p)
		map_del(&room->by_identity, slice_str(p->grants->identity));
	list_del(&p->node);
	room->n_participants--;
	room_changed(room);
	metric_sub(M_PARTICIPANTS, 1);
	LOG_INFO("participant left", F_STR("room", room->name), F_STR("identity", p->grants->identity),
		F_STR("sid", p->sid), F_INT("reason", reason),
		F_UINT("seconds", (rooms_now(r) - p->joined_us) / US_PER_S));
	data_free(p);
	info_participant_free(p);
	grants_free(p->grants);
	xfree(p);
}

void participant_kick(struct participant *p, Livekit__DisconnectReason reason,
	Livekit__LeaveRequest__Action action)
{
	Livekit__LeaveRequest leave = LIVEKIT__LEAVE_REQUEST__INIT;
	PB_SET(&leave, reason, reason);
	PB_SET(&leave, action, action);
	PB_SET(&leave, can_reconnect, action != LIVEKIT__LEAVE_REQUEST__ACTION__DISCONNECT);
	participant_remove(p, reason, &leave);
}

void participant_leave(struct participant *p, const Livekit__LeaveRequest *req)
{
	(void)req;
	participant_remove(p, LIVEKIT__DISCONNECT_REASON__CLIENT_INITIATED, NULL);
}

/* ------------------------------------------------------------------ states */

static void become_active(struct participant *p)
{
	if (p->info->state == LIVEKIT__PARTICIPANT_INFO__STATE__ACTIVE)
		return;
	PB_SET(p->info, state, LIVEKIT__PARTICIPANT_INFO__STATE__ACTIVE);
	LOG_INFO("participant active", F_STR("room", p->room->name), F_STR("identity", p->grants->identity),
		F_UINT("ms", (rooms_now(p->room->rooms) - p->joined_us) / US_PER_MS));
	room_broadcast(p, true);
}

void participant_peer_changed(struct participant *p, struct peer *peer, enum session_state state)
{
	struct rooms *r = p->room->rooms;
	if (p->is_leaving)
		return;
	if (state == SESSION_CONNECTED && peer == participant_primary(p))
		become_active(p);
	else if (state == SESSION_FAILED || state == SESSION_CLOSED)
		wheel_set(&r->worker->wheel, &p->failed,
			rooms_now(r) + (state == SESSION_CLOSED ? GOODBYE_US : 0));
	p->said_goodbye |= state == SESSION_CLOSED;
}

void participant_tick(struct participant *p, uint64_t now_us)
{
	bool is_active = p->info->state == LIVEKIT__PARTICIPANT_INFO__STATE__ACTIVE;
	if (!is_active && now_us - p->joined_us > JOIN_TIMEOUT_US) {
		participant_kick(p, LIVEKIT__DISCONNECT_REASON__JOIN_FAILURE,
			LIVEKIT__LEAVE_REQUEST__ACTION__DISCONNECT);
		return;
	}
	if (now_us >= p->token_due_us)
		participant_send_token(p);
	if (p->subscriber)
		peer_repeat(p->subscriber, now_us);
	subscribe_tick(p, now_us);
}

/* ------------------------------------------------------------------ own metadata */

static void respond(struct participant *p, const Livekit__UpdateParticipantMetadata *req,
	Livekit__RequestResponse__Reason reason, const char *text)
{
	bool is_ok = reason == LIVEKIT__REQUEST_RESPONSE__REASON__OK;
	if (is_ok && p->protocol <= PROTOCOL_OK_RESPONSES)
		return;
	Livekit__RequestResponse answer = LIVEKIT__REQUEST_RESPONSE__INIT;
	PB_SET(&answer, request_id, req->request_id);
	PB_SET(&answer, reason, reason);
	answer.message = (char *)text;
	answer.request_case = LIVEKIT__REQUEST_RESPONSE__REQUEST_UPDATE_METADATA;
	answer.update_metadata = (Livekit__UpdateParticipantMetadata *)req;
	Livekit__SignalResponse res = LIVEKIT__SIGNAL_RESPONSE__INIT;
	res.message_case = LIVEKIT__SIGNAL_RESPONSE__MESSAGE_REQUEST_RESPONSE;
	res.request_response = &answer;
	participant_send(p, &res);
}

/* The bytes of the attributes as they would be: a value that is given anew counts instead of the old one. */
static size_t attributes_size(
	const struct participant *p, const Livekit__UpdateParticipantMetadata *req)
{
	size_t n = 0;
	for (size_t i = 0; i < req->n_attributes; i++)
		n += strlen(pb_str(req->attributes[i]->key)) +
		     strlen(pb_str(req->attributes[i]->value));
	for (size_t i = 0; i < p->grants->n_attributes; i++) {
		const struct grant_attribute *a = &p->grants->attributes[i];
		bool is_replaced = false;
		for (size_t k = 0; k < req->n_attributes && !is_replaced; k++)
			is_replaced = strcmp(pb_str(req->attributes[k]->key), a->key) == 0;
		if (!is_replaced)
			n += strlen(a->key) + strlen(a->value);
	}
	return n;
}

static bool exceeds(size_t n, size_t limit)
{
	return limit && n > limit;
}

void participant_update_metadata(
	struct participant *p, const Livekit__UpdateParticipantMetadata *req)
{
	const struct rooms_cfg *cfg = &p->room->rooms->cfg;
	if (!grants_can_update_own_metadata(p->grants)) {
		respond(p, req, LIVEKIT__REQUEST_RESPONSE__REASON__NOT_ALLOWED,
			"does not have permission to update own metadata");
		return;
	}
	if (exceeds(strlen(pb_str(req->metadata)), cfg->max_metadata_bytes) ||
		exceeds(strlen(pb_str(req->name)), cfg->max_name_length) ||
		req->n_attributes > ATTRIBUTES_MAX ||
		exceeds(attributes_size(p, req), cfg->max_attributes_bytes)) {
		respond(p, req, LIVEKIT__REQUEST_RESPONSE__REASON__LIMIT_EXCEEDED,
			"metadata, name or attributes exceed a size limit");
		return;
	}
	if (pb_str(req->metadata)[0])
		grants_set(&p->grants->metadata, req->metadata);
	if (pb_str(req->name)[0])
		grants_set(&p->grants->name, req->name);
	for (size_t i = 0; i < req->n_attributes; i++)
		if (pb_str(req->attributes[i]->key)[0])
			grants_set_attribute(p->grants, req->attributes[i]->key,
				pb_str(req->attributes[i]->value));
	info_set_grants(p);
	respond(p, req, LIVEKIT__REQUEST_RESPONSE__REASON__OK, "");
	room_broadcast(p, true);
	participant_send_token(p);
}
