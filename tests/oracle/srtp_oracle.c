/*
 * srtp_oracle: our SRTP and libsrtp2 from the same master keys must give the same bytes.
 *
 * Random packets of several SSRCs, with CSRCs, header extensions, payloads of 0 to 1400 bytes,
 * gaps, reordering and wraps of the sequence number: protected by both, compared, and each opened
 * by the other.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "libsrtp_peer.h"
#include "srtp/srtp.h"

enum { ROOM = 2048, N_SSRC = 5, N_PACKETS = 20000, N_REPORTS = 5000, BEHIND = 40, SKIP = 77 };

static uint64_t random_state;
static const char *where;

static uint32_t rnd(uint32_t below)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(random_state >> 33) % below;
}

static void fill(uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)rnd(256);
}

static void need(bool ok, const char *what, unsigned i)
{
	if (ok)
		return;
	fprintf(stderr, "srtp_oracle: %s, packet %u: %s\n", where, i, what);
	exit(1);
}

static void need_same(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len,
	const char *what, unsigned i)
{
	need(a_len == b_len && !memcmp(a, b, a_len), what, i);
}

/* Both libraries as both ends. */
struct pair {
	struct srtp *our_tx, *our_rx;
	struct peer *their_tx, *their_rx;
};

static bool pair_new(struct pair *p, const struct srtp_profile_info *info, enum peer_rtcp rtcp)
{
	uint8_t key_salt[SRTP_KEY_MAX + SRTP_SALT_MAX];
	fill(key_salt, sizeof key_salt);
	struct slice key = {key_salt, info->key_len},
		     salt = {key_salt + info->key_len, info->salt_len};
	struct srtp_keys keys = {key, salt, key, salt};
	p->our_tx = srtp_new_keys(info->id, &keys);
	p->our_rx = srtp_new_keys(info->id, &keys);
	p->their_tx = peer_new(info->id, key_salt, false, rtcp);
	p->their_rx = peer_new(info->id, key_salt, true, rtcp);
	need(p->our_tx && p->our_rx, "no session", 0);
	return p->their_tx && p->their_rx;
}

static void pair_free(struct pair *p)
{
	srtp_free(p->our_tx);
	srtp_free(p->our_rx);
	peer_free(p->their_tx);
	peer_free(p->their_rx);
}

/*
 * The sender's side of one SSRC: the newest number, and which of those behind it were left out so
 * far.
 */
struct source {
	struct srtp_stream *stream;
	uint32_t ssrc;
	uint64_t top;
	bool is_open[BEHIND]; /* by index % BEHIND: skipped, may still be sent */
};

static uint16_t next_seq(struct source *s)
{
	uint64_t late = s->top - 1 - rnd(BEHIND - 2);
	if (s->is_open[late % BEHIND] && late < s->top && rnd(3) == 0) {
		s->is_open[late % BEHIND] = false;
		return (uint16_t)late;
	}
	uint64_t next = s->top + 1 + (rnd(4) ? 0 : rnd(12));
	for (uint64_t i = s->top + 1; i <= next; i++)
		s->is_open[i % BEHIND] = i < next;
	s->top = next;
	return (uint16_t)next;
}

/* Returns the header's length; *n is the packet's. */
static size_t make_rtp(uint8_t *pkt, size_t *n, uint32_t ssrc, uint16_t seq)
{
	size_t csrcs = rnd(3) ? 0 : rnd(16), words = rnd(2) ? 0 : rnd(20);
	bool has_extension = words > 0 || !rnd(8);
	size_t hdr_len = SRTP_RTP_HDR_LEN + 4 * csrcs + (has_extension ? 4 + 4 * words : 0);
	*n = hdr_len + (rnd(10) ? rnd(1401) : rnd(3));
	fill(pkt, *n);
	pkt[0] = (uint8_t)(0x80 | (has_extension ? 0x10 : 0) | csrcs);
	wr16(pkt + 2, seq);
	wr32(pkt + 8, ssrc);
	if (has_extension) {
		wr16(pkt + SRTP_RTP_HDR_LEN + 4 * csrcs, 0xbede);
		wr16(pkt + SRTP_RTP_HDR_LEN + 4 * csrcs + 2, (uint16_t)words);
	}
	return hdr_len;
}

static void compare_rtp(const struct srtp_profile_info *info)
{
	struct source sources[N_SSRC];
	struct pair p;
	need(pair_new(&p, info, PEER_RTCP_ENCRYPTED), "libsrtp2 session", 0);
	for (uint32_t i = 0; i < N_SSRC; i++) {
		uint32_t ssrc = i + (rnd(1u << 31) & ~(uint32_t)0xff);
		sources[i] = (struct source){.stream = srtp_tx_add(p.our_tx, ssrc),
			.ssrc = ssrc,
			.top = 64000 + 300 * i};
	}
	for (unsigned i = 0; i < N_PACKETS; i++) {
		struct source *s = &sources[rnd(N_SSRC)];
		uint8_t plain[ROOM], ours[ROOM], theirs[ROOM], copy[ROOM];
		size_t n, hdr_len = make_rtp(plain, &n, s->ssrc, next_seq(s));
		size_t theirs_n = n, opened_n, copy_n;
		struct srtp_job job = {
			.stream = s->stream,
			.hdr = plain,
			.hdr_len = (uint16_t)hdr_len,
			.payload = plain + hdr_len,
			.payload_len = (uint16_t)(n - hdr_len),
			.out = ours,
		};
		memcpy(theirs, plain, n);
		srtp_protect_batch(p.our_tx, &job, 1);
		need(peer_protect(p.their_tx, theirs, &theirs_n) == 0, "libsrtp2 cannot protect",
			i);
		need_same(ours, job.out_len, theirs, theirs_n, "SRTP differs", i);

		if (rnd(20) == 0)
			continue; /* lost on the way to both */
		memcpy(copy, ours, job.out_len);
		copy_n = opened_n = job.out_len;
		need(srtp_unprotect_rtp(p.our_rx, ours, &opened_n) == 0, "cannot unprotect", i);
		need_same(ours, opened_n, plain, n, "plaintext differs", i);
		need(peer_unprotect(p.their_rx, theirs, &theirs_n) == 0,
			"libsrtp2 cannot unprotect", i);
		need_same(theirs, theirs_n, plain, n, "plaintext of libsrtp2 differs", i);
		need(srtp_unprotect_rtp(p.our_rx, copy, &copy_n) == -ERR_REPLAY, "replay", i);
	}
	uint64_t most = 0;
	for (uint32_t i = 0; i < N_SSRC; i++)
		most = MAX(most, sources[i].top);
	need(most > 65536 + 2000, "no wrap happened", N_PACKETS);
	pair_free(&p);
}

static size_t make_rtcp(uint8_t *pkt, uint32_t ssrc)
{
	size_t n = 8 + 4 * rnd(300);
	fill(pkt, n);
	pkt[0] = 0x81;
	pkt[1] = 200;
	wr16(pkt + 2, (uint16_t)(n / 4 - 1));
	wr32(pkt + 4, ssrc);
	return n;
}

static void compare_rtcp_bytes(const struct srtp_profile_info *info)
{
	struct pair p;
	uint8_t plain[ROOM], ours[ROOM], theirs[ROOM];
	size_t ours_n;
	need(pair_new(&p, info, PEER_RTCP_ENCRYPTED), "libsrtp2 session", 0);
	/* libsrtp2 begins with index 1, RFC 3711 §3.4 and we with 0. */
	ours_n = make_rtcp(ours, 7);
	need(srtp_protect_rtcp(p.our_tx, ours, ours_n, ROOM, &ours_n) == 0, "index 0", 0);
	need(peer_unprotect_rtcp(p.their_rx, ours, &ours_n) == 0, "libsrtp2 refuses index 0", 0);
	for (unsigned i = 0; i < N_REPORTS; i++) {
		size_t n = make_rtcp(plain, 7), theirs_n = n;
		memcpy(ours, plain, n);
		memcpy(theirs, plain, n);
		need(srtp_protect_rtcp(p.our_tx, ours, n, ROOM, &ours_n) == 0, "cannot protect", i);
		need(peer_protect_rtcp(p.their_tx, theirs, &theirs_n) == 0, "libsrtp2 protect", i);
		need_same(ours, ours_n, theirs, theirs_n, "SRTCP differs", i);
		need(srtp_unprotect_rtcp(p.our_rx, ours, &ours_n) == 0, "cannot unprotect", i);
		need_same(ours, ours_n, plain, n, "report differs", i);
		need(peer_unprotect_rtcp(p.their_rx, theirs, &theirs_n) == 0, "libsrtp2 unprotect",
			i);
		need_same(theirs, theirs_n, plain, n, "report of libsrtp2 differs", i);
	}
	pair_free(&p);
}

/*
 * Several SSRCs: libsrtp2 counts per SSRC, we count once, so only the plaintexts can be compared.
 */
static void cross_rtcp(const struct srtp_profile_info *info, enum peer_rtcp mode)
{
	struct pair p;
	need(pair_new(&p, info, mode), "libsrtp2 session", 0);
	for (unsigned i = 0; i < N_REPORTS; i++) {
		uint8_t plain[ROOM], wire[ROOM];
		size_t n = make_rtcp(plain, 100 + rnd(N_SSRC)), wire_n = n;
		memcpy(wire, plain, n);
		need(peer_protect_rtcp(p.their_tx, wire, &wire_n) == 0, "libsrtp2 protect", i);
		need(srtp_unprotect_rtcp(p.our_rx, wire, &wire_n) == 0, "cannot unprotect", i);
		need_same(wire, wire_n, plain, n, "report differs", i);
		if (mode == PEER_RTCP_CLEAR)
			continue; /* we always encrypt what we send */
		need(srtp_protect_rtcp(p.our_tx, wire, n, ROOM, &wire_n) == 0, "cannot protect", i);
		need(peer_unprotect_rtcp(p.their_rx, wire, &wire_n) == 0, "libsrtp2 unprotect", i);
		need_same(wire, wire_n, plain, n, "report of libsrtp2 differs", i);
	}
	pair_free(&p);
}

int main(void)
{
	unsigned n_run = 0;

	if (!peer_load()) {
		printf("SKIP: libsrtp2.so.1 cannot be loaded\n");
		return SKIP;
	}
	for (unsigned i = 0; srtp_profile_at(i); i++) {
		const struct srtp_profile_info *info = srtp_profile_at(i);
		struct pair probe;
		where = info->name;
		random_state = 1 + i;
		bool is_supported = pair_new(&probe, info, PEER_RTCP_ENCRYPTED);
		pair_free(&probe);
		if (!is_supported) {
			printf("SKIP %s: this libsrtp2 does not have it\n", where);
			continue;
		}
		compare_rtp(info);
		compare_rtcp_bytes(info);
		cross_rtcp(info, PEER_RTCP_ENCRYPTED);
		cross_rtcp(info, PEER_RTCP_CLEAR);
		printf("same as libsrtp2: %s, %d SRTP and %d SRTCP packets\n", where, N_PACKETS,
			3 * N_REPORTS);
		n_run++;
	}
	return n_run ? 0 : SKIP;
}
