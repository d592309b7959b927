/* sdp_attr: one function per attribute, and the table that finds it. */
#include "sdp/sdp_internal.h"

static struct sdp_transport *transport(struct sdp_parser *p)
{
	return p->m ? &p->m->transport : &p->s->transport;
}

static void set_once(const char **field, const char *value)
{
	if (!*field)
		*field = value;
}

/* Takes a payload type off the front; NULL codec with 0 for one that the m-line does not name. */
static int take_codec(struct sdp_parser *p, char **at, struct sdp_codec **codec)
{
	char *word = sdp_word(at);
	uint64_t pt;
	if (!word || !sdp_number(word, 127, &pt))
		return SDP_BAD(p, ERR_MALFORMED, "expected a payload type");
	*codec = NULL;
	for (uint16_t i = 0; i < p->m->n_codecs; i++)
		if (p->m->codecs[i].pt == pt)
			*codec = &p->m->codecs[i];
	return 0;
}

/* <payload type> <encoding name>/<clock rate>[/<channels>] */
static int take_rtpmap(struct sdp_parser *p, char *value)
{
	struct sdp_codec *c;
	int err = take_codec(p, &value, &c);
	if (err || !c)
		return err;
	char *name = sdp_word(&value);
	char *clock = name ? strchr(name, '/') : NULL;
	if (!clock || clock == name)
		return SDP_BAD(p, ERR_MALFORMED, "rtpmap needs a name and a clock rate");
	*clock++ = '\0';
	char *channels = strchr(clock, '/');
	if (channels)
		*channels++ = '\0';
	uint64_t hz, count = 1;
	if (!sdp_number(clock, UINT32_MAX, &hz) || hz == 0)
		return SDP_BAD(p, ERR_MALFORMED, "%.20s is no clock rate", clock);
	if (channels && (!sdp_number(channels, UINT8_MAX, &count) || count == 0))
		return SDP_BAD(p, ERR_MALFORMED, "%.20s is no number of channels", channels);
	c->name = name;
	c->clock_hz = (uint32_t)hz;
	c->channels = (uint8_t)count;
	return 0;
}

static int take_fmtp(struct sdp_parser *p, char *value)
{
	struct sdp_codec *c;
	int err = take_codec(p, &value, &c);
	if (err || !c)
		return err;
	if (*value)
		set_once(&c->fmtp, value);
	return 0;
}

/* (<payload type> | *) <feedback> (RFC 4585 §4.2) */
static int take_rtcp_fb(struct sdp_parser *p, char *value)
{
	if (value[0] == '*' && value[1] == ' ') {
		if (!value[2])
			return SDP_BAD(p, ERR_MALFORMED, "rtcp-fb without a feedback type");
		if (p->n_wildcard == SDP_FEEDBACK_MAX)
			return SDP_BAD(p, ERR_TOO_LARGE, "more than %d rtcp-fb for \"*\"",
				SDP_FEEDBACK_MAX);
		p->wildcard[p->n_wildcard++] = value + 2;
		return 0;
	}
	struct sdp_codec *c;
	int err = take_codec(p, &value, &c);
	if (err || !c)
		return err;
	if (!*value)
		return SDP_BAD(p, ERR_MALFORMED, "rtcp-fb without a feedback type");
	if (c->n_feedback == SDP_FEEDBACK_MAX)
		return SDP_BAD(
			p, ERR_TOO_LARGE, "more than %d rtcp-fb for one codec", SDP_FEEDBACK_MAX);
	*SDP_PUSH(p->s, c->feedback, c->n_feedback) = value;
	return 0;
}

static bool direction_of(const char *text, enum sdp_dir *dir)
{
	for (int d = SDP_INACTIVE; d <= SDP_SENDRECV; d++)
		if (strcmp(text, sdp_dir_text((enum sdp_dir)d)) == 0) {
			*dir = (enum sdp_dir)d;
			return true;
		}
	return false;
}

/* <id>[/<direction>] <URI> [<parameters>] (RFC 8285 §8) */
static int take_extmap(struct sdp_parser *p, char *value)
{
	struct sdp_media *m = p->m;
	char *id = sdp_word(&value), *uri = sdp_word(&value);
	if (!uri)
		return SDP_BAD(p, ERR_MALFORMED, "extmap needs an id and a URI");
	char *dir = strchr(id, '/');
	if (dir)
		*dir++ = '\0';
	uint64_t number;
	enum sdp_dir direction = SDP_SENDRECV;
	if (!sdp_number(id, UINT16_MAX, &number) || number == 0)
		return SDP_BAD(p, ERR_MALFORMED, "%.20s is no extension id", id);
	if (dir && !direction_of(dir, &direction))
		return SDP_BAD(p, ERR_MALFORMED, "%.20s is no direction", dir);
	if (m->n_extmaps == SDP_EXTMAPS_MAX)
		return SDP_BAD(
			p, ERR_TOO_LARGE, "more than %d extmap in one section", SDP_EXTMAPS_MAX);
	*SDP_PUSH(p->s, m->extmaps, m->n_extmaps) = (struct sdp_extmap){
		.uri = uri,
		.id = (uint16_t)number,
		.direction = direction,
		.params = *value ? value : NULL,
	};
	return 0;
}

static void split_msid(char *value, const char **stream, const char **track)
{
	char *first = sdp_word(&value), *second = sdp_word(&value);
	*stream = first && strcmp(first, "-") != 0 ? first : NULL;
	*track = second && strcmp(second, "-") != 0 ? second : NULL;
}

static int take_msid(struct sdp_parser *p, char *value)
{
	if (!p->m->stream && !p->m->track)
		split_msid(value, &p->m->stream, &p->m->track);
	return 0;
}

/* <ssrc> <attribute>[:<value>] (RFC 5576 §4.1) */
static int take_ssrc(struct sdp_parser *p, char *value)
{
	struct sdp_media *m = p->m;
	char *word = sdp_word(&value);
	uint64_t number;
	if (!word || !sdp_number(word, UINT32_MAX, &number))
		return SDP_BAD(p, ERR_MALFORMED, "ssrc needs a 32-bit number");
	struct sdp_ssrc *src = NULL;
	for (uint16_t i = 0; i < m->n_ssrcs && !src; i++)
		if (m->ssrcs[i].ssrc == number)
			src = &m->ssrcs[i];
	if (!src) {
		if (m->n_ssrcs == SDP_SSRCS_MAX)
			return SDP_BAD(p, ERR_TOO_LARGE, "more than %d ssrc in one section",
				SDP_SSRCS_MAX);
		src = SDP_PUSH(p->s, m->ssrcs, m->n_ssrcs);
		src->ssrc = (uint32_t)number;
	}
	if (strncmp(value, "cname:", 6) == 0)
		set_once(&src->cname, value + 6);
	else if (strncmp(value, "msid:", 5) == 0)
		split_msid(value + 5, &src->stream, &src->track);
	return 0;
}

/* <semantics> <ssrc> … (RFC 5576 §4.2) */
static int take_ssrc_group(struct sdp_parser *p, char *value)
{
	struct sdp_media *m = p->m;
	if (m->n_ssrc_groups == SDP_SSRC_GROUPS_MAX)
		return SDP_BAD(p, ERR_TOO_LARGE, "more than %d ssrc-group in one section",
			SDP_SSRC_GROUPS_MAX);
	struct sdp_ssrc_group g = {.semantics = sdp_word(&value)};
	for (char *word; (word = sdp_word(&value));) {
		uint64_t number;
		if (!sdp_number(word, UINT32_MAX, &number))
			return SDP_BAD(p, ERR_MALFORMED, "%.20s is no ssrc", word);
		if (g.n == SDP_SSRC_GROUP_LEN)
			return SDP_BAD(p, ERR_TOO_LARGE, "more than %d ssrc in one group",
				SDP_SSRC_GROUP_LEN);
		g.ssrcs[g.n++] = (uint32_t)number;
	}
	if (!g.semantics || !g.n)
		return SDP_BAD(p, ERR_MALFORMED, "ssrc-group needs a meaning and an ssrc");
	*SDP_PUSH(p->s, m->ssrc_groups, m->n_ssrc_groups) = g;
	return 0;
}

/* <id> (send|recv) [<restrictions>] (RFC 8851 §4) */
static int take_rid(struct sdp_parser *p, char *value)
{
	struct sdp_media *m = p->m;
	char *id = sdp_word(&value), *dir = sdp_word(&value);
	bool is_send = dir && strcmp(dir, "send") == 0;
	if (!dir || (!is_send && strcmp(dir, "recv") != 0))
		return SDP_BAD(p, ERR_MALFORMED, "rid needs an id and send or recv");
	if (m->n_rids == SDP_RIDS_MAX)
		return SDP_BAD(p, ERR_TOO_LARGE, "more than %d rid in one section", SDP_RIDS_MAX);
	*SDP_PUSH(p->s, m->rids, m->n_rids) =
		(struct sdp_rid){.id = id, .is_send = is_send, .params = *value ? value : NULL};
	return 0;
}

/*
 * Streams are separated by ";", their alternatives by ","; "~" marks a paused one (RFC 8853 §5.1).
 */
static int take_streams(struct sdp_parser *p, char *list, struct sdp_stream **streams, uint16_t *n)
{
	uint8_t stream = 0;
	for (char *at = list, sep = ';'; sep; stream = (uint8_t)(stream + (sep == ';'))) {
		char *end = at + strcspn(at, ",;");
		bool is_paused = *at == '~';
		sep = *end;
		*end = '\0';
		if (*n == SDP_STREAMS_MAX)
			return SDP_BAD(p, ERR_TOO_LARGE, "more than %d streams in a list",
				SDP_STREAMS_MAX);
		if (!at[is_paused])
			return SDP_BAD(p, ERR_MALFORMED, "empty name in a list of streams");
		struct sdp_stream *s = SDP_PUSH(p->s, *streams, *n);
		*s = (struct sdp_stream){
			.rid = at + is_paused, .stream = stream, .is_paused = is_paused};
		at = end + 1;
	}
	return 0;
}

static int take_simulcast(struct sdp_parser *p, char *value)
{
	struct sdp_media *m = p->m;
	for (char *dir; (dir = sdp_word(&value));) {
		char *list = sdp_word(&value);
		bool is_send = strcmp(dir, "send") == 0;
		if (!list || (!is_send && strcmp(dir, "recv") != 0))
			return SDP_BAD(p, ERR_MALFORMED, "simulcast needs send or recv and a list");
		if (is_send ? m->n_simulcast_send : m->n_simulcast_recv)
			return SDP_BAD(p, ERR_MALFORMED, "second simulcast list for %s", dir);
		int err = is_send ? take_streams(p, list, &m->simulcast_send, &m->n_simulcast_send)
				  : take_streams(p, list, &m->simulcast_recv, &m->n_simulcast_recv);
		if (err)
			return err;
	}
	return 0;
}

static int take_group(struct sdp_parser *p, char *value)
{
	struct sdp *s = p->s;
	if (s->n_groups == SDP_GROUPS_MAX)
		return SDP_BAD(p, ERR_TOO_LARGE, "more than %d groups", SDP_GROUPS_MAX);
	char *semantics = sdp_word(&value);
	if (!semantics)
		return SDP_BAD(p, ERR_MALFORMED, "group without a meaning");
	struct sdp_group *g = SDP_PUSH(s, s->groups, s->n_groups);
	g->semantics = semantics;
	for (char *mid; (mid = sdp_word(&value));) {
		if (g->n_mids == SDP_MEDIA_MAX)
			return SDP_BAD(
				p, ERR_TOO_LARGE, "more than %d mids in a group", SDP_MEDIA_MAX);
		*SDP_PUSH(s, g->mids, g->n_mids) = mid;
	}
	return 0;
}

static int take_mid(struct sdp_parser *p, char *value)
{
	if (p->m->mid)
		return SDP_BAD(p, ERR_MALFORMED, "second mid in one section");
	p->m->mid = sdp_word(&value);
	return p->m->mid ? 0 : SDP_BAD(p, ERR_MALFORMED, "mid is empty");
}

static int take_ufrag(struct sdp_parser *p, char *value)
{
	set_once(&transport(p)->ufrag, value);
	return 0;
}

static int take_pwd(struct sdp_parser *p, char *value)
{
	set_once(&transport(p)->pwd, value);
	return 0;
}

static int take_ice_options(struct sdp_parser *p, char *value)
{
	set_once(&transport(p)->options, value);
	return 0;
}

/* <hash function> <value> (RFC 8122 §5) */
static int take_fingerprint(struct sdp_parser *p, char *value)
{
	struct sdp_transport *t = transport(p);
	char *alg = sdp_word(&value), *hash = sdp_word(&value);
	if (!hash)
		return SDP_BAD(p, ERR_MALFORMED, "fingerprint needs a hash function and a value");
	if (t->n_fingerprints == SDP_FINGERPRINTS_MAX)
		return SDP_BAD(p, ERR_TOO_LARGE, "more than %d fingerprints", SDP_FINGERPRINTS_MAX);
	*SDP_PUSH(p->s, t->fingerprints, t->n_fingerprints) =
		(struct sdp_fingerprint){.alg = alg, .value = hash};
	return 0;
}

static int take_setup(struct sdp_parser *p, char *value)
{
	static const char *const texts[] = {
		[SDP_SETUP_ACTPASS] = "actpass",
		[SDP_SETUP_ACTIVE] = "active",
		[SDP_SETUP_PASSIVE] = "passive",
		[SDP_SETUP_HOLDCONN] = "holdconn",
	};
	for (size_t i = SDP_SETUP_ACTPASS; i < ARRAY_LEN(texts); i++)
		if (strcmp(value, texts[i]) == 0) {
			transport(p)->setup = (enum sdp_setup)i;
			return 0;
		}
	return SDP_BAD(p, ERR_MALFORMED, "%.20s is no setup role", value);
}

static int take_candidate(struct sdp_parser *p, char *value)
{
	struct sdp_transport *t = transport(p);
	if (t->n_candidates == SDP_CANDIDATES_MAX)
		return SDP_BAD(p, ERR_TOO_LARGE, "more than %d candidates", SDP_CANDIDATES_MAX);
	/*
	 * The value follows "candidate:" in the same line: the whole of it is what trickle messages
	 * carry.
	 */
	*SDP_PUSH(p->s, t->candidates, t->n_candidates) = value - (sizeof "candidate:" - 1);
	return 0;
}

static int take_end_of_candidates(struct sdp_parser *p, char *value)
{
	(void)value;
	transport(p)->end_of_candidates = true;
	return 0;
}

static int take_rtcp_mux(struct sdp_parser *p, char *value)
{
	(void)value;
	p->m->rtcp_mux = true;
	return 0;
}

static int take_rtcp_rsize(struct sdp_parser *p, char *value)
{
	(void)value;
	p->m->rtcp_rsize = true;
	return 0;
}

static int take_bundle_only(struct sdp_parser *p, char *value)
{
	(void)value;
	p->m->bundle_only = true;
	return 0;
}

static int take_allow_mixed(struct sdp_parser *p, char *value)
{
	(void)value;
	if (p->m)
		p->m->extmap_allow_mixed = true;
	else
		p->s->extmap_allow_mixed = true;
	return 0;
}

static int take_msid_semantic(struct sdp_parser *p, char *value)
{
	while (*value == ' ')
		value++;
	set_once(&p->s->msid_semantic, value);
	return 0;
}

static int take_sctp_port(struct sdp_parser *p, char *value)
{
	uint64_t number;
	if (!sdp_number(value, UINT16_MAX, &number))
		return SDP_BAD(p, ERR_MALFORMED, "%.20s is no SCTP port", value);
	p->m->sctp_port = (uint16_t)number;
	return 0;
}

static int take_max_message_size(struct sdp_parser *p, char *value)
{
	uint64_t number;
	if (!sdp_number(value, UINT64_MAX, &number))
		return SDP_BAD(p, ERR_MALFORMED, "%.20s is no message size", value);
	p->m->max_message_size = (uint32_t)MIN(number, (uint64_t)UINT32_MAX);
	p->m->has_max_message_size = true;
	return 0;
}

struct attribute {
	const char *name;
	int (*take)(struct sdp_parser *p, char *value);
	enum { ANYWHERE, SESSION, SECTION } level; /* elsewhere it is skipped */
	bool has_value;
};

static const struct attribute attributes[] = {
	{"candidate", take_candidate, ANYWHERE, true},
	{"rtpmap", take_rtpmap, SECTION, true},
	{"rtcp-fb", take_rtcp_fb, SECTION, true},
	{"fmtp", take_fmtp, SECTION, true},
	{"extmap", take_extmap, SECTION, true},
	{"ssrc", take_ssrc, SECTION, true},
	{"ssrc-group", take_ssrc_group, SECTION, true},
	{"mid", take_mid, SECTION, true},
	{"msid", take_msid, SECTION, true},
	{"rid", take_rid, SECTION, true},
	{"simulcast", take_simulcast, SECTION, true},
	{"rtcp-mux", take_rtcp_mux, SECTION, false},
	{"rtcp-rsize", take_rtcp_rsize, SECTION, false},
	{"bundle-only", take_bundle_only, SECTION, false},
	{"sctp-port", take_sctp_port, SECTION, true},
	{"max-message-size", take_max_message_size, SECTION, true},
	{"ice-ufrag", take_ufrag, ANYWHERE, true},
	{"ice-pwd", take_pwd, ANYWHERE, true},
	{"ice-options", take_ice_options, ANYWHERE, true},
	{"fingerprint", take_fingerprint, ANYWHERE, true},
	{"setup", take_setup, ANYWHERE, true},
	{"end-of-candidates", take_end_of_candidates, ANYWHERE, false},
	{"extmap-allow-mixed", take_allow_mixed, ANYWHERE, false},
	{"group", take_group, SESSION, true},
	{"msid-semantic", take_msid_semantic, SESSION, true},
};

static int take_known(struct sdp_parser *p, const struct attribute *a, char *value)
{
	if ((a->level == SECTION && !p->m) || (a->level == SESSION && p->m))
		return 0;
	if (a->has_value && (!value || !*value))
		return SDP_BAD(p, ERR_MALFORMED, "%s needs a value", a->name);
	return a->take(p, value);
}

int sdp_take_attribute(struct sdp_parser *p, char *text)
{
	size_t len = strcspn(text, ":");
	char *value = text[len] ? text + len + 1 : NULL;
	for (size_t i = 0; i < ARRAY_LEN(attributes); i++) {
		const char *name = attributes[i].name;
		if (strncmp(text, name, len) == 0 && name[len] == '\0')
			return take_known(p, &attributes[i], value);
	}
	enum sdp_dir dir;
	if (direction_of(text, &dir))
		*(p->m ? &p->m->direction : &p->session_direction) = dir;
	return 0;
}
