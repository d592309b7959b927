/* vectors: reads a table of tests/vectors/ line by line. Columns are separated by one tab. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"

enum { VECTORS_COLUMNS = 8, VECTORS_FILE_MAX = 8 << 20 };

struct vectors {
	struct buf text;
	char *at;
	size_t line;
};

static inline void vectors_open(struct vectors *v, const char *name)
{
	const char *folder = getenv("VECTORS");
	char *path = xasprintf("%s/%s", folder ? folder : "tests/vectors", name);
	FILE *f = fopen(path, "rb");
	if (!f)
		fail_msg("cannot open %s", path);
	xfree(path);
	buf_init(&v->text, VECTORS_FILE_MAX);
	char chunk[4096];
	for (size_t n; (n = fread(chunk, 1, sizeof chunk, f)) > 0;)
		buf_add(&v->text, chunk, n);
	fclose(f);
	assert_false(v->text.full);
	v->line = 0;
	v->at = (char *)v->text.p;
	(void)buf_cstr(&v->text);
}

/* Splits the next line in place; columns that are not there are "". False at the end. */
static inline bool vectors_next(struct vectors *v, char *columns[VECTORS_COLUMNS])
{
	if (!*v->at)
		return false;
	char *end = strchr(v->at, '\n');
	assert_non_null(end);
	*end = 0;
	char *p = v->at;
	for (size_t i = 0; i < VECTORS_COLUMNS; i++) {
		columns[i] = p;
		char *tab = strchr(p, '\t');
		if (tab)
			*tab = 0;
		p = tab ? tab + 1 : end;
	}
	v->at = end + 1;
	v->line++;
	return true;
}

static inline void vectors_close(struct vectors *v)
{
	buf_free(&v->text);
}

/* Bytes of a hex text; a buffer of the exact size, so that a read past its end is seen. xfree it.
 */
static inline struct slice vectors_unhex(const char *hex)
{
	size_t n = strlen(hex) / 2;
	uint8_t *bytes = xmalloc(n);
	for (size_t i = 0; i < n; i++) {
		unsigned byte = 0;
		assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
		bytes[i] = (uint8_t)byte;
	}
	return (struct slice){bytes, n};
}
