#include "../pb/vectors.h"

#include "auth/token.h"
#include "forge.h"

enum { NAME, TOKEN };

#define KEY    "APItestkey"
#define SECRET "test-secret-0123456789-0123456789"
#define NOW    UINT64_C(1800000000)
#define HS256  "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"

static struct auth_keys *keys;

static int verify_bytes(struct slice token, uint64_t now, struct grants **g, struct errbuf *eb)
{
	uint8_t *exact = xmemdup(token.p, token.n);
	int err = auth_verify(keys, slice_of(exact, token.n), now, g, eb);
	assert_int_equal(*g == NULL, err != 0);
	xfree(exact);
	return err;
}

static struct grants *verify_claims(const char *claims)
{
	char *token = forge(slice_str(HS256), slice_str(claims), SECRET);
	struct grants *g;
	struct errbuf eb = {""};
	if (verify_bytes(slice_str(token), NOW, &g, &eb) != 0)
		fail_msg("%s: %s", claims, eb.text);
	xfree(token);
	return g;
}

/* Asserts that the token is refused with a text that begins like this. */
static void assert_refused(const char *token, const char *why)
{
	struct grants *g;
	struct errbuf eb = {""};
	assert_int_equal(verify_bytes(slice_str(token), NOW, &g, &eb), -ERR_AUTH);
	if (strncmp(eb.text, why, strlen(why)) != 0)
		fail_msg("%.60s: %s", token, eb.text);
}

static void assert_forgery_refused(const char *header, const char *claims, const char *why)
{
	char *token = forge(slice_str(header), slice_str(claims), SECRET);
	assert_refused(token, why);
	xfree(token);
}

/* The tokens of another implementation, by name. */
static struct grants *sdk_grants(const char *name)
{
	struct vectors v;
	char *row[VECTORS_COLUMNS];
	struct grants *g = NULL;
	vectors_open(&v, "auth/tokens.tsv");
	while (!g && vectors_next(&v, row))
		if (!strcmp(row[NAME], name))
			assert_int_equal(verify_bytes(slice_str(row[TOKEN]), NOW, &g, NULL), 0);
	vectors_close(&v);
	assert_non_null(g);
	return g;
}

static void a_join_token_of_an_sdk_is_read(void **st)
{
	(void)st;
	struct grants *g = sdk_grants("join");
	assert_string_equal(g->api_key, KEY);
	assert_string_equal(g->identity, "alice");
	assert_string_equal(g->name, "Alice \xc3\x84");
	assert_string_equal(g->metadata, "{\"m\":1}");
	assert_int_equal(g->n_attributes, 2);
	assert_string_equal(g->attributes[0].key, "role");
	assert_string_equal(g->attributes[0].value, "host");
	assert_true(g->has_video && g->video.room_join && !g->video.room_admin);
	assert_string_equal(g->video.room, "lobby");
	assert_int_equal(g->video.can_publish, GRANT_UNSET);
	assert_true(grants_can_publish(g) && grants_can_subscribe(g) && grants_can_publish_data(g));
	assert_int_equal(g->kind, LIVEKIT__PARTICIPANT_INFO__KIND__STANDARD);
	assert_true(g->expires_s > NOW);
	grants_free(g);
}

static void limits_in_a_token_of_an_sdk_are_read(void **st)
{
	(void)st;
	struct grants *g = sdk_grants("limited");
	assert_int_equal(g->video.can_publish, GRANT_YES);
	assert_int_equal(g->video.can_subscribe, GRANT_NO);
	assert_int_equal(g->video.can_publish_data, GRANT_NO);
	assert_int_equal(g->video.can_update_own_metadata, GRANT_YES);
	assert_true(g->video.hidden);
	assert_true(grants_can_publish_source(g, LIVEKIT__TRACK_SOURCE__SCREEN_SHARE_AUDIO));
	assert_false(grants_can_publish_source(g, LIVEKIT__TRACK_SOURCE__MICROPHONE));
	grants_free(g);
}

static void other_tokens_of_an_sdk_are_read(void **st)
{
	(void)st;
	struct grants *g = sdk_grants("admin");
	assert_true(g->video.room_create && g->video.room_list && g->video.room_record);
	assert_true(g->video.room_admin && g->video.ingress_admin && g->sip_admin && g->sip_call);
	assert_false(g->video.room_join || g->agent_admin);
	assert_string_equal(g->video.destination_room, "y");
	grants_free(g);

	g = sdk_grants("agent");
	assert_int_equal(g->kind, LIVEKIT__PARTICIPANT_INFO__KIND__AGENT);
	assert_true(g->video.agent);
	grants_free(g);

	g = sdk_grants("room_config");
	assert_string_equal(g->room_preset, "preset1");
	assert_string_equal(g->sha256, "AAAA");
	assert_int_equal(g->room_config->max_participants, 7);
	assert_int_equal(g->room_config->empty_timeout, 30);
	assert_int_equal(g->room_config->n_agents, 1);
	assert_string_equal(g->room_config->agents[0]->agent_name, "helper");
	grants_free(g);

	g = sdk_grants("no_grants");
	assert_false(g->has_video);
	grants_free(g);
}

static void no_prefix_and_no_changed_byte_passes(void **st)
{
	(void)st;
	char *token = forge(slice_str(HS256),
		slice_str("{\"iss\":\"" KEY "\",\"sub\":\"a\",\"exp\":1900000000}"), SECRET);
	size_t n = strlen(token);
	struct grants *g;
	assert_int_equal(verify_bytes(slice_of(token, n), NOW, &g, NULL), 0);
	grants_free(g);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(verify_bytes(slice_of(token, i), NOW, &g, NULL), -ERR_AUTH);
		char was = token[i];
		token[i] = was == 'A' ? 'B' : 'A';
		assert_int_equal(verify_bytes(slice_of(token, n), NOW, &g, NULL), -ERR_AUTH);
		token[i] = was;
	}
	xfree(token);
}

#define CLAIMS "{\"iss\":\"" KEY "\",\"sub\":\"a\",\"exp\":1900000000}"

static void only_hs256_counts(void **st)
{
	(void)st;
	static const char *const headers[] = {"{\"alg\":\"none\"}", "{\"alg\":\"hs256\"}",
		"{\"alg\":\"Hs256\"}", "{\"alg\":\"HS256 \"}", "{\"alg\":\"HS384\"}",
		"{\"alg\":\"HS512\"}", "{\"alg\":\"RS256\"}", "{\"alg\":\"ES256\"}",
		"{\"alg\":\"\"}", "{\"alg\":null}", "{\"alg\":1}", "{\"alg\":[\"HS256\"]}", "{}",
		"[]", "", "null", "{\"alg\":\"HS256\",\"alg\":\"none\"}",
		"{\"alg\":\"HS256\",\"crit\":[\"b64\"],\"b64\":false}"};
	for (size_t i = 0; i < ARRAY_LEN(headers); i++)
		assert_forgery_refused(headers[i], CLAIMS, "invalid authorization token");

	/* {"alg":"none"}.claims. without a signature */
	struct buf bare;
	buf_init(&bare, 1000);
	base64_encode(&bare, slice_str("{\"alg\":\"none\"}"), BASE64_URL_NO_PAD);
	buf_add_byte(&bare, '.');
	base64_encode(&bare, slice_str(CLAIMS), BASE64_URL_NO_PAD);
	buf_add_byte(&bare, '.');
	assert_refused(buf_cstr(&bare), "invalid authorization token");
	buf_reset(&bare);
	base64_encode(&bare, slice_str(HS256), BASE64_URL_NO_PAD);
	buf_add_byte(&bare, '.');
	base64_encode(&bare, slice_str(CLAIMS), BASE64_URL_NO_PAD);
	buf_add_byte(&bare, '.');
	assert_refused(buf_cstr(&bare), "invalid token: wrong signature");
	buf_free(&bare);
}

static void a_wrong_key_is_refused(void **st)
{
	(void)st;
	char *token = forge(slice_str(HS256), slice_str(CLAIMS), SECRET "x");
	assert_refused(token, "invalid token: wrong signature");
	xfree(token);
	assert_forgery_refused(HS256, "{\"iss\":\"other\",\"exp\":1900000000}", "invalid API key");
	assert_forgery_refused(HS256, "{\"iss\":\"\",\"exp\":1900000000}", "invalid API key");
	assert_forgery_refused(HS256, "{\"exp\":1900000000}", "invalid API key");
	assert_forgery_refused(HS256, "{\"iss\":5,\"exp\":1900000000}", "invalid API key");
	/* A second key signs for itself only. */
	token = forge(slice_str(HS256), slice_str("{\"iss\":\"" KEY "\",\"exp\":1900000000}"),
		"other secret");
	assert_refused(token, "invalid token: wrong signature");
	xfree(token);
}

static void what_is_no_token_is_refused(void **st)
{
	(void)st;
	static const char *const tokens[] = {"", ".", "..", "...", "a", "a.b", "a.b.c", "a.b.c.d",
		"Bearer x.y.z", "e30.e30.", "!!.e30.e30"};
	for (size_t i = 0; i < ARRAY_LEN(tokens); i++)
		assert_refused(tokens[i], "invalid authorization token");
	static const char *const claims[] = {"", "[]", "null", "\"x\"", "{",
		"{\"iss\":\"" KEY "\",}", "{\"iss\":\"" KEY "\",\"iss\":\"" KEY "\"}",
		"{\"iss\":\"a\\u0000b\"}", "\xff"};
	for (size_t i = 0; i < ARRAY_LEN(claims); i++)
		assert_forgery_refused(HS256, claims[i], "invalid authorization token");
}

static void times_have_a_minute_of_leeway(void **st)
{
	(void)st;
	static const struct {
		const char *times, *why; /* NULL why: taken */
	} cases[] = {
		{"\"exp\":1800000000", NULL},
		{"\"exp\":1799999940", NULL},
		{"\"exp\":1799999939", "invalid token: expired"},
		{"\"exp\":1799999939.5", "invalid token: expired"},
		{"\"exp\":1799999940.5", NULL},
		{"\"exp\":0", "invalid token: expired"},
		{"\"exp\":-1", "invalid token: expired"},
		{"\"exp\":1e300", NULL},
		{"\"exp\":null", "invalid token: claim \"exp\" is missing"},
		{"\"nbf\":1", "invalid token: claim \"exp\" is missing"},
		{"\"exp\":\"1900000000\"", "invalid token: claim \"exp\" has a wrong type"},
		{"\"exp\":true", "invalid token: claim \"exp\" has a wrong type"},
		{"\"exp\":1900000000,\"nbf\":1800000060", NULL},
		{"\"exp\":1900000000,\"nbf\":1800000061", "invalid token: not valid yet"},
		{"\"exp\":1900000000,\"nbf\":\"0\"",
			"invalid token: claim \"nbf\" has a wrong type"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *claims = xasprintf("{\"iss\":\"" KEY "\",\"sub\":\"a\",%s}", cases[i].times);
		if (cases[i].why)
			assert_forgery_refused(HS256, claims, cases[i].why);
		else
			grants_free(verify_claims(claims));
		xfree(claims);
	}
}

#define REST ",\"iss\":\"" KEY "\",\"exp\":1900000000}"

static void the_identity_is_sub_or_jti(void **st)
{
	(void)st;
	static const struct {
		const char *claims, *identity;
	} cases[] = {
		{"{\"sub\":\"s\",\"jti\":\"j\"" REST, "s"},
		{"{\"jti\":\"j\"" REST, "j"},
		{"{\"sub\":\"\",\"jti\":\"j\"" REST, "j"},
		{"{\"identity\":\"i\"" REST, ""},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct grants *g = verify_claims(cases[i].claims);
		assert_string_equal(g->identity, cases[i].identity);
		grants_free(g);
	}
}

static void kinds_are_words_in_any_case(void **st)
{
	(void)st;
	struct grants *g =
		verify_claims("{\"kind\":\"eGress\",\"kindDetails\":[\"FORWARDED\",\"new\","
			      "\"simulation\"]" REST);
	assert_int_equal(g->kind, LIVEKIT__PARTICIPANT_INFO__KIND__EGRESS);
	assert_int_equal(g->kind_details, 1 << 1 | 1 << 5);
	grants_free(g);
	g = verify_claims("{\"kind\":\"unheard of\"" REST);
	assert_int_equal(g->kind, LIVEKIT__PARTICIPANT_INFO__KIND__STANDARD);
	grants_free(g);
}

static void unknown_and_null_claims_are_ignored(void **st)
{
	(void)st;
	struct grants *g = verify_claims(
		"{\"new\":{\"a\":[1]},\"name\":null,\"video\":{\"room\":null,"
		"\"canPublish\":null,\"canPublishSources\":[],\"new\":1},\"sip\":null,"
		"\"roomConfig\":{\"new\":1}" REST);
	assert_true(g->has_video);
	assert_null(g->name);
	assert_null(g->video.room);
	assert_int_equal(g->video.can_publish, GRANT_UNSET);
	assert_int_equal(g->video.can_publish_sources, 0);
	assert_non_null(g->room_config);
	grants_free(g);
}

static void claims_of_a_wrong_type_are_refused(void **st)
{
	(void)st;
	static const char *const claims[] = {"\"sub\":1", "\"sub\":\"a\",\"jti\":[]", "\"name\":1",
		"\"metadata\":{}", "\"attributes\":[]", "\"attributes\":{\"a\":1}",
		"\"attributes\":{\"a\":null}", "\"kind\":4", "\"kindDetails\":\"x\"",
		"\"kindDetails\":[1]", "\"video\":1", "\"video\":[]",
		"\"video\":{\"roomJoin\":\"true\"}", "\"video\":{\"roomJoin\":1}",
		"\"video\":{\"room\":1}", "\"video\":{\"canPublish\":\"false\"}",
		"\"video\":{\"canPublishSources\":\"camera\"}",
		"\"video\":{\"canPublishSources\":[1]}", "\"sip\":true", "\"sip\":{\"admin\":1}",
		"\"sha256\":1", "\"roomPreset\":1", "\"roomConfig\":\"x\"",
		"\"roomConfig\":{\"maxParticipants\":-1}"};
	for (size_t i = 0; i < ARRAY_LEN(claims); i++) {
		char *text = xasprintf("{%s" REST, claims[i]);
		assert_forgery_refused(HS256, text, "invalid token: claim \"");
		xfree(text);
	}
}

static void bombs_are_refused(void **st)
{
	(void)st;
	char *zeros = xcalloc(1, AUTH_TOKEN_MAX + 1);
	memset(zeros, 'A', AUTH_TOKEN_MAX);
	assert_refused(zeros, "invalid authorization token");
	for (size_t i = 0; i < 30000; i++)
		zeros[i] = '[';
	zeros[30000] = 0;
	assert_forgery_refused(HS256, zeros, "invalid authorization token");
	assert_forgery_refused(zeros, CLAIMS, "invalid authorization token");
	for (size_t i = 0; i < 30000; i++)
		zeros[i] = i % 2 ? '0' : i ? ',' : '[';
	assert_forgery_refused(HS256, zeros, "invalid authorization token");
	xfree(zeros);
	/* Just above the size, and otherwise good. */
	char *pad = xcalloc(1, AUTH_TOKEN_MAX);
	memset(pad, 'x', AUTH_TOKEN_MAX - 1);
	char *claims = xasprintf("{\"name\":\"%s\"" REST, pad);
	assert_forgery_refused(HS256, claims, "invalid authorization token");
	xfree(claims);
	pad[40000] = 0;
	claims = xasprintf("{\"name\":\"%s\"" REST, pad);
	grants_free(verify_claims(claims));
	xfree(claims);
	xfree(pad);
}

static struct grants *full_grants(void)
{
	return verify_claims(
		"{\"sub\":\"me\",\"name\":\"n\",\"metadata\":\"m\",\"sha256\":\"h\",\"roomPreset\":"
		"\"p\","
		"\"kind\":\"sip\",\"kindDetails\":[\"cloud_agent\"],\"attributes\":{\"a\":\"b\"},"
		"\"video\":{\"roomCreate\":true,\"roomJoin\":true,\"room\":\"r\",\"canPublish\":"
		"false,"
		"\"canPublishSources\":[\"camera\"],\"canSubscribeMetrics\":true},"
		"\"sip\":{\"call\":true},\"agent\":{\"databaseAdmin\":true},\"inference\":{"
		"\"perform\":true},"
		"\"observability\":{\"write\":true},\"roomConfig\":{\"maxParticipants\":9}" REST);
}

static void a_minted_token_says_the_same(void **st)
{
	(void)st;
	struct grants *g = full_grants(), *back;
	char *token;
	assert_int_equal(auth_mint(keys, KEY, g, 600, NOW, &token), 0);
	assert_int_equal(verify_bytes(slice_str(token), NOW + 660, &back, NULL), 0);
	assert_string_equal(back->identity, "me");
	assert_string_equal(back->name, "n");
	assert_string_equal(back->metadata, "m");
	assert_string_equal(back->sha256, "h");
	assert_string_equal(back->room_preset, "p");
	assert_string_equal(back->video.room, "r");
	assert_string_equal(back->attributes[0].value, "b");
	assert_int_equal(back->kind, LIVEKIT__PARTICIPANT_INFO__KIND__SIP);
	assert_int_equal(back->kind_details, 1);
	assert_true(back->video.room_create && back->video.room_join && !back->video.room_admin);
	assert_true(back->sip_call && back->agent_database_admin && !back->sip_admin);
	assert_true(back->inference_perform && back->observability_write);
	assert_int_equal(back->video.can_publish_sources, g->video.can_publish_sources);
	assert_int_equal(back->room_config->max_participants, 9);
	assert_int_equal(back->expires_s, NOW + 600);
	/* Defaults have become explicit. */
	assert_int_equal(back->video.can_publish, GRANT_NO);
	assert_int_equal(back->video.can_publish_data, GRANT_NO);
	assert_int_equal(back->video.can_subscribe, GRANT_YES);
	assert_int_equal(back->video.can_subscribe_metrics, GRANT_YES);
	assert_int_equal(back->video.can_update_own_metadata, GRANT_NO);
	grants_free(back);

	assert_int_equal(verify_bytes(slice_str(token), NOW + 661, &back, NULL), -ERR_AUTH);
	assert_int_equal(verify_bytes(slice_str(token), NOW - 61, &back, NULL), -ERR_AUTH);
	assert_int_equal(verify_bytes(slice_str(token), NOW - 60, &back, NULL), 0);
	grants_free(back);
	xfree(token);
	grants_free(g);
}

static void a_limit_without_known_sources_survives(void **st)
{
	(void)st;
	struct grants *g = verify_claims(
		"{\"sub\":\"a\",\"video\":{\"canPublishSources\":[\"hologram\"]}" REST);
	assert_int_equal(g->video.can_publish_sources, GRANT_SOURCES_LIMITED);
	char *token;
	assert_int_equal(auth_mint(keys, KEY, g, 60, NOW, &token), 0);
	grants_free(g);
	assert_int_equal(verify_bytes(slice_str(token), NOW, &g, NULL), 0);
	assert_int_equal(g->video.can_publish_sources, GRANT_SOURCES_LIMITED);
	grants_free(g);
	xfree(token);
}

static void a_token_without_video_has_no_video_claim(void **st)
{
	(void)st;
	struct grants g = {.sha256 = (char *)(uintptr_t) "hash"}, *back;
	char *token;
	assert_int_equal(auth_mint(keys, KEY, &g, 300, NOW, &token), 0);
	assert_int_equal(verify_bytes(slice_str(token), NOW, &back, NULL), 0);
	assert_false(back->has_video);
	assert_string_equal(back->sha256, "hash");
	grants_free(back);
	xfree(token);
}

static void minting_can_fail(void **st)
{
	(void)st;
	char *token;
	struct grants g = {.identity = (char *)(uintptr_t) "a"};
	assert_int_equal(auth_mint(keys, "other", &g, 60, NOW, &token), -ERR_NOT_FOUND);
	assert_null(token);
	g.identity = (char *)(uintptr_t) "\xff";
	assert_int_equal(auth_mint(keys, KEY, &g, 60, NOW, &token), -ERR_MALFORMED);
	g.identity = xcalloc(1, AUTH_TOKEN_MAX);
	memset(g.identity, 'x', AUTH_TOKEN_MAX - 1);
	assert_int_equal(auth_mint(keys, KEY, &g, 60, NOW, &token), -ERR_TOO_LARGE);
	assert_null(token);
	xfree(g.identity);
}

static int make_keys(void **st)
{
	(void)st;
	keys = auth_keys_new();
	return auth_keys_parse(keys, slice_str(KEY ": " SECRET "\nsecond: other secret\n"), NULL);
}

static int drop_keys(void **st)
{
	(void)st;
	auth_keys_unref(keys);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_join_token_of_an_sdk_is_read),
		cmocka_unit_test(limits_in_a_token_of_an_sdk_are_read),
		cmocka_unit_test(other_tokens_of_an_sdk_are_read),
		cmocka_unit_test(no_prefix_and_no_changed_byte_passes),
		cmocka_unit_test(only_hs256_counts),
		cmocka_unit_test(a_wrong_key_is_refused),
		cmocka_unit_test(what_is_no_token_is_refused),
		cmocka_unit_test(times_have_a_minute_of_leeway),
		cmocka_unit_test(the_identity_is_sub_or_jti),
		cmocka_unit_test(kinds_are_words_in_any_case),
		cmocka_unit_test(unknown_and_null_claims_are_ignored),
		cmocka_unit_test(claims_of_a_wrong_type_are_refused),
		cmocka_unit_test(bombs_are_refused),
		cmocka_unit_test(a_minted_token_says_the_same),
		cmocka_unit_test(a_limit_without_known_sources_survives),
		cmocka_unit_test(a_token_without_video_has_no_video_claim),
		cmocka_unit_test(minting_can_fail),
	};
	return cmocka_run_group_tests(tests, make_keys, drop_keys);
}
