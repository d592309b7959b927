/* The table is complete: each row can be set in each way, is printed, documented, compared and reloaded. */
#include "cm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "config/config_internal.h"

static bool is_value(const struct config_row *row)
{
	return !row->alias_of && row->type != CONFIG_IGNORED && row->type != CONFIG_REFUSED;
}

static const struct config_row *target(const struct config_row *row)
{
	return row->alias_of ? config_row_find(row->alias_of) : row;
}

/* A value that is good for the row and is not its default, in the syntax of flags and of YAML at once. */
static void other_value(const struct config_row *row, char out[256])
{
	static const char *const texts[CONFIG_TYPE_N] = {
		[CONFIG_PORT] = "4711",
		[CONFIG_PORTS] = "4700-4710",
		[CONFIG_STR] = "word",
		[CONFIG_SECRET] = "hush",
		[CONFIG_IP] = "192.0.2.9",
		[CONFIG_STR_LIST] = "[\"one:1\", \"two:2\"]",
		[CONFIG_IP_LIST] = "[\"192.0.2.9\", \"2001:db8::9\"]",
		[CONFIG_CIDR_LIST] = "[\"192.0.2.0/24\", \"2001:db8::/32\"]",
		[CONFIG_SECRET_LIST] = "[\"hush\", \"hush too\"]",
		[CONFIG_SECRET_MAP] = "{\"name\": \"hush\"}",
	};
	/* Texts that must be addresses, or one character. */
	static const char *const special[][2] = {
		{"turn.allow_restricted_peer_cidrs", "[\"10.0.0.0/8\"]"},
		{"turn.deny_peer_cidrs", "[\"10.0.0.1-10.0.0.9\"]"},
		{"turn.allowed_peers", "[\"2001:db8::1\"]"},
		{"turn.denied_peers", "[\"10.0.0.0/8\", \"10.0.0.1\"]"},
		{"turn.external_ips", "[\"192.0.2.1/10.0.0.1\", \"192.0.2.2\"]"},
		{"webrtc.stun_urls", "[\"stun:one:1\", \"stuns:two:2\"]"},
		{"webrtc.turn_urls", "[\"turn:one:1\", \"turns:two:2\"]"},
		{"turn.rest_separator", "_"},
		{"turn.alternate_server", "192.0.2.1:3478"},
		{"turn.listen", "[{address: \"192.0.2.1\", port: 1, tls: false}]"},
		{"turn.oauth_keys", "[{kid: k, key: \"MDEyMzQ1Njc4OTAxMjM0NQ==\"}]"},
	};
	row = target(row);
	for (size_t i = 0; i < ARRAY_LEN(special); i++) {
		if (!strcmp(row->path, special[i][0])) {
			snprintf(out, 256, "%s", special[i][1]);
			return;
		}
	}
	uint64_t n = row->min ? row->min : 1;
	switch (row->type) {
	case CONFIG_BOOL: snprintf(out, 256, "%s", row->init && !strcmp(row->init, "true") ? "false" : "true"); return;
	case CONFIG_ENUM: snprintf(out, 256, "%s", row->choices[strcmp(row->choices[0], row->init) == 0]); return;
	case CONFIG_DURATION: snprintf(out, 256, "%lluus", (unsigned long long)(n + 3)); return;
	case CONFIG_COUNT:
	case CONFIG_SIZE: snprintf(out, 256, "%llu", (unsigned long long)(n + 3)); return;
	case CONFIG_OBJECTS:
		snprintf(out, 256, "[{%s: \"%s\"}]", row->object->rows[0].path,
			row->object->rows[0].choices ? row->object->rows[0].choices[0] : "host");
		return;
	case CONFIG_FILE: snprintf(out, 256, "%s", getenv("KEY_FILE")); return;
	default: snprintf(out, 256, "%s", texts[row->type]); return;
	}
}

/* Rows that are good only together with others. */
static const char *company(const struct config_row *row)
{
	const char *path = target(row)->path;
	if (!strcmp(path, "turn.relay_range_start"))
		return "turn: {relay_range_end: 5000}\n";
	if (!strcmp(path, "turn.relay_range_end"))
		return "turn: {relay_range_start: 4000}\n";
	if (!strcmp(path, "prometheus.username"))
		return "prometheus: {password: p}\n";
	if (!strcmp(path, "prometheus.password"))
		return "prometheus: {username: u}\n";
	return "";
}

static struct config *load(const struct config_source *src)
{
	struct config *cfg = NULL;
	struct errbuf eb = {""};
	int err = config_load(src, &cfg, &eb);
	if (err)
		fail_msg("%s", eb.text);
	return cfg;
}

static void assert_set(const struct config *cfg, const struct config_row *row)
{
	struct config_source none = {0};
	struct config *plain = load(&none);
	if (config_value_eq(cfg, plain, target(row)))
		fail_msg("%s was not set", row->path);
	config_free(plain);
}

static void each_row_is_set_by_flag(void **st)
{
	(void)st;
	for (size_t i = 0; i < config_rows_n; i++) {
		const struct config_row *row = &config_rows[i];
		if (row->type == CONFIG_IGNORED || row->type == CONFIG_REFUSED)
			continue;
		char value[256];
		other_value(row, value);
		struct config_source src = {.body = company(row)};
		bool used_next = false;
		assert_int_equal(
			config_source_flag(&src, row->path, value, NULL, &used_next, NULL), 0);
		struct config *cfg = load(&src);
		assert_set(cfg, row);
		config_free(cfg);
		config_source_free(&src);
	}
}

static void each_row_is_set_by_variable(void **st)
{
	(void)st;
	for (size_t i = 0; i < config_rows_n; i++) {
		const struct config_row *row = &config_rows[i];
		if (row->type == CONFIG_IGNORED || row->type == CONFIG_REFUSED)
			continue;
		char value[256], name[CONFIG_ENV_CAP], text[512];
		other_value(row, value);
		snprintf(text, sizeof text, "%s=%s", config_env_name(row->path, name), value);
		char *const env[] = {text, NULL};
		struct config_source src = {.body = company(row), .env = env};
		struct config *cfg = load(&src);
		assert_set(cfg, row);
		config_free(cfg);
	}
}

/* "a.b.c" and a value as nested YAML. */
static void nest(struct buf *out, const char *path, const char *value)
{
	int depth = 0;
	for (const char *dot; (dot = strchr(path, '.')); path = dot + 1)
		buf_printf(out, "%*s%.*s:\n", 2 * depth++, "", (int)(dot - path), path);
	buf_printf(out, "%*s%s: %s\n", 2 * depth, "", path, value);
}

static void each_row_is_set_by_yaml_and_reloads_as_it_says(void **st)
{
	(void)st;
	struct config_source none = {0};
	struct config *plain = load(&none);
	for (size_t i = 0; i < config_rows_n; i++) {
		const struct config_row *row = &config_rows[i];
		if (row->type == CONFIG_IGNORED || row->type == CONFIG_REFUSED || *company(row))
			continue;
		char value[256];
		other_value(row, value);
		struct buf yaml;
		buf_init(&yaml, 4096);
		nest(&yaml, row->path, value);
		struct config_source src = {.body = buf_cstr(&yaml)};
		struct config *cfg = load(&src);
		assert_set(cfg, row);

		struct config_change changes[CONFIG_ROWS_MAX];
		size_t n = config_diff_reload(plain, cfg, changes, ARRAY_LEN(changes));
		bool is_seen = false;
		for (size_t j = 0; j < n; j++)
			if (!strcmp(changes[j].path, target(row)->path))
				is_seen = changes[j].is_reloadable ==
					  (bool)(target(row)->flags & ROW_RELOAD);
		assert_true(is_seen);

		config_keep_unreloadable(cfg, plain);
		bool is_kept = config_value_eq(cfg, plain, target(row));
		assert_int_equal(is_kept, !(target(row)->flags & ROW_RELOAD));
		/* And the other way round: a value in force survives the reload of a file without it. */
		struct config *running = load(&src), *fresh = load(&none);
		config_keep_unreloadable(fresh, running);
		assert_int_equal(config_value_eq(fresh, running, target(row)),
			!(target(row)->flags & ROW_RELOAD));
		config_free(running);
		config_free(fresh);
		config_free(cfg);
		buf_free(&yaml);
	}
	config_free(plain);
}

static void paths_and_variables_are_unique(void **st)
{
	(void)st;
	for (size_t i = 0; i < config_rows_n; i++) {
		char a[CONFIG_ENV_CAP], b[CONFIG_ENV_CAP];
		config_env_name(config_rows[i].path, a);
		assert_true(strlen(a) + 1 < CONFIG_ENV_CAP);
		for (size_t j = 0; j < i; j++) {
			assert_string_not_equal(config_rows[i].path, config_rows[j].path);
			/* An alias may share the variable of the key it stands for. */
			if (target(&config_rows[i]) != target(&config_rows[j]))
				assert_string_not_equal(a, config_env_name(config_rows[j].path, b));
		}
	}
	for (size_t i = 0; i < config_names_n; i++)
		assert_non_null(config_row_find(config_names[i].path));
}

static void rows_are_in_order(void **st)
{
	(void)st;
	for (size_t i = 0; i < config_rows_n; i++) {
		const struct config_row *row = &config_rows[i];
		assert_true(row->help && strlen(row->help) > 5);
		assert_null(strchr(row->help, '|')); /* it would break the tables of the documentation */
		assert_true(!row->max || row->min <= row->max);
		assert_true((row->type == CONFIG_ENUM) <= (row->choices != NULL));
		assert_true((row->type == CONFIG_OBJECTS) == (row->object != NULL));
		if (row->alias_of)
			assert_true(config_row_find(row->alias_of) &&
				    config_row_find(row->alias_of)->type == row->type);
		/* A key is not a section as well. */
		assert_false(is_value(row) && config_is_section(row->path));
	}
}

/* No two rows write to the same bytes of struct config. */
static void members_are_distinct(void **st)
{
	(void)st;
	for (size_t i = 0; i < config_rows_n; i++)
		for (size_t j = 0; j < i; j++)
			if (is_value(&config_rows[i]) && is_value(&config_rows[j]))
				assert_int_not_equal(config_rows[i].at, config_rows[j].at);
}

static void each_row_is_documented(void **st)
{
	(void)st;
	struct buf docs, help;
	buf_init(&docs, 1 << 20);
	buf_init(&help, 1 << 20);
	config_print_docs(&docs);
	config_print_help(&help);
	for (size_t i = 0; i < config_rows_n; i++) {
		const struct config_row *row = &config_rows[i];
		char text[128];
		snprintf(text, sizeof text, "| `%s`", row->path);
		assert_non_null(strstr(buf_cstr(&docs), text));
		assert_non_null(strstr(buf_cstr(&docs), row->help));
		snprintf(text, sizeof text, "  --%s ", row->path);
		if (is_value(row))
			assert_non_null(strstr(buf_cstr(&help), text));
	}
	buf_free(&docs);
	buf_free(&help);
}

/* What `config show` prints is a configuration that says the same. */
static void printed_configuration_loads_again(void **st)
{
	(void)st;
	for (int is_dev = 0; is_dev < 2; is_dev++) {
		struct config_source src = {
			.dev = is_dev,
			.body = "keys: {a: \"[redacted]\"}\nrtc: {turn_servers: [{host: h, secret: \"[redacted]\"}],\n"
				"  udp_port: 100-200, ips: {includes: [10.0.0.0/8]}}\nregion: \"a\\\"\\\\\\t\\x01b\"\n",
		};
		struct config *cfg = load(&src);
		struct buf shown;
		buf_init(&shown, 1 << 20);
		config_print(cfg, &shown);
		struct config_source again = {.body = buf_cstr(&shown)};
		struct config *second = load(&again);
		struct config_change changes[CONFIG_ROWS_MAX];
		size_t n = config_diff_reload(cfg, second, changes, ARRAY_LEN(changes));
		if (n)
			fail_msg("%zu differ, the first is %s", n, changes[0].path);
		config_free(cfg);
		config_free(second);
		buf_free(&shown);
	}
}

static void secrets_are_not_shown(void **st)
{
	(void)st;
	struct config_source src = {
		.body = "keys: {name: hush-key}\nprometheus: {username: u, password: hush-metrics}\n"
			"rtc: {turn_servers: [{host: h, credential: hush-c, secret: hush-s}]}\n",
	};
	struct config *cfg = load(&src);
	struct buf shown;
	buf_init(&shown, 1 << 20);
	config_print(cfg, &shown);
	assert_null(strstr(buf_cstr(&shown), "hush"));
	assert_non_null(strstr(buf_cstr(&shown), "[redacted]"));
	for (size_t i = 0; i < cfg->warnings.n; i++)
		assert_null(strstr(cfg->warnings.str[i], "hush"));
	buf_free(&shown);
	config_free(cfg);
}

int main(void)
{
	/* A file that key_file and the like can name. */
	char path[] = "/tmp/sterna-key-XXXXXX";
	int fd = mkstemp(path);
	if (fd == -1 || dprintf(fd, "name: hush\n") < 0 || setenv("KEY_FILE", path, 1))
		return 1;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_row_is_set_by_flag),
		cmocka_unit_test(each_row_is_set_by_variable),
		cmocka_unit_test(each_row_is_set_by_yaml_and_reloads_as_it_says),
		cmocka_unit_test(paths_and_variables_are_unique),
		cmocka_unit_test(rows_are_in_order),
		cmocka_unit_test(members_are_distinct),
		cmocka_unit_test(each_row_is_documented),
		cmocka_unit_test(printed_configuration_loads_again),
		cmocka_unit_test(secrets_are_not_shown),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	(void)close(fd);
	(void)unlink(path);
	return failed;
}
