/* A SignalRequest in binary; what is read must be written, copied and shown in JSON, and read
 * again. */
#include <stdlib.h>

#include "pb/pb.h"
#include "pb/pb_json.h"
#include "proto/signal.pb-c.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	const ProtobufCMessageDescriptor *desc = &livekit__signal_request__descriptor;
	ProtobufCMessage *msg, *again;
	if (pb_decode(desc, slice_of(p, n), &pb_signal_limits, &msg) != 0)
		return 0;
	struct buf bytes, text;
	buf_init(&bytes, SIZE_MAX / 2);
	buf_init(&text, SIZE_MAX / 2);
	if (pb_encode(msg, &bytes) != 0 || pb_json_encode(msg, &text) != 0)
		abort();
	pb_free(pb_copy(msg));
	/* Bytes that merge or repeat may grow, never past a limit that the first reading kept to.
	 */
	if (pb_decode(desc, buf_slice(&bytes), &pb_signal_limits, &again) == 0)
		pb_free(again);
	/* Duplicate keys of a map are the one thing that JSON refuses. */
	if (pb_json_decode(desc, buf_slice(&text), &pb_signal_limits, &again, NULL) == 0)
		pb_free(again);
	buf_free(&bytes);
	buf_free(&text);
	pb_free(msg);
	return 0;
}
