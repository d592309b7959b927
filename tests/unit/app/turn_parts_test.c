/* What the TURN server is told, out of the configuration. */
#include "app/turn_parts.h"

#include "../cm.h"
#include "base/mem.h"

static struct turn_settings *make(struct config *cfg, unsigned n_workers)
{
	static const uint8_t key[TURN_NONCE_KEY_LEN] = {1};
	const struct turn_surroundings around = {.n_workers = n_workers, .nonce_key = key};
	struct turn_settings *s = NULL;
	struct errbuf eb = {""};
	if (turn_settings_new(&s, cfg, &around, &eb))
		fail_msg("%s", eb.text);
	return s;
}

static struct config *defaults(void)
{
	struct config_source src = {0};
	struct config *cfg = NULL;
	struct errbuf eb = {""};
	if (config_load(&src, &cfg, &eb))
		fail_msg("%s", eb.text);
	return cfg;
}

/* Whoever changes his port comes to another worker: all of them together keep to what is configured. */
static void limits_of_an_address_are_shared_out(void **st)
{
	(void)st;
	struct config *cfg = defaults();
	struct turn_settings *one = make(cfg, 1), *eight = make(cfg, 8);
	const struct turn_cfg *a = &one->turnd.turn, *b = &eight->turnd.turn;
	assert_int_equal(a->unauthenticated_bytes_per_s, cfg->turn.unauthenticated_bytes_per_s);
	assert_int_equal(a->auth_failures_per_address, cfg->turn.auth_failures_per_address);
	assert_int_equal(b->unauthenticated_bytes_per_s * 8, cfg->turn.unauthenticated_bytes_per_s);
	assert_in_range(b->auth_failures_per_address * 8, 8, cfg->turn.auth_failures_per_address);
	turn_settings_unref(eight);
	/* Never none at all, and 0 is no limit still. */
	cfg->turn.auth_failures_per_address = 2;
	cfg->turn.unauthenticated_bytes_per_s = 0;
	eight = make(cfg, 8);
	assert_int_equal(eight->turnd.turn.auth_failures_per_address, 2);
	assert_int_equal(eight->turnd.turn.unauthenticated_bytes_per_s, 0);
	turn_settings_unref(eight);
	turn_settings_unref(one);
	config_free(cfg);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limits_of_an_address_are_shared_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
