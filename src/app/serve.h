/* serve: runs the server until a signal ends it. Called by main once the configuration is known to be good. */
#pragma once
#include "base/err.h"
#include "config/config.h"

/*
 * Blocks. Borrows cfg for its whole run; `src` says where it came from, for a reload.
 * 0 after an orderly stop; -ERR_X with the reason in eb if the server could not start or broke.
 */
MUST_CHECK int serve_run(
	const struct config *cfg, const struct config_source *src, struct errbuf *eb);
