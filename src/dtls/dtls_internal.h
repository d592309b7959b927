/* dtls_internal: what identity.c, ctx.c and dtls.c share. Not included from outside the folder. */
#pragma once

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/srtp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include "dtls/dtls.h"

enum { DTLS_FINGERPRINT_CAP = 32 * 3 }; /* "AB:" per byte of SHA-256, the last colon replaced by NUL */

struct dtls_identity {
	uint8_t *cert, *key; /* DER; OpenSSL's memory */
	size_t cert_n, key_n;
	char fingerprint[DTLS_FINGERPRINT_CAP];
};

struct dtls_ctx {
	OSSL_LIB_CTX *lib;
	SSL_CTX *ssl_ctx;
	BIO_METHOD *bio_method;
};

/* The callbacks that the context registers; they run inside SSL calls of one association (dtls.c). */
int dtls_bio_write(BIO *bio, const char *p, int n);
int dtls_bio_read(BIO *bio, char *p, int n);
long dtls_bio_ctrl(BIO *bio, int cmd, long num, void *ptr);
int dtls_verify_peer(X509_STORE_CTX *store, void *arg);
