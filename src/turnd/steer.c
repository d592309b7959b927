/*
 * The kernel spreads UDP clients over the workers by their address and port (SO_REUSEPORT). A client that comes back
 * from another one, with a reservation token (EVEN-PORT) or a mobility ticket, may arrive at a worker that knows
 * nothing of it. The token names the worker; the request goes there through the ring and is answered from there, as
 * all workers listen on the same addresses. What this client sends next goes there as well: the answer may be with it,
 * and its next request here, before this worker reads what the other one says of it (TURND_RING_STEER, _UNSTEER).
 *
 * Each request that is passed on has a number, which the other worker's word comes back with. That it does not want
 * the client counts only if it is about the last one.
 */
#include "base/hot.h"
#include "base/mem.h"
#include "base/metric.h"
#include "turnd/turnd_internal.h"

enum {
	STEERED_MAX = 65536, /* clients with an allocation at another worker */
	ASKED_MAX = 1024,    /* clients whose worker has not said yet that it wants them: anybody may be one */
	KEY_CAP = 2 + ADDR_KEY_CAP,
};

struct steered {
	struct list lru; /* in t->steered_lru or t->asked_lru */
	uint16_t worker;
	uint16_t number; /* of the last request that was passed on; not 0 */
	bool is_asked;   /* the worker has not said yet that it wants the client */
	uint8_t key_n;
	uint8_t key[KEY_CAP];
};

static bool is_stun(struct slice bytes)
{
	return bytes.n > 0 && bytes.p[0] <= 3;
}

static struct slice key_of(uint16_t listener, const struct addr *client, uint8_t out[KEY_CAP])
{
	wr16(out, listener);
	return slice_of(out, 2 + addr_key(client, out + 2));
}

void turnd_steer_init(struct turnd *t)
{
	map_init(&t->steered);
	list_init(&t->steered_lru);
	list_init(&t->asked_lru);
}

static void forget(struct turnd *t, struct steered *s)
{
	map_del(&t->steered, slice_of(s->key, s->key_n));
	list_del(&s->lru);
	t->n_asked -= s->is_asked;
	xfree(s);
	metric_sub(M_TURN_STEERED, 1);
}

void turnd_steer_free(struct turnd *t)
{
	while (!list_empty(&t->steered_lru))
		forget(t, list_first(&t->steered_lru, struct steered, lru));
	while (!list_empty(&t->asked_lru))
		forget(t, list_first(&t->asked_lru, struct steered, lru));
	map_free(&t->steered);
}

static struct steered *add(
	struct turnd *t, uint16_t listener, const struct addr *client, bool is_asked)
{
	uint8_t mem[KEY_CAP];
	struct slice key = key_of(listener, client, mem);
	struct list *lru = is_asked ? &t->asked_lru : &t->steered_lru;
	if (is_asked ? t->n_asked >= ASKED_MAX : t->steered.n - t->n_asked >= STEERED_MAX)
		forget(t, list_first(lru, struct steered, lru));
	struct steered *s = XNEW(struct steered);
	s->is_asked = is_asked;
	s->key_n = (uint8_t)key.n;
	memcpy(s->key, key.p, key.n);
	map_put(&t->steered, key, s);
	list_push(lru, &s->lru);
	t->n_asked += is_asked;
	metric_inc(M_TURN_STEERED);
	return s;
}

static struct steered *find(struct turnd *t, uint16_t listener, const struct addr *client)
{
	uint8_t mem[KEY_CAP];
	return map_get(&t->steered, key_of(listener, client, mem));
}

/*
 * Only a worker that has an allocation for the client, or asks a database about it, asks for it, so nobody fills this
 * part of the table without credentials.
 */
static void steer(struct turnd *t, const struct turnd_ring_hdr *hdr)
{
	struct steered *s = find(t, hdr->listener, &hdr->from);
	uint16_t number = s ? s->number : hdr->port;
	if (s && s->is_asked) {
		forget(t, s);
		s = NULL;
	}
	if (!s)
		s = add(t, hdr->listener, &hdr->from, false);
	s->worker = hdr->worker;
	s->number = number;
}

static void unsteer(struct turnd *t, const struct turnd_ring_hdr *hdr)
{
	struct steered *s = find(t, hdr->listener, &hdr->from);
	if (s && (hdr->port ? hdr->port == s->number : hdr->worker == s->worker))
		forget(t, s);
}

void turnd_steer_to(
	struct turnd *t, unsigned worker, uint16_t listener, const struct addr *client)
{
	const struct turnd_ring_hdr hdr = {
		.from = *client, .worker = (uint16_t)worker, .listener = listener};
	steer(t, &hdr);
}

void turnd_steer_end(
	struct turnd *t, unsigned worker, uint16_t listener, const struct addr *client)
{
	const struct turnd_ring_hdr hdr = {.kind = TURND_RING_UNSTEER,
		.from = *client,
		.worker = (uint16_t)t->worker->index,
		.listener = listener};
	turnd_ring_place(t, worker, &hdr, NULL, 0);
}

static void pass_on(struct turnd *t, struct steered *s, uint16_t listener,
	const struct addr *client, struct slice bytes)
{
	if (is_stun(bytes) && ++s->number == 0)
		s->number = 1;
	const struct turnd_ring_hdr hdr = {.kind = TURND_RING_CLIENT,
		.from = *client,
		.listener = listener,
		.port = s->number,
		.worker = (uint16_t)t->worker->index};
	turnd_ring_place(t, s->worker, &hdr, bytes.p, bytes.n);
}

bool turnd_hand_over(
	void *arg, const struct turn_flow *flow, unsigned worker, struct slice request)
{
	struct turnd *t = arg;
	if (worker >= turnd_shared_workers(t->shared))
		return false;
	if (flow->transport != TURN_UDP)
		return turnd_stream_hand_over(t, flow, worker, request);
	/* An allocation stays where it is, whoever sends tokens in its client's name. */
	if (turn_flow_is_here(t->server, flow))
		return false;
	if (t->passed) {
		/* The worker that it came to hears of it from the last one. */
		turnd_ring_place(t, worker, t->passed, request.p, request.n);
		t->passed = NULL;
		return true;
	}
	struct steered *s = find(t, flow->listener, &flow->client);
	if (!s)
		s = add(t, flow->listener, &flow->client, true);
	s->worker = (uint16_t)worker;
	pass_on(t, s, flow->listener, &flow->client, request);
	return true;
}

bool turnd_steer_rx(struct turnd_listener *l, struct udp_dgram *d)
{
	struct turnd *t = l->t;
	struct steered *s = find(t, l->index, d->from);
	if (!s)
		return false;
	list_del(&s->lru);
	list_push(s->is_asked ? &t->asked_lru : &t->steered_lru, &s->lru);
	pass_on(t, s, l->index, d->from, slice_of(d->p, d->n));
	return true;
}

/* Requests are what makes and ends allocations: after each the other worker learns how it stands. */
static void take_client(struct turnd *t, const struct turnd_ring_hdr *hdr, uint8_t *p, size_t n)
{
	struct turnd_listener *l = &t->listeners[hdr->listener];
	struct udp_dgram d = {p, n, &hdr->from};
	bool is_request = is_stun(slice_of(p, n));
	t->passed = is_request ? hdr : NULL;
	turnd_udp_rx(l, &d);
	bool is_passed_on = !t->passed;
	t->passed = NULL;
	if (is_passed_on)
		return;
	struct turn_flow flow = l->flow;
	flow.client = hdr->from;
	const struct turnd_ring_hdr answer = {.kind = turn_flow_is_here(t->server, &flow)
							      ? TURND_RING_STEER
							      : TURND_RING_UNSTEER,
		.from = hdr->from,
		.listener = hdr->listener,
		.port = hdr->port,
		.worker = (uint16_t)t->worker->index};
	turnd_ring_place(t, hdr->worker, &answer, NULL, 0);
}

void turnd_steer_take(struct turnd *t, const struct turnd_ring_hdr *hdr, uint8_t *p, size_t n)
{
	if (hdr->kind == TURND_RING_CLIENT) {
		take_client(t, hdr, p, n);
		return;
	}
	bool was_hot = hot_pause();
	if (hdr->kind == TURND_RING_STEER)
		steer(t, hdr);
	else
		unsteer(t, hdr);
	hot_resume(was_hot);
}
