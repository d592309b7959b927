/* Foreign YAML through the reader, and through the whole of config_load unless it names files to read. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "config/config_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void load(const char *body)
{
	struct config_source src = {
		.body = body, .dev = strlen(body) % 2, .lenient = strlen(body) % 3 == 0};
	struct config *cfg = NULL;
	struct errbuf eb;
	if (config_load(&src, &cfg, &eb)) {
		/* One line, whatever the text holds. */
		if (cfg || strchr(eb.text, '\n'))
			abort();
		return;
	}
	struct buf out;
	buf_init(&out, 8 << 20);
	config_print(cfg, &out);
	/* What is shown must load again, with the same result as far as it can be seen. */
	struct config_source again = {.body = buf_cstr(&out)};
	struct config *second = NULL;
	if (config_load(&again, &second, &eb))
		abort();
	struct buf repeated;
	buf_init(&repeated, 8 << 20);
	config_print(second, &repeated);
	if (!slice_eq(buf_slice(&out), buf_slice(&repeated)))
		abort();
	buf_free(&out);
	buf_free(&repeated);
	config_free(cfg);
	config_free(second);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct config_node root;
	struct errbuf eb;
	if (config_yaml_read(&root, slice_of(p, n), "fuzz", &eb) == 0)
		config_node_free(&root);
	char *text = xstrndup((const char *)p, n);
	if (!strstr(text, "_file"))
		load(text);
	xfree(text);
	return 0;
}
