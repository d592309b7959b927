#include "thread/worker.h"

#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/metric.h"

enum { MESSAGES_PER_TURN = 256, PACKETS_PER_TURN = 1024 };

static void wake(void *arg)
{
	struct worker *w = arg;
	uint64_t one = 1;
	ssize_t wrote = write(w->wake_io.fd, &one, sizeof one);
	(void)wrote; /* EAGAIN means that a wake-up is pending already */
}

static void on_wake(void *arg, uint32_t events)
{
	struct worker *w = arg;
	uint64_t count;
	(void)events;
	ssize_t got = read(w->wake_io.fd, &count, sizeof count);
	(void)got;
}

int worker_init(struct worker *w, unsigned index, const struct worker_ops *ops, void *arg,
	uint32_t mbox_capacity)
{
	*w = (struct worker){.index = index, .ops = ops, .arg = arg, .now_us = clock_mono_us()};
	wheel_init(&w->wheel, w->now_us);
	mbox_init(&w->mbox, mbox_capacity, wake, w);
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	w->wake_io = (struct ev_io){.fd = fd, .ready = on_wake, .arg = w};
	if (fd == -1 || ev_init(&w->ev) != 0)
		return -ERR_SYSTEM;
	return ev_add(&w->ev, &w->wake_io, EPOLLIN);
}

static uint64_t sleep_us(struct worker *w)
{
	if (!mbox_may_sleep(&w->mbox))
		return 0;
	if (!pktbox_is_empty(&w->packets)) {
		mbox_awake(&w->mbox);
		return 0;
	}
	uint64_t next = wheel_next_us(&w->wheel), now = clock_mono_us();
	return next == UINT64_MAX ? next : next > now ? next - now : 0;
}

/* The whole life of a worker: wait, packets, timers, messages, send. */
static void worker_run(struct worker *w)
{
	while (!__atomic_load_n(&w->stop_asked, __ATOMIC_ACQUIRE)) {
		uint64_t due = wheel_next_us(&w->wheel);
		ev_wait(&w->ev, sleep_us(w));
		mbox_awake(&w->mbox);
		w->now_us = clock_mono_us();
		if (due < w->now_us)
			metric_add(M_LOOP_LATE_US, w->now_us - due);
		/* Before the sockets: what another worker posted, then answered, is known when the
		 * client comes back. */
		pktbox_drain(&w->packets, &w->packet_taker, PACKETS_PER_TURN);
		ev_dispatch(&w->ev);
		wheel_run(&w->wheel, w->now_us);
		mbox_drain(&w->mbox, w, MESSAGES_PER_TURN);
		w->ops->end_turn(w);
		metric_inc(M_LOOP_TURNS);
		metric_add(M_LOOP_BUSY_US, clock_mono_us() - w->now_us);
	}
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	char name[16];
	snprintf(name, sizeof name, "worker-%u", w->index);
	pthread_setname_np(pthread_self(), name);
	metric_thread_init();
	mbox_thread_init();
	w->ops->start(w);
	worker_run(w);
	w->ops->stop(w);
	return NULL;
}

int worker_start(struct worker *w)
{
	return pthread_create(&w->thread, NULL, worker_main, w) ? -ERR_SYSTEM : 0;
}

void worker_post_packets(struct worker *w, unsigned sender)
{
	if (!pktbox_post(&w->packets, sender))
		return;
	/* Pairs with mbox_may_sleep in sleep_us: either it sees our packets or we see its flag. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (__atomic_load_n(&w->mbox.is_asleep, __ATOMIC_RELAXED))
		wake(w);
}

void worker_stop(struct worker *w)
{
	__atomic_store_n(&w->stop_asked, 1, __ATOMIC_RELEASE);
	wake(w);
}

void worker_join(struct worker *w)
{
	pthread_join(w->thread, NULL);
}

void worker_close(struct worker *w)
{
	mbox_close(&w->mbox);
	pktbox_close(&w->packets);
	ev_close(&w->ev);
	close(w->wake_io.fd);
}
