/* session_internal: what rtc.c and session.c share. */
#pragma once
#include "base/list.h"
#include "base/map.h"
#include "base/wheel.h"
#include "crypto/hmac.h"
#include "session/rtc.h"
#include "session/session.h"
#include "srtp/srtp.h"

enum {
	SESSION_TUPLES_MAX = 16, /* source addresses of one session at a time */
	TUPLE_KEY_CAP = ADDR_KEY_CAP + 1,
	TX_NONE = UINT32_MAX,
};

struct rtc_local {
	struct rtc *rtc;
	unsigned index;
	struct udp_sock sock;
	struct ev_io io;
	/* Bursts come from one source: the last one found needs no look-up. */
	struct addr last_from;
	struct session *last_session;
};

struct rtc {
	struct worker *worker;
	struct rtc_cfg cfg;
	struct ice_local ice_locals[ICE_LOCALS_MAX];
	struct rtc_local locals[ICE_LOCALS_MAX];
	size_t n_locals;
	struct udp_rx *rx;
	struct udp_tx *tx;
	rtc_divert divert;
	void *divert_arg;
	struct dtls_ctx *dtls;
	struct map by_tuple; /* source addresses that proved to be a session's */
	struct map by_probe; /* addresses that a session's checks went to: only responses are looked for here */
	struct map by_ufrag;
	struct map by_id; /* for messages that arrive after their session went */
	struct list sessions, dead, dirty;
	size_t n_sessions;
	uint64_t next_id;

	struct rtp_out *queue;
	uint32_t queue_n, queue_cap;
};

struct session_tuple {
	uint8_t key[TUPLE_KEY_CAP];
	uint8_t len; /* 0 = unused */
};

struct session {
	/* What every packet sent touches: one cache line. */
	struct rtc *rtc;
	struct list dirty;         /* in rtc->dirty while packets wait */
	uint32_t tx_head, tx_tail; /* in rtc->queue */
	struct srtp *srtp;
	struct ice *ice;
	uint8_t srtp_overhead;
	bool is_closed, ice_moved, dtls_started, dtls_failed;
	enum session_state state;

	struct list node; /* in rtc->sessions or rtc->dead */
	uint64_t id;
	const struct session_ops *ops;
	void *arg;

	char ufrag[SESSION_UFRAG_LEN + 1], pwd[SESSION_PWD_LEN + 1];
	char old_ufrag[SESSION_UFRAG_LEN + 1]; /* of the generation before an ICE restart, "" = none */
	struct dtls *dtls;
	bool is_dtls_server;
	struct sctp *sctp;
	bool sctp_is_up;
	uint32_t remote_max_message;
	struct timer timer;

	struct session_tuple tuples[SESSION_TUPLES_MAX], probes[SESSION_TUPLES_MAX];
	unsigned next_tuple, next_probe;
};

/* Datagrams that the demultiplexer found to be this session's. Count drops themselves. */
void session_rx_stun(
	struct session *s, unsigned local, const struct addr *from, const struct stun_msg *m);
void session_rx_dtls(struct session *s, struct slice datagram);
void session_rx_srtp(struct session *s, uint8_t *p, size_t n);

/* Frees a session that is on rtc->dead. */
void session_destroy(struct session *s);

/* Encrypts the session's queue into rtc->tx; the queue is empty afterwards. */
void session_flush(struct session *s);

size_t session_tuple_key(unsigned local, const struct addr *from, uint8_t out[TUPLE_KEY_CAP]);
