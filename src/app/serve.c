#include "app/serve.h"

#include <unistd.h>

#include "base/log.h"

int serve_run(const struct config *cfg, const struct config_source *src, struct errbuf *eb)
{
	(void)src;
	(void)eb;
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned workers = config_worker_count(cfg, cores > 0 ? (unsigned)cores : 1);
	LOG_INFO("configured", F_UINT("http_port", cfg->port), F_UINT("workers", workers),
		F_UINT("udp_first", config_worker_port(cfg, 0)),
		F_UINT("udp_last", config_worker_port(cfg, workers - 1)));
	return 0;
}
