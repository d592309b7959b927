/* bind_error: why an address cannot be listened on, and what helps, for the log. */
#pragma once
#include <errno.h>
#include <string.h>

/* `why` is errno of socket, bind or listen. Good until the next call on this thread. */
static inline const char *bind_error(int why)
{
	switch (why) {
	case EADDRINUSE: return "another program uses it; choose another port";
	case EACCES: return "ports below 1024 need a privilege (CAP_NET_BIND_SERVICE)";
	case EADDRNOTAVAIL: return "this machine does not have that address";
	default: return strerror(why);
	}
}
