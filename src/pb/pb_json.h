/*
 * pb_json: wire messages from and to JSON, in the mapping that proto3 defines.
 *
 * Walks the descriptors; knows no message by name but Timestamp and Duration. Callers: api/ (Twirp
 * in JSON), signal/ (text frames), webhook/, auth/ (roomConfig in a token).
 *
 *  field names   out lowerCamelCase; in either that or the name of the .proto file; unknown ones
 * are ignored null          the same as absent 64-bit ints   out as strings; in as strings or
 * numbers, 1.0 and 1e3 included enums         out as names (numbers without a name stay numbers);
 * in as either, unknown names are ignored bytes         base64 (both alphabets in) maps objects
 *  Timestamp     RFC 3339 text; Duration: seconds with an "s"
 *  floats        numbers, or "NaN", "Infinity", "-Infinity"
 *
 * Out, a field is left out when it is absent; when it is zero or "" it is written only if the
 * message can tell that from absent: members of a oneof, and the numbers and bytes which the .proto
 * file gives a [default].
 */
#pragma once
#include <jansson.h>
#include "pb/pb.h"

/*
 * Appends compact JSON text. 0, or -ERR_TOO_LARGE when the buffer's limit forbids it: `out` then
 * holds a part of the text. A map with equal keys, which only foreign bytes have, writes all of
 * them.
 */
MUST_CHECK int pb_json_encode(const void *msg, struct buf *out);

/*
 * Decodes foreign JSON text. 0 and *out owned by the caller (pb_free), or -ERR_TOO_LARGE for a
 * limit, -ERR_RANGE for a number that does not fit its field, -ERR_MALFORMED for all else; *out is
 * NULL then and `eb` (may be NULL) names the field.
 */
MUST_CHECK int pb_json_decode(const ProtobufCMessageDescriptor *desc, struct slice text,
	const struct pb_limits *limits, ProtobufCMessage **out, struct errbuf *eb);

/* The same from a parsed value, which is borrowed; limits->size is not looked at. */
MUST_CHECK int pb_json_decode_value(const ProtobufCMessageDescriptor *desc, const json_t *value,
	const struct pb_limits *limits, ProtobufCMessage **out, struct errbuf *eb);

/*
 * Parses foreign JSON text of any meaning. jansson takes up to a hundred bytes of memory per byte
 * of text, so the values are counted before it runs: -ERR_TOO_LARGE past limits->size, ->elements
 * or ->depth, else -ERR_MALFORMED. 0 and *out owned by the caller (json_decref).
 */
MUST_CHECK int pb_json_parse(
	struct slice text, const struct pb_limits *limits, json_t **out, struct errbuf *eb);
