/* turn_run: the TURN server alone: workers without rooms, HTTP for metrics, health, ICE servers and administration. */
#pragma once
#include "config/config.h"
#include "config/coturn.h"
#include "base/err.h"

/* How the configuration is read again at SIGHUP. -ERR_CONFIG with one line in eb. */
struct turn_run_source {
	int (*load)(void *arg, struct config **out, struct errbuf *eb);
	void *arg;
};

/*
 * Runs until SIGTERM, SIGINT or SIGUSR1 (a drain) has been followed. Borrows all. 0, or an error with one line in eb.
 */
MUST_CHECK int turn_run(const struct config *cfg, const struct turn_run_source *source,
	const struct coturn_process *process, struct errbuf *eb);
