/*
 * A live agent and a peer that knows the passwords and does what the input says: each byte pair is one step, and
 * messages are sealed, so that the input reaches what lies behind authentication. The agent must stay sound:
 * no abort, no endless deadline, nothing sent when stopped, no CONNECTED without a selected pair.
 */
#include <stdlib.h>

#include "base/macros.h"
#include "ice/ice.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

enum { PENDING_MAX = 16 };

struct pending {
	uint8_t tid[STUN_TID_LEN];
	unsigned local;
	struct addr to;
};

struct world {
	struct ice *ice;
	uint64_t now_us;
	struct pending pending[PENDING_MAX];
	unsigned n_sent;
	struct hmac_sha1 ours, theirs;
	char ufrag[8];
	unsigned n_restarts;
};

#define CHECK(x)                                                                                   \
	do {                                                                                       \
		if (!(x))                                                                          \
			abort();                                                                   \
	} while (0)

/* The fuzzer asks for no crash and for sound answers, not for success. */
static void ignore(int err)
{
	(void)err;
}

static void on_send(void *arg, unsigned local, const struct addr *to, struct slice d)
{
	struct world *w = arg;
	struct stun_msg m;
	CHECK(ice_state(w->ice) != ICE_FAILED && ice_state(w->ice) != ICE_CLOSED);
	CHECK(local < 2 && stun_parse(&m, d) == 0 && stun_verify_fingerprint(&m) == 0);
	if (m.class != STUN_REQUEST)
		return;
	struct pending *slot = &w->pending[w->n_sent++ % PENDING_MAX];
	*slot = (struct pending){.local = local, .to = *to};
	memcpy(slot->tid, m.tid, STUN_TID_LEN);
}

static void on_state(void *arg, enum ice_state state)
{
	struct world *w = arg;
	unsigned local;
	const struct addr *remote;
	bool is_up = state == ICE_CONNECTED || state == ICE_DISCONNECTED;
	CHECK(ice_state(w->ice) == state);
	CHECK(ice_selected(w->ice, &local, &remote) == is_up);
}

static void on_selected(void *arg, unsigned local, const struct addr *remote)
{
	CHECK(arg && local < 2 && addr_port(remote));
}

static const struct ice_ops ops = {on_send, on_state, on_selected};

static struct addr address(uint8_t dice)
{
	struct addr a;
	const uint8_t ip[16] = {192, 0, 2, (uint8_t)(dice & 63)};
	CHECK(addr_from_bytes(&a, ip, dice & 64 ? 16 : 4, (uint16_t)(1000 + (dice >> 7))) == 0);
	return a;
}

static void rx(struct world *w, unsigned local, const struct addr *from, struct slice d)
{
	struct stun_msg m;
	if (stun_parse(&m, d) == 0)
		ignore(ice_rx(w->ice, local, from, &m, w->now_us));
}

static void ask(struct world *w, uint8_t dice, uint8_t what)
{
	uint8_t mem[300], tid[STUN_TID_LEN] = {dice, what};
	struct stun_writer out;
	struct slice d;
	struct addr from = address(dice);
	char username[20];
	size_t n = strlen(w->ufrag);
	memcpy(username, w->ufrag, n);
	memcpy(username + n, ":peer", 5);
	stun_begin(&out, mem, sizeof mem, STUN_BINDING, STUN_REQUEST, tid);
	stun_put(&out, STUN_ATTR_USERNAME, username, n + 5);
	stun_put_u32(&out, STUN_ATTR_PRIORITY, what & 1 ? 1 : 1000u + what);
	stun_put_u64(&out, what & 2 ? STUN_ATTR_ICE_CONTROLLED : STUN_ATTR_ICE_CONTROLLING,
		what & 4 ? 1 : 99);
	if (what & 8)
		stun_put(&out, STUN_ATTR_USE_CANDIDATE, NULL, 0);
	if (stun_seal(&out, what & 64 ? NULL : &w->ours, &d) == 0)
		rx(w, what >> 4 & 3, &from, d);
}

static void answer(struct world *w, uint8_t which, uint8_t what)
{
	uint8_t mem[200];
	struct stun_writer out;
	struct slice d;
	const struct pending *slot = &w->pending[which % PENDING_MAX];
	struct addr to = what & 4 ? address(what) : slot->to;
	stun_begin(&out, mem, sizeof mem, STUN_BINDING, what & 1 ? STUN_ERROR : STUN_SUCCESS,
		slot->tid);
	if (what & 1)
		stun_put_error(&out, what & 2 ? 487 : 400, "");
	if (slot->to.sa.sa_family && stun_seal(&out, what & 64 ? NULL : &w->theirs, &d) == 0)
		rx(w, slot->local, &to, d);
}

static void tell_candidate(struct world *w, uint8_t dice)
{
	struct ice_candidate c = {.addr = address(dice), .priority = 1000u + dice, .foundation = "f"};
	struct buf line;
	buf_init(&line, 300);
	ice_candidate_format(&c, &line);
	ignore(ice_add_remote_candidate(w->ice, buf_slice(&line), w->now_us));
	buf_free(&line);
}

static void wait_for(struct world *w, uint64_t us)
{
	uint64_t until = w->now_us + us;
	for (unsigned turns = 0; ice_next_us(w->ice) <= until; turns++) {
		CHECK(turns < 100000);
		w->now_us = MAX(w->now_us, ice_next_us(w->ice));
		ice_timeout(w->ice, w->now_us);
	}
	w->now_us = until;
}

static void step(struct world *w, uint8_t op, uint8_t arg)
{
	switch (op % 10) {
	case 0: wait_for(w, 1000u * arg); break;
	case 1: wait_for(w, 100000u * arg); break;
	case 2: ask(w, arg, op); break;
	case 3: ask(w, (uint8_t)(arg & 3), arg); break;
	case 4: answer(w, (uint8_t)(w->n_sent - 1), arg & 64 ? arg : 0); break;
	case 5: answer(w, (uint8_t)(w->n_sent - 1 - arg % PENDING_MAX), op); break;
	case 6: tell_candidate(w, arg); break;
	case 7:
		ignore(ice_set_remote(
			w->ice, slice_str("peer"), slice_str("peer-password-22-chars"), w->now_us));
		break;
	case 8:
		w->ufrag[3] = (char)('a' + ++w->n_restarts % 26);
		ignore(ice_restart(w->ice, w->ufrag, "our--password-22-chars", w->now_us));
		break;
	case 9: ice_end_of_remote_candidates(w->ice, w->now_us); break;
	default: break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct world w = {.now_us = 1000000, .ufrag = "oura"};
	struct ice_local locals[2] = {0};
	struct ice_cfg cfg;
	if (n < 1 || n > 2000)
		return 0;
	locals[0].base = address(0);
	locals[1].base = address(64);
	hmac_sha1_init(&w.ours, "our--password-22-chars", 22);
	hmac_sha1_init(&w.theirs, "peer-password-22-chars", 22);
	ice_cfg_default(&cfg);
	cfg.ufrag = w.ufrag;
	cfg.pwd = "our--password-22-chars";
	cfg.tie_breaker = 50;
	cfg.locals = locals;
	cfg.n_locals = 2;
	cfg.is_controlling = p[0] & 1;
	cfg.is_lite = (p[0] & 6) == 6;
	CHECK(ice_new(&w.ice, &cfg, &ops, &w) == 0);
	for (size_t i = 1; i + 1 < n; i += 2)
		step(&w, p[i], p[i + 1]);
	struct addr from = address(3);
	rx(&w, 0, &from, slice_of(p, n));
	wait_for(&w, 100000000);
	ice_close(w.ice);
	ice_free(w.ice);
	return 0;
}
