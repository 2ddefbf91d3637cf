/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/landlock.h"
#include "kernel/test-child.h"

enum { ABI_WITH_SCOPES = 6 };

/* A process that ends with us at the latest. */
static pid_t start_sleeper(void)
{
	pid_t pid = fork();

	REQUIRE(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pause();
		_exit(0);
	}
	return pid;
}

/* A process that we may not signal later: it ends when *ret_tell is closed. */
static pid_t start_outsider(int *ret_tell)
{
	int tell[2];
	char byte;
	pid_t pid;

	REQUIRE(pipe(tell) == 0);
	pid = fork();
	REQUIRE(pid >= 0);
	if (pid == 0) {
		close(tell[1]);
		REQUIRE(read(tell[0], &byte, 1) >= 0);
		_exit(0);
	}
	close(tell[0]);
	*ret_tell = tell[1];
	return pid;
}

static void scope_signals(void)
{
	int tell, status;
	pid_t outside, inside;

	if (landlock_abi() < ABI_WITH_SCOPES)
		_exit(NOT_HERE);
	outside = start_outsider(&tell);
	REQUIRE(kill(outside, 0) == 0);
	REQUIRE(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	REQUIRE(landlock_scope(LANDLOCK_SCOPE_SIGNAL) == 0);
	REQUIRE(kill(outside, SIGKILL) == -1 && errno == EPERM);
	inside = start_sleeper();
	REQUIRE(kill(inside, SIGKILL) == 0 && waitpid(inside, &status, 0) == inside);
	close(tell);
	REQUIRE(waitpid(outside, &status, 0) == outside);
}

static struct sockaddr_un abstract_name(socklen_t *ret_size)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int n = snprintf(
		name.sun_path + 1, sizeof(name.sun_path) - 1, "test-landlock-%d", getpid());

	*ret_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
	return name;
}

static void scope_abstract_sockets(void)
{
	socklen_t size;
	struct sockaddr_un name = abstract_name(&size);
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), before = socket(AF_UNIX, SOCK_STREAM, 0);
	int after = socket(AF_UNIX, SOCK_STREAM, 0);

	if (landlock_abi() < ABI_WITH_SCOPES)
		_exit(NOT_HERE);
	REQUIRE(bind(listener, (struct sockaddr *)&name, size) == 0 && listen(listener, 2) == 0);
	REQUIRE(connect(before, (struct sockaddr *)&name, size) == 0);
	REQUIRE(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	REQUIRE(landlock_scope(LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET) == 0);
	REQUIRE(connect(after, (struct sockaddr *)&name, size) == -1 && errno == EPERM);
}

static void refuse_unknown_scopes(void)
{
	long r;

	REQUIRE(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	r = landlock_scope(1u << 30);
	REQUIRE(r == -EINVAL || (landlock_abi() == 0 && (r == -ENOSYS || r == -EOPNOTSUPP)));
}

static void test_signals(void **state)
{
	(void)state;
	in_child(scope_signals);
}

static void test_abstract_sockets(void **state)
{
	(void)state;
	in_child(scope_abstract_sockets);
}

static void test_unknown_scopes(void **state)
{
	(void)state;
	in_child(refuse_unknown_scopes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_abstract_sockets),
		cmocka_unit_test(test_unknown_scopes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
