#include "rooms/registry.h"

#include <pthread.h>

#include "base/map.h"
#include "base/mem.h"

struct entry {
	unsigned worker;
	unsigned announced; /* joins on their way */
	bool is_open;       /* the worker has made the room */
};

struct registry {
	pthread_mutex_t lock;
	struct map rooms;
	unsigned n_workers;
	unsigned *rooms_of; /* per worker */
};

struct registry *registry_new(unsigned workers)
{
	struct registry *r = XNEW(struct registry);
	pthread_mutex_init(&r->lock, NULL);
	map_init(&r->rooms);
	r->n_workers = workers;
	r->rooms_of = xcalloc(workers, sizeof *r->rooms_of);
	return r;
}

void registry_free(struct registry *r)
{
	if (!r)
		return;
	size_t at = 0;
	for (void *e; (e = map_next(&r->rooms, &at, NULL));)
		xfree(e);
	map_free(&r->rooms);
	pthread_mutex_destroy(&r->lock);
	xfree(r->rooms_of);
	xfree(r);
}

static unsigned least_busy(const struct registry *r)
{
	unsigned best = 0;
	for (unsigned i = 1; i < r->n_workers; i++)
		if (r->rooms_of[i] < r->rooms_of[best])
			best = i;
	return best;
}

unsigned registry_announce(struct registry *r, const char *room)
{
	pthread_mutex_lock(&r->lock);
	struct entry *e = map_get(&r->rooms, slice_str(room));
	if (!e) {
		e = XNEW(struct entry);
		e->worker = least_busy(r);
		r->rooms_of[e->worker]++;
		map_put(&r->rooms, slice_str(room), e);
	}
	e->announced++;
	unsigned worker = e->worker;
	pthread_mutex_unlock(&r->lock);
	return worker;
}

void registry_arrived(struct registry *r, const char *room)
{
	pthread_mutex_lock(&r->lock);
	struct entry *e = map_get(&r->rooms, slice_str(room));
	if (e && e->announced) {
		e->announced--;
		e->is_open = true;
	}
	pthread_mutex_unlock(&r->lock);
}

static void drop(struct registry *r, struct entry *e, const char *room)
{
	r->rooms_of[e->worker]--;
	map_del(&r->rooms, slice_str(room));
	xfree(e);
}

void registry_withdraw(struct registry *r, const char *room)
{
	pthread_mutex_lock(&r->lock);
	struct entry *e = map_get(&r->rooms, slice_str(room));
	if (e && e->announced && --e->announced == 0 && !e->is_open)
		drop(r, e, room);
	pthread_mutex_unlock(&r->lock);
}

bool registry_remove(struct registry *r, const char *room)
{
	pthread_mutex_lock(&r->lock);
	struct entry *e = map_get(&r->rooms, slice_str(room));
	bool may_go = !e || e->announced == 0;
	if (e && may_go)
		drop(r, e, room);
	pthread_mutex_unlock(&r->lock);
	return may_go;
}

bool registry_has(struct registry *r, const char *room)
{
	pthread_mutex_lock(&r->lock);
	bool has = map_get(&r->rooms, slice_str(room)) != NULL;
	pthread_mutex_unlock(&r->lock);
	return has;
}
