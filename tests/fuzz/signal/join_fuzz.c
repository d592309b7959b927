/*
 * The query of a join and the two headers beside it, as a stranger may write them. The first byte
 * chooses the path and whether a token that is fine is added; then come the User-Agent, a newline,
 * the Authorization header (or nothing), a newline, and the query, split at & and =
 * (percent-decoding is done before).
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "auth/token.h"
#include "base/mem.h"
#include "signal/join.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

enum { NOW_S = 1700000000, QUERY_MAX = 64, MAY_UPDATE = 1 << 2, WITH_TOKEN = 1 << 1, V1 = 1 << 0 };

static struct slice line(struct slice *rest)
{
	const uint8_t *end = rest->n ? memchr(rest->p, '\n', rest->n) : NULL;
	struct slice s = {rest->p, end ? (size_t)(end - rest->p) : rest->n};
	size_t used = s.n + (end ? 1 : 0);
	*rest = slice_of(rest->p + used, rest->n - used);
	return s;
}

static size_t split(struct slice text, struct signal_join_query *out)
{
	size_t n = 0;
	for (size_t at = 0; at < text.n && n < QUERY_MAX;) {
		const uint8_t *amp = memchr(text.p + at, '&', text.n - at);
		size_t end = amp ? (size_t)(amp - text.p) : text.n;
		const uint8_t *eq = memchr(text.p + at, '=', end - at);
		size_t name = eq ? (size_t)(eq - text.p) - at : end - at;
		size_t value = at + name + (eq ? 1 : 0);
		out[n++] = (struct signal_join_query){
			slice_of(text.p + at, name), slice_of(text.p + value, end - value)};
		at = end + 1;
	}
	return n;
}

static char *token(const struct auth_keys *keys, bool may_update)
{
	char identity[] = "ada", room[] = "lobby", *out = NULL;
	struct grants g = {.identity = identity,
		.has_video = true,
		.video = {.room_join = true,
			.room = room,
			.can_update_own_metadata = may_update ? GRANT_YES : GRANT_NO}};
	if (auth_mint(keys, "devkey", &g, 600, NOW_S, &out) != 0)
		abort();
	return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct signal_join_query query[QUERY_MAX + 1];
	struct signal_join_params *params;
	struct errbuf eb = {0};
	int status = 0;
	if (!n)
		return 0;
	struct auth_keys *keys = auth_keys_new();
	if (auth_keys_add(keys, slice_str("devkey"), slice_str("0123456789abcdef0123456789abcdef"),
		    NULL) != 0)
		abort();
	struct slice rest = slice_of(p + 1, n - 1), agent = line(&rest),
		     authorization = line(&rest);
	size_t n_query = split(rest, query);
	char *good = token(keys, p[0] & MAY_UPDATE);
	if (p[0] & WITH_TOKEN)
		query[n_query++] =
			(struct signal_join_query){slice_str("access_token"), slice_str(good)};
	const struct signal_join_env env = {.keys = keys,
		.limits = SIGNAL_JOIN_LIMITS_DEFAULT,
		.now_s = NOW_S,
		.auto_create = true};
	const struct signal_join_http http = {.path = p[0] & V1 ? SIGNAL_JOIN_V1 : SIGNAL_JOIN_V0,
		.query = query,
		.n_query = n_query,
		.user_agent = agent,
		.authorization = authorization.n ? authorization : (struct slice){0},
		.client = {.v4 = {.sin_family = AF_INET}}};
	int err = signal_join_check(&env, &http, &params, &eb, &status);
	/* A refusal always says why; a pass always has what the rooms rely on. */
	if (err ? params || status < 400 || !eb.text[0]
		: !params->request->client_info || !params->identity[0] || !params->room[0] ||
				status != 200)
		abort();
	signal_join_params_free(params);
	xfree(good);
	auth_keys_unref(keys);
	return 0;
}
