/* Two agents over a simulated network: whole connections, their loss, and their recovery. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/macros.h"
#include "ice/ice.h"
#include "link.h"

enum { S = 1000000, MS = 1000, PATHS = 2, RX_CODES = 8 };

struct peer {
	struct sim *sim;
	int end;
	struct ice *ice;
	struct addr paths[PATHS];
	size_t n_paths;
	char ufrag[ICE_LOCAL_UFRAG_MAX + 1], pwd[40];
	unsigned n_restarts;
	bool is_silent;                 /* does not even get what arrives */
	struct addr selected;
	unsigned selected_local, n_selected;
	uint64_t selected_us;
	unsigned n_states[ICE_CLOSED + 1];
	uint64_t state_us[ICE_CLOSED + 1];
	unsigned n_rx_ok, n_rx_refused, n_sent;
};

struct sim {
	struct link link;
	struct peer peer[2];
};

static const struct ice_ops ops;

static struct addr ip(const char *text, uint16_t port)
{
	struct addr a;
	assert_int_equal(addr_parse_ip(&a, slice_str(text), port), 0);
	return a;
}

static void on_send(void *arg, unsigned local, const struct addr *to, struct slice datagram)
{
	struct peer *p = arg;
	p->n_sent++;
	link_send(&p->sim->link, p->end, &p->paths[local], to, datagram);
}

static void on_state(void *arg, enum ice_state state)
{
	struct peer *p = arg;
	p->n_states[state]++;
	p->state_us[state] = p->sim->link.now_us;
}

static void on_selected(void *arg, unsigned local, const struct addr *remote)
{
	struct peer *p = arg;
	p->selected = *remote;
	p->selected_local = local;
	p->selected_us = p->sim->link.now_us;
	p->n_selected++;
}

static const struct ice_ops ops = {.send = on_send, .state = on_state, .selected = on_selected};

static void deliver(
	void *arg, int end, const struct addr *from, const struct addr *to, struct slice data)
{
	struct sim *sim = arg;
	struct peer *p = &sim->peer[end];
	struct stun_msg m;
	if (p->is_silent || stun_parse(&m, data))
		return;
	for (unsigned i = 0; i < p->n_paths; i++)
		if (addr_eq(&p->paths[i], to)) {
			if (ice_rx(p->ice, i, from, &m, sim->link.now_us))
				p->n_rx_refused++;
			else
				p->n_rx_ok++;
		}
}

static void new_credentials(struct peer *p)
{
	snprintf(p->ufrag, sizeof p->ufrag, "w%d%04u", p->end, ++p->n_restarts);
	snprintf(p->pwd, sizeof p->pwd, "password-of-peer-%d-nr-%04u", p->end, p->n_restarts);
}

/* Peer 0 controls and has 10.0.0.x, peer 1 has 10.1.0.x; a second path each is a worse one. */
static void begin_with(
	struct sim *sim, uint64_t seed, size_t n_paths, const struct ice_cfg changes[2])
{
	*sim = (struct sim){0};
	link_init(&sim->link, seed, deliver, sim);
	sim->link.now_us = 5 * S;
	for (int e = 0; e < 2; e++) {
		sim->link.dir[e].delay_us = 20 * MS;
		struct peer *p = &sim->peer[e];
		struct ice_local locals[PATHS] = {0};
		p->sim = sim;
		p->end = e;
		p->n_paths = n_paths;
		p->paths[0] = ip(e ? "10.1.0.1" : "10.0.0.1", 5000);
		p->paths[1] = ip(e ? "10.1.0.2" : "10.0.0.2", 5002);
		for (size_t i = 0; i < n_paths; i++)
			locals[i].base = p->paths[i];
		new_credentials(p);
		struct ice_cfg cfg = changes[e];
		cfg.ufrag = p->ufrag;
		cfg.pwd = p->pwd;
		cfg.tie_breaker = seed * 2654435761u + (uint64_t)e * 77777;
		cfg.locals = locals;
		cfg.n_locals = n_paths;
		assert_int_equal(ice_new(&p->ice, &cfg, &ops, p), 0);
	}
}

static void begin(struct sim *sim, uint64_t seed, size_t n_paths)
{
	struct ice_cfg cfg[2];
	ice_cfg_default(&cfg[0]);
	ice_cfg_default(&cfg[1]);
	cfg[0].is_controlling = true;
	begin_with(sim, seed, n_paths, cfg);
}

static void end(struct sim *sim)
{
	ice_free(sim->peer[0].ice);
	ice_free(sim->peer[1].ice);
	link_free(&sim->link);
}

/* Peer e is told the other's credentials. */
static void tell_credentials(struct sim *sim, int e)
{
	const struct peer *other = &sim->peer[!e];
	assert_int_equal(ice_set_remote(sim->peer[e].ice, slice_str(other->ufrag),
		slice_str(other->pwd), sim->link.now_us), 0);
}

/* Peer e is told the other's candidates. */
static void tell_candidates(struct sim *sim, int e)
{
	struct ice_candidate c[ICE_LOCALS_MAX * ICE_ADVERTISED_MAX];
	size_t n = ice_local_candidates(sim->peer[!e].ice, c, ARRAY_LEN(c));
	assert_int_equal(n, sim->peer[!e].n_paths);
	for (size_t i = 0; i < n; i++) {
		struct buf line;
		buf_init(&line, 512);
		ice_candidate_format(&c[i], &line);
		assert_int_equal(ice_add_remote_candidate(sim->peer[e].ice, buf_slice(&line),
			sim->link.now_us), 0);
		buf_free(&line);
	}
	ice_end_of_remote_candidates(sim->peer[e].ice, sim->link.now_us);
}

static void tell_all(struct sim *sim)
{
	for (int e = 0; e < 2; e++) {
		tell_credentials(sim, e);
		tell_candidates(sim, e);
	}
}

static void run(struct sim *sim, uint64_t for_us)
{
	uint64_t until = sim->link.now_us + for_us, last = 0;
	unsigned same = 0;
	for (;;) {
		uint64_t at = link_next_us(&sim->link);
		for (int e = 0; e < 2; e++)
			at = MIN(at, ice_next_us(sim->peer[e].ice));
		if (at > until)
			break;
		at = MAX(at, sim->link.now_us);
		/* An agent that asks for a time and then does nothing would turn for ever. */
		same = at == last ? same + 1 : 0;
		assert_true(same < 300);
		last = at;
		link_run(&sim->link, at);
		for (int e = 0; e < 2; e++)
			if (ice_next_us(sim->peer[e].ice) <= at)
				ice_timeout(sim->peer[e].ice, at);
	}
	sim->link.now_us = until;
}

static void assert_both(const struct sim *sim, enum ice_state state)
{
	for (int e = 0; e < 2; e++)
		assert_string_equal(
			ice_state_name(ice_state(sim->peer[e].ice)), ice_state_name(state));
}

/* Without a NAT: each sends to where the other sends from. */
static bool is_same_pair(const struct sim *sim)
{
	const struct peer *a = &sim->peer[0], *b = &sim->peer[1];
	return addr_eq(&a->selected, &b->paths[b->selected_local]) &&
	       addr_eq(&b->selected, &a->paths[a->selected_local]);
}

static void assert_same_pair(const struct sim *sim)
{
	assert_true(is_same_pair(sim));
}

static void connects_on_the_best_pair(void **st)
{
	struct sim sim;
	begin(&sim, 1, 2);
	tell_all(&sim);
	run(&sim, 100 * MS);
	assert_both(&sim, ICE_CONNECTED);
	run(&sim, 60 * S);
	assert_both(&sim, ICE_CONNECTED);
	assert_same_pair(&sim);
	assert_int_equal(sim.peer[0].selected_local, 0);
	assert_int_equal(sim.peer[1].selected_local, 0);
	for (int e = 0; e < 2; e++) {
		assert_int_equal(sim.peer[e].n_states[ICE_CONNECTED], 1);
		assert_int_equal(sim.peer[e].n_states[ICE_DISCONNECTED], 0);
		assert_int_equal(sim.peer[e].n_rx_refused, 0);
		assert_int_equal(ice_rtt_us(sim.peer[e].ice), 40 * MS);
		/* 60 s of consent in both directions, request and answer, and a handful of checks. */
		assert_in_range(sim.peer[e].n_sent, 50, 100);
	}
	end(&sim);
}

static void connects_over_bad_links(void **st)
{
	unsigned n_lost_connections = 0;
	for (uint64_t seed = 1; seed <= 300; seed++) {
		struct sim sim;
		begin(&sim, seed, 1 + seed % 2);
		for (int e = 0; e < 2; e++)
			sim.link.dir[e] = (struct link_dir){.loss_pm = 300,
				.dup_pm = 100,
				.delay_us = 10 * MS,
				.jitter_us = 80 * MS};
		tell_all(&sim);
		run(&sim, 15 * S);
		assert_both(&sim, ICE_CONNECTED);
		/* With so many losses a pair may be given up for another; both have to follow soon. */
		unsigned n_apart = 0;
		for (unsigned i = 0; i < 120; i++) {
			run(&sim, 1 * S);
			n_apart = is_same_pair(&sim) ? 0 : n_apart + 1;
			assert_in_range(n_apart, 0, 12);
		}
		assert_both(&sim, ICE_CONNECTED);
		for (int e = 0; e < 2; e++) {
			assert_in_range(sim.peer[e].n_selected, 1, 20);
			assert_int_equal(sim.peer[e].n_states[ICE_FAILED], 0);
			n_lost_connections += sim.peer[e].n_states[ICE_DISCONNECTED];
		}
		end(&sim);
	}
	assert_int_equal(n_lost_connections, 0);
}

static void resolves_role_conflicts(void **st)
{
	for (unsigned n = 0; n < 40; n++) {
		struct sim sim;
		struct ice_cfg cfg[2];
		ice_cfg_default(&cfg[0]);
		ice_cfg_default(&cfg[1]);
		cfg[0].is_controlling = cfg[1].is_controlling = n % 2;
		begin_with(&sim, n + 1, 1, cfg);
		if (n >= 20)
			sim.link.dir[0].loss_pm = sim.link.dir[1].loss_pm = 200;
		tell_credentials(&sim, 0);
		tell_candidates(&sim, 0);
		run(&sim, n % 5 * 20 * MS);
		tell_credentials(&sim, 1);
		tell_candidates(&sim, 1);
		run(&sim, 15 * S);
		assert_both(&sim, ICE_CONNECTED);
		assert_same_pair(&sim);
		assert_int_not_equal(
			ice_is_controlling(sim.peer[0].ice), ice_is_controlling(sim.peer[1].ice));
		end(&sim);
	}
}

static void connects_without_signalled_candidates(void **st)
{
	for (int e = 0; e < 2; e++) {
		struct sim sim;
		begin(&sim, 3, 2);
		tell_credentials(&sim, 0);
		tell_credentials(&sim, 1);
		run(&sim, 1 * S);
		assert_both(&sim, ICE_CHECKING);
		tell_candidates(&sim, e);
		run(&sim, 1 * S);
		assert_both(&sim, ICE_CONNECTED);
		assert_same_pair(&sim);
		end(&sim);
	}
}

/* Checks overtake the answer: peer 1's first checks come before peer 0 knows anything of it. */
static void connects_in_any_order_of_signalling(void **st)
{
	for (unsigned order = 0; order < 16; order++) {
		struct sim sim;
		begin(&sim, order + 1, 2);
		for (unsigned step = 0; step < 4; step++) {
			int e = (int)(step + order) % 2;
			bool candidates_first = order >> 1 & 1;
			bool is_late_half = step >= 2;
			run(&sim, (order >> 2) * 700 * MS);
			if (is_late_half == candidates_first)
				tell_credentials(&sim, e);
			else
				tell_candidates(&sim, e);
		}
		run(&sim, 3 * S);
		assert_both(&sim, ICE_CONNECTED);
		assert_same_pair(&sim);
		end(&sim);
	}
}

static void connects_through_a_nat(void **st)
{
	for (int e = 0; e < 2; e++) {
		struct sim sim;
		begin(&sim, 11, 1);
		struct addr outside = ip("198.51.100.7", 0);
		link_nat_on(&sim.link, e, &sim.peer[e].paths[0], &outside);
		tell_all(&sim);
		run(&sim, 5 * S);
		assert_both(&sim, ICE_CONNECTED);
		assert_true(addr_ip_eq(&sim.peer[!e].selected, &outside));
		assert_int_equal(addr_port(&sim.peer[!e].selected), 15000);
		end(&sim);
	}
}

static void follows_a_nat_that_rebinds(void **st)
{
	for (int e = 0; e < 2; e++) {
		struct sim sim;
		begin(&sim, 12, 1);
		struct addr outside = ip("198.51.100.7", 0);
		link_nat_on(&sim.link, e, &sim.peer[e].paths[0], &outside);
		tell_all(&sim);
		run(&sim, 20 * S);
		/* Many more times than there are places for remote candidates. */
		for (unsigned i = 1; i <= 50; i++) {
			uint64_t at = sim.link.now_us;
			link_nat_rebind(&sim.link, e);
			run(&sim, 8 * S);
			assert_both(&sim, ICE_CONNECTED);
			assert_int_equal(
				addr_port(&sim.peer[!e].selected), (uint16_t)(15000 + 777 * i));
			assert_in_range(sim.peer[!e].selected_us - at, 0, 5 * S);
		}
		for (int k = 0; k < 2; k++)
			assert_int_equal(sim.peer[k].n_states[ICE_DISCONNECTED], 0);
		end(&sim);
	}
}

static void loses_consent_and_fails(void **st)
{
	struct sim sim;
	begin(&sim, 4, 1);
	tell_all(&sim);
	run(&sim, 30 * S);
	uint64_t cut = sim.link.now_us;
	sim.link.dir[0].is_down = true;
	run(&sim, 7 * S);
	assert_both(&sim, ICE_CONNECTED);
	run(&sim, 4 * S);
	assert_both(&sim, ICE_DISCONNECTED);
	run(&sim, 5 * S);
	assert_both(&sim, ICE_FAILED);
	for (int e = 0; e < 2; e++) {
		const struct peer *p = &sim.peer[e];
		/* The last consent came up to an interval and a round trip before the cut. */
		assert_in_range(p->state_us[ICE_DISCONNECTED] - cut, 7500 * MS, 10 * S);
		assert_int_equal(p->state_us[ICE_FAILED] - p->state_us[ICE_DISCONNECTED], 5 * S);
		assert_true(ice_next_us(p->ice) == UINT64_MAX);
		assert_int_equal(ice_rtt_us(p->ice), 0);
	}
	/* Failed is silent, whatever comes. */
	unsigned n_sent = sim.peer[0].n_sent + sim.peer[1].n_sent;
	sim.link.dir[0].is_down = false;
	run(&sim, 60 * S);
	ice_timeout(sim.peer[0].ice, sim.link.now_us);
	assert_int_equal(sim.peer[0].n_sent + sim.peer[1].n_sent, n_sent);
	end(&sim);
}

static void one_way_loss_is_no_consent(void **st)
{
	struct sim sim;
	begin(&sim, 5, 1);
	tell_all(&sim);
	run(&sim, 10 * S);
	/* Peer 1 hears peer 0 no more; its own requests arrive, but the answers are lost. */
	sim.link.dir[0].is_down = true;
	run(&sim, 13 * S);
	assert_both(&sim, ICE_DISCONNECTED);
	end(&sim);
}

static void recovers_from_disconnection(void **st)
{
	struct sim sim;
	begin(&sim, 6, 2);
	tell_all(&sim);
	run(&sim, 10 * S);
	for (unsigned i = 1; i <= 5; i++) {
		sim.link.dir[0].is_down = sim.link.dir[1].is_down = true;
		run(&sim, 12 * S);
		assert_both(&sim, ICE_DISCONNECTED);
		sim.link.dir[0].is_down = sim.link.dir[1].is_down = false;
		run(&sim, 2 * S);
		assert_both(&sim, ICE_CONNECTED);
		run(&sim, 10 * S);
		assert_both(&sim, ICE_CONNECTED);
		assert_same_pair(&sim);
	}
	end(&sim);
}

static void moves_to_another_pair(void **st)
{
	for (int e = 0; e < 2; e++) {
		struct sim sim;
		begin(&sim, 7, 2);
		tell_all(&sim);
		run(&sim, 20 * S);
		uint64_t cut = sim.link.now_us;
		link_block(&sim.link, &sim.peer[e].paths[0]);
		run(&sim, 10 * S);
		assert_both(&sim, ICE_CONNECTED);
		assert_same_pair(&sim);
		for (int k = 0; k < 2; k++) {
			assert_int_equal(sim.peer[k].n_states[ICE_DISCONNECTED], 0);
			assert_in_range(sim.peer[k].selected_us - cut, 0, 6 * S);
		}
		assert_int_equal(sim.peer[e].selected_local, 1);
		run(&sim, 60 * S);
		assert_both(&sim, ICE_CONNECTED);
		end(&sim);
	}
}

/* Answers that take longer than the pace of repetition still count. */
static void survives_a_jump_of_the_delay(void **st)
{
	struct sim sim;
	begin(&sim, 17, 1);
	tell_all(&sim);
	run(&sim, 20 * S);
	sim.link.dir[0].delay_us = sim.link.dir[1].delay_us = 800 * MS;
	run(&sim, 120 * S);
	assert_both(&sim, ICE_CONNECTED);
	for (int e = 0; e < 2; e++)
		assert_int_equal(sim.peer[e].n_states[ICE_DISCONNECTED], 0);
	end(&sim);
}

static void restart_peer(struct sim *sim, int e)
{
	struct peer *p = &sim->peer[e];
	new_credentials(p);
	assert_int_equal(ice_restart(p->ice, p->ufrag, p->pwd, sim->link.now_us), 0);
}

static void restarts_without_a_gap(void **st)
{
	struct sim sim;
	begin(&sim, 8, 2);
	tell_all(&sim);
	run(&sim, 10 * S);
	for (unsigned round = 0; round < 4; round++) {
		int offerer = (int)(round % 2);
		unsigned n_selected[2] = {sim.peer[0].n_selected, sim.peer[1].n_selected};
		restart_peer(&sim, offerer);
		/* A slow answer: the old pair keeps its consent on both sides meanwhile. */
		run(&sim, 40 * S);
		assert_both(&sim, ICE_CONNECTED);
		restart_peer(&sim, !offerer);
		tell_credentials(&sim, !offerer);
		tell_candidates(&sim, !offerer);
		run(&sim, 1 * S);
		assert_both(&sim, ICE_CONNECTED);
		assert_int_equal(sim.peer[offerer].n_selected, n_selected[offerer]);
		tell_credentials(&sim, offerer);
		tell_candidates(&sim, offerer);
		run(&sim, 5 * S);
		assert_same_pair(&sim);
		for (int e = 0; e < 2; e++) {
			assert_true(sim.peer[e].n_selected > n_selected[e]);
			assert_int_equal(sim.peer[e].n_states[ICE_DISCONNECTED], 0);
			assert_int_equal(sim.peer[e].n_states[ICE_CONNECTED], 1);
			assert_int_equal(sim.peer[e].selected_local, 0);
		}
	}
	run(&sim, 60 * S);
	assert_both(&sim, ICE_CONNECTED);
	end(&sim);
}

static void restart_saves_a_lost_path(void **st)
{
	struct sim sim;
	begin(&sim, 9, 1);
	tell_all(&sim);
	run(&sim, 10 * S);
	sim.link.dir[0].is_down = sim.link.dir[1].is_down = true;
	run(&sim, 12 * S);
	assert_both(&sim, ICE_DISCONNECTED);
	restart_peer(&sim, 0);
	restart_peer(&sim, 1);
	tell_all(&sim);
	/* Past the point where it would have failed without a restart. */
	run(&sim, 5 * S);
	assert_both(&sim, ICE_DISCONNECTED);
	sim.link.dir[0].is_down = sim.link.dir[1].is_down = false;
	run(&sim, 5 * S);
	assert_both(&sim, ICE_CONNECTED);
	assert_same_pair(&sim);
	end(&sim);
}

static void restart_leads_out_of_failure(void **st)
{
	struct sim sim;
	begin(&sim, 10, 1);
	sim.link.dir[1].is_down = true;
	tell_all(&sim);
	run(&sim, 14900 * MS);
	assert_both(&sim, ICE_CHECKING);
	run(&sim, 200 * MS);
	assert_both(&sim, ICE_FAILED);
	sim.link.dir[1].is_down = false;
	restart_peer(&sim, 0);
	restart_peer(&sim, 1);
	assert_both(&sim, ICE_NEW);
	tell_all(&sim);
	run(&sim, 1 * S);
	assert_both(&sim, ICE_CONNECTED);
	end(&sim);
}

static void lite_agent_is_controlled(void **st)
{
	for (int wrong_role = 0; wrong_role < 2; wrong_role++) {
		struct sim sim;
		struct ice_cfg cfg[2];
		ice_cfg_default(&cfg[0]);
		ice_cfg_default(&cfg[1]);
		cfg[0].is_controlling = !wrong_role;
		cfg[1].is_lite = true;
		begin_with(&sim, 13, 2, cfg);
		tell_all(&sim);
		run(&sim, 60 * S);
		assert_both(&sim, ICE_CONNECTED);
		assert_same_pair(&sim);
		assert_true(ice_is_controlling(sim.peer[0].ice));
		assert_false(ice_is_controlling(sim.peer[1].ice));
		/* It has answered, and never asked. */
		assert_int_equal(sim.peer[1].n_sent, sim.peer[1].n_rx_ok);
		sim.peer[1].is_silent = true;
		run(&sim, 20 * S);
		assert_both(&sim, ICE_FAILED);
		end(&sim);
	}
}

/* What somebody without the passwords can do: replay, reflect, forge, from the right and the wrong address. */
static void attack(struct sim *sim, struct slice seen)
{
	static const uint8_t tid[STUN_TID_LEN] = "guessed tid!";
	struct hmac_sha1 key;
	struct stun_writer w;
	uint8_t mem[300];
	struct slice forged;
	int e = (int)link_dice(&sim->link, 2);
	const struct peer *victim = &sim->peer[e];
	struct addr stranger = ip("203.0.113.66", 4444);
	const struct addr *from = link_dice(&sim->link, 2) ? &stranger : &sim->peer[!e].paths[0];
	char username[80];
	snprintf(username, sizeof username, "%s:%s", victim->ufrag, sim->peer[!e].ufrag);
	hmac_sha1_init(&key, "not the password at all", 23);

	stun_begin(&w, mem, sizeof mem, STUN_BINDING,
		link_dice(&sim->link, 3)   ? STUN_REQUEST
		: link_dice(&sim->link, 2) ? STUN_SUCCESS
					   : STUN_ERROR,
		seen.n && link_dice(&sim->link, 2) ? seen.p + STUN_TID_AT : tid);
	stun_put(&w, STUN_ATTR_USERNAME, username, strlen(username));
	stun_put_u32(&w, STUN_ATTR_PRIORITY, 0x7ffffffe);
	stun_put_u64(&w,
		link_dice(&sim->link, 2) ? STUN_ATTR_ICE_CONTROLLED : STUN_ATTR_ICE_CONTROLLING,
		link_dice(&sim->link, 2) ? UINT64_MAX : 0);
	if (link_dice(&sim->link, 2))
		stun_put(&w, STUN_ATTR_USE_CANDIDATE, NULL, 0);
	if (link_dice(&sim->link, 2))
		stun_put_error(&w, STUN_ERR_ROLE_CONFLICT, "");
	assert_int_equal(stun_seal(&w, link_dice(&sim->link, 4) ? &key : NULL, &forged), 0);

	struct stun_msg m;
	unsigned n_sent = victim->n_sent;
	assert_int_equal(stun_parse(&m, forged), 0);
	assert_int_not_equal(ice_rx(victim->ice, 0, from, &m, sim->link.now_us), 0);
	/* An authentic answer from elsewhere, too late, or sent back to its sender. */
	if (seen.n && !stun_parse(&m, seen) && m.class == STUN_SUCCESS)
		for (int k = 0; k < 2; k++)
			assert_int_not_equal(
				ice_rx(sim->peer[k].ice, 0, &stranger, &m, sim->link.now_us), 0);
	assert_int_equal(victim->n_sent, n_sent);
}

static uint8_t last_seen[500];
static size_t last_seen_len;

static void deliver_and_remember(void *arg, int to, const struct addr *from, const struct addr *at,
	struct slice data)
{
	last_seen_len = MIN(data.n, sizeof last_seen);
	memcpy(last_seen, data.p, last_seen_len);
	attack(arg, slice_of(last_seen, last_seen_len));
	deliver(arg, to, from, at, data);
	attack(arg, slice_of(last_seen, last_seen_len));
}

static void forgeries_change_nothing(void **st)
{
	struct sim quiet, attacked;
	begin(&quiet, 14, 1);
	begin(&attacked, 14, 1);
	attacked.link.deliver = deliver_and_remember;
	tell_all(&quiet);
	tell_all(&attacked);
	for (unsigned i = 0; i < 400; i++) {
		run(&quiet, 100 * MS);
		run(&attacked, 100 * MS);
		attack(&attacked, slice_of(last_seen, last_seen_len));
		for (int e = 0; e < 2; e++) {
			const struct peer *q = &quiet.peer[e], *p = &attacked.peer[e];
			assert_int_equal(ice_state(p->ice), ice_state(q->ice));
			assert_int_equal(p->n_sent, q->n_sent);
			assert_int_equal(p->n_selected, q->n_selected);
			assert_int_equal(ice_is_controlling(p->ice), e == 0);
		}
	}
	assert_both(&attacked, ICE_CONNECTED);
	end(&quiet);
	end(&attacked);
}

/* An authentic request, sent again from an address of the attacker's, does not move media there. */
static uint8_t stolen[500];
static size_t stolen_len;

static void deliver_and_steal(void *arg, int to, const struct addr *from, const struct addr *at,
	struct slice data)
{
	struct stun_msg m;
	if (to == 1 && !stun_parse(&m, data) && m.class == STUN_REQUEST &&
		stun_has(&m, STUN_ATTR_USE_CANDIDATE)) {
		stolen_len = MIN(data.n, sizeof stolen);
		memcpy(stolen, data.p, stolen_len);
	}
	deliver(arg, to, from, at, data);
}

static void replay_does_not_move_media(void **st)
{
	struct sim sim;
	begin(&sim, 15, 1);
	sim.link.deliver = deliver_and_steal;
	stolen_len = 0;
	tell_all(&sim);
	run(&sim, 10 * S);
	assert_true(stolen_len > 0);
	struct addr stranger = ip("203.0.113.66", 4444);
	unsigned n_selected = sim.peer[1].n_selected;
	for (unsigned i = 0; i < 100; i++) {
		deliver(&sim, 1, &stranger, &sim.peer[1].paths[0], slice_of(stolen, stolen_len));
		run(&sim, 300 * MS);
	}
	assert_both(&sim, ICE_CONNECTED);
	assert_int_equal(sim.peer[1].n_selected, n_selected);
	assert_same_pair(&sim);
	end(&sim);
}

static void close_is_final(void **st)
{
	struct sim sim;
	begin(&sim, 16, 1);
	tell_all(&sim);
	run(&sim, 5 * S);
	ice_close(sim.peer[0].ice);
	unsigned n_sent = sim.peer[0].n_sent;
	run(&sim, 30 * S);
	assert_int_equal(sim.peer[0].n_sent, n_sent);
	assert_int_equal(ice_state(sim.peer[0].ice), ICE_CLOSED);
	assert_int_equal(ice_state(sim.peer[1].ice), ICE_FAILED);
	assert_int_equal(ice_restart(sim.peer[0].ice, "abcd", "0123456789012345678901", 0), -ERR_BAD_STATE);
	end(&sim);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(connects_on_the_best_pair),
		cmocka_unit_test(connects_over_bad_links),
		cmocka_unit_test(resolves_role_conflicts),
		cmocka_unit_test(connects_without_signalled_candidates),
		cmocka_unit_test(connects_in_any_order_of_signalling),
		cmocka_unit_test(connects_through_a_nat),
		cmocka_unit_test(follows_a_nat_that_rebinds),
		cmocka_unit_test(loses_consent_and_fails),
		cmocka_unit_test(one_way_loss_is_no_consent),
		cmocka_unit_test(recovers_from_disconnection),
		cmocka_unit_test(moves_to_another_pair),
		cmocka_unit_test(survives_a_jump_of_the_delay),
		cmocka_unit_test(restarts_without_a_gap),
		cmocka_unit_test(restart_saves_a_lost_path),
		cmocka_unit_test(restart_leads_out_of_failure),
		cmocka_unit_test(lite_agent_is_controlled),
		cmocka_unit_test(forgeries_change_nothing),
		cmocka_unit_test(replay_does_not_move_media),
		cmocka_unit_test(close_is_final),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
