#include "rtp/rtp_munger.h"

void rtp_munger_init(struct rtp_munger *m, uint16_t first_seq, uint32_t first_ts)
{
	*m = (struct rtp_munger){.ts_high = first_ts};
	offset_map_start(&m->map, 0, first_seq);
}

void rtp_munger_switch(struct rtp_munger *m, uint16_t seq, uint32_t ts, uint32_t expected_ts)
{
	if (!m->has_sent)
		expected_ts = m->ts_high;
	else if (!ts_newer(expected_ts, m->ts_high))
		expected_ts = m->ts_high + 1;
	m->ts_offset = ts - expected_ts;
	m->unwrap = (struct seq_unwrap){.high = seq, .is_started = true};
	m->seen = (struct seq_window){0};
	offset_map_start(&m->map, seq, offset_map_next(&m->map));
	m->has_source = true;
}

static void note_ts(struct rtp_munger *m, uint32_t ts)
{
	if (!m->has_sent || ts_newer(ts, m->ts_high))
		m->ts_high = ts;
	m->has_sent = true;
}

int rtp_munger_take(struct rtp_munger *m, uint16_t seq, uint32_t ts, struct rtp_munged *out)
{
	if (!m->has_source)
		return -ERR_BAD_STATE;
	int64_t ext = seq_unwrap_next(&m->unwrap, seq);
	if (seq_window_mark(&m->seen, ext) != SEQ_FIRST_TIME)
		return -ERR_REPLAY;
	bool is_newest = ext > m->map.high;
	int64_t out_ext;
	int err = offset_map_take(&m->map, ext, &out_ext);
	if (err)
		return err;
	*out = (struct rtp_munged){
		.seq = (uint16_t)out_ext,
		.timestamp = ts - m->ts_offset,
		.is_newest = is_newest,
	};
	note_ts(m, out->timestamp);
	return 0;
}

int rtp_munger_skip(struct rtp_munger *m, uint16_t seq)
{
	if (!m->has_source)
		return -ERR_BAD_STATE;
	int64_t ext = seq_unwrap_next(&m->unwrap, seq);
	if (seq_window_look(&m->seen, ext) != SEQ_FIRST_TIME)
		return -ERR_REPLAY;
	int err = offset_map_skip(&m->map, ext);
	/* Not marked on failure: the caller may take it still. */
	if (!err)
		(void)seq_window_mark(&m->seen, ext);
	return err;
}

void rtp_munger_insert(struct rtp_munger *m, struct rtp_munged *out)
{
	*out = (struct rtp_munged){
		.seq = (uint16_t)offset_map_insert(&m->map),
		.timestamp = m->ts_high,
		.is_newest = true,
	};
	m->has_sent = true;
}
