#include "base/utf8.h"

static bool is_tail(uint8_t c)
{
	return (c & 0xc0) == 0x80;
}

size_t utf8_char_len(const uint8_t *p, size_t left)
{
	if (left < 1)
		return 0;
	if (p[0] < 0x80)
		return 1;
	if (left < 2 || p[0] < 0xc2 || !is_tail(p[1]))
		return 0;
	if (p[0] < 0xe0)
		return 2;
	if (left < 3 || !is_tail(p[2]))
		return 0;
	if (p[0] < 0xf0) {
		bool overlong = p[0] == 0xe0 && p[1] < 0xa0;
		bool surrogate = p[0] == 0xed && p[1] >= 0xa0;
		return overlong || surrogate ? 0 : 3;
	}
	if (left < 4 || p[0] > 0xf4 || !is_tail(p[3]))
		return 0;
	bool overlong = p[0] == 0xf0 && p[1] < 0x90;
	bool too_big = p[0] == 0xf4 && p[1] >= 0x90;
	return overlong || too_big ? 0 : 4;
}

bool utf8_is_text(struct slice s)
{
	for (size_t at = 0; at < s.n;) {
		size_t n = utf8_char_len(s.p + at, s.n - at);
		if (n == 0 || s.p[at] == 0)
			return false;
		at += n;
	}
	return true;
}
