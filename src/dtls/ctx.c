/* ctx: the OpenSSL context of one worker: versions, ciphers, curves, SRTP profiles, and the datagram BIO's methods. */
#include "base/mem.h"
#include "dtls/dtls_internal.h"

static const struct profile_row {
	enum dtls_profile profile;
	uint8_t key, salt; /* bytes */
	const char *name;  /* as OpenSSL spells it */
} profile_rows[] = {
	{DTLS_PROFILE_AEAD_AES_128_GCM, 16, 12, "SRTP_AEAD_AES_128_GCM"},
	{DTLS_PROFILE_AEAD_AES_256_GCM, 32, 12, "SRTP_AEAD_AES_256_GCM"},
	{DTLS_PROFILE_AES128_CM_SHA1_80, 16, 14, "SRTP_AES128_CM_SHA1_80"},
};

static const enum dtls_profile default_profiles[] = {
	DTLS_PROFILE_AEAD_AES_128_GCM,
	DTLS_PROFILE_AEAD_AES_256_GCM,
	DTLS_PROFILE_AES128_CM_SHA1_80,
};

static const char ciphers[] =
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
	"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"
	"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384";

enum { PEER_CERT_LIST_MAX = 16 * 1024, PROFILE_NAMES_CAP = 128 };

static const struct profile_row *profile_find(enum dtls_profile profile)
{
	for (size_t i = 0; i < ARRAY_LEN(profile_rows); i++)
		if (profile_rows[i].profile == profile)
			return &profile_rows[i];
	return NULL;
}

size_t dtls_profile_keys_len(enum dtls_profile profile)
{
	const struct profile_row *row = profile_find(profile);
	return row ? 2u * (row->key + row->salt) : 0;
}

static int set_profiles(SSL_CTX *c, const enum dtls_profile *profiles, size_t n)
{
	char names[PROFILE_NAMES_CAP];
	size_t at = 0;
	if (n > DTLS_PROFILES_MAX)
		return -ERR_UNSUPPORTED;
	for (size_t i = 0; i < n; i++) {
		const struct profile_row *row = profile_find(profiles[i]);
		if (!row)
			return -ERR_UNSUPPORTED;
		size_t len = strlen(row->name);
		if (at)
			names[at++] = ':';
		memcpy(names + at, row->name, len);
		at += len;
	}
	names[at] = '\0';
	/* Of all the SSL setters this one alone returns 0 for success. */
	return SSL_CTX_set_tlsext_use_srtp(c, names) ? -ERR_CRYPTO : 0;
}

static int set_identity(struct dtls_ctx *ctx, const struct dtls_identity *id)
{
	const uint8_t *p = id->key;
	EVP_PKEY *key = d2i_AutoPrivateKey_ex(NULL, &p, (long)id->key_n, ctx->lib, NULL);
	p = id->cert;
	X509 *x = X509_new_ex(ctx->lib, NULL);
	bool ok = key && x && d2i_X509(&x, &p, (long)id->cert_n) &&
		  SSL_CTX_use_certificate(ctx->ssl_ctx, x) == 1 &&
		  SSL_CTX_use_PrivateKey(ctx->ssl_ctx, key) == 1 &&
		  SSL_CTX_check_private_key(ctx->ssl_ctx) == 1;
	X509_free(x);
	EVP_PKEY_free(key);
	return ok ? 0 : -ERR_CRYPTO;
}

static int set_common(SSL_CTX *c)
{
	SSL_CTX_set_options(c, SSL_OP_NO_QUERY_MTU | SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION |
			SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
			SSL_OP_NO_SESSION_RESUMPTION_ON_RENEGOTIATION);
	SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY);
	SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
	return SSL_CTX_set_min_proto_version(c, DTLS1_2_VERSION) == 1 &&
			       SSL_CTX_set_max_proto_version(c, DTLS1_2_VERSION) == 1 &&
			       SSL_CTX_set1_groups_list(c, "X25519:P-256") == 1
		       ? 0
		       : -ERR_CRYPTO;
}

static int set_options(SSL_CTX *c)
{
	SSL_CTX_set_max_cert_list(c, PEER_CERT_LIST_MAX);
	/* The chain is not checked against anything: the fingerprint in the signalling is the trust (RFC 5763 §5). */
	SSL_CTX_set_verify(c, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_CTX_set_cert_verify_callback(c, dtls_verify_peer, NULL);
	return SSL_CTX_set_cipher_list(c, ciphers) == 1 ? set_common(c) : -ERR_CRYPTO;
}

static int set_bio_method(struct dtls_ctx *ctx)
{
	ctx->bio_method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "sterna datagram");
	if (!ctx->bio_method || !BIO_meth_set_write(ctx->bio_method, dtls_bio_write) ||
		!BIO_meth_set_read(ctx->bio_method, dtls_bio_read) ||
		!BIO_meth_set_ctrl(ctx->bio_method, dtls_bio_ctrl))
		return -ERR_CRYPTO;
	return 0;
}

static int fill(struct dtls_ctx *ctx, const struct dtls_identity *id,
	const enum dtls_profile *profiles, size_t n)
{
	ctx->lib = OSSL_LIB_CTX_new();
	ctx->ssl_ctx = ctx->lib ? SSL_CTX_new_ex(ctx->lib, NULL, DTLS_method()) : NULL;
	if (!ctx->ssl_ctx)
		return -ERR_CRYPTO;
	int err = set_options(ctx->ssl_ctx);
	if (!err)
		err = set_profiles(ctx->ssl_ctx, profiles, n);
	if (!err)
		err = set_identity(ctx, id);
	return err ? err : set_bio_method(ctx);
}

int dtls_ctx_new(struct dtls_ctx **out, const struct dtls_identity *id,
	const enum dtls_profile *profiles, size_t n)
{
	struct dtls_ctx *ctx = XNEW(struct dtls_ctx);
	int err = n ? fill(ctx, id, profiles, n)
		    : fill(ctx, id, default_profiles, ARRAY_LEN(default_profiles));
	ERR_clear_error();
	if (err) {
		dtls_ctx_free(ctx);
		ctx = NULL;
	}
	*out = ctx;
	return err;
}

/* dtls/cookie has looked at it already: dtls_accept is for no others. */
static int cookie_is_good(SSL *ssl, const unsigned char *cookie, unsigned n)
{
	(void)ssl, (void)cookie, (void)n;
	return 1;
}

int dtls_ctx_renew(struct dtls_ctx *ctx, SSL_CTX *ssl_ctx)
{
	int err = set_common(ssl_ctx);
	ERR_clear_error();
	if (err || !SSL_CTX_up_ref(ssl_ctx))
		return -ERR_CRYPTO;
	SSL_CTX_set_cookie_verify_cb(ssl_ctx, cookie_is_good);
	SSL_CTX_free(ctx->ssl_ctx);
	ctx->ssl_ctx = ssl_ctx;
	return 0;
}

int dtls_ctx_from(struct dtls_ctx **out, SSL_CTX *ssl_ctx)
{
	struct dtls_ctx *ctx = XNEW(struct dtls_ctx);
	int err = set_bio_method(ctx);
	if (!err)
		err = dtls_ctx_renew(ctx, ssl_ctx);
	if (err) {
		dtls_ctx_free(ctx);
		ctx = NULL;
	}
	*out = ctx;
	return err;
}

void dtls_ctx_free(struct dtls_ctx *ctx)
{
	if (!ctx)
		return;
	SSL_CTX_free(ctx->ssl_ctx);
	BIO_meth_free(ctx->bio_method);
	OSSL_LIB_CTX_free(ctx->lib);
	xfree(ctx);
}
