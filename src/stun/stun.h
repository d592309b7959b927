/*
 * stun: parse and build STUN messages (RFC 8489) with the attributes of ICE (RFC 8445 §16.1), TURN (RFC 8656,
 * RFC 6062, RFC 7635, RFC 8016) and NAT discovery (RFC 5780).
 *
 * Knows bytes only: no socket, no clock, no allocation, no global. It does not know transactions or
 * retransmission (ice/ and turn/ have them), nor what a username means beyond its colon.
 * Messages of RFC 3489, which have no magic cookie, are not STUN here.
 * A parsed message points into the caller's datagram and lives as long as it does.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/addr.h"
#include "base/err.h"
#include "base/slice.h"
#include "crypto/hmac.h"

/*
 *  0                   1                   2                   3
 *  0 0|M M M M M|C|M M M|C|M M M M|        length, header excluded  |
 *  |                 magic cookie 0x2112A442                        |
 *  |                 transaction id, 96 bits                        |
 *  |  attributes: type 16, length 16, value padded to 4 bytes …     |
 */
enum {
	STUN_HDR_LEN = 20,
	STUN_ATTR_HDR_LEN = 4,
	STUN_TID_LEN = 12,
	STUN_TID_AT = 8,
	STUN_INTEGRITY_LEN = 20,
	STUN_INTEGRITY256_LEN = 32,
	STUN_USERNAME_MAX = 513, /* RFC 8489 §14.3: less than 509 octets; two ICE ufrags and a colon */
	STUN_UNKNOWN_MAX = 8,    /* unknown attributes that are remembered for a 420 */
	STUN_FAMILY_V4 = 1,
	STUN_FAMILY_V6 = 2,
	STUN_FINGERPRINT_LEN = 4,
	STUN_ERROR_TEXT_MAX = 763, /* RFC 8489 §14.8 */
	STUN_USERHASH_LEN = 32,
	STUN_RESERVATION_TOKEN_LEN = 8,
	STUN_TRANSPORT_TCP = 6, /* REQUESTED-TRANSPORT: protocol numbers of IP */
	STUN_TRANSPORT_UDP = 17,
	STUN_EVEN_PORT_RESERVE = 0x80, /* the R bit of EVEN-PORT (RFC 8656 §18.6) */
	STUN_CHANGE_PORT = 0x2,        /* bits of CHANGE-REQUEST (RFC 5780 §7.2) */
	STUN_CHANGE_IP = 0x4,
	STUN_PASSWORD_MD5 = 1, /* algorithms of PASSWORD-ALGORITHM (RFC 8489 §18.5) */
	STUN_PASSWORD_SHA256 = 2,
};
#define STUN_COOKIE UINT32_C(0x2112A442)
#define STUN_FINGERPRINT_XOR UINT32_C(0x5354554e) /* "STUN" (RFC 8489 §14.7) */

/* The values are the class bits of the message type, in place (RFC 8489 §5). */
enum stun_class {
	STUN_REQUEST = 0x000,
	STUN_INDICATION = 0x010,
	STUN_SUCCESS = 0x100,
	STUN_ERROR = 0x110,
};

enum stun_method {
	STUN_BINDING = 0x001,
	STUN_ALLOCATE = 0x003,
	STUN_REFRESH = 0x004,
	STUN_SEND = 0x006,
	STUN_DATA = 0x007,
	STUN_CREATE_PERMISSION = 0x008,
	STUN_CHANNEL_BIND = 0x009,
	STUN_CONNECT = 0x00A, /* RFC 6062 §6.1 */
	STUN_CONNECTION_BIND = 0x00B,
	STUN_CONNECTION_ATTEMPT = 0x00C,
};

/* Error codes (RFC 8489 §14.8, RFC 8445 §16.2, RFC 8656 §19, RFC 6062 §6.3, RFC 8016 §5.2). */
enum {
	STUN_ERR_TRY_ALTERNATE = 300,
	STUN_ERR_BAD_REQUEST = 400,
	STUN_ERR_UNAUTHENTICATED = 401,
	STUN_ERR_FORBIDDEN = 403,
	STUN_ERR_MOBILITY_FORBIDDEN = 405,
	STUN_ERR_UNKNOWN_ATTRIBUTE = 420,
	STUN_ERR_ALLOCATION_MISMATCH = 437,
	STUN_ERR_STALE_NONCE = 438,
	STUN_ERR_FAMILY_UNSUPPORTED = 440,
	STUN_ERR_WRONG_CREDENTIALS = 441,
	STUN_ERR_TRANSPORT_UNSUPPORTED = 442,
	STUN_ERR_PEER_FAMILY_MISMATCH = 443,
	STUN_ERR_CONNECTION_EXISTS = 446,
	STUN_ERR_CONNECTION_FAILED = 447,
	STUN_ERR_QUOTA = 486,
	STUN_ERR_ROLE_CONFLICT = 487,
	STUN_ERR_SERVER = 500,
	STUN_ERR_CAPACITY = 508,
};

/*
 * Every attribute that is understood, one row each: its value is checked by `kind` and the length bounds,
 * then stored in the member of struct stun_msg. An attribute without a row is skipped, and noted in
 * `unknown` if its type says that it must be understood (0x0000-0x7fff).
 *
 *   SLICE  the value's bytes         U32, U64  an integer of that width     FLAG  presence is all there is
 *   XADDR  XOR-ed address            ERROR     class, number and reason     MAC, MAC256, FPRINT  see stun.c
 *
 * Those with the member `at` come last. Of them only the place is kept, so that ICE's checks do not pay for
 * what TURN needs: stun_value, stun_number and stun_addr read them when somebody asks.
 *
 *   BYTES  for stun_value            N8, N16, N32  for stun_number: the first 1, 2 or 4 bytes, the rest is RFFU
 *   PADDR, PXADDR  for stun_addr: plain, XOR-ed; the latter may repeat: stun_next_addr
 */
/*        name                 type    kind    member           min  max */
#define STUN_ATTR_MAP(X)                                                                           \
	X(USERNAME,            0x0006, SLICE,  username,          0, STUN_USERNAME_MAX)            \
	X(INTEGRITY,           0x0008, MAC,    integrity_at,     20, 20)                           \
	X(ERROR_CODE,          0x0009, ERROR,  error_reason,      4, 767)                          \
	X(UNKNOWN_ATTRIBUTES,  0x000A, SLICE,  refused,           0, UINT16_MAX)                   \
	X(REALM,               0x0014, SLICE,  realm,             0, 763)                          \
	X(NONCE,               0x0015, SLICE,  nonce,             0, 763)                          \
	X(INTEGRITY_SHA256,    0x001C, MAC256, integrity256_at,  16, 32)                           \
	X(XOR_MAPPED_ADDRESS,  0x0020, XADDR,  mapped,            8, 20)                           \
	X(PRIORITY,            0x0024, U32,    priority,          4, 4)                            \
	X(USE_CANDIDATE,       0x0025, FLAG,   present,           0, 0)                            \
	X(SOFTWARE,            0x8022, SLICE,  software,          0, 763)                          \
	X(FINGERPRINT,         0x8028, FPRINT, fingerprint_at,    4, 4)                            \
	X(ICE_CONTROLLED,      0x8029, U64,    tie_breaker,       8, 8)                            \
	X(ICE_CONTROLLING,     0x802A, U64,    tie_breaker,       8, 8)                            \
	X(MAPPED_ADDRESS,      0x0001, PADDR,  at,                8, 20)                           \
	X(CHANGE_REQUEST,      0x0003, N32,    at,                4, 4)                            \
	X(CHANNEL_NUMBER,      0x000C, N16,    at,                4, 4)                            \
	X(LIFETIME,            0x000D, N32,    at,                4, 4)                            \
	X(XOR_PEER_ADDRESS,    0x0012, PXADDR, at,                8, 20)                           \
	X(DATA,                0x0013, BYTES,  at,                0, UINT16_MAX)                   \
	X(XOR_RELAYED_ADDRESS, 0x0016, PXADDR, at,                8, 20)                           \
	X(REQUESTED_ADDRESS_FAMILY, 0x0017, N8, at,               4, 4)                            \
	X(EVEN_PORT,           0x0018, N8,     at,                1, 4)                            \
	X(REQUESTED_TRANSPORT, 0x0019, N8,     at,                4, 4)                            \
	X(DONT_FRAGMENT,       0x001A, BYTES,  at,                0, 0)                            \
	X(ACCESS_TOKEN,        0x001B, BYTES,  at,                0, UINT16_MAX)                   \
	X(PASSWORD_ALGORITHM,  0x001D, BYTES,  at,                4, 763)                          \
	X(USERHASH,            0x001E, BYTES,  at,               32, 32)                           \
	X(RESERVATION_TOKEN,   0x0022, BYTES,  at,                8, 8)                            \
	X(PADDING,             0x0026, BYTES,  at,                0, UINT16_MAX)                   \
	X(RESPONSE_PORT,       0x0027, N16,    at,                2, 4)                            \
	X(CONNECTION_ID,       0x002A, N32,    at,                4, 4)                            \
	X(ADDITIONAL_ADDRESS_FAMILY, 0x8000, N8, at,              4, 4)                            \
	X(ADDRESS_ERROR_CODE,  0x8001, BYTES,  at,                4, 767)                          \
	X(PASSWORD_ALGORITHMS, 0x8002, BYTES,  at,                4, 763)                          \
	X(ALTERNATE_DOMAIN,    0x8003, BYTES,  at,                0, 255)                          \
	X(ICMP,                0x8004, BYTES,  at,                8, 8)                            \
	X(BANDWIDTH,           0x8010, N32,    at,                4, 4) /* coturn's tools */       \
	X(ALTERNATE_SERVER,    0x8023, PADDR,  at,                8, 20)                           \
	X(RESPONSE_ORIGIN,     0x802B, PADDR,  at,                8, 20)                           \
	X(OTHER_ADDRESS,       0x802C, PADDR,  at,                8, 20)                           \
	X(THIRD_PARTY_AUTHORIZATION, 0x802E, BYTES, at,           0, 763)                          \
	X(ORIGIN,              0x802F, BYTES,  at,                0, 763) /* coturn's */           \
	X(MOBILITY_TICKET,     0x8030, BYTES,  at,                0, UINT16_MAX)

/* Row numbers: bit positions in `present`, and what the writer takes. */
enum stun_attr {
#define X(name, type, kind, member, min, max) STUN_ATTR_##name,
	STUN_ATTR_MAP(X)
#undef X
	STUN_ATTR_N,
	STUN_ATTR_FIRST_AT = STUN_ATTR_MAPPED_ADDRESS
};

struct stun_msg {
	struct slice raw;             /* the whole message, header included */
	const uint8_t *tid;           /* STUN_TID_LEN bytes inside raw */
	enum stun_class class;
	uint16_t method;
	uint16_t error_code;          /* 300-699; 0 = absent */
	uint64_t present;             /* bit STUN_ATTR_X set = attribute X was there; read by stun_has */
	uint64_t tie_breaker;         /* of ICE-CONTROLLED or ICE-CONTROLLING */
	uint32_t priority;
	uint32_t integrity_at;        /* offset of MESSAGE-INTEGRITY in raw; 0 = absent */
	uint32_t integrity256_at;     /* offset of MESSAGE-INTEGRITY-SHA256 in raw; 0 = absent */
	uint32_t fingerprint_at;      /* offset of FINGERPRINT in raw; 0 = absent */
	struct slice username, realm, nonce, software;
	struct slice error_reason;    /* UTF-8 of the sender; not checked */
	struct slice refused;         /* value of UNKNOWN-ATTRIBUTES: 16-bit types */
	struct addr mapped;           /* XOR-MAPPED-ADDRESS, decoded */
	size_t n_unknown;             /* entries of `unknown`; those past STUN_UNKNOWN_MAX are not counted */
	uint16_t unknown[STUN_UNKNOWN_MAX]; /* types that must be understood and are not; from here on not zeroed */
	uint16_t at[STUN_ATTR_N - STUN_ATTR_FIRST_AT]; /* attributes behind the header; read by stun_value and others */
};

static inline bool stun_has(const struct stun_msg *m, enum stun_attr attr)
{
	return (m->present >> attr & 1) != 0;
}

/* The value of an attribute whose member is `at`, inside raw; p NULL if it is absent. */
struct slice stun_value(const struct stun_msg *m, enum stun_attr attr);

/* The number of an N8, N16 or N32 attribute; 0 if it is absent. */
uint32_t stun_number(const struct stun_msg *m, enum stun_attr attr);

/* The first address of a PADDR or PXADDR attribute. False if it is absent. */
bool stun_addr(const struct stun_msg *m, enum stun_attr attr, struct addr *out);

/*
 * All addresses of a PXADDR attribute in order, as CreatePermission has them (RFC 8656 §10.1): start with
 * *at = 0, false at the end. Those behind an integrity attribute do not count.
 */
bool stun_next_addr(
	const struct stun_msg *m, enum stun_attr attr, size_t *at, struct addr *out);

/* True if the datagram can only be STUN: first byte (RFC 7983 §7), cookie, and a length that is exact. */
bool stun_looks_like(struct slice datagram);

/*
 * Parses one datagram. The first occurrence of an attribute wins; behind MESSAGE-INTEGRITY only
 * MESSAGE-INTEGRITY-SHA256 and FINGERPRINT are read, behind that one only FINGERPRINT (RFC 8489 §14.5, §14.6),
 * and nothing may follow FINGERPRINT. Nothing is verified. Never reads past the datagram.
 * 0; -ERR_MALFORMED (not STUN); -ERR_TRUNCATED (an attribute reaches past the end): *m is not to be used then.
 * -ERR_RANGE: an attribute has a wrong length or value. It counts as absent; all else is in *m, so that a server can
 * look at the credentials and answer 400.
 */
MUST_CHECK int stun_parse(struct stun_msg *m, struct slice datagram);

/* MESSAGE-INTEGRITY against a key. 0; -ERR_AUTH if it is absent or differs. Constant time in the digest. */
MUST_CHECK int stun_verify_integrity(const struct stun_msg *m, const struct hmac_sha1 *key);

/* The same for MESSAGE-INTEGRITY-SHA256, which may be cut to 16 bytes and more by its sender (RFC 8489 §14.6). */
MUST_CHECK int stun_verify_integrity256(const struct stun_msg *m, const struct hmac_sha256 *key);

/* FINGERPRINT. 0, also if it is absent; -ERR_MALFORMED if it differs. */
MUST_CHECK int stun_verify_fingerprint(const struct stun_msg *m);

/*
 * The USERNAME of a connectivity check, "receiver's ufrag:sender's ufrag" (RFC 8445 §7.2.2). For the receiver:
 * *local is its own ufrag, by which the caller finds the agent. 0; -ERR_MALFORMED without exactly one colon
 * or with an empty half. The slices borrow from `username`.
 */
MUST_CHECK int stun_username_split(
	struct slice username, struct slice *local, struct slice *remote);

/*
 * Builds a message in memory that the caller owns. A put that does not fit sets `full`, writes nothing more,
 * and makes stun_seal fail, so that puts need no check of their own.
 */
struct stun_writer {
	uint8_t *p;
	size_t n, cap;
	bool full;
};

void stun_begin(struct stun_writer *w, void *out, size_t cap, enum stun_method method,
	enum stun_class class, const uint8_t tid[STUN_TID_LEN]);

/* The value as it is, padded with zeros; NULL and 0 for a flag. */
void stun_put(struct stun_writer *w, enum stun_attr attr, const void *value, size_t n);
void stun_put_u32(struct stun_writer *w, enum stun_attr attr, uint32_t value);
void stun_put_u64(struct stun_writer *w, enum stun_attr attr, uint64_t value);

/* An address XOR-ed with the cookie and the transaction id (RFC 8489 §14.2). */
void stun_put_xor_addr(struct stun_writer *w, enum stun_attr attr, const struct addr *a);

/* An address as it is: MAPPED-ADDRESS, ALTERNATE-SERVER, RESPONSE-ORIGIN, OTHER-ADDRESS (RFC 8489 §14.1). */
void stun_put_addr(struct stun_writer *w, enum stun_attr attr, const struct addr *a);

/* An N8, N16 or N32 attribute in its usual length, RFFU zero: EVEN-PORT has one byte, the others four. */
void stun_put_number(struct stun_writer *w, enum stun_attr attr, uint32_t value);

/* ADDRESS-ERROR-CODE (RFC 8656 §18.12); family is AF_INET or AF_INET6, code 300-699. */
void stun_put_address_error(struct stun_writer *w, int family, unsigned code, const char *reason);

/* ICMP (RFC 8656 §18.13). */
void stun_put_icmp(struct stun_writer *w, uint8_t type, uint8_t code, uint32_t data);

/* ERROR-CODE; code is 300-699. */
void stun_put_error(struct stun_writer *w, unsigned code, const char *reason);

/* UNKNOWN-ATTRIBUTES, the companion of a 420. */
void stun_put_unknown(struct stun_writer *w, const uint16_t *types, size_t n);

/*
 * Ends the message with MESSAGE-INTEGRITY (unless key is NULL) and FINGERPRINT. *out then is the datagram,
 * inside the caller's memory. 0, or -ERR_NO_ROOM if anything did not fit.
 */
MUST_CHECK int stun_seal(struct stun_writer *w, const struct hmac_sha1 *key, struct slice *out);

/*
 * The same with a choice: MESSAGE-INTEGRITY unless key is NULL, then MESSAGE-INTEGRITY-SHA256 unless key256 is
 * NULL, then FINGERPRINT if wanted.
 */
MUST_CHECK int stun_seal_with(struct stun_writer *w, const struct hmac_sha1 *key,
	const struct hmac_sha256 *key256, bool with_fingerprint, struct slice *out);
