#include "base/rng.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

void rng_bytes(void *p, size_t n)
{
	unsigned char *at = p;
	while (n > 0) {
		ssize_t got = getrandom(at, n < 256 ? n : 256, 0);
		if (got <= 0) {
			perror("sterna: getrandom");
			abort();
		}
		at += got;
		n -= (size_t)got;
	}
}

uint32_t rng_u32(void)
{
	uint32_t v;
	rng_bytes(&v, sizeof v);
	return v;
}

uint64_t rng_u64(void)
{
	uint64_t v;
	rng_bytes(&v, sizeof v);
	return v;
}

/* Fills out with n letters of the alphabet, each equally likely (rejection sampling). */
static void pick(char *out, size_t n, const char *alphabet, size_t letters)
{
	size_t limit = 256 - 256 % letters;
	for (size_t i = 0; i < n;) {
		uint8_t bytes[64];
		rng_bytes(bytes, sizeof bytes);
		for (size_t k = 0; k < sizeof bytes && i < n; k++)
			if (bytes[k] < limit)
				out[i++] = alphabet[bytes[k] % letters];
	}
	out[n] = 0;
}

void rng_ice_chars(char *out, size_t n)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	pick(out, n, alphabet, sizeof alphabet - 1);
}

void rng_id(char out[ID_CAP], const char *prefix)
{
	static const char base57[] = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
	size_t n = strnlen(prefix, ID_PREFIX_MAX);
	memcpy(out, prefix, n);
	pick(out + n, ID_RANDOM_LEN, base57, sizeof base57 - 1);
}
