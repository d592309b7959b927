/*
 * dtls: DTLS 1.2 with use_srtp over datagrams handed in and out (RFC 6347, RFC 5764, RFC 8842), on OpenSSL 3.0.
 *
 * Knows bytes only: no socket, no thread. Callers: session/ (one association per transport), the load generator.
 * A context and its associations belong to one thread; an identity is read-only after creation and may be
 * shared by all threads.
 *
 * Time: `now_us` drives the handshake limit and the deadline that dtls_next_us reports. The retransmission timer
 * itself lives inside OpenSSL 3.0 and reads the real clock; it cannot be injected. dtls_next_us is derived from
 * DTLSv1_get_timeout at every call, so a caller whose clock runs at the pace of the real one sees no difference; one
 * that calls early gets the remaining time again. dtls_cfg.retransmit_us exists so that tests need not wait.
 *
 * Memory: about 39 KiB per connected association, 21 of them a handshake buffer that OpenSSL 3.0 never gives back for
 * DTLS; 57 KiB during the handshake.
 *
 * Callbacks: dtls_free may be called from every callback but `send`; nothing else of the same association may be
 * called from `send`. From the others, dtls_send and dtls_close are fine.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/slice.h"

struct dtls_identity; /* private key and self-signed certificate */
struct dtls_ctx;      /* what all associations of one worker share */
struct dtls;          /* one association */

/* SRTP protection profiles by their IANA number (RFC 5764 §4.1.2, RFC 7714 §14.2). */
enum dtls_profile {
	DTLS_PROFILE_NONE = 0x0000,
	DTLS_PROFILE_AES128_CM_SHA1_80 = 0x0001,
	DTLS_PROFILE_AEAD_AES_128_GCM = 0x0007,
	DTLS_PROFILE_AEAD_AES_256_GCM = 0x0008,
};

enum {
	DTLS_MTU = 1200,          /* largest datagram that `send` sees */
	DTLS_OVERHEAD_MAX = 37,   /* record header 13, explicit nonce 8, tag 16 */
	DTLS_APP_MAX = DTLS_MTU - DTLS_OVERHEAD_MAX,
	DTLS_KEYS_MAX = 2 * (32 + 12),
	DTLS_PROFILES_MAX = 4,
};

/*
 * Makes an ECDSA P-256 key and a certificate with a random name (RFC 8827 §6.5), valid from yesterday for ten years.
 * Once per process: the fingerprint goes into every SDP. 0 (*out owned, dtls_identity_free) or -ERR_CRYPTO.
 */
MUST_CHECK int dtls_identity_new(struct dtls_identity **out);
void dtls_identity_free(struct dtls_identity *id); /* accepts NULL; contexts made from it stay valid */

/* "AB:CD:…", the SHA-256 of the certificate, as a=fingerprint writes it after "sha-256 " (RFC 8122 §5). Borrowed. */
const char *dtls_identity_fingerprint(const struct dtls_identity *id);

/* The certificate, DER. Borrowed. */
struct slice dtls_identity_cert(const struct dtls_identity *id);

/*
 * Makes the context of one worker with its own OSSL_LIB_CTX. `profiles` is the order of preference, at most
 * DTLS_PROFILES_MAX; n = 0 means the default: AEAD_AES_128_GCM, AEAD_AES_256_GCM, AES128_CM_SHA1_80. As a server our
 * order wins over the client's. Borrows id during the call.
 * 0 (*out owned, dtls_ctx_free), -ERR_UNSUPPORTED for an unknown profile, -ERR_CRYPTO.
 */
MUST_CHECK int dtls_ctx_new(struct dtls_ctx **out, const struct dtls_identity *id,
	const enum dtls_profile *profiles, size_t n);

/*
 * A context for servers that show a certificate of files to clients that show none (TURN over DTLS, RFC 7350): of an
 * SSL_CTX of DTLS_server_method with certificate, key and ciphers. Takes a reference, not the library context, which
 * the caller keeps. Its associations have cfg.is_peer_anonymous and begin with dtls_accept. 0 or -ERR_CRYPTO.
 */
struct ssl_ctx_st;
MUST_CHECK int dtls_ctx_from(struct dtls_ctx **out, struct ssl_ctx_st *ssl_ctx);

/* Another one for new associations. The old one stays where it is in use, and altogether if this fails. */
MUST_CHECK int dtls_ctx_renew(struct dtls_ctx *ctx, struct ssl_ctx_st *ssl_ctx);

/* Accepts NULL. All associations of the context must be gone. */
void dtls_ctx_free(struct dtls_ctx *ctx);

struct dtls_ops {
	/* One datagram, at most DTLS_MTU bytes, borrowed during the call. */
	void (*send)(void *arg, struct slice datagram);

	/*
	 * Handshake done and peer certificate matched: once. `keys` is client key, server key, client salt, server
	 * salt (RFC 5764 §4.2), empty for DTLS_PROFILE_NONE; borrowed, wiped after the call.
	 */
	void (*connected)(void *arg, enum dtls_profile profile, struct slice keys);

	/* One record of application data (an SCTP packet), only after `connected`. Borrowed, may be written to. */
	void (*app_data)(void *arg, struct slice data);

	/* The association is dead: -ERR_CRYPTO (handshake, alert), -ERR_AUTH (fingerprint), -ERR_TIMEOUT,
	 * -ERR_TOO_LARGE (too many handshake bytes), -ERR_UNSUPPORTED (no common SRTP profile). Once. */
	void (*failed)(void *arg, int err);

	/* The peer sent close_notify. Once, and never after `failed`. */
	void (*closed)(void *arg);
};

struct dtls_cfg {
	bool is_server;
	bool require_srtp;      /* fail when no SRTP profile was agreed; false for a transport with data only */
	uint32_t retransmit_us; /* first retransmission; 0 = 100 ms. Doubles up to 3 s */
	bool is_peer_anonymous; /* no certificate is asked for; connected when the handshake is done */
	uint16_t app_max;       /* longest application data, DTLS_APP_MAX or more, at most 4000; 0 = DTLS_APP_MAX */
};

/* Returns owned, NULL only if OpenSSL has no memory. Borrows ctx and ops, which must outlive it. */
MUST_CHECK struct dtls *dtls_new(struct dtls_ctx *ctx, const struct dtls_cfg *cfg,
	const struct dtls_ops *ops, void *arg);

/* Accepts NULL. Sends nothing; no callback runs afterwards. */
void dtls_free(struct dtls *d);

/*
 * Starts the handshake clock (60 s); a client sends its ClientHello. Call once, when ICE has a pair.
 * Without any answer OpenSSL gives up after 12 retransmissions, some 25 s: `failed` with -ERR_TIMEOUT.
 */
void dtls_start(struct dtls *d, uint64_t now_us);

/*
 * Instead of dtls_start: begins as the server with a ClientHello whose cookie was found good (dtls/cookie.h).
 * 0, -ERR_BAD_STATE or -ERR_CRYPTO: `failed` was called.
 */
MUST_CHECK int dtls_accept(struct dtls *d, struct slice client_hello, uint64_t now_us);

/*
 * Adds a fingerprint of the peer's certificate: algorithm as in SDP ("sha-256", "sha-384", "sha-512", any case) and hex
 * text with colons. Several may be added before the handshake is done; a match of one is enough. Until the first
 * is known a finished handshake waits; once one is known and none matches, the association fails with -ERR_AUTH.
 * 0, -ERR_UNSUPPORTED for other algorithms (sha-1, md5: nothing changes), -ERR_MALFORMED, -ERR_NO_ROOM past four.
 */
MUST_CHECK int dtls_set_remote_fingerprint(struct dtls *d, struct slice alg, struct slice hex);

/*
 * One datagram from the peer. 0, or the reason to count a drop: -ERR_MALFORMED (no DTLS record),
 * -ERR_BAD_STATE (before dtls_start), -ERR_CLOSED (dead already), -ERR_CRYPTO (this datagram ended the
 * association; `failed` was called). Records that do not authenticate are discarded by OpenSSL
 * without a word, as RFC 6347 §4.1.2.7 wishes.
 */
MUST_CHECK int dtls_rx(struct dtls *d, struct slice datagram, uint64_t now_us);

/* Sends one record of application data. 0, -ERR_BAD_STATE before `connected`, -ERR_TOO_LARGE past cfg.app_max,
 * -ERR_CLOSED, -ERR_CRYPTO. */
MUST_CHECK int dtls_send(struct dtls *d, struct slice data);

/* When dtls_timeout wants to run next, on the clock of now_us; UINT64_MAX = never. */
uint64_t dtls_next_us(const struct dtls *d);
void dtls_timeout(struct dtls *d, uint64_t now_us);

/* Sends close_notify if the handshake is done. The association is dead afterwards; no callback but `send` runs. */
void dtls_close(struct dtls *d);

bool dtls_is_connected(const struct dtls *d);

/* The name of the cipher suite, for logs; "" before the handshake is done. Static storage. */
const char *dtls_cipher_name(const struct dtls *d);

/* Length of the keying material of a profile: 2 * (key + salt); 0 for none or unknown. */
size_t dtls_profile_keys_len(enum dtls_profile profile);
