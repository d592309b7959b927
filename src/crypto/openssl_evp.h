/* openssl_evp: the EVP headers. OpenSSL has a type ERR_BAD_STATE, which is one of our error codes. */
#pragma once
#define ERR_BAD_STATE openssl_err_state
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#undef ERR_BAD_STATE
