#include "ice/ice_internal.h"

#include "base/mem.h"
#include "crypto/crc.h"

static const char *const state_names[] = {
	[ICE_NEW] = "new",
	[ICE_CHECKING] = "checking",
	[ICE_CONNECTED] = "connected",
	[ICE_DISCONNECTED] = "disconnected",
	[ICE_FAILED] = "failed",
	[ICE_CLOSED] = "closed",
};

const char *ice_state_name(enum ice_state state)
{
	return (size_t)state < ARRAY_LEN(state_names) ? state_names[state] : "?";
}

void ice_cfg_default(struct ice_cfg *cfg)
{
	*cfg = (struct ice_cfg){
		.pacing_us = 20 * 1000,
		.rto_us = 500 * 1000,
		.nominate_us = 100 * 1000,
		.consent_us = 2 * 1000 * 1000,
		.initial_timeout_us = 15 * 1000 * 1000,
		.disconnected_us = 10 * 1000 * 1000,
		.failed_us = 5 * 1000 * 1000,
		.consent_expiry_us = 30 * 1000 * 1000,
	};
}

/* RFC 8839 §5.4 names letters, digits, '+' and '/'. Peers use more, so only what would break a USERNAME is refused. */
static bool is_cred(struct slice s, size_t min, size_t max)
{
	if (s.n < min || s.n > max)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] >= 0x7f || s.p[i] == ':')
			return false;
	return true;
}

static int gen_init(struct gen *gen, const char *ufrag, const char *pwd)
{
	struct slice u = slice_str(ufrag), p = slice_str(pwd);
	if (!is_cred(u, ICE_UFRAG_MIN, ICE_LOCAL_UFRAG_MAX) ||
		!is_cred(p, ICE_PWD_MIN, ICE_CRED_MAX))
		return -ERR_RANGE;
	*gen = (struct gen){0};
	memcpy(gen->ufrag, u.p, u.n);
	hmac_sha1_init(&gen->local_key, p.p, p.n);
	return 0;
}

static struct slice remote_ufrag(const struct gen *gen)
{
	return slice_of(gen->username, gen->remote_ufrag_len);
}

static void state_set(struct ice *a, enum ice_state state)
{
	if (a->state == state)
		return;
	a->state = state;
	a->ops->state(a->arg, state);
}

/* When the agent gives up, as things are. */
static uint64_t fail_at_us(const struct ice *a)
{
	const struct ice_cfg *c = &a->cfg;
	uint64_t restart_end = a->checking_since_us + c->initial_timeout_us;
	if (a->selected == NONE)
		return a->gens[a->gen_now].has_remote ? restart_end : NEVER;
	const struct pair *p = &a->pairs[a->selected];
	uint64_t expiry = p->heard_us + c->consent_expiry_us;
	uint64_t at = MIN(p->heard_us + c->disconnected_us + c->failed_us, expiry);
	/* A restart began because the path was lost: it gets its time, as long as consent lasts. */
	if (p->gen != a->gen_now)
		at = MAX(at, MIN(restart_end, expiry));
	return at;
}

static enum ice_state state_now(const struct ice *a, uint64_t now_us)
{
	if (now_us >= fail_at_us(a))
		return ICE_FAILED;
	if (a->selected == NONE)
		return a->gens[a->gen_now].has_remote ? ICE_CHECKING : ICE_NEW;
	uint64_t heard_us = a->pairs[a->selected].heard_us;
	return now_us >= heard_us + a->cfg.disconnected_us ? ICE_DISCONNECTED : ICE_CONNECTED;
}

static bool is_better_pending(struct ice *a)
{
	for_each_pair(a, p)
		if ((p->state == PAIR_WAITING || p->state == PAIR_CHECKING) &&
			p->priority > a->pairs[a->selected].priority)
			return true;
	return false;
}

/* Controlling: the time of choice has come, or nothing better can be found any more. */
static void nominate_if_due(struct ice *a, uint64_t now_us)
{
	if (a->nominate_at_us == NEVER || a->selected == NONE)
		return;
	struct pair *p = &a->pairs[a->selected];
	bool is_final = a->is_remote_complete && !is_better_pending(a);
	if (p->gen != a->gen_now || (now_us < a->nominate_at_us && !is_final))
		return;
	a->nominate_at_us = NEVER;
	a->is_nominating = true;
	p->next_us = now_us;
}

static uint64_t silent_at_us(const struct ice *a)
{
	if (a->selected == NONE || a->cfg.is_lite || a->is_rechecking)
		return NEVER;
	return a->pairs[a->selected].heard_us + a->cfg.disconnected_us / 2;
}

/* The selected pair is silent: look whether another one works. */
static void recheck_if_silent(struct ice *a, uint64_t now_us)
{
	const struct pair *p = selected_pair(a);
	if (!p || a->cfg.is_lite)
		return;
	if (pair_is_fresh(a, p, now_us)) {
		a->is_rechecking = false;
	} else if (!a->is_rechecking) {
		a->is_rechecking = true;
		pair_recheck_all(a);
	}
}

void agent_settle(struct ice *a, uint64_t now_us)
{
	if (is_stopped(a))
		return;
	pair_choose(a, now_us);
	nominate_if_due(a, now_us);
	recheck_if_silent(a, now_us);
	enum ice_state state = state_now(a, now_us);
	if (state == ICE_FAILED)
		a->selected = a->nominated = NONE;
	state_set(a, state);
	checks_run(a, now_us);
}

int ice_new(struct ice **out, const struct ice_cfg *cfg, const struct ice_ops *ops, void *arg)
{
	if (cfg->n_locals < 1 || cfg->n_locals > ICE_LOCALS_MAX || !cfg->pacing_us ||
		!cfg->rto_us || !cfg->consent_us || !cfg->disconnected_us)
		return -ERR_RANGE;
	for (size_t i = 0; i < cfg->n_locals; i++)
		if (cfg->locals[i].n_advertised > ICE_ADVERTISED_MAX)
			return -ERR_RANGE;
	struct gen gen;
	int err = gen_init(&gen, cfg->ufrag, cfg->pwd);
	if (err)
		return err;

	struct ice *a = XNEW(struct ice);
	a->cfg = *cfg;
	a->cfg.ufrag = a->cfg.pwd = NULL;
	a->cfg.locals = NULL;
	a->ops = ops;
	a->arg = arg;
	a->is_controlling = cfg->is_controlling && !cfg->is_lite;
	a->gens[0] = gen;
	a->selected = a->nominated = NONE;
	a->jitter = cfg->tie_breaker | 1;
	a->nominate_at_us = NEVER;
	a->n_locals = cfg->n_locals;
	memcpy(a->locals, cfg->locals, cfg->n_locals * sizeof cfg->locals[0]);
	secret_wipe(&gen, sizeof gen);
	*out = a;
	return 0;
}

void ice_free(struct ice *a)
{
	if (!a)
		return;
	secret_wipe(a, sizeof *a);
	xfree(a);
}

void ice_close(struct ice *a)
{
	a->selected = a->nominated = NONE;
	state_set(a, ICE_CLOSED);
}

int ice_set_remote(struct ice *a, struct slice ufrag, struct slice pwd, uint64_t now_us)
{
	if (is_stopped(a))
		return -ERR_BAD_STATE;
	if (!is_cred(ufrag, ICE_UFRAG_MIN, ICE_CRED_MAX) ||
		!is_cred(pwd, ICE_PWD_MIN, ICE_CRED_MAX))
		return -ERR_RANGE;
	struct gen *gen = &a->gens[a->gen_now];
	struct hmac_sha1 key;
	hmac_sha1_init(&key, pwd.p, pwd.n);
	if (gen->has_remote) {
		bool is_same = slice_eq(ufrag, remote_ufrag(gen)) &&
			secret_eq(&key, &gen->remote_key, sizeof key);
		return is_same ? 0 : -ERR_BAD_STATE;
	}
	size_t ours = strlen(gen->ufrag);
	memcpy(gen->username, ufrag.p, ufrag.n);
	gen->username[ufrag.n] = ':';
	memcpy(gen->username + ufrag.n + 1, gen->ufrag, ours);
	gen->remote_ufrag_len = (uint16_t)ufrag.n;
	gen->username_len = (uint16_t)(ufrag.n + 1 + ours);
	gen->remote_key = key;
	gen->has_remote = true;
	a->checking_since_us = now_us;
	agent_settle(a, now_us);
	return 0;
}

/* A line may say which generation it belongs to (RFC 8840 §4.4 has no other way); late ones are refused. */
static bool is_of_this_generation(const struct ice *a, struct slice ufrag)
{
	const struct gen *now = &a->gens[a->gen_now], *before = &a->gens[!a->gen_now];
	if (!ufrag.n)
		return true;
	if (now->has_remote)
		return slice_eq(ufrag, remote_ufrag(now));
	return !a->has_gen_before || !slice_eq(ufrag, remote_ufrag(before));
}

int ice_add_remote_candidate(struct ice *a, struct slice line, uint64_t now_us)
{
	struct ice_candidate c;
	if (is_stopped(a))
		return -ERR_BAD_STATE;
	int err = ice_candidate_parse(&c, line);
	if (err)
		return err;
	if (!is_of_this_generation(a, c.ufrag))
		return -ERR_BAD_STATE;
	struct remote *r = remote_find(a, &c.addr);
	if (r)
		r->type = (uint8_t)c.type; /* its pairs keep their priority (RFC 8445 §7.3.1.3) */
	else
		r = remote_add(a, &c.addr, c.type, c.priority, now_us);
	if (!r)
		return -ERR_NO_ROOM;
	pair_with_locals(a, r, now_us);
	agent_settle(a, now_us);
	return 0;
}

void ice_end_of_remote_candidates(struct ice *a, uint64_t now_us)
{
	a->is_remote_complete = true;
	agent_settle(a, now_us);
}

int ice_restart(struct ice *a, const char *ufrag, const char *pwd, uint64_t now_us)
{
	struct gen gen;
	if (a->state == ICE_CLOSED)
		return -ERR_BAD_STATE;
	int err = gen_init(&gen, ufrag, pwd);
	if (err)
		return err;
	if (ice_is_local_ufrag(a, slice_str(ufrag))) {
		secret_wipe(&gen, sizeof gen);
		return -ERR_EXISTS;
	}
	/* After a second restart the generation of the selected pair is the one to keep, not the unused one between. */
	uint8_t keep = a->selected == NONE ? a->gen_now : a->pairs[a->selected].gen;
	pair_drop_others(a);
	a->gen_now = !keep;
	a->gens[a->gen_now] = gen;
	secret_wipe(&gen, sizeof gen);
	a->has_gen_before = true;
	a->nominated = NONE;
	a->is_nominating = a->is_remote_complete = a->is_rechecking = false;
	a->nominate_at_us = NEVER;
	a->checking_since_us = now_us;
	if (a->selected == NONE)
		state_set(a, ICE_NEW);
	agent_settle(a, now_us);
	return 0;
}

void ice_timeout(struct ice *a, uint64_t now_us)
{
	/* Checks first: one of them may be the miss that makes the selected pair silent. */
	checks_run(a, now_us);
	agent_settle(a, now_us);
}

uint64_t ice_next_us(const struct ice *a)
{
	if (is_stopped(a))
		return NEVER;
	uint64_t at = MIN(fail_at_us(a), checks_next_us(a));
	at = MIN(at, silent_at_us(a));
	if (a->selected == NONE)
		return at;
	const struct pair *p = &a->pairs[a->selected];
	if (p->gen == a->gen_now)
		at = MIN(at, a->nominate_at_us);
	if (a->state == ICE_CONNECTED)
		at = MIN(at, p->heard_us + a->cfg.disconnected_us);
	return at;
}

enum ice_state ice_state(const struct ice *a)
{
	return a->state;
}

bool ice_is_controlling(const struct ice *a)
{
	return a->is_controlling;
}

bool ice_is_local_ufrag(const struct ice *a, struct slice ufrag)
{
	return slice_eq_str(ufrag, a->gens[a->gen_now].ufrag) ||
	       (a->has_gen_before && slice_eq_str(ufrag, a->gens[!a->gen_now].ufrag));
}

uint32_t ice_rtt_us(const struct ice *a)
{
	return a->selected == NONE ? 0 : a->pairs[a->selected].rtt_us;
}

bool ice_selected(const struct ice *a, unsigned *local, const struct addr **remote)
{
	if (a->selected == NONE)
		return false;
	const struct pair *p = &a->pairs[a->selected];
	*local = p->local;
	*remote = &a->remotes[p->remote].addr;
	return true;
}

/* Same type and base: same foundation (RFC 8445 §5.1.1.3). The address is not readable from it. */
static void set_foundation(struct ice_candidate *c, const struct addr *base)
{
	uint8_t type = (uint8_t)c->type;
	struct slice ip = addr_ip(base);
	uint32_t v = crc32_ieee(crc32_ieee(0, &type, 1), ip.p, ip.n);
	for (int i = 0; i < 8; i++)
		c->foundation[i] = "0123456789abcdef"[v >> (28 - 4 * i) & 15];
}

size_t ice_local_candidates(const struct ice *a, struct ice_candidate *out, size_t cap)
{
	size_t n = 0;
	for (unsigned i = 0; i < a->n_locals; i++) {
		const struct ice_local *l = &a->locals[i];
		const struct addr *told = l->n_advertised ? l->advertised : &l->base;
		size_t n_told = l->n_advertised ? l->n_advertised : 1;
		for (unsigned k = 0; k < n_told && n < cap; k++) {
			if (addr_is_unspecified(&told[k]))
				continue;
			struct ice_candidate *c = &out[n++];
			*c = (struct ice_candidate){
				.addr = told[k],
				.type = ICE_HOST,
				.priority = ice_priority(ICE_HOST, local_pref(i, k)),
				.ufrag = slice_str(a->gens[a->gen_now].ufrag),
			};
			set_foundation(c, &told[k]);
		}
	}
	return n;
}
