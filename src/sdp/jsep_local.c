/* jsep_local: our half of a round, built as a struct sdp and printed. */
#include "sdp/jsep_internal.h"

#include <stdio.h>

#include "base/mem.h"

/* What becomes the state of a section once the text is out. */
struct plan {
	enum sdp_dir direction;
	struct jsep_negotiated codecs[JSEP_CODECS_MAX];
	uint8_t n_codecs;
};

static enum sdp_dir plan_direction(const struct jsep *j, const struct section *s)
{
	const struct jsep_section *p = &s->pub;
	if (p->is_rejected)
		return SDP_INACTIVE;
	if (p->kind == SDP_KIND_APPLICATION)
		return SDP_SENDRECV;
	if (jsep_is_offerer(j))
		return p->has_send ? SDP_SENDONLY : SDP_INACTIVE;
	if (p->remote_direction & SDP_SENDONLY)
		return SDP_RECVONLY;
	if (p->remote_direction == SDP_INACTIVE || j->role != JSEP_ROLE_SINGLE)
		return SDP_INACTIVE;
	/* A slot never used stays open without a stream: its receiver exists when one comes. */
	return p->has_send || !s->was_used ? SDP_SENDONLY : SDP_INACTIVE;
}

static void pick_codecs(struct plan *plan, const struct jsep_section *p, uint32_t mask)
{
	for (uint8_t i = 0; i < p->n_codecs; i++)
		if (mask & JSEP_CODEC_BIT(p->codecs[i].codec))
			plan->codecs[plan->n_codecs++] = p->codecs[i];
}

/* The codecs of the mask first, and nothing else if `is_only` and there are some. */
static void plan_codecs(
	struct plan *plan, const struct jsep_section *p, uint32_t mask, bool is_only)
{
	pick_codecs(plan, p, mask);
	if (!is_only || plan->n_codecs == 0)
		pick_codecs(plan, p, ~mask);
}

/* The offerer has nothing negotiated before the answer: it offers the rows of the table. */
static void plan_offered_codecs(
	const struct jsep *j, struct plan *plan, const struct jsep_section *p)
{
	uint32_t mask = j->enabled_codecs;
	if (p->has_send && p->send.codecs)
		mask &= p->send.codecs;
	for (int i = 0; i < JSEP_CODEC_N && plan->n_codecs < JSEP_CODECS_MAX; i++) {
		const struct jsep_codec_row *row = &jsep_codecs[i];
		if (row->kind == p->kind && !row->is_publish_only && (mask & JSEP_CODEC_BIT(i)))
			plan->codecs[plan->n_codecs++] = (struct jsep_negotiated){
				.codec = (enum jsep_codec)i,
				.pt = row->pt,
				.rtx_pt = row->rtx_pt,
				.fmtp = row->fmtp,
				.feedback = jsep_feedback_for(j->role, row->kind, false),
			};
	}
}

static void make_plan(const struct jsep *j, const struct section *s, struct plan *plan)
{
	const struct jsep_section *p = &s->pub;
	*plan = (struct plan){.direction = plan_direction(j, s)};
	if (p->is_rejected || p->kind == SDP_KIND_APPLICATION)
		return;
	if (jsep_is_offerer(j))
		plan_offered_codecs(j, plan, p);
	else if (p->remote_direction & SDP_SENDONLY)
		plan_codecs(plan, p, s->recv.preferred, s->recv.only_preferred);
	else
		plan_codecs(plan, p, p->has_send ? p->send.codecs : 0, true);
}

/* ---- parameters of opus (RFC 7587 §6.1) ---- */

/* Copies the parameters except those named. */
static void keep_parameters(
	struct buf *b, const char *fmtp, const char *const *dropped, size_t n_dropped)
{
	while (fmtp && *fmtp) {
		fmtp += strspn(fmtp, " ;");
		size_t len = strcspn(fmtp, ";"), name_len = MIN(len, strcspn(fmtp, "="));
		bool is_dropped = len == 0;
		for (size_t i = 0; i < n_dropped && !is_dropped; i++)
			is_dropped = strlen(dropped[i]) == name_len &&
				strncmp(fmtp, dropped[i], name_len) == 0;
		if (!is_dropped) {
			buf_add_str(b, b->n ? ";" : "");
			buf_add(b, fmtp, len);
		}
		fmtp += len;
	}
}

static const char *opus_fmtp(
	struct sdp *out, const struct section *s, const char *offered, bool is_sending)
{
	static const char *const edited[] = {"usedtx", "stereo", "maxaveragebitrate"};
	struct buf b;
	buf_init(&b, SDP_LINE_MAX);
	if (is_sending) {
		buf_add_str(&b, jsep_codecs[JSEP_OPUS].fmtp);
		buf_add_str(&b, s->pub.has_send && s->pub.send.is_stereo ? ";sprop-stereo=1" : "");
	} else {
		bool is_stereo = s->recv.is_stereo;
		keep_parameters(&b, offered ? offered : jsep_codecs[JSEP_OPUS].fmtp, edited,
			is_stereo ? 3 : 1);
		const char *sep = b.n ? ";" : "";
		if (!s->recv.no_dtx) {
			buf_printf(&b, "%susedtx=1", sep);
			sep = ";";
		}
		if (is_stereo)
			buf_printf(&b, "%sstereo=1;maxaveragebitrate=510000", sep);
	}
	const char *text = b.n ? sdp_copy(out, (const char *)b.p, b.n) : NULL;
	buf_free(&b);
	return text;
}

/* ---- one section ---- */

static void add_codecs(
	struct sdp *out, struct sdp_media *m, const struct section *s, const struct plan *plan)
{
	bool is_sending = !(plan->direction & SDP_RECVONLY);
	for (uint8_t i = 0; i < plan->n_codecs; i++) {
		const struct jsep_negotiated *n = &plan->codecs[i];
		const struct jsep_codec_row *row = &jsep_codecs[n->codec];
		struct sdp_codec *c = SDP_PUSH(out, m->codecs, m->n_codecs);
		*c = (struct sdp_codec){
			.name = row->name,
			.clock_hz = row->clock_hz,
			.channels = row->channels,
			.pt = n->pt,
			.fmtp = n->codec == JSEP_OPUS ? opus_fmtp(out, s, n->fmtp, is_sending)
						      : n->fmtp,
		};
		jsep_feedback_add(out, c, n->feedback);
		if (!n->rtx_pt)
			continue;
		char apt[16];
		int len = snprintf(apt, sizeof apt, "apt=%u", n->pt);
		*SDP_PUSH(out, m->codecs, m->n_codecs) = (struct sdp_codec){
			.name = "rtx",
			.clock_hz = row->clock_hz,
			.channels = 1,
			.pt = n->rtx_pt,
			.fmtp = sdp_copy(out, apt, (size_t)len),
		};
	}
}

static void add_answered_exts(struct sdp *out, struct sdp_media *m, const struct jsep_section *p,
	const struct sdp_media *offered)
{
	for (uint16_t i = 0; i < offered->n_extmaps; i++) {
		const struct sdp_extmap *e = &offered->extmaps[i];
		enum jsep_ext ext;
		if (jsep_ext_find(e->uri, &ext) && p->ext_id[ext] == e->id)
			*SDP_PUSH(out, m->extmaps, m->n_extmaps) = (struct sdp_extmap){
				.uri = e->uri,
				.id = e->id,
				.direction = sdp_dir_reverse(e->direction),
			};
	}
}

static void add_offered_exts(
	struct sdp *out, struct sdp_media *m, const struct jsep *j, const struct plan *plan)
{
	struct jsep_ext_use use = {
		.role = j->role, .kind = m->kind, .playout_delay = j->playout_delay};
	for (uint8_t i = 0; i < plan->n_codecs; i++)
		use.is_scalable |= jsep_codecs[plan->codecs[i].codec].is_scalable;
	for (int ext = 0; ext < JSEP_EXT_N; ext++)
		if (jsep_ext_wanted((enum jsep_ext)ext, &use))
			*SDP_PUSH(out, m->extmaps, m->n_extmaps) = (struct sdp_extmap){
				.uri = jsep_ext_uri((enum jsep_ext)ext),
				.id = jsep_ext_offer_id((enum jsep_ext)ext),
				.direction = SDP_SENDRECV,
			};
}

static void add_simulcast(struct sdp *out, struct sdp_media *m, const struct jsep_section *p)
{
	for (uint8_t i = 0; i < p->n_rids; i++) {
		*SDP_PUSH(out, m->rids, m->n_rids) = (struct sdp_rid){.id = p->rids[i].id};
		*SDP_PUSH(out, m->simulcast_recv, m->n_simulcast_recv) =
			(struct sdp_stream){.rid = p->rids[i].id, .stream = i};
	}
}

static void add_stream(
	struct sdp *out, struct sdp_media *m, const struct jsep_send *send, const struct plan *plan)
{
	bool has_rtx = false;
	for (uint8_t i = 0; i < plan->n_codecs; i++)
		has_rtx |= plan->codecs[i].rtx_pt && send->rtx_ssrc;
	m->stream = send->stream_id;
	m->track = send->track_id;
	struct sdp_ssrc src = {
		.ssrc = send->ssrc,
		.cname = send->cname,
		.stream = send->stream_id,
		.track = send->track_id,
	};
	*SDP_PUSH(out, m->ssrcs, m->n_ssrcs) = src;
	if (!has_rtx)
		return;
	src.ssrc = send->rtx_ssrc;
	*SDP_PUSH(out, m->ssrcs, m->n_ssrcs) = src;
	*SDP_PUSH(out, m->ssrc_groups, m->n_ssrc_groups) = (struct sdp_ssrc_group){
		.semantics = "FID", .ssrcs = {send->ssrc, send->rtx_ssrc}, .n = 2};
}

static void add_transport(
	const struct jsep *j, struct sdp *out, struct sdp_media *m, bool is_answer, bool is_first)
{
	struct sdp_transport *t = &m->transport;
	t->ufrag = j->ufrag;
	t->pwd = j->pwd;
	t->options = "trickle";
	t->setup = j->remote.is_dtls_server ? SDP_SETUP_PASSIVE : SDP_SETUP_ACTIVE;
	if (!is_answer)
		t->setup = SDP_SETUP_ACTPASS;
	*SDP_PUSH(out, t->fingerprints, t->n_fingerprints) =
		(struct sdp_fingerprint){.alg = j->fingerprint_alg, .value = j->fingerprint_value};
	/* Bundled sections share the candidates of the first one (RFC 8843 §10.1.1). */
	for (size_t i = 0; i < j->n_candidates && is_first; i++)
		*SDP_PUSH(out, t->candidates, t->n_candidates) = j->candidates[i];
	t->end_of_candidates = is_first && j->is_complete;
}

static void add_media(const struct jsep *j, struct sdp *out, const struct section *s,
	const struct plan *plan, bool is_answer, bool is_first)
{
	const struct jsep_section *p = &s->pub;
	const struct sdp_media *remote = j->remote_sdp && p->index < j->remote_sdp->n_media
		? &j->remote_sdp->media[p->index]
		: NULL;
	bool is_data = p->kind == SDP_KIND_APPLICATION;
	struct sdp_media *m = SDP_PUSH(out, out->media, out->n_media);
	m->kind = p->kind;
	m->mid = p->mid;
	m->direction = plan->direction;
	m->type = is_data ? "application" : p->kind == SDP_KIND_AUDIO ? "audio" : "video";
	m->proto = is_data ? "UDP/DTLS/SCTP" : "UDP/TLS/RTP/SAVPF";
	m->format = is_data ? "webrtc-datachannel" : "0";
	if (remote && (is_answer || p->is_rejected)) {
		m->type = remote->type;
		m->proto = remote->proto;
		m->format = remote->format;
	}
	if (p->is_rejected)
		return;

	m->port = 9; /* RFC 8840 §4.1.1: the default candidate comes later */
	add_transport(j, out, m, is_answer, is_first);
	if (is_data) {
		m->sctp_port = 5000;
		m->has_max_message_size = true;
		m->max_message_size = j->max_message_size;
		return;
	}
	m->rtcp_mux = true;
	m->rtcp_rsize = !is_answer || remote->rtcp_rsize;
	add_codecs(out, m, s, plan);
	if (is_answer)
		add_answered_exts(out, m, p, remote);
	else
		add_offered_exts(out, m, j, plan);
	if (plan->direction & SDP_RECVONLY)
		add_simulcast(out, m, p);
	if ((plan->direction & SDP_SENDONLY) && p->has_send)
		add_stream(out, m, &p->send, plan);
}

/* ---- the whole ---- */

static struct sdp *build(const struct jsep *j, const struct plan *plans, bool is_answer)
{
	struct sdp *out = sdp_new();
	out->session_id = j->session_id;
	out->session_version = j->session_version + 1;
	out->msid_semantic = "WMS *";
	out->extmap_allow_mixed = !is_answer || j->remote_sdp->extmap_allow_mixed;
	struct sdp_group bundle = {.semantics = "BUNDLE"};
	for (size_t i = 0; i < j->n_sections; i++) {
		const struct section *s = j->sections[i];
		add_media(j, out, s, &plans[i], is_answer, bundle.n_mids == 0);
		if (!s->pub.is_rejected)
			*SDP_PUSH(out, bundle.mids, bundle.n_mids) = s->pub.mid;
	}
	if (bundle.n_mids)
		*SDP_PUSH(out, out->groups, out->n_groups) = bundle;
	return out;
}

static void commit(struct section *s, const struct plan *plan, bool is_answer)
{
	struct jsep_section *p = &s->pub;
	p->direction = plan->direction;
	if (is_answer) {
		memcpy(p->codecs, plan->codecs, sizeof p->codecs);
		p->n_codecs = plan->n_codecs;
	}
	s->was_sending = p->has_send && (plan->direction & SDP_SENDONLY);
	s->was_used |= s->was_sending;
}

int jsep_print_local(struct jsep *j, bool is_answer, struct buf *out)
{
	struct plan *plans = xcalloc(MAX(j->n_sections, (size_t)1), sizeof *plans);
	for (size_t i = 0; i < j->n_sections; i++)
		make_plan(j, j->sections[i], &plans[i]);
	struct sdp *s = build(j, plans, is_answer);
	struct buf text;
	buf_init(&text, SDP_TEXT_MAX);
	sdp_print(s, &text);
	int err = text.full || text.n > out->limit - out->n ? -ERR_TOO_LARGE : 0;
	if (!err) {
		buf_add(out, text.p, text.n);
		for (size_t i = 0; i < j->n_sections; i++)
			commit(j->sections[i], &plans[i], is_answer);
		j->session_version++;
	}
	buf_free(&text);
	sdp_free(s);
	xfree(plans);
	return err;
}
