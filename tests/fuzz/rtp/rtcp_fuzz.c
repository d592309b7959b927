/* RTCP: every packet of a datagram through the parser of its kind, and through all the others. */
#include <stdint.h>
#include <stdlib.h>
#include "rtp/rtcp.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static volatile unsigned sink;

static void touch(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		sink += s.p[i];
}

static void read_reports(const struct rtcp_packet *pkt)
{
	struct rtcp_sr sr;
	struct rtcp_rr rr;
	struct slice blocks = {NULL, 0};
	if (rtcp_sr_parse(&sr, pkt) == 0)
		blocks = sr.blocks;
	if (rtcp_rr_parse(&rr, pkt) == 0)
		blocks = rr.blocks;
	for (size_t i = 0; i < rtcp_block_count(blocks); i++) {
		struct rtcp_report_block b = rtcp_block_at(blocks, i);
		uint64_t rtt_us;
		(void)rtcp_rtt_us(&b, 0x1234567800000000, &rtt_us);
	}
	struct rtcp_bye bye;
	if (rtcp_bye_parse(&bye, pkt) == 0) {
		touch(bye.ssrcs);
		touch(bye.reason);
	}
	struct rtcp_sdes_iter it = rtcp_sdes_iter(pkt);
	struct rtcp_sdes_item item;
	while (rtcp_sdes_next(&it, &item))
		touch(item.value);
}

static void read_feedback(const struct rtcp_packet *pkt)
{
	struct rtcp_feedback fb;
	if (rtcp_feedback_parse(&fb, pkt) == 0 && rtcp_kind(pkt) == RTCP_NACK) {
		struct rtcp_nack_iter it = rtcp_nack_iter(&fb);
		uint16_t seq;
		size_t count = 0;
		while (rtcp_nack_next(&it, &seq))
			count++;
		if (count < fb.fci.n / 4 || count > fb.fci.n / 4 * 17)
			abort();
	} else if (rtcp_kind(pkt) == RTCP_FIR && rtcp_feedback_parse(&fb, pkt) == 0) {
		for (size_t i = 0; i < fb.fci.n / RTCP_FIR_ENTRY_LEN; i++)
			sink += rtcp_fir_at(&fb, i).command_seq;
	}
	struct rtcp_remb remb;
	if (rtcp_remb_parse(&remb, pkt) == 0)
		touch(remb.ssrcs);
	struct rtcp_twcc twcc;
	if (rtcp_twcc_parse(&twcc, pkt) == 0) {
		struct rtcp_twcc_iter it = rtcp_twcc_iter(&twcc);
		struct rtcp_twcc_status status;
		unsigned count = 0;
		while (rtcp_twcc_next(&it, &status))
			count++;
		if (count != twcc.status_count || it.deltas.n != 0)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct rtcp_iter it = rtcp_iter(slice_of(p, n));
	struct rtcp_packet pkt;
	while (rtcp_next(&it, &pkt)) {
		touch(pkt.body);
		read_reports(&pkt);
		read_feedback(&pkt);
	}
	return 0;
}
