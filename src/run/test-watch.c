/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <sys/resource.h>

#include "run/test-tracer.h"
#include "run/test-watch.h"

/* What the timers do, and that they do it in the states only in which it means anything. */

#define SOON_US 2000

static void limit(struct run_of_test *t, enum limit l, uint64_t value)
{
	t->policy.limits.v[l] =
		(struct limit_value){.set = true, .value = value, .origin = ORIGIN_ASKED};
}

static void run_until(struct run_of_test *t, enum watch_state state)
{
	while (t->w.state != state && uv_run(&t->loop, UV_RUN_ONCE) != 0)
		;
	assert_int_equal(t->w.state, state);
}

/* Until all timers have gone off. */
static void run_out(struct run_of_test *t)
{
	uv_run(&t->loop, UV_RUN_DEFAULT);
}

static void test_the_wall_time_out_stops(void **state)
{
	struct run_of_test *t = *state;
	limit(t, LIMIT_TIMEOUT, SOON_US);
	watch_arm(&t->w, TIMER_WALL, SOON_US);
	run_until(t, WATCH_STOPPING);
	ends_by(&t->payload, SIGTERM);
	expect_act(t, 0, ACT_WALL_TIMEOUT, SIGTERM, false);
	assert_true(t->o.acts[0].measured >= SOON_US);
}

/* Kept from the CPU beyond the deadline, we find the timer and the end that came before it. */
static void test_what_ended_in_time_is_not_late(void **state)
{
	struct run_of_test *t = *state;
	siginfo_t info;
	limit(t, LIMIT_TIMEOUT, SOON_US);
	limit(t, LIMIT_IDLE_TIMEOUT, SOON_US);
	watch_processes(&t->w);
	watch_arm(&t->w, TIMER_WALL, SOON_US);
	watch_arm(&t->w, TIMER_IDLE, SOON_US);
	assert_int_equal(kill(t->payload, SIGUSR1), 0);
	assert_int_equal(waitid(P_PID, (id_t)t->payload, &info, WEXITED | WNOWAIT), 0);
	pass_time(t, US_PER_SEC);
	t->output.last_us = time_monotonic_us() - US_PER_SEC;
	uint64_t due = time_monotonic_us() + 3 * SOON_US;
	while (time_monotonic_us() < due)
		;
	run_until(t, WATCH_ENDING);
	assert_int_equal(t->o.n_acts, 0);
	assert_int_equal(t->o.term_signal, SIGUSR1);
	t->payload = 0;
}

/* A job that was stopped has that time left over. */
static void test_the_time_as_a_stopped_job_does_not_count(void **state)
{
	struct run_of_test *t = *state;
	const uint64_t stopped = 100 * US_PER_SEC;
	limit(t, LIMIT_TIMEOUT, 5 * SOON_US);
	pass_time(t, stopped);
	t->w.stopped_us = stopped;
	watch_arm(&t->w, TIMER_WALL, SOON_US);
	run_until(t, WATCH_STOPPING);
	assert_in_range(t->o.acts[0].measured, 5 * SOON_US, stopped / 2);
}

static void test_silence_stops(void **state)
{
	struct run_of_test *t = *state;
	limit(t, LIMIT_IDLE_TIMEOUT, SOON_US);
	t->output.last_us = time_monotonic_us();
	watch_arm(&t->w, TIMER_IDLE, SOON_US);
	run_until(t, WATCH_STOPPING);
	expect_act(t, 0, ACT_IDLE_TIMEOUT, SIGTERM, false);
	assert_true(t->o.acts[0].measured >= SOON_US);
}

/* A word in between puts it off, as does a reader who does not read. */
static void test_silence_that_is_none(void **state)
{
	struct run_of_test *t = *state;
	limit(t, LIMIT_IDLE_TIMEOUT, SOON_US);
	t->output.stream[0].pending = 1;
	t->output.last_us = time_monotonic_us() - US_PER_SEC;
	watch_arm(&t->w, TIMER_IDLE, 0);
	for (int i = 0; i < 3; i++) {
		uv_run(&t->loop, UV_RUN_ONCE);
		assert_int_equal(t->w.state, WATCH_RUNNING);
	}
	lives(t->payload);
	t->output.stream[0].pending = 0;
	run_until(t, WATCH_STOPPING);
}

static void test_after_the_grace_time_all_is_killed(void **state)
{
	struct run_of_test *t = *state;
	t->policy.limits.grace_us = SOON_US;
	kill(t->payload, SIGKILL); /* whether it obeys makes no difference here */
	killer_stop(&t->w, ACT_WALL_TIMEOUT, 4321);
	run_until(t, WATCH_KILLING);
	ends_by(&t->init, SIGKILL);
	expect_act(t, 1, ACT_WALL_TIMEOUT, SIGKILL, true);
	assert_int_equal(t->o.acts[1].measured, 4321);
}

static void test_leftovers_that_stay_are_killed_as_such(void **state)
{
	struct run_of_test *t = *state;
	t->policy.limits.grace_us = SOON_US;
	killer_end_leftovers(&t->w);
	run_until(t, WATCH_KILLING);
	expect_act(t, 0, ACT_LEFTOVER, SIGKILL, true);
}

static void test_leftovers_of_what_was_stopped_die_for_the_same_reason(void **state)
{
	struct run_of_test *t = *state;
	t->policy.limits.grace_us = SOON_US;
	killer_stop(&t->w, ACT_IDLE_TIMEOUT, 7);
	killer_end_leftovers(&t->w);
	run_until(t, WATCH_KILLING);
	expect_act(t, 1, ACT_IDLE_TIMEOUT, SIGKILL, true);
}

/* A box that is not made in time, and a kernel that does not let go: neither is waited for. */
static void test_nothing_is_waited_for_without_end(void **state)
{
	struct run_of_test *t = *state;
	t->w.state = WATCH_STARTING;
	watch_arm(&t->w, TIMER_BOUND, SOON_US);
	while (t->o.n_acts == 0)
		uv_run(&t->loop, UV_RUN_ONCE);
	expect_act(t, 0, ACT_WALL_TIMEOUT, SIGKILL, true);
	assert_true(t->w.setup_overdue);
	assert_int_equal(t->w.state, WATCH_STARTING);
	watch_arm(&t->w, TIMER_BOUND, SOON_US);
	run_until(t, WATCH_GONE);

	t->w.state = WATCH_KILLING;
	watch_arm(&t->w, TIMER_BOUND, SOON_US);
	run_until(t, WATCH_GONE);
}

static void test_memory_that_is_sampled(void **state)
{
	struct run_of_test *t = *state;
	limit(t, LIMIT_MEMORY, 1);
	t->plan.by[LIMIT_MEMORY] = ENFORCED_SAMPLED;
	sampler_init(&t->w.sampler, t->init, t->payload);
	watch_arm(&t->w, TIMER_SAMPLE, SOON_US);
	run_until(t, WATCH_KILLING);
	ends_by(&t->init, SIGKILL);
	expect_act(t, 0, ACT_MEMORY_SAMPLED, SIGKILL, true);
	assert_int_equal(t->o.acts[0].measured, t->w.sampler.peak_bytes);
}

/* A look that fails for want of a descriptor does not end the looking. */
static void test_sampling_goes_on(void **state)
{
	struct run_of_test *t = *state;
	struct rlimit was, none;
	sampler_init(&t->w.sampler, t->init, t->payload);
	getrlimit(RLIMIT_NOFILE, &was);
	none = (struct rlimit){0, was.rlim_max};
	watch_arm(&t->w, TIMER_SAMPLE, 0);
	setrlimit(RLIMIT_NOFILE, &none);
	uv_run(&t->loop, UV_RUN_ONCE);
	setrlimit(RLIMIT_NOFILE, &was);
	assert_int_equal(t->w.sampler.peak_bytes, 0);
	assert_true(is_armed(t, TIMER_SAMPLE));
	while (t->w.sampler.peak_bytes == 0)
		assert_int_not_equal(uv_run(&t->loop, UV_RUN_ONCE), 0);
	lives(t->payload);
}

static void test_cpu_time_that_is_sampled(void **state)
{
	struct run_of_test *t = *state;
	limit(t, LIMIT_CPU_TIME, 0);
	t->plan.by[LIMIT_CPU_TIME] = ENFORCED_SAMPLED;
	sampler_init(&t->w.sampler, t->init, t->payload);
	watch_arm(&t->w, TIMER_SAMPLE, SOON_US);
	run_until(t, WATCH_STOPPING);
	ends_by(&t->payload, SIGTERM);
	expect_act(t, 0, ACT_CPU_TIME, SIGTERM, false);
}

/* All timers at once, in the states that none of them is for. */
static void test_timers_of_another_state_do_nothing(void **state)
{
	struct run_of_test *t = *state;
	static const struct {
		enum watch_state state;
		unsigned silent;
	} table[] = {
		{WATCH_STARTING,
			1 << TIMER_IDLE | 1 << TIMER_CPU | 1 << TIMER_SAMPLE | 1 << TIMER_OOM |
				1 << TIMER_GRACE | 1 << TIMER_GUARD | 1 << TIMER_SETTLE},
		{WATCH_RUNNING, 1 << TIMER_GRACE | 1 << TIMER_BOUND},
		{WATCH_STOPPING,
			1 << TIMER_WALL | 1 << TIMER_IDLE | 1 << TIMER_CPU | 1 << TIMER_BOUND |
				1 << TIMER_SETTLE},
		{WATCH_ENDING,
			1 << TIMER_WALL | 1 << TIMER_IDLE | 1 << TIMER_CPU | 1 << TIMER_BOUND |
				1 << TIMER_SETTLE},
		{WATCH_KILLING,
			1 << TIMER_WALL | 1 << TIMER_IDLE | 1 << TIMER_CPU | 1 << TIMER_SAMPLE |
				1 << TIMER_OOM | 1 << TIMER_GRACE | 1 << TIMER_GUARD |
				1 << TIMER_SETTLE},
		{WATCH_SETTLING,
			1 << TIMER_WALL | 1 << TIMER_IDLE | 1 << TIMER_CPU | 1 << TIMER_SAMPLE |
				1 << TIMER_OOM | 1 << TIMER_GRACE | 1 << TIMER_GUARD |
				1 << TIMER_SETTLE},
		{WATCH_GONE, (1u << TIMER_COUNT_) - 1},
	};
	limit(t, LIMIT_TIMEOUT, 0);
	limit(t, LIMIT_IDLE_TIMEOUT, 0);
	limit(t, LIMIT_CPU_TIME, 0);
	limit(t, LIMIT_MEMORY, 0);
	for (int l = 0; l < LIMIT_COUNT_; l++)
		t->plan.by[l] = ENFORCED_SAMPLED;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		t->w.state = table[i].state;
		for (int timer = 0; timer < TIMER_COUNT_; timer++)
			if (table[i].silent & 1u << timer)
				watch_arm(&t->w, (enum watch_timer)timer, 0);
		run_out(t);
		assert_int_equal(t->w.state, table[i].state);
		assert_int_equal(t->o.n_acts, 0);
	}
	lives(t->payload);
	lives(t->init);
}

/* Whoever traces init has its end first: that is looked for, and no loop that never sleeps. */
static void test_the_end_of_init_is_held_up(void **state)
{
	struct run_of_test *t = *state;
	unsigned turns = 0;
	t->w.state = WATCH_SETTLING;
	watch_processes(&t->w);
	pid_t tracer = start_tracer(t->init, 0);
	kill(t->init, SIGKILL);
	for (uint64_t end = time_monotonic_us() + US_PER_SEC / 2; time_monotonic_us() < end;
		turns++)
		uv_run(&t->loop, UV_RUN_ONCE);
	end_tracer(tracer); /* what is seen next is still of before */
	assert_in_range(turns, 1, 40);
	assert_int_equal(t->w.state, WATCH_SETTLING);
	assert_false(t->subject.init_reaped);
	assert_true(uv_is_active((uv_handle_t *)&t->w.payload)); /* which lives */
	run_until(t, WATCH_GONE);
	assert_true(t->subject.init_reaped);
	t->init = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RUN_TEST(test_the_wall_time_out_stops),
		RUN_TEST(test_what_ended_in_time_is_not_late),
		RUN_TEST(test_the_time_as_a_stopped_job_does_not_count),
		RUN_TEST(test_the_end_of_init_is_held_up),
		RUN_TEST(test_silence_stops),
		RUN_TEST(test_silence_that_is_none),
		RUN_TEST(test_after_the_grace_time_all_is_killed),
		RUN_TEST(test_leftovers_that_stay_are_killed_as_such),
		RUN_TEST(test_leftovers_of_what_was_stopped_die_for_the_same_reason),
		RUN_TEST(test_nothing_is_waited_for_without_end),
		RUN_TEST(test_memory_that_is_sampled),
		RUN_TEST(test_sampling_goes_on),
		RUN_TEST(test_cpu_time_that_is_sampled),
		RUN_TEST(test_timers_of_another_state_do_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
