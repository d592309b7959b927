#include "front/front.h"

#include <signal.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"
#include "front/front_internal.h"

enum {
	HEADER_TIMEOUT_S = 10,
	KEEPALIVE_TIMEOUT_S = 60,
	PING_INTERVAL_S = 10,
	PONG_WAIT_PINGS = 3, /* this many intervals without a pong: the client is gone */
	SERVICE_BUFFER_BYTES = 16 << 10,
	INBOX_PER_TURN = 1024,
	ICE_ADDRESSES_DEFAULT = 4096,
};

static struct client *client_of(struct lws *wsi)
{
	return lws_get_opaque_user_data(wsi);
}

static int client_new(struct lws *wsi)
{
	struct client *c = XNEW(struct client);
	socklen_t n = sizeof c->peer;
	c->f = front_of(wsi);
	if (c->f->adopting) {
		c->peer = *c->f->adopting;
	} else if (getpeername(lws_get_socket_fd(wsi), &c->peer.sa, &n) != 0) {
		xfree(c);
		return -1;
	}
	addr_unmap(&c->peer);
	c->f->n_clients++;
	lws_set_opaque_user_data(wsi, c);
	return 0;
}

static void client_free(struct lws *wsi)
{
	struct client *c = client_of(wsi);
	if (!c)
		return;
	lws_set_opaque_user_data(wsi, NULL);
	turn_admin_forget(c);
	ws_on_closed(c);
	signal_join_params_free(c->join);
	c->f->n_clients--;
	xfree(c);
}

/* All of libwebsockets' events arrive here; 0 goes on, -1 closes the connection. */
static int on_event(
	struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t n)
{
	struct client *c = wsi && reason != LWS_CALLBACK_GET_THREAD_ID ? client_of(wsi) : NULL;
	switch (reason) {
	case LWS_CALLBACK_SERVER_NEW_CLIENT_INSTANTIATED: return client_new(wsi);
	case LWS_CALLBACK_WSI_DESTROY: client_free(wsi); return 0;
	case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE: return c ? http_on_upgrade(wsi, c, in) : -1;
	case LWS_CALLBACK_HTTP: return c ? http_on_request(wsi, c) : -1;
	case LWS_CALLBACK_HTTP_WRITEABLE:
	case LWS_CALLBACK_TIMER: return c && c->pending ? turn_admin_finish(wsi, c) : 0;
	case LWS_CALLBACK_CONFIRM_EXTENSION_OKAY: return !ws_may_compress(wsi);
	case LWS_CALLBACK_ESTABLISHED: return c ? ws_on_established(wsi, c) : -1;
	case LWS_CALLBACK_RECEIVE:
		if (c)
			ws_on_receive(wsi, c, slice_of(in, n));
		return 0;
	case LWS_CALLBACK_SERVER_WRITEABLE: return c ? ws_on_writable(wsi, c) : -1;
	case LWS_CALLBACK_CLOSED:
		if (c)
			ws_on_closed(c);
		return 0;
	default: return 0;
	}
}

static int on_listen_event(
	struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t n)
{
	if (reason == LWS_CALLBACK_RAW_RX_FILE)
		listen_accept(front_of(wsi), lws_get_socket_fd(wsi));
	return 0;
}

/*
 * Strangers can cause most of these lines, so only what the library calls an error is shown by
 * default.
 */
static void on_library_log(int level, const char *line)
{
	size_t n = strlen(line);
	while (n && (line[n - 1] == '\n' || line[n - 1] == ' '))
		n--;
	if (level & LLL_ERR)
		LOG_WARN("libwebsockets", F_SLICE("text", slice_of(line, n)));
	else
		LOG_DEBUG("libwebsockets", F_SLICE("text", slice_of(line, n)));
}

static void *front_run(void *arg)
{
	struct front *f = arg;
	uint64_t stop_by = 0;
	pthread_setname_np(pthread_self(), "front");
	metric_thread_init();
	mbox_thread_init();
	for (;;) {
		/* At the end all that was said before is written first: why a client must leave, for one. */
		bool has_more = mbox_drain(&f->mbox, f, INBOX_PER_TURN) == INBOX_PER_TURN;
		ws_close_lost(f);
		if (__atomic_load_n(&f->stop_asked, __ATOMIC_ACQUIRE) && !has_more) {
			if (!stop_by) {
				stop_by = clock_mono_us() + (uint64_t)FRONT_CLOSE_WAIT_S * US_PER_S;
				ws_close_all(f, SIGNAL_CLOSE_GOING_AWAY);
			}
			if (!f->n_open || clock_mono_us() >= stop_by)
				break;
		}
		if (!mbox_may_sleep(&f->mbox))
			lws_cancel_service(f->ctx);
		if (lws_service(f->ctx, 0) < 0)
			break;
		mbox_awake(&f->mbox);
	}
	return NULL;
}

/* The thread runs no signal handlers; those are for the control thread. */
static int start_thread(struct front *f, struct errbuf *eb)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int err = pthread_create(&f->thread, NULL, front_run, f);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err)
		return err_set(eb, ERR_SYSTEM, "cannot start the front thread: %s", strerror(err));
	return 0;
}

static void fill_protocols(struct front *f)
{
	f->protocols[0] = (struct lws_protocols){.name = "http", .callback = on_event};
	f->protocols[1] = (struct lws_protocols){.name = "listen", .callback = on_listen_event};
	f->protocols[2] = (struct lws_protocols){0};
}

static int make_context(struct front *f, struct errbuf *eb)
{
	static const struct lws_extension extensions[] = {
		{"permessage-deflate", deflate_on_event,
			"permessage-deflate; client_no_context_takeover; client_max_window_bits"},
		{NULL, NULL, NULL},
	};
	const struct front_cfg *cfg = &f->cfg;
	uint32_t header_s = cfg->header_timeout_s ? cfg->header_timeout_s : HEADER_TIMEOUT_S;
	uint32_t ping_s = cfg->ping_interval_s ? cfg->ping_interval_s : PING_INTERVAL_S;
	f->retry = (lws_retry_bo_t){
		.secs_since_valid_ping = (uint16_t)ping_s,
		.secs_since_valid_hangup = (uint16_t)(ping_s * (1 + PONG_WAIT_PINGS)),
	};
	/*
	 * Lengths are 16-bit numbers in the library: what does not fit must end there, see http.c
	 * on 414.
	 */
	for (size_t i = 0; i < ARRAY_LEN(f->token_limits.token_limit); i++)
		f->token_limits.token_limit[i] = FRONT_REQUEST_LINE_MAX;
	fill_protocols(f);

	struct lws_context_creation_info info = {
		.port = CONTEXT_PORT_NO_LISTEN_SERVER,
		.protocols = f->protocols,
		.extensions = extensions,
		.token_limits = &f->token_limits,
		.options =
			LWS_SERVER_OPTION_EXPLICIT_VHOSTS | LWS_SERVER_OPTION_DISABLE_OS_CA_CERTS,
		.gid = -1,
		.uid = -1,
		.user = f,
		.timeout_secs = header_s,
		.timeout_secs_ah_idle = header_s,
		.keepalive_timeout = (int)(cfg->keepalive_timeout_s ? cfg->keepalive_timeout_s
								    : KEEPALIVE_TIMEOUT_S),
		.max_http_header_data2 = FRONT_HEAD_BYTES,
		.pt_serv_buf_size = SERVICE_BUFFER_BYTES,
		.retry_and_idle_policy = &f->retry,
		.vhost_name = "sterna",
	};
	lws_set_log_level(LLL_ERR | LLL_WARN, on_library_log);
	f->ctx = lws_create_context(&info);
	if (!f->ctx)
		return err_set(eb, ERR_SYSTEM, "cannot set up libwebsockets");
	f->vhost = lws_create_vhost(f->ctx, &info);
	if (!f->vhost)
		return err_set(eb, ERR_SYSTEM, "cannot set up the HTTP server");
	return 0;
}

static void front_free(struct front *f)
{
	mbox_close(&f->mbox);
	listen_close(f);
	ws_slots_free(f);
	auth_keys_unref(f->keys);
	icelist_unref(f->ice);
	rate_free(&f->rate);
	xfree(f->scratch);
	xfree(f);
}

int front_start(struct front **out, const struct front_cfg *cfg, const struct front_ops *ops,
	void *arg, struct errbuf *eb)
{
	struct front *f = XNEW(struct front);
	*f = (struct front){.cfg = *cfg,
		.keys = auth_keys_ref((struct auth_keys *)cfg->keys),
		.ops = ops,
		.arg = arg,
		.spare_fd = -1};
	f->ice = icelist_ref(cfg->ice);
	rate_init(&f->rate, cfg->ice_requests_per_minute,
		cfg->ice_request_addresses ? cfg->ice_request_addresses : ICE_ADDRESSES_DEFAULT);
	f->max_connections =
		cfg->max_connections ? cfg->max_connections : FRONT_CONNECTIONS_DEFAULT;
	f->out_queue_bytes =
		cfg->signal_out_queue_bytes ? cfg->signal_out_queue_bytes : FRONT_OUT_QUEUE_DEFAULT;
	f->join_limits = cfg->join_limits ? *cfg->join_limits : SIGNAL_JOIN_LIMITS_DEFAULT;
	f->scratch = xmalloc(FRONT_HEAD_BYTES);
	list_init(&f->turn_pending);
	ws_slots_init(f);
	inbox_init(f);
	int err = listen_open(f, eb);
	if (!err)
		err = make_context(f, eb);
	if (!err)
		err = listen_adopt(f, eb);
	*out = f; /* the ops may want it as soon as the thread runs */
	if (!err)
		err = start_thread(f, eb);
	if (err) {
		*out = NULL;
		if (f->ctx)
			lws_context_destroy(f->ctx);
		front_free(f);
		return err;
	}
	LOG_INFO("listening for HTTP", F_UINT("port", f->port), F_UINT("sockets", f->n_listen));
	return 0;
}

uint16_t front_port(const struct front *f)
{
	return f->port;
}

void front_drain(struct front *f)
{
	__atomic_store_n(&f->draining, 1, __ATOMIC_RELEASE);
}

void front_stop(struct front *f)
{
	if (!f)
		return;
	__atomic_store_n(&f->stop_asked, 1, __ATOMIC_RELEASE);
	lws_cancel_service(f->ctx);
	pthread_join(f->thread, NULL);
	/* Not on the thread, which may see stop_asked before the call above is done with the context. */
	lws_context_destroy(f->ctx);
	front_free(f);
}
