#include "cm.h"

#include <string.h>

#include "store/store_internal.h"

static void keys(void **st)
{
	struct store_turn_key k = {.n = 0};
	(void)st;
	assert_int_equal(store_key_parse(slice_str("00112233445566778899aAbBcCdDeEfF"), &k), 0);
	assert_int_equal(k.n, 16);
	assert_int_equal(k.bytes[1], 0x11);
	assert_int_equal(k.bytes[15], 0xff);
	assert_int_equal(store_key_parse(slice_str("0x00112233445566778899aabbccddeeff   \n"), &k), 0);
	assert_int_equal(k.n, 16);
	assert_int_equal(
		store_key_parse(
			slice_str(
				"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"),
			&k),
		0);
	assert_int_equal(k.n, 32);
	static const char *const bad[] = {"", " ", "0x", "00112233445566778899aabbccddeef",
		"00112233445566778899aabbccddeeff0", "00112233445566778899aabbccddeefg",
		" 00112233445566778899aabbccddeef", "0011223344556677889 aabbccddeeff",
		"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff00"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(store_key_parse(slice_str(bad[i]), &k), -ERR_MALFORMED);
}

static void numbers(void **st)
{
	uint64_t v = 7;
	(void)st;
	assert_true(store_parse_u64(slice_str("0"), &v) && v == 0);
	assert_true(store_parse_u64(slice_str("18446744073709551615"), &v) && v == UINT64_MAX);
	assert_false(store_parse_u64(slice_str("18446744073709551616"), &v));
	assert_false(store_parse_u64(slice_str(""), &v));
	assert_false(store_parse_u64(slice_str("-1"), &v));
	assert_false(store_parse_u64(slice_str("1 "), &v));
}

static int oauth(const char *ikm, const char *from, const char *life, const char *alg,
	struct store_turn_oauth *out)
{
	const struct store_oauth_text t = {
		slice_str(ikm), slice_str(from), slice_str(life), slice_str(alg), slice_str("r")};
	*out = (struct store_turn_oauth){0};
	return store_oauth_parse(&t, out);
}

static void oauth_keys(void **st)
{
	struct store_turn_oauth o;
	(void)st;
	assert_int_equal(oauth("AAEC", "12", "34", "A128GCM", &o), 0);
	assert_int_equal(o.ikm_n, 3);
	assert_memory_equal(o.ikm, "\0\1\2", 3);
	assert_int_equal(o.timestamp_s, 12);
	assert_int_equal(o.lifetime_s, 34);
	assert_string_equal(o.realm, "r");
	assert_int_equal(oauth("AAEC", "", "", "", &o), 0);
	assert_string_equal(o.alg, "A256GCM");
	assert_int_equal(oauth("", "", "", "", &o), -ERR_MALFORMED);
	assert_int_equal(oauth("AA=C", "", "", "", &o), -ERR_MALFORMED);
	assert_int_equal(oauth("AAEC", "soon", "", "", &o), -ERR_MALFORMED);
	assert_int_equal(oauth("AAEC", "", "-1", "", &o), -ERR_MALFORMED);
	assert_int_equal(oauth("AAEC", "", "", "AEAD_AES_128_CBC", &o), -ERR_MALFORMED);
	char longest[400];
	memset(longest, 'A', sizeof longest);
	longest[396] = '\0';
	assert_int_equal(oauth(longest, "", "", "", &o), -ERR_MALFORMED);
}

static void rows(void **st)
{
	struct store_result r;
	(void)st;
	store_result_init(&r, STORE_TURN_REALMS, 20);
	for (int i = 0; i < 20; i++)
		assert_int_equal(store_result_row(&r, STORE_ROW_SECRET, slice_str("r"),
					 slice_str(""), slice_str("v")),
			0);
	/* What cannot be used is left out, and takes no room. */
	assert_int_equal(store_result_row(&r, STORE_ROW_SECRET, slice_str("r"), slice_str(""), slice_of("a\0b", 3)), 0);
	assert_int_equal(store_result_row(&r, STORE_ROW_SECRET, slice_str("\xff"), slice_str(""), slice_str("v")), 0);
	assert_int_equal(store_result_row(&r, STORE_ROW_OPTION, slice_str("r"),
				 slice_str("max-bps"), slice_str("1k")),
		0);
	assert_int_equal(r.bad_rows, 3);
	assert_int_equal(store_result_row(&r, STORE_ROW_SECRET, slice_str("r"), slice_str(""),
				 slice_str("v")),
		-ERR_TOO_LARGE);
	assert_int_equal(r.a.rows_n, 20);
	assert_string_equal(r.a.rows[19].value, "v");
	store_result_free(&r);

	store_result_init(&r, STORE_TURN_REALMS, 20);
	assert_int_equal(store_result_row(&r, STORE_ROW_OPTION, slice_str(""), slice_str("max-bps"),
				 slice_str("15")),
		0);
	assert_int_equal(r.a.rows[0].number, 15);
	store_result_free(&r);
}

/* The statements of the table are those the schema can answer; all kinds but USERHASH have one. */
static void statements_fit_the_schema(void **st)
{
	sqlite3 *db;
	unsigned seen = 0;
	(void)st;
	assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
	assert_int_equal(store_migrate_sqlite(db, store_migrations, store_migrations_n, NULL), 0);
	for (size_t i = 0; i < STORE_STATEMENTS; i++) {
		const struct store_statement *s = &store_statements[i];
		sqlite3_stmt *stmt;
		assert_int_equal(sqlite3_prepare_v2(db, s->text, -1, &stmt, NULL), SQLITE_OK);
		assert_int_equal(sqlite3_bind_parameter_count(stmt), (int)s->params);
		assert_int_equal(sqlite3_column_count(stmt), (int)s->columns);
		for (unsigned p = 0; p < s->params; p++) {
			char name[3] = {'$', (char)('1' + p), '\0'};
			assert_int_equal(sqlite3_bind_parameter_index(stmt, name), (int)p + 1);
		}
		sqlite3_finalize(stmt);
		seen |= 1u << s->kind;
	}
	sqlite3_close(db);
	assert_int_equal(
		seen, ((1u << (STORE_TURN_REALMS + 1)) - 1) & ~(1u << STORE_TURN_USERHASH));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys),
		cmocka_unit_test(numbers),
		cmocka_unit_test(oauth_keys),
		cmocka_unit_test(rows),
		cmocka_unit_test(statements_fit_the_schema),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
