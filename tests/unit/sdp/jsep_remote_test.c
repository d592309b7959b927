/*
 * What the other side may say, and what it may not: every case is a small change to one good
 * description.
 */
#include "sdp/jsep.h"

#include "vectors.h"

#define HASH                                                                                       \
	"11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:"  \
	"EE:FF:00"
#define TRANSPORT                                                                                  \
	"a=ice-ufrag:remo\r\na=ice-pwd:remoteremoteremoteremo\r\na=fingerprint:sha-256 " HASH      \
	"\r\n"                                                                                     \
	"a=setup:actpass\r\n"
#define AUDIO                                                                                      \
	"m=audio 9 UDP/TLS/RTP/SAVPF 109\r\na=mid:a\r\na=sendonly\r\na=rtcp-mux\r\n"               \
	"a=rtpmap:109 opus/48000/2\r\na=msid:s1 t1\r\n"
#define VIDEO                                                                                      \
	"m=video 9 UDP/TLS/RTP/SAVPF 120 121 122\r\na=mid:v\r\na=sendonly\r\na=rtcp-mux\r\n"       \
	"a=rtpmap:120 VP8/90000\r\na=rtpmap:121 rtx/90000\r\na=fmtp:121 apt=120\r\n"               \
	"a=rtpmap:122 H264/90000\r\na=msid:s1 t2\r\n"
#define DATA "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:d\r\na=sctp-port:5001\r\n"
#define HEAD "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"

static const char good[] = HEAD "a=group:BUNDLE a v d\r\n" TRANSPORT AUDIO VIDEO DATA;

static struct jsep *new_publisher(void)
{
	struct jsep_cfg cfg = {
		.role = JSEP_ROLE_PUBLISHER,
		.ufrag = "abcd1234",
		.pwd = "abcdefghijklmnopqrstuvwx",
		.fingerprint = "sha-256 AB:CD",
	};
	struct jsep *j = jsep_new(&cfg);
	assert_non_null(j);
	return j;
}

/* The good text with the first `from` exchanged. Owned (buf_free). */
static struct buf changed(const char *text, const char *from, const char *to)
{
	const char *hit = strstr(text, from);
	if (!hit) {
		fail_msg("\"%s\" is not in the text", from);
		hit = text;
	}
	struct buf b;
	buf_init(&b, 2 * SDP_TEXT_MAX);
	buf_add(&b, text, (size_t)(hit - text));
	buf_add_str(&b, to);
	buf_add_str(&b, hit + strlen(from));
	return b;
}

static void take(struct jsep *j, const char *text)
{
	struct errbuf eb = {""};
	if (jsep_set_remote_offer(j, slice_str(text), &eb))
		fail_msg("%s", eb.text);
}

static struct buf answer(struct jsep *j)
{
	struct buf out;
	buf_init(&out, SDP_TEXT_MAX);
	assert_int_equal(jsep_create_answer(j, &out), 0);
	return out;
}

static void the_good_one(void **st)
{
	(void)st;
	struct jsep *j = new_publisher();
	take(j, good);
	struct buf out = answer(j);
	assert_int_equal(count_of(&out, "m=video 9 UDP/TLS/RTP/SAVPF 120 121\r\n"), 1);
	assert_int_equal(count_of(&out, "a=fmtp:121 apt=120\r\n"), 1);
	assert_int_equal(count_of(&out, "a=fmtp:109 minptime=10;useinbandfec=1;usedtx=1\r\n"), 1);
	assert_int_equal(count_of(&out, "a=rtcp-fb:109 nack\r\n"), 1);
	/* The client offered no feedback for video and no reduced-size RTCP. */
	assert_int_equal(count_of(&out, "a=rtcp-fb:120"), 0);
	assert_int_equal(count_of(&out, "rtcp-rsize"), 0);
	assert_int_equal(count_of(&out, "extmap-allow-mixed"), 0);
	assert_string_equal(jsep_section_at(j, 0)->track_id, "t1");
	assert_int_equal(jsep_section_at(j, 2)->remote_sctp_port, 5001);
	assert_int_equal(jsep_section_at(j, 2)->remote_max_message_size, 65536);
	assert_int_equal(jsep_remote(j)->fingerprint[31], 0);
	assert_int_equal(jsep_remote(j)->fingerprint[1], 0x22);
	assert_false(jsep_remote(j)->has_trickle);
	buf_free(&out);
	jsep_free(j);
}

static void refused_offers(void **st)
{
	(void)st;
	static const struct {
		const char *from, *to, *message;
	} cases[] = {
		{"a=mid:v\r\n", "", "section 1 has no mid"},
		{"a=mid:v\r\n", "a=mid:a\r\n", "sections 0 and 1 have the same mid a"},
		{"a=mid:v\r\n", "a=mid:w\r\n", "section 1 (mid w) is in no BUNDLE"},
		{"BUNDLE a v d", "BUNDLE a v", "section 2 (mid d) is in no BUNDLE"},
		{"BUNDLE a v d", "BUNDLE a v d x", "unknown mid x"},
		{"a=group:BUNDLE a v d\r\n", "", "section 0 (mid a) is in no BUNDLE"},
		{"a=group:BUNDLE a v d\r\n", "a=group:LS a v d\r\n", "is in no BUNDLE"},
		{"a=rtcp-mux\r\n", "", "section 0 (mid a) lacks rtcp-mux"},
		{"a=ice-ufrag:remo\r\n", "", "ice-ufrag"},
		{"a=ice-ufrag:remo\r\n", "a=ice-ufrag:rem\r\n", "ice-ufrag"},
		{"a=ice-ufrag:remo\r\n", "a=ice-ufrag:re:mo\r\n", "ice-ufrag"},
		{"a=ice-pwd:remoteremoteremoteremo\r\n", "", "ice-pwd"},
		{"a=ice-pwd:remoteremoteremoteremo\r\n", "a=ice-pwd:short\r\n", "ice-pwd"},
		{"a=fingerprint:sha-256 11:", "a=fingerprint:sha-256 ", "fingerprint"},
		{"a=fingerprint:sha-256 11:", "a=fingerprint:sha-256 1111", "fingerprint"},
		{"a=fingerprint:sha-256 11:", "a=fingerprint:sha-256 1g:", "fingerprint"},
		{"a=fingerprint:sha-256", "a=fingerprint:sha-1", "fingerprint"},
		{"a=fingerprint:sha-256 " HASH "\r\n", "", "fingerprint"},
		{"a=setup:actpass", "a=setup:holdconn", "setup role"},
		{"m=audio 9", "m=audio 9x", "line 10: "},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct jsep *j = new_publisher();
		struct buf text = changed(good, cases[i].from, cases[i].to);
		struct errbuf eb = {""};
		assert_int_equal(jsep_set_remote_offer(j, buf_slice(&text), &eb), -ERR_MALFORMED);
		if (!strstr(eb.text, cases[i].message))
			fail_msg("\"%s\" does not say \"%s\"", eb.text, cases[i].message);
		assert_int_equal(jsep_section_count(j), 0);
		assert_null(jsep_remote(j));
		assert_false(jsep_is_pending(j));
		buf_free(&text);
		jsep_free(j);
	}
}

/* A bad second offer leaves the first round as it was. */
static void refused_second_offers(void **st)
{
	(void)st;
	static const struct {
		const char *text, *message;
	} cases[] = {
		{HEAD "a=group:BUNDLE a v\r\n" TRANSPORT AUDIO VIDEO,
			"2 media sections, there were 3"},
		{HEAD "a=group:BUNDLE a v d\r\n" TRANSPORT VIDEO AUDIO DATA,
			"section 0 has mid v, it had a before"},
		{HEAD "a=group:BUNDLE a v d\r\n" TRANSPORT
		      "m=video 9 UDP/TLS/RTP/SAVPF 120\r\na=mid:a\r\na=rtcp-mux\r\n" VIDEO DATA,
			"changed its media type"},
	};
	struct jsep *j = new_publisher();
	take(j, good);
	struct buf first = answer(j);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct errbuf eb = {""};
		assert_int_equal(
			jsep_set_remote_offer(j, slice_str(cases[i].text), &eb), -ERR_MALFORMED);
		if (!strstr(eb.text, cases[i].message))
			fail_msg("\"%s\" does not say \"%s\"", eb.text, cases[i].message);
		assert_int_equal(jsep_section_count(j), 3);
		assert_string_equal(jsep_section_at(j, 0)->track_id, "t1");
		assert_string_equal(jsep_remote(j)->ufrag, "remo");
		assert_false(jsep_is_pending(j));
	}
	take(j, good);
	struct buf second = answer(j);
	assert_string_equal(strstr(buf_cstr(&first), "s=-"), strstr(buf_cstr(&second), "s=-"));
	assert_non_null(strstr(buf_cstr(&second), "o=- 0 2 IN"));
	buf_free(&first);
	buf_free(&second);
	jsep_free(j);
}

static void sections_without_common_codec_are_rejected(void **st)
{
	(void)st;
	struct jsep *j = new_publisher();
	struct buf text = changed(good, "opus/48000/2", "speex/16000");
	take(j, buf_cstr(&text));
	struct buf out = answer(j);
	assert_true(jsep_section_at(j, 0)->is_rejected);
	assert_int_equal(count_of(&out, "m=audio 0 UDP/TLS/RTP/SAVPF 109\r\n"), 1);
	assert_int_equal(count_of(&out, "a=group:BUNDLE v d\r\n"), 1);
	buf_free(&out);

	/* Rejected is not forever, and the index may change hands. */
	take(j, good);
	out = answer(j);
	assert_false(jsep_section_at(j, 0)->is_rejected);
	buf_free(&out);
	take(j, buf_cstr(&text));
	out = answer(j);
	buf_free(&out);
	buf_free(&text);
	text = changed(HEAD "a=group:BUNDLE n v d\r\n" TRANSPORT
			    "m=video 9 UDP/TLS/RTP/SAVPF 120\r\na=mid:n\r\n"
			    "a=rtcp-mux\r\na=rtpmap:120 VP8/90000\r\n" VIDEO DATA,
		"", "");
	take(j, buf_cstr(&text));
	assert_string_equal(jsep_section_at(j, 0)->mid, "n");
	assert_int_equal(jsep_section_at(j, 0)->kind, SDP_KIND_VIDEO);
	buf_free(&text);
	jsep_free(j);
}

/*
 * Audio is first in the group but rejected, so the bundle runs on the transport of the video
 * section.
 */
static void the_transport_is_of_the_first_accepted_section(void **st)
{
	(void)st;
	static const char text[] =
		HEAD "a=group:BUNDLE a v d\r\n"
		     "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:a\r\na=rtcp-mux\r\n"
		     "a=ice-ufrag:wrong\r\na=ice-pwd:wrongwrongwrongwrongwrong\r\na=candidate:1 1 "
		     "udp 1 10.0.0.1 1 typ host\r\n" VIDEO TRANSPORT
		     "a=candidate:1 1 udp 1 10.0.0.2 2 typ host\r\na=end-of-candidates\r\n"
		     "m=application 0 UDP/DTLS/SCTP "
		     "webrtc-datachannel\r\na=mid:d\r\na=sctp-port:5000\r\na=bundle-only\r\n";
	struct jsep *j = new_publisher();
	take(j, text);
	assert_string_equal(jsep_remote(j)->ufrag, "remo");
	assert_int_equal(jsep_remote(j)->n_candidates, 1);
	assert_string_equal(
		jsep_remote(j)->candidates[0], "candidate:1 1 udp 1 10.0.0.2 2 typ host");
	assert_true(jsep_remote(j)->end_of_candidates);
	assert_false(jsep_section_at(j, 2)->is_rejected);
	/* Where it has none of its own yet, those of the rejected section do not stand in. */
	struct buf later = changed(text, "a=candidate:1 1 udp 1 10.0.0.2 2 typ host\r\n", "");
	take(j, buf_cstr(&later));
	assert_int_equal(jsep_remote(j)->n_candidates, 0);
	buf_free(&later);
	jsep_free(j);
}

static void strange_sections_are_rejected(void **st)
{
	(void)st;
	static const char text[] =
		HEAD "a=group:BUNDLE d\r\n" TRANSPORT DATA "m=image 9 udptl t38\r\na=mid:i\r\n"
		     "m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:x\r\n"
		     "m=audio 0 UDP/TLS/RTP/SAVPF 109\r\na=mid:y\r\n";
	struct jsep *j = new_publisher();
	take(j, text);
	struct buf out = answer(j);
	assert_int_equal(count_of(&out, "m=image 0 udptl t38\r\n"), 1);
	assert_int_equal(count_of(&out, "m=audio 0 UDP/TLS/RTP/SAVPF 109\r\n"), 1);
	assert_int_equal(count_of(&out, "a=group:BUNDLE d\r\n"), 1);
	buf_free(&out);
	/* A section that is gone may lose its mid. */
	struct buf again = changed(text, "a=mid:y\r\n", "");
	take(j, buf_cstr(&again));
	assert_string_equal(jsep_section_at(j, 3)->mid, "y");
	buf_free(&again);
	jsep_free(j);

	j = new_publisher();
	struct errbuf eb;
	assert_int_equal(jsep_set_remote_offer(
				 j, slice_str(HEAD TRANSPORT "m=audio 0 x 0\r\na=mid:a\r\n"), &eb),
		-ERR_MALFORMED);
	assert_non_null(strstr(eb.text, "no section is in use"));
	assert_int_equal(jsep_set_remote_offer(j, slice_str(HEAD TRANSPORT), &eb), -ERR_MALFORMED);
	jsep_free(j);
}

static void extensions_stay_unambiguous(void **st)
{
	(void)st;
	static const char mid[] = "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\n";
	static const char rid[] = "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id\r\n";
	static const char other_mid[] = "a=extmap:5 urn:ietf:params:rtp-hdrext:sdes:mid\r\n";
	static const char one_way[] =
		"a=extmap:6/recvonly urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id\r\n";
	static const char large[] =
		"a=extmap:16 "
		"http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n";
	struct buf b;
	buf_init(&b, SDP_TEXT_MAX);
	buf_printf(&b, "%s%s%s%s%s%s%s%s%s", HEAD "a=group:BUNDLE a v\r\n", TRANSPORT, AUDIO, mid,
		VIDEO, rid, other_mid, one_way, large);
	struct jsep *j = new_publisher();
	take(j, buf_cstr(&b));
	assert_int_equal(jsep_section_at(j, 0)->ext_id[JSEP_EXT_MID], 4);
	for (int i = 0; i < JSEP_EXT_N; i++)
		assert_int_equal(jsep_section_at(j, 1)->ext_id[i], 0);
	assert_int_equal(jsep_ext_ids(j)[JSEP_EXT_MID], 4);
	assert_int_equal(jsep_ext_ids(j)[JSEP_EXT_RID], 0);

	/* Ids above 14 need two-byte headers, which a=extmap-allow-mixed permits. */
	buf_add_str(&b, "a=extmap-allow-mixed\r\n");
	take(j, buf_cstr(&b));
	assert_int_equal(jsep_section_at(j, 1)->ext_id[JSEP_EXT_TWCC], 16);
	buf_free(&b);
	jsep_free(j);
}

static void streams_named_by_ssrc(void **st)
{
	(void)st;
	struct buf text = changed(good, "a=msid:s1 t2\r\n",
		"a=ssrc-group:SIM 30 10 20\r\na=ssrc-group:FID 10 11\r\na=ssrc-group:FID 20 21\r\n"
		"a=ssrc-group:FEC-FR 10 99\r\na=ssrc:10 cname:c\r\na=ssrc:10 msid:s9 "
		"t9\r\na=ssrc:11 cname:c\r\n"
		"a=ssrc:20 cname:c\r\na=ssrc:21 cname:c\r\na=ssrc:99 cname:c\r\na=ssrc:40 "
		"cname:c\r\n");
	struct jsep *j = new_publisher();
	take(j, buf_cstr(&text));
	const struct jsep_section *v = jsep_section_at(j, 1);
	static const struct jsep_ssrc want[] = {{30, 0}, {10, 11}, {20, 21}, {40, 0}};
	assert_int_equal(v->n_ssrcs, ARRAY_LEN(want));
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		assert_int_equal(v->ssrcs[i].ssrc, want[i].ssrc);
		assert_int_equal(v->ssrcs[i].rtx_ssrc, want[i].rtx_ssrc);
	}
	assert_string_equal(v->stream_id, "s9");
	assert_string_equal(v->track_id, "t9");
	buf_free(&text);
	jsep_free(j);
}

static void simulcast_names(void **st)
{
	(void)st;
	struct buf text = changed(good, "a=msid:s1 t2\r\n",
		"a=rid:l send\r\na=rid:m send\r\na=rid:h send\r\na=rid:r "
		"recv\r\na=rid:12345678901234567 send\r\n"
		"a=simulcast:send l;undeclared,m;12345678901234567;r;~h,l\r\n");
	struct jsep *j = new_publisher();
	take(j, buf_cstr(&text));
	const struct jsep_section *v = jsep_section_at(j, 1);
	assert_int_equal(v->n_rids, 3);
	assert_string_equal(v->rids[0].id, "l");
	assert_string_equal(v->rids[1].id, "m");
	assert_string_equal(v->rids[2].id, "h");
	assert_true(v->rids[2].is_paused);
	struct buf out = answer(j);
	assert_int_equal(count_of(&out, "a=simulcast:recv l;m;h\r\n"), 1);
	assert_int_equal(count_of(&out, "a=rid:m recv\r\n"), 1);
	buf_free(&out);
	buf_free(&text);
	jsep_free(j);
}

/* As many sections as there may be, in and out; one more is refused. */
static void many_sections(void **st)
{
	(void)st;
	for (int n = SDP_MEDIA_MAX; n <= SDP_MEDIA_MAX + 1; n++) {
		struct buf b;
		buf_init(&b, SDP_TEXT_MAX);
		buf_add_str(&b, HEAD TRANSPORT "a=group:BUNDLE");
		for (int i = 0; i < SDP_MEDIA_MAX; i++)
			buf_printf(&b, " %d", i);
		buf_add_str(&b, "\r\n");
		for (int i = 0; i < n; i++)
			buf_printf(&b,
				"m=audio 9 UDP/TLS/RTP/SAVPF "
				"111\r\na=mid:%d\r\na=rtcp-mux\r\na=sendonly\r\n"
				"a=rtpmap:111 opus/48000/2\r\n",
				i);
		struct jsep *j = new_publisher();
		int err = jsep_set_remote_offer(j, buf_slice(&b), NULL);
		assert_int_equal(err, n > SDP_MEDIA_MAX ? -ERR_TOO_LARGE : 0);
		assert_int_equal(jsep_section_count(j), err ? 0 : n);
		if (!err) {
			struct buf out = answer(j);
			assert_int_equal(count_of(&out, "m=audio 9 "), n);
			buf_free(&out);
		}
		buf_free(&b);
		jsep_free(j);
	}
}

static void long_mids(void **st)
{
	(void)st;
	for (size_t n = JSEP_MID_CAP - 1; n <= JSEP_MID_CAP; n++) {
		char mid[JSEP_MID_CAP + 1] = "";
		memset(mid, 'm', n);
		struct buf b;
		buf_init(&b, SDP_TEXT_MAX);
		buf_printf(&b,
			HEAD TRANSPORT "a=group:BUNDLE %s\r\nm=audio 9 UDP/TLS/RTP/SAVPF "
				       "0\r\na=mid:%s\r\na=rtcp-mux\r\n",
			mid, mid);
		struct jsep *j = new_publisher();
		assert_int_equal(jsep_set_remote_offer(j, buf_slice(&b), NULL),
			n < JSEP_MID_CAP ? 0 : -ERR_TOO_LARGE);
		buf_free(&b);
		jsep_free(j);
	}
}

/* Payload types and parameters at the edges of what the tables take. */
static void odd_codecs(void **st)
{
	(void)st;
	struct buf text = changed(good, "a=fmtp:121 apt=120\r\n", "a=fmtp:121 apt=1200\r\n");
	struct jsep *j = new_publisher();
	take(j, buf_cstr(&text));
	assert_int_equal(jsep_section_at(j, 1)->codecs[0].rtx_pt, 0);
	struct buf out = answer(j);
	assert_int_equal(count_of(&out, "rtx"), 0);
	buf_free(&out);
	buf_free(&text);
	jsep_free(j);

	/* One codec under two payload types: the first one is the preferred one. */
	text = changed(good, "122 H264/90000", "122 VP8/90000");
	j = new_publisher();
	take(j, buf_cstr(&text));
	assert_int_equal(jsep_section_at(j, 1)->n_codecs, 1);
	assert_int_equal(jsep_section_at(j, 1)->codecs[0].pt, 120);
	buf_free(&text);
	jsep_free(j);

	text = changed(
		good, "a=msid:s1 t1\r\n", "a=fmtp:109 usedtx=0;;stereo=0 ; useinbandfec=1;\r\n");
	j = new_publisher();
	take(j, buf_cstr(&text));
	jsep_section_recv(j, 0, &(struct jsep_recv){.is_stereo = true});
	out = answer(j);
	assert_int_equal(
		count_of(&out,
			"a=fmtp:109 useinbandfec=1;usedtx=1;stereo=1;maxaveragebitrate=510000\r\n"),
		1);
	buf_free(&out);
	buf_free(&text);
	jsep_free(j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_good_one),
		cmocka_unit_test(refused_offers),
		cmocka_unit_test(refused_second_offers),
		cmocka_unit_test(sections_without_common_codec_are_rejected),
		cmocka_unit_test(the_transport_is_of_the_first_accepted_section),
		cmocka_unit_test(strange_sections_are_rejected),
		cmocka_unit_test(extensions_stay_unambiguous),
		cmocka_unit_test(streams_named_by_ssrc),
		cmocka_unit_test(simulcast_names),
		cmocka_unit_test(many_sections),
		cmocka_unit_test(long_mids),
		cmocka_unit_test(odd_codecs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
