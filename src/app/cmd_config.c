#include <stdio.h>
#include <string.h>

#include "app/app.h"
#include "base/suggest.h"

static const char more[] =
	"  check  tell whether the configuration is good; warnings go to stderr\n"
	"  show   print the configuration in force as YAML, secrets hidden\n"
	"  docs   print docs/config.md\n";

static int check(const struct config *cfg, struct buf *out)
{
	for (size_t i = 0; i < cfg->warnings.n; i++)
		(void)fprintf(stderr, "warning: %s\n", cfg->warnings.str[i]);
	struct errbuf eb;
	if (config_require_keys(cfg, &eb))
		return app_fail(APP_USAGE, &eb);
	buf_add_str(out, "the configuration is good\n");
	return APP_OK;
}

static int show(const struct config *cfg, struct buf *out)
{
	config_print(cfg, out);
	return APP_OK;
}

static const struct {
	const char *name;
	int (*run)(const struct config *cfg, struct buf *out);
} verbs[] = {{"check", check}, {"show", show}, {"docs", NULL}};

static int fail_verb(const struct args *a)
{
	struct errbuf eb;
	if (!a->words_n) {
		(void)err_set(&eb, ERR_CONFIG, "write sterna config check, show or docs");
		return app_fail(APP_USAGE, &eb);
	}
	struct suggest near;
	suggest_init(&near, a->words[0]);
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		suggest_add(&near, verbs[i].name);
	(void)err_set(&eb, ERR_CONFIG, "unknown \"config %.64s\"; %s%s%s", a->words[0],
		near.best ? "did you mean config " : "use check, show or docs", near.best ? near.best : "",
		near.best ? "?" : "");
	return app_fail(APP_USAGE, &eb);
}

static int run_verb(struct args *a, size_t verb)
{
	struct config *cfg = NULL;
	struct buf out;
	buf_init(&out, APP_OUTPUT_MAX);
	int code = APP_OK;
	if (!verbs[verb].run)
		config_print_docs(&out);
	else if ((code = app_load(a, &cfg)) == APP_OK)
		code = verbs[verb].run(cfg, &out);
	config_free(cfg);
	if (code == APP_OK)
		return app_output(&out);
	buf_free(&out);
	return code;
}

int app_config(const struct app_command *self, size_t argc, char *const *argv)
{
	static const struct args_spec spec = {.has_config = true, .words_max = 1};
	struct args a = {0};
	struct errbuf eb;
	int code;
	size_t verb = 0;
	if (args_parse(&a, &spec, argc, argv, &eb)) {
		code = app_fail(APP_USAGE, &eb);
	} else if (a.wants_help) {
		code = app_help(self, &spec, more);
	} else {
		while (verb < ARRAY_LEN(verbs) &&
			(!a.words_n || strcmp(verbs[verb].name, a.words[0]) != 0))
			verb++;
		code = verb < ARRAY_LEN(verbs) ? run_verb(&a, verb) : fail_verb(&a);
	}
	config_source_free(&a.src);
	return code;
}
