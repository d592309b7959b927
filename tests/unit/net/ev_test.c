#include "cm.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "net/ev.h"

enum { N = 8 };

struct world;
struct node {
	struct world *w;
	struct ev_io io;
	unsigned index;
};
struct world {
	struct ev ev;
	struct node *nodes[N];
	unsigned called;
};

static void del(struct world *w, unsigned i)
{
	struct node *n = w->nodes[i];
	if (!n)
		return;
	ev_del(&w->ev, &n->io);
	close(n->io.fd);
	free(n);
	w->nodes[i] = NULL;
}

/* Whoever comes first frees all others, itself too. */
static void on_ready(void *arg, uint32_t events)
{
	struct world *w = ((struct node *)arg)->w;
	(void)events;
	w->called++;
	for (unsigned i = 0; i < N; i++)
		del(w, i);
}

static void removed_while_ready_is_not_called(void **st)
{
	(void)st;
	struct world w = {0};
	assert_int_equal(ev_init(&w.ev), 0);
	for (unsigned i = 0; i < N; i++) {
		struct node *n = w.nodes[i] = calloc(1, sizeof *n);
		assert_non_null(n);
		*n = (struct node){.w = &w,
			.index = i,
			.io = {.fd = eventfd(1, EFD_NONBLOCK), .ready = on_ready, .arg = n}};
		assert_int_equal(ev_add(&w.ev, &n->io, EPOLLIN), 0);
	}
	ev_wait(&w.ev, 1000000);
	assert_int_equal(w.ev.n, N);
	ev_dispatch(&w.ev);
	assert_int_equal(w.called, 1);
	ev_wait(&w.ev, 0);
	assert_int_equal(w.ev.n, 0);
	ev_close(&w.ev);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(removed_while_ready_is_not_called)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
