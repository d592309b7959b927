/*
 * One socket for all allocations of a worker and relay address. A datagram belongs to the allocation that sent to its
 * source first, so two clients of the same socket cannot talk to the same peer, and a peer is heard only after it was
 * spoken to.
 */
#include "base/map.h"
#include "base/mem.h"
#include "turnd/turnd_internal.h"

enum {
	PEERS_MAX = 1 << 16,
	PEERS_PER_RELAY = 256, /* one client must not use up the table */
	BUCKETS = 1 << 16,
	BIND_TRIES = 64,
	NONE = UINT32_MAX,
};

struct entry {
	struct addr peer;
	struct turn_relay *relay; /* NULL = free */
	uint32_t next_in_bucket;  /* of a free one: the next free one */
	uint32_t next_of_relay;
	uint32_t bucket;
};

struct turnd_mux {
	struct turnd_relay_sock rs;
	uint16_t port;
	uint32_t first_free, last_found;
	uint32_t buckets[BUCKETS];
	struct entry entries[PEERS_MAX];
};

int turnd_mux_open(struct turnd_home *h, struct ev_io io, struct errbuf *eb)
{
	struct turnd_mux *m = XNEW(struct turnd_mux);
	uint16_t busy[BIND_TRIES];
	unsigned n = 0;
	int err = -ERR_EXISTS;
	m->rs = (struct turnd_relay_sock){
		.sock = {.fd = -1, .local = h->cfg.at}, .home = h->index, .is_mux = true};
	while (err == -ERR_EXISTS && n < BIND_TRIES) {
		m->port = turnd_ports_take(&h->udp_ports);
		if (m->port == 0)
			break;
		addr_set_port(&m->rs.sock.local, m->port);
		err = turnd_relay_sock_open(h->t, &m->rs, io);
		if (err)
			busy[n++] = m->port;
	}
	while (n > 0)
		turnd_ports_give(&h->udp_ports, busy[--n]);
	if (err) {
		char text[ADDR_TEXT_CAP];
		xfree(m);
		return err_set(eb, ERR_SYSTEM,
			"turn: no port of the relay range can be opened on %s", addr_format_ip(&h->cfg.at, text));
	}
	for (uint32_t i = 0; i < BUCKETS; i++)
		m->buckets[i] = NONE;
	for (uint32_t i = 0; i < PEERS_MAX; i++)
		m->entries[i].next_in_bucket = i + 1 < PEERS_MAX ? i + 1 : (uint32_t)NONE;
	h->mux = m;
	turnd_shared_mark(h->t->shared, false, h->index, m->port, true);
	return 0;
}

void turnd_mux_close(struct turnd_home *h)
{
	if (!h->mux)
		return;
	turnd_shared_mark(h->t->shared, false, h->index, h->mux->port, false);
	turnd_relay_sock_close(h->t, &h->mux->rs);
	turnd_ports_give(&h->udp_ports, h->mux->port);
	xfree(h->mux);
	h->mux = NULL;
}

struct turnd_relay_sock *turnd_mux_sock(struct turnd_mux *m)
{
	return &m->rs;
}

static uint32_t bucket_of(const struct addr *peer)
{
	uint8_t key[ADDR_KEY_CAP];
	return (uint32_t)(map_hash(slice_of(key, addr_key(peer, key))) % BUCKETS);
}

static struct entry *find(struct turnd_mux *m, const struct addr *peer)
{
	struct entry *last = &m->entries[m->last_found];
	if (last->relay && addr_eq(&last->peer, peer))
		return last;
	for (uint32_t i = m->buckets[bucket_of(peer)]; i != NONE;
		i = m->entries[i].next_in_bucket) {
		if (!addr_eq(&m->entries[i].peer, peer))
			continue;
		m->last_found = i;
		return &m->entries[i];
	}
	return NULL;
}

struct turn_relay *turnd_mux_find(struct turnd_mux *m, const struct addr *peer)
{
	struct entry *e = find(m, peer);
	return e ? e->relay : NULL;
}

bool turnd_mux_claim(struct turnd_mux *m, struct turn_relay *relay, const struct addr *peer)
{
	struct entry *e = find(m, peer);
	if (e)
		return e->relay == relay;
	uint32_t i = m->first_free;
	if (i == NONE || relay->mux_n >= PEERS_PER_RELAY)
		return false;
	e = &m->entries[i];
	m->first_free = e->next_in_bucket;
	uint32_t b = bucket_of(peer);
	*e = (struct entry){.peer = *peer,
		.relay = relay,
		.next_in_bucket = m->buckets[b],
		.next_of_relay = relay->mux_first,
		.bucket = b};
	m->buckets[b] = i;
	relay->mux_first = i;
	relay->mux_n++;
	return true;
}

void turnd_mux_release(struct turnd_mux *m, struct turn_relay *relay)
{
	for (uint32_t i = relay->mux_first, next; i != NONE; i = next) {
		struct entry *e = &m->entries[i];
		uint32_t *at = &m->buckets[e->bucket];
		while (*at != i)
			at = &m->entries[*at].next_in_bucket;
		*at = e->next_in_bucket;
		next = e->next_of_relay;
		*e = (struct entry){.next_in_bucket = m->first_free};
		m->first_free = i;
	}
	relay->mux_first = NONE;
	relay->mux_n = 0;
}
