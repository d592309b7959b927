/*
 * stack: the process-wide side of libusrsctp: its set-up, the gate between the ticking thread and the owners, and the
 * way from its callbacks to the queue of an association. Decisions: docs/decisions/001-usrsctp-threads.md.
 *
 * Lock order: gate, then libusrsctp's own, then registry, then the queue of one association.
 */
#include <errno.h>
#include <stdlib.h>
#include "base/map.h"
#include "base/mem.h"
#include "sctp/sctp_internal.h"

/* libusrsctp is one global object; what goes around it is global for the same reason. */
static struct {
	pthread_rwlock_t gate; /* owners read, the tick writes */
	pthread_mutex_t mutex; /* guards by_id */
	struct map by_id;
	_Atomic uint64_t last_id;
} stack;

/* The association whose owner is inside libusrsctp on this thread. */
static _Thread_local struct sctp *current;

static const struct {
	int (*set)(uint32_t value);
	uint32_t value;
} settings[] = {
	/* Extensions that a data channel does not use: each is attack surface and bytes in INIT. */
	{usrsctp_sysctl_set_sctp_asconf_enable, 0},
	{usrsctp_sysctl_set_sctp_auto_asconf, 0},
	{usrsctp_sysctl_set_sctp_auth_enable, 0},
	{usrsctp_sysctl_set_sctp_ecn_enable, 0},
	{usrsctp_sysctl_set_sctp_nrsack_enable, 0},
	{usrsctp_sysctl_set_sctp_pktdrop_enable, 0},
	{usrsctp_sysctl_set_sctp_pr_enable, 1},
	{usrsctp_sysctl_set_sctp_reconfig_enable, 1},
	/* No answer to packets of unknown associations. */
	{usrsctp_sysctl_set_sctp_blackhole, 2},
	/* Milliseconds. Paths of a call are short: the defaults of RFC 9260 (1 s, 60 s) are made for another world. */
	{usrsctp_sysctl_set_sctp_delayed_sack_time_default, 20},
	{usrsctp_sysctl_set_sctp_rto_initial_default, 500},
	{usrsctp_sysctl_set_sctp_rto_min_default, 200},
	{usrsctp_sysctl_set_sctp_rto_max_default, 10000},
	{usrsctp_sysctl_set_sctp_init_rto_max_default, 10000},
	/* RFC 6928; and no more than 8 packets at once, so that one message does not fill a modem's queue. */
	{usrsctp_sysctl_set_sctp_initial_cwnd, 10},
	{usrsctp_sysctl_set_sctp_max_burst_default, 8},
	/* Per association, both directions: bounds small messages, which the byte limits hardly see. */
	{usrsctp_sysctl_set_sctp_max_chunks_on_queue, 4096},
	/* One association per socket: a hash of one slot is enough. */
	{usrsctp_tunable_set_sctp_pcbtblsize, 1},
	/* Freed chunks go back to malloc instead of staying with each association. */
	{usrsctp_sysctl_set_sctp_asoc_free_resc_limit, 0},
	{usrsctp_sysctl_set_sctp_system_free_resc_limit, 0},
};

/* ---------------------------------------------------------------- queue */

void sctp_queue_init(struct sctp_queue *q, size_t limit)
{
	*q = (struct sctp_queue){.limit = limit};
	q->tail = &q->head;
	pthread_mutex_init(&q->mutex, NULL);
}

void sctp_note_free(struct sctp_note *note)
{
	if (!note)
		return;
	mem_free_foreign(note->data); /* allocated inside libusrsctp */
	xfree(note);
}

void sctp_queue_free(struct sctp_queue *q)
{
	for (struct sctp_note *n = q->head, *next; n; n = next) {
		next = n->next;
		sctp_note_free(n);
	}
	pthread_mutex_destroy(&q->mutex);
}

struct sctp_note *sctp_queue_take(struct sctp_queue *q, bool *is_overrun)
{
	pthread_mutex_lock(&q->mutex);
	struct sctp_note *first = q->head;
	q->head = NULL;
	q->tail = &q->head;
	q->bytes = 0;
	q->is_wake_asked = false;
	*is_overrun = q->is_overrun;
	pthread_mutex_unlock(&q->mutex);
	return first;
}

/* Takes the note. A packet too many is dropped, which SCTP repairs; anything else too many ends the association. */
static bool queue_put(struct sctp_queue *q, struct sctp_note *note)
{
	pthread_mutex_lock(&q->mutex);
	bool wake = !q->is_wake_asked;
	if (q->bytes + note->n <= q->limit) {
		q->bytes += note->n;
		*q->tail = note;
		q->tail = &note->next;
		note = NULL;
	} else if (note->kind != EVENT_PACKET) {
		q->is_overrun = true;
	}
	q->is_wake_asked = true;
	pthread_mutex_unlock(&q->mutex);
	sctp_note_free(note);
	return wake;
}

/* ---------------------------------------------------------------- registry */

static struct slice id_key(const uint64_t *id)
{
	return slice_of(id, sizeof *id);
}

void sctp_registry_add(struct sctp *s)
{
	s->id = atomic_fetch_add(&stack.last_id, 1) + 1;
	pthread_mutex_lock(&stack.mutex);
	(void)map_put(&stack.by_id, id_key(&s->id), s);
	pthread_mutex_unlock(&stack.mutex);
}

void sctp_registry_remove(struct sctp *s)
{
	pthread_mutex_lock(&stack.mutex);
	(void)map_del(&stack.by_id, id_key(&s->id));
	pthread_mutex_unlock(&stack.mutex);
}

/*
 * Takes the note to the association of that id. On the owner's thread the call that is running delivers it; from any
 * other thread the owner is woken, still under the registry's lock: sctp_free waits for it there.
 */
static void post(void *address, struct sctp_note *note)
{
	uint64_t id = (uintptr_t)address;
	if (current && current->id == id) {
		(void)queue_put(&current->queue, note);
		return;
	}
	pthread_mutex_lock(&stack.mutex);
	struct sctp *s = map_get(&stack.by_id, id_key(&id));
	if (!s)
		sctp_note_free(note);
	else if (queue_put(&s->queue, note))
		s->ops->wake(s->arg);
	pthread_mutex_unlock(&stack.mutex);
}

/* ---------------------------------------------------------------- callbacks of libusrsctp */

static struct sctp_note *note_new(enum sctp_event_kind kind, const void *bytes, size_t n)
{
	struct sctp_note *note = xmalloc(sizeof *note + n);
	*note = (struct sctp_note){.kind = kind, .n = n};
	if (n)
		memcpy(note->bytes, bytes, n);
	return note;
}

static int on_output(void *address, void *packet, size_t n, uint8_t tos, uint8_t set_df)
{
	(void)tos, (void)set_df;
	if (n < SCTP_HDR_LEN)
		return EINVAL;
	struct sctp_note *note = note_new(EVENT_PACKET, packet, n);
	sctp_crc32c_write(note->bytes, n);
	post(address, note);
	return 0;
}

static void note_assoc_change(void *address, const struct sctp_assoc_change *change)
{
	struct sctp_note *note;
	switch (change->sac_state) {
	case SCTP_COMM_UP:
		note = note_new(EVENT_UP, NULL, 0);
		note->streams_out = change->sac_outbound_streams;
		note->streams_in = change->sac_inbound_streams;
		break;
	case SCTP_COMM_LOST:
	case SCTP_CANT_STR_ASSOC:
		/* The peer's ABORT is enclosed when there was one; otherwise it went silent. */
		note = note_new(EVENT_DOWN, NULL, 0);
		note->err = change->sac_length > sizeof *change ? -ERR_CLOSED : -ERR_TIMEOUT;
		break;
	default: /* SCTP_SHUTDOWN_COMP, and SCTP_RESTART: the peer lost its channels (RFC 8831 §6.2) */
		note = note_new(EVENT_DOWN, NULL, 0);
		note->err = -ERR_CLOSED;
		break;
	}
	post(address, note);
}

static void note_stream_reset(void *address, const struct sctp_stream_reset_event *event, size_t n)
{
	/* A denied or failed reset of ours ends the channel as well: there is nothing left to wait for. */
	bool is_out = event->strreset_flags & SCTP_STREAM_RESET_OUTGOING_SSN;
	if (n < sizeof *event || !(event->strreset_flags & (SCTP_STREAM_RESET_OUTGOING_SSN |
								   SCTP_STREAM_RESET_INCOMING_SSN)))
		return;
	post(address, note_new(is_out ? EVENT_RESET_OUT : EVENT_RESET_IN,
			      event->strreset_stream_list, n - sizeof *event));
}

static void on_notification(void *address, const union sctp_notification *event, size_t n)
{
	if (n < sizeof event->sn_header || event->sn_header.sn_length != n)
		return;
	if (event->sn_header.sn_type == SCTP_ASSOC_CHANGE && n >= sizeof event->sn_assoc_change)
		note_assoc_change(address, &event->sn_assoc_change);
	else if (event->sn_header.sn_type == SCTP_STREAM_RESET_EVENT &&
		 n >= sizeof event->sn_strreset_event)
		note_stream_reset(address, &event->sn_strreset_event, n);
}

static int on_receive(struct socket *socket, union sctp_sockstore from, void *data, size_t n,
	struct sctp_rcvinfo info, int flags, void *address)
{
	(void)socket, (void)from;
	if (!data)
		return 1; /* end of the association; SCTP_ASSOC_CHANGE told */
	if (flags & MSG_NOTIFICATION) {
		on_notification(address, data, n);
		mem_free_foreign(data);
		return 1;
	}
	struct sctp_note *note = note_new(EVENT_DATA, NULL, 0);
	note->data = data;
	note->n = n;
	note->stream = info.rcv_sid;
	note->ppid = ntohl(info.rcv_ppid);
	note->is_whole = flags & MSG_EOR;
	post(address, note);
	return 1;
}

/* After each SACK, so only from sctp_rx of the owner: libusrsctp's own count of what is unacknowledged. */
static int on_room(struct socket *socket, uint32_t free_bytes, void *address)
{
	(void)socket;
	if (!current || current->id != (uintptr_t)address)
		return 1;
	uint32_t space = sctp_send_space(&current->cfg);
	current->buffered = free_bytes < space ? space - free_bytes : 0;
	sctp_backlog_settle(&current->backlog, current->buffered);
	return 1;
}

/* ---------------------------------------------------------------- exported */

void sctp_gate_enter(struct sctp *s)
{
	pthread_rwlock_rdlock(&stack.gate);
	current = s;
}

void sctp_gate_leave(void)
{
	current = NULL;
	pthread_rwlock_unlock(&stack.gate);
}

struct socket *sctp_stack_socket(const struct sctp *s)
{
	return usrsctp_socket(AF_CONN, SOCK_STREAM, IPPROTO_SCTP, on_receive, on_room, 0,
		(void *)(uintptr_t)s->id);
}

void sctp_stack_start(void)
{
	pthread_rwlockattr_t attr;
	pthread_rwlockattr_init(&attr);
	/* Otherwise busy workers could keep the tick out for ever. */
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&stack.gate, &attr);
	pthread_rwlockattr_destroy(&attr);
	pthread_mutex_init(&stack.mutex, NULL);
	map_init(&stack.by_id);

	usrsctp_init_nothreads(0, on_output, NULL);
	usrsctp_enable_crc32c_offload();
	for (size_t i = 0; i < ARRAY_LEN(settings); i++)
		(void)settings[i].set(settings[i].value);
}

void sctp_stack_tick(uint32_t elapsed_ms)
{
	pthread_rwlock_wrlock(&stack.gate);
	usrsctp_handle_timers(elapsed_ms);
	pthread_rwlock_unlock(&stack.gate);
}

int sctp_stack_stop(void)
{
	pthread_mutex_lock(&stack.mutex);
	size_t left = stack.by_id.n;
	pthread_mutex_unlock(&stack.mutex);
	if (left || usrsctp_finish() != 0)
		return -ERR_BAD_STATE;
	map_free(&stack.by_id);
	pthread_mutex_destroy(&stack.mutex);
	pthread_rwlock_destroy(&stack.gate);
	return 0;
}
