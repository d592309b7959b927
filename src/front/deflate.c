#include "front/front_internal.h"

#include "base/mem.h"

/*
 * libwebsockets hands permessage-deflate a pointer into the receive buffer that all connections of
 * the thread share. When the inflated bytes fill the output buffer it returns to its loop, another
 * connection's bytes are read over the rest, and the first one goes on inflating those: garbage at
 * best, somebody else's message at worst. So the extension gets its input from memory of the
 * connection's own (docs/decisions/003-permessage-deflate-input.md).
 */
#if LWS_LIBRARY_VERSION_NUMBER < 4001000 || LWS_LIBRARY_VERSION_NUMBER >= 4004000
#error "check that libwebsockets still passes these two to PAYLOAD_RX"
#endif
struct rx_ebufs {
	struct lws_tokens in, out;
};

/* Moves new input to memory of the connection's own. While an earlier piece is not used up, zlib still reads there. */
static void own_input(struct ws *ws, struct rx_ebufs *e)
{
	size_t n = e->in.token && e->in.len > 0 ? (size_t)e->in.len : 0;
	if (!n || ws->is_inflating)
		return;
	if (n > ws->inflating_cap) {
		xfree(ws->inflating);
		ws->inflating = xmalloc(n);
		ws->inflating_cap = n;
	}
	memcpy(ws->inflating, e->in.token, n);
	e->in.token = ws->inflating;
}

int deflate_on_event(struct lws_context *ctx, const struct lws_extension *ext, struct lws *wsi,
	enum lws_extension_callback_reasons reason, void *user, void *in, size_t len)
{
	const struct client *c = lws_get_opaque_user_data(wsi);
	struct ws *ws = reason == LWS_EXT_CB_PAYLOAD_RX && c ? c->ws : NULL;
	if (!ws)
		return lws_extension_callback_pm_deflate(ctx, ext, wsi, reason, user, in, len);
	struct rx_ebufs *e = in;
	own_input(ws, e);
	const uint8_t *given = e->in.token;
	int given_len = e->in.len;
	int ret = lws_extension_callback_pm_deflate(ctx, ext, wsi, reason, user, in, len);
	/* What it took it advances over; what it has nothing to do with (a plain frame) it leaves as it was. */
	bool is_untouched = given_len > 0 && e->in.token == given && e->in.len == given_len;
	ws->is_inflating = e->in.len > 0 && !is_untouched;
	return ret;
}

void deflate_free(struct ws *ws)
{
	xfree(ws->inflating);
	ws->inflating = NULL;
	ws->inflating_cap = 0;
}
