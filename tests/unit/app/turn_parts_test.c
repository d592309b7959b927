/* From the configuration to the settings of turn and turnd: every key of the section reaches them. */
#include "cm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/turn_parts.h"
#include "base/buf.h"
#include "base/mem.h"
#include "config/config_internal.h"

static char file[] = "/tmp/sterna-turn-parts.XXXXXX", other_file[] = "/tmp/sterna-turn-parts.XXXXXX";

static int make_files(void **st)
{
	(void)st;
	int a = mkstemp(file), b = mkstemp(other_file);
	return a < 0 || b < 0 || close(a) || close(b) || setenv("F", file, 1);
}

static int remove_files(void **st)
{
	(void)st;
	return unlink(file) || unlink(other_file);
}

/* Whatever some key depends on is there; a key under test is set over it. */
static const char base[] =
	"keys: {api: a-secret-that-is-long-enough-for-everybody}\n"
	"turn: {enabled: true, bind_addresses: [127.0.0.1], udp_port: 13478, tls_port: 15349, cert_file: $F,\n"
	"  key_file: $F, users: {ann: one}, secrets: [two], other_address: 127.0.0.2, proxy_port: 13480,\n"
	"  proxies: [10.0.0.0/8], userdb: /nonexistent/users.db}\n";

static struct config *load(const char *path, const char *value)
{
	struct config *cfg = NULL;
	struct errbuf eb = {""};
	struct buf body;
	buf_init(&body, 4096);
	for (const char *p = base; *p; p++) {
		bool is_file = p[0] == '$' && p[1] == 'F';
		buf_add_str(&body, is_file ? file : (char[]){*p, 0});
		p += is_file;
	}
	struct config_source src = {.body = buf_cstr(&body)};
	if (path)
		config_source_set(&src, path, value, path);
	if (config_load(&src, &cfg, &eb))
		fail_msg("%s=%s: %s", path ? path : "", value ? value : "", eb.text);
	config_source_free(&src);
	buf_free(&body);
	return cfg;
}

static struct turn_settings *make(const struct config *cfg, unsigned workers)
{
	static const uint8_t nonce_key[TURN_NONCE_KEY_LEN] = {7};
	struct turn_settings *s = NULL;
	struct errbuf eb = {""};
	const struct turn_surroundings around = {workers, NULL, 0, nonce_key};
	if (turn_settings_new(&s, cfg, &around, &eb))
		fail_msg("%s", eb.text);
	return s;
}

/* ------------------------------------------------------------------ all of it as text */

#define NUM(x) buf_printf(out, #x "=%llu\n", (unsigned long long)(x))
#define STR(x) buf_printf(out, #x "=%s\n", (x) ? (x) : "-")

static void put_addr(struct buf *out, const char *name, const struct addr *a)
{
	char text[ADDR_TEXT_CAP];
	buf_printf(out, "%s=%s\n", name, a && a->sa.sa_family ? addr_format(a, text) : "-");
}

static void put_texts(struct buf *out, const char *name, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_printf(out, "%s[%zu]=%s\n", name, i, list[i]);
}

static void put_turnd(struct buf *out, const struct turnd_cfg *d)
{
	for (size_t i = 0; i < d->n_listen; i++) {
		const struct turnd_listen *l = &d->listen[i];
		put_addr(out, "at", &l->at);
		put_addr(out, "known_as", &l->known_as);
		buf_printf(out, "%d%d%d%d%d%d%d\n", l->udp, l->tcp, l->tls, l->dtls, l->proxy_protocol,
			l->is_other_addr, l->is_other_port);
	}
	for (size_t i = 0; i < d->n_relay; i++) {
		put_addr(out, "relay", &d->relay[i].at);
		put_addr(out, "advertised", &d->relay[i].advertised);
	}
	for (size_t i = 0; i < d->n_proxies; i++)
		buf_printf(out, "proxy %02x\n", ((const uint8_t *)&d->proxies[i])[0]);
	NUM(d->n_proxies), NUM(d->relay_first), NUM(d->relay_last);
	STR(d->cert_file), STR(d->key_file), STR(d->key_password), STR(d->tls_ciphers),
		NUM(d->no_tls1_2);
	NUM(d->stream_connections), NUM(d->stream_queue_bytes), NUM(d->stream_queue_us),
		NUM(d->stream_idle_us);
	NUM(d->dtls_connections), NUM(d->socket_buffer_bytes), NUM(d->multiplex_peer),
		NUM(d->is_lazy);
}

static void put_turn(struct buf *out, const struct turn_cfg *t)
{
	STR(t->software), NUM(t->with_fingerprint), NUM(t->no_udp_relay), NUM(t->no_tcp_relay),
		NUM(t->no_mobility);
	NUM(t->stun_only), NUM(t->no_stun), NUM(t->secure_stun), NUM(t->lifetime_default_us),
		NUM(t->lifetime_max_us);
	NUM(t->permission_us), NUM(t->channel_us), NUM(t->allocations_max),
		NUM(t->permissions_per_allocation);
	NUM(t->channels_per_allocation), NUM(t->tcp_per_allocation), NUM(t->allocation_bytes_per_s);
	NUM(t->unauthenticated_bytes_per_s), NUM(t->allocations_per_address_per_s),
		NUM(t->auth_failures_per_user), NUM(t->auth_failures_per_address);
	STR(t->alternate_server);
	for (unsigned i = 0; t->other_address && i < 2; i++)
		put_addr(out, "discovery", &t->other_address[i]);
}

static void put_auth(struct buf *out, const struct turn_auth_cfg *a)
{
	STR(a->realm), STR(a->participant_realm), NUM(a->nonce_lifetime_us), NUM(a->no_auth),
		NUM(a->rest_separator);
	STR(a->oauth_server_name), NUM(a->with_sha256), NUM(a->has_lookup), NUM(a->cache_users),
		NUM(a->cache_us);
	for (size_t i = 0; i < a->n_users; i++)
		buf_printf(out, "user %s %s %zu\n", a->users[i].name, a->users[i].password ? a->users[i].password : "-",
			a->users[i].key_n);
	put_texts(out, "secret", a->secrets, a->n_secrets);
	for (size_t i = 0; i < a->n_api_keys; i++)
		buf_printf(out, "api %s %s\n", a->api_keys[i].key, a->api_keys[i].secret);
	for (size_t i = 0; i < a->n_oauth_keys; i++)
		buf_printf(out, "oauth %s %zu %s\n", a->oauth_keys[i].kid, a->oauth_keys[i].key_n,
			a->oauth_keys[i].algorithm);
}

static char *text_of(const struct turn_settings *s)
{
	struct buf buf, *out = &buf;
	buf_init(out, 1 << 16);
	put_turnd(out, &s->turnd);
	put_turn(out, &s->turnd.turn);
	put_auth(out, &s->auth);
	const struct turn_quota_cfg *q = &s->quota;
	NUM(q->allocations_per_user), NUM(q->allocations_total),
		NUM(q->allocations_per_participant);
	NUM(q->user_bytes_per_s), NUM(q->total_bytes_per_s), NUM(q->slots);
	const struct turn_policy_cfg *p = &s->peers;
	put_texts(out, "allow", p->allow, p->n_allow);
	put_texts(out, "deny", p->deny, p->n_deny);
	put_texts(out, "deny_always", p->deny_always, p->n_deny_always);
	NUM(p->allow_loopback), NUM(p->allow_private), NUM(p->no_builtin), NUM(p->relay_first),
		NUM(p->n_own_relay);
	NUM(s->session_log), NUM(s->metric_user_labels), NUM(s->userdb_cache_us),
		NUM(s->userdb_peers);
	char *text = xstrdup(buf_cstr(out));
	buf_free(out);
	return text;
}

/* ------------------------------------------------------------------ every key */

/* Taken up by others, as it says; everything else has to change the settings. */
static const char *const elsewhere[][2] = {
	{"turn.enabled", "app/serve.c"},
	{"turn.domain", "app/serve_ice.c"},
	{"turn.ttl_seconds", "app/serve_ice.c"},
	{"turn.http_share", "app/serve.c"},
	{"turn.redis_stats", "turn_host.c"},
	{"turn.metric_users", "turn_host.c"},
	{"turn.secret_file", "config/check_turn.c adds it to turn.secrets"},
	{"turn.key_file", "with the certificate: config_load refuses one alone"},
};

static bool is_elsewhere(const char *path)
{
	for (size_t i = 0; i < ARRAY_LEN(elsewhere); i++)
		if (strcmp(elsewhere[i][0], path) == 0)
			return true;
	return false;
}

static void other_value(const struct config *plain, const struct config_row *row, char out[256])
{
	const char *const special[][2] = {
		{"turn.cert_file", other_file},
		{"turn.udp_port", "13500"},
		{"turn.tls_port", "13501"},
		{"turn.proxy_port", "13502"},
		{"turn.other_port", "13503"},
		{"turn.relay_range_start", "31000"},
		{"turn.relay_range_end", "39000"},
		{"turn.bind_addresses", "[127.0.0.3]"},
		{"turn.relay_addresses", "[127.0.0.3]"},
		{"turn.other_address", "127.0.0.3"},
		{"turn.proxies", "[192.0.2.0/24, 10.0.0.0/8]"},
		{"turn.listen", "[{address: \"127.0.0.9\", port: 13504}]"},
		{"turn.oauth_keys", "[{kid: k, key: \"MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\"}]"},
		{"turn.users", "{bob: three, eve: 0xbc807ee29df3c9ffa736523fb2c4e8ee}"},
		{"turn.secrets", "[four]"},
		{"turn.external_ips", "[192.0.2.1/127.0.0.1]"},
		{"turn.rest_separator", "_"},
		{"turn.alternate_server", "192.0.2.1:3478"},
		{"turn.userdb", ""},
	};
	for (size_t i = 0; i < ARRAY_LEN(special); i++) {
		if (strcmp(special[i][0], row->path) == 0) {
			(void)snprintf(out, 256, "%s", special[i][1]);
			return;
		}
	}
	struct buf now;
	buf_init(&now, 256);
	config_value_print(plain, row, true, &now);
	uint64_t n = row->min ? row->min : 1;
	if (row->type == CONFIG_BOOL)
		(void)snprintf(out, 256, "%s", strcmp(buf_cstr(&now), "true") == 0 ? "false" : "true");
	else if (row->type == CONFIG_STR_LIST)
		(void)snprintf(out, 256, "[\"192.0.2.7\"]");
	else if (row->type == CONFIG_STR || row->type == CONFIG_SECRET)
		(void)snprintf(out, 256, "another");
	else
		(void)snprintf(out, 256, "%llu%s", (unsigned long long)(n + 3),
			row->type == CONFIG_DURATION ? "us" : "");
	buf_free(&now);
}

static void every_key_has_an_effect(void **st)
{
	(void)st;
	struct config *plain = load(NULL, NULL);
	struct turn_settings *s = make(plain, 2);
	char *before = text_of(s), value[256];
	size_t n = 0;
	turn_settings_unref(s);
	for (size_t i = 0; i < config_rows_n; i++) {
		const struct config_row *row = &config_rows[i];
		if (strncmp(row->path, "turn.", 5) != 0 || row->alias_of || is_elsewhere(row->path))
			continue;
		other_value(plain, row, value);
		struct config *cfg = load(row->path, value);
		s = make(cfg, 2);
		char *after = text_of(s);
		if (strcmp(before, after) == 0)
			fail_msg("%s=%s has no effect", row->path, value);
		n++;
		xfree(after);
		turn_settings_unref(s);
		config_free(cfg);
	}
	assert_true(n > 60);
	xfree(before);
	config_free(plain);
}

/* ------------------------------------------------------------------ what several keys decide */

static const struct turnd_listen *at_port(const struct turn_settings *s, uint16_t port)
{
	for (size_t i = 0; i < s->turnd.n_listen; i++)
		if (addr_port(&s->turnd.listen[i].at) == port)
			return &s->turnd.listen[i];
	return NULL;
}

static void listeners(void **st)
{
	(void)st;
	struct config *cfg = load(NULL, NULL);
	struct turn_settings *s = make(cfg, 2);
	const struct turnd_listen *l = at_port(s, 13478);
	assert_true(
		l->udp && l->tcp && l->tls && l->dtls && !l->proxy_protocol && !l->is_other_addr);
	l = at_port(s, 15349);
	assert_true(!l->udp && !l->tcp && l->tls && l->dtls);
	l = at_port(s, 13480);
	assert_true(!l->udp && l->tcp && l->tls && !l->dtls && l->proxy_protocol);
	/* RFC 5780: the four sockets, of which one is the first listener. */
	unsigned seen[4] = {0};
	for (size_t i = 0; i < s->turnd.n_listen; i++) {
		l = &s->turnd.listen[i];
		if (l->udp)
			seen[l->is_other_addr + 2 * l->is_other_port]++;
	}
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(seen[i], 1);
	assert_int_equal(addr_port(&s->turnd.turn.other_address[1]), 3479);
	turn_settings_unref(s);
	config_free(cfg);

	cfg = load("turn.external_tls", "true");
	s = make(cfg, 2);
	l = at_port(s, 15349);
	assert_true(l->tcp && !l->tls);
	turn_settings_unref(s);
	config_free(cfg);
}

static void too_few_ports(void **st)
{
	(void)st;
	static const uint8_t nonce_key[TURN_NONCE_KEY_LEN];
	const struct turn_surroundings around = {8, NULL, 0, nonce_key};
	struct config *cfg = load("turn.relay_range_end", "30010");
	struct turn_settings *s = NULL;
	struct errbuf eb = {""};
	assert_int_equal(turn_settings_new(&s, cfg, &around, &eb), -ERR_CONFIG);
	assert_non_null(strstr(eb.text, "11 ports are too few for 8 media threads"));
	config_free(cfg);
}

static struct config *defaults(void)
{
	struct config_source src = {0};
	struct config *cfg = NULL;
	struct errbuf eb = {""};
	if (config_load(&src, &cfg, &eb))
		fail_msg("%s", eb.text);
	return cfg;
}

/* Whoever changes his port comes to another worker: all of them together keep to what is configured. */
static void limits_of_an_address_are_shared_out(void **st)
{
	(void)st;
	struct config *cfg = defaults();
	struct turn_settings *one = make(cfg, 1), *eight = make(cfg, 8);
	const struct turn_cfg *a = &one->turnd.turn, *b = &eight->turnd.turn;
	assert_int_equal(a->unauthenticated_bytes_per_s, cfg->turn.unauthenticated_bytes_per_s);
	assert_int_equal(a->auth_failures_per_address, cfg->turn.auth_failures_per_address);
	assert_int_equal(b->unauthenticated_bytes_per_s * 8, cfg->turn.unauthenticated_bytes_per_s);
	assert_in_range(b->auth_failures_per_address * 8, 8, cfg->turn.auth_failures_per_address);
	turn_settings_unref(eight);
	/* Never none at all, and 0 is no limit still. */
	cfg->turn.auth_failures_per_address = 2;
	cfg->turn.unauthenticated_bytes_per_s = 0;
	eight = make(cfg, 8);
	assert_int_equal(eight->turnd.turn.auth_failures_per_address, 2);
	assert_int_equal(eight->turnd.turn.unauthenticated_bytes_per_s, 0);
	turn_settings_unref(eight);
	turn_settings_unref(one);
	config_free(cfg);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_key_has_an_effect),
		cmocka_unit_test(listeners),
		cmocka_unit_test(too_few_ports),
		cmocka_unit_test(limits_of_an_address_are_shared_out),
	};
	return cmocka_run_group_tests(tests, make_files, remove_files);
}
