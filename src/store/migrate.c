#include <stdio.h>

#include "base/mem.h"
#include "store/store_internal.h"

/*
 * Numbered steps; one that was released is never changed, only followed by another. Plain SQL that SQLite and
 * PostgreSQL both take. Step 1 is coturn's schema, so that its tools can work on the file too.
 */
const struct store_migration store_migrations[] = {
	{1, "CREATE TABLE turnusers_lt (realm varchar(512) DEFAULT '', name varchar(512), hmackey "
	    "char(128),"
	    " PRIMARY KEY (realm, name));"
	    "CREATE TABLE turn_secret (realm varchar(512) DEFAULT '', value varchar(256), PRIMARY "
	    "KEY (realm, value));"
	    "CREATE TABLE allowed_peer_ip (realm varchar(512) DEFAULT '', ip_range varchar(256),"
	    " PRIMARY KEY (realm, ip_range));"
	    "CREATE TABLE denied_peer_ip (realm varchar(512) DEFAULT '', ip_range varchar(256),"
	    " PRIMARY KEY (realm, ip_range));"
	    "CREATE TABLE turn_origin_to_realm (origin varchar(512), realm varchar(512), PRIMARY "
	    "KEY (origin));"
	    "CREATE TABLE turn_realm_option (realm varchar(512) DEFAULT '', opt varchar(32), value "
	    "varchar(128),"
	    " PRIMARY KEY (realm, opt));"
	    "CREATE TABLE oauth_key (kid varchar(128), ikm_key varchar(256), timestamp bigint "
	    "DEFAULT 0,"
	    " lifetime integer DEFAULT 0, as_rs_alg varchar(64) DEFAULT '', realm varchar(512), "
	    "PRIMARY KEY (kid));"
	    "CREATE TABLE admin_user (name varchar(32), realm varchar(512), password varchar(512), "
	    "PRIMARY KEY (name));"},
};
const size_t store_migrations_n = ARRAY_LEN(store_migrations);

static int exec(sqlite3 *db, const char *sql, struct errbuf *eb)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK)
		return 0;
	return err_set(eb, ERR_SYSTEM, "SQLite: %s", sqlite3_errmsg(db));
}

static int version_of(sqlite3 *db, int *version, struct errbuf *eb)
{
	sqlite3_stmt *st = NULL;
	int err = 0;
	if (sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &st, NULL) == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW)
		*version = sqlite3_column_int(st, 0);
	else
		err = err_set(eb, ERR_SYSTEM, "SQLite: %s", sqlite3_errmsg(db));
	sqlite3_finalize(st);
	return err;
}

static int apply(sqlite3 *db, const struct store_migration *m, struct errbuf *eb)
{
	char mark[96];
	(void)snprintf(mark, sizeof mark, "PRAGMA application_id = %d; PRAGMA user_version = %d", STORE_APPLICATION_ID,
		m->version);
	int err = exec(db, m->sql, eb);
	return err ? err : exec(db, mark, eb);
}

/* Takes the write lock first: of two processes that start at once the second finds the work done. */
static int step(sqlite3 *db, const struct store_migration *m, struct errbuf *eb)
{
	int version = 0;
	int err = exec(db, "BEGIN IMMEDIATE", eb);
	if (err)
		return err;
	err = version_of(db, &version, eb);
	if (!err && version < m->version)
		err = apply(db, m, eb);
	if (!err)
		err = exec(db, "COMMIT", eb);
	if (err)
		(void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return err;
}

int store_migrate_sqlite(sqlite3 *db, const struct store_migration *m, size_t n, struct errbuf *eb)
{
	int version = 0;
	int err = version_of(db, &version, eb);
	if (!err && n && version > m[n - 1].version)
		return err_set(eb, ERR_SYSTEM,
			"SQLite: the database is of a newer Sterna (schema %d, this one knows %d)",
			version, m[n - 1].version);
	for (size_t i = 0; i < n && !err; i++)
		if (version < m[i].version)
			err = step(db, &m[i], eb);
	return err;
}
