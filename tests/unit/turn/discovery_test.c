#include "../cm.h"
#include "../../turn_kit.h"

static struct kit *kit_with_two(struct addr other[2])
{
	struct turn_cfg cfg = kit_cfg();
	other[0] = kit_addr("192.0.2.1", 3478);
	other[1] = kit_addr("192.0.2.2", 3479);
	cfg.other_address = other;
	return kit_new_with(&cfg, NULL, KIT_USERS);
}

static void answers_name_the_other_socket(void **st)
{
	(void)st;
	struct addr other[2], a;
	struct kit *k = kit_with_two(other);
	struct kit_client c = kit_client(TURN_UDP, 0, 4000, "alice");
	kit_begin(k, &c, STUN_BINDING);
	assert_int_equal(kit_send_plain(k, &c), 0);
	assert_true(addr_eq(&k->m.mapped, &c.flow.client));
	assert_true(stun_addr(&k->m, STUN_ATTR_RESPONSE_ORIGIN, &a));
	assert_true(addr_eq(&a, &other[0]));
	assert_true(stun_addr(&k->m, STUN_ATTR_OTHER_ADDRESS, &a));
	assert_true(addr_eq(&a, &other[1]));
	/* On [1]'s address and [0]'s port, and elsewhere. */
	c.flow.server = kit_addr("192.0.2.2", 3478);
	kit_begin(k, &c, STUN_BINDING);
	assert_int_equal(kit_send_plain(k, &c), 0);
	struct addr want = kit_addr("192.0.2.1", 3479);
	assert_true(stun_addr(&k->m, STUN_ATTR_OTHER_ADDRESS, &a));
	assert_true(addr_eq(&a, &want));
	c.flow.server = kit_addr("192.0.2.9", 3478);
	kit_begin(k, &c, STUN_BINDING);
	assert_int_equal(kit_send_plain(k, &c), 0);
	assert_false(stun_has(&k->m, STUN_ATTR_OTHER_ADDRESS));
	assert_int_equal(k->n_from, 0);
	kit_free(k);
}

static void changes_are_made(void **st)
{
	(void)st;
	struct addr other[2], a;
	struct kit *k = kit_with_two(other);
	struct kit_client c = kit_client(TURN_UDP, 0, 4000, "alice");
	for (unsigned bits = 0; bits < 4; bits++) {
		kit_begin(k, &c, STUN_BINDING);
		stun_put_number(&k->w, STUN_ATTR_CHANGE_REQUEST, bits << 1);
		assert_int_equal(kit_send_plain(k, &c), 0);
		struct addr want = other[bits >> 1];
		addr_set_port(&want, addr_port(&other[bits & 1]));
		assert_true(stun_addr(&k->m, STUN_ATTR_RESPONSE_ORIGIN, &a));
		assert_true(addr_eq(&a, &want));
		assert_int_equal(k->n_from, bits);
		if (bits) {
			assert_true(addr_eq(&k->from, &want));
			assert_true(addr_eq(&k->to, &c.flow.client));
		}
	}
	kit_begin(k, &c, STUN_BINDING);
	stun_put_number(&k->w, STUN_ATTR_RESPONSE_PORT, 777);
	assert_int_equal(kit_send_plain(k, &c), 0);
	assert_int_equal(addr_port(&k->to), 777);
	assert_true(addr_eq(&k->from, &other[0]));
	assert_true(addr_eq(&k->m.mapped, &c.flow.client));
	kit_free(k);
}

static void padding_is_bounded(void **st)
{
	(void)st;
	struct addr other[2];
	struct kit *k = kit_with_two(other);
	struct kit_client c = kit_client(TURN_UDP, 0, 4000, "alice");
	static const uint8_t pad[1800];
	const size_t sizes[][2] = {{10, 12}, {1500, 1500}, {1800, 1500}};
	for (size_t i = 0; i < 3; i++) {
		kit_begin(k, &c, STUN_BINDING);
		stun_put(&k->w, STUN_ATTR_PADDING, pad, sizes[i][0]);
		assert_int_equal(kit_send_plain(k, &c), 0);
		assert_int_equal(stun_value(&k->m, STUN_ATTR_PADDING).n, sizes[i][1]);
	}
	kit_begin(k, &c, STUN_BINDING);
	stun_put(&k->w, STUN_ATTR_PADDING, pad, 100);
	stun_put_number(&k->w, STUN_ATTR_RESPONSE_PORT, 777);
	assert_int_equal(kit_send_plain(k, &c), STUN_ERR_BAD_REQUEST);
	kit_free(k);
}

static void without_a_second_address_there_is_none(void **st)
{
	(void)st;
	struct addr other[2];
	struct kit *k = kit_new(), *two = kit_with_two(other);
	struct kit_client c = kit_client(TURN_UDP, 0, 4000, "alice"),
			  t = kit_client(TURN_TCP, 8, 4000, "alice");
	kit_begin(k, &c, STUN_BINDING);
	stun_put_number(&k->w, STUN_ATTR_CHANGE_REQUEST, 6);
	assert_int_equal(kit_send_plain(k, &c), STUN_ERR_UNKNOWN_ATTRIBUTE);
	assert_int_equal(k->m.refused.n, 2);
	assert_int_equal(rd16(k->m.refused.p), 3);
	kit_begin(two, &t, STUN_BINDING);
	stun_put_number(&two->w, STUN_ATTR_CHANGE_REQUEST, 6);
	assert_int_equal(kit_send_plain(two, &t), STUN_ERR_UNKNOWN_ATTRIBUTE);
	kit_free(k);
	kit_free(two);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_name_the_other_socket),
		cmocka_unit_test(changes_are_made),
		cmocka_unit_test(padding_is_bounded),
		cmocka_unit_test(without_a_second_address_there_is_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
