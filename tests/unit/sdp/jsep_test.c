/*
 * Rounds of offers and answers. The chromium-* descriptions were made by Chromium in this very
 * sequence, and Chromium accepted the ours-* ones.
 */
#include "sdp/jsep.h"

#include "vectors.h"

#define FINGERPRINT                                                                                \
	"3D:A2:11:00:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:"  \
	"BB:CC:DD"

static struct jsep *new_jsep(enum jsep_role role, uint32_t codecs)
{
	struct jsep_cfg cfg = {
		.role = role,
		.ufrag = "abcd1234",
		.pwd = "abcdefghijklmnopqrstuvwx",
		.fingerprint = "sha-256 " FINGERPRINT,
		.session_id = 4242424242,
		.enabled_codecs = codecs,
	};
	struct jsep *j = jsep_new(&cfg);
	assert_non_null(j);
	const char *candidate = "candidate:1 1 udp 2130706431 127.0.0.1 7882 typ host";
	assert_int_equal(jsep_set_candidates(j, &candidate, 1, true), 0);
	return j;
}

static void take_offer(struct jsep *j, struct slice text)
{
	struct errbuf eb = {""};
	if (jsep_set_remote_offer(j, text, &eb))
		fail_msg("%s", eb.text);
}

static struct buf make(struct jsep *j, bool is_answer)
{
	struct buf out;
	buf_init(&out, SDP_TEXT_MAX);
	assert_int_equal(is_answer ? jsep_create_answer(j, &out) : jsep_create_offer(j, &out), 0);
	struct sdp *s;
	assert_int_equal(sdp_parse(&s, buf_slice(&out), NULL), 0);
	sdp_free(s);
	return out;
}

/* Offer of that file in, answer out. */
static struct buf answer_to(struct jsep *j, const char *name)
{
	struct buf text = vector_read(name);
	take_offer(j, buf_slice(&text));
	buf_free(&text);
	return make(j, true);
}

static void round_with(struct jsep *j, const char *name)
{
	struct buf out = answer_to(j, name);
	buf_free(&out);
}

static void take_answer(struct jsep *j, const char *name)
{
	struct buf text = vector_read(name);
	struct errbuf eb = {""};
	if (jsep_set_remote_answer(j, buf_slice(&text), &eb))
		fail_msg("%s", eb.text);
	buf_free(&text);
}

static struct jsep_send stream(
	const char *stream_id, const char *track_id, uint32_t ssrc, uint32_t rtx_ssrc)
{
	return (struct jsep_send){
		.stream_id = stream_id,
		.track_id = track_id,
		.cname = stream_id,
		.ssrc = ssrc,
		.rtx_ssrc = rtx_ssrc,
	};
}

static void expect_vector(struct buf *text, const char *name)
{
	struct buf want = vector_read(name);
	assert_string_equal(buf_cstr(text), buf_cstr(&want));
	buf_free(&want);
	buf_free(text);
}

/* Every occurrence of `from`, in memory of the test. */
static char *replaced(struct buf *text, const char *from, const char *to)
{
	struct buf b;
	buf_init(&b, SDP_TEXT_MAX * 2);
	const char *at = buf_cstr(text);
	for (const char *hit; (hit = strstr(at, from)); at = hit + strlen(from)) {
		buf_add(&b, at, (size_t)(hit - at));
		buf_add_str(&b, to);
	}
	buf_add_str(&b, at);
	char *copy = test_malloc(b.n + 1);
	memcpy(copy, buf_cstr(&b), b.n + 1);
	buf_free(&b);
	return copy;
}

/* ---- answers ---- */

static void join_offer_is_answered_with_empty_slots(void **st)
{
	(void)st;
	struct jsep *j = new_jsep(JSEP_ROLE_SINGLE, 0);
	struct buf out = answer_to(j, "chromium-single-join-offer");
	assert_int_equal(count_of(&out, "a=sendonly\r\n"), 6);
	assert_int_equal(count_of(&out, "a=msid:"), 0);
	assert_int_equal(count_of(&out, "a=ssrc"), 0);
	assert_int_equal(jsep_section_count(j), 7);
	assert_int_equal(jsep_section_at(j, 6)->kind, SDP_KIND_APPLICATION);
	assert_int_equal(jsep_section_at(j, 6)->remote_max_message_size, 262144);
	assert_int_equal(jsep_section_at(j, 6)->remote_sctp_port, 5000);
	assert_ptr_equal(jsep_section_by_mid(j, slice_str("3")), jsep_section_at(j, 3));
	assert_null(jsep_section_by_mid(j, slice_str("7")));
	assert_null(jsep_section_at(j, 7));
	expect_vector(&out, "ours-single-join-answer");
	jsep_free(j);
}

static void node_sdk_offer_is_answered(void **st)
{
	(void)st;
	struct jsep *j = new_jsep(JSEP_ROLE_SINGLE, 0);
	struct buf out = answer_to(j, "rtc-node-join-offer");
	assert_int_equal(count_of(&out, "a=sendonly\r\n"), 6);
	assert_int_equal(count_of(&out, "a=setup:passive\r\n"), 7);
	assert_non_null(strstr(buf_cstr(&out), "a=group:BUNDLE 0 1 2 3 4 5 6\r\n"));
	buf_free(&out);
	jsep_free(j);
}

static void simulcast_publication(void **st)
{
	(void)st;
	struct jsep *j = new_jsep(JSEP_ROLE_PUBLISHER, 0);
	struct buf out = answer_to(j, "chromium-publish-simulcast-offer");
	const struct jsep_section *a = jsep_section_at(j, 0), *v = jsep_section_at(j, 1);
	assert_int_equal(a->direction, SDP_RECVONLY);
	assert_int_equal(a->remote_direction, SDP_SENDONLY);
	assert_non_null(a->track_id);
	assert_non_null(a->stream_id);
	assert_int_equal(a->n_ssrcs, 1);
	assert_int_equal(a->n_codecs, 1);
	assert_int_equal(a->codecs[0].codec, JSEP_OPUS);
	assert_int_equal(a->codecs[0].pt, 111);
	assert_int_equal(a->codecs[0].feedback, JSEP_FB_NACK);
	assert_int_equal(a->ext_id[JSEP_EXT_MID], 4);
	assert_int_equal(a->ext_id[JSEP_EXT_AUDIO_LEVEL], 1);
	assert_int_equal(a->ext_id[JSEP_EXT_TWCC], 0);
	assert_int_equal(v->n_rids, 3);
	assert_string_equal(v->rids[0].id, "q");
	assert_string_equal(v->rids[2].id, "f");
	assert_int_equal(v->n_codecs, 1);
	assert_int_equal(v->codecs[0].codec, JSEP_VP8);
	assert_int_equal(v->codecs[0].rtx_pt, 97);
	assert_int_equal(
		v->codecs[0].feedback, JSEP_FB_NACK | JSEP_FB_PLI | JSEP_FB_FIR | JSEP_FB_TWCC);
	assert_int_equal(v->ext_id[JSEP_EXT_TWCC], 3);
	assert_int_equal(v->ext_id[JSEP_EXT_RID], 10);
	assert_int_equal(v->ext_id[JSEP_EXT_REPAIRED_RID], 11);
	assert_int_equal(v->ext_id[JSEP_EXT_ABS_SEND_TIME], 0);
	assert_int_equal(v->ext_id[JSEP_EXT_DEPENDENCY_DESCRIPTOR], 0);
	assert_int_equal(jsep_ext_ids(j)[JSEP_EXT_TWCC], 3);
	assert_int_equal(jsep_ext_ids(j)[JSEP_EXT_AUDIO_LEVEL], 1);
	expect_vector(&out, "ours-publish-answer");
	jsep_free(j);
}

static void scalable_codecs_bring_the_dependency_descriptor(void **st)
{
	(void)st;
	struct jsep *j = new_jsep(JSEP_ROLE_PUBLISHER, UINT32_MAX);
	round_with(j, "chromium-publish-simulcast-offer");
	const struct jsep_section *v = jsep_section_at(j, 1);
	assert_int_equal(v->ext_id[JSEP_EXT_DEPENDENCY_DESCRIPTOR], 12);
	assert_true(v->n_codecs > 5);
	for (uint8_t i = 0; i < v->n_codecs; i++)
		assert_int_not_equal(v->codecs[i].rtx_pt, 0);
	jsep_free(j);
}

/* High profile comes from publishers, but no subscriber is asked to take it. */
static void slots_leave_out_what_only_publishers_send(void **st)
{
	(void)st;
	struct jsep *j = new_jsep(JSEP_ROLE_SINGLE, UINT32_MAX);
	round_with(j, "chromium-single-publish-offer");
	uint32_t slot = 0, publication = 0;
	for (uint8_t i = 0; i < jsep_section_at(j, 3)->n_codecs; i++)
		slot |= JSEP_CODEC_BIT(jsep_section_at(j, 3)->codecs[i].codec);
	for (uint8_t i = 0; i < jsep_section_at(j, 8)->n_codecs; i++)
		publication |= JSEP_CODEC_BIT(jsep_section_at(j, 8)->codecs[i].codec);
	assert_true(publication & JSEP_CODEC_BIT(JSEP_H264_MAIN_PM1));
	assert_false(slot & JSEP_CODEC_BIT(JSEP_H264_MAIN_PM1));
	assert_true(slot & JSEP_CODEC_BIT(JSEP_H264_CB_PM1));
	jsep_free(j);
}

/* A publisher connection has nothing to send in a section made for receiving. */
static void publisher_sends_nothing(void **st)
{
	(void)st;
	struct jsep *j = new_jsep(JSEP_ROLE_PUBLISHER, 0);
	struct buf out = answer_to(j, "chromium-single-join-offer");
	assert_int_equal(count_of(&out, "a=inactive\r\n"), 6);
	buf_free(&out);
	struct jsep_send s = stream("PA_a|TR_1", "TR_1", 1, 0);
	assert_int_equal(jsep_section_send(j, 0, &s), -ERR_BAD_STATE);
	assert_null(jsep_free_slot(j, SDP_KIND_AUDIO));
	jsep_free(j);
}

static void sendrecv_is_answered_recvonly(void **st)
{
	(void)st;
	struct jsep *j = new_jsep(JSEP_ROLE_SINGLE, 0);
	struct buf out = answer_to(j, "chromium-sendrecv-offer");
	assert_int_equal(count_of(&out, "a=recvonly\r\n"), 2);
	assert_int_equal(count_of(&out, "a=sendonly\r\n"), 0);
	const struct jsep_section *v = jsep_section_at(j, 1);
	assert_int_equal(v->n_ssrcs, 1);
	assert_int_not_equal(v->ssrcs[0].rtx_ssrc, 0);
	assert_null(jsep_free_slot(j, SDP_KIND_VIDEO));
	buf_free(&out);
	jsep_free(j);
}

static void preferences_shape_the_answer(void **st)
{
	(void)st;
	struct jsep *j = new_jsep(JSEP_ROLE_PUBLISHER, UINT32_MAX);
	struct buf text = vector_read("chromium-publish-simulcast-offer");
	take_offer(j, buf_slice(&text));
	jsep_section_recv(j, 0,
		&(struct jsep_recv){.no_dtx = true,
			.is_stereo = true,
			.preferred = JSEP_CODEC_BIT(JSEP_OPUS),
			.only_preferred = true});
	jsep_section_recv(j, 1, &(struct jsep_recv){.preferred = JSEP_CODEC_BIT(JSEP_VP9_P0)});
	jsep_section_recv(j, 99, &(struct jsep_recv){0});
	struct buf out = make(j, true);
	assert_non_null(strstr(buf_cstr(&out),
		"a=fmtp:111 minptime=10;useinbandfec=1;stereo=1;maxaveragebitrate=510000\r\n"));
	assert_int_equal(count_of(&out, "usedtx"), 0);
	assert_int_equal(count_of(&out, "PCMU"), 0);
	assert_int_equal(jsep_section_at(j, 1)->codecs[0].codec, JSEP_VP9_P0);
	assert_true(jsep_section_at(j, 1)->n_codecs > 1);
	buf_free(&out);

	/* The preference stays; a codec nobody has cannot empty the section. */
	jsep_section_recv(j, 1,
		&(struct jsep_recv){
			.preferred = JSEP_CODEC_BIT(JSEP_H265), .only_preferred = true});
	take_offer(j, buf_slice(&text));
	out = make(j, true);
	assert_true(jsep_section_at(j, 1)->n_codecs > 1);
	assert_int_equal(count_of(&out, "usedtx"), 0);
	buf_free(&out);
	buf_free(&text);
	jsep_free(j);
}

/* ---- slots of a single connection ---- */

static void slots_live_and_are_used_again(void **st)
{
	(void)st;
	struct jsep *j = new_jsep(JSEP_ROLE_SINGLE, 0);
	round_with(j, "chromium-single-join-offer");
	round_with(j, "chromium-single-publish-offer");
	const struct jsep_section *slot = jsep_free_slot(j, SDP_KIND_VIDEO);
	assert_ptr_equal(slot, jsep_section_at(j, 3));
	assert_int_equal(jsep_section_at(j, 8)->n_rids, 3);
	assert_int_equal(slot->ext_id[JSEP_EXT_ABS_SEND_TIME], 2);
	assert_int_equal(slot->codecs[0].feedback,
		JSEP_FB_NACK | JSEP_FB_PLI | JSEP_FB_FIR | JSEP_FB_TWCC | JSEP_FB_REMB);

	struct jsep_send s = stream("PA_a|TR_VC1", "TR_VC1", 1030, 1031);
	assert_int_equal(jsep_section_send(j, 3, &s), 0);
	assert_ptr_equal(jsep_free_slot(j, SDP_KIND_VIDEO), jsep_section_at(j, 4));
	struct buf out = answer_to(j, "chromium-single-subscribe-offer");
	assert_int_equal(count_of(&out, "a=msid:PA_a|TR_VC1 TR_VC1\r\n"), 1);
	assert_int_equal(count_of(&out, "a=ssrc-group:FID 1030 1031\r\n"), 1);
	assert_int_equal(count_of(&out, "a=sendonly\r\n"), 6);
	buf_free(&out);

	/* Taken back, but the client still expects the stream: not free before it is told. */
	jsep_section_clear(j, 3);
	assert_false(slot->has_send);
	assert_ptr_equal(jsep_free_slot(j, SDP_KIND_VIDEO), jsep_section_at(j, 4));
	out = answer_to(j, "chromium-single-unsubscribe-offer");
	assert_int_equal(count_of(&out, "a=inactive\r\n"), 1);
	assert_int_equal(count_of(&out, "a=msid:"), 0);
	assert_int_equal(slot->direction, SDP_INACTIVE);
	buf_free(&out);
	assert_ptr_equal(jsep_free_slot(j, SDP_KIND_VIDEO), slot);

	s = stream("PA_b|TR_VC2", "TR_VC2", 2030, 2031);
	assert_int_equal(jsep_section_send(j, 3, &s), 0);
	out = answer_to(j, "chromium-single-reuse-offer");
	assert_int_equal(count_of(&out, "a=msid:PA_b|TR_VC2 TR_VC2\r\n"), 1);
	assert_int_equal(slot->direction, SDP_SENDONLY);
	buf_free(&out);

	/* The client stops its publication and later gives the index to a new section. */
	out = answer_to(j, "chromium-single-stopped-offer");
	assert_true(jsep_section_at(j, 8)->is_rejected);
	assert_non_null(strstr(buf_cstr(&out), "a=group:BUNDLE 0 1 2 3 4 5 6 7 9 10\r\n"));
	assert_int_equal(count_of(&out, "m=video 0 "), 1);
	buf_free(&out);
	round_with(j, "chromium-single-recycled-offer");
	assert_string_equal(jsep_section_at(j, 8)->mid, "11");
	assert_false(jsep_section_at(j, 8)->is_rejected);
	assert_int_equal(jsep_section_at(j, 8)->n_rids, 0);
	assert_int_equal(slot->send.ssrc, 2030);
	jsep_free(j);
}

static void what_cannot_be_sent(void **st)
{
	(void)st;
	struct jsep *j = new_jsep(JSEP_ROLE_SINGLE, 0);
	round_with(j, "chromium-single-publish-offer");
	char long_id[JSEP_ID_CAP + 1];
	memset(long_id, 'x', sizeof long_id);
	long_id[JSEP_ID_CAP] = '\0';
	struct jsep_send good = stream("PA_a", "TR_1", 7, 0), s;
	static const char *const bad[] = {NULL, "", "a b", "a\r\nb", "\x7f", "\xc3\xa4"};
	for (size_t i = 0; i <= ARRAY_LEN(bad); i++) {
		const char *id = i < ARRAY_LEN(bad) ? bad[i] : long_id;
		s = good, s.stream_id = id;
		assert_int_equal(jsep_section_send(j, 0, &s), -ERR_MALFORMED);
		s = good, s.track_id = id;
		assert_int_equal(jsep_section_send(j, 0, &s), -ERR_MALFORMED);
		s = good, s.cname = id;
		assert_int_equal(jsep_section_send(j, 0, &s), -ERR_MALFORMED);
	}
	s = good, s.ssrc = 0;
	assert_int_equal(jsep_section_send(j, 0, &s), -ERR_MALFORMED);
	s = good, s.codecs = JSEP_CODEC_BIT(JSEP_PCMU);
	assert_int_equal(jsep_section_send(j, 0, &s), -ERR_UNSUPPORTED);
	assert_int_equal(jsep_section_send(j, 99, &good), -ERR_NOT_FOUND);
	assert_int_equal(jsep_section_send(j, 6, &good), -ERR_BAD_STATE); /* data channels */
	assert_int_equal(jsep_section_send(j, 7, &good), -ERR_BAD_STATE); /* the client sends there */
	s = good, s.is_stereo = true;
	assert_int_equal(jsep_section_send(j, 0, &s), 0);
	/* A section's own strings may come back in. */
	s = jsep_section_at(j, 0)->send;
	assert_int_equal(jsep_section_send(j, 0, &s), 0);
	assert_string_equal(jsep_section_at(j, 0)->send.track_id, "TR_1");
	struct buf out = answer_to(j, "chromium-single-subscribe-offer");
	assert_int_equal(count_of(&out, "sprop-stereo=1"), 1);
	buf_free(&out);
	jsep_section_clear(j, 99);
	jsep_free(j);
}

/* ---- our offers ---- */

static uint16_t add(struct jsep *j, enum sdp_kind kind, const char *track, uint32_t ssrc)
{
	uint16_t index = 0;
	assert_int_equal(jsep_add_section(j, kind, &index), 0);
	char stream_id[64];
	(void)snprintf(stream_id, sizeof stream_id, "PA_alice|%s", track);
	struct jsep_send s = stream(stream_id, track, ssrc, kind == SDP_KIND_VIDEO ? ssrc + 1 : 0);
	assert_int_equal(jsep_section_send(j, index, &s), 0);
	return index;
}

static void offers_grow_and_reuse(void **st)
{
	(void)st;
	struct jsep *j = new_jsep(JSEP_ROLE_SUBSCRIBER, 0);
	assert_int_equal(jsep_section_count(j), 1);
	struct buf out = make(j, false);
	expect_vector(&out, "ours-dual-first-offer");
	assert_true(jsep_is_pending(j));
	take_answer(j, "chromium-dual-first-answer");
	assert_false(jsep_is_pending(j));
	assert_true(jsep_remote(j)->is_dtls_server);

	assert_int_equal(add(j, SDP_KIND_AUDIO, "TR_audio", 1010), 1);
	assert_int_equal(add(j, SDP_KIND_VIDEO, "TR_video", 1020), 2);
	out = make(j, false);
	expect_vector(&out, "ours-dual-two-offer");
	take_answer(j, "chromium-dual-two-answer");
	const struct jsep_section *v = jsep_section_at(j, 2);
	assert_int_equal(v->direction, SDP_SENDONLY);
	assert_int_equal(v->n_codecs, 1);
	assert_int_equal(v->codecs[0].pt, 96);
	assert_int_equal(v->codecs[0].rtx_pt, 97);
	assert_int_equal(
		v->codecs[0].feedback, JSEP_FB_NACK | JSEP_FB_PLI | JSEP_FB_FIR | JSEP_FB_REMB);
	assert_int_equal(v->ext_id[JSEP_EXT_ABS_SEND_TIME], 5);
	assert_int_equal(jsep_section_at(j, 0)->remote_sctp_port, 5000);

	assert_int_equal(add(j, SDP_KIND_VIDEO, "TR_v2", 1030), 3);
	out = make(j, false);
	buf_free(&out);
	take_answer(j, "chromium-dual-three-answer");

	/* A section is used again only once the client was told that it is empty. */
	jsep_section_clear(j, 2);
	uint16_t index;
	assert_int_equal(jsep_add_section(j, SDP_KIND_VIDEO, &index), 0);
	assert_int_equal(index, 4);
	jsep_free(j);
}

static void a_cleared_section_is_offered_again(void **st)
{
	(void)st;
	struct jsep *j = new_jsep(JSEP_ROLE_SUBSCRIBER, 0);
	(void)add(j, SDP_KIND_AUDIO, "TR_audio", 1010);
	(void)add(j, SDP_KIND_VIDEO, "TR_video", 1020);
	(void)add(j, SDP_KIND_VIDEO, "TR_v2", 1030);
	struct buf out = make(j, false);
	buf_free(&out);
	take_answer(j, "chromium-dual-three-answer");
	jsep_section_clear(j, 2);
	out = make(j, false);
	assert_int_equal(count_of(&out, "a=inactive\r\n"), 1);
	assert_int_equal(count_of(&out, "TR_video"), 0);
	buf_free(&out);
	take_answer(j, "chromium-dual-cleared-answer");
	assert_int_equal(jsep_section_at(j, 2)->direction, SDP_INACTIVE);
	assert_int_equal(add(j, SDP_KIND_VIDEO, "TR_v3", 2020), 2);
	assert_int_equal(add(j, SDP_KIND_VIDEO, "TR_v4", 2030), 4);
	jsep_section_clear(j, 4);
	out = make(j, false);
	assert_int_equal(count_of(&out, "a=msid:PA_alice|TR_v3 TR_v3\r\n"), 1);
	buf_free(&out);
	jsep_free(j);
}

/* Work goes on while an offer is out; the late answer is about the sections of that offer. */
static void an_answer_may_come_late(void **st)
{
	(void)st;
	struct jsep *j = new_jsep(JSEP_ROLE_SUBSCRIBER, 0);
	(void)add(j, SDP_KIND_AUDIO, "TR_audio", 1010);
	(void)add(j, SDP_KIND_VIDEO, "TR_video", 1020);
	struct buf out = make(j, false);
	buf_free(&out);
	(void)add(j, SDP_KIND_VIDEO, "TR_v2", 1030);
	jsep_section_clear(j, 2);
	take_answer(j, "chromium-dual-two-answer");
	assert_false(jsep_section_at(j, 2)->has_send);
	assert_int_equal(jsep_section_at(j, 3)->n_codecs, 0);

	/*
	 * An answer to an earlier offer is refused by its number of sections, and so is a second
	 * one.
	 */
	out = make(j, false);
	buf_free(&out);
	struct buf text = vector_read("chromium-dual-two-answer");
	assert_int_equal(jsep_set_remote_answer(j, buf_slice(&text), NULL), -ERR_MALFORMED);
	buf_free(&text);
	take_answer(j, "chromium-dual-three-answer");
	text = vector_read("chromium-dual-three-answer");
	assert_int_equal(jsep_set_remote_answer(j, buf_slice(&text), NULL), -ERR_BAD_STATE);
	buf_free(&text);
	jsep_free(j);
}

/* The client may turn a stream down, but it cannot answer sections that were not offered. */
static void answers_narrow_the_offer(void **st)
{
	(void)st;
	struct jsep *j = new_jsep(JSEP_ROLE_SUBSCRIBER, 0);
	(void)add(j, SDP_KIND_AUDIO, "TR_audio", 1010);
	struct buf out = make(j, false);
	buf_free(&out);
	struct buf text = vector_read("chromium-dual-two-answer");
	assert_int_equal(jsep_set_remote_answer(j, buf_slice(&text), NULL), -ERR_MALFORMED);
	(void)add(j, SDP_KIND_VIDEO, "TR_video", 1020);
	out = make(j, false);
	buf_free(&out);
	char *answer = replaced(&text, "a=recvonly", "a=inactive");
	assert_int_equal(jsep_set_remote_answer(j, slice_str(answer), NULL), 0);
	assert_int_equal(jsep_section_at(j, 2)->direction, SDP_INACTIVE);
	assert_true(jsep_section_at(j, 2)->has_send);
	test_free(answer);

	/* Turned down for good: the section is rejected and its stream is gone. */
	out = make(j, false);
	buf_free(&out);
	answer = replaced(&text, "m=video 9", "m=video 0");
	assert_int_equal(jsep_set_remote_answer(j, slice_str(answer), NULL), 0);
	assert_true(jsep_section_at(j, 2)->is_rejected);
	assert_false(jsep_section_at(j, 2)->has_send);
	out = make(j, false);
	assert_int_equal(count_of(&out, "m=video 0 UDP/TLS/RTP/SAVPF 96 97\r\n"), 1);
	buf_free(&out);
	test_free(answer);
	buf_free(&text);
	jsep_free(j);
}

static void offered_codecs_can_be_narrowed(void **st)
{
	(void)st;
	struct jsep *j = new_jsep(JSEP_ROLE_SUBSCRIBER, UINT32_MAX);
	uint16_t index;
	assert_int_equal(jsep_add_section(j, SDP_KIND_VIDEO, &index), 0);
	struct jsep_send s = stream("PA_a", "TR_1", 5, 6);
	s.codecs = JSEP_CODEC_BIT(JSEP_H264_HIGH_PM1); /* taken from publishers only */
	assert_int_equal(jsep_section_send(j, index, &s), -ERR_UNSUPPORTED);
	s.codecs = JSEP_CODEC_BIT(JSEP_VP9_P0);
	assert_int_equal(jsep_section_send(j, index, &s), 0);
	struct buf out = make(j, false);
	assert_int_equal(count_of(&out, "m=video 9 UDP/TLS/RTP/SAVPF 98 99\r\n"), 1);
	assert_int_equal(count_of(&out, "dependency-descriptor"), 1);
	buf_free(&out);
	s.codecs = 0;
	assert_int_equal(jsep_section_send(j, index, &s), 0);
	out = make(j, false);
	assert_int_equal(count_of(&out,
				 "m=video 9 UDP/TLS/RTP/SAVPF 96 97 98 99 100 101 35 36 125 107 "
				 "108 109 116 117\r\n"),
		1);
	buf_free(&out);
	assert_int_equal(jsep_add_section(j, SDP_KIND_APPLICATION, &index), -ERR_UNSUPPORTED);
	jsep_free(j);
}

static void sections_are_bounded(void **st)
{
	(void)st;
	struct jsep *j = new_jsep(JSEP_ROLE_SUBSCRIBER, 0);
	uint16_t index;
	for (int i = 1; i < SDP_MEDIA_MAX; i++)
		assert_int_equal(jsep_add_section(j, SDP_KIND_VIDEO, &index), 0);
	assert_int_equal(jsep_add_section(j, SDP_KIND_VIDEO, &index), -ERR_TOO_LARGE);
	struct buf out = make(j, false);
	buf_free(&out);
	/* No room: the text is not cut, and the round can be tried again. */
	buf_init(&out, 10000);
	assert_int_equal(jsep_create_offer(j, &out), -ERR_TOO_LARGE);
	assert_int_equal(out.n, 0);
	buf_free(&out);
	jsep_free(j);
}

/* ---- transport ---- */

static void roles_are_enforced(void **st)
{
	(void)st;
	struct jsep *sub = new_jsep(JSEP_ROLE_SUBSCRIBER, 0),
		    *pub = new_jsep(JSEP_ROLE_PUBLISHER, 0);
	struct buf out;
	buf_init(&out, SDP_TEXT_MAX);
	uint16_t index;
	assert_int_equal(jsep_set_remote_offer(sub, slice_str("v=0\r\n"), NULL), -ERR_BAD_STATE);
	assert_int_equal(jsep_set_remote_answer(sub, slice_str("v=0\r\n"), NULL), -ERR_BAD_STATE);
	assert_int_equal(jsep_create_answer(sub, &out), -ERR_BAD_STATE);
	assert_int_equal(jsep_create_answer(pub, &out), -ERR_BAD_STATE);
	assert_int_equal(jsep_create_offer(pub, &out), -ERR_BAD_STATE);
	assert_int_equal(jsep_add_section(pub, SDP_KIND_AUDIO, &index), -ERR_BAD_STATE);
	assert_null(jsep_remote(pub));
	buf_free(&out);
	jsep_free(sub);
	jsep_free(pub);
	jsep_free(NULL);
}

static void configuration_is_checked(void **st)
{
	(void)st;
	struct jsep_cfg good = {.ufrag = "abcd",
				.pwd = "0123456789012345678901",
				.fingerprint = "sha-256 AA"},
			cfg;
	struct jsep *j = jsep_new(&good);
	assert_non_null(j);
	assert_int_equal(jsep_set_ice(j, "abc", good.pwd), -ERR_MALFORMED);
	assert_int_equal(jsep_set_ice(j, "abcd", "short"), -ERR_MALFORMED);
	assert_int_equal(jsep_set_ice(j, "ab\ncd", good.pwd), -ERR_MALFORMED);
	const char *bad = "candidate:1\r\na=x";
	assert_int_equal(jsep_set_candidates(j, &bad, 1, false), -ERR_MALFORMED);
	bad = "end-of-candidates";
	assert_int_equal(jsep_set_candidates(j, &bad, 1, false), -ERR_MALFORMED);
	jsep_free(j);
	cfg = good, cfg.ufrag = NULL;
	assert_null(jsep_new(&cfg));
	cfg = good, cfg.pwd = "short";
	assert_null(jsep_new(&cfg));
	cfg = good, cfg.fingerprint = "sha-256";
	assert_null(jsep_new(&cfg));
}

static void remote_transport(void **st)
{
	(void)st;
	struct jsep *j = new_jsep(JSEP_ROLE_PUBLISHER, 0);
	struct buf text = vector_read("chromium-publish-candidates-offer");
	take_offer(j, buf_slice(&text));
	const struct jsep_remote *r = jsep_remote(j);
	assert_int_equal(strlen(r->ufrag), 4);
	assert_int_equal(strlen(r->pwd), 24);
	assert_int_equal(r->n_candidates, 4);
	assert_string_equal(r->fingerprint_alg, "sha-256");
	assert_int_equal(r->fingerprint_len, 32);
	char *at = strstr(buf_cstr(&text), "a=fingerprint:sha-256 ");
	unsigned first;
	assert_int_equal(sscanf(at + 22, "%2x", &first), 1);
	assert_int_equal(r->fingerprint[0], first);
	assert_true(r->is_dtls_server && r->has_trickle);
	assert_false(r->ice_restarted || r->end_of_candidates || r->fingerprint_changed);
	jsep_free(j);
	buf_free(&text);
}

static void ice_restart(void **st)
{
	(void)st;
	struct jsep *j = new_jsep(JSEP_ROLE_PUBLISHER, 0);
	struct buf text = vector_read("chromium-publish-simulcast-offer");
	take_offer(j, buf_slice(&text));
	struct buf out = make(j, true);
	buf_free(&out);
	take_offer(j, buf_slice(&text));
	assert_false(jsep_remote(j)->ice_restarted);
	out = make(j, true);
	buf_free(&out);

	char *restart = replaced(&text, "a=ice-ufrag:", "a=ice-ufrag:new");
	take_offer(j, slice_str(restart));
	assert_true(jsep_remote(j)->ice_restarted);
	assert_false(jsep_remote(j)->fingerprint_changed);
	buf_init(&out, SDP_TEXT_MAX);
	assert_int_equal(jsep_create_answer(j, &out), -ERR_BAD_STATE);
	assert_int_equal(jsep_set_ice(j, "efgh5678", "zyxwvutsrqponmlkjihgfedc"), 0);
	assert_int_equal(jsep_create_answer(j, &out), 0);
	assert_int_equal(count_of(&out, "a=ice-ufrag:efgh5678\r\n"), 3);
	buf_free(&out);
	test_free(restart);
	buf_free(&text);
	jsep_free(j);
}

static void setup_roles(void **st)
{
	(void)st;
	static const struct {
		const char *offer;
		bool is_server;
	} cases[] = {{"actpass", true}, {"active", true}, {"passive", false}};
	struct buf text = vector_read("chromium-publish-simulcast-offer");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct jsep *j = new_jsep(JSEP_ROLE_PUBLISHER, 0);
		char line[64];
		(void)snprintf(line, sizeof line, "a=setup:%s", cases[i].offer);
		char *offer = replaced(&text, "a=setup:actpass", line);
		take_offer(j, slice_str(offer));
		assert_int_equal(jsep_remote(j)->is_dtls_server, cases[i].is_server);
		struct buf out = make(j, true);
		assert_int_equal(
			count_of(&out,
				cases[i].is_server ? "a=setup:passive\r\n" : "a=setup:active\r\n"),
			3);
		buf_free(&out);
		test_free(offer);
		jsep_free(j);
	}
	buf_free(&text);

	static const struct {
		const char *answer;
		int err;
		bool is_server;
	} answers[] = {{"active", 0, true}, {"passive", 0, false},
		{"actpass", -ERR_MALFORMED, false}, {"holdconn", -ERR_MALFORMED, false}};
	text = vector_read("chromium-dual-first-answer");
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		struct jsep *j = new_jsep(JSEP_ROLE_SUBSCRIBER, 0);
		struct buf out = make(j, false);
		buf_free(&out);
		char line[64];
		(void)snprintf(line, sizeof line, "a=setup:%s", answers[i].answer);
		char *answer = replaced(&text, "a=setup:active", line);
		assert_int_equal(
			jsep_set_remote_answer(j, slice_str(answer), NULL), answers[i].err);
		if (!answers[i].err)
			assert_int_equal(jsep_remote(j)->is_dtls_server, answers[i].is_server);
		test_free(answer);
		jsep_free(j);
	}
	buf_free(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(join_offer_is_answered_with_empty_slots),
		cmocka_unit_test(node_sdk_offer_is_answered),
		cmocka_unit_test(simulcast_publication),
		cmocka_unit_test(scalable_codecs_bring_the_dependency_descriptor),
		cmocka_unit_test(slots_leave_out_what_only_publishers_send),
		cmocka_unit_test(publisher_sends_nothing),
		cmocka_unit_test(sendrecv_is_answered_recvonly),
		cmocka_unit_test(preferences_shape_the_answer),
		cmocka_unit_test(slots_live_and_are_used_again),
		cmocka_unit_test(what_cannot_be_sent),
		cmocka_unit_test(offers_grow_and_reuse),
		cmocka_unit_test(a_cleared_section_is_offered_again),
		cmocka_unit_test(an_answer_may_come_late),
		cmocka_unit_test(answers_narrow_the_offer),
		cmocka_unit_test(offered_codecs_can_be_narrowed),
		cmocka_unit_test(sections_are_bounded),
		cmocka_unit_test(roles_are_enforced),
		cmocka_unit_test(configuration_is_checked),
		cmocka_unit_test(remote_transport),
		cmocka_unit_test(ice_restart),
		cmocka_unit_test(setup_roles),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
