/* redis_link: a connection to Redis, for redis.c (lookups) and turn_stats.c (statistics). */
#pragma once
#include <hiredis/hiredis.h>

#include "store/store_internal.h"

/* Connects, authenticates, selects. 0 and *out owned (redisFree), or -ERR_SYSTEM with a sentence. */
MUST_CHECK int redis_link_open(const struct store_dsn *d, const struct store_limits *lim,
	redisContext **out, struct errbuf *eb);

/*
 * One command and its answer; arguments may hold any bytes. 0 and *out owned (freeReplyObject), -ERR_SYSTEM when Redis
 * says no, -ERR_TIMEOUT or -ERR_CLOSED when the connection is of no use any more.
 */
MUST_CHECK int redis_link_command(
	redisContext *c, const struct slice *args, size_t n, redisReply **out, struct errbuf *eb);

/* The error that stands in the context. */
int redis_link_error(const redisContext *c, struct errbuf *eb);
