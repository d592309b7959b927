/* The list of ICE servers: what participants and strangers are told, and as what JSON. */
#include "../cm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "icelist/icelist.h"
#include "turn/participant.h"

enum { NOW_S = 1700000000 };

static const char *const stun[] = {"stun:h:3478"};
static const char *const turn[] = {"turn:h:3478", "turns:h:5349"};

static char *anybody(const struct icelist_cfg *cfg)
{
	struct icelist *l = icelist_new(cfg);
	struct icelist_answer a;
	struct buf out;
	buf_init(&out, ICELIST_JSON_MAX);
	icelist_for_anybody(l, "somebody", NOW_S, &a);
	assert_int_equal(icelist_json(&a, &out), 0);
	icelist_answer_free(&a);
	icelist_unref(l);
	return buf_take(&out);
}

static void expect(const struct icelist_cfg *cfg, const char *want)
{
	char *got = anybody(cfg);
	assert_string_equal(got, want);
	xfree(got);
}

static void json_is_as_browsers_want_it(void **st)
{
	struct icelist_turn t = {.urls = turn, .n_urls = 2, .username = "u", .credential = "c"};
	struct icelist_cfg cfg = {0};
	expect(&cfg, "{\"iceServers\":[]}");
	cfg = (struct icelist_cfg){.stun_urls = stun, .n_stun_urls = 1};
	expect(&cfg, "{\"iceServers\":[{\"urls\":[\"stun:h:3478\"]}]}");
	cfg.turn = &t;
	cfg.n_turn = 1;
	expect(&cfg, "{\"iceServers\":[{\"urls\":[\"stun:h:3478\"]},"
		     "{\"urls\":[\"turn:h:3478\",\"turns:h:5349\"],\"username\":\"u\",\"credential\":\"c\"}]}");
	cfg.n_stun_urls = 0;
	expect(&cfg, "{\"iceServers\":[{\"urls\":[\"turn:h:3478\",\"turns:h:5349\"],"
		     "\"username\":\"u\",\"credential\":\"c\"}]}");
}

static void half_a_turn_server_is_none(void **st)
{
	const struct icelist_turn halves[] = {
		{.urls = turn, .n_urls = 2},
		{.urls = turn, .n_urls = 2, .username = "u"},
		{.urls = turn, .n_urls = 2, .username = "u", .credential = ""},
		{.urls = turn, .n_urls = 2, .credential = "c"},
		{.username = "u", .credential = "c"},
		{.secret = "s", .ttl_s = 60},
	};
	for (size_t i = 0; i < ARRAY_LEN(halves); i++)
		expect(&(struct icelist_cfg){.stun_urls = stun,
			       .n_stun_urls = 1,
			       .turn = &halves[i],
			       .n_turn = 1},
			"{\"iceServers\":[{\"urls\":[\"stun:h:3478\"]}]}");
}

/* Vectors of TURN REST credentials that other servers agree with. */
static void rest_passwords(void **st)
{
	char out[ICELIST_PASSWORD_CAP];
	icelist_rest_password(slice_str("shared-secret"), slice_str("1700003600:aero:session123"), out);
	assert_string_equal(out, "7sV7vMb0GsebuVCU0kM0pILAQfc=");
	icelist_rest_password(slice_str("secret"), slice_str("52:aero:abc"), out);
	assert_string_equal(out, "WAlNnjjU1EReBiqZNEdxwitEG98=");
}

static void a_secret_makes_credentials_for_each(void **st)
{
	const struct icelist_turn t = {.urls = turn,
		.n_urls = 1,
		.username = "u",
		.credential = "c",
		.secret = "shared-secret",
		.ttl_s = 3600};
	struct icelist *l = icelist_new(&(struct icelist_cfg){.turn = &t, .n_turn = 1});
	struct icelist_answer a;
	icelist_for_anybody(l, "aero:session123", NOW_S, &a);
	assert_int_equal(a.n, 1);
	assert_string_equal(a.entries[0].username, "1700003600:aero:session123");
	assert_string_equal(a.entries[0].credential, "7sV7vMb0GsebuVCU0kM0pILAQfc=");
	icelist_answer_free(&a);
	icelist_for_participant(l, &(struct icelist_participant){"key", "", "PA_x"}, NOW_S, &a);
	assert_int_equal(a.n, 1);
	assert_string_equal(a.entries[0].username, "1700003600:PA_x");
	icelist_answer_free(&a);
	icelist_unref(l);
}

/* ------------------------------------------------------------------ the server in this process */

static struct addr ip_of(const char *text)
{
	struct addr a;
	assert_int_equal(addr_parse_ip(&a, slice_str(text), 0), 0);
	return a;
}

static void embedded_urls(void **st)
{
	const struct addr ips[] = {ip_of("192.0.2.1"), ip_of("2001:db8::1")};
	struct icelist_cfg cfg = {.embedded = {.has_stun = true,
					  .has_relay = true,
					  .ips = ips,
					  .n_ips = 2,
					  .udp_port = 3478,
					  .tcp_port = 3479,
					  .domain = "turn.example.com",
					  .tls_port = 443,
					  .secret = "shared-secret",
					  .ttl_s = 3600}};
	struct icelist *l = icelist_new(&cfg);
	struct icelist_answer a;
	icelist_for_anybody(l, "aero:session123", NOW_S, &a);
	static const char *const want[2][5] = {
		{"stun:192.0.2.1:3478", "stun:[2001:db8::1]:3478"},
		{"turn:192.0.2.1:3478?transport=udp", "turn:192.0.2.1:3479?transport=tcp",
			"turn:[2001:db8::1]:3478?transport=udp", "turn:[2001:db8::1]:3479?transport=tcp",
			"turns:turn.example.com:443?transport=tcp"}};
	assert_int_equal(a.n, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(a.entries[i].n_urls, i ? 5 : 2);
		assert_int_equal(icelist_entry_is_turn(&a.entries[i]), i);
		for (size_t k = 0; k < a.entries[i].n_urls; k++)
			assert_string_equal(a.entries[i].urls[k], want[i][k]);
	}
	assert_null(a.entries[0].username);
	assert_string_equal(a.entries[1].credential, "7sV7vMb0GsebuVCU0kM0pILAQfc=");
	icelist_answer_free(&a);
	icelist_unref(l);

	/* Without a domain there is no name to check a certificate by. */
	cfg.embedded.domain = "";
	cfg.embedded.udp_port = 0;
	cfg.embedded.n_ips = 1;
	cfg.embedded.rest_separator = '+';
	char *got = anybody(&cfg);
	assert_non_null(strstr(got, "{\"iceServers\":[{\"urls\":[\"turn:192.0.2.1:3479?transport=tcp\"],"
				    "\"username\":\"1700003600+somebody\","));
	xfree(got);
}

static void strangers_get_no_relay_without_the_shared_secret(void **st)
{
	const struct addr ip = ip_of("192.0.2.1");
	const struct icelist_cfg cfg = {.embedded = {.has_stun = true,
						.has_relay = true,
						.ips = &ip,
						.n_ips = 1,
						.udp_port = 3478,
						.ttl_s = 300}};
	expect(&cfg, "{\"iceServers\":[{\"urls\":[\"stun:192.0.2.1:3478\"]}]}");
}

static void participants_get_credentials_of_their_own(void **st)
{
	const struct addr ip = ip_of("192.0.2.1");
	const char *secret = "a-secret-of-more-than-32-characters";
	const struct icelist_cfg cfg = {.embedded = {.has_stun = true,
						.has_relay = true,
						.ips = &ip,
						.n_ips = 1,
						.udp_port = 3478,
						.secret = "not-for-participants",
						.ttl_s = 300}};
	struct icelist *l = icelist_new(&cfg);
	struct icelist_answer a, b;
	icelist_for_participant(l, &(struct icelist_participant){"key", secret, "PA_one"}, NOW_S, &a);
	icelist_for_participant(l, &(struct icelist_participant){"key", secret, "PA_two"}, NOW_S, &b);
	assert_int_equal(a.n, 2);
	assert_int_equal(b.n, 2);
	assert_string_not_equal(a.entries[1].username, b.entries[1].username);
	assert_string_not_equal(a.entries[1].credential, b.entries[1].credential);
	struct turn_participant p;
	char password[TURN_PARTICIPANT_PASSWORD_CAP];
	assert_int_equal(turn_participant_parse(slice_str(a.entries[1].username), &p), 0);
	assert_string_equal(p.api_key, "key");
	assert_string_equal(p.sid, "PA_one");
	assert_int_equal(p.expires_s, NOW_S + 300);
	turn_participant_password(&p, secret, password);
	assert_string_equal(a.entries[1].credential, password);
	icelist_answer_free(&a);
	icelist_answer_free(&b);

	/* Its API key was taken out of the configuration. */
	icelist_for_participant(l, &(struct icelist_participant){"key", "", "PA_one"}, NOW_S, &a);
	assert_int_equal(a.n, 1);
	assert_false(icelist_entry_is_turn(&a.entries[0]));
	icelist_answer_free(&a);
	icelist_unref(l);
}

/* ------------------------------------------------------------------ the rest */

static void public_stun_is_for_participants_without_anything_else(void **st)
{
	const struct icelist_participant p = {"key", "secret", "PA_x"};
	struct icelist_cfg cfg = {.has_default_stun = true};
	struct icelist_answer a;
	expect(&cfg, "{\"iceServers\":[]}");
	struct icelist *l = icelist_new(&cfg);
	icelist_for_participant(l, &p, NOW_S, &a);
	assert_int_equal(a.n, 1);
	assert_memory_equal(a.entries[0].urls[0], "stun:", 5);
	icelist_answer_free(&a);
	icelist_unref(l);

	cfg.stun_urls = stun;
	cfg.n_stun_urls = 1;
	l = icelist_new(&cfg);
	icelist_for_participant(l, &p, NOW_S, &a);
	assert_int_equal(a.n, 1);
	assert_string_equal(a.entries[0].urls[0], "stun:h:3478");
	icelist_answer_free(&a);
	icelist_unref(l);

	l = icelist_new(&(struct icelist_cfg){0});
	icelist_for_participant(l, &p, NOW_S, &a);
	assert_int_equal(a.n, 0);
	icelist_answer_free(&a);
	icelist_unref(l);
	icelist_for_participant(NULL, &p, NOW_S, &a);
	assert_int_equal(a.n, 0);
	icelist_answer_free(&a);
}

static void the_list_is_a_copy_and_counts_its_holders(void **st)
{
	char url[] = "stun:a:1", *const urls[] = {url, url};
	struct icelist *l = icelist_new(
		&(struct icelist_cfg){.stun_urls = (const char *const *)urls, .n_stun_urls = 2});
	url[5] = 'b';
	struct icelist *same = icelist_ref(l);
	icelist_unref(l);
	struct icelist_answer a;
	icelist_for_anybody(same, "x", NOW_S, &a);
	assert_int_equal(a.entries[0].n_urls, 1); /* twice the same is once */
	assert_string_equal(a.entries[0].urls[0], "stun:a:1");
	icelist_answer_free(&a);
	icelist_unref(same);
	icelist_unref(NULL);
	assert_null(icelist_ref(NULL));
}

static void odd_texts(void **st)
{
	struct icelist_turn t = {.urls = turn, .n_urls = 1, .username = "a\"\\\n", .credential = "ü/"};
	const struct icelist_cfg cfg = {.turn = &t, .n_turn = 1};
	expect(&cfg, "{\"iceServers\":[{\"urls\":[\"turn:h:3478\"],"
		     "\"username\":\"a\\\"\\\\\\n\",\"credential\":\"ü/\"}]}");
	t.credential = "\xff";
	struct icelist *l = icelist_new(&cfg);
	struct icelist_answer a;
	struct buf out;
	buf_init(&out, ICELIST_JSON_MAX);
	icelist_for_anybody(l, "x", NOW_S, &a);
	assert_int_equal(icelist_json(&a, &out), -ERR_MALFORMED);
	assert_int_equal(out.n, 0);
	buf_free(&out);
	icelist_answer_free(&a);
	icelist_unref(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_is_as_browsers_want_it),
		cmocka_unit_test(half_a_turn_server_is_none),
		cmocka_unit_test(rest_passwords),
		cmocka_unit_test(a_secret_makes_credentials_for_each),
		cmocka_unit_test(embedded_urls),
		cmocka_unit_test(strangers_get_no_relay_without_the_shared_secret),
		cmocka_unit_test(participants_get_credentials_of_their_own),
		cmocka_unit_test(public_stun_is_for_participants_without_anything_else),
		cmocka_unit_test(the_list_is_a_copy_and_counts_its_holders),
		cmocka_unit_test(odd_texts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
