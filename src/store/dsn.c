#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "store/store_internal.h"

enum { REDIS_PORT = 6379, TEXT_MAX = 4096, DB_MAX = 65535 };

static bool has_prefix(const char *s, const char *prefix)
{
	return strncasecmp(s, prefix, strlen(prefix)) == 0;
}

static void wipe_free(char *s)
{
	if (s)
		secret_wipe(s, strlen(s));
	xfree(s);
}

static void set(char **dst, char *owned)
{
	wipe_free(*dst);
	*dst = owned;
}

static bool parse_u32(const char *s, uint32_t max, uint32_t *v)
{
	uint64_t n;
	if (!store_parse_u64(slice_str(s), &n) || n > max)
		return false;
	*v = (uint32_t)n;
	return true;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9'                 ? c - '0'
	       : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
						    : -1;
}

/* RFC 3986 §2.1. NULL when an escape is broken or hides a NUL. */
static char *unescape(const char *s, size_t n)
{
	char *out = xcalloc(1, n + 1);
	size_t to = 0;
	for (size_t i = 0; i < n; i++) {
		out[to++] = s[i];
		if (s[i] != '%')
			continue;
		int hi = n - i > 2 ? hex_digit(s[i + 1]) : -1;
		int lo = hi >= 0 ? hex_digit(s[i + 2]) : -1;
		if (lo < 0 || (hi | lo) == 0) {
			wipe_free(out);
			return NULL;
		}
		out[to - 1] = (char)(hi * 16 + lo);
		i += 2;
	}
	return out;
}

/* redis://[[USER]:PASSWORD@]HOST[:PORT][/DB]; a host that unescapes to a path is a Unix socket, as with libpq. */
static int parse_redis_url(struct store_dsn *d, const char *url, struct errbuf *eb)
{
	const char *p = strstr(url, "://") + 3, *end = p + strcspn(p, "/?#"), *at = NULL;
	for (const char *c = p; c < end; c++)
		if (*c == '@')
			at = c;
	if (at) {
		const char *colon = memchr(p, ':', (size_t)(at - p));
		const char *user_end = colon ? colon : at;
		if (user_end > p)
			set(&d->user, unescape(p, (size_t)(user_end - p)));
		if (colon)
			set(&d->password, unescape(colon + 1, (size_t)(at - colon - 1)));
		if (!d->password || (user_end > p && !d->user))
			return err_set(eb, ERR_CONFIG,
				"the Redis URL needs user:password or :password before the @, "
				"escaped with %%");
		p = at + 1;
	}
	const char *host_end = end, *port = NULL;
	if (*p == '[') {
		const char *close = memchr(p, ']', (size_t)(end - p));
		if (!close)
			return err_set(eb, ERR_CONFIG, "the Redis URL has a [ without ]");
		set(&d->host, xstrndup(p + 1, (size_t)(close - p - 1)));
		port = close + 1 < end ? close + 1 : NULL;
	} else {
		port = memchr(p, ':', (size_t)(end - p));
		host_end = port ? port : end;
		set(&d->host, unescape(p, (size_t)(host_end - p)));
	}
	char number[8] = "";
	uint32_t v = REDIS_PORT;
	if (port)
		(void)snprintf(number, sizeof number, "%.*s", (int)MIN(end - port - 1, 7), port + 1);
	if (port && (*port != ':' || !parse_u32(number, UINT16_MAX, &v) || v == 0))
		return err_set(eb, ERR_CONFIG, "the Redis URL has a port that is no number from 1 to 65535");
	d->port = (uint16_t)v;
	if (*end == '/' && end[1] && !parse_u32(end + 1, DB_MAX, &d->db))
		return err_set(eb, ERR_CONFIG, "the Redis URL ends in something else than the number of a database");
	if (*end == '?' || *end == '#')
		return err_set(eb, ERR_CONFIG, "the Redis URL has parameters; there are none");
	return 0;
}

/* One word of coturn's string. */
static int take_redis_word(struct store_dsn *d, const char *key, char *value, struct errbuf *eb)
{
	uint32_t v = 0;
	if (strcmp(key, "ip") == 0 || strcmp(key, "host") == 0 || strcmp(key, "hostaddr") == 0) {
		set(&d->host, value);
		return 0;
	}
	if (strcmp(key, "password") == 0 || strcmp(key, "user") == 0) {
		set(*key == 'p' ? &d->password : &d->user, value);
		return 0;
	}
	bool good = true;
	if (strcmp(key, "port") == 0) {
		good = parse_u32(value, UINT16_MAX, &v) && v > 0;
		d->port = (uint16_t)v;
	} else if (strcmp(key, "dbname") == 0 || strcmp(key, "db") == 0) {
		good = parse_u32(value, DB_MAX, &d->db);
	} else if (strcmp(key, "connect_timeout") == 0) {
		good = parse_u32(value, 3600, &v);
		d->connect_timeout_ms = v * 1000;
	} else {
		wipe_free(value);
		return err_set(eb, ERR_CONFIG,
			"Redis: \"%.32s\" is not known; use ip, port, dbname, user, password, connect_timeout", key);
	}
	wipe_free(value);
	return good ? 0 : err_set(eb, ERR_CONFIG, "Redis: the value of %.32s is not a number that fits", key);
}

/* "ip=127.0.0.1 dbname=2 password=turn port=6379 connect_timeout=30"; quotes around it are coturn's users' habit. */
static int parse_redis_words(struct store_dsn *d, const char *text, struct errbuf *eb)
{
	d->port = REDIS_PORT;
	for (const char *p = text + strspn(text, " \t\"'"); *p; p += strspn(p, " \t\"'")) {
		size_t n = strcspn(p, " \t\"'"), k = strcspn(p, "=");
		if (k >= n)
			return err_set(eb, ERR_CONFIG, "Redis: write key=value words such as ip=127.0.0.1 dbname=0");
		char key[32];
		(void)snprintf(key, sizeof key, "%.*s", (int)MIN(k, sizeof key - 1), p);
		int err = take_redis_word(d, key, xstrndup(p + k + 1, n - k - 1), eb);
		if (err)
			return err;
		p += n;
	}
	if (!d->host)
		set(&d->host, xstrdup("127.0.0.1"));
	return 0;
}

static int parse_redis(struct store_dsn *d, const char *url, struct errbuf *eb)
{
	if (has_prefix(url, "rediss:"))
		return err_set(eb, ERR_CONFIG, "Redis over TLS (rediss:) is not supported; put a tunnel before it");
	int err = has_prefix(url, "redis://") ? parse_redis_url(d, url, eb) : parse_redis_words(d, url, eb);
	if (!err && (!d->host || !*d->host))
		err = err_set(eb, ERR_CONFIG, "Redis: the host is missing or badly escaped");
	if (!err && d->user && !d->password)
		err = err_set(eb, ERR_CONFIG, "Redis: there is a user and no password");
	return err;
}

/* libpq's own words about a bad string quote parts of it, and a part may be the password. */
static int parse_postgres(struct store_dsn *d, const char *url, struct errbuf *eb)
{
	char *why = NULL;
	PQconninfoOption *o = PQconninfoParse(url, &why);
	PQfreemem(why);
	if (!o)
		return err_set(eb, ERR_CONFIG, "PostgreSQL: write postgresql://USER:PASSWORD@HOST/DATABASE, "
			"or words libpq knows such as host=… dbname=… user=… password=…");
	uint32_t seconds;
	for (const PQconninfoOption *i = o; i->keyword; i++)
		if (strcmp(i->keyword, "connect_timeout") == 0 && i->val && parse_u32(i->val, 3600, &seconds))
			d->connect_timeout_ms = seconds * 1000;
	PQconninfoFree(o);
	d->conninfo = xstrdup(url);
	return 0;
}

static int parse_sqlite(struct store_dsn *d, const char *url, struct errbuf *eb)
{
	if (has_prefix(url, "sqlite:")) {
		url += strlen("sqlite:");
		if (url[0] == '/' && url[1] == '/')
			url += 2; /* sqlite:///absolute */
	}
	if (!*url)
		return err_set(eb, ERR_CONFIG, "SQLite: the path of the file is missing; write sqlite:PATH");
	d->path = xstrdup(url);
	return 0;
}

static const struct scheme {
	const char *prefix;
	enum store_dialect dialect;
	bool may_precede_words; /* "redis:ip=… dbname=…" */
} schemes[] = {
	{"sqlite:", STORE_SQLITE, false},
	{"postgresql:", STORE_POSTGRESQL, true},
	{"postgres:", STORE_POSTGRESQL, true},
	{"redis:", STORE_REDIS, true},
	{"rediss:", STORE_REDIS, false},
};

static const struct scheme *find_scheme(const char *url)
{
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
		if (has_prefix(url, schemes[i].prefix))
			return &schemes[i];
	return NULL;
}

/* What a string without a scheme looks like. */
static enum store_dialect guess(const char *url)
{
	if (strncmp(url, "/", 1) == 0 || strncmp(url, "./", 2) == 0)
		return STORE_SQLITE;
	if (strncmp(url, "ip=", 3) == 0 || strstr(url, " ip="))
		return STORE_REDIS;
	if (strstr(url, "host=") || strstr(url, "hostaddr=") || strstr(url, "dbname="))
		return STORE_POSTGRESQL;
	return STORE_BY_URL;
}

int store_dsn_parse(
	struct store_dsn *d, const char *url, enum store_dialect dialect, struct errbuf *eb)
{
	*d = (struct store_dsn){0};
	if (!url || !*url)
		return err_set(eb, ERR_CONFIG, "the database is missing");
	if (strlen(url) > TEXT_MAX)
		return err_set(eb, ERR_CONFIG, "the connection string is longer than %d bytes", TEXT_MAX);
	const struct scheme *scheme = find_scheme(url);
	if (scheme && dialect != STORE_BY_URL && scheme->dialect != dialect)
		return err_set(eb, ERR_CONFIG, "the URL is one of another kind of database");
	d->dialect = scheme ? scheme->dialect : dialect == STORE_BY_URL ? guess(url) : dialect;
	if (scheme && scheme->may_precede_words && strncmp(url + strlen(scheme->prefix), "//", 2) != 0)
		url += strlen(scheme->prefix);
	int err;
	switch (d->dialect) {
	case STORE_SQLITE: err = parse_sqlite(d, url, eb); break;
	case STORE_POSTGRESQL: err = parse_postgres(d, url, eb); break;
	case STORE_REDIS: err = parse_redis(d, url, eb); break;
	case STORE_BY_URL:
	default:
		err = err_set(eb, ERR_CONFIG,
			"this names no database: write sqlite:PATH, postgresql://… or redis://…");
	}
	if (err)
		store_dsn_free(d);
	return err;
}

void store_dsn_free(struct store_dsn *d)
{
	wipe_free(d->path);
	wipe_free(d->conninfo);
	wipe_free(d->host);
	wipe_free(d->user);
	wipe_free(d->password);
	*d = (struct store_dsn){0};
}

const struct store_backend *store_backend_of(const struct store_dsn *d)
{
	return d->dialect == STORE_REDIS        ? &store_redis
	       : d->dialect == STORE_POSTGRESQL ? &store_postgres
						: &store_sqlite;
}
