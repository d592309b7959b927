/*
 * icelist: the STUN and TURN servers that clients are told of, and the credentials that go with them.
 *
 * One list for all who ask: JoinResponse.ice_servers (rooms/), GET /api/v1/config/webrtc (front/). Made from the
 * configuration, then shared and never changed: a reload makes a new one, swaps the pointer and drops its reference to
 * the old. Reading and the reference count are safe on any thread. Knows no clock: callers give the time. Nothing here
 * logs.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/addr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

enum {
	ICELIST_NAME_MAX = 128,  /* bytes of the name in a REST user name */
	ICELIST_JSON_MAX = 1 << 20,
};

/* One TURN server, or several behind one user: URLs as browsers take them. */
struct icelist_turn {
	const char *const *urls;
	size_t n_urls;
	const char *username, *credential; /* a fixed user; "" or NULL = none */
	const char *secret;                /* REST credentials instead; "" or NULL = none */
	uint64_t ttl_s;                    /* how long those are good */
};

/* The TURN server in this process. */
struct icelist_embedded {
	bool has_stun, has_relay;
	const struct addr *ips; /* what clients reach it by; ports are ignored */
	size_t n_ips;
	uint16_t udp_port, tcp_port; /* 0 = not offered */
	const char *domain;          /* of its certificate; needed for turns: */
	uint16_t tls_port;           /* as clients see it, a balancer in front included; 0 = not offered */
	const char *secret;          /* shared secret for strangers; "" or NULL = they get STUN only */
	char rest_separator;         /* between expiry and name in a REST user name; 0 = ':' */
	uint64_t ttl_s;
};

/* Copied, with all that it points to. */
struct icelist_cfg {
	const char *const *stun_urls; /* "stun:host:port" */
	size_t n_stun_urls;
	const struct icelist_turn *turn;
	size_t n_turn;
	struct icelist_embedded embedded;
	bool has_default_stun; /* participants get public STUN servers where no server at all is configured */
};

struct icelist;

/*
 * Servers that nobody could use (no URL, half a user without a secret) are left out. Returns owned, one reference:
 * icelist_unref.
 */
MUST_CHECK struct icelist *icelist_new(const struct icelist_cfg *cfg);
struct icelist *icelist_ref(struct icelist *l);
/* Accepts NULL. Secrets are wiped with the last reference. */
void icelist_unref(struct icelist *l);

/* Whether a participant whose API key is known gets a server that relays. `l` may be NULL. */
bool icelist_relays_participants(const struct icelist *l);

/* What is told of one set of servers. */
struct icelist_entry {
	const char *const *urls; /* borrowed from the list */
	size_t n_urls;
	char *username, *credential; /* both NULL: STUN. Never "" */
};

/* Belongs to one asker; do not log it. Borrows from its list. */
struct icelist_answer {
	struct icelist_entry *entries;
	size_t n;
};

/* The participant an answer is for. All borrowed for the call. */
struct icelist_participant {
	const char *api_key, *secret; /* of its token; secret "" or NULL: the embedded server is left out */
	const char *sid;
};

/*
 * For a participant of a room: the embedded server with credentials for this participant alone (turn/participant.h),
 * REST credentials named after its sid, fixed users. *a is owned: icelist_answer_free. `l` NULL gives no servers.
 */
void icelist_for_participant(const struct icelist *l, const struct icelist_participant *p,
	uint64_t now_s, struct icelist_answer *a);

/*
 * For somebody unknown. Of the embedded server, relaying is offered only with its shared secret: participants'
 * credentials are not for strangers. `name` tells the askers apart in REST user names `<expiry>:<name>`; cut at
 * ICELIST_NAME_MAX. *a is owned: icelist_answer_free.
 */
void icelist_for_anybody(
	const struct icelist *l, const char *name, uint64_t now_s, struct icelist_answer *a);

void icelist_answer_free(struct icelist_answer *a);

/* Whether an entry relays: has a turn: or turns: URL. */
bool icelist_entry_is_turn(const struct icelist_entry *e);

/*
 * Appends {"iceServers":[…]}: username and credential only where they are set, [] where there are no servers.
 * -ERR_MALFORMED if a text is not UTF-8.
 */
MUST_CHECK int icelist_json(const struct icelist_answer *a, struct buf *out);

/*
 * The password of a REST user name (coturn's use-auth-secret): base64(HMAC-SHA1(secret, username)).
 * `out` holds ICELIST_PASSWORD_CAP bytes.
 */
enum { ICELIST_PASSWORD_CAP = 29 };
void icelist_rest_password(
	struct slice secret, struct slice username, char out[ICELIST_PASSWORD_CAP]);
