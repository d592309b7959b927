/* replay: runs a fuzz target once over each file of the folders given, and over some bytes made up from them. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

enum { INPUT_MAX = 1 << 20 };

static void run(const uint8_t *p, size_t n)
{
	/* A copy of the exact size, so that a read past the end is seen by the address sanitizer. */
	uint8_t *exact = malloc(n ? n : 1);
	if (!exact)
		abort();
	for (size_t i = 0; i < n; i++)
		exact[i] = p[i];
	LLVMFuzzerTestOneInput(exact, n);
	free(exact);
}

static void run_with_damage(uint8_t *p, size_t n)
{
	run(p, n);
	uint32_t seed = 0x9e3779b9;
	for (int round = 0; round < 200 && n > 0; round++) {
		seed = seed * 1664525 + 1013904223;
		size_t at = seed % n;
		uint8_t was = p[at];
		p[at] = (uint8_t)(seed >> 24);
		run(p, n);
		run(p, at);
		p[at] = was;
	}
}

int main(int argc, char **argv)
{
	size_t files = 0;
	uint8_t *input = malloc(INPUT_MAX);
	if (!input)
		return 1;
	for (int i = 1; i < argc; i++) {
		DIR *dir = opendir(argv[i]);
		if (!dir) {
			fprintf(stderr, "replay: cannot open corpus %s\n", argv[i]);
			return 1;
		}
		for (struct dirent *e; (e = readdir(dir));) {
			char path[4096];
			snprintf(path, sizeof path, "%s/%s", argv[i], e->d_name);
			FILE *f = e->d_type == DT_DIR ? NULL : fopen(path, "rb");
			if (!f)
				continue;
			run_with_damage(input, fread(input, 1, INPUT_MAX, f));
			fclose(f);
			files++;
		}
		closedir(dir);
	}
	free(input);
	printf("%zu corpus files\n", files);
	return files ? 0 : 1;
}
