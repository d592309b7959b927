/*
 * registry: which worker a room lives on. The one table that all threads share, under the one mutex of the program;
 * it is asked when somebody joins, never per packet.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "base/macros.h"

struct registry;

/* Returns owned. `workers` is how many there are; the least busy one gets a new room. */
MUST_CHECK struct registry *registry_new(unsigned workers);
void registry_free(struct registry *r);

/*
 * The worker of a room, which is chosen now if it has none. Each call announces one join: the room's entry stays until
 * the join was taken in with registry_arrived. Any thread.
 */
unsigned registry_announce(struct registry *r, const char *room);

/* The announced join has reached the room's worker, which has the room now. That worker's thread. */
void registry_arrived(struct registry *r, const char *room);

/* The announced join will not take place: a room that was only announced is forgotten. Any thread. */
void registry_withdraw(struct registry *r, const char *room);

/* The room is empty and wants to go. False if a join is on its way: then it must stay. The room's worker. */
MUST_CHECK bool registry_remove(struct registry *r, const char *room);

/* Any thread. */
bool registry_has(struct registry *r, const char *room);
