/* A header that is taken needs all of its bytes, and tells of two addresses or of none. */
#include <stdlib.h>

#include "turnd/proxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct proxy_header h, again;
	int err = proxy_parse(&h, slice_of(p, n));
	if (err == -ERR_AGAIN && n >= PROXY_SIZE_MAX)
		abort();
	if (err)
		return 0;
	if (h.size == 0 || h.size > n || proxy_parse(&again, slice_of(p, h.size - 1)) != -ERR_AGAIN)
		abort();
	/* Of one family, and neither is missing. */
	if (h.has_addrs && h.client.sa.sa_family != h.server.sa.sa_family)
		abort();
	return 0;
}
