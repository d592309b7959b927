/*
 * jsep: two rounds from one input. The first byte picks role and codecs, a NUL separates the two
 * descriptions. What we write must parse, and a refused description must change nothing.
 */
#include <stdlib.h>

#include "sdp/jsep.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void check(int err)
{
	if (err)
		abort();
}

static void send_in_all(struct jsep *j, uint32_t base)
{
	for (size_t i = 0; i < jsep_section_count(j); i++) {
		uint32_t ssrc = base + 2 * (uint32_t)i;
		struct jsep_send send = {
			.stream_id = "PA_a|TR_b",
			.track_id = "TR_b",
			.cname = "PA_a",
			.ssrc = ssrc,
			.rtx_ssrc = ssrc + 1,
			.is_stereo = i & 1,
		};
		struct jsep_recv recv = {.preferred = JSEP_CODEC_BIT(i % JSEP_CODEC_N),
			.is_stereo = i & 1,
			.no_dtx = i & 2};
		int err = jsep_section_send(j, i, &send);
		if (err && err != -ERR_BAD_STATE)
			abort();
		jsep_section_recv(j, i, &recv);
		if (i % 3 == 2)
			jsep_section_clear(j, i);
	}
}

static void print(struct jsep *j, bool is_answer)
{
	struct buf out;
	struct sdp *s;
	buf_init(&out, SDP_TEXT_MAX);
	int err = is_answer ? jsep_create_answer(j, &out) : jsep_create_offer(j, &out);
	if (err && err != -ERR_TOO_LARGE)
		abort();
	if (!err) {
		err = sdp_parse(&s, buf_slice(&out), NULL);
		if (err && err != -ERR_TOO_LARGE)
			abort();
		if (!err && s->n_media != jsep_section_count(j))
			abort();
		if (!err)
			sdp_free(s);
	}
	buf_free(&out);
}

static void round_trip(struct jsep *j, bool is_offerer, struct slice text)
{
	struct errbuf eb;
	size_t before = jsep_section_count(j);
	uint16_t index;
	if (is_offerer) {
		check(jsep_add_section(j, SDP_KIND_AUDIO, &index));
		check(jsep_add_section(j, SDP_KIND_VIDEO, &index));
		send_in_all(j, 100);
		print(j, false);
		(void)!jsep_set_remote_answer(j, text, &eb);
		return;
	}
	if (jsep_set_remote_offer(j, text, &eb)) {
		if (jsep_section_count(j) != before)
			abort();
		return;
	}
	check(jsep_set_ice(j, "abcd1234", "abcdefghijklmnopqrstuvwx"));
	send_in_all(j, 1000);
	print(j, true);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	if (n == 0)
		return 0;
	struct jsep_cfg cfg = {
		.role = (enum jsep_role)(p[0] % 3),
		.ufrag = "abcd",
		.pwd = "abcdefghijklmnopqrstuvwx",
		.fingerprint = "sha-256 AB:CD",
		.enabled_codecs = p[0] & 0x80 ? UINT32_MAX : 0,
	};
	struct jsep *j = jsep_new(&cfg);
	const uint8_t *rest = p + 1, *end = p + n;
	for (int round = 0; round < 2; round++) {
		const uint8_t *stop = memchr(rest, 0, (size_t)(end - rest));
		if (!stop)
			stop = end;
		round_trip(
			j, cfg.role == JSEP_ROLE_SUBSCRIBER, slice_of(rest, (size_t)(stop - rest)));
		rest = stop < end ? stop + 1 : end;
	}
	jsep_free(j);
	return 0;
}
