/*
 * Who agrees with whom on which section carries what, whatever the order of messages: a client may be offering while
 * somebody publishes, be asked for sections while its offer is under way, and so on.
 */
#include "harness.h"

static struct client *join(struct harness *h, const char *identity, bool is_dual)
{
	return JOIN(h, .identity = identity, .is_dual = is_dual);
}

static void a_late_track_takes_an_empty_slot(void **st)
{
	struct harness *h = *st;
	struct client *ann = join(h, "ann", false);
	harness_settle(h);
	assert_int_equal(ann->n_sections, 6);
	assert_int_equal(client_n_carried(ann), 0);

	struct client *bob = join(h, "bob", false);
	(void)client_publish(bob, true);
	harness_settle(h);
	harness_check_all_see_all(h);
	assert_int_equal(ann->n_sections, 6);
	/* Nothing to add, but only an answer tells the client, so it is asked to offer. */
	const Livekit__SignalResponse *m = LAST(ann, MEDIA_SECTIONS_REQUIREMENT);
	assert_int_equal(m->media_sections_requirement->num_audios, 0);
	assert_int_equal(m->media_sections_requirement->num_videos, 0);
	assert_true(HAS(bob, TRACK_SUBSCRIBED));
}

static void tracks_are_there_at_join(void **st)
{
	struct harness *h = *st;
	struct client *ann = join(h, "ann", false);
	(void)client_publish(ann, true);
	(void)client_publish(ann, false);
	harness_settle(h);
	struct client *bob = join(h, "bob", false);
	harness_settle(h);
	harness_check_all_see_all(h);
	assert_int_equal(bob->offers, 1); /* the answer to its first offer has it all */
	struct client *eve = join(h, "eve", true);
	harness_settle(h);
	harness_check_all_see_all(h);
	assert_int_equal(COUNT(eve, OFFER), 1);
}

static void more_tracks_than_slots(void **st)
{
	struct harness *h = *st;
	struct client *ann = join(h, "ann", false);
	struct client *bob = join(h, "bob", false);
	for (int i = 0; i < 5; i++) {
		(void)client_publish(bob, true);
		(void)client_publish(bob, false);
	}
	harness_settle(h);
	harness_check_all_see_all(h);
	assert_int_equal(ann->n_sections, 10); /* as many as needed, none too many */
	assert_int_equal(client_n_carried(ann), 10);
}

static void freed_slots_are_used_again(void **st)
{
	struct harness *h = *st;
	struct client *ann = join(h, "ann", false);
	struct client *bob = join(h, "bob", false);
	for (int i = 0; i < 12; i++) {
		unsigned v = client_publish(bob, true);
		harness_settle(h);
		harness_check_all_see_all(h);
		client_unpublish(bob, v);
		harness_settle(h);
		harness_check_all_see_all(h);
	}
	assert_int_equal(ann->n_sections, 6);
}

static void two_connections(void **st)
{
	struct harness *h = *st;
	struct client *ann = join(h, "ann", true);
	struct client *bob = join(h, "bob", true);
	harness_settle(h);
	unsigned v = client_publish(bob, true);
	(void)client_publish(ann, false);
	harness_settle(h);
	harness_check_all_see_all(h);
	client_unpublish(bob, v);
	harness_settle(h);
	harness_check_all_see_all(h);
	(void)client_publish(bob, true);
	harness_settle(h);
	harness_check_all_see_all(h);
	assert_int_equal(jsep_section_count(server_side(ann)->subscriber->jsep), 2);
}

/* The track comes while the client's own offer is on its way to the server, or the answer on its way back. */
static void a_track_comes_amid_an_offer(void **st)
{
	struct harness *h = *st;
	struct client *ann = join(h, "ann", false);
	struct client *bob = join(h, "bob", false);
	harness_settle(h);

	(void)client_publish(ann, true); /* two messages wait at ann */
	(void)client_publish(bob, true);
	while (client_deliver(bob))
		;
	harness_advance(h, 20 * US_PER_MS); /* the requirement is on its way to ann */
	harness_settle(h);
	harness_check_all_see_all(h);

	(void)client_publish(ann, false);
	while (client_deliver(ann))
		; /* the answer waits at ann, who still thinks her offer open */
	(void)client_publish(bob, false);
	while (client_deliver(bob))
		;
	harness_advance(h, 20 * US_PER_MS);
	assert_true(ann->offer_pending);
	harness_settle(h);
	harness_check_all_see_all(h);
}

/* A client takes a section that it received in for a track of its own. */
static void a_section_changes_sides(void **st)
{
	struct harness *h = *st;
	struct client *ann = join(h, "ann", false);
	struct client *bob = join(h, "bob", false);
	(void)client_publish(bob, true);
	harness_settle(h);
	unsigned at = 0;
	while (!ann->section[at].carries[0])
		at++;
	ann->section[at].direction = SDP_SENDRECV;
	PRINT(ann->section[at].track, sizeof ann->section[at].track, "mine");
	client_add_track(ann, true, "mine");
	client_negotiate(ann);
	harness_settle(h);
	harness_check_all_see_all(h);
	assert_int_equal(client_n_carried(ann), 1);
	assert_int_equal(client_n_carried(bob), 1);
}

/* The request to offer got lost in the client: it is repeated, and not for ever. */
static void a_lost_requirement_is_repeated(void **st)
{
	struct harness *h = *st;
	struct client *ann = join(h, "ann", false);
	struct client *bob = join(h, "bob", false);
	harness_settle(h);
	ann->ignores_requirements = true;
	for (int i = 0; i < 5; i++)
		(void)client_publish(bob, true);
	harness_settle(h);
	assert_int_equal(client_n_carried(ann), 0);
	ann->ignores_requirements = false;
	harness_advance(h, 4 * US_PER_S);
	harness_settle(h);
	harness_advance(h, 4 * US_PER_S);
	harness_settle(h);
	harness_check_all_see_all(h);

	ann->ignores_requirements = true;
	(void)client_publish(bob, true);
	harness_settle(h);
	client_forget(ann);
	harness_enter(server_side(ann)->publisher, SESSION_CONNECTED);
	harness_enter(server_side(bob)->publisher, SESSION_CONNECTED);
	for (int i = 0; i < 120; i++) {
		harness_advance(h, US_PER_S);
		harness_settle(h);
	}
	assert_in_range(COUNT(ann, MEDIA_SECTIONS_REQUIREMENT), 5, 20);
}

static void a_client_without_first_offer_is_not_asked(void **st)
{
	struct harness *h = *st;
	struct client *bob = join(h, "bob", false);
	(void)client_publish(bob, true);
	harness_settle(h);
	struct client *ann = JOIN(h, .identity = "ann", .no_offer = true);
	harness_settle(h);
	assert_int_equal(COUNT(ann, MEDIA_SECTIONS_REQUIREMENT), 0);
	for (unsigned i = 0; i < 6; i++)
		(void)client_add_section(ann, i >= 3, SDP_RECVONLY);
	client_negotiate(ann);
	harness_settle(h);
	harness_check_all_see_all(h);
}

/* ------------------------------------------------------------------ failures */

static void a_bad_offer_ends_the_session(void **st)
{
	struct harness *h = *st;
	struct client *ann = join(h, "ann", false);
	struct client *bob = join(h, "bob", false);
	(void)client_publish(ann, true);
	harness_settle(h);
	Livekit__SignalRequest *req = request_new(LIVEKIT__SIGNAL_REQUEST__MESSAGE_OFFER);
	req->offer = description_new("offer", xstrdup("v=0\r\nnonsense"), 7);
	client_send(ann, req);
	harness_settle(h);
	assert_left(ann, LIVEKIT__DISCONNECT_REASON__STATE_MISMATCH,
		LIVEKIT__LEAVE_REQUEST__ACTION__RECONNECT);
	assert_null(server_side(ann));
	assert_int_equal(told_about(bob, "ann")->state,
		LIVEKIT__PARTICIPANT_INFO__STATE__DISCONNECTED);
	harness_check_all_see_all(h);
}

static void an_offer_must_be_answered_in_time(void **st)
{
	struct harness *h = *st;
	struct client *ann = join(h, "ann", true);
	harness_advance(h, 14 * US_PER_S);
	assert_false(ann->is_closed);
	harness_advance(h, 2 * US_PER_S);
	while (ann->n_inbox)
		(void)client_read(ann);
	assert_left(ann, LIVEKIT__DISCONNECT_REASON__STATE_MISMATCH,
		LIVEKIT__LEAVE_REQUEST__ACTION__RECONNECT);
}

static void stale_and_wrong_answers(void **st)
{
	struct harness *h = *st;
	struct client *ann = join(h, "ann", true);
	harness_advance(h, 20 * US_PER_MS);
	while (client_read(ann))
		;
	assert_int_equal(ann->n_outbox, 1);
	ann->outbox[0]->answer->id += 3;
	(void)client_deliver(ann);
	assert_true(jsep_is_pending(server_side(ann)->subscriber->jsep));
	Livekit__SignalRequest *req = request_new(LIVEKIT__SIGNAL_REQUEST__MESSAGE_ANSWER);
	req->answer = description_new("answer", xstrdup("garbage"), 0);
	client_send(ann, req);
	harness_settle(h);
	assert_left(ann, LIVEKIT__DISCONNECT_REASON__STATE_MISMATCH,
		LIVEKIT__LEAVE_REQUEST__ACTION__RECONNECT);
}

static void offer_ids_are_echoed(void **st)
{
	struct harness *h = *st;
	struct client *ann = join(h, "ann", false);
	harness_settle(h);
	assert_int_equal(LAST(ann, ANSWER)->answer->id, 1);
	client_negotiate(ann);
	harness_settle(h);
	assert_int_equal(LAST(ann, ANSWER)->answer->id, 2);
	struct client *eve = join(h, "eve", true);
	harness_settle(h);
	assert_in_range(LAST(eve, OFFER)->offer->id, 1, 256);
}

/* ------------------------------------------------------------------ every order */

/* A small generator of its own: a seed names an order for good. */
static uint32_t draw(uint64_t *state, uint32_t n)
{
	*state = *state * 6364136223846793005U + 1442695040888963407U;
	return (uint32_t)(*state >> 33) % n;
}

static void act(struct harness *h, uint64_t *seed, struct client *c)
{
	char cid[32];
	switch (draw(seed, 8)) {
	case 0:
	case 1:
	case 2: (void)client_publish(c, draw(seed, 2)); return;
	case 3:
	case 4:
		for (unsigned i = 0; i < c->n_sections; i++)
			if (c->section[i].track[0]) {
				client_unpublish(c, i);
				return;
			}
		return;
	case 5: client_negotiate(c); return;
	case 6:
		/* The offer is quicker than the announcement. */
		PRINT(cid, sizeof cid, "%.8s+%u", c->identity, c->next_track++);
		(void)client_add_sending(c, true, cid);
		client_negotiate(c);
		client_add_track(c, true, cid);
		return;
	default: harness_advance(h, 3 * US_PER_MS); return;
	}
}

static void play(uint64_t seed, bool with_losses)
{
	struct rooms_cfg cfg = harness_cfg();
	struct harness *h = harness_new(&cfg);
	uint64_t s = seed;
	static const char *const names[] = {"ann", "bob", "eve"};
	for (int i = 0; i < 3; i++)
		(void)join(h, names[i], draw(&s, 3) == 0);
	unsigned actions = 0;
	for (int step = 0; step < 150; step++) {
		struct client *c = h->clients[draw(&s, h->n_clients)];
		c->ignores_requirements = with_losses && draw(&s, 3) == 0;
		switch (draw(&s, 6)) {
		case 0:
		case 1: (void)client_read(c); break;
		case 2:
		case 3: (void)client_deliver(c); break;
		case 4: harness_advance(h, 1000 * draw(&s, 12)); break;
		default:
			if (actions < 14 && c->n_outbox < 20) {
				act(h, &s, c);
				actions++;
			}
			break;
		}
	}
	for (unsigned i = 0; i < h->n_clients; i++)
		h->clients[i]->ignores_requirements = false;
	harness_settle(h);
	if (with_losses)
		for (int i = 0; i < 8; i++) {
			harness_advance(h, US_PER_S);
			harness_settle(h);
		}
	for (unsigned i = 0; i < h->n_clients; i++)
		assert_false(h->clients[i]->is_closed);
	harness_check_all_see_all(h);
	harness_free(h);
}

static unsigned rounds(void)
{
	const char *n = getenv("ROUNDS");
	return n ? (unsigned)strtoul(n, NULL, 10) : 150;
}

static void every_order_converges(void **st)
{
	(void)st;
	for (unsigned seed = 1; seed <= rounds(); seed++) {
		print_message("seed %u\r", seed);
		play(seed, false);
	}
}

static void lost_requirements_do_no_lasting_harm(void **st)
{
	(void)st;
	for (unsigned seed = 1; seed <= rounds() / 3; seed++)
		play(seed, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_late_track_takes_an_empty_slot),
		TEST(tracks_are_there_at_join),
		TEST(more_tracks_than_slots),
		TEST(freed_slots_are_used_again),
		TEST(two_connections),
		TEST(a_track_comes_amid_an_offer),
		TEST(a_section_changes_sides),
		TEST(a_lost_requirement_is_repeated),
		TEST(a_client_without_first_offer_is_not_asked),
		TEST(a_bad_offer_ends_the_session),
		TEST(an_offer_must_be_answered_in_time),
		TEST(stale_and_wrong_answers),
		TEST(offer_ids_are_echoed),
		cmocka_unit_test(every_order_converges),
		cmocka_unit_test(lost_requirements_do_no_lasting_harm),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
