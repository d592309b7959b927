/* What the program embed made of dist/: the same files, found by the same paths. */
#include "cm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "app/web_assets.h"
#include "base/mem.h"

enum { CONTENT_MAX = 4096 };

static const struct front_asset *find(const char *path)
{
	for (size_t i = 0; i < web_assets_n; i++)
		if (strcmp(web_assets[i].path, path) == 0)
			return &web_assets[i];
	fail_msg("%s is missing", path);
	return NULL;
}

static size_t read_original(const char *path, char *content)
{
	char *name = xasprintf("%s%s", getenv("EMBED_DIST"), path);
	FILE *f = fopen(name, "rb");
	assert_non_null(f);
	size_t n = fread(content, 1, CONTENT_MAX, f);
	fclose(f);
	xfree(name);
	return n;
}

static void files_come_back_as_they_were(void **state)
{
	(void)state;
	for (size_t i = 0; i < web_assets_n; i++) {
		const struct front_asset *a = &web_assets[i];
		uint8_t plain[CONTENT_MAX];
		char original[CONTENT_MAX];
		z_stream z = {.next_in = (Bytef *)(uintptr_t)a->gzip, .avail_in = (uInt)a->gzip_n,
			.next_out = plain, .avail_out = sizeof plain};
		assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
		assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
		assert_int_equal(z.avail_in, 0);
		assert_int_equal(z.total_out, read_original(a->path, original));
		assert_memory_equal(plain, original, z.total_out);
		inflateEnd(&z);
	}
}

static void all_files_are_there(void **state)
{
	(void)state;
	assert_int_equal(web_assets_n, 3);
	assert_string_equal(find("/index.html")->content_type, "text/html; charset=utf-8");
	assert_string_equal(find("/assets/index-0a1b2c3d.css")->content_type, "text/css; charset=utf-8");
	assert_string_equal(find("/assets/index-9f8e7d6c.js")->content_type, "text/javascript; charset=utf-8");
}

static void only_names_with_a_hash_are_immutable(void **state)
{
	(void)state;
	assert_false(find("/index.html")->immutable);
	assert_true(find("/assets/index-0a1b2c3d.css")->immutable);
	assert_true(find("/assets/index-9f8e7d6c.js")->immutable);
}

/* The first 16 bytes of `sha256sum`. */
static void etags_are_hashes_of_the_content(void **state)
{
	(void)state;
	assert_string_equal(find("/index.html")->etag, "\"640463c20a9dedd25b004c129104ad18\"");
	assert_string_equal(find("/assets/index-0a1b2c3d.css")->etag, "\"fd001f31bc523d4952567bbddf6c5ccd\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_come_back_as_they_were),
		cmocka_unit_test(all_files_are_there),
		cmocka_unit_test(only_names_with_a_hash_are_immutable),
		cmocka_unit_test(etags_are_hashes_of_the_content),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
