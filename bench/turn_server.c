/*
 * turn_server: the TURN server alone, without configuration or front: what the benchmarks run against.
 *
 *   turn_server [-l ADDRESS] [-p PORT] [-r RELAY-ADDRESS] [-w WORKERS] [-u USER:PASSWORD] [-m] [-e] [-R FIRST-LAST]
 *
 * -m: multiplex_peer; -e: relay sockets are opened at once instead of with the first permission; -x ADDRESS:
 * external address of the relay; -2 ADDRESS: the other address of NAT behaviour discovery. Loopback peers are allowed.
 * -c CERTIFICATE -k KEY: TLS and DTLS as well, on the same port; -P: 127.0.0.1 speaks the PROXY protocol;
 * -i SECONDS: idle time-out of streams; -q BYTES: of their queues; -C CONNECTIONS: how many there may be; -a: nobody is
 * asked who he is.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"
#include "base/rng.h"
#include "turnd/turnd.h"

enum { WORKERS_MAX = 64, LISTEN_MAX = 4, MAILBOX = 64 };

struct unit {
	struct worker worker;
	struct turnd *turnd;
	struct turn_auth *auth;
};

struct server {
	const char *listen, *relay, *external, *other, *user, *password, *cert, *key;
	unsigned idle_s, queue_bytes, connections;
	unsigned port, workers;
	uint16_t relay_first, relay_last;
	bool is_multiplexed, is_eager, has_proxy, is_open;
	struct unit units[WORKERS_MAX];
	struct turnd_shared *shared;
	struct turn_policy *policy;
	struct turn_quota *quota;
};

static void die(const char *what)
{
	fprintf(stderr, "turn_server: %s\n", what);
	exit(1);
}

static struct addr address(const char *text, unsigned port)
{
	struct addr a;
	if (addr_parse_ip(&a, slice_str(text), (uint16_t)port) != 0)
		die("an address is wrong");
	return a;
}

static void options(struct server *s, int argc, char **argv)
{
	char *colon, *end;
	for (int c; (c = getopt(argc, argv, "l:p:r:w:u:x:2:R:c:k:i:q:C:mePa")) != -1;) {
		switch (c) {
		case 'l': s->listen = optarg; break;
		case 'p': s->port = (unsigned)strtoul(optarg, NULL, 10); break;
		case 'r': s->relay = optarg; break;
		case 'w': s->workers = (unsigned)strtoul(optarg, NULL, 10); break;
		case 'x': s->external = optarg; break;
		case '2': s->other = optarg; break;
		case 'm': s->is_multiplexed = true; break;
		case 'e': s->is_eager = true; break;
		case 'c': s->cert = optarg; break;
		case 'k': s->key = optarg; break;
		case 'a': s->is_open = true; break;
		case 'P': s->has_proxy = true; break;
		case 'i': s->idle_s = (unsigned)strtoul(optarg, NULL, 10); break;
		case 'q': s->queue_bytes = (unsigned)strtoul(optarg, NULL, 10); break;
		case 'C': s->connections = (unsigned)strtoul(optarg, NULL, 10); break;
		case 'R':
			s->relay_first = (uint16_t)strtoul(optarg, &end, 10);
			s->relay_last = *end == '-' ? (uint16_t)strtoul(end + 1, NULL, 10) : 0;
			break;
		case 'u':
			colon = strchr(optarg, ':');
			if (!colon)
				die("-u USER:PASSWORD");
			*colon = 0;
			s->user = optarg;
			s->password = colon + 1;
			break;
		default: die("wrong option; the head of turn_server.c tells them");
		}
	}
	if (s->workers == 0 || s->workers > WORKERS_MAX)
		die("-w 1 to 64");
}

static void on_start(struct worker *w)
{
	(void)w;
}

static void on_end_turn(struct worker *w)
{
	struct unit *u = CONTAINER_OF(w, struct unit, worker);
	turnd_end_turn(u->turnd);
}

static void on_stop(struct worker *w)
{
	(void)w;
}

static const struct worker_ops ops = {on_start, on_end_turn, on_stop};

static struct turn_auth *make_auth(
	const struct server *s, const uint8_t nonce_key[TURN_NONCE_KEY_LEN])
{
	const struct turn_static_user user = {.name = s->user, .password = s->password};
	struct turn_auth_cfg cfg = {
		.realm = "bench",
		.participant_realm = "bench",
		.nonce_lifetime_us = 600ULL * US_PER_S,
		.users = &user,
		.n_users = 1,
		.rest_separator = ':',
		.oauth_server_name = "",
		.no_auth = s->is_open,
		.cache_users = 1024,
		.cache_us = 60ULL * US_PER_S,
	};
	memcpy(cfg.nonce_key, nonce_key, sizeof cfg.nonce_key);
	struct turn_auth *auth;
	struct errbuf eb;
	static const struct turn_auth_ops none = {0};
	if (turn_auth_new(&auth, &cfg, &none, NULL, &eb) != 0)
		die(eb.text);
	return auth;
}

static void set_listen(struct server *s, struct turnd_listen listen[LISTEN_MAX], size_t *n,
	struct addr others[2])
{
	for (unsigned i = 0; i < (s->other ? 4U : 1U); i++) {
		const char *ip = i / 2 ? s->other : s->listen;
		listen[i] = (struct turnd_listen){.at = address(ip, s->port + i % 2),
			.udp = true,
			.tcp = true,
			.tls = *s->cert != 0,
			.dtls = *s->cert != 0,
			.proxy_protocol = s->has_proxy,
			.is_other_addr = i / 2,
			.is_other_port = i % 2};
	}
	*n = s->other ? 4 : 1;
	if (!s->other)
		return;
	others[0] = listen[0].at;
	others[1] = listen[3].at;
}

static void start_workers(struct server *s)
{
	uint8_t nonce_key[TURN_NONCE_KEY_LEN];
	struct turnd_listen listen[LISTEN_MAX];
	struct addr others[2];
	struct turnd_relay_addr relay = {.at = address(s->relay, 0)};
	struct errbuf eb = {""};
	size_t n_listen;
	const struct cidr proxy = {.base = address("127.0.0.1", 0), .bits = 32};
	if (s->external)
		relay.advertised = address(s->external, 0);
	set_listen(s, listen, &n_listen, others);
	rng_bytes(nonce_key, sizeof nonce_key);
	const struct turnd_cfg cfg = {
		.listen = listen,
		.n_listen = n_listen,
		.relay = &relay,
		.n_relay = 1,
		.relay_first = s->relay_first,
		.relay_last = s->relay_last,
		.proxies = &proxy,
		.n_proxies = 1,
		.cert_file = s->cert,
		.key_file = s->key,
		.key_password = "",
		.tls_ciphers = "",
		.stream_connections = s->connections,
		.stream_queue_bytes = s->queue_bytes,
		.stream_queue_us = US_PER_S,
		.stream_idle_us = (uint64_t)s->idle_s * US_PER_S,
		.dtls_connections = 100000,
		.socket_buffer_bytes = 0,
		.multiplex_peer = s->is_multiplexed,
		.is_lazy = !s->is_eager,
		.turn = {.software = "",
			.lifetime_default_us = 600ULL * US_PER_S,
			.lifetime_max_us = 3600ULL * US_PER_S,
			.permission_us = 300ULL * US_PER_S,
			.channel_us = 600ULL * US_PER_S,
			.allocations_max = 1000000,
			.permissions_per_allocation = 64,
			.channels_per_allocation = 64,
			.tcp_per_allocation = 16,
			.other_address = s->other ? others : NULL,
			.alternate_server = ""},
	};
	for (unsigned i = 0; i < s->workers; i++) {
		struct unit *u = &s->units[i];
		if (worker_init(&u->worker, i, &ops, NULL, MAILBOX) != 0)
			die("cannot set up a worker");
		u->auth = make_auth(s, nonce_key);
		if (turnd_new(&u->turnd, &u->worker, NULL, s->shared, &cfg, u->auth, s->policy,
			    s->quota, &eb) != 0)
			die(eb.text);
	}
	for (unsigned i = 0; i < s->workers; i++)
		if (worker_start(&s->units[i].worker) != 0)
			die("cannot start a worker");
}

static void stop_workers(struct server *s)
{
	for (unsigned i = 0; i < s->workers; i++)
		worker_stop(&s->units[i].worker);
	for (unsigned i = 0; i < s->workers; i++)
		worker_join(&s->units[i].worker);
	for (unsigned i = 0; i < s->workers; i++) {
		turnd_free(s->units[i].turnd);
		turn_auth_free(s->units[i].auth);
		worker_close(&s->units[i].worker);
	}
}

/* All counters that are not zero. */
static void show_metrics(void)
{
	struct buf b;
	buf_init(&b, 1 << 20);
	metric_print(&b);
	char *text = buf_take(&b), *at = text;
	for (char *line; (line = strsep(&at, "\n")) != NULL;)
		if (*line != '#' && *line && strcmp(line + strlen(line) - 2, " 0") != 0)
			fprintf(stderr, "%s\n", line);
	xfree(text);
}

int main(int argc, char **argv)
{
	static struct server s = {.listen = "127.0.0.1",
		.relay = "127.0.0.1",
		.user = "user",
		.password = "pass",
		.cert = "",
		.key = "",
		.idle_s = 60,
		.queue_bytes = 1 << 20,
		.connections = 100000,
		.port = 3478,
		.workers = 1,
		.relay_first = 10000,
		.relay_last = 65535};
	options(&s, argc, argv);
	struct rlimit files;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	metric_thread_init();
	log_set_level(LOG_LEVEL_WARN);
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, NULL);

	struct turn_policy_cfg policy = {.allow_loopback = true, .allow_private = true};
	struct turn_quota_cfg quota = {.slots = 1024};
	struct errbuf eb = {""};
	if (turn_policy_new(&s.policy, &policy, &eb) != 0)
		die(eb.text);
	s.quota = turn_quota_new(&quota);
	s.shared = turnd_shared_new(s.workers);
	start_workers(&s);
	fprintf(stderr, "turn_server: %s:%u, pid %d\n", s.listen, s.port, (int)getpid());
	for (int sig = 0; sig != SIGINT && sig != SIGTERM;)
		if (sigwait(&set, &sig) == 0 && sig == SIGUSR1)
			show_metrics();
	stop_workers(&s);
	show_metrics();
	turnd_shared_free(s.shared);
	turn_quota_free(s.quota);
	turn_policy_free(s.policy);
	return 0;
}
