/* Apart from the rest because OpenSSL's headers and base/err.h both have an ERR_BAD_STATE. */
#include "app/libs.h"

#include <libwebsockets.h>
#include <openssl/crypto.h>

const char *app_openssl_version(void)
{
	return OpenSSL_version(OPENSSL_VERSION);
}

const char *app_lws_version(void)
{
	return lws_get_library_version();
}
