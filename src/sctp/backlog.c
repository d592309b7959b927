/* backlog: counts unacknowledged messages from the bytes that are left of them. */
#include "sctp/sctp_internal.h"

bool sctp_backlog_is_full(const struct sctp_backlog *b)
{
	return b->count == SCTP_BACKLOG_BUCKETS &&
	       b->bucket_messages[(b->first + b->count - 1) % SCTP_BACKLOG_BUCKETS] ==
		       SCTP_BACKLOG_PER_BUCKET;
}

void sctp_backlog_add(struct sctp_backlog *b, size_t bytes)
{
	unsigned last = (b->first + b->count - 1) % SCTP_BACKLOG_BUCKETS;
	if (b->count == 0 || b->bucket_messages[last] == SCTP_BACKLOG_PER_BUCKET) {
		if (b->count == SCTP_BACKLOG_BUCKETS)
			return;
		last = (b->first + b->count++) % SCTP_BACKLOG_BUCKETS;
		b->bucket_bytes[last] = 0;
		b->bucket_messages[last] = 0;
	}
	b->bucket_bytes[last] += (uint32_t)bytes;
	b->bucket_messages[last]++;
	b->bytes += bytes;
	b->messages++;
}

void sctp_backlog_settle(struct sctp_backlog *b, size_t bytes)
{
	while (b->count && (bytes == 0 || b->bytes - b->bucket_bytes[b->first] >= bytes)) {
		b->bytes -= b->bucket_bytes[b->first];
		b->messages -= b->bucket_messages[b->first];
		b->first = (b->first + 1) % SCTP_BACKLOG_BUCKETS;
		b->count--;
	}
}
