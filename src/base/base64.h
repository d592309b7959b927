/*
 * base64: RFC 4648, both alphabets. Control path only.
 */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "base/macros.h"
#include "base/slice.h"

enum base64_form {
	BASE64_STD,        /* §4: "+/", padded; JSON bytes, webhook hashes */
	BASE64_URL,        /* §5: "-_", padded */
	BASE64_URL_NO_PAD, /* §5: "-_", without "="; JWT (RFC 7515 §2) */
};

/* Appends the text of `in`; sets out->full when it does not fit. */
void base64_encode(struct buf *out, struct slice in, enum base64_form form);

/*
 * Appends the bytes of `text`. Takes either alphabet, with or without padding. White space, padding
 * of the wrong length, and bits left over that are not zero (RFC 4648 §3.5) are errors. 0,
 * -ERR_MALFORMED, or -ERR_TOO_LARGE when `out` is full; `out` may hold a part of the bytes after an
 * error.
 */
MUST_CHECK int base64_decode(struct buf *out, struct slice text);
