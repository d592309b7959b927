#include "srtp/srtp_internal.h"

#include "base/mem.h"

/* In the order of preference: GCM costs half of what CM costs, and 128 bits less than 256. */
static const struct srtp_profile_row {
	struct srtp_profile_info info;
	enum aead_alg alg;
} profiles[] = {
	{{SRTP_PROFILE_AEAD_AES_128_GCM, "SRTP_AEAD_AES_128_GCM", 16, 12, 16, 56}, AEAD_GCM128},
	{{SRTP_PROFILE_AEAD_AES_256_GCM, "SRTP_AEAD_AES_256_GCM", 32, 12, 16, 88}, AEAD_GCM256},
	{{SRTP_PROFILE_AES128_CM_SHA1_80, "SRTP_AES128_CM_SHA1_80", 16, 14, 10, 60},
		AEAD_CM128_SHA1_80},
};

const struct srtp_profile_info *srtp_profile_find(uint16_t id)
{
	for (size_t i = 0; i < ARRAY_LEN(profiles); i++)
		if ((uint16_t)profiles[i].info.id == id)
			return &profiles[i].info;
	return NULL;
}

const struct srtp_profile_info *srtp_profile_at(unsigned i)
{
	return i < ARRAY_LEN(profiles) ? &profiles[i].info : NULL;
}

/*
 * RFC 3711 §4.3.1 with a key derivation rate of 0; RFC 7714 §11 keeps the AES-CM function for GCM.
 */
static int derive_one(struct slice key, struct slice salt, uint8_t label, uint8_t *out, size_t n)
{
	uint8_t iv[16] = {0};

	memcpy(iv, salt.p, salt.n);
	iv[7] ^= label;
	int err = aes_cm_keystream(key, iv, out, n);
	secret_wipe(iv, sizeof iv);
	return err;
}

int srtp_derive(const struct srtp_profile_info *profile, struct slice master_key,
	struct slice master_salt, struct srtp_session_keys *out)
{
	const struct {
		uint8_t *p;
		size_t n;
	} fields[] = {
		/* Indexed by the label of RFC 3711 §4.3.2. */
		{out->rtp.key, profile->key_len},
		{out->rtp.auth, sizeof out->rtp.auth},
		{out->rtp.salt, profile->salt_len},
		{out->rtcp.key, profile->key_len},
		{out->rtcp.auth, sizeof out->rtcp.auth},
		{out->rtcp.salt, profile->salt_len},
	};
	int err = 0;

	memset(out, 0, sizeof *out);
	if (master_key.n != profile->key_len || master_salt.n != profile->salt_len)
		return -ERR_RANGE;
	for (uint8_t label = 0; label < ARRAY_LEN(fields) && !err; label++)
		err = derive_one(master_key, master_salt, label, fields[label].p, fields[label].n);
	return err;
}

static bool set_cipher(struct srtp_cipher *c, const struct srtp_profile_row *row,
	const uint8_t *key, const uint8_t *auth, const uint8_t *salt)
{
	c->aead = aead_new(NULL, row->alg, key, auth);
	memcpy(c->salt, salt, row->info.salt_len);
	return c->aead != NULL;
}

struct srtp *srtp_build(const struct srtp_profile_info *profile, const struct srtp_session_keys *tx,
	const struct srtp_session_keys *rx)
{
	const struct srtp_profile_row *row = CONTAINER_OF(profile, struct srtp_profile_row, info);
	struct srtp *s = XNEW(struct srtp);

	s->profile = profile;
	s->is_gcm = row->alg != AEAD_CM128_SHA1_80;
	s->tag_len = profile->tag_len;
	s->iv_at = s->is_gcm ? 2 : 4;
	if (set_cipher(&s->tx_rtp, row, tx->rtp.key, tx->rtp.auth, tx->rtp.salt) &&
		set_cipher(&s->tx_rtcp, row, tx->rtcp.key, tx->rtcp.auth, tx->rtcp.salt) &&
		set_cipher(&s->rx_rtp, row, rx->rtp.key, rx->rtp.auth, rx->rtp.salt) &&
		set_cipher(&s->rx_rtcp, row, rx->rtcp.key, rx->rtcp.auth, rx->rtcp.salt))
		return s;
	srtp_free(s);
	return NULL;
}

struct srtp *srtp_new_keys(enum srtp_profile profile, const struct srtp_keys *keys)
{
	const struct srtp_profile_info *info = srtp_profile_find((uint16_t)profile);
	struct srtp_session_keys tx, rx;
	struct srtp *s = NULL;

	if (!info)
		return NULL;
	if (!srtp_derive(info, keys->tx_key, keys->tx_salt, &tx) &&
		!srtp_derive(info, keys->rx_key, keys->rx_salt, &rx))
		s = srtp_build(info, &tx, &rx);
	secret_wipe(&tx, sizeof tx);
	secret_wipe(&rx, sizeof rx);
	return s;
}

struct srtp *srtp_new(enum srtp_profile profile, struct slice keying, bool is_dtls_server)
{
	const struct srtp_profile_info *info = srtp_profile_find((uint16_t)profile);

	if (!info || keying.n != info->keying_len)
		return NULL;
	struct cursor c = cursor_of(keying);
	struct slice client_key = cursor_take(&c, info->key_len);
	struct slice server_key = cursor_take(&c, info->key_len);
	struct slice client_salt = cursor_take(&c, info->salt_len);
	struct slice server_salt = cursor_take(&c, info->salt_len);
	struct srtp_keys as_server = {server_key, server_salt, client_key, client_salt};
	struct srtp_keys as_client = {client_key, client_salt, server_key, server_salt};
	return srtp_new_keys(profile, is_dtls_server ? &as_server : &as_client);
}

void srtp_free(struct srtp *s)
{
	if (!s)
		return;
	for (struct srtp_stream *st = s->tx, *next; st; st = next) {
		next = st->next;
		xfree(st);
	}
	aead_free(s->tx_rtp.aead);
	aead_free(s->tx_rtcp.aead);
	aead_free(s->rx_rtp.aead);
	aead_free(s->rx_rtcp.aead);
	secret_wipe(s, sizeof *s);
	xfree(s);
}

struct srtp_stream *srtp_tx_add(struct srtp *s, uint32_t ssrc)
{
	struct srtp_stream *st = s->tx;

	while (st && st->ssrc != ssrc)
		st = st->next;
	if (st ? st->is_open : s->n_tx >= SRTP_TX_MAX)
		return NULL;
	if (!st) {
		st = XNEW(struct srtp_stream);
		st->ssrc = ssrc;
		st->next = s->tx;
		s->tx = st;
		s->n_tx++;
	}
	st->is_open = true;
	return st;
}

void srtp_tx_del(struct srtp *s, struct srtp_stream *stream)
{
	if (!stream)
		return;
	stream->is_open = false;
	if (stream->has_sent)
		return; /* stays for the rollover counter, should the SSRC come back */
	for (struct srtp_stream **at = &s->tx; *at; at = &(*at)->next) {
		if (*at != stream)
			continue;
		*at = stream->next;
		s->n_tx--;
		xfree(stream);
		return;
	}
}
