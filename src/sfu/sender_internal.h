/* sender_internal: what sender.c offers to downtrack.c. */
#pragma once
#include "sfu/downtrack.h"
#include "sfu/sender.h"

struct session *sender_session(const struct sender *s);
void sender_attach(struct sender *s, struct downtrack *d);
void sender_detach(struct sender *s, struct downtrack *d);

/* A downtrack has begun to wait for something: its tick is wanted. */
void sender_wake(struct sender *s, uint64_t now_us);
