/* A token: as it is, and as claims (or header, newline, claims) under a good signature. */
#include <stdlib.h>

#include "../../unit/auth/forge.h"
#include "auth/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

#define NOW UINT64_C(1800000000)

/* What is taken must be mintable, and then taken again. */
static void try_token(const struct auth_keys *keys, struct slice token)
{
	struct grants *g, *back;
	struct errbuf eb;
	int err = auth_verify(keys, token, NOW, &g, &eb);
	if ((g == NULL) != (err != 0))
		abort();
	if (err)
		return;
	char *minted;
	if (auth_mint(keys, "devkey", g, 60, NOW, &minted) == 0) {
		if (auth_verify(keys, slice_str(minted), NOW, &back, &eb) != 0)
			abort();
		if (grants_can_publish(g) != grants_can_publish(back) ||
			g->video.can_publish_sources != back->video.can_publish_sources)
			abort();
		grants_free(back);
		xfree(minted);
	}
	struct grants *copy = grants_copy(g);
	grants_free(g);
	grants_free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct auth_keys *keys = auth_keys_new();
	if (auth_keys_parse(keys, slice_str("devkey: secret\n"), NULL) != 0)
		abort();
	try_token(keys, slice_of(p, n));
	struct slice header = slice_str("{\"alg\":\"HS256\"}"), claims = slice_of(p, n);
	const uint8_t *newline = n ? memchr(p, '\n', n) : NULL;
	if (newline) {
		header = slice_of(p, (size_t)(newline - p));
		claims = slice_of(newline + 1, n - header.n - 1);
	}
	char *token = forge(header, claims, "secret");
	try_token(keys, slice_str(token));
	xfree(token);
	auth_keys_unref(keys);
	return 0;
}
