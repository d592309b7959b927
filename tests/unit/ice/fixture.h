/* fixture: one agent and a peer made by hand, message by message. Included by the tests of this folder. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/macros.h"
#include "base/mem.h"
#include "ice/ice.h"

enum { S = 1000000, MS = 1000, SENT_MAX = 512, START = 7 * S };

#define OUR_UFRAG "ours"
#define OUR_PWD   "our-password-of-22-char"
#define THEIR_UFRAG "theirs"
#define THEIR_PWD   "their-password-22-chars"

struct sent {
	unsigned local;
	struct addr to;
	uint64_t at_us;
	size_t n;
	uint8_t data[420];
};

struct fixture {
	struct ice *ice;
	uint64_t now_us;
	unsigned n_sent, n_states, n_selected;
	enum ice_state state;
	unsigned selected_local;
	struct addr selected;
	struct sent sent[SENT_MAX];
};

/* What a request of the peer says. */
struct ask {
	const char *username, *pwd; /* NULL: the right ones */
	uint32_t priority;          /* 0: a usual one */
	uint64_t tie_breaker;
	bool is_controlling, use_candidate, without_role, without_priority, without_integrity;
};

static void fixture_send(void *arg, unsigned local, const struct addr *to, struct slice d)
{
	struct fixture *f = arg;
	struct sent *s = &f->sent[f->n_sent % SENT_MAX];
	assert_true(d.n <= sizeof s->data);
	*s = (struct sent){.local = local, .to = *to, .at_us = f->now_us, .n = d.n};
	memcpy(s->data, d.p, d.n);
	f->n_sent++;
}

static void fixture_state(void *arg, enum ice_state state)
{
	struct fixture *f = arg;
	assert_int_not_equal(f->state, state);
	f->state = state;
	f->n_states++;
}

static void fixture_selected(void *arg, unsigned local, const struct addr *remote)
{
	struct fixture *f = arg;
	f->selected_local = local;
	f->selected = *remote;
	f->n_selected++;
}

static const struct ice_ops fixture_ops = {
	.send = fixture_send, .state = fixture_state, .selected = fixture_selected};

static inline struct addr at(const char *ip, uint16_t port)
{
	struct addr a;
	assert_int_equal(addr_parse_ip(&a, slice_str(ip), port), 0);
	return a;
}

/* Two sockets of IPv4 and one of IPv6; the tie-breaker is 1000. */
static inline void fixture_cfg(struct ice_cfg *cfg, struct ice_local locals[3])
{
	static const char *const bases[] = {"10.0.0.1", "10.0.0.2", "2001:db8::1"};
	for (size_t i = 0; i < ARRAY_LEN(bases); i++)
		locals[i] = (struct ice_local){.base = at(bases[i], (uint16_t)(7000 + i))};
	ice_cfg_default(cfg);
	cfg->ufrag = OUR_UFRAG;
	cfg->pwd = OUR_PWD;
	cfg->tie_breaker = 1000;
	cfg->locals = locals;
	cfg->n_locals = 3;
}

static inline void fixture_begin_with(struct fixture *f, const struct ice_cfg *cfg)
{
	*f = (struct fixture){.now_us = START};
	assert_int_equal(ice_new(&f->ice, cfg, &fixture_ops, f), 0);
}

static inline void fixture_begin(struct fixture *f, bool is_controlling)
{
	struct ice_local locals[3];
	struct ice_cfg cfg;
	fixture_cfg(&cfg, locals);
	cfg.is_controlling = is_controlling;
	fixture_begin_with(f, &cfg);
}

static inline void fixture_set_remote(struct fixture *f)
{
	assert_int_equal(
		ice_set_remote(f->ice, slice_str(THEIR_UFRAG), slice_str(THEIR_PWD), f->now_us), 0);
}

static inline int fixture_add(struct fixture *f, const char *line)
{
	return ice_add_remote_candidate(f->ice, slice_str(line), f->now_us);
}

/* Lets time pass; every deadline is met. */
static inline void fixture_wait(struct fixture *f, uint64_t us)
{
	uint64_t until = f->now_us + us;
	for (unsigned turns = 0; ice_next_us(f->ice) <= until; turns++) {
		assert_true(turns < 100000);
		f->now_us = MAX(f->now_us, ice_next_us(f->ice));
		ice_timeout(f->ice, f->now_us);
	}
	f->now_us = until;
}

static inline int fixture_rx(
	struct fixture *f, unsigned local, const struct addr *from, struct slice d)
{
	struct stun_msg m;
	uint8_t *exact = xmemdup(d.p, d.n);
	assert_int_equal(stun_parse(&m, slice_of(exact, d.n)), 0);
	int err = ice_rx(f->ice, local, from, &m, f->now_us);
	xfree(exact);
	return err;
}

static inline int fixture_ask(
	struct fixture *f, unsigned local, const struct addr *from, struct ask q)
{
	uint8_t mem[400], tid[STUN_TID_LEN] = "ask";
	struct stun_writer w;
	struct slice d;
	struct hmac_sha1 key;
	const char *username = q.username ? q.username : OUR_UFRAG ":" THEIR_UFRAG;
	const char *pwd = q.pwd ? q.pwd : OUR_PWD;
	hmac_sha1_init(&key, pwd, strlen(pwd));
	wr32(tid + 4, f->n_sent);
	stun_begin(&w, mem, sizeof mem, STUN_BINDING, STUN_REQUEST, tid);
	stun_put(&w, STUN_ATTR_USERNAME, username, strlen(username));
	if (!q.without_priority)
		stun_put_u32(&w, STUN_ATTR_PRIORITY,
			q.priority ? q.priority : ice_priority(ICE_PRFLX, 9));
	if (!q.without_role)
		stun_put_u64(&w,
			q.is_controlling ? STUN_ATTR_ICE_CONTROLLING : STUN_ATTR_ICE_CONTROLLED,
			q.tie_breaker);
	if (q.use_candidate)
		stun_put(&w, STUN_ATTR_USE_CANDIDATE, NULL, 0);
	assert_int_equal(stun_seal(&w, q.without_integrity ? NULL : &key, &d), 0);
	return fixture_rx(f, local, from, d);
}

/* The n-th last datagram sent, parsed: 1 is the last one. */
static inline struct sent *fixture_sent(struct fixture *f, unsigned n_last, struct stun_msg *m)
{
	assert_true(n_last <= f->n_sent && n_last <= SENT_MAX);
	struct sent *s = &f->sent[(f->n_sent - n_last) % SENT_MAX];
	assert_int_equal(stun_parse(m, slice_of(s->data, s->n)), 0);
	return s;
}

/* The peer answers datagram `s`, a request of ours; error 0 is success. */
static inline int fixture_answer(struct fixture *f, const struct sent *s, unsigned error)
{
	uint8_t mem[200];
	struct stun_writer w;
	struct slice d;
	struct hmac_sha1 key;
	hmac_sha1_init(&key, THEIR_PWD, strlen(THEIR_PWD));
	stun_begin(&w, mem, sizeof mem, STUN_BINDING, error ? STUN_ERROR : STUN_SUCCESS,
		s->data + STUN_TID_AT);
	struct addr mapped = at("10.0.0.1", 7000);
	if (error)
		stun_put_error(&w, error, "no");
	else
		stun_put_xor_addr(&w, STUN_ATTR_XOR_MAPPED_ADDRESS, &mapped);
	assert_int_equal(stun_seal(&w, &key, &d), 0);
	return fixture_rx(f, s->local, &s->to, d);
}

/* The last request sent to this address; fails the test if there is none. */
static inline struct sent *fixture_request_to(struct fixture *f, const struct addr *to)
{
	for (unsigned n = 1; n <= MIN(f->n_sent, SENT_MAX); n++) {
		struct stun_msg m;
		struct sent *s = fixture_sent(f, n, &m);
		if (m.class == STUN_REQUEST && addr_eq(&s->to, to))
			return s;
	}
	fail_msg("no request went there");
	abort();
}

static inline void fixture_end(struct fixture *f)
{
	ice_free(f->ice);
}
