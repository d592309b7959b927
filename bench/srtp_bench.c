/* srtp_bench: nanoseconds per packet of SRTP, by profile and payload size, on one core. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/macros.h"
#include "crypto/hmac.h"
#include "srtp/srtp.h"

enum { BATCH = 64, ROUNDS = 400, REPEATS = 7, ROOM = 1536, SESSIONS = 500, SSRC = 0x12345678 };

static uint64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

struct bench {
	struct srtp *tx, *rx;
	struct srtp_job jobs[BATCH];
	uint8_t hdr[BATCH][SRTP_RTP_HDR_LEN], payload[ROOM], out[BATCH][ROOM];
	uint16_t seq;
};

static void number_headers(struct bench *b)
{
	for (unsigned i = 0; i < BATCH; i++) {
		b->hdr[i][0] = 0x80;
		wr16(b->hdr[i] + 2, b->seq++);
		wr32(b->hdr[i] + 8, SSRC);
	}
}

/*
 * The best of several repeats, since the machine is shared. *open_ns: unprotect; returns protect.
 */
static double measure(struct bench *b, double *open_ns)
{
	double best_seal = 1e9, best_open = 1e9;

	for (unsigned r = 0; r < REPEATS; r++) {
		uint64_t seal = 0, open = 0;
		for (unsigned i = 0; i < ROUNDS; i++) {
			number_headers(b);
			uint64_t t0 = now_ns();
			srtp_protect_batch(b->tx, b->jobs, BATCH);
			uint64_t t1 = now_ns();
			for (unsigned k = 0; k < BATCH; k++) {
				size_t n = b->jobs[k].out_len;
				if (!n || srtp_unprotect_rtp(b->rx, b->out[k], &n))
					abort();
			}
			seal += t1 - t0;
			open += now_ns() - t1;
		}
		best_seal = MIN(best_seal, (double)seal / (ROUNDS * BATCH));
		best_open = MIN(best_open, (double)open / (ROUNDS * BATCH));
	}
	*open_ns = best_open;
	return best_seal;
}

/* Heap per session, contexts of OpenSSL included: the mean of many, for malloc's caches blur one. */
static size_t session_bytes(const struct srtp_profile_info *info, struct slice keying)
{
	struct srtp *many[SESSIONS];
	size_t before = mallinfo2().uordblks;

	for (unsigned i = 0; i < SESSIONS; i++)
		many[i] = srtp_new(info->id, keying, true);
	size_t bytes = (mallinfo2().uordblks - before) / SESSIONS;
	for (unsigned i = 0; i < SESSIONS; i++)
		srtp_free(many[i]);
	return bytes;
}

static void bench_profile(const struct srtp_profile_info *info)
{
	static const uint16_t sizes[] = {100, 300, 1188};
	uint8_t keying[SRTP_KEYING_MAX] = {1, 2, 3};
	struct slice k = {keying, info->keying_len};
	static struct bench b;

	size_t bytes = session_bytes(info, k);
	for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
		b = (struct bench){.tx = srtp_new(info->id, k, true)};
		b.rx = srtp_new(info->id, k, false);
		struct srtp_stream *st = b.tx ? srtp_tx_add(b.tx, SSRC) : NULL;
		if (!st || !b.rx)
			abort();
		for (unsigned i = 0; i < BATCH; i++)
			b.jobs[i] = (struct srtp_job){
				.stream = st,
				.hdr = b.hdr[i],
				.hdr_len = SRTP_RTP_HDR_LEN,
				.payload = b.payload,
				.payload_len = sizes[s],
				.out = b.out[i],
			};
		double open, seal = measure(&b, &open);
		printf("%-24s %7u %12.0f %12.0f %14zu\n", info->name, sizes[s] + SRTP_RTP_HDR_LEN,
			seal, open, bytes);
		srtp_free(b.tx);
		srtp_free(b.rx);
	}
}

int main(void)
{
	printf("%-24s %7s %12s %12s %14s\n", "profile", "RTP", "protect ns", "unprotect ns",
		"session bytes");
	for (unsigned i = 0; srtp_profile_at(i); i++)
		bench_profile(srtp_profile_at(i));

	struct hmac_sha1 h;
	uint8_t msg[100] = {0}, tag[HMAC_SHA1_LEN];
	struct slice part = {msg, sizeof msg};
	hmac_sha1_init(&h, "password", 8);
	uint64_t t = now_ns();
	for (unsigned i = 0; i < 1000000; i++) {
		msg[0] = (uint8_t)i;
		hmac_sha1(&h, &part, 1, tag);
	}
	printf("HMAC-SHA1 over 100 bytes, saved key: %.0f ns\n", (double)(now_ns() - t) / 1e6);
	return 0;
}
