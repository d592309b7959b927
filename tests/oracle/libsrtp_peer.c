#include "libsrtp_peer.h"

#include <dlfcn.h>
#include <stdlib.h>

#include <srtp2/srtp.h>

#define FUNCTIONS(X)                                                                               \
	X(srtp_init)                                                                               \
	X(srtp_create)                                                                             \
	X(srtp_dealloc)                                                                            \
	X(srtp_protect)                                                                            \
	X(srtp_unprotect)                                                                          \
	X(srtp_protect_rtcp)                                                                       \
	X(srtp_unprotect_rtcp)                                                                     \
	X(srtp_crypto_policy_set_rtp_default)                                                      \
	X(srtp_crypto_policy_set_aes_gcm_128_16_auth)                                              \
	X(srtp_crypto_policy_set_aes_gcm_256_16_auth)

static struct {
#define X(f) __typeof__(f) *f;
	FUNCTIONS(X)
#undef X
} lib;

struct peer {
	srtp_t session;
};

bool peer_load(void)
{
	void *so = dlopen("libsrtp2.so.1", RTLD_NOW | RTLD_LOCAL);
	if (!so)
		return false;
#define X(f)                                                                                       \
	*(void **)&lib.f = dlsym(so, #f);                                                          \
	if (!lib.f)                                                                                \
		return false;
	FUNCTIONS(X)
#undef X
	return lib.srtp_init() == srtp_err_status_ok;
}

struct peer *peer_new(
	unsigned profile, const uint8_t *key_salt, bool is_inbound, enum peer_rtcp rtcp)
{
	struct peer *p = calloc(1, sizeof *p);
	uint8_t key[SRTP_MAX_KEY_LEN] = {0};
	srtp_policy_t policy = {
		.ssrc.type = is_inbound ? ssrc_any_inbound : ssrc_any_outbound,
		.key = key,
		.window_size = 128,
	};
	void (*set)(srtp_crypto_policy_t *) =
		profile == 1   ? lib.srtp_crypto_policy_set_rtp_default
		: profile == 7 ? lib.srtp_crypto_policy_set_aes_gcm_128_16_auth
			       : lib.srtp_crypto_policy_set_aes_gcm_256_16_auth;

	if (!p)
		abort();
	set(&policy.rtp);
	set(&policy.rtcp);
	if (rtcp == PEER_RTCP_CLEAR)
		policy.rtcp.sec_serv = sec_serv_auth;
	for (int i = 0; i < policy.rtp.cipher_key_len; i++)
		key[i] = key_salt[i];
	if (lib.srtp_create(&p->session, &policy) == srtp_err_status_ok)
		return p;
	free(p);
	return NULL;
}

void peer_free(struct peer *p)
{
	if (p)
		lib.srtp_dealloc(p->session);
	free(p);
}

static int call(
	srtp_err_status_t (*f)(srtp_t, void *, int *), struct peer *p, uint8_t *pkt, size_t *n)
{
	int len = (int)*n;
	srtp_err_status_t status = f(p->session, pkt, &len);
	if (status == srtp_err_status_ok)
		*n = (size_t)len;
	return (int)status;
}

int peer_protect(struct peer *p, uint8_t *pkt, size_t *n)
{
	return call(lib.srtp_protect, p, pkt, n);
}

int peer_unprotect(struct peer *p, uint8_t *pkt, size_t *n)
{
	return call(lib.srtp_unprotect, p, pkt, n);
}

int peer_protect_rtcp(struct peer *p, uint8_t *pkt, size_t *n)
{
	return call(lib.srtp_protect_rtcp, p, pkt, n);
}

int peer_unprotect_rtcp(struct peer *p, uint8_t *pkt, size_t *n)
{
	return call(lib.srtp_unprotect_rtcp, p, pkt, n);
}
