/*
 * participant: the TURN credentials that the SFU mints for its participants
 * (JoinResponse.ice_servers).
 *
 * username = base62(apiKey|participantSid|unixExpiry), password =
 * base62(SHA-256(secret|participantSid|unixExpiry)).
 * Opaque to clients; only this program makes and checks them. Any thread.
 */
#pragma once
#include <stdint.h>
#include "base/err.h"
#include "base/slice.h"

enum { TURN_PARTICIPANT_USER_CAP = 384, TURN_PARTICIPANT_PASSWORD_CAP = 64 };

/* Both texts NUL-terminated. -ERR_NO_ROOM if the key is too long. */
MUST_CHECK int turn_participant_mint(const char *api_key, const char *secret, const char *sid,
	uint64_t expires_s, char user[TURN_PARTICIPANT_USER_CAP],
	char password[TURN_PARTICIPANT_PASSWORD_CAP]);

struct turn_participant {
	char api_key[256], sid[64];
	uint64_t expires_s;
};
/* Splits a username; all three parts required, expiry > 0. -ERR_MALFORMED for anything else. */
MUST_CHECK int turn_participant_parse(struct slice username, struct turn_participant *out);

/* The password that belongs to it. */
void turn_participant_password(const struct turn_participant *p, const char *secret,
	char out[TURN_PARTICIPANT_PASSWORD_CAP]);
