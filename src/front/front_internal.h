/*
 * front_internal: what the files of front/ share. All of it belongs to the front thread unless it
 * says otherwise.
 */
#pragma once
#include <libwebsockets.h>
#include <pthread.h>
#include "base/list.h"
#include "front/front.h"
#include "front/rate.h"
#include "signal/conn.h"
#include "thread/mbox.h"

enum {
	/* Room for the request head: the longest request line and 32 KiB of headers. */
	FRONT_HEAD_BYTES = FRONT_REQUEST_LINE_MAX + 32 * 1024,
	FRONT_QUERY_MAX = 64, /* parameters; the rest is not looked at */
	FRONT_CLOSE_WAIT_S = 2,
};

struct ws;
struct turn_pending;

/* One accepted TCP connection; hangs on its wsi as opaque user data. */
struct client {
	struct front *f;
	struct addr peer;
	struct ws *ws;                   /* NULL while it speaks HTTP */
	struct turn_pending *pending;    /* its request waits for workers */
	struct signal_join_params *join; /* accepted, waiting for the upgrade to finish */
};

/* One signal WebSocket. */
struct ws {
	struct client *client;
	struct lws *wsi;
	uint64_t conn;
	struct signal_conn signal;
	struct buf rx;  /* a message until its last fragment */
	uint8_t *inflating; /* compressed input that is being inflated (deflate.c) */
	size_t inflating_cap;
	bool is_inflating; /* some of it is not used up */
	struct list tx; /* struct ws_message */
	size_t tx_bytes;
	uint16_t close_code; /* 0 = stay; else close with it once tx is empty */
};

struct ws_slot {
	struct ws *ws;
	uint32_t gen;      /* counts up with each use, so that an old handle finds nothing */
	uint32_t lost_gen; /* any thread: a message for this generation was not posted */
	uint32_t next_free;
};

struct front {
	struct front_cfg cfg;
	struct auth_keys *keys; /* referenced; swapped by a reload, on this thread */
	struct icelist *ice;    /* the same */
	struct rate rate;       /* of requests for it */
	const struct front_ops *ops;
	void *arg;
	uint32_t max_connections;
	size_t out_queue_bytes;
	struct signal_join_limits join_limits;

	struct lws_context *ctx;
	struct lws_vhost *vhost;
	struct lws_protocols protocols[3];
	lws_retry_bo_t retry;
	struct lws_token_limits token_limits;

	int *listen_fds;
	size_t n_listen;
	uint16_t port;
	int spare_fd; /* given up to refuse a connection when no descriptor is left */
	uint32_t n_clients;
	const struct addr *adopting; /* whose connection is being adopted; NULL: its socket knows */

	struct ws_slot *slots;
	uint32_t n_slots, first_free, n_open;

	struct list turn_pending; /* struct turn_pending */
	unsigned n_turn_pending;
	uint64_t turn_token;

	struct mbox mbox;
	pthread_t thread;
	int stop_asked, draining, lost_any; /* atomic */

	char *scratch; /* the request being handled: FRONT_HEAD_BYTES for its strings */
};

static inline struct front *front_of(struct lws *wsi)
{
	return lws_context_user(lws_get_context(wsi));
}

/* ---- deflate.c: permessage-deflate, as libwebsockets has it, with input that stays where it is */

int deflate_on_event(struct lws_context *ctx, const struct lws_extension *ext, struct lws *wsi,
	enum lws_extension_callback_reasons reason, void *user, void *in, size_t len);
void deflate_free(struct ws *ws);

/* ---- http.c: requests and responses */

enum http_method {
	HTTP_GET = 1 << 0,
	HTTP_HEAD = 1 << 1,
	HTTP_POST = 1 << 2,
	HTTP_OPTIONS = 1 << 3,
	HTTP_PUT = 1 << 4,
	HTTP_PATCH = 1 << 5,
	HTTP_DELETE = 1 << 6,
};

/* One request; its strings lie in front.scratch. */
struct http {
	struct front *f;
	struct client *client;
	struct lws *wsi;
	enum http_method method;
	struct slice path;
	struct signal_join_query query[FRONT_QUERY_MAX];
	size_t n_query;
	size_t scratch_used;
	bool is_upgrade; /* asks for a WebSocket, or for HTTP/2, which it will not get */
	bool must_close; /* the connection cannot be used again */
	bool failed;     /* the response could not be written */
};

/* The value of a header, NUL-terminated; p == NULL if it is absent or too long. */
struct slice http_header(struct http *h, enum lws_token_indexes token);

/*
 * The same for a header that libwebsockets has no number for; `name` in lower case with its colon.
 */
struct slice http_header_named(struct http *h, const char *name);

/* The first parameter of that name, or an empty slice. */
struct slice http_query(const struct http *h, const char *name);

struct http_reply {
	int status;
	const char *content_type; /* NULL: no body */
	struct slice body;
	const char *headers; /* further header lines, each with its CRLF; NULL: none */
	bool any_origin;     /* Access-Control-Allow-Origin even when no Origin was sent */
};

/* Writes the response. Once per request. */
void http_reply(struct http *h, const struct http_reply *r);

/* text/plain. */
void http_reply_text(struct http *h, int status, const char *text);

/* The address to show for this client, proxies considered (client_addr.c). */
struct addr http_client_addr(struct http *h);

/* LWS_CALLBACK_HTTP and _HTTP_CONFIRM_UPGRADE: the return value is that of the callback. */
int http_on_request(struct lws *wsi, struct client *c);
int http_on_upgrade(struct lws *wsi, struct client *c, const char *protocol);

/* ---- routes.c */

struct route {
	unsigned methods;
	const char *path;
	bool is_prefix;
	bool dev_only;
	enum front_scope scope; /* the narrowest that has it */
	void (*handle)(struct http *h);
	/* true: let it become a WebSocket; false: has replied. NULL: never a WebSocket. */
	bool (*upgrade)(struct http *h);
};

/* The route for a path, NULL if there is none; dev: routes of the development mode exist. */
const struct route *route_find(struct slice path, enum front_scope scope, bool dev);

/* ---- turn_admin.c: sessions of the TURN server */

void turn_admin_sessions(struct http *h);
void turn_admin_session(struct http *h);
/* The parts are there, or the time is up: answers. The return value is that of the callback. */
int turn_admin_finish(struct lws *wsi, struct client *c);
void turn_admin_forget(struct client *c);

/* Handles the web app's files: true if it has replied. */
bool assets_handle(struct http *h);
/* The page of the app; false if there is no app. */
bool assets_page(struct http *h);

/* ---- client_addr.c */

/* Headers that a proxy sets; p == NULL for those that are absent. */
struct client_addr_headers {
	struct slice cf_connecting_ip, x_forwarded_for, x_real_ip;
};
struct addr client_addr(const struct addr *peer, const struct client_addr_headers *h);

/* ---- ws.c: the signal WebSockets */

void ws_slots_init(struct front *f);
void ws_slots_free(struct front *f);
int ws_on_established(struct lws *wsi, struct client *c);
void ws_on_receive(struct lws *wsi, struct client *c, struct slice fragment);
int ws_on_writable(struct lws *wsi, struct client *c);
void ws_on_closed(struct client *c);
bool ws_may_compress(struct lws *wsi);
/* NULL for a connection that is gone. */
struct ws *ws_find(struct front *f, uint64_t conn);
/* Takes nothing: `binary` is copied or converted. */
void ws_send(struct ws *ws, struct slice binary);
void ws_close(struct ws *ws, uint16_t code);
/* Closes the connections for which another thread could not post a message. */
void ws_close_lost(struct front *f);
void ws_close_all(struct front *f, uint16_t code);

/* ---- listen.c: the listening sockets */

MUST_CHECK int listen_open(struct front *f, struct errbuf *eb);
MUST_CHECK int listen_adopt(struct front *f, struct errbuf *eb);
void listen_accept(struct front *f, int listen_fd);
/* Takes fd. peer NULL: the other end of the socket. */
void listen_take(struct front *f, int fd, const struct addr *peer);
/* Closes what was not adopted. */
void listen_close(struct front *f);

/* ---- inbox.c: front_send and front_close from other threads */

void inbox_init(struct front *f);
