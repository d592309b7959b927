#include "app/app.h"

#include <libpq-fe.h>
#include <libwebsockets.h>
#include <openssl/crypto.h>
#include <sqlite3.h>

#include "app/version.h"

int app_version(const struct app_command *self, size_t argc, char *const *argv)
{
	static const struct args_spec spec = {0};
	struct args a = {0};
	struct errbuf eb;
	if (args_parse(&a, &spec, argc, argv, &eb))
		return app_fail(APP_USAGE, &eb);
	if (a.wants_help)
		return app_help(self, &spec, NULL);
	struct buf out;
	buf_init(&out, APP_OUTPUT_MAX);
	buf_printf(&out, "sterna %s (%s)\n", APP_VERSION, APP_REVISION);
	buf_printf(&out, "%s\n", OpenSSL_version(OPENSSL_VERSION));
	buf_printf(&out, "libwebsockets %s\n", lws_get_library_version());
	buf_printf(&out, "usrsctp %s\n", APP_USRSCTP_VERSION);
	buf_printf(&out, "SQLite %s\n", sqlite3_libversion());
	int pq = PQlibVersion();
	buf_printf(&out, "libpq %d.%d\n", pq / 10000, pq % 10000);
	buf_printf(&out, "hiredis %s\n", APP_HIREDIS_VERSION);
	return app_output(&out);
}
