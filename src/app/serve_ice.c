/* The ICE servers that clients are told of, as the configuration has them. */
#include <string.h>

#include "app/serve_parts.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

enum { EMBEDDED_IPS_MAX = 4 };

/* The URLs of all the list's servers, each owned. */
static char **stun_urls(const struct config *cfg, size_t *n)
{
	const struct config_list *own = &cfg->webrtc.stun_urls, *rtc = &cfg->rtc.stun_servers;
	char **urls = xcalloc(own->n + rtc->n, sizeof *urls);
	*n = 0;
	for (size_t i = 0; i < own->n; i++)
		urls[(*n)++] = xstrdup(own->str[i]);
	for (size_t i = 0; i < rtc->n; i++)
		urls[(*n)++] = xasprintf("stun:%s", rtc->str[i]);
	return urls;
}

static char *turn_url(const struct config_turn_server *t)
{
	bool is_tls = strcmp(t->protocol, "tls") == 0, is_v6 = strchr(t->host, ':') && t->host[0] != '[';
	return xasprintf("%s:%s%s%s:%u?transport=%s", is_tls ? "turns" : "turn", is_v6 ? "[" : "", t->host,
		is_v6 ? "]" : "", t->port, strcmp(t->protocol, "udp") == 0 ? "udp" : "tcp");
}

/* Those of webrtc, if they are whole, and of rtc.turn_servers. `urls` has a place for each of the latter. */
static size_t turn_servers(const struct config *cfg, char **urls, struct icelist_turn *out)
{
	const struct config_list *list = &cfg->rtc.turn_servers;
	const struct config_webrtc *webrtc = &cfg->webrtc;
	size_t n = 0;
	if (config_has_webrtc_turn(cfg))
		out[n++] = (struct icelist_turn){
			.urls = (const char *const *)webrtc->turn_urls.str,
			.n_urls = webrtc->turn_urls.n,
			.username = webrtc->turn_username,
			.credential = webrtc->turn_credential,
		};
	for (size_t i = 0; i < list->n; i++) {
		const struct config_turn_server *t = &list->turn[i];
		urls[i] = turn_url(t);
		out[n++] = (struct icelist_turn){
			.urls = (const char *const *)&urls[i],
			.n_urls = 1,
			.username = t->username,
			.credential = t->credential,
			.secret = t->secret,
			.ttl_s = (t->ttl_us + US_PER_S - 1) / US_PER_S,
		};
	}
	return n;
}

/* ------------------------------------------------------------------ the server in this process */

static size_t add_ip(struct addr *ips, size_t n, const struct addr *ip)
{
	if (n == EMBEDDED_IPS_MAX || !ip->sa.sa_family || addr_is_unspecified(ip) ||
		addr_is_link_local(ip))
		return n;
	ips[n] = *ip;
	return n + 1;
}

static size_t add_ips(struct addr *ips, const struct config_list *list)
{
	size_t n = 0;
	for (size_t i = 0; i < list->n; i++)
		n = add_ip(ips, n, &list->addr[i]);
	return n;
}

/* One address of each family of those that media uses too. */
static size_t own_ips(const struct config *cfg, struct addr *ips)
{
	struct ice_local locals[ICE_LOCALS_MAX];
	struct errbuf eb;
	size_t n_locals = 0, n = 0;
	if (serve_locals(cfg, 0, locals, &n_locals, &eb) != 0)
		return 0;
	for (size_t i = 0; i < n_locals; i++) {
		bool has_family = false;
		for (size_t k = 0; k < n; k++)
			has_family |= ips[k].sa.sa_family == locals[i].base.sa.sa_family;
		if (!has_family)
			n = add_ip(ips, n, &locals[i].base);
	}
	return n;
}

/* What clients reach the TURN server by: what the operator says they do, else what is listened on. */
static size_t embedded_ips(const struct config *cfg, struct addr *ips)
{
	const struct config_turn *t = &cfg->turn;
	size_t n = 0;
	for (size_t i = 0; i < t->external_ips.n; i++) {
		struct addr advertised, local;
		if (config_external_ip(t->external_ips.str[i], &advertised, &local) == 0)
			n = add_ip(ips, n, &advertised);
	}
	if (!n)
		n = add_ip(ips, 0, &cfg->rtc.node_ip);
	if (!n)
		n = add_ips(ips, &t->bind_addresses);
	if (!n)
		n = add_ips(ips, &t->relay_addresses);
	return n ? n : own_ips(cfg, ips);
}

/* A certificate names a domain; a balancer that ends TLS in front does so on the port of HTTPS. */
static uint16_t turns_port(const struct config_turn *t)
{
	enum { HTTPS_PORT = 443 };
	bool has_tls = t->tls && t->tls_port && *t->domain && (t->external_tls || *t->cert_file);
	if (!has_tls)
		return 0;
	return t->external_tls ? HTTPS_PORT : t->tls_port;
}

static void fill_embedded(const struct config *cfg, struct addr *ips, struct icelist_embedded *e)
{
	const struct config_turn *t = &cfg->turn;
	if (!t->enabled)
		return;
	*e = (struct icelist_embedded){
		.has_stun = t->stun && !t->secure_stun,
		.has_relay = !t->stun_only,
		.ips = ips,
		.n_ips = embedded_ips(cfg, ips),
		.udp_port = t->udp ? t->udp_port : 0,
		.tcp_port = t->tcp ? t->udp_port : 0,
		.domain = t->domain,
		.tls_port = turns_port(t),
		.secret = t->secrets.n ? t->secrets.str[0] : NULL,
		.rest_separator = t->rest_separator[0],
		.ttl_s = (t->ttl_us + US_PER_S - 1) / US_PER_S,
	};
	if (!e->n_ips && !e->tls_port)
		LOG_WARN("no address to tell clients for the TURN server; set turn.external_ips or rtc.node_ip");
}

struct icelist *serve_icelist(const struct config *cfg)
{
	size_t n_rtc = cfg->rtc.turn_servers.n, n_stun;
	char **stun = stun_urls(cfg, &n_stun), **urls = xcalloc(n_rtc, sizeof *urls);
	struct icelist_turn *turn = xcalloc(n_rtc + 1, sizeof *turn);
	struct icelist_cfg ice = {
		.stun_urls = (const char *const *)stun,
		.n_stun_urls = n_stun,
		.turn = turn,
		.n_turn = turn_servers(cfg, urls, turn),
		.has_default_stun = cfg->webrtc.default_stun && !cfg->development,
	};
	struct addr ips[EMBEDDED_IPS_MAX];
	fill_embedded(cfg, ips, &ice.embedded);
	struct icelist *l = icelist_new(&ice);
	for (size_t i = 0; i < n_stun; i++)
		xfree(stun[i]);
	for (size_t i = 0; i < n_rtc; i++)
		xfree(urls[i]);
	xfree(stun);
	xfree(urls);
	xfree(turn);
	return l;
}
