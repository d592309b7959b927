/* A key file. */
#include <stdlib.h>

#include "auth/keys.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct auth_keys *keys = auth_keys_new();
	struct errbuf eb;
	(void)!auth_keys_parse(keys, slice_of(p, n), &eb);
	for (size_t i = 0; i < auth_keys_count(keys); i++) {
		struct slice secret;
		if (!auth_keys_secret(keys, slice_str(auth_keys_at(keys, i)), &secret))
			abort();
	}
	auth_keys_unref(keys);
	return 0;
}
