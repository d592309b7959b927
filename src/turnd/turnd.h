/*
 * turnd: the TURN server's sockets on one worker: listeners (UDP, TCP, TLS, DTLS), relayed
 * addresses, TCP peers, and the
 * hairpin to the SFU of the same process.
 *
 * Each worker has its own listeners on the same addresses (SO_REUSEPORT), its own share of the
 * relay ports and its own
 * turn_server; nothing is shared but turnd_shared, which is made before the workers start. Worker's
 * thread only, unless
 * it says so.
 *
 *   udp.c     UDP listeners, the data path, transmit queues       relay.c   relayed addresses, port
 * share, GRO/GSO
 *   stream.c  TCP and TLS clients, framing, write queues          dtls.c    DTLS clients, cookies
 *   tcp_relay.c  RFC 6062 peers and splicing                      tls.c     certificates, ALPN,
 * reload
 *   stream_move.c  connections that another worker has to answer
 *   hairpin.c to and from the SFU and between relayed addresses   proxy.c   PROXY protocol v1 and
 * v2
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/addr.h"
#include "base/err.h"
#include "net/netif.h"
#include "session/rtc.h"
#include "thread/worker.h"
#include "turn/turn.h"

enum {
	TURND_LISTENERS_MAX = 64,
	TURND_RELAY_ADDRS_MAX = 16,
};

/* One address that is listened on. */
struct turnd_listen {
	struct addr at;          /* with port */
	bool udp, tcp, tls, dtls; /* tls and dtls are told from plain by the first bytes where both are on */
	bool proxy_protocol;     /* TCP only: connections from `proxies` must begin with a PROXY header */
	struct addr known_as;    /* RFC 5780 and RESPONSE-ORIGIN: what clients see; sa_family 0 = `at` */
	bool is_other_addr, is_other_port; /* RFC 5780: which of the four sockets */
};

/* One address that is relayed from. */
struct turnd_relay_addr {
	struct addr at;         /* bound; port ignored */
	struct addr advertised; /* external-ip; sa_family 0 = `at` */
};

/* Copied, with all that it points to. Everywhere 0 = no limit unless said. */
struct turnd_cfg {
	const struct turnd_listen *listen;
	size_t n_listen;
	const struct turnd_relay_addr *relay;
	size_t n_relay;
	/*
	 * The relay addresses are simply those that are listened on: a client is relayed from the
	 * one it came to, or else from one that peers may be at, by the policy. False: from one
	 * after the other.
	 */
	bool relay_as_asked;
	uint16_t relay_first, relay_last; /* ports, inclusive */
	const struct cidr *proxies;       /* who may speak the PROXY protocol; none configured = nobody */
	size_t n_proxies;

	const char *cert_file, *key_file, *key_password; /* PEM; "" = no TLS and no DTLS */
	const char *tls_ciphers;                         /* "" = OpenSSL's default; TLS 1.2 and newer always */
	bool no_tls1_2;

	uint32_t stream_connections; /* of this worker */
	uint32_t stream_queue_bytes; /* waiting for a slow stream client; then data is dropped and counted */
	uint64_t stream_queue_us;    /* … or when it has waited that long */
	uint64_t stream_idle_us;     /* a stream without an allocation, and a handshake, ends after this */
	uint32_t dtls_connections;
	uint32_t socket_buffer_bytes; /* asked of the kernel for listeners and relay sockets */
	bool multiplex_peer;          /* relayed addresses of a worker share one socket; see docs/config.md */
	bool is_lazy;                 /* relay sockets are opened with the first permission */
	/*
	 * HTTPS on the TLS ports of TURN: who speaks HTTP within TLS is passed on in plain text. Takes fd, one end of a
	 * stream; the other end is turnd's. Called on worker threads. NULL = such connections are closed. A reload does
	 * not change it.
	 */
	void (*http_pass)(void *arg, int fd, const struct addr *client);
	void *http_arg;
	struct turn_cfg turn;
};

/*
 * What the workers of a process share, read-only but for its counters: who owns which relay port,
 * where the SFU listens.
 */
struct turnd_shared;
MUST_CHECK struct turnd_shared *turnd_shared_new(unsigned n_workers);
void turnd_shared_free(struct turnd_shared *s);

struct turnd;

/*
 * Opens the listeners and starts. `rtc` is the SFU's end on this worker, for the hairpin; NULL
 * without one.
 * On failure eb names address, file or key. Called on the thread that sets workers up, before they
 * run.
 */
MUST_CHECK int turnd_new(struct turnd **out, struct worker *w, struct rtc *rtc,
	struct turnd_shared *shared, const struct turnd_cfg *cfg, struct turn_auth *auth,
	const struct turn_policy *policy, struct turn_quota *quota, struct errbuf *eb);
/* Before rtc_free of the same worker. Accepts NULL. */
void turnd_free(struct turnd *t);

/*
 * Sends what the turn produced. Before rtc_end_turn, which sends what the hairpin brought to the
 * SFU; see hairpin.c.
 */
void turnd_end_turn(struct turnd *t);

struct turn_server *turnd_server(struct turnd *t);

/*
 * New limits, certificates (also when only the files changed) and policy; listeners and relay
 * addresses stay.
 */
MUST_CHECK int turnd_reload(struct turnd *t, const struct turnd_cfg *cfg,
	const struct turn_policy *policy, struct errbuf *eb);

/*
 * Looks whether the certificate files changed and takes them if they are good; the worker calls it
 * now and then itself.
 */
void turnd_check_certificates(struct turnd *t);

/* The part of a reload that a database may ask for meanwhile. `policy` is borrowed as that of turnd_new. */
void turnd_set_rules(
	struct turnd *t, uint64_t allocation_bytes_per_s, const struct turn_policy *policy);

/* Sessions that began or were refreshed, as turnd_on_ended. NULL = none. */
void turnd_on_kept(struct turnd *t,
	void (*fn)(void *arg, const struct turn_alloc_info *info, bool is_new), void *arg);

/*
 * Sessions that ended, for log lines and statistics: called on the worker's thread, control path.
 * NULL = none.
 */
void turnd_on_ended(struct turnd *t,
	void (*fn)(void *arg, const struct turn_alloc_info *info, const char *reason), void *arg);
