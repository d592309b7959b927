/*
 * A server and a few clients with good credentials; each byte of the input is a step: signed
 * requests with attributes of the input's choice, data both ways, time, connections that close. So
 * the input reaches what lies behind the check of credentials. turn_kit.h aborts where the server
 * breaks its contract, and at the end when something is left behind.
 */
#include "../../turn_kit.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

enum { CLIENTS = 4, STEPS_MAX = 400 };

struct world {
	struct kit *k;
	struct kit_client client[CLIENTS];
	struct cursor in;
	uint64_t conn;
};

static struct addr any_peer(struct world *w)
{
	uint8_t b = cursor_u8(&w->in);
	struct addr a = kit_addr(b & 0x80 ? "2001:db8:2::1" : "10.0.0.1", (uint16_t)(1 + (b & 3)));
	if (b & 0x80)
		a.v6.sin6_addr.s6_addr[15] = b & 0x3c;
	else
		((uint8_t *)&a.v4.sin_addr)[3] = b & 0x3c;
	return a;
}

/* Values that mean something, now and then bytes as they come. */
static void put_any(struct world *w)
{
	struct stun_writer *out = &w->k->w;
	uint8_t what = cursor_u8(&w->in), v = cursor_u8(&w->in);
	struct addr peer;
	switch (what % 14) {
	case 0: stun_put_number(out, STUN_ATTR_REQUESTED_TRANSPORT, v & 1 ? 17 : 6); break;
	case 1: stun_put_number(out, STUN_ATTR_LIFETIME, v < 64 ? 0 : v * 20U); break;
	case 2:
	case 3:
		peer = any_peer(w);
		stun_put_xor_addr(out, STUN_ATTR_XOR_PEER_ADDRESS, &peer);
		break;
	case 4: stun_put_number(out, STUN_ATTR_CHANNEL_NUMBER, 0x4000U + v % 32); break;
	case 5: stun_put_number(out, STUN_ATTR_REQUESTED_ADDRESS_FAMILY, v % 4); break;
	case 6: stun_put_number(out, STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY, v % 3); break;
	case 7: stun_put_number(out, STUN_ATTR_EVEN_PORT, v); break;
	case 8: {
		/* Of the last answer: tickets, tokens and connections that exist. */
		static const enum stun_attr given[] = {STUN_ATTR_MOBILITY_TICKET,
			STUN_ATTR_RESERVATION_TOKEN, STUN_ATTR_CONNECTION_ID};
		enum stun_attr attr = given[v % 3];
		struct slice value = w->k->n_answers ? stun_value(&w->k->m, attr) : slice_of("", 0);
		if (value.n || attr == STUN_ATTR_MOBILITY_TICKET)
			stun_put(out, attr, value.p, value.n);
		break;
	}
	case 9: stun_put(out, STUN_ATTR_DONT_FRAGMENT, NULL, 0); break;
	case 10: stun_put_number(out, STUN_ATTR_CHANGE_REQUEST, v & 6); break;
	case 11: stun_put_number(out, STUN_ATTR_RESPONSE_PORT, v); break;
	default: {
		struct slice bytes = cursor_take(&w->in, v % 32);
		if (bytes.p)
			stun_put(out, (enum stun_attr)(what % STUN_ATTR_N), bytes.p, bytes.n);
	}
	}
}

static void request(struct world *w, struct kit_client *c)
{
	static const enum stun_method methods[] = {STUN_ALLOCATE, STUN_REFRESH,
		STUN_CREATE_PERMISSION, STUN_CHANNEL_BIND, STUN_CONNECT, STUN_CONNECTION_BIND,
		STUN_BINDING, STUN_SEND};
	uint8_t b = cursor_u8(&w->in);
	kit_begin(w->k, c, methods[b & 7]);
	if ((b & 7) == 0 && b & 8)
		stun_put_number(&w->k->w, STUN_ATTR_REQUESTED_TRANSPORT, STUN_TRANSPORT_UDP);
	for (unsigned i = b >> 4 & 7; i; i--)
		put_any(w);
	if (w->k->w.full || w->k->w.cap - w->k->w.n < 400)
		return;
	kit_seal(w->k, c);
	unsigned before = w->k->n_answers;
	kit_rx(w->k, &c->flow, w->k->sealed);
	if (w->k->n_answers != before && kit_result(w->k, before) == 0 && w->k->m.integrity_at &&
		stun_verify_integrity(&w->k->m, &c->mac))
		abort();
}

static void from_peer(struct world *w)
{
	uint8_t b = cursor_u8(&w->in);
	struct turn_relay *r = &w->k->relays[b % 8];
	struct addr from = any_peer(w);
	if (!r->is_open)
		return;
	if (b & 0x80)
		turn_rx_icmp(w->k->server, r->alloc, &from, b & 15, 1, 0);
	else
		kit_from_peer(w->k, r, &from, "0123456789abcdef", b >> 3 & 15);
}

static void tcp_peer(struct world *w)
{
	struct kit *k = w->k;
	uint8_t b = cursor_u8(&w->in);
	struct turn_relay *r = &k->relays[b % 8];
	struct turn_peer *p = &k->peers[b >> 3 & 7];
	if (!r->is_open)
		return;
	if (b >> 6 == 0) {
		turn_peer_connected(k->server, r->alloc, p->id);
	} else if (b >> 6 == 1 && p->is_open) {
		turn_peer_closed(k->server, r->alloc, p);
	} else if (b >> 6 == 2 && !p->is_open) {
		struct addr from = any_peer(w);
		*p = (struct turn_peer){.is_open = true, .at = from};
		p->is_open = turn_peer_incoming(k->server, r->alloc, r, &from, p);
	} else if (p->is_open && p->id && !p->spliced_to) {
		turn_peer_failed(k->server, r->alloc, p->id);
	}
}

static void raw(struct world *w, struct kit_client *c)
{
	uint8_t b = cursor_u8(&w->in);
	struct slice bytes = cursor_take(&w->in, b & 63);
	if (!bytes.p)
		return;
	uint8_t *copy = kit_exact(bytes.p, bytes.n);
	if (b & 64)
		turn_rx_stun(w->k->server, &c->flow, copy, bytes.n, w->k->now_us);
	else
		turn_rx_channel(w->k->server, &c->flow, copy, bytes.n, w->k->now_us);
	free(copy);
}

static void step(struct world *w)
{
	uint8_t b = cursor_u8(&w->in);
	struct kit_client *c = &w->client[b & 3];
	struct addr peer;
	switch (b >> 2 & 15) {
	default: request(w, c); break;
	case 8: kit_channel_data(w->k, c, (uint16_t)(0x4000 + (b >> 6)), "data", 4); break;
	case 9:
		peer = any_peer(w);
		kit_indicate(w->k, c, &peer, "data", 4);
		break;
	case 10: from_peer(w); break;
	case 11: tcp_peer(w); break;
	case 12: kit_wait(w->k, (uint64_t)cursor_u8(&w->in) * 5000000); break;
	case 13: raw(w, c); break;
	case 14:
		if (w->k->sealed.n)
			kit_rx(w->k, &c->flow, w->k->sealed);
		break;
	case 15:
		if (c->flow.conn) {
			turn_flow_closed(w->k->server, &c->flow);
			c->flow.conn = ++w->conn;
		}
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct addr other[] = {kit_addr("192.0.2.1", 3478), kit_addr("192.0.2.2", 3479)};
	struct turn_cfg cfg = kit_cfg();
	cfg.other_address = other;
	cfg.permissions_per_allocation = cfg.channels_per_allocation = 12;
	cfg.answers_max = cfg.addresses_max = 16;
	struct world w = {
		.k = kit_new_with(&cfg, NULL, KIT_USERS), .in = cursor_of(slice_of(p, n))};
	for (uint16_t i = 0; i < CLIENTS; i++) {
		enum turn_transport t = i == 2 ? TURN_TCP : i == 3 ? TURN_TLS : TURN_UDP;
		w.client[i] = kit_client(t, t == TURN_UDP ? 0 : ++w.conn, (uint16_t)(4000 + i), "alice");
		kit_get_nonce(w.k, &w.client[i]);
	}
	for (int i = 0; i < STEPS_MAX && w.in.left; i++)
		step(&w);
	kit_free(w.k);
	return 0;
}
