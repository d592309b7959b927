/* srtp_internal: the object behind srtp.h, shared by the files of srtp/ and by their unit tests. */
#pragma once
#include "crypto/aead.h"
#include "srtp/srtp.h"
#include "srtp/srtp_window.h"

/*
 * What a master key and salt give (RFC 3711 §4.3): keys of one direction. Secret: wipe after use.
 */
struct srtp_session_keys {
	struct {
		uint8_t key[SRTP_KEY_MAX], auth[20], salt[SRTP_SALT_MAX];
	} rtp, rtcp;
};

/* 0, -ERR_RANGE when a length is not the profile's, -ERR_CRYPTO. */
MUST_CHECK int srtp_derive(const struct srtp_profile_info *profile, struct slice master_key,
	struct slice master_salt, struct srtp_session_keys *out);

/* Returns owned, or NULL when OpenSSL lacks the cipher. */
struct srtp *srtp_build(const struct srtp_profile_info *profile, const struct srtp_session_keys *tx,
	const struct srtp_session_keys *rx);

/* A cipher and the salt that its IVs start from, zeros behind the salt's end. */
struct srtp_cipher {
	struct aead *aead;
	uint8_t salt[AEAD_IV_MAX];
};

struct srtp_stream {
	struct srtp_stream *next;
	uint64_t top; /* index of the newest packet */
	uint32_t ssrc;
	bool is_open, has_sent;
};

struct srtp_rx_stream {
	struct srtp_window rtp, rtcp;
	uint32_t used; /* value of rx_count at its latest packet */
};

struct srtp {
	struct srtp_cipher tx_rtp, tx_rtcp, rx_rtp, rx_rtcp;
	const struct srtp_profile_info *profile;
	uint8_t tag_len;
	uint8_t iv_at; /* where the SSRC goes in the IV: 4 for CM, 2 for GCM */
	bool is_gcm;
	uint32_t tx_rtcp_index;
	struct srtp_stream *tx;
	unsigned n_tx;
	unsigned n_rx;
	uint32_t rx_count;
	/* Apart from the states, so that a search reads one cache line per 16 SSRCs. */
	uint32_t rx_ssrc[SRTP_RX_MAX];
	struct srtp_rx_stream rx[SRTP_RX_MAX];
};

/*
 * RFC 3711 §4.1.1 and RFC 7714 §8.1, §9.1 differ only in where the SSRC begins: salt, XOR SSRC, XOR
 * 48 bits of index right behind. An SRTCP index is the same with zeros above its 31 bits.
 */
static inline void srtp_make_iv(uint8_t iv[AEAD_IV_MAX], const struct srtp_cipher *c, unsigned at,
	uint32_t ssrc, uint64_t index)
{
	memcpy(iv, c->salt, AEAD_IV_MAX);
	wr32(iv + at, rd32(iv + at) ^ ssrc);
	wr32(iv + at + 4, rd32(iv + at + 4) ^ (uint32_t)(index >> 16));
	wr16(iv + at + 8, rd16(iv + at + 8) ^ (uint16_t)index);
}
