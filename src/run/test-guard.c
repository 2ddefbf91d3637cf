/* SPDX-License-Identifier: MIT */
#include "run/guard.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/fd.h"
#include "kernel/oom.h"
#include "kernel/test-child.h"

/* Each in a process that may be changed: what is asked about is a child of it. */

static long now(void)
{
	char text[16];
	REQUIRE(file_read_text(AT_FDCWD, "/proc/self/oom_score_adj", text, sizeof(text)) > 0);
	return strtol(text, NULL, 10);
}

static long guarded(long before)
{
	pid_t pid = fork();
	int status;
	if (pid == 0)
		_exit(oom_lower(-900) == 0);
	REQUIRE(waitpid(pid, &status, 0) == pid);
	return WEXITSTATUS(status) && before > -900 ? -900 : before;
}

static pid_t start(int *ret_stdout, void (*body)(void))
{
	int ends[2];
	REQUIRE(pipe(ends) == 0);
	pid_t pid = fork();
	REQUIRE(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(ends[1], 1);
		close(ends[0]);
		close(ends[1]);
		body();
		_exit(1);
	}
	close(ends[1]);
	*ret_stdout = ends[0];
	return pid;
}

static void wait_for_word(int fd)
{
	char byte;
	REQUIRE(read(fd, &byte, 1) == 1);
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	REQUIRE(waitpid(pid, NULL, 0) == pid);
}

static void before_the_exec(void)
{
	REQUIRE(write(1, "x", 1) == 1);
	pause();
}

static void exec(void)
{
	execl("/bin/sh", "sh", "-c", "echo; exec sleep 100", NULL);
}

/* Whose fields, read from the wrong end or by the first parenthesis, tell of no exec. */
static void exec_by_a_name(void)
{
	execl("/bin/sh", "sh", "-c", "echo ') R 1 1 1 1 64' >/proc/$$/comm; echo; kill -STOP $$",
		NULL);
}

static void wait_for_the_exec(void)
{
	int fd;
	long before = now();
	pid_t pid = start(&fd, before_the_exec);
	wait_for_word(fd);
	REQUIRE(!guard_memory(pid) && now() == before);
	end(pid);
}

static void check_after_exec(void (*how)(void))
{
	int fd;
	long before = now();
	pid_t pid = start(&fd, how);
	wait_for_word(fd);
	REQUIRE(guard_memory(pid) && now() == guarded(before));
	end(pid);
}

static void after_the_exec(void)
{
	check_after_exec(exec);
}

static void whatever_its_name(void)
{
	check_after_exec(exec_by_a_name);
}

static void after_the_end(void)
{
	long before = now();
	REQUIRE(guard_memory(0) && now() == guarded(before));
}

/* Of a number that nobody has nothing is known, and so nothing done. */
static void not_known(void)
{
	long before = now();
	REQUIRE(guard_memory(0x7fffffff) && now() == before);
}

#define TEST(name)                                                                                 \
	static void test_##name(void **state)                                                      \
	{                                                                                          \
		(void)state;                                                                       \
		in_child(name);                                                                    \
	}
TEST(wait_for_the_exec)
TEST(after_the_exec)
TEST(whatever_its_name)
TEST(after_the_end)
TEST(not_known)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wait_for_the_exec),
		cmocka_unit_test(test_after_the_exec),
		cmocka_unit_test(test_whatever_its_name),
		cmocka_unit_test(test_after_the_end),
		cmocka_unit_test(test_not_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
