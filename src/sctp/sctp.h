/*
 * sctp: WebRTC data channels: SCTP over DTLS and the channel establishment protocol (RFC 8831, RFC 8832, RFC 8261).
 *
 * A narrow sans-IO interface in front of libusrsctp 0.9.5, the only place that includes its header: SCTP packets in
 * and out, no socket, no thread of its own. Callers: session/, the load generator.
 *
 * Threads (docs/decisions/001-usrsctp-threads.md). libusrsctp is one global object with one set of timers:
 *  - sctp_stack_tick is called from exactly one thread of the program, about every 10 ms.
 *  - a `struct sctp` belongs to the thread that made it; only that thread calls its functions, and all ops but
 *    `wake` run on that thread, from inside one of those functions.
 *  - what a timer causes (retransmissions, loss of the association) is put into the association's queue by the
 *    ticking thread, which then calls ops->wake; the owner answers with sctp_deliver.
 * No op runs inside libusrsctp or under one of its locks: each one may call any function of this header, sctp_free
 * of its own association included.
 *
 * (The names sctp_init, sctp_finish, sctp_connect, sctp_drain and sctp_flush are avoided: libusrsctp exports them.)
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/slice.h"

struct sctp;

enum {
	SCTP_PORT_DEFAULT = 5000,
	SCTP_PACKET_MAX = 1160, /* leaves room for DTLS in a datagram of 1200 bytes */
	SCTP_MESSAGE_DEFAULT = 65536,
	SCTP_TICK_MS = 10,
	SCTP_LABEL_MAX = 1024, /* of a channel's label and protocol each, ours and the peer's */
};

/* Process-wide set-up, once before the first sctp_new. */
void sctp_stack_start(void);

/* Advances all timers of all associations. One thread only. */
void sctp_stack_tick(uint32_t elapsed_ms);

/* Tears down; every association must be freed and the ticking thread stopped. 0, or -ERR_BAD_STATE if some is left. */
MUST_CHECK int sctp_stack_stop(void);

struct sctp_channel_info {
	uint16_t id;              /* SCTP stream number */
	bool is_ordered;
	int32_t max_retransmits;  /* -1 = no such limit */
	int32_t max_lifetime_ms;  /* -1 = no such limit; libusrsctp measures it on the real clock */
	struct slice label, protocol; /* UTF-8 as sent by the peer, not checked; borrowed */
};

struct sctp_ops {
	/* One SCTP packet for DTLS, at most SCTP_PACKET_MAX bytes; borrowed. */
	void (*send)(void *arg, struct slice packet);

	/*
	 * The only op on a foreign thread: ask the owner to call sctp_deliver soon. Must only post (an eventfd, a
	 * mailbox) and call nothing of this header. Not repeated until sctp_deliver was called.
	 */
	void (*wake)(void *arg);

	/* The association is up: channels may be opened and written. Once. */
	void (*connected)(void *arg);

	/* The peer opened a channel; it may be written at once. */
	void (*channel_open)(void *arg, const struct sctp_channel_info *info);

	/* The peer acknowledged a channel opened here. NULL is fine. */
	void (*channel_acked)(void *arg, uint16_t id);

	/* One whole message; borrowed. Empty messages are given as such. */
	void (*message)(void *arg, uint16_t id, bool is_text, struct slice data);

	/* After sctp_send gave -ERR_AGAIN: half of the send limit is free again. NULL is fine. */
	void (*writable)(void *arg);

	/* Both directions of the channel are reset; its id may be used anew. */
	void (*channel_closed)(void *arg, uint16_t id);

	/*
	 * The association is gone: -ERR_CLOSED (the peer aborted or shut down), -ERR_TIMEOUT (no answer),
	 * -ERR_TOO_LARGE (a message over the limit; an ABORT was sent), -ERR_NO_ROOM (the queue of events
	 * overran). Once; sctp_free is still needed.
	 */
	void (*closed)(void *arg, int err);
};

/* Zero in any number means the default given. */
struct sctp_cfg {
	bool is_dtls_server;       /* channels opened here get odd ids, as a DTLS client even ones (RFC 8832 §6) */
	uint16_t local_port;       /* 5000 */
	uint16_t remote_port;      /* 5000 */
	uint16_t max_streams;      /* 128; channel ids are below it. Costs about 150 bytes each */
	uint32_t max_receive;      /* bytes of a message from the peer, what SDP announces: 65536 */
	uint32_t max_send;         /* bytes of a message to the peer, what its SDP announces: 65536 */
	uint32_t send_limit;       /* bytes not yet acknowledged by the peer: 1 MiB, at least max_send */
	uint32_t receive_limit;    /* receive window: 256 KiB, raised to 4 * max_receive */
};

/* Returns owned; NULL when libusrsctp refuses. Copies cfg; borrows ops, which must outlive it. */
MUST_CHECK struct sctp *sctp_new(const struct sctp_cfg *cfg, const struct sctp_ops *ops, void *arg);

/*
 * Accepts NULL. Sends an ABORT through ops->send if the association is not closed; calls no other op. After the
 * return no op runs on any thread, `wake` included. Allowed inside an op.
 */
void sctp_free(struct sctp *s);

/* Sends INIT; both sides do (RFC 8831 §6.2 with simultaneous open). Call once, when DTLS is
 * connected. 0, -ERR_BAD_STATE, -ERR_SYSTEM. */
MUST_CHECK int sctp_start(struct sctp *s);

/* One SCTP packet out of DTLS. 0, -ERR_MALFORMED (too short or long, wrong CRC32c), -ERR_CLOSED. */
MUST_CHECK int sctp_rx(struct sctp *s, struct slice packet);

/* Delivers what other threads queued. Owner only; the answer to ops->wake. */
void sctp_deliver(struct sctp *s);

/*
 * Opens a channel and announces it (DCEP OPEN); messages may be sent at once. info->id is filled in.
 * 0, -ERR_BAD_STATE (not connected), -ERR_NO_ROOM (no free id), -ERR_RANGE (both limits set, label too long),
 * -ERR_AGAIN (send limit), -ERR_CLOSED.
 */
MUST_CHECK int sctp_open_channel(struct sctp *s, struct sctp_channel_info *info);

/*
 * Queues one message whole or not at all. 0, -ERR_AGAIN (send limit; ops->writable follows), -ERR_TOO_LARGE
 * (max_send), -ERR_NOT_FOUND (no open channel `id`), -ERR_CLOSED.
 */
MUST_CHECK int sctp_send(struct sctp *s, uint16_t id, bool is_text, struct slice data);

/* Bytes handed to sctp_send and not yet acknowledged, all channels together. */
size_t sctp_buffered(const struct sctp *s);

/* Closes a channel after what was queued (stream reset, RFC 8831 §6.7); ops->channel_closed follows. Harmless for an
 * unknown id. */
void sctp_close_channel(struct sctp *s, uint16_t id);
