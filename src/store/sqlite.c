#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/store_internal.h"

enum { BUSY_MS = 2000 };

static int try_application_id(
	const char *path, int flags, int *rc, uint32_t *id, struct errbuf *eb)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *st = NULL;
	int err = 0;
	*rc = sqlite3_open_v2(path, &db, flags | SQLITE_OPEN_NOMUTEX, NULL);
	if (*rc == SQLITE_OK)
		(void)sqlite3_busy_timeout(db, BUSY_MS);
	if (*rc == SQLITE_OK)
		*rc = sqlite3_prepare_v2(db, "PRAGMA application_id", -1, &st, NULL);
	if (*rc == SQLITE_OK)
		*rc = sqlite3_step(st);
	if (*rc == SQLITE_ROW)
		*id = (uint32_t)sqlite3_column_int(st, 0);
	else if (*rc == SQLITE_NOTADB)
		err = err_set(eb, ERR_SYSTEM, "SQLite: %.200s is no SQLite database", path);
	else
		err = err_set(eb, ERR_SYSTEM, "SQLite: cannot read %.200s: %s", path,
			db ? sqlite3_errmsg(db) : sqlite3_errstr(*rc));
	(void)sqlite3_finalize(st);
	(void)sqlite3_close(db);
	return err;
}

/* After a crash the file has a journal that must be played back before anything can be read. */
static int application_id(const char *path, uint32_t *id, struct errbuf *eb)
{
	int rc, err = try_application_id(path, SQLITE_OPEN_READONLY, &rc, id, eb);
	return rc == SQLITE_READONLY ? try_application_id(path, SQLITE_OPEN_READWRITE, &rc, id, eb)
				     : err;
}

/*
 * SQLite reads the file, not we: a close() of any descriptor of it drops the locks of all connections that this process
 * has, and another process would take the log away from under them (sqlite.org/howtocorrupt.html §2.2).
 */
int store_file_kind(const char *path, enum store_file *kind, struct errbuf *eb)
{
	struct stat st;
	uint32_t id = 0;
	*kind = STORE_FILE_MISSING;
	if (stat(path, &st) == -1)
		return errno == ENOENT ? 0 : err_set(eb, ERR_SYSTEM, "SQLite: cannot read %.200s: %m", path);
	if (!S_ISREG(st.st_mode))
		return err_set(eb, ERR_SYSTEM, "SQLite: %.200s is no file", path);
	*kind = STORE_FILE_EMPTY;
	if (!st.st_size)
		return 0;
	int err = application_id(path, &id, eb);
	/* A journal played back may have undone the very first write. */
	bool is_empty = !err && stat(path, &st) == 0 && !st.st_size;
	*kind = is_empty                   ? STORE_FILE_EMPTY
		: id == STORE_APPLICATION_ID ? STORE_FILE_OURS
					     : STORE_FILE_FOREIGN;
	return err;
}

/* The file holds keys and secrets: for its owner alone, and SQLite gives its companions the same mode. */
static int create_file(const char *path, struct errbuf *eb)
{
	if (mknod(path, S_IFREG | 0600, 0) == -1 && errno != EEXIST)
		return err_set(eb, ERR_SYSTEM, "SQLite: cannot create %.200s: %m", path);
	return 0;
}

static int open_db(const struct store_open *o, int flags, sqlite3 **out, struct errbuf *eb)
{
	sqlite3 *db = NULL;
	int rc = sqlite3_open_v2(o->path, &db, flags | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc != SQLITE_OK) {
		int err = err_set(eb, ERR_SYSTEM, "SQLite: cannot open %.200s: %s", o->path,
			db ? sqlite3_errmsg(db) : sqlite3_errstr(rc));
		(void)sqlite3_close(db);
		return err;
	}
	(void)sqlite3_busy_timeout(db, (int)MIN(o->busy_timeout_ms, 60000));
	/* What a foreign file's schema calls (triggers, views) may not reach outside of it. */
	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	*out = db;
	return 0;
}

static int prepare_own(const struct store_open *o, sqlite3 *db, struct errbuf *eb)
{
	int err = 0;
	if (o->may_create)
		err = store_migrate_sqlite(db, store_migrations, store_migrations_n, eb);
	/* Readers and a writer side by side. Refused while another connection migrates: the next one does it. */
	if (!err)
		(void)sqlite3_exec(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL", NULL, NULL, NULL);
	if (!err && !o->may_write)
		(void)sqlite3_exec(db, "PRAGMA query_only = ON", NULL, NULL, NULL);
	return err;
}

int store_sqlite_open(const struct store_open *o, sqlite3 **out, struct errbuf *eb)
{
	enum store_file kind;
	*out = NULL;
	int err = store_file_kind(o->path, &kind, eb);
	if (err)
		return err;
	if (kind == STORE_FILE_FOREIGN)
		return open_db(
			o, o->may_write ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY, out, eb);
	if (kind == STORE_FILE_MISSING && !o->may_create)
		return err_set(eb, ERR_SYSTEM, "SQLite: there is no %.200s", o->path);
	if (kind == STORE_FILE_MISSING)
		err = create_file(o->path, eb);
	if (!err)
		err = open_db(o, SQLITE_OPEN_READWRITE, out, eb);
	if (!err)
		err = prepare_own(o, *out, eb);
	if (err) {
		(void)sqlite3_close(*out);
		*out = NULL;
	}
	return err;
}

/* ---- the backend */

struct sqlite_conn {
	sqlite3 *db;
	char *path;
	struct stat file; /* what was opened: a file moved away or replaced is opened anew */
	sqlite3_stmt *st[STORE_STATEMENTS];
};

static void sqlite_close(void *conn)
{
	struct sqlite_conn *c = conn;
	for (size_t i = 0; i < STORE_STATEMENTS; i++)
		(void)sqlite3_finalize(c->st[i]);
	(void)sqlite3_close(c->db);
	xfree(c->path);
	xfree(c);
}

static int sqlite_connect(
	const struct store_dsn *d, const struct store_limits *lim, void **conn, struct errbuf *eb)
{
	const struct store_open o = {d->path, lim->query_timeout_ms, lim->may_create, false};
	struct sqlite_conn *c = XNEW(struct sqlite_conn);
	c->path = xstrdup(d->path);
	int err = store_sqlite_open(&o, &c->db, eb);
	if (!err && stat(d->path, &c->file) == -1)
		err = err_set(eb, ERR_SYSTEM, "SQLite: there is no %.200s", d->path);
	if (err)
		sqlite_close(c);
	else
		*conn = c;
	return err;
}

static int fail(struct sqlite_conn *c, int rc, struct errbuf *eb)
{
	enum err err = ERR_CLOSED;
	if (rc == SQLITE_BUSY || rc == SQLITE_LOCKED)
		err = ERR_TIMEOUT;
	else if (rc == SQLITE_ERROR)
		err = ERR_SYSTEM; /* no such table: opening again would not help */
	return err_set(eb, err, "SQLite: %s", sqlite3_errmsg(c->db));
}

static int take_row(sqlite3_stmt *st, const struct store_statement *s, struct store_result *r)
{
	struct slice col[STORE_COLUMNS_MAX] = {{0}};
	for (unsigned i = 0; i < s->columns; i++) {
		const uint8_t *text = sqlite3_column_text(st, (int)i);
		col[i] = slice_of(text, text ? (size_t)sqlite3_column_bytes(st, (int)i) : 0);
	}
	return s->row(r, col);
}

static int run(struct sqlite_conn *c, size_t at, const struct store_query *q,
	struct store_result *r, struct errbuf *eb)
{
	const struct store_statement *s = &store_statements[at];
	char number[16];
	int rc = SQLITE_OK;
	if (!c->st[at])
		rc = sqlite3_prepare_v3(
			c->db, s->text, -1, SQLITE_PREPARE_PERSISTENT, &c->st[at], NULL);
	for (unsigned i = 0; i < s->params && rc == SQLITE_OK; i++)
		rc = sqlite3_bind_text(c->st[at], (int)i + 1,
			store_param_text(s->param[i], q, number), -1, SQLITE_TRANSIENT);
	if (rc != SQLITE_OK)
		return fail(c, rc, eb);
	int err = 0;
	unsigned rows = 0;
	while (!err && (rc = sqlite3_step(c->st[at])) == SQLITE_ROW) {
		err = take_row(c->st[at], s, r);
		rows++;
	}
	if (!err && rc != SQLITE_DONE)
		err = fail(c, rc, eb);
	else if (!err && !rows && s->must_exist)
		err = -ERR_NOT_FOUND;
	(void)sqlite3_reset(c->st[at]);
	(void)sqlite3_clear_bindings(c->st[at]);
	return err;
}

static int sqlite_query(
	void *conn, const struct store_query *q, struct store_result *r, struct errbuf *eb)
{
	struct sqlite_conn *c = conn;
	struct stat now;
	if (stat(c->path, &now) == -1 || now.st_ino != c->file.st_ino ||
		now.st_dev != c->file.st_dev)
		return err_set(eb, ERR_CLOSED, "SQLite: %.200s was moved or replaced", c->path);
	int err = 0;
	for (size_t i = 0; i < STORE_STATEMENTS && !err; i++)
		if (store_statements[i].kind == q->kind)
			err = run(c, i, q, r, eb);
	return err;
}

const struct store_backend store_sqlite = {"SQLite", sqlite_connect, sqlite_query, sqlite_close};
