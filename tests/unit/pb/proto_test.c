/* proto/ is complete: each row of livekit-wire.tsv is in our descriptors, and nothing else is. */
#include "vectors.h"

#include "registry.h"

enum { GROUP, KIND, OWNER, NUMBER, NAME, TYPE, LABEL, NOTE };

static struct registry registry;

static const struct {
	const char *name;
	ProtobufCType type;
} scalars[] = {
	{"bool", PROTOBUF_C_TYPE_BOOL},
	{"bytes", PROTOBUF_C_TYPE_BYTES},
	{"double", PROTOBUF_C_TYPE_DOUBLE},
	{"float", PROTOBUF_C_TYPE_FLOAT},
	{"int32", PROTOBUF_C_TYPE_INT32},
	{"int64", PROTOBUF_C_TYPE_INT64},
	{"string", PROTOBUF_C_TYPE_STRING},
	{"uint32", PROTOBUF_C_TYPE_UINT32},
	{"uint64", PROTOBUF_C_TYPE_UINT64},
};

static void check_type(const ProtobufCFieldDescriptor *f, const char *type)
{
	for (size_t i = 0; i < ARRAY_LEN(scalars); i++) {
		if (!strcmp(scalars[i].name, type)) {
			assert_int_equal(f->type, scalars[i].type);
			return;
		}
	}
	const char *package = strncmp(type, "googlebuf.", 10) ? "livekit." : "";
	char *full = xasprintf("%s%s", package, type);
	if (f->type == PROTOBUF_C_TYPE_ENUM) {
		assert_string_equal(((const ProtobufCEnumDescriptor *)f->descriptor)->name, full);
	} else {
		assert_int_equal(f->type, PROTOBUF_C_TYPE_MESSAGE);
		assert_string_equal(
			((const ProtobufCMessageDescriptor *)f->descriptor)->name, full);
	}
	xfree(full);
}

/* "map<key,value>" as the entry message that stands for it. */
static void check_map(const ProtobufCFieldDescriptor *f, char *type)
{
	char *comma = strchr(type, ',');
	char *end = strchr(type, '>');
	assert_non_null(comma);
	assert_non_null(end);
	*comma = *end = 0;
	assert_int_equal(f->type, PROTOBUF_C_TYPE_MESSAGE);
	const ProtobufCMessageDescriptor *entry = f->descriptor;
	assert_int_equal(entry->n_fields, 2);
	assert_string_equal(entry->short_name + strlen(entry->short_name) - 5, "Entry");
	assert_int_equal(entry->fields[0].id, 1);
	assert_int_equal(entry->fields[1].id, 2);
	check_type(&entry->fields[0], type + strlen("map<"));
	check_type(&entry->fields[1], comma + 1);
}

static void check_label(const ProtobufCFieldDescriptor *f, const char *label)
{
	bool is_many = !strcmp(label, "repeated") || !strcmp(label, "map");
	bool is_oneof = !strncmp(label, "oneof ", 6);
	bool is_number = f->type != PROTOBUF_C_TYPE_STRING && f->type != PROTOBUF_C_TYPE_BYTES &&
			 f->type != PROTOBUF_C_TYPE_MESSAGE;
	assert_int_equal(f->label, is_many ? PROTOBUF_C_LABEL_REPEATED : PROTOBUF_C_LABEL_OPTIONAL);
	assert_int_equal((f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0, is_oneof);
	assert_int_equal((f->flags & PROTOBUF_C_FIELD_FLAG_PACKED) != 0, is_many && is_number);
	/* pb_json tells explicit presence by the default. */
	bool is_explicit = !strcmp(label, "optional") && f->type != PROTOBUF_C_TYPE_STRING &&
			   f->type != PROTOBUF_C_TYPE_MESSAGE;
	assert_int_equal(f->default_value != NULL, is_explicit);
}

static void check_field(char *row[VECTORS_COLUMNS])
{
	const ProtobufCMessageDescriptor *desc = registry_find(&registry, row[OWNER]);
	if (!desc)
		fail_msg("no message %s", row[OWNER]);
	const ProtobufCFieldDescriptor *f =
		protobuf_c_message_descriptor_get_field_by_name(desc, row[NAME]);
	if (!f)
		fail_msg("no field %s.%s", row[OWNER], row[NAME]);
	assert_int_equal(f->id, strtoul(row[NUMBER], NULL, 10));
	check_label(f, row[LABEL]);
	if (!strncmp(row[TYPE], "map<", 4))
		check_map(f, row[TYPE]);
	else
		check_type(f, row[TYPE]);
}

static void check_enum(char *row[VECTORS_COLUMNS])
{
	const ProtobufCEnumDescriptor *desc = registry_find_enum(&registry, row[OWNER]);
	if (!desc)
		fail_msg("no enum %s", row[OWNER]);
	const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value_by_name(desc, row[NAME]);
	if (!v)
		fail_msg("no enum value %s.%s", row[OWNER], row[NAME]);
	assert_int_equal(v->value, strtol(row[NUMBER], NULL, 10));
}

static void check_rpc(char *row[VECTORS_COLUMNS])
{
	static const ProtobufCServiceDescriptor *const services[] = {
		&livekit__room_service__descriptor,
		&livekit__agent_dispatch_service__descriptor,
		&livekit__egress__descriptor,
		&livekit__ingress__descriptor,
		&livekit__sip__descriptor,
	};
	for (size_t i = 0; i < ARRAY_LEN(services); i++) {
		if (strcmp(services[i]->short_name, row[OWNER]) != 0)
			continue;
		const ProtobufCMethodDescriptor *m =
			protobuf_c_service_descriptor_get_method_by_name(services[i], row[NAME]);
		if (!m)
			fail_msg("no method %s.%s", row[OWNER], row[NAME]);
		char *types = xasprintf("%s -> %s", m->input->short_name, m->output->short_name);
		assert_string_equal(types, row[TYPE]);
		xfree(types);
		return;
	}
	fail_msg("no service %s", row[OWNER]);
}

static void every_row_is_there(void **st)
{
	(void)st;
	struct vectors v;
	char *row[VECTORS_COLUMNS];
	size_t rows = 0;
	vectors_open(&v, "livekit-wire.tsv");
	assert_true(vectors_next(&v, row));
	for (; vectors_next(&v, row); rows++) {
		if (!strcmp(row[KIND], "field"))
			check_field(row);
		else if (!strcmp(row[KIND], "enum"))
			check_enum(row);
		else if (!strcmp(row[KIND], "rpc"))
			check_rpc(row);
		else if (!registry_find(&registry, row[OWNER]))
			fail_msg("no message %s", row[OWNER]);
	}
	vectors_close(&v);
	assert_true(rows > 1800);
}

static void nothing_else_is_there(void **st)
{
	(void)st;
	size_t fields = 0, values = 0;
	for (size_t i = 0; i < registry.n_messages; i++) {
		const char *name = registry.messages[i]->name;
		bool is_entry = !strcmp(name + strlen(name) - 5, "Entry");
		if (!is_entry && !strncmp(name, "livekit.", 8))
			fields += registry.messages[i]->n_fields;
	}
	for (size_t i = 0; i < registry.n_enums; i++)
		values += registry.enums[i]->n_value_names;

	struct vectors v;
	char *row[VECTORS_COLUMNS];
	vectors_open(&v, "livekit-wire.tsv");
	while (vectors_next(&v, row)) {
		fields -= !strcmp(row[KIND], "field");
		values -= !strcmp(row[KIND], "enum");
	}
	vectors_close(&v);
	assert_int_equal(fields, 0);
	assert_int_equal(values, 0);
}

/* The scans of pb and pb_json keep one bit per field of a message in 128. */
static void no_message_has_more_than_128_fields(void **st)
{
	(void)st;
	for (size_t i = 0; i < registry.n_messages; i++)
		assert_true(registry.messages[i]->n_fields <= 128);
}

int main(void)
{
	registry_init(&registry);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_is_there),
		cmocka_unit_test(nothing_else_is_there),
		cmocka_unit_test(no_message_has_more_than_128_fields),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
