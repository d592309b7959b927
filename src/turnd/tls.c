#include "turnd/tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"

/* What tells one version of a file from the next. */
struct file_id {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec mtime;
};

struct turnd_tls {
	int refs; /* atomic: the worker, and each connection */
	OSSL_LIB_CTX *lib;
	BIO_METHOD *bio;
	SSL_CTX *stream;
	struct dtls_ctx *dtls;
	struct file_id cert, key; /* that were read last, good or bad */
	bool has_http; /* http/1.1 may be chosen */
	uint8_t ticket_key[TURND_TICKET_KEY_LEN];
};

static struct file_id identify(const char *path)
{
	struct stat st;
	struct file_id id = {0};
	if (stat(path, &st) == 0) {
		id.dev = st.st_dev;
		id.ino = st.st_ino;
		id.size = st.st_size;
		id.mtime = st.st_mtim;
	}
	return id;
}

static bool same_file(const struct file_id *a, const struct file_id *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
	       a->mtime.tv_sec == b->mtime.tv_sec && a->mtime.tv_nsec == b->mtime.tv_nsec;
}

/* ---------------------------------------------------------------- certificate and key */

/* Never asks at the terminal, which is what OpenSSL does by itself. */
static int give_password(char *buf, int cap, int is_writing, void *arg)
{
	const char *password = arg;
	size_t n = password ? strlen(password) : 0;
	(void)is_writing;
	if (n == 0 || n > (size_t)cap)
		return -1;
	memcpy(buf, password, n);
	return (int)n;
}

static int check_readable(const char *what, const char *path, struct errbuf *eb)
{
	FILE *f = fopen(path, "re");
	if (!f)
		return err_set(eb, ERR_CONFIG, "cannot read the %s %s: %m", what, path);
	fclose(f);
	return 0;
}

static const char *ssl_reason(void)
{
	const char *text = ERR_reason_error_string(ERR_peek_last_error());
	return text ? text : "no reason given";
}

static int load_cert(SSL_CTX *c, const char *path, struct errbuf *eb)
{
	int err = check_readable("certificate", path, eb);
	if (err)
		return err;
	if (SSL_CTX_use_certificate_chain_file(c, path) != 1)
		return err_set(eb, ERR_CONFIG,
			"%s holds no usable certificate in PEM form, or too weak a one: %s", path,
			ssl_reason());
	return 0;
}

static int load_key(SSL_CTX *c, const struct turnd_cfg *cfg, struct errbuf *eb)
{
	bool has_password = cfg->key_password && *cfg->key_password;
	int err = check_readable("private key", cfg->key_file, eb);
	if (err)
		return err;
	SSL_CTX_set_default_passwd_cb(c, give_password);
	SSL_CTX_set_default_passwd_cb_userdata(c, (void *)(uintptr_t)cfg->key_password);
	bool ok = SSL_CTX_use_PrivateKey_file(c, cfg->key_file, SSL_FILETYPE_PEM) == 1;
	SSL_CTX_set_default_passwd_cb_userdata(c, NULL);
	if (ok && SSL_CTX_check_private_key(c) == 1)
		return 0;
	unsigned long why = ERR_peek_last_error();
	if (ok || (ERR_GET_LIB(why) == ERR_LIB_X509 &&
			  ERR_GET_REASON(why) == X509_R_KEY_VALUES_MISMATCH))
		return err_set(eb, ERR_CONFIG, "the private key %s does not belong to the certificate %s",
			cfg->key_file, cfg->cert_file);
	return err_set(eb, ERR_CONFIG, "%s holds no usable private key in PEM form%s: %s", cfg->key_file,
		has_password ? ", or the password is wrong" : ", or it needs a password", ssl_reason());
}

static void warn_of_dates(SSL_CTX *c, const char *path)
{
	enum { SOON_S = 7 * 24 * 3600 };
	const X509 *x = SSL_CTX_get0_certificate(c);
	time_t soon = time(NULL) + SOON_S;
	if (X509_cmp_current_time(X509_get0_notBefore(x)) > 0)
		LOG_WARN("the certificate is not valid yet", F_STR("file", path));
	else if (X509_cmp_current_time(X509_get0_notAfter(x)) < 0)
		LOG_WARN("the certificate has expired: clients will refuse it", F_STR("file", path));
	else if (X509_cmp_time(X509_get0_notAfter(x), &soon) < 0)
		LOG_WARN("the certificate expires within a week", F_STR("file", path));
}

/* ---------------------------------------------------------------- contexts */

/*
 * RFC 7443: stun.turn, stun.nat-discovery. A client that offers nothing of ours goes on without: what it says first
 * decides.
 */
static int select_alpn(SSL *ssl, const unsigned char **out, unsigned char *n,
	const unsigned char *offered, unsigned offered_n, void *arg)
{
	static const unsigned char turn[] = "\x09stun.turn\x12stun.nat-discovery\x08http/1.1";
	enum { HTTP_LEN = 9 };
	const struct turnd_tls *tls = arg;
	unsigned ours_n = sizeof turn - 1 - (tls->has_http ? 0 : HTTP_LEN);
	(void)ssl;
	return SSL_select_next_proto((unsigned char **)(uintptr_t)out, n, turn, ours_n, offered,
		       offered_n) == OPENSSL_NPN_NEGOTIATED
		       ? SSL_TLSEXT_ERR_OK
		       : SSL_TLSEXT_ERR_NOACK;
}

static int set_common(
	struct turnd_tls *tls, SSL_CTX *c, const struct turnd_cfg *cfg, struct errbuf *eb)
{
	SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
			SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_alpn_select_cb(c, select_alpn, tls);
	if (cfg->tls_ciphers && *cfg->tls_ciphers &&
		SSL_CTX_set_cipher_list(c, cfg->tls_ciphers) != 1)
		return err_set(eb, ERR_CONFIG, "OpenSSL knows none of the ciphers \"%s\"", cfg->tls_ciphers);
	int err = load_cert(c, cfg->cert_file, eb);
	return err ? err : load_key(c, cfg, eb);
}

static int make_stream(
	struct turnd_tls *tls, SSL_CTX **out, const struct turnd_cfg *cfg, struct errbuf *eb)
{
	static const unsigned char session_id[] = "sterna turn";
	static const char suites[] = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
				     "TLS_CHACHA20_POLY1305_SHA256";
	SSL_CTX *c = *out = SSL_CTX_new_ex(tls->lib, NULL, TLS_server_method());
	if (!c || SSL_CTX_set_min_proto_version(
			  c, cfg->no_tls1_2 ? TLS1_3_VERSION : TLS1_2_VERSION) != 1)
		return err_set(eb, ERR_CRYPTO, "OpenSSL makes no TLS context: %s", ssl_reason());
	/* The short key first: as good here, and cheaper. Who asks for ChaCha first has no AES at hand. */
	SSL_CTX_set_options(c, SSL_OP_PRIORITIZE_CHACHA);
	if (SSL_CTX_set_ciphersuites(c, suites) != 1)
		return err_set(eb, ERR_CRYPTO, "OpenSSL refuses TLS 1.3: %s", ssl_reason());
	/* One ticket is enough for a client that comes again; each costs a kilobyte of the handshake. */
	(void)SSL_CTX_set_num_tickets(c, 1);
	(void)SSL_CTX_set_session_id_context(c, session_id, sizeof session_id - 1);
	(void)SSL_CTX_set_tlsext_ticket_keys(c, tls->ticket_key, (long)sizeof tls->ticket_key);
	/* Not SSL_MODE_RELEASE_BUFFERS, which gives them back after each record: stream_tls.c does, after a batch. */
	SSL_CTX_set_read_ahead(c, 1);
	return set_common(tls, c, cfg, eb);
}

static int make_datagram(
	struct turnd_tls *tls, SSL_CTX **out, const struct turnd_cfg *cfg, struct errbuf *eb)
{
	*out = SSL_CTX_new_ex(tls->lib, NULL, DTLS_server_method());
	if (!*out)
		return err_set(eb, ERR_CRYPTO, "OpenSSL makes no DTLS context: %s", ssl_reason());
	return set_common(tls, *out, cfg, eb);
}

static int take_dtls(struct turnd_tls *tls, SSL_CTX *c)
{
	return tls->dtls ? dtls_ctx_renew(tls->dtls, c) : dtls_ctx_from(&tls->dtls, c);
}

static int load(struct turnd_tls *tls, const struct turnd_cfg *cfg, struct errbuf *eb)
{
	SSL_CTX *stream = NULL, *datagram = NULL;
	ERR_clear_error();
	tls->cert = identify(cfg->cert_file);
	tls->key = identify(cfg->key_file);
	int err = make_stream(tls, &stream, cfg, eb);
	if (!err)
		err = make_datagram(tls, &datagram, cfg, eb);
	if (!err && take_dtls(tls, datagram))
		err = err_set(eb, ERR_CRYPTO, "OpenSSL refuses the settings for DTLS");
	if (!err) {
		warn_of_dates(stream, cfg->cert_file);
		SSL_CTX_free(tls->stream);
		tls->stream = stream;
		stream = NULL;
	}
	SSL_CTX_free(stream);
	SSL_CTX_free(datagram);
	ERR_clear_error();
	return err;
}

static int make_bio(struct turnd_tls *tls)
{
	tls->bio = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "sterna stream");
	return tls->bio && BIO_meth_set_write(tls->bio, turnd_tls_bio_write) &&
			       BIO_meth_set_read(tls->bio, turnd_tls_bio_read) &&
			       BIO_meth_set_ctrl(tls->bio, turnd_tls_bio_ctrl)
		       ? 0
		       : -ERR_CRYPTO;
}

/* ---------------------------------------------------------------- exported */

int turnd_tls_new(struct turnd_tls **out, const struct turnd_cfg *cfg, const uint8_t *ticket_key,
	struct errbuf *eb)
{
	*out = NULL;
	bool has_cert = cfg->cert_file && *cfg->cert_file,
	     has_key = cfg->key_file && *cfg->key_file;
	if (!has_cert && !has_key)
		return 0;
	if (!has_cert || !has_key)
		return err_set(eb, ERR_CONFIG, "TLS needs both a certificate and its key: turn.%s is missing",
			has_cert ? "key_file" : "cert_file");
	struct turnd_tls *tls = XNEW(struct turnd_tls);
	tls->refs = 1;
	tls->has_http = cfg->http_pass != NULL;
	if (ticket_key)
		memcpy(tls->ticket_key, ticket_key, sizeof tls->ticket_key);
	else
		rng_bytes(tls->ticket_key, sizeof tls->ticket_key);
	tls->lib = OSSL_LIB_CTX_new();
	int err = tls->lib && make_bio(tls) == 0 ? load(tls, cfg, eb)
						 : err_set(eb, ERR_CRYPTO, "OpenSSL does not start");
	if (err) {
		turnd_tls_free(tls);
		return err;
	}
	*out = tls;
	return 0;
}

static void unref(struct turnd_tls *tls)
{
	if (__atomic_sub_fetch(&tls->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	SSL_CTX_free(tls->stream);
	dtls_ctx_free(tls->dtls);
	BIO_meth_free(tls->bio);
	OSSL_LIB_CTX_free(tls->lib);
	secret_wipe(tls->ticket_key, sizeof tls->ticket_key);
	xfree(tls);
}

void turnd_tls_hold(struct turnd_tls *tls)
{
	__atomic_add_fetch(&tls->refs, 1, __ATOMIC_RELAXED);
}

void turnd_tls_free(struct turnd_tls *tls)
{
	if (tls)
		unref(tls);
}

void turnd_tls_release(struct turnd_tls *tls, SSL *ssl)
{
	SSL_free(ssl);
	unref(tls);
}

int turnd_tls_reload(struct turnd_tls *tls, const struct turnd_cfg *cfg, struct errbuf *eb)
{
	return load(tls, cfg, eb);
}

bool turnd_tls_files_changed(const struct turnd_tls *tls, const struct turnd_cfg *cfg)
{
	struct file_id cert = identify(cfg->cert_file), key = identify(cfg->key_file);
	return !same_file(&cert, &tls->cert) || !same_file(&key, &tls->key);
}

SSL *turnd_tls_accept(struct turnd_tls *tls, void *st)
{
	SSL *ssl = SSL_new(tls->stream);
	BIO *bio = BIO_new(tls->bio);
	if (!ssl || !bio) {
		SSL_free(ssl);
		BIO_free(bio);
		return NULL;
	}
	BIO_set_data(bio, st);
	BIO_set_init(bio, 1);
	SSL_set_bio(ssl, bio, bio); /* takes */
	SSL_set_accept_state(ssl);
	turnd_tls_hold(tls);
	return ssl;
}

struct dtls_ctx *turnd_tls_dtls(struct turnd_tls *tls)
{
	return tls->dtls;
}
