#include "crypto/crc.h"

#include <zlib.h>

uint32_t crc32_ieee(uint32_t crc, const void *p, size_t n)
{
	/* zlib takes NULL as a request for the start value, whatever the crc was. */
	return n ? (uint32_t)crc32_z(crc, p, n) : crc;
}
