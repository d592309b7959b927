/*
 * udp: datagrams in batches. recvmmsg with UDP_GRO in, sendmmsg with UDP_SEGMENT (GSO) out.
 *
 * Nothing here allocates after the init functions; all of it belongs to one thread.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/addr.h"
#include "base/err.h"
#include "base/metric.h"

struct udp_sock {
	int fd;
	struct addr local;
};

struct udp_opts {
	int rcvbuf_bytes, sndbuf_bytes; /* asked of the kernel, which may give less; 0 = leave alone */
	bool reuse_port;
};

/* Opens and binds. On failure the sentence in eb names address, port and reason. 0 or -ERR_SYSTEM. */
MUST_CHECK int udp_open(
	struct udp_sock *s, const struct addr *local, const struct udp_opts *o, struct errbuf *eb);
void udp_close(struct udp_sock *s);

/* One received datagram; `p` points into the batch and may be changed in place. Valid until the next udp_rx_batch. */
struct udp_dgram {
	uint8_t *p;
	size_t n;
	const struct addr *from;
};

/* What is counted: rows of METRIC_MAP. Without any set, those of the RTC ports. */
struct udp_counters {
	enum metric_id packets, bytes;
	enum metric_id calls, gso_packets; /* system calls; packets that came or left with others in one message */
};
extern const struct udp_counters udp_rtc_in, udp_rtc_out;

/*
 * Messages per system call: each has room for 64 KiB, what one GRO message can carry. Many help where datagrams come
 * from many sources, one by one.
 */
enum { UDP_RX_BATCH = 8, UDP_RX_BATCH_MAX = 64 };
struct udp_rx;
MUST_CHECK struct udp_rx *udp_rx_new(unsigned batch, const struct udp_counters *counters);
void udp_rx_free(struct udp_rx *rx);

/*
 * Reads what is there, one system call; calls `take` per datagram, also for empty ones. True if there may be more to
 * read.
 */
bool udp_rx_batch(struct udp_rx *rx, struct udp_sock *s,
	void (*take)(void *arg, struct udp_dgram *d), void *arg);

/*
 * The transmit side collects datagrams in an arena. Neighbours for the same socket and address and of the same
 * size (the last of a run may be shorter) leave as one GSO message.
 */
struct udp_tx;

/* Called instead of the kernel when set: benchmarks and simulations. `seg` = segment size, n = total. */
typedef void (*udp_tx_sink)(void *arg, struct udp_sock *s, const struct addr *to, const uint8_t *p,
	size_t n, size_t seg);

MUST_CHECK struct udp_tx *udp_tx_new(size_t arena_bytes, const struct udp_counters *counters);
void udp_tx_free(struct udp_tx *tx);
void udp_tx_set_sink(struct udp_tx *tx, udp_tx_sink sink, void *arg);

/*
 * Asked for each message at the flush, before the kernel: true = taken, it is not sent. n bytes in datagrams of `seg`
 * (the last may be shorter), which may be changed in place and stay until udp_tx_flush returns. It must not add to or
 * flush the same queue.
 */
typedef bool (*udp_tx_divert)(void *arg, struct udp_sock *s, const struct addr *to, uint8_t *p,
	size_t n, size_t seg);
void udp_tx_set_divert(struct udp_tx *tx, udp_tx_divert divert, void *arg);

/* True if `n` more bytes fit before a flush. */
bool udp_tx_fits(const struct udp_tx *tx, size_t n);

/* Something waits for this socket: flush before it is closed. */
bool udp_tx_has(const struct udp_tx *tx, const struct udp_sock *s);

/*
 * Appends a datagram of n bytes and returns its place, which the caller fills before the next flush.
 * NULL if it does not fit: flush first.
 */
uint8_t *udp_tx_add(struct udp_tx *tx, struct udp_sock *s, const struct addr *to, size_t n);

/*
 * Hands everything to the kernel. What it refuses is counted as dropped (TX_SOCKET); a message that meets the error of
 * an earlier one (ICMP, on sockets with IP_RECVERR) is tried once more.
 */
void udp_tx_flush(struct udp_tx *tx);
