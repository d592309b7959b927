#include "cm.h"

#include <pthread.h>
#include <semaphore.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/metric.h"
#include "thread/mbox.h"

enum { SENDERS = 3, PER_SENDER = 20000 };

struct number {
	struct msg msg;
	unsigned sender, value;
};

struct receiver {
	unsigned next[SENDERS];
	unsigned got;
};

static unsigned dropped;
static sem_t bell;

static void handle(void *receiver, struct msg *m)
{
	struct receiver *r = receiver;
	struct number *n = (struct number *)m;
	assert_int_equal(n->value, r->next[n->sender]); /* each sender's messages stay in order */
	r->next[n->sender]++;
	r->got++;
	xfree(n);
}

static void drop(struct msg *m)
{
	dropped++;
	xfree(m);
}

static const struct msg_kind kind = {"number", handle, drop};

static struct number *number_new(unsigned sender, unsigned value)
{
	struct number *n = XNEW(struct number);
	*n = (struct number){{&kind}, sender, value};
	return n;
}

static void ring(void *arg)
{
	(void)arg;
	sem_post(&bell);
}

static struct mbox box;

static void *send_all(void *arg)
{
	metric_thread_init();
	unsigned sender = (unsigned)(uintptr_t)arg;
	for (unsigned i = 0; i < PER_SENDER; i++) {
		struct number *n = number_new(sender, i);
		while (mbox_post(&box, &n->msg) != 0)
			sched_yield();
	}
	return NULL;
}

/* The receiver really sleeps when the mailbox says it may: a lost wake-up hangs the test. */
static void nothing_is_lost_between_threads(void **st)
{
	(void)st;
	struct receiver r = {0};
	pthread_t threads[SENDERS];
	sem_init(&bell, 0, 0);
	mbox_init(&box, 64, ring, NULL);
	for (uintptr_t i = 0; i < SENDERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, send_all, (void *)i), 0);
	while (r.got < SENDERS * PER_SENDER) {
		if (mbox_may_sleep(&box))
			sem_wait(&bell);
		mbox_awake(&box);
		mbox_drain(&box, &r, 16);
	}
	for (size_t i = 0; i < SENDERS; i++)
		pthread_join(threads[i], NULL);
	mbox_close(&box);
	sem_destroy(&bell);
}

static void full_lane_refuses_and_close_drops(void **st)
{
	(void)st;
	struct receiver r = {0};
	mbox_init(&box, 4, ring, NULL);
	unsigned accepted = 0;
	for (;;) {
		struct number *n = number_new(0, accepted);
		if (mbox_post(&box, &n->msg) != 0) {
			xfree(n);
			break;
		}
		accepted++;
	}
	assert_int_equal(accepted, 4);
	assert_int_equal(mbox_drain(&box, &r, 1), 1);
	dropped = 0;
	mbox_close(&box);
	assert_int_equal(dropped, 3);
}

int main(void)
{
	metric_thread_init();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_lost_between_threads),
		cmocka_unit_test(full_lane_refuses_and_close_drops),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
