#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>

struct err_row {
	int code, http;
	const char *text, *twirp;
};

static const struct err_row rows[] = {
#define X(name, code, text, http, twirp) {code, http, text, twirp},
	ERR_MAP(X)
#undef X
};

static const struct err_row *find(int err)
{
	int code = err < 0 ? -err : err;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].code == code)
			return &rows[i];
	return NULL;
}

const char *err_text(int err)
{
	const struct err_row *row = find(err);
	return !err ? "success" : row ? row->text : "unknown error";
}

int err_http(int err)
{
	const struct err_row *row = find(err);
	return row ? row->http : 500;
}

const char *err_twirp(int err)
{
	const struct err_row *row = find(err);
	return row ? row->twirp : "internal";
}

int err_set(struct errbuf *eb, enum err err, const char *fmt, ...)
{
	if (eb) {
		va_list ap;
		va_start(ap, fmt);
		(void)vsnprintf(eb->text, sizeof eb->text, fmt, ap);
		va_end(ap);
	}
	return -(int)err;
}
