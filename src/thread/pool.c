#include "thread/pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include "base/mem.h"
#include "base/metric.h"

enum { FULL_MAILBOX_WAIT_MS = 1 };

struct pool_thread {
	struct pool *pool;
	pthread_t thread;
	unsigned index;
};

struct pool {
	struct pool_cfg cfg;
	pthread_mutex_t lock; /* the queue and is_closing */
	pthread_cond_t work;
	struct job *first, **last;
	uint32_t waiting;
	bool is_closing;
	unsigned started;
	struct pool_thread thread[POOL_THREADS_MAX];
};

static void set_waiting(struct pool *p, uint32_t n)
{
	__atomic_store_n(&p->waiting, n, __ATOMIC_RELAXED);
}

/* The next job, or NULL when the pool closes. */
static struct job *take(struct pool *p)
{
	pthread_mutex_lock(&p->lock);
	while (!p->first && !p->is_closing)
		pthread_cond_wait(&p->work, &p->lock);
	struct job *j = p->is_closing ? NULL : p->first;
	if (j) {
		p->first = j->next;
		if (!p->first)
			p->last = &p->first;
		set_waiting(p, p->waiting - 1);
		metric_sub(M_POOL_JOBS, 1);
	}
	pthread_mutex_unlock(&p->lock);
	return j;
}

static bool is_closing(struct pool *p)
{
	pthread_mutex_lock(&p->lock);
	bool yes = p->is_closing;
	pthread_mutex_unlock(&p->lock);
	return yes;
}

/* The asker has a continuation that hangs on this answer: it must arrive unless everything ends. */
static void reply(struct pool *p, struct job *j)
{
	const struct timespec wait = {.tv_nsec = FULL_MAILBOX_WAIT_MS * 1000000L};
	struct mbox *to = j->reply_to;
	while (to && mbox_post(to, &j->msg) != 0) {
		if (is_closing(p))
			to = NULL;
		else
			(void)nanosleep(&wait, NULL);
	}
	if (!to)
		j->msg.kind->drop(&j->msg);
}

static void *pool_main(void *arg)
{
	const struct pool_thread *t = arg;
	struct pool *p = t->pool;
	char name[16];
	(void)snprintf(name, sizeof name, "%.10s-%u", p->cfg.name, t->index);
	pthread_setname_np(pthread_self(), name);
	metric_thread_init();
	mbox_thread_init();
	if (p->cfg.start)
		p->cfg.start(p->cfg.arg, t->index);
	for (struct job *j; (j = take(p));) {
		j->run(j, t->index);
		metric_inc(M_POOL_RUN);
		reply(p, j);
	}
	if (p->cfg.stop)
		p->cfg.stop(p->cfg.arg, t->index);
	return NULL;
}

static int start_thread(struct pool *p, unsigned index)
{
	struct pool_thread *t = &p->thread[index];
	*t = (struct pool_thread){.pool = p, .index = index};
	return pthread_create(&t->thread, NULL, pool_main, t) ? -ERR_SYSTEM : 0;
}

int pool_new(const struct pool_cfg *cfg, struct pool **out)
{
	*out = NULL;
	if (!cfg->threads || cfg->threads > POOL_THREADS_MAX || !cfg->queue_max)
		return -ERR_RANGE;
	struct pool *p = XNEW(struct pool);
	p->cfg = *cfg;
	p->last = &p->first;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->work, NULL);
	/* Signals are main's; and a library that writes to a closed socket is to get EPIPE. */
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int err = 0;
	while (!err && p->started < cfg->threads) {
		err = start_thread(p, p->started);
		p->started += !err;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err)
		pool_free(p);
	else
		*out = p;
	return err;
}

int pool_post(struct pool *p, struct job *j)
{
	int err = 0;
	j->next = NULL;
	pthread_mutex_lock(&p->lock);
	if (p->is_closing || p->waiting >= p->cfg.queue_max) {
		err = -ERR_AGAIN;
	} else {
		*p->last = j;
		p->last = &j->next;
		set_waiting(p, p->waiting + 1);
		metric_add(M_POOL_JOBS, 1);
		pthread_cond_signal(&p->work);
	}
	pthread_mutex_unlock(&p->lock);
	if (err)
		metric_inc(M_POOL_FULL);
	return err;
}

uint32_t pool_waiting(const struct pool *p)
{
	return __atomic_load_n(&p->waiting, __ATOMIC_RELAXED);
}

void pool_free(struct pool *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->is_closing = true;
	pthread_cond_broadcast(&p->work);
	pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < p->started; i++)
		pthread_join(p->thread[i].thread, NULL);
	while (p->first) {
		struct job *j = p->first;
		p->first = j->next;
		metric_sub(M_POOL_JOBS, 1);
		j->msg.kind->drop(&j->msg);
	}
	pthread_cond_destroy(&p->work);
	pthread_mutex_destroy(&p->lock);
	xfree(p);
}
