#include "config/coturn.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/suggest.h"
#include "config/coturn_internal.h"
#include "config/scalar.h"

enum { LINE_MAX_BYTES = 4096, LABEL_CAP = 512 };

static const struct coturn_option *find(const char *name)
{
	for (size_t i = 0; i < coturn_options_n; i++)
		if (strcmp(coturn_options[i].name, name) == 0)
			return &coturn_options[i];
	return NULL;
}

static const struct coturn_option *find_brief(char letter)
{
	for (size_t i = 0; i < coturn_options_n && letter; i++)
		if (coturn_options[i].brief == letter)
			return &coturn_options[i];
	return NULL;
}

const char *coturn_suggest(const char *name)
{
	struct suggest near;
	suggest_init(&near, name);
	for (size_t i = 0; i < coturn_options_n; i++)
		suggest_add(&near, coturn_options[i].name);
	return near.best;
}

static int fail(const struct coturn_value *v, const char *what)
{
	return err_set(v->eb, ERR_CONFIG, "%s: %s", v->label, what);
}

/* ---- settings */

void coturn_set(struct coturn *c, const char *path, const char *value, const char *label)
{
	config_source_set(c->src, path, value, label);
}

/* YAML's double quotes. */
static void quote(struct buf *out, const char *s)
{
	buf_add_byte(out, '"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			buf_add_byte(out, '\\');
		buf_add_byte(out, (uint8_t)*s);
	}
	buf_add_byte(out, '"');
}

static void set_built(struct coturn *c, const char *path, struct buf *text, const char *label)
{
	coturn_set(c, path, buf_cstr(text), label);
	if (text->n)
		secret_wipe(text->p, text->n);
	buf_free(text);
}

void coturn_add(struct coturn *c, const char *path, const char *value, const char *label)
{
	struct buf text;
	buf_init(&text, 4 * LINE_MAX_BYTES);
	buf_add_byte(&text, '[');
	quote(&text, value);
	buf_add_byte(&text, ']');
	set_built(c, path, &text, label);
}

int coturn_switch(const struct coturn_value *v, bool *on)
{
	*on = true;
	if (!*v->text || strcasecmp(v->text, "on") == 0 || strcasecmp(v->text, "yes") == 0 ||
		strcasecmp(v->text, "y") == 0 || strcasecmp(v->text, "t") == 0)
		return 0;
	if (strcasecmp(v->text, "off") == 0 || strcasecmp(v->text, "no") == 0 || strcasecmp(v->text, "n") == 0 ||
		strcasecmp(v->text, "f") == 0) {
		*on = false;
		return 0;
	}
	return config_parse_bool(v->text, on) ? 0 : fail(v, "this is a switch; use yes or no behind it, or nothing");
}

/* ---- what rows call */

int coturn_call_text(struct coturn *c, const struct coturn_option *o, const struct coturn_value *v)
{
	char **at = (char **)(void *)((char *)c + o->at);
	xfree(*at);
	*at = xstrdup(v->text);
	return 0;
}

int coturn_call_flag(struct coturn *c, const struct coturn_option *o, const struct coturn_value *v)
{
	return coturn_switch(v, (bool *)((char *)c + o->at));
}

/* A key like any other, which others ask about. */
int coturn_call_seen(struct coturn *c, const struct coturn_option *o, const struct coturn_value *v)
{
	*(bool *)((char *)c + o->at) = true;
	coturn_set(c, o->path, v->text, v->label);
	return 0;
}

int coturn_call_user(struct coturn *c, const struct coturn_option *o, const struct coturn_value *v)
{
	const char *colon = strchr(v->text, ':');
	if (!colon || colon == v->text || !colon[1])
		return fail(v, "a user is name:password or name:0xkey");
	struct buf text;
	buf_init(&text, 4 * LINE_MAX_BYTES);
	char *name = xstrndup(v->text, (size_t)(colon - v->text));
	buf_add_byte(&text, '{');
	quote(&text, name);
	buf_add_str(&text, ": ");
	quote(&text, colon + 1);
	buf_add_byte(&text, '}');
	xfree(name);
	set_built(c, o->path, &text, v->label);
	return 0;
}

int coturn_call_secret(
	struct coturn *c, const struct coturn_option *o, const struct coturn_value *v)
{
	if (!*v->text)
		return fail(v, "the secret is missing");
	c->has_secret = true;
	coturn_add(c, o->path, v->text, v->label);
	return 0;
}

int coturn_call_listening_ip(
	struct coturn *c, const struct coturn_option *o, const struct coturn_value *v)
{
	coturn_add(c, o->path, v->text, v->label);
	config_list_add_str(&c->listening_ips, xstrdup(v->text));
	return 0;
}

/* "192.0.2.1:3478" or "[2001:db8::1]:3478" */
int coturn_call_aux(struct coturn *c, const struct coturn_option *o, const struct coturn_value *v)
{
	const char *colon = strrchr(v->text, ':');
	struct addr a;
	struct config_ports port;
	if (!colon || addr_parse_ip(&a, slice_of(v->text, (size_t)(colon - v->text)), 0) != 0 ||
		strchr(colon, '-') || !config_parse_ports(colon + 1, &port))
		return fail(v, "an address with a port is needed, such as 192.0.2.1:3478");
	char ip[ADDR_TEXT_CAP];
	struct buf text;
	buf_init(&text, LINE_MAX_BYTES);
	buf_printf(&text, "[{address: \"%s\", port: %u}]", addr_format_ip(&a, ip), port.first);
	set_built(c, o->path, &text, v->label);
	return 0;
}

int coturn_call_alternate_port(
	struct coturn *c, const struct coturn_option *o, const struct coturn_value *v)
{
	if (strcmp(v->text, "0") == 0)
		return 0; /* coturn's "the next one", which is ours too */
	c->rfc5780 = true;
	coturn_set(c, o->path, v->text, v->label);
	return 0;
}

int coturn_call_nonce(struct coturn *c, const struct coturn_option *o, const struct coturn_value *v)
{
	bool on;
	uint64_t seconds;
	if (config_parse_u64(v->text, &seconds)) {
		coturn_set(c, o->path, v->text, v->label);
		return 0;
	}
	int err = coturn_switch(v, &on);
	if (!err)
		coturn_set(c, o->path, on ? "600" : "0", v->label);
	return err;
}

int coturn_call_metrics_path(
	struct coturn *c, const struct coturn_option *o, const struct coturn_value *v)
{
	(void)c;
	(void)o;
	return strcmp(v->text, "/metrics") == 0
		       ? 0
		       : fail(v, "metrics are at /metrics; change the scraper and remove this");
}

int coturn_call_threads(
	struct coturn *c, const struct coturn_option *o, const struct coturn_value *v)
{
	c->has_threads = true;
	coturn_set(c, o->path, strcmp(v->text, "0") == 0 ? "1" : v->text, v->label);
	return 0;
}

int coturn_call_drain(struct coturn *c, const struct coturn_option *o, const struct coturn_value *v)
{
	uint64_t n;
	(void)o;
	if (!config_parse_u64(v->text, &n) || n > UINT32_MAX)
		return fail(v, "a number of allocations is needed");
	c->process.drain_min_allocations = (uint32_t)n;
	return 0;
}

/* ---- one option */

static int set_switch(struct coturn *c, const struct coturn_option *o, const struct coturn_value *v)
{
	bool on;
	int err = coturn_switch(v, &on);
	const char *text = on ? o->text : o->off;
	if (!err && text)
		coturn_set(c, o->path, text, v->label);
	return err;
}

/* Each option once, however often it stands there. */
static void note(struct coturn *c, const struct coturn_option *o, const struct coturn_value *v)
{
	char line[LABEL_CAP];
	int n = snprintf(line, sizeof line, "%s: ignored: ", o->name);
	for (size_t i = 0; i < c->notes.n; i++)
		if (strncmp(c->notes.str[i], line, (size_t)n) == 0)
			return;
	(void)v;
	config_list_add_str(&c->notes, xasprintf("%s%s", line, o->why));
}

static int refuse(const struct coturn_option *o, const struct coturn_value *v)
{
	bool on = true;
	int err = o->has_value ? 0 : coturn_switch(v, &on);
	if (err || !on)
		return err;
	return err_set(v->eb, ERR_CONFIG, "%s: not possible: %s", v->label, o->why);
}

static int apply(struct coturn *c, const struct coturn_option *o, const struct coturn_value *v)
{
	bool on = true;
	int err = 0;
	switch (o->fate) {
	case COTURN_KEY: coturn_set(c, o->path, v->text, v->label); return 0;
	case COTURN_LIST: coturn_add(c, o->path, v->text, v->label); return 0;
	case COTURN_ON: return set_switch(c, o, v);
	case COTURN_CALL: return o->call(c, o, v);
	case COTURN_REFUSED: return refuse(o, v);
	case COTURN_IGNORED:
		err = o->has_value ? 0 : coturn_switch(v, &on);
		if (!err && on)
			note(c, o, v);
		return err;
	case COTURN_ALWAYS: return 0;
	}
	return 0;
}

/* ---- the file */

static int fail_unknown(const char *label, const char *name, struct errbuf *eb)
{
	char quoted[CONFIG_QUOTE_CAP];
	const char *near = coturn_suggest(name);
	return err_set(eb, ERR_CONFIG, "%s: unknown option %s%s%s%s", label, config_quote(name, quoted),
		near ? "; did you mean " : "; docs/coturn.md lists all", near ? near : "", near ? "?" : "");
}

/* The value behind the key: blanks and one = before it, quotes around it. Cuts it out of `p`, in place. */
static char *value_of(char *p)
{
	p += strspn(p, " \t");
	if (*p == '=')
		p++;
	p += strspn(p, " \t");
	size_t n = strlen(p);
	if (n >= 2 && (*p == '"' || *p == '\'') && p[n - 1] == *p) {
		p[n - 1] = 0;
		p++;
	}
	return p;
}

static int read_line(
	struct coturn *c, char *line, const char *name, size_t number, struct errbuf *eb)
{
	size_t n = strlen(line);
	while (n && isspace((unsigned char)line[n - 1]))
		line[--n] = 0;
	line += strspn(line, " \t\r\f\v");
	if (!*line || *line == '#')
		return 0;
	size_t key_n = strcspn(line, " \t=");
	char *key = xstrndup(line, key_n), label[LABEL_CAP];
	(void)snprintf(label, sizeof label, "%s:%zu", name, number);
	const struct coturn_option *o = find(key[0] == '-' && key[1] == '-' ? key + 2 : key);
	int err = 0;
	if (!o) {
		err = fail_unknown(label, key, eb);
	} else {
		(void)snprintf(label, sizeof label, "%s:%zu: %s", name, number, o->name);
		struct coturn_value v = {value_of(line + key_n), label, eb};
		err = o->has_value && !*v.text && o->fate != COTURN_IGNORED ? fail(&v, "a value is missing behind it")
									      : apply(c, o, &v);
	}
	xfree(key);
	return err;
}

int coturn_read(struct coturn *c, struct slice text, const char *name, struct errbuf *eb)
{
	char line[LINE_MAX_BYTES];
	int err = 0;
	size_t number = 1;
	for (size_t at = 0; at < text.n && !err; number++) {
		const uint8_t *from = text.p + at, *end = memchr(from, '\n', text.n - at);
		size_t n = end ? (size_t)(end - from) : text.n - at;
		at += n + 1;
		if (n >= sizeof line)
			err = err_set(eb, ERR_CONFIG, "%s:%zu: a line has %zu bytes at most", name,
				number, sizeof line - 1);
		else if (memchr(from, 0, n))
			err = err_set(eb, ERR_CONFIG, "%s:%zu: there is a NUL byte in this line", name, number);
		if (err)
			break;
		memcpy(line, from, n);
		line[n] = 0;
		err = read_line(c, line, name, number, eb);
	}
	secret_wipe(line, sizeof line);
	return err;
}

int coturn_read_file(struct coturn *c, const char *path, struct errbuf *eb)
{
	struct buf text;
	int err = config_file_read(&(struct config_where){0}, path, false, &text, eb);
	if (err)
		return err;
	c->has_file = true;
	err = coturn_read(c, buf_slice(&text), path, eb);
	if (text.n)
		secret_wipe(text.p, text.n);
	buf_free(&text);
	return err;
}

/* ---- the command line */

static int take(struct coturn *c, const struct coturn_option *o, const char *label,
	const char *text, struct errbuf *eb)
{
	const struct coturn_value v = {text ? text : "", label, eb};
	if (o->has_value && !text)
		return fail(&v, "a value is missing behind it");
	return apply(c, o, &v);
}

/* "-abc", "-pPORT", "-p PORT" */
static int take_letters(
	struct coturn *c, const char *letters, const char *next, bool *used_next, struct errbuf *eb)
{
	for (const char *p = letters; *p; p++) {
		const struct coturn_option *o = find_brief(*p);
		if (!o && *p != 'n')
			return -ERR_NOT_FOUND;
		if (o && o->has_value)
			break; /* what follows is its value */
	}
	for (; *letters; letters++) {
		const struct coturn_option *o = find_brief(*letters);
		if (!o)
			continue; /* -n: no configuration file but the one that is named */
		const char label[] = {'-', *letters, 0};
		bool is_last = !letters[1];
		*used_next = o->has_value && is_last && next;
		int err = take(c, o, label,
			!o->has_value ? NULL
			: is_last     ? next
				      : letters + 1,
			eb);
		if (err || o->has_value)
			return err;
	}
	return 0;
}

int coturn_argument(
	struct coturn *c, const char *arg, const char *next, bool *used_next, struct errbuf *eb)
{
	*used_next = false;
	if (arg[0] != '-' || !arg[1])
		return -ERR_NOT_FOUND;
	if (arg[1] != '-')
		return take_letters(c, arg + 1, next, used_next, eb);
	char name[64], label[72];
	size_t n = strcspn(arg + 2, "=");
	if (n >= sizeof name)
		return -ERR_NOT_FOUND;
	memcpy(name, arg + 2, n);
	name[n] = 0;
	const struct coturn_option *o = find(name);
	if (!o)
		return -ERR_NOT_FOUND;
	(void)snprintf(label, sizeof label, "--%s", name);
	const char *value = arg[2 + n] ? arg + 2 + n + 1 : NULL;
	if (!value && o->has_value) {
		value = next;
		*used_next = next;
	}
	return take(c, o, label, value, eb);
}

/* ---- what several decide together */

/* RFC 5780 wants two addresses of one family: the second is the other one. */
static void settle_discovery(struct coturn *c)
{
	struct addr first, other;
	if (!c->rfc5780 || c->no_rfc5780)
		return;
	for (size_t i = 1; i < c->listening_ips.n; i++) {
		if (addr_parse_ip(&first, slice_str(c->listening_ips.str[0]), 0) != 0 ||
			addr_parse_ip(&other, slice_str(c->listening_ips.str[i]), 0) != 0 ||
			first.sa.sa_family != other.sa.sa_family)
			continue;
		coturn_set(c, "turn.other_address", c->listening_ips.str[i], "listening-ip");
		return;
	}
	config_list_add_str(&c->notes,
		xstrdup("rfc5780: NAT behaviour discovery needs two listening-ip of one family; it is off"));
}

static void settle_names(struct coturn *c)
{
	if (c->realm)
		coturn_set(c, "turn.realm", c->realm, "realm");
	if (c->oauth && !c->has_server_name)
		coturn_set(c, "turn.oauth_server_name", c->realm ? c->realm : "livekit", "oauth");
	if (!c->oauth && c->has_server_name)
		coturn_set(c, "turn.oauth_server_name", "", "server-name");
}

int coturn_finish(struct coturn *c, struct errbuf *eb)
{
	if (c->use_auth_secret && !c->has_secret && !c->has_userdb)
		return err_set(eb, ERR_CONFIG,
			"use-auth-secret: there is no secret; set static-auth-secret or a database that holds it");
	if (c->has_file && !c->has_min_port)
		coturn_set(c, "turn.relay_range_start", "49152", "min-port");
	if (c->has_file && !c->has_max_port)
		coturn_set(c, "turn.relay_range_end", "65535", "max-port");
	if (c->prometheus)
		coturn_set(c, "prometheus.port", c->prometheus_port ? c->prometheus_port : "9641",
			c->prometheus_port ? "prometheus-port" : "prometheus");
	if (c->cpus && !c->has_threads)
		coturn_set(c, "rtc.workers", c->cpus, "cpus");
	settle_names(c);
	settle_discovery(c);
	return 0;
}

void coturn_free(struct coturn *c)
{
	char **const texts[] = {&c->process.pid_file, &c->process.user, &c->process.group,
		&c->process.log_file, &c->process.syslog_facility, &c->realm, &c->prometheus_port,
		&c->cpus};
	struct config_list *const lists[] = {&c->notes, &c->listening_ips};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		xfree(*texts[i]);
		*texts[i] = NULL;
	}
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		for (size_t j = 0; j < lists[i]->n; j++)
			xfree(lists[i]->str[j]);
		xfree(lists[i]->v);
		*lists[i] = (struct config_list){0};
	}
}

/* ---- docs */

static const char *fate_text(const struct coturn_option *o)
{
	static const char *const texts[] = {
		[COTURN_KEY] = "works",
		[COTURN_LIST] = "works",
		[COTURN_ON] = "works",
		[COTURN_CALL] = "works",
		[COTURN_ALWAYS] = "always so",
		[COTURN_IGNORED] = "ignored",
		[COTURN_REFUSED] = "refused",
	};
	return texts[o->fate];
}

void coturn_print_docs(struct buf *out)
{
	buf_add_str(out, "| Option | | Key | |\n|---|---|---|---|\n");
	for (size_t i = 0; i < coturn_options_n; i++) {
		const struct coturn_option *o = &coturn_options[i];
		buf_printf(out, "| `%s`", o->name);
		if (o->brief)
			buf_printf(out, ", `-%c`", o->brief);
		buf_printf(out, " | %s | ", fate_text(o));
		if (o->path)
			buf_printf(out, "`%s`", o->path);
		buf_printf(out, " | %s |\n", o->why);
	}
}
