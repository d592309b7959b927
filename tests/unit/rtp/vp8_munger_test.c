#include "cm.h"

#include "rtp/vp8_munger.h"

static struct vp8_munger m;
static uint32_t random_state;

static unsigned dice(unsigned sides)
{
	random_state = random_state * 1664525 + 1013904223;
	return (random_state >> 16) % sides;
}

/* A packet of a picture as libvpx numbers it. */
static struct vp8_desc desc(unsigned picture_id, unsigned tl0, unsigned tid, unsigned key_idx)
{
	return (struct vp8_desc){
		.picture_id = picture_id & 0x7fff,
		.tl0_pic_idx = (uint8_t)tl0,
		.temporal_id = (uint8_t)tid,
		.key_idx = key_idx & 31,
		.is_partition_start = true,
		.has_picture_id = true,
		.is_picture_id_long = true,
		.has_tl0 = true,
		.has_temporal = true,
		.has_key_idx = true,
	};
}

static struct vp8_numbers take(struct vp8_desc d)
{
	struct vp8_numbers out;
	assert_int_equal(vp8_munger_take(&m, &d, true, &out), 0);
	return out;
}

static int refused(struct vp8_desc d)
{
	struct vp8_numbers out;
	return vp8_munger_take(&m, &d, false, &out);
}

static int leave_out(struct vp8_desc d)
{
	return vp8_munger_skip(&m, &d);
}

static void start(unsigned picture_id, unsigned tl0, unsigned key_idx)
{
	struct vp8_desc d = desc(picture_id, tl0, 0, key_idx);
	vp8_munger_switch(&m, &d);
}

static void numbers_continue_over_switches(void **st)
{
	(void)st;
	struct vp8_desc d = desc(5, 5, 0, 5);
	vp8_munger_init(&m, (struct vp8_numbers){0x7fff, 255, 31});
	assert_int_equal(refused(d), -ERR_BAD_STATE);
	assert_int_equal(leave_out(d), -ERR_BAD_STATE);

	start(100, 7, 3);
	struct vp8_numbers n = take(desc(100, 7, 0, 3));
	assert_int_equal(n.picture_id, 0x7fff);
	assert_int_equal(n.tl0_pic_idx, 255);
	assert_int_equal(n.key_idx, 31);
	n = take(desc(101, 8, 0, 3));
	assert_int_equal(n.picture_id, 0);
	assert_int_equal(n.tl0_pic_idx, 0);
	assert_int_equal(n.key_idx, 31);

	start(0x7ffe, 200, 9);
	n = take(desc(0x7ffe, 200, 0, 9));
	assert_int_equal(n.picture_id, 1);
	assert_int_equal(n.tl0_pic_idx, 1);
	assert_int_equal(n.key_idx, 0);
	n = take(desc(0x8000, 202, 0, 10)); /* wraps; one picture was lost */
	assert_int_equal(n.picture_id, 3);
	assert_int_equal(n.tl0_pic_idx, 3);
	assert_int_equal(n.key_idx, 1);
}

static void a_picture_has_one_fate(void **st)
{
	(void)st;
	vp8_munger_init(&m, (struct vp8_numbers){0});
	start(10, 0, 0);
	assert_int_equal(take(desc(10, 0, 0, 0)).picture_id, 0);
	assert_int_equal(take(desc(10, 0, 0, 0)).picture_id, 0); /* its second packet */
	assert_int_equal(leave_out(desc(10, 0, 0, 0)), -ERR_BAD_STATE);
	assert_int_equal(leave_out(desc(11, 0, 1, 0)), 0);
	assert_int_equal(leave_out(desc(11, 0, 1, 0)), 0);
	assert_int_equal(refused(desc(11, 0, 1, 0)), -ERR_NOT_FOUND);
	assert_int_equal(take(desc(12, 1, 0, 0)).picture_id, 1);
	assert_int_equal(take(desc(14, 2, 0, 0)).picture_id, 3);
	/* 13 was thought lost and its number kept: send it, whatever its layer. */
	assert_int_equal(leave_out(desc(13, 1, 1, 0)), -ERR_BAD_STATE);
	struct vp8_desc late = desc(13, 1, 1, 0);
	struct vp8_numbers n;
	assert_int_equal(vp8_munger_take(&m, &late, false, &n), 0);
	assert_int_equal(n.picture_id, 2);
	assert_int_equal(n.tl0_pic_idx, 1);
	assert_int_equal(m.last.picture_id, 3);
	assert_int_equal(refused(desc(9, 0, 0, 0)), -ERR_REPLAY);
	assert_int_equal(leave_out(desc(9, 0, 0, 0)), 0);
}

static void a_restarted_encoder_is_continued(void **st)
{
	(void)st;
	vp8_munger_init(&m, (struct vp8_numbers){0});
	start(5000, 0, 0);
	assert_int_equal(take(desc(5000, 0, 0, 0)).picture_id, 0);
	assert_int_equal(take(desc(5001, 1, 0, 0)).picture_id, 1);
	struct vp8_numbers n = take(desc(17, 90, 0, 4));
	assert_int_equal(n.picture_id, 2);
	assert_int_equal(n.tl0_pic_idx, 2);
	assert_int_equal(n.key_idx, 1);
	assert_int_equal(take(desc(18, 91, 0, 4)).picture_id, 3);
	/* Late packets do not look like a restart. */
	assert_int_equal(refused(desc(16, 90, 0, 4)), -ERR_REPLAY);
	assert_int_equal(take(desc(19, 92, 0, 4)).picture_id, 4);
}

static void short_picture_ids_wrap_at_128(void **st)
{
	(void)st;
	struct vp8_desc d = {.has_picture_id = true, .is_partition_start = true, .picture_id = 120};
	vp8_munger_init(&m, (struct vp8_numbers){.picture_id = 0x7ff0});
	vp8_munger_switch(&m, &d);
	for (unsigned i = 0; i < 1000; i++) {
		d.picture_id = (120 + i) & 0x7f;
		assert_int_equal(take(d).picture_id, (0x7ff0 + i) & 0x7fff);
	}
}

static void sources_without_picture_ids_pass(void **st)
{
	(void)st;
	struct vp8_desc d = {.is_partition_start = true}, with = desc(50, 0, 0, 0);
	vp8_munger_init(&m, (struct vp8_numbers){.picture_id = 10});
	vp8_munger_switch(&m, &d);
	uint8_t out[VP8_DESC_MAX];
	assert_int_equal(vp8_desc_write(out, &d, take(d)), 1);
	assert_int_equal(vp8_munger_skip(&m, &d), 0);
	(void)take(d);
	/* It may start numbering in the middle. */
	assert_int_equal(take(with).picture_id, 10);
	vp8_munger_switch(&m, &d);
	(void)take(d);
	vp8_munger_switch(&m, &with);
	assert_int_equal(take(with).picture_id, 11);
}

struct source {
	unsigned picture_id, tl0, key_idx, phase;
};

static struct source random_source(void)
{
	return (struct source){dice(0x8000), dice(256), dice(32), 0};
}

/* The next picture of a source with layers 0 2 1 2; a key frame restarts the pattern. */
static struct vp8_desc next_picture(struct source *s, bool is_key)
{
	static const uint8_t layer_of[] = {0, 2, 1, 2};
	if (is_key) {
		s->phase = 0;
		s->key_idx++;
	}
	uint8_t tid = layer_of[s->phase++ % 4];
	s->picture_id++;
	if (tid == 0)
		s->tl0++;
	return desc(s->picture_id, s->tl0, tid, s->key_idx);
}

/*
 * Three sources, a subscriber that moves between them and between temporal layers, loss of whole
 * pictures: each picture number grows by one plus the lost ones, TL0PICIDX by one for each base
 * picture sent or lost, and KEYIDX changes with every key frame sent.
 */
static void random_layers_come_out_as_one_stream(void **st)
{
	(void)st;
	random_state = 99;
	struct source sources[3] = {random_source(), random_source(), random_source()};
	vp8_munger_init(&m, (struct vp8_numbers){0});
	unsigned current = 0, max_tid = 2, lost = 0, lost_base = 0;
	struct vp8_numbers last = {0x7fff, 255, 31};
	bool is_first = true;
	for (unsigned i = 0; i < 100000; i++) {
		unsigned wish = dice(100) == 0 ? dice(3) : current;
		bool is_switch = is_first || wish != current;
		current = wish;
		for (unsigned other = 0; other < 3; other++)
			if (other != current)
				(void)next_picture(&sources[other], dice(50) == 0);
		struct vp8_desc d = next_picture(&sources[current], is_switch);
		if (is_switch) {
			vp8_munger_switch(&m, &d);
			lost = lost_base = 0;
		} else if (dice(30) == 0) {
			lost++; /* arrives nowhere, whatever layer it was */
			lost_base += d.temporal_id == 0;
			continue;
		}
		if (dice(40) == 0)
			max_tid = dice(3);
		if (d.temporal_id > max_tid) {
			for (unsigned packets = 1 + dice(3); packets; packets--)
				assert_int_equal(leave_out(d), 0);
			continue;
		}
		for (unsigned packets = 1 + dice(3); packets; packets--) {
			struct vp8_numbers n = take(d);
			if (packets == 1) {
				assert_int_equal(
					n.picture_id, (last.picture_id + 1 + lost) & 0x7fff);
				unsigned base = (d.temporal_id == 0) + lost_base;
				assert_int_equal(n.tl0_pic_idx, (uint8_t)(last.tl0_pic_idx + base));
				assert_int_equal(n.key_idx, (last.key_idx + is_switch) & 31);
				last = n;
			}
		}
		lost = lost_base = 0;
		is_first = false;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_continue_over_switches),
		cmocka_unit_test(a_picture_has_one_fate),
		cmocka_unit_test(a_restarted_encoder_is_continued),
		cmocka_unit_test(short_picture_ids_wrap_at_128),
		cmocka_unit_test(sources_without_picture_ids_pass),
		cmocka_unit_test(random_layers_come_out_as_one_stream),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
