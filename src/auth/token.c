/*
 * libjwt is not used for these tokens although it could parse them: it takes the algorithm from the
 * token and compares its name without regard to case, tries an RS256 token with the secret as a PEM
 * file, and hands JSON of any size and depth to jansson before it looks at the signature. One HMAC
 * and one comparison are less to trust than the guards that would need.
 */
#include "auth/token.h"

#include <jansson.h>
#include <string.h>
#include <strings.h>

#include "base/base64.h"
#include "base/mem.h"
#include "crypto/hmac.h"
#include "pb/pb_json.h"

/* What one part of a token may hold; far above what anyone signs. */
static const struct pb_limits json_limits = {
	.size = AUTH_TOKEN_MAX,
	.memory = 4 << 20,
	.elements = 8 << 10,
	.depth = 8,
};

/* Boolean claims, by the object they stand in ("" is none). */
struct bool_claim {
	const char *object, *name;
	size_t offset;
};

/* clang-format off */
#define VIDEO(name, member) {"video", name, offsetof(struct grants, video.member)}
#define OTHER(object, name, member) {object, name, offsetof(struct grants, member)}
/* clang-format on */
static const struct bool_claim bool_claims[] = {
	VIDEO("roomCreate", room_create),
	VIDEO("roomList", room_list),
	VIDEO("roomRecord", room_record),
	VIDEO("roomAdmin", room_admin),
	VIDEO("roomJoin", room_join),
	VIDEO("ingressAdmin", ingress_admin),
	VIDEO("hidden", hidden),
	VIDEO("recorder", recorder),
	VIDEO("agent", agent),
	OTHER("sip", "admin", sip_admin),
	OTHER("sip", "call", sip_call),
	OTHER("agent", "admin", agent_admin),
	OTHER("agent", "simulationAdmin", agent_simulation_admin),
	OTHER("agent", "databaseAdmin", agent_database_admin),
	OTHER("inference", "perform", inference_perform),
	OTHER("observability", "write", observability_write),
	OTHER("sterna", "turnAdmin", turn_admin),
};

/* Permissions of the video claim with a default of their own; `get` applies it. */
static const struct {
	const char *name;
	size_t offset;
	bool (*get)(const struct grants *g);
} tri_claims[] = {
	{"canPublish", offsetof(struct grants, video.can_publish), grants_can_publish},
	{"canSubscribe", offsetof(struct grants, video.can_subscribe), grants_can_subscribe},
	{"canPublishData", offsetof(struct grants, video.can_publish_data),
		grants_can_publish_data},
	{"canUpdateOwnMetadata", offsetof(struct grants, video.can_update_own_metadata),
		grants_can_update_own_metadata},
	{"canSubscribeMetrics", offsetof(struct grants, video.can_subscribe_metrics),
		grants_can_subscribe_metrics},
	{"canManageAgentSession", offsetof(struct grants, video.can_manage_agent_session),
		grants_can_manage_agent_session},
};

static const struct {
	const char *object, *name;
	size_t offset;
} string_claims[] = {
	{"", "name", offsetof(struct grants, name)},
	{"", "metadata", offsetof(struct grants, metadata)},
	{"", "sha256", offsetof(struct grants, sha256)},
	{"", "roomPreset", offsetof(struct grants, room_preset)},
	{"video", "room", offsetof(struct grants, video.room)},
	{"video", "destinationRoom", offsetof(struct grants, video.destination_room)},
};

static const char *const objects[] = {"video", "sip", "agent", "inference", "observability",
	"sterna"};

static void *field_of(struct grants *g, size_t offset)
{
	return (uint8_t *)g + offset;
}

static const void *const_field_of(const struct grants *g, size_t offset)
{
	return (const uint8_t *)g + offset;
}

static void sign(struct slice secret, struct slice text, uint8_t mac[HMAC_SHA256_LEN])
{
	struct hmac_sha256 state;
	hmac_sha256_init(&state, secret.p, secret.n);
	hmac_sha256(&state, &text, 1, mac);
	secret_wipe(&state, sizeof state);
}

/* ---- reading claims ---- */

static int bad_claim(struct errbuf *eb, const char *name)
{
	return err_set(eb, ERR_AUTH, "invalid token: claim \"%s\" has a wrong type", name);
}

/* A claim that is there and not null; otherwise NULL. `object` "" means the outermost. */
static json_t *claim_of(const json_t *claims, const char *object, const char *name)
{
	const json_t *in = *object ? json_object_get(claims, object) : claims;
	json_t *value = json_object_get(in, name);
	return json_is_null(value) ? NULL : value;
}

static int read_strings(const json_t *claims, struct grants *g, struct errbuf *eb)
{
	for (size_t i = 0; i < ARRAY_LEN(string_claims); i++) {
		const json_t *value =
			claim_of(claims, string_claims[i].object, string_claims[i].name);
		if (!value)
			continue;
		if (!json_is_string(value))
			return bad_claim(eb, string_claims[i].name);
		grants_set(field_of(g, string_claims[i].offset), json_string_value(value));
	}
	return 0;
}

static int read_bools(const json_t *claims, struct grants *g, struct errbuf *eb)
{
	for (size_t i = 0; i < ARRAY_LEN(bool_claims); i++) {
		const json_t *value = claim_of(claims, bool_claims[i].object, bool_claims[i].name);
		if (value && !json_is_boolean(value))
			return bad_claim(eb, bool_claims[i].name);
		*(bool *)field_of(g, bool_claims[i].offset) = json_is_true(value);
	}
	for (size_t i = 0; i < ARRAY_LEN(tri_claims); i++) {
		const json_t *value = claim_of(claims, "video", tri_claims[i].name);
		if (!value)
			continue;
		if (!json_is_boolean(value))
			return bad_claim(eb, tri_claims[i].name);
		*(enum grant_tri *)field_of(g, tri_claims[i].offset) =
			json_is_true(value) ? GRANT_YES : GRANT_NO;
	}
	return 0;
}

static int read_sources(const json_t *claims, struct grants *g, struct errbuf *eb)
{
	const json_t *list = claim_of(claims, "video", "canPublishSources");
	if (list && !json_is_array(list))
		return bad_claim(eb, "canPublishSources");
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *name = json_string_value(json_array_get(list, i));
		if (!name)
			return bad_claim(eb, "canPublishSources");
		g->video.can_publish_sources |= grants_source_bit(name);
	}
	return 0;
}

static int read_attributes(json_t *claims, struct grants *g, struct errbuf *eb)
{
	json_t *object = claim_of(claims, "", "attributes");
	if (!object)
		return 0;
	if (!json_is_object(object))
		return bad_claim(eb, "attributes");
	g->attributes = xcalloc(json_object_size(object), sizeof *g->attributes);
	const char *key;
	json_t *value;
	json_object_foreach(object, key, value)
	{
		if (!json_is_string(value))
			return bad_claim(eb, "attributes");
		/* No search for the key: the JSON parser has refused duplicates. */
		g->attributes[g->n_attributes++] =
			(struct grant_attribute){xstrdup(key), xstrdup(json_string_value(value))};
	}
	return 0;
}

/* The number of an enum value by its name in any case; false if there is none. */
static bool enum_number(const ProtobufCEnumDescriptor *desc, const char *name, unsigned *number)
{
	for (unsigned i = 0; i < desc->n_values; i++) {
		if (!strcasecmp(desc->values[i].name, name)) {
			*number = (unsigned)desc->values[i].value;
			return true;
		}
	}
	return false;
}

static int read_kind(const json_t *claims, struct grants *g, struct errbuf *eb)
{
	const json_t *kind = claim_of(claims, "", "kind");
	unsigned number = LIVEKIT__PARTICIPANT_INFO__KIND__STANDARD;
	if (kind && !json_is_string(kind))
		return bad_claim(eb, "kind");
	if (kind)
		(void)enum_number(&livekit__participant_info__kind__descriptor,
			json_string_value(kind), &number);
	g->kind = (Livekit__ParticipantInfo__Kind)number;

	const json_t *details = claim_of(claims, "", "kindDetails");
	if (details && !json_is_array(details))
		return bad_claim(eb, "kindDetails");
	for (size_t i = 0; i < json_array_size(details); i++) {
		const char *name = json_string_value(json_array_get(details, i));
		if (!name)
			return bad_claim(eb, "kindDetails");
		if (enum_number(
			    &livekit__participant_info__kind_detail__descriptor, name, &number) &&
			number < 32)
			g->kind_details |= UINT32_C(1) << number;
	}
	return 0;
}

static int read_room_config(const json_t *claims, struct grants *g, struct errbuf *eb)
{
	const json_t *value = claim_of(claims, "", "roomConfig");
	if (!value)
		return 0;
	ProtobufCMessage *config;
	int err = pb_json_decode_value(
		&livekit__room_configuration__descriptor, value, &json_limits, &config, NULL);
	if (err)
		return bad_claim(eb, "roomConfig");
	g->room_config = (Livekit__RoomConfiguration *)config;
	return 0;
}

static int read_identity(const json_t *claims, struct grants *g, struct errbuf *eb)
{
	static const char *const names[] = {"sub", "jti"};
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const json_t *value = claim_of(claims, "", names[i]);
		if (value && !json_is_string(value))
			return bad_claim(eb, names[i]);
		const char *text = json_string_value(value);
		if (!g->identity && text && *text)
			g->identity = xstrdup(text);
	}
	if (!g->identity)
		g->identity = xstrdup("");
	return 0;
}

static int read_claims(json_t *claims, struct grants *g, struct errbuf *eb)
{
	for (size_t i = 0; i < ARRAY_LEN(objects); i++) {
		const json_t *value = claim_of(claims, "", objects[i]);
		if (value && !json_is_object(value))
			return bad_claim(eb, objects[i]);
	}
	g->has_video = claim_of(claims, "", "video") != NULL;
	int err = read_identity(claims, g, eb);
	if (!err)
		err = read_strings(claims, g, eb);
	if (!err)
		err = read_bools(claims, g, eb);
	if (!err)
		err = read_sources(claims, g, eb);
	if (!err)
		err = read_attributes(claims, g, eb);
	if (!err)
		err = read_kind(claims, g, eb);
	return err ? err : read_room_config(claims, g, eb);
}

/* ---- verification ---- */

struct jwt_parts {
	struct slice header, payload, signature;
	struct slice signed_text; /* header and payload with the dot between them */
};

static bool split(struct slice token, struct jwt_parts *parts)
{
	const uint8_t *end = token.p + token.n;
	const uint8_t *dot1 = token.n ? memchr(token.p, '.', token.n) : NULL;
	const uint8_t *dot2 = dot1 ? memchr(dot1 + 1, '.', (size_t)(end - dot1 - 1)) : NULL;
	if (!dot2 || memchr(dot2 + 1, '.', (size_t)(end - dot2 - 1)))
		return false;
	parts->header = slice_of(token.p, (size_t)(dot1 - token.p));
	parts->payload = slice_of(dot1 + 1, (size_t)(dot2 - dot1 - 1));
	parts->signature = slice_of(dot2 + 1, (size_t)(end - dot2 - 1));
	parts->signed_text = slice_of(token.p, (size_t)(dot2 - token.p));
	return true;
}

/* The JSON object in a part; NULL if it is not one. Returns owned. */
static json_t *object_of(struct slice part)
{
	struct buf text;
	buf_init(&text, AUTH_TOKEN_MAX);
	json_t *value = NULL;
	int err = base64_decode(&text, part);
	if (!err)
		err = pb_json_parse(buf_slice(&text), &json_limits, &value, NULL);
	buf_free(&text);
	if (!err && json_is_object(value))
		return value;
	json_decref(value);
	return NULL;
}

/*
 * The name is compared exactly: "none" and public-key algorithms must never reach the HMAC (RFC
 * 8725 §3.1), and the name is case-sensitive. An extension marked critical must be refused by who
 * does not know it (RFC 7515 §4.1.11).
 */
static bool is_hs256(struct slice part)
{
	json_t *header = object_of(part);
	const char *alg = json_string_value(json_object_get(header, "alg"));
	bool ok = alg && !strcmp(alg, "HS256") && !json_object_get(header, "crit");
	json_decref(header);
	return ok;
}

static bool signature_is_good(const struct jwt_parts *parts, struct slice secret)
{
	struct buf given;
	buf_init(&given, HMAC_SHA256_LEN);
	uint8_t mac[HMAC_SHA256_LEN];
	sign(secret, parts->signed_text, mac);
	bool ok = base64_decode(&given, parts->signature) == 0 && given.n == sizeof mac &&
		  secret_eq(given.p, mac, sizeof mac);
	buf_free(&given);
	return ok;
}

/* exp is mandatory, nbf is not; both are numbers of seconds, perhaps with a fraction (RFC 7519 §2).
 */
static int check_times(const json_t *claims, uint64_t now_s, struct grants *g, struct errbuf *eb)
{
	const json_t *exp = claim_of(claims, "", "exp"), *nbf = claim_of(claims, "", "nbf");
	double now = (double)now_s;
	if (!exp)
		return err_set(eb, ERR_AUTH, "invalid token: claim \"exp\" is missing");
	if (!json_is_number(exp))
		return bad_claim(eb, "exp");
	if (nbf && !json_is_number(nbf))
		return bad_claim(eb, "nbf");
	double expires = json_number_value(exp);
	if (!(now - AUTH_LEEWAY_S <= expires))
		return err_set(eb, ERR_AUTH, "invalid token: expired");
	if (nbf && !(now + AUTH_LEEWAY_S >= json_number_value(nbf)))
		return err_set(eb, ERR_AUTH, "invalid token: not valid yet");
	g->expires_s = expires < 0 ? 0 : expires < 0x1p63 ? (uint64_t)expires : UINT64_C(1) << 63;
	return 0;
}

static int verify(const struct auth_keys *keys, const struct jwt_parts *parts, json_t *claims,
	uint64_t now_s, struct grants *g, struct errbuf *eb)
{
	const char *issuer = json_string_value(json_object_get(claims, "iss"));
	struct slice secret;
	if (!issuer || !auth_keys_secret(keys, slice_str(issuer), &secret))
		return err_set(eb, ERR_AUTH, "invalid API key");
	if (!signature_is_good(parts, secret))
		return err_set(eb, ERR_AUTH, "invalid token: wrong signature");
	g->api_key = xstrdup(issuer);
	int err = check_times(claims, now_s, g, eb);
	return err ? err : read_claims(claims, g, eb);
}

int auth_verify(const struct auth_keys *keys, struct slice token, uint64_t now_s,
	struct grants **out, struct errbuf *eb)
{
	*out = NULL;
	struct jwt_parts parts;
	bool is_ours = token.n <= AUTH_TOKEN_MAX && split(token, &parts) && is_hs256(parts.header);
	json_t *claims = is_ours ? object_of(parts.payload) : NULL;
	if (!claims)
		return err_set(eb, ERR_AUTH, "invalid authorization token");
	struct grants *g = XNEW(struct grants);
	int err = verify(keys, &parts, claims, now_s, g, eb);
	json_decref(claims);
	if (err)
		grants_free(g);
	else
		*out = g;
	return err;
}

/* ---- minting ---- */

/*
 * Sets a claim, in the object of that name unless it is "". False only if a string was no UTF-8:
 * jansson makes NULL of it, which must not become a token without the claim.
 */
static bool put_claim(json_t *claims, const char *object, const char *name, json_t *value)
{
	json_t *in = claims;
	if (*object) {
		in = json_object_get(claims, object);
		if (!in) {
			(void)json_object_set_new(claims, object, json_object());
			in = json_object_get(claims, object);
		}
	}
	return json_object_set_new(in, name, value) == 0;
}

static bool put_video(json_t *claims, const struct grants *g)
{
	bool ok = true;
	for (size_t i = 0; i < ARRAY_LEN(tri_claims); i++)
		ok &= put_claim(
			claims, "video", tri_claims[i].name, json_boolean(tri_claims[i].get(g)));
	uint32_t set = g->video.can_publish_sources;
	if (set == 0)
		return ok;
	json_t *list = json_array();
	for (unsigned source = 0; source < 31; source++)
		if (set >> source & 1)
			(void)json_array_append_new(list, json_string(grants_source_name(source)));
	if (json_array_size(list) == 0)
		(void)json_array_append_new(list, json_string("unknown"));
	return put_claim(claims, "video", "canPublishSources", list) && ok;
}

static json_t *lower_name(const ProtobufCEnumDescriptor *desc, int number)
{
	const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(desc, number);
	if (!v)
		return NULL;
	char *name = xstrdup(v->name);
	for (char *c = name; *c; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	json_t *value = json_string(name);
	xfree(name);
	return value;
}

static bool put_kind(json_t *claims, const struct grants *g)
{
	bool ok = true;
	if (g->kind != LIVEKIT__PARTICIPANT_INFO__KIND__STANDARD)
		ok &= put_claim(claims, "", "kind",
			lower_name(&livekit__participant_info__kind__descriptor, (int)g->kind));
	if (!g->kind_details)
		return ok;
	json_t *list = json_array();
	for (int number = 0; number < 32; number++)
		if (g->kind_details >> number & 1)
			(void)json_array_append_new(list,
				lower_name(&livekit__participant_info__kind_detail__descriptor,
					number));
	return put_claim(claims, "", "kindDetails", list) && ok;
}

static bool put_attributes(json_t *claims, const struct grants *g)
{
	bool ok = true;
	for (size_t i = 0; i < g->n_attributes; i++)
		ok &= put_claim(claims, "attributes", g->attributes[i].key,
			json_string(g->attributes[i].value));
	return ok;
}

static bool put_room_config(json_t *claims, const struct grants *g)
{
	if (!g->room_config)
		return true;
	struct buf text;
	buf_init(&text, AUTH_TOKEN_MAX);
	json_t *value = NULL;
	int err = pb_json_encode(g->room_config, &text);
	if (!err)
		value = json_loadb((const char *)text.p, text.n, 0, NULL);
	buf_free(&text);
	return put_claim(claims, "", "roomConfig", value);
}

/* All claims but iss, nbf and exp; NULL if one of them cannot be written. Returns owned. */
static json_t *claims_from(const struct grants *g)
{
	json_t *claims = json_object();
	bool ok = true;
	if (g->identity && *g->identity)
		ok &= put_claim(claims, "", "sub", json_string(g->identity));
	for (size_t i = 0; i < ARRAY_LEN(string_claims); i++) {
		const char *text = *(char *const *)const_field_of(g, string_claims[i].offset);
		if (text)
			ok &= put_claim(claims, string_claims[i].object, string_claims[i].name,
				json_string(text));
	}
	for (size_t i = 0; i < ARRAY_LEN(bool_claims); i++)
		if (*(const bool *)const_field_of(g, bool_claims[i].offset))
			ok &= put_claim(
				claims, bool_claims[i].object, bool_claims[i].name, json_true());
	if (g->has_video)
		ok &= put_video(claims, g);
	ok &= put_kind(claims, g);
	ok &= put_attributes(claims, g);
	ok &= put_room_config(claims, g);
	if (ok)
		return claims;
	json_decref(claims);
	return NULL;
}

static int append_json(const char *p, size_t n, void *data)
{
	buf_add(data, p, n);
	return 0;
}

int auth_mint(const struct auth_keys *keys, const char *api_key, const struct grants *g,
	uint64_t ttl_s, uint64_t now_s, char **out)
{
	static const char header[] = "{\"alg\":\"HS256\",\"typ\":\"JWT\"}";
	*out = NULL;
	struct slice secret;
	if (!auth_keys_secret(keys, slice_str(api_key), &secret))
		return -ERR_NOT_FOUND;
	json_t *claims = claims_from(g);
	if (!claims)
		return -ERR_MALFORMED;
	(void)put_claim(claims, "", "iss", json_string(api_key));
	(void)put_claim(claims, "", "nbf", json_integer((json_int_t)now_s));
	(void)put_claim(claims, "", "exp", json_integer((json_int_t)(now_s + ttl_s)));

	struct buf text, token;
	buf_init(&text, AUTH_TOKEN_MAX);
	buf_init(&token, AUTH_TOKEN_MAX);
	(void)json_dump_callback(claims, append_json, &text, JSON_COMPACT);
	json_decref(claims);
	base64_encode(&token, slice_str(header), BASE64_URL_NO_PAD);
	buf_add_byte(&token, '.');
	base64_encode(&token, buf_slice(&text), BASE64_URL_NO_PAD);
	uint8_t mac[HMAC_SHA256_LEN];
	sign(secret, buf_slice(&token), mac);
	buf_add_byte(&token, '.');
	base64_encode(&token, slice_of(mac, sizeof mac), BASE64_URL_NO_PAD);
	bool is_too_large = text.full || token.full;
	if (!is_too_large)
		*out = buf_take(&token);
	buf_free(&text);
	buf_free(&token);
	return is_too_large ? -ERR_TOO_LARGE : 0;
}
