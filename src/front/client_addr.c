#include "front/front_internal.h"

static bool is_private_v4(const uint8_t *ip)
{
	return ip[0] == 10 || ip[0] == 127 || (ip[0] == 172 && (ip[1] & 0xf0) == 16) ||
	       (ip[0] == 192 && ip[1] == 168) || (ip[0] == 169 && ip[1] == 254) ||
	       (ip[0] == 100 && (ip[1] & 0xc0) == 64); /* RFC 6598 */
}

/*
 * Loopback, RFC 1918, RFC 4193, link-local, carrier-grade NAT: where a reverse proxy of ours
 * stands.
 */
static bool is_near(const struct addr *a)
{
	struct slice ip = addr_ip(a);
	if (addr_is_loopback(a) || addr_is_link_local(a))
		return true;
	return addr_is_v4(a) ? is_private_v4(ip.p) : ip.n == 16 && (ip.p[0] & 0xfe) == 0xfc;
}

static struct slice trim(struct slice s)
{
	while (s.n && (s.p[0] == ' ' || s.p[0] == '\t'))
		s.p++, s.n--;
	while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	return s;
}

static bool take(struct slice text, struct addr *out)
{
	struct addr a;
	if (addr_parse_ip(&a, trim(text), 0) != 0)
		return false;
	addr_unmap(&a);
	*out = a;
	return true;
}

/*
 * Proxies append, clients may have put anything in front: the last address that is not a proxy of
 * ours counts.
 */
static bool take_forwarded(struct slice list, struct addr *out)
{
	bool any = false;
	for (size_t end = list.n; list.p;) {
		const uint8_t *comma = end ? memrchr(list.p, ',', end) : NULL;
		size_t at = comma ? (size_t)(comma - list.p) + 1 : 0;
		if (take(slice_of(list.p + at, end - at), out)) {
			any = true;
			if (!is_near(out))
				return true;
		}
		if (!comma)
			break;
		end = at - 1;
	}
	return any;
}

/*
 * LiveKit believes these headers from anybody. Here they count only if the peer is so near that it
 * can be a proxy of ours: a stranger on the internet does not get to choose the address that the
 * logs and the rooms show for it.
 */
struct addr client_addr(const struct addr *peer, const struct client_addr_headers *h)
{
	struct addr a = *peer;
	addr_unmap(&a);
	if (!is_near(&a))
		return a;
	struct addr told;
	if (take(h->cf_connecting_ip, &told) || take_forwarded(h->x_forwarded_for, &told) ||
		take(h->x_real_ip, &told))
		return told;
	return a;
}
