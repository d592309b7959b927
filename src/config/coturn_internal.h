/* The table of coturn's options, for coturn.c and tests. */
#pragma once
#include "config/config_internal.h"
#include "config/coturn.h"

enum coturn_fate {
	COTURN_KEY,     /* its value is that of `path` */
	COTURN_LIST,    /* … is one more element of the list `path` */
	COTURN_ON,      /* a switch: `path` is `text` when it is on, else `off` */
	COTURN_CALL,    /* see `call` */
	COTURN_ALWAYS,  /* what it asks for is always so; nothing to say */
	COTURN_IGNORED, /* has no effect, which is harmless: a note */
	COTURN_REFUSED, /* an error: going on without it would change who may do what */
};

struct coturn_value {
	const char *text; /* "" for a switch without one */
	const char *label; /* where it stood, for messages */
	struct errbuf *eb;
};

struct coturn_option {
	const char *name;
	char brief; /* the letter, 0 = none */
	bool has_value; /* else a switch, which may have =yes or =no attached */
	enum coturn_fate fate;
	const char *path;
	const char *text, *off; /* of COTURN_ON; `off` NULL = nothing is set */
	int (*call)(struct coturn *c, const struct coturn_option *o, const struct coturn_value *v);
	size_t at;       /* offset in struct coturn, for `call` */
	const char *why; /* one clause for docs and messages */
};

extern const struct coturn_option coturn_options[];
extern const size_t coturn_options_n;

/* Adds a setting: value and label are copied. */
void coturn_set(struct coturn *c, const char *path, const char *value, const char *label);
/* One more element of a list of texts, whatever characters it has. */
void coturn_add(struct coturn *c, const char *path, const char *value, const char *label);
/* on/off, yes/no, true/false, 1/0; "" is on. */
MUST_CHECK int coturn_switch(const struct coturn_value *v, bool *on);

/* What COTURN_CALL rows call. */
int coturn_call_text(struct coturn *c, const struct coturn_option *o, const struct coturn_value *v);
int coturn_call_flag(struct coturn *c, const struct coturn_option *o, const struct coturn_value *v);
int coturn_call_user(struct coturn *c, const struct coturn_option *o, const struct coturn_value *v);
int coturn_call_secret(
	struct coturn *c, const struct coturn_option *o, const struct coturn_value *v);
int coturn_call_listening_ip(
	struct coturn *c, const struct coturn_option *o, const struct coturn_value *v);
int coturn_call_aux(struct coturn *c, const struct coturn_option *o, const struct coturn_value *v);
int coturn_call_seen(struct coturn *c, const struct coturn_option *o, const struct coturn_value *v);
int coturn_call_alternate_port(
	struct coturn *c, const struct coturn_option *o, const struct coturn_value *v);
int coturn_call_nonce(
	struct coturn *c, const struct coturn_option *o, const struct coturn_value *v);
int coturn_call_metrics_path(
	struct coturn *c, const struct coturn_option *o, const struct coturn_value *v);
int coturn_call_threads(
	struct coturn *c, const struct coturn_option *o, const struct coturn_value *v);
int coturn_call_drain(
	struct coturn *c, const struct coturn_option *o, const struct coturn_value *v);
