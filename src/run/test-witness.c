/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/time.h"
#include "run/witness.h"

enum { US = 100, LEADER = 200, INIT = 199, INSIDE = 210, OUTSIDE = 50 };
static const struct witness_cast cast = {US, LEADER, INIT};

/* Records as the kernel makes them, and as hostile senders have it make them. */
static void test_judge(void **state)
{
	static const struct {
		const char *what;
		struct trace_signal s;
		enum killer_known known;
	} cases[] = {
		{"none", {.pid = OUTSIDE}, KILLER_UNKNOWN},
		{"kill(2) from outside", {.time_ns = 1, .pid = OUTSIDE, .code = SI_USER},
			KILLER_OUTSIDE},
		{"sigqueue(3) from outside", {.time_ns = 1, .pid = OUTSIDE, .code = SI_QUEUE},
			KILLER_OUTSIDE},
		{"tgkill(2) from outside", {.time_ns = 1, .pid = OUTSIDE, .code = SI_TKILL},
			KILLER_OUTSIDE},
		{"kill(2) inside", {.time_ns = 1, .pid = INSIDE, .inside_pid = 3, .code = SI_USER},
			KILLER_INSIDE},
		{"init of the box", {.time_ns = 1, .pid = INIT, .inside_pid = 1, .code = SI_USER},
			KILLER_INSIDE},
		{"raise(3)", {.time_ns = 1, .pid = LEADER, .inside_pid = 2, .code = SI_TKILL},
			KILLER_SELF},
		{"ours", {.time_ns = 1, .pid = US, .code = SI_USER}, KILLER_BULKHEAD},
		{"our cgroup.kill", {.time_ns = 1, .pid = US, .info = TRACE_INFO_NONE},
			KILLER_BULKHEAD},
		{"somebody's cgroup.kill", {.time_ns = 1, .pid = OUTSIDE, .info = TRACE_INFO_NONE},
			KILLER_OUTSIDE},
		{"SIGPIPE of its own write",
			{.time_ns = 1, .pid = LEADER, .inside_pid = 2, .info = TRACE_INFO_NONE},
			KILLER_KERNEL},
		{"OOM killer, called on by a stranger",
			{.time_ns = 1, .pid = OUTSIDE, .info = TRACE_INFO_KERNEL}, KILLER_KERNEL},
		{"OOM killer, called on by ourselves",
			{.time_ns = 1, .pid = US, .info = TRACE_INFO_KERNEL}, KILLER_KERNEL},
		{"fault", {.time_ns = 1, .pid = LEADER, .inside_pid = 2, .code = SEGV_MAPERR},
			KILLER_KERNEL},
		{"its own timer, on a stranger's time",
			{.time_ns = 1, .pid = OUTSIDE, .code = SI_TIMER}, KILLER_KERNEL},
		{"its own timer, on our time", {.time_ns = 1, .pid = US, .code = SI_TIMER},
			KILLER_KERNEL},
		{"F_SETSIG on a pipe that we read", {.time_ns = 1, .pid = US, .code = POLL_IN},
			KILLER_KERNEL},
		{"F_SETSIG on a pipe that a stranger reads",
			{.time_ns = 1, .pid = OUTSIDE, .code = SI_SIGIO}, KILLER_KERNEL},
		{"in an interrupt, nobody running", {.time_ns = 1, .code = SI_USER}, KILLER_KERNEL},
		{"a number of pid_t's other half",
			{.time_ns = 1, .pid = 0xffffffff, .code = SI_USER}, KILLER_OUTSIDE},
		{"an info of tomorrow", {.time_ns = 1, .pid = OUTSIDE, .info = 77}, KILLER_KERNEL},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (witness_judge(&cases[i].s, &cast) != cases[i].known)
			fail_msg("%s: %s", cases[i].what,
				killer_known_name(witness_judge(&cases[i].s, &cast)));
}

/* Nothing was opened: nothing is claimed, and nothing read. */
static void test_not_opened(void **state)
{
	struct witness w = WITNESS_INIT;
	struct observation o = {.wait = WAIT_SIGNALED, .term_signal = SIGKILL};
	struct arena a = ARENA_INIT;
	(void)state;
	witness_tell(&w, &o, 0, &a);
	assert_int_equal(o.killer.known, KILLER_UNKNOWN);
	assert_false(o.senders.watched);
	assert_null(o.senders.why_not);
	witness_close(&w);
	arena_fini(&a);
}

static pid_t sleeper(void)
{
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		for (;;)
			pause();
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

struct rig {
	struct witness w;
	struct observation o;
	struct arena a;
	pid_t leader, init;
	uint64_t started_us;
};

static int open_rig(void **state)
{
	static struct rig rig;
	rig = (struct rig){.a = ARENA_INIT, .started_us = time_monotonic_us()};
	rig.leader = sleeper();
	rig.init = sleeper();
	witness_open(&rig.w, NULL, rig.leader, rig.init, -1);
	*state = &rig;
	return 0;
}

static int close_rig(void **state)
{
	struct rig *rig = *state;
	witness_close(&rig->w);
	end(rig->leader);
	end(rig->init);
	arena_fini(&rig->a);
	return 0;
}

static struct rig *rigged(void **state, enum wait_kind wait, int status)
{
	struct rig *rig = *state;
	if (rig->w.from_us == 0) {
		assert_true(rig->w.why_not.blame == BLAME_HOST && rig->w.why_not.text[0]);
		skip();
	}
	rig->o = (struct observation){.wait = wait, .exit_code = status, .term_signal = status};
	return rig;
}

static void test_tells_time_and_signal(void **state)
{
	struct rig *rig = rigged(state, WAIT_SIGNALED, SIGKILL);
	kill(rig->leader, SIGKILL);
	witness_tell(&rig->w, &rig->o, rig->started_us, &rig->a);
	assert_int_equal(rig->o.killer.known, KILLER_BULKHEAD);
	assert_int_equal(rig->o.killer.pid, getpid());
	assert_int_equal(rig->o.killer.signal, SIGKILL);
	assert_true(rig->o.killer.at_known && rig->o.killer.at_us >= rig->o.senders.from_us);
	assert_true(rig->o.killer.at_us < 60 * US_PER_SEC);
	assert_true(rig->o.senders.watched);
}

/* Another signal than the one it died of tells nothing of its end. */
static void test_other_signal(void **state)
{
	struct rig *rig = rigged(state, WAIT_SIGNALED, SIGTERM);
	kill(rig->leader, SIGKILL);
	witness_tell(&rig->w, &rig->o, rig->started_us, &rig->a);
	assert_int_equal(rig->o.killer.known, KILLER_UNKNOWN);
}

/* Statuses that are none: a real-time signal has a record, 65 and -1 have not. */
static void test_signals_out_of_bounds(void **state)
{
	static const int signals[] = {0, -1, 65, 4000};
	struct rig *rig = rigged(state, WAIT_SIGNALED, 0);
	kill(rig->leader, SIGKILL);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		rig->o.term_signal = signals[i];
		witness_tell(&rig->w, &rig->o, rig->started_us, &rig->a);
		assert_int_equal(rig->o.killer.known, KILLER_UNKNOWN);
	}
}

/* A child of ours is in our pid namespace, which is the "box" here: inside. */
static void test_inside(void **state)
{
	struct rig *rig = rigged(state, WAIT_SIGNALED, SIGUSR1);
	pid_t pid = fork();
	if (pid == 0)
		_exit(kill(rig->leader, SIGUSR1) == 0 ? 0 : 1);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	witness_tell(&rig->w, &rig->o, rig->started_us, &rig->a);
	assert_int_equal(rig->o.killer.known, KILLER_INSIDE);
	assert_int_equal(rig->o.killer.pid, pid);
	assert_int_equal(rig->o.killer.inside_pid, pid);
}

/* ---- one post for many ---- */

static void test_a_post_tells_each_of_its_own(void **state)
{
	struct witness_post post = WITNESS_POST_INIT;
	struct witness one, two;
	struct observation o[2] = {{.wait = WAIT_SIGNALED, .term_signal = SIGKILL},
		{.wait = WAIT_SIGNALED, .term_signal = SIGTERM}};
	struct arena a = ARENA_INIT;
	struct trace_signals none;
	pid_t init = sleeper(), first = sleeper(), second = sleeper();
	(void)state;
	witness_open(&one, &post, first, init, -1);
	witness_open(&two, &post, second, init, -1);
	if (one.from_us == 0) {
		assert_true(two.why_not.blame == BLAME_HOST && two.why_not.text[0]);
	} else {
		assert_true(one.own.link < 0 && two.own.link < 0);
		end(first);
		kill(second, SIGTERM);
		assert_int_equal(waitpid(second, NULL, 0), second);
		witness_tell(&one, &o[0], 0, &a);
		witness_tell(&two, &o[1], 0, &a);
		assert_int_equal(o[0].killer.known, KILLER_BULKHEAD);
		assert_int_equal(o[1].killer.known, KILLER_BULKHEAD);
		assert_int_equal(o[1].killer.signal, SIGTERM);
		witness_close(&one);
		assert_true(trace_read(&post.trace, first, &none) < 0);
		assert_int_equal(trace_read(&post.trace, second, &none), 0);
		assert_int_equal(trace_read(&post.trace, init, &none), 0);
		witness_close(&two);
		witness_post_forget(&post, init);
		assert_true(trace_read(&post.trace, init, &none) < 0);
	}
	witness_post_close(&post);
	end(init);
	arena_fini(&a);
}

/* What was seen of a kept box's init is not forgotten when another run begins. */
static void test_init_is_watched_once(void **state)
{
	struct witness_post post = WITNESS_POST_INIT;
	struct witness one, two;
	struct trace_signals seen;
	pid_t init = sleeper(), first = sleeper();
	(void)state;
	witness_open(&one, &post, first, init, -1);
	if (one.from_us != 0) {
		kill(init, SIGSTOP);
		witness_open(&two, &post, getpid(), init, -1);
		assert_int_equal(trace_read(&post.trace, init, &seen), 0);
		assert_true(seen.last[SIGSTOP].time_ns != 0);
		witness_close(&two);
	}
	witness_close(&one);
	witness_post_close(&post);
	end(first);
	end(init);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_judge),
		cmocka_unit_test(test_not_opened),
		cmocka_unit_test_setup_teardown(test_tells_time_and_signal, open_rig, close_rig),
		cmocka_unit_test_setup_teardown(test_other_signal, open_rig, close_rig),
		cmocka_unit_test_setup_teardown(test_signals_out_of_bounds, open_rig, close_rig),
		cmocka_unit_test_setup_teardown(test_inside, open_rig, close_rig),
		cmocka_unit_test(test_a_post_tells_each_of_its_own),
		cmocka_unit_test(test_init_is_watched_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
