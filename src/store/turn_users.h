/*
 * turn_users: what a TURN server asks a database: long-term keys, REST secrets, OAuth keys, peer ranges and options
 * of realms. SQLite, PostgreSQL or Redis, in coturn's schema (schema.sql and schema.userdb.redis of coturn 4.6).
 *
 * Not a cache: that is turn/auth's. All that blocks runs on the store's own pool threads, one connection each, opened
 * at the first lookup and opened again, with growing pauses, when it breaks. While the database is down lookups fail
 * at once with -ERR_SYSTEM, the log says so now and then, and nothing waits.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/slice.h"
#include "thread/mbox.h"

/* Sterna's own store. */
#define STORE_DEFAULT_URL "sqlite:/var/lib/sterna/sterna.db"

/* Which database a string without a scheme means: coturn's three options look alike. */
enum store_dialect {
	STORE_BY_URL, /* by scheme or form; a path is SQLite, "ip=" Redis, "host=" PostgreSQL */
	STORE_SQLITE, /* userdb */
	STORE_POSTGRESQL, /* psql-userdb */
	STORE_REDIS, /* redis-userdb */
};

/* Zero means the default in brackets. Strings are copied. */
struct store_turn_cfg {
	/*
	 * sqlite:PATH or a path; postgresql://… (libpq);
	 * redis://[[USER]:PASSWORD@]HOST[:PORT][/DB]; or coturn's words, with "postgresql:" or
	 * "redis:" before them where the dialect does not tell: "host=… dbname=… user=…
	 * password=…", "ip=… dbname=DB port=… user=… password=… connect_timeout=S".
	 */
	const char *url;
	enum store_dialect dialect;
	unsigned pool_threads;       /* and connections [2], at most POOL_THREADS_MAX */
	uint32_t queue_max;          /* lookups that wait [1024] */
	uint32_t connect_timeout_ms; /* [3000] */
	uint32_t query_timeout_ms;   /* also how long a lookup may wait in the queue [2000] */
	uint32_t rows_max;           /* most rows in an answer [65536] */
	uint32_t userhash_users;     /* most users that can be found by USERHASH [262144] */
	/* Make what is missing: the SQLite file, the tables in an empty PostgreSQL database. */
	bool may_create;
};

enum store_turn_kind {
	STORE_TURN_USER,    /* key of (realm, name): `key` */
	/*
	 * Key and name of the user whose USERHASH (RFC 8489 §14.4) is name, 32 bytes: `key`, `username`. No database
	 * has a column for it: each thread keeps an index of all names, made anew for an unknown hash at most every
	 * 5 s, so that made-up hashes cost nothing.
	 */
	STORE_TURN_USERHASH,
	STORE_TURN_NAMES,   /* all users of all realms: rows USER */
	STORE_TURN_SECRETS, /* REST secrets of realm: rows SECRET */
	STORE_TURN_OAUTH,   /* RFC 7635 key of kid = name; realm is not looked at: `oauth` */
	STORE_TURN_REALMS,  /* of all realms: rows ALLOWED_PEER, DENIED_PEER, OPTION, ORIGIN */
};

enum {
	STORE_KEY_MAX = 32,
	STORE_IKM_MAX = 128,
	STORE_NAME_MAX = 512, /* bytes of a realm, user or kid: longer ones exist in no database */
};

/* Long-term key: 16 bytes MD5 or 32 bytes SHA-256 (RFC 8489 §9.2.2). */
struct store_turn_key {
	uint8_t bytes[STORE_KEY_MAX];
	size_t n;
};

struct store_turn_oauth {
	uint8_t ikm[STORE_IKM_MAX]; /* decoded from base64 */
	size_t ikm_n;
	uint64_t timestamp_s; /* start of the key's life, Unix time; 0 = always */
	uint64_t lifetime_s;  /* 0 = for ever */
	char alg[16];         /* "A256GCM" (also when the column is empty) or "A128GCM" */
	char realm[STORE_NAME_MAX + 1]; /* "" = the default realm */
};

enum store_row_kind {
	STORE_ROW_SECRET,
	STORE_ROW_ALLOWED_PEER,
	STORE_ROW_DENIED_PEER,
	STORE_ROW_OPTION,
	STORE_ROW_ORIGIN,
	STORE_ROW_USER
};

/* The texts are as they stand in the database and have been checked for nothing but UTF-8 without NUL. */
struct store_row {
	enum store_row_kind kind;
	const char *realm; /* "" = the default realm */
	const char *name;  /* OPTION: max-bps, user-quota, total-quota or another; ORIGIN: as turnadmin
			      writes it, "http://example.org:80"; USER; else "" */
	const char *value; /* secret, address range "a", "a-b" or CIDR, the option's value; else "" */
	uint64_t number;   /* OPTION: the value; rows whose value is no number are left out and logged */
};

struct store_turn_answer {
	enum store_turn_kind kind;
	/*
	 * 0: found. -ERR_NOT_FOUND: there is no such user or kid (lists: 0 with no rows).
	 * -ERR_MALFORMED: the stored value is no key. -ERR_TOO_LARGE: more than rows_max.
	 * -ERR_SYSTEM: the database failed or is down, -ERR_TIMEOUT: the lookup waited too long;
	 * both mean: answer 500 and do not cache.
	 */
	int err;
	struct store_turn_key key;
	const char *username; /* of a USERHASH */
	struct store_turn_oauth oauth;
	const struct store_row *rows;
	size_t rows_n;
};

struct store_turn;

/* Who asks: `done` runs on the thread that drains `reply_to`, with that drain's receiver. */
struct store_turn_ask {
	struct mbox *reply_to; /* borrowed, outlives the store */
	uint64_t id;           /* the asker's own, handed to done */
	/* `a` is borrowed for the call; what it holds is wiped after it. */
	void (*done)(void *receiver, uint64_t id, const struct store_turn_answer *a);
};

/*
 * Checks the configuration and starts the threads; connects to nothing yet. 0 and *out owned, -ERR_CONFIG with a
 * sentence that shows no password, or -ERR_SYSTEM. (A file or server that is missing shows at the first lookup.)
 */
MUST_CHECK int store_turn_open(
	const struct store_turn_cfg *cfg, struct store_turn **out, struct errbuf *eb);

/*
 * Any thread; copies realm and name. 0: `done` will be called once (never, if the mailbox or the store closes
 * first). -ERR_AGAIN: the queue is full, nothing will be called.
 */
MUST_CHECK int store_turn_lookup(struct store_turn *s, const struct store_turn_ask *ask,
	enum store_turn_kind kind, struct slice realm, struct slice name);

/* "SQLite", "PostgreSQL" or "Redis". */
const char *store_turn_backend(const struct store_turn *s);

/* Waits for the lookups that run, at most connect_timeout_ms + query_timeout_ms. Accepts NULL. */
void store_turn_free(struct store_turn *s);
