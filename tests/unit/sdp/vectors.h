/* vectors: captured descriptions for the tests of this folder. */
#pragma once
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/slice.h"

/* Returns the owned content of tests/vectors/sdp/<name>.sdp (buf_free). */
static inline struct buf vector_read(const char *name)
{
	char path[1024];
	(void)snprintf(path, sizeof path, "%s/sdp/%s.sdp", getenv("VECTORS"), name);
	FILE *f = fopen(path, "rb");
	if (!f)
		fail_msg("cannot open %s", path);
	struct buf b;
	buf_init(&b, 1 << 20);
	char chunk[4096];
	for (size_t n; f && (n = fread(chunk, 1, sizeof chunk, f)) > 0;)
		buf_add(&b, chunk, n);
	if (f)
		fclose(f);
	return b;
}

/* How often `needle` stands in the text. */
static inline size_t count_of(struct buf *text, const char *needle)
{
	size_t n = 0;
	for (const char *at = buf_cstr(text); (at = strstr(at, needle)); at += strlen(needle))
		n++;
	return n;
}
