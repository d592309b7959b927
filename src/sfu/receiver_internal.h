/* receiver_internal: what receiver.c offers to uptrack.c. */
#pragma once
#include "sfu/receiver.h"
#include "sfu/uptrack.h"

void receiver_attach(struct receiver *r, struct uptrack *u);
void receiver_detach(struct receiver *r, struct uptrack *u);
void receiver_send_pli(struct receiver *r, uint32_t media_ssrc);

/* The extension numbers under which its packets are stored. */
const struct rtp_ext_ids *receiver_ext_ids(const struct receiver *r);
