#include "ws_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include "base/buf.h"
#include "base/mem.h"

enum { HEAD_MAX = 4096, MESSAGE_MAX = 1 << 20, READ_BYTES = 16 * 1024 };

struct ws_client {
	int fd;
	bool has_deflate;
	z_stream inflate;
	struct buf in, message;
};

static int dial(uint16_t port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&to, sizeof to) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

/* Sends the request and reads the answer's head, byte by byte: what follows it is not ours to take. */
static bool exchange(int fd, const char *request, size_t n, char head[HEAD_MAX])
{
	size_t got = 0;
	if (write(fd, request, n) != (ssize_t)n)
		return false;
	while (got < HEAD_MAX - 1) {
		if (read(fd, head + got, 1) != 1)
			return false;
		head[++got] = 0;
		if (got >= 4 && memcmp(head + got - 4, "\r\n\r\n", 4) == 0)
			return true;
	}
	return false;
}

bool ws_client_server_is_ready(uint16_t port)
{
	static const char request[] = "GET /readyz HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n";
	char head[HEAD_MAX];
	int fd = dial(port);
	if (fd < 0)
		return false;
	bool ok = exchange(fd, request, sizeof request - 1, head) && strncmp(head + 8, " 200", 4) == 0;
	close(fd);
	return ok;
}

struct ws_client *ws_client_new(uint16_t port, const char *target, bool offer_deflate)
{
	struct buf request;
	char head[HEAD_MAX];
	int fd = dial(port);
	if (fd < 0)
		return NULL;
	buf_init(&request, MESSAGE_MAX);
	buf_printf(&request,
		"GET %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n%s\r\n",
		target, port,
		offer_deflate ? "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n" : "");
	bool ok = exchange(fd, (const char *)request.p, request.n, head) && strncmp(head + 8, " 101", 4) == 0;
	buf_free(&request);
	if (!ok) {
		close(fd);
		return NULL;
	}
	struct ws_client *c = XNEW(struct ws_client);
	c->fd = fd;
	c->has_deflate = strstr(head, "permessage-deflate") != NULL;
	if (c->has_deflate && inflateInit2(&c->inflate, -15) != Z_OK)
		c->has_deflate = false;
	(void)fcntl(fd, F_SETFL, O_NONBLOCK);
	buf_init(&c->in, MESSAGE_MAX);
	buf_init(&c->message, MESSAGE_MAX);
	return c;
}

void ws_client_free(struct ws_client *c)
{
	if (!c)
		return;
	if (c->has_deflate)
		(void)inflateEnd(&c->inflate);
	buf_free(&c->in);
	buf_free(&c->message);
	close(c->fd);
	xfree(c);
}

/* RFC 7692 §7.2.2: the tail that the sender cut off comes back. */
static void inflate_message(struct ws_client *c, struct slice payload)
{
	static const uint8_t tail[] = {0, 0, 0xff, 0xff};
	struct slice parts[] = {payload, slice_of(tail, sizeof tail)};
	uint8_t out[READ_BYTES];
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		c->inflate.next_in = (uint8_t *)(uintptr_t)parts[i].p;
		c->inflate.avail_in = (unsigned)parts[i].n;
		do {
			c->inflate.next_out = out;
			c->inflate.avail_out = sizeof out;
			int err = inflate(&c->inflate, Z_SYNC_FLUSH);
			buf_add(&c->message, out, sizeof out - c->inflate.avail_out);
			if (err != Z_OK)
				break;
		} while (c->inflate.avail_in || !c->inflate.avail_out);
	}
}

/* One frame off the front of what was read; false while it is not whole. Servers do not mask (RFC 6455 §5.1). */
static bool take_frame(
	struct ws_client *c, void (*take)(void *arg, struct slice message), void *arg)
{
	const uint8_t *p = c->in.p;
	size_t head = 2, n;
	if (c->in.n < head)
		return false;
	n = p[1] & 0x7f;
	if (n >= 126) {
		head = n == 126 ? 4 : 10;
		if (c->in.n < head)
			return false;
		n = n == 126 ? rd16(p + 2) : (size_t)rd64(p + 2);
	}
	if (c->in.n - head < n)
		return false;
	struct slice payload = slice_of(p + head, n);
	bool is_data = (p[0] & 0x0f) <= 2, is_final = p[0] & 0x80;
	if (is_data && (p[0] & 0x40) && is_final) {
		inflate_message(c, payload);
	} else if (is_data) {
		buf_add(&c->message, payload.p, payload.n);
	}
	buf_drop_front(&c->in, head + n);
	if (is_data && is_final) {
		take(arg, buf_slice(&c->message));
		buf_reset(&c->message);
	}
	return true;
}

bool ws_client_poll(struct ws_client *c, void (*take)(void *arg, struct slice message), void *arg)
{
	uint8_t bytes[READ_BYTES];
	for (;;) {
		ssize_t n = read(c->fd, bytes, sizeof bytes);
		if (n <= 0)
			return n < 0 && errno == EAGAIN;
		buf_add(&c->in, bytes, (size_t)n);
		while (take_frame(c, take, arg))
			continue;
	}
}
