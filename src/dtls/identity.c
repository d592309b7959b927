/* identity: the key and self-signed certificate that stand behind a=fingerprint. */
#include <stdio.h>
#include "base/mem.h"
#include "base/rng.h"
#include "dtls/dtls_internal.h"

enum { DAY_S = 24 * 3600, VALID_DAYS = 3650, SERIAL_LEN = 8, NAME_CAP = 2 * SERIAL_LEN + 1 };

/* A random name: the certificate must not link two runs of the server, nor tell who it is (RFC 8827 §6.5). */
static int name_cert(X509 *x)
{
	uint8_t serial[SERIAL_LEN];
	char name[NAME_CAP];
	rng_bytes(serial, sizeof serial);
	serial[0] = (uint8_t)((serial[0] & 0x7f) | 0x40); /* positive and of full length */
	for (size_t i = 0; i < sizeof serial; i++)
		(void)snprintf(name + 2 * i, sizeof name - 2 * i, "%02x", serial[i]);

	BIGNUM *number = BN_bin2bn(serial, sizeof serial, NULL);
	X509_NAME *subject = X509_get_subject_name(x);
	bool ok = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x)) &&
		X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const uint8_t *)name, -1, -1, 0) &&
		X509_set_issuer_name(x, subject);
	BN_free(number);
	return ok ? 0 : -ERR_CRYPTO;
}

static int sign_cert(X509 *x, EVP_PKEY *key)
{
	if (!X509_set_version(x, X509_VERSION_3) || name_cert(x) ||
		!X509_gmtime_adj(X509_getm_notBefore(x), -DAY_S) ||
		!X509_time_adj_ex(X509_getm_notAfter(x), VALID_DAYS, 0, NULL) ||
		!X509_set_pubkey(x, key) || !X509_sign(x, key, EVP_sha256()))
		return -ERR_CRYPTO;
	return 0;
}

static int write_fingerprint(char out[DTLS_FINGERPRINT_CAP], const X509 *x)
{
	uint8_t md[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	if (!X509_digest(x, EVP_sha256(), md, &n) || n * 3 != DTLS_FINGERPRINT_CAP)
		return -ERR_CRYPTO;
	for (unsigned i = 0; i < n; i++)
		(void)snprintf(out + i * 3, DTLS_FINGERPRINT_CAP - i * 3, "%02X%s", md[i], i + 1 < n ? ":" : "");
	return 0;
}

static int fill(struct dtls_identity *id, X509 *x, EVP_PKEY *key)
{
	int err = sign_cert(x, key);
	if (err)
		return err;
	int cert_n = i2d_X509(x, &id->cert);
	int key_n = i2d_PrivateKey(key, &id->key);
	if (cert_n <= 0 || key_n <= 0)
		return -ERR_CRYPTO;
	id->cert_n = (size_t)cert_n;
	id->key_n = (size_t)key_n;
	return write_fingerprint(id->fingerprint, x);
}

int dtls_identity_new(struct dtls_identity **out)
{
	struct dtls_identity *id = XNEW(struct dtls_identity);
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	int err = key && x ? fill(id, x, key) : -ERR_CRYPTO;
	X509_free(x);
	EVP_PKEY_free(key);
	ERR_clear_error();
	if (err) {
		dtls_identity_free(id);
		id = NULL;
	}
	*out = id;
	return err;
}

void dtls_identity_free(struct dtls_identity *id)
{
	if (!id)
		return;
	if (id->key)
		OPENSSL_clear_free(id->key, id->key_n);
	OPENSSL_free(id->cert);
	xfree(id);
}

const char *dtls_identity_fingerprint(const struct dtls_identity *id)
{
	return id->fingerprint;
}

struct slice dtls_identity_cert(const struct dtls_identity *id)
{
	return slice_of(id->cert, id->cert_n);
}
