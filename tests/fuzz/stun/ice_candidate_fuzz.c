/* The candidate line; what is accepted is formatted and has to read the same. */
#include <stdlib.h>

#include "ice/ice.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct ice_candidate c, back;
	struct buf line;
	if (ice_candidate_parse(&c, slice_of(p, n)))
		return 0;
	buf_init(&line, n + 1000);
	ice_candidate_format(&c, &line);
	if (ice_candidate_parse(&back, buf_slice(&line)) || !addr_eq(&c.addr, &back.addr) ||
		c.type != back.type || c.priority != back.priority ||
		!slice_eq(c.ufrag, back.ufrag) || !addr_port(&c.addr))
		abort();
	buf_free(&line);
	return 0;
}
