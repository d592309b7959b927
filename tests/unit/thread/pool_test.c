#include "cm.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/metric.h"
#include "thread/mbox.h"
#include "thread/pool.h"

enum { ASKERS = 3, PER_ASKER = 5000, THREADS = 4 };

struct sum {
	struct job job;
	unsigned a, result;
	sem_t *gate; /* run waits here */
};

struct asker {
	struct mbox mbox;
	sem_t bell;
	struct pool *pool;
	uint64_t total;
	unsigned answers;
};

static unsigned dropped;                  /* atomic */
static unsigned ran[POOL_THREADS_MAX];    /* each written by its thread, read after the join */
static unsigned starts, stops;            /* atomic */

static void run(struct job *j, unsigned thread)
{
	struct sum *s = CONTAINER_OF(j, struct sum, job);
	if (s->gate)
		sem_wait(s->gate);
	s->result = s->a * 2;
	ran[thread]++;
}

static void handle(void *receiver, struct msg *m)
{
	struct sum *s = CONTAINER_OF(m, struct sum, job.msg);
	struct asker *a = receiver;
	a->total += s->result;
	a->answers++;
	xfree(s);
}

static void drop(struct msg *m)
{
	__atomic_fetch_add(&dropped, 1, __ATOMIC_RELAXED);
	xfree(CONTAINER_OF(m, struct sum, job.msg));
}

static const struct msg_kind kind = {"sum", handle, drop};

static struct sum *sum_new(struct mbox *to, unsigned a, sem_t *gate)
{
	struct sum *s = XNEW(struct sum);
	*s = (struct sum){
		.job = {.msg = {&kind}, .run = run, .reply_to = to}, .a = a, .gate = gate};
	return s;
}

static void ring(void *arg)
{
	sem_post(&((struct asker *)arg)->bell);
}

static void asker_init(struct asker *a, struct pool *p, uint32_t capacity)
{
	*a = (struct asker){.pool = p};
	sem_init(&a->bell, 0, 0);
	mbox_init(&a->mbox, capacity, ring, a);
}

static void asker_wait(struct asker *a)
{
	if (mbox_may_sleep(&a->mbox))
		sem_wait(&a->bell);
	mbox_awake(&a->mbox);
	mbox_drain(&a->mbox, a, 16);
}

/* Several threads ask at once, with mailboxes and a queue that are full all the time. */
static void *ask_all(void *arg)
{
	struct asker *a = arg;
	metric_thread_init();
	for (unsigned i = 0; i < PER_ASKER;) {
		struct sum *s = sum_new(&a->mbox, i, NULL);
		if (pool_post(a->pool, &s->job) == 0) {
			i++;
		} else {
			xfree(s);
			mbox_drain(&a->mbox, a, 16);
			sched_yield();
		}
	}
	while (a->answers < PER_ASKER)
		asker_wait(a);
	return NULL;
}

static void on_start(void *arg, unsigned thread)
{
	(void)arg;
	(void)thread;
	__atomic_fetch_add(&starts, 1, __ATOMIC_RELAXED);
}

static void on_stop(void *arg, unsigned thread)
{
	(void)arg;
	(void)thread;
	__atomic_fetch_add(&stops, 1, __ATOMIC_RELAXED);
}

static void each_answer_comes_back_to_who_asked(void **st)
{
	(void)st;
	static struct asker askers[ASKERS];
	pthread_t threads[ASKERS];
	struct pool *p;
	const struct pool_cfg cfg = {"test", THREADS, 8, on_start, on_stop, NULL};
	assert_int_equal(pool_new(&cfg, &p), 0);
	for (size_t i = 0; i < ASKERS; i++) {
		asker_init(&askers[i], p, 4);
		assert_int_equal(pthread_create(&threads[i], NULL, ask_all, &askers[i]), 0);
	}
	for (size_t i = 0; i < ASKERS; i++)
		pthread_join(threads[i], NULL);
	pool_free(p);
	unsigned sum = 0;
	for (size_t i = 0; i < THREADS; i++)
		sum += ran[i];
	assert_int_equal(sum, ASKERS * PER_ASKER);
	assert_int_equal(starts, THREADS);
	assert_int_equal(stops, THREADS);
	for (size_t i = 0; i < ASKERS; i++) {
		assert_int_equal(askers[i].total, (uint64_t)PER_ASKER * (PER_ASKER - 1));
		mbox_close(&askers[i].mbox);
	}
	assert_int_equal(dropped, 0);
	assert_int_equal(metric_sum(M_POOL_JOBS), 0);
}

/* What is refused stays the caller's; what waits at the end is dropped, what runs is finished. */
static void full_queue_refuses_and_free_drops(void **st)
{
	(void)st;
	static struct asker a;
	sem_t gate;
	struct pool *p;
	const struct pool_cfg cfg = {.name = "test", .threads = 1, .queue_max = 3};
	sem_init(&gate, 0, 0);
	assert_int_equal(pool_new(&cfg, &p), 0);
	asker_init(&a, p, 64);
	struct sum *running = sum_new(&a.mbox, 7, &gate);
	assert_int_equal(pool_post(p, &running->job), 0);
	while (pool_waiting(p) > 0)
		sched_yield();
	for (int i = 0; i < 3; i++) {
		struct sum *s = sum_new(&a.mbox, 0, NULL);
		assert_int_equal(pool_post(p, &s->job), 0);
	}
	assert_int_equal(pool_waiting(p), 3);
	uint64_t full = metric_sum(M_POOL_FULL);
	struct sum *refused = sum_new(&a.mbox, 0, NULL);
	assert_int_equal(pool_post(p, &refused->job), -ERR_AGAIN);
	assert_int_equal(metric_sum(M_POOL_FULL), full + 1);
	xfree(refused);
	sem_post(&gate);
	dropped = 0;
	pool_free(p);
	while (mbox_drain(&a.mbox, &a, 64) > 0)
		;
	assert_int_equal(a.answers + dropped, 4);
	assert_true(a.answers >= 1);
	mbox_close(&a.mbox);
	sem_destroy(&gate);
}

/* A thread that waits for room in a mailbox nobody empties does not keep the pool from closing. */
static void closes_while_a_mailbox_is_full(void **st)
{
	(void)st;
	static struct asker a;
	struct pool *p;
	const struct pool_cfg cfg = {.name = "test", .threads = 2, .queue_max = 100};
	assert_int_equal(pool_new(&cfg, &p), 0);
	asker_init(&a, p, 2);
	for (int i = 0; i < 50; i++) {
		struct sum *s = sum_new(&a.mbox, 0, NULL);
		assert_int_equal(pool_post(p, &s->job), 0);
	}
	dropped = 0;
	pool_free(p);
	mbox_close(&a.mbox);
	assert_int_equal(a.answers + dropped, 50);
}

static void nobody_waits(void **st)
{
	(void)st;
	struct pool *p;
	const struct pool_cfg cfg = {.name = "test", .threads = 1, .queue_max = 10};
	assert_int_equal(pool_new(&cfg, &p), 0);
	dropped = 0;
	struct sum *s = sum_new(NULL, 1, NULL);
	assert_int_equal(pool_post(p, &s->job), 0);
	while (__atomic_load_n(&dropped, __ATOMIC_RELAXED) == 0)
		sched_yield();
	pool_free(p);
	pool_free(NULL);
	const struct pool_cfg none = {.name = "test", .queue_max = 1},
			      many = {.name = "test", .threads = 99, .queue_max = 1};
	assert_int_equal(pool_new(&none, &p), -ERR_RANGE);
	assert_int_equal(pool_new(&many, &p), -ERR_RANGE);
}

int main(void)
{
	metric_thread_init();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_answer_comes_back_to_who_asked),
		cmocka_unit_test(full_queue_refuses_and_free_drops),
		cmocka_unit_test(closes_while_a_mailbox_is_full),
		cmocka_unit_test(nobody_waits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
