/* The checks of the `turn` section, and what the machine says about it. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/mem.h"
#include "config/config_internal.h"
#include "config/scalar.h"

enum { SYSCTL_LINE = 64, SECRETS_MAX = 256 };

int config_external_ip(const char *text, struct addr *advertised, struct addr *local)
{
	const char *slash = strchr(text, '/');
	size_t n = slash ? (size_t)(slash - text) : strlen(text);
	*local = (struct addr){0};
	if (addr_parse_ip(advertised, slice_of(text, n), 0) != 0)
		return -ERR_MALFORMED;
	if (!slash)
		return 0;
	int err = addr_parse_ip(local, slice_str(slash + 1), 0);
	bool is_same_family = !err && local->sa.sa_family == advertised->sa.sa_family;
	return is_same_family ? 0 : -ERR_MALFORMED;
}

static int check_realm(struct config_loader *l)
{
	const struct config_turn *t = &l->cfg->turn;
	const struct config_where realm = config_origin_of(l, "turn.realm");
	if (!*t->realm)
		return config_fail(l->eb, &realm, "a realm is needed; use the domain of the server");
	const struct config_where w = config_origin_of(l, "turn.rest_separator");
	if (!*t->rest_separator || isdigit((unsigned char)*t->rest_separator))
		return config_fail(l->eb, &w, "one character that is no digit is needed, such as \":\"");
	return 0;
}

static bool is_hex_key(const char *text)
{
	size_t n = strspn(text, "0123456789abcdefABCDEF");
	return !text[n] && (n == 32 || n == 64);
}

static int check_users(struct config_loader *l)
{
	const struct config_list *users = &l->cfg->turn.users;
	const struct config_where w = config_origin_of(l, "turn.users");
	for (size_t i = 0; i < users->n; i++) {
		char quoted[CONFIG_QUOTE_CAP];
		const char *value = users->pair[i].value;
		if (strncmp(value, "0x", 2) == 0 && !is_hex_key(value + 2))
			return config_fail(l->eb, &w,
				"the key of %s is no long-term key: 32 hexadecimal digits (MD5) or "
				"64 (SHA-256) belong behind 0x",
				config_quote(users->pair[i].key, quoted));
	}
	return 0;
}

static int check_oauth(struct config_loader *l)
{
	const struct config_list *keys = &l->cfg->turn.oauth_keys;
	const struct config_where w = config_origin_of(l, "turn.oauth_keys");
	for (size_t i = 0; i < keys->n; i++) {
		const struct config_oauth_key *k = &keys->oauth[i];
		char quoted[CONFIG_QUOTE_CAP];
		struct buf raw;
		buf_init(&raw, CONFIG_SECRET_MAX);
		bool is_good = base64_decode(&raw, slice_str(k->key)) == 0 && raw.n >= 16;
		if (raw.n)
			secret_wipe(raw.p, raw.n);
		buf_free(&raw);
		if (!is_good)
			return config_fail(l->eb, &w, "the key of %s is not 16 bytes or more of base64",
				config_quote(k->kid, quoted));
	}
	return 0;
}

/* One secret a line; empty lines and those that begin with # do not count. */
static int read_secrets(struct config_loader *l)
{
	struct config_turn *t = &l->cfg->turn;
	if (!*t->secret_file)
		return 0;
	const struct config_where w = config_origin_of(l, "turn.secret_file");
	struct buf text;
	int err = config_file_read(&w, t->secret_file, true, &text, l->eb);
	if (err)
		return err;
	size_t before = t->secrets.n;
	for (const char *p = buf_cstr(&text); *p && t->secrets.n < SECRETS_MAX;) {
		size_t n = strcspn(p, "\r\n");
		if (n && *p != '#')
			config_list_add_str(&t->secrets, xstrndup(p, n));
		p += n + (p[n] != 0);
	}
	if (text.n)
		secret_wipe(text.p, text.n);
	buf_free(&text);
	return t->secrets.n > before ? 0 : config_fail(l->eb, &w, "%s holds no secret", t->secret_file);
}

/* ---- addresses */

static int check_listen(struct config_loader *l)
{
	const struct config_list *list = &l->cfg->turn.listen;
	const struct config_where w = config_origin_of(l, "turn.listen");
	for (size_t i = 0; i < list->n; i++) {
		struct addr a;
		char quoted[CONFIG_QUOTE_CAP];
		if (addr_parse_ip(&a, slice_str(list->listen[i].address), 0) != 0)
			return config_fail(l->eb, &w,
				"%s is not an IP address; use one such as 192.0.2.1 or 2001:db8::1",
				config_quote(list->listen[i].address, quoted));
	}
	return 0;
}

static int check_external(struct config_loader *l)
{
	const struct config_list *list = &l->cfg->turn.external_ips;
	const struct config_where w = config_origin_of(l, "turn.external_ips");
	for (size_t i = 0; i < list->n; i++) {
		struct addr a, b;
		char quoted[CONFIG_QUOTE_CAP];
		if (config_external_ip(list->str[i], &a, &b) != 0)
			return config_fail(l->eb, &w,
				"%s is not an address mapping; use 198.51.100.1, or "
				"198.51.100.1/10.0.0.1 with the local address",
				config_quote(list->str[i], quoted));
	}
	return 0;
}

bool config_is_peer_range(const char *text)
{
	struct cidr block;
	struct addr from, to;
	const char *dash = strchr(text, '-');
	if (!dash)
		return cidr_parse(&block, slice_str(text)) == 0;
	if (addr_parse_ip(&from, slice_of(text, (size_t)(dash - text)), 0) != 0 ||
		addr_parse_ip(&to, slice_str(dash + 1), 0) != 0 ||
		from.sa.sa_family != to.sa.sa_family)
		return false;
	return memcmp(addr_ip(&from).p, addr_ip(&to).p, addr_ip(&to).n) <= 0;
}

static int check_peers(struct config_loader *l)
{
	const struct config_turn *t = &l->cfg->turn;
	const struct {
		const char *path;
		const struct config_list *list;
	} lists[] = {
		{"turn.allow_restricted_peer_cidrs", &t->allow_restricted_peer_cidrs},
		{"turn.deny_peer_cidrs", &t->deny_peer_cidrs},
		{"turn.allowed_peers", &t->allowed_peers},
		{"turn.denied_peers", &t->denied_peers},
	};
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		const struct config_where w = config_origin_of(l, lists[i].path);
		for (size_t j = 0; j < lists[i].list->n; j++) {
			char quoted[CONFIG_QUOTE_CAP];
			if (!config_is_peer_range(lists[i].list->str[j]))
				return config_fail(l->eb, &w,
					"%s is not an address block; use 10.0.0.0/8, "
					"10.0.0.1-10.0.0.9 or 10.0.0.1",
					config_quote(lists[i].list->str[j], quoted));
		}
	}
	return 0;
}

static int check_alternate(struct config_loader *l)
{
	const char *text = l->cfg->turn.alternate_server, *colon = strrchr(text, ':');
	const struct config_where w = config_origin_of(l, "turn.alternate_server");
	struct addr a;
	struct config_ports port;
	char quoted[CONFIG_QUOTE_CAP];
	if (!*text)
		return 0;
	bool is_good = colon && addr_parse_ip(&a, slice_of(text, (size_t)(colon - text)), 0) == 0 &&
		       !strchr(colon, '-') && config_parse_ports(colon + 1, &port);
	return is_good ? 0 : config_fail(l->eb, &w, "%s is not an address with a port; use one such as 192.0.2.1:3478",
		config_quote(text, quoted));
}

/* ---- ports and files */

static int check_range(struct config_loader *l)
{
	const struct config_turn *t = &l->cfg->turn;
	const struct config_where w = config_origin_of(l, "turn.relay_range_end");
	if (t->relay_range_end < t->relay_range_start)
		return config_fail(l->eb, &w, "the range of relay ports ends at %u but begins at %u; swap them",
			t->relay_range_end, t->relay_range_start);
	const struct config_where at = config_origin_of(l, "turn.udp_port");
	for (int i = 0; i < 2 && t->enabled; i++) {
		unsigned port = i ? t->tls_port : t->udp_port;
		if (port >= t->relay_range_start && port <= t->relay_range_end)
			return config_fail(l->eb, &at,
				"port %u lies in the range of relay ports, %u to %u; change one of "
				"them",
				port, t->relay_range_start, t->relay_range_end);
	}
	return 0;
}

static int check_listeners(struct config_loader *l)
{
	const struct config_turn *t = &l->cfg->turn;
	const struct config_where w = config_origin_of(l, "turn.enabled");
	if (!t->enabled)
		return 0;
	if (!(t->udp || t->tcp || t->tls || t->dtls))
		return config_fail(l->eb, &w, "turn.udp, turn.tcp, turn.tls and turn.dtls are all off; switch one on");
	if (!t->udp_port && !t->tls_port && !t->listen.n)
		return config_fail(l->eb, &w,
			"there is nothing to listen on; set turn.udp_port, turn.tls_port or "
			"turn.listen");
	const struct config_where proxies =
		config_origin_of(l, t->proxy_port ? "turn.proxy_port" : "turn.proxy_protocol");
	if ((t->proxy_protocol || t->proxy_port) && !t->proxies.n)
		return config_fail(l->eb, &proxies,
			"turn.proxies is empty: name the load balancers that may say who a client "
			"is, such as 10.0.0.0/8");
	return 0;
}

static int check_file(struct config_loader *l, const char *path, const char *file)
{
	const struct config_where w = config_origin_of(l, path);
	if (access(file, R_OK) == 0)
		return 0;
	return config_fail(l->eb, &w, "cannot read %s: %m", file);
}

static int check_certificate(struct config_loader *l)
{
	const struct config_turn *t = &l->cfg->turn;
	bool has_cert = *t->cert_file, has_key = *t->key_file;
	const struct config_where w = config_origin_of(l, has_cert ? "turn.cert_file" : "turn.key_file");
	if (!t->enabled)
		return 0;
	if (has_cert != has_key)
		return config_fail(l->eb, &w, "turn.cert_file and turn.key_file need each other");
	int err = has_cert ? check_file(l, "turn.cert_file", t->cert_file) : 0;
	if (!err && has_key)
		err = check_file(l, "turn.key_file", t->key_file);
	return err;
}

/* ---- what is allowed but deserves a word */

static int check_auth(struct config_loader *l)
{
	const struct config_turn *t = &l->cfg->turn;
	const struct config_where w = config_origin_of(l, "turn.no_auth");
	if (t->enabled && t->no_auth && !t->builtin_denied_peers)
		return config_fail(l->eb, &w, "with turn.builtin_denied_peers: false anybody in the world could reach "
			"everything that this machine can; remove one of the two");
	if (t->enabled && t->no_auth)
		config_warn(l, &w,
			"ANYBODY MAY RELAY THROUGH THIS SERVER without a password, and will be "
			"found doing so; "
			"set turn.users or turn.secrets instead");
	const struct config_where peers = config_origin_of(l, "turn.builtin_denied_peers");
	if (t->enabled && !t->builtin_denied_peers)
		config_warn(l, &peers,
			"clients may reach the loopback and private addresses of this machine's "
			"networks");
	return 0;
}

/* Two numbers, or one, of a file of /proc/sys. False if it cannot be read. */
static bool read_sysctl(const char *file, unsigned long long v[2], int n)
{
	FILE *f = fopen(file, "re");
	char line[SYSCTL_LINE] = "";
	if (!f)
		return false;
	bool is_read = fgets(line, sizeof line, f);
	(void)fclose(f);
	return is_read && sscanf(line, "%llu %llu", &v[0], &v[1]) >= n;
}

static int check_machine(struct config_loader *l)
{
	const struct config_turn *t = &l->cfg->turn;
	unsigned long long v[2] = {0, 0};
	if (!t->enabled || l->cfg->development)
		return 0;
	const struct config_where w = config_origin_of(l, "turn.relay_range_start");
	if (read_sysctl("/proc/sys/net/ipv4/ip_local_port_range", v, 2) && t->relay_range_start <= v[1] &&
		t->relay_range_end >= v[0])
		config_warn(l, &w, "relay ports %u to %u overlap the ports %llu to %llu that the system gives to other "
			"programs; some will be taken. Set net.ipv4.ip_local_reserved_ports or another range",
			t->relay_range_start, t->relay_range_end, v[0], v[1]);
	const struct config_where at = config_origin_of(l, "turn.socket_buffer");
	if (read_sysctl("/proc/sys/net/core/rmem_max", v, 1) && t->socket_buffer_bytes > v[0])
		config_warn(l, &at,
			"the system allows socket buffers of %llu bytes, not %llu: packets are "
			"lost in bursts. "
			"Set net.core.rmem_max and net.core.wmem_max",
			v[0], (unsigned long long)t->socket_buffer_bytes);
	return 0;
}

int config_check_turn(struct config_loader *l)
{
	int (*const checks[])(struct config_loader *) = {check_realm, check_users, check_oauth,
		read_secrets, check_listen, check_external, check_peers, check_alternate,
		check_range, check_listeners, check_certificate, check_auth, check_machine};
	for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
		int err = checks[i](l);
		if (err)
			return err;
	}
	return 0;
}
