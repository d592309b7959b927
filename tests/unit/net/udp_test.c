#include "cm.h"

#include <poll.h>
#include <string.h>

#include "base/metric.h"
#include "net/udp.h"

struct taken {
	size_t n, bytes;
	uint8_t sizes_ok, order_ok;
};

static void take(void *arg, struct udp_dgram *d)
{
	struct taken *t = arg;
	t->order_ok &= d->n > 0 && d->p[0] == (uint8_t)t->n;
	t->sizes_ok &= d->n == (t->n % 10 == 9 ? 300 : 1200);
	t->n++;
	t->bytes += d->n;
}

static struct udp_sock open_loopback(void)
{
	struct udp_sock s;
	struct addr a;
	struct errbuf eb;
	assert_int_equal(addr_parse_ip(&a, slice_str("127.0.0.1"), 0), 0);
	struct udp_opts o = {.rcvbuf_bytes = 1 << 20};
	assert_int_equal(udp_open(&s, &a, &o, &eb), 0);
	return s;
}

/* Runs of equal datagrams with a short one at the end of each, as video frames are: out with GSO, in with GRO. */
static void batches_keep_order_and_sizes(void **st)
{
	(void)st;
	struct udp_sock a = open_loopback(), b = open_loopback();
	struct udp_tx *tx = udp_tx_new(1 << 20, &udp_rtc_out);
	struct udp_rx *rx = udp_rx_new(UDP_RX_BATCH, &udp_rtc_in);
	for (unsigned i = 0; i < 100; i++) {
		size_t n = i % 10 == 9 ? 300 : 1200;
		uint8_t *p = udp_tx_add(tx, &a, &b.local, n);
		assert_non_null(p);
		memset(p, (int)i, n);
	}
	udp_tx_flush(tx);
	struct taken t = {.sizes_ok = 1, .order_ok = 1};
	while (t.n < 100) {
		struct pollfd pfd = {.fd = b.fd, .events = POLLIN};
		assert_int_equal(poll(&pfd, 1, 2000), 1);
		udp_rx_batch(rx, &b, take, &t);
	}
	assert_int_equal(t.n, 100);
	assert_true(t.sizes_ok);
	assert_true(t.order_ok);
	udp_rx_free(rx);
	udp_tx_free(tx);
	udp_close(&a);
	udp_close(&b);
}

struct runs {
	size_t n;
	size_t segments[8];
};

static void note(void *arg, struct udp_sock *s, const struct addr *to, const uint8_t *p, size_t n,
	size_t seg)
{
	struct runs *r = arg;
	(void)s, (void)to, (void)p;
	r->segments[r->n++] = (n + seg - 1) / seg;
}

static void only_like_neighbours_share_a_message(void **st)
{
	(void)st;
	struct udp_sock s = {.fd = -1};
	struct addr x, y;
	assert_int_equal(addr_parse_ip(&x, slice_str("192.0.2.1"), 1), 0);
	assert_int_equal(addr_parse_ip(&y, slice_str("192.0.2.1"), 2), 0);
	struct udp_tx *tx = udp_tx_new(10000, &udp_rtc_out);
	struct runs r = {0};
	udp_tx_set_sink(tx, note, &r);
	assert_non_null(udp_tx_add(tx, &s, &x, 1000));
	assert_non_null(udp_tx_add(tx, &s, &x, 1000));
	assert_non_null(udp_tx_add(tx, &s, &x, 400));  /* shorter: closes the run */
	assert_non_null(udp_tx_add(tx, &s, &x, 400));
	assert_non_null(udp_tx_add(tx, &s, &x, 1000)); /* longer: a new one */
	assert_non_null(udp_tx_add(tx, &s, &y, 1000)); /* other destination */
	assert_null(udp_tx_add(tx, &s, &y, 9000));
	udp_tx_flush(tx);
	assert_int_equal(r.n, 4);
	const size_t want[] = {3, 1, 1, 1};
	assert_memory_equal(r.segments, want, sizeof want);
	assert_true(udp_tx_fits(tx, 10000));
	udp_tx_free(tx);
}

struct diverted {
	struct udp_sock *from;
	size_t n, bytes, seg;
};

static bool divert_port_2(
	void *arg, struct udp_sock *s, const struct addr *to, uint8_t *p, size_t n, size_t seg)
{
	struct diverted *d = arg;
	if (addr_port(to) != 2)
		return false;
	d->from = s;
	d->n++;
	d->bytes += n;
	d->seg = seg;
	memset(p, 0, n); /* may be changed */
	return true;
}

static void the_divert_comes_before_the_kernel(void **st)
{
	(void)st;
	struct udp_sock a = open_loopback(), b = open_loopback();
	struct addr other = b.local;
	addr_set_port(&other, 2);
	struct udp_tx *tx = udp_tx_new(100000, &udp_rtc_out);
	struct udp_rx *rx = udp_rx_new(1, &udp_rtc_in);
	struct diverted d = {0};
	udp_tx_set_divert(tx, divert_port_2, &d);
	uint64_t sent = metric_sum(M_PACKETS_OUT);
	for (unsigned i = 0; i < 10; i++) {
		uint8_t *p = udp_tx_add(
			tx, &a, i < 4 ? &b.local : &other, i == 3 || i == 9 ? 300 : 1200);
		assert_non_null(p);
		memset(p, (int)i, i == 3 || i == 9 ? 300 : 1200);
	}
	assert_true(udp_tx_has(tx, &a));
	assert_false(udp_tx_has(tx, &b));
	udp_tx_flush(tx);
	assert_false(udp_tx_has(tx, &a));
	assert_ptr_equal(d.from, &a);
	assert_int_equal(d.n, 1);
	assert_int_equal(d.bytes, 5 * 1200 + 300);
	assert_int_equal(d.seg, 1200);
	assert_int_equal(metric_sum(M_PACKETS_OUT) - sent, 4);
	struct pollfd pfd = {.fd = b.fd, .events = POLLIN};
	struct taken t = {0};
	while (poll(&pfd, 1, t.n < 4 ? 2000 : 0) == 1)
		udp_rx_batch(rx, &b, take, &t);
	assert_int_equal(t.n, 4);
	assert_int_equal(t.bytes, 3 * 1200 + 300);
	udp_rx_free(rx);
	udp_tx_free(tx);
	udp_close(&a);
	udp_close(&b);
}

/* An empty datagram is one, and ends no run of others. */
static void empty_datagrams_pass(void **st)
{
	(void)st;
	struct udp_sock a = open_loopback(), b = open_loopback();
	struct udp_tx *tx = udp_tx_new(100000, &udp_rtc_out);
	struct udp_rx *rx = udp_rx_new(UDP_RX_BATCH, &udp_rtc_in);
	memset(udp_tx_add(tx, &a, &b.local, 1200), 0, 1200);
	assert_non_null(udp_tx_add(tx, &a, &b.local, 0));
	assert_non_null(udp_tx_add(tx, &a, &b.local, 0));
	udp_tx_flush(tx);
	struct taken t = {0};
	while (t.n < 3) {
		struct pollfd pfd = {.fd = b.fd, .events = POLLIN};
		assert_int_equal(poll(&pfd, 1, 2000), 1);
		udp_rx_batch(rx, &b, take, &t);
	}
	assert_int_equal(t.bytes, 1200);
	udp_rx_free(rx);
	udp_tx_free(tx);
	udp_close(&a);
	udp_close(&b);
}

static void busy_port_is_named(void **st)
{
	(void)st;
	struct udp_sock a = open_loopback(), b;
	struct errbuf eb;
	struct udp_opts o = {0};
	assert_int_equal(udp_open(&b, &a.local, &o, &eb), -ERR_SYSTEM);
	char text[ADDR_TEXT_CAP];
	assert_non_null(strstr(eb.text, addr_format(&a.local, text)));
	assert_non_null(strstr(eb.text, "in use"));
	udp_close(&a);
}

int main(void)
{
	metric_thread_init();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(batches_keep_order_and_sizes),
		cmocka_unit_test(only_like_neighbours_share_a_message),
		cmocka_unit_test(the_divert_comes_before_the_kernel),
		cmocka_unit_test(empty_datagrams_pass),
		cmocka_unit_test(busy_port_is_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
