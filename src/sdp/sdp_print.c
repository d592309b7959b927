/* sdp_print: the text of a description, with the attributes in the order browsers write them. */
#include "sdp/sdp_internal.h"

#include <inttypes.h>

#define LINE(out, fmt, ...) buf_printf((out), fmt "\r\n", ##__VA_ARGS__)

static void print_value(struct buf *out, const char *name, const char *value)
{
	if (value)
		LINE(out, "a=%s:%s", name, value);
}

static void print_flag(struct buf *out, const char *name, bool is_set)
{
	if (is_set)
		LINE(out, "a=%s", name);
}

static void print_transport(const struct sdp_transport *t, struct buf *out)
{
	static const char *const setups[] = {
		[SDP_SETUP_ACTPASS] = "actpass",
		[SDP_SETUP_ACTIVE] = "active",
		[SDP_SETUP_PASSIVE] = "passive",
		[SDP_SETUP_HOLDCONN] = "holdconn",
	};
	for (uint16_t i = 0; i < t->n_candidates; i++)
		LINE(out, "a=%s", t->candidates[i]);
	print_flag(out, "end-of-candidates", t->end_of_candidates);
	print_value(out, "ice-ufrag", t->ufrag);
	print_value(out, "ice-pwd", t->pwd);
	print_value(out, "ice-options", t->options);
	for (uint16_t i = 0; i < t->n_fingerprints; i++)
		LINE(out, "a=fingerprint:%s %s", t->fingerprints[i].alg, t->fingerprints[i].value);
	print_value(out, "setup", setups[t->setup]);
}

static void print_codec(const struct sdp_codec *c, struct buf *out)
{
	if (*c->name && c->channels > 1)
		LINE(out, "a=rtpmap:%u %s/%" PRIu32 "/%u", c->pt, c->name, c->clock_hz,
			c->channels);
	else if (*c->name)
		LINE(out, "a=rtpmap:%u %s/%" PRIu32, c->pt, c->name, c->clock_hz);
	for (uint16_t i = 0; i < c->n_feedback; i++)
		LINE(out, "a=rtcp-fb:%u %s", c->pt, c->feedback[i]);
	if (c->fmtp)
		LINE(out, "a=fmtp:%u %s", c->pt, c->fmtp);
}

static void print_streams(const struct sdp_stream *streams, uint16_t n, struct buf *out)
{
	for (uint16_t i = 0; i < n; i++) {
		if (i > 0)
			buf_add_byte(out, streams[i].stream == streams[i - 1].stream ? ',' : ';');
		buf_printf(out, "%s%s", streams[i].is_paused ? "~" : "", streams[i].rid);
	}
}

static void print_simulcast(const struct sdp_media *m, struct buf *out)
{
	for (uint16_t i = 0; i < m->n_rids; i++)
		LINE(out, "a=rid:%s %s%s%s", m->rids[i].id, m->rids[i].is_send ? "send" : "recv",
			m->rids[i].params ? " " : "", m->rids[i].params ? m->rids[i].params : "");
	if (!m->n_simulcast_send && !m->n_simulcast_recv)
		return;
	buf_add_str(out, "a=simulcast:");
	buf_add_str(out, m->n_simulcast_send ? "send " : "");
	print_streams(m->simulcast_send, m->n_simulcast_send, out);
	buf_add_str(out, m->n_simulcast_send && m->n_simulcast_recv ? " " : "");
	buf_add_str(out, m->n_simulcast_recv ? "recv " : "");
	print_streams(m->simulcast_recv, m->n_simulcast_recv, out);
	buf_add_str(out, "\r\n");
}

static void print_ssrcs(const struct sdp_media *m, struct buf *out)
{
	for (uint16_t i = 0; i < m->n_ssrc_groups; i++) {
		const struct sdp_ssrc_group *g = &m->ssrc_groups[i];
		buf_printf(out, "a=ssrc-group:%s", g->semantics);
		for (uint8_t k = 0; k < g->n; k++)
			buf_printf(out, " %" PRIu32, g->ssrcs[k]);
		buf_add_str(out, "\r\n");
	}
	for (uint16_t i = 0; i < m->n_ssrcs; i++) {
		const struct sdp_ssrc *s = &m->ssrcs[i];
		if (s->cname)
			LINE(out, "a=ssrc:%" PRIu32 " cname:%s", s->ssrc, s->cname);
		if (s->stream || s->track)
			LINE(out, "a=ssrc:%" PRIu32 " msid:%s %s", s->ssrc,
				s->stream ? s->stream : "-", s->track ? s->track : "-");
		if (!s->cname && !s->stream && !s->track)
			LINE(out, "a=ssrc:%" PRIu32, s->ssrc);
	}
}

static void print_media(const struct sdp_media *m, struct buf *out)
{
	buf_printf(out, "m=%s %u %s", m->type, m->port, m->proto);
	for (uint16_t i = 0; i < m->n_codecs; i++)
		buf_printf(out, " %u", m->codecs[i].pt);
	if (!m->n_codecs)
		buf_printf(out, " %s", m->format);
	LINE(out, "\r\nc=IN IP4 0.0.0.0");
	print_transport(&m->transport, out);
	print_value(out, "mid", m->mid);
	print_flag(out, "bundle-only", m->bundle_only);
	print_flag(out, "extmap-allow-mixed", m->extmap_allow_mixed);
	for (uint16_t i = 0; i < m->n_extmaps; i++) {
		const struct sdp_extmap *e = &m->extmaps[i];
		LINE(out, "a=extmap:%u%s%s %s%s%s", e->id, e->direction == SDP_SENDRECV ? "" : "/",
			e->direction == SDP_SENDRECV ? "" : sdp_dir_text(e->direction), e->uri,
			e->params ? " " : "", e->params ? e->params : "");
	}
	if (m->kind != SDP_KIND_APPLICATION)
		LINE(out, "a=%s", sdp_dir_text(m->direction));
	if (m->stream || m->track)
		LINE(out, "a=msid:%s%s%s", m->stream ? m->stream : "-", m->track ? " " : "",
			m->track ? m->track : "");
	print_flag(out, "rtcp-mux", m->rtcp_mux);
	print_flag(out, "rtcp-rsize", m->rtcp_rsize);
	for (uint16_t i = 0; i < m->n_codecs; i++)
		print_codec(&m->codecs[i], out);
	print_simulcast(m, out);
	print_ssrcs(m, out);
	if (m->sctp_port)
		LINE(out, "a=sctp-port:%u", m->sctp_port);
	if (m->has_max_message_size)
		LINE(out, "a=max-message-size:%" PRIu32, m->max_message_size);
}

void sdp_print(const struct sdp *s, struct buf *out)
{
	LINE(out, "v=0\r\no=- %" PRIu64 " %" PRIu64 " IN IP4 127.0.0.1\r\ns=-\r\nt=0 0",
		s->session_id, s->session_version);
	for (uint16_t i = 0; i < s->n_groups; i++) {
		buf_printf(out, "a=group:%s", s->groups[i].semantics);
		for (uint16_t k = 0; k < s->groups[i].n_mids; k++)
			buf_printf(out, " %s", s->groups[i].mids[k]);
		buf_add_str(out, "\r\n");
	}
	print_flag(out, "extmap-allow-mixed", s->extmap_allow_mixed);
	if (s->msid_semantic)
		LINE(out, "a=msid-semantic: %s", s->msid_semantic);
	print_transport(&s->transport, out);
	for (uint16_t i = 0; i < s->n_media; i++)
		print_media(&s->media[i], out);
}
