/*
 * Random operations on a server and on a model of it that is simple enough to be right: who has an allocation, which
 * permissions and channels, until when. After each operation answer and effect must be those of the model.
 * TURN_MODEL_OPS and TURN_MODEL_SEED in the environment: a longer run, a certain one.
 */
#include "../../turn_kit.h"

#include <inttypes.h>
#include <unistd.h>

enum {
	CLIENTS = 6,
	IPS = 12,
	PORTS = 3,
	CHANNELS = 16,
	PERMS_MAX = 10,
	CHANS_MAX = 12,
	MS = 1000,
	SECOND = 1000000,
};

struct model {
	bool is_there;
	uint64_t until_us;
	uint64_t perm_us[IPS];
	struct {
		uint64_t until_us;
		unsigned peer; /* ip * PORTS + port */
	} chan[CHANNELS];
};

struct world {
	struct kit *k;
	struct kit_client client[CLIENTS];
	struct model model[CLIENTS];
	struct turn_relay *relay[CLIENTS];
	uint64_t rng, conn, seed, step;
	const char *doing;
};

#define CHECK(w, x)                                                                                \
	do {                                                                                       \
		if (!(x)) {                                                                        \
			fprintf(stderr, "seed %" PRIu64 " step %" PRIu64 " %s: %s\n", (w)->seed,   \
				(w)->step, (w)->doing, #x);                                        \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

static uint32_t dice(struct world *w, uint32_t n)
{
	w->rng = w->rng * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (uint32_t)(w->rng >> 33) % n;
}

static struct addr peer_addr(unsigned peer)
{
	char ip[32];
	snprintf(ip, sizeof ip, "10.0.0.%u", 1 + peer / PORTS);
	return kit_addr(ip, (uint16_t)(9000 + peer % PORTS));
}

/* What ran out is gone. */
static void model_time(struct world *w)
{
	uint64_t now = w->k->now_us;
	for (size_t i = 0; i < CLIENTS; i++) {
		struct model *m = &w->model[i];
		if (m->until_us <= now)
			*m = (struct model){0};
		for (size_t j = 0; j < IPS; j++)
			if (m->perm_us[j] <= now)
				m->perm_us[j] = 0;
		for (size_t j = 0; j < CHANNELS; j++)
			if (m->chan[j].until_us <= now)
				m->chan[j].until_us = 0;
		if (!m->is_there)
			w->relay[i] = NULL;
	}
}

static unsigned count_perms(const struct model *m)
{
	unsigned n = 0;
	for (size_t i = 0; i < IPS; i++)
		n += m->perm_us[i] != 0;
	return n;
}

static unsigned count_chans(const struct model *m)
{
	unsigned n = 0;
	for (size_t i = 0; i < CHANNELS; i++)
		n += m->chan[i].until_us != 0;
	return n;
}

static uint64_t clamp_lifetime(uint32_t s)
{
	return (uint64_t)(s < 600 ? 600 : s > 3600 ? 3600 : s) * SECOND;
}

static void do_allocate(struct world *w, unsigned i)
{
	struct model *m = &w->model[i];
	uint32_t lifetime = dice(w, 2) ? dice(w, 5000) : 0;
	kit_begin(w->k, &w->client[i], STUN_ALLOCATE);
	stun_put_number(&w->k->w, STUN_ATTR_REQUESTED_TRANSPORT, STUN_TRANSPORT_UDP);
	if (lifetime)
		stun_put_number(&w->k->w, STUN_ATTR_LIFETIME, lifetime);
	int code = kit_send(w->k, &w->client[i]);
	if (m->is_there) {
		CHECK(w, code == STUN_ERR_ALLOCATION_MISMATCH);
		return;
	}
	struct addr relayed;
	CHECK(w, code == 0 && stun_addr(&w->k->m, STUN_ATTR_XOR_RELAYED_ADDRESS, &relayed));
	*m = (struct model){.is_there = true, .until_us = w->k->now_us + clamp_lifetime(lifetime)};
	w->relay[i] = kit_relay(w->k, &relayed);
	CHECK(w, w->relay[i]);
}

static void do_refresh(struct world *w, unsigned i)
{
	struct model *m = &w->model[i];
	uint32_t lifetime = dice(w, 4) ? 1 + dice(w, 5000) : 0;
	int code = kit_refresh(w->k, &w->client[i], lifetime);
	if (!m->is_there) {
		CHECK(w, code == STUN_ERR_ALLOCATION_MISMATCH);
		return;
	}
	CHECK(w, code == 0);
	m->until_us = lifetime ? w->k->now_us + clamp_lifetime(lifetime) : 0;
	model_time(w);
}

static void do_permit(struct world *w, unsigned i)
{
	struct model *m = &w->model[i];
	unsigned n = 1 + dice(w, 3), ip[3];
	bool is_denied = !dice(w, 8);
	kit_begin(w->k, &w->client[i], STUN_CREATE_PERMISSION);
	for (unsigned j = 0; j < n; j++) {
		ip[j] = dice(w, IPS);
		struct addr a = peer_addr(ip[j] * PORTS);
		stun_put_xor_addr(&w->k->w, STUN_ATTR_XOR_PEER_ADDRESS, &a);
	}
	struct addr denied = kit_addr("192.168.1.1", 5);
	if (is_denied)
		stun_put_xor_addr(&w->k->w, STUN_ATTR_XOR_PEER_ADDRESS, &denied);
	int code = kit_send(w->k, &w->client[i]);
	unsigned more = 0; /* a peer that is named twice counts twice, as long as there is no permission for it */
	for (unsigned j = 0; j < n; j++)
		more += !m->perm_us[ip[j]];
	if (!m->is_there)
		CHECK(w, code == STUN_ERR_ALLOCATION_MISMATCH);
	else if (is_denied)
		CHECK(w, code == STUN_ERR_FORBIDDEN);
	else if (more && count_perms(m) + more > PERMS_MAX)
		CHECK(w, code == STUN_ERR_CAPACITY);
	else
		CHECK(w, code == 0);
	for (unsigned j = 0; code == 0 && j < n; j++)
		m->perm_us[ip[j]] = w->k->now_us + 300 * (uint64_t)SECOND;
}

static void do_bind(struct world *w, unsigned i)
{
	struct model *m = &w->model[i];
	unsigned c = dice(w, CHANNELS), peer = dice(w, IPS * PORTS), of_peer = CHANNELS;
	struct addr a = peer_addr(peer);
	/* Half of the time one that is there already, as clients do. */
	if (m->chan[c].until_us && dice(w, 2)) {
		peer = m->chan[c].peer;
		a = peer_addr(peer);
	}
	for (unsigned j = 0; j < CHANNELS; j++)
		if (m->chan[j].until_us && m->chan[j].peer == peer)
			of_peer = j;
	int code = kit_bind(w->k, &w->client[i], (uint16_t)(0x4000 + c * 31), &a);
	bool is_bound = m->chan[c].until_us, is_same = is_bound && of_peer == c;
	if (!m->is_there)
		CHECK(w, code == STUN_ERR_ALLOCATION_MISMATCH);
	else if (!is_same && (is_bound || of_peer != CHANNELS))
		CHECK(w, code == STUN_ERR_BAD_REQUEST);
	else if (!is_same && count_chans(m) == CHANS_MAX)
		CHECK(w, code == STUN_ERR_CAPACITY);
	else if (!m->perm_us[peer / PORTS] && count_perms(m) == PERMS_MAX)
		CHECK(w, code == STUN_ERR_CAPACITY);
	else
		CHECK(w, code == 0);
	if (code)
		return;
	m->chan[c].peer = peer;
	m->chan[c].until_us = w->k->now_us + 600 * (uint64_t)SECOND;
	m->perm_us[peer / PORTS] = w->k->now_us + 300 * (uint64_t)SECOND;
}

static void do_channel_data(struct world *w, unsigned i)
{
	struct model *m = &w->model[i];
	unsigned c = dice(w, CHANNELS);
	uint64_t data = w->rng;
	bool passed = kit_channel_data(w->k, &w->client[i], (uint16_t)(0x4000 + c * 31), &data, 8);
	CHECK(w, passed == (m->is_there && m->chan[c].until_us));
	if (!passed)
		return;
	struct addr want = peer_addr(m->chan[c].peer);
	CHECK(w, addr_eq(&w->k->out_peer, &want) && w->k->out_relay == w->relay[i]);
	CHECK(w, w->k->out_n == 8 && memcmp(w->k->out, &data, 8) == 0);
}

static void do_send(struct world *w, unsigned i)
{
	struct model *m = &w->model[i];
	unsigned peer = dice(w, IPS * PORTS);
	struct addr a = peer_addr(peer);
	bool passed = kit_indicate(w->k, &w->client[i], &a, "data", 4);
	CHECK(w, passed == (m->is_there && m->perm_us[peer / PORTS]));
	CHECK(w, !passed || (addr_eq(&w->k->out_peer, &a) && w->k->out_relay == w->relay[i]));
}

static void do_from_peer(struct world *w, unsigned i)
{
	struct model *m = &w->model[i];
	unsigned peer = dice(w, IPS * PORTS), number = 0;
	if (!m->is_there)
		return;
	struct addr a = peer_addr(peer);
	int how = kit_from_peer(w->k, w->relay[i], &a, "data", 4);
	for (unsigned c = 0; c < CHANNELS; c++)
		if (m->chan[c].until_us && m->chan[c].peer == peer)
			number = 0x4000 + c * 31;
	int want = !m->perm_us[peer / PORTS] ? 0 : number ? 1 : 2;
	CHECK(w, how == want);
	CHECK(w, how != 1 || rd16(w->k->place) == number);
	const struct turn_flow *to = &w->k->place_flow, *client = &w->client[i].flow;
	CHECK(w, !how || (to->conn == client->conn && addr_eq(&to->client, &client->client)));
}

static void do_close(struct world *w, unsigned i)
{
	struct kit_client *c = &w->client[i];
	if (!c->flow.conn || dice(w, 4))
		return;
	turn_flow_closed(w->k->server, &c->flow);
	c->flow.conn = ++w->conn;
	w->model[i].until_us = 0;
	model_time(w);
}

static void do_wait(struct world *w, unsigned i)
{
	static const uint32_t longest_ms[] = {10, 1000, 30000, 200000, 400000};
	(void)i;
	kit_wait(w->k, (uint64_t)MS * (1 + dice(w, longest_ms[dice(w, 5)])));
	model_time(w);
}

/* The last request comes again. */
static void do_repeat(struct world *w, unsigned i)
{
	struct kit *k = w->k;
	kit_refresh(k, &w->client[i], 600 + dice(w, 100));
	if (w->model[i].is_there)
		w->model[i].until_us =
			k->now_us + (uint64_t)SECOND * stun_number(&k->m, STUN_ATTR_LIFETIME);
	uint8_t was[TURN_OUT_MAX];
	size_t n = k->answer_n;
	memcpy(was, k->answer, n);
	kit_wait(k, (uint64_t)MS * dice(w, 39000));
	model_time(w);
	k->answer_n = 0;
	kit_rx(k, &w->client[i].flow, k->sealed);
	enum turn_transport t = w->client[i].flow.transport;
	bool is_stream = t == TURN_TCP || t == TURN_TLS;
	CHECK(w, is_stream || (k->answer_n == n && memcmp(was, k->answer, n) == 0));
	if (is_stream && w->model[i].is_there)
		w->model[i].until_us =
			k->now_us + (uint64_t)SECOND * stun_number(&k->m, STUN_ATTR_LIFETIME);
}

static void check_all(struct world *w)
{
	size_t n = 0;
	for (size_t i = 0; i < CLIENTS; i++) {
		const struct model *m = &w->model[i];
		n += m->is_there;
		if (!m->is_there)
			continue;
		struct turn_alloc_info info;
		turn_alloc_info(w->relay[i]->alloc, &info);
		CHECK(w, info.expires_us == m->until_us);
		CHECK(w, info.permissions == count_perms(m));
		CHECK(w, info.channels == count_chans(m));
	}
	CHECK(w, turn_alloc_count(w->k->server) == n);
	CHECK(w, turn_quota_total(w->k->quota) == n);
}

static void run(uint64_t seed, uint64_t ops)
{
	static const struct {
		const char *name;
		void (*fn)(struct world *w, unsigned i);
	} table[] = {
		{"allocate", do_allocate}, {"refresh", do_refresh}, {"permit", do_permit},
		{"bind", do_bind}, {"bind", do_bind}, {"channel data", do_channel_data},
		{"channel data", do_channel_data}, {"send", do_send}, {"from peer", do_from_peer},
		{"from peer", do_from_peer}, {"close", do_close}, {"wait", do_wait},
		{"repeat", do_repeat},
	};
	struct turn_cfg cfg = kit_cfg();
	cfg.permissions_per_allocation = PERMS_MAX;
	cfg.channels_per_allocation = CHANS_MAX;
	struct world w = {.k = kit_new_with(&cfg, NULL, KIT_USERS), .rng = seed, .seed = seed};
	for (uint16_t i = 0; i < CLIENTS; i++) {
		enum turn_transport t = (enum turn_transport)(i % TURN_TRANSPORT_N);
		w.client[i] = kit_client(t, t == TURN_UDP ? 0 : ++w.conn, (uint16_t)(4000 + i),
			i % 2 ? "alice" : "bob");
	}
	for (w.step = 0; w.step < ops; w.step++) {
		size_t op = dice(&w, ARRAY_LEN(table));
		w.doing = table[op].name;
		table[op].fn(&w, dice(&w, CLIENTS));
		check_all(&w);
	}
	kit_free(w.k);
}

int main(void)
{
	const char *ops = getenv("TURN_MODEL_OPS"), *seed = getenv("TURN_MODEL_SEED");
	uint64_t n = ops ? strtoull(ops, NULL, 10) : 20000;
	uint64_t first = (uint64_t)getpid();
	if (seed)
		first = strtoull(seed, NULL, 10);
	for (uint64_t i = 0; i < (seed ? 1 : 4); i++) {
		printf("seed %" PRIu64 ", %" PRIu64 " operations\n", first + i, n);
		fflush(stdout);
		run(first + i, n);
	}
	return 0;
}
