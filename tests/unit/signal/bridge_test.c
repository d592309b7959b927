/*
 * The way from the front to a worker and its mailbox: joins, requests and ends of connections in order, and what
 * happens when the mailbox is full. The worker runs by hand; the front runs, but knows none of the connections.
 */
#include "../rooms/harness.h"

#include <pthread.h>

#include "signal/bridge.h"

struct bridged {
	struct harness *h;
	struct front *front;
	struct bridge *bridge;
};

static int set_up(void **st)
{
	struct bridged *b = XNEW(struct bridged);
	struct rooms_cfg cfg = harness_cfg();
	struct errbuf eb = {""};
	mbox_thread_init();
	b->h = harness_new(&cfg);
	mbox_close(&b->h->w.mbox);
	mbox_init(&b->h->w.mbox, 4, b->h->w.mbox.wake, &b->h->w);
	struct bridge_target target = {&b->h->w, b->h->rooms};
	b->bridge = bridge_new(b->h->registry, &target, 1, &b->front);
	struct addr loopback;
	assert_int_equal(addr_parse_ip(&loopback, slice_str("127.0.0.1"), 0), 0);
	struct front_cfg front = {
		.bind = &loopback, .n_bind = 1, .keys = b->h->keys, .auto_create = true};
	assert_int_equal(front_start(&b->front, &front, &bridge_front_ops, b->bridge, &eb), 0);
	*st = b;
	return 0;
}

static int tear_down(void **st)
{
	struct bridged *b = *st;
	front_stop(b->front);
	harness_free(b->h);
	bridge_free(b->bridge);
	xfree(b);
	return 0;
}

static unsigned run(struct bridged *b)
{
	unsigned n = mbox_drain(&b->h->w.mbox, &b->h->w, 100);
	rtc_end_turn(b->h->rtc);
	return n;
}

/* A client whose WebSocket the front has just opened. */
static struct client *open_conn(struct bridged *b, const char *identity)
{
	struct joining how = {.identity = identity};
	struct client *c = client_new(b->h, &how);
	struct signal_join_params *params = XNEW(struct signal_join_params);
	params->grants = grants_for(b->h, &how);
	params->room = params->grants->video.room;
	params->identity = params->grants->identity;
	params->is_single_pc = params->auto_subscribe = true;
	params->request = XNEW(Livekit__JoinRequest);
	livekit__join_request__init(params->request);
	bridge_front_ops.signal_open(b->bridge, c->conn, params);
	return c;
}

static void ask(struct bridged *b, const struct client *c)
{
	Livekit__SignalRequest *req = request_new(LIVEKIT__SIGNAL_REQUEST__MESSAGE_ADD_TRACK);
	req->add_track = XNEW(Livekit__AddTrackRequest);
	livekit__add_track_request__init(req->add_track);
	bridge_front_ops.signal_request(b->bridge, c->conn, req);
}

static void close_conn(struct bridged *b, struct client *c)
{
	bridge_front_ops.signal_closed(b->bridge, c->conn);
}

static size_t n_pending(struct client *c)
{
	size_t n = 0;
	list_for_each(node, &server_side(c)->pending)
		n++;
	return n;
}

static void a_conversation(void **st)
{
	struct bridged *b = *st;
	struct client *ann = open_conn(b, "ann");
	assert_true(bridge_front_ops.room_exists(b->bridge, "room"));
	ask(b, ann);
	assert_null(server_side(ann));
	assert_int_equal(run(b), 2);
	assert_non_null(server_side(ann));
	assert_int_equal(n_pending(ann), 1);
	close_conn(b, ann);
	assert_int_equal(run(b), 1);
	assert_null(server_side(ann));
	ask(b, ann); /* of a connection that is gone */
	assert_int_equal(run(b), 0);
	harness_advance(b->h, 25 * US_PER_S);
	assert_false(bridge_front_ops.room_exists(b->bridge, "room"));
}

static void a_full_mailbox_refuses_a_join(void **st)
{
	struct bridged *b = *st;
	struct client *ann = open_conn(b, "ann");
	for (int i = 0; i < 3; i++)
		ask(b, ann);
	PRINT(b->h->join_room, sizeof b->h->join_room, "other");
	struct client *bob = open_conn(b, "bob");
	assert_false(bridge_front_ops.room_exists(b->bridge, "other")); /* nothing is left of it */
	ask(b, bob);
	assert_int_equal(run(b), 4);
	assert_null(server_side(bob));
	ask(b, bob); /* there is room again, but he is on his way out */
	assert_int_equal(run(b), 0);
	close_conn(b, bob);
	assert_int_equal(run(b), 1);
}

static void no_request_is_left_out(void **st)
{
	struct bridged *b = *st;
	struct client *ann = open_conn(b, "ann");
	run(b);
	for (int i = 0; i < 5; i++)
		ask(b, ann); /* the fifth does not fit */
	run(b);
	assert_int_equal(n_pending(ann), 4);
	ask(b, ann); /* what comes behind a gap is not heard */
	assert_int_equal(run(b), 0);
	assert_int_equal(n_pending(ann), 4);
	close_conn(b, ann);
	run(b);
	assert_null(server_side(ann));
}

static void *close_main(void *arg)
{
	struct bridged *b = arg;
	struct client *ann = b->h->clients[0];
	metric_thread_init();
	mbox_thread_init();
	for (int i = 0; i < 4; i++)
		ask(b, ann);
	close_conn(b, ann); /* waits until there is room */
	return NULL;
}

static void an_end_always_arrives(void **st)
{
	struct bridged *b = *st;
	struct client *ann = open_conn(b, "ann");
	run(b);
	pthread_t thread;
	assert_int_equal(pthread_create(&thread, NULL, close_main, b), 0);
	while (server_side(ann))
		run(b);
	pthread_join(thread, NULL);
	assert_int_equal(rooms_participant_count(b->h->rooms), 0);
}

static bool is_ready(struct bridged *b, const char *why)
{
	struct buf text;
	buf_init(&text, 100);
	int err = bridge_front_ops.ready(b->bridge, &text);
	assert_string_equal(buf_cstr(&text), err ? why : "");
	buf_free(&text);
	return err == 0;
}

static void a_full_server_takes_no_joins(void **st)
{
	struct bridged *b = *st;
	uint64_t before = metric_sum(M_TRACKS_PUBLISHED) + metric_sum(M_TRACKS_SUBSCRIBED);
	bridge_set_limits(b->bridge, &(struct bridge_limits){.tracks = (uint32_t)before + 2});
	assert_true(is_ready(b, ""));
	metric_inc(M_TRACKS_PUBLISHED);
	assert_true(is_ready(b, ""));
	metric_inc(M_TRACKS_SUBSCRIBED);
	assert_false(is_ready(b, "limit.num_tracks is reached"));
	bridge_set_limits(b->bridge, &(struct bridge_limits){0});
	assert_true(is_ready(b, ""));
	metric_sub(M_TRACKS_PUBLISHED, 1);
	metric_sub(M_TRACKS_SUBSCRIBED, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_conversation, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_full_mailbox_refuses_a_join, set_up, tear_down),
		cmocka_unit_test_setup_teardown(no_request_is_left_out, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_end_always_arrives, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_full_server_takes_no_joins, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
