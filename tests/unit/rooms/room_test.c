/* Who is in a room: joining, being seen, leaving, and how long the room itself lives. */
#include "harness.h"
#include "turn/participant.h"

static void read_all(struct client *c)
{
	while (client_read(c))
		;
}

static void join_tells_what_a_client_needs(void **st)
{
	struct harness *h = *st;
	struct client *ann = JOIN(h, .identity = "ann");
	struct client *eve = JOIN(h, .identity = "eve", .is_dual = true);
	struct client *deaf = JOIN(h, .identity = "deaf", .is_dual = true, .grant.can_subscribe = GRANT_NO);
	read_all(ann), read_all(eve), read_all(deaf);
	assert_int_equal(ann->seen[0]->message_case, LIVEKIT__SIGNAL_RESPONSE__MESSAGE_JOIN);
	assert_int_equal(
		ann->seen[1]->message_case, LIVEKIT__SIGNAL_RESPONSE__MESSAGE_REFRESH_TOKEN);
	const Livekit__JoinResponse *join = eve->seen[0]->join;
	assert_memory_equal(join->room->sid, "RM_", 3);
	assert_string_equal(join->room->name, "room");
	assert_memory_equal(join->participant->sid, "PA_", 3);
	assert_int_equal(join->participant->state, LIVEKIT__PARTICIPANT_INFO__STATE__JOINED);
	assert_true(join->participant->permission->can_publish);
	assert_int_equal(join->n_other_participants, 1);
	assert_string_equal(join->other_participants[0]->identity, "ann");
	assert_true(join->subscriber_primary);
	assert_false(ann->seen[0]->join->subscriber_primary);
	assert_false(deaf->seen[0]->join->subscriber_primary);
	assert_int_equal(join->ping_timeout, 15);
	assert_int_equal(join->ping_interval, 5);
	assert_true(join->sif_trailer.len > 0);
	assert_string_equal(join->server_version, "1.13.5");
	assert_string_equal(join->enabled_publish_codecs[0]->mime, "video/VP8");
	assert_true(join->fast_publish);
}

static const Livekit__ICEServer *ice_server(struct client *c, const char *url)
{
	read_all(c);
	const Livekit__JoinResponse *join = c->seen[0]->join;
	for (size_t i = 0; i < join->n_ice_servers; i++)
		if (strcmp(join->ice_servers[i]->urls[0], url) == 0)
			return join->ice_servers[i];
	return NULL;
}

/* Credentials of TURN servers are each participant's own; a reload changes what those who come later get. */
static void join_tells_the_ice_servers(void **st)
{
	struct harness *h = *st;
	assert_null(ice_server(JOIN(h, .identity = "early"), "stun:h:3478"));
	static const char *const stun[] = {"stun:h:3478"}, *const turn[] = {"turn:h:3478"};
	const struct icelist_turn server = {.urls = turn, .n_urls = 1, .secret = "shared-secret", .ttl_s = 3600};
	struct addr ip;
	assert_int_equal(addr_parse_ip(&ip, slice_str("192.0.2.1"), 0), 0);
	struct icelist *l = icelist_new(&(struct icelist_cfg){.stun_urls = stun,
		.n_stun_urls = 1,
		.turn = &server,
		.n_turn = 1,
		.embedded = {.has_stun = true,
			.has_relay = true,
			.ips = &ip,
			.n_ips = 1,
			.tcp_port = 3478,
			.ttl_s = 300}});
	struct rooms_cfg cfg = h->cfg;
	cfg.ice = l;
	rooms_reload(h->rooms, &cfg, h->keys);
	icelist_unref(l);

	struct client *ann = JOIN(h, .identity = "ann"), *eve = JOIN(h, .identity = "eve");
	const Livekit__ICEServer *plain = ice_server(ann, "stun:h:3478");
	assert_non_null(plain);
	assert_string_equal(pb_str(plain->username), "");
	uint64_t now_s = clock_wall_us() / US_PER_S;
	const Livekit__ICEServer *rest[2] = {ice_server(ann, "turn:h:3478"), ice_server(eve, "turn:h:3478")};
	struct client *both[2] = {ann, eve};
	for (int i = 0; i < 2; i++) {
		char *colon, password[ICELIST_PASSWORD_CAP];
		assert_non_null(rest[i]);
		uint64_t expires_s = strtoull(rest[i]->username, &colon, 10);
		assert_in_range(expires_s, now_s + 3590, now_s + 3600);
		assert_string_equal(colon + 1, server_side(both[i])->sid);
		icelist_rest_password(slice_str("shared-secret"), slice_str(rest[i]->username), password);
		assert_string_equal(rest[i]->credential, password);
	}

	const char *own_url = "turn:192.0.2.1:3478?transport=tcp";
	const Livekit__ICEServer *own = ice_server(eve, own_url);
	struct turn_participant p;
	char password[TURN_PARTICIPANT_PASSWORD_CAP];
	assert_non_null(own);
	assert_int_equal(turn_participant_parse(slice_str(own->username), &p), 0);
	assert_string_equal(p.api_key, "key");
	assert_string_equal(p.sid, server_side(eve)->sid);
	assert_in_range(p.expires_s, now_s + 290, now_s + 300);
	turn_participant_password(&p, "a-secret-of-more-than-32-characters", password);
	assert_string_equal(own->credential, password);

	rooms_reload(h->rooms, &h->cfg, h->keys);
	struct client *late = JOIN(h, .identity = "late");
	read_all(late);
	assert_int_equal(late->seen[0]->join->n_ice_servers, 0);
}

static void the_others_are_told(void **st)
{
	struct harness *h = *st;
	struct client *ann = JOIN(h, .identity = "ann");
	struct client *bob = JOIN(h, .identity = "bob");
	harness_settle(h);
	const Livekit__ParticipantInfo *info = told_about(ann, "bob");
	assert_int_equal(info->state, LIVEKIT__PARTICIPANT_INFO__STATE__JOINED);
	uint32_t version = info->version;
	client_forget(bob);
	harness_enter(server_side(bob)->publisher, SESSION_CONNECTED);
	harness_settle(h);
	info = told_about(ann, "bob");
	assert_int_equal(info->state, LIVEKIT__PARTICIPANT_INFO__STATE__ACTIVE);
	assert_true(info->version > version);
	assert_true(is_told_about(bob, "bob"));
	version = info->version;
	client_send(bob, request_new(LIVEKIT__SIGNAL_REQUEST__MESSAGE_LEAVE));
	bob->outbox[0]->leave = XNEW(Livekit__LeaveRequest);
	livekit__leave_request__init(bob->outbox[0]->leave);
	harness_settle(h);
	info = told_about(ann, "bob");
	assert_int_equal(info->state, LIVEKIT__PARTICIPANT_INFO__STATE__DISCONNECTED);
	assert_int_equal(info->disconnect_reason, LIVEKIT__DISCONNECT_REASON__CLIENT_INITIATED);
	assert_true(info->version > version);
	assert_true(bob->is_closed);
	assert_int_equal(bob->closed_with, 1000);
	assert_false(HAS(bob, LEAVE));
}

static void a_lost_connection_is_a_leave(void **st)
{
	struct harness *h = *st;
	struct client *ann = JOIN(h, .identity = "ann");
	struct client *bob = JOIN(h, .identity = "bob");
	(void)client_publish(bob, true);
	harness_settle(h);
	client_vanish(bob);
	harness_settle(h);
	assert_int_equal(told_about(ann, "bob")->disconnect_reason,
		LIVEKIT__DISCONNECT_REASON__SIGNAL_CLOSE);
	assert_int_equal(rooms_participant_count(h->rooms), 1);
	assert_int_equal(client_n_carried(ann), 0);
	rooms_conn_closed(h->rooms, bob->conn); /* twice does no harm */
}

static void the_newer_of_two_with_one_identity_stays(void **st)
{
	struct harness *h = *st;
	struct client *old_viewer = JOIN(h, .identity = "old", .protocol = 11);
	struct client *new_viewer = JOIN(h, .identity = "new", .protocol = 12);
	struct client *first = JOIN(h, .identity = "bob");
	harness_settle(h);
	client_forget(old_viewer), client_forget(new_viewer);
	struct client *second = JOIN(h, .identity = "bob");
	harness_settle(h);
	assert_left(first, LIVEKIT__DISCONNECT_REASON__DUPLICATE_IDENTITY,
		LIVEKIT__LEAVE_REQUEST__ACTION__DISCONNECT);
	assert_non_null(server_side(second));
	assert_ptr_equal(room_by_identity(server_side(second)->room, "bob"), server_side(second));
	/* Both hear of the new one; only the older client is told first that the other left. */
	assert_int_equal(COUNT(old_viewer, UPDATE), 2);
	assert_int_equal(COUNT(new_viewer, UPDATE), 1);
	assert_string_equal(told_about(new_viewer, "bob")->sid, server_side(second)->sid);
}

static void a_full_room_takes_no_more(void **st)
{
	struct harness *h = *st;
	h->rooms->cfg.max_participants = 2;
	(void)JOIN(h, .identity = "agent", .kind = LIVEKIT__PARTICIPANT_INFO__KIND__AGENT);
	struct client *ann = JOIN(h, .identity = "ann");
	(void)JOIN(h, .identity = "bob");
	struct client *eve = JOIN(h, .identity = "eve");
	struct client *again = JOIN(h, .identity = "ann");
	read_all(eve), read_all(ann), read_all(again);
	assert_int_equal(eve->n_seen, 1);
	assert_left(eve, LIVEKIT__DISCONNECT_REASON__JOIN_FAILURE,
		LIVEKIT__LEAVE_REQUEST__ACTION__DISCONNECT);
	assert_true(ann->is_closed);
	assert_false(again->is_closed);
	assert_int_equal(rooms_participant_count(h->rooms), 3);
}

static void rooms_are_limited(void **st)
{
	struct harness *h = *st;
	h->rooms->cfg.max_rooms = 1;
	(void)JOIN(h, .identity = "ann");
	PRINT(h->join_room, sizeof h->join_room, "second");
	struct client *bob = JOIN(h, .identity = "bob");
	PRINT(h->join_room, sizeof h->join_room, "room");
	struct client *cyd = JOIN(h, .identity = "cyd");
	read_all(bob), read_all(cyd);
	assert_left(bob, LIVEKIT__DISCONNECT_REASON__JOIN_FAILURE,
		LIVEKIT__LEAVE_REQUEST__ACTION__DISCONNECT);
	assert_false(registry_has(h->registry, "second"));
	assert_false(cyd->is_closed);
	assert_int_equal(rooms_participant_count(h->rooms), 2);
}

static void the_hidden_see_and_are_not_seen(void **st)
{
	struct harness *h = *st;
	struct client *ann = JOIN(h, .identity = "ann");
	struct client *spy = JOIN(h, .identity = "spy", .grant.hidden = true);
	struct client *bob = JOIN(h, .identity = "bob");
	(void)client_publish(spy, true);
	(void)client_publish(ann, true);
	harness_settle(h);
	assert_false(is_told_about(ann, "spy"));
	assert_int_equal(LAST(bob, JOIN)->join->n_other_participants, 1);
	assert_int_equal(client_n_carried(spy), 1);
	assert_int_equal(client_n_carried(bob), 1);
	/* Asking for the hidden one's track by its sid is of no use either. */
	struct track *t = list_first(&server_side(spy)->tracks, struct track, node);
	client_subscribe(bob, t->info->sid, true);
	harness_settle(h);
	assert_int_equal(client_n_carried(bob), 1);
	client_vanish(spy);
	harness_settle(h);
	assert_false(is_told_about(ann, "spy"));
	assert_true(HAS(ann, TRACK_SUBSCRIBED)); /* by bob, not by the spy */
}

static void a_spy_is_no_subscriber(void **st)
{
	struct harness *h = *st;
	struct client *ann = JOIN(h, .identity = "ann");
	struct client *spy = JOIN(h, .identity = "spy", .grant.hidden = true);
	(void)client_publish(ann, true);
	harness_settle(h);
	assert_int_equal(client_n_carried(spy), 1);
	assert_false(HAS(ann, TRACK_SUBSCRIBED));
}

/* ------------------------------------------------------------------ time */

static void who_never_connects_is_removed(void **st)
{
	struct harness *h = *st;
	struct client *ann = JOIN(h, .identity = "ann");
	struct client *bob = JOIN(h, .identity = "bob");
	harness_enter(server_side(bob)->publisher, SESSION_CONNECTED);
	harness_advance(h, 59 * US_PER_S);
	assert_false(ann->is_closed);
	harness_advance(h, 3 * US_PER_S);
	read_all(ann);
	assert_left(ann, LIVEKIT__DISCONNECT_REASON__JOIN_FAILURE,
		LIVEKIT__LEAVE_REQUEST__ACTION__DISCONNECT);
	assert_false(bob->is_closed);
}

static void a_failed_connection_ends_the_participant_a_moment_later(void **st)
{
	struct harness *h = *st;
	struct client *ann = JOIN(h, .identity = "ann");
	harness_settle(h);
	harness_enter(server_side(ann)->publisher, SESSION_CONNECTED);
	harness_enter(server_side(ann)->publisher, SESSION_FAILED);
	assert_non_null(server_side(ann)); /* whoever called the session may still hold it */
	harness_settle(h);
	assert_left(ann, LIVEKIT__DISCONNECT_REASON__CONNECTION_TIMEOUT,
		LIVEKIT__LEAVE_REQUEST__ACTION__RECONNECT);
	assert_null(server_side(ann));
}

static void a_closed_connection_is_the_client_leaving(void **st)
{
	struct harness *h = *st;
	struct client *ann = JOIN(h, .identity = "ann");
	harness_settle(h);
	harness_enter(server_side(ann)->publisher, SESSION_CONNECTED);
	harness_enter(server_side(ann)->publisher, SESSION_CLOSED);
	harness_settle(h);
	assert_non_null(server_side(ann)); /* its leave message may be on the way */
	harness_advance(h, US_PER_S);
	assert_null(server_side(ann));
	assert_int_equal(rooms_participant_count(h->rooms), 0);
}

static void leaving_beats_a_failure_under_way(void **st)
{
	struct harness *h = *st;
	struct client *ann = JOIN(h, .identity = "ann");
	harness_enter(server_side(ann)->publisher, SESSION_FAILED);
	client_vanish(ann);
	harness_advance(h, US_PER_S);
	assert_int_equal(rooms_participant_count(h->rooms), 0);
}

static void rooms_end_after_a_while(void **st)
{
	struct harness *h = *st;
	struct client *ann = JOIN(h, .identity = "ann");
	struct client *agent = JOIN(h, .identity = "agent", .kind = LIVEKIT__PARTICIPANT_INFO__KIND__AGENT);
	harness_enter(server_side(agent)->publisher, SESSION_CONNECTED);
	client_vanish(ann);
	harness_advance(h, 19 * US_PER_S);
	assert_true(registry_has(h->registry, "room"));
	assert_false(agent->is_closed);
	harness_advance(h, 3 * US_PER_S);
	read_all(agent);
	assert_false(registry_has(h->registry, "room"));
	assert_left(agent, LIVEKIT__DISCONNECT_REASON__ROOM_CLOSED,
		LIVEKIT__LEAVE_REQUEST__ACTION__DISCONNECT);
	assert_true(list_empty(&h->rooms->all));
}

static void a_room_waits_for_its_first_participant(void **st)
{
	struct harness *h = *st;
	struct client *agent = JOIN(h, .identity = "agent", .kind = LIVEKIT__PARTICIPANT_INFO__KIND__AGENT);
	harness_enter(server_side(agent)->publisher, SESSION_CONNECTED);
	harness_advance(h, 290 * US_PER_S);
	assert_true(registry_has(h->registry, "room"));
	harness_advance(h, 12 * US_PER_S);
	assert_false(registry_has(h->registry, "room"));
}

static void a_join_under_way_keeps_the_room(void **st)
{
	struct harness *h = *st;
	client_vanish(JOIN(h, .identity = "ann"));
	assert_int_equal(registry_announce(h->registry, "room"), 0);
	harness_advance(h, 60 * US_PER_S);
	assert_false(list_empty(&h->rooms->all));
	registry_arrived(h->registry, "room");
	harness_advance(h, 2 * US_PER_S);
	assert_true(list_empty(&h->rooms->all));
}

static void a_reconnect_starts_anew(void **st)
{
	struct harness *h = *st;
	struct client *ann = JOIN(h, .identity = "ann", .is_reconnect = true);
	read_all(ann);
	assert_int_equal(ann->n_seen, 1);
	assert_left(ann, LIVEKIT__DISCONNECT_REASON__STATE_MISMATCH,
		LIVEKIT__LEAVE_REQUEST__ACTION__RECONNECT);
	assert_false(registry_has(h->registry, "room"));
	(void)JOIN(h, .identity = "bob");
	(void)JOIN(h, .identity = "ann", .is_reconnect = true);
	assert_true(registry_has(h->registry, "room"));
}

static void the_count_is_told_now_and_then(void **st)
{
	struct harness *h = *st;
	struct client *ann = JOIN(h, .identity = "ann");
	(void)JOIN(h, .identity = "agent", .grant.agent = true);
	(void)JOIN(h, .identity = "bob");
	harness_advance(h, 7 * US_PER_S);
	read_all(ann);
	assert_int_equal(COUNT(ann, ROOM_UPDATE), 1);
	assert_int_equal(LAST(ann, ROOM_UPDATE)->room_update->room->num_participants, 2);
}

static void shutdown_is_told(void **st)
{
	struct harness *h = *st;
	struct client *ann = JOIN(h, .identity = "ann");
	struct client *bob = JOIN(h, .identity = "bob");
	(void)client_publish(bob, true);
	harness_settle(h);
	rooms_free(h->rooms);
	h->rooms = NULL;
	read_all(ann);
	assert_left(ann, LIVEKIT__DISCONNECT_REASON__SERVER_SHUTDOWN,
		LIVEKIT__LEAVE_REQUEST__ACTION__DISCONNECT);
	assert_true(bob->is_closed);
}

static void no_more_sessions(void **st)
{
	struct harness *h = *st;
	h->rtc->cfg.sessions_max = 1;
	(void)JOIN(h, .identity = "ann");
	struct client *bob = JOIN(h, .identity = "bob");
	struct client *eve = JOIN(h, .identity = "eve", .is_dual = true);
	read_all(bob), read_all(eve);
	assert_left(bob, LIVEKIT__DISCONNECT_REASON__JOIN_FAILURE,
		LIVEKIT__LEAVE_REQUEST__ACTION__DISCONNECT);
	assert_left(eve, LIVEKIT__DISCONNECT_REASON__JOIN_FAILURE,
		LIVEKIT__LEAVE_REQUEST__ACTION__DISCONNECT);
	assert_int_equal(rooms_participant_count(h->rooms), 1);
}

/* ------------------------------------------------------------------ tokens and metadata */

static struct grants *token_of(struct harness *h, const struct client *c)
{
	struct grants *g = NULL;
	struct errbuf eb = {""};
	const char *token = LAST(c, REFRESH_TOKEN)->refresh_token;
	assert_int_equal(
		auth_verify(h->keys, slice_str(token), clock_wall_us() / US_PER_S, &g, &eb), 0);
	return g;
}

static void tokens_are_refreshed(void **st)
{
	struct harness *h = *st;
	struct client *ann = JOIN(h, .identity = "ann", .grant.can_publish_data = GRANT_NO);
	harness_settle(h);
	struct grants *g = token_of(h, ann);
	assert_string_equal(g->identity, "ann");
	assert_int_equal(g->video.can_publish_data, GRANT_NO);
	assert_int_equal(g->video.can_publish, GRANT_YES);
	uint64_t left = g->expires_s - clock_wall_us() / US_PER_S;
	assert_in_range(left, 3590, 3600);
	grants_free(g);

	harness_enter(server_side(ann)->publisher, SESSION_CONNECTED);
	server_side(ann)->grants->expires_s = 1; /* long ago: ten minutes at least all the same */
	harness_advance(h, 299 * US_PER_S);
	harness_settle(h);
	assert_int_equal(COUNT(ann, REFRESH_TOKEN), 1);
	harness_advance(h, 3 * US_PER_S);
	harness_settle(h);
	assert_int_equal(COUNT(ann, REFRESH_TOKEN), 2);
	g = token_of(h, ann);
	left = g->expires_s - clock_wall_us() / US_PER_S;
	assert_in_range(left, 590, 600);
	grants_free(g);
}

static void update(struct client *c, const char *metadata, const char *name, const char *value)
{
	Livekit__SignalRequest *req = request_new(LIVEKIT__SIGNAL_REQUEST__MESSAGE_UPDATE_METADATA);
	Livekit__UpdateParticipantMetadata *m = XNEW(Livekit__UpdateParticipantMetadata);
	livekit__update_participant_metadata__init(m);
	PB_SET(m, request_id, 77);
	m->metadata = metadata ? xstrdup(metadata) : NULL;
	m->name = name ? xstrdup(name) : NULL;
	if (value) {
		m->n_attributes = 1;
		m->attributes = xcalloc(1, sizeof(void *));
		m->attributes[0] = XNEW(Livekit__UpdateParticipantMetadata__AttributesEntry);
		livekit__update_participant_metadata__attributes_entry__init(m->attributes[0]);
		m->attributes[0]->key = xstrdup("colour");
		m->attributes[0]->value = xstrdup(value);
	}
	req->update_metadata = m;
	client_send(c, req);
	harness_settle(c->h);
}

static void assert_refused(const struct client *c, Livekit__RequestResponse__Reason reason)
{
	const Livekit__SignalResponse *m = LAST(c, REQUEST_RESPONSE);
	assert_int_equal(m->request_response->request_id, 77);
	assert_int_equal(m->request_response->reason, reason);
}

static void own_metadata(void **st)
{
	struct harness *h = *st;
	struct video_grant may = {.can_update_own_metadata = GRANT_YES};
	struct client *ann = JOIN(h, .identity = "ann", .grant = may);
	struct client *old = JOIN(h, .identity = "old", .grant = may, .protocol = 14);
	struct client *bob = JOIN(h, .identity = "bob");
	harness_settle(h);
	update(ann, "data", "Ann", "red");
	assert_refused(ann, LIVEKIT__REQUEST_RESPONSE__REASON__OK);
	assert_string_equal(told_about(ann, "ann")->metadata, "data");
	assert_string_equal(told_about(bob, "ann")->name, "Ann");
	assert_string_equal(told_about(bob, "ann")->attributes[0]->value, "red");
	assert_int_equal(COUNT(ann, REFRESH_TOKEN), 2);
	update(ann, "", NULL, ""); /* unchanged, unchanged, deleted */
	assert_string_equal(told_about(bob, "ann")->metadata, "data");
	assert_int_equal(told_about(bob, "ann")->n_attributes, 0);
	update(old, NULL, "Old", NULL);
	assert_false(HAS(old, REQUEST_RESPONSE));
	assert_string_equal(told_about(bob, "old")->name, "Old");
	update(bob, "no", NULL, NULL);
	assert_refused(bob, LIVEKIT__REQUEST_RESPONSE__REASON__NOT_ALLOWED);
}

static void metadata_has_limits(void **st)
{
	struct harness *h = *st;
	struct client *ann =
		JOIN(h, .identity = "ann", .grant.can_update_own_metadata = GRANT_YES);
	char big[1200];
	memset(big, 'x', sizeof big);
	big[1001] = '\0';
	update(ann, big, NULL, NULL);
	assert_refused(ann, LIVEKIT__REQUEST_RESPONSE__REASON__LIMIT_EXCEEDED);
	update(ann, NULL, "a name of more than twenty", NULL);
	assert_refused(ann, LIVEKIT__REQUEST_RESPONSE__REASON__LIMIT_EXCEEDED);
	update(ann, NULL, NULL, big);
	assert_refused(ann, LIVEKIT__REQUEST_RESPONSE__REASON__LIMIT_EXCEEDED);
	big[700] = '\0';
	update(ann, NULL, NULL, big);
	assert_refused(ann, LIVEKIT__REQUEST_RESPONSE__REASON__OK);
	update(ann, NULL, NULL, big); /* in place of the other, not beside it */
	assert_refused(ann, LIVEKIT__REQUEST_RESPONSE__REASON__OK);
}

static void requests_of_strangers_are_ignored(void **st)
{
	struct harness *h = *st;
	Livekit__SignalRequest req = LIVEKIT__SIGNAL_REQUEST__INIT;
	signal_dispatch(h->rooms, 99, &req);
	struct client *ann = JOIN(h, .identity = "ann");
	signal_dispatch(h->rooms, ann->conn, &req);
	req.message_case = (Livekit__SignalRequest__MessageCase)10000;
	signal_dispatch(h->rooms, ann->conn, &req);
	assert_false(ann->is_closed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(join_tells_what_a_client_needs),
		TEST(join_tells_the_ice_servers),
		TEST(the_others_are_told),
		TEST(a_lost_connection_is_a_leave),
		TEST(the_newer_of_two_with_one_identity_stays),
		TEST(a_full_room_takes_no_more),
		TEST(rooms_are_limited),
		TEST(the_hidden_see_and_are_not_seen),
		TEST(a_spy_is_no_subscriber),
		TEST(who_never_connects_is_removed),
		TEST(a_failed_connection_ends_the_participant_a_moment_later),
		TEST(a_closed_connection_is_the_client_leaving),
		TEST(leaving_beats_a_failure_under_way),
		TEST(rooms_end_after_a_while),
		TEST(a_room_waits_for_its_first_participant),
		TEST(a_join_under_way_keeps_the_room),
		TEST(a_reconnect_starts_anew),
		TEST(the_count_is_told_now_and_then),
		TEST(shutdown_is_told),
		TEST(no_more_sessions),
		TEST(tokens_are_refreshed),
		TEST(own_metadata),
		TEST(metadata_has_limits),
		TEST(requests_of_strangers_are_ignored),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
