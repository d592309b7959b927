/* sctp: one association: its socket, its channels, and the delivery of what libusrsctp reported. */
#include "sctp/sctp.h"

#include <errno.h>
#include <netinet/in.h>
#include "base/macros.h"
#include "base/mem.h"
#include "sctp/sctp_internal.h"

enum {
	MAX_STREAMS_DEFAULT = 128,
	SEND_LIMIT_DEFAULT = 1024 * 1024,
	RECEIVE_LIMIT_DEFAULT = 256 * 1024,
	QUEUE_SLACK = 1024 * 1024, /* of notes beyond the receive window: packets, mostly */
	PACKET_IN_MAX = 65535,
	MESSAGES_ENOUGH = SCTP_BACKLOG_BUCKETS * SCTP_BACKLOG_PER_BUCKET / 2,
};

enum channel_state {
	CHANNEL_NONE,
	CHANNEL_OPEN,
	CHANNEL_CLOSING, /* our outgoing stream is being reset */
};

struct sctp_channel {
	uint8_t state;
	bool is_ordered, is_acked; /* until the peer's ACK all goes in order (RFC 8832 §6) */
	bool owes_ack;             /* DCEP ACK to be sent */
	bool is_reset_in, is_reset_out;
	uint16_t policy; /* SCTP_PR_SCTP_… */
	uint32_t policy_value;
};

/* ---------------------------------------------------------------- sending */

static int send_ppid(struct sctp *s, uint16_t id, enum sctp_ppid ppid, bool is_ordered,
	bool is_reliable, struct slice data)
{
	const struct sctp_channel *ch = &s->channels[id];
	struct sctp_sendv_spa spa = {
		.sendv_flags = SCTP_SEND_SNDINFO_VALID,
		.sendv_sndinfo = {
			.snd_sid = id,
			.snd_ppid = htonl(ppid),
			.snd_flags = SCTP_EOR | (is_ordered ? 0 : SCTP_UNORDERED),
		},
	};
	if (!is_reliable && ch->policy != SCTP_PR_SCTP_NONE) {
		spa.sendv_flags |= SCTP_SEND_PRINFO_VALID;
		spa.sendv_prinfo = (struct sctp_prinfo){ch->policy, ch->policy_value};
	}
	sctp_gate_enter(s);
	ssize_t n = usrsctp_sendv(
		s->socket, data.p, data.n, NULL, 0, &spa, sizeof spa, SCTP_SENDV_SPA, 0);
	int err = n == (ssize_t)data.n ? 0 : errno;
	sctp_gate_leave();
	switch (err) {
	case 0:
		s->buffered += data.n;
		sctp_backlog_add(&s->backlog, data.n);
		return 0;
	case EAGAIN:
	case ENOBUFS:
		return -ERR_AGAIN;
	case EMSGSIZE:
		return -ERR_TOO_LARGE;
	default:
		return -ERR_CLOSED;
	}
}

static void send_ack(struct sctp *s, uint16_t id)
{
	static const uint8_t ack[] = {DCEP_ACK};
	struct sctp_channel *ch = &s->channels[id];
	if (send_ppid(s, id, PPID_DCEP, true, true, slice_of(ack, sizeof ack)) == -ERR_AGAIN) {
		s->acks_owed += !ch->owes_ack;
		ch->owes_ack = true;
	} else {
		s->acks_owed -= ch->owes_ack;
		ch->owes_ack = false;
	}
}

static void send_owed_acks(struct sctp *s)
{
	for (uint16_t id = 0; s->acks_owed && id < s->stream_count; id++)
		if (s->channels[id].owes_ack)
			send_ack(s, id);
}

/* Resets our outgoing stream once all that is queued on it is acknowledged (RFC 8831 §6.7). */
static void reset_stream(struct sctp *s, uint16_t id)
{
	uint32_t room[sizeof(struct sctp_reset_streams) / sizeof(uint32_t) + 1]; /* it ends in an open array */
	size_t n = sizeof(struct sctp_reset_streams) + sizeof id;
	struct sctp_reset_streams *reset = (struct sctp_reset_streams *)(void *)room;
	*reset = (struct sctp_reset_streams){
		.srs_assoc_id = SCTP_FUTURE_ASSOC,
		.srs_flags = SCTP_STREAM_RESET_OUTGOING,
		.srs_number_streams = 1,
	};
	reset->srs_stream_list[0] = id;
	sctp_gate_enter(s);
	int failed = usrsctp_setsockopt(
		s->socket, IPPROTO_SCTP, SCTP_RESET_STREAMS, reset, (socklen_t)n);
	sctp_gate_leave();
	/* A peer without RFC 6525 cannot be told; the channel ends here all the same. */
	if (failed)
		s->channels[id].is_reset_in = s->channels[id].is_reset_out = true;
}

/* ---------------------------------------------------------------- the end */

static void finish(struct sctp *s, int err)
{
	if (s->state == SCTP_DOWN)
		return;
	s->state = SCTP_DOWN;
	s->ops->closed(s->arg, err);
}

/* With SO_LINGER at zero a close is an ABORT: it leaves nothing behind that could time out later. */
static void close_socket(struct sctp *s)
{
	if (!s->socket)
		return;
	sctp_gate_enter(s);
	usrsctp_close(s->socket);
	usrsctp_deregister_address((void *)(uintptr_t)s->id);
	sctp_gate_leave();
	s->socket = NULL;
}

static void abort_with(struct sctp *s, int err)
{
	close_socket(s);
	finish(s, err);
}

static void destroy(struct sctp *s)
{
	sctp_queue_free(&s->queue);
	xfree(s->channels);
	xfree(s);
}

/* ---------------------------------------------------------------- delivery */

static void channel_finish(struct sctp *s, uint16_t id)
{
	struct sctp_channel *ch = &s->channels[id];
	if (ch->state != CHANNEL_CLOSING || !ch->is_reset_in || !ch->is_reset_out)
		return;
	s->acks_owed -= ch->owes_ack;
	*ch = (struct sctp_channel){0};
	s->ops->channel_closed(s->arg, id);
}

static void channel_shut(struct sctp *s, uint16_t id)
{
	struct sctp_channel *ch = &s->channels[id];
	if (ch->state != CHANNEL_OPEN)
		return;
	ch->state = CHANNEL_CLOSING;
	reset_stream(s, id);
}

static void on_reset_one(struct sctp *s, uint16_t id, bool is_out)
{
	struct sctp_channel *ch = &s->channels[id];
	if (ch->state == CHANNEL_NONE)
		return;
	if (is_out) {
		ch->is_reset_out = true;
	} else {
		ch->is_reset_in = true;
		channel_shut(s, id); /* ours in answer to the peer's */
	}
	channel_finish(s, id);
}

static void on_reset(struct sctp *s, const struct sctp_note *note)
{
	bool is_out = note->kind == EVENT_RESET_OUT;
	size_t n = note->n / sizeof(uint16_t);
	for (size_t i = 0; i < n && !s->is_freed && s->state == SCTP_UP; i++) {
		uint16_t id;
		memcpy(&id, note->bytes + i * sizeof id, sizeof id);
		if (id < s->stream_count)
			on_reset_one(s, id, is_out);
	}
	for (uint16_t id = 0; n == 0 && id < s->stream_count && !s->is_freed && s->state == SCTP_UP;
		id++)
		on_reset_one(s, id, is_out);
}

static void set_policy(struct sctp_channel *ch, const struct sctp_channel_info *info)
{
	ch->is_ordered = info->is_ordered;
	if (info->max_retransmits >= 0) {
		ch->policy = SCTP_PR_SCTP_RTX;
		ch->policy_value = (uint32_t)info->max_retransmits;
	} else if (info->max_lifetime_ms >= 0) {
		ch->policy = SCTP_PR_SCTP_TTL;
		ch->policy_value = (uint32_t)info->max_lifetime_ms;
	}
}

/* The side that is DTLS server has the odd ids (RFC 8832 §6). */
static bool is_id_of_peer(const struct sctp *s, uint16_t id)
{
	return (id & 1) != (s->cfg.is_dtls_server ? 1 : 0);
}

static void on_dcep_open(struct sctp *s, uint16_t id, struct slice message)
{
	struct sctp_channel *ch = &s->channels[id];
	struct sctp_channel_info info;
	if (ch->state == CHANNEL_CLOSING)
		return;
	if (ch->state == CHANNEL_OPEN) { /* the peer contradicts itself (RFC 8832 §6) */
		channel_shut(s, id);
		channel_finish(s, id);
		return;
	}
	int err = sctp_dcep_parse_open(&info, message);
	if (err || !is_id_of_peer(s, id)) {
		reset_stream(s, id);
		return;
	}
	info.id = id;
	*ch = (struct sctp_channel){.state = CHANNEL_OPEN, .is_acked = true};
	set_policy(ch, &info);
	send_ack(s, id);
	s->ops->channel_open(s->arg, &info);
}

static void on_dcep(struct sctp *s, uint16_t id, struct slice message)
{
	struct sctp_channel *ch = &s->channels[id];
	if (message.n && message.p[0] == DCEP_OPEN) {
		on_dcep_open(s, id, message);
	} else if (message.n && message.p[0] == DCEP_ACK && ch->state == CHANNEL_OPEN &&
		   !ch->is_acked) {
		ch->is_acked = true;
		if (s->ops->channel_acked)
			s->ops->channel_acked(s->arg, id);
	}
}

static void on_data(struct sctp *s, const struct sctp_note *note)
{
	struct slice data = slice_of(note->data, note->n);
	uint16_t id = note->stream;
	/* Delivery in parts starts above max_receive (make_socket), so a part is the proof of excess. */
	if (!note->is_whole || data.n > s->cfg.max_receive) {
		abort_with(s, -ERR_TOO_LARGE);
		return;
	}
	if (id >= s->stream_count)
		return;
	if (note->ppid == PPID_DCEP) {
		on_dcep(s, id, data);
		return;
	}
	if (s->channels[id].state != CHANNEL_OPEN)
		return;
	switch (note->ppid) {
	case PPID_TEXT:
	case PPID_TEXT_PARTIAL:
		s->ops->message(s->arg, id, true, data);
		return;
	case PPID_BINARY:
	case PPID_BINARY_PARTIAL:
		s->ops->message(s->arg, id, false, data);
		return;
	case PPID_TEXT_EMPTY:
	case PPID_BINARY_EMPTY: /* one byte stands for none (RFC 8831 §6.6) */
		s->ops->message(
			s->arg, id, note->ppid == PPID_TEXT_EMPTY, (struct slice){data.p, 0});
		return;
	default:
		return;
	}
}

static void on_up(struct sctp *s, const struct sctp_note *note)
{
	if (s->state != SCTP_STARTED)
		return;
	s->state = SCTP_UP;
	s->stream_count = MIN(s->cfg.max_streams, MIN(note->streams_in, note->streams_out));
	s->ops->connected(s->arg);
}

static void dispatch(struct sctp *s, const struct sctp_note *note)
{
	if (note->kind == EVENT_PACKET) {
		s->ops->send(s->arg, slice_of(note->bytes, note->n));
		return;
	}
	if (s->state == SCTP_DOWN)
		return;
	switch (note->kind) {
	case EVENT_DATA:
		on_data(s, note);
		return;
	case EVENT_UP:
		on_up(s, note);
		return;
	case EVENT_DOWN:
		finish(s, note->err);
		return;
	default:
		on_reset(s, note);
		return;
	}
}

static void offer_room(struct sctp *s)
{
	if (s->state != SCTP_UP)
		return;
	if (s->acks_owed)
		send_owed_acks(s);
	if (!s->is_blocked || s->buffered > s->cfg.send_limit / 2 ||
		s->backlog.messages > MESSAGES_ENOUGH)
		return;
	s->is_blocked = false;
	if (s->ops->writable)
		s->ops->writable(s->arg);
}

/* One round: true if there was something, so that ops which led to new notes get another one. */
static bool deliver_round(struct sctp *s)
{
	bool is_overrun;
	struct sctp_note *note = sctp_queue_take(&s->queue, &is_overrun);
	bool any = note != NULL;
	for (struct sctp_note *next; note; note = next) {
		next = note->next;
		if (!s->is_freed)
			dispatch(s, note);
		sctp_note_free(note);
	}
	if (is_overrun && !s->is_freed)
		abort_with(s, -ERR_NO_ROOM);
	if (!s->is_freed)
		offer_room(s);
	return any;
}

void sctp_deliver(struct sctp *s)
{
	if (s->is_delivering)
		return; /* called from an op: the round that is running goes on */
	s->is_delivering = true;
	while (deliver_round(s) && !s->is_freed) {
	}
	s->is_delivering = false;
	if (s->is_freed)
		destroy(s);
}

/* ---------------------------------------------------------------- life */

static struct sctp_cfg with_defaults(struct sctp_cfg c)
{
	c.local_port = c.local_port ? c.local_port : SCTP_PORT_DEFAULT;
	c.remote_port = c.remote_port ? c.remote_port : SCTP_PORT_DEFAULT;
	c.max_streams = c.max_streams ? c.max_streams : MAX_STREAMS_DEFAULT;
	c.max_receive = c.max_receive ? c.max_receive : SCTP_MESSAGE_DEFAULT;
	c.max_send = c.max_send ? c.max_send : SCTP_MESSAGE_DEFAULT;
	c.send_limit = MAX(c.send_limit ? c.send_limit : SEND_LIMIT_DEFAULT, c.max_send);
	c.receive_limit =
		MAX(c.receive_limit ? c.receive_limit : RECEIVE_LIMIT_DEFAULT, 4 * c.max_receive);
	return c;
}

static bool set_option(struct socket *so, int level, int name, const void *value, size_t n)
{
	return usrsctp_setsockopt(so, level, name, value, (socklen_t)n) == 0;
}

static bool set_options(const struct sctp *s, struct socket *so)
{
	static const uint16_t events[] = {SCTP_ASSOC_CHANGE, SCTP_STREAM_RESET_EVENT};
	const struct sctp_cfg *c = &s->cfg;
	const struct linger abort_on_close = {1, 0};
	const int yes = 1, send_space = (int)sctp_send_space(c),
		  receive_space = (int)c->receive_limit;
	const uint32_t in_parts_above = c->max_receive + 1;
	const struct sctp_initmsg streams = {
		.sinit_num_ostreams = c->max_streams, .sinit_max_instreams = c->max_streams};
	const struct sctp_assoc_value resets = {SCTP_FUTURE_ASSOC, SCTP_ENABLE_RESET_STREAM_REQ};
	/* Heartbeats off: ICE consent finds a dead path sooner. No path MTU discovery: DTLS would break it anyway. */
	const struct sctp_paddrparams path = {
		.spp_flags = SPP_PMTUD_DISABLE | SPP_HB_DISABLE,
		.spp_pathmtu = SCTP_PACKET_MAX - SCTP_HDR_LEN,
	};
	bool ok = set_option(so, SOL_SOCKET, SO_LINGER, &abort_on_close, sizeof abort_on_close) &&
		  set_option(so, SOL_SOCKET, SO_SNDBUF, &send_space, sizeof send_space) &&
		  set_option(so, SOL_SOCKET, SO_RCVBUF, &receive_space, sizeof receive_space) &&
		  set_option(so, IPPROTO_SCTP, SCTP_NODELAY, &yes, sizeof yes) &&
		  set_option(so, IPPROTO_SCTP, SCTP_PARTIAL_DELIVERY_POINT, &in_parts_above,
			  sizeof in_parts_above) &&
		  set_option(so, IPPROTO_SCTP, SCTP_INITMSG, &streams, sizeof streams) &&
		  set_option(so, IPPROTO_SCTP, SCTP_ENABLE_STREAM_RESET, &resets, sizeof resets) &&
		  set_option(so, IPPROTO_SCTP, SCTP_PEER_ADDR_PARAMS, &path, sizeof path);
	for (size_t i = 0; ok && i < ARRAY_LEN(events); i++) {
		const struct sctp_event event = {SCTP_FUTURE_ASSOC, events[i], 1};
		ok = set_option(so, IPPROTO_SCTP, SCTP_EVENT, &event, sizeof event);
	}
	return ok && usrsctp_set_non_blocking(so, 1) == 0;
}

static struct sockaddr_conn address_of(const struct sctp *s, uint16_t port)
{
	return (struct sockaddr_conn){
		.sconn_family = AF_CONN,
		.sconn_port = htons(port),
		.sconn_addr = (void *)(uintptr_t)s->id,
	};
}

static bool make_socket(struct sctp *s)
{
	struct sockaddr_conn local = address_of(s, s->cfg.local_port);
	usrsctp_register_address((void *)(uintptr_t)s->id);
	s->socket = sctp_stack_socket(s);
	return s->socket && set_options(s, s->socket) &&
		usrsctp_bind(s->socket, (struct sockaddr *)&local, sizeof local) == 0;
}

struct sctp *sctp_new(const struct sctp_cfg *cfg, const struct sctp_ops *ops, void *arg)
{
	struct sctp *s = XNEW(struct sctp);
	*s = (struct sctp){.ops = ops, .arg = arg, .cfg = with_defaults(*cfg)};
	s->channels = xcalloc(s->cfg.max_streams, sizeof *s->channels);
	sctp_queue_init(&s->queue, (size_t)s->cfg.receive_limit + QUEUE_SLACK);
	sctp_registry_add(s);
	sctp_gate_enter(s);
	bool ok = make_socket(s);
	sctp_gate_leave();
	if (ok)
		return s;
	sctp_free(s);
	return NULL;
}

void sctp_free(struct sctp *s)
{
	if (!s || s->is_freed)
		return;
	s->is_freed = true;
	close_socket(s);
	sctp_registry_remove(s);
	bool is_overrun;
	struct sctp_note *note = sctp_queue_take(&s->queue, &is_overrun);
	for (struct sctp_note *next; note; note = next) {
		next = note->next;
		if (note->kind == EVENT_PACKET)
			s->ops->send(s->arg, slice_of(note->bytes, note->n));
		sctp_note_free(note);
	}
	if (!s->is_delivering)
		destroy(s);
}

int sctp_start(struct sctp *s)
{
	if (s->state != SCTP_NEW)
		return -ERR_BAD_STATE;
	struct sockaddr_conn remote = address_of(s, s->cfg.remote_port);
	sctp_gate_enter(s);
	int err = usrsctp_connect(s->socket, (struct sockaddr *)&remote, sizeof remote) == 0
			  ? 0
			  : errno;
	sctp_gate_leave();
	if (err && err != EINPROGRESS)
		return -ERR_SYSTEM;
	s->state = SCTP_STARTED;
	sctp_deliver(s);
	return 0;
}

int sctp_rx(struct sctp *s, struct slice packet)
{
	if (s->state == SCTP_DOWN || !s->socket)
		return -ERR_CLOSED;
	if (packet.n <= SCTP_HDR_LEN || packet.n > PACKET_IN_MAX || !sctp_crc32c_is_right(packet))
		return -ERR_MALFORMED;
	sctp_gate_enter(s);
	usrsctp_conninput((void *)(uintptr_t)s->id, packet.p, packet.n, 0);
	sctp_gate_leave();
	sctp_deliver(s);
	return 0;
}

static int find_id(const struct sctp *s, uint16_t *id)
{
	for (uint32_t i = s->cfg.is_dtls_server ? 1 : 0; i < s->stream_count; i += 2) {
		if (s->channels[i].state == CHANNEL_NONE) {
			*id = (uint16_t)i;
			return 0;
		}
	}
	return -ERR_NO_ROOM;
}

static int state_error(const struct sctp *s)
{
	return s->state == SCTP_DOWN || !s->socket ? -ERR_CLOSED
	       : s->state == SCTP_UP               ? 0
						   : -ERR_BAD_STATE;
}

int sctp_open_channel(struct sctp *s, struct sctp_channel_info *info)
{
	uint8_t message[DCEP_OPEN_LEN + 2 * SCTP_LABEL_MAX];
	if (info->label.n > SCTP_LABEL_MAX || info->protocol.n > SCTP_LABEL_MAX ||
		(info->max_retransmits >= 0 && info->max_lifetime_ms >= 0))
		return -ERR_RANGE;
	int err = state_error(s);
	if (!err)
		err = find_id(s, &info->id);
	if (err)
		return err;
	struct slice open = slice_of(message, sctp_dcep_write_open(message, info));
	err = send_ppid(s, info->id, PPID_DCEP, true, true, open);
	if (err)
		return err;
	struct sctp_channel *ch = &s->channels[info->id];
	*ch = (struct sctp_channel){.state = CHANNEL_OPEN};
	set_policy(ch, info);
	sctp_deliver(s);
	return 0;
}

int sctp_send(struct sctp *s, uint16_t id, bool is_text, struct slice data)
{
	static const uint8_t nothing[1];
	int err = state_error(s);
	if (err)
		return err;
	if (id >= s->stream_count || s->channels[id].state != CHANNEL_OPEN)
		return -ERR_NOT_FOUND;
	if (data.n > s->cfg.max_send)
		return -ERR_TOO_LARGE;
	if (s->buffered + data.n > s->cfg.send_limit || sctp_backlog_is_full(&s->backlog)) {
		s->is_blocked = true;
		return -ERR_AGAIN;
	}
	const struct sctp_channel *ch = &s->channels[id];
	bool is_ordered = ch->is_ordered || !ch->is_acked;
	if (data.n)
		err = send_ppid(s, id, is_text ? PPID_TEXT : PPID_BINARY, is_ordered, false, data);
	else
		err = send_ppid(s, id, is_text ? PPID_TEXT_EMPTY : PPID_BINARY_EMPTY, is_ordered,
			false, slice_of(nothing, sizeof nothing));
	if (err == -ERR_AGAIN)
		s->is_blocked = true;
	sctp_deliver(s);
	return err;
}

size_t sctp_buffered(const struct sctp *s)
{
	return s->buffered;
}

void sctp_close_channel(struct sctp *s, uint16_t id)
{
	if (state_error(s) || id >= s->stream_count)
		return;
	channel_shut(s, id);
	channel_finish(s, id);
	sctp_deliver(s);
}
