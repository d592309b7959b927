#include "stun/stun.h"

#include "base/macros.h"
#include "crypto/crc.h"

static const uint16_t types[STUN_ATTR_N] = {
#define X(name, type, kind, member, min, max) [STUN_ATTR_##name] = type,
	STUN_ATTR_MAP(X)
#undef X
};

/* A number stands at the front of its four bytes. */
enum { SHIFT_N8 = 24, SHIFT_N16 = 16 };
static const uint8_t shifts[STUN_ATTR_N] = {
	[STUN_ATTR_REQUESTED_ADDRESS_FAMILY] = SHIFT_N8,
	[STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY] = SHIFT_N8,
	[STUN_ATTR_REQUESTED_TRANSPORT] = SHIFT_N8,
	[STUN_ATTR_CHANNEL_NUMBER] = SHIFT_N16,
	[STUN_ATTR_RESPONSE_PORT] = SHIFT_N16,
};

/* The attribute's header, and room for its value with the padding zeroed; NULL if that does not fit. */
static uint8_t *attr_open(struct stun_writer *w, enum stun_attr attr, size_t n)
{
	size_t padded = (n + 3) & ~(size_t)3;
	if (w->full || w->cap - w->n < STUN_ATTR_HDR_LEN || n > UINT16_MAX ||
		w->cap - w->n - STUN_ATTR_HDR_LEN < padded) {
		w->full = true;
		return NULL;
	}
	uint8_t *p = w->p + w->n;
	wr16(p, types[attr]);
	wr16(p + 2, (uint16_t)n);
	memset(p + STUN_ATTR_HDR_LEN + n, 0, padded - n);
	w->n += STUN_ATTR_HDR_LEN + padded;
	return p + STUN_ATTR_HDR_LEN;
}

/* Sets the length in the header as if `more` bytes of attributes followed. */
static void set_length(struct stun_writer *w, size_t more)
{
	wr16(w->p + 2, (uint16_t)(w->n + more - STUN_HDR_LEN));
}

void stun_begin(struct stun_writer *w, void *out, size_t cap, enum stun_method method,
	enum stun_class class, const uint8_t tid[STUN_TID_LEN])
{
	/* The length field is the outer limit, whatever the caller's memory could hold. */
	*w = (struct stun_writer){
		.p = out, .cap = MIN(cap, UINT16_MAX), .full = cap < STUN_HDR_LEN};
	if (w->full)
		return;
	unsigned m = (unsigned)method;
	unsigned spread = (m & 0xf) | (m & 0x70) << 1 | (m & 0xf80) << 2;
	wr16(w->p, (uint16_t)(spread | (unsigned)class));
	wr16(w->p + 2, 0);
	wr32(w->p + 4, STUN_COOKIE);
	memcpy(w->p + STUN_TID_AT, tid, STUN_TID_LEN);
	w->n = STUN_HDR_LEN;
}

void stun_put(struct stun_writer *w, enum stun_attr attr, const void *value, size_t n)
{
	uint8_t *v = attr_open(w, attr, n);
	if (v && n)
		memcpy(v, value, n);
}

void stun_put_u32(struct stun_writer *w, enum stun_attr attr, uint32_t value)
{
	uint8_t *v = attr_open(w, attr, 4);
	if (v)
		wr32(v, value);
}

void stun_put_u64(struct stun_writer *w, enum stun_attr attr, uint64_t value)
{
	uint8_t *v = attr_open(w, attr, 8);
	if (v)
		wr64(v, value);
}

void stun_put_xor_addr(struct stun_writer *w, enum stun_attr attr, const struct addr *a)
{
	struct slice ip = addr_ip(a);
	uint8_t *v = attr_open(w, attr, 4 + ip.n);
	if (!v)
		return;
	v[0] = 0;
	v[1] = addr_is_v6(a) ? STUN_FAMILY_V6 : STUN_FAMILY_V4;
	wr16(v + 2, (uint16_t)(addr_port(a) ^ STUN_COOKIE >> 16));
	for (size_t i = 0; i < ip.n; i++)
		v[4 + i] = ip.p[i] ^ w->p[4 + i];
}

void stun_put_addr(struct stun_writer *w, enum stun_attr attr, const struct addr *a)
{
	struct slice ip = addr_ip(a);
	uint8_t *v = attr_open(w, attr, 4 + ip.n);
	if (!v)
		return;
	v[0] = 0;
	v[1] = addr_is_v6(a) ? STUN_FAMILY_V6 : STUN_FAMILY_V4;
	wr16(v + 2, addr_port(a));
	memcpy(v + 4, ip.p, ip.n);
}

void stun_put_number(struct stun_writer *w, enum stun_attr attr, uint32_t value)
{
	if (attr == STUN_ATTR_EVEN_PORT) {
		uint8_t first = (uint8_t)value;
		stun_put(w, attr, &first, 1);
		return;
	}
	stun_put_u32(w, attr, value << shifts[attr]);
}

/* `first` is what the two codes differ in: reserved bits, or the family. */
static void put_code(struct stun_writer *w, enum stun_attr attr, uint8_t first, unsigned code,
	const char *reason)
{
	size_t n = strnlen(reason, STUN_ERROR_TEXT_MAX);
	uint8_t *v = attr_open(w, attr, 4 + n);
	if (!v)
		return;
	v[0] = first;
	v[1] = 0;
	v[2] = (uint8_t)(code / 100);
	v[3] = (uint8_t)(code % 100);
	memcpy(v + 4, reason, n);
}

void stun_put_error(struct stun_writer *w, unsigned code, const char *reason)
{
	put_code(w, STUN_ATTR_ERROR_CODE, 0, code, reason);
}

void stun_put_address_error(struct stun_writer *w, int family, unsigned code, const char *reason)
{
	uint8_t first = family == AF_INET6 ? STUN_FAMILY_V6 : STUN_FAMILY_V4;
	put_code(w, STUN_ATTR_ADDRESS_ERROR_CODE, first, code, reason);
}

/*  |  reserved, 16 bits            |  type, 7    |  code, 9        |
 *  |  error data, 32 bits                                          |
 *
 * As the figure has it. ICMP's own fields have 8 bits each, but errors are below 128 in ICMPv6 and below 41 in ICMP.
 */
void stun_put_icmp(struct stun_writer *w, uint8_t type, uint8_t code, uint32_t data)
{
	uint8_t *v = attr_open(w, STUN_ATTR_ICMP, 8);
	if (!v)
		return;
	wr16(v, 0);
	wr16(v + 2, (uint16_t)(type << 9 | code));
	wr32(v + 4, data);
}

void stun_put_unknown(struct stun_writer *w, const uint16_t *list, size_t n)
{
	uint8_t *v = attr_open(w, STUN_ATTR_UNKNOWN_ATTRIBUTES, n * 2);
	for (size_t i = 0; v && i < n; i++)
		wr16(v + i * 2, list[i]);
}

static void put_sha1(struct stun_writer *w, const struct hmac_sha1 *key)
{
	uint8_t digest[HMAC_SHA1_LEN];
	set_length(w, STUN_ATTR_HDR_LEN + STUN_INTEGRITY_LEN);
	struct slice all = slice_of(w->p, w->n);
	hmac_sha1(key, &all, 1, digest);
	stun_put(w, STUN_ATTR_INTEGRITY, digest, sizeof digest);
}

static void put_sha256(struct stun_writer *w, const struct hmac_sha256 *key)
{
	uint8_t digest[HMAC_SHA256_LEN];
	set_length(w, STUN_ATTR_HDR_LEN + STUN_INTEGRITY256_LEN);
	struct slice all = slice_of(w->p, w->n);
	hmac_sha256(key, &all, 1, digest);
	stun_put(w, STUN_ATTR_INTEGRITY_SHA256, digest, sizeof digest);
}

int stun_seal_with(struct stun_writer *w, const struct hmac_sha1 *key,
	const struct hmac_sha256 *key256, bool with_fingerprint, struct slice *out)
{
	size_t tail = 0;
	if (key)
		tail += STUN_ATTR_HDR_LEN + STUN_INTEGRITY_LEN;
	if (key256)
		tail += STUN_ATTR_HDR_LEN + STUN_INTEGRITY256_LEN;
	if (with_fingerprint)
		tail += STUN_ATTR_HDR_LEN + STUN_FINGERPRINT_LEN;
	if (w->full || w->cap - w->n < tail) {
		w->full = true;
		return -ERR_NO_ROOM;
	}
	if (key)
		put_sha1(w, key);
	if (key256)
		put_sha256(w, key256);
	if (with_fingerprint) {
		set_length(w, STUN_ATTR_HDR_LEN + STUN_FINGERPRINT_LEN);
		uint32_t crc = crc32_ieee(0, w->p, w->n);
		stun_put_u32(w, STUN_ATTR_FINGERPRINT, crc ^ STUN_FINGERPRINT_XOR);
	}
	set_length(w, 0);
	*out = slice_of(w->p, w->n);
	return 0;
}

int stun_seal(struct stun_writer *w, const struct hmac_sha1 *key, struct slice *out)
{
	return stun_seal_with(w, key, NULL, true, out);
}
