#include "turnd/proxy.h"

#include "base/macros.h"

enum {
	SIGNATURE_LEN = 12,
	COMMAND_LOCAL = 0x20, /* version 2 in the upper half */
	COMMAND_PROXY = 0x21,
	OVER_TCP4 = 0x11,
	OVER_TCP6 = 0x21,
	TLV_HDR_LEN = 3,
	TLV_CRC32C = 0x03,
	TLV_CRC32C_LEN = 4,
	WORDS_MAX = 6,
};

static const uint8_t signature[SIGNATURE_LEN] = "\r\n\r\n\0\r\nQUIT\n";
static const char v1_start[] = "PROXY ";

/* True as long as `in` may still become what `start` is. */
static bool begins(struct slice in, const void *start, size_t n)
{
	return memcmp(in.p, start, MIN(in.n, n)) == 0;
}

/* ---------------------------------------------------------------- version 1 */

static int parse_port(struct slice text, uint16_t *port)
{
	uint32_t v = 0;
	if (text.n == 0 || text.n > 5 || (text.n > 1 && text.p[0] == '0'))
		return -ERR_MALFORMED;
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return -ERR_MALFORMED;
		v = v * 10 + (uint32_t)(text.p[i] - '0');
	}
	if (v > UINT16_MAX)
		return -ERR_MALFORMED;
	*port = (uint16_t)v;
	return 0;
}

static int parse_addr(struct addr *a, struct slice ip, struct slice port_text, sa_family_t family)
{
	uint16_t port;
	int err = parse_port(port_text, &port);
	if (err)
		return err;
	if (ip.n == 0 || ip.p[0] == '[')
		return -ERR_MALFORMED;
	err = addr_parse_ip(a, ip, port);
	return err ? err : a->sa.sa_family == family ? 0 : -ERR_MALFORMED;
}

/* Splits at single spaces; 0 words when there are more than fit. */
static size_t split(struct slice line, struct slice word[WORDS_MAX])
{
	size_t n = 0, from = 0;
	for (size_t i = 0; i <= line.n; i++) {
		if (i < line.n && line.p[i] != ' ')
			continue;
		if (n == WORDS_MAX)
			return 0;
		word[n++] = slice_of(line.p + from, i - from);
		from = i + 1;
	}
	return n;
}

static int parse_v1_line(struct proxy_header *out, struct slice line)
{
	struct slice word[WORDS_MAX];
	size_t n = split(slice_of(line.p, MIN(line.n, (size_t)PROXY_V1_MAX)), word);
	/* §2.1: what follows UNKNOWN is skipped, however many words it has. */
	static const char unknown[] = "PROXY UNKNOWN";
	size_t len = sizeof unknown - 1;
	if (line.n >= len && memcmp(line.p, unknown, len) == 0 &&
		(line.n == len || line.p[len] == ' '))
		return 0;
	if (n != WORDS_MAX)
		return -ERR_MALFORMED;
	sa_family_t family = slice_eq_str(word[1], "TCP4")   ? AF_INET
			     : slice_eq_str(word[1], "TCP6") ? AF_INET6
							     : AF_UNSPEC;
	if (family == AF_UNSPEC)
		return -ERR_MALFORMED;
	int err = parse_addr(&out->client, word[2], word[4], family);
	if (!err)
		err = parse_addr(&out->server, word[3], word[5], family);
	out->has_addrs = !err;
	return err;
}

static int parse_v1(struct proxy_header *out, struct slice in)
{
	const uint8_t *end = memchr(in.p, '\n', MIN(in.n, (size_t)PROXY_V1_MAX));
	if (!end)
		return in.n < PROXY_V1_MAX ? -ERR_AGAIN : -ERR_TOO_LARGE;
	size_t n = (size_t)(end - in.p);
	if (n == 0 || end[-1] != '\r')
		return -ERR_MALFORMED;
	out->size = n + 1;
	return parse_v1_line(out, slice_of(in.p, n - 1));
}

/* ---------------------------------------------------------------- version 2 */

static uint32_t crc32c_step(uint32_t crc, uint8_t byte)
{
	crc ^= byte;
	for (int bit = 0; bit < 8; bit++)
		crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0x82f63b78) : 0);
	return crc;
}

/* §2.2.3: over the whole header with the checksum's own four bytes taken as zero. */
static bool crc_matches(struct slice header, size_t at)
{
	uint32_t crc = UINT32_MAX;
	for (size_t i = 0; i < header.n; i++)
		crc = crc32c_step(crc, i >= at && i < at + TLV_CRC32C_LEN ? 0 : header.p[i]);
	return (crc ^ UINT32_MAX) == rd32(header.p + at);
}

/* The TLVs behind the addresses: skipped but for the checksum. */
static int check_tlvs(struct slice header, size_t at)
{
	while (at < header.n) {
		if (header.n - at < TLV_HDR_LEN)
			return -ERR_MALFORMED;
		size_t n = rd16(header.p + at + 1);
		uint8_t type = header.p[at];
		at += TLV_HDR_LEN;
		if (header.n - at < n)
			return -ERR_MALFORMED;
		if (type == TLV_CRC32C && (n != TLV_CRC32C_LEN || !crc_matches(header, at)))
			return -ERR_MALFORMED;
		at += n;
	}
	return 0;
}

static int read_pair(struct proxy_header *out, struct slice body, size_t ip_len)
{
	struct cursor c = cursor_of(body);
	struct slice from = cursor_take(&c, ip_len), to = cursor_take(&c, ip_len);
	uint16_t from_port = cursor_u16(&c), to_port = cursor_u16(&c);
	if (!c.ok)
		return -ERR_MALFORMED;
	int err = addr_from_bytes(&out->client, from.p, from.n, from_port);
	if (!err)
		err = addr_from_bytes(&out->server, to.p, to.n, to_port);
	out->has_addrs = !err;
	return err;
}

static int parse_v2(struct proxy_header *out, struct slice in)
{
	if (in.n > SIGNATURE_LEN && in.p[SIGNATURE_LEN] != COMMAND_LOCAL &&
		in.p[SIGNATURE_LEN] != COMMAND_PROXY)
		return -ERR_UNSUPPORTED;
	if (in.n < PROXY_V2_HDR_LEN)
		return -ERR_AGAIN;
	size_t n = rd16(in.p + 14);
	if (n > PROXY_V2_MAX)
		return -ERR_TOO_LARGE;
	if (in.n - PROXY_V2_HDR_LEN < n)
		return -ERR_AGAIN;
	out->size = PROXY_V2_HDR_LEN + n;
	struct slice header = slice_of(in.p, out->size),
		     body = slice_of(in.p + PROXY_V2_HDR_LEN, n);
	uint8_t over = in.p[13];
	size_t ip_len = over == OVER_TCP4 ? 4 : over == OVER_TCP6 ? 16 : 0;
	/* §2.2: LOCAL is the proxy's own connection, a health check; the rest of the header says nothing. */
	if (in.p[SIGNATURE_LEN] == COMMAND_LOCAL || !ip_len)
		return 0;
	int err = read_pair(out, body, ip_len);
	return err ? err : check_tlvs(header, PROXY_V2_HDR_LEN + 2 * ip_len + 4);
}

int proxy_parse(struct proxy_header *out, struct slice in)
{
	*out = (struct proxy_header){0};
	if (in.n == 0)
		return -ERR_AGAIN;
	if (begins(in, signature, sizeof signature))
		return parse_v2(out, in);
	if (begins(in, v1_start, sizeof v1_start - 1))
		return parse_v1(out, in);
	return -ERR_MALFORMED;
}
