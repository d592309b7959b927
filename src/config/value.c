/* One value of one row: set from YAML or text, printed, compared, freed. */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/suggest.h"
#include "config/config_internal.h"
#include "config/scalar.h"

enum { STR_MAX = 4096 };

/* What the setters below have in common. */
struct context {
	const struct config_row *row;
	const struct config_where *w;
	struct errbuf *eb;
};

int config_fail(struct errbuf *eb, const struct config_where *w, const char *fmt, ...)
{
	char what[sizeof eb->text];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	char line[24] = "";
	if (w->line)
		(void)snprintf(line, sizeof line, ":%zu", w->line);
	return err_set(eb, ERR_CONFIG, "%s%s%s%s%s%s", w->name ? w->name : "", line, w->name ? ": " : "",
		w->path ? w->path : "", w->path ? ": " : "", what);
}

char *config_quote(const char *text, char out[CONFIG_QUOTE_CAP])
{
	enum { TAIL = sizeof "…\"" };
	size_t n = 0;
	out[n++] = '"';
	for (; *text && n + 4 + TAIL <= CONFIG_QUOTE_CAP; text++) {
		unsigned char c = (unsigned char)*text;
		if (c < ' ' || c == 0x7f)
			n += (size_t)snprintf(out + n, CONFIG_QUOTE_CAP - n, "\\x%02x", c);
		else
			out[n++] = (char)c;
	}
	(void)snprintf(out + n, CONFIG_QUOTE_CAP - n, "%s\"", *text ? "…" : "");
	return out;
}

/* "<value> <what>", for the types whose values are no secrets. */
static int fail_value(const struct context *c, const char *text, const char *what)
{
	char quoted[CONFIG_QUOTE_CAP];
	return config_fail(c->eb, c->w, "%s %s", config_quote(text, quoted), what);
}

static int check_range(const struct context *c, const char *text, uint64_t v, uint64_t type_max)
{
	uint64_t max = c->row->max ? c->row->max : type_max;
	if (v >= c->row->min && v <= max)
		return 0;
	struct buf range;
	buf_init(&range, 128);
	if (c->row->type == CONFIG_DURATION) {
		config_print_duration(&range, c->row->min, 0);
		buf_add_str(&range, " to ");
		config_print_duration(&range, max, 0);
	} else if (c->row->type == CONFIG_SIZE) {
		config_print_size(&range, c->row->min);
		buf_add_str(&range, " to ");
		config_print_size(&range, max);
	} else {
		buf_printf(&range, "%llu to %llu", (unsigned long long)c->row->min, (unsigned long long)max);
	}
	char quoted[CONFIG_QUOTE_CAP];
	int err = config_fail(
		c->eb, c->w, "%s is out of range; use %s", config_quote(text, quoted), buf_cstr(&range));
	buf_free(&range);
	return err;
}

static bool is_unlimited(const struct context *c, const char *text)
{
	return (c->row->flags & ROW_UNLIMITED) && strcmp(text, "-1") == 0;
}

static int set_bool(void *at, const char *text, const struct context *c)
{
	return config_parse_bool(text, at) ? 0 : fail_value(c, text, "is neither true nor false");
}

static int set_count(void *at, const char *text, const struct context *c)
{
	uint64_t v = 0;
	const char *digits = *text == '-' ? text + 1 : text;
	if (!config_parse_u64(digits, &v))
		return fail_value(c, text, "is not a whole number");
	if (digits != text && !is_unlimited(c, text))
		return check_range(c, text, UINT64_MAX, UINT32_MAX);
	*(uint32_t *)at = digits != text ? 0 : (uint32_t)v;
	return digits != text ? 0 : check_range(c, text, v, UINT32_MAX);
}

static int set_port(void *at, const char *text, const struct context *c)
{
	uint64_t v;
	if (!config_parse_u64(text, &v) || v < c->row->min || v > UINT16_MAX)
		return fail_value(c, text, "is not a port; use a number from 1 to 65535");
	*(uint16_t *)at = (uint16_t)v;
	return 0;
}

static int set_ports(void *at, const char *text, const struct context *c)
{
	if (!config_parse_ports(text, at))
		return fail_value(
			c, text, "is not a port; use a number from 1 to 65535 or a range such as 7882-7889");
	return 0;
}

static int set_duration(void *at, const char *text, const struct context *c)
{
	uint64_t us;
	if (!config_parse_duration(text, c->row->bare_us, &us))
		return fail_value(c, text, "is not a time; use a number with a unit, such as 500ms, 5s or 2m");
	*(uint64_t *)at = us;
	return check_range(c, text, us, INT64_MAX);
}

static int set_size(void *at, const char *text, const struct context *c)
{
	uint64_t bytes = 0;
	if (!is_unlimited(c, text) && !config_parse_size(text, &bytes))
		return fail_value(c, text, "is not a size; use bytes, or a number with KiB, MiB or GiB");
	*(uint64_t *)at = bytes;
	return check_range(c, text, bytes, INT64_MAX);
}

static int find_choice(const struct context *c, const char *text, size_t *at)
{
	struct suggest near;
	suggest_init(&near, text);
	struct buf all;
	buf_init(&all, sizeof c->eb->text);
	for (size_t i = 0; c->row->choices[i]; i++) {
		if (strcasecmp(c->row->choices[i], text) == 0) {
			*at = i;
			buf_free(&all);
			return 0;
		}
		suggest_add(&near, c->row->choices[i]);
		buf_printf(&all, "%s%s", i ? ", " : "", c->row->choices[i]);
	}
	char quoted[CONFIG_QUOTE_CAP];
	int err = config_fail(c->eb, c->w, "%s is unknown; %s%s%suse one of %s", config_quote(text, quoted),
		near.best ? "did you mean " : "", near.best ? near.best : "", near.best ? "? " : "", buf_cstr(&all));
	buf_free(&all);
	return err;
}

static int set_enum(void *at, const char *text, const struct context *c)
{
	size_t i = 0;
	int err = find_choice(c, text, &i);
	unsigned v = (unsigned)i;
	if (!err)
		memcpy(at, &v, sizeof v);
	return err;
}

_Static_assert(sizeof(enum log_level) == sizeof(unsigned), "set_enum writes an unsigned");

static int set_str(void *at, const char *text, const struct context *c)
{
	uint64_t max = c->row->max ? c->row->max : STR_MAX;
	if (strlen(text) > max)
		return config_fail(c->eb, c->w, "the text is longer than %llu bytes", (unsigned long long)max);
	size_t i = 0;
	if (c->row->choices) {
		int err = find_choice(c, text, &i);
		if (err)
			return err;
		text = c->row->choices[i];
	}
	char **str = at;
	char *was = *str;
	*str = xstrdup(text);
	if (was)
		secret_wipe(was, strlen(was));
	xfree(was);
	return 0;
}

static int set_ip(void *at, const char *text, const struct context *c)
{
	struct addr a = {0};
	if (*text && addr_parse_ip(&a, slice_str(text), 0))
		return fail_value(c, text, "is not an IP address; use one such as 192.0.2.1 or 2001:db8::1");
	*(struct addr *)at = a;
	return 0;
}

static int set_cidr(void *at, const char *text, const struct context *c)
{
	if (cidr_parse(at, slice_str(text)) != 0)
		return fail_value(c, text, "is not an address block; use one such as 10.0.0.0/8");
	return 0;
}

/* "No" in any of its spellings is what happens anyway. */
static int set_refused(void *at, const char *text, const struct context *c)
{
	bool v;
	if (!config_parse_bool(text, &v))
		return fail_value(c, text, "is neither true nor false");
	return v ? config_fail(c->eb, c->w, "true is not possible: %s", c->row->help) : 0;
}

/* How a type is read. For lists, `set` is for one element; a map and a list of objects have none. */
struct type {
	int (*set)(void *at, const char *text, const struct context *c);
	size_t elem_size; /* 0 = not a list */
};

static const struct type types[CONFIG_TYPE_N] = {
	[CONFIG_BOOL] = {set_bool, 0},
	[CONFIG_COUNT] = {set_count, 0},
	[CONFIG_PORT] = {set_port, 0},
	[CONFIG_PORTS] = {set_ports, 0},
	[CONFIG_DURATION] = {set_duration, 0},
	[CONFIG_SIZE] = {set_size, 0},
	[CONFIG_STR] = {set_str, 0},
	[CONFIG_SECRET] = {set_str, 0},
	[CONFIG_FILE] = {set_str, 0},
	[CONFIG_ENUM] = {set_enum, 0},
	[CONFIG_IP] = {set_ip, 0},
	[CONFIG_STR_LIST] = {set_str, sizeof(char *)},
	[CONFIG_IP_LIST] = {set_ip, sizeof(struct addr)},
	[CONFIG_CIDR_LIST] = {set_cidr, sizeof(struct cidr)},
	[CONFIG_SECRET_LIST] = {set_str, sizeof(char *)},
	[CONFIG_SECRET_MAP] = {NULL, sizeof(struct config_pair)},
	[CONFIG_OBJECTS] = {NULL, 1}, /* the row's object knows */
	[CONFIG_REFUSED] = {set_refused, 0},
};

static size_t elem_size(const struct config_row *row)
{
	return row->type == CONFIG_OBJECTS ? row->object->size : types[row->type].elem_size;
}

static void *member(const void *base, const struct config_row *row)
{
	return (char *)(uintptr_t)base + row->at;
}

/* A zeroed element at the end. */
static void *list_grow(struct config_list *l, size_t size)
{
	l->v = xrealloc(l->v, (l->n + 1) * size);
	return memset((char *)l->v + l->n++ * size, 0, size);
}

void config_list_add_str(struct config_list *l, char *str)
{
	*(char **)list_grow(l, sizeof(char *)) = str;
}

static void free_secret(char *s)
{
	if (s)
		secret_wipe(s, strlen(s));
	xfree(s);
}

static void free_elem(const struct config_row *row, void *elem)
{
	switch (row->type) {
	case CONFIG_STR_LIST: xfree(*(char **)elem); return;
	case CONFIG_SECRET_LIST: free_secret(*(char **)elem); return;
	case CONFIG_SECRET_MAP:
		xfree(((struct config_pair *)elem)->key);
		free_secret(((struct config_pair *)elem)->value);
		return;
	case CONFIG_OBJECTS:
		for (size_t i = 0; i < row->object->n; i++)
			config_value_free(elem, &row->object->rows[i]);
		return;
	default: return;
	}
}

void config_value_free(void *base, const struct config_row *row)
{
	void *at = member(base, row);
	if (row->alias_of || row->type == CONFIG_IGNORED || row->type == CONFIG_REFUSED)
		return;
	if (elem_size(row)) {
		struct config_list *l = at;
		for (size_t i = 0; i < l->n; i++)
			free_elem(row, (char *)l->v + i * elem_size(row));
		xfree(l->v);
		*l = (struct config_list){0};
	} else if (types[row->type].set == set_str) {
		free_secret(*(char **)at);
		*(char **)at = NULL;
	}
}

static int set_pair(struct config_list *l, const struct config_node *key,
	const struct config_node *value, const struct context *c)
{
	if (value->kind != CONFIG_SCALAR || value->is_null || !*value->text || !*key->text) {
		char quoted[CONFIG_QUOTE_CAP];
		return config_fail(c->eb, c->w, "%s needs a text behind the colon", config_quote(key->text, quoted));
	}
	if (strlen(key->text) > CONFIG_KEY_MAX || strlen(value->text) > CONFIG_SECRET_MAX)
		return config_fail(c->eb, c->w, "a key has %d bytes at most and a secret %d",
			CONFIG_KEY_MAX, CONFIG_SECRET_MAX);
	struct config_pair *pair = list_grow(l, sizeof *pair);
	pair->key = xstrdup(key->text);
	pair->value = xstrdup(value->text);
	return 0;
}

static const struct config_row *find_member(const struct config_object *o, const char *name)
{
	for (size_t i = 0; i < o->n; i++)
		if (strcmp(o->rows[i].path, name) == 0)
			return &o->rows[i];
	return NULL;
}

static int fail_member(const struct context *c, const char *name)
{
	struct suggest near;
	suggest_init(&near, name);
	for (size_t i = 0; i < c->row->object->n; i++)
		suggest_add(&near, c->row->object->rows[i].path);
	char quoted[CONFIG_QUOTE_CAP];
	return config_fail(c->eb, c->w, "unknown key %s%s%s%s", config_quote(name, quoted),
		near.best ? "; did you mean " : "", near.best ? near.best : "", near.best ? "?" : "");
}

/* All members of a fresh object: the defaults first, then what the node has. */
static int set_object(void *elem, const struct config_node *node, const struct context *c)
{
	const struct config_object *o = c->row->object;
	if (node->kind != CONFIG_MAPPING)
		return config_fail(c->eb, c->w, "each element needs keys, such as %s: …", o->rows[0].path);
	for (size_t i = 0; i < o->n; i++) {
		const struct config_row *row = &o->rows[i];
		const struct context inner = {row, c->w, c->eb};
		bool is_empty_choice = row->choices && !row->init;
		int err = is_empty_choice || (!row->init && types[row->type].set != set_str)
		                  ? 0
		                  : types[row->type].set(member(elem, row), row->init ? row->init : "", &inner);
		if (err)
			return err;
	}
	for (size_t i = 0; i + 1 < node->n; i += 2) {
		const struct config_node *value = &node->items[i + 1];
		const struct config_row *row = find_member(o, node->items[i].text);
		char path[128];
		(void)snprintf(path, sizeof path, "%s.%s", c->row->path, node->items[i].text);
		const struct config_where w = {c->w->name, c->w->line ? value->line : 0, path};
		const struct context inner = {row, &w, c->eb};
		if (!row)
			return fail_member(c, node->items[i].text);
		if (value->kind != CONFIG_SCALAR)
			return config_fail(c->eb, &w, "one value is needed here");
		int err = value->is_null
				  ? 0
				  : types[row->type].set(member(elem, row), value->text, &inner);
		if (err)
			return err;
	}
	/* The first member tells what the object is about. */
	const char *first = *(char **)member(elem, &o->rows[0]);
	return first && *first ? 0 : config_fail(c->eb, c->w, "an element has no %s", o->rows[0].path);
}

static int set_elem(struct config_list *l, const struct config_node *node, const struct context *c)
{
	const struct config_where w = {c->w->name, c->w->line ? node->line : 0, c->w->path};
	const struct context here = {c->row, &w, c->eb};
	if (c->row->type == CONFIG_OBJECTS)
		return set_object(list_grow(l, elem_size(c->row)), node, &here);
	if (node->kind != CONFIG_SCALAR || !*node->text)
		return config_fail(c->eb, &w, "each element of the list must be one value");
	return types[c->row->type].set(list_grow(l, elem_size(c->row)), node->text, &here);
}

static int set_list(struct config_list *l, const struct config_node *node, const struct context *c)
{
	if (c->row->type == CONFIG_SECRET_MAP) {
		if (node->kind != CONFIG_MAPPING)
			return config_fail(
				c->eb, c->w, "lines \"key: secret\" are needed here, with a space behind the colon");
		for (size_t i = 0; i + 1 < node->n; i += 2) {
			int err = set_pair(l, &node->items[i], &node->items[i + 1], c);
			if (err)
				return err;
		}
		return 0;
	}
	if (node->kind != CONFIG_SEQUENCE)
		return config_fail(c->eb, c->w, "a list is needed here, such as [a, b]");
	for (size_t i = 0; i < node->n; i++) {
		int err = set_elem(l, &node->items[i], c);
		if (err)
			return err;
	}
	return 0;
}

int config_value_set(void *base, const struct config_row *row, const struct config_node *node,
	const struct config_where *w, struct errbuf *eb)
{
	const struct context c = {row, w, eb};
	if (node->kind == CONFIG_SCALAR && node->is_null)
		return 0;
	if (elem_size(row)) {
		config_value_free(base, row);
		return set_list(member(base, row), node, &c);
	}
	if (node->kind != CONFIG_SCALAR)
		return config_fail(
			eb, w, "one value is needed here, not a %s", node->kind == CONFIG_MAPPING ? "section" : "list");
	return types[row->type].set(member(base, row), node->text, &c);
}

/* "a, b,c" */
static int set_commas(struct config_list *l, const char *text, const struct context *c)
{
	while (*text) {
		size_t n = strcspn(text, ",");
		const char *from = text, *to = text + n;
		while (from < to && isspace((unsigned char)*from))
			from++;
		while (to > from && isspace((unsigned char)to[-1]))
			to--;
		struct config_node node = {
			.kind = CONFIG_SCALAR, .text = xstrndup(from, (size_t)(to - from))};
		bool is_skipped = !*node.text && (c->row->flags & ROW_LOOSE);
		int err = is_skipped ? 0 : set_elem(l, &node, c);
		config_node_free(&node);
		if (err)
			return err;
		text += n + (text[n] == ',');
	}
	return 0;
}

static int set_yaml(struct config_list *l, const char *text, const struct context *c)
{
	struct config_node root;
	int err = config_yaml_read(&root, slice_str(text), c->w->name, c->eb);
	if (err)
		return err;
	bool is_empty = !*text;
	err = is_empty ? 0 : set_list(l, &root, c);
	config_node_free(&root);
	return err;
}

int config_value_set_text(void *base, const struct config_row *row, struct config_text text,
	const struct config_where *w, struct errbuf *eb)
{
	const struct context c = {row, w, eb};
	void *at = member(base, row);
	if (!elem_size(row))
		return types[row->type].set(at, text.text, &c);
	if (!text.append)
		config_value_free(base, row);
	bool is_yaml = !types[row->type].set || *text.text == '[';
	return is_yaml ? set_yaml(at, text.text, &c) : set_commas(at, text.text, &c);
}

/* YAML's double quotes. Bytes from 0x80 up are UTF-8 already: libyaml refuses others, flags are cleaned here. */
static void print_quoted(struct buf *out, const char *s)
{
	buf_add_byte(out, '"');
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;
		if (c == '"' || c == '\\')
			buf_printf(out, "\\%c", c);
		else if (c < ' ' || c == 0x7f)
			buf_printf(out, "\\x%02x", c);
		else
			buf_add_byte(out, c);
	}
	buf_add_byte(out, '"');
}

static void print_secret(struct buf *out, const char *s, bool show)
{
	print_quoted(out, show || !*s ? s : "[redacted]");
}

static void print_elem(
	const struct config_row *row, const void *elem, bool show_secrets, struct buf *out)
{
	char text[ADDR_TEXT_CAP];
	const struct config_pair *pair = elem;
	const struct cidr *cidr = elem;
	switch (row->type) {
	case CONFIG_STR_LIST: print_quoted(out, *(char *const *)elem); return;
	case CONFIG_SECRET_LIST: print_secret(out, *(char *const *)elem, show_secrets); return;
	case CONFIG_IP_LIST: buf_printf(out, "\"%s\"", addr_format_ip(elem, text)); return;
	case CONFIG_CIDR_LIST: buf_printf(out, "\"%s/%u\"", addr_format_ip(&cidr->base, text), cidr->bits); return;
	case CONFIG_SECRET_MAP:
		print_quoted(out, pair->key);
		buf_add_str(out, ": ");
		print_secret(out, pair->value, show_secrets);
		return;
	case CONFIG_OBJECTS:
		for (size_t i = 0; i < row->object->n; i++) {
			buf_printf(out, "%s%s: ", i ? ", " : "{", row->object->rows[i].path);
			config_value_print(elem, &row->object->rows[i], show_secrets, out);
		}
		buf_add_byte(out, '}');
		return;
	default: return;
	}
}

static void print_list(const struct config_row *row, const struct config_list *l, bool show_secrets,
	struct buf *out)
{
	bool is_map = row->type == CONFIG_SECRET_MAP;
	buf_add_byte(out, is_map ? '{' : '[');
	for (size_t i = 0; i < l->n; i++) {
		if (i)
			buf_add_str(out, ", ");
		print_elem(row, (const char *)l->v + i * elem_size(row), show_secrets, out);
	}
	buf_add_byte(out, is_map ? '}' : ']');
}

void config_value_print(
	const void *base, const struct config_row *row, bool show_secrets, struct buf *out)
{
	const void *at = member(base, row);
	const struct config_ports *ports = at;
	const struct addr *ip = at;
	char text[ADDR_TEXT_CAP];
	unsigned choice;
	switch (row->type) {
	case CONFIG_BOOL: buf_add_str(out, *(const bool *)at ? "true" : "false"); return;
	case CONFIG_COUNT: buf_printf(out, "%u", *(const uint32_t *)at); return;
	case CONFIG_PORT: buf_printf(out, "%u", *(const uint16_t *)at); return;
	case CONFIG_PORTS:
		buf_printf(out, "%u", ports->first);
		if (ports->last != ports->first)
			buf_printf(out, "-%u", ports->last);
		return;
	case CONFIG_DURATION:
		config_print_duration(out, *(const uint64_t *)at, row->bare_us);
		return;
	case CONFIG_SIZE: config_print_size(out, *(const uint64_t *)at); return;
	case CONFIG_STR:
	case CONFIG_FILE: print_quoted(out, *(char *const *)at); return;
	case CONFIG_SECRET: print_secret(out, *(char *const *)at, show_secrets); return;
	case CONFIG_ENUM:
		memcpy(&choice, at, sizeof choice);
		buf_add_str(out, row->choices[choice]);
		return;
	case CONFIG_IP: buf_printf(out, "\"%s\"", ip->sa.sa_family ? addr_format_ip(ip, text) : ""); return;
	default:
		if (elem_size(row))
			print_list(row, at, show_secrets, out);
	}
}

bool config_value_eq(const void *a, const void *b, const struct config_row *row)
{
	struct buf texts[2];
	const void *const bases[2] = {a, b};
	for (int i = 0; i < 2; i++) {
		buf_init(&texts[i], 8 * CONFIG_BYTES_MAX);
		config_value_print(bases[i], row, true, &texts[i]);
	}
	bool eq = slice_eq(buf_slice(&texts[0]), buf_slice(&texts[1]));
	for (int i = 0; i < 2; i++) {
		if (texts[i].n)
			secret_wipe(texts[i].p, texts[i].n);
		buf_free(&texts[i]);
	}
	return eq;
}
