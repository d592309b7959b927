/*
 * The kernel spreads UDP clients over the workers by their address and port (SO_REUSEPORT). A client that comes back
 * from another one, with a reservation token (EVEN-PORT) or a mobility ticket, may arrive at a worker that knows
 * nothing of it. The token names the worker; the request goes there through the ring and is answered from there, as
 * all workers listen on the same addresses. Once the client has an allocation there, or waits for a database, its
 * worker says so, and from then on everything that comes from this client is passed on.
 */
#include "base/hot.h"
#include "base/mem.h"
#include "base/metric.h"
#include "turnd/turnd_internal.h"

enum { STEERED_MAX = 65536, KEY_CAP = 2 + ADDR_KEY_CAP };

struct steered {
	struct list lru;
	uint16_t worker;
	uint8_t key_n;
	uint8_t key[KEY_CAP];
};

static struct slice key_of(uint16_t listener, const struct addr *client, uint8_t out[KEY_CAP])
{
	wr16(out, listener);
	return slice_of(out, 2 + addr_key(client, out + 2));
}

void turnd_steer_init(struct turnd *t)
{
	map_init(&t->steered);
	list_init(&t->steered_lru);
}

static void forget(struct turnd *t, struct steered *s)
{
	map_del(&t->steered, slice_of(s->key, s->key_n));
	list_del(&s->lru);
	xfree(s);
	metric_sub(M_TURN_STEERED, 1);
}

void turnd_steer_free(struct turnd *t)
{
	while (!list_empty(&t->steered_lru))
		forget(t, list_first(&t->steered_lru, struct steered, lru));
	map_free(&t->steered);
}

/*
 * Only a worker that has an allocation for the client, or asks a database about it, asks for it, so nobody fills the
 * table without credentials.
 */
static void steer(struct turnd *t, const struct turnd_ring_hdr *hdr)
{
	uint8_t mem[KEY_CAP];
	struct slice key = key_of(hdr->listener, &hdr->from, mem);
	struct steered *s = map_get(&t->steered, key);
	if (s) {
		s->worker = hdr->worker;
		return;
	}
	if (t->steered.n >= STEERED_MAX)
		forget(t, list_first(&t->steered_lru, struct steered, lru));
	s = XNEW(struct steered);
	s->worker = hdr->worker;
	s->key_n = (uint8_t)key.n;
	memcpy(s->key, key.p, key.n);
	map_put(&t->steered, key, s);
	list_push(&t->steered_lru, &s->lru);
	metric_inc(M_TURN_STEERED);
}

static void unsteer(struct turnd *t, const struct turnd_ring_hdr *hdr)
{
	uint8_t mem[KEY_CAP];
	struct steered *s = map_get(&t->steered, key_of(hdr->listener, &hdr->from, mem));
	if (s && s->worker == hdr->worker)
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

static void pass_on(struct turnd *t, unsigned worker, uint16_t listener, const struct addr *client,
	struct slice bytes)
{
	const struct turnd_ring_hdr hdr = {.kind = TURND_RING_CLIENT,
		.from = *client,
		.listener = listener,
		.worker = (uint16_t)t->worker->index};
	turnd_ring_place(t, worker, &hdr, bytes.p, bytes.n);
}

bool turnd_hand_over(
	void *arg, const struct turn_flow *flow, unsigned worker, struct slice request)
{
	struct turnd *t = arg;
	if (worker >= turnd_shared_workers(t->shared))
		return false;
	if (flow->transport != TURN_UDP)
		return turnd_stream_hand_over(t, flow, worker, request);
	pass_on(t, worker, flow->listener, &flow->client, request);
	return true;
}

bool turnd_steer_rx(struct turnd_listener *l, struct udp_dgram *d)
{
	struct turnd *t = l->t;
	uint8_t mem[KEY_CAP];
	struct steered *s = map_get(&t->steered, key_of(l->index, d->from, mem));
	if (!s)
		return false;
	list_del(&s->lru);
	list_push(&t->steered_lru, &s->lru);
	pass_on(t, s->worker, l->index, d->from, slice_of(d->p, d->n));
	return true;
}

/* Requests are what makes and ends allocations: after each the other worker learns how it stands. */
static void take_client(struct turnd *t, const struct turnd_ring_hdr *hdr, uint8_t *p, size_t n)
{
	struct turnd_listener *l = &t->listeners[hdr->listener];
	struct udp_dgram d = {p, n, &hdr->from};
	bool is_stun = n > 0 && p[0] <= 3;
	turnd_udp_rx(l, &d);
	if (!is_stun)
		return;
	struct turn_flow flow = l->flow;
	flow.client = hdr->from;
	const struct turnd_ring_hdr answer = {.kind = turn_flow_is_here(t->server, &flow)
							      ? TURND_RING_STEER
							      : TURND_RING_UNSTEER,
		.from = hdr->from,
		.listener = hdr->listener,
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
