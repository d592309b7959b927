#include "cm.h"

#include <string.h>

#include "base/macros.h"
#include "rtp/pktbuf.h"

static uint8_t scratch[RTP_PACKET_MAX + 1];

/* Content and length depend on the number, so that a wrong packet shows. */
static struct slice content(unsigned nth)
{
	size_t n = 1 + (size_t)nth * 37 % RTP_PACKET_MAX;
	memset(scratch, (int)(nth & 0xff), n);
	return slice_of(scratch, n);
}

static bool holds(const struct pktbuf *b, unsigned nth)
{
	struct slice got = pktbuf_get(b, (uint16_t)nth);
	if (!got.p)
		return false;
	assert_true(slice_eq(got, content(nth)));
	return true;
}

static void packets_come_back_until_the_count_is_full(void **st)
{
	(void)st;
	struct pktbuf *b = pktbuf_new(100, 1 << 20); /* 128 packets, bytes to spare */
	assert_null(pktbuf_get(b, 0).p);
	for (unsigned i = 65400; i < 65400 + 1000; i++)
		assert_int_equal(pktbuf_put(b, (uint16_t)i, content(i)), 0);
	for (unsigned i = 65400; i < 65400 + 1000; i++)
		assert_int_equal(holds(b, i), i >= 66400 - 128);
	assert_null(pktbuf_get(b, (uint16_t)66400).p);
	assert_int_equal(pktbuf_put(b, (uint16_t)66399, content(66399)), -ERR_EXISTS);
	assert_int_equal(pktbuf_put(b, (uint16_t)(66399 - 128), content(1)), -ERR_REPLAY);
	pktbuf_clear(b);
	assert_null(pktbuf_get(b, (uint16_t)66399).p);
	assert_int_equal(pktbuf_put(b, 3, content(3)), 0);
	assert_true(holds(b, 3));
	pktbuf_free(b);
	pktbuf_free(NULL);
}

/* The newest packets are there, as many as fit; older ones are gone, never damaged. */
static void bytes_are_the_other_limit(void **st)
{
	(void)st;
	enum { BYTES = 10007 };
	struct pktbuf *b = pktbuf_new(512, BYTES);
	for (unsigned i = 0; i < 5000; i++) {
		assert_int_equal(pktbuf_put(b, (uint16_t)i, content(i)), 0);
		size_t held = 0, back = 0;
		while (back <= i && back < 100 && holds(b, i - (unsigned)back)) {
			held += content(i - (unsigned)back).n;
			back++;
		}
		assert_true(held <= BYTES);
		/* At most one packet's length is lost where the ring ends, one did not fit. */
		if (i > 100)
			assert_true(held > BYTES - 2 * RTP_PACKET_MAX);
		for (; back <= i && back < 100; back++)
			assert_false(holds(b, i - (unsigned)back));
	}
	pktbuf_free(b);
}

static void late_packets_fill_their_gap(void **st)
{
	(void)st;
	struct pktbuf *b = pktbuf_new(64, 1 << 17);
	assert_int_equal(pktbuf_put(b, 10, content(10)), 0);
	assert_int_equal(pktbuf_put(b, 20, content(20)), 0);
	assert_false(holds(b, 15));
	assert_int_equal(pktbuf_put(b, 15, content(15)), 0);
	assert_true(holds(b, 10) && holds(b, 15) && holds(b, 20));
	/* Before the first ever. */
	assert_int_equal(pktbuf_put(b, (uint16_t)-5, content(65531)), 0);
	assert_true(holds(b, 65531));
	pktbuf_free(b);
}

static void another_turn_of_numbers_is_no_hit(void **st)
{
	(void)st;
	struct pktbuf *b = pktbuf_new(16, 1 << 16);
	/* Short ones, so that the bytes of the first stay; once round without using the slot of 5.
	 */
	assert_int_equal(pktbuf_put(b, 5, slice_of(scratch, 1)), 0);
	for (uint32_t seq = 8; seq < 65536 + 4; seq += 16)
		assert_int_equal(pktbuf_put(b, (uint16_t)seq, slice_of(scratch, 1)), 0);
	assert_int_equal(pktbuf_put(b, 8, slice_of(scratch, 1)), 0);
	assert_null(pktbuf_get(b, 5).p);
	pktbuf_free(b);
}

static void sizes_are_checked(void **st)
{
	(void)st;
	struct pktbuf *b = pktbuf_new(1, 1); /* bytes are raised to one packet */
	assert_int_equal(pktbuf_put(b, 1, slice_of(scratch, 0)), -ERR_TRUNCATED);
	assert_int_equal(pktbuf_put(b, 1, slice_of(scratch, RTP_PACKET_MAX + 1)), -ERR_TOO_LARGE);
	assert_int_equal(pktbuf_put(b, 1, slice_of(scratch, RTP_PACKET_MAX)), 0);
	assert_int_equal(pktbuf_get(b, 1).n, RTP_PACKET_MAX);
	assert_int_equal(pktbuf_put(b, 2, slice_of(scratch, 9)), 0);
	assert_null(pktbuf_get(b, 1).p);
	assert_int_equal(pktbuf_get(b, 2).n, 9);
	pktbuf_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_come_back_until_the_count_is_full),
		cmocka_unit_test(bytes_are_the_other_limit),
		cmocka_unit_test(late_packets_fill_their_gap),
		cmocka_unit_test(another_turn_of_numbers_is_no_hit),
		cmocka_unit_test(sizes_are_checked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
