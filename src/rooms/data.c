#include <string.h>

#include "base/mem.h"
#include "base/metric.h"
#include "rooms/rooms_internal.h"

enum { PACKET_MAX = 65535 + 1024 };

/* The connection over which data goes to a participant. */
static struct peer *data_peer(const struct participant *p)
{
	return p->subscriber ? p->subscriber : p->publisher;
}

void data_free(struct participant *p)
{
	while (!list_empty(&p->data_queue)) {
		struct queued_data *q = list_first(&p->data_queue, struct queued_data, node);
		list_del(&q->node);
		xfree(q);
	}
	p->data_queue_bytes = 0;
}

/* Reliable packets keep their order: behind what waits already, or for a reader that is not ready. */
static void enqueue(struct participant *to, struct slice bytes)
{
	size_t limit = to->room->rooms->cfg.data_buffer_bytes;
	if (limit && to->data_queue_bytes + bytes.n > limit) {
		metric_drop(DROP_DATA_SLOW_READER);
		return;
	}
	struct queued_data *q = xmalloc(sizeof *q + bytes.n);
	q->n = bytes.n;
	memcpy(q->bytes, bytes.p, bytes.n);
	list_push(&to->data_queue, &q->node);
	to->data_queue_bytes += bytes.n;
}

static void send_reliable(struct participant *to, struct slice bytes)
{
	struct peer *peer = data_peer(to);
	if (!peer)
		return;
	if (!list_empty(&to->data_queue) || peer->reliable == CHANNEL_NONE) {
		enqueue(to, bytes);
		return;
	}
	int err = session_send(peer->session, peer->reliable, false, bytes);
	if (err == -ERR_AGAIN || err == -ERR_BAD_STATE)
		enqueue(to, bytes);
	else if (err)
		metric_drop(DROP_DATA_MALFORMED);
}

static void send_lossy(struct participant *to, struct slice bytes)
{
	struct peer *peer = data_peer(to);
	if (!peer || peer->lossy == CHANNEL_NONE ||
		session_send(peer->session, peer->lossy, false, bytes) != 0)
		metric_drop(DROP_DATA_SLOW_READER);
}

void data_drain(struct participant *p)
{
	struct peer *peer = data_peer(p);
	while (peer && peer->reliable != CHANNEL_NONE && !list_empty(&p->data_queue)) {
		struct queued_data *q = list_first(&p->data_queue, struct queued_data, node);
		int err = session_send(
			peer->session, peer->reliable, false, slice_of(q->bytes, q->n));
		if (err == -ERR_AGAIN || err == -ERR_BAD_STATE)
			return;
		if (err)
			metric_drop(DROP_DATA_MALFORMED);
		list_del(&q->node);
		p->data_queue_bytes -= q->n;
		xfree(q);
	}
}

/* ------------------------------------------------------------------ what may pass */

static void replace(char **field, const char *value)
{
	xfree(*field);
	*field = xstrdup(value);
}

static bool is_agent(const struct participant *p)
{
	return p->grants->kind == LIVEKIT__PARTICIPANT_INFO__KIND__AGENT || p->grants->video.agent;
}

/* Agents may speak for others in chat and text streams; the packet then says that it was made by one. */
static bool speaks_for_another(const struct participant *p, Livekit__DataPacket *pkt)
{
	const char *identity = pb_str(pkt->participant_identity);
	if (!is_agent(p) || !identity[0] || strcmp(identity, p->grants->identity) == 0)
		return false;
	if (pkt->value_case == LIVEKIT__DATA_PACKET__VALUE_CHAT_MESSAGE) {
		PB_SET(pkt->chat_message, generated, 1);
		return true;
	}
	if (pkt->value_case == LIVEKIT__DATA_PACKET__VALUE_STREAM_HEADER &&
		pkt->stream_header->content_header_case ==
			LIVEKIT__DATA_STREAM__HEADER__CONTENT_HEADER_TEXT_HEADER) {
		PB_SET(pkt->stream_header->text_header, generated, 1);
		return true;
	}
	return false;
}

static char **copy_list(char *const *list, size_t n)
{
	char **copy = xcalloc(n, sizeof *copy);
	for (size_t i = 0; i < n; i++)
		copy[i] = xstrdup(list[i]);
	return copy;
}

/* Receivers may be named in the packet or, as older SDKs do, in the user packet: both read the same afterwards. */
static void mirror_destinations(Livekit__DataPacket *pkt)
{
	Livekit__UserPacket *user = pkt->user;
	if (pkt->n_destination_identities) {
		for (size_t i = 0; i < user->n_destination_identities; i++)
			xfree(user->destination_identities[i]);
		xfree(user->destination_identities);
		user->n_destination_identities = pkt->n_destination_identities;
		user->destination_identities =
			copy_list(pkt->destination_identities, pkt->n_destination_identities);
	} else if (user->n_destination_identities) {
		xfree(pkt->destination_identities);
		pkt->n_destination_identities = user->n_destination_identities;
		pkt->destination_identities =
			copy_list(user->destination_identities, user->n_destination_identities);
	}
}

/* Who sent it is what we know, not what it says. */
static void stamp(struct participant *p, Livekit__DataPacket *pkt, bool is_reliable)
{
	bool hidden = participant_is_hidden(p);
	const char *identity = hidden ? "" : p->grants->identity;
	if (!speaks_for_another(p, pkt))
		replace(&pkt->participant_identity, identity);
	replace(&pkt->participant_sid, hidden ? "" : p->sid);
	PB_SET(pkt, kind,
		is_reliable ? LIVEKIT__DATA_PACKET__KIND__RELIABLE
			    : LIVEKIT__DATA_PACKET__KIND__LOSSY);
	if (pkt->value_case == LIVEKIT__DATA_PACKET__VALUE_USER) {
		replace(&pkt->user->participant_sid, pkt->participant_sid);
		replace(&pkt->user->participant_identity, identity);
		mirror_destinations(pkt);
	}
}

static bool may_pass(struct participant *p, const Livekit__DataPacket *pkt)
{
	switch (pkt->value_case) {
	case LIVEKIT__DATA_PACKET__VALUE_TRANSCRIPTION: return is_agent(p);
	case LIVEKIT__DATA_PACKET__VALUE_METRICS:
	case LIVEKIT__DATA_PACKET__VALUE_SPEAKER:
	case LIVEKIT__DATA_PACKET__VALUE__NOT_SET: return false;
	default: return true;
	}
}

static bool is_listed(char **list, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(list[i], name) == 0)
			return true;
	return false;
}

/* To everybody, unless the packet names receivers. */
static bool is_addressed(const Livekit__DataPacket *pkt, const struct participant *to)
{
	const Livekit__UserPacket *user =
		pkt->value_case == LIVEKIT__DATA_PACKET__VALUE_USER ? pkt->user : NULL;
	size_t n_sids = user ? user->n_destination_sids : 0;
	if (!pkt->n_destination_identities && !n_sids)
		return true;
	return is_listed(pkt->destination_identities, pkt->n_destination_identities,
		       to->grants->identity) ||
	       (n_sids && is_listed(user->destination_sids, n_sids, to->sid));
}

static void fan_out(struct participant *p, const Livekit__DataPacket *pkt, bool is_reliable)
{
	struct buf b;
	buf_init(&b, PACKET_MAX);
	if (pb_encode(pkt, &b) != 0) {
		metric_drop(DROP_DATA_MALFORMED);
		buf_free(&b);
		return;
	}
	list_for_each(node, &p->room->participants) {
		struct participant *to = list_entry(node, struct participant, node);
		if (to == p || !is_addressed(pkt, to))
			continue;
		if (is_reliable)
			send_reliable(to, buf_slice(&b));
		else
			send_lossy(to, buf_slice(&b));
	}
	buf_free(&b);
}

/* Bytes on a channel of another label come from a peer without an SDK: they are passed on as a user packet. */
static void wrap_raw(struct participant *p, struct slice bytes)
{
	Livekit__UserPacket user = LIVEKIT__USER_PACKET__INIT;
	PB_SET(&user, payload, ((ProtobufCBinaryData){bytes.n, (uint8_t *)bytes.p}));
	bool hidden = participant_is_hidden(p);
	user.participant_sid = hidden ? (char *)"" : p->sid;
	user.participant_identity = hidden ? (char *)"" : p->grants->identity;
	Livekit__DataPacket pkt = LIVEKIT__DATA_PACKET__INIT;
	pkt.participant_sid = user.participant_sid;
	pkt.participant_identity = user.participant_identity;
	PB_SET(&pkt, kind, LIVEKIT__DATA_PACKET__KIND__RELIABLE);
	pkt.value_case = LIVEKIT__DATA_PACKET__VALUE_USER;
	pkt.user = &user;
	fan_out(p, &pkt, true);
}

void data_message(struct participant *p, struct peer *peer, uint16_t channel, struct slice bytes)
{
	if (!grants_can_publish_data(p->grants)) {
		metric_drop(DROP_DATA_DENIED);
		return;
	}
	if (channel == peer->data_track) {
		metric_drop(DROP_DATA_MALFORMED);
		return;
	}
	bool is_reliable = channel != peer->lossy;
	if (is_reliable && channel != peer->reliable) {
		wrap_raw(p, bytes);
		return;
	}
	ProtobufCMessage *msg = NULL;
	if (pb_decode(&livekit__data_packet__descriptor, bytes, &pb_data_limits, &msg) != 0) {
		metric_drop(DROP_DATA_MALFORMED);
		return;
	}
	Livekit__DataPacket *pkt = (Livekit__DataPacket *)msg;
	bool is_repeated = is_reliable && pkt->sequence && pkt->sequence <= p->last_data_seq;
	if (is_repeated || !may_pass(p, pkt)) {
		metric_drop(is_repeated ? DROP_RTP_DUPLICATE : DROP_DATA_DENIED);
	} else {
		if (is_reliable && pkt->sequence)
			p->last_data_seq = pkt->sequence;
		stamp(p, pkt, is_reliable);
		fan_out(p, pkt, is_reliable);
	}
	pb_free(pkt);
}
