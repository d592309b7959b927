/*
 * policy: which peers a TURN client may reach. Built once, read by all workers; a look-up allocates
 * nothing.
 *
 * Order: own addresses (relay addresses, SFU ports) → allowed; deny_always → denied; allow list → allowed; deny list
 * and the built-in ranges, unless switched off → denied; else allowed. An IPv4 address in IPv6 dress
 * (v4-mapped, NAT64,
 * 6to4, Teredo, ISATAP) is judged as that IPv4 address, and its dress as the range it is in.
 */
#pragma once
#include <stdbool.h>
#include "base/addr.h"
#include "base/err.h"
#include "base/slice.h"

struct turn_policy;

struct turn_policy_cfg {
	/* "10.0.0.0/8", "10.0.0.1-10.0.0.9", "10.0.0.1"; both families. */
	const char *const *allow, *const *deny;
	const char *const *deny_always; /* LiveKit's deny_peer_cidrs */
	size_t n_allow, n_deny, n_deny_always;
	bool allow_loopback, allow_private; /* of the built-in ranges; --dev and coturn's allow-loopback-peers */
	bool no_builtin;                    /* coturn's defaults: nothing but what is configured; needs auth */
	/*
	 * Always reachable: exact transport addresses (the SFU's ports), and relay addresses with
	 * their port range.
	 */
	const struct addr *own;
	size_t n_own;
	const struct addr *own_relay; /* ports ignored */
	size_t n_own_relay;
	uint16_t relay_first, relay_last;
	/*
	 * This machine's addresses, beside those above. A connection that begins here comes past the firewall: over
	 * TCP nothing but relayed addresses is reached on them, unless the allow list, a switch for their range or
	 * no_builtin says otherwise.
	 */
	const struct addr *local;
	size_t n_local;
};

/* *out owned. -ERR_CONFIG: eb names the entry that is wrong. */
MUST_CHECK int turn_policy_new(
	struct turn_policy **out, const struct turn_policy_cfg *cfg, struct errbuf *eb);
void turn_policy_free(struct turn_policy *p); /* accepts NULL */

/* Is it an entry of a list? */
bool turn_policy_is_range(const char *text);

/*
 * May datagrams go to `peer`? With port 0 (CreatePermission) the address alone is judged: an own
 * address passes if any
 * of its ports would; turn/ asks again with the port before a datagram is sent.
 */
bool turn_policy_allows(const struct turn_policy *p, const struct addr *peer);

/* The same for a TCP connection (RFC 6062): of own addresses only those of relays pass. */
bool turn_policy_allows_tcp(const struct turn_policy *p, const struct addr *peer);

/*
 * The same two without regard to own addresses: for a port of the relay range that no allocation has, and that may be
 * another program's.
 */
bool turn_policy_allows_stranger(const struct turn_policy *p, const struct addr *peer);
bool turn_policy_allows_tcp_stranger(const struct turn_policy *p, const struct addr *peer);
