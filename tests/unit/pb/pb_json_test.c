#include "vectors.h"

#include <math.h>

#include "pb/pb_json.h"
#include "registry.h"

enum { MESSAGE, HEX, JSON };

static struct registry registry;

static const struct pb_limits roomy = {
	.size = 1 << 20,
	.memory = 8 << 20,
	.elements = 10000,
	.depth = 16,
};

static int decode(const ProtobufCMessageDescriptor *desc, const char *text,
	const struct pb_limits *limits, ProtobufCMessage **msg)
{
	/* Without the NUL, so that a read past the end is seen. */
	size_t n = strlen(text);
	char *exact = xmemdup(text, n);
	struct errbuf eb = {""};
	int err = pb_json_decode(desc, slice_of(exact, n), limits, msg, &eb);
	assert_int_equal(*msg == NULL, err != 0);
	assert_int_equal(eb.text[0] == 0, err == 0);
	xfree(exact);
	return err;
}

static int decode_only(const ProtobufCMessageDescriptor *desc, const char *text)
{
	ProtobufCMessage *msg;
	int err = decode(desc, text, &roomy, &msg);
	pb_free(msg);
	return err;
}

static void assert_json(const void *msg, const char *expected)
{
	struct buf out;
	buf_init(&out, 1 << 20);
	assert_int_equal(pb_json_encode(msg, &out), 0);
	assert_string_equal(buf_cstr(&out), expected);
	buf_free(&out);
}

/* Decodes, and compares what comes out. */
static void assert_becomes(const ProtobufCMessageDescriptor *desc, const char *in, const char *out)
{
	ProtobufCMessage *msg;
	if (decode(desc, in, &roomy, &msg) != 0)
		fail_msg("refused: %s", in);
	assert_json(msg, out);
	pb_free(msg);
}

static void binary_becomes_the_json_of_another_encoder(void **st)
{
	(void)st;
	struct vectors v;
	char *row[VECTORS_COLUMNS];
	vectors_open(&v, "pb/golden.tsv");
	while (vectors_next(&v, row)) {
		struct slice in = vectors_unhex(row[HEX]);
		ProtobufCMessage *msg;
		assert_int_equal(
			pb_decode(registry_find(&registry, row[MESSAGE]), in, &roomy, &msg), 0);
		struct buf out;
		buf_init(&out, VECTORS_FILE_MAX);
		assert_int_equal(pb_json_encode(msg, &out), 0);
		/* 1e20 and its digits are the same number. */
		json_t *ours = json_loads(buf_cstr(&out), JSON_DECODE_INT_AS_REAL, NULL);
		json_t *theirs = json_loads(row[JSON], JSON_DECODE_INT_AS_REAL, NULL);
		assert_non_null(theirs);
		if (!json_equal(ours, theirs))
			fail_msg("line %zu, %s:\n%s\n%s", v.line, row[MESSAGE], buf_cstr(&out),
				row[JSON]);
		json_decref(ours);
		json_decref(theirs);
		buf_free(&out);
		pb_free(msg);
		xfree((void *)(uintptr_t)in.p);
	}
	assert_true(v.line > 700);
	vectors_close(&v);
}

static void json_becomes_the_binary_of_another_encoder(void **st)
{
	(void)st;
	struct vectors v;
	char *row[VECTORS_COLUMNS];
	vectors_open(&v, "pb/golden.tsv");
	while (vectors_next(&v, row)) {
		struct slice bytes = vectors_unhex(row[HEX]);
		ProtobufCMessage *msg;
		if (decode(registry_find(&registry, row[MESSAGE]), row[JSON], &roomy, &msg) != 0)
			fail_msg("line %zu: %s refused", v.line, row[MESSAGE]);
		struct buf out;
		buf_init(&out, VECTORS_FILE_MAX);
		assert_int_equal(pb_encode(msg, &out), 0);
		if (!slice_eq(buf_slice(&out), bytes))
			fail_msg("line %zu: %s differs", v.line, row[MESSAGE]);
		buf_free(&out);
		pb_free(msg);
		xfree((void *)(uintptr_t)bytes.p);
	}
	vectors_close(&v);
}

static void both_names_of_a_field_are_read(void **st)
{
	(void)st;
	const ProtobufCMessageDescriptor *desc = &livekit__room__descriptor;
	assert_becomes(desc, "{\"num_participants\":3,\"maxParticipants\":4}",
		"{\"maxParticipants\":4,\"numParticipants\":3}");
	assert_int_equal(decode_only(desc, "{\"numParticipants\":3,\"num_participants\":3}"),
		-ERR_MALFORMED);
	assert_int_equal(decode_only(desc, "{\"name\":\"a\",\"name\":\"b\"}"), -ERR_MALFORMED);
}

static void what_is_unknown_or_null_is_ignored(void **st)
{
	(void)st;
	const ProtobufCMessageDescriptor *info = &livekit__participant_info__descriptor;
	assert_becomes(info,
		"{\"nonsense\":{\"a\":[1]},\"sid\":null,\"tracks\":null,\"attributes\":null}",
		"{}");
	assert_becomes(info, "{\"state\":\"NO_SUCH\",\"kindDetails\":[\"FORWARDED\",\"NO_SUCH\"]}",
		"{\"kindDetails\":[\"FORWARDED\"]}");
	assert_becomes(info, "{\"state\":2,\"kind\":77}", "{\"state\":\"ACTIVE\",\"kind\":77}");
}

static void zeros_are_left_out_unless_they_mean_something(void **st)
{
	(void)st;
	assert_becomes(&livekit__room__descriptor, "{\"name\":\"\",\"numParticipants\":0}", "{}");
	/* a member of a oneof */
	assert_becomes(&livekit__signal_request__descriptor, "{\"ping\":0}", "{\"ping\":\"0\"}");
	/* proto3 optional */
	assert_becomes(&livekit__connection_settings__descriptor,
		"{\"autoSubscribe\":false,\"autoSubscribeDataTrack\":false}",
		"{\"autoSubscribeDataTrack\":false}");
}

static void integers_come_in_every_spelling(void **st)
{
	(void)st;
	const ProtobufCMessageDescriptor *ping = &livekit__ping__descriptor;
	assert_becomes(ping, "{\"timestamp\":12}", "{\"timestamp\":\"12\"}");
	assert_becomes(ping, "{\"timestamp\":\"-12\"}", "{\"timestamp\":\"-12\"}");
	assert_becomes(ping, "{\"timestamp\":1e3}", "{\"timestamp\":\"1000\"}");
	assert_becomes(ping, "{\"timestamp\":\"9223372036854775807\"}",
		"{\"timestamp\":\"9223372036854775807\"}");
	static const char *const malformed[] = {"\"\"", "\" 1\"", "\"1 \"", "\"+1\"", "\"0x10\"",
		"1.5", "true", "[]", "{}", "\"1.5\"", "\"-\"", "\"abc\"", "\"NaN\"", "\"1x\""};
	for (size_t i = 0; i < ARRAY_LEN(malformed); i++) {
		char *text = xasprintf("{\"timestamp\":%s}", malformed[i]);
		if (decode_only(ping, text) != -ERR_MALFORMED)
			fail_msg("taken: %s", text);
		xfree(text);
	}
	assert_int_equal(decode_only(ping, "{\"timestamp\":\"9223372036854775808\"}"), -ERR_RANGE);
	assert_int_equal(decode_only(ping, "{\"timestamp\":1e19}"), -ERR_RANGE);
	const ProtobufCMessageDescriptor *room = &livekit__room__descriptor;
	assert_int_equal(decode_only(room, "{\"numParticipants\":4294967296}"), -ERR_RANGE);
	assert_int_equal(decode_only(room, "{\"numParticipants\":-1}"), -ERR_RANGE);
	assert_int_equal(decode_only(room, "{\"numParticipants\":\"-1\"}"), -ERR_RANGE);
	assert_becomes(
		room, "{\"numParticipants\":\"4294967295\"}", "{\"numParticipants\":4294967295}");
	assert_int_equal(decode_only(&livekit__participant_info__descriptor,
				 "{\"clientProtocol\":2147483648}"),
		-ERR_RANGE);
	assert_becomes(&livekit__user_packet__descriptor,
		"{\"startTime\":\"18446744073709551615\"}",
		"{\"startTime\":\"18446744073709551615\"}");
	assert_int_equal(decode_only(&livekit__user_packet__descriptor,
				 "{\"startTime\":\"18446744073709551616\"}"),
		-ERR_RANGE);
}

static void floats_are_shortest_and_checked(void **st)
{
	(void)st;
	const ProtobufCMessageDescriptor *speaker = &livekit__speaker_info__descriptor;
	assert_becomes(speaker, "{\"level\":0.1}", "{\"level\":0.1}");
	assert_becomes(speaker, "{\"level\":\"0.125\"}", "{\"level\":0.125}");
	assert_becomes(speaker, "{\"level\":100000000000000000000}", "{\"level\":1e+20}");
	assert_becomes(speaker, "{\"level\":1}", "{\"level\":1}");
	assert_becomes(speaker, "{\"level\":\"NaN\"}", "{\"level\":\"NaN\"}");
	assert_becomes(speaker, "{\"level\":\"-Infinity\"}", "{\"level\":\"-Infinity\"}");
	assert_int_equal(decode_only(speaker, "{\"level\":1e39}"), -ERR_RANGE);
	assert_int_equal(decode_only(speaker, "{\"level\":\"1e999\"}"), -ERR_RANGE);
	assert_int_equal(decode_only(speaker, "{\"level\":\"inf\"}"), -ERR_MALFORMED);
	assert_int_equal(decode_only(speaker, "{\"level\":\"0x1p3\"}"), -ERR_MALFORMED);
	assert_int_equal(decode_only(speaker, "{\"level\":false}"), -ERR_MALFORMED);
}

static void wrong_types_are_refused(void **st)
{
	(void)st;
	static const char *const texts[] = {"{\"sid\":1}", "{\"tracks\":{}}", "{\"tracks\":[1]}",
		"{\"tracks\":[null]}", "{\"isPublisher\":1}", "{\"isPublisher\":\"true\"}",
		"{\"attributes\":[]}", "{\"attributes\":{\"a\":1}}", "{\"permission\":\"x\"}",
		"{\"state\":true}", "[]", "1", "\"x\"", "null", "", "{", "{}}", "nul",
		"{\"sid\":\"\\u0000\"}", "{\"sid\":\"\\ud800\"}", "{\"sid\":\"\xff\"}"};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (decode_only(&livekit__participant_info__descriptor, texts[i]) != -ERR_MALFORMED)
			fail_msg("taken: %s", texts[i]);
}

/* A failure deep inside frees what was built around it (the leak checker looks). */
static void a_late_error_leaves_nothing_behind(void **st)
{
	(void)st;
	assert_int_equal(decode_only(&livekit__signal_request__descriptor,
				 "{\"syncState\":{\"publishTracks\":[{\"track\":{\"sid\":\"a\","
				 "\"layers\":[{},"
				 "{\"rid\":\"q\"}]}},{\"track\":{\"sid\":1}}]}}"),
		-ERR_MALFORMED);
	assert_int_equal(decode_only(&livekit__participant_info__descriptor,
				 "{\"attributes\":{\"a\":\"b\",\"c\":{}}}"),
		-ERR_MALFORMED);
}

static void a_oneof_is_set_once(void **st)
{
	(void)st;
	const ProtobufCMessageDescriptor *desc = &livekit__signal_request__descriptor;
	assert_int_equal(decode_only(desc, "{\"ping\":1,\"leave\":{}}"), -ERR_MALFORMED);
	assert_becomes(desc, "{\"ping\":null,\"leave\":{}}", "{\"leave\":{}}");
}

static void maps_are_objects(void **st)
{
	(void)st;
	assert_becomes(&livekit__participant_info__descriptor,
		"{\"attributes\":{\"\":\"v\",\"k\":\"\"}}",
		"{\"attributes\":{\"\":\"v\",\"k\":\"\"}}");
	assert_becomes(&livekit__rtpstats__descriptor, "{\"gapHistogram\":{\"-3\":0,\"4\":7}}",
		"{\"gapHistogram\":{\"-3\":0,\"4\":7}}");
	assert_int_equal(
		decode_only(&livekit__rtpstats__descriptor, "{\"gapHistogram\":{\"x\":1}}"),
		-ERR_MALFORMED);
	assert_becomes(&livekit__data_track_subscriber_handles__descriptor,
		"{\"subHandles\":{\"9\":{\"trackSid\":\"t\"}}}",
		"{\"subHandles\":{\"9\":{\"trackSid\":\"t\"}}}");
}

static void bytes_are_base64_of_either_kind(void **st)
{
	(void)st;
	const ProtobufCMessageDescriptor *desc = &livekit__user_packet__descriptor;
	assert_becomes(desc, "{\"payload\":\"-_8\"}", "{\"payload\":\"+/8=\"}");
	assert_becomes(desc, "{\"payload\":\"\"}", "{}");
	assert_int_equal(decode_only(desc, "{\"payload\":\"a b=\"}"), -ERR_MALFORMED);
}

static void times_have_their_own_form(void **st)
{
	(void)st;
	static const struct {
		const char *in, *out; /* NULL out: refused */
	} times[] = {
		{"2024-02-29T01:02:03Z", "2024-02-29T01:02:03Z"},
		{"2024-02-29T01:02:03.5+01:30", "2024-02-28T23:32:03.500Z"},
		{"1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999Z"},
		{"0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"},
		{"9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59.999999999Z"},
		{"0001-01-01T00:00:00+00:01", NULL},
		{"2023-02-29T00:00:00Z", NULL},
		{"1900-02-29T00:00:00Z", NULL},
		{"2024-13-01T00:00:00Z", NULL},
		{"2024-01-01T24:00:00Z", NULL},
		{"2024-01-01T00:00:00", NULL},
		{"2024-01-01T00:00:00.Z", NULL},
		{"2024-01-01T00:00:00.1234567890Z", NULL},
		{"2024-01-01 00:00:00Z", NULL},
		{"", NULL},
	};
	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		char *in = xasprintf("{\"startTime\":\"%s\"}", times[i].in);
		if (times[i].out) {
			char *out = xasprintf("{\"startTime\":\"%s\"}", times[i].out);
			assert_becomes(&livekit__rtpdrift__descriptor, in, out);
			xfree(out);
		} else if (decode_only(&livekit__rtpdrift__descriptor, in) >= 0) {
			fail_msg("taken: %s", in);
		}
		xfree(in);
	}
	const ProtobufCMessageDescriptor *media = &livekit__sipmedia_config__descriptor;
	assert_becomes(media, "{\"mediaTimeout\":\"-1.5s\"}", "{\"mediaTimeout\":\"-1.500s\"}");
	assert_becomes(media, "{\"mediaTimeout\":\"0s\"}", "{\"mediaTimeout\":\"0s\"}");
	assert_int_equal(decode_only(media, "{\"mediaTimeout\":\"5\"}"), -ERR_MALFORMED);
	assert_int_equal(decode_only(media, "{\"mediaTimeout\":\"s\"}"), -ERR_MALFORMED);
	assert_int_equal(
		decode_only(media, "{\"mediaTimeout\":\"99999999999999999999s\"}"), -ERR_RANGE);
}

static void strings_are_escaped(void **st)
{
	(void)st;
	Livekit__Room room = LIVEKIT__ROOM__INIT;
	room.name = (char *)(uintptr_t) "a\"\\\n\x01\x7f\xc3\xa4\xff";
	assert_json(&room, "{\"name\":\"a\\\"\\\\\\n\\u0001\x7f\xc3\xa4\xef\xbf\xbd\"}");
}

/* `count` times `one` between `before` and `after`; xfree it. */
static char *repeated(const char *before, const char *one, size_t count, const char *after)
{
	struct buf text;
	buf_init(&text, 64 << 20);
	buf_add_str(&text, before);
	for (size_t i = 0; i < count; i++)
		buf_add_str(&text, one);
	buf_add_str(&text, after);
	return buf_take(&text);
}

static void bombs_are_too_large(void **st)
{
	(void)st;
	const ProtobufCMessageDescriptor *desc = &livekit__signal_request__descriptor;
	char *bombs[] = {
		repeated("", "[", 1000000, ""),
		repeated("", "{\"a\":", 300000, "1"),
		repeated("{\"unknown\":[{}", ",{}", 500000, "]}"),
		repeated("{\"subscription\":{\"trackSids\":[\"\"", ",\"\"", 500000, "]}}"),
		repeated("{\"syncState\":{\"publishTracks\":[{}", ",{}", 120000, "]}}"),
		repeated("\"", "x", 2 << 20, "\""),
	};
	for (size_t i = 0; i < ARRAY_LEN(bombs); i++) {
		ProtobufCMessage *msg;
		if (decode(desc, bombs[i], &pb_signal_limits, &msg) != -ERR_TOO_LARGE && i != 4)
			fail_msg("bomb %zu is taken", i);
		pb_free(msg);
		xfree(bombs[i]);
	}
}

static void limits_hold_for_values(void **st)
{
	(void)st;
	const ProtobufCMessageDescriptor *desc = &livekit__participant_update__descriptor;
	static const char text[] = "{\"participants\":[{\"sid\":\"a\"},{\"sid\":\"b\"}]}";
	json_t *value = json_loads(text, 0, NULL);
	struct pb_limits limits = roomy;
	ProtobufCMessage *msg;
	assert_int_equal(pb_json_decode_value(desc, value, &limits, &msg, NULL), 0);
	pb_free(msg);
	limits.elements = 3;
	assert_int_equal(pb_json_decode_value(desc, value, &limits, &msg, NULL), -ERR_TOO_LARGE);
	limits = roomy;
	limits.depth = 1;
	assert_int_equal(pb_json_decode_value(desc, value, &limits, &msg, NULL), -ERR_TOO_LARGE);
	limits = roomy;
	limits.memory = sizeof(Livekit__ParticipantUpdate) + sizeof(Livekit__ParticipantInfo) + 20;
	assert_int_equal(pb_json_decode_value(desc, value, &limits, &msg, NULL), -ERR_TOO_LARGE);
	json_decref(value);
}

static void a_full_buffer_is_reported(void **st)
{
	(void)st;
	Livekit__Room room = LIVEKIT__ROOM__INIT;
	room.name = (char *)(uintptr_t) "abc";
	struct buf out;
	buf_init(&out, 13);
	assert_int_equal(pb_json_encode(&room, &out), -ERR_TOO_LARGE);
	buf_free(&out);
	buf_init(&out, 14);
	assert_int_equal(pb_json_encode(&room, &out), 0);
	buf_free(&out);
}

int main(void)
{
	registry_init(&registry);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(binary_becomes_the_json_of_another_encoder),
		cmocka_unit_test(json_becomes_the_binary_of_another_encoder),
		cmocka_unit_test(both_names_of_a_field_are_read),
		cmocka_unit_test(what_is_unknown_or_null_is_ignored),
		cmocka_unit_test(zeros_are_left_out_unless_they_mean_something),
		cmocka_unit_test(integers_come_in_every_spelling),
		cmocka_unit_test(floats_are_shortest_and_checked),
		cmocka_unit_test(wrong_types_are_refused),
		cmocka_unit_test(a_late_error_leaves_nothing_behind),
		cmocka_unit_test(a_oneof_is_set_once),
		cmocka_unit_test(maps_are_objects),
		cmocka_unit_test(bytes_are_base64_of_either_kind),
		cmocka_unit_test(times_have_their_own_form),
		cmocka_unit_test(strings_are_escaped),
		cmocka_unit_test(bombs_are_too_large),
		cmocka_unit_test(limits_hold_for_values),
		cmocka_unit_test(a_full_buffer_is_reported),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
