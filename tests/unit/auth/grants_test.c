#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "auth/grants.h"
#include "base/mem.h"
#include "pb/pb.h"

static void defaults_depend_on_what_is_said(void **st)
{
	(void)st;
	struct grants g = {.has_video = true};
	assert_true(grants_can_publish(&g));
	assert_true(grants_can_subscribe(&g));
	assert_true(grants_can_publish_data(&g));
	assert_false(grants_can_update_own_metadata(&g));
	assert_false(grants_can_subscribe_metrics(&g));
	assert_false(grants_can_manage_agent_session(&g));
	g.video.can_publish = GRANT_NO;
	assert_false(grants_can_publish_data(&g));
	assert_true(grants_can_subscribe(&g));
	g.video.can_publish_data = GRANT_YES;
	assert_true(grants_can_publish_data(&g));
}

static void sources_limit_publishing(void **st)
{
	(void)st;
	struct grants g = {.has_video = true};
	assert_true(grants_can_publish_source(&g, LIVEKIT__TRACK_SOURCE__CAMERA));
	assert_true(grants_can_publish_source(&g, LIVEKIT__TRACK_SOURCE__UNKNOWN));
	g.video.can_publish_sources = grants_source_bit("microphone");
	assert_true(grants_can_publish_source(&g, LIVEKIT__TRACK_SOURCE__MICROPHONE));
	assert_false(grants_can_publish_source(&g, LIVEKIT__TRACK_SOURCE__CAMERA));
	assert_false(grants_can_publish_source(&g, LIVEKIT__TRACK_SOURCE__UNKNOWN));
	g.video.can_publish = GRANT_NO;
	assert_false(grants_can_publish_source(&g, LIVEKIT__TRACK_SOURCE__MICROPHONE));
	/* A list of words that we do not know allows nothing, a foreign number neither. */
	g = (struct grants){.video.can_publish_sources = grants_source_bit("hologram")};
	for (int source = -1; source < 40; source++)
		assert_false(grants_can_publish_source(&g, (Livekit__TrackSource)source));
}

static void a_permission_says_the_same(void **st)
{
	(void)st;
	struct grants g = {.has_video = true, .video = {.hidden = true, .can_subscribe = GRANT_NO}};
	g.video.can_publish_sources =
		grants_source_bit("camera") | grants_source_bit("screen_share");
	Livekit__ParticipantPermission *p = grants_to_permission(&g);
	assert_true(p->has_can_publish && p->can_publish);
	assert_true(p->has_can_subscribe && !p->can_subscribe);
	assert_true(p->can_publish_data && p->hidden && !p->can_update_metadata);
	assert_int_equal(p->n_can_publish_sources, 2);
	assert_int_equal(p->can_publish_sources[0], LIVEKIT__TRACK_SOURCE__CAMERA);
	assert_int_equal(p->can_publish_sources[1], LIVEKIT__TRACK_SOURCE__SCREEN_SHARE);

	struct grants back = {.video = {.agent = true, .can_subscribe = GRANT_YES}};
	grants_from_permission(&back, p);
	assert_int_equal(back.video.can_subscribe, GRANT_NO);
	assert_int_equal(back.video.can_publish, GRANT_YES);
	assert_int_equal(back.video.can_update_own_metadata, GRANT_NO);
	assert_int_equal(back.video.can_publish_sources, g.video.can_publish_sources);
	assert_true(back.video.hidden && back.video.agent && back.has_video);
	pb_free(p);
}

/* Through the message that has no word for it, a limit stays a limit. */
static void an_unknown_source_does_not_become_all(void **st)
{
	(void)st;
	struct grants g = {.video.can_publish_sources = GRANT_SOURCES_LIMITED};
	Livekit__ParticipantPermission *p = grants_to_permission(&g);
	assert_int_equal(p->n_can_publish_sources, 1);
	struct grants back = {.has_video = false};
	grants_from_permission(&back, p);
	assert_int_equal(back.video.can_publish_sources, GRANT_SOURCES_LIMITED);
	pb_free(p);
}

static void what_a_permission_leaves_out_is_revoked(void **st)
{
	(void)st;
	Livekit__ParticipantPermission p = LIVEKIT__PARTICIPANT_PERMISSION__INIT;
	p.has_can_subscribe = p.can_subscribe = true;
	struct grants g = {.has_video = true,
		.video = {.can_publish_sources = 2, .can_update_own_metadata = GRANT_YES}};
	grants_from_permission(&g, &p);
	assert_true(grants_can_subscribe(&g));
	assert_false(grants_can_publish(&g));
	assert_false(grants_can_publish_data(&g));
	assert_false(grants_can_update_own_metadata(&g));
	assert_int_equal(g.video.can_publish_sources, 0);
}

static void attributes_are_set_and_removed(void **st)
{
	(void)st;
	struct grants *g = XNEW(struct grants);
	grants_set_attribute(g, "a", "1");
	grants_set_attribute(g, "b", "2");
	grants_set_attribute(g, "c", "3");
	grants_set_attribute(g, "b", "two");
	grants_set_attribute(g, "a", "");
	grants_set_attribute(g, "none", "");
	assert_int_equal(g->n_attributes, 2);
	assert_string_equal(g->attributes[0].key, "b");
	assert_string_equal(g->attributes[0].value, "two");
	assert_string_equal(g->attributes[1].key, "c");
	grants_free(g);
}

static void a_copy_stands_alone(void **st)
{
	(void)st;
	struct grants *g = XNEW(struct grants);
	grants_set(&g->identity, "me");
	grants_set(&g->video.room, "r");
	grants_set_attribute(g, "a", "1");
	g->room_config = XNEW(Livekit__RoomConfiguration);
	livekit__room_configuration__init(g->room_config);
	g->room_config->name = xstrdup("cfg");
	struct grants *copy = grants_copy(g);
	grants_set(&g->identity, "you");
	grants_set_attribute(g, "a", "2");
	grants_free(g);
	assert_string_equal(copy->identity, "me");
	assert_string_equal(copy->video.room, "r");
	assert_null(copy->name);
	assert_string_equal(copy->attributes[0].value, "1");
	assert_string_equal(copy->room_config->name, "cfg");
	grants_set(&copy->identity, copy->identity);
	assert_string_equal(copy->identity, "me");
	grants_free(copy);
	grants_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_depend_on_what_is_said),
		cmocka_unit_test(sources_limit_publishing),
		cmocka_unit_test(a_permission_says_the_same),
		cmocka_unit_test(an_unknown_source_does_not_become_all),
		cmocka_unit_test(what_a_permission_leaves_out_is_revoked),
		cmocka_unit_test(attributes_are_set_and_removed),
		cmocka_unit_test(a_copy_stands_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
