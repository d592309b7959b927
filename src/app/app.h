/*
 * app: the subcommands of the binary. main.c holds the table; each command reads its arguments with args.h, gets its
 * settings from config/ and does its work through the modules below.
 */
#pragma once
#include <stddef.h>
#include "app/args.h"
#include "base/buf.h"

enum { APP_OK = 0, APP_FAILED = 1, APP_USAGE = 2 }; /* exit codes; 2 = wrong arguments or configuration */

enum { APP_OUTPUT_MAX = 4 << 20 };

struct app_command {
	const char *name, *usage, *summary;
	/* The arguments behind the command's name. Returns an exit code; has told the user about errors. */
	int (*run)(const struct app_command *self, size_t argc, char *const *argv);
};

int app_serve(const struct app_command *self, size_t argc, char *const *argv);
int app_turn(const struct app_command *self, size_t argc, char *const *argv);
int app_token(const struct app_command *self, size_t argc, char *const *argv);
int app_user(const struct app_command *self, size_t argc, char *const *argv);
int app_config(const struct app_command *self, size_t argc, char *const *argv);
int app_version(const struct app_command *self, size_t argc, char *const *argv);

/* Prints "sterna: <text>" on stderr and returns the code. */
int app_fail(int code, const struct errbuf *eb);

/* Writes the buffer to stdout and frees it. APP_OK, or APP_FAILED if stdout does not take it all. */
int app_output(struct buf *out);

/* Prints usage, summary and options; `more` (may be NULL) is appended. */
int app_help(const struct app_command *self, const struct args_spec *spec, const char *more);

/* config_load with this process's environment; wrong configurations have been told to the user. Exit code. */
int app_load(struct args *a, struct config **cfg);
