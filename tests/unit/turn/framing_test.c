#include "../cm.h"
#include <stdlib.h>
#include <string.h>
#include "turn/framing.h"

/* A Binding request without attributes, and a message on channel 0x4001 with five bytes. */
static const uint8_t binding[] = {
	0x00, 0x01, 0x00, 0x00, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
static const uint8_t channel[] = {0x40, 0x01, 0x00, 0x05, 'h', 'e', 'l', 'l', 'o', 0, 0, 0};

/* Of the exact size, so that a read past the end is seen. */
static struct framing frame(const uint8_t *p, size_t n)
{
	uint8_t *copy = malloc(n ? n : 1);
	assert_non_null(copy);
	memcpy(copy, p, n);
	struct framing f = framing_next(slice_of(copy, n));
	free(copy);
	return f;
}

static void every_prefix_asks_for_more(void **state)
{
	(void)state;
	for (size_t n = 0; n < sizeof binding; n++) {
		struct framing f = frame(binding, n);
		assert_int_equal(f.kind, FRAMING_MORE);
		assert_true(f.size > n && f.size <= sizeof binding);
		assert_int_equal(f.n, 0);
	}
	for (size_t n = 0; n < sizeof channel; n++) {
		struct framing f = frame(channel, n);
		assert_int_equal(f.kind, FRAMING_MORE);
		assert_true(f.size > n && f.size <= sizeof channel);
	}
}

static void messages_are_told_apart(void **state)
{
	(void)state;
	struct framing f = frame(binding, sizeof binding);
	assert_int_equal(f.kind, FRAMING_STUN);
	assert_int_equal(f.n, 20);
	assert_int_equal(f.size, 20);
	f = frame(channel, sizeof channel);
	assert_int_equal(f.kind, FRAMING_CHANNEL);
	assert_int_equal(f.n, 9);
	assert_int_equal(f.size, 12);
}

static void a_stream_is_cut_into_its_messages(void **state)
{
	(void)state;
	uint8_t stream[2 * sizeof binding + 2 * sizeof channel];
	memcpy(stream, binding, sizeof binding);
	memcpy(stream + 20, channel, sizeof channel);
	memcpy(stream + 32, channel, sizeof channel);
	memcpy(stream + 44, binding, sizeof binding);
	static const size_t sizes[] = {20, 12, 12, 20};
	size_t at = 0;
	for (size_t i = 0; i < 4; i++) {
		struct framing f = frame(stream + at, sizeof stream - at);
		assert_int_equal(f.size, sizes[i]);
		at += f.size;
	}
	assert_int_equal(at, sizeof stream);
}

static void the_longest_messages_fit_the_bound(void **state)
{
	(void)state;
	uint8_t p[8] = {0x40, 0x00, 0xff, 0xff};
	assert_int_equal(frame(p, 4).size, 65540);
	uint8_t stun[8] = {0x00, 0x16, 0xff, 0xfc, 0x21, 0x12, 0xa4, 0x42};
	assert_int_equal(frame(stun, 8).size, 65552);
	assert_true(frame(stun, 8).size <= FRAMING_SIZE_MAX);
}

static void garbage_is_seen_at_once(void **state)
{
	(void)state;
	static const struct {
		size_t n;
		uint8_t p[8];
	} rows[] = {
		{1, {0x80}},
		{1, {0xff}},
		{4, {0x00, 0x01, 0x00, 0x03}},                         /* no multiple of 4 */
		{8, {0x00, 0x01, 0x00, 0x00, 0x21, 0x12, 0xa4, 0x43}}, /* not the cookie */
		{8, "SSH-2.0"},                                        /* channel 0x5353 with 11 KB: not garbage yet */
	};
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(frame(rows[i].p, rows[i].n).kind, FRAMING_BAD);
	assert_int_equal(frame(rows[4].p, 8).kind, FRAMING_MORE);
}

static void data_is_told_from_answers(void **state)
{
	(void)state;
	static const uint8_t data[] = {0x00, 0x17, 0, 0}, success[] = {0x01, 0x01, 0, 0};
	assert_true(framing_is_data(slice_of(channel, sizeof channel)));
	assert_true(framing_is_data(slice_of(data, sizeof data)));
	assert_false(framing_is_data(slice_of(success, sizeof success)));
	assert_false(framing_is_data(slice_of(binding, sizeof binding)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_prefix_asks_for_more),
		cmocka_unit_test(messages_are_told_apart),
		cmocka_unit_test(a_stream_is_cut_into_its_messages),
		cmocka_unit_test(the_longest_messages_fit_the_bound),
		cmocka_unit_test(garbage_is_seen_at_once),
		cmocka_unit_test(data_is_told_from_answers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
