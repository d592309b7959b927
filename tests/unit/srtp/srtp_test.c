#include "srtp_help.h"

/* ---- published vectors ---- */

static const char rtp_plain[] =
	"8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973 20646976"
	"69736120 696e2070 61727465 73207472 6573";
static const char rtcp_plain[] =
	"81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61"
	"deadbeef deadbeef deadbeef deadbeef deadbeef";

/* RFC 7714 §16, §17: rows of one key size. The vectors give session keys, not master keys. */
static const struct gcm_vector {
	enum srtp_profile profile;
	const char *rtp, *rtcp, *rtcp_clear;
} gcm_vectors[] = {
	{SRTP_PROFILE_AEAD_AES_128_GCM,
		"8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f"
		"42a5f47a 51c7d19b 36de3adf 8833899d 7f27beb1 6a9152cf 765ee439 0cce",
		"81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d c676a5f1"
		"730d6fda 4ce09b46 86303ded 0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade 800005d4",
		"81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61 deadbeef"
		"deadbeef deadbeef deadbeef deadbeef 841dd968 3dd78ec9 2ae58790 125f62b3 000005d4"},
	{SRTP_PROFILE_AEAD_AES_256_GCM,
		"8040f17b 8041f8d3 5501a0b2 32b1de78 a822fe12 ef9f78fa 332e33aa b1801238 9a58e2f3"
		"b50b2a02 76ffae0f 1ba63799 b87b7aa3 db36dfff d6b0f9bb 7878d7a7 6c13",
		"81c8000d 4d617273 d50ae4d1 f5ce5d30 4ba297e4 7d470c28 2c3ece5d bffe0a50 a2eaa5c1"
		"110555be 8415f658 c61de047 6f1b6fad 1d1eb30c 4446839f 57ff6f6c b26ac3be 800005d4",
		"81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61 deadbeef"
		"deadbeef deadbeef deadbeef deadbeef 91db4afb feee5a97 8fab4393 ed2615fe 000005d4"},
};

static struct srtp *from_rfc7714(enum srtp_profile profile)
{
	struct srtp_session_keys keys = {0};
	for (uint8_t i = 0; i < SRTP_KEY_MAX; i++)
		keys.rtp.key[i] = keys.rtcp.key[i] = i;
	memcpy(keys.rtp.salt, "Quid pro quo", 12);
	memcpy(keys.rtcp.salt, "Quid pro quo", 12);
	struct srtp *s = srtp_build(srtp_profile_find((uint16_t)profile), &keys, &keys);
	assert_non_null(s);
	return s;
}

static void rfc7714_srtp(void **st)
{
	(void)st;
	for (size_t i = 0; i < ARRAY_LEN(gcm_vectors); i++) {
		struct srtp *s = from_rfc7714(gcm_vectors[i].profile);
		struct bytes plain = unhex(rtp_plain);
		struct bytes got = protect(s, srtp_tx_add(s, 0x5501a0b2), &plain, 12);
		assert_bytes(got.p, got.n, unhex(gcm_vectors[i].rtp));
		assert_int_equal(srtp_unprotect_rtp(s, got.p, &got.n), 0);
		assert_bytes(got.p, got.n, plain);
		srtp_free(s);
	}
}

static void rfc7714_srtcp(void **st)
{
	(void)st;
	for (size_t i = 0; i < ARRAY_LEN(gcm_vectors); i++) {
		struct srtp *s = from_rfc7714(gcm_vectors[i].profile);
		struct bytes got = unhex(rtcp_plain);
		s->tx_rtcp_index = 0x5d4;
		assert_int_equal(srtp_protect_rtcp(s, got.p, got.n, sizeof got.p, &got.n), 0);
		assert_bytes(got.p, got.n, unhex(gcm_vectors[i].rtcp));
		assert_int_equal(srtp_unprotect_rtcp(s, got.p, &got.n), 0);
		assert_bytes(got.p, got.n, unhex(rtcp_plain));
		srtp_free(s);

		/* §17.3, §17.4: tagged but not encrypted, E = 0. */
		s = from_rfc7714(gcm_vectors[i].profile);
		got = unhex(gcm_vectors[i].rtcp_clear);
		assert_int_equal(srtp_unprotect_rtcp(s, got.p, &got.n), 0);
		assert_bytes(got.p, got.n, unhex(rtcp_plain));
		srtp_free(s);
	}
}

/*
 * RFC 3711 appendix B.3. The RTP labels; the authentication key is the beginning of the 94 bytes
 * given there.
 */
static void rfc3711_key_derivation(void **st)
{
	(void)st;
	struct srtp_session_keys k;
	struct bytes key = unhex("E1F97A0D3E018BE0D64FA32C06DE4139");
	struct bytes salt = unhex("0EC675AD498AFEEBB6960B3AABE6");
	assert_int_equal(srtp_derive(srtp_profile_find(1), slice_of(key.p, key.n),
				 slice_of(salt.p, salt.n), &k),
		0);
	assert_bytes(k.rtp.key, 16, unhex("C61E7A93744F39EE10734AFE3FF7A087"));
	assert_bytes(k.rtp.salt, 14, unhex("30CBBC08863D8C85D49DB34A9AE1"));
	assert_bytes(k.rtp.auth, 20, unhex("CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4"));
	assert_int_equal(srtp_derive(srtp_profile_find(1), slice_of(key.p, 15),
				 slice_of(salt.p, salt.n), &k),
		-ERR_RANGE);
	assert_int_equal(srtp_derive(srtp_profile_find(7), slice_of(key.p, key.n),
				 slice_of(salt.p, salt.n), &k),
		-ERR_RANGE);
}

/* ---- profiles and keying ---- */

static void every_profile_row_is_consistent(void **st)
{
	(void)st;
	unsigned i = 0;
	for (; srtp_profile_at(i); i++) {
		const struct srtp_profile_info *p = srtp_profile_at(i);
		assert_ptr_equal(srtp_profile_find((uint16_t)p->id), p);
		assert_int_equal(p->keying_len, 2 * (p->key_len + p->salt_len));
		assert_true(p->tag_len <= SRTP_MAX_OVERHEAD);
		assert_true(p->tag_len + 4 <= SRTCP_MAX_OVERHEAD);
		assert_true(p->key_len <= SRTP_KEY_MAX && p->salt_len <= SRTP_SALT_MAX);
	}
	assert_int_equal(i, ARRAY_LEN(all_profiles));
	assert_null(srtp_profile_find(0));
	assert_null(srtp_profile_find(2)); /* AES128_CM_SHA1_32 is not offered */
	assert_null(srtp_profile_find(0xffff));
}

static void keying_layout_is_rfc5764(void **st)
{
	(void)st;
	uint8_t keying[SRTP_KEYING_MAX];
	for (size_t i = 0; i < sizeof keying; i++)
		keying[i] = (uint8_t)i;
	/* Client key, server key, client salt, server salt: 16 + 16 + 14 + 14. */
	struct srtp_keys as_client = {
		.tx_key = {keying, 16},
		.rx_key = {keying + 16, 16},
		.tx_salt = {keying + 32, 14},
		.rx_salt = {keying + 46, 14},
	};
	struct srtp *client = srtp_new_keys(SRTP_PROFILE_AES128_CM_SHA1_80, &as_client);
	struct srtp *server = srtp_new(SRTP_PROFILE_AES128_CM_SHA1_80, slice_of(keying, 60), true);
	assert_int_equal(receive(server, sent(client, srtp_tx_add(client, 1), 5)), 0);
	assert_int_equal(receive(client, sent(server, srtp_tx_add(server, 1), 5)), 0);
	srtp_free(client);
	srtp_free(server);
}

static void wrong_keying_is_refused(void **st)
{
	(void)st;
	uint8_t keying[SRTP_KEYING_MAX + 1] = {0};
	for (size_t i = 0; i < ARRAY_LEN(all_profiles); i++)
		for (size_t n = 0; n <= sizeof keying; n++) {
			struct srtp *s = srtp_new(all_profiles[i], slice_of(keying, n), true);
			assert_int_equal(s != NULL,
				n == srtp_profile_find((uint16_t)all_profiles[i])->keying_len);
			srtp_free(s);
		}
	assert_null(srtp_new((enum srtp_profile)2, slice_of(keying, 60), true));
	srtp_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc7714_srtp),
		cmocka_unit_test(rfc7714_srtcp),
		cmocka_unit_test(rfc3711_key_derivation),
		cmocka_unit_test(every_profile_row_is_consistent),
		cmocka_unit_test(keying_layout_is_rfc5764),
		cmocka_unit_test(wrong_keying_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
