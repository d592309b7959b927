/* Who speaks, and who is told so. */
#include "harness.h"
#include "sfu/uptrack_internal.h"

enum { INTERVAL_US = 400 * 1000, PACKETS = 20 };

/* One interval, `loud` of its 20 packets at this level, the others silent. */
static void speak(struct client *c, uint8_t level, int loud)
{
	struct track *t = list_first(&server_side(c)->tracks, struct track, node);
	static uint32_t timestamp;
	for (int i = 0; i < PACKETS; i++)
		loudness_push(&t->up->loudness, i < loud ? level : 127, timestamp += 960, 48000);
}

static void pass(struct harness *h)
{
	harness_advance(h, INTERVAL_US);
	for (unsigned i = 0; i < h->n_clients; i++)
		while (client_read(h->clients[i]))
			;
}

static const Livekit__SpeakerInfo *heard(const struct client *c, struct client *speaker)
{
	const Livekit__SignalResponse *m = LAST(c, SPEAKERS_CHANGED);
	for (size_t i = 0; i < m->speakers_changed->n_speakers; i++)
		if (strcmp(m->speakers_changed->speakers[i]->sid, server_side(speaker)->sid) == 0)
			return m->speakers_changed->speakers[i];
	fail_msg("%s heard nothing of %s", c->identity, speaker->identity);
	abort();
}

static struct client *join_with_microphone(struct harness *h, const char *identity)
{
	struct client *c = JOIN(h, .identity = identity);
	(void)client_publish(c, false);
	harness_settle(h);
	return c;
}

static void loud_is_told_once(void **st)
{
	struct harness *h = *st;
	struct client *ann = join_with_microphone(h, "ann"), *bob = JOIN(h, .identity = "bob"),
		      *deaf = JOIN(h, .identity = "deaf", .no_auto_subscribe = true);
	harness_settle(h);
	pass(h);
	assert_false(HAS(bob, SPEAKERS_CHANGED));
	for (int i = 0; i < 12; i++) {
		speak(ann, 0, PACKETS);
		pass(h);
	}
	assert_true(heard(bob, ann)->active);
	assert_true(heard(bob, ann)->level > 0.99F);
	assert_true(heard(ann, ann)->active);
	assert_false(HAS(deaf, SPEAKERS_CHANGED));
	client_forget(bob);
	speak(ann, 0, PACKETS);
	pass(h);
	assert_false(HAS(bob, SPEAKERS_CHANGED)); /* nothing new */
}

static void silence_ends_it(void **st)
{
	struct harness *h = *st;
	struct client *ann = join_with_microphone(h, "ann"), *bob = JOIN(h, .identity = "bob");
	harness_settle(h);
	speak(ann, 10, PACKETS);
	pass(h);
	assert_true(heard(bob, ann)->active);
	client_unpublish(ann, 6);
	harness_settle(h);
	for (int i = 0; i < 4; i++)
		pass(h);
	assert_false(heard(bob, ann)->active);
	assert_true(heard(bob, ann)->level == 0.0F);
}

static void a_cough_is_no_speech(void **st)
{
	struct harness *h = *st;
	struct client *ann = join_with_microphone(h, "ann"), *bob = JOIN(h, .identity = "bob");
	harness_settle(h);
	for (int i = 0; i < 5; i++) {
		speak(ann, 0, 7); /* 35 % */
		pass(h);
		speak(ann, 36, PACKETS); /* below the level of speech */
		pass(h);
	}
	assert_false(HAS(bob, SPEAKERS_CHANGED));
	server_side(ann)->room->rooms->cfg.speaker_min_percent = 30;
	speak(ann, 0, 7);
	pass(h);
	assert_true(heard(bob, ann)->active);
}

static void the_muted_do_not_speak(void **st)
{
	struct harness *h = *st;
	struct client *ann = join_with_microphone(h, "ann"), *bob = JOIN(h, .identity = "bob");
	harness_settle(h);
	PB_SET(list_first(&server_side(ann)->tracks, struct track, node)->info, muted, 1);
	speak(ann, 0, PACKETS);
	pass(h);
	assert_false(HAS(bob, SPEAKERS_CHANGED));
}

static void the_loudest_come_first(void **st)
{
	struct harness *h = *st;
	struct client *ann = join_with_microphone(h, "ann"), *bob = join_with_microphone(h, "bob"),
		      *eve = JOIN(h, .identity = "eve", .is_dual = true);
	harness_settle(h);
	speak(ann, 12, PACKETS);
	speak(bob, 2, PACKETS);
	pass(h);
	const Livekit__SpeakersChanged *m = LAST(eve, SPEAKERS_CHANGED)->speakers_changed;
	assert_int_equal(m->n_speakers, 2);
	assert_string_equal(m->speakers[0]->sid, server_side(bob)->sid);
	assert_true(m->speakers[0]->level > m->speakers[1]->level);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(loud_is_told_once),
		TEST(silence_ends_it),
		TEST(a_cough_is_no_speech),
		TEST(the_muted_do_not_speak),
		TEST(the_loudest_come_first),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
