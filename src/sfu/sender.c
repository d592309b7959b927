#include "sfu/sender.h"

#include <string.h>

#include "base/mem.h"
#include "base/metric.h"
#include "base/rng.h"
#include "sfu/downtrack_internal.h"
#include "sfu/sender_internal.h"

enum {
	REPORT_US = 3 * 1000 * 1000,
	WAIT_TICK_US = 200 * 1000,
	REPORT_BYTES = 28 + 40, /* one SR and its SDES chunk */
	CNAME_LEN = 16,
};

struct sender {
	struct session *session;
	struct wheel *wheel;
	struct timer timer;
	char cname[CNAME_LEN + 1];
	uint64_t report_due_us;
	uint64_t estimate_bps;
	struct downtrack **down;
	unsigned n_down, cap_down;
};

struct session *sender_session(const struct sender *s)
{
	return s->session;
}

static struct downtrack *find(const struct sender *s, uint32_t ssrc)
{
	for (unsigned i = 0; i < s->n_down; i++)
		if (s->down[i]->ssrc == ssrc)
			return s->down[i];
	return NULL;
}

/* ------------------------------------------------------------------ feedback */

static void on_nack(struct sender *s, const struct rtcp_packet *pkt, uint64_t now_us)
{
	struct rtcp_feedback fb;
	struct downtrack *d = rtcp_feedback_parse(&fb, pkt) == 0 ? find(s, fb.media_ssrc) : NULL;
	if (!d)
		return;
	struct rtcp_nack_iter it = rtcp_nack_iter(&fb);
	for (uint16_t seq; rtcp_nack_next(&it, &seq);) {
		metric_inc(M_NACK_IN);
		downtrack_repeat(d, seq, now_us);
	}
	session_flush_all(s->session); /* repeated payloads point into the publisher's buffer */
}

static void on_pli(struct sender *s, const struct rtcp_packet *pkt, uint64_t now_us)
{
	struct rtcp_feedback fb;
	struct downtrack *d = rtcp_feedback_parse(&fb, pkt) == 0 ? find(s, fb.media_ssrc) : NULL;
	metric_inc(M_PLI_IN);
	if (d)
		downtrack_key_frame_wanted(d, now_us);
}

static void on_fir(struct sender *s, const struct rtcp_packet *pkt, uint64_t now_us)
{
	struct rtcp_feedback fb;
	if (rtcp_feedback_parse(&fb, pkt) != 0)
		return;
	for (size_t i = 0; i < fb.fci.n / RTCP_FIR_ENTRY_LEN; i++) {
		struct downtrack *d = find(s, rtcp_fir_at(&fb, i).ssrc);
		metric_inc(M_PLI_IN);
		if (d)
			downtrack_key_frame_wanted(d, now_us);
	}
}

static void on_remb(struct sender *s, const struct rtcp_packet *pkt)
{
	struct rtcp_remb remb;
	if (rtcp_remb_parse(&remb, pkt) == 0)
		s->estimate_bps = remb.bitrate_bps;
}

void sender_rtcp(struct sender *s, const struct rtcp_packet *pkt, uint64_t now_us)
{
	switch (rtcp_kind(pkt)) {
	case RTCP_NACK: on_nack(s, pkt, now_us); return;
	case RTCP_PLI: on_pli(s, pkt, now_us); return;
	case RTCP_FIR: on_fir(s, pkt, now_us); return;
	case RTCP_REMB: on_remb(s, pkt); return;
	case RTCP_SR:
	case RTCP_RR:
	case RTCP_SDES:
	case RTCP_BYE:
	case RTCP_TWCC:
	case RTCP_OTHER: return;
	}
}

uint64_t sender_estimate_bps(const struct sender *s)
{
	return s->estimate_bps;
}

/* ------------------------------------------------------------------ reports */

static void send_reports(struct sender *s, uint64_t now_us)
{
	uint8_t mem[SESSION_RTCP_MAX];
	struct rtcp_writer w = rtcp_writer(mem, sizeof mem);
	for (unsigned i = 0; i < s->n_down; i++) {
		struct rtcp_sr sr;
		if (!downtrack_report(s->down[i], now_us, &sr))
			continue;
		rtcp_add_sr(&w, &sr, NULL, 0);
		rtcp_add_sdes(&w, sr.ssrc, slice_str(s->cname), slice_str(""));
		if (w.cap - w.n < REPORT_BYTES) {
			session_tx_rtcp(s->session, rtcp_written(&w));
			w = rtcp_writer(mem, sizeof mem);
		}
	}
	struct slice rest = rtcp_written(&w);
	if (rest.n)
		session_tx_rtcp(s->session, rest);
}

static void on_timer(void *arg, uint64_t now_us)
{
	struct sender *s = arg;
	if (now_us >= s->report_due_us) {
		s->report_due_us = now_us + REPORT_US;
		send_reports(s, now_us);
	}
	uint64_t next = s->report_due_us;
	for (unsigned i = 0; i < s->n_down; i++)
		next = MIN(next, downtrack_tick(s->down[i], now_us));
	if (s->n_down)
		wheel_set(s->wheel, &s->timer, MAX(next, now_us + 1));
}

void sender_wake(struct sender *s, uint64_t now_us)
{
	uint64_t at = now_us + WAIT_TICK_US;
	if (!s->timer.is_armed || at / 1000 < s->timer.at_ms)
		wheel_set(s->wheel, &s->timer, at);
}

/* ------------------------------------------------------------------ life */

struct sender *sender_new(struct session *session, struct wheel *wheel)
{
	struct sender *s = XNEW(struct sender);
	s->session = session;
	s->wheel = wheel;
	s->estimate_bps = UINT64_MAX;
	rng_ice_chars(s->cname, CNAME_LEN);
	timer_init(&s->timer, on_timer, s);
	return s;
}

void sender_free(struct sender *s)
{
	if (!s)
		return;
	wheel_del(s->wheel, &s->timer);
	xfree(s->down);
	xfree(s);
}

void sender_connected(struct sender *s, uint64_t now_us)
{
	for (unsigned i = 0; i < s->n_down; i++)
		downtrack_connect(s->down[i], now_us);
	sender_wake(s, now_us);
}

void sender_attach(struct sender *s, struct downtrack *d)
{
	if (s->n_down == s->cap_down) {
		s->cap_down = s->cap_down ? s->cap_down * 2 : 8;
		s->down = xrealloc(s->down, s->cap_down * sizeof(struct downtrack *));
	}
	s->down[s->n_down++] = d;
}

void sender_detach(struct sender *s, struct downtrack *d)
{
	for (unsigned i = 0; i < s->n_down; i++) {
		if (s->down[i] == d) {
			s->down[i] = s->down[--s->n_down];
			return;
		}
	}
}
