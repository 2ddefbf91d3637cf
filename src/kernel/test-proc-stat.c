/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "kernel/proc-stat.h"

static void test_fields_are_counted_from_the_names_end(void **state)
{
	static const char *const names[] = {
		"sh", "a b", ")", "x) R 1 2 3 4 5 6 7 8 9", "(((", "\n", ""};
	char line[1024];
	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct proc_stat s;
		snprintf(line, sizeof(line),
			"77 (%s) S 5 6 7 8 -1 4194564 10 11 12 13 140 150 160 170 20 -5 1 0 4711 "
			"23 2400 "
			"18446744073709551615 1\n",
			names[i]);
		assert_true(proc_stat_parse(line, &s));
		assert_int_equal(s.state, 'S');
		assert_int_equal(s.ppid, 5);
		assert_int_equal(s.session, 7);
		assert_int_equal(s.flags, 4194564);
		assert_int_equal(s.utime, 140);
		assert_int_equal(s.stime, 150);
		assert_int_equal(s.cutime, 160);
		assert_int_equal(s.cstime, 170);
		assert_int_equal(s.starttime, 4711);
		assert_int_equal(s.rss, 2400);
	}
}

static void test_text_that_is_no_stat_line(void **state)
{
	static const char *const lines[] = {"", "77", "77 (sh", "77 (sh)", "77 (sh) ", "77 (sh)  ",
		"77 (sh) S", "77 (sh) S 1 2 3",
		"77 (sh) SS 5 6 7 8 -1 9 0 1 2 3 4 5 6 7 20 0 1 0 22 23 24",
		"77 (sh) S 5 6 7 8 -1 9 0 1 2 3 4 5 6 7 20 0 1 0 22 23",
		"77 (sh) S 5 6 7 8 -1 9 0 1 2 3 4 5 6 7 20 0 1 0 22 23 x",
		"77 (sh) S 5 6 7 8 -1 9 0 1 2 3 4 5 6 7 20 0 1 0 22  24",
		"77 (sh) S 5 6 7 8 -1 9 0 1 2 3 4 5 6 7 20 0 1 0 99999999999999999999 23 24"};
	struct proc_stat s = {.starttime = 4711};
	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (proc_stat_parse(lines[i], &s))
			fail_msg("taken for a stat line: '%s'", lines[i]);
	assert_int_equal(s.starttime, 4711);
}

static void test_our_own(void **state)
{
	struct proc_stat s;
	(void)state;
	assert_true(proc_stat_read(-1, getpid(), &s));
	assert_int_equal(s.state, 'R');
	assert_int_equal(s.ppid, getppid());
	assert_int_equal(s.session, getsid(0));
	assert_true(s.starttime > 0 && s.rss > 0);
	assert_false(s.flags & PROC_EXITING);
	assert_false(proc_stat_read(-1, 0, &s));
}

static void test_a_child_that_has_not_execd_and_ends(void **state)
{
	struct proc_stat s;
	(void)state;
	pid_t pid = fork();
	if (pid == 0) {
		raise(SIGSTOP);
		_exit(0);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(proc_stat_read(-1, pid, &s));
	assert_int_equal(s.state, 'T');
	assert_int_equal(s.ppid, getpid());
	assert_true(s.flags & PROC_FORKED_NO_EXEC);
	kill(pid, SIGKILL);
	siginfo_t info;
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_true(proc_stat_read(-1, pid, &s));
	assert_int_equal(s.state, 'Z');
	assert_true(s.flags & PROC_EXITING);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_false(proc_stat_read(-1, pid, &s));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields_are_counted_from_the_names_end),
		cmocka_unit_test(test_text_that_is_no_stat_line),
		cmocka_unit_test(test_our_own),
		cmocka_unit_test(test_a_child_that_has_not_execd_and_ends),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
