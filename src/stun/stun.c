#include "stun/stun.h"

#include "base/mem.h"
#include "crypto/crc.h"

enum kind {
	KIND_SLICE,
	KIND_U32,
	KIND_U64,
	KIND_FLAG,
	KIND_XADDR,
	KIND_ERROR,
	KIND_MAC,
	KIND_MAC256,
	KIND_FPRINT,
	KIND_BYTES,
	KIND_N8,
	KIND_N16,
	KIND_N32,
	KIND_PADDR,
	KIND_PXADDR,
};

struct row {
	uint16_t min, max;
	uint16_t member_at;
	uint8_t kind;
};

static const struct row rows[STUN_ATTR_N] = {
#define X(name, type, kind, member, min, max)                                                      \
	[STUN_ATTR_##name] = {min, max, offsetof(struct stun_msg, member), KIND_##kind},
	STUN_ATTR_MAP(X)
#undef X
};

/* STUN_ATTR_N for a type that has no row. */
static enum stun_attr attr_of_type(uint16_t type)
{
	switch (type) {
#define X(name, type, kind, member, min, max) case type: return STUN_ATTR_##name;
	STUN_ATTR_MAP(X)
#undef X
	/* Numbers of a draft of RFC 8656, which coturn's clients send. They are given to nothing else. */
	case 0x8032: return STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY;
	case 0x8033: return STUN_ATTR_ADDRESS_ERROR_CODE;
	default: return STUN_ATTR_N;
	}
}

/*
 *  |0 0 0 0 0 0 0 0|    family     |      port ^ cookie's top      |
 *  |        address ^ (cookie, transaction id), 4 or 16 bytes      |
 */
static int take_xor_addr(struct addr *a, const uint8_t *hdr, const uint8_t *v, size_t n)
{
	size_t ip_len = v[1] == STUN_FAMILY_V4 ? 4 : v[1] == STUN_FAMILY_V6 ? 16 : 0;
	if (!ip_len || n != 4 + ip_len)
		return -ERR_MALFORMED;
	/* The cookie and the transaction id are neighbours in the header: one key of 16 bytes. */
	uint8_t ip[16];
	for (size_t i = 0; i < ip_len; i++)
		ip[i] = v[4 + i] ^ hdr[4 + i];
	return addr_from_bytes(a, ip, ip_len, (uint16_t)(rd16(v + 2) ^ STUN_COOKIE >> 16));
}

/* The same without the XOR (RFC 8489 §14.1). */
static int take_plain_addr(struct addr *a, const uint8_t *v, size_t n)
{
	size_t ip_len = v[1] == STUN_FAMILY_V4 ? 4 : v[1] == STUN_FAMILY_V6 ? 16 : 0;
	if (!ip_len || n != 4 + ip_len)
		return -ERR_MALFORMED;
	return addr_from_bytes(a, v + 4, ip_len, rd16(v + 2));
}

static bool is_addr_len(const uint8_t *v, size_t n)
{
	return n == (v[1] == STUN_FAMILY_V4 ? 8 : v[1] == STUN_FAMILY_V6 ? 20 : 0);
}

/*  |  reserved, 21 bits                 |class|     number    | reason, UTF-8 … */
static int take_error(struct stun_msg *m, const uint8_t *v, size_t n)
{
	unsigned class = v[2] & 7, number = v[3];
	if (class < 3 || class > 6 || number > 99)
		return -ERR_MALFORMED;
	m->error_code = (uint16_t)(class * 100 + number);
	m->error_reason = slice_of(v + 4, n - 4);
	return 0;
}

static int take_value(struct stun_msg *m, const struct row *row, const uint8_t *v, size_t n)
{
	void *member = (uint8_t *)m + row->member_at;
	uint32_t attr_at = (uint32_t)(v - STUN_ATTR_HDR_LEN - m->raw.p);
	switch ((enum kind)row->kind) {
	case KIND_SLICE: *(struct slice *)member = slice_of(v, n); return 0;
	case KIND_U32: *(uint32_t *)member = rd32(v); return 0;
	case KIND_U64: *(uint64_t *)member = rd64(v); return 0;
	case KIND_FLAG: return 0;
	case KIND_XADDR: return take_xor_addr(member, m->raw.p, v, n);
	case KIND_ERROR: return take_error(m, v, n);
	case KIND_MAC256:
		/* May be cut short by the sender, in steps of 4 bytes (RFC 8489 §14.6). */
		if (n % 4)
			return -ERR_MALFORMED;
		*(uint32_t *)member = attr_at;
		return 0;
	case KIND_MAC:
	case KIND_FPRINT: *(uint32_t *)member = attr_at; return 0;
	default: return -ERR_MALFORMED;
	}
}

/* Notes where the attribute is: its offset behind the message's header, which fits 16 bits. */
static int take_place(struct stun_msg *m, enum stun_attr attr, const uint8_t *v, size_t n)
{
	unsigned kind = rows[attr].kind;
	if ((kind == KIND_PADDR || kind == KIND_PXADDR) && !is_addr_len(v, n))
		return -ERR_RANGE;
	if (stun_has(m, attr))
		return 0;
	m->present |= UINT64_C(1) << attr;
	m->at[attr - STUN_ATTR_FIRST_AT] =
		(uint16_t)(v - STUN_ATTR_HDR_LEN - STUN_HDR_LEN - m->raw.p);
	return 0;
}

static void note_unknown(struct stun_msg *m, uint16_t type)
{
	if (type < 0x8000 && m->n_unknown < STUN_UNKNOWN_MAX)
		m->unknown[m->n_unknown++] = type;
}

/* Behind an integrity attribute anyone on the path may have added something. */
static bool is_covered(const struct stun_msg *m, enum stun_attr attr)
{
	if (attr == STUN_ATTR_FINGERPRINT)
		return true;
	if (m->integrity256_at)
		return false;
	return !m->integrity_at || attr == STUN_ATTR_INTEGRITY_SHA256;
}

static int take_attr(struct stun_msg *m, uint16_t type, const uint8_t *v, size_t n)
{
	enum stun_attr attr = attr_of_type(type);
	if (m->fingerprint_at)
		return -ERR_MALFORMED;
	if (!is_covered(m, attr))
		return 0;
	if (attr == STUN_ATTR_N) {
		note_unknown(m, type);
		return 0;
	}
	const struct row *row = &rows[attr];
	/* Repeated peer addresses are all used, so that all are checked. */
	if (stun_has(m, attr) && row->kind != KIND_PXADDR)
		return 0;
	if (n < row->min || n > row->max)
		return -ERR_RANGE;
	if (attr >= STUN_ATTR_FIRST_AT)
		return take_place(m, attr, v, n);
	if (take_value(m, row, v, n))
		return -ERR_RANGE;
	m->present |= UINT64_C(1) << attr;
	return 0;
}

bool stun_looks_like(struct slice d)
{
	return d.n >= STUN_HDR_LEN && d.p[0] < 4 && rd32(d.p + 4) == STUN_COOKIE &&
	       rd16(d.p + 2) % 4 == 0 && rd16(d.p + 2) + (size_t)STUN_HDR_LEN == d.n;
}

int stun_parse(struct stun_msg *m, struct slice d)
{
	if (!stun_looks_like(d))
		return -ERR_MALFORMED;
	unsigned type = rd16(d.p);
	/* What follows `unknown` is read only where `present` and n_unknown say so. */
	memset(m, 0, offsetof(struct stun_msg, unknown));
	m->raw = d;
	m->tid = d.p + STUN_TID_AT;
	m->class = (enum stun_class)(type & 0x0110);
	m->method = (uint16_t)((type & 0xf) | (type & 0xe0) >> 1 | (type & 0x3e00) >> 2);
	int bad_value = 0;
	for (size_t at = STUN_HDR_LEN; at < d.n;) {
		size_t left = d.n - at;
		if (left < STUN_ATTR_HDR_LEN)
			return -ERR_TRUNCATED;
		size_t n = rd16(d.p + at + 2);
		size_t padded = (n + 3) & ~(size_t)3;
		if (left - STUN_ATTR_HDR_LEN < padded)
			return -ERR_TRUNCATED;
		int err = take_attr(m, rd16(d.p + at), d.p + at + STUN_ATTR_HDR_LEN, n);
		if (err && err != -ERR_RANGE)
			return err;
		if (err)
			bad_value = err;
		at += STUN_ATTR_HDR_LEN + padded;
	}
	return bad_value;
}

struct slice stun_value(const struct stun_msg *m, enum stun_attr attr)
{
	if (attr < STUN_ATTR_FIRST_AT || attr >= STUN_ATTR_N || !stun_has(m, attr))
		return (struct slice){NULL, 0};
	const uint8_t *p = m->raw.p + STUN_HDR_LEN + m->at[attr - STUN_ATTR_FIRST_AT];
	return slice_of(p + STUN_ATTR_HDR_LEN, rd16(p + 2));
}

uint32_t stun_number(const struct stun_msg *m, enum stun_attr attr)
{
	struct slice v = stun_value(m, attr);
	if (!v.p)
		return 0;
	switch ((enum kind)rows[attr].kind) {
	case KIND_N8: return v.p[0];
	case KIND_N16: return rd16(v.p);
	case KIND_N32: return rd32(v.p);
	default: return 0;
	}
}

bool stun_addr(const struct stun_msg *m, enum stun_attr attr, struct addr *out)
{
	struct slice v = stun_value(m, attr);
	if (!v.p)
		return false;
	if (rows[attr].kind == KIND_PADDR)
		return !take_plain_addr(out, v.p, v.n);
	return rows[attr].kind == KIND_PXADDR && !take_xor_addr(out, m->raw.p, v.p, v.n);
}

bool stun_next_addr(
	const struct stun_msg *m, enum stun_attr attr, size_t *at, struct addr *out)
{
	if (attr < STUN_ATTR_FIRST_AT || attr >= STUN_ATTR_N || !stun_has(m, attr) ||
		rows[attr].kind != KIND_PXADDR)
		return false;
	const uint8_t *body = m->raw.p + STUN_HDR_LEN,
		      *first = body + m->at[attr - STUN_ATTR_FIRST_AT];
	size_t end = m->integrity_at      ? m->integrity_at
		     : m->integrity256_at ? m->integrity256_at
		     : m->fingerprint_at  ? m->fingerprint_at
					  : m->raw.n;
	/* parse has seen that the attributes fill the message exactly. */
	for (size_t i = *at ? *at : (size_t)(first - m->raw.p); i < end;) {
		const uint8_t *p = m->raw.p + i;
		size_t n = rd16(p + 2);
		i += STUN_ATTR_HDR_LEN + ((n + 3) & ~(size_t)3);
		if (rd16(p) != rd16(first))
			continue;
		*at = i;
		return !take_xor_addr(out, m->raw.p, p + STUN_ATTR_HDR_LEN, n);
	}
	*at = end;
	return false;
}

/*
 * What an integrity attribute covers: all in front of it, with a length in the header as if the
 * message ended behind it (RFC 8489 §14.5). `type_and_length` holds the changed start of the header.
 */
static void covered_parts(const struct stun_msg *m, size_t attr_at, size_t value_len,
	uint8_t type_and_length[4], struct slice parts[2])
{
	wr16(type_and_length, rd16(m->raw.p));
	wr16(type_and_length + 2,
		(uint16_t)(attr_at + STUN_ATTR_HDR_LEN + value_len - STUN_HDR_LEN));
	parts[0] = slice_of(type_and_length, 4);
	parts[1] = slice_of(m->raw.p + 4, attr_at - 4);
}

int stun_verify_integrity(const struct stun_msg *m, const struct hmac_sha1 *key)
{
	if (!m->integrity_at)
		return -ERR_AUTH;
	uint8_t start[4], digest[HMAC_SHA1_LEN];
	struct slice parts[2];
	covered_parts(m, m->integrity_at, STUN_INTEGRITY_LEN, start, parts);
	hmac_sha1(key, parts, ARRAY_LEN(parts), digest);
	const uint8_t *got = m->raw.p + m->integrity_at + STUN_ATTR_HDR_LEN;
	return secret_eq(digest, got, sizeof digest) ? 0 : -ERR_AUTH;
}

int stun_verify_integrity256(const struct stun_msg *m, const struct hmac_sha256 *key)
{
	if (!m->integrity256_at)
		return -ERR_AUTH;
	uint8_t start[4], digest[HMAC_SHA256_LEN];
	struct slice parts[2];
	size_t n = rd16(m->raw.p + m->integrity256_at + 2);
	covered_parts(m, m->integrity256_at, n, start, parts);
	hmac_sha256(key, parts, ARRAY_LEN(parts), digest);
	const uint8_t *got = m->raw.p + m->integrity256_at + STUN_ATTR_HDR_LEN;
	return secret_eq(digest, got, n) ? 0 : -ERR_AUTH;
}

int stun_verify_fingerprint(const struct stun_msg *m)
{
	if (!m->fingerprint_at)
		return 0;
	uint32_t crc = crc32_ieee(0, m->raw.p, m->fingerprint_at) ^ STUN_FINGERPRINT_XOR;
	uint32_t got = rd32(m->raw.p + m->fingerprint_at + STUN_ATTR_HDR_LEN);
	return crc == got ? 0 : -ERR_MALFORMED;
}

int stun_username_split(struct slice username, struct slice *local, struct slice *remote)
{
	const uint8_t *colon = username.n ? memchr(username.p, ':', username.n) : NULL;
	if (!colon)
		return -ERR_MALFORMED;
	*local = slice_of(username.p, (size_t)(colon - username.p));
	*remote = slice_of(colon + 1, username.n - local->n - 1);
	if (!local->n || !remote->n || memchr(remote->p, ':', remote->n))
		return -ERR_MALFORMED;
	return 0;
}
