/* What only several values together, or a file, can tell about a configuration. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "config/config_internal.h"
#include "config/scalar.h"

static int check_logging(struct config_loader *l)
{
	struct config_logging *log = &l->cfg->logging;
	if (!log->json)
		return 0;
	if (config_is_set(l, "logging.format") && log->format != LOG_FORMAT_JSON) {
		const struct config_where w = config_origin_of(l, "logging.format");
		return config_fail(l->eb, &w, "logfmt and logging.json: true exclude each other; remove one");
	}
	log->format = LOG_FORMAT_JSON;
	return 0;
}

static struct config_pair *find_key(const struct config *cfg, struct slice key)
{
	for (size_t i = 0; i < cfg->keys.n; i++)
		if (slice_eq_str(key, cfg->keys.pair[i].key))
			return &cfg->keys.pair[i];
	return NULL;
}

/* Takes both strings. A key that is there already gets the new secret. */
static void put_key(struct config *cfg, char *key, char *secret)
{
	struct config_pair *pair = find_key(cfg, slice_str(key));
	if (pair) {
		secret_wipe(pair->value, strlen(pair->value));
		xfree(pair->key);
		xfree(pair->value);
	} else {
		cfg->keys.pair =
			xrealloc(cfg->keys.pair, (cfg->keys.n + 1) * sizeof *cfg->keys.pair);
		pair = &cfg->keys.pair[cfg->keys.n++];
	}
	*pair = (struct config_pair){key, secret};
}

static int read_key_file(struct config_loader *l)
{
	const char *path = l->cfg->key_file;
	if (!*path)
		return 0;
	const struct config_where w = config_origin_of(l, "key_file");
	struct buf text;
	int err = config_file_read(&w, path, true, &text, l->eb);
	if (err)
		return err;
	const struct config_where in_file = {path, 0, NULL};
	const struct config_row *row = config_row_find("keys");
	struct config found = {0};
	struct config_node root;
	err = config_yaml_read(&root, buf_slice(&text), path, l->eb);
	if (!err) {
		err = config_value_set(&found, row, &root, &in_file, l->eb);
		config_node_free(&root);
	}
	for (size_t i = 0; i < found.keys.n && !err; i++)
		put_key(l->cfg, xstrdup(found.keys.pair[i].key), xstrdup(found.keys.pair[i].value));
	config_value_free(&found, row);
	if (text.n)
		secret_wipe(text.p, text.n);
	buf_free(&text);
	return err;
}

static int check_keys(struct config_loader *l)
{
	struct config *cfg = l->cfg;
	int err = read_key_file(l);
	if (err)
		return err;
	const struct config_where w = config_origin_of(l, "keys");
	if (cfg->development && !cfg->keys.n) {
		put_key(cfg, xstrdup("devkey"), xstrdup("secret"));
		config_warn(l, &w, "development mode: anybody may join with the key devkey and the secret secret");
		return 0;
	}
	for (size_t i = 0; i < cfg->keys.n; i++) {
		char quoted[CONFIG_QUOTE_CAP];
		if (strlen(cfg->keys.pair[i].value) < CONFIG_SECRET_MIN)
			config_warn(l, &w, "the secret of %s is shorter than %d characters and can be guessed",
				config_quote(cfg->keys.pair[i].key, quoted), CONFIG_SECRET_MIN);
	}
	return 0;
}

static int check_ports(struct config_loader *l)
{
	const struct config_rtc *rtc = &l->cfg->rtc;
	unsigned ports = rtc->udp_port.last - rtc->udp_port.first + 1u;
	bool is_range = ports > 1;
	if (!is_range)
		ports = UINT16_MAX - rtc->udp_port.first + 1u;
	if (rtc->workers <= ports)
		return 0;
	const struct config_where w = config_origin_of(l, "rtc.workers");
	return config_fail(l->eb, &w,
		"%u media threads need as many UDP ports, but rtc.udp_port has %u %s", rtc->workers,
		ports, is_range ? "in its range" : "from its port up");
}

static int check_metrics(struct config_loader *l)
{
	const struct config *cfg = l->cfg;
	bool has_name = *cfg->prometheus_username, has_password = *cfg->prometheus_password;
	const struct config_where w = config_origin_of(l, has_name ? "prometheus.username" : "prometheus.password");
	if (has_name != has_password)
		return config_fail(l->eb, &w, "prometheus.username and prometheus.password need each other");
	const struct config_where at = config_origin_of(l, "prometheus.port");
	if (cfg->prometheus_port && cfg->prometheus_port == cfg->port)
		return config_fail(l->eb, &at,
			"%u is the port of all else; remove it to have /metrics there", cfg->port);
	return 0;
}

static bool is_host_port(const char *text)
{
	const char *colon = strrchr(text, ':');
	struct config_ports port;
	return colon && colon != text && !strchr(colon, '-') &&
	       config_parse_ports(colon + 1, &port);
}

static int check_stun(struct config_loader *l)
{
	const struct config_list *list = &l->cfg->rtc.stun_servers;
	const struct config_where w = config_origin_of(l, "rtc.stun_servers");
	for (size_t i = 0; i < list->n; i++) {
		char quoted[CONFIG_QUOTE_CAP];
		if (!is_host_port(list->str[i]))
			return config_fail(l->eb, &w, "%s is not a server; use one such as stun.example.com:3478",
				config_quote(list->str[i], quoted));
	}
	return 0;
}

static int read_turn_secret(
	struct config_loader *l, struct config_turn_server *t, const struct config_where *w)
{
	if (!*t->secret_file || *t->secret)
		return 0;
	struct buf text;
	int err = config_file_read(w, t->secret_file, true, &text, l->eb);
	if (err)
		return err;
	const char *p = buf_cstr(&text);
	size_t n = strcspn(p, "\r\n");
	xfree(t->secret);
	t->secret = xstrndup(p, n);
	if (text.n)
		secret_wipe(text.p, text.n);
	buf_free(&text);
	return n ? 0 : config_fail(l->eb, w, "%s is empty", t->secret_file);
}

static int check_turn(struct config_loader *l)
{
	const struct config_list *list = &l->cfg->rtc.turn_servers;
	const struct config_where w = config_origin_of(l, "rtc.turn_servers");
	for (size_t i = 0; i < list->n; i++) {
		struct config_turn_server *t = &list->turn[i];
		int err = read_turn_secret(l, t, &w);
		if (err)
			return err;
		bool has_user = *t->username && *t->credential;
		char quoted[CONFIG_QUOTE_CAP];
		if (!has_user && !*t->secret)
			config_warn(l, &w, "%s has neither username and credential nor a secret",
				config_quote(t->host, quoted));
	}
	return 0;
}

bool config_has_webrtc_turn(const struct config *cfg)
{
	const struct config_webrtc *w = &cfg->webrtc;
	return w->turn_urls.n && *w->turn_username && *w->turn_credential;
}

/* One URL that a browser does not take, and it takes none of the list. */
static int check_ice_urls(struct config_loader *l, const char *path, const struct config_list *urls,
	const char *const schemes[2])
{
	const struct config_where w = config_origin_of(l, path);
	for (size_t i = 0; i < urls->n; i++) {
		const char *url = urls->str[i], *colon = strchr(url, ':');
		bool is_good = false;
		for (int k = 0; k < 2 && colon; k++)
			is_good |= strncmp(url, schemes[k], strlen(schemes[k])) == 0;
		is_good = is_good && colon[1] && !strpbrk(url, " \t\"\\<>") && utf8_is_text(slice_str(url));
		char quoted[CONFIG_QUOTE_CAP];
		if (!is_good)
			return config_fail(l->eb, &w,
				"%s is not a URL of that kind; use one such as %sexample.com:3478",
				config_quote(url, quoted), schemes[0]);
	}
	return 0;
}

static int check_webrtc(struct config_loader *l)
{
	static const char *const stun[] = {"stun:", "stuns:"}, *const turn[] = {"turn:", "turns:"};
	const struct config_webrtc *webrtc = &l->cfg->webrtc;
	int err = check_ice_urls(l, "webrtc.stun_urls", &webrtc->stun_urls, stun);
	if (!err)
		err = check_ice_urls(l, "webrtc.turn_urls", &webrtc->turn_urls, turn);
	const struct config_where at = config_origin_of(l, "webrtc.turn_username");
	if (!err && !(utf8_is_text(slice_str(webrtc->turn_username)) &&
			    utf8_is_text(slice_str(webrtc->turn_credential))))
		err = config_fail(l->eb, &at, "user name and credential must be UTF-8");
	bool has[] = {webrtc->turn_urls.n, *webrtc->turn_username, *webrtc->turn_credential};
	if (err || config_has_webrtc_turn(l->cfg) || !(has[0] || has[1] || has[2]))
		return err;
	const char *const paths[] = {"webrtc.turn_urls", "webrtc.turn_username", "webrtc.turn_credential"};
	const struct config_where w = config_origin_of(l, paths[has[0] ? 0 : has[1] ? 1 : 2]);
	struct buf missing;
	buf_init(&missing, 128);
	for (size_t i = 0; i < ARRAY_LEN(has); i++)
		if (!has[i])
			buf_printf(&missing, "%s%s", missing.n ? " and " : "", paths[i]);
	config_warn(l, &w,
		"half a TURN configuration, browsers are told about STUN only: %s missing",
		buf_cstr(&missing));
	buf_free(&missing);
	return 0;
}

int config_check(struct config_loader *l)
{
	int (*const checks[])(struct config_loader *) = {
		check_logging, check_keys, check_ports, check_metrics, check_stun, check_turn,
		config_check_turn, check_webrtc};
	for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
		int err = checks[i](l);
		if (err)
			return err;
	}
	return 0;
}

int config_require_keys(const struct config *cfg, struct errbuf *eb)
{
	if (cfg->keys.n)
		return 0;
	return err_set(eb, ERR_CONFIG,
		"keys: there is no API key; set keys, key_file or LIVEKIT_KEYS, or use --dev to try things out");
}

const char *config_secret(const struct config *cfg, struct slice key)
{
	const struct config_pair *pair = find_key(cfg, key);
	return pair ? pair->value : NULL;
}

unsigned config_worker_count(const struct config *cfg, unsigned cores)
{
	const struct config_ports *p = &cfg->rtc.udp_port;
	unsigned last = p->last > p->first ? p->last : UINT16_MAX, most = last - p->first + 1;
	unsigned n = cfg->rtc.workers ? cfg->rtc.workers : cores;
	return CLAMP(n, 1u, most);
}

uint16_t config_worker_port(const struct config *cfg, unsigned i)
{
	return (uint16_t)(cfg->rtc.udp_port.first + i);
}

/* ---- reload */

static bool is_value(const struct config_row *row)
{
	return !row->alias_of && row->type != CONFIG_IGNORED && row->type != CONFIG_REFUSED;
}

size_t config_diff_reload(
	const struct config *old, const struct config *fresh, struct config_change *out, size_t cap)
{
	size_t n = 0;
	for (size_t i = 0; i < config_rows_n; i++) {
		const struct config_row *row = &config_rows[i];
		if (!is_value(row) || config_value_eq(old, fresh, row))
			continue;
		if (n < cap)
			out[n] = (struct config_change){row->path, row->flags & ROW_RELOAD};
		n++;
	}
	return n;
}

void config_keep_unreloadable(struct config *fresh, const struct config *old)
{
	for (size_t i = 0; i < config_rows_n; i++) {
		const struct config_row *row = &config_rows[i];
		if (!is_value(row) || (row->flags & ROW_RELOAD) || config_value_eq(old, fresh, row))
			continue;
		/* What prints is what parses: a test holds each row to it. */
		struct config_node root;
		struct buf text;
		buf_init(&text, CONFIG_BYTES_MAX);
		config_value_print(old, row, true, &text);
		int err = config_yaml_read(&root, buf_slice(&text), row->path, NULL);
		if (!err) {
			err = config_value_set(fresh, row, &root, &(struct config_where){0}, NULL);
			config_node_free(&root);
		}
		buf_free(&text);
		(void)err;
	}
}
