#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "pb/pb.h"
#include "signal/conn.h"

struct heard {
	Livekit__SignalResponse *last;
	unsigned sent, requests;
	Livekit__SignalRequest__MessageCase last_case;
};

static void on_send(void *arg, struct slice signal_response)
{
	struct heard *h = arg;
	ProtobufCMessage *m;
	assert_int_equal(pb_decode(&livekit__signal_response__descriptor, signal_response,
				 &pb_signal_limits, &m),
		0);
	pb_free(h->last);
	h->last = (Livekit__SignalResponse *)m;
	h->sent++;
}

static void on_request(void *arg, Livekit__SignalRequest *req)
{
	struct heard *h = arg;
	h->requests++;
	h->last_case = req->message_case;
	pb_free(req);
}

static const struct signal_conn_ops ops = {.send = on_send, .request = on_request};
static const uint8_t ping_7[] = {0x70, 0x07};
static const uint8_t bad[] = {0xff, 0xff, 0xff};
#define SLICE(a) slice_of(a, sizeof(a))

static int rx(struct signal_conn *c, struct heard *h, struct slice msg, bool is_text,
	uint64_t now_us, uint16_t *code)
{
	*code = 0;
	return signal_conn_rx(c, msg, is_text, now_us, 1700000000123456, &ops, h, code);
}

static void pings_are_answered(void **st)
{
	struct heard h = {0};
	struct signal_conn c;
	uint16_t code;
	signal_conn_init(&c, 0);
	assert_int_equal(rx(&c, &h, SLICE(ping_7), false, 0, &code), 0);
	assert_int_equal(h.sent, 1);
	assert_int_equal(h.last->message_case, LIVEKIT__SIGNAL_RESPONSE__MESSAGE_PONG);
	assert_true(h.last->pong == 1700000000123);

	static const char req[] = "{\"pingReq\":{\"timestamp\":\"42\",\"rtt\":\"9\"}}";
	assert_int_equal(rx(&c, &h, slice_str(req), true, 0, &code), 0);
	assert_true(c.is_json);
	assert_int_equal(h.sent, 2);
	assert_int_equal(h.last->message_case, LIVEKIT__SIGNAL_RESPONSE__MESSAGE_PONG_RESP);
	assert_true(h.last->pong_resp->last_ping_timestamp == 42);
	assert_true(h.last->pong_resp->timestamp == 1700000000123);
	assert_int_equal(h.requests, 0);
	pb_free(h.last);
}

static void requests_pass_and_set_the_language(void **st)
{
	struct heard h = {0};
	struct signal_conn c;
	uint16_t code;
	signal_conn_init(&c, 0);
	assert_int_equal(rx(&c, &h, slice_str("{\"leave\":{}}"), true, 0, &code), 0);
	assert_int_equal(h.last_case, LIVEKIT__SIGNAL_REQUEST__MESSAGE_LEAVE);
	assert_true(c.is_json);
	static const uint8_t leave[] = {0x42, 0x00};
	assert_int_equal(rx(&c, &h, SLICE(leave), false, 0, &code), 0);
	assert_false(c.is_json);
	assert_int_equal(h.requests, 2);
	/* Nothing inside, and a member of the future. */
	static const uint8_t unknown[] = {0xfa, 0x3f, 0x00};
	assert_int_equal(rx(&c, &h, slice_of(NULL, 0), false, 0, &code), 0);
	assert_int_equal(rx(&c, &h, SLICE(unknown), false, 0, &code), 0);
	assert_int_equal(h.requests, 2);
	assert_int_equal(c.bad_in_row, 0);
}

static void ten_undecodable_in_a_row_end_it(void **st)
{
	struct heard h = {0};
	struct signal_conn c;
	uint16_t code;
	signal_conn_init(&c, 0);
	for (int i = 0; i < SIGNAL_BAD_MAX - 1; i++)
		assert_int_equal(rx(&c, &h, SLICE(bad), false, 0, &code), 0);
	assert_int_equal(rx(&c, &h, SLICE(ping_7), false, 0, &code), 0);
	for (int i = 0; i < SIGNAL_BAD_MAX - 1; i++)
		assert_int_equal(rx(&c, &h, slice_str("["), true, 0, &code), 0);
	assert_int_equal(rx(&c, &h, SLICE(bad), false, 0, &code), -ERR_MALFORMED);
	assert_int_equal(code, SIGNAL_CLOSE_UNSUPPORTED);
	pb_free(h.last);
}

static void rate_is_limited_after_the_burst(void **st)
{
	struct heard h = {0};
	struct signal_conn c;
	uint16_t code;
	signal_conn_init(&c, 1000);
	for (int i = 0; i < SIGNAL_RATE_BURST; i++)
		assert_int_equal(rx(&c, &h, SLICE(ping_7), false, 1000, &code), 0);
	assert_int_equal(rx(&c, &h, SLICE(ping_7), false, 1000, &code), -ERR_NO_ROOM);
	assert_int_equal(code, SIGNAL_CLOSE_POLICY);
	/* One second earns exactly the average; an hour no more than the burst. */
	for (int i = 0; i < SIGNAL_RATE_PER_S; i++)
		assert_int_equal(rx(&c, &h, SLICE(ping_7), false, 1000 + US_PER_S, &code), 0);
	assert_int_equal(rx(&c, &h, SLICE(ping_7), false, 1000 + US_PER_S, &code), -ERR_NO_ROOM);
	for (int i = 0; i < SIGNAL_RATE_BURST; i++)
		assert_int_equal(rx(&c, &h, SLICE(ping_7), false, 3600ull * US_PER_S, &code), 0);
	assert_int_equal(rx(&c, &h, SLICE(ping_7), false, 3600ull * US_PER_S, &code), -ERR_NO_ROOM);
	pb_free(h.last);
}

static void responses_have_a_json_form(void **st)
{
	static const uint8_t pong[] = {0x90, 0x01, 0x05};
	struct buf json;
	buf_init(&json, 1024);
	assert_int_equal(signal_conn_json(SLICE(pong), &json), 0);
	assert_string_equal(buf_cstr(&json), "{\"pong\":\"5\"}");
	assert_int_not_equal(signal_conn_json(SLICE(bad), &json), 0);
	buf_free(&json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pings_are_answered),
		cmocka_unit_test(requests_pass_and_set_the_language),
		cmocka_unit_test(ten_undecodable_in_a_row_end_it),
		cmocka_unit_test(rate_is_limited_after_the_burst),
		cmocka_unit_test(responses_have_a_json_form),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
