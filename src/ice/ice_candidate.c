#include <stdio.h>

#include "base/macros.h"
#include "ice/ice_internal.h"

static const struct {
	const char *name;
	uint8_t preference; /* RFC 8445 §5.1.2.2 */
} types[] = {
	[ICE_HOST] = {"host", 126},
	[ICE_SRFLX] = {"srflx", 100},
	[ICE_PRFLX] = {"prflx", 110},
	[ICE_RELAY] = {"relay", 0},
};

uint32_t ice_priority(enum ice_candidate_type type, uint16_t pref)
{
	enum { COMPONENT = 1 };
	return (uint32_t)types[type].preference << 24 | (uint32_t)pref << 8 | (256 - COMPONENT);
}

static bool is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The next word; empty at the end of the line. */
static struct slice word(struct slice *line)
{
	while (line->n && is_space(line->p[0]))
		*line = slice_of(line->p + 1, line->n - 1);
	size_t n = 0;
	while (n < line->n && !is_space(line->p[n]))
		n++;
	struct slice w = slice_of(line->p, n);
	*line = slice_of(line->p + n, line->n - n);
	return w;
}

static bool skip_prefix(struct slice *s, const char *prefix)
{
	size_t n = strlen(prefix);
	if (s->n < n || memcmp(s->p, prefix, n) != 0)
		return false;
	*s = slice_of(s->p + n, s->n - n);
	return true;
}

static bool is_word(struct slice w, const char *text)
{
	return w.n == strlen(text) && strncasecmp((const char *)w.p, text, w.n) == 0;
}

/* Visible ASCII: more than the ice-chars of RFC 8839 §5.1, and nothing that would break a line or a C string. */
static bool is_visible(struct slice w)
{
	for (size_t i = 0; i < w.n; i++)
		if (w.p[i] <= ' ' || w.p[i] >= 0x7f)
			return false;
	return true;
}

static int parse_uint(struct slice w, uint32_t max, uint32_t *v)
{
	uint64_t sum = 0;
	if (w.n < 1 || w.n > 10)
		return -ERR_MALFORMED;
	for (size_t i = 0; i < w.n; i++) {
		if (w.p[i] < '0' || w.p[i] > '9')
			return -ERR_MALFORMED;
		sum = sum * 10 + (uint64_t)(w.p[i] - '0');
	}
	if (sum > max)
		return -ERR_MALFORMED;
	*v = (uint32_t)sum;
	return 0;
}

static int parse_type(struct slice w, enum ice_candidate_type *type)
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (is_word(w, types[i].name)) {
			*type = (enum ice_candidate_type)i;
			return 0;
		}
	return -ERR_MALFORMED;
}

/* A host name: letters, digits, '-' and '.', and a letter somewhere, so that a broken IPv4 address is not one. */
static bool is_name(struct slice w)
{
	bool has_letter = false;
	for (size_t i = 0; i < w.n; i++) {
		uint8_t low = w.p[i] | 0x20;
		bool is_letter = low >= 'a' && low <= 'z';
		has_letter |= is_letter;
		if (!is_letter && !(w.p[i] >= '0' && w.p[i] <= '9') && w.p[i] != '-' &&
			w.p[i] != '.')
			return false;
	}
	return has_letter;
}

static bool is_multicast_or_broadcast(const struct addr *a)
{
	const uint8_t *ip = addr_ip(a).p;
	return addr_is_v4(a) ? ip[0] >= 224 : ip[0] == 0xff;
}

static int parse_addr(struct slice w, uint32_t port, struct addr *a)
{
	if (addr_parse_ip(a, w, (uint16_t)port))
		return is_name(w) ? -ERR_UNSUPPORTED : -ERR_MALFORMED;
	addr_unmap(a);
	if (!port || addr_is_unspecified(a) || is_multicast_or_broadcast(a))
		return -ERR_MALFORMED;
	/* Without a scope there is no interface to send from. */
	return addr_is_v6(a) && addr_is_link_local(a) ? -ERR_UNSUPPORTED : 0;
}

/* "raddr … rport …" and "name value" pairs of any kind. */
static int parse_extensions(struct ice_candidate *c, struct slice line)
{
	struct slice raddr = {0};
	uint32_t rport = 0;
	for (;;) {
		struct slice name = word(&line), value = word(&line);
		if (!name.n)
			break;
		if (is_word(name, "raddr"))
			raddr = value;
		else if (is_word(name, "rport") && parse_uint(value, UINT16_MAX, &rport))
			return -ERR_MALFORMED;
		else if (is_word(name, "ufrag"))
			c->ufrag = value;
	}
	if (!is_visible(c->ufrag))
		return -ERR_MALFORMED;
	/* Browsers hide it ("0.0.0.0", "x.local"), and nothing here depends on it: what cannot be read is absent. */
	if (raddr.n && addr_parse_ip(&c->related, raddr, (uint16_t)rport))
		c->related = (struct addr){0};
	return 0;
}

/* candidate:foundation component transport priority address port typ type … */
int ice_candidate_parse(struct ice_candidate *c, struct slice line)
{
	*c = (struct ice_candidate){0};
	skip_prefix(&line, "a=");
	if (!skip_prefix(&line, "candidate:"))
		return -ERR_MALFORMED;
	struct slice foundation = word(&line), component = word(&line), transport = word(&line);
	struct slice priority = word(&line), address = word(&line), port = word(&line);
	struct slice typ = word(&line), type = word(&line);
	uint32_t component_id, port_number;
	if (foundation.n < 1 || foundation.n > ICE_FOUNDATION_MAX ||
		!is_visible(foundation) || !is_word(typ, "typ") ||
		parse_uint(component, 256, &component_id) || !component_id || !transport.n ||
		parse_uint(priority, PRIORITY_MAX, &c->priority) || !c->priority ||
		parse_uint(port, UINT16_MAX, &port_number) || parse_type(type, &c->type))
		return -ERR_MALFORMED;
	memcpy(c->foundation, foundation.p, foundation.n);
	if (!is_word(transport, "udp") || component_id != 1)
		return -ERR_UNSUPPORTED;
	int err = parse_addr(address, port_number, &c->addr);
	return err ? err : parse_extensions(c, line);
}

void ice_candidate_format(const struct ice_candidate *c, struct buf *out)
{
	char ip[ADDR_TEXT_CAP];
	buf_printf(out, "candidate:%s 1 udp %u %s %u typ %s", c->foundation, c->priority,
		addr_format_ip(&c->addr, ip), addr_port(&c->addr), types[c->type].name);
	if (c->related.sa.sa_family)
		buf_printf(out, " raddr %s rport %u", addr_format_ip(&c->related, ip),
			addr_port(&c->related));
	buf_add_str(out, " generation 0");
	if (c->ufrag.n) {
		buf_add_str(out, " ufrag ");
		buf_add(out, c->ufrag.p, c->ufrag.n);
	}
}
