/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "run/prepare.h"
#include "run/run.h"
#include "run/test-watch.h"

/* Where the kernel lets us wait for no more descriptors: what cannot be waited for must not be left. */

static int good, error; /* so many go well, then all fail by that */

int __real_uv_poll_init(uv_loop_t *loop, uv_poll_t *handle, int fd);
int __wrap_uv_poll_init(uv_loop_t *loop, uv_poll_t *handle, int fd);

int __wrap_uv_poll_init(uv_loop_t *loop, uv_poll_t *handle, int fd)
{
	return good-- > 0 ? __real_uv_poll_init(loop, handle, fd) : error;
}

static void start_with(struct run_of_test *t, int polls, int errnum)
{
	t->w.state = WATCH_STARTING;
	good = polls;
	error = -errnum;
	watch_started(&t->w);
}

static void run_to_the_end(struct run_of_test *t)
{
	while (!t->w.gone_told)
		assert_int_not_equal(uv_run(&t->loop, UV_RUN_ONCE), 0);
	assert_int_equal(t->w.state, WATCH_GONE);
}

static void failed(const struct run_of_test *t, int errnum, const char *says)
{
	assert_int_equal(t->o.wait, WAIT_NEVER_STARTED);
	assert_int_equal(t->o.setup.stage, SETUP_HOST);
	assert_int_equal(t->o.setup.blame, BLAME_HOST);
	assert_int_equal(t->o.setup.errnum, errnum);
	assert_non_null(strstr(t->o.setup.what, says));
}

/* What the kernel does: init's end is told after that of all others. */
static void go_with_init(const struct run_of_test *t)
{
	siginfo_t info;
	kill(t->payload, SIGKILL);
	assert_int_equal(waitid(P_PID, (id_t)t->payload, &info, WEXITED | WNOWAIT), 0);
}

/* @polls: 0, neither can be; 1, init cannot be. */
static void expect_failure(struct run_of_test *t, int polls)
{
	start_with(t, polls, ENOSPC);
	assert_int_equal(t->w.state, WATCH_KILLING);
	go_with_init(t);
	run_to_the_end(t);
	failed(t, ENOSPC, "fs.epoll.max_user_watches");
	assert_true(t->subject.payload_reaped && t->subject.init_reaped);
	t->payload = t->init = 0;
}

static void test_neither_can_be_waited_for(void **state)
{
	expect_failure(*state, 0);
}

static void test_init_cannot_be_waited_for(void **state)
{
	expect_failure(*state, 1);
}

/* Its payload is all that there is of it, and of the others nothing tells but /proc. */
static void test_a_run_in_a_kept_box(void **state)
{
	struct run_of_test *t = *state;
	int init_pidfd = t->subject.init_pidfd;
	t->subject.init_pidfd = -1;
	t->subject.kept = true;
	start_with(t, 0, ENOMEM);
	run_to_the_end(t);
	failed(t, ENOMEM, errno_text(ENOMEM));
	assert_true(t->subject.payload_reaped);
	t->payload = 0;
	close(init_pidfd);
}

/* One that was killed before ends for that reason. */
static void test_one_that_was_killed_before(void **state)
{
	struct run_of_test *t = *state;
	t->w.state = WATCH_STARTING;
	killer_kill(&t->w, ACT_CANCELLED, 0);
	start_with(t, 0, ENOSPC);
	go_with_init(t);
	run_to_the_end(t);
	assert_int_equal(t->o.setup.stage, SETUP_NONE);
	expect_act(t, 0, ACT_CANCELLED, SIGKILL, true);
	t->payload = t->init = 0;
}

/* What was never started, and of which there is something. */
static void test_what_failed_cannot_be_waited_for(void **state)
{
	struct run_of_test *t = *state;
	const struct setup_failure why = {
		.stage = SETUP_BOX, .errnum = EIO, .blame = BLAME_HOST, .what = "it failed"};
	t->w.state = WATCH_STARTING;
	good = 0;
	error = -ENOSPC;
	watch_failed(&t->w, &why);
	go_with_init(t);
	run_to_the_end(t);
	assert_string_equal(t->o.setup.what, "it failed");
	t->payload = t->init = 0;
}

/* ---- bulkhead run ---- */

/* The one run of a process, in one of its own: 0 if it was refused for that, and nothing of it is left. */
static int refuse_a_run(int polls)
{
	static struct arena a;
	static struct prepared p;
	static struct observation o;
	const char *argv[] = {"true", NULL};
	const struct request request = {.argv = {.v = argv, .n = 1}};
	const struct prepare_caller us = prepare_caller_self();
	struct error e = ERROR_INIT, left = ERROR_INIT;
	run_block_signals();
	run_begin();
	if (prepare_policy(&p, &request, &us, &a, &e) < 0)
		return 1;
	run_network(p.policy.network == NETWORK_NONE);
	if (prepare_plan(&p, &request, &us, &a, &e) < 0)
		return 2;
	observation_begin(&o, &p, &request);
	const struct run_request execution = {.plan = &p.plan, .host = &p.host};
	good = polls;
	error = -ENOSPC;
	run_execute(&o, &execution, &a);
	run_settle(&left);
	if (o.wait != WAIT_NEVER_STARTED || o.setup.blame != BLAME_HOST ||
		!strstr(o.setup.what, "fs.epoll.max_user_watches"))
		return 3;
	return left.blame != BLAME_NONE || waitpid(-1, NULL, WNOHANG) != -1 ? 4 : 0;
}

/* First the signals, then the maker, then payload and init. */
static void test_a_run_is_refused(void **state)
{
	(void)state;
	for (int polls = 0; polls < 4; polls++) {
		int status = -1;
		pid_t pid = fork();
		if (pid == 0) {
			alarm(20);
			_exit(refuse_a_run(polls));
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RUN_TEST(test_neither_can_be_waited_for),
		RUN_TEST(test_init_cannot_be_waited_for),
		RUN_TEST(test_a_run_in_a_kept_box),
		RUN_TEST(test_one_that_was_killed_before),
		RUN_TEST(test_what_failed_cannot_be_waited_for),
		cmocka_unit_test(test_a_run_is_refused),
	};
	return cmocka_run_group_tests_name("run-unwatched", tests, NULL, NULL);
}
