/* dtls: one association: datagrams in and out of OpenSSL, the fingerprint check, the end of it. */
#include "dtls/dtls.h"

#include <strings.h>
#include <sys/time.h>
#include "base/mem.h"
#include "dtls/dtls_internal.h"

enum {
	RECORD_HDR_LEN = 13,
	RX_MAX = 4096, /* no datagram we can get is larger: the path MTU of the internet is 1500 */
	FIRST_TYPE = 20,
	LAST_TYPE = 23, /* change_cipher_spec, alert, handshake, application_data */
	VERSION_MAJOR = 0xfe,
	HANDSHAKE_BYTES_MAX = 128 * 1024,
	HANDSHAKE_LIMIT_US = 60 * 1000 * 1000,
	RETRANSMIT_US = 100 * 1000,
	RETRANSMIT_MAX_US = 3 * 1000 * 1000,
	FINGERPRINTS_MAX = 4,
};

enum state {
	STATE_NEW,
	STATE_HANDSHAKE,
	STATE_UNVERIFIED, /* the handshake is done, no fingerprint is known yet */
	STATE_CONNECTED,
	STATE_DEAD,
};

struct fingerprint {
	const EVP_MD *md;
	uint8_t bytes[EVP_MAX_MD_SIZE];
};

struct dtls {
	const struct dtls_ops *ops;
	void *arg;
	SSL *ssl;
	struct slice in; /* the datagram being read, empty outside dtls_rx */
	struct dtls_cfg cfg;
	enum state state;
	bool is_peer_refused; /* the certificate callback saw no match */
	bool is_freed;        /* by a callback: destroyed when the outermost call leaves */
	unsigned depth;       /* public calls on the stack */
	size_t handshake_bytes, fingerprint_count;
	uint64_t limit_us, next_us;
	struct fingerprint fingerprints[FINGERPRINTS_MAX];
};

/* ---------------------------------------------------------------- BIO */

int dtls_bio_write(BIO *bio, const char *p, int n)
{
	struct dtls *d = BIO_get_data(bio);
	BIO_clear_retry_flags(bio);
	if (n > 0 && !d->is_freed)
		d->ops->send(d->arg, slice_of(p, (size_t)n));
	return n;
}

int dtls_bio_read(BIO *bio, char *p, int n)
{
	struct dtls *d = BIO_get_data(bio);
	BIO_clear_retry_flags(bio);
	if (d->in.n == 0 || n <= 0) {
		BIO_set_retry_read(bio);
		return -1;
	}
	size_t take = MIN(d->in.n, (size_t)n);
	memcpy(p, d->in.p, take);
	d->in.n = 0; /* what does not fit is lost, as with a datagram socket */
	return (int)take;
}

long dtls_bio_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
	(void)bio, (void)num, (void)ptr;
	switch (cmd) {
	case BIO_CTRL_FLUSH:
		return 1;
	case BIO_CTRL_DGRAM_QUERY_MTU:
	case BIO_CTRL_DGRAM_GET_FALLBACK_MTU:
		return DTLS_MTU;
	default:
		return 0;
	}
}

/* ---------------------------------------------------------------- fingerprint */

static bool cert_matches(const struct dtls *d, const X509 *cert)
{
	bool matches = false;
	for (size_t i = 0; i < d->fingerprint_count; i++) {
		const struct fingerprint *f = &d->fingerprints[i];
		uint8_t md[EVP_MAX_MD_SIZE];
		unsigned n = 0;
		if (X509_digest(cert, f->md, md, &n) && secret_eq(md, f->bytes, n))
			matches = true;
	}
	return matches;
}

/*
 * In place of chain building: with a fingerprint at hand a wrong certificate is refused inside the handshake, so
 * that the peer gets its alert; otherwise finish_handshake looks again.
 */
int dtls_verify_peer(X509_STORE_CTX *store, void *arg)
{
	(void)arg;
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct dtls *d = SSL_get_app_data(ssl);
	const X509 *cert = X509_STORE_CTX_get0_cert(store);
	if (d->fingerprint_count == 0 || (cert && cert_matches(d, cert)))
		return 1;
	d->is_peer_refused = true;
	X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
	return 0;
}

static const EVP_MD *find_md(struct slice alg)
{
	static const struct {
		const char *name;
		const EVP_MD *(*md)(void);
	} rows[] = {{"sha-256", EVP_sha256}, {"sha-384", EVP_sha384}, {"sha-512", EVP_sha512}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (alg.n == strlen(rows[i].name) &&
			strncasecmp((const char *)alg.p, rows[i].name, alg.n) == 0)
			return rows[i].md();
	return NULL;
}

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "AB:CD:…" of exactly n bytes (RFC 8122 §5). */
static bool parse_hex(uint8_t *out, size_t n, struct slice hex)
{
	if (hex.n != n * 3 - 1)
		return false;
	for (size_t i = 0; i < n; i++) {
		int hi = hex_digit(hex.p[i * 3]), lo = hex_digit(hex.p[i * 3 + 1]);
		if (hi < 0 || lo < 0 || (i + 1 < n && hex.p[i * 3 + 2] != ':'))
			return false;
		out[i] = (uint8_t)(hi << 4 | lo);
	}
	return true;
}

/* ---------------------------------------------------------------- state */

static void destroy(struct dtls *d)
{
	SSL_free(d->ssl);
	xfree(d);
}

/*
 * OpenSSL keeps 17 KiB of record buffer per association even in SSL_MODE_RELEASE_BUFFERS, which it ignores for DTLS;
 * between datagrams an established association needs none. They come back before OpenSSL runs: for DTLS it writes
 * without looking whether there is a buffer.
 */
static void enter(struct dtls *d)
{
	ERR_clear_error();
	if (d->depth++ == 0 && d->state != STATE_NEW)
		(void)SSL_alloc_buffers(d->ssl);
}

static void leave(struct dtls *d)
{
	if (--d->depth == 0) {
		if (d->is_freed)
			destroy(d);
		else if (d->state == STATE_CONNECTED || d->state == STATE_DEAD)
			(void)SSL_free_buffers(d->ssl);
	}
	ERR_clear_error();
}

static void set_next(struct dtls *d, uint64_t now_us)
{
	struct timeval left;
	d->next_us = UINT64_MAX;
	if (d->state == STATE_DEAD || d->state == STATE_NEW)
		return;
	if (DTLSv1_get_timeout(d->ssl, &left) == 1)
		d->next_us = now_us + (uint64_t)left.tv_sec * 1000000 + (uint64_t)left.tv_usec;
	if (d->state != STATE_CONNECTED)
		d->next_us = MIN(d->next_us, d->limit_us);
}

static void die(struct dtls *d)
{
	d->state = STATE_DEAD;
	d->next_us = UINT64_MAX;
}

static void fail(struct dtls *d, int err)
{
	if (d->state == STATE_DEAD)
		return;
	die(d);
	if (!d->is_freed)
		d->ops->failed(d->arg, err);
}

/* Why the last SSL call failed. */
static int ssl_reason(const struct dtls *d)
{
	if (d->is_peer_refused)
		return -ERR_AUTH;
	return ERR_GET_REASON(ERR_peek_error()) == SSL_R_READ_TIMEOUT_EXPIRED ? -ERR_TIMEOUT
									      : -ERR_CRYPTO;
}

static void refuse(struct dtls *d, int err)
{
	(void)SSL_shutdown(d->ssl);
	fail(d, err);
}

static void announce(struct dtls *d)
{
	static const char label[] = "EXTRACTOR-dtls_srtp";
	uint8_t keys[DTLS_KEYS_MAX];
	const SRTP_PROTECTION_PROFILE *agreed = SSL_get_selected_srtp_profile(d->ssl);
	enum dtls_profile profile = agreed ? (enum dtls_profile)agreed->id : DTLS_PROFILE_NONE;
	size_t n = dtls_profile_keys_len(profile);

	if (n == 0 && d->cfg.require_srtp) {
		refuse(d, -ERR_UNSUPPORTED);
		return;
	}
	if (n && SSL_export_keying_material(d->ssl, keys, n, label, sizeof label - 1, NULL, 0, 0) !=
			 1) {
		refuse(d, -ERR_CRYPTO);
		return;
	}
	d->state = STATE_CONNECTED;
	d->ops->connected(d->arg, profile, slice_of(keys, n));
	secret_wipe(keys, sizeof keys);
}

/* Handshake done and a fingerprint known: the one place that lets an association become usable. */
static void verify(struct dtls *d)
{
	X509 *cert = SSL_get1_peer_certificate(d->ssl);
	bool matches = cert && cert_matches(d, cert);
	X509_free(cert);
	if (matches)
		announce(d);
	else
		refuse(d, -ERR_AUTH);
}

static void read_error(struct dtls *d, int ret)
{
	switch (SSL_get_error(d->ssl, ret)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return;
	case SSL_ERROR_ZERO_RETURN:
		(void)SSL_shutdown(d->ssl); /* answer close_notify (RFC 5246 §7.2.1) */
		die(d);
		if (!d->is_freed)
			d->ops->closed(d->arg);
		return;
	default:
		fail(d, ssl_reason(d));
	}
}

static void handshake(struct dtls *d)
{
	int ret = SSL_do_handshake(d->ssl);
	if (ret != 1) {
		read_error(d, ret);
		return;
	}
	d->state = STATE_UNVERIFIED;
	if (d->cfg.is_peer_anonymous)
		announce(d);
	else if (d->fingerprint_count)
		verify(d);
}

/* Data of an unverified peer is thrown away: SCTP sends it again, and nobody may act on it (RFC 8842 §5.1). */
static void read_records(struct dtls *d)
{
	uint8_t data[RX_MAX];
	while (!d->is_freed && (d->state == STATE_UNVERIFIED || d->state == STATE_CONNECTED)) {
		int n = SSL_read(d->ssl, data, sizeof data);
		if (n <= 0) {
			read_error(d, n);
			return;
		}
		if (d->state == STATE_CONNECTED)
			d->ops->app_data(d->arg, slice_of(data, (size_t)n));
	}
}

static unsigned retransmit_after(SSL *ssl, unsigned last_us)
{
	const struct dtls *d = SSL_get_app_data(ssl);
	if (last_us == 0)
		return d->cfg.retransmit_us ? d->cfg.retransmit_us : RETRANSMIT_US;
	return MIN(last_us * 2, (unsigned)RETRANSMIT_MAX_US);
}

static int app_max(const struct dtls *d)
{
	return d->cfg.app_max ? d->cfg.app_max : DTLS_APP_MAX;
}

static bool looks_like_record(struct slice s)
{
	return s.n >= RECORD_HDR_LEN && s.n <= RX_MAX && s.p[0] >= FIRST_TYPE &&
	       s.p[0] <= LAST_TYPE && s.p[1] == VERSION_MAJOR &&
	       rd16(s.p + 11) <= s.n - RECORD_HDR_LEN;
}

/* ---------------------------------------------------------------- exported */

struct dtls *dtls_new(
	struct dtls_ctx *ctx, const struct dtls_cfg *cfg, const struct dtls_ops *ops, void *arg)
{
	struct dtls *d = XNEW(struct dtls);
	*d = (struct dtls){
		.ops = ops, .arg = arg, .cfg = *cfg, .limit_us = UINT64_MAX, .next_us = UINT64_MAX};
	d->ssl = SSL_new(ctx->ssl_ctx);
	BIO *bio = BIO_new(ctx->bio_method);
	if (!d->ssl || !bio) {
		BIO_free(bio);
		destroy(d);
		ERR_clear_error();
		return NULL;
	}
	BIO_set_data(bio, d);
	BIO_set_init(bio, 1);
	SSL_set_bio(d->ssl, bio, bio); /* takes */
	SSL_set_app_data(d->ssl, d);
	SSL_set_mtu(d->ssl, DTLS_MTU);
	/* Sizes the write buffer. Handshake messages keep to the MTU, which is another figure. */
	SSL_set_max_send_fragment(d->ssl, MAX(DTLS_MTU, app_max(d) + DTLS_OVERHEAD_MAX));
	DTLS_set_timer_cb(d->ssl, retransmit_after);
	if (cfg->is_server)
		SSL_set_accept_state(d->ssl);
	else
		SSL_set_connect_state(d->ssl);
	return d;
}

void dtls_free(struct dtls *d)
{
	if (!d)
		return;
	die(d);
	d->is_freed = true;
	if (d->depth == 0)
		destroy(d);
}

void dtls_start(struct dtls *d, uint64_t now_us)
{
	if (d->state != STATE_NEW)
		return;
	enter(d);
	d->state = STATE_HANDSHAKE;
	d->limit_us = now_us + HANDSHAKE_LIMIT_US;
	handshake(d);
	set_next(d, now_us);
	leave(d);
}

int dtls_accept(struct dtls *d, struct slice client_hello, uint64_t now_us)
{
	BIO_ADDR *unused = d->state == STATE_NEW ? BIO_ADDR_new() : NULL;
	if (!unused)
		return -ERR_BAD_STATE;
	enter(d);
	d->state = STATE_HANDSHAKE;
	d->limit_us = now_us + HANDSHAKE_LIMIT_US;
	d->in = client_hello;
	/* Takes the message in as one that follows a HelloVerifyRequest; nothing is sent. */
	if (DTLSv1_listen(d->ssl, unused) == 1)
		handshake(d);
	else
		fail(d, -ERR_CRYPTO);
	d->in = (struct slice){0};
	int err = d->state == STATE_DEAD && !d->is_freed ? -ERR_CRYPTO : 0;
	set_next(d, now_us);
	leave(d);
	BIO_ADDR_free(unused);
	return err;
}

int dtls_set_remote_fingerprint(struct dtls *d, struct slice alg, struct slice hex)
{
	const EVP_MD *md = find_md(alg);
	if (!md)
		return -ERR_UNSUPPORTED;
	if (d->fingerprint_count == FINGERPRINTS_MAX)
		return -ERR_NO_ROOM;
	struct fingerprint f = {.md = md};
	if (!parse_hex(f.bytes, (size_t)EVP_MD_get_size(md), hex))
		return -ERR_MALFORMED;
	d->fingerprints[d->fingerprint_count++] = f;

	enter(d);
	if (d->state == STATE_UNVERIFIED)
		verify(d);
	leave(d);
	return 0;
}

int dtls_rx(struct dtls *d, struct slice datagram, uint64_t now_us)
{
	if (d->state == STATE_DEAD)
		return -ERR_CLOSED;
	if (!looks_like_record(datagram))
		return -ERR_MALFORMED;
	if (d->state == STATE_NEW)
		return -ERR_BAD_STATE;

	enter(d);
	d->in = datagram;
	if (d->state == STATE_HANDSHAKE) {
		d->handshake_bytes += datagram.n;
		if (d->handshake_bytes > HANDSHAKE_BYTES_MAX)
			fail(d, -ERR_TOO_LARGE);
		else
			handshake(d);
	}
	if (!d->is_freed)
		read_records(d);
	bool was_closed = (SSL_get_shutdown(d->ssl) & SSL_RECEIVED_SHUTDOWN) != 0;
	int err = d->state == STATE_DEAD && !d->is_freed && !was_closed ? -ERR_CRYPTO : 0;
	d->in = (struct slice){0};
	set_next(d, now_us);
	leave(d);
	return err;
}

int dtls_send(struct dtls *d, struct slice data)
{
	if (d->state == STATE_DEAD)
		return -ERR_CLOSED;
	if (d->state != STATE_CONNECTED)
		return -ERR_BAD_STATE;
	if (data.n > (size_t)app_max(d))
		return -ERR_TOO_LARGE;
	if (data.n == 0)
		return 0;
	enter(d);
	int err = SSL_write(d->ssl, data.p, (int)data.n) == (int)data.n ? 0 : -ERR_CRYPTO;
	if (err)
		fail(d, err);
	leave(d);
	return err;
}

uint64_t dtls_next_us(const struct dtls *d)
{
	return d->next_us;
}

void dtls_timeout(struct dtls *d, uint64_t now_us)
{
	if (d->state == STATE_NEW || d->state == STATE_DEAD || now_us < d->next_us)
		return;
	enter(d);
	if (d->state != STATE_CONNECTED && now_us >= d->limit_us)
		fail(d, -ERR_TIMEOUT);
	else if (DTLSv1_handle_timeout(d->ssl) < 0)
		fail(d, ssl_reason(d));
	set_next(d, now_us);
	leave(d);
}

void dtls_close(struct dtls *d)
{
	if (d->state != STATE_UNVERIFIED && d->state != STATE_CONNECTED) {
		die(d);
		return;
	}
	enter(d);
	die(d);
	(void)SSL_shutdown(d->ssl);
	leave(d);
}

bool dtls_is_connected(const struct dtls *d)
{
	return d->state == STATE_CONNECTED;
}

const char *dtls_cipher_name(const struct dtls *d)
{
	return SSL_is_init_finished(d->ssl) ? SSL_get_cipher_name(d->ssl) : "";
}
