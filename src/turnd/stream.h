/*
 * stream: what stream.c, stream_tls.c, tls.c, dtls.c and tcp_relay.c share: connections over TCP and TLS, from accept
 * to the last byte.
 *
 *   accept → [PROXY header] → [first bytes: TLS or STUN] → [TLS handshake] → messages → [RFC 6062: bytes of a peer]
 *
 * A connection reads into the worker's buffers and keeps bytes of its own only for an unfinished message; what it
 * sends waits in chunks of the worker's pool and is written at the end of the turn. An idle connection holds this
 * structure, a socket and, with TLS, what OpenSSL needs between records.
 */
#pragma once
#include <openssl/ssl.h>
#include "base/wheel.h"
#include "turnd/outq.h"
#include "turnd/tls.h"
#include "turnd/turnd_internal.h"

enum {
	STREAM_RX = 61440, /* read at once; behind the rest of a message it still fits a large
			      chunk, see stream_move.c */
	STREAM_RX_CAP = STREAM_RX + OUTQ_LARGE,     /* … behind an unfinished message */
	STREAM_PLAIN_CAP = OUTQ_CHUNK + OUTQ_LARGE, /* a record behind an unfinished message */
	STREAM_SEALED_CAP = OUTQ_LARGE,             /* TLS records on their way out */
	STREAM_SPLICE_MAX =
		256 *
		1024, /* RFC 6062: no more is read from one side while this waits for the other */
};

/* A socket with what waits for it. */
struct wire {
	struct ev_io io; /* fd -1 = closed */
	uint32_t events; /* that are watched; 0 = not watched at all */
	struct outq out;
};

enum stream_state {
	STREAM_PROXY,  /* a PROXY header has to come */
	STREAM_DETECT, /* the first bytes decide between TLS and STUN */
	STREAM_TLS,    /* handshake */
	STREAM_OPEN,   /* STUN and ChannelData */
	STREAM_SPLICED, /* RFC 6062: bytes of `peer` */
	STREAM_MOVING, /* another worker gets it when all is written */
	STREAM_ENDING, /* the last words are written, then it is closed */
	STREAM_DEAD,   /* closed; freed at the end of the turn */
};

struct stream {
	struct turnd_conn conn; /* first */
	struct turnd *t;
	struct turn_flow flow;
	struct wire wire;
	struct list node, dirty;  /* in streams->all or ->dead; in ->dirty */
	struct timer timer;
	uint64_t heard_us;        /* last whole message */
	SSL *ssl;                 /* NULL: plain */
	struct turnd_tls *tls;    /* whose ssl it is; a reference */
	struct slice in;          /* ciphertext that OpenSSL has not taken yet; only during stream_tls_input */
	struct outq_chunk *part;  /* bytes of an unfinished message */
	struct outq_chunk *unsent; /* TLS records that the socket has not taken */
	struct turn_peer *peer;   /* SPLICED */
	enum stream_state state;
	uint16_t move_to;         /* MOVING: worker */
	bool is_tls_only, is_plain_only;
	bool has_spoken; /* a STUN message came */
	bool is_to_tell; /* DEAD: turn/ does not know yet */
	bool is_read_paused, is_read_done, is_write_done;
	bool tls_wants_write; /* OpenSSL cannot go on before the socket takes more */
};

struct turnd_streams {
	struct turnd *t;
	struct turnd_tls *tls; /* NULL without a certificate */
	struct turnd_dtls *dtls; /* NULL without a listener or certificate */
	struct outq_pool pool;
	uint8_t *rx, *plain, *sealed; /* STREAM_RX_CAP, STREAM_PLAIN_CAP, STREAM_SEALED_CAP */
	size_t sealed_n;
	struct stream *sealing; /* whose records are gathered in `sealed`; NULL outside a flush */
	struct list all, dirty, dead;
	struct list peers_dirty, peers_dead; /* tcp_relay.c's */
	struct list pipes; /* peers that are no peers of an allocation: see http_pass.c */
	uint32_t n_streams;
	struct timer certificate_timer;
	int spare_fd; /* given up for a moment when no descriptor is left */
};

/* ------------------------------------------------------------------------------------------ wire.c */

/* Watches for these events from now on. */
void wire_watch(struct turnd *t, struct wire *w, uint32_t events);
void wire_close(struct turnd *t, struct wire *w);
/* Writes what waits. 0: all is gone; -ERR_AGAIN: the socket is full; -ERR_CLOSED. */
MUST_CHECK int wire_flush(struct turnd *t, struct wire *w);

/* ---------------------------------------------------------------------------------------- stream.c */

/* No delay, and few unsent bytes in the kernel, where they cannot be dropped. */
void stream_socket_options(int fd);

/* Plaintext of a connection; returns how much was used. p may be changed. */
size_t stream_plain_input(struct stream *st, uint8_t *p, size_t n);

/* The unfinished message is put at the front of `to`, or kept. */
size_t stream_part_take(struct stream *st, uint8_t *to);
void stream_part_keep(struct stream *st, const uint8_t *p, size_t n);

bool stream_is_full(const struct turnd *t);
/* Makes it a connection of t, or of nobody. A settled one goes on with the bytes that it kept. */
void stream_settle(struct turnd *t, struct stream *st);
void stream_unsettle(struct stream *st);

/* Closes now. tell: turn/ does not know yet. */
void stream_close(struct stream *st, bool tell);
/* Closes when all that waits has been written, or after a while. */
void stream_end(struct stream *st);
/* The other side sends no more. */
void stream_read_done(struct stream *st);
void stream_mark_dirty(struct stream *st);
/* Reads on, or not. */
void stream_pause(struct stream *st, bool is_paused);
/* RFC 6062: bytes of the peer. */
void stream_push(struct stream *st, struct slice bytes);
/* RFC 6062: no more will come for this connection; what waits is written first. */
void stream_finish_write(struct stream *st);
struct stream *stream_of_flow(struct turnd *t, const struct turn_flow *flow);

/* ----------------------------------------------------------------------------------- stream_move.c */

/* A MOVING connection of which all is written leaves. */
void stream_move(struct stream *st);

/* ------------------------------------------------------------------------------------ stream_tls.c */

/* Begins the server's side of a handshake; false: out of memory. */
MUST_CHECK bool stream_tls_start(struct stream *st);
/* Ciphertext; all of it is used. May close st. An empty slice goes on after a full socket. */
void stream_tls_input(struct stream *st, struct slice in);
/* As wire_flush. */
MUST_CHECK int stream_tls_flush(struct stream *st);
/* close_notify, if the handshake is done and the socket takes it. */
void stream_tls_bye(struct stream *st);
void stream_tls_free(struct stream *st);
/* Looks at the certificate's files now and then. */
void stream_tls_watch_files(struct turnd_streams *s);

/* ------------------------------------------------------------------------------------------ dtls.c */

struct dtls_client;
MUST_CHECK int turnd_dtls_open(struct turnd *t, struct errbuf *eb);
void turnd_dtls_close(struct turnd *t);
void turnd_dtls_flush(struct turnd *t);
void dtls_client_send(struct turnd *t, struct dtls_client *c, struct slice bytes);
uint8_t *dtls_client_place(struct turnd *t, struct dtls_client *c, size_t n);
void dtls_client_end(struct turnd *t, struct dtls_client *c);
/* As turn_ops.hand_over. */
bool dtls_client_hand_over(
	struct turnd *t, struct dtls_client *c, unsigned worker, struct slice request);

/* ------------------------------------------------------------------------------------- tcp_relay.c */

void tcp_relays_flush(struct turnd *t);
/* False: the bandwidth is used up, and the client's connection is paused until there is more. */
bool peer_may_take(struct turn_peer *peer);
/* Bytes of the client for the peer, and the client's FIN. */
void peer_push(struct turn_peer *peer, struct slice bytes);
void peer_finish_write(struct turn_peer *peer);
/* The client's connection has room again. */
void peer_resume(struct turn_peer *peer);
/* The client's connection is closed. */
void peer_orphaned(struct turn_peer *peer);
/* Also those that are to be closed with the server. */
void tcp_relays_close(struct turnd *t);
/* Joins a connection and a stream socket, which is taken, as if that were a TCP peer; nobody is told of its end. */
void peer_join(struct stream *st, int fd);

/* ------------------------------------------------------------------------------------- http_pass.c */

/* The client speaks HTTP: passes it on. False: nobody wants it. */
MUST_CHECK bool http_pass(struct stream *st);
