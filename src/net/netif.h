/* netif: the machine's own IP addresses, filtered for use as ICE host candidates. Control path. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "base/addr.h"

/* A CIDR block. */
struct cidr {
	struct addr base;
	unsigned bits;
};

/* "10.0.0.0/8", "2001:db8::/32" or a single address. 0 or -ERR_MALFORMED. */
MUST_CHECK int cidr_parse(struct cidr *c, struct slice text);
bool cidr_has(const struct cidr *c, const struct addr *a);

struct netif_filter {
	char *const *if_includes, *const *if_excludes; /* NULL-terminated interface names; NULL or empty = all / none */
	const struct cidr *ip_includes, *ip_excludes;
	size_t n_ip_includes, n_ip_excludes;
	bool with_loopback;
};

/*
 * Fills `out` with the addresses (port 0) of interfaces that are up and pass the filter: IPv4 first, then IPv6;
 * no link-local ones. Returns how many there are; at most `cap` are written.
 */
size_t netif_list(const struct netif_filter *f, struct addr *out, size_t cap);
