/*
 * coturn: the options of coturn's turnserver, from its configuration file and its command line, turned into keys of
 * ours. Not a copy of its behaviour: what is safer here stays so, and each option that does nothing or cannot be
 * followed is named with its reason. docs/coturn.md is made from the table in coturn_table.c.
 *
 * For `sterna turn`; main thread, before anything else runs.
 */
#pragma once
#include "config/config.h"

/* What becomes of the process; strings are owned, NULL = not asked for. */
struct coturn_process {
	char *pid_file, *user, *group, *log_file, *syslog_facility;
	bool syslog;
	uint32_t drain_min_allocations; /* a drain ends when no more than these are left */
};

/* Zero it before use, but for `src`: settings are added there (config_source_free gives them back). */
struct coturn {
	struct config_source *src;
	struct coturn_process process;
	struct config_list notes; /* str: one sentence for each option that has no effect, for the log */

	/* Options that mean something only together; see coturn_finish. */
	bool prometheus, use_auth_secret, has_secret, has_userdb, oauth, has_server_name, rfc5780,
		no_rfc5780;
	bool has_min_port, has_max_port, has_realm, has_threads, has_file;
	char *realm, *prometheus_port, *cpus;
	struct config_list listening_ips; /* str */
};

/*
 * Reads turnserver.conf: a line is `key`, `key value` or `key=value`, with blanks around it, quotes around the value;
 * # begins a comment line; later lines win, and those that may be repeated add up. `name` is for messages.
 * -ERR_CONFIG with one line in eb: file and line, the option, what is wrong, what is perhaps meant.
 */
MUST_CHECK int coturn_read(
	struct coturn *c, struct slice text, const char *name, struct errbuf *eb);

/* coturn_read of a file. */
MUST_CHECK int coturn_read_file(struct coturn *c, const char *path, struct errbuf *eb);

/*
 * Takes one argument of the command line: "--key", "--key=value", "--key value", "-k value", "-kvalue", "-abc".
 * *used_next says whether `next` was its value. 0; -ERR_NOT_FOUND if coturn has no such option (eb untouched);
 * -ERR_CONFIG.
 */
MUST_CHECK int coturn_argument(
	struct coturn *c, const char *arg, const char *next, bool *used_next, struct errbuf *eb);

/* After the last option: settles what several decide together. */
MUST_CHECK int coturn_finish(struct coturn *c, struct errbuf *eb);

/* Frees what c holds, not c->src. */
void coturn_free(struct coturn *c);

/* The option nearest to a misspelt one, or NULL. Static. */
const char *coturn_suggest(const char *name);

/* Appends the table of all options for docs/coturn.md. */
void coturn_print_docs(struct buf *out);
