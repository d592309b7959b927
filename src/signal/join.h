/*
 * join: may this HTTP request join a room, and with what wishes?
 *
 * The same function answers /rtc/validate and stands before the WebSocket upgrade of /rtc and
 * /rtc/v1. It looks at nothing but its arguments. What only the room's worker can know (is it full?
 * is the session still there?) is not asked here: that answer comes as a `leave` message on the
 * open WebSocket.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "auth/grants.h"
#include "auth/keys.h"
#include "base/addr.h"
#include "base/err.h"
#include "base/slice.h"
#include "proto/signal.pb-c.h"

/* Bytes; 0 = no limit. Metadata and attributes are measured as they would enter the room. */
struct signal_join_limits {
	size_t room_name, identity, name, metadata, attributes;
};

#define SIGNAL_JOIN_LIMITS_DEFAULT                                                                 \
	((struct signal_join_limits){.room_name = 256,                                             \
		.identity = 256,                                                                   \
		.name = 256,                                                                       \
		.metadata = 512000,                                                                \
		.attributes = 512000})

struct signal_join_env {
	const struct auth_keys *keys;
	struct signal_join_limits limits;
	uint64_t now_s; /* Unix time */
	bool auto_create;
	bool (*room_exists)(void *arg, const char *room); /* asked only without auto_create */
	void *arg;
};

enum signal_join_path {
	SIGNAL_JOIN_V0, /* /rtc: query parameters, or join_request */
	SIGNAL_JOIN_V1, /* /rtc/v1: join_request */
};

/* One query parameter, percent-decoded. */
struct signal_join_query {
	struct slice name, value;
};

/* Everything is borrowed for the call. */
struct signal_join_http {
	enum signal_join_path path;
	const struct signal_join_query *query; /* the first of equal names counts */
	size_t n_query;
	struct slice authorization; /* the header's value; p == NULL: no such header */
	struct slice user_agent;
	struct addr client;
};

/* A join that passed. Owns all it points to. */
struct signal_join_params {
	/*
	 * The token's, with the client's own name, metadata and attributes merged in, and with
	 * `publish` applied.
	 */
	struct grants *grants;
	const char *room, *identity; /* inside grants */

	/*
	 * From join_request, or put together from the query of v0. client_info is always there,
	 * with address filled in. add_track_requests, publisher_offer and sync_state are for the
	 * worker to act on after its JoinResponse.
	 */
	Livekit__JoinRequest *request;
	const char *participant_sid; /* "" unless reconnect; inside request */

	bool is_single_pc; /* came with a join_request: one peer connection for both directions */
	bool reconnect;
	bool auto_subscribe, auto_subscribe_data_track, adaptive_stream, subscriber_allow_pause,
		disable_ice_lite;
	struct addr client;
};

/* Accepts NULL. */
void signal_join_params_free(struct signal_join_params *p);

/*
 * 0 and *out owned by the caller, *http_status 200. Else -ERR_X, *out NULL, *http_status what to
 * answer, and in `eb` the text of the answer: 401 for tokens and permissions, 400 for what is
 * missing or too long, 404 for a room that does not exist.
 */
MUST_CHECK int signal_join_check(const struct signal_join_env *env,
	const struct signal_join_http *http, struct signal_join_params **out, struct errbuf *eb,
	int *http_status);

/*
 * The token of a request: the Authorization header if there is one, else the parameter
 * access_token. Empty if there is none. -ERR_AUTH if the header is there but is not "Bearer …".
 */
MUST_CHECK int signal_join_token(
	const struct signal_join_http *http, struct slice *token, struct errbuf *eb);

/*
 * Completes what a browser leaves out: browser, its version and os from the User-Agent header.
 * Fields that are set already stay. The strings are written to `text`, which must live as long as
 * `info` is used.
 */
struct signal_join_agent {
	char browser[32], browser_version[32], os[32], os_version[32];
};
void signal_join_agent_fill(
	Livekit__ClientInfo *info, struct slice user_agent, struct signal_join_agent *text);
