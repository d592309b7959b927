#include "app/turn_parts.h"

#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/netif.h"

/* ------------------------------------------------------------------ memory */

/* Takes p: freed, and wiped, with the settings. */
static void *keep(struct turn_settings *s, void *p, size_t n)
{
	s->kept = xrealloc(s->kept, (s->n_kept + 1) * sizeof *s->kept);
	s->kept_size = xrealloc(s->kept_size, (s->n_kept + 1) * sizeof *s->kept_size);
	s->kept[s->n_kept] = p;
	s->kept_size[s->n_kept++] = n;
	return p;
}

static const char *keep_str(struct turn_settings *s, const char *text)
{
	return keep(s, xstrdup(text), strlen(text));
}

static void *keep_array(struct turn_settings *s, size_t n, size_t size)
{
	return keep(s, xcalloc(n ? n : 1, size), n * size);
}

struct turn_settings *turn_settings_ref(struct turn_settings *s)
{
	__atomic_add_fetch(&s->refs, 1, __ATOMIC_RELAXED);
	return s;
}

void turn_settings_unref(struct turn_settings *s)
{
	if (!s || __atomic_sub_fetch(&s->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	turn_policy_free(s->policy);
	for (size_t i = 0; i < s->n_kept; i++) {
		secret_wipe(s->kept[i], s->kept_size[i]);
		xfree(s->kept[i]);
	}
	xfree(s->kept);
	xfree(s->kept_size);
	secret_wipe(s, sizeof *s);
	xfree(s);
}

/* ------------------------------------------------------------------ addresses */

static size_t add_addr(struct addr *out, size_t n, const struct addr *a)
{
	for (size_t i = 0; i < n; i++)
		if (addr_ip_eq(&out[i], a))
			return n;
	if (n == TURN_ADDRS_MAX)
		return n;
	out[n] = *a;
	addr_set_port(&out[n], 0);
	return n + 1;
}

/* This machine's addresses, of one family or (0) both. */
static size_t add_all(struct addr *out, size_t n, int family)
{
	struct addr all[TURN_ADDRS_MAX];
	const struct netif_filter filter = {.with_loopback = true};
	size_t found = netif_list(&filter, all, TURN_ADDRS_MAX);
	if (found > TURN_ADDRS_MAX)
		LOG_WARN("more addresses than the TURN server can use; choose with turn.bind_addresses",
			F_UINT("found", found), F_UINT("used", TURN_ADDRS_MAX));
	for (size_t i = 0; i < MIN(found, (size_t)TURN_ADDRS_MAX); i++)
		if (!family || all[i].sa.sa_family == family)
			n = add_addr(out, n, &all[i]);
	return n;
}

/*
 * Each address by itself, also where all are meant: an answer must leave from the address that was asked, and a client
 * is told of no address that is none.
 */
static size_t list_addrs(const struct config_list *list, struct addr out[TURN_ADDRS_MAX])
{
	size_t n = 0;
	for (size_t i = 0; i < list->n; i++)
		n = addr_is_unspecified(&list->addr[i])
			    ? add_all(out, n, list->addr[i].sa.sa_family)
			    : add_addr(out, n, &list->addr[i]);
	return list->n ? n : add_all(out, n, 0);
}

/* Those of a list that are no loopback addresses, or all if there is nothing else. */
static size_t drop_loopback(struct addr *list, size_t n)
{
	size_t kept = 0;
	for (size_t i = 0; i < n; i++)
		kept += !addr_is_loopback(&list[i]);
	if (!kept)
		return n;
	kept = 0;
	for (size_t i = 0; i < n; i++)
		if (!addr_is_loopback(&list[i]))
			list[kept++] = list[i];
	return kept;
}

/* No relay addresses were chosen: as many as there are. */
static bool relays_anywhere(const struct config *cfg)
{
	const struct config_list *list = &cfg->turn.relay_addresses;
	bool is_any = !list->n;
	for (size_t i = 0; i < list->n; i++)
		is_any |= addr_is_unspecified(&list->addr[i]);
	return is_any;
}

static size_t relay_addrs(const struct config *cfg, struct addr out[TURN_ADDRS_MAX])
{
	const struct config_list *list = &cfg->turn.relay_addresses;
	size_t n = list_addrs(list->n ? list : &cfg->turn.bind_addresses, out);
	return relays_anywhere(cfg) ? drop_loopback(out, n) : n;
}

/* rtc.node_ip stands for this machine's addresses where no turn.external_ips say better, unless it is one of them. */
static bool node_ip_of(const struct config *cfg, const struct addr *at, struct addr *out)
{
	const struct addr *node = &cfg->rtc.node_ip;
	struct addr own[TURN_ADDRS_MAX];
	if (node->sa.sa_family != at->sa.sa_family || addr_is_loopback(at))
		return false;
	size_t n = add_all(own, 0, node->sa.sa_family);
	for (size_t i = 0; i < n; i++)
		if (addr_ip_eq(&own[i], node))
			return false;
	*out = *node;
	return true;
}

/* What clients are told instead of a local address; false if that is the address itself. */
static bool external_of(const struct config *cfg, const struct addr *at, struct addr *out)
{
	const struct config_list *list = &cfg->turn.external_ips;
	bool is_found = !list->n && node_ip_of(cfg, at, out);
	for (size_t i = 0; i < list->n; i++) {
		struct addr advertised, local;
		if (config_external_ip(list->str[i], &advertised, &local) != 0 ||
			advertised.sa.sa_family != at->sa.sa_family)
			continue;
		bool is_for_all = !local.sa.sa_family;
		if (!(is_for_all ? !is_found && !addr_is_loopback(at) : addr_ip_eq(&local, at)))
			continue;
		*out = advertised;
		is_found = true;
		if (!is_for_all)
			break;
	}
	return is_found;
}

/* ------------------------------------------------------------------ listeners */

struct listeners {
	const struct config *cfg;
	struct turnd_listen *list;
	size_t n;
	bool is_full;
};

static struct turnd_listen *add_listener(struct listeners *l, const struct addr *ip, uint16_t port)
{
	static struct turnd_listen spare;
	struct addr at = *ip, external;
	addr_set_port(&at, port);
	for (size_t i = 0; i < l->n; i++)
		if (addr_eq(&l->list[i].at, &at))
			return &l->list[i];
	if (l->n == TURND_LISTENERS_MAX) {
		l->is_full = true;
		return &spare;
	}
	struct turnd_listen *t = &l->list[l->n++];
	*t = (struct turnd_listen){.at = at};
	if (external_of(l->cfg, ip, &external)) {
		t->known_as = external;
		addr_set_port(&t->known_as, port);
	}
	return t;
}

static bool has_certificate(const struct config_turn *t)
{
	return *t->cert_file && *t->key_file;
}

static void listen_on(struct listeners *l, const struct addr *ip)
{
	const struct config_turn *t = &l->cfg->turn;
	bool has_cert = has_certificate(t);
	if (t->udp_port) {
		struct turnd_listen *p = add_listener(l, ip, t->udp_port);
		p->udp = t->udp;
		p->tcp = t->tcp;
		p->tls = t->tls && has_cert;
		p->dtls = t->dtls && has_cert;
		p->proxy_protocol = t->proxy_protocol;
	}
	if (t->tls_port && (has_cert || t->external_tls)) {
		struct turnd_listen *p = add_listener(l, ip, t->tls_port);
		p->tcp = t->external_tls;
		p->tls = t->tls && has_cert && !t->external_tls;
		p->dtls = t->dtls && has_cert;
		p->proxy_protocol = t->proxy_protocol;
	}
	if (t->proxy_port) {
		struct turnd_listen *p = add_listener(l, ip, t->proxy_port);
		p->tcp = t->tcp;
		p->tls = t->tls && has_cert;
		p->proxy_protocol = true;
	}
}

static void listen_more(struct listeners *l)
{
	const struct config_list *list = &l->cfg->turn.listen;
	bool has_cert = has_certificate(&l->cfg->turn);
	for (size_t i = 0; i < list->n; i++) {
		const struct config_turn_listen *more = &list->listen[i];
		struct addr ip;
		if (addr_parse_ip(&ip, slice_str(more->address), 0) != 0)
			continue; /* config_load has seen to it */
		struct turnd_listen *p = add_listener(l, &ip, more->port);
		p->udp |= more->udp;
		p->tcp |= more->tcp;
		p->tls |= more->tls && has_cert;
		p->dtls |= more->dtls && has_cert;
		p->proxy_protocol |= more->proxy_protocol;
	}
}

/* RFC 5780 §3: two addresses, two ports on each. The first of other's family is the primary one. */
static int listen_for_discovery(struct listeners *l, const struct addr *bound, size_t n_bound,
	struct turn_settings *s, struct errbuf *eb)
{
	const struct config_turn *t = &l->cfg->turn;
	const struct addr *other = &t->other_address, *primary = NULL;
	if (!other->sa.sa_family)
		return 0;
	if (!t->udp) {
		LOG_WARN("NAT behaviour discovery is off: it is over UDP, and turn.udp is false");
		return 0;
	}
	for (size_t i = 0; i < n_bound && !primary; i++)
		if (bound[i].sa.sa_family == other->sa.sa_family && !addr_ip_eq(&bound[i], other) &&
			(!addr_is_loopback(&bound[i]) || addr_is_loopback(other)))
			primary = &bound[i];
	if (!primary || !t->udp_port)
		return err_set(eb, ERR_CONFIG,
			"turn.other_address: NAT behaviour discovery needs turn.udp_port and "
			"another "
			"address of the same family in turn.bind_addresses");
	struct addr *known = keep_array(s, 2, sizeof *known);
	for (unsigned i = 0; i < 4; i++) {
		bool is_other_addr = i & 1, is_other_port = i & 2;
		struct turnd_listen *p = add_listener(l, is_other_addr ? other : primary,
			is_other_port ? t->other_port : t->udp_port);
		p->udp = true;
		p->is_other_addr = is_other_addr;
		p->is_other_port = is_other_port;
		if (i == 0 || i == 3)
			known[i / 2] = p->known_as.sa.sa_family ? p->known_as : p->at;
	}
	s->turnd.turn.other_address = known;
	return 0;
}

static int fill_listeners(struct turn_settings *s, const struct config *cfg, struct errbuf *eb)
{
	struct listeners l = {
		.cfg = cfg, .list = keep_array(s, TURND_LISTENERS_MAX, sizeof *l.list)};
	struct addr bound[TURN_ADDRS_MAX];
	size_t n = list_addrs(&cfg->turn.bind_addresses, bound);
	for (size_t i = 0; i < n; i++)
		listen_on(&l, &bound[i]);
	listen_more(&l);
	int err = listen_for_discovery(&l, bound, n, s, eb);
	if (!err && l.is_full)
		err = err_set(eb, ERR_CONFIG,
			"turn.bind_addresses: more than %d pairs of address and port to listen on; "
			"name fewer addresses",
			TURND_LISTENERS_MAX);
	if (!err && !l.n)
		err = err_set(eb, ERR_CONFIG, "turn.bind_addresses: there is no address to listen on");
	s->turnd.listen = l.list;
	s->turnd.n_listen = l.n;
	return err;
}

static void fill_relay(struct turn_settings *s, const struct config *cfg)
{
	struct addr addrs[TURN_ADDRS_MAX];
	size_t n = relay_addrs(cfg, addrs);
	if (n > TURND_RELAY_ADDRS_MAX)
		LOG_WARN("more relay addresses than can be used; choose with turn.relay_addresses", F_UINT("found", n),
			F_UINT("used", TURND_RELAY_ADDRS_MAX));
	n = MIN(n, (size_t)TURND_RELAY_ADDRS_MAX);
	struct turnd_relay_addr *relay = keep_array(s, n, sizeof *relay);
	for (size_t i = 0; i < n; i++) {
		relay[i].at = addrs[i];
		if (!external_of(cfg, &addrs[i], &relay[i].advertised))
			relay[i].advertised = (struct addr){0};
	}
	s->turnd.relay = relay;
	s->turnd.n_relay = n;
	s->turnd.relay_as_asked = relays_anywhere(cfg);
	s->turnd.relay_first = cfg->turn.relay_range_start;
	s->turnd.relay_last = cfg->turn.relay_range_end;
}

/* ------------------------------------------------------------------ turnd and turn */

/* As many as fit the field. */
static uint32_t u32(uint64_t v)
{
	return (uint32_t)MIN(v, (uint64_t)UINT32_MAX);
}

static void fill_turnd(struct turn_settings *s, const struct config_turn *t)
{
	struct turnd_cfg *d = &s->turnd;
	bool has_cert = has_certificate(t);
	d->proxies = keep(s, xmemdup(t->proxies.cidr, t->proxies.n * sizeof *t->proxies.cidr), 0);
	d->n_proxies = t->proxies.n;
	d->cert_file = keep_str(s, has_cert ? t->cert_file : "");
	d->key_file = keep_str(s, has_cert ? t->key_file : "");
	d->key_password = keep_str(s, t->key_password);
	d->tls_ciphers = keep_str(s, t->tls_ciphers);
	d->no_tls1_2 = !t->tls1_2;
	d->stream_connections = t->stream_connections;
	d->stream_queue_bytes = u32(t->stream_queue_bytes);
	d->stream_queue_us = t->stream_queue_us;
	d->stream_idle_us = t->stream_idle_us;
	d->dtls_connections = t->dtls_connections;
	d->socket_buffer_bytes = u32(t->socket_buffer_bytes);
	d->multiplex_peer = t->multiplex_peer;
	d->is_lazy = t->lazy_sockets;
}

/* Each worker keeps its own account of addresses, and a client that changes its port comes to all of them. */
static uint32_t share(uint64_t limit, unsigned n_workers, uint64_t least)
{
	return u32(MAX(limit / n_workers, MIN(limit, least)));
}

static void fill_turn(struct turn_settings *s, const struct config_turn *t, unsigned n_workers)
{
	enum { LEAST_BYTES = 1024, LEAST_FAILURES = 5 }; /* a few clients behind one address */
	const struct addr *other = s->turnd.turn.other_address;
	s->turnd.turn = (struct turn_cfg){
		.software = keep_str(s, t->software),
		.with_fingerprint = t->fingerprint,
		.no_udp_relay = !t->udp_relay,
		.no_tcp_relay = !t->tcp_relay,
		.no_mobility = !t->mobility,
		.stun_only = t->stun_only,
		.no_stun = !t->stun,
		.secure_stun = t->secure_stun,
		.lifetime_default_us = MIN(t->lifetime_default_us, t->lifetime_max_us),
		.lifetime_max_us = t->lifetime_max_us,
		.permission_us = t->permission_us,
		.channel_us = t->channel_us,
		.allocations_max = t->worker_allocations,
		.permissions_per_allocation = t->permissions_per_allocation,
		.channels_per_allocation = t->channels_per_allocation,
		.tcp_per_allocation = t->tcp_per_allocation,
		.allocation_bytes_per_s = t->allocation_bytes_per_s,
		.unauthenticated_bytes_per_s =
			share(t->unauthenticated_bytes_per_s, n_workers, LEAST_BYTES),
		.allocations_per_address_per_s = t->allocations_per_address,
		.auth_failures_per_user = t->auth_failures_per_user,
		.auth_failures_per_address =
			share(t->auth_failures_per_address, n_workers, LEAST_FAILURES),
		.other_address = other,
		.alternate_server = keep_str(s, t->alternate_server),
	};
	s->quota = (struct turn_quota_cfg){
		.allocations_per_user = t->user_allocations,
		.allocations_total = t->total_allocations,
		.allocations_per_participant = t->per_user_relay_allocation_limit,
		.user_bytes_per_s = t->user_bytes_per_s,
		.total_bytes_per_s = t->total_bytes_per_s,
		.slots = t->quota_users,
	};
}

/* ------------------------------------------------------------------ who */

static uint8_t hex_digit(char c)
{
	return (uint8_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

static void fill_users(struct turn_settings *s, const struct config_list *users)
{
	struct turn_static_user *out = keep_array(s, users->n, sizeof *out);
	for (size_t i = 0; i < users->n; i++) {
		const char *value = users->pair[i].value;
		out[i].name = keep_str(s, users->pair[i].key);
		if (strncmp(value, "0x", 2) != 0) {
			out[i].password = keep_str(s, value);
			continue;
		}
		size_t n = (strlen(value) - 2) / 2;
		uint8_t *key = keep_array(s, n, 1);
		for (size_t k = 0; k < n; k++)
			key[k] = (uint8_t)(hex_digit(value[2 + 2 * k]) << 4 |
					   hex_digit(value[3 + 2 * k]));
		out[i].key = key;
		out[i].key_n = n;
	}
	s->auth.users = out;
	s->auth.n_users = users->n;
}

static void fill_oauth(struct turn_settings *s, const struct config_list *keys)
{
	struct turn_oauth_key *out = keep_array(s, keys->n, sizeof *out);
	for (size_t i = 0; i < keys->n; i++) {
		const struct config_oauth_key *k = &keys->oauth[i];
		struct buf raw;
		buf_init(&raw, CONFIG_SECRET_MAX);
		(void)!base64_decode(&raw, slice_str(k->key)); /* config_load has seen to it */
		out[i] = (struct turn_oauth_key){
			.kid = keep_str(s, k->kid),
			.key = keep(s, xmemdup(raw.p, raw.n), raw.n),
			.key_n = raw.n,
			.algorithm = keep_str(s, k->algorithm),
			.from_s = k->from_us / 1000000,
			.lifetime_s = k->lifetime_us / 1000000,
		};
		if (raw.n)
			secret_wipe(raw.p, raw.n);
		buf_free(&raw);
	}
	s->auth.oauth_keys = out;
	s->auth.n_oauth_keys = keys->n;
}

static void fill_auth(struct turn_settings *s, const struct config *cfg, const uint8_t *nonce_key)
{
	const struct config_turn *t = &cfg->turn;
	struct turn_auth_cfg *a = &s->auth;
	memcpy(a->nonce_key, nonce_key, sizeof a->nonce_key);
	a->realm = keep_str(s, t->realm);
	a->participant_realm = a->realm;
	a->nonce_lifetime_us = t->nonce_lifetime_us;
	a->no_auth = t->no_auth;
	a->rest_separator = t->rest_separator[0];
	a->oauth_server_name = keep_str(s, t->oauth_server_name);
	a->with_sha256 = t->sha256;
	a->has_lookup = *t->userdb;
	a->cache_users = t->auth_cache_users;
	a->cache_us = t->userdb_cache_us;
	fill_users(s, &t->users);
	fill_oauth(s, &t->oauth_keys);
	const char **secrets = keep_array(s, t->secrets.n, sizeof *secrets);
	for (size_t i = 0; i < t->secrets.n; i++)
		secrets[i] = keep_str(s, t->secrets.str[i]);
	a->secrets = secrets;
	a->n_secrets = t->secrets.n;
	struct turn_api_key *keys = keep_array(s, cfg->keys.n, sizeof *keys);
	for (size_t i = 0; i < cfg->keys.n; i++)
		keys[i] = (struct turn_api_key){
			keep_str(s, cfg->keys.pair[i].key), keep_str(s, cfg->keys.pair[i].value)};
	a->api_keys = keys;
	a->n_api_keys = cfg->keys.n;
}

/* ------------------------------------------------------------------ where to */

static const char *const *keep_list(struct turn_settings *s, const struct config_list *a,
	const struct config_list *b)
{
	size_t n = a->n + (b ? b->n : 0);
	const char **all = keep_array(s, n, sizeof *all);
	for (size_t i = 0; i < n; i++)
		all[i] = keep_str(s, i < a->n ? a->str[i] : b->str[i - a->n]);
	return all;
}

static void fill_peers(struct turn_settings *s, const struct config_turn *t,
	const struct turn_surroundings *around)
{
	const struct netif_filter everything = {.with_loopback = true};
	struct addr *local = keep_array(s, TURN_ADDRS_MAX, sizeof *local);
	size_t n_local = netif_list(&everything, local, TURN_ADDRS_MAX);
	struct addr *own = keep_array(s, 2 * s->turnd.n_relay, sizeof *own);
	struct turn_policy_cfg *p = &s->peers;
	*p = (struct turn_policy_cfg){
		.allow = keep_list(s, &t->allow_restricted_peer_cidrs, &t->allowed_peers),
		.n_allow = t->allow_restricted_peer_cidrs.n + t->allowed_peers.n,
		.deny = keep_list(s, &t->denied_peers, NULL),
		.n_deny = t->denied_peers.n,
		.deny_always = keep_list(s, &t->deny_peer_cidrs, NULL),
		.n_deny_always = t->deny_peer_cidrs.n,
		.allow_loopback = t->allow_loopback_peers,
		.allow_private = t->allow_private_peers,
		.no_builtin = !t->builtin_denied_peers,
		.own_relay = own,
		.relay_first = t->relay_range_start,
		.relay_last = t->relay_range_end,
		.local = local,
		.n_local = MIN(n_local, (size_t)TURN_ADDRS_MAX),
	};
	struct addr *sfu = keep_array(s, around->n_sfu, sizeof *sfu);
	for (; p->n_own < around->n_sfu; p->n_own++)
		sfu[p->n_own] = around->sfu[p->n_own];
	p->own = sfu;
	for (size_t i = 0; i < s->turnd.n_relay; i++) {
		own[p->n_own_relay++] = s->turnd.relay[i].at;
		if (s->turnd.relay[i].advertised.sa.sa_family)
			own[p->n_own_relay++] = s->turnd.relay[i].advertised;
	}
}

static int check_ports(const struct config_turn *t, unsigned n_workers, struct errbuf *eb)
{
	unsigned ports = t->relay_range_end - t->relay_range_start + 1u;
	if (ports >= 2 * n_workers)
		return 0;
	return err_set(eb, ERR_CONFIG,
		"turn.relay_range_end: %u ports are too few for %u media threads, which need two "
		"each; "
		"widen the range or set rtc.workers",
		ports, n_workers);
}

int turn_settings_new(struct turn_settings **out, const struct config *cfg,
	const struct turn_surroundings *around, struct errbuf *eb)
{
	struct turn_settings *s = XNEW(struct turn_settings);
	s->refs = 1;
	s->session_log = cfg->turn.session_log;
	s->metric_user_labels = cfg->turn.metric_user_labels;
	s->userdb_peers = cfg->turn.userdb_peers;
	s->userdb_cache_us = cfg->turn.userdb_cache_us;
	int err = check_ports(&cfg->turn, around->n_workers, eb);
	if (!err)
		err = fill_listeners(s, cfg, eb);
	if (!err) {
		fill_relay(s, cfg);
		fill_turnd(s, &cfg->turn);
		fill_turn(s, &cfg->turn, around->n_workers);
		fill_auth(s, cfg, around->nonce_key);
		fill_peers(s, &cfg->turn, around);
		err = turn_policy_new(&s->policy, &s->peers, eb);
	}
	if (err) {
		turn_settings_unref(s);
		return err;
	}
	*out = s;
	return 0;
}
