/*
 * http_pass: HTTPS on TURN's TLS port. A request begins with a letter, which nothing of TURN's does; from there on the
 * connection is two streams joined, like those of a TCP peer: plain text for whoever serves HTTP in this process.
 */
#include <sys/socket.h>

#include "base/metric.h"
#include "turnd/stream.h"

bool http_pass(struct stream *st)
{
	const struct turnd_cfg *cfg = &st->t->cfg;
	int ends[2];
	if (!cfg->http_pass ||
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
		return false;
	metric_inc(M_TURN_HTTP);
	peer_join(st, ends[0]);
	cfg->http_pass(cfg->http_arg, ends[1], &st->flow.client);
	return true;
}
