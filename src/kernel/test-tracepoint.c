/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/time.h"
#include "kernel/tracepoint.h"

/* Signals really sent, by and to children of this test; each case leaves none behind. */

static int setup(void **state)
{
	static struct trace trace;
	struct error e = ERROR_INIT;
	trace = TRACE_INIT;
	if (trace_open(&trace, 4, &e) < 0 || trace_begin(&trace, &e) < 0)
		print_message("not traced here: %s\n", e.text);
	*state = &trace;
	return 0;
}

static int teardown(void **state)
{
	trace_close(*state);
	return 0;
}

static struct trace *traced(void **state)
{
	struct trace *t = *state;
	if (t->link < 0)
		skip();
	return t;
}

static void watch(struct trace *t, pid_t pid)
{
	struct stat ns;
	assert_int_equal(stat("/proc/self/ns/pid", &ns), 0);
	assert_int_equal(trace_watch(t, pid, ns.st_dev, ns.st_ino), 0);
}

static bool last_of(const struct trace *t, pid_t pid, int sig, struct trace_signal *ret)
{
	struct trace_signals all;
	if (trace_read(t, pid, &all) < 0)
		return false;
	*ret = all.last[sig];
	return ret->time_ns != 0;
}

/* A child that does @act (or waits to be killed) once it may; *ret_go lets it. */
static pid_t child(void (*act)(void), int *ret_go)
{
	int go[2];
	char byte;
	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(go[1]);
		if (read(go[0], &byte, 1) == 1 && act)
			act();
		pause();
		_exit(0);
	}
	close(go[0]);
	*ret_go = go[1];
	return pid;
}

static void let(int go)
{
	assert_int_equal(write(go, "x", 1), 1);
}

static void expect_death(pid_t pid, int go, int sig)
{
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), sig);
	close(go);
}

static void test_sender_is_named(void **state)
{
	struct trace *t = traced(state);
	struct trace_signal s;
	int go;
	pid_t pid = child(NULL, &go);
	watch(t, pid);
	uint64_t before = time_monotonic_us();
	assert_int_equal(kill(pid, SIGKILL), 0);
	expect_death(pid, go, SIGKILL);
	assert_true(last_of(t, pid, SIGKILL, &s));
	assert_int_equal(s.pid, getpid());
	assert_int_equal(s.tid, getpid());
	assert_int_equal(s.inside_pid, getpid());
	assert_int_equal(s.uid, getuid());
	assert_int_equal(s.gid, getgid());
	assert_int_equal(s.info, TRACE_INFO_GIVEN);
	assert_int_equal(s.code, SI_USER);
	assert_memory_equal(s.comm, "test-kernel-tra", 16);
	assert_true(s.time_ns / 1000 >= before && s.time_ns / 1000 <= time_monotonic_us());
	assert_false(last_of(t, pid, SIGTERM, &s));
	trace_forget(t, pid);
	assert_false(last_of(t, pid, SIGKILL, &s));
}

static void kill_self(void)
{
	raise(SIGTERM);
}

static void test_own_raise(void **state)
{
	struct trace *t = traced(state);
	struct trace_signal s;
	int go;
	pid_t pid = child(kill_self, &go);
	watch(t, pid);
	let(go);
	expect_death(pid, go, SIGTERM);
	assert_true(last_of(t, pid, SIGTERM, &s));
	assert_int_equal(s.pid, pid);
	assert_int_equal(s.code, SI_TKILL);
	trace_forget(t, pid);
}

static void fault(void)
{
	volatile uintptr_t nowhere = 8;
	signal(SIGSEGV, SIG_DFL); /* not the test framework's */
	*(volatile int *)nowhere = 1; // NOLINT(performance-no-int-to-ptr): the fault is wanted
}

static void write_to_nobody(void)
{
	int fds[2];
	if (pipe(fds) == 0 && close(fds[0]) == 0)
		(void)!write(fds[1], "x", 1);
}

/* What the kernel sends for what the program did: with a siginfo, and without one. */
static void test_kernel_is_no_sender(void **state)
{
	static const struct {
		void (*act)(void);
		int sig;
		enum trace_info info;
	} cases[] = {
		{fault, SIGSEGV, TRACE_INFO_GIVEN},
		{write_to_nobody, SIGPIPE, TRACE_INFO_NONE},
	};
	struct trace *t = traced(state);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct trace_signal s;
		int go;
		pid_t pid = child(cases[i].act, &go);
		watch(t, pid);
		let(go);
		expect_death(pid, go, cases[i].sig);
		assert_true(last_of(t, pid, cases[i].sig, &s));
		assert_int_equal(s.pid, pid);
		assert_int_equal(s.info, cases[i].info);
		if (cases[i].info == TRACE_INFO_GIVEN)
			assert_int_equal(s.code, SEGV_MAPERR);
		trace_forget(t, pid);
	}
}

/* Not the first but the newest that got through; what is pending already does not count. */
static void test_newest_that_was_delivered(void **state)
{
	struct trace *t = traced(state);
	struct trace_signal first, last;
	int go;
	sigset_t usr1, old;
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	sigprocmask(SIG_BLOCK, &usr1, &old);
	pid_t pid = child(NULL, &go);
	sigprocmask(SIG_SETMASK, &old, NULL);
	watch(t, pid);
	assert_int_equal(kill(pid, SIGUSR1), 0);
	assert_true(last_of(t, pid, SIGUSR1, &first));
	assert_int_equal(kill(pid, SIGUSR1), 0);
	assert_true(last_of(t, pid, SIGUSR1, &last));
	assert_memory_equal(&first, &last, sizeof(first));
	assert_int_equal(kill(pid, SIGKILL), 0);
	expect_death(pid, go, SIGKILL);
	trace_forget(t, pid);
}

/* Those of others are not looked at, and the table ends where it was said to. */
static void test_bounds(void **state)
{
	struct trace *t = traced(state);
	struct trace_signal s;
	int go;
	pid_t pid = child(NULL, &go);
	assert_int_equal(kill(pid, SIGKILL), 0);
	expect_death(pid, go, SIGKILL);
	assert_false(last_of(t, pid, SIGKILL, &s));
	for (pid_t i = 1; i <= 4; i++)
		assert_int_equal(trace_watch(t, i, 0, 0), 0);
	assert_int_equal(trace_watch(t, 5, 0, 0), -E2BIG);
	for (pid_t i = 1; i <= 4; i++)
		trace_forget(t, i);
	assert_int_equal(trace_watch(t, 5, 0, 0), 0);
	trace_forget(t, 5);
}

/* An ordinary user is told what is missing, and nothing is left open. */
static void test_refused_to_ordinary_user(void **state)
{
	(void)state;
	int status;
	if (getuid() != 0)
		skip();
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct trace t = TRACE_INIT;
		struct error e = ERROR_INIT;
		int before = dup(0);
		close(before);
		if (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0)
			_exit(2);
		int r = trace_open(&t, 1, &e);
		_exit(r == -1 && t.link == -1 && e.blame == BLAME_HOST && dup(0) == before &&
					strstr(e.text, "it takes CAP_BPF and CAP_PERFMON")
				? 0
				: 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_sender_is_named, setup, teardown),
		cmocka_unit_test_setup_teardown(test_own_raise, setup, teardown),
		cmocka_unit_test_setup_teardown(test_kernel_is_no_sender, setup, teardown),
		cmocka_unit_test_setup_teardown(test_newest_that_was_delivered, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bounds, setup, teardown),
		cmocka_unit_test(test_refused_to_ordinary_user),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
