/* Files: what is made, what is left alone, and what a kill -9 leaves behind. */
#include "cm.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/macros.h"
#include "store/store_internal.h"
#include "store/turn_admin.h"

static char dir[64], path[128], url[160];

static int fresh_dir(void **st)
{
	(void)st;
	(void)snprintf(dir, sizeof dir, "/tmp/sterna-sqlite.XXXXXX");
	if (!mkdtemp(dir))
		return 1;
	(void)snprintf(path, sizeof path, "%s/a.db", dir);
	(void)snprintf(url, sizeof url, "sqlite:%s", path);
	return 0;
}

static int remove_dir(void **st)
{
	static const char *const names[] = {"a.db", "a.db-wal", "a.db-shm", "a.db-journal"};
	char name[200];
	(void)st;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		(void)snprintf(name, sizeof name, "%s/%s", dir, names[i]);
		(void)unlink(name);
	}
	return rmdir(dir);
}

static int number(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *st;
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	int v = sqlite3_column_int(st, 0);
	sqlite3_finalize(st);
	return v;
}

static sqlite3 *open_as(bool may_create, bool may_write)
{
	const struct store_open o = {path, 5000, may_create, may_write};
	struct errbuf eb = {""};
	sqlite3 *db;
	if (store_sqlite_open(&o, &db, &eb) != 0)
		fail_msg("%s", eb.text);
	return db;
}

static void refused(bool may_create, const char *why)
{
	const struct store_open o = {path, 5000, may_create, false};
	struct errbuf eb = {""};
	sqlite3 *db;
	assert_int_equal(store_sqlite_open(&o, &db, &eb), -ERR_SYSTEM);
	assert_null(db);
	if (!strstr(eb.text, why))
		fail_msg("%s", eb.text);
}

static void write_file(const char *bytes, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	assert_int_equal(write(fd, bytes, n), (ssize_t)n);
	close(fd);
}

static void own_file(void **st)
{
	struct stat file;
	(void)st;
	refused(false, "there is no");
	sqlite3 *db = open_as(true, false);
	assert_int_equal(stat(path, &file), 0);
	assert_int_equal(file.st_mode & 0777, 0600);
	assert_int_equal(number(db, "PRAGMA user_version"), (int)store_migrations_n);
	assert_int_equal(number(db, "PRAGMA application_id"), STORE_APPLICATION_ID);
	assert_int_equal(number(db, "SELECT count(*) FROM turnusers_lt"), 0);
	assert_int_equal(sqlite3_exec(db, "DELETE FROM turnusers_lt", NULL, NULL, NULL), SQLITE_READONLY);
	sqlite3_close(db);
	enum store_file kind;
	assert_int_equal(store_file_kind(path, &kind, NULL), 0);
	assert_int_equal(kind, STORE_FILE_OURS);
	db = open_as(false, true);
	sqlite3_stmt *mode;
	assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA journal_mode", -1, &mode, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(mode), SQLITE_ROW);
	assert_string_equal((const char *)sqlite3_column_text(mode, 0), "wal");
	sqlite3_finalize(mode);
	assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	refused(true, "newer Sterna (schema 99");
}

/* coturn's file: not a byte of it changes. */
static void foreign_file(void **st)
{
	sqlite3 *db;
	struct stat before, after;
	(void)st;
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db,
				 "CREATE TABLE turnusers_lt (realm varchar(127) default '', name "
				 "varchar(512), "
				 "hmackey char(128), PRIMARY KEY (realm,name))",
				 NULL, NULL, NULL),
		SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(stat(path, &before), 0);
	db = open_as(true, false);
	assert_int_equal(number(db, "SELECT count(*) FROM turnusers_lt"), 0);
	assert_int_equal(
		sqlite3_exec(db, "INSERT INTO turnusers_lt VALUES ('r','u','k')", NULL, NULL, NULL),
		SQLITE_READONLY);
	sqlite3_close(db);
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(after.st_mtim.tv_nsec, before.st_mtim.tv_nsec);
	assert_int_equal(after.st_mtim.tv_sec, before.st_mtim.tv_sec);
	assert_int_equal(after.st_mode, before.st_mode);
}

static void what_is_no_database(void **st)
{
	(void)st;
	static const char zeros[4096];
	write_file("keys:\n", 6);
	refused(true, "is no SQLite database");
	write_file(zeros, sizeof zeros);
	refused(true, "is no SQLite database");
	write_file("SQLite format 3", 16);
	refused(true, "is no SQLite database");
	unlink(path);
	assert_int_equal(mkdir(path, 0700), 0);
	refused(true, "is no file");
	assert_int_equal(rmdir(path), 0);
	write_file("", 0); /* what a kill between creating and filling it leaves */
	sqlite3_close(open_as(true, false));
}

/* A step that fails leaves the one before it; a later program goes on from there. */
static void steps(void **st)
{
	static const struct store_migration broken[] = {{1, "CREATE TABLE a (x)"},
		{2, "CREATE TABLE b (x); CREATE TABLE a (x)"}},
					    good[] = {{1, "CREATE TABLE a (x)"},
						    {2, "CREATE TABLE b (x)"},
						    {3, "INSERT INTO b VALUES (7)"}};
	struct errbuf eb = {""};
	sqlite3 *db;
	(void)st;
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(store_migrate_sqlite(db, broken, 2, &eb), -ERR_SYSTEM);
	assert_non_null(strstr(eb.text, "already exists"));
	assert_int_equal(number(db, "PRAGMA user_version"), 1);
	assert_int_equal(number(db, "SELECT count(*) FROM sqlite_master"), 1);
	assert_int_equal(store_migrate_sqlite(db, good, 3, &eb), 0);
	assert_int_equal(store_migrate_sqlite(db, good, 3, &eb), 0);
	assert_int_equal(number(db, "PRAGMA user_version"), 3);
	assert_int_equal(number(db, "SELECT sum(x) FROM b"), 7);
	sqlite3_close(db);
}

/* Adds users for ever and tells of each that was added. */
static void add_for_ever(int out)
{
	struct store_admin *a;
	bool existed;
	if (store_admin_open(url, true, &a, NULL) != 0)
		_exit(1);
	for (uint32_t i = 0;; i++) {
		char user[16];
		(void)snprintf(user, sizeof user, "u%u", i);
		const struct store_admin_user u = {"r", user, "p", STORE_KEY_MD5};
		if (store_admin_add(a, &u, &existed, NULL) != 0 ||
			write(out, &i, sizeof i) != sizeof i)
			_exit(1);
	}
}

/* Killed at any moment, of the first start too: the file is whole, and what was acknowledged is there. */
static void killed_at_any_moment(void **st)
{
	(void)st;
	for (unsigned round = 0; round < 40; round++) {
		int pipes[2];
		uint32_t told = 0, n = 0;
		assert_int_equal(pipe(pipes), 0);
		pid_t child = fork();
		if (child == 0) {
			add_for_ever(pipes[1]);
			_exit(0);
		}
		close(pipes[1]);
		if (round % 2)
			assert_int_equal(read(pipes[0], &n, sizeof n), sizeof n);
		usleep(round * 397);
		kill(child, SIGKILL);
		int status;
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSIGNALED(status));
		for (told = round % 2; read(pipes[0], &n, sizeof n) == sizeof n;)
			told++;
		close(pipes[0]);
		sqlite3 *db = open_as(true, false);
		assert_int_equal(number(db, "SELECT count(*) FROM pragma_integrity_check WHERE "
					    "integrity_check = 'ok'"),
			1);
		assert_true(number(db, "SELECT count(*) FROM turnusers_lt") >= (int)told);
		assert_int_equal(number(db, "PRAGMA user_version"), (int)store_migrations_n);
		sqlite3_close(db);
		if (round < 20) { /* the first start again */
			remove_dir(NULL);
			assert_int_equal(mkdir(dir, 0700), 0);
		}
	}
}

/* What another process sees of this one's locks: while there is none, it may clear the write-ahead log away. */
static bool is_locked(void)
{
	int status;
	pid_t child = fork();
	if (child == 0) {
		struct flock l = {.l_type = F_WRLCK,
			.l_whence = SEEK_SET,
			.l_start = 0x40000002,
			.l_len = 510};
		int fd = open(path, O_RDWR | O_CLOEXEC);
		_exit(fd >= 0 && fcntl(fd, F_GETLK, &l) == 0 && l.l_type == F_UNLCK ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return status != 0;
}

static void another_connection_takes_no_lock_away(void **st)
{
	(void)st;
	sqlite3 *first = open_as(true, true);
	assert_int_equal(number(first, "SELECT count(*) FROM turnusers_lt"), 0);
	assert_true(is_locked());
	sqlite3 *second = open_as(true, false);
	assert_true(is_locked());
	sqlite3_close(second);
	assert_true(is_locked());
	sqlite3_close(first);
	assert_false(is_locked());
}

int main(void)
{
#define IN_DIR(test) cmocka_unit_test_setup_teardown(test, fresh_dir, remove_dir)
	const struct CMUnitTest tests[] = {
		IN_DIR(own_file),
		IN_DIR(foreign_file),
		IN_DIR(what_is_no_database),
		IN_DIR(steps),
		IN_DIR(another_connection_takes_no_lock_away),
		IN_DIR(killed_at_any_moment),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
