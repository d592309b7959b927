/* sterna turn: the TURN server alone, and what an administrator asks a running one. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/app.h"
#include "app/process.h"
#include "app/turn_run.h"
#include "app/turn_sessions.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/coturn.h"

static const char more[] =
	"  sterna turn [flags]                  the TURN server alone\n"
	"  sterna turn sessions list [flags]    the sessions of a running server\n"
	"  sterna turn sessions close ID        ends one\n"
	"  sterna turn options                  coturn's options and what becomes of them, as in "
	"docs/coturn.md\n"
	"\n"
	"  --coturn-config FILE, -c FILE        a turnserver.conf of coturn's; its options are "
	"flags too: --min-port 49152,\n"
	"                                       -u name:password, … (docs/coturn.md)\n"
	"\nSIGHUP reads the configuration again, SIGTERM and SIGUSR1 drain, SIGINT stops.\n";

/* The arguments, for the first start and for each reload. */
struct turn_args {
	size_t argc;
	char *const *argv;
	bool wants_help;
};

/* One reading of them. */
struct reading {
	struct config_source src;
	struct coturn coturn;
	struct config *cfg;
};

static void reading_free(struct reading *r)
{
	config_free(r->cfg);
	coturn_free(&r->coturn);
	config_source_free(&r->src);
}

/* The value behind one of the names of --coturn-config; NULL if `arg` is another argument. */
static const char *coturn_file(const char *arg, const char *next, bool *used_next)
{
	static const char name[] = "--coturn-config";
	size_t n = sizeof name - 1;
	*used_next = false;
	if (strncmp(arg, name, n) == 0 && arg[n] == '=')
		return arg + n + 1;
	if (strcmp(arg, name) != 0 && strcmp(arg, "-c") != 0)
		return NULL;
	*used_next = next;
	return next ? next : "";
}

static int fail_unknown(const char *arg, struct errbuf *eb)
{
	const char *name = arg + strspn(arg, "-");
	const char *near = coturn_suggest(name);
	if (!near)
		near = config_suggest_flag(name);
	return err_set(eb, ERR_CONFIG, "unknown argument %.64s%s%s%s", arg, near ? "; did you mean --" : "",
		near ? near : "", near ? "?" : "");
}

/* One argument that is no file of coturn's. Coturn's options come first: none is a flag of ours. */
static int take(
	struct reading *r, const char *arg, const char *next, bool *used_next, struct errbuf *eb)
{
	int err = coturn_argument(&r->coturn, arg, next, used_next, eb);
	if (err != -ERR_NOT_FOUND || strncmp(arg, "--", 2) != 0)
		return err == -ERR_NOT_FOUND ? fail_unknown(arg, eb) : err;
	char name[128];
	size_t n = strcspn(arg + 2, "=");
	(void)snprintf(name, sizeof name, "%.*s", (int)MIN(n, sizeof name), arg + 2);
	const char *value = arg[2 + n] ? arg + 2 + n + 1 : NULL;
	err = config_source_flag(&r->src, name, value, next, used_next, eb);
	return err == -ERR_NOT_FOUND ? fail_unknown(arg, eb) : err;
}

/* Files first: the command line wins over them, wherever it names them. */
static int read_arguments(struct reading *r, struct turn_args *a, struct errbuf *eb)
{
	int err = 0;
	bool used_next;
	r->src.env = environ;
	r->coturn.src = &r->src;
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < a->argc && !err; i += 1u + used_next) {
			const char *next = i + 1 < a->argc ? a->argv[i + 1] : NULL;
			const char *file = coturn_file(a->argv[i], next, &used_next);
			if (strcmp(a->argv[i], "-h") == 0 || strcmp(a->argv[i], "--help") == 0)
				a->wants_help = true;
			else if (file && !*file)
				err = err_set(eb, ERR_CONFIG, "%s: a file is missing behind it", a->argv[i]);
			else if (file && pass == 0)
				err = coturn_read_file(&r->coturn, file, eb);
			else if (!file && pass == 1)
				err = take(r, a->argv[i], next, &used_next, eb);
		}
	}
	return err;
}

static int read_all(struct reading *r, struct turn_args *a, struct errbuf *eb)
{
	int err = read_arguments(r, a, eb);
	if (err || a->wants_help)
		return err;
	config_source_set(&r->src, "turn.enabled", "true", "sterna turn");
	err = coturn_finish(&r->coturn, eb);
	return err ? err : config_load(&r->src, &r->cfg, eb);
}

static int load_again(void *arg, struct config **out, struct errbuf *eb)
{
	struct reading r = {0};
	int err = read_all(&r, arg, eb);
	if (!err) {
		*out = r.cfg;
		r.cfg = NULL;
	}
	reading_free(&r);
	return err;
}

static int run(const struct reading *r, struct turn_args *a)
{
	struct errbuf eb;
	const struct turn_run_source source = {load_again, a};
	if (process_open_log(&r->coturn.process, &eb) != 0)
		return app_fail(APP_USAGE, &eb);
	log_set_level(r->cfg->logging.level);
	log_set_format(r->cfg->logging.format);
	for (size_t i = 0; i < r->coturn.notes.n; i++)
		LOG_WARN("coturn option", F_STR("note", r->coturn.notes.str[i]));
	for (size_t i = 0; i < r->cfg->warnings.n; i++)
		LOG_WARN("configuration", F_STR("warning", r->cfg->warnings.str[i]));
	int err = turn_run(r->cfg, &source, &r->coturn.process, &eb);
	return err ? app_fail(err == -ERR_CONFIG ? APP_USAGE : APP_FAILED, &eb) : APP_OK;
}

static int print_options(void)
{
	struct buf out;
	buf_init(&out, APP_OUTPUT_MAX);
	coturn_print_docs(&out);
	return app_output(&out);
}

int app_turn(const struct app_command *self, size_t argc, char *const *argv)
{
	if (argc && strcmp(argv[0], "sessions") == 0)
		return turn_sessions(self, argc - 1, argv + 1);
	if (argc && strcmp(argv[0], "options") == 0)
		return print_options();
	static const struct args_spec spec = {.has_config = true};
	struct turn_args a = {argc, argv, false};
	struct reading r = {0};
	struct errbuf eb;
	int code;
	if (read_all(&r, &a, &eb))
		code = app_fail(APP_USAGE, &eb);
	else if (a.wants_help)
		code = app_help(self, &spec, more);
	else
		code = run(&r, &a);
	reading_free(&r);
	return code;
}
