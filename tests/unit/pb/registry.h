/* registry: every message and enum of proto/, found by walking from the outermost ones. */
#pragma once
#include <protobuf-c/protobuf-c.h>
#include <string.h>

#include "base/macros.h"
#include "proto/agent.pb-c.h"
#include "proto/agent_dispatch.pb-c.h"
#include "proto/egress.pb-c.h"
#include "proto/ingress.pb-c.h"
#include "proto/metrics.pb-c.h"
#include "proto/models.pb-c.h"
#include "proto/room.pb-c.h"
#include "proto/signal.pb-c.h"
#include "proto/sip.pb-c.h"
#include "proto/token_source.pb-c.h"
#include "proto/webhook.pb-c.h"

enum { REGISTRY_MAX = 600 };

struct registry {
	const ProtobufCMessageDescriptor *messages[REGISTRY_MAX];
	const ProtobufCEnumDescriptor *enums[REGISTRY_MAX];
	size_t n_messages, n_enums;
};

static inline void registry_add_enum(struct registry *r, const ProtobufCEnumDescriptor *desc)
{
	for (size_t i = 0; i < r->n_enums; i++)
		if (r->enums[i] == desc)
			return;
	assert_true(r->n_enums < REGISTRY_MAX);
	r->enums[r->n_enums++] = desc;
}

static inline void registry_add(struct registry *r, const ProtobufCMessageDescriptor *desc)
{
	for (size_t i = 0; i < r->n_messages; i++)
		if (r->messages[i] == desc)
			return;
	assert_true(r->n_messages < REGISTRY_MAX);
	r->messages[r->n_messages++] = desc;
	for (unsigned i = 0; i < desc->n_fields; i++) {
		if (desc->fields[i].type == PROTOBUF_C_TYPE_MESSAGE)
			registry_add(r, desc->fields[i].descriptor);
		if (desc->fields[i].type == PROTOBUF_C_TYPE_ENUM)
			registry_add_enum(r, desc->fields[i].descriptor);
	}
}

static inline void registry_init(struct registry *r)
{
	static const ProtobufCServiceDescriptor *const services[] = {
		&livekit__room_service__descriptor,
		&livekit__agent_dispatch_service__descriptor,
		&livekit__egress__descriptor,
		&livekit__ingress__descriptor,
		&livekit__sip__descriptor,
	};
	static const ProtobufCMessageDescriptor *const roots[] = {
		&livekit__metrics_recording_header__descriptor,
		&livekit__playout_delay__descriptor,
		&livekit__encryption__descriptor,
		&livekit__data_track_extension_participant_sid__descriptor,
		&livekit__data_packet__descriptor,
		&livekit__encrypted_packet_payload__descriptor,
		&livekit__rtpstats__descriptor,
		&livekit__rtpforwarder_state__descriptor,
		&livekit__data_stream__descriptor,
		&livekit__signal_request__descriptor,
		&livekit__signal_response__descriptor,
		&livekit__join_request__descriptor,
		&livekit__wrapped_join_request__descriptor,
		&livekit__data_config__descriptor,
		&livekit__worker_message__descriptor,
		&livekit__server_message__descriptor,
		&livekit__room_agent__descriptor,
		&livekit__create_siptrunk_request__descriptor,
		&livekit__sipcall_info__descriptor,
		&livekit__siptransfer_info__descriptor,
		&livekit__webhook_event__descriptor,
		&livekit__token_source_request__descriptor,
		&livekit__token_source_response__descriptor,
	};
	static const ProtobufCEnumDescriptor *const enums[] = {
		&livekit__metric_label__descriptor,
	};
	*r = (struct registry){.n_messages = 0};
	for (size_t i = 0; i < ARRAY_LEN(services); i++) {
		for (unsigned j = 0; j < services[i]->n_methods; j++) {
			registry_add(r, services[i]->methods[j].input);
			registry_add(r, services[i]->methods[j].output);
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(roots); i++)
		registry_add(r, roots[i]);
	for (size_t i = 0; i < ARRAY_LEN(enums); i++)
		registry_add_enum(r, enums[i]);
}

/* By name without the package. NULL if there is none. */
static inline const ProtobufCMessageDescriptor *registry_find(
	const struct registry *r, const char *name)
{
	for (size_t i = 0; i < r->n_messages; i++)
		if (!strncmp(r->messages[i]->name, "livekit.", 8) &&
			!strcmp(r->messages[i]->name + 8, name))
			return r->messages[i];
	return NULL;
}

static inline const ProtobufCEnumDescriptor *registry_find_enum(
	const struct registry *r, const char *name)
{
	for (size_t i = 0; i < r->n_enums; i++)
		if (!strncmp(r->enums[i]->name, "livekit.", 8) &&
			!strcmp(r->enums[i]->name + 8, name))
			return r->enums[i];
	return NULL;
}
