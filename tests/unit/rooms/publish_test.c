/* Announcing tracks, muting them, taking them back; and what dynacast tells the publisher. */
#include "harness.h"

static struct track *track_of(struct client *c)
{
	struct participant *p = server_side(c);
	assert_false(list_empty(&p->tracks));
	return list_first(&p->tracks, struct track, node);
}

static void assert_refused(const struct client *c, Livekit__RequestResponse__Reason reason)
{
	const Livekit__SignalResponse *m = LAST(c, REQUEST_RESPONSE);
	assert_int_equal(m->request_response->reason, reason);
	assert_int_equal(
		m->request_response->request_case, LIVEKIT__REQUEST_RESPONSE__REQUEST_ADD_TRACK);
}

static void a_track_is_announced_and_told(void **st)
{
	struct harness *h = *st;
	struct client *ann = JOIN(h, .identity = "ann");
	struct client *bob = JOIN(h, .identity = "bob");
	harness_settle(h);
	client_add_track(ann, true, "cam");
	harness_settle(h);
	const Livekit__TrackPublishedResponse *m = LAST(ann, TRACK_PUBLISHED)->track_published;
	assert_string_equal(m->cid, "cam");
	assert_memory_equal(m->track->sid, "TR_VC", 5);
	assert_string_equal(m->track->stream, "camera");
	assert_string_equal(m->track->mime_type, "video/VP8");
	assert_false(is_told_about(bob, "ann")); /* there is nothing yet to tell */

	(void)client_add_sending(ann, true, "cam");
	client_negotiate(ann);
	harness_settle(h);
	const Livekit__ParticipantInfo *info = told_about(bob, "ann");
	assert_int_equal(info->n_tracks, 1);
	assert_true(info->is_publisher);
	assert_string_equal(info->tracks[0]->sid, m->track->sid);
	assert_string_equal(info->tracks[0]->mid, "7");
	harness_check_all_see_all(h);
}

static void the_update_comes_before_the_offer(void **st)
{
	struct harness *h = *st;
	struct client *ann = JOIN(h, .identity = "ann");
	struct client *eve = JOIN(h, .identity = "eve", .is_dual = true);
	harness_settle(h);
	client_forget(eve);
	(void)client_publish(ann, true);
	harness_settle(h);
	unsigned update = 0, offer = 0;
	for (unsigned i = 0; i < eve->n_seen; i++) {
		const Livekit__SignalResponse *m = eve->seen[i];
		if (m->message_case == LIVEKIT__SIGNAL_RESPONSE__MESSAGE_UPDATE &&
			m->update->participants[0]->n_tracks)
			update = i;
		if (m->message_case == LIVEKIT__SIGNAL_RESPONSE__MESSAGE_OFFER)
			offer = i;
	}
	assert_true(update < offer);
}

static void who_may_not_publish(void **st)
{
	struct harness *h = *st;
	struct client *ann = JOIN(h, .identity = "ann", .grant.can_publish = GRANT_NO);
	client_add_track(ann, true, "cam");
	harness_settle(h);
	assert_refused(ann, LIVEKIT__REQUEST_RESPONSE__REASON__NOT_ALLOWED);
	struct client *bob = JOIN(h, .identity = "bob",
		.grant.can_publish_sources = 1U << LIVEKIT__TRACK_SOURCE__MICROPHONE);
	client_add_track(bob, true, "cam");
	client_add_track(bob, false, "mic");
	harness_settle(h);
	assert_refused(bob, LIVEKIT__REQUEST_RESPONSE__REASON__NOT_ALLOWED);
	assert_int_equal(COUNT(bob, TRACK_PUBLISHED), 1);
	/* A section that nothing was announced for is answered, and no track comes of it. */
	(void)client_add_sending(ann, true, "cam");
	client_negotiate(ann);
	harness_settle(h);
	assert_true(list_empty(&server_side(ann)->tracks));
	assert_false(ann->is_closed);
}

static void strange_requests(void **st)
{
	struct harness *h = *st;
	struct client *ann = JOIN(h, .identity = "ann");
	client_add_track(ann, true, "a");
	PB_SET(ann->outbox[0]->add_track, type, LIVEKIT__TRACK_TYPE__DATA);
	harness_settle(h);
	assert_refused(ann, LIVEKIT__REQUEST_RESPONSE__REASON__UNSUPPORTED_TYPE);
	client_add_track(ann, true, "b");
	ann->outbox[0]->add_track->sid = xstrdup("TR_nothing");
	harness_settle(h);
	assert_refused(ann, LIVEKIT__REQUEST_RESPONSE__REASON__NOT_FOUND);
	client_add_track(ann, true, "c");
	xfree(ann->outbox[0]->add_track->name);
	ann->outbox[0]->add_track->name = xcalloc(1, 2000);
	memset(ann->outbox[0]->add_track->name, 'x', 1999);
	harness_settle(h);
	assert_refused(ann, LIVEKIT__REQUEST_RESPONSE__REASON__LIMIT_EXCEEDED);
	assert_int_equal(COUNT(ann, TRACK_PUBLISHED), 0);
}

static void at_most_twenty_wait(void **st)
{
	struct harness *h = *st;
	struct client *ann = JOIN(h, .identity = "ann");
	for (int i = 0; i < 20; i++) {
		char cid[16];
		PRINT(cid, sizeof cid, "t%d", i);
		client_add_track(ann, true, cid);
	}
	harness_settle(h);
	assert_int_equal(COUNT(ann, TRACK_PUBLISHED), 20);
	assert_false(HAS(ann, REQUEST_RESPONSE));
	client_add_track(ann, true, "one too many");
	harness_settle(h);
	assert_refused(ann, LIVEKIT__REQUEST_RESPONSE__REASON__LIMIT_EXCEEDED);
}

static void one_cid_after_the_other(void **st)
{
	struct harness *h = *st;
	struct client *ann = JOIN(h, .identity = "ann");
	struct client *bob = JOIN(h, .identity = "bob");
	client_add_track(ann, true, "cam");
	unsigned at = client_add_sending(ann, true, "cam");
	client_negotiate(ann);
	harness_settle(h);
	char first[ID_CAP];
	PRINT(first, sizeof first, "%s", track_of(ann)->info->sid);
	for (int i = 0; i < 3; i++) {
		client_add_track(ann, true, "cam");
		harness_settle(h);
		assert_refused(ann, LIVEKIT__REQUEST_RESPONSE__REASON__QUEUED);
	}
	client_add_track(ann, true, "cam");
	harness_settle(h);
	assert_refused(ann, LIVEKIT__REQUEST_RESPONSE__REASON__LIMIT_EXCEEDED);
	assert_int_equal(COUNT(ann, TRACK_PUBLISHED), 1);

	client_unpublish(ann, at);
	harness_settle(h);
	assert_int_equal(COUNT(ann, TRACK_PUBLISHED), 2);
	assert_true(list_empty(&server_side(ann)->tracks));
	(void)client_add_sending(ann, true, "cam");
	client_negotiate(ann);
	harness_settle(h);
	assert_string_not_equal(track_of(ann)->info->sid, first);
	assert_int_equal(client_n_carried(bob), 1);
	harness_check_all_see_all(h);
}

static void sections_find_their_requests(void **st)
{
	struct harness *h = *st;
	struct client *ann = JOIN(h, .identity = "ann");
	harness_settle(h);
	/* Two of a kind, offered in the other order. */
	client_add_track(ann, true, "one");
	client_add_track(ann, true, "two");
	(void)client_add_sending(ann, true, "two");
	(void)client_add_sending(ann, true, "one");
	client_negotiate(ann);
	harness_settle(h);
	list_for_each(node, &server_side(ann)->tracks) {
		const struct track *t = list_entry(node, struct track, node);
		assert_string_equal(t->cid, t->msid_track);
	}
	/* A name that nobody announced takes the oldest request, but not one that another section names. */
	client_add_track(ann, true, "three");
	client_add_track(ann, true, "four");
	(void)client_add_sending(ann, true, "renamed");
	(void)client_add_sending(ann, true, "three");
	client_negotiate(ann);
	harness_settle(h);
	list_for_each(node, &server_side(ann)->tracks) {
		const struct track *t = list_entry(node, struct track, node);
		if (strcmp(t->msid_track, "renamed") == 0)
			assert_string_equal(t->cid, "four");
		else
			assert_string_equal(t->cid, t->msid_track);
	}
	assert_true(list_empty(&server_side(ann)->pending));
}

/* Unpublished and published anew between two offers: the section never stopped, but it is another track. */
static void a_track_takes_the_place_of_another(void **st)
{
	struct harness *h = *st;
	struct client *ann = JOIN(h, .identity = "ann");
	struct client *bob = JOIN(h, .identity = "bob");
	client_add_track(ann, true, "old");
	unsigned at = client_add_sending(ann, true, "old");
	client_negotiate(ann);
	harness_settle(h);
	char old[ID_CAP];
	PRINT(old, sizeof old, "%s", track_of(ann)->info->sid);
	client_add_track(ann, true, "new");
	PRINT(ann->section[at].track, sizeof ann->section[at].track, "new");
	client_negotiate(ann);
	harness_settle(h);
	assert_string_not_equal(track_of(ann)->info->sid, old);
	assert_string_equal(track_of(ann)->cid, "new");
	assert_int_equal(told_about(bob, "ann")->n_tracks, 1);
	harness_check_all_see_all(h);
	/* A new name alone is no new track. */
	PRINT(ann->section[at].track, sizeof ann->section[at].track, "other");
	client_negotiate(ann);
	harness_settle(h);
	assert_string_equal(track_of(ann)->cid, "new");
}

static void mute(struct client *c, const char *sid, bool muted)
{
	Livekit__SignalRequest *req = request_new(LIVEKIT__SIGNAL_REQUEST__MESSAGE_MUTE);
	req->mute = XNEW(Livekit__MuteTrackRequest);
	livekit__mute_track_request__init(req->mute);
	req->mute->sid = xstrdup(sid);
	PB_SET(req->mute, muted, muted);
	client_send(c, req);
	harness_settle(c->h);
}

static void muting(void **st)
{
	struct harness *h = *st;
	struct client *ann = JOIN(h, .identity = "ann");
	struct client *bob = JOIN(h, .identity = "bob");
	client_add_track(ann, false, "mic");
	harness_settle(h);
	/* Before there is a track. */
	mute(ann, LAST(ann, TRACK_PUBLISHED)->track_published->track->sid, true);
	(void)client_add_sending(ann, false, "mic");
	client_negotiate(ann);
	harness_settle(h);
	assert_true(told_about(bob, "ann")->tracks[0]->muted);
	client_forget(ann), client_forget(bob);
	mute(ann, track_of(ann)->info->sid, false);
	assert_false(told_about(bob, "ann")->tracks[0]->muted);
	assert_true(is_told_about(ann, "ann"));
	client_forget(bob);
	mute(ann, track_of(ann)->info->sid, false);
	assert_false(is_told_about(bob, "ann"));
	mute(bob, track_of(ann)->info->sid, true); /* not his */
	assert_int_equal(LAST(bob, REQUEST_RESPONSE)->request_response->reason,
		LIVEKIT__REQUEST_RESPONSE__REASON__NOT_FOUND);
	assert_false(track_of(ann)->info->muted);
}

static void a_publisher_leaves(void **st)
{
	struct harness *h = *st;
	struct client *ann = JOIN(h, .identity = "ann");
	struct client *bob = JOIN(h, .identity = "bob");
	struct client *eve = JOIN(h, .identity = "eve", .is_dual = true);
	(void)client_publish(ann, true);
	(void)client_publish(ann, false);
	(void)client_publish(bob, true);
	client_add_track(ann, true, "pending");
	harness_settle(h);
	client_vanish(ann);
	harness_settle(h);
	harness_check_all_see_all(h);
	assert_int_equal(client_n_carried(bob), 0);
	assert_int_equal(client_n_carried(eve), 1);
}

/* ------------------------------------------------------------------ dynacast */

static const Livekit__SubscribedQualityUpdate *qualities(const struct client *c)
{
	return LAST(c, SUBSCRIBED_QUALITY_UPDATE)->subscribed_quality_update;
}

static void nobody_watches(void **st)
{
	struct harness *h = *st;
	struct client *ann = JOIN(h, .identity = "ann");
	(void)client_publish(ann, true);
	harness_settle(h);
	assert_false(HAS(ann, SUBSCRIBED_QUALITY_UPDATE));
	harness_advance(h, 6 * US_PER_S);
	harness_settle(h);
	assert_int_equal(qualities(ann)->n_subscribed_qualities, 3);
	assert_string_equal(qualities(ann)->subscribed_codecs[0]->codec, "vp8");
	for (int i = 0; i < 3; i++)
		assert_false(qualities(ann)->subscribed_qualities[i]->enabled);
	/* Who wants to see it must not wait; who ceases to may be back in a moment. */
	struct client *bob = JOIN(h, .identity = "bob");
	harness_settle(h);
	client_track_setting(bob, track_of(ann)->info->sid, 640, false);
	harness_settle(h);
	assert_true(qualities(ann)->subscribed_qualities[0]->enabled);
	client_track_setting(bob, track_of(ann)->info->sid, 640, true);
	harness_settle(h);
	harness_advance(h, 4 * US_PER_S);
	harness_settle(h);
	assert_true(qualities(ann)->subscribed_qualities[0]->enabled);
	harness_advance(h, 2 * US_PER_S);
	harness_settle(h);
	assert_false(qualities(ann)->subscribed_qualities[0]->enabled);
	client_track_setting(bob, track_of(ann)->info->sid, 640, false);
	harness_settle(h);
	/* The pause after the last one left ends with the track. */
	client_vanish(bob);
	client_vanish(ann);
	harness_advance(h, 10 * US_PER_S);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_track_is_announced_and_told),
		TEST(the_update_comes_before_the_offer),
		TEST(who_may_not_publish),
		TEST(strange_requests),
		TEST(at_most_twenty_wait),
		TEST(one_cid_after_the_other),
		TEST(sections_find_their_requests),
		TEST(a_track_takes_the_place_of_another),
		TEST(muting),
		TEST(a_publisher_leaves),
		TEST(nobody_watches),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
