/*
 * ws_client: a WebSocket client for the benchmarks (RFC 6455), with permessage-deflate as browsers offer it (RFC 7692).
 * Loopback only: the handshake blocks, what follows does not.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/slice.h"

struct ws_client;

/* Connects to 127.0.0.1 and asks for `target` ("/rtc/v1?…"). Returns owned; NULL if the answer was not 101. */
struct ws_client *ws_client_new(uint16_t port, const char *target, bool offer_deflate);
void ws_client_free(struct ws_client *c);

/* Reads what is there and hands over each whole message, inflated. False when the connection has ended. */
bool ws_client_poll(struct ws_client *c, void (*take)(void *arg, struct slice message), void *arg);

/* One TCP connection to the port can be made and /readyz answers 200. */
bool ws_client_server_is_ready(uint16_t port);
