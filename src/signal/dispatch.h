/*
 * dispatch: the worker's half of a signal connection: each kind of SignalRequest to the function of
 * rooms/ that does it.
 *
 * Runs on the worker of the room. The front's half, which reads frames and answers pings, is
 * conn.h.
 */
#pragma once
#include "proto/signal.pb-c.h"
#include "rooms/rooms.h"

/* Borrows req. What is not supported is counted and ignored, as unknown fields are. */
void signal_dispatch(struct rooms *rooms, uint64_t conn, const Livekit__SignalRequest *req);
