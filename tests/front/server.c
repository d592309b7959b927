/*
 * A front with nothing behind it, for the tests that talk to it over the network. It echoes each
 * offer as an answer, prints what happens on stdout and takes commands on stdin:
 *
 *   send BYTES [COUNT]   an answer with an SDP of that many characters to the connection opened
 * last, COUNT times close CODE           closes the connection opened last drain front_drain
 *   unready              from now on the ready callback says no
 *   ice HOST             front_set_ice with a STUN server there and a TURN server with a secret
 *
 * The end of stdin stops it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/keys.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"
#include "front/front.h"
#include "pb/pb.h"
#include "thread/mbox.h"

enum { MESSAGE_MAX = 64 << 20 };

struct server {
	struct front *front;
	uint64_t last_conn; /* atomic: written by the front thread */
	int is_ready;
};

static void say(const char *what, uint64_t conn, const char *detail)
{
	printf("%s %" PRIx64 " %s\n", what, conn, detail);
	fflush(stdout);
}

static void send_answer(struct server *s, uint64_t conn, const char *sdp)
{
	struct buf b;
	Livekit__SessionDescription answer = LIVEKIT__SESSION_DESCRIPTION__INIT;
	Livekit__SignalResponse r = LIVEKIT__SIGNAL_RESPONSE__INIT;
	char type[] = "answer";
	answer.type = type;
	answer.sdp = (char *)(uintptr_t)sdp;
	r.message_case = LIVEKIT__SIGNAL_RESPONSE__MESSAGE_ANSWER;
	r.answer = &answer;
	buf_init(&b, MESSAGE_MAX);
	if (pb_encode(&r, &b) == 0)
		front_send(s->front, conn, buf_slice(&b));
	buf_free(&b);
}

static bool room_exists(void *arg, const char *room)
{
	return strcmp(room, "lobby") == 0;
}

static void signal_open(void *arg, uint64_t conn, struct signal_join_params *params)
{
	struct server *s = arg;
	char address[ADDR_TEXT_CAP], text[512];
	snprintf(text, sizeof text, "%s %s %s %s", params->identity, params->room,
		params->is_single_pc ? "single" : "dual", addr_format_ip(&params->client, address));
	__atomic_store_n(&s->last_conn, conn, __ATOMIC_RELEASE);
	say("open", conn, text);
	signal_join_params_free(params);
}

static void signal_request(void *arg, uint64_t conn, Livekit__SignalRequest *req)
{
	struct server *s = arg;
	char number[32];
	snprintf(number, sizeof number, "%d", (int)req->message_case);
	say("request", conn, number);
	if (req->message_case == LIVEKIT__SIGNAL_REQUEST__MESSAGE_OFFER)
		send_answer(s, conn, pb_str(req->offer->sdp));
	pb_free(req);
}

static void signal_closed(void *arg, uint64_t conn)
{
	say("closed", conn, "");
}

static int ready(void *arg, struct buf *why_not)
{
	struct server *s = arg;
	if (__atomic_load_n(&s->is_ready, __ATOMIC_ACQUIRE))
		return 0;
	buf_add_str(why_not, "workers are starting");
	return -ERR_BAD_STATE;
}

static const struct front_ops ops = {
	.room_exists = room_exists,
	.signal_open = signal_open,
	.signal_request = signal_request,
	.signal_closed = signal_closed,
	.ready = ready,
};

/* STUN at `host`, and a TURN server with a shared secret. Returns owned. */
static struct icelist *ice_servers(const char *host)
{
	static const char *const turn_urls[] = {"turn:turn.example:3478?transport=udp"};
	const struct icelist_turn turn = {
		.urls = turn_urls, .n_urls = 1, .secret = "shared-secret", .ttl_s = 3600};
	char *stun = xasprintf("stun:%s:3478", host);
	struct icelist *l =
		icelist_new(&(struct icelist_cfg){.stun_urls = (const char *const *)&stun,
			.n_stun_urls = 1,
			.turn = &turn,
			.n_turn = 1});
	xfree(stun);
	return l;
}

static void command(struct server *s, const char *line)
{
	unsigned long bytes, count = 1;
	char host[64];
	uint64_t conn = __atomic_load_n(&s->last_conn, __ATOMIC_ACQUIRE);
	if (sscanf(line, "send %lu %lu", &bytes, &count) >= 1) {
		char *sdp = xmalloc(bytes + 1);
		for (unsigned long i = 0; i < bytes; i++)
			sdp[i] = (char)('a' + i % 23);
		sdp[bytes] = 0;
		for (unsigned long i = 0; i < count; i++)
			send_answer(s, conn, sdp);
		xfree(sdp);
		say("sent", conn, "");
	} else if (sscanf(line, "close %lu", &bytes) == 1) {
		front_close(s->front, conn, (uint16_t)bytes);
	} else if (strncmp(line, "drain", 5) == 0) {
		front_drain(s->front);
		say("drained", 0, "");
	} else if (sscanf(line, "ice %63s", host) == 1) {
		struct icelist *l = ice_servers(host);
		front_set_ice(s->front, l);
		icelist_unref(l);
		say("ice", 0, host);
	} else if (strncmp(line, "unready", 7) == 0) {
		__atomic_store_n(&s->is_ready, 0, __ATOMIC_RELEASE);
		say("unready", 0, "");
	}
}

/* "<title>sterna</title>\n" in gzip. */
static const uint8_t page[] = {
	0x1f,
	0x8b,
	0x08,
	0x00,
	0x00,
	0x00,
	0x00,
	0x00,
	0x02,
	0xff,
	0xb3,
	0x29,
	0xc9,
	0x2c,
	0xc9,
	0x49,
	0xb5,
	0x2b,
	0x2e,
	0x49,
	0x2d,
	0xca,
	0x4b,
	0xb4,
	0xd1,
	0x87,
	0xf0,
	0xb8,
	0x00,
	0xe6,
	0x9e,
	0x83,
	0xf3,
	0x16,
	0x00,
	0x00,
	0x00,
};
static const struct front_asset assets[] = {
	{"/index.html", "text/html; charset=utf-8", "\"p1\"", page, sizeof page, false},
	{"/assets/app-1a2b.js", "text/javascript", "\"a1\"", page, sizeof page, true},
};

static void options(struct front_cfg *cfg, int argc, char **argv)
{
	for (int i = 1; i + 1 < argc; i += 2) {
		unsigned long v = strtoul(argv[i + 1], NULL, 10);
		if (strcmp(argv[i], "dev") == 0)
			cfg->dev = v;
		else if (strcmp(argv[i], "port") == 0)
			cfg->port = (uint16_t)v;
		else if (strcmp(argv[i], "header_timeout_s") == 0)
			cfg->header_timeout_s = (uint32_t)v;
		else if (strcmp(argv[i], "ping_interval_s") == 0)
			cfg->ping_interval_s = (uint32_t)v;
		else if (strcmp(argv[i], "max_connections") == 0)
			cfg->max_connections = (uint32_t)v;
		else if (strcmp(argv[i], "auto_create") == 0)
			cfg->auto_create = v;
		else if (strcmp(argv[i], "out_queue") == 0)
			cfg->signal_out_queue_bytes = v;
		else if (strcmp(argv[i], "mailbox") == 0)
			cfg->mailbox_messages = (uint32_t)v;
		else if (strcmp(argv[i], "metrics") == 0)
			cfg->metrics_username = cfg->metrics_password = argv[i + 1];
		else if (strcmp(argv[i], "ice_requests") == 0)
			cfg->ice_requests_per_minute = (uint32_t)v;
		else if (strcmp(argv[i], "assets") == 0)
			cfg->n_assets = v ? ARRAY_LEN(assets) : 0;
	}
}

int main(int argc, char **argv)
{
	static const char key[] = "devkey", secret[] = "secret-of-at-least-thirty-two-bytes";
	struct errbuf eb = {0};
	struct server s = {.is_ready = 1};
	struct auth_keys *keys = auth_keys_new();
	struct front_cfg cfg = {.keys = keys,
		.auto_create = true,
		.signal_message_bytes = 2 << 20,
		.assets = assets,
		.n_assets = ARRAY_LEN(assets)};
	if (auth_keys_add(keys, slice_str(key), slice_str(secret), &eb) != 0)
		return 1;
	metric_thread_init();
	mbox_thread_init();
	options(&cfg, argc, argv);
	if (front_start(&s.front, &cfg, &ops, &s, &eb) != 0) {
		printf("failed %s\n", eb.text);
		auth_keys_unref(keys);
		return 2;
	}
	printf("port %u\n", front_port(s.front));
	fflush(stdout);
	char line[256];
	while (fgets(line, sizeof line, stdin))
		command(&s, line);
	front_stop(s.front);
	auth_keys_unref(keys);
	puts("stopped");
	return 0;
}
