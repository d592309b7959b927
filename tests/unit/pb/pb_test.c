#include "vectors.h"

#include "pb/pb.h"
#include "registry.h"

enum { MESSAGE, HEX, JSON };

static struct registry registry;

static const struct pb_limits roomy = {
	.size = 1 << 20,
	.memory = 8 << 20,
	.elements = 10000,
	.depth = 16,
};

/* Decodes from memory of the exact size, so that a read past the end is seen. */
static int decode(const ProtobufCMessageDescriptor *desc, const void *p, size_t n,
	const struct pb_limits *limits)
{
	uint8_t *exact = xmemdup(p, n);
	ProtobufCMessage *msg;
	int err = pb_decode(desc, slice_of(exact, n), limits, &msg);
	assert_int_equal(msg == NULL, err != 0);
	pb_free(msg);
	xfree(exact);
	return err;
}

#define DECODE(desc, bytes, limits) decode(desc, bytes, sizeof bytes - 1, limits)

static void bytes_of_another_encoder_come_back(void **st)
{
	(void)st;
	struct vectors v;
	char *row[VECTORS_COLUMNS];
	vectors_open(&v, "pb/golden.tsv");
	while (vectors_next(&v, row)) {
		const ProtobufCMessageDescriptor *desc = registry_find(&registry, row[MESSAGE]);
		if (!desc)
			fail_msg("no message %s", row[MESSAGE]);
		struct slice in = vectors_unhex(row[HEX]);
		ProtobufCMessage *msg;
		assert_int_equal(pb_decode(desc, in, &roomy, &msg), 0);
		ProtobufCMessage *copy = pb_copy(msg);
		struct buf out;
		buf_init(&out, VECTORS_FILE_MAX);
		assert_int_equal(pb_encode(copy, &out), 0);
		if (!slice_eq(buf_slice(&out), in))
			fail_msg("line %zu: %s differs", v.line, row[MESSAGE]);
		assert_int_equal(msg->n_unknown_fields, 0);
		buf_free(&out);
		pb_free(copy);
		pb_free(msg);
		xfree((void *)(uintptr_t)in.p);
	}
	assert_true(v.line > 700);
	vectors_close(&v);
}

static void no_prefix_reads_past_its_end(void **st)
{
	(void)st;
	struct vectors v;
	char *row[VECTORS_COLUMNS];
	vectors_open(&v, "pb/golden.tsv");
	while (vectors_next(&v, row)) {
		if (strcmp(row[MESSAGE], "SignalRequest") && strcmp(row[MESSAGE], "DataPacket"))
			continue;
		struct slice in = vectors_unhex(row[HEX]);
		const ProtobufCMessageDescriptor *desc = registry_find(&registry, row[MESSAGE]);
		for (size_t n = 0; n < in.n; n++)
			(void)decode(desc, in.p, n, &roomy);
		xfree((void *)(uintptr_t)in.p);
	}
	vectors_close(&v);
}

static void broken_bytes_are_refused(void **st)
{
	(void)st;
	const ProtobufCMessageDescriptor *room = &livekit__room__descriptor;
	assert_int_equal(DECODE(room, "\x0a\x05rm", &roomy), -ERR_TRUNCATED);
	assert_int_equal(DECODE(room, "\x0a", &roomy), -ERR_TRUNCATED);
	assert_int_equal(DECODE(room, "\x20\xff", &roomy), -ERR_TRUNCATED);
	assert_int_equal(DECODE(room, "\x00\x01", &roomy), -ERR_MALFORMED);
	assert_int_equal(DECODE(room, "\x0b\x0c", &roomy), -ERR_MALFORMED);         /* a group */
	assert_int_equal(DECODE(room, "\x0a\x02\xc3\x28", &roomy), -ERR_MALFORMED); /* no UTF-8 */
	assert_int_equal(DECODE(room, "\x0a\x01\x00", &roomy), -ERR_MALFORMED);     /* NUL */
	assert_int_equal(DECODE(room, "\x20\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", &roomy),
		-ERR_MALFORMED);
	assert_int_equal(DECODE(room, "\x0a\xff\xff\xff\xff\x7f", &roomy), -ERR_TRUNCATED);
}

static void unknown_fields_survive(void **st)
{
	(void)st;
	/* sid = "R", field 1000 = 5, field 1001 = "xy" */
	static const char in[] = "\x0a\x01"
				 "R\xc0\x3e\x05\xca\x3e\x02xy";
	ProtobufCMessage *msg;
	assert_int_equal(
		pb_decode(&livekit__room__descriptor, slice_of(in, sizeof in - 1), &roomy, &msg),
		0);
	assert_int_equal(msg->n_unknown_fields, 2);
	assert_string_equal(((Livekit__Room *)msg)->sid, "R");
	struct buf out;
	buf_init(&out, 100);
	assert_int_equal(pb_encode(msg, &out), 0);
	assert_true(slice_eq(buf_slice(&out), slice_of(in, sizeof in - 1)));
	buf_free(&out);
	pb_free(msg);
}

static void limits_hold(void **st)
{
	(void)st;
	const ProtobufCMessageDescriptor *update = &livekit__participant_update__descriptor;
	struct pb_limits limits = roomy;
	/* participants: two empty ones */
	static const char two[] = "\x0a\x00\x0a\x00";
	assert_int_equal(DECODE(update, two, &limits), 0);
	limits.elements = 1;
	assert_int_equal(DECODE(update, two, &limits), -ERR_TOO_LARGE);
	limits = roomy;
	limits.size = 3;
	assert_int_equal(DECODE(update, two, &limits), -ERR_TOO_LARGE);
	limits = roomy;
	limits.depth = 1;
	assert_int_equal(DECODE(update, two, &limits), -ERR_TOO_LARGE);
	limits.depth = 2;
	assert_int_equal(DECODE(update, two, &limits), 0);
	limits = roomy;
	limits.memory = 300;
	assert_int_equal(DECODE(update, two, &limits), -ERR_TOO_LARGE);
	/* packed: 5 qualities in 5 bytes */
	static const char packed[] = "\x92\x01\x05\x00\x01\x02\x01\x00";
	limits = roomy;
	limits.elements = 6;
	assert_int_equal(DECODE(&livekit__participant_info__descriptor, packed, &limits), 0);
	limits.elements = 5;
	assert_int_equal(
		DECODE(&livekit__participant_info__descriptor, packed, &limits), -ERR_TOO_LARGE);
	/* The same in two halves counts the same, and one more for the second field. */
	static const char halves[] = "\x92\x01\x03\x00\x01\x02\x92\x01\x02\x01\x00";
	limits.elements = 7;
	assert_int_equal(DECODE(&livekit__participant_info__descriptor, halves, &limits), 0);
	limits.elements = 6;
	assert_int_equal(
		DECODE(&livekit__participant_info__descriptor, halves, &limits), -ERR_TOO_LARGE);
}

/* Depth is counted per branch: many shallow members in a row are fine. */
static void siblings_do_not_add_up_to_depth(void **st)
{
	(void)st;
	struct pb_limits limits = roomy;
	limits.depth = 2;
	static const char many[] = "\x0a\x00\x0a\x00\x0a\x00\x0a\x00\x0a\x00";
	assert_int_equal(DECODE(&livekit__participant_update__descriptor, many, &limits), 0);
}

/* Two bytes of wire make a struct of hundreds of bytes: 2 MiB of them must not become hundreds of
 * MB. */
static void a_message_of_empty_members_is_too_large(void **st)
{
	(void)st;
	size_t n = pb_signal_limits.size;
	uint8_t *in = xcalloc(1, n);
	for (size_t i = 0; i < n; i += 2)
		in[i] = 0x0a;
	assert_int_equal(decode(&livekit__participant_update__descriptor, in, n, &pb_signal_limits),
		-ERR_TOO_LARGE);
	xfree(in);
}

/* SignalRequest.add_track with one layer, over and over: each merge would copy all layers so far.
 */
static void repeated_merges_are_refused(void **st)
{
	(void)st;
	enum { ROUNDS = 20000 };
	static const uint8_t once[] = {0x22, 0x02, 0x4a, 0x00};
	uint8_t *in = xmalloc(ROUNDS * sizeof once);
	for (size_t i = 0; i < ROUNDS; i++)
		memcpy(in + i * sizeof once, once, sizeof once);
	const ProtobufCMessageDescriptor *desc = &livekit__signal_request__descriptor;
	assert_int_equal(decode(desc, in, 4 * sizeof once, &roomy), 0);
	assert_int_equal(decode(desc, in, 100 * sizeof once, &roomy), -ERR_MALFORMED);
	assert_int_equal(decode(desc, in, ROUNDS * sizeof once, &pb_signal_limits), -ERR_MALFORMED);
	xfree(in);
}

static void a_full_buffer_takes_nothing(void **st)
{
	(void)st;
	Livekit__Room room = LIVEKIT__ROOM__INIT;
	room.sid = (char *)(uintptr_t) "RM_12345";
	struct buf out;
	buf_init(&out, 9);
	assert_int_equal(pb_encode(&room, &out), -ERR_TOO_LARGE);
	assert_int_equal(out.n, 0);
	buf_free(&out);
	buf_init(&out, 10);
	assert_int_equal(pb_encode(&room, &out), 0);
	assert_int_equal(out.n, 10);
	buf_free(&out);
}

static void the_empty_message_is_no_bytes(void **st)
{
	(void)st;
	ProtobufCMessage *msg;
	assert_int_equal(pb_decode(&livekit__signal_request__descriptor, (struct slice){NULL, 0},
				 &roomy, &msg),
		0);
	assert_int_equal(((Livekit__SignalRequest *)msg)->message_case,
		LIVEKIT__SIGNAL_REQUEST__MESSAGE__NOT_SET);
	pb_free(msg);
	pb_free(NULL);
}

int main(void)
{
	registry_init(&registry);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_of_another_encoder_come_back),
		cmocka_unit_test(no_prefix_reads_past_its_end),
		cmocka_unit_test(broken_bytes_are_refused),
		cmocka_unit_test(unknown_fields_survive),
		cmocka_unit_test(limits_hold),
		cmocka_unit_test(siblings_do_not_add_up_to_depth),
		cmocka_unit_test(a_message_of_empty_members_is_too_large),
		cmocka_unit_test(repeated_merges_are_refused),
		cmocka_unit_test(a_full_buffer_takes_nothing),
		cmocka_unit_test(the_empty_message_is_no_bytes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
