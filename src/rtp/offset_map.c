#include "rtp/offset_map.h"

static const struct offset_range *range_at(const struct offset_map *m, unsigned back)
{
	return &m->ranges[(m->newest + OFFSET_MAP_RANGES - back) % OFFSET_MAP_RANGES];
}

static struct offset_range *newest(struct offset_map *m)
{
	return &m->ranges[m->newest];
}

/* Numbers from `first` on get another offset. The oldest range makes room. */
static void change_offset(struct offset_map *m, int64_t first, int64_t offset)
{
	/* No number has used the newest range yet: it is replaced. */
	if (newest(m)->first != first) {
		m->newest = (uint8_t)((m->newest + 1) % OFFSET_MAP_RANGES);
		if (m->count < OFFSET_MAP_RANGES)
			m->count++;
	}
	*newest(m) = (struct offset_range){first, offset};
}

static int find(const struct offset_map *m, int64_t in, int64_t *out)
{
	const struct offset_range *next = NULL;
	for (unsigned back = 0; back < m->count; back++) {
		const struct offset_range *r = range_at(m, back);
		if (in >= r->first) {
			/* The last numbers before the next range were left out, as many as the
			 * offset grew; it shrinks where numbers were inserted. */
			if (next && in >= next->first - (next->offset - r->offset))
				return -ERR_NOT_FOUND;
			*out = in - r->offset;
			return 0;
		}
		next = r;
	}
	return -ERR_REPLAY;
}

void offset_map_start(struct offset_map *m, int64_t in, int64_t out)
{
	m->high = in - 1;
	m->newest = 0;
	m->count = 1;
	m->ranges[0] = (struct offset_range){in, in - out};
}

int offset_map_take(struct offset_map *m, int64_t in, int64_t *out)
{
	if (in > m->high) {
		m->high = in;
		*out = in - newest(m)->offset;
		return 0;
	}
	return find(m, in, out);
}

int offset_map_skip(struct offset_map *m, int64_t in)
{
	if (in <= m->high) {
		int64_t out;
		int err = find(m, in, &out);
		return err == -ERR_NOT_FOUND ? 0 : err ? err : -ERR_BAD_STATE;
	}
	m->high = in;
	/* Also when numbers just before `in` never arrived: those keep theirs. */
	if (newest(m)->first == in)
		*newest(m) = (struct offset_range){in + 1, newest(m)->offset + 1};
	else
		change_offset(m, in + 1, newest(m)->offset + 1);
	return 0;
}

int64_t offset_map_next(const struct offset_map *m)
{
	return m->high + 1 - m->ranges[m->newest].offset;
}

int64_t offset_map_insert(struct offset_map *m)
{
	int64_t out = offset_map_next(m);
	change_offset(m, m->high + 1, newest(m)->offset - 1);
	return out;
}
