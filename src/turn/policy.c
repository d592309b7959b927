#include "turn/policy.h"

#include <netinet/in.h>
#include <stdlib.h>

#include "base/mem.h"

enum { LIST_MAX = 65536, DRESS_MAX = 3 };

/* Both families as one: 128 bits, an IPv4 address in the lower 32 of its own table. */
struct ip {
	uint64_t high, low;
};

struct range {
	struct ip first, last;
};

/* Sorted, without overlap. */
struct ranges {
	struct range *v;
	size_t n;
};

enum { V4, V6, FAMILIES };
struct set {
	struct ranges of[FAMILIES];
};

struct turn_policy {
	struct set allow, deny, deny_always, builtin;
	struct set local; /* this machine's, as far as no built-in range has them */
	struct addr *own, *own_relay;
	size_t n_own, n_own_relay;
	uint16_t relay_first, relay_last;
};

enum { LOOPBACK = 1, PRIVATE = 2 };

/* IANA's special-purpose registries, and multicast. */
static const struct {
	const char *text;
	unsigned kind;
} builtin[] = {
	{"0.0.0.0/8", 0},
	{"10.0.0.0/8", PRIVATE},
	{"100.64.0.0/10", PRIVATE},
	{"127.0.0.0/8", LOOPBACK},
	{"169.254.0.0/16", 0},
	{"172.16.0.0/12", PRIVATE},
	{"192.0.0.0/24", 0},
	{"192.0.2.0/24", 0},
	{"192.88.99.0/24", 0},
	{"192.168.0.0/16", PRIVATE},
	{"198.18.0.0/15", 0},
	{"198.51.100.0/24", 0},
	{"203.0.113.0/24", 0},
	{"224.0.0.0/4", 0},
	{"240.0.0.0/4", 0},
	{"::", 0},
	{"::1", LOOPBACK},
	{"::ffff:0:0/96", 0},
	{"64:ff9b::/96", 0},
	{"64:ff9b:1::/48", 0},
	{"100::/64", 0},
	{"2001::/32", 0},
	{"2001:2::/48", 0},
	{"2001:db8::/32", 0},
	{"2002::/16", 0},
	{"3fff::/20", 0},
	{"5f00::/16", 0},
	{"fc00::/7", PRIVATE},
	{"fe80::/10", 0},
	{"fec0::/10", PRIVATE},
	{"ff00::/8", 0},
};

static int ip_cmp(struct ip a, struct ip b)
{
	if (a.high != b.high)
		return a.high < b.high ? -1 : 1;
	return a.low < b.low ? -1 : a.low > b.low;
}

static struct ip ip_of(const struct addr *a)
{
	struct slice s = addr_ip(a);
	if (s.n == 4)
		return (struct ip){0, rd32(s.p)};
	return (struct ip){rd64(s.p), rd64(s.p + 8)};
}

/* The lower `bits` of 128 set. */
static struct ip low_bits(unsigned bits)
{
	if (bits >= 128)
		return (struct ip){UINT64_MAX, UINT64_MAX};
	if (bits >= 64)
		return (struct ip){(UINT64_C(1) << (bits - 64)) - 1, UINT64_MAX};
	return (struct ip){0, (UINT64_C(1) << bits) - 1};
}

/* ---------------------------------------------------------------- lists */

static struct slice trim(struct slice s)
{
	while (s.n && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = slice_of(s.p + 1, s.n - 1);
	while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	return s;
}

static int take_prefix_len(struct slice s, unsigned max, unsigned *out)
{
	unsigned v = 0;
	if (!s.n || s.n > 3)
		return -ERR_MALFORMED;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return -ERR_MALFORMED;
		v = v * 10 + (unsigned)(s.p[i] - '0');
	}
	*out = v;
	return v <= max ? 0 : -ERR_RANGE;
}

/* "10.0.0.0/8", "10.0.0.1-10.0.0.9" or "10.0.0.1". */
static int parse_range(struct slice text, struct range *out, unsigned *family)
{
	struct addr a, b;
	text = trim(text);
	const uint8_t *mark = text.n ? memchr(text.p, '/', text.n) : NULL;
	bool is_cidr = mark != NULL;
	if (!mark && text.n)
		mark = memchr(text.p, '-', text.n);
	size_t n = mark ? (size_t)(mark - text.p) : text.n;
	if (addr_parse_ip(&a, trim(slice_of(text.p, n)), 0))
		return -ERR_MALFORMED;
	*family = addr_is_v6(&a) ? V6 : V4;
	out->first = out->last = ip_of(&a);
	if (!mark)
		return 0;
	struct slice rest = trim(slice_of(mark + 1, text.n - n - 1));
	if (is_cidr) {
		unsigned width = *family == V6 ? 128 : 32, len;
		int err = take_prefix_len(rest, width, &len);
		if (err)
			return err;
		struct ip host = low_bits(width - len);
		out->first = (struct ip){out->first.high & ~host.high, out->first.low & ~host.low};
		out->last = (struct ip){out->first.high | host.high, out->first.low | host.low};
		return 0;
	}
	if (addr_parse_ip(&b, rest, 0) || addr_is_v6(&b) != addr_is_v6(&a))
		return -ERR_MALFORMED;
	out->last = ip_of(&b);
	return ip_cmp(out->first, out->last) <= 0 ? 0 : -ERR_RANGE;
}

bool turn_policy_is_range(const char *text)
{
	struct range r;
	unsigned family;
	return parse_range(slice_str(text), &r, &family) == 0;
}

/* The text is cut for the message: it may be anything. */
static int set_add(struct set *s, const char *text, const char *list, struct errbuf *eb)
{
	struct range r;
	unsigned family;
	int err = text ? parse_range(slice_str(text), &r, &family) : -ERR_MALFORMED;
	if (err)
		return err_set(eb, ERR_CONFIG,
			"%s: \"%.100s\" is no address, no ADDRESS/BITS and no FIRST-LAST%s", list,
			text ? text : "", err == -ERR_RANGE ? ": out of range" : "");
	struct ranges *to = &s->of[family];
	if (to->n >= LIST_MAX)
		return err_set(eb, ERR_CONFIG, "%s: more than %d entries", list, LIST_MAX);
	/* Room for a power of two. */
	if ((to->n & (to->n - 1)) == 0)
		to->v = xrealloc(to->v, (to->n ? to->n * 2 : 1) * sizeof *to->v);
	to->v[to->n++] = r;
	return 0;
}

static int range_cmp(const void *a, const void *b)
{
	return ip_cmp(((const struct range *)a)->first, ((const struct range *)b)->first);
}

static void set_settle(struct set *s)
{
	for (unsigned f = 0; f < FAMILIES; f++) {
		struct ranges *r = &s->of[f];
		size_t n = 0;
		if (!r->n)
			continue;
		qsort(r->v, r->n, sizeof *r->v, range_cmp);
		for (size_t i = 1; i < r->n; i++) {
			if (ip_cmp(r->v[i].first, r->v[n].last) > 0)
				r->v[++n] = r->v[i];
			else if (ip_cmp(r->v[i].last, r->v[n].last) > 0)
				r->v[n].last = r->v[i].last;
		}
		r->n = n + 1;
	}
}

static bool set_has(const struct set *s, unsigned family, struct ip ip)
{
	const struct ranges *r = &s->of[family];
	size_t low = 0, high = r->n;
	while (low < high) {
		size_t at = low + (high - low) / 2;
		if (ip_cmp(r->v[at].last, ip) < 0)
			low = at + 1;
		else
			high = at;
	}
	return low < r->n && ip_cmp(r->v[low].first, ip) <= 0;
}

static void set_free(struct set *s)
{
	for (unsigned f = 0; f < FAMILIES; f++)
		xfree(s->of[f].v);
}

/* ---------------------------------------------------------------- dresses */

/*
 * The IPv4 addresses that an IPv6 address may lead to, as the host's or a router's translation would read it.
 *
 *   ::ffff:V4                 v4-mapped (RFC 4291 §2.5.5.2)      ::ffff:0:V4      translated (RFC 2765 §2.1)
 *   ::V4                      v4-compatible (RFC 4291 §2.5.5.1)  64:ff9b::V4      NAT64 (RFC 6052 §2.1)
 *   64:ff9b:1:V4:00V4:…       local NAT64, also with V4 at the end (RFC 8215, RFC 6052 §2.2)
 *   2002:V4::                 6to4 (RFC 3056 §2)                 2001:0:V4:…:~V4  Teredo: server, client (RFC 4380 §4)
 *   …:[02]00:5efe:V4          ISATAP (RFC 5214 §6.1), under any prefix
 */
static unsigned undress(struct ip ip, uint32_t out[DRESS_MAX])
{
	uint32_t tail = (uint32_t)ip.low, middle = (uint32_t)(ip.low >> 32);
	unsigned n = 0;
	if (ip.high == 0) {
		bool is_plain = middle == 0 && tail > 1; /* "::" and "::1" are themselves */
		if (is_plain || middle == 0xffff || middle == UINT32_C(0xffff0000))
			out[n++] = tail;
	} else if (ip.high == UINT64_C(0x0064ff9b00000000) && middle == 0) {
		out[n++] = tail;
	} else if (ip.high >> 16 == UINT64_C(0x0064ff9b0001)) {
		/* Which of the two it is, only the translator knows; the other one reads as zero. */
		uint32_t split =
			(uint32_t)(ip.high & 0xffff) << 16 | (uint32_t)(ip.low >> 40 & 0xffff);
		if (split || !tail)
			out[n++] = split;
		if (tail)
			out[n++] = tail;
	} else if (ip.high >> 48 == 0x2002) {
		out[n++] = (uint32_t)(ip.high >> 16);
	} else if (ip.high >> 32 == UINT64_C(0x20010000)) {
		out[n++] = (uint32_t)ip.high;
		out[n++] = ~tail;
	}
	if ((middle | UINT32_C(0x02000000)) == UINT32_C(0x02005efe))
		out[n++] = tail;
	return n;
}

/* ---------------------------------------------------------------- the policy */

static int add_lists(struct turn_policy *p, const struct turn_policy_cfg *cfg, struct errbuf *eb)
{
	unsigned spared =
		(cfg->allow_loopback ? LOOPBACK : 0u) | (cfg->allow_private ? PRIVATE : 0u);
	int err = 0;
	for (size_t i = 0; i < ARRAY_LEN(builtin) && !cfg->no_builtin && !err; i++)
		if (!(builtin[i].kind & spared))
			err = set_add(&p->builtin, builtin[i].text, "built-in", eb);
	for (size_t i = 0; i < cfg->n_allow && !err; i++)
		err = set_add(&p->allow, cfg->allow[i], "allowed peers", eb);
	for (size_t i = 0; i < cfg->n_deny && !err; i++)
		err = set_add(&p->deny, cfg->deny[i], "denied peers", eb);
	for (size_t i = 0; i < cfg->n_deny_always && !err; i++)
		err = set_add(&p->deny_always, cfg->deny_always[i], "peers that are always denied", eb);
	set_settle(&p->builtin);
	set_settle(&p->allow);
	set_settle(&p->deny);
	set_settle(&p->deny_always);
	return err;
}

static int add_local(struct turn_policy *p, const struct turn_policy_cfg *cfg, struct errbuf *eb)
{
	const struct {
		const struct addr *v;
		size_t n;
	} all[] = {{cfg->own, cfg->n_own}, {cfg->own_relay, cfg->n_own_relay},
		{cfg->local, cfg->n_local}};
	struct set special = {0};
	char text[ADDR_TEXT_CAP];
	int err = 0;
	for (size_t i = 0; i < ARRAY_LEN(builtin) && !err; i++)
		err = set_add(&special, builtin[i].text, "built-in", eb);
	set_settle(&special);
	for (size_t k = 0; k < ARRAY_LEN(all) && !cfg->no_builtin; k++)
		for (size_t i = 0; i < all[k].n && !err; i++)
			if (!set_has(&special, addr_is_v6(&all[k].v[i]) ? V6 : V4,
				    ip_of(&all[k].v[i])))
				err = set_add(&p->local, addr_format_ip(&all[k].v[i], text),
					"own addresses", eb);
	set_settle(&p->local);
	set_free(&special);
	return err;
}

int turn_policy_new(
	struct turn_policy **out, const struct turn_policy_cfg *cfg, struct errbuf *eb)
{
	struct turn_policy *p = XNEW(struct turn_policy);
	p->relay_first = cfg->relay_first;
	p->relay_last = cfg->relay_last;
	if (cfg->n_own)
		p->own = xmemdup(cfg->own, cfg->n_own * sizeof *p->own);
	if (cfg->n_own_relay)
		p->own_relay = xmemdup(cfg->own_relay, cfg->n_own_relay * sizeof *p->own_relay);
	p->n_own = cfg->n_own;
	p->n_own_relay = cfg->n_own_relay;
	int err = add_lists(p, cfg, eb);
	if (!err)
		err = add_local(p, cfg, eb);
	if (err) {
		turn_policy_free(p);
		return err;
	}
	*out = p;
	return 0;
}

void turn_policy_free(struct turn_policy *p)
{
	if (!p)
		return;
	set_free(&p->allow);
	set_free(&p->deny);
	set_free(&p->deny_always);
	set_free(&p->builtin);
	set_free(&p->local);
	xfree(p->own);
	xfree(p->own_relay);
	xfree(p);
}

static bool is_own_relay(const struct turn_policy *p, const struct addr *peer)
{
	uint16_t port = addr_port(peer);
	bool is_relay_port = !port || (port >= p->relay_first && port <= p->relay_last);
	for (size_t i = 0; i < p->n_own_relay && is_relay_port; i++)
		if (addr_ip_eq(&p->own_relay[i], peer))
			return true;
	return false;
}

static bool is_own(const struct turn_policy *p, const struct addr *peer)
{
	uint16_t port = addr_port(peer);
	if (is_own_relay(p, peer))
		return true;
	for (size_t i = 0; i < p->n_own; i++)
		if (addr_ip_eq(&p->own[i], peer) && (!port || addr_port(&p->own[i]) == port))
			return true;
	return false;
}

static bool passes(const struct turn_policy *p, unsigned family, struct ip ip)
{
	if (set_has(&p->deny_always, family, ip))
		return false;
	if (set_has(&p->allow, family, ip))
		return true;
	return !set_has(&p->deny, family, ip) && !set_has(&p->builtin, family, ip);
}

bool turn_policy_allows_stranger(const struct turn_policy *p, const struct addr *peer)
{
	uint32_t inner[DRESS_MAX];
	unsigned family = addr_is_v6(peer) ? V6 : V4;
	struct ip ip = ip_of(peer);
	if (!passes(p, family, ip))
		return false;
	unsigned n = family == V6 ? undress(ip, inner) : 0;
	for (unsigned i = 0; i < n; i++)
		if (!passes(p, V4, (struct ip){0, inner[i]}))
			return false;
	return true;
}

bool turn_policy_allows_tcp_stranger(const struct turn_policy *p, const struct addr *peer)
{
	unsigned family = addr_is_v6(peer) ? V6 : V4;
	struct ip ip = ip_of(peer);
	return turn_policy_allows_stranger(p, peer) &&
	       (!set_has(&p->local, family, ip) || set_has(&p->allow, family, ip));
}

bool turn_policy_allows(const struct turn_policy *p, const struct addr *peer)
{
	if (!addr_is_v4(peer) && !addr_is_v6(peer))
		return false;
	return is_own(p, peer) || turn_policy_allows_stranger(p, peer);
}

bool turn_policy_allows_tcp(const struct turn_policy *p, const struct addr *peer)
{
	if (!addr_is_v4(peer) && !addr_is_v6(peer))
		return false;
	return is_own_relay(p, peer) || turn_policy_allows_tcp_stranger(p, peer);
}
