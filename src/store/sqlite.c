#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "store/store_internal.h"

enum { HEADER_LEN = 100, HEADER_APPLICATION_ID = 68 }; /* https://sqlite.org/fileformat.html §1.3 */

static const char magic[16] = "SQLite format 3";

int store_file_kind(const char *path, enum store_file *kind, struct errbuf *eb)
{
	uint8_t head[HEADER_LEN];
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd == -1) {
		*kind = STORE_FILE_MISSING;
		return access(path, F_OK) == 0 ? err_set(eb, ERR_SYSTEM, "SQLite: cannot read %.200s: %m", path) : 0;
	}
	int err = 0;
	ssize_t n = read(fd, head, sizeof head);
	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode))
		err = err_set(eb, ERR_SYSTEM, "SQLite: %.200s is no file", path);
	else if (n == 0)
		*kind = STORE_FILE_EMPTY;
	else if (n != HEADER_LEN || memcmp(head, magic, sizeof magic) != 0)
		err = err_set(eb, ERR_SYSTEM, "SQLite: %.200s is no SQLite database", path);
	else
		*kind = rd32(head + HEADER_APPLICATION_ID) == STORE_APPLICATION_ID
				? STORE_FILE_OURS
				: STORE_FILE_FOREIGN;
	(void)close(fd);
	return err;
}

/* The file holds keys and secrets: for its owner alone, and SQLite gives its companions the same mode. */
static int create_file(const char *path, struct errbuf *eb)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd == -1)
		return err_set(eb, ERR_SYSTEM, "SQLite: cannot create %.200s: %m", path);
	(void)close(fd);
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
