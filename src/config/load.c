/* The sources of a configuration in their order of precedence, put into one struct config. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/suggest.h"
#include "config/config_internal.h"

/* An alias ranks just below the key it stands for. */
enum rank { RANK_DEFAULT, RANK_YAML = 2, RANK_ENV = 4, RANK_FLAG = 6 };

enum { PATH_CAP = 256 };

static struct config_origin *origin_of(struct config_loader *l, const struct config_row *row)
{
	return &l->origin[row - config_rows];
}

struct config_where config_origin_of(const struct config_loader *l, const char *path)
{
	const struct config_row *row = config_row_find(path);
	const struct config_origin *o = &l->origin[row - config_rows];
	return o->rank ? o->where : (struct config_where){.path = row->path};
}

bool config_is_set(const struct config_loader *l, const char *path)
{
	return l->origin[config_row_find(path) - config_rows].rank != RANK_DEFAULT;
}

void config_warn(struct config_loader *l, const struct config_where *w, const char *fmt, ...)
{
	char what[sizeof l->eb->text];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	struct errbuf line;
	(void)config_fail(&line, w, "%s", what);
	config_list_add_str(&l->cfg->warnings, xstrdup(line.text));
}

static void warn_ignored(
	struct config_loader *l, const struct config_row *row, const struct config_where *w)
{
	struct config_origin *o = origin_of(l, row);
	if (!o->rank)
		config_warn(l, w, "ignored: %s", row->help);
	o->rank = RANK_YAML;
}

/*
 * Whether a source of this rank may set the row. Warns if the row is an ignored one, and turns an alias into
 * the row it stands for.
 */
static bool admit(struct config_loader *l, const struct config_row **row, unsigned rank,
	const struct config_where *w)
{
	if ((*row)->type == CONFIG_IGNORED) {
		warn_ignored(l, *row, w);
		return false;
	}
	if ((*row)->alias_of) {
		*row = config_row_find((*row)->alias_of);
		rank--;
	}
	struct config_origin *o = origin_of(l, *row);
	if (o->rank > rank)
		return false;
	*o = (struct config_origin){(uint8_t)rank, *w};
	if ((*row)->flags & ROW_IDLE)
		config_warn(l, w, "without effect: this build does nothing with it yet");
	return true;
}

static int apply_text(struct config_loader *l, const struct config_row *row, const char *text,
	enum rank rank, const char *label)
{
	const struct config_where w = {label, 0, NULL};
	bool append = rank == RANK_FLAG && origin_of(l, row)->rank == RANK_FLAG;
	if (!admit(l, &row, rank, &w))
		return 0;
	return config_value_set_text(l->cfg, row, (struct config_text){text, append}, &w, l->eb);
}

static int apply_defaults(struct config_loader *l)
{
	for (size_t i = 0; i < config_rows_n; i++) {
		const struct config_row *row = &config_rows[i];
		bool is_str = row->type == CONFIG_STR || row->type == CONFIG_SECRET ||
			      row->type == CONFIG_FILE;
		if (row->alias_of || row->type == CONFIG_IGNORED || (!row->init && !is_str))
			continue;
		const struct config_where w = {"default", 0, row->path};
		const struct config_text text = {row->init ? row->init : "", false};
		int err = config_value_set_text(l->cfg, row, text, &w, l->eb);
		if (err)
			return err;
	}
	return 0;
}

/* ---- YAML */

static int unknown_key(struct config_loader *l, const char *path, const struct config_where *w)
{
	struct suggest near;
	suggest_init(&near, path);
	for (size_t i = 0; i < config_rows_n; i++)
		suggest_add(&near, config_rows[i].path);
	char quoted[CONFIG_QUOTE_CAP];
	config_quote(path, quoted);
	if (l->src->lenient) {
		config_warn(l, w, "unknown key %s ignored", quoted);
		return 0;
	}
	if (near.best)
		return config_fail(l->eb, w, "unknown key %s; did you mean %s?", quoted, near.best);
	return config_fail(l->eb, w, "unknown key %s; docs/config.md lists all keys", quoted);
}

/* A section that is switched off, or a feature that is, loses nothing by being ignored. */
static bool is_off(const struct config_node *node)
{
	if (node->kind == CONFIG_SCALAR)
		return node->is_null || strcmp(node->text, "false") == 0;
	if (node->n == 0)
		return true;
	for (size_t i = 0; i + 1 < node->n && node->kind == CONFIG_MAPPING; i += 2) {
		const struct config_node *value = &node->items[i + 1];
		if (strcmp(node->items[i].text, "enabled") == 0 && value->kind == CONFIG_SCALAR &&
			strcmp(value->text, "false") == 0)
			return true;
	}
	return false;
}

static int walk(struct config_loader *l, const struct config_node *map, const char *prefix,
	const char *name);

static int apply_node(
	struct config_loader *l, const struct config_node *key, const char *path, const char *name)
{
	const struct config_node *value = key + 1;
	const struct config_row *row = config_row_find(path);
	struct config_where w = {name, key->line, NULL};
	if (!row && !config_is_section(path))
		return unknown_key(l, path, &w);
	if (!row && value->kind == CONFIG_MAPPING)
		return walk(l, value, path, name);
	if ((value->kind == CONFIG_SCALAR && value->is_null) ||
		(row && row->type == CONFIG_IGNORED && is_off(value)))
		return 0;
	if (!row)
		return config_fail(l->eb, &w, "%s: this is a section; its keys belong below it, indented", path);
	w.path = row->path;
	if (!admit(l, &row, RANK_YAML, &w))
		return 0;
	return config_value_set(l->cfg, row, value, &w, l->eb);
}

static int walk(struct config_loader *l, const struct config_node *map, const char *prefix,
	const char *name)
{
	for (size_t i = 0; i + 1 < map->n; i += 2) {
		char path[PATH_CAP];
		(void)snprintf(path, sizeof path, "%s%s%s", prefix, *prefix ? "." : "", map->items[i].text);
		int err = apply_node(l, &map->items[i], path, name);
		if (err)
			return err;
	}
	return 0;
}

static int apply_yaml(struct config_loader *l, struct slice text, const char *name)
{
	struct config_node root;
	int err = config_yaml_read(&root, text, name, l->eb);
	if (err)
		return err;
	const struct config_where w = {name, root.line, NULL};
	bool is_empty = root.kind == CONFIG_SCALAR && root.is_null;
	if (root.kind != CONFIG_MAPPING && !is_empty)
		err = config_fail(l->eb, &w, "lines such as \"port: 7880\" are needed here");
	else
		err = walk(l, &root, "", name);
	config_node_free(&root);
	return err;
}

/* ---- environment */

/* The value of the variable; NULL if it is not set or empty. */
static const char *env_get(char *const *env, const char *name)
{
	size_t n = strlen(name);
	for (; env && *env; env++)
		if (strncmp(*env, name, n) == 0 && (*env)[n] == '=' && (*env)[n + 1])
			return *env + n + 1;
	return NULL;
}

/* Whether the variable, or one for a key below it, is set. */
static bool env_has_below(char *const *env, const char *name)
{
	size_t n = strlen(name);
	for (; env && *env; env++)
		if (strncmp(*env, name, n) == 0 && ((*env)[n] == '=' || (*env)[n] == '_'))
			return true;
	return false;
}

static int apply_env_row(struct config_loader *l, const struct config_row *row)
{
	char name[CONFIG_ENV_CAP];
	config_env_name(row->path, name);
	if (row->type == CONFIG_IGNORED) {
		const struct config_where w = {name, 0, NULL};
		if (!(row->flags & ROW_NO_ENV) && env_has_below(l->src->env, name))
			warn_ignored(l, row, &w);
		return 0;
	}
	const char *text = env_get(l->src->env, name);
	if (!text)
		return 0;
	char *label = xstrdup(name);
	config_list_add_str(&l->labels, label);
	return apply_text(l, row, text, RANK_ENV, label);
}

static int apply_env(struct config_loader *l)
{
	int err = 0;
	for (size_t i = 0; i < config_names_n && !err; i++) {
		const struct config_name *name = &config_names[i];
		const char *text = name->env ? env_get(l->src->env, name->env) : NULL;
		if (text)
			err = apply_text(l, config_row_find(name->path), text, RANK_ENV, name->env);
	}
	for (size_t i = 0; i < config_rows_n && !err; i++)
		err = apply_env_row(l, &config_rows[i]);
	return err;
}

/* ---- flags */

static const struct config_row *flag_row(const char *name)
{
	for (size_t i = 0; i < config_names_n; i++)
		if (config_names[i].flag && strcmp(config_names[i].flag, name) == 0)
			return config_row_find(config_names[i].path);
	return config_row_find(name);
}

static int need_value(
	const char *name, const char **value, const char *next, bool *used_next, struct errbuf *eb)
{
	if (*value)
		return 0;
	if (!next || strncmp(next, "--", 2) == 0)
		return err_set(eb, ERR_CONFIG, "--%s: a value is missing; write --%s VALUE", name, name);
	*value = next;
	*used_next = true;
	return 0;
}

/* Flags that steer the loading itself. False if the name is none of them. */
static bool take_special(struct config_source *src, const char *name, const char *value)
{
	if (strcmp(name, "config") == 0) {
		src->file = value;
	} else if (strcmp(name, "config-body") == 0) {
		src->body = value;
		src->body_name = "--config-body";
	} else {
		return false;
	}
	return true;
}

static bool take_switch(struct config_source *src, const char *name, const char *value)
{
	bool *at = strcmp(name, "dev") == 0 ? &src->dev
	           : strcmp(name, "disable-strict-config") == 0 ? &src->lenient : NULL;
	if (at)
		*at = !value || strcmp(value, "false") != 0;
	return at;
}

int config_source_flag(struct config_source *src, const char *name, const char *value,
	const char *next, bool *used_next, struct errbuf *eb)
{
	*used_next = false;
	if (take_switch(src, name, value))
		return 0;
	bool is_special = strcmp(name, "config") == 0 || strcmp(name, "config-body") == 0;
	const struct config_row *row = is_special ? NULL : flag_row(name);
	if (!is_special && !row)
		return -ERR_NOT_FOUND;
	bool is_switch = row && (row->type == CONFIG_BOOL || row->type == CONFIG_REFUSED);
	if (is_switch && !value)
		value = "true";
	int err = need_value(name, &value, next, used_next, eb);
	if (err || take_special(src, name, value))
		return err;
	src->flags = xrealloc(src->flags, (src->flags_n + 1) * sizeof *src->flags);
	src->flags[src->flags_n++] = (struct config_flag){xasprintf("--%s", name), value, NULL, NULL};
	return 0;
}

void config_source_set(
	struct config_source *src, const char *path, const char *value, const char *label)
{
	char *owned = xstrdup(value);
	src->flags = xrealloc(src->flags, (src->flags_n + 1) * sizeof *src->flags);
	src->flags[src->flags_n++] = (struct config_flag){xstrdup(label), owned, path, owned};
}

void config_source_free(struct config_source *src)
{
	for (size_t i = 0; i < src->flags_n; i++) {
		struct config_flag *f = &src->flags[i];
		xfree(f->label);
		if (f->owned)
			secret_wipe(f->owned, strlen(f->owned));
		xfree(f->owned);
	}
	xfree(src->flags);
	src->flags = NULL;
	src->flags_n = 0;
}

const char *config_suggest_flag(const char *name)
{
	static const char *const special[] = {"config", "config-body", "dev", "disable-strict-config"};
	struct suggest near;
	suggest_init(&near, name);
	for (size_t i = 0; i < ARRAY_LEN(special); i++)
		suggest_add(&near, special[i]);
	for (size_t i = 0; i < config_names_n; i++)
		if (config_names[i].flag)
			suggest_add(&near, config_names[i].flag);
	for (size_t i = 0; i < config_rows_n; i++)
		suggest_add(&near, config_rows[i].path);
	return near.best;
}

/* ---- all together */

static int apply_body(struct config_loader *l)
{
	const struct config_source *src = l->src;
	const char *body = src->body, *name = src->body_name ? src->body_name : "--config-body";
	if (!body) {
		name = "LIVEKIT_CONFIG";
		body = env_get(src->env, name);
	}
	if (body)
		return apply_yaml(l, slice_str(body), name);
	if (!src->file)
		return 0;
	struct buf text;
	int err = config_file_read(&(struct config_where){0}, src->file, false, &text, l->eb);
	if (err)
		return err;
	err = apply_yaml(l, buf_slice(&text), src->file);
	if (text.n)
		secret_wipe(text.p, text.n);
	buf_free(&text);
	return err;
}

static int apply_flags(struct config_loader *l)
{
	int err = 0;
	if (l->src->dev)
		err = apply_text(l, config_row_find("development"), "true", RANK_FLAG, "--dev");
	for (size_t i = 0; i < l->src->flags_n && !err; i++) {
		const struct config_flag *f = &l->src->flags[i];
		const struct config_row *row =
			f->path ? config_row_find(f->path) : flag_row(f->label + 2);
		err = apply_text(l, row, f->value, RANK_FLAG, f->label);
	}
	return err;
}

/* Other defaults for trying things out on one machine. */
static int apply_dev(struct config_loader *l)
{
	static const char *const texts[][2] = {
		{"logging.level", "debug"},
		{"bind_addresses", "127.0.0.1,::1"},
		{"rtc.enable_loopback_candidate", "true"},
		{"turn.enabled", "true"},
		{"turn.bind_addresses", "127.0.0.1"},
		{"turn.relay_addresses", "127.0.0.1"},
		{"turn.relay_range_start", "30000"},
		{"turn.relay_range_end", "30099"},
		{"turn.allow_loopback_peers", "true"},
	};
	int err = 0;
	for (size_t i = 0; i < ARRAY_LEN(texts) && l->cfg->development && !err; i++) {
		const struct config_where w = {"default", 0, texts[i][0]};
		if (!config_is_set(l, texts[i][0]))
			err = config_value_set_text(l->cfg, config_row_find(texts[i][0]),
				(struct config_text){texts[i][1], false}, &w, l->eb);
	}
	return err;
}

static void free_labels(struct config_loader *l)
{
	for (size_t i = 0; i < l->labels.n; i++)
		xfree(l->labels.str[i]);
	xfree(l->labels.v);
}

int config_load(const struct config_source *src, struct config **out, struct errbuf *eb)
{
	struct errbuf unused;
	struct config_loader l = {.cfg = XNEW(struct config), .src = src, .eb = eb ? eb : &unused};
	int (*const steps[])(struct config_loader *) = {
		apply_defaults, apply_body, apply_env, apply_flags, apply_dev, config_check};
	int err = 0;
	for (size_t i = 0; i < ARRAY_LEN(steps) && !err; i++)
		err = steps[i](&l);
	free_labels(&l);
	if (err)
		config_free(l.cfg);
	else
		*out = l.cfg;
	return err;
}

void config_free(struct config *cfg)
{
	if (!cfg)
		return;
	for (size_t i = 0; i < config_rows_n; i++)
		config_value_free(cfg, &config_rows[i]);
	for (size_t i = 0; i < cfg->warnings.n; i++)
		xfree(cfg->warnings.str[i]);
	xfree(cfg->warnings.v);
	xfree(cfg);
}
