#include "base/log.h"

#include <pthread.h>
#include <stdio.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"

enum { LINE_CAP = 4096 };

enum log_level log_threshold = LOG_LEVEL_INFO;
static enum log_format log_format = LOG_FORMAT_LOGFMT;
static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static void (*log_sink)(enum log_level level, const char *line);

static const char *const level_names[] = {"debug", "info", "warn", "error", "off"};

struct line {
	char text[LINE_CAP];
	size_t n;
};

static void put(struct line *l, const char *s, size_t n)
{
	size_t room = sizeof l->text - 2 - l->n;
	n = MIN(n, room);
	memcpy(l->text + l->n, s, n);
	l->n += n;
}

static void put_str(struct line *l, const char *s)
{
	put(l, s, strlen(s));
}

static bool needs_quotes(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] == '"' || s.p[i] == '=' || s.p[i] == '\\' || s.p[i] >= 0x7f)
			return true;
	return s.n == 0;
}

/* Foreign bytes cannot forge a line or a terminal sequence: controls are escaped. */
static void put_quoted(struct line *l, struct slice s)
{
	put(l, "\"", 1);
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i];
		char esc[8];
		if (c == '"' || c == '\\') {
			snprintf(esc, sizeof esc, "\\%c", c);
			put_str(l, esc);
		} else if (c < ' ' || c == 0x7f) {
			snprintf(esc, sizeof esc, "\\u%04x", c);
			put_str(l, esc);
		} else {
			put(l, (const char *)&s.p[i], 1);
		}
	}
	put(l, "\"", 1);
}

static void put_value(struct line *l, const struct log_field *f, bool json)
{
	char text[ADDR_TEXT_CAP];
	struct slice s = {0};
	switch (f->kind) {
	case LOG_FIELD_INT:
		snprintf(text, sizeof text, "%lld", (long long)f->i);
		put_str(l, text);
		return;
	case LOG_FIELD_UINT:
		snprintf(text, sizeof text, "%llu", (unsigned long long)f->u);
		put_str(l, text);
		return;
	case LOG_FIELD_BOOL: put_str(l, f->u ? "true" : "false"); return;
	case LOG_FIELD_ADDR: s = slice_str(addr_format(f->addr, text)); break;
	case LOG_FIELD_ERR: s = slice_str(err_text((int)f->i)); break;
	case LOG_FIELD_STR: s = f->str; break;
	}
	if (json || needs_quotes(s))
		put_quoted(l, s);
	else
		put(l, (const char *)s.p, s.n);
}

static void put_field(struct line *l, const struct log_field *f, bool json)
{
	if (json) {
		put(l, ",", 1);
		put_quoted(l, slice_str(f->key));
		put(l, ":", 1);
	} else {
		put(l, " ", 1);
		put_str(l, f->key);
		put(l, "=", 1);
	}
	put_value(l, f, json);
}

static void put_time(struct line *l)
{
	uint64_t us = clock_wall_us();
	time_t s = (time_t)(us / US_PER_S);
	struct tm tm;
	gmtime_r(&s, &tm);
	char text[40];
	size_t n = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + n, sizeof text - n, ".%03uZ", (unsigned)(us % US_PER_S / 1000));
	put_str(l, text);
}

void log_write(enum log_level level, const char *event, const struct log_field *fields, size_t n)
{
	bool json = __atomic_load_n(&log_format, __ATOMIC_RELAXED) == LOG_FORMAT_JSON;
	struct line l = {.n = 0};
	put_str(&l, json ? "{\"time\":\"" : "time=");
	put_time(&l);
	put_str(&l, json ? "\",\"level\":\"" : " level=");
	put_str(&l, level_names[level]);
	put_str(&l, json ? "\",\"msg\":" : " msg=");
	put_quoted(&l, slice_str(event));
	for (size_t i = 0; i < n; i++)
		put_field(&l, &fields[i], json);
	if (json)
		put(&l, "}", 1);
	l.text[l.n] = 0;

	pthread_mutex_lock(&log_lock);
	if (log_sink)
		log_sink(level, l.text);
	l.text[l.n++] = '\n';
	for (size_t at = 0; at < l.n && !log_sink;) {
		ssize_t wrote = write(STDERR_FILENO, l.text + at, l.n - at);
		if (wrote <= 0)
			break;
		at += (size_t)wrote;
	}
	pthread_mutex_unlock(&log_lock);
}

void log_set_sink(void (*fn)(enum log_level level, const char *line))
{
	log_sink = fn;
}

void log_set_level(enum log_level level)
{
	__atomic_store_n(&log_threshold, level, __ATOMIC_RELAXED);
}

void log_set_format(enum log_format format)
{
	__atomic_store_n(&log_format, format, __ATOMIC_RELAXED);
}

bool log_parse_level(const char *text, enum log_level *level)
{
	for (size_t i = 0; i < ARRAY_LEN(level_names); i++) {
		if (strcasecmp(text, level_names[i]) == 0) {
			*level = (enum log_level)i;
			return true;
		}
	}
	return false;
}

/* Length of a secret parameter's name and '=' at p, or 0. */
static size_t secret_name(struct slice s)
{
	static const char *const names[] = {
		"access_token=", "token=", "join_request=", "secret=", "password=", "credential="};
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		size_t n = strlen(names[i]);
		if (s.n >= n && strncasecmp((const char *)s.p, names[i], n) == 0)
			return n;
	}
	return 0;
}

char *log_redact_url(struct slice url, char *out, size_t cap)
{
	static const char mark[] = "[redacted]";
	size_t n = 0;
	bool at_name = true;
	for (size_t i = 0; i < url.n && n + sizeof mark < cap;) {
		size_t name = at_name ? secret_name(slice_of(url.p + i, url.n - i)) : 0;
		if (name && n + name + sizeof mark < cap) {
			memcpy(out + n, url.p + i, name);
			memcpy(out + n + name, mark, sizeof mark - 1);
			n += name + sizeof mark - 1;
			i += name;
			while (i < url.n && url.p[i] != '&' && url.p[i] != ' ' && url.p[i] != '#')
				i++;
			at_name = false;
			continue;
		}
		at_name = url.p[i] == '?' || url.p[i] == '&';
		out[n++] = (char)url.p[i++];
	}
	out[n] = 0;
	return out;
}
