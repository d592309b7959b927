#include "front/front_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"

enum { RESPONSE_HEAD_MAX = 4096, RESPONSE_SEND_TIMEOUT_S = 60, CORS_MAX_AGE_S = 86400 };

struct status_row {
	int status;
	const char *text;
};

static const struct status_row statuses[] = {
	{200, "OK"},
	{204, "No Content"},
	{304, "Not Modified"},
	{400, "Bad Request"},
	{401, "Unauthorized"},
	{403, "Forbidden"},
	{404, "Not Found"},
	{405, "Method Not Allowed"},
	{411, "Length Required"},
	{413, "Content Too Large"},
	{414, "URI Too Long"},
	{429, "Too Many Requests"},
	{500, "Internal Server Error"},
	{503, "Service Unavailable"},
};

static const struct {
	int lws;
	enum http_method method;
	const char *name;
} methods[] = {
	{LWSHUMETH_GET, HTTP_GET, "GET"},
	{LWSHUMETH_HEAD, HTTP_HEAD, "HEAD"},
	{LWSHUMETH_POST, HTTP_POST, "POST"},
	{LWSHUMETH_OPTIONS, HTTP_OPTIONS, "OPTIONS"},
	{LWSHUMETH_PUT, HTTP_PUT, "PUT"},
	{LWSHUMETH_PATCH, HTTP_PATCH, "PATCH"},
	{LWSHUMETH_DELETE, HTTP_DELETE, "DELETE"},
};

static const char *status_text(int status)
{
	for (size_t i = 0; i < ARRAY_LEN(statuses); i++)
		if (statuses[i].status == status)
			return statuses[i].text;
	return "Error";
}

/* Room for n bytes and a NUL among the strings of this request; NULL when they are used up. */
static char *scratch(struct http *h, size_t n)
{
	if (FRONT_HEAD_BYTES - h->scratch_used < n + 1)
		return NULL;
	char *p = h->f->scratch + h->scratch_used;
	h->scratch_used += n + 1;
	return p;
}

struct slice http_header(struct http *h, enum lws_token_indexes token)
{
	int n = lws_hdr_total_length(h->wsi, token);
	char *p = n > 0 ? scratch(h, (size_t)n) : NULL;
	if (!p || lws_hdr_copy(h->wsi, p, n + 1, token) < 0)
		return (struct slice){0};
	return slice_of(p, (size_t)n);
}

struct slice http_header_named(struct http *h, const char *name)
{
	int n = lws_hdr_custom_length(h->wsi, name, (int)strlen(name));
	char *p = n > 0 ? scratch(h, (size_t)n) : NULL;
	if (!p || lws_hdr_custom_copy(h->wsi, p, n + 1, name, (int)strlen(name)) < 0)
		return (struct slice){0};
	return slice_of(p, (size_t)n);
}

struct slice http_query(const struct http *h, const char *name)
{
	for (size_t i = 0; i < h->n_query; i++)
		if (slice_eq_str(h->query[i].name, name))
			return h->query[i].value;
	return (struct slice){0};
}

struct addr http_client_addr(struct http *h)
{
	const struct client_addr_headers headers = {
		.cf_connecting_ip = http_header_named(h, "cf-connecting-ip:"),
		.x_forwarded_for = http_header(h, WSI_TOKEN_X_FORWARDED_FOR),
		.x_real_ip = http_header(h, WSI_TOKEN_HTTP_X_REAL_IP),
	};
	return client_addr(&h->client->peer, &headers);
}

/*
 * Any origin may talk to us: what a page can do is decided by its token, not by where it came from.
 */
static void add_cors(struct http *h, struct buf *head, bool any_origin)
{
	struct slice origin = http_header(h, WSI_TOKEN_ORIGIN);
	if (!origin.n) {
		if (any_origin)
			buf_add_str(head, "Access-Control-Allow-Origin: *\r\n");
		return;
	}
	buf_printf(head, "Access-Control-Allow-Origin: %.*s\r\nVary: Origin\r\n", (int)origin.n,
		(const char *)origin.p);
}

void http_reply(struct http *h, const struct http_reply *r)
{
	struct buf out;
	size_t body_n = r->content_type ? r->body.n : 0;
	buf_init(&out, LWS_PRE + RESPONSE_HEAD_MAX + (size_t)FRONT_HEAD_BYTES + body_n);
	static const char room_for_lws[LWS_PRE];
	buf_add(&out, room_for_lws, sizeof room_for_lws);

	buf_printf(&out, "HTTP/1.1 %d %s\r\n", r->status, status_text(r->status));
	if (r->content_type)
		buf_printf(&out, "Content-Type: %s\r\n", r->content_type);
	if (r->status != 204 && r->status != 304)
		buf_printf(&out, "Content-Length: %zu\r\n", body_n);
	buf_add_str(&out, "X-Content-Type-Options: nosniff\r\n");
	add_cors(h, &out, r->any_origin);
	if (r->headers)
		buf_add_str(&out, r->headers);
	if (h->is_upgrade || h->must_close)
		buf_add_str(&out, "Connection: close\r\n");
	buf_add_str(&out, "\r\n");
	if (h->method != HTTP_HEAD)
		buf_add(&out, r->body.p, body_n);

	metric_inc(M_HTTP_REQUESTS);
	int n = out.full ? -1 : (int)(out.n - LWS_PRE);
	h->failed =
		n < 0 || lws_write(h->wsi, out.p + LWS_PRE, (size_t)n, LWS_WRITE_HTTP_FINAL) < n;
	if (!h->failed)
		lws_set_timeout(h->wsi, PENDING_TIMEOUT_HTTP_CONTENT, RESPONSE_SEND_TIMEOUT_S);
	buf_free(&out);
}

void http_reply_text(struct http *h, int status, const char *text)
{
	http_reply(h, &(struct http_reply){.status = status,
			      .content_type = "text/plain; charset=utf-8",
			      .body = slice_str(text)});
}

static void reply_preflight(struct http *h)
{
	struct slice wanted = http_header(h, WSI_TOKEN_HTTP_AC_REQUEST_HEADERS);
	char *lines = xasprintf(
		"Access-Control-Allow-Methods: OPTIONS, HEAD, GET, POST, PATCH, DELETE\r\n"
		"Access-Control-Allow-Headers: %.*s\r\n"
		"Access-Control-Max-Age: %d\r\n",
		wanted.n ? (int)wanted.n : 1, wanted.n ? (const char *)wanted.p : "*",
		CORS_MAX_AGE_S);
	http_reply(h, &(struct http_reply){.status = 204, .headers = lines});
	xfree(lines);
}

static bool read_query(struct http *h, size_t line_bytes)
{
	int total = lws_hdr_total_length(h->wsi, WSI_TOKEN_HTTP_URI_ARGS);
	if (total > 0)
		line_bytes += (size_t)total;
	if (line_bytes >= FRONT_REQUEST_LINE_MAX)
		return false;
	for (int i = 0; h->n_query < FRONT_QUERY_MAX; i++) {
		size_t left = FRONT_HEAD_BYTES - h->scratch_used;
		char *p = h->f->scratch + h->scratch_used;
		int n = lws_hdr_copy_fragment(h->wsi, p, (int)left, WSI_TOKEN_HTTP_URI_ARGS, i);
		if (n < 0)
			break;
		h->scratch_used += (size_t)n + 1;
		char *eq = memchr(p, '=', (size_t)n);
		size_t name_n = eq ? (size_t)(eq - p) : (size_t)n;
		h->query[h->n_query++] = (struct signal_join_query){
			.name = slice_of(p, name_n),
			.value = eq ? slice_of(eq + 1, (size_t)n - name_n - 1) : (struct slice){0},
		};
	}
	return true;
}

/* Fills in what every handler needs. False if it has replied already. */
static bool read_request(struct http *h)
{
	char *uri = NULL;
	int uri_n = 0, method = lws_http_get_uri_and_method(h->wsi, &uri, &uri_n);
	h->method = HTTP_GET;
	const char *name = "?";
	bool known = false;
	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		if (methods[i].lws != method)
			continue;
		known = true;
		h->method = methods[i].method;
		name = methods[i].name;
	}
	char *path = uri_n > 0 && uri_n < FRONT_REQUEST_LINE_MAX ? scratch(h, (size_t)uri_n) : NULL;
	if (!path || !read_query(h, (size_t)uri_n)) {
		h->must_close = true;
		http_reply_text(h, 414, "request line too long");
		return false;
	}
	memcpy(path, uri, (size_t)uri_n);
	path[uri_n] = 0;
	h->path = slice_of(path, (size_t)uri_n);
	if (!known) {
		h->must_close = true;
		http_reply_text(h, 405, "method not allowed");
		return false;
	}
	LOG_DEBUG("http request", F_STR("method", name), F_SLICE("path", h->path),
		F_ADDR("from", &h->client->peer));
	return true;
}

/*
 * The parser below us knows bodies with a Content-Length only: a chunked one would be taken for the
 * next request (RFC 9112 §6.3), so the connection ends here. False if it has replied.
 */
static bool check_body(struct http *h)
{
	struct slice length = http_header(h, WSI_TOKEN_HTTP_CONTENT_LENGTH);
	bool has_body = h->method & (HTTP_POST | HTTP_PUT | HTTP_PATCH);
	if (http_header(h, WSI_TOKEN_HTTP_TRANSFER_ENCODING).n || (has_body && !length.n)) {
		h->must_close = true;
		http_reply_text(h, 411, "Content-Length is required");
		return false;
	}
	if (!length.n)
		return true;
	char *end = NULL;
	unsigned long long n = strtoull((const char *)length.p, &end, 10);
	if (*end || length.p[0] < '0' || length.p[0] > '9') {
		h->must_close = true;
		http_reply_text(h, 400, "malformed Content-Length");
		return false;
	}
	if (n > FRONT_BODY_MAX) {
		h->must_close = true;
		http_reply_text(h, 413, "request body too large");
		return false;
	}
	return true;
}

static void reply_not_allowed(struct http *h, const struct route *r)
{
	struct buf allow;
	buf_init(&allow, 256);
	buf_add_str(&allow, "Allow: OPTIONS");
	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		if (r->methods & methods[i].method)
			buf_printf(&allow, ", %s", methods[i].name);
	buf_add_str(&allow, "\r\n");
	http_reply(h, &(struct http_reply){.status = 405,
			      .content_type = "text/plain; charset=utf-8",
			      .body = slice_str("method not allowed"),
			      .headers = buf_cstr(&allow)});
	buf_free(&allow);
}

static void answer(struct http *h)
{
	if (!read_request(h) || !check_body(h))
		return;
	if (h->method == HTTP_OPTIONS) {
		reply_preflight(h);
		return;
	}
	const struct route *r = route_find(h->path, h->f->cfg.scope, h->f->cfg.dev);
	if (r && !(r->methods & h->method))
		reply_not_allowed(h, r);
	else if (r)
		r->handle(h);
	else if (!assets_handle(h))
		http_reply_text(h, 404, "not found");
}

int http_on_request(struct lws *wsi, struct client *c)
{
	struct http h = {.f = c->f, .client = c, .wsi = wsi};
	answer(&h);
	if (h.failed || h.must_close)
		return -1;
	if (c->pending)
		return 0; /* the answer comes later */
	return lws_http_transaction_completed(wsi) ? -1 : 0;
}

int http_on_upgrade(struct lws *wsi, struct client *c, const char *protocol)
{
	struct http h = {.f = c->f, .client = c, .wsi = wsi, .is_upgrade = true};
	/*
	 * Clients that would like HTTP/2 can live without (RFC 9110 §7.8): they get their answer in
	 * HTTP/1.1.
	 */
	if (strcasecmp(protocol, "websocket") != 0) {
		answer(&h);
		return h.failed ? -1 : 1;
	}
	if (!read_request(&h))
		return h.failed ? -1 : 1;
	const struct route *r = route_find(h.path, c->f->cfg.scope, c->f->cfg.dev);
	if (!r || !r->upgrade || h.method != HTTP_GET)
		http_reply_text(&h, 404, "not found");
	else if (r->upgrade(&h))
		return 0;
	return h.failed ? -1 : 1;
}
