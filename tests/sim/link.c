#include "link.h"

#include "base/mem.h"

struct link_packet {
	struct link_packet *next;
	uint64_t at_us;
	int to_end;
	struct addr from, to;
	size_t n;
	uint8_t data[];
};

uint32_t link_dice(struct link *l, uint32_t n)
{
	l->rng = l->rng * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)((l->rng >> 33) % n);
}

void link_init(struct link *l, uint64_t seed,
	void (*deliver)(void *arg, int end, const struct addr *from, const struct addr *to,
		struct slice data),
	void *arg)
{
	*l = (struct link){.rng = seed, .deliver = deliver, .arg = arg};
	for (int i = 0; i < 8; i++)
		link_dice(l, 1);
}

void link_free(struct link *l)
{
	while (l->queue) {
		struct link_packet *p = l->queue;
		l->queue = p->next;
		xfree(p);
	}
}

static bool is_blocked(const struct link *l, const struct addr *a)
{
	for (size_t i = 0; i < l->n_blocked; i++)
		if (addr_ip_eq(&l->blocked[i], a))
			return true;
	return false;
}

static void nat_out(struct link_nat *nat, struct addr *from, const struct addr *to)
{
	if (!nat->is_on || !addr_ip_eq(from, &nat->inside))
		return;
	uint16_t port = addr_port(from);
	*from = nat->outside;
	addr_set_port(from, (uint16_t)(port + nat->port_shift));
	for (size_t i = 0; i < nat->n_peers; i++)
		if (addr_eq(&nat->peers[i], to))
			return;
	if (nat->n_peers < LINK_NAT_PEERS_MAX)
		nat->peers[nat->n_peers++] = *to;
}

/* False if the packet does not get in. */
static bool nat_in(const struct link_nat *nat, const struct addr *from, struct addr *to)
{
	if (!nat->is_on)
		return true;
	if (addr_ip_eq(to, &nat->inside))
		return false;
	if (!addr_ip_eq(to, &nat->outside))
		return true;
	uint16_t port = addr_port(to);
	*to = nat->inside;
	addr_set_port(to, (uint16_t)(port - nat->port_shift));
	for (size_t i = 0; i < nat->n_peers; i++)
		if (addr_eq(&nat->peers[i], from))
			return true;
	return false;
}

static void enqueue(struct link *l, int to_end, const struct addr *from, const struct addr *to,
	struct slice data, uint64_t at_us)
{
	struct link_packet *p = xmalloc(sizeof *p + data.n);
	*p = (struct link_packet){
		.at_us = at_us, .to_end = to_end, .from = *from, .to = *to, .n = data.n};
	memcpy(p->data, data.p, data.n);
	struct link_packet **at = &l->queue;
	while (*at && (*at)->at_us <= at_us)
		at = &(*at)->next;
	p->next = *at;
	*at = p;
}

void link_send(
	struct link *l, int end, const struct addr *from, const struct addr *to, struct slice data)
{
	struct link_dir *d = &l->dir[end];
	struct addr src = from ? *from : (struct addr){0}, dst = to ? *to : (struct addr){0};
	d->n_sent++;
	nat_out(&l->nat[end], &src, &dst);
	if (d->is_down || is_blocked(l, &src) || is_blocked(l, &dst) ||
		link_dice(l, 1000) < d->loss_pm) {
		d->n_lost++;
		return;
	}
	int copies = link_dice(l, 1000) < d->dup_pm ? 2 : 1;
	for (int i = 0; i < copies; i++)
		enqueue(l, !end, &src, &dst, data,
			l->now_us + d->delay_us + (d->jitter_us ? link_dice(l, d->jitter_us) : 0));
}

void link_block(struct link *l, const struct addr *ip)
{
	if (l->n_blocked < LINK_BLOCKED_MAX)
		l->blocked[l->n_blocked++] = *ip;
}

void link_nat_on(struct link *l, int end, const struct addr *inside, const struct addr *outside)
{
	l->nat[end] = (struct link_nat){
		.is_on = true, .inside = *inside, .outside = *outside, .port_shift = 10000};
}

void link_nat_rebind(struct link *l, int end)
{
	l->nat[end].port_shift += 777;
	l->nat[end].n_peers = 0;
}

uint64_t link_next_us(const struct link *l)
{
	return l->queue ? l->queue->at_us : UINT64_MAX;
}

void link_run(struct link *l, uint64_t now_us)
{
	l->now_us = now_us;
	while (l->queue && l->queue->at_us <= now_us) {
		struct link_packet *p = l->queue;
		l->queue = p->next;
		if (nat_in(&l->nat[p->to_end], &p->from, &p->to)) {
			uint8_t *exact = xmalloc(p->n ? p->n : 1);
			memcpy(exact, p->data, p->n);
			l->deliver(l->arg, p->to_end, &p->from, &p->to, slice_of(exact, p->n));
			xfree(exact);
		}
		xfree(p);
	}
}
