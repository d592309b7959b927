/*
 * ice_internal: the agent's data, shared by the files of this folder.
 *
 * Checklist freezing (RFC 8445 §6.1.2.6) is left out: with one component and one stream it only delays checks.
 * Pairs of one generation of credentials form the checklist; after a restart the one pair of the previous
 * generation that is still selected stays beside it.
 *
 * There is no separate nomination transaction: the selected pair is checked for consent all the time, and
 * once is_nominating is set those checks carry USE-CANDIDATE.
 */
#pragma once
#include "base/macros.h"
#include "ice/ice.h"

enum {
	NONE = -1,
	CHECK_SENDS_MAX = 7,      /* Rc of RFC 8489 §6.2.1 */
	CHECK_BACKOFF_MAX = 4,    /* retransmissions get no slower than 4 RTO: the peer's NAT opens late, not rarely */
	CONSENT_SENDS_MAX = 4,    /* then a consent check gets a new transaction id */
	MISSED_MAX = 5,           /* consent checks without an answer, after which a pair that works is better */
	PRIORITY_MAX = 0x7fffffff,
	TAKEOVER_US = 1000000,    /* a nomination this old yields to a newer one, whatever the priorities */
};
#define NEVER UINT64_MAX

enum pair_state {
	PAIR_FREE,      /* the slot is empty */
	PAIR_WAITING,   /* to be checked when its turn comes */
	PAIR_CHECKING,
	PAIR_SUCCEEDED, /* the last check was answered */
	PAIR_IDLE,      /* failed or not needed; a check from the peer or the loss of the selected pair wakes it */
};

/* A transaction of ours. */
struct check {
	uint8_t tid[STUN_TID_LEN];
	bool is_open, use_candidate, as_controlling;
	uint8_t n_sent;
	uint64_t sent_us;         /* the last transmission */
};

struct remote {
	struct addr addr;
	uint32_t priority;
	uint8_t type;             /* enum ice_candidate_type */
	bool is_used;
};

struct pair {
	uint8_t state;            /* enum pair_state */
	uint8_t local, remote, gen;
	uint8_t n_missed;         /* transmissions since the last answer, up to MISSED_MAX */
	bool is_wanted;           /* controlled: USE-CANDIDATE came before our own check was answered */
	uint32_t trigger;         /* place in the triggered-check queue; 0 = not queued */
	uint32_t rtt_us, rto_us;
	uint64_t priority;
	uint64_t next_us;         /* next transmission on this pair; NEVER = none planned */
	uint64_t heard_us;        /* last answer; for a lite agent the last request */
	uint64_t nominated_us;    /* last request with USE-CANDIDATE; 0 = never */
	struct check now, before; /* an answer to the check before the present one still counts */
};

/* One generation of credentials: ours and the peer's. */
struct gen {
	char ufrag[ICE_LOCAL_UFRAG_MAX + 1];
	struct hmac_sha1 local_key, remote_key;
	uint16_t remote_ufrag_len, username_len;
	bool has_remote;
	char username[ICE_CRED_MAX + 1 + ICE_LOCAL_UFRAG_MAX]; /* "peer's ufrag:ours", as our checks carry it */
};

struct ice {
	struct ice_cfg cfg;       /* its pointers are cleared; locals live below */
	const struct ice_ops *ops;
	void *arg;
	enum ice_state state;
	bool is_controlling;
	bool is_nominating;       /* controlling: the choice is made, checks on the selected pair say so */
	bool is_remote_complete;  /* end-of-candidates */
	bool is_rechecking;       /* the selected pair is silent and the others were woken */
	uint8_t gen_now;          /* index into gens; the other one is the previous generation */
	bool has_gen_before;
	int selected, nominated;  /* index into pairs, or NONE */
	uint32_t trigger_seq;
	uint32_t n_pairs;         /* slots ever used */
	uint64_t jitter;          /* state of the generator for intervals */
	uint64_t checking_since_us, next_check_us, nominate_at_us;
	struct gen gens[2];
	size_t n_locals;
	struct ice_local locals[ICE_LOCALS_MAX];
	struct remote remotes[ICE_REMOTES_MAX];
	struct pair pairs[ICE_PAIRS_MAX];
};
_Static_assert(sizeof(struct ice) < 12 * 1024, "an agent has to stay small: there is one per peer connection");

#define for_each_pair(a, p)                                                                        \
	for (struct pair *p = (a)->pairs; p < (a)->pairs + (a)->n_pairs; p++)                      \
		if (p->state == PAIR_FREE) {                                                       \
		} else

static inline int pair_index(const struct ice *a, const struct pair *p)
{
	return (int)(p - a->pairs);
}

static inline struct pair *selected_pair(struct ice *a)
{
	return a->selected == NONE ? NULL : &a->pairs[a->selected];
}

static inline bool is_stopped(const struct ice *a)
{
	return a->state == ICE_FAILED || a->state == ICE_CLOSED;
}

/* ------------------------------------------------------------------ ice_pair.c */

/* NULL if unknown. */
struct remote *remote_find(struct ice *a, const struct addr *addr);

/* NULL when full; a peer-reflexive one may take the place of one that does not work. */
struct remote *remote_add(struct ice *a, const struct addr *addr, enum ice_candidate_type type,
	uint32_t priority, uint64_t now_us);

/* Pairs the candidate with each socket that can reach it. */
void pair_with_locals(struct ice *a, const struct remote *r, uint64_t now_us);

/* The pair of this generation, NULL if there is none. */
struct pair *pair_find(struct ice *a, unsigned local, const struct remote *r, uint8_t gen);

/* NULL when full of better ones; `is_certain` says that the peer was heard on it. */
struct pair *pair_add(struct ice *a, unsigned local, const struct remote *r, bool is_certain,
	uint64_t now_us);

/* Forgets all pairs, and all remotes without a pair, but the selected one. */
void pair_drop_others(struct ice *a);

/* True if the pair works as far as we know. */
bool pair_is_fresh(const struct ice *a, const struct pair *p, uint64_t now_us);

/* Queues a triggered check (RFC 8445 §7.3.1.4). */
void pair_trigger(struct ice *a, struct pair *p);

/* Controlled: the peer wants this pair, and it works. */
void pair_nominate(struct ice *a, struct pair *p, uint64_t now_us);

/* Takes the best pair for media, if it is another one than now. */
void pair_choose(struct ice *a, uint64_t now_us);

/* Wakes every pair but the selected one. */
void pair_recheck_all(struct ice *a);

void role_set(struct ice *a, bool is_controlling, uint64_t now_us);

/* Local candidate preference of a socket's k-th advertised address. */
uint16_t local_pref(unsigned local, unsigned k);

/* Consent interval, randomised by 0.8…1.2 (RFC 7675 §5.1). */
uint64_t consent_interval_us(struct ice *a);

/* ------------------------------------------------------------------ ice_check.c */

/* Sends what is due: retransmissions, consent checks, and one new check per pacing interval. */
void checks_run(struct ice *a, uint64_t now_us);
uint64_t checks_next_us(const struct ice *a);

/* ------------------------------------------------------------------ ice.c */

/* Selection, nomination and state after anything has changed; then sends what is due. */
void agent_settle(struct ice *a, uint64_t now_us);
