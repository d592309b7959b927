/* Ports that EVEN-PORT put aside, by token (RFC 8656 §7.2). Few and short-lived: a plain array. */
#include "base/mem.h"
#include "base/rng.h"
#include "turn/turn_internal.h"

enum { RESERVED_US = 30000000 };

int turn_reserve(struct turn_server *s, uint64_t relay_token, int family, uint64_t owner,
	uint8_t token[TURN_TOKEN_LEN])
{
	if (s->n_reservations >= s->cfg.reservations_max) {
		s->ops->relay_unreserve(s->arg, relay_token);
		return -ERR_NO_ROOM;
	}
	struct turn_reservation *r = &s->reservations[s->n_reservations++];
	*r = (struct turn_reservation){
		.relay_token = relay_token,
		.family = family,
		.owner = owner,
		.until_us = s->now_us + RESERVED_US,
	};
	rng_bytes(r->token, sizeof r->token);
	r->token[0] = s->cfg.worker;
	memcpy(token, r->token, sizeof r->token);
	turn_sweep_by(s, r->until_us);
	return 0;
}

int turn_reserved_take(struct turn_server *s, struct slice token, uint64_t owner,
	uint64_t *relay_token, int *family)
{
	for (size_t i = 0; i < s->n_reservations; i++) {
		struct turn_reservation *r = &s->reservations[i];
		if (token.n != sizeof r->token || !secret_eq(token.p, r->token, token.n) ||
			r->owner != owner || r->until_us <= s->now_us)
			continue;
		*relay_token = r->relay_token;
		*family = r->family;
		*r = s->reservations[--s->n_reservations];
		return 0;
	}
	return -ERR_NOT_FOUND;
}

uint64_t turn_reserved_expire(struct turn_server *s, uint64_t now_us)
{
	uint64_t next = UINT64_MAX;
	for (size_t i = s->n_reservations; i-- > 0;) {
		struct turn_reservation *r = &s->reservations[i];
		if (r->until_us > now_us) {
			next = MIN(next, r->until_us);
			continue;
		}
		s->ops->relay_unreserve(s->arg, r->relay_token);
		*r = s->reservations[--s->n_reservations];
	}
	return next;
}
