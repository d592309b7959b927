/*
 * idle_bench: what an idle participant costs, and how fast the server starts. Runs the real binary, lets participants
 * join over WebSocket with a single peer connection of nine sections and three data channels, waits until all of them
 * are connected, and divides what the server's resident memory has grown by.
 *
 * Arguments: the binary, number of participants, "plain" (no permessage-deflate).
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "auth/token.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"
#include "pb/join_request.h"
#include "pb/pb.h"
#include "peer.h"
#include "sctp/sctp.h"
#include "thread/mbox.h"
#include "ws_client.h"

enum {
	DEFAULT_PARTICIPANTS = 400,
	WARM_UP = 20, /* not counted: pools and tables that all share grow with the first ones */
	PER_ROOM = 10,
	PORT = 17880,
	UDP_PORT = 17882,
	AUDIO_SECTIONS = 4,
	VIDEO_SECTIONS = 4,
	READY_US = 5 * 1000 * 1000,
	JOIN_US = 30 * 1000 * 1000,
	SETTLE_US = 1500 * 1000,
	POLL_NS = 1000 * 1000,
};

#define KEY "bench"
#define SECRET "bench-secret-that-is-long-enough-for-hs256"

struct participant {
	struct ws_client *ws;
	struct peer *peer;
	bool has_remote;
	uint64_t now_us;
};

struct bench {
	pid_t server;
	struct dtls_identity *identity;
	struct dtls_ctx *dtls;
	struct udp_rx *rx;
	struct auth_keys *keys;
	struct participant *all;
	unsigned n;
	bool deflate;
	uint64_t ticked_us;
};

static void die(const char *why)
{
	fprintf(stderr, "idle_bench: %s\n", why);
	exit(1);
}

static void nap(void)
{
	nanosleep(&(struct timespec){.tv_nsec = POLL_NS}, NULL);
}

/* ------------------------------------------------------------------ the server */

static uint64_t start_server(struct bench *b, const char *binary)
{
	char config[512];
	snprintf(config, sizeof config,
		"{\"port\": %d, \"bind_addresses\": [\"127.0.0.1\"], \"keys\": {\"" KEY "\": \"" SECRET "\"},"
		" \"logging\": {\"level\": \"warn\"}, \"rtc\": {\"udp_port\": \"%d-%d\","
		" \"node_ip\": \"127.0.0.1\", \"enable_loopback_candidate\": true}}",
		PORT, UDP_PORT, UDP_PORT + 63);
	uint64_t t = clock_mono_us();
	b->server = fork();
	if (b->server == 0) {
		execl(binary, binary, "serve", "--config-body", config, (char *)NULL);
		_exit(127);
	}
	while (!ws_client_server_is_ready(PORT)) {
		if (clock_mono_us() - t > READY_US ||
			waitpid(b->server, NULL, WNOHANG) == b->server)
			die("the server does not start");
		nap();
	}
	return clock_mono_us() - t;
}

static void stop_server(const struct bench *b)
{
	kill(b->server, SIGTERM);
	kill(b->server, SIGINT); /* not worth waiting for those who are still there */
	nap();
	kill(b->server, SIGKILL);
	waitpid(b->server, NULL, 0);
}

/* A "Name:  123 kB" line of the server's /proc/…/status. */
static unsigned long status_kib(const struct bench *b, const char *name)
{
	char path[64], line[256];
	unsigned long kib = 0;
	snprintf(path, sizeof path, "/proc/%d/status", (int)b->server);
	FILE *f = fopen(path, "r");
	while (f && fgets(line, sizeof line, f))
		if (strncmp(line, name, strlen(name)) == 0)
			kib = strtoul(line + strlen(name), NULL, 10);
	if (f)
		fclose(f);
	return kib;
}

/* ------------------------------------------------------------------ joining */

static void write_section(
	struct buf *sdp, unsigned mid, const char *kind, const char *codec, bool has_rtx)
{
	buf_printf(sdp, "m=%s 9 UDP/TLS/RTP/SAVPF 96%s\r\nc=IN IP4 0.0.0.0\r\na=mid:%u\r\na=recvonly\r\na=rtcp-mux\r\n"
			"a=rtpmap:96 %s\r\na=rtcp-fb:96 transport-cc\r\n"
			"a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid\r\n"
			"a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time\r\n",
		kind, has_rtx ? " 97" : "", mid, codec);
	if (has_rtx)
		buf_add_str(sdp, "a=rtcp-fb:96 nack\r\na=rtcp-fb:96 nack pli\r\n"
				 "a=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n");
}

static void write_offer(const struct bench *b, const struct peer *p, struct buf *sdp)
{
	buf_add_str(sdp, "v=0\r\no=- 4611686018427387904 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE");
	for (unsigned i = 0; i <= AUDIO_SECTIONS + VIDEO_SECTIONS; i++)
		buf_printf(sdp, " %u", i);
	buf_printf(sdp, "\r\na=ice-ufrag:%s\r\na=ice-pwd:%s\r\na=ice-options:trickle\r\na=fingerprint:sha-256 %s\r\n"
			"a=setup:actpass\r\n"
			"m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\n"
			"a=sctp-port:5000\r\na=max-message-size:262144\r\n",
		peer_ufrag(p), peer_pwd(p), dtls_identity_fingerprint(b->identity));
	for (unsigned i = 0; i < AUDIO_SECTIONS; i++)
		write_section(sdp, 1 + i, "audio", "opus/48000/2", false);
	for (unsigned i = 0; i < VIDEO_SECTIONS; i++)
		write_section(sdp, 1 + AUDIO_SECTIONS + i, "video", "VP8/90000", true);
}

static char *make_token(const struct bench *b, unsigned i)
{
	struct grants g = {.has_video = true, .video.room_join = true};
	char identity[32], room[32], *token;
	snprintf(identity, sizeof identity, "idle-%u", i);
	snprintf(room, sizeof room, "room-%u", i / PER_ROOM);
	g.identity = identity;
	g.video.room = room;
	if (auth_mint(b->keys, KEY, &g, 3600, clock_wall_us() / US_PER_S, &token) != 0)
		die("no token");
	return token;
}

static void join(struct bench *b, unsigned i)
{
	struct participant *p = &b->all[i];
	struct peer_cfg cfg = {.dtls = b->dtls, .rx = b->rx, .with_sctp = true};
	struct buf sdp, target;
	p->peer = peer_new(&cfg);
	buf_init(&sdp, 1 << 16);
	buf_init(&target, 1 << 16);
	write_offer(b, p->peer, &sdp);

	Livekit__JoinRequest req = LIVEKIT__JOIN_REQUEST__INIT;
	Livekit__ClientInfo info = LIVEKIT__CLIENT_INFO__INIT;
	Livekit__SessionDescription offer = LIVEKIT__SESSION_DESCRIPTION__INIT;
	offer.type = (char *)(uintptr_t)"offer";
	offer.sdp = (char *)(uintptr_t)buf_cstr(&sdp);
	offer.has_id = true;
	offer.id = 1;
	req.client_info = &info;
	req.publisher_offer = &offer;
	char *token = make_token(b, i);
	buf_printf(&target, "/rtc/v1?access_token=%s&join_request=", token);
	if (pb_join_request_encode(&req, &target) != 0)
		die("no join request");
	p->ws = ws_client_new(PORT, buf_cstr(&target), b->deflate);
	if (!p->ws)
		die("a participant was refused");
	xfree(token);
	buf_free(&sdp);
	buf_free(&target);
}

/* ------------------------------------------------------------------ signalling */

/* The value after `name` up to one of `ends`; empty if there is none. */
static struct slice value_of(const char *text, const char *name, const char *ends)
{
	const char *at = strstr(text, name);
	if (!at)
		return slice_of(NULL, 0);
	at += strlen(name);
	return slice_of(at, strcspn(at, ends));
}

static void on_answer(struct participant *p, const char *sdp)
{
	if (!p->has_remote)
		peer_set_remote(p->peer, value_of(sdp, "a=ice-ufrag:", "\r\n"), value_of(sdp, "a=ice-pwd:", "\r\n"),
			value_of(sdp, "a=fingerprint:sha-256 ", "\r\n"), p->now_us);
	p->has_remote = true;
	for (const char *at = sdp; (at = strstr(at, "a=candidate:")); at++)
		peer_add_candidate(p->peer, slice_of(at, strcspn(at, "\r\n")), p->now_us);
}

static void on_message(void *arg, struct slice message)
{
	struct participant *p = arg;
	ProtobufCMessage *m;
	if (pb_decode(&livekit__signal_response__descriptor, message, &pb_signal_limits, &m) != 0)
		die("a message could not be read");
	const Livekit__SignalResponse *r = (const Livekit__SignalResponse *)m;
	if (r->message_case == LIVEKIT__SIGNAL_RESPONSE__MESSAGE_ANSWER)
		on_answer(p, pb_str(r->answer->sdp));
	else if (r->message_case == LIVEKIT__SIGNAL_RESPONSE__MESSAGE_TRICKLE)
		peer_add_candidate(p->peer, value_of(pb_str(r->trickle->candidateinit), "\"candidate\":\"", "\""),
			p->now_us);
	else if (r->message_case == LIVEKIT__SIGNAL_RESPONSE__MESSAGE_LEAVE)
		die("the server sent a participant away");
	pb_free(m);
}

/* Returns how many are connected. */
static unsigned poll_all(struct bench *b)
{
	uint64_t now = clock_mono_us();
	unsigned ready = 0;
	for (unsigned i = 0; i < b->n; i++) {
		struct participant *p = &b->all[i];
		p->now_us = now;
		if (!ws_client_poll(p->ws, on_message, p))
			die("a signal connection was closed");
		peer_poll(p->peer, now);
		ready += peer_is_ready(p->peer);
	}
	uint64_t passed_ms = (now - b->ticked_us) / US_PER_MS;
	if (passed_ms >= SCTP_TICK_MS) {
		sctp_stack_tick((uint32_t)passed_ms);
		b->ticked_us = now;
	}
	return ready;
}

static void poll_for(struct bench *b, uint64_t us)
{
	for (uint64_t end = clock_mono_us() + us; clock_mono_us() < end; nap())
		(void)poll_all(b);
}

static void join_until(struct bench *b, unsigned n)
{
	uint64_t limit = clock_mono_us() + JOIN_US;
	while (b->n < n) {
		join(b, b->n);
		b->n++;
		(void)poll_all(b);
	}
	while (poll_all(b) < n) {
		if (clock_mono_us() > limit)
			die("not all participants are connected");
		nap();
	}
	poll_for(b, SETTLE_US);
}

/* ------------------------------------------------------------------ main */

static void setup(struct bench *b, unsigned participants)
{
	struct rlimit files;
	struct errbuf eb;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	metric_thread_init();
	mbox_thread_init();
	log_set_level(LOG_LEVEL_ERROR);
	sctp_stack_start();
	b->ticked_us = clock_mono_us();
	b->keys = auth_keys_new();
	b->rx = udp_rx_new(UDP_RX_BATCH, &udp_rtc_in);
	b->all = xcalloc(participants, sizeof *b->all);
	if (dtls_identity_new(&b->identity) != 0 ||
		dtls_ctx_new(&b->dtls, b->identity, NULL, 0) != 0 ||
		auth_keys_add(b->keys, slice_str(KEY), slice_str(SECRET), &eb) != 0)
		die("cannot set up");
}

int main(int argc, char **argv)
{
	if (argc < 2)
		die("which binary?");
	unsigned n = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : DEFAULT_PARTICIPANTS;
	struct bench b = {.deflate = argc <= 3 || strcmp(argv[3], "plain") != 0};
	if (n <= WARM_UP)
		die("too few participants");
	setup(&b, n);
	uint64_t ready_us = start_server(&b, argv[1]);
	unsigned long empty = status_kib(&b, "VmRSS:");
	join_until(&b, WARM_UP);
	unsigned long warm = status_kib(&b, "VmRSS:");
	join_until(&b, n);
	unsigned long full = status_kib(&b, "VmRSS:");
	printf("start to ready: %.0f ms\n", (double)ready_us / US_PER_MS);
	printf("resident: %lu KiB empty, %lu with %d, %lu with %u participants (%s)\n", empty, warm, WARM_UP, full, n,
		b.deflate ? "permessage-deflate" : "no compression");
	printf("per idle participant: %.1f KiB\n", (double)(full - warm) / (n - WARM_UP));
	stop_server(&b);
	return 0;
}
