/*
 * pair: two rtc in one thread that talk over loopback sockets, on a clock that the test moves: nothing waits.
 *
 * What one end sends is readable at the other at once, so a turn of each after the other is all it takes. The clock
 * that OpenSSL and libusrsctp read goes along.
 */
#pragma once
#include "cm.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/metric.h"
#include "rtp/rtp.h"
#include "session/rtc.h"
#include "session/session.h"
#include "session/session_internal.h"

#include "../../sim/dtls_sctp/virtual_clock.h"

enum { PAIR_TURN_US = 1000, PAIR_LABEL = 32, PAIR_LAST = 1500, PAIR_STATES = 16 };

/* One rtc and its worker. */
struct side {
	struct worker w;
	struct rtc *rtc;
	bool is_deaf; /* takes no turns */
};

enum pair_op {
	OP_NONE,
	OP_STATE,
	OP_RTP,
	OP_RTCP,
	OP_READY,
	OP_OPEN,
	OP_CLOSED,
	OP_WRITABLE,
	OP_MESSAGE
};

/* One session and what its ops were told. */
struct end {
	struct side *side;
	struct session *s;
	bool is_offerer;
	enum pair_op close_in;        /* closes itself in this op */
	enum session_state close_at;  /* with OP_STATE: in this state */
	enum session_state states[PAIR_STATES];
	unsigned n_states, n_rtp, n_rtcp, n_ready, n_open, n_closed, n_writable, n_messages,
		n_after_close;
	uint16_t channel;
	size_t last_n;
	uint8_t last[PAIR_LAST];
};

static inline void end_called(struct end *e, enum pair_op op)
{
	if (!e->s)
		e->n_after_close++;
	if (e->close_in != op || !e->s)
		return;
	session_close(e->s);
	e->s = NULL;
}

static inline void end_keep(struct end *e, const uint8_t *p, size_t n)
{
	assert_true(n <= sizeof e->last);
	memcpy(e->last, p, n);
	e->last_n = n;
}

static inline void end_state(void *arg, enum session_state state)
{
	struct end *e = arg;
	e->states[e->n_states++ % PAIR_STATES] = state;
	if (e->close_in != OP_STATE || state == e->close_at)
		end_called(e, OP_STATE);
}

static inline void end_rtp(void *arg, uint8_t *p, size_t n, uint64_t now_us)
{
	struct end *e = arg;
	(void)now_us;
	e->n_rtp++;
	end_keep(e, p, n);
	end_called(e, OP_RTP);
}

static inline void end_rtcp(void *arg, struct slice compound, uint64_t now_us)
{
	struct end *e = arg;
	(void)now_us;
	e->n_rtcp++;
	end_keep(e, compound.p, compound.n);
	end_called(e, OP_RTCP);
}

static inline void end_ready(void *arg)
{
	struct end *e = arg;
	e->n_ready++;
	end_called(e, OP_READY);
}

static inline void end_open(void *arg, const struct sctp_channel_info *info)
{
	struct end *e = arg;
	e->n_open++;
	e->channel = info->id;
	end_called(e, OP_OPEN);
}

static inline void end_closed(void *arg, uint16_t channel)
{
	struct end *e = arg;
	(void)channel;
	e->n_closed++;
	end_called(e, OP_CLOSED);
}

static inline void end_writable(void *arg)
{
	struct end *e = arg;
	e->n_writable++;
	end_called(e, OP_WRITABLE);
}

static inline void end_message(void *arg, uint16_t channel, bool is_text, struct slice data)
{
	struct end *e = arg;
	(void)channel;
	(void)is_text;
	e->n_messages++;
	end_keep(e, data.p, MIN(data.n, sizeof e->last));
	end_called(e, OP_MESSAGE);
}

static inline const struct session_ops *end_ops(void)
{
	static const struct session_ops ops = {end_state, end_rtp, end_rtcp, end_ready, end_open,
		end_closed, end_writable, end_message};
	return &ops;
}

static inline const struct worker_ops *side_ops(void)
{
	static const struct worker_ops ops;
	return &ops;
}

static inline void side_open(struct side *side, const struct dtls_identity *id)
{
	*side = (struct side){0};
	assert_int_equal(worker_init(&side->w, 0, side_ops(), NULL, 256), 0);
	struct ice_local local = {0};
	assert_int_equal(addr_parse_ip(&local.base, slice_str("127.0.0.1"), 0), 0);
	struct rtc_cfg cfg = {.locals = &local,
		.n_locals = 1,
		.tx_queue_packets = 64,
		.sctp_send_bytes = 64 * 1024,
		.identity = id};
	struct errbuf eb = {""};
	assert_int_equal(rtc_new(&side->rtc, &side->w, &cfg, &eb), 0);
}

static inline void side_close(struct side *side)
{
	rtc_free(side->rtc);
	assert_int_equal(side->w.wheel.armed, 0);
	worker_close(&side->w);
}

static inline void side_turn(struct side *side)
{
	if (side->is_deaf)
		return;
	ev_wait(&side->w.ev, 0);
	ev_dispatch(&side->w.ev);
	wheel_run(&side->w.wheel, side->w.now_us);
	mbox_drain(&side->w.mbox, &side->w, 256);
	rtc_end_turn(side->rtc);
}

/* Both take turns for this long. */
static inline void sides_run(struct side *a, struct side *b, uint64_t us)
{
	for (uint64_t passed = 0; passed < us; passed += PAIR_TURN_US) {
		a->w.now_us += PAIR_TURN_US;
		b->w.now_us += PAIR_TURN_US;
		side_turn(a);
		side_turn(b);
		if (passed % (SCTP_TICK_MS * 1000) == 0)
			virtual_tick(SCTP_TICK_MS);
	}
}

static inline void swallow(void *arg, struct udp_sock *sock, const struct addr *to,
	const uint8_t *p, size_t n, size_t seg)
{
	(void)arg, (void)sock, (void)to, (void)p, (void)n, (void)seg;
}

/* The cable between the sockets: nothing that this side sends arrives while it is cut. */
static inline void side_cut(struct side *side, bool is_cut)
{
	rtc_set_sink(side->rtc, is_cut ? swallow : NULL, NULL);
}

static inline void end_make(struct end *e, struct side *side, bool is_offerer)
{
	*e = (struct end){.side = side, .is_offerer = is_offerer};
	struct session_cfg cfg = {.is_ice_controlling = is_offerer, .ops = end_ops(), .arg = e};
	e->s = session_new(side->rtc, &cfg);
	assert_non_null(e->s);
}

/* "sha-256 AB:CD…" or "AB:CD…" as bytes. */
static inline size_t fingerprint_bytes(const char *text, uint8_t out[64])
{
	const char *p = strrchr(text, ' ');
	size_t n = 0;
	for (p = p ? p + 1 : text; *p && n < 64; p += p[2] ? 3 : 2)
		out[n++] = (uint8_t)strtoul((char[]){p[0], p[1], 0}, NULL, 16);
	return n;
}

/* Tells `e` what the description of `peer` would say. */
static inline int end_learn(struct end *e, const struct end *peer)
{
	uint8_t fp[64];
	struct session_remote remote = {
		.ufrag = slice_str(session_ufrag(peer->s)),
		.pwd = slice_str(session_pwd(peer->s)),
		.fingerprint_alg = slice_str("sha-256"),
		.fingerprint = slice_of(fp, fingerprint_bytes(session_fingerprint(peer->s), fp)),
		.is_dtls_server = e->is_offerer,
		.max_message_size = 65536,
	};
	int err = session_set_remote(e->s, &remote);
	size_t n;
	char **lines = session_candidates(peer->s, &n);
	for (size_t i = 0; i < n; i++) {
		if (!err && e->s)
			assert_int_equal(session_add_candidate(e->s, slice_str(lines[i])), 0);
		xfree(lines[i]);
	}
	xfree(lines);
	return err;
}

static inline void ends_connect(struct end *a, struct end *b)
{
	assert_int_equal(end_learn(a, b), 0);
	assert_int_equal(end_learn(b, a), 0);
	sides_run(a->side, b->side, 600 * 1000);
}

static inline enum session_state end_last_state(const struct end *e)
{
	return e->n_states ? e->states[(e->n_states - 1) % PAIR_STATES] : SESSION_NEW;
}

/* One RTP packet of this stream; `payload` is borrowed until the flush. */
static inline void end_send_rtp(struct end *e, struct srtp_stream *stream, uint32_t ssrc,
	uint16_t seq, struct slice payload)
{
	struct rtp_header h = {.ssrc = ssrc, .seq = seq, .payload_type = 111};
	struct rtp_out *out = session_tx_rtp(e->s);
	out->stream = stream;
	out->hdr_len = (uint8_t)rtp_header_write(out->hdr, sizeof out->hdr, &h);
	out->prefix_len = 0;
	out->payload = payload.p;
	out->payload_len = (uint16_t)payload.n;
}
