/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "run/test-watch.h"

/* ---- stopping ---- */

static void test_stop_is_a_polite_request_first(void **state)
{
	struct run_of_test *t = *state;
	killer_stop(&t->w, ACT_WALL_TIMEOUT, 1234);
	assert_int_equal(t->w.state, WATCH_STOPPING);
	assert_true(is_armed(t, TIMER_GRACE));
	ends_by(&t->payload, SIGTERM);
	lives(t->init);
	assert_int_equal(t->o.n_acts, 1);
	expect_act(t, 0, ACT_WALL_TIMEOUT, SIGTERM, false);
	assert_int_equal(t->o.acts[0].measured, 1234);
	assert_false(t->o.acts[0].oom_known);
	assert_int_equal(t->w.first_kill_us, 0);
}

/* A program that was stopped as a job could not obey. */
static void test_a_stopped_program_is_woken_for_it(void **state)
{
	struct run_of_test *t = *state;
	siginfo_t info;
	assert_int_equal(kill(t->payload, SIGSTOP), 0);
	assert_int_equal(waitid(P_PID, (id_t)t->payload, &info, WSTOPPED), 0);
	killer_stop(&t->w, ACT_IDLE_TIMEOUT, 0);
	ends_by(&t->payload, SIGTERM);
}

static void test_without_grace_it_is_killed(void **state)
{
	struct run_of_test *t = *state;
	t->policy.limits.grace_us = 0;
	killer_stop(&t->w, ACT_CPU_TIME, 5);
	assert_int_equal(t->w.state, WATCH_KILLING);
	ends_by(&t->init, SIGKILL);
	expect_act(t, 0, ACT_CPU_TIME, SIGKILL, true);
	assert_true(t->w.first_kill_us > 0);
	assert_true(is_armed(t, TIMER_BOUND));
}

static void test_one_reason_to_stop_is_enough(void **state)
{
	struct run_of_test *t = *state;
	killer_stop(&t->w, ACT_WALL_TIMEOUT, 1);
	killer_stop(&t->w, ACT_IDLE_TIMEOUT, 2);
	killer_stop(&t->w, ACT_WALL_TIMEOUT, 3);
	assert_int_equal(t->o.n_acts, 1);
	assert_int_equal(t->o.acts[0].measured, 1);
}

/* ---- killing ---- */

static void test_kill_ends_init_with_everything(void **state)
{
	struct run_of_test *t = *state;
	killer_kill(&t->w, ACT_OUTPUT_LIMIT, 77);
	assert_int_equal(t->w.state, WATCH_KILLING);
	ends_by(&t->init, SIGKILL);
	expect_act(t, 0, ACT_OUTPUT_LIMIT, SIGKILL, true);
	killer_kill(&t->w, ACT_WALL_TIMEOUT, 0);
	killer_stop(&t->w, ACT_WALL_TIMEOUT, 0);
	killer_cancel(&t->w, SIGTERM, 9, 9, false);
	assert_int_equal(t->o.n_acts, 1);
}

/* What is dead needs no reason to die, and nobody's act is ascribed to somebody else. */
static void test_nothing_is_done_once_all_is_over(void **state)
{
	struct run_of_test *t = *state;
	static const enum watch_state over[] = {WATCH_KILLING, WATCH_SETTLING, WATCH_GONE};
	t->o.acts[t->o.n_acts++] =
		(struct act){.reason = ACT_CANCELLED, .signal = SIGKILL, .cancel_pid = 5};
	for (size_t i = 0; i < sizeof(over) / sizeof(over[0]); i++) {
		t->w.state = over[i];
		killer_kill(&t->w, ACT_WALL_TIMEOUT, 0);
		killer_stop(&t->w, ACT_WALL_TIMEOUT, 0);
		killer_cancel(&t->w, SIGINT, 6, 6, false);
		assert_int_equal(t->w.state, over[i]);
	}
	lives(t->payload);
	lives(t->init);
	assert_int_equal(t->o.n_acts, 1);
	assert_int_equal(t->o.acts[0].cancel_pid, 5);
}

/* Its end is told by another way: the state stays until then. */
static void test_a_box_that_is_being_made_is_killed_at_once(void **state)
{
	struct run_of_test *t = *state;
	int maker_pidfd;
	pid_t maker = start_sleeper(&maker_pidfd);
	t->subject.maker_pidfd = maker_pidfd;
	t->w.state = WATCH_STARTING;
	killer_stop(&t->w, ACT_WALL_TIMEOUT, 0);
	assert_int_equal(t->w.state, WATCH_STARTING);
	ends_by(&maker, SIGKILL);
	expect_act(t, 0, ACT_WALL_TIMEOUT, SIGKILL, true);
	close(maker_pidfd);
}

/* ---- the caller's signals ---- */

static void test_the_first_request_is_passed_on(void **state)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		if (i > 0)
			assert_int_equal(run_setup(state), 0);
		struct run_of_test *t = *state;
		killer_cancel(&t->w, signals[i], 42, 1000, false);
		assert_int_equal(t->w.state, WATCH_STOPPING);
		assert_true(is_armed(t, TIMER_GRACE));
		ends_by(&t->payload, signals[i]);
		lives(t->init);
		expect_act(t, 0, ACT_CANCELLED, signals[i], false);
		assert_int_equal(t->o.acts[0].cancel_signal, signals[i]);
		assert_int_equal(t->o.acts[0].cancel_pid, 42);
		assert_int_equal(t->o.acts[0].cancel_uid, 1000);
		if (i + 1 < sizeof(signals) / sizeof(signals[0]))
			assert_int_equal(run_teardown(state), 0);
	}
}

static void test_the_second_request_kills(void **state)
{
	struct run_of_test *t = *state;
	killer_cancel(&t->w, SIGINT, 42, 1000, false);
	killer_cancel(&t->w, SIGTERM, 43, 0, false);
	assert_int_equal(t->w.state, WATCH_KILLING);
	ends_by(&t->init, SIGKILL);
	expect_act(t, 1, ACT_CANCELLED, SIGKILL, true);
	assert_int_equal(t->o.acts[0].cancel_pid, 42);
	assert_int_equal(t->o.acts[1].cancel_signal, SIGTERM);
	assert_int_equal(t->o.acts[1].cancel_pid, 43);
	assert_int_equal(t->o.acts[1].cancel_uid, 0);
}

static void test_a_request_while_a_limit_stops_it_kills(void **state)
{
	static const enum watch_state states[] = {WATCH_STOPPING, WATCH_ENDING};
	for (size_t i = 0; i < 2; i++) {
		if (i > 0)
			assert_int_equal(run_setup(state), 0);
		struct run_of_test *t = *state;
		t->w.state = states[i];
		killer_cancel(&t->w, SIGINT, 42, 1000, true);
		assert_int_equal(t->w.state, WATCH_KILLING);
		ends_by(&t->init, SIGKILL);
		if (i == 0)
			assert_int_equal(run_teardown(state), 0);
	}
}

/* ---- Ctrl-C ---- */

static void share_terminal(struct run_of_test *t)
{
	t->terminal.fd = 0;
	t->terminal.group = getpgid(t->payload);
}

/* The terminal has sent it to the program too, which may well live on. */
static void test_ctrl_c_is_the_programs_own(void **state)
{
	struct run_of_test *t = *state;
	share_terminal(t);
	killer_cancel(&t->w, SIGINT, 0, 0, true);
	assert_int_equal(t->w.state, WATCH_RUNNING);
	assert_false(is_armed(t, TIMER_GRACE));
	lives(t->payload);
	expect_act(t, 0, ACT_CANCELLED, SIGINT, false);
}

/* The kernel has told the foreground's group, and one that a program makes is none. */
static void test_ctrl_c_is_passed_to_another_group(void **state)
{
	struct run_of_test *t = *state;
	share_terminal(t);
	assert_int_equal(setpgid(t->payload, 0), 0);
	killer_cancel(&t->w, SIGINT, 0, 0, true);
	assert_int_equal(t->w.state, WATCH_RUNNING);
	ends_by(&t->payload, SIGINT);
	lives(t->init);
}

static void test_ctrl_c_twice_kills(void **state)
{
	struct run_of_test *t = *state;
	share_terminal(t);
	killer_cancel(&t->w, SIGINT, 0, 0, true);
	pass_time(t, TEST_GRACE_US / 2);
	killer_cancel(&t->w, SIGINT, 0, 0, true);
	assert_int_equal(t->w.state, WATCH_KILLING);
	ends_by(&t->init, SIGKILL);
}

static void test_ctrl_c_now_and_then_does_not(void **state)
{
	struct run_of_test *t = *state;
	share_terminal(t);
	for (int i = 0; i < 5; i++) {
		killer_cancel(&t->w, SIGINT, 0, 0, true);
		pass_time(t, TEST_GRACE_US + US_PER_SEC);
	}
	assert_int_equal(t->w.state, WATCH_RUNNING);
	lives(t->payload);
	/* nor is it held against a service manager's first word, an hour later */
	killer_cancel(&t->w, SIGTERM, 1, 0, false);
	assert_int_equal(t->w.state, WATCH_STOPPING);
	ends_by(&t->payload, SIGTERM);
	lives(t->init);
}

/* Otherwise nobody would know that the last signal was ours. */
static void test_the_last_act_is_always_recorded(void **state)
{
	struct run_of_test *t = *state;
	share_terminal(t);
	for (int i = 0; i < 3 * OBSERVATION_MAX_ACTS; i++) {
		killer_cancel(&t->w, SIGINT, 0, 0, true);
		pass_time(t, TEST_GRACE_US + US_PER_SEC);
	}
	assert_int_equal(t->w.state, WATCH_RUNNING);
	assert_int_equal(t->o.n_acts, OBSERVATION_MAX_ACTS);
	killer_stop(&t->w, ACT_WALL_TIMEOUT, 99);
	killer_kill(&t->w, ACT_WALL_TIMEOUT, 99);
	assert_int_equal(t->o.n_acts, OBSERVATION_MAX_ACTS);
	expect_act(t, OBSERVATION_MAX_ACTS - 3, ACT_CANCELLED, SIGINT, false);
	expect_act(t, OBSERVATION_MAX_ACTS - 2, ACT_WALL_TIMEOUT, SIGTERM, false);
	expect_act(t, OBSERVATION_MAX_ACTS - 1, ACT_WALL_TIMEOUT, SIGKILL, true);
	for (size_t i = 1; i < t->o.n_acts; i++)
		assert_true(t->o.acts[i].at_us >= t->o.acts[i - 1].at_us);
}

/* ---- the end of the payload ---- */

static void test_init_is_told_that_the_payload_has_ended(void **state)
{
	struct run_of_test *t = *state;
	char byte;
	int life[2];
	assert_int_equal(pipe(life), 0);
	t->subject.life_fd = life[1];
	killer_end_leftovers(&t->w);
	assert_int_equal(t->w.state, WATCH_ENDING);
	assert_true(is_armed(t, TIMER_GRACE));
	assert_int_equal(t->subject.life_fd, -1);
	assert_int_equal(read(life[0], &byte, 1), 1);
	assert_int_equal(read(life[0], &byte, 1), 0);
	close(life[0]);
	assert_int_equal(t->o.n_acts, 0);
}

/* The grace time is one for all, from the first TERM on. */
static void test_leftovers_do_not_get_the_grace_time_twice(void **state)
{
	struct run_of_test *t = *state;
	killer_stop(&t->w, ACT_WALL_TIMEOUT, 0);
	/* most of it is over */
	watch_arm(&t->w, TIMER_GRACE, US_PER_SEC);
	killer_end_leftovers(&t->w);
	assert_int_equal(t->w.state, WATCH_ENDING);
	assert_true(uv_timer_get_due_in(&t->w.timer[TIMER_GRACE]) <= 1001);
}

int main(void)
{
	signal(SIGHUP, SIG_DFL); /* of nohup(1) or a shell's background job, if we are one */
	signal(SIGINT, SIG_DFL);
	const struct CMUnitTest tests[] = {
		RUN_TEST(test_stop_is_a_polite_request_first),
		RUN_TEST(test_a_stopped_program_is_woken_for_it),
		RUN_TEST(test_without_grace_it_is_killed),
		RUN_TEST(test_one_reason_to_stop_is_enough),
		RUN_TEST(test_kill_ends_init_with_everything),
		RUN_TEST(test_nothing_is_done_once_all_is_over),
		RUN_TEST(test_a_box_that_is_being_made_is_killed_at_once),
		RUN_TEST(test_the_first_request_is_passed_on),
		RUN_TEST(test_the_second_request_kills),
		RUN_TEST(test_a_request_while_a_limit_stops_it_kills),
		RUN_TEST(test_ctrl_c_is_the_programs_own),
		RUN_TEST(test_ctrl_c_is_passed_to_another_group),
		RUN_TEST(test_ctrl_c_twice_kills),
		RUN_TEST(test_ctrl_c_now_and_then_does_not),
		RUN_TEST(test_the_last_act_is_always_recorded),
		RUN_TEST(test_init_is_told_that_the_payload_has_ended),
		RUN_TEST(test_leftovers_do_not_get_the_grace_time_twice),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
