/*
 * GET /api/v1/turn/sessions and DELETE /api/v1/turn/sessions/{id}. The sessions live on the workers: the request waits
 * here until all have answered, or for two seconds.
 */
#include <stdlib.h>

#include "auth/token.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "front/front_internal.h"

enum {
	PENDING_MAX = 16,
	DEADLINE_MS = 2000,
	LIMIT_DEFAULT = 100,
	LIMIT_MAX = 1000,
	USER_MAX = 512,
	BODY_MAX = 8 << 20,
};

static const char json[] = "application/json";

struct turn_pending {
	struct list node;
	struct client *client;
	struct lws *wsi;
	uint64_t token;
	bool is_end;
	unsigned left, n, limit;
	bool is_cut; /* not all fitted */
	struct buf body;
};

static void reply_error(struct http *h, int status, const char *text)
{
	struct buf out;
	buf_init(&out, 256);
	buf_printf(&out, "{\"error\":\"%s\"}", text);
	http_reply(h, &(struct http_reply){.status = status,
			      .content_type = json,
			      .body = buf_slice(&out),
			      .headers = "Cache-Control: no-store\r\n"});
	buf_free(&out);
}

/* A token of ours with the grant; else it has replied. */
static bool is_admin(struct http *h)
{
	static const char bearer[] = "Bearer ";
	struct slice given = http_header(h, WSI_TOKEN_HTTP_AUTHORIZATION);
	size_t n = sizeof bearer - 1;
	struct grants *g = NULL;
	struct errbuf eb;
	if (!h->f->cfg.turn_ask) {
		reply_error(h, 404, "there is no TURN server here");
		return false;
	}
	bool has_token = given.n > n && memcmp(given.p, bearer, n) == 0;
	int err = has_token ? auth_verify(h->f->keys, slice_of(given.p + n, given.n - n),
				      clock_wall_us() / US_PER_S, &g, &eb)
			    : -ERR_AUTH;
	bool is_good = !err && g->turn_admin;
	grants_free(g);
	if (err)
		reply_error(h, 401, "a valid access token is needed");
	else if (!is_good)
		reply_error(h, 403, "the token has no grant for the TURN server");
	return is_good;
}

static void forget(struct turn_pending *p)
{
	list_del(&p->node);
	p->client->f->n_turn_pending--;
	p->client->pending = NULL;
	buf_free(&p->body);
	xfree(p);
}

void turn_admin_forget(struct client *c)
{
	if (c->pending)
		forget(c->pending);
}

static void ask(struct http *h, uint64_t id, const char *user, unsigned limit)
{
	struct front *f = h->f;
	if (f->n_turn_pending == PENDING_MAX) {
		reply_error(h, 503, "too many requests wait already");
		return;
	}
	struct turn_pending *p = XNEW(struct turn_pending);
	*p = (struct turn_pending){.client = h->client,
		.wsi = h->wsi,
		.token = ++f->turn_token,
		.is_end = id,
		.limit = limit};
	buf_init(&p->body, BODY_MAX);
	list_push(&f->turn_pending, &p->node);
	f->n_turn_pending++;
	h->client->pending = p;
	const struct front_turn_ask question = {f, p->token, id, user, limit};
	p->left = f->cfg.turn_ask(f->cfg.turn_arg, &question);
	if (!p->left) {
		forget(p);
		reply_error(h, 503, "the media threads are busy");
		return;
	}
	lws_set_timer_usecs(h->wsi, (lws_usec_t)DEADLINE_MS * 1000);
}

void turn_admin_sessions(struct http *h)
{
	char user[USER_MAX + 1] = "";
	struct slice name = http_query(h, "user"), limit = http_query(h, "limit");
	unsigned long most = LIMIT_DEFAULT;
	if (!is_admin(h))
		return;
	if (limit.n) {
		char text[8] = "", *end;
		memcpy(text, limit.p, MIN(limit.n, sizeof text - 1));
		most = strtoul(text, &end, 10);
		if (*end || limit.n >= sizeof text || most < 1 || most > LIMIT_MAX) {
			reply_error(h, 400, "limit is a number from 1 to 1000");
			return;
		}
	}
	if (name.n > USER_MAX || (name.n && memchr(name.p, 0, name.n))) {
		reply_error(h, 400, "user is too long");
		return;
	}
	if (name.n)
		memcpy(user, name.p, name.n);
	ask(h, 0, user, (unsigned)most);
}

void turn_admin_session(struct http *h)
{
	static const char prefix[] = "/api/v1/turn/sessions/";
	char text[24] = "", *end;
	size_t n = h->path.n - (sizeof prefix - 1);
	if (!is_admin(h))
		return;
	if (n && n < sizeof text)
		memcpy(text, h->path.p + sizeof prefix - 1, n);
	unsigned long long id = strtoull(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end || !id) {
		reply_error(h, 404, "there is no such session");
		return;
	}
	ask(h, id, "", 0);
}

static void reply_list(struct http *h, struct turn_pending *p)
{
	struct buf out;
	buf_init(&out, BODY_MAX + 256);
	buf_add_str(&out, "{\"sessions\":[");
	buf_add(&out, p->body.p, p->body.n);
	buf_printf(&out, "],\"truncated\":%s,\"incomplete\":%s}", p->is_cut || p->n >= p->limit ? "true" : "false",
		p->left ? "true" : "false");
	http_reply(h, &(struct http_reply){.status = 200,
			      .content_type = json,
			      .body = buf_slice(&out),
			      .headers = "Cache-Control: no-store\r\n"});
	buf_free(&out);
}

int turn_admin_finish(struct lws *wsi, struct client *c)
{
	struct turn_pending *p = c->pending;
	struct http h = {
		.f = c->f, .client = c, .wsi = wsi, .method = p->is_end ? HTTP_DELETE : HTTP_GET};
	lws_set_timer_usecs(wsi, LWS_SET_TIMER_USEC_CANCEL);
	if (!p->is_end)
		reply_list(&h, p);
	else if (p->n)
		http_reply(&h, &(struct http_reply){.status = 204});
	else
		reply_error(&h, p->left ? 504 : 404,
			p->left ? "not all media threads answered" : "there is no such session");
	forget(p);
	if (h.failed || h.must_close)
		return -1;
	return lws_http_transaction_completed(wsi) ? -1 : 0;
}

/* ---- from the workers */

struct part_msg {
	struct msg msg;
	uint64_t token;
	unsigned n;
	size_t bytes;
	uint8_t json[];
};

static void drop_part(struct msg *m)
{
	xfree(CONTAINER_OF(m, struct part_msg, msg));
}

/* One object a line, as many as are wanted. */
static void take_objects(struct turn_pending *p, struct slice text)
{
	while (text.n && p->n < p->limit) {
		const uint8_t *end = memchr(text.p, '\n', text.n);
		size_t n = end ? (size_t)(end - text.p) : text.n;
		if (p->body.n)
			buf_add_byte(&p->body, ',');
		buf_add(&p->body, text.p, n);
		p->n++;
		n += end != NULL;
		text = slice_of(text.p + n, text.n - n);
	}
	p->is_cut |= text.n > 0;
}

static void handle_part(void *receiver, struct msg *m)
{
	struct front *f = receiver;
	const struct part_msg *part = CONTAINER_OF(m, struct part_msg, msg);
	struct turn_pending *p = NULL;
	for (struct list *i = f->turn_pending.next; i != &f->turn_pending; i = i->next)
		if (list_entry(i, struct turn_pending, node)->token == part->token)
			p = list_entry(i, struct turn_pending, node);
	if (p && p->left) {
		if (p->is_end)
			p->n += part->n;
		else
			take_objects(p, slice_of(part->json, part->bytes));
		if (!--p->left)
			(void)lws_callback_on_writable(p->wsi);
	}
	drop_part(m);
}

static const struct msg_kind part_kind = {"front.turn_part", handle_part, drop_part};

void front_turn_part(struct front *f, uint64_t token, struct slice text, unsigned n)
{
	struct part_msg *m = xmalloc(sizeof *m + text.n);
	*m = (struct part_msg){.msg = {&part_kind}, .token = token, .n = n, .bytes = text.n};
	if (text.n)
		memcpy(m->json, text.p, text.n);
	mbox_post_or_drop(&f->mbox, &m->msg);
}
