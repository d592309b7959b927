/* A header that is taken needs all of its bytes, and written again as version 2 reads the same. */
#include <stdlib.h>

#include "turnd/proxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct proxy_header h, again;
	uint8_t out[PROXY_V2_WRITE_MAX];
	int err = proxy_parse(&h, slice_of(p, n));
	if (err == -ERR_AGAIN && n >= PROXY_SIZE_MAX)
		abort();
	if (err)
		return 0;
	if (h.size == 0 || h.size > n || proxy_parse(&again, slice_of(p, h.size - 1)) != -ERR_AGAIN)
		abort();
	if (!h.has_addrs)
		return 0;
	size_t size = proxy_write(out, &h.client, &h.server);
	if (proxy_parse(&again, slice_of(out, size)) || !addr_eq(&again.client, &h.client) ||
		!addr_eq(&again.server, &h.server))
		abort();
	return 0;
}
