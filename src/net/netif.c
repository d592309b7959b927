#include "net/netif.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <string.h>

#include "base/err.h"

int cidr_parse(struct cidr *c, struct slice text)
{
	const uint8_t *slash = text.n ? memchr(text.p, '/', text.n) : NULL;
	struct slice ip = slice_of(text.p, slash ? (size_t)(slash - text.p) : text.n);
	if (addr_parse_ip(&c->base, ip, 0) != 0)
		return -ERR_MALFORMED;
	unsigned longest = addr_is_v6(&c->base) ? 128 : 32;
	c->bits = longest;
	if (!slash)
		return 0;
	const uint8_t *end = text.p + text.n;
	unsigned bits = 0;
	if (slash + 1 == end || end - slash > 4)
		return -ERR_MALFORMED;
	for (const uint8_t *p = slash + 1; p < end; p++) {
		if (*p < '0' || *p > '9')
			return -ERR_MALFORMED;
		bits = bits * 10 + (unsigned)(*p - '0');
	}
	c->bits = bits;
	return bits > longest ? -ERR_MALFORMED : 0;
}

bool cidr_has(const struct cidr *c, const struct addr *a)
{
	struct slice net = addr_ip(&c->base), ip = addr_ip(a);
	if (net.n != ip.n)
		return false;
	unsigned whole = c->bits / 8, rest = c->bits % 8;
	if (memcmp(net.p, ip.p, whole) != 0)
		return false;
	return rest == 0 || (net.p[whole] ^ ip.p[whole]) >> (8 - rest) == 0;
}

static bool has_name(char *const *names, const char *name)
{
	for (; names && *names; names++)
		if (strcmp(*names, name) == 0)
			return true;
	return false;
}

static bool has_ip(const struct cidr *c, size_t n, const struct addr *a)
{
	for (size_t i = 0; i < n; i++)
		if (cidr_has(&c[i], a))
			return true;
	return false;
}

static bool passes(const struct netif_filter *f, const char *name, const struct addr *a)
{
	bool any_name = !f->if_includes || !f->if_includes[0];
	if (!any_name && !has_name(f->if_includes, name))
		return false;
	if (has_name(f->if_excludes, name) || has_ip(f->ip_excludes, f->n_ip_excludes, a))
		return false;
	if (f->n_ip_includes && !has_ip(f->ip_includes, f->n_ip_includes, a))
		return false;
	return !addr_is_link_local(a) && (f->with_loopback || !addr_is_loopback(a));
}

size_t netif_list(const struct netif_filter *f, struct addr *out, size_t cap)
{
	struct ifaddrs *all;
	if (getifaddrs(&all) == -1)
		return 0;
	size_t n = 0;
	static const int families[] = {AF_INET, AF_INET6};
	for (size_t k = 0; k < ARRAY_LEN(families); k++) {
		for (struct ifaddrs *i = all; i; i = i->ifa_next) {
			if (!i->ifa_addr || i->ifa_addr->sa_family != families[k] ||
				!(i->ifa_flags & IFF_UP))
				continue;
			struct addr a = {0};
			memcpy(&a.sa, i->ifa_addr,
				families[k] == AF_INET ? sizeof a.v4 : sizeof a.v6);
			addr_set_port(&a, 0);
			if (!passes(f, i->ifa_name, &a))
				continue;
			if (n < cap)
				out[n] = a;
			n++;
		}
	}
	freeifaddrs(all);
	return n;
}
