/*
 * dcep: the data channel establishment protocol (RFC 8832 §5).
 *
 *  0                   1                   2                   3
 *  +---------------+---------------+-------------------------------+
 *  | 0x03 OPEN     | channel type  | priority                      |
 *  +---------------+---------------+-------------------------------+
 *  | reliability parameter                                         |
 *  +-------------------------------+-------------------------------+
 *  | label length                  | protocol length               |
 *  +-------------------------------+-------------------------------+
 *  | label, then protocol                                          |
 */
#include "sctp/sctp_internal.h"

enum {
	TYPE_RELIABLE = 0x00,
	TYPE_RETRANSMITS = 0x01,
	TYPE_LIFETIME = 0x02,
	TYPE_UNORDERED = 0x80, /* a flag on the three above */
	PRIORITY_NORMAL = 256, /* RFC 8831 §6.4 */
};

static int32_t clamp_limit(uint32_t v)
{
	return v > INT32_MAX ? INT32_MAX : (int32_t)v;
}

int sctp_dcep_parse_open(struct sctp_channel_info *info, struct slice message)
{
	struct cursor c = cursor_of(message);
	uint8_t kind = cursor_u8(&c), type = cursor_u8(&c);
	(void)cursor_u16(&c); /* priority: everything here is sent at the same one */
	uint32_t reliability = cursor_u32(&c);
	uint16_t label_n = cursor_u16(&c), protocol_n = cursor_u16(&c);
	struct slice label = cursor_take(&c, label_n), protocol = cursor_take(&c, protocol_n);

	if (!c.ok)
		return -ERR_TRUNCATED;
	if (kind != DCEP_OPEN || c.left)
		return -ERR_MALFORMED;
	if (label_n > SCTP_LABEL_MAX || protocol_n > SCTP_LABEL_MAX)
		return -ERR_RANGE;
	*info = (struct sctp_channel_info){
		.is_ordered = !(type & TYPE_UNORDERED),
		.max_retransmits = -1,
		.max_lifetime_ms = -1,
		.label = label,
		.protocol = protocol,
	};
	switch (type & ~TYPE_UNORDERED) {
	case TYPE_RELIABLE:
		return 0;
	case TYPE_RETRANSMITS:
		info->max_retransmits = clamp_limit(reliability);
		return 0;
	case TYPE_LIFETIME:
		info->max_lifetime_ms = clamp_limit(reliability);
		return 0;
	default:
		return -ERR_MALFORMED;
	}
}

size_t sctp_dcep_write_open(uint8_t *out, const struct sctp_channel_info *info)
{
	int32_t limit = MAX(info->max_retransmits, info->max_lifetime_ms);
	int type = info->max_retransmits >= 0 ? TYPE_RETRANSMITS
		: info->max_lifetime_ms >= 0  ? TYPE_LIFETIME
					      : TYPE_RELIABLE;
	out[0] = DCEP_OPEN;
	out[1] = (uint8_t)(type | (info->is_ordered ? 0 : TYPE_UNORDERED));
	wr16(out + 2, PRIORITY_NORMAL);
	wr32(out + 4, limit < 0 ? 0 : (uint32_t)limit);
	wr16(out + 8, (uint16_t)info->label.n);
	wr16(out + 10, (uint16_t)info->protocol.n);
	if (info->label.n)
		memcpy(out + DCEP_OPEN_LEN, info->label.p, info->label.n);
	if (info->protocol.n)
		memcpy(out + DCEP_OPEN_LEN + info->label.n, info->protocol.p, info->protocol.n);
	return DCEP_OPEN_LEN + info->label.n + info->protocol.n;
}
