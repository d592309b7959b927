#include "config/scalar.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

bool config_parse_u64(const char *text, uint64_t *v)
{
	uint64_t sum = 0;
	for (const char *p = text; *p; p++) {
		if (!isdigit((unsigned char)*p) || __builtin_mul_overflow(sum, 10, &sum) ||
			__builtin_add_overflow(sum, (uint64_t)(*p - '0'), &sum))
			return false;
	}
	*v = sum;
	return *text != 0;
}

/* Takes digits from *p: their value and how many there were. */
static bool take_digits(const char **p, uint64_t *v, size_t *n)
{
	*v = 0;
	for (*n = 0; isdigit((unsigned char)**p); (*p)++, (*n)++)
		if (__builtin_mul_overflow(*v, 10, v) ||
			__builtin_add_overflow(*v, (uint64_t)(**p - '0'), v))
			return false;
	return true;
}

static const struct {
	const char *name;
	uint64_t us;
} time_units[] = {
	/* Longest first, for printing; "m" must not hide "ms", so whole names are compared. */
	{"d", UINT64_C(86400000000)}, {"h", 3600000000}, {"m", 60000000}, {"s", 1000000}, {"ms", 1000}, {"us", 1},
};

static uint64_t take_time_unit(const char **p)
{
	size_t n = strspn(*p, "abcdefghijklmnopqrstuvwxyz");
	for (size_t i = 0; i < ARRAY_LEN(time_units); i++) {
		if (strlen(time_units[i].name) == n && strncmp(time_units[i].name, *p, n) == 0) {
			*p += n;
			return time_units[i].us;
		}
	}
	return 0;
}

/* One "1.5s" of a duration. */
static bool take_time_part(const char **p, uint64_t *us)
{
	uint64_t whole, part = 0;
	size_t n, part_n = 0;
	if (!take_digits(p, &whole, &n) || !n)
		return false;
	if (**p == '.') {
		(*p)++;
		if (!take_digits(p, &part, &part_n) || !part_n || part_n > 6)
			return false;
	}
	uint64_t unit = take_time_unit(p), fraction = part * unit;
	if (!unit || __builtin_mul_overflow(whole, unit, us))
		return false;
	for (; part_n; part_n--)
		fraction /= 10;
	return !__builtin_add_overflow(*us, fraction, us);
}

bool config_parse_duration(const char *text, uint64_t bare_us, uint64_t *us)
{
	uint64_t sum = 0;
	if (config_parse_u64(text, &sum)) {
		*us = sum * bare_us;
		return sum == 0 || (bare_us && sum <= UINT64_MAX / bare_us);
	}
	const char *p = text;
	for (sum = 0; *p;) {
		uint64_t part;
		if (!take_time_part(&p, &part) || __builtin_add_overflow(sum, part, &sum))
			return false;
	}
	*us = sum;
	return *text != 0;
}

static const struct {
	const char *name;
	uint64_t bytes;
} size_units[] = {
	{"GiB", 1 << 30},
	{"MiB", 1 << 20},
	{"KiB", 1 << 10},
	{"GB", 1000000000},
	{"MB", 1000000},
	{"kB", 1000},
	{"", 1},
};

bool config_parse_size(const char *text, uint64_t *bytes)
{
	const char *p = text;
	uint64_t v;
	size_t n;
	if (!take_digits(&p, &v, &n) || !n)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(size_units); i++)
		if (strcasecmp(p, size_units[i].name) == 0)
			return !__builtin_mul_overflow(v, size_units[i].bytes, bytes);
	return false;
}

bool config_parse_ports(const char *text, struct config_ports *ports)
{
	const char *p = text;
	uint64_t first, last;
	size_t n;
	if (!take_digits(&p, &first, &n) || !n)
		return false;
	last = first;
	if (*p == '-') {
		p++;
		if (!take_digits(&p, &last, &n) || !n)
			return false;
	}
	if (*p || first == 0 || first > last || last > UINT16_MAX)
		return false;
	*ports = (struct config_ports){(uint16_t)first, (uint16_t)last};
	return true;
}

bool config_parse_bool(const char *text, bool *v)
{
	static const char *const words[] = {"false", "true", "no", "yes", "off", "on", "0", "1"};
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strcasecmp(text, words[i]) == 0) {
			*v = i % 2;
			return true;
		}
	}
	return false;
}

void config_print_duration(struct buf *out, uint64_t us, uint64_t bare_us)
{
	if (us == 0 || (bare_us && us % bare_us == 0)) {
		buf_printf(out, "%llu", (unsigned long long)(us ? us / bare_us : 0));
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(time_units); i++) {
		if (us % time_units[i].us == 0) {
			buf_printf(out, "%llu%s", (unsigned long long)(us / time_units[i].us), time_units[i].name);
			return;
		}
	}
}

void config_print_size(struct buf *out, uint64_t bytes)
{
	for (size_t i = 0; i < 3 && bytes; i++) {
		if (bytes % size_units[i].bytes == 0) {
			buf_printf(out, "%llu%s", (unsigned long long)(bytes / size_units[i].bytes),
				size_units[i].name);
			return;
		}
	}
	buf_printf(out, "%llu", (unsigned long long)bytes);
}
