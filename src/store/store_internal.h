/* Between the files of store/: connection strings, results, and what a backend is. */
#pragma once
#include <libpq-fe.h>
#include <sqlite3.h>

#include "base/map.h"
#include "store/turn_users.h"

/* ---- dsn.c: a connection string, taken apart. */

struct store_dsn {
	enum store_dialect dialect; /* never STORE_BY_URL */
	char *path;                 /* SQLite */
	char *conninfo;             /* PostgreSQL: as libpq reads it, URL or key=value */
	char *host;                 /* Redis: name, address, or path of a Unix socket */
	char *user, *password;      /* Redis; NULL when absent */
	uint16_t port;
	uint32_t db;
	uint32_t connect_timeout_ms; /* 0 when the string names none */
};

/* 0 and an owned d, or -ERR_CONFIG with a sentence without secrets (d is empty then). */
MUST_CHECK int store_dsn_parse(
	struct store_dsn *d, const char *url, enum store_dialect dialect, struct errbuf *eb);
void store_dsn_free(struct store_dsn *d);

/* ---- result.c: what a backend found. */

struct store_result {
	struct store_turn_answer a; /* a.rows is owned here */
	struct store_row *rows;
	size_t cap, max;
	char *username;    /* a.username is owned here */
	unsigned bad_rows; /* left out: not UTF-8, or an option without a number */
};

void store_result_init(struct store_result *r, enum store_turn_kind kind, uint32_t rows_max);
void store_result_free(struct store_result *r); /* wipes */

/* 0, or -ERR_TOO_LARGE past the limit. Copies. */
MUST_CHECK int store_result_row(struct store_result *r, enum store_row_kind kind,
	struct slice realm, struct slice name, struct slice value);

/* 32 or 64 hex digits, "0x" before and blanks behind them allowed (a CHAR(n) column pads). 0 or -ERR_MALFORMED. */
MUST_CHECK int store_key_parse(struct slice text, struct store_turn_key *key);

/* The columns of oauth_key as text; those that are absent are empty. 0 or -ERR_MALFORMED. */
struct store_oauth_text {
	struct slice ikm_key, timestamp, lifetime, as_rs_alg, realm;
};
MUST_CHECK int store_oauth_parse(const struct store_oauth_text *t, struct store_turn_oauth *out);

/* Decimal digits and nothing else. */
MUST_CHECK bool store_parse_u64(struct slice text, uint64_t *v);

/* ---- backends. */

struct store_limits {
	uint32_t connect_timeout_ms, query_timeout_ms;
	bool may_create;
};

struct store_query {
	enum store_turn_kind kind;
	const char *realm, *name; /* text (utf8_is_text) */
	uint32_t rows_max;
};

/* A connection belongs to one thread. */
struct store_backend {
	const char *name;
	/* 0 and *conn owned, or -ERR_SYSTEM with a sentence. */
	int (*connect)(const struct store_dsn *d, const struct store_limits *lim, void **conn,
		struct errbuf *eb);
	/*
	 * 0, -ERR_NOT_FOUND, -ERR_MALFORMED, -ERR_TOO_LARGE; with a sentence: -ERR_SYSTEM (the connection is good),
	 * -ERR_CLOSED (it is gone: open another and ask again), -ERR_TIMEOUT (no longer to be trusted).
	 */
	int (*query)(
		void *conn, const struct store_query *q, struct store_result *r, struct errbuf *eb);
	void (*close)(void *conn);
};

extern const struct store_backend store_sqlite, store_postgres, store_redis;
const struct store_backend *store_backend_of(const struct store_dsn *d);

/*
 * A connection that is opened when it is needed and again when it breaks, with growing pauses between the attempts.
 * Of one pool thread.
 */
struct store_link {
	const struct store_backend *backend;
	const struct store_dsn *dsn;
	struct store_limits limits;
	void *conn; /* NULL while closed */
	uint64_t retry_us;
	uint32_t pause_ms;
	struct errbuf why; /* the last attempt failed */
};

/* What the threads of a store say in the log: one line about a failure now and then, one when it is over. */
struct store_complaint {
	uint64_t next_us;    /* atomic */
	uint64_t suppressed; /* atomic */
	bool is_down;        /* atomic */
};

/* 0, or -ERR_SYSTEM with a sentence: at once while it pauses. */
MUST_CHECK int store_link_ready(struct store_link *l, struct errbuf *eb);
void store_link_close(struct store_link *l);

void store_complain(struct store_complaint *c, const char *database, const char *why);
void store_recovered(struct store_complaint *c, const char *database);

/* ---- userhash.c: names by USERHASH. Of one pool thread; zero it before use. */

enum { STORE_USERHASH_LEN = 32 };

struct store_userhash {
	struct map names; /* hash → owned name */
	uint64_t made_us; /* 0 = never */
};

void store_userhash_free(struct store_userhash *u);

/* The name behind a hash, borrowed, or NULL. */
const char *store_userhash_find(const struct store_userhash *u, struct slice hash);

/* True if the index is too old to be sure that a hash it does not know is nobody's. */
bool store_userhash_is_old(const struct store_userhash *u, uint64_t now_us);

/* Makes the index of rows USER. 0 or -ERR_CRYPTO. */
MUST_CHECK int store_userhash_make(
	struct store_userhash *u, const struct store_turn_answer *names, uint64_t now_us);

/* ---- sql.c: the statements, the same for SQLite and PostgreSQL. */

enum store_param { STORE_PARAM_REALM, STORE_PARAM_NAME, STORE_PARAM_LIMIT };
enum { STORE_PARAMS_MAX = 2, STORE_COLUMNS_MAX = 5, STORE_STATEMENTS = 8 };

struct store_statement {
	enum store_turn_kind kind;
	const char *name, *text; /* parameters $1, $2 in this order */
	enum store_param param[STORE_PARAMS_MAX];
	unsigned params, columns;
	/* Takes one row; NULL columns are empty. 0 or -ERR_MALFORMED, -ERR_TOO_LARGE. */
	int (*row)(struct store_result *r, const struct slice *col);
	bool must_exist; /* no row = -ERR_NOT_FOUND */
};

extern const struct store_statement store_statements[STORE_STATEMENTS];

/* The text of a parameter; `number` holds that of a limit. */
const char *store_param_text(enum store_param p, const struct store_query *q, char number[16]);

/* ---- migrate.c */

struct store_migration {
	int version; /* 1, 2, 3 … */
	const char *sql;
};

extern const struct store_migration store_migrations[];
extern const size_t store_migrations_n;

/* What Sterna writes into files of its own: PRAGMA application_id. */
enum { STORE_APPLICATION_ID = 0x53746572 };

/*
 * Brings a database up to date, each step a transaction of its own: killed at any moment, it goes on from there.
 * 0, or -ERR_SYSTEM with a sentence; also when the database is newer than this program.
 */
MUST_CHECK int store_migrate_sqlite(
	sqlite3 *db, const struct store_migration *m, size_t n, struct errbuf *eb);

/* ---- sqlite.c */

enum store_file { STORE_FILE_MISSING, STORE_FILE_EMPTY, STORE_FILE_OURS, STORE_FILE_FOREIGN };

/* What stands at the path. -ERR_SYSTEM with a sentence for what can be no database. */
MUST_CHECK int store_file_kind(const char *path, enum store_file *kind, struct errbuf *eb);

/*
 * Opens: our own file for writing, with the migrations if `may_create`; a foreign one for reading, or with
 * `may_write` for changes of its rows. 0 and *out owned (sqlite3_close), or -ERR_SYSTEM with a sentence.
 */
struct store_open {
	const char *path;
	uint32_t busy_timeout_ms;
	bool may_create, may_write;
};
MUST_CHECK int store_sqlite_open(const struct store_open *o, sqlite3 **out, struct errbuf *eb);
