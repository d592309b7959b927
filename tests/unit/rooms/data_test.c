/* Data packets: who gets which, and what the server changes in them. No channel is open, so reliable ones wait. */
#include "harness.h"

enum { RELIABLE = 1, LOSSY = 2, DATA_TRACK = 3, OTHER = 9 };

static void set_channels(struct client *c)
{
	struct peer *peer = server_side(c)->publisher;
	peer->reliable = RELIABLE;
	peer->lossy = LOSSY;
	peer->data_track = DATA_TRACK;
}

static struct client *join(struct harness *h, const struct joining *how)
{
	struct client *c = client_join(h, how);
	set_channels(c);
	return c;
}

#define WITH(h, ...) join(h, &(struct joining){__VA_ARGS__})

static void arrive(struct client *c, uint16_t channel, struct slice bytes)
{
	struct peer *peer = server_side(c)->publisher;
	peer->session->ops->message(peer, channel, false, bytes);
}

static void say(struct client *c, uint16_t channel, const Livekit__DataPacket *pkt)
{
	struct buf b;
	buf_init(&b, 1 << 20);
	assert_int_equal(pb_encode(pkt, &b), 0);
	arrive(c, channel, buf_slice(&b));
	buf_free(&b);
}

static size_t n_waiting(struct client *c)
{
	size_t n = 0;
	list_for_each(node, &server_side(c)->data_queue)
		n++;
	return n;
}

/* The next packet for the client, taken from its queue; NULL if there is none. */
static Livekit__DataPacket *next_packet(struct client *c)
{
	struct participant *p = server_side(c);
	if (list_empty(&p->data_queue))
		return NULL;
	struct queued_data *q = list_first(&p->data_queue, struct queued_data, node);
	ProtobufCMessage *m;
	assert_int_equal(pb_decode(&livekit__data_packet__descriptor, slice_of(q->bytes, q->n),
				 &pb_data_limits, &m),
		0);
	list_del(&q->node);
	p->data_queue_bytes -= q->n;
	xfree(q);
	return (Livekit__DataPacket *)m;
}

static void drop_next(struct client *c)
{
	Livekit__DataPacket *pkt = next_packet(c);
	assert_non_null(pkt);
	pb_free(pkt);
}

static Livekit__DataPacket user_packet(Livekit__UserPacket *user)
{
	livekit__user_packet__init(user);
	PB_SET(user, payload, ((ProtobufCBinaryData){2, (uint8_t *)"hi"}));
	Livekit__DataPacket pkt = LIVEKIT__DATA_PACKET__INIT;
	pkt.value_case = LIVEKIT__DATA_PACKET__VALUE_USER;
	pkt.user = user;
	return pkt;
}

static void everybody_else_gets_it_stamped(void **st)
{
	struct harness *h = *st;
	struct client *ann = WITH(h, .identity = "ann"), *bob = WITH(h, .identity = "bob"),
		      *eve = WITH(h, .identity = "eve");
	Livekit__UserPacket user;
	Livekit__DataPacket pkt = user_packet(&user);
	pkt.participant_identity = user.participant_identity = (char *)"the queen";
	pkt.participant_sid = user.participant_sid = (char *)"PA_false";
	say(ann, RELIABLE, &pkt);
	assert_int_equal(n_waiting(ann), 0);
	assert_int_equal(n_waiting(eve), 1);
	Livekit__DataPacket *got = next_packet(bob);
	assert_string_equal(got->participant_identity, "ann");
	assert_string_equal(got->participant_sid, server_side(ann)->sid);
	assert_string_equal(got->user->participant_identity, "ann");
	assert_string_equal(got->user->participant_sid, server_side(ann)->sid);
	assert_int_equal(got->kind, LIVEKIT__DATA_PACKET__KIND__RELIABLE);
	pb_free(got);
}

static void the_hidden_have_no_name(void **st)
{
	struct harness *h = *st;
	struct client *spy = WITH(h, .identity = "spy", .grant.hidden = true),
		      *bob = WITH(h, .identity = "bob");
	Livekit__UserPacket user;
	Livekit__DataPacket pkt = user_packet(&user);
	say(spy, RELIABLE, &pkt);
	Livekit__DataPacket *got = next_packet(bob);
	assert_string_equal(pb_str(got->participant_identity), "");
	assert_string_equal(pb_str(got->participant_sid), "");
	assert_string_equal(pb_str(got->user->participant_identity), "");
	pb_free(got);
	arrive(spy, OTHER, slice_str("raw"));
	got = next_packet(bob);
	assert_string_equal(pb_str(got->user->participant_identity), "");
	pb_free(got);
}

static void destinations(void **st)
{
	struct harness *h = *st;
	struct client *ann = WITH(h, .identity = "ann"), *bob = WITH(h, .identity = "bob"),
		      *eve = WITH(h, .identity = "eve");
	char *names[] = {(char *)"bob", (char *)"ann", (char *)"nobody"};
	Livekit__UserPacket user;
	Livekit__DataPacket pkt = user_packet(&user);
	pkt.n_destination_identities = 3;
	pkt.destination_identities = names;
	say(ann, RELIABLE, &pkt);
	assert_int_equal(n_waiting(ann), 0); /* never back to the sender */
	assert_int_equal(n_waiting(eve), 0);
	Livekit__DataPacket *got = next_packet(bob);
	assert_int_equal(got->user->n_destination_identities, 3); /* the older list says the same */
	assert_string_equal(got->user->destination_identities[0], "bob");
	pb_free(got);

	pkt = user_packet(&user);
	user.n_destination_identities = 1;
	user.destination_identities = names;
	say(ann, RELIABLE, &pkt);
	assert_int_equal(n_waiting(eve), 0);
	got = next_packet(bob);
	assert_int_equal(got->n_destination_identities, 1);
	pb_free(got);

	pkt = user_packet(&user);
	char *sids[] = {server_side(eve)->sid};
	user.n_destination_sids = 1;
	user.destination_sids = sids;
	say(ann, RELIABLE, &pkt);
	assert_int_equal(n_waiting(bob), 0);
	drop_next(eve);
}

static void which_kinds_pass(void **st)
{
	struct harness *h = *st;
	struct client *ann = WITH(h, .identity = "ann"), *bob = WITH(h, .identity = "bob"),
		      *agent = WITH(h, .identity = "agent", .kind = LIVEKIT__PARTICIPANT_INFO__KIND__AGENT);
	Livekit__ChatMessage chat = LIVEKIT__CHAT_MESSAGE__INIT;
	Livekit__SipDTMF dtmf = LIVEKIT__SIP_DTMF__INIT;
	Livekit__RpcRequest rpc = LIVEKIT__RPC_REQUEST__INIT;
	Livekit__RpcAck ack = LIVEKIT__RPC_ACK__INIT;
	Livekit__RpcResponse response = LIVEKIT__RPC_RESPONSE__INIT;
	Livekit__DataStream__Header header = LIVEKIT__DATA_STREAM__HEADER__INIT;
	Livekit__DataStream__Chunk chunk = LIVEKIT__DATA_STREAM__CHUNK__INIT;
	Livekit__DataStream__Trailer trailer = LIVEKIT__DATA_STREAM__TRAILER__INIT;
	Livekit__EncryptedPacket encrypted = LIVEKIT__ENCRYPTED_PACKET__INIT;
	Livekit__Transcription words = LIVEKIT__TRANSCRIPTION__INIT;
	Livekit__MetricsBatch metrics = LIVEKIT__METRICS_BATCH__INIT;
	Livekit__ActiveSpeakerUpdate speaker = LIVEKIT__ACTIVE_SPEAKER_UPDATE__INIT;
	const struct {
		Livekit__DataPacket__ValueCase kind;
		void *value;
		bool passes, passes_from_agent;
	} rows[] = {
		{LIVEKIT__DATA_PACKET__VALUE_CHAT_MESSAGE, &chat, true, true},
		{LIVEKIT__DATA_PACKET__VALUE_SIP_DTMF, &dtmf, true, true},
		{LIVEKIT__DATA_PACKET__VALUE_RPC_REQUEST, &rpc, true, true},
		{LIVEKIT__DATA_PACKET__VALUE_RPC_ACK, &ack, true, true},
		{LIVEKIT__DATA_PACKET__VALUE_RPC_RESPONSE, &response, true, true},
		{LIVEKIT__DATA_PACKET__VALUE_STREAM_HEADER, &header, true, true},
		{LIVEKIT__DATA_PACKET__VALUE_STREAM_CHUNK, &chunk, true, true},
		{LIVEKIT__DATA_PACKET__VALUE_STREAM_TRAILER, &trailer, true, true},
		{LIVEKIT__DATA_PACKET__VALUE_ENCRYPTED_PACKET, &encrypted, true, true},
		{LIVEKIT__DATA_PACKET__VALUE_TRANSCRIPTION, &words, false, true},
		{LIVEKIT__DATA_PACKET__VALUE_METRICS, &metrics, false, false},
		{LIVEKIT__DATA_PACKET__VALUE_SPEAKER, &speaker, false, false},
		{LIVEKIT__DATA_PACKET__VALUE__NOT_SET, NULL, false, false},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		Livekit__DataPacket pkt = LIVEKIT__DATA_PACKET__INIT;
		pkt.value_case = rows[i].kind;
		pkt.user = rows[i].value; /* all members are pointers in one place */
		say(ann, RELIABLE, &pkt);
		assert_int_equal(n_waiting(bob), rows[i].passes);
		if (rows[i].passes) {
			drop_next(bob);
			drop_next(agent);
		}
		say(agent, RELIABLE, &pkt);
		assert_int_equal(n_waiting(bob), rows[i].passes_from_agent);
		if (rows[i].passes_from_agent) {
			drop_next(bob);
			drop_next(ann);
		}
	}
}

static void agents_speak_for_others(void **st)
{
	struct harness *h = *st;
	struct client *ann = WITH(h, .identity = "ann"), *bob = WITH(h, .identity = "bob"),
		      *agent = WITH(h, .identity = "agent", .grant.agent = true);
	Livekit__ChatMessage chat = LIVEKIT__CHAT_MESSAGE__INIT;
	Livekit__DataPacket pkt = LIVEKIT__DATA_PACKET__INIT;
	pkt.value_case = LIVEKIT__DATA_PACKET__VALUE_CHAT_MESSAGE;
	pkt.chat_message = &chat;
	pkt.participant_identity = (char *)"ann";
	say(agent, RELIABLE, &pkt);
	Livekit__DataPacket *got = next_packet(bob);
	assert_string_equal(got->participant_identity, "ann");
	assert_true(got->chat_message->generated);
	pb_free(got);

	Livekit__DataStream__Header header = LIVEKIT__DATA_STREAM__HEADER__INIT;
	Livekit__DataStream__TextHeader text = LIVEKIT__DATA_STREAM__TEXT_HEADER__INIT;
	Livekit__DataStream__ByteHeader bytes = LIVEKIT__DATA_STREAM__BYTE_HEADER__INIT;
	pkt.value_case = LIVEKIT__DATA_PACKET__VALUE_STREAM_HEADER;
	pkt.stream_header = &header;
	header.content_header_case = LIVEKIT__DATA_STREAM__HEADER__CONTENT_HEADER_TEXT_HEADER;
	header.text_header = &text;
	say(agent, RELIABLE, &pkt);
	got = next_packet(bob);
	assert_string_equal(got->participant_identity, "ann");
	assert_true(got->stream_header->text_header->generated);
	pb_free(got);
	header.content_header_case = LIVEKIT__DATA_STREAM__HEADER__CONTENT_HEADER_BYTE_HEADER;
	header.byte_header = &bytes;
	say(agent, RELIABLE, &pkt);
	got = next_packet(bob);
	assert_string_equal(got->participant_identity, "agent");
	pb_free(got);

	pkt.participant_identity = (char *)"agent";
	pkt.value_case = LIVEKIT__DATA_PACKET__VALUE_CHAT_MESSAGE;
	pkt.chat_message = &chat;
	say(ann, RELIABLE, &pkt); /* people do not */
	got = next_packet(bob);
	assert_string_equal(got->participant_identity, "ann");
	assert_false(got->chat_message->generated);
	pb_free(got);
}

static void sequences_only_grow(void **st)
{
	struct harness *h = *st;
	struct client *ann = WITH(h, .identity = "ann"), *bob = WITH(h, .identity = "bob");
	static const uint32_t sent[] = {1, 2, 2, 1, 5, 4, 6};
	Livekit__UserPacket user;
	for (size_t i = 0; i < ARRAY_LEN(sent); i++) {
		Livekit__DataPacket pkt = user_packet(&user);
		PB_SET(&pkt, sequence, sent[i]);
		say(ann, RELIABLE, &pkt);
	}
	assert_int_equal(n_waiting(bob), 4); /* 1 2 5 6 */
	Livekit__DataPacket pkt = user_packet(&user);
	say(ann, RELIABLE, &pkt); /* without a number: as many as you like */
	say(ann, RELIABLE, &pkt);
	assert_int_equal(n_waiting(bob), 6);
}

static void who_may_not_send(void **st)
{
	struct harness *h = *st;
	struct client *ann = WITH(h, .identity = "ann", .grant.can_publish_data = GRANT_NO),
		      *bob = WITH(h, .identity = "bob");
	Livekit__UserPacket user;
	Livekit__DataPacket pkt = user_packet(&user);
	uint64_t before = metric_drop_sum(DROP_DATA_DENIED);
	say(ann, RELIABLE, &pkt);
	arrive(ann, OTHER, slice_str("raw"));
	assert_int_equal(n_waiting(bob), 0);
	assert_int_equal(metric_drop_sum(DROP_DATA_DENIED), before + 2);
}

static void raw_bytes_are_wrapped(void **st)
{
	struct harness *h = *st;
	struct client *ann = WITH(h, .identity = "ann"), *bob = WITH(h, .identity = "bob");
	arrive(ann, OTHER, slice_str("raw"));
	Livekit__DataPacket *got = next_packet(bob);
	assert_int_equal(got->value_case, LIVEKIT__DATA_PACKET__VALUE_USER);
	assert_int_equal(got->user->payload.len, 3);
	assert_string_equal(got->participant_identity, "ann");
	pb_free(got);
	arrive(ann, DATA_TRACK, slice_str("raw"));
	arrive(ann, RELIABLE, slice_str("\xff\xff\xff"));
	assert_int_equal(n_waiting(bob), 0);
}

static void lossy_packets_do_not_wait(void **st)
{
	struct harness *h = *st;
	struct client *ann = WITH(h, .identity = "ann"), *bob = WITH(h, .identity = "bob");
	Livekit__UserPacket user;
	Livekit__DataPacket pkt = user_packet(&user);
	uint64_t before = metric_drop_sum(DROP_DATA_SLOW_READER);
	say(ann, LOSSY, &pkt);
	assert_int_equal(n_waiting(bob), 0);
	assert_int_equal(metric_drop_sum(DROP_DATA_SLOW_READER), before + 1);
}

static void what_waits_is_bounded(void **st)
{
	struct harness *h = *st;
	struct client *ann = WITH(h, .identity = "ann"), *bob = WITH(h, .identity = "bob");
	static uint8_t big[1500];
	Livekit__UserPacket user;
	Livekit__DataPacket pkt = user_packet(&user);
	PB_SET(&user, payload, ((ProtobufCBinaryData){sizeof big, big}));
	uint64_t before = metric_drop_sum(DROP_DATA_SLOW_READER);
	for (int i = 0; i < 5; i++)
		say(ann, RELIABLE, &pkt);
	assert_int_equal(n_waiting(bob), 2); /* of 4096 bytes */
	assert_int_equal(metric_drop_sum(DROP_DATA_SLOW_READER), before + 3);
	data_drain(server_side(bob)); /* no channel takes them: they stay */
	assert_int_equal(n_waiting(bob), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(everybody_else_gets_it_stamped),
		TEST(the_hidden_have_no_name),
		TEST(destinations),
		TEST(which_kinds_pass),
		TEST(agents_speak_for_others),
		TEST(sequences_only_grow),
		TEST(who_may_not_send),
		TEST(raw_bytes_are_wrapped),
		TEST(lossy_packets_do_not_wait),
		TEST(what_waits_is_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
