#include "srtp_help.h"

#include "base/hot.h"

/*
 * OpenSSL is held to the rule as well: no allocation per packet. With -Dhot_checks=true hot.c
 * aborts; otherwise this file counts, unless a sanitizer owns malloc.
 */
static size_t n_allocations;

#if !defined(HOT_CHECKS) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) &&     \
	!defined(__clang__)
#define COUNTING 1
extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t count, size_t n);
extern void *__libc_realloc(void *p, size_t n);

__attribute__((visibility("default"))) void *malloc(size_t n)
{
	n_allocations++;
	return __libc_malloc(n);
}

__attribute__((visibility("default"))) void *calloc(size_t count, size_t n)
{
	n_allocations++;
	return __libc_calloc(count, n);
}

__attribute__((visibility("default"))) void *realloc(void *p, size_t n)
{
	n_allocations++;
	return __libc_realloc(p, n);
}
#endif

enum { N = 40, LEN = 1200 };

/* Fills `wire` from the client and opens it at the server; counts what did not end as expected. */
static int one_round(struct ends *e, struct srtp_job *jobs, uint8_t (*wire)[1500], uint16_t at)
{
	uint8_t hdr[N][12];
	uint8_t payload[LEN] = {1};
	int failed = 0;
	uint8_t report[200];
	size_t n;

	for (uint16_t i = 0; i < N; i++) {
		memset(hdr[i], 0, 12);
		hdr[i][0] = 0x80;
		wr16(hdr[i] + 2, (uint16_t)(at + i));
		wr32(hdr[i] + 8, jobs[i].stream->ssrc);
		jobs[i].hdr = hdr[i];
		jobs[i].hdr_len = 12;
		jobs[i].payload = payload;
		jobs[i].payload_len = (uint16_t)(LEN - i);
		jobs[i].out = wire[i];
	}
	srtp_protect_batch(e->client, jobs, N);
	for (unsigned i = 0; i < N; i++) {
		n = jobs[i].out_len;
		wire[i][n - 1] ^= 1;
		failed += srtp_unprotect_rtp(e->server, wire[i], &n) != -ERR_AUTH;
		wire[i][n - 1] ^= 1;
		failed += srtp_unprotect_rtp(e->server, wire[i], &n) != 0;
	}
	/* 1 again: a replay, and an SSRC that is known by now. */
	n = jobs[0].out_len;
	failed += srtp_unprotect_rtp(e->server, wire[0], &n) != -ERR_REPLAY;

	struct bytes r = rtcp(jobs[0].stream->ssrc, 60);
	memcpy(report, r.p, r.n);
	failed += srtp_protect_rtcp(e->client, report, r.n, sizeof report, &n) != 0;
	report[20] ^= 1;
	failed += srtp_unprotect_rtcp(e->server, report, &n) != -ERR_AUTH;
	report[20] ^= 1;
	failed += srtp_unprotect_rtcp(e->server, report, &n) != 0;
	return failed;
}

static void packets_allocate_nothing(void **st)
{
	(void)st;
	static uint8_t wire[N][1500];
	FOR_ALL_PROFILES(e)
	{
		struct srtp_job jobs[N] = {0};
		/* More SSRCs than are remembered, so that eviction is on the path too. */
		struct srtp_stream *streams[SRTP_RX_MAX + 36];
		for (uint32_t i = 0; i < ARRAY_LEN(streams); i++)
			streams[i] = srtp_tx_add(e.client, 500 + i);
		size_t before = n_allocations;
		int failed = 0;
		hot_enter();
		for (unsigned round = 0; round < 50; round++) {
			for (unsigned i = 0; i < N; i++)
				jobs[i].stream = streams[(round * N + i) % ARRAY_LEN(streams)];
			failed += one_round(&e, jobs, wire, (uint16_t)(round * N));
		}
		hot_leave();
		assert_int_equal(failed, 0);
		assert_int_equal(n_allocations, before);
#ifdef COUNTING
		assert_true(before > 0);
#endif
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_allocate_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
