/*
 * turn_bench: what the TURN server costs, in microseconds of its CPU time per packet. Runs turn_server on one worker
 * and loads it over loopback from this process, 64 packets in flight. For comparisons between two builds on the same
 * machine: the kernel's part is nine tenths.
 *
 * Argument: the turn_server binary.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/udp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/addr.h"
#include "base/macros.h"
#include "stun/stun.h"

/* Absent from older libc headers. */
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

enum {
	PORT = 17478,
	CLIENTS = 64,
	CHANNEL = 0x4000,
	CHANNEL_HDR = 4,
	CASE_US = 1000 * 1000,
	WAIT_MS = 200, /* then what is missing counts as lost */
	START_TRIES = 100,
	START_MS = 50,
	BURST = 8,
	BURST_CLIENTS = 8,
	DATAGRAM_MAX = 2048,
};

struct client {
	int fd;
	struct addr relayed;
	uint8_t send[64]; /* the start of a Send indication to the peer, up to DATA */
	size_t send_n;
};

struct bench {
	clockid_t server_clock;
	struct client clients[CLIENTS];
	int peer;
	struct addr server_at, peer_at;
};

static pid_t server;

static void die(const char *what)
{
	fprintf(stderr, "turn_bench: %s: %s\n", what, strerror(errno));
	if (server > 0)
		kill(server, SIGTERM);
	exit(1);
}

static int open_socket(struct addr *at)
{
	*at = (struct addr){
		.v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}};
	socklen_t n = sizeof *at;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), bytes = 4 << 20;
	if (fd == -1 || bind(fd, &at->sa, addr_len(at)) == -1 || getsockname(fd, &at->sa, &n) == -1)
		die("socket");
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
	return fd;
}

/* One datagram within `ms`; 0 = none came. */
static size_t receive(int fd, uint8_t *p, size_t cap, int ms)
{
	ssize_t n = recv(fd, p, cap, MSG_DONTWAIT);
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	if (n < 0 && poll(&wait, 1, ms) == 1)
		n = recv(fd, p, cap, MSG_DONTWAIT);
	return n < 0 ? 0 : (size_t)n;
}

static void begin(struct stun_writer *w, uint8_t *out, size_t cap, enum stun_method method,
	enum stun_class class)
{
	static uint8_t tid[STUN_TID_LEN];
	tid[0]++;
	stun_begin(w, out, cap, method, class, tid);
}

/* Sends what `w` holds and reads the answer into `in`. False: none came. */
static bool ask(int fd, struct stun_writer *w, uint8_t in[DATAGRAM_MAX], struct stun_msg *answer)
{
	struct slice out;
	if (stun_seal_with(w, NULL, NULL, false, &out) != 0 || send(fd, out.p, out.n, 0) < 0)
		return false;
	size_t n;
	do { /* a late answer to an earlier try is not it */
		n = receive(fd, in, DATAGRAM_MAX, START_MS);
		if (n == 0)
			return false;
	} while (stun_parse(answer, slice_of(in, n)) != 0 ||
		memcmp(answer->tid, out.p + STUN_TID_AT, STUN_TID_LEN) != 0);
	if (answer->class != STUN_SUCCESS) {
		errno = EPROTO;
		die("a request was refused");
	}
	return true;
}

static void allocate(struct bench *b, struct client *c)
{
	uint8_t out[DATAGRAM_MAX], in[DATAGRAM_MAX];
	struct stun_writer w;
	struct stun_msg m;
	struct addr own;
	c->fd = open_socket(&own);
	if (connect(c->fd, &b->server_at.sa, addr_len(&b->server_at)) == -1)
		die("connect");
	unsigned tries = 0;
	do {
		begin(&w, out, sizeof out, STUN_BINDING, STUN_REQUEST);
		if (tries++ == START_TRIES)
			die("the server does not answer");
		if (tries > 1)
			(void)poll(NULL, 0, START_MS);
	} while (!ask(c->fd, &w, in, &m));
	begin(&w, out, sizeof out, STUN_ALLOCATE, STUN_REQUEST);
	stun_put_number(&w, STUN_ATTR_REQUESTED_TRANSPORT, IPPROTO_UDP);
	if (!ask(c->fd, &w, in, &m) || !stun_addr(&m, STUN_ATTR_XOR_RELAYED_ADDRESS, &c->relayed))
		die("no allocation");
	begin(&w, out, sizeof out, STUN_CHANNEL_BIND, STUN_REQUEST);
	stun_put_number(&w, STUN_ATTR_CHANNEL_NUMBER, CHANNEL);
	stun_put_xor_addr(&w, STUN_ATTR_XOR_PEER_ADDRESS, &b->peer_at);
	if (!ask(c->fd, &w, in, &m))
		die("no channel");
	begin(&w, c->send, sizeof c->send, STUN_SEND, STUN_INDICATION);
	stun_put_xor_addr(&w, STUN_ATTR_XOR_PEER_ADDRESS, &b->peer_at);
	c->send_n = w.n;
}

static uint64_t cpu_ns(const struct bench *b)
{
	struct timespec ts;
	if (clock_gettime(b->server_clock, &ts) != 0)
		die("the server is gone");
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* What one case sends in a round, to and from where. */
struct load {
	const char *name;
	void (*put)(struct bench *b, const struct load *l, struct client *c);
	size_t size;    /* of the payload */
	unsigned burst; /* datagrams a client gets at a time */
	unsigned clients; /* so many of them in a round: a receive buffer of usual size holds it */
	bool to_peer;   /* where they come out: at the peer's socket, or at the client's */
};

static void send_segments(int fd, const struct addr *to, const uint8_t *p, size_t n, unsigned count)
{
	_Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(uint16_t))] = {0};
	struct iovec iov = {(void *)(uintptr_t)p, n * count};
	struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};
	if (to) {
		h.msg_name = (void *)(uintptr_t)&to->sa;
		h.msg_namelen = addr_len(to);
	}
	if (count > 1) {
		h.msg_control = control;
		h.msg_controllen = sizeof control;
		struct cmsghdr *c = CMSG_FIRSTHDR(&h);
		c->cmsg_level = IPPROTO_UDP;
		c->cmsg_type = UDP_SEGMENT;
		c->cmsg_len = CMSG_LEN(sizeof(uint16_t));
		uint16_t seg = (uint16_t)n;
		memcpy(CMSG_DATA(c), &seg, sizeof seg);
	}
	if (sendmsg(fd, &h, 0) < 0)
		die("send");
}

static void put_channel(struct bench *b, const struct load *l, struct client *c)
{
	static uint8_t p[BURST * DATAGRAM_MAX];
	(void)b;
	size_t whole = CHANNEL_HDR + l->size;
	for (unsigned i = 0; i < l->burst; i++) {
		wr16(p + i * whole, CHANNEL);
		wr16(p + i * whole + 2, (uint16_t)l->size);
	}
	send_segments(c->fd, NULL, p, whole, l->burst);
}

static void put_from_peer(struct bench *b, const struct load *l, struct client *c)
{
	static const uint8_t p[BURST * DATAGRAM_MAX];
	send_segments(b->peer, &c->relayed, p, l->size, l->burst);
}

static void put_indication(struct bench *b, const struct load *l, struct client *c)
{
	static const uint8_t payload[DATAGRAM_MAX];
	uint8_t p[DATAGRAM_MAX];
	(void)b;
	memcpy(p, c->send, c->send_n);
	struct stun_writer w = {.p = p, .n = c->send_n, .cap = sizeof p};
	struct slice out;
	stun_put(&w, STUN_ATTR_DATA, payload, l->size);
	if (stun_seal_with(&w, NULL, NULL, false, &out) == 0)
		send_segments(c->fd, NULL, out.p, out.n, 1);
}

static void put_binding(struct bench *b, const struct load *l, struct client *c)
{
	uint8_t p[STUN_HDR_LEN];
	struct stun_writer w;
	struct slice out;
	(void)b;
	(void)l;
	begin(&w, p, sizeof p, STUN_BINDING, STUN_REQUEST);
	if (stun_seal_with(&w, NULL, NULL, false, &out) == 0)
		send_segments(c->fd, NULL, out.p, out.n, 1);
}

/* Reads what the round sent; returns how many came. */
static unsigned collect(struct bench *b, const struct load *l)
{
	uint8_t in[DATAGRAM_MAX];
	unsigned got = 0;
	for (unsigned i = 0; i < l->clients * l->burst; i++) {
		int fd = l->to_peer ? b->peer : b->clients[i / l->burst].fd;
		if (receive(fd, in, sizeof in, WAIT_MS) > 0)
			got++;
	}
	return got;
}

static void run(struct bench *b, const struct load *l)
{
	uint64_t sent = 0, got = 0, began = clock_mono_us(), cpu = cpu_ns(b);
	while (clock_mono_us() - began < CASE_US) {
		for (unsigned i = 0; i < l->clients; i++)
			l->put(b, l, &b->clients[i]);
		sent += (uint64_t)l->clients * l->burst;
		got += collect(b, l);
	}
	double us = (double)(cpu_ns(b) - cpu) / 1000,
	       seconds = (double)(clock_mono_us() - began) / 1e6;
	printf("%-40s %8.2f %12.0f %10.4f %%\n", l->name, us / (double)MAX(got, UINT64_C(1)),
		(double)got / seconds, 100 * (double)(sent - got) / (double)sent);
}

static void start_server(struct bench *b, const char *path)
{
	char port[8];
	snprintf(port, sizeof port, "%d", PORT);
	server = fork();
	if (server == -1)
		die("fork");
	if (server == 0) {
		int quiet = open("/dev/null", O_WRONLY | O_CLOEXEC);
		(void)dup2(quiet, STDERR_FILENO);
		execl(path, path, "-a", "-p", port, (char *)NULL);
		_exit(127);
	}
	if (clock_getcpuclockid(server, &b->server_clock) != 0)
		die("no clock of the server");
}

int main(int argc, char **argv)
{
	static const struct load loads[] = {
		{"ChannelData to peers, 160 bytes", put_channel, 160, 1, CLIENTS, true},
		{"ChannelData from peers, 160 bytes", put_from_peer, 160, 1, CLIENTS, false},
		{"bursts of 8 to peers, 1200 bytes", put_channel, 1200, BURST, BURST_CLIENTS, true},
		{"bursts of 8 from peers, 1200 bytes", put_from_peer, 1200, BURST, BURST_CLIENTS, false},
		{"Send indications, 160 bytes", put_indication, 160, 1, CLIENTS, true},
		{"Binding", put_binding, 0, 1, CLIENTS, false},
	};
	static struct bench b;
	if (argc != 2) {
		fprintf(stderr, "usage: turn_bench TURN_SERVER\n");
		return 2;
	}
	start_server(&b, argv[1]);
	b.peer = open_socket(&b.peer_at);
	b.server_at = b.peer_at;
	addr_set_port(&b.server_at, PORT);
	for (unsigned i = 0; i < CLIENTS; i++)
		allocate(&b, &b.clients[i]);
	printf("%-40s %8s %12s %12s\n", "one worker, 64 allocations", "us", "packets/s", "lost");
	for (size_t i = 0; i < ARRAY_LEN(loads); i++)
		run(&b, &loads[i]);
	kill(server, SIGTERM);
	return waitpid(server, NULL, 0) == server ? 0 : 1;
}
