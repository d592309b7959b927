/*
 * pb: wire messages (proto/) from and to bytes, with limits that protobuf-c does not have.
 *
 * Knows bytes only: no socket, no clock, no global state. JSON is in pb_json.h, the join_request
 * parameter in join_request.h. Callers: signal/, rooms/ (data packets), api/, webhook/.
 *
 * A decoded message is a tree of the structs that protoc-c generates (#include
 * "proto/signal.pb-c.h"); it owns everything it points to and is freed by pb_free. Conventions of
 * these structs:
 *  - an absent string is NULL: read it through pb_str. An absent number has has_x == 0 and the
 * value 0.
 *  - a map is an array of XEntry messages with key and value, in wire order; the last of equal keys
 * counts.
 *  - an enum may hold a number that this version has no name for: check before indexing a table
 * with it.
 *  - a message built by hand on the stack borrows what its pointers point to; encode it, never
 * pb_free it.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <protobuf-c/protobuf-c.h>
#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

/* What one foreign message may cost. For JSON, `size` is the length of the text. */
struct pb_limits {
	size_t size;       /* bytes of the message */
	size_t memory;     /* bytes of all allocations made to decode it, temporary ones included */
	uint32_t elements; /* fields, array elements and map entries over all levels, unknown fields
			      included */
	uint32_t depth;    /* levels of nested messages; the outermost is 1 */
};

/* One frame of the signalling connection: limit.signal_message_size_limit is 2 MiB. */
extern const struct pb_limits pb_signal_limits;
/* One data channel message (64 KiB). */
extern const struct pb_limits pb_data_limits;
/* One body of a server API call (10 MiB). */
extern const struct pb_limits pb_api_limits;

/*
 * Decodes foreign bytes. Unknown fields are kept and encoded again. Strings must be UTF-8 without
 * NUL. 0 and *out owned by the caller (cast it to the type that `desc` describes), or
 * -ERR_TOO_LARGE for a limit, -ERR_TRUNCATED, -ERR_MALFORMED; *out is NULL then.
 */
MUST_CHECK int pb_decode(const ProtobufCMessageDescriptor *desc, struct slice in,
	const struct pb_limits *limits, ProtobufCMessage **out);

/*
 * Appends the bytes of a message (any generated struct). 0, or -ERR_TOO_LARGE and nothing appended
 * when the buffer's limit forbids it.
 */
MUST_CHECK int pb_encode(const void *msg, struct buf *out);

/* A deep copy of one's own message, unknown fields included. Never NULL. Returns owned. */
MUST_CHECK void *pb_copy(const void *msg);

/* Frees a message from pb_decode, pb_copy, pb_json_decode. Accepts NULL. */
void pb_free(void *msg);

/* "" for an absent string. */
static inline const char *pb_str(const char *s)
{
	return s ? s : "";
}
