/* pb_json_internal: what both directions of pb_json share. Not for other folders. */
#pragma once
#include <stdbool.h>
#include "pb/pb_json.h"

enum well_known { WELL_KNOWN_NOT, WELL_KNOWN_TIMESTAMP, WELL_KNOWN_DURATION };

/* Messages with a JSON form of their own. */
enum well_known pb_json_well_known(const ProtobufCMessageDescriptor *desc);

/* True for the XEntry message that stands for a map: key = 1 and value = 2, nothing else. */
bool pb_json_is_map_entry(const ProtobufCMessageDescriptor *desc);

/* Bytes of one element of this field in memory. */
size_t pb_json_type_size(ProtobufCType type);

/* Appends the text between the quotes. */
void pb_json_time_encode(enum well_known kind, int64_t seconds, int32_t nanos, struct buf *out);

/* 0, -ERR_MALFORMED, -ERR_RANGE. */
MUST_CHECK int pb_json_time_decode(
	enum well_known kind, const char *text, int64_t *seconds, int32_t *nanos);

static inline bool pb_json_is_oneof(const ProtobufCFieldDescriptor *f)
{
	return f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF;
}

static inline bool pb_json_is_map(const ProtobufCFieldDescriptor *f)
{
	return f->type == PROTOBUF_C_TYPE_MESSAGE && f->label == PROTOBUF_C_LABEL_REPEATED &&
	       pb_json_is_map_entry(f->descriptor);
}
