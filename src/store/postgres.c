/* libpq without its blocking calls: those wait for ever for a server that has stopped answering. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/store_internal.h"

struct postgres_conn {
	PGconn *pg;
	uint32_t query_timeout_ms;
	bool is_prepared[STORE_STATEMENTS];
};

enum { SCHEMA_LOCK = 0x53746572 };

static void postgres_close(void *conn)
{
	struct postgres_conn *c = conn;
	PQfinish(c->pg);
	xfree(c);
}

/* Waits until the socket is ready or the time has come. False at the latter. */
static bool wait_socket(PGconn *pg, short events, uint64_t until_us)
{
	for (;;) {
		uint64_t now = clock_mono_us();
		struct pollfd p = {.fd = PQsocket(pg), .events = events};
		if (p.fd < 0 || now >= until_us)
			return false;
		int n = poll(&p, 1, (int)((until_us - now) / US_PER_MS) + 1);
		if (n > 0)
			return true;
		if (n < 0 && errno != EINTR)
			return false;
	}
}

/* The first line of libpq's words. */
static int fail(enum err err, const char *words, struct errbuf *eb)
{
	return err_set(eb, err, "PostgreSQL: %.*s", (int)MIN(strcspn(words, "\n"), 400), words);
}

static int finish_connect(PGconn *pg, uint64_t until_us, struct errbuf *eb)
{
	PostgresPollingStatusType want = PGRES_POLLING_WRITING;
	while (want != PGRES_POLLING_OK) {
		if (want == PGRES_POLLING_FAILED || PQstatus(pg) == CONNECTION_BAD)
			return fail(ERR_SYSTEM, PQerrorMessage(pg), eb);
		if (!wait_socket(pg, want == PGRES_POLLING_READING ? POLLIN : POLLOUT, until_us))
			return fail(ERR_SYSTEM, "the server does not answer", eb);
		want = PQconnectPoll(pg);
	}
	return 0;
}

/* Sends what is in libpq's buffer and waits for one command's last result; NULL when the connection fails. */
static PGresult *collect(struct postgres_conn *c, bool *timed_out)
{
	uint64_t until = clock_mono_us() + (uint64_t)c->query_timeout_ms * US_PER_MS;
	PGresult *last = NULL;
	int more;
	*timed_out = false;
	while ((more = PQflush(c->pg)) > 0)
		if (!wait_socket(c->pg, POLLIN | POLLOUT, until) || !PQconsumeInput(c->pg))
			break;
	for (bool is_open = more == 0; is_open;) {
		while (is_open && PQisBusy(c->pg)) {
			*timed_out = !wait_socket(c->pg, POLLIN, until);
			is_open = !*timed_out && PQconsumeInput(c->pg);
		}
		PGresult *next = is_open ? PQgetResult(c->pg) : NULL;
		if (!next)
			return is_open ? last : (PQclear(last), NULL);
		PQclear(last);
		last = next;
	}
	*timed_out = clock_mono_us() >= until;
	return NULL;
}

/* SQLSTATE classes (PostgreSQL manual, appendix A). */
static int error_of(struct postgres_conn *c, const PGresult *res, struct errbuf *eb)
{
	const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
	const char *words = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
	if (!words)
		words = PQresultErrorMessage(res);
	if (PQstatus(c->pg) == CONNECTION_BAD || !state)
		return fail(ERR_CLOSED, words, eb);
	if (strncmp(state, "57P", 3) == 0 || strncmp(state, "08", 2) == 0 || strcmp(state, "26000") == 0)
		return fail(ERR_CLOSED, words, eb); /* shut down; broken; a proxy has forgotten our statements */
	if (strncmp(state, "22", 2) == 0)
		return -ERR_NOT_FOUND; /* a name that the server's encoding cannot write */
	return fail(ERR_SYSTEM, words, eb);
}

/* `sent` is what PQsend… said. 0 and *out owned when the result has the wanted status. */
static int finish(
	struct postgres_conn *c, int sent, ExecStatusType want, PGresult **out, struct errbuf *eb)
{
	bool timed_out = false;
	PGresult *res = sent ? collect(c, &timed_out) : NULL;
	int err = 0;
	*out = NULL;
	if (!res)
		return timed_out ? fail(ERR_TIMEOUT, "the server does not answer", eb)
				 : fail(ERR_CLOSED, PQerrorMessage(c->pg), eb);
	if (PQresultStatus(res) != want)
		err = error_of(c, res, eb);
	if (err)
		PQclear(res);
	else
		*out = res;
	return err;
}

static int exec(struct postgres_conn *c, const char *sql, ExecStatusType want, PGresult **out,
	struct errbuf *eb)
{
	return finish(c, PQsendQuery(c->pg, sql), want, out, eb);
}

static int command(struct postgres_conn *c, const char *sql, struct errbuf *eb)
{
	PGresult *res;
	int err = exec(c, sql, PGRES_COMMAND_OK, &res, eb);
	PQclear(res);
	return err;
}

/* One number from the database; -ERR_NOT_FOUND when there is no row. */
static int number(struct postgres_conn *c, const char *sql, int *v, struct errbuf *eb)
{
	PGresult *res;
	int err = exec(c, sql, PGRES_TUPLES_OK, &res, eb);
	uint64_t n;
	if (!err && PQntuples(res) == 0)
		err = -ERR_NOT_FOUND;
	else if (!err && store_parse_u64(slice_str(PQgetvalue(res, 0, 0)), &n))
		*v = (int)n;
	PQclear(res);
	return err;
}

/* In one transaction, under a lock: another server may start at the same moment. */
static int migrate_locked(struct postgres_conn *c, struct errbuf *eb)
{
	int has_ours = 0, has_coturns = 0, version = 0, unused;
	char sql[96];
	(void)snprintf(sql, sizeof sql, "SELECT 1 FROM (SELECT pg_advisory_xact_lock(%d)) l", SCHEMA_LOCK);
	int err = number(c, sql, &unused, eb);
	if (!err)
		err = number(c, "SELECT count(to_regclass('sterna_schema'))", &has_ours, eb);
	if (!err)
		err = number(c, "SELECT count(to_regclass('turnusers_lt'))", &has_coturns, eb);
	if (err || (has_coturns && !has_ours))
		return err; /* somebody else's schema is used as it is */
	if (!has_ours)
		err = command(c, "CREATE TABLE sterna_schema (version integer NOT NULL)", eb);
	if (!err && !has_ours)
		err = command(c, "INSERT INTO sterna_schema VALUES (0)", eb);
	if (!err)
		err = number(c, "SELECT version FROM sterna_schema", &version, eb);
	if (!err && version > store_migrations[store_migrations_n - 1].version)
		err = err_set(eb, ERR_SYSTEM, "PostgreSQL: the database is of a newer Sterna (schema %d)", version);
	for (size_t i = 0; i < store_migrations_n && !err; i++) {
		if (store_migrations[i].version <= version)
			continue;
		err = command(c, store_migrations[i].sql, eb);
		(void)snprintf(sql, sizeof sql, "UPDATE sterna_schema SET version = %d", store_migrations[i].version);
		if (!err)
			err = command(c, sql, eb);
	}
	return err;
}

static int migrate(struct postgres_conn *c, struct errbuf *eb)
{
	int err = command(c, "BEGIN", eb);
	if (!err)
		err = migrate_locked(c, eb);
	if (!err)
		err = command(c, "COMMIT", eb);
	return err; /* the caller closes the connection on failure, which rolls back */
}

/* libpq would print the server's notices on stderr, among the lines of the log. */
static void ignore_notice(void *arg, const char *message)
{
	(void)arg;
	(void)message;
}

static int postgres_connect(
	const struct store_dsn *d, const struct store_limits *lim, void **conn, struct errbuf *eb)
{
	const char *const keys[] = {"fallback_application_name", "dbname", "client_encoding", NULL};
	const char *const values[] = {"sterna", d->conninfo, "UTF8", NULL};
	struct postgres_conn *c = XNEW(struct postgres_conn);
	c->query_timeout_ms = lim->query_timeout_ms;
	c->pg = PQconnectStartParams(keys, values, 1);
	uint64_t until = clock_mono_us() + (uint64_t)lim->connect_timeout_ms * US_PER_MS;
	int err;
	if (!c->pg) {
		err = fail(ERR_SYSTEM, "out of memory", eb);
	} else {
		(void)PQsetNoticeProcessor(c->pg, ignore_notice, NULL);
		err = finish_connect(c->pg, until, eb);
	}
	if (!err && PQsetnonblocking(c->pg, 1) != 0)
		err = fail(ERR_SYSTEM, PQerrorMessage(c->pg), eb);
	if (!err && lim->may_create)
		err = migrate(c, eb);
	if (err)
		postgres_close(c);
	else
		*conn = c;
	return err ? -ERR_SYSTEM : 0;
}

static int take_rows(const PGresult *res, const struct store_statement *s, struct store_result *r)
{
	int rows = PQntuples(res), err = 0;
	if (!rows && s->must_exist)
		return -ERR_NOT_FOUND;
	if (PQnfields(res) != (int)s->columns)
		return -ERR_MALFORMED;
	for (int row = 0; row < rows && !err; row++) {
		struct slice col[STORE_COLUMNS_MAX] = {{0}};
		for (int i = 0; i < (int)s->columns; i++)
			col[i] =
				slice_of(PQgetvalue(res, row, i), (size_t)PQgetlength(res, row, i));
		err = s->row(r, col);
	}
	return err;
}

static int run(struct postgres_conn *c, size_t at, const struct store_query *q,
	struct store_result *r, struct errbuf *eb)
{
	const struct store_statement *s = &store_statements[at];
	const char *param[STORE_PARAMS_MAX];
	char text[16];
	PGresult *res;
	int err = 0;
	for (unsigned i = 0; i < s->params; i++)
		param[i] = store_param_text(s->param[i], q, text);
	if (!c->is_prepared[at]) {
		err = finish(c, PQsendPrepare(c->pg, s->name, s->text, 0, NULL), PGRES_COMMAND_OK,
			&res, eb);
		PQclear(res);
		c->is_prepared[at] = !err;
	}
	if (err)
		return err;
	err = finish(c, PQsendQueryPrepared(c->pg, s->name, (int)s->params, param, NULL, NULL, 0),
		PGRES_TUPLES_OK, &res, eb);
	if (!err)
		err = take_rows(res, s, r);
	PQclear(res);
	return err;
}

static int postgres_query(
	void *conn, const struct store_query *q, struct store_result *r, struct errbuf *eb)
{
	int err = 0;
	for (size_t i = 0; i < STORE_STATEMENTS && !err; i++)
		if (store_statements[i].kind == q->kind)
			err = run(conn, i, q, r, eb);
	return err;
}

const struct store_backend store_postgres = {"PostgreSQL", postgres_connect, postgres_query, postgres_close};
