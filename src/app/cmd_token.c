/* sterna token create: an access token on stdout, made with a key of the configuration or one given. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "auth/token.h"
#include "base/clock.h"
#include "base/mem.h"
#include "config/scalar.h"

struct request {
	struct grants *g;
	const char *key, *secret;
	uint64_t ttl_us;
};

static const uint64_t ttl_default_us = UINT64_C(6) * 3600 * US_PER_S;

/* ---- options: `at` is an offset in struct grants */

static int set_text(const struct args_option *o, void *arg, const char *value, struct errbuf *eb)
{
	const struct request *r = arg;
	(void)eb;
	grants_set((char **)(void *)((char *)r->g + o->at), value);
	return 0;
}

static int parse_switch(const struct args_option *o, const char *value, bool *v, struct errbuf *eb)
{
	if (config_parse_bool(value, v))
		return 0;
	return err_set(eb, ERR_CONFIG, "--%s: use --%s=true or --%s=false", o->name, o->name, o->name);
}

static int set_bool(const struct args_option *o, void *arg, const char *value, struct errbuf *eb)
{
	const struct request *r = arg;
	return parse_switch(o, value, (bool *)((char *)r->g + o->at), eb);
}

static int set_tri(const struct args_option *o, void *arg, const char *value, struct errbuf *eb)
{
	const struct request *r = arg;
	bool v;
	int err = parse_switch(o, value, &v, eb);
	if (!err)
		*(enum grant_tri *)(void *)((char *)r->g + o->at) = v ? GRANT_YES : GRANT_NO;
	return err;
}

static int set_agent(const struct args_option *o, void *arg, const char *value, struct errbuf *eb)
{
	const struct request *r = arg;
	int err = set_bool(o, arg, value, eb);
	r->g->kind = r->g->video.agent ? LIVEKIT__PARTICIPANT_INFO__KIND__AGENT
				       : LIVEKIT__PARTICIPANT_INFO__KIND__STANDARD;
	return err;
}

static int set_sources(const struct args_option *o, void *arg, const char *value, struct errbuf *eb)
{
	const struct request *r = arg;
	for (const char *p = value; *p;) {
		char name[32];
		size_t n = strcspn(p, ",");
		(void)snprintf(name, sizeof name, "%.*s", (int)MIN(n, sizeof name), p);
		uint32_t bit = grants_source_bit(name);
		if (bit == GRANT_SOURCES_LIMITED)
			return err_set(eb, ERR_CONFIG,
				"--%s: \"%s\" is no source; use camera, microphone, screen_share, screen_share_audio",
				o->name, name);
		r->g->video.can_publish_sources |= bit;
		p += n + (p[n] == ',');
	}
	return 0;
}

static int set_attribute(
	const struct args_option *o, void *arg, const char *value, struct errbuf *eb)
{
	const struct request *r = arg;
	const char *cut = strchr(value, '=');
	if (!cut || cut == value)
		return err_set(eb, ERR_CONFIG, "--%s: \"%.64s\" is not KEY=VALUE", o->name, value);
	char *key = xstrndup(value, (size_t)(cut - value));
	grants_set_attribute(r->g, key, cut + 1);
	xfree(key);
	return 0;
}

static int set_ttl(const struct args_option *o, void *arg, const char *value, struct errbuf *eb)
{
	struct request *r = arg;
	if (config_parse_duration(value, US_PER_S, &r->ttl_us) && r->ttl_us >= US_PER_S)
		return 0;
	return err_set(eb, ERR_CONFIG, "--%s: \"%.64s\" is not a time; use one such as 30m, 6h or 7d", o->name,
		value);
}

static int set_key(const struct args_option *o, void *arg, const char *value, struct errbuf *eb)
{
	struct request *r = arg;
	(void)o;
	(void)eb;
	r->key = value;
	return 0;
}

static int set_secret(const struct args_option *o, void *arg, const char *value, struct errbuf *eb)
{
	struct request *r = arg;
	(void)o;
	(void)eb;
	r->secret = value;
	return 0;
}

#define G(member) offsetof(struct grants, member)

static const struct args_option options[] = {
	{"room", "ROOM", "room that may be joined, or administered with --admin", set_text, G(video.room)},
	{"identity", "ID", "who the holder is; unique in a room", set_text, G(identity)},
	{"name", "NAME", "name shown to others", set_text, G(name)},
	{"metadata", "TEXT", "metadata of the participant", set_text, G(metadata)},
	{"attribute", "KEY=VALUE", "attribute of the participant; may be repeated", set_attribute, 0},
	{"ttl", "TIME", "how long the token is good (6h)", set_ttl, 0},
	{"can-publish", NULL, "may publish tracks (true)", set_tri, G(video.can_publish)},
	{"can-publish-sources", "LIST", "only these: camera,microphone,screen_share,screen_share_audio",
		set_sources, 0},
	{"can-publish-data", NULL, "may send data (as can-publish)", set_tri, G(video.can_publish_data)},
	{"can-subscribe", NULL, "may receive tracks (true)", set_tri, G(video.can_subscribe)},
	{"can-update-own-metadata", NULL, "may change name, metadata and attributes (false)", set_tri,
		G(video.can_update_own_metadata)},
	{"hidden", NULL, "other participants do not see the holder", set_bool, G(video.hidden)},
	{"recorder", NULL, "the holder records", set_bool, G(video.recorder)},
	{"agent", NULL, "the holder is an agent", set_agent, G(video.agent)},
	{"admin", NULL, "may moderate the room", set_bool, G(video.room_admin)},
	{"create", NULL, "may create and delete rooms", set_bool, G(video.room_create)},
	{"list", NULL, "may list rooms", set_bool, G(video.room_list)},
	{"api-key", "KEY", "key that signs; else the first of the configuration, else LIVEKIT_API_KEY", set_key, 0},
	{"api-secret", "SECRET", "its secret; else that of the configuration, else LIVEKIT_API_SECRET",
		set_secret, 0},
};

/* What the options grant together; refuses a token that would be good for nothing. */
static int complete_grants(struct grants *g, struct errbuf *eb)
{
	bool has_room = g->video.room && *g->video.room, has_identity = g->identity && *g->identity;
	bool is_api = g->video.room_admin || g->video.room_create || g->video.room_list;
	g->has_video = true;
	g->video.room_join = has_room && has_identity;
	if (has_room && !has_identity && !is_api)
		return err_set(eb, ERR_CONFIG, "--identity is missing: who will hold the token?");
	if (has_identity && !has_room && !is_api)
		return err_set(eb, ERR_CONFIG, "--room is missing: which room may %.64s join?", g->identity);
	if (g->video.room_admin && !has_room)
		return err_set(eb, ERR_CONFIG, "--room is missing: which room may be administered?");
	if (!g->video.room_join && !is_api)
		return err_set(eb, ERR_CONFIG,
			"nothing would be allowed; give --room and --identity, or --create, --list or --admin");
	return 0;
}

static const char *env_value(const char *name)
{
	const char *value = getenv(name);
	return value && *value ? value : NULL;
}

/* Fills in what the flags left open: from the configuration, then from the environment. */
static int choose_key(struct request *r, const struct config *cfg, struct errbuf *eb)
{
	if (!r->key && r->secret)
		return err_set(eb, ERR_CONFIG, "--api-key is missing beside the secret");
	if (!r->key)
		r->key = cfg->keys.n ? cfg->keys.pair[0].key : env_value("LIVEKIT_API_KEY");
	if (!r->key)
		return err_set(eb, ERR_CONFIG, "there is no key to sign with; give --config, "
					       "--api-key and --api-secret, or --dev");
	if (!r->secret)
		r->secret = config_secret(cfg, slice_str(r->key));
	if (!r->secret)
		r->secret = env_value("LIVEKIT_API_SECRET");
	if (!r->secret)
		return err_set(eb, ERR_CONFIG,
			"the configuration has no key \"%.64s\"; give --api-secret", r->key);
	return 0;
}

static int mint(const struct request *r, struct buf *out, struct errbuf *eb)
{
	struct auth_keys *keys = auth_keys_new();
	char *token = NULL;
	int err = auth_keys_add(keys, slice_str(r->key), slice_str(r->secret), eb);
	if (!err) {
		err = auth_mint(keys, r->key, r->g, r->ttl_us / US_PER_S,
			clock_wall_us() / US_PER_S, &token);
		if (err)
			(void)err_set(eb, ERR_CONFIG, "the token cannot be made: %s", err_text(err));
	}
	if (!err)
		buf_printf(out, "%s\n", token);
	xfree(token);
	auth_keys_unref(keys);
	return err;
}

static int create(struct args *a, struct request *r)
{
	struct errbuf eb;
	struct config *cfg = NULL;
	struct buf out;
	int code = app_load(a, &cfg);
	if (code)
		return code;
	buf_init(&out, APP_OUTPUT_MAX);
	if (complete_grants(r->g, &eb) || choose_key(r, cfg, &eb) || mint(r, &out, &eb))
		code = app_fail(APP_USAGE, &eb);
	else
		code = app_output(&out);
	buf_free(&out);
	config_free(cfg);
	return code;
}

int app_token(const struct app_command *self, size_t argc, char *const *argv)
{
	struct request r = {.g = XNEW(struct grants), .ttl_us = ttl_default_us};
	const struct args_spec spec = {options, ARRAY_LEN(options), true, 1, &r};
	struct args a = {0};
	struct errbuf eb;
	int code;
	if (args_parse(&a, &spec, argc, argv, &eb)) {
		code = app_fail(APP_USAGE, &eb);
	} else if (a.wants_help) {
		code = app_help(self, &spec, NULL);
	} else if (a.words_n != 1 || strcmp(a.words[0], "create") != 0) {
		(void)err_set(&eb, ERR_CONFIG, "write sterna token create --room ROOM --identity ID");
		code = app_fail(APP_USAGE, &eb);
	} else {
		code = create(&a, &r);
	}
	grants_free(r.g);
	config_source_free(&a.src);
	return code;
}
