/* stream_tls: TLS on a stream. Ciphertext comes from the worker's buffer and goes straight to the socket. */
#include <errno.h>
#include <openssl/err.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/metric.h"
#include "turn/framing.h"
#include "turnd/stream.h"

enum { RECORD_OVERHEAD = 256 }; /* SSL3_RT_MAX_ENCRYPTED_OVERHEAD, and the header */

/* Bytes that went; -1 with errno. */
static ssize_t send_now(struct stream *st, const void *p, size_t n)
{
	ssize_t sent;
	do
		sent = send(st->wire.io.fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent;
}

static bool is_full(void)
{
	return errno == EAGAIN || errno == ENOBUFS;
}

int turnd_tls_bio_write(BIO *bio, const char *p, int n)
{
	struct stream *st = BIO_get_data(bio);
	struct turnd_streams *s = st->t->streams;
	BIO_clear_retry_flags(bio);
	if (n <= 0 || st->wire.io.fd < 0)
		return -1;
	/* During a flush records are gathered; stream_tls_flush sees to it that there is room. */
	if (s->sealing == st && (size_t)n <= STREAM_SEALED_CAP - s->sealed_n) {
		memcpy(s->sealed + s->sealed_n, p, (size_t)n);
		s->sealed_n += (size_t)n;
		return n;
	}
	ssize_t sent = -1;
	if (st->unsent)
		errno = EAGAIN;
	else
		sent = send_now(st, p, (size_t)n);
	if (sent < 0 && is_full())
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
	st->tls = st->t->streams->tls;
	st->ssl = turnd_tls_accept(st->tls, st);
	st->state = STREAM_TLS;
	st->flow.transport = st->conn.transport = TURN_TLS;
	return st->ssl != NULL;
}

void stream_tls_free(struct stream *st)
{
	if (st->ssl)
		turnd_tls_release(st->tls, st->ssl);
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
	int ret = SSL_do_handshake(st->ssl);
	if (ret != 1) {
		stopped(st, ret);
		return false;
	}
	st->state = STREAM_OPEN;
	metric_inc(M_TURN_TLS_HANDSHAKES);
	return true;
}

static void read_records(struct stream *st)
{
	uint8_t *plain = st->t->streams->plain;
	size_t have = stream_part_take(st, plain);
	while (st->state == STREAM_OPEN || st->state == STREAM_SPLICED ||
		st->state == STREAM_MOVING) {
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

/* An idle connection needs no record buffers, 34 KiB of them; one with half a record keeps them. */
static void give_back(struct stream *st)
{
	(void)SSL_free_buffers(st->ssl);
}

void stream_tls_input(struct stream *st, struct slice in)
{
	ERR_clear_error();
	st->in = in;
	if (st->state != STREAM_TLS || handshake(st))
		read_records(st);
	st->in = (struct slice){0};
	give_back(st);
}

/* What an earlier flush could not send. */
static int send_unsent(struct stream *st)
{
	struct outq_chunk *c = st->unsent;
	if (!c)
		return 0;
	ssize_t sent = send_now(st, c->p + c->from, c->to - c->from);
	if (sent < 0)
		return is_full() ? -ERR_AGAIN : -ERR_CLOSED;
	c->from += (uint32_t)sent;
	if (c->from < c->to)
		return -ERR_AGAIN;
	outq_chunk_give(&st->t->streams->pool, c);
	st->unsent = NULL;
	return 0;
}

static int send_sealed(struct stream *st)
{
	struct turnd_streams *s = st->t->streams;
	size_t n = s->sealed_n;
	s->sealed_n = 0;
	if (n == 0)
		return 0;
	ssize_t sent = send_now(st, s->sealed, n);
	if (sent < 0 && !is_full())
		return -ERR_CLOSED;
	size_t done = sent < 0 ? 0 : (size_t)sent;
	if (done == n)
		return 0;
	struct outq_chunk *c = st->unsent = outq_chunk_take(&s->pool, n - done);
	memcpy(c->p, s->sealed + done, n - done);
	c->to = (uint32_t)(n - done);
	return -ERR_AGAIN;
}

/*
 * What goes into the next record. Each message has one of its own, because clients that take what one SSL_read gives
 * for one message exist (turnutils_uclient); a message that is longer than a record needs several.
 */
static size_t record_size(const struct stream *st, struct slice front)
{
	struct framing f = {0};
	if (st->state != STREAM_SPLICED && !st->is_write_done)
		f = framing_next(front);
	return f.size && f.n && f.size <= OUTQ_CHUNK ? f.size : MIN(front.n, (size_t)OUTQ_CHUNK);
}

/* Encrypts what waits, as far as it fits. 0, or -ERR_CLOSED. */
static int seal(struct stream *st)
{
	struct turnd_streams *s = st->t->streams;
	struct outq *q = &st->wire.out;
	while (!outq_is_empty(q)) {
		struct slice front = outq_front(q);
		size_t n = record_size(st, front);
		if (STREAM_SEALED_CAP - s->sealed_n < n + RECORD_OVERHEAD)
			return 0;
		if (SSL_write(st->ssl, front.p, (int)n) != (int)n)
			return -ERR_CLOSED;
		outq_took(q, &s->pool, n);
	}
	return 0;
}

int stream_tls_flush(struct stream *st)
{
	struct turnd_streams *s = st->t->streams;
	int err = send_unsent(st);
	ERR_clear_error();
	while (!err && !outq_is_empty(&st->wire.out)) {
		s->sealing = st;
		err = seal(st);
		s->sealing = NULL;
		if (!err)
			err = send_sealed(st);
	}
	s->sealed_n = 0;
	give_back(st);
	return err;
}

void stream_tls_bye(struct stream *st)
{
	ERR_clear_error();
	if (st->ssl && !st->unsent && SSL_is_init_finished(st->ssl))
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
