/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run/kin.h"

/* A family that a test has made: who of it is found, and who is not. */

struct family {
	pid_t leader;
	pid_t pids[4];
	int n;
};

static void stay(void)
{
	for (;;)
		pause();
}

/* Tell @to the pid, as our parent counts, and stay. */
static void report(int to)
{
	pid_t pid = getpid();
	if (write(to, &pid, sizeof(pid)) != (ssize_t)sizeof(pid))
		_exit(1);
	stay();
}

/* A child in a session of its own; its child; and one whose parent has gone. */
static void found_family(int to)
{
	setsid();
	if (fork() == 0) {
		if (fork() == 0)
			report(to);
		report(to);
	}
	pid_t gone = fork();
	if (gone == 0) {
		if (fork() == 0)
			report(to);
		_exit(0);
	}
	waitpid(gone, NULL, 0);
	report(to); /* only now nobody is on the way any more */
}

static int setup(void **state)
{
	struct family *f = calloc(1, sizeof(*f));
	int fds[2];
	*state = f;
	alarm(60);
	/* orphans are ours: they are not to go before they are looked at, nor to be left behind */
	if (!f || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 || pipe(fds) < 0)
		return -1;
	f->leader = fork();
	if (f->leader == 0) {
		close(fds[0]);
		found_family(fds[1]);
	}
	close(fds[1]);
	pid_t pid;
	int reports = 0;
	for (; reports < 4 && read(fds[0], &pid, sizeof(pid)) == (ssize_t)sizeof(pid); reports++)
		if (pid != f->leader)
			f->pids[f->n++] = pid;
	close(fds[0]);
	return reports == 4 && f->n == 3 ? 0 : -1;
}

static int teardown(void **state)
{
	struct family *f = *state;
	for (int i = 0; i < f->n; i++)
		kill(f->pids[i], SIGKILL);
	if (f->leader > 0)
		kill(f->leader, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0)
		;
	prctl(PR_SET_CHILD_SUBREAPER, 0);
	free(f);
	alarm(0);
	return 0;
}

static void test_all_of_it_is_found(void **state)
{
	struct family *f = *state;
	assert_int_equal(kin_signal(f->leader, 0), 3);
}

static void test_the_leader_itself_is_spared(void **state)
{
	struct family *f = *state;
	siginfo_t info = {0};
	assert_int_equal(kin_signal(f->leader, SIGKILL), 3);
	/* the grandchildren of the leader come to us, its child stays its zombie */
	for (int n = 0; n < 2;)
		n += waitpid(-1, NULL, 0) > 0;
	assert_int_equal(kin_signal(f->leader, 0), 0);
	assert_int_equal(waitid(P_PID, (id_t)f->leader, &info, WEXITED | WNOHANG | WNOWAIT), 0);
	assert_int_equal(info.si_pid, 0);
}

/* The session tells who came of it when it has gone, and its number stays taken. */
static void test_the_session_outlives_its_leader(void **state)
{
	struct family *f = *state;
	kill(f->leader, SIGKILL);
	assert_int_equal(waitpid(f->leader, NULL, 0), f->leader);
	assert_int_equal(kin_signal(f->leader, SIGKILL), 3);
	while (waitpid(-1, NULL, 0) > 0)
		;
	assert_int_equal(kin_signal(f->leader, 0), 0);
	f->leader = f->n = 0;
}

static void test_of_nobody_nobody_came(void **state)
{
	(void)state;
	assert_int_equal(kin_signal(0, SIGKILL), -1);
	assert_int_equal(kin_signal(-1, SIGKILL), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_all_of_it_is_found, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_leader_itself_is_spared, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_the_session_outlives_its_leader, setup, teardown),
		cmocka_unit_test(test_of_nobody_nobody_came),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
