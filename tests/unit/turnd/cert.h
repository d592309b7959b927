/* cert: a self-signed certificate and its key in files of a new folder. */
#pragma once
#include "../cm.h"
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CERT_FAR_S = 30 * 24 * 3600 };

struct cert {
	char dir[32], cert_path[48], key_path[48];
};

/* password NULL = none. The key is the caller's. */
static inline EVP_PKEY *cert_key_file(const char *path, const char *password)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	FILE *f = fopen(path, "w");
	assert_non_null(key);
	assert_non_null(f);
	assert_int_equal(PEM_write_PrivateKey(f, key, password ? EVP_aes_128_cbc() : NULL,
				 (const unsigned char *)password,
				 password ? (int)strlen(password) : 0, NULL, NULL),
		1);
	fclose(f);
	return key;
}

static inline void cert_file(const char *path, EVP_PKEY *key, long serial, long ends_s)
{
	X509 *x = X509_new();
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), serial);
	X509_gmtime_adj(X509_getm_notBefore(x), -2 * CERT_FAR_S);
	X509_gmtime_adj(X509_getm_notAfter(x), ends_s);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
		(const unsigned char *)"test", -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	X509_set_pubkey(x, key);
	assert_true(X509_sign(x, key, EVP_sha256()) > 0);
	assert_int_equal(PEM_write_X509(f, x), 1);
	fclose(f);
	X509_free(x);
}

static inline void cert_make(struct cert *c, long serial)
{
	snprintf(c->dir, sizeof c->dir, "/tmp/sterna-cert-XXXXXX");
	assert_non_null(mkdtemp(c->dir));
	snprintf(c->cert_path, sizeof c->cert_path, "%s/cert.pem", c->dir);
	snprintf(c->key_path, sizeof c->key_path, "%s/key.pem", c->dir);
	EVP_PKEY *key = cert_key_file(c->key_path, NULL);
	cert_file(c->cert_path, key, serial, CERT_FAR_S);
	EVP_PKEY_free(key);
}

static inline void cert_remove(const struct cert *c)
{
	(void)unlink(c->cert_path);
	(void)unlink(c->key_path);
	(void)rmdir(c->dir);
}
