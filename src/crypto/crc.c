#include "crypto/crc.h"

#include <zlib.h>

#include "crypto/crc_table.h"

/*
 * STUN messages are mostly shorter than what zlib's long strides begin with: for those it goes byte by byte. Eight
 * bytes a step, by tables ("slicing by 8", Kounavis and Berry 2005): 5 % of all that a Binding costs.
 */
enum { STEP = 8, SHORT_MAX = 128 };

static uint32_t little32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint32_t crc_short(uint32_t crc, const uint8_t *p, size_t n)
{
	crc = ~crc;
	for (; n >= STEP; p += STEP, n -= STEP) {
		uint32_t a = little32(p) ^ crc, b = little32(p + 4);
		crc = crc_table[7][a & 255] ^ crc_table[6][a >> 8 & 255] ^
		      crc_table[5][a >> 16 & 255] ^ crc_table[4][a >> 24] ^ crc_table[3][b & 255] ^
		      crc_table[2][b >> 8 & 255] ^ crc_table[1][b >> 16 & 255] ^
		      crc_table[0][b >> 24];
	}
	while (n-- > 0)
		crc = crc >> 8 ^ crc_table[0][(crc ^ *p++) & 255];
	return ~crc;
}

uint32_t crc32_ieee(uint32_t crc, const void *p, size_t n)
{
	if (n <= SHORT_MAX)
		return crc_short(crc, p, n);
	return (uint32_t)crc32_z(crc, p, n);
}
