/* A stream is cut the same way whether it comes whole or byte by byte. */
#include <stdlib.h>

#include "turn/framing.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	for (size_t at = 0; at < n;) {
		struct framing f = framing_next(slice_of(p + at, n - at));
		(void)framing_is_data(slice_of(p + at, n - at));
		if (f.kind == FRAMING_MORE && (f.size <= n - at || f.size > FRAMING_SIZE_MAX))
			abort();
		if (f.kind == FRAMING_MORE || f.kind == FRAMING_BAD)
			return 0;
		if (f.n == 0 || f.n > f.size || f.size > n - at || f.size % 4)
			abort();
		struct framing early = framing_next(slice_of(p + at, f.size - 1));
		if (early.kind != FRAMING_MORE)
			abort();
		at += f.size;
	}
	return 0;
}
