#include "front/front_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"
#include "net/bind_error.h"

enum { BACKLOG = 4096, ACCEPTS_PER_TURN = 64 };

static void set_option(int fd, int level, int name, int value)
{
	(void)setsockopt(fd, level, name, &value, sizeof value);
}

static int refuse_bind(const struct addr *a, int why, struct errbuf *eb)
{
	char text[ADDR_TEXT_CAP];
	return err_set(eb, ERR_SYSTEM, "cannot listen on %s: %s", addr_format(a, text), bind_error(why));
}

/*
 * Opens one listening socket. *fd is -1 if the machine has no such address family and that is all
 * right.
 */
static int open_one(
	struct addr *a, bool both_families, bool family_optional, int *fd, struct errbuf *eb)
{
	*fd = socket(a->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (*fd < 0 && errno == EAFNOSUPPORT && family_optional)
		return 0;
	if (*fd < 0)
		return refuse_bind(a, errno, eb);
	set_option(*fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (addr_is_v6(a))
		set_option(*fd, IPPROTO_IPV6, IPV6_V6ONLY, !both_families);
	if (bind(*fd, &a->sa, addr_len(a)) == 0 && listen(*fd, BACKLOG) == 0)
		return 0;
	int why = errno;
	close(*fd);
	*fd = -1;
	if (family_optional && why == EADDRNOTAVAIL)
		return 0; /* IPv6 is compiled in but switched off */
	return refuse_bind(a, why, eb);
}

static uint16_t port_of(int fd)
{
	struct addr a;
	socklen_t n = sizeof a;
	return getsockname(fd, &a.sa, &n) == 0 ? addr_port(&a) : 0;
}

static int open_and_keep(struct front *f, struct addr *a, bool both_families, bool family_optional,
	struct errbuf *eb)
{
	int fd;
	/* With port 0 the first socket finds a port and the others follow it. */
	addr_set_port(a, f->port);
	int err = open_one(a, both_families, family_optional, &fd, eb);
	if (err || fd < 0)
		return err;
	f->listen_fds[f->n_listen++] = fd;
	f->port = port_of(fd);
	return 0;
}

int listen_open(struct front *f, struct errbuf *eb)
{
	const struct front_cfg *cfg = &f->cfg;
	int err = 0;
	f->port = cfg->port;
	f->listen_fds = xcalloc(cfg->n_bind + 1, sizeof f->listen_fds[0]);
	f->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	for (size_t i = 0; i < cfg->n_bind && !err; i++) {
		struct addr a = cfg->bind[i];
		err = open_and_keep(f, &a, false, false, eb);
	}
	if (cfg->n_bind || err)
		return err;
	struct addr any6 = {.v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_ANY_INIT}};
	err = open_and_keep(f, &any6, true, true, eb);
	if (err || f->n_listen)
		return err;
	struct addr any4 = {.v4 = {.sin_family = AF_INET}};
	return open_and_keep(f, &any4, false, false, eb);
}

/* Hands the sockets to libwebsockets, which closes them with its context. */
int listen_adopt(struct front *f, struct errbuf *eb)
{
	for (size_t i = 0; i < f->n_listen; i++) {
		lws_sock_file_fd_type fd = {.filefd = f->listen_fds[i]};
		if (!lws_adopt_descriptor_vhost(
			    f->vhost, LWS_ADOPT_RAW_FILE_DESC, fd, "listen", NULL))
			return err_set(eb, ERR_SYSTEM, "cannot watch the listening socket");
		f->listen_fds[i] = -1;
	}
	return 0;
}

void listen_close(struct front *f)
{
	for (size_t i = 0; i < f->n_listen; i++)
		if (f->listen_fds[i] >= 0)
			close(f->listen_fds[i]);
	xfree(f->listen_fds);
	f->listen_fds = NULL;
	if (f->spare_fd >= 0)
		close(f->spare_fd);
	f->spare_fd = -1;
}

/* No descriptor is left: without this the waiting connection would wake us again and again. */
static void refuse_without_fd(struct front *f, int listen_fd)
{
	if (f->spare_fd >= 0)
		close(f->spare_fd);
	int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd >= 0)
		close(fd);
	f->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	LOG_WARN("no file descriptor left for a connection: raise LimitNOFILE");
}

static void refuse_when_full(int fd)
{
	static const char text[] = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: "
				   "0\r\nConnection: close\r\n\r\n";
	(void)!send(fd, text, sizeof text - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	close(fd);
}

void listen_take(struct front *f, int fd, const struct addr *peer)
{
	if (f->n_clients >= f->max_connections) {
		refuse_when_full(fd);
		return;
	}
	f->adopting = peer;
	(void)lws_adopt_socket_vhost(f->vhost, fd);
	f->adopting = NULL;
}

void listen_accept(struct front *f, int listen_fd)
{
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0) {
			if (errno == EMFILE || errno == ENFILE)
				refuse_without_fd(f, listen_fd);
			return;
		}
		set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
		set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
		listen_take(f, fd, NULL);
	}
}
