#include "app/turn_sessions.h"

#include <errno.h>
#include <jansson.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "auth/token.h"
#include "base/clock.h"
#include "base/mem.h"
#include "config/scalar.h"

enum { ANSWER_MAX = 32 << 20, TOKEN_TTL_S = 60, TIMEOUT_S = 10, HOST_CAP = 256 };

struct request {
	const char *url, *user, *limit;
	bool json;
	/* of the URL */
	char host[HOST_CAP], port[8];
};

/* ------------------------------------------------------------------ options */

static int set_text(const struct args_option *o, void *arg, const char *value, struct errbuf *eb)
{
	(void)eb;
	*(const char **)(void *)((char *)arg + o->at) = value;
	return 0;
}

static int set_bool(const struct args_option *o, void *arg, const char *value, struct errbuf *eb)
{
	if (config_parse_bool(value, (bool *)((char *)arg + o->at)))
		return 0;
	return err_set(eb, ERR_CONFIG, "--%s: use --%s=true or --%s=false", o->name, o->name, o->name);
}

#define R(member) offsetof(struct request, member)

static const struct args_option options[] = {
	{"url", "URL", "the running server (http://127.0.0.1 and the port of the configuration)", set_text, R(url)},
	{"user", "NAME", "list: sessions of this user only", set_text, R(user)},
	{"limit", "N", "list: at most so many, 1 to 1000 (100)", set_text, R(limit)},
	{"json", NULL, "print JSON", set_bool, R(json)},
};

/* "http://host:port", the host perhaps in brackets. */
static int parse_url(struct request *r, const struct config *cfg, struct errbuf *eb)
{
	static const char scheme[] = "http://";
	(void)snprintf(r->port, sizeof r->port, "%u", r->url ? 80 : cfg->port);
	(void)snprintf(r->host, sizeof r->host, "127.0.0.1");
	if (!r->url)
		return 0;
	const char *host = r->url + sizeof scheme - 1;
	if (strncmp(r->url, scheme, sizeof scheme - 1) != 0)
		return err_set(eb, ERR_CONFIG,
			"--url: \"%.64s\" is not possible; use http://HOST:PORT, on the server's "
			"own machine "
			"or through a tunnel",
			r->url);
	size_t all = strcspn(host, "/"), n = *host == '[' ? strcspn(host, "]") : strcspn(host, ":/");
	size_t skip = *host == '[';
	const char *rest = host + n + skip;
	struct config_ports port;
	if (n <= skip || n - skip >= sizeof r->host || n + skip > all ||
		(host[all] && host[all + 1]))
		return err_set(eb, ERR_CONFIG, "--url: \"%.64s\" is not http://HOST:PORT", r->url);
	(void)snprintf(r->host, sizeof r->host, "%.*s", (int)(n - skip), host + skip);
	if (*rest == ':') {
		(void)snprintf(r->port, sizeof r->port, "%.*s",
			(int)MIN((size_t)(host + all - rest - 1), sizeof r->port), rest + 1);
		if (!config_parse_ports(r->port, &port) || port.first != port.last)
			return err_set(eb, ERR_CONFIG, "--url: \"%.64s\" has no good port", r->url);
	}
	return 0;
}

/* ------------------------------------------------------------------ HTTP */

static int dial(const struct request *r, int *out, struct errbuf *eb)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *list = NULL;
	int err = getaddrinfo(r->host, r->port, &hints, &list), why = 0;
	if (err)
		return err_set(eb, ERR_NOT_FOUND, "cannot find %s: %s", r->host, gai_strerror(err));
	*out = -1;
	for (const struct addrinfo *a = list; a && *out < 0; a = a->ai_next) {
		const struct timeval wait = {.tv_sec = TIMEOUT_S};
		int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd < 0) {
			why = errno;
			continue;
		}
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
		if (connect(fd, a->ai_addr, a->ai_addrlen) == 0) {
			*out = fd;
			continue;
		}
		why = errno;
		close(fd);
	}
	freeaddrinfo(list);
	return *out >= 0 ? 0
			 : err_set(eb, ERR_SYSTEM, "cannot connect to %s port %s: %s", r->host,
				   r->port, strerror(why));
}

static int exchange(int fd, struct buf *request, struct buf *answer, struct errbuf *eb)
{
	for (size_t at = 0; at < request->n;) {
		ssize_t n = send(fd, request->p + at, request->n - at, MSG_NOSIGNAL);
		if (n <= 0)
			return err_set(eb, ERR_SYSTEM, "cannot send the request: %s", strerror(errno));
		at += (size_t)n;
	}
	char chunk[16384];
	for (ssize_t n; (n = recv(fd, chunk, sizeof chunk, 0)) != 0;) {
		if (n < 0)
			return err_set(eb, ERR_SYSTEM, "no answer: %s", strerror(errno));
		buf_add(answer, chunk, (size_t)n);
	}
	return answer->full ? err_set(eb, ERR_TOO_LARGE, "the answer is too long; use --limit") : 0;
}

/* The status, and the body in *body (borrowed from answer). */
static int parse_answer(struct buf *answer, int *status, const char **body, struct errbuf *eb)
{
	const char *text = buf_cstr(answer), *end = strstr(text, "\r\n\r\n");
	if (!end || sscanf(text, "HTTP/1.%*d %d", status) != 1)
		return err_set(eb, ERR_MALFORMED, "the answer is no HTTP; is this the port of a Sterna server?");
	*body = end + 4;
	return 0;
}

static int mint(const struct config *cfg, char **token, struct errbuf *eb)
{
	if (!cfg->keys.n)
		return err_set(eb, ERR_CONFIG,
			"keys: there is no API key to sign with; give the configuration of the "
			"running server");
	struct auth_keys *keys = auth_keys_new();
	struct grants g = {.identity = (char[]){"sterna turn sessions"}, .turn_admin = true};
	const struct config_pair *pair = &cfg->keys.pair[0];
	int err = auth_keys_add(keys, slice_str(pair->key), slice_str(pair->value), eb);
	if (!err &&
		auth_mint(keys, pair->key, &g, TOKEN_TTL_S, clock_wall_us() / US_PER_S, token) != 0)
		err = err_set(eb, ERR_CONFIG, "the token cannot be made");
	auth_keys_unref(keys);
	return err;
}

static int ask(struct request *r, const struct config *cfg, const char *method, const char *path,
	struct buf *answer, struct errbuf *eb)
{
	char *token = NULL;
	int fd = -1;
	struct buf out;
	int err = parse_url(r, cfg, eb);
	if (!err)
		err = mint(cfg, &token, eb);
	if (!err)
		err = dial(r, &fd, eb);
	if (!err) {
		bool is_v6 = strchr(r->host, ':');
		buf_init(&out, AUTH_TOKEN_MAX + 8192);
		buf_printf(&out,
			"%s %s HTTP/1.1\r\nHost: %s%s%s:%s\r\nAuthorization: Bearer "
			"%s\r\nConnection: close\r\n\r\n",
			method, path, is_v6 ? "[" : "", r->host, is_v6 ? "]" : "", r->port, token);
		err = exchange(fd, &out, answer, eb);
		buf_free(&out);
		close(fd);
	}
	if (token)
		secret_wipe(token, strlen(token));
	xfree(token);
	return err;
}

/* ------------------------------------------------------------------ list and close */

static void add_escaped(struct buf *out, const char *s)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;
		if ((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'))
			buf_add_byte(out, c);
		else
			buf_printf(out, "%%%02X", c);
	}
}

/* What came from clients stays on its line, and moves no cursor. */
static void add_plain(struct buf *out, const char *s)
{
	for (; s && *s; s++)
		buf_add_byte(out, (unsigned char)*s < ' ' || *s == 0x7f ? '?' : (uint8_t)*s);
}

static int print_table(const char *body, struct buf *out, struct errbuf *eb)
{
	json_error_t bad;
	json_t *o = json_loads(body, 0, &bad), *list = json_object_get(o, "sessions"), *s;
	size_t i;
	if (!json_is_array(list)) {
		json_decref(o);
		return err_set(eb, ERR_MALFORMED, "the answer is not a list of sessions");
	}
	buf_add_str(out, "ID\tTRANSPORT\tCLIENT\tRELAYED\tAGE\tIN\tOUT\tUSER\n");
	json_array_foreach(list, i, s) {
		const char *const texts[] = {"id", "transport", "client", "relayed"};
		for (size_t k = 0; k < ARRAY_LEN(texts); k++) {
			add_plain(out, json_string_value(json_object_get(s, texts[k])));
			buf_add_byte(out, '\t');
		}
		const char *const numbers[] = {"ageSeconds", "bytesIn", "bytesOut"};
		for (size_t k = 0; k < ARRAY_LEN(numbers); k++)
			buf_printf(out, "%lld\t", (long long)json_integer_value(json_object_get(s, numbers[k])));
		add_plain(out, json_string_value(json_object_get(s, "user")));
		buf_add_byte(out, '\n');
	}
	if (json_is_true(json_object_get(o, "truncated")))
		(void)fprintf(stderr, "there may be more; see --limit and --user\n");
	if (json_is_true(json_object_get(o, "incomplete")))
		(void)fprintf(stderr, "not all media threads answered in time\n");
	json_decref(o);
	return 0;
}

static int fail_status(int status, struct errbuf *eb)
{
	const char *text = status == 401   ? "the server does not know the API key of this configuration"
			   : status == 404 ? "there is no such session, or no TURN server"
			   : status == 503 || status == 504 ? "the server is busy; try again"
							    : "the server refuses";
	return err_set(eb, ERR_DENIED, "%s (HTTP %d)", text, status);
}

static int perform(struct request *r, const struct config *cfg, const char *id, struct buf *out,
	struct errbuf *eb)
{
	struct buf path, answer;
	const char *body = NULL;
	int status = 0;
	buf_init(&path, 8192);
	buf_init(&answer, ANSWER_MAX);
	buf_add_str(&path, "/api/v1/turn/sessions");
	if (id) {
		buf_add_byte(&path, '/');
		add_escaped(&path, id);
	} else {
		buf_add_str(&path, "?limit=");
		add_escaped(&path, r->limit ? r->limit : "100");
		buf_add_str(&path, "&user=");
		add_escaped(&path, r->user ? r->user : "");
	}
	int err = ask(r, cfg, id ? "DELETE" : "GET", buf_cstr(&path), &answer, eb);
	if (!err)
		err = parse_answer(&answer, &status, &body, eb);
	if (!err && status / 100 != 2)
		err = fail_status(status, eb);
	if (!err && !id && r->json)
		buf_printf(out, "%s\n", body);
	else if (!err && !id)
		err = print_table(body, out, eb);
	buf_free(&path);
	buf_free(&answer);
	return err;
}

static int run(struct args *a, struct request *r)
{
	struct errbuf eb;
	struct config *cfg = NULL;
	struct buf out;
	bool is_close = a->words_n && strcmp(a->words[0], "close") == 0;
	bool is_list = !a->words_n || strcmp(a->words[0], "list") == 0;
	if ((!is_close && !is_list) || (is_list && a->words_n > 1) ||
		(is_close && a->words_n != 2)) {
		(void)err_set(&eb, ERR_CONFIG, "write sterna turn sessions list, or sterna turn sessions close ID");
		return app_fail(APP_USAGE, &eb);
	}
	int code = app_load(a, &cfg);
	if (code)
		return code;
	buf_init(&out, ANSWER_MAX);
	int err = perform(r, cfg, is_close ? a->words[1] : NULL, &out, &eb);
	code = err ? app_fail(err == -ERR_CONFIG ? APP_USAGE : APP_FAILED, &eb) : app_output(&out);
	buf_free(&out);
	config_free(cfg);
	return code;
}

int turn_sessions(const struct app_command *self, size_t argc, char *const *argv)
{
	struct request r = {0};
	const struct args_spec spec = {options, ARRAY_LEN(options), true, 2, &r};
	struct args a = {0};
	struct errbuf eb;
	int code;
	if (args_parse(&a, &spec, argc, argv, &eb))
		code = app_fail(APP_USAGE, &eb);
	else if (a.wants_help)
		code = app_help(self, &spec, NULL);
	else
		code = run(&a, &r);
	config_source_free(&a.src);
	return code;
}
