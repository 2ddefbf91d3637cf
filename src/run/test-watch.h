/* SPDX-License-Identifier: MIT */
#ifndef RUN_TEST_WATCH_H
#define RUN_TEST_WATCH_H

/* (To be included after <cmocka.h> and what it needs.) */

#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/time.h"
#include "run/watch.h"

/*
 * A run as its supervisor sees it, without a box: two real processes stand for the payload and for
 * init, and a state is entered by hand.
 */
struct run_of_test {
	uv_loop_t loop;
	struct watch w;
	struct observation o;
	struct policy policy;
	struct plan plan;
	struct host host;
	struct output output;
	struct terminal terminal;
	struct subject subject;
	struct arena a;
	pid_t payload, init;
};

#define TEST_GRACE_US (10 * US_PER_SEC)

static inline pid_t start_sleeper(int *ret_pidfd)
{
	pid_t pid = fork();
	if (pid == 0) {
		for (;;)
			pause();
	}
	*ret_pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	return pid;
}

static inline int run_setup(void **state)
{
	struct run_of_test *t = calloc(1, sizeof(*t));
	*state = t;
	if (!t || uv_loop_init(&t->loop) != 0)
		return -1;
	alarm(60); /* nothing here waits for long */
	t->policy.limits.grace_us = TEST_GRACE_US;
	t->plan.policy = &t->policy;
	t->host.n_cpus = 1;
	t->terminal.fd = -1;
	t->subject = SUBJECT_INIT;
	const struct watch_spec spec = {.loop = &t->loop,
		.plan = &t->plan,
		.host = &t->host,
		.o = &t->o,
		.a = &t->a,
		.subject = &t->subject,
		.output = &t->output,
		.terminal = &t->terminal};
	watch_init(&t->w, &spec);
	t->w.state = WATCH_RUNNING;
	t->payload = t->subject.payload = start_sleeper(&t->subject.payload_pidfd);
	t->init = t->subject.init = start_sleeper(&t->subject.init_pidfd);
	return t->subject.payload_pidfd < 0 || t->subject.init_pidfd < 0 ? -1 : 0;
}

static inline void close_handle(uv_handle_t *handle, void *arg)
{
	(void)arg;
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

static inline int run_teardown(void **state)
{
	struct run_of_test *t = *state;
	pid_t pids[] = {t->payload, t->init};
	for (size_t i = 0; i < 2; i++) {
		if (pids[i] <= 0)
			continue;
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
	subject_fini(&t->subject);
	uv_walk(&t->loop, close_handle, NULL);
	uv_run(&t->loop, UV_RUN_DEFAULT);
	int r = uv_loop_close(&t->loop);
	arena_fini(&t->a);
	free(t);
	alarm(0);
	return r;
}

/* It ends by @sig: waited for. */
static inline void ends_by(pid_t *pid, int sig)
{
	int status = 0;
	assert_int_equal(waitpid(*pid, &status, 0), *pid);
	*pid = 0;
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), sig);
}

/* No signal that ends it is on its way: one of ours would be there at once. */
static inline void lives(pid_t pid)
{
	siginfo_t info = {0};
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT), 0);
	assert_int_equal(info.si_pid, 0);
}

static inline bool is_armed(const struct run_of_test *t, enum watch_timer timer)
{
	return uv_is_active((const uv_handle_t *)&t->w.timer[timer]);
}

static inline void expect_act(
	const struct run_of_test *t, size_t i, enum act_reason reason, int sig, bool whole)
{
	assert_true(t->o.n_acts > i);
	assert_int_equal(t->o.acts[i].reason, reason);
	assert_int_equal(t->o.acts[i].signal, sig);
	assert_int_equal(t->o.acts[i].whole_run, whole);
}

/* As if @us more had gone by since the start. */
static inline void pass_time(struct run_of_test *t, uint64_t us)
{
	t->w.started_us -= us;
}

#define RUN_TEST(name) cmocka_unit_test_setup_teardown(name, run_setup, run_teardown)

#endif
