/*
 * Transport-wide feedback in both directions: the input as a feedback body, and the input as a list
 * of arrivals whose feedback must be readable and say only what arrived.
 */
#include <stdint.h>
#include <stdlib.h>
#include "rtp/rtcp.h"
#include "rtp/twcc_recv.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static size_t walk(const struct rtcp_packet *pkt)
{
	struct rtcp_twcc fb;
	if (rtcp_twcc_parse(&fb, pkt))
		return 0;
	struct rtcp_twcc_iter it = rtcp_twcc_iter(&fb);
	struct rtcp_twcc_status s;
	size_t statuses = 0, received = 0;
	for (; rtcp_twcc_next(&it, &s); statuses++)
		received += s.is_received;
	if (statuses != fb.status_count || it.deltas.n != 0)
		abort();
	return received;
}

/* Everything held gets reported, in packets that our parser takes. */
static void report_all(struct twcc_recv *t, size_t cap, uint64_t now_us)
{
	uint8_t mem[1500];
	for (int rounds = 0; t->held; rounds++) {
		struct rtcp_writer w = rtcp_writer(mem, cap);
		if (rounds > 2 * TWCC_RECV_LEN || twcc_feedback_build(t, &w, 1, 2, now_us))
			abort();
		struct rtcp_iter it = rtcp_iter(rtcp_written(&w));
		struct rtcp_packet pkt;
		if (!rtcp_next(&it, &pkt) || walk(&pkt) == 0 || it.rest.n)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct rtcp_packet pkt = {RTCP_TYPE_RTPFB, 15, slice_of(p, n)};
	(void)walk(&pkt);

	static struct twcc_recv t;
	uint64_t now_us = 1;
	twcc_recv_init(&t);
	for (; n >= 4; p += 4, n -= 4) {
		/* Number, a time step that grows quickly with its value, marker, report or not. */
		now_us += (uint64_t)(p[2] & 0x0f) << (p[2] >> 4) * 2;
		twcc_recv_push(&t, rd16(p), p[3] & 1, now_us);
		if (t.held > TWCC_RECV_LEN)
			abort();
		if ((p[3] & 2) || twcc_recv_is_due(&t, now_us))
			report_all(&t, p[3] & 4 ? 1500 : 512, now_us);
	}
	report_all(&t, 1200, now_us);
	return 0;
}
