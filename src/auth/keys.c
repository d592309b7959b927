#include "auth/keys.h"

#include <stdatomic.h>

#include "base/mem.h"

struct key_pair {
	char *key;
	uint8_t *secret;
	size_t n_key, n_secret;
};

struct auth_keys {
	atomic_uint refs;
	struct key_pair *pairs;
	size_t n;
};

struct auth_keys *auth_keys_new(void)
{
	struct auth_keys *k = XNEW(struct auth_keys);
	atomic_init(&k->refs, 1);
	return k;
}

struct auth_keys *auth_keys_ref(struct auth_keys *k)
{
	atomic_fetch_add_explicit(&k->refs, 1, memory_order_relaxed);
	return k;
}

void auth_keys_unref(struct auth_keys *k)
{
	/* Acquire and release: whoever frees must see all that the others did with the set before.
	 */
	if (!k || atomic_fetch_sub_explicit(&k->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t i = 0; i < k->n; i++) {
		secret_wipe(k->pairs[i].secret, k->pairs[i].n_secret);
		xfree(k->pairs[i].secret);
		xfree(k->pairs[i].key);
	}
	xfree(k->pairs);
	xfree(k);
}

static const struct key_pair *find(const struct auth_keys *k, struct slice key)
{
	for (size_t i = 0; i < k->n; i++)
		if (slice_eq((struct slice){(const uint8_t *)k->pairs[i].key, k->pairs[i].n_key},
			    key))
			return &k->pairs[i];
	return NULL;
}

int auth_keys_add(struct auth_keys *k, struct slice key, struct slice secret, struct errbuf *eb)
{
	if (key.n == 0 || key.n > AUTH_KEY_MAX)
		return err_set(eb, ERR_RANGE, "an API key has 1 to %d characters", AUTH_KEY_MAX);
	if (secret.n == 0 || secret.n > AUTH_SECRET_MAX)
		return err_set(eb, ERR_RANGE, "the secret of an API key has 1 to %d characters",
			AUTH_SECRET_MAX);
	if (find(k, key))
		return err_set(eb, ERR_EXISTS, "an API key is there twice");
	k->pairs = xrealloc(k->pairs, (k->n + 1) * sizeof *k->pairs);
	k->pairs[k->n++] = (struct key_pair){
		.key = xstrndup((const char *)key.p, key.n),
		.n_key = key.n,
		.secret = xmemdup(secret.p, secret.n),
		.n_secret = secret.n,
	};
	return 0;
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Without the blanks around it, then without the quotes around that. */
static struct slice trim(struct slice s)
{
	while (s.n > 0 && is_blank(s.p[0])) {
		s.p++;
		s.n--;
	}
	while (s.n > 0 && is_blank(s.p[s.n - 1]))
		s.n--;
	if (s.n >= 2 && (s.p[0] == '"' || s.p[0] == '\'') && s.p[s.n - 1] == s.p[0]) {
		s.p++;
		s.n -= 2;
	}
	return s;
}

static int parse_line(struct auth_keys *k, struct slice line, struct errbuf *eb)
{
	line = trim(line);
	if (line.n == 0 || line.p[0] == '#')
		return 0;
	const uint8_t *colon = memchr(line.p, ':', line.n);
	if (!colon)
		return err_set(eb, ERR_MALFORMED, "expected \"key: secret\"");
	size_t n = (size_t)(colon - line.p);
	struct slice key = trim((struct slice){line.p, n});
	struct slice secret = trim((struct slice){colon + 1, line.n - n - 1});
	if (memchr(key.p, 0, key.n))
		return err_set(eb, ERR_MALFORMED, "an API key is text");
	return auth_keys_add(k, key, secret, eb);
}

int auth_keys_parse(struct auth_keys *k, struct slice text, struct errbuf *eb)
{
	for (unsigned number = 1; text.n > 0; number++) {
		const uint8_t *end = memchr(text.p, '\n', text.n);
		size_t n = end ? (size_t)(end - text.p) : text.n;
		struct errbuf why;
		int err = parse_line(k, (struct slice){text.p, n}, &why);
		if (err)
			return err_set(
				eb, (enum err) - err, "API keys, line %u: %s", number, why.text);
		n += end != NULL;
		text.p += n;
		text.n -= n;
	}
	return 0;
}

bool auth_keys_secret(const struct auth_keys *k, struct slice key, struct slice *secret)
{
	const struct key_pair *pair = find(k, key);
	if (pair)
		*secret = (struct slice){pair->secret, pair->n_secret};
	return pair != NULL;
}

size_t auth_keys_count(const struct auth_keys *k)
{
	return k->n;
}

const char *auth_keys_at(const struct auth_keys *k, size_t i)
{
	return k->pairs[i].key;
}
