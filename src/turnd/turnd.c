#include <string.h>

#include "base/clock.h"
#include "base/hot.h"
#include "base/mem.h"
#include "turnd/turnd_internal.h"

enum {
	ARENA = 256 * 1024,   /* stays in the second-level cache */
	LISTENER_BATCH = 32,  /* clients are many, and come one by one */
	RELAY_BATCH = 4,      /* a relay socket has few peers */
};

static const struct udp_counters counted_in = {
	M_TURN_UDP_PACKETS_IN, M_TURN_UDP_BYTES_IN, M_TURN_RX_CALLS, M_TURN_RX_GRO};
static const struct udp_counters counted_out = {
	M_TURN_UDP_PACKETS_OUT, M_TURN_UDP_BYTES_OUT, M_TURN_TX_CALLS, M_TURN_TX_GSO};

/* --------------------------------------------------------------- names of connections */

void turnd_conn_add(struct turnd *t, struct turnd_conn *c)
{
	struct turnd_conns *cs = &t->conns;
	if (cs->first_free == UINT32_MAX) {
		uint32_t cap = cs->cap ? cs->cap * 2 : 64;
		cs->slots = xrealloc(cs->slots, cap * sizeof *cs->slots);
		for (uint32_t i = cap; i-- > cs->cap;) {
			cs->slots[i] = (struct turnd_conn_slot){.next_free = cs->first_free};
			cs->first_free = i;
		}
		cs->cap = cap;
	}
	uint32_t i = cs->first_free;
	struct turnd_conn_slot *slot = &cs->slots[i];
	cs->first_free = slot->next_free;
	slot->conn = c;
	slot->gen++;
	cs->n++;
	c->handle = (uint64_t)slot->gen << 32 | i;
}

/* A slot whose generations are used up is not used again. */
void turnd_conn_del(struct turnd *t, struct turnd_conn *c)
{
	if (turnd_conn_find(t, c->handle) != c)
		return;
	uint32_t i = (uint32_t)c->handle;
	struct turnd_conn_slot *slot = &t->conns.slots[i];
	slot->conn = NULL;
	t->conns.n--;
	if (slot->gen == UINT32_MAX)
		return;
	slot->next_free = t->conns.first_free;
	t->conns.first_free = i;
}

struct turnd_conn *turnd_conn_find(const struct turnd *t, uint64_t handle)
{
	uint32_t i = (uint32_t)handle;
	if (i >= t->conns.cap || t->conns.slots[i].gen != handle >> 32)
		return NULL;
	return t->conns.slots[i].conn;
}

/* ------------------------------------------------------------------- what turn/ calls */

static void op_send(void *arg, const struct turn_flow *flow, struct slice bytes, bool is_data)
{
	struct turnd *t = arg;
	if (flow->transport != TURN_UDP) {
		turnd_stream_send(t, flow, bytes, is_data);
		return;
	}
	uint8_t *p = turnd_udp_place(t, &t->listeners[flow->listener], &flow->client, bytes.n);
	if (p)
		memcpy(p, bytes.p, bytes.n);
}

static void op_send_from(
	void *arg, const struct addr *from, const struct addr *to, struct slice bytes)
{
	struct turnd *t = arg;
	struct turnd_listener *l = turnd_listener_at(t, from);
	uint8_t *p = l ? turnd_udp_place(t, l, to, bytes.n) : NULL;
	if (p)
		memcpy(p, bytes.p, bytes.n);
}

static uint64_t op_wall_s(void *arg)
{
	(void)arg;
	return clock_wall_us() / US_PER_S;
}

static uint8_t *op_client_place(void *arg, const struct turn_flow *flow, size_t n)
{
	struct turnd *t = arg;
	if (UNLIKELY(flow->transport != TURN_UDP))
		return turnd_stream_place(t, flow, n);
	return turnd_udp_place(t, &t->listeners[flow->listener], &flow->client, n);
}

static int op_peer_connect(void *arg, struct turn_relay *relay, const struct addr *peer,
	uint32_t id, struct turn_peer **out)
{
	return turnd_peer_connect(arg, relay, peer, id, out);
}

static void op_peer_close(void *arg, struct turn_peer *peer)
{
	turnd_peer_close(arg, peer);
}

static void op_peer_splice(void *arg, struct turn_peer *peer, const struct turn_flow *data)
{
	turnd_peer_splice(arg, peer, data);
}

static void op_flow_close(void *arg, const struct turn_flow *flow)
{
	turnd_stream_close(arg, flow);
}

static void op_ended(void *arg, const struct turn_alloc *alloc, const char *reason)
{
	struct turnd *t = arg;
	if (!t->on_ended)
		return;
	struct turn_alloc_info info;
	turn_alloc_info(alloc, &info);
	t->on_ended(t->on_ended_arg, &info, reason);
}

static void op_kept(void *arg, const struct turn_alloc *alloc, bool is_new)
{
	struct turnd *t = arg;
	if (!t->on_kept)
		return;
	struct turn_alloc_info info;
	turn_alloc_info(alloc, &info);
	t->on_kept(t->on_kept_arg, &info, is_new);
}

static const struct turn_ops ops = {
	.send = op_send,
	.send_from = op_send_from,
	.hand_over = turnd_hand_over,
	.wall_s = op_wall_s,
	.relay_open = turnd_relay_open,
	.relay_unreserve = turnd_relay_unreserve,
	.relay_start = turnd_relay_start,
	.relay_close = turnd_relay_close,
	.relay_send = turnd_relay_send,
	.client_place = op_client_place,
	.peer_connect = op_peer_connect,
	.peer_close = op_peer_close,
	.peer_splice = op_peer_splice,
	.flow_close = op_flow_close,
	.kept = op_kept,
	.ended = op_ended,
};

/* -------------------------------------------------------------------- configuration */

static const char *own(const char *s)
{
	return xstrdup(s ? s : "");
}

static void cfg_copy(struct turnd_cfg *to, const struct turnd_cfg *from)
{
	*to = *from;
	to->listen = xmemdup(from->listen, from->n_listen * sizeof *from->listen);
	to->relay = xmemdup(from->relay, from->n_relay * sizeof *from->relay);
	to->proxies = from->n_proxies
			      ? xmemdup(from->proxies, from->n_proxies * sizeof *from->proxies)
			      : NULL;
	to->cert_file = own(from->cert_file);
	to->key_file = own(from->key_file);
	to->key_password = own(from->key_password);
	to->tls_ciphers = own(from->tls_ciphers);
	to->turn.software = own(from->turn.software);
	to->turn.alternate_server = own(from->turn.alternate_server);
	if (from->turn.other_address)
		to->turn.other_address = xmemdup(from->turn.other_address, 2 * sizeof(struct addr));
}

static void cfg_free(struct turnd_cfg *c)
{
	if (c->key_password)
		secret_wipe((char *)(uintptr_t)c->key_password, strlen(c->key_password));
	const void *const all[] = {c->listen, c->relay, c->proxies, c->cert_file, c->key_file,
		c->key_password, c->tls_ciphers, c->turn.software, c->turn.alternate_server,
		c->turn.other_address};
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		xfree((void *)(uintptr_t)all[i]);
	*c = (struct turnd_cfg){0};
}

static int check_cfg(const struct turnd_cfg *cfg, struct errbuf *eb)
{
	if (cfg->n_listen > TURND_LISTENERS_MAX)
		return err_set(eb, ERR_CONFIG, "turn: at most %d addresses can be listened on",
			TURND_LISTENERS_MAX);
	if (cfg->n_relay > TURND_RELAY_ADDRS_MAX)
		return err_set(eb, ERR_CONFIG, "turn: at most %d relay addresses are possible",
			TURND_RELAY_ADDRS_MAX);
	if (cfg->relay_first == 0 || cfg->relay_first > cfg->relay_last)
		return err_set(eb, ERR_CONFIG,
			"turn: the relay range must begin with a port above 0 and not end below it");
	return 0;
}

/* ------------------------------------------------------------------- life */

static void set_listeners(struct turnd *t)
{
	t->n_listeners = t->cfg.n_listen;
	t->listeners = xcalloc(MAX(t->n_listeners, (size_t)1), sizeof *t->listeners);
	for (size_t i = 0; i < t->n_listeners; i++) {
		struct turnd_listener *l = &t->listeners[i];
		*l = (struct turnd_listener){.t = t,
			.index = (uint16_t)i,
			.cfg = t->cfg.listen[i],
			.sock.fd = -1,
			.stream_fd = -1};
		l->server = l->cfg.known_as.sa.sa_family ? l->cfg.known_as : l->cfg.at;
		l->flow = (struct turn_flow){
			.transport = TURN_UDP, .listener = l->index, .server = l->server};
	}
}

static int open_all(struct turnd *t, struct errbuf *eb)
{
	int err = 0;
	for (size_t i = 0; !err && i < t->n_listeners; i++) {
		struct turnd_listener *l = &t->listeners[i];
		if (l->cfg.udp || l->cfg.dtls)
			err = turnd_udp_open(t, l, eb);
	}
	if (!err)
		err = turnd_relays_open(t, eb);
	if (!err)
		err = turnd_hairpin_open(t, eb);
	return err ? err : turnd_streams_open(t, eb);
}

int turnd_new(struct turnd **out, struct worker *w, struct rtc *rtc, struct turnd_shared *shared,
	const struct turnd_cfg *cfg, struct turn_auth *auth, const struct turn_policy *policy,
	struct turn_quota *quota, struct errbuf *eb)
{
	int err = check_cfg(cfg, eb);
	if (err)
		return err;
	struct turnd *t = XNEW(struct turnd);
	t->worker = w;
	t->rtc = rtc;
	t->shared = shared;
	t->policy = policy;
	t->conns.first_free = UINT32_MAX;
	cfg_copy(&t->cfg, cfg);
	t->cfg.turn.worker = (uint8_t)w->index;
	turnd_steer_init(t);
	t->rx = udp_rx_new(LISTENER_BATCH, &counted_in);
	t->relay_rx = udp_rx_new(RELAY_BATCH, &counted_in);
	t->client_tx = udp_tx_new(ARENA, &counted_out);
	t->relay_tx = udp_tx_new(ARENA, &counted_out);
	set_listeners(t);
	t->server = turn_server_new(&t->cfg.turn, auth, policy, quota, &w->wheel, &ops, t);
	err = open_all(t, eb);
	if (err) {
		turnd_free(t);
		return err;
	}
	*out = t;
	return 0;
}

void turnd_free(struct turnd *t)
{
	if (!t)
		return;
	turn_server_free(t->server);
	t->server = NULL;
	turnd_end_turn(t);
	turnd_streams_close(t);
	turnd_hairpin_close(t);
	turnd_relays_close(t);
	for (size_t i = 0; i < t->n_listeners; i++)
		turnd_udp_close(t, &t->listeners[i]);
	udp_rx_free(t->rx);
	udp_rx_free(t->relay_rx);
	udp_tx_free(t->client_tx);
	udp_tx_free(t->relay_tx);
	xfree(t->listeners);
	xfree(t->conns.slots);
	turnd_steer_free(t);
	cfg_free(&t->cfg);
	xfree(t);
}

void turnd_end_turn(struct turnd *t)
{
	hot_enter();
	turnd_flush_relays(t);
	if (t->rtc)
		rtc_flush(t->rtc);
	hot_leave();
	turnd_streams_flush(t);
	hot_enter();
	turnd_hairpin_post(t);
	udp_tx_flush(t->client_tx);
	hot_leave();
}

struct turn_server *turnd_server(struct turnd *t)
{
	return t->server;
}

int turnd_reload(struct turnd *t, const struct turnd_cfg *cfg, const struct turn_policy *policy,
	struct errbuf *eb)
{
	struct turnd_cfg old = t->cfg, next = *cfg;
	next.listen = old.listen;
	next.n_listen = old.n_listen;
	next.relay = old.relay;
	next.n_relay = old.n_relay;
	next.relay_first = old.relay_first;
	next.relay_last = old.relay_last;
	next.multiplex_peer = old.multiplex_peer;
	next.http_pass = old.http_pass;
	next.http_arg = old.http_arg;
	next.turn.worker = old.turn.worker;
	cfg_copy(&t->cfg, &next);
	int err = turnd_streams_reload(t, eb);
	if (err) {
		cfg_free(&t->cfg);
		t->cfg = old;
		return err;
	}
	t->policy = policy;
	turn_reload(t->server, &t->cfg.turn, policy);
	cfg_free(&old);
	return 0;
}

void turnd_set_rules(
	struct turnd *t, uint64_t allocation_bytes_per_s, const struct turn_policy *policy)
{
	t->cfg.turn.allocation_bytes_per_s = allocation_bytes_per_s;
	t->policy = policy;
	turn_reload(t->server, &t->cfg.turn, policy);
}

void turnd_on_kept(struct turnd *t,
	void (*fn)(void *arg, const struct turn_alloc_info *info, bool is_new), void *arg)
{
	t->on_kept = fn;
	t->on_kept_arg = arg;
}

void turnd_on_ended(struct turnd *t,
	void (*fn)(void *arg, const struct turn_alloc_info *info, const char *reason), void *arg)
{
	t->on_ended = fn;
	t->on_ended_arg = arg;
}
