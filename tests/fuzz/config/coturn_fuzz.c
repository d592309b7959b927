/* A foreign turnserver.conf, through the reader and on into config_load unless it names files to read. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "config/coturn.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static bool names_files(const struct config_source *src)
{
	for (size_t i = 0; i < src->flags_n; i++)
		if (strstr(src->flags[i].path, "file"))
			return true;
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct config_source src = {0};
	struct coturn c = {.src = &src};
	struct config *cfg = NULL;
	struct errbuf eb = {""};
	int err = coturn_read(&c, slice_of(p, n), "F", &eb);
	if (!err)
		err = coturn_finish(&c, &eb);
	if (!err && !names_files(&src))
		err = config_load(&src, &cfg, &eb);
	/* One line, whatever the text holds; and never a result beside an error. */
	if (err && (!eb.text[0] || strchr(eb.text, '\n') || cfg))
		abort();
	config_free(cfg);
	coturn_free(&c);
	config_source_free(&src);
	return 0;
}
