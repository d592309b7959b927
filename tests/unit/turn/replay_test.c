#include "../cm.h"
#include "../../turn_kit.h"

/* Sends the last request again and compares the answers. */
static bool repeats(struct kit *k, struct kit_client *c)
{
	uint8_t was[TURN_OUT_MAX];
	size_t n = k->answer_n;
	unsigned before = k->n_answers;
	memcpy(was, k->answer, n);
	kit_rx(k, &c->flow, k->sealed);
	return k->n_answers == before + 1 && k->answer_n == n && memcmp(was, k->answer, n) == 0;
}

static void a_repeated_request_gets_its_answer(void **st)
{
	(void)st;
	struct kit *k = kit_new();
	struct kit_client c = kit_client(TURN_UDP, 0, 4000, "alice"),
			  d = kit_client(TURN_UDP, 0, 4001, "alice");
	struct addr peer = kit_addr("10.0.0.5", 900);
	assert_int_equal(kit_allocate(k, &c), 0);
	assert_true(repeats(k, &c));
	kit_wait(k, 39000000);
	assert_true(repeats(k, &c));
	assert_int_equal(turn_alloc_count(k->server), 1);
	/* From elsewhere it is another request. */
	kit_rx(k, &d.flow, k->sealed);
	assert_int_equal(turn_alloc_count(k->server), 2);
	assert_int_equal(kit_permit(k, &c, &peer), 0);
	assert_true(repeats(k, &c));
	assert_int_equal(kit_bind(k, &c, 0x4000, &peer), 0);
	assert_true(repeats(k, &c));
	assert_int_equal(kit_refresh(k, &c, 0), 0);
	assert_true(repeats(k, &c));
	kit_wait(k, 42000000);
	assert_false(repeats(k, &c));
	assert_int_equal(kit_result(k, 0), STUN_ERR_ALLOCATION_MISMATCH);
	kit_free(k);
}

static void the_same_id_with_another_content_is_new(void **st)
{
	(void)st;
	struct kit *k = kit_new();
	struct kit_client c = kit_client(TURN_UDP, 0, 4000, "alice");
	assert_int_equal(kit_allocate(k, &c), 0);
	c.n_requests--;
	assert_int_equal(kit_refresh(k, &c, 700), 0);
	assert_int_equal(k->m.method, STUN_REFRESH);
	assert_true(repeats(k, &c));
	kit_free(k);
}

static void old_answers_make_room(void **st)
{
	(void)st;
	struct turn_cfg cfg = kit_cfg();
	cfg.answers_max = 8;
	struct kit *k = kit_new_with(&cfg, NULL, KIT_USERS);
	struct kit_client c = kit_client(TURN_UDP, 0, 4000, "alice");
	assert_int_equal(kit_allocate(k, &c), 0);
	uint8_t request[2048];
	size_t n = k->sealed.n;
	memcpy(request, k->sealed.p, n);
	for (int i = 0; i < 7; i++)
		assert_int_equal(kit_refresh(k, &c, 600), 0);
	unsigned before = k->n_answers;
	kit_rx(k, &c.flow, slice_of(request, n));
	assert_int_equal(kit_result(k, before), 0);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(kit_refresh(k, &c, 600), 0);
		assert_true(repeats(k, &c));
	}
	before = k->n_answers;
	kit_rx(k, &c.flow, slice_of(request, n));
	assert_int_equal(kit_result(k, before), STUN_ERR_ALLOCATION_MISMATCH);
	kit_free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_repeated_request_gets_its_answer),
		cmocka_unit_test(the_same_id_with_another_content_is_new),
		cmocka_unit_test(old_answers_make_room),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
