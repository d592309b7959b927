/* stream_tls: TLS on a stream. Ciphertext comes from the worker's buffer and goes straight to the socket. */
#include <errno.h>
#include <openssl/err.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/metric.h"
#include "turnd/stream.h"

int turnd_tls_bio_write(BIO *bio, const char *p, int n)
{
	struct stream *st = BIO_get_data(bio);
	BIO_clear_retry_flags(bio);
	if (n <= 0 || st->wire.io.fd < 0)
		return -1;
	ssize_t sent;
	do
		sent = send(st->wire.io.fd, p, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	if (sent < 0 && (errno == EAGAIN || errno == ENOBUFS))
		BIO_set_retry_write(bio);
	return (int)sent;
}

int turnd_tls_bio_read(BIO *bio, char *p, int n)
{
	struct stream *st = BIO_get_data(bio);
	BIO_clear_retry_flags(bio);
	if (st->in.n == 0 || n <= 0) {
		BIO_set_retry_read(bio);
		return -1;
	}
	size_t take = MIN(st->in.n, (size_t)n);
	memcpy(p, st->in.p, take);
	st->in = slice_of(st->in.p + take, st->in.n - take);
	return (int)take;
}

long turnd_tls_bio_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
	(void)bio, (void)num, (void)ptr;
	return cmd == BIO_CTRL_FLUSH;
}

bool stream_tls_start(struct stream *st)
{
	st->ssl = turnd_tls_accept(st->t->streams->tls, st);
	st->state = STREAM_TLS;
	st->flow.transport = st->conn.transport = TURN_TLS;
	return st->ssl != NULL;
}

void stream_tls_free(struct stream *st)
{
	SSL_free(st->ssl);
	st->ssl = NULL;
}

static void fail(struct stream *st)
{
	if (st->state == STREAM_TLS)
		metric_inc(M_TURN_TLS_FAILED);
	stream_close(st, st->state != STREAM_TLS);
}

/* What an SSL call that did not succeed means for the connection. */
static void stopped(struct stream *st, int ret)
{
	switch (SSL_get_error(st->ssl, ret)) {
	case SSL_ERROR_WANT_READ:
		break;
	case SSL_ERROR_WANT_WRITE:
		st->tls_wants_write = true;
		stream_mark_dirty(st);
		break;
	case SSL_ERROR_ZERO_RETURN:
		stream_read_done(st);
		break;
	default:
		fail(st);
		break;
	}
}

static bool handshake(struct stream *st)
{
	const unsigned char *alpn;
	unsigned n;
	int ret = SSL_do_handshake(st->ssl);
	if (ret != 1) {
		stopped(st, ret);
		return false;
	}
	SSL_get0_alpn_selected(st->ssl, &alpn, &n);
	st->has_alpn_http = slice_eq_str(slice_of(alpn, n), "http/1.1");
	st->state = STREAM_OPEN;
	metric_inc(M_TURN_TLS_HANDSHAKES);
	return true;
}

static void read_records(struct stream *st)
{
	uint8_t *plain = st->t->streams->plain;
	size_t have = stream_part_take(st, plain);
	while (st->state == STREAM_OPEN || st->state == STREAM_SPLICED) {
		int n = SSL_read(st->ssl, plain + have, (int)(STREAM_PLAIN_CAP - have));
		if (n <= 0) {
			stopped(st, n);
			break;
		}
		have += (size_t)n;
		size_t used = stream_plain_input(st, plain, have);
		have -= used;
		if (have)
			memmove(plain, plain + used, have);
	}
	if (st->state != STREAM_DEAD)
		stream_part_keep(st, plain, have);
}

void stream_tls_input(struct stream *st, struct slice in)
{
	ERR_clear_error();
	st->in = in;
	if (st->state != STREAM_TLS || handshake(st))
		read_records(st);
	st->in = (struct slice){0};
	ERR_clear_error();
}

int stream_tls_flush(struct stream *st)
{
	struct outq *q = &st->wire.out;
	ERR_clear_error();
	while (!outq_is_empty(q)) {
		struct slice front = outq_front(q);
		/* What OpenSSL has begun it wants to see again, no more and no less. */
		size_t n = q->begun ? q->begun : MIN(front.n, (size_t)OUTQ_CHUNK);
		int ret = SSL_write(st->ssl, front.p, (int)n);
		if (ret > 0) {
			q->begun = 0;
			outq_took(q, &st->t->streams->pool, (size_t)ret);
			continue;
		}
		int why = SSL_get_error(st->ssl, ret);
		ERR_clear_error();
		q->begun = (uint32_t)n;
		return why == SSL_ERROR_WANT_WRITE || why == SSL_ERROR_WANT_READ ? -ERR_AGAIN
										 : -ERR_CLOSED;
	}
	return 0;
}

void stream_tls_bye(struct stream *st)
{
	ERR_clear_error();
	if (st->ssl && SSL_is_init_finished(st->ssl))
		(void)SSL_shutdown(st->ssl);
	ERR_clear_error();
}

/* ---------------------------------------------------------------- renewal of the certificate */

int turnd_streams_reload(struct turnd *t, struct errbuf *eb)
{
	struct turnd_streams *s = t->streams;
	if (!s->tls || !t->cfg.cert_file || !*t->cfg.cert_file)
		return 0;
	return turnd_tls_reload(s->tls, &t->cfg, eb);
}

void turnd_check_certificates(struct turnd *t)
{
	struct errbuf eb = {0};
	struct turnd_streams *s = t->streams;
	if (!s || !s->tls || !turnd_tls_files_changed(s->tls, &t->cfg))
		return;
	/* Said once: the next look finds the same files. */
	if (turnd_tls_reload(s->tls, &t->cfg, &eb))
		LOG_ERROR("the new certificate is not usable, the old one stays", F_STR("why", eb.text));
	else
		LOG_INFO("TURN certificate renewed", F_STR("file", t->cfg.cert_file));
}

static void on_timer(void *arg, uint64_t now_us)
{
	struct turnd_streams *s = arg;
	enum { EVERY_US = 10 * 1000 * 1000 };
	turnd_check_certificates(s->t);
	wheel_set(&s->t->worker->wheel, &s->certificate_timer, now_us + EVERY_US);
}

void stream_tls_watch_files(struct turnd_streams *s)
{
	timer_init(&s->certificate_timer, on_timer, s);
	if (s->tls)
		on_timer(s, s->t->worker->now_us);
}
