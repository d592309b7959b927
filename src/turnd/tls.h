/*
 * tls: the certificate of the TURN server on one worker, for TLS and for DTLS, and its renewal. Contexts live in a
 * library context of their own, so that workers share no lock.
 */
#pragma once
#include <openssl/ssl.h>
#include "base/err.h"
#include "dtls/dtls.h"
#include "turnd/turnd.h"

struct turnd_tls;

/*
 * Reads certificate and key. *out owned; *out NULL and 0 if cfg names no certificate. -ERR_CONFIG: eb names the file
 * and what is wrong with it. ticket_key: TURND_TICKET_KEY_LEN bytes that all workers have in common.
 */
enum { TURND_TICKET_KEY_LEN = 80 };
MUST_CHECK int turnd_tls_new(struct turnd_tls **out, const struct turnd_cfg *cfg,
	const uint8_t *ticket_key, struct errbuf *eb);
/* Gives up a reference; any thread. Accepts NULL. */
void turnd_tls_free(struct turnd_tls *tls);

/*
 * Takes the files of cfg if they are good; else the old certificate stays. Connections keep what they began with.
 * 0 or -ERR_CONFIG.
 */
MUST_CHECK int turnd_tls_reload(
	struct turnd_tls *tls, const struct turnd_cfg *cfg, struct errbuf *eb);

/* True if the files are other ones than those that were read last, good or bad. */
bool turnd_tls_files_changed(const struct turnd_tls *tls, const struct turnd_cfg *cfg);

/*
 * A connection over a stream; the BIO calls stream_tls.c with `st`. NULL: out of memory. It keeps tls alive until it is
 * given to turnd_tls_release, which may be on another thread.
 */
MUST_CHECK SSL *turnd_tls_accept(struct turnd_tls *tls, void *st);
void turnd_tls_release(struct turnd_tls *tls, SSL *ssl);

/* For connections over DTLS, each of which keeps tls alive by turnd_tls_hold until turnd_tls_free. Borrowed. */
void turnd_tls_hold(struct turnd_tls *tls);
struct dtls_ctx *turnd_tls_dtls(struct turnd_tls *tls);

/* The BIO's methods, stream_tls.c's. */
int turnd_tls_bio_write(BIO *bio, const char *p, int n);
int turnd_tls_bio_read(BIO *bio, char *p, int n);
long turnd_tls_bio_ctrl(BIO *bio, int cmd, long num, void *ptr);
