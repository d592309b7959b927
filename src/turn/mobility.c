/*
 * RFC 8016: an allocation that follows its client to another address.
 *
 * To the client a ticket is opaque, but clients exist that keep it as a C string (turnutils_uclient): one with a zero
 * byte comes back cut short. So it is text: two hexadecimal digits, the worker; then 180 random bits.
 */
#include "base/mem.h"
#include "base/rng.h"
#include "turn/turn_internal.h"

static struct slice key_of(const uint8_t ticket[TURN_TICKET_LEN])
{
	return slice_of(ticket, TURN_TICKET_LEN);
}

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool turn_ticket_worker(struct slice ticket, unsigned *worker)
{
	if (ticket.n != TURN_TICKET_LEN)
		return false;
	int high = hex_digit(ticket.p[0]), low = hex_digit(ticket.p[1]);
	if (high < 0 || low < 0)
		return false;
	*worker = (unsigned)(high * 16 + low);
	return true;
}

static void make_ticket(uint8_t ticket[TURN_TICKET_LEN], uint8_t worker)
{
	static const char digits[] =
		"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_";
	rng_bytes(ticket, TURN_TICKET_LEN);
	for (size_t i = 0; i < TURN_TICKET_LEN; i++)
		ticket[i] = (uint8_t)digits[ticket[i] & 63];
	ticket[0] = (uint8_t)digits[worker >> 4];
	ticket[1] = (uint8_t)digits[worker & 15];
}

struct turn_alloc *turn_ticket_find(struct turn_server *s, const struct stun_msg *m)
{
	struct slice ticket = stun_value(m, STUN_ATTR_MOBILITY_TICKET);
	return ticket.n == TURN_TICKET_LEN ? map_get(&s->tickets, ticket) : NULL;
}

void turn_ticket_put(struct turn_req *rq, struct turn_alloc *a)
{
	struct turn_mobility *mob = a->mobility;
	if (!mob) {
		mob = a->mobility = XNEW(struct turn_mobility);
	} else {
		if (mob->has_before)
			map_del(&rq->s->tickets, key_of(mob->before));
		memcpy(mob->before, mob->ticket, sizeof mob->before);
		mob->has_before = true;
	}
	make_ticket(mob->ticket, rq->s->cfg.worker);
	map_put(&rq->s->tickets, key_of(mob->ticket), a);
	stun_put(&rq->w, STUN_ATTR_MOBILITY_TICKET, mob->ticket, sizeof mob->ticket);
}

void turn_ticket_free(struct turn_alloc *a)
{
	struct turn_mobility *mob = a->mobility;
	if (!mob)
		return;
	map_del(&a->server->tickets, key_of(mob->ticket));
	if (mob->has_before)
		map_del(&a->server->tickets, key_of(mob->before));
	xfree(mob);
	a->mobility = NULL;
}

void turn_move(struct turn_alloc *a, const struct turn_flow *to)
{
	struct turn_server *s = a->server;
	struct turn_flow old = a->flow;
	bool closes = a->is_attached && !turn_is_datagram(old.transport);
	turn_alloc_detach(a);
	turn_alloc_attach(a, to);
	metric_inc(M_TURN_MOVED);
	if (closes)
		s->ops->flow_close(s->arg, &old);
}
