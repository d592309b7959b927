#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macros.h"
#include "base/mem.h"
#include "stun/stun.h"

static const uint8_t tid[STUN_TID_LEN] = "transaction!";

static struct hmac_sha1 make_key(const char *text)
{
	struct hmac_sha1 key;
	hmac_sha1_init(&key, text, strlen(text));
	return key;
}

static struct addr make_addr(const char *ip, uint16_t port)
{
	struct addr a;
	assert_int_equal(addr_parse_ip(&a, slice_str(ip), port), 0);
	return a;
}

static void put_all(struct stun_writer *w, const struct addr *mapped)
{
	static const uint16_t refused[] = {0x7001, 0x0003, 0x7fff};
	stun_put(w, STUN_ATTR_USERNAME, "five5:six666", 12);
	stun_put_u32(w, STUN_ATTR_PRIORITY, 0x7effffff);
	stun_put(w, STUN_ATTR_USE_CANDIDATE, NULL, 0);
	stun_put_u64(w, STUN_ATTR_ICE_CONTROLLING, UINT64_C(0x0123456789abcdef));
	stun_put(w, STUN_ATTR_REALM, "r", 1);
	stun_put(w, STUN_ATTR_NONCE, "no", 2);
	stun_put(w, STUN_ATTR_SOFTWARE, "sof", 3);
	stun_put_xor_addr(w, STUN_ATTR_XOR_MAPPED_ADDRESS, mapped);
	stun_put_error(w, STUN_ERR_ROLE_CONFLICT, "Role Conflict");
	stun_put_unknown(w, refused, ARRAY_LEN(refused));
}

static void what_is_written_is_read(void **st)
{
	static const char *const ips[] = {"192.0.2.7", "2001:db8::5"};
	static const enum stun_class classes[] = {
		STUN_REQUEST, STUN_INDICATION, STUN_SUCCESS, STUN_ERROR};
	struct hmac_sha1 key = make_key("a password"), other = make_key("another password");
	for (size_t i = 0; i < ARRAY_LEN(ips) * ARRAY_LEN(classes); i++) {
		struct addr mapped = make_addr(ips[i % 2], 65000);
		uint8_t mem[400];
		struct stun_writer w;
		struct stun_msg m;
		struct slice d;
		stun_begin(&w, mem, sizeof mem, STUN_BINDING, classes[i / 2], tid);
		put_all(&w, &mapped);
		assert_int_equal(stun_seal(&w, &key, &d), 0);
		assert_int_equal(stun_parse(&m, d), 0);
		assert_int_equal(m.class, classes[i / 2]);
		assert_int_equal(m.method, STUN_BINDING);
		assert_memory_equal(m.tid, tid, sizeof tid);
		assert_true(slice_eq_str(m.username, "five5:six666"));
		assert_int_equal(m.priority, 0x7effffff);
		assert_true(stun_has(&m, STUN_ATTR_USE_CANDIDATE));
		assert_true(stun_has(&m, STUN_ATTR_ICE_CONTROLLING));
		assert_true(m.tie_breaker == UINT64_C(0x0123456789abcdef));
		assert_true(slice_eq_str(m.realm, "r"));
		assert_true(slice_eq_str(m.nonce, "no"));
		assert_true(slice_eq_str(m.software, "sof"));
		assert_true(addr_eq(&m.mapped, &mapped));
		assert_int_equal(m.error_code, 487);
		assert_true(slice_eq_str(m.error_reason, "Role Conflict"));
		assert_true(slice_eq(m.refused, slice_of("\x70\x01\x00\x03\x7f\xff", 6)));
		assert_int_equal(m.n_unknown, 0);
		assert_int_equal(stun_verify_integrity(&m, &key), 0);
		assert_int_equal(stun_verify_integrity(&m, &other), -ERR_AUTH);
		assert_int_equal(stun_verify_fingerprint(&m), 0);
	}
}

/* Every row of the table can be written and is found again, so that no type is there twice or mixed up. */
static void each_attribute_has_its_own_type(void **st)
{
	uint8_t seen[8192] = {0};
	for (unsigned attr = 0; attr < STUN_ATTR_N; attr++) {
		uint8_t mem[100], zeros[32] = {0, 1, 4}; /* an address family and an error class that exist */
		struct stun_writer w;
		struct stun_msg m;
		size_t sizes[] = {0, 4, 8, 16, 20, 32};
		bool is_found = false;
		for (size_t i = 0; i < ARRAY_LEN(sizes) && !is_found; i++) {
			stun_begin(&w, mem, sizeof mem, STUN_BINDING, STUN_REQUEST, tid);
			stun_put(&w, (enum stun_attr)attr, zeros, sizes[i]);
			wr16(w.p + 2, (uint16_t)(w.n - STUN_HDR_LEN));
			is_found = !stun_parse(&m, slice_of(w.p, w.n)) &&
				   m.present == UINT64_C(1) << attr;
		}
		assert_true(is_found);
		uint16_t type = rd16(mem + STUN_HDR_LEN);
		assert_false(seen[type / 8] >> type % 8 & 1);
		seen[type / 8] |= (uint8_t)(1 << type % 8);
	}
}

static void rfc5769_response_is_rebuilt(void **st)
{
	static const uint8_t rfc_tid[STUN_TID_LEN] = {
		0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae};
	struct hmac_sha1 key = make_key("VOkJxbRl1RmTxUk/WvJxBt");
	uint8_t mem[200];
	struct stun_writer w;
	struct slice d;
	stun_begin(&w, mem, sizeof mem, STUN_BINDING, STUN_SUCCESS, rfc_tid);
	stun_put(&w, STUN_ATTR_SOFTWARE, "test vector", 11);
	mem[w.n - 1] = ' '; /* the vector pads with spaces */
	struct addr mapped = make_addr("192.0.2.1", 32853);
	stun_put_xor_addr(&w, STUN_ATTR_XOR_MAPPED_ADDRESS, &mapped);
	assert_int_equal(stun_seal(&w, &key, &d), 0);
	assert_int_equal(d.n, 80);
	assert_memory_equal(d.p + 52,
		"\x2b\x91\xf5\x99\xfd\x9e\x90\xc3\x8c\x74\x89\xf9\x2a\xf9\xba\x53\xf0\x6b\xe7\xd7",
		20);
	assert_memory_equal(d.p + 76, "\xc0\x7d\x4c\x96", 4);
}

static void every_capacity_is_kept(void **st)
{
	struct hmac_sha1 key = make_key("a password");
	struct addr mapped = make_addr("2001:db8::5", 1);
	uint8_t whole[400];
	struct stun_writer w;
	struct slice d;
	stun_begin(&w, whole, sizeof whole, STUN_BINDING, STUN_ERROR, tid);
	put_all(&w, &mapped);
	assert_int_equal(stun_seal(&w, &key, &d), 0);
	for (size_t cap = 0; cap <= d.n; cap++) {
		uint8_t *exact = xmalloc(cap ? cap : 1);
		struct slice out;
		stun_begin(&w, exact, cap, STUN_BINDING, STUN_ERROR, tid);
		put_all(&w, &mapped);
		assert_int_equal(stun_seal(&w, &key, &out), cap < d.n ? -ERR_NO_ROOM : 0);
		if (cap == d.n)
			assert_true(slice_eq(out, d));
		xfree(exact);
	}
}

static void huge_values_do_not_fit(void **st)
{
	uint8_t *mem = xmalloc(100000), *value = xcalloc(1, 70000);
	struct stun_writer w;
	struct slice d;
	stun_begin(&w, mem, 100000, STUN_BINDING, STUN_REQUEST, tid);
	stun_put(&w, STUN_ATTR_SOFTWARE, value, 70000);
	assert_true(w.full);
	assert_int_equal(stun_seal(&w, NULL, &d), -ERR_NO_ROOM);
	stun_begin(&w, mem, 100000, STUN_BINDING, STUN_REQUEST, tid);
	for (unsigned i = 0; i < 3; i++)
		stun_put(&w, STUN_ATTR_SOFTWARE, value, 30000);
	assert_int_equal(stun_seal(&w, NULL, &d), -ERR_NO_ROOM);
	xfree(mem);
	xfree(value);
}

static void without_a_key_there_is_no_integrity(void **st)
{
	uint8_t mem[64];
	struct stun_writer w;
	struct stun_msg m;
	struct slice d;
	stun_begin(&w, mem, sizeof mem, STUN_BINDING, STUN_REQUEST, tid);
	assert_int_equal(stun_seal(&w, NULL, &d), 0);
	assert_int_equal(d.n, STUN_HDR_LEN + 8);
	assert_int_equal(stun_parse(&m, d), 0);
	assert_int_equal(stun_verify_fingerprint(&m), 0);
	struct hmac_sha1 key = make_key("");
	assert_int_equal(stun_verify_integrity(&m, &key), -ERR_AUTH);
}

static void numbers_and_addresses_are_read_back(void **st)
{
	static const struct {
		enum stun_attr attr;
		uint32_t value;
		uint8_t bytes[4];
	} rows[] = {
		{STUN_ATTR_CHANNEL_NUMBER, 0x4abc, {0x4a, 0xbc}},
		{STUN_ATTR_LIFETIME, 0x01020304, {1, 2, 3, 4}},
		{STUN_ATTR_REQUESTED_TRANSPORT, STUN_TRANSPORT_UDP, {17}},
		{STUN_ATTR_REQUESTED_ADDRESS_FAMILY, STUN_FAMILY_V6, {2}},
		{STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY, STUN_FAMILY_V6, {2}},
		{STUN_ATTR_EVEN_PORT, STUN_EVEN_PORT_RESERVE, {0x80}},
		{STUN_ATTR_RESPONSE_PORT, 0xabcd, {0xab, 0xcd}},
		{STUN_ATTR_CONNECTION_ID, 0xfffefdfc, {0xff, 0xfe, 0xfd, 0xfc}},
		{STUN_ATTR_CHANGE_REQUEST, STUN_CHANGE_IP, {0, 0, 0, 4}},
		{STUN_ATTR_BANDWIDTH, 5, {0, 0, 0, 5}},
	};
	uint8_t mem[400];
	struct stun_writer w;
	struct stun_msg m;
	struct slice d;
	struct addr v4 = make_addr("192.0.2.1", 32853), v6 = make_addr("2001:db8::5", 9), back;
	memset(mem, 0xff, sizeof mem);
	stun_begin(&w, mem, sizeof mem, STUN_ALLOCATE, STUN_SUCCESS, tid);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		stun_put_number(&w, rows[i].attr, rows[i].value);
	stun_put_addr(&w, STUN_ATTR_OTHER_ADDRESS, &v6);
	stun_put_addr(&w, STUN_ATTR_RESPONSE_ORIGIN, &v4);
	stun_put_xor_addr(&w, STUN_ATTR_XOR_RELAYED_ADDRESS, &v4);
	stun_put_address_error(&w, AF_INET6, 440, "no IPv6");
	stun_put_icmp(&w, 3, 4, 1400);
	stun_put(&w, STUN_ATTR_DONT_FRAGMENT, NULL, 0);
	assert_int_equal(stun_seal(&w, NULL, &d), 0);
	assert_int_equal(stun_parse(&m, d), 0);
	assert_int_equal(m.method, STUN_ALLOCATE);
	assert_int_equal(m.n_unknown, 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct slice v = stun_value(&m, rows[i].attr);
		assert_int_equal(stun_number(&m, rows[i].attr), rows[i].value);
		assert_int_equal(v.n, rows[i].attr == STUN_ATTR_EVEN_PORT ? 1 : 4);
		/* EVEN-PORT's padding as well. */
		assert_memory_equal(v.p, rows[i].bytes, 4);
	}
	assert_true(stun_addr(&m, STUN_ATTR_OTHER_ADDRESS, &back) && addr_eq(&back, &v6));
	assert_true(stun_addr(&m, STUN_ATTR_RESPONSE_ORIGIN, &back) && addr_eq(&back, &v4));
	assert_true(stun_addr(&m, STUN_ATTR_XOR_RELAYED_ADDRESS, &back) && addr_eq(&back, &v4));
	assert_false(stun_addr(&m, STUN_ATTR_MAPPED_ADDRESS, &back));
	assert_false(stun_addr(&m, STUN_ATTR_LIFETIME, &back));
	assert_true(slice_eq(stun_value(&m, STUN_ATTR_ADDRESS_ERROR_CODE),
		slice_of("\x02\0\x04\x28no IPv6", 11)));
	/* Type 3, 7 bits, and code 4, 9 bits (RFC 8656 §18.13). */
	assert_memory_equal(stun_value(&m, STUN_ATTR_ICMP).p, "\0\0\6\4\0\0\x05\x78", 8);
	assert_true(stun_has(&m, STUN_ATTR_DONT_FRAGMENT));
	assert_null(stun_value(&m, STUN_ATTR_DATA).p);
	assert_int_equal(stun_number(&m, STUN_ATTR_ICMP), 0);
}

static void each_seal_is_verified(void **st)
{
	struct hmac_sha1 key = make_key("a password");
	struct hmac_sha256 key256;
	hmac_sha256_init(&key256, "a password", 10);
	for (unsigned i = 0; i < 8; i++) {
		for (size_t cap = STUN_HDR_LEN; cap < 100; cap++) {
			uint8_t mem[100];
			struct stun_writer w;
			struct stun_msg m;
			struct slice d;
			size_t want = STUN_HDR_LEN;
			want += (i & 1 ? 24u : 0) + (i & 2 ? 36u : 0) + (i & 4 ? 8u : 0);
			stun_begin(&w, mem, cap, STUN_REFRESH, STUN_SUCCESS, tid);
			int err = stun_seal_with(
				&w, i & 1 ? &key : NULL, i & 2 ? &key256 : NULL, i & 4, &d);
			assert_int_equal(err, cap < want ? -ERR_NO_ROOM : 0);
			if (err)
				continue;
			assert_int_equal(d.n, want);
			assert_int_equal(stun_parse(&m, d), 0);
			assert_int_equal(stun_verify_integrity(&m, &key), i & 1 ? 0 : -ERR_AUTH);
			assert_int_equal(
				stun_verify_integrity256(&m, &key256), i & 2 ? 0 : -ERR_AUTH);
			assert_int_equal(m.fingerprint_at, i & 4 ? want - 8 : 0);
			assert_int_equal(stun_verify_fingerprint(&m), 0);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(each_attribute_has_its_own_type),
		cmocka_unit_test(rfc5769_response_is_rebuilt),
		cmocka_unit_test(every_capacity_is_kept),
		cmocka_unit_test(huge_values_do_not_fit),
		cmocka_unit_test(without_a_key_there_is_no_integrity),
		cmocka_unit_test(numbers_and_addresses_are_read_back),
		cmocka_unit_test(each_seal_is_verified),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
