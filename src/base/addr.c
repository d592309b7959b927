#include "base/addr.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "base/err.h"

uint16_t addr_port(const struct addr *a)
{
	return ntohs(addr_is_v6(a) ? a->v6.sin6_port : a->v4.sin_port);
}

void addr_set_port(struct addr *a, uint16_t port)
{
	if (addr_is_v6(a))
		a->v6.sin6_port = htons(port);
	else
		a->v4.sin_port = htons(port);
}

bool addr_ip_eq(const struct addr *a, const struct addr *b)
{
	if (a->sa.sa_family != b->sa.sa_family)
		return false;
	if (addr_is_v4(a))
		return a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
	return memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, 16) == 0;
}

bool addr_eq(const struct addr *a, const struct addr *b)
{
	return addr_ip_eq(a, b) && addr_port(a) == addr_port(b);
}

void addr_unmap(struct addr *a)
{
	if (!addr_is_v6(a) || !IN6_IS_ADDR_V4MAPPED(&a->v6.sin6_addr))
		return;
	struct addr v4 = {.v4 = {.sin_family = AF_INET, .sin_port = a->v6.sin6_port}};
	memcpy(&v4.v4.sin_addr, a->v6.sin6_addr.s6_addr + 12, 4);
	*a = v4;
}

int addr_from_bytes(struct addr *a, const uint8_t *ip, size_t n, uint16_t port)
{
	*a = (struct addr){0};
	if (n == 4) {
		a->v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
		memcpy(&a->v4.sin_addr, ip, 4);
		return 0;
	}
	if (n == 16) {
		a->v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port)};
		memcpy(&a->v6.sin6_addr, ip, 16);
		return 0;
	}
	return -ERR_MALFORMED;
}

int addr_parse_ip(struct addr *a, struct slice text, uint16_t port)
{
	char s[INET6_ADDRSTRLEN + 1];
	if (text.n >= 2 && text.p[0] == '[' && text.p[text.n - 1] == ']')
		text = slice_of(text.p + 1, text.n - 2);
	if (text.n == 0 || text.n >= sizeof s || memchr(text.p, 0, text.n))
		return -ERR_MALFORMED;
	memcpy(s, text.p, text.n);
	s[text.n] = 0;
	uint8_t ip[16];
	if (inet_pton(AF_INET, s, ip) == 1)
		return addr_from_bytes(a, ip, 4, port);
	if (inet_pton(AF_INET6, s, ip) == 1)
		return addr_from_bytes(a, ip, 16, port);
	return -ERR_MALFORMED;
}

struct slice addr_ip(const struct addr *a)
{
	if (addr_is_v6(a))
		return slice_of(&a->v6.sin6_addr, 16);
	return slice_of(&a->v4.sin_addr, 4);
}

char *addr_format_ip(const struct addr *a, char out[ADDR_TEXT_CAP])
{
	const void *ip = addr_is_v6(a) ? (const void *)&a->v6.sin6_addr : &a->v4.sin_addr;
	if (!inet_ntop(a->sa.sa_family, ip, out, ADDR_TEXT_CAP))
		snprintf(out, ADDR_TEXT_CAP, "?");
	return out;
}

char *addr_format(const struct addr *a, char out[ADDR_TEXT_CAP])
{
	char ip[ADDR_TEXT_CAP];
	addr_format_ip(a, ip);
	snprintf(out, ADDR_TEXT_CAP, addr_is_v6(a) ? "[%.46s]:%u" : "%.46s:%u", ip, addr_port(a));
	return out;
}

bool addr_is_loopback(const struct addr *a)
{
	if (addr_is_v4(a))
		return ntohl(a->v4.sin_addr.s_addr) >> 24 == 127;
	return IN6_IS_ADDR_LOOPBACK(&a->v6.sin6_addr);
}

bool addr_is_link_local(const struct addr *a)
{
	if (addr_is_v4(a))
		return ntohl(a->v4.sin_addr.s_addr) >> 16 == 0xa9fe;
	return IN6_IS_ADDR_LINKLOCAL(&a->v6.sin6_addr);
}

bool addr_is_unspecified(const struct addr *a)
{
	if (addr_is_v4(a))
		return a->v4.sin_addr.s_addr == 0;
	return IN6_IS_ADDR_UNSPECIFIED(&a->v6.sin6_addr);
}

size_t addr_key(const struct addr *a, uint8_t out[ADDR_KEY_CAP])
{
	struct slice ip = addr_ip(a);
	out[0] = addr_is_v6(a) ? 6 : 4;
	wr16(out + 1, addr_port(a));
	memcpy(out + 3, ip.p, ip.n);
	return 3 + ip.n;
}
