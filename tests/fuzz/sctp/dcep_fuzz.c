/* Any DATA_CHANNEL_OPEN that is accepted stays inside its bytes and survives being written again. */
#include <stdlib.h>
#include "sctp/sctp_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct sctp_channel_info info, again;
	uint8_t out[DCEP_OPEN_LEN + 2 * SCTP_LABEL_MAX];
	if (sctp_dcep_parse_open(&info, slice_of(p, n)) != 0)
		return 0;
	if (sctp_dcep_write_open(out, &info) != n ||
		sctp_dcep_parse_open(&again, slice_of(out, n)) != 0)
		abort();
	if (again.is_ordered != info.is_ordered || again.max_retransmits != info.max_retransmits ||
		again.max_lifetime_ms != info.max_lifetime_ms ||
		!slice_eq(again.label, info.label) || !slice_eq(again.protocol, info.protocol))
		abort();
	return 0;
}
