/* Two SCTP associations over a link that loses, repeats and reorders packets, on a virtual clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "base/macros.h"
#include "base/mem.h"
#include "sctp/sctp.h"
#include "virtual_clock.h"

enum { FLIGHT_MAX = 8192, MESSAGES = 200, SIZE = 3000, LIMIT_MS = 600000, GAP_LIMIT_MS = 1000 };

struct side {
	struct sctp *s;
	struct side *other;
	struct net *net;
	bool is_connected;
	int closed;
	uint32_t received, out_of_order, last_seq;
	uint64_t last_ms, longest_gap_ms;
};

struct packet {
	struct side *to;
	uint64_t at_ms;
	size_t n;
	uint8_t p[SCTP_PACKET_MAX];
};

struct net {
	struct side a, b;
	struct packet flight[FLIGHT_MAX];
	size_t count;
	uint64_t now_ms;
	uint32_t dice;
	unsigned loss_percent, repeat_percent, delay_ms, jitter_ms;
};

static unsigned roll(struct net *w, unsigned below)
{
	w->dice = w->dice * 1664525 + 1013904223;
	return (w->dice >> 8) % below;
}

static void launch(struct side *from, struct slice packet)
{
	struct net *w = from->net;
	if (roll(w, 100) < w->loss_percent || w->count == FLIGHT_MAX)
		return;
	struct packet *k = &w->flight[w->count++];
	k->to = from->other;
	k->at_ms = w->now_ms + w->delay_ms + roll(w, w->jitter_ms + 1);
	k->n = packet.n;
	memcpy(k->p, packet.p, packet.n);
}

static void on_send(void *arg, struct slice packet)
{
	struct side *from = arg;
	launch(from, packet);
	if (roll(from->net, 100) < from->net->repeat_percent)
		launch(from, packet);
}

static void on_wake(void *arg)
{
	(void)arg; /* step() looks after every tick */
}

static void on_connected(void *arg)
{
	struct side *p = arg;
	p->is_connected = true;
}

static void on_channel_open(void *arg, const struct sctp_channel_info *info)
{
	(void)arg, (void)info;
}

static void on_message(void *arg, uint16_t id, bool is_text, struct slice data)
{
	struct side *p = arg;
	(void)id, (void)is_text;
	assert_int_equal(data.n, SIZE);
	uint32_t seq = rd32(data.p);
	for (size_t i = 4; i < data.n; i++)
		assert_int_equal(data.p[i], (uint8_t)(seq + i));
	p->out_of_order += p->received && seq != p->last_seq + 1;
	if (p->received)
		p->longest_gap_ms = MAX(p->longest_gap_ms, p->net->now_ms - p->last_ms);
	p->last_ms = p->net->now_ms;
	p->last_seq = seq;
	p->received++;
}

static void on_channel_closed(void *arg, uint16_t id)
{
	(void)arg, (void)id;
}

static void on_closed(void *arg, int err)
{
	struct side *p = arg;
	p->closed = err;
}

static const struct sctp_ops ops = {.send = on_send,
	.wake = on_wake,
	.connected = on_connected,
	.channel_open = on_channel_open,
	.message = on_message,
	.channel_closed = on_channel_closed,
	.closed = on_closed};

/* Hands over what is due; the array is unordered, and that is the reordering. */
static void deliver_due(struct net *w)
{
	for (size_t i = 0; i < w->count;) {
		if (w->flight[i].at_ms > w->now_ms) {
			i++;
			continue;
		}
		struct packet k = w->flight[i];
		w->flight[i] = w->flight[--w->count];
		assert_int_equal(sctp_rx(k.to->s, slice_of(k.p, k.n)), 0);
	}
}

static void step(struct net *w)
{
	w->now_ms += SCTP_TICK_MS;
	virtual_tick(SCTP_TICK_MS);
	sctp_deliver(w->a.s);
	sctp_deliver(w->b.s);
	deliver_due(w);
	assert_int_equal(w->a.closed | w->b.closed, 0);
}

static struct net *net_new(uint32_t seed, unsigned loss_percent)
{
	struct net *w = XNEW(struct net);
	w->dice = seed;
	w->loss_percent = loss_percent;
	w->repeat_percent = 5;
	w->delay_ms = 20;
	w->jitter_ms = 30;
	struct side *sides[] = {&w->a, &w->b};
	for (size_t i = 0; i < 2; i++) {
		struct sctp_cfg cfg = {.is_dtls_server = i == 1};
		sides[i]->net = w;
		sides[i]->other = sides[1 - i];
		sides[i]->s = sctp_new(&cfg, &ops, sides[i]);
		assert_non_null(sides[i]->s);
		assert_int_equal(sctp_start(sides[i]->s), 0);
	}
	while (!w->a.is_connected || !w->b.is_connected) {
		assert_true(w->now_ms < LIMIT_MS);
		step(w);
	}
	return w;
}

static void net_free(struct net *w)
{
	sctp_free(w->a.s);
	sctp_free(w->b.s);
	xfree(w);
}

static int send_numbered(struct net *w, uint16_t id, uint32_t seq)
{
	uint8_t data[SIZE];
	wr32(data, seq);
	for (size_t i = 4; i < sizeof data; i++)
		data[i] = (uint8_t)(seq + i);
	return sctp_send(w->a.s, id, false, slice_of(data, sizeof data));
}

static void reliable_channel_delivers_all_in_order(void **st)
{
	(void)st;
	static const unsigned losses[] = {0, 10, 20};
	for (uint32_t i = 0; i < ARRAY_LEN(losses); i++) {
		struct net *w = net_new(i + 1, losses[i]);
		struct sctp_channel_info info = {.is_ordered = true,
			.max_retransmits = -1,
			.max_lifetime_ms = -1,
			.label = slice_str("_reliable")};
		assert_int_equal(sctp_open_channel(w->a.s, &info), 0);
		for (uint32_t seq = 0; seq < MESSAGES;) {
			int err = send_numbered(w, info.id, seq);
			assert_true(err == 0 || err == -ERR_AGAIN);
			seq += err == 0;
			if (err)
				step(w);
		}
		while (w->b.received < MESSAGES) {
			assert_true(w->now_ms < LIMIT_MS);
			step(w);
		}
		print_message("%u %% loss: %u messages in %llu ms\n", losses[i], w->b.received,
			(unsigned long long)w->now_ms);
		assert_int_equal(w->b.out_of_order, 0);
		net_free(w);
	}
}

static void unordered_channel_loses_but_never_blocks(void **st)
{
	(void)st;
	struct net *w = net_new(7, 10);
	struct sctp_channel_info info = {.max_retransmits = 0, .max_lifetime_ms = -1, .label = slice_str("_lossy")};
	assert_int_equal(sctp_open_channel(w->a.s, &info), 0);
	for (int i = 0; i < 100; i++)
		step(w); /* until the channel is acknowledged: before, all goes in order */
	for (uint32_t seq = 0; seq < MESSAGES; seq++) {
		assert_int_equal(send_numbered(w, info.id, seq), 0);
		for (int i = 0; i < 5; i++)
			step(w);
	}
	for (int i = 0; i < 200; i++)
		step(w);
	/* A message is three packets: 0.9³ = 73 % arrive whole. */
	print_message("10 %% loss: %u of %d, longest gap %llu ms\n", w->b.received, MESSAGES,
		(unsigned long long)w->b.longest_gap_ms);
	assert_in_range(w->b.received, MESSAGES / 2, MESSAGES - 10);
	assert_true(w->b.longest_gap_ms < GAP_LIMIT_MS);
	net_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reliable_channel_delivers_all_in_order),
		cmocka_unit_test(unordered_channel_loses_but_never_blocks),
	};
	sctp_stack_start();
	int failed = cmocka_run_group_tests_name("sctp over a bad link", tests, NULL, NULL);
	return failed || sctp_stack_stop() != 0;
}
