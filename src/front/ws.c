#include "front/front_internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"

enum { RX_BYTES_NO_LIMIT = 1 << 30, RX_KEEP_BYTES = 16 << 10 };

static const uint32_t no_slot = UINT32_MAX;

/* Waiting to be written; libwebsockets wants LWS_PRE bytes of its own in front of the payload. */
struct ws_message {
	struct list node;
	size_t n;
	bool is_text;
	uint8_t frame[]; /* LWS_PRE + n */
};

void ws_slots_init(struct front *f)
{
	f->n_slots = f->max_connections;
	f->slots = xcalloc(f->n_slots, sizeof f->slots[0]);
	for (uint32_t i = 0; i < f->n_slots; i++)
		f->slots[i] = (struct ws_slot){
			.gen = 1, .next_free = i + 1 < f->n_slots ? i + 1 : no_slot};
	f->first_free = f->n_slots ? 0 : no_slot;
}

void ws_slots_free(struct front *f)
{
	xfree(f->slots);
	f->slots = NULL;
}

struct ws *ws_find(struct front *f, uint64_t conn)
{
	uint32_t i = (uint32_t)conn;
	if (i >= f->n_slots || f->slots[i].gen != (uint32_t)(conn >> 32))
		return NULL;
	return f->slots[i].ws;
}

static bool slot_take(struct front *f, struct ws *ws)
{
	uint32_t i = f->first_free;
	if (i == no_slot)
		return false;
	struct ws_slot *s = &f->slots[i];
	f->first_free = s->next_free;
	s->ws = ws;
	ws->conn = (uint64_t)s->gen << 32 | i;
	return true;
}

static void slot_release(struct front *f, struct ws *ws)
{
	uint32_t i = (uint32_t)ws->conn;
	struct ws_slot *s = &f->slots[i];
	s->ws = NULL;
	if (++s->gen == 0)
		s->gen = 1;
	s->next_free = f->first_free;
	f->first_free = i;
}

static void message_free(struct ws *ws, struct ws_message *m)
{
	ws->tx_bytes -= m->n;
	list_del(&m->node);
	xfree(m);
}

void ws_close(struct ws *ws, uint16_t code)
{
	if (ws->close_code)
		return;
	ws->close_code = code;
	lws_callback_on_writable(ws->wsi);
}

/*
 * The client does not read: what it has missed it would never catch up with, so it is better off
 * reconnecting.
 */
static void overflow(struct ws *ws)
{
	LOG_WARN("signal client reads too slowly", F_UINT("conn", ws->conn),
		F_UINT("queued_bytes", ws->tx_bytes), F_ADDR("from", &ws->client->peer));
	while (!list_empty(&ws->tx))
		message_free(ws, list_first(&ws->tx, struct ws_message, node));
	ws_close(ws, SIGNAL_CLOSE_TRY_LATER);
}

static void queue(struct ws *ws, struct slice payload, bool is_text)
{
	if (ws->tx_bytes + payload.n > ws->client->f->out_queue_bytes) {
		overflow(ws);
		return;
	}
	struct ws_message *m = xmalloc(sizeof *m + LWS_PRE + payload.n);
	*m = (struct ws_message){.n = payload.n, .is_text = is_text};
	if (payload.n)
		memcpy(m->frame + LWS_PRE, payload.p, payload.n);
	list_push(&ws->tx, &m->node);
	ws->tx_bytes += m->n;
	metric_inc(M_SIGNAL_OUT);
	lws_callback_on_writable(ws->wsi);
}

void ws_send(struct ws *ws, struct slice binary)
{
	if (ws->close_code)
		return;
	if (!ws->signal.is_json) {
		queue(ws, binary, false);
		return;
	}
	struct buf json;
	buf_init(&json, ws->client->f->out_queue_bytes);
	int err = signal_conn_json(binary, &json);
	if (err) {
		LOG_ERROR("signal message has no JSON form", F_UINT("conn", ws->conn),
			F_UINT("bytes", binary.n), F_ERR(err));
		ws_close(ws, SIGNAL_CLOSE_INTERNAL);
	} else {
		queue(ws, buf_slice(&json), true);
	}
	buf_free(&json);
}

/*
 * This version of libwebsockets forgets the client's compression window when the *server's* is not
 * to be kept. A client that asks for the one and does not promise the other would be misread, so it
 * goes without.
 */
bool ws_may_compress(struct lws *wsi)
{
	char offer[256];
	if (lws_hdr_copy(wsi, offer, sizeof offer, WSI_TOKEN_EXTENSIONS) <= 0)
		return false;
	return !strstr(offer, "server_no_context_takeover") ||
	       strstr(offer, "client_no_context_takeover");
}

int ws_on_established(struct lws *wsi, struct client *c)
{
	struct front *f = c->f;
	struct signal_join_params *params = c->join;
	c->join = NULL;
	if (!params)
		return -1;
	struct ws *ws = XNEW(struct ws);
	*ws = (struct ws){.client = c, .wsi = wsi};
	buf_init(&ws->rx,
		f->cfg.signal_message_bytes ? f->cfg.signal_message_bytes : RX_BYTES_NO_LIMIT);
	list_init(&ws->tx);
	signal_conn_init(&ws->signal, clock_mono_us());
	if (!slot_take(f, ws)) {
		xfree(ws);
		signal_join_params_free(params);
		return -1;
	}
	c->ws = ws;
	/*
	 * Less memory per client for a little less compression, and whole messages instead of 1 KiB
	 * pieces. What we send is compressed with the "client's" window, as libwebsockets takes a
	 * vhost that does not listen itself for a client's; a window below the agreed one needs no
	 * consent (RFC 7692 §7.1.2.1).
	 */
	lws_set_extension_option(wsi, "permessage-deflate", "client_max_window_bits", "11");
	lws_set_extension_option(wsi, "permessage-deflate", "mem_level", "4");
	lws_set_extension_option(wsi, "permessage-deflate", "rx_buf_size", "13");
	lws_set_extension_option(wsi, "permessage-deflate", "tx_buf_size", "13");

	metric_add(M_SIGNAL_CONNECTIONS, 1);
	LOG_INFO("signal connection open", F_UINT("conn", ws->conn), F_STR("room", params->room),
		F_STR("identity", params->identity), F_BOOL("reconnect", params->reconnect),
		F_BOOL("single_pc", params->is_single_pc), F_ADDR("from", &params->client));
	f->n_open++;
	f->ops->signal_open(f->arg, ws->conn, params);
	return 0;
}

static void on_pong(void *arg, struct slice signal_response)
{
	ws_send(arg, signal_response);
}

static void on_request(void *arg, Livekit__SignalRequest *req)
{
	struct ws *ws = arg;
	struct front *f = ws->client->f;
	f->ops->signal_request(f->arg, ws->conn, req);
}

/*
 * From here on the client is not listened to. The close frame goes out when it is writable, not at
 * once: ending in the middle of its input would make libwebsockets lose count of the frames and cut
 * the line without a word.
 */
static void end(struct ws *ws, uint16_t code, const char *why)
{
	LOG_INFO("signal connection ended by us", F_UINT("conn", ws->conn), F_UINT("code", code),
		F_STR("reason", why));
	ws_close(ws, code);
}

/* Keeps the memory for the usual small message, gives back that of a large one. */
static void rx_reset(struct ws *ws)
{
	size_t limit = ws->rx.limit;
	buf_reset(&ws->rx);
	if (ws->rx.cap > RX_KEEP_BYTES) {
		buf_free(&ws->rx);
		buf_init(&ws->rx, limit);
	}
}

void ws_on_receive(struct lws *wsi, struct client *c, struct slice fragment)
{
	static const struct signal_conn_ops ops = {.send = on_pong, .request = on_request};
	struct ws *ws = c->ws;
	uint16_t code = 0;
	if (!ws || ws->close_code)
		return;
	/* Told by the frame header already: no need to wait for the bytes. */
	size_t announced = lws_remaining_packet_payload(wsi);
	buf_add(&ws->rx, fragment.p, fragment.n);
	if (ws->rx.full || announced > ws->rx.limit - ws->rx.n) {
		end(ws, SIGNAL_CLOSE_TOO_LARGE, "message too large");
		return;
	}
	if (!lws_is_final_fragment(wsi))
		return;
	int err = signal_conn_rx(&ws->signal, buf_slice(&ws->rx), !lws_frame_is_binary(wsi),
		clock_mono_us(), clock_wall_us(), &ops, ws, &code);
	rx_reset(ws);
	if (err)
		end(ws, code, err_text(err));
}

int ws_on_writable(struct lws *wsi, struct client *c)
{
	struct ws *ws = c->ws;
	if (!ws)
		return 0;
	if (list_empty(&ws->tx)) {
		if (!ws->close_code)
			return 0;
		lws_close_reason(wsi, (enum lws_close_status)ws->close_code, NULL, 0);
		return -1;
	}
	/*
	 * One per call: more could leave half of one behind, and libwebsockets would have to copy
	 * it.
	 */
	struct ws_message *m = list_first(&ws->tx, struct ws_message, node);
	int n = lws_write(
		wsi, m->frame + LWS_PRE, m->n, m->is_text ? LWS_WRITE_TEXT : LWS_WRITE_BINARY);
	bool failed = n < (int)m->n;
	message_free(ws, m);
	if (failed)
		return -1;
	if (!list_empty(&ws->tx) || ws->close_code)
		lws_callback_on_writable(wsi);
	return 0;
}

void ws_on_closed(struct client *c)
{
	struct ws *ws = c->ws;
	if (!ws)
		return;
	struct front *f = c->f;
	c->ws = NULL;
	while (!list_empty(&ws->tx))
		message_free(ws, list_first(&ws->tx, struct ws_message, node));
	buf_free(&ws->rx);
	deflate_free(ws);
	uint64_t conn = ws->conn;
	slot_release(f, ws);
	xfree(ws);
	f->n_open--;
	metric_sub(M_SIGNAL_CONNECTIONS, 1);
	LOG_INFO("signal connection closed", F_UINT("conn", conn));
	f->ops->signal_closed(f->arg, conn);
}

void ws_close_lost(struct front *f)
{
	if (!__atomic_exchange_n(&f->lost_any, 0, __ATOMIC_ACQUIRE))
		return;
	for (uint32_t i = 0; i < f->n_slots; i++) {
		struct ws_slot *s = &f->slots[i];
		if (s->ws && __atomic_load_n(&s->lost_gen, __ATOMIC_RELAXED) == s->gen)
			overflow(s->ws);
	}
}

void ws_close_all(struct front *f, uint16_t code)
{
	for (uint32_t i = 0; i < f->n_slots; i++)
		if (f->slots[i].ws)
			ws_close(f->slots[i].ws, code);
}
