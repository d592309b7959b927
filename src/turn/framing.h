/*
 * framing: whole messages out of a byte stream (RFC 8489 §6.2.2, RFC 8656 §12.5).
 *
 * STUN messages and ChannelData tell their own length; ChannelData is padded to a multiple of 4 on a stream, and the
 * padding is not in its length. There is no state: the caller keeps the bytes of an unfinished message and asks
 * again when it has more. A stream that once went wrong cannot be taken up again and has to be closed.
 */
#pragma once
#include <stddef.h>
#include "base/slice.h"

enum framing_kind {
	FRAMING_MORE,    /* not a whole message yet; `size` = bytes that are needed before asking again makes sense */
	FRAMING_STUN,
	FRAMING_CHANNEL,
	FRAMING_BAD,     /* neither: close */
};

struct framing {
	enum framing_kind kind;
	size_t n;    /* bytes of the message, without padding */
	size_t size; /* bytes it takes up in the stream */
};

enum { FRAMING_SIZE_MAX = 65536 + 20 }; /* longest `size` there is: STUN's; ChannelData takes 65540 */

/* The message at the front of `in`. */
struct framing framing_next(struct slice in);

/* True for what may be dropped where a reader is slow: ChannelData and Data indications. `in` is a whole message. */
bool framing_is_data(struct slice in);
