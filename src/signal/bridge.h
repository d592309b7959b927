/*
 * bridge: between the front thread, which owns the signal WebSockets, and the workers, which own the rooms.
 *
 * A join is sent to the worker of its room (rooms/registry) and all that follows on the connection goes there too, as
 * mailbox messages. What the workers answer goes straight to front_send.
 */
#pragma once
#include "front/front.h"
#include "rooms/rooms.h"
#include "thread/worker.h"

struct bridge;

/* A worker and its rooms. */
struct bridge_target {
	struct worker *worker;
	struct rooms *rooms;
};

/*
 * Copies the targets, borrows what they and `registry` point to. *front is read when the front thread calls the ops: it
 * may be set later. Returns owned.
 */
MUST_CHECK struct bridge *bridge_new(struct registry *registry, const struct bridge_target *targets,
	unsigned n, struct front *const *front);

/* What this process takes at most; past it joins get 503 and /readyz says so. 0 = no limit. */
struct bridge_limits {
	uint32_t tracks;        /* published and subscribed ones together */
	uint64_t bytes_per_sec; /* of media, in and out */
};

/* Any thread, any time. */
void bridge_set_limits(struct bridge *b, const struct bridge_limits *limits);

/* After front_stop and after the workers ended. Accepts NULL. */
void bridge_free(struct bridge *b);

/* The front's ops; their argument is the bridge. */
extern const struct front_ops bridge_front_ops;
