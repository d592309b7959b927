/* addr: an IPv4 or IPv6 transport address. Plain data; no socket is touched. */
#pragma once
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include "base/macros.h"
#include "base/slice.h"

struct addr {
	union {
		struct sockaddr sa;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	};
};

/* Longest text: "[ffff:…:255.255.255.255]:65535" and a NUL. */
enum { ADDR_TEXT_CAP = 64 };

static inline bool addr_is_v4(const struct addr *a)
{
	return a->sa.sa_family == AF_INET;
}

static inline bool addr_is_v6(const struct addr *a)
{
	return a->sa.sa_family == AF_INET6;
}

/* Length for the socket calls. */
static inline socklen_t addr_len(const struct addr *a)
{
	return addr_is_v6(a) ? (socklen_t)sizeof a->v6 : (socklen_t)sizeof a->v4;
}

uint16_t addr_port(const struct addr *a);
void addr_set_port(struct addr *a, uint16_t port);

/* Same family, IP and port. A v4-mapped IPv6 address is not equal to its IPv4 form: see addr_unmap. */
bool addr_eq(const struct addr *a, const struct addr *b);
bool addr_ip_eq(const struct addr *a, const struct addr *b);

/* Turns ::ffff:a.b.c.d into a.b.c.d; leaves all others alone. */
void addr_unmap(struct addr *a);

/* "192.0.2.1", "2001:db8::1" and "[2001:db8::1]". 0 or -ERR_MALFORMED. */
MUST_CHECK int addr_parse_ip(struct addr *a, struct slice text, uint16_t port);

/* From raw bytes in network order; n is 4 or 16, else -ERR_MALFORMED. */
MUST_CHECK int addr_from_bytes(struct addr *a, const uint8_t *ip, size_t n, uint16_t port);

/* The IP as bytes in network order: 4 or 16 of them, inside *a. */
struct slice addr_ip(const struct addr *a);

/* "192.0.2.1:5000" or "[2001:db8::1]:5000"; returns out. */
char *addr_format(const struct addr *a, char out[ADDR_TEXT_CAP]);

/* The IP alone, no brackets; returns out. */
char *addr_format_ip(const struct addr *a, char out[ADDR_TEXT_CAP]);

bool addr_is_loopback(const struct addr *a);
bool addr_is_link_local(const struct addr *a);
bool addr_is_unspecified(const struct addr *a);

/* Family, port and IP packed without holes, as a key for a map: 19 bytes; returns its length. */
enum { ADDR_KEY_CAP = 19 };
size_t addr_key(const struct addr *a, uint8_t out[ADDR_KEY_CAP]);
