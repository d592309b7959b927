/* What people read: the configuration in force, docs/config.md and the list of flags. */
#include <string.h>

#include "config/config_internal.h"

static bool is_shown(const struct config_row *row)
{
	return !row->alias_of && row->type != CONFIG_IGNORED && row->type != CONFIG_REFUSED;
}

/* Length of the part before the n-th dot; SIZE_MAX if there is none. */
static size_t section_len(const char *path, unsigned n)
{
	const char *p = path;
	for (; (p = strchr(p, '.')); p++)
		if (!n--)
			return (size_t)(p - path);
	return SIZE_MAX;
}

/* The headers of those sections of a path that the path before it was not in; then the indent of the key itself. */
static const char *print_sections(struct buf *out, const char *before, const char *path)
{
	unsigned depth = 0;
	size_t from = 0, n;
	for (; (n = section_len(path, depth)) != SIZE_MAX; depth++) {
		bool is_open = strncmp(before, path, n + 1) == 0;
		if (!is_open)
			buf_printf(out, "%*s%.*s:\n", (int)(2 * depth), "", (int)(n - from), path + from);
		from = n + 1;
	}
	buf_printf(out, "%*s", (int)(2 * depth), "");
	return path + from;
}

void config_print(const struct config *cfg, struct buf *out)
{
	const char *before = "";
	for (size_t i = 0; i < config_rows_n; i++) {
		const struct config_row *row = &config_rows[i];
		if (!is_shown(row))
			continue;
		buf_printf(out, "%s: ", print_sections(out, before, row->path));
		config_value_print(cfg, row, false, out);
		buf_add_byte(out, '\n');
		before = row->path;
	}
}

static const char *type_text(const struct config_row *row)
{
	static const char *const texts[CONFIG_TYPE_N] = {
		[CONFIG_BOOL] = "true, false",
		[CONFIG_COUNT] = "number",
		[CONFIG_PORT] = "port",
		[CONFIG_PORTS] = "port or range",
		[CONFIG_DURATION] = "time",
		[CONFIG_SIZE] = "size",
		[CONFIG_STR] = "text",
		[CONFIG_SECRET] = "secret",
		[CONFIG_FILE] = "file",
		[CONFIG_ENUM] = "one of",
		[CONFIG_IP] = "IP address",
		[CONFIG_STR_LIST] = "list of texts",
		[CONFIG_IP_LIST] = "list of IP addresses",
		[CONFIG_CIDR_LIST] = "list of address blocks",
		[CONFIG_SECRET_LIST] = "list of secrets",
		[CONFIG_SECRET_MAP] = "key: secret",
		[CONFIG_OBJECTS] = "list of",
	};
	return texts[row->type];
}

/* "a, b, c" of the values that an enum has, or of the members of an object. */
static void print_values(struct buf *out, const struct config_row *row)
{
	if (row->type == CONFIG_ENUM || (row->type == CONFIG_STR && row->choices)) {
		for (size_t i = 0; row->choices[i]; i++)
			buf_printf(out, "%s%s", i ? ", " : "", row->choices[i]);
		return;
	}
	buf_add_str(out, type_text(row));
	if (row->type == CONFIG_OBJECTS) {
		for (size_t i = 0; i < row->object->n; i++)
			buf_printf(out, "%s%s", i ? ", " : " {", row->object->rows[i].path);
		buf_add_byte(out, '}');
	}
	if (row->type == CONFIG_COUNT && row->max)
		buf_printf(out, " %llu–%llu", (unsigned long long)row->min, (unsigned long long)row->max);
}

static bool has_secret_name(const struct config_row *row)
{
	return row->type == CONFIG_SECRET || row->type == CONFIG_SECRET_LIST ||
	       row->type == CONFIG_SECRET_MAP;
}

static const char *default_text(const struct config_row *row)
{
	if (row->alias_of || has_secret_name(row) || !row->init)
		return "–";
	return row->type == CONFIG_OBJECTS ? "all" : row->init;
}

static void print_docs_row(struct buf *out, const struct config_row *row)
{
	buf_printf(out, "| `%s`%s | %s | ", row->path, row->flags & ROW_OURS ? " *" : "", default_text(row));
	print_values(out, row);
	buf_printf(out, " | %s | %s%s", row->flags & ROW_RELOAD ? "yes" : "no",
		row->flags & ROW_IDLE ? "*Without effect yet.* " : "", row->help);
	for (size_t i = 0; i < config_names_n; i++) {
		const struct config_name *name = &config_names[i];
		if (strcmp(name->path, row->path) != 0)
			continue;
		if (name->flag)
			buf_printf(out, " Also `--%s`", name->flag);
		if (name->env)
			buf_printf(out, "%s `%s`", name->flag ? " and" : " Also", name->env);
		buf_add_byte(out, '.');
	}
	buf_add_str(out, " |\n");
	for (size_t i = 0; row->type == CONFIG_OBJECTS && i < row->object->n; i++) {
		const struct config_row *part = &row->object->rows[i];
		buf_printf(out, "| `%s[].%s` | %s | ", row->path, part->path, default_text(part));
		print_values(out, part);
		buf_printf(out, " | | %s |\n", part->help);
	}
}

static bool same_section(const char *a, const char *b)
{
	size_t na = strcspn(a, "."), nb = strcspn(b, ".");
	if (!a[na] || !b[nb])
		return !a[na] && !b[nb];
	return na == nb && strncmp(a, b, na) == 0;
}

static void print_docs_section(struct buf *out, size_t first)
{
	const char *path = config_rows[first].path;
	size_t n = strcspn(path, ".");
	if (path[n])
		buf_printf(out, "\n## %.*s\n\n", (int)n, path);
	else
		buf_add_str(out, "\n## Top level\n\n");
	buf_add_str(out, "| Key | Default | Values | Reload | Meaning |\n|---|---|---|---|---|\n");
	for (size_t i = first; i < config_rows_n; i++) {
		const struct config_row *row = &config_rows[i];
		if (row->type != CONFIG_IGNORED && row->type != CONFIG_REFUSED &&
			same_section(row->path, path))
			print_docs_row(out, row);
	}
}

static void print_docs_type(struct buf *out, enum config_type type)
{
	for (size_t i = 0; i < config_rows_n; i++)
		if (config_rows[i].type == type)
			buf_printf(out, "| `%s` | %s |\n", config_rows[i].path, config_rows[i].help);
}

static const char docs_intro[] =
	"# Configuration\n\n"
	"*Made from the table in `src/config/table.c` by `sterna config docs`; do not edit.*\n\n"
	"Sterna reads one YAML file with the keys of LiveKit's server; a `*` marks keys of its own. Start it\n"
	"with `sterna serve --config FILE`; without a file, flags and environment are enough. `sterna config\n"
	"check` tests a configuration, `sterna config show` prints the one in force, secrets hidden.\n\n"
	"Each key can be set in four places; the first that has it wins:\n\n"
	"1. a flag, `--` and the key: `--rtc.udp_port 7882-7889` (`--rtc.use_ice_lite` alone means true),\n"
	"2. a variable, `LIVEKIT_` and the key in capitals with `_` for dots: `LIVEKIT_RTC_UDP_PORT`,\n"
	"3. YAML: the text of `--config-body` or `LIVEKIT_CONFIG`, or else the file of `--config`,\n"
	"4. the default.\n\n"
	"In flags and variables, lists are separated by commas, and maps and lists of objects are YAML, such\n"
	"as `LIVEKIT_KEYS='key: secret'`. A list flag may be repeated. An empty variable counts as not set.\n\n"
	"`--dev` starts a server to try things out on one machine: see `development`.\n"
	"`--disable-strict-config` turns errors about unknown keys into warnings.\n\n"
	"**Values.** A time is a number with a unit (`500ms`, `5s`, `1m30s`, `6h`); where the text names a\n"
	"unit, a number alone will do. A size is a number of bytes or one with `KiB`, `MiB`, `GiB`. *Reload*:\n"
	"whether `SIGHUP` applies a change; the others take effect with a restart.\n\n"
	"A mistake is answered with one line that names the place and the remedy, and exit code 2:\n\n"
	"```\n"
	"config.yaml:12: rtc.udp_port: \"abc\" is not a port; use a number from 1 to 65535 or a range such as "
	"7882-7889\n"
	"```\n";

void config_print_docs(struct buf *out)
{
	buf_add_str(out, docs_intro);
	for (size_t i = 0; i < config_rows_n; i++) {
		const struct config_row *row = &config_rows[i];
		bool is_first = is_shown(row);
		for (size_t j = 0; j < i && is_first; j++)
			is_first = !same_section(config_rows[j].path, row->path);
		if (is_first)
			print_docs_section(out, i);
	}
	buf_add_str(out, "\n## Refused when true\n\nGoing on without these would do what nobody asked for.\n\n"
		"| Key | What to do |\n|---|---|\n");
	print_docs_type(out, CONFIG_REFUSED);
	buf_add_str(out, "\n## Accepted without effect\n\nKeys and sections of LiveKit's that "
			 "change nothing here; each that is "
			 "set gives one line of warning.\n\n| Key | Why |\n|---|---|\n");
	print_docs_type(out, CONFIG_IGNORED);
}

static void print_help_row(struct buf *out, const struct config_row *row)
{
	buf_printf(out, "  --%-42s ", row->path);
	print_values(out, row);
	if (!has_secret_name(row) && row->init && row->type != CONFIG_OBJECTS)
		buf_printf(out, " (%s)", row->init);
	buf_add_byte(out, '\n');
}

void config_print_help(struct buf *out)
{
	buf_add_str(out,
		"  --config FILE            YAML file\n"
		"  --config-body YAML       YAML text instead of a file; also LIVEKIT_CONFIG\n"
		"  --dev                    try it out on this machine: loopback only, key devkey, secret secret\n"
		"  --disable-strict-config  unknown keys are warnings, not errors\n");
	for (size_t i = 0; i < config_names_n; i++) {
		const struct config_name *name = &config_names[i];
		if (name->flag && config_row_find(name->path)->type != CONFIG_IGNORED)
			buf_printf(out, "  --%-22s same as --%s%s%s\n", name->flag, name->path,
				name->env ? "; also " : "", name->env ? name->env : "");
	}
	buf_add_str(out, "\nEvery key is a flag and a variable (--rtc.udp_port, LIVEKIT_RTC_UDP_PORT); docs/config.md "
		"explains them:\n\n");
	for (size_t i = 0; i < config_rows_n; i++)
		if (is_shown(&config_rows[i]))
			print_help_row(out, &config_rows[i]);
}
