/* The parts of config/ that only its own files and tests see. */
#pragma once
#include "config/config.h"

enum config_type {
	CONFIG_BOOL,       /* bool */
	CONFIG_COUNT,      /* uint32_t */
	CONFIG_PORT,       /* uint16_t */
	CONFIG_PORTS,      /* struct config_ports */
	CONFIG_DURATION,   /* uint64_t, microseconds */
	CONFIG_SIZE,       /* uint64_t, bytes */
	CONFIG_STR,        /* char * */
	CONFIG_SECRET,     /* char *, never shown */
	CONFIG_FILE,       /* char *, a path */
	CONFIG_ENUM,       /* an enum whose constants count from 0 in the order of `choices` */
	CONFIG_IP,         /* struct addr */
	CONFIG_STR_LIST,   /* struct config_list from here on */
	CONFIG_IP_LIST,
	CONFIG_CIDR_LIST,
	CONFIG_SECRET_LIST, /* str, never shown */
	CONFIG_SECRET_MAP,
	CONFIG_OBJECTS,    /* the elements have the rows of `object` */
	CONFIG_IGNORED,    /* known to LiveKit, without effect here: a warning; whole sections too */
	CONFIG_REFUSED,    /* only "false" is accepted: going on without it would do what the user does not want */
	CONFIG_TYPE_N,
};

enum {
	ROW_RELOAD = 1,      /* SIGHUP may change it */
	ROW_OURS = 2,        /* not a key of LiveKit's */
	ROW_UNLIMITED = 4,   /* "-1" is accepted for 0, as LiveKit does */
	ROW_IDLE = 16,       /* checked and kept, but nothing acts on it yet: a warning */
	ROW_LOOSE = 32,      /* empty elements between the commas of a list are left out */
	ROW_NO_ENV = 8,      /* its LIVEKIT_ variables belong to other programs */
};

struct config_object;

struct config_row {
	const char *path; /* dotted YAML path */
	enum config_type type;
	unsigned flags;
	size_t at;        /* offset in struct config, or in the object */
	const char *init; /* the default as text; NULL = empty */
	uint64_t min, max; /* of the number, in the unit stored; max 0 = the type's own */
	uint64_t bare_us;  /* unit of a duration without one; 0 = a unit must be given */
	const char *const *choices; /* for ENUM and STR: the values possible, up to a NULL */
	const struct config_object *object;
	const char *alias_of; /* another key's path, whose value this one sets */
	const char *help;     /* for IGNORED and REFUSED: what happens instead, or what to do */
};

struct config_object {
	const struct config_row *rows;
	size_t n, size;
};

/* A flag or a variable by another name than its key's. */
struct config_name {
	const char *flag, *env; /* either may be NULL */
	const char *path;
};

extern const struct config_row config_rows[];
extern const size_t config_rows_n;
extern const struct config_name config_names[];
extern const size_t config_names_n;

/* The row of a path; NULL if there is none. A path inside an ignored section finds the section's row. */
const struct config_row *config_row_find(const char *path);

/* True if rows lie below the path. */
bool config_is_section(const char *path);

/* "rtc.udp_port" -> "LIVEKIT_RTC_UDP_PORT"; returns out. */
enum { CONFIG_ENV_CAP = 96 };
char *config_env_name(const char *path, char out[CONFIG_ENV_CAP]);

/* ---- yaml.c */

enum config_node_kind { CONFIG_SCALAR, CONFIG_SEQUENCE, CONFIG_MAPPING };

struct config_node {
	enum config_node_kind kind;
	bool is_null; /* nothing, ~ or null */
	size_t line;
	char *text; /* of a scalar; no NUL inside */
	struct config_node *items; /* of a mapping: key, value, key, value … */
	size_t n;
};

/*
 * Reads one YAML document. Empty text gives an empty mapping. Anchors, aliases, tags and duplicate keys are refused.
 * `name` is for the messages. On success the caller owns what *root holds: config_node_free.
 */
MUST_CHECK int config_yaml_read(
	struct config_node *root, struct slice text, const char *name, struct errbuf *eb);
void config_node_free(struct config_node *node);

/* ---- value.c */

/* The place a value came from, for messages. */
struct config_where {
	const char *name; /* file, flag, variable */
	size_t line;      /* 0 = none */
	const char *path; /* NULL if the name says it already */
};

/* Sets eb to "name:line: path: <text>" and returns -ERR_CONFIG. */
int config_fail(struct errbuf *eb, const struct config_where *w, const char *fmt, ...) PRINTF(3, 4);

/* Foreign text made fit for a message: in quotes, controls escaped, cut. Returns out. */
enum { CONFIG_QUOTE_CAP = 72 };
char *config_quote(const char *text, char out[CONFIG_QUOTE_CAP]);

/* Sets the row's member of *base from a node, and frees what was there before. */
MUST_CHECK int config_value_set(void *base, const struct config_row *row,
	const struct config_node *node, const struct config_where *w, struct errbuf *eb);

/*
 * The same from the text of a flag, a variable or the table. Lists of plain values are separated by commas or
 * stand in [ ]; maps and lists of objects are YAML. With `append`, lists grow instead of being replaced.
 */
struct config_text {
	const char *text;
	bool append;
};
MUST_CHECK int config_value_set_text(void *base, const struct config_row *row,
	struct config_text text, const struct config_where *w, struct errbuf *eb);

/* Appends the value in the syntax of config_value_set_text. */
void config_value_print(
	const void *base, const struct config_row *row, bool show_secrets, struct buf *out);
bool config_value_eq(const void *a, const void *b, const struct config_row *row);
void config_value_free(void *base, const struct config_row *row);

/* Appends a string to a list of strings; takes it. */
void config_list_add_str(struct config_list *l, char *str);

/* ---- file.c */

/*
 * Reads a whole file of at most CONFIG_BYTES_MAX into *out (owned, NUL behind it; *n bytes).
 * With `is_secret`, files that group or others may read are refused.
 */
MUST_CHECK int config_file_read(const struct config_where *w, const char *path, bool is_secret,
	struct buf *out, struct errbuf *eb);

/* ---- load.c, check.c */

struct config_origin {
	uint8_t rank; /* see enum rank in load.c; 0 = default */
	struct config_where where;
};

struct config_loader {
	struct config *cfg;
	const struct config_source *src;
	struct errbuf *eb;
	struct config_origin origin[CONFIG_ROWS_MAX]; /* by row */
	struct config_list labels;                    /* str: names of variables, for the origins */
};

/* Where the value of a key came from; for a default, a place without a name. */
struct config_where config_origin_of(const struct config_loader *l, const char *path);

/* True if the key was set by anything but its default. */
bool config_is_set(const struct config_loader *l, const char *path);

void config_warn(struct config_loader *l, const struct config_where *w, const char *fmt, ...)
	PRINTF(3, 4);

/* Checks values against each other, reads key files, adds warnings. */
MUST_CHECK int config_check(struct config_loader *l);

/* ---- check_turn.c */

/* The checks of the `turn` section. */
MUST_CHECK int config_check_turn(struct config_loader *l);

/* "10.0.0.0/8", "10.0.0.1-10.0.0.9" or one address; both families. */
bool config_is_peer_range(const char *text);
