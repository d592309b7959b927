#include "pb/pb.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/utf8.h"

const struct pb_limits pb_signal_limits = {
	.size = 2 << 20,
	.memory = 24 << 20,
	.elements = 128 << 10,
	.depth = 16,
};
const struct pb_limits pb_data_limits = {
	.size = 64 << 10,
	.memory = 1 << 20,
	.elements = 8 << 10,
	.depth = 16,
};
const struct pb_limits pb_api_limits = {
	.size = 10 << 20,
	.memory = 64 << 20,
	.elements = 256 << 10,
	.depth = 16,
};

enum wire_type { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

enum {
	VARINT_MAX = 10,
	TAG_MAX = 5,
	FIELD_NUMBER_MAX = (1 << 29) - 1,
	/*
	 * protobuf-c merges a singular message that comes again by copying the arrays of both, so n
	 * repeats cost n² copies. Encoders never repeat; more than a few is an attack.
	 */
	MERGES_MAX = 16,
	ALLOC_OVERHEAD = 16,
};

struct scan {
	uint32_t elements_left, merges_left, depth_left;
};

/* ---- the look ahead of the decoder ---- */

static int take_varint(struct cursor *c, size_t max_len, uint64_t *value)
{
	*value = 0;
	for (size_t i = 0; i < max_len; i++) {
		uint8_t byte = cursor_u8(c);
		if (!c->ok)
			return -ERR_TRUNCATED;
		*value |= (uint64_t)(byte & 0x7f) << (7 * i);
		if (!(byte & 0x80))
			return 0;
	}
	return -ERR_MALFORMED;
}

static uint32_t packed_count(const ProtobufCFieldDescriptor *f, struct slice in)
{
	switch (f->type) {
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_FIXED32:
	case PROTOBUF_C_TYPE_FLOAT: return (uint32_t)(in.n / 4);
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_DOUBLE: return (uint32_t)(in.n / 8);
	default: break;
	}
	uint32_t count = 0;
	for (size_t i = 0; i < in.n; i++)
		count += !(in.p[i] & 0x80);
	return count;
}

static int scan_message(struct scan *s, const ProtobufCMessageDescriptor *desc, struct slice in);

/* Looks into a length-delimited member. `is_repeat` says that a singular field comes again. */
static int scan_bytes(
	struct scan *s, const ProtobufCFieldDescriptor *f, struct slice in, bool is_repeat)
{
	switch (f->type) {
	case PROTOBUF_C_TYPE_STRING: return utf8_is_text(in) ? 0 : -ERR_MALFORMED;
	case PROTOBUF_C_TYPE_BYTES: return 0;
	case PROTOBUF_C_TYPE_MESSAGE:
		if (is_repeat && s->merges_left-- == 0)
			return -ERR_MALFORMED;
		return scan_message(s, f->descriptor, in);
	default: break;
	}
	uint32_t count = packed_count(f, in);
	if (s->elements_left < count)
		return -ERR_TOO_LARGE;
	s->elements_left -= count;
	return 0;
}

/* Bytes that a member of this wire type takes. Groups are not in any version of the protocol. */
static int take_member(struct cursor *c, unsigned wire, struct slice *content)
{
	uint64_t n = 0;
	int err = 0;
	*content = (struct slice){NULL, 0};
	switch (wire) {
	case WIRE_VARINT: return take_varint(c, VARINT_MAX, &n);
	case WIRE_64: n = 8; break;
	case WIRE_32: n = 4; break;
	case WIRE_BYTES: err = take_varint(c, TAG_MAX, &n); break;
	default: return -ERR_MALFORMED;
	}
	if (err)
		return err;
	*content = cursor_take(c, (size_t)n);
	return c->ok ? 0 : -ERR_TRUNCATED;
}

/*
 * Bounds what protobuf-c does without bounds: recursion, elements, merges, and text that is not
 * text. The recursion here is bounded by depth_left.
 */
static int scan_message(struct scan *s, const ProtobufCMessageDescriptor *desc, struct slice in)
{
	if (s->depth_left == 0)
		return -ERR_TOO_LARGE;
	s->depth_left--;
	uint64_t seen[2] = {0, 0};
	struct cursor c = cursor_of(in);
	while (c.left > 0) {
		if (s->elements_left == 0)
			return -ERR_TOO_LARGE;
		s->elements_left--;
		uint64_t tag;
		int err = take_varint(&c, TAG_MAX, &tag);
		if (err)
			return err;
		uint64_t number = tag >> 3;
		if (number == 0 || number > FIELD_NUMBER_MAX)
			return -ERR_MALFORMED;
		struct slice content;
		err = take_member(&c, tag & 7, &content);
		if (err)
			return err;
		const ProtobufCFieldDescriptor *f =
			protobuf_c_message_descriptor_get_field(desc, (unsigned)number);
		if (!f || (tag & 7) != WIRE_BYTES)
			continue;
		size_t at = (size_t)(f - desc->fields) % 128;
		uint64_t bit = UINT64_C(1) << at % 64;
		bool is_repeat = f->label != PROTOBUF_C_LABEL_REPEATED && (seen[at / 64] & bit);
		seen[at / 64] |= bit;
		err = scan_bytes(s, f, content, is_repeat);
		if (err)
			return err;
	}
	s->depth_left++;
	return 0;
}

/* ---- allocation ---- */

struct budget {
	size_t left;
	bool is_spent;
};

static void *budget_alloc(void *data, size_t n)
{
	struct budget *b = data;
	if (b->left < ALLOC_OVERHEAD || b->left - ALLOC_OVERHEAD < n) {
		b->is_spent = true;
		return NULL;
	}
	b->left -= n + ALLOC_OVERHEAD;
	return xmalloc(n);
}

static void budget_free(void *data, void *p)
{
	(void)data;
	xfree(p);
}

static ProtobufCAllocator allocator_of(struct budget *b)
{
	return (ProtobufCAllocator){
		.alloc = budget_alloc, .free = budget_free, .allocator_data = b};
}

int pb_decode(const ProtobufCMessageDescriptor *desc, struct slice in,
	const struct pb_limits *limits, ProtobufCMessage **out)
{
	*out = NULL;
	if (in.n > limits->size)
		return -ERR_TOO_LARGE;
	struct scan scan = {
		.elements_left = limits->elements,
		.merges_left = MERGES_MAX,
		.depth_left = limits->depth,
	};
	int err = scan_message(&scan, desc, in);
	if (err)
		return err;
	struct budget budget = {.left = limits->memory};
	ProtobufCAllocator allocator = allocator_of(&budget);
	*out = protobuf_c_message_unpack(desc, &allocator, in.n, in.p);
	if (*out)
		return 0;
	return budget.is_spent ? -ERR_TOO_LARGE : -ERR_MALFORMED;
}

int pb_encode(const void *msg, struct buf *out)
{
	size_t n = protobuf_c_message_get_packed_size(msg);
	if (n == 0)
		return 0;
	uint8_t *to = buf_extend(out, n);
	if (!to)
		return -ERR_TOO_LARGE;
	(void)protobuf_c_message_pack(msg, to);
	return 0;
}

void *pb_copy(const void *msg)
{
	const ProtobufCMessage *m = msg;
	size_t n = protobuf_c_message_get_packed_size(m);
	uint8_t *bytes = xmalloc(n);
	(void)protobuf_c_message_pack(m, bytes);
	struct budget budget = {.left = SIZE_MAX};
	ProtobufCAllocator allocator = allocator_of(&budget);
	ProtobufCMessage *copy = protobuf_c_message_unpack(m->descriptor, &allocator, n, bytes);
	xfree(bytes);
	if (!copy)
		abort(); /* protobuf-c cannot read what it wrote: a message built against its rules
			  */
	return copy;
}

void pb_free(void *msg)
{
	struct budget budget = {.left = 0};
	ProtobufCAllocator allocator = allocator_of(&budget);
	if (msg)
		protobuf_c_message_free_unpacked(msg, &allocator);
}
