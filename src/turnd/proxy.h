/*
 * proxy: the header that a proxy puts in front of a connection, version 1 (text) and 2 (binary), of HAProxy's
 * proxy-protocol.txt. Bytes in, addresses out; who may send one is the caller's business.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "base/addr.h"
#include "base/err.h"
#include "base/slice.h"

enum {
	PROXY_V1_MAX = 107,       /* with CR LF, §2.1 */
	PROXY_V2_HDR_LEN = 16,
	PROXY_V2_MAX = 2048,      /* address block and TLVs; beyond is refused */
	PROXY_SIZE_MAX = PROXY_V2_HDR_LEN + PROXY_V2_MAX,
};

struct proxy_header {
	size_t size;      /* bytes it takes up in the stream */
	bool has_addrs;   /* false for LOCAL, UNKNOWN, UNSPEC and UNIX: the connection's own addresses hold */
	struct addr client, server;
};

/*
 * The header at the front of `in`. 0; -ERR_AGAIN when more bytes are needed, never from PROXY_SIZE_MAX on;
 * -ERR_MALFORMED (a checksum that does not match included), -ERR_TOO_LARGE, -ERR_UNSUPPORTED (a version or command
 * that does not exist).
 */
MUST_CHECK int proxy_parse(struct proxy_header *out, struct slice in);
