#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base64.h"
#include "base/mem.h"

/* RFC 4648 §10, and bytes that need the last two characters of the alphabet. */
static const struct {
	const char *plain, *std, *url, *bare;
} vectors[] = {
	{"", "", "", ""},
	{"f", "Zg==", "Zg==", "Zg"},
	{"fo", "Zm8=", "Zm8=", "Zm8"},
	{"foo", "Zm9v", "Zm9v", "Zm9v"},
	{"foob", "Zm9vYg==", "Zm9vYg==", "Zm9vYg"},
	{"fooba", "Zm9vYmE=", "Zm9vYmE=", "Zm9vYmE"},
	{"foobar", "Zm9vYmFy", "Zm9vYmFy", "Zm9vYmFy"},
	{"\xfb\xff", "+/8=", "-_8=", "-_8"},
	{"\xfb\xef\xff", "++//", "--__", "--__"},
};

static void assert_encodes(const char *plain, enum base64_form form, const char *text)
{
	struct buf out;
	buf_init(&out, 100);
	base64_encode(&out, slice_str(plain), form);
	assert_string_equal(buf_cstr(&out), text);
	buf_free(&out);
}

static int decode(const char *text, struct buf *out)
{
	size_t n = strlen(text);
	char *exact = xmemdup(text, n);
	int err = base64_decode(out, slice_of(exact, n));
	xfree(exact);
	return err;
}

static void assert_decodes(const char *text, const char *plain)
{
	struct buf out;
	buf_init(&out, 100);
	assert_int_equal(decode(text, &out), 0);
	assert_true(slice_eq_str(buf_slice(&out), plain));
	buf_free(&out);
}

static void vectors_both_ways(void **st)
{
	(void)st;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		assert_encodes(vectors[i].plain, BASE64_STD, vectors[i].std);
		assert_encodes(vectors[i].plain, BASE64_URL, vectors[i].url);
		assert_encodes(vectors[i].plain, BASE64_URL_NO_PAD, vectors[i].bare);
		assert_decodes(vectors[i].std, vectors[i].plain);
		assert_decodes(vectors[i].url, vectors[i].plain);
		assert_decodes(vectors[i].bare, vectors[i].plain);
	}
}

static void every_byte_survives(void **st)
{
	(void)st;
	uint8_t all[256];
	for (size_t i = 0; i < sizeof all; i++)
		all[i] = (uint8_t)i;
	for (size_t n = 0; n <= sizeof all; n++) {
		struct buf text, back;
		buf_init(&text, 400);
		buf_init(&back, 256);
		base64_encode(&text, slice_of(all, n), (enum base64_form)(n % 3));
		assert_int_equal(base64_decode(&back, buf_slice(&text)), 0);
		assert_true(slice_eq(buf_slice(&back), slice_of(all, n)));
		buf_free(&text);
		buf_free(&back);
	}
}

static void what_is_not_base64_is_refused(void **st)
{
	(void)st;
	static const char *const texts[] = {
		"A",
		"AAAAA",
		"=",
		"====",
		"A===",
		"Zg=",
		"Zm8==",
		"Zm9v=",
		"Zm9v====",
		"Z=g=",
		"Zg==Zg==",
		" Zg==",
		"Zg==\n",
		"Z g=",
		"Zm9*",
		"Zh",
		"Zm9",
		"\x80\x80\x80\x80",
	};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct buf out;
		buf_init(&out, 100);
		if (decode(texts[i], &out) != -ERR_MALFORMED)
			fail_msg("taken: %s", texts[i]);
		buf_free(&out);
	}
}

static void limits_hold(void **st)
{
	(void)st;
	struct buf out;
	buf_init(&out, 2);
	assert_int_equal(base64_decode(&out, slice_str("Zm8=")), 0);
	assert_int_equal(base64_decode(&out, slice_str("Zg==")), -ERR_TOO_LARGE);
	buf_free(&out);
	buf_init(&out, 3);
	base64_encode(&out, slice_str("f"), BASE64_STD);
	assert_true(out.full);
	assert_int_equal(out.n, 0);
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_both_ways),
		cmocka_unit_test(every_byte_survives),
		cmocka_unit_test(what_is_not_base64_is_refused),
		cmocka_unit_test(limits_hold),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
