/* The parser on any bytes; what it takes is written again and has to read the same. */
#include <stdlib.h>

#include "base/macros.h"
#include "stun/stun.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

#define CHECK(x)                                                                                   \
	do {                                                                                       \
		if (!(x))                                                                          \
			abort();                                                                   \
	} while (0)

/* The fuzzer asks for no crash and for sound answers, not for success. */
static void ignore(int err)
{
	(void)err;
}

static void put_slice(
	struct stun_writer *w, const struct stun_msg *m, enum stun_attr attr, struct slice s)
{
	if (stun_has(m, attr))
		stun_put(w, attr, s.p, s.n);
}

/* The attributes that are read on demand: as they are in, so they have to come back. */
static void put_rest(struct stun_writer *w, const struct stun_msg *m)
{
	for (unsigned i = STUN_ATTR_FIRST_AT; i < STUN_ATTR_N; i++) {
		enum stun_attr attr = (enum stun_attr)i;
		struct slice v = stun_value(m, attr);
		struct addr a;
		size_t at = 0;
		CHECK(!v.p == !stun_has(m, attr));
		if (!stun_next_addr(m, attr, &at, &a)) {
			if (v.p)
				stun_put(w, attr, v.p, v.n);
			continue;
		}
		do
			stun_put_xor_addr(w, attr, &a);
		while (stun_next_addr(m, attr, &at, &a));
	}
}

static void check_rest(const struct stun_msg *m, const struct stun_msg *back)
{
	for (unsigned i = STUN_ATTR_FIRST_AT; i < STUN_ATTR_N; i++) {
		enum stun_attr attr = (enum stun_attr)i;
		struct slice v = stun_value(m, attr), w = stun_value(back, attr);
		struct addr a, b;
		size_t at = 0, back_at = 0;
		CHECK(stun_number(m, attr) == stun_number(back, attr));
		CHECK(stun_addr(m, attr, &a) == stun_addr(back, attr, &b));
		CHECK(!v.p || !stun_addr(m, attr, &a) || addr_eq(&a, &b));
		CHECK(v.n == w.n);
		while (stun_next_addr(m, attr, &at, &a))
			CHECK(stun_next_addr(back, attr, &back_at, &b) && addr_eq(&a, &b));
		CHECK(!stun_next_addr(back, attr, &back_at, &b));
	}
}

static void rewrite(const struct stun_msg *m, const struct hmac_sha1 *key)
{
	static uint8_t mem[UINT16_MAX + 1];
	struct stun_writer w;
	struct stun_msg back;
	struct slice d;
	char reason[800] = "";
	stun_begin(&w, mem, sizeof mem, (enum stun_method)m->method, m->class, m->tid);
	put_slice(&w, m, STUN_ATTR_USERNAME, m->username);
	put_slice(&w, m, STUN_ATTR_REALM, m->realm);
	put_slice(&w, m, STUN_ATTR_NONCE, m->nonce);
	put_slice(&w, m, STUN_ATTR_SOFTWARE, m->software);
	put_slice(&w, m, STUN_ATTR_UNKNOWN_ATTRIBUTES, m->refused);
	if (stun_has(m, STUN_ATTR_PRIORITY))
		stun_put_u32(&w, STUN_ATTR_PRIORITY, m->priority);
	if (stun_has(m, STUN_ATTR_XOR_MAPPED_ADDRESS))
		stun_put_xor_addr(&w, STUN_ATTR_XOR_MAPPED_ADDRESS, &m->mapped);
	if (m->error_code) {
		memcpy(reason, m->error_reason.p, m->error_reason.n);
		stun_put_error(&w, m->error_code, reason);
	}
	put_rest(&w, m);
	if (stun_seal(&w, key, &d))
		return;
	CHECK(stun_parse(&back, d) == 0);
	CHECK(back.class == m->class && back.method == m->method);
	CHECK(slice_eq(back.username, m->username) && slice_eq(back.realm, m->realm));
	CHECK(slice_eq(back.nonce, m->nonce) && slice_eq(back.software, m->software));
	CHECK(slice_eq(back.refused, m->refused) && back.priority == m->priority);
	CHECK(back.error_code == m->error_code);
	check_rest(m, &back);
	if (stun_has(m, STUN_ATTR_XOR_MAPPED_ADDRESS))
		CHECK(addr_eq(&back.mapped, &m->mapped));
	CHECK(stun_verify_integrity(&back, key) == 0 && stun_verify_fingerprint(&back) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct stun_msg m;
	struct hmac_sha1 key;
	struct hmac_sha256 key256;
	struct slice local, remote;
	hmac_sha1_init(&key, "VOkJxbRl1RmTxUk/WvJxBt", 22);
	hmac_sha256_init(&key256, "VOkJxbRl1RmTxUk/WvJxBt", 22);
	ignore(stun_username_split(slice_of(p, n), &local, &remote));
	if (stun_parse(&m, slice_of(p, n)))
		return 0;
	ignore(stun_verify_integrity(&m, &key));
	ignore(stun_verify_integrity256(&m, &key256));
	ignore(stun_verify_fingerprint(&m));
	rewrite(&m, &key);
	return 0;
}
