/* coturn's keys in Redis: schema.userdb.redis of coturn 4.6. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "store/redis_link.h"

enum { KEY_MAX = 2 * STORE_NAME_MAX + 64, SCAN_COUNT = 1000 };

static int redis_connect(
	const struct store_dsn *d, const struct store_limits *lim, void **conn, struct errbuf *eb)
{
	redisContext *c;
	int err = redis_link_open(d, lim, &c, eb);
	*conn = c;
	return err;
}

static void redis_close(void *conn)
{
	redisFree(conn);
}

static struct slice text_of(const redisReply *r)
{
	bool has_text = r->type == REDIS_REPLY_STRING || r->type == REDIS_REPLY_STATUS;
	return has_text ? slice_of(r->str, r->len) : slice_of(NULL, 0);
}

static int get(redisContext *c, const char *key, redisReply **out, struct errbuf *eb)
{
	const struct slice args[] = {slice_str("GET"), slice_str(key)};
	return redis_link_command(c, args, 2, out, eb);
}

static int query_user(
	redisContext *c, const struct store_query *q, struct store_result *r, struct errbuf *eb)
{
	char key[KEY_MAX];
	redisReply *reply;
	(void)snprintf(key, sizeof key, "turn/realm/%s/user/%s/key", q->realm, q->name);
	int err = get(c, key, &reply, eb);
	if (err)
		return err;
	err = reply->type == REDIS_REPLY_STRING ? store_key_parse(text_of(reply), &r->a.key)
						: -ERR_NOT_FOUND;
	freeReplyObject(reply);
	return err;
}

/* All members of a set as rows; with the key that names them. */
static int take_members(redisContext *c, const char *key, enum store_row_kind kind,
	struct slice realm, struct store_result *r, struct errbuf *eb)
{
	const struct slice args[] = {slice_str("SMEMBERS"), slice_str(key)};
	redisReply *reply;
	int err = redis_link_command(c, args, 2, &reply, eb);
	for (size_t i = 0; !err && reply->type == REDIS_REPLY_ARRAY && i < reply->elements; i++)
		err = store_result_row(r, kind, realm, slice_str(""), text_of(reply->element[i]));
	if (reply)
		freeReplyObject(reply);
	return err;
}

static int query_secrets(
	redisContext *c, const struct store_query *q, struct store_result *r, struct errbuf *eb)
{
	char key[KEY_MAX];
	(void)snprintf(key, sizeof key, "turn/realm/%s/secret", q->realm);
	return take_members(c, key, STORE_ROW_SECRET, slice_str(q->realm), r, eb);
}

static int query_oauth(
	redisContext *c, const struct store_query *q, struct store_result *r, struct errbuf *eb)
{
	char key[KEY_MAX];
	(void)snprintf(key, sizeof key, "turn/oauth/kid/%s", q->name);
	const struct slice args[] = {slice_str("HMGET"), slice_str(key), slice_str("ikm_key"), slice_str("timestamp"),
		slice_str("lifetime"), slice_str("as_rs_alg"), slice_str("realm")};
	redisReply *reply;
	int err = redis_link_command(c, args, ARRAY_LEN(args), &reply, eb);
	if (err)
		return err;
	if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 5) {
		err = -ERR_MALFORMED;
	} else if (reply->element[0]->type == REDIS_REPLY_NIL) {
		err = -ERR_NOT_FOUND;
	} else {
		struct slice col[5];
		for (size_t i = 0; i < 5; i++)
			col[i] = text_of(reply->element[i]);
		const struct store_oauth_text text = {col[0], col[1], col[2], col[3], col[4]};
		err = store_oauth_parse(&text, &r->a.oauth);
	}
	freeReplyObject(reply);
	return err;
}

/* ---- the lists of all realms: no index exists, so the keys are walked (SCAN, not KEYS: others are
 * served meanwhile) */

static const struct list_row {
	const char *prefix, *suffix;
	enum store_row_kind kind;
	const char *option;
	enum store_turn_kind asked_by;
} lists[] = {
	{"turn/realm/", "/allowed-peer-ip", STORE_ROW_ALLOWED_PEER, "", STORE_TURN_REALMS},
	{"turn/realm/", "/denied-peer-ip", STORE_ROW_DENIED_PEER, "", STORE_TURN_REALMS},
	{"turn/realm/", "/max-bps", STORE_ROW_OPTION, "max-bps", STORE_TURN_REALMS},
	{"turn/realm/", "/total-quota", STORE_ROW_OPTION, "total-quota", STORE_TURN_REALMS},
	{"turn/realm/", "/user-quota", STORE_ROW_OPTION, "user-quota", STORE_TURN_REALMS},
	{"turn/origin/", "", STORE_ROW_ORIGIN, "", STORE_TURN_REALMS},
	{"turn/realm/", "/key", STORE_ROW_USER, "", STORE_TURN_NAMES},
};

/* "<realm>/user/<name>" */
static int take_user_key(struct slice middle, struct store_result *r)
{
	const struct slice between = slice_str("/user/");
	const uint8_t *cut = memmem(middle.p, middle.n, between.p, between.n);
	if (!cut)
		return 0;
	size_t realm_n = (size_t)(cut - middle.p), before = realm_n + between.n;
	return store_result_row(r, STORE_ROW_USER, slice_of(middle.p, realm_n),
		slice_of(middle.p + before, middle.n - before), slice_str(""));
}

static int take_list_key(redisContext *c, const struct list_row *l, struct slice key,
	struct store_result *r, struct errbuf *eb)
{
	size_t around = strlen(l->prefix) + strlen(l->suffix);
	if (key.n <= around || key.n >= KEY_MAX)
		return 0;
	char text[KEY_MAX];
	(void)snprintf(text, sizeof text, "%.*s", (int)key.n, (const char *)key.p);
	struct slice middle = slice_of(key.p + strlen(l->prefix), key.n - around);
	if (l->kind == STORE_ROW_ALLOWED_PEER || l->kind == STORE_ROW_DENIED_PEER)
		return take_members(c, text, l->kind, middle, r, eb);

	if (l->kind == STORE_ROW_USER)
		return take_user_key(middle, r);

	redisReply *reply;
	int err = get(c, text, &reply, eb);
	if (err)
		return err;
	struct slice value = text_of(reply);
	if (reply->type == REDIS_REPLY_STRING && l->kind == STORE_ROW_OPTION)
		err = store_result_row(r, l->kind, middle, slice_str(l->option), value);
	else if (reply->type == REDIS_REPLY_STRING)
		err = store_result_row(r, l->kind, value, middle, slice_str(""));
	freeReplyObject(reply);
	return err;
}

static int scan_list(
	redisContext *c, const struct list_row *l, struct store_result *r, struct errbuf *eb)
{
	char cursor[24] = "0", pattern[64], count[16];
	(void)snprintf(pattern, sizeof pattern, "%s*%s", l->prefix, l->suffix);
	(void)snprintf(count, sizeof count, "%d", SCAN_COUNT);
	int err = 0;
	do {
		const struct slice args[] = {slice_str("SCAN"), slice_str(cursor),
			slice_str("MATCH"), slice_str(pattern), slice_str("COUNT"),
			slice_str(count)};
		redisReply *reply;
		err = redis_link_command(c, args, ARRAY_LEN(args), &reply, eb);
		if (err)
			return err;
		if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
			reply->element[1]->type != REDIS_REPLY_ARRAY)
			err = err_set(eb, ERR_SYSTEM, "Redis: an unexpected answer to SCAN");
		for (size_t i = 0; !err && i < reply->element[1]->elements; i++)
			err = take_list_key(c, l, text_of(reply->element[1]->element[i]), r, eb);
		if (!err)
			(void)snprintf(cursor, sizeof cursor, "%.*s", (int)text_of(reply->element[0]).n,
				reply->element[0]->str);
		freeReplyObject(reply);
	} while (!err && strcmp(cursor, "0") != 0);
	return err;
}

static int query_lists(
	redisContext *c, const struct store_query *q, struct store_result *r, struct errbuf *eb)
{
	int err = 0;
	for (size_t i = 0; i < ARRAY_LEN(lists) && !err; i++)
		if (lists[i].asked_by == q->kind)
			err = scan_list(c, &lists[i], r, eb);
	return err;
}

static int redis_query(
	void *conn, const struct store_query *q, struct store_result *r, struct errbuf *eb)
{
	static int (*const by_kind[])(redisContext *, const struct store_query *,
		struct store_result *, struct errbuf *) = {
		[STORE_TURN_USER] = query_user,
		[STORE_TURN_SECRETS] = query_secrets,
		[STORE_TURN_OAUTH] = query_oauth,
		[STORE_TURN_NAMES] = query_lists,
		[STORE_TURN_REALMS] = query_lists,
	};
	return by_kind[q->kind](conn, q, r, eb);
}

const struct store_backend store_redis = {"Redis", redis_connect, redis_query, redis_close};
