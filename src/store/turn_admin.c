#include "store/turn_admin.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "store/store_internal.h"

enum { BUSY_MS = 5000, PASSWORD_MAX = 512 };

struct store_admin {
	sqlite3 *db;
};

int store_admin_open(const char *url, bool may_create, struct store_admin **out, struct errbuf *eb)
{
	struct store_dsn d;
	*out = NULL;
	int err = store_dsn_parse(&d, url, STORE_BY_URL, eb);
	if (err)
		return err;
	sqlite3 *db = NULL;
	if (d.dialect != STORE_SQLITE) {
		err = err_set(eb, ERR_CONFIG,
			"users can be changed in SQLite files only; for %s use its own tools or "
			"coturn's turnadmin",
			store_backend_of(&d)->name);
	} else {
		const struct store_open o = {d.path, BUSY_MS, may_create, true};
		err = store_sqlite_open(&o, &db, eb);
	}
	store_dsn_free(&d);
	if (err)
		return err;
	*out = XNEW(struct store_admin);
	(*out)->db = db;
	return 0;
}

static int fail(struct store_admin *a, struct errbuf *eb)
{
	return err_set(eb, ERR_SYSTEM, "SQLite: %s", sqlite3_errmsg(a->db));
}

static int prepare(struct store_admin *a, const char *sql, const char *const *param, size_t n,
	sqlite3_stmt **st, struct errbuf *eb)
{
	if (sqlite3_prepare_v2(a->db, sql, -1, st, NULL) != SQLITE_OK)
		return fail(a, eb);
	for (size_t i = 0; i < n; i++)
		if (sqlite3_bind_text(*st, (int)i + 1, param[i], -1, SQLITE_TRANSIENT) != SQLITE_OK)
			return fail(a, eb);
	return 0;
}

/* Runs a statement that gives no rows. */
static int change(struct store_admin *a, const char *sql, const char *const *param, size_t n,
	struct errbuf *eb)
{
	sqlite3_stmt *st = NULL;
	int err = prepare(a, sql, param, n, &st, eb);
	if (!err && sqlite3_step(st) != SQLITE_DONE)
		err = fail(a, eb);
	(void)sqlite3_finalize(st);
	return err;
}

static int check_text(const char *what, const char *s, size_t max, struct errbuf *eb)
{
	size_t n = strlen(s);
	if (n == 0 || n > max)
		return err_set(eb, ERR_RANGE, "the %s has %zu bytes; 1 to %zu are possible", what, n, max);
	if (!utf8_is_text(slice_str(s)))
		return err_set(eb, ERR_RANGE, "the %s is not UTF-8", what);
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] < ' ' || s[i] == 0x7f)
			return err_set(eb, ERR_RANGE, "the %s has a control character", what);
	return 0;
}

static int hash(
	const struct store_admin_user *u, char hex[2 * STORE_KEY_MAX + 1], struct errbuf *eb)
{
	const char *const parts[] = {u->user, ":", u->realm, ":", u->password};
	const EVP_MD *md = u->kind == STORE_KEY_SHA256 ? EVP_sha256() : EVP_md5();
	uint8_t key[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool done = ctx && EVP_DigestInit_ex(ctx, md, NULL);
	for (size_t i = 0; i < ARRAY_LEN(parts) && done; i++)
		done = EVP_DigestUpdate(ctx, parts[i], strlen(parts[i]));
	done = done && EVP_DigestFinal_ex(ctx, key, &n) && n <= STORE_KEY_MAX;
	EVP_MD_CTX_free(ctx);
	for (unsigned i = 0; i < n && done; i++)
		(void)snprintf(hex + 2 * (size_t)i, 3, "%02x", key[i]);
	secret_wipe(key, sizeof key);
	return done ? 0 : err_set(eb, ERR_CRYPTO, "the key cannot be computed: OpenSSL refuses the hash");
}

static int exists(
	struct store_admin *a, const struct store_admin_user *u, bool *yes, struct errbuf *eb)
{
	const char *const param[] = {u->realm, u->user};
	sqlite3_stmt *st = NULL;
	int err = prepare(a, "SELECT 1 FROM turnusers_lt WHERE realm = ?1 AND name = ?2", param, 2, &st, eb);
	int rc = err ? SQLITE_DONE : sqlite3_step(st);
	*yes = rc == SQLITE_ROW;
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		err = fail(a, eb);
	(void)sqlite3_finalize(st);
	return err;
}

int store_admin_add(
	struct store_admin *a, const struct store_admin_user *u, bool *existed, struct errbuf *eb)
{
	char hex[2 * STORE_KEY_MAX + 1] = "";
	int err = check_text("realm", u->realm, STORE_NAME_MAX, eb);
	if (!err)
		err = check_text("user name", u->user, STORE_NAME_MAX, eb);
	if (!err)
		err = check_text("password", u->password, PASSWORD_MAX, eb);
	if (!err)
		err = hash(u, hex, eb);
	if (!err)
		err = change(a, "BEGIN IMMEDIATE", NULL, 0, eb);
	if (err)
		return err;
	const char *const param[] = {u->realm, u->user, hex};
	err = exists(a, u, existed, eb);
	if (!err)
		err = change(a,
			"INSERT OR REPLACE INTO turnusers_lt (realm, name, hmackey) VALUES (?1, "
			"?2, ?3)",
			param, 3, eb);
	if (!err)
		err = change(a, "COMMIT", NULL, 0, eb);
	if (err)
		(void)change(a, "ROLLBACK", NULL, 0, NULL);
	secret_wipe(hex, sizeof hex);
	return err;
}

int store_admin_delete(
	struct store_admin *a, const char *realm, const char *user, struct errbuf *eb)
{
	const char *const param[] = {realm, user};
	int err = change(a, "DELETE FROM turnusers_lt WHERE realm = ?1 AND name = ?2", param, 2, eb);
	if (!err && sqlite3_changes(a->db) == 0)
		err = err_set(eb, ERR_NOT_FOUND, "there is no user \"%.200s\" in realm \"%.200s\"", user, realm);
	return err;
}

int store_admin_list(struct store_admin *a, const char *realm,
	void (*each)(void *arg, const char *realm, const char *user), void *arg, struct errbuf *eb)
{
	const char *const param[] = {realm};
	const char *sql = realm ? "SELECT realm, name FROM turnusers_lt WHERE realm = ?1 ORDER BY name"
				: "SELECT realm, name FROM turnusers_lt ORDER BY realm, name";
	sqlite3_stmt *st = NULL;
	int err = prepare(a, sql, param, realm != NULL, &st, eb), rc = SQLITE_DONE;
	while (!err && (rc = sqlite3_step(st)) == SQLITE_ROW) {
		const char *r = (const char *)sqlite3_column_text(st, 0),
			   *u = (const char *)sqlite3_column_text(st, 1);
		each(arg, r ? r : "", u ? u : "");
	}
	if (!err && rc != SQLITE_DONE)
		err = fail(a, eb);
	(void)sqlite3_finalize(st);
	return err;
}

void store_admin_close(struct store_admin *a)
{
	if (!a)
		return;
	(void)sqlite3_close(a->db);
	xfree(a);
}
