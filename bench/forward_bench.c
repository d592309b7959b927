/*
 * forward_bench: what one packet to one subscriber costs. One publisher sends VP8 packets of 1200 bytes in bursts of
 * eight to 1, 10, 100 and 500 subscribers: real sessions with keys from real DTLS handshakes, on one thread.
 *
 *   step     decrypted packet → receiver → downtracks → SRTP → a sink in place of the kernel
 *   send     the same, sent to loopback sockets whose queues are full
 *   whole    the publisher's packets come in through a socket too, and are decrypted
 *
 * CPU time of the thread; the least, median and most of several runs. Arguments: profile ("gcm", "cm", "all"),
 * mode, number of subscribers; what is left out is all of them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/clock.h"
#include "base/hot.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"
#include "peer.h"
#include "session/session_internal.h"
#include "sfu/sfu.h"

enum {
	SUBSCRIBERS = 500,
	PACKET = 1200,
	BURST = 8,
	RUNS = 5,
	RUN_PACKETS = 200 * 1000, /* forwarded, per run */
	SSRC = 0x1234,
	PT = 96,
	ID_MID = 1,
	ID_SEND_TIME = 2,
	ID_TWCC = 3,
	CONNECT_US = 20 * 1000 * 1000,
};

enum mode { STEP, SEND, WHOLE, MODES };
static const char *const mode_names[MODES] = {"step", "send", "whole"};

struct sub {
	struct session *session;
	struct peer *peer;
	struct sender *sender;
	struct downtrack *down;
};

struct bench {
	struct worker worker;
	struct dtls_identity *identity;
	struct dtls_ctx *peer_dtls;
	struct udp_rx *peer_rx;
	struct udp_tx *peer_tx;
	struct rtc *rtc;
	struct sub subs[SUBSCRIBERS];
	struct session *pub_session;
	struct peer *pub;
	struct srtp_stream *pub_stream;
	struct receiver *receiver;
	struct uptrack *track;

	uint8_t packets[BURST][PACKET + SRTP_MAX_OVERHEAD];
	uint16_t seq, picture;
	uint32_t ts;
	uint64_t sunk_packets, sunk_messages;
};

/* ------------------------------------------------------------------ sessions */

static void on_state(void *arg, enum session_state state)
{
	(void)arg;
	if (state == SESSION_FAILED)
		fprintf(stderr, "a session failed\n");
}

static void on_rtp(void *arg, uint8_t *p, size_t n, uint64_t now_us)
{
	struct bench *b = arg;
	receiver_rtp(b->receiver, p, n, now_us);
}

static void on_rtcp(void *arg, struct slice compound, uint64_t now_us)
{
	(void)arg;
	(void)compound;
	(void)now_us;
}

static void on_event(void *arg)
{
	(void)arg;
}

static const struct session_ops session_ops = {
	.state = on_state,
	.rtp = on_rtp,
	.rtcp = on_rtcp,
	.data_ready = on_event,
	.writable = on_event,
};

/* What worker_run does, once and without waiting. */
static void turn(struct bench *b)
{
	ev_wait(&b->worker.ev, 0);
	b->worker.now_us = clock_mono_us();
	ev_dispatch(&b->worker.ev);
	wheel_run(&b->worker.wheel, b->worker.now_us);
	rtc_end_turn(b->rtc);
}

static struct slice fingerprint_bytes(const char *text, uint8_t out[32])
{
	for (unsigned i = 0; i < 32; i++)
		out[i] = (uint8_t)strtoul(text + (size_t)3 * i, NULL, 16);
	return slice_of(out, 32);
}

static struct peer *start_peer(struct bench *b, struct session **session)
{
	struct session_cfg session_cfg = {.ops = &session_ops, .arg = b};
	struct peer_cfg peer_cfg = {.dtls = b->peer_dtls, .rx = b->peer_rx};
	struct session *s = session_new(b->rtc, &session_cfg);
	struct peer *p = peer_new(&peer_cfg);
	const char *fingerprint = dtls_identity_fingerprint(b->identity);
	uint8_t digest[32];
	struct session_remote remote = {
		.ufrag = slice_str(peer_ufrag(p)),
		.pwd = slice_str(peer_pwd(p)),
		.fingerprint_alg = slice_str("sha-256"),
		.fingerprint = fingerprint_bytes(fingerprint, digest),
		.is_dtls_server = true,
	};
	uint64_t now = clock_mono_us();
	b->worker.now_us = now;
	if (!s || session_set_remote(s, &remote) != 0)
		abort();
	peer_set_remote(p, slice_str(session_ufrag(s)), slice_str(session_pwd(s)),
		slice_str(fingerprint), now);
	size_t n;
	char **lines = session_candidates(s, &n);
	for (size_t i = 0; i < n; i++) {
		peer_add_candidate(p, slice_str(lines[i]), now);
		xfree(lines[i]);
	}
	xfree(lines);
	*session = s;
	return p;
}

static bool poll_all(struct bench *b)
{
	bool ready =
		peer_is_ready(b->pub) && session_state_now(b->pub_session) == SESSION_CONNECTED;
	peer_poll(b->pub, clock_mono_us());
	for (unsigned i = 0; i < SUBSCRIBERS; i++) {
		struct sub *s = &b->subs[i];
		peer_poll(s->peer, clock_mono_us());
		ready = ready && peer_is_ready(s->peer) &&
			session_state_now(s->session) == SESSION_CONNECTED;
	}
	turn(b);
	return ready;
}

/* All at once: nomination alone takes each of them a tenth of a second. */
static void connect_all(struct bench *b)
{
	uint64_t limit = clock_mono_us() + CONNECT_US;
	b->pub = start_peer(b, &b->pub_session);
	for (unsigned i = 0; i < SUBSCRIBERS; i++)
		b->subs[i].peer = start_peer(b, &b->subs[i].session);
	while (!poll_all(b)) {
		if (clock_mono_us() > limit) {
			fprintf(stderr, "the sessions do not connect\n");
			abort();
		}
	}
}

/* Empties the sockets and keeps consent alive. */
static void keep_alive(struct bench *b)
{
	for (unsigned k = 0; k < 3; k++)
		(void)poll_all(b);
}

/* ------------------------------------------------------------------ media */

static void layers_changed(void *arg)
{
	(void)arg;
}

static void wanted_changed(void *arg, int layer)
{
	(void)arg;
	(void)layer;
}

static const struct uptrack_ops track_ops = {layers_changed, wanted_changed};

static struct uptrack *publish(struct bench *b)
{
	struct uptrack_cfg cfg = {
		.codec = rtp_codec_find(slice_str("video/VP8")),
		.mid = "0",
		.payload_type = PT,
		.has_nack = true,
		.n_layers = 1,
		.layers[0] = {.ssrc = SSRC, .width = 1280, .height = 720, .quality = QUALITY_HIGH},
		.buffer_packets = 500,
		.ops = &track_ops,
	};
	struct rtp_ext_ids ids = {.id = {[RTP_EXT_MID] = ID_MID,
					  [RTP_EXT_ABS_SEND_TIME] = ID_SEND_TIME,
					  [RTP_EXT_TWCC] = ID_TWCC}};
	b->receiver = receiver_new(b->pub_session, &b->worker.wheel);
	receiver_set_ext_ids(b->receiver, &ids);
	return uptrack_new(b->receiver, &cfg);
}

static void subscribe(struct bench *b, unsigned n)
{
	struct downtrack_cfg cfg = {
		.payload_type = PT,
		.rtx_payload_type = PT + 1,
		.ids = {.id = {[RTP_EXT_ABS_SEND_TIME] = ID_SEND_TIME}},
		.wish = {.quality = QUALITY_HIGH},
	};
	for (unsigned i = 0; i < n; i++) {
		struct sub *s = &b->subs[i];
		cfg.ssrc = 2 * i + 1000;
		cfg.rtx_ssrc = cfg.ssrc + 1;
		s->sender = sender_new(s->session, &b->worker.wheel);
		s->down = downtrack_new(b->track, s->sender, &cfg);
		sender_connected(s->sender, b->worker.now_us);
	}
}

static void unsubscribe(struct bench *b, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		downtrack_free(b->subs[i].down);
		sender_free(b->subs[i].sender);
	}
}

/* One frame of eight packets: header with three extensions, VP8 descriptor with all its fields, and the rest. */
static void make_burst(struct bench *b, bool is_key)
{
	b->ts += 3000;
	b->picture = (b->picture + 1) & 0x7fff;
	for (unsigned i = 0; i < BURST; i++) {
		uint8_t *p = b->packets[i];
		p[0] = 0x90;
		p[1] = (uint8_t)((i == BURST - 1) << 7 | PT);
		wr16(p + 2, b->seq);
		wr32(p + 4, b->ts);
		wr32(p + 8, SSRC);
		wr16(p + 12, 0xbede);
		wr16(p + 14, 3);
		memcpy(p + 16,
			(uint8_t[]){
				ID_MID << 4, '0', ID_SEND_TIME << 4 | 2, 1, 2, 3, ID_TWCC << 4 | 1},
			7);
		wr16(p + 23, b->seq++);
		memset(p + 25, 0, 3);
		uint8_t *v = p + 28;
		v[0] = i ? 0x80 : 0x90;
		v[1] = 0xf0;
		wr16(v + 2, 0x8000 | b->picture);
		v[4] = (uint8_t)b->picture;
		v[5] = 0x20 | (b->picture & 0x1f);
		if (i == 0)
			memcpy(v + 6, (uint8_t[]){!is_key, 0, 0, 0x9d, 1, 0x2a, 0, 5, 0xd0, 2}, 10);
	}
}

/* Encrypted and on its way to the server's socket. */
static void publish_burst(struct bench *b)
{
	const struct addr *to = peer_remote(b->pub);
	struct srtp_job jobs[BURST];
	for (unsigned i = 0; i < BURST; i++) {
		jobs[i] = (struct srtp_job){.stream = b->pub_stream,
			.hdr = b->packets[i],
			.hdr_len = 28,
			.payload = b->packets[i] + 28,
			.payload_len = PACKET - 28,
			.out = b->packets[i]};
	}
	srtp_protect_batch(peer_srtp(b->pub), jobs, BURST);
	for (unsigned i = 0; i < BURST; i++)
		memcpy(udp_tx_add(b->peer_tx, peer_sock(b->pub), to, jobs[i].out_len), jobs[i].out,
			jobs[i].out_len);
	udp_tx_flush(b->peer_tx);
}

/* ------------------------------------------------------------------ measuring */

static void sink(void *arg, struct udp_sock *s, const struct addr *to, const uint8_t *p, size_t n,
	size_t seg)
{
	struct bench *b = arg;
	(void)s;
	(void)to;
	(void)p;
	b->sunk_packets += (n + seg - 1) / seg;
	b->sunk_messages++;
}

static uint64_t cpu_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t wall_ns(void)
{
	return clock_mono_us() * 1000;
}

/* One burst; returns the CPU time that the server's part of it took. */
static uint64_t one_burst(struct bench *b, enum mode mode, bool is_key)
{
	make_burst(b, is_key);
	if (mode == WHOLE)
		publish_burst(b);
	uint64_t t = cpu_ns();
	if (mode == WHOLE) {
		turn(b);
		return cpu_ns() - t;
	}
	b->worker.now_us = clock_mono_us();
	hot_enter();
	for (unsigned i = 0; i < BURST; i++)
		receiver_rtp(b->receiver, b->packets[i], PACKET, b->worker.now_us);
	rtc_flush(b->rtc);
	hot_leave();
	return cpu_ns() - t;
}

struct result {
	double ns[RUNS], wall_ns;
	double per_message;
	uint64_t forwarded, expected;
};

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void measure(struct bench *b, enum mode mode, unsigned n, struct result *r)
{
	*r = (struct result){0};
	rtc_set_sink(b->rtc, mode == STEP ? sink : NULL, b);
	subscribe(b, n);
	one_burst(b, mode, true);
	unsigned bursts = MAX(RUN_PACKETS / BURST / n, 1u);
	b->sunk_packets = b->sunk_messages = 0;
	for (unsigned k = 0; k < RUNS; k++) {
		uint64_t cpu = 0, before = metric_sum(M_PACKETS_OUT), wall = wall_ns();
		for (unsigned i = 0; i < bursts; i++)
			cpu += one_burst(b, mode, false);
		wall = wall_ns() - wall;
		uint64_t got = metric_sum(M_PACKETS_OUT) - before;
		r->forwarded += got;
		r->expected += (uint64_t)bursts * BURST * n;
		r->ns[k] = (double)cpu / (double)MAX(got, 1u);
		r->wall_ns += (double)wall / (double)MAX(got, 1u) / RUNS;
	}
	r->per_message = b->sunk_messages ? (double)b->sunk_packets / (double)b->sunk_messages : 0;
	qsort(r->ns, RUNS, sizeof r->ns[0], by_value);
	rtc_set_sink(b->rtc, NULL, NULL);
	unsubscribe(b, n);
	keep_alive(b);
}

static void print(const char *profile, enum mode mode, unsigned n, const struct result *r)
{
	char per_message[16] = "-";
	if (r->per_message > 0)
		snprintf(per_message, sizeof per_message, "%.1f", r->per_message);
	printf("%-4s %-6s %5u %8.0f %8.0f %8.0f %8.0f %12.0f %8s%s\n", profile, mode_names[mode], n, r->ns[0],
		r->ns[RUNS / 2], r->ns[RUNS - 1], r->wall_ns, 1e9 / r->ns[RUNS / 2], per_message,
		r->forwarded >= r->expected ? "" : "  (some were lost)");
	fflush(stdout);
}

/* ------------------------------------------------------------------ set-up */

static void setup(struct bench *b, enum dtls_profile profile)
{
	struct errbuf eb;
	struct ice_local local = {0};
	struct rtc_cfg cfg = {
		.locals = &local,
		.n_locals = 1,
		.is_ice_lite = true,
		.tx_queue_packets = 4096,
		.srtp_profiles = &profile,
		.n_srtp_profiles = 1,
	};
	static const struct worker_ops no_ops;
	if (dtls_identity_new(&b->identity) != 0 ||
		dtls_ctx_new(&b->peer_dtls, b->identity, NULL, 0) != 0 ||
		addr_parse_ip(&local.base, slice_str("127.0.0.1"), 0) != 0 ||
		worker_init(&b->worker, 0, &no_ops, NULL, 16) != 0)
		abort();
	cfg.identity = b->identity;
	if (rtc_new(&b->rtc, &b->worker, &cfg, &eb) != 0)
		abort();
	b->peer_rx = udp_rx_new(UDP_RX_BATCH, &udp_rtc_in);
	b->peer_tx = udp_tx_new(64 * 1024, &udp_rtc_out);
	connect_all(b);
	b->pub_stream = srtp_tx_add(peer_srtp(b->pub), SSRC);
	b->track = publish(b);
}

static void teardown(struct bench *b)
{
	uptrack_free(b->track);
	receiver_free(b->receiver);
	rtc_free(b->rtc);
	for (unsigned i = 0; i < SUBSCRIBERS; i++)
		peer_free(b->subs[i].peer);
	peer_free(b->pub);
	worker_close(&b->worker);
	udp_rx_free(b->peer_rx);
	udp_tx_free(b->peer_tx);
	dtls_ctx_free(b->peer_dtls);
	dtls_identity_free(b->identity);
}

static void bench_profile(const char *name, enum dtls_profile profile, const char *only_mode,
	unsigned only_count)
{
	static const unsigned counts[] = {1, 10, 100, SUBSCRIBERS};
	static struct bench b;
	b = (struct bench){0};
	setup(&b, profile);
	for (enum mode mode = 0; mode < MODES; mode++) {
		if (only_mode && strcmp(only_mode, mode_names[mode]) != 0)
			continue;
		for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
			struct result r;
			if (only_count && counts[i] != only_count)
				continue;
			measure(&b, mode, counts[i], &r);
			print(name, mode, counts[i], &r);
		}
	}
	teardown(&b);
}

int main(int argc, char **argv)
{
	const char *profile = argc > 1 ? argv[1] : "all", *mode = argc > 2 ? argv[2] : NULL;
	unsigned count = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 0;
	struct rlimit files;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	metric_thread_init();
	mbox_thread_init();
	log_set_level(LOG_LEVEL_WARN);
	printf("%-4s %-6s %5s %8s %8s %8s %8s %12s %8s\n", "SRTP", "mode", "subs", "min ns", "median", "max",
		"wall", "packets/s", "segments");
	if (strcmp(profile, "cm") != 0)
		bench_profile("GCM", DTLS_PROFILE_AEAD_AES_128_GCM, mode, count);
	if (strcmp(profile, "gcm") != 0)
		bench_profile("CM", DTLS_PROFILE_AES128_CM_SHA1_80, mode, count);
	return 0;
}
