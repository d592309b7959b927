/*
 * log: structured lines on stderr, logfmt or JSON. Any thread; never on the per-packet path (count there instead).
 *
 *   LOG_INFO("participant joined", F_STR("room", name), F_ADDR("from", &addr));
 *
 * The event is a fixed phrase in lower case; everything that varies is a field. Tokens, keys, passwords and
 * SDP go in no field at all; log_redact_url is for URLs that may carry one.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/addr.h"
#include "base/hot.h"
#include "base/macros.h"
#include "base/slice.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR, LOG_LEVEL_OFF };
enum log_format { LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON };

struct log_field {
	const char *key;
	enum {
		LOG_FIELD_STR,
		LOG_FIELD_INT,
		LOG_FIELD_UINT,
		LOG_FIELD_ADDR,
		LOG_FIELD_ERR,
		LOG_FIELD_BOOL
	} kind;
	union {
		struct slice str;
		int64_t i;
		uint64_t u;
		const struct addr *addr;
	};
};

#define F_STR(k, v) ((struct log_field){.key = (k), .kind = LOG_FIELD_STR, .str = slice_str(v)})
#define F_SLICE(k, v) ((struct log_field){.key = (k), .kind = LOG_FIELD_STR, .str = (v)})
#define F_INT(k, v) ((struct log_field){.key = (k), .kind = LOG_FIELD_INT, .i = (int64_t)(v)})
#define F_UINT(k, v) ((struct log_field){.key = (k), .kind = LOG_FIELD_UINT, .u = (uint64_t)(v)})
#define F_ADDR(k, v) ((struct log_field){.key = (k), .kind = LOG_FIELD_ADDR, .addr = (v)})
#define F_ERR(v) ((struct log_field){.key = "error", .kind = LOG_FIELD_ERR, .i = (v)})
#define F_BOOL(k, v) ((struct log_field){.key = (k), .kind = LOG_FIELD_BOOL, .u = (v)})

extern enum log_level log_threshold; /* atomic; a stale value costs one line */

#define LOG_AT(level, event, ...)                                                                  \
	do {                                                                                       \
		hot_forbid("log");                                                                 \
		if ((level) >= __atomic_load_n(&log_threshold, __ATOMIC_RELAXED)) {                                                    \
			const struct log_field log_fields_[] = {{0}, ##__VA_ARGS__};               \
			log_write((level), (event), log_fields_ + 1, ARRAY_LEN(log_fields_) - 1);  \
		}                                                                                  \
	} while (0)
#define LOG_DEBUG(event, ...) LOG_AT(LOG_LEVEL_DEBUG, event, ##__VA_ARGS__)
#define LOG_INFO(event, ...) LOG_AT(LOG_LEVEL_INFO, event, ##__VA_ARGS__)
#define LOG_WARN(event, ...) LOG_AT(LOG_LEVEL_WARN, event, ##__VA_ARGS__)
#define LOG_ERROR(event, ...) LOG_AT(LOG_LEVEL_ERROR, event, ##__VA_ARGS__)

void log_write(enum log_level level, const char *event, const struct log_field *fields, size_t n);

/* Any time, any thread; the reload path calls them too. */
void log_set_level(enum log_level level);
void log_set_format(enum log_format format);

/*
 * Lines go here instead of stderr, one at a time, without their end; `fn` must not log. NULL: stderr again. Before
 * other threads run.
 */
void log_set_sink(void (*fn)(enum log_level level, const char *line));

/* "debug", "info", "warn", "error", "off"; false for anything else. */
bool log_parse_level(const char *text, enum log_level *level);

/*
 * Copies a URL or request line with the values of access_token, token, join_request, secret, password
 * and credential replaced by "[redacted]". Always NUL-terminates; returns out.
 */
char *log_redact_url(struct slice url, char *out, size_t cap);
