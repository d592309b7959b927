/* Who gets which track: by itself, when asked for, and when it cannot be had. */
#include "harness.h"

static const char *sid_of(struct client *c)
{
	return list_first(&server_side(c)->tracks, struct track, node)->info->sid;
}

static struct subscription *only_subscription(struct client *c)
{
	struct participant *p = server_side(c);
	assert_false(list_empty(&p->subscriptions));
	return list_first(&p->subscriptions, struct subscription, by_participant);
}

static void on_demand(void **st)
{
	struct harness *h = *st;
	struct client *ann = JOIN(h, .identity = "ann");
	struct client *bob = JOIN(h, .identity = "bob", .no_auto_subscribe = true);
	struct client *eve = JOIN(h, .identity = "eve", .no_auto_subscribe = true, .is_dual = true);
	(void)client_publish(ann, true);
	harness_settle(h);
	assert_int_equal(client_n_carried(bob), 0);
	assert_false(HAS(ann, TRACK_SUBSCRIBED));
	for (int i = 0; i < 3; i++) {
		client_subscribe(bob, sid_of(ann), true);
		client_subscribe(eve, sid_of(ann), true);
		client_subscribe(eve, sid_of(ann), true); /* twice is once */
		harness_settle(h);
		harness_check_all_see_all(h);
		client_subscribe(bob, sid_of(ann), false);
		client_subscribe(eve, sid_of(ann), false);
		client_subscribe(eve, sid_of(ann), false);
		harness_settle(h);
		assert_int_equal(client_n_carried(bob), 0);
		assert_int_equal(client_n_carried(eve), 0);
	}
	assert_int_equal(COUNT(ann, TRACK_SUBSCRIBED), 1);
	assert_int_equal(bob->n_sections, 6);
}

static void who_may_not_subscribe(void **st)
{
	struct harness *h = *st;
	struct client *ann = JOIN(h, .identity = "ann");
	struct client *bob = JOIN(h, .identity = "bob", .grant.can_subscribe = GRANT_NO);
	(void)client_publish(ann, true);
	harness_settle(h);
	client_subscribe(bob, sid_of(ann), true);
	harness_settle(h);
	assert_int_equal(client_n_carried(bob), 0);
	assert_true(list_empty(&server_side(bob)->subscriptions));
}

static void a_track_that_never_comes(void **st)
{
	struct harness *h = *st;
	struct client *ann = JOIN(h, .identity = "ann");
	harness_enter(server_side(ann)->publisher, SESSION_CONNECTED);
	client_subscribe(ann, "TR_one", true);
	client_subscribe(ann, "TR_two", true);
	client_subscribe(ann, "TR_two", false);
	harness_settle(h);
	harness_advance(h, 58 * US_PER_S);
	harness_settle(h);
	assert_false(HAS(ann, SUBSCRIPTION_RESPONSE));
	harness_advance(h, 4 * US_PER_S);
	harness_settle(h);
	const Livekit__SignalResponse *m = LAST(ann, SUBSCRIPTION_RESPONSE);
	assert_int_equal(COUNT(ann, SUBSCRIPTION_RESPONSE), 1);
	assert_string_equal(m->subscription_response->track_sid, "TR_one");
	assert_int_equal(m->subscription_response->err,
		LIVEKIT__SUBSCRIPTION_ERROR__SE_TRACK_NOTFOUND);
	client_subscribe(ann, "TR_a_name_longer_than_any_sid", true);
	harness_settle(h);
	assert_int_equal(COUNT(ann, SUBSCRIPTION_RESPONSE), 2);
}

static void a_track_that_comes_later(void **st)
{
	struct harness *h = *st;
	struct client *ann = JOIN(h, .identity = "ann");
	struct client *bob = JOIN(h, .identity = "bob", .no_auto_subscribe = true);
	client_add_track(ann, true, "cam");
	harness_settle(h);
	client_subscribe(bob, LAST(ann, TRACK_PUBLISHED)->track_published->track->sid, true);
	harness_settle(h);
	(void)client_add_sending(ann, true, "cam");
	client_negotiate(ann);
	harness_settle(h);
	assert_int_equal(client_n_carried(bob), 1);
	assert_true(list_empty(&server_side(bob)->awaited));
}

/* bob's client has no section that could carry VP8, or rejects ours. */
static void no_common_codec(void **st)
{
	struct harness *h = *st;
	struct client *ann = JOIN(h, .identity = "ann");
	struct client *eve = JOIN(h, .identity = "eve", .is_dual = true);
	harness_settle(h);
	(void)client_publish(ann, true);
	while (client_deliver(ann))
		;
	harness_advance(h, 20 * US_PER_MS);
	while (client_read(eve))
		;
	assert_int_equal(eve->n_outbox, 1);
	char *sdp = eve->outbox[0]->answer->sdp, *m = strstr(sdp, "m=video 9");
	assert_non_null(m);
	m[8] = '0'; /* port 0 */
	harness_settle(h);
	assert_int_equal(only_subscription(eve)->state, SUB_UNSUPPORTED);
	assert_int_equal(LAST(eve, SUBSCRIPTION_RESPONSE)->subscription_response->err,
		LIVEKIT__SUBSCRIPTION_ERROR__SE_CODEC_UNSUPPORTED);
	assert_false(eve->is_closed);
	/* Other tracks come all the same. */
	(void)client_publish(ann, false);
	harness_settle(h);
	assert_int_equal(client_n_carried(eve), 1);
}

static void as_many_as_allowed(void **st)
{
	struct harness *h = *st;
	h->rooms->cfg.max_subscriptions_video = 2;
	struct client *ann = JOIN(h, .identity = "ann");
	struct client *bob = JOIN(h, .identity = "bob");
	for (int i = 0; i < 4; i++)
		(void)client_publish(ann, true);
	(void)client_publish(ann, false);
	harness_settle(h);
	assert_int_equal(client_n_carried(bob), 3);
	client_unpublish(ann, 6);
	harness_settle(h);
	assert_int_equal(client_n_carried(bob), 3); /* the next one has moved up */
	client_unpublish(ann, 7);
	harness_settle(h);
	assert_int_equal(client_n_carried(bob), 3);
	client_unpublish(ann, 8);
	harness_settle(h);
	assert_int_equal(client_n_carried(bob), 2);
}

static void settings_are_kept_until_the_track_flows(void **st)
{
	struct harness *h = *st;
	struct client *ann = JOIN(h, .identity = "ann");
	struct client *bob = JOIN(h, .identity = "bob", .adaptive_stream = true);
	harness_settle(h);
	(void)client_publish(ann, true);
	while (client_deliver(ann))
		;
	struct subscription *sub = only_subscription(bob);
	assert_int_equal(sub->wish.quality, QUALITY_LOW);
	assert_null(sub->down);
	client_track_setting(bob, sid_of(ann), 640, false);
	PB_SET(bob->outbox[bob->n_outbox - 1]->track_setting, quality, (Livekit__VideoQuality)4711);
	harness_settle(h);
	assert_int_equal(sub->wish.width, 640);
	assert_in_range(sub->wish.quality, QUALITY_LOW, QUALITY_OFF);
	assert_non_null(sub->down);
}

static void everybody_may_subscribe_is_no_news(void **st)
{
	struct harness *h = *st;
	struct client *ann = JOIN(h, .identity = "ann");
	Livekit__SignalRequest *req =
		request_new(LIVEKIT__SIGNAL_REQUEST__MESSAGE_SUBSCRIPTION_PERMISSION);
	req->subscription_permission = XNEW(Livekit__SubscriptionPermission);
	livekit__subscription_permission__init(req->subscription_permission);
	PB_SET(req->subscription_permission, all_participants, 1);
	client_send(ann, req);
	harness_settle(h);
	assert_false(HAS(ann, REQUEST_RESPONSE));
	assert_false(ann->is_closed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(on_demand),
		TEST(who_may_not_subscribe),
		TEST(a_track_that_never_comes),
		TEST(a_track_that_comes_later),
		TEST(no_common_codec),
		TEST(as_many_as_allowed),
		TEST(settings_are_kept_until_the_track_flows),
		TEST(everybody_may_subscribe_is_no_news),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
