#include "store/redis_link.h"

#include <errno.h>
#include <stdio.h>
#include <sys/time.h>

#include "base/clock.h"
#include "base/mem.h"

enum { ARGS_MAX = 8 };

static struct timeval timeval_of(uint32_t ms)
{
	return (struct timeval){
		.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * US_PER_MS};
}

int redis_link_error(const redisContext *c, struct errbuf *eb)
{
	/* hiredis has no code of its own for a socket timeout: it is EAGAIN of a blocking socket. */
	if (c->err == REDIS_ERR_IO && (errno == EAGAIN || errno == EWOULDBLOCK))
		return err_set(eb, ERR_TIMEOUT, "Redis: the server does not answer");
	return err_set(eb, ERR_CLOSED, "Redis: %s", c->errstr);
}

int redis_link_command(
	redisContext *c, const struct slice *args, size_t n, redisReply **out, struct errbuf *eb)
{
	const char *arg[ARGS_MAX];
	size_t len[ARGS_MAX];
	*out = NULL;
	if (n > ARGS_MAX)
		return err_set(eb, ERR_SYSTEM, "Redis: a command is too long");
	for (size_t i = 0; i < n; i++) {
		arg[i] = args[i].n ? (const char *)args[i].p : "";
		len[i] = args[i].n;
	}
	errno = 0;
	redisReply *reply = redisCommandArgv(c, (int)n, arg, len);
	if (!reply)
		return redis_link_error(c, eb);
	if (reply->type == REDIS_REPLY_ERROR) {
		int err = err_set(eb, ERR_SYSTEM, "Redis: %.*s", (int)MIN(reply->len, 200), reply->str);
		freeReplyObject(reply);
		return err;
	}
	*out = reply;
	return 0;
}

static int command(redisContext *c, const struct slice *args, size_t n, struct errbuf *eb)
{
	redisReply *reply;
	int err = redis_link_command(c, args, n, &reply, eb);
	if (reply)
		freeReplyObject(reply);
	return err;
}

static int enter(redisContext *c, const struct store_dsn *d, struct errbuf *eb)
{
	int err = 0;
	if (d->password && d->user) {
		const struct slice auth[] = {slice_str("AUTH"), slice_str(d->user), slice_str(d->password)};
		err = command(c, auth, 3, eb);
	} else if (d->password) {
		const struct slice auth[] = {slice_str("AUTH"), slice_str(d->password)};
		err = command(c, auth, 2, eb);
	}
	if (!err && d->db) {
		char db[16];
		(void)snprintf(db, sizeof db, "%u", d->db);
		const struct slice select[] = {slice_str("SELECT"), slice_str(db)};
		err = command(c, select, 2, eb);
	}
	return err;
}

int redis_link_open(const struct store_dsn *d, const struct store_limits *lim, redisContext **out,
	struct errbuf *eb)
{
	uint32_t connect_ms =
		d->connect_timeout_ms ? d->connect_timeout_ms : lim->connect_timeout_ms;
	redisContext *c =
		d->host[0] == '/'
			? redisConnectUnixWithTimeout(d->host, timeval_of(connect_ms))
			: redisConnectWithTimeout(d->host, d->port, timeval_of(connect_ms));
	*out = NULL;
	if (!c)
		return err_set(eb, ERR_SYSTEM, "Redis: out of memory");
	int err = 0;
	if (c->err)
		err = err_set(eb, ERR_SYSTEM, "Redis: %.100s: %s", d->host, c->errstr);
	else if (redisSetTimeout(c, timeval_of(lim->query_timeout_ms)) != REDIS_OK)
		err = err_set(eb, ERR_SYSTEM, "Redis: %s", c->errstr);
	if (!err && d->host[0] != '/')
		(void)redisEnableKeepAlive(c);
	if (!err)
		err = enter(c, d, eb);
	if (err) {
		redisFree(c);
		return -ERR_SYSTEM;
	}
	*out = c;
	return 0;
}
