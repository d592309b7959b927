#include "cm.h"

#include <stdbool.h>

#include "base/rng.h"
#include "base/wheel.h"

enum { TIMERS = 500 };

struct probe {
	struct timer timer;
	uint64_t asked_us, fired_us;
};

static uint64_t clock_us;

static void fire(void *arg, uint64_t now_us)
{
	struct probe *p = arg;
	assert_int_equal(p->fired_us, 0);
	p->fired_us = now_us;
}

/* Advances as a loop would: straight to the time that wheel_next_us names. */
static void run_until(struct wheel *w, uint64_t end_us)
{
	while (clock_us < end_us) {
		uint64_t next = wheel_next_us(w);
		assert_true(next > clock_us || next == UINT64_MAX);
		clock_us = next < end_us ? next : end_us;
		wheel_run(w, clock_us);
	}
}

static void fires_once_never_early_and_within_a_millisecond(void **st)
{
	(void)st;
	static struct wheel w;
	static struct probe probes[TIMERS];
	clock_us = 123456789;
	wheel_init(&w, clock_us);
	for (size_t i = 0; i < TIMERS; i++) {
		/* From microseconds to five hours: all levels, and past the horizon of the last but one. */
		uint64_t span = 1ULL << rng_u32() % 34;
		probes[i].asked_us = clock_us + rng_u64() % span;
		probes[i].fired_us = 0;
		timer_init(&probes[i].timer, fire, &probes[i]);
		wheel_set(&w, &probes[i].timer, probes[i].asked_us);
		if (i % 7 == 0)
			run_until(&w, clock_us + 777);
	}
	run_until(&w, clock_us + (1ULL << 35));
	for (size_t i = 0; i < TIMERS; i++) {
		assert_true(probes[i].fired_us >= probes[i].asked_us);
		assert_true(probes[i].fired_us <= probes[i].asked_us + 3000);
	}
	assert_int_equal(w.armed, 0);
	assert_true(wheel_next_us(&w) == UINT64_MAX);
}

static void removed_timer_does_not_fire(void **st)
{
	(void)st;
	static struct wheel w;
	struct probe a = {0}, b = {0};
	clock_us = 1000000;
	wheel_init(&w, clock_us);
	timer_init(&a.timer, fire, &a);
	timer_init(&b.timer, fire, &b);
	wheel_set(&w, &a.timer, clock_us + 5000);
	wheel_set(&w, &b.timer, clock_us + 5000);
	wheel_set(&w, &b.timer, clock_us + 9000); /* moved */
	wheel_del(&w, &a.timer);
	wheel_del(&w, &a.timer); /* twice is fine */
	run_until(&w, clock_us + 8000);
	assert_int_equal(a.fired_us, 0);
	assert_int_equal(b.fired_us, 0);
	run_until(&w, clock_us + 8000);
	assert_int_not_equal(b.fired_us, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fires_once_never_early_and_within_a_millisecond),
		cmocka_unit_test(removed_timer_does_not_fire),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
