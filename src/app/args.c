#include "app/args.h"

#include <stdio.h>
#include <string.h>

#include "base/suggest.h"

enum { NAME_CAP = 128 };

static const struct args_option *find_option(const struct args_spec *spec, const char *name)
{
	for (size_t i = 0; i < spec->options_n; i++)
		if (strcmp(spec->options[i].name, name) == 0)
			return &spec->options[i];
	return NULL;
}

static int fail_unknown(const struct args_spec *spec, const char *name, struct errbuf *eb)
{
	struct suggest near;
	suggest_init(&near, name);
	for (size_t i = 0; i < spec->options_n; i++)
		suggest_add(&near, spec->options[i].name);
	const char *flag = spec->has_config ? config_suggest_flag(name) : NULL;
	if (flag)
		suggest_add(&near, flag);
	return err_set(eb, ERR_CONFIG, "unknown flag --%s%s%s%s", name, near.best ? "; did you mean --" : "",
		near.best ? near.best : "", near.best ? "?" : "");
}

static int take_option(const struct args_spec *spec, const struct args_option *o, const char *value,
	const char *next, bool *used_next, struct errbuf *eb)
{
	if (!value && !o->value)
		value = "true";
	if (!value) {
		if (!next)
			return err_set(eb, ERR_CONFIG, "--%s: a value is missing; write --%s %s",
				o->name, o->name, o->value);
		value = next;
		*used_next = true;
	}
	return o->set(o, spec->arg, value, eb);
}

/* One "--name", "--name=value" or "--name value". */
static int take_flag(struct args *a, const struct args_spec *spec, const char *arg,
	const char *next, bool *used_next, struct errbuf *eb)
{
	char name[NAME_CAP];
	size_t n = strcspn(arg + 2, "=");
	const char *value = arg[2 + n] ? arg + 2 + n + 1 : NULL;
	(void)snprintf(name, sizeof name, "%.*s", (int)MIN(n, sizeof name), arg + 2);
	if (strcmp(name, "help") == 0) {
		a->wants_help = true;
		return 0;
	}
	const struct args_option *o = find_option(spec, name);
	if (o)
		return take_option(spec, o, value, next, used_next, eb);
	int err = spec->has_config ? config_source_flag(&a->src, name, value, next, used_next, eb)
				   : -ERR_NOT_FOUND;
	return err == -ERR_NOT_FOUND ? fail_unknown(spec, name, eb) : err;
}

static int take_word(
	struct args *a, const struct args_spec *spec, const char *arg, struct errbuf *eb)
{
	if (a->words_n >= spec->words_max || a->words_n >= ARGS_WORDS_CAP)
		return err_set(eb, ERR_CONFIG, "unexpected \"%.64s\"%s", arg,
			*arg == '-' ? "; flags begin with --" : "");
	a->words[a->words_n++] = arg;
	return 0;
}

int args_parse(struct args *a, const struct args_spec *spec, size_t argc, char *const *argv,
	struct errbuf *eb)
{
	for (size_t i = 0; i < argc; i++) {
		bool used_next = false;
		int err = 0;
		if (strcmp(argv[i], "-h") == 0)
			a->wants_help = true;
		else if (strncmp(argv[i], "--", 2) == 0 && argv[i][2])
			err = take_flag(a, spec, argv[i], i + 1 < argc ? argv[i + 1] : NULL,
				&used_next, eb);
		else
			err = take_word(a, spec, argv[i], eb);
		if (err)
			return err;
		i += used_next;
	}
	return 0;
}

void args_print_options(const struct args_spec *spec, struct buf *out)
{
	for (size_t i = 0; i < spec->options_n; i++) {
		const struct args_option *o = &spec->options[i];
		int n = (int)strlen(o->name) + (o->value ? (int)strlen(o->value) + 1 : 0);
		buf_printf(out, "  --%s%s%s%*s %s\n", o->name, o->value ? " " : "", o->value ? o->value : "",
			MAX(0, 28 - n), "", o->help);
	}
}
