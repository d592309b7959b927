#include "front/front_internal.h"

#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "auth/token.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"
#include "base/rng.h"

enum {
	METRICS_BYTES_MAX = 1 << 20,
	DEV_TOKEN_TTL_S = 6 * 3600,
	DEV_NAME_MAX = 128,
	DEV_SUFFIX_BYTES = 3,
	URL_LOG_MAX = 256,
	ICE_NAME_BYTES = 16,
};

static const char text_plain[] = "text/plain; charset=utf-8";
static const char json[] = "application/json";

/* Health checks of load balancers ask for "/" without wanting a page. */
static void root(struct http *h)
{
	struct slice accept = http_header(h, WSI_TOKEN_HTTP_ACCEPT);
	bool wants_page = accept.n && memmem(accept.p, accept.n, "text/html", 9);
	if (!wants_page || !assets_page(h))
		http_reply_text(h, 200, "OK");
}

static void room_page(struct http *h)
{
	if (!assets_page(h))
		http_reply_text(h, 404, "not found");
}

static void asset(struct http *h)
{
	if (!assets_handle(h))
		http_reply_text(h, 404, "not found");
}

static void healthz(struct http *h)
{
	http_reply_text(h, 200, "ok");
}

static int is_ready(struct front *f, struct buf *why_not)
{
	if (__atomic_load_n(&f->draining, __ATOMIC_ACQUIRE)) {
		buf_add_str(why_not, "draining");
		return -ERR_BAD_STATE;
	}
	return f->ops->ready ? f->ops->ready(f->arg, why_not) : 0;
}

static void readyz(struct http *h)
{
	struct buf why;
	buf_init(&why, 1024);
	int err = is_ready(h->f, &why);
	json_t *o = err ? json_pack("{s:b,s:s}", "ready", 0, "reason", buf_cstr(&why))
			: json_pack("{s:b}", "ready", 1);
	char *text = json_dumps(o, JSON_COMPACT);
	http_reply(h,
		&(struct http_reply){
			.status = err ? 503 : 200, .content_type = json, .body = slice_str(text)});
	mem_free_foreign(text);
	json_decref(o);
	buf_free(&why);
}

static bool metrics_allowed(struct http *h)
{
	const char *user = h->f->cfg.metrics_username, *password = h->f->cfg.metrics_password;
	if (!user || !user[0])
		return true;
	struct slice given = http_header(h, WSI_TOKEN_HTTP_AUTHORIZATION);
	char *pair = xasprintf("%s:%s", user, password ? password : "");
	size_t cap = strlen(pair) * 2 + 8;
	char *expected = xmalloc(cap);
	int n = lws_b64_encode_string(pair, (int)strlen(pair), expected, (int)cap);
	bool same = n > 0 && given.n == (size_t)n + 6 && memcmp(given.p, "Basic ", 6) == 0 &&
		    secret_eq(given.p + 6, expected, (size_t)n);
	secret_wipe(pair, strlen(pair));
	secret_wipe(expected, cap);
	xfree(pair);
	xfree(expected);
	return same;
}

static void metrics(struct http *h)
{
	if (h->f->cfg.no_metrics) {
		http_reply_text(h, 404, "not found");
		return;
	}
	if (!metrics_allowed(h)) {
		http_reply(h, &(struct http_reply){.status = 401,
				      .content_type = text_plain,
				      .body = slice_str("unauthorized"),
				      .headers = "WWW-Authenticate: Basic realm=\"metrics\"\r\n"});
		return;
	}
	struct buf out;
	buf_init(&out, METRICS_BYTES_MAX);
	metric_print(&out);
	http_reply(h, &(struct http_reply){.status = 200,
			      .content_type = "text/plain; version=0.0.4",
			      .body = buf_slice(&out)});
	buf_free(&out);
}

/* The ICE servers, for pages that know nobody yet: anyone may ask, but not all the time. */
static void config_webrtc(struct http *h)
{
	const struct addr from = http_client_addr(h);
	uint32_t wait_s = rate_take(&h->f->rate, &from, clock_mono_us());
	if (wait_s) {
		char headers[96];
		snprintf(headers, sizeof headers, "Cache-Control: no-store\r\nRetry-After: %u\r\n", wait_s);
		metric_inc(M_ICE_LIST_REFUSED);
		http_reply(h, &(struct http_reply){.status = 429,
				      .content_type = text_plain,
				      .body = slice_str("too many requests"),
				      .headers = headers,
				      .any_origin = true});
		return;
	}
	uint8_t random[ICE_NAME_BYTES];
	char name[2 * ICE_NAME_BYTES + 1];
	rng_bytes(random, sizeof random);
	for (size_t i = 0; i < sizeof random; i++)
		snprintf(name + 2 * i, 3, "%02x", random[i]);
	struct icelist_answer answer;
	struct buf body;
	buf_init(&body, ICELIST_JSON_MAX);
	icelist_for_anybody(h->f->ice, name, clock_wall_us() / US_PER_S, &answer);
	int err = icelist_json(&answer, &body);
	/* The own page need not warn of hard networks where a room's participants get a relay that strangers do not. */
	bool has_relay = icelist_relays_participants(h->f->ice);
	http_reply(h, &(struct http_reply){.status = err ? 500 : 200,
			      .content_type = err ? text_plain : json,
			      .body = err ? slice_str("internal error") : buf_slice(&body),
			      .headers = has_relay ? "Cache-Control: no-store\r\nSterna-Relay: participants\r\n"
						   : "Cache-Control: no-store\r\n",
			      .any_origin = true});
	if (body.n)
		secret_wipe(body.p, body.n);
	buf_free(&body);
	icelist_answer_free(&answer);
}

/* Shared by the validate routes and the upgrade. On refusal `eb` holds the text of the answer. */
static int check_join(struct http *h, enum signal_join_path path, struct signal_join_params **out,
	struct errbuf *eb, int *status)
{
	struct front *f = h->f;
	const struct signal_join_env env = {
		.keys = f->keys,
		.limits = f->join_limits,
		.now_s = clock_wall_us() / US_PER_S,
		.auto_create = f->cfg.auto_create,
		.room_exists = f->ops->room_exists,
		.arg = f->arg,
	};
	const struct signal_join_http http = {
		.path = path,
		.query = h->query,
		.n_query = h->n_query,
		.authorization = http_header(h, WSI_TOKEN_HTTP_AUTHORIZATION),
		.user_agent = http_header(h, WSI_TOKEN_HTTP_USER_AGENT),
		.client = http_client_addr(h),
	};
	int err = signal_join_check(&env, &http, out, eb, status);
	struct buf why;
	buf_init(&why, sizeof eb->text - 1);
	if (!err && is_ready(f, &why) != 0) {
		signal_join_params_free(*out);
		*out = NULL;
		*status = 503;
		err = err_set(eb, ERR_BAD_STATE, "server is not ready: %s", buf_cstr(&why));
	}
	buf_free(&why);
	if (err) {
		metric_inc(M_JOIN_ERRORS);
		LOG_INFO("join refused", F_SLICE("path", h->path), F_INT("status", *status),
			F_STR("reason", eb->text), F_ADDR("from", &http.client));
	}
	return err;
}

static void reply_refused(struct http *h, int status, const char *text)
{
	http_reply(h, &(struct http_reply){.status = status,
			      .content_type = text_plain,
			      .body = slice_str(text),
			      .any_origin = true});
}

static void validate(struct http *h, enum signal_join_path path)
{
	struct signal_join_params *params;
	struct errbuf eb = {0};
	int status;
	if (check_join(h, path, &params, &eb, &status) != 0) {
		reply_refused(h, status, eb.text);
		return;
	}
	signal_join_params_free(params);
	reply_refused(h, 200, "success");
}

static void validate_v0(struct http *h)
{
	validate(h, SIGNAL_JOIN_V0);
}

static void validate_v1(struct http *h)
{
	validate(h, SIGNAL_JOIN_V1);
}

/*
 * The library below cannot hold an upgrade back while others are asked: all answers must be at hand
 * here.
 */
static bool upgrade(struct http *h, enum signal_join_path path)
{
	struct errbuf eb = {0};
	int status;
	signal_join_params_free(h->client->join);
	if (check_join(h, path, &h->client->join, &eb, &status) == 0)
		return true;
	reply_refused(h, status, eb.text);
	return false;
}

static bool upgrade_v0(struct http *h)
{
	return upgrade(h, SIGNAL_JOIN_V0);
}

static bool upgrade_v1(struct http *h)
{
	return upgrade(h, SIGNAL_JOIN_V1);
}

/* What a WebSocket path says to plain HTTP: nothing. */
static void not_found_empty(struct http *h)
{
	http_reply(h, &(struct http_reply){.status = 404});
}

/* "Ada Lovelace" → "ada-lovelace-3f09c2": readable, and the same name may join twice. */
static char *dev_identity(struct slice name)
{
	uint8_t suffix[DEV_SUFFIX_BYTES];
	struct buf b;
	buf_init(&b, DEV_NAME_MAX + 16);
	for (size_t i = 0; i < name.n; i++) {
		if (isalnum(name.p[i]))
			buf_add_byte(&b, (uint8_t)tolower(name.p[i]));
		else if (b.n && b.p[b.n - 1] != '-')
			buf_add_byte(&b, '-');
	}
	if (!b.n)
		buf_add_str(&b, "guest");
	rng_bytes(suffix, sizeof suffix);
	buf_printf(&b, "%s%02x%02x%02x", b.p[b.n - 1] == '-' ? "" : "-", suffix[0], suffix[1],
		suffix[2]);
	return buf_take(&b);
}

static void dev_token(struct http *h)
{
	struct slice room = http_query(h, "room"), name = http_query(h, "name");
	const struct auth_keys *keys = h->f->keys;
	if (!room.n || !name.n || room.n > DEV_NAME_MAX || name.n > DEV_NAME_MAX ||
		!auth_keys_count(keys)) {
		http_reply_text(h, 400, "room and name are needed, each at most 128 bytes");
		return;
	}
	struct grants g = {.identity = dev_identity(name), .has_video = true};
	g.name = xstrndup((const char *)name.p, name.n);
	g.video.room = xstrndup((const char *)room.p, room.n);
	g.video.room_join = true;
	g.video.can_update_own_metadata = GRANT_YES;
	char *token = NULL;
	int err = auth_mint(keys, auth_keys_at(keys, 0), &g, DEV_TOKEN_TTL_S,
		clock_wall_us() / US_PER_S, &token);
	json_t *o = err ? NULL
			: json_pack("{s:s,s:s,s:s}", "token", token, "identity", g.identity, "room",
				  g.video.room);
	if (o) {
		char *text = json_dumps(o, JSON_COMPACT);
		http_reply(h, &(struct http_reply){.status = 200,
				      .content_type = json,
				      .body = slice_str(text),
				      .headers = "Cache-Control: no-store\r\n"});
		mem_free_foreign(text);
		json_decref(o);
	} else {
		http_reply_text(h, 400, "room and name must be UTF-8");
	}
	xfree(token);
	xfree(g.identity);
	xfree(g.name);
	xfree(g.video.room);
}

/* clang-format off */
static const struct route routes[] = {
	/* methods              path                prefix dev    scope                handler          upgrade */
	{HTTP_GET | HTTP_HEAD,  "/",                false, false, FRONT_SCOPE_METRICS, root,            NULL},
	{HTTP_GET | HTTP_HEAD,  "/assets/",         true,  false, FRONT_SCOPE_ALL,     asset,           NULL},
	{HTTP_GET | HTTP_HEAD,  "/room/",           true,  false, FRONT_SCOPE_ALL,     room_page,       NULL},
	{HTTP_GET | HTTP_HEAD,  "/healthz",         false, false, FRONT_SCOPE_METRICS, healthz,         NULL},
	{HTTP_GET | HTTP_HEAD,  "/readyz",          false, false, FRONT_SCOPE_METRICS, readyz,          NULL},
	{HTTP_GET | HTTP_HEAD,  "/metrics",         false, false, FRONT_SCOPE_METRICS, metrics,         NULL},
	{HTTP_GET | HTTP_HEAD,  "/api/v1/config/webrtc", false, false, FRONT_SCOPE_TURN, config_webrtc, NULL},
	{HTTP_GET,              "/api/v1/turn/sessions", false, false, FRONT_SCOPE_TURN, turn_admin_sessions, NULL},
	{HTTP_DELETE,           "/api/v1/turn/sessions/", true, false, FRONT_SCOPE_TURN, turn_admin_session, NULL},
	{HTTP_GET,              "/rtc",             false, false, FRONT_SCOPE_ALL,     not_found_empty, upgrade_v0},
	{HTTP_GET,              "/rtc/v1",          false, false, FRONT_SCOPE_ALL,     not_found_empty, upgrade_v1},
	{HTTP_GET,              "/rtc/validate",    false, false, FRONT_SCOPE_ALL,     validate_v0,     NULL},
	{HTTP_GET,              "/rtc/v1/validate", false, false, FRONT_SCOPE_ALL,     validate_v1,     NULL},
	{HTTP_GET,              "/dev/token",       false, true,  FRONT_SCOPE_ALL,     dev_token,       NULL},
};
/* clang-format on */

const struct route *route_find(struct slice path, enum front_scope scope, bool dev)
{
	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		const struct route *r = &routes[i];
		size_t n = strlen(r->path);
		bool same = r->is_prefix ? path.n >= n && memcmp(path.p, r->path, n) == 0
					 : slice_eq_str(path, r->path);
		if (same && r->scope >= scope && (dev || !r->dev_only))
			return r;
	}
	return NULL;
}
