/*
 * join_request: the URL parameter in which a client packs its JoinRequest.
 *
 *   base64url ( WrappedJoinRequest { compression, join_request = [gzip] JoinRequest } )
 *
 * Called by signal/ before the WebSocket upgrade.
 */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"
#include "proto/signal.pb-c.h"

/* Largest JoinRequest after decompression, in bytes. */
enum { PB_JOIN_REQUEST_MAX = 1 << 20 };

/*
 * Decodes the parameter, percent-decoded already. base64 padding may be missing.
 * 0 and *out owned by the caller (pb_free), or -ERR_TOO_LARGE for more than PB_JOIN_REQUEST_MAX
 * bytes, -ERR_UNSUPPORTED for an unknown compression, -ERR_MALFORMED, -ERR_TRUNCATED; *out is NULL
 * then and `eb` (may be NULL) says which layer failed.
 */
MUST_CHECK int pb_join_request_decode(
	struct slice param, Livekit__JoinRequest **out, struct errbuf *eb);

/* The parameter for a request of ours (load generator, tests): gzip, padded base64url. Appends to
 * `out`. */
MUST_CHECK int pb_join_request_encode(const Livekit__JoinRequest *req, struct buf *out);
