/* crc32c: the SCTP checksum. libusrsctp's own costs more than the rest of a packet's way (docs/decisions/001). */
#include "sctp/sctp_internal.h"

enum { WORD = 8 };

uint32_t sctp_crc32c_portable(uint32_t crc, const uint8_t *p, size_t n)
{
	/* Remainders of the 16 values of a nibble by the Castagnoli polynomial, bits reversed. */
	static const uint32_t nibble[16] = {
		0x00000000,
		0x105ec76f,
		0x20bd8ede,
		0x30e349b1,
		0x417b1dbc,
		0x5125dad3,
		0x61c69362,
		0x7198540d,
		0x82f63b78,
		0x92a8fc17,
		0xa24bb5a6,
		0xb21572c9,
		0xc38d26c4,
		0xd3d3e1ab,
		0xe330a81a,
		0xf36e6f75,
	};
	for (size_t i = 0; i < n; i++) {
		crc ^= p[i];
		crc = crc >> 4 ^ nibble[crc & 15];
		crc = crc >> 4 ^ nibble[crc & 15];
	}
	return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t update_sse42(uint32_t crc, const uint8_t *p, size_t n)
{
	uint64_t wide = crc;
	for (; n >= WORD; p += WORD, n -= WORD) {
		uint64_t word;
		memcpy(&word, p, WORD);
		wide = __builtin_ia32_crc32di(wide, word);
	}
	crc = (uint32_t)wide;
	for (; n; p++, n--)
		crc = __builtin_ia32_crc32qi(crc, *p);
	return crc;
}
#endif

static uint32_t update(uint32_t crc, const uint8_t *p, size_t n)
{
#if defined(__x86_64__)
	if (LIKELY(__builtin_cpu_supports("sse4.2")))
		return update_sse42(crc, p, n);
#endif
	return sctp_crc32c_portable(crc, p, n);
}

uint32_t sctp_crc32c(struct slice packet)
{
	static const uint8_t no_checksum[SCTP_HDR_LEN - SCTP_CRC_AT];
	uint32_t crc = update(UINT32_MAX, packet.p, SCTP_CRC_AT);
	crc = update(crc, no_checksum, sizeof no_checksum);
	return ~update(crc, packet.p + SCTP_HDR_LEN, packet.n - SCTP_HDR_LEN);
}

/* The one field of the internet protocols that is sent with its lowest byte first (RFC 9260 Appendix A). */
void sctp_crc32c_write(uint8_t *packet, size_t n)
{
	wr32(packet + SCTP_CRC_AT, __builtin_bswap32(sctp_crc32c(slice_of(packet, n))));
}

bool sctp_crc32c_is_right(struct slice packet)
{
	return rd32(packet.p + SCTP_CRC_AT) == __builtin_bswap32(sctp_crc32c(packet));
}
