/* Connection strings, by the first byte's choice of dialect, and what columns may hold: keys, OAuth keys, rows. */
#include <stdlib.h>

#include "base/mem.h"
#include "store/store_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void try_dsn(const char *text, enum store_dialect dialect)
{
	struct store_dsn d;
	struct errbuf eb;
	eb.text[0] = '\0';
	int err = store_dsn_parse(&d, text, dialect, &eb);
	if (err ? !eb.text[0] : d.dialect == STORE_BY_URL)
		abort();
	if (!err && d.dialect == STORE_REDIS && (!d.host || !*d.host || !d.port))
		abort();
	if (!err)
		store_dsn_free(&d);
}

static void try_columns(struct slice s)
{
	struct slice col[5] = {{0}};
	for (size_t i = 0; i < 5; i++) {
		const uint8_t *end = s.n ? memchr(s.p, '\n', s.n) : NULL;
		col[i] = slice_of(s.p, end ? (size_t)(end - s.p) : s.n);
		size_t used = MIN(col[i].n + 1, s.n);
		s = slice_of(s.p + used, s.n - used);
	}
	struct store_turn_key key;
	if (store_key_parse(col[0], &key) == 0 && key.n != 16 && key.n != 32)
		abort();
	const struct store_oauth_text text = {col[0], col[1], col[2], col[3], col[4]};
	struct store_turn_oauth oauth;
	if (store_oauth_parse(&text, &oauth) == 0 && (!oauth.ikm_n || oauth.ikm_n > STORE_IKM_MAX))
		abort();
	for (size_t i = 0; i < STORE_STATEMENTS; i++) {
		struct store_result r;
		store_result_init(&r, store_statements[i].kind, 1);
		(void)store_statements[i].row(&r, col);
		store_result_free(&r);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	if (!n)
		return 0;
	char *text = xcalloc(1, n);
	memcpy(text, p + 1, n - 1);
	try_dsn(text, (enum store_dialect)(p[0] % 4));
	xfree(text);
	try_columns(slice_of(p + 1, n - 1));
	return 0;
}
