/*
 * peer: the other end of a session for the benchmarks: a client with one UDP socket of its own, a
 * full ICE agent, DTLS and, if asked for, SCTP with LiveKit's three channels, in the same process
 * and on the caller's thread. It takes no media in.
 */
#pragma once
#include "base/addr.h"
#include "base/slice.h"
#include "dtls/dtls.h"
#include "net/udp.h"
#include "srtp/srtp.h"

struct peer;

struct peer_cfg {
	struct dtls_ctx *dtls;     /* borrowed, as is rx */
	struct udp_rx *rx;         /* shared by all peers of a thread */
	bool is_dtls_server;
	bool with_sctp;
};

/* Binds 127.0.0.1 with a free port. Returns owned; aborts when the machine has no socket left. */
struct peer *peer_new(const struct peer_cfg *cfg);
void peer_free(struct peer *p);

const char *peer_ufrag(const struct peer *p);
const char *peer_pwd(const struct peer *p);

/* The description of the server; `fingerprint` is "AB:CD:…" (SHA-256). */
void peer_set_remote(struct peer *p, struct slice ufrag, struct slice pwd, struct slice fingerprint,
	uint64_t now_us);
void peer_add_candidate(struct peer *p, struct slice line, uint64_t now_us);

/* Reads all that has arrived, media included, and does what is due. */
void peer_poll(struct peer *p, uint64_t now_us);

/* ICE, DTLS and, if asked for, SCTP are up. */
bool peer_is_ready(const struct peer *p);

/* Valid once ready. */
struct srtp *peer_srtp(struct peer *p);
struct udp_sock *peer_sock(struct peer *p);
const struct addr *peer_remote(const struct peer *p);
