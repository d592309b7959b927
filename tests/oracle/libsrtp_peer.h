/*
 * libsrtp_peer: libsrtp2 behind names of its own.
 *
 * Both libraries have an srtp_protect_rtcp, so this one is opened at run time and its header stays
 * in one file.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct peer;

enum peer_rtcp { PEER_RTCP_ENCRYPTED, PEER_RTCP_CLEAR };

/* False if the shared library or one of its functions is missing. */
bool peer_load(void);

/*
 * `profile` is the DTLS-SRTP number; key_salt is the master key followed by the salt. NULL if not
 * supported.
 */
struct peer *peer_new(
	unsigned profile, const uint8_t *key_salt, bool is_inbound, enum peer_rtcp rtcp);
void peer_free(struct peer *p);

/*
 * In place; *n is updated. 0 or the library's status. The buffer has room for SRTP_MAX_TRAILER_LEN
 * more.
 */
int peer_protect(struct peer *p, uint8_t *pkt, size_t *n);
int peer_unprotect(struct peer *p, uint8_t *pkt, size_t *n);
int peer_protect_rtcp(struct peer *p, uint8_t *pkt, size_t *n);
int peer_unprotect_rtcp(struct peer *p, uint8_t *pkt, size_t *n);
