#include "base/hot.h"
#include "turn/turn_internal.h"

static void drop(struct turn_alloc *a, enum drop_reason why)
{
	if (a)
		a->dropped++;
	metric_drop(why);
}

/* May n bytes pass? The bucket holds one second's worth, and may go into debt by one packet. */
static bool bucket_take(
	struct turn_bucket *b, uint64_t bytes_per_s, size_t n, uint64_t now_us)
{
	uint64_t now_ns = now_us * 1000;
	uint64_t floor = now_ns > 1000000000 ? now_ns - 1000000000 : 0;
	uint64_t used = MAX(b->used_ns, floor);
	if (used > now_ns)
		return false;
	b->used_ns = used + (uint64_t)n * 1000000000 / bytes_per_s;
	return true;
}

/* Bandwidth of the allocation, its user and the whole server. Who asks for 0 bytes hears whether more may come. */
static bool take(struct turn_alloc *a, struct turn_bucket *b, size_t n, uint64_t now_us,
	enum drop_reason *why)
{
	*why = DROP_TURN_BANDWIDTH;
	if (a->bytes_per_s && !bucket_take(b, a->bytes_per_s, n, now_us))
		return false;
	*why = DROP_TURN_QUOTA;
	return turn_quota_take(a->server->quota, a->quota_slot, (uint32_t)n, now_us);
}

static bool may_pass(struct turn_alloc *a, struct turn_bucket *b, size_t n, uint64_t now_us)
{
	enum drop_reason why;
	if (take(a, b, n, now_us, &why))
		return true;
	drop(a, why);
	return false;
}

static struct turn_alloc *find(struct turn_server *s, const struct turn_flow *flow)
{
	if (LIKELY(s->last && turn_flow_eq(&s->last->flow, flow)))
		return s->last;
	struct turn_alloc *a = turn_table_find(&s->flows, flow);
	if (a)
		s->last = a;
	return a;
}

static void count_to_peer(struct turn_alloc *a, size_t n)
{
	a->peers.packets_out++;
	a->peers.bytes_out += n;
	metric_inc(M_TURN_PEER_PACKETS_OUT);
	metric_add(M_TURN_PEER_BYTES_OUT, n);
}

static void count_from_peer(struct turn_alloc *a, size_t n)
{
	a->peers.packets_in++;
	a->peers.bytes_in += n;
	metric_inc(M_TURN_PEER_PACKETS_IN);
	metric_add(M_TURN_PEER_BYTES_IN, n);
}

static void to_peer(struct turn_alloc *a, const struct turn_half *h, const struct addr *peer,
	struct slice payload, bool df, uint64_t now_us)
{
	if (!may_pass(a, &a->up, payload.n, now_us))
		return;
	count_to_peer(a, payload.n);
	a->server->ops->relay_send(a->server->arg, h->relay, peer, payload, df);
}

static void count_in(struct turn_alloc *a, size_t n)
{
	a->client.packets_in++;
	a->client.bytes_in += n;
	metric_inc(M_TURN_PACKETS_IN);
	metric_add(M_TURN_BYTES_IN, n);
}

static void count_out(struct turn_alloc *a, size_t n)
{
	a->client.packets_out++;
	a->client.bytes_out += n;
	metric_inc(M_TURN_PACKETS_OUT);
	metric_add(M_TURN_BYTES_OUT, n);
}

bool turn_tcp_may_pass(struct turn_alloc *a, bool is_to_peer, uint64_t now_us)
{
	enum drop_reason why;
	return take(a, is_to_peer ? &a->up : &a->down, 0, now_us, &why);
}

void turn_tcp_passed(struct turn_alloc *a, bool is_to_peer, size_t n, uint64_t now_us)
{
	enum drop_reason why;
	(void)take(a, is_to_peer ? &a->up : &a->down, n, now_us, &why);
	if (is_to_peer) {
		count_in(a, n);
		count_to_peer(a, n);
	} else {
		count_from_peer(a, n);
		count_out(a, n);
	}
}

/*
 *  |        channel number         |            length             |
 *  |  application data …
 */
void turn_rx_channel(struct turn_server *s, const struct turn_flow *flow, uint8_t *p, size_t n,
	uint64_t now_us)
{
	s->now_us = now_us;
	struct turn_alloc *a = find(s, flow);
	if (UNLIKELY(!a)) {
		drop(NULL, DROP_TURN_NO_ALLOCATION);
		return;
	}
	count_in(a, n);
	size_t len = n < TURN_CHANNEL_HDR_LEN ? SIZE_MAX : rd16(p + 2);
	if (UNLIKELY(len > n - MIN(n, (size_t)TURN_CHANNEL_HDR_LEN))) {
		drop(a, DROP_TURN_MALFORMED);
		return;
	}
	const struct turn_chan *c = turn_chan_by_number(a, rd16(p));
	if (UNLIKELY(!c || c->until_us <= now_us)) {
		drop(a, DROP_TURN_NO_CHANNEL);
		return;
	}
	const struct turn_half *h = turn_half_of(a, c->peer.sa.sa_family);
	if (LIKELY(h))
		to_peer(a, h, &c->peer, slice_of(p + TURN_CHANNEL_HDR_LEN, len), false, now_us);
}

/* The policy was asked for the address when the permission was given; now the port is known. */
static bool may_send(struct turn_alloc *a, struct turn_perm *perm, const struct addr *peer)
{
	uint16_t port = addr_port(peer);
	if (port && port == perm->good_port)
		return true;
	if (!port || !turn_policy_allows(a->server->policy, peer))
		return false;
	perm->good_port = port;
	return true;
}

/* Send indication (RFC 8656 §11.2): what is wrong with it is dropped without a word. */
void turn_rx_send(struct turn_server *s, const struct turn_flow *flow, const struct stun_msg *m)
{
	struct turn_alloc *a = find(s, flow);
	struct addr peer;
	if (!a) {
		drop(NULL, DROP_TURN_NO_ALLOCATION);
		return;
	}
	count_in(a, m->raw.n);
	if (m->n_unknown || a->is_tcp || !stun_has(m, STUN_ATTR_DATA) ||
		!stun_addr(m, STUN_ATTR_XOR_PEER_ADDRESS, &peer)) {
		drop(a, DROP_TURN_MALFORMED);
		return;
	}
	const struct turn_half *h = turn_half_of(a, peer.sa.sa_family);
	struct turn_perm *perm = h ? turn_perm_find(a, &peer) : NULL;
	if (!perm || perm->until_us <= s->now_us) {
		drop(a, DROP_TURN_NO_PERMISSION);
		return;
	}
	if (!may_send(a, perm, &peer)) {
		drop(a, DROP_TURN_POLICY);
		return;
	}
	to_peer(a, h, &peer, stun_value(m, STUN_ATTR_DATA), stun_has(m, STUN_ATTR_DONT_FRAGMENT),
		s->now_us);
}

/* Over streams ChannelData is padded to 4 (RFC 8656 §12.5). */
static void to_client_by_channel(
	struct turn_alloc *a, uint16_t number, const uint8_t *p, size_t n)
{
	struct turn_server *s = a->server;
	size_t pad = turn_is_datagram(a->flow.transport) ? 0 : -n & 3;
	size_t whole = TURN_CHANNEL_HDR_LEN + n + pad;
	uint8_t *out = s->ops->client_place(s->arg, &a->flow, whole);
	if (UNLIKELY(!out)) {
		a->dropped++;
		return;
	}
	wr16(out, number);
	wr16(out + 2, (uint16_t)n);
	memcpy(out + TURN_CHANNEL_HDR_LEN, p, n);
	memset(out + TURN_CHANNEL_HDR_LEN + n, 0, pad);
	count_out(a, whole);
}

/* Data indication: XOR-PEER-ADDRESS and DATA, behind a header of its own (RFC 8656 §11.4). */
static void to_client_by_indication(
	struct turn_alloc *a, const struct addr *from, const uint8_t *p, size_t n)
{
	struct turn_server *s = a->server;
	size_t addr_len = STUN_ATTR_HDR_LEN + 4 + addr_ip(from).n;
	size_t padded = (n + 3) & ~(size_t)3;
	size_t whole = STUN_HDR_LEN + addr_len + STUN_ATTR_HDR_LEN + padded;
	if (whole > UINT16_MAX) {
		drop(a, DROP_TURN_MALFORMED);
		return;
	}
	uint8_t *out = s->ops->client_place(s->arg, &a->flow, whole);
	if (UNLIKELY(!out)) {
		a->dropped++;
		return;
	}
	uint8_t tid[STUN_TID_LEN];
	turn_indication_tid(s, tid);
	struct stun_writer w;
	stun_begin(&w, out, whole, STUN_DATA, STUN_INDICATION, tid);
	stun_put_xor_addr(&w, STUN_ATTR_XOR_PEER_ADDRESS, from);
	stun_put(&w, STUN_ATTR_DATA, p, n);
	wr16(out + 2, (uint16_t)(whole - STUN_HDR_LEN));
	count_out(a, whole);
}

void turn_rx_peer(struct turn_server *s, struct turn_alloc *a, struct turn_relay *relay,
	const struct addr *from, const uint8_t *p, size_t n, uint64_t now_us)
{
	(void)relay;
	s->now_us = now_us;
	count_from_peer(a, n);
	const struct turn_chan *c = turn_chan_by_peer(a, from);
	uint64_t until_us = 0;
	if (LIKELY(c)) {
		until_us = c->perm_until_us;
	} else {
		const struct turn_perm *perm = turn_perm_find(a, from);
		until_us = perm ? perm->until_us : 0;
	}
	if (UNLIKELY(until_us <= now_us)) {
		drop(a, DROP_TURN_NO_PERMISSION);
		return;
	}
	if (UNLIKELY(!a->is_attached)) {
		drop(a, DROP_TURN_DETACHED);
		return;
	}
	if (!may_pass(a, &a->down, n, now_us))
		return;
	if (LIKELY(c && c->until_us > now_us) && n <= UINT16_MAX)
		to_client_by_channel(a, c->number, p, n);
	else
		to_client_by_indication(a, from, p, n);
}

void turn_rx_icmp(struct turn_server *s, struct turn_alloc *a, const struct addr *peer,
	uint8_t icmp_type, uint8_t icmp_code, uint32_t error_data)
{
	const struct turn_perm *perm = turn_perm_find(a, peer);
	if (!perm || perm->until_us <= s->now_us || !a->is_attached) {
		drop(a, DROP_TURN_NO_PERMISSION);
		return;
	}
	uint8_t out[STUN_HDR_LEN + 64], tid[STUN_TID_LEN];
	struct stun_writer w;
	struct slice sealed;
	turn_indication_tid(s, tid);
	stun_begin(&w, out, sizeof out, STUN_DATA, STUN_INDICATION, tid);
	stun_put_xor_addr(&w, STUN_ATTR_XOR_PEER_ADDRESS, peer);
	stun_put_icmp(&w, icmp_type, icmp_code, error_data);
	if (stun_seal_with(&w, NULL, NULL, false, &sealed))
		return;
	s->ops->send(s->arg, &a->flow, sealed, true);
}
