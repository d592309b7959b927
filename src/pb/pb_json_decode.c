#include <errno.h>
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/mem.h"
#include "pb/pb_json_internal.h"
#include "proto/wellknown.pb-c.h"

struct decoder {
	size_t memory_left;
	uint32_t elements_left, depth_left;
	struct errbuf *eb;
};

/* Beside 0 and errors: the value is to be ignored, as if it were not there. */
enum { SKIP = 1 };

static int decode_message(struct decoder *d, const ProtobufCMessageDescriptor *desc,
	const json_t *value, ProtobufCMessage **out);

static int fail(struct decoder *d, enum err err, const ProtobufCFieldDescriptor *f)
{
	return err_set(d->eb, err, "field \"%s\": %s", f->name, err_text((int)err));
}

/* Zeroed memory that counts against the limit. NULL when it is used up. */
static void *take_memory(struct decoder *d, size_t count, size_t size)
{
	size_t n = count * size; /* count is bounded by elements, size by the structs of proto/ */
	if (d->memory_left < n)
		return NULL;
	d->memory_left -= n;
	return xcalloc(count, size);
}

/* ---- scalars ---- */

/* True for text that C's strto functions read as JSON would: no blanks, no hex, no words. */
static bool is_decimal(const char *text)
{
	char first = *text == '-' ? text[1] : *text;
	return first >= '0' && first <= '9' && text[strspn(text, "0123456789+-.eE")] == 0;
}

/* A whole number as an exact decimal: JSON integer, integral real, or either of them as text. */
static int integer_of(const json_t *value, bool is_unsigned, int64_t *i64, uint64_t *u64)
{
	double real;
	if (json_is_integer(value)) {
		*i64 = json_integer_value(value);
		*u64 = (uint64_t)*i64;
		return is_unsigned && *i64 < 0 ? -ERR_RANGE : 0;
	}
	if (json_is_string(value)) {
		const char *text = json_string_value(value);
		if (!is_decimal(text))
			return -ERR_MALFORMED;
		char *end;
		errno = 0;
		*i64 = strtoll(text, &end, 10);
		if (is_unsigned) {
			errno = 0;
			*u64 = strtoull(text, &end, 10);
			if (*text == '-' && *u64 != 0)
				return -ERR_RANGE;
		}
		if (*end == 0)
			return errno == ERANGE ? -ERR_RANGE : 0;
		real = strtod(text, &end);
		if (*end)
			return -ERR_MALFORMED;
	} else if (json_is_real(value)) {
		real = json_real_value(value);
	} else {
		return -ERR_MALFORMED;
	}
	/* Ranges first: the conversion of a number that does not fit is undefined. */
	double low = is_unsigned ? 0 : -0x1p63, high = is_unsigned ? 0x1p64 : 0x1p63;
	if (!(real >= low && real < high))
		return -ERR_RANGE;
	if (is_unsigned)
		*u64 = (uint64_t)real;
	else
		*i64 = (int64_t)real;
	bool is_whole = real == (is_unsigned ? (double)*u64 : (double)*i64);
	return is_whole ? 0 : -ERR_MALFORMED;
}

static int put_integer(ProtobufCType type, const json_t *value, void *dst)
{
	bool is_u32 = type == PROTOBUF_C_TYPE_UINT32 || type == PROTOBUF_C_TYPE_FIXED32;
	bool is_u64 = type == PROTOBUF_C_TYPE_UINT64 || type == PROTOBUF_C_TYPE_FIXED64;
	int64_t i64 = 0;
	uint64_t u64 = 0;
	int err = integer_of(value, is_u32 || is_u64, &i64, &u64);
	if (err)
		return err;
	if (is_u64) {
		memcpy(dst, &u64, sizeof u64);
	} else if (is_u32) {
		if (u64 > UINT32_MAX)
			return -ERR_RANGE;
		uint32_t v = (uint32_t)u64;
		memcpy(dst, &v, sizeof v);
	} else if (pb_json_type_size(type) == sizeof i64) {
		memcpy(dst, &i64, sizeof i64);
	} else {
		if (i64 < INT32_MIN || i64 > INT32_MAX)
			return -ERR_RANGE;
		int32_t v = (int32_t)i64;
		memcpy(dst, &v, sizeof v);
	}
	return 0;
}

static int real_of(const json_t *value, double *real)
{
	if (json_is_number(value)) {
		*real = json_number_value(value);
		return 0;
	}
	const char *text = json_string_value(value);
	if (!text)
		return -ERR_MALFORMED;
	if (!strcmp(text, "NaN")) {
		*real = (double)NAN;
		return 0;
	}
	if (!strcmp(text, "Infinity") || !strcmp(text, "-Infinity")) {
		*real = *text == '-' ? (double)-INFINITY : (double)INFINITY;
		return 0;
	}
	char *end;
	if (!is_decimal(text))
		return -ERR_MALFORMED;
	*real = strtod(text, &end);
	if (*end)
		return -ERR_MALFORMED;
	return isfinite(*real) ? 0 : -ERR_RANGE;
}

static int put_real(ProtobufCType type, const json_t *value, void *dst)
{
	double real;
	int err = real_of(value, &real);
	if (err)
		return err;
	if (type == PROTOBUF_C_TYPE_DOUBLE) {
		memcpy(dst, &real, sizeof real);
		return 0;
	}
	if (isfinite(real) && fabs(real) > (double)FLT_MAX)
		return -ERR_RANGE;
	float v = (float)real;
	memcpy(dst, &v, sizeof v);
	return 0;
}

static int put_enum(const ProtobufCEnumDescriptor *desc, const json_t *value, void *dst)
{
	if (!json_is_string(value))
		return put_integer(PROTOBUF_C_TYPE_INT32, value, dst);
	const ProtobufCEnumValue *v =
		protobuf_c_enum_descriptor_get_value_by_name(desc, json_string_value(value));
	if (!v)
		return SKIP;
	int32_t number = v->value;
	memcpy(dst, &number, sizeof number);
	return 0;
}

static int put_string(struct decoder *d, const json_t *value, void *dst)
{
	if (!json_is_string(value))
		return -ERR_MALFORMED;
	size_t n = json_string_length(value);
	char *s = take_memory(d, 1, n + 1);
	if (!s)
		return -ERR_TOO_LARGE;
	memcpy(s, json_string_value(value), n);
	memcpy(dst, &s, sizeof(char *));
	return 0;
}

static int put_bytes(struct decoder *d, const json_t *value, ProtobufCBinaryData *dst)
{
	if (!json_is_string(value))
		return -ERR_MALFORMED;
	struct buf bytes;
	buf_init(&bytes, d->memory_left);
	int err = base64_decode(
		&bytes, slice_of(json_string_value(value), json_string_length(value)));
	if (err) {
		buf_free(&bytes);
		return err;
	}
	d->memory_left -= bytes.n;
	dst->len = bytes.n;
	dst->data = bytes.n ? (uint8_t *)buf_take(&bytes) : NULL;
	return 0;
}

/* Writes one value of the field's type to dst. 0, SKIP or an error; dst is untouched unless 0. */
static int put_value(
	struct decoder *d, const ProtobufCFieldDescriptor *f, const json_t *value, void *dst)
{
	switch (f->type) {
	case PROTOBUF_C_TYPE_FLOAT:
	case PROTOBUF_C_TYPE_DOUBLE: return put_real(f->type, value, dst);
	case PROTOBUF_C_TYPE_BOOL:
		if (!json_is_boolean(value))
			return -ERR_MALFORMED;
		*(protobuf_c_boolean *)dst = json_is_true(value);
		return 0;
	case PROTOBUF_C_TYPE_ENUM: return put_enum(f->descriptor, value, dst);
	case PROTOBUF_C_TYPE_STRING: return put_string(d, value, dst);
	case PROTOBUF_C_TYPE_BYTES: return put_bytes(d, value, dst);
	case PROTOBUF_C_TYPE_MESSAGE: {
		ProtobufCMessage *msg = NULL;
		int err = decode_message(d, f->descriptor, value, &msg);
		if (!err)
			memcpy(dst, &msg, sizeof(ProtobufCMessage *));
		return err;
	}
	default: return put_integer(f->type, value, dst);
	}
}

/* put_value, with the field's name on failure (the innermost field wins). */
static int put_named(
	struct decoder *d, const ProtobufCFieldDescriptor *f, const json_t *value, void *dst)
{
	if (d->elements_left == 0)
		return fail(d, ERR_TOO_LARGE, f);
	d->elements_left--;
	int err = put_value(d, f, value, dst);
	return err < 0 && f->type != PROTOBUF_C_TYPE_MESSAGE ? fail(d, (enum err) - err, f) : err;
}

/* ---- fields ---- */

static void *member_of(ProtobufCMessage *msg, unsigned offset)
{
	return (uint8_t *)msg + offset;
}

static bool is_nonzero(const ProtobufCFieldDescriptor *f, const void *member)
{
	static const uint8_t zero[8];
	if (f->type == PROTOBUF_C_TYPE_BYTES)
		return ((const ProtobufCBinaryData *)member)->len > 0;
	return memcmp(member, zero, pb_json_type_size(f->type)) != 0;
}

static int put_single(struct decoder *d, ProtobufCMessage *msg, const ProtobufCFieldDescriptor *f,
	const json_t *value)
{
	void *quantifier = member_of(msg, f->quantifier_offset);
	void *member = member_of(msg, f->offset);
	if (pb_json_is_oneof(f) && *(uint32_t *)quantifier != 0)
		return fail(d, ERR_MALFORMED, f);
	int err = put_named(d, f, value, member);
	if (err)
		return err == SKIP ? 0 : err;
	if (pb_json_is_oneof(f))
		*(uint32_t *)quantifier = f->id;
	else if (f->type != PROTOBUF_C_TYPE_STRING && f->type != PROTOBUF_C_TYPE_MESSAGE)
		/* A zero that is the same as absent stays absent, so that the bytes are those of
		 * any encoder. */
		*(protobuf_c_boolean *)quantifier = f->default_value || is_nonzero(f, member);
	return 0;
}

/* Room for `n` elements in a repeated field that is still empty. NULL past the limits. */
static uint8_t *take_array(
	struct decoder *d, ProtobufCMessage *msg, const ProtobufCFieldDescriptor *f, size_t n)
{
	if (d->elements_left < n)
		return NULL;
	void *array = take_memory(d, n, pb_json_type_size(f->type));
	if (array)
		memcpy(member_of(msg, f->offset), &array, sizeof array);
	return array;
}

static int put_array(struct decoder *d, ProtobufCMessage *msg, const ProtobufCFieldDescriptor *f,
	const json_t *value)
{
	if (!json_is_array(value))
		return fail(d, ERR_MALFORMED, f);
	size_t n = json_array_size(value);
	if (n == 0)
		return 0;
	uint8_t *array = take_array(d, msg, f, n);
	if (!array)
		return fail(d, ERR_TOO_LARGE, f);
	size_t *count = member_of(msg, f->quantifier_offset);
	size_t size = pb_json_type_size(f->type);
	for (size_t i = 0; i < n; i++) {
		int err = put_named(d, f, json_array_get(value, i), array + *count * size);
		if (err < 0)
			return err;
		*count += err == 0;
	}
	return 0;
}

/* The key of a map is the text of its type: a string, a number or a bool. */
static int put_map_key(
	struct decoder *d, const ProtobufCFieldDescriptor *f, const char *key, void *dst)
{
	json_t *value;
	if (f->type == PROTOBUF_C_TYPE_BOOL)
		value = !strcmp(key, "true")    ? json_true()
			: !strcmp(key, "false") ? json_false()
						: json_null();
	else
		value = json_string(key);
	int err = put_named(d, f, value, dst);
	json_decref(value);
	return err;
}

static int put_entry(
	struct decoder *d, ProtobufCMessage *entry, const char *key, const json_t *value)
{
	const ProtobufCFieldDescriptor *fields = entry->descriptor->fields;
	int err = put_map_key(d, &fields[0], key, member_of(entry, fields[0].offset));
	if (err)
		return err;
	/* The presence of a number's key is written although it may be zero: entries always have
	 * both on the wire. */
	if (fields[0].type != PROTOBUF_C_TYPE_STRING)
		*(protobuf_c_boolean *)member_of(entry, fields[0].quantifier_offset) = true;
	err = put_named(d, &fields[1], value, member_of(entry, fields[1].offset));
	if (err)
		return err;
	if (fields[1].type != PROTOBUF_C_TYPE_STRING && fields[1].type != PROTOBUF_C_TYPE_MESSAGE)
		*(protobuf_c_boolean *)member_of(entry, fields[1].quantifier_offset) = true;
	return 0;
}

static int put_map(struct decoder *d, ProtobufCMessage *msg, const ProtobufCFieldDescriptor *f,
	const json_t *value)
{
	if (!json_is_object(value))
		return fail(d, ERR_MALFORMED, f);
	size_t n = json_object_size(value);
	if (n == 0)
		return 0;
	const ProtobufCMessageDescriptor *desc = f->descriptor;
	ProtobufCMessage **entries = (ProtobufCMessage **)(void *)take_array(d, msg, f, n);
	if (!entries)
		return fail(d, ERR_TOO_LARGE, f);
	size_t *count = member_of(msg, f->quantifier_offset);
	json_t *object = (json_t *)(uintptr_t)
		value; /* jansson's iterators want it mutable, and do not change it */
	for (void *it = json_object_iter(object); it; it = json_object_iter_next(object, it)) {
		ProtobufCMessage *entry = take_memory(d, 1, desc->sizeof_message);
		if (!entry)
			return fail(d, ERR_TOO_LARGE, f);
		protobuf_c_message_init(desc, entry);
		int err = put_entry(d, entry, json_object_iter_key(it), json_object_iter_value(it));
		if (err) {
			pb_free(entry);
			if (err == SKIP)
				continue;
			return err;
		}
		entries[(*count)++] = entry;
	}
	return 0;
}

/* ---- messages ---- */

static bool is_camel_of(const char *key, const char *name)
{
	for (; *name; name++, key++) {
		char c = *name;
		if (c == '_' && name[1]) {
			c = *++name;
			if (c >= 'a' && c <= 'z')
				c = (char)(c - 'a' + 'A');
		}
		if (*key != c)
			return false;
	}
	return *key == 0;
}

static const ProtobufCFieldDescriptor *find_field(
	const ProtobufCMessageDescriptor *desc, const char *key)
{
	const ProtobufCFieldDescriptor *f =
		protobuf_c_message_descriptor_get_field_by_name(desc, key);
	for (unsigned i = 0; !f && i < desc->n_fields; i++)
		if (is_camel_of(key, desc->fields[i].name))
			f = &desc->fields[i];
	return f;
}

static int decode_time(
	struct decoder *d, enum well_known kind, const json_t *value, ProtobufCMessage *msg)
{
	/* Both have the same layout. */
	Googlebuf__Timestamp *t = (Googlebuf__Timestamp *)msg;
	const char *text = json_string_value(value);
	int err = text ? pb_json_time_decode(kind, text, &t->seconds, &t->nanos) : -ERR_MALFORMED;
	if (err)
		return err_set(d->eb, (enum err) - err, "%s: %s", msg->descriptor->short_name,
			err_text(err));
	t->has_seconds = t->seconds != 0;
	t->has_nanos = t->nanos != 0;
	return 0;
}

static int decode_fields(struct decoder *d, const json_t *value, ProtobufCMessage *msg)
{
	const ProtobufCMessageDescriptor *desc = msg->descriptor;
	enum well_known kind = pb_json_well_known(desc);
	if (kind != WELL_KNOWN_NOT)
		return decode_time(d, kind, value, msg);
	if (!json_is_object(value))
		return err_set(d->eb, ERR_MALFORMED, "%s: not a JSON object", desc->short_name);
	uint64_t seen[2] = {0, 0};
	json_t *object = (json_t *)(uintptr_t)value;
	for (void *it = json_object_iter(object); it; it = json_object_iter_next(object, it)) {
		const json_t *member = json_object_iter_value(it);
		const ProtobufCFieldDescriptor *f = find_field(desc, json_object_iter_key(it));
		if (!f || json_is_null(member))
			continue;
		/* One field may come under both of its names. */
		size_t at = (size_t)(f - desc->fields) % 128;
		uint64_t bit = UINT64_C(1) << at % 64;
		if (seen[at / 64] & bit)
			return fail(d, ERR_MALFORMED, f);
		seen[at / 64] |= bit;
		int err = pb_json_is_map(f)                       ? put_map(d, msg, f, member)
			  : f->label == PROTOBUF_C_LABEL_REPEATED ? put_array(d, msg, f, member)
								  : put_single(d, msg, f, member);
		if (err)
			return err;
	}
	return 0;
}

static int decode_message(struct decoder *d, const ProtobufCMessageDescriptor *desc,
	const json_t *value, ProtobufCMessage **out)
{
	ProtobufCMessage *msg = d->depth_left ? take_memory(d, 1, desc->sizeof_message) : NULL;
	if (!msg)
		return err_set(
			d->eb, ERR_TOO_LARGE, "%s: %s", desc->short_name, err_text(ERR_TOO_LARGE));
	protobuf_c_message_init(desc, msg);
	d->depth_left--;
	int err = decode_fields(d, value, msg);
	d->depth_left++;
	if (err) {
		pb_free(msg);
		return err;
	}
	*out = msg;
	return 0;
}

int pb_json_decode_value(const ProtobufCMessageDescriptor *desc, const json_t *value,
	const struct pb_limits *limits, ProtobufCMessage **out, struct errbuf *eb)
{
	struct decoder d = {
		.memory_left = limits->memory,
		.elements_left = limits->elements,
		.depth_left = limits->depth,
		.eb = eb,
	};
	*out = NULL;
	return decode_message(&d, desc, value, out);
}

/* ---- text ---- */

/*
 * Counts what jansson will make an object of, without judging the grammar: everything but the first
 * value of a text is preceded by "[", "{" or ",", keys and values of an object counting as one.
 * Levels are brackets; a message level may take two of them (an array or map, and its elements).
 */
static bool is_within(struct slice text, const struct pb_limits *limits)
{
	uint32_t elements = 0;
	size_t depth = 0;
	bool in_string = false;
	for (size_t i = 0; i < text.n; i++) {
		uint8_t c = text.p[i];
		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
			continue;
		}
		if (c == '"')
			in_string = true;
		else if (c == '[' || c == '{')
			depth++;
		else if ((c == ']' || c == '}') && depth > 0)
			depth--;
		if (c == ',' || c == '[' || c == '{')
			elements++;
		if (elements > limits->elements || depth > 2 * (size_t)limits->depth)
			return false;
	}
	return true;
}

int pb_json_parse(
	struct slice text, const struct pb_limits *limits, json_t **out, struct errbuf *eb)
{
	*out = NULL;
	if (text.n > limits->size || !is_within(text, limits))
		return err_set(eb, ERR_TOO_LARGE, "JSON: %s", err_text(ERR_TOO_LARGE));
	json_error_t error = {.line = 1};
	const char *p = (const char *)text.p;
	if (text.n > 0)
		*out = json_loadb(p, text.n, JSON_REJECT_DUPLICATES, &error);
	/* Encoders in JavaScript write 1e20 with all its digits, too many for jansson's integers.
	 */
	if (text.n > 0 && !*out && json_error_code(&error) == json_error_numeric_overflow)
		*out = json_loadb(
			p, text.n, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &error);
	if (!*out)
		return err_set(eb, ERR_MALFORMED, "JSON, line %d, column %d: %s", error.line,
			error.column, text.n ? error.text : "empty");
	return 0;
}

int pb_json_decode(const ProtobufCMessageDescriptor *desc, struct slice text,
	const struct pb_limits *limits, ProtobufCMessage **out, struct errbuf *eb)
{
	*out = NULL;
	json_t *value;
	int err = pb_json_parse(text, limits, &value, eb);
	if (err)
		return err;
	err = pb_json_decode_value(desc, value, limits, out, eb);
	json_decref(value);
	return err;
}
