/*
 * keys: the set of API keys and their secrets.
 *
 * Filled once (config, key file), then shared and never changed: a reload builds a new set, swaps
 * the pointer and drops its reference to the old one. Reading and the reference count are safe on
 * any thread. Secrets are wiped when the last reference goes, and no function here logs.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"
#include "base/slice.h"

/* Secrets shorter than this deserve a warning at start: HS256 wants 256 bits (RFC 7518 §3.2). */
enum { AUTH_SECRET_GOOD_LEN = 32, AUTH_KEY_MAX = 256, AUTH_SECRET_MAX = 1024 };

struct auth_keys;

/* An empty set with one reference. Returns owned: auth_keys_unref. */
MUST_CHECK struct auth_keys *auth_keys_new(void);

struct auth_keys *auth_keys_ref(struct auth_keys *k);

/* Accepts NULL. */
void auth_keys_unref(struct auth_keys *k);

/*
 * Adds a pair while the set has one owner. Copies both.
 * 0, -ERR_EXISTS for a key that is there already, -ERR_RANGE for an empty or too long key or
 * secret.
 */
MUST_CHECK int auth_keys_add(
	struct auth_keys *k, struct slice key, struct slice secret, struct errbuf *eb);

/*
 * Adds every "key: secret" line of a text. Blank lines and lines that start with "#" are skipped,
 * quotes around either part are removed. Errors name the line, never its content: -ERR_MALFORMED,
 * or those of auth_keys_add.
 */
MUST_CHECK int auth_keys_parse(struct auth_keys *k, struct slice text, struct errbuf *eb);

/* True and the secret (borrowed, lives as long as the set) if there is such a key. */
MUST_CHECK bool auth_keys_secret(const struct auth_keys *k, struct slice key, struct slice *secret);

size_t auth_keys_count(const struct auth_keys *k);

/* The key at place i < count, in the order they were added; a C string, borrowed. */
const char *auth_keys_at(const struct auth_keys *k, size_t i);
