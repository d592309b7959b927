/*
 * What goes from a TURN client to the SFU, back, or to another relayed address of this process meets no socket: it is
 * taken out of the transmit queue at its flush and given to the receiver as if it had come from the network.
 *
 *   client → SFU      relay_tx's flush → from_relay → rtc_rx_hairpin, from = the relayed address that clients know
 *   SFU → client      rtc's flush → from_rtc → turn_rx_peer, from = the SFU's address that this client last used
 *   client → client   relay_tx's flush → from_relay → turn_rx_peer of the other allocation
 *
 * If the receiver lives on another worker, the datagram goes through a ring of its pktbox: a header and the bytes.
 * Nobody is called back from within: rtc_rx_hairpin queues, and turn_rx_peer adds to client_tx alone.
 */
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/metric.h"
#include "base/rng.h"
#include "turnd/tls.h"
#include "turnd/turnd_internal.h"

enum { LOOKUP_NONE = UINT16_MAX, ENTRY_MIN = 64 };

/* An address of the SFU: bound or advertised. */
struct sfu_addr {
	struct addr at;
	uint16_t worker;
	uint16_t local;
	uint16_t next_in_bucket;
};

/* An IP that relayed addresses have, bound or advertised. */
struct relay_ip {
	struct addr ip;
	uint8_t home;
};

struct turnd_shared {
	unsigned n_workers;
	struct worker **workers;
	uint8_t ticket_key[TURND_TICKET_KEY_LEN];
	bool has_relays;
	uint16_t relay_first, relay_last;
	struct relay_ip relay_ips[2 * TURND_RELAY_ADDRS_MAX];
	size_t n_relay_ips;
	struct addr relay_known[TURND_RELAY_ADDRS_MAX]; /* advertised, by home */
	/* A bit per port that an allocation has: UDP, TCP. */
	uint64_t taken[2][TURND_RELAY_ADDRS_MAX][(UINT16_MAX + 1) / 64];

	struct sfu_addr *sfu;
	size_t n_sfu, sfu_cap;
	struct addr *sfu_ips; /* without duplicates: what most peers are compared with, and no more */
	size_t n_sfu_ips;
	uint16_t *sfu_buckets; /* as many as sfu_cap: a power of two */
	uint16_t (*sfu_default)[ICE_LOCALS_MAX]; /* by worker and local: as what it is known before it was spoken to */
};

struct turnd_shared *turnd_shared_new(unsigned n_workers)
{
	struct turnd_shared *s = XNEW(struct turnd_shared);
	s->n_workers = n_workers;
	rng_bytes(s->ticket_key, sizeof s->ticket_key);
	s->workers = xcalloc(n_workers, sizeof(struct worker *));
	s->sfu_default = xcalloc(n_workers, sizeof *s->sfu_default);
	return s;
}

void turnd_shared_free(struct turnd_shared *s)
{
	if (!s)
		return;
	secret_wipe(s->ticket_key, sizeof s->ticket_key);
	xfree(s->workers);
	xfree(s->sfu);
	xfree(s->sfu_ips);
	xfree(s->sfu_buckets);
	xfree(s->sfu_default);
	xfree(s);
}

unsigned turnd_shared_workers(const struct turnd_shared *s)
{
	return s->n_workers;
}

struct turnd *turnd_shared_turnd(const struct turnd_shared *s, unsigned worker)
{
	return s->workers[worker]->packet_taker.arg;
}

const uint8_t *turnd_shared_ticket_key(const struct turnd_shared *s)
{
	return s->ticket_key;
}

void turnd_shared_mark(
	struct turnd_shared *s, bool is_tcp, unsigned home, uint16_t port, bool is_taken)
{
	uint64_t *word = &s->taken[is_tcp][home][port / 64], bit = UINT64_C(1) << port % 64;
	if (is_taken)
		__atomic_fetch_or(word, bit, __ATOMIC_RELAXED);
	else
		__atomic_fetch_and(word, ~bit, __ATOMIC_RELAXED);
}

static bool is_taken(const struct turnd_shared *s, bool is_tcp, unsigned home, uint16_t port)
{
	const uint64_t *word = &s->taken[is_tcp][home][port / 64];
	return __atomic_load_n(word, __ATOMIC_RELAXED) >> port % 64 & 1;
}

/* --------------------------------------------------------------- tables */

static uint32_t sfu_bucket(const struct turnd_shared *s, const struct addr *a)
{
	uint8_t key[ADDR_KEY_CAP];
	return (uint32_t)(map_hash(slice_of(key, addr_key(a, key))) & (s->sfu_cap - 1));
}

static uint16_t sfu_find(const struct turnd_shared *s, const struct addr *a)
{
	size_t i = 0;
	while (i < s->n_sfu_ips && !addr_ip_eq(&s->sfu_ips[i], a))
		i++;
	if (i == s->n_sfu_ips)
		return LOOKUP_NONE;
	uint16_t at = s->sfu_buckets[sfu_bucket(s, a)];
	while (at != LOOKUP_NONE && !addr_eq(&s->sfu[at].at, a))
		at = s->sfu[at].next_in_bucket;
	return at;
}

static void sfu_link(struct turnd_shared *s, uint16_t i)
{
	uint32_t b = sfu_bucket(s, &s->sfu[i].at);
	s->sfu[i].next_in_bucket = s->sfu_buckets[b];
	s->sfu_buckets[b] = i;
}

static void sfu_grow(struct turnd_shared *s)
{
	s->sfu_cap = s->sfu_cap ? s->sfu_cap * 2 : ENTRY_MIN;
	s->sfu = xrealloc(s->sfu, s->sfu_cap * sizeof *s->sfu);
	s->sfu_ips = xrealloc(s->sfu_ips, s->sfu_cap * sizeof *s->sfu_ips);
	s->sfu_buckets = xrealloc(s->sfu_buckets, s->sfu_cap * sizeof *s->sfu_buckets);
	memset(s->sfu_buckets, 0xff, s->sfu_cap * sizeof *s->sfu_buckets);
	for (size_t i = 0; i < s->n_sfu; i++)
		sfu_link(s, (uint16_t)i);
}

/* Returns the entry's number, also if the address is there already. */
static uint16_t sfu_add(struct turnd_shared *s, struct addr a, unsigned worker, unsigned local)
{
	if (s->n_sfu == s->sfu_cap && s->n_sfu < LOOKUP_NONE)
		sfu_grow(s);
	uint16_t i = sfu_find(s, &a);
	if (i != LOOKUP_NONE || s->n_sfu == s->sfu_cap)
		return i;
	i = (uint16_t)s->n_sfu++;
	s->sfu[i] =
		(struct sfu_addr){.at = a, .worker = (uint16_t)worker, .local = (uint16_t)local};
	sfu_link(s, i);
	size_t k = 0;
	while (k < s->n_sfu_ips && !addr_ip_eq(&s->sfu_ips[k], &a))
		k++;
	if (k == s->n_sfu_ips)
		s->sfu_ips[s->n_sfu_ips++] = a;
	return i;
}

static void add_sfu(struct turnd_shared *s, unsigned worker, const struct rtc *rtc)
{
	const struct ice_local *locals;
	size_t n = rtc_locals(rtc, &locals);
	for (unsigned i = 0; i < n; i++) {
		const struct ice_local *l = &locals[i];
		uint16_t first = sfu_add(s, l->base, worker, i);
		for (size_t k = l->n_advertised; k-- > 0;) {
			struct addr a = l->advertised[k];
			if (addr_port(&a) == 0)
				addr_set_port(&a, addr_port(&l->base));
			first = sfu_add(s, a, worker, i);
		}
		s->sfu_default[worker][i] = first;
	}
}

static void add_relay_ip(struct turnd_shared *s, const struct addr *ip, uint8_t home)
{
	for (size_t i = 0; i < s->n_relay_ips; i++)
		if (addr_ip_eq(&s->relay_ips[i].ip, ip))
			return;
	s->relay_ips[s->n_relay_ips++] = (struct relay_ip){*ip, home};
}

static void add_relays(struct turnd_shared *s, const struct turnd *t)
{
	if (s->has_relays)
		return;
	s->has_relays = true;
	s->relay_first = t->cfg.relay_first;
	s->relay_last = t->cfg.relay_last;
	for (size_t i = 0; i < t->n_homes; i++) {
		const struct turnd_home *h = &t->homes[i];
		add_relay_ip(s, &h->cfg.at, h->index);
		add_relay_ip(s, &h->cfg.advertised, h->index);
		s->relay_known[i] = h->cfg.advertised;
	}
}

/* The home of a relayed address of this process; -1 for any other address. */
static int relay_home(const struct turnd_shared *s, const struct addr *a)
{
	uint16_t port = addr_port(a);
	if (port < s->relay_first || port > s->relay_last)
		return -1;
	for (size_t i = 0; i < s->n_relay_ips; i++)
		if (addr_ip_eq(&s->relay_ips[i].ip, a))
			return s->relay_ips[i].home;
	return -1;
}

bool turnd_may_connect(const struct turnd *t, const struct addr *peer)
{
	int home = relay_home(t->shared, peer);
	return home < 0 || is_taken(t->shared, true, (unsigned)home, addr_port(peer)) ||
	       turn_policy_allows_tcp_stranger(t->policy, peer);
}

/* --------------------------------------------------------------- rings */

void turnd_ring_place(struct turnd *t, unsigned worker, const struct turnd_ring_hdr *hdr,
	const uint8_t *p, size_t n)
{
	struct pktbox *box = &t->shared->workers[worker]->packets;
	uint8_t *at = pktbox_place(box, t->worker->index, sizeof *hdr + n);
	if (!at) {
		metric_drop(DROP_TURN_RING_FULL);
		return;
	}
	memcpy(at, hdr, sizeof *hdr);
	if (n)
		memcpy(at + sizeof *hdr, p, n);
	t->posts[worker / 64] |= UINT64_C(1) << worker % 64;
	metric_inc(M_TURN_HANDOVER);
}

void turnd_hairpin_post(struct turnd *t)
{
	for (size_t i = 0; i < ARRAY_LEN(t->posts); i++) {
		while (t->posts[i]) {
			unsigned bit = (unsigned)__builtin_ctzll(t->posts[i]);
			t->posts[i] &= t->posts[i] - 1;
			worker_post_packets(
				t->shared->workers[i * 64 + bit], t->worker->index);
		}
	}
}

/* --------------------------------------------------------------- data path */

/* To a relayed address on this worker, from the SFU: as the client knows the SFU. */
static void sfu_to_relay(struct turnd *t, unsigned home, uint16_t port, unsigned worker,
	unsigned local, const uint8_t *p, size_t n)
{
	const struct turnd_shared *s = t->shared;
	struct turnd_relay_sock *rs = turnd_relay_sock_at(t, home, port);
	if (!rs) {
		metric_drop(DROP_TURN_NO_RELAY);
		return;
	}
	uint16_t form = rs->sfu_form;
	if (form >= s->n_sfu || s->sfu[form].worker != worker || s->sfu[form].local != local)
		form = s->sfu_default[worker][local];
	turnd_relay_rx(t, home, port, &s->sfu[form].at, p, n);
}

static void each_segment(struct turnd *t, unsigned worker, struct turnd_ring_hdr *hdr, uint8_t *p,
	size_t n, size_t seg)
{
	do {
		size_t len = MIN(seg, n);
		metric_inc(M_TURN_HAIRPIN);
		if (worker != t->worker->index) {
			turnd_ring_place(t, worker, hdr, p, len);
		} else if (hdr->kind == TURND_RING_TO_SFU) {
			rtc_rx_hairpin(t->rtc, hdr->local, &hdr->from, p, len);
			t->rtc_is_fed = true;
		} else if (hdr->kind == TURND_RING_SFU_TO_RELAY) {
			sfu_to_relay(t, hdr->home, hdr->port, hdr->worker, hdr->local, p, len);
		} else {
			turnd_relay_rx(t, hdr->home, hdr->port, &hdr->from, p, len);
		}
		p += len;
		n -= len;
	} while (n > 0);
}

static bool from_relay(void *arg, struct udp_sock *sock, const struct addr *to, uint8_t *p,
	size_t n, size_t seg)
{
	struct turnd *t = arg;
	const struct turnd_shared *s = t->shared;
	struct turnd_relay_sock *rs = CONTAINER_OF(sock, struct turnd_relay_sock, sock);
	int home = relay_home(s, to);
	uint16_t sfu = home < 0 ? sfu_find(s, to) : (uint16_t)LOOKUP_NONE;
	if (home < 0 && sfu == LOOKUP_NONE)
		return false;
	if (home >= 0 && !is_taken(s, false, (unsigned)home, addr_port(to))) {
		/* Nobody's, or another program's on this host, which the policy let through as ours. */
		if (turn_policy_allows_stranger(t->policy, to))
			return false;
		metric_drop(DROP_TURN_NO_RELAY);
		return true;
	}
	struct turnd_ring_hdr hdr = {.from = s->relay_known[rs->home]};
	addr_set_port(&hdr.from, addr_port(&sock->local));
	unsigned worker;
	if (home >= 0) {
		hdr.kind = TURND_RING_TO_RELAY;
		hdr.home = (uint8_t)home;
		hdr.port = addr_port(to);
		worker = turnd_ports_owner(hdr.port, s->n_workers);
	} else {
		hdr.kind = TURND_RING_TO_SFU;
		hdr.local = s->sfu[sfu].local;
		worker = s->sfu[sfu].worker;
		rs->sfu_form = sfu;
	}
	each_segment(t, worker, &hdr, p, n, seg);
	return true;
}

static bool from_rtc(void *arg, unsigned local, const struct addr *to, uint8_t *p, size_t n,
	size_t seg)
{
	struct turnd *t = arg;
	int home = relay_home(t->shared, to);
	if (home < 0 || !is_taken(t->shared, false, (unsigned)home, addr_port(to)))
		return false;
	struct turnd_ring_hdr hdr = {.kind = TURND_RING_SFU_TO_RELAY,
		.home = (uint8_t)home,
		.port = addr_port(to),
		.worker = (uint16_t)t->worker->index,
		.local = (uint16_t)local};
	each_segment(t, turnd_ports_owner(hdr.port, t->shared->n_workers), &hdr, p, n, seg);
	return true;
}

/* ----------------------------------------------------------- from other workers */

static void take_ring(void *arg, uint8_t *p, size_t n)
{
	struct turnd *t = arg;
	struct turnd_ring_hdr hdr;
	memcpy(&hdr, p, sizeof hdr);
	p += sizeof hdr;
	n -= sizeof hdr;
	switch ((enum turnd_ring_kind)hdr.kind) {
	case TURND_RING_TO_RELAY:
		turnd_relay_rx(t, hdr.home, hdr.port, &hdr.from, p, n);
		return;
	case TURND_RING_SFU_TO_RELAY:
		sfu_to_relay(t, hdr.home, hdr.port, hdr.worker, hdr.local, p, n);
		return;
	case TURND_RING_TO_SFU:
		rtc_rx_hairpin(t->rtc, hdr.local, &hdr.from, p, n);
		t->rtc_is_fed = true;
		return;
	case TURND_RING_CLIENT:
	case TURND_RING_STEER:
	case TURND_RING_UNSTEER:
		turnd_steer_take(t, &hdr, p, n);
		return;
	}
}

/* Before the ring's bytes are given back: the SFU borrows from them. */
static void settle_ring(void *arg)
{
	struct turnd *t = arg;
	if (!t->rtc_is_fed)
		return;
	t->rtc_is_fed = false;
	rtc_flush(t->rtc);
}

int turnd_hairpin_open(struct turnd *t, struct errbuf *eb)
{
	struct turnd_shared *s = t->shared;
	unsigned index = t->worker->index;
	if (index >= s->n_workers || s->n_workers > PKTBOX_SENDERS)
		return err_set(eb, ERR_CONFIG, "turn: at most %d workers are possible", PKTBOX_SENDERS);
	s->workers[index] = t->worker;
	add_relays(s, t);
	t->worker->packet_taker =
		(struct pktbox_taker){.take = take_ring, .settle = settle_ring, .arg = t};
	udp_tx_set_divert(t->relay_tx, from_relay, t);
	if (!t->rtc)
		return 0;
	add_sfu(s, index, t->rtc);
	rtc_set_divert(t->rtc, from_rtc, t);
	return 0;
}

void turnd_hairpin_close(struct turnd *t)
{
	udp_tx_set_divert(t->relay_tx, NULL, NULL);
	if (t->rtc)
		rtc_set_divert(t->rtc, NULL, NULL);
	t->worker->packet_taker = (struct pktbox_taker){0};
}
