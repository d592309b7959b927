/* sterna user add|list|delete: the TURN users of an SQLite store. */
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "app/app.h"
#include "base/mem.h"
#include "base/suggest.h"
#include "store/turn_admin.h"
#include "store/turn_users.h"

enum { LINE_MAX_BYTES = 1024 };

struct request {
	const char *db, *realm, *user, *password;
	enum store_key_kind kind;
};

static const char more[] = "  add     add a user or change the password\n"
			   "  list    print the users, one per line: realm, tab, name\n"
			   "  delete  remove a user; allocations that exist stay\n"
			   "\n"
			   "Without --password it is read from standard input: others cannot see "
			   "it in the list of processes then. Only the\n"
			   "key made of it is stored. A running server sees changes when its "
			   "cached answer has aged.\n";

/* ---- options: `at` is an offset in struct request */

static int set_text(const struct args_option *o, void *arg, const char *value, struct errbuf *eb)
{
	(void)eb;
	*(const char **)(void *)((char *)arg + o->at) = value;
	return 0;
}

static int set_algorithm(
	const struct args_option *o, void *arg, const char *value, struct errbuf *eb)
{
	struct request *r = arg;
	if (strcmp(value, "md5") != 0 && strcmp(value, "sha256") != 0)
		return err_set(eb, ERR_CONFIG, "--%s: \"%.32s\" is not known; use md5 or sha256", o->name, value);
	r->kind = *value == 'm' ? STORE_KEY_MD5 : STORE_KEY_SHA256;
	return 0;
}

#define R(member) offsetof(struct request, member)

static const struct args_option options[] = {
	{"realm", "REALM", "realm of the user; list: only this one", set_text, R(realm)},
	{"user", "NAME", "name of the user", set_text, R(user)},
	{"password", "TEXT", "password; else it is read from standard input", set_text, R(password)},
	{"db", "URL", "the store (" STORE_DEFAULT_URL "); a file of coturn's will do", set_text, R(db)},
	{"algorithm", "NAME", "md5 (all clients) or sha256 (only clients of RFC 8489)", set_algorithm, 0},
};

static int need(const char *value, const char *what, struct errbuf *eb)
{
	return value && *value ? 0 : err_set(eb, ERR_CONFIG, "--%s is missing", what);
}

/* One line, without its end. Not shown while it is typed. */
static int read_password(char line[LINE_MAX_BYTES], struct errbuf *eb)
{
	struct termios before, quiet;
	bool is_terminal = tcgetattr(STDIN_FILENO, &before) == 0;
	if (is_terminal) {
		quiet = before;
		quiet.c_lflag &= ~(tcflag_t)ECHO;
		(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
		(void)fputs("password: ", stderr);
	}
	const char *got = fgets(line, LINE_MAX_BYTES, stdin);
	if (is_terminal) {
		(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
		(void)fputs("\n", stderr);
	}
	if (got)
		line[strcspn(line, "\r\n")] = '\0';
	return got && *line ? 0
			    : err_set(eb, ERR_CONFIG,
				      "there is no password: neither --password nor a line on "
				      "standard input");
}

static int add(struct store_admin *a, const struct request *r, struct buf *out, struct errbuf *eb)
{
	bool existed;
	const struct store_admin_user u = {r->realm, r->user, r->password, r->kind};
	int err = store_admin_add(a, &u, &existed, eb);
	if (!err)
		buf_printf(out, existed ? "changed the password of %s in %s\n" : "added %s to %s\n", r->user, r->realm);
	return err;
}

static int delete_user(
	struct store_admin *a, const struct request *r, struct buf *out, struct errbuf *eb)
{
	int err = store_admin_delete(a, r->realm, r->user, eb);
	if (!err)
		buf_printf(out, "deleted %s from %s\n", r->user, r->realm);
	return err;
}

static void print_user(void *arg, const char *realm, const char *user)
{
	buf_printf(arg, "%s\t%s\n", realm, user);
}

static int list_users(
	struct store_admin *a, const struct request *r, struct buf *out, struct errbuf *eb)
{
	return store_admin_list(a, r->realm, print_user, out, eb);
}

static const struct verb {
	const char *name;
	int (*run)(
		struct store_admin *a, const struct request *r, struct buf *out, struct errbuf *eb);
	bool needs_user, needs_password, may_create;
} verbs[] = {
	{"add", add, true, true, true},
	{"list", list_users, false, false, false},
	{"delete", delete_user, true, false, false},
};

static const struct verb *find_verb(const struct args *a, struct errbuf *eb)
{
	if (!a->words_n) {
		(void)err_set(eb, ERR_CONFIG, "write sterna user add, list or delete");
		return NULL;
	}
	struct suggest near;
	suggest_init(&near, a->words[0]);
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		if (strcmp(verbs[i].name, a->words[0]) == 0)
			return &verbs[i];
		suggest_add(&near, verbs[i].name);
	}
	(void)err_set(eb, ERR_CONFIG, "unknown \"user %.64s\"; %s%s%s", a->words[0],
		near.best ? "did you mean user " : "use add, list or delete", near.best ? near.best : "",
		near.best ? "?" : "");
	return NULL;
}

static int run_verb(const struct verb *v, struct request *r)
{
	struct errbuf eb;
	char line[LINE_MAX_BYTES] = "";
	struct store_admin *admin = NULL;
	struct buf out;
	if (v->needs_user && (need(r->realm, "realm", &eb) || need(r->user, "user", &eb)))
		return app_fail(APP_USAGE, &eb);
	if (v->needs_password && !r->password) {
		if (read_password(line, &eb))
			return app_fail(APP_USAGE, &eb);
		r->password = line;
	}
	buf_init(&out, APP_OUTPUT_MAX);
	int err = store_admin_open(r->db, v->may_create, &admin, &eb);
	if (!err)
		err = v->run(admin, r, &out, &eb);
	store_admin_close(admin);
	secret_wipe(line, sizeof line);
	if (!err)
		return app_output(&out);
	buf_free(&out);
	return app_fail(err == -ERR_CONFIG || err == -ERR_RANGE ? APP_USAGE : APP_FAILED, &eb);
}

int app_user(const struct app_command *self, size_t argc, char *const *argv)
{
	struct request r = {.db = STORE_DEFAULT_URL};
	const struct args_spec spec = {options, ARRAY_LEN(options), false, 1, &r};
	struct args a = {0};
	struct errbuf eb;
	if (args_parse(&a, &spec, argc, argv, &eb))
		return app_fail(APP_USAGE, &eb);
	if (a.wants_help)
		return app_help(self, &spec, more);
	const struct verb *v = find_verb(&a, &eb);
	return v ? run_verb(v, &r) : app_fail(APP_USAGE, &eb);
}
