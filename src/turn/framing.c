#include "turn/framing.h"

#include "stun/stun.h"
#include "turn/turn.h"

enum { DATA_INDICATION = 0x0017, COOKIE_END = STUN_TID_AT };

static struct framing more(size_t size)
{
	return (struct framing){FRAMING_MORE, 0, size};
}

static const struct framing bad = {FRAMING_BAD, 0, 0};

static struct framing stun(struct slice in)
{
	/* Each field is judged as soon as it is there, so that garbage is not waited for. */
	if (in.n < TURN_CHANNEL_HDR_LEN)
		return more(TURN_CHANNEL_HDR_LEN);
	size_t size = STUN_HDR_LEN + (size_t)rd16(in.p + 2);
	if (size % 4)
		return bad;
	if (in.n < COOKIE_END)
		return more(COOKIE_END);
	if (rd32(in.p + 4) != STUN_COOKIE)
		return bad;
	if (in.n < size)
		return more(size);
	return (struct framing){FRAMING_STUN, size, size};
}

static struct framing channel(struct slice in)
{
	if (in.n < TURN_CHANNEL_HDR_LEN)
		return more(TURN_CHANNEL_HDR_LEN);
	size_t n = TURN_CHANNEL_HDR_LEN + (size_t)rd16(in.p + 2), size = (n + 3) & ~(size_t)3;
	if (in.n < size)
		return more(size);
	return (struct framing){FRAMING_CHANNEL, n, size};
}

struct framing framing_next(struct slice in)
{
	if (in.n == 0)
		return more(1);
	if (in.p[0] <= 0x3f)
		return stun(in);
	if (in.p[0] >= TURN_CHANNEL_FIRST >> 8 && in.p[0] <= TURN_CHANNEL_LAST >> 8)
		return channel(in);
	return bad;
}

bool framing_is_data(struct slice in)
{
	return in.n >= 2 && (in.p[0] >= TURN_CHANNEL_FIRST >> 8 || rd16(in.p) == DATA_INDICATION);
}
