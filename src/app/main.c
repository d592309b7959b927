#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/app.h"
#include "base/suggest.h"

static int run_help(const struct app_command *self, size_t argc, char *const *argv);

static const struct app_command commands[] = {
	{"serve", "sterna serve [flags]", "run the server", app_serve},
	{"turn", "sterna turn [flags] | sterna turn sessions list|close [flags]",
		"run the TURN server alone, or look at its sessions", app_turn},
	{"token", "sterna token create --room ROOM --identity ID [flags]", "make an access token",
		app_token},
	{"user", "sterna user add|list|delete --realm REALM --user NAME [flags]",
		"manage the users of the TURN server", app_user},
	{"config", "sterna config check|show|docs [flags]", "test or print the configuration",
		app_config},
	{"version", "sterna version", "print the versions of the program and its libraries",
		app_version},
	{"help", "sterna help [command]", "explain a command", run_help},
};

static const struct app_command *find_command(const char *name, struct errbuf *eb)
{
	struct suggest near;
	suggest_init(&near, name);
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
		suggest_add(&near, commands[i].name);
	}
	(void)err_set(eb, ERR_NOT_FOUND, "unknown command \"%.64s\"; %s%s%s", name, near.best ? "did you mean " : "",
		near.best ? near.best : "sterna help lists them", near.best ? "?" : "");
	return NULL;
}

int app_fail(int code, const struct errbuf *eb)
{
	(void)fprintf(stderr, "sterna: %s\n", eb->text);
	return code;
}

int app_output(struct buf *out)
{
	bool is_done = !out->full && fwrite(buf_cstr(out), 1, out->n, stdout) == out->n &&
		       fflush(stdout) == 0;
	buf_free(out);
	if (is_done)
		return APP_OK;
	struct errbuf eb;
	(void)err_set(&eb, ERR_SYSTEM, "cannot write to standard output: %m");
	return app_fail(APP_FAILED, &eb);
}

int app_help(const struct app_command *self, const struct args_spec *spec, const char *more)
{
	struct buf out;
	buf_init(&out, APP_OUTPUT_MAX);
	buf_printf(&out, "%s\n\n%s\n", self->usage, self->summary);
	if (more)
		buf_printf(&out, "\n%s", more);
	if (spec->options_n)
		buf_add_str(&out, "\nFlags:\n");
	args_print_options(spec, &out);
	if (spec->has_config) {
		buf_add_str(&out, "\nConfiguration flags:\n");
		config_print_help(&out);
	}
	return app_output(&out);
}

int app_load(struct args *a, struct config **cfg)
{
	struct errbuf eb;
	a->src.env = environ;
	return config_load(&a->src, cfg, &eb) ? app_fail(APP_USAGE, &eb) : APP_OK;
}

static int print_commands(void)
{
	struct buf out;
	buf_init(&out, APP_OUTPUT_MAX);
	buf_add_str(&out, "sterna: real-time audio, video and data for groups, by the LiveKit protocol\n\n");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		buf_printf(&out, "  %-8s %s\n", commands[i].name, commands[i].summary);
	buf_add_str(&out, "\nStart with: sterna serve --dev\nMore about a command: sterna help COMMAND\n");
	return app_output(&out);
}

static int run_help(const struct app_command *self, size_t argc, char *const *argv)
{
	(void)self;
	struct errbuf eb;
	if (argc == 0 || argv[0][0] == '-')
		return print_commands();
	const struct app_command *cmd = find_command(argv[0], &eb);
	if (!cmd)
		return app_fail(APP_USAGE, &eb);
	char *const help[] = {(char[]){"--help"}};
	return cmd->run == run_help ? print_commands() : cmd->run(cmd, ARRAY_LEN(help), help);
}

int main(int argc, char **argv)
{
	struct errbuf eb;
	if (argc < 2) {
		(void)err_set(&eb, ERR_CONFIG, "a command is missing; sterna help lists them");
		return app_fail(APP_USAGE, &eb);
	}
	const char *name = argv[1];
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
		name = "help";
	else if (strcmp(name, "--version") == 0)
		name = "version";
	const struct app_command *cmd = find_command(name, &eb);
	return cmd ? cmd->run(cmd, (size_t)argc - 2, argv + 2) : app_fail(APP_USAGE, &eb);
}
