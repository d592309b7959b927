/* libs: versions of the libraries that are loaded, not of those it was built with. Static strings. */
#pragma once

const char *app_openssl_version(void);
const char *app_lws_version(void);
