/* DATA_CHANNEL_OPEN (RFC 8832 §5.1), the CRC32c, and the count of unacknowledged messages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "base/macros.h"
#include "sctp/sctp_internal.h"

/* What a browser sends for an unordered channel without retransmissions: label "udp", protocol "v2". */
static const uint8_t open_message[] = {
	0x03, 0x81, 0x01, 0x00, /* OPEN, partial reliable by count and unordered, priority 256 */
	0x00, 0x00, 0x00, 0x00, /* no retransmission */
	0x00, 0x03, 0x00, 0x02, /* lengths */
	'u',  'd',  'p',  'v',  '2',
};

static void open_is_read(void **st)
{
	(void)st;
	struct sctp_channel_info info;
	assert_int_equal(
		sctp_dcep_parse_open(&info, slice_of(open_message, sizeof open_message)), 0);
	assert_false(info.is_ordered);
	assert_int_equal(info.max_retransmits, 0);
	assert_int_equal(info.max_lifetime_ms, -1);
	assert_true(slice_eq_str(info.label, "udp"));
	assert_true(slice_eq_str(info.protocol, "v2"));

	uint8_t out[DCEP_OPEN_LEN + 2 * SCTP_LABEL_MAX];
	assert_int_equal(sctp_dcep_write_open(out, &info), sizeof open_message);
	assert_memory_equal(out, open_message, sizeof open_message);
}

static void every_type(void **st)
{
	(void)st;
	for (unsigned type = 0; type < 256; type++) {
		uint8_t m[sizeof open_message];
		struct sctp_channel_info info;
		memcpy(m, open_message, sizeof m);
		m[1] = (uint8_t)type;
		wr32(m + 4, 500);
		int err = sctp_dcep_parse_open(&info, slice_of(m, sizeof m));
		unsigned kind = type & 0x7f;
		assert_int_equal(err, kind <= 2 ? 0 : -ERR_MALFORMED);
		if (err)
			continue;
		assert_int_equal(info.is_ordered, type < 0x80);
		assert_int_equal(info.max_retransmits, kind == 1 ? 500 : -1);
		assert_int_equal(info.max_lifetime_ms, kind == 2 ? 500 : -1);
	}
}

static void hostile_opens_are_refused(void **st)
{
	(void)st;
	struct sctp_channel_info info;
	uint8_t m[DCEP_OPEN_LEN + SCTP_LABEL_MAX + 2] = {0x03};
	for (size_t n = 0; n < sizeof open_message; n++)
		assert_int_equal(
			sctp_dcep_parse_open(&info, slice_of(open_message, n)), -ERR_TRUNCATED);
	memcpy(m, open_message, sizeof open_message);
	assert_int_equal(
		sctp_dcep_parse_open(&info, slice_of(m, sizeof open_message + 1)), -ERR_MALFORMED);
	m[0] = 0x04;
	assert_int_equal(
		sctp_dcep_parse_open(&info, slice_of(m, sizeof open_message)), -ERR_MALFORMED);
	m[0] = 0x03;
	wr16(m + 10, 0);
	wr16(m + 8, SCTP_LABEL_MAX);
	assert_int_equal(
		sctp_dcep_parse_open(&info, slice_of(m, DCEP_OPEN_LEN + SCTP_LABEL_MAX)), 0);
	wr16(m + 8, SCTP_LABEL_MAX + 1);
	assert_int_equal(
		sctp_dcep_parse_open(&info, slice_of(m, DCEP_OPEN_LEN + SCTP_LABEL_MAX + 1)),
		-ERR_RANGE);
	wr32(m + 4, UINT32_MAX); /* a limit beyond what the field can say stays a limit */
	wr16(m + 8, 0);
	assert_int_equal(sctp_dcep_parse_open(&info, slice_of(m, DCEP_OPEN_LEN)), 0);
	assert_int_equal(info.max_retransmits, INT32_MAX);
}

static void crc32c_has_its_check_value(void **st)
{
	(void)st;
	assert_int_equal(~sctp_crc32c_portable(UINT32_MAX, (const uint8_t *)"123456789", 9), 0xE3069283u);
}

static void both_crc32c_agree(void **st)
{
	(void)st;
	uint8_t p[256];
	for (size_t i = 0; i < sizeof p; i++)
		p[i] = (uint8_t)(i * 181 + 7);
	for (size_t n = SCTP_HDR_LEN; n < sizeof p; n++) {
		sctp_crc32c_write(p, n);
		assert_true(sctp_crc32c_is_right(slice_of(p, n)));
		uint8_t copy[sizeof p];
		memcpy(copy, p, n);
		memset(copy + SCTP_CRC_AT, 0, 4);
		uint32_t crc = ~sctp_crc32c_portable(UINT32_MAX, copy, n);
		assert_int_equal(p[SCTP_CRC_AT], crc & 0xff); /* lowest byte first */
		assert_int_equal(p[SCTP_CRC_AT + 3], crc >> 24);
		p[n - 1] ^= 0x10;
		assert_false(sctp_crc32c_is_right(slice_of(p, n)));
	}
}

static void backlog_follows_the_bytes(void **st)
{
	(void)st;
	struct sctp_backlog b = {0};
	size_t bytes = 0;
	while (!sctp_backlog_is_full(&b)) {
		sctp_backlog_add(&b, 3);
		bytes += 3;
	}
	assert_int_equal(b.messages, SCTP_BACKLOG_BUCKETS * SCTP_BACKLOG_PER_BUCKET);
	for (size_t left = bytes; left; left--) {
		sctp_backlog_settle(&b, left);
		assert_in_range(
			b.messages, (left + 2) / 3, (left + 2) / 3 + SCTP_BACKLOG_PER_BUCKET);
	}
	sctp_backlog_settle(&b, 0);
	assert_int_equal(b.messages, 0);
	assert_int_equal(b.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(open_is_read),
		cmocka_unit_test(every_type),
		cmocka_unit_test(hostile_opens_are_refused),
		cmocka_unit_test(crc32c_has_its_check_value),
		cmocka_unit_test(both_crc32c_agree),
		cmocka_unit_test(backlog_follows_the_bytes),
	};
	return cmocka_run_group_tests_name("dcep", tests, NULL, NULL);
}
