/*
 * err: every error code of the program, one row each.
 *
 * Functions return 0 or -ERR_X. The row gives the text for logs and the status for HTTP answers.
 */
#pragma once
#include "base/macros.h"

/*        name             code  text                                     HTTP  twirp */
#define ERR_MAP(X)                                                                                 \
	X(TRUNCATED,       1001, "message is cut short",                  400, "malformed")        \
	X(MALFORMED,       1002, "message is malformed",                  400, "malformed")        \
	X(TOO_LARGE,       1003, "size limit exceeded",                   413, "resource_exhausted") \
	X(NOT_FOUND,       1004, "no such object",                        404, "not_found")        \
	X(EXISTS,          1005, "object exists already",                 409, "already_exists")   \
	X(NO_ROOM,         1006, "capacity is used up",                   429, "resource_exhausted") \
	X(AGAIN,           1007, "would block, try again later",          503, "unavailable")      \
	X(AUTH,            1008, "authentication failed",                 401, "unauthenticated")  \
	X(DENIED,          1009, "not allowed",                           403, "permission_denied") \
	X(REPLAY,          1010, "packet was seen before or is too old",  400, "malformed")        \
	X(UNSUPPORTED,     1011, "not supported",                         501, "unimplemented")    \
	X(RANGE,           1012, "value is out of range",                 400, "out_of_range")     \
	X(BAD_STATE,       1013, "not possible in this state",            412, "failed_precondition") \
	X(SYSTEM,          1014, "system call failed",                    500, "internal")         \
	X(CONFIG,          1015, "configuration is wrong",                500, "internal")         \
	X(CRYPTO,          1016, "cryptographic operation failed",        500, "internal")         \
	X(CLOSED,          1017, "already closed",                        410, "not_found")        \
	X(TIMEOUT,         1018, "deadline passed",                       408, "deadline_exceeded")

enum err {
#define X(name, code, text, http, twirp) ERR_##name = code,
	ERR_MAP(X)
#undef X
};

/* Text for an error in either sign; "success" for 0, "unknown error" for a foreign code. Static storage. */
const char *err_text(int err);

/* HTTP status for an error in either sign; 500 for a foreign code. */
int err_http(int err);

/* Twirp code for an error in either sign; "internal" for a foreign code. Static storage. */
const char *err_twirp(int err);

/*
 * A sentence for a human beside an error code, on the control path only.
 * The text names what was wrong and what to do. Truncated silently at the array's end.
 */
struct errbuf {
	char text[512];
};

/* Writes the sentence and returns -err, so that `return err_set(eb, ERR_RANGE, "…")` reads well. NULL eb is fine. */
int err_set(struct errbuf *eb, enum err err, const char *fmt, ...) PRINTF(3, 4);
