/*
 * Messages of a client: the first byte says text or binary and how much of the input is the first
 * message.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "pb/pb.h"
#include "signal/conn.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void on_send(void *arg, struct slice signal_response)
{
	struct buf json;
	buf_init(&json, 4096);
	if (signal_conn_json(signal_response, &json) != 0)
		abort();
	buf_free(&json);
}

static void on_request(void *arg, Livekit__SignalRequest *req)
{
	pb_free(req);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const struct signal_conn_ops ops = {.send = on_send, .request = on_request};
	struct signal_conn c;
	uint16_t code = 0;
	if (n < 2)
		return 0;
	size_t first = MIN((size_t)p[1] * 4, n - 2);
	signal_conn_init(&c, 0);
	const struct slice messages[] = {
		slice_of(p + 2, first), slice_of(p + 2 + first, n - 2 - first)};
	for (size_t i = 0; i < ARRAY_LEN(messages); i++)
		if (signal_conn_rx(&c, messages[i], p[0] >> i & 1, i, 1, &ops, NULL, &code) != 0 &&
			!code)
			abort();
	return 0;
}
