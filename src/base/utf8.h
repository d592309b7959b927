/* utf8: checks of text from outside (RFC 3629: shortest form, no surrogates, at most U+10FFFF). */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "base/slice.h"

/* Bytes of the well-formed character at the front of p, 1 to 4; 0 if there is none within `left`.
 */
size_t utf8_char_len(const uint8_t *p, size_t left);

/* True if all of it is well-formed and no character is NUL, so that it survives as a C string. */
bool utf8_is_text(struct slice s);
