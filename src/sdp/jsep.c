#include "sdp/jsep_internal.h"

#include <stdio.h>

#include "base/mem.h"

/* ---- rules for strings that go into descriptions ---- */

bool jsep_is_ice_text(const char *s, size_t min)
{
	size_t n = s ? strlen(s) : 0;
	if (n < min || n > 256)
		return false;
	for (; *s; s++)
		if (!((*s >= '0' && *s <= '9') || (*s >= 'A' && *s <= 'Z') ||
			    (*s >= 'a' && *s <= 'z') || *s == '+' || *s == '/'))
			return false;
	return true;
}

static bool is_visible(const char *s, bool with_blanks)
{
	for (; *s; s++)
		if ((uint8_t)*s < (with_blanks ? 0x20 : 0x21) || (uint8_t)*s > 0x7e)
			return false;
	return true;
}

static bool is_id(const char *s)
{
	size_t n = s ? strlen(s) : 0;
	return n > 0 && n < JSEP_ID_CAP && is_visible(s, false);
}

/* ---- life ---- */

struct section *jsep_section_new(struct jsep *j)
{
	if (j->n_sections == j->cap_sections) {
		j->cap_sections = MAX((size_t)8, 2 * j->cap_sections);
		j->sections = xrealloc(j->sections, j->cap_sections * sizeof *j->sections);
	}
	struct section *s = XNEW(struct section);
	s->pub.index = (uint16_t)j->n_sections;
	j->sections[j->n_sections++] = s;
	return s;
}

/* The offerer numbers its sections; an index keeps its mid for life. */
static struct section *add_own_section(struct jsep *j, enum sdp_kind kind)
{
	struct section *s = jsep_section_new(j);
	s->pub.kind = kind;
	(void)snprintf(s->pub.mid, sizeof s->pub.mid, "%u", s->pub.index);
	return s;
}

struct jsep *jsep_new(const struct jsep_cfg *cfg)
{
	const char *blank = cfg->fingerprint ? strchr(cfg->fingerprint, ' ') : NULL;
	if (!blank || !is_visible(cfg->fingerprint, true) ||
		!jsep_is_ice_text(cfg->ufrag, JSEP_UFRAG_MIN) ||
		!jsep_is_ice_text(cfg->pwd, JSEP_PWD_MIN))
		return NULL;
	struct jsep *j = XNEW(struct jsep);
	j->role = cfg->role;
	j->enabled_codecs = cfg->enabled_codecs ? cfg->enabled_codecs : JSEP_CODECS_DEFAULT;
	j->max_message_size = cfg->max_message_size ? cfg->max_message_size : 65535;
	j->playout_delay = cfg->playout_delay;
	j->session_id = cfg->session_id;
	j->ufrag = xstrdup(cfg->ufrag);
	j->pwd = xstrdup(cfg->pwd);
	j->fingerprint_alg = xstrndup(cfg->fingerprint, (size_t)(blank - cfg->fingerprint));
	j->fingerprint_value = xstrdup(blank + 1);
	if (jsep_is_offerer(j))
		(void)add_own_section(j, SDP_KIND_APPLICATION);
	return j;
}

static void drop_candidates(struct jsep *j)
{
	for (size_t i = 0; i < j->n_candidates; i++)
		xfree(j->candidates[i]);
	xfree(j->candidates);
	j->candidates = NULL;
	j->n_candidates = 0;
}

static void drop_password(struct jsep *j)
{
	secret_wipe(j->pwd, strlen(j->pwd));
	xfree(j->pwd);
}

void jsep_free(struct jsep *j)
{
	if (!j)
		return;
	for (size_t i = 0; i < j->n_sections; i++)
		xfree(j->sections[i]);
	xfree(j->sections);
	drop_candidates(j);
	drop_password(j);
	xfree(j->ufrag);
	xfree(j->fingerprint_alg);
	xfree(j->fingerprint_value);
	sdp_free(j->remote_sdp);
	xfree(j);
}

/* ---- our transport ---- */

int jsep_set_ice(struct jsep *j, const char *ufrag, const char *pwd)
{
	if (!jsep_is_ice_text(ufrag, JSEP_UFRAG_MIN) || !jsep_is_ice_text(pwd, JSEP_PWD_MIN))
		return -ERR_MALFORMED;
	char *new_ufrag = xstrdup(ufrag), *new_pwd = xstrdup(pwd);
	drop_password(j);
	xfree(j->ufrag);
	j->ufrag = new_ufrag;
	j->pwd = new_pwd;
	j->wants_new_ice = false;
	return 0;
}

int jsep_set_candidates(struct jsep *j, const char *const *lines, size_t n, bool is_complete)
{
	for (size_t i = 0; i < n; i++)
		if (strncmp(lines[i], "candidate:", 10) != 0 || !is_visible(lines[i], true))
			return -ERR_MALFORMED;
	char **copy = n ? xcalloc(n, sizeof *copy) : NULL;
	for (size_t i = 0; i < n; i++)
		copy[i] = xstrdup(lines[i]);
	drop_candidates(j);
	j->candidates = copy;
	j->n_candidates = n;
	j->is_complete = is_complete;
	return 0;
}

/* ---- sections ---- */

/* Nothing of ours is in it, was promised for it, or stands in our latest description. */
static bool is_free(const struct section *s, enum sdp_kind kind)
{
	return s->pub.kind == kind && !s->pub.is_rejected && !s->pub.has_send && !s->is_reserved &&
		!s->was_sending;
}

int jsep_add_section(struct jsep *j, enum sdp_kind kind, uint16_t *index)
{
	if (!jsep_is_offerer(j))
		return -ERR_BAD_STATE;
	if (kind != SDP_KIND_AUDIO && kind != SDP_KIND_VIDEO)
		return -ERR_UNSUPPORTED;
	struct section *s = NULL;
	for (size_t i = 0; i < j->n_sections && !s; i++)
		if (is_free(j->sections[i], kind))
			s = j->sections[i];
	if (!s && j->n_sections == SDP_MEDIA_MAX)
		return -ERR_TOO_LARGE;
	if (!s)
		s = add_own_section(j, kind);
	s->is_reserved = true;
	*index = s->pub.index;
	return 0;
}

const struct jsep_section *jsep_free_slot(const struct jsep *j, enum sdp_kind kind)
{
	for (size_t i = 0; i < j->n_sections && j->role == JSEP_ROLE_SINGLE; i++) {
		const struct section *s = j->sections[i];
		if (is_free(s, kind) && s->pub.remote_direction == SDP_RECVONLY)
			return &s->pub;
	}
	return NULL;
}

/* Some codec that can be described is in the mask. */
static bool can_describe(const struct jsep *j, const struct section *s, uint32_t mask)
{
	uint32_t have = 0;
	for (uint8_t i = 0; i < s->pub.n_codecs; i++)
		have |= JSEP_CODEC_BIT(s->pub.codecs[i].codec);
	for (int i = 0; i < JSEP_CODEC_N && jsep_is_offerer(j); i++)
		if (jsep_codecs[i].kind == s->pub.kind && !jsep_codecs[i].is_publish_only)
			have |= j->enabled_codecs & JSEP_CODEC_BIT(i);
	return !mask || (mask & have);
}

/* The caller may pass the section's own strings back. */
static const char *keep_id(char own[static JSEP_ID_CAP], const char *id)
{
	memmove(own, id, strlen(id) + 1);
	return own;
}

int jsep_section_send(struct jsep *j, size_t index, const struct jsep_send *send)
{
	if (index >= j->n_sections)
		return -ERR_NOT_FOUND;
	struct section *s = j->sections[index];
	if (!is_id(send->stream_id) || !is_id(send->track_id) || !is_id(send->cname) ||
		send->ssrc == 0)
		return -ERR_MALFORMED;
	bool is_media = s->pub.kind == SDP_KIND_AUDIO || s->pub.kind == SDP_KIND_VIDEO;
	bool is_wanted = jsep_is_offerer(j) ||
		(j->role == JSEP_ROLE_SINGLE && s->pub.remote_direction == SDP_RECVONLY);
	if (!is_media || !is_wanted || s->pub.is_rejected)
		return -ERR_BAD_STATE;
	if (!can_describe(j, s, send->codecs))
		return -ERR_UNSUPPORTED;
	s->pub.has_send = true;
	s->pub.send = *send;
	s->pub.send.stream_id = keep_id(s->stream_id, send->stream_id);
	s->pub.send.track_id = keep_id(s->track_id, send->track_id);
	s->pub.send.cname = keep_id(s->cname, send->cname);
	return 0;
}

void jsep_section_clear(struct jsep *j, size_t index)
{
	if (index >= j->n_sections)
		return;
	struct section *s = j->sections[index];
	s->pub.has_send = s->is_reserved = false;
	s->pub.send = (struct jsep_send){0};
}

void jsep_section_recv(struct jsep *j, size_t index, const struct jsep_recv *recv)
{
	if (index < j->n_sections)
		j->sections[index]->recv = *recv;
}

/* ---- rounds ---- */

int jsep_create_answer(struct jsep *j, struct buf *out)
{
	if (j->round != ROUND_REMOTE_OFFER || j->wants_new_ice)
		return -ERR_BAD_STATE;
	int err = jsep_print_local(j, true, out);
	if (!err)
		j->round = ROUND_IDLE;
	return err;
}

int jsep_create_offer(struct jsep *j, struct buf *out)
{
	if (!jsep_is_offerer(j))
		return -ERR_BAD_STATE;
	int err = jsep_print_local(j, false, out);
	if (!err) {
		j->round = ROUND_LOCAL_OFFER;
		j->n_offered = j->n_sections;
	}
	return err;
}

/* ---- reading ---- */

bool jsep_is_pending(const struct jsep *j)
{
	return j->round != ROUND_IDLE;
}

const struct jsep_remote *jsep_remote(const struct jsep *j)
{
	return j->has_remote ? &j->remote : NULL;
}

size_t jsep_section_count(const struct jsep *j)
{
	return j->n_sections;
}

const struct jsep_section *jsep_section_at(const struct jsep *j, size_t index)
{
	return index < j->n_sections ? &j->sections[index]->pub : NULL;
}

const struct jsep_section *jsep_section_by_mid(const struct jsep *j, struct slice mid)
{
	for (size_t i = 0; i < j->n_sections; i++)
		if (slice_eq_str(mid, j->sections[i]->pub.mid))
			return &j->sections[i]->pub;
	return NULL;
}

const uint8_t *jsep_ext_ids(const struct jsep *j)
{
	return j->ext_ids;
}
