/* dtls: TURN clients over DTLS (RFC 7350), on the sockets of the UDP listeners. */
#include "dtls/dtls.h"

#include "base/hot.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/metric.h"
#include "base/rng.h"
#include "dtls/cookie.h"
#include "turnd/stream.h"

enum {
	APP_MAX = 4000, /* larger ones come and go in fragments of IP, as over UDP */
	PLACES = 64 * 1024,
	KEY_CAP = 2 + ADDR_KEY_CAP,
};

struct dtls_client {
	struct turnd_conn conn; /* first */
	struct turnd *t;
	struct turnd_listener *listener;
	struct turn_flow flow;
	struct dtls *dtls;
	struct turnd_tls *tls; /* whose keys it uses; a reference */
	struct list node;      /* in clients, moving or dead */
	struct timer timer;
	uint8_t *request;      /* moving: goes along unanswered */
	size_t request_n;
	uint16_t move_to, arrives_at; /* workers: where it goes; where the kernel brings its datagrams */
	uint64_t heard_us;
	uint64_t hello; /* hash of the ClientHello's random: tells a repeated one from a new client */
	bool is_dead, is_moving, is_to_tell;
};

/* Messages that wait to be encrypted at the end of the turn: they are written in place, after client_place returned. */
struct place {
	uint64_t conn;
	uint32_t n;
};

struct turnd_dtls {
	struct map by_flow;
	struct list clients, moving, dead;
	uint32_t n;
	struct dtls_cookies cookies;
	uint8_t *places; /* struct place and its bytes, one behind the other */
	size_t used;
};

static size_t flow_key(
	const struct turnd_listener *l, const struct addr *client, uint8_t out[KEY_CAP])
{
	wr16(out, l->index);
	return 2 + addr_key(client, out + 2);
}

/* ---------------------------------------------------------------- a client's end */

static void client_unsettle(struct dtls_client *c)
{
	struct turnd_dtls *s = c->t->streams->dtls;
	uint8_t key[KEY_CAP];
	(void)map_del(&s->by_flow, slice_of(key, flow_key(c->listener, &c->flow.client, key)));
	wheel_del(&c->t->worker->wheel, &c->timer);
	turnd_conn_del(c->t, &c->conn);
	list_del(&c->node);
	s->n--;
	metric_sub(M_TURN_DTLS, 1);
}

static void client_die(struct dtls_client *c, bool tell)
{
	struct turnd_dtls *s = c->t->streams->dtls;
	if (c->is_dead)
		return;
	c->is_dead = true;
	c->is_to_tell = tell;
	client_unsettle(c);
	list_push(&s->dead, &c->node);
	if (c->arrives_at != c->t->worker->index)
		turnd_steer_end(c->t, c->arrives_at, c->listener->index, &c->flow.client);
}

static void client_free(struct dtls_client *c)
{
	dtls_free(c->dtls);
	turnd_tls_free(c->tls);
	xfree(c->request);
	xfree(c);
}

static void bury(struct turnd *t, bool tell)
{
	struct turnd_dtls *s = t->streams->dtls;
	while (!list_empty(&s->dead)) {
		struct dtls_client *c = list_first(&s->dead, struct dtls_client, node);
		list_del(&c->node);
		if (tell && c->is_to_tell && t->server)
			turn_flow_closed(t->server, &c->flow);
		client_free(c);
	}
}

/* ---------------------------------------------------------------- time */

static void set_timer(struct dtls_client *c)
{
	uint64_t idle_us = c->t->cfg.stream_idle_us;
	uint64_t idle_at = idle_us ? c->heard_us + idle_us : UINT64_MAX;
	wheel_set(&c->t->worker->wheel, &c->timer, MIN(dtls_next_us(c->dtls), idle_at));
}

static void on_timer(void *arg, uint64_t now_us)
{
	struct dtls_client *c = arg;
	uint64_t idle_us = c->t->cfg.stream_idle_us;
	dtls_timeout(c->dtls, now_us);
	if (c->is_dead)
		return;
	if (idle_us && now_us - c->heard_us >= idle_us) {
		if (!turn_flow_has_alloc(c->t->server, &c->flow)) {
			dtls_close(c->dtls);
			client_die(c, true);
			return;
		}
		c->heard_us = now_us;
	}
	set_timer(c);
}

/* ---------------------------------------------------------------- bytes of the association */

static void on_send(void *arg, struct slice datagram)
{
	struct dtls_client *c = arg;
	uint8_t *p = turnd_udp_place(c->t, c->listener, &c->flow.client, datagram.n);
	if (p)
		memcpy(p, datagram.p, datagram.n);
}

static void on_connected(void *arg, enum dtls_profile profile, struct slice keys)
{
	(void)arg, (void)profile, (void)keys;
	metric_inc(M_TURN_DTLS_HANDSHAKES);
}

static void on_data(void *arg, struct slice data)
{
	struct dtls_client *c = arg;
	struct turnd *t = c->t;
	uint8_t *p = (uint8_t *)(uintptr_t)data.p, first = data.n ? data.p[0] : UINT8_MAX;
	if (c->is_dead || c->is_moving)
		return;
	c->heard_us = t->worker->now_us;
	if (first < 4) {
		turn_rx_stun(t->server, &c->flow, p, data.n, t->worker->now_us);
	} else if (first >= TURN_CHANNEL_FIRST >> 8 && first <= TURN_CHANNEL_LAST >> 8) {
		hot_enter();
		turn_rx_channel(t->server, &c->flow, p, data.n, t->worker->now_us);
		hot_leave();
	} else {
		metric_drop(DROP_NOT_RTC);
	}
}

static void on_failed(void *arg, int err)
{
	struct dtls_client *c = arg;
	(void)err;
	metric_drop(DROP_DTLS_REJECTED);
	client_die(c, true);
}

static void on_closed(void *arg)
{
	client_die(arg, true);
}

static const struct dtls_ops ops = {on_send, on_connected, on_data, on_failed, on_closed};

/* ---------------------------------------------------------------- new clients */

static bool is_full(const struct turnd *t)
{
	return t->cfg.dtls_connections && t->streams->dtls->n >= t->cfg.dtls_connections;
}

static void client_settle(struct turnd *t, struct dtls_client *c)
{
	struct turnd_dtls *s = t->streams->dtls;
	uint8_t key[KEY_CAP];
	c->t = t;
	c->listener = &t->listeners[c->flow.listener];
	c->heard_us = t->worker->now_us;
	turnd_conn_add(t, &c->conn);
	c->flow.conn = c->conn.handle;
	list_push(&s->clients, &c->node);
	(void)map_put(&s->by_flow, slice_of(key, flow_key(c->listener, &c->flow.client, key)), c);
	s->n++;
	metric_inc(M_TURN_DTLS);
}

static void client_new(struct turnd_listener *l, const struct udp_dgram *d, const uint8_t *random)
{
	static const struct dtls_cfg cfg = {.is_server = true,
		.is_peer_anonymous = true,
		.app_max = APP_MAX,
		.retransmit_us = 1000 * 1000}; /* RFC 6347 §4.2.4.1 */
	struct turnd *t = l->t;
	if (is_full(t)) {
		metric_drop(DROP_DTLS_FULL);
		return;
	}
	struct dtls_client *c = XNEW(struct dtls_client);
	c->dtls = dtls_new(turnd_tls_dtls(t->streams->tls), &cfg, &ops, c);
	if (!c->dtls) {
		xfree(c);
		metric_drop(DROP_DTLS_FULL);
		return;
	}
	c->tls = t->streams->tls;
	turnd_tls_hold(c->tls);
	c->conn.transport = TURN_DTLS;
	c->flow = (struct turn_flow){.transport = TURN_DTLS,
		.listener = l->index,
		.client = *d->from,
		.server = l->server};
	c->arrives_at = (uint16_t)t->worker->index;
	c->hello = map_hash(slice_of(random, DTLS_RANDOM_LEN));
	timer_init(&c->timer, on_timer, c);
	client_settle(t, c);
	if (dtls_accept(c->dtls, slice_of(d->p, d->n), t->worker->now_us) == 0)
		set_timer(c);
}

static void answer_hello(struct turnd *t, struct turnd_listener *l, const struct addr *to,
	const uint8_t answer[DTLS_COOKIE_ANSWER_LEN])
{
	uint8_t *p = turnd_udp_place(t, l, to, DTLS_COOKIE_ANSWER_LEN);
	if (p)
		memcpy(p, answer, DTLS_COOKIE_ANSWER_LEN);
	metric_inc(M_TURN_DTLS_COOKIES);
}

static void turn_cookies(struct turnd_dtls *s, uint64_t now_us)
{
	uint8_t secret[DTLS_COOKIE_SECRET_LEN];
	if (!dtls_cookies_are_old(&s->cookies, now_us))
		return;
	rng_bytes(secret, sizeof secret);
	dtls_cookies_turn(&s->cookies, secret, now_us);
	secret_wipe(secret, sizeof secret);
}

/*
 * A ClientHello. A client may have lost its state and come again from the same port (RFC 6347 §4.2.8): with a good
 * cookie it takes the place of the old association.
 */
static void rx_hello(struct turnd_listener *l, const struct udp_dgram *d, struct dtls_client *old)
{
	struct turnd *t = l->t;
	struct turnd_dtls *s = t->streams->dtls;
	uint8_t answer[DTLS_COOKIE_ANSWER_LEN];
	const uint8_t *random = NULL;
	turn_cookies(s, t->worker->now_us);
	switch (dtls_cookie_check(&s->cookies, d->from, slice_of(d->p, d->n), &random, answer)) {
	case DTLS_HELLO_BAD:
		metric_drop(DROP_DTLS_COOKIE);
		return;
	case DTLS_HELLO_ASKED:
		answer_hello(t, l, d->from, answer);
		return;
	case DTLS_HELLO_PROVEN:
		break;
	}
	if (old && old->hello == map_hash(slice_of(random, DTLS_RANDOM_LEN)))
		return;
	if (old)
		client_die(old, true);
	client_new(l, d, random);
}

static void rx(struct turnd_listener *l, const struct udp_dgram *d)
{
	struct turnd *t = l->t;
	struct turnd_dtls *s = t->streams->dtls;
	struct slice bytes = slice_of(d->p, d->n);
	uint8_t key[KEY_CAP];
	struct dtls_client *c = map_get(&s->by_flow, slice_of(key, flow_key(l, d->from, key)));
	if (dtls_is_client_hello(bytes) && (!c || dtls_is_connected(c->dtls))) {
		rx_hello(l, d, c);
		return;
	}
	if (!c) {
		metric_drop(DROP_UNKNOWN_TUPLE);
		return;
	}
	if (dtls_rx(c->dtls, bytes, t->worker->now_us) != 0)
		metric_drop(DROP_DTLS_REJECTED);
	if (!c->is_dead && !dtls_is_connected(c->dtls))
		set_timer(c);
}

void turnd_dtls_rx(struct turnd *t, struct turnd_listener *l, struct udp_dgram *d)
{
	bool was_hot = hot_pause();
	if (t->streams->dtls)
		rx(l, d);
	else
		metric_drop(DROP_NOT_RTC);
	hot_resume(was_hot);
}

/* ---------------------------------------------------------------- out */

static void send_now(struct dtls_client *c, struct slice bytes)
{
	bool was_hot = hot_pause();
	if (c->is_dead || dtls_send(c->dtls, bytes) != 0)
		metric_drop(DROP_STREAM_CLOSED);
	hot_resume(was_hot);
}

static void encrypt_places(struct turnd *t)
{
	struct turnd_dtls *s = t->streams->dtls;
	size_t used = s->used;
	s->used = 0;
	for (size_t at = 0; at < used;) {
		struct place place;
		memcpy(&place, s->places + at, sizeof place);
		at += sizeof place;
		struct turnd_conn *c = turnd_conn_find(t, place.conn);
		if (c)
			send_now((struct dtls_client *)c, slice_of(s->places + at, place.n));
		else
			metric_drop(DROP_STREAM_CLOSED);
		at += place.n;
	}
}

void dtls_client_send(struct turnd *t, struct dtls_client *c, struct slice bytes)
{
	encrypt_places(t); /* what came before leaves before */
	send_now(c, bytes);
}

uint8_t *dtls_client_place(struct turnd *t, struct dtls_client *c, size_t n)
{
	struct turnd_dtls *s = t->streams->dtls;
	struct place place = {c->conn.handle, (uint32_t)n};
	if (n > APP_MAX) {
		metric_drop(DROP_TX_SOCKET);
		return NULL;
	}
	if (PLACES - s->used < sizeof place + n)
		encrypt_places(t);
	memcpy(s->places + s->used, &place, sizeof place);
	uint8_t *p = s->places + s->used + sizeof place;
	s->used += sizeof place + n;
	return p;
}

void dtls_client_end(struct turnd *t, struct dtls_client *c)
{
	if (c->is_dead)
		return;
	encrypt_places(t);
	if (!c->is_dead)
		dtls_close(c->dtls);
	client_die(c, false);
}

/* ---------------------------------------------------------------- to another worker */

/* As with streams (stream_move.c): the client goes to the worker that its request is about, and so do its datagrams. */
struct move_msg {
	struct msg msg; /* first */
	struct turnd *to;
	struct dtls_client *client; /* owned */
};

static void take_in(void *receiver, struct msg *msg)
{
	struct move_msg *m = (struct move_msg *)msg;
	struct dtls_client *c = m->client;
	struct turnd *t = m->to;
	uint8_t key[KEY_CAP];
	(void)receiver;
	xfree(m);
	c->listener = &t->listeners[c->flow.listener];
	struct dtls_client *old = map_get(&t->streams->dtls->by_flow,
		slice_of(key, flow_key(c->listener, &c->flow.client, key)));
	if (old)
		client_die(old, true);
	if (is_full(t)) {
		metric_drop(DROP_DTLS_FULL);
		turnd_steer_end(t, c->arrives_at, c->flow.listener, &c->flow.client);
		client_free(c);
		return;
	}
	uint8_t *request = c->request;
	c->request = NULL;
	c->is_moving = false;
	client_settle(t, c);
	set_timer(c);
	turn_rx_stun(t->server, &c->flow, request, c->request_n, t->worker->now_us);
	xfree(request);
}

static void drop_msg(struct msg *msg)
{
	struct move_msg *m = (struct move_msg *)msg;
	client_free(m->client);
	xfree(m);
}

static const struct msg_kind kind = {"turn dtls client", take_in, drop_msg};

bool dtls_client_hand_over(
	struct turnd *t, struct dtls_client *c, unsigned worker, struct slice request)
{
	if (c->is_dead || c->is_moving || turn_flow_has_alloc(t->server, &c->flow))
		return false;
	c->is_moving = true;
	c->move_to = (uint16_t)worker;
	c->request = xmemdup(request.p, request.n);
	c->request_n = request.n;
	list_del(&c->node);
	list_push(&t->streams->dtls->moving, &c->node);
	return true;
}

static void move_clients(struct turnd *t)
{
	struct turnd_dtls *s = t->streams->dtls;
	while (!list_empty(&s->moving)) {
		struct dtls_client *c = list_first(&s->moving, struct dtls_client, node);
		if (!t->server) { /* the end of the process: the others may be gone */
			client_die(c, false);
			continue;
		}
		struct turnd *to = turnd_shared_turnd(t->shared, c->move_to);
		struct move_msg *m = XNEW(struct move_msg);
		*m = (struct move_msg){.msg.kind = &kind, .to = to, .client = c};
		turn_flow_closed(t->server, &c->flow);
		client_unsettle(c);
		turnd_steer_to(t, c->move_to, c->flow.listener, &c->flow.client);
		metric_inc(M_TURN_STREAMS_MOVED);
		mbox_post_or_drop(&to->worker->mbox, &m->msg);
	}
}

void turnd_dtls_flush(struct turnd *t)
{
	if (!t->streams->dtls)
		return;
	encrypt_places(t);
	move_clients(t);
	bury(t, true);
}

/* ---------------------------------------------------------------- begin and end */

int turnd_dtls_open(struct turnd *t, struct errbuf *eb)
{
	bool is_wanted = false;
	uint8_t secret[DTLS_COOKIE_SECRET_LEN];
	(void)eb;
	for (size_t i = 0; i < t->n_listeners; i++)
		is_wanted |= t->listeners[i].cfg.dtls;
	if (!is_wanted || !t->streams->tls)
		return 0;
	struct turnd_dtls *s = t->streams->dtls = XNEW(struct turnd_dtls);
	map_init(&s->by_flow);
	list_init(&s->clients);
	list_init(&s->moving);
	list_init(&s->dead);
	s->places = xmalloc(PLACES);
	rng_bytes(secret, sizeof secret);
	dtls_cookies_init(&s->cookies, secret, t->worker->now_us);
	secret_wipe(secret, sizeof secret);
	return 0;
}

void turnd_dtls_close(struct turnd *t)
{
	struct turnd_dtls *s = t->streams->dtls;
	if (!s)
		return;
	while (!list_empty(&s->clients)) {
		struct dtls_client *c = list_first(&s->clients, struct dtls_client, node);
		dtls_close(c->dtls);
		client_die(c, false);
	}
	bury(t, false);
	map_free(&s->by_flow);
	xfree(s->places);
	xfree(s);
	t->streams->dtls = NULL;
}
