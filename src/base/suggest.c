#include "base/suggest.h"

#include <stdbool.h>
#include <string.h>

#include "base/macros.h"

/* Letters to add, drop, change or swap with a neighbour to get from a to b. Lengths are at most SUGGEST_WORD_MAX. */
static size_t edit_distance(const char *a, size_t na, const char *b, size_t nb)
{
	size_t rows[3][SUGGEST_WORD_MAX + 1];
	size_t *before = rows[0], *above = rows[1], *row = rows[2];
	for (size_t j = 0; j <= nb; j++)
		above[j] = before[j] = j;
	for (size_t i = 1; i <= na; i++) {
		row[0] = i;
		for (size_t j = 1; j <= nb; j++) {
			size_t change = above[j - 1] + (a[i - 1] != b[j - 1]);
			row[j] = MIN(change, MIN(above[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = MIN(row[j], before[j - 2] + 1);
		}
		size_t *spare = before;
		before = above;
		above = row;
		row = spare;
	}
	return above[nb];
}

void suggest_init(struct suggest *s, const char *word)
{
	size_t n = strlen(word);
	*s = (struct suggest){.word = word, .distance = n > SUGGEST_WORD_MAX ? 0 : n / 3 + 2};
}

void suggest_add(struct suggest *s, const char *name)
{
	size_t nw = strlen(s->word), nn = strlen(name);
	if (!s->distance || nn > SUGGEST_WORD_MAX)
		return;
	size_t d = edit_distance(s->word, nw, name, nn);
	if (d < s->distance) {
		s->distance = d;
		s->best = name;
	}
}
