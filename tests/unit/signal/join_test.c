#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "auth/token.h"
#include "base/mem.h"
#include "pb/join_request.h"
#include "signal/join.h"

enum { NOW_S = 1700000000, TTL_S = 600, QUERY_MAX = 8 };

static const char long_name[] =
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789"
	"abcdef0123456789"
	"abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123"
	"456789abcdef0123"
	"456789abcdef0123456789abcdef0123456789abcdef!"; /* 257 characters */

static struct auth_keys *keys;

static int setup(void **st)
{
	keys = auth_keys_new();
	return auth_keys_add(
		keys, slice_str("devkey"), slice_str("0123456789abcdef0123456789abcdef"), NULL);
}

static int teardown(void **st)
{
	auth_keys_unref(keys);
	return 0;
}

static bool only_lobby(void *arg, const char *room)
{
	return strcmp(room, "lobby") == 0;
}

/* What one row changes about a token that is fine. */
struct token_spec {
	const char *identity, *room; /* NULL: "ada", "lobby" */
	bool no_video, no_join, may_update;
	enum grant_tri publish;
	uint64_t age_s;
	bool foreign_key;
};

static char *token_of(const struct token_spec *spec)
{
	struct auth_keys *foreign = auth_keys_new();
	struct grants g = {.has_video = !spec->no_video};
	char *token = NULL;
	assert_int_equal(auth_keys_add(foreign, slice_str("other"),
				 slice_str("0123456789abcdef0123456789abcdef"), NULL),
		0);
	grants_set(&g.identity, spec->identity ? spec->identity : "ada");
	if (g.has_video)
		grants_set(&g.video.room, spec->room ? spec->room : "lobby");
	grants_set(&g.metadata, "from the token");
	grants_set_attribute(&g, "kept", "1");
	grants_set_attribute(&g, "changed", "old");
	g.video.room_join = g.has_video && !spec->no_join;
	g.video.can_publish = spec->publish;
	g.video.can_update_own_metadata = spec->may_update ? GRANT_YES : GRANT_UNSET;
	assert_int_equal(auth_mint(spec->foreign_key ? foreign : keys,
				 spec->foreign_key ? "other" : "devkey", &g, TTL_S,
				 NOW_S - spec->age_s, &token),
		0);
	xfree(g.identity);
	xfree(g.video.room);
	xfree(g.metadata);
	for (size_t i = 0; i < g.n_attributes; i++) {
		xfree(g.attributes[i].key);
		xfree(g.attributes[i].value);
	}
	xfree(g.attributes);
	auth_keys_unref(foreign);
	return token;
}

struct request {
	enum signal_join_path path;
	struct token_spec token;
	const char *authorization; /* instead of the token */
	const char *query[QUERY_MAX][2];
	bool no_auto_create, no_token;
	const char *user_agent;
};

static int check(
	const struct request *r, struct signal_join_params **out, struct errbuf *eb, int *status)
{
	struct signal_join_query query[QUERY_MAX + 1];
	size_t n = 0;
	char *token = token_of(&r->token);
	for (size_t i = 0; i < QUERY_MAX && r->query[i][0]; i++)
		query[n++] = (struct signal_join_query){
			slice_str(r->query[i][0]), slice_str(r->query[i][1])};
	if (!r->no_token)
		query[n++] =
			(struct signal_join_query){slice_str("access_token"), slice_str(token)};
	const struct signal_join_env env = {.keys = keys,
		.limits = SIGNAL_JOIN_LIMITS_DEFAULT,
		.now_s = NOW_S,
		.auto_create = !r->no_auto_create,
		.room_exists = only_lobby};
	struct signal_join_http http = {.path = r->path,
		.query = query,
		.n_query = n,
		.authorization = slice_str(r->authorization),
		.user_agent = slice_str(r->user_agent)};
	assert_int_equal(addr_parse_ip(&http.client, slice_str("192.0.2.7"), 0), 0);
	int err = signal_join_check(&env, &http, out, eb, status);
	xfree(token);
	return err;
}

static char *param_of(const Livekit__JoinRequest *req)
{
	struct buf b;
	buf_init(&b, 1 << 20);
	assert_int_equal(pb_join_request_encode(req, &b), 0);
	return buf_take(&b);
}

static void every_refusal_has_its_status_and_text(void **st)
{
	static const struct {
		struct request r;
		int status;
		const char *text; /* its beginning */
	} rows[] = {
		{{.no_token = true}, 401, "permissions denied"},
		{{.authorization = "Basic x"}, 401,
			"invalid authorization header. Must start with Bearer "},
		{{.authorization = "Bearer "}, 401, "permissions denied"},
		{{.authorization = "Bearer x.y"}, 401, "invalid authorization token"},
		{{.token = {.foreign_key = true}}, 401, "invalid API key"},
		{{.token = {.age_s = TTL_S + AUTH_LEEWAY_S + 1}}, 401, "invalid token: "},
		{{.token = {.no_video = true}}, 401, "permissions denied"},
		{{.token = {.no_join = true}}, 401, "permissions denied"},
		{{.token = {.identity = ""}}, 400, "identity cannot be empty"},
		{{.token = {.identity = long_name}}, 400,
			"participant identity length exceeds limits"},
		{{.token = {.room = ""}}, 400, "no room name"},
		{{.token = {.room = long_name}}, 400, "room name length exceeds limits"},
		{{.token = {.publish = GRANT_NO}, .query = {{"publish", "cam"}}}, 401,
			"permissions denied"},
		{{.query = {{"publish", long_name}}}, 400,
			"participant identity length exceeds limits"},
		{{.query = {{"attributes", "eyJhIjoiYiJ9"}}}, 401, "permissions denied"},
		{{.token = {.may_update = true}, .query = {{"attributes", "!"}}}, 400,
			"attributes are not base64url of JSON"},
		{{.token = {.may_update = true}, .query = {{"attributes", "WzFd"}}}, 400,
			"attributes must be a JSON object"},
		{{.token = {.may_update = true}, .query = {{"attributes", "eyJhIjoxfQ"}}}, 400,
			"attributes must be a JSON object"},
		{{.path = SIGNAL_JOIN_V1}, 400, "join_request is missing"},
		{{.path = SIGNAL_JOIN_V1, .query = {{"join_request", "!!"}}}, 400, ""},
		{{.query = {{"join_request", "!!"}}}, 400, ""},
		{{.token = {.room = "nowhere"}, .no_auto_create = true}, 404,
			"requested room does not exist"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct signal_join_params *p = (void *)1;
		struct errbuf eb = {0};
		int status = 0;
		if (check(&rows[i].r, &p, &eb, &status) == 0)
			fail_msg("row %zu passed", i);
		assert_null(p);
		assert_int_equal(status, rows[i].status);
		assert_memory_equal(eb.text, rows[i].text, strlen(rows[i].text));
		assert_int_not_equal(strlen(eb.text), 0);
	}
}

static struct signal_join_params *passes(const struct request *r)
{
	struct signal_join_params *p;
	struct errbuf eb = {0};
	int status;
	if (check(r, &p, &eb, &status) != 0)
		fail_msg("%d: %s", status, eb.text);
	assert_int_equal(status, 200);
	return p;
}

static void v0_defaults(void **st)
{
	struct signal_join_params *p = passes(&(struct request){.no_auto_create = true});
	assert_string_equal(p->identity, "ada");
	assert_string_equal(p->room, "lobby");
	assert_string_equal(p->participant_sid, "");
	assert_true(p->auto_subscribe);
	assert_false(
		p->auto_subscribe_data_track || p->adaptive_stream || p->subscriber_allow_pause);
	assert_false(p->reconnect || p->is_single_pc || p->disable_ice_lite);
	assert_string_equal(p->request->client_info->address, "192.0.2.7");
	assert_string_equal(p->grants->metadata, "from the token");
	signal_join_params_free(p);
}

static void v0_query(void **st)
{
	struct signal_join_params *p = passes(&(struct request){
		.query = {{"sdk", "node"}, {"protocol", "17"}, {"client_protocol", "2"},
			{"auto_subscribe", "0"}, {"reconnect", "1"}, {"sid", "PA_x"},
			{"reconnect_reason", "2"},
			{"capabilities",
				"CAP_PACKET_TRAILER,CAP_NEW,CAP_COMPRESSION_DEFLATE_RAW"}}});
	const Livekit__ClientInfo *info = p->request->client_info;
	assert_int_equal(info->sdk, LIVEKIT__CLIENT_INFO__SDK__NODE);
	assert_int_equal(info->protocol, 17);
	assert_int_equal(info->client_protocol, 2);
	assert_int_equal(info->n_capabilities, 2);
	assert_int_equal(info->capabilities[1],
		LIVEKIT__CLIENT_INFO__CAPABILITY__CAP_COMPRESSION_DEFLATE_RAW);
	assert_false(p->auto_subscribe);
	assert_true(p->reconnect);
	assert_int_equal(
		p->request->reconnect_reason, LIVEKIT__RECONNECT_REASON__RR_PUBLISHER_FAILED);
	assert_string_equal(p->participant_sid, "PA_x");
	signal_join_params_free(p);
}

static void publish_makes_a_second_identity(void **st)
{
	struct signal_join_params *p = passes(&(struct request){.query = {{"publish", "cam"}}});
	assert_string_equal(p->identity, "ada#cam");
	assert_false(grants_can_subscribe(p->grants));
	signal_join_params_free(p);
}

static const char *attribute(const struct grants *g, const char *key)
{
	for (size_t i = 0; i < g->n_attributes; i++)
		if (strcmp(g->attributes[i].key, key) == 0)
			return g->attributes[i].value;
	return NULL;
}

/* {"changed":"new","kept":"","more":"x"}, without padding. */
static void attributes_are_merged(void **st)
{
	struct signal_join_params *p = passes(&(struct request){.token = {.may_update = true},
		.query = {{"attributes", "eyJjaGFuZ2VkIjoibmV3Iiwia2VwdCI6IiIsIm1vcmUiOiJ4In0"}}});
	assert_string_equal(attribute(p->grants, "changed"), "new");
	assert_string_equal(attribute(p->grants, "kept"), "1");
	assert_string_equal(attribute(p->grants, "more"), "x");
	signal_join_params_free(p);
}

static void join_request_means_one_peer_connection(void **st)
{
	Livekit__JoinRequest req = LIVEKIT__JOIN_REQUEST__INIT;
	Livekit__ConnectionSettings set = LIVEKIT__CONNECTION_SETTINGS__INIT;
	Livekit__SessionDescription offer = LIVEKIT__SESSION_DESCRIPTION__INIT;
	Livekit__ClientInfo info = LIVEKIT__CLIENT_INFO__INIT;
	char metadata[] = "mine", sdp[] = "v=0", sid[] = "PA_1";
	info.has_sdk = true;
	info.sdk = LIVEKIT__CLIENT_INFO__SDK__JS;
	set.has_adaptive_stream = set.adaptive_stream = true;
	offer.sdp = sdp;
	req.client_info = &info;
	req.connection_settings = &set;
	req.publisher_offer = &offer;
	req.metadata = metadata;
	req.participant_sid = sid;
	char *param = param_of(&req);
	for (int path = SIGNAL_JOIN_V0; path <= SIGNAL_JOIN_V1; path++) {
		struct signal_join_params *p =
			passes(&(struct request){.path = (enum signal_join_path)path,
				.token = {.may_update = true},
				.query = {{"join_request", param}},
				.user_agent = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) "
					      "Gecko/20100101 Firefox/128.0"});
		assert_true(p->is_single_pc);
		assert_true(p->adaptive_stream);
		assert_false(p->auto_subscribe);
		assert_string_equal(p->participant_sid, ""); /* no reconnect */
		assert_string_equal(p->grants->metadata, "mine");
		assert_string_equal(p->request->publisher_offer->sdp, "v=0");
		assert_string_equal(p->request->client_info->browser, "Firefox");
		assert_string_equal(p->request->client_info->browser_version, "128.0");
		assert_string_equal(p->request->client_info->os, "Linux");
		signal_join_params_free(p);
	}
	xfree(param);
}

static void browsers_are_told_apart(void **st)
{
	static const struct {
		const char *agent, *browser, *version, *os, *os_version;
	} rows[] = {
		{"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
		 "Chrome/126.0.0.0 Safari/537.36",
			"Chrome", "126.0.0.0", "Windows", "10.0"},
		{"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
		 "Chrome/126.0.0.0 Safari/537.36 Edg/126.1",
			"Edge", "126.1", "Windows", "10.0"},
		{"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, "
		 "like Gecko) Version/18.4 Safari/605.1.15",
			"Safari", "18.4", "Mac OS X", "10.15.7"},
		{"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 "
		 "(KHTML, like Gecko) FxiOS/127.0 Mobile Safari/605.1.15",
			"Firefox iOS", "127.0", "iOS", "17.5"},
		{"Mozilla/5.0 (Android 14; Mobile; rv:127.0) Gecko/127.0 Firefox/127.0", "Firefox",
			"127.0", "Android", "14"},
		{"curl/8", NULL, NULL, NULL, NULL},
		{"", NULL, NULL, NULL, NULL},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct signal_join_agent text;
		Livekit__ClientInfo info = LIVEKIT__CLIENT_INFO__INIT;
		info.sdk = LIVEKIT__CLIENT_INFO__SDK__JS;
		signal_join_agent_fill(&info, slice_str(rows[i].agent), &text);
		if (!rows[i].browser) {
			assert_null(info.browser);
			assert_null(info.os);
			continue;
		}
		assert_string_equal(info.browser, rows[i].browser);
		assert_string_equal(info.browser_version, rows[i].version);
		assert_string_equal(info.os, rows[i].os);
		assert_string_equal(info.os_version, rows[i].os_version);
	}
	struct signal_join_agent text;
	Livekit__ClientInfo info = LIVEKIT__CLIENT_INFO__INIT;
	info.sdk = LIVEKIT__CLIENT_INFO__SDK__GO;
	signal_join_agent_fill(&info, slice_str(rows[0].agent), &text);
	assert_null(info.browser);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_refusal_has_its_status_and_text),
		cmocka_unit_test(v0_defaults),
		cmocka_unit_test(v0_query),
		cmocka_unit_test(publish_makes_a_second_identity),
		cmocka_unit_test(attributes_are_merged),
		cmocka_unit_test(join_request_means_one_peer_connection),
		cmocka_unit_test(browsers_are_told_apart),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
