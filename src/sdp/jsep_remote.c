/*
 * jsep_remote: the other side's description: is it one we can work with, and what does it change.
 */
#include "sdp/jsep_internal.h"

#include <strings.h>

#include "base/mem.h"

/* ---- checks that leave the state alone ---- */

const struct sdp_group *jsep_bundle_of(const struct sdp *s)
{
	for (uint16_t i = 0; i < s->n_groups; i++)
		if (strcmp(s->groups[i].semantics, "BUNDLE") == 0)
			return &s->groups[i];
	return NULL;
}

static bool group_has(const struct sdp_group *g, const char *mid)
{
	for (uint16_t i = 0; g && i < g->n_mids; i++)
		if (strcmp(g->mids[i], mid) == 0)
			return true;
	return false;
}

static const struct sdp_media *media_of(const struct sdp *s, const char *mid)
{
	for (uint16_t i = 0; i < s->n_media; i++)
		if (strcmp(s->media[i].mid, mid) == 0)
			return &s->media[i];
	return NULL;
}

/*
 * The m-line index of a section is its identity. It can be given to another mid only after a round
 * that rejected it (RFC 9429 §5.2.2).
 */
static int check_history(
	const struct jsep *j, const struct sdp_media *m, uint16_t i, struct errbuf *eb)
{
	if (i >= j->n_sections || (j->sections[i]->pub.is_rejected && !jsep_is_offerer(j)))
		return 0;
	const struct jsep_section *known = &j->sections[i]->pub;
	if (strcmp(m->mid, known->mid) != 0)
		return err_set(eb, ERR_MALFORMED, "section %u has mid %.64s, it had %s before", i,
			m->mid, known->mid);
	if (m->kind != known->kind)
		return err_set(
			eb, ERR_MALFORMED, "section %u (mid %s) changed its media type", i, m->mid);
	return 0;
}

static int check_section(const struct jsep *j, const struct sdp *s, uint16_t i, struct errbuf *eb)
{
	struct sdp_media *m = &s->media[i];
	/*
	 * A section that is gone needs no mid (RFC 9429 §5.2.2): its index tells which one it was.
	 */
	if (!m->mid && !jsep_is_live(m) && i < j->n_sections)
		m->mid = j->sections[i]->pub.mid;
	if (!m->mid)
		return err_set(eb, ERR_MALFORMED, "section %u has no mid", i);
	if (strlen(m->mid) >= JSEP_MID_CAP)
		return err_set(eb, ERR_TOO_LARGE, "section %u has a mid of more than %d bytes", i,
			JSEP_MID_CAP - 1);
	for (uint16_t k = 0; k < i; k++)
		if (strcmp(s->media[k].mid, m->mid) == 0)
			return err_set(eb, ERR_MALFORMED, "sections %u and %u have the same mid %s",
				k, i, m->mid);
	int err = check_history(j, m, i, eb);
	if (err || !jsep_is_live(m) || m->kind == SDP_KIND_OTHER)
		return err;
	if (!group_has(jsep_bundle_of(s), m->mid))
		return err_set(
			eb, ERR_MALFORMED, "section %u (mid %s) is in no BUNDLE group", i, m->mid);
	if (m->kind != SDP_KIND_APPLICATION && !m->rtcp_mux)
		return err_set(eb, ERR_MALFORMED, "section %u (mid %s) lacks rtcp-mux", i, m->mid);
	return 0;
}

static int check_description(const struct jsep *j, const struct sdp *s, struct errbuf *eb)
{
	size_t least = jsep_is_offerer(j) ? j->n_offered : j->n_sections;
	if (s->n_media < least || (jsep_is_offerer(j) && s->n_media != least))
		return err_set(eb, ERR_MALFORMED, "%u media sections, there were %zu before",
			s->n_media, least);
	for (uint16_t i = 0; i < s->n_media; i++) {
		int err = check_section(j, s, i, eb);
		if (err)
			return err;
	}
	const struct sdp_group *bundle = jsep_bundle_of(s);
	for (uint16_t i = 0; bundle && i < bundle->n_mids; i++)
		if (!media_of(s, bundle->mids[i]))
			return err_set(eb, ERR_MALFORMED, "BUNDLE names the unknown mid %.64s",
				bundle->mids[i]);
	return 0;
}

/* ---- the transport ---- */

static const struct {
	const char *alg;
	uint8_t len;
} hashes[] = {{"sha-256", 32}, {"sha-384", 48}, {"sha-512", 64}}; /* in order of preference */

/* "AB:CD:…" of exactly len bytes (RFC 8122 §5). */
static bool read_hash(const char *text, uint8_t *bytes, size_t len)
{
	if (strlen(text) != 3 * len - 1)
		return false;
	for (size_t i = 0; i < 3 * len - 1; i++) {
		char c = text[i];
		if (i % 3 == 2) {
			if (c != ':')
				return false;
			continue;
		}
		int digit = jsep_hex_digit((uint8_t)c);
		if (digit < 0)
			return false;
		bytes[i / 3] = (uint8_t)(bytes[i / 3] << 4 | digit);
	}
	return true;
}

static bool read_fingerprint(const struct sdp_transport *t, struct jsep_remote *r)
{
	for (size_t h = 0; h < ARRAY_LEN(hashes); h++)
		for (uint16_t i = 0; i < t->n_fingerprints; i++) {
			const struct sdp_fingerprint *f = &t->fingerprints[i];
			memset(r->fingerprint, 0, sizeof r->fingerprint);
			if (strcasecmp(f->alg, hashes[h].alg) == 0 &&
				read_hash(f->value, r->fingerprint, hashes[h].len)) {
				memcpy(r->fingerprint_alg, hashes[h].alg,
					strlen(hashes[h].alg) + 1);
				r->fingerprint_len = hashes[h].len;
				return true;
			}
		}
	return false;
}

static bool has_word(const char *list, const char *word)
{
	for (size_t n = strlen(word); list && *list; list += strspn(list, " ")) {
		size_t len = strcspn(list, " ");
		if (len == n && memcmp(list, word, n) == 0)
			return true;
		list += len;
	}
	return false;
}

static bool is_data_channel(const struct sdp_media *m)
{
	return m->kind == SDP_KIND_APPLICATION && strstr(m->proto, "DTLS/SCTP") && m->sctp_port &&
		strcmp(m->format, "webrtc-datachannel") == 0;
}

static bool has_common_codec(const struct jsep *j, const struct sdp_media *m)
{
	enum jsep_codec codec;
	for (uint16_t i = 0; i < m->n_codecs; i++)
		if (jsep_codec_match(&m->codecs[i], m->kind, j->enabled_codecs, &codec))
			return true;
	return false;
}

/*
 * The section whose transport the bundle uses: the first one named that is not rejected by either
 * side (RFC 8843 §7.3.1, §7.3.2).
 */
static const struct sdp_media *tagged_section(
	const struct jsep *j, const struct sdp *s, const struct sdp_group *g)
{
	for (int strict = 1; strict >= 0; strict--)
		for (uint16_t i = 0; i < g->n_mids; i++) {
			const struct sdp_media *m = media_of(s, g->mids[i]);
			if (m && jsep_is_live(m) &&
				(!strict || is_data_channel(m) || has_common_codec(j, m)))
				return m;
		}
	return NULL;
}

static int read_role(bool is_offer, enum sdp_setup setup, struct jsep_remote *r, struct errbuf *eb)
{
	if (setup == SDP_SETUP_HOLDCONN || (!is_offer && setup == SDP_SETUP_ACTPASS))
		return err_set(eb, ERR_MALFORMED, "setup role cannot be used in an %s",
			is_offer ? "offer" : "answer");
	/*
	 * The free choice of actpass makes us the server, so that we pick the SRTP profile. Absent
	 * means active.
	 */
	r->is_dtls_server = setup != SDP_SETUP_PASSIVE;
	return 0;
}

/*
 * Bundled sections may leave their transport out; then the session level counts, then the first
 * section of the group, which always has one.
 */
static int read_transport(
	const struct jsep *j, const struct sdp *s, struct jsep_remote *r, struct errbuf *eb)
{
	const struct sdp_group *bundle = jsep_bundle_of(s);
	const struct sdp_media *m = bundle ? tagged_section(j, s, bundle) : NULL;
	if (!m)
		return err_set(eb, ERR_MALFORMED, "no section is in use");
	const struct sdp_media *first =
		m->transport.ufrag ? NULL : media_of(s, bundle->mids[0]);
	const struct sdp_transport *from[] = {
		&m->transport, &s->transport, first ? &first->transport : NULL};
	*r = (struct jsep_remote){0};
	enum sdp_setup setup = SDP_SETUP_NONE;
	for (size_t i = 0; i < ARRAY_LEN(from) && from[i]; i++) {
		const struct sdp_transport *t = from[i];
		if (!r->ufrag && t->ufrag) {
			r->ufrag = t->ufrag;
			r->pwd = t->pwd;
		}
		if (!r->fingerprint_len)
			(void)read_fingerprint(t, r);
		if (!r->n_candidates) {
			r->candidates = t->candidates;
			r->n_candidates = t->n_candidates;
		}
		if (setup == SDP_SETUP_NONE)
			setup = t->setup;
		r->has_trickle |= has_word(t->options, "trickle");
		r->end_of_candidates |= t->end_of_candidates;
	}
	if (!jsep_is_ice_text(r->ufrag, JSEP_UFRAG_MIN) || !jsep_is_ice_text(r->pwd, JSEP_PWD_MIN))
		return err_set(
			eb, ERR_MALFORMED, "mid %s has no valid ice-ufrag and ice-pwd", m->mid);
	if (!r->fingerprint_len)
		return err_set(eb, ERR_MALFORMED,
			"mid %s has no valid sha-256, sha-384 or sha-512 fingerprint", m->mid);
	if (j->has_remote) {
		r->ice_restarted = strcmp(r->ufrag, j->remote.ufrag) != 0 ||
			strcmp(r->pwd, j->remote.pwd) != 0;
		r->fingerprint_changed = r->fingerprint_len != j->remote.fingerprint_len ||
			memcmp(r->fingerprint, j->remote.fingerprint, r->fingerprint_len) != 0;
	}
	return read_role(!jsep_is_offerer(j), setup, r, eb);
}

/* ---- one section ---- */

static void take_codecs(
	const struct jsep *j, struct jsep_section *p, const struct sdp_media *m, bool is_receiving)
{
	uint32_t mask = j->enabled_codecs;
	for (int i = 0; i < JSEP_CODEC_N && !is_receiving; i++)
		if (jsep_codecs[i].is_publish_only)
			mask &= ~JSEP_CODEC_BIT(i);
	p->n_codecs = 0;
	for (uint16_t i = 0; i < m->n_codecs && p->n_codecs < JSEP_CODECS_MAX; i++) {
		const struct sdp_codec *c = &m->codecs[i];
		enum jsep_codec codec;
		if (!jsep_codec_match(c, m->kind, mask, &codec))
			continue;
		mask &= ~JSEP_CODEC_BIT(codec);
		uint8_t feedback = jsep_feedback_for(j->role, m->kind, is_receiving);
		/*
		 * Audio NACK is announced even if the client does not ask for it: it then keeps
		 * packets to resend.
		 */
		if (m->kind == SDP_KIND_VIDEO)
			feedback &= jsep_feedback_of(c);
		p->codecs[p->n_codecs++] = (struct jsep_negotiated){
			.codec = codec,
			.pt = c->pt,
			.feedback = feedback,
			.fmtp = c->fmtp,
		};
	}
	for (uint16_t i = 0; i < m->n_codecs; i++) {
		struct slice apt = sdp_fmtp_param(m->codecs[i].fmtp, "apt");
		char number[4] = "";
		uint64_t pt;
		if (strcasecmp(m->codecs[i].name, "rtx") != 0 || !apt.n || apt.n >= sizeof number)
			continue;
		memcpy(number, apt.p, apt.n);
		for (uint8_t k = 0; k < p->n_codecs && sdp_number(number, 127, &pt); k++)
			if (p->codecs[k].pt == pt && jsep_codecs[p->codecs[k].codec].rtx_pt &&
				!p->codecs[k].rtx_pt)
				p->codecs[k].rtx_pt = m->codecs[i].pt;
	}
}

/* Which extension an id stands for so far, over all sections of the bundle. */
struct ext_plan {
	uint8_t owner[256]; /* enum jsep_ext + 1; 0 = unused */
};

/*
 * Ids up to 14 fit every packet; larger ones only come in two-byte headers, which we read but do
 * not write.
 */
static bool is_usable_id(uint16_t id, bool is_receiving, bool is_mixed)
{
	return id <= 14 || (is_receiving && is_mixed && id <= 255 && id != 15);
}

static void take_exts(struct jsep *j, struct jsep_section *p, const struct sdp_media *m,
	bool is_receiving, struct ext_plan *plan)
{
	struct jsep_ext_use use = {
		.role = j->role, .kind = m->kind, .playout_delay = j->playout_delay};
	for (uint8_t i = 0; i < p->n_codecs; i++)
		use.is_scalable |= jsep_codecs[p->codecs[i].codec].is_scalable;
	bool is_mixed = m->extmap_allow_mixed || j->remote_sdp->extmap_allow_mixed;
	enum sdp_dir need = is_receiving ? SDP_SENDONLY : SDP_RECVONLY;

	memset(p->ext_id, 0, sizeof p->ext_id);
	for (uint16_t i = 0; i < m->n_extmaps; i++) {
		const struct sdp_extmap *e = &m->extmaps[i];
		enum jsep_ext ext;
		if (!jsep_ext_find(e->uri, &ext) || !jsep_ext_wanted(ext, &use) || p->ext_id[ext] ||
			!(e->direction & need) || !is_usable_id(e->id, is_receiving, is_mixed))
			continue;
		/*
		 * A second meaning for an id, or a second id for a meaning, would make packets
		 * ambiguous.
		 */
		bool is_taken = plan->owner[e->id] && plan->owner[e->id] != ext + 1;
		if (is_taken || (j->ext_ids[ext] && j->ext_ids[ext] != e->id))
			continue;
		plan->owner[e->id] = (uint8_t)(ext + 1);
		j->ext_ids[ext] = p->ext_id[ext] = (uint8_t)e->id;
	}
}

static void add_ssrc(struct jsep_section *p, const struct sdp_media *m, uint32_t ssrc)
{
	for (uint8_t i = 0; i < p->n_ssrcs; i++)
		if (p->ssrcs[i].ssrc == ssrc)
			return;
	if (p->n_ssrcs == JSEP_SSRCS_MAX)
		return;
	uint32_t rtx = 0;
	for (uint16_t i = 0; i < m->n_ssrc_groups; i++) {
		const struct sdp_ssrc_group *g = &m->ssrc_groups[i];
		bool is_pair = g->n >= 2 && strcmp(g->semantics, "SIM") != 0;
		if (is_pair && g->ssrcs[0] != ssrc && g->ssrcs[1] == ssrc)
			return; /* repairs another ssrc: FID (RFC 4588 §8.8), FEC-FR (RFC 5956) */
		if (is_pair && g->ssrcs[0] == ssrc && strcmp(g->semantics, "FID") == 0)
			rtx = g->ssrcs[1];
	}
	p->ssrcs[p->n_ssrcs++] = (struct jsep_ssrc){.ssrc = ssrc, .rtx_ssrc = rtx};
}

static void take_streams(struct jsep_section *p, const struct sdp_media *m)
{
	p->stream_id = m->stream;
	p->track_id = m->track;
	p->n_ssrcs = p->n_rids = 0;
	for (uint16_t i = 0; i < m->n_ssrc_groups; i++)
		if (strcmp(m->ssrc_groups[i].semantics, "SIM") == 0)
			for (uint8_t k = 0; k < m->ssrc_groups[i].n; k++)
				add_ssrc(p, m, m->ssrc_groups[i].ssrcs[k]);
	for (uint16_t i = 0; i < m->n_ssrcs; i++) {
		add_ssrc(p, m, m->ssrcs[i].ssrc);
		if (!p->track_id && m->ssrcs[i].track) {
			p->stream_id = m->ssrcs[i].stream;
			p->track_id = m->ssrcs[i].track;
		}
	}
}

/* The first alternative of each simulcast stream that a=rid declares (RFC 8853 §5.2). */
static void take_rids(struct jsep_section *p, const struct sdp_media *m)
{
	int last = -1;
	for (uint16_t i = 0; i < m->n_simulcast_send && p->n_rids < JSEP_RIDS_MAX; i++) {
		const struct sdp_stream *s = &m->simulcast_send[i];
		bool is_declared = false;
		for (uint16_t k = 0; k < m->n_rids && !is_declared; k++)
			is_declared = m->rids[k].is_send && strcmp(m->rids[k].id, s->rid) == 0;
		size_t n = strlen(s->rid);
		if (s->stream == last || !is_declared || n >= JSEP_RID_CAP)
			continue;
		last = s->stream;
		struct jsep_rid *rid = &p->rids[p->n_rids++];
		memcpy(rid->id, s->rid, n + 1);
		rid->is_paused = s->is_paused;
	}
}

static void reject(struct section *s)
{
	struct jsep_section was = s->pub;
	struct jsep_recv recv = s->recv;
	*s = (struct section){
		.recv = recv, .pub = {.index = was.index, .kind = was.kind, .is_rejected = true}};
	memcpy(s->pub.mid, was.mid, sizeof was.mid);
}

static void apply_section(struct jsep *j, struct section *s, const struct sdp_media *m,
	struct ext_plan *plan, bool *has_data)
{
	struct jsep_section *p = &s->pub;
	bool is_data = is_data_channel(m);
	if (!jsep_is_live(m) || (m->kind == SDP_KIND_APPLICATION && (!is_data || *has_data))) {
		reject(s);
		return;
	}
	*has_data |= is_data;
	p->is_rejected = false;
	p->remote_direction = m->direction;
	p->remote_sctp_port = m->sctp_port;
	p->remote_max_message_size = m->has_max_message_size ? m->max_message_size : 65536;
	if (p->remote_max_message_size == 0)
		p->remote_max_message_size = UINT32_MAX;
	take_streams(p, m);
	if (is_data)
		return;

	bool is_receiving = j->role == JSEP_ROLE_PUBLISHER ||
		(j->role == JSEP_ROLE_SINGLE && (m->direction & SDP_SENDONLY));
	take_codecs(j, p, m, is_receiving);
	if (p->n_codecs == 0) {
		reject(s);
		return;
	}
	if (m->direction & SDP_SENDONLY)
		take_rids(p, m);
	take_exts(j, p, m, is_receiving, plan);
	if (jsep_is_offerer(j))
		p->direction &= sdp_dir_reverse(m->direction);
}

static void apply(struct jsep *j, struct sdp *s, const struct jsep_remote *r)
{
	struct ext_plan plan = {{0}};
	bool has_data = false;
	sdp_free(j->remote_sdp);
	j->remote_sdp = s;
	j->remote = *r;
	j->has_remote = true;
	memset(j->ext_ids, 0, sizeof j->ext_ids);
	for (uint16_t i = 0; i < s->n_media; i++) {
		const struct sdp_media *m = &s->media[i];
		struct section *sec = i < j->n_sections ? j->sections[i] : jsep_section_new(j);
		if (strcmp(sec->pub.mid, m->mid) != 0) {
			*sec = (struct section){.pub = {.index = i, .kind = m->kind}};
			memcpy(sec->pub.mid, m->mid, strlen(m->mid) + 1);
		}
		apply_section(j, sec, m, &plan, &has_data);
	}
}

static int set_remote(struct jsep *j, struct slice text, struct errbuf *eb)
{
	struct sdp *s;
	int err = sdp_parse(&s, text, eb);
	if (err)
		return err;
	struct jsep_remote r;
	err = check_description(j, s, eb);
	if (!err)
		err = read_transport(j, s, &r, eb);
	if (err) {
		sdp_free(s);
		return err;
	}
	apply(j, s, &r);
	return 0;
}

int jsep_set_remote_offer(struct jsep *j, struct slice text, struct errbuf *eb)
{
	if (jsep_is_offerer(j))
		return err_set(eb, ERR_BAD_STATE, "this connection takes no offer");
	int err = set_remote(j, text, eb);
	if (err)
		return err;
	j->wants_new_ice |= j->remote.ice_restarted;
	j->round = ROUND_REMOTE_OFFER;
	return 0;
}

int jsep_set_remote_answer(struct jsep *j, struct slice text, struct errbuf *eb)
{
	if (j->round != ROUND_LOCAL_OFFER)
		return err_set(eb, ERR_BAD_STATE, "there is no offer to answer");
	int err = set_remote(j, text, eb);
	if (!err)
		j->round = ROUND_IDLE;
	return err;
}
