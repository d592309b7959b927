#include <stdio.h>

#include "store/store_internal.h"

static int take_key(struct store_result *r, const struct slice *col)
{
	return store_key_parse(col[0], &r->a.key);
}

static int take_oauth(struct store_result *r, const struct slice *col)
{
	const struct store_oauth_text text = {col[0], col[1], col[2], col[3], col[4]};
	return store_oauth_parse(&text, &r->a.oauth);
}

static int take_secret(struct store_result *r, const struct slice *col)
{
	return store_result_row(r, STORE_ROW_SECRET, col[1], slice_str(""), col[0]);
}

static int take_allowed(struct store_result *r, const struct slice *col)
{
	return store_result_row(r, STORE_ROW_ALLOWED_PEER, col[0], slice_str(""), col[1]);
}

static int take_denied(struct store_result *r, const struct slice *col)
{
	return store_result_row(r, STORE_ROW_DENIED_PEER, col[0], slice_str(""), col[1]);
}

static int take_option(struct store_result *r, const struct slice *col)
{
	return store_result_row(r, STORE_ROW_OPTION, col[0], col[1], col[2]);
}

static int take_origin(struct store_result *r, const struct slice *col)
{
	return store_result_row(r, STORE_ROW_ORIGIN, col[1], col[0], slice_str(""));
}

static int take_user(struct store_result *r, const struct slice *col)
{
	return store_result_row(r, STORE_ROW_USER, col[0], col[1], slice_str(""));
}

/* "$1" is a numbered parameter of PostgreSQL and a named one of SQLite, numbered there by first appearance. */
const struct store_statement store_statements[STORE_STATEMENTS] = {
	{STORE_TURN_USER, "turn_user", "SELECT hmackey FROM turnusers_lt WHERE realm = $1 AND name = $2",
		{STORE_PARAM_REALM, STORE_PARAM_NAME}, 2, 1, take_key, true},
	{STORE_TURN_NAMES, "turn_names", "SELECT realm, name FROM turnusers_lt LIMIT $1",
		{STORE_PARAM_LIMIT}, 1, 2, take_user, false},
	{STORE_TURN_SECRETS, "turn_secrets", "SELECT value, realm FROM turn_secret WHERE realm = $1 LIMIT $2",
		{STORE_PARAM_REALM, STORE_PARAM_LIMIT}, 2, 2, take_secret, false},
	{STORE_TURN_OAUTH, "turn_oauth",
		"SELECT ikm_key, timestamp, lifetime, as_rs_alg, realm FROM oauth_key WHERE kid = $1",
		{STORE_PARAM_NAME}, 1, 5, take_oauth, true},
	{STORE_TURN_REALMS, "turn_allowed", "SELECT realm, ip_range FROM allowed_peer_ip LIMIT $1",
		{STORE_PARAM_LIMIT}, 1, 2, take_allowed, false},
	{STORE_TURN_REALMS, "turn_denied", "SELECT realm, ip_range FROM denied_peer_ip LIMIT $1",
		{STORE_PARAM_LIMIT}, 1, 2, take_denied, false},
	{STORE_TURN_REALMS, "turn_options", "SELECT realm, opt, value FROM turn_realm_option LIMIT $1",
		{STORE_PARAM_LIMIT}, 1, 3, take_option, false},
	{STORE_TURN_REALMS, "turn_origins", "SELECT origin, realm FROM turn_origin_to_realm LIMIT $1",
		{STORE_PARAM_LIMIT}, 1, 2, take_origin, false},
};

const char *store_param_text(enum store_param p, const struct store_query *q, char number[16])
{
	switch (p) {
	case STORE_PARAM_REALM: return q->realm;
	case STORE_PARAM_NAME: return q->name;
	case STORE_PARAM_LIMIT:
	default:
		/* One more than allowed, so that too many are seen to be too many. */
		(void)snprintf(number, 16, "%lu", (unsigned long)q->rows_max + 1);
		return number;
	}
}
