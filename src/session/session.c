#include "session/session.h"

#include <stdio.h>
#include <string.h>

#include "base/hot.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"
#include "base/rng.h"
#include "rtp/packet.h"
#include "session/session_internal.h"

enum {
	JOBS_MAX = 64,
	CHANNELS_MAX = 16, /* clients use three; each costs about 150 bytes whether it is used or not */
};

/* ------------------------------------------------------------------ state */

static void enter(struct session *s, enum session_state state)
{
	if (s->state == state || s->state == SESSION_CLOSED || s->is_closed)
		return;
	s->state = state;
	s->ops->state(s->arg, state);
}

/* Connected is when both ICE has a path and DTLS has made keys, whichever comes last. */
static void settle(struct session *s)
{
	if (s->is_closed)
		return;
	switch (ice_state(s->ice)) {
	case ICE_CONNECTED:
		if (s->dtls_failed)
			enter(s, SESSION_FAILED);
		else if (s->srtp)
			enter(s, SESSION_CONNECTED);
		return;
	case ICE_DISCONNECTED:
		if (s->state == SESSION_CONNECTED)
			enter(s, SESSION_DISCONNECTED);
		return;
	case ICE_FAILED: enter(s, SESSION_FAILED); return;
	case ICE_NEW:
	case ICE_CHECKING:
	case ICE_CLOSED: return;
	}
}

static void rearm(struct session *s)
{
	if (s->is_closed)
		return;
	uint64_t next = ice_next_us(s->ice);
	if (s->dtls)
		next = MIN(next, dtls_next_us(s->dtls));
	wheel_set(&s->rtc->worker->wheel, &s->timer, next);
}

static uint64_t now_of(const struct session *s)
{
	return s->rtc->worker->now_us;
}

/* ------------------------------------------------------------------ addresses */

static void key_set(
	struct map *m, struct session_tuple *slot, struct session *s, const uint8_t *key, size_t n)
{
	struct slice old = slice_of(slot->key, slot->len);
	if (slot->len && map_get(m, old) == s)
		map_del(m, old);
	memcpy(slot->key, key, n);
	slot->len = (uint8_t)n;
	map_put(m, slice_of(key, n), s);
}

static void keys_drop(struct map *m, struct session_tuple *slots, const struct session *s)
{
	for (size_t i = 0; i < SESSION_TUPLES_MAX; i++) {
		struct slice key = slice_of(slots[i].key, slots[i].len);
		if (slots[i].len && map_get(m, key) == s)
			map_del(m, key);
	}
}

static bool uses(const struct session *s, unsigned local, const struct addr *remote)
{
	unsigned selected_local;
	const struct addr *selected;
	return s->state == SESSION_CONNECTED && ice_selected(s->ice, &selected_local, &selected) &&
	       selected_local == local && addr_eq(selected, remote);
}

/* The oldest place, but not that of the path in use: others come and go, media must not lose its way. */
static struct session_tuple *tuple_slot(struct session *s)
{
	unsigned local;
	const struct addr *selected;
	struct session_tuple *slot = &s->tuples[s->next_tuple++ % SESSION_TUPLES_MAX];
	uint8_t key[TUPLE_KEY_CAP];
	if (!ice_selected(s->ice, &local, &selected))
		return slot;
	size_t n = session_tuple_key(local, selected, key);
	if (!slice_eq(slice_of(slot->key, slot->len), slice_of(key, n)))
		return slot;
	return &s->tuples[s->next_tuple++ % SESSION_TUPLES_MAX];
}

/*
 * An authenticated message came from this address: packets from there are this session's. An address on which
 * another session has its media is left to that one: a forged source must not take over a running call.
 */
static void tuple_learn(struct session *s, unsigned local, const struct addr *from)
{
	struct rtc *rtc = s->rtc;
	uint8_t key[TUPLE_KEY_CAP];
	size_t n = session_tuple_key(local, from, key);
	struct session *holder = map_get(&rtc->by_tuple, slice_of(key, n));
	if (holder == s || (holder && uses(holder, local, from)))
		return;
	key_set(&rtc->by_tuple, tuple_slot(s), s, key, n);
	rtc->locals[local].last_session = NULL;
}

static void probe_note(struct session *s, unsigned local, const struct addr *to)
{
	struct rtc *rtc = s->rtc;
	uint8_t key[TUPLE_KEY_CAP];
	size_t n = session_tuple_key(local, to, key);
	if (map_get(&rtc->by_probe, slice_of(key, n)) != s)
		key_set(&rtc->by_probe, &s->probes[s->next_probe++ % SESSION_TUPLES_MAX], s, key,
			n);
}

/* ------------------------------------------------------------------ ICE */

static void send_datagram(
	struct session *s, unsigned local, const struct addr *to, struct slice datagram)
{
	struct rtc *rtc = s->rtc;
	struct udp_sock *sock = &rtc->locals[local].sock;
	if (!udp_tx_fits(rtc->tx, datagram.n))
		rtc_flush(rtc);
	uint8_t *p = udp_tx_add(rtc->tx, sock, to, datagram.n);
	if (p)
		memcpy(p, datagram.p, datagram.n);
	else
		metric_drop(DROP_TX_QUEUE_FULL);
}

static void ice_send(void *arg, unsigned local, const struct addr *to, struct slice datagram)
{
	probe_note(arg, local, to);
	send_datagram(arg, local, to, datagram);
}

/* The DTLS client speaks first; the server waits, but its time limit runs. */
static void dtls_begin(struct session *s)
{
	if (!s->dtls || s->dtls_started || ice_state(s->ice) != ICE_CONNECTED)
		return;
	s->dtls_started = true;
	dtls_start(s->dtls, now_of(s));
}

static void ice_on_state(void *arg, enum ice_state state)
{
	struct session *s = arg;
	LOG_DEBUG("ice state", F_UINT("session", s->id), F_STR("state", ice_state_name(state)));
	if (state == ICE_CONNECTED)
		metric_inc(M_ICE_CONNECTED);
	else if (state == ICE_FAILED)
		metric_inc(M_ICE_FAILED);
	s->ice_moved = true;
}

static void ice_on_selected(void *arg, unsigned local, const struct addr *remote)
{
	struct session *s = arg;
	LOG_DEBUG("ice path", F_UINT("session", s->id), F_ADDR("local", &s->rtc->locals[local].sock.local),
		F_ADDR("remote", remote));
}

static const struct ice_ops ice_ops = {ice_send, ice_on_state, ice_on_selected};

/* The agent's ops may not call back into it: what follows from a change of state is done here. */
static void after_ice(struct session *s)
{
	if (s->ice_moved && !s->is_closed) {
		s->ice_moved = false;
		dtls_begin(s);
		settle(s);
	}
	rearm(s);
}

static void on_timer(void *arg, uint64_t now_us)
{
	struct session *s = arg;
	ice_timeout(s->ice, now_us);
	if (s->dtls)
		dtls_timeout(s->dtls, now_us);
	/* A wake-up that found the mailbox full is made up for here. */
	if (s->sctp)
		sctp_deliver(s->sctp);
	after_ice(s);
}

void session_rx_stun(
	struct session *s, unsigned local, const struct addr *from, const struct stun_msg *m)
{
	int err = ice_rx(s->ice, local, from, m, now_of(s));
	if (err == 0)
		tuple_learn(s, local, from);
	else
		metric_drop(err == -ERR_AUTH ? DROP_STUN_AUTH : DROP_STUN_MALFORMED);
	after_ice(s);
}

static struct ice *ice_make(struct session *s, bool is_controlling)
{
	struct ice_cfg cfg;
	ice_cfg_default(&cfg);
	cfg.ufrag = s->ufrag;
	cfg.pwd = s->pwd;
	cfg.is_controlling = is_controlling;
	cfg.is_lite = s->rtc->cfg.is_ice_lite;
	cfg.tie_breaker = rng_u64();
	cfg.locals = s->rtc->ice_locals;
	cfg.n_locals = s->rtc->n_locals;
	struct ice *ice = NULL;
	return ice_new(&ice, &cfg, &ice_ops, s) == 0 ? ice : NULL;
}

static void draw_credentials(struct session *s)
{
	do
		rng_ice_chars(s->ufrag, SESSION_UFRAG_LEN);
	while (map_get(&s->rtc->by_ufrag, slice_str(s->ufrag)));
	rng_ice_chars(s->pwd, SESSION_PWD_LEN);
	map_put(&s->rtc->by_ufrag, slice_str(s->ufrag), s);
}

/* ------------------------------------------------------------------ DTLS */

static void dtls_out(void *arg, struct slice datagram)
{
	struct session *s = arg;
	unsigned local;
	const struct addr *to;
	if (ice_selected(s->ice, &local, &to))
		send_datagram(s, local, to, datagram);
}

static void sctp_begin(struct session *s);

static void dtls_connected(void *arg, enum dtls_profile profile, struct slice keys)
{
	struct session *s = arg;
	metric_inc(M_DTLS_HANDSHAKES);
	s->srtp = srtp_new((enum srtp_profile)profile, keys, s->is_dtls_server);
	if (!s->srtp) {
		s->dtls_failed = true;
		LOG_WARN("srtp keys refused", F_UINT("session", s->id), F_INT("profile", profile));
		return;
	}
	s->srtp_overhead = srtp_profile_find((uint16_t)profile)->tag_len;
	LOG_DEBUG("dtls connected", F_UINT("session", s->id), F_STR("srtp", srtp_profile_find((uint16_t)profile)->name),
		F_STR("cipher", dtls_cipher_name(s->dtls)));
	settle(s);
	if (!s->is_closed)
		sctp_begin(s);
}

static void dtls_app_data(void *arg, struct slice data)
{
	struct session *s = arg;
	if (!s->sctp || sctp_rx(s->sctp, data) != 0)
		metric_drop(DROP_SCTP_REJECTED);
}

static void dtls_on_failed(void *arg, int err)
{
	struct session *s = arg;
	metric_inc(M_DTLS_FAILED);
	LOG_INFO("dtls failed", F_UINT("session", s->id), F_ERR(err));
	s->dtls_failed = true;
	enter(s, SESSION_FAILED);
}

static void dtls_on_closed(void *arg)
{
	struct session *s = arg;
	s->dtls_failed = true;
	enter(s, SESSION_CLOSED);
}

static const struct dtls_ops dtls_ops = {
	dtls_out, dtls_connected, dtls_app_data, dtls_on_failed, dtls_on_closed};

void session_rx_dtls(struct session *s, struct slice datagram)
{
	if (!s->dtls || dtls_rx(s->dtls, datagram, now_of(s)) != 0)
		metric_drop(DROP_DTLS_REJECTED);
	rearm(s);
}

static void dtls_make(struct session *s, bool is_server)
{
	struct dtls_cfg cfg = {.is_server = is_server, .require_srtp = true};
	s->is_dtls_server = is_server;
	s->dtls = dtls_new(s->rtc->dtls, &cfg, &dtls_ops, s);
	s->dtls_started = false;
}

/* "AB:CD…" as dtls_set_remote_fingerprint reads it. */
static size_t hex_with_colons(struct slice bytes, char *out, size_t cap)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t n = 0;
	for (size_t i = 0; i < bytes.n && n + 3 <= cap; i++) {
		if (i)
			out[n++] = ':';
		out[n++] = digits[bytes.p[i] >> 4];
		out[n++] = digits[bytes.p[i] & 15];
	}
	return n;
}

/* ------------------------------------------------------------------ SCTP */

static void sctp_out(void *arg, struct slice packet)
{
	struct session *s = arg;
	if (s->dtls && dtls_send(s->dtls, packet) != 0)
		metric_drop(DROP_SCTP_REJECTED);
}

/*
 * On whichever thread drives SCTP's timers: the owner is told through its mailbox. By number, as the session may be
 * gone by then; rtc lives as long as the mailbox delivers.
 */
struct wake_msg {
	struct msg msg;
	struct rtc *rtc;
	uint64_t session;
};

static void wake_handle(void *receiver, struct msg *m);

static void wake_drop(struct msg *m)
{
	xfree(m);
}

static const struct msg_kind wake_kind = {"session.sctp_wake", wake_handle, wake_drop};

static void sctp_wake(void *arg)
{
	struct session *s = arg;
	struct wake_msg *m = XNEW(struct wake_msg);
	*m = (struct wake_msg){{&wake_kind}, s->rtc, s->id};
	mbox_post_or_drop(&s->rtc->worker->mbox, &m->msg);
}

static void sctp_on_connected(void *arg)
{
	struct session *s = arg;
	s->sctp_is_up = true;
	s->ops->data_ready(s->arg);
}

static void sctp_on_channel_open(void *arg, const struct sctp_channel_info *info)
{
	struct session *s = arg;
	s->ops->channel_open(s->arg, info);
}

static void sctp_on_message(void *arg, uint16_t id, bool is_text, struct slice data)
{
	struct session *s = arg;
	metric_inc(M_DATA_IN);
	s->ops->message(s->arg, id, is_text, data);
}

static void sctp_on_writable(void *arg)
{
	struct session *s = arg;
	s->ops->writable(s->arg);
}

static void sctp_on_channel_closed(void *arg, uint16_t id)
{
	struct session *s = arg;
	s->ops->channel_closed(s->arg, id);
}

static void sctp_on_closed(void *arg, int err)
{
	struct session *s = arg;
	LOG_INFO("sctp association ended", F_UINT("session", s->id), F_ERR(err));
	s->sctp_is_up = false;
}

static const struct sctp_ops sctp_ops = {
	.send = sctp_out,
	.wake = sctp_wake,
	.connected = sctp_on_connected,
	.channel_open = sctp_on_channel_open,
	.message = sctp_on_message,
	.writable = sctp_on_writable,
	.channel_closed = sctp_on_channel_closed,
	.closed = sctp_on_closed,
};

static void wake_handle(void *receiver, struct msg *m)
{
	struct wake_msg *wake = CONTAINER_OF(m, struct wake_msg, msg);
	struct session *s =
		map_get(&wake->rtc->by_id, slice_of(&wake->session, sizeof wake->session));
	(void)receiver;
	xfree(wake);
	if (s && s->sctp)
		sctp_deliver(s->sctp);
}

static void sctp_begin(struct session *s)
{
	if (s->sctp || !s->srtp || !s->remote_max_message)
		return;
	struct sctp_cfg cfg = {
		.is_dtls_server = s->is_dtls_server,
		.max_streams = CHANNELS_MAX,
		.max_send = s->remote_max_message,
		.send_limit = (uint32_t)s->rtc->cfg.sctp_send_bytes,
	};
	s->sctp = sctp_new(&cfg, &sctp_ops, s);
	if (!s->sctp || sctp_start(s->sctp) != 0)
		LOG_WARN("sctp did not start", F_UINT("session", s->id));
}

/* ------------------------------------------------------------------ SRTP */

void session_rx_srtp(struct session *s, uint8_t *p, size_t n)
{
	if (UNLIKELY(!s->srtp || s->is_closed)) {
		metric_drop(DROP_SRTP_NO_KEY);
		return;
	}
	bool is_rtcp = rtp_is_rtcp(slice_of(p, n));
	int err =
		is_rtcp ? srtp_unprotect_rtcp(s->srtp, p, &n) : srtp_unprotect_rtp(s->srtp, p, &n);
	if (UNLIKELY(err)) {
		metric_drop(err == -ERR_REPLAY	? DROP_SRTP_REPLAY :
			    err == -ERR_AUTH	? DROP_SRTP_AUTH :
			    is_rtcp		? DROP_RTCP_MALFORMED :
						  DROP_RTP_MALFORMED);
		return;
	}
	if (is_rtcp) {
		s->ops->rtcp(s->arg, slice_of(p, n), now_of(s));
	} else {
		metric_inc(M_RTP_IN);
		s->ops->rtp(s->arg, p, n, now_of(s));
	}
}

struct srtp_stream *session_stream_add(struct session *s, uint32_t ssrc)
{
	return s->srtp ? srtp_tx_add(s->srtp, ssrc) : NULL;
}

void session_stream_del(struct session *s, struct srtp_stream *stream)
{
	if (!stream || !s->srtp)
		return;
	rtc_flush(s->rtc); /* queued packets hold the handle */
	srtp_tx_del(s->srtp, stream);
}

struct rtp_out *session_tx_rtp(struct session *s)
{
	struct rtc *rtc = s->rtc;
	if (UNLIKELY(rtc->queue_n == rtc->queue_cap))
		rtc_flush(rtc);
	uint32_t i = rtc->queue_n++;
	if (s->tx_head == TX_NONE) {
		s->tx_head = i;
		list_push(&rtc->dirty, &s->dirty);
	} else {
		rtc->queue[s->tx_tail].next = i;
	}
	s->tx_tail = i;
	struct rtp_out *out = &rtc->queue[i];
	out->next = TX_NONE;
	return out;
}

/* Lays header, prefix and payload down in the arena, where they are encrypted in place. */
static bool lay_out(struct session *s, const struct rtp_out *out, struct udp_sock *sock,
	const struct addr *to, size_t overhead, struct srtp_job *job)
{
	size_t body = (size_t)out->prefix_len + out->payload_len;
	uint8_t *p = udp_tx_add(s->rtc->tx, sock, to, out->hdr_len + body + overhead);
	if (!p)
		return false;
	memcpy(p, out->hdr, out->hdr_len);
	memcpy(p + out->hdr_len, out->prefix, out->prefix_len);
	memcpy(p + out->hdr_len + out->prefix_len, out->payload, out->payload_len);
	*job = (struct srtp_job){
		.stream = out->stream,
		.hdr = p,
		.payload = p + out->hdr_len,
		.out = p,
		.hdr_len = out->hdr_len,
		.payload_len = (uint16_t)body,
	};
	return true;
}

/*
 * Encrypts what was laid out. A packet that SRTP refuses must not leave as it lies there: its place in the run stays,
 * its bytes do not.
 */
static void protect(struct session *s, struct srtp_job *jobs, unsigned n)
{
	srtp_protect_batch(s->srtp, jobs, n);
	for (unsigned i = 0; i < n; i++) {
		if (LIKELY(jobs[i].out_len))
			continue;
		memset(jobs[i].out, 0,
			(size_t)jobs[i].hdr_len + jobs[i].payload_len + s->srtp_overhead);
		metric_drop(DROP_SRTP_REFUSED);
	}
}

void session_flush(struct session *s)
{
	struct rtc *rtc = s->rtc;
	struct srtp_job jobs[JOBS_MAX];
	unsigned n = 0, local;
	const struct addr *to;
	uint32_t i = s->tx_head;
	s->tx_head = TX_NONE;
	if (!s->srtp || s->is_closed || !ice_selected(s->ice, &local, &to))
		return;
	while (i != TX_NONE) {
		const struct rtp_out *out = &rtc->queue[i];
		if (n == JOBS_MAX || !lay_out(s, out, &rtc->locals[local].sock, to,
					     s->srtp_overhead, &jobs[n])) {
			protect(s, jobs, n);
			if (n < JOBS_MAX)
				udp_tx_flush(rtc->tx);
			n = 0;
			continue;
		}
		n++;
		i = out->next;
	}
	protect(s, jobs, n);
}

void session_flush_all(struct session *s)
{
	rtc_flush(s->rtc);
}

void session_tx_rtcp(struct session *s, struct slice compound)
{
	unsigned local;
	const struct addr *to;
	if (!s->srtp || s->is_closed || compound.n > SESSION_RTCP_MAX ||
		!ice_selected(s->ice, &local, &to))
		return;
	uint8_t packet[SESSION_RTCP_MAX + SRTCP_MAX_OVERHEAD];
	memcpy(packet, compound.p, compound.n);
	size_t n;
	if (srtp_protect_rtcp(s->srtp, packet, compound.n, sizeof packet, &n) == 0)
		send_datagram(s, local, to, slice_of(packet, n));
}

/* ------------------------------------------------------------------ life */

struct session *session_new(struct rtc *rtc, const struct session_cfg *cfg)
{
	if (rtc->cfg.sessions_max && rtc->n_sessions >= rtc->cfg.sessions_max)
		return NULL;
	struct session *s = XNEW(struct session);
	s->rtc = rtc;
	s->id = ++rtc->next_id;
	s->ops = cfg->ops;
	s->arg = cfg->arg;
	s->tx_head = TX_NONE;
	list_init(&s->node);
	list_init(&s->dirty);
	timer_init(&s->timer, on_timer, s);
	draw_credentials(s);
	map_put(&rtc->by_id, slice_of(&s->id, sizeof s->id), s);
	list_push(&rtc->sessions, &s->node);
	rtc->n_sessions++;
	metric_inc(M_SESSIONS);

	s->ice = ice_make(s, cfg->is_ice_controlling);
	if (!s->ice) {
		session_close(s);
		return NULL;
	}
	return s;
}

void session_close(struct session *s)
{
	if (!s || s->is_closed)
		return;
	struct rtc *rtc = s->rtc;
	bool was_hot = hot_pause(); /* an op of the packet path may be the caller */
	rtc_flush(rtc);
	/* Last words, while there is a path to say them on: the SCTP ABORT and the DTLS alert. */
	sctp_free(s->sctp);
	s->sctp = NULL;
	s->sctp_is_up = false;
	if (s->dtls && !s->dtls_failed)
		dtls_close(s->dtls);
	s->is_closed = true;
	wheel_del(&rtc->worker->wheel, &s->timer);
	keys_drop(&rtc->by_tuple, s->tuples, s);
	keys_drop(&rtc->by_probe, s->probes, s);
	map_del(&rtc->by_ufrag, slice_str(s->ufrag));
	map_del(&rtc->by_ufrag, slice_str(s->old_ufrag));
	map_del(&rtc->by_id, slice_of(&s->id, sizeof s->id));
	for (size_t i = 0; i < rtc->n_locals; i++)
		if (rtc->locals[i].last_session == s)
			rtc->locals[i].last_session = NULL;
	list_del(&s->node);
	list_push(&rtc->dead, &s->node);
	rtc->n_sessions--;
	metric_sub(M_SESSIONS, 1);
	hot_resume(was_hot);
}

void session_destroy(struct session *s)
{
	list_del(&s->node);
	list_del(&s->dirty);
	dtls_free(s->dtls);
	srtp_free(s->srtp);
	ice_free(s->ice);
	secret_wipe(s->pwd, sizeof s->pwd);
	xfree(s);
}

static void wait_for_ice(struct session *s)
{
	s->ice_moved = true;
	after_ice(s);
}

int session_set_remote(struct session *s, const struct session_remote *remote)
{
	int err = ice_set_remote(s->ice, remote->ufrag, remote->pwd, now_of(s));
	if (err)
		return err;
	s->remote_max_message = remote->max_message_size;
	if (!s->dtls) {
		char hex[3 * 64];
		dtls_make(s, remote->is_dtls_server);
		size_t n = hex_with_colons(remote->fingerprint, hex, sizeof hex);
		err = s->dtls ? dtls_set_remote_fingerprint(
					s->dtls, remote->fingerprint_alg, slice_of(hex, n)) :
				-ERR_CRYPTO;
		if (err) {
			dtls_free(s->dtls);
			s->dtls = NULL;
			return err;
		}
	}
	sctp_begin(s);
	wait_for_ice(s);
	return 0;
}

int session_add_candidate(struct session *s, struct slice line)
{
	int err = ice_add_remote_candidate(s->ice, line, now_of(s));
	after_ice(s);
	return err;
}

void session_restart_ice(struct session *s)
{
	map_del(&s->rtc->by_ufrag, slice_str(s->old_ufrag));
	memcpy(s->old_ufrag, s->ufrag, sizeof s->old_ufrag);
	draw_credentials(s);
	if (ice_restart(s->ice, s->ufrag, s->pwd, now_of(s)) != 0)
		LOG_WARN("ice restart refused", F_UINT("session", s->id));
	after_ice(s);
}

/* ------------------------------------------------------------------ getters */

const char *session_ufrag(const struct session *s)
{
	return s->ufrag;
}

const char *session_pwd(const struct session *s)
{
	return s->pwd;
}

const char *session_fingerprint(const struct session *s)
{
	return dtls_identity_fingerprint(s->rtc->cfg.identity);
}

char **session_candidates(const struct session *s, size_t *n)
{
	enum { CANDIDATES_MAX = ICE_LOCALS_MAX * ICE_ADVERTISED_MAX, LINE_MAX = 512 };
	struct ice_candidate all[CANDIDATES_MAX];
	*n = ice_local_candidates(s->ice, all, CANDIDATES_MAX);
	char **lines = xcalloc(*n, sizeof *lines);
	for (size_t i = 0; i < *n; i++) {
		struct buf b;
		buf_init(&b, LINE_MAX);
		ice_candidate_format(&all[i], &b);
		lines[i] = buf_take(&b);
	}
	return lines;
}

enum session_state session_state_now(const struct session *s)
{
	return s->state;
}

const char *session_state_name(enum session_state state)
{
	static const char *const names[] = {"new", "connected", "disconnected", "failed", "closed"};
	return names[state];
}

uint32_t session_rtt_us(const struct session *s)
{
	return ice_rtt_us(s->ice);
}

const struct addr *session_remote_addr(const struct session *s)
{
	unsigned local;
	const struct addr *remote;
	return ice_selected(s->ice, &local, &remote) ? remote : NULL;
}

int session_open_channel(struct session *s, struct sctp_channel_info *channel)
{
	return s->sctp_is_up ? sctp_open_channel(s->sctp, channel) : -ERR_BAD_STATE;
}

int session_send(struct session *s, uint16_t channel, bool is_text, struct slice data)
{
	if (!s->sctp_is_up)
		return -ERR_BAD_STATE;
	int err = sctp_send(s->sctp, channel, is_text, data);
	if (!err)
		metric_inc(M_DATA_OUT);
	return err;
}
