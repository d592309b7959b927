/*
 * ice: one ICE agent for one component (BUNDLE and rtcp-mux make that all a peer connection needs).
 *
 * RFC 8445 with trickle (RFC 8838), patience (RFC 8863) and consent freshness (RFC 7675); full by default, lite by
 * option. Sans-IO: parsed STUN messages and `now_us` in, datagrams and events out through struct ice_ops. It
 * opens no socket, gathers no addresses, knows no SDP beyond the candidate line, no TURN and no ICE-TCP.
 * Called by session/, from one thread per agent. All memory is taken by ice_new.
 *
 * The caller's local sockets are numbered 0…n-1; a path is a socket's number and the remote address.
 *
 *   ice_new → ice_set_remote, ice_add_remote_candidate …   in any order, as signalling delivers them
 *   ice_rx for each STUN message of this agent; ice_timeout when ice_next_us has come
 *
 * Any call that takes now_us may call the ops and move the deadline: read ice_next_us again after it.
 * An op may call the getters (those with a const agent), nothing else of the same agent.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/addr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"
#include "stun/stun.h"

enum {
	ICE_LOCALS_MAX = 8,
	ICE_ADVERTISED_MAX = 2,     /* advertised addresses per local socket */
	ICE_REMOTES_MAX = 32,
	ICE_PAIRS_MAX = 64,
	ICE_LOCAL_UFRAG_MAX = 32,   /* our own; a peer may use up to ICE_CRED_MAX (RFC 8839 §5.4) */
	ICE_UFRAG_MIN = 4,
	ICE_PWD_MIN = 22,
	ICE_CRED_MAX = 256,
	ICE_FOUNDATION_MAX = 32,
};

/* ------------------------------------------------------------------ candidates */

enum ice_candidate_type { ICE_HOST, ICE_SRFLX, ICE_PRFLX, ICE_RELAY };

/* A UDP candidate of component 1. */
struct ice_candidate {
	struct addr addr;
	struct addr related;        /* raddr and rport; family 0 = absent */
	enum ice_candidate_type type;
	uint32_t priority;          /* 1 … 2^31-1 */
	char foundation[ICE_FOUNDATION_MAX + 1];
	struct slice ufrag;         /* extension "ufrag": borrows from the parsed line; empty = absent */
};

/* RFC 8445 §5.1.2.1 for component 1; local_pref tells sockets apart, higher is better. */
uint32_t ice_priority(enum ice_candidate_type type, uint16_t local_pref);

/*
 * Parses "candidate:…" (RFC 8839 §5.1), with or without "a=" in front and a line end behind. Extensions that are
 * not known are skipped. IPv4-mapped addresses come out as IPv4.
 * 0; -ERR_UNSUPPORTED for a well-formed line that is of no use here (TCP, a name instead of an address such as
 * mDNS's ".local", another component than 1, IPv6 link-local): the caller ignores it; -ERR_MALFORMED, also
 * for port 0 and for addresses no host can have (unspecified, multicast, broadcast).
 */
MUST_CHECK int ice_candidate_parse(struct ice_candidate *c, struct slice line);

/* Appends "candidate:… generation 0", with "ufrag …" if c->ufrag is set; no "a=", no line end. */
void ice_candidate_format(const struct ice_candidate *c, struct buf *out);

/* ------------------------------------------------------------------ agent */

enum ice_state {
	ICE_NEW,          /* no remote credentials yet */
	ICE_CHECKING,     /* no pair works yet */
	ICE_CONNECTED,    /* a pair is selected and the peer consents */
	ICE_DISCONNECTED, /* no consent for disconnected_us; still trying, and it may come back */
	ICE_FAILED,       /* given up; only ice_restart leads on. Nothing is sent. */
	ICE_CLOSED,       /* after ice_close. Nothing is sent. */
};

/* "new", "checking", …; static storage. */
const char *ice_state_name(enum ice_state state);

struct ice_ops {
	/* Send a datagram from socket `local`; `datagram` is valid during the call. Loss is fine. */
	void (*send)(void *arg, unsigned local, const struct addr *to, struct slice datagram);
	void (*state)(void *arg, enum ice_state state);
	/*
	 * Media goes from socket `local` to `remote` from now on. Called before the first ICE_CONNECTED and
	 * whenever the path changes. It may come before nomination: any pair that works carries media.
	 */
	void (*selected)(void *arg, unsigned local, const struct addr *remote);
};

/* One socket of the caller. `base` may have the unspecified IP; its family decides what it can reach. */
struct ice_local {
	struct addr base;
	struct addr advertised[ICE_ADVERTISED_MAX]; /* what peers are told instead of `base`, e.g. a public IP */
	size_t n_advertised;                        /* 0 = peers are told `base` */
};

/* Start from ice_cfg_default, then set what has no default. */
struct ice_cfg {
	const char *ufrag, *pwd;       /* ours: 4…32 and 22…256 ice-chars; copied */
	bool is_controlling;           /* ignored if is_lite: a lite agent is always controlled */
	bool is_lite;                  /* answers checks, never sends one (RFC 8445 §2.5) */
	uint64_t tie_breaker;          /* random (RFC 8445 §16.1) */
	const struct ice_local *locals;/* copied */
	size_t n_locals;               /* 1…ICE_LOCALS_MAX */

	uint32_t pacing_us;            /* between two new checks (Ta): 20 ms */
	uint32_t rto_us;               /* first retransmission of a check: 500 ms */
	uint32_t nominate_us;          /* controlling: from the first working pair to nomination: 100 ms */
	uint32_t consent_us;           /* between consent checks, times 0.8…1.2: 2 s */
	uint32_t initial_timeout_us;   /* checking → failed: 15 s */
	uint32_t disconnected_us;      /* last consent → disconnected: 10 s */
	uint32_t failed_us;            /* disconnected → failed: 5 s */
	uint32_t consent_expiry_us;    /* last consent → failed, whatever the two above say: 30 s (RFC 7675 §5.1) */
};

void ice_cfg_default(struct ice_cfg *cfg);

struct ice;

/* Returns owned in *out. `ops` is borrowed for the agent's life. 0; -ERR_RANGE if cfg breaks its limits. */
MUST_CHECK int ice_new(
	struct ice **out, const struct ice_cfg *cfg, const struct ice_ops *ops, void *arg);

/* Accepts NULL. Calls no op. */
void ice_free(struct ice *a);

/* Stops for good: state becomes ICE_CLOSED, every later call is refused or does nothing. */
void ice_close(struct ice *a);

/*
 * The peer's credentials; from now on checks are sent. Setting the same again is harmless.
 * 0; -ERR_RANGE for a wrong length or character; -ERR_BAD_STATE if others are set (that takes ice_restart) or closed.
 */
MUST_CHECK int ice_set_remote(struct ice *a, struct slice ufrag, struct slice pwd, uint64_t now_us);

/*
 * A candidate of the peer, as signalled; the line is as for ice_candidate_parse. One that is known is accepted
 * again. 0; the errors of ice_candidate_parse; -ERR_NO_ROOM past ICE_REMOTES_MAX; -ERR_BAD_STATE when failed or closed
 * or if the line names a ufrag that is not the one set by ice_set_remote (a candidate of another generation).
 */
MUST_CHECK int ice_add_remote_candidate(struct ice *a, struct slice line, uint64_t now_us);

/* No more will be signalled. Only speeds nomination up: failing early would be impatient (RFC 8863). */
void ice_end_of_remote_candidates(struct ice *a, uint64_t now_us);

/*
 * One parsed STUN message that came in on socket `local`. Requests are answered here. Whatever is
 * not authentic changes nothing and is not answered. Allocates nothing. 0; -ERR_AUTH (integrity or
 * username missing or wrong); -ERR_MALFORMED; -ERR_NOT_FOUND (a response to no check of ours, or
 * from another address than the check went to); -ERR_UNSUPPORTED (method, or attributes that must
 * be understood); -ERR_NO_ROOM (answered, but no room for a new pair); -ERR_BAD_STATE (failed,
 * closed, or `local` unknown).
 */
MUST_CHECK int ice_rx(struct ice *a, unsigned local, const struct addr *from,
	const struct stun_msg *m, uint64_t now_us);

/*
 * New local credentials (RFC 8445 §9); the caller signals them and calls ice_set_remote with the peer's new ones.
 * Until a pair of the new generation works, the old pair stays selected, its consent is kept up and checks
 * with the old credentials are answered. Also leads out of ICE_FAILED. 0; -ERR_RANGE as for ice_new;
 * -ERR_EXISTS if the ufrag is the one in use; -ERR_BAD_STATE if closed.
 */
MUST_CHECK int ice_restart(struct ice *a, const char *ufrag, const char *pwd, uint64_t now_us);

/* When ice_timeout wants to be called; UINT64_MAX = never. */
uint64_t ice_next_us(const struct ice *a);

/* Does what is due. Early and late calls are harmless. */
void ice_timeout(struct ice *a, uint64_t now_us);

/* ------------------------------------------------------------------ getters */

enum ice_state ice_state(const struct ice *a);
bool ice_is_controlling(const struct ice *a);

/* Our ufrag of this generation or, after a restart, of the one before. */
bool ice_is_local_ufrag(const struct ice *a, struct slice ufrag);

/* Smoothed round-trip time of the selected pair; 0 = not known. */
uint32_t ice_rtt_us(const struct ice *a);

/* False if no pair is selected. *remote borrows from the agent until the next call that takes now_us. */
bool ice_selected(const struct ice *a, unsigned *local, const struct addr **remote);

/*
 * Our host candidates for signalling, best first: `ufrag` is set to the current one and borrows from the
 * agent. Bases with the unspecified IP and no advertised address have none. Writes at most `cap`; returns how many.
 */
size_t ice_local_candidates(const struct ice *a, struct ice_candidate *out, size_t cap);
