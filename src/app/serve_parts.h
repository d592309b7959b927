/* serve_parts: what serve.c makes of the configuration: addresses, keys, the settings of rooms and of the front. */
#pragma once
#include "auth/keys.h"
#include "config/config.h"
#include "front/front.h"
#include "rooms/rooms.h"
#include "signal/bridge.h"

/* The ICE servers that clients are told of. */
struct serve_ice {
	Livekit__ICEServer *servers, **ptrs;
	size_t n;
};

void serve_ice_init(struct serve_ice *ice, const struct config *cfg);
void serve_ice_free(struct serve_ice *ice);

/* A set with the configuration's API keys. Returns owned: auth_keys_unref. */
MUST_CHECK struct auth_keys *serve_keys(const struct config *cfg);

/* `ice` is borrowed by the result. node_id is drawn on the first call and stays. */
void serve_rooms_cfg(const struct config *cfg, const struct serve_ice *ice, struct rooms_cfg *out);

/*
 * The addresses that RTC sockets are bound to, with `port`, and what clients are told of them: at most ICE_LOCALS_MAX.
 * -ERR_CONFIG with the fix in eb if the filters leave none.
 */
MUST_CHECK int serve_locals(const struct config *cfg, uint16_t port, struct ice_local *out,
	size_t *n, struct errbuf *eb);

/* Starts the front with the bridge as its ops. */
MUST_CHECK int serve_front(const struct config *cfg, struct auth_keys *keys, struct bridge *bridge,
	struct front **out, struct errbuf *eb);
