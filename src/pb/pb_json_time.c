/* The JSON forms of Timestamp (RFC 3339 in UTC) and Duration, and other facts about descriptors. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pb/pb_json_internal.h"

enum { NANOS = 1000000000 };

/* 0001-01-01 and 9999-12-31T23:59:59, the range of a Timestamp; a Duration spans as much. */
#define TIME_MIN     INT64_C(-62135596800)
#define TIME_MAX     INT64_C(253402300799)
#define DURATION_MAX INT64_C(315576000000)

enum well_known pb_json_well_known(const ProtobufCMessageDescriptor *desc)
{
	if (!strcmp(desc->name, "googlebuf.Timestamp"))
		return WELL_KNOWN_TIMESTAMP;
	if (!strcmp(desc->name, "googlebuf.Duration"))
		return WELL_KNOWN_DURATION;
	return WELL_KNOWN_NOT;
}

bool pb_json_is_map_entry(const ProtobufCMessageDescriptor *desc)
{
	size_t n = strlen(desc->short_name);
	return desc->n_fields == 2 && n > 5 && !strcmp(desc->short_name + n - 5, "Entry") &&
	       desc->fields[0].id == 1 && !strcmp(desc->fields[0].name, "key") &&
	       desc->fields[1].id == 2 && !strcmp(desc->fields[1].name, "value");
}

size_t pb_json_type_size(ProtobufCType type)
{
	switch (type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
	case PROTOBUF_C_TYPE_FLOAT:
	case PROTOBUF_C_TYPE_ENUM: return 4;
	case PROTOBUF_C_TYPE_BOOL: return sizeof(protobuf_c_boolean);
	case PROTOBUF_C_TYPE_BYTES: return sizeof(ProtobufCBinaryData);
	default: return 8; /* 64-bit numbers and pointers */
	}
}

static void put_fraction(int32_t nanos, struct buf *out)
{
	if (nanos == 0)
		return;
	if (nanos % 1000000 == 0)
		buf_printf(out, ".%03d", nanos / 1000000);
	else if (nanos % 1000 == 0)
		buf_printf(out, ".%06d", nanos / 1000);
	else
		buf_printf(out, ".%09d", nanos);
}

static void put_duration(int64_t seconds, int32_t nanos, struct buf *out)
{
	seconds = CLAMP(seconds, -DURATION_MAX, DURATION_MAX);
	nanos = CLAMP(nanos, 1 - NANOS, NANOS - 1);
	if (seconds < 0 || nanos < 0)
		buf_add_byte(out, '-');
	buf_printf(out, "%lld", llabs((long long)seconds));
	put_fraction(abs(nanos), out);
	buf_add_byte(out, 's');
}

void pb_json_time_encode(enum well_known kind, int64_t seconds, int32_t nanos, struct buf *out)
{
	if (kind == WELL_KNOWN_DURATION) {
		put_duration(seconds, nanos, out);
		return;
	}
	time_t t = (time_t)CLAMP(seconds, TIME_MIN, TIME_MAX);
	struct tm tm = {0};
	(void)gmtime_r(&t, &tm);
	buf_printf(out, "%04d-%02d-%02dT%02d:%02d:%02d", tm.tm_year + 1900, tm.tm_mon + 1,
		tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
	put_fraction(CLAMP(nanos, 0, NANOS - 1), out);
	buf_add_byte(out, 'Z');
}

/* Reads exactly n decimal digits. */
static bool take_digits(const char **p, unsigned n, int *value)
{
	*value = 0;
	for (; n > 0; n--, (*p)++) {
		if (**p < '0' || **p > '9')
			return false;
		*value = *value * 10 + (**p - '0');
	}
	return true;
}

static bool take_char(const char **p, char c)
{
	if (**p != c)
		return false;
	(*p)++;
	return true;
}

/* ".123" in nanoseconds; nothing is 0. */
static bool take_fraction(const char **p, int32_t *nanos)
{
	*nanos = 0;
	if (!take_char(p, '.'))
		return true;
	int32_t unit = NANOS / 10;
	const char *from = *p;
	for (; **p >= '0' && **p <= '9'; (*p)++, unit /= 10)
		*nanos += unit * (**p - '0');
	return *p > from && *p - from <= 9;
}

/* "Z" or "+hh:mm", as seconds east of UTC. */
static bool take_zone(const char **p, int64_t *offset)
{
	*offset = 0;
	if (take_char(p, 'Z'))
		return true;
	bool is_west = **p == '-';
	if (!take_char(p, '-') && !take_char(p, '+'))
		return false;
	int hours, minutes;
	if (!take_digits(p, 2, &hours) || !take_char(p, ':') || !take_digits(p, 2, &minutes) ||
		hours > 23 || minutes > 59)
		return false;
	*offset = (hours * 60 + minutes) * (is_west ? -60 : 60);
	return true;
}

static bool take_date_time(const char **p, struct tm *tm)
{
	if (!take_digits(p, 4, &tm->tm_year) || !take_char(p, '-') ||
		!take_digits(p, 2, &tm->tm_mon) || !take_char(p, '-') ||
		!take_digits(p, 2, &tm->tm_mday) || !take_char(p, 'T') ||
		!take_digits(p, 2, &tm->tm_hour) || !take_char(p, ':') ||
		!take_digits(p, 2, &tm->tm_min) || !take_char(p, ':') ||
		!take_digits(p, 2, &tm->tm_sec))
		return false;
	if (tm->tm_mon < 1 || tm->tm_mon > 12 || tm->tm_mday < 1 || tm->tm_hour > 23 ||
		tm->tm_min > 59 || tm->tm_sec > 59)
		return false;
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool is_leap = tm->tm_year % 4 == 0 && (tm->tm_year % 100 != 0 || tm->tm_year % 400 == 0);
	if (tm->tm_mday > days[tm->tm_mon - 1] + (tm->tm_mon == 2 && is_leap))
		return false;
	tm->tm_year -= 1900;
	tm->tm_mon -= 1;
	return true;
}

static int decode_timestamp(const char *text, int64_t *seconds, int32_t *nanos)
{
	struct tm tm = {0};
	int64_t offset;
	if (!take_date_time(&text, &tm) || !take_fraction(&text, nanos) ||
		!take_zone(&text, &offset) || *text)
		return -ERR_MALFORMED;
	*seconds = (int64_t)timegm(&tm) - offset;
	return *seconds < TIME_MIN || *seconds > TIME_MAX ? -ERR_RANGE : 0;
}

static int decode_duration(const char *text, int64_t *seconds, int32_t *nanos)
{
	bool is_negative = take_char(&text, '-');
	const char *from = text;
	*seconds = 0;
	for (; *text >= '0' && *text <= '9'; text++) {
		*seconds = *seconds * 10 + (*text - '0');
		if (*seconds > DURATION_MAX)
			return -ERR_RANGE;
	}
	bool has_digits = text > from;
	if (!has_digits || !take_fraction(&text, nanos) || !take_char(&text, 's') || *text)
		return -ERR_MALFORMED;
	if (is_negative) {
		*seconds = -*seconds;
		*nanos = -*nanos;
	}
	return 0;
}

int pb_json_time_decode(enum well_known kind, const char *text, int64_t *seconds, int32_t *nanos)
{
	return kind == WELL_KNOWN_TIMESTAMP ? decode_timestamp(text, seconds, nanos)
					    : decode_duration(text, seconds, nanos);
}
