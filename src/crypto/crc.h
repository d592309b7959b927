/*
 * crc: CRC-32 of ISO 3309 (IEEE 802.3), as STUN FINGERPRINT wants it (RFC 8489 §14.7). Any thread,
 * no allocation.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* Start with crc = 0 and pass the result on for further bytes. The complements are done inside. */
uint32_t crc32_ieee(uint32_t crc, const void *p, size_t n);
