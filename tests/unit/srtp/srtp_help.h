/* srtp_help: two ends of a session, packets and hex for the tests of srtp/. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"
#include "srtp/srtp.h"
#include "srtp/srtp_internal.h"

struct bytes {
	uint8_t p[2048];
	size_t n;
};

static inline struct bytes unhex(const char *hex)
{
	struct bytes b = {.n = 0};
	for (; *hex; hex++) {
		if (*hex == ' ')
			continue;
		char pair[3] = {hex[0], hex[1], 0};
		b.p[b.n++] = (uint8_t)strtoul(pair, NULL, 16);
		hex++;
	}
	return b;
}

static inline void assert_bytes(const uint8_t *got, size_t n, struct bytes want)
{
	assert_int_equal(n, want.n);
	assert_memory_equal(got, want.p, n);
}

/* Server and client of one DTLS handshake; the keying material is 0, 1, 2 … */
struct ends {
	struct srtp *server, *client;
};

static inline struct ends ends_new(enum srtp_profile profile)
{
	const struct srtp_profile_info *info = srtp_profile_find((uint16_t)profile);
	uint8_t keying[SRTP_KEYING_MAX];
	for (size_t i = 0; i < sizeof keying; i++)
		keying[i] = (uint8_t)i;
	struct slice k = {keying, info->keying_len};
	struct ends e = {srtp_new(profile, k, true), srtp_new(profile, k, false)};
	assert_non_null(e.server);
	assert_non_null(e.client);
	return e;
}

static inline void ends_free(struct ends *e)
{
	srtp_free(e->server);
	srtp_free(e->client);
}

static inline struct bytes rtp(uint32_t ssrc, uint16_t seq, size_t payload_len)
{
	struct bytes b = {.p = {0x80, 96}, .n = SRTP_RTP_HDR_LEN + payload_len};
	wr16(b.p + 2, seq);
	wr32(b.p + 4, (uint32_t)seq * 3000);
	wr32(b.p + 8, ssrc);
	for (size_t i = 0; i < payload_len; i++)
		b.p[SRTP_RTP_HDR_LEN + i] = (uint8_t)(seq + i);
	return b;
}

/* An RTCP receiver report without blocks, then filler. */
static inline struct bytes rtcp(uint32_t ssrc, size_t len)
{
	struct bytes b = {.p = {0x80, 201, 0, 1}, .n = len};
	wr32(b.p + 4, ssrc);
	for (size_t i = 8; i < len; i++)
		b.p[i] = (uint8_t)i;
	return b;
}

/* Length 0: refused. */
static inline struct bytes protect(
	struct srtp *s, struct srtp_stream *st, const struct bytes *plain, size_t hdr_len)
{
	struct bytes out = {.n = 0};
	struct srtp_job job = {
		.stream = st,
		.hdr = plain->p,
		.hdr_len = (uint16_t)hdr_len,
		.payload = plain->p + hdr_len,
		.payload_len = (uint16_t)(plain->n - hdr_len),
		.out = out.p,
	};
	srtp_protect_batch(s, &job, 1);
	out.n = job.out_len;
	return out;
}

static inline struct bytes sent(struct srtp *s, struct srtp_stream *st, uint16_t seq)
{
	struct bytes plain = rtp(st->ssrc, seq, 20);
	return protect(s, st, &plain, SRTP_RTP_HDR_LEN);
}

/* Unprotects a copy, so that the same packet can be given again. */
static inline int receive(struct srtp *s, struct bytes pkt)
{
	return srtp_unprotect_rtp(s, pkt.p, &pkt.n);
}

static const enum srtp_profile all_profiles[] = {
	SRTP_PROFILE_AES128_CM_SHA1_80,
	SRTP_PROFILE_AEAD_AES_128_GCM,
	SRTP_PROFILE_AEAD_AES_256_GCM,
};

#define FOR_ALL_PROFILES(e)                                                                        \
	for (size_t pi_ = 0; pi_ < ARRAY_LEN(all_profiles); pi_++)                                 \
		for (struct ends e = ends_new(all_profiles[pi_]); e.server;                        \
			ends_free(&e), e.server = NULL)
