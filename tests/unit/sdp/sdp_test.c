/* Parsing and printing, on descriptions captured from Chromium and from the LiveKit Node SDK. */
#include "sdp/sdp.h"

#include "vectors.h"

static struct sdp *parse(const char *text)
{
	struct sdp *s;
	struct errbuf eb = {""};
	int err = sdp_parse(&s, slice_str(text), &eb);
	if (err)
		fail_msg("%s", eb.text);
	return s;
}

static struct sdp *parse_vector(const char *name)
{
	struct buf text = vector_read(name);
	struct sdp *s = parse(buf_cstr(&text));
	buf_free(&text);
	return s;
}

static void refuse(const char *text, int want, const char *message)
{
	struct sdp *s = (struct sdp *)&s;
	struct errbuf eb = {""};
	assert_int_equal(sdp_parse(&s, slice_str(text), &eb), -want);
	assert_null(s);
	if (!strstr(eb.text, message))
		fail_msg("\"%s\" does not say \"%s\"", eb.text, message);
	assert_int_equal(sdp_parse(&s, slice_str(text), NULL), -want);
}

#define HEAD  "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
#define VIDEO HEAD "m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\n"

/* ---- captured descriptions ---- */

static void chromium_join_offer(void **st)
{
	(void)st;
	struct sdp *s = parse_vector("chromium-single-join-offer");
	assert_int_equal(s->n_media, 7);
	assert_int_equal(s->n_groups, 1);
	assert_string_equal(s->groups[0].semantics, "BUNDLE");
	assert_int_equal(s->groups[0].n_mids, 7);
	assert_string_equal(s->groups[0].mids[6], "6");
	assert_true(s->extmap_allow_mixed);
	assert_string_equal(s->msid_semantic, "WMS");

	const struct sdp_media *a = &s->media[0];
	assert_int_equal(a->kind, SDP_KIND_AUDIO);
	assert_int_equal(a->direction, SDP_RECVONLY);
	assert_string_equal(a->mid, "0");
	assert_true(a->rtcp_mux && a->rtcp_rsize);
	assert_int_equal(a->transport.setup, SDP_SETUP_ACTPASS);
	assert_int_equal(a->transport.n_fingerprints, 1);
	assert_string_equal(a->transport.fingerprints[0].alg, "sha-256");
	assert_int_equal(strlen(a->transport.ufrag), 4);
	assert_int_equal(strlen(a->transport.pwd), 24);
	assert_string_equal(a->transport.options, "trickle");
	const struct sdp_codec *opus = sdp_codec_of(a, 111);
	assert_non_null(opus);
	assert_string_equal(opus->name, "opus");
	assert_int_equal(opus->clock_hz, 48000);
	assert_int_equal(opus->channels, 2);
	assert_string_equal(opus->fmtp, "minptime=10;useinbandfec=1");
	assert_int_equal(opus->n_feedback, 1);
	assert_string_equal(opus->feedback[0], "transport-cc");
	assert_int_equal(a->n_extmaps, 4);
	assert_int_equal(a->extmaps[3].id, 4);
	assert_string_equal(a->extmaps[3].uri, "urn:ietf:params:rtp-hdrext:sdes:mid");

	const struct sdp_media *v = &s->media[3];
	assert_int_equal(v->kind, SDP_KIND_VIDEO);
	assert_int_equal(v->codecs[0].pt, 96);
	assert_int_equal(v->codecs[0].n_feedback, 5);
	assert_true(slice_eq_str(sdp_fmtp_param(sdp_codec_of(v, 97)->fmtp, "apt"), "96"));
	const struct sdp_media *d = &s->media[6];
	assert_int_equal(d->kind, SDP_KIND_APPLICATION);
	assert_string_equal(d->format, "webrtc-datachannel");
	assert_int_equal(d->sctp_port, 5000);
	assert_int_equal(d->max_message_size, 262144);
	assert_int_equal(d->n_codecs, 0);
	sdp_free(s);
}

static void chromium_simulcast_offer(void **st)
{
	(void)st;
	struct sdp *s = parse_vector("chromium-publish-candidates-offer");
	const struct sdp_media *a = &s->media[0], *v = &s->media[1];
	assert_int_equal(a->direction, SDP_SENDONLY);
	assert_int_equal(a->n_ssrcs, 1);
	assert_non_null(a->ssrcs[0].cname);
	assert_string_equal(a->ssrcs[0].track, a->track);
	assert_non_null(a->stream);
	assert_int_equal(a->transport.n_candidates, 4);
	assert_memory_equal(a->transport.candidates[0], "candidate:", 10);
	assert_int_equal(v->n_rids, 3);
	assert_true(v->rids[0].is_send);
	assert_int_equal(v->n_simulcast_send, 3);
	assert_string_equal(v->simulcast_send[0].rid, "q");
	assert_string_equal(v->simulcast_send[2].rid, "f");
	assert_int_equal(v->simulcast_send[2].stream, 2);
	assert_int_equal(v->n_simulcast_recv, 0);
	sdp_free(s);
}

static void node_sdk_join_offer(void **st)
{
	(void)st;
	struct sdp *s = parse_vector("rtc-node-join-offer");
	assert_int_equal(s->n_media, 7);
	for (int i = 0; i < 6; i++)
		assert_int_equal(s->media[i].direction, SDP_RECVONLY);
	sdp_free(s);
}

static void print_parse_print_is_stable(void **st)
{
	(void)st;
	static const char *const names[] = {
		"chromium-single-join-offer",
		"chromium-single-publish-offer",
		"chromium-publish-candidates-offer",
		"chromium-sendrecv-offer",
		"chromium-single-stopped-offer",
		"chromium-dual-two-answer",
		"rtc-node-join-offer",
	};
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct buf first, second;
		buf_init(&first, SDP_TEXT_MAX);
		buf_init(&second, SDP_TEXT_MAX);
		struct sdp *s = parse_vector(names[i]);
		sdp_print(s, &first);
		struct sdp *again = parse(buf_cstr(&first));
		assert_int_equal(again->n_media, s->n_media);
		sdp_print(again, &second);
		assert_string_equal(buf_cstr(&first), buf_cstr(&second));
		assert_false(first.full);
		sdp_free(s);
		sdp_free(again);
		buf_free(&first);
		buf_free(&second);
	}
}

/* Every line of the original that we understand comes back out. */
static void print_keeps_the_lines(void **st)
{
	(void)st;
	struct buf text = vector_read("chromium-publish-simulcast-offer"), out;
	struct sdp *s = parse(buf_cstr(&text));
	buf_init(&out, SDP_TEXT_MAX);
	sdp_print(s, &out);
	(void)buf_cstr(&out);
	char *rest = (char *)(void *)text.p;
	for (char *line; (line = strsep(&rest, "\r\n"));)
		if (*line && strncmp(line, "a=rtcp:", 7) != 0 &&
			strncmp(line, "a=rtcp-xr:", 10) != 0 &&
			strncmp(line, "a=msid-semantic", 15) != 0 && !strstr((char *)out.p, line))
			fail_msg("lost: %s", line);
	sdp_free(s);
	buf_free(&text);
	buf_free(&out);
}

/* ---- grammar ---- */

static void line_ends_and_unknown_lines(void **st)
{
	(void)st;
	struct sdp *s = parse("v=0\no=- 1 2 IN IP4 "
			      "::1\ns=-\nb=AS:1\nz=?\na=unknown\na=tool:x\nm=audio 9 RTP/AVP 0 8\n"
			      "a=ptime:20\na=sendonly");
	assert_int_equal(s->n_media, 1);
	assert_int_equal(s->session_version, 2);
	assert_int_equal(s->media[0].direction, SDP_SENDONLY);
	assert_string_equal(sdp_codec_of(&s->media[0], 0)->name, "PCMU");
	assert_int_equal(sdp_codec_of(&s->media[0], 8)->clock_hz, 8000);
	sdp_free(s);
}

static void session_level_applies(void **st)
{
	(void)st;
	struct sdp *s = parse(HEAD "a=recvonly\r\na=ice-ufrag:abcd\r\na=setup:active\r\na="
				   "fingerprint:sha-256 AA:BB\r\n"
				   "a=mid:ignored\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"
				   "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=inactive\r\n");
	assert_int_equal(s->media[0].direction, SDP_RECVONLY);
	assert_int_equal(s->media[1].direction, SDP_INACTIVE);
	assert_string_equal(s->transport.ufrag, "abcd");
	assert_int_equal(s->transport.setup, SDP_SETUP_ACTIVE);
	assert_null(s->media[0].transport.ufrag);
	assert_null(s->media[0].mid);
	sdp_free(s);
}

static void simulcast_lists(void **st)
{
	(void)st;
	struct sdp *s = parse(
		VIDEO "a=rid:1 send pt=96;max-width=640\r\na=simulcast:recv x send 1,~2;~3\r\n");
	const struct sdp_media *m = &s->media[0];
	assert_string_equal(m->rids[0].params, "pt=96;max-width=640");
	assert_int_equal(m->n_simulcast_send, 3);
	assert_int_equal(m->simulcast_send[1].stream, 0);
	assert_true(m->simulcast_send[1].is_paused);
	assert_int_equal(m->simulcast_send[2].stream, 1);
	assert_int_equal(m->n_simulcast_recv, 1);
	struct buf out;
	buf_init(&out, 4096);
	sdp_print(s, &out);
	assert_non_null(strstr(buf_cstr(&out), "a=simulcast:send 1,~2;~3 recv x\r\n"));
	buf_free(&out);
	sdp_free(s);
}

static void feedback_for_all(void **st)
{
	(void)st;
	struct sdp *s =
		parse(VIDEO "a=rtcp-fb:* nack\r\na=rtcp-fb:97 ccm fir\r\na=rtcp-fb:50 nack\r\n"
			    "m=video 9 UDP/TLS/RTP/SAVPF 96\r\n");
	assert_int_equal(s->media[0].codecs[0].n_feedback, 1);
	assert_string_equal(s->media[0].codecs[0].feedback[0], "nack");
	assert_int_equal(s->media[0].codecs[1].n_feedback, 2);
	assert_int_equal(s->media[1].codecs[0].n_feedback, 0);
	sdp_free(s);
}

static void ssrc_groups(void **st)
{
	(void)st;
	struct sdp *s = parse(VIDEO
		"a=msid:- t1\r\na=ssrc-group:FID 1 2\r\na=ssrc:1 cname:c\r\na=ssrc:1 msid:s t\r\n"
		"a=ssrc:2\r\na=extmap:3/sendonly urn:x p "
		"q\r\na=bundle-only\r\na=extmap-allow-mixed\r\n");
	const struct sdp_media *m = &s->media[0];
	assert_null(m->stream);
	assert_string_equal(m->track, "t1");
	assert_int_equal(m->n_ssrcs, 2);
	assert_string_equal(m->ssrcs[0].cname, "c");
	assert_string_equal(m->ssrcs[0].stream, "s");
	assert_string_equal(m->ssrcs[0].track, "t");
	assert_int_equal(m->ssrc_groups[0].n, 2);
	assert_int_equal(m->ssrc_groups[0].ssrcs[1], 2);
	assert_int_equal(m->extmaps[0].direction, SDP_SENDONLY);
	assert_string_equal(m->extmaps[0].params, "p q");
	assert_true(m->bundle_only && m->extmap_allow_mixed);
	sdp_free(s);
}

static void fmtp_parameters(void **st)
{
	(void)st;
	const char *fmtp = "a=1; Profile-ID=2;b;=5;apt=96";
	assert_true(slice_eq_str(sdp_fmtp_param(fmtp, "profile-id"), "2"));
	assert_true(slice_eq_str(sdp_fmtp_param(fmtp, "apt"), "96"));
	assert_null(sdp_fmtp_param(fmtp, "b").p);
	assert_null(sdp_fmtp_param(fmtp, "pt").p);
	assert_null(sdp_fmtp_param(NULL, "a").p);
}

static void directions(void **st)
{
	(void)st;
	assert_int_equal(sdp_dir_reverse(SDP_SENDONLY), SDP_RECVONLY);
	assert_int_equal(sdp_dir_reverse(SDP_RECVONLY), SDP_SENDONLY);
	assert_int_equal(sdp_dir_reverse(SDP_SENDRECV), SDP_SENDRECV);
	assert_int_equal(sdp_dir_reverse(SDP_INACTIVE), SDP_INACTIVE);
	assert_string_equal(sdp_dir_text(SDP_RECVONLY), "recvonly");
}

/* ---- refusals ---- */

static void wrong_lines(void **st)
{
	(void)st;
	static const struct {
		const char *text, *message;
	} cases[] = {
		{"", "empty"},
		{"m=audio 9 x 0\r\n", "line 1: a description starts with v=0"},
		{"v=1\r\n", "line 1: version"},
		{"v=0\r\nx\r\n", "line 2: expected a letter"},
		{"v=0\r\no=- a b\r\n", "line 2: o="},
		{"v=0\r\no=- 99999999999999999999 1 IN\r\n", "line 2: o="},
		{"v=0\r\na=x\x01\r\n", "line 2: control character 0x01"},
		{"v=0\r\na=x\rb\r\n", "line 2: control character 0x0d"},
		{HEAD "m=audio 9 UDP/TLS/RTP/SAVPF\r\n", "line 5: m= needs"},
		{HEAD "m=audio 65536 UDP/TLS/RTP/SAVPF 0\r\n", "65536 is no port"},
		{HEAD "m=audio -1 UDP/TLS/RTP/SAVPF 0\r\n", "is no port"},
		{HEAD "m=audio 9 UDP/TLS/RTP/SAVPF 128\r\n", "payload type 128"},
		{HEAD "m=audio 9 UDP/TLS/RTP/SAVPF 0 0\r\n", "listed twice"},
		{VIDEO "a=rtpmap:x VP8/90000\r\n", "line 6: expected a payload type"},
		{VIDEO "a=rtpmap:96 VP8\r\n", "rtpmap needs"},
		{VIDEO "a=rtpmap:96 VP8/0\r\n", "clock rate"},
		{VIDEO "a=rtpmap:96 VP8/90000/0\r\n", "channels"},
		{VIDEO "a=rtpmap:96 /90000\r\n", "rtpmap needs"},
		{VIDEO "a=rtcp-fb:96\r\n", "without a feedback type"},
		{VIDEO "a=rtcp-fb:* \r\n", "without a feedback type"},
		{VIDEO "a=extmap:0 urn:x\r\n", "extension id"},
		{VIDEO "a=extmap:1/both urn:x\r\n", "direction"},
		{VIDEO "a=extmap:1\r\n", "extmap needs"},
		{VIDEO "a=ssrc:4294967296 cname:x\r\n", "32-bit"},
		{VIDEO "a=ssrc-group:FID\r\n", "ssrc-group needs"},
		{VIDEO "a=ssrc-group:FID x\r\n", "no ssrc"},
		{VIDEO "a=rid:1\r\n", "rid needs"},
		{VIDEO "a=rid:1 up\r\n", "rid needs"},
		{VIDEO "a=simulcast:send\r\n", "simulcast needs"},
		{VIDEO "a=simulcast:send 1;;2\r\n", "empty name"},
		{VIDEO "a=simulcast:send ~\r\n", "empty name"},
		{VIDEO "a=simulcast:send 1 send 2\r\n", "second simulcast"},
		{VIDEO "a=mid:0\r\na=mid:1\r\n", "line 7: second mid"},
		{VIDEO "a=mid:\r\n", "mid needs a value"},
		{VIDEO "a=mid\r\n", "mid needs a value"},
		{VIDEO "a=setup:server\r\n", "setup role"},
		{VIDEO "a=fingerprint:sha-256\r\n", "fingerprint needs"},
		{VIDEO "a=sctp-port:70000\r\n", "SCTP port"},
		{VIDEO "a=max-message-size:x\r\n", "message size"},
		{HEAD "a=group: \r\n", "group without"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		refuse(cases[i].text, ERR_MALFORMED, cases[i].message);
	struct sdp *s;
	assert_int_equal(sdp_parse(&s, slice_of("v=0\0\r\n", 6), NULL), -ERR_MALFORMED);
}

struct flood {
	const char *start, *line, *message;
	int n;
};

static void limits(void **st)
{
	(void)st;
	static const struct flood floods[] = {
		{HEAD, "m=audio 9 x 0\n", "more than 512 media", SDP_MEDIA_MAX},
		{HEAD, "a=group:BUNDLE 0\n", "groups", SDP_GROUPS_MAX},
		{VIDEO, "a=candidate:1 1 udp 1 1.2.3.4 5 typ host\n", "candidates",
			SDP_CANDIDATES_MAX},
		{VIDEO, "a=extmap:1 urn:x\n", "extmap", SDP_EXTMAPS_MAX},
		{VIDEO, "a=rid:1 send\n", "rid", SDP_RIDS_MAX},
		{VIDEO, "a=ssrc-group:FID 1\n", "ssrc-group", SDP_SSRC_GROUPS_MAX},
		{VIDEO, "a=rtcp-fb:96 nack\n", "rtcp-fb for one codec", SDP_FEEDBACK_MAX},
		{VIDEO, "a=rtcp-fb:* nack\n", "rtcp-fb for \"*\"", SDP_FEEDBACK_MAX},
		{VIDEO, "a=fingerprint:sha-256 AA\n", "fingerprints", SDP_FINGERPRINTS_MAX},
	};
	for (size_t i = 0; i < ARRAY_LEN(floods); i++) {
		struct buf b;
		buf_init(&b, SDP_TEXT_MAX);
		buf_add_str(&b, floods[i].start);
		for (int k = 0; k < floods[i].n; k++)
			buf_add_str(&b, floods[i].line);
		sdp_free(parse(buf_cstr(&b)));
		buf_add_str(&b, floods[i].line);
		refuse(buf_cstr(&b), ERR_TOO_LARGE, floods[i].message);
		buf_free(&b);
	}
	struct buf b;
	buf_init(&b, SDP_TEXT_MAX);
	buf_add_str(&b, VIDEO);
	for (unsigned i = 0; i <= SDP_SSRCS_MAX; i++)
		buf_printf(&b, "a=ssrc:%u cname:x\n", i);
	refuse(buf_cstr(&b), ERR_TOO_LARGE, "ssrc in one section");
	buf_free(&b);
	refuse(VIDEO "a=ssrc-group:SIM 1 2 3 4 5 6 7 8 9\n", ERR_TOO_LARGE, "ssrc in one group");
	refuse(VIDEO "a=simulcast:send 1,2,3,4,5,6,7,8,9,a,b,c,d,e,f,g,h\n", ERR_TOO_LARGE,
		"streams in a list");
}

static void long_lines_and_texts(void **st)
{
	(void)st;
	size_t n = SDP_TEXT_MAX + 1;
	char *text = test_malloc(n + 1);
	memset(text, 'x', n);
	text[n] = '\0';
	memcpy(text, "v=0\na=", 6);
	refuse(text, ERR_TOO_LARGE, "description of");
	text[6 + SDP_LINE_MAX - 1] = '\0';
	refuse(text, ERR_TOO_LARGE, "line 2: longer than");
	text[6 + SDP_LINE_MAX - 2] = '\0';
	sdp_free(parse(text));
	test_free(text);
}

/* Cutting a description anywhere is safe, and only a cut inside a line can make it wrong. */
static void every_truncation_is_safe(void **st)
{
	(void)st;
	struct buf text = vector_read("chromium-publish-simulcast-offer");
	for (size_t n = 1; n <= text.n; n++) {
		uint8_t *exact = test_malloc(n);
		memcpy(exact, text.p, n);
		struct sdp *s;
		int err = sdp_parse(&s, slice_of(exact, n), NULL);
		if (exact[n - 1] == '\n')
			assert_int_equal(err, 0);
		sdp_free(s);
		test_free(exact);
	}
	buf_free(&text);
}

static void a_full_buffer_is_told(void **st)
{
	(void)st;
	struct sdp *s = parse_vector("chromium-publish-simulcast-offer");
	struct buf out;
	buf_init(&out, 1000);
	sdp_print(s, &out);
	assert_true(out.full);
	buf_free(&out);
	sdp_free(s);
	sdp_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chromium_join_offer),
		cmocka_unit_test(chromium_simulcast_offer),
		cmocka_unit_test(node_sdk_join_offer),
		cmocka_unit_test(print_parse_print_is_stable),
		cmocka_unit_test(print_keeps_the_lines),
		cmocka_unit_test(line_ends_and_unknown_lines),
		cmocka_unit_test(session_level_applies),
		cmocka_unit_test(simulcast_lists),
		cmocka_unit_test(feedback_for_all),
		cmocka_unit_test(ssrc_groups),
		cmocka_unit_test(fmtp_parameters),
		cmocka_unit_test(directions),
		cmocka_unit_test(wrong_lines),
		cmocka_unit_test(limits),
		cmocka_unit_test(long_lines_and_texts),
		cmocka_unit_test(every_truncation_is_safe),
		cmocka_unit_test(a_full_buffer_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
