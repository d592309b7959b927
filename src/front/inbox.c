#include "front/front_internal.h"

#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

enum { MAILBOX_DEFAULT = 16384 };

/* One message from another thread to one or more clients: bytes to send, or a code to close with. */
struct inbox_msg {
	struct msg msg;
	uint16_t close_code;
	size_t n_conns, n_bytes;
	uint64_t conns[]; /* n_conns of them, and the bytes behind */
};

static struct slice bytes_of(const struct inbox_msg *in)
{
	return slice_of(&in->conns[in->n_conns], in->n_bytes);
}

static void handle_send(void *receiver, struct msg *m)
{
	struct inbox_msg *in = CONTAINER_OF(m, struct inbox_msg, msg);
	for (size_t i = 0; i < in->n_conns; i++) {
		struct ws *ws = ws_find(receiver, in->conns[i]);
		if (ws)
			ws_send(ws, bytes_of(in));
	}
	xfree(in);
}

static void handle_close(void *receiver, struct msg *m)
{
	struct inbox_msg *in = CONTAINER_OF(m, struct inbox_msg, msg);
	struct ws *ws = ws_find(receiver, in->conns[0]);
	if (ws)
		ws_close(ws, in->close_code);
	xfree(in);
}

static void drop(struct msg *m)
{
	xfree(CONTAINER_OF(m, struct inbox_msg, msg));
}

static const struct msg_kind kind_send = {
	.name = "front_send", .handle = handle_send, .drop = drop};
static const struct msg_kind kind_close = {
	.name = "front_close", .handle = handle_close, .drop = drop};

struct keys_msg {
	struct msg msg;
	struct auth_keys *keys; /* referenced */
};

static void handle_keys(void *receiver, struct msg *m)
{
	struct front *f = receiver;
	struct keys_msg *k = CONTAINER_OF(m, struct keys_msg, msg);
	auth_keys_unref(f->keys);
	f->keys = k->keys;
	xfree(k);
}

static void drop_keys(struct msg *m)
{
	struct keys_msg *k = CONTAINER_OF(m, struct keys_msg, msg);
	auth_keys_unref(k->keys);
	xfree(k);
}

static const struct msg_kind kind_keys = {
	.name = "front_keys", .handle = handle_keys, .drop = drop_keys};

struct ice_msg {
	struct msg msg;
	struct icelist *ice; /* referenced */
};

static void drop_ice(struct msg *m)
{
	struct ice_msg *i = CONTAINER_OF(m, struct ice_msg, msg);
	icelist_unref(i->ice);
	xfree(i);
}

static void handle_ice(void *receiver, struct msg *m)
{
	struct front *f = receiver;
	struct ice_msg *i = CONTAINER_OF(m, struct ice_msg, msg);
	struct icelist *old = f->ice;
	f->ice = i->ice;
	i->ice = old;
	drop_ice(m);
}

static const struct msg_kind kind_ice = {.name = "front_ice", .handle = handle_ice, .drop = drop_ice};

/* Any thread. */
struct adopt_msg {
	struct msg msg;
	int fd; /* owned */
	struct addr client;
};

static void handle_adopt(void *receiver, struct msg *m)
{
	struct adopt_msg *a = CONTAINER_OF(m, struct adopt_msg, msg);
	listen_take(receiver, a->fd, &a->client);
	xfree(a);
}

static void drop_adopt(struct msg *m)
{
	struct adopt_msg *a = CONTAINER_OF(m, struct adopt_msg, msg);
	close(a->fd);
	xfree(a);
}

static const struct msg_kind kind_adopt = {
	.name = "front_adopt", .handle = handle_adopt, .drop = drop_adopt};

static void wake(void *arg)
{
	struct front *f = arg;
	lws_cancel_service(f->ctx);
}

void inbox_init(struct front *f)
{
	mbox_init(&f->mbox, f->cfg.mailbox_messages ? f->cfg.mailbox_messages : MAILBOX_DEFAULT,
		wake, f);
}

/*
 * Any thread. A message that finds no room takes its connection with it: a gap would confuse the
 * client.
 */
static void post(struct front *f, struct inbox_msg *m)
{
	if (mbox_post(&f->mbox, &m->msg) == 0)
		return;
	for (size_t k = 0; k < m->n_conns; k++) {
		uint32_t i = (uint32_t)m->conns[k], gen = (uint32_t)(m->conns[k] >> 32);
		if (i < f->n_slots)
			__atomic_store_n(&f->slots[i].lost_gen, gen, __ATOMIC_RELAXED);
	}
	xfree(m);
	__atomic_store_n(&f->lost_any, 1, __ATOMIC_RELEASE);
	lws_cancel_service(f->ctx);
}

static struct inbox_msg *inbox_msg_new(
	const struct msg_kind *kind, const uint64_t *conns, size_t n_conns, struct slice bytes)
{
	struct inbox_msg *m = xmalloc(sizeof *m + n_conns * sizeof *conns + bytes.n);
	*m = (struct inbox_msg){.msg = {kind}, .n_conns = n_conns, .n_bytes = bytes.n};
	memcpy(m->conns, conns, n_conns * sizeof *conns);
	if (bytes.n)
		memcpy(&m->conns[n_conns], bytes.p, bytes.n);
	return m;
}

void front_send_many(
	struct front *f, const uint64_t *conns, size_t n, struct slice signal_response)
{
	if (n)
		post(f, inbox_msg_new(&kind_send, conns, n, signal_response));
}

void front_send(struct front *f, uint64_t conn, struct slice signal_response)
{
	front_send_many(f, &conn, 1, signal_response);
}

void front_close(struct front *f, uint64_t conn, uint16_t ws_code)
{
	struct inbox_msg *m = inbox_msg_new(&kind_close, &conn, 1, (struct slice){0});
	m->close_code = ws_code;
	post(f, m);
}

void front_adopt(struct front *f, int fd, const struct addr *client)
{
	struct adopt_msg *m = XNEW(struct adopt_msg);
	*m = (struct adopt_msg){.msg = {.kind = &kind_adopt}, .fd = fd, .client = *client};
	mbox_post_or_drop(&f->mbox, &m->msg);
}

void front_set_keys(struct front *f, struct auth_keys *keys)
{
	struct keys_msg *m = XNEW(struct keys_msg);
	*m = (struct keys_msg){.msg = {.kind = &kind_keys}, .keys = auth_keys_ref(keys)};
	mbox_post_or_drop(&f->mbox, &m->msg);
}

void front_set_ice(struct front *f, struct icelist *ice)
{
	struct ice_msg *m = XNEW(struct ice_msg);
	*m = (struct ice_msg){.msg = {.kind = &kind_ice}, .ice = icelist_ref(ice)};
	mbox_post_or_drop(&f->mbox, &m->msg);
}
