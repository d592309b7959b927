/* YAML text to a small tree, by the events of libyaml. Everything that could make it grow is bounded or refused. */
#include <string.h>
#include <yaml.h>

#include "base/map.h"
#include "base/mem.h"
#include "config/config_internal.h"

struct reader {
	yaml_parser_t parser;
	const char *name;
	struct errbuf *eb;
	size_t nodes;
	unsigned depth;
};

static int fail(struct reader *r, size_t line, const char *what)
{
	return config_fail(r->eb, &(struct config_where){r->name, line, NULL}, "%s", what);
}

static int next(struct reader *r, yaml_event_t *ev)
{
	if (yaml_parser_parse(&r->parser, ev))
		return 0;
	const struct config_where w = {r->name, r->parser.problem_mark.line + 1, NULL};
	return config_fail(r->eb, &w, "not valid YAML: %s%s%s", r->parser.problem ? r->parser.problem : "bad bytes",
		r->parser.context ? ", " : "", r->parser.context ? r->parser.context : "");
}

/* Anchors make bombs of aliases, tags change what a value means: no configuration needs either. */
static int refuse_extras(struct reader *r, const yaml_event_t *ev)
{
	const yaml_char_t *anchor = NULL, *tag = NULL;
	switch (ev->type) {
	case YAML_SCALAR_EVENT:
		anchor = ev->data.scalar.anchor;
		tag = ev->data.scalar.tag;
		break;
	case YAML_SEQUENCE_START_EVENT:
		anchor = ev->data.sequence_start.anchor;
		tag = ev->data.sequence_start.tag;
		break;
	case YAML_MAPPING_START_EVENT:
		anchor = ev->data.mapping_start.anchor;
		tag = ev->data.mapping_start.tag;
		break;
	default: break;
	}
	size_t line = ev->start_mark.line + 1;
	if (anchor || ev->type == YAML_ALIAS_EVENT)
		return fail(r, line, "YAML anchors and aliases are not accepted; write the value out");
	if (tag)
		return fail(r, line, "YAML tags are not accepted; write the plain value");
	return 0;
}

static bool is_null(const yaml_event_t *ev)
{
	static const char *const words[] = {"", "~", "null", "Null", "NULL"};
	if (ev->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp((const char *)ev->data.scalar.value, words[i]) == 0)
			return true;
	return false;
}

static int take_scalar(struct reader *r, const yaml_event_t *ev, struct config_node *node)
{
	const char *text = (const char *)ev->data.scalar.value;
	if (strlen(text) != ev->data.scalar.length)
		return fail(r, node->line, "a value holds a NUL character");
	node->kind = CONFIG_SCALAR;
	node->is_null = is_null(ev);
	node->text = xstrdup(text);
	return 0;
}

static struct config_node *add_item(struct config_node *node)
{
	if ((node->n & (node->n - 1)) == 0)
		node->items =
			xrealloc(node->items, (node->n ? 2 * node->n : 1) * sizeof *node->items);
	struct config_node *item = &node->items[node->n++];
	*item = (struct config_node){0};
	return item;
}

static int take_node(struct reader *r, const yaml_event_t *ev, struct config_node *node);

static int take_items(struct reader *r, struct config_node *node, yaml_event_type_t end)
{
	for (;;) {
		yaml_event_t ev;
		int err = next(r, &ev);
		if (err)
			return err;
		bool is_end = ev.type == end;
		if (!is_end)
			err = take_node(r, &ev, add_item(node));
		yaml_event_delete(&ev);
		if (err || is_end)
			return err;
	}
}

static int check_keys(struct reader *r, const struct config_node *node)
{
	struct map seen;
	map_init(&seen);
	int err = 0;
	for (size_t i = 0; i + 1 < node->n && !err; i += 2) {
		struct config_node *key = &node->items[i];
		const struct config_where w = {r->name, key->line, NULL};
		if (key->kind != CONFIG_SCALAR) {
			err = config_fail(r->eb, &w, "a key must be a plain word");
			break;
		}
		const struct config_node *first = map_put(&seen, slice_str(key->text), key);
		char quoted[CONFIG_QUOTE_CAP];
		if (first)
			err = config_fail(r->eb, &w, "%s is set twice, first in line %zu; remove one",
				config_quote(key->text, quoted), first->line);
	}
	map_free(&seen);
	return err;
}

static int take_node(struct reader *r, const yaml_event_t *ev, struct config_node *node)
{
	node->line = ev->start_mark.line + 1;
	int err = refuse_extras(r, ev);
	if (err)
		return err;
	if (++r->nodes > CONFIG_NODES_MAX)
		return fail(r, node->line, "too many values for a configuration");
	if (ev->type == YAML_SCALAR_EVENT)
		return take_scalar(r, ev, node);
	if (r->depth == CONFIG_DEPTH_MAX)
		return fail(r, node->line, "nested too deeply for a configuration");
	r->depth++;
	if (ev->type == YAML_SEQUENCE_START_EVENT) {
		node->kind = CONFIG_SEQUENCE;
		err = take_items(r, node, YAML_SEQUENCE_END_EVENT);
	} else {
		node->kind = CONFIG_MAPPING;
		err = take_items(r, node, YAML_MAPPING_END_EVENT);
		if (!err)
			err = check_keys(r, node);
	}
	r->depth--;
	return err;
}

/* stream start, document start, root, document end, stream end */
static int take_stream(struct reader *r, struct config_node *root)
{
	bool has_root = false;
	for (bool at_end = false; !at_end;) {
		yaml_event_t ev;
		int err = next(r, &ev);
		if (err)
			return err;
		switch (ev.type) {
		case YAML_STREAM_END_EVENT: at_end = true; break;
		case YAML_STREAM_START_EVENT:
		case YAML_DOCUMENT_START_EVENT:
		case YAML_DOCUMENT_END_EVENT: break;
		default:
			if (has_root)
				err = fail(r, ev.start_mark.line + 1,
					"more than one YAML document; keep the first only");
			else
				err = take_node(r, &ev, root);
			has_root = true;
		}
		yaml_event_delete(&ev);
		if (err)
			return err;
	}
	return 0;
}

int config_yaml_read(
	struct config_node *root, struct slice text, const char *name, struct errbuf *eb)
{
	struct reader r = {.name = name, .eb = eb};
	*root = (struct config_node){.kind = CONFIG_MAPPING, .line = 1};
	if (text.n > CONFIG_BYTES_MAX)
		return fail(&r, 0, "larger than 1 MiB, too large for a configuration");
	if (!yaml_parser_initialize(&r.parser))
		return fail(&r, 0, "libyaml did not start");
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r.parser, text.n ? text.p : (const uint8_t *)"", text.n);
	int err = take_stream(&r, root);
	yaml_parser_delete(&r.parser);
	if (err)
		config_node_free(root);
	return err;
}

void config_node_free(struct config_node *node)
{
	for (size_t i = 0; i < node->n; i++)
		config_node_free(&node->items[i]);
	xfree(node->items);
	if (node->text)
		secret_wipe(node->text, strlen(node->text)); /* it may be one */
	xfree(node->text);
	*node = (struct config_node){.kind = CONFIG_MAPPING};
}
