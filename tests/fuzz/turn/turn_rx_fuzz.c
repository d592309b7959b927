/* Bytes as they come from a client: a STUN message, ChannelData, and the same on a connection. Without credentials. */
#include "../../turn_kit.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct kit *k = kit_new();
	struct kit_client udp = kit_client(TURN_UDP, 0, 4000, "alice"), tcp = kit_client(TURN_TCP, 1, 4000, "alice");
	if (n > TURN_OUT_MAX)
		n = TURN_OUT_MAX;
	kit_rx(k, &udp.flow, slice_of(p, n));
	kit_rx(k, &tcp.flow, slice_of(p, n));
	if (k->n_answers && kit_result(k, 0) == 0 && k->m.method != STUN_BINDING)
		abort();
	uint8_t *copy = kit_exact(p, n);
	turn_rx_channel(k->server, &udp.flow, copy, n, k->now_us);
	free(copy);
	if (turn_alloc_count(k->server))
		abort();
	kit_free(k);
	return 0;
}
