/* serve_parts: what serve.c makes of the configuration: addresses, keys, the settings of rooms and of the front. */
#pragma once
#include "auth/keys.h"
#include "config/config.h"
#include "front/front.h"
#include "icelist/icelist.h"
#include "rooms/rooms.h"
#include "signal/bridge.h"

struct turn_host;

/* What all threads read and a reload swaps. Borrowed. */
struct serve_shared {
	struct auth_keys *keys;
	struct icelist *ice;
	struct turn_host *turn; /* NULL: none */
};

/* The ICE servers that clients are told of. Returns owned: icelist_unref. */
MUST_CHECK struct icelist *serve_icelist(const struct config *cfg);

/* A set with the configuration's API keys. Returns owned: auth_keys_unref. */
MUST_CHECK struct auth_keys *serve_keys(const struct config *cfg);

/* `ice` is borrowed by the result. node_id is drawn on the first call and stays. */
void serve_rooms_cfg(const struct config *cfg, struct icelist *ice, struct rooms_cfg *out);

/*
 * The addresses that RTC sockets are bound to, with `port`, and what clients are told of them: at most ICE_LOCALS_MAX.
 * -ERR_CONFIG with the fix in eb if the filters leave none.
 */
MUST_CHECK int serve_locals(const struct config *cfg, uint16_t port, struct ice_local *out,
	size_t *n, struct errbuf *eb);

/* A reload: says what changed, and keeps in `fresh` what needs a restart. Returns how many keys changed. */
size_t serve_take_changes(const struct config *old, struct config *fresh);

/* All addresses with ports that the workers' SFU ends receive on, or are known by. Returns how many were written. */
size_t serve_sfu_addrs(const struct config *cfg, unsigned n_workers, struct addr *out, size_t cap);

/* Starts the front with the bridge as its ops. */
MUST_CHECK int serve_front(const struct config *cfg, const struct serve_shared *shared,
	struct bridge *bridge, struct front **out, struct errbuf *eb);

/* The front of a TURN server alone: no rooms, no page. */
MUST_CHECK int serve_turn_front(const struct config *cfg, const struct serve_shared *shared,
	struct front **out, struct errbuf *eb);

/* /metrics on a port of its own; *out stays NULL if it is not configured. */
MUST_CHECK int serve_metrics_front(const struct config *cfg, const struct serve_shared *shared,
	struct front **out, struct errbuf *eb);
