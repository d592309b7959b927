/* suggest: the "did you mean" of error messages. Control path only. */
#pragma once
#include <stddef.h>

/* Words longer than this get no suggestion. */
enum { SUGGEST_WORD_MAX = 64 };

struct suggest {
	const char *word; /* borrowed */
	const char *best; /* the nearest name so far that is near enough, else NULL; borrowed */
	size_t distance;
};

void suggest_init(struct suggest *s, const char *word);

/* Offers a name. Near enough: a third of the word's letters or fewer added, dropped, changed or swapped. */
void suggest_add(struct suggest *s, const char *name);
