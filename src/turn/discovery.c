/*
 * Binding, and NAT behaviour discovery (RFC 5780): four sockets, of which [0] and [1] of `other` name the two
 * addresses and the two ports.
 */
#include "turn/turn_internal.h"

enum { PADDING_MAX = 1500 }; /* of an answer; a request may bring more */

/* Which of the two addresses and ports the request came to. False: not one of the four sockets. */
static bool which_socket(const struct turn_req *rq, unsigned *ip, unsigned *port)
{
	const struct turn_server *s = rq->s;
	const struct addr *at = &rq->flow->server;
	if (!s->has_other)
		return false;
	*ip = !addr_ip_eq(at, &s->other[0]);
	*port = addr_port(at) != addr_port(&s->other[0]);
	return addr_ip_eq(at, &s->other[*ip]) && addr_port(at) == addr_port(&s->other[*port]);
}

static void socket_addr(const struct turn_server *s, unsigned ip, unsigned port, struct addr *out)
{
	*out = s->other[ip];
	addr_set_port(out, addr_port(&s->other[port]));
}

static bool is_discovery(const struct stun_msg *m)
{
	return stun_has(m, STUN_ATTR_CHANGE_REQUEST) || stun_has(m, STUN_ATTR_RESPONSE_PORT) ||
		stun_has(m, STUN_ATTR_PADDING);
}

/* RFC 5780 §6.1: who cannot do what these ask for does not know them. */
static void refuse(struct turn_req *rq)
{
	static const struct {
		enum stun_attr attr;
		uint16_t type;
	} asked[] = {
		{STUN_ATTR_CHANGE_REQUEST, 0x0003},
		{STUN_ATTR_PADDING, 0x0026},
		{STUN_ATTR_RESPONSE_PORT, 0x0027},
	};
	struct stun_msg m = *rq->m;
	m.n_unknown = 0;
	for (size_t i = 0; i < ARRAY_LEN(asked); i++)
		if (stun_has(rq->m, asked[i].attr))
			m.unknown[m.n_unknown++] = asked[i].type;
	rq->m = &m;
	turn_answer_fail(rq, STUN_ERR_UNKNOWN_ATTRIBUTE);
}

static void put_padding(struct turn_req *rq)
{
	static const uint8_t zeros[PADDING_MAX];
	size_t n = stun_value(rq->m, STUN_ATTR_PADDING).n;
	stun_put(&rq->w, STUN_ATTR_PADDING, zeros, MIN((n + 3) & ~(size_t)3, (size_t)PADDING_MAX));
}

static void discover(struct turn_req *rq, unsigned ip, unsigned port)
{
	struct turn_server *s = rq->s;
	const struct stun_msg *m = rq->m;
	uint32_t change = stun_number(m, STUN_ATTR_CHANGE_REQUEST);
	unsigned from_ip = ip ^ !!(change & STUN_CHANGE_IP);
	unsigned from_port = port ^ !!(change & STUN_CHANGE_PORT);
	struct addr origin, other, to = rq->flow->client;
	socket_addr(s, from_ip, from_port, &origin);
	socket_addr(s, !ip, !port, &other);
	if (stun_has(m, STUN_ATTR_RESPONSE_PORT))
		addr_set_port(&to, (uint16_t)stun_number(m, STUN_ATTR_RESPONSE_PORT));
	stun_put_addr(&rq->w, STUN_ATTR_RESPONSE_ORIGIN, &origin);
	stun_put_addr(&rq->w, STUN_ATTR_OTHER_ADDRESS, &other);
	if (stun_has(m, STUN_ATTR_PADDING))
		put_padding(rq);
	bool is_usual = from_ip == ip && from_port == port && addr_eq(&to, &rq->flow->client);
	turn_answer_send_from(rq, is_usual ? NULL : &origin, &to);
}

void turn_handle_binding(struct turn_req *rq)
{
	const struct stun_msg *m = rq->m;
	unsigned ip = 0, port = 0;
	bool can_discover = which_socket(rq, &ip, &port);
	if (is_discovery(m) && (!can_discover || rq->flow->transport != TURN_UDP)) {
		refuse(rq);
		return;
	}
	/* RFC 5780 §6.1: not both; a padded answer to another port would be a weapon. */
	bool has_port = stun_has(m, STUN_ATTR_RESPONSE_PORT);
	if (has_port && (stun_has(m, STUN_ATTR_PADDING) ||
				!stun_number(m, STUN_ATTR_RESPONSE_PORT))) {
		turn_answer_fail(rq, STUN_ERR_BAD_REQUEST);
		return;
	}
	turn_answer_begin(rq, STUN_SUCCESS);
	stun_put_xor_addr(&rq->w, STUN_ATTR_XOR_MAPPED_ADDRESS, &rq->flow->client);
	if (can_discover)
		discover(rq, ip, port);
	else
		turn_answer_send(rq);
}
