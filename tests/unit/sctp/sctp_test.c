/* Two associations of one process joined by queues in memory; time passes only in virtual_tick. */
#include <malloc.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/list.h"
#include "base/mem.h"
#include "sctp/sctp.h"
#include "../../sim/dtls_sctp/virtual_clock.h"

enum {
	MESSAGES_MAX = 256,
	FLAG_FREE_ON_MESSAGE = 1,
	FLAG_ECHO = 2,
	FLAG_FREE_ON_CLOSED = 4,
	PAIRS = 16
};

struct packet {
	struct list node;
	size_t n;
	uint8_t p[];
};

struct peer {
	struct sctp *s;
	struct peer *other;
	struct list in; /* packets on their way to this side */
	int connected, acked, writable, flags;
	int opened, channel_closed, closed;
	struct sctp_channel_info info;
	char label[64], protocol[64];
	uint16_t closed_id, last_id;
	size_t count, largest_packet, n[MESSAGES_MAX];
	bool is_text[MESSAGES_MAX], is_silent; /* is_silent: all that it sends is lost */
	uint32_t sum[MESSAGES_MAX];
	atomic_int wakes;
};

static uint32_t sum_of(struct slice s)
{
	uint32_t sum = 2166136261u;
	for (size_t i = 0; i < s.n; i++)
		sum = (sum ^ s.p[i]) * 16777619u;
	return sum;
}

static void on_send(void *arg, struct slice packet)
{
	struct peer *p = arg;
	assert_in_range(packet.n, 13, SCTP_PACKET_MAX);
	p->largest_packet = MAX(p->largest_packet, packet.n);
	if (p->is_silent)
		return;
	struct packet *k = xmalloc(sizeof *k + packet.n);
	k->n = packet.n;
	memcpy(k->p, packet.p, packet.n);
	list_push(&p->other->in, &k->node);
}

static void on_wake(void *arg)
{
	struct peer *p = arg;
	atomic_fetch_add(&p->wakes, 1);
}

static void on_connected(void *arg)
{
	struct peer *p = arg;
	p->connected++;
}

static void on_channel_open(void *arg, const struct sctp_channel_info *info)
{
	struct peer *p = arg;
	p->opened++;
	p->info = *info;
	assert_true(info->label.n < sizeof p->label && info->protocol.n < sizeof p->protocol);
	memcpy(p->label, info->label.p, info->label.n);
	memcpy(p->protocol, info->protocol.p, info->protocol.n);
	p->label[info->label.n] = p->protocol[info->protocol.n] = '\0';
}

static void on_acked(void *arg, uint16_t id)
{
	struct peer *p = arg;
	p->acked++;
	p->last_id = id;
}

static void on_message(void *arg, uint16_t id, bool is_text, struct slice data)
{
	struct peer *p = arg;
	p->last_id = id;
	p->is_text[p->count % MESSAGES_MAX] = is_text;
	p->n[p->count % MESSAGES_MAX] = data.n;
	p->sum[p->count++ % MESSAGES_MAX] = sum_of(data);
	if (p->flags & FLAG_ECHO)
		assert_int_equal(sctp_send(p->s, id, is_text, data), 0);
	if (p->flags & FLAG_FREE_ON_MESSAGE) {
		sctp_free(p->s);
		p->s = NULL;
	}
}

static void on_writable(void *arg)
{
	struct peer *p = arg;
	p->writable++;
}

static void on_channel_closed(void *arg, uint16_t id)
{
	struct peer *p = arg;
	p->channel_closed++;
	p->closed_id = id;
}

static void on_closed(void *arg, int err)
{
	struct peer *p = arg;
	assert_int_equal(p->closed, 0);
	p->closed = err;
	if (p->flags & FLAG_FREE_ON_CLOSED) {
		sctp_free(p->s);
		p->s = NULL;
	}
}

static const struct sctp_ops ops = {on_send, on_wake, on_connected, on_channel_open, on_acked,
	on_message, on_writable, on_channel_closed, on_closed};

struct pair {
	struct peer a, b; /* a is the DTLS client: its ids are even */
};

static void feed(struct peer *p)
{
	while (!list_empty(&p->in)) {
		struct packet *k = list_first(&p->in, struct packet, node);
		list_del(&k->node);
		if (p->s)
			(void)!sctp_rx(p->s, slice_of(k->p, k->n));
		xfree(k);
	}
}

static void run(struct pair *l)
{
	while (!list_empty(&l->a.in) || !list_empty(&l->b.in)) {
		feed(&l->a);
		feed(&l->b);
	}
}

static void pass(struct pair *l, unsigned ms)
{
	for (unsigned t = 0; t < ms; t += SCTP_TICK_MS) {
		virtual_tick(SCTP_TICK_MS);
		if (l->a.s)
			sctp_deliver(l->a.s);
		if (l->b.s)
			sctp_deliver(l->b.s);
		run(l);
	}
}

static void make_peer(struct peer *p, struct peer *other, struct sctp_cfg cfg, bool is_server)
{
	cfg.is_dtls_server = is_server;
	p->other = other;
	list_init(&p->in);
	p->s = sctp_new(&cfg, &ops, p);
	assert_non_null(p->s);
}

static struct pair *pair_new(struct sctp_cfg cfg)
{
	struct pair *l = XNEW(struct pair);
	make_peer(&l->a, &l->b, cfg, false);
	make_peer(&l->b, &l->a, cfg, true);
	return l;
}

static struct pair *pair_up(struct sctp_cfg cfg)
{
	struct pair *l = pair_new(cfg);
	assert_int_equal(sctp_start(l->a.s), 0);
	assert_int_equal(sctp_start(l->b.s), 0);
	run(l);
	pass(l, 50);
	assert_int_equal(l->a.connected, 1);
	assert_int_equal(l->b.connected, 1);
	return l;
}

static void pair_free(struct pair *l)
{
	sctp_free(l->a.s);
	l->a.s = NULL;
	sctp_free(l->b.s);
	l->b.s = NULL;
	run(l);
	xfree(l);
}

static uint16_t open_channel(struct pair *l, struct peer *from, struct sctp_channel_info info)
{
	int before = from->other->opened;
	assert_int_equal(sctp_open_channel(from->s, &info), 0);
	run(l);
	assert_int_equal(from->other->opened, before + 1);
	return info.id;
}

static struct sctp_channel_info reliable(const char *label)
{
	return (struct sctp_channel_info){.is_ordered = true,
		.max_retransmits = -1,
		.max_lifetime_ms = -1,
		.label = slice_str(label)};
}

static void fill(uint8_t *p, size_t n, unsigned seed)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(i * 31 + seed * 17 + i / 251);
}

/* ---------------------------------------------------------------- tests */

static void one_side_may_start_later(void **st)
{
	(void)st;
	struct pair *l = pair_new((struct sctp_cfg){0});
	assert_int_equal(sctp_start(l->a.s), 0);
	assert_int_equal(sctp_start(l->a.s), -ERR_BAD_STATE);
	run(l);
	pass(l, 600);
	assert_int_equal(l->a.connected, 0);
	assert_int_equal(sctp_start(l->b.s), 0);
	pass(l, 1500);
	assert_int_equal(l->a.connected, 1);
	assert_int_equal(l->b.connected, 1);
	pair_free(l);
}

static void channels_open_from_both_sides(void **st)
{
	(void)st;
	struct pair *l = pair_up((struct sctp_cfg){0});
	struct sctp_channel_info info = {
		.max_retransmits = 0, .max_lifetime_ms = -1, .label = slice_str("_lossy"), .protocol = slice_str("p")};
	assert_int_equal(open_channel(l, &l->a, info), 0);
	assert_int_equal(l->a.acked, 1);
	assert_int_equal(l->b.info.id, 0);
	assert_false(l->b.info.is_ordered);
	assert_int_equal(l->b.info.max_retransmits, 0);
	assert_int_equal(l->b.info.max_lifetime_ms, -1);
	assert_string_equal(l->b.label, "_lossy");
	assert_string_equal(l->b.protocol, "p");

	info = (struct sctp_channel_info){
		.is_ordered = true, .max_retransmits = -1, .max_lifetime_ms = 250};
	assert_int_equal(open_channel(l, &l->b, info), 1);
	assert_int_equal(l->b.acked, 1);
	assert_true(l->a.info.is_ordered);
	assert_int_equal(l->a.info.max_lifetime_ms, 250);
	assert_string_equal(l->a.label, "");

	assert_int_equal(open_channel(l, &l->b, reliable("third")), 3);
	assert_int_equal(l->a.info.max_retransmits, -1);
	pair_free(l);
}

static void channels_run_out(void **st)
{
	(void)st;
	struct pair *l = pair_up((struct sctp_cfg){.max_streams = 6});
	struct sctp_channel_info info = reliable("x");
	for (uint16_t i = 0; i < 3; i++)
		assert_int_equal(open_channel(l, &l->b, info), 2 * i + 1);
	assert_int_equal(sctp_open_channel(l->b.s, &info), -ERR_NO_ROOM);
	info.max_retransmits = info.max_lifetime_ms = 1;
	assert_int_equal(sctp_open_channel(l->a.s, &info), -ERR_RANGE);
	pair_free(l);
}

static void before_the_association_is_up(void **st)
{
	(void)st;
	struct pair *l = pair_new((struct sctp_cfg){0});
	struct sctp_channel_info info = reliable("x");
	assert_int_equal(sctp_open_channel(l->a.s, &info), -ERR_BAD_STATE);
	assert_int_equal(sctp_send(l->a.s, 0, false, slice_str("x")), -ERR_BAD_STATE);
	sctp_close_channel(l->a.s, 0);
	pair_free(l);
}

static void messages_keep_kind_order_and_content(void **st)
{
	(void)st;
	struct pair *l = pair_up((struct sctp_cfg){0});
	uint16_t id = open_channel(l, &l->a, reliable("x"));
	uint8_t data[4096];
	uint32_t sums[128];
	for (unsigned i = 0; i < 128; i++) {
		fill(data, sizeof data, i);
		sums[i] = sum_of(slice_of(data, sizeof data));
		assert_int_equal(sctp_send(l->a.s, id, i % 2, slice_of(data, sizeof data)), 0);
	}
	pass(l, 500);
	assert_int_equal(l->b.count, 128);
	for (unsigned i = 0; i < 128; i++) {
		assert_int_equal(l->b.n[i], sizeof data);
		assert_int_equal(l->b.sum[i], sums[i]);
		assert_int_equal(l->b.is_text[i], i % 2);
	}
	assert_int_equal(l->a.largest_packet, SCTP_PACKET_MAX);
	assert_int_equal(sctp_buffered(l->a.s), 0);
	pair_free(l);
}

static void empty_messages(void **st)
{
	(void)st;
	struct pair *l = pair_up((struct sctp_cfg){0});
	uint16_t id = open_channel(l, &l->a, reliable("x"));
	assert_int_equal(sctp_send(l->a.s, id, true, slice_str("")), 0);
	assert_int_equal(sctp_send(l->a.s, id, false, (struct slice){0}), 0);
	run(l);
	assert_int_equal(l->b.count, 2);
	assert_int_equal(l->b.n[0] + l->b.n[1], 0);
	assert_true(l->b.is_text[0]);
	assert_false(l->b.is_text[1]);
	pair_free(l);
}

static void large_message(void **st)
{
	(void)st;
	struct pair *l = pair_up((struct sctp_cfg){0});
	uint16_t id = open_channel(l, &l->b, reliable("x"));
	static uint8_t data[SCTP_MESSAGE_DEFAULT + 1];
	fill(data, sizeof data, 1);
	assert_int_equal(sctp_send(l->b.s, id, false, slice_of(data, sizeof data)), -ERR_TOO_LARGE);
	assert_int_equal(sctp_buffered(l->b.s), 0);
	assert_int_equal(sctp_send(l->b.s, id, false, slice_of(data, 60000)), 0);
	assert_int_equal(sctp_send(l->b.s, id, false, slice_of(data, SCTP_MESSAGE_DEFAULT)), 0);
	pass(l, 200);
	assert_int_equal(l->a.count, 2);
	assert_int_equal(l->a.n[0], 60000);
	assert_int_equal(l->a.sum[0], sum_of(slice_of(data, 60000)));
	assert_int_equal(l->a.n[1], SCTP_MESSAGE_DEFAULT);
	assert_int_equal(l->a.sum[1], sum_of(slice_of(data, SCTP_MESSAGE_DEFAULT)));
	pair_free(l);
}

/* A peer that sends more than was announced loses the association, whether or not delivery in parts set in. */
static void oversize_from_the_peer_ends_the_association(void **st)
{
	(void)st;
	static const size_t sizes[] = {1001, 4000, 60000};
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct pair *l = XNEW(struct pair);
		make_peer(&l->a, &l->b, (struct sctp_cfg){0}, false);
		make_peer(&l->b, &l->a, (struct sctp_cfg){.max_receive = 1000}, true);
		assert_int_equal(sctp_start(l->a.s), 0);
		assert_int_equal(sctp_start(l->b.s), 0);
		pass(l, 50);
		uint16_t id = open_channel(l, &l->a, reliable("x"));
		static uint8_t data[60000];
		assert_int_equal(sctp_send(l->a.s, id, false, slice_of(data, 1000)), 0);
		pass(l, 50);
		assert_int_equal(l->b.count, 1);
		assert_int_equal(sctp_send(l->a.s, id, false, slice_of(data, sizes[i])), 0);
		pass(l, 200);
		assert_int_equal(l->b.count, 1);
		assert_int_equal(l->b.closed, -ERR_TOO_LARGE);
		assert_int_equal(l->a.closed, -ERR_CLOSED);
		assert_int_equal(sctp_send(l->b.s, id, false, slice_str("x")), -ERR_CLOSED);
		pair_free(l);
	}
}

static void back_pressure(void **st)
{
	(void)st;
	struct pair *l = pair_up((struct sctp_cfg){.send_limit = 100000});
	uint16_t id = open_channel(l, &l->a, reliable("x"));
	static uint8_t data[10000];
	unsigned sent = 0;
	int err;
	while ((err = sctp_send(l->a.s, id, false, slice_of(data, sizeof data))) == 0 && sent < 100)
		sent++;
	assert_int_equal(err, -ERR_AGAIN);
	assert_int_equal(sent, 10);
	assert_int_equal(sctp_buffered(l->a.s), 100000);
	assert_int_equal(l->a.writable, 0);
	pass(l, 500);
	assert_int_equal(l->a.writable, 1);
	assert_int_equal(l->b.count, sent);
	assert_int_equal(sctp_buffered(l->a.s), 0);
	assert_int_equal(sctp_send(l->a.s, id, false, slice_of(data, sizeof data)), 0);
	pass(l, 100);
	assert_int_equal(l->b.count, sent + 1);
	pair_free(l);
}

static void many_small_messages_are_bounded(void **st)
{
	(void)st;
	struct pair *l = pair_up((struct sctp_cfg){0});
	uint16_t id = open_channel(l, &l->a, reliable("x"));
	l->a.is_silent = true;
	unsigned sent = 0;
	while (sctp_send(l->a.s, id, false, slice_str("x")) == 0 && sent < 100000)
		sent++;
	assert_in_range(sent, 8000, 8192);
	assert_int_equal(l->a.writable, 0);
	l->a.is_silent = false;
	pass(l, 60000);
	assert_int_equal(l->b.count, sent);
	assert_int_equal(l->a.writable, 1);
	assert_int_equal(sctp_send(l->a.s, id, false, slice_str("x")), 0);
	pair_free(l);
}

/* With nothing repeated a lost message stays lost, and what follows is not held back by it. */
static void unreliable_channel(void **st)
{
	(void)st;
	struct pair *l = pair_up((struct sctp_cfg){0});
	struct sctp_channel_info info = {.max_retransmits = 0, .max_lifetime_ms = -1, .label = slice_str("_lossy")};
	uint16_t id = open_channel(l, &l->a, info);
	assert_int_equal(sctp_send(l->a.s, id, false, slice_str("1")), 0);
	run(l);
	l->a.is_silent = true;
	assert_int_equal(sctp_send(l->a.s, id, false, slice_str("22")), 0);
	l->a.is_silent = false;
	assert_int_equal(sctp_send(l->a.s, id, false, slice_str("333")), 0);
	run(l);
	assert_int_equal(l->b.count, 2);
	assert_int_equal(l->b.n[1], 3);
	pass(l, 3000);
	assert_int_equal(l->b.count, 2);
	assert_int_equal(sctp_send(l->b.s, id, false, slice_str("4444")), 0);
	run(l);
	assert_int_equal(l->a.count, 1);
	pair_free(l);
}

static void either_side_closes_a_channel(void **st)
{
	(void)st;
	struct pair *l = pair_up((struct sctp_cfg){0});
	for (int round = 0; round < 3; round++) {
		uint16_t id = open_channel(l, &l->a, reliable("x"));
		assert_int_equal(id, 0); /* free again after each close */
		assert_int_equal(sctp_send(l->a.s, id, false, slice_str("last")), 0);
		struct peer *closer = round % 2 ? &l->b : &l->a;
		sctp_close_channel(closer->s, id);
		assert_int_equal(sctp_send(closer->s, id, false, slice_str("x")), -ERR_NOT_FOUND);
		pass(l, 500);
		assert_int_equal(l->a.channel_closed, round + 1);
		assert_int_equal(l->b.channel_closed, round + 1);
		if (closer == &l->a)
			assert_int_equal(l->b.n[(l->b.count - 1) % MESSAGES_MAX], 4);
	}
	sctp_close_channel(l->a.s, 77);
	sctp_close_channel(l->a.s, 60000);
	assert_int_equal(l->a.closed | l->b.closed, 0);
	pair_free(l);
}

static void many_channels_close_at_once(void **st)
{
	(void)st;
	struct pair *l = pair_up((struct sctp_cfg){0});
	for (uint16_t i = 0; i < 40; i++)
		(void)open_channel(l, &l->a, reliable("x"));
	for (uint16_t i = 0; i < 40; i++)
		sctp_close_channel(i % 2 ? l->a.s : l->b.s, (uint16_t)(2 * i));
	pass(l, 2000);
	assert_int_equal(l->a.channel_closed, 40);
	assert_int_equal(l->b.channel_closed, 40);
	pair_free(l);
}

/* Both sides believe to be the DTLS client: an id of the wrong parity is refused, the association stays. */
static void wrong_parity_is_refused(void **st)
{
	(void)st;
	struct pair *l = XNEW(struct pair);
	make_peer(&l->a, &l->b, (struct sctp_cfg){0}, false);
	make_peer(&l->b, &l->a, (struct sctp_cfg){0}, false);
	assert_int_equal(sctp_start(l->a.s), 0);
	assert_int_equal(sctp_start(l->b.s), 0);
	pass(l, 50);
	struct sctp_channel_info info = reliable("x");
	assert_int_equal(sctp_open_channel(l->a.s, &info), 0);
	pass(l, 500);
	assert_int_equal(l->b.opened, 0);
	assert_int_equal(l->a.channel_closed, 1);
	assert_int_equal(l->a.closed | l->b.closed, 0);
	pair_free(l);
}

static void free_aborts_the_peer(void **st)
{
	(void)st;
	struct pair *l = pair_up((struct sctp_cfg){0});
	l->b.flags = FLAG_FREE_ON_CLOSED;
	sctp_free(l->a.s);
	l->a.s = NULL;
	run(l);
	assert_int_equal(l->b.closed, -ERR_CLOSED);
	assert_null(l->b.s);
	pair_free(l);
}

static void silence_ends_the_association(void **st)
{
	(void)st;
	struct pair *l = pair_up((struct sctp_cfg){0});
	uint16_t id = open_channel(l, &l->a, reliable("x"));
	l->a.is_silent = true;
	assert_int_equal(sctp_send(l->a.s, id, false, slice_str("x")), 0);
	pass(l, 120000);
	assert_int_equal(l->a.closed, -ERR_TIMEOUT);
	assert_in_range(atomic_load(&l->a.wakes), 8, 20);
	pair_free(l);

	l = pair_new((struct sctp_cfg){0});
	assert_int_equal(sctp_start(l->a.s), 0);
	pass(l, 120000);
	assert_int_equal(l->a.closed, -ERR_TIMEOUT);
	pair_free(l);
}

static void spoilt_packets_are_refused(void **st)
{
	(void)st;
	struct pair *l = pair_up((struct sctp_cfg){0});
	uint16_t id = open_channel(l, &l->a, reliable("x"));
	pass(l, 100);
	assert_int_equal(sctp_send(l->a.s, id, false, slice_str("hello")), 0);
	struct packet *k = list_first(&l->b.in, struct packet, node);
	for (size_t n = 0; n < k->n; n++)
		assert_int_equal(sctp_rx(l->b.s, slice_of(k->p, n)), -ERR_MALFORMED);
	for (size_t i = 0; i < k->n; i++) {
		k->p[i] ^= 1;
		assert_int_equal(sctp_rx(l->b.s, slice_of(k->p, k->n)), -ERR_MALFORMED);
		k->p[i] ^= 1;
	}
	run(l);
	assert_int_equal(l->b.count, 1);
	pair_free(l);
}

static void ops_may_send_and_free(void **st)
{
	(void)st;
	struct pair *l = pair_up((struct sctp_cfg){0});
	uint16_t id = open_channel(l, &l->a, reliable("x"));
	l->b.flags = FLAG_ECHO;
	assert_int_equal(sctp_send(l->a.s, id, false, slice_str("echo")), 0);
	run(l);
	assert_int_equal(l->a.count, 1);
	l->b.flags = FLAG_FREE_ON_MESSAGE;
	for (int i = 0; i < 5; i++)
		assert_int_equal(sctp_send(l->a.s, id, false, slice_str("last")), 0);
	run(l);
	assert_int_equal(l->b.count, 2);
	assert_null(l->b.s);
	assert_int_equal(l->a.closed, -ERR_CLOSED);
	pair_free(l);
}

static void ticks_after_free_touch_nothing(void **st)
{
	(void)st;
	for (int side = 0; side < 2; side++) {
		struct pair *l = pair_up((struct sctp_cfg){0});
		uint16_t id = open_channel(l, &l->a, reliable("x"));
		static uint8_t data[30000];
		assert_int_equal(sctp_send(l->a.s, id, false, slice_of(data, sizeof data)), 0);
		l->a.is_silent = l->b.is_silent = true;
		run(l);
		struct peer *gone = side ? &l->b : &l->a;
		sctp_free(gone->s);
		gone->s = NULL;
		int wakes = atomic_load(&gone->wakes);
		pass(l, 5000);
		assert_int_equal(atomic_load(&gone->wakes), wakes);
		pair_free(l);
	}
}

/* ---------------------------------------------------------------- the ticking thread */

static atomic_bool ticker_stops;
static atomic_int turns; /* of the owners: time must not run away from them */

static void *tick_per_turn(void *arg)
{
	(void)arg;
	while (!atomic_load(&ticker_stops))
		if (atomic_exchange(&turns, 0))
			virtual_tick(SCTP_TICK_MS);
	return NULL;
}

/* An owner that loses a quarter of all packets, so that timers of the other thread have much to repeat. */
static void *owner(void *arg)
{
	uint32_t *dice = arg;
	for (int round = 0; round < 2; round++) {
		struct pair *l = pair_new((struct sctp_cfg){0});
		struct sctp_channel_info info = reliable("x");
		if (sctp_start(l->a.s) || sctp_start(l->b.s))
			return arg;
		bool is_open = false;
		while (l->b.count < 10) {
			atomic_fetch_add(&turns, 1);
			*dice = *dice * 1664525 + 1013904223;
			l->a.is_silent = *dice >> 29 == 0;
			l->b.is_silent = *dice >> 29 == 1;
			if (atomic_exchange(&l->a.wakes, 0))
				sctp_deliver(l->a.s);
			if (atomic_exchange(&l->b.wakes, 0))
				sctp_deliver(l->b.s);
			run(l);
			if (l->a.connected && !is_open)
				is_open = sctp_open_channel(l->a.s, &info) == 0;
			if (is_open && sctp_buffered(l->a.s) < 3000)
				(void)!sctp_send(l->a.s, info.id, false, slice_of(l, 2500));
			if (l->a.closed || l->b.closed)
				return arg;
		}
		pair_free(l);
	}
	return NULL;
}

static void a_foreign_thread_ticks(void **st)
{
	(void)st;
	pthread_t ticker, owners[2];
	uint32_t dice[2] = {1, 2};
	void *failed;
	atomic_store(&ticker_stops, false);
	assert_int_equal(pthread_create(&ticker, NULL, tick_per_turn, NULL), 0);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&owners[i], NULL, owner, &dice[i]), 0);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(pthread_join(owners[i], &failed), 0);
		assert_null(failed);
	}
	atomic_store(&ticker_stops, true);
	assert_int_equal(pthread_join(ticker, NULL), 0);
}

/* ---------------------------------------------------------------- memory */

static void an_idle_association_is_small(void **st)
{
	(void)st;
	struct pair *pairs[PAIRS];
	size_t before = mallinfo2().uordblks;
	for (size_t i = 0; i < PAIRS; i++) {
		pairs[i] = pair_up((struct sctp_cfg){0});
		(void)open_channel(pairs[i], &pairs[i]->a, reliable("_reliable"));
		(void)open_channel(pairs[i], &pairs[i]->a, reliable("_lossy"));
		pass(pairs[i], 200);
	}
	size_t after = mallinfo2().uordblks; /* zero under a sanitizer */
	size_t each = after > before
			      ? (after - before - PAIRS * sizeof **pairs) / (2 * (size_t)PAIRS)
			      : 0;
	print_message("an idle association takes %zu bytes of heap\n", each);
	assert_in_range(each, 0, 60 * 1024);
	for (size_t i = 0; i < PAIRS; i++)
		pair_free(pairs[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_side_may_start_later),
		cmocka_unit_test(channels_open_from_both_sides),
		cmocka_unit_test(channels_run_out),
		cmocka_unit_test(before_the_association_is_up),
		cmocka_unit_test(messages_keep_kind_order_and_content),
		cmocka_unit_test(empty_messages),
		cmocka_unit_test(large_message),
		cmocka_unit_test(oversize_from_the_peer_ends_the_association),
		cmocka_unit_test(back_pressure),
		cmocka_unit_test(many_small_messages_are_bounded),
		cmocka_unit_test(unreliable_channel),
		cmocka_unit_test(either_side_closes_a_channel),
		cmocka_unit_test(many_channels_close_at_once),
		cmocka_unit_test(wrong_parity_is_refused),
		cmocka_unit_test(free_aborts_the_peer),
		cmocka_unit_test(silence_ends_the_association),
		cmocka_unit_test(spoilt_packets_are_refused),
		cmocka_unit_test(ops_may_send_and_free),
		cmocka_unit_test(ticks_after_free_touch_nothing),
		cmocka_unit_test(a_foreign_thread_ticks),
		cmocka_unit_test(an_idle_association_is_small),
	};
	sctp_stack_start();
	int failed = cmocka_run_group_tests_name("sctp", tests, NULL, NULL);
	return failed || sctp_stack_stop() != 0;
}
