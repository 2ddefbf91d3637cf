/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <grp.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "kernel/sys.h"
#include "kernel/test-child.h"
#include "run/strays.h"

/*
 * Children that die in pid namespaces of an ordinary user, who looks for them. Each test is such a user, in a process of its own.
 */

static void become_ordinary(void)
{
	REQUIRE(geteuid() != 0 ||
		(setgroups(0, NULL) == 0 && setresgid(65534, 65534, 65534) == 0 &&
			setresuid(65534, 65534, 65534) == 0));
	REQUIRE(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0);
}

enum kind { PLAIN, BELOW, HIDDEN };

static int child_main(void *data)
{
	const int *kind = data;
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	prctl(PR_SET_DUMPABLE, *kind != HIDDEN, 0, 0, 0);
	setsid(); /* told to who waits: from now on it is what it will be */
	while (pause() < 0)
		;
	return 0;
}

/* A child; it lives. */
static pid_t made(enum kind kind)
{
	static char stack[65536];
	int what = (int)kind;
	int flags = kind == PLAIN ? 0 : CLONE_NEWUSER | CLONE_NEWPID;
	pid_t pid = clone(child_main, stack + sizeof(stack), flags | SIGCHLD, &what);
	if (pid < 0)
		_exit(NOT_HERE);
	while (getsid(pid) != pid)
		sched_yield();
	return pid;
}

static void end(pid_t pid)
{
	siginfo_t info;
	REQUIRE(kill(pid, SIGKILL) == 0);
	REQUIRE(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0);
}

static pid_t made_dead(enum kind kind)
{
	pid_t pid = made(kind);
	end(pid);
	return pid;
}

/* Is there a child @pid still, dead and not reaped? */
static bool is_left(pid_t pid)
{
	return waitpid(pid, NULL, WNOHANG) == pid;
}

static ino_t namespace_of(pid_t pid)
{
	struct stat st;
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/ns/pid", (int)pid);
	return stat(path, &st) < 0 ? 0 : st.st_ino;
}

static void in_the_namespace(void)
{
	become_ordinary();
	pid_t first = made_dead(BELOW), other = made_dead(BELOW);
	ino_t inside = namespace_of(first);
	REQUIRE(inside != 0);
	REQUIRE(strays_reap(inside, first, false) == 0);
	REQUIRE(strays_reap(inside, 1, false) == 1);
	REQUIRE(!is_left(first) && is_left(other));
}

static void hidden(void)
{
	become_ordinary();
	pid_t pid = made_dead(HIDDEN), plain = made_dead(PLAIN), alive = made(HIDDEN);
	REQUIRE(namespace_of(pid) == 0);
	REQUIRE(strays_reap(0, 1, false) == 0); /* no namespace is no namespace to look for */
	REQUIRE(strays_reap(1, 1, true) == 0);
	REQUIRE(strays_reap(1, 1, false) == 1);
	REQUIRE(!is_left(pid) && is_left(plain));
	REQUIRE(kill(alive, 0) == 0);
	end(alive);
}

/* Whoever is waited for is somebody's. */
static void held(void)
{
	become_ordinary();
	pid_t pid = made_dead(HIDDEN), other = made_dead(HIDDEN);
	int pidfd = sys_pidfd_open(pid, 0);
	REQUIRE(pidfd >= 0);
	REQUIRE(strays_reap(1, 1, false) == 1);
	REQUIRE(is_left(pid) && !is_left(other));
	fd_close(pidfd);
}

static void many(void)
{
	unsigned n = 0, now;
	become_ordinary();
	for (int i = 0; i < 300; i++)
		made_dead(HIDDEN);
	while ((now = strays_reap(1, 1, false)) > 0)
		n += now;
	REQUIRE(n == 300);
	REQUIRE(waitpid(-1, NULL, WNOHANG) < 0);
}

#define TEST(name)                                                                                 \
	static void test_##name(void **state)                                                      \
	{                                                                                          \
		(void)state;                                                                       \
		in_child(name);                                                                    \
	}
TEST(in_the_namespace)
TEST(hidden)
TEST(held)
TEST(many)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_the_namespace),
		cmocka_unit_test(test_hidden),
		cmocka_unit_test(test_held),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
