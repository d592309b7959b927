/* sctp_internal: what crc32c.c, dcep.c, stack.c and sctp.c share. Not included from outside the folder. */
#pragma once
#include <pthread.h>
#include <stdatomic.h>
#include <usrsctp.h>
#include "sctp/sctp.h"

/* ---------------------------------------------------------------- crc32c.c */

enum { SCTP_HDR_LEN = 12, SCTP_CRC_AT = 8 };

/* CRC32c of an SCTP packet with its checksum field taken as zero (RFC 9260 §6.8, Appendix A). Needs
 * SCTP_HDR_LEN bytes. */
uint32_t sctp_crc32c(struct slice packet);
void sctp_crc32c_write(uint8_t *packet, size_t n);
bool sctp_crc32c_is_right(struct slice packet);

/* The portable way, for machines without SSE4.2 and for the test that compares both. */
uint32_t sctp_crc32c_portable(uint32_t crc, const uint8_t *p, size_t n);

/* ---------------------------------------------------------------- dcep.c */

enum { DCEP_ACK = 0x02, DCEP_OPEN = 0x03, DCEP_OPEN_LEN = 12 };
enum sctp_ppid {
	PPID_DCEP = 50,
	PPID_TEXT = 51,
	PPID_BINARY_PARTIAL = 52, /* deprecated (RFC 8831 §6.6); taken as whole messages */
	PPID_BINARY = 53,
	PPID_TEXT_PARTIAL = 54,
	PPID_TEXT_EMPTY = 56,
	PPID_BINARY_EMPTY = 57,
};

/* Fills info (but its id) from DATA_CHANNEL_OPEN. 0, -ERR_TRUNCATED, -ERR_MALFORMED, -ERR_RANGE (a label too long). */
MUST_CHECK int sctp_dcep_parse_open(struct sctp_channel_info *info, struct slice message);

/* Writes DATA_CHANNEL_OPEN; `out` holds DCEP_OPEN_LEN + 2 * SCTP_LABEL_MAX bytes. Returns the length. */
size_t sctp_dcep_write_open(uint8_t *out, const struct sctp_channel_info *info);

/* ---------------------------------------------------------------- stack.c */

enum sctp_event_kind {
	EVENT_PACKET,    /* bytes: for ops->send */
	EVENT_DATA,      /* data: one message */
	EVENT_UP,        /* the association is established */
	EVENT_DOWN,      /* err says why */
	EVENT_RESET_IN,  /* bytes: stream numbers, host order; none = all */
	EVENT_RESET_OUT,
};

/* What happened inside libusrsctp, kept until the owner is outside of it. */
struct sctp_note {
	struct sctp_note *next;
	enum sctp_event_kind kind;
	int err;
	uint16_t stream, streams_out, streams_in;
	uint32_t ppid;
	bool is_whole;
	void *data;  /* EVENT_DATA: libusrsctp's memory, freed with free() */
	size_t n;    /* of data or of bytes */
	uint8_t bytes[];
};

struct sctp_queue {
	pthread_mutex_t mutex; /* innermost lock: nothing is called under it */
	struct sctp_note *head, **tail;
	size_t bytes, limit;
	bool is_wake_asked, is_overrun;
};

/* ---------------------------------------------------------------- backlog.c */

/*
 * How many messages are not acknowledged yet. libusrsctp tells bytes only, but a message of one byte costs it some 500;
 * so the sizes of what was sent are kept, 64 messages to a bucket, and dropped as the bytes go down.
 */
enum { SCTP_BACKLOG_BUCKETS = 128, SCTP_BACKLOG_PER_BUCKET = 64 };
struct sctp_backlog {
	uint32_t bucket_bytes[SCTP_BACKLOG_BUCKETS];
	uint8_t bucket_messages[SCTP_BACKLOG_BUCKETS];
	unsigned first, count; /* of the ring of buckets */
	uint64_t bytes;
	unsigned messages;
};
bool sctp_backlog_is_full(const struct sctp_backlog *b);
void sctp_backlog_add(struct sctp_backlog *b, size_t bytes);

/* `bytes` are still unacknowledged: forgets the oldest buckets beyond. */
void sctp_backlog_settle(struct sctp_backlog *b, size_t bytes);

/* ---------------------------------------------------------------- sctp.c */

struct sctp {
	uint64_t id; /* stands for the association inside libusrsctp, which never sees a pointer of ours */
	const struct sctp_ops *ops;
	void *arg;
	struct socket *socket; /* NULL once aborted */
	struct sctp_cfg cfg;
	struct sctp_queue queue;
	enum { SCTP_NEW, SCTP_STARTED, SCTP_UP, SCTP_DOWN } state;
	bool is_delivering, is_freed, is_blocked;
	uint16_t stream_count, acks_owed;
	struct sctp_backlog backlog;
	size_t buffered;
	struct sctp_channel *channels; /* cfg.max_streams */
};

/* The socket's send buffer: what sctp_send may fill, and room for DCEP, which is not refused. */
enum { SCTP_DCEP_RESERVE = 16 * 1024 };
static inline uint32_t sctp_send_space(const struct sctp_cfg *cfg)
{
	return cfg->send_limit + SCTP_DCEP_RESERVE;
}

/* Brackets every call into libusrsctp. No op may run in between, and the pair does not nest. */
void sctp_gate_enter(struct sctp *s);
void sctp_gate_leave(void);

/* Makes the id known, so that output and events find the association; after remove none does any more. */
void sctp_registry_add(struct sctp *s);
void sctp_registry_remove(struct sctp *s);

/* Opens the socket of an association with its callbacks; inside the gate. NULL if refused. */
struct socket *sctp_stack_socket(const struct sctp *s);

void sctp_queue_init(struct sctp_queue *q, size_t limit);
void sctp_queue_free(struct sctp_queue *q);

/* Takes all notes, oldest first, and allows the next wake. `is_overrun` tells whether some were lost. */
struct sctp_note *sctp_queue_take(struct sctp_queue *q, bool *is_overrun);
void sctp_note_free(struct sctp_note *note);
