#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/macros.h"
#include "base/mem.h"
#include "stun/stun.h"

enum { MSG_CAP = 256 };
static const char password[] = "VOkJxbRl1RmTxUk/WvJxBt";

struct vector {
	uint8_t p[MSG_CAP];
	size_t n;
};

/* The message `name` of tests/vectors/rfc5769.txt. */
static struct slice load(struct vector *v, const char *name)
{
	const char *dir = getenv("VECTORS");
	char path[1024], line[256], want[64];
	bool is_here = false;
	snprintf(path, sizeof path, "%s/rfc5769.txt", dir ? dir : "tests/vectors");
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	snprintf(want, sizeof want, "= %s ", name);
	v->n = 0;
	while (fgets(line, sizeof line, f)) {
		if (line[0] == '=')
			is_here = strncmp(line, want, strlen(want)) == 0;
		for (const char *c = line; is_here && line[0] != '=' && *c != '#' && *c != '\n';
			c++) {
			unsigned byte;
			if (*c == ' ')
				continue;
			assert_int_equal(sscanf(c++, "%2x", &byte), 1);
			assert_true(v->n < MSG_CAP);
			v->p[v->n++] = (uint8_t)byte;
		}
	}
	fclose(f);
	assert_true(v->n > 0);
	return slice_of(v->p, v->n);
}

static struct hmac_sha1 short_key(void)
{
	struct hmac_sha1 key;
	hmac_sha1_init(&key, password, sizeof password - 1);
	return key;
}

static void rfc5769_request(void **st)
{
	struct vector v;
	struct stun_msg m;
	struct hmac_sha1 key = short_key();
	assert_int_equal(stun_parse(&m, load(&v, "request")), 0);
	assert_int_equal(m.class, STUN_REQUEST);
	assert_int_equal(m.method, STUN_BINDING);
	assert_memory_equal(m.tid, "\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae", STUN_TID_LEN);
	assert_true(slice_eq_str(m.software, "STUN test client"));
	assert_true(slice_eq_str(m.username, "evtj:h6vY"));
	assert_int_equal(m.priority, 0x6e0001ff);
	assert_true(stun_has(&m, STUN_ATTR_ICE_CONTROLLED));
	assert_false(stun_has(&m, STUN_ATTR_ICE_CONTROLLING));
	assert_true(m.tie_breaker == UINT64_C(0x932ff9b151263b36));
	assert_int_equal(m.n_unknown, 0);
	assert_int_equal(stun_verify_integrity(&m, &key), 0);
	assert_int_equal(stun_verify_fingerprint(&m), 0);
}

static void rfc5769_response(const char *name, const char *want)
{
	struct vector v;
	struct stun_msg m;
	struct hmac_sha1 key = short_key();
	char text[ADDR_TEXT_CAP];
	assert_int_equal(stun_parse(&m, load(&v, name)), 0);
	assert_int_equal(m.class, STUN_SUCCESS);
	assert_true(slice_eq_str(m.software, "test vector"));
	assert_true(stun_has(&m, STUN_ATTR_XOR_MAPPED_ADDRESS));
	assert_string_equal(addr_format(&m.mapped, text), want);
	assert_int_equal(stun_verify_integrity(&m, &key), 0);
	assert_int_equal(stun_verify_fingerprint(&m), 0);
}

static void rfc5769_responses(void **st)
{
	rfc5769_response("response4", "192.0.2.1:32853");
	rfc5769_response("response6", "[2001:db8:1234:5678:11:2233:4455:6677]:32853");
}

#define KATAKANA "\xe3\x83\x9e\xe3\x83\x88\xe3\x83\xaa\xe3\x83\x83\xe3\x82\xaf\xe3\x82\xb9"
/* MD5 and SHA-256 of KATAKANA ":example.org:TheMatrIX", the key of a long-term credential (RFC 8489 §9.2.2). */
static const char md5_key[] = "\xe8\xca\x7a\xd5\x9d\x5e\xb0\x51\x8e\x31\x29\x11\xd2\xda\xb2\xa9";
static const char sha256_key[] =
	"\xdd\x29\x5a\x61\x3b\x90\x58\xc3\xc2\x3d\x6d\xc7\x16\x5b\xda\x07"
	"\x23\x04\xd9\x89\xc9\xd0\xaf\x3a\x8c\x7e\x18\x4b\x4f\x9b\xb4\xa1";

static void rfc5769_long_term(void **st)
{
	struct vector v;
	struct stun_msg m;
	struct hmac_sha1 key;
	hmac_sha1_init(&key, md5_key, sizeof md5_key - 1);
	assert_int_equal(stun_parse(&m, load(&v, "long_term")), 0);
	assert_true(slice_eq_str(m.username, KATAKANA));
	assert_true(slice_eq_str(m.realm, "example.org"));
	assert_true(slice_eq_str(m.nonce, "f//499k954d6OL34oL9FSTvy64sA"));
	assert_int_equal(stun_verify_integrity(&m, &key), 0);
	assert_int_equal(m.fingerprint_at, 0);
	assert_int_equal(stun_verify_fingerprint(&m), 0);
}

static void rfc8489_sha256(void **st)
{
	struct vector v;
	struct stun_msg m;
	struct hmac_sha256 key;
	hmac_sha256_init(&key, sha256_key, sizeof sha256_key - 1);
	assert_int_equal(stun_parse(&m, load(&v, "sha256")), 0);
	assert_int_equal(stun_verify_integrity256(&m, &key), 0);
	assert_int_equal(m.n_unknown, 0);
	assert_int_equal(stun_value(&m, STUN_ATTR_USERHASH).n, STUN_USERHASH_LEN);
	assert_memory_equal(stun_value(&m, STUN_ATTR_PASSWORD_ALGORITHM).p, "\0\x02\0\0", 4);
	assert_int_equal(stun_verify_integrity(&m, &(struct hmac_sha1){0}), -ERR_AUTH);
	v.p[30] ^= 1;
	assert_int_equal(stun_verify_integrity256(&m, &key), -ERR_AUTH);
}

static void every_changed_bit_is_seen(void **st)
{
	static const char *const names[] = {"request", "response4", "response6"};
	struct hmac_sha1 key = short_key();
	for (size_t k = 0; k < ARRAY_LEN(names); k++) {
		struct vector v;
		struct slice all = load(&v, names[k]);
		for (size_t bit = 0; bit < all.n * 8; bit++) {
			struct stun_msg m;
			v.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
			bool is_authentic =
				!stun_parse(&m, all) && !stun_verify_integrity(&m, &key);
			/* The fingerprint attribute is behind what the integrity covers. */
			assert_true(!is_authentic || bit / 8 >= all.n - 8);
			assert_true(
				!is_authentic || !m.fingerprint_at || stun_verify_fingerprint(&m));
			v.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
	}
}

static void every_truncation_fails(void **st)
{
	struct vector v;
	struct slice all = load(&v, "request");
	for (size_t n = 0; n < all.n; n++) {
		uint8_t *exact = xmemdup(all.p, n ? n : 1);
		struct stun_msg m;
		assert_int_not_equal(stun_parse(&m, slice_of(exact, n)), 0);
		/* The same with a length that fits: some attribute is cut. */
		if (n >= STUN_HDR_LEN && n % 4 == 0) {
			wr16(exact + 2, (uint16_t)(n - STUN_HDR_LEN));
			int err = stun_parse(&m, slice_of(exact, n));
			assert_true(err == 0 || err == -ERR_TRUNCATED);
		}
		xfree(exact);
	}
}

/* A message with the given attributes, no integrity, no fingerprint. */
static struct slice make(uint8_t mem[MSG_CAP], const uint8_t *attrs, size_t n)
{
	struct stun_writer w;
	stun_begin(&w, mem, MSG_CAP, STUN_BINDING, STUN_REQUEST, (const uint8_t *)"abcdefghijkl");
	if (n)
		memcpy(mem + STUN_HDR_LEN, attrs, n);
	wr16(mem + 2, (uint16_t)n);
	return slice_of(mem, STUN_HDR_LEN + n);
}

static void wrong_values_are_refused(void **st)
{
	static const struct {
		const char *attr;
		size_t n;
		int err;
	} rows[] = {
		{"\x00\x24\x00\x04\x00\x00\x00\x01", 8, 0},
		{"\x00\x24\x00\x03\x00\x00\x00\x01", 8, -ERR_RANGE},
		{"\x00\x24\x00\x08\x00\x00\x00\x01", 8, -ERR_TRUNCATED},
		{"\x00\x24\xff\xff\x00\x00\x00\x01", 8, -ERR_TRUNCATED},
		{"\x00\x24\x00\x00", 4, -ERR_RANGE},
		{"\x00\x25\x00\x00", 4, 0},
		{"\x00\x25\x00\x01\x00\x00\x00\x00", 8, -ERR_RANGE},
		{"\x80\x2a\x00\x04\x00\x00\x00\x00", 8, -ERR_RANGE},
		{"\x00\x08\x00\x04\x00\x00\x00\x00", 8, -ERR_RANGE},
		{"\x80\x28\x00\x00", 4, -ERR_RANGE},
		{"\x00\x09\x00\x04\x00\x00\x04\x00", 8, 0},
		{"\x00\x09\x00\x04\x00\x00\x04\x63", 8, 0},
		{"\x00\x09\x00\x04\x00\x00\x04\x64", 8, -ERR_RANGE},
		{"\x00\x09\x00\x04\x00\x00\x02\x00", 8, -ERR_RANGE},
		{"\x00\x09\x00\x04\x00\x00\x07\x00", 8, -ERR_RANGE},
		{"\x00\x09\x00\x03\x00\x00\x04\x00", 8, -ERR_RANGE},
		{"\x00\x20\x00\x08\x00\x01\x00\x00\x00\x00\x00\x00", 12, 0},
		{"\x00\x20\x00\x08\x00\x02\x00\x00\x00\x00\x00\x00", 12, -ERR_RANGE},
		{"\x00\x20\x00\x08\x00\x00\x00\x00\x00\x00\x00\x00", 12, -ERR_RANGE},
		{"\x00\x20\x00\x04\x00\x01\x00\x00", 8, -ERR_RANGE},
		{"\x00\x0c\x00\x04\x40\x00\x00\x00", 8, 0},
		{"\x00\x0c\x00\x02\x40\x00\x00\x00", 8, -ERR_RANGE},
		{"\x00\x0d\x00\x03\x00\x00\x00\x00", 8, -ERR_RANGE},
		{"\x00\x18\x00\x01\x80\x00\x00\x00", 8, 0},
		{"\x00\x18\x00\x00", 4, -ERR_RANGE},
		{"\x00\x1a\x00\x00", 4, 0},
		{"\x00\x1a\x00\x01\x00\x00\x00\x00", 8, -ERR_RANGE},
		{"\x00\x12\x00\x08\x00\x01\x00\x00\x00\x00\x00\x00", 12, 0},
		{"\x00\x12\x00\x08\x00\x02\x00\x00\x00\x00\x00\x00", 12, -ERR_RANGE},
		{"\x00\x12\x00\x08\x00\x03\x00\x00\x00\x00\x00\x00", 12, -ERR_RANGE},
		{"\x80\x23\x00\x08\x00\x02\x00\x00\x00\x00\x00\x00", 12, -ERR_RANGE},
		{"\x00\x1e\x00\x04\x00\x00\x00\x00", 8, -ERR_RANGE},
		{"\x00\x22\x00\x04\x00\x00\x00\x00", 8, -ERR_RANGE},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint8_t mem[MSG_CAP];
		struct stun_msg m;
		struct slice d = make(mem, (const uint8_t *)rows[i].attr, rows[i].n);
		assert_int_equal(stun_parse(&m, d), rows[i].err);
	}
}

/* All addresses count up to the integrity attribute; a bad one anywhere spoils the message. */
static void peer_addresses_repeat(void **st)
{
	uint8_t mem[MSG_CAP], digest[20] = {0};
	struct stun_writer w;
	struct stun_msg m;
	struct addr a;
	size_t at = 0;
	char text[ADDR_TEXT_CAP];
	static const char *const ips[] = {"192.0.2.1", "2001:db8::1", "192.0.2.3", "192.0.2.4"};
	stun_begin(&w, mem, sizeof mem, STUN_CREATE_PERMISSION, STUN_REQUEST,
		(const uint8_t *)"abcdefghijkl");
	for (size_t i = 0; i < ARRAY_LEN(ips); i++) {
		assert_int_equal(addr_parse_ip(&a, slice_str(ips[i]), (uint16_t)(i + 1)), 0);
		if (i == 3)
			stun_put(&w, STUN_ATTR_INTEGRITY, digest, sizeof digest);
		stun_put_number(&w, STUN_ATTR_LIFETIME, 7);
		stun_put_xor_addr(&w, STUN_ATTR_XOR_PEER_ADDRESS, &a);
	}
	wr16(mem + 2, (uint16_t)(w.n - STUN_HDR_LEN));
	assert_int_equal(stun_parse(&m, slice_of(mem, w.n)), 0);
	for (size_t i = 0; i < 3; i++) {
		assert_true(stun_next_addr(&m, STUN_ATTR_XOR_PEER_ADDRESS, &at, &a));
		assert_string_equal(addr_format_ip(&a, text), ips[i]);
		assert_int_equal(addr_port(&a), i + 1);
	}
	assert_false(stun_next_addr(&m, STUN_ATTR_XOR_PEER_ADDRESS, &at, &a));
	assert_false(stun_next_addr(&m, STUN_ATTR_XOR_PEER_ADDRESS, &at, &a));
	at = 0;
	assert_false(stun_next_addr(&m, STUN_ATTR_XOR_RELAYED_ADDRESS, &at, &a));
	assert_false(stun_next_addr(&m, STUN_ATTR_LIFETIME, &at, &a));
	assert_false(stun_next_addr(&m, STUN_ATTR_USERNAME, &at, &a));
	assert_true(stun_addr(&m, STUN_ATTR_XOR_PEER_ADDRESS, &a));
	assert_string_equal(addr_format(&a, text), "192.0.2.1:1");
	mem[STUN_HDR_LEN + 8 + 12 + 8 + 5] = 1; /* the second one's family */
	assert_int_equal(stun_parse(&m, slice_of(mem, w.n)), -ERR_RANGE);
}

/* So that a server can see who asks. */
static void a_bad_value_spoils_nothing_else(void **st)
{
	(void)st;
	uint8_t mem[MSG_CAP];
	struct stun_writer w;
	struct stun_msg m;
	struct hmac_sha1 key;
	struct slice d;
	hmac_sha1_init(&key, "key", 3);
	stun_begin(&w, mem, sizeof mem, STUN_REFRESH, STUN_REQUEST,
		(const uint8_t *)"abcdefghijkl");
	stun_put(&w, STUN_ATTR_LIFETIME, "\0\1", 2);
	stun_put(&w, STUN_ATTR_USERNAME, "ann", 3);
	stun_put(&w, STUN_ATTR_PRIORITY, "\0\0\1", 3);
	assert_int_equal(stun_seal(&w, &key, &d), 0);
	assert_int_equal(stun_parse(&m, d), -ERR_RANGE);
	assert_false(stun_has(&m, STUN_ATTR_LIFETIME));
	assert_false(stun_has(&m, STUN_ATTR_PRIORITY));
	assert_true(slice_eq_str(m.username, "ann"));
	assert_int_equal(stun_verify_integrity(&m, &key), 0);
	assert_int_equal(stun_verify_fingerprint(&m), 0);
	/* Broken behind it: nothing of that is to be used. */
	wr16(mem + d.n - 6, 8);
	assert_int_equal(stun_parse(&m, d), -ERR_TRUNCATED);
}

/* As turnutils_uclient -Z asks for an IPv6 address beside the IPv4 one. */
static void coturns_own_numbers_are_known(void **st)
{
	uint8_t mem[MSG_CAP];
	struct stun_msg m;
	static const uint8_t attrs[] = "\x80\x32\x00\x04\x02\x00\x00";
	assert_int_equal(stun_parse(&m, make(mem, attrs, sizeof attrs)), 0);
	assert_int_equal(stun_number(&m, STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY), STUN_FAMILY_V6);
}

static void only_stun_looks_like_stun(void **st)
{
	uint8_t mem[MSG_CAP];
	struct slice d = make(mem, NULL, 0);
	assert_true(stun_looks_like(d));
	assert_false(stun_looks_like(slice_of(mem, 19)));
	assert_false(stun_looks_like(slice_of(mem, 24)));
	mem[0] = 4;
	assert_false(stun_looks_like(d));
	mem[0] = 0;
	mem[4] ^= 1;
	assert_false(stun_looks_like(d));
	mem[4] ^= 1;
	mem[3] = 2;
	assert_false(stun_looks_like(slice_of(mem, 22)));
}

static void the_first_of_two_wins(void **st)
{
	static const uint8_t attrs[] =
		"\x00\x24\x00\x04\x00\x00\x00\x01"
		"\x00\x24\x00\x04\x00\x00\x00\x02"
		"\x00\x06\x00\x01"
		"a\x00\x00\x00"
		"\x00\x06\x00\x02"
		"bc\x00";
	uint8_t mem[MSG_CAP];
	struct stun_msg m;
	assert_int_equal(stun_parse(&m, make(mem, attrs, sizeof attrs)), 0);
	assert_int_equal(m.priority, 1);
	assert_true(slice_eq_str(m.username, "a"));
}

static void what_follows_integrity_is_ignored(void **st)
{
	uint8_t attrs[24 + 8 + 4 + 8 + 20 + 8] = {0x00, 0x08, 0x00, 0x14};
	memcpy(attrs + 24, "\x00\x24\x00\x04\x00\x00\x00\x09", 8); /* PRIORITY */
	memcpy(attrs + 32, "\x7f\xff\x00\x00", 4);                 /* to be understood */
	memcpy(attrs + 36, "\x00\x06\x00\x04user", 8);
	memcpy(attrs + 44, "\x00\x1c\x00\x10", 4);
	memcpy(attrs + 64, "\x80\x28\x00\x04\x00\x00\x00\x00", 8);
	uint8_t mem[MSG_CAP];
	struct stun_msg m;
	assert_int_equal(stun_parse(&m, make(mem, attrs, sizeof attrs)), 0);
	assert_int_equal(m.integrity_at, 20);
	assert_int_equal(m.integrity256_at, 64);
	assert_int_equal(m.fingerprint_at, 84);
	assert_int_equal(m.priority, 0);
	assert_int_equal(m.username.n, 0);
	assert_int_equal(m.n_unknown, 0);
	/* Nothing at all may follow a fingerprint. */
	memcpy(attrs + 36, "\x80\x28\x00\x04\x00\x00\x00\x00", 8);
	assert_int_equal(stun_parse(&m, make(mem, attrs, sizeof attrs)), -ERR_MALFORMED);
}

static void unknown_attributes_are_listed(void **st)
{
	uint8_t attrs[4 * 20] = {0}, mem[MSG_CAP];
	struct stun_msg m;
	for (unsigned i = 0; i < 20; i++)
		wr16(attrs + i * 4, (uint16_t)(i % 2 ? 0xc000 + i : 0x7000 + i));
	assert_int_equal(stun_parse(&m, make(mem, attrs, sizeof attrs)), 0);
	assert_int_equal(m.n_unknown, STUN_UNKNOWN_MAX);
	for (unsigned i = 0; i < STUN_UNKNOWN_MAX; i++)
		assert_int_equal(m.unknown[i], 0x7000 + 2 * i);
}

static void usernames_are_split(void **st)
{
	static const struct {
		const char *username, *local, *remote;
	} rows[] = {
		{"evtj:h6vY", "evtj", "h6vY"}, {"a:b", "a", "b"}, {"ab", NULL, NULL}, {":ab", NULL, NULL},
		{"ab:", NULL, NULL}, {"a:b:c", NULL, NULL}, {":", NULL, NULL}, {"", NULL, NULL},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct slice local, remote;
		int err = stun_username_split(slice_str(rows[i].username), &local, &remote);
		assert_int_equal(err, rows[i].local ? 0 : -ERR_MALFORMED);
		assert_true(err || (slice_eq_str(local, rows[i].local) &&
					   slice_eq_str(remote, rows[i].remote)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc5769_request),
		cmocka_unit_test(rfc5769_responses),
		cmocka_unit_test(rfc5769_long_term),
		cmocka_unit_test(rfc8489_sha256),
		cmocka_unit_test(every_changed_bit_is_seen),
		cmocka_unit_test(every_truncation_fails),
		cmocka_unit_test(wrong_values_are_refused),
		cmocka_unit_test(a_bad_value_spoils_nothing_else),
		cmocka_unit_test(peer_addresses_repeat),
		cmocka_unit_test(coturns_own_numbers_are_known),
		cmocka_unit_test(only_stun_looks_like_stun),
		cmocka_unit_test(the_first_of_two_wins),
		cmocka_unit_test(what_follows_integrity_is_ignored),
		cmocka_unit_test(unknown_attributes_are_listed),
		cmocka_unit_test(usernames_are_split),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
