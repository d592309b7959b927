#include "app/app.h"
#include "app/serve.h"
#include "base/log.h"

static int serve(const struct config *cfg, const struct config_source *src)
{
	struct errbuf eb;
	if (config_require_keys(cfg, &eb))
		return app_fail(APP_USAGE, &eb);
	log_set_level(cfg->logging.level);
	log_set_format(cfg->logging.format);
	for (size_t i = 0; i < cfg->warnings.n; i++)
		LOG_WARN("configuration", F_STR("warning", cfg->warnings.str[i]));
	return serve_run(cfg, src, &eb) ? app_fail(APP_FAILED, &eb) : APP_OK;
}

int app_serve(const struct app_command *self, size_t argc, char *const *argv)
{
	static const struct args_spec spec = {.has_config = true};
	struct args a = {0};
	struct errbuf eb;
	struct config *cfg = NULL;
	int code = args_parse(&a, &spec, argc, argv, &eb) ? app_fail(APP_USAGE, &eb) : APP_OK;
	if (code == APP_OK && a.wants_help)
		code = app_help(self, &spec, NULL);
	else if (code == APP_OK && (code = app_load(&a, &cfg)) == APP_OK)
		code = serve(cfg, &a.src);
	config_free(cfg);
	config_source_free(&a.src);
	return code;
}
