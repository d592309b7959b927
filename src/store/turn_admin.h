/*
 * turn_admin: changes to the TURN users of an SQLite store, for the command line: sterna user. Blocks.
 *
 * What is stored is the long-term key (RFC 8489 §9.2.2), never a password.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/slice.h"

struct store_admin;

enum store_key_kind {
	STORE_KEY_MD5,    /* MD5(user:realm:password): what all clients know, and coturn */
	STORE_KEY_SHA256, /* SHA-256 of the same: only clients with PASSWORD-ALGORITHMS */
};

/*
 * Opens the SQLite file that `url` names, and makes it if there is none and `may_create`. A file of coturn's is
 * written as it is. 0 and *out owned; -ERR_CONFIG or -ERR_SYSTEM with a sentence.
 */
MUST_CHECK int store_admin_open(
	const char *url, bool may_create, struct store_admin **out, struct errbuf *eb);

/* Adds the user or changes its key; *existed tells which. 0, -ERR_RANGE for names that cannot be, -ERR_SYSTEM. */
struct store_admin_user {
	const char *realm, *user, *password;
	enum store_key_kind kind;
};
MUST_CHECK int store_admin_add(
	struct store_admin *a, const struct store_admin_user *u, bool *existed, struct errbuf *eb);

/* 0, -ERR_NOT_FOUND or -ERR_SYSTEM with a sentence. */
MUST_CHECK int store_admin_delete(
	struct store_admin *a, const char *realm, const char *user, struct errbuf *eb);

/* Calls `each` for all users in order, of one realm or (NULL) of all. 0 or -ERR_SYSTEM with a sentence. */
MUST_CHECK int store_admin_list(struct store_admin *a, const char *realm,
	void (*each)(void *arg, const char *realm, const char *user), void *arg, struct errbuf *eb);

/* Accepts NULL. */
void store_admin_close(struct store_admin *a);
