#include "signal/join.h"

#include <stdlib.h>
#include <strings.h>

#include "auth/token.h"
#include "base/buf.h"
#include "base/mem.h"
#include "pb/join_request.h"
#include "pb/pb_json.h"

/* Texts that SDKs show or compare; the words of the last one are what livekit-client looks for. */
#define TEXT_DENIED       "permissions denied"
#define TEXT_NOT_BEARER   "invalid authorization header. Must start with Bearer "
#define TEXT_NO_IDENTITY  "identity cannot be empty"
#define TEXT_NO_ROOM_NAME "no room name"
#define TEXT_NO_SUCH_ROOM "requested room does not exist"

enum { NUMBER_DIGITS_MAX = 9, V0_ATTRIBUTES_MAX = 1024, V0_CAPABILITIES_MAX = 16 };

static const struct pb_limits attributes_limits = {
	.size = 64 << 10, .memory = 1 << 20, .elements = V0_ATTRIBUTES_MAX, .depth = 2};

struct word_row {
	const char *word;
	int number;
};

static const struct word_row sdks[] = {
	{"js", LIVEKIT__CLIENT_INFO__SDK__JS},
	{"ios", LIVEKIT__CLIENT_INFO__SDK__SWIFT},
	{"swift", LIVEKIT__CLIENT_INFO__SDK__SWIFT},
	{"android", LIVEKIT__CLIENT_INFO__SDK__ANDROID},
	{"flutter", LIVEKIT__CLIENT_INFO__SDK__FLUTTER},
	{"go", LIVEKIT__CLIENT_INFO__SDK__GO},
	{"unity", LIVEKIT__CLIENT_INFO__SDK__UNITY},
	{"unityweb", LIVEKIT__CLIENT_INFO__SDK__UNITY_WEB},
	{"reactnative", LIVEKIT__CLIENT_INFO__SDK__REACT_NATIVE},
	{"rust", LIVEKIT__CLIENT_INFO__SDK__RUST},
	{"python", LIVEKIT__CLIENT_INFO__SDK__PYTHON},
	{"cpp", LIVEKIT__CLIENT_INFO__SDK__CPP},
	{"node", LIVEKIT__CLIENT_INFO__SDK__NODE},
	{"unreal", LIVEKIT__CLIENT_INFO__SDK__UNREAL},
	{"esp32", LIVEKIT__CLIENT_INFO__SDK__ESP32},
};

static const struct word_row capabilities[] = {
	{"CAP_PACKET_TRAILER", LIVEKIT__CLIENT_INFO__CAPABILITY__CAP_PACKET_TRAILER},
	{"CAP_COMPRESSION_DEFLATE_RAW",
		LIVEKIT__CLIENT_INFO__CAPABILITY__CAP_COMPRESSION_DEFLATE_RAW},
};

/* What one check works on. The strings of `wish` are borrowed from `strings` until it is copied. */
struct check {
	const struct signal_join_env *env;
	const struct signal_join_http *http;
	struct signal_join_params *p;
	struct errbuf *eb;
	int status;
	char *strings[32];
	size_t n_strings;
};

static int word_number(const struct word_row *rows, size_t n, struct slice word)
{
	for (size_t i = 0; i < n; i++)
		if (strlen(rows[i].word) == word.n &&
			strncasecmp(rows[i].word, (const char *)word.p, word.n) == 0)
			return rows[i].number;
	return 0;
}

static int refuse(struct check *c, int status, enum err err, const char *text)
{
	c->status = status;
	return err_set(c->eb, err, "%s", text);
}

static struct slice query(const struct signal_join_http *http, const char *name)
{
	for (size_t i = 0; i < http->n_query; i++)
		if (slice_eq_str(http->query[i].name, name))
			return http->query[i].value;
	return (struct slice){0};
}

static bool is_true(struct slice v)
{
	return slice_eq_str(v, "1") || slice_eq_str(v, "true");
}

/* A decimal number; anything else is 0, as for a parameter that is not there. */
static int32_t number(struct slice v)
{
	int32_t n = 0;
	if (v.n > NUMBER_DIGITS_MAX)
		return 0;
	for (size_t i = 0; i < v.n; i++) {
		if (v.p[i] < '0' || v.p[i] > '9')
			return 0;
		n = n * 10 + (v.p[i] - '0');
	}
	return n;
}

/* The value as a C string that lives as long as the check; NULL for none. */
static char *keep(struct check *c, struct slice v)
{
	if (!v.n || c->n_strings == ARRAY_LEN(c->strings))
		return NULL;
	return c->strings[c->n_strings++] = xstrndup((const char *)v.p, v.n);
}

static int base64_digit(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '-' || c == '+' ? 62 : c == '_' || c == '/' ? 63 : -1;
}

/* Both alphabets, with or without padding (RFC 4648 §5). -ERR_MALFORMED for anything else. */
static int base64_decode(struct slice text, struct buf *out)
{
	uint32_t bits = 0, n = 0;
	while (text.n && text.p[text.n - 1] == '=')
		text.n--;
	for (size_t i = 0; i < text.n; i++) {
		int digit = base64_digit(text.p[i]);
		if (digit < 0)
			return -ERR_MALFORMED;
		bits = bits << 6 | (uint32_t)digit;
		n += 6;
		if (n >= 8) {
			n -= 8;
			buf_add_byte(out, (uint8_t)(bits >> n));
		}
	}
	return out->full || n == 6 ? -ERR_MALFORMED : 0;
}

int signal_join_token(const struct signal_join_http *http, struct slice *token, struct errbuf *eb)
{
	static const char bearer[] = "Bearer ";
	const size_t n = sizeof bearer - 1;
	struct slice h = http->authorization;
	if (!h.p) {
		*token = query(http, "access_token");
		return 0;
	}
	*token = (struct slice){0};
	if (h.n < n || strncasecmp((const char *)h.p, bearer, n) != 0)
		return err_set(eb, ERR_AUTH, TEXT_NOT_BEARER);
	*token = slice_of(h.p + n, h.n - n);
	return 0;
}

static int check_token(struct check *c)
{
	struct slice token;
	c->status = 401;
	int err = signal_join_token(c->http, &token, c->eb);
	if (err)
		return err;
	if (!token.n)
		return refuse(c, 401, ERR_AUTH, TEXT_DENIED);
	err = auth_verify(c->env->keys, token, c->env->now_s, &c->p->grants, c->eb);
	if (err)
		return err;
	const struct grants *g = c->p->grants;
	if (!g->has_video || !g->video.room_join)
		return refuse(c, 401, ERR_DENIED, TEXT_DENIED);
	return 0;
}

static bool exceeds(const char *s, size_t limit)
{
	return limit && s && strlen(s) > limit;
}

static int check_names(struct check *c)
{
	const struct signal_join_limits *l = &c->env->limits;
	const struct grants *g = c->p->grants;
	if (!pb_str(g->identity)[0])
		return refuse(c, 400, ERR_RANGE, TEXT_NO_IDENTITY);
	if (exceeds(g->identity, l->identity))
		return refuse(c, 400, ERR_RANGE, "participant identity length exceeds limits");
	if (!pb_str(g->video.room)[0])
		return refuse(c, 400, ERR_RANGE, TEXT_NO_ROOM_NAME);
	if (exceeds(g->video.room, l->room_name))
		return refuse(c, 400, ERR_RANGE, "room name length exceeds limits");
	if (exceeds(g->name, l->name))
		return refuse(c, 400, ERR_RANGE, "participant name length exceeds limits");
	return 0;
}

/* `publish=camera2`: a second connection of the same participant that only sends. */
static int apply_publish(struct check *c)
{
	struct grants *g = c->p->grants;
	struct slice suffix = query(c->http, "publish");
	if (!suffix.n)
		return 0;
	if (!grants_can_publish(g))
		return refuse(c, 401, ERR_DENIED, TEXT_DENIED);
	g->video.can_subscribe = GRANT_NO;
	char *identity = xasprintf(
		"%s#%.*s", g->identity, (int)MIN(suffix.n, INT16_MAX), (const char *)suffix.p);
	grants_set(&g->identity, identity);
	xfree(identity);
	if (exceeds(g->identity, c->env->limits.identity))
		return refuse(c, 400, ERR_RANGE, "participant identity length exceeds limits");
	return 0;
}

static void take_capabilities(struct slice list, Livekit__ClientInfo__Capability *out, size_t *n)
{
	for (size_t at = 0; at < list.n && *n < V0_CAPABILITIES_MAX;) {
		const uint8_t *comma = memchr(list.p + at, ',', list.n - at);
		size_t end = comma ? (size_t)(comma - list.p) : list.n;
		int cap = word_number(
			capabilities, ARRAY_LEN(capabilities), slice_of(list.p + at, end - at));
		if (cap)
			out[(*n)++] = (Livekit__ClientInfo__Capability)cap;
		at = end + 1;
	}
}

/* JSON object of strings to map entries, borrowed from the object. */
static int take_attributes(struct check *c, json_t *object,
	Livekit__JoinRequest__ParticipantAttributesEntry *entries,
	Livekit__JoinRequest__ParticipantAttributesEntry **pointers, size_t *n)
{
	const char *key;
	json_t *value;
	if (!json_is_object(object))
		return refuse(c, 400, ERR_MALFORMED, "attributes must be a JSON object of strings");
	json_object_foreach(object, key, value)
	{
		if (!json_is_string(value) || *n == V0_ATTRIBUTES_MAX)
			return refuse(c, 400, ERR_MALFORMED,
				"attributes must be a JSON object of strings");
		Livekit__JoinRequest__ParticipantAttributesEntry *e = &entries[*n];
		livekit__join_request__participant_attributes_entry__init(e);
		e->key = (char *)(uintptr_t)key;
		e->value = (char *)(uintptr_t)json_string_value(value);
		pointers[(*n)++] = e;
	}
	return 0;
}

/*
 * Takes the attributes parameter, builds the request around it and copies it while all borrowed
 * parts live.
 */
static int copy_v0(struct check *c, Livekit__JoinRequest *wish)
{
	struct slice param = query(c->http, "attributes");
	Livekit__JoinRequest__ParticipantAttributesEntry *entries = NULL, **pointers = NULL;
	json_t *object = NULL;
	struct buf text;
	int err = 0;
	buf_init(&text, attributes_limits.size);
	if (param.n) {
		err = base64_decode(param, &text);
		if (!err)
			err = pb_json_parse(buf_slice(&text), &attributes_limits, &object, c->eb);
		if (err) {
			err = refuse(c, 400, ERR_MALFORMED, "attributes are not base64url of JSON");
			goto out;
		}
		entries = xcalloc(V0_ATTRIBUTES_MAX, sizeof *entries);
		pointers = xcalloc(V0_ATTRIBUTES_MAX, sizeof *pointers);
		err = take_attributes(
			c, object, entries, pointers, &wish->n_participant_attributes);
		if (err)
			goto out;
		wish->participant_attributes = pointers;
	}
	c->p->request = pb_copy(wish);
out:
	json_decref(object);
	xfree(pointers);
	xfree(entries);
	buf_free(&text);
	return err;
}

/* The v0 query in the shape that v1 sends, so that nobody behind this file has to know both. */
static int read_v0(struct check *c)
{
	const struct signal_join_http *h = c->http;
	Livekit__ClientInfo__Capability caps[V0_CAPABILITIES_MAX];
	Livekit__ClientInfo info = LIVEKIT__CLIENT_INFO__INIT;
	Livekit__ConnectionSettings set = LIVEKIT__CONNECTION_SETTINGS__INIT;
	Livekit__JoinRequest wish = LIVEKIT__JOIN_REQUEST__INIT;

	info.has_sdk = info.has_protocol = info.has_client_protocol = true;
	info.sdk = (Livekit__ClientInfo__SDK)word_number(sdks, ARRAY_LEN(sdks), query(h, "sdk"));
	info.protocol = number(query(h, "protocol"));
	info.client_protocol = number(query(h, "client_protocol"));
	info.version = keep(c, query(h, "version"));
	info.os = keep(c, query(h, "os"));
	info.os_version = keep(c, query(h, "os_version"));
	info.browser = keep(c, query(h, "browser"));
	info.browser_version = keep(c, query(h, "browser_version"));
	info.device_model = keep(c, query(h, "device_model"));
	info.network = keep(c, query(h, "network"));
	info.capabilities = caps;
	take_capabilities(query(h, "capabilities"), caps, &info.n_capabilities);

	struct slice subscribe = query(h, "auto_subscribe");
	set.has_auto_subscribe = set.has_adaptive_stream = set.has_disable_ice_lite = true;
	set.has_subscriber_allow_pause = set.has_auto_subscribe_data_track = true;
	set.auto_subscribe = !subscribe.n || is_true(subscribe);
	set.auto_subscribe_data_track = is_true(query(h, "auto_subscribe_data_track"));
	set.adaptive_stream = is_true(query(h, "adaptive_stream"));
	set.disable_ice_lite = is_true(query(h, "disable_ice_lite"));
	set.subscriber_allow_pause = is_true(query(h, "subscriber_allow_pause"));

	wish.client_info = &info;
	wish.connection_settings = &set;
	wish.has_reconnect = wish.has_reconnect_reason = true;
	wish.reconnect = is_true(query(h, "reconnect"));
	wish.reconnect_reason = (Livekit__ReconnectReason)number(query(h, "reconnect_reason"));
	wish.participant_sid = keep(c, query(h, "sid"));
	return copy_v0(c, &wish);
}

static int read_request(struct check *c)
{
	struct slice param = query(c->http, "join_request");
	if (!param.n && c->http->path == SIGNAL_JOIN_V1)
		return refuse(c, 400, ERR_MALFORMED, "join_request is missing");
	if (!param.n)
		return read_v0(c);
	c->status = 400;
	c->p->is_single_pc = true;
	return pb_join_request_decode(param, &c->p->request, c->eb);
}

/*
 * The request anew with what the server knows better than the client: its address, a browser's
 * name.
 */
static void complete_client_info(struct check *c)
{
	struct signal_join_agent text;
	char address[ADDR_TEXT_CAP];
	Livekit__JoinRequest *from = c->p->request, wish = *from;
	Livekit__ClientInfo info = LIVEKIT__CLIENT_INFO__INIT;
	if (from->client_info)
		info = *from->client_info;
	info.address = addr_format_ip(&c->http->client, address);
	signal_join_agent_fill(&info, c->http->user_agent, &text);
	wish.client_info = &info;
	c->p->request = pb_copy(&wish);
	pb_free(from);
}

/* The client's own metadata and attributes over those of the token. */
static int merge_metadata(struct check *c)
{
	struct grants *g = c->p->grants;
	const Livekit__JoinRequest *r = c->p->request;
	bool has_metadata = pb_str(r->metadata)[0];
	if ((has_metadata || r->n_participant_attributes) && !grants_can_update_own_metadata(g))
		return refuse(c, 401, ERR_DENIED, TEXT_DENIED);
	if (has_metadata)
		grants_set(&g->metadata, r->metadata);
	for (size_t i = 0; i < r->n_participant_attributes; i++) {
		const Livekit__JoinRequest__ParticipantAttributesEntry *e =
			r->participant_attributes[i];
		if (pb_str(e->key)[0] && pb_str(e->value)[0])
			grants_set_attribute(g, e->key, e->value);
	}
	size_t bytes = 0;
	for (size_t i = 0; i < g->n_attributes; i++)
		bytes += strlen(pb_str(g->attributes[i].key)) +
			 strlen(pb_str(g->attributes[i].value));
	if (c->env->limits.attributes && bytes > c->env->limits.attributes)
		return refuse(c, 400, ERR_TOO_LARGE, "attributes size exceeds limits");
	if (exceeds(g->metadata, c->env->limits.metadata))
		return refuse(c, 400, ERR_TOO_LARGE, "metadata size exceeds limits");
	return 0;
}

static int check_room(struct check *c)
{
	const struct signal_join_env *env = c->env;
	if (env->auto_create ||
		(env->room_exists && env->room_exists(env->arg, c->p->grants->video.room)))
		return 0;
	return refuse(c, 404, ERR_NOT_FOUND, TEXT_NO_SUCH_ROOM);
}

static void fill_params(struct check *c)
{
	struct signal_join_params *p = c->p;
	const Livekit__ConnectionSettings *set = p->request->connection_settings;
	p->room = p->grants->video.room;
	p->identity = p->grants->identity;
	p->client = c->http->client;
	p->reconnect = p->request->reconnect;
	p->participant_sid = p->reconnect ? pb_str(p->request->participant_sid) : "";
	/* A client that sends no settings at all gets those of a v0 client that sends none. */
	p->auto_subscribe = !set || set->auto_subscribe;
	p->auto_subscribe_data_track = set && set->auto_subscribe_data_track;
	p->adaptive_stream = set && set->adaptive_stream;
	p->subscriber_allow_pause = set && set->subscriber_allow_pause;
	p->disable_ice_lite = set && set->disable_ice_lite;
}

int signal_join_check(const struct signal_join_env *env, const struct signal_join_http *http,
	struct signal_join_params **out, struct errbuf *eb, int *http_status)
{
	static int (*const steps[])(struct check *) = {
		check_token,
		check_names,
		apply_publish,
		read_request,
		merge_metadata,
		check_room,
	};
	struct check c = {.env = env, .http = http, .eb = eb, .p = XNEW(struct signal_join_params)};
	int err = 0;
	*out = NULL;
	for (size_t i = 0; i < ARRAY_LEN(steps) && !err; i++)
		err = steps[i](&c);
	if (!err) {
		complete_client_info(&c);
		fill_params(&c);
		*out = c.p;
	} else {
		signal_join_params_free(c.p);
	}
	for (size_t i = 0; i < c.n_strings; i++)
		xfree(c.strings[i]);
	*http_status = err ? c.status : 200;
	return err;
}

void signal_join_params_free(struct signal_join_params *p)
{
	if (!p)
		return;
	grants_free(p->grants);
	pb_free(p->request);
	xfree(p);
}
