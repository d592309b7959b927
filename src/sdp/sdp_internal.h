/*
 * sdp_internal: what the files of this folder share for building descriptions. Not for other
 * modules.
 */
#pragma once
#include "sdp/sdp.h"

/* Returns an owned, empty description. */
struct sdp *sdp_new(void);

/* Zeroed memory that lives as long as the description. */
void *sdp_alloc(struct sdp *s, size_t n);

/* A copy that lives as long as the description. */
char *sdp_copy(struct sdp *s, const char *text, size_t n);

/*
 * `array` with room for one element more than n. The room is a power of two, so it is known from n.
 */
void *sdp_grow(struct sdp *s, void *array, size_t n, size_t size);

/* Appends a zeroed element and gives its address; `array` may move. */
#define SDP_PUSH(s, array, n)                                                                      \
	((array) = sdp_grow((s), (array), (n), sizeof *(array)), &(array)[(n)++])

/* A parsed attribute goes to the open section, or to the session before the first one. */
struct sdp_parser {
	struct sdp *s;
	struct sdp_media *m; /* NULL at session level */
	struct errbuf *eb;
	unsigned line;
	enum sdp_dir session_direction;
	const char *wildcard[SDP_FEEDBACK_MAX]; /* a=rtcp-fb:* of the open section */
	uint16_t n_wildcard;
};

#define SDP_BAD(p, err, fmt, ...) err_set((p)->eb, (err), "line %u: " fmt, (p)->line, ##__VA_ARGS__)

/* Reads "a=" content, which it may cut up in place: it outlives the parser. */
MUST_CHECK int sdp_take_attribute(struct sdp_parser *p, char *text);

/* The next word of *at, cut off with a NUL; NULL at the end. */
char *sdp_word(char **at);

/* A decimal number without sign that fills the whole text and is not above max. */
bool sdp_number(const char *text, uint64_t max, uint64_t *value);
