/* A username; what is accepted is minted again and has to be the same text. */
#include <stdlib.h>

#include "turn/participant.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct turn_participant who;
	char user[TURN_PARTICIPANT_USER_CAP], password[TURN_PARTICIPANT_PASSWORD_CAP];
	if (turn_participant_parse(slice_of(p, n), &who))
		return 0;
	if (turn_participant_mint(who.api_key, "secret", who.sid, who.expires_s, user, password) ||
		!slice_eq_str(slice_of(p, n), user))
		abort();
	return 0;
}
