/* sdp: whatever parses can be printed, and the print parses to the same text again. */
#include <stdlib.h>

#include "sdp/sdp.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct errbuf eb;
	struct sdp *s, *again;
	if (sdp_parse(&s, slice_of(p, n), &eb))
		return 0;
	struct buf first, second;
	buf_init(&first, 2 * SDP_TEXT_MAX);
	buf_init(&second, 2 * SDP_TEXT_MAX);
	sdp_print(s, &first);
	int err = first.full ? -ERR_TOO_LARGE : sdp_parse(&again, buf_slice(&first), &eb);
	if (err && err != -ERR_TOO_LARGE)
		abort();
	if (!err) {
		sdp_print(again, &second);
		if (!slice_eq(buf_slice(&first), buf_slice(&second)))
			abort();
		sdp_free(again);
	}
	buf_free(&first);
	buf_free(&second);
	sdp_free(s);
	return 0;
}
