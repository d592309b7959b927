#include "turn/turn_internal.h"

const char *turn_reason(unsigned code)
{
	static const struct {
		unsigned code;
		const char *text;
	} reasons[] = {
		{STUN_ERR_TRY_ALTERNATE, "Try Alternate"},
		{STUN_ERR_BAD_REQUEST, "Bad Request"},
		{STUN_ERR_UNAUTHENTICATED, "Unauthorized"},
		{STUN_ERR_FORBIDDEN, "Forbidden IP"},
		{STUN_ERR_MOBILITY_FORBIDDEN, "Mobility Forbidden"},
		{STUN_ERR_UNKNOWN_ATTRIBUTE, "Unknown Attribute"},
		{STUN_ERR_ALLOCATION_MISMATCH, "Allocation Mismatch"},
		{STUN_ERR_STALE_NONCE, "Stale Nonce"},
		{STUN_ERR_FAMILY_UNSUPPORTED, "Address Family not Supported"},
		{STUN_ERR_WRONG_CREDENTIALS, "Wrong Credentials"},
		{STUN_ERR_TRANSPORT_UNSUPPORTED, "Unsupported Transport Protocol"},
		{STUN_ERR_PEER_FAMILY_MISMATCH, "Peer Address Family Mismatch"},
		{STUN_ERR_CONNECTION_EXISTS, "Connection Already Exists"},
		{STUN_ERR_CONNECTION_FAILED, "Connection Timeout or Failure"},
		{STUN_ERR_QUOTA, "Allocation Quota Reached"},
		{STUN_ERR_CAPACITY, "Insufficient Capacity"},
	};
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (reasons[i].code == code)
			return reasons[i].text;
	return "Server Error";
}

/* splitmix64 (Steele, Lea, Flood 2014): unique, not secret. */
uint64_t turn_random(struct turn_server *s)
{
	uint64_t z = s->random_state += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

void turn_indication_tid(struct turn_server *s, uint8_t tid[STUN_TID_LEN])
{
	wr64(tid, turn_random(s));
	wr32(tid + 8, (uint32_t)s->random_state);
}

void turn_answer_begin(struct turn_req *rq, enum stun_class class)
{
	stun_begin(&rq->w, rq->out, sizeof rq->out, (enum stun_method)rq->m->method, class,
		rq->m->tid);
}

static void count(const struct turn_req *rq)
{
	bool is_error = (rd16(rq->w.p) & STUN_ERROR) == STUN_ERROR;
	if (rq->m->method != STUN_BINDING)
		metric_inc(is_error ? M_TURN_ERRORS : M_TURN_SUCCESSES);
	else
		metric_inc(is_error ? M_TURN_BINDING_ERRORS : M_TURN_BINDING_RESPONSES);
}

bool turn_answer_send_from(struct turn_req *rq, const struct addr *from, const struct addr *to)
{
	struct turn_server *s = rq->s;
	/* Nothing is known of who sent it: the answer is not longer than that was. */
	bool is_short = rq->is_bad && !turn_is_signed(rq->m);
	if (s->cfg.software[0] && !is_short)
		stun_put(&rq->w, STUN_ATTR_SOFTWARE, s->cfg.software, strlen(s->cfg.software));
	bool with_fingerprint = s->cfg.with_fingerprint || rq->m->fingerprint_at;
	struct slice out;
	if (turn_auth_seal(&rq->w, rq->who, rq->m, with_fingerprint, &out)) {
		metric_drop(DROP_TURN_ANSWER_TOO_LONG);
		return false;
	}
	if (is_short && rq->flow->transport == TURN_UDP && out.n > rq->m->raw.n) {
		metric_drop(DROP_TURN_MALFORMED);
		return false;
	}
	/*
	 * A permission or channel given once more is the same answer again, byte by byte; it is not worth
	 * keeping. Streams do not repeat themselves.
	 */
	bool is_repeatable = rq->m->method == STUN_BINDING ||
		rq->m->method == STUN_CREATE_PERMISSION || rq->m->method == STUN_CHANNEL_BIND;
	if (rq->is_trusted && !is_repeatable && turn_is_datagram(rq->flow->transport)) {
		turn_replay_add(s->replay, rq->flow, rq->m->raw, out, rq->now_us);
		turn_sweep_by(s, rq->now_us);
	}
	/* Only datagrams may come from an address that is not their sender's, and who signs has
	 * answered a nonce there. */
	if (!rq->who && rq->flow->transport == TURN_UDP &&
		!turn_limits_answer(s->limits, &rq->flow->client, out.n,
			s->cfg.unauthenticated_bytes_per_s, rq->now_us)) {
		metric_drop(DROP_TURN_ANSWER_RATE);
		return false;
	}
	count(rq);
	if (from)
		s->ops->send_from(s->arg, from, to, out);
	else
		s->ops->send(s->arg, rq->flow, out, false);
	return true;
}

bool turn_answer_send(struct turn_req *rq)
{
	return turn_answer_send_from(rq, NULL, NULL);
}

void turn_answer_fail(struct turn_req *rq, unsigned code)
{
	struct turn_server *s = rq->s;
	turn_answer_begin(rq, STUN_ERROR);
	stun_put_error(&rq->w, code, turn_reason(code));
	if (code == STUN_ERR_UNKNOWN_ATTRIBUTE)
		stun_put_unknown(&rq->w, rq->m->unknown, rq->m->n_unknown);
	if (code == STUN_ERR_UNAUTHENTICATED || code == STUN_ERR_STALE_NONCE)
		turn_auth_put_challenge(s->auth, &rq->w, &rq->flow->client, rq->now_us);
	if (code == STUN_ERR_TRY_ALTERNATE)
		stun_put_addr(&rq->w, STUN_ATTR_ALTERNATE_SERVER, &s->alternate);
	bool is_sent = turn_answer_send(rq);
	if (code == STUN_ERR_UNAUTHENTICATED)
		metric_inc(is_sent ? M_TURN_401_RESPONSES : M_TURN_401_DROPPED);
}
