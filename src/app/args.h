/* args: the command line of one subcommand: its own options, those of the configuration, and plain words. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"
#include "config/config.h"

struct args_option {
	const char *name;  /* without the dashes */
	const char *value; /* what help calls its value; NULL = a switch, which may have "=true" or "=false" attached */
	const char *help;
	/* Called for each occurrence; `value` is "true" for a bare switch. */
	int (*set)(const struct args_option *o, void *arg, const char *value, struct errbuf *eb);
	size_t at; /* for `set` */
};

struct args_spec {
	const struct args_option *options; /* may be NULL */
	size_t options_n;
	bool has_config;  /* configuration flags are accepted too */
	size_t words_max; /* plain words accepted */
	void *arg;        /* for `set` */
};

enum { ARGS_WORDS_CAP = 4 };

/* Zero it before use. Strings are borrowed from argv. */
struct args {
	struct config_source src; /* give back with config_source_free */
	const char *words[ARGS_WORDS_CAP];
	size_t words_n;
	bool wants_help; /* --help or -h was there */
};

/* 0, or -ERR_CONFIG with one line in eb that names the flag at fault and what was perhaps meant. */
MUST_CHECK int args_parse(struct args *a, const struct args_spec *spec, size_t argc,
	char *const *argv, struct errbuf *eb);

/* Writes the options as help text. */
void args_print_options(const struct args_spec *spec, struct buf *out);
