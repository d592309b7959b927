#include "world.h"

enum { CYCLE = 500 * 1000 };

static struct world w;
static struct subscriber sub;

static void start(unsigned layers)
{
	world_init(&w, "video/VP8", layers);
	subscriber_init(
		&sub, &w, &(struct subscriber_cfg){.has_rtx = true, .quality = QUALITY_HIGH});
}

static void finish(void)
{
	subscriber_close(&sub);
	world_close(&w);
}

/* Frames at 30 per second on the layers in the mask. */
static void live(unsigned mask, uint64_t us)
{
	for (uint64_t end = w.now_us + us; w.now_us < end;) {
		world_run(&w, 33 * 1000);
		sub.n_got = 0;
		for (unsigned l = 0; l < LAYERS_MAX; l++)
			if (mask >> l & 1)
				world_frame(&w, &sub, l, false, 1);
	}
}

static unsigned active(void)
{
	unsigned mask = 0;
	for (unsigned i = 0; i < uptrack_layer_count(w.up); i++)
		mask |= (unsigned)uptrack_layers(w.up)[i].is_active << i;
	return mask;
}

static void a_layer_is_active_from_its_first_packet(void **st)
{
	(void)st;
	start(3);
	assert_false(uptrack_is_live(w.up));
	assert_int_equal(active(), 0);
	world_frame(&w, &sub, 1, false, 1);
	assert_true(uptrack_is_live(w.up));
	assert_int_equal(active(), 2);
	assert_int_equal(w.n_layer_events, 1);
	finish();
}

static void a_first_cycle_that_was_cut_short_is_not_judged(void **st)
{
	(void)st;
	start(3);
	live(1, 490 * 1000); /* the others begin just before the cycle ends */
	live(7, 3 * CYCLE);
	assert_int_equal(active(), 7);
	finish();
}

static void a_silent_layer_is_left_and_comes_back_after_good_cycles(void **st)
{
	(void)st;
	start(3);
	live(7, 3 * CYCLE);
	for (unsigned i = 0; i < 3; i++)
		world_frame(&w, &sub, i, true, 1);
	assert_int_equal(downtrack_layer(sub.down), 2);
	unsigned plis = w.n_plis_of[1];
	live(3, 3 * CYCLE);
	assert_int_equal(active(), 3);
	assert_true(w.n_plis_of[1] > plis);
	world_frame(&w, &sub, 1, true, 1);
	assert_int_equal(downtrack_layer(sub.down), 1);
	live(7, 18 * CYCLE);
	assert_int_equal(active(), 3);
	live(7, 4 * CYCLE);
	assert_int_equal(active(), 7);
	world_frame(&w, &sub, 2, true, 1);
	assert_int_equal(downtrack_layer(sub.down), 2);

	live(6, 3 * CYCLE); /* the lowest: four cycles */
	assert_int_equal(active(), 6);
	live(7, 3 * CYCLE);
	assert_int_equal(active(), 6);
	live(7, 2 * CYCLE + 100000);
	assert_int_equal(active(), 7);
	finish();
}

static void a_layer_that_nobody_wanted_comes_back_at_once(void **st)
{
	(void)st;
	start(3);
	live(7, 3 * CYCLE);
	downtrack_set_wish(sub.down, &(struct layer_wish){.quality = QUALITY_LOW}, w.now_us);
	live(1, 3 * CYCLE); /* the publisher has heard of it */
	assert_int_equal(active(), 1);
	downtrack_set_wish(sub.down, &(struct layer_wish){.quality = QUALITY_HIGH}, w.now_us);
	live(7, 2 * 33 * 1000);
	assert_int_equal(active(), 7);
	live(7, 2 * CYCLE);
	assert_int_equal(active(), 7);
	finish();
}

static void silence_while_muted_says_nothing(void **st)
{
	(void)st;
	start(3);
	live(7, 3 * CYCLE);
	uptrack_set_muted(w.up, true);
	world_run(&w, 20 * CYCLE);
	assert_int_equal(active(), 7);
	uptrack_set_muted(w.up, false);
	world_run(&w, 2500 * 1000); /* the camera takes its time */
	assert_int_equal(active(), 7);
	live(7, 3 * CYCLE);
	assert_int_equal(active(), 7);
	/* And one that does not come back is noticed, and is back at its first packet. */
	uptrack_set_muted(w.up, true);
	world_run(&w, 20 * CYCLE);
	uptrack_set_muted(w.up, false);
	live(3, 3 * CYCLE);
	assert_int_equal(active(), 3);
	world_frame(&w, &sub, 2, false, 1);
	assert_int_equal(active(), 7);
	live(7, 3 * CYCLE);
	assert_int_equal(active(), 7);
	finish();
}

static void the_highest_wish_of_all_is_told(void **st)
{
	(void)st;
	static struct subscriber other;
	start(3);
	assert_int_equal(w.wanted, 2);
	struct layer_wish low = {.quality = QUALITY_LOW}, off = {.is_disabled = true};
	downtrack_set_wish(sub.down, &low, w.now_us);
	assert_int_equal(w.wanted, 0);
	subscriber_init(&other, &w, &(struct subscriber_cfg){.quality = QUALITY_MEDIUM});
	assert_int_equal(w.wanted, 1);
	downtrack_set_wish(sub.down, &off, w.now_us);
	assert_int_equal(w.wanted, 1);
	unsigned events = w.n_wanted_events;
	downtrack_set_wish(sub.down, &low, w.now_us);
	assert_int_equal(w.n_wanted_events, events); /* nothing moved */
	subscriber_close(&other);
	assert_int_equal(w.wanted, 0);
	downtrack_set_wish(sub.down, &off, w.now_us);
	assert_int_equal(w.wanted, LAYER_NONE);
	finish();
}

static void a_new_size_changes_who_gets_what(void **st)
{
	(void)st;
	start(2);
	struct layer_wish wish = {.width = 320, .height = 180, .quality = QUALITY_HIGH};
	downtrack_set_wish(sub.down, &wish, w.now_us);
	assert_int_equal(w.wanted, 0);
	world_frame(&w, &sub, 0, true, 1);
	unsigned events = w.n_layer_events;
	w.src[0].width = 160;
	w.src[0].height = 90;
	world_frame(&w, &sub, 0, true, 1);
	assert_int_equal(w.n_layer_events, events + 1);
	assert_int_equal(uptrack_layers(w.up)[0].width, 160);
	assert_int_equal(w.wanted, 1);
	world_frame(&w, &sub, 0, true, 1);
	assert_int_equal(w.n_layer_events, events + 1);
	finish();
}

static void key_frame_requests_are_throttled_but_not_forgotten(void **st)
{
	(void)st;
	start(1);
	world_frame(&w, &sub, 0, true, 1);
	world_run(&w, WORLD_PLI_LOW_US);
	unsigned before = w.n_plis;
	for (int i = 0; i < 10; i++)
		uptrack_request_key_frame(w.up, 0, w.now_us);
	assert_int_equal(w.n_plis, before + 1);
	assert_int_equal(w.last_pli_ssrc, w.src[0].ssrc);
	world_run(&w, WORLD_PLI_LOW_US - 100 * 1000);
	assert_int_equal(w.n_plis, before + 1);
	world_run(&w, 200 * 1000);
	assert_int_equal(w.n_plis, before + 2); /* the one that was held back */
	world_run(&w, 5000 * 1000);
	assert_int_equal(w.n_plis, before + 2);
	finish();
}

static void a_key_frame_answers_the_request_that_was_held_back(void **st)
{
	(void)st;
	start(1);
	world_frame(&w, &sub, 0, true, 1);
	world_run(&w, WORLD_PLI_LOW_US);
	uptrack_request_key_frame(w.up, 0, w.now_us);
	uptrack_request_key_frame(w.up, 0, w.now_us);
	unsigned before = w.n_plis;
	world_frame(&w, &sub, 0, true, 1);
	world_run(&w, 3 * WORLD_PLI_LOW_US);
	assert_int_equal(w.n_plis, before);
	finish();
}

static void asks_for_the_first_key_frame_each_second_for_half_a_minute(void **st)
{
	(void)st;
	start(1);
	struct layer_wish off = {.is_disabled = true};
	downtrack_set_wish(sub.down, &off, w.now_us); /* so that nobody else asks */
	live(1, 5000 * 1000);
	assert_in_range(w.n_plis, 4, 6);
	live(1, 60 * 1000 * 1000);
	assert_in_range(w.n_plis, 25, 31);
	finish();
}

static void requests_without_sense_are_ignored(void **st)
{
	(void)st;
	start(1);
	unsigned before = w.n_plis;
	uptrack_request_key_frame(w.up, LAYER_NONE, w.now_us);
	uptrack_request_key_frame(w.up, 1, w.now_us);
	uptrack_request_key_frame(w.up, 100, w.now_us);
	assert_int_equal(w.n_plis, before);
	finish();
}

static void the_bitrate_is_that_of_the_last_cycle(void **st)
{
	(void)st;
	start(1);
	w.src[0].filler = 1000;
	live(1, 3000 * 1000);
	/* About 1030 bytes, 30 times a second. */
	assert_in_range(uptrack_bitrate(w.up), 210000, 290000);
	world_run(&w, 1000 * 1000);
	assert_int_equal(uptrack_bitrate(w.up), 0);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_layer_is_active_from_its_first_packet),
		cmocka_unit_test(a_first_cycle_that_was_cut_short_is_not_judged),
		cmocka_unit_test(a_silent_layer_is_left_and_comes_back_after_good_cycles),
		cmocka_unit_test(a_layer_that_nobody_wanted_comes_back_at_once),
		cmocka_unit_test(silence_while_muted_says_nothing),
		cmocka_unit_test(the_highest_wish_of_all_is_told),
		cmocka_unit_test(a_new_size_changes_who_gets_what),
		cmocka_unit_test(key_frame_requests_are_throttled_but_not_forgotten),
		cmocka_unit_test(a_key_frame_answers_the_request_that_was_held_back),
		cmocka_unit_test(asks_for_the_first_key_frame_each_second_for_half_a_minute),
		cmocka_unit_test(requests_without_sense_are_ignored),
		cmocka_unit_test(the_bitrate_is_that_of_the_last_cycle),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
