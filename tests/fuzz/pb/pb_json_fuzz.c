/* A SignalRequest in JSON; what is read must come out the same in JSON and in binary. */
#include <stdlib.h>

#include "pb/pb_json.h"
#include "proto/signal.pb-c.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static const ProtobufCMessageDescriptor *const desc = &livekit__signal_request__descriptor;

static struct buf json_of(const ProtobufCMessage *msg)
{
	struct buf text;
	buf_init(&text, SIZE_MAX / 2);
	if (pb_json_encode(msg, &text) != 0)
		abort();
	return text;
}

/* Reads the text again: it must give the same text. */
static void check_text(struct slice text)
{
	ProtobufCMessage *msg;
	if (pb_json_decode(desc, text, &pb_api_limits, &msg, NULL) != 0)
		abort();
	struct buf again = json_of(msg);
	if (!slice_eq(buf_slice(&again), text))
		abort();
	buf_free(&again);
	pb_free(msg);
}

static void check_bytes(const ProtobufCMessage *msg, struct slice text)
{
	struct buf bytes;
	buf_init(&bytes, SIZE_MAX / 2);
	ProtobufCMessage *again;
	if (pb_encode(msg, &bytes) != 0 ||
		pb_decode(desc, buf_slice(&bytes), &pb_api_limits, &again) != 0)
		abort();
	struct buf same = json_of(again);
	if (!slice_eq(buf_slice(&same), text))
		abort();
	buf_free(&same);
	buf_free(&bytes);
	pb_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	ProtobufCMessage *msg;
	struct errbuf eb;
	if (pb_json_decode(desc, slice_of(p, n), &pb_signal_limits, &msg, &eb) != 0)
		return 0;
	struct buf text = json_of(msg);
	check_text(buf_slice(&text));
	check_bytes(msg, buf_slice(&text));
	buf_free(&text);
	pb_free(msg);
	return 0;
}
