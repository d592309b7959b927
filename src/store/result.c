#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "store/store_internal.h"

void store_result_init(struct store_result *r, enum store_turn_kind kind, uint32_t rows_max)
{
	*r = (struct store_result){.a.kind = kind, .max = rows_max};
}

static void row_free(const struct store_row *row)
{
	char *texts[] = {(char *)(uintptr_t)row->realm, (char *)(uintptr_t)row->name,
		(char *)(uintptr_t)row->value};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		secret_wipe(texts[i], strlen(texts[i]));
		xfree(texts[i]);
	}
}

void store_result_free(struct store_result *r)
{
	for (size_t i = 0; i < r->a.rows_n; i++)
		row_free(&r->rows[i]);
	xfree(r->rows);
	xfree(r->username);
	secret_wipe(r, sizeof *r);
}

bool store_parse_u64(struct slice s, uint64_t *v)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < s.n; i++) {
		unsigned digit = (unsigned)s.p[i] - '0';
		if (digit > 9 || sum > (UINT64_MAX - digit) / 10)
			return false;
		sum = sum * 10 + digit;
	}
	*v = sum;
	return s.n > 0;
}

static bool is_good(struct slice s)
{
	return s.n == 0 || utf8_is_text(s);
}

static char *text_of(struct slice s)
{
	return s.n ? xstrndup((const char *)s.p, s.n) : xstrdup("");
}

static struct slice trim(struct slice s)
{
	while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\n' || s.p[s.n - 1] == '\r'))
		s.n--;
	return s;
}

int store_result_row(struct store_result *r, enum store_row_kind kind, struct slice realm,
	struct slice name, struct slice value)
{
	uint64_t number = 0;
	if (!is_good(realm) || !is_good(name) || !is_good(value) ||
		(kind == STORE_ROW_OPTION && !store_parse_u64(trim(value), &number))) {
		r->bad_rows++;
		return 0;
	}
	if (r->a.rows_n >= r->max)
		return -ERR_TOO_LARGE;
	if (r->a.rows_n == r->cap) {
		r->cap = r->cap ? r->cap * 2 : 16;
		r->rows = xrealloc(r->rows, r->cap * sizeof *r->rows);
		r->a.rows = r->rows;
	}
	r->rows[r->a.rows_n++] =
		(struct store_row){kind, text_of(realm), text_of(name), text_of(value), number};
	return 0;
}

static int hex_digit(uint8_t c)
{
	return c >= '0' && c <= '9'                 ? c - '0'
	       : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
						    : -1;
}

int store_key_parse(struct slice text, struct store_turn_key *key)
{
	text = trim(text);
	if (text.n > 2 && text.p[0] == '0' && text.p[1] == 'x')
		text = slice_of(text.p + 2, text.n - 2);
	if (text.n != 32 && text.n != 64)
		return -ERR_MALFORMED;
	for (size_t i = 0; i < text.n; i += 2) {
		int hi = hex_digit(text.p[i]), lo = hex_digit(text.p[i + 1]);
		if (hi < 0 || lo < 0)
			return -ERR_MALFORMED;
		key->bytes[i / 2] = (uint8_t)(hi * 16 + lo);
	}
	key->n = text.n / 2;
	return 0;
}

/* An empty number is 0: the column's default. */
static bool number_of(struct slice s, uint64_t *v)
{
	*v = 0;
	return s.n == 0 || store_parse_u64(s, v);
}

int store_oauth_parse(const struct store_oauth_text *t, struct store_turn_oauth *out)
{
	struct slice alg = trim(t->as_rs_alg);
	if (!alg.n)
		alg = slice_str("A256GCM");
	if (!slice_eq_str(alg, "A256GCM") && !slice_eq_str(alg, "A128GCM"))
		return -ERR_MALFORMED;
	if (t->realm.n > STORE_NAME_MAX || !is_good(t->realm) ||
		!number_of(t->timestamp, &out->timestamp_s) ||
		!number_of(t->lifetime, &out->lifetime_s))
		return -ERR_MALFORMED;
	(void)snprintf(out->alg, sizeof out->alg, "%.*s", (int)alg.n, (const char *)alg.p);
	(void)snprintf(out->realm, sizeof out->realm, "%.*s", (int)t->realm.n,
		t->realm.n ? (const char *)t->realm.p : "");

	struct buf ikm;
	buf_init(&ikm, STORE_IKM_MAX);
	int err = base64_decode(&ikm, trim(t->ikm_key));
	if (err || !ikm.n) {
		err = -ERR_MALFORMED;
	} else {
		memcpy(out->ikm, ikm.p, ikm.n);
		out->ikm_n = ikm.n;
	}
	if (ikm.p)
		secret_wipe(ikm.p, ikm.n);
	buf_free(&ikm);
	return err;
}
