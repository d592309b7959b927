#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/utf8.h"
#include "pb/pb_json_internal.h"
#include "proto/wellknown.pb-c.h"

static void put_message(struct buf *out, const ProtobufCMessage *msg);

/* What is not UTF-8 comes out as U+FFFD: JSON has no way to carry it. */
static void put_string(struct buf *out, const char *s)
{
	struct slice in = slice_str(s);
	buf_add_byte(out, '"');
	for (size_t at = 0; at < in.n;) {
		size_t n = utf8_char_len(in.p + at, in.n - at);
		uint8_t c = in.p[at];
		if (n == 0)
			buf_add_str(out, "\xef\xbf\xbd");
		else if (c == '"' || c == '\\')
			buf_printf(out, "\\%c", c);
		else if (c == '\n')
			buf_add_str(out, "\\n");
		else if (c == '\r')
			buf_add_str(out, "\\r");
		else if (c < 0x20)
			buf_printf(out, "\\u%04x", c);
		else
			buf_add(out, in.p + at, n);
		at += n ? n : 1;
	}
	buf_add_byte(out, '"');
}

/* lowerCamelCase of a name in the .proto file. */
static void put_name(struct buf *out, const char *name)
{
	buf_add_byte(out, '"');
	for (; *name; name++) {
		char c = *name;
		if (c == '_' && name[1]) {
			c = *++name;
			if (c >= 'a' && c <= 'z')
				c = (char)(c - 'a' + 'A');
		}
		buf_add_byte(out, (uint8_t)c);
	}
	buf_add_str(out, "\":");
}

/* The shortest decimal that reads back as the same number. */
static void put_real(struct buf *out, double v, bool is_float)
{
	if (isnan(v)) {
		buf_add_str(out, "\"NaN\"");
		return;
	}
	if (isinf(v)) {
		buf_add_str(out, v < 0 ? "\"-Infinity\"" : "\"Infinity\"");
		return;
	}
	int most = is_float ? FLT_DECIMAL_DIG : DBL_DECIMAL_DIG;
	char text[40];
	for (int digits = is_float ? FLT_DIG : DBL_DIG; digits <= most; digits++) {
		(void)snprintf(text, sizeof text, "%.*g", digits, v);
		if (is_float ? strtof(text, NULL) == (float)v : strtod(text, NULL) == v)
			break;
	}
	buf_add_str(out, text);
}

static void put_enum(struct buf *out, const ProtobufCEnumDescriptor *desc, int32_t v)
{
	const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(desc, v);
	if (value)
		put_string(out, value->name);
	else
		buf_printf(out, "%d", v);
}

/* One value at `p`, which has the C type of the field. */
static void put_value(struct buf *out, const ProtobufCFieldDescriptor *f, const void *p)
{
	switch (f->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32: buf_printf(out, "%" PRId32, *(const int32_t *)p); break;
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32: buf_printf(out, "%" PRIu32, *(const uint32_t *)p); break;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
		buf_printf(out, "\"%" PRId64 "\"", *(const int64_t *)p);
		break;
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		buf_printf(out, "\"%" PRIu64 "\"", *(const uint64_t *)p);
		break;
	case PROTOBUF_C_TYPE_FLOAT: put_real(out, (double)*(const float *)p, true); break;
	case PROTOBUF_C_TYPE_DOUBLE: put_real(out, *(const double *)p, false); break;
	case PROTOBUF_C_TYPE_BOOL:
		buf_add_str(out, *(const protobuf_c_boolean *)p ? "true" : "false");
		break;
	case PROTOBUF_C_TYPE_ENUM: put_enum(out, f->descriptor, *(const int32_t *)p); break;
	case PROTOBUF_C_TYPE_STRING: put_string(out, pb_str(*(char *const *)p)); break;
	case PROTOBUF_C_TYPE_BYTES: {
		const ProtobufCBinaryData *bytes = p;
		buf_add_byte(out, '"');
		base64_encode(out, (struct slice){bytes->data, bytes->len}, BASE64_STD);
		buf_add_byte(out, '"');
		break;
	}
	case PROTOBUF_C_TYPE_MESSAGE: {
		const ProtobufCMessage *msg = *(ProtobufCMessage *const *)p;
		put_message(out, msg);
		break;
	}
	}
}

static const void *at_offset(const ProtobufCMessage *msg, unsigned offset)
{
	return (const uint8_t *)msg + offset;
}

static bool is_nonzero(const void *p, size_t n)
{
	static const uint8_t zero[8];
	return memcmp(p, zero, n) != 0;
}

/* The rule for what is left out: see pb_json.h. */
static bool is_written(const ProtobufCFieldDescriptor *f, const ProtobufCMessage *msg)
{
	const void *member = at_offset(msg, f->offset);
	const void *quantifier = at_offset(msg, f->quantifier_offset);
	if (f->label == PROTOBUF_C_LABEL_REPEATED)
		return *(const size_t *)quantifier > 0;
	if (pb_json_is_oneof(f) && *(const uint32_t *)quantifier != f->id)
		return false;
	if (f->type == PROTOBUF_C_TYPE_MESSAGE)
		return *(ProtobufCMessage *const *)member != NULL;
	if (pb_json_is_oneof(f))
		return true;
	if (f->type == PROTOBUF_C_TYPE_STRING)
		return *pb_str(*(char *const *)member) != 0;
	if (!*(const protobuf_c_boolean *)quantifier)
		return false;
	if (f->default_value)
		return true;
	if (f->type == PROTOBUF_C_TYPE_BYTES)
		return ((const ProtobufCBinaryData *)member)->len > 0;
	return is_nonzero(member, pb_json_type_size(f->type));
}

/* Keys of JSON objects are strings, whatever the map has. */
static void put_map_key(
	struct buf *out, const ProtobufCFieldDescriptor *f, const ProtobufCMessage *entry)
{
	const void *key = at_offset(entry, f->offset);
	bool has_quotes = f->type == PROTOBUF_C_TYPE_STRING || pb_json_type_size(f->type) == 8;
	if (!has_quotes)
		buf_add_byte(out, '"');
	put_value(out, f, key);
	if (!has_quotes)
		buf_add_byte(out, '"');
	buf_add_byte(out, ':');
}

static void put_map(struct buf *out, ProtobufCMessage *const *entries, size_t n)
{
	buf_add_byte(out, '{');
	for (size_t i = 0; i < n; i++) {
		const ProtobufCFieldDescriptor *key = &entries[i]->descriptor->fields[0];
		const ProtobufCFieldDescriptor *value = &entries[i]->descriptor->fields[1];
		if (i > 0)
			buf_add_byte(out, ',');
		put_map_key(out, key, entries[i]);
		const void *p = at_offset(entries[i], value->offset);
		if (value->type == PROTOBUF_C_TYPE_MESSAGE && !*(ProtobufCMessage *const *)p)
			buf_add_str(out, "{}");
		else
			put_value(out, value, p);
	}
	buf_add_byte(out, '}');
}

static void put_field(
	struct buf *out, const ProtobufCFieldDescriptor *f, const ProtobufCMessage *msg)
{
	const void *member = at_offset(msg, f->offset);
	put_name(out, f->name);
	if (f->label != PROTOBUF_C_LABEL_REPEATED) {
		put_value(out, f, member);
		return;
	}
	size_t n = *(const size_t *)at_offset(msg, f->quantifier_offset);
	if (pb_json_is_map(f)) {
		put_map(out, *(ProtobufCMessage *const *const *)member, n);
		return;
	}
	const uint8_t *elements = *(uint8_t *const *)member;
	size_t size = pb_json_type_size(f->type);
	buf_add_byte(out, '[');
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			buf_add_byte(out, ',');
		put_value(out, f, elements + i * size);
	}
	buf_add_byte(out, ']');
}

/* The depth is that of the tree in memory: decoded ones are bounded, own ones are shallow. */
static void put_message(struct buf *out, const ProtobufCMessage *msg)
{
	const ProtobufCMessageDescriptor *desc = msg->descriptor;
	enum well_known kind = pb_json_well_known(desc);
	if (kind != WELL_KNOWN_NOT) {
		/* Both have the same layout. */
		const Googlebuf__Timestamp *t = (const Googlebuf__Timestamp *)msg;
		buf_add_byte(out, '"');
		pb_json_time_encode(kind, t->seconds, t->nanos, out);
		buf_add_byte(out, '"');
		return;
	}
	bool is_first = true;
	buf_add_byte(out, '{');
	for (unsigned i = 0; i < desc->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &desc->fields[i];
		if (!is_written(f, msg))
			continue;
		if (!is_first)
			buf_add_byte(out, ',');
		is_first = false;
		put_field(out, f, msg);
	}
	buf_add_byte(out, '}');
}

int pb_json_encode(const void *msg, struct buf *out)
{
	put_message(out, msg);
	return out->full ? -ERR_TOO_LARGE : 0;
}
