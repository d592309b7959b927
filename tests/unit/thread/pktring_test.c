#include "cm.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "base/metric.h"
#include "thread/pktring.h"
#include "thread/worker.h"

struct seen {
	unsigned n, settled;
	size_t last_n;
	uint32_t next; /* number expected in the next packet */
	bool is_wrong;
};

static size_t length_of(uint32_t number)
{
	return sizeof number + number * 7919 % 1500;
}

static void fill(uint8_t *p, uint32_t number)
{
	memcpy(p, &number, sizeof number);
	memset(p + sizeof number, (int)(number & 0xff), length_of(number) - sizeof number);
}

static void take(void *arg, uint8_t *p, size_t n)
{
	struct seen *s = arg;
	uint32_t number;
	memcpy(&number, p, sizeof number);
	s->is_wrong |= number != s->next || n != length_of(number);
	for (size_t i = sizeof number; i < n; i++)
		s->is_wrong |= p[i] != (uint8_t)number;
	s->next = number + 1;
	s->n++;
}

static void settle(void *arg)
{
	((struct seen *)arg)->settled++;
}

static void full_ring_refuses_and_recovers(void **st)
{
	(void)st;
	struct pktbox box = {0};
	struct seen seen = {0};
	const struct pktbox_taker taker = {take, settle, &seen};
	uint32_t number = 0, placed = 0;
	uint8_t *p;
	assert_true(pktbox_is_empty(&box));
	assert_false(pktbox_post(&box, 3));
	for (int round = 0; round < 5; round++) {
		while ((p = pktbox_place(&box, 3, length_of(number))) != NULL) {
			assert_int_equal((uintptr_t)p % 8, 0);
			fill(p, number++);
			placed++;
		}
		assert_true(placed > 500);
		assert_true(round > 0 || pktbox_is_empty(&box)); /* not posted yet */
		assert_true(pktbox_post(&box, 3));
		assert_false(pktbox_post(&box, 3));
		assert_false(pktbox_is_empty(&box));
		assert_int_equal(pktbox_drain(&box, &taker, 100), 100);
		placed -= 100;
		if (round % 2) {
			assert_int_equal(pktbox_drain(&box, &taker, UINT32_MAX), placed);
			placed = 0;
			assert_true(pktbox_is_empty(&box));
		}
	}
	assert_false(seen.is_wrong);
	assert_int_equal(seen.settled, 5 + 2);
	assert_null(pktbox_place(&box, 3, PKTRING_BYTES));
	pktbox_close(&box);
}

/* ------------------------------------------------------- two threads */

enum { PACKETS = 200000, SENDERS = 2 };

struct duo {
	struct worker receiver;
	struct seen seen[SENDERS];
	unsigned n;
};

struct sender {
	struct duo *duo;
	unsigned index;
};

static void *send_all(void *arg)
{
	struct sender *s = arg;
	struct worker *to = &s->duo->receiver;
	metric_thread_init();
	for (uint32_t i = 0; i < PACKETS;) {
		uint8_t *p = pktbox_place(&to->packets, s->index, length_of(i) + 1);
		if (p) {
			*p = (uint8_t)s->index;
			fill(p + 1, i++);
		}
		if (!p || i % 5 == 0 || i == PACKETS)
			worker_post_packets(to, s->index);
		if (!p)
			sched_yield();
	}
	return NULL;
}

static void take_of_two(void *arg, uint8_t *p, size_t n)
{
	struct duo *d = arg;
	take(&d->seen[p[0]], p + 1, n - 1);
	if (++d->n == SENDERS * PACKETS)
		worker_stop(&d->receiver);
}

static void settle_of_two(void *arg)
{
	(void)arg;
}

static void nothing(struct worker *w)
{
	(void)w;
}

/* The receiver sleeps whenever it finds nothing: a lost wake-up would end the test by its time limit. */
static void threads_lose_nothing(void **st)
{
	(void)st;
	static const struct worker_ops ops = {nothing, nothing, nothing};
	struct duo duo = {0};
	assert_int_equal(worker_init(&duo.receiver, SENDERS, &ops, NULL, 16), 0);
	duo.receiver.packet_taker = (struct pktbox_taker){take_of_two, settle_of_two, &duo};
	assert_int_equal(worker_start(&duo.receiver), 0);
	pthread_t threads[SENDERS];
	struct sender senders[SENDERS];
	for (unsigned i = 0; i < SENDERS; i++) {
		senders[i] = (struct sender){&duo, i};
		assert_int_equal(pthread_create(&threads[i], NULL, send_all, &senders[i]), 0);
	}
	for (unsigned i = 0; i < SENDERS; i++)
		pthread_join(threads[i], NULL);
	worker_join(&duo.receiver);
	for (unsigned i = 0; i < SENDERS; i++) {
		assert_int_equal(duo.seen[i].n, PACKETS);
		assert_false(duo.seen[i].is_wrong);
	}
	worker_close(&duo.receiver);
}

int main(void)
{
	metric_thread_init();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(full_ring_refuses_and_recovers),
		cmocka_unit_test(threads_lose_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
