/* asker: a thread that asks a store and waits for the answers in its own mailbox. */
#pragma once
#include "cm.h"

#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/metric.h"
#include "store/turn_users.h"

/* The last answer, copied; rows as lines "kind realm name value number". */
struct asker {
	struct mbox mbox;
	sem_t bell;
	unsigned answers, found, failed;
	uint64_t id;
	int err;
	struct store_turn_key key;
	struct store_turn_oauth oauth;
	char username[600];
	struct buf rows;
	size_t rows_n;
};

static inline void asker_ring(void *arg)
{
	sem_post(&((struct asker *)arg)->bell);
}

static inline void asker_init(struct asker *a)
{
	*a = (struct asker){0};
	sem_init(&a->bell, 0, 0);
	mbox_init(&a->mbox, 64, asker_ring, a);
	buf_init(&a->rows, 1 << 20);
}

static inline void asker_free(struct asker *a)
{
	mbox_close(&a->mbox);
	buf_free(&a->rows);
	sem_destroy(&a->bell);
}

static inline void asker_done(void *receiver, uint64_t id, const struct store_turn_answer *r)
{
	struct asker *a = receiver;
	a->answers++;
	a->found += r->err == 0;
	a->failed += r->err == -ERR_SYSTEM || r->err == -ERR_TIMEOUT;
	a->id = id;
	a->err = r->err;
	a->key = r->key;
	a->oauth = r->oauth;
	(void)snprintf(a->username, sizeof a->username, "%s", r->username ? r->username : "");
	buf_reset(&a->rows);
	a->rows_n = r->rows_n;
	for (size_t i = 0; i < r->rows_n; i++)
		buf_printf(&a->rows, "%d %s|%s|%s|%lu\n", (int)r->rows[i].kind, r->rows[i].realm, r->rows[i].name,
			r->rows[i].value, (unsigned long)r->rows[i].number);
}

/* Handles what is there; sleeps first if there is nothing. */
static inline void asker_wait(struct asker *a)
{
	if (mbox_may_sleep(&a->mbox)) {
		struct timespec until;
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec += 60;
		assert_int_equal(sem_timedwait(&a->bell, &until), 0);
	}
	mbox_awake(&a->mbox);
	mbox_drain(&a->mbox, a, 64);
}

static inline int asker_post(struct asker *a, struct store_turn *s, enum store_turn_kind kind,
	struct slice realm, struct slice name)
{
	const struct store_turn_ask ask = {&a->mbox, a->id + 1, asker_done};
	return store_turn_lookup(s, &ask, kind, realm, name);
}

/* Asks and waits; the error of the answer. */
static inline int asker_ask(struct asker *a, struct store_turn *s, enum store_turn_kind kind,
	const char *realm, struct slice name)
{
	unsigned before = a->answers;
	uint64_t id = a->id;
	assert_int_equal(asker_post(a, s, kind, slice_str(realm), name), 0);
	while (a->answers == before)
		asker_wait(a);
	assert_int_equal(a->id, id + 1);
	return a->err;
}

static inline int asker_user(
	struct asker *a, struct store_turn *s, const char *realm, const char *name)
{
	return asker_ask(a, s, STORE_TURN_USER, realm, slice_str(name));
}

static inline bool asker_has_row(struct asker *a, const char *row)
{
	return strstr(buf_cstr(&a->rows), row) != NULL;
}
