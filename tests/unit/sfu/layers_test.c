#include "cm.h"

#include "sfu/layers.h"

static const struct layer_info three[] = {
	{320, 180, QUALITY_LOW, true},
	{640, 360, QUALITY_MEDIUM, true},
	{1280, 720, QUALITY_HIGH, true},
};

static int wanted(struct layer_wish wish)
{
	return layer_wanted(&wish, three, 3);
}

static void quality_decides_without_a_size(void **st)
{
	(void)st;
	assert_int_equal(wanted((struct layer_wish){.quality = QUALITY_LOW}), 0);
	assert_int_equal(wanted((struct layer_wish){.quality = QUALITY_MEDIUM}), 1);
	assert_int_equal(wanted((struct layer_wish){.quality = QUALITY_HIGH}), 2);
	assert_int_equal(wanted((struct layer_wish){.quality = QUALITY_OFF}), LAYER_NONE);
	assert_int_equal(wanted((struct layer_wish){.quality = QUALITY_HIGH, .is_disabled = true}),
		LAYER_NONE);
	struct layer_wish high = {.quality = QUALITY_HIGH};
	assert_int_equal(layer_wanted(&high, three, 0), LAYER_NONE);
}

static void a_quality_that_is_not_declared_gives_the_next_lower(void **st)
{
	(void)st;
	const struct layer_info two[] = {
		{0, 0, QUALITY_MEDIUM, true}, {0, 0, QUALITY_HIGH, true}};
	struct layer_wish low = {.quality = QUALITY_LOW}, medium = {.quality = QUALITY_MEDIUM};
	assert_int_equal(layer_wanted(&low, two, 2), 0);
	assert_int_equal(layer_wanted(&medium, two, 2), 0);
}

static void the_smallest_layer_that_fills_the_element(void **st)
{
	(void)st;
	assert_int_equal(wanted((struct layer_wish){.width = 100, .height = 50}), 0);
	assert_int_equal(wanted((struct layer_wish){.width = 320, .height = 180}), 0);
	assert_int_equal(wanted((struct layer_wish){.width = 321, .height = 180}), 1);
	assert_int_equal(wanted((struct layer_wish){.width = 180, .height = 321}), 1);
	assert_int_equal(wanted((struct layer_wish){.width = 4000, .height = 3000}), 2);
	/* The size wins over the quality, which is what the client asked for before it knew the size. */
	assert_int_equal(
		wanted((struct layer_wish){.width = 100, .height = 50, .quality = QUALITY_HIGH}),
		0);
}

static void unknown_sizes_leave_it_to_the_quality(void **st)
{
	(void)st;
	const struct layer_info unknown[] = {{0, 0, QUALITY_LOW, true}, {0, 0, QUALITY_HIGH, true}};
	struct layer_wish wish = {.width = 100, .height = 50, .quality = QUALITY_HIGH};
	assert_int_equal(layer_wanted(&wish, unknown, 2), 1);
}

static int pick(const char *active, int want, int ceiling, int current)
{
	struct layer_info layers[3] = {{0}};
	for (int i = 0; i < 3; i++)
		layers[i].is_active = active[i] == '1';
	return layer_pick(layers, 3, want, ceiling, current);
}

static void picks_the_best_active_one(void **st)
{
	(void)st;
	assert_int_equal(pick("111", 2, 2, LAYER_NONE), 2);
	assert_int_equal(pick("111", 1, 2, 0), 1);
	assert_int_equal(pick("111", 2, 1, 2), 1);
	assert_int_equal(pick("110", 2, 2, 2), 1);
	assert_int_equal(pick("001", 0, 2, LAYER_NONE), 2); /* better too much than nothing */
	assert_int_equal(pick("011", 0, 0, LAYER_NONE), 1);
	assert_int_equal(pick("000", 2, 2, 1), 1); /* nothing arrives: no reason to move */
	assert_int_equal(pick("000", 2, 1, LAYER_NONE), 1);
	assert_int_equal(pick("111", LAYER_NONE, 2, 2), LAYER_NONE);
	assert_int_equal(pick("111", 7, 9, 0), 2); /* above the top is the top */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quality_decides_without_a_size),
		cmocka_unit_test(a_quality_that_is_not_declared_gives_the_next_lower),
		cmocka_unit_test(the_smallest_layer_that_fills_the_element),
		cmocka_unit_test(unknown_sizes_leave_it_to_the_quality),
		cmocka_unit_test(picks_the_best_active_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
