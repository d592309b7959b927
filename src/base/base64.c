#include "base/base64.h"

static const char std_chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

enum { NO_DIGIT = 64 };

static uint32_t digit_of(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return (uint32_t)(c - 'A');
	if (c >= 'a' && c <= 'z')
		return (uint32_t)(c - 'a' + 26);
	if (c >= '0' && c <= '9')
		return (uint32_t)(c - '0' + 52);
	if (c == '+' || c == '-')
		return 62;
	if (c == '/' || c == '_')
		return 63;
	return NO_DIGIT;
}

void base64_encode(struct buf *out, struct slice in, enum base64_form form)
{
	const char *chars = form == BASE64_STD ? std_chars : url_chars;
	size_t tail = in.n % 3;
	size_t pad = tail && form != BASE64_URL_NO_PAD ? 3 - tail : 0;
	uint8_t *to = buf_extend(out, in.n / 3 * 4 + (tail ? tail + 1 : 0) + pad);
	if (!to)
		return;
	for (size_t at = 0; at < in.n; at += 3) {
		size_t n = MIN(in.n - at, (size_t)3);
		uint32_t bits = (uint32_t)in.p[at] << 16;
		if (n > 1)
			bits |= (uint32_t)in.p[at + 1] << 8;
		if (n > 2)
			bits |= in.p[at + 2];
		for (size_t i = 0; i <= n; i++)
			*to++ = (uint8_t)chars[bits >> (18 - 6 * i) & 63];
	}
	while (pad--)
		*to++ = '=';
}

/* Length of the text without its padding; false if "=" does not fill up the last four. */
static bool strip_padding(struct slice *text)
{
	size_t pad = 0;
	while (pad < text->n && text->p[text->n - 1 - pad] == '=')
		pad++;
	if (pad && (text->n % 4 != 0 || pad > 2))
		return false;
	text->n -= pad;
	return text->n % 4 != 1;
}

int base64_decode(struct buf *out, struct slice text)
{
	if (!strip_padding(&text))
		return -ERR_MALFORMED;
	size_t len = text.n / 4 * 3 + (text.n % 4 ? text.n % 4 - 1 : 0);
	if (len == 0)
		return 0;
	uint8_t *to = buf_extend(out, len);
	if (!to)
		return -ERR_TOO_LARGE;
	uint32_t bits = 0;
	unsigned n_bits = 0;
	for (size_t i = 0; i < text.n; i++) {
		uint32_t digit = digit_of(text.p[i]);
		if (digit == NO_DIGIT)
			return -ERR_MALFORMED;
		bits = bits << 6 | digit;
		n_bits += 6;
		if (n_bits >= 8) {
			n_bits -= 8;
			*to++ = (uint8_t)(bits >> n_bits);
		}
	}
	return bits & ((1u << n_bits) - 1) ? -ERR_MALFORMED : 0;
}
